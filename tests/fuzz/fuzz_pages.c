/* fuzz_pages.c - the examples' files of pages (prefix.h, memory.h), spoilt where bytes say, cut or
   grown: what is opened is used, and either says that it failed or feeds on. Pages themselves are
   believed, so that their numbers may be any. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"
#include "memory.h"
#include "prefix.h"
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 64, PIECES = 2, EACH = 1, TEXT = PIECES * EACH * BLOCK };

typedef struct kept { char *data; size_t n; } kept;

static char path[] = "/tmp/fuzz_pages.XXXXXX";
static int32_t text[TEXT + 1];
static tiny model;

static lctx_session *session(int keeps, memory *reads)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    memset(&d, 0, sizeof d);
    d.block = BLOCK, d.k_type = d.v_type = LCTX_F16;
    if (keeps) d.n_read = TEXT, d.window = 1;
    if (reads) d.raw_keys = 1, d.join = memory_join, d.join_user = reads;
    FUZZ_CHECK(lctx_session_create(&model.model, &d, &s) == LCTX_OK, "create");
    return s;
}

static void write_file(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) abort();
}

static kept read_file(void)
{
    kept k = { NULL, 0 };
    os_file f;
    if (os_file_open(&f, path)) abort();
    k.n = f.size, k.data = (char *)malloc(k.n);
    if (!k.data) abort();
    memcpy(k.data, f.data, k.n);
    os_file_close(&f);
    return k;
}

/* A sound file of each kind. */
static kept a_prefix(void)
{
    lctx_session *s = session(0, NULL);
    prefix p;
    write_file("", 0);
    FUZZ_CHECK(!prefix_open(&p, path, "label", s, BLOCK), "open");
    FUZZ_CHECK(!lctx_session_feed(s, text, TEXT, LCTX_LOGITS_NONE, NULL), "feed");
    FUZZ_CHECK(!prefix_save(&p, s, text, TEXT), "save");
    lctx_session_free(s);
    prefix_close(&p);
    return read_file();
}
static kept a_memory(void)
{
    lctx_session *s = session(1, NULL);
    memory m;
    int64_t i;
    FUZZ_CHECK(!memory_begin(&m, path, "label", s, EACH), "begin");
    FUZZ_CHECK(!lctx_session_feed(s, text, TEXT, LCTX_LOGITS_NONE, NULL), "feed");
    for (i = 0; i < PIECES * EACH; i++) FUZZ_CHECK(!memory_add(&m, s, i, 1, i), "add");
    FUZZ_CHECK(!memory_end(&m), "end");
    lctx_session_free(s);
    return read_file();
}

/* Writes the sound file with some bytes changed, of its head, of a record's beginning or anywhere,
   and cut; says how often. */
static int spoil(bytes *b, const kept *sound, size_t head)
{
    const size_t record = (sound->n - head) / (PIECES * EACH);
    int edits = (int)bytes_in(b, 0, 4), i;
    kept k = *sound;
    k.data = (char *)malloc(k.n);
    memcpy(k.data, sound->data, k.n);
    for (i = 0; i < edits; i++) {
        const int how = (int)bytes_in(b, 0, 3);
        size_t at = (size_t)bytes_take(b, how == 3 ? 3 : 1);
        if (how == 1) at += head + record * (size_t)bytes_in(b, 0, PIECES * EACH);
        if (at < k.n) k.data[at] = (char)bytes_take(b, 1);
        if (how == 2 && k.n) k.n -= (size_t)bytes_in(b, 0, 65535) * 7 % k.n;
    }
    write_file(k.data, k.n);
    free(k.data);
    return edits;
}

static void try_prefix(bytes *b, const kept *sound)
{
    lctx_session *s = session(0, NULL);
    float logits[TINY_VOCAB];
    int64_t found = 0;
    prefix p;
    int edits, bad;
    edits = spoil(b, sound, PREFIX_HEAD);
    bad = prefix_open(&p, path, "label", s, BLOCK);
    if (!bad) found = prefix_restore(&p, s, text, TEXT + 1);
    FUZZ_CHECK(edits || found == TEXT, "%lld tokens found", (long long)found);
    fuzz_say("prefix: %d edits, %d, %lld tokens", edits, bad, (long long)found);
    (void)lctx_session_feed(s, text + found, TEXT + 1 - found, LCTX_LOGITS_LAST, logits);
    if (!bad) FUZZ_CHECK(!prefix_save(&p, s, text, TEXT), "it is not saved again");
    lctx_session_free(s);
    prefix_close(&p);
}

static void try_memory(bytes *b, const kept *sound)
{
    lctx_session *held = session(1, NULL), *chosen = session(1, NULL), *reader;
    float logits[TINY_VOCAB];
    memory m;
    int edits, bad;
    edits = spoil(b, sound, MEMORY_HEAD);
    bad = memory_open(&m, path, "label", EACH, held);
    fuzz_say("memory: %d edits: %s", edits, bad ? m.error : "opened");
    FUZZ_CHECK(edits || !bad, "a sound file is refused: %s", m.error);
    FUZZ_CHECK(!bad || m.error[0], "no word of why");
    m.near = EACH * BLOCK;
    reader = session(0, &m);
    if (!bad) {
        (void)lctx_session_feed(reader, text, 9, LCTX_LOGITS_LAST, logits);
        FUZZ_CHECK(!memory_choose(&m, bytes_in(b, 1, 4), chosen), "choose: %s", m.error);
        (void)lctx_session_rewind(reader, 0);
        (void)lctx_session_feed(reader, text, 9, LCTX_LOGITS_LAST, logits);
    }
    lctx_session_free(reader), lctx_session_free(chosen), lctx_session_free(held);
    memory_close(&m);
}

static void begin(kept files[2])
{
    bytes none = bytes_of((const uint8_t *)"", 0);
    const int file = mkstemp(path);
    int i;
    if (file < 0) abort();
    close(file);
    tiny_begin(&model, &none, NULL);
    for (i = 0; i <= TEXT; i++) text[i] = (int32_t)(fuzz_hash(5, 0, (uint64_t)i) % TINY_SOUND);
    files[0] = a_prefix(), files[1] = a_memory();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static kept files[2];
    bytes b = bytes_of(data, size);
    if (!files[0].data) begin(files);
    if (bytes_flag(&b)) try_memory(&b, &files[1]);
    else try_prefix(&b, &files[0]);
    remove(path);
    return 0;
}
