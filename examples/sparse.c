/* Demonstrates sparse attention on lists of keys: choosers from the literature on the queries and
   keys of a layer, how much of what full attention looks at they find, what their result is off by,
   and how long it takes. */
#include "choose.h"
#include "hyper.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 256 };                  /* of all, for which full attention is computed in double */

static run r = RUN_DEFAULTS;
static const char *text_file;
static int64_t n_tokens = 4096, layer = 1, keys;
static int bare;

static const args_option options[] = {
    RUN_MODEL_OPTION(r),
    { "TEXT", ARGS_TEXT, &text_file, 1, 0, "", "the text, a file" },
    { "--tokens", ARGS_INT, &n_tokens, 256, 1e6, "N", "of the text, by 128; default 4096" },
    { "--layer", ARGS_INT, &layer, 1, 1e6, "N", "from 1, the second, on; default 1" },
    { "--keys", ARGS_INT, &keys, 64, 1e6, "N", "read by each query; default: an eighth of all" },
    { "--bare", ARGS_FLAG, &bare, 0, 0, "", "the first block is read only where it is chosen" },
    RUN_ROPE_OPTION(r),
    RUN_SCALING_OPTIONS(r),
    { "--threads", ARGS_INT, &r.threads, 1, LCTX_MAX_THREADS, "N", "default: all cores" },
    { 0 }
};

static layer_rows x;
static double *want, *want_lse;       /* [ROWS][n_head][dim], [ROWS][n_head]: full attention */
static double full_seconds, largest;  /* of full attention; of the values */

typedef struct result {
    float *out, *found;               /* found [n][n_head]: log-sum-exps of what was read */
    float *spare, *count;             /* the same of queries that are zeros */
    double choosing, reading;         /* seconds */
} result;

static int64_t row_at(int64_t i) { return (i + 1) * x.n / ROWS - 1; }

/* Full attention of one row in double. */
static double full_row(int64_t t, int32_t h, double *out)
{
    const int32_t d = x.dim, g = h / (x.n_head / x.n_head_kv);
    const float *q = x.q + (t * x.n_head + h) * d;
    double *p = run_alloc(t + 1, sizeof *p), top = -HUGE_VAL, sum = 0;
    int64_t j;
    int32_t i;
    for (j = 0; j <= t; j++) {
        for (i = 0; i < d; i++) p[j] += (double)q[i] * (double)x.k[(j * x.n_head_kv + g) * d + i];
        p[j] /= sqrt(d);
        if (p[j] > top) top = p[j];
    }
    for (j = 0; j <= t; j++) {
        sum += p[j] = exp(p[j] - top);
        for (i = 0; i < d; i++) out[i] += p[j] * (double)x.v[(j * x.n_head_kv + g) * d + i];
    }
    for (i = 0; i < d; i++) out[i] /= sum;
    free(p);
    return top + log(sum);
}

/* With queries of zeros each key that is read has weight 1, and the log-sum-exp tells how many; with
   the layer's own it tells their share of full attention's mass. What is left out moves a row by no
   more than its share times the distance of two values. */
static void print_row(const char *name, const result *y, int exact)
{
    double read = 0, all = 0, mass = 0, error = 0, size = 0;
    int64_t i, e;
    int32_t h;
    for (i = 0; i < ROWS; i++)
        for (h = 0; h < x.n_head; h++) {
            const int64_t at = row_at(i) * x.n_head + h, row = i * x.n_head + h;
            const double found = exp((double)y->found[at] - want_lse[row]);
            double off = 0;
            for (e = 0; e < x.dim; e++) {
                const double w = want[row * x.dim + e];
                const double o = fabs((double)y->out[at * x.dim + e] - w);
                error += o * o, size += w * w;
                if (!(o <= off)) off = o;
            }
            if (!(found <= 1.0001) || (exact && !(off <= largest * (2 * (1 - found) + 1e-3))))
                fail(EXIT_RUN, "%s: row %lld has %g of the mass and is off by %g", name,
                     (long long)at, found, off);
            mass += found;
            read += exp((double)y->count[at]), all += (double)row_at(i) + 1;
        }
    printf("%-22s %7.1f %9.2f %9.4f %9.1f %9.1f %8.2f\n", name, 100 * read / all,
           100 * mass / (ROWS * x.n_head), sqrt(error / size), 1e3 * y->choosing, 1e3 * y->reading,
           (y->choosing + y->reading) / full_seconds);
    fflush(stdout);
}

