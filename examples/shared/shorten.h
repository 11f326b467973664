/* shorten.h - a prompt cut down to what a small model did not expect, by its likelihoods. */
#ifndef SHORTEN_H
#define SHORTEN_H
#include "run.h"

typedef enum shorten_unit {
    SHORTEN_TOKEN, SHORTEN_WORD, SHORTEN_SENTENCE       /* what stays or goes as a whole */
} shorten_unit;

/* Tokens first .. end-1 may go; those before (BOS) and after (the question) stay. */
typedef struct shorten_prompt {
    const int32_t *tokens;        /* [n] */
    int64_t n, first, end;
    shorten_unit unit;
} shorten_prompt;

/* All mark in keep[n] what stays, at most `most` tokens of those that may go.

   Selective Context (2310.06201): a unit's self-information is the sum of -log2 p of its tokens,
   each given all before it; those above a percentile stay, which is found by what fits. The paper's
   best units are noun phrases, by a parser; there is none here.

   LLMLingua (2310.05736): the budget controller ranks parts of the prompt, here of about a hundred
   tokens, by their perplexity and keeps the most surprising, twice what is to stay in the end; the
   question is left alone. Then token by token (or unit by unit), in segments of a hundred: what
   they are worth is asked behind what was kept of those before, and the rarest share of each stays.

   LongLLMLingua (2310.06839) ranks the parts by how likely they make the question. Of what else
   that paper changes nothing is here. */
void shorten_selective(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep);
void shorten_lingua(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep);
void shorten_long_lingua(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep);
#endif
