/* test_cache.c - floor 3: what a cache keeps, drops, shares, saves and gives back.
   A sequence is a cache together with all keys and values ever appended to it, rounded as the cache
   stores them, for the oracle. Tokens are made from the sequence's seed and their position; queries
   from their position alone, so that forks and copies can be compared. */
#define _DEFAULT_SOURCE 1
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

#include <math.h>
#if TEST_PAGES
#  include <sys/mman.h>
#endif

#define COUNT(list) (sizeof(list) / sizeof *(list))
static const char *const type_names[] = { "f32", "f16", "bf16", "int8", "int4" };
static const char *const policy_names[] = { "full", "window", "sinks", "heavy" };

static int full(void)   { return getenv("TEST_FULL") != NULL; }
static int slow(void)   { return test_sampled() || getenv("TEST_QUICK"); }
/* Of what does not depend on the instruction set, a sample? */
static int few(void)    { return !full() && (slow() || test_elsewhere()); }
static int quick(void)  { return !full() && getenv("TEST_QUICK"); }      /* emulated */

static void *zeroed(int64_t n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) { printf("test_cache: out of memory\n"); exit(2); }
    return p;
}

/* ------------------------------------------------------------------------- sequences */

enum { H = 4, G = 2, DK = 32, DV = 24, QROW = H * DK, OROW = H * DV };

typedef struct seq {
    lctx_cache_desc d;
    int raw;                                  /* keys go in without rotation */
    lctx_cache *c;
    uint64_t seed;
    int64_t n, cap;                           /* cap 0: the oracle is not asked, nothing is kept */
    float *k, *v, *k_factor, *v_factor;       /* [n][G][DK], [n][G][DV], [n][G]: as stored; k of
                                                 4-bit keys: while they are open, f16 */
    float *k4;                                /* of full tiles: 4 bits, as [n][G][DK] */
    int64_t kept_open;                        /* tokens from here on were selected while open;
                                                 0: none */
} seq;

/* While this is set, descriptions are of latent caches, but where keys are of 4 bits. */
static int in_keys;

static lctx_cache_desc desc_of(lctx_policy policy, int64_t window, int32_t n_sink, lctx_type k,
                               lctx_type v)
{
    lctx_cache_desc d;
    memset(&d, 0, sizeof d);
    d.n_head_kv = G; d.d_k = DK; d.d_v = DV;
    d.k_type = (int32_t)k; d.v_type = (int32_t)v;
    d.policy = (int32_t)policy; d.window = window; d.n_sink = n_sink;
    d.n_heavy = policy == LCTX_HEAVY ? 40 : 0;
    d.latent = in_keys && k != LCTX_I4;
    if (d.latent) d.v_type = d.k_type;
    return d;
}

static seq seq_new(const lctx_cache_desc *d, uint64_t seed, int64_t cap)
{
    seq s;
    memset(&s, 0, sizeof s);
    s.d = *d;
    s.seed = seed;
    s.cap = cap;
    s.k = (float *)zeroed(cap * G * DK, 4);
    s.v = (float *)zeroed(cap * G * DV, 4);
    s.k4 = (float *)zeroed(cap * G * DK, 4);
    s.k_factor = (float *)zeroed(cap * G, 4);
    s.v_factor = (float *)zeroed(cap * G, 4);
    if (lctx_cache_create(d, &s.c) != LCTX_OK) check(0, "a cache is created");
    return s;
}

static void seq_free(seq *s)
{
    lctx_cache_free(s->c);
    free(s->k);
    free(s->v);
    free(s->k4);
    free(s->k_factor);
    free(s->v_factor);
}

/* What is remembered of tokens from .. to-1 of another sequence. */
static void copy_past(seq *to, const seq *s, int64_t from, int64_t end)
{
    const size_t n = (size_t)(end - from);
    memcpy(to->k + from * G * DK, s->k + from * G * DK, n * G * DK * 4);
    memcpy(to->k4 + from * G * DK, s->k4 + from * G * DK, n * G * DK * 4);
    memcpy(to->v + from * G * DV, s->v + from * G * DV, n * G * DV * 4);
    memcpy(to->k_factor + from * G, s->k_factor + from * G, n * G * 4);
    memcpy(to->v_factor + from * G, s->v_factor + from * G, n * G * 4);
}

/* A second sequence with the same past, over a fork of the cache; its future is another. */
static seq seq_fork(const seq *s, uint64_t seed)
{
    seq f = *s;
    f.seed = seed;
    f.c = NULL;
    f.k = (float *)zeroed(s->cap * G * DK, 4);
    f.v = (float *)zeroed(s->cap * G * DV, 4);
    f.k4 = (float *)zeroed(s->cap * G * DK, 4);
    f.k_factor = (float *)zeroed(s->cap * G, 4);
    f.v_factor = (float *)zeroed(s->cap * G, 4);
    if (s->cap) copy_past(&f, s, 0, s->n);
    if (lctx_cache_fork(s->c, &f.c) != LCTX_OK) check(0, "a cache forks");
    return f;
}

/* The same schedule as the oracle's. */
static const lctx_rope *own_rope(void)
{
    static lctx_rope r;
    lctx_rope_desc d;
    memset(&d, 0, sizeof d);
    d.n_rot = DK;
    if (!r.n_rot && lctx_rope_init(&r, &d) != LCTX_OK) check(0, "a schedule is made");
    return &r;
}

static const oracle_rope *rope(void)
{
    static oracle_rope r;
    oracle_rope_desc d;
    if (r.n_rot) return &r;
    memset(&d, 0, sizeof d);
    d.scheme = ORACLE_PLAIN; d.n_rot = DK; d.theta = 10000; d.factor = 1;
    oracle_rope_schedule(&d, &r);
    return &r;
}

/* x[heads][DK] turned by pos, in double, given as f32. */
static void rotate(int heads, int64_t pos, const float *x, float *out)
{
    double a[QROW], b[QROW];
    int i;
    for (i = 0; i < heads * DK; i++) a[i] = (double)x[i];
    oracle_rope_rotate(rope(), 0, heads, DK, pos, a, b);
    for (i = 0; i < heads * DK; i++) out[i] = (float)b[i];
}

static void noise_from(uint64_t seed, int64_t pos, float *x, int n)
{
    int i;
    test_state = seed * 1000003 + (uint64_t)pos * 0x632be59bd9b4e019u;
    for (i = 0; i < n; i++) x[i] = test_normal();
}

/* A token of a sequence, and a query, as they are and turned by their position. The same come again
   and again, and making them was a quarter of this suite's time: some are kept. */
typedef struct made {
    int known;
    uint64_t seed;
    int64_t pos;
    float k[G * DK], turned[G * DK], v[G * DV];
} made;
typedef struct asker { int known; int64_t pos; float raw[QROW], turned[QROW]; } asker;

static const made *token_of(uint64_t seed, int64_t pos)
{
    static made kept[1 << 12];
    made *t = &kept[(seed * 0x9e3779b97f4a7c15u + (uint64_t)pos) % COUNT(kept)];
    if (t->known && t->seed == seed && t->pos == pos) return t;
    t->known = 1, t->seed = seed, t->pos = pos;
    noise_from(seed, pos, t->k, G * DK);
    noise_from(seed + 500, pos, t->v, G * DV);
    rotate(G, pos, t->k, t->turned);
    return t;
}

static const asker *query_of(int64_t pos)
{
    static asker kept[1 << 11];
    asker *q = &kept[(uint64_t)pos % COUNT(kept)];
    if (q->known && q->pos == pos) return q;
    q->known = 1, q->pos = pos;
    noise_from(900, pos, q->raw, QROW);
    rotate(H, pos, q->raw, q->turned);
    return q;
}

static void raw_token(const seq *s, int64_t pos, float *k, float *v)
{
    const made *t = token_of(s->seed, pos);
    memcpy(k, t->k, sizeof t->k);
    memcpy(v, t->v, sizeof t->v);
}

static void remember(seq *s, int64_t pos, const float *k, const float *v)
{
    const int four = s->d.k_type == LCTX_I4;
    int64_t first = pos / LCTX_TILE * LCTX_TILE * G * DK;
    int g;
    for (g = 0; g < G; g++) {
        int64_t row = pos * G + g;
        s->k_factor[row] = oracle_store(four ? LCTX_F16 : s->d.k_type, DK, k + g * DK, NULL,
                                        s->k + row * DK);
        if (!s->d.latent)
            s->v_factor[row] = oracle_store(s->d.v_type, DV, v + g * DV, NULL, s->v + row * DV);
        else {
            memcpy(s->v + row * DV, s->k + row * DK, DV * sizeof *s->v);
            s->v_factor[row] = s->k_factor[row];
        }
    }
    if (!four || pos % LCTX_TILE != LCTX_TILE - 1) return;
    memcpy(s->k4 + first, s->k + first, LCTX_TILE * G * DK * 4);
    for (g = 0; g < G * DK; g++)
        oracle_four(LCTX_TILE, G * DK, s->k4 + first + g, s->k4 + first + g);
}

/* The next n tokens of a sequence: k[n][G][DK], v[n][G][DV]. */
static void next_tokens(const seq *s, int64_t n, float *k, float *v)
{
    int64_t i;
    for (i = 0; i < n; i++) {
        const made *t = token_of(s->seed, s->n + i);
        memcpy(k + i * G * DK, s->raw ? t->k : t->turned, sizeof t->k);
        memcpy(v + i * G * DV, t->v, sizeof t->v);
    }
}

/* The sequence goes on only if the cache took them. */
static lctx_status append_tokens(seq *s, int64_t n, const float *k, const float *v)
{
    lctx_rows rows;
    lctx_status st;
    int64_t i, known = s->cap ? n : 0;
    memset(&rows, 0, sizeof rows);
    rows.n = n; rows.k = k; rows.v = s->d.latent ? NULL : v;
    st = lctx_cache_append(s->c, &rows);
    for (i = 0; st == LCTX_OK && i < known; i++)
        remember(s, s->n + i, k + i * G * DK, v + i * G * DV);
    if (st == LCTX_OK) s->n += n;
    return st;
}

static lctx_status seq_append(seq *s, int64_t n)
{
    float *k = (float *)zeroed(n * G * DK, 4), *v = (float *)zeroed(n * G * DV, 4);
    lctx_status st;
    next_tokens(s, n, k, v);
    st = append_tokens(s, n, k, v);
    free(k);
    free(v);
    return st;
}

/* To two sequences with the same seed and as many tokens: whether both fared alike. */
static int append_alike(seq *a, seq *b, int64_t n)
{
    float *k = (float *)zeroed(n * G * DK, 4), *v = (float *)zeroed(n * G * DV, 4);
    int alike = a->seed == b->seed && a->n == b->n;
    next_tokens(a, n, k, v);
    alike = append_tokens(a, n, k, v) == append_tokens(b, n, k, v) && alike;
    free(k);
    free(v);
    return alike;
}

/* The queries of positions pos .. pos+n-1 and their copies for the sinks. */
static void seq_queries(const seq *s, int64_t pos, int64_t n, float *q, float *q_far)
{
    int64_t i;
    for (i = 0; i < n; i++) {
        const asker *own = query_of(pos + i);
        memcpy(q + i * QROW, s->raw ? own->raw : own->turned, sizeof own->raw);
        if (s->raw || s->d.policy != LCTX_SINKS) continue;
        rotate(H, lctx_cache_far_pos(s->c, pos + i), own->raw, q_far + i * QROW);
    }
}

static lctx_status attend(lctx_cache *c, const lctx_attn *a)
{
    size_t bytes = 0;
    void *scratch;
    lctx_status st = lctx_cache_attend_size(c, a, &bytes);
    if (st != LCTX_OK) return st;
    scratch = malloc(bytes + 1);
    st = lctx_cache_attend(c, a, scratch, bytes);
    free(scratch);
    return st;
}

/* Queries of positions pos .. pos+n-1: out[n][H][DV], lse[n][H]; q and q_far too if wanted. */
static lctx_status seq_attend(const seq *s, int64_t pos, int64_t n, float *out, float *lse,
                              float *qs)
{
    float *q = qs ? qs : (float *)zeroed(2 * n * QROW, 4);
    lctx_attn a;
    lctx_status st;
    memset(&a, 0, sizeof a);
    a.precise = 1;
    seq_queries(s, pos, n, q, q + n * QROW);
    a.n_q = n; a.n_head = H; a.q = q; a.q_pos0 = pos; a.out = out; a.lse = lse;
    if (s->d.policy == LCTX_SINKS) a.q_far = q + n * QROW;
    if (s->raw) a.rope = own_rope();
    st = attend(s->c, &a);
    if (!qs) free(q);
    return st;
}

/* ------------------------------------------------------------------------- against the oracle */

typedef struct seen {                         /* the keys that one query sees, in order */
    int64_t n, cap;
    float *k, *v, *k_factor, *v_factor;
    int64_t *pos;                             /* [G][cap]: NOT_SEEN for heads that do not see it */
    unsigned char *far;
    const oracle_rope *turns;                 /* k and the query are raw; or null */
} seen;

#define NOT_SEEN INT64_MAX

static int windowed(const lctx_cache_desc *d)
{
    return d->policy == LCTX_WINDOW || d->policy == LCTX_SINKS;
}

static int sees(const lctx_cache_desc *d, int64_t query, int64_t key)
{
    if (key > query) return 0;
    if (!windowed(d)) return 1;
    return query - key < d->window || (d->policy == LCTX_SINKS && key < d->n_sink);
}

/* What a selection has left, as the cache's spans tell it: lists[G][n], and all from `from` on. */
typedef struct leftover { int64_t n, from; const int64_t *lists; } leftover;

static leftover kept_by(const seq *s)
{
    static lctx_span spans[512];
    leftover k;
    int64_t n = 0;
    memset(&k, 0, sizeof k);
    if (lctx_cache_spans(s->c, spans, 512, &n) != LCTX_OK || n > 512) check(0, "spans are told");
    if (n > 0 && spans[0].k_pos) { k.n = spans[0].n; k.lists = spans[0].k_pos; }
    if (!windowed(&s->d)) k.from = s->n;
    if (!windowed(&s->d) && n > (k.n > 0)) k.from = spans[k.n > 0].pos;
    return k;
}

static int is_kept(const leftover *k, int g, int64_t key)
{
    int64_t i;
    for (i = 0; i < k->n; i++) if (k->lists[g * k->n + i] == key) return 1;
    return key >= k->from;
}

/* Key j of all heads as a query sees it: of 4 bits, but open in the query's own tile. What was
   selected is f16, of 4 bits before if its tile was full. */
static void key_seen(const seq *s, int64_t j, int64_t query, int kept, float *k)
{
    const int was_open = s->kept_open && j >= s->kept_open;
    const int full_tile = kept ? !was_open : j / LCTX_TILE < query / LCTX_TILE;
    memcpy(k, (s->d.k_type == LCTX_I4 && full_tile ? s->k4 : s->k) + j * G * DK, G * DK * 4);
    if (s->d.k_type == LCTX_I4 && kept) oracle_store(LCTX_F16, G * DK, k, NULL, k);
}

static seen seen_by(const seq *s, int64_t query)
{
    seen v;
    leftover left = kept_by(s);
    int64_t j, to = query < s->n ? query + 1 : s->n;
    int g, any;
    v.n = 0;
    v.turns = NULL;
    v.cap = to;
    v.k = (float *)zeroed(to * G * DK, 4);
    v.v = (float *)zeroed(to * G * DV, 4);
    v.k_factor = (float *)zeroed(to * G, 4);
    v.v_factor = (float *)zeroed(to * G, 4);
    v.pos = (int64_t *)zeroed(to * G, sizeof *v.pos);
    v.far = (unsigned char *)zeroed(to, 1);
    for (j = 0; j < to; j++) {
        for (g = any = 0; g < G; g++) {
            int on = sees(&s->d, query, j) && is_kept(&left, g, j);
            v.pos[g * v.cap + v.n] = on ? j : NOT_SEEN;
            any |= on;
        }
        if (!any) continue;
        key_seen(s, j, query, j < left.from && !windowed(&s->d), v.k + v.n * G * DK);
        memcpy(v.v + v.n * G * DV, s->v + j * G * DV, G * DV * 4);
        memcpy(v.k_factor + v.n * G, s->k_factor + j * G, G * 4);
        memcpy(v.v_factor + v.n * G, s->v_factor + j * G, G * 4);
        v.far[v.n++] = s->d.policy == LCTX_SINKS && j < s->d.n_sink;
    }
    return v;
}

static void seen_free(seen *v)
{
    free(v->k); free(v->v); free(v->k_factor); free(v->v_factor); free(v->pos); free(v->far);
}

static oracle_attn oracle_over(const seen *v, const float *q, const float *q_far,
                               const int64_t *pos)
{
    oracle_attn o;
    memset(&o, 0, sizeof o);
    o.n_head = H; o.n_head_kv = G; o.d_k = DK; o.d_v = DV;
    o.n_q = 1; o.n_kv = v->n;
    o.q = q; o.q_far = q_far; o.q_pos = pos;
    o.k = v->k; o.v = v->v; o.k_factor = v->k_factor; o.v_factor = v->v_factor;
    o.k_pos = v->pos; o.k_pos_head = v->cap; o.far = v->far;
    o.causal = 1; o.rope = v->turns;
    o.scale = 1 / sqrt((double)DK);
    return o;
}

/* Raw keys: each head's stand at their numbers among those that it holds. Returns the place of the
   query at pos, which all heads agree on. */
static int64_t places(const seq *s, seen *v, int64_t pos)
{
    int64_t i, place = 0;
    int g;
    if (!s->raw) return pos;
    v->turns = rope();
    for (g = 0; g < G; g++)
        for (i = place = 0; i < v->n; i++) {
            int64_t *at = &v->pos[g * v->cap + i];
            if (*at == NOT_SEEN) continue;
            if (*at < pos) *at = place++;
            else *at = *at == pos ? place : NOT_SEEN;
        }
    return place;
}

/* One query's outputs out[H][DV], lse[H] against the oracle over the keys it sees. */
static void compare_token(const seen *v, const float *q, const float *q_far, int64_t pos,
                          const float *out,
                          const float *lse, oracle_error *e)
{
    oracle_attn o = oracle_over(v, q, q_far, &pos);
    double want[DV], want_lse;
    int h;
    for (h = 0; h < H; h++) {
        want_lse = oracle_attn_row(&o, 0, h, want);
        oracle_error_add(e, DV, want, out + h * DV);
        if (!(fabs(want_lse - (double)lse[h]) < 1e-5)) e->worst = 1;
    }
}

/* Attends the last n positions and compares every step-th of them. */
static void compare_last(const seq *s, int64_t n, int64_t step, oracle_error *e)
{
    float *out = (float *)zeroed(n * OROW, 4), *lse = (float *)zeroed(n * H, 4);
    float *q = (float *)zeroed(2 * n * QROW, 4);
    int64_t i;
    lctx_status st = seq_attend(s, s->n - n, n, out, lse, q);
    if (st != LCTX_OK) check(0, "attention over the last %d tokens: %s", (int)n,
                             lctx_status_text(st));
    for (i = n - 1; i >= 0; i = i == 0 ? -1 : i > step ? i - step : 0) {   /* the first too */
        seen v = seen_by(s, s->n - n + i);
        compare_token(&v, q + i * QROW, q + (n + i) * QROW, places(s, &v, s->n - n + i),
                      out + i * OROW, lse + i * H, e);
        seen_free(&v);
    }
    free(out);
    free(lse);
    free(q);
}

static void check_error(const oracle_error *e, const char *what, const lctx_cache_desc *d)
{
    double nmse = oracle_error_nmse(e);
    check(e->n > 0 && nmse < 1e-10 && e->worst < 2e-5,
          "%s: the oracle's attention (%s, window %d, sinks %d, block %d, %s/%s) [NMSE %.1e,"
          " worst %.1e]", what,
          policy_names[d->policy], (int)d->window, d->n_sink, d->block, type_names[d->k_type],
          type_names[d->v_type], nmse, e->worst);
}

/* Appends of 1, 7, 64 and 300 tokens, over and over, each attended at once. */
static void test_appends(const lctx_cache_desc *d, int64_t total)
{
    static const int64_t sizes[] = { 1, 7, 64, 300, 1, 1 };
    seq s = seq_new(d, 7, total + 300);
    oracle_error e;
    size_t i;
    memset(&e, 0, sizeof e);
    for (i = 0; s.n < total; i++) {
        int64_t n = sizes[i % COUNT(sizes)];
        lctx_status st = seq_append(&s, n);
        if (st != LCTX_OK) { check(0, "tokens are appended: %s", lctx_status_text(st)); break; }
        compare_last(&s, n, n < 50 ? 3 : 37, &e);
    }
    check_error(&e, "after every append", d);
    seq_free(&s);
}

static const int64_t windows[] = { 3, 13, 23, 33, 37, 43, 533 };

static void test_policies(void)
{
    int64_t total = full() ? 6000 : 1500;
    size_t i, k;
    for (i = 0; i < 5; i++) {
        lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, (lctx_type)i, (lctx_type)((i * 3 + 1) % 5));
        d.block = i % 2 ? 64 : 0;
        test_appends(&d, full() ? 3000 : slow() ? 400 : 1500);
    }
    for (i = 0; i < COUNT(windows); i++)
        for (k = 0; k < 3; k++) {
            lctx_cache_desc d = desc_of(k ? LCTX_SINKS : LCTX_WINDOW, windows[i], k
                                        ? (int32_t)(k * 3 - 2) : 0,
                                        (lctx_type)((i + k) % 5), (lctx_type)((i * 3 + k) % 5));
            d.block = (i + k) % 2 ? 64 : 256;
            if (slow() && !full() && (i + k) % 2) continue;
            test_appends(&d, total);
        }
}

/* A prompt of many windows in one append: each query sees its own window. */
static void test_long_prompts(void)
{
    size_t i, k;
    for (i = 0; i < COUNT(windows); i++)
        for (k = 0; k < 2; k++) {
            lctx_cache_desc d = desc_of(k ? LCTX_SINKS : LCTX_WINDOW, windows[i], k ? 4 : 0,
                                        (lctx_type)(i % 5), (lctx_type)(i % 5));
            oracle_error e;
            seq s;
            if (slow() && !full() && (i + k) % 2) continue;
            s = seq_new(&d, 11, 2000);
            memset(&e, 0, sizeof e);
            if (i % 2) seq_append(&s, 5);
            check(seq_append(&s, 1000) == LCTX_OK,
                  "a prompt of 1000 tokens goes into a window of %d", (int)windows[i]);
            compare_last(&s, 1000, 61, &e);
            seq_append(&s, 900);
            compare_last(&s, 900, 61, &e);
            check_error(&e, "a prompt longer than the window", &d);
            seq_free(&s);
        }
}

/* ------------------------------------------------------------------------- StreamingLLM */

/* The paper's way: unrotated keys, and at each step all that is visible is rotated afresh to its
   place inside the cache, and the query to the last place. Quantised caches hold rotated keys
   rounded; the same rounded key is turned on by the difference of places, which is what rotating
   the stored cache afresh would do. f32 keys are compared with the rotation of the raw key. */
