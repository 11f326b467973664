/* tiny.h - a model of a few numbers, for the fuzzers of sessions. */
#ifndef TINY_H
#define TINY_H
#include "fuzz.h"

enum {
    TINY_LAYERS = 2, TINY_MODEL = 8, TINY_FF = 12, TINY_HEADS = 2, TINY_HEAD = 6,
    TINY_WEIGHTS = 12288, TINY_SOUND = 15, TINY_VOCAB = 16       /* the last token makes the model give NaN */
};

typedef struct tiny {
    lctx_model model;
    lctx_layer layers[TINY_LAYERS];
    lctx_mixer mixers[TINY_LAYERS];        /* of layers that have one */
    int mixes;                             /* how many */
    lctx_pattern pattern;
    lctx_rope rope;
    lctx_rope_desc live;
    lctx_far_rule far_rule;
    lctx_session_desc desc;
    double long_factor[TINY_HEAD / 2], short_factor[TINY_HEAD / 2];
    float weights[TINY_WEIGHTS];
    int n_weights;
} tiny;

/* A model and a session's description by choice; both are sound, though not always together. */
void tiny_begin(tiny *t, bytes *b, const lctx_allocator *alloc);
#endif
