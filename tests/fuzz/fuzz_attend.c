/* fuzz_attend.c - attention and what stands around it, on descriptors of any kind over buffers that
   end where nobody may read. A descriptor is refused and nothing is touched, or it gives what the
   formulas give in double, and nothing beside the rows that are asked for. */
#include "fuzz.h"
#include "../oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 4, QUERIES = 6, KEYS = 160, SPANS = 4, DIM = 20, SCRATCH = FUZZ_SLOT };
enum { Q, Q_FAR, OUT, LSE, MASS, BIAS, LIST, BITS, WORK, SPAN0 };      /* slots; a span has 5 from SPAN0 on */

typedef struct call {
    bytes b;
    lctx_attn a;
    lctx_span spans[SPANS];
    lctx_pattern pattern;
    lctx_rope rope;
    lctx_rope_desc rope_desc;
    lctx_far_rule far;
    oracle_rope oracle_rope;
    int64_t q_pos[QUERIES], global[4], *k_pos[SPANS];
    int32_t q_group[QUERIES];
    float alibi[HEADS], sink[HEADS];
    size_t out_bytes, lse_bytes, mass_bytes;
    int low;                    /* buffers begin at the guard rather than end there */
    int spoilt;                 /* a field was set to anything: only what is refused, or asked for
                                   its size, is certain */
    int wild;
    /* what the spans hold, as values */
    float k[KEYS * HEADS * DIM], v[KEYS * HEADS * DIM];
    int64_t pos[HEADS * KEYS];
    int32_t k_group[KEYS];
    unsigned char is_far[KEYS];
    int64_t n_kv, end;          /* end: the number after the last key's */
    int64_t number[KEYS];
    unsigned char seen[HEADS * QUERIES * KEYS];     /* by lists and bits */
} call;

static int64_t stride_of(bytes *b, int64_t packed)
{
    return bytes_rarely(b, 4) ? packed + 4 * bytes_in(b, 0, 9) : packed;
}

static float number(call *c, uint64_t seed, uint64_t i)
{
    const float x = fuzz_uniform(seed, 0, i);
    if (c->wild != 1 || fuzz_hash(seed, 1, i) % 64) return x;
    return fuzz_hash(seed, 2, i) % 2 ? (float)NAN : (float)INFINITY;
}

/* Rows x[n][heads][d] of a type, in a guarded buffer with strides; back gets their values. */
static void *rows_of(call *c, int slot, int type, int64_t n, int heads, int d, int64_t *token,
                     int64_t *head, float **scale, int64_t *s_token, int64_t *s_head, float *back)
{
    const int64_t size = (int64_t)lctx_type_size((lctx_type)type);
    const int by_head = bytes_flag(&c->b);
    const uint64_t seed = bytes_take(&c->b, 1);
    char *at;
    int64_t i, hs, ts, all;
    int g, e;
    if (by_head) ts = stride_of(&c->b, d * size), hs = stride_of(&c->b, n * ts);
    else hs = stride_of(&c->b, d * size), ts = stride_of(&c->b, heads * hs);
    if (n == 0) ts = hs = d * size;
    all = n ? (n - 1) * ts + (heads - 1) * hs + d * size : 0;
    at = (char *)fuzz_guarded(slot, (size_t)all, c->low, 0x7f);
    if (scale) *scale = NULL;
    if (type == LCTX_I8) {
        *s_head = stride_of(&c->b, 4), *s_token = stride_of(&c->b, heads * *s_head);
        *scale = (float *)fuzz_guarded(slot + 1, n ? (size_t)((n - 1) * *s_token + (heads - 1) *
                                                              *s_head + 4) : 0, c->low, 0x7f);
    }
    for (i = 0; i < n; i++)
        for (g = 0; g < heads; g++) {
            float x[DIM], factor, *to = back + (i * heads + g) * d;
            for (e = 0; e < d; e++) x[e] = number(c, seed, (uint64_t)((i * heads + g) * 64 + e));
            if (type == LCTX_I8) for (e = 0; e < d; e++) x[e] = fuzz_uniform(seed, 0, (uint64_t)e);
            factor = oracle_store(type, d, x, at + i * ts + g * hs, to);
            if (type != LCTX_I8) continue;
            if (c->wild == 2) factor = -factor;
            *(float *)(void *)((char *)*scale + i * *s_token + g * *s_head) = factor;
            for (e = 0; e < d; e++) to[e] *= factor;
        }
    *token = ts, *head = hs;
    return at;
}

/* A span of tiles, written through a store of one's own. */
static void tiles_span(call *c, int slot, lctx_span *s, int64_t n)
{
    const int hk = c->a.n_head_kv, d_k = c->a.d_k, d_v = c->a.d_v ? c->a.d_v : d_k;
    static float k[(KEYS + 64) * HEADS * DIM], v[(KEYS + 64) * HEADS * DIM];
    const int64_t first = bytes_in(&c->b, 0, 63), all = first + n;
    const uint64_t seed = bytes_take(&c->b, 1);
    lctx_tiles t;
    lctx_rows rows;
    size_t need = 0;
    int64_t i;
    memset(&t, 0, sizeof t);
    memset(&rows, 0, sizeof rows);
    t.n_head_kv = hk, t.d_k = d_k, t.d_v = c->a.d_v, t.k_type = s->k_type, t.v_type = s->v_type;
    t.cap = (all + 64) / 64 * 64;
    FUZZ_CHECK(lctx_tiles_size(&t, &need) == LCTX_OK && need <= FUZZ_SLOT, "%zu of tiles", need);
    t.mem = fuzz_guarded(slot, need, c->low || need % 64, 0);
    for (i = 0; i < all * hk * d_k; i++) k[i] = number(c, seed, (uint64_t)i);
    for (i = 0; i < all * hk * d_v; i++) v[i] = number(c, seed + 300, (uint64_t)i);
    rows.n = all, rows.k = k, rows.v = v;
    FUZZ_CHECK(lctx_tiles_write(&t, 0, &rows) == LCTX_OK, "tiles written");
    FUZZ_CHECK(lctx_tiles_span(&t, first, n, s->pos, s) == LCTX_OK, "tiles' span");
    FUZZ_CHECK(lctx_tiles_read(&t, first, n, c->k + c->n_kv * hk * d_k, c->v + c->n_kv * hk * d_v)
               == LCTX_OK, "tiles read");
}

