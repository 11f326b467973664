/* test_memory.c - files of memories: what is retrieved from one is as good, to the bit, as what is
   resident, and means what the text would have meant before the prompt; bad files are named. */
#include "lctx.h"
#include "families.h"
#include "files.h"
#include "memory.h"
#include "model.h"
#include "test.h"

#include <math.h>

enum { BLOCK = 64, EACH = 2, NEAR = EACH * BLOCK, PIECES = 5, PROMPT = 40, RIGHT = 3 };

typedef struct world {
    family_file file;
    model       m;
    const char *path;
    int32_t     text[PIECES][NEAR], prompt[PROMPT];
} world;

/* One that keeps, with bounds, or one that reads a memory, or neither. */
static lctx_session *session(const world *w, int keeps, memory *reads)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    memset(&d, 0, sizeof d);
    d.k_type = LCTX_F16, d.v_type = LCTX_F16, d.block = BLOCK;
    if (keeps) d.n_read = 4 * NEAR, d.window = BLOCK;
    if (reads) d.raw_keys = 1, d.join = memory_join, d.join_user = reads;
    check(lctx_session_create(&w->m.lctx, &d, &s) == LCTX_OK, "a session is created");
    return s;
}

static void feed(lctx_session *s, const int32_t *tokens, int64_t n, int64_t piece, float *logits)
{
    int64_t at, run;
    lctx_status st = LCTX_OK;
    for (at = 0; !st && at < n; at += run) {
        run = n - at < piece ? n - at : piece;
        st = lctx_session_feed(s, tokens + at, run, logits ? LCTX_LOGITS_ALL : LCTX_LOGITS_NONE,
                               logits ? logits + at * FAMILY_VOCAB : NULL);
    }
    check(!st, "tokens are fed: %s", lctx_status_text(st));
}

static void write_file(const world *w, int whole)
{
    lctx_session *s = session(w, 1, NULL);
    memory m;
    int i, page, bad = memory_begin(&m, w->path, "label", s, EACH);
    for (i = 0; i < PIECES && !bad; i++) {
        bad = lctx_session_rewind(s, 0) != LCTX_OK;
        feed(s, w->text[i], NEAR, NEAR, NULL);
        for (page = 0; page < EACH; page++) bad |= memory_add(&m, s, page, i + 1, page * BLOCK);
    }
    if (whole) bad |= memory_end(&m);
    else memory_close(&m);
    check(!bad, "a file of memories is written");
    lctx_session_free(s);
}

/* The prompt's logits with what m has chosen. */
static void read_prompt(const world *w, memory *m, int64_t piece, float *logits)
{
    lctx_session *s = session(w, 0, m);
    feed(s, w->prompt, PROMPT, piece, logits);
    lctx_session_free(s);
}

static double apart(const float *a, const float *b)
{
    double most = 0, worst = 0;
    int i;
    for (i = 0; i < PROMPT * FAMILY_VOCAB; i++) {
        const double size = fabs((double)b[i]), off = fabs((double)a[i] - (double)b[i]);
        if (!(size <= most)) most = size;
        if (!(off <= worst)) worst = off;
    }
    return worst / most;
}

