/* test_rope.c - floor 1: frequency schedules, the angles' precision, reference vectors, rotation,
   planning. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

#include <float.h>
#include <math.h>

/* A relative error that double arithmetic cannot do much better than: the exponent of a power is
   rounded, and ln(theta) up to 14 carries that rounding into the frequency;
   so does the end of a ramp
   that is not truncated. */
#define CLOSE 5e-15

static double off(double got, long double want)
{
    return (double)fabsl(((long double)got - want) / want);
}

/* ---------------------------------------------------------------------------- schedules */

typedef struct config {
    const char *name;
    lctx_rope_desc desc;
} config;

static const double table[] = { 1, 0.5, 0.25, 0.125, 1e-3, 0, -0.25, 1e-9 };
static const double shorter[] = { 1, 1, 1.05, 1.1, 1.25, 1.5, 2, 2.75 };
static const double longer[] = { 1.05, 1.25, 2, 4.75, 11, 24, 31.5, 32 };
#define LONGROPE .scheme = LCTX_ROPE_LONGROPE, .n_rot = 16, .theta = 1e4, .factor = 32, \
                 .orig_ctx = 4096, .short_factor = shorter, .long_factor = longer
static const config configs[] = {
    { "Llama 2",
      { .scheme = LCTX_ROPE_PLAIN, .n_rot = 128 } },
    { "Llama 2, PI 4",
      { .scheme = LCTX_ROPE_LINEAR, .n_rot = 128, .theta = 10000, .factor = 4 } },
    { "Code Llama",
      { .scheme = LCTX_ROPE_PLAIN, .n_rot = 128, .theta = 1e6 } },
    { "Llama 3.1",
      { .scheme = LCTX_ROPE_LLAMA3, .n_rot = 128, .theta = 5e5, .factor = 8, .orig_ctx = 8192,
        .low_freq = 1, .high_freq = 4 } },
    { "Llama 3.1 by defaults",
      { .scheme = LCTX_ROPE_LLAMA3, .n_rot = 128, .theta = 5e5, .factor = 8, .orig_ctx = 8192 } },
    { "Llama 3.2 1B",
      { .scheme = LCTX_ROPE_LLAMA3, .n_rot = 64, .theta = 5e5, .factor = 32, .orig_ctx = 8192,
        .low_freq = 1, .high_freq = 4 } },
    { "Qwen2.5, YaRN 4",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e6, .factor = 4, .orig_ctx = 32768 } },
    { "DeepSeek-V3",
      { .scheme = LCTX_ROPE_YARN, .pairing = LCTX_ROPE_INTERLEAVED, .n_rot = 64, .theta = 1e4,
        .factor = 40, .orig_ctx = 4096, .beta_fast = 32, .beta_slow = 1, .mscale = 1,
        .mscale_all_dim = 1 } },
    { "DeepSeek-V2-Lite",
      { .scheme = LCTX_ROPE_YARN, .pairing = LCTX_ROPE_INTERLEAVED, .n_rot = 64, .theta = 1e4,
        .factor = 40, .orig_ctx = 4096, .beta_fast = 32, .beta_slow = 1, .mscale = 0.707,
        .mscale_all_dim = 0.707 } },
    { "gpt-oss",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 64, .no_truncate = 1, .theta = 150000, .factor = 32,
        .orig_ctx = 4096, .beta_fast = 32, .beta_slow = 1 } },
    { "YaRN Llama 2, 16",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e4, .factor = 16, .orig_ctx = 4096 } },
    { "YaRN with attn_factor",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e4, .factor = 16, .orig_ctx = 4096,
        .attn_factor = 1.25, .mscale = 0.5, .mscale_all_dim = 0.8 } },
    { "YaRN with both mscales",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e4, .factor = 16, .orig_ctx = 4096,
        .mscale = 1.2, .mscale_all_dim = 0.8 } },
    { "YaRN with mscale alone",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e4, .factor = 16, .orig_ctx = 4096,
        .mscale = 1.2 } },
    { "YaRN, mscale_all_dim",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 128, .theta = 1e4, .factor = 16, .orig_ctx = 4096,
        .mscale_all_dim = 0.8 } },
    { "YaRN of factor 1",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 64, .theta = 1e4, .factor = 1, .orig_ctx = 4096,
        .mscale = 1, .mscale_all_dim = 0.5 } },
    { "YaRN, toy",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 500, .factor = 16, .orig_ctx = 256,
        .beta_fast = 8, .beta_slow = 1 } },
    { "YaRN, ramp of no width",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 1e4, .factor = 4, .orig_ctx = 4 } },
    { "YaRN, ramp past the end",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 100, .factor = 4, .orig_ctx = 1e6 } },
    { "YaRN, all pairs fast",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 100, .factor = 4, .orig_ctx = 1e9 } },
    { "YaRN, all pairs slow",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 100, .factor = 4, .orig_ctx = 2 } },
    { "YaRN, 80 of a head",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 80, .no_truncate = 1, .theta = 1e6, .factor = 8,
        .orig_ctx = 8192, .beta_fast = 16, .beta_slow = 2 } },
    { "NTK 8",
      { .scheme = LCTX_ROPE_NTK, .n_rot = 128, .theta = 1e4, .factor = 8 } },
    { "NTK 2.5 on 48",
      { .scheme = LCTX_ROPE_NTK, .n_rot = 48, .theta = 1e4, .factor = 2.5 } },
    { "dynamic 2 at 16384",
      { .scheme = LCTX_ROPE_DYNAMIC, .n_rot = 128, .theta = 1e4, .factor = 2, .orig_ctx = 4096,
        .ctx = 16384 } },
    { "dynamic at L - 1",
      { .scheme = LCTX_ROPE_DYNAMIC, .n_rot = 128, .theta = 1e4, .factor = 2, .orig_ctx = 4096,
        .ctx = 4095 } },
    { "dynamic at L",
      { .scheme = LCTX_ROPE_DYNAMIC, .n_rot = 128, .theta = 1e4, .factor = 2, .orig_ctx = 4096,
        .ctx = 4096 } },
    { "dynamic at L + 1",
      { .scheme = LCTX_ROPE_DYNAMIC, .n_rot = 128, .theta = 1e4, .factor = 2, .orig_ctx = 4096,
        .ctx = 4097 } },
    { "dynamic by default",
      { .scheme = LCTX_ROPE_DYNAMIC, .n_rot = 128, .theta = 1e4, .factor = 4, .orig_ctx = 4096 } },
    { "by parts 8",
      { .scheme = LCTX_ROPE_BY_PARTS, .n_rot = 128, .theta = 1e4, .factor = 8, .orig_ctx = 4096 } },
    { "by parts, own betas",
      { .scheme = LCTX_ROPE_BY_PARTS, .n_rot = 96, .theta = 5e5, .factor = 3, .orig_ctx = 2048,
        .beta_fast = 16, .beta_slow = 2 } },
    { "by parts, attn_factor",
      { .scheme = LCTX_ROPE_BY_PARTS, .n_rot = 64, .theta = 1e4, .factor = 8, .orig_ctx = 4096,
        .attn_factor = 0.9 } },
    { "plain with attn_factor",
      { .scheme = LCTX_ROPE_PLAIN, .n_rot = 64, .theta = 1e4, .attn_factor = 1.5 } },
    { "the widest",
      { .scheme = LCTX_ROPE_PLAIN, .n_rot = LCTX_MAX_ROT, .theta = 1e4 } },
    { "one pair",
      { .scheme = LCTX_ROPE_PLAIN, .n_rot = 2, .theta = 1e4 } },
    { "a raw table",
      { .scheme = LCTX_ROPE_RAW, .n_rot = 16, .attn_factor = 1.1, .freq = table } },
    { "LongRoPE", { LONGROPE } },
    { "LongRoPE at L - 1", { LONGROPE, .ctx = 4095 } },
    { "LongRoPE at L", { LONGROPE, .ctx = 4096, .n_short = 8, .n_long = 8 } },
    { "LongRoPE at L + 1", { LONGROPE, .ctx = 4097 } },
    { "LongRoPE of factor 1",
      { .scheme = LCTX_ROPE_LONGROPE, .n_rot = 16, .orig_ctx = 4096, .short_factor = shorter,
        .long_factor = longer } },
    { "LongRoPE, short mscale",
      { LONGROPE, .ctx = 4096, .short_mscale = 1.1, .long_mscale = 1.2 } },
    { "LongRoPE, long mscale", { LONGROPE, .short_mscale = 1.1, .long_mscale = 1.2 } },
    { "LongRoPE, attn_factor", { LONGROPE, .attn_factor = 0.9, .long_mscale = 1.2 } },
    { "LongRoPE, n_hat 100", { LONGROPE, .n_hat = 100 } },
    { "YaRN, n_hat 64",
      { .scheme = LCTX_ROPE_YARN, .n_rot = 32, .theta = 1e4, .factor = 8, .orig_ctx = 4096,
        .n_hat = 64 } },
    { "xPos", { .n_rot = 64, .xpos_base = 512, .xpos_center = 16384 } },
    { "xPos, LongRoPE, n_hat", { LONGROPE, .n_hat = 9, .xpos_base = 300, .xpos_center = 50 } },
};
enum { N_CONFIGS = sizeof configs / sizeof *configs };

static double or_default(double x, double otherwise) { return x != 0 ? x : otherwise; }

/* The oracle has no defaults of its own: those that the header's comments name are written here. */
static void oracle_of(const lctx_rope_desc *d, oracle_rope *rope)
{
    static const int schemes[] = { ORACLE_PLAIN, ORACLE_LINEAR, ORACLE_NTK, ORACLE_DYNAMIC,
                                   ORACLE_BY_PARTS, ORACLE_YARN, ORACLE_LLAMA3, ORACLE_RAW,
                                   ORACLE_LONGROPE };
    oracle_rope_desc o;
    memset(&o, 0, sizeof o);
    o.scheme = schemes[d->scheme];
    o.n_rot = d->n_rot;
    o.truncate = !d->no_truncate;
    o.theta = or_default(d->theta, 10000);
    o.factor = or_default(d->factor, 1);
    o.orig_ctx = d->orig_ctx;
    o.ctx = or_default(d->ctx, o.factor * d->orig_ctx);
    o.beta_fast = or_default(d->beta_fast, 32);
    o.beta_slow = or_default(d->beta_slow, 1);
    o.attn_factor = d->attn_factor;
    o.mscale = d->mscale;
    o.mscale_all_dim = d->mscale_all_dim;
    o.low_freq = or_default(d->low_freq, 1);
    o.high_freq = or_default(d->high_freq, 4);
    o.freq = d->freq;
    o.short_factor = d->short_factor;
    o.long_factor = d->long_factor;
    o.short_mscale = d->short_mscale;
    o.long_mscale = d->long_mscale;
    o.n_hat = d->n_hat;
    o.xpos_base = d->xpos_base;
    o.xpos_center = d->xpos_center;
    oracle_rope_schedule(&o, rope);
}

