/* Demonstrates ggml_op.c beside ggml_flash_attn_ext: both over the same cache, in f16 and q8_0,
   token-major and head-major, compared with a sum in double, and timed. */
#include "args.h"
#include "ggml_op.h"
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 128, HEADS = 32, KV_HEADS = 8 };
static int64_t n_threads = 2, n_keys = 8192, n_rounds = 5;

static const args_option options[] = {
    { "--threads", ARGS_INT, &n_threads, 1, CREW_MOST, "N", "of ggml's; default 2" },
    { "--keys", ARGS_INT, &n_keys, 256, 1e7, "N", "in the cache; default 8192" },
    { "--rounds", ARGS_INT, &n_rounds, 1, 1000, "N", "of which the median counts; default 5" },
    { 0 }
};

/* Numbers in -1 .. 1, always the same. */
static void fill(struct ggml_tensor *t, float scale)
{
    const int64_t row = t->ne[0], n = ggml_nrows(t);
    float *x = malloc((size_t)row * sizeof *x);
    uint32_t state = 1;
    int64_t i, j;
    if (!x) fail(EXIT_RUN, "no memory for a row");
    for (i = 0; i < n; i++) {
        for (j = 0; j < row; j++)
            x[j] = scale * ((float)((state = state * 1664525u + 1013904223u) >> 8) / 8388608 - 1);
        ggml_quantize_chunk(t->type, x, (char *)t->data + (size_t)i * t->nb[1], 0, 1, row, NULL);
    }
    free(x);
}

/* A cache's keys or values [token][head][dim] or [head][token][dim], seen as [head][token][dim]. */
static struct ggml_tensor *cache_tensor(struct ggml_context *ctx, enum ggml_type type,
                                        int head_major)
{
    const int64_t inner = head_major ? n_keys : KV_HEADS, outer = head_major ? KV_HEADS : n_keys;
    struct ggml_tensor *t = ggml_new_tensor_3d(ctx, type, DIM, inner, outer);
    fill(t, 1);
    return head_major ? t : ggml_permute(ctx, t, 0, 2, 1, 3);
}

static struct ggml_tensor *mask_tensor(struct ggml_context *ctx, int64_t n_q)
{
    const int64_t rows = (n_q + 63) / 64 * 64;
    struct ggml_tensor *t = ggml_new_tensor_2d(ctx, GGML_TYPE_F16, n_keys, rows);
    uint16_t *mask = t->data;
    int64_t i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < n_keys; j++) mask[i * n_keys + j] = j <= n_keys - n_q + i ? 0 : 0xfc00;
    return t;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of the first call and the median of the next. */
static double time_graph(struct ggml_cgraph *graph, struct ggml_cplan *plan, double *first)
{
    double times[1001];
    int64_t i;
    for (i = 0; i <= n_rounds; i++) {
        const double start = os_seconds();
        if (ggml_graph_compute(graph, plan) != GGML_STATUS_SUCCESS) fail(EXIT_RUN, "ggml fails");
        times[i] = os_seconds() - start;
    }
    *first = times[0];
    qsort(times + 1, (size_t)n_rounds, sizeof *times, by_size);
    return times[1 + n_rounds / 2];
}

static double run(struct ggml_context *ctx, struct ggml_tensor *result, double *first)
{
    struct ggml_threadpool_params params = ggml_threadpool_params_default((int)n_threads);
    struct ggml_threadpool *threads = ggml_threadpool_new(&params);
    struct ggml_cgraph *graph = ggml_new_graph(ctx);
    struct ggml_cplan plan;
    double seconds;
    ggml_build_forward_expand(graph, result);
    plan = ggml_graph_plan(graph, (int)n_threads, threads);
    plan.work_data = malloc(plan.work_size + 64);
    if (!threads || !plan.work_data) fail(EXIT_RUN, "ggml does not start");
    seconds = time_graph(graph, &plan, first);
    free(plan.work_data);
    ggml_threadpool_free(threads);
    return seconds;
}

/* Row t of head h of a tensor. */
static void row_of(const struct ggml_tensor *x, int64_t t, int64_t h, float *row)
{
    const char *at = (const char *)x->data + (size_t)t * x->nb[1] + (size_t)h * x->nb[2];
    if (x->type == GGML_TYPE_F32) memcpy(row, at, DIM * sizeof *row);
    else ggml_get_type_traits(x->type)->to_float(at, row, DIM);
}

/* The last query of head h over all that is stored, in double. */
static void truth(const struct ggml_tensor *q, const struct ggml_tensor *k,
                  const struct ggml_tensor *v, int64_t h, double *scores, double out[DIM])
{
    float query[DIM], row[DIM];
    double sum = 0, most = -INFINITY;
    int64_t j, d;
    row_of(q, q->ne[1] - 1, h, query);
    for (j = 0; j < n_keys; j++) {
        row_of(k, j, h * KV_HEADS / HEADS, row);
        scores[j] = 0;
        for (d = 0; d < DIM; d++) scores[j] += (double)query[d] * (double)row[d];
        most = fmax(most, scores[j] /= sqrt(DIM));
    }
    memset(out, 0, DIM * sizeof *out);
    for (j = 0; j < n_keys; j++) {
        const double p = exp(scores[j] - most);
        row_of(v, j, h * KV_HEADS / HEADS, row);
        for (d = 0, sum += p; d < DIM; d++) out[d] += p * (double)row[d];
    }
    for (d = 0; d < DIM; d++) out[d] /= sum;
}

