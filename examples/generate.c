/* Demonstrates reading a prompt of any length and continuing it: the prompt is one feed, each new
   token another, and the cache decides what is remembered. */
#include "run.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static run r = RUN_DEFAULTS;
static const char *prompt, *prompt_file, *save_file, *load_file;
static int64_t n_new = 128, seed = 1;
static double temperature = 0, top_p = 1;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "PROMPT", ARGS_TEXT, &prompt, 0, 0, "", "the text; default: --file, or standard input" },
    { "--file", ARGS_TEXT, &prompt_file, 0, 0, "FILE", "read the prompt from a file" },
    { "-n", ARGS_INT, &n_new, 0, 1e12, "N", "tokens to generate; default 128" },
    { "--ctx", ARGS_INT, &r.ctx, 1, 1e12, "N", "most tokens, prompt included; default: no limit" },
    RUN_ROPE_OPTION(r),
    RUN_SCALING_OPTIONS(r),
    RUN_POLICY_OPTION(r),
    RUN_CACHE_OPTIONS(r),
    { "--k", ARGS_CHOICE, &r.k_type, 0, 0, "f32|f16|bf16|int8|int4", "type of keys, if not --kv" },
    { "--v", ARGS_CHOICE, &r.v_type, 0, 0, "f32|f16|bf16|int8|int4", "type of values, likewise" },
    { "--temp", ARGS_REAL, &temperature, 0, 100, "T", "temperature; default 0: most likely token" },
    { "--top-p", ARGS_REAL, &top_p, 0, 1, "P", "draw from the likeliest tokens; default 1: all" },
    { "--seed", ARGS_INT, &seed, 0, 9e15, "N", "of the random draws; default 1" },
    { "--save", ARGS_TEXT, &save_file, 0, 0, "FILE", "save the session at the end" },
    { "--load", ARGS_TEXT, &load_file, 0, 0, "FILE", "continue a saved session" },
    { 0 }
};

/* The prompt's tokens; *n gets their number. */
static int32_t *read_prompt(int64_t *n)
{
    os_file text = {0};
    int32_t *tokens;
    const int how = load_file ? 0 : VOCAB_START;
    if (prompt) text.data = prompt, text.size = strlen(prompt);
    else text = run_text(prompt_file);
    tokens = run_encode(&r.vocab, how, text.data, (int64_t)text.size, n);
    if (!prompt) os_file_close(&text);
    if (!*n)
        fail(EXIT_INPUT, "the prompt is empty, and %s", load_file
             ? "--load needs one: a session is saved without logits to go on from"
             : "this model begins with no BOS token");
    return tokens;
}

/* Prints up to n tokens, stopping where one ends the text. Returns how many were drawn. */
static int64_t generate(lctx_session *s, float *logits, int64_t n)
{
    int32_t n_vocab = r.vocab.n, token;
    text_out out = { .file = stdout };
    sampler draw = { .temperature = temperature, .top_p = top_p, .state = (uint64_t)seed };
    gguf_string piece;
    int64_t i;
    draw.items = run_alloc(n_vocab, sizeof *draw.items);
    for (i = 0; i < n; i++) {
        token = sampler_draw(&draw, logits, n_vocab);
        if (r.vocab.ends[token]) break;
        piece = vocab_text(&r.vocab, token);
        text_write(&out, piece.text, piece.n);
        if (fflush(stdout)) fail(EXIT_RUN, "standard output: %s", strerror(errno));
        if (i + 1 < n || save_file) run_feed(s, &token, 1, LCTX_LOGITS_LAST, logits);
    }
    text_end(&out);
    if (i && out.last != '\n') putchar('\n');
    fflush(stdout);
    free(draw.items);
    return i;
}

/* How many tokens may follow the prompt under --ctx. */
static int64_t room(int64_t n_before)
{
    if (!r.ctx) return n_new;
    if (n_before > r.ctx)
        fail(EXIT_RUN, "%lld tokens of prompt, but --ctx %lld", (long long)n_before,
             (long long)r.ctx);
    return n_new < r.ctx - n_before ? n_new : r.ctx - n_before;
}

static void report(const lctx_session *s, int64_t n_prompt, int64_t n, double start, double read)
{
    const char *k_type = lctx_type_name((lctx_type)(r.k_type < 0 ? r.type : r.k_type));
    const char *v_type = lctx_type_name((lctx_type)(r.v_type < 0 ? r.type : r.v_type));
    double end = os_seconds(), mib = 1.0 / (1 << 20);
    lctx_session_info info = run_info(s);
    fprintf(stderr, "generate: prompt %lld tokens, %.0f/s; %lld generated, %.0f/s; RoPE factor %g; "
            "cache %.2f MiB (%s keys, %s values), %lld tokens dropped; peak %.1f MiB; %.2f s\n",
            (long long)n_prompt, (double)n_prompt / fmax(read - start, 1e-9),
            (long long)n, (double)n / fmax(end - read, 1e-9), r.used_factor,
            (double)info.cache_bytes * mib, k_type, v_type, (long long)info.n_dropped,
            (double)os_peak_bytes() * mib, end - start);
}

int main(int argc, char **argv)
{
    lctx_session *s;
    int32_t *tokens;
    float *logits;
    int64_t n_prompt, n_before, n;
    double start = os_seconds(), read;
    args_parse(argc, argv, "generate", "Continues a text.", options);
    if (load_file && r.rope > RUN_PLAIN && r.factor <= 0)
        fail(EXIT_USAGE, "--load needs the --factor that the session was saved with");
    run_open(&r);
    tokens = read_prompt(&n_prompt);
    logits = run_alloc(r.vocab.n, sizeof *logits);
    s = run_session(&r, n_prompt + n_new);
    run_check_options(&r);
    if (r.factor <= 0 && r.rope > RUN_PLAIN)
        warn("--factor %g, for %lld tokens where %lld were trained", r.used_factor,
             (long long)(n_prompt + n_new), (long long)r.model.trained);
    if (load_file) run_load(&r, s, load_file);
    n_before = run_info(s).n + n_prompt;
    n = room(n_before);
    run_warn(&r, n_before + n);
    run_feed(s, tokens, n_prompt, LCTX_LOGITS_LAST, logits);
    read = os_seconds();
    n = generate(s, logits, n);
    if (save_file) run_save(&r, s, save_file);
    report(s, n_prompt, n, start, read);
    lctx_session_free(s);
    free(logits);
    free(tokens);
    run_close(&r);
    return 0;
}
