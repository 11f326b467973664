/* bench.h - the sections of the bench and what they share. */
#ifndef BENCH_H
#define BENCH_H
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

/* One row: work in turn with its limit. Fills in what was measured and what by; prints nothing. */
result measure(const options *o, const shape *what, peak limit, const job *work);
result measure_attend(const options *o, const setting *s);

void limits_section(const options *o);     /* bench.c */
void attention_section(const options *o);  /* bench.c */
void steps_section(const options *o);      /* steps.c: RoPE, eviction, scratch */
void model_section(const options *o);      /* model.c: projections */
void baseline_section(const options *o);   /* against.c */
int  rivals_wanted(const options *o, int curve);
void rivals_at(const options *o, const setting *s, int curve);
void stream_curve(int64_t longest);   /* steps.c */
void scaling_section(const options *o);    /* scaling.c */
#endif