static void keys_afresh(const seq *s, seen *v)
{
    float raw[G * DK], values[G * DV];
    double a[G * DK], b[G * DK];
    int64_t i;
    int x, is_f32 = s->d.k_type == LCTX_F32;
    for (i = 0; i < v->n; i++) {
        float *row = v->k + i * G * DK;
        if (is_f32) raw_token(s, v->pos[i], raw, values);
        for (x = 0; x < G * DK; x++)
            a[x] = is_f32 ? (double)raw[x] : (double)row[x] * (double)v->k_factor[i * G + x / DK];
        oracle_rope_rotate(rope(), 0, G, DK, is_f32 ? i : i - v->pos[i], a, b);
        for (x = 0; x < G * DK; x++) row[x] = (float)b[x];
        for (x = 0; x < G; x++) v->k_factor[i * G + x] = 1;
        for (x = 0; x < G; x++) v->pos[x * v->cap + i] = i;
        v->far[i] = 0;
    }
}

static void compare_afresh(const seq *s, oracle_error *e)
{
    float out[OROW], lse[H], raw[QROW], q[QROW];
    int64_t pos = s->n - 1;
    seen v = seen_by(s, pos);
    keys_afresh(s, &v);
    noise_from(900, pos, raw, QROW);
    rotate(H, v.n - 1, raw, q);
    if (seq_attend(s, pos, 1, out, lse, NULL) != LCTX_OK) check(0, "the last token attends");
    compare_token(&v, q, q, v.n - 1, out, lse, e);
    seen_free(&v);
}

/* A pattern narrows what the policy keeps; sinks are seen whatever it says. */
static void test_pattern(lctx_policy policy, lctx_type k_type, lctx_type v_type)
{
    enum { N = 700, LAST = 40 };
    lctx_cache_desc d = desc_of(policy, policy == LCTX_FULL ? 0 : 150,
                                policy == LCTX_SINKS ? 4 : 0, k_type, v_type);
    static float q[LAST * QROW], q_far[LAST * QROW], out[LAST * OROW], lse[LAST * H];
    lctx_pattern p;
    oracle_pattern o_p;
    oracle_error e;
    lctx_attn a;
    lctx_status st;
    double want[DV];
    seq s;
    int i, h;
    memset(&p, 0, sizeof p);
    memset(&o_p, 0, sizeof o_p);
    memset(&a, 0, sizeof a);
    a.precise = 1;
    memset(&e, 0, sizeof e);
    p.kind = LCTX_PATTERN_BLOCKS; o_p.kind = ORACLE_BLOCKS;
    p.length = o_p.length = 90; p.back = o_p.back = 1;
    s = seq_new(&d, 41, N);
    while (s.n < N) if (seq_append(&s, s.n ? LAST : N - 10 * LAST) != LCTX_OK) break;
    seq_queries(&s, N - LAST, LAST, q, q_far);
    a.n_q = LAST; a.n_head = H; a.q = q; a.q_pos0 = N - LAST; a.out = out; a.lse = lse;
    a.q_far = policy == LCTX_SINKS ? q_far : NULL; a.pattern = &p;
    st = attend(s.c, &a);
    for (i = 0; i < LAST; i++) {
        int64_t pos = N - LAST + i;
        seen v = seen_by(&s, pos);
        oracle_attn o = oracle_over(&v, q + i * QROW, q_far + i * QROW, &pos);
        o.pattern = &o_p; o.n_sink = d.n_sink;
        for (h = 0; h < H; h++) {
            (void)oracle_attn_row(&o, 0, h, want);
            oracle_error_add(&e, DV, want, out + i * OROW + h * DV);
        }
        seen_free(&v);
    }
    if (st != LCTX_OK) check(0, "a pattern over a cache: %s", lctx_status_text(st));
    check_error(&e, "a pattern over a cache", &d);
    seq_free(&s);
}

/* Raw keys: queries raw too, no far copy; under sinks positions are still those inside the cache,
   and a rule for far pairs counts from there. */
static void test_raw(lctx_policy policy, lctx_type type, int kind)
{
    enum { N = 700, LAST = 30 };
    lctx_cache_desc d = desc_of(policy, policy == LCTX_FULL ? 0 : 150,
                                policy == LCTX_SINKS ? 4 : 0, type, LCTX_F16);
    static const int64_t chunks[] = { 300, 1, 64, 7 };
    static float q[LAST * QROW], out[LAST * OROW], lse[LAST * H];
    lctx_rope_desc rd;
    lctx_rope r;
    lctx_far_rule rule;
    oracle_error e;
    lctx_attn a;
    seq s;
    int i, c;
    memset(&rd, 0, sizeof rd);
    memset(&rule, 0, sizeof rule);
    memset(&a, 0, sizeof a);
    a.precise = 1;
    memset(&e, 0, sizeof e);
    rd.n_rot = DK;
    rule.kind = kind; rule.window = 40; rule.group = 6; rule.leak = 5;
    s = seq_new(&d, 43, N);
    s.raw = lctx_rope_init(&r, &rd) == LCTX_OK;
    for (c = 0; s.n + 300 <= N; c++) {
        int64_t n = chunks[c % 4];
        if (seq_append(&s, n) != LCTX_OK) { check(0, "raw rows are appended"); break; }
        if (n > LAST) n = LAST;
        for (i = 0; i < n; i++) noise_from(900, s.n - n + i, q + i * QROW, QROW);
        a.n_q = n; a.n_head = H; a.q = q; a.q_pos0 = s.n - n; a.out = out; a.lse = lse;
        a.rope = &r; a.far_rule = &rule;
        if (attend(s.c, &a) != LCTX_OK) check(0, "raw keys of a cache are attended");
        for (i = 0; i < n; i += 5) {
            int64_t pos = s.n - n + i;
            seen v = seen_by(&s, pos);
            oracle_attn o = oracle_over(&v, q + i * QROW, NULL, &pos);
            double want[DV];
            int h;
            o.rope = rope(); o.far_kind = kind;
            o.far_window = rule.window; o.far_group = rule.group; o.far_leak = rule.leak;
            if (policy == LCTX_SINKS) o.far_pos = d.n_sink + d.window - 1;
            for (h = 0; h < H; h++) {
                if (!(fabs(oracle_attn_row(&o, 0, h, want) - (double)lse[i * H + h]) < 1e-5))
                    e.worst = 1;
                oracle_error_add(&e, DV, want, out + i * OROW + h * DV);
            }
            seen_free(&v);
        }
    }
    check_error(&e, "raw keys, distances by rule", &d);
    seq_free(&s);
}

static void test_streaming(lctx_type type, int64_t window, int32_t n_sink, int64_t evictions)
{
    lctx_cache_desc d = desc_of(LCTX_SINKS, window, n_sink, type, type);
    int64_t total = window + n_sink + evictions;
    oracle_error e;
    seq s;
    memset(&e, 0, sizeof e);
    d.block = 64;
    s = seq_new(&d, 23, total);
    while (s.n < total) {
        if (seq_append(&s, 1) != LCTX_OK) { check(0, "a token is appended"); break; }
        if (s.n % 3 == 0 || s.n < 100 || s.n > total - 50) compare_afresh(&s, &e);
    }
    check(e.n > 0 && e.worst < 1e-5,
          "%d evictions from %d sinks + %d: StreamingLLM rotated afresh at every step, %s"
          " (%.1e off)", (int)evictions, n_sink, (int)window, type_names[type], e.worst);
    seq_free(&s);
}

/* ------------------------------------------------------------------------- equal bits, memory */

static float *outputs_in_chunks(const lctx_cache_desc *d, int64_t total, int64_t chunk)
{
    float *out = (float *)zeroed(total * OROW, 4), *lse = (float *)zeroed(total * H, 4);
    seq s = seq_new(d, 31, total);
    while (s.n < total) {
        int64_t n = total - s.n < chunk ? total - s.n : chunk;
        lctx_status st = seq_append(&s, n);
        if (st == LCTX_OK) st = seq_attend(&s, s.n - n, n, out + (s.n - n) * OROW, lse, NULL);
        if (st != LCTX_OK) {
            check(0, "a chunk of %d at %d is appended and attended: %s", (int)n, (int)s.n,
                  lctx_status_text(st));
            break;
        }
    }
    free(lse);
    seq_free(&s);
    return out;
}

static void test_chunks(lctx_policy policy, lctx_type type)
{
    static const int64_t chunks[] = { 1, 7, 64, 300 };
    int64_t total = full() ? 700 : slow() ? 330 : 400;
    lctx_cache_desc d = desc_of(policy, policy ? 43 : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    float *want = outputs_in_chunks(&d, total, total);
    size_t i;
    for (i = 0; i < COUNT(chunks); i++) {
        float *got;
        d.block = i % 2 ? 64 : 128;
        got = outputs_in_chunks(&d, total, chunks[i]);
        check(memcmp(want, got, (size_t)(total * OROW) * 4) == 0,
              "a prompt in chunks of %d, in blocks of %d, gives the bits of all at once (%s, %s)",
              (int)chunks[i],
              d.block, policy_names[policy], type_names[type]);
        free(got);
    }
    free(want);
}

static lctx_cache_info info_of(const seq *s)
{
    lctx_cache_info i;
    memset(&i, 0, sizeof i);
    if (lctx_cache_get_info(s->c, &i) != LCTX_OK) check(0, "a cache tells about itself");
    return i;
}

static int sound_info(const seq *s, const lctx_cache_info *i)
{
    int64_t block = s->d.block ? s->d.block : 256;
    return i->n == s->n && i->n_held + i->n_dropped == i->n
        && i->n_held <= i->n_block * block + i->n_kept
        && i->rewind_min >= 0 && i->rewind_min <= i->n && i->bytes_shared <= i->bytes
        && (i->n_block > 0) == (i->bytes > 0);
}

/* The same tokens over and over: only memory is of interest. */
static void test_constant_memory(lctx_policy policy, int64_t chunk)
{
    const int64_t total = full() ? 1000000 : 50000, window = 43, block = 64;
    int64_t most = 0, early = 0, late_bytes = 0;
    lctx_cache_desc d = desc_of(policy, window, policy == LCTX_SINKS ? 4 : 0, LCTX_F16, LCTX_I8);
    float *k = (float *)zeroed(chunk * G * DK, 4), *v = (float *)zeroed(chunk * G * DV, 4);
    lctx_rows rows;
    lctx_cache_info i;
    seq s;
    int ok = 1;
    d.block = (int32_t)block;
    s = seq_new(&d, 1, 1);
    memset(&rows, 0, sizeof rows);
    rows.n = chunk; rows.k = k; rows.v = d.latent ? NULL : v;
    while (s.n < total) {
        if (lctx_cache_append(s.c, &rows) != LCTX_OK) { ok = 0; break; }
        s.n += chunk;
        i = info_of(&s);
        ok &= sound_info(&s, &i);
        if (i.n_block > most) most = i.n_block;
        if (i.bytes > late_bytes) late_bytes = i.bytes;
        if (s.n < 2000) early = most;
    }
    check(ok, "every append of %d up to %d tokens keeps true numbers (%s)", (int)chunk, (int)total,
          policy_names[policy]);
    check(most == early && most <= (window + chunk) / block + 4,
          "%d tokens, %d at a time, never hold more blocks than the first 2000 did (%s: %d"
          " blocks, %d bytes)",
          (int)total, (int)chunk, policy_names[policy], (int)most, (int)late_bytes);
    free(k);
    free(v);
    seq_free(&s);
}

static void test_info(void)
{
    int64_t i;
    int policy;
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        lctx_cache_desc d = desc_of((lctx_policy)policy, policy ? 33 : 0, policy == 2 ? 4 : 0,
                                    LCTX_F16, LCTX_F16);
        lctx_cache_info info;
        seq s;
        d.block = 64;
        s = seq_new(&d, 3, 2000);
        info = info_of(&s);
        check(info.n == 0 && info.n_held == 0 && info.n_dropped == 0 && info.n_block == 0
              && info.bytes == 0
              && info.rewind_min == 0, "an empty cache holds nothing (%s)", policy_names[policy]);
        for (i = 0; i < 12; i++) {
            seq_append(&s, 100);
            info = info_of(&s);
            check(sound_info(&s, &info),
                  "tokens appended = held + dropped, blocks and bytes fit (%s, %d tokens)",
                  policy_names[policy], (int)info.n);
        }
        check(policy == LCTX_FULL ? info.n_dropped == 0 && info.rewind_min == 0
              && info.n_held == 1200
                                  : info.n_dropped > 0,
                                  "a full cache drops nothing, others do (%s)",
                                  policy_names[policy]);
        check(info.bytes >= info.n_held * G * (DK + DV) * 2,
              "bytes count at least the elements (%s)", policy_names[policy]);
        check(info.bytes_shared == 0, "nothing is shared without a fork (%s)",
              policy_names[policy]);
        check(lctx_cache_far_pos(s.c, 10) == 10 && lctx_cache_far_pos(s.c, 36) == 36
              && lctx_cache_far_pos(s.c, 1000) == (policy == LCTX_SINKS ? 36 : 1000),
              "the far position stops at n_sink + window - 1 under sinks only (%s)",
              policy_names[policy]);
        seq_free(&s);
    }
}

/* The spans that a cache shows give, through floor 2, what the cache itself attends. */
static void test_spans(lctx_policy policy, lctx_type k, lctx_type v)
{
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, k, v);
    seq s;
    lctx_span spans[64];
    lctx_attn a;
    float q[2 * QROW], out[OROW], lse[H], again[OROW];
    int64_t n = 0, few = 0;
    size_t bytes;
    void *scratch;
    d.block = 64;
    s = seq_new(&d, 77, 1000);
    seq_append(&s, 900);
    seq_append(&s, 1);
    seq_attend(&s, s.n - 1, 1, out, lse, q);
    check(lctx_cache_spans(s.c, spans, 64, &n) == LCTX_OK && n >= 1 && n <= 64,
          "a cache shows its spans");
    memset(&a, 0, sizeof a);
    a.precise = 1;
    a.n_q = 1; a.n_head = H; a.n_head_kv = G; a.d_k = DK; a.d_v = DV;
    a.q = q; a.q_far = q + QROW; a.q_pos0 = s.n - 1;
    a.spans = spans; a.n_spans = n; a.out = again;
    if (windowed(&d)) { a.window = d.window; a.n_sink = d.n_sink; }
    check(lctx_attend_size(&a, &bytes) == LCTX_OK, "a cache's spans are sized");
    scratch = malloc(bytes);
    check(lctx_attend(&a, scratch, bytes) == LCTX_OK && memcmp(out, again, sizeof out) == 0,
          "attention over a cache's spans gives the cache's bits (%s, %s/%s)", policy_names[policy],
          type_names[k], type_names[v]);
    free(scratch);
    check(lctx_cache_spans(s.c, spans, 0, &few) == LCTX_OK && few == n,
          "their number is told without room for them");
    check(lctx_cache_spans(NULL, spans, 64, &n) == LCTX_E_NULL
          && lctx_cache_spans(s.c, NULL, 64, &n) == LCTX_E_NULL
          && lctx_cache_spans(s.c, spans, 64, NULL) == LCTX_E_NULL
          && lctx_cache_spans(s.c, spans, -1, &n) == LCTX_E_COUNT,
          "spans of nothing, to nowhere or -1 of them are refused");
    seq_free(&s);
}

/* ------------------------------------------------------------------------- snapshots */

/* What one can see of a cache: its numbers, and the bits that a query after its end gets. */
typedef struct snapshot {
    lctx_cache_info info;
    float out[OROW], lse[H];
} snapshot;

static snapshot snapshot_of(const seq *s)
{
    snapshot p;
    lctx_status st;
    memset(&p, 0, sizeof p);
    p.info = info_of(s);
    st = seq_attend(s, s->n, 1, p.out, p.lse, NULL);
    if (st != LCTX_OK) check(0, "a query after the end attends: %s", lctx_status_text(st));
    return p;
}

static int unchanged(const seq *s, const snapshot *before)
{
    snapshot now = snapshot_of(s);
    return memcmp(&now, before, sizeof now) == 0;
}

static int same_contents(const snapshot *a, const snapshot *b)
{
    return a->info.n == b->info.n && memcmp(a->out, b->out, sizeof a->out) == 0
        && memcmp(a->lse, b->lse, sizeof a->lse) == 0;
}

static int goes_on_right(seq *s)
{
    static const int64_t sizes[] = { 1, 5, 90, 1 };
    oracle_error e;
    size_t i;
    memset(&e, 0, sizeof e);
    for (i = 0; i < COUNT(sizes); i++) {
        if (seq_append(s, sizes[i]) != LCTX_OK) return 0;
        compare_last(s, sizes[i], 17, &e);
    }
    return e.worst < 2e-5 && oracle_error_nmse(&e) < 1e-10;
}

static seq built(const lctx_cache_desc *d, uint64_t seed, int64_t n)
{
    seq s = seq_new(d, seed, 2000);
    seq_append(&s, n - n / 3);
    seq_append(&s, n / 3);
    return s;
}

/* ------------------------------------------------------------------------- rewind */

/* From one built sequence, by forks, back to n: what follows is as if the rest had never been. */
static int rewinds_to(const seq *built, int64_t n)
{
    seq s = seq_fork(built, built->seed + 5000);
    int ok = lctx_cache_rewind(s.c, n) == LCTX_OK;
    s.n = n;
    ok = ok && info_of(&s).n == n && goes_on_right(&s);
    seq_free(&s);
    return ok;
}

static void test_rewind(lctx_policy policy, lctx_type type)
{
    lctx_cache_desc d = desc_of(policy, policy ? 33 : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    lctx_cache_info info;
    snapshot before;
    seq s;
    int64_t n, step, allowed = 0, right = 0;
    d.block = 64;
    s = seq_new(&d, 41, 1000);
    seq_append(&s, 300);
    for (n = 0; n < 37; n++) seq_append(&s, 1);
    info = info_of(&s);
    before = snapshot_of(&s);
    step = full() ? 1 : few() ? 23 : 11;
    for (n = info.n; ; n = n - step > info.rewind_min ? n - step : info.rewind_min) {
        allowed++;
        right += rewinds_to(&s, n);
        if (n == info.rewind_min) break;
    }
    check(allowed > 0 && right == allowed,
          "rewinding to %d of %d .. %d and going on is as if the rest had never been (%s, %s)",
          (int)allowed, (int)info.rewind_min, (int)info.n, policy_names[policy], type_names[type]);
    check(policy == LCTX_FULL && type != LCTX_I4 ? info.rewind_min == 0
                                                 : info.rewind_min <= info.n - 1,
          "the last token at least can be taken back (%s)", policy_names[policy]);
    if (policy == LCTX_FULL && type == LCTX_I4)
        check(info.rewind_min <= info.n - 64 && info.rewind_min > 192 && rewinds_to(&s, 192)
              && rewinds_to(&s, 64) && rewinds_to(&s, 0), "of 4-bit keys, the last tile at least can"
              " be taken back, and any number of whole ones");
    check(lctx_cache_rewind(s.c, info.n + 1) == LCTX_E_POS && unchanged(&s, &before),
          "rewinding forward is refused, and nothing changes (%s)", policy_names[policy]);
    check(lctx_cache_rewind(s.c, -1) != LCTX_OK && unchanged(&s, &before),
          "rewinding below zero is refused, and nothing changes (%s)", policy_names[policy]);
    if (info.rewind_min > 0)
        check(lctx_cache_rewind(s.c, info.rewind_min - 1) == LCTX_E_EVICTED
              && unchanged(&s, &before),
              "rewinding to where a window is gone is refused, and nothing changes (%s)",
              policy_names[policy]);
    check(lctx_cache_rewind(s.c, info.n) == LCTX_OK && unchanged(&s, &before),
          "rewinding to the end changes nothing (%s)",
          policy_names[policy]);
    check(lctx_cache_rewind(NULL, 0) == LCTX_E_NULL, "rewinding nothing is refused");
    seq_free(&s);
}

/* 4-bit keys rewound twice into a block that was closed: the tokens that follow are open, from
   wherever they are appended. */
static void test_four_rewinds(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_I4, LCTX_I4);
    static const int64_t steps[][2] = { { 1, 64 }, { 10, 70 }, { 70, 64 }, { 3, 0 } };
    oracle_error e;
    seq s = seq_new(&d, 43, 2000);
    size_t i;
    int ok = seq_append(&s, 400) == LCTX_OK && seq_append(&s, 1) == LCTX_OK;
    s.n = 128;
    ok &= lctx_cache_rewind(s.c, 128) == LCTX_OK;
    for (i = 0; i < COUNT(steps); i++) {
        s.seed++;
        ok &= seq_append(&s, steps[i][0]) == LCTX_OK;
        memset(&e, 0, sizeof e);
        compare_last(&s, steps[i][0], 1, &e);
        ok &= e.worst < 2e-5 && info_of(&s).rewind_min <= s.n / LCTX_TILE * LCTX_TILE;
        check(ok && lctx_cache_rewind(s.c, steps[i][1]) == LCTX_OK, "4-bit keys appended after %d"
              " rewinds are open, and can be taken back (to %d)", (int)i + 1, (int)steps[i][1]);
        s.n = steps[i][1];
    }
    check(goes_on_right(&s), "and what follows is right");
    seq_free(&s);
}

/* ------------------------------------------------------------------------- allocators */

typedef struct counter {
    int64_t bytes, most, calls;
    int64_t fail_at;          /* the call that gives no memory, from 1; 0 = none */
    int64_t largest;          /* request; none above a GiB is met */
    int wrong;                /* frees of other sizes, overruns, misalignments asked */
} counter;

typedef struct block_head { void *base; size_t size; uint64_t magic; } block_head;
enum { CANARY = 32 };

static void *counted_alloc(void *user, size_t size, size_t align)
{
    counter *c = (counter *)user;
    unsigned char *base, *p;
    block_head head;
    if (align == 0 || (align & (align - 1)) != 0) c->wrong++;
    if ((int64_t)size > c->largest) c->largest = (int64_t)size;
    if (++c->calls == c->fail_at || size > (size_t)1 << 30) return NULL;
    base = (unsigned char *)malloc(size + align + sizeof head + CANARY);
    p = base + sizeof head;
    p += (align - (uintptr_t)p % align) % align;
    head.base = base; head.size = size; head.magic = 0x1234567890abcdefu;
    memcpy(p - sizeof head, &head, sizeof head);
    memset(p, 0xa5, size);
    memset(p + size, 0x5a, CANARY);
    c->bytes += (int64_t)size;
    if (c->bytes > c->most) c->most = c->bytes;
    return p;
}

static void counted_free(void *user, void *ptr, size_t size)
{
    counter *c = (counter *)user;
    unsigned char *p = (unsigned char *)ptr;
    block_head head;
    int i;
    if (!p) { c->wrong++; return; }
    memcpy(&head, p - sizeof head, sizeof head);
    if (head.magic != 0x1234567890abcdefu || head.size != size) { c->wrong++; return; }
    for (i = 0; i < CANARY; i++) c->wrong += p[size + (size_t)i] != 0x5a;
    c->bytes -= (int64_t)size;
    memset(p, 0xdd, size);
    free(head.base);
}

static lctx_allocator counted(counter *c)
{
    lctx_allocator a;
    memset(c, 0, sizeof *c);
    a.alloc = counted_alloc; a.free = counted_free; a.user = c;
    return a;
}

/* ------------------------------------------------------------------------- forks */