static void test_schedule(const config *c)
{
    lctx_rope rope;
    oracle_rope want;
    double worst = 0;
    int i;
    oracle_of(&c->desc, &want);
    memset(&rope, 0, sizeof rope);
    check(lctx_rope_init(&rope, &c->desc) == LCTX_OK, "the schedule \"%s\" is made", c->name);
    for (i = 0; i < c->desc.n_rot / 2; i++) {
        double e = want.freq[i] == 0 ? fabs(rope.freq[i]) : off(rope.freq[i], want.freq[i]);
        double plain = off(rope.plain[i], want.plain[i]);
        if (!(e <= worst)) worst = e;
        if (!(plain <= worst)) worst = plain;
    }
    check(worst < CLOSE, "frequencies of \"%s\" are the formula's (relative error %.1e)", c->name,
          worst);
    check(off(rope.attn_factor, want.attn_factor) < 1e-15
          && off(rope.scale_mul, want.scale_mul) < 1e-15,
          "attention factor and softmax factor of \"%s\" are the formula's (%.17g, %.17g)", c->name,
          rope.attn_factor, rope.scale_mul);
    check(rope.n_rot == c->desc.n_rot && rope.pairing == c->desc.pairing
          && rope.n_hat == c->desc.n_hat && rope.xpos_base == c->desc.xpos_base
          && rope.xpos_center == c->desc.xpos_center,
          "the schedule \"%s\" keeps n_rot, pairing, n_hat and xPos", c->name);
}

static const lctx_rope_desc *config_named(const char *name)
{
    int i;
    for (i = 0; i < N_CONFIGS; i++) if (strcmp(configs[i].name, name) == 0) return &configs[i].desc;
    return &configs[0].desc;
}

/* Frequencies worked out with 50 decimal digits, apart from the oracle. */
static void test_literature(void)
{
    static const struct { const char *name; int i; double freq; } known[] = {
        { "Llama 2, PI 4", 0, 0.25 },
        { "Llama 2, PI 4", 1, 0.216491080840016338088292 },
        { "Llama 2, PI 4", 32, 0.0025 },
        { "Llama 2, PI 4", 63, 0.000028869549617236454491 },
        { "Code Llama", 1, 0.805842187761481817002575 },
        { "Code Llama", 31, 0.001240937760751719566098 },
        { "Code Llama", 63, 0.000001240937760751719566 },
        { "Llama 3.1", 28, 0.003211445994752591018543 },
        { "Llama 3.1", 29, 0.002166570763503358609341 },
        { "Llama 3.1", 30, 0.001371893567761138160399 },
        { "Llama 3.1", 34, 0.000178507812767996418523 },
        { "Llama 3.1", 35, 0.000095562123539646830198 },
        { "Llama 3.1", 63, 3.068925988914511089052433e-7 },
        { "Qwen2.5, YaRN 4", 23, 0.006978305848598663384148 },
        { "Qwen2.5, YaRN 4", 24, 0.005375321490790101503775 },
        { "Qwen2.5, YaRN 4", 30, 0.001064360981247001816320 },
        { "Qwen2.5, YaRN 4", 39, 0.000064903943208370288243 },
        { "Qwen2.5, YaRN 4", 40, 0.000044456985250973070030 },
        { "Qwen2.5, YaRN 4", 63, 3.102344401879298915246768e-7 },
        { "DeepSeek-V3", 10, 0.056234132519034908039495 },
        { "DeepSeek-V3", 11, 0.039006926567143857992633 },
        { "DeepSeek-V3", 16, 0.0055 },
        { "DeepSeek-V3", 23, 0.000025 * 1.3335214321633240 },
        { "DeepSeek-V3", 31, 0.000003333803580408310064 },
        { "gpt-oss", 8, 0.050813274815461473628020 },
        { "gpt-oss", 9, 0.031705696184663765987655 },
        { "gpt-oss", 12, 0.006794959489732217833119 },
        { "gpt-oss", 17, 0.000129318701245062720607 },
        { "gpt-oss", 31, 3.023511428119214373866031e-7 },
        { "NTK 8", 1, 0.837848001918802426970735 },
        { "NTK 8", 63, 0.000014434774808618227245 },
        { "dynamic 2 at 16384", 1, 0.839625742564311391102412 },
        { "dynamic 2 at 16384", 63, 0.000016496885495563688280 },
    };
    lctx_rope rope;
    size_t i;
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        lctx_rope_init(&rope, config_named(known[i].name));
        check(off(rope.freq[known[i].i], known[i].freq) < CLOSE,
              "frequency %d of \"%s\" is %.17g (got %.17g)", known[i].i, known[i].name,
              known[i].freq, rope.freq[known[i].i]);
    }
    lctx_rope_init(&rope, config_named("Qwen2.5, YaRN 4"));
    check(off(rope.attn_factor, 1.138629436111989061883446L) < 1e-15 && rope.scale_mul == 1,
          "YaRN by 4 has the attention factor 0.1 ln 4 + 1 and leaves the softmax scale");
    lctx_rope_init(&rope, config_named("gpt-oss"));
    check(off(rope.attn_factor, 1.346573590279972654708616L) < 1e-15, "gpt-oss has 0.1 ln 32 + 1");
    lctx_rope_init(&rope, config_named("DeepSeek-V3"));
    check(off(rope.attn_factor, 1) < 1e-15 && off(rope.scale_mul,
                                                  1.873854207092626587463764L) < 1e-15,
          "DeepSeek-V3 has the attention factor 1 and the softmax factor (0.1 ln 40 + 1)^2");
    lctx_rope_init(&rope, config_named("YaRN with attn_factor"));
    check(rope.attn_factor == 1.25, "an explicit attention factor wins over both mscales");
    lctx_rope_init(&rope, config_named("plain with attn_factor"));
    check(rope.attn_factor == 1.5, "an explicit attention factor holds for any scheme");
}

static lctx_rope made(const lctx_rope_desc *d)
{
    lctx_rope rope;
    memset(&rope, 0, sizeof rope);
    check(lctx_rope_init(&rope, d) == LCTX_OK, "a schedule is made");
    return rope;
}

static int same_freq(const lctx_rope *a, const lctx_rope *b)
{
    return memcmp(a->freq, b->freq, sizeof a->freq) == 0;
}

/* What implementations do differently: ours, and how to get the other. */
static void test_yarn_disagreements(void)
{
    const double m = 0.1 * log(40) + 1;
    lctx_rope_desc d = *config_named("gpt-oss");
    lctx_rope a = made(&d), b;
    d.no_truncate = 0;
    b = made(&d);
    check(a.freq[9] != b.freq[9] && a.freq[0] == b.freq[0] && a.freq[31] == b.freq[31],
          "no_truncate moves the ramp and nothing outside it; 0 has what ggml always does");
    d = *config_named("DeepSeek-V3");
    a = made(&d);
    check(a.attn_factor == 1 && off(a.scale_mul, m * m) < 1e-15,
          "equal mscales leave the attention factor 1, and their square is in scale_mul");
    d.mscale_all_dim = 0;
    a = made(&d);
    check(off(a.attn_factor, m) < 1e-15 && a.scale_mul == 1,
          "mscale alone gives the attention factor of neither, as in Hugging Face");
    d.mscale = 0.707, d.attn_factor = 0.1 * 0.707 * log(40) + 1;
    a = made(&d);
    check(a.attn_factor == d.attn_factor,
          "attn_factor gives mscale alone the effect it has in DeepSeek's code");
    d.attn_factor = 0.5;
    a = made(&d);
    check(a.attn_factor == 0.5, "an explicit attention factor is neither ignored nor multiplied by"
          " 0.1 ln s + 1, as ggml would");
    d = *config_named("Qwen2.5, YaRN 4");
    a = made(&d);
    d.factor = 131072 / d.orig_ctx / 2;
    b = made(&d);
    check(!same_freq(&a, &b) && a.attn_factor != b.attn_factor,
          "the factor counts where the original context is given");
    d = *config_named("YaRN, all pairs fast");
    a = made(&d);
    d.scheme = LCTX_ROPE_LINEAR;
    b = made(&d);
    check(off(b.freq[15], a.freq[15] / 4) < 1e-15, "LINEAR interpolates them all, as HF would");
    check(a.freq[15] == a.plain[15],
          "pairs faster than beta_fast are kept, though the whole ramp lies behind them");
}

/* The switch: dynamic NTK and LongRoPE choose once, by ctx. */
static void test_one_length(void)
{
    lctx_rope plain = made(config_named("Llama 2")), a, b, c;
    lctx_rope_desc d;
    a = made(config_named("dynamic at L"));
    b = made(config_named("dynamic at L + 1"));
    check(same_freq(&a, &plain), "dynamic at the trained context is plain");
    check(b.freq[63] < a.freq[63], "dynamic one token beyond it is not");
    d = *config_named("dynamic at L + 1");
    d.ctx = 16384;
    c = made(&d);
    check(!same_freq(&b, &c),
          "dynamic differs between two lengths: keys of one do not fit the other");
    a = made(config_named("LongRoPE at L"));
    b = made(config_named("LongRoPE at L + 1"));
    c = made(config_named("LongRoPE"));
    check(a.freq[7] == (double)(a.plain[7] / shorter[7]), "LongRoPE at the trained context takes the short"
          " list");
    check(b.freq[7] == (double)(b.plain[7] / longer[7]), "LongRoPE one token beyond it takes the long list");
    check(same_freq(&b, &c), "LongRoPE takes the long list unless told a length");
    check(a.attn_factor == b.attn_factor && off(a.attn_factor, sqrtl(1 + 5 / 12.0L)) < 1e-15,
          "LongRoPE's attention factor is sqrt(1 + ln 32 / ln 4096) with either list");
    b = made(config_named("LongRoPE of factor 1"));
    check(b.attn_factor == 1 && same_freq(&a, &b), "LongRoPE of factor 1 is short, its factor 1");
    a = made(config_named("LongRoPE, short mscale"));
    b = made(config_named("LongRoPE, long mscale"));
    c = made(config_named("LongRoPE, attn_factor"));
    check(a.attn_factor == (double)1.1 && b.attn_factor == (double)1.2
          && c.attn_factor == (double)0.9,
          "each list has its mscale, and attn_factor wins over both");
}

