/* compare.c - every position scheme and cache policy on the toy models, and a hybrid beside them,
   from the trained length to 32 or 64 times that: likelihood by position, of a last segment as the
   context before it grows, pass keys by length and depth, bytes, time. Results go to a table and to
   JSON as measured. */
#include "compare.h"
#include <stdlib.h>
#include <string.h>

static const char *paths[FILES] = { "examples/toy/toy.gguf", "examples/toy/toy-yarn.gguf" };
static const char *text_path = "examples/toy/held-out.txt", *json_path, *table_path;
static const char *methods = "model,plain,abf,pi,ntk,dynamic,dynamic-exact,by-parts,yarn,llama3,"
                             "rerope,leaky,self-extend,window,sinks,lm-infinite,heavy,"
                             "heavy-inside,yarn-heavy,quest,yarn-quest";
static const char *typed = "yarn,sinks";      /* methods shown with every type of the cache */

static run options_run = RUN_DEFAULTS;
static comparison all = { .trials = 20, .deep_trials = DEEP_TRIALS, .stretches = STRETCHES,
                          .ledgers = LEDGERS };
static int64_t longest = 32, seed = 1;
static int quick;

static const args_option options[] = {
    { "MODEL", ARGS_TEXT, &paths[0], 0, 0, "", "as trained; default: examples/toy/toy.gguf" },
    { "TUNED", ARGS_TEXT, &paths[1], 0, 0, "", "fine-tuned; default: toy-yarn.gguf beside it" },
    { "--hybrid", ARGS_TEXT, &paths[HYBRID], 0, 0, "FILE", "one with states; default: none" },
    { "--longest", ARGS_INT, &longest, 4, 64, "N", "times the trained length; default: 32" },
    { "--text", ARGS_TEXT, &text_path, 0, 0, "FILE", "the text, default: held-out.txt there" },
    { "--methods", ARGS_TEXT, &methods, 0, 0, "A,B", "of " RUN_METHODS },
    { "--types", ARGS_TEXT, &typed, 0, 0, "A,B", "the methods shown with every cache type" },
    { "--quick", ARGS_FLAG, &quick, 0, 0, "", "a look: to 4 times the context, a trial a cell" },
    { "--json", ARGS_TEXT, &json_path, 0, 0, "FILE", "writes every figure, one a line" },
    { "--table", ARGS_TEXT, &table_path, 0, 0, "FILE", "writes the table there too" },
    { "--threads", ARGS_INT, &options_run.threads, 1, 256, "N", "jobs at once; default: cores" },
    { "--seed", ARGS_INT, &seed, 0, 9e15, "N", "of keys, ledgers and where filler begins" },
    { 0 }
};

static os_file text;

/* -------------------------------------------------------------------------------- workers */
/* Jobs are independent and compute with one thread each; each worker has its own schedule. */
static run *workers[FILES];
static lctx_threads *threads;
static lctx_parallel pool;

static void open_workers(void)
{
    lctx_threads_desc d = {0};
    int f, i;
    d.n_threads = (int32_t)options_run.threads;
    run_check(lctx_threads_create(&d, &threads), "threads");
    run_check(lctx_threads_parallel(threads, &pool), "threads");
    for (f = 0; f < FILES && paths[f]; f++) {
        workers[f] = run_alloc(pool.n_threads, sizeof **workers);
        for (i = 0; i < pool.n_threads; i++) {
            run *r = &workers[f][i];
            *r = options_run;
            r->path = paths[f];
            r->threads = 1;
            r->quiet = 1;
            r->headroom = HEADROOM;
            r->block = 64;                 /* blocks, too, in proportion */
            r->beta_fast = 8;              /* in proportion to so short a context: see the page */
            run_open(r);
            run_need_bytes(r);
            if (!all.trained) all.trained = r->model.trained;
            if (r->model.trained != all.trained) fail(EXIT_INPUT, "%s: another context", r->path);
        }
    }
}