static void test_fork(lctx_policy policy, lctx_type type, int order)
{
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    counter count;
    lctx_allocator alloc = counted(&count);
    snapshot before, after;
    lctx_cache_info info;
    int64_t alone;
    seq a, b, c;
    d.block = 64;
    d.alloc = &alloc;
    a = seq_new(&d, 51, 1000);
    seq_append(&a, 400);
    before = snapshot_of(&a);
    alone = count.bytes;
    b = seq_fork(&a, 52);
    after = snapshot_of(&b);
    info = info_of(&b);
    check(same_contents(&before, &after), "a fork has the same contents, to the bit (%s, %s)",
          policy_names[policy],
          type_names[type]);
    check(info.bytes_shared > 0 && info.bytes_shared <= info.bytes
          && info_of(&a).bytes_shared == info.bytes_shared,
          "forks say what they share (%s)", policy_names[policy]);
    check(count.bytes - alone < alone / 2, "a fork costs little (%d of %d bytes)",
          (int)(count.bytes - alone), (int)alone);
    check(goes_on_right(order ? &a : &b), "one side goes on by itself (%s)", policy_names[policy]);
    after = snapshot_of(order ? &b : &a);
    check(same_contents(&before, &after), "what one side writes does not reach the other (%s)",
          policy_names[policy]);
    check(goes_on_right(order ? &b : &a), "the other side goes on by itself (%s)",
          policy_names[policy]);
    c = seq_fork(&b, 53);
    check(lctx_cache_rewind(c.c, info_of(&c).n - 1) == LCTX_OK, "a fork can be rewound");
    c.n--;
    check(goes_on_right(&c) && goes_on_right(&b) && goes_on_right(&a),
          "a rewound fork and its siblings go on apart (%s)",
          policy_names[policy]);
    if (order) { seq_free(&a); check(goes_on_right(&c),
                                     "a fork outlives its origin"); seq_free(&c); seq_free(&b); }
    else { seq_free(&b); check(goes_on_right(&a),
                               "an origin outlives its fork"); seq_free(&a); seq_free(&c); }
    check(count.bytes == 0 && count.wrong == 0,
          "forks freed in any order leave nothing, and free gets the right sizes");
}

/* Forks that live on several threads: each appends, forks on and frees at once with the others. */
enum { FORKS = 4, STEPS = 30, STEP = 17 };

typedef struct worker {
    lctx_cache *c;
    const float *k, *v;          /* STEPS * STEP tokens */
    int ok;
} worker;

static void *grow(void *user)
{
    worker *w = (worker *)user;
    lctx_rows rows;
    int i;
    memset(&rows, 0, sizeof rows);
    rows.n = STEP;
    w->ok = 1;
    for (i = 0; i < STEPS; i++) {
        lctx_cache *fork = NULL;
        rows.k = w->k + i * STEP * G * DK;
        rows.v = in_keys ? NULL : w->v + i * STEP * G * DV;
        w->ok &= lctx_cache_fork(w->c, &fork) == LCTX_OK;
        w->ok &= lctx_cache_append(w->c, &rows) == LCTX_OK;
        lctx_cache_free(fork);
    }
    return NULL;
}

static void test_fork_threads(lctx_policy policy)
{
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, LCTX_F16,
                                LCTX_I8);
    float *k = (float *)zeroed(STEPS * STEP * G * DK, 4);
    float *v = (float *)zeroed(STEPS * STEP * G * DV, 4);
    worker workers[FORKS], alone;
    snapshot want;
    seq s, forks[FORKS], serial;
    int i, ok;
    d.block = 64;
    s = built(&d, 57, 300);
    noise_from(58, 0, k, STEPS * STEP * G * DK);
    noise_from(59, 0, v, STEPS * STEP * G * DV);
    for (i = 0; i < FORKS; i++) forks[i] = seq_fork(&s, 60);
    serial = seq_fork(&s, 60);
    seq_free(&s);
    for (i = 0; i < FORKS; i++) {
        workers[i].c = forks[i].c; workers[i].k = k; workers[i].v = v;
    }
    ok = hook_each(grow, workers, sizeof *workers, FORKS);
    alone.c = serial.c; alone.k = k; alone.v = v;
    grow(&alone);
    serial.n += STEPS * STEP;
    want = snapshot_of(&serial);
    for (i = 0; i < FORKS; i++) {
        snapshot got;
        forks[i].n = serial.n;
        got = snapshot_of(&forks[i]);
        ok &= workers[i].ok && same_contents(&want, &got);
    }
    check(ok && alone.ok, "forks that grow on four threads hold what one thread gives (%s)",
          policy_names[policy]);
    for (i = 0; i < FORKS; i++) seq_free(&forks[i]);
    seq_free(&serial);
    free(k);
    free(v);
}

static void test_fork_arguments(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    seq s = seq_new(&d, 1, 10), f;
    check(lctx_cache_fork(NULL, &f.c) == LCTX_E_NULL && lctx_cache_fork(s.c, NULL) == LCTX_E_NULL,
          "forking nothing or to nowhere is refused");
    f = seq_fork(&s, 2);
    check(seq_append(&f, 3) == LCTX_OK && info_of(&s).n == 0, "an empty cache forks");
    seq_free(&f);
    seq_free(&s);
    lctx_cache_free(NULL);
}

/* ------------------------------------------------------------------------- save and restore */

typedef struct stream {
    unsigned char *data;
    size_t n, cap, at;
    int64_t calls, fail_at;        /* the write that fails, from 1; 0 = none */
} stream;

static int stream_write(void *user, const void *data, size_t n)
{
    stream *s = (stream *)user;
    if (++s->calls == s->fail_at || !n) return 1;     /* fwrite(data, 0, 1, f) is not 1 either */
    if (s->n + n > s->cap) {
        s->cap = (s->n + n) * 2;
        s->data = (unsigned char *)realloc(s->data, s->cap);
    }
    memcpy(s->data + s->n, data, n);
    s->n += n;
    return 0;
}

static int stream_read(void *user, void *data, size_t n)
{
    stream *s = (stream *)user;
    if (s->n - s->at < n || !n) return 1;
    memcpy(data, s->data + s->at, n);
    s->at += n;
    return 0;
}

static stream saved(const seq *s)
{
    stream out;
    lctx_status st;
    memset(&out, 0, sizeof out);
    st = lctx_cache_save(s->c, stream_write, &out);
    if (st != LCTX_OK) check(0, "a cache is saved: %s", lctx_status_text(st));
    return out;
}

static int same_files(const seq *a, const seq *b)
{
    stream x = saved(a), y = saved(b);
    const int same = x.n == y.n && memcmp(x.data, y.data, x.n) == 0;
    free(x.data);
    free(y.data);
    return same;
}

static void test_round_trip(lctx_policy policy, lctx_type k, lctx_type v, int64_t n)
{
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, k, v);
    seq a, b;
    snapshot before, after;
    stream file, again;
    d.block = 64;
    a = built(&d, 61, n);
    b = built(&d, 62, 270);
    before = snapshot_of(&a);
    file = saved(&a);
    check(lctx_cache_restore(b.c, stream_read, &file) == LCTX_OK && file.at == file.n,
          "a saved cache is read back, to its end (%s, %s/%s, %d tokens)", policy_names[policy],
          type_names[k],
          type_names[v], (int)n);
    b.n = a.n; b.seed = a.seed;
    copy_past(&b, &a, 0, a.n);
    again = saved(&b);
    after = snapshot_of(&b);
    check(same_contents(&before, &after), "a restored cache attends to the same bits (%s, %s/%s)",
          policy_names[policy],
          type_names[k], type_names[v]);
    check(again.n == file.n && memcmp(again.data, file.data, file.n) == 0,
          "saved again it is the same file (%s)",
          policy_names[policy]);
    check(unchanged(&a, &before), "saving changes nothing (%s)", policy_names[policy]);
    check(goes_on_right(&b) && goes_on_right(&a), "both go on right (%s)", policy_names[policy]);
    free(file.data);
    free(again.data);
    seq_free(&a);
    seq_free(&b);
}

/* Every byte of the head and the end, and some between. */
static size_t next_place(size_t i, size_t n, size_t head)
{
    size_t step = full() ? 61 : few() ? 1999 : 499;
    return i < head || i + 40 >= n ? i + 1 : i + step < n - 40 ? i + step : n - 40;
}

static void test_damaged(lctx_policy policy, lctx_type k, lctx_type v)
{
    lctx_cache_desc d = desc_of(policy, policy ? 33 : 0, policy == LCTX_SINKS ? 4 : 0, k, v);
    seq a, b;
    snapshot before;
    stream file, part;
    size_t i;
    int64_t cuts = 0, cut_refused = 0, flips = 0, flip_refused = 0, kept = 0;
    d.block = 64;
    a = built(&d, 71, 200);
    b = built(&d, 72, 150);
    before = snapshot_of(&b);
    file = saved(&a);
    for (i = 0; i < file.n; i = next_place(i, file.n, 200)) {
        lctx_status st;
        part = file;
        part.n = i;
        cuts++;
        cut_refused += lctx_cache_restore(b.c, stream_read, &part) == LCTX_E_IO;
        kept += unchanged(&b, &before);
        part = file;
        part.data[i] ^= (unsigned char)(1u << i % 8);
        st = lctx_cache_restore(b.c, stream_read, &part);
        part.data[i] ^= (unsigned char)(1u << i % 8);
        flips++;
        flip_refused += st == LCTX_E_FORMAT || st == LCTX_E_MISMATCH || st == LCTX_E_IO
        || st == LCTX_E_MEMORY;
        kept += unchanged(&b, &before);
    }
    check(cuts > 0 && cut_refused == cuts, "a file cut at any of %d places is refused (%s)",
          (int)cuts, policy_names[policy]);
    check(flip_refused == flips,
          "a file with any of %d bits flipped is refused (%s: %d let through)", (int)flips,
          policy_names[policy], (int)(flips - flip_refused));
    check(kept == cuts + flips, "refused files leave the cache as it was, to the bit (%s)",
          policy_names[policy]);
    part = file;
    check(lctx_cache_restore(b.c, stream_read, &part) == LCTX_OK,
          "the whole file is taken after all (%s)",
          policy_names[policy]);
    free(file.data);
    seq_free(&a);
    seq_free(&b);
}

static void test_mismatch(void)
{
    lctx_cache_desc good = desc_of(LCTX_SINKS, 33, 4, LCTX_F16, LCTX_I8), d;
    seq a, b;
    stream file;
    snapshot before;
#define REFUSED(why, change) \
    do { \
        d = good; change; b = seq_new(&d, 1, 10); file.at = 0; \
        check(lctx_cache_restore(b.c, stream_read, &file) == LCTX_E_MISMATCH, \
              "a file of another %s is refused", why); \
        check(info_of(&b).n == 0, "a file of another %s changes nothing", why); \
        seq_free(&b); \
    } while (0)
    a = built(&good, 81, 100);
    file = saved(&a);
    REFUSED("head count", d.n_head_kv = 1);
    REFUSED("key size", d.d_k = 64);
    REFUSED("value size", d.d_v = 32);
    REFUSED("key type", d.k_type = LCTX_BF16);
    REFUSED("value type", d.v_type = LCTX_F32);
    REFUSED("window", d.window = 34);
    REFUSED("sink count", d.n_sink = 1);
    REFUSED("policy", d.policy = LCTX_WINDOW; d.n_sink = 0);
    REFUSED("policy, a full one,", d.policy = LCTX_FULL; d.n_sink = 0; d.window = 0);
#undef REFUSED
    before = snapshot_of(&a);
    file.at = 0;
    check(lctx_cache_restore(NULL, stream_read, &file) == LCTX_E_NULL
          && lctx_cache_restore(a.c, NULL, &file) == LCTX_E_NULL,
          "restoring to nothing or from nowhere is refused");
    check(lctx_cache_save(NULL, stream_write, &file) == LCTX_E_NULL
          && lctx_cache_save(a.c, NULL, &file) == LCTX_E_NULL,
          "saving nothing or to nowhere is refused");
    check(unchanged(&a, &before), "refused saving and restoring change nothing");
    free(file.data);
    seq_free(&a);
}

static void test_write_fails(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    seq a = built(&d, 91, 500);
    stream out = saved(&a);
    int64_t calls = out.calls, k, refused = 0;
    for (k = 1; k <= calls; k++) {
        out.n = 0; out.calls = 0; out.fail_at = k;
        refused += lctx_cache_save(a.c, stream_write, &out) == LCTX_E_IO;
    }
    check(calls > 0 && refused == calls, "a write that fails at any of %d calls is told",
          (int)calls);
    free(out.data);
    seq_free(&a);
}

/* ------------------------------------------------------------------------- no room, no memory */

static void test_max_tokens(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    snapshot before;
    seq s;
    d.max_tokens = 100;
    s = seq_new(&d, 5, 300);
    check(seq_append(&s, 99) == LCTX_OK, "99 tokens fit into 100");
    before = snapshot_of(&s);
    check(seq_append(&s, 2) == LCTX_E_FULL && unchanged(&s, &before),
          "two more do not, and nothing changes");
    check(seq_append(&s, 1) == LCTX_OK && info_of(&s).n == 100, "one more does");
    check(seq_append(&s, 1) == LCTX_E_FULL, "no token goes beyond max_tokens");
    check(lctx_cache_rewind(s.c, 40) == LCTX_OK, "a full cache can be rewound");
    s.n = 40;
    check(seq_append(&s, 60) == LCTX_OK && seq_append(&s, 1) == LCTX_E_FULL, "and filled again");
    seq_free(&s);
}

typedef enum action { APPEND, FORK, WRITE_SHARED, RESTORE, SAVE, ACTIONS } action;
static const char *const action_names[] = { "append", "fork", "append to a fork", "restore",
                                            "save" };

/* One action on a built sequence; its status. */
static lctx_status act(action what, seq *s, stream *file)
{
    lctx_cache *fork = NULL;
    lctx_status st;
    stream out;
    switch (what) {
    case APPEND:
    case WRITE_SHARED: return seq_append(s, 300);
    case FORK:
        st = lctx_cache_fork(s->c, &fork);
        if (st == LCTX_OK) lctx_cache_free(fork);
        return st;
    case RESTORE: file->at = 0; return lctx_cache_restore(s->c, stream_read, file);
    default:
        memset(&out, 0, sizeof out);
        st = lctx_cache_save(s->c, stream_write, &out);
        free(out.data);
        return st;
    }
}

/* The k-th allocation of the action fails, for every k, until none is left to fail. */
static void test_no_memory(action what, lctx_policy policy, lctx_type type)
{
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    counter count;
    lctx_allocator alloc = counted(&count);
    seq source, s, sibling;
    stream file;
    int64_t k, tried = 0, told = 0, kept = 0, clean = 0;
    lctx_status st;
    d.block = 64;
    source = built(&d, 95, 400);
    file = saved(&source);
    d.alloc = &alloc;
    for (k = 1; k < 1000; k++) {
        snapshot before;
        count.fail_at = 0;
        s = built(&d, 96, 270);
        memset(&sibling, 0, sizeof sibling);
        if (what == WRITE_SHARED) sibling = seq_fork(&s, 97);
        before = snapshot_of(&s);
        count.calls = 0;
        count.fail_at = k;
        st = act(what, &s, &file);
        count.fail_at = 0;
        if (st != LCTX_OK) {
            tried++;
            told += st == LCTX_E_MEMORY;
            kept += unchanged(&s, &before);
            kept -= !goes_on_right(&s);
        }
        seq_free(&s);
        if (what == WRITE_SHARED) seq_free(&sibling);
        clean += count.bytes == 0 && count.wrong == 0;
        if (st == LCTX_OK) break;
    }
    check(st == LCTX_OK && told == tried && (tried > 0 || what == SAVE),
          "%s without memory at any of %d calls tells so (%s)",
          action_names[what], (int)tried, policy_names[policy]);
    check(kept == tried, "%s without memory leaves the cache as it was (%s)", action_names[what],
          policy_names[policy]);
    check(clean == k, "%s without memory leaks nothing, and free gets the right sizes (%s)",
          action_names[what],
          policy_names[policy]);
    free(file.data);
    seq_free(&source);
}

static void test_create_no_memory(void)
{
    lctx_cache_desc d = desc_of(LCTX_SINKS, 33, 4, LCTX_F16, LCTX_F16);
    counter count;
    lctx_allocator alloc = counted(&count);
    lctx_cache *c;
    int64_t k, ok = 1;
    lctx_status st = LCTX_E_MEMORY;
    d.alloc = &alloc;
    for (k = 1; k < 100 && st != LCTX_OK; k++) {
        c = NULL;
        count.calls = 0;
        count.fail_at = k;
        st = lctx_cache_create(&d, &c);
        ok &= st == LCTX_OK || (st == LCTX_E_MEMORY && count.bytes == 0);
    }
    check(st == LCTX_OK && k > 2 && ok,
          "creating without memory at any call tells so and leaks nothing");
    if (st == LCTX_OK) lctx_cache_free(c);
    check(count.bytes == 0 && count.wrong == 0, "an empty cache frees what it took");
}

/* ------------------------------------------------------------------------- pools */

static lctx_pool *pool_new(int64_t max_bytes, const lctx_allocator *from, lctx_allocator *alloc)
{
    lctx_pool_desc d;
    lctx_pool *p = NULL;
    memset(&d, 0, sizeof d);
    d.max_bytes = max_bytes; d.alloc = from;
    if (lctx_pool_create(&d, &p) != LCTX_OK || lctx_pool_allocator(p, alloc) != LCTX_OK)
        check(0, "a pool is created");
    return p;
}

static lctx_pool_info pool_info(lctx_pool *p)
{
    lctx_pool_info i;
    memset(&i, 0x5a, sizeof i);
    if (lctx_pool_get_info(p, &i) != LCTX_OK) check(0, "a pool tells about itself");
    return i;
}

typedef struct piece {
    unsigned char *at, mark;
    size_t size;
} piece;

/* What a request counts as. */
static int64_t counts_as(size_t size) { return size ? (int64_t)(size + 63) / 64 * 64 : 64; }

static int holds_mark(const piece *x)
{
    size_t i;
    for (i = 0; i < x->size; i++) if (x->at[i] != x->mark) return 0;
    return 1;
}

/* Requests and frees at random, beside a ledger: a request is granted if and only if what is in use
   leaves room for it. */
static void test_pool_ledger(int64_t bound)
{
    static const size_t sizes[] = { 0, 1, 8, 64, 65, 1000, 1024, 4096, 5000 };
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool *pool = pool_new(bound, &from, &a);
    int64_t own = count.bytes, used = 0, n_used = 0, peak = 0;
    int step, refused = 0, granted = 0, wrong = 0, spoilt = 0, off = 0;
    piece pieces[40];
    lctx_pool_info i;
    memset(pieces, 0, sizeof pieces);
    test_state = 5;
    for (step = 0; step < 20000; step++) {
        piece *x = &pieces[test_random() % COUNT(pieces)];
        if (x->at) {
            spoilt += !holds_mark(x);
            a.free(a.user, x->at, x->size);
            x->at = NULL;
            used -= counts_as(x->size), n_used--;
        } else {
            size_t align = (size_t)1 << test_random() % 13;
            int fits;
            x->size = sizes[test_random() % COUNT(sizes)];
            x->mark = (unsigned char)step;
            x->at = (unsigned char *)a.alloc(a.user, x->size, align);
            fits = !bound || used + counts_as(x->size) <= bound;
            wrong += fits != (x->at != NULL) || (uintptr_t)x->at % align != 0;
            granted += fits, refused += !fits;
            if (!x->at) continue;
            memset(x->at, x->mark, x->size);
            used += counts_as(x->size), n_used++;
            if (used > peak) peak = used;
        }
        i = pool_info(pool);
        off += i.max_bytes != bound || i.bytes_used != used || i.n_used != n_used
               || i.bytes_peak != peak || i.bytes_used + i.bytes_spare != count.bytes - own;
    }
    check(wrong == 0 && granted > 5000 && (refused > 500) == (bound > 0),
          "a pool of %d bytes grants what fits, aligned, and only that (%d granted, %d refused)",
          (int)bound, granted, refused);
    check(spoilt == 0, "what it granted is nobody else's");
    check(off == 0 && (!bound || count.most - own <= bound),
          "its numbers are the ledger's, and it never takes more than its bound (%d)",
          (int)(count.most - own));
    for (step = 0; step < (int)COUNT(pieces); step++)
        if (pieces[step].at) a.free(a.user, pieces[step].at, pieces[step].size);
    check(lctx_pool_free(pool) == LCTX_OK && count.bytes == 0 && count.wrong == 0,
          "a pool that is freed gives all back, in the sizes that it took");
}

/* n pieces of one size; how many of them there are. */
static int take(const lctx_allocator *a, void **at, int n, size_t size)
{
    int i, got = 0;
    for (i = 0; i < n; i++) got += (at[i] = a->alloc(a->user, size, 64)) != NULL;
    return got;
}
static void leave(const lctx_allocator *a, void **at, int n, size_t size)
{
    int i;
    for (i = 0; i < n; i++) a->free(a->user, at[i], size);
}

static void test_pool_spare(void)
{
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool *pool = pool_new(10240, &from, &a);
    int64_t own = count.bytes;
    lctx_pool_info i;
    void *at[10], *odd;
    check(take(&a, at, 10, 1024) == 10 && !a.alloc(a.user, 1, 1), "a pool is filled to the byte");
    leave(&a, at, 10, 1024);
    i = pool_info(pool);
    check(i.bytes_spare == 10240 && i.bytes_used == 0 && count.bytes - own == 10240,
          "what is freed stays with the pool");
    count.calls = 0;
    check(take(&a, at, 10, 1024) == 10 && count.calls == 0, "and is used again, without a call");
    leave(&a, at, 10, 1024);
    odd = a.alloc(a.user, 3000, 64);
    i = pool_info(pool);
    check(odd && i.bytes_used == 3008 && i.bytes_spare == 7168 && count.bytes - own == 10176,
          "another size makes it give back as many spare pieces as are in the way, and no more");
    check(lctx_pool_trim(pool) == LCTX_OK && pool_info(pool).bytes_spare == 0
          && count.bytes - own == 3008, "a trimmed pool keeps what is in use");
    leave(&a, &odd, 1, 3000);
    count.fail_at = count.calls + 1;
    odd = a.alloc(a.user, 500, 64);
    i = pool_info(pool);
    check(odd && i.bytes_spare == 0 && i.bytes_used == 512 && count.calls == count.fail_at + 1,
          "where the other allocator has no more, the spare is given back and it is asked again");
    count.fail_at = count.calls + 1;
    check(!a.alloc(a.user, 100, 64) && pool_info(pool).bytes_used == 512
          && pool_info(pool).n_used == 1 && pool_info(pool).bytes_peak == 10240,
          "without spare it is told at once, and the numbers stay");
    check(lctx_pool_free(pool) == LCTX_E_IN_USE && pool_info(pool).bytes_used == 512
          && take(&a, at, 9, 1024) == 9, "a pool in use is not freed, and goes on");
    leave(&a, at, 9, 1024);
    leave(&a, &odd, 1, 500);
    check(lctx_pool_free(pool) == LCTX_OK && count.bytes == 0 && count.wrong == 0,
          "once nothing is in use it is");
}

/* Sequences with one beginning out of one pool, freed in no order, twice: the second time nothing
   is asked of the other allocator. */
