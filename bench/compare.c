/* compare.c - every position scheme and cache policy on the toy models, from the trained length to
   32 times that: likelihood by position, of a last segment as the context before it grows, pass keys
   by length and depth, bytes of cache, time. Results go to a table and to JSON, as measured. */
#include "tasks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { FILES = 2, DEPTHS = 5, LENGTHS = 6, ROWS = 96, STRETCHES = 5, LEDGERS = 5, NAMES = 48,
       LAST = 256, STEPS = 32, DEEP = 2, DEEP_TRIALS = 100 };

static const double HEADROOM = 1.25;          /* of factors, the same for all schemes */

static const char *const file_names[FILES] = { "toy", "toy-yarn" };
static const char *paths[FILES] = { "examples/toy/toy.gguf", "examples/toy/toy-yarn.gguf" };
static const char *text_path = "examples/toy/held-out.txt", *json_path, *table_path;
static const char *const type_names[] = { "f32", "f16", "bf16", "int8" };
static const char *methods = "model,plain,abf,pi,ntk,dynamic,dynamic-exact,by-parts,yarn,llama3,"
                             "rerope,leaky,self-extend,window,sinks,lm-infinite";
static const char *typed = "yarn,sinks";      /* methods shown with every type of the cache */

static run options_run = RUN_DEFAULTS;
static int64_t longest = 32, trials = 20, stretches = STRETCHES, ledgers = LEDGERS, seed = 1;
static int quick;

static const args_option options[] = {
    { "MODEL", ARGS_TEXT, &paths[0], 0, 0, "", "as trained; default: examples/toy/toy.gguf" },
    { "TUNED", ARGS_TEXT, &paths[1], 0, 0, "", "fine-tuned; default: toy-yarn.gguf beside it" },
    { "--text", ARGS_TEXT, &text_path, 0, 0, "FILE", "the text, default: held-out.txt there" },
    { "--methods", ARGS_TEXT, &methods, 0, 0, "A,B", "of " RUN_METHODS },
    { "--types", ARGS_TEXT, &typed, 0, 0, "A,B", "the methods shown with every cache type" },
    { "--quick", ARGS_FLAG, &quick, 0, 0, "", "a look: to 4 times the context, a trial a cell" },
    { "--json", ARGS_TEXT, &json_path, 0, 0, "FILE", "writes every figure, one a line" },
    { "--table", ARGS_TEXT, &table_path, 0, 0, "FILE", "writes the table there too" },
    { "--threads", ARGS_INT, &options_run.threads, 1, 256, "N", "jobs at once; default: all cores" },
    { "--seed", ARGS_INT, &seed, 0, 9e15, "N", "of keys, ledgers and where filler begins" },
    { 0 }
};

/* What was found of one method on one model. A length is trained << i tokens. */
typedef struct row {
    int         file;
    char        method[32];
    int64_t     type;
    int         asked;                                /* for a ledger's digits and pass keys */
    task_tally  position[STRETCHES][TASK_BUCKETS];
    task_tally  last[LEDGERS][LENGTHS];               /* a restated digit, by length */
    int64_t     bytes[LENGTHS];                       /* of the cache */
    double      decode[LENGTHS], prompt;              /* CPU seconds a token */
    int64_t     right[LENGTHS][DEPTHS];               /* of `trials` each */
    int64_t     tried[LENGTHS];                       /* trials at each depth, 0: none */
    int64_t     deep[DEPTHS], n_deep;                 /* right at length DEEP, of n_deep each */
} row;

static row rows[ROWS];
static int n_rows, n_lengths;
static int64_t trained;
static os_file text;

/* -------------------------------------------------------------------------------- workers */
/* Jobs are independent and compute with one thread each; each worker has its own schedule. */
static run *workers[FILES];
static int n_workers = 1;

static void open_workers(void)
{
    int f, i;
#ifdef _OPENMP
    n_workers = options_run.threads ? (int)options_run.threads : omp_get_max_threads();
#endif
    for (f = 0; f < FILES; f++) {
        workers[f] = run_alloc(n_workers, sizeof **workers);
        for (i = 0; i < n_workers; i++) {
            run *r = &workers[f][i];
            *r = options_run;
            r->path = paths[f];
            r->threads = 1;
            r->quiet = 1;
            r->headroom = HEADROOM;
            r->beta_fast = 8;              /* in proportion to so short a context: see the models' page */
            run_open(r);
            if (!trained) trained = r->model.trained;
            if (r->model.trained != trained) fail(EXIT_INPUT, "%s: another context", r->path);
        }
    }
}

