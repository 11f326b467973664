/* Demonstrates a context in pieces: each is attended to on its own, as another process would do it,
   and gives its output and log-sum-exp; lctx_merge makes of them what the whole context gives. */
#include "args.h"
#include "lctx.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADS = 8, KV_HEADS = 2, DIM = 64, ROW = HEADS * DIM, MAX_PIECES = 1024 };

static int64_t n_tokens = 10000, n_pieces = 5;

static const args_option options[] = {
    { "--tokens", ARGS_INT, &n_tokens, 1, 1e8, "N", "tokens in the context; default 10000" },
    { "--pieces", ARGS_INT, &n_pieces, 1, MAX_PIECES, "N", "of about equal length; default 5" },
    { 0 }
};

/* Numbers in -1 .. 1, always the same. */
static float *random_rows(int64_t n)
{
    static uint32_t x = 1;
    float *rows = calloc((size_t)n, sizeof *rows);
    int64_t i;
    if (!rows) fail(EXIT_RUN, "no memory for %lld numbers", (long long)n);
    for (i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        rows[i] = (float)(x >> 8) / 8388608.0f - 1;
    }
    return rows;
}

static void check(lctx_status status)
{
    if (status != LCTX_OK) fail(EXIT_RUN, "%s", lctx_status_text(status));
}

/* One query at the end of the context over tokens first .. first+n-1: out [HEADS][DIM] and lse
   [HEADS]. This is all that has to travel between processes, whatever n is. */
static void attend(const float *q, const float *k, const float *v, int64_t first, int64_t n,
                   float *out, float *lse)
{
    lctx_span s = {0};
    lctx_attn a = {0};
    size_t bytes = 0;
    void *scratch;
    s.k = k + first * KV_HEADS * DIM;
    s.v = v + first * KV_HEADS * DIM;
    s.n = n;
    s.pos = first;
    a.n_q = 1;
    a.n_head = HEADS;
    a.n_head_kv = KV_HEADS;
    a.d_k = DIM;
    a.q = q;
    a.q_pos0 = n_tokens - 1;
    a.spans = &s;
    a.n_spans = 1;
    a.out = out;
    a.lse = lse;
    check(lctx_attend_size(&a, &bytes));
    scratch = malloc(bytes + 1);
    check(lctx_attend(&a, scratch, bytes));
    free(scratch);
}

int main(int argc, char **argv)
{
    static float whole[ROW], merged[ROW], lse[HEADS], merged_lse[HEADS];
    static const float *outs[MAX_PIECES], *lses[MAX_PIECES];
    float *q, *k, *v, *parts, *part_lses, worst = 0;
    int64_t i;
    args_parse(argc, argv, "split", "Merges attention over pieces of a context.", options);
    q = random_rows(ROW);
    k = random_rows(n_tokens * KV_HEADS * DIM);
    v = random_rows(n_tokens * KV_HEADS * DIM);
    parts = random_rows(n_pieces * ROW);
    part_lses = random_rows(n_pieces * HEADS);
    attend(q, k, v, 0, n_tokens, whole, lse);
    for (i = 0; i < n_pieces; i++) {
        int64_t first = n_tokens * i / n_pieces, end = n_tokens * (i + 1) / n_pieces;
        attend(q, k, v, first, end - first, parts + i * ROW, part_lses + i * HEADS);
        outs[i] = parts + i * ROW;
        lses[i] = part_lses + i * HEADS;
    }
    check(lctx_merge(HEADS, DIM, (int32_t)n_pieces, outs, lses, merged, merged_lse));
    for (i = 0; i < ROW; i++) {
        float difference = fmaxf(fabsf(whole[i] - merged[i]),
                                 fabsf(lse[i / DIM] - merged_lse[i / DIM]));
        if (difference > worst || isnan(difference)) worst = difference;
    }
    printf("%lld tokens in %lld pieces: largest difference to the whole %.1e\n",
           (long long)n_tokens, (long long)n_pieces, (double)worst);
    free(part_lses), free(parts), free(v), free(k), free(q);
    return worst <= 1e-5f ? 0 : EXIT_RUN;
}
