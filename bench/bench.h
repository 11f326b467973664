/* bench.h - the sections of the bench. What they call stands below them: measure.h, then attend.h
   and baseline.h, peaks.h and report.h, machine.h. */
#ifndef BENCH_H
#define BENCH_H
#include "measure.h"

void limits_section(const options *o);     /* limits.c: what the machine can do */
void attention_section(const options *o);  /* attention.c: decoding, drafts, prompts */
void calls_section(const options *o);      /* calls.c: many sequences, a dense bias */
void steps_section(const options *o);      /* steps.c: RoPE, eviction, scratch */
void recur_section(const options *o);      /* recur.c: states in place of keys */
void model_section(const options *o);      /* model.c: projections */
void baseline_section(const options *o);   /* against.c: others */
void scaling_section(const options *o);    /* scaling.c: curves, of these two as well: */
int  rivals_wanted(const options *o, int curve);   /* against.c */
void rivals_at(const options *o, const setting *s, int curve);
void stream_curve(int64_t longest);                /* steps.c */
#endif