static void test_pool_forks(lctx_policy policy)
{
    enum { FORKED = 5, ROUNDS = 2 };
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, LCTX_F16,
                                LCTX_I8);
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool *pool = pool_new(0, &from, &a);
    int64_t alone, calls = 0;
    seq s, forks[FORKED];
    int round, i, right = 1;
    d.block = 64;
    d.alloc = &a;
    for (round = 0; round < ROUNDS; round++) {
        s = built(&d, 61, 300);
        alone = pool_info(pool).bytes_used;
        for (i = 0; i < FORKED; i++) forks[i] = seq_fork(&s, 62 + (uint64_t)i);
        check(pool_info(pool).bytes_used - alone < alone,
              "%d forks cost less than their origin (%s)", FORKED, policy_names[policy]);
        for (i = 0; i < FORKED; i++) right &= goes_on_right(&forks[i]);
        seq_free(&forks[2]);
        seq_free(&s);
        for (i = 0; i < FORKED; i++) if (i != 2) right &= goes_on_right(&forks[i]);
        for (i = FORKED; i-- > 0;) if (i != 2) seq_free(&forks[i]);
        if (round == 0) calls = count.calls;
    }
    check(right, "each of %d sequences of one pool goes on by itself (%s)", FORKED,
          policy_names[policy]);
    check(count.calls == calls, "what they freed serves the next ones (%s)", policy_names[policy]);
    check(pool_info(pool).n_used == 0 && pool_info(pool).bytes_used == 0
          && lctx_pool_free(pool) == LCTX_OK && count.bytes == 0 && count.wrong == 0,
          "and nothing is left (%s)", policy_names[policy]);
}

/* Two sequences fill a pool. What does not fit changes nothing; it fits once the other sequence is
   freed, or has gone back to its beginning. */
static void test_pool_full(lctx_policy policy, int rewound)
{
    enum { BOUND = 300000, BLOCK = 64 * G * (DK + 32) * 2 + 64 };      /* values are padded to 32 */
    lctx_cache_desc d = desc_of(policy, policy ? 133 : 0, policy == LCTX_SINKS ? 4 : 0, LCTX_F16,
                                LCTX_F16);
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool *pool = pool_new(BOUND, &from, &a);
    snapshot before;
    int64_t own = count.bytes, n;
    seq s, other;
    d.block = 64;
    d.alloc = &a;
    s = built(&d, 65, 300);
    other = built(&d, 66, 300);
    before = snapshot_of(&s);
    n = (BOUND - pool_info(pool).bytes_used) / BLOCK * 64 + 64;
    check(seq_append(&s, n) == LCTX_E_MEMORY && unchanged(&s, &before)
          && seq_append(&s, n) == LCTX_E_MEMORY && unchanged(&s, &before),
          "%d tokens that a pool has no room for change nothing (%s)", (int)n,
          policy_names[policy]);
    if (rewound) check(lctx_cache_rewind(other.c, 0) == LCTX_OK, "the other cache is rewound");
    else seq_free(&other);
    check(seq_append(&s, n) == LCTX_OK && goes_on_right(&s),
          "once another sequence %s, they fit (%s)", rewound ? "went back" : "is freed",
          policy_names[policy]);
    seq_free(&s);
    other.n = 0;
    if (rewound) check(goes_on_right(&other), "the other begins anew (%s)", policy_names[policy]);
    if (rewound) seq_free(&other);
    check(count.most - own <= BOUND, "no more than the bound was taken");
    check(lctx_pool_free(pool) == LCTX_OK && count.bytes == 0 && count.wrong == 0,
          "and all is given back");
}

static void one_at_a_time(int enter)
{
#if HOOK_THREADS
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if (enter) pthread_mutex_lock(&lock);
    else pthread_mutex_unlock(&lock);
#else
    (void)enter;
#endif
}
static void *locked_alloc(void *user, size_t size, size_t align)
{
    void *p;
    one_at_a_time(1);
    p = counted_alloc(user, size, align);
    one_at_a_time(0);
    return p;
}
static void locked_free(void *user, void *ptr, size_t size)
{
    one_at_a_time(1);
    counted_free(user, ptr, size);
    one_at_a_time(0);
}

/* Pieces that come and go on several threads, in a pool that has no room for all. */
enum { SCRAMBLERS = 4 };

typedef struct scrambler {
    const lctx_allocator *a;
    uint32_t x;                          /* the state of a generator of its own */
    int times, granted, refused, spoilt;
} scrambler;

static void *scramble(void *user)
{
    static const size_t sizes[] = { 64, 1024, 1088, 5000 };
    scrambler *s = (scrambler *)user;
    piece pieces[12], *p;
    int i;
    memset(pieces, 0, sizeof pieces);
    for (i = 0; i < s->times + (int)COUNT(pieces); i++) {
        s->x = s->x * 1664525u + 1013904223u;
        p = &pieces[i < s->times ? (s->x >> 8) % COUNT(pieces) : (size_t)(i - s->times)];
        if (p->at) {
            s->spoilt += !holds_mark(p);
            s->a->free(s->a->user, p->at, p->size);
            p->at = NULL;
        } else if (i < s->times) {
            p->size = sizes[(s->x >> 24) % COUNT(sizes)];
            p->mark = (unsigned char)(s->x >> 16);
            p->at = (unsigned char *)s->a->alloc(s->a->user, p->size, 64);
            s->granted += p->at != NULL, s->refused += !p->at;
            if (p->at) memset(p->at, p->mark, p->size);
        }
    }
    return NULL;
}

static void test_pool_scrambled(void)
{
    const int64_t bound = 40000;
    counter count;
    lctx_allocator from = counted(&count), a;
    scrambler s[SCRAMBLERS];
    lctx_pool *pool;
    int64_t own;
    int i, ok, granted = 0, refused = 0;
    from.alloc = locked_alloc; from.free = locked_free;
    pool = pool_new(bound, &from, &a);
    own = count.bytes;
    memset(s, 0, sizeof s);
    for (i = 0; i < SCRAMBLERS; i++) {
        s[i].a = &a;
        s[i].x = (uint32_t)i;
        s[i].times = full() ? 20000 : 5000;
    }
    ok = hook_each(scramble, s, sizeof *s, SCRAMBLERS);
    for (i = 0; i < SCRAMBLERS; i++) {
        ok &= s[i].spoilt == 0;
        granted += s[i].granted, refused += s[i].refused;
    }
    check(ok && granted > s[0].times, "pieces on four threads are each one thread's (%d granted, %d"
          " refused)", granted, refused);
    check(count.most - own <= bound && count.wrong == 0,
          "at no moment the pool has more than its bound (%d)", (int)(count.most - own));
    check(pool_info(pool).n_used == 0 && pool_info(pool).bytes_used == 0
          && pool_info(pool).bytes_spare == count.bytes - own
          && lctx_pool_free(pool) == LCTX_OK && count.bytes == 0,
          "and in the end nothing is in use");
}

/* Sequences that come and go on several threads, in blocks of two sizes. */
enum { TENANTS = 4, STAYS = 12, STAY = 170 };

typedef struct tenant {
    const lctx_cache_desc *d;
    const float *k, *v, *q, *want;       /* STAY tokens, their last query, what it gives */
    int right, refused;
} tenant;

static lctx_status tenant_append(const tenant *x, lctx_cache *c, int64_t from, int64_t to)
{
    lctx_status st = LCTX_OK;
    lctx_rows rows;
    memset(&rows, 0, sizeof rows);
    for (rows.n = STEP; st == LCTX_OK && from < to; from += STEP) {
        rows.k = x->k + from * G * DK;
        rows.v = x->v + from * G * DV;
        st = lctx_cache_append(c, &rows);
    }
    return st;
}

/* A cache fills, forks, and the fork takes the last tokens: out[OROW] is the query's. */
static lctx_status tenant_stay(const tenant *x, const lctx_cache_desc *d, float *out)
{
    lctx_cache *c = NULL, *fork = NULL;
    lctx_status st = lctx_cache_create(d, &c);
    lctx_attn a;
    memset(&a, 0, sizeof a);
    a.n_q = 1; a.n_head = H; a.q = x->q; a.q_pos0 = STAY - 1; a.out = out;
    if (st == LCTX_OK) st = tenant_append(x, c, 0, STAY - STEP);
    if (st == LCTX_OK) st = lctx_cache_fork(c, &fork);
    if (st == LCTX_OK) st = tenant_append(x, fork, STAY - STEP, STAY);
    if (st == LCTX_OK) st = attend(fork, &a);
    lctx_cache_free(c);
    lctx_cache_free(fork);
    return st;
}

static void *come_and_go(void *user)
{
    tenant *x = (tenant *)user;
    float out[OROW];
    int i;
    for (i = 0; i < STAYS; i++) {
        lctx_status st = tenant_stay(x, x->d, out);
        x->refused += st == LCTX_E_MEMORY;
        x->right += st == LCTX_OK && memcmp(out, x->want, sizeof out) == 0;
    }
    return NULL;
}

static void test_pool_threads(void)
{
    const int64_t bound = 330000;
    static float k[STAY * G * DK], v[STAY * G * DV], q[QROW], want[OROW];
    lctx_cache_desc d[2];
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool *pool;
    tenant tenants[TENANTS], alone;
    int64_t own;
    int i, ok;
    from.alloc = locked_alloc; from.free = locked_free;
    pool = pool_new(bound, &from, &a);
    own = count.bytes;
    noise_from(67, 0, k, STAY * G * DK);
    noise_from(68, 0, v, STAY * G * DV);
    noise_from(69, 0, q, QROW);
    memset(&alone, 0, sizeof alone);
    alone.k = k; alone.v = v; alone.q = q; alone.want = want;
    d[0] = d[1] = desc_of(LCTX_FULL, 0, 0, LCTX_F32, LCTX_F32);
    check(tenant_stay(&alone, &d[0], want) == LCTX_OK, "a cache outside the pool is filled");
    for (i = 0; i < 2; i++) { d[i].block = 64 << i; d[i].alloc = &a; }
    for (i = 0; i < TENANTS; i++) { tenants[i] = alone; tenants[i].d = &d[i % 2]; }
    ok = hook_each(come_and_go, tenants, sizeof *tenants, TENANTS);
    for (i = 0; i < TENANTS; i++) ok &= tenants[i].right + tenants[i].refused == STAYS;
    check(ok, "caches that come and go on four threads hold what they should, or say that the pool"
          " is full (%d and %d times, %d and %d)", tenants[0].right, tenants[0].refused,
          tenants[1].right, tenants[1].refused);
    check(pool_info(pool).n_used == 0 && pool_info(pool).bytes_used == 0, "nothing is left in use");
    check(count.most - own <= bound && count.wrong == 0,
          "at no moment the pool has more than its bound (%d)", (int)(count.most - own));
    for (i = 0; i < 2; i++) {
        alone.d = &d[i];
        come_and_go(&alone);
    }
    check(alone.right == 2 * STAYS, "alone each has room at any time");
    check(lctx_pool_free(pool) == LCTX_OK && count.bytes == 0, "and all is given back");
}

static void test_pool_arguments(void)
{
    counter count;
    lctx_allocator from = counted(&count), a;
    lctx_pool_desc d;
    lctx_pool *pool = NULL;
    lctx_pool_info i;
    memset(&d, 0, sizeof d);
    check(lctx_pool_create(NULL, &pool) == LCTX_E_NULL && !pool
          && lctx_pool_create(&d, NULL) == LCTX_E_NULL,
          "a pool from nothing or to nowhere is refused");
    d.alloc = &from;
    d.max_bytes = -1;
    check(lctx_pool_create(&d, &pool) == LCTX_E_COUNT && !pool, "a negative bound is refused");
    d.max_bytes = 0;
    count.fail_at = 1;
    check(lctx_pool_create(&d, &pool) == LCTX_E_MEMORY && !pool && count.bytes == 0,
          "a pool without memory is not made");
    check(lctx_pool_create(&d, &pool) == LCTX_OK && pool, "a pool without a bound is made");
    check(lctx_pool_allocator(NULL, &a) == LCTX_E_NULL
          && lctx_pool_allocator(pool, NULL) == LCTX_E_NULL
          && lctx_pool_get_info(NULL, &i) == LCTX_E_NULL
          && lctx_pool_get_info(pool, NULL) == LCTX_E_NULL && lctx_pool_trim(NULL) == LCTX_E_NULL,
          "the calls on a pool refuse null");
    check(lctx_pool_allocator(pool, &a) == LCTX_OK && !a.alloc(a.user, SIZE_MAX, 64)
          && !a.alloc(a.user, SIZE_MAX - 63, 64) && !a.alloc(a.user, SIZE_MAX / 2 + 1, 64)
          && !a.alloc(a.user, SIZE_MAX / 2, 64) && pool_info(pool).bytes_used == 0,
          "sizes that overflow are refused, bound or none");
    check(lctx_pool_trim(pool) == LCTX_OK, "nothing spare is trimmed");
    check(lctx_pool_free(pool) == LCTX_OK && count.bytes == 0, "an empty pool is freed");
    check(lctx_pool_free(NULL) == LCTX_OK, "no pool is freed");
}

/* ------------------------------------------------------------------------- heavy hitters */

/* What the stated rules keep, in double: masses of all tokens ever, and which are still held. */
typedef struct account {
    double *mass;             /* [G][cap] */
    unsigned char *held;      /* [G][cap] */
    int64_t cap, cut;
    int wrong;                /* choices of the cache that no rounding explains */
} account;

static account account_new(int64_t cap)
{
    account a;
    memset(&a, 0, sizeof a);
    a.cap = cap;
    a.mass = (double *)zeroed(G * cap, sizeof *a.mass);
    a.held = (unsigned char *)zeroed(G * cap, 1);
    memset(a.held, 1, (size_t)(G * cap));
    return a;
}
static void account_free(account *a) { free(a->mass); free(a->held); }

/* The last n queries of the sequence give their weights to what is held. */
static void account_add(account *a, const seq *s, int64_t n, const float *q)
{
    int64_t *pos = (int64_t *)zeroed(G * s->n, sizeof *pos), i, j;
    double *mass = (double *)zeroed(G * s->n, sizeof *mass);
    oracle_attn o;
    seen all;
    int g;
    memset(&all, 0, sizeof all);
    all.n = all.cap = s->n; all.k = (float *)zeroed(s->n * G * DK, 4); all.v = s->v; all.pos = pos;
    all.k_factor = s->k_factor; all.v_factor = s->v_factor;
    for (i = 0; i < n; i++) {
        int64_t at = s->n - n + i;
        for (j = 0; j < s->n; j++) key_seen(s, j, at, j < a->cut, all.k + j * G * DK);
        for (g = 0; g < G; g++)
            for (j = 0; j < s->n; j++) pos[g * s->n + j] = a->held[g * a->cap + j] ? j : NOT_SEEN;
        at = places(s, &all, at);
        o = oracle_over(&all, q + i * QROW, NULL, &at);
        oracle_attn_mass(&o, 0, mass);
        for (g = 0; g < G; g++)
            for (j = 0; j < s->n; j++) a->mass[g * a->cap + j] += mass[g * s->n + j];
    }
    free(all.k);
    free(pos);
    free(mass);
}

/* The greatest mass of the pool's neighbours among the held tokens before the cut. */
static double pooled(const account *a, int g, int64_t token, int64_t cut, int pool)
{
    const unsigned char *held = a->held + g * a->cap;
    double most = a->mass[g * a->cap + token];
    int64_t i, left = pool / 2, right = pool / 2;
    for (i = token - 1; i >= 0 && left > 0; i--)
        if (held[i] && left--) most = fmax(most, a->mass[g * a->cap + i]);
    for (i = token + 1; i < cut && right > 0; i++)
        if (held[i] && right--) most = fmax(most, a->mass[g * a->cap + i]);
    return most;
}

/* Selects by the rule. Where the cache, which adds in f32, kept another of nearly the same mass,
   that is taken over; any other difference is wrong. */
static void account_select(account *a, const seq *s, int64_t cut, int64_t n_sink, int64_t n_heavy,
                           int pool)
{
    double *worth, least;
    int64_t n, i, j, k;
    leftover have = kept_by(s);
    int g;
    if (cut <= a->cut) return;
    worth = (double *)zeroed(a->cap, sizeof *worth);
    for (g = 0; g < G; g++) {
        unsigned char *held = a->held + g * a->cap;
        for (n = i = 0; i < cut; i++) {
            worth[i] = !held[i] ? -1 : i < n_sink ? 1e30 : pooled(a, g, i, cut, pool);
            n += held[i];
        }
        if (n <= n_sink + n_heavy) { free(worth); return; }
        for (k = 0, least = 1e30; k < n_sink + n_heavy; k++) {
            for (i = j = 0; i < cut; i++) if (worth[i] >= worth[j]) j = i;     /* the later */
            least = fmin(least, worth[j]);
            worth[j] = -2 - worth[j];                                         /* chosen */
        }
        a->wrong += have.n != k || have.from != cut;
        for (i = 0; i < cut; i++) {
            int chosen = worth[i] < -1, kept = is_kept(&have, g, i);
            double w = chosen ? -2 - worth[i] : worth[i];
            if (chosen != kept && !(fabs(w - least) < 1e-5 * (1 + least))) a->wrong++;
            held[i] = (unsigned char)kept;
        }
    }
    a->cut = cut;
    free(worth);
}

/* H2O: append, choose, attend; the cache's choices and its attention at every step. */
static void test_heavy(lctx_type k, lctx_type v, int64_t window, int32_t n_sink, int64_t chunk,
                       int raw)
{
    const int64_t total = full() ? 1500 : few() ? 400 : 700, block = 64;
    lctx_cache_desc d = desc_of(LCTX_HEAVY, window, n_sink, k, v);
    account a = account_new(total + chunk);
    float *out = (float *)zeroed(chunk * OROW, 4), *lse = (float *)zeroed(chunk * H, 4);
    float *q = (float *)zeroed(2 * chunk * QROW, 4);
    lctx_cache_info info;
    int64_t most = 0, choices = 0, n0;
    oracle_error e;
    seq s;
    memset(&e, 0, sizeof e);
    d.block = (int32_t)block;
    s = seq_new(&d, 141, total + chunk);
    s.raw = raw;
    while (s.n < total) {
        lctx_status st = seq_append(&s, chunk);
        n0 = s.n - chunk;
        if (st != LCTX_OK) { check(0, "tokens are appended: %s", lctx_status_text(st)); break; }
        choices -= a.cut;
        if (n0 >= window) account_select(&a, &s, (n0 - window + 1) / block * block, n_sink,
                                         d.n_heavy, 1);
        choices += a.cut;
        if (seq_attend(&s, n0, chunk, out, lse, q) != LCTX_OK) check(0, "queries are attended");
        account_add(&a, &s, chunk, q);
        if (s.n % 5 == 0) {
            seen sees = seen_by(&s, s.n - 1);
            compare_token(&sees, q + (chunk - 1) * QROW, q, places(&s, &sees, s.n - 1),
                          out + (chunk - 1) * OROW, lse + (chunk - 1) * H, &e);
            seen_free(&sees);
        }
        info = info_of(&s);
        if (info.n_held > most) most = info.n_held;
    }
    check(a.cut > 0 && choices == a.cut && a.wrong == 0, "every choice of heavy hitters up to token"
          " %d is that of masses in double (%s/%s%s, window %d, sinks %d, %d at a time: %d wrong)",
          (int)a.cut, type_names[k], type_names[v], raw ? ", raw" : "", (int)window, n_sink,
          (int)chunk, a.wrong);
    check(most <= n_sink + d.n_heavy + window + block + chunk,
          "never more than the budgets, a block and an append are held (%d)", (int)most);
    check_error(&e, raw ? "attention over heavy hitters at their places in the cache"
                        : "attention over heavy hitters", &d);
    account_free(&a);
    free(out); free(lse); free(q);
    seq_free(&s);
}

/* The mass of the last n tokens' queries over all that the cache holds: [G][n_held]. */
static float *observed(const seq *s, int64_t n, int64_t gap)
{
    int64_t held = info_of(s).n_held;
    float *mass = (float *)zeroed(G * (held + gap), 4), *out = (float *)zeroed(2 * n * OROW, 4);
    float *q = (float *)zeroed(4 * n * QROW, 4), *lse = (float *)zeroed(2 * n * H, 4);
    lctx_attn a;
    lctx_status st;
    memset(&a, 0, sizeof a);
    a.precise = 1;
    seq_queries(s, s->n - 2 * n, 2 * n, q, q + 2 * n * QROW);
    a.n_q = 2 * n; a.n_head = H; a.q = q; a.q_pos0 = s->n - 2 * n; a.out = out; a.lse = lse;
    a.mass = mass; a.mass_head = (held + gap) * 4; a.mass_queries = n;
    if (s->raw) a.rope = own_rope();
    st = attend(s->c, &a);
    if (st != LCTX_OK) check(0, "a prompt's end is observed: %s", lctx_status_text(st));
    free(out); free(q); free(lse);
    return mass;
}

/* What was kept of a token is as it was stored; keys of 4 bits, rounded to f16. */
static int holds_bits(const seq *s)
{
    leftover left = kept_by(s);
    float k[G * DK], v[G * DV], want[G * DK];
    lctx_span spans[1];
    lctx_tiles t;
    int64_t n, i, g, x, same = 1;
    if (lctx_cache_spans(s->c, spans, 1, &n) != LCTX_OK || !left.n) return 0;
    memset(&t, 0, sizeof t);
    t.n_head_kv = G; t.d_k = DK; t.d_v = DV; t.k_type = spans[0].k_type; t.v_type = s->d.v_type;
    t.latent = s->d.latent;
    t.cap = (left.n + 63) / 64 * 64;
    t.mem = (void *)(uintptr_t)spans[0].k;
    for (i = 0; i < left.n; i++) {
        if (lctx_tiles_read(&t, i, 1, k, v) != LCTX_OK) return 0;
        for (g = 0; g < G; g++) {
            int64_t row = left.lists[g * left.n + i] * G + g;
            key_seen(s, row / G, s->n, 1, want);
            for (x = 0; x < DK; x++)
                same &= k[g * DK + x] == (float)(want[g * DK + x] * s->k_factor[row]);
            for (x = 0; x < DV; x++)
                same &= v[g * DV + x] == (float)(s->v[row * DV + x] * s->v_factor[row]);
        }
    }
    return (int)same;
}

/* SnapKV: at a prompt's end, by the mass of the last queries, pooled; and again later. Raw, what was
   kept has its place inside the cache. */
static void test_select(lctx_type k, lctx_type v, int pool, int raw)
{
    enum { OBSERVED = 16, PROMPT = 600, WINDOW = 50 };
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, k, v);
    account a = account_new(2000);
    lctx_cache_info before, after;
    lctx_select sel;
    float *q = (float *)zeroed(2 * OBSERVED * QROW, 4), *mass;
    int round;
    seq s;
    d.block = 64;
    s = seq_new(&d, 151, 2000);
    s.raw = raw;
    memset(&sel, 0, sizeof sel);
    sel.n_heavy = 100; sel.window = WINDOW; sel.n_sink = 3; sel.pool = pool;
    for (round = 0; round < 2; round++) {
        seq_append(&s, PROMPT);
        before = info_of(&s);
        mass = observed(&s, OBSERVED, 5);
        memset(a.mass, 0, (size_t)(G * a.cap) * sizeof *a.mass);
        seq_queries(&s, s.n - OBSERVED, OBSERVED, q, q + OBSERVED * QROW);
        account_add(&a, &s, OBSERVED, q);
        sel.mass = mass; sel.mass_head = (before.n_held + 5) * 4;
        check(lctx_cache_select(s.c, &sel) == LCTX_OK, "a prompt's end selects");
        account_select(&a, &s, s.n - WINDOW, 3, 100, pool ? pool : 1);
        after = info_of(&s);
        check(a.wrong == 0 && a.cut == s.n - WINDOW, "of %d tokens each head keeps what the rule"
              " says (%s/%s%s, pool %d: %d wrong)", (int)s.n, type_names[k], type_names[v],
              raw ? ", raw" : "", pool, a.wrong);
        check(after.n_held == 103 + WINDOW && after.n_kept == 103 && after.n == before.n
              && after.n_dropped == after.n - 103 - WINDOW && after.bytes < before.bytes
              && after.rewind_min == s.n - WINDOW, "what was dropped is told, and memory is freed"
              " (%d of %d bytes left)", (int)after.bytes, (int)before.bytes);
        check(holds_bits(&s), "kept keys and values keep their bits (%s/%s)", type_names[k],
              type_names[v]);
        check(goes_on_right(&s), "a selected cache goes on right (%s/%s%s)", type_names[k],
              type_names[v], raw ? ", raw" : "");
        free(mass);
    }
    account_free(&a);
    free(q);
    seq_free(&s);
}

