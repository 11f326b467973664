/* lookup.h - drafts by prompt lookup: what followed the last time that the text ran like this. The
   draft is fed together with the token before it, and what the model would have said otherwise is
   rewound; as a feed's bits do not depend on how it is cut, the text is the same as without. */
#ifndef LOOKUP_H
#define LOOKUP_H
#include <stdint.h>

typedef struct lookup {
    int32_t *tokens;              /* [n] of the text so far */
    int64_t *before;              /* [n] where the pair of tokens that ends here ended before; or 0 */
    int64_t *last;                /* [1 << bits] by a pair's hash: where such a pair ended last */
    int64_t  n, room;
    int      bits;
} lookup;

/* 0, or nonzero without memory; a zeroed lookup is an empty text. */
int  lookup_add(lookup *l, const int32_t *tokens, int64_t n);
void lookup_free(lookup *l);

/* Writes up to `most` tokens that may come next, after the longest match of the text's end, and no
   more than have matched; returns how many, 0 if its last two tokens are new. */
int64_t lookup_draft(const lookup *l, int32_t *draft, int64_t most);
#endif
