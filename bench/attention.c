/* attention.c - decoding, drafts that a few queries check, and prompts. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { K = 1024 };

typedef struct attention_row {
    setting s;
    aims    aim, aim_avx2;     /* avx2 all 0: not run under it */
    int32_t ratio_to;          /* lctx_type: the same work on it runs in turn; 0: a limit */
    double  ratio_aim;         /* most time, against that */
    int     quick;             /* 1: with --quick too; 2: under AVX2 as well */
} attention_row;

#define NONE        { 0, 0 }
#define READ(x)     { x, .75 }
#define PRODUCTS(x) { 0, x }

static const attention_row attention_rows[] = {
    { { "decode", 1, 8 * K,   128, 32, 8,  LCTX_F16, TILES, 0, 0 }, READ(.75), READ(.75), 0, 0, 0 },
    { { "decode", 1, 32 * K,  128, 32, 8,  LCTX_F16, TILES, 0, 0 }, READ(.90), READ(.80), 0, 0, 2 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_F16, TILES, 0, 0 }, READ(.90), READ(.80), 0, 0, 1 },
    { { "decode", 1, 32 * K,  128, 32, 32, LCTX_F16, TILES, 0, 0 }, READ(.90), READ(.80), 0, 0, 1 },
    { { "decode", 1, 32 * K,  64,  32, 8,  LCTX_F16, TILES, 0, 0 }, READ(.90), NONE, 0, 0, 0 },
    { { "decode", 1, 128 * K, 64,  32, 8,  LCTX_F16, TILES, 0, 0 }, READ(.90), READ(.80), 0, 0, 1 },
    { { "decode", 1, 128 * K, 128, 32, 4,  LCTX_F16, TILES, 0, 0 }, READ(.75), READ(.75), 0, 0, 1 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_I8, TILES, 0, 0 }, READ(.85), READ(.70), 0, 0, 1 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_I4, TILES, 0, 0 }, NONE, NONE, LCTX_I8, .62, 1 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_BF16, TILES, 0, 0 }, NONE, NONE, LCTX_F16, 1, 1 },
    { { "decode", 1, 32 * K,  128, 32, 8,  LCTX_F32, TILES, 0, 0 }, NONE, NONE, 0, 0, 0 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_F16, TOKEN_MAJOR, 0, 0 }, READ(.75), READ(.55),
      0, 0, 1 },
    { { "decode", 1, 128 * K, 128, 32, 8,  LCTX_F16, HEAD_MAJOR, 0, 0 }, READ(.75), NONE, 0, 0, 1 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_F16, TILES, 0, 0 }, PRODUCTS(.75), PRODUCTS(.70),
      0, 0, 1 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_I8, TILES, 0, 0 }, NONE, NONE, LCTX_F16, .60, 0 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_I4, TILES, 0, 0 }, NONE, NONE, LCTX_F16, 1, 0 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_BF16, TILES, 0, 0 }, NONE, NONE, LCTX_F16, 1, 0 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, NONE, NONE, 0, 0, 0 },
    { { "square", 4 * K, 4 * K, 128, 32, 8, LCTX_F16, TILES, 0, 0 }, PRODUCTS(.75), PRODUCTS(.70),
      0, 0, 0 },
    { { "square", 4 * K, 4 * K, 128, 32, 8, LCTX_I8, TILES, 0, 0 }, NONE, NONE, LCTX_F16, .60, 0 },
    { { "square", 4 * K, 4 * K, 128, 32, 8, LCTX_I4, TILES, 0, 0 }, NONE, NONE, LCTX_F16, 1, 0 },
    { { "square", 4 * K, 4 * K, 128, 32, 8, LCTX_BF16, TILES, 0, 0 }, NONE, NONE, LCTX_F16, 1, 0 },
    /* last, for its store stays as large */
    { { "decode", 1, 128 * K, 128, 32, 32, LCTX_F16, TILES, 0, 0 }, READ(.90), NONE, 0, 0, 0 },
};

static void row_run(const options *o, const attention_row *row, aims aim)
{
    setting other = row->s;
    result r;
    other.type = row->ratio_to;
    if (!row->ratio_to) r = measure_attend(o, &row->s, aim);
    else r = measure_beside(o, &row->s, &other, type_name(other.type), row->ratio_aim);
    report_add(&r);
}

/* Memory beyond what all others need, which a small machine may not have. */
static int fits(const setting *s)
{
    const double bytes = attend_bytes(s);
    char text[128];
    if (bytes < 1e9 || 2 * bytes < (double)machine_free_bytes()) return 1;
    snprintf(text, sizeof text, "SKIPPED %s of %d K keys of %d heads: little memory is free",
             s->name, (int)(s->n_kv / K), (int)s->n_head_kv);
    report_note(text);
    return 0;
}

static void rows_run(const options *o)
{
    const int avx2 = o->best == LCTX_ISA_AVX2;
    size_t i;
    for (i = 0; i < sizeof attention_rows / sizeof *attention_rows; i++) {
        const attention_row *row = &attention_rows[i];
        if (!wanted(o, row->s.name) || (o->quick && !row->quick) || !fits(&row->s)) continue;
        row_run(o, row, avx2 ? row->aim_avx2 : row->aim);
        if (row->aim_avx2.products == 0 || (o->quick && row->quick < 2)) continue;
        if (avx2 || lctx_isa_set(LCTX_ISA_AVX2)) continue;
        row_run(o, row, row->aim_avx2);
        lctx_isa_set((lctx_isa)o->best);
    }
}

