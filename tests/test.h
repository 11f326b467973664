/* test.h - a case is a sentence that says what it proves; failures are printed, passes counted. */
#ifndef TEST_H
#define TEST_H
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether memory can be had by pages, and far more of them than exist. */
#if SIZE_MAX > 0xffffffff && !defined(_WIN32)
#  define TEST_PAGES 1
#else
#  define TEST_PAGES 0
#endif

#ifdef __GNUC__
#  define TEST_UNUSED __attribute__((unused))
#else
#  define TEST_UNUSED
#endif

static int test_passed, test_failed;

#ifdef __GNUC__
__attribute__((format(printf, 2, 3), unused))
#endif
static void check(int ok, const char *proves, ...)
{
    va_list args;
    if (ok) test_passed++; else test_failed++;
    if (ok && !getenv("TEST_VERBOSE")) return;
    printf("  %s: ", ok ? "ok" : "FAIL");
    va_start(args, proves);
    vprintf(proves, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* The last line of every suite: "suite [isa]: N passed, N failed". Returns main's exit code. */
TEST_UNUSED static int test_report(const char *suite, const char *isa)
{
    printf("%s [%s]: %d passed, %d failed\n", suite, isa, test_passed, test_failed);
    return test_failed != 0;
}

#ifdef LCTX_H
/* Is this the best instruction set that there is? */
TEST_UNUSED static int test_fastest(void)
{
    const lctx_isa mine = lctx_isa_get();
    int isa, best = 1;
    for (isa = (int)mine + 1; isa < LCTX_ISA_COUNT; isa++)
        best &= lctx_isa_set((lctx_isa)isa) != LCTX_OK;
    lctx_isa_set(mine);
    return best;
}

/* Are grids sampled? With TEST_SLOW=1; of scalar code, which is slow; and of AVX-512 where the set
   with dot products is tried as well, which takes all that are not dot products from it. Never with
   TEST_FULL=1. */
TEST_UNUSED static int test_sampled(void)
{
    static int shared = -1;
    const lctx_isa mine = lctx_isa_get();
    if (shared < 0) {
        shared = mine == LCTX_ISA_AVX512 && lctx_isa_set(LCTX_ISA_AVX512_DOT) == LCTX_OK;
        lctx_isa_set(mine);
    }
    return (mine == LCTX_ISA_SCALAR || shared || getenv("TEST_SLOW")) && !getenv("TEST_FULL");
}

/* Where most of a case is its oracle, which knows no sets, it is asked once for all of them:
       for (set = -1; test_next_set(&set);) ...
   With TEST_SETS=1, as tests/run.sh has it, the best set's process goes through all sets, and that
   of another through none; without, each goes through its own. */
TEST_UNUSED static int test_next_set(int *set)
{
    static int own = -1, best, all;
    if (own < 0) {
        own = (int)lctx_isa_get();
        best = test_fastest();
        all = getenv("TEST_SETS") != NULL;
    }
    if (all && !best) return 0;
    if (!all) return *set < 0 ? *set = own, 1 : 0;
    while (++*set < LCTX_ISA_COUNT)
        if (lctx_isa_set((lctx_isa)*set) == LCTX_OK) return 1;
    lctx_isa_set((lctx_isa)own);
    return 0;
}

/* Is it for another set's process to try all of what does not depend on sets: files, memory that is
   not there, arguments? Then a sample is tried here. */
TEST_UNUSED static int test_elsewhere(void)
{
    static int other = -1;
    if (other < 0) other = getenv("TEST_SETS") && !getenv("TEST_FULL") && !test_fastest();
    return other;
}
#endif

/* A small deterministic generator, so that a failing case can be run again. */
static uint64_t test_state = 0x9e3779b97f4a7c15u;
static inline uint64_t test_random(void)
{
    uint64_t z = test_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
TEST_UNUSED static inline double test_uniform(void)
{
    return (double)(test_random() >> 11) / 9007199254740992.0;
}
/* About normal: the sum of 13 uniforms, 12 of them of 16 bits, mean 0, variance 1. */
TEST_UNUSED static inline float test_normal(void)
{
    int sum = 0, i;
    for (i = 0; i < 3; i++) {
        uint64_t x = test_random();
        sum += (int)(x & 0xffff) + (int)(x >> 16 & 0xffff);
        sum += (int)(x >> 32 & 0xffff) + (int)(x >> 48);
    }
    return (float)((sum / 65536.0 + test_uniform() - 6.5) * 0.9607689228305228);
}
#endif
