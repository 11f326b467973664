/* plain.h - what mixes tokens, as its papers write it: sums over all earlier tokens, or a matrix
   that changes from token to token, in double. */
#ifndef PLAIN_H
#define PLAIN_H
#include <stdint.h>

enum {
    PLAIN_HEADS = 2, PLAIN_DIM = 32, PLAIN_STATE = 16, PLAIN_RANK = 16, PLAIN_LOCAL = 8,
    PLAIN_CHECK = 48, PLAIN_COS_LENGTH = 256,
    PLAIN_FLOATS = 2 * PLAIN_HEADS * PLAIN_DIM * (PLAIN_DIM + 1)     /* of any state */
};
#define PLAIN_PI 3.14159265358979323846

typedef enum plain_kind {
    PLAIN_ELU, PLAIN_RELU, PLAIN_COSFORMER, PLAIN_SIMA, PLAIN_RETNET, PLAIN_GLA, PLAIN_MAMBA,
    PLAIN_MAMBA2, PLAIN_DELTA, PLAIN_GATED_DELTA, PLAIN_KDA, PLAIN_RWKV4, PLAIN_RWKV6, PLAIN_RWKV7,
    PLAIN_AFT_FULL, PLAIN_AFT_LOCAL, PLAIN_AFT_SIMPLE, PLAIN_SOFT, PLAIN_LINFORMER, PLAIN_LOW_RANK,
    PLAIN_ATTENTION
} plain_kind;

/* A sequence of n tokens, [n][PLAIN_HEADS][PLAIN_DIM] but where said otherwise. */
typedef struct plain {
    int64_t n;
    float *q, *k, *v, *w;      /* w: decays, 0.9 .. 1 */
    float *beta;               /* [n][heads], 0.1 .. 0.9 */
    float *e;                  /* [n][PLAIN_RANK] */
    float *k_soft;             /* [n][heads][dim + 1]: k, and -|k|^2 / 2 */
    float  gamma[PLAIN_HEADS]; /* a decay a head */
    float  u[PLAIN_HEADS * PLAIN_DIM], slope[PLAIN_HEADS * PLAIN_DIM];
    float  q_norm[PLAIN_HEADS * PLAIN_DIM], k_norm[PLAIN_HEADS * PLAIN_DIM];
    float  rate[PLAIN_STATE * PLAIN_HEADS * PLAIN_DIM];      /* [state][heads * dim], below 0 */
    float  up[PLAIN_DIM * PLAIN_RANK];
} plain;

plain *plain_new(int64_t n);        /* random numbers, the same every time; null: no memory */
void   plain_free(const plain *in);
double plain_bias(int64_t t, int64_t j, int64_t reach);     /* AFT's; 0 from `reach` apart on */
void   plain_token(const plain *in, plain_kind kind, int64_t t, double *y);  /* [heads][dim] */
#endif