static void add_span(call *c, int at, int64_t *next)
{
    const int hk = c->a.n_head_kv, d_k = c->a.d_k, d_v = c->a.d_v ? c->a.d_v : d_k;
    const int slot = SPAN0 + 4 * at, tiles = bytes_rarely(&c->b, 2);
    const int64_t n = bytes_in(&c->b, 0, KEYS / SPANS), listed = bytes_rarely(&c->b, 4);
    lctx_span *s = &c->spans[at];
    float *scale;
    int64_t i, pos, g;
    s->k_type = (int32_t)bytes_in(&c->b, 0, tiles ? LCTX_I4 : LCTX_I8);
    s->v_type = (int32_t)bytes_in(&c->b, 0, tiles ? LCTX_I4 : LCTX_I8);
    pos = s->pos = *next + (bytes_rarely(&c->b, 4) ? bytes_in(&c->b, 0, 255) : 0);
    if (bytes_rarely(&c->b, 8)) pos = s->pos = bytes_in(&c->b, 0, 255);
    *next = s->pos + n;
    s->n = n;
    if (tiles) tiles_span(c, slot, s, n);
    else {
        s->k = rows_of(c, slot, s->k_type, n, hk, d_k, &s->k_token, &s->k_head, &scale,
                       &s->k_scale_token, &s->k_scale_head, c->k + c->n_kv * hk * d_k);
        s->k_scale = scale;
        s->v = rows_of(c, slot + 2, s->v_type, n, hk, d_v, &s->v_token, &s->v_head, &scale,
                       &s->v_scale_token, &s->v_scale_head, c->v + c->n_kv * hk * d_v);
        s->v_scale = scale;
    }
    s->query = c->a.q_far && bytes_flag(&c->b), s->group = (int32_t)bytes_rarely(&c->b, 8);
    if (bytes_rarely(&c->b, 8)) s->index = at ? 0 : bytes_in(&c->b, 0, 5000);
    if (listed && !c->a.rope) {
        const int same = bytes_flag(&c->b);
        c->k_pos[at] = (int64_t *)calloc((size_t)(n * hk) + 1, 8);
        for (g = 0; g < (same ? 1 : hk); g++)
            for (i = 0, pos = s->pos; i < n; i++)
                pos += (int64_t)(fuzz_hash(9, (uint64_t)g, (uint64_t)i) % 3),
                c->k_pos[at][g * n + i] = pos;
        s->k_pos = c->k_pos[at], s->k_pos_head = same ? -1 : 0;
    }
    for (g = 0; g < hk; g++)
        for (i = 0; i < n; i++)
            c->pos[g * KEYS + c->n_kv + i] = !s->k_pos ? s->pos + i :
                                             s->k_pos[(s->k_pos_head ? 0 : g * n) + i];
    for (i = 0; i < n; i++)
        c->is_far[c->n_kv + i] = (unsigned char)s->query, c->k_group[c->n_kv + i] = s->group;
    if (s->index) c->end = s->index;
    for (i = 0; i < n; i++) c->number[c->n_kv + i] = c->end + i;
    c->end += n, c->n_kv += n;
}

static void add_rope(call *c)
{
    lctx_rope_desc *d = &c->rope_desc;
    oracle_rope_desc o;
    memset(&o, 0, sizeof o);
    d->n_rot = 2 * (int32_t)bytes_in(&c->b, 1, DIM / 2), d->pairing = bytes_flag(&c->b);
    if (d->n_rot > c->a.d_k) return;
    if (bytes_rarely(&c->b, 4)) d->n_hat = bytes_in(&c->b, 1, 100);
    if (bytes_rarely(&c->b, 4)) d->xpos_base = 512;
    o.n_rot = d->n_rot, o.theta = 10000, o.factor = 1, o.n_hat = d->n_hat, o.truncate = 1;
    o.xpos_base = d->xpos_base;
    if (lctx_rope_init(&c->rope, d) != LCTX_OK) return;
    oracle_rope_schedule(&o, &c->oracle_rope);
    c->a.rope = &c->rope;
    if (bytes_flag(&c->b)) c->a.far_pos = bytes_in(&c->b, 0, 255);
    if (d->n_hat || d->xpos_base != 0 || !bytes_flag(&c->b)) return;
    c->far.kind = (int32_t)bytes_in(&c->b, 0, LCTX_FAR_COUNT - 1);
    c->far.window = bytes_in(&c->b, 1, 200), c->far.group = (int32_t)bytes_in(&c->b, 1, 9);
    c->far.leak = 1 + (double)bytes_in(&c->b, 0, 9);
    c->a.far_rule = &c->far;
}