/* ---------------------------------------------------------------------------- bad descriptors */


static lctx_rope_desc good_desc(void)
{
    return *config_named("YaRN with both mscales");
}

static void refuse_desc(const lctx_rope_desc *d, lctx_status want, const char *why)
{
    lctx_rope rope, before;
    lctx_status st;
    memset(&rope, 0x5a, sizeof rope);
    before = rope;
    st = lctx_rope_init(&rope, d);
    check(st == want, "a schedule with %s gives \"%s\" (got \"%s\")", why, lctx_status_text(want),
          lctx_status_text(st));
    check(memcmp(&rope, &before, sizeof rope) == 0,
          "a schedule with %s leaves the output untouched", why);
}

static void test_bad_descs(void)
{
    const double nan = (double)NAN, inf = (double)INFINITY;
    static double holes[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    lctx_rope rope;
    lctx_rope_desc d = good_desc();
#define REFUSED(status, why, change) \
    do { d = good_desc(); change; refuse_desc(&d, status, why); } while (0)
    check(lctx_rope_init(NULL, &d) == LCTX_E_NULL, "a null schedule is refused");
    check(lctx_rope_init(&rope, NULL) == LCTX_E_NULL, "a null descriptor is refused");
    REFUSED(LCTX_E_ENUM, "a negative scheme", d.scheme = -1);
    REFUSED(LCTX_E_ENUM, "an unknown scheme", d.scheme = LCTX_ROPE_SCHEME_COUNT);
    REFUSED(LCTX_E_ENUM, "a negative pairing", d.pairing = -1);
    REFUSED(LCTX_E_ENUM, "an unknown pairing", d.pairing = LCTX_ROPE_PAIRING_COUNT);
    REFUSED(LCTX_E_N_ROT, "n_rot 0", d.n_rot = 0);
    REFUSED(LCTX_E_N_ROT, "a negative n_rot", d.n_rot = -2);
    REFUSED(LCTX_E_N_ROT, "an odd n_rot", d.n_rot = 7);
    REFUSED(LCTX_E_N_ROT, "n_rot above the most", d.n_rot = LCTX_MAX_ROT + 2);
    REFUSED(LCTX_E_THETA, "theta 1", d.theta = 1);
    REFUSED(LCTX_E_THETA, "theta below 1", d.theta = 0.5);
    REFUSED(LCTX_E_THETA, "a negative theta", d.theta = -10000);
    REFUSED(LCTX_E_THETA, "an infinite theta", d.theta = inf);
    REFUSED(LCTX_E_THETA, "theta NaN", d.theta = nan);
    REFUSED(LCTX_E_FACTOR, "a factor below 1", d.factor = 0.5);
    REFUSED(LCTX_E_FACTOR, "a negative factor", d.factor = -4);
    REFUSED(LCTX_E_FACTOR, "an infinite factor", d.factor = inf);
    REFUSED(LCTX_E_FACTOR, "factor NaN", d.factor = nan);
    REFUSED(LCTX_E_FACTOR, "a factor that makes NTK's base overflow",
            d.scheme = LCTX_ROPE_NTK; d.factor = 1e308);
    REFUSED(LCTX_E_FACTOR, "a factor that makes DYNAMIC's base overflow",
            d.scheme = LCTX_ROPE_DYNAMIC; d.factor = 1e200; d.ctx = 1e150);
    REFUSED(LCTX_E_ORIG_CTX, "no trained context under YaRN", d.orig_ctx = 0);
    REFUSED(LCTX_E_ORIG_CTX, "a negative trained context", d.orig_ctx = -4096);
    REFUSED(LCTX_E_ORIG_CTX, "a trained context NaN", d.orig_ctx = nan);
    REFUSED(LCTX_E_ORIG_CTX, "an infinite trained context", d.orig_ctx = inf);
    REFUSED(LCTX_E_ORIG_CTX, "no trained context under DYNAMIC",
            d.scheme = LCTX_ROPE_DYNAMIC; d.orig_ctx = 0);
    REFUSED(LCTX_E_ORIG_CTX, "no trained context under BY_PARTS",
            d.scheme = LCTX_ROPE_BY_PARTS; d.orig_ctx = 0);
    REFUSED(LCTX_E_ORIG_CTX, "no trained context under LLAMA3",
            d.scheme = LCTX_ROPE_LLAMA3; d.orig_ctx = 0);
    REFUSED(LCTX_E_CTX, "a negative length under DYNAMIC",
            d.scheme = LCTX_ROPE_DYNAMIC; d.ctx = -1);
    REFUSED(LCTX_E_CTX, "a length NaN under DYNAMIC",
            d.scheme = LCTX_ROPE_DYNAMIC; d.ctx = nan);
    REFUSED(LCTX_E_BETA, "beta_fast below beta_slow", d.beta_fast = 1; d.beta_slow = 32);
    REFUSED(LCTX_E_BETA, "equal betas", d.beta_fast = 4; d.beta_slow = 4);
    REFUSED(LCTX_E_BETA, "a negative beta_slow", d.beta_slow = -1);
    REFUSED(LCTX_E_BETA, "a negative beta_fast", d.beta_fast = -1);
    REFUSED(LCTX_E_BETA, "beta_fast NaN", d.beta_fast = nan);
    REFUSED(LCTX_E_BETA, "beta_slow NaN", d.beta_slow = nan);
    REFUSED(LCTX_E_BETA, "equal betas under BY_PARTS",
            d.scheme = LCTX_ROPE_BY_PARTS; d.beta_fast = 4; d.beta_slow = 4);
    REFUSED(LCTX_E_FREQ_FACTOR, "high_freq below low_freq",
            d.scheme = LCTX_ROPE_LLAMA3; d.low_freq = 4; d.high_freq = 1);
    REFUSED(LCTX_E_FREQ_FACTOR, "equal frequency factors",
            d.scheme = LCTX_ROPE_LLAMA3; d.low_freq = 4; d.high_freq = 4);
    REFUSED(LCTX_E_FREQ_FACTOR, "a negative low_freq",
            d.scheme = LCTX_ROPE_LLAMA3; d.low_freq = -1);
    REFUSED(LCTX_E_FREQ_FACTOR, "high_freq NaN", d.scheme = LCTX_ROPE_LLAMA3; d.high_freq = nan);
    REFUSED(LCTX_E_MSCALE, "attn_factor NaN", d.attn_factor = nan);
    REFUSED(LCTX_E_MSCALE, "an infinite attn_factor", d.attn_factor = inf);
    REFUSED(LCTX_E_MSCALE, "mscale NaN", d.mscale = nan);
    REFUSED(LCTX_E_MSCALE, "an infinite mscale_all_dim", d.mscale_all_dim = inf);
    REFUSED(LCTX_E_MSCALE, "a negative attn_factor", d.attn_factor = -1);
    REFUSED(LCTX_E_MSCALE, "a negative mscale", d.mscale = -1);
    REFUSED(LCTX_E_MSCALE, "a negative mscale_all_dim", d.mscale_all_dim = -1);
    REFUSED(LCTX_E_MSCALE, "an mscale_all_dim whose square overflows", d.mscale_all_dim = 1e300);
    REFUSED(LCTX_E_MSCALE, "an mscale_all_dim that leaves no attention factor",
            d.scheme = LCTX_ROPE_BY_PARTS; d.mscale = 1; d.mscale_all_dim = 1e308; d.factor = 1e9);
    REFUSED(LCTX_E_N_ROT, "one pair under NTK", d.scheme = LCTX_ROPE_NTK; d.n_rot = 2);
    REFUSED(LCTX_E_N_ROT, "one pair under DYNAMIC", d.scheme = LCTX_ROPE_DYNAMIC; d.n_rot = 2);
    REFUSED(LCTX_E_N_HAT, "a negative n_hat", d.n_hat = -1);
    REFUSED(LCTX_E_N_HAT, "n_hat above 2^48", d.n_hat = ((int64_t)1 << 48) + 1);
    REFUSED(LCTX_E_XPOS, "a negative xPos base", d.xpos_base = -512);
    REFUSED(LCTX_E_XPOS, "an infinite xPos base", d.xpos_base = inf);
    REFUSED(LCTX_E_XPOS, "an xPos base NaN", d.xpos_base = nan);
    REFUSED(LCTX_E_XPOS, "a negative xPos centre", d.xpos_center = -1);
    REFUSED(LCTX_E_XPOS, "an xPos centre of 2^48", d.xpos_center = (int64_t)1 << 48);
    REFUSED(LCTX_E_TABLE, "no raw table", d.scheme = LCTX_ROPE_RAW; d.freq = NULL);
    REFUSED(LCTX_E_TABLE_SIZE, "a raw table that is too long",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes; d.n_freq = 16);
    REFUSED(LCTX_E_TABLE_SIZE, "a raw table of negative length",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes; d.n_freq = -8);
    holes[7] = nan;
    REFUSED(LCTX_E_TABLE, "NaN in the raw table",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes);
    holes[7] = 1; holes[0] = inf;
    REFUSED(LCTX_E_TABLE, "infinity in the raw table",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes);
    holes[0] = -1e300;
    REFUSED(LCTX_E_TABLE, "a raw frequency that gives infinite angles",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes);
#undef REFUSED
#define REFUSED(status, why, change) \
    do { d = *config_named("LongRoPE"); change; refuse_desc(&d, status, why); } while (0)
    REFUSED(LCTX_E_TABLE, "no short list", d.short_factor = NULL);
    REFUSED(LCTX_E_TABLE, "no long list", d.long_factor = NULL);
    REFUSED(LCTX_E_TABLE_SIZE, "a short list that is too short", d.n_short = 7);
    REFUSED(LCTX_E_TABLE_SIZE, "a long list that is too long", d.n_long = 9);
    holes[0] = nan;
    REFUSED(LCTX_E_TABLE, "NaN in the short list", d.short_factor = holes);
    holes[0] = 0;
    REFUSED(LCTX_E_TABLE, "zero in the long list", d.long_factor = holes);
    holes[0] = 1e-310;
    REFUSED(LCTX_E_TABLE, "a divisor that gives infinite frequencies", d.long_factor = holes);
    holes[0] = 1e-300;
    REFUSED(LCTX_E_TABLE, "a divisor that gives infinite angles", d.long_factor = holes);
    holes[0] = -1;
    REFUSED(LCTX_E_TABLE, "a negative divisor in the list that is not used",
            d.short_factor = holes; d.ctx = 8192);
    REFUSED(LCTX_E_ORIG_CTX, "no trained context under LONGROPE", d.orig_ctx = 0);
    REFUSED(LCTX_E_ORIG_CTX, "a trained context of 1 under LONGROPE", d.orig_ctx = 1);
    REFUSED(LCTX_E_CTX, "a negative length under LONGROPE", d.ctx = -1);
    REFUSED(LCTX_E_CTX, "an infinite length under LONGROPE", d.ctx = inf);
    REFUSED(LCTX_E_MSCALE, "a negative short_mscale", d.short_mscale = -1);
    REFUSED(LCTX_E_MSCALE, "a long_mscale NaN", d.long_mscale = nan);
#undef REFUSED
}

/* ---------------------------------------------------------------------------- angles */

static const int64_t positions[] = { 0, 1, 4095, 4096, 4097, 131071, 1048575, (1 << 24) - 1,
                                     1 << 24, (1 << 24) + 1 };
enum { N_POSITIONS = sizeof positions / sizeof *positions };

/* Beyond one unit in the last place of the right float, only the rounding of the angle itself to
   double may show: pos * freq * 2^-53, times the attention factor. */
static double excess(float got, long double want, long double angle, double attn_factor)
{
    int e;
    frexp((double)want, &e);
    return (double)(fabsl((long double)got - want) - ldexpl(1, e - 24)
                    - fabsl(angle) * ldexpl(1, -53) * attn_factor);
}

static double worst_angle(const lctx_rope *rope, int64_t pos)
{
    float c[LCTX_MAX_ROT / 2], s[LCTX_MAX_ROT / 2];
    double worst = -1;
    int i;
    if (lctx_rope_cos_sin(rope, pos, c, s) != LCTX_OK) return 1;
    for (i = 0; i < rope->n_rot / 2; i++) {
        long double angle = (long double)pos * (pos < rope->n_hat ? rope->plain : rope->freq)[i];
        double ec = excess(c[i], cosl(angle) * rope->attn_factor, angle, rope->attn_factor);
        double es = excess(s[i], sinl(angle) * rope->attn_factor, angle, rope->attn_factor);
        if (!(ec <= worst)) worst = ec;
        if (!(es <= worst)) worst = es;
    }
    return worst;
}

static void test_angles(void)
{
    lctx_rope rope;
    int k, i;
    for (k = 0; k < N_CONFIGS; k++) {
        double worst = -1;
        lctx_rope_init(&rope, &configs[k].desc);
        for (i = 0; i < N_POSITIONS; i++) {
            double e = worst_angle(&rope, positions[i]);
            if (!(e <= worst)) worst = e;
        }
        check(worst <= 0, "cos and sin of \"%s\" are right to float rounding up to position 2^24"
              " (excess %.1e)", configs[k].name, worst);
        if (LDBL_MANT_DIG == DBL_MANT_DIG) continue;     /* the oracle would know no more */
        check(worst_angle(&rope, ((int64_t)1 << 47) + 12345) <= 0,
              "cos and sin of \"%s\" stay within position * 2^-53 radians at 2^47",
              configs[k].name);
    }
    if (LDBL_MANT_DIG == DBL_MANT_DIG)
        printf("  SKIPPED: angles at 2^47 (long double is double here)\n");
}

/* The largest frequencies that are taken turn to an angle even at the last position. */
static void test_largest_frequencies(void)
{
    double list[8];
    float c[8], s[8];
    lctx_rope_desc d;
    lctx_rope rope;
    int i, k, numbers = 0;
    for (i = 0; i < 8; i++) list[i] = ldexp(i & 1 ? 1 : -1, 512);
    for (k = 0; k < 2; k++) {
        memset(&d, 0, sizeof d);
        d.scheme = k ? LCTX_ROPE_LONGROPE : LCTX_ROPE_RAW, d.n_rot = 16, d.orig_ctx = 4096;
        d.freq = d.short_factor = d.long_factor = list;
        if (lctx_rope_init(&rope, &d) != LCTX_OK ||
            lctx_rope_cos_sin(&rope, ((int64_t)1 << 48) - 1, c, s) != LCTX_OK) break;
        for (i = 0; i < 8; i++) {
            numbers += fabs(c[i]) <= 1 && fabs(s[i]) <= 1;
            list[i] = ldexp(1, -512);
        }
    }
    check(numbers == 16, "the largest frequencies taken have angles at position 2^48 - 1"
          " (%d of 16)", numbers);
}

static void test_bad_angles(void)
{
    float c[64], s[64];
    lctx_rope rope, bad;
    lctx_rope_init(&rope, config_named("Llama 2"));
    memset(c, 0, sizeof c);
    memset(s, 0, sizeof s);
    check(lctx_rope_cos_sin(NULL, 1, c, s) == LCTX_E_NULL, "cos_sin refuses a null schedule");
    check(lctx_rope_cos_sin(&rope, 1, NULL, s) == LCTX_E_NULL, "cos_sin refuses a null cos");
    check(lctx_rope_cos_sin(&rope, 1, c, NULL) == LCTX_E_NULL, "cos_sin refuses a null sin");
    check(lctx_rope_cos_sin(&rope, -1, c, s) == LCTX_E_POS, "cos_sin refuses a negative position");
    check(lctx_rope_cos_sin(&rope, (int64_t)1 << 48, c, s) == LCTX_E_POS,
          "cos_sin refuses position 2^48");
    bad = rope; bad.n_rot = 0;
    check(lctx_rope_cos_sin(&bad, 1, c, s) == LCTX_E_N_ROT, "cos_sin refuses an empty schedule");
    bad.n_rot = LCTX_MAX_ROT + 2;
    check(lctx_rope_cos_sin(&bad, 1, c, s) == LCTX_E_N_ROT,
          "cos_sin refuses a schedule that is too wide");
    check(c[0] == 0 && s[63] == 0, "cos_sin refused writes nothing");
}

/* ---------------------------------------------------------------------------- vectors */

/* What tests/vectors/gen_rope.py wrote; see there for the lines' meaning. */
typedef struct vectors {
    lctx_rope_desc desc;
    lctx_rope rope;
    int32_t head_dim;
    double lists[2][LCTX_MAX_ROT / 2];
    int n[4];                           /* lines of each kind: freq, turn, grow, logit */
    double freq, turn, grow, logit;     /* worst errors, in units of what is allowed */
} vectors;

static int word_in(const char *word, const char *const *list)
{
    int i;
    for (i = 0; list[i]; i++) if (strcmp(word, list[i]) == 0) return i;
    return -1;
}

/* Returns nonzero if there is no such field. */
static int vector_set(vectors *v, const char *name, const char *value)
{
    static const char *const schemes[] = { "plain", "linear", "ntk", "dynamic", "by_parts", "yarn",
                                           "llama3", "raw", "longrope", NULL };
    static const char *const pairings[] = { "half", "interleaved", NULL };
    static const struct { const char *name; size_t at; } reals[] = {
#define FIELD(f) { #f, offsetof(lctx_rope_desc, f) }
        FIELD(theta), FIELD(factor), FIELD(orig_ctx), FIELD(ctx), FIELD(beta_fast),
        FIELD(beta_slow), FIELD(attn_factor), FIELD(mscale), FIELD(mscale_all_dim),
        FIELD(low_freq), FIELD(high_freq), FIELD(short_mscale), FIELD(long_mscale),
        FIELD(xpos_base)
#undef FIELD
    };
    double x = strtod(value, NULL);
    size_t i;
    for (i = 0; i < sizeof reals / sizeof *reals; i++)
        if (strcmp(name, reals[i].name) == 0) {
            memcpy((char *)&v->desc + reals[i].at, &x, sizeof x);
            return 0;
        }
    if (strcmp(name, "scheme") == 0) return (v->desc.scheme = word_in(value, schemes)) < 0;
    if (strcmp(name, "pairing") == 0) return (v->desc.pairing = word_in(value, pairings)) < 0;
    if (strcmp(name, "n_rot") == 0) v->desc.n_rot = (int32_t)x;
    else if (strcmp(name, "head_dim") == 0) v->head_dim = (int32_t)x;
    else if (strcmp(name, "no_truncate") == 0) v->desc.no_truncate = (int32_t)x;
    else if (strcmp(name, "n_hat") == 0) v->desc.n_hat = (int64_t)x;
    else if (strcmp(name, "xpos_center") == 0) v->desc.xpos_center = (int64_t)x;
    else return 1;
    return 0;
}

static void note(double *worst, int *n, double error, double allowed)
{
    double e = fabs(error) / allowed;
    if (!(e <= *worst)) *worst = e;
    ++*n;
}

/* How far the angle may be off at pos: by its rounding to double and by the frequency's. */
static double angle_slack(const lctx_rope *rope, int64_t pos, int i)
{
    return (double)pos * rope->freq[i] * (ldexp(1, -53) + CLOSE);
}

static void vector_turn(vectors *v, int64_t pos, int i, double c, double s)
{
    float got_c[LCTX_MAX_ROT / 2] = { 0 }, got_s[LCTX_MAX_ROT / 2] = { 0 };
    double allowed = v->rope.attn_factor * ldexp(1, -24);
    if (pos > (1 << 24) + 1) allowed += v->rope.attn_factor * angle_slack(&v->rope, pos, i);
    if (lctx_rope_cos_sin(&v->rope, pos, got_c, got_s) != LCTX_OK) allowed = 0;
    note(&v->turn, &v->n[1], (double)got_c[i] - c, allowed);
    note(&v->turn, &v->n[1], (double)got_s[i] - s, allowed);
}

static void vector_grow(vectors *v, int64_t pos, int i, double want)
{
    float q[LCTX_MAX_ROT / 2] = { 0 }, k[LCTX_MAX_ROT / 2] = { 0 };
    double allowed = ldexp(1, -24);
    if (lctx_rope_xpos(&v->rope, LCTX_ROPE_QUERY, pos, q) != LCTX_OK
        || lctx_rope_xpos(&v->rope, LCTX_ROPE_KEY, pos, k) != LCTX_OK)
        allowed = 0;
    note(&v->grow, &v->n[2], (double)q[i] / want - 1, allowed);
    note(&v->grow, &v->n[2], (double)k[i] * want - 1, allowed);
}

/* Products of pairs are off by a few float roundings each, and by the angles. */
static void vector_logit(vectors *v, int64_t m, int64_t n, double want)
{
    float x[2][512];
    double scale = v->rope.scale_mul / sqrt(v->head_dim), sum = 0, size = 0;
    double slack = ldexp(1, -24) + (m > (1 << 24) + 1 ? 2 * angle_slack(&v->rope, m, 0) : 0);
    int64_t pos[2];
    lctx_rope_job job;
    int i;
    pos[0] = m, pos[1] = n;
    memset(&job, 0, sizeof job);
    job.n_tok = job.n_head = 1;
    job.head_dim = v->head_dim;
    for (i = 0; i < v->head_dim; i++) {
        x[0][i] = (float)((37 * i + 11) % 101 - 50) / 64;
        x[1][i] = (float)((53 * i + 29) % 97 - 48) / 64;
    }
    for (i = 0; i < 2; i++) {
        job.x = job.out = x[i];
        job.pos = &pos[i];
        job.side = i;
        if (lctx_rope_apply(&v->rope, &job) != LCTX_OK) slack = 0;
    }
    for (i = 0; i < v->head_dim; i++) {
        sum += (double)x[0][i] * (double)x[1][i];
        size += fabs((double)x[0][i] * (double)x[1][i]);
    }
    note(&v->logit, &v->n[3], sum * scale - want, size * scale * slack);
}

/* One line; returns nonzero if it is none of ours. */
static int vector_line(vectors *v, const char *line)
{
    char name[32], value[64];
    double a, b;
    long long m, n;
    int i;
    if (line[0] == '#') return 0;
    if (sscanf(line, "set %31s %63s", name, value) == 2) return vector_set(v, name, value);
    if (sscanf(line, "list %31s %d %lf", name, &i, &a) == 3) {
        v->lists[strcmp(name, "long_factor") == 0][i] = a;
        v->desc.short_factor = v->lists[0], v->desc.long_factor = v->lists[1];
        *(name[0] == 's' ? &v->desc.n_short : &v->desc.n_long) = i + 1;
        return 0;
    }
    if (sscanf(line, "factor %lf %lf", &a, &b) == 2) {
        if (lctx_rope_init(&v->rope, &v->desc) != LCTX_OK) return 1;
        return !(off(v->rope.attn_factor, a) < 1e-15 && off(v->rope.scale_mul, b) < 1e-15);
    }
    if (sscanf(line, "freq %d %lf", &i, &a) == 2)
        note(&v->freq, &v->n[0], v->rope.freq[i] / a - 1, CLOSE);
    else if (sscanf(line, "turn %lld %d %lf %lf", &m, &i, &a, &b) == 4) vector_turn(v, m, i, a, b);
    else if (sscanf(line, "grow %lld %d %lf", &m, &i, &a) == 3) vector_grow(v, m, i, a);
    else if (sscanf(line, "logit %lld %lld %lf", &m, &n, &a) == 3) vector_logit(v, m, n, a);
    else return 1;
    return 0;
}

static void test_vector(const char *name)
{
    vectors v;
    char path[80], line[160];
    FILE *file;
    int strange = 0;
    memset(&v, 0, sizeof v);
    snprintf(path, sizeof path, "tests/vectors/rope_%s.txt", name);
    file = fopen(path, "r");
    check(file != NULL, "%s is here", path);
    if (!file) return;
    while (fgets(line, sizeof line, file)) strange += vector_line(&v, line);
    fclose(file);
    check(strange == 0, "vectors %s: every line is understood, and both factors hold (%d do not)",
          name, strange);
    check(v.n[0] == v.desc.n_rot / 2 && v.freq < 1,
          "vectors %s: all frequencies, to 5e-15 (%.2f of it)", name, v.freq);
    check(v.n[1] >= 2 * 5 * 6 && v.turn < 1, "vectors %s: cos and sin to float rounding (%.2f of"
          " what is allowed)", name, v.turn);
    check((v.n[2] > 0) == (v.desc.xpos_base > 0) && v.grow < 1,
          "vectors %s: xPos to float rounding (%.2f of it)", name, v.grow);
    check(v.n[3] >= 3 && v.logit < 1, "vectors %s: logits of rotated queries and keys (%.2f of what"
          " is allowed)", name, v.logit);
}

static void test_vectors(void)
{
    static const char *const names[] = {
        "plain_gptj", "plain_codellama", "linear_llama2", "ntk_llama2", "dynamic_llama2",
        "by_parts_llama2", "yarn_qwen25", "yarn_deepseek_v3", "yarn_gpt_oss", "llama3_llama31",
        "longrope_phi35_long", "longrope_phi35_short", "longrope_mscales", "xpos"
    };
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) test_vector(names[i]);
}


