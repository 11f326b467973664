/* text.h - printing a text that comes in pieces, and the next token from logits. */
#ifndef TEXT_H
#define TEXT_H
#include "token.h"
#include <stdio.h>

/* Where text goes. A piece may end within a character: its bytes are held back until the rest is
   there, or until it is plain that none will come; then they are printed as they are. */
typedef struct text_out {
    FILE  *file;
    char   held[4], last;          /* last: the byte written last, printed or not */
    size_t n_held;
} text_out;
void text_write(text_out *out, const char *bytes, size_t n);
void text_end(text_out *out);      /* prints what is held back */

/* Draws from softmax(logits / temperature), cut to the fewest tokens whose probability reaches
   top_p. Temperature 0 takes the largest, the first of equals. */
typedef struct sampler {
    double   temperature, top_p;
    uint64_t state;                /* the seed; moves on with each draw */
    struct sampler_item { double p; int32_t token; } *items;    /* [n_vocab] work area */
} sampler;
int32_t sampler_draw(sampler *s, const float *logits, int32_t n);

uint64_t text_random(uint64_t *state);                                 /* splitmix64 */
double   text_bits(const float *logits, int32_t n, int32_t token);     /* -log2 p(token) */
int32_t  text_argmax(const float *logits, int32_t n);
#endif
