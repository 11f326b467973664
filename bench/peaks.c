#include "peaks.h"

#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#  include <immintrin.h>
#  define TARGET(isa) __attribute__((noinline, target(isa)))
#else
#  define TARGET(isa) __attribute__((noinline))
#endif
#ifdef __aarch64__
#  include <arm_neon.h>
#endif

typedef int64_t i128 __attribute__((vector_size(16), may_alias));
typedef int64_t i256 __attribute__((vector_size(32), may_alias));
typedef int64_t i512 __attribute__((vector_size(64), may_alias));

static volatile int64_t sink;              /* what keeps results alive */
static volatile float   sink_f;

/* ---- reading: `streams` runs side by side through n bytes, 256 bytes of each in turn, prefetching
   `ahead` bytes if that is not 0. n is a multiple of 4096. */
#define READ_KERNEL(name, isa, vec)                                                              \
    TARGET(isa) static void name(const char *p, size_t n, int streams, size_t ahead)             \
    {                                                                                            \
        const size_t run = n / (size_t)streams;                                                  \
        vec a = { 0 }, b = a, c = a, d = a;                                                      \
        size_t at, i;                                                                            \
        int s;                                                                                   \
        for (at = 0; at < run; at += 256)                                                        \
            for (s = 0; s < streams; s++) {                                                      \
                const char *q = p + (size_t)s * run + at;                                        \
                for (i = 0; ahead && i < 256; i += 64) __builtin_prefetch(q + ahead + i, 0, 0);  \
                _Pragma("GCC unroll 4")                                                          \
                for (i = 0; i < 256; i += 4 * sizeof a) {                                        \
                    const vec *v = (const vec *)(const void *)(q + i);                           \
                    a ^= v[0], b ^= v[1], c ^= v[2], d ^= v[3];                                  \
                }                                                                                \
            }                                                                                    \
        a ^= b ^ c ^ d;                                                                          \
        sink = a[0] ^ a[1];                                                                      \
    }

READ_KERNEL(read_base, "sse2", i128)
#ifdef __x86_64__
READ_KERNEL(read_avx2, "avx2", i256)
READ_KERNEL(read_avx512, "avx512f", i512)
#endif

/* ---- copying n bytes, a multiple of 4096 */
typedef void copy_kernel(char *to, const char *from, size_t n);

static void copy_libc(char *to, const char *from, size_t n) { memcpy(to, from, n); }

#define COPY_KERNEL(name, isa, vec, load, store)                                                 \
    TARGET(isa) static void name(char *to, const char *from, size_t n)                           \
    {                                                                                            \
        size_t at;                                                                               \
        for (at = 0; at < n; at += 4 * sizeof(vec)) {                                            \
            const vec *x = (const vec *)(const void *)(from + at);                               \
            vec *y = (vec *)(void *)(to + at);                                                   \
            const vec a = load(x), b = load(x + 1), c = load(x + 2), d = load(x + 3);            \
            store(y, a), store(y + 1, b), store(y + 2, c), store(y + 3, d);                      \
        }                                                                                        \
    }
#ifdef __x86_64__
COPY_KERNEL(copy_avx2, "avx2", __m256i, _mm256_load_si256, _mm256_store_si256)
COPY_KERNEL(stream_sse2, "sse2", __m128i, _mm_load_si128, _mm_stream_si128)
COPY_KERNEL(stream_avx2, "avx2", __m256i, _mm256_load_si256, _mm256_stream_si256)
COPY_KERNEL(copy_avx512, "avx512f", __m512i, _mm512_load_si512, _mm512_store_si512)
COPY_KERNEL(stream_avx512, "avx512f", __m512i, _mm512_load_si512, _mm512_stream_si512)
#endif

/* ---- multiply-adds: CHAINS independent ones, enough to hide the latency of any of them */
enum { CHAINS = 12 };