/* ---------------------------------------------------------------------------- rotation */

enum { MOST = 96 * 8 * 128 };
static float in[MOST], out[MOST], other[MOST];

static void fill(float *x, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) x[i] = test_normal();
}

static lctx_rope_job job_of(int64_t n_tok, int32_t n_head, int32_t head_dim, int64_t pos0)
{
    lctx_rope_job job;
    memset(&job, 0, sizeof job);
    job.n_tok = n_tok; job.n_head = n_head; job.head_dim = head_dim;
    job.x = in; job.out = out; job.pos0 = pos0;
    return job;
}

static size_t job_bytes(const lctx_rope_job *job)
{
    return (size_t)(job->n_tok * job->n_head * job->head_dim) * sizeof(float);
}

static lctx_rope rope_of(const char *name, int32_t n_rot, int32_t pairing)
{
    lctx_rope_desc d = *config_named(name);
    lctx_rope rope;
    d.n_rot = n_rot;
    d.pairing = pairing;
    memset(&rope, 0, sizeof rope);
    check(lctx_rope_init(&rope, &d) == LCTX_OK, "a schedule over %d dimensions is made", n_rot);
    return rope;
}

/* The oracle with the frequencies of the schedule under test. */
static oracle_rope oracle_like(const lctx_rope *rope)
{
    oracle_rope o;
    int i;
    memset(&o, 0, sizeof o);
    o.n_rot = rope->n_rot;
    o.attn_factor = rope->attn_factor;
    for (i = 0; i < rope->n_rot / 2; i++) {
        o.freq[i] = rope->freq[i];
        o.plain[i] = rope->plain[i];
    }
    o.n_hat = rope->n_hat;
    o.xpos_base = rope->xpos_base;
    o.xpos_center = rope->xpos_center;
    return o;
}

