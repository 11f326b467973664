/* test_prefix.c - files of pages: a text that begins alike goes on where it parts, with the same bits;
   damaged files and other labels lose only what they must. */
#include "lctx.h"
#include "families.h"
#include "files.h"
#include "model.h"
#include "prefix.h"
#include "test.h"

#include <errno.h>

enum { BLOCK = 64, MOST = 400 };

typedef struct world {
    family_file file;
    model       m;
    lctx_policy policy;        /* of sessions with the file */
    const char *path;
    int32_t     tokens[MOST], other[MOST];
} world;

static lctx_session *session(const world *w, lctx_policy policy)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    memset(&d, 0, sizeof d);
    d.block = BLOCK, d.policy = (int32_t)policy, d.k_type = LCTX_F16, d.v_type = LCTX_F16;
    if (policy != LCTX_FULL) d.window = 50;
    if (policy == LCTX_HEAVY) d.n_heavy = 9;
    if (policy == LCTX_SINKS) d.n_sink = 4;
    if (lctx_session_create(&w->m.lctx, &d, &s) != LCTX_OK) check(0, "a session is created");
    return s;
}

/* Runs n tokens through a session beside the file, 50 at a time, and saves after each; returns how
   many were found. Bits must be those of a session without. */
static int64_t run(const world *w, const char *label, const int32_t *tokens, int64_t n,
                   const char *what)
{
    float got[FAMILY_VOCAB], want[FAMILY_VOCAB];
    lctx_session *s = session(w, w->policy), *plain = session(w, w->policy);
    int64_t found = 0, at, to;
    prefix p;
    int error = prefix_open(&p, w->path, label, s, BLOCK), bad = 0;
    if (!error) found = prefix_restore(&p, s, tokens, n);
    for (at = found; !error && at < n; at = to) {
        to = at + 50 < n ? at + 50 : n;
        bad |= lctx_session_feed(s, tokens + at, to - at, LCTX_LOGITS_LAST, got) != LCTX_OK;
        bad |= prefix_save(&p, s, tokens, to) != 0;
    }
    check(!bad && !error && lctx_session_feed(plain, tokens, n, LCTX_LOGITS_LAST, want) == LCTX_OK
          && !memcmp(got, want, sizeof got), "%s: the bits of a session without a file", what);
    check(!prefix_save(&p, s, tokens, n), "%s: it is saved", what);
    lctx_session_free(s);
    lctx_session_free(plain);
    prefix_close(&p);
    return found;
}

static size_t size_of(const char *path)
{
    os_file f;
    size_t n;
    if (os_file_open(&f, path)) return 0;
    n = f.size;
    os_file_close(&f);
    return n;
}

static void test_growing(world *w)
{
    size_t first, record;
    int64_t n;
    remove(w->path);
    check(run(w, "a", w->tokens, 200, "a new file") == 0, "a file that is not there holds nothing");
    first = size_of(w->path), record = (first - PREFIX_HEAD) / 3;
    check(first == PREFIX_HEAD + 3 * record, "200 tokens are three pages of 64");
    check(run(w, "a", w->tokens, 200, "again") == 192, "the same text finds its pages");
    check(size_of(w->path) == first, "and writes none");
    check(run(w, "a", w->tokens, 192, "to a page's end") == 128, "the last token is left to be fed");
    check(run(w, "a", w->tokens, MOST, "more") == 192
          && size_of(w->path) == PREFIX_HEAD + 6 * record, "a longer text adds what is new");
    check(run(w, "a", w->tokens, 64, "little") == 0 && run(w, "a", w->tokens, 65, "little more") == 64
          && size_of(w->path) == PREFIX_HEAD + 6 * record, "a shorter one leaves the file as it is");
    memcpy(w->other, w->tokens, sizeof w->other);
    w->other[150] ^= 1;
    check(run(w, "a", w->other, 300, "another text from token 150 on") == 128,
          "a text that parts keeps the pages before");
    check(run(w, "a", w->other, 300, "the other text again") == 256, "what parted was written over");
    n = run(w, "a", w->tokens, MOST, "the first text again");
    check(n == 128, "and no page behind it passes for one of the first text (%d)", (int)n);
}

