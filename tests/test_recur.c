/* test_recur.c - floor 2, beside attention: recurrences of every kind against their formula in
   double, convolutions, the same bits for any chunks, threads and strides, snapshots, NaN. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

#include <math.h>

/* ---------------------------------------------------------------------------- kinds */

typedef struct kind {
    const char *name;
    int decay, beta, erase, bonus;     /* erase 1: a, 2: a and b */
} kind;
static const kind kinds[] = {
    { "linear attention", LCTX_DECAY_NONE, 0, 0, 0 },
    { "RetNet, Mamba-2", LCTX_DECAY_HEAD, 0, 0, 0 },
    { "GLA", LCTX_DECAY_DIM, 0, 0, 0 },
    { "DeltaNet", LCTX_DECAY_NONE, 1, 0, 0 },
    { "Gated DeltaNet", LCTX_DECAY_HEAD, 1, 0, 0 },
    { "KDA", LCTX_DECAY_DIM, 1, 0, 0 },
    { "a alone", LCTX_DECAY_HEAD, 0, 1, 0 },
    { "RWKV-6", LCTX_DECAY_DIM, 0, 0, 1 },
    { "RWKV-7", LCTX_DECAY_DIM, 0, 2, 0 },
    { "Mamba", LCTX_DECAY_ELEMENT, 0, 0, 0 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct shape { int n_head, n_head_k, d_k, d_v; } shape;

/* All that a call is given, packed; a descriptor of it; where states go. */
typedef struct world {
    kind kind;
    shape s;
    int64_t n, state_n;
    float *q, *k, *v, *decay, *rate, *beta, *a, *b, *bonus, *y, *state, *first, *slots;
    lctx_recurrence r;
    lctx_snapshots snapshots;
    void *scratch;
    size_t scratch_bytes;
} world;

static float *many(int64_t n, double mean, double deviation)
{
    float *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    int64_t i;
    for (i = 0; i < n; i++) x[i] = (float)(mean + deviation * test_normal());
    return x;
}
static float *within(int64_t n, double low, double high)
{
    float *x = many(n, 0, 0);
    int64_t i;
    for (i = 0; i < n; i++) x[i] = (float)(low + (high - low) * test_uniform());
    return x;
}
/* Rows of length 1, as models make them where states are to stay bounded. */
static float *unit(int64_t rows, int d)
{
    float *x = many(rows * d, 0, 1);
    int64_t i;
    int j;
    for (i = 0; i < rows; i++) {
        double sum = 0;
        for (j = 0; j < d; j++) sum += (double)x[i * d + j] * x[i * d + j];
        for (j = 0; j < d; j++) x[i * d + j] = (float)(x[i * d + j] / sqrt(sum + 1e-6));
    }
    return x;
}

static void scratch_for(world *w)
{
    free(w->scratch);
    check(lctx_recur_size(&w->r, &w->scratch_bytes) == LCTX_OK, "%s: a size", w->kind.name);
    w->scratch = malloc(w->scratch_bytes);
}
static lctx_status run(world *w) { return lctx_recur(&w->r, w->scratch, w->scratch_bytes); }

static void open_world(world *w, const kind *of, shape s, int64_t n)
{
    const int64_t h = s.n_head, hk = s.n_head_k, rows = n * h;
    int64_t i;
    memset(w, 0, sizeof *w);
    w->kind = *of, w->s = s, w->n = n, w->state_n = h * s.d_k * s.d_v;
    w->q = unit(n * hk, s.d_k), w->k = unit(n * hk, s.d_k), w->v = many(rows * s.d_v, 0, 1);
    w->decay = of->decay == LCTX_DECAY_HEAD ? within(rows, 0.9, 1) :
               of->decay == LCTX_DECAY_DIM ? within(rows * s.d_k, 0.9, 1) :
               of->decay == LCTX_DECAY_ELEMENT ? within(rows * s.d_v, 0.001, 0.1) : NULL;
    w->rate = within(w->state_n, -4, -0.1);
    w->beta = of->beta ? within(rows, 0, 1) : NULL;
    w->a = of->erase ? unit(rows, s.d_k) : NULL;
    w->b = of->erase == 2 ? many(n * hk * s.d_k, 0, 0.3) : NULL;
    for (i = 0; of->erase == 2 && i < rows * s.d_k; i++) w->a[i] *= -1;
    for (i = 0; of->erase == 2 && i < n * hk * s.d_k; i++) w->b[i] = 0.5f * w->k[i];
    w->bonus = of->bonus ? many(h * s.d_k, 0, 1) : NULL;
    w->y = many(rows * s.d_v, 77, 0);
    w->first = many(w->state_n, 0, 0.1), w->state = many(w->state_n, 77, 0);
    w->r.n = n, w->r.n_head = s.n_head, w->r.n_head_k = s.n_head_k;
    w->r.d_k = s.d_k, w->r.d_v = s.d_v, w->r.decay_kind = of->decay, w->r.scale = 0.5f;
    w->r.q = w->q, w->r.k = w->k, w->r.v = w->v, w->r.decay = w->decay, w->r.rate = w->rate;
    w->r.beta = w->beta, w->r.a = w->a, w->r.b = w->b, w->r.bonus = w->bonus;
    w->r.y = w->y, w->r.state = w->state, w->r.from = w->first;
    scratch_for(w);
}
static void close_world(world *w)
{
    free(w->q), free(w->k), free(w->v), free(w->decay), free(w->rate), free(w->beta), free(w->a);
    free(w->b), free(w->bonus), free(w->y), free(w->state), free(w->first), free(w->slots);
    free(w->scratch);
}

/* ---------------------------------------------------------------------------- the oracle */

/* One head of one token: S[d_v][d_k] changes, y[d_v] is what it gives. */
static void oracle_token(const world *w, int64_t t, int h, double *s, double *y)
{
    const int d_k = w->s.d_k, d_v = w->s.d_v, n = w->s.n_head;
    const int g = h / (w->s.n_head / w->s.n_head_k);
    const float *k = w->k + (t * w->s.n_head_k + g) * d_k, *q = w->q + (k - w->k);
    const float *v = w->v + (t * n + h) * d_v, *decay = w->decay;
    int i, j;
    for (i = 0; i < d_v; i++) {
        double *row = s + (int64_t)i * d_k, erased = 0, value = v[i];
        y[i] = 0;
        for (j = 0; w->a && j < d_k; j++) erased += row[j] * w->a[(t * n + h) * d_k + j];
        for (j = 0; w->bonus && j < d_k; j++)
            y[i] += (row[j] + (double)w->bonus[h * d_k + j] * k[j] * v[i]) * q[j];
        for (j = 0; j < d_k; j++) {
            double f = 1;
            if (w->kind.decay == LCTX_DECAY_HEAD) f = decay[t * n + h];
            if (w->kind.decay == LCTX_DECAY_DIM) f = decay[(t * n + h) * d_k + j];
            if (w->kind.decay == LCTX_DECAY_ELEMENT)
                f = exp((double)decay[(t * n + h) * d_v + i] *
                        w->rate[((int64_t)h * d_k + j) * d_v + i]);
            row[j] *= f;
        }
        for (j = 0; w->beta && j < d_k; j++) erased += row[j] * k[j];
        if (w->beta) value = w->beta[t * n + h] * (v[i] - erased), erased = 0;
        if (w->kind.decay == LCTX_DECAY_ELEMENT) value *= decay[(t * n + h) * d_v + i];
        for (j = 0; j < d_k; j++)
            row[j] += value * k[j] +
                      erased * (w->b ? w->b[(t * w->s.n_head_k + g) * d_k + j] : k[j]);
        for (j = 0; !w->bonus && j < d_k; j++) y[i] += row[j] * q[j];
        y[i] *= 0.5;
    }
}

/* Compares y and the last state with the oracle's; NMSE of both, the worst of them. */
static double compare(const world *w)
{
    const int64_t size = (int64_t)w->s.d_k * w->s.d_v;
    double *s = malloc((size_t)size * sizeof *s), *y = malloc((size_t)w->s.d_v * sizeof *y);
    double worst;
    oracle_error of_y = { 0 }, of_s = { 0 };
    int64_t t, i;
    int h;
    for (h = 0; h < w->s.n_head; h++) {
        for (i = 0; i < size; i++)
            s[i % w->s.d_v * w->s.d_k + i / w->s.d_v] = w->first[h * size + i];
        for (t = 0; t < w->n; t++) {
            oracle_token(w, t, h, s, y);
            oracle_error_add(&of_y, w->s.d_v, y, w->y + (t * w->s.n_head + h) * w->s.d_v);
        }
        for (i = 0; i < size; i++)
            oracle_error_add(&of_s, 1, &s[i % w->s.d_v * w->s.d_k + i / w->s.d_v],
                             &w->state[h * size + i]);
    }
    free(s), free(y);
    worst = oracle_error_nmse(&of_y);
    return worst > oracle_error_nmse(&of_s) ? worst : oracle_error_nmse(&of_s);
}

static void test_formula(void)
{
    static const shape shapes[] = {
        { 1, 1, 1, 1 }, { 2, 1, 5, 3 }, { 4, 2, 16, 16 }, { 3, 3, 33, 40 }, { 2, 2, 64, 64 },
        { 4, 1, 24, 80 }, { 1, 1, 128, 130 }
    };
    size_t i;
    int k;
    for (k = 0; k < KINDS; k++)
        for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            world w;
            double error;
            open_world(&w, &kinds[k], shapes[i], 19);
            check(run(&w) == LCTX_OK, "%s runs", kinds[k].name);
            error = compare(&w);
            check(error <= 1e-11, "%s, heads %d / %d of %d x %d, is its formula (NMSE %.2g)",
                  kinds[k].name, shapes[i].n_head, shapes[i].n_head_k, shapes[i].d_v,
                  shapes[i].d_k, error);
            close_world(&w);
        }
}

/* ---------------------------------------------------------------------------- the same bits */

static const shape some = { 4, 2, 24, 88 };
enum { TOKENS = 37 };
static int same(const float *a, const float *b, int64_t n)
{
    return !memcmp(a, b, (size_t)n * sizeof *a);
}
static int64_t y_n(const world *w) { return w->n * w->s.n_head * w->s.d_v; }

/* Runs it in pieces of so many tokens, in place after the first. */
static void run_chunks(world *w, int64_t piece)
{
    const lctx_recurrence all = w->r;
    const shape s = w->s;
    int64_t t;
    for (t = 0; t < w->n; t += piece) {
        const int64_t hk = t * s.n_head_k, h = t * s.n_head;
        const int64_t row = all.decay_kind == LCTX_DECAY_HEAD ? 1 :
                            all.decay_kind == LCTX_DECAY_DIM ? s.d_k : s.d_v;
        w->r.n = w->n - t < piece ? w->n - t : piece;
        w->r.q = w->q + hk * s.d_k, w->r.k = w->k + hk * s.d_k, w->r.v = w->v + h * s.d_v;
        if (w->decay) w->r.decay = w->decay + h * row;
        if (w->beta) w->r.beta = w->beta + h;
        if (w->a) w->r.a = w->a + h * s.d_k;
        if (w->b) w->r.b = w->b + hk * s.d_k;
        w->r.y = w->y + h * s.d_v, w->r.from = t ? NULL : w->first;
        w->snapshots.before = t;
        check(run(w) == LCTX_OK, "%s: tokens from %d on", w->kind.name, (int)t);
    }
    w->r = all, w->snapshots.before = 0;
}

static void snapshots_of(world *w, int64_t every, int64_t n)
{
    free(w->slots);
    w->slots = many(n * w->state_n, 77, 0);
    w->snapshots.every = every, w->snapshots.n = n, w->snapshots.slots = w->slots;
    w->r.snapshots = &w->snapshots;
}

static void test_chunks(void)
{
    static const int64_t pieces[] = { 1, 2, 7, 16, 36 };
    size_t i;
    int k;
    for (k = 0; k < KINDS; k++) {
        world w, c;
        uint64_t seed = test_state;
        open_world(&w, &kinds[k], some, TOKENS);
        test_state = seed;
        open_world(&c, &kinds[k], some, TOKENS);
        snapshots_of(&w, 5, 3);
        check(run(&w) == LCTX_OK, "%s with snapshots", kinds[k].name);
        for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            snapshots_of(&c, 5, 3);
            run_chunks(&c, pieces[i]);
            check(same(w.y, c.y, y_n(&w)) && same(w.state, c.state, w.state_n) &&
                  same(w.slots, c.slots, 3 * w.state_n),
                  "%s: outputs, state and snapshots have the same bits in pieces of %d",
                  kinds[k].name, (int)pieces[i]);
        }
        close_world(&w), close_world(&c);
    }
}

