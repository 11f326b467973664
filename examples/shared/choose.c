#include "choose.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = LCTX_TILE };

static void *hold(choice *c, int64_t n, size_t size)
{
    return c->held[c->n_held++] = run_alloc(n, size);
}

void choose_all(choice *c, const layer_rows *x)
{
    memset(c, 0, sizeof *c);
    c->spans[0].k = x->k, c->spans[0].v = x->v, c->spans[0].n = x->n;
    c->a.n_q = x->n;
    c->a.n_head = x->n_head, c->a.n_head_kv = x->n_head_kv, c->a.d_k = x->dim;
    c->a.q = x->q;
    c->a.spans = c->spans, c->a.n_spans = 1;
    c->a.par = &x->par;
}

void choose_free(choice *c)
{
    while (c->n_held) free(c->held[--c->n_held]);
}

static void attend(const lctx_attn *a)
{
    size_t bytes;
    void *scratch;
    run_check(lctx_attend_size(a, &bytes), "attention");
    scratch = run_alloc((int64_t)bytes, 1);
    run_check(lctx_attend(a, scratch, bytes), "attention");
    free(scratch);
}

void choose_attend(const choice *c, const float *q, float *out, float *lse)
{
    lctx_attn a = c->a;
    a.spans = c->spans;
    if (q) a.q = q;
    a.out = out, a.lse = lse;
    attend(&a);
}

/* A list of n rows, of blocks that are filled in; -1 is none. */
static int32_t *list_of(choice *c, int64_t queries, int32_t heads, int64_t keys, int64_t len)
{
    const int64_t n = (c->a.n_q + queries - 1) / queries * heads * len;
    int32_t *list = hold(c, n, sizeof *list);
    memset(list, 0xff, (size_t)n * sizeof *list);
    c->a.list = list, c->a.list_len = len;
    c->a.list_queries = queries, c->a.list_heads = heads, c->a.list_keys = (int32_t)keys;
    return list;
}

static const float *key(const choice *c, int64_t j, int32_t g)
{
    return (const float *)c->spans[0].k + (j * c->a.n_head_kv + g) * c->a.d_k;
}
static const float *query(const choice *c, int64_t t, int32_t h)
{
    return c->a.q + (t * c->a.n_head + h) * c->a.d_k;
}

static float dot(const float *x, const float *y, int32_t n)
{
    float sum[8] = {0};
    int32_t i, j;
    for (i = 0; i + 8 <= n; i += 8)
        for (j = 0; j < 8; j++) sum[j] += x[i + j] * y[i + j];
    for (; i < n; i++) sum[0] += x[i] * y[i];
    return (sum[0] + sum[4] + (sum[2] + sum[6])) + (sum[1] + sum[5] + (sum[3] + sum[7]));
}

/* Fills in a list for a call, in the shape that it has there. */
static void fill(const choice *c, const lctx_attn *a, lctx_choice by, int32_t *list)
{
    size_t bytes;
    void *scratch;
    if (!by.n_sink) by.n_sink = c->first != 0;
    run_check(lctx_choose_size(a, &by, &bytes), "choice");
    scratch = run_alloc((int64_t)bytes, 1);
    run_check(lctx_choose(a, &by, list, scratch, bytes), "choice");
    free(scratch);
}

/* -------------------------------------------------------------------------------- blocks */

/* The bounds are those of a cache's summaries. */
void choose_quest(choice *c, int64_t keys)
{
    const int64_t n = c->a.n_q / TILE, most = keys / TILE > 1 ? keys / TILE : 1;
    int32_t *list = list_of(c, TILE, c->a.n_head_kv, TILE, most);
    lctx_span *spans = run_alloc(n, sizeof *spans);
    lctx_choice by = {0};
    lctx_cache_desc d = {0};
    lctx_rows rows = {0};
    lctx_cache *cache;
    lctx_attn a = c->a;
    d.n_head_kv = a.n_head_kv, d.d_k = a.d_k, d.summaries = 1, d.block = TILE;
    rows.n = a.n_q, rows.k = c->spans[0].k, rows.v = c->spans[0].v;
    run_check(lctx_cache_create(&d, &cache), "cache");
    run_check(lctx_cache_append(cache, &rows), "cache");
    run_check(lctx_cache_summaries(cache, spans, n, &a.n_spans), "summaries");
    a.spans = spans;
    by.kind = LCTX_SCORE_BOUND;
    fill(c, &a, by, list);
    lctx_cache_free(cache);
    free(spans);
}

void choose_moba(choice *c, int64_t keys)
{
    const int64_t n = c->a.n_q / TILE, most = keys / TILE > 1 ? keys / TILE : 1;
    const int64_t row = (int64_t)c->a.n_head_kv * c->a.d_k;
    int32_t *list = list_of(c, 1, c->a.n_head, TILE, most);
    float *mean = run_alloc(n * row, sizeof *mean);
    lctx_span means = {0};
    lctx_choice by = {0};
    lctx_attn a = c->a;
    int64_t j, i;
    for (j = 0; j < n * TILE; j++)
        for (i = 0; i < row; i++) mean[j / TILE * row + i] += key(c, j, 0)[i] / TILE;
    means.n = n, means.k = mean;
    a.spans = &means;
    by.kind = LCTX_SCORE_PRODUCT;
    fill(c, &a, by, list);
    free(mean);
}

