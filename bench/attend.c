#include "attend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *type_name(int32_t type) { return lctx_type_name((lctx_type)type); }

const char *isa_name(void) { return lctx_isa_name(lctx_isa_get()); }

/* Dot products of bf16 are used where they are faster than multiply-adds. */
peak peak_of_products(int32_t type)
{
    const char *isa = isa_name();
    if (!strncmp(isa, "neon", 4)) return PEAK_FMA_NEON;
    if (!strcmp(isa, "avx2")) return PEAK_FMA_AVX2;
    if (strncmp(isa, "avx512", 6)) return PEAK_FMA_BASE;
    if (strcmp(isa, "avx512dot")) return PEAK_FMA_AVX512;
    if (type == LCTX_I8 || type == LCTX_I4) return PEAK_INT8;
    if (type == LCTX_BF16 && peak_known(PEAK_BF16) > peak_known(PEAK_FMA_AVX512)) return PEAK_BF16;
    return PEAK_FMA_AVX512;
}

/* ---- the stores */
struct store {
    char   *mem;               /* null: not needed yet */
    size_t  bytes;
    setting filled;            /* with keys and values of this kind; head_dim 0: something else */
};

enum { STORES = 2 };
static struct {
    store  of[STORES];
    size_t least;              /* bytes of each */
    int    last;               /* the one used last */
} stores;

void store_start(size_t least)
{
    memset(&stores, 0, sizeof stores);
    stores.least = least;
}

void store_stop(void)
{
    int i;
    for (i = 0; i < STORES; i++) machine_free(stores.of[i].mem, stores.of[i].bytes);
}

static store *store_use(int i, size_t bytes)
{
    store *st = &stores.of[i];
    stores.last = i;
    if (st->bytes >= bytes && st->mem) return st;
    machine_free(st->mem, st->bytes);
    st->bytes = bytes > stores.least ? bytes : stores.least;
    st->mem = machine_alloc(st->bytes), st->filled.head_dim = 0;
    return st;
}

void *store_memory(size_t bytes)
{
    store *st = store_use(stores.last, bytes);
    st->filled.head_dim = 0;
    return st->mem;
}

typedef struct filling { char *mem; const char *pattern; size_t bytes, pattern_bytes; } filling;

static void fill_piece(void *arg, int64_t i, int32_t thread)
{
    const filling *f = arg;
    const size_t at = (size_t)i * f->pattern_bytes, left = f->bytes - at;
    (void)thread;
    memcpy(f->mem + at, f->pattern, left < f->pattern_bytes ? left : f->pattern_bytes);
}

void fill_with(void *mem, size_t bytes, const void *pattern, size_t pattern_bytes)
{
    filling f = { mem, pattern, bytes, pattern_bytes };
    machine_run((int64_t)((bytes + pattern_bytes - 1) / pattern_bytes), fill_piece, &f);
}

/* Bytes of one token's key and value of one head, with what belongs to them. */
static size_t token_bytes(const setting *s)
{
    lctx_tiles one = { 0 };
    size_t bytes = 2 * LCTX_TILE * (size_t)s->head_dim * lctx_type_size((lctx_type)s->type);
    one.n_head_kv = 1, one.d_k = s->head_dim, one.k_type = one.v_type = s->type;
    one.cap = LCTX_TILE;
    if (s->layout == TILES) must(lctx_tiles_size(&one, &bytes), "lctx_tiles_size");
    return bytes / LCTX_TILE;
}
static int64_t store_tokens(const store *st, const setting *s)
{
    return (int64_t)(st->bytes / token_bytes(s)) / s->n_head_kv / LCTX_TILE * LCTX_TILE;
}
static size_t bytes_needed(const setting *s)
{
    const int64_t n = (s->n_kv + LCTX_TILE - 1) / LCTX_TILE * LCTX_TILE;
    return (size_t)(n * s->n_head_kv) * token_bytes(s);
}
static lctx_tiles store_tiles(const store *st, const setting *s)
{
    lctx_tiles t = { 0 };
    t.n_head_kv = s->n_head_kv, t.d_k = s->head_dim, t.k_type = t.v_type = s->type;
    t.cap = store_tokens(st, s), t.mem = st->mem;
    return t;
}

