#include "rows.h"
#include "wire.h"
#include <math.h>
#include <stdlib.h>

void *rows_alloc(int64_t n, int64_t size)
{
    void *p = calloc((size_t)(n > 0 ? n : 1), (size_t)size);
    if (!p) wire_fail("no memory for %lld things of %lld bytes", (long long)n, (long long)size);
    return p;
}

/* Numbers in -1 .. 1, those of one row always the same. */
static void fill(int64_t row, float scale, int64_t n, float *x)
{
    uint32_t state = (uint32_t)row * 2654435761u + 12345u;
    int64_t i;
    for (i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = scale * ((float)(state >> 8) / 8388608.0f - 1);
    }
}

void rows_query(int64_t token, float *q) { fill(3 * token, 2, Q_ROW, q); }

void rows_key(int64_t token, uint16_t *k, uint16_t *v)
{
    float x[KV_ROW];
    fill(3 * token + 1, 1, KV_ROW, x);
    wire_check(lctx_from_f32(LCTX_F16, KV_ROW, x, k, NULL));
    fill(3 * token + 2, 1, KV_ROW, x);
    wire_check(lctx_from_f32(LCTX_F16, KV_ROW, x, v, NULL));
}

float rows_difference(const float *a, const float *b, int64_t n)
{
    float worst = 0;
    int64_t i;
    for (i = 0; i < n; i++) {
        const float difference = fabsf(a[i] - b[i]);
        if (!(difference <= worst)) worst = difference;
    }
    return worst;
}
