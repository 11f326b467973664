/* hyper.h - HyperAttention (2310.05869) on lists and merges. A causal half is halved again until
   it is short; the square of the later half's queries on the earlier half's keys is then estimated:
   queries and keys are sorted by hashes of their directions, so that like stands beside like,
   blocks on the diagonal are read, and a sample of the other columns stands, with its weight, for
   all. A column that all look at, as models' first tokens are, breaks what that rests on: such may be read
   apart. */
#ifndef HYPER_H
#define HYPER_H
#include "layer.h"

typedef struct hyper {
    int64_t block, sample;            /* keys of a block; sampled of those of a square, at most all:
                                         then nothing is estimated */
    int64_t exact;                    /* what is no longer than this is not halved */
    int64_t first;                    /* so many first keys are read by all; below half of exact */
    int     bare;                     /* nonzero: samples have no weight, and count as they stand */
} hyper;

/* out [n][n_head][dim], lse [n][n_head]. q: attends in place of its own queries, by which all is
   sorted; or null. The same numbers are drawn each time. */
void hyper_attend(const layer_rows *x, const hyper *h, const float *q, float *out, float *lse);
#endif
