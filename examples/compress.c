/* Demonstrates prompt compression: what a small model could have guessed is left out of a prompt,
   by Selective Context, LLMLingua or LongLLMLingua, and the rest is shown; of a prompt with a pass
   key in it, also whether the key is still there and whether the model finds it. */
#include "shorten.h"
#include "tasks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 5, DEPTHS = 5, WAYS = 3 };

static const char about[] =
    "Leaves out of a prompt what a small model expects. Limits: what is expected is not always\n"
    "unimportant (a name said before, a \"not\"), and only LongLLMLingua looks at the question.\n"
    "What is left is no text that models have seen: they may miss what it still holds. The small\n"
    "model reads all of it, so time is saved only where the one that answers is far larger.";

static run r = RUN_DEFAULTS;
static const char *prompt_file, *text_file, *times = "2,4,8";
static int64_t length = 1024, trials, unit = SHORTEN_WORD, seed = 1;
static double depth = 0.5;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "PROMPT", ARGS_TEXT, &prompt_file, 0, 0, "", "a file, whose last line is the question and "
      "stays; default: a pass key" },
    { "--times", ARGS_TEXT, &times, 0, 0, "A,B", "how much shorter; default 2,4,8" },
    { "--unit", ARGS_CHOICE, &unit, 0, 0, "token|word|sentence", "what goes as a whole; default "
      "word" },
    { "--length", ARGS_INT, &length, 128, 1e9, "N", "of the prompt with a key; default 1024" },
    { "--depth", ARGS_REAL, &depth, 0, 1, "D", "where the key is, 0 first, 1 last; default 0.5" },
    { "--trials", ARGS_INT, &trials, 1, 1e6, "N", "only counts keys, of so many prompts a depth" },
    { "--text", ARGS_TEXT, &text_file, 0, 0, "FILE", "filler; default: a few plain sentences" },
    { "--seed", ARGS_INT, &seed, 0, 9e15, "N", "of the keys and of where filler begins" },
    RUN_ROPE_OPTION(r),
    RUN_SCALING_OPTIONS(r),
    { "--threads", ARGS_INT, &r.threads, 1, LCTX_MAX_THREADS, "N", "default: all cores" },
    { 0 }
};

typedef struct way {
    const char *name;
    void (*shorten)(run *, const shorten_prompt *, int64_t, uint8_t *);
} way;
static const way ways[WAYS] = { { "Selective Context", shorten_selective },
                                { "LLMLingua", shorten_lingua },
                                { "LongLLMLingua", shorten_long_lingua } };

/* The tokens of a text; its last line, and what stands before the text, is not shortened. */
static shorten_prompt prompt_of(const char *text, int64_t n)
{
    shorten_prompt p = { NULL, 0, 0, 0, (shorten_unit)unit };
    int32_t *tokens = run_encode(&r.vocab, VOCAB_START, text, n, &p.n);
    int64_t i;
    p.tokens = tokens;
    p.first = r.vocab.add_bos && p.n && tokens[0] == r.vocab.bos;
    p.end = p.n;
    for (i = p.n - 2; i >= p.first && p.end == p.n; i--) {
        const gguf_string s = vocab_text(&r.vocab, tokens[i]);
        if (s.n && memchr(s.text, '\n', s.n)) p.end = i;
    }
    return p;
}

/* The kept tokens, and the text that they are. */
static int64_t kept(const shorten_prompt *p, const uint8_t *keep, int32_t *tokens, char *text)
{
    int64_t n = 0, i;
    for (i = 0; i < p->n; i++) {
        const gguf_string s = vocab_text(&r.vocab, p->tokens[i]);
        if (!keep[i]) continue;
        tokens[n++] = p->tokens[i];
        memcpy(text, s.text, s.n);
        text += s.n;
    }
    *text = 0;
    return n;
}

/* Whether greedy decoding behind the tokens gives the key. */
static int answers(const int32_t *tokens, int64_t n, const char *key)
{
    float *logits = run_alloc(r.vocab.n, sizeof *logits);
    lctx_session *s = run_session(&r, n + DIGITS);
    int32_t next = 0;
    int i;
    run_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
    for (i = 0; i < DIGITS; i++) {
        next = text_argmax(logits, r.vocab.n);
        if (next != r.vocab.token[(unsigned char)key[i]]) break;
        run_feed(s, &next, 1, LCTX_LOGITS_LAST, logits);
    }
    lctx_session_free(s);
    free(logits);
    return i == DIGITS;
}

typedef struct outcome { int64_t n, survived, found; } outcome;

