/* peaks.h - the machine's limits, as jobs that run in turn with the work they are to bound:
   streaming reads and copies over memory far beyond the last cache, and multiply-adds in
   registers. */
#ifndef BENCH_PEAKS_H
#define BENCH_PEAKS_H
#include "machine.h"

typedef enum peak {
    PEAK_READ,                 /* bytes read */
    PEAK_COPY,                 /* bytes read and bytes written, both counted */
    PEAK_FMA_BASE,             /* what the compiler's baseline has: SSE2, or scalar */
    PEAK_FMA_AVX2, PEAK_FMA_AVX512, PEAK_FMA_NEON,
    PEAK_BF16, PEAK_INT8,      /* dot products: a multiply and an add are two operations */
    PEAK_COUNT
} peak;

/* Tries the patterns of PEAK_READ and PEAK_COPY and keeps the best of each. */
void peaks_start(void);
void peaks_stop(void);

int         peak_present(peak p);          /* can this CPU run it? */
job         peak_job(peak p);
const char *peak_name(peak p);             /* "limit-read", ... */
const char *peak_bound(peak p);            /* "read", ...: the same, of a row that it bounds */
const char *peak_unit(peak p);             /* "GB/s" or "GFLOP/s" */
const char *peak_how(peak p);              /* the pattern in use, or the instruction */
double      peak_now(peak p);              /* amount a second, measured at once and briefly */
double      peak_known(peak p);            /* the same, as it was when first asked for */
double      peak_clock(void);              /* cycles a second of one core; 0: not known here */
#endif