static void add_pattern(call *c)
{
    lctx_pattern *p = &c->pattern;
    int i;
    p->kind = (int32_t)bytes_in(&c->b, 0, LCTX_PATTERN_COUNT - 1);
    p->length = bytes_in(&c->b, 1, 100), p->dilation = (int32_t)bytes_in(&c->b, 1, 100);
    p->local = bytes_in(&c->b, 0, 100), p->summary = bytes_in(&c->b, 0, 10);
    p->back = bytes_in(&c->b, 0, 3), p->n_global = bytes_in(&c->b, 0, 4);
    p->global0 = bytes_in(&c->b, 0, 100);
    for (i = 0; i < 4; i++) c->global[i] = (i ? c->global[i - 1] + 1 : 0) + bytes_in(&c->b, 0, 99);
    if (bytes_flag(&c->b)) p->global = c->global;
    c->a.pattern = p;
}

/* Queries, outputs and options. */
static void describe(call *c)
{
    lctx_attn *a = &c->a;
    const uint64_t seed = 400 + bytes_take(&c->b, 1);
    const int options = (int)bytes_take(&c->b, 2);
    int d_v, i;
    int64_t t, h, q_bytes;
    a->n_head_kv = (int32_t)bytes_in(&c->b, 1, 2);
    a->n_head = a->n_head_kv * (int32_t)bytes_in(&c->b, 1, 2);
    a->d_k = (int32_t)bytes_in(&c->b, 1, DIM), a->d_v = (int32_t)bytes_in(&c->b, 0, DIM);
    d_v = a->d_v ? a->d_v : a->d_k;
    a->n_q = bytes_in(&c->b, 0, QUERIES), a->precise = 1;
    a->q_pos0 = bytes_in(&c->b, 0, 255);
    a->q_head = stride_of(&c->b, a->d_k * 4), a->q_token = stride_of(&c->b, a->n_head * a->q_head);
    a->out_head = stride_of(&c->b, d_v * 4);
    a->out_token = stride_of(&c->b, a->n_head * a->out_head);
    a->lse_token = stride_of(&c->b, a->n_head * 4);
    q_bytes = a->n_q ? (a->n_q - 1) * a->q_token + (a->n_head - 1) * a->q_head + a->d_k * 4 : 0;
    c->out_bytes = a->n_q ? (size_t)((a->n_q - 1) * a->out_token +
                                     (a->n_head - 1) * a->out_head + d_v * 4) : 0;
    c->lse_bytes = a->n_q ? (size_t)((a->n_q - 1) * a->lse_token + a->n_head * 4) : 0;
    a->q = (float *)fuzz_guarded(Q, (size_t)q_bytes, c->low, 0x7f);
    a->out = (float *)fuzz_guarded(OUT, c->out_bytes, c->low, 0x3c);
    a->lse = (float *)fuzz_guarded(LSE, c->lse_bytes, c->low, 0x3c);
    if (options & 1) a->q_far = (float *)fuzz_guarded(Q_FAR, (size_t)q_bytes, c->low, 0x7f);
    for (t = 0; t < a->n_q; t++)
        for (h = 0; h < a->n_head; h++)
            for (i = 0; i < a->d_k; i++) {
                const int64_t at = (t * a->q_token + h * a->q_head) / 4 + i;
                ((float *)(uintptr_t)a->q)[at] = fuzz_uniform(seed, 1, (uint64_t)at);
                if (a->q_far)
                    ((float *)(uintptr_t)a->q_far)[at] = fuzz_uniform(seed, 2, (uint64_t)at);
            }
    for (i = 0; i < HEADS; i++)
        c->alibi[i] = 0.02f * (float)i, c->sink[i] = fuzz_uniform(seed, 3, (uint64_t)i);
    for (i = 0; i < QUERIES; i++)
        c->q_pos[i] = options & 2 ? bytes_in(&c->b, 0, 255) : 0, c->q_group[i] = i % 2;
    if (options & 2) a->q_pos = c->q_pos;
    if (options & 4) a->softcap = 1.5f;
    if (options & 8) a->scale = 0.7f;
    if (options & 16) a->alibi = c->alibi;
    if (options & 32) a->sink_logit = c->sink;
    if (options & 64) a->mask = LCTX_MASK_NONE, a->window_right = bytes_in(&c->b, 0, 90) - 1;
    if (options & 128) a->window = bytes_in(&c->b, 1, 200);
    if (options & 256) a->n_sink = (int32_t)bytes_in(&c->b, 0, 100);
    if (options & 512) a->q_group = c->q_group;
    if ((options & 3072) == 3072) add_rope(c);
    if ((options & 12288) == 12288) add_pattern(c);
    c->wild = (int)(bytes_take(&c->b, 1) % 8);
}

