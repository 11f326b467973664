/* bench.c - how close lctx.h comes to what the machine can do, and how far others are behind.
   Limits are measured in turn with the work that they bound, because machines drift. */
#include "baseline.h"
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "bench [options]\n"
    "  --quick         fewer rows and repetitions: under a minute\n"
    "  --scaling       then curves over context, prompt length and threads (up to 4 GiB more)\n"
    "  --only NAME     rows whose name contains NAME: limit, decode, prefill, square, draft,\n"
    "                  sequences, bias, rope, sinks, scratch, recur, many, matvec, matmul, plain,\n"
    "                  openblas, ggml, scale\n"
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
    calls_section(&o);
    steps_section(&o);
    recur_section(&o);
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
