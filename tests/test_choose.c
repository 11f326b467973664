/* test_choose.c - floor 2, lists of keys: scores of every kind against their formula in double,
   choices against a plain sort, the same bits for any threads and chunks, NaN; lists of fewer keys
   than a tile has. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"

#include <float.h>
#include <math.h>

/* A call and a choice, all that they point to, and what comes of them. */
typedef struct world {
    lctx_attn a;
    lctx_choice by;
    lctx_span spans[2];
    int64_t q_pos[64];
    int listed;                   /* do queries stand at these? */
    int64_t n, lists, heads;      /* blocks, rows of lists and columns */
    float *q, *k, *v, *weight, *score;
    int32_t *list;
} world;

static float *noise(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    int64_t i;
    for (i = 0; i < n; i++) x[i] = test_normal();
    return x;
}
static int64_t pick(int64_t n) { return (int64_t)(test_random() % (uint64_t)n); }

static void world_free(world *w)
{
    free(w->q), free(w->k), free(w->v), free(w->weight), free(w->score), free(w->list);
}

static lctx_status choose(world *w)
{
    size_t bytes = 0;
    unsigned char *scratch;
    int kept = 1, i;
    lctx_status st;
    w->a.spans = w->spans, w->a.q_pos = w->listed ? w->q_pos : NULL;
    if ((st = lctx_choose_size(&w->a, &w->by, &bytes)) != LCTX_OK) return st;
    scratch = malloc(bytes + 64);
    memset(scratch, 0xa5, bytes + 64);
    st = lctx_choose(&w->a, &w->by, w->list, scratch, bytes);
    for (i = 0; i < 64; i++) kept &= scratch[bytes + (size_t)i] == 0xa5;
    if (!kept) check(0, "a choice keeps within its scratch");
    free(scratch);
    return st;
}

/* A random shape: rows in two spans with a gap between, of one to eight a block. */
static world some_world(int kind)
{
    static const int32_t keys[] = { 1, 3, 16, 64 };
    world w;
    int64_t row, t;
    memset(&w, 0, sizeof w);
    w.a.n_head_kv = 1 + (int32_t)pick(3), w.a.n_head = w.a.n_head_kv * (1 + (int32_t)pick(4));
    w.a.d_k = 1 + (int32_t)pick(140), w.a.n_q = 1 + pick(9);
    w.by.kind = kind, w.by.block_rows = (int32_t)pick(9);
    w.spans[0].n = pick(40), w.spans[1].n = 1 + pick(40);
    w.spans[1].index = w.spans[0].n + pick(30) + 1;
    w.a.n_spans = 2;
    w.a.list_keys = keys[pick(4)], w.a.list_queries = pick(5), w.a.list_first = pick(4);
    w.heads = pick(2) ? w.a.n_head : pick(2) ? w.a.n_head_kv : 1;
    w.a.list_heads = (int32_t)w.heads;
    w.a.mask = pick(3) ? LCTX_CAUSAL : LCTX_MASK_NONE;
    w.a.q_pos0 = pick(600);
    for (t = 0; t < w.a.n_q; t++) w.q_pos[t] = pick(800);
    w.listed = (int)pick(2);
    w.n = (w.spans[1].index + w.spans[1].n + (w.by.block_rows ? w.by.block_rows : 1) - 1)
          / (w.by.block_rows ? w.by.block_rows : 1);
    w.lists = w.a.list_queries ? (w.a.list_first + w.a.n_q - 1) / w.a.list_queries + 1 : 1;
    w.a.list_len = w.n;
    w.by.n_sink = pick(2) * pick(100), w.by.window = pick(2) * pick(100);
    row = (int64_t)w.a.n_head_kv * w.a.d_k;
    w.q = noise(w.a.n_q * w.a.n_head * w.a.d_k), w.weight = noise(w.a.n_q * w.a.n_head);
    w.k = noise((w.spans[0].n + w.spans[1].n) * row);
    w.v = noise((w.spans[0].n + w.spans[1].n) * row);
    w.spans[0].k = w.k, w.spans[0].v = w.v;
    w.spans[1].k = w.k + w.spans[0].n * row, w.spans[1].v = w.v + w.spans[0].n * row;
    for (t = 0; t < 2; t++)
        if (pick(2)) {                 /* [head][token] */
            w.spans[t].k_token = w.spans[t].v_token = w.a.d_k * 4;
            w.spans[t].k_head = w.spans[t].v_head = w.spans[t].n * w.a.d_k * 4;
        }
    w.a.q = w.q;
    if (pick(2)) w.by.weight = w.weight;
    w.score = noise(w.lists * w.heads * w.n), w.by.score = w.score;
    w.list = malloc((size_t)(w.lists * w.heads * w.a.list_len) * sizeof *w.list);
    return w;
}