static void test_threads(void)
{
    const shape wide = { 6, 3, 64, 150 };
    int k, pool;
    if (!hook_threads("recurrences by threads")) return;
    for (k = 0; k < KINDS; k++)
        for (pool = 0; pool < 2; pool++) {
            world w;
            hook h = { 0, 0, 0 };
            lctx_parallel par = { 0 };
            const int n_threads = pool ? 7 : 5;    /* more than heads: tile by tile */
            float *y, *state;
            par.run = pool ? hook_run_pool : hook_run_shuffled, par.user = &h;
            par.n_threads = n_threads;
            open_world(&w, &kinds[k], wide, TOKENS);
            check(run(&w) == LCTX_OK, "%s alone", kinds[k].name);
            y = w.y, state = w.state;
            w.r.y = w.y = many(y_n(&w), 0, 0), w.r.state = w.state = many(w.state_n, 0, 0);
            w.r.par = &par;
            scratch_for(&w);
            check(run(&w) == LCTX_OK && h.tasks == (pool ? 18 : 6) && same(w.y, y, y_n(&w)) &&
                  same(w.state, state, w.state_n), "%s: the same bits by threads (%d tasks)",
                  kinds[k].name, (int)h.tasks);
            free(y), free(state);
            close_world(&w);
        }
}