#define FMA_KERNEL(name, isa, vec, zero, fma, finish)                                            \
    TARGET(isa) static void name(int64_t n)                                                      \
    {                                                                                            \
        vec a[CHAINS], x = zero, y = zero;                                                       \
        int64_t i;                                                                               \
        float first;                                                                             \
        int k;                                                                                   \
        _Pragma("GCC unroll 12")                                                                 \
        for (k = 0; k < CHAINS; k++) a[k] = zero;                                                \
        for (i = 0; i < n; i++)                                                                  \
            _Pragma("GCC unroll 12")                                                             \
            for (k = 0; k < CHAINS; k++) a[k] = fma(a[k], x, y);                                 \
        _Pragma("GCC unroll 12")                                                                 \
        for (k = 1; k < CHAINS; k++) a[0] = finish(a[0], a[k]);                                  \
        memcpy(&first, a, sizeof first);                                                         \
        sink_f = first;                                                                          \
    }

/* An operand that the compiler knows nothing about, so that nothing is computed beforehand. */
static volatile float operand = 0.25f;

#define MULTIPLY_ADD(a, x, y) ((a) * (x) + (y))
#define PLUS(a, b) ((a) + (b))
typedef float f128 __attribute__((vector_size(16)));
#define SPLAT_128 (f128){ operand, operand, operand, operand }
FMA_KERNEL(fma_base, "sse2", f128, SPLAT_128, MULTIPLY_ADD, PLUS)

#ifdef __x86_64__
#define FMA_256(a, x, y)  _mm256_fmadd_ps(a, x, y)
#define FMA_512(a, x, y)  _mm512_fmadd_ps(a, x, y)
#define BF16_512(a, x, y) _mm512_dpbf16_ps(a, (__m512bh)(x), (__m512bh)(y))
#define INT8_512(a, x, y) _mm512_dpbusd_epi32(a, x, y)
FMA_KERNEL(fma_avx2, "avx2,fma", __m256, _mm256_set1_ps(operand), FMA_256, _mm256_add_ps)
FMA_KERNEL(fma_avx512, "avx512f", __m512, _mm512_set1_ps(operand), FMA_512, _mm512_add_ps)
FMA_KERNEL(fma_bf16, "avx512f,avx512bf16", __m512, _mm512_set1_ps(operand), BF16_512, _mm512_add_ps)
FMA_KERNEL(fma_int8, "avx512f,avx512vnni", __m512i, _mm512_set1_epi32((int)(4 * operand)), INT8_512,
           _mm512_add_epi32)
#endif
#ifdef __aarch64__
#define FMA_NEON(a, x, y) vfmaq_f32(y, a, x)
FMA_KERNEL(fma_neon, "", float32x4_t, vdupq_n_f32(operand), FMA_NEON, vaddq_f32)
#endif

/* ---- what there is, and what this CPU has of it */
typedef struct read_way {
    const char *how;
    void      (*read)(const char *p, size_t n, int streams, size_t ahead);
    int         streams;
    size_t      ahead;
    int         level;         /* 0 baseline, 1 AVX2, 2 AVX-512 */
} read_way;

typedef struct copy_way {
    const char  *how;
    copy_kernel *copy;
    int          level;
} copy_way;

static const read_way read_ways[] = {
    { "one run a thread", read_base, 1, 0, 0 },
#ifdef __x86_64__
    { "256 bit", read_avx2, 1, 0, 1 },
    { "256 bit, 4 runs", read_avx2, 4, 0, 1 },
    { "256 bit, prefetch 2 K", read_avx2, 1, 2048, 1 },
    { "512 bit", read_avx512, 1, 0, 2 },
    { "512 bit, 2 runs", read_avx512, 2, 0, 2 },
    { "512 bit, 4 runs", read_avx512, 4, 0, 2 },
    { "512 bit, 8 runs", read_avx512, 8, 0, 2 },
    { "512 bit, prefetch 2 K", read_avx512, 1, 2048, 2 },
    { "512 bit, 4 runs, prefetch 1 K", read_avx512, 4, 1024, 2 },
#endif
    { "4 runs a thread", read_base, 4, 0, 0 }
};
static const copy_way copy_ways[] = {
    { "memcpy", copy_libc, 0 },
#ifdef __x86_64__
    { "256 bit", copy_avx2, 1 },
    { "512 bit", copy_avx512, 2 },
    { "128 bit, past the cache", stream_sse2, 0 },
    { "256 bit, past the cache", stream_avx2, 1 },
    { "512 bit, past the cache", stream_avx512, 2 },
#endif
};
enum {
    N_READ = sizeof read_ways / sizeof *read_ways,
    N_COPY = sizeof copy_ways / sizeof *copy_ways
};