static int64_t query_at(const world *w, int64_t t)
{
    return w->listed ? w->q_pos[t] : w->a.q_pos0 + t;
}
static int64_t list_of(const world *w, int64_t t)
{
    return w->a.list_queries ? (w->a.list_first + t) / w->a.list_queries : 0;
}

/* What a row scores for a query and a head, before heads are put together. */
static double product(const world *w, const lctx_span *s, int64_t j, int64_t t, int64_t h)
{
    const int64_t d = w->a.d_k, g = h / (w->a.n_head / w->a.n_head_kv);
    const float *q = w->q + (t * w->a.n_head + h) * d;
    const int64_t row = s->k_head ? g * s->n + j : j * w->a.n_head_kv + g;
    const float *k = (const float *)s->k + row * d, *v = (const float *)s->v + row * d;
    double sum = 0;
    int64_t i;
    for (i = 0; i < d; i++) {
        const double x = (double)q[i] * (double)k[i], y = (double)q[i] * (double)v[i];
        sum += w->by.kind == LCTX_SCORE_BOUND && y > x ? y : x;
    }
    return sum;
}
static double row_score(const world *w, const lctx_span *s, int64_t j, int64_t t, int64_t column)
{
    const int64_t n = w->a.n_head / w->heads;
    double relu = 0, most = -HUGE_VAL;
    int64_t h;
    for (h = column * n; h < (column + 1) * n; h++) {
        const double p = product(w, s, j, t, h);
        most = fmax(most, p);
        relu += fmax(p, 0) * (w->by.weight ? (double)w->by.weight[t * w->a.n_head + h] : 1);
    }
    return w->by.kind == LCTX_SCORE_RELU ? relu : most;
}
static double block_score(const world *w, int64_t list, int64_t column, int64_t b)
{
    const int64_t each = w->by.block_rows ? w->by.block_rows : 1;
    double most = -HUGE_VAL;
    int64_t i, j, t;
    for (i = 0; i < 2; i++)
        for (j = 0; j < w->spans[i].n; j++)
            for (t = 0; t < w->a.n_q; t++) {
                const int64_t at = w->spans[i].index + j;
                const int64_t pos = at / each * w->a.list_keys + at % each * w->a.list_keys / each;
                if (at / each == b && list_of(w, t) == list
                    && (w->a.mask == LCTX_MASK_NONE || pos <= query_at(w, t)))
                    most = fmax(most, row_score(w, &w->spans[i], j, t, column));
            }
    return most;
}

static void test_scores(int kind, const char *name)
{
    double worst = 0;
    int i, shapes = 60, wrong = 0;
    for (i = 0; i < shapes; i++) {
        world w = some_world(kind);
        int64_t x;
        if (choose(&w) != LCTX_OK) wrong++;
        for (x = 0; x < w.lists * w.heads * w.n; x++) {
            const double want = block_score(&w, x / w.n / w.heads, x / w.n % w.heads, x % w.n);
            if (want < -FLT_MAX) wrong += w.score[x] > -FLT_MAX;
            else worst = fmax(worst, fabs((double)w.score[x] - want) / (1 + fabs(want)));
        }
        world_free(&w);
    }
    check(!wrong && worst < 2e-5, "%s: scores of %d shapes are those of the formula (%d wrong, off "
          "by %.1e)", name, shapes, wrong, worst);
}

static int reaches(float x, float y) { return isnan(x) || (!isnan(y) && x >= y); }

