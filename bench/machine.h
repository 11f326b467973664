/* machine.h - what the bench asks of the machine: a clock, large memory, the library's threads,
   which limits and baselines share with it, and timing in turn. POSIX, gcc or clang. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H
#include "lctx.h"

double machine_seconds(void);              /* a clock that only runs forward */
void   machine_count_cpu(void);            /* from now on it counts this thread's CPU time */
int    machine_cores(void);
size_t machine_l3_bytes(void);             /* 0 if unknown */
size_t machine_free_bytes(void);           /* memory to be had without swapping; 0 if unknown */
size_t machine_resident_bytes(void);       /* of this process now; 0 if unknown */

/* Memory in huge pages where they are to be had, every page touched; exits if there is none. */
void *machine_alloc(size_t bytes);
void  machine_free(void *mem, size_t bytes);

/* Threads, the caller among them. */
void         machine_start(int n_threads);
void         machine_stop(void);
int          machine_threads(void);        /* those in use */
void         machine_use(int n_threads);   /* use fewer, at most as many as were started */
void         machine_run(int64_t n, lctx_task task, void *arg);
lctx_parallel machine_parallel(void);

/* A piece of work that can be repeated: amount is in bytes or operations. */
typedef struct job {
    void  (*run)(void *arg);
    void   *arg;
    double  amount;
} job;

typedef struct timing {
    double ms, spread;         /* median, and the half of the runs in the middle over the median */
    double rate, limit;        /* amount a second: of the work and of what ran in turn with it */
    double limit_ms;
    int    rounds;
} timing;

/* Runs limit, work, limit, work, ... for about `seconds`, at least min_rounds times (3 if a run
   takes over 2 seconds). limit may be null. Within a round short work is repeated for 10 ms, the
   limit as well, and beside long work for an eighth of its time: both meet the same neighbours. */
timing machine_time(const job *limit, const job *work, double seconds, int min_rounds);

/* Random numbers that are the same in every run: normal (about) with the given deviation. */
void machine_random(float *x, int64_t n, float deviation, uint64_t seed);

#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void machine_fail(const char *format, ...);
void must(lctx_status st, const char *what);   /* or fail */
#endif
