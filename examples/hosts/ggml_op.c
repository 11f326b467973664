/* Demonstrates attention as an operator in a ggml graph, over keys and values in ggml's tensors and
   on ggml's threads. f16 is read where it is, in any order of dimensions. Blocks of q8_0 are not: a
   copy in tiles stands beside them, to which each call adds the tokens that are new. */
#include "ggml_op.h"
#include <stdlib.h>
#include <string.h>

/* ---- ggml's threads, lent to lctx: all of them enter an operator; number 0 computes, and the
   others take tasks of its loops until they may leave. None waits for one that has not come. */

/* A task, if there is one that nobody took. */
static int crew_task(crew *c, int32_t thread)
{
    uint64_t left = __atomic_load_n(&c->left, __ATOMIC_ACQUIRE);
    if (!(uint32_t)left || !__atomic_compare_exchange_n(&c->left, &left, left - 1, 0,
                                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return 0;
    c->task(c->arg, (int64_t)(uint32_t)left - 1, thread);
    __atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
    return 1;
}

/* An lctx_parallel's run, of thread 0. */
static void crew_run(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    crew *c = user;
    const uint64_t loop = (c->left >> 32) + 1;
    (void)n_threads;
    c->task = task, c->arg = arg, c->done = 0;
    __atomic_store_n(&c->left, loop << 32 | (uint64_t)n, __ATOMIC_RELEASE);
    while ((uint32_t)__atomic_load_n(&c->left, __ATOMIC_ACQUIRE)) crew_task(c, 0);
    while (__atomic_load_n(&c->done, __ATOMIC_ACQUIRE) < n) {}
}

/* What another thread does in the operator. */
static void crew_serve(crew *c, int32_t thread)
{
    while (crew_task(c, thread) || !__atomic_load_n(&c->leave[thread], __ATOMIC_ACQUIRE)) {}
    __atomic_fetch_sub(&c->leave[thread], 1, __ATOMIC_RELAXED);
}

static void crew_dismiss(crew *c)
{
    int i;
    for (i = 1; i < c->n_threads; i++) __atomic_fetch_add(&c->leave[i], 1, __ATOMIC_RELEASE);
}

/* ---- the operator */

/* Where rows of ggml's are: dimension 1 are the tokens, 2 the heads. */
static lctx_span rows_span(const struct ggml_tensor *k, const struct ggml_tensor *v)
{
    lctx_span s = {0};
    s.k = k->data, s.v = v->data, s.n = k->ne[1], s.k_type = s.v_type = LCTX_F16;
    s.k_token = (int64_t)k->nb[1], s.k_head = (int64_t)k->nb[2];
    s.v_token = (int64_t)v->nb[1], s.v_head = (int64_t)v->nb[2];
    return s;
}

/* Tokens first .. first+n-1 of a tensor, from q8_0 to f32 [n][head][dim]. */
static lctx_status to_rows(const struct ggml_tensor *t, int64_t first, int64_t n, float *rows)
{
    const char *data = t->data;
    lctx_status st = LCTX_OK;
    int64_t i, h;
    for (i = first; i < first + n; i++)
        for (h = 0; !st && h < t->ne[2]; h++, rows += t->ne[0])
            st = lctx_to_f32(LCTX_Q8_0, t->ne[0], data + i * (int64_t)t->nb[1] +
                             h * (int64_t)t->nb[2], NULL, rows);
    return st;
}

/* Copies the tokens that are new, a tile at a time. */
static lctx_status copy_new(attention *a, const struct ggml_tensor *k, const struct ggml_tensor *v)
{
    const int64_t keys = LCTX_TILE * k->ne[0] * k->ne[2], values = LCTX_TILE * v->ne[0] * v->ne[2];
    float *rows = malloc((size_t)(keys + values) * sizeof *rows);
    lctx_status st = rows ? LCTX_OK : LCTX_E_MEMORY;
    lctx_rows r = {0};
    r.k = rows, r.v = rows + keys;
    for (; !st && a->n_tiles < k->ne[1]; a->n_tiles += r.n) {
        r.n = LCTX_TILE - a->n_tiles % LCTX_TILE;
        if (r.n > k->ne[1] - a->n_tiles) r.n = k->ne[1] - a->n_tiles;
        st = to_rows(k, a->n_tiles, r.n, rows);
        if (!st) st = to_rows(v, a->n_tiles, r.n, rows + keys);
        if (!st) st = lctx_tiles_write(&a->tiles, a->n_tiles, &r);
    }
    free(rows);
    return st;
}

static lctx_status compute(struct ggml_tensor *dst, attention *a)
{
    const struct ggml_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2];
    const lctx_parallel par = { crew_run, &a->crew, a->crew.n_threads, 0 };
    lctx_span s = rows_span(k, v);
    lctx_attn t = {0};
    lctx_status st = LCTX_OK;
    size_t bytes;
    if (k->type == GGML_TYPE_Q8_0) {
        if ((st = copy_new(a, k, v)) != LCTX_OK) return st;
        memset(&s, 0, sizeof s);
        if ((st = lctx_tiles_span(&a->tiles, 0, k->ne[1], 0, &s)) != LCTX_OK) return st;
    }
    t.n_q = q->ne[1], t.n_head = (int32_t)q->ne[2], t.n_head_kv = (int32_t)k->ne[2];
    t.d_k = (int32_t)q->ne[0], t.d_v = (int32_t)v->ne[0], t.scale = a->scale;
    t.q = q->data, t.q_token = (int64_t)q->nb[1], t.q_head = (int64_t)q->nb[2];
    t.q_pos0 = *(const int32_t *)dst->src[3]->data;    /* a batch's tokens follow one another */
    t.out = dst->data;                                 /* [n_q][n_head][d_v], packed */
    t.spans = &s, t.n_spans = 1, t.par = &par;
    if ((st = lctx_attend_size(&t, &bytes)) != LCTX_OK) return st;
    if (bytes > a->scratch_bytes) {
        free(a->scratch);
        a->scratch = malloc(bytes), a->scratch_bytes = a->scratch ? bytes : 0;
    }
    return a->scratch ? lctx_attend(&t, a->scratch, a->scratch_bytes) : LCTX_E_MEMORY;
}

static void attention_op(struct ggml_tensor *dst, int ith, int nth, void *user)
{
    attention *a = user;
    if (ith > 0) {
        crew_serve(&a->crew, ith);
        return;
    }
    a->crew.n_threads = nth;
    a->status = compute(dst, a);
    crew_dismiss(&a->crew);
}

struct ggml_tensor *attention_tensor(struct ggml_context *ctx, struct ggml_tensor *q,
                                     struct ggml_tensor *k, struct ggml_tensor *v,
                                     struct ggml_tensor *pos, attention *a)
{
    struct ggml_tensor *args[4] = { q, k, v, pos };
    return ggml_custom_4d(ctx, GGML_TYPE_F32, v->ne[0], q->ne[2], q->ne[1], 1, args, 4,
                          attention_op, GGML_N_TASKS_MAX, a);
}

void attention_free(attention *a) { free(a->scratch); }