/* The list that there should be, chosen one by one: -1 where none is left. */
static void plain_list(const world *w, int64_t list, const float *score, int32_t *want)
{
    const int64_t keys = w->a.list_keys, window = w->by.window ? w->by.window : 1;
    unsigned char *in = calloc((size_t)w->n, 1);
    const int64_t top = w->n * keys - 1;
    int64_t end = w->a.mask == LCTX_MASK_NONE ? w->n : 0;
    int64_t b, t, low = top, first = 0, to, room, best;
    double all = 0, have = 0;
    for (t = 0; t < w->a.n_q; t++)
        if (list_of(w, t) == list) {
            const int64_t pos = query_at(w, t);
            if (pos / keys + 1 > end) end = pos / keys + 1;
            if (pos < low) low = pos;
        }
    if (end > w->n) end = w->n;
    to = low - window + 1 > 0 ? (low - window + 1) / keys : 0;
    if (to > end) to = end;
    while (first < to && first * keys < w->by.n_sink) first++;
    for (b = 0; b < end; b++) if (score[b] > 0) all += (double)score[b];
    for (b = 0, room = w->a.list_len; b < end; b++)
        if (b < first || b >= to) {
            in[b] = 1, room--;
            if (score[b] > 0) have += (double)score[b];
        }
    if (w->by.n_top && w->by.n_top < room) room = w->by.n_top < 0 ? 0 : w->by.n_top;
    for (; room > 0; room--) {
        for (b = first, best = -1; b < to; b++)
            if (!in[b] && (best < 0 || reaches(score[b], score[best]))) best = b;
        if (best < 0 || (w->by.share > 0 && have >= (double)w->by.share * all)) break;
        in[best] = 1;
        if (score[best] > 0) have += (double)score[best];
    }
    for (b = 0; b < w->n; b++) if (in[b]) *want++ = (int32_t)b;
    for (b = 0, room = w->a.list_len; b < w->n; b++) room -= in[b];
    while (room-- > 0) *want++ = -1;
    free(in);
}

/* Scores are small whole numbers, so that many are equal and sums are exact. */
static void test_choices(void)
{
    int i, shapes = 300, wrong = 0, narrow = 0;
    for (i = 0; i < shapes; i++) {
        world w = some_world(LCTX_SCORE_GIVEN);
        const int64_t n = w.lists * w.heads;
        int32_t *want;
        int64_t x;
        lctx_status st;
        for (x = 0; x < n * w.n; x++) w.score[x] = (float)(pick(8) - 2);
        for (x = 0; x < n * w.n; x++) if (w.score[x] == 0 && pick(2)) w.score[x] = -0.0f;
        w.by.n_top = pick(3) ? pick(12) - 1 : 0;
        w.by.share = pick(2) ? 0 : 0.125f * (float)(1 + pick(8));
        if (pick(2)) w.a.list_len = 1 + pick(w.n);
        want = malloc((size_t)(n * w.a.list_len + w.n) * sizeof *want);
        st = choose(&w);
        narrow += st == LCTX_E_LIST;
        if (st != LCTX_OK && (st != LCTX_E_LIST || w.a.list_len == w.n)) wrong++;
        for (x = 0; st == LCTX_OK && x < n; x++)
            plain_list(&w, x / w.heads, w.score + x * w.n, want + x * w.a.list_len);
        if (st == LCTX_OK)
            wrong += memcmp(want, w.list, (size_t)(n * w.a.list_len) * sizeof *want) != 0;
        free(want);
        world_free(&w);
    }
    check(!wrong, "%d choices by count, by share, of equals, zeros of either sign among them, the "
          "later, beside sinks and windows, are those of a plain search (%d are not)", shapes, wrong);
    check(narrow > 0 && narrow < shapes / 2, "lists too short for sinks and window are refused");
}

/* A window is of the tokens that there are: a query behind all keys has the last of them. */
static void test_behind(void)
{
    static const int64_t behind[] = { 0, 1, 63, 64, 1000, (int64_t)1 << 40 };
    float q[4] = { 1, 2, 3, 4 }, k[10 * 4] = { 0 };
    int32_t list[10];
    unsigned i, wrong = 0;
    int64_t b, window;
    world w;
    memset(&w, 0, sizeof w);
    w.a.n_head = w.a.n_head_kv = 1, w.a.d_k = 4, w.a.n_q = 1, w.a.q = q, w.a.list_keys = 64;
    w.spans[0].n = 10, w.spans[0].k = k, w.a.n_spans = 1, w.a.list_len = 10, w.list = list;
    w.by.kind = LCTX_SCORE_PRODUCT, w.by.n_top = -1;
    for (i = 0; i < sizeof behind / sizeof *behind; i++)
        for (window = 1; window <= 129; window += 64) {
            w.a.q_pos0 = 640 + behind[i], w.by.window = window;
            wrong += choose(&w) != LCTX_OK;
            for (b = 0; b < 10; b++)
                wrong += list[b] != (b <= window / 64 ? 9 - window / 64 + b : -1);
        }
    check(!wrong, "a query behind all keys, however far, reads the last of them (%d do not)",
          (int)wrong);
}

