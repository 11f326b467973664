/* text.h - bytes to tokens and back, and the next token from logits.

   The vocabulary is the byte-level kind of GGUF's tokenizer "llama": a token <0xNN> for every byte,
   and special tokens (BOS, EOS, unknown, control). Loaders of that tokenizer write spaces as
   U+2581, so where the vocabulary has that piece as a token, it stands for the space; a U+2581 in
   the text then becomes the same token, as it does there. Longer pieces are refused. */
#ifndef TEXT_H
#define TEXT_H
#include "gguf.h"

typedef struct vocab {
    int32_t  n, bos, eos;         /* bos, eos: -1 if there is none */
    int      add_bos;             /* whether a text begins with bos */
    int      add_space;           /* whether a space is put before a text */
    int      space_piece;         /* whether U+2581 is the space's token */
    int32_t  token[256];          /* of each byte */
    int16_t *byte;                /* [n] of each token; -1 for special ones */
} vocab;

/* n_vocab: the model's. The error text is g->error. Close it in any case. */
gguf_status vocab_open(vocab *v, gguf *g, int64_t n_vocab);
void        vocab_close(vocab *v);

/* Writes the text's tokens, at most n + 2; start: a text begins here, so BOS and the space before
   it are added where the vocabulary wants them. Returns their number. */
int64_t vocab_encode(const vocab *v, int start, const char *text, size_t n, int32_t *tokens);

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
