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
   elements of its keys, which are stored once: as rows, in latent tiles, or in a cache. Products
   are the nearer limit. */
enum { LATENT = 576, VALUE = 512, LATENT_HEADS = 128, LATENT_KEYS = 128 * K };

typedef struct latent {
    attend w;
    int32_t type;
    float *x;                      /* [K][LATENT]: these are all there is, each as often */
    lctx_tiles tiles;              /* of them; or null */
    void *pattern;
    size_t bytes;                  /* of what is repeated */
    lctx_cache *cache;             /* or null */
} latent;

static void latent_call(void *latent_)
{
    latent *l = latent_;
    if (!l->cache) attend_call(&l->w);
    else must(lctx_cache_attend(l->cache, &l->w.a, l->w.scratch, l->w.scratch_bytes),
              "lctx_cache_attend");
}

/* The normalised squared error of the first head and the last, against doubles; x as stored. */
static double latent_check(const latent *l)
{
    static const double most[] = { 1e-10, 1e-10, 1e-4, 1e-3 };
    const float *q = l->w.q, *x = l->x;
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
            const double want = ref[d] / sum, e = (double)l->w.out[h * VALUE + d] - want;
            wrong += e * e, all += want * want;
        }
    }
    if (!(wrong <= most[l->type] * all))
        machine_fail("latent attention is wrong: %.2g", wrong / all);
    return wrong / all;
}

/* The keys, and what they are as stored: rows of f16, or latent tiles. */
static void latent_keys(latent *l, int tiles)
{
    const lctx_rows rows = { K, l->x, NULL, 0, 0, 0, 0, NULL };
    lctx_tiles t = { 1, LATENT, VALUE, 0, 0, 1, K, NULL, NULL };
    t.k_type = t.v_type = l->type;
    l->bytes = (size_t)K * LATENT * lctx_type_size((lctx_type)l->type);
    if (tiles) must(lctx_tiles_size(&t, &l->bytes), "lctx_tiles_size");
    l->pattern = t.mem = machine_alloc(l->bytes), l->tiles = t;
    machine_random(l->x, (int64_t)K * LATENT, 1, 1);
    if (tiles) {
        must(lctx_tiles_write(&t, 0, &rows), "lctx_tiles_write");
        must(lctx_tiles_read(&t, 0, K, l->x, NULL), "lctx_tiles_read");
        return;
    }
    must(lctx_from_f32(LCTX_F16, (int64_t)K * LATENT, l->x, l->pattern, NULL), "lctx_from_f32");
    must(lctx_to_f32(LCTX_F16, (int64_t)K * LATENT, l->pattern, NULL, l->x), "lctx_to_f32");
}
static void latent_span(latent *l, int tiles)
{
    const size_t bytes = LATENT_KEYS / K * l->bytes;
    lctx_tiles t = l->tiles;
    void *mem = store_memory(bytes);
    fill_with(mem, bytes, l->pattern, l->bytes);
    t.cap = LATENT_KEYS, t.mem = mem;
    l->w.a.spans = &l->w.span, l->w.a.n_spans = 1;
    if (tiles) {
        must(lctx_tiles_span(&t, 0, LATENT_KEYS, 0, &l->w.span), "lctx_tiles_span");
        return;
    }
    l->w.span.k = l->w.span.v = mem, l->w.span.n = LATENT_KEYS;
    l->w.span.k_type = l->w.span.v_type = l->type;
    l->w.span.k_token = l->w.span.v_token = LATENT * 2;
}
/* Memory as others have it, in huge pages. */
static void *cache_alloc(void *user, size_t size, size_t align)
{
    (void)user, (void)align;
    return machine_alloc(size);
}
static void cache_free(void *user, void *mem, size_t size)
{
    (void)user;
    machine_free(mem, size);
}
static void latent_cache(latent *l)
{
    const lctx_allocator alloc = { cache_alloc, cache_free, NULL };
    const lctx_rows rows = { K, l->x, NULL, 0, 0, 0, 0, NULL };
    lctx_cache_desc d = { 0 };
    int64_t i;
    d.n_head_kv = 1, d.d_k = LATENT, d.d_v = VALUE, d.latent = 1, d.k_type = d.v_type = l->type;
    d.block = 4 * K, d.alloc = &alloc;
    must(lctx_cache_create(&d, &l->cache), "lctx_cache_create");
    for (i = 0; i < LATENT_KEYS / K; i++)
        must(lctx_cache_append(l->cache, &rows), "lctx_cache_append");
}

