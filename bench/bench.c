/* bench.c - how close lctx.h comes to what the machine can do, and how far others are behind.
   Limits are measured in turn with the work that they bound, because machines drift. */
#include "baseline.h"
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int wanted(const options *o, const char *name) { return !o->only || strstr(name, o->only) != NULL; }
double seconds_each(const options *o) { return o->quick ? 0.3 : 3; }
int rounds_each(const options *o) { return o->quick ? 3 : 7; }

result measure(const options *o, const shape *what, peak limit, const job *work)
{
    const job bound = peak_job(limit);
    const timing t = machine_time(&bound, work, seconds_each(o), rounds_each(o));
    result r = { 0 };
    r.what = *what, r.isa = isa_name(), r.threads = machine_threads();
    r.ms = t.ms, r.spread = t.spread;
    r.achieved = t.rate / 1e9, r.limit = t.limit / 1e9, r.unit = peak_unit(limit);
    return r;
}

/* How much of what the multiply-adds can do a row bound by memory takes; measured right after it. */
static void put_of_peak(result *r, peak p, double flops)
{
    const job j = peak_job(p);
    const timing t = machine_time(NULL, &j, 0.1, 3);
    r->of_peak = flops / (r->ms / 1e3) / t.rate, r->peak = peak_name(p) + strlen("limit-");
}

result measure_attend(const options *o, const setting *s)
{
    const shape what = attend_shape(s);
    const int decode = s->n_q == 1;
    attend w;
    job work = { attend_run, &w, 0 };
    double error;
    result r;
    attend_open(&w, s);
    error = attend_check(&w);
    work.amount = decode ? attend_bytes(s) : attend_flops(s);
    r = measure(o, &what, decode ? PEAK_READ : peak_of_products(s->type), &work);
    r.error = error, r.checked = 1;
    if (decode) put_of_peak(&r, peak_of_products(s->type), attend_flops(s));
    attend_close(&w);
    return r;
}

/* ---- the limits by themselves */
void limits_section(const options *o)
{
    char text[128];
    int p;
    report_heading("LIMITS (in the rows below they are measured again, in turn with the work)");
    for (p = 0; p < PEAK_COUNT; p++) {
        shape what = { 0 };
        job j;
        timing t;
        result r = { 0 };
        what.name = peak_name((peak)p);
        if (!peak_present((peak)p) || !wanted(o, what.name)) continue;
        j = peak_job((peak)p);
        t = machine_time(NULL, &j, seconds_each(o) / 2, rounds_each(o));
        r.note = peak_how((peak)p);
        r.what = what, r.threads = machine_threads(), r.ms = t.ms, r.spread = t.spread;
        r.achieved = t.rate / 1e9, r.unit = peak_unit((peak)p);
        report_add(&r);
    }
    if (o->only) return;
    snprintf(text, sizeof text, "one core does %.2f G dependent additions a second: its clock",
             peak_clock() / 1e9);
    report_note(text);
}

/* ---- attention */
typedef struct attention_row {
    setting s;
    double  aim, aim_avx2;     /* of the limit; avx2 0: not run under it */
    double  ratio_aim;         /* most time, against the type below */
    int32_t ratio_to;          /* lctx_type; 0 = no ratio */
    int     quick;             /* 1: with --quick too; 2: under AVX2 as well */
} attention_row;

enum { K = 1024 };
#define TILES(n_kv, dim, n_head, n_head_kv, type) n_kv, dim, n_head, n_head_kv, type, LCTX_TILES

static const attention_row attention_rows[] = {
    { { "decode",  1,   TILES(8 * K,   128, 32, 8,  LCTX_F16) },  .75, .75, 0, 0, 0 },
    { { "decode",  1,   TILES(32 * K,  128, 32, 8,  LCTX_F16) },  .90, .80, 0, 0, 2 },
    { { "decode",  1,   TILES(128 * K, 128, 32, 8,  LCTX_F16) },  .90, .80, 0, 0, 1 },
    { { "decode",  1,   TILES(32 * K,  128, 32, 32, LCTX_F16) },  .90, .80, 0, 0, 1 },
    { { "decode",  1,   TILES(128 * K, 64,  32, 8,  LCTX_F16) },  .90, .80, 0, 0, 1 },
    { { "decode",  1,   TILES(128 * K, 128, 32, 4,  LCTX_F16) },  .75, .75, 0, 0, 1 },
    { { "decode",  1,   TILES(128 * K, 128, 32, 8,  LCTX_I8) },   .70, .70, .62, LCTX_F16, 1 },
    { { "decode",  1,   TILES(128 * K, 128, 32, 8,  LCTX_BF16) }, 0,   0,   0, 0, 0 },
    { { "decode",  1,   TILES(128 * K, 128, 32, 8,  LCTX_I4) },   0,   0,   0, LCTX_F16, 0 },
    { { "decode",  1,   TILES(32 * K,  128, 32, 8,  LCTX_F32) },  0,   0,   0, 0, 0 },
    { { "decode",  1,   128 * K, 128, 32, 8, LCTX_F16, LCTX_ROWS }, .55, .55, 0, 0, 1 },
    { { "prefill", 512, TILES(16 * K,  128, 32, 8,  LCTX_F16) },  .75, .70, 0, 0, 2 },
    { { "prefill", 512, TILES(16 * K,  128, 32, 8,  LCTX_BF16) }, .60, 0,   0, 0, 1 },
    { { "prefill", 512, TILES(16 * K,  128, 32, 8,  LCTX_I8) },   0,   0,   .85, LCTX_BF16, 1 },
    { { "prefill", 512, 16 * K, 128, 32, 8, LCTX_F16, LCTX_ROWS }, 0,  0,   0, 0, 0 },
    { { "square",  4096, TILES(4096,   128, 32, 8,  LCTX_F16) },  .75, .70, 0, 0, 1 },
    { { "square",  4096, TILES(4096,   128, 32, 8,  LCTX_BF16) }, .60, 0,   0, 0, 0 },
    { { "square",  4096, TILES(4096,   128, 32, 8,  LCTX_I8) },   0,   0,   .85, LCTX_BF16, 0 },
};

