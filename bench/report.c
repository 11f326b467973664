#include "report.h"

#include <stdio.h>
#include <string.h>

enum { MAX_RESULTS = 1024 };

static struct {
    result      all[MAX_RESULTS];
    int         n, short_of_aim;
    const char *path, *heading;    /* heading: not printed yet */
} report;

void report_start(const char *json_path)
{
    report.n = report.short_of_aim = 0;
    report.path = json_path;
    printf("%-22s %5s %6s %4s %6s %-5s %-11s %-9s %3s %10s %6s %8s %8s %-8s %8s %5s %7s  %s\n",
           "what", "n_q", "n_kv", "dim", "heads", "type", "layout", "isa", "thr", "ms", "spread",
           "achieved", "limit", "unit", "of limit", "aim", "error", "ratio");
}

void report_heading(const char *text) { report.heading = text; }

static void put_heading(void)
{
    if (report.heading) printf("\n%s\n", report.heading);
    report.heading = NULL;
}

void report_note(const char *text)
{
    put_heading();
    printf("  %s\n", text);
    fflush(stdout);
}

/* ---- the table */
static void put_count(int width, int64_t n)
{
    if (!n) printf("%*s ", width, "");
    else if (n >= 1024 && n % 1024 == 0) printf("%*lldK ", width - 1, (long long)(n / 1024));
    else printf("%*lld ", width, (long long)n);
}

static void put_figure(double x)
{
    if (x == 0) printf("%8s ", "");
    else printf("%8.*f ", x < 100 ? 2 : 1, x);
}

static void put_shape(const shape *s)
{
    char heads[32] = "";
    if (s->n_head) snprintf(heads, sizeof heads, "%d/%d", (int)s->n_head, (int)s->n_head_kv);
    printf("%-22s ", s->name);
    put_count(5, s->n_q);
    put_count(6, s->n_kv);
    put_count(4, s->head_dim);
    printf("%6s %-5s %-11s ", heads, s->type ? s->type : "", s->layout ? s->layout : "");
}

static double of_limit(const result *r) { return r->limit > 0 ? r->achieved / r->limit : 0; }

static int falls_short(const result *r)
{
    if (r->aim > 0 && of_limit(r) < r->aim) return 1;
    return r->ratio_aim > 0 && r->ratio > r->ratio_aim + 0.005;    /* as it is printed */
}

static void put_ratio(const result *r)
{
    if (r->of_peak > 0) printf(" by %s, %.0f%% of %s", r->bound, 100 * r->of_peak, r->peak);
    if (r->ratio > 0) printf(" %.2f x %s", r->ratio, r->ratio_to);
    if (r->ratio_aim > 0) printf(" (at most %.2f)", r->ratio_aim);
    if (r->note) printf(" %s", r->note);
    if (falls_short(r)) printf("  SHORT");
}

static void put_row(const result *r)
{
    put_shape(&r->what);
    printf("%-9s %3d ", r->isa ? r->isa : "", r->threads);
    if (r->ms > 0) printf("%10.3f %5.1f%% ", r->ms, 100 * r->spread);
    else printf("%10s %6s ", "", "");
    put_figure(r->achieved);
    put_figure(r->limit);
    printf("%-8s ", r->unit);
    if (r->limit > 0) printf("%7.1f%% ", 100 * of_limit(r));
    else printf("%8s ", "");
    if (r->aim > 0) printf("%4.0f%% ", 100 * r->aim);
    else printf("%5s ", "");
    if (r->checked) printf("%7.0e ", r->error);
    else printf("%7s ", "");
    put_ratio(r);
    putchar('\n');
    fflush(stdout);
}

/* ---- results */
void report_add(const result *r)
{
    if (report.n == MAX_RESULTS) machine_fail("more than %d results", MAX_RESULTS);
    report.all[report.n++] = *r;
    report.short_of_aim += falls_short(r);
    put_heading();
    put_row(r);
}

static int same(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

static int same_shape(const shape *a, const shape *b)
{
    return same(a->name, b->name) && a->n_q == b->n_q && a->n_kv == b->n_kv &&
           a->head_dim == b->head_dim && a->n_head == b->n_head && a->n_head_kv == b->n_head_kv &&
           same(a->type, b->type) && same(a->layout, b->layout);
}

const result *report_find(const shape *what, const char *isa)
{
    int i;
    for (i = 0; i < report.n; i++)
        if (same_shape(&report.all[i].what, what) && same(report.all[i].isa, isa) &&
            report.all[i].threads == machine_threads())
            return &report.all[i];
    return NULL;
}

/* ---- JSON. Names are ours and need no escaping. */
static void json_text(FILE *f, const char *name, const char *text)
{
    if (text) fprintf(f, "\"%s\": \"%s\", ", name, text);
    else fprintf(f, "\"%s\": null, ", name);
}

static void json_number(FILE *f, const char *name, double x, int known)
{
    if (known) fprintf(f, "\"%s\": %.6g, ", name, x);
    else fprintf(f, "\"%s\": null, ", name);
}

static void json_result(FILE *f, const result *r)
{
    const shape *s = &r->what;
    fputs("  { ", f);
    json_text(f, "name", s->name);
    fprintf(f, "\"n_q\": %lld, \"n_kv\": %lld, ", (long long)s->n_q, (long long)s->n_kv);
    fprintf(f, "\"head_dim\": %d, \"n_head\": %d, \"n_head_kv\": %d, ", (int)s->head_dim,
            (int)s->n_head, (int)s->n_head_kv);
    json_text(f, "type", s->type);
    json_text(f, "layout", s->layout);
    json_text(f, "isa", r->isa);
    json_number(f, "ms", r->ms, r->ms > 0);
    json_number(f, "spread", r->spread, r->ms > 0);
    json_number(f, "achieved", r->achieved, r->achieved > 0);
    json_number(f, "limit", r->limit, r->limit > 0);
    json_text(f, "bound", r->bound);
    json_text(f, "unit", r->unit);
    json_number(f, "of_limit", of_limit(r), r->limit > 0);
    json_number(f, "aim", r->aim, r->aim > 0);
    json_number(f, "of_peak", r->of_peak, r->of_peak > 0);
    json_text(f, "peak", r->of_peak > 0 ? r->peak : NULL);
    json_number(f, "ratio", r->ratio, r->ratio > 0);
    json_number(f, "ratio_aim", r->ratio_aim, r->ratio_aim > 0);
    json_text(f, "ratio_to", r->ratio > 0 ? r->ratio_to : NULL);
    json_number(f, "bytes", r->bytes, r->bytes > 0);
    json_number(f, "error", r->error, r->checked);
    json_text(f, "note", r->note);
    fprintf(f, "\"threads\": %d }", r->threads);
}

int report_stop(void)
{
    FILE *f = fopen(report.path, "w");
    int i;
    if (!f) machine_fail("cannot write %s", report.path);
    fputs("[\n", f);
    for (i = 0; i < report.n; i++) {
        json_result(f, &report.all[i]);
        fputs(i + 1 < report.n ? ",\n" : "\n", f);
    }
    fputs("]\n", f);
    if (fclose(f)) machine_fail("cannot write %s", report.path);
    printf("\n%d results in %s; %d fall short of their aims\n", report.n, report.path,
           report.short_of_aim);
    return report.short_of_aim;
}