static struct {
    char           *mem;       /* read as a whole; one half copied to the other */
    size_t          bytes;
    const read_way *read;
    const copy_way *copy;
} now;

static int has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

static int has_avx512(const char *part)
{
#ifdef __x86_64__
    if (!__builtin_cpu_supports("avx512f")) return 0;
    if (!strcmp(part, "bf16")) return __builtin_cpu_supports("avx512bf16") != 0;
    if (!strcmp(part, "vnni")) return __builtin_cpu_supports("avx512vnni") != 0;
    return 1;
#else
    (void)part;
    return 0;
#endif
}

static int has_level(int level)
{
    return level == 2 ? has_avx512("f") : level == 1 ? has_avx2() : 1;
}

/* ---- memory: every thread has its part, in pieces of whole pages */
enum { PAGE = 4096 };

static size_t part_of(size_t bytes)
{
    return bytes / (size_t)machine_threads() / (4 * PAGE) * (4 * PAGE);
}

static void read_part(void *arg, int64_t i, int32_t thread)
{
    const read_way *way = arg;
    const size_t n = part_of(now.bytes);
    (void)thread;
    way->read(now.mem + (size_t)i * n, n, way->streams, way->ahead);
}
static void copy_part(void *arg, int64_t i, int32_t thread)
{
    const copy_way *way = arg;
    const size_t n = part_of(now.bytes / 2);
    char *from = now.mem + (size_t)i * n;
    (void)thread;
    way->copy(from + now.bytes / 2, from, n);
}
static void read_all(void *arg) { machine_run(machine_threads(), read_part, arg); }
static void copy_all(void *arg) { machine_run(machine_threads(), copy_part, arg); }

static job read_job(const read_way *way)
{
    job j = { read_all, NULL, 0 };
    j.arg = (void *)(uintptr_t)way;
    j.amount = (double)part_of(now.bytes) * machine_threads();
    return j;
}
static job copy_job(const copy_way *way)
{
    job j = { copy_all, NULL, 0 };
    j.arg = (void *)(uintptr_t)way;
    j.amount = 2 * (double)part_of(now.bytes / 2) * machine_threads();
    return j;
}

void peaks_start(void)
{
    double best = 0, rate;
    size_t i;
    now.bytes = 2 * machine_l3_bytes();
    if (now.bytes < (size_t)256 << 20) now.bytes = (size_t)256 << 20;
    now.mem = machine_alloc(now.bytes + PAGE);
    for (i = 0; i < N_READ; i++) {
        job j = read_job(&read_ways[i]);
        if (!has_level(read_ways[i].level)) continue;
        rate = machine_time(NULL, &j, 0.1, 3).rate;
        if (rate > best) best = rate, now.read = &read_ways[i];
    }
    for (best = 0, i = 0; i < N_COPY; i++) {
        job j = copy_job(&copy_ways[i]);
        if (!has_level(copy_ways[i].level)) continue;
        rate = machine_time(NULL, &j, 0.1, 3).rate;
        if (rate > best) best = rate, now.copy = &copy_ways[i];
    }
}

void peaks_stop(void) { machine_free(now.mem, now.bytes + PAGE); }

/* ---- arithmetic */
typedef struct unit {
    const char *name, *how, *unit;
    void      (*run)(int64_t n);
    int         ops;           /* of one instruction */
} unit;

