/* Demonstrates a memory: books are read once into a file, piece by piece, and another session that
   maps it retrieves from them while it reads its prompt. Without books to read it asks. */
#include "memory.h"
#include "run.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = LCTX_TILE };

static run r = RUN_DEFAULTS;
static const char *path, *books, *prompt = "\nWhat is the pass key? The pass key is ";
static int64_t n_books = 20, hidden, key = 50713, near, n_new = 5, n_pieces = 1, layer = 1;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "MEMORY", ARGS_TEXT, &path, 0, 0, "", "a file: written with --books, else asked" },
    { "--books", ARGS_TEXT, &books, 0, 0, "TEXT", "what to read" },
    { "--cut", ARGS_INT, &n_books, 1, 1e6, "N", "it is so many books; default 20" },
    { "--hide", ARGS_INT, &hidden, 1, 1e6, "B", "hides a pass key in the middle of book B" },
    { "--key", ARGS_INT, &key, 0, 99999, "K", "the key; default 50713" },
    { "--near", ARGS_INT, &near, 2 * BLOCK, 1e9, "N",
      "tokens a piece is read among, by blocks of 64; default: 3/4 of the trained context" },
    { "--prompt", ARGS_TEXT, &prompt, 0, 0, "TEXT", "default: what is the pass key?" },
    { "-n", ARGS_INT, &n_new, 1, 1e6, "N", "tokens to answer; default 5" },
    { "--pieces", ARGS_INT, &n_pieces, 1, 1e6, "N", "to retrieve; default 1" },
    { "--layer", ARGS_INT, &layer, 0, 1e6, "L", "the layer whose queries choose; default 1" },
    RUN_ROPE_OPTION(r),
    RUN_SCALING_OPTIONS(r),
    { "--kv", ARGS_CHOICE, &r.type, 0, 0, "f32|f16|bf16|int8", "type of the cache" },
    { "--threads", ARGS_INT, &r.threads, 1, LCTX_MAX_THREADS, "N", "default: all cores" },
    { 0 }
};

/* A session with pages, whose blocks have bounds to be chosen by. */
static lctx_session *keeper(char label[RUN_LABEL])
{
    lctx_session *s;
    r.read = near, r.window = BLOCK, r.sinks = 1, r.block = BLOCK;
    s = run_session(&r, near);
    run_label(&r, label);
    snprintf(label + strlen(label), RUN_LABEL - strlen(label), "near %lld\n", (long long)near);
    r.read = r.window = r.sinks = 0;
    return s;
}

static void check(memory *m, int failed)
{
    if (failed) fail(EXIT_INPUT, "%s: %s", path, m->error);
}

/* ---- reading books */

/* The book's tokens, piece by piece: BOS and what came before, a block that is not kept, then one
   that the piece before had, too, and what is new. A book goes round at its ends. */
static void read_book(memory *m, lctx_session *s, int64_t book, const char *text, int64_t n)
{
    int64_t n_tokens, at, i;
    int32_t *tokens = run_encode(&r.vocab, 0, text, n, &n_tokens);
    int32_t *piece = run_alloc(near, sizeof *piece);
    for (at = 0; at < n_tokens; at += near > 2 * BLOCK ? near - 2 * BLOCK : BLOCK) {
        for (i = 0; i < near; i++)
            piece[i] = tokens[(at + i + n_tokens * BLOCK - BLOCK) % n_tokens];
        if (r.vocab.add_bos) piece[0] = r.vocab.bos;
        run_check(lctx_session_rewind(s, 0), "rewind");
        run_feed(s, piece, near, LCTX_LOGITS_NONE, NULL);
        for (i = 1; i < near / BLOCK; i++)
            check(m, memory_add(m, s, i, book, at + (i - 1) * BLOCK));
    }
    free(piece), free(tokens);
}

