/* compare.h - what the comparison found, and how it is shown. */
#ifndef COMPARE_H
#define COMPARE_H
#include "tasks.h"
#include <stdio.h>

enum { FILES = 3, DEPTHS = 5, LENGTHS = 7, ROWS = 96, STRETCHES = 5, LEDGERS = 5, NAMES = 48,
       LAST = 256, STEPS = 32, DEEP = 2, DEEP_TRIALS = 100, HYBRID = 2 };
#define HEADROOM 1.25                                 /* of factors, the same for all schemes */

/* What was found of one method on one model. A length is trained << i tokens. */
typedef struct row {
    int         file;                                 /* 0 as trained, 1 fine-tuned, HYBRID */
    char        method[32];
    int64_t     type;                                 /* of keys and values */
    int         asked;                                /* for a ledger's digits and pass keys */
    task_tally  position[STRETCHES][TASK_BUCKETS];
    task_tally  last[LEDGERS][LENGTHS];               /* a restated digit, by length */
    int64_t     bytes[LENGTHS];                       /* of caches and states */
    double      decode[LENGTHS], prompt;              /* CPU seconds a token */
    int64_t     right[LENGTHS][DEPTHS];               /* of tried[] each */
    int64_t     tried[LENGTHS];                       /* trials at each depth, 0: none */
    int64_t     deep[DEPTHS], n_deep;                 /* right at length DEEP, of n_deep each */
} row;

typedef struct comparison {
    int64_t trained, trials, deep_trials, stretches, ledgers;
    int     n_lengths, n_rows;
    row     rows[ROWS];
} comparison;

int64_t length_of(const comparison *c, int i);

void table_print(FILE *f, const comparison *c);

/* JSON, one figure a line, flushed row by row. */
void json_begin(FILE *f);
void json_row(FILE *f, const comparison *c, const row *x);
void json_end(FILE *f);
#endif