/* One list of many blocks, whose scores are all over a few ranges of floats. */
static void test_best(void)
{
    static const float spread[] = { 1e-38f, 1e-3f, 1, 1e4f, 1e37f };
    const float edge[] = { FLT_MAX, (float)HUGE_VAL, (float)-HUGE_VAL, (float)NAN };
    int i, shapes = test_fastest() ? 60 : 20, wrong = 0;
    for (i = 0; i < shapes; i++) {
        world w = some_world(LCTX_SCORE_GIVEN);
        const int64_t n = 100 + pick(3000);
        const float by = spread[pick(5)], from = pick(2) ? by * 3 : 0;
        int32_t *want = malloc((size_t)(2 * n) * sizeof *want);
        float *of = noise(n);
        int64_t x;
        free(w.score), free(w.list);
        w.a.n_q = 1, w.a.list_heads = 1, w.a.list_queries = 0, w.a.mask = LCTX_MASK_NONE;
        w.a.n_spans = 1, w.spans[0].n = n, w.by.block_rows = 1, w.n = n, w.a.list_len = n;
        w.by.n_top = pick(n), w.by.window = 1, w.by.n_sink = 0;
        w.score = noise(n), w.list = malloc((size_t)n * sizeof *w.list), w.by.score = w.score;
        for (x = 0; x < n; x++) w.score[x] = from + by * of[pick(n)];
        if (i % 3) w.by.n_top = pick(12);
        for (x = pick(30); x > 0; x--) w.score[pick(n)] = edge[pick(4)];
        w.listed = 1, w.q_pos[0] = n * w.a.list_keys - 1;
        wrong += choose(&w) != LCTX_OK;
        plain_list(&w, 0, w.score, want);
        wrong += memcmp(want, w.list, (size_t)n * sizeof *want) != 0;
        free(want), free(of);
        world_free(&w);
    }
    check(!wrong, "the best of many blocks, at %d spreads of scores with equal ones, infinities and "
          "NaN, are those of a plain search (%d are not)", shapes, wrong);
}

/* Large enough that threads are asked. */
static world large_world(int kind)
{
    world w;
    int64_t n = test_fastest() ? 1200 : 300;
    memset(&w, 0, sizeof w);
    w.a.n_head = 4, w.a.n_head_kv = 2, w.a.d_k = 32, w.a.n_q = 24, w.a.q_pos0 = n * 4 - 24;
    w.a.list_keys = 4, w.a.list_queries = 3, w.a.list_heads = 2, w.a.list_len = 40;
    w.by.kind = kind, w.by.window = 8, w.by.n_sink = 3, w.by.n_top = 30;
    w.n = n, w.heads = 2, w.lists = 8;
    w.q = noise(w.a.n_q * 4 * 32), w.k = noise(n * 64), w.v = noise(n * 64);
    w.score = noise(w.lists * 2 * n), w.list = malloc((size_t)(w.lists * 2 * 40) * 4);
    w.a.q = w.q;
    return w;
}

static void test_bits(int kind, const char *name)
{
    world w = large_world(kind), alone;
    const int64_t lists = w.lists * w.heads;
    float *score = malloc((size_t)(lists * w.n) * sizeof *score);
    int32_t *list = malloc((size_t)(lists * 40) * sizeof *list);
    int same = 1, threads;
    int64_t i;
    hook h;
    w.spans[0].n = w.n, w.spans[0].k = w.k, w.spans[0].v = w.v;
    w.a.n_spans = 1, w.by.score = w.score;
    check(choose(&w) == LCTX_OK, "%s: a large choice is made", name);
    memcpy(score, w.score, (size_t)(lists * w.n) * sizeof *score);
    memcpy(list, w.list, (size_t)(lists * 40) * sizeof *list);
    for (threads = 2; threads <= 7; threads += 5)
        for (i = 0; i < HOOK_KINDS; i++) {
            const lctx_parallel par = hook_parallel(&h, (hook_kind)i, threads);
            w.a.par = &par;
            same &= choose(&w) == LCTX_OK && h.calls == 1;
            same &= !memcmp(score, w.score, (size_t)(lists * w.n) * sizeof *score);
            same &= !memcmp(list, w.list, (size_t)(lists * 40) * sizeof *list);
        }
    check(same, "%s: any threads choose the same", name);
    alone = w, alone.a.par = NULL, alone.a.n_q = 3, alone.by.score = NULL;
    for (i = 0, same = 1; i < w.lists; i++) {
        alone.a.q = w.a.q + i * 3 * 4 * 32, alone.a.q_pos0 = w.a.q_pos0 + i * 3;
        same &= choose(&alone) == LCTX_OK && !memcmp(list + i * 80, w.list, 80 * sizeof *list);
    }
    check(same, "%s: a list's queries alone choose the same, and without scores kept", name);
    free(score), free(list);
    world_free(&w);
}

