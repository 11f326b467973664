/* prompt.h - a prompt that is spread over ranks: which tokens are whose, attention over some of
   them, and the methods by which all get what they need. Each leaves in out and lse what one
   process over the whole prompt has for these tokens. */
#ifndef PROMPT_H
#define PROMPT_H
#include "rows.h"
#include "wire.h"

/* Which tokens of n a rank has, where ranks have equally many. Under a causal mask a token sees all
   before it, so that neighbours in a row of their own give the first rank little to do.
       CONTIGUOUS   rank r those from r n / ranks on
       STRIPED      every ranks-th from r on                             2311.09431
       ZIGZAG       of 2 ranks pieces, number r from the start and number r from the end */
typedef enum order { CONTIGUOUS, STRIPED, ZIGZAG } order;

/* What one rank has. */
typedef struct part {
    order     by;
    int64_t   n, n_all;
    int64_t  *pos;              /* [n] rising positions */
    float    *q;                /* [n][HEADS][DIM] */
    uint16_t *kv;               /* [2][n][KV_HEADS][DIM], f16: keys, then values */
    float    *out, *lse;        /* [n][HEADS][DIM], [n][HEADS] */
    double    pairs;            /* of a query and a key of one head that it had to score */
    int       blocking;         /* nonzero: nothing is computed while messages travel */
} part;

void part_positions(order by, int rank, int64_t n, int64_t *pos);      /* [n] */

/* Queries of some heads over spans: out [n_q][n_head][DIM], lse [n_q][n_head]. */
typedef struct queries {
    int64_t        n;
    int32_t        n_head, n_head_kv;
    const int64_t *pos;             /* or null: pos0 and on */
    const float   *q;
    float         *out, *lse;
    int64_t        pos0, token, head;       /* strides of q, bytes; 0 = packed */
} queries;
void attend(const queries *q, const lctx_span *spans, int64_t n_spans, const lctx_pattern *pattern);

/* A span over n tokens of n_head_kv heads, at positions that all heads share. */
lctx_span span_of(const uint16_t *k, const uint16_t *v, int64_t n, const int64_t *pos);

/* Ring attention, 2310.01889: keys and values go round, a rank attends to what it has at the time
   while it sends it on, and merges. */
void ring(part *p);

/* DeepSpeed-Ulysses, 2309.14509: one all-to-all gives each rank all tokens of some heads, a second
   one brings the result back. KV_HEADS is a multiple of the ranks. */
void ulysses(part *p);

/* LongNet, 2307.02486: segments of several lengths, each with every r-th token; a rank fetches what
   lies before its own tokens in their segment, and no more than is seen. */
enum { DILATIONS = 3 };
void longnet_patterns(int64_t n, lctx_pattern patterns[DILATIONS]);
void longnet(part *p);
#endif