/* Lists of blocks that are there or not, now and then one that may not be named. */
static void add_lists(call *c)
{
    lctx_attn *a = &c->a;
    const int heads = (int)bytes_in(&c->b, 0, 2), each = heads ? heads == 1 ? a->n_head_kv : a->n_head : 1;
    const int64_t keys = bytes_in(&c->b, 1, 130), every = bytes_in(&c->b, 0, QUERIES);
    const int64_t len = bytes_in(&c->b, 0, 9), blocks = c->end ? (c->end - 1) / keys + 1 : 0;
    const int64_t first = bytes_in(&c->b, 0, 5);
    const int64_t rows = a->n_q ? every ? (first + a->n_q - 1) / every + 1 : 1 : 0;
    int64_t i, t, h, j;
    int32_t *list = (int32_t *)fuzz_guarded(LIST, (size_t)(rows * each * len) * 4, c->low, 0);
    a->list = list, a->list_len = len, a->list_heads = heads ? each : 0;
    a->list_keys = (int32_t)keys, a->list_queries = every, a->list_first = first;
    for (i = 0; i < rows * each * len; i++)
        list[i] = (int32_t)(fuzz_hash(79, (uint64_t)i, 0) % (uint64_t)(blocks + 1)) - 1;
    for (h = 0; h < a->n_head; h++)
        for (t = 0; t < a->n_q; t++)
            for (j = 0; j < c->n_kv; j++) {
                const int64_t row = every ? (first + t) / every : 0;
                const int32_t *x = list + (row * each + h * each / a->n_head) * len;
                int any = 0;
                for (i = 0; i < len; i++) any |= x[i] == c->number[j] / keys;
                c->seen[(h * a->n_q + t) * c->n_kv + j] &= (unsigned char)any;
            }
}
static void add_bits(call *c)
{
    lctx_attn *a = &c->a;
    const int one_head = bytes_flag(&c->b), one_query = bytes_flag(&c->b);
    const int64_t words = (c->n_kv + 63) / 64, n_q = one_query ? 1 : a->n_q;
    const int64_t n = a->n_q ? words * n_q * (one_head ? 1 : a->n_head) : 0;
    uint64_t *bits = (uint64_t *)fuzz_guarded(BITS, (size_t)n * 8, c->low, 0);
    int64_t i, t, h, j;
    a->mask_bits = bits;
    a->mask_head = one_head ? -1 : 0, a->mask_query = one_query ? -1 : 0;
    for (i = 0; i < n; i++) bits[i] = fuzz_hash(80, (uint64_t)i, 0) | fuzz_hash(80, (uint64_t)i, 1);
    for (h = 0; h < a->n_head; h++)
        for (t = 0; t < a->n_q; t++)
            for (j = 0; j < c->n_kv; j++) {
                const int64_t row = (one_head ? 0 : h) * n_q + (one_query ? 0 : t);
                c->seen[(h * a->n_q + t) * c->n_kv + j] &= (unsigned char)
                    (bits[row * words + j / 64] >> j % 64 & 1);
            }
}

/* Bias, mass, lists and bits, once the keys are counted. */
static void add_tables(call *c)
{
    lctx_attn *a = &c->a;
    const int options = (int)bytes_take(&c->b, 1);
    int64_t i, n;
    if (options & 1) {
        a->mass_head = stride_of(&c->b, c->n_kv * 4);
        c->mass_bytes = c->n_kv ? (size_t)((a->n_head_kv - 1) * a->mass_head + c->n_kv * 4) : 0;
        a->mass = (float *)fuzz_guarded(MASS, c->mass_bytes, c->low, 0);
        a->mass_queries = bytes_in(&c->b, 0, a->n_q);
    }
    if (options & 16) add_lists(c);
    if (options & 32) add_bits(c);
    if (!(options & 2)) return;
    a->bias_query = options & 4 ? -1 : stride_of(&c->b, c->n_kv * 4);
    a->bias_head = options & 8 ? -1 : stride_of(&c->b, (options & 4 || !a->n_q ? 1 : a->n_q) *
                                                (options & 4 ? c->n_kv * 4 : a->bias_query));
    n = c->n_kv && a->n_q ? ((options & 4 ? 0 : (a->n_q - 1) * a->bias_query) +
                             (options & 8 ? 0 : (a->n_head - 1) * a->bias_head)) / 4 + c->n_kv : 0;
    a->bias = (float *)fuzz_guarded(BIAS, (size_t)n * 4, c->low, 0x7f);
    for (i = 0; i < n; i++) {
        const uint64_t h = fuzz_hash(77, 0, (uint64_t)i);
        ((float *)(uintptr_t)a->bias)[i] = h % 16 ? fuzz_uniform(78, 0, (uint64_t)i)
                                                  : -(float)INFINITY;
    }
}

/* ---- right results */

/* Does this row see a NaN or an infinity? */
static int sees_wild(const oracle_attn *o, int64_t t, int h)
{
    const int g = h / (o->n_head / o->n_head_kv);
    int64_t j;
    int e;
    for (j = 0; j < o->n_kv; j++) {
        const float *k = o->k + (j * o->n_head_kv + g) * o->d_k;
        const float *v = o->v + (j * o->n_head_kv + g) * o->d_v;
        if (!oracle_sees(o, t, h, j)) continue;
        for (e = 0; e < o->d_k; e++) if (!isfinite(k[e])) return 1;
        for (e = 0; e < o->d_v; e++) if (!isfinite(v[e])) return 1;
    }
    return 0;
}