static void close_workers(void)
{
    int f, i;
    for (f = 0; f < FILES; f++) {
        for (i = 0; i < n_workers; i++) run_close(&workers[f][i]);
        free(workers[f]);
    }
}

/* A worker's session under the row's method, for n tokens. */
static lctx_session *begin(run *r, const row *x, int64_t n)
{
    run_method(r, x->method);
    r->type = x->type;
    return run_session(r, n);
}

/* job(row, i, a worker's run) for i = 0 .. n-1, in any order. */
typedef void (*job)(row *x, int64_t i, run *r);

static void in_parallel(job work, row *x, int64_t n)
{
    int64_t i;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(n_workers)
    for (i = 0; i < n; i++) work(x, i, &workers[x->file][omp_get_thread_num()]);
#else
    for (i = 0; i < n; i++) work(x, i, &workers[x->file][0]);
#endif
}

/* -------------------------------------------------------------------------------- likelihood */
static int64_t length_of(int i) { return trained << i; }

static void score_stretch(row *x, int64_t i, run *r)
{
    int64_t n = length_of(n_lengths - 1), at, n_tokens;
    int32_t *tokens = run_alloc(n + 2, sizeof *tokens);
    double *bits = run_alloc(n + 2, sizeof *bits);
    lctx_session *s;
    n_tokens = vocab_encode(&r->vocab, 1, task_stretch(&text, i, stretches, n - 1), (size_t)n - 1,
                            tokens);
    s = begin(r, x, n_tokens);
    task_bits(s, &r->vocab, tokens, n_tokens, 1, bits);
    for (at = 1; at < n_tokens; at++) {
        task_tally *t = &x->position[i][task_bucket(at - 1)];
        t->bits += bits[at];
        t->n++;
    }
    lctx_session_free(s);
    free(bits);
    free(tokens);
}

/* One last segment, after BOS and more and more of the bytes before it. */
static void score_ledger(row *x, int64_t i, run *r)
{
    int64_t n = length_of(n_lengths - 1), n_tokens, at;
    char *ledger = run_alloc(n, 1);
    uint8_t *restated = run_alloc(n, 1);
    int32_t *tokens = run_alloc(n + 2, sizeof *tokens);
    double *bits = run_alloc(n + 2, sizeof *bits);
    uint64_t state = (uint64_t)(seed + i) << 20;
    int l;
    task_ledger(ledger, n, NAMES, &text, &state, restated);
    for (l = 0; l < n_lengths; l++) {
        int64_t m = length_of(l) - 1;
        lctx_session *s;
        n_tokens = vocab_encode(&r->vocab, 1, ledger + n - m, (size_t)m, tokens);
        s = begin(r, x, n_tokens);
        task_bits(s, &r->vocab, tokens, n_tokens, n_tokens - (LAST - 1), bits);
        for (at = n_tokens - (LAST - 1); at < n_tokens; at++) {
            if (!restated[n - n_tokens + at]) continue;
            x->last[i][l].bits += bits[at];
            x->last[i][l].n++;
        }
        lctx_session_free(s);
    }
    free(bits);
    free(tokens);
    free(restated);
    free(ledger);
}

/* -------------------------------------------------------------------------------- time */
static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The prompt's time is that of all but the tokens fed one by one: the median of those is decode's,
   at each length. */
static void measure_time(row *x, int64_t i, run *r)
{
    int64_t n = length_of(n_lengths - 1), at = 0, step, n_prompt = 0;
    int32_t *tokens = run_alloc(n + 2, sizeof *tokens);
    float *logits = run_alloc(r->vocab.n, sizeof *logits);
    double times[STEPS], prompt = 0, start;
    lctx_session *s = begin(r, x, n);
    int l;
    (void)i;
    vocab_encode(&r->vocab, 1, text.data, (size_t)n - 1, tokens);
    for (l = 0; l < n_lengths; l++) {
        int64_t piece = length_of(l) - STEPS - at;
        start = os_cpu_seconds();
        run_feed(s, tokens + at, piece, LCTX_LOGITS_NONE, NULL);
        prompt += os_cpu_seconds() - start;
        n_prompt += piece;
        at += piece;
        for (step = 0; step < STEPS; step++) {
            start = os_cpu_seconds();
            run_feed(s, tokens + at++, 1, LCTX_LOGITS_LAST, logits);
            times[step] = os_cpu_seconds() - start;
        }
        qsort(times, STEPS, sizeof *times, compare_times);
        x->decode[l] = times[STEPS / 2];
        x->bytes[l] = run_info(s).cache_bytes;
    }
    x->prompt = prompt / (double)n_prompt;
    lctx_session_free(s);
    free(logits);
    free(tokens);
}