/* Attention over a selection is attention over everything with the rest masked, but for 4-bit keys'
   rounding to f16. */
static void test_select_is_mask(lctx_type type)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, type, type);
    float q[2 * QROW], want[OROW], got[OROW], lse[H], *bias, *mass, worst = 0;
    lctx_select sel;
    leftover left;
    lctx_attn at;
    seq s, whole;
    int64_t j;
    int h;
    d.block = 64;
    s = seq_new(&d, 161, 1000);
    seq_append(&s, 901);
    whole = seq_fork(&s, 161);
    mass = observed(&s, 8, 0);
    memset(&sel, 0, sizeof sel);
    sel.mass = mass; sel.n_heavy = 77; sel.window = 9;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK, "a cache that shares its blocks selects");
    seq_attend(&s, s.n - 1, 1, got, lse, q);
    left = kept_by(&s);
    bias = (float *)zeroed(H * 901, 4);
    for (h = 0; h < H; h++)
        for (j = 0; j < 901; j++)
            if (!is_kept(&left, h / (H / G), j)) bias[h * 901 + j] = -(float)INFINITY;
    memset(&at, 0, sizeof at);
    at.precise = 1;
    at.n_q = 1; at.n_head = H; at.q = q; at.q_pos0 = 900; at.out = want; at.bias = bias;
    check(attend(whole.c, &at) == LCTX_OK, "the sibling still holds everything");
    for (j = 0; j < OROW; j++) worst = fmaxf(worst, fabsf(want[j] - got[j]));
    check(worst < (type == LCTX_I4 ? 2e-3f : 2e-6f), "attention over a selection is attention over all with the rest masked"
          " (%s: %.1e)", type_names[type], (double)worst);
    free(bias);
    free(mass);
    seq_free(&whole);
    seq_free(&s);
}

static void test_select_edges(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    static float mass[G * 400];
    lctx_select sel;
    lctx_cache_info i;
    leftover left;
    snapshot before;
    seq s;
    int64_t j, ok = 1;
    memset(&sel, 0, sizeof sel);
    sel.mass = mass;
    d.block = 64;
    s = seq_new(&d, 171, 1000);
    check(lctx_cache_select(s.c, &sel) == LCTX_OK, "an empty cache selects nothing");
    seq_append(&s, 300);
    before = snapshot_of(&s);
    sel.window = 300;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK && unchanged(&s, &before),
          "a window of everything leaves everything");
    sel.window = 1000;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK && unchanged(&s, &before),
          "so does one beyond");
    sel.window = 100; sel.n_heavy = 200;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK && unchanged(&s, &before),
          "a budget for all that left the window leaves everything");
    sel.n_heavy = 7;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK, "equal masses select");
    left = kept_by(&s);
    for (j = 0; j < 7; j++) ok &= left.lists[j] == 193 + j && left.lists[7 + j] == 193 + j;
    check(left.n == 7 && ok && left.from == 200, "of equal masses the later stay");
    sel.window = 0; sel.n_heavy = 0;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK, "nothing at all can be kept");
    i = info_of(&s);
    check(i.n == 300 && i.n_held == 0 && i.n_dropped == 300 && i.rewind_min == 300,
          "then all is dropped, and positions go on");
    check(lctx_cache_rewind(s.c, 299) == LCTX_E_EVICTED, "what was dropped cannot be rewound to");
    check(goes_on_right(&s), "what comes after attends to itself");
    seq_free(&s);
    d = desc_of(LCTX_HEAVY, 33, 2, LCTX_F16, LCTX_F16);
    d.block = 64;
    s = seq_new(&d, 172, 1000);
    seq_append(&s, 300);
    seq_append(&s, 1);
    left = kept_by(&s);
    check(left.n == 42 && left.from == 256 && left.lists[0] == 0 && left.lists[1] == 1
          && left.lists[2] == 216, "sinks stay beside heavy hitters, without any mass");
    check(lctx_cache_rewind(s.c, 0) == LCTX_OK, "to nothing one can always rewind");
    s.n = 0;
    i = info_of(&s);
    check(i.n == 0 && i.n_held == 0 && i.rewind_min == 0 && i.bytes == 0 && goes_on_right(&s),
          "and begin again");
    seq_free(&s);
}

/* A NaN in a caller's mass stays, whatever its sign: behind the sinks, before all else. */
static void test_select_nan(void)
{
    static const uint32_t nans[] = { 0x7fc00000u, 0xffc00000u, 0x7fffffffu, 0xffffffffu };
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    size_t i;
    for (i = 0; i < sizeof nans / sizeof *nans; i++) {
        static float mass[G * 300];
        lctx_select sel;
        leftover left;
        int64_t j, ok = 1;
        seq s = built(&d, 3, 300);
        for (j = 0; j < G * 300; j++) mass[j] = (float)(j % 300);
        mass[299] = mass[599] = (float)INFINITY;
        memcpy(&mass[30], &nans[i], 4);
        memcpy(&mass[330], &nans[i], 4);
        memset(&sel, 0, sizeof sel);
        sel.mass = mass; sel.n_heavy = 2; sel.n_sink = 1;
        check(lctx_cache_select(s.c, &sel) == LCTX_OK, "masses that are NaN select");
        left = kept_by(&s);
        for (j = 0; j < G; j++)
            ok &= left.lists[j * 3] == 0 && left.lists[j * 3 + 1] == 30
                  && left.lists[j * 3 + 2] == 299;
        check(left.n == 3 && ok, "a NaN (%08x) counts more than infinity", (unsigned)nans[i]);
        seq_free(&s);
    }
}

/* Where the account of mass wants log-sum-exps that nobody else does, a stride for them is nobody's:
   the same tokens stay. */
static void test_heavy_own_lse(void)
{
    enum { N = 300 };
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 33, 0, LCTX_F16, LCTX_F16);
    float *q = (float *)zeroed(2 * N * QROW, 4), *out = (float *)zeroed(N * OROW, 4);
    leftover left[2];
    lctx_select sel;
    lctx_attn a;
    seq s[2];
    int i, ok = 1;
    memset(&a, 0, sizeof a);
    memset(&sel, 0, sizeof sel);
    sel.n_heavy = 20; sel.window = 33;
    for (i = 0; i < 2; i++) {
        s[i] = seq_new(&d, 161, N);
        seq_append(&s[i], N);
        seq_queries(&s[i], 0, N, q, q + N * QROW);
        a.n_q = N; a.n_head = H; a.q = q; a.out = out; a.lse_token = i * 4096;
        ok &= attend(s[i].c, &a) == LCTX_OK && lctx_cache_select(s[i].c, &sel) == LCTX_OK;
    }
    for (i = 0; i < 2; i++) left[i] = kept_by(&s[i]);
    check(ok && left[0].n == 20 && left[1].n == 20
          && memcmp(left[0].lists, left[1].lists, G * 20 * sizeof *left[0].lists) == 0,
          "a stride of an lse that is not given does not matter to heavy hitters");
    free(q); free(out);
    seq_free(&s[0]);
    seq_free(&s[1]);
}

/* What the last append's queries gave is taken back with it: later choices are as without them. */
static void test_heavy_undo(void)
{
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 33, 2, LCTX_F16, LCTX_F16);
    float out[9 * OROW], lse[9 * H];
    leftover left[2];
    seq s[2];
    int i, k;
    d.block = 64;
    s[0] = seq_new(&d, 181, 2000);
    for (i = 0; i < 20; i++) {
        seq_append(&s[0], 9);
        seq_attend(&s[0], s[0].n - 9, 9, out, lse, NULL);
    }
    s[1] = seq_fork(&s[0], 181);
    seq_append(&s[1], 9);
    for (i = 0; i < 30; i++) seq_attend(&s[1], s[1].n - 9, 9, out, lse, NULL);
    for (i = 0; i < 30; i++) free(observed(&s[0], 9, 0));         /* mass that goes elsewhere */
    check(lctx_cache_rewind(s[1].c, s[0].n) == LCTX_OK, "the last append is undone");
    s[1].n = s[0].n;
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 20; i++) {
            seq_append(&s[k], 9);
            seq_attend(&s[k], s[k].n - 9, 9, out, lse, NULL);
        }
        left[k] = kept_by(&s[k]);
    }
    check(left[0].n == 42 && left[0].n == left[1].n && left[0].from == left[1].from
          && memcmp(left[0].lists, left[1].lists, G * 42 * sizeof(int64_t)) == 0,
          "an append, attended and undone, leaves no trace in later choices, nor does mass that"
          " the caller takes");
    seq_free(&s[0]);
    seq_free(&s[1]);
}

/* Attention that is cancelled, or lacks scratch for its last part, adds nothing to the account. */
static int stop_at(void *user, int64_t done, int64_t total)
{
    (void)done, (void)total;
    return --*(int64_t *)user == 0;
}

static void test_heavy_cancelled(lctx_type type)
{
    enum { N = 70 };
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 133, 2, type, type);
    float *q = (float *)zeroed(2 * N * QROW, 4), *out = (float *)zeroed(N * OROW, 4);
    int64_t calls, cancelled = 0, i, cut, all;
    lctx_attn a;
    seq s[3];
    int ok = 1, k, small = 0, ended;
    d.block = 64;
    for (k = 0; k < 2; k++) s[k] = seq_new(&d, 183, 2000);
    memset(&a, 0, sizeof a);
    a.n_q = N; a.n_head = H; a.q = q; a.out = out; a.progress_user = &calls;
    for (i = 0; i < 12; i++) {
        size_t bytes = 0;
        void *scratch;
        for (k = 0; k < 2; k++) seq_append(&s[k], N);
        a.q_pos0 = s[0].n - N; a.progress = stop_at; calls = 0;
        seq_queries(&s[0], a.q_pos0, N, q, q + N * QROW);
        s[2] = seq_fork(&s[0], 183);
        ok &= attend(s[2].c, &a) == LCTX_OK;
        seq_free(&s[2]);
        /* Where threads share the work, it may end in fewer calls than before; the first always
           comes. */
        for (all = -calls, cut = 1, ended = 0; cut <= all && !ended; cut += 1 + all / 3) {
            lctx_status st;
            calls = cut;
            st = attend(s[1].c, &a);
            ended = st == LCTX_OK;
            cancelled += st == LCTX_E_CANCELLED;
        }
        a.progress = NULL;
        ok &= lctx_cache_attend_size(s[1].c, &a, &bytes) == LCTX_OK;
        scratch = malloc(bytes);
        small += lctx_cache_attend(s[1].c, &a, scratch, bytes - 1) == LCTX_E_SCRATCH;
        free(scratch);
        for (k = 0; k < 2 - ended; k++) ok &= attend(s[k].c, &a) == LCTX_OK;
    }
    check(ok && cancelled >= 12 && small == 12, "attention over heavy hitters is cancelled (%d times)",
          (int)cancelled);
    check(same_files(&s[0], &s[1]), "what was cancelled leaves no trace in the cache's account (%s)",
          type_names[type]);
    for (k = 0; k < 2; k++) seq_free(&s[k]);
    free(q);
    free(out);
}

/* A budget in bytes: what the cache holds stays below it. */
static void test_budget_bytes(void)
{
    const int64_t budget = 100000, window = 100, block = 64;
    lctx_cache_desc d = desc_of(LCTX_HEAVY, window, 0, LCTX_F16, LCTX_I8);
    int64_t tokens = 0, most = 0, least = budget, one;
    lctx_cache_info i;
    seq s;
    check(lctx_cache_tokens(&d, budget, &tokens) == LCTX_OK && tokens % 64 == 0 && tokens > 0,
          "bytes are told in tokens (%d)", (int)tokens);
    check(tokens * G * (DK * 2 + 32 + 4) <= budget
          && (tokens + 64) * G * (DK * 2 + 32 + 4) > budget,
          "as many as fit, padding and scales counted");
    check(lctx_cache_tokens(&d, 10, &one) == LCTX_OK && one == 0, "none fits into 10 bytes");
    check(lctx_cache_tokens(NULL, 1, &one) == LCTX_E_NULL
          && lctx_cache_tokens(&d, 1, NULL) == LCTX_E_NULL
          && lctx_cache_tokens(&d, -1, &one) == LCTX_E_COUNT, "bad budgets are refused");
    d.block = (int32_t)block;
    d.n_heavy = tokens - window - 2 * block;      /* whole blocks of the window, one being filled */
    s = seq_new(&d, 3, 2000);
    while (s.n < 2000) {
        if (seq_append(&s, 1) != LCTX_OK) { check(0, "a token is appended"); break; }
        i = info_of(&s);
        if (i.bytes > most) most = i.bytes;
        if (s.n > 1500 && i.bytes < least) least = i.bytes;
    }
    check(most <= budget + 3 * 4096 && least > budget / 2,
          "a cache with a budget of %d bytes holds %d .. %d", (int)budget, (int)least, (int)most);
    seq_free(&s);
}

/* Without memory for what is to be kept, an append goes on and the choice is made later. */
static void test_heavy_no_memory(void)
{
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 33, 2, LCTX_F16, LCTX_F16);
    counter count;
    lctx_allocator alloc = counted(&count);
    int64_t k, told = 0, put_off = 0, right = 0, tries = 0;
    d.block = 64;
    d.alloc = &alloc;
    for (k = 1; k < 12; k++) {
        seq s = seq_new(&d, 191, 2000);
        snapshot before;
        lctx_status st;
        seq_append(&s, 200);
        before = snapshot_of(&s);
        count.calls = 0;
        count.fail_at = k;
        st = seq_append(&s, 100);
        count.fail_at = 0;
        tries += count.calls >= k;
        told += st == LCTX_E_MEMORY;
        put_off += st == LCTX_OK && info_of(&s).n_held == 300;
        right += st == LCTX_OK ? info_of(&s).n == 300 : unchanged(&s, &before);
        right += goes_on_right(&s) && info_of(&s).n_kept == 42;
        seq_free(&s);
        right += count.bytes == 0 && count.wrong == 0;
    }
    check(told > 0 && put_off == 2 && told + put_off == tries && right == 33,
          "of %d allocations that fail, %d stop the append and %d put off the choice",
          (int)tries, (int)told, (int)put_off);
}

static void test_select_arguments(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16), w, heavy;
    static float mass[G * 400];
    lctx_select good, sel;
    snapshot before;
    seq s, other;
    s = built(&d, 3, 300);
    before = snapshot_of(&s);
    memset(&good, 0, sizeof good);
    good.mass = mass; good.n_heavy = 10; good.window = 20;
    check(lctx_cache_select(NULL, &good) == LCTX_E_NULL
          && lctx_cache_select(s.c, NULL) == LCTX_E_NULL,
          "selecting by or from nothing is refused");
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        sel = good; change; st = lctx_cache_select(s.c, &sel); \
        check(st == status, "a selection with %s gives \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
        check(unchanged(&s, &before), "a selection with %s changes nothing", why); \
    } while (0)
    REFUSED(LCTX_E_NULL, "no mass in a full cache", sel.mass = NULL);
    REFUSED(LCTX_E_WINDOW, "a negative budget", sel.n_heavy = -1);
    REFUSED(LCTX_E_WINDOW, "a negative window", sel.window = -1);
    REFUSED(LCTX_E_WINDOW, "negative sinks", sel.n_sink = -1);
    REFUSED(LCTX_E_WINDOW, "an even pool", sel.pool = 4);
    REFUSED(LCTX_E_WINDOW, "a negative pool", sel.pool = -1);
    REFUSED(LCTX_E_STRIDE, "a short stride", sel.mass_head = 299 * 4);
    REFUSED(LCTX_E_STRIDE, "an odd stride", sel.mass_head = 300 * 4 + 2);
    REFUSED(LCTX_E_OVERFLOW, "a stride that overflows", sel.mass_head = (int64_t)1 << 62);
#undef REFUSED
    seq_free(&s);
    w = desc_of(LCTX_SINKS, 33, 4, LCTX_F16, LCTX_F16);
    s = built(&w, 3, 300);
    check(lctx_cache_select(s.c, &good) == LCTX_E_POLICY, "windows are not selected from");
    seq_free(&s);
    heavy = desc_of(LCTX_HEAVY, 33, 4, LCTX_F16, LCTX_F16);
    s = built(&heavy, 3, 300);
    heavy.n_heavy = 41;
    other = built(&heavy, 3, 300);
    {
        stream file = saved(&s);
        check(lctx_cache_restore(other.c, stream_read, &file) == LCTX_E_MISMATCH,
              "a file of another heavy budget is refused");
        free(file.data);
    }
    good.mass = NULL;
    good.n_heavy = 5;
    check(lctx_cache_select(s.c, &good) == LCTX_OK && info_of(&s).n_kept == 5,
          "a heavy cache selects by its own account");
    check(goes_on_right(&s), "and goes on");
    seq_free(&other);
    seq_free(&s);
}

/* ------------------------------------------------------------------------- retrieval */

/* Blocks in a file that is mapped: what is not read need not be in memory. */
#if TEST_PAGES
static void *mapped_alloc(void *user, size_t size, size_t align)
{
    FILE *file = tmpfile();
    void *p;
    if (!file || align > 4096 || fseek(file, (long)size - 1, SEEK_SET) != 0
        || fputc(0, file) == EOF || fflush(file) != 0) return NULL;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    fclose(file);
    if (p == MAP_FAILED) return NULL;
    ++*(int *)user;
    return p;
}
static void mapped_free(void *user, void *ptr, size_t size)
{
    --*(int *)user;
    munmap(ptr, size);
}
#else    /* no files to map: plain memory */
static void *mapped_alloc(void *user, size_t size, size_t align)
{
    unsigned char *raw = (unsigned char *)zeroed((int64_t)(size + align), 1), *p;
    p = raw + align - (uintptr_t)raw % align;
    memcpy(p - sizeof raw, &raw, sizeof raw);
    ++*(int *)user;
    return p;
}
static void mapped_free(void *user, void *ptr, size_t size)
{
    void *raw;
    memcpy(&raw, (unsigned char *)ptr - sizeof raw, sizeof raw);
    (void)size;
    --*(int *)user;
    free(raw);
}
#endif

/* Tokens whose keys cluster, as a text's topics do: 40 tokens each around one of 12 directions. */
static void topic_append(seq *s, int64_t n)
{
    float *k = (float *)zeroed(n * G * DK, 4), *v = (float *)zeroed(n * G * DV, 4), topic[G * DK];
    lctx_rows rows;
    int64_t i, x;
    memset(&rows, 0, sizeof rows);
    for (i = 0; i < n; i++) {
        noise_from(700 + (uint64_t)((s->n + i) / 40 * 7 % 12), 0, topic, G * DK);
        raw_token(s, s->n + i, k + i * G * DK, v + i * G * DV);
        for (x = 0; x < G * DK; x++) k[i * G * DK + x] = k[i * G * DK + x] * 0.5f + topic[x];
        remember(s, s->n + i, k + i * G * DK, v + i * G * DV);
    }
    rows.n = n; rows.k = k; rows.v = s->d.latent ? NULL : v;
    if (lctx_cache_append(s->c, &rows) != LCTX_OK) check(0, "topics are appended");
    s->n += n;
    free(k);
    free(v);
}

static lctx_status retrieve(lctx_cache *c, const lctx_attn *a, const lctx_retrieve *r)
{
    size_t bytes = 0;
    unsigned char *scratch;
    int kept = 1, i;
    lctx_status st = lctx_cache_retrieve_size(c, a, r, &bytes);
    if (st != LCTX_OK) return st;
    scratch = (unsigned char *)malloc(bytes + 64);
    memset(scratch, 0xa5, bytes + 64);
    st = lctx_cache_retrieve(c, a, r, scratch, bytes);
    for (i = 0; i < 64; i++) kept &= scratch[bytes + (size_t)i] == 0xa5;
    if (!kept) check(0, "retrieval keeps within its scratch");
    free(scratch);
    return st;
}

/* Queries that look for a topic, n of them from the end back. */
static lctx_attn topic_queries(const seq *s, int64_t n, uint64_t topic, float *q, float *out,
                               float *lse)
{
    float k[G * DK];
    lctx_attn a;
    int64_t i, x;
    noise_from(700 + topic, 0, k, G * DK);
    noise_from(31 + topic, 1, q, (int)(n * QROW));
    for (i = 0; i < n * H; i++)
        for (x = 0; x < DK; x++) q[i * DK + x] += k[i % H / (H / G) * DK + x];
    memset(&a, 0, sizeof a);
    a.precise = 1;
    a.n_q = n; a.n_head = H; a.q = q; a.q_pos0 = s->n - n; a.out = out; a.lse = lse;
    return a;
}

/* No key of a block scores above its bound. */
static void check_bounds(const seq *s, const lctx_attn *of)
{
    int64_t block = s->d.block, blocks = s->n / block, i, j, t, x, over = 0, tight = 0, n = 0;
    float *bound = (float *)zeroed(G * blocks, 4);
    int32_t *list = (int32_t *)zeroed(G * blocks, 4);
    lctx_span spans[64];
    lctx_choice by;
    lctx_attn all = *of, *a = &all;
    size_t bytes = 0;
    void *scratch;
    int h;
    check(lctx_cache_summaries(s->c, spans, 64, &n) == LCTX_OK && n == blocks,
          "full blocks have summaries");
    memset(&by, 0, sizeof by);
    by.kind = LCTX_SCORE_BOUND; by.score = bound;
    a->n_head_kv = G; a->d_k = DK; a->mask = LCTX_MASK_NONE;
    a->spans = spans; a->n_spans = n;
    a->list_heads = G; a->list_len = blocks; a->list_keys = (int32_t)block;
    check(lctx_choose_size(a, &by, &bytes) == LCTX_OK, "choosing by bounds has a size");
    scratch = malloc(bytes);
    check(lctx_choose(a, &by, list, scratch, bytes) == LCTX_OK, "and bounds are told");
    free(scratch);
    free(list);
    for (h = 0; h < G; h++)
        for (i = 0; i < blocks; i++) {
            double most = -1e30, b = (double)bound[h * blocks + i];
            for (t = 0; t < a->n_q * (H / G); t++)
                for (j = i * block; j < (i + 1) * block && j < s->n; j++) {
                    double sum = 0;
                    const float *q = a->q + (t / (H / G) * H + h * (H / G) + t % (H / G)) * DK;
                    const float *k = s->d.k_type == LCTX_I4 ? s->k4 : s->k;
                    for (x = 0; x < DK; x++)
                        sum += (double)q[x] * (double)k[(j * G + h) * DK + x];
                    most = fmax(most, sum * (double)s->k_factor[j * G + h]);
                }
            over += most > b + 1e-4;
            tight += b < 4 * fabs(most) + 40;
        }
    check(over == 0 && 2 * tight >= G * blocks,
          "no key scores above its block's bound (%s, %d of %d do), and bounds mean something",
          type_names[s->d.k_type], (int)over, (int)(G * blocks));
    free(bound);
}