/* x[n][rows][d] with d elements a row at other strides, what lies between NaN; element strides. */
static float *spread(const float *x, int64_t n, int64_t rows, int64_t d, int64_t token,
                     int64_t row)
{
    float *out = many(n * token, NAN, 0);
    int64_t t, r;
    for (t = 0; t < n; t++)
        for (r = 0; r < rows; r++)
            memcpy(out + t * token + r * row, x + (t * rows + r) * d, (size_t)d * sizeof *x);
    return out;
}
/* The same for one field of the descriptor; the packed array is freed. */
#define SPREAD(w, field, n, rows, d) do { \
    const int64_t row_ = (d) + 3, token_ = (rows) * row_ + 5; \
    if ((w)->field) { \
        float *x_ = spread((w)->field, n, rows, d, token_, row_); \
        free((w)->field), (w)->r.field = (w)->field = x_; \
        (w)->r.field##_token = token_ * 4, (w)->r.field##_head = row_ * 4; \
    } } while (0)

static void test_strides(void)
{
    int k;
    for (k = 0; k < KINDS; k++) {
        world w, c;
        const uint64_t seed = test_state;
        const int64_t rate_row = some.d_v + 1, rate_head = rate_row * some.d_k + 7;
        int64_t t, h;
        int ok = 1;
        open_world(&w, &kinds[k], some, TOKENS);
        check(run(&w) == LCTX_OK, "%s packed", kinds[k].name);
        test_state = seed;
        open_world(&c, &kinds[k], some, TOKENS);
        SPREAD(&c, q, TOKENS, some.n_head_k, some.d_k);
        SPREAD(&c, k, TOKENS, some.n_head_k, some.d_k);
        SPREAD(&c, b, TOKENS, some.n_head_k, some.d_k);
        SPREAD(&c, a, TOKENS, some.n_head, some.d_k);
        SPREAD(&c, v, TOKENS, some.n_head, some.d_v);
        SPREAD(&c, y, TOKENS, some.n_head, some.d_v);
        SPREAD(&c, beta, TOKENS, some.n_head, 1);
        SPREAD(&c, decay, TOKENS, some.n_head, kinds[k].decay == LCTX_DECAY_HEAD ? 1 :
               kinds[k].decay == LCTX_DECAY_DIM ? some.d_k : some.d_v);
        if (c.bonus) {
            float *x = spread(c.bonus, some.n_head, 1, some.d_k, some.d_k + 9, 1);
            free(c.bonus), c.r.bonus = c.bonus = x, c.r.bonus_head = (some.d_k + 9) * 4;
        }
        c.r.state_head = rate_head * 4, c.r.state_k = rate_row * 4;
        c.state_n = some.n_head * rate_head;
        {
            float *x = spread(c.rate, some.n_head, some.d_k, some.d_v, rate_head, rate_row);
            float *s = spread(c.first, some.n_head, some.d_k, some.d_v, rate_head, rate_row);
            free(c.rate), free(c.first), free(c.state);
            c.r.rate = c.rate = x, c.r.from = c.first = s;
            c.r.state = c.state = many(c.state_n, NAN, 0);
        }
        check(run(&c) == LCTX_OK, "%s spread", kinds[k].name);
        for (t = 0; t < TOKENS; t++)
            for (h = 0; h < some.n_head; h++)
                ok &= same(c.y + t * (c.r.y_token / 4) + h * (c.r.y_head / 4),
                           w.y + (t * some.n_head + h) * some.d_v, some.d_v);
        for (h = 0; h < some.n_head; h++)
            for (t = 0; t < some.d_k; t++)
                ok &= same(c.state + h * rate_head + t * rate_row,
                           w.state + (h * some.d_k + t) * some.d_v, some.d_v);
        check(ok, "%s: the same bits at any strides, and nothing between is read", kinds[k].name);
        close_world(&w), close_world(&c);
    }
}

