#include "prompt.h"
#include <stdlib.h>
#include <string.h>

/* Of n rows of elements the ones from `first` on, `some` of each row's `all`. */
static void copy_some(char *to, const void *rows, int64_t n, int64_t all, int64_t first,
                      int64_t some, int64_t size)
{
    int64_t t;
    for (t = 0; t < n; t++)
        memcpy(to + t * some * size, (const char *)rows + (t * all + first) * size,
               (size_t)(some * size));
}
static void copy_back(void *rows, const char *from, int64_t n, int64_t all, int64_t first,
                      int64_t some, int64_t size)
{
    int64_t t;
    for (t = 0; t < n; t++)
        memcpy((char *)rows + (t * all + first) * size, from + t * some * size,
               (size_t)(some * size));
}

/* Piece r of `to` comes from rank r, which gets piece r of `from`; a piece has so many bytes. */
static void all_to_all(const char *from, char *to, int64_t bytes)
{
    wire_message *m = rows_alloc(2 * (int64_t)wire_ranks, sizeof *m);
    int r, n = 0;
    for (r = 0; r < wire_ranks; r++)
        if (r != wire_rank) m[n++] = wire_take(to + r * bytes, bytes, r);
    for (r = 0; r < wire_ranks; r++)
        if (r != wire_rank) m[n++] = wire_send(from + r * bytes, bytes, r);
    memcpy(to + wire_rank * bytes, from + wire_rank * bytes, (size_t)bytes);
    wire_wait(m, n);
    free(m);
}

/* Rows [n][heads][DIM] of these tokens become [n_all][heads / ranks][DIM] of all tokens. */
static void *to_heads(const part *p, const void *rows, int64_t heads, int64_t size)
{
    const int64_t some = heads / wire_ranks * DIM, bytes = p->n * some * size;
    char *from = rows_alloc(bytes, wire_ranks), *to = rows_alloc(bytes, wire_ranks);
    int r;
    for (r = 0; r < wire_ranks; r++)
        copy_some(from + r * bytes, rows, p->n, heads * DIM, r * some, some, size);
    all_to_all(from, to, bytes);
    free(from);
    return to;
}
/* And back, of rows of `size` bytes a head. */
static void from_heads(const part *p, const float *of_heads, int64_t size, float *rows)
{
    const int64_t some = HEADS / wire_ranks * size, bytes = p->n * some;
    char *to = rows_alloc(bytes, wire_ranks);
    int r;
    all_to_all((const char *)of_heads, to, bytes);
    for (r = 0; r < wire_ranks; r++)
        copy_back(rows, to + r * bytes, p->n, HEADS * size, r * some, some, 1);
    free(to);
}

void ulysses(part *p)
{
    const int32_t heads = HEADS / wire_ranks, kv_heads = KV_HEADS / wire_ranks;
    int64_t *pos = rows_alloc(p->n_all, sizeof *pos), i;
    float *q, *out = rows_alloc(p->n_all * heads * DIM, sizeof *out);
    float *lse = rows_alloc(p->n_all * heads, sizeof *lse);
    uint16_t *k, *v;
    queries all = {0};
    lctx_span span;
    q = to_heads(p, p->q, HEADS, sizeof *q);
    k = to_heads(p, p->kv, KV_HEADS, sizeof *k);
    v = to_heads(p, p->kv + p->n * KV_ROW, KV_HEADS, sizeof *v);
    for (i = 0; i < p->n_all; i++) pos[i] = i;
    span = span_of(k, v, p->n_all, pos);
    all.n = p->n_all, all.n_head = heads, all.n_head_kv = kv_heads;
    all.pos = pos, all.q = q, all.out = out, all.lse = lse;
    attend(&all, &span, 1, NULL);
    p->pairs = (double)p->n_all * (double)(p->n_all + 1) / 2 * heads;
    from_heads(p, out, DIM * (int64_t)sizeof *out, p->out);
    from_heads(p, lse, sizeof *lse, p->lse);
    free(q), free(k), free(v), free(out), free(lse), free(pos);
}
