/* Demonstrates reading a prompt of any length and continuing it: the prompt is one feed, each new
   token another, and the cache decides what is remembered. In a conversation each turn feeds only
   what is new. Tokens that can be guessed are fed together with those before (--lookup), and what
   was read once need not be read again (--prompt-cache): with both the text stays the same. */
#include "chat.h"
#include "lookup.h"
#include "prefix.h"
#include "run.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static run r = RUN_DEFAULTS;
static const char *prompt, *prompt_file, *save_file, *load_file, *cache_file, *system_text;
static int chatting, interactive, parsing, looking;
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
    { "--prompt-cache", ARGS_TEXT, &cache_file, 0, 0, "FILE", "keep what is read; read it no more" },
    { "--lookup", ARGS_FLAG, &looking, 0, 0, "", "draft tokens from what the text said before" },
    { "--special", ARGS_FLAG, &parsing, 0, 0, "", "control tokens in the prompt are found by name" },
    { "--chat", ARGS_FLAG, &chatting, 0, 0, "", "the prompt is a turn, in the model's template" },
    { "--system", ARGS_TEXT, &system_text, 0, 0, "TEXT", "what stands before a --chat" },
    { "--interactive", ARGS_FLAG, &interactive, 0, 0, "", "a --chat that goes on: a line, a turn" },
    { 0 }
};

static struct { int64_t n_read, n_found, n_drawn, n_drafted, n_taken; double reading, drawing; } total;
static chat talk;
static sampler draw;
static struct { prefix pages; const lctx_session *s; } kept;

/* The text as the session has it, and what was fed last: a token and a draft, with the logits after
   each. The draft holds up to `at`; what comes after is yet to be confirmed. */
enum { MOST = 8 };
static lookup text;
static struct { int32_t tokens[1 + MOST]; int64_t n, at; float *logits; } last;

/* The prompt's text, or the first line of a conversation. */
static os_file read_prompt(void)
{
    os_file asked = {0};
    if (prompt) asked.data = prompt, asked.size = strlen(prompt);
    else if (prompt_file || !interactive) asked = run_text(prompt_file);
    else if (!run_line(&asked)) fail(EXIT_INPUT, "nothing is asked");
    return asked;
}

/* Tokens of what is fed next; *n gets their number. */
static int32_t *encode(const os_file *asked, int first, int64_t *n)
{
    const int start = first ? VOCAB_START : 0, how = start | (parsing ? VOCAB_PARSE : 0);
    int32_t *tokens;
    if (!chatting) return run_encode(&r.vocab, how, asked->data, (int64_t)asked->size, n);
    if (chat_turn(&talk, first, system_text, asked->data, asked->size))
        fail(EXIT_RUN, "no memory for the conversation");
    tokens = run_alloc(vocab_most(talk.n), sizeof *tokens);
    *n = vocab_encode(&r.vocab, start | VOCAB_PARSE, talk.text, talk.n, talk.plain, tokens);
    if (*n < 0) fail(EXIT_RUN, "no memory for the conversation");
    return tokens;
}

/* Prints a token's text; of an answer without what is not to be seen, and without spaces before. */
static void print_token(text_out *out, int32_t token, int *hidden, int *begun)
{
    gguf_string piece = chatting ? chat_text(&talk, token, hidden) : vocab_text(&r.vocab, token);
    while (chatting && !*begun && piece.n && *piece.text == ' ') piece.text++, piece.n--;
    *begun |= piece.n > 0;
    text_write(out, piece.text, piece.n);
    if (fflush(stdout)) fail(EXIT_RUN, "standard output: %s", strerror(errno));
}

static void remember(const int32_t *tokens, int64_t n)
{
    if (lookup_add(&text, tokens, n)) fail(EXIT_RUN, "no memory for the text");
}

/* Forgets the tokens of the draft that are not confirmed. */
static void drop_draft(lctx_session *s)
{
    const int64_t n = last.n - 1 - last.at;
    if (n > 0) run_check(lctx_session_rewind(s, run_info(s).n - n), "rewind");
    last.n -= n > 0 ? n : 0;
}

/* The session takes one more token: as drafted, or it is fed, perhaps with a draft of what follows.
   At most n tokens may come after it. */
static void take(lctx_session *s, int32_t token, int64_t n)
{
    const int64_t most = !looking ? 0 : n < MOST ? n : MOST;
    remember(&token, 1);
    if (last.at + 1 < last.n && last.tokens[last.at + 1] == token) {
        last.at++, total.n_taken++;
        return;
    }
    drop_draft(s);
    last.tokens[0] = token, last.at = 0;
    last.n = 1 + (most > 0 ? lookup_draft(&text, last.tokens + 1, most) : 0);
    total.n_drafted += last.n - 1;
    run_feed(s, last.tokens, last.n, LCTX_LOGITS_ALL, last.logits);
}

/* Prints up to n tokens, stopping where one ends the text, and feeds those after which more comes.
   Returns how many were drawn. */