static const unit units[PEAK_COUNT] = {
    { "limit-read", "", "GB/s", NULL, 0 },
    { "limit-copy", "", "GB/s", NULL, 0 },
    { "limit-fma-base", "multiply and add, 128 bit", "GFLOP/s", fma_base, 8 },
#ifdef __x86_64__
    { "limit-fma-avx2", "vfmadd, 256 bit", "GFLOP/s", fma_avx2, 16 },
    { "limit-fma-avx512", "vfmadd, 512 bit", "GFLOP/s", fma_avx512, 32 },
    { "limit-fma-neon", "", "GFLOP/s", NULL, 0 },
    { "limit-bf16", "vdpbf16ps, 512 bit", "GFLOP/s", fma_bf16, 64 },
    { "limit-int8", "vpdpbusd, 512 bit", "GFLOP/s", fma_int8, 128 },
#else
    { "limit-fma-avx2", "", "GFLOP/s", NULL, 0 },
    { "limit-fma-avx512", "", "GFLOP/s", NULL, 0 },
#ifdef __aarch64__
    { "limit-fma-neon", "fmla, 128 bit", "GFLOP/s", fma_neon, 8 },
#else
    { "limit-fma-neon", "", "GFLOP/s", NULL, 0 },
#endif
    { "limit-bf16", "", "GFLOP/s", NULL, 0 },
    { "limit-int8", "", "GFLOP/s", NULL, 0 },
#endif
};
enum { STEPS = 1 << 20, PIECES = 8 };      /* loops of one task, tasks a thread */

static void fma_part(void *arg, int64_t i, int32_t thread)
{
    const unit *u = arg;
    (void)i, (void)thread;
    u->run(STEPS / PIECES);
}
static void fma_all(void *arg) { machine_run((int64_t)PIECES * machine_threads(), fma_part, arg); }

int peak_present(peak p)
{
    switch (p) {
    case PEAK_READ: case PEAK_COPY: return 1;
    case PEAK_FMA_AVX2:   return has_avx2();
    case PEAK_FMA_AVX512: return has_avx512("f");
    case PEAK_BF16:       return has_avx512("bf16");
    case PEAK_INT8:       return has_avx512("vnni");
    default:              return units[p].run != NULL;
    }
}

job peak_job(peak p)
{
    job j = { fma_all, NULL, 0 };
    if (p == PEAK_READ) return read_job(now.read);
    if (p == PEAK_COPY) return copy_job(now.copy);
    j.arg = (void *)(uintptr_t)&units[p];
    j.amount = (double)units[p].ops * CHAINS * STEPS * machine_threads();
    return j;
}

const char *peak_name(peak p) { return units[p].name; }
const char *peak_bound(peak p) { return units[p].name + strlen("limit-"); }
const char *peak_unit(peak p) { return units[p].unit; }
const char *peak_how(peak p)
{
    return p == PEAK_READ ? now.read->how : p == PEAK_COPY ? now.copy->how : units[p].how;
}

double peak_now(peak p)
{
    const job j = peak_job(p);
    return machine_time(NULL, &j, 0.1, 3).rate;
}

double peak_known(peak p)
{
    static double known[PEAK_COUNT];
    if (!peak_present(p)) return 0;
    if (known[p] == 0) known[p] = peak_now(p);
    return known[p];
}

/* A link of a chain of additions. What is added must be in a register: CPUs fold known numbers. */
#if defined(__x86_64__)
#  define LINK "add %1, %0\n"
#elif defined(__aarch64__)
#  define LINK "add %0, %0, %1\n"
#else
#  define LINK ""
#endif

double peak_clock(void)
{
    const int64_t n = sizeof LINK > 1 ? 100000 : 0;
    double best = 0, start, rate;
    int64_t i, x = 3, y = 5;
    int k;
    for (k = 0; k < 200; k++) {            /* short and often: some are not interrupted */
        start = machine_seconds();
        for (i = 0; i < n; i++) __asm__ volatile(LINK LINK LINK LINK : "+r"(x) : "r"(y));
        rate = 4 * (double)n / (machine_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}