static double since(double *start)
{
    const double from = *start;
    *start = os_seconds();
    return *start - from;
}

/* What a chooser makes of the layer; full attention is timed when it runs again. */
static void show(const char *name, result *y, const float *zeros, void (*choose)(choice *, int64_t),
                 int64_t n)
{
    int i;
    for (i = choose != NULL; i < 2; i++) {
        choice c;
        double at = os_seconds();
        choose_all(&c, &x);
        c.first = !bare;
        if (choose) choose(&c, n);
        y->choosing = since(&at);
        choose_attend(&c, NULL, y->out, y->found);
        y->reading = since(&at);
        if (i) choose_attend(&c, zeros, y->spare, y->count);
        choose_free(&c);
    }
    if (!choose) full_seconds = y->reading;
    print_row(name, y, 1);
}

/* An estimate: what it found is counted without weights. It sorts and samples as it reads. */
static void show_hyper(result *y, const float *zeros)
{
    hyper h = { LCTX_TILE, 0, 256, 0, 1 };
    double at;
    h.sample = keys < x.n ? keys / 8 : x.n;
    if (!bare) h.first = LCTX_TILE;
    hyper_attend(&x, &h, zeros, y->spare, y->count);
    hyper_attend(&x, &h, NULL, y->spare, y->found);
    h.bare = 0;
    at = os_seconds();
    hyper_attend(&x, &h, NULL, y->out, y->spare);
    y->choosing = 0, y->reading = since(&at);
    print_row("HyperAttention", y, 0);
}

static void read_layer(void)
{
    os_file text = run_text(text_file);
    int64_t n;
    int32_t *tokens = run_encode(&r.vocab, VOCAB_START, text.data, (int64_t)text.size, &n);
    if (layer >= r.model.lctx.n_layer)
        fail(EXIT_USAGE, "--layer: the model has %d layers", r.model.lctx.n_layer);
    n_tokens -= n_tokens % CHOOSE_KEYS;
    if (n < n_tokens)
        fail(EXIT_INPUT, "%s: %lld tokens, too few for --tokens", text_file, (long long)n);
    layer_read(&r, (int32_t)layer, tokens, n_tokens, &x);
    free(tokens);
    os_file_close(&text);
}

static void compute_full(void)
{
    int64_t i;
    int32_t h;
    want = run_alloc(ROWS * x.n_head * x.dim, sizeof *want);
    want_lse = run_alloc(ROWS * x.n_head, sizeof *want_lse);
    for (i = 0; i < ROWS; i++)
        for (h = 0; h < x.n_head; h++)
            want_lse[i * x.n_head + h] = full_row(row_at(i), h, want + (i * x.n_head + h) * x.dim);
    for (i = 0; i < x.n * x.n_head_kv * x.dim; i++)
        largest = fmax(largest, fabs((double)x.v[i]));
}

int main(int argc, char **argv)
{
    result y = {0};
    float *zeros;
    int64_t n;
    args_parse(argc, argv, "sparse", "Reads some of the keys, chosen in several ways.", options);
    r.rope = RUN_YARN;
    run_open(&r);
    read_layer();
    compute_full();
    n = x.n * x.n_head;
    if (!keys) keys = x.n / 8;
    if (keys > x.n) keys = x.n;
    zeros = run_alloc(n * x.dim, sizeof *zeros);
    y.out = run_alloc(n * x.dim, sizeof *y.out), y.spare = run_alloc(n * x.dim, sizeof *y.spare);
    y.found = run_alloc(n, sizeof *y.found), y.count = run_alloc(n, sizeof *y.count);
    printf("%lld tokens, layer %lld; of full attention\n%-22s %7s %9s %9s %9s %9s %8s\n",
           (long long)x.n, (long long)layer, "", "keys %", "mass %", "off by", "choose ms",
           "read ms", "time");
    show("full", &y, zeros, NULL, 0);
    show("Quest", &y, zeros, choose_quest, keys);
    show("MoBA", &y, zeros, choose_moba, keys);
    show("XAttention, stride 8", &y, zeros, choose_antidiagonal, 8);
    show("XAttention, stride 16", &y, zeros, choose_antidiagonal, 16);
    show("vertical-slash", &y, zeros, choose_vertical_slash, keys);
    show("indexer, tokens", &y, zeros, choose_indexer, keys);
    show_hyper(&y, zeros);
    free(zeros), free(y.out), free(y.spare), free(y.found), free(y.count);
    free(want), free(want_lse);
    layer_free(&x);
    run_close(&r);
    return 0;
}