static void test_damage(world *w)
{
    size_t record, all;
    remove(w->path);
    run(w, "a", w->tokens, MOST, "a new file");
    all = size_of(w->path), record = (all - PREFIX_HEAD) / 6;
    check(run(w, "b", w->tokens, MOST, "another label") == 0, "another label finds nothing");
    check(run(w, "b", w->tokens, MOST, "another label") == 384, "and begins the file anew");
    spoil(w->path, all - 1, -1);
    check(run(w, "b", w->tokens, MOST, "a cut file") == 320, "a page that is cut is not found");
    spoil(w->path, all, PREFIX_HEAD + (int64_t)(2 * record));
    check(run(w, "b", w->tokens, MOST, "a wrong sum") == 128, "nor is one whose sum is wrong");
    spoil(w->path, all, PREFIX_HEAD + 8 + 9);
    check(run(w, "b", w->tokens, MOST, "a wrong token") == 0, "nor one with another token");
    spoil(w->path, PREFIX_HEAD, -1);
    check(run(w, "b", w->tokens, MOST, "no record") == 0, "a file of its head alone is empty");
    spoil(w->path, 100, -1);
    check(run(w, "b", w->tokens, MOST, "a cut head") == 0, "a file with half a head is begun anew");
    spoil(w->path, 0, -1);
    check(run(w, "b", w->tokens, MOST, "an empty file") == 0, "so is an empty one");
}

static void test_refused(world *w)
{
    lctx_session *s = session(w, LCTX_FULL), *x = session(w, LCTX_HEAVY);
    FILE *file = fopen(w->path, "wb");
    prefix p;
    if (file) fputs("a letter to somebody", file), fclose(file);
    check(prefix_open(&p, w->path, "a", s, BLOCK) == EEXIST && size_of(w->path) == 20,
          "a file that is something else is left alone");
    check(prefix_open(&p, w->path, "a", x, BLOCK) == ENOTSUP, "heavy hitters have no pages");
    check(prefix_open(&p, "/nowhere/at/all", "a", s, BLOCK) == 0
          && prefix_save(&p, s, w->tokens, 0) != 0, "a folder that is not there is an error of saving");
    prefix_close(&p);
    lctx_session_free(s);
    lctx_session_free(x);
}

static void test_states(world *w, const char *name)
{
    lctx_session *s = session(w, LCTX_FULL);
    prefix p;
    check(prefix_open(&p, w->path, "a", s, BLOCK) == ENOTSUP, "%s, whose layers carry states, has no "
          "pages", name);
    lctx_session_free(s);
}

/* A family in each of some ways to forget; those of windows of their own need none. */
static void test_family(world *w, int family, lctx_policy policy)
{
    int i;
    w->policy = policy;
    family_make(&w->file, family, 0);
    if (model_open_memory(&w->m, w->file.data, w->file.n) != GGUF_OK) {
        check(0, "%s is opened", family_names[family]);
        return;
    }
    for (i = 0; i < MOST; i++) w->tokens[i] = (int32_t)(test_random() % FAMILY_VOCAB);
    if (w->m.layers[0].mixer) test_states(w, family_names[family]);
    else test_growing(w);
    if (family == 3 && policy == LCTX_FULL) test_damage(w), test_refused(w);
    model_close(&w->m);
    family_free(&w->file);
}

int main(int argc, char **argv)
{
    static world w;
    char path[600];
    int i;
    (void)argc;
    snprintf(path, sizeof path, "%.500s.%s.pages", argv[0], lctx_isa_name(lctx_isa_get()));
    w.path = path;
    for (i = 0; i < n_families; i++)
        if (!getenv("TEST_QUICK") || i % 3 == 0) test_family(&w, i, LCTX_FULL);
    test_family(&w, 3, LCTX_WINDOW);
    test_family(&w, 3, LCTX_SINKS);
    remove(path);
    return test_report("prefix", lctx_isa_name(lctx_isa_get()));
}
