/* measure.h - which rows are wanted, and how each is measured: in turn with a limit, or with other
   work. Fills in results; prints nothing. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H
#include "attend.h"

typedef struct options {
    const char *only;          /* part of a name; null = all */
    const char *json;
    int         quick, scaling, cpu, threads;
    int         best;          /* lctx_isa: the best that the CPU has, or that LCTX_ISA allows */
} options;

int    wanted(const options *o, const char *name);
double seconds_each(const options *o); /* for one row */
int    rounds_each(const options *o);  /* the least for one row */

result result_start(const shape *what);    /* nothing measured yet */
/* Work in turn with a limit. */
result measure(const options *o, const shape *what, peak limit, const job *work);
/* Work in turn with other work: its time over the other's, which should be at most `most`. */
void   measure_ratio(const options *o, result *r, const job *other, const char *name,
                     const job *work, double most);

/* Attention, a sample of it checked, in turn with the limit that is nearer: of memory or of
   products, by the fractions to reach (0: none). Of one query it is told how near the other is. */
typedef struct aims { double read, products; } aims;
result measure_attend(const options *o, const setting *s, aims a);
/* The same in turn with another setting, and with the limit right after. */
result measure_beside(const options *o, const setting *s, const setting *other, const char *name,
                      double most);
/* Closeness of what must be the same: normalised mean squared. */
double error_of(int64_t n, const float *x, const float *ref);
#endif
