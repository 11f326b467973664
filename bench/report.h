/* report.h - the table on the terminal and its JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H
#include "machine.h"

/* What was measured on what. Fields that do not apply are 0 or null. */
typedef struct shape {
    const char *name;
    int64_t     n_q, n_kv;
    int32_t     head_dim, n_head, n_head_kv;
    const char *type;          /* of keys and values, or of weights */
    const char *layout;        /* "tiles", "rows", ... */
} shape;

typedef struct result {
    shape       what;
    const char *isa;
    int         threads;
    double      ms, spread;    /* median of the runs; see machine.h */
    double      achieved, limit;   /* in units, and what bounds them, measured in turn */
    const char *unit;          /* "GB/s", "GFLOP/s", ... */
    const char *bound;         /* which limit that is: "read", "fma-avx512", ... */
    double      aim;           /* the fraction of the limit to reach; 0 = none */
    double      of_peak;       /* of another limit that is farther: the fraction, */
    const char *peak;          /* and which; 0 = not asked */
    double      ratio;         /* to the time of ratio_to; 0 = none */
    double      ratio_aim;     /* the most that it should be; 0 = none */
    const char *ratio_to;
    double      bytes;         /* memory, where that is the subject */
    double      error;         /* normalised mean squared, of the sample that was checked */
    int         checked;
    const char *note;          /* how it was done, if that is not plain */
} result;

void report_start(const char *json_path);
void report_heading(const char *text);     /* printed before the first row below it */
void report_add(const result *r);
/* A line of the table that is no measurement: what was skipped, and why. */
void report_note(const char *text);
/* The first result of that name and these types and sizes, or null: for ratios. */
const result *report_find(const shape *what, const char *isa);
int  report_stop(void);        /* writes the JSON; how many results fell short of their aims */
#endif