/* [d_k][d_v] of each head as [d_v][d_k] */
static float *turned(const world *w, const float *x)
{
    const int64_t size = (int64_t)w->s.d_k * w->s.d_v;
    float *out = many(w->state_n, 0, 0);
    int64_t i;
    for (i = 0; i < w->state_n; i++)
        out[i / size * size + i % w->s.d_v * w->s.d_k + i % size / w->s.d_v] = x[i];
    return out;
}
static void test_state_rows(void)
{
    int k;
    for (k = 0; k < KINDS; k++) {
        world w;
        float *y, *want, *rows;
        open_world(&w, &kinds[k], some, TOKENS);
        check(run(&w) == LCTX_OK, "%s by columns", kinds[k].name);
        y = w.y, want = turned(&w, w.state);
        w.r.y = w.y = many(y_n(&w), 0, 0);
        w.r.from = rows = turned(&w, w.first);
        w.r.rate = turned(&w, w.rate);
        w.r.state_k = 4, w.r.state_v = 4 * some.d_k;
        check(run(&w) == LCTX_OK && same(w.y, y, y_n(&w)) && same(w.state, want, w.state_n),
              "%s: the same bits with states [d_v][d_k]", kinds[k].name);
        free((void *)(uintptr_t)w.r.rate), free(y), free(want), free(rows);
        close_world(&w);
    }
}

