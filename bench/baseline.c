#include "baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>
#ifdef __F16C__
#  include <immintrin.h>
#endif

/* ---- f16 rows to f32: by instruction if compiled for it, else by table */
#ifdef __F16C__
static void tables_start(void) {}
static void to_f32(int64_t n, const uint16_t *x, float *out)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(x + i))));
    for (; i < n; i++) out[i] = _cvtsh_ss(x[i]);
}
#else
static float table[65536];

static void tables_start(void)
{
    uint16_t half[256];
    int i, k;
    if (table[0x3c00] == 1) return;
    for (i = 0; i < 65536; i += 256) {
        for (k = 0; k < 256; k++) half[k] = (uint16_t)(i + k);
        lctx_to_f32(LCTX_F16, 256, half, NULL, table + i);
    }
}
static void to_f32(int64_t n, const uint16_t *x, float *out)
{
    int64_t i;
    for (i = 0; i < n; i++) out[i] = table[x[i]];
}
#endif

static float *room(int64_t floats)
{
    float *p = malloc((size_t)floats * sizeof *p);
    if (!p) machine_fail("no memory for %lld floats", (long long)floats);
    return p;
}

/* s[n] to probabilities, and zeros from there to `end`. */
static void softmax(int64_t n, int64_t end, float *s)
{
    float max = s[0], sum = 0;
    int64_t i;
    for (i = 1; i < n; i++) max = s[i] > max ? s[i] : max;
    for (i = 0; i < n; i++) s[i] = expf(s[i] - max), sum += s[i];
    for (i = 0; i < n; i++) s[i] /= sum;
    for (; i < end; i++) s[i] = 0;
}

/* ---- plain C */
static float dot(int64_t n, const float *a, const float *b)
{
    float sum = 0;
    int64_t i;
    for (i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Query t of head h; s[n_kv] and row[head_dim] are work. */
static void plain_row(const dense *d, int64_t t, int64_t h, float *s, float *row)
{
    const int64_t dim = d->head_dim, step = dim * d->n_head_kv, seen = d->n_kv - d->n_q + t + 1;
    const int64_t g = h / (d->n_head / d->n_head_kv);
    const uint16_t *k = (const uint16_t *)d->k + g * dim, *v = (const uint16_t *)d->v + g * dim;
    const float *q = d->q + (t * d->n_head + h) * dim;
    float *out = d->out + (t * d->n_head + h) * dim;
    const float scale = 1 / sqrtf((float)dim);
    int64_t j, c;
    for (j = 0; j < seen; j++) {
        to_f32(dim, k + j * step, row);
        s[j] = scale * dot(dim, q, row);
    }
    softmax(seen, seen, s);
    for (c = 0; c < dim; c++) out[c] = 0;
    for (j = 0; j < seen; j++) {
        to_f32(dim, v + j * step, row);
        for (c = 0; c < dim; c++) out[c] += s[j] * row[c];
    }
}

static void plain_head(void *arg, int64_t h, int32_t thread)
{
    const dense *d = arg;
    float *s = room(d->n_kv + d->head_dim);
    int64_t t;
    (void)thread;
    for (t = 0; t < d->n_q; t++) plain_row(d, t, h, s, s + d->n_kv);
    free(s);
}

void plain_attend(void *dense_)
{
    const dense *d = dense_;
    tables_start();
    machine_run(d->n_head, plain_head, dense_);
}

const char *plain_isa(void)
{
#if defined(__AVX512F__)
    return "avx512";
#elif defined(__AVX2__)
    return "avx2";
#else
    return "base";
#endif
}

/* ---- OpenBLAS, as CBLAS has it */
enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };
typedef void sgemm_function(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c,
                            int ldc);
typedef void threads_function(int n);

static struct {
    void           *library;
    sgemm_function *sgemm;
} blas;

/* A function by name; a function pointer cannot be cast from an object pointer in C. */
static int find_function(const char *name, void *function, size_t size)
{
    void *symbol = dlsym(blas.library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

int blas_open(void)
{
    static const char *const names[] = { "libopenblas.so.0", "libopenblas.so",
                                         "libopenblas.dylib" };
    threads_function *set_threads;
    size_t i;
    if (blas.sgemm) return 1;
    for (i = 0; !blas.library && i < sizeof names / sizeof *names; i++)
        blas.library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!blas.library) return 0;
    if (!find_function("cblas_sgemm", &blas.sgemm, sizeof blas.sgemm)) return 0;
    if (find_function("openblas_set_num_threads", &set_threads, sizeof set_threads)) set_threads(1);
    return 1;
}

void blas_close(void)
{
    if (blas.library) dlclose(blas.library);
    blas.library = NULL, blas.sgemm = NULL;
}

enum { BLAS_QUERIES = 64 };    /* of one head in one sgemm, times the group */

/* Rows of head g, gathered and converted. */
static void gather_rows(const dense *d, const void *rows, int64_t g, float *out)
{
    const int64_t dim = d->head_dim;
    int64_t j;
    for (j = 0; j < d->n_kv; j++)
        to_f32(dim, (const uint16_t *)rows + (j * d->n_head_kv + g) * dim, out + j * dim);
}

/* Queries t .. t+n-1 of the group of head g against k and v [n_kv][dim]; s is work. The rows of one
   query are neighbours, in q, in s and in out. */
static void blas_block(const dense *d, int64_t g, int64_t t, int64_t n, const float *k,
                       const float *v, float *s, float *q, float *out)
{
    const int64_t dim = d->head_dim, group = d->n_head / d->n_head_kv, from = d->n_kv - d->n_q + t;
    const int64_t keys = from + n, wide = group * dim;
    int64_t i;
    for (i = 0; i < n; i++)
        memcpy(q + i * wide, d->q + (t + i) * d->n_head * dim + g * wide, (size_t)wide * sizeof *q);
    blas.sgemm(ROW_MAJOR, NO_TRANS, TRANS, (int)(n * group), (int)keys, (int)dim,
               1 / sqrtf((float)dim), q, (int)dim, k, (int)dim, 0, s, (int)keys);
    for (i = 0; i < n * group; i++) softmax(from + i / group + 1, keys, s + i * keys);
    blas.sgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, (int)(n * group), (int)dim, (int)keys, 1,
               s, (int)keys, v, (int)dim, 0, out, (int)dim);
    for (i = 0; i < n; i++)
        memcpy(d->out + (t + i) * d->n_head * dim + g * wide, out + i * wide,
               (size_t)wide * sizeof *out);
}

static void blas_head(void *arg, int64_t g, int32_t thread)
{
    const dense *d = arg;
    const int64_t dim = d->head_dim, group = d->n_head / d->n_head_kv;
    const int64_t most = d->n_q < BLAS_QUERIES ? d->n_q : BLAS_QUERIES;
    float *k = room(2 * d->n_kv * dim + group * most * (d->n_kv + 2 * dim));
    float *v = k + d->n_kv * dim, *s = v + d->n_kv * dim, *q = s + group * most * d->n_kv;
    int64_t t, n;
    (void)thread;
    gather_rows(d, d->k, g, k);
    gather_rows(d, d->v, g, v);
    for (t = 0; t < d->n_q; t += n) {
        n = d->n_q - t < most ? d->n_q - t : most;
        blas_block(d, g, t, n, k, v, s, q, q + group * most * dim);
    }
    free(k);
}

void blas_attend(void *dense_)
{
    const dense *d = dense_;
    tables_start();
    machine_run(d->n_head_kv, blas_head, dense_);
}
