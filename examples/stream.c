/* Demonstrates a stream without end: sinks + window keep memory and the time per token constant,
   and the likelihood flat, however many tokens pass. */
#include "run.h"
#include <stdio.h>
#include <stdlib.h>

static run r = RUN_DEFAULTS;
static const char *text_file;
static int64_t n_total = 1000000, every = 100000, piece = 64;
static int generating;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "TEXT", ARGS_TEXT, &text_file, 0, 0, "", "a file, read round and round" },
    { "-n", ARGS_INT, &n_total, 1, 1e15, "N", "tokens; default 1000000" },
    { "--every", ARGS_INT, &every, 1, 1e15, "N", "tokens between lines; default 100000" },
    { "--feed", ARGS_INT, &piece, 1, 65536, "N", "tokens a call; default 64" },
    { "--generate", ARGS_FLAG, &generating, 0, 0, "", "the model writes, one token a call" },
    RUN_POLICY_OPTION(r),
    RUN_CACHE_OPTIONS(r),
    { 0 }
};

typedef struct stream {
    lctx_session *session;
    int32_t      *text;
    int64_t       n_text, at;
    int32_t      *tokens;     /* [piece + 1] the one fed last, and the next ones */
    float        *logits;     /* [piece][n_vocab] */
    sampler       draw;
    double        bits;
} stream;

static int32_t read_token(stream *x)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): an empty text is refused */
    int32_t token = x->text[x->at];
    x->at = x->at + 1 < x->n_text ? x->at + 1 : 0;
    return token;
}

/* Feeds n tokens and scores the one after each, which the text gives or the model draws. */
static void step(stream *x, int64_t n)
{
    int32_t n_vocab = r.vocab.n;
    int64_t i;
    for (i = 1; i <= n && !generating; i++) x->tokens[i] = read_token(x);
    run_feed(x->session, x->tokens, n, LCTX_LOGITS_ALL, x->logits);
    if (generating) x->tokens[1] = sampler_draw(&x->draw, x->logits, n_vocab);
    for (i = 0; i < n; i++)
        x->bits += text_bits(x->logits + i * n_vocab, n_vocab, x->tokens[i + 1]);
    x->tokens[0] = x->tokens[n];
}

static void print_line(const stream *x, int64_t n, double seconds, double bits)
{
    lctx_session_info info = run_info(x->session);
    printf("%10lld %9.0f %11.3f %11lld %9.1f %10.3f\n", (long long)info.n, (double)n / seconds,
           (double)info.cache_bytes / (1 << 20), (long long)info.n_dropped,
           (double)os_peak_bytes() / (1 << 20), bits / (double)n);
    fflush(stdout);
}

static void run_stream(stream *x)
{
    int64_t done = 0, shown = 0, n;
    double since = os_seconds(), bits = 0;
    printf("%10s %9s %11s %11s %9s %10s\n", "tokens", "tokens/s", "cache MiB", "dropped",
           "peak MiB", "bits/token");
    while (done < n_total) {
        int64_t line = shown + every < n_total ? shown + every : n_total;
        n = line - done < piece ? line - done : piece;
        step(x, n);
        done += n;
        if (done < line) continue;
        print_line(x, done - shown, os_seconds() - since, x->bits - bits);
        shown = done;
        bits = x->bits;
        since = os_seconds();
    }
}

int main(int argc, char **argv)
{
    os_file text;
    stream x = { .draw = { .temperature = 1, .top_p = 1, .state = 1 } };
    r.policy = LCTX_SINKS;
    args_parse(argc, argv, "stream", "Reads a million tokens in constant memory.", options);
    run_open(&r);
    if (generating) {
        piece = 1;
    } else {
        if (!text_file) fail(EXIT_USAGE, "give a TEXT or --generate (see --help)");
        text = run_text(text_file);
        x.text = run_encode(&r.vocab, 0, text.data, (int64_t)text.size, &x.n_text);
        os_file_close(&text);
        if (!x.n_text) fail(EXIT_INPUT, "%s: no text", text_file);
    }
    x.tokens = run_alloc(piece + 1, sizeof *x.tokens);
    x.logits = run_alloc(piece * r.vocab.n, sizeof *x.logits);
    x.draw.items = run_alloc(r.vocab.n, sizeof *x.draw.items);
    x.session = run_session(&r, n_total);
    run_check_options(&r);
    run_warn(&r, n_total);
    x.tokens[0] = r.vocab.add_bos ? r.vocab.bos : r.vocab.token['\n'];
    run_stream(&x);
    lctx_session_free(x.session);
    free(x.draw.items);
    free(x.logits);
    free(x.tokens);
    free(x.text);
    run_close(&r);
    return 0;
}