/* 32 tiles of one head, or so many rows, are made from random numbers; the store repeats them. */
enum { PATTERN = 32 * LCTX_TILE };

static void fill_tiles(const store *st, const setting *s, const float *k, const float *v)
{
    lctx_tiles t = store_tiles(st, s);
    const size_t bytes = PATTERN * token_bytes(s);
    lctx_rows rows = { 0 };
    void *pattern = machine_alloc(bytes);
    t.n_head_kv = 1, t.cap = PATTERN, t.mem = pattern;
    rows.n = PATTERN, rows.k = k, rows.v = v;
    must(lctx_tiles_write(&t, 0, &rows), "lctx_tiles_write");
    fill_with(st->mem, st->bytes, pattern, bytes);
    machine_free(pattern, bytes);
}

static void fill_rows(const store *st, const setting *s, const float *x)
{
    const int64_t n = (int64_t)PATTERN * s->head_dim;
    const size_t bytes = (size_t)n * lctx_type_size((lctx_type)s->type);
    void *pattern = machine_alloc(bytes);
    must(lctx_from_f32((lctx_type)s->type, n, x, pattern, NULL), "lctx_from_f32");
    fill_with(st->mem, st->bytes, pattern, bytes);
    machine_free(pattern, bytes);
}

static void store_fill(store *st, const setting *s)
{
    const int64_t n = (int64_t)PATTERN * s->head_dim;
    float *x = machine_alloc(2 * (size_t)n * sizeof *x);
    machine_random(x, 2 * n, 1, 1);
    if (s->layout == TILES) fill_tiles(st, s, x, x + n);
    else fill_rows(st, s, x);
    machine_free(x, 2 * (size_t)n * sizeof *x);
    st->filled = *s;
}

/* The store of that kind; else the one used longest ago is filled anew. */
static const store *store_of(const setting *s)
{
    store *st;
    int i;
    for (i = 0; i < STORES; i++) {
        const setting *f = &stores.of[i].filled;
        if (f->head_dim == s->head_dim && f->type == s->type &&
            (f->layout == TILES) == (s->layout == TILES)) break;
    }
    st = store_use(i < STORES ? i : (stores.last + 1) % STORES, bytes_needed(s));
    if (!st->filled.head_dim || i == STORES) store_fill(st, s);
    return st;
}

/* Slice `at` of a store as a span. Rows: all keys in the first half, all values in the second. */
static lctx_span store_span(const store *st, const setting *s, int64_t at)
{
    const int64_t cap = store_tokens(st, s), row = s->n_head_kv * s->head_dim;
    const size_t e = lctx_type_size((lctx_type)s->type);
    lctx_span span = { 0 };
    lctx_tiles t = store_tiles(st, s);
    if (s->layout == TILES) {
        must(lctx_tiles_span(&t, at * s->n_kv, s->n_kv, 0, &span), "lctx_tiles_span");
        return span;
    }
    span.k = st->mem + (size_t)(at * s->n_kv * row) * e;
    span.v = (const char *)span.k + (size_t)(cap * row) * e;
    span.k_type = span.v_type = s->type, span.layout = LCTX_ROWS, span.n = s->n_kv;
    span.k_token = span.v_token = (s->layout == HEAD_MAJOR ? s->head_dim : row) * (int64_t)e;
    span.k_head = span.v_head = (s->layout == HEAD_MAJOR ? s->n_kv : 1) * s->head_dim * (int64_t)e;
    return span;
}

/* ---- a setting */
static size_t query_bytes(const setting *s)
{
    return (size_t)s->n_q * (size_t)s->n_head * (size_t)s->head_dim * sizeof(float);
}

void attend_scratch(attend *w)
{
    machine_free(w->scratch, w->scratch_bytes);
    must(lctx_attend_size(&w->a, &w->scratch_bytes), "lctx_attend_size");
    w->scratch = machine_alloc(w->scratch_bytes);
}