static int64_t generate(lctx_session *s, int64_t n)
{
    const int more = save_file || interactive || cache_file;
    text_out out = { .file = stdout };
    int hidden = 0, begun = 0;
    int64_t i;
    for (i = 0; i < n; i++) {
        int32_t token = sampler_draw(&draw, last.logits + last.at * r.vocab.n, r.vocab.n);
        if (r.vocab.ends[token]) break;
        print_token(&out, token, &hidden, &begun);
        if (i + 1 < n || more) take(s, token, n - i - 2);
    }
    drop_draft(s);
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

/* Feeds what was asked, but for the first `found` tokens, and prints what is answered. */
static void answer(lctx_session *s, const int32_t *tokens, int64_t n, int64_t found)
{
    const double start = os_seconds();
    const int64_t n_answer = room(run_info(s).n + n - found);
    double read;
    remember(tokens, n);
    last.n = 1, last.at = 0;
    run_feed(s, tokens + found, n - found, LCTX_LOGITS_LAST, last.logits);
    read = os_seconds();
    total.n_drawn += generate(s, n_answer);
    total.n_found += found;
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
    if (cache_file) fprintf(stderr, "generate: %lld tokens of the prompt stood in %s\n",
                            (long long)total.n_found, cache_file);
    if (looking) fprintf(stderr, "generate: %lld of %lld drafted tokens were right\n",
                         (long long)total.n_taken, (long long)total.n_drafted);
}

/* The file of pages: opened with what it is of, and how many tokens it has of these. */
static int64_t find_prompt(lctx_session *s, const int32_t *tokens, int64_t n)
{
    char label[RUN_LABEL];
    int error;
    if (!cache_file) return 0;
    run_label(&r, label);
    error = prefix_open(&kept.pages, cache_file, label, s, r.block ? r.block : 256);
    if (error == ENOTSUP) fail(EXIT_USAGE, "--prompt-cache does not keep what --cache heavy does");
    if (error == EEXIST) fail(EXIT_USAGE, "%s: this is no file of --prompt-cache", cache_file);
    if (error) fail(EXIT_INPUT, "%s: %s", cache_file, strerror(error));
    kept.s = s;
    return prefix_restore(&kept.pages, s, tokens, n);
}
/* Keeps what the session has of the text, but for a draft; after each chunk, before windows move. */
static void keep_prompt(void)
{
    const int64_t n = kept.s ? run_info(kept.s).n : 0;
    int error = kept.s ? prefix_save(&kept.pages, kept.s, text.tokens, n < text.n ? n : text.n) : 0;
    if (error) fail(EXIT_RUN, "%s: %s", cache_file, strerror(error));
}
static int passed(void *unused, int64_t done, int64_t all)
{
    keep_prompt();
    return run_progress(unused, done, all);
}

static void open_all(void)
{
    if (load_file && r.rope > RUN_PLAIN && r.factor <= 0)
        fail(EXIT_USAGE, "--load needs the --factor that the session was saved with");
    if (cache_file && r.rope > RUN_PLAIN && r.factor <= 0)
        fail(EXIT_USAGE, "--prompt-cache needs a --factor, so that texts of any length share it");
    if (cache_file && load_file) fail(EXIT_USAGE, "--load and --prompt-cache exclude each other");
    if (looking && r.policy == LCTX_HEAVY)
        fail(EXIT_USAGE, "--lookup would change what --cache heavy keeps");
    chatting |= interactive;
    if (parsing && chatting) fail(EXIT_USAGE, "--special is not for a --chat");
    if (system_text && (!chatting || load_file))
        fail(EXIT_USAGE, "--system is of a --chat that begins");
    run_open(&r);
    if (chatting && chat_open(&talk, &r.model.file, &r.vocab) != GGUF_OK)
        fail(EXIT_INPUT, "%s: %s", r.path, r.model.file.error);
    draw.temperature = temperature, draw.top_p = top_p, draw.state = (uint64_t)seed;
    draw.items = run_alloc(r.vocab.n, sizeof *draw.items);
    last.logits = run_alloc((1 + MOST) * (int64_t)r.vocab.n, sizeof *last.logits);
}

int main(int argc, char **argv)
{
    lctx_session *s;
    os_file asked;
    int32_t *tokens;
    int64_t n, all;
    double start = os_seconds();
    args_parse(argc, argv, "generate", "Continues a text.", options);
    open_all();
    asked = read_prompt();
    tokens = encode(&asked, !load_file, &n);
    if (!prompt && (prompt_file || !interactive)) os_file_close(&asked);
    if (!n)
        fail(EXIT_INPUT, "the prompt is empty, and %s", load_file
             ? "--load needs one: a session is saved without logits to go on from"
             : "this model begins with no BOS token");
    all = interactive && r.ctx ? r.ctx : n + n_new;
    r.progress = passed;
    s = run_session(&r, all);
    run_check_options(&r);
    if (r.factor <= 0 && r.rope > RUN_PLAIN)
        warn("--factor %g, for %lld tokens where %lld were trained", r.used_factor, (long long)all,
             (long long)r.model.trained);
    if (load_file) run_load(&r, s, load_file);
    run_warn(&r, run_info(s).n + n + room(run_info(s).n + n));
    answer(s, tokens, n, find_prompt(s, tokens, n));
    while (interactive && run_line(&asked)) {
        free(tokens);
        tokens = encode(&asked, 0, &n);
        answer(s, tokens, n, 0);
    }
    free(tokens);
    if (save_file) run_save(&r, s, save_file);
    keep_prompt();
    report(s, start);
    lctx_session_free(s);
    if (cache_file) prefix_close(&kept.pages);
    lookup_free(&text);
    free(draw.items);
    free(last.logits);
    chat_close(&talk);
    run_close(&r);
    return 0;
}
