/* words.h - what byte-level BPE tokenizers cut a text into before they merge: the rules that GGUF
   files name in tokenizer.ggml.pre.

   Each name stands for regular expressions, applied one after the other to the pieces that those
   before have left; what no alternative matches stays a piece of its own. They are written here as
   tables of a few kinds of steps, and mean what llama.cpp makes of them: its \s is White_Space, and
   beyond ASCII every letter of "gpt-4o" and "tekken" counts as upper and as lower case. */
#ifndef WORDS_H
#define WORDS_H
#include "gguf.h"

typedef struct words_rule words_rule;

const words_rule *words_find(gguf_string name);       /* null: unknown */
int words_add_bos(const words_rule *rule);            /* whether texts begin with BOS by default */
int words_whole(const words_rule *rule);              /* whether a word that is a piece is one token
                                                         whatever the merges */
/* Sets cut[i] to 1 where a word begins, else 0, for n >= 1 bytes of UTF-8; cut[n] too. */
void words_split(const words_rule *rule, const char *text, size_t n, uint8_t *cut);
#endif
