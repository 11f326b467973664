#include "lookup.h"
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 32, TRIED = 64 };      /* of a match; places looked at */

static int64_t *place(const lookup *l, int64_t at)
{
    const uint64_t pair = (uint64_t)(uint32_t)l->tokens[at - 1] << 32 | (uint32_t)l->tokens[at];
    return &l->last[pair * 0x9E3779B97F4A7C15u >> (64 - l->bits)];
}

static void link_pair(lookup *l, int64_t at)
{
    int64_t *last = place(l, at);
    l->before[at] = *last, *last = at;
}

/* Makes room for n tokens more; the table has as many places as there is room. */
static int grow(lookup *l, int64_t n)
{
    int64_t room = l->room ? l->room : 1024, at;
    int32_t *tokens;
    int64_t *before, *last;
    int bits = 0;
    while (room < l->n + n) room *= 2;
    if (room == l->room) return 0;
    while ((int64_t)1 << bits < room) bits++;
    tokens = realloc(l->tokens, (size_t)room * sizeof *tokens);
    if (tokens) l->tokens = tokens;
    before = realloc(l->before, (size_t)room * sizeof *before);
    if (before) l->before = before;
    last = calloc((size_t)1 << bits, sizeof *last);
    if (!tokens || !before || !last) {
        free(last);
        return 1;
    }
    free(l->last);
    l->last = last, l->bits = bits, l->room = room;
    for (at = 1; at < l->n; at++) link_pair(l, at);
    return 0;
}

int lookup_add(lookup *l, const int32_t *tokens, int64_t n)
{
    int64_t i;
    if (grow(l, n)) return 1;
    for (i = 0; i < n; i++) {
        l->tokens[l->n] = tokens[i], l->before[l->n] = 0;
        if (l->n++) link_pair(l, l->n - 1);
    }
    return 0;
}

void lookup_free(lookup *l)
{
    free(l->tokens);
    free(l->before);
    free(l->last);
    memset(l, 0, sizeof *l);
}

/* How many tokens up to `at` are those that end the text. */
static int64_t match(const lookup *l, int64_t at)
{
    int64_t n = 0;
    while (n < LONGEST && n <= at && l->tokens[at - n] == l->tokens[l->n - 1 - n]) n++;
    return n;
}

int64_t lookup_draft(const lookup *l, int32_t *draft, int64_t most)
{
    int64_t at, best = 0, longest = 1, tried = 0, n;
    if (l->n < 3) return 0;
    for (at = l->before[l->n - 1]; at && tried < TRIED; at = l->before[at]) {
        n = match(l, at), tried += n > 1;       /* else another pair with the same hash */
        if (n > longest) longest = n, best = at;
    }
    if (!best) return 0;
    n = l->n - 1 - best < longest ? l->n - 1 - best : longest;
    if (n > most) n = most;
    memcpy(draft, l->tokens + best + 1, (size_t)n * sizeof *draft);
    return n;
}