static void close_workers(void)
{
    int f, i;
    for (f = 0; f < FILES && paths[f]; f++) {
        for (i = 0; i < pool.n_threads; i++) run_close(&workers[f][i]);
        free(workers[f]);
    }
    lctx_threads_free(threads);
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

typedef struct jobs { job work; row *x; } jobs;

static void one_job(void *arg, int64_t i, int32_t thread)
{
    const jobs *all_jobs = arg;
    all_jobs->work(all_jobs->x, i, &workers[all_jobs->x->file][thread]);
}

static void in_parallel(job work, row *x, int64_t n)
{
    jobs all_jobs = { work, x };
    pool.run(pool.user, pool.n_threads, n, one_job, &all_jobs);
}

/* -------------------------------------------------------------------------------- likelihood */
static void score_stretch(row *x, int64_t i, run *r)
{
    int64_t n = length_of(&all, all.n_lengths - 1), at, n_tokens;
    const char *from = (const char *)text.data
                       + task_stretch((int64_t)text.size, i, all.stretches, n - 1);
    int32_t *tokens = run_encode(&r->vocab, VOCAB_START, from, n - 1, &n_tokens);
    double *bits = run_alloc(n + 2, sizeof *bits);
    lctx_session *s;
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
    int64_t n = length_of(&all, all.n_lengths - 1), n_tokens, at;
    char *ledger = run_alloc(n, 1);
    uint8_t *restated = run_alloc(n, 1);
    int32_t *tokens;
    double *bits = run_alloc(n + 2, sizeof *bits);
    uint64_t state = (uint64_t)(seed + i) << 20;
    int l;
    task_ledger(ledger, n, NAMES, &text, &state, restated);
    for (l = 0; l < all.n_lengths; l++) {
        int64_t m = length_of(&all, l) - 1;
        lctx_session *s;
        tokens = run_encode(&r->vocab, VOCAB_START, ledger + n - m, m, &n_tokens);
        s = begin(r, x, n_tokens);
        task_bits(s, &r->vocab, tokens, n_tokens, n_tokens - (LAST - 1), bits);
        for (at = n_tokens - (LAST - 1); at < n_tokens; at++) {
            if (!restated[n - n_tokens + at]) continue;
            x->last[i][l].bits += bits[at];
            x->last[i][l].n++;
        }
        lctx_session_free(s);
        free(tokens);
    }
    free(bits);
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
static void measure_time(row *x, run *r)
{
    int64_t n = length_of(&all, all.n_lengths - 1), at = 0, step, n_prompt = 0, n_tokens;
    int32_t *tokens = run_encode(&r->vocab, VOCAB_START, text.data, n - 1, &n_tokens);
    float *logits = run_alloc(r->vocab.n, sizeof *logits);
    double times[STEPS], prompt = 0, start;
    lctx_session *s = begin(r, x, n);
    int l;
    for (l = 0; l < all.n_lengths; l++) {
        int64_t piece = length_of(&all, l) - STEPS - at;
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
        x->bytes[l] = run_info(s).cache_bytes + run_info(s).state_bytes;
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
    int64_t n = length_of(&all, asked_length), trial = first_trial + i / DEPTHS;
    uint64_t state = (uint64_t)(seed + trial * LENGTHS + asked_length) << 24
                     | (uint64_t)(i % DEPTHS);
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
    for (l = 0; l < all.n_lengths && half; l++) {
        half = 2 * ask_all(x, l, 0, all.trials, x->right[l]) >= all.trials * DEPTHS;
        x->tried[l] = all.trials;
    }
}

/* Where half are found at length DEEP, goes on there to as many trials a depth as one wants. */
static void ask_depths(row *x)
{
    int64_t right = 0;
    int d;
    for (d = 0; d < DEPTHS; d++) right += x->deep[d] = x->right[DEEP][d];
    if (2 * right < all.trials * DEPTHS) return;
    x->n_deep = all.deep_trials;
    ask_all(x, DEEP, all.trials, all.deep_trials - all.trials, x->deep);
}

/* -------------------------------------------------------------------------------- rows */
static void add_row(int file, const char *method, int64_t type, int asked)
{
    row *x = &all.rows[all.n_rows];
    if (all.n_rows == ROWS) fail(EXIT_USAGE, "more than %d rows", ROWS);
    run_method(workers[file], method);                /* fails here, and not in a job */
    x->file = file;
    snprintf(x->method, sizeof x->method, "%s", method);
    x->type = type;
    x->asked = asked;
    all.n_rows++;
}

/* Each file's methods with a cache of f32, then those shown with the other types. "model" of a file
   without scaling is plain; a hybrid is what it is. */
static void list_rows(int file)
{
    const char *list;
    char method[32];
    int64_t type;
    int scaled;
    if (file == HYBRID) {
        add_row(file, "model", LCTX_F32, 1);
        return;
    }
    scaled = workers[file]->model.rope_desc.scheme != LCTX_ROPE_PLAIN;
    for (list = methods; run_next_word(&list, method);)
        if (scaled || strcmp(method, "model")) add_row(file, method, LCTX_F32, 1);
    for (list = typed; run_next_word(&list, method);)
        for (type = LCTX_F16; type <= LCTX_I4; type++) add_row(file, method, type, 0);
}

/* All but the pass keys; the longest jobs first. */
static void measure(row *x, int64_t i, run *r)
{
    int64_t n = x->asked ? all.ledgers : 0;
    if (i < n) score_ledger(x, i, r);
    else if (i < n + all.stretches) score_stretch(x, i - n, r);
    else measure_time(x, r);
}

static void fill_row(row *x)
{
    in_parallel(measure, x, (x->asked ? all.ledgers : 0) + all.stretches + 1);
    if (!x->asked) return;
    ask_lengths(x);
    ask_depths(x);
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
    if (quick) longest = 4, all.trials = all.deep_trials = 1, all.stretches = all.ledgers = 2;
    open_workers();
    if (all.trained < LAST)
        fail(EXIT_INPUT, "%s: trained for fewer than %d tokens", paths[0], LAST);
    for (; length_of(&all, all.n_lengths) <= longest * all.trained; all.n_lengths++) {}
    text = run_text(text_path);
    if ((int64_t)text.size < length_of(&all, all.n_lengths - 1))
        fail(EXIT_INPUT, "%s: fewer than %lld bytes", text_path,
             (long long)length_of(&all, all.n_lengths - 1));
    for (i = 0; i < FILES && paths[i]; i++) list_rows(i);
    json = create(json_path);
    if (json) json_begin(json);
    table = create(table_path);
    for (i = 0; i < all.n_rows; i++) {
        run_progress("comparing", i, all.n_rows);
        fill_row(&all.rows[i]);
        if (json) json_row(json, &all, &all.rows[i]);
    }
    run_progress("comparing", all.n_rows, all.n_rows);
    table_print(stdout, &all);
    if (table) table_print(table, &all);
    if (json) json_end(json);
    finish(table, table_path);
    finish(json, json_path);
    os_file_close(&text);
    close_workers();
    return 0;
}
