/* token.h - text to tokens and back, by the vocabulary that a GGUF file carries.

   tokenizer.ggml.model says which kind:
     llama   SentencePiece's BPE: neighbours are merged while they make a piece, best score first; a
             space is U+2581, a character without a piece its bytes <0xNN>. A vocabulary of bytes
             alone is one of these.
     gpt2    byte-level BPE: text is cut into words (words.h), bytes are merged by rank
     gemma4  the same over characters, with U+2581 and <0xNN> as in llama

   Control tokens are found in a text only where that is asked for, else they are plain text;
   user-defined ones always. Ids are those of llama.cpp, but for three things: text that merges to a
   control token's name is not that token; gpt-oss's control tokens stay such; and broken UTF-8
   before a space does not break the space.
   Invalid bytes are kept by llama and become U+FFFD each in the others.

   A vocabulary points into its file, which must stay open. */
#ifndef TOKEN_H
#define TOKEN_H
#include "words.h"

enum { VOCAB_NORMAL = 1, VOCAB_UNKNOWN, VOCAB_CONTROL, VOCAB_USER, VOCAB_UNUSED, VOCAB_BYTE };

typedef struct vocab_merge { int32_t left, right, made, rank; } vocab_merge;
typedef struct vocab_special { gguf_string name; int32_t token; } vocab_special;

typedef struct vocab {
    int32_t           n, bos, eos, unknown;      /* ids: -1 if there is none */
    int               add_bos, add_eos;          /* whether a text begins, ends with them */
    int               add_space;                 /* whether a space is put before a text */
    int               bytes_only;                /* no piece is longer than a byte */
    int32_t           token[256];                /* of each byte by itself */
    uint8_t          *type;                      /* [n] VOCAB_NORMAL .. BYTE */
    uint8_t          *ends;                      /* [n] whether generation ends with it */
    gguf_string      *name;                      /* [n] as the file has it */
    gguf_string      *text;                      /* [n] what it stands for */
    /* for token.c */
    const words_rule *words;                     /* null: llama */
    int               byte_level, spaces;        /* whether U+2581 is a space */
    int               inner_space;               /* whether a piece has a space behind another
                                                    character */
    int               strips;                    /* whether control tokens eat white space */
    size_t            longest;                   /* bytes of a piece */
    char             *decoded;                   /* where text points, where it is not name */
    float            *score;                     /* [n] or null */
    int32_t          *slot;                      /* [mask + 1] ids by text */
    vocab_merge      *merge;                     /* [merge_mask + 1] by left and right */
    vocab_special    *special;                   /* [n_special] what is found by name, sorted */
    size_t            mask, merge_mask, n_special;
} vocab;

/* n_vocab: the model's. The error text is g->error. Close it in any case. */
gguf_status vocab_open(vocab *v, gguf *g, int64_t n_vocab);
void        vocab_close(vocab *v);

enum {
    VOCAB_START = 1,      /* a text begins here: BOS and the space before it, where wanted */
    VOCAB_END = 2,        /* it ends here: EOS, where wanted */
    VOCAB_PARSE = 4       /* control tokens are found by their names */
};

/* Writes the tokens of n bytes; tokens: room for vocab_most(n). Returns their number, or -1 where
   memory is lacking. plain (may be null): [n], not 0 where a byte takes no part in a control token
   even so, as what a user wrote should not. */
int64_t vocab_most(size_t n);
int64_t vocab_encode(const vocab *v, int how, const char *text, size_t n, const char *plain,
                     int32_t *tokens);

/* What a token adds to a text: nothing where it is a control token. */
gguf_string vocab_text(const vocab *v, int32_t token);
int32_t     vocab_find(const vocab *v, const char *name);    /* a token by its name, or -1 */
#endif
