/* fuzz_cache.c - sequences of calls on caches, each beside a shadow: a plain list of what it must
   hold. Attention must give what the formulas give on that list, in double; the bits of a cache
   that was given the same tokens at once; and after a call that failed all must be as before. */
#include "fuzz.h"
#include "../oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 448, HEADS = 2, GROUP = 2, DIM = 12, QUERIES = 4, CACHES = 3, SCRATCH = 1 << 21 };

/* Tokens by their number from `base` on. */
typedef struct shadow {
    int64_t n, base;
    int64_t fresh;                        /* queries from here on see all that they should */
    int64_t n_before;                     /* where the last append began */
    int plain;                            /* nothing was selected, dropped or begun */
    int sure;                             /* is the account of mass known? */
    unsigned char held[HEADS][MOST];      /* 1, or 2: moved to what was kept */
    unsigned char wild[MOST];             /* NaN or infinity in a key or a value */
    uint32_t made[MOST];                  /* the append that brought it */
    double mass[HEADS][MOST], mass_before[HEADS][MOST];
    float k[HEADS][MOST][DIM];            /* as stored */
    float open[HEADS][MOST][DIM];         /* 4 bits: as stored while open */
    float v[HEADS][MOST][DIM];
} shadow;

typedef struct pair { lctx_cache *c; shadow *s; } pair;

typedef struct world {
    bytes b;
    lctx_cache_desc d;
    int group;
    float size;                  /* of keys and values */
    uint32_t appends;
    fuzz_memory memory;
    lctx_pool *pool;
    lctx_allocator alloc;
    pair at[CACHES];
    pair *p;                     /* the one in hand */
} world;

static float queries[2][QUERIES * HEADS * GROUP * DIM];
static char scratch[SCRATCH];

