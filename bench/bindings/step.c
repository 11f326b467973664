/* step.c KEYS - what one decode step takes from C: a query of 8 heads over keys of 2 KV heads of
   64, f32. Prints the median in microseconds of a call that has all to set up, and of one again.
   The programs beside it do the same from other languages. */
#define _POSIX_C_SOURCE 199309L
#include "lctx.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 31, HEADS = 8, HEADS_KV = 2, DIM = 64 };
static float q[HEADS * DIM], out[HEADS * DIM];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static lctx_attn step_of(lctx_span *s, const float *k, const float *v, int64_t n)
{
    lctx_attn a;
    memset(&a, 0, sizeof a), memset(s, 0, sizeof *s);
    s->k = k, s->v = v, s->n = n;
    a.n_q = 1, a.n_head = HEADS, a.n_head_kv = HEADS_KV, a.d_k = DIM, a.q_pos0 = n - 1;
    a.q = q, a.out = out, a.spans = s, a.n_spans = 1;
    return a;
}

static void fresh(const float *k, const float *v, int64_t n)
{
    lctx_span s;
    lctx_attn a = step_of(&s, k, v, n);
    size_t bytes;
    void *scratch;
    if (lctx_attend_size(&a, &bytes) || !(scratch = malloc(bytes))) exit(1);
    if (lctx_attend(&a, scratch, bytes)) exit(1);
    free(scratch);
}

static int compare(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : 1;
}

int main(int argc, char **argv)
{
    const int64_t n = argc > 1 ? atoi(argv[1]) : 64;
    const size_t size = (size_t)n * HEADS_KV * DIM;
    float *k = calloc(size, sizeof *k), *v = calloc(size, sizeof *v);
    double first[ROUNDS], again[ROUNDS];
    int calls = n > 1000 ? 20 : 200, i, j;
    size_t bytes;
    lctx_span s;
    lctx_attn a = step_of(&s, k, v, n);
    void *scratch;
    if (!k || !v || lctx_attend_size(&a, &bytes) || !(scratch = malloc(bytes))) return 1;
    for (i = 0; i < ROUNDS; i++) {
        double start = now();
        for (j = 0; j < calls; j++) fresh(k, v, n);
        first[i] = (now() - start) / calls, start = now();
        for (j = 0; j < calls; j++) if (lctx_attend(&a, scratch, bytes)) return 1;
        again[i] = (now() - start) / calls;
    }
    qsort(first, ROUNDS, sizeof *first, compare), qsort(again, ROUNDS, sizeof *again, compare);
    printf("%.2f %.2f\n", first[ROUNDS / 2], again[ROUNDS / 2]);
    return 0;
}
