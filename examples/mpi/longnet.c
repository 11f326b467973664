#include "prompt.h"
#include <math.h>
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

/* Heads h and tokens t of one class, h % dilation = t % dilation, see nothing of the others:
   packed, with positions divided by the dilation, they are causal attention within segments, and
   no tile holds what none sees. */
typedef struct classes {
    int64_t n, segment;           /* how many there are; tokens of one in a segment */
    int32_t n_head, n_head_kv;    /* of one */
    int64_t kv_step;              /* KV heads from one of a class to its next */
} classes;

static classes classes_of(const lctx_pattern *l)
{
    const int32_t r = l->dilation, group = GROUP > r ? GROUP / r : 1;
    classes c = { r, l->length / r, HEADS / r, HEADS / r / group, r > GROUP ? r / GROUP : 1 };
    return c;
}

/* What a rank gives a later one, or itself: of the segment in which the latter's first token lies,
   tokens `first` and on, n of each class: [classes][2][KV heads][n][DIM], keys and then values. */
typedef struct parcel { int64_t n, first; uint16_t *rows; } parcel;

static int64_t parcel_bytes(const parcel *a, const classes *c)
{
    return c->n * 2 * c->n_head_kv * a->n * DIM * (int64_t)sizeof *a->rows;
}

static void parcel_open(parcel *a, const part *p, const classes *c, int from, int to)
{
    const int64_t length = c->segment * c->n, begin = to * p->n / length * length;
    const int64_t own = from * p->n, end = own + p->n;
    a->first = begin > own ? begin : own;
    a->n = a->first < end ? (end - a->first) / c->n : 0;
    a->rows = rows_alloc(parcel_bytes(a, c), 1);
}

static void pack(const parcel *a, const part *p, const classes *c)
{
    uint16_t *to = a->rows;
    int64_t o, value, g, i;
    for (o = 0; o < c->n; o++)
        for (value = 0; value < 2; value++)
            for (g = 0; g < c->n_head_kv; g++)
                for (i = 0; i < a->n; i++, to += DIM) {
                    const int64_t token = value * p->n + a->first - p->pos[0] + o + i * c->n;
                    const int64_t head = o / GROUP + g * c->kv_step;
                    memcpy(to, p->kv + token * KV_ROW + head * DIM, DIM * sizeof *to);
                }
}

static lctx_span parcel_span(const parcel *a, const classes *c, int64_t o)
{
    const int64_t half = c->n_head_kv * a->n * DIM;
    lctx_span s = {0};
    s.k = a->rows + o * 2 * half, s.v = a->rows + (o * 2 + 1) * half, s.n = a->n;
    s.k_type = s.v_type = LCTX_F16, s.pos = a->first / c->n;
    s.k_token = s.v_token = DIM * (int64_t)sizeof *a->rows, s.k_head = s.v_head = a->n * s.k_token;
    return s;
}

/* What travels for one pair of length and dilation, by the other rank. */
typedef struct trade { parcel *to, *from; wire_message *messages; int n; } trade;

static void trade_begin(trade *t, const part *p, const classes *c)
{
    int r;
    t->n = 0;
    t->to = rows_alloc(wire_ranks, sizeof *t->to);
    t->from = rows_alloc(wire_ranks, sizeof *t->from);
    t->messages = rows_alloc(2 * (int64_t)wire_ranks, sizeof *t->messages);
    for (r = 0; r <= wire_rank; r++) {
        parcel *a = &t->from[r];
        parcel_open(a, p, c, r, wire_rank);
        if (r == wire_rank) pack(a, p, c);
        else if (a->n) t->messages[t->n++] = wire_take(a->rows, parcel_bytes(a, c), r);
    }
    for (r = wire_rank + 1; r < wire_ranks; r++) {
        parcel *a = &t->to[r];
        parcel_open(a, p, c, wire_rank, r);
        pack(a, p, c);
        if (a->n) t->messages[t->n++] = wire_send(a->rows, parcel_bytes(a, c), r);
    }
}

/* Attention of one class over what came and what is here; its rows go to out[n][HEADS][DIM]. */
static void attend_class(const trade *t, part *p, const classes *c, int64_t o, float *out,
                         float *lse)
{
    const int64_t n = p->n / c->n, pos = p->pos[0] / c->n;
    float *rows = rows_alloc(n * c->n_head * (DIM + 1), sizeof *rows);
    lctx_span *spans = rows_alloc(wire_ranks, sizeof *spans);
    lctx_pattern segments = {0};
    queries q = { n, c->n_head, c->n_head_kv, NULL, p->q + o * (Q_ROW + DIM), rows, NULL, pos,
                  c->n * Q_ROW * (int64_t)sizeof *q.q, c->n * DIM * (int64_t)sizeof *q.q };
    int64_t i;
    int r;
    q.lse = rows + n * c->n_head * DIM;
    segments.kind = LCTX_PATTERN_BLOCKS, segments.length = c->segment;
    for (r = 0; r <= wire_rank; r++) spans[r] = parcel_span(&t->from[r], c, o);
    attend(&q, spans, r, &segments);
    for (i = 0; i < n * c->n_head; i++) {
        const int64_t row = (o + i / c->n_head * c->n) * HEADS + o + i % c->n_head * c->n;
        memcpy(out + row * DIM, rows + i * DIM, DIM * sizeof *rows);
        lse[row] = q.lse[i];
    }
    for (i = pos; i < pos + n; i++) p->pairs += (double)((i % c->segment + 1) * c->n_head);
    free(rows), free(spans);
}

static void trade_end(trade *t, part *p, const classes *c, float *out, float *lse)
{
    int64_t i;
    int r;
    wire_wait(t->messages, t->n);
    for (i = 0; i < p->n * HEADS; i++) lse[i] = -INFINITY;    /* of heads that see nothing */
    for (i = 0; i < c->n; i++) attend_class(t, p, c, i, out, lse);
    for (r = 0; r < wire_ranks; r++) free(t->from[r].rows), free(t->to[r].rows);
    free(t->to), free(t->from), free(t->messages);
}

/* All messages are on their way before the first attention, which wants few of them. */
void longnet(part *p)
{
    lctx_pattern patterns[DILATIONS];
    classes c[DILATIONS];
    trade trades[DILATIONS];
    const float *outs[DILATIONS], *lses[DILATIONS];
    float *buffer = rows_alloc(DILATIONS * p->n * (Q_ROW + HEADS), sizeof *buffer);
    int i;
    longnet_patterns(p->n_all, patterns);
    for (i = 0; i < DILATIONS; i++)
        c[i] = classes_of(&patterns[i]), trade_begin(&trades[i], p, &c[i]);
    for (i = 0; i < DILATIONS; i++) {
        float *out = buffer + i * p->n * (Q_ROW + HEADS), *lse = out + p->n * Q_ROW;
        outs[i] = out, lses[i] = lse;
        trade_end(&trades[i], p, &c[i], out, lse);
    }
    wire_check(lctx_merge(p->n * HEADS, DIM, DILATIONS, outs, lses, p->out, p->lse));
    free(buffer);
}