static void test_reading(const world *w)
{
    enum { ALL = PROMPT * FAMILY_VOCAB };
    static float mapped[ALL], pieces[ALL], resident[ALL], plain[ALL], without[ALL];
    lctx_session *held = session(w, 1, NULL), *chosen = session(w, 1, NULL);
    lctx_session *own = session(w, 1, NULL), *text = session(w, 0, NULL);
    memory m, near_by;
    int64_t book, place;
    double with_error, without_error;
    write_file(w, 1);
    check(!memory_open(&m, w->path, "label", EACH, held), "it is opened: %s", m.error);
    m.near = NEAR, m.layer = 1;
    read_prompt(w, &m, PROMPT, without);
    for (book = place = 0; book < PIECES; book++) place += m.votes[book];
    check(place == 2 * PROMPT * w->m.lctx.n_head_kv, "every query votes twice in each KV head");
    m.votes[RIGHT] += 1000000;
    check(!memory_choose(&m, 1, chosen) && m.best == RIGHT, "what has the most votes is chosen");
    memory_place(&m, RIGHT, &book, &place);
    check(book == RIGHT + 1 && place == 0, "its place is known");
    read_prompt(w, &m, PROMPT, mapped), read_prompt(w, &m, 7, pieces);
    check(!memcmp(mapped, pieces, sizeof mapped), "chunks of the prompt do not change a bit");
    feed(own, w->text[RIGHT], NEAR, NEAR, NULL);
    near_by = m, near_by.chosen = own, near_by.work = NULL, near_by.work_bytes = 0;
    read_prompt(w, &near_by, PROMPT, resident);
    check(!memcmp(mapped, resident, sizeof mapped), "a retrieved piece has the bits of the same "
          "text in a resident cache, fed here");
    feed(text, w->text[RIGHT], NEAR, NEAR, NULL), feed(text, w->prompt, PROMPT, PROMPT, plain);
    with_error = apart(mapped, plain), without_error = apart(without, plain);
    check(with_error < 5e-3 && without_error > 10 * with_error, "it is as if the text stood before "
          "the prompt (off by %.1e; without by %.1e)", with_error, without_error);
    free(near_by.work);
    lctx_session_free(own), lctx_session_free(text);
    lctx_session_free(chosen), lctx_session_free(held);
    memory_close(&m);
}

static void refused(const world *w, const char *label, int64_t each, const char *says)
{
    lctx_session *s = session(w, 1, NULL);
    memory m;
    check(memory_open(&m, w->path, label, each, s) && strstr(m.error, says), "\"%s\" is said of it "
          "(%s)", says, m.error);
    lctx_session_free(s);
    memory_close(&m);
}

static void test_refused(const world *w)
{
    lctx_session *s = session(w, 1, NULL);
    const lctx_cache *cache;
    size_t page;
    memory m;
    lctx_session_page_size(s, &page);
    lctx_session_free(s);
    remove(w->path);
    refused(w, "label", EACH, "No such file");
    write_file(w, 0);
    refused(w, "label", EACH, "was not finished");
    write_file(w, 1);
    refused(w, "another", EACH, "another model");
    refused(w, "label", EACH + 1, "another model");
    spoil(w->path, MEMORY_HEAD + 3 * (MEMORY_PLACE + page), -1);
    refused(w, "label", EACH, "cut: 7 pages are missing");
    spoil(w->path, MEMORY_HEAD + 2 * (MEMORY_PLACE + page) + 5, -1);
    refused(w, "label", EACH, "cut: 8 pages are missing");
    spoil(w->path, MEMORY_HEAD - 1, -1);
    refused(w, "label", EACH, "not a file of memories");
    spoil(w->path, 5, -1);
    refused(w, "label", EACH, "not a file of memories");
    spoil(w->path, 0, -1);
    refused(w, "label", EACH, "not a file of memories");
    s = session(w, 1, NULL);
    check(lctx_session_cache(s, FAMILY_LAYERS, &cache) == LCTX_E_COUNT
          && lctx_session_cache(s, -1, &cache) == LCTX_E_COUNT
          && lctx_session_cache(s, 0, NULL) == LCTX_E_NULL
          && lctx_session_cache(NULL, 0, &cache) == LCTX_E_NULL, "layers have caches, no others");
    check(memory_begin(&m, "/nowhere/at/all", "label", s, EACH) && m.error[0],
          "a folder that is not there is named when it is written (%s)", m.error);
    lctx_session_free(s);
}

int main(int argc, char **argv)
{
    static world w;
    char path[600];
    int i, j;
    (void)argc;
    snprintf(path, sizeof path, "%.500s.%s.memory", argv[0], lctx_isa_name(lctx_isa_get()));
    w.path = path;
    family_make(&w.file, 0, 0);
    if (model_open_memory(&w.m, w.file.data, w.file.n) != GGUF_OK) return 1;
    for (i = 0; i < PROMPT; i++) w.prompt[i] = (int32_t)(test_random() % FAMILY_VOCAB);
    for (i = 0; i < PIECES; i++)
        for (j = 0; j < NEAR; j++) w.text[i][j] = (int32_t)(test_random() % FAMILY_VOCAB);
    test_reading(&w);
    test_refused(&w);
    remove(path);
    model_close(&w.m);
    family_free(&w.file);
    return test_report("memory", lctx_isa_name(lctx_isa_get()));
}
