/* test_rope.c - floor 1: frequency schedules, the angles' precision, rotation. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

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
};
enum { N_CONFIGS = sizeof configs / sizeof *configs };

static double or_default(double x, double otherwise) { return x != 0 ? x : otherwise; }

/* The oracle has no defaults of its own: those that the header's comments name are written here. */
static void oracle_of(const lctx_rope_desc *d, oracle_rope *rope)
{
    static const int schemes[] = { ORACLE_PLAIN, ORACLE_LINEAR, ORACLE_NTK, ORACLE_DYNAMIC,
                                   ORACLE_BY_PARTS, ORACLE_YARN, ORACLE_LLAMA3, ORACLE_RAW };
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
    oracle_rope_schedule(&o, rope);
}

static void test_schedule(const config *c)
{
    lctx_rope rope;
    oracle_rope want;
    double worst = 0;
    int i;
    oracle_of(&c->desc, &want);
    check(lctx_rope_init(&rope, &c->desc) == LCTX_OK, "the schedule \"%s\" is made", c->name);
    for (i = 0; i < c->desc.n_rot / 2; i++) {
        double e = want.freq[i] == 0 ? fabs(rope.freq[i]) : off(rope.freq[i], want.freq[i]);
        if (!(e <= worst)) worst = e;
    }
    check(worst < CLOSE, "frequencies of \"%s\" are the formula's (relative error %.1e)", c->name,
          worst);
    check(off(rope.attn_factor, want.attn_factor) < 1e-15
          && off(rope.scale_mul, want.scale_mul) < 1e-15,
          "attention factor and softmax factor of \"%s\" are the formula's (%.17g, %.17g)", c->name,
          rope.attn_factor, rope.scale_mul);
    check(rope.n_rot == c->desc.n_rot && rope.pairing == c->desc.pairing,
          "the schedule \"%s\" keeps n_rot and pairing", c->name);
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

static void test_knobs(void)
{
    lctx_rope_desc d = *config_named("gpt-oss");
    lctx_rope a, b;
    lctx_rope_init(&a, &d);
    d.no_truncate = 0;
    lctx_rope_init(&b, &d);
    check(a.freq[9] != b.freq[9] && a.freq[0] == b.freq[0] && a.freq[31] == b.freq[31],
          "no_truncate moves the ramp and nothing outside it");
    d = *config_named("dynamic at L");
    lctx_rope_init(&a, &d);
    lctx_rope_init(&b, config_named("Llama 2"));
    check(memcmp(a.freq, b.freq, 64 * sizeof *a.freq) == 0,
          "dynamic at the trained context is plain");
    d = *config_named("dynamic at L + 1");
    lctx_rope_init(&a, &d);
    check(a.freq[63] < b.freq[63], "dynamic one token beyond it is not");
    memset(&d, 0, sizeof d);
    d.scheme = LCTX_ROPE_NTK; d.n_rot = 2; d.factor = 4;
    check(lctx_rope_init(&a, &d) != LCTX_OK || a.freq[0] == 1,
          "NTK on a single pair gives 1 or a refusal");
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
    REFUSED(LCTX_E_TABLE, "no raw table", d.scheme = LCTX_ROPE_RAW; d.freq = NULL);
    holes[7] = nan;
    REFUSED(LCTX_E_TABLE, "NaN in the raw table",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes);
    holes[7] = 1; holes[0] = inf;
    REFUSED(LCTX_E_TABLE, "infinity in the raw table",
            d.scheme = LCTX_ROPE_RAW; d.n_rot = 16; d.freq = holes);
#undef REFUSED
}

/* ---------------------------------------------------------------------------- angles */

static const int64_t positions[] = { 0, 1, 4095, 4096, 4097, 131071, 1048575, (1 << 24) - 1,
                                     (1 << 24) + 1 };
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
        long double angle = (long double)pos * rope->freq[i];
        double ec = excess(c[i], cosl(angle) * rope->attn_factor, angle, rope->attn_factor);
        double es = excess(s[i], sinl(angle) * rope->attn_factor, angle, rope->attn_factor);
        if (!(ec <= worst)) worst = ec;
        if (!(es <= worst)) worst = es;
    }
    return worst;
}

static void test_angles(void)
{
    static const char *const names[] = { "Llama 2", "Llama 3.1", "Qwen2.5, YaRN 4", "gpt-oss",
                                         "one pair",
                                         "YaRN, 80 of a head", "a raw table" };
    lctx_rope rope;
    size_t k, i;
    for (k = 0; k < sizeof names / sizeof *names; k++) {
        lctx_rope_init(&rope, config_named(names[k]));
        for (i = 0; i < N_POSITIONS; i++) {
            double e = worst_angle(&rope, positions[i]);
            check(e <= 0,
                  "cos and sin of \"%s\" are right to float rounding at position %lld (excess"
                  " %.1e)",
                  names[k], (long long)positions[i], e);
        }
        check(worst_angle(&rope, ((int64_t)1 << 47) + 12345) <= 0,
              "cos and sin of \"%s\" stay within position * 2^-53 radians at 2^47", names[k]);
    }
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

/* Largest error of out against the oracle, in units of the pair's length. */
static double rotation_error(const lctx_rope *rope, const lctx_rope_job *job, const int64_t *pos)
{
    double x[256], want[256], worst = 0;
    oracle_rope o;
    int64_t row;
    int i;
    o.n_rot = rope->n_rot;
    o.attn_factor = rope->attn_factor;
    for (i = 0; i < rope->n_rot / 2; i++) o.freq[i] = rope->freq[i];
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
    REFUSED(LCTX_E_POS, "a negative first position", job.pos0 = -1);
    REFUSED(LCTX_E_POS, "a first position of 2^48", job.pos0 = top);
    REFUSED(LCTX_E_POS, "positions that run into 2^48", job.pos0 = top - 3);
    REFUSED(LCTX_E_POS, "a negative position in the list", job.pos = pos);
    REFUSED(LCTX_E_POS, "2^48 in the list", job.pos = high);
    REFUSED(LCTX_E_THREADS, "a negative thread count", par.n_threads = -1; job.par = &par);
    REFUSED(LCTX_E_THREADS, "too many threads",
            par.n_threads = LCTX_MAX_THREADS + 1; job.par = &par);
#undef REFUSED
}

int main(void)
{
    int32_t pairing;
    int i;
    for (i = 0; i < N_CONFIGS; i++) test_schedule(&configs[i]);
    test_literature();
    test_knobs();
    test_bad_descs();
    test_angles();
    test_bad_angles();
    test_rotations();
    for (pairing = 0; pairing < 2; pairing++) {
        test_strides(pairing);
        test_work_split(pairing);
        test_relative(pairing);
    }
    test_bad_jobs();
    return test_report("rope", lctx_isa_name(lctx_isa_get()));
}
