/* baseline.h - attention as others would compute it, over an engine's own rows: keys and values f16
   [n_kv][n_head_kv][head_dim], queries f32 [n_q][n_head][head_dim] that are the last n_q of the
   n_kv tokens, causal; out like the queries. All run on the threads of machine.h or as many. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H
#include "machine.h"

typedef struct dense {
    int64_t      n_q, n_kv;
    int32_t      head_dim, n_head, n_head_kv;
    const float *q;
    const void  *k, *v;        /* f16 */
    float       *out;
} dense;

/* Plain C: scores, softmax in two passes, sum of values; parallel over heads. */
void        plain_attend(void *dense_);
const char *plain_isa(void);   /* what its compiler was allowed to use */

/* The same with the products left to OpenBLAS: rows of a head converted to f32, one sgemm for the
   scores of a group's queries, one for the values; parallel over KV heads. */
int  blas_open(void);          /* 0 if no OpenBLAS is installed */
void blas_close(void);
void blas_attend(void *dense_);

/* ggml_flash_attn_ext, if the bench was built with it. */
typedef struct flash_run flash_run;
int       flash_built_in(void);
const char *flash_version(void);       /* of the ggml in use; null: none */
/* head_major: keys and values were laid out as [n_head_kv][n_kv][head_dim] instead. q8: a copy of
   them is made in ggml's q8_0, blocks of 32 with a scale, and used. */
flash_run *flash_open(const dense *d, int head_major, int q8);
void      flash_close(flash_run *run);
void      flash_attend(void *run);
#endif
