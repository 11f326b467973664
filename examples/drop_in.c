/* Demonstrates moving in on floor 2: an engine that keeps its own cache, f16 rows of
   [token][head][dim], gives its attention to one lctx call and compares results and time. */
#include "args.h"
#include "lctx.h"
#include "os.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t n_head = 32, n_head_kv = 8, dim = 128, n_past = 8192, n_new = 1;

static const args_option options[] = {
    { "--past", ARGS_INT, &n_past, 0, 1e8, "N", "tokens in the cache; default 8192" },
    { "--new", ARGS_INT, &n_new, 1, 1e6, "N", "queries at once; default 1" },
    { "--heads", ARGS_INT, &n_head, 1, 1024, "N", "query heads; default 32" },
    { "--kv-heads", ARGS_INT, &n_head_kv, 1, 1024, "N", "key/value heads; default 8" },
    { "--dim", ARGS_INT, &dim, 1, 4096, "N", "dimensions of a head; default 128" },
    { 0 }
};

/* ------------------------------------------------------------------ the engine, as it was */
typedef struct cache { uint16_t *k, *v; } cache;      /* f16 [token][n_head_kv][dim] */

static void *need(int64_t n, size_t size)
{
    void *memory = calloc((size_t)n, size);
    if (!memory) fail(EXIT_RUN, "no memory for %lld x %zu bytes", (long long)n, size);
    return memory;
}

/* One query of one head over n rows of the cache; row holds one key or value in f32. */
static void attend_row(const cache *c, int64_t head, int64_t n, const float *q, float *scores,
                       float *row, float *out)
{
    int64_t j, d, at, step = n_head_kv * dim;
    float max = -INFINITY, sum = 0;
    for (j = 0, at = head * dim; j < n; j++, at += step) {
        lctx_to_f32(LCTX_F16, dim, c->k + at, NULL, row);
        for (d = 0, scores[j] = 0; d < dim; d++) scores[j] += q[d] * row[d];
        scores[j] /= sqrtf((float)dim);
        if (scores[j] > max) max = scores[j];
    }
    for (d = 0; d < dim; d++) out[d] = 0;
    for (j = 0, at = head * dim; j < n; j++, at += step) {
        float p = expf(scores[j] - max);
        lctx_to_f32(LCTX_F16, dim, c->v + at, NULL, row);
        for (d = 0, sum += p; d < dim; d++) out[d] += p * row[d];
    }
    for (d = 0; d < dim; d++) out[d] /= sum;
}

static void engine_attention(const cache *c, const float *q, float *out)
{
    float *scores = need(n_past + n_new, sizeof *scores), *row = need(dim, sizeof *row);
    int64_t t, h, group = n_head / n_head_kv;
    for (t = 0; t < n_new; t++)
        for (h = 0; h < n_head; h++)
            attend_row(c, h / group, n_past + t + 1, q + (t * n_head + h) * dim, scores, row,
                       out + (t * n_head + h) * dim);
    free(row);
    free(scores);
}

/* ------------------------------------------------------------------ the engine, with lctx */
static lctx_parallel par;                    /* threads, made once in main */

static void lctx_attention(const cache *c, const float *q, float *out)
{
    lctx_span s = {0};
    lctx_attn a = {0};
    lctx_status status;
    size_t bytes = 0;
    void *scratch;
    s.k = c->k;
    s.v = c->v;
    s.k_type = s.v_type = LCTX_F16;
    s.n = n_past + n_new;
    a.n_q = n_new;
    a.n_head = (int32_t)n_head;
    a.n_head_kv = (int32_t)n_head_kv;
    a.d_k = (int32_t)dim;
    a.q = q;
    a.q_pos0 = n_past;
    a.spans = &s;
    a.n_spans = 1;
    a.out = out;
    a.par = &par;
    status = lctx_attend_size(&a, &bytes);
    if (status != LCTX_OK) fail(EXIT_RUN, "lctx_attend_size: %s", lctx_status_text(status));
    scratch = need((int64_t)bytes, 1);           /* a real engine keeps it from call to call */
    status = lctx_attend(&a, scratch, bytes);
    if (status != LCTX_OK) fail(EXIT_RUN, "lctx_attend: %s", lctx_status_text(status));
    free(scratch);
}

/* ------------------------------------------------------------------ both, compared */
/* Numbers in -1 .. 1, always the same. */
static float noise(void)
{
    static uint32_t x = 1;
    x = x * 1664525u + 1013904223u;
    return (float)(x >> 8) / 8388608.0f - 1;
}

static uint16_t *random_rows(int64_t n)
{
    uint16_t *rows = need(n, sizeof *rows);
    int64_t i;
    for (i = 0; i < n; i++) {
        float x = noise();
        lctx_from_f32(LCTX_F16, 1, &x, &rows[i], NULL);
    }
    return rows;
}

static double best_of_three(void (*attention)(const cache *, const float *, float *),
                            const cache *c, const float *q, float *out)
{
    double best = INFINITY, start;
    int i;
    for (i = 0; i < 3; i++) {
        start = os_seconds();
        attention(c, q, out);
        best = fmin(best, 1e3 * (os_seconds() - start));
    }
    return best;
}

int main(int argc, char **argv)
{
    lctx_threads_desc desc = {0};            /* as many as there are processors */
    lctx_threads *threads;
    cache c;
    float *q, *plain, *ours, worst = 0;
    double before, after;
    int64_t i, n;
    args_parse(argc, argv, "drop_in", "Replaces an engine's attention by one call.", options);
    if (n_head % n_head_kv) fail(EXIT_USAGE, "--heads must be a multiple of --kv-heads");
    n = n_new * n_head * dim;
    c.k = random_rows((n_past + n_new) * n_head_kv * dim);
    c.v = random_rows((n_past + n_new) * n_head_kv * dim);
    q = need(n, sizeof *q);
    plain = need(n, sizeof *plain);
    ours = need(n, sizeof *ours);
    for (i = 0; i < n; i++) q[i] = noise();
    if (lctx_threads_create(&desc, &threads) || lctx_threads_parallel(threads, &par))
        fail(EXIT_RUN, "no threads");
    before = best_of_three(engine_attention, &c, q, plain);
    after = best_of_three(lctx_attention, &c, q, ours);
    for (i = 0; i < n; i++) {
        float difference = fabsf(plain[i] - ours[i]);
        if (difference > worst || isnan(difference)) worst = difference;
    }
    printf("%lld queries over %lld tokens: engine %.1f ms, lctx %.1f ms (%.1fx), largest "
           "difference %.1e\n", (long long)n_new, (long long)(n_past + n_new), before, after,
           before / after, (double)worst);
    lctx_threads_free(threads);
    free(ours), free(plain), free(q), free(c.v), free(c.k);
    return worst <= 1e-4f ? 0 : EXIT_RUN;
}
