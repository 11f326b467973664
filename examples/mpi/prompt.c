/* Demonstrates attention over a prompt that is spread over processes: ring attention in three
   orders of tokens, Ulysses' all-to-all by heads, LongNet's segments. Each is compared with one
   process over the whole, and told by the bytes that a rank sends, its balance and its time. */
#include "prompt.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t n_tokens = 3072, rounds = 3;
static int blocking;
static const char *only = "";

static const args_option options[] = {
    { "--tokens", ARGS_INT, &n_tokens, 1, 1e6, "N", "of the prompt, in 24ths; default 3072" },
    { "--rounds", ARGS_INT, &rounds, 1, 1000, "N", "of which the fastest counts; default 3" },
    { "--only", ARGS_TEXT, &only, 0, 0, "NAME", "the methods whose names begin so" },
    { "--blocking", ARGS_FLAG, &blocking, 0, 0, "", "ring: send first, and compute then" },
    WIRE_OPTION,
    { 0 }
};

typedef struct method {
    const char *name;
    order       by;
    void      (*run)(part *p);
    int         exact;              /* up to so many ranks it has the bits of one process */
    double      even;               /* the least balance: mean by greatest number of pairs */
} method;
static const method methods[] = {
    { "ring", CONTIGUOUS, ring, 1, 0 },
    { "ring, striped", STRIPED, ring, 1, 0.99 },
    { "ring, zigzag", ZIGZAG, ring, 1, 0.99 },
    { "ulysses", CONTIGUOUS, ulysses, 1 << 20, 1 },      /* of each head in one piece */
    { "longnet", CONTIGUOUS, longnet, 0, 0 },
    { 0 }
};

/* ---- what prompt.h promises */
void part_positions(order by, int rank, int64_t n, int64_t *pos)
{
    const int64_t half = n / 2, last = (2 * (int64_t)wire_ranks - 1 - rank) * half;
    int64_t i;
    for (i = 0; i < n; i++)
        pos[i] = by == STRIPED ? i * wire_ranks + rank : by == CONTIGUOUS ? rank * n + i :
                 i < half ? rank * half + i : last + i - half;
}

lctx_span span_of(const uint16_t *k, const uint16_t *v, int64_t n, const int64_t *pos)
{
    lctx_span s = {0};
    s.k = k, s.v = v, s.k_type = s.v_type = LCTX_F16, s.n = n, s.pos = pos[0];
    if (pos[n - 1] - pos[0] != n - 1) s.k_pos = pos, s.k_pos_head = -1;
    return s;
}

void attend(const queries *q, const lctx_span *spans, int64_t n_spans, const lctx_pattern *pattern)
{
    lctx_attn a = {0};
    size_t bytes;
    void *scratch;
    a.n_q = q->n, a.q_pos = q->pos, a.q_pos0 = q->pos0, a.out = q->out, a.lse = q->lse;
    a.q = q->q, a.q_token = q->token, a.q_head = q->head;
    a.n_head = q->n_head, a.n_head_kv = q->n_head_kv, a.d_k = DIM;
    a.spans = spans, a.n_spans = n_spans, a.pattern = pattern, a.progress = wire_progress;
    wire_check(lctx_attend_size(&a, &bytes));
    scratch = rows_alloc((int64_t)bytes, 1);
    wire_check(lctx_attend(&a, scratch, bytes));
    free(scratch);
}

/* ---- one process */
static uint16_t *whole;             /* [2][n_tokens][KV_ROW] */

static void one_process(const part *p, int dilated, float *out, float *lse)
{
    int64_t *pos = rows_alloc(n_tokens, sizeof *pos), i;
    float *parts = rows_alloc(DILATIONS * p->n * (Q_ROW + HEADS), sizeof *parts);
    const float *outs[DILATIONS], *lses[DILATIONS];
    queries q = { p->n, HEADS, KV_HEADS, p->pos, p->q, out, lse, 0, 0, 0 };
    lctx_span s = span_of(whole, whole + n_tokens * KV_ROW, n_tokens, pos);
    lctx_pattern patterns[DILATIONS];
    for (i = 0; i < n_tokens; i++) pos[i] = i;
    longnet_patterns(n_tokens, patterns);
    if (!dilated) attend(&q, &s, 1, NULL);
    for (i = 0; dilated && i < DILATIONS; i++) {
        outs[i] = q.out = parts + i * p->n * (Q_ROW + HEADS);
        lses[i] = q.lse = q.out + p->n * Q_ROW;
        attend(&q, &s, 1, &patterns[i]);
    }
    if (dilated) wire_check(lctx_merge(p->n * HEADS, DIM, DILATIONS, outs, lses, out, lse));
    free(parts), free(pos);
}

