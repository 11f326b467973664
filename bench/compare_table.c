/* compare_table.c - the comparison's table and its JSON. */
#include "compare.h"

static const char *const file_names[FILES] = { "toy", "toy-yarn", "hybrid" };

int64_t length_of(const comparison *c, int i) { return c->trained << i; }

/* -------------------------------------------------------------------------------- sums */
static task_tally position_of(const comparison *c, const row *x, int bucket)
{
    task_tally sum = {0, 0};
    int64_t i;
    for (i = 0; i < c->stretches; i++) {
        sum.bits += x->position[i][bucket].bits;
        sum.n += x->position[i][bucket].n;
    }
    return sum;
}

static task_tally last_of(const comparison *c, const row *x, int l)
{
    task_tally sum = {0, 0};
    int64_t i;
    for (i = 0; i < c->ledgers; i++) {
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
    fprintf(f, "%-8s %-13s %-5s", file_names[x->file], x->method, lctx_type_name((lctx_type)x->type));
}

static void print_lengths(FILE *f, const comparison *c, const char *title)
{
    int l;
    fprintf(f, "\n%s\n%-28s", title, "");
    for (l = 0; l < c->n_lengths; l++) fprintf(f, " %6lld", (long long)length_of(c, l));
}

static void print_positions(FILE *f, const comparison *c)
{
    int i, b, buckets = task_bucket(length_of(c, c->n_lengths - 1) - 2) + 1;
    fprintf(f,
            "\nBits per byte of held-out text, by position below (%lld stretches of %lld)\n%-28s",
            (long long)c->stretches, (long long)length_of(c, c->n_lengths - 1), "");
    for (b = 0; b < buckets; b++) fprintf(f, " %6lld", 128LL << b);
    fprintf(f, "\n");
    for (i = 0; i < c->n_rows; i++) {
        name_row(f, &c->rows[i]);
        for (b = 0; b < buckets; b++) {
            task_tally t = position_of(c, &c->rows[i], b);
            fprintf(f, " %6.3f", task_mean(&t));
        }
        fprintf(f, "\n");
    }
}

static void print_last(FILE *f, const comparison *c)
{
    int i, l;
    char title[200];
    snprintf(title, sizeof title,
             "Bits of a restated digit in the last %d tokens of a ledger of %d names, by tokens in "
             "all\n(%lld ledgers, the same last tokens in each column; a guess costs 3.32)",
             LAST, NAMES, (long long)c->ledgers);
    print_lengths(f, c, title);
    fprintf(f, "\n");
    for (i = 0; i < c->n_rows; i++) {
        if (!c->rows[i].asked) continue;
        name_row(f, &c->rows[i]);
        for (l = 0; l < c->n_lengths; l++) {
            task_tally t = last_of(c, &c->rows[i], l);
            fprintf(f, " %6.3f", task_mean(&t));
        }
        fprintf(f, "\n");
    }
}

static void print_key_row(FILE *f, const comparison *c, const row *x)
{
    int l, d;
    name_row(f, x);
    for (l = 0; l < c->n_lengths; l++)
        if (x->tried[l]) fprintf(f, " %6.2f", share(x, l));
        else fprintf(f, " %6s", "-");
    fprintf(f, " |");
    for (d = 0; d < DEPTHS; d++)
        if (x->n_deep) fprintf(f, " %4.2f", (double)x->deep[d] / (double)x->n_deep);
        else fprintf(f, " %4s", "-");
    fprintf(f, "\n");
}

static void print_keys(FILE *f, const comparison *c)
{
    int i;
    char title[400];
    snprintf(title, sizeof title,
             "Share of pass keys found, by tokens in all: %d trials each, %d at each of %d depths; "
             "-: not tried, since\nfewer than half were found in half as many. "
             "Then by depth in %lld tokens: %d trials a depth, where half are found",
             (int)c->trials * DEPTHS, (int)c->trials, DEPTHS, (long long)length_of(c, DEEP),
             (int)c->deep_trials);
    print_lengths(f, c, title);
    fprintf(f, " |    0  .25   .5  .75    1\n");
    for (i = 0; i < c->n_rows; i++)
        if (c->rows[i].asked) print_key_row(f, c, &c->rows[i]);
}

static void print_costs(FILE *f, const comparison *c)
{
    int i, l;
    print_lengths(f, c, "KiB of caches and states, by tokens; CPU us a token of one thread: reading a prompt "
                        "of the longest,\ndecoding after the shortest and the longest");
    fprintf(f, " | prompt  first   last\n");
    for (i = 0; i < c->n_rows; i++) {
        const row *x = &c->rows[i];
        name_row(f, x);
        for (l = 0; l < c->n_lengths; l++)
            fprintf(f, " %6lld", (long long)(x->bytes[l] + 1023) / 1024);
        fprintf(f, " | %6.0f %6.0f %6.0f\n", 1e6 * x->prompt, 1e6 * x->decode[0],
                1e6 * x->decode[c->n_lengths - 1]);
    }
}

void table_print(FILE *f, const comparison *c)
{
    fprintf(f,
            "Toy models of %lld trained tokens: toy as trained, toy-yarn fine-tuned with YaRN at\n"
            "4 and 8 times that. Their attention sink was taught by a loss of its own. Factors\n"
            "are %g times tokens / trained. window, sinks, heavy, lm-infinite and the far rules\n"
            "go with what the file says: plain RoPE, or YaRN 4 and %lld tokens. Not comparable\n"
            "here: LongRoPE (its lists are searched for, there are none), xPos, ALiBi and block\n"
            "patterns (a model must be trained with them).\n",
            (long long)c->trained, HEADROOM, (long long)length_of(c, 2));
    if (c->n_rows && c->rows[c->n_rows - 1].file == HYBRID)
        fprintf(f, "hybrid, trained like toy: states by the gated delta rule in three layers of "
                   "four,\nattention to 64 tokens in the fourth, no sink.\n");
    print_positions(f, c);
    print_last(f, c);
    print_keys(f, c);
    print_costs(f, c);
}

/* -------------------------------------------------------------------------------- the JSON */
static int first_figure;

void json_begin(FILE *f)
{
    first_figure = 1;
    fprintf(f, "[\n");
}

void json_end(FILE *f) { fprintf(f, "\n]\n"); }

static void figure(FILE *f, const row *x, const char *what, double at, double value, int64_t n)
{
    fprintf(f, "%s  { \"file\": \"%s\", \"method\": \"%s\", \"type\": \"%s\", \"figure\": \"%s\", "
            "\"at\": %g, \"value\": %.6g, \"n\": %lld }", first_figure ? "" : ",\n",
            file_names[x->file], x->method, lctx_type_name((lctx_type)x->type), what, at, value, (long long)n);
    first_figure = 0;
}

void json_row(FILE *f, const comparison *c, const row *x)
{
    int i, buckets = task_bucket(length_of(c, c->n_lengths - 1) - 2) + 1;
    for (i = 0; i < buckets; i++) {
        task_tally t = position_of(c, x, i);
        figure(f, x, "position", (double)((int64_t)128 << i), task_mean(&t), t.n);
    }
    for (i = 0; i < c->n_lengths; i++) {
        task_tally t = last_of(c, x, i);
        double n = (double)length_of(c, i);
        if (x->asked) figure(f, x, "last", n, task_mean(&t), t.n);
        figure(f, x, "bytes", n, (double)x->bytes[i], 1);
        figure(f, x, "decode", n, 1e6 * x->decode[i], STEPS);
        if (x->tried[i]) figure(f, x, "key", n, share(x, i), x->tried[i] * DEPTHS);
    }
    figure(f, x, "prompt", (double)length_of(c, c->n_lengths - 1), 1e6 * x->prompt, 1);
    for (i = 0; x->n_deep && i < DEPTHS; i++)
        figure(f, x, "depth", (double)i / (DEPTHS - 1), (double)x->deep[i] / (double)x->n_deep,
               x->n_deep);
    fflush(f);
}