/* -------------------------------------------------------------------------------- pass keys */
/* Trials of one length; the same documents for every method. */
static int asked_length;
static int64_t first_trial;
static uint8_t found[DEEP_TRIALS * DEPTHS];

static void ask(row *x, int64_t i, run *r)
{
    int64_t n = length_of(asked_length), trial = first_trial + i / DEPTHS;
    uint64_t state = (uint64_t)(seed + trial * LENGTHS + asked_length) << 24 | (uint64_t)(i % DEPTHS);
    lctx_session *s = begin(r, x, n);
    found[i] = (uint8_t)task_passkey(s, &r->vocab, &text, n, (double)(i % DEPTHS) / (DEPTHS - 1),
                                     &state);
    lctx_session_free(s);
}

/* Adds n more trials a depth at length l to right[DEPTHS]; returns how many were right. */
static int64_t ask_all(row *x, int l, int64_t first, int64_t n, int64_t right[DEPTHS])
{
    int64_t i, sum = 0;
    asked_length = l;
    first_trial = first;
    in_parallel(ask, x, n * DEPTHS);
    for (i = 0; i < n * DEPTHS; i++) {
        right[i % DEPTHS] += found[i];
        sum += found[i];
    }
    return sum;
}

/* Lengths in turn, until fewer than half of the keys are found. */
static void ask_lengths(row *x)
{
    int l, half = 1;
    for (l = 0; l < n_lengths && half; l++) {
        half = 2 * ask_all(x, l, 0, trials, x->right[l]) >= trials * DEPTHS;
        x->tried[l] = trials;
    }
}

/* Where half are found at length DEEP, goes on there to as many trials a depth as a figure needs. */
static void ask_depths(row *x)
{
    int64_t right = 0;
    int d;
    for (d = 0; d < DEPTHS; d++) right += x->deep[d] = x->right[DEEP][d];
    if (2 * right < trials * DEPTHS) return;
    x->n_deep = quick ? trials : DEEP_TRIALS;
    if (!quick) ask_all(x, DEEP, trials, DEEP_TRIALS - trials, x->deep);
}

/* -------------------------------------------------------------------------------- rows */
static void add_row(int file, const char *method, int64_t type, int asked)
{
    row *x = &rows[n_rows];
    if (n_rows == ROWS) fail(EXIT_USAGE, "more than %d rows", ROWS);
    run_method(workers[file], method);                /* fails here, and not in a job */
    x->file = file;
    snprintf(x->method, sizeof x->method, "%s", method);
    x->type = type;
    x->asked = asked;
    n_rows++;
}

/* Each file's methods with a cache of f32, then those shown with the other types. "model" of a file
   without scaling is plain. */
static void list_rows(int file)
{
    const char *list;
    char method[32];
    int64_t type;
    int scaled = workers[file]->model.rope_desc.scheme != LCTX_ROPE_PLAIN;
    for (list = methods; run_next_word(&list, method);)
        if (scaled || strcmp(method, "model")) add_row(file, method, LCTX_F32, 1);
    for (list = typed; run_next_word(&list, method);)
        for (type = LCTX_F16; type < LCTX_TYPE_COUNT; type++) add_row(file, method, type, 0);
}

static void fill_row(row *x)
{
    in_parallel(score_stretch, x, stretches);
    in_parallel(measure_time, x, 1);
    if (!x->asked) return;
    in_parallel(score_ledger, x, ledgers);
    ask_lengths(x);
    ask_depths(x);
}

static task_tally position_of(const row *x, int bucket)
{
    task_tally sum = {0, 0};
    int64_t i;
    for (i = 0; i < stretches; i++) {
        sum.bits += x->position[i][bucket].bits;
        sum.n += x->position[i][bucket].n;
    }
    return sum;
}