/* A NaN in a row or a query hides neither others' scores nor the list; one given is read. */
static void test_nan(int kind, const char *name)
{
    const float none = kind == LCTX_SCORE_RELU ? 0 : -FLT_MAX;
    world w = large_world(kind);
    const int64_t all = w.lists * 2 * w.n;
    float *before = malloc((size_t)all * sizeof *before);
    int64_t i, off = 0;
    w.spans[0].n = w.n, w.spans[0].k = w.k, w.spans[0].v = w.v;
    w.a.n_spans = 1, w.by.score = w.score;
    for (i = 7; i < w.a.n_q * 4 * 32; i += 32) w.q[i] = fabsf(w.q[i]);
    choose(&w);
    memcpy(before, w.score, (size_t)all * sizeof *before);
    for (i = 0; i < 64; i++) w.k[100 * 64 + i] = w.v[100 * 64 + i] = (float)NAN;
    w.k[101 * 64 + 7] = w.v[101 * 64 + 7] = (float)HUGE_VAL;      /* of the first KV head */
    check(choose(&w) == LCTX_OK, "%s: a row of NaN is scored", name);
    for (i = 0; i < all; i++)
        if (i % w.n == 100) off += !(w.score[i] <= none);
        else if (i % w.n == 101 && i / w.n % 2 == 0) off += !(w.score[i] > FLT_MAX);
        else off += memcmp(&w.score[i], &before[i], sizeof *before) != 0;
    check(!off, "%s: and passed over, an infinite one is not (%d are off)", name, (int)off);
    for (i = 0; i < 3 * 4 * 32; i++) w.q[i] = (float)NAN;
    check(choose(&w) == LCTX_OK, "%s: queries of NaN score", name);
    for (i = off = 0; i < 2 * w.n; i++) off += !(w.score[i] <= none);
    check(!off, "%s: nothing", name);
    w.by.kind = LCTX_SCORE_GIVEN, w.by.n_top = 1, w.score[77] = (float)NAN;
    check(choose(&w) == LCTX_OK && w.list[1] == 77, "a NaN that is given counts most");
    free(before);
    world_free(&w);
}

/* A list that names every block, read by attention: the bits of a call without. */
static void test_read(void)
{
    world w = large_world(LCTX_SCORE_PRODUCT);
    const int64_t n = w.n / 4, all = 24 * 4 * 32;
    float *out = noise(2 * all);
    void *scratch;
    size_t bytes = 0;
    w.spans[0].n = n * 4, w.spans[0].k = w.k, w.spans[0].v = w.v;
    w.a.n_spans = 1, w.a.q_pos0 = n * 4 - 24;
    w.by.block_rows = 4, w.by.n_top = 0, w.a.list_len = n;
    free(w.list);
    w.list = malloc((size_t)(w.lists * 2 * n) * sizeof *w.list);
    check(choose(&w) == LCTX_OK, "keys themselves are scored, four a block");
    w.a.list = w.list, w.a.out = out;
    check(lctx_attend_size(&w.a, &bytes) == LCTX_OK, "the call takes its lists as they are");
    scratch = malloc(bytes);
    check(lctx_attend(&w.a, scratch, bytes) == LCTX_OK, "and reads by them");
    w.a.list = NULL, w.a.out = out + all;
    check(lctx_attend_size(&w.a, &bytes) == LCTX_OK, "so does one without");
    free(scratch);
    scratch = malloc(bytes);
    check(lctx_attend(&w.a, scratch, bytes) == LCTX_OK
          && !memcmp(out, out + all, (size_t)all * sizeof *out), "with the same bits");
    free(scratch), free(out);
    world_free(&w);
}