/* A decay that all tokens share is read once. */
static void test_shared_decay(void)
{
    world w;
    float *y;
    int64_t t;
    open_world(&w, &kinds[1], some, TOKENS);
    for (t = 1; t < TOKENS; t++)
        memcpy(w.decay + t * some.n_head, w.decay, (size_t)some.n_head * sizeof *w.decay);
    check(run(&w) == LCTX_OK, "a decay listed for every token");
    y = w.y, w.r.y = w.y = many(y_n(&w), 0, 0);
    w.r.decay_token = -1;
    check(run(&w) == LCTX_OK && same(w.y, y, y_n(&w)), "decay_token -1: one decay for all tokens");
    free(y);
    close_world(&w);
}

/* ---------------------------------------------------------------------------- states */

static void test_snapshots(void)
{
    int k;
    for (k = 0; k < KINDS; k++) {
        world w;
        float *y, *state;
        int64_t m;
        open_world(&w, &kinds[k], some, TOKENS);
        snapshots_of(&w, 5, 3);
        check(run(&w) == LCTX_OK, "%s with snapshots", kinds[k].name);
        y = w.y, state = w.state;
        w.y = many(y_n(&w), 0, 0);
        for (m = 5; m <= 7; m++) {      /* 25, 30 and 35 tokens: what three slots hold at 37 */
            const int64_t t = 5 * m;
            lctx_recurrence all = w.r;
            w.state = many(w.state_n, 0, 0);
            w.r.snapshots = NULL, w.r.n = TOKENS - t;
            w.r.from = w.slots + (m - 1) % 3 * w.state_n, w.r.state = w.state;
            w.r.q += t * some.n_head_k * some.d_k, w.r.k += t * some.n_head_k * some.d_k;
            w.r.v += t * some.n_head * some.d_v, w.r.y = w.y;
            if (w.decay)
                w.r.decay += t * some.n_head * (kinds[k].decay == LCTX_DECAY_HEAD ? 1 :
                             kinds[k].decay == LCTX_DECAY_DIM ? some.d_k : some.d_v);
            if (w.beta) w.r.beta += t * some.n_head;
            if (w.a) w.r.a += t * some.n_head * some.d_k;
            if (w.b) w.r.b += t * some.n_head_k * some.d_k;
            check(run(&w) == LCTX_OK &&
                  same(w.y, y + t * some.n_head * some.d_v,
                       (TOKENS - t) * some.n_head * some.d_v) &&
                  same(w.state, state, w.state_n),
                  "%s goes back to %d tokens, and on with the same bits", kinds[k].name, (int)t);
            free(w.state);
            w.r = all;
        }
        free(y), w.state = state;
        close_world(&w);
    }
}