static void read_books(void)
{
    char needle[80], label[RUN_LABEL];
    const int n_needle = snprintf(needle, sizeof needle, "\nThe pass key is %05d. Remember it. "
                                  "%05d is the pass key.\n", (int)key, (int)key);
    os_file text = run_text(books);
    lctx_session *s = keeper(label);
    char *book = run_alloc((int64_t)text.size, 1);
    memory m;
    int64_t i;
    const int64_t each = (int64_t)text.size / n_books;
    if (each < 2 * n_needle)
        fail(EXIT_INPUT, "%s: too short for %lld books", books, (long long)n_books);
    check(&m, memory_begin(&m, path, label, s, near / BLOCK - 1));
    for (i = 0; i < n_books; i++) {
        memcpy(book, (const char *)text.data + i * each, (size_t)each);
        if (i + 1 == hidden) memcpy(book + each / 2, needle, (size_t)n_needle);
        read_book(&m, s, i + 1, book, each);
        run_progress(NULL, i + 1, n_books);
    }
    printf("%lld books, %lld bytes: %lld blocks of %d tokens, %.1f MiB\n", (long long)n_books,
           (long long)(each * n_books), (long long)m.n, BLOCK,
           (double)m.n * (double)m.record / (1 << 20));
    check(&m, memory_end(&m));
    lctx_session_free(s);
    os_file_close(&text);
    free(book);
}

/* ---- asking */

/* The likeliest continuation, and a sum over the bits of all logits. */
static void answer(const char *how, lctx_session *s, const int32_t *tokens, int64_t n)
{
    float *logits = run_alloc(r.vocab.n, sizeof *logits);
    text_out out = { .file = stdout };
    uint64_t sum = OS_HASH_BEGIN;
    int64_t i;
    printf("%s the memory: ", how);
    run_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
    for (i = 0; i < n_new; i++) {
        const int32_t token = text_argmax(logits, r.vocab.n);
        const gguf_string piece = vocab_text(&r.vocab, token);
        sum = os_hash(sum, logits, sizeof *logits * (size_t)r.vocab.n);
        text_write(&out, piece.text, piece.n);
        if (i + 1 < n_new) run_feed(s, &token, 1, LCTX_LOGITS_LAST, logits);
    }
    text_end(&out);
    printf("   (logits %016" PRIx64 ")\n", sum);
    free(logits);
}

/* Without the memory, whose blocks are only voted on; then with what was chosen. */
static void ask_twice(memory *m, const int32_t *tokens, int64_t n)
{
    char label[RUN_LABEL];
    int64_t book, place;
    lctx_session *chosen = keeper(label), *s;
    r.raw = 1, r.block = 0, r.join = memory_join, r.join_user = m;
    s = run_session(&r, n + n_new);
    answer("without", s, tokens, n);
    check(m, memory_choose(m, n_pieces, chosen));
    memory_place(m, m->best, &book, &place);
    printf("chosen: book %lld, token %lld\n", (long long)book, (long long)place);
    run_check(lctx_session_rewind(s, 0), "rewind");
    answer("with", s, tokens, n);
    lctx_session_free(s);
    lctx_session_free(chosen);
}

static void ask(void)
{
    char label[RUN_LABEL];
    int64_t n, own = os_own_bytes();
    int32_t *tokens = run_encode(&r.vocab, VOCAB_START, prompt, (int64_t)strlen(prompt), &n);
    lctx_session *held = keeper(label);
    memory m;
    if (layer >= r.model.lctx.n_layer) fail(EXIT_USAGE, "--layer: the model has %d",
                                            (int)r.model.lctx.n_layer);
    check(&m, memory_open(&m, path, label, near / BLOCK - 1, held));
    m.near = near, m.layer = (int32_t)layer;
    ask_twice(&m, tokens, n);
    if (own) printf("memory of its own: %.1f MiB\nsize of the file: %.1f MiB\n",
                    (double)(os_own_bytes() - own) / (1 << 20), (double)m.file.size / (1 << 20));
    lctx_session_free(held);
    memory_close(&m);
    free(tokens);
}

int main(int argc, char **argv)
{
    r.quiet = 1;
    args_parse(argc, argv, "remember", "Retrieves from books that were read before.", options);
    run_open(&r);
    if (!path) fail(EXIT_USAGE, "MEMORY is missing (see --help)");
    if (!near) near = r.model.trained * 3 / 4;
    near = near / BLOCK * BLOCK;
    if (near < 2 * BLOCK) fail(EXIT_USAGE, "--near: two blocks of %d tokens at least", BLOCK);
    if (books) read_books();
    else ask();
    run_close(&r);
    return 0;
}
