#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void machine_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void must(lctx_status st, const char *what)
{
    if (st) machine_fail("%s: %s", what, lctx_status_text(st));
}

static clockid_t clock_in_use = CLOCK_MONOTONIC;

void machine_count_cpu(void) { clock_in_use = CLOCK_THREAD_CPUTIME_ID; }

double machine_seconds(void)
{
    struct timespec t;
    clock_gettime(clock_in_use, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- sizes */
static size_t config(int name)
{
    long value = sysconf(name);
    return value > 0 ? (size_t)value : 0;
}

int machine_cores(void)
{
    size_t n = config(_SC_NPROCESSORS_ONLN);
    return n ? (int)n : 1;
}

size_t machine_l3_bytes(void)
{
#ifdef _SC_LEVEL3_CACHE_SIZE
    return config(_SC_LEVEL3_CACHE_SIZE);
#else
    return 0;
#endif
}

size_t machine_free_bytes(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    unsigned long long kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1) break;
    if (f) fclose(f);
    return (size_t)kib * 1024;
}

size_t machine_resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long total, pages = 0;
    if (f && fscanf(f, "%llu %llu", &total, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return (size_t)pages * config(_SC_PAGESIZE);
}

/* ---- memory */
#define HUGE ((size_t)2 << 20)

static size_t whole_pages(size_t bytes) { return (bytes + HUGE - 1) / HUGE * HUGE; }

void *machine_alloc(size_t bytes)
{
    const size_t size = whole_pages(bytes);
    char *raw = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;
    if (raw == MAP_FAILED) machine_fail("no memory: %zu MiB", bytes >> 20);
    before = (HUGE - (uintptr_t)raw % HUGE) % HUGE;
    if (before) munmap(raw, before);
    if (before < HUGE) munmap(raw + before + size, HUGE - before);
#ifdef MADV_HUGEPAGE
    madvise(raw + before, size, MADV_HUGEPAGE);
#endif
    memset(raw + before, 0, size);
    return raw + before;
}

void machine_free(void *mem, size_t bytes)
{
    if (mem) munmap(mem, whole_pages(bytes));
}

/* ---- threads */
static struct {
    lctx_threads *threads;
    lctx_parallel par;
    int           started;
} pool;

void machine_start(int n_threads)
{
    lctx_threads_desc d = { 0 };
    d.n_threads = n_threads;
    if (lctx_threads_create(&d, &pool.threads) || lctx_threads_parallel(pool.threads, &pool.par))
        machine_fail("no %d threads", n_threads);
    pool.started = pool.par.n_threads;
}

void machine_stop(void) { lctx_threads_free(pool.threads); }
int machine_threads(void) { return pool.par.n_threads; }

void machine_use(int n_threads)
{
    pool.par.n_threads = n_threads < 1 ? 1 : n_threads < pool.started ? n_threads : pool.started;
}

void machine_run(int64_t n, lctx_task task, void *arg)
{
    pool.par.run(pool.par.user, pool.par.n_threads, n, task, arg);
}

lctx_parallel machine_parallel(void) { return pool.par; }

/* ---- timing */
enum { MAX_ROUNDS = 200 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double q)
{
    const double at = q * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Seconds of one run, out of `repeat` in a row. */
static double run_seconds(const job *j, int repeat)
{
    const double start = machine_seconds();
    int i;
    for (i = 0; i < repeat; i++) j->run(j->arg);
    return (machine_seconds() - start) / repeat;
}

static int within(double x, int lo, int hi) { return x < lo ? lo : x > hi ? hi : (int)x; }

timing machine_time(const job *limit, const job *work, double seconds, int min_rounds)
{
    double took[MAX_ROUNDS], bound[MAX_ROUNDS], one, other = 0;
    timing t = { 0 };
    int repeat, repeat_limit = 1, i;
    one = run_seconds(work, 1);
    if (one < 0.25) one = run_seconds(work, 1);     /* once more, warm */
    if (one > 2 && min_rounds > 3) min_rounds = 3;
    repeat = within(0.010 / one, 1, 1000);          /* samples of 10 ms at least */
    if (limit) {
        other = run_seconds(limit, 1);
        repeat_limit = within((one * repeat > 0.080 ? one * repeat / 8 : 0.010) / other, 1, 1000);
    }
    t.rounds = within(seconds / (one * repeat + other * repeat_limit), min_rounds, MAX_ROUNDS);
    for (i = 0; i < t.rounds; i++) {
        bound[i] = limit ? run_seconds(limit, repeat_limit) : 0;
        took[i] = run_seconds(work, repeat);
    }
    qsort(took, (size_t)t.rounds, sizeof *took, by_value);
    qsort(bound, (size_t)t.rounds, sizeof *bound, by_value);
    t.ms = 1e3 * quantile(took, t.rounds, 0.5);
    t.spread = 1e3 * (quantile(took, t.rounds, 0.75) - quantile(took, t.rounds, 0.25)) / t.ms;
    t.rate = work->amount / t.ms * 1e3;
    t.limit_ms = 1e3 * quantile(bound, t.rounds, 0.5);
    if (limit) t.limit = limit->amount / t.limit_ms * 1e3;
    return t;
}

/* ---- random numbers: splitmix64, twelve uniforms to a normal */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void machine_random(float *x, int64_t n, float deviation, uint64_t seed)
{
    uint64_t state = seed;
    int64_t i;
    for (i = 0; i < n; i++) {
        double sum = -6;
        int k;
        for (k = 0; k < 4; k++) {
            uint64_t r = random_bits(&state);
            sum += (double)((r & 0x1fffff) + (r >> 21 & 0x1fffff) + (r >> 42 & 0x1fffff)) / 2097152;
        }
        x[i] = deviation * (float)sum;
    }
}