static oracle_attn oracle_of(const call *c, oracle_pattern *p, int64_t q_pos[QUERIES],
                             int64_t global[4], float *q, float *q_far)
{
    const lctx_attn *a = &c->a;
    oracle_attn o;
    int64_t t, h;
    int i;
    memset(&o, 0, sizeof o);
    o.n_head = a->n_head, o.n_head_kv = a->n_head_kv, o.d_k = a->d_k;
    o.d_v = a->d_v ? a->d_v : a->d_k, o.n_q = a->n_q, o.n_kv = c->n_kv, o.k = c->k, o.v = c->v;
    for (t = 0; t < a->n_q; t++) {
        q_pos[t] = a->q_pos ? a->q_pos[t] : a->q_pos0 + t;
        for (h = 0; h < a->n_head; h++) {
            const int64_t at = (t * a->q_token + h * a->q_head) / 4;
            const int64_t to = (t * a->n_head + h) * a->d_k;
            memcpy(q + to, a->q + at, (size_t)a->d_k * 4);
            memcpy(q_far + to, (a->q_far ? a->q_far : a->q) + at, (size_t)a->d_k * 4);
        }
    }
    o.q = q, o.q_far = q_far, o.q_pos = q_pos, o.k_pos = c->pos, o.k_pos_head = KEYS;
    o.far = c->is_far, o.q_group = a->q_group, o.k_group = c->k_group;
    o.scale = a->scale != 0 ? (double)a->scale : 1 / sqrt(a->d_k), o.softcap = (double)a->softcap;
    o.causal = a->mask == LCTX_CAUSAL, o.window = a->window;
    o.right = a->window_right < 0 ? 1 : a->window_right ? a->window_right + 1 : 0, o.seen = c->seen;
    o.n_sink = a->n_sink, o.alibi = a->alibi, o.sink_logit = a->sink_logit;
    o.bias = a->bias, o.bias_query = a->bias_query == -1 ? 0 : a->bias_query / 4;
    o.bias_head = a->bias_head == -1 ? 0 : a->bias_head / 4;
    if (a->rope) {
        o.rope = &c->oracle_rope, o.interleaved = c->rope.pairing == LCTX_ROPE_INTERLEAVED;
        o.far_pos = a->far_pos, o.k_pos_head = 0;
        if (a->far_rule) {
            o.far_kind = c->far.kind, o.far_window = c->far.window;
            o.far_group = c->far.group, o.far_leak = c->far.leak;
        }
    }
    if (!a->pattern) return o;
    memset(p, 0, sizeof *p);
    p->kind = c->pattern.kind, p->length = c->pattern.length, p->dilation = c->pattern.dilation;
    p->local = c->pattern.local ? c->pattern.local : p->length;
    p->summary = c->pattern.summary ? c->pattern.summary : 1, p->back = c->pattern.back;
    for (i = 0; i < 4; i++)
        global[i] = c->pattern.global ? c->pattern.global[i] : c->pattern.global0 + i;
    p->global = global, p->n_global = c->pattern.n_global;
    o.pattern = p;
    return o;
}

static void check_right(const call *c)
{
    static float q[QUERIES * HEADS * DIM], q_far[QUERIES * HEADS * DIM];
    static double mass[HEADS * KEYS];
    const lctx_attn *a = &c->a;
    int64_t q_pos[QUERIES], global[4], t, j;
    double out[DIM];
    oracle_pattern p;
    const oracle_attn o = oracle_of(c, &p, q_pos, global, q, q_far);
    const double tolerance = a->rope ? 1e-3 : 1e-4;
    int h, e, wild = 0;
    for (t = 0; t < a->n_q; t++)
        for (h = 0; h < a->n_head; h++) {
            const float *row = a->out + (t * a->out_token + h * a->out_head) / 4;
            const double lse = oracle_attn_row(&o, t, h, out);
            const float got = a->lse[t * a->lse_token / 4 + h];
            if (c->wild == 1 && sees_wild(&o, t, h)) { wild = 1; continue; }
            FUZZ_CHECK(isinf(lse) ? (double)got == lse : fabs((double)got - lse) < tolerance *
                       (1 + fabs(lse)), "lse of query %d, head %d: %g, not %g", (int)t, h,
                       (double)got, lse);
            for (e = 0; e < o.d_v; e++)
                FUZZ_CHECK(fabs((double)row[e] - out[e]) < tolerance * (1 + fabs(out[e])),
                           "out of query %d, head %d: %g, not %g", (int)t, h, (double)row[e],
                           out[e]);
        }
    if (!a->mass || wild || c->wild == 1) return;
    oracle_attn_mass(&o, a->mass_queries ? a->n_q - a->mass_queries : 0, mass);
    for (h = 0; h < a->n_head_kv; h++)
        for (j = 0; j < c->n_kv; j++)
            FUZZ_CHECK(fabs((double)a->mass[h * a->mass_head / 4 + j] - mass[h * c->n_kv + j]) <
                       1e-3 * (1 + mass[h * c->n_kv + j]), "mass of key %d, head %d: %g, not %g",
                       (int)j, h, (double)a->mass[h * a->mass_head / 4 + j],
                       mass[h * c->n_kv + j]);
}

/* Nothing beside the rows has been written: between them stands what stood there. */
static void check_gaps(const call *c, int touched)
{
    const lctx_attn *a = &c->a;
    const char *out = (const char *)a->out, *lse = (const char *)a->lse;
    const int64_t row = (a->d_v ? a->d_v : a->d_k) * 4;
    size_t i;
    for (i = 0; i < c->out_bytes; i++) {
        const int64_t in = (int64_t)i % a->out_token;
        if (touched && in < a->n_head * a->out_head && in % a->out_head < row) continue;
        FUZZ_CHECK(out[i] == 0x3c, "byte %zu of out was written", i);
    }
    for (i = 0; i < c->lse_bytes; i++)
        if (!touched || (int64_t)i % a->lse_token >= a->n_head * 4)
            FUZZ_CHECK(lse[i] == 0x3c, "byte %zu of lse was written", i);
    FUZZ_CHECK(fuzz_guarded_rest(OUT, c->out_bytes, c->low, 0x3c), "beside out");
    FUZZ_CHECK(fuzz_guarded_rest(LSE, c->lse_bytes, c->low, 0x3c), "beside lse");
    if (a->mass) FUZZ_CHECK(fuzz_guarded_rest(MASS, c->mass_bytes, c->low, 0), "beside mass");
}

/* One field becomes anything. Those that stand for memory are asked for sizes only, as nobody can
   say how much memory there is. */
