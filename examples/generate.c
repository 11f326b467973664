/* Demonstrates reading a prompt of any length and continuing it: the prompt is one feed, each new
   token another, and the cache decides what is remembered. In a conversation each turn feeds only
   what is new. */
#include "chat.h"
#include "run.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static run r = RUN_DEFAULTS;
static const char *prompt, *prompt_file, *save_file, *load_file, *system_text;
static int chatting, interactive;
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
    { "--chat", ARGS_FLAG, &chatting, 0, 0, "", "the prompt is a turn, in the model's template" },
    { "--system", ARGS_TEXT, &system_text, 0, 0, "TEXT", "what stands before a --chat" },
    { "--interactive", ARGS_FLAG, &interactive, 0, 0, "", "a --chat that goes on: a line, a turn" },
    { 0 }
};

static struct { int64_t n_read, n_drawn; double reading, drawing; } total;
static chat talk;
static sampler draw;

/* The prompt's text, or the first line of a conversation. */
static os_file read_prompt(void)
{
    os_file text = {0};
    if (prompt) text.data = prompt, text.size = strlen(prompt);
    else if (prompt_file || !interactive) text = run_text(prompt_file);
    else if (!run_line(&text)) fail(EXIT_INPUT, "nothing is asked");
    return text;
}

/* Tokens of what is fed next; *n gets their number. */
static int32_t *encode(const os_file *text, int first, int64_t *n)
{
    const int start = first ? VOCAB_START : 0;
    int32_t *tokens;
    if (!chatting) return run_encode(&r.vocab, start, text->data, (int64_t)text->size, n);
    if (chat_turn(&talk, first, system_text, text->data, text->size))
        fail(EXIT_RUN, "no memory for the conversation");
    tokens = run_alloc(vocab_most(talk.n), sizeof *tokens);
    *n = vocab_encode(&r.vocab, start | VOCAB_PARSE, talk.text, talk.n, talk.plain, tokens);
    if (*n < 0) fail(EXIT_RUN, "no memory for the conversation");
    return tokens;
}

/* Prints a token's text; of an answer without what is not to be seen, and without spaces before. */
static void print_token(text_out *out, int32_t token, int *hidden, int *begun)
{
    gguf_string text = vocab_text(&r.vocab, token);
    if (chatting && !chat_shows(&talk, token, hidden)) return;
    while (chatting && !*begun && text.n && *text.text == ' ') text.text++, text.n--;
    *begun |= text.n > 0;
    text_write(out, text.text, text.n);
    if (fflush(stdout)) fail(EXIT_RUN, "standard output: %s", strerror(errno));
}

/* Prints up to n tokens, stopping where one ends the text, and feeds those after which more comes.
   Returns how many were drawn. */
static int64_t generate(lctx_session *s, float *logits, int64_t n)
{
    const int more = save_file || interactive;
    text_out out = { .file = stdout };
    int hidden = 0, begun = 0;
    int64_t i;
    for (i = 0; i < n; i++) {
        int32_t token = sampler_draw(&draw, logits, r.vocab.n);
        if (r.vocab.ends[token]) break;
        print_token(&out, token, &hidden, &begun);
        if (i + 1 < n || more) run_feed(s, &token, 1, LCTX_LOGITS_LAST, logits);
    }
    text_end(&out);
    if (i && out.last != '\n') putchar('\n');
    fflush(stdout);
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

/* Feeds what was asked and prints what is answered. */
static void answer(lctx_session *s, const int32_t *tokens, int64_t n, float *logits)
{
    const double start = os_seconds();
    const int64_t n_answer = room(run_info(s).n + n);
    double read;
    run_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
    read = os_seconds();
    total.n_drawn += generate(s, logits, n_answer);
    total.n_read += n;
    total.reading += read - start;
    total.drawing += os_seconds() - read;
}

static void report(const lctx_session *s, double start)
{
    const char *k_type = lctx_type_name((lctx_type)(r.k_type < 0 ? r.type : r.k_type));
    const char *v_type = lctx_type_name((lctx_type)(r.v_type < 0 ? r.type : r.v_type));
    const double mib = 1.0 / (1 << 20);
    lctx_session_info info = run_info(s);
    fprintf(stderr, "generate: prompt %lld tokens, %.0f/s; %lld generated, %.0f/s; RoPE factor %g; "
            "cache %.2f MiB (%s keys, %s values), %lld tokens dropped; peak %.1f MiB; %.2f s\n",
            (long long)total.n_read, (double)total.n_read / fmax(total.reading, 1e-9),
            (long long)total.n_drawn, (double)total.n_drawn / fmax(total.drawing, 1e-9),
            r.used_factor, (double)info.cache_bytes * mib, k_type, v_type,
            (long long)info.n_dropped, (double)os_peak_bytes() * mib, os_seconds() - start);
}

static void open_all(void)
{
    if (load_file && r.rope > RUN_PLAIN && r.factor <= 0)
        fail(EXIT_USAGE, "--load needs the --factor that the session was saved with");
    chatting |= interactive;
    if (system_text && (!chatting || load_file))
        fail(EXIT_USAGE, "--system is of a --chat that begins");
    run_open(&r);
    if (chatting && chat_open(&talk, &r.model.file, &r.vocab) != GGUF_OK)
        fail(EXIT_INPUT, "%s: %s", r.path, r.model.file.error);
    draw.temperature = temperature, draw.top_p = top_p, draw.state = (uint64_t)seed;
    draw.items = run_alloc(r.vocab.n, sizeof *draw.items);
}

int main(int argc, char **argv)
{
    lctx_session *s;
    os_file text;
    int32_t *tokens;
    float *logits;
    int64_t n, all;
    double start = os_seconds();
    args_parse(argc, argv, "generate", "Continues a text.", options);
    open_all();
    text = read_prompt();
    tokens = encode(&text, !load_file, &n);
    if (!n)
        fail(EXIT_INPUT, "the prompt is empty, and %s", load_file
             ? "--load needs one: a session is saved without logits to go on from"
             : "this model begins with no BOS token");
    all = interactive && r.ctx ? r.ctx : n + n_new;
    logits = run_alloc(r.vocab.n, sizeof *logits);
    s = run_session(&r, all);
    run_check_options(&r);
    if (r.factor <= 0 && r.rope > RUN_PLAIN)
        warn("--factor %g, for %lld tokens where %lld were trained", r.used_factor, (long long)all,
             (long long)r.model.trained);
    if (load_file) run_load(&r, s, load_file);
    run_warn(&r, run_info(s).n + n + room(run_info(s).n + n));
    answer(s, tokens, n, logits);
    while (interactive && run_line(&text)) {
        free(tokens);
        tokens = encode(&text, 0, &n);
        answer(s, tokens, n, logits);
    }
    if (save_file) run_save(&r, s, save_file);
    report(s, start);
    lctx_session_free(s);
    free(draw.items);
    free(logits);
    free(tokens);
    chat_close(&talk);
    run_close(&r);
    return 0;
}