static void put_ratio_to(result *r, const attention_row *row)
{
    shape other = r->what;
    const result *found;
    if (!row->ratio_to) return;
    other.type = type_name(row->ratio_to);
    found = report_find(&other, r->isa);
    if (!found) return;
    r->ratio = r->ms / found->ms, r->ratio_to = other.type, r->ratio_aim = row->ratio_aim;
}

static void attention_row_run(const options *o, const attention_row *row, double aim)
{
    result r = measure_attend(o, &row->s);
    r.aim = aim;
    put_ratio_to(&r, row);
    report_add(&r);
}

void attention_section(const options *o)
{
    size_t i;
    report_heading("ATTENTION (GB/s of keys and values read; flops: 4 head_dim a visible pair)");
    for (i = 0; i < sizeof attention_rows / sizeof *attention_rows; i++) {
        const attention_row *row = &attention_rows[i];
        if (!wanted(o, row->s.name) || (o->quick && !row->quick)) continue;
        lctx_isa_set((lctx_isa)o->best);
        attention_row_run(o, row, o->best == LCTX_ISA_AVX2 ? row->aim_avx2 : row->aim);
        if (row->aim_avx2 == 0 || (o->quick && row->quick < 2)) continue;
        if (o->best == LCTX_ISA_AVX2 || lctx_isa_set(LCTX_ISA_AVX2)) continue;
        attention_row_run(o, row, row->aim_avx2);
    }
    lctx_isa_set((lctx_isa)o->best);
}

/* ---- the command line */
static const char help[] =
    "bench [options]\n"
    "  --quick         fewer rows and repetitions: under a minute\n"
    "  --scaling       then curves over context, prompt length and threads (up to 4 GiB more)\n"
    "  --only NAME     rows whose name contains NAME: limit, decode, prefill, square, rope,\n"
    "                  sinks, scratch, matvec, matmul, plain, openblas, ggml, scale\n"
    "  --threads N     instead of one a core\n"
    "  --cpu           one thread, by its CPU time: for a look while the machine is busy\n"
    "  --json FILE     instead of build/bench.json\n"
    "  LCTX_ISA=avx2 in the environment caps the instruction set\n";

static const char *value_of(char **arg, int *i)
{
    if (!arg[*i + 1]) machine_fail("%s wants a value", arg[*i]);
    return arg[++*i];
}

static int parse(options *o, char **arg)
{
    int i;
    for (i = 1; arg[i]; i++) {
        if (!strcmp(arg[i], "--quick")) o->quick = 1;
        else if (!strcmp(arg[i], "--scaling")) o->scaling = 1;
        else if (!strcmp(arg[i], "--cpu")) o->cpu = 1, o->threads = 1;
        else if (!strcmp(arg[i], "--only")) o->only = value_of(arg, &i);
        else if (!strcmp(arg[i], "--json")) o->json = value_of(arg, &i);
        else if (!strcmp(arg[i], "--threads")) o->threads = atoi(value_of(arg, &i));
        else {
            fputs(help, strcmp(arg[i], "--help") ? stderr : stdout);
            return strcmp(arg[i], "--help") ? 2 : 0;
        }
    }
    if (o->threads < 1) machine_fail("--threads wants a number above 0");
    return -1;
}

int main(int argc, char **argv)
{
    options o = { 0 };
    int end;
    (void)argc;
    o.json = "build/bench.json";
    o.threads = machine_cores();
    if ((end = parse(&o, argv)) >= 0) return end;
    o.best = (int)lctx_isa_get();
    if (o.cpu) machine_count_cpu();
    machine_start(o.threads);
    peaks_start();
    store_start((size_t)516 << 20);
    report_start(o.json);
    limits_section(&o);
    attention_section(&o);
    steps_section(&o);
    model_section(&o);
    baseline_section(&o);
    store_stop();
    if (o.scaling) scaling_section(&o);
    peaks_stop();
    blas_close();
    machine_stop();
    report_stop();
    return 0;
}
