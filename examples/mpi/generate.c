/* Demonstrates a session in parts: every rank computes the model and keeps 1/n of its cache, every
   n-th block; (out, lse) of each layer are joined by one all-reduce. It prints the text of one
   process. */
#include "run.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

static run r = RUN_DEFAULTS;
static const char *prompt, *prompt_file;
static int64_t n_new = 64;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "--file", ARGS_TEXT, &prompt_file, 0, 0, "FILE", "the prompt, where all ranks find it" },
    { "--prompt", ARGS_TEXT, &prompt, 0, 0, "TEXT", "or the prompt itself" },
    { "-n", ARGS_INT, &n_new, 0, 1e9, "N", "tokens to generate; default 64" },
    RUN_ROPE_OPTION(r),
    RUN_SCALING_OPTIONS(r),
    { "--kv", ARGS_CHOICE, &r.type, 0, 0, "f32|f16|bf16|int8", "type of the cache" },
    { "--threads", ARGS_INT, &r.threads, 1, LCTX_MAX_THREADS, "N", "of a rank; default 1" },
    WIRE_OPTION,
    { 0 }
};

static int join(void *user, int32_t layer, const lctx_attn *attn)
{
    (void)user, (void)layer;
    wire_join(attn->n_q * attn->n_head, attn->d_v, attn->out, attn->lse);
    return 0;
}

static int32_t *read_tokens(int64_t *n)
{
    os_file text = {0};
    int32_t *tokens;
    if (prompt) text.data = prompt, text.size = strlen(prompt);
    else if (prompt_file) text = run_text(prompt_file);
    else fail(EXIT_USAGE, "--prompt or --file is missing (see --help)");
    tokens = run_encode(&r.vocab, VOCAB_START, text.data, (int64_t)text.size, n);
    if (!prompt) os_file_close(&text);
    if (!*n) fail(EXIT_INPUT, "the prompt is empty");
    wire_agree("the prompt", (int64_t)(os_hash(OS_HASH_BEGIN, tokens, (size_t)*n * 4) >> 1));
    return tokens;
}

/* Greedy. All ranks have the same logits, to the bit, if their CPUs have the same instructions. */
static void answer(lctx_session *s, float *logits)
{
    text_out out = { .file = stdout };
    int64_t i;
    for (i = 0; i < n_new; i++) {
        const int32_t token = text_argmax(logits, r.vocab.n);
        const gguf_string piece = vocab_text(&r.vocab, token);
        wire_agree("the next token", token);
        if (r.vocab.ends[token]) break;
        if (!wire_rank) text_write(&out, piece.text, piece.n), fflush(stdout);
        if (i + 1 < n_new) run_feed(s, &token, 1, LCTX_LOGITS_LAST, logits);
    }
    if (!wire_rank) text_end(&out);
    if (!wire_rank && i && out.last != '\n') putchar('\n');
}

int main(int argc, char **argv)
{
    int32_t *tokens;
    int64_t n;
    double start, held, whole;
    lctx_session *s;
    float *logits;
    r.threads = 1;
    wire_open(&argc, &argv);
    args_parse(argc, argv, "generate", "Continues a text over many processes.", options);
    r.part = wire_rank, r.parts = wire_ranks, r.join = join, r.quiet = 1;
    run_open(&r);
    tokens = read_tokens(&n);
    logits = run_alloc(r.vocab.n, sizeof *logits);
    s = run_session(&r, n + n_new);
    wire_barrier();
    start = os_seconds();
    run_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
    answer(s, logits);
    held = (double)run_info(s).cache_bytes / (1 << 20), whole = wire_sum(held);
    held = wire_most(held);
    if (!wire_rank)
        fprintf(stderr, "generate: %d ranks, %lld tokens read in %.2f s with the answer; at most "
                "%.2f MiB of cache a rank, %.2f in all\n", wire_ranks, (long long)n,
                os_seconds() - start, held, whole);
    free(tokens), free(logits);
    lctx_session_free(s);
    run_close(&r);
    wire_close();
    return 0;
}