/* Over what was read, attention is exact; how much mass that is, the full cache tells. */
static void test_retrieve(lctx_type type, int64_t n_q)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, type, type);
    float *q = (float *)zeroed(n_q * QROW, 4), *out = (float *)zeroed(n_q * OROW, 4);
    float *want = (float *)zeroed(n_q * OROW, 4), *lse = (float *)zeroed(2 * n_q * H, 4);
    float *bias, *mass, worst = 0;
    unsigned char read[G * 64];
    lctx_retrieve r;
    lctx_attn a, m;
    int64_t blocks, j, n_read, total = 0;
    double all = 0, caught = 0;
    int mapped = 0, h, topic;
    lctx_allocator files;
    seq s;
    files.alloc = mapped_alloc; files.free = mapped_free; files.user = &mapped;
    d.block = 64; d.summaries = 1; d.alloc = &files;
    s = seq_new(&d, 201, 2000);
    topic_append(&s, 1500);
    topic_append(&s, 77);
    check(mapped > 24, "blocks lie in mapped files (%d)", mapped);
    blocks = info_of(&s).n_block;
    memset(&r, 0, sizeof r);
    r.window = n_q; r.n_top = blocks; r.read = read;
    a = topic_queries(&s, n_q, 3, q, out, lse);
    check(retrieve(s.c, &a, &r) == LCTX_OK, "every block is retrieved");
    m = a;
    m.out = want; m.lse = lse + n_q * H;
    attend(s.c, &m);
    check(memcmp(out, want, (size_t)(n_q * OROW) * 4) == 0
          && memcmp(lse, lse + n_q * H, (size_t)(n_q * H) * 4) == 0,
          "and that has the bits of full attention (%s)", type_names[type]);
    r.n_top = 6; r.n_sink = 1;
    bias = (float *)zeroed(H * s.n, 4);
    mass = (float *)zeroed(G * s.n, 4);
    for (topic = 0; topic < 12; topic++) {
        a = topic_queries(&s, n_q, (uint64_t)topic, q, out, lse);
        check_bounds(&s, &a);
        check(retrieve(s.c, &a, &r) == LCTX_OK, "some blocks are retrieved");
        for (h = 0; h < G; h++)
            for (j = n_read = 0; j < blocks; j++) n_read += read[h * blocks + j];
        total += n_read;
        check(read[0] && read[blocks - 1] && read[blocks] && n_read <= 6 + 1 + (n_q + 126) / 64,
              "the first and the last tokens' blocks are among %d read", (int)n_read);
        for (h = 0; h < H; h++)
            for (j = 0; j < s.n; j++)
                bias[h * s.n + j] = read[h / (H / G) * blocks + j / 64] ? 0 : -(float)INFINITY;
        m = a;
        m.out = want; m.lse = lse + n_q * H; m.bias = bias; m.bias_query = -1;
        attend(s.c, &m);
        for (j = 0; j < n_q * OROW; j++) worst = fmaxf(worst, fabsf(out[j] - want[j]));
        for (j = 0; j < n_q * H; j++) worst = fmaxf(worst, fabsf(lse[j] - lse[n_q * H + j]));
        memset(mass, 0, (size_t)(G * s.n) * 4);
        m.bias = NULL; m.bias_query = 0; m.mass = mass;
        attend(s.c, &m);
        for (j = 0; j < G * s.n; j++) {
            all += (double)mass[j];
            if (read[j / s.n * blocks + j % s.n / 64]) caught += (double)mass[j];
        }
    }
    check(worst < 3e-6f, "attention over what was read is exact (%s: %.1e)", type_names[type],
          (double)worst);
    printf("  cache: %d queries, %s: %.1f of %d blocks hold %.3f of the attention\n", (int)n_q,
           type_names[type], (double)total / 12, (int)blocks, caught / all);
    check(caught / all > 2 * (double)total / 12 / (double)blocks,
          "what is read holds more of the attention than chance would");
    free(q); free(out); free(want); free(lse); free(bias); free(mass);
    seq_free(&s);
    check(mapped == 0, "mapped blocks are given back");
}

/* Blocks that were cut by a rewind, shared, restored or selected from are retrieved as any. */
static void test_retrieve_changed(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    float q[QROW], out[OROW], again[OROW], lse[H], *mass;
    lctx_retrieve r;
    lctx_select sel;
    lctx_attn a;
    stream file, plain;
    seq s, f, b, without;
    d.block = 64; d.summaries = 1;
    s = seq_new(&d, 211, 2000);
    topic_append(&s, 500);
    f = seq_fork(&s, 212);
    check(lctx_cache_rewind(f.c, 300) == LCTX_OK, "a fork is rewound into a full block");
    f.n = 300;
    seq_append(&f, 200);
    a = topic_queries(&f, 1, 5, q, out, lse);
    check_bounds(&f, &a);
    check_bounds(&s, &a);
    file = saved(&f);
    b = seq_fork(&s, 1);
    memcpy(b.k, f.k, (size_t)(f.n * G * DK) * 4);
    check(lctx_cache_restore(b.c, stream_read, &file) == LCTX_OK,
          "a cache with summaries is restored");
    check_bounds(&b, &a);
    d.summaries = 0, without = seq_new(&d, 1, 2000), file.at = 0;
    check(lctx_cache_restore(without.c, stream_read, &file) == LCTX_OK, "and one without");
    plain = saved(&without);
    check(plain.n == file.n && lctx_cache_restore(b.c, stream_read, &plain) == LCTX_OK,
          "and from that one with them");
    check_bounds(&b, &a);
    free(plain.data);
    seq_free(&without);
    memset(&sel, 0, sizeof sel);
    memset(&r, 0, sizeof r);
    mass = observed(&f, 8, 0);
    sel.mass = mass; sel.n_heavy = 50; sel.window = 230;
    check(lctx_cache_select(f.c, &sel) == LCTX_OK, "a cache with summaries is selected from");
    r.window = 1; r.n_top = 100;
    a = topic_queries(&f, 1, 5, q, out, lse);
    check(retrieve(f.c, &a, &r) == LCTX_OK, "and retrieved from");
    {
        seen v = seen_by(&f, f.n - 1);
        oracle_error e;
        memset(&e, 0, sizeof e);
        compare_token(&v, q, q, f.n - 1, out, lse, &e);
        check(e.worst < 2e-5, "what a selection kept is read with the blocks (%.1e)", e.worst);
        seen_free(&v);
        a.window = 330;
        retrieve(f.c, &a, &r);
        a.out = again;
        attend(f.c, &a);
        check(memcmp(out, again, sizeof out) == 0, "a window sees each head's own positions");
    }
    free(mass);
    free(file.data);
    seq_free(&b);
    seq_free(&f);
    seq_free(&s);
}

/* The last tokens that there are, of a query however far behind them. */
static void test_retrieve_behind(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    float q[QROW], out[OROW], lse[H];
    unsigned char read[G * 64];
    int64_t behind, window, b, blocks;
    int wrong = 0;
    lctx_retrieve r;
    lctx_attn a;
    seq s;
    d.block = 64; d.summaries = 1;
    s = seq_new(&d, 231, 2000);
    topic_append(&s, 500);             /* the last block is being filled */
    blocks = info_of(&s).n_block;
    memset(&r, 0, sizeof r);
    r.read = read;
    for (behind = 0; behind < (int64_t)1 << 40; behind = 7 * behind + 1)
        for (window = 1; window <= 53 + 64; window += 52) {      /* 500 = 7 * 64 + 52 */
            a = topic_queries(&s, 1, 5, q, out, lse);
            a.q_pos0 = s.n - 1 + behind, r.window = window;
            wrong += retrieve(s.c, &a, &r) != LCTX_OK;
            for (b = 0; b < G * blocks; b++)
                wrong += read[b] != (b % blocks >= blocks - 1 - (window + 11) / 64);
        }
    check(!wrong, "a query behind all keys, however far, reads the last of them (%d do not)", wrong);
    seq_free(&s);
}

/* With a choice for each query, what it reads and its bits depend neither on the queries beside it
   nor on the tokens after it; with one for some of neighbouring positions, on these alone. */
static void test_retrieve_alone(lctx_type type, int32_t queries)
{
    enum { N = 600, FROM = 560, Q = N - FROM };
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, type, type);
    float *q = (float *)zeroed(Q * QROW, 4), *out = (float *)zeroed(2 * Q * OROW, 4), *lse;
    lctx_retrieve r;
    lctx_attn a;
    int64_t t, same = 1, calls = 0, fewer = 0, i, end;
    unsigned char read[G * 64];
    seq s;
    lse = (float *)zeroed(2 * Q * H, 4);
    d.block = 64; d.summaries = 1;
    s = seq_new(&d, 221, 2000);
    topic_append(&s, N);
    memset(&r, 0, sizeof r);
    r.n_top = 2; r.window = 70; r.n_sink = 1; r.queries = queries; r.read = read;
    a = topic_queries(&s, Q, 4, q, out, lse);
    check(retrieve(s.c, &a, &r) == LCTX_OK, "queries choose for themselves");
    check(lctx_cache_rewind(s.c, FROM) == LCTX_OK, "and again, as tokens come");
    s.n = FROM;
    for (t = 0; t < Q; t = end) {
        end = queries == 1 ? t + 1 : (FROM + t) / queries * queries + queries - FROM;
        if (end > Q) end = Q;
        topic_append(&s, end - t);
        a.n_q = end - t, a.q_pos0 = FROM + t, a.q = q + t * QROW;
        a.out = out + (Q + t) * OROW, a.lse = lse + (Q + t) * H;
        same &= retrieve(s.c, &a, &r) == LCTX_OK;
        calls++;
        for (i = 0; i < info_of(&s).n_block; i++) fewer += !read[i];
    }
    same &= memcmp(out, out + Q * OROW, Q * OROW * 4) == 0
            && memcmp(lse, lse + Q * H, Q * H * 4) == 0;
    check(same && fewer > calls, "a choice for %d queries: the same bits together and as tokens come (%s)",
          (int)queries, type_names[type]);
    free(q); free(out); free(lse);
    seq_free(&s);
}

static void test_retrieve_arguments(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16), w;
    static float q[QROW], out[OROW], lse[H], scratch[16];
    lctx_retrieve good, r;
    lctx_attn base, a;
    lctx_pattern pattern;
    lctx_rope rope;
    const int32_t list = 0;
    size_t bytes = 0;
    lctx_span span;
    int64_t n;
    seq s, plain;
    memset(&pattern, 0, sizeof pattern);
    pattern.kind = LCTX_PATTERN_STRIDED;
    memset(&rope, 0, sizeof rope);
    rope.n_rot = 2;
    d.block = 64;
    plain = built(&d, 3, 300);
    d.summaries = 1;
    s = built(&d, 3, 300);
    memset(&good, 0, sizeof good);
    good.window = 1; good.n_top = 1;
    base = topic_queries(&s, 1, 1, q, out, lse);
    check(retrieve(s.c, &base, &good) == LCTX_OK, "a cache is retrieved from");
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        r = good; a = base; change; st = retrieve(s.c, &a, &r); \
        check(st == status, "retrieving with %s gives \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
    } while (0)
    REFUSED(LCTX_E_WINDOW, "a negative number of blocks", r.n_top = -1);
    REFUSED(LCTX_E_WINDOW, "no window", r.window = 0);
    REFUSED(LCTX_E_WINDOW, "negative sinks", r.n_sink = -1);
    REFUSED(LCTX_E_COUNT, "a choice for -1 queries", r.queries = -1);
    REFUSED(LCTX_E_LIST, "lists of one's own", a.list = &list);
    REFUSED(LCTX_E_LENGTH, "a pattern of no length", a.pattern = &pattern);
    REFUSED(LCTX_E_POLICY, "raw keys", a.rope = &rope);
    REFUSED(LCTX_E_NULL, "no queries", a.q = NULL);
    REFUSED(LCTX_E_NULL, "no output", a.out = NULL);
    REFUSED(LCTX_E_HEADS, "heads that do not divide", a.n_head = 5);
    REFUSED(LCTX_E_HEADS, "other KV heads", a.n_head_kv = 1);
    REFUSED(LCTX_E_STRIDE, "a short stride of lse", a.lse_token = 4);
#undef REFUSED
    check(retrieve(plain.c, &base, &good) == LCTX_E_POLICY
          && lctx_cache_summaries(plain.c, &span, 1, &n) == LCTX_E_POLICY,
          "without summaries nothing is retrieved");
    seq_free(&plain);
    w = desc_of(LCTX_WINDOW, 33, 0, LCTX_F16, LCTX_F16);
    w.summaries = 1;
    plain = built(&w, 3, 300);
    check(retrieve(plain.c, &base, &good) == LCTX_E_POLICY, "nor from windows");
    check(lctx_cache_retrieve_size(NULL, &base, &good, &bytes) == LCTX_E_NULL
          && lctx_cache_retrieve_size(s.c, NULL, &good, &bytes) == LCTX_E_NULL
          && lctx_cache_retrieve_size(s.c, &base, NULL, &bytes) == LCTX_E_NULL
          && lctx_cache_retrieve_size(s.c, &base, &good, NULL) == LCTX_E_NULL
          && lctx_cache_retrieve(NULL, &base, &good, scratch, 64) == LCTX_E_NULL
          && lctx_cache_retrieve(s.c, NULL, &good, scratch, 64) == LCTX_E_NULL
          && lctx_cache_retrieve(s.c, &base, NULL, scratch, 64) == LCTX_E_NULL
          && lctx_cache_summaries(NULL, &span, 1, &n) == LCTX_E_NULL
          && lctx_cache_summaries(s.c, NULL, 1, &n) == LCTX_E_NULL
          && lctx_cache_summaries(s.c, &span, -1, &n) == LCTX_E_COUNT
          && lctx_cache_summaries(s.c, &span, 1, NULL) == LCTX_E_NULL,
          "retrieving from, by or to nothing is refused");
    check(lctx_cache_retrieve(s.c, &base, &good, NULL, 1 << 20) == LCTX_E_SCRATCH
          && lctx_cache_retrieve(s.c, &base, &good, scratch, sizeof scratch) == LCTX_E_SCRATCH,
          "too little scratch is refused");
    seq_free(&plain);
    seq_free(&s);
}

/* ------------------------------------------------------------------------- beyond the end */

/* Queries that stand where the next token will and beyond see the same keys, open or not. */
/* How far any of these rows of outputs is from what all should be; NaN where one is. */
static double farthest(const float *out, int rows, const float *want)
{
    double far = 0;
    int i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < OROW; j++) {
            const double off = fabs((double)(out[i * OROW + j] - want[j]));
            if (!(off <= far)) far = off;
        }
    return far;
}

static void test_beyond(lctx_policy policy, lctx_type k, int64_t n)
{
    static const int64_t beyond[] = { 0, 1, 57, 58, 59, 63, 64, 186, 187, 700 };
    enum { N = sizeof beyond / sizeof *beyond };
    lctx_cache_desc d = desc_of(policy, policy == LCTX_FULL ? 0 : 2000, policy == LCTX_SINKS,
                                k, LCTX_F32);
    static float q[QROW], many[N * QROW], want[OROW], out[N * OROW];
    int64_t pos[N];
    lctx_attn a;
    double worst, far;
    size_t bytes = 0;
    lctx_retrieve r;
    int i;
    seq s;
    d.summaries = policy == LCTX_FULL;
    s = built(&d, 3, n);
    memset(&a, 0, sizeof a);
    noise_from(900, n, q, QROW);
    for (i = 0; i < N; i++) memcpy(many + i * QROW, q, sizeof q), pos[i] = n + beyond[i];
    a.n_q = 1; a.n_head = H; a.q = a.q_far = q; a.q_pos0 = n; a.out = want;
    a.precise = 1;
    check(attend(s.c, &a) == LCTX_OK, "the next token's query is attended");
    for (i = 0; i < N; i++) {
        a.q_pos0 = pos[i], a.out = out + i * OROW;
        check(attend(s.c, &a) == LCTX_OK, "a query beyond the last key is attended");
    }
    worst = farthest(out, N, want);
    a.out = out, a.n_q = N; a.q = a.q_far = many; a.q_pos = pos;
    check(attend(s.c, &a) == LCTX_OK, "queries beyond the last key are attended together");
    far = farthest(out, N, want);
    check(worst < 1e-6 && far < 1e-6, "policy %d, %s: queries far beyond %d keys see what the next"
          " does (%.1e, %.1e off)", (int)policy, lctx_type_name(k), (int)n, worst, far);
    memset(&r, 0, sizeof r);
    r.n_top = 9; r.window = 1;
    a.n_q = (int64_t)(SIZE_MAX >> 17); a.q_pos = NULL; a.q_pos0 = 0;
    check(lctx_cache_attend_size(s.c, &a, &bytes) == LCTX_OK
          && (policy != LCTX_FULL || lctx_cache_retrieve_size(s.c, &a, &r, &bytes) == LCTX_OK),
          "as many queries as there may be are sized");
    a.n_q = N; a.q_pos = pos;
    if (policy == LCTX_FULL) {
        check(retrieve(s.c, &a, &r) == LCTX_OK, "and are retrieved for");
        far = farthest(out, N, want);
        check(far < 1e-6, "retrieval beyond %d keys sees them (%.1e off)", (int)n, far);
    }
    seq_free(&s);
}

/* ------------------------------------------------------------------------- drop and join */

/* Are exactly the tokens outside of the ranges left, in every head? */
static int left_without(const seq *s, const int64_t (*ranges)[2], int n)
{
    leftover left = kept_by(s);
    int64_t j, wrong = 0;
    int i, g;
    for (j = 0; j < s->n; j++)
        for (g = 0; g < G; g++) {
            int out = 0;
            for (i = 0; i < n; i++) out |= j >= ranges[i][0] && j < ranges[i][1];
            wrong += is_kept(&left, g, j) == out;
        }
    return wrong == 0;
}

static void test_drop(lctx_policy policy, lctx_type k, lctx_type v)
{
    static const int64_t ranges[][2] = { { 100, 130 }, { 0, 7 }, { 300, 400 }, { 390, 401 } };
    lctx_cache_desc d = desc_of(policy, policy ? 1000 : 0, 0, k, v);
    lctx_cache_info info;
    snapshot before, after;
    seq s, whole;
    int i;
    d.block = 64;
    s = seq_new(&d, 221, 2000);
    seq_append(&s, 400);
    whole = seq_fork(&s, 222);
    before = snapshot_of(&whole);
    check(lctx_cache_drop(s.c, 40, 40) == LCTX_OK && unchanged(&s, &before),
          "an empty range drops nothing");
    for (i = 0; i < 4; i++) {
        if (i == 3) seq_append(&s, 10);
        check(lctx_cache_drop(s.c, ranges[i][0], ranges[i][1]) == LCTX_OK, "a range is dropped");
        check(left_without(&s, ranges, i + 1), "what is outside of the ranges is left, and nothing"
              " else (%s, %s/%s, %d)", policy_names[policy], type_names[k], type_names[v], i);
        info = info_of(&s);
        check(sound_info(&s, &info) && holds_bits(&s) && info.rewind_min == (i < 2 ? 130 : i < 3
              ? 400 : 401), "bits are kept, and numbers tell of it (%s)", policy_names[policy]);
    }
    check(info.n_dropped == 7 + 30 + 101, "what was dropped is counted");
    check(goes_on_right(&s), "without the ranges the sequence goes on right (%s, %s/%s)",
          policy_names[policy], type_names[k], type_names[v]);
    after = snapshot_of(&whole);
    check(same_contents(&before, &after) && goes_on_right(&whole), "a fork keeps what was dropped");
    seq_free(&s);
    seq_free(&whole);
}

static void test_drop_arguments(void)
{
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 33, 0, LCTX_F16, LCTX_F16), w;
    snapshot before;
    counter count;
    lctx_allocator alloc = counted(&count);
    float *noise = (float *)zeroed(G * 600, 4);
    lctx_select sel;
    seq s;
    int k, ok = 1;
    d.alloc = &alloc;
    d.block = 64;
    s = built(&d, 5, 300);
    memset(&sel, 0, sizeof sel);
    noise_from(1, 1, noise, G * 600);
    sel.mass = noise; sel.n_heavy = 30; sel.window = 20;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK, "heads select for themselves");
    before = snapshot_of(&s);
    check(lctx_cache_drop(s.c, 60, 150) == LCTX_E_EVICTED && unchanged(&s, &before),
          "a range of which heads hold more or less is not dropped");
    check(lctx_cache_drop(s.c, -1, 5) == LCTX_E_POS && lctx_cache_drop(s.c, 6, 5) == LCTX_E_POS
          && lctx_cache_drop(s.c, 0, 301) == LCTX_E_POS && unchanged(&s, &before),
          "ranges that are none are refused");
    check(lctx_cache_drop(NULL, 0, 0) == LCTX_E_NULL, "dropping from nothing is refused");
    for (k = 1; k <= 2; k++) {
        count.calls = 0;
        count.fail_at = k;
        ok &= lctx_cache_drop(s.c, 285, 295) == LCTX_E_MEMORY;
        count.fail_at = 0;
        ok &= unchanged(&s, &before);
    }
    check(ok, "without memory nothing is dropped");
    check(lctx_cache_drop(s.c, 285, 295) == LCTX_OK && goes_on_right(&s),
          "what all heads hold can be dropped");
    seq_free(&s);
    check(count.bytes == 0 && count.wrong == 0, "and nothing leaks");
    w = desc_of(LCTX_WINDOW, 33, 0, LCTX_F16, LCTX_F16);
    s = built(&w, 5, 300);
    check(lctx_cache_drop(s.c, 280, 290) == LCTX_E_POLICY
          && lctx_cache_begin(s.c, 5) == LCTX_E_POLICY
          && lctx_cache_join(s.c, s.c) == LCTX_E_POLICY, "windows neither drop nor begin nor join");
    seq_free(&s);
    free(noise);
}

/* Half a sequence by itself: its tokens stand where they would. */
static seq half_of(const lctx_cache_desc *d, uint64_t seed, int64_t from, int64_t n)
{
    seq s = seq_new(d, seed, 2000);
    if (lctx_cache_begin(s.c, from) != LCTX_OK) check(0, "an empty cache begins anywhere");
    s.n = from;
    seq_append(&s, n);
    return s;
}

static void take_over(seq *s, const seq *half, int64_t from)
{
    copy_past(s, half, from, half->n);
    s->n = half->n;
}