/* Largest error of out against the oracle, in units of the pair's length. */
static double rotation_error(const lctx_rope *rope, const lctx_rope_job *job, const int64_t *pos)
{
    double x[256], want[256], worst = 0;
    oracle_rope o = oracle_like(rope);
    int64_t row;
    int i;
    for (row = 0; row < job->n_tok * job->n_head; row++) {
        const float *xr = job->x + row * job->head_dim, *yr = job->out + row * job->head_dim;
        for (i = 0; i < job->head_dim; i++) x[i] = (double)xr[i];
        oracle_rope_rotate(&o, rope->pairing == LCTX_ROPE_INTERLEAVED, 1, job->head_dim,
                           pos[row / job->n_head], x, want);
        for (i = 0; i < job->head_dim; i++) {
            double e = fabs((double)yr[i] - want[i]) / (i < rope->n_rot ? rope->attn_factor * 8
                    : 1);
            if (!(e <= worst)) worst = e;
        }
    }
    return worst;
}

static void test_rotation(int32_t head_dim, int32_t n_rot, int32_t pairing)
{
    const char *how = pairing == LCTX_ROPE_HALF ? "half" : "interleaved";
    lctx_rope rope = rope_of("Qwen2.5, YaRN 4", n_rot, pairing);
    lctx_rope_job job = job_of(N_POSITIONS, 3, head_dim, 0);
    double e;
    job.pos = positions;
    fill(in, job_bytes(&job) / sizeof *in);
    memset(out, 0x5a, sizeof out);
    check(lctx_rope_apply(&rope, &job) == LCTX_OK, "%d of %d dimensions turn, %s", n_rot, head_dim,
          how);
    e = rotation_error(&rope, &job, positions);
    check(e < 2e-7, "%d of %d dimensions, %s, turn by the formula at any position (error %.1e)",
          n_rot,
          head_dim, how, e);
    memcpy(other, in, job_bytes(&job));
    job.x = job.out = other;
    lctx_rope_apply(&rope, &job);
    check(memcmp(other, out, job_bytes(&job)) == 0, "%d of %d, %s: in place gives the same bits",
          n_rot,
          head_dim, how);
}

static void test_rotations(void)
{
    static const int32_t heads[] = { 32, 64, 80, 96, 128, 8, 6, 2, 60 };
    size_t i;
    int32_t quarter, pairing;
    for (i = 0; i < sizeof heads / sizeof *heads; i++)
        for (quarter = 1; quarter <= 4; quarter++)
            for (pairing = 0; pairing < 2; pairing++) {
                int32_t n_rot = heads[i] * quarter / 4 / 2 * 2;
                if (n_rot >= 2) test_rotation(heads[i], n_rot, pairing);
            }
    test_rotation(59, 58, LCTX_ROPE_HALF);
    test_rotation(111, 30, LCTX_ROPE_INTERLEAVED);
}

/* Strides: rows apart, heads apart, [head][token][dim]; and what lies between stays. */
static void test_strides(int32_t pairing)
{
    enum { TOK = 5, HEADS = 3, DIM = 40, GAP = 7 };
    lctx_rope rope = rope_of("Llama 2", 32, pairing);
    lctx_rope_job job = job_of(TOK, HEADS, DIM, 77), strided;
    int64_t step = DIM + GAP, t, h;
    int same = 1, i, kept = 1;
    fill(in, MOST);
    lctx_rope_apply(&rope, &job);
    strided = job;
    for (t = 0; t < TOK; t++)
        for (h = 0; h < HEADS; h++)
            memcpy(other + (h * TOK + t) * step + 1, in + (t * HEADS + h) * DIM, DIM * sizeof *in);
    strided.x = other + 1; strided.x_token = step * 4; strided.x_head = TOK * step * 4;
    strided.out = in + 1; strided.out_head = step * 4; strided.out_token = HEADS * step * 4;
    memset(in, 0x5a, sizeof in);
    check(lctx_rope_apply(&rope, &strided) == LCTX_OK, "head-major rows with gaps are taken");
    for (t = 0; t < TOK; t++)
        for (h = 0; h < HEADS; h++) {
            const float *row = in + 1 + (t * HEADS + h) * step;
            same &= memcmp(row, out + (t * HEADS + h) * DIM, DIM * sizeof *row) == 0;
            for (i = DIM; i < step; i++) kept &= memcmp(row + i, in, sizeof *row) == 0;
        }
    check(same, "strided rows turn to the same bits as packed ones");
    check(kept, "the gaps between strided rows are not written");
}

