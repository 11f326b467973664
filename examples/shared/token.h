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
   before a space does not break the space. Invalid bytes are kept by llama and become U+FFFD each
   in the others. */
#ifndef TOKEN_H
#define TOKEN_H
#include "vocab.h"

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
#endif