static void test_join(lctx_policy policy, lctx_type k, lctx_type v, int64_t from, int64_t n)
{
    lctx_cache_desc d = desc_of(policy, policy ? 1000 : 0, 0, k, v);
    counter count;
    lctx_allocator alloc = counted(&count);
    snapshot want, got, before;
    lctx_cache_info info;
    stream file;
    seq s, half, one, copy;
    int64_t fail, told = 0, kept = 0;
    lctx_status st = LCTX_E_MEMORY;
    d.block = k == LCTX_I4 ? 256 : 64; d.alloc = &alloc; d.summaries = 1;    /* both hold part */
    one = seq_new(&d, 231, 2000);
    seq_append(&one, from + n);
    want = snapshot_of(&one);
    s = seq_new(&d, 231, 2000);
    if (from) seq_append(&s, from);
    copy = seq_fork(&s, 231);
    half = half_of(&d, 231, from, n);
    info = info_of(&half);
    check(info.n == from + n && info.n_held == n && info.rewind_min == from
          && goes_on_right(&half) && lctx_cache_rewind(half.c, from + n) == LCTX_OK,
          "a cache that begins at %d goes on right", (int)from);
    half.n = from + n;
    file = saved(&half);
    check(lctx_cache_restore(half.c, stream_read, &file) == LCTX_OK, "and is restored");
    before = snapshot_of(&s);
    for (fail = 1; st != LCTX_OK && fail < 20; fail++) {
        count.calls = 0;
        count.fail_at = fail;
        st = lctx_cache_join(s.c, half.c);
        count.fail_at = 0;
        told += st == LCTX_E_MEMORY;
        if (st != LCTX_OK) kept += unchanged(&s, &before);
    }
    check(st == LCTX_OK && kept == told && told == fail - 2,
          "joining without memory changes nothing (%d times)", (int)told);
    take_over(&s, &half, from);
    got = snapshot_of(&s);
    check(same_contents(&want, &got), "%d + %d tokens joined have the bits of one sequence (%s,"
          " %s/%s)", (int)from, (int)n, policy_names[policy], type_names[k], type_names[v]);
    info = info_of(&s);
    check(info.bytes_shared > 0 || from / d.block == (from + n - 1) / d.block, "and share blocks");
    if (policy == LCTX_FULL) {
        float q[QROW], out[OROW], lse[H];
        lctx_attn a = topic_queries(&s, 1, 1, q, out, lse);
        check_bounds(&s, &a);
    }
    check(goes_on_right(&half) && goes_on_right(&s) && goes_on_right(&copy) && goes_on_right(&one),
          "both go on apart (%s)", policy_names[policy]);
    check(lctx_cache_join(s.c, half.c) == LCTX_E_POS && lctx_cache_join(s.c, s.c) == LCTX_E_POS,
          "what does not follow is not joined");
    seq_free(&half);
    check(goes_on_right(&s), "the joined outlives its part");
    seq_free(&s);
    seq_free(&one);
    seq_free(&copy);
    free(file.data);
    check(count.bytes == 0 && count.wrong == 0, "joined caches leave nothing");
}

enum { HEAD = 17 };            /* words before the first checksum */

/* A file with word i changed and its checksums, after the head and at the end, made right again. */
static void forge(stream *file, size_t i, int64_t value)
{
    uint64_t sum = 0xcbf29ce484222325u, word;
    size_t w, n = file->n / 8;
    memcpy(file->data + i * 8, &value, 8);
    for (w = 0; w < n; w++) {
        if (w == HEAD || w == n - 1) memcpy(file->data + w * 8, &sum, 8);
        memcpy(&word, file->data + w * 8, 8);
        sum = (sum ^ word) * 0x100000001b3u;
        sum ^= sum >> 29;
    }
}

/* Restored into a fresh cache it is the same: numbers, bits, the file that is saved again, and what
   becomes of it when more comes and goes. */
static int comes_back(const seq *s)
{
    seq a = seq_fork(s, s->seed + 1), b = seq_new(&s->d, s->seed + 1, s->cap);
    stream file = saved(s), again;
    snapshot x, y;
    int64_t to, i;
    int ok = lctx_cache_restore(b.c, stream_read, &file) == LCTX_OK && file.at == file.n;
    b.n = s->n;
    again = saved(&b);
    ok = ok && again.n == file.n && !memcmp(again.data, file.data, file.n);
    for (i = 0; i < 4; i++) {
        x = snapshot_of(&a);
        y = snapshot_of(&b);
        x.info.bytes_shared = y.info.bytes_shared = 0;
        ok = ok && !memcmp(&x, &y, sizeof x);
        to = i == 0 ? s->n : i == 1 ? s->n / LCTX_TILE * LCTX_TILE : s->n + 20;
        if (i != 3) ok = ok && lctx_cache_rewind(a.c, to) == lctx_cache_rewind(b.c, to);
        a.n = b.n = info_of(&a).n;
        ok = ok && append_alike(&a, &b, 40 * i + 1);
    }
    free(file.data);
    free(again.data);
    seq_free(&a);
    seq_free(&b);
    return ok;
}

/* One thing more that may be done to a cache; refused or not, it can be saved and restored. */
static void wander(seq *s)
{
    static const int64_t sizes[] = { 1, 5, 63, 64, 65, 130 };
    static float mass[G * 2000];
    const lctx_cache_info info = info_of(s);
    const int64_t any = s->n ? (int64_t)(test_random() % (uint64_t)s->n) : 0;
    const uint64_t what = info.n > 1200 ? 6 : test_random() % 8;
    const int64_t tile = any / LCTX_TILE * LCTX_TILE;
    float out[OROW], lse[H];
    lctx_select sel;
    memset(&sel, 0, sizeof sel);
    sel.mass = mass; sel.n_heavy = 20; sel.window = any % 100; sel.n_sink = (int32_t)(any % 3);
    if (what < 3) seq_append(s, sizes[test_random() % COUNT(sizes)]);
    if (what < 3) seq_attend(s, s->n - 1, 1, out, lse, NULL);
    if (what == 3) lctx_cache_rewind(s->c, any < info.rewind_min ? info.rewind_min : any);
    if (what == 4) lctx_cache_rewind(s->c, tile);
    if (what == 5) lctx_cache_drop(s->c, any / 3, any);
    if (what == 6) lctx_cache_rewind(s->c, 0);
    if (what == 6) lctx_cache_begin(s->c, s->d.k_type == LCTX_I4 ? tile % 1024 : any % 1024);
    if (what == 7) lctx_cache_select(s->c, &sel);
    s->n = info_of(s).n;
    s->seed = test_random();
}

/* Under each instruction set another walk. */
static void test_wandering(lctx_policy policy, lctx_type type, int64_t window, int32_t block)
{
    lctx_cache_desc d = desc_of(policy, policy ? window : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    uint64_t state = (uint64_t)(policy * 1000 + window) + (uint64_t)lctx_isa_get() * 10000;
    int i, ok = 0, steps = full() ? 200 : quick() ? 15 : few() ? 40 : 100;
    seq s;
    d.block = block;
    s = seq_new(&d, 301, 0);
    for (i = 0; i < steps; i++) {
        test_state = state;
        wander(&s);
        state = test_random();
        ok += comes_back(&s);
    }
    check(ok == steps, "a cache comes back from a file whatever was done to it (%d of %d: %s, window %d"
          ", block %d, %s)", ok, steps, policy_names[policy], (int)window, block, type_names[type]);
    seq_free(&s);
}

/* Caches with nothing in them where something might be. */
static void test_bare_files(void)
{
    int policy;
    seq s;
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        lctx_cache_desc d = desc_of((lctx_policy)policy, policy ? 1 : 0, policy == LCTX_SINKS ? 4 : 0,
                                    LCTX_F16, LCTX_F16);
        d.block = 64;
        s = seq_new(&d, 311, 0);
        check(comes_back(&s), "an empty cache comes back (%s)", policy_names[policy]);
        seq_append(&s, 128);
        seq_append(&s, 1);
        lctx_cache_rewind(s.c, s.n = 128);
        check(comes_back(&s), "a block's end to which it was rewound comes back (%s, window 1)",
              policy_names[policy]);
        seq_append(&s, 10);
        if (!windowed(&d)) lctx_cache_drop(s.c, 0, 138);
        check(comes_back(&s), "all dropped, it comes back (%s)", policy_names[policy]);
        lctx_cache_rewind(s.c, s.n = 0);
        check(comes_back(&s), "rewound to its beginning it comes back (%s)", policy_names[policy]);
        if (!windowed(&d)) lctx_cache_begin(s.c, s.n = 100);
        check(comes_back(&s), "an empty cache that begins elsewhere comes back (%s)",
              policy_names[policy]);
        seq_free(&s);
        d.max_tokens = 100;
        s = seq_new(&d, 312, 0);
        seq_append(&s, 100);
        seq_append(&s, 100);
        check(s.n == (policy ? 200 : 100) && comes_back(&s), "max_tokens bounds a full cache alone"
              " (%s)", policy_names[policy]);
        lctx_cache_rewind(s.c, 0);
        if (!policy) check(lctx_cache_begin(s.c, 101) == LCTX_E_FULL && info_of(&s).n == 0
                           && lctx_cache_begin(s.c, 100) == LCTX_OK, "and where it may begin");
        seq_free(&s);
    }
}

/* Files that say impossible things of a selection, with right checksums. */
static void test_forged(lctx_policy policy)
{
    enum { N = 12, BLOCKS, CUT, KEPT, SUM = HEAD };    /* words of the head */
    lctx_cache_desc d = desc_of(policy, policy ? 33 : 0, 0, LCTX_F16, LCTX_I8);
    static float mass[G * 600];
    lctx_select sel;
    lctx_tiles t;
    snapshot before;
    stream file, part;
    seq a, b;
    size_t bytes = 0, pos;
    d.block = 64;
    a = built(&d, 71, 300);
    b = built(&d, 72, 150);
    before = snapshot_of(&b);
    memset(&sel, 0, sizeof sel);
    sel.mass = mass; sel.n_heavy = 30; sel.window = 100;
    check(lctx_cache_select(a.c, &sel) == LCTX_OK || policy == LCTX_WINDOW, "a cache selects");
    file = saved(&a);
    memset(&t, 0, sizeof t);
    t.n_head_kv = G; t.d_k = DK; t.d_v = DV; t.k_type = LCTX_F16; t.v_type = LCTX_I8; t.cap = 64;
    if (lctx_tiles_size(&t, &bytes) != LCTX_OK) check(0, "a store has a size");
    pos = SUM + 1 + bytes / 8;
#define FORGED(what, word, value) \
    do { \
        lctx_status st; \
        part = file; part.at = 0; \
        part.data = (unsigned char *)malloc(file.n); \
        memcpy(part.data, file.data, file.n); \
        forge(&part, word, value); \
        st = lctx_cache_restore(b.c, stream_read, &part); \
        check(st == LCTX_E_FORMAT && unchanged(&b, &before), "a file with %s is refused (%s: %s)", \
              what, policy_names[policy], lctx_status_text(st)); \
        free(part.data); \
    } while (0)
    FORGED("the bytes of its words in the other order", 0, 0x4c54584143483100);
    FORGED("fewer tokens than were cut", N, 20);
    FORGED("a negative cut", CUT, -64);
    FORGED("more kept than were cut", KEPT, 400);
    FORGED("a negative number kept", KEPT, -1);
    FORGED("a block too many", BLOCKS, 17);
    if (policy == LCTX_WINDOW) FORGED("open keys that there are not", SUM + 2, 192);
    if (policy == LCTX_WINDOW) FORGED("a cut in a window", CUT, 64);
    else {
        FORGED("a block too few", BLOCKS, 1);
        FORGED("a position that goes back", pos + 1, 0);
        FORGED("a position beyond the cut", pos + 29, 201);
        FORGED("a negative position", pos, -1);
    }
#undef FORGED
    part = file;
    forge(&part, N, 300);
    part.at = 0;
    check(lctx_cache_restore(b.c, stream_read, &part) == LCTX_OK,
          "a file with nothing changed is taken, checksums made anew (%s)", policy_names[policy]);
    free(file.data);
    seq_free(&a);
    seq_free(&b);
}

/* Are the keys there that the next query sees, as far as the cache says to have them? */
static int sees_its_keys(const seq *s)
{
    static lctx_span spans[512];
    const lctx_cache_info info = info_of(s);
    const int64_t from = windowed(&s->d) ? info.n - s->d.window + 1 : info.n;
    int64_t at = -1, n = 0, i, held = 0;
    if (lctx_cache_spans(s->c, spans, 512, &n) != LCTX_OK || n > 512) return 0;
    for (i = 0; i < n; i++) {
        const int64_t pos = spans[i].pos;
        held += spans[i].n;
        if (spans[i].k_pos) continue;                /* what a selection kept */
        if (pos != at && !(at < 0 && (pos == 0 || !windowed(&s->d)))
            && (!windowed(&s->d) || at < s->d.n_sink - (s->d.n_sink == 0) || pos > from))
            return 0;
        if (at < 0 && !windowed(&s->d) && pos > info.rewind_min) return 0;
        at = pos + spans[i].n;
    }
    return held == info.n_held && (at == info.n || from >= info.n);
}

/* Numbers that a file may claim where another stood. */
static int64_t claim_of(int64_t was, int i)
{
    static const int64_t fixed[] = { -1, 0, 1, 2, 3, 4, 63, 64, 65, 100, 128, 192, 250, 1000,
                                     (int64_t)1 << 31, (int64_t)1 << 48, INT64_MAX, INT64_MIN };
    static const int64_t steps[] = { -64, -2, -1, 1, 2, 64 };
    return i < 18 ? fixed[i] : (int64_t)((uint64_t)was + (uint64_t)steps[i - 18]);
}

/* Whatever a word of a file says that is not a key's or a value's, with right checksums: it is
   refused, or as good as any. */
static void test_claimed(lctx_policy policy, lctx_type type, int64_t window)
{
    lctx_cache_desc d = desc_of(policy, policy ? window : 0, policy == LCTX_SINKS ? 4 : 0, type, type);
    static float mass[G * 600];
    size_t places[64], n_place = HEAD, at = HEAD + 1, i, word, bytes = 0;
    int64_t tried = 0, refused = 0, taken = 0;
    stream file, part;
    snapshot before;
    lctx_select sel;
    lctx_tiles t;
    seq a, b;
    int k;
    d.block = 64;
    a = built(&d, 71, 300);
    b = built(&d, 72, 150);
    memset(&sel, 0, sizeof sel);
    sel.mass = mass; sel.n_heavy = 30; sel.window = 100;
    lctx_cache_select(a.c, &sel);
    file = saved(&a);
    part = file;
    part.data = (unsigned char *)malloc(file.n);
    before = snapshot_of(&b);
    for (i = 0; i < HEAD; i++) places[i] = i;
    memset(&t, 0, sizeof t);
    t.n_head_kv = G; t.d_k = DK; t.d_v = DV; t.k_type = t.v_type = (int32_t)type; t.cap = 64;
    t.latent = d.latent;
    if (lctx_tiles_size(&t, &bytes) != LCTX_OK) check(0, "a store has a size");
    if (info_of(&a).n_kept) {
        if (type == LCTX_I4) t.k_type = LCTX_F16;
        if (lctx_tiles_size(&t, &word) != LCTX_OK) check(0, "a store has a size");
        for (at += word / 8, i = 0; i < 60; i += 9) places[n_place++] = at + i;
        at += 60;
    }
    for (i = 0; i < (size_t)info_of(&a).n_block; i++) {
        int64_t open;
        memcpy(&open, file.data + (at + 1) * 8, 8);
        places[n_place++] = at;
        places[n_place++] = at + 1;
        at += 2 + bytes / 8 + (open < 0 ? 0 : G * DK * 64 * 2 / 8);
    }
    for (i = 0; i < n_place; i++)
        for (k = 0; k < 24; k++) {
            int64_t was, claim;
            lctx_status st;
            memcpy(&was, file.data + places[i] * 8, 8);
            claim = claim_of(was, k);
            if (claim == was) continue;
            memcpy(part.data, file.data, file.n);
            part.at = 0;
            forge(&part, places[i], claim);
            st = lctx_cache_restore(b.c, stream_read, &part);
            tried++;
            refused += st != LCTX_OK && unchanged(&b, &before);
            if (st != LCTX_OK) continue;
            b.n = info_of(&b).n;
            taken += part.at == part.n && sees_its_keys(&b) && comes_back(&b);
            if (!windowed(&d)) lctx_cache_drop(b.c, 0, b.n - 1);
            seq_free(&b);
            b = built(&d, 72, 150);
        }
    check(tried > 300 && refused + taken == tried, "of %d files with one false word %d are refused and"
          " %d are whole (%s, %s)", (int)tried, (int)refused, (int)taken, policy_names[policy],
          type_names[type]);
    free(part.data);
    free(file.data);
    seq_free(&a);
    seq_free(&b);
}

/* A stream and a cache's allocator, and the most that was in use when so much had come. */
typedef struct arrival { stream file; counter *count; int64_t ratio; } arrival;

static int arrival_read(void *user, void *data, size_t n)
{
    arrival *a = (arrival *)user;
    const int64_t ratio = a->count->bytes / ((int64_t)a->file.at + 65536);
    if (ratio > a->ratio) a->ratio = ratio;
    return stream_read(&a->file, data, n);
}

/* A file of 136 bytes: heads that promise much. */
static void test_claims(lctx_policy policy)
{
    enum { N = 12, BLOCKS, CUT, KEPT };
    static const int64_t much[][4] = {
        { (int64_t)1 << 36, 0, (int64_t)1 << 36, (int64_t)1 << 36 },
        { (int64_t)1 << 36, (int64_t)1 << 30, 0, 0 },
        { (int64_t)1 << 36, 1, ((int64_t)1 << 36) - 64, 1 << 30 } };
    lctx_cache_desc d = desc_of(policy, policy ? (int64_t)1 << 40 : 0, policy == LCTX_SINKS ? 4 : 0,
                                LCTX_F16, LCTX_F16);
    counter count;
    lctx_allocator alloc = counted(&count);
    size_t i;
    d.block = 64;
    d.alloc = &alloc;
    for (i = 0; i < COUNT(much); i++) {
        seq s = seq_new(&d, 1, 10);
        stream file = saved(&s);
        lctx_status st;
        file.n = (HEAD + 1) * 8;
        memcpy(file.data + N * 8, much[i], sizeof much[i]);
        forge(&file, N, much[i][0]);
        count.largest = 0;
        st = lctx_cache_restore(s.c, stream_read, &file);
        check((st == LCTX_E_IO || st == LCTX_E_FORMAT) && count.largest < 1 << 20, "a head alone makes"
              " no cache ask for much memory (%s: %s, %d KiB)", policy_names[policy],
              lctx_status_text(st), (int)(count.largest >> 10));
        free(file.data);
        seq_free(&s);
    }
    check(count.bytes == 0 && count.wrong == 0, "and nothing is left");
}

/* As a file arrives, so is memory asked for. */
static void test_arrivals(void)
{
    static const lctx_type types[] = { LCTX_F32, LCTX_I4 };
    int i;
    for (i = 0; i < 2; i++) {
        lctx_cache_desc d = desc_of(LCTX_HEAVY, 100, 0, types[i], types[i]);
        counter count;
        arrival in;
        lctx_allocator alloc = counted(&count);
        float *mass = (float *)zeroed(G * 9000, 4);
        lctx_select sel;
        seq s = seq_new(&d, 1, 9000), to;
        d.alloc = &alloc;
        memset(&sel, 0, sizeof sel);
        memset(&in, 0, sizeof in);
        sel.mass = mass; sel.n_heavy = 6000; sel.window = 2000;
        seq_append(&s, 9000);
        check(lctx_cache_select(s.c, &sel) == LCTX_OK, "much is kept");
        in.file = saved(&s);
        in.count = &count;
        to = seq_new(&d, 1, 10);
        check(lctx_cache_restore(to.c, arrival_read, &in) == LCTX_OK && in.ratio < 4,
              "a cache being restored holds at most a few times what has come (%d, %s)",
              (int)in.ratio, type_names[types[i]]);
        free(in.file.data);
        free(mass);
        seq_free(&s);
        seq_free(&to);
        check(count.bytes == 0 && count.wrong == 0, "and nothing is left");
    }
}

/* Mass comes along: by it alone, the joined and the part choose the same. */
static void test_join_mass(void)
{
    lctx_cache_desc d = desc_of(LCTX_HEAVY, 1000, 0, LCTX_F16, LCTX_F16);
    float out[100 * OROW], lse[100 * H];
    leftover a, b;
    lctx_select sel;
    seq s, half;
    d.block = 64;
    s = built(&d, 241, 150);
    half = half_of(&d, 242, 150, 100);
    seq_attend(&half, 150, 100, out, lse, NULL);
    check(lctx_cache_join(s.c, half.c) == LCTX_OK, "heavy hitters are joined");
    take_over(&s, &half, 150);
    memset(&sel, 0, sizeof sel);
    sel.n_heavy = 20;
    check(lctx_cache_select(s.c, &sel) == LCTX_OK && lctx_cache_select(half.c, &sel) == LCTX_OK,
          "both select");
    a = kept_by(&s);
    b = kept_by(&half);
    check(a.n == 20 && b.n == 20 && memcmp(a.lists, b.lists, G * 20 * sizeof *a.lists) == 0,
          "mass is joined with its tokens");
    seq_free(&s);
    seq_free(&half);
}

/* 4-bit keys are joined by whole tiles; a cut within one leaves it as it is, open or not. */
static void test_four_parts(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_I4, LCTX_I4);
    float out[OROW], again[OROW], lse[H];
    snapshot before;
    seq s, half;
    int64_t at;
    d.block = 128;
    half = seq_new(&d, 251, 10);
    check(lctx_cache_begin(half.c, 100) == LCTX_E_POS && info_of(&half).n == 0,
          "4-bit keys begin with a tile");
    seq_free(&half);
    s = built(&d, 252, 100);
    half = built(&d, 252, 300);
    lctx_cache_drop(half.c, 0, 100);
    before = snapshot_of(&s);
    check(lctx_cache_join(s.c, half.c) == LCTX_E_POS && unchanged(&s, &before),
          "4-bit keys are not joined within a tile");
    seq_free(&half);
    seq_free(&s);
    d.block = 256;
    s = built(&d, 254, 128);
    half = half_of(&d, 254, 128, 900);
    seq_append(&half, 1);                    /* closes what lies far behind */
    check(lctx_cache_join(s.c, half.c) == LCTX_OK, "a part whose first block is closed is joined");
    take_over(&s, &half, 128);
    before = snapshot_of(&s);
    check(lctx_cache_rewind(s.c, 200) == LCTX_E_EVICTED && lctx_cache_rewind(s.c, 100) == LCTX_E_EVICTED
          && unchanged(&s, &before) && rewinds_to(&s, 192) && goes_on_right(&s),
          "and then the block that both hold part of is closed, too");
    seq_free(&half);
    seq_free(&s);
    s = built(&d, 255, 900);                 /* in two appends: the first blocks are closed */
    seq_attend(&s, 150, 1, out, lse, NULL);
    check(lctx_cache_rewind(s.c, 192) == LCTX_OK, "whole tiles are rewound into a closed block");
    s.n = 192;
    seq_append(&s, 10);
    seq_attend(&s, 150, 1, again, lse, NULL);
    check(memcmp(out, again, sizeof out) == 0, "and what was closed before stays so");
    seq_free(&s);
    d.block = 128;
    for (at = 200; at < 260; at += 30) {     /* 192 .. 255 is not full yet, then it is */
        s = built(&d, 253, 250 + (at > 220) * 20);
        s.kept_open = s.n / 64 * 64;
        check(lctx_cache_drop(s.c, 3, 10) == LCTX_OK && lctx_cache_drop(s.c, at, at + 5) == LCTX_OK
              && holds_bits(&s), "a range of 4-bit keys is dropped from within a tile");
        check(goes_on_right(&s), "and what is left goes on right");
        seq_free(&s);
    }
}

