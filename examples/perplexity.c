/* Demonstrates how likely a model finds a text: in bits per byte by position, or for one fixed last
   segment as the context before it grows. Lower is better. */
#include "tasks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static run r = RUN_DEFAULTS;
static const char *methods = "model", *text_file;
static int64_t length, segments = 4, last;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "TEXT", ARGS_TEXT, &text_file, 1, 0, "", "the text, a file" },
    { "--methods", ARGS_TEXT, &methods, 0, 0, "A,B", "of " RUN_METHODS },
    { "--length", ARGS_INT, &length, 2, 1e12, "N", "tokens a segment; default: 16 x trained" },
    { "--segments", ARGS_INT, &segments, 1, 1e9, "N", "spread over the text; default 4" },
    { "--last", ARGS_INT, &last, 1, 1e12, "N", "score only the last N tokens of each segment, "
      "after 0, 128, 256, ... tokens" },
    RUN_SCALING_OPTIONS(r),
    RUN_CACHE_OPTIONS(r),
    { 0 }
};

/* Feeds BOS and n tokens; adds the bits of each token from `first` on, and its bytes, to the tally
   of its bucket, or all to one tally. */
static void score(const int32_t *text, int64_t n, int64_t first, task_tally *tallies, int by_bucket)
{
    const int64_t bos = r.vocab.add_bos, all = bos + n, skip = bos + first ? bos + first : 1;
    int32_t *tokens = run_alloc(all, sizeof *tokens);
    double *bits = run_alloc(all, sizeof *bits);
    lctx_session *s = run_session(&r, all);
    int64_t i;
    tokens[0] = r.vocab.bos;
    memcpy(tokens + bos, text, (size_t)n * sizeof *tokens);
    task_bits(s, &r.vocab, tokens, all, skip, bits);
    for (i = skip; i < all; i++) {
        task_tally *t = &tallies[by_bucket ? task_bucket(i - 1) : 0];
        t->bits += bits[i];
        t->n += (int64_t)vocab_text(&r.vocab, tokens[i]).n;
    }
    lctx_session_free(s);
    free(bits);
    free(tokens);
}

static void print_cell(const task_tally *t)
{
    printf(" %7.3f", task_mean(t));
    fflush(stdout);
}

static void by_position(const int32_t *tokens, int64_t n)
{
    task_tally tallies[TASK_BUCKETS] = {{0, 0}};
    int64_t i;
    int b;
    for (i = 0; i < segments; i++)
        score(tokens + task_stretch(n, i, segments, length - 1), length - 1, 0, tallies, 1);
    for (b = 0; b <= task_bucket(length - 2); b++) print_cell(&tallies[b]);
}

static void by_context(const int32_t *tokens, int64_t n)
{
    int64_t i, before;
    for (before = 0; before + last < length; before = before ? 2 * before : 128) {
        task_tally t = {0, 0};
        for (i = 0; i < segments; i++) {
            const int32_t *end = tokens + task_stretch(n, i, segments, length - 1) + length - 1;
            score(end - last - before, last + before, before, &t, 0);
        }
        print_cell(&t);
    }
}

static void print_head(void)
{
    int64_t edge;
    if (last) printf("bits per byte of the last %lld, by tokens before them\n", (long long)last);
    else printf("bits per byte, by position below\n");
    printf("%-8s", "");
    if (last) printf(" %7d", 0);
    for (edge = 128; last ? edge + last < length : edge < 2 * (length - 1); edge *= 2)
        printf(" %7lld", (long long)edge);
    printf("\n");
}

int main(int argc, char **argv)
{
    os_file text;
    int32_t *tokens;
    int64_t n;
    const char *list;
    char method[32];
    args_parse(argc, argv, "perplexity", "Scores a text.", options);
    run_open(&r);
    text = run_text(text_file);
    if (!length) length = 16 * r.model.trained;
    tokens = run_encode(&r.vocab, 0, text.data, (int64_t)text.size, &n);
    if (n < length || last >= length)
        fail(EXIT_INPUT, "%s: %lld tokens, too few for --length %lld and --last %lld", text_file,
             (long long)n, (long long)length, (long long)last);
    print_head();
    for (list = methods; run_next_word(&list, method);) {
        run_method(&r, method);
        printf("%-8s", method);
        if (last) by_context(tokens, n);
        else by_position(tokens, n);
        printf("\n");
    }
    free(tokens);
    os_file_close(&text);
    run_close(&r);
    return 0;
}