/* A few queries on what one query reads: no slower but for the multiply-adds. */
static void draft_row(const options *o, int64_t n_q)
{
    const setting one = { "decode", 1, 32 * K, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    setting s = one;
    double products;
    result r;
    s.name = "draft", s.n_q = n_q;
    r = measure_beside(o, &s, &one, "one query", 1.15);
    products = 1e3 * attend_flops(&s) / (.75 * peak_now(peak_of_products(s.type)));
    if (products / r.ms * r.ratio > r.ratio_aim) r.ratio_aim = products / r.ms * r.ratio;
    report_add(&r);
}

/* Time falls with the share of blocks that is read. */
static void list_row(const options *o, int32_t share)
{
    const setting all = { "list", 1, 128 * K, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    setting s = all;
    char name[32];
    result r;
    snprintf(name, sizeof name, "list of %d %%", (int)share);
    s.name = name, s.share = share;
    r = measure_beside(o, &s, &all, "no list", 1.1 * share / 100);
    report_add(&r);
}

/* Blocks of fewer keys, in an engine's rows: a tenth is read. */
static void block_row(const options *o, int32_t block, double aim)
{
    const setting all = { "block", 1, 128 * K, 128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 };
    setting s = all;
    char name[32];
    result r;
    snprintf(name, sizeof name, "list of 10 %%, by %d", (int)block);
    s.name = name, s.share = 10, s.block = block;
    r = measure_beside(o, &s, &all, "no list", aim);
    report_add(&r);
}

/* Latent attention's decode: 128 query heads over one KV head, whose values are the first 512
   elements of its keys, which are stored once. Products are the nearer limit. */
enum { LATENT = 576, VALUE = 512, LATENT_HEADS = 128, LATENT_KEYS = 128 * K };

/* The normalised squared error of the first head and the last, against doubles. The same K rows
   x[K][LATENT] are all there is, each as often. */
static double latent_check(const float *q, const float *x, const float *out)
{
    double ref[VALUE], wrong = 0, all = 0;
    int64_t h, j, d;
    for (h = 0; h < LATENT_HEADS; h += LATENT_HEADS - 1) {
        double sum = 0;
        memset(ref, 0, sizeof ref);
        for (j = 0; j < K; j++) {
            double s = 0;
            for (d = 0; d < LATENT; d++) s += (double)q[h * LATENT + d] * (double)x[j * LATENT + d];
            s = exp(s / sqrt((double)LATENT)), sum += s;
            for (d = 0; d < VALUE; d++) ref[d] += s * (double)x[j * LATENT + d];
        }
        for (d = 0; d < VALUE; d++) {
            const double want = ref[d] / sum, e = (double)out[h * VALUE + d] - want;
            wrong += e * e, all += want * want;
        }
    }
    if (!(wrong <= 1e-10 * all)) machine_fail("latent attention is wrong: %.2g", wrong / all);
    return wrong / all;
}

static void latent_row(const options *o)
{
    const size_t bytes = (size_t)LATENT_KEYS * LATENT * 2, some = (size_t)K * LATENT;
    const size_t q_bytes = (size_t)LATENT_HEADS * LATENT * sizeof(float);
    shape what = { "latent", 1, LATENT_KEYS, LATENT, LATENT_HEADS, 1, "f16", "rows" };
    attend w = { 0 };
    job work = { attend_call, &w, 0 };
    float *x = machine_alloc(some * sizeof *x);
    void *rows = store_memory(bytes), *pattern = machine_alloc(some * 2);
    result r;
    machine_random(x, (int64_t)some, 1, 1);
    must(lctx_from_f32(LCTX_F16, (int64_t)some, x, pattern, NULL), "lctx_from_f32");
    fill_with(rows, bytes, pattern, some * 2);
    w.par = machine_parallel();
    w.q = machine_alloc(q_bytes), w.out = machine_alloc(q_bytes);
    machine_random(w.q, LATENT_HEADS * LATENT, 1, 2);
    must(lctx_to_f32(LCTX_F16, (int64_t)some, pattern, NULL, x), "lctx_to_f32");
    w.span.k = w.span.v = rows, w.span.k_type = w.span.v_type = LCTX_F16, w.span.n = LATENT_KEYS;
    w.span.k_token = w.span.v_token = LATENT * 2;
    w.a.n_q = 1, w.a.n_head = LATENT_HEADS, w.a.n_head_kv = 1, w.a.d_k = LATENT, w.a.d_v = VALUE;
    w.a.q = w.q, w.a.q_pos0 = LATENT_KEYS - 1, w.a.out = w.out;
    w.a.spans = &w.span, w.a.n_spans = 1, w.a.par = &w.par;
    attend_scratch(&w);
    work.amount = 2.0 * (LATENT + VALUE) * LATENT_HEADS * LATENT_KEYS;
    r = measure(o, &what, peak_of_products(LCTX_F16), &work);
    r.aim = .75, r.error = latent_check(w.q, x, w.out), r.checked = 1;
    report_add(&r);
    machine_free(w.q, q_bytes), machine_free(w.out, q_bytes);
    machine_free(w.scratch, w.scratch_bytes);
    machine_free(x, some * sizeof *x), machine_free(pattern, some * 2);
}

void attention_section(const options *o)
{
    static const int32_t shares[] = { 100, 50, 25, 10, 5 };
    int64_t n;
    report_heading("ATTENTION (GB/s of keys and values read; flops: 4 head_dim a visible pair)");
    rows_run(o);
    for (n = 2; wanted(o, "draft") && n <= 16; n *= 2)
        if (!o->quick || n == 4) draft_row(o, n);
    if (wanted(o, "latent")) latent_row(o);
    for (n = 0; wanted(o, "list") && n < 5; n++)
        if (!o->quick || shares[n] == 10) list_row(o, shares[n]);
    for (n = 1; wanted(o, "list") && n <= 64; n *= 4)
        if (!o->quick || n == 1) block_row(o, (int32_t)n, n < 4 ? .5 : n < 16 ? .4 : .3);
}
