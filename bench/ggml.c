/* ggml's own flash attention, through its public API; built in with -DBENCH_GGML. */
#include "baseline.h"

#ifndef BENCH_GGML
int       flash_built_in(void) { return 0; }
flash_run *flash_open(const dense *d, int head_major, int q8)
{
    (void)d, (void)head_major, (void)q8;
    return NULL;
}
void      flash_close(flash_run *run) { (void)run; }
void      flash_attend(void *run) { (void)run; }
const char *flash_version(void) { return NULL; }
#else
#include <ggml.h>
#include <ggml-cpu.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct flash_run {
    struct ggml_context *context;
    struct ggml_cgraph  *graph;
    struct ggml_cplan    plan;
    struct ggml_threadpool *threads;
    struct ggml_tensor  *result;
    dense                d;
    int                  head_major;
    enum ggml_type       type;
    uint16_t            *mask;
    void                *copy[2];          /* of keys and values in q8_0 */
    void                *work;
};

int flash_built_in(void) { return 1; }

/* Older ones have neither. */
extern const char *ggml_version(void) __attribute__((weak));
extern const char *ggml_commit(void) __attribute__((weak));

const char *flash_version(void)
{
    static char text[128];
    snprintf(text, sizeof text, "version %s, commit %s", ggml_version ? ggml_version() : "unknown",
             ggml_commit ? ggml_commit() : "unknown");
    return text;
}

/* The same rows in q8_0, in the same order. */
static void *q8_copy(const dense *d, const void *rows)
{
    const int64_t chunk = (int64_t)d->head_dim * d->n_head_kv, n = d->n_kv;
    const size_t row = ggml_row_size(GGML_TYPE_Q8_0, chunk);
    char *copy = malloc(row * (size_t)n);
    float *x = malloc((size_t)chunk * sizeof *x);
    int64_t i;
    if (!copy || !x) machine_fail("no memory for keys in q8_0");
    for (i = 0; i < n; i++) {
        lctx_to_f32(LCTX_F16, chunk, (const uint16_t *)rows + i * chunk, NULL, x);
        ggml_quantize_chunk(GGML_TYPE_Q8_0, x, copy + row * (size_t)i, 0, 1, chunk, NULL);
    }
    free(x);
    return copy;
}

/* [dim][n_kv][heads] in ggml's order of dimensions, over memory of ours. */
static struct ggml_tensor *rows_tensor(flash_run *run, const void *data)
{
    const dense *d = &run->d;
    const int64_t inner = run->head_major ? d->n_kv : d->n_head_kv;
    const int64_t outer = run->head_major ? d->n_head_kv : d->n_kv;
    struct ggml_tensor *t;
    t = ggml_new_tensor_3d(run->context, run->type, d->head_dim, inner, outer);
    t->data = (void *)(uintptr_t)data;
    return run->head_major ? t : ggml_permute(run->context, t, 0, 2, 1, 3);
}

static struct ggml_tensor *query_tensor(flash_run *run)
{
    const dense *d = &run->d;
    struct ggml_tensor *t;
    t = ggml_new_tensor_3d(run->context, GGML_TYPE_F32, d->head_dim, d->n_head, d->n_q);
    t->data = (void *)(uintptr_t)d->q;
    return ggml_permute(run->context, t, 0, 2, 1, 3);
}

/* Causal: 0 where a key is visible, -inf elsewhere; rows padded as ggml asks. */
static struct ggml_tensor *mask_tensor(flash_run *run)
{
    const dense *d = &run->d;
    const int64_t rows = (d->n_q + 63) / 64 * 64;
    struct ggml_tensor *t = ggml_new_tensor_2d(run->context, GGML_TYPE_F16, d->n_kv, rows);
    int64_t i, j;
    run->mask = malloc((size_t)(rows * d->n_kv) * sizeof *run->mask);
    if (!run->mask) machine_fail("no memory for a mask");
    for (i = 0; i < rows; i++)
        for (j = 0; j < d->n_kv; j++)
            run->mask[i * d->n_kv + j] = j <= d->n_kv - d->n_q + i ? 0 : 0xfc00;
    t->data = run->mask;
    return t;
}

static void plan_make(flash_run *run)
{
    struct ggml_threadpool_params params = ggml_threadpool_params_default(machine_threads());
    run->threads = ggml_threadpool_new(&params);
    run->plan = ggml_graph_plan(run->graph, machine_threads(), run->threads);
    run->work = malloc(run->plan.work_size + 64);
    if (!run->threads || !run->work) machine_fail("ggml does not start");
    run->plan.work_data = run->work;
}

/* Fills in the tensors' memory: the dense rows themselves, or copies. */
static struct ggml_tensor *flash_tensor(flash_run *run)
{
    const dense *d = &run->d;
    const void *k = d->k, *v = d->v;
    struct ggml_tensor *q = query_tensor(run);
    if (run->type == GGML_TYPE_Q8_0) {
        k = run->copy[0] = q8_copy(d, k);
        v = run->copy[1] = q8_copy(d, v);
    }
    return ggml_flash_attn_ext(run->context, q, rows_tensor(run, k), rows_tensor(run, v),
                               mask_tensor(run), 1 / sqrtf((float)d->head_dim), 0, 0);
}

flash_run *flash_open(const dense *d, int head_major, int q8)
{
    const struct ggml_init_params params = { (size_t)1 << 20, NULL, true };
    flash_run *run = calloc(1, sizeof *run);
    if (!run || !(run->context = ggml_init(params))) machine_fail("ggml does not start");
    run->d = *d, run->head_major = head_major;
    run->type = q8 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
    ggml_cpu_init();
    run->result = flash_tensor(run);
    run->result->data = d->out;
    run->graph = ggml_new_graph(run->context);
    ggml_build_forward_expand(run->graph, run->result);
    plan_make(run);
    return run;
}

void flash_close(flash_run *run)
{
    if (!run) return;
    ggml_threadpool_free(run->threads);
    ggml_free(run->context);
    free(run->work);
    free(run->mask);
    free(run->copy[0]);
    free(run->copy[1]);
    free(run);
}

void flash_attend(void *run)
{
    flash_run *r = run;
    if (ggml_graph_compute(r->graph, &r->plan) != GGML_STATUS_SUCCESS) machine_fail("ggml fails");
}
#endif