/* Rows of `stride` neighbours each, one after the other, or the last first: the product of two such
   is a sum along an antidiagonal. */
static float *strided(const float *x, int64_t n, int32_t heads, int32_t d, int64_t stride, int back)
{
    float *rows = run_alloc(n * heads * d, sizeof *rows);
    int64_t t;
    int32_t h;
    for (t = 0; t < n; t++)
        for (h = 0; h < heads; h++) {
            const int64_t in = back ? stride - 1 - t % stride : t % stride;
            memcpy(rows + ((t / stride * heads + h) * stride + in) * d, x + (t * heads + h) * d,
                   (size_t)d * sizeof *x);
        }
    return rows;
}

/* Attention of strided queries on strided keys, of which the mass by blocks counts. */
void choose_antidiagonal(choice *c, int64_t stride)
{
    const int64_t n = c->a.n_q / CHOOSE_KEYS, cells = CHOOSE_KEYS / stride;
    const int32_t heads = c->a.n_head, kv = c->a.n_head_kv, d = c->a.d_k;
    int32_t *list = list_of(c, CHOOSE_KEYS, kv, CHOOSE_KEYS, n), g;
    float *q = strided(c->a.q, c->a.n_q, heads, d, stride, 1);
    float *k = strided(c->spans[0].k, c->a.n_q, kv, d, stride, 0);
    float *out = run_alloc(cells * heads, sizeof *out);
    float *lse = run_alloc(cells * heads, sizeof *lse);
    float *mass = run_alloc(kv * n * cells, sizeof *mass);
    float *score = run_alloc(n * kv * n, sizeof *score);
    lctx_span keys = {0};
    lctx_choice by = {0};
    lctx_attn a = {0};
    int64_t i, j;
    keys.k = keys.v = k;
    keys.v_token = (int64_t)sizeof *k * kv * d * stride, keys.v_head = keys.v_token / kv;
    a.n_q = cells;
    a.n_head = heads, a.n_head_kv = kv, a.d_k = (int32_t)stride * d, a.d_v = 1;
    a.scale = 1 / (sqrtf((float)d) * (float)stride);
    a.spans = &keys, a.n_spans = 1, a.par = c->a.par;
    a.out = out, a.lse = lse, a.mass = mass;
    for (i = 0; i < n; i++) {
        keys.n = (i + 1) * cells;
        a.q_pos0 = i * cells, a.q = q + i * cells * a.n_head * a.d_k;
        memset(mass, 0, (size_t)(kv * keys.n) * sizeof *mass);
        attend(&a);
        for (g = 0; g < kv; g++)
            for (j = 0; j < keys.n; j++)
                score[(i * kv + g) * n + j / cells] += mass[g * keys.n + j];
    }
    c->a.spans = c->spans;
    by.block_rows = CHOOSE_KEYS, by.score = score, by.share = 0.9f;
    fill(c, &c->a, by, list);
    free(q), free(k), free(out), free(lse), free(mass), free(score);
}

/* -------------------------------------------------------------------------------- tokens */

/* Weights of the last 64 queries on the keys of a KV head: summed by column, and by distance. */
static void look_back(const choice *c, int32_t g, const float *lse, float *column, float *distance)
{
    const int64_t n = c->a.n_q, first = n - TILE;
    const int32_t heads = c->a.n_head, group = heads / c->a.n_head_kv;
    const float scale = 1 / sqrtf((float)c->a.d_k);
    int64_t t, j;
    int32_t h;
    for (t = first; t < n; t++)
        for (h = g * group; h < (g + 1) * group; h++)
            for (j = 0; j <= t; j++) {
                const float s = dot(query(c, t, h), key(c, j, g), c->a.d_k) * scale;
                const float p = expf(s - lse[(t - first) * heads + h]);
                column[j] += p;
                distance[t - j] += p;
            }
}

typedef struct gathered {
    int64_t   n;
    float    *k, *v;              /* [n][n_head_kv][dim] */
    int64_t  *pos;                /* [n_head_kv][n] */
    uint64_t *bits;               /* [n_head][...] */
} gathered;

