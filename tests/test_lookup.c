/* test_lookup.c - drafts by prompt lookup, against a plain search. */
#include "lookup.h"
#include "test.h"

/* The longest match of the text's end, the last of equals, among the 64 latest places where its last
   two tokens stood. */
static int64_t plain_draft(const int32_t *t, int64_t n, int32_t *draft, int64_t most)
{
    int64_t at, k, best = 0, longest = 1, places = 0, got = 0;
    for (at = n - 2; at >= 1 && places < 64; at--) {
        if (t[at] != t[n - 1] || t[at - 1] != t[n - 2]) continue;
        places++;
        for (k = 0; k < 32 && k <= at && t[at - k] == t[n - 1 - k]; k++) {}
        if (k > longest) longest = k, best = at;
    }
    while (best && got < most && got < longest && best + 1 + got < n) draft[got] = t[best + 1 + got], got++;
    return got;
}

static void test_drafts(int32_t n_token, int64_t n)
{
    lookup l;
    int32_t *t = (int32_t *)malloc((size_t)n * sizeof *t), got[9], want[9];
    int64_t i, wrong = 0, found = 0, a, b;
    memset(&l, 0, sizeof l);
    test_state = 5;
    for (i = 0; i < n; i++) t[i] = (int32_t)(test_random() % (uint64_t)n_token);
    for (i = 0; i < n; i++) {
        if (lookup_add(&l, t + i, 1)) wrong++;
        if (n > 3000 && i % 97) continue;
        a = lookup_draft(&l, got, 9), b = plain_draft(t, i + 1, want, 9);
        wrong += a != b || memcmp(got, want, (size_t)a * sizeof *got) != 0;
        found += a > 0;
    }
    check(!wrong && found > 0, "%d kinds of tokens: every draft is what followed the longest match"
          " (%d drafts)", (int)n_token, (int)found);
    lookup_free(&l);
    free(t);
}

static void test_edges(void)
{
    static const int32_t text[] = { 7, 8, 9, 7, 8 }, far[] = { INT32_MAX, -1, 5, INT32_MAX, -1 };
    lookup l;
    int32_t draft[8];
    memset(&l, 0, sizeof l);
    check(lookup_draft(&l, draft, 8) == 0, "an empty text has no draft");
    check(!lookup_add(&l, text, 2) && lookup_draft(&l, draft, 8) == 0, "nor have two tokens");
    check(!lookup_add(&l, text + 2, 3) && lookup_draft(&l, draft, 8) == 2 && draft[0] == 9
          && draft[1] == 7, "a draft has no more tokens than matched");
    check(!lookup_add(&l, text + 2, 3) && lookup_draft(&l, draft, 8) == 3 && draft[2] == 8,
          "and ends where the text ends");
    check(lookup_draft(&l, draft, 1) == 1 && lookup_draft(&l, draft, 0) == 0,
          "and is no longer than asked for");
    lookup_free(&l);
    check(!lookup_add(&l, far, 5) && lookup_draft(&l, draft, 8) == 2 && draft[0] == 5,
          "after it is freed it is an empty text; any token may come");
    lookup_free(&l);
}

int main(void)
{
    test_edges();
    test_drafts(2, 3000);
    test_drafts(7, 3000);
    test_drafts(60, 3000);
    test_drafts(300, 30000);
    return test_report("lookup", "any");
}
