/* ggml_op.h - attention as an operator of ggml's. */
#ifndef GGML_OP_H
#define GGML_OP_H
#include "lctx.h"
#include <ggml.h>

/* Threads of ggml's inside the operator. */
enum { CREW_MOST = GGML_MAX_N_THREADS };
typedef struct crew {
    lctx_task task;
    void     *arg;
    uint64_t  left;               /* tasks of the loop that nobody took; above 32 bits its number */
    int64_t   done;
    int       n_threads, leave[CREW_MOST];    /* above 0: this thread may leave */
} crew;

/* What one layer's operator keeps; zeroed but for the scale, and of q8_0 the tiles. */
typedef struct attention {
    float       scale;            /* 0 = 1/sqrt(d) */
    lctx_tiles  tiles;            /* of q8_0: where the copy is, */
    int64_t     n_tiles;          /* and how many tokens are in it; whoever rewinds lowers it */
    lctx_status status;           /* of the last call: ggml has no way to tell */
    crew        crew;
    void       *scratch;
    size_t      scratch_bytes;
} attention;

/* q [d][n_q][heads] f32, k and v [d][n_kv][KV heads] f16 or q8_0, all as ggml_flash_attn_ext takes
   them: of any strides. Token number n of the cache stands at position n, the queries at pos[0]
   (I32) and after. Gives [d_v][heads][n_q]. */
struct ggml_tensor *attention_tensor(struct ggml_context *ctx, struct ggml_tensor *q,
                                     struct ggml_tensor *k, struct ggml_tensor *v,
                                     struct ggml_tensor *pos, attention *a);
void attention_free(attention *a);
#endif