static int windowed(const world *w)
{
    return w->d.policy == LCTX_WINDOW || w->d.policy == LCTX_SINKS;
}
static int fours(const world *w) { return w->d.k_type == LCTX_I4; }
static int64_t tile_of(int64_t pos) { return pos / LCTX_TILE * LCTX_TILE; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- rows */

static float element(const world *w, uint32_t made, int64_t pos, int wild, uint64_t at)
{
    const float x = w->size * fuzz_uniform(made, (uint64_t)pos, at);
    if (!wild) return x;
    return wild == 1 ? (float)NAN : wild == 2 ? (float)INFINITY : at % 3 ? x : -(float)INFINITY;
}

static void fill_rows(const world *w, uint32_t made, int64_t pos, int64_t n,
                      const unsigned char *wild, float *k, float *v)
{
    const int hk = w->d.n_head_kv, d_k = w->d.d_k, d_v = w->d.d_v;
    int64_t i;
    int g, e;
    for (i = 0; i < n; i++)
        for (g = 0; g < hk; g++) {
            for (e = 0; e < d_k; e++)
                *k++ = element(w, made, pos + i, wild[i] & 3, (uint64_t)(g * 64 + e));
            for (e = 0; e < d_v; e++)
                *v++ = element(w, made, pos + i, wild[i] >> 2, (uint64_t)(g * 64 + 32 + e));
        }
}

static void store(int type, int n, const float *x, float *to)
{
    const float factor = oracle_store(type, n, x, NULL, to);
    int i;
    for (i = 0; type == LCTX_I8 && i < n; i++) to[i] *= factor;
}

/* The tile that ends here is full: its keys become 4 bits, but for those that were moved away. */
static void shadow_close(const world *w, shadow *s, int g, int64_t at)
{
    const int64_t first = at - (LCTX_TILE - 1);
    float four[LCTX_TILE][DIM];
    int64_t i;
    int e;
    if (first < 0) return;
    for (e = 0; e < w->d.d_k; e++) oracle_four(LCTX_TILE, DIM, &s->open[g][first][e], &four[0][e]);
    for (i = 0; i < LCTX_TILE; i++)
        if (s->held[g][first + i] != 2) memcpy(s->k[g][first + i], four[i], sizeof four[i]);
}

/* The shadow takes what was appended; a tile of 4 bits that is full is closed. */
static void shadow_append(const world *w, shadow *s, uint32_t made, int64_t n,
                          const unsigned char *wild, const float *k, const float *v)
{
    const int hk = w->d.n_head_kv, d_k = w->d.d_k, d_v = w->d.d_v;
    int64_t i;
    int g;
    s->n_before = s->fresh = s->n;
    for (g = 0; g < hk; g++) memcpy(s->mass_before[g], s->mass[g], sizeof s->mass[g]);
    for (i = 0; i < n; i++, s->n++) {
        const int64_t at = s->n - s->base;
        s->wild[at] = wild[i], s->made[at] = made;
        for (g = 0; g < hk; g++, k += d_k, v += d_v) {
            s->held[g][at] = 1, s->mass[g][at] = s->mass_before[g][at] = 0;
            store(fours(w) ? LCTX_F16 : w->d.k_type, d_k, k, s->open[g][at]);
            memcpy(s->k[g][at], s->open[g][at], sizeof s->k[g][at]);
            if (!w->d.latent) store(w->d.v_type, d_v, v, s->v[g][at]);
            else memcpy(s->v[g][at], s->k[g][at], (size_t)d_v * sizeof(float));
            if (fours(w) && s->n % LCTX_TILE == LCTX_TILE - 1) shadow_close(w, s, g, at);
        }
    }
}

/* Kept tokens keep what a later query would have read, in f16. */
static void shadow_move(const world *w, shadow *s, int g, int64_t at)
{
    if (s->held[g][at] == 2) return;
    s->held[g][at] = 2;
    if (!fours(w)) return;
    if (s->base + at >= tile_of(s->n)) memcpy(s->k[g][at], s->open[g][at], sizeof s->k[g][at]);
    store(LCTX_F16, w->d.d_k, s->k[g][at], s->k[g][at]);
}

/* ---- what a cache says of itself */

/* A descriptor for asking: 64 bits over what save writes, which is all that a cache holds. */
static int hash_write(void *user, const void *data, size_t n)
{
    uint64_t *h = (uint64_t *)user;
    size_t i;
    for (i = 0; i < n; i += 4) {
        uint32_t word;
        memcpy(&word, (const char *)data + i, 4);
        *h = (*h ^ word) * 0x100000001b3u;
        *h ^= *h >> 31;
    }
    return 0;
}
static uint64_t hash_of(const lctx_cache *c)
{
    uint64_t h = 1;
    const lctx_status st = lctx_cache_save(c, hash_write, &h);
    FUZZ_CHECK(st == LCTX_OK, "save: %s", lctx_status_text(st));
    return h;
}

static lctx_cache_info info_of(const lctx_cache *c)
{
    lctx_cache_info x;
    FUZZ_CHECK(lctx_cache_get_info(c, &x) == LCTX_OK, "info");
    return x;
}

/* Marks which positions the spans hold in head g: 1, or 2 in a list of what was kept. */
static void marks_of(const world *w, const pair *p, int g, unsigned char mark[MOST])
{
    static lctx_span spans[64];
    int64_t n, i, j, last = -1;
    FUZZ_CHECK(lctx_cache_spans(p->c, spans, 64, &n) == LCTX_OK && n <= 64, "spans");
    memset(mark, 0, MOST);
    for (i = 0; i < n; i++)
        for (j = 0; j < spans[i].n; j++) {
            const int64_t pos = spans[i].k_pos ? spans[i].k_pos[g * spans[i].n + j]
                                               : spans[i].pos + j;
            const int64_t at = pos - p->s->base;
            FUZZ_CHECK(at >= 0 && pos < p->s->n && pos > last, "position %lld after %lld, head %d",
                       (long long)pos, (long long)last, g);
            FUZZ_CHECK(spans[i].query == (w->d.policy == LCTX_SINKS && pos < w->d.n_sink), "copy");
            mark[at] = spans[i].k_pos ? 2 : 1;
            last = pos;
        }
}

static int sees(const world *w, const shadow *s, int g, int64_t q, int64_t at)
{
    const int64_t pos = s->base + at;
    if (pos > q || at >= s->n - s->base || !s->held[g][at]) return 0;
    if (!windowed(w)) return 1;
    return q - pos < w->d.window || pos < w->d.n_sink;
}

static void check_info(const world *w, const pair *p)
{
    const lctx_cache_info x = info_of(p->c);
    const shadow *s = p->s;
    unsigned char mark[MOST];
    int64_t at, held;
    int g;
    FUZZ_CHECK(x.n == s->n, "n %lld, not %lld", (long long)x.n, (long long)s->n);
    FUZZ_CHECK(x.n_held + x.n_dropped == x.n, "held %lld, dropped %lld of %lld",
               (long long)x.n_held, (long long)x.n_dropped, (long long)x.n);
    FUZZ_CHECK(x.rewind_min >= 0 && x.rewind_min <= x.n, "rewind_min %lld",
               (long long)x.rewind_min);
    FUZZ_CHECK(x.bytes_shared <= x.bytes && x.n_kept <= x.n_held, "bytes or kept");
    for (g = 0; g < w->d.n_head_kv; g++) {
        marks_of(w, p, g, mark);
        for (at = held = 0; at < s->n - s->base; at++) {
            held += mark[at] != 0;
            if (windowed(w)) FUZZ_CHECK(mark[at] || !sees(w, s, g, s->n, at), "token %lld is gone",
                                        (long long)at);
            else FUZZ_CHECK(!mark[at] == !s->held[g][at], "token %lld in head %d: %d, not %d",
                            (long long)at, g, mark[at], s->held[g][at]);
        }
        FUZZ_CHECK(held == x.n_held, "%lld held, not %lld", (long long)held, (long long)x.n_held);
    }
}

static void check_pool(const world *w)
{
    lctx_pool_info x;
    if (!w->pool) return;
    FUZZ_CHECK(lctx_pool_get_info(w->pool, &x) == LCTX_OK, "pool");
    FUZZ_CHECK(x.bytes_used >= 0 && x.bytes_spare >= 0 && x.n_used >= 0, "pool's bytes");
    FUZZ_CHECK(!x.max_bytes || x.bytes_used + x.bytes_spare <= x.max_bytes, "beyond the bound");
    FUZZ_CHECK(x.bytes_used + x.bytes_spare <= w->memory.bytes &&
               x.bytes_used + x.bytes_spare + 4096 > w->memory.bytes, "%lld + %lld of %lld",
               (long long)x.bytes_used, (long long)x.bytes_spare, (long long)w->memory.bytes);
}

/* ---- calls that fail leave all as it was */
typedef struct before { uint64_t hash; lctx_cache_info info; } before;

static before remember(const world *w)
{
    before x;
    memset(&x, 0, sizeof x);
    if (w->memory.fail_at || w->memory.most || (w->pool && w->d.max_tokens % 3)) x.hash = 1;
    if (x.hash) x.hash = hash_of(w->p->c), x.info = info_of(w->p->c);
    return x;
}
static void failed(const world *w, const before *x, lctx_status st)
{
    lctx_cache_info now = info_of(w->p->c);
    FUZZ_CHECK(st != LCTX_E_MEMORY || w->memory.failed || w->pool, "no memory, yet none was asked");
    if (!x->hash) return;
    FUZZ_CHECK(hash_of(w->p->c) == x->hash, "contents changed by a call that failed: %s",
               lctx_status_text(st));
    now.bytes_shared = x->info.bytes_shared;
    FUZZ_CHECK(!memcmp(&now, &x->info, sizeof now), "info changed by a call that failed: %s",
               lctx_status_text(st));
}

/* ---- under HEAVY, what an append chose to drop */
static void follow_heavy(const world *w, const pair *p)
{
    shadow *s = p->s;
    const lctx_cache_info x = info_of(p->c);
    unsigned char mark[MOST];
    int64_t at, i;
    int g;
    if (w->d.policy != LCTX_HEAVY) return;
    for (g = 0; g < w->d.n_head_kv; g++) {
        int gone = 0;
        marks_of(w, p, g, mark);
        for (at = 0; at < s->n - s->base; at++) {
            if (mark[at]) FUZZ_CHECK(s->held[g][at], "token %lld came back", (long long)at);
            if (mark[at] || !s->held[g][at]) continue;
            gone = 1;
            FUZZ_CHECK(s->base + at >= w->d.n_sink, "sink %lld is gone", (long long)at);
            FUZZ_CHECK(s->fresh - s->base - at >= w->d.window, "token %lld of the window is gone",
                       (long long)at);
            for (i = 0; s->sure && i < s->n - s->base; i++)
                if (mark[i] == 2 && s->base + i >= w->d.n_sink)
                    FUZZ_CHECK(s->mass[g][i] >= s->mass[g][at] - 1e-3, "mass %g stayed, %g is gone",
                               s->mass[g][i], s->mass[g][at]);
        }
        for (at = 0; at < s->n - s->base; at++) {
            if (!mark[at]) s->held[g][at] = 0;
            else if (mark[at] == 2) shadow_move(w, s, g, at);
        }
        if (gone) {
            s->plain = 0;
            FUZZ_CHECK(x.n_kept == (int64_t)w->d.n_sink + w->d.n_heavy ||
                       x.n_kept < (int64_t)w->d.n_sink + w->d.n_heavy, "%lld kept",
                       (long long)x.n_kept);
        }
    }
}

/* ---- the calls */

static lctx_status append_to(world *w, pair *p, int64_t n, int wild)
{
    static float k[MOST * HEADS * DIM], v[MOST * HEADS * DIM];
    unsigned char wilds[MOST];
    const int64_t seed = ++w->appends;
    lctx_rows rows;
    lctx_status st;
    memset(&rows, 0, sizeof rows);
    memset(wilds, 0, sizeof wilds);
    if (wild && n) wilds[wild % n] = (unsigned char)(wild & 15);
    fill_rows(w, w->appends, p->s->n, n, wilds, k, v);
    rows.n = n, rows.k = k, rows.v = w->d.latent ? NULL : v;
    st = lctx_cache_append(p->c, &rows);
    if (st) return st;
    if (n) shadow_append(w, p->s, (uint32_t)seed, n, wilds, k, v);
    else p->s->fresh = p->s->n;              /* evicts all the same */
    follow_heavy(w, p);
    return st;
}

static int64_t room(const pair *p) { return MOST - (p->s->n - p->s->base); }

static void do_append(world *w)
{
    static const int64_t sizes[] = { 1, 2, 7, 63, 64, 65, 128, 200 };
    const int pick = (int)bytes_in(&w->b, 0, 15), wild = bytes_rarely(&w->b, 16);
    const int64_t n = pick < 8 ? sizes[pick] : bytes_in(&w->b, 0, 255);
    const before x = remember(w);
    lctx_status st;
    int odd = 0;
    if (n > room(w->p)) return;
    if (wild && w->d.k_type != LCTX_I4 && w->d.v_type != LCTX_I4 && w->d.policy != LCTX_HEAVY)
        odd = (int)bytes_take(&w->b, 1);
    st = append_to(w, w->p, n, odd);
    fuzz_say("append %lld%s: %s", (long long)n, odd ? " and odd ones" : "", lctx_status_text(st));
    if (!st) return;
    FUZZ_CHECK(st == LCTX_E_MEMORY || (st == LCTX_E_FULL && w->d.max_tokens &&
                                       w->p->s->n + n > w->d.max_tokens) ||
               st == LCTX_E_POS, "append: %s", lctx_status_text(st));
    failed(w, &x, st);
}

/* A descriptor of n_q queries at pos and after, with some of the options. */
typedef struct asked {
    lctx_attn a;
    float alibi[HEADS * GROUP], sink[HEADS * GROUP];
    float out[QUERIES * HEADS * GROUP * DIM], lse[QUERIES * HEADS * GROUP];
} asked;

static void ask(world *w, asked *x, int64_t pos, int n_q)
{
    const int heads = w->d.n_head_kv * w->group;
    const int options = (int)bytes_take(&w->b, 1);
    const uint64_t seed = 1000 + bytes_take(&w->b, 1);
    int i;
    memset(x, 0, sizeof *x);
    for (i = 0; i < n_q * heads * w->d.d_k; i++) {
        queries[0][i] = fuzz_uniform(seed, 1, (uint64_t)i);
        queries[1][i] = fuzz_uniform(seed, 2, (uint64_t)i);
    }
    for (i = 0; i < heads; i++) {
        x->alibi[i] = 0.01f * (float)(i + 1);
        x->sink[i] = fuzz_uniform(seed, 3, (uint64_t)i);
    }
    x->a.n_q = n_q, x->a.n_head = heads, x->a.q = queries[0], x->a.q_far = queries[1];
    x->a.q_pos0 = pos, x->a.out = x->out, x->a.lse = x->lse, x->a.precise = 1;
    if (options & 1) x->a.softcap = 2;
    if (options & 2) x->a.sink_logit = x->sink;
    if (options & 4) x->a.alibi = x->alibi;
    if (w->size > 10) x->a.scale = 0.1f / w->size;
}

/* What the formulas say of query t, head h: into out; the weights into p, if given. */
static double want_row(const world *w, const shadow *s, const asked *x, int t, int h,
                       const unsigned char *only, double *out, double *p, int *wild)
{
    const int g = h / w->group, d_k = w->d.d_k, d_v = w->d.d_v;
    const int64_t q = x->a.q_pos0 + t, n = s->n - s->base;
    const float scale = x->a.scale != 0 ? x->a.scale : (float)(1 / sqrt(d_k));
    static double score[MOST];
    double top = x->a.sink_logit ? (double)x->sink[h] : -(double)INFINITY, sum;
    int64_t at;
    int e;
    *wild = 0;
    for (e = 0; e < d_v; e++) out[e] = 0;
    for (at = 0; at < n; at++) {
        const int far = w->d.policy == LCTX_SINKS && s->base + at < w->d.n_sink;
        const float *row = queries[far] + (t * x->a.n_head + h) * d_k;
        const int closed = s->held[g][at] == 2 || tile_of(s->base + at) < tile_of(q);
        const float *k = closed ? s->k[g][at] : s->open[g][at];
        double dot = 0;
        score[at] = -(double)INFINITY;
        if (!sees(w, s, g, q, at) || (only && !only[at])) continue;
        if (s->wild[at]) *wild = 1;
        for (e = 0; e < d_k; e++) dot += (double)row[e] * (double)k[e];
        dot *= (double)scale;
        if (x->a.softcap > 0) dot = x->a.softcap * tanh(dot / x->a.softcap);
        if (x->a.alibi) dot -= (double)x->alibi[h] * (double)(q - s->base - at);
        score[at] = dot;
        if (dot > top) top = dot;
    }
    if (isinf(top)) return top;
    sum = x->a.sink_logit ? exp((double)x->sink[h] - top) : 0;
    for (at = 0; at < n; at++) sum += isinf(score[at]) ? 0 : exp(score[at] - top);
    for (at = 0; at < n; at++) {
        const double weight = isinf(score[at]) ? 0 : exp(score[at] - top) / sum;
        for (e = 0; weight > 0 && e < d_v; e++) out[e] += weight * (double)s->v[g][at][e];
        if (p) p[at] = weight;
    }
    return top + log(sum);
}

static void close_to(const world *w, double want, float got, const char *what, int t, int h)
{
    const double off = fabs((double)got - want);
    if (isinf(want) && (double)got == want) return;
    FUZZ_CHECK(off <= 2e-4 * (fabs(want) + (what[0] == 'o' ? (double)w->size : 1)),
               "%s of query %d, head %d: %g, not %g", what, t, h, (double)got, want);
}

/* Compares with the formulas; adds the weights to the shadow's account (HEAVY) or to mass. */
static void check_rows(const world *w, shadow *s, const asked *x,
                       const unsigned char (*only)[MOST], double (*mass)[MOST])
{
    double out[DIM], p[MOST];
    int t, h, e, wild;
    int64_t at;
    for (t = 0; t < x->a.n_q; t++)
        for (h = 0; h < x->a.n_head; h++) {
            const double lse = want_row(w, s, x, t, h, only ? only[h / w->group] : NULL, out, p,
                                        &wild);
            const int row = t * x->a.n_head + h;
            if (wild) continue;
            close_to(w, lse, x->lse[row], "lse", t, h);
            for (e = 0; e < w->d.d_v; e++)
                close_to(w, isinf(lse) ? 0 : out[e], x->out[row * w->d.d_v + e], "out", t, h);
            for (at = 0; mass && !isinf(lse) && at < s->n - s->base; at++)
                mass[h / w->group][at] += p[at];
        }
}

/* Does the reference know what these queries read? Of 4 bits only while their tile is open. */
static int known(const world *w, const shadow *s, int64_t pos)
{
    return !fours(w) || tile_of(pos) >= tile_of(s->fresh);
}

static lctx_status attend(world *w, const pair *p, asked *x)
{
    size_t need = 0;
    lctx_status st = lctx_cache_attend_size(p->c, &x->a, &need);
    (void)w;
    if (st) return st;
    FUZZ_CHECK(need <= SCRATCH, "%zu bytes of scratch", need);
    return lctx_cache_attend(p->c, &x->a, scratch + (SCRATCH - need), need);
}

/* A second cache, given the same tokens at once, must give the same bits. */
static void check_twin(world *w, asked *x)
{
    const shadow *s = w->p->s;
    static float k[MOST * HEADS * DIM], v[MOST * HEADS * DIM];
    const int hk = w->d.n_head_kv;
    lctx_cache_desc d = w->d;
    lctx_cache *twin;
    lctx_rows rows;
    asked y = *x;
    pair p;
    int64_t at;
    d.alloc = NULL, d.max_tokens = 0;
    memset(&rows, 0, sizeof rows);
    FUZZ_CHECK(lctx_cache_create(&d, &twin) == LCTX_OK, "twin");
    for (at = 0; at < s->n; at++)
        fill_rows(w, s->made[at], at, 1, s->wild + at, k + at * hk * d.d_k, v + at * hk * d.d_v);
    rows.n = s->n, rows.k = k, rows.v = d.latent ? NULL : v;
    FUZZ_CHECK(lctx_cache_append(twin, &rows) == LCTX_OK, "twin's append");
    p.c = twin, p.s = NULL;
    y.a.out = y.out, y.a.lse = y.lse, y.a.mass = NULL, y.a.progress = NULL;
    FUZZ_CHECK(attend(w, &p, &y) == LCTX_OK, "twin's attend");
    FUZZ_CHECK(!memcmp(x->out, y.out, sizeof y.out) && !memcmp(x->lse, y.lse, sizeof y.lse),
               "other bits than all tokens at once give");
    lctx_cache_free(twin);
}

static int64_t pick_pos(world *w)
{
    const shadow *s = w->p->s;
    const int kind = (int)bytes_in(&w->b, 0, 7);
    if (kind < 3) return greatest(s->n - 1, 0);
    if (kind < 5) return s->fresh;
    if (kind == 5) return s->n + bytes_in(&w->b, 0, 255);
    return s->base + bytes_in(&w->b, 0, MOST);
}

static void do_attend(world *w)
{
    shadow *s = w->p->s;
    const int64_t pos = pick_pos(w);
    const int n_q = (int)bytes_in(&w->b, 1, QUERIES), twin = bytes_flag(&w->b);
    const int cancel = bytes_rarely(&w->b, 8);
    int massive = bytes_rarely(&w->b, 4);
    static float mass[HEADS][MOST];
    double want[HEADS][MOST];
    fuzz_stop stop;
    asked x;
    lctx_status st;
    int64_t i, at;
    int g;
    ask(w, &x, pos, n_q);
    memset(&stop, 0, sizeof stop);
    memset(mass, 0, sizeof mass);
    memset(want, 0, sizeof want);
    x.a.progress = fuzz_progress, x.a.progress_user = &stop, stop.at = cancel;
    if (massive) x.a.mass = mass[0], x.a.mass_head = (int64_t)sizeof mass[0];
    st = attend(w, w->p, &x);
    fuzz_say("attend %d at %lld%s: %s", n_q, (long long)pos, massive ? " for mass" : "",
             lctx_status_text(st));
    if (st == LCTX_E_CANCELLED) {
        FUZZ_CHECK(cancel, "nobody cancelled");
        return;
    }
    if (st == LCTX_E_EVICTED) {
        FUZZ_CHECK(windowed(w) ? pos < s->fresh : pos < s->base || !s->plain,
                   "a query at %lld misses keys, from %lld on none should", (long long)pos,
                   (long long)s->fresh);
        return;
    }
    FUZZ_CHECK(st == LCTX_OK, "attend: %s", lctx_status_text(st));
    if (!known(w, s, pos)) { if (!massive) s->sure = 0; return; }
    check_rows(w, s, &x, NULL, massive ? want : s->mass);
    if (twin && s->plain && s->n && s->base == 0) check_twin(w, &x);
    for (at = 0; at < s->n - s->base; at++) if (s->wild[at]) massive = 0;
    for (g = 0; massive && !windowed(w) && g < w->d.n_head_kv; g++)
        for (at = i = 0; at < s->n - s->base; at++) {
            if (s->held[g][at])
                FUZZ_CHECK(fabs((double)mass[g][i] - want[g][at]) < 1e-3, "mass %g, not %g",
                           (double)mass[g][i], want[g][at]), i++;
        }
}

/* What lctx_cache_select must keep, from the masses given. */
static void expect_select(const world *w, shadow *s, const lctx_select *x)
{
    const int64_t cut = s->n - least(x->window, s->n);
    int64_t list[MOST], n, i, j, keep;
    double rank[MOST];
    char stays[MOST];
    int g, moved = 0;
    for (g = 0; g < w->d.n_head_kv; g++) {
        const float *mass = x->mass + g * (x->mass_head / 4);
        for (i = n = 0; i < s->n - s->base; i++)
            if (s->held[g][i] && (s->held[g][i] == 2 || s->base + i < cut)) list[n++] = i;
        keep = least(n, x->n_sink + x->n_heavy);
        if (keep == n) continue;
        moved = 1;
        for (i = 0; i < n; i++) {
            rank[i] = s->base + list[i] < x->n_sink ? 1e9 : -1;
            for (j = greatest(i - x->pool / 2, 0); j <= least(i + x->pool / 2, n - 1); j++)
                if ((double)mass[j] > rank[i]) rank[i] = (double)mass[j];
        }
        memset(stays, 0, sizeof stays);
        for (; keep > 0; keep--) {
            int64_t best = 0;
            for (i = 0; i < n; i++)
                if (!stays[i] && (stays[best] || rank[i] >= rank[best])) best = i;
            stays[best] = 1;
        }
        for (i = 0; i < n; i++)
            if (stays[i]) shadow_move(w, s, g, list[i]);
            else s->held[g][list[i]] = 0;
    }
    if (moved) s->plain = 0;
}

static void do_select(world *w)
{
    shadow *s = w->p->s;
    static float mass[HEADS][MOST];
    const before x = remember(w);
    lctx_select sel;
    lctx_status st;
    int64_t i;
    int g;
    memset(&sel, 0, sizeof sel);
    sel.n_heavy = bytes_in(&w->b, 0, 200), sel.window = bytes_in(&w->b, 0, 200);
    sel.n_sink = (int32_t)bytes_in(&w->b, 0, 9), sel.pool = 2 * (int32_t)bytes_in(&w->b, 0, 4) + 1;
    for (g = 0; g < HEADS; g++)
        for (i = 0; i < MOST; i++)
            mass[g][i] = (float)(fuzz_hash(w->appends, (uint64_t)g, (uint64_t)i) % 50);
    sel.mass = mass[0], sel.mass_head = (int64_t)sizeof mass[0];
    st = lctx_cache_select(w->p->c, &sel);
    fuzz_say("select %d + %lld, pool %d, window %lld: %s", sel.n_sink, (long long)sel.n_heavy,
             sel.pool, (long long)sel.window, lctx_status_text(st));
    if (windowed(w)) {
        FUZZ_CHECK(st == LCTX_E_POLICY, "select under windows: %s", lctx_status_text(st));
        return;
    }
    if (st) {
        FUZZ_CHECK(st == LCTX_E_MEMORY, "select: %s", lctx_status_text(st));
        failed(w, &x, st);
        return;
    }
    expect_select(w, s, &sel);
}

static void do_drop(world *w)
{
    shadow *s = w->p->s;
    const before x = remember(w);
    const int64_t from = s->base + bytes_in(&w->b, 0, MOST), to = from + bytes_in(&w->b, 0, 255);
    const lctx_status st = lctx_cache_drop(w->p->c, from, to);
    int64_t at, left[HEADS] = { 0, 0 };
    int g, any = 0;
    fuzz_say("drop %lld .. %lld: %s", (long long)from, (long long)to, lctx_status_text(st));
    if (windowed(w) || to > s->n) {
        FUZZ_CHECK(st == (windowed(w) ? LCTX_E_POLICY : LCTX_E_POS), "drop: %s",
                   lctx_status_text(st));
        return;
    }
    for (g = 0; g < w->d.n_head_kv; g++)
        for (at = 0; at < s->n - s->base; at++) {
            const int in = s->base + at >= from && s->base + at < to;
            any |= in && s->held[g][at];
            left[g] += in && s->held[g][at];
        }
    if (st) {
        FUZZ_CHECK(st == LCTX_E_MEMORY || (st == LCTX_E_EVICTED && w->d.n_head_kv > 1 &&
                                           left[0] != left[1]), "drop: %s", lctx_status_text(st));
        failed(w, &x, st);
        return;
    }
    if (!any) return;
    s->plain = 0;
    for (g = 0; g < w->d.n_head_kv; g++)
        for (at = 0; at < to - s->base; at++) {
            if (s->base + at >= from) s->held[g][at] = 0;
            else if (s->held[g][at]) shadow_move(w, s, g, at);
        }
}

static void shadow_rewind(const world *w, shadow *s, int64_t n)
{
    int64_t at;
    int g;
    if (n <= s->n_before)
        for (g = 0; g < w->d.n_head_kv; g++)
            memcpy(s->mass[g], s->mass_before[g], sizeof s->mass[g]);
    s->n = n, s->fresh = least(s->fresh, n), s->n_before = least(s->n_before, n);
    for (at = greatest(tile_of(n) - s->base, 0); fours(w) && at < n - s->base; at++)
        for (g = 0; g < w->d.n_head_kv; g++)      /* its tile is open again */
            if (s->held[g][at] != 2) memcpy(s->k[g][at], s->open[g][at], sizeof s->k[g][at]);
    if (!n) s->base = s->fresh = 0, s->plain = 1;
    if (!n) memset(s->held, 0, sizeof s->held);
}

static void do_rewind(world *w)
{
    shadow *s = w->p->s;
    const lctx_cache_info x = info_of(w->p->c);
    const int kind = (int)bytes_in(&w->b, 0, 7);
    const int64_t n = kind < 2 ? x.rewind_min : kind == 2 ? s->n_before : kind == 3 ? s->n :
                      kind == 4 ? 0 : greatest(s->n - bytes_in(&w->b, 0, 255), 0);
    const uint64_t hash = hash_of(w->p->c);
    const lctx_status st = lctx_cache_rewind(w->p->c, n);
    fuzz_say("rewind %lld to %lld: %s", (long long)s->n, (long long)n, lctx_status_text(st));
    if (n > s->n) { FUZZ_CHECK(st == LCTX_E_POS, "rewind: %s", lctx_status_text(st)); return; }
    if (st) {
        FUZZ_CHECK(st == LCTX_E_EVICTED && n < x.rewind_min && n > 0, "rewind to %lld of %lld: %s",
                   (long long)n, (long long)x.rewind_min, lctx_status_text(st));
        FUZZ_CHECK(hash_of(w->p->c) == hash, "a rewind that failed changed the contents");
    } else shadow_rewind(w, s, n);
}

/* ---- several caches */

static pair *place(world *w)
{
    pair *p = &w->at[bytes_in(&w->b, 0, CACHES - 1)];
    if (p == w->p) return NULL;
    lctx_cache_free(p->c);
    p->c = NULL;
    return p;
}

/* Two caches that must be the same answer alike, now. */
static void check_same(world *w, pair *a, pair *b)
{
    const lctx_cache_info x = info_of(a->c), y = info_of(b->c);
    asked p, q;
    lctx_status st, su;
    FUZZ_CHECK(x.n == y.n && x.n_held == y.n_held && x.n_dropped == y.n_dropped &&
               x.n_kept == y.n_kept && x.n_block == y.n_block && x.rewind_min == y.rewind_min &&
               x.bytes == y.bytes, "info of a copy (n %lld %lld, rewind_min %lld %lld)",
               (long long)x.n, (long long)y.n, (long long)x.rewind_min, (long long)y.rewind_min);
    if (w->d.policy == LCTX_HEAVY) return;
    ask(w, &p, a->s->n, 2);
    q = p, q.a.out = q.out, q.a.lse = q.lse;
    st = attend(w, a, &p), su = attend(w, b, &q);
    FUZZ_CHECK(st == su && !st, "copies: %s, %s", lctx_status_text(st), lctx_status_text(su));
    FUZZ_CHECK(!memcmp(p.out, q.out, sizeof q.out) && !memcmp(p.lse, q.lse, sizeof q.lse),
               "a copy has other bits");
}

static void do_fork(world *w)
{
    pair *p = place(w);
    const before x = remember(w);
    lctx_status st;
    if (!p) return;
    st = lctx_cache_fork(w->p->c, &p->c);
    fuzz_say("fork %d to %d: %s", (int)(w->p - w->at), (int)(p - w->at), lctx_status_text(st));
    if (st) {
        FUZZ_CHECK(st == LCTX_E_MEMORY && !p->c, "fork: %s", lctx_status_text(st));
        failed(w, &x, st);
        return;
    }
    memcpy(p->s, w->p->s, sizeof *p->s);
    check_same(w, w->p, p);
}

static int create(world *w, pair *p)
{
    const lctx_status st = lctx_cache_create(&w->d, &p->c);
    FUZZ_CHECK(st == LCTX_OK || (st == LCTX_E_MEMORY && !p->c), "create: %s", lctx_status_text(st));
    memset(p->s->held, 0, sizeof p->s->held);
    p->s->n = p->s->base = p->s->fresh = p->s->n_before = 0, p->s->plain = p->s->sure = 1;
    return p->c != NULL;
}

static void do_restore(world *w)
{
    pair *p = &w->at[bytes_in(&w->b, 0, CACHES - 1)];
    fuzz_stream stream;
    uint64_t hash;
    lctx_status st;
    if (p == w->p || !p->c) return;
    memset(&stream, 0, sizeof stream);
    stream.most = (size_t)bytes_rarely(&w->b, 16) * 1000;
    st = lctx_cache_save(w->p->c, fuzz_write, &stream);
    FUZZ_CHECK(st == LCTX_OK || (st == LCTX_E_IO && stream.most), "save: %s", lctx_status_text(st));
    hash = hash_of(p->c);
    st = lctx_cache_restore(p->c, fuzz_read, &stream);
    fuzz_say("restore %d from %d: %s", (int)(p - w->at), (int)(w->p - w->at), lctx_status_text(st));
    if (st) {
        FUZZ_CHECK(stream.most || st == LCTX_E_MEMORY, "restore: %s", lctx_status_text(st));
        FUZZ_CHECK(hash_of(p->c) == hash, "a restore that failed changed the contents");
    } else {
        memcpy(p->s, w->p->s, sizeof *p->s);
        FUZZ_CHECK(hash_of(p->c) == hash_of(w->p->c), "saved again, other bytes");
        check_same(w, w->p, p);
    }
    fuzz_stream_free(&stream);
}

/* A part computed apart: begun where the cache ends, and joined. */
static void do_join(world *w)
{
    static shadow part;
    shadow *s = w->p->s;
    const int64_t n = bytes_in(&w->b, 0, 255), begin = s->n;
    before x;
    pair p;
    lctx_status st;
    int64_t at;
    int g;
    p.c = NULL, p.s = &part;
    if (n > room(w->p) || windowed(w) || !create(w, &p)) return;
    x = remember(w);
    if (!(st = lctx_cache_begin(p.c, begin))) {
        part.n = part.base = begin, part.fresh = begin, part.n_before = begin, part.plain = 0;
        st = append_to(w, &p, n, 0);
    }
    if (!st) {
        st = lctx_cache_join(w->p->c, p.c);
        if (!st && n) {
            s->n_before = s->fresh = s->n;
            for (g = 0; g < w->d.n_head_kv; g++)
                memcpy(s->mass_before[g], s->mass[g], sizeof s->mass[g]);
            for (at = 0; at < n; at++, s->n++) {
                const int64_t to = s->n - s->base;
                s->wild[to] = part.wild[at], s->made[to] = part.made[at];
                for (g = 0; g < w->d.n_head_kv; g++) {
                    s->held[g][to] = part.held[g][at];
                    s->mass[g][to] = s->mass_before[g][to] = 0;
                    memcpy(s->k[g][to], part.k[g][at], sizeof part.k[g][at]);
                    memcpy(s->open[g][to], part.open[g][at], sizeof part.open[g][at]);
                    memcpy(s->v[g][to], part.v[g][at], sizeof part.v[g][at]);
                }
            }
            s->fresh = greatest(s->fresh, part.fresh);
        } else if (st) failed(w, &x, st);
    }
    fuzz_say("join %lld at %lld: %s", (long long)n, (long long)begin, lctx_status_text(st));
    FUZZ_CHECK(!st || st == LCTX_E_MEMORY || (st == LCTX_E_POS && fours(w) && begin % LCTX_TILE) ||
               (st == LCTX_E_EVICTED && w->d.policy == LCTX_HEAVY) ||
               (st == LCTX_E_FULL && w->d.max_tokens), "join: %s", lctx_status_text(st));
    lctx_cache_free(p.c);
}

/* An empty cache begins somewhere. */
static void do_begin(world *w)
{
    shadow *s = w->p->s;
    const before x = remember(w);
    const int64_t pos = bytes_rarely(&w->b, 2) ? bytes_in(&w->b, 0, 1 << 20) :
                        64 * bytes_in(&w->b, 0, 255);
    const lctx_status st = lctx_cache_begin(w->p->c, pos);
    fuzz_say("begin at %lld: %s", (long long)pos, lctx_status_text(st));
    if (st) {
        FUZZ_CHECK(st == (windowed(w) ? LCTX_E_POLICY : LCTX_E_POS) || st == LCTX_E_MEMORY ||
                   (st == LCTX_E_FULL && w->d.max_tokens && pos > w->d.max_tokens),
                   "begin: %s", lctx_status_text(st));
        failed(w, &x, st);
        return;
    }
    FUZZ_CHECK(s->n == 0, "begun though not empty");
    s->n = s->base = s->fresh = s->n_before = pos, s->plain = pos == 0;
}

/* ---- retrieval */
static void do_retrieve(world *w)
{
    shadow *s = w->p->s;
    const int64_t block = w->d.block ? w->d.block : 256, pos = greatest(s->n - 1, 0);
    const lctx_cache_info info = info_of(w->p->c);
    static uint8_t read[HEADS * 64];
    static unsigned char only[HEADS][MOST];
    unsigned char mark[MOST];
    int64_t first = -1, at, i;
    lctx_retrieve r;
    lctx_status st;
    size_t need = 0;
    asked x, y;
    int g;
    memset(&r, 0, sizeof r);
    r.n_top = bytes_in(&w->b, 0, 8), r.window = bytes_in(&w->b, 1, 256);
    r.n_sink = (int32_t)bytes_in(&w->b, 0, 100), r.read = read;
    r.queries = (int32_t)(r.n_top % 3);
    ask(w, &x, pos, 1);
    FUZZ_CHECK(info.n_block <= 64, "blocks");
    if (lctx_cache_retrieve_size(w->p->c, &x.a, &r, &need) == LCTX_OK)
        FUZZ_CHECK(need <= SCRATCH, "%zu bytes of scratch", need);
    st = lctx_cache_retrieve(w->p->c, &x.a, &r, scratch + (SCRATCH - need), need);
    fuzz_say("retrieve %lld + window %lld + sinks %d: %s", (long long)r.n_top, (long long)r.window,
             r.n_sink, lctx_status_text(st));
    if (w->d.policy != LCTX_FULL || !w->d.summaries) {
        FUZZ_CHECK(st == LCTX_E_POLICY, "retrieve: %s", lctx_status_text(st));
        return;
    }
    if (st == LCTX_E_EVICTED && !s->plain) return;
    FUZZ_CHECK(st == LCTX_OK, "retrieve: %s", lctx_status_text(st));
    if (!known(w, s, pos)) return;
    for (g = 0; g < w->d.n_head_kv; g++) {
        int64_t must = 0, count = 0;
        marks_of(w, w->p, g, mark);
        memset(only[g], 0, MOST);
        for (at = 0; at < s->n - s->base; at++) {
            if (mark[at] == 1 && first < 0) first = (s->base + at) / block;
            only[g][at] = mark[at] == 2 || (mark[at] == 1 && read[g * info.n_block +
                                                                  (s->base + at) / block - first]);
            if (mark[at] == 1 && (s->base + at < r.n_sink || s->base + at >= s->n - r.window))
                FUZZ_CHECK(only[g][at], "token %lld must be read", (long long)at);
        }
        for (i = 0; i < info.n_block; i++) {
            const int64_t from = (first + i) * block;
            must += from < r.n_sink || from < info.n_kept ||      /* a block that was cut */
                    from + block > s->n - least(r.window, s->n);
            count += read[g * info.n_block + i];
        }
        FUZZ_CHECK(count == least(info.n_block, must + r.n_top), "%lld blocks read, of which %lld "
                   "must be", (long long)count, (long long)must);
    }
    check_rows(w, s, &x, (const unsigned char (*)[MOST])only, NULL);
    if (r.n_top < info.n_block) return;
    y = x, y.a.out = y.out, y.a.lse = y.lse;
    FUZZ_CHECK(attend(w, w->p, &y) == LCTX_OK, "attend");
    FUZZ_CHECK(!memcmp(x.out, y.out, sizeof y.out), "all blocks were read, other bits");
}

/* ---- the whole */

static int begin_world(world *w)
{
    static const int32_t blocks[] = { 64, 128, 192, 0 };
    lctx_pool_desc pool;
    lctx_cache_desc *d = &w->d;
    d->n_head_kv = (int32_t)bytes_in(&w->b, 1, HEADS), w->group = (int)bytes_in(&w->b, 1, GROUP);
    d->d_k = (int32_t)bytes_in(&w->b, 1, DIM), d->d_v = (int32_t)bytes_in(&w->b, 1, DIM);
    d->k_type = (int32_t)bytes_in(&w->b, 0, LCTX_I4);
    d->v_type = (int32_t)bytes_in(&w->b, 0, LCTX_I4);
    d->policy = (int32_t)bytes_in(&w->b, 0, LCTX_POLICY_COUNT - 1);
    d->block = blocks[bytes_in(&w->b, 0, 3)];
    if (d->policy != LCTX_FULL) d->window = bytes_in(&w->b, 1, 256);
    if (d->policy == LCTX_SINKS) d->n_sink = (int32_t)bytes_in(&w->b, 1, 100);
    if (d->policy == LCTX_HEAVY) d->n_sink = (int32_t)bytes_in(&w->b, 0, 10);
    if (d->policy == LCTX_HEAVY) d->n_heavy = bytes_in(&w->b, 1, 100);
    d->summaries = bytes_flag(&w->b);
    if (bytes_rarely(&w->b, 4)) d->max_tokens = bytes_in(&w->b, 1, 400);
    d->latent = d->k_type < LCTX_I4 && d->d_v <= d->d_k && bytes_flag(&w->b);
    if (d->latent) d->v_type = d->k_type;
    w->size = bytes_rarely(&w->b, 8) ? 1e-38f : bytes_rarely(&w->b, 8) ? 1000 : 1;
    w->alloc = fuzz_allocator(&w->memory);
    if (bytes_rarely(&w->b, 4)) {
        memset(&pool, 0, sizeof pool);
        pool.alloc = &w->alloc, pool.max_bytes = bytes_in(&w->b, 0, 1 << 20);
        if (lctx_pool_create(&pool, &w->pool) != LCTX_OK) return 0;
        FUZZ_CHECK(lctx_pool_allocator(w->pool, &w->alloc) == LCTX_OK, "pool");
    }
    d->alloc = &w->alloc;
    fuzz_say("heads %d x %d, d %d %d, types %s %s, policy %d, block %d, window %lld, sinks %d, "
             "heavy %lld, %s%s, at most %lld, pool %d, size %g",
             d->n_head_kv, w->group, d->d_k, d->d_v, lctx_type_name((lctx_type)d->k_type),
             lctx_type_name((lctx_type)d->v_type), d->policy,
             d->block, (long long)d->window, d->n_sink, (long long)d->n_heavy,
             d->latent ? "latent, " : "", d->summaries ? "summaries" : "no summaries",
             (long long)d->max_tokens,
             w->pool != NULL, (double)w->size);
    w->p = &w->at[0];
    return create(w, w->p);
}

static void step(world *w)
{
    switch (bytes_in(&w->b, 0, 15)) {
    case 0: case 1: case 2: do_append(w); break;
    case 3: case 4: case 5: do_attend(w); break;
    case 6: do_select(w); break;
    case 7: do_drop(w); break;
    case 8: case 9: do_rewind(w); break;
    case 10: do_fork(w); break;
    case 11: do_restore(w); break;
    case 12: do_join(w); break;
    case 13: do_begin(w); break;
    case 14: do_retrieve(w); break;
    default:
        if (bytes_flag(&w->b)) {       /* another one in hand; it may have to be made */
            pair *p = &w->at[bytes_in(&w->b, 0, CACHES - 1)];
            if (p->c || create(w, p)) w->p = p;
        } else w->memory.fail_at = bytes_in(&w->b, 1, 8), w->memory.failed = 0;
        return;                        /* the next call meets the failure */
    }
    w->memory.fail_at = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static shadow shadows[CACHES];
    world w;
    int i, ok;
    memset(&w, 0, sizeof w);
    w.b = bytes_of(data, size);
    for (i = 0; i < CACHES; i++) w.at[i].s = &shadows[i];
    ok = begin_world(&w);
    for (i = 0; ok && i < 64 && bytes_left(&w.b); i++) {
        step(&w);
        check_info(&w, w.p);
        check_pool(&w);
    }
    for (i = 0; i < CACHES; i++) lctx_cache_free(w.at[i].c);
    FUZZ_CHECK(lctx_pool_free(w.pool) == LCTX_OK, "the pool is in use");
    FUZZ_CHECK(w.memory.pieces == 0 && w.memory.bytes == 0, "%lld pieces of %lld bytes leak",
               (long long)w.memory.pieces, (long long)w.memory.bytes);
    return 0;
}