/* A prompt shortened, with a key or none (null), and shown or not. w null: as it is. */
static outcome shorten(const way *w, double x, const shorten_prompt *p, const char *key, int shown)
{
    const int64_t stays = p->first + p->n - p->end, most = (int64_t)((double)p->n / x) - stays;
    uint8_t *keep = run_alloc(p->n, 1);
    int32_t *tokens = run_alloc(p->n, sizeof *tokens);
    char *text = run_alloc(p->n * (int64_t)r.vocab.longest, 1);
    outcome o = { 0, 0, 0 };
    memset(keep, 1, (size_t)p->n);
    if (w) w->shorten(&r, p, most > 0 ? most : 0, keep);
    o.n = kept(p, keep, tokens, text);
    if (key) o.survived = strstr(text, key) != NULL, o.found = answers(tokens, o.n, key);
    if (shown) {
        printf("---- %s, %g times: %lld of %lld tokens", w ? w->name : "whole", x, (long long)o.n,
               (long long)p->n);
        if (key) printf("; the key %s %s and is %s", key, o.survived ? "survives" : "is lost",
                        o.found ? "found" : "not found");
        printf("\n%s\n", text);
        fflush(stdout);
    }
    free(keep), free(tokens), free(text);
    return o;
}

/* The next of --times; 0 at the end. */
static double next_times(const char **list)
{
    char word[32], *end;
    double x;
    if (!run_next_word(list, word)) return 0;
    x = strtod(word, &end);
    if (*end || !(x >= 1 && x <= 1e6)) fail(EXIT_USAGE, "--times: %s is not 1 or more", word);
    return x;
}

static shorten_prompt key_prompt(const os_file *filler, double at, uint64_t *state,
                                 char key[DIGITS + 1])
{
    char *text = run_alloc(length, 1);
    shorten_prompt p;
    snprintf(key, DIGITS + 1, "%05d", (int)(text_random(state) % 100000));
    task_passkey_text(text, length, at, key, 0, filler, state);
    p = prompt_of(text, length);
    free(text);
    return p;
}

static void show(const os_file *filler)
{
    const char *list = times, *asked = NULL;
    char key[DIGITS + 1];
    uint64_t state = (uint64_t)seed;
    shorten_prompt p;
    double x;
    int i;
    if (prompt_file) {
        os_file text = run_text(prompt_file);
        p = prompt_of(text.data, (int64_t)text.size);
        os_file_close(&text);
    } else {
        p = key_prompt(filler, depth, &state, key);
        asked = key;
    }
    shorten(NULL, 1, &p, asked, 1);
    while ((x = next_times(&list)) > 0)
        for (i = 0; i < WAYS; i++) shorten(&ways[i], x, &p, asked, 1);
    free((void *)p.tokens);
}

/* Shares of the keys that survive and that are found, over all depths. */
static void count_row(const way *w, double x, const os_file *filler)
{
    const double all = (double)(trials * DEPTHS);
    double survived = 0, found = 0, n = 0;
    uint64_t state = (uint64_t)seed;
    int64_t i;
    for (i = 0; i < trials * DEPTHS; i++) {
        char key[DIGITS + 1];
        shorten_prompt p = key_prompt(filler, (double)(i % DEPTHS) / (DEPTHS - 1), &state, key);
        const outcome o = shorten(w, x, &p, key, 0);
        survived += (double)o.survived, found += (double)o.found, n += (double)o.n;
        free((void *)p.tokens);
    }
    printf("%-18s %5g %8.0f %9.2f %6.2f\n", w ? w->name : "whole", x, n / all, survived / all,
           found / all);
    fflush(stdout);
}

static void count(const os_file *filler)
{
    const char *list = times;
    double x;
    int i;
    printf("%-18s %5s %8s %9s %6s\n", "", "times", "tokens", "survives", "found");
    count_row(NULL, 1, filler);
    while ((x = next_times(&list)) > 0)
        for (i = 0; i < WAYS; i++) count_row(&ways[i], x, filler);
}

int main(int argc, char **argv)
{
    static const char plain[] = "The grass is green. The sky is blue. The sun is yellow. "
                                "Here we go. There and back again. ";
    os_file filler = { plain, sizeof plain - 1, 0 };
    r.rope = RUN_YARN;
    r.quiet = 1;
    args_parse(argc, argv, "compress", about, options);
    if (trials && prompt_file) fail(EXIT_USAGE, "--trials is of keys, not of a PROMPT");
    run_open(&r);
    if (!prompt_file) run_need_bytes(&r);
    if (text_file) filler = run_text(text_file);
    if (!filler.size) fail(EXIT_INPUT, "%s: no text", text_file);
    if (trials) count(&filler);
    else show(&filler);
    if (text_file) os_file_close(&filler);
    run_close(&r);
    return 0;
}
