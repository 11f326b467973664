#include "prompt.h"
#include <stdlib.h>

/* How many pairs are seen of queries and keys at rising positions. */
static double seen(const int64_t *q_pos, const int64_t *k_pos, int64_t n)
{
    double pairs = 0;
    int64_t t, j = 0;
    for (t = 0; t < n; t++) {
        while (j < n && k_pos[j] <= q_pos[t]) j++;
        pairs += (double)j * HEADS;
    }
    return pairs;
}

/* Attends to the keys that rank `from` began with, and adds the result to the others'. */
static void add(part *p, const uint16_t *kv, int from, int first, int64_t *k_pos, queries *q)
{
    const float *outs[2], *lses[2];
    lctx_span span;
    part_positions(p->by, from, p->n, k_pos);
    span = span_of(kv, kv + p->n * KV_ROW, p->n, k_pos);
    p->pairs += seen(p->pos, k_pos, p->n);
    if (p->by == STRIPED) {      /* token i of ours sees i of an earlier rank's, and one less of a
                                    later one's: positions without gaps, which cost less */
        span.k_pos = NULL, span.pos = 0;
        q->pos = NULL, q->pos0 = from <= wire_rank ? 0 : -1;
    }
    if (first) q->out = p->out, q->lse = p->lse;
    attend(q, &span, 1, NULL);
    outs[0] = p->out, lses[0] = p->lse, outs[1] = q->out, lses[1] = q->lse;
    if (!first) wire_check(lctx_merge(p->n * HEADS, DIM, 2, outs, lses, p->out, p->lse));
}

void ring(part *p)
{
    const int next = (wire_rank + 1) % wire_ranks;
    const int before = (wire_rank + wire_ranks - 1) % wire_ranks;
    const int64_t bytes = 2 * p->n * KV_ROW * (int64_t)sizeof *p->kv;
    uint16_t *spare[2], *now = p->kv, *coming;
    int64_t *k_pos = rows_alloc(p->n, sizeof *k_pos);
    float *out = rows_alloc(p->n * Q_ROW, sizeof *out);
    float *lse = rows_alloc(p->n * HEADS, sizeof *lse);
    int step;
    spare[0] = rows_alloc(bytes, 1), spare[1] = rows_alloc(bytes, 1);
    for (step = 0; step < wire_ranks; step++, now = coming) {
        const int from = (wire_rank - step + wire_ranks) % wire_ranks, more = step + 1 < wire_ranks;
        queries q = { p->n, HEADS, KV_HEADS, p->pos, p->q, out, lse, 0, 0, 0 };
        wire_message m[2];
        coming = spare[step % 2];
        if (more) m[0] = wire_take(coming, bytes, before), m[1] = wire_send(now, bytes, next);
        if (more && p->blocking) wire_wait(m, 2);
        add(p, now, from, step == 0, k_pos, &q);
        if (more && !p->blocking) wire_wait(m, 2);
    }
    free(spare[0]), free(spare[1]), free(out), free(lse), free(k_pos);
}