/* For each KV head so many blocks, drawn without repetition, the last always. */
static void attend_list(attend *w)
{
    const setting *s = &w->s;
    const int32_t keys = s->block ? s->block : LCTX_TILE;
    const int64_t blocks = s->n_kv / keys, len = blocks * s->share / 100;
    uint64_t random = 1;
    int64_t g, b, left;
    int32_t *list = w->list = machine_alloc((size_t)(s->n_head_kv * len) * sizeof *w->list);
    for (g = 0; g < s->n_head_kv; g++)
        for (b = blocks - 1, left = len; b >= 0; b--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            if (b < blocks - 1 && (int64_t)((random >> 33) % (uint64_t)(b + 1)) >= left) continue;
            *list++ = (int32_t)b, left--;
        }
    w->a.list = w->list, w->a.list_len = len, w->a.list_heads = s->n_head_kv;
    w->a.list_keys = keys;
}

void attend_open(attend *w, const setting *s)
{
    lctx_attn *a = &w->a;
    memset(w, 0, sizeof *w);
    w->s = *s;
    w->store = store_of(s);
    w->slices = store_tokens(w->store, s) / s->n_kv;
    if (s->n_kv % LCTX_TILE && s->layout == TILES) w->slices = 1;
    w->span = store_span(w->store, s, 0);
    w->par = machine_parallel();
    w->q = machine_alloc(query_bytes(s)), w->out = machine_alloc(query_bytes(s));
    machine_random(w->q, (int64_t)(query_bytes(s) / sizeof *w->q), 1, 2);
    a->n_q = s->n_q, a->n_head = s->n_head, a->n_head_kv = s->n_head_kv, a->d_k = s->head_dim;
    a->q = w->q, a->q_pos0 = s->n_kv - s->n_q, a->out = w->out;
    a->spans = &w->span, a->n_spans = 1, a->par = &w->par;
    if (s->share) attend_list(w);
    attend_scratch(w);
}

void attend_close(attend *w)
{
    if (w->list)
        machine_free(w->list, (size_t)(w->s.n_head_kv * w->a.list_len) * sizeof *w->list);
    machine_free(w->q, query_bytes(&w->s));
    machine_free(w->out, query_bytes(&w->s));
    machine_free(w->scratch, w->scratch_bytes);
}

lctx_span attend_span(const attend *w, int64_t turn)
{
    return store_span(w->store, &w->s, turn % w->slices);
}

void attend_call(void *attend_)
{
    attend *w = attend_;
    must(lctx_attend(&w->a, w->scratch, w->scratch_bytes), "lctx_attend");
}
void attend_run(void *attend_)
{
    attend *w = attend_;
    w->span = attend_span(w, w->turn++);
    attend_call(w);
}

double attend_bytes(const setting *s)
{
    const double all = (double)s->n_kv * s->n_head_kv * (double)token_bytes(s);
    return s->share ? all * s->share / 100 : all;
}

double attend_flops(const setting *s)
{
    const double n_q = (double)s->n_q, before = (double)(s->n_kv - s->n_q);
    const double all = 4.0 * s->head_dim * s->n_head * n_q * (before + (n_q + 1) / 2);
    return s->share ? all * s->share / 100 : all;
}

shape attend_shape(const setting *s)
{
    static const char *const layouts[] = { "tiles", "token-major", "head-major" };
    shape what = { 0 };
    what.name = s->name, what.n_q = s->n_q, what.n_kv = s->n_kv;
    what.head_dim = s->head_dim, what.n_head = s->n_head, what.n_head_kv = s->n_head_kv;
    what.type = type_name(s->type), what.layout = layouts[s->layout];
    return what;
}

/* ---- the reference: one row in double, over keys and values as they are stored */
enum { CHUNK = 512 };