/* The chosen columns of KV head g, in order, as keys of a second span; bits hide them in the first. */
static void gather(const choice *c, int32_t g, const int32_t *columns, const gathered *to)
{
    const int32_t kv = c->a.n_head_kv, d = c->a.d_k, group = c->a.n_head / kv;
    const int64_t row = (int64_t)kv * d, words = (c->a.n_q + to->n + 63) / 64;
    int64_t i;
    int32_t h;
    for (i = 0; i < to->n; i++) {
        memcpy(to->k + i * row + g * d, key(c, columns[i], g), (size_t)d * sizeof *to->k);
        memcpy(to->v + i * row + g * d, (const float *)c->spans[0].v + columns[i] * row + g * d,
               (size_t)d * sizeof *to->v);
        to->pos[g * to->n + i] = columns[i];
        for (h = g * group; h < (g + 1) * group; h++)
            to->bits[h * words + columns[i] / 64] &= ~((uint64_t)1 << columns[i] % 64);
    }
}

/* Blocks at the distances that are marked, and all of the second span. */
static void slashes(const choice *c, const uint8_t *marked, int32_t g, int64_t n_columns,
                    int32_t *list)
{
    const int64_t n = c->a.n_q / TILE;
    int64_t i, b, at;
    for (i = 0; i < n; i++) {
        int32_t *row = list + (i * c->a.n_head_kv + g) * c->a.list_len;
        for (at = 0; at < n_columns / TILE; at++) row[at] = (int32_t)(n + at);
        for (b = 0; b <= i; b++) if (marked[b]) row[at++] = (int32_t)(i - b);
    }
}

/* Distances are taken by their weight until the blocks that they touch are so many. */
static void mark_distances(float *distance, int64_t n, int64_t most, uint8_t *marked)
{
    int64_t have = 0, j, best = 0;
    memset(marked, 0, (size_t)(n / TILE + 1));
    while (have < most && distance[best] >= 0) {
        const int64_t b = best / TILE, more = best % TILE != 0;
        have += !marked[b] + (more && !marked[b + 1]);
        marked[b] = 1;
        if (more) marked[b + 1] = 1;
        distance[best] = -1;
        for (j = 0; j < n; j++) if (distance[j] > distance[best]) best = j;
    }
}

void choose_vertical_slash(choice *c, int64_t keys)
{
    enum { FIRST = 30, LAST = 100 };                  /* always read, as in the paper's code */
    const int64_t n = c->a.n_q, n_columns = (keys / 4 + TILE - 1) / TILE * TILE;
    const int64_t most = (keys - n_columns) / TILE > 3 ? (keys - n_columns) / TILE : 3;
    const int64_t words = (n + n_columns) / 64;
    const int32_t kv = c->a.n_head_kv, row = kv * c->a.d_k;
    int32_t *list = list_of(c, TILE, kv, TILE, n_columns / TILE + most + 1), g;
    float *out = run_alloc(TILE * c->a.n_head * c->a.d_k, sizeof *out);
    float *lse = run_alloc(TILE * c->a.n_head, sizeof *lse);
    float *column = run_alloc(kv * n, sizeof *column);
    float *distance = run_alloc(kv * n, sizeof *distance);
    int32_t *columns = run_alloc(kv * n_columns, sizeof *columns);
    uint8_t *marked = run_alloc(n / TILE + 1, 1);
    gathered to = { n_columns, NULL, NULL, NULL, NULL };
    lctx_choice by = {0};
    lctx_attn a = c->a;
    int64_t j;
    a.list = NULL, a.spans = c->spans;
    a.n_q = TILE, a.q_pos0 = n - TILE, a.q = query(c, n - TILE, 0);
    a.out = out, a.lse = lse;
    attend(&a);
    to.k = hold(c, n_columns * row, sizeof *to.k), to.v = hold(c, n_columns * row, sizeof *to.v);
    to.pos = hold(c, n_columns * kv, sizeof *to.pos);
    to.bits = hold(c, c->a.n_head * words, sizeof *to.bits);
    memset(to.bits, 0xff, (size_t)(c->a.n_head * words) * sizeof *to.bits);
    for (g = 0; g < kv; g++) look_back(c, g, lse, column + g * n, distance + g * n);
    a.n_q = 1, a.q_pos0 = n - 1;
    a.list_queries = a.list_keys = 1, a.list_len = n_columns;
    by.score = column, by.n_sink = FIRST;
    fill(c, &a, by, columns);
    for (g = 0; g < kv; g++) {
        gather(c, g, columns + g * n_columns, &to);
        for (j = 0; j < LAST; j++) distance[g * n + j] = HUGE_VALF;
        mark_distances(distance + g * n, n, most, marked);
        slashes(c, marked, g, n_columns, list);
    }
    c->spans[1].k = to.k, c->spans[1].v = to.v, c->spans[1].k_pos = to.pos;
    c->spans[1].n = n_columns, c->spans[1].index = n;
    c->a.n_spans = 2;
    c->a.mask_bits = to.bits, c->a.mask_query = -1;
    free(out), free(lse), free(column), free(distance), free(columns), free(marked);
}

void choose_indexer(choice *c, int64_t keys)
{
    int32_t *list = list_of(c, 1, 1, 1, keys);
    lctx_choice by = {0};
    c->a.spans = c->spans;
    by.kind = LCTX_SCORE_RELU;
    fill(c, &c->a, by, list);
}