static void test_work_split(int32_t pairing)
{
    static const int32_t threads[] = { 1, 2, 3, 7, 16 };
    static const int64_t chunks[] = { 1, 7, 64 };
    lctx_rope rope = rope_of("Llama 3.1", 96, pairing);
    lctx_rope_job job = job_of(96, 8, 128, 131000), part;
    lctx_parallel par;
    hook h;
    size_t i, k;
    int64_t t, row = 8 * 128;
    fill(in, MOST);
    lctx_rope_apply(&rope, &job);
    job.out = other;
    for (i = 0; i < sizeof threads / sizeof *threads; i++)
        for (k = 0; k < HOOK_KINDS; k++) {
            par = hook_parallel(&h, (hook_kind)k, threads[i]);
            job.par = &par;
            memset(other, 0, sizeof other);
            lctx_rope_apply(&rope, &job);
            check(memcmp(other, out, job_bytes(&job)) == 0,
                  "rotation on %d threads gives the same bits", threads[i]);
        }
    job.par = NULL;
    for (i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        memset(other, 0, sizeof other);
        for (t = 0; t < job.n_tok; t += chunks[i]) {
            part = job;
            part.n_tok = job.n_tok - t < chunks[i] ? job.n_tok - t : chunks[i];
            part.x = in + t * row; part.out = other + t * row; part.pos0 = job.pos0 + t;
            lctx_rope_apply(&rope, &part);
        }
        check(memcmp(other, out, job_bytes(&job)) == 0,
              "rotation in chunks of %d gives the same bits", (int)chunks[i]);
    }
}

static double dot(const float *a, const float *b, int n)
{
    double s = 0;
    int i;
    for (i = 0; i < n; i++) s += (double)a[i] * (double)b[i];
    return s;
}

/* A query and a key keep their score when both move: the promise that StreamingLLM rests on. */
static void test_relative(int32_t pairing)
{
    static const int64_t shifts[] = { 0, 1, 63, 4096, 131071, 1 << 20, 1 << 24 };
    lctx_rope rope = rope_of("Llama 2", 64, pairing);
    lctx_rope_job job = job_of(2, 1, 64, 0);
    int64_t pos[2];
    double first = 0, score, worst = 0;
    size_t i;
    fill(in, 128);
    job.pos = pos;
    for (i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        pos[0] = 40 + shifts[i];
        pos[1] = 3 + shifts[i];
        lctx_rope_apply(&rope, &job);
        score = dot(out, out + 64, 64);
        if (i == 0) first = score;
        if (!(fabs(score - first) <= worst)) worst = fabs(score - first);
    }
    check(worst < 1e-5, "a score depends on the difference of positions only (%.1e off)", worst);
}

/* Positions below n_hat turn by other frequencies, wherever a call begins and in any order. */
static void test_n_hat(int32_t pairing)
{
    enum { TOK = 200, ROW = 2 * 40 };
    static const int64_t hats[] = { 1, 63, 64, 65, 100, 128, 1000 };
    lctx_rope_desc d = *config_named("LongRoPE");
    lctx_rope_job job = job_of(TOK, 2, 40, 0), part;
    int64_t pos[TOK], t;
    size_t i;
    fill(in, TOK * ROW);
    for (t = 0; t < TOK; t++) pos[t] = t;
    d.pairing = pairing;
    for (i = 0; i < sizeof hats / sizeof *hats; i++) {
        lctx_rope rope;
        float c[8], s[8];
        double e;
        int same = 1, one = 1;
        d.n_hat = hats[i];
        rope = made(&d);
        job.out = out;
        lctx_rope_apply(&rope, &job);
        e = rotation_error(&rope, &job, pos);
        check(e < 2e-7, "the first %d positions turn by plain frequencies, no other (error %.1e)",
              (int)hats[i], e);
        for (t = 0; t < TOK; t++) {      /* from 71 up, wrapped around: back and forth over n_hat */
            int64_t at = (71 + t * 37) % TOK;
            part = job;
            part.n_tok = 1; part.pos = &at;
            part.x = in + at * ROW; part.out = other + at * ROW;
            lctx_rope_apply(&rope, &part);
            lctx_rope_cos_sin(&rope, at, c, s);
            one &= fabs(cos((double)at * (at < hats[i] ? rope.plain : rope.freq)[3])
                        * rope.attn_factor - (double)c[3]) < 1e-7;
        }
        same = memcmp(other, out, job_bytes(&job)) == 0;
        check(same && one, "one position at a time, n_hat %d gives the same bits, in cos_sin too",
              (int)hats[i]);
        part = job;
        part.out = other;
        part.pos = pos;
        for (t = 0; t < TOK; t++) pos[t] = t % 2 ? t : TOK - 2 - t;
        lctx_rope_apply(&rope, &part);
        for (t = 0; t < TOK; t++) pos[t] = t;
        for (t = 1; t < TOK; t += 2)
            same &= memcmp(other + t * ROW, out + t * ROW, ROW * sizeof *out) == 0;
        check(same, "positions in any order give the same bits across n_hat %d", (int)hats[i]);
    }
}

/* Scores of a query at m and a key at n under xPos, from the formula: in long double, unrotated. */
static double xpos_score(const lctx_rope *rope, const float *q, const float *k, int64_t m,
                         int64_t n)
{
    oracle_rope o = oracle_like(rope);
    double x[64], y[64];
    long double sum = 0;
    int i, half = rope->n_rot / 2, inter = rope->pairing == LCTX_ROPE_INTERLEAVED;
    for (i = 0; i < 64; i++) x[i] = (double)q[i];
    oracle_rope_rotate(&o, inter, 1, 64, m - n, x, y);
    o.xpos_center = n;                                /* zeta^((m - n) / base) */
    for (i = 0; i < 64; i++) {
        int pair = inter ? i / 2 : i % half;
        long double g = i < rope->n_rot ? oracle_rope_growth(&o, m, pair) : 1;
        sum += (long double)y[i] * (long double)k[i] * g;
    }
    return (double)sum;
}

static void test_xpos(int32_t pairing)
{
    static const int64_t pairs[][2] = { { 0, 0 }, { 40, 3 }, { 700, 100 }, { 32768, 32000 },
                                        { 32768, 0 }, { 20000, 16384 } };
    lctx_rope_desc d = *config_named("xPos");
    lctx_rope rope;
    lctx_rope_job q = job_of(1, 1, 64, 0), k;
    double worst = 0, tables = 0;
    size_t i;
    int j, n_rot;
    d.pairing = pairing;
    for (n_rot = 48; n_rot <= 64; n_rot += 16) {
        d.n_rot = n_rot;
        rope = made(&d);
        fill(in, 128);
        k = q;
        k.x = in + 64; k.out = out + 64; k.side = LCTX_ROPE_KEY;
        for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            float c[32], s[32], g[32];
            double want = xpos_score(&rope, in, in + 64, pairs[i][0], pairs[i][1]), e;
            q.pos0 = pairs[i][0]; k.pos0 = pairs[i][1];
            check(lctx_rope_apply(&rope, &q) == LCTX_OK && lctx_rope_apply(&rope, &k) == LCTX_OK,
                  "xPos reaches positions %d and %d", (int)q.pos0, (int)k.pos0);
            e = fabs(dot(out, out + 64, 64) - want);
            if (!(e <= worst)) worst = e;
            lctx_rope_cos_sin(&rope, k.pos0, c, s);
            lctx_rope_xpos(&rope, LCTX_ROPE_KEY, k.pos0, g);
            for (j = 0; j < n_rot / 2; j++) {
                int a = pairing == LCTX_ROPE_HALF ? j : 2 * j;
                int b = pairing == LCTX_ROPE_HALF ? j + n_rot / 2 : 2 * j + 1;
                double y = ((double)in[64 + a] * (double)c[j] - (double)in[64 + b] * (double)s[j])
                         * (double)g[j];
                e = fabs((double)out[64 + a] - y) / (double)g[j];
                if (!(e <= tables)) tables = e;
            }
        }
    }
    check(worst < 2e-5, "scores under xPos depend on the difference of positions alone, as the"
          " paper has it (%.1e off)", worst);
    check(tables < 2e-6, "xPos's rotation is cos_sin's times the growth of its side (%.1e)",
          tables);
}

static void test_xpos_range(void)
{
    lctx_rope rope = made(config_named("xPos"));
    float q[64], k[64];
    float inverse = 0;
    int64_t reach = LCTX_XPOS_REACH * 512, pos;
    int i, finite = 1;
    for (pos = 0; pos <= 2 * reach; pos += reach / 8) {
        lctx_status st = LCTX_OK;
        rope.xpos_center = reach;
        st = lctx_rope_xpos(&rope, LCTX_ROPE_QUERY, pos, q);
        if (st == LCTX_OK) st = lctx_rope_xpos(&rope, LCTX_ROPE_KEY, pos, k);
        finite &= st == LCTX_OK;
        for (i = 0; i < 32; i++) {
            float one = (float)fabs((double)q[i] * (double)k[i] - 1);
            finite &= isfinite(q[i] * 5000) && isfinite(k[i] * 5000) && isnormal(q[i])
                      && isnormal(k[i]);
            if (!(one <= inverse)) inverse = one;
        }
    }
    check(finite, "within its reach xPos neither overflows elements of 5000 nor underflows");
    check((double)inverse < 2e-7, "a key's growth is the inverse of a query's");
    check(lctx_rope_xpos(&rope, LCTX_ROPE_QUERY, 2 * reach + 1, q) == LCTX_E_XPOS_FAR,
          "a position above xPos's reach is refused");
    rope.xpos_center++;
    check(lctx_rope_xpos(&rope, LCTX_ROPE_QUERY, 0, q) == LCTX_E_XPOS_FAR,
          "a position below xPos's reach is refused");
    check(lctx_rope_xpos(&rope, LCTX_ROPE_QUERY, -1, q) == LCTX_E_POS,
          "xPos refuses a negative position");
    check(lctx_rope_xpos(&rope, LCTX_ROPE_SIDE_COUNT, 1, q) == LCTX_E_ENUM,
          "xPos refuses an unknown side");
    check(lctx_rope_xpos(NULL, LCTX_ROPE_KEY, 1, q) == LCTX_E_NULL
          && lctx_rope_xpos(&rope, LCTX_ROPE_KEY, 1, NULL) == LCTX_E_NULL, "xPos refuses null");
    rope.n_rot = 3;
    check(lctx_rope_xpos(&rope, LCTX_ROPE_KEY, 1, q) == LCTX_E_N_ROT,
          "xPos refuses an odd schedule");
    rope = made(config_named("Llama 2"));
    check(lctx_rope_xpos(&rope, LCTX_ROPE_KEY, (int64_t)1 << 47, q) == LCTX_OK && q[0] == 1
          && q[31] == 1, "without xPos nothing grows, anywhere");
}