static int spoil(call *c)
{
    lctx_attn *a = &c->a;
    lctx_span *s = &c->spans[bytes_in(&c->b, 0, SPANS - 1)];
    const int64_t big = bytes_int(&c->b);
    const int32_t small = (int32_t)(uint32_t)((uint64_t)big & UINT32_MAX);
    const float real = (float)bytes_real(&c->b);
    const int field = (int)bytes_in(&c->b, 0, 50);
    const int listed = a->q_pos || a->q_group;
    fuzz_say("field %d: %lld or %g", field, (long long)big, (double)real);
    switch (field) {
    case 0: if (!listed) a->n_q = big; return 1;
    case 1: a->n_head = small; return 1;
    case 2: a->n_head_kv = small; return 1;
    case 3: a->d_k = small; return 1;
    case 4: a->d_v = small; return 1;
    case 5: a->q_token = big; return 1;
    case 6: a->q_head = big; return 1;
    case 7: a->q_pos0 = big; return 0;
    case 8: a->out_token = big; return 1;
    case 9: a->out_head = big; return 1;
    case 10: a->lse_token = big; return 1;
    case 11: a->scale = real; return 0;
    case 12: a->softcap = real; return 0;
    case 13: a->mask = small; return 0;
    case 14: a->n_sink = small; return 0;
    case 15: a->window = big; return 0;
    case 16: a->bias_head = big; return 1;
    case 17: a->bias_query = big; return 1;
    case 18: a->mass_head = big; return 1;
    case 19: a->mass_queries = big; return 0;
    case 20: a->n_spans = big < SPANS ? big : -big; return 1;
    case 21: s->k_type = small; return 1;
    case 22: s->v_type = small; return 1;
    case 23: s->layout = small; return 1;
    case 24: s->skip = small; return 1;
    case 25: if (!s->k_pos) s->n = big; return 1;
    case 26: s->pos = big; return 0;
    case 27: s->index = big; return 0;
    case 28: s->query = small; return 0;
    case 29: s->group = small; return 0;
    case 30: s->k_token = big; return 1;
    case 31: s->k_head = big; return 1;
    case 32: s->v_token = big; return 1;
    case 33: s->v_head = big; return 1;
    case 34: s->k_scale_token = big; return 1;
    case 35: s->v_scale_head = big; return 1;
    case 36: c->q_pos[0] = big; return 0;
    case 37: c->far.window = big; return 0;
    case 38: c->far.kind = small, c->far.leak = (double)real, c->far.group = small; return 0;
    case 39: a->far_pos = big; return 0;
    case 40: c->pattern.length = big, c->pattern.back = big, c->pattern.local = big; return 0;
    case 41: c->rope.pairing = small; return 0;
    case 42: c->rope.n_rot = small; return 0;
    case 43: c->rope.n_hat = c->rope.xpos_center = big; return 0;
    case 44: c->pattern.dilation = small, c->pattern.global0 = big; return 0;
    case 45: a->window_right = big; return 0;
    case 46: a->list_first = big; return 1;
    case 47: a->list_len = big; return 1;
    case 48: a->list_queries = big; return 1;
    case 49: a->list_heads = small; return 1;
    default: a->list_keys = small; return 0;
    }
}

/* Sizes that nobody could lend are refused; if not, the call goes on. */
static int ask_only(call *c)
{
    int memory = 0, i;
    for (i = (int)bytes_in(&c->b, 0, 2); i > 0; i--) memory |= spoil(c), c->spoilt = 1;
    return memory;
}

static void try_attend(call *c)
{
    int64_t next = bytes_in(&c->b, 0, 200);
    size_t need = 0, lent;
    lctx_status st, size_st;
    int i, only_ask;
    char *work;
    describe(c);
    c->a.spans = c->spans, c->a.n_spans = bytes_in(&c->b, 0, SPANS);
    for (i = 0; i < c->a.n_spans; i++) add_span(c, i, &next);
    memset(c->seen, 1, sizeof c->seen);
    add_tables(c);
    only_ask = bytes_flag(&c->b) ? ask_only(c) : 0;
    size_st = lctx_attend_size(&c->a, &need);
    fuzz_say("size: %s, %zu", lctx_status_text(size_st), need);
    FUZZ_CHECK(c->spoilt || size_st == LCTX_OK || size_st == LCTX_E_XPOS_FAR || c->a.pattern,
               "size: %s", lctx_status_text(size_st));
    if (only_ask && !size_st) return;
    lent = need > SCRATCH ? 0 : need;
    if (bytes_rarely(&c->b, 16) && lent) lent--;
    work = (char *)fuzz_guarded(WORK, lent, 0, 0x33);
    st = lctx_attend(&c->a, work, lent);
    fuzz_say("attend: %s", lctx_status_text(st));
    if (size_st) FUZZ_CHECK(st == size_st, "%s, its size %s", lctx_status_text(st),
                            lctx_status_text(size_st));
    else if (lent < need && c->a.n_q && st)
        FUZZ_CHECK(st == LCTX_E_SCRATCH || c->spoilt, "%s", lctx_status_text(st));
    if (only_ask) return;
    check_gaps(c, !st);
    if (!st && !c->spoilt) check_right(c);
}

/* ---- what stands around attention */