static task_tally last_of(const row *x, int l)
{
    task_tally sum = {0, 0};
    int64_t i;
    for (i = 0; i < ledgers; i++) {
        sum.bits += x->last[i][l].bits;
        sum.n += x->last[i][l].n;
    }
    return sum;
}

static double share(const row *x, int l)
{
    int64_t sum = 0;
    int d;
    for (d = 0; d < DEPTHS; d++) sum += x->right[l][d];
    return (double)sum / (double)(x->tried[l] * DEPTHS);
}

/* -------------------------------------------------------------------------------- the table */
static void name_row(FILE *f, const row *x)
{
    fprintf(f, "%-8s %-13s %-5s", file_names[x->file], x->method, type_names[x->type]);
}

static void print_lengths(FILE *f, const char *title)
{
    int l;
    fprintf(f, "\n%s\n%-28s", title, "");
    for (l = 0; l < n_lengths; l++) fprintf(f, " %6lld", (long long)length_of(l));
}

static void print_positions(FILE *f)
{
    int i, b, buckets = task_bucket(length_of(n_lengths - 1) - 2) + 1;
    fprintf(f, "\nBits per byte of held-out text, by position below (%lld stretches of %lld)\n%-28s",
            (long long)stretches, (long long)length_of(n_lengths - 1), "");
    for (b = 0; b < buckets; b++) fprintf(f, " %6lld", 128LL << b);
    fprintf(f, "\n");
    for (i = 0; i < n_rows; i++) {
        name_row(f, &rows[i]);
        for (b = 0; b < buckets; b++) {
            task_tally t = position_of(&rows[i], b);
            fprintf(f, " %6.3f", task_mean(&t));
        }
        fprintf(f, "\n");
    }
}

static void print_last(FILE *f)
{
    int i, l;
    char title[200];
    snprintf(title, sizeof title, "Bits of a restated digit in the last %d tokens of a ledger of %d "
             "names, by tokens in all\n(%lld ledgers, the same last tokens in each column; a guess "
             "costs 3.32)", LAST, NAMES, (long long)ledgers);
    print_lengths(f, title);
    fprintf(f, "\n");
    for (i = 0; i < n_rows; i++) {
        if (!rows[i].asked) continue;
        name_row(f, &rows[i]);
        for (l = 0; l < n_lengths; l++) {
            task_tally t = last_of(&rows[i], l);
            fprintf(f, " %6.3f", task_mean(&t));
        }
        fprintf(f, "\n");
    }
}

static void print_key_row(FILE *f, const row *x)
{
    int l, d;
    name_row(f, x);
    for (l = 0; l < n_lengths; l++)
        if (x->tried[l]) fprintf(f, " %6.2f", share(x, l));
        else fprintf(f, " %6s", "-");
    fprintf(f, " |");
    for (d = 0; d < DEPTHS; d++)
        if (x->n_deep) fprintf(f, " %4.2f", (double)x->deep[d] / (double)x->n_deep);
        else fprintf(f, " %4s", "-");
    fprintf(f, "\n");
}

static void print_keys(FILE *f)
{
    int i;
    char title[400];
    snprintf(title, sizeof title, "Share of pass keys found, by tokens in all: %lld trials each, %lld "
             "at each of %d depths; -: not tried, since\nfewer than half were found in half as many. "
             "Then by depth in %lld tokens: %d trials a depth, where half are found",
             (long long)trials * DEPTHS, (long long)trials, DEPTHS, (long long)length_of(DEEP),
             quick ? (int)trials : DEEP_TRIALS);
    print_lengths(f, title);
    fprintf(f, " |    0  .25   .5  .75    1\n");
    for (i = 0; i < n_rows; i++)
        if (rows[i].asked) print_key_row(f, &rows[i]);
}

static void print_costs(FILE *f)
{
    int i, l;
    print_lengths(f, "KiB of cache, by tokens; CPU us a token of one thread: reading a prompt of the "
                     "longest, decoding after the\nshortest and the longest");
    fprintf(f, " | prompt  first   last\n");
    for (i = 0; i < n_rows; i++) {
        const row *x = &rows[i];
        name_row(f, x);
        for (l = 0; l < n_lengths; l++) fprintf(f, " %6lld", (long long)(x->bytes[l] + 1023) / 1024);
        fprintf(f, " | %6.0f %6.0f %6.0f\n", 1e6 * x->prompt, 1e6 * x->decode[0],
                1e6 * x->decode[n_lengths - 1]);
    }
}