/* ---- lists of a few keys a block, whose rows attention puts together */
enum { G_KEYS = 1500, G_QUERIES = 12, G_HEAD = 4, G_KV = 2, G_DIM = 24 };

typedef struct gathering {
    lctx_attn a;
    lctx_span spans[3];
    float *q, *scale, out[2][G_QUERIES * G_HEAD * G_DIM];
    char *rows;
    int32_t *list;
    uint64_t bits[G_HEAD * G_QUERIES * ((G_KEYS + 63) / 64)];
} gathering;

/* An eighth of the keys, by lists of a KV head for every `queries` queries, and a mask that says
   the same. */
static void gathering_make(gathering *g, lctx_type type, int32_t keys, int64_t queries)
{
    const int64_t row = G_KV * G_DIM, size = (int64_t)lctx_type_size(type), len = G_KEYS / keys / 8;
    const int64_t words = (G_KEYS + 63) / 64;
    float *x = noise(G_KEYS * row);
    int64_t i, j, t, h;
    memset(g, 0, sizeof *g);
    g->q = noise(G_QUERIES * G_HEAD * G_DIM), g->scale = noise(G_KEYS * G_KV);
    g->rows = malloc((size_t)(G_KEYS * row * size));
    g->list = malloc((size_t)(G_QUERIES * G_KV * len) * sizeof *g->list);
    for (i = 0; i < G_KEYS * G_KV; i++)
        if (lctx_from_f32(type, G_DIM, x + i * G_DIM, g->rows + i * G_DIM * size, g->scale + i))
            check(0, "rows are converted");
    for (i = 0; i < G_QUERIES * G_KV * len; i++)
        g->list[i] = pick(9) ? (int32_t)pick((G_KEYS + keys - 1) / keys) : -1;
    for (t = 0; t < G_QUERIES; t++)
        for (h = 0; h < G_HEAD; h++)
            for (i = 0; i < len; i++)
                for (j = 0; j < keys; j++) {
                    const int64_t b = g->list[(t / queries * G_KV + h / 2) * len + i];
                    const int64_t key = b * keys + j;
                    if (b >= 0 && key < G_KEYS)
                        g->bits[(h * G_QUERIES + t) * words + key / 64] |= (uint64_t)1 << key % 64;
                }
    for (i = 0; i < 3; i++) {          /* cut between tiles */
        static const int64_t from[] = { 0, 192, 832, G_KEYS };
        lctx_span *s = &g->spans[i];
        s->k = s->v = g->rows + from[i] * row * size, s->k_type = s->v_type = (int32_t)type;
        s->k_scale = s->v_scale = g->scale + from[i] * G_KV;
        s->n = from[i + 1] - from[i], s->pos = from[i];
    }
    g->a.n_q = G_QUERIES, g->a.n_head = G_HEAD, g->a.n_head_kv = G_KV, g->a.d_k = G_DIM;
    g->a.q = g->q, g->a.q_pos0 = G_KEYS - G_QUERIES, g->a.list = g->list, g->a.list_len = len;
    g->a.list_keys = keys, g->a.list_queries = queries, g->a.list_heads = G_KV;
    free(x);
}
static int gathering_run(gathering *g, int64_t n_spans, float *out)
{
    size_t bytes;
    void *scratch;
    int ok;
    g->a.spans = g->spans, g->a.n_spans = n_spans, g->a.out = out;
    if (lctx_attend_size(&g->a, &bytes)) return 0;
    scratch = malloc(bytes);
    ok = lctx_attend(&g->a, scratch, bytes) == LCTX_OK;
    free(scratch);
    return ok;
}