static void test_nothing(void)
{
    world w;
    float *first, *state;
    open_world(&w, &kinds[4], some, TOKENS);
    first = many(w.state_n, 0, 0), memcpy(first, w.first, (size_t)w.state_n * sizeof *first);
    state = many(w.state_n, 77, 0);
    w.r.n = 0;
    check(run(&w) == LCTX_OK && same(w.state, state, w.state_n), "no tokens touch no state");
    w.r.n = TOKENS;
    check(run(&w) == LCTX_OK && same(w.first, first, w.state_n), "`from` is read only");
    memcpy(state, w.state, (size_t)w.state_n * sizeof *state);
    w.r.state = w.first;
    check(run(&w) == LCTX_OK && same(w.first, state, w.state_n), "from and state may be one");
    free(first), free(state);
    close_world(&w);
}

/* NaN in each of a token's inputs, one head's at a time. */
static void test_nan(void)
{
    const int64_t size = (int64_t)some.d_k * some.d_v;
    int k, which;
    for (k = 0; k < KINDS; k++)
        for (which = 0; which < 7; which++) {
            world w;
            float *y, *state, *x[7];
            int64_t t, i, row = some.d_v, heads = some.n_head;
            int h, ok = 1, poisoned = 1, bad0 = 2, bad1 = 2;
            open_world(&w, &kinds[k], some, TOKENS);
            x[0] = w.q, x[1] = w.k, x[2] = w.v, x[3] = w.decay, x[4] = w.beta, x[5] = w.a;
            x[6] = w.b;
            if (x[which]) {
                check(run(&w) == LCTX_OK, "%s without NaN", kinds[k].name);
                y = w.y, state = w.state;
                w.r.y = w.y = many(y_n(&w), 0, 0), w.r.state = w.state = many(w.state_n, 0, 0);
                if (which != 2) row = some.d_k;
                if (which == 4 || (which == 3 && kinds[k].decay == LCTX_DECAY_HEAD)) row = 1;
                if (which == 3 && kinds[k].decay == LCTX_DECAY_ELEMENT) row = some.d_v;
                if (which < 2 || which == 6) heads = some.n_head_k, bad1 = 3;
                x[which][(11 * heads + (heads == some.n_head ? 2 : 1)) * row + row / 2] = NAN;
                check(run(&w) == LCTX_OK, "%s with NaN", kinds[k].name);
                for (h = 0; h < some.n_head; h++) {
                    const int bad = h >= bad0 && h <= bad1;
                    for (t = 0; t < TOKENS && !(bad && t >= 11); t++)
                        ok &= same(w.y + (t * some.n_head + h) * some.d_v,
                                   y + (t * some.n_head + h) * some.d_v, some.d_v);
                    if (!bad) ok &= same(w.state + h * size, state + h * size, size);
                    for (i = 0, t = 0; bad && i < size; i++) t += isnan(w.state[h * size + i]);
                    if (bad && which) poisoned &= t > 0;
                }
                check(ok && poisoned, "%s: a NaN in input %d stays in the heads that read it, from "
                      "its token on", kinds[k].name, which);
                free(y), free(state);
            }
            close_world(&w);
        }
}

