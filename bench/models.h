/* models.h - files of the shapes of models that people have, with random weights. */
#ifndef BENCH_MODELS_H
#define BENCH_MODELS_H
#include <stdint.h>

typedef struct model_shape {
    const char *name, *arch;
    int n_layer, d_model, n_head, n_head_kv, head_dim, d_ff, n_vocab;
    int n_expert, n_used;      /* d_ff is an expert's */
    int head_norms, tied, interleaved;
    double theta;
} model_shape;

extern const model_shape model_shapes[];
extern const int n_model_shapes;

/* Writes a GGUF file, weights as Q4_K_M has them: Q4_K, and Q6_K where that matters more. Returns 0,
   or nonzero with errno set. *bytes gets what decoding one token reads. */
int models_write(const char *path, const model_shape *shape, double *bytes);
#endif