static void try_merge(call *c)
{
    const int64_t rows = bytes_in(&c->b, 0, 20), d_v = bytes_in(&c->b, 1, 130);
    const int parts = (int)bytes_in(&c->b, 1, 4), in_place = bytes_flag(&c->b);
    const float *outs[4], *lses[4];
    float *out, *lse;
    double want[20 * 130], sums[20], tops[20];
    int64_t r, e;
    int i;
    for (i = 0; i < parts; i++) {
        float *o = (float *)fuzz_guarded(SPAN0 + 2 * i, (size_t)(rows * d_v) * 4, c->low, 0);
        float *l = (float *)fuzz_guarded(SPAN0 + 2 * i + 1, (size_t)rows * 4, c->low, 0);
        for (r = 0; r < rows * d_v; r++) o[r] = fuzz_uniform(1, (uint64_t)i, (uint64_t)r);
        for (r = 0; r < rows; r++)
            l[r] = fuzz_hash(2, (uint64_t)i, (uint64_t)r) % 4 ?
                   100 * fuzz_uniform(3, (uint64_t)i, (uint64_t)r) : -(float)INFINITY;
        outs[i] = o, lses[i] = l;
    }
    for (r = 0; r < rows; r++) {
        tops[r] = -(double)INFINITY, sums[r] = 0;
        for (i = 0; i < parts; i++) tops[r] = fmax(tops[r], (double)lses[i][r]);
        for (e = 0; e < d_v; e++) want[r * d_v + e] = 0;
        for (i = 0; i < parts && !isinf(tops[r]); i++) {
            const double p = exp((double)lses[i][r] - tops[r]);
            sums[r] += p;
            for (e = 0; e < d_v; e++) want[r * d_v + e] += p * (double)outs[i][r * d_v + e];
        }
    }
    out = in_place ? (float *)(uintptr_t)outs[0] :
          (float *)fuzz_guarded(OUT, (size_t)(rows * d_v) * 4, c->low, 0x3c);
    lse = in_place ? (float *)(uintptr_t)lses[0] :
          (float *)fuzz_guarded(LSE, (size_t)rows * 4, c->low, 0x3c);
    FUZZ_CHECK(lctx_merge(rows, (int32_t)d_v, parts, outs, lses, out, lse) == LCTX_OK, "merge");
    for (r = 0; r < rows; r++) {
        const double l = isinf(tops[r]) ? tops[r] : tops[r] + log(sums[r]);
        FUZZ_CHECK(isinf(l) ? (double)lse[r] == l : fabs((double)lse[r] - l) < 1e-3, "lse %g, not "
                   "%g", (double)lse[r], l);
        for (e = 0; e < d_v; e++) {
            const double x = sums[r] > 0 ? want[r * d_v + e] / sums[r] : 0;
            FUZZ_CHECK(fabs((double)out[r * d_v + e] - x) < 1e-5, "merged %g, not %g",
                       (double)out[r * d_v + e], x);
        }
    }
}

/* A store: what is written is read, and nothing else changes. */
static void try_tiles(call *c)
{
    static float k[192 * 2 * DIM], v[192 * 2 * DIM], rk[192 * 2 * DIM], rv[192 * 2 * DIM];
    static float was_k[192 * 2 * DIM], was_v[192 * 2 * DIM];
    lctx_tiles t;
    lctx_rows rows;
    size_t need = 0;
    int64_t first, n, i;
    int g, e;
    lctx_status st;
    memset(&t, 0, sizeof t);
    memset(&rows, 0, sizeof rows);
    t.n_head_kv = (int32_t)bytes_in(&c->b, 1, 2), t.cap = 64 * bytes_in(&c->b, 1, 3);
    t.d_k = (int32_t)bytes_in(&c->b, 1, DIM), t.d_v = (int32_t)bytes_in(&c->b, 1, DIM);
    t.k_type = (int32_t)bytes_in(&c->b, 0, LCTX_I4);
    t.v_type = (int32_t)bytes_in(&c->b, 0, LCTX_I4);
    FUZZ_CHECK(lctx_tiles_size(&t, &need) == LCTX_OK && need <= FUZZ_SLOT, "size");
    t.mem = fuzz_guarded(WORK, need, c->low || need % 64, 0);
    for (i = 0; i < 3 && bytes_left(&c->b); i++) {
        const uint64_t seed = bytes_take(&c->b, 1);
        int64_t at;
        first = bytes_in(&c->b, 0, 200), n = bytes_in(&c->b, 0, 200);
        if (t.k_type == LCTX_I4) first = first / 64 * 64;
        for (at = 0; at < 192 * 2 * DIM; at++)
            k[at] = fuzz_uniform(seed, 0, (uint64_t)at),
            v[at] = fuzz_uniform(seed, 1, (uint64_t)at);
        rows.n = n, rows.k = k, rows.v = v;
        FUZZ_CHECK(lctx_tiles_read(&t, 0, t.cap, was_k, was_v) == LCTX_OK, "read");
        st = lctx_tiles_write(&t, first, &rows);
        FUZZ_CHECK(st == (first + n <= t.cap ? LCTX_OK : LCTX_E_SPAN), "write %lld + %lld: %s",
                   (long long)first, (long long)n, lctx_status_text(st));
        FUZZ_CHECK(lctx_tiles_read(&t, 0, t.cap, rk, rv) == LCTX_OK, "read");
        for (at = 0; at < t.cap; at++)
            for (g = 0; g < t.n_head_kv; g++) {
                const int64_t row = at * t.n_head_kv + g, from = (at - first) * t.n_head_kv + g;
                const int in = !st && at >= first && at < first + n;
                const int spared = t.k_type == LCTX_I4 && !st && at >= first + n && n &&
                                   at < (first + n + 63) / 64 * 64;
                for (e = 0; e < t.d_k && !spared; e++) {
                    const float x = rk[row * t.d_k + e];
                    const double off = fabs((double)x - (double)k[in ? from * t.d_k + e : 0]);
                    FUZZ_CHECK(in ? off < 0.2 : x == was_k[row * t.d_k + e], "key %lld",
                               (long long)at);
                }
                for (e = 0; e < t.d_v; e++) {
                    const float x = rv[row * t.d_v + e];
                    const double off = fabs((double)x - (double)v[in ? from * t.d_v + e : 0]);
                    FUZZ_CHECK(in ? off < 0.2 : x == was_v[row * t.d_v + e], "value %lld",
                               (long long)at);
                }
            }
    }
    FUZZ_CHECK(fuzz_guarded_rest(WORK, need, c->low || need % 64, 0), "beside the store");
}

