/* layer.h - what attention of one layer gets of a text: its queries, keys and values, rotated. */
#ifndef LAYER_H
#define LAYER_H
#include "run.h"

typedef struct layer_rows {
    int64_t n;
    int32_t n_head, n_head_kv, dim;
    float  *q, *k, *v;            /* [n][n_head][dim], [n][n_head_kv][dim] twice */
    lctx_parallel par;            /* threads of the run that they are from */
} layer_rows;

/* Those of layer 1 .. n_layer - 1, under r's settings. Fails where the layer does more to them than
   to multiply and rotate (biases, norms of heads, scales by position), and where they are more
   numbers a token than the vocabulary has tokens. */
void layer_read(run *r, int32_t layer, const int32_t *tokens, int64_t n, layer_rows *rows);
void layer_free(layer_rows *rows);
#endif