static void latent_row(const options *o, const char *how, int32_t type)
{
    const size_t q_bytes = (size_t)LATENT_HEADS * LATENT * sizeof(float);
    const int tiles = *how != 'r', cached = *how == 'c';
    shape what = { "latent", 1, LATENT_KEYS, LATENT, LATENT_HEADS, 1, NULL, NULL };
    latent l = { 0 };
    job work = { latent_call, &l, 0 };
    lctx_attn *a = &l.w.a;
    result r;
    what.type = type_name(type), what.layout = how, l.type = type;
    l.x = machine_alloc((size_t)K * LATENT * sizeof *l.x);
    l.w.q = machine_alloc(q_bytes), l.w.out = machine_alloc(q_bytes), l.w.par = machine_parallel();
    machine_random(l.w.q, LATENT_HEADS * LATENT, 1, 2);
    a->n_q = 1, a->n_head = LATENT_HEADS, a->n_head_kv = 1, a->d_k = LATENT, a->d_v = VALUE;
    a->q = l.w.q, a->q_pos0 = LATENT_KEYS - 1, a->out = l.w.out, a->par = &l.w.par;
    latent_keys(&l, tiles);
    if (cached) latent_cache(&l);
    else latent_span(&l, tiles);
    if (!cached) attend_scratch(&l.w);
    else must(lctx_cache_attend_size(l.cache, a, &l.w.scratch_bytes), "lctx_cache_attend_size");
    if (cached) l.w.scratch = machine_alloc(l.w.scratch_bytes);
    work.amount = 2.0 * (LATENT + VALUE) * LATENT_HEADS * LATENT_KEYS;
    r = measure(o, &what, peak_of_products(type), &work);
    r.aim = peak_of_products(type) == peak_of_products(LCTX_F16) ? .75 : 0;
    r.error = latent_check(&l), r.checked = 1;
    report_add(&r);
    lctx_cache_free(l.cache);
    machine_free(l.w.q, q_bytes), machine_free(l.w.out, q_bytes);
    machine_free(l.w.scratch, l.w.scratch_bytes);
    machine_free(l.x, (size_t)K * LATENT * sizeof *l.x), machine_free(l.pattern, l.bytes);
}
static void latent_rows(const options *o)
{
    latent_row(o, "rows", LCTX_F16);
    latent_row(o, "tiles", LCTX_F16);
    if (o->quick) return;
    latent_row(o, "cache", LCTX_F16);
    latent_row(o, "tiles", LCTX_BF16);
    latent_row(o, "tiles", LCTX_I8);
}

void attention_section(const options *o)
{
    static const int32_t shares[] = { 100, 50, 25, 10, 5 };
    int64_t n;
    report_heading("ATTENTION (GB/s of keys and values read; flops: 4 head_dim a visible pair)");
    rows_run(o);
    for (n = 2; wanted(o, "draft") && n <= 16; n *= 2)
        if (!o->quick || n == 4) draft_row(o, n);
    if (wanted(o, "latent")) latent_rows(o);
    for (n = 0; wanted(o, "list") && n < 5; n++)
        if (!o->quick || shares[n] == 10) list_row(o, shares[n]);
    for (n = 1; wanted(o, "list") && n <= 64; n *= 4)
        if (!o->quick || n == 1) block_row(o, (int32_t)n, n < 4 ? .5 : n < 16 ? .4 : .3);
}
