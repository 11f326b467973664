#include "prompt.h"
#include <stdlib.h>
#include <string.h>

enum { GROUP = HEADS / KV_HEADS };

/* Segments of 256, of 1024 with every second token, of all with every fourth. */
void longnet_patterns(int64_t n, lctx_pattern patterns[DILATIONS])
{
    int i;
    memset(patterns, 0, DILATIONS * sizeof *patterns);
    for (i = 0; i < DILATIONS; i++)
        patterns[i].kind = LCTX_PATTERN_DILATED, patterns[i].dilation = 1 << i;
    patterns[0].length = 256, patterns[1].length = 1024, patterns[2].length = n;
}

/* Is the token seen by any query head of a KV head? Head h sees those at offset h % dilation. */
static int wanted(const lctx_pattern *l, int64_t head, int64_t token)
{
    int64_t h;
    for (h = head * GROUP; h < (head + 1) * GROUP; h++)
        if (token % l->length % l->dilation == h % l->dilation) return 1;
    return 0;
}

/* The tokens of rank `from` that rank `to` wants, itself or a later one: those of the segment in
   which the latter's first one lies, and its own. How many of them a head sees goes to *n. */
static int64_t wanted_from(const part *p, const lctx_pattern *l, int from, int to, int64_t *n)
{
    const int64_t begin = to * p->n / l->length * l->length, own = from * p->n, end = own + p->n;
    const int64_t first = begin > own ? begin : own;
    int64_t t;
    for (*n = 0, t = first; t < end; t++) *n += wanted(l, 0, t);
    return first;
}

/* What one rank gives another, or itself: keys [KV_HEADS][n][DIM], values, and where they stand. */
typedef struct parcel { int64_t n, first, *pos; uint16_t *rows; } parcel;

static int64_t parcel_bytes(const parcel *a)
{
    return 2 * a->n * KV_ROW * (int64_t)sizeof *a->rows;
}
static void parcel_open(parcel *a, const part *p, const lctx_pattern *l, int from, int to)
{
    int64_t g, t, i;
    a->first = wanted_from(p, l, from, to, &a->n);
    a->pos = rows_alloc(a->n * KV_HEADS, sizeof *a->pos);
    a->rows = rows_alloc(2 * a->n * KV_ROW, sizeof *a->rows);
    for (g = i = 0; a->n && g < KV_HEADS; g++)
        for (t = a->first; t < (from + 1) * p->n; t++)
            if (wanted(l, g, t)) a->pos[i++] = t;
}
static void parcel_close(parcel *a) { free(a->pos), free(a->rows); }

static void pack(const parcel *a, const part *p)
{
    const size_t row = DIM * sizeof *a->rows;
    int64_t i;
    for (i = 0; i < a->n * KV_HEADS; i++) {
        const int64_t at = (a->pos[i] - p->pos[0]) * KV_ROW + i / a->n * DIM;
        memcpy(a->rows + i * DIM, p->kv + at, row);
        memcpy(a->rows + (a->n * KV_HEADS + i) * DIM, p->kv + p->n * KV_ROW + at, row);
    }
}

static lctx_span parcel_span(const parcel *a)
{
    lctx_span s = span_of(a->rows, a->rows + a->n * KV_ROW, a->n, a->pos);
    s.k_token = s.v_token = DIM * (int64_t)sizeof *a->rows, s.k_head = s.v_head = a->n * s.k_token;
    s.k_pos_head = 0;
    return s;
}

/* Messages of one pair of length and dilation, by the other rank. */
typedef struct trade { parcel *to, *from; wire_message *messages; int n; } trade;

static void trade_begin(trade *t, const part *p, const lctx_pattern *l)
{
    int r;
    t->n = 0;
    t->to = rows_alloc(wire_ranks, sizeof *t->to);
    t->from = rows_alloc(wire_ranks, sizeof *t->from);
    t->messages = rows_alloc(2 * (int64_t)wire_ranks, sizeof *t->messages);
    for (r = 0; r <= wire_rank; r++) {
        parcel *a = &t->from[r];
        parcel_open(a, p, l, r, wire_rank);
        if (r == wire_rank) pack(a, p);
        else if (a->n) t->messages[t->n++] = wire_take(a->rows, parcel_bytes(a), r);
    }
    for (r = wire_rank + 1; r < wire_ranks; r++) {
        parcel *a = &t->to[r];
        parcel_open(a, p, l, wire_rank, r);
        pack(a, p);
        if (a->n) t->messages[t->n++] = wire_send(a->rows, parcel_bytes(a), r);
    }
}

/* Attention over what came and what is here, packed likewise: no tile holds what none sees. */
static void trade_end(trade *t, part *p, const lctx_pattern *l, const queries *q)
{
    lctx_span *spans = rows_alloc(wire_ranks, sizeof *spans);
    int64_t i, h;
    int r;
    wire_wait(t->messages, t->n);
    for (r = 0; r <= wire_rank; r++) spans[r] = parcel_span(&t->from[r]);
    attend(q, spans, r, l);
    for (i = 0; i < p->n; i++)
        for (h = 0; h < HEADS; h++) {
            const int64_t at = p->pos[i] % l->length;
            if (at % l->dilation == h % l->dilation) p->pairs += (double)(at / l->dilation + 1);
        }
    for (r = 0; r < wire_ranks; r++) parcel_close(&t->from[r]), parcel_close(&t->to[r]);
    free(t->to), free(t->from), free(t->messages), free(spans);
}

/* All messages are on their way before the first attention, which wants few of them. */
void longnet(part *p)
{
    lctx_pattern patterns[DILATIONS];
    trade trades[DILATIONS];
    const float *outs[DILATIONS], *lses[DILATIONS];
    float *buffer = rows_alloc(DILATIONS * p->n * (Q_ROW + HEADS), sizeof *buffer);
    int i;
    longnet_patterns(p->n_all, patterns);
    for (i = 0; i < DILATIONS; i++) trade_begin(&trades[i], p, &patterns[i]);
    for (i = 0; i < DILATIONS; i++) {
        float *out = buffer + i * p->n * (Q_ROW + HEADS), *lse = out + p->n * Q_ROW;
        const queries q = { p->n, HEADS, KV_HEADS, p->pos, p->q, out, lse };
        outs[i] = out, lses[i] = lse;
        trade_end(&trades[i], p, &patterns[i], &q);
    }
    wire_check(lctx_merge(p->n * HEADS, DIM, DILATIONS, outs, lses, p->out, p->lse));
    free(buffer);
}