/* Squares of the errors of results of the last query, in parts of the square of the truth. */
static void errors(const struct ggml_tensor *q, const struct ggml_tensor *k,
                   const struct ggml_tensor *v, struct ggml_tensor *const result[2], double nmse[2])
{
    double *scores = malloc((size_t)n_keys * sizeof *scores), out[DIM], size = 0;
    int64_t h, d;
    int i;
    if (!scores) fail(EXIT_RUN, "no memory for scores");
    nmse[0] = nmse[1] = 0;
    for (h = 0; h < HEADS; h++) {
        truth(q, k, v, h, scores, out);
        for (d = 0; d < DIM; d++) size += out[d] * out[d];
        for (i = 0; i < 2; i++) {
            const float *got = (const float *)result[i]->data + ((q->ne[1] - 1) * HEADS + h) * DIM;
            for (d = 0; d < DIM; d++) nmse[i] += pow((double)got[d] - out[d], 2);
        }
    }
    nmse[0] /= size, nmse[1] /= size;
    free(scores);
}

static void tiles_open(attention *a, struct ggml_context *ctx)
{
    size_t bytes;
    char *memory;
    a->tiles.n_head_kv = KV_HEADS, a->tiles.d_k = DIM;
    a->tiles.k_type = a->tiles.v_type = LCTX_I8;
    a->tiles.cap = (n_keys + LCTX_TILE - 1) / LCTX_TILE * LCTX_TILE;
    if (lctx_tiles_size(&a->tiles, &bytes)) fail(EXIT_RUN, "no such tiles");
    memory = ggml_new_tensor_1d(ctx, GGML_TYPE_I8, (int64_t)bytes + 64)->data;
    memset(memory, 0, bytes + 64);
    a->tiles.mem = memory + (64 - (uintptr_t)memory % 64);
}

/* A row of the table; is it right? */
static int compare(enum ggml_type type, int head_major, int64_t n_q)
{
    const size_t most = (size_t)(n_keys * (KV_HEADS * DIM * 8 + (n_q + 63) * 2)) +
                        (size_t)(n_q * HEADS * DIM * 12) + ((size_t)16 << 20);
    const struct ggml_init_params params = { most, NULL, false };
    struct ggml_context *ctx = ggml_init(params);
    struct ggml_tensor *q, *k, *v, *pos, *result[2];
    attention a = { .scale = 1 / sqrtf(DIM) };
    double first[2], seconds[2], nmse[2];
    if (!ctx) fail(EXIT_RUN, "ggml has no memory");
    q = ggml_new_tensor_3d(ctx, GGML_TYPE_F32, DIM, HEADS, n_q);
    pos = ggml_new_tensor_1d(ctx, GGML_TYPE_I32, n_q);
    fill(q, 3), ((int32_t *)pos->data)[0] = (int32_t)(n_keys - n_q);
    k = cache_tensor(ctx, type, head_major), v = cache_tensor(ctx, type, head_major);
    q = ggml_permute(ctx, q, 0, 2, 1, 3);
    if (type == GGML_TYPE_Q8_0) tiles_open(&a, ctx);
    result[0] = ggml_flash_attn_ext(ctx, q, k, v, mask_tensor(ctx, n_q), a.scale, 0, 0);
    result[1] = attention_tensor(ctx, q, k, v, pos, &a);
    seconds[0] = run(ctx, result[0], &first[0]), seconds[1] = run(ctx, result[1], &first[1]);
    if (a.status) fail(EXIT_RUN, "%s", lctx_status_text(a.status));
    errors(q, k, v, result, nmse);
    printf("%-4s %-11s %3lld  %8.2f ms %8.1e %8.2f ms %8.1e %6.1f x", ggml_type_name(type),
           head_major ? "head-major" : "token-major", (long long)n_q, 1e3 * seconds[0], nmse[0],
           1e3 * seconds[1], nmse[1], seconds[0] / seconds[1]);
    if (a.tiles.mem) printf(", copied in %.1f us a token", 1e6 * (first[1] - seconds[1]) /
                            (double)n_keys);
    putchar('\n');
    attention_free(&a);
    ggml_free(ctx);
    return nmse[1] < (type == GGML_TYPE_Q8_0 ? 1e-3 : 1e-9);
}

int main(int argc, char **argv)
{
    int right = 1, type, major;
    args_parse(argc, argv, "ggml_try", "Attention as an operator of ggml's.", options);
    ggml_cpu_init();
    printf("%lld keys, %d/%d heads of %d, %d threads; errors (NMSE) of the last query\n"
           "cache       queries         ggml    error        lctx    error\n",
           (long long)n_keys, (int)HEADS, (int)KV_HEADS, (int)DIM, (int)n_threads);
    for (type = 0; type < 2; type++)
        for (major = 0; major < 2; major++) {
            right &= compare(type ? GGML_TYPE_Q8_0 : GGML_TYPE_F16, major, 1);
            right &= compare(type ? GGML_TYPE_Q8_0 : GGML_TYPE_F16, major, 64);
        }
    return right ? 0 : EXIT_RUN;
}
