/* rows.h - the tokens of the examples over MPI: queries, keys and values that any rank can make of
   any token, so that each can compare its part with the whole. */
#ifndef ROWS_H
#define ROWS_H
#include <stdint.h>

enum { HEADS = 24, KV_HEADS = 12, DIM = 64, Q_ROW = HEADS * DIM, KV_ROW = KV_HEADS * DIM };

void *rows_alloc(int64_t n, int64_t size);                    /* never null */
void rows_query(int64_t token, float *q);                     /* [Q_ROW] */
void rows_key(int64_t token, uint16_t *k, uint16_t *v);       /* [KV_ROW] each, f16 */

/* The largest difference of n numbers, NaN if one is; wants both to be finite. */
float rows_difference(const float *a, const float *b, int64_t n);
#endif
