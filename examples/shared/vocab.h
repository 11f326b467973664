/* vocab.h - the vocabulary that a GGUF file carries, checked: every array's length, every id, every
   merge. What tokenizer.ggml.model and .pre may say is in token.h and words.h. A vocabulary points
   into its file, which must stay open. */
#ifndef VOCAB_H
#define VOCAB_H
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
    /* to encode by */
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

/* What a token adds to a text: nothing where it is a control token. */
gguf_string vocab_text(const vocab *v, int32_t token);
int32_t     vocab_find(const vocab *v, const char *name);    /* a token by its name, or -1 */

/* To encode by: the piece that a text is, or -1; the merge of two pieces, or null; and U+2581 in n
   bytes replaced by spaces, which returns how many bytes are left. */
int32_t            vocab_find_text(const vocab *v, const char *text, size_t n);
const vocab_merge *vocab_find_merge(const vocab *v, int32_t left, int32_t right);
size_t             vocab_space_out(char *text, size_t n);
#endif