/* ---- a method's row of the table */
static void part_open(part *p, order by)
{
    int64_t i;
    memset(p, 0, sizeof *p);
    p->by = by, p->n_all = n_tokens, p->n = n_tokens / wire_ranks, p->blocking = blocking;
    p->pos = rows_alloc(p->n, sizeof *p->pos), p->q = rows_alloc(p->n * Q_ROW, sizeof *p->q);
    p->kv = rows_alloc(2 * p->n * KV_ROW, sizeof *p->kv);
    p->out = rows_alloc(p->n * Q_ROW, sizeof *p->out);
    p->lse = rows_alloc(p->n * HEADS, sizeof *p->lse);
    part_positions(by, wire_rank, p->n, p->pos);
    for (i = 0; i < p->n; i++) {
        rows_query(p->pos[i], p->q + i * Q_ROW);
        rows_key(p->pos[i], p->kv + i * KV_ROW, p->kv + (p->n + i) * KV_ROW);
    }
}
static void part_close(part *p)
{
    free(p->pos), free(p->q), free(p->kv), free(p->out), free(p->lse);
}

/* Is it right? */
static int compare(const method *m, const part *p, double *worst)
{
    float *out = rows_alloc(p->n * Q_ROW, sizeof *out);
    float *lse = rows_alloc(p->n * HEADS, sizeof *lse);
    int same;
    one_process(p, m->run == longnet, out, lse);
    same = !memcmp(out, p->out, (size_t)(p->n * Q_ROW) * sizeof *out) &&
           !memcmp(lse, p->lse, (size_t)(p->n * HEADS) * sizeof *lse);
    *worst = fmax((double)rows_difference(out, p->out, p->n * Q_ROW),
                  (double)rows_difference(lse, p->lse, p->n * HEADS));
    *worst = wire_most(*worst), same = wire_sum(!same) == 0;
    free(out), free(lse);
    return same;
}

static int try(const method *m)
{
    double best = INFINITY, waited = 0, sent, worst, even;
    part p;
    int64_t i;
    int same;
    if (m->run == ulysses && KV_HEADS % wire_ranks) {
        if (!wire_rank) printf("%-14s SKIPPED: %d KV heads, %d ranks\n", m->name, (int)KV_HEADS,
                               wire_ranks);
        return 1;
    }
    part_open(&p, m->by);
    for (i = 0; i < rounds; i++) {
        double start, taken, w;
        wire_barrier();
        start = os_seconds(), wire_waited = 0, wire_sent = 0, p.pairs = 0;
        m->run(&p);
        w = wire_most(wire_waited), taken = wire_most(os_seconds() - start);
        if (taken < best) best = taken, waited = w;
    }
    same = compare(m, &p, &worst);
    sent = wire_most((double)wire_sent);
    even = wire_sum(p.pairs) / wire_most(p.pairs) / wire_ranks;
    if (!wire_rank) {
        printf("%-14s %5d %12.0f %8.0f%% %8.4f s %9.4f s %11.1e%s\n", m->name, wire_ranks, sent,
               100 * even, best, waited, worst, same ? ", same bits" : "");
        fflush(stdout);
    }
    part_close(&p);
    return worst <= 1e-5 && (same || wire_ranks > m->exact) && even >= m->even;
}

int main(int argc, char **argv)
{
    const method *m;
    int64_t i;
    int right = 1;
    wire_open(&argc, &argv);
    args_parse(argc, argv, "prompt", "Attention over a prompt that ranks share.", options);
    wire_agree("--tokens", n_tokens), wire_agree("--rounds", rounds);
    if (n_tokens % (8 * (int64_t)wire_ranks))
        wire_fail("--tokens %lld is not a multiple of 8 times %d ranks", (long long)n_tokens,
                  wire_ranks);
    whole = rows_alloc(2 * n_tokens * KV_ROW, sizeof *whole);
    for (i = 0; i < n_tokens; i++)
        rows_key(i, whole + i * KV_ROW, whole + (n_tokens + i) * KV_ROW);
    if (!wire_rank)
        printf("method         ranks  sent a rank   balance       time     waiting  difference\n");
    for (m = methods; m->name; m++)
        if (!strncmp(m->name, only, strlen(only))) right &= try(m);
    free(whole);
    wire_close();
    return right ? 0 : EXIT_RUN;
}