static void read_chunk(const attend *w, int64_t g, int64_t at, int64_t n, float *k, float *v)
{
    const setting *s = &w->s;
    const int64_t d = s->head_dim;
    lctx_span span = attend_span(w, 0);
    int64_t i;
    if (s->layout == TILES) {                  /* a store of one head, where head g begins */
        lctx_tiles t = store_tiles(w->store, s);
        t.mem = (char *)t.mem + g * span.k_head;
        t.n_head_kv = 1;
        must(lctx_tiles_read(&t, at, n, k, v), "lctx_tiles_read");
        return;
    }
    for (i = 0; i < n; i++) {
        const int64_t row = (at + i) * span.k_token + g * span.k_head;
        must(lctx_to_f32((lctx_type)s->type, d, (const char *)span.k + row, NULL, k + i * d), "k");
        must(lctx_to_f32((lctx_type)s->type, d, (const char *)span.v + row, NULL, v + i * d), "v");
    }
}

/* Adds n keys and values to a running softmax {max, sum, acc}. */
static void reference_chunk(int64_t n, int64_t d, const float *q, const float *k, const float *v,
                            double *max, double *sum, double *acc)
{
    int64_t i, c;
    for (i = 0; i < n; i++) {
        double score = 0, p, shrink;
        for (c = 0; c < d; c++) score += (double)q[c] * (double)k[i * d + c];
        score /= sqrt((double)d);
        shrink = score > *max ? exp(*max - score) : 1;
        *max = score > *max ? score : *max;
        p = exp(score - *max);
        *sum = *sum * shrink + p;
        for (c = 0; c < d; c++) acc[c] = acc[c] * shrink + p * (double)v[i * d + c];
    }
}

static int listed(const attend *w, int64_t g, int64_t block)
{
    const int32_t *list = w->list + g * w->a.list_len;      /* falling */
    int64_t low = 0, high = w->a.list_len;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (list[middle] > block) low = middle + 1;
        else high = middle;
    }
    return low < w->a.list_len && list[low] == block;
}

static void reference(const attend *w, int64_t t, int64_t h, double *out)
{
    const setting *s = &w->s;
    const int64_t d = s->head_dim, seen = s->n_kv - s->n_q + t + 1;
    const size_t bytes = CHUNK * (size_t)d * sizeof(float);
    float *k = machine_alloc(2 * bytes), *v = k + CHUNK * d;
    const int64_t most = w->list ? w->a.list_keys : CHUNK;
    double max = -HUGE_VAL, sum = 0;
    int64_t at, c, n;
    for (c = 0; c < d; c++) out[c] = 0;
    for (at = 0; at < seen; at += n) {
        n = seen - at < most ? seen - at : most;
        if (w->list && !listed(w, h / (s->n_head / s->n_head_kv), at / most)) continue;
        read_chunk(w, h / (s->n_head / s->n_head_kv), at, n, k, v);
        reference_chunk(n, d, w->q + (t * s->n_head + h) * d, k, v, &max, &sum, out);
    }
    for (c = 0; c < d; c++) out[c] /= sum;
    machine_free(k, 2 * bytes);
}

double attend_check(attend *w)
{
    static const double most[] = { 1e-10, 1e-10, 1e-4, 1e-3, 1e-6 };
    const setting *s = &w->s;
    double ref[1024], wrong = 0, all = 0;
    int64_t i, c;
    if (s->head_dim > 1024) machine_fail("head_dim above 1024");
    w->turn = 0;
    attend_run(w);
    for (i = 0; i < 2; i++) {                  /* the first row and the last */
        const int64_t t = i ? s->n_q - 1 : 0, h = i ? s->n_head - 1 : 0;
        const float *out = w->out + (t * s->n_head + h) * s->head_dim;
        reference(w, t, h, ref);
        for (c = 0; c < s->head_dim; c++) {
            const double e = (double)out[c] - ref[c];
            wrong += e * e, all += ref[c] * ref[c];
        }
    }
    if (!(wrong <= most[s->type] * all))
        machine_fail("%s of %lld keys of %s under %s is wrong: normalised squared error %.2g",
                     s->name, (long long)s->n_kv, type_name(s->type), isa_name(), wrong / all);
    return wrong / all;
}