/* Decays beyond 1 are taken, unless they are said to be bounded. */
static void test_bounded(void)
{
    lctx_refusal report;
    world w;
    int k;
    for (k = 1; k < 3; k++) {
        float *state, bad[] = { 1.5f, -0.25f, NAN };
        int i;
        open_world(&w, &kinds[k], some, TOKENS);
        state = many(w.state_n, 77, 0);
        w.r.bounded = 1, w.r.refused = &report;
        for (i = 0; i < 3; i++) {
            float *at = w.decay + (9 * some.n_head + 1) * (k == 1 ? 1 : some.d_k), was = *at;
            *at = bad[i];
            check(run(&w) == LCTX_E_DECAY && report.element == 9 && !strcmp(report.field, "decay")
                  && same(w.state, state, w.state_n), "%s: a decay of %g is refused, and nothing "
                  "touched", kinds[k].name, (double)bad[i]);
            *at = was;
        }
        check(run(&w) == LCTX_OK, "%s: decays of 0 .. 1 are taken", kinds[k].name);
        w.decay[0] = 1.5f, w.r.bounded = 0;
        check(run(&w) == LCTX_OK, "%s: any decay is taken where none is bounded", kinds[k].name);
        free(state);
        close_world(&w);
    }
}

/* ---------------------------------------------------------------------------- far */

static void test_far(void)
{
    const int few = test_sampled() || test_elsewhere();
    const int64_t n = getenv("TEST_QUICK") ? 1024 : few ? 4096 : 16384;
    const shape s = { 1, 1, 64, 16 };
    int k;
    for (k = 0; k < KINDS; k++) {
        world w;
        double error;
        open_world(&w, &kinds[k], s, n);
        check(run(&w) == LCTX_OK, "%s over %d tokens", kinds[k].name, (int)n);
        error = compare(&w);
        printf("  %-17s NMSE over %d tokens: %.1e\n", kinds[k].name, (int)n, error);
        check(error <= (kinds[k].decay ? 1e-11 : 1e-10), "%s stays right over %d tokens",
              kinds[k].name, (int)n);
        close_world(&w);
    }
}

/* ---------------------------------------------------------------------------- convolutions */

typedef struct taps {
    lctx_convolution c;
    lctx_snapshots snapshots;
    float *x, *weight, *bias, *y, *state, *first, *slots;
    int64_t state_n;
} taps;

static void open_taps(taps *w, int n_channel, int n_taps, int64_t n, int silu)
{
    memset(w, 0, sizeof *w);
    w->state_n = (int64_t)(n_taps - 1) * n_channel;
    w->x = many(n * n_channel, 0, 1), w->weight = many((int64_t)n_channel * n_taps, 0, 0.5);
    w->bias = many(n_channel, 0, 1), w->y = many(n * n_channel, 77, 0);
    w->first = many(w->state_n, 0, 1), w->state = many(w->state_n, 77, 0);
    w->slots = many(3 * w->state_n, 77, 0);
    w->c.n = n, w->c.n_channel = n_channel, w->c.taps = n_taps, w->c.silu = silu;
    w->c.x = w->x, w->c.weight = w->weight, w->c.bias = silu ? w->bias : NULL;
    w->c.y = w->y, w->c.state = w->state, w->c.from = w->first;
    w->snapshots.every = 2, w->snapshots.n = 3, w->snapshots.slots = w->slots;
    w->c.snapshots = n_taps > 1 ? &w->snapshots : NULL;
}
static void close_taps(taps *w)
{
    free(w->x), free(w->weight), free(w->bias), free(w->y), free(w->first), free(w->state);
    free(w->slots);
}
static float tap_input(const taps *w, int64_t t, int64_t i)
{
    return t < 0 ? w->first[(w->c.taps - 1 + t) * w->c.n_channel + i]
                 : w->x[t * w->c.n_channel + i];
}