static void test_join_arguments(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_I8), e;
    counter count;
    lctx_allocator alloc = counted(&count);
    static float mass[G * 400];
    lctx_select sel;
    snapshot before;
    seq s, half;
    d.block = 64; d.max_tokens = 500;
    s = built(&d, 7, 300);
    before = snapshot_of(&s);
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        e = d; e.max_tokens = 0; change; half = half_of(&e, 7, 300, 50); \
        st = lctx_cache_join(s.c, half.c); \
        check(st == status && unchanged(&s, &before), "joining %s gives \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
        seq_free(&half); \
    } while (0)
    REFUSED(LCTX_E_MISMATCH, "other key types", e.k_type = LCTX_F32);
    REFUSED(LCTX_E_MISMATCH, "other value types", e.v_type = LCTX_F32);
    REFUSED(LCTX_E_MISMATCH, "other blocks", e.block = 128);
    REFUSED(LCTX_E_MISMATCH, "another allocator", e.alloc = &alloc);
    REFUSED(LCTX_E_MISMATCH, "summaries to none", e.summaries = 1);
    REFUSED(LCTX_E_MISMATCH, "another policy",
            e.policy = LCTX_HEAVY; e.n_heavy = 9; e.window = 9);
    e = d, e.max_tokens = 0;
    half = half_of(&e, 7, 301, 50);
    check(lctx_cache_join(s.c, half.c) == LCTX_E_POS && unchanged(&s, &before),
          "a gap is not joined over");
    check(lctx_cache_begin(half.c, 3) == LCTX_E_POS, "only an empty cache begins elsewhere");
    seq_free(&half);
    half = half_of(&e, 7, 300, 201);
    check(lctx_cache_join(s.c, half.c) == LCTX_E_FULL && unchanged(&s, &before),
          "nothing is joined beyond max_tokens");
    memset(&sel, 0, sizeof sel);
    sel.mass = mass; sel.n_heavy = 20; sel.window = 20;
    check(lctx_cache_select(half.c, &sel) == LCTX_OK, "a part selects");
    check(lctx_cache_join(s.c, half.c) == LCTX_E_EVICTED && unchanged(&s, &before),
          "what was selected from is not joined");
    seq_free(&half);
    half = half_of(&e, 7, 300, 0);
    check(lctx_cache_join(s.c, half.c) == LCTX_OK && unchanged(&s, &before),
          "an empty part joins nothing");
    check(lctx_cache_join(NULL, half.c) == LCTX_E_NULL && lctx_cache_join(s.c, NULL) == LCTX_E_NULL
          && lctx_cache_begin(NULL, 0) == LCTX_E_NULL, "joining nothing is refused");
    seq_free(&half);
    half = seq_new(&d, 7, 10);
    check(lctx_cache_begin(half.c, -1) == LCTX_E_POS
          && lctx_cache_begin(half.c, (int64_t)1 << 48) == LCTX_E_POS
          && lctx_cache_begin(half.c, 0) == LCTX_OK && info_of(&half).n == 0,
          "a cache begins at a position");
    seq_free(&half);
    seq_free(&s);
    d = desc_of(LCTX_HEAVY, 1000, 4, LCTX_F16, LCTX_I8);
    s = built(&d, 7, 300);
    before = snapshot_of(&s);
    REFUSED(LCTX_E_MISMATCH, "other numbers of heavy hitters", e.n_heavy++);
    REFUSED(LCTX_E_MISMATCH, "other windows", e.window++);
    REFUSED(LCTX_E_MISMATCH, "other numbers of sinks", e.n_sink++);
#undef REFUSED
    seq_free(&s);
}

/* ------------------------------------------------------------------------- arguments */

static void test_bad_descs(void)
{
    lctx_cache_desc good = desc_of(LCTX_SINKS, 33, 4, LCTX_F16, LCTX_F16), d;
    lctx_cache *c;
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        d = good; change; c = NULL; st = lctx_cache_create(&d, &c); \
        check(st == status, "a cache with %s gives \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
        check(c == NULL, "a cache with %s is not made", why); \
    } while (0)
    check(lctx_cache_create(NULL, &c) == LCTX_E_NULL
          && lctx_cache_create(&good, NULL) == LCTX_E_NULL,
          "a cache from nothing or to nowhere is refused");
    REFUSED(LCTX_E_COUNT, "no heads", d.n_head_kv = 0);
    REFUSED(LCTX_E_COUNT, "a negative head count", d.n_head_kv = -1);
    REFUSED(LCTX_E_HEAD_DIM, "keys of no size", d.d_k = 0);
    REFUSED(LCTX_E_HEAD_DIM, "keys that are too long", d.d_k = 65537);
    REFUSED(LCTX_E_HEAD_DIM, "values of negative size", d.d_v = -1);
    REFUSED(LCTX_E_HEAD_DIM, "values that are too long", d.d_v = 65537);
    REFUSED(LCTX_E_TYPE, "an unknown key type", d.k_type = LCTX_TYPE_COUNT);
    REFUSED(LCTX_E_TYPE, "a negative value type", d.v_type = -1);
    REFUSED(LCTX_E_TYPE, "latent keys of 4 bits", d.k_type = d.v_type = LCTX_I4; d.latent = 1);
    REFUSED(LCTX_E_TYPE, "latent values of another type", d.v_type = LCTX_F32; d.latent = 1);
    REFUSED(LCTX_E_HEAD_DIM, "latent values beyond the keys", d.d_v = DK + 1; d.latent = 1);
    REFUSED(LCTX_E_ENUM, "an unknown policy", d.policy = LCTX_POLICY_COUNT);
    REFUSED(LCTX_E_ENUM, "a negative policy", d.policy = -1);
    REFUSED(LCTX_E_WINDOW, "no window", d.window = 0);
    REFUSED(LCTX_E_WINDOW, "a negative window", d.window = -3);
    REFUSED(LCTX_E_WINDOW, "no sinks under sinks", d.n_sink = 0);
    REFUSED(LCTX_E_WINDOW, "a heavy budget under sinks", d.n_heavy = 1);
    REFUSED(LCTX_E_WINDOW, "no heavy budget", d.policy = LCTX_HEAVY);
    REFUSED(LCTX_E_WINDOW, "a negative heavy budget", d.policy = LCTX_HEAVY; d.n_heavy = -1);
    REFUSED(LCTX_E_WINDOW, "no window beside heavy hitters",
            d.policy = LCTX_HEAVY; d.n_heavy = 1; d.window = 0);
    REFUSED(LCTX_E_WINDOW, "negative sinks beside heavy hitters",
            d.policy = LCTX_HEAVY; d.n_heavy = 1; d.n_sink = -1);
    REFUSED(LCTX_E_WINDOW, "negative sinks", d.n_sink = -1);
    REFUSED(LCTX_E_WINDOW, "no window under window",
            d.policy = LCTX_WINDOW; d.n_sink = 0; d.window = 0);
    REFUSED(LCTX_E_COUNT, "blocks that are no multiple of a tile", d.block = 100);
    REFUSED(LCTX_E_COUNT, "negative blocks", d.block = -64);
    REFUSED(LCTX_E_COUNT, "negative max_tokens",
            d.policy = LCTX_FULL; d.n_sink = 0; d.window = 0; d.max_tokens = -1);
#undef REFUSED
}

static void test_bad_appends(void)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, LCTX_F16, LCTX_F16);
    seq s = built(&d, 3, 90);
    snapshot before = snapshot_of(&s);
    static float k[3 * G * DK], v[3 * G * DV];
    lctx_rows rows;
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        memset(&rows, 0, sizeof rows); rows.n = 3; rows.k = k; rows.v = v; change; \
        st = lctx_cache_append(s.c, &rows); \
        check(st == status, "rows with %s give \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
        check(unchanged(&s, &before), "rows with %s change nothing", why); \
    } while (0)
    memset(&rows, 0, sizeof rows);
    check(lctx_cache_append(NULL, &rows) == LCTX_E_NULL
          && lctx_cache_append(s.c, NULL) == LCTX_E_NULL,
          "appending nothing or to nothing is refused");
    REFUSED(LCTX_E_NULL, "no keys", rows.k = NULL);
    REFUSED(LCTX_E_NULL, "no values", rows.v = NULL);
    REFUSED(LCTX_E_COUNT, "a negative count", rows.n = -1);
    REFUSED(LCTX_E_STRIDE, "a short key token stride", rows.k_token = DK * 4 - 4);
    REFUSED(LCTX_E_STRIDE, "a short key head stride", rows.k_head = DK * 4 - 4);
    REFUSED(LCTX_E_STRIDE, "a short value token stride", rows.v_token = DV * 4 - 4);
    REFUSED(LCTX_E_STRIDE, "a short value head stride", rows.v_head = DV * 4 - 4);
    REFUSED(LCTX_E_STRIDE, "a negative stride", rows.k_token = -4096);
#undef REFUSED
    seq_free(&s);
}

static void test_bad_attends(void)
{
    lctx_cache_desc d = desc_of(LCTX_SINKS, 33, 4, LCTX_F16, LCTX_F16);
    static float q[QROW], out[OROW];
    lctx_pattern global;
    lctx_rope raw;
    lctx_attn good, a;
    size_t bytes = 0;
    seq s;
    memset(&raw, 0, sizeof raw);
    raw.n_rot = DK; raw.attn_factor = raw.scale_mul = 1;
    memset(&global, 0, sizeof global);
    global.n_global = 1;
    d.block = 64;
    s = built(&d, 3, 900);                     /* the last append began at 600 */
    memset(&good, 0, sizeof good);
    good.n_q = 1; good.n_head = H; good.q = good.q_far = q; good.q_pos0 = 899; good.out = out;
    check(attend(s.c, &good) == LCTX_OK, "a cache is attended with its own fields unset");
    a = good;
    a.n_head_kv = G; a.d_k = DK; a.d_v = DV; a.window = 33; a.n_sink = 4;
    check(attend(s.c, &a) == LCTX_OK, "and with its own fields repeated");
#define REFUSED(status, why, change) \
    do { \
        lctx_status st; \
        a = good; change; memset(out, 0x5a, sizeof out); st = attend(s.c, &a); \
        check(st == status, "attending a cache with %s gives \"%s\" (got \"%s\")", why, \
              lctx_status_text(status), lctx_status_text(st)); \
    } while (0)
    REFUSED(LCTX_E_HEADS, "heads that do not divide", a.n_head = 5);
    REFUSED(LCTX_E_HEADS, "another number of KV heads", a.n_head_kv = 1);
    REFUSED(LCTX_E_HEAD_DIM, "another key size", a.d_k = 64);
    REFUSED(LCTX_E_HEAD_DIM, "another value size", a.d_v = 64);
    REFUSED(LCTX_E_WINDOW, "another window", a.window = 34);
    REFUSED(LCTX_E_WINDOW, "another sink count", a.n_sink = 3);
    REFUSED(LCTX_E_GLOBAL, "global positions that it would evict", a.pattern = &global);
    REFUSED(LCTX_E_POS, "another far position", a.rope = &raw; a.far_pos = 35);
    REFUSED(LCTX_OK, "its own far position and no far query", a.rope = &raw; a.far_pos = 36;
            a.q_far = NULL);
    REFUSED(LCTX_E_EVICTED, "a query before the last append", a.q_pos0 = 300);
    REFUSED(LCTX_E_EVICTED, "a query of whose window its own key is gone", a.q_pos0 = 64);
    REFUSED(LCTX_E_NULL, "no queries", a.q = NULL);
    REFUSED(LCTX_E_NULL, "no output", a.out = NULL);
#undef REFUSED
    a = good; a.q_far = NULL;
    check(attend(s.c, &a) != LCTX_OK, "sinks without the far query are refused");
    check(lctx_cache_attend_size(NULL, &good, &bytes) == LCTX_E_NULL
          && lctx_cache_attend_size(s.c, NULL, &bytes) == LCTX_E_NULL
          && lctx_cache_attend_size(s.c, &good, NULL) == LCTX_E_NULL,
          "sizing nothing or to nowhere is refused");
    check(lctx_cache_attend(NULL, &good, out, sizeof out) == LCTX_E_NULL
          && lctx_cache_attend(s.c, NULL, out, sizeof out) == LCTX_E_NULL,
          "attending nothing is refused");
    check(lctx_cache_attend_size(s.c, &good, &bytes) == LCTX_OK
          && lctx_cache_attend(s.c, &good, NULL, bytes) == LCTX_E_SCRATCH,
          "attending without scratch is refused");
    check(lctx_cache_get_info(NULL, NULL) == LCTX_E_NULL
          && lctx_cache_get_info(s.c, NULL) == LCTX_E_NULL,
          "numbers of nothing or to nowhere are refused");
    seq_free(&s);
}

/* Values that are a part of the keys take no memory, and are not given; a cache of both does not go
   with a latent one. */
static void test_latent_desc(lctx_type type)
{
    lctx_cache_desc d = desc_of(LCTX_FULL, 0, 0, type, type), both = d;
    static float k[G * DK], v[G * DV];
    lctx_rows rows;
    int64_t tokens, fewer;
    seq s, t, begun;
    stream file, other;
    const int64_t key = DK * (int64_t)lctx_type_size(type) + (type == LCTX_I8 ? 4 : 0);
    both.latent = 0;
    check(lctx_cache_tokens(&both, 1 << 20, &fewer) == LCTX_OK &&
          lctx_cache_tokens(&d, 1 << 20, &tokens) == LCTX_OK && tokens > fewer &&
          tokens == (1 << 20) / (G * key * LCTX_TILE) * LCTX_TILE,
          "a latent cache has keys alone in its budget (%s)", type_names[type]);
    s = seq_new(&d, 5, 500), t = seq_new(&both, 5, 500), begun = seq_new(&both, 5, 500);
    seq_append(&s, 300), seq_append(&t, 300);
    check(info_of(&s).bytes < 512 * G * key + 4096, "and in its blocks");
    memset(&rows, 0, sizeof rows);
    rows.n = 1; rows.k = k; rows.v = v;
    check(lctx_cache_append(s.c, &rows) == LCTX_E_SPAN && info_of(&s).n == 300,
          "values for a latent cache are refused, and change nothing");
    file = saved(&s), other = saved(&t);
    check(lctx_cache_restore(t.c, stream_read, &file) == LCTX_E_MISMATCH &&
          lctx_cache_restore(s.c, stream_read, &other) == LCTX_E_MISMATCH,
          "neither is restored from the other's file");
    check(lctx_cache_begin(begun.c, 300) == LCTX_OK &&
          lctx_cache_join(s.c, begun.c) == LCTX_E_MISMATCH, "nor joined to it");
    check(goes_on_right(&s) && goes_on_right(&t), "both go on right (%s)", type_names[type]);
    free(file.data), free(other.data);
    seq_free(&s), seq_free(&t), seq_free(&begun);
}

/* All that caches do, of latent ones. */
static void test_latent(int threads)
{
    int policy, type, what;
    in_keys = 1;
    for (type = 0; type < 4; type++) {
        const lctx_type t = (lctx_type)type;
        if (quick() && type % 3) continue;
        test_latent_desc(t);
        test_streaming(t, 33, type % 2 ? 1 : 4, 300);
        test_heavy(t, t, 33 + 40 * type, type, type % 2 ? 7 : 1, type % 3 == 2);
        test_select(t, t, type % 2 ? 7 : 0, type / 2);
        test_select_is_mask(t);
        test_retrieve(t, type % 2 ? 5 : 1);
        test_retrieve_alone(t, type % 2 ? 7 : 1);
        for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
            const lctx_policy p = (lctx_policy)policy;
            if (!full() && slow() && (policy + type) % 3) continue;
            if (policy != LCTX_HEAVY) {
                test_chunks(p, t);
                test_raw(p, t, (policy + type) % LCTX_FAR_COUNT);
            }
            test_rewind(p, t);
            test_fork(p, t, type % 2);
            test_round_trip(p, t, t, 300 + 1000 * (type % 2));
            test_spans(p, t, t);
        }
        test_drop(type % 2 ? LCTX_HEAVY : LCTX_FULL, t, t);
        test_join(type % 2 ? LCTX_HEAVY : LCTX_FULL, t, t, type % 3 ? 100 : 128, 200);
    }
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        const lctx_policy p = (lctx_policy)policy;
        test_pattern(p, LCTX_F16, LCTX_F16);
        if (few() && (policy + (int)lctx_isa_get()) % 2) continue;
        test_damaged(p, LCTX_F16, LCTX_F16);
        test_claimed(p, LCTX_F16, 1);
        test_wandering(p, LCTX_BF16, 33, 128);
        for (what = 0; what < ACTIONS; what++) test_no_memory((action)what, p, LCTX_F16);
        if (threads) test_fork_threads(p);
    }
    in_keys = 0;
}

int main(void)
{
    const int threads = hook_threads("caches on four threads");
    int policy, type, what;
    test_policies();
    test_long_prompts();
    for (type = 0; type < 5; type++) test_streaming((lctx_type)type, 33, type % 2 ? 1 : 4, 1000);
    if (full()) test_streaming(LCTX_F16, 533, 4, 3000);
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        for (type = 0; type < 5; type++) {
            if (slow() && (policy + type) % 2) continue;
            if (policy != LCTX_HEAVY) test_chunks((lctx_policy)policy, (lctx_type)type);
            test_rewind((lctx_policy)policy, (lctx_type)type);
            test_fork((lctx_policy)policy, (lctx_type)type, type % 2);
            test_round_trip((lctx_policy)policy, (lctx_type)type,
                            (lctx_type)(type < 4 ? 3 - type : 4), 300);
        }
        test_round_trip((lctx_policy)policy, LCTX_F16, LCTX_F16, 1);
        test_round_trip((lctx_policy)policy, LCTX_F16, LCTX_F16, 1300);
        test_round_trip((lctx_policy)policy, LCTX_I4, LCTX_F16, 1300);
        test_pattern((lctx_policy)policy, LCTX_F16, LCTX_I8);
        test_pattern((lctx_policy)policy, LCTX_I4, LCTX_I4);
        for (what = 0; what < LCTX_FAR_COUNT; what++)
            for (type = 0; type < 5 && policy != LCTX_HEAVY; type++)
                if (full() || (policy + what + type) % 2)
                    test_raw((lctx_policy)policy, (lctx_type)type, what);
        test_spans((lctx_policy)policy, LCTX_F16, LCTX_I8);
        test_spans((lctx_policy)policy, LCTX_I4, LCTX_F32);
        if (threads) test_fork_threads((lctx_policy)policy);
        test_damaged((lctx_policy)policy, LCTX_F16, LCTX_I8);
        test_damaged((lctx_policy)policy, LCTX_I4, LCTX_I4);
        for (what = 0; what < 2 * ACTIONS; what++)
            if (!few() || (policy + what) % 4 == 0)
                test_no_memory((action)(what / 2), (lctx_policy)policy,
                               what % 2 ? LCTX_I4 : LCTX_F16);
    }
    test_constant_memory(LCTX_WINDOW, 1);
    test_constant_memory(LCTX_SINKS, 1);
    test_constant_memory(LCTX_SINKS, 7);
    test_constant_memory(LCTX_HEAVY, 1);
    test_constant_memory(LCTX_HEAVY, 7);
    for (type = 0; type < 5; type++) {
        test_heavy((lctx_type)type, (lctx_type)(type < 4 ? 3 - type : 4), 33 + 40 * type, type,
                   type % 2 ? 7 : 1, 0);
        for (what = 0; what < 2; what++)
            if (!quick() || (type + what) % 2)
                test_select((lctx_type)type, (lctx_type)((type + 1) % 5), type % 2 ? 7 : 0, what);
        test_select_is_mask((lctx_type)type);
    }
    test_heavy(LCTX_F16, LCTX_F16, 20, 4, 90, 0);
    test_heavy(LCTX_F32, LCTX_F16, 33, 4, 1, 1);
    test_heavy(LCTX_I8, LCTX_I8, 60, 0, 7, 1);
    test_heavy(LCTX_I4, LCTX_F16, 70, 2, 5, 1);
    for (type = 0; type < 5; type++) test_retrieve((lctx_type)type, type % 2 ? 5 : 1);
    test_retrieve(LCTX_I4, 5);
    for (type = 0; type < 5; type++) test_retrieve_alone((lctx_type)type, type % 2 ? 7 : 1);
    test_retrieve_alone(LCTX_I4, 64);
    test_retrieve_alone(LCTX_F16, 7);
    test_retrieve_changed();
    test_retrieve_behind();
    test_retrieve_arguments();
    for (type = 0; type < 4; type++) {
        lctx_policy p = type % 2 ? LCTX_HEAVY : LCTX_FULL;
        test_drop(p, (lctx_type)type, (lctx_type)(3 - type));
        test_join(p, (lctx_type)type, (lctx_type)(3 - type), type % 3 ? 100 : 128, 200);
        test_join(p, (lctx_type)type, (lctx_type)(3 - type), 100, 28 + type);
    }
    test_join(LCTX_FULL, LCTX_F16, LCTX_F16, 0, 100);
    test_drop(LCTX_FULL, LCTX_I4, LCTX_I4);
    test_drop(LCTX_HEAVY, LCTX_I4, LCTX_F16);
    test_join(LCTX_FULL, LCTX_I4, LCTX_I4, 128, 200);
    test_join(LCTX_HEAVY, LCTX_I4, LCTX_F16, 64, 30);
    test_join(LCTX_FULL, LCTX_I4, LCTX_F16, 128, 1000);
    test_four_parts();
    test_four_rewinds();
    test_forged(LCTX_FULL);
    test_forged(LCTX_WINDOW);
    test_forged(LCTX_HEAVY);
    test_bare_files();
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++)
        for (what = 0; what < 3; what++) {
            if (!few() || (policy + what) % 2)
                test_wandering((lctx_policy)policy, LCTX_F16, 1 + 32 * what, 64 << what);
            if (!few() || (policy + what) % 2 == 0)
                test_wandering((lctx_policy)policy, LCTX_I4, 65 - 32 * what, 64 << what);
        }
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        test_claims((lctx_policy)policy);
        if (!few() || policy % 2) test_claimed((lctx_policy)policy, LCTX_F16, 1);
        if (!few() || policy % 2 == 0) test_claimed((lctx_policy)policy, LCTX_I4, 133);
    }
    test_arrivals();
    test_join_mass();
    test_drop_arguments();
    test_join_arguments();
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        test_beyond((lctx_policy)policy, LCTX_I4, 70);
        test_beyond((lctx_policy)policy, LCTX_I4, 128);
        test_beyond((lctx_policy)policy, LCTX_F16, 300);
        test_beyond((lctx_policy)policy, LCTX_I4, 300);
    }
    test_select_edges();
    test_select_nan();
    test_heavy_own_lse();
    test_heavy_undo();
    test_heavy_cancelled(LCTX_F16);
    test_heavy_cancelled(LCTX_I4);
    test_budget_bytes();
    test_heavy_no_memory();
    test_select_arguments();
    test_info();
    test_fork_arguments();
    test_mismatch();
    test_write_fails();
    test_max_tokens();
    test_create_no_memory();
    test_pool_ledger(20000);
    test_pool_ledger(0);
    test_pool_spare();
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++) {
        test_pool_forks((lctx_policy)policy);
        test_pool_full((lctx_policy)policy, 0);
        test_pool_full((lctx_policy)policy, 1);
    }
    if (threads) test_pool_scrambled();
    if (threads) test_pool_threads();
    test_pool_arguments();
    test_latent(threads);
    test_bad_descs();
    test_bad_appends();
    test_bad_attends();
    return test_report("cache", lctx_isa_name(lctx_isa_get()));
}