/* Tables of one's own turn tokens in place of a schedule. */
static float table_cos[100 * 40], table_sin[100 * 40];

static void test_tables(int32_t pairing)
{
    enum { TOK = 100, N = 24, WIDE = 40 };
    lctx_rope rope = rope_of("Llama 3.1", 2 * N, pairing), bare;
    lctx_rope_job job = job_of(TOK, 3, 64, 1000), own;
    lctx_parallel par;
    hook h;
    int64_t t;
    fill(in, MOST);
    for (t = 0; t < TOK; t++)
        lctx_rope_cos_sin(&rope, 1000 + t, table_cos + t * N, table_sin + t * WIDE);
    lctx_rope_apply(&rope, &job);
    own = job;
    own.out = other;
    own.cos = table_cos;
    own.sin = table_sin; own.sin_token = WIDE * sizeof *table_sin;
    own.pos0 = -1;
    memset(&bare, 0, sizeof bare);
    bare.n_rot = 2 * N; bare.pairing = pairing; bare.n_hat = -7; bare.xpos_base = 1e-9;
    check(lctx_rope_apply(&bare, &own) == LCTX_OK,
          "cos and sin per token need n_rot, pairing and no position");
    check(memcmp(other, out, job_bytes(&job)) == 0,
          "a schedule's cos and sin, handed in per token, give the schedule's bits");
    memset(other, 0, sizeof other);
    par = hook_parallel(&h, HOOK_SHUFFLED, 3);
    own.par = &par;
    lctx_rope_apply(&bare, &own);
    check(memcmp(other, out, job_bytes(&job)) == 0, "so they do on another number of threads");
    table_cos[7 * N + 5] += 0.5f;
    lctx_rope_apply(&bare, &own);
    check(memcmp(other, out, 7 * 192 * sizeof *out) == 0
          && memcmp(other + 7 * 192, out + 7 * 192, 192 * sizeof *out) != 0
          && memcmp(other + 8 * 192, out + 8 * 192, 92 * 192 * sizeof *out) == 0,
          "a token's row of the table turns that token and no other");
}

/* ---------------------------------------------------------------------------- planning */

/* Liu et al. give the critical dimension of Llama 2 as 92; the base for Mistral Large from 32 K to
   128 K was worked out in public as 9370821. */
static int32_t critical_dim(int32_t n_rot, double theta, double orig_ctx)
{
    int32_t dim = -1;
    check(lctx_rope_critical_dim(n_rot, theta, orig_ctx, &dim) == LCTX_OK,
          "base %g over %g tokens has a critical dimension", theta, orig_ctx);
    return dim;
}

static double reach(int32_t n_rot, double theta, double orig_ctx, double new_theta)
{
    double ctx = -1;
    check(lctx_rope_reach(n_rot, theta, orig_ctx, new_theta, &ctx) == LCTX_OK,
          "base %g, tuned from %g, has a reach", new_theta, theta);
    return ctx;
}

static void test_plan(void)
{
    const long double pi = acosl(-1);
    double b = 0, factor = 0, ntk_factor = 0, small[3] = { 0, 0, 0 }, ctx;
    lctx_rope_desc d = *config_named("NTK 8");
    lctx_rope ntk, larger;
    int32_t dim = critical_dim(128, 0, 4096);
    check(dim == 92, "the critical dimension of Llama 2 is 92 (got %d)", (int)dim);
    dim = critical_dim(128, 1e6, 16384);
    check(dim == 74, "that of base 1e6 tuned on 16 K is 74 (got %d)", (int)dim);
    dim = critical_dim(64, 500, 4096);
    check(dim == 64, "a base of 500 has turned every dimension within 4 K (got %d)", (int)dim);
    ctx = reach(128, 0, 4096, 1e6);
    check(off(ctx, 2 * pi * powl(10, 6 * 92 / 128.0L)) < 1e-14,
          "base 1e6 carries Llama 2 to 129 K (got %.0f)", ctx);
    ctx = reach(128, 0, 4096, 0);
    check(ctx > 4096 && ctx < 4096 * 1.2, "its own base carries it a little beyond 4 K (got %.0f)",
          ctx);
    check(isinf(reach(64, 500, 4096, 1000)),
          "where every dimension has turned, no pair bounds the context");
    check(lctx_rope_advise(128, 1e6, 32768, 131072, &b, &factor, &ntk_factor) == LCTX_OK,
          "a base is advised");
    check(fabs(b - 9370821) < 1 && factor == 4, "the base for Mistral Large at 128 K is 9370821"
          " (got %.0f)", b);
    ctx = reach(128, 1e6, 32768, b);
    check(ctx >= 131072 && ctx < 131072 * 1.3, "the base advised carries what was asked (%.0f)",
          ctx);
    d.theta = 1e6; d.factor = ntk_factor;
    ntk = made(&d);
    d.scheme = LCTX_ROPE_PLAIN; d.theta = b;
    larger = made(&d);
    check(off(ntk.freq[63], larger.freq[63]) < 1e-12, "NTK by ntk_factor is the base advised");
    lctx_rope_advise(128, 1e6, 32768, 32768, &b, NULL, NULL);
    check(off(b, 1e6) < 1e-12, "for the trained context the base stays");
    check(lctx_rope_small_thetas(4096, small) == LCTX_OK, "small bases are told");
    check(off(small[0], 8192 / pi) < 1e-15 && off(small[1], 4096 / pi) < 1e-15
          && off(small[2], 2048 / pi) < 1e-15,
          "the small bases for 4 K are 2608, 1304 and 652 (got %.0f, %.0f, %.0f)", small[0],
          small[1], small[2]);
}

static void test_incomplete(void)
{
    lctx_rope rope = made(config_named("Llama 2"));
    double wave[LCTX_MAX_ROT / 2];
    int32_t n = -1, dim = 0, i, above = 0;
    check(lctx_rope_incomplete(&rope, 4096, &n, wave) == LCTX_OK, "wavelengths are told");
    lctx_rope_critical_dim(128, 10000, 4096, &dim);
    for (i = 0; i < 64; i++) above += wave[i] > 4096;
    check(n == above && 2 * (64 - n) == dim, "Llama 2 leaves the %d pairs behind its critical"
          " dimension incomplete (%d)", 64 - dim / 2, (int)n);
    check(off(wave[0], 2 * acosl(-1)) < 1e-15 && off(wave[32], 200 * acosl(-1)) < 1e-14,
          "a wavelength is 2 pi / frequency");
    rope = made(config_named("Llama 2, PI 4"));
    check(lctx_rope_incomplete(&rope, 16384, &n, NULL) == LCTX_OK && n == above,
          "interpolated by 4, the same pairs are incomplete within 4 times the context");
    rope = made(config_named("a raw table"));
    check(lctx_rope_incomplete(&rope, 1000, &n, wave) == LCTX_OK && isinf(wave[5])
          && wave[6] == wave[2] && n == 3, "frequency 0 never completes, a negative one turns too");
}

static void test_bad_plans(void)
{
    lctx_rope rope = made(config_named("Llama 2"));
    double x = 5, three[3] = { 5, 5, 5 };
    const double nan = (double)NAN, inf = (double)INFINITY;
    int32_t dim = 5;
    check(lctx_rope_critical_dim(128, 0, 4096, NULL) == LCTX_E_NULL
          && lctx_rope_reach(128, 0, 4096, 0, NULL) == LCTX_E_NULL
          && lctx_rope_small_thetas(4096, NULL) == LCTX_E_NULL
          && lctx_rope_incomplete(NULL, 1, &dim, NULL) == LCTX_E_NULL
          && lctx_rope_incomplete(&rope, 1, NULL, NULL) == LCTX_E_NULL, "plans refuse null");
    check(lctx_rope_critical_dim(127, 0, 4096, &dim) == LCTX_E_N_ROT
          && lctx_rope_reach(0, 0, 4096, 0, &x) == LCTX_E_N_ROT
          && lctx_rope_advise(LCTX_MAX_ROT + 2, 0, 4096, 8192, &x, NULL, NULL) == LCTX_E_N_ROT
          && lctx_rope_advise(2, 0, 4096, 8192, NULL, NULL, &x) == LCTX_E_N_ROT,
          "plans refuse an odd, empty or too wide n_rot, and NTK of one pair");
    check(lctx_rope_critical_dim(128, 1, 4096, &dim) == LCTX_E_THETA
          && lctx_rope_reach(128, 1e4, 4096, 9999, &x) == LCTX_E_THETA
          && lctx_rope_reach(128, 1e4, 4096, inf, &x) == LCTX_E_THETA
          && lctx_rope_advise(128, nan, 4096, 8192, &x, NULL, NULL) == LCTX_E_THETA,
          "plans refuse a base of 1, NaN, infinite, or smaller than before");
    check(lctx_rope_critical_dim(128, 0, 0, &dim) == LCTX_E_ORIG_CTX
          && lctx_rope_reach(128, 0, 6.28, 0, &x) == LCTX_E_ORIG_CTX
          && lctx_rope_small_thetas(nan, three) == LCTX_E_ORIG_CTX
          && lctx_rope_advise(128, 0, inf, inf, &x, NULL, NULL) == LCTX_E_ORIG_CTX,
          "plans refuse a trained context without a whole turn, NaN or infinite");
    check(lctx_rope_advise(128, 0, 4096, 4095, &x, NULL, NULL) == LCTX_E_CTX
          && lctx_rope_advise(128, 0, 4096, inf, &x, NULL, NULL) == LCTX_E_CTX
          && lctx_rope_incomplete(&rope, 0, &dim, NULL) == LCTX_E_CTX
          && lctx_rope_incomplete(&rope, nan, &dim, NULL) == LCTX_E_CTX,
          "plans refuse a context shorter than trained, none, NaN or infinite");
    rope.n_rot = 1;
    check(lctx_rope_incomplete(&rope, 1, &dim, NULL) == LCTX_E_N_ROT, "and an odd schedule");
    check(dim == 5 && x == 5 && three[0] == 5, "refused plans write nothing");
}