static void print_table(FILE *f)
{
    fprintf(f, "Toy models of %lld trained tokens: toy as trained, toy-yarn fine-tuned with YaRN at 4 "
               "and 8 times that.\nTheir attention sink was taught by a loss of its own. Factors are "
               "%g times tokens / trained. window, sinks,\nlm-infinite and the far rules go with what "
               "the file says: plain RoPE, or YaRN 4 and %lld tokens. Not comparable\nhere: LongRoPE "
               "(its lists are searched for, there are none), xPos and ALiBi (a model must be trained "
               "with\nthem).\n", (long long)trained, HEADROOM, (long long)length_of(2));
    print_positions(f);
    print_last(f);
    print_keys(f);
    print_costs(f);
}

/* -------------------------------------------------------------------------------- the JSON */
static int first_figure = 1;

static void figure(FILE *f, const row *x, const char *what, double at, double value, int64_t n)
{
    fprintf(f, "%s  { \"file\": \"%s\", \"method\": \"%s\", \"type\": \"%s\", \"figure\": \"%s\", "
            "\"at\": %g, \"value\": %.6g, \"n\": %lld }", first_figure ? "" : ",\n",
            file_names[x->file], x->method, type_names[x->type], what, at, value, (long long)n);
    first_figure = 0;
}

static void write_row(FILE *f, const row *x)
{
    int i, buckets = task_bucket(length_of(n_lengths - 1) - 2) + 1;
    for (i = 0; i < buckets; i++) {
        task_tally t = position_of(x, i);
        figure(f, x, "position", (double)((int64_t)128 << i), task_mean(&t), t.n);
    }
    for (i = 0; i < n_lengths; i++) {
        task_tally t = last_of(x, i);
        double n = (double)length_of(i);
        if (x->asked) figure(f, x, "last", n, task_mean(&t), t.n);
        figure(f, x, "bytes", n, (double)x->bytes[i], 1);
        figure(f, x, "decode", n, 1e6 * x->decode[i], STEPS);
        if (x->tried[i]) figure(f, x, "key", n, share(x, i), x->tried[i] * DEPTHS);
    }
    figure(f, x, "prompt", (double)length_of(n_lengths - 1), 1e6 * x->prompt, 1);
    if (!x->n_deep) return;
    for (i = 0; i < DEPTHS; i++)
        figure(f, x, "depth", (double)i / (DEPTHS - 1), (double)x->deep[i] / (double)x->n_deep,
               x->n_deep);
}

/* Opened before anything is measured, so that a bad path costs no run; path may be null. */
static FILE *create(const char *path)
{
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && !f) fail(EXIT_RUN, "%s: cannot be written", path);
    return f;
}

static void finish(FILE *f, const char *path)
{
    if (f && fclose(f)) fail(EXIT_RUN, "%s: cannot be written", path);
}

int main(int argc, char **argv)
{
    FILE *json, *table;
    int i;
    args_parse(argc, argv, "compare", "Compares all methods on the toy models.", options);
    if (quick) longest = 4, trials = 1, stretches = 2, ledgers = 2;
    open_workers();
    if (trained < LAST) fail(EXIT_INPUT, "%s: trained for fewer than %d tokens", paths[0], LAST);
    for (; length_of(n_lengths) <= longest * trained; n_lengths++) {}
    text = run_text(text_path);
    if ((int64_t)text.size < length_of(n_lengths - 1))
        fail(EXIT_INPUT, "%s: fewer than %lld bytes", text_path, (long long)length_of(n_lengths - 1));
    for (i = 0; i < FILES; i++) list_rows(i);
    json = create(json_path);
    if (json) fprintf(json, "[\n");
    table = create(table_path);
    for (i = 0; i < n_rows; i++) {
        run_progress("comparing", i, n_rows);
        fill_row(&rows[i]);
        if (json) write_row(json, &rows[i]);
        if (json) fflush(json);
    }
    run_progress("comparing", n_rows, n_rows);
    print_table(stdout);
    if (table) print_table(table);
    if (json) fprintf(json, "\n]\n");
    finish(table, table_path);
    finish(json, json_path);
    os_file_close(&text);
    close_workers();
    return 0;
}
