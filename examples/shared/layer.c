#include "layer.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 256 };

/* Appends a matrix of `rows` rows as f32 to those at `to`; returns where the next goes. */
static float *append(const lctx_tensor *w, int64_t rows, int64_t cols, float *to)
{
    int64_t i;
    if (w->type != LCTX_I8)
        run_check(lctx_to_f32((lctx_type)w->type, rows * cols, w->data, NULL, to), "weights");
    for (i = 0; w->type == LCTX_I8 && i < rows; i++)
        run_check(lctx_to_f32(LCTX_I8, cols, (const char *)w->data + i * cols, w->scale + i,
                              to + i * cols), "weights");
    return to + rows * cols;
}

/* A model that ends before the layer: in place of logits it gives the layer's projections, behind
   the layer's own norm. Returns its last matrix, to be freed. */
static float *cut(lctx_model *m, int32_t layer, int64_t n_q, int64_t n_k)
{
    const lctx_layer *l = &m->layers[layer];
    float *w = run_alloc((int64_t)m->n_vocab * m->d_model, sizeof *w);
    float *k = append(&l->wq, n_q, m->d_model, w), *v = append(&l->wk, n_k, m->d_model, k);
    append(&l->wv, n_k, m->d_model, v);
    m->n_layer = layer;
    m->output_norm = l->attn_norm;
    memset(&m->output, 0, sizeof m->output);
    m->output.data = w;
    m->logit_softcap = 0;
    return w;
}

static void rotate(const run *r, const lctx_layer *l, float *x, int32_t heads,
                   const layer_rows *rows)
{
    lctx_rope_job job = {0};
    job.n_tok = rows->n, job.n_head = heads, job.head_dim = rows->dim;
    job.x = job.out = x;
    job.par = &rows->par;
    if (!l->no_rope && r->model.lctx.rope)
        run_check(lctx_rope_apply(l->rope ? l->rope : r->model.lctx.rope, &job), "RoPE");
}

void layer_read(run *r, int32_t layer, const int32_t *tokens, int64_t n, layer_rows *rows)
{
    const lctx_model whole = r->model.lctx;
    const lctx_layer *l = &whole.layers[layer];
    const int32_t dim = whole.head_dim ? whole.head_dim : whole.d_model / whole.n_head;
    const int64_t n_q = (int64_t)whole.n_head * dim, n_k = (int64_t)whole.n_head_kv * dim;
    float *logits, *last;
    lctx_session *s;
    int64_t at, i, piece;
    if (l->bq.data || l->bk.data || l->bv.data || l->q_norm.data || l->k_norm.data
        || l->q_scale_length || n_q + 2 * n_k > whole.n_vocab)
        fail(EXIT_INPUT, "%s: the queries of layer %d cannot be had as logits", r->path, layer);
    rows->n = n, rows->n_head = whole.n_head, rows->n_head_kv = whole.n_head_kv, rows->dim = dim;
    rows->q = run_alloc(n * n_q, sizeof *rows->q);
    rows->k = run_alloc(n * n_k, sizeof *rows->k);
    rows->v = run_alloc(n * n_k, sizeof *rows->v);
    run_check(lctx_threads_parallel(r->crew, &rows->par), "threads");
    logits = run_alloc((int64_t)PIECE * whole.n_vocab, sizeof *logits);
    last = cut(&r->model.lctx, layer, n_q, n_k);
    s = run_session(r, n);
    for (at = 0; at < n; at += piece) {
        piece = n - at < PIECE ? n - at : PIECE;
        run_feed(s, tokens + at, piece, LCTX_LOGITS_ALL, logits);
        for (i = 0; i < piece; i++) {
            const float *row = logits + i * whole.n_vocab;
            memcpy(rows->q + (at + i) * n_q, row, (size_t)n_q * sizeof *row);
            memcpy(rows->k + (at + i) * n_k, row + n_q, (size_t)n_k * sizeof *row);
            memcpy(rows->v + (at + i) * n_k, row + n_q + n_k, (size_t)n_k * sizeof *row);
        }
    }
    lctx_session_free(s);
    r->model.lctx = whole;
    rotate(r, l, rows->q, rows->n_head, rows);
    rotate(r, l, rows->k, rows->n_head_kv, rows);
    free(logits);
    free(last);
}

void layer_free(layer_rows *rows)
{
    free(rows->q);
    free(rows->k);
    free(rows->v);
}