static void try_rope(call *c)
{
    lctx_rope_job job;
    oracle_rope_desc o;
    const int far = bytes_rarely(&c->b, 4);
    int64_t pos[8], t, all_in, all_out, h;
    double x[DIM], want[DIM];
    lctx_status st;
    int e;
    memset(&job, 0, sizeof job);
    memset(&o, 0, sizeof o);
    job.n_tok = bytes_in(&c->b, 0, 8), job.n_head = (int32_t)bytes_in(&c->b, 1, 3);
    job.head_dim = (int32_t)bytes_in(&c->b, 2, DIM), job.side = bytes_flag(&c->b);
    c->rope_desc.n_rot = 2 * (int32_t)bytes_in(&c->b, 1, DIM / 2);
    c->rope_desc.pairing = bytes_flag(&c->b);
    if (lctx_rope_init(&c->rope, &c->rope_desc) != LCTX_OK) return;
    o.n_rot = c->rope_desc.n_rot, o.theta = 10000, o.factor = 1;
    oracle_rope_schedule(&o, &c->oracle_rope);
    job.x_head = stride_of(&c->b, job.head_dim * 4);
    job.x_token = stride_of(&c->b, job.n_head * job.x_head);
    job.out_head = stride_of(&c->b, job.head_dim * 4);
    job.out_token = stride_of(&c->b, job.n_head * job.out_head);
    for (t = 0; t < 8; t++) pos[t] = far ? bytes_int(&c->b) : bytes_in(&c->b, 0, 65535);
    if (bytes_flag(&c->b)) job.pos = pos;
    job.pos0 = pos[0];
    all_in = job.n_tok ? (job.n_tok - 1) * job.x_token + (job.n_head - 1) * job.x_head +
                         job.head_dim * 4 : 0;
    all_out = job.n_tok ? (job.n_tok - 1) * job.out_token + (job.n_head - 1) * job.out_head +
                          job.head_dim * 4 : 0;
    job.x = (float *)fuzz_guarded(Q, (size_t)all_in, c->low, 0x7f);
    job.out = (float *)fuzz_guarded(OUT, (size_t)all_out, c->low, 0x3c);
    for (t = 0; t < all_in / 4; t++)
        ((float *)(uintptr_t)job.x)[t] = fuzz_uniform(8, 0, (uint64_t)t);
    st = lctx_rope_apply(&c->rope, &job);
    fuzz_say("apply %lld x %d of %d: %s", (long long)job.n_tok, job.n_head, job.head_dim,
             lctx_status_text(st));
    FUZZ_CHECK(!st || far || o.n_rot > job.head_dim, "apply: %s", lctx_status_text(st));
    FUZZ_CHECK(fuzz_guarded_rest(OUT, (size_t)all_out, c->low, 0x3c), "beside out");
    for (t = 0; st && t < all_out; t++)
        FUZZ_CHECK(((char *)job.out)[t] == 0x3c, "written though refused");
    for (t = 0; !st && t < job.n_tok; t++)
        for (h = 0; h < job.n_head; h++) {
            const int64_t at = job.pos ? pos[t] : job.pos0 + t;
            const float *in = job.x + (t * job.x_token + h * job.x_head) / 4;
            const float *out = job.out + (t * job.out_token + h * job.out_head) / 4;
            FUZZ_CHECK(at >= 0 && at < (int64_t)1 << 48, "position %lld", (long long)at);
            if (at >= 1 << 24) continue;
            for (e = 0; e < job.head_dim; e++) x[e] = (double)in[e];
            oracle_rope_rotate(&c->oracle_rope, c->rope.pairing, 1, job.head_dim, at, x, want);
            for (e = 0; e < job.head_dim; e++)
                FUZZ_CHECK(fabs((double)out[e] - want[e]) < 1e-5, "turned %g, not %g",
                           (double)out[e], want[e]);
        }
}

static void try_alibi(call *c)
{
    const int32_t n = (int32_t)bytes_in(&c->b, 0, 2000);
    float *slopes = (float *)fuzz_guarded(OUT, (size_t)n * 4, c->low, 0x3c);
    int32_t h;
    const lctx_status st = lctx_alibi_slopes(n, slopes);
    FUZZ_CHECK(st == (n ? LCTX_OK : LCTX_E_HEADS), "alibi: %s", lctx_status_text(st));
    for (h = 0; h < n; h++) FUZZ_CHECK(slopes[h] > 0 && slopes[h] <= 1, "slope %d", (int)h);
    FUZZ_CHECK(fuzz_guarded_rest(OUT, (size_t)n * 4, c->low, 0x3c), "beside the slopes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static call c;
    int i, kind;
    memset(&c, 0, sizeof c);
    c.b = bytes_of(data, size);
    kind = (int)bytes_in(&c.b, 0, 15), c.low = bytes_flag(&c.b);
    if (kind < 12) try_attend(&c);
    else if (kind == 12) try_merge(&c);
    else if (kind == 13) try_tiles(&c);
    else if (kind == 14) try_rope(&c);
    else try_alibi(&c);
    for (i = 0; i < SPANS; i++) free(c.k_pos[i]);
    return 0;
}