static void compare_taps(const taps *w)
{
    oracle_error e = { 0 };
    int64_t t, i, slot;
    int j, kept = 1;
    for (t = 0; t < w->c.n; t++)
        for (i = 0; i < w->c.n_channel; i++) {
            double y = w->c.bias ? w->bias[i] : 0;
            for (j = 0; j < w->c.taps; j++)
                y += (double)w->weight[i * w->c.taps + j] * tap_input(w, t - w->c.taps + 1 + j, i);
            if (w->c.silu) y /= 1 + exp(-y);
            oracle_error_add(&e, 1, &y, &w->y[t * w->c.n_channel + i]);
        }
    for (t = w->c.n; t > w->c.n - 6 && t > 0; t--)
        for (j = 0; j < w->c.taps - 1; j++)
            for (i = 0; i < w->c.n_channel; i++) {
                const float x = tap_input(w, t - w->c.taps + 1 + j, i);
                slot = (t / 2 - 1) % 3 * w->state_n;
                if (t == w->c.n) kept &= same(&x, &w->state[j * w->c.n_channel + i], 1);
                if (t % 2 == 0) kept &= same(&x, &w->slots[slot + j * w->c.n_channel + i], 1);
            }
    check(oracle_error_nmse(&e) <= 1e-12, "%d taps over %d channels and %d tokens are the formula "
          "(NMSE %.2g)", w->c.taps, w->c.n_channel, (int)w->c.n, oracle_error_nmse(&e));
    check(kept, "%d taps: states and snapshots are the last inputs", w->c.taps);
}

static void test_taps(void)
{
    static const int channels[] = { 1, 7, 64, 200 }, counts[] = { 1, 2, 4, 16 };
    int i, j, silu, n;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 4; j++)
            for (silu = 0; silu < 2; silu++)
                for (n = 1; n <= 23; n += 11) {
                    taps w;
                    open_taps(&w, channels[i], counts[j], n, silu);
                    check(lctx_convolve(&w.c) == LCTX_OK, "%d taps", counts[j]);
                    compare_taps(&w);
                    close_taps(&w);
                }
}

static void test_taps_bits(void)
{
    static const int64_t pieces[] = { 1, 2, 5, 22 };
    hook h = { 0, 0, 0 };
    lctx_parallel par = { 0 };
    taps w, c;
    int64_t t;
    size_t i;
    const uint64_t seed = test_state;
    open_taps(&w, 500, 4, 41, 1);
    test_state = seed;
    open_taps(&c, 500, 4, 41, 1);
    check(lctx_convolve(&w.c) == LCTX_OK, "a convolution at once");
    par.run = hook_run_shuffled, par.user = &h, par.n_threads = 3;
    for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        lctx_convolution all = c.c;
        c.c.par = &par;
        for (t = 0; t < 41; t += pieces[i]) {
            c.c.n = 41 - t < pieces[i] ? 41 - t : pieces[i];
            c.c.x = c.x + t * 500, c.c.y = c.y + t * 500, c.c.from = t ? NULL : c.first;
            c.snapshots.before = t;
            check(lctx_convolve(&c.c) == LCTX_OK, "a convolution from token %d on", (int)t);
        }
        check(same(w.y, c.y, 41 * 500) && same(w.state, c.state, w.state_n) &&
              same(w.slots, c.slots, 3 * w.state_n),
              "a convolution has the same bits in pieces of %d, by threads", (int)pieces[i]);
        c.c = all;
    }
    c.x[20 * 500 + 321] = NAN;
    c.snapshots.before = 0;
    check(lctx_convolve(&c.c) == LCTX_OK, "a convolution with NaN");
    for (t = 0; t < 41 * 500; t++)
        if (!same(&w.y[t], &c.y[t], 1) && (t % 500 != 321 || t / 500 < 20 || t / 500 > 23)) break;
    check(t == 41 * 500, "a NaN input stays in its channel, for as many tokens as there are taps");
    close_taps(&w), close_taps(&c);
}

int main(void)
{
    test_formula();
    test_chunks();
    test_threads();
    test_strides();
    test_state_rows();
    test_shared_decay();
    test_snapshots();
    test_nothing();
    test_nan();
    test_bounded();
    test_far();
    test_taps();
    test_taps_bits();
    return test_report("recur", lctx_isa_name(lctx_isa_get()));
}