static void test_gathering(lctx_type type, int32_t keys, int64_t queries)
{
    static gathering g;
    const size_t size = sizeof g.out[0], row = G_HEAD * G_DIM;
    double worst = 0;
    size_t i;
    int same = 1;
    hook h;
    lctx_parallel par;
    gathering_make(&g, type, keys, queries);
    g.a.precise = 1;
    same &= gathering_run(&g, 3, g.out[0]);
    g.a.list = NULL, g.a.mask_bits = g.bits;
    same &= gathering_run(&g, 3, g.out[1]);
    for (i = 0; i < size / sizeof(float); i++) {
        const double off = fabs((double)g.out[0][i] - (double)g.out[1][i]);
        if (!(off <= worst)) worst = off;
    }
    check(same && worst < 1e-5, "lists of %d keys a block for %d queries, %s: as a mask (%.1e)",
          (int)keys, (int)queries, lctx_type_name(type), worst);
    g.a.precise = 0, g.a.list = g.list, g.a.mask_bits = NULL;
    same = gathering_run(&g, 3, g.out[0]);
    par = hook_parallel(&h, HOOK_SHUFFLED, 5), g.a.par = &par;
    same &= gathering_run(&g, 3, g.out[1]) && !memcmp(g.out[0], g.out[1], size);
    g.a.par = NULL, g.spans[0].n = G_KEYS;
    same &= gathering_run(&g, 1, g.out[1]) && !memcmp(g.out[0], g.out[1], size);
    g.a.n_q = 1;
    for (i = 0; i < G_QUERIES; i++) {
        g.a.q = g.q + i * row, g.a.q_pos0 = G_KEYS - G_QUERIES + (int64_t)i;
        g.a.list_first = (int64_t)i;
        same &= gathering_run(&g, 1, g.out[1]) && !memcmp(g.out[0] + i * row, g.out[1], row * 4);
    }
    check(same, "lists of %d keys a block for %d queries, %s: the same bits for any threads, "
          "chunks and cuts between tiles", (int)keys, (int)queries, lctx_type_name(type));
    free(g.q), free(g.scale), free(g.rows), free(g.list);
}

/* What weights of keys that attention puts together add up to: as without their list, by a mask. */
static void test_gathered_mass(lctx_type type, int32_t keys, int64_t queries)
{
    static gathering g;
    static float mass[2][G_KV * G_KEYS], lse[G_QUERIES * G_HEAD], outs[2][G_QUERIES * G_HEAD * G_DIM];
    double worst = 0, all = 0;
    size_t i;
    int same;
    gathering_make(&g, type, keys, queries);
    g.a.precise = 1;
    same = gathering_run(&g, 3, outs[0]);
    memset(mass, 0, sizeof mass);
    g.a.mass = mass[0], g.a.lse = lse;
    same &= gathering_run(&g, 3, outs[1]);
    check(same && !memcmp(outs[0], outs[1], sizeof outs[0]), "lists of %d keys a block for %d "
          "queries, %s: mass changes no bit", (int)keys, (int)queries, lctx_type_name(type));
    g.a.list = NULL, g.a.mask_bits = g.bits, g.a.mass = mass[1];
    same &= gathering_run(&g, 3, outs[1]);
    for (i = 0; i < G_KV * G_KEYS; i++) {
        const double off = fabs((double)mass[0][i] - (double)mass[1][i]);
        all += (double)mass[0][i];
        if (!(off <= worst)) worst = off;
    }
    check(same && worst < 1e-5 && all > 1, "lists of %d keys a block for %d queries, %s: mass as a "
          "mask has it (%.1e of %.1f)", (int)keys, (int)queries, lctx_type_name(type), worst, all);
    free(g.q), free(g.scale), free(g.rows), free(g.list);
}

int main(void)
{
    int32_t keys;
    static const char *const names[] = { "given", "bounds", "products", "indexer" };
    int kind;
    for (kind = LCTX_SCORE_BOUND; kind < LCTX_SCORE_COUNT; kind++) {
        test_scores(kind, names[kind]);
        test_bits(kind, names[kind]);
        test_nan(kind, names[kind]);
    }
    test_choices();
    test_best();
    test_behind();
    test_read();
    for (kind = LCTX_F32; kind <= LCTX_I8; kind++)
        for (keys = 1; keys < LCTX_TILE; keys *= 4) {
            test_gathering((lctx_type)kind, keys, 1);
            test_gathering((lctx_type)kind, keys, 6);
            test_gathering((lctx_type)kind, keys, G_QUERIES);
            test_gathered_mass((lctx_type)kind, keys, 1);
            test_gathered_mass((lctx_type)kind, keys, 6);
            test_gathered_mass((lctx_type)kind, keys, G_QUERIES);
        }
    return test_report("choose", lctx_isa_name(lctx_isa_get()));
}