/* ---------------------------------------------------------------------------- bad jobs */

static void refuse_job(const lctx_rope *rope, const lctx_rope_job *job, lctx_status want,
                       const char *why)
{
    lctx_status st;
    int kept = 1;
    size_t i;
    memset(out, 0x5a, sizeof out);
    memset(other, 0x5a, sizeof other);
    st = lctx_rope_apply(rope, job);
    for (i = 0; i < sizeof out; i += sizeof other[0]) kept &= memcmp((char *)out + i, other,
            sizeof other[0]) == 0;
    check(st == want, "a rotation with %s gives \"%s\" (got \"%s\")", why, lctx_status_text(want),
          lctx_status_text(st));
    check(kept, "a rotation with %s writes nothing", why);
}

static void test_bad_jobs(void)
{
    const int64_t top = (int64_t)1 << 48;
    int64_t pos[4] = { 1, 2, 3, -1 }, high[4] = { 1, 2, 3, (int64_t)1 << 48 };
    int64_t spread[4] = { 36, 100, 164, 165 };
    lctx_rope good = rope_of("Llama 2", 32, 0), rope;
    lctx_rope_job job = job_of(4, 2, 64, 5);
    lctx_parallel par;
    memset(&par, 0, sizeof par);
#define REFUSED(status, why, change) \
    do { \
        rope = good; job = job_of(4, 2, 64, 5); change; \
        refuse_job(&rope, &job, status, why); \
    } while (0)
    check(lctx_rope_apply(NULL, &job) == LCTX_E_NULL, "a rotation without a schedule is refused");
    check(lctx_rope_apply(&good, NULL) == LCTX_E_NULL, "a rotation without a job is refused");
    REFUSED(LCTX_E_NULL, "no input", job.x = NULL);
    REFUSED(LCTX_E_NULL, "no output", job.out = NULL);
    REFUSED(LCTX_E_COUNT, "a negative token count", job.n_tok = -1);
    REFUSED(LCTX_E_COUNT, "no heads", job.n_head = 0);
    REFUSED(LCTX_E_COUNT, "a negative head count", job.n_head = -2);
    REFUSED(LCTX_E_N_ROT, "a head smaller than n_rot", job.head_dim = 30);
    REFUSED(LCTX_E_N_ROT, "an empty schedule", rope.n_rot = 0);
    REFUSED(LCTX_E_N_ROT, "an odd schedule", rope.n_rot = 31);
    REFUSED(LCTX_E_N_ROT, "a schedule that is too wide",
            rope.n_rot = LCTX_MAX_ROT + 2; job.head_dim = 1024);
    REFUSED(LCTX_E_STRIDE, "a short input head stride", job.x_head = 63 * 4);
    REFUSED(LCTX_E_STRIDE, "a short input token stride", job.x_token = 63 * 4);
    REFUSED(LCTX_E_STRIDE, "a short output head stride", job.out_head = 63 * 4);
    REFUSED(LCTX_E_STRIDE, "a short output token stride", job.out_token = 63 * 4);
    REFUSED(LCTX_E_STRIDE, "a negative stride", job.x_token = -1024);
    REFUSED(LCTX_E_STRIDE, "an odd stride", job.x_token = 64 * 4 * 2 + 2);
    REFUSED(LCTX_E_OVERFLOW, "a token stride that overflows", job.x_token = (int64_t)1 << 61);
    REFUSED(LCTX_E_OVERFLOW, "a head stride that overflows", job.out_head = (int64_t)1 << 61);
    REFUSED(LCTX_E_POS, "a negative first position", job.pos0 = -1);
    REFUSED(LCTX_E_POS, "a first position of 2^48", job.pos0 = top);
    REFUSED(LCTX_E_POS, "positions that run into 2^48", job.pos0 = top - 3);
    REFUSED(LCTX_E_POS, "a negative position in the list", job.pos = pos);
    REFUSED(LCTX_E_POS, "2^48 in the list", job.pos = high);
    REFUSED(LCTX_E_NULL, "cosines and no sines", job.cos = table_cos);
    REFUSED(LCTX_E_NULL, "sines and no cosines", job.sin = table_sin);
    REFUSED(LCTX_E_STRIDE, "a short stride of cosines",
            job.cos = table_cos; job.sin = table_sin; job.cos_token = 15 * 4);
    REFUSED(LCTX_E_STRIDE, "a negative stride of sines",
            job.cos = table_cos; job.sin = table_sin; job.sin_token = -16 * 4);
    REFUSED(LCTX_E_STRIDE, "an odd stride of sines",
            job.cos = table_cos; job.sin = table_sin; job.sin_token = 16 * 4 + 2);
    REFUSED(LCTX_E_ENUM, "a negative side", job.side = -1);
    REFUSED(LCTX_E_ENUM, "an unknown side", job.side = LCTX_ROPE_SIDE_COUNT);
    REFUSED(LCTX_E_XPOS_FAR, "a list position beyond xPos's reach",
            rope.xpos_base = 1; rope.xpos_center = 100; job.pos = spread);
    REFUSED(LCTX_E_XPOS_FAR, "a first position beyond xPos's reach",
            rope.xpos_base = 1; rope.xpos_center = 100; job.pos0 = 35);
    REFUSED(LCTX_E_XPOS_FAR, "a last position beyond xPos's reach",
            rope.xpos_base = 1; rope.xpos_center = 100; job.pos0 = 162);
    REFUSED(LCTX_E_THREADS, "a negative thread count", par.n_threads = -1; job.par = &par);
    REFUSED(LCTX_E_THREADS, "too many threads",
            par.n_threads = LCTX_MAX_THREADS + 1; job.par = &par);
#undef REFUSED
}

/* Every call that takes a schedule says the same of one that was filled by hand. */
static void refuse_schedule(const lctx_rope *rope, lctx_status want, const char *why)
{
    float c[LCTX_MAX_ROT], s[LCTX_MAX_ROT];
    lctx_rope_job job = job_of(4, 2, 64, 5);
    int32_t n = 5;
    memset(c, 0, sizeof c);
    memset(s, 0, sizeof s);
    check(lctx_rope_cos_sin(rope, 1, c, s) == want
          && lctx_rope_xpos(rope, LCTX_ROPE_KEY, 1, c) == want
          && lctx_rope_incomplete(rope, 4096, &n, NULL) == want && c[0] == 0 && n == 5,
          "cos_sin, xpos and incomplete of a schedule with %s give \"%s\"", why,
          lctx_status_text(want));
    refuse_job(rope, &job, want, why);
}

static void test_bad_schedules(void)
{
    const double nan = (double)NAN, inf = (double)INFINITY;
    lctx_rope good = rope_of("Llama 2", 32, 0), rope;
    lctx_rope_job job = job_of(4, 2, 64, 5);
#define REFUSED(status, why, change) \
    do { rope = good; change; refuse_schedule(&rope, status, why); } while (0)
    REFUSED(LCTX_E_N_ROT, "31 dimensions", rope.n_rot = 31);
    REFUSED(LCTX_E_N_ROT, "-2 dimensions", rope.n_rot = -2);
    REFUSED(LCTX_E_ENUM, "pairing 2", rope.pairing = LCTX_ROPE_PAIRING_COUNT);
    REFUSED(LCTX_E_ENUM, "pairing -1", rope.pairing = -1);
    REFUSED(LCTX_E_TABLE, "a frequency NaN", rope.freq[15] = nan);
    REFUSED(LCTX_E_TABLE, "an infinite frequency", rope.freq[0] = -inf);
    REFUSED(LCTX_E_TABLE, "a plain frequency NaN", rope.plain[15] = nan);
    REFUSED(LCTX_E_MSCALE, "no attention factor", rope.attn_factor = 0);
    REFUSED(LCTX_E_MSCALE, "a negative attention factor", rope.attn_factor = -1);
    REFUSED(LCTX_E_MSCALE, "an attention factor NaN", rope.attn_factor = nan);
    REFUSED(LCTX_E_MSCALE, "no scale_mul", rope.scale_mul = 0);
    REFUSED(LCTX_E_MSCALE, "an infinite scale_mul", rope.scale_mul = inf);
    REFUSED(LCTX_E_N_HAT, "a negative n_hat", rope.n_hat = -1);
    REFUSED(LCTX_E_N_HAT, "an n_hat beyond 2^48", rope.n_hat = ((int64_t)1 << 48) + 1);
    REFUSED(LCTX_E_XPOS, "a negative xpos_base", rope.xpos_base = -512);
    REFUSED(LCTX_E_XPOS, "xpos_base NaN", rope.xpos_base = nan);
    REFUSED(LCTX_E_XPOS, "a negative xpos_center", rope.xpos_center = -1);
    REFUSED(LCTX_E_XPOS, "xpos_center 2^48", rope.xpos_center = (int64_t)1 << 48);
#undef REFUSED
    memset(&rope, 0, sizeof rope);
    rope.n_rot = 32;
    job.cos = table_cos; job.sin = table_sin;
    check(lctx_rope_apply(&rope, &job) == LCTX_OK,
          "with tables of its own, a schedule needs n_rot and pairing alone");
    rope.pairing = LCTX_ROPE_PAIRING_COUNT;
    refuse_job(&rope, &job, LCTX_E_ENUM, "tables of its own and pairing 2");
}

int main(void)
{
    int32_t pairing;
    int i;
    for (i = 0; i < N_CONFIGS; i++) test_schedule(&configs[i]);
    test_literature();
    test_yarn_disagreements();
    test_one_length();
    test_bad_descs();
    test_angles();
    test_largest_frequencies();
    test_bad_angles();
    test_vectors();
    test_rotations();
    for (pairing = 0; pairing < 2; pairing++) {
        test_strides(pairing);
        test_work_split(pairing);
        test_relative(pairing);
        test_n_hat(pairing);
        test_xpos(pairing);
        test_tables(pairing);
    }
    test_xpos_range();
    test_bad_jobs();
    test_bad_schedules();
    test_plan();
    test_incomplete();
    test_bad_plans();
    return test_report("rope", lctx_isa_name(lctx_isa_get()));
}
