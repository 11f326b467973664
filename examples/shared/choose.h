/* choose.h - which keys of a layer are read: choosers of sparse attention, each a short function
   that fills in the lists of an lctx_attn. What they choose is read exactly; what they leave out is
   as if it were not there. */
#ifndef CHOOSE_H
#define CHOOSE_H
#include "layer.h"

/* Positions come in blocks of 64 or 128 keys, so n of the rows is a multiple of CHOOSE_KEYS. */
enum { CHOOSE_KEYS = 128 };

typedef struct choice {
    lctx_attn a;                  /* causal, of all queries; out and lse are yours */
    lctx_span spans[2];
    int       first;              /* nonzero: choosers by blocks always take the first, too */
    void     *held[8];            /* memory of lists and spans */
    int       n_held;
} choice;

/* Everything, of rows that stay where they are. What follows narrows it: to about so many keys a
   query of those before it. Free it in the end. */
void choose_all(choice *c, const layer_rows *x);
void choose_free(choice *c);

/* Quest 2406.10774: 64 queries share the blocks of the greatest bounds, in each KV head. */
void choose_quest(choice *c, int64_t keys);

/* MoBA 2502.13189: each query of each head reads its own block and those whose mean of keys has the
   greatest product with it. */
void choose_moba(choice *c, int64_t keys);

/* XAttention 2503.16428: of blocks of 128 the fewest that hold 0.9 of the mass by the sums along
   every stride'th antidiagonal, which divides 128. Shared in each KV head. */
void choose_antidiagonal(choice *c, int64_t stride);

/* MInference 2407.02490, vertical-slash: what the last 64 queries look at, by columns and by
   distances, is what all read. The columns are gathered, a quarter of the keys. */
void choose_vertical_slash(choice *c, int64_t keys);

/* DSA (DeepSeek V3.2): the tokens s with the greatest sum over j of w_j relu(q_j . k_s), the same
   for all heads. The paper's indexer is trained, small and has queries and keys of its own; here the
   layer's own stand in, all w_j alike. */
void choose_indexer(choice *c, int64_t keys);

/* Runs it; out [n][n_head][dim] and lse [n][n_head]. q: in place of its own queries, or null. */
void choose_attend(const choice *c, const float *q, float *out, float *lse);
#endif
