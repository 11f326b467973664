/* test_weights.c - weights in blocks, as GGUF files have them: their layouts, products with them
   and with plain types against sums in double over what the layouts say, the same bits in any
   chunks and on any number of threads, and what is refused. TEST_SLOW=1 samples the grids, as
   scalar code does; TEST_QUICK=1, for emulated CPUs, leaves the largest out. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"
#include "oracle_blocks.h"
#include "oracle_model.h"

#include <math.h>

enum { TYPES = 6, PLAIN = 4, RUN = 131 };

static const struct kind {
    lctx_type   type;
    const char *name;
    int         block, bytes;      /* of a block */
} kinds[TYPES + PLAIN] = {
    { LCTX_Q8_0, "q8_0", 32, 34 },   { LCTX_Q4_0, "q4_0", 32, 18 },
    { LCTX_Q4_K, "q4_k", 256, 144 }, { LCTX_Q5_K, "q5_k", 256, 176 },
    { LCTX_Q6_K, "q6_k", 256, 210 }, { LCTX_MXFP4, "mxfp4", 32, 17 },
    { LCTX_F32, "f32", 1, 4 },       { LCTX_F16, "f16", 1, 2 },
    { LCTX_BF16, "bf16", 1, 2 },     { LCTX_I8, "i8", 1, 1 }
};

static int quick(void) { return getenv("TEST_QUICK") != NULL; }

static void *zeroed(int64_t n, size_t size) { return calloc((size_t)n + 1, size); }

/* ---------------------------------------------------------------------------- blocks */

static int64_t row_bytes(const struct kind *k, int64_t cols) { return cols / k->block * k->bytes; }

static double plain_weight(const struct kind *k, const uint8_t *at)
{
    uint16_t half;
    float x;
    memcpy(&half, at, k->bytes > 1 ? 2 : 1);
    if (k->type == LCTX_F16) return oracle_f16_value(half);
    if (k->type == LCTX_BF16) return oracle_bf16_value(half);
    if (k->type == LCTX_I8) return *at < 128 ? *at : *at - 256;
    memcpy(&x, at, sizeof x);
    return (double)x;
}

static void plain_row(const struct kind *k, const uint8_t *row, int64_t cols, double *out)
{
    int64_t i;
    for (i = 0; i < cols; i++)
        out[i] = k >= kinds + TYPES ? plain_weight(k, row + i * k->bytes)
                                    : oracle_block_weight((int)(k - kinds),
                                                          row + i / k->block * k->bytes,
                                                          (int)(i % k->block));
}

/* Any bytes, but for scales of a sane size; numbers of plain types, but for int8's. */
static uint8_t *random_blocks(const struct kind *k, int64_t rows, int64_t cols)
{
    const int64_t bytes = rows * row_bytes(k, cols);
    uint8_t *data = (uint8_t *)zeroed(bytes, 1);
    int64_t i;
    for (i = 0; i < bytes; i++) data[i] = (uint8_t)(test_random() >> 40);
    for (i = 0; k >= kinds + TYPES && i < bytes; i += k->bytes) {
        const float x = test_normal();
        const uint16_t half = k->type == LCTX_F16 ? oracle_f16_bits(x) : oracle_bf16_bits(x);
        if (k->bytes == 2) memcpy(data + i, &half, sizeof half);
        if (k->bytes == 4) memcpy(data + i, &x, sizeof x);
    }
    for (i = 0; k < kinds + TYPES && i < bytes; i += k->bytes)
        oracle_block_scale((int)(k - kinds), (test_uniform() + 0.1) / sqrt((double)cols), data + i);
    return data;
}

static void test_layouts(void)
{
    int t;
    for (t = 0; t < TYPES; t++) {
        const struct kind *k = &kinds[t];
        const int64_t n = 6 * 256;
        uint8_t *data = random_blocks(k, 1, n);
        double *want = (double *)zeroed(n, sizeof *want);
        float *got = (float *)zeroed(n, sizeof *got);
        int64_t i, wrong = 0;
        plain_row(k, data, n, want);
        check(lctx_to_f32(k->type, n, data, NULL, got) == LCTX_OK, "%s is converted", k->name);
        for (i = 0; i < n; i++) wrong += got[i] != (float)want[i];
        check(!wrong, "%s: every weight is what the layout says, rounded once (%d wrong)", k->name,
              (int)wrong);
        got[n] = 5;
        check(lctx_to_f32(k->type, 0, data, NULL, got + n) == LCTX_OK && got[n] == 5,
              "%s: no weights are fine", k->name);
        free(data), free(want), free(got);
    }
}

/* The ends of what exponents and halves can say, in every type that has them. */
static void test_extremes(void)
{
    uint8_t b[34] = { 0 };
    float got[32];
    double want[32];
    int e, i, wrong;
    for (e = wrong = 0; e < 255; e++) {
        b[0] = (uint8_t)e;
        for (i = 0; i < 16; i++) b[1 + i] = (uint8_t)(17 * i);
        plain_row(&kinds[5], b, 32, want);
        lctx_to_f32(LCTX_MXFP4, 32, b, NULL, got);
        for (i = 0; i < 32; i++) wrong += got[i] != (float)want[i];
    }
    check(!wrong, "mxfp4: every exponent, subnormal and infinite numbers too (%d wrong)", wrong);
    for (e = wrong = 0; e < 0x7c00; e += 11) {
        b[0] = (uint8_t)(e & 255), b[1] = (uint8_t)(e >> 8);
        plain_row(&kinds[1], b, 32, want);
        lctx_to_f32(LCTX_Q4_0, 32, b, NULL, got);
        for (i = 0; i < 32; i++) wrong += got[i] != (float)want[i];
    }
    check(!wrong, "q4_0: scales of any size, subnormal too (%d wrong)", wrong);
}

/* ---------------------------------------------------------------------------- products */

/* A model whose one layer adds nothing: logits are `output` times the normed embeddings. */
typedef struct product {
    const struct kind *k;
    int64_t      rows, cols;
    lctx_model   m;
    lctx_layer   layer;
    uint8_t     *data;
    float       *embd, *ones, *zeros, *scale;
    int32_t      tokens[RUN];
} product;

static lctx_tensor tensor(const void *data, int32_t type)
{
    lctx_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data, t.type = type;
    return t;
}

static void product_open(product *p, const struct kind *k, int64_t rows, int64_t cols)
{
    lctx_tensor zero;
    int64_t i;
    memset(p, 0, sizeof *p);
    p->k = k, p->rows = rows, p->cols = cols;
    p->data = random_blocks(k, rows, cols);
    p->embd = (float *)zeroed(rows * cols, sizeof *p->embd);
    p->ones = (float *)zeroed(cols, sizeof *p->ones);
    p->zeros = (float *)zeroed(8 * cols, sizeof *p->zeros);
    p->scale = (float *)zeroed(rows, sizeof *p->scale);
    for (i = 0; i < rows * cols; i++)
        p->embd[i] = test_normal() * (test_random() % 64 ? 1 : 8);
    for (i = 0; i < cols; i++) p->ones[i] = 1;
    for (i = 0; i < RUN; i++) p->tokens[i] = (int32_t)(i * 7 % rows);
    zero = tensor(p->zeros, LCTX_F32);
    p->layer.attn_norm = p->layer.ffn_norm = p->m.output_norm = tensor(p->ones, LCTX_F32);
    p->layer.wq = p->layer.wk = p->layer.wv = p->layer.wo = zero;
    p->layer.w_gate = p->layer.w_up = p->layer.w_down = zero;
    p->m.n_layer = p->m.n_head = p->m.n_head_kv = 1, p->m.head_dim = 8;
    p->m.d_model = (int32_t)cols, p->m.d_ff = 8, p->m.n_vocab = (int32_t)rows;
    p->m.tok_embd = tensor(p->embd, LCTX_F32), p->m.output = tensor(p->data, (int32_t)k->type);
    for (i = 0; i < rows; i++) p->scale[i] = (float)(1 + i % 3) / 64;
    if (k->type == LCTX_I8) p->m.output.scale = p->scale;
    p->m.layers = &p->layer;
}

static void product_close(product *p)
{
    free(p->data), free(p->embd), free(p->ones), free(p->zeros), free(p->scale);
}

/* Logits of n tokens, fed `piece` at a time on so many threads. */
static float *product_run(const product *p, int precise, int64_t n, int64_t piece, int32_t threads)
{
    float *logits = (float *)zeroed(n * p->rows, sizeof *logits);
    lctx_session_desc d;
    lctx_session *s;
    lctx_parallel par;
    hook h;
    int64_t at;
    memset(&d, 0, sizeof d);
    par = hook_parallel(&h, HOOK_POOL, threads);
    d.precise = precise, d.par = &par, d.policy = LCTX_WINDOW, d.window = 1;
    if (lctx_session_create(&p->m, &d, &s)) {
        check(0, "%s: a session of %d x %d", p->k->name, (int)p->rows, (int)p->cols);
        return logits;
    }
    for (at = 0; at < n; at += piece) {
        const int64_t some = n - at < piece ? n - at : piece;
        if (lctx_session_feed(s, p->tokens + at, some, LCTX_LOGITS_ALL, logits + at * p->rows))
            check(0, "%s: a feed of %d", p->k->name, (int)some);
    }
    lctx_session_free(s);
    return logits;
}

/* The last tokens' logits in double. */
static void product_oracle(const product *p, int64_t n, int64_t from, oracle_error *e,
                           const float *got)
{
    double *w = (double *)zeroed(p->cols, sizeof *w), *h = (double *)zeroed(p->cols, sizeof *h);
    double *want = (double *)zeroed(p->rows, sizeof *want);
    int64_t t, r, c;
    for (t = from; t < n; t++) {
        const float *x = p->embd + p->tokens[t] * p->cols;
        double sum = 0;
        for (c = 0; c < p->cols; c++) sum += (double)x[c] * (double)x[c];
        for (c = 0; c < p->cols; c++) h[c] = (double)x[c] / sqrt(sum / (double)p->cols + 1e-5f);
        for (r = 0; r < p->rows; r++) {
            plain_row(p->k, p->data + r * row_bytes(p->k, p->cols), p->cols, w);
            want[r] = 0;
            for (c = 0; c < p->cols; c++) want[r] += w[c] * h[c];
            if (p->m.output.scale) want[r] *= (double)p->scale[r];
        }
        oracle_error_add(e, p->rows, want, got + t * p->rows);
    }
    free(w), free(h), free(want);
}

static int same(const float *a, const float *b, int64_t n)
{
    return !memcmp(a, b, (size_t)n * sizeof *a);
}

/* n tokens at once, against the oracle and against other chunks and threads. */
static void test_product(const product *p, int precise, int64_t n, oracle_error *e)
{
    static const int64_t pieces[] = { 1, 7, 16, 64 };
    float *all = product_run(p, precise, n, n, 1);
    int i;
    product_oracle(p, n, n > 3 ? n - 3 : 0, e, all);
    for (i = 0; i < 4; i++) {
        float *again;
        if (pieces[i] >= n && i) continue;
        again = product_run(p, precise, n, pieces[i], 1 + i % 3);
        check(same(all, again, n * p->rows),
              "%s: %d x %d%s, %d tokens at once have the bits of %d at a time on %d threads",
              p->k->name, (int)p->rows, (int)p->cols, precise ? " precise" : "", (int)n,
              (int)pieces[i], 1 + i % 3);
        free(again);
    }
    free(all);
}

static void test_products(const struct kind *k)
{
    static const int64_t rows[] = { 1, 2, 3, 4, 5, 8, 13, 33, 70 };
    static const int64_t cols[] = { 32, 64, 96, 256, 288, 512, 768, 2048 };
    static const int64_t counts[] = { 1, 2, 3, 7, 8, 16, 65, 130, 131 };
    const int plain = k >= kinds + TYPES;
    oracle_error e[2];
    int r, c, t, i, turn = 0;
    memset(e, 0, sizeof e);
    for (r = 0; r < 9; r++)
        for (c = 0; c < 8; c++) {
            const int64_t n_col = plain && c % 2 ? cols[c] - 5 : cols[c];
            product p;
            if (n_col % k->block) continue;
            if (!getenv("TEST_FULL") && (r + c) % (test_sampled() || quick() ? 3 : 2)) continue;
            if (quick() && rows[r] * n_col > 4096) continue;
            product_open(&p, k, rows[r], n_col);
            for (t = turn++ % 3; t < 9; t += test_sampled() || quick() ? 6 : 3) {
                if (!plain) test_product(&p, 0, counts[t], &e[0]);
                test_product(&p, 1, counts[t], &e[1]);
            }
            product_close(&p);
        }
    for (i = plain; i < 2; i++)
        printf("  %s%s: error (NMSE) %.1e, at worst %.1e\n", k->name, i ? ", precise" : "",
               oracle_error_nmse(&e[i]), e[i].worst);
    check(plain || oracle_error_nmse(&e[0]) < 1e-4, "%s: products are as their activations' int8",
          k->name);
    check(oracle_error_nmse(&e[1]) < 1e-12, "%s: precise products are in f32", k->name);
}

/* Embeddings whose scale is infinite. */
static void test_not_finite(const struct kind *k)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    product p;
    memset(&d, 0, sizeof d);
    product_open(&p, k, 8, 512);
    p.m.tok_embd = p.m.output;
    if (k->type == LCTX_MXFP4) p.data[0] = p.data[1] = 255;
    else memcpy(p.data + (k->type == LCTX_Q6_K ? 208 : 0), "\0\x7c", 2);      /* infinite */
    check(lctx_session_create(&p.m, &d, &s) == LCTX_OK
          && lctx_session_feed(s, p.tokens, 1, LCTX_LOGITS_NONE, NULL) == LCTX_E_NAN,
          "%s: a scale that is not finite is found", k->name);
    lctx_session_free(s);
    product_close(&p);
}

/* ---------------------------------------------------------------------------- whole models */

typedef struct whole {
    lctx_model   m;
    lctx_layer   layer;
    oracle_model o;
    oracle_layer o_layer;
    void        *kept[64];
    int          n_kept;
} whole;

static void *keep(whole *w, void *p) { return w->kept[w->n_kept++] = p; }

static const double *whole_matrix(whole *w, const struct kind *k, int64_t rows, int64_t cols,
                                  lctx_tensor *t)
{
    uint8_t *data = (uint8_t *)keep(w, random_blocks(k, rows, cols));
    double *value = (double *)keep(w, zeroed(rows * cols, sizeof *value));
    int64_t r;
    for (r = 0; r < rows; r++)
        plain_row(k, data + r * row_bytes(k, cols), cols, value + r * cols);
    *t = tensor(data, (int32_t)k->type);
    return value;
}

static void whole_open(whole *w, const struct kind *k, const struct kind *other)
{
    enum { D = 256, FF = 768, KV = 128, VOCAB = 40 };
    float *ones = (float *)keep(w, zeroed(D, sizeof *ones));
    double *norm = (double *)keep(w, zeroed(D, sizeof *norm));
    int i;
    for (i = 0; i < D; i++) norm[i] = 1, ones[i] = 1;
    w->m.n_layer = w->o.n_layer = 1, w->m.n_head = w->o.n_head = 4;
    w->m.n_head_kv = w->o.n_head_kv = 2, w->m.head_dim = w->o.head_dim = 64;
    w->m.d_model = w->o.d_model = D, w->m.d_ff = w->o_layer.d_ff = FF;
    w->m.n_vocab = w->o.n_vocab = VOCAB;
    w->o.norm_eps = 1e-5, w->o.embd_scale = 1, w->o.attn_scale = 1 / 8.0;
    w->m.layers = &w->layer, w->o.layers = &w->o_layer;
    w->layer.attn_norm = w->layer.ffn_norm = w->m.output_norm = tensor(ones, LCTX_F32);
    w->o_layer.attn_norm = w->o_layer.ffn_norm = w->o.output_norm = norm;
    w->o_layer.wq = whole_matrix(w, k, D, D, &w->layer.wq);
    w->o_layer.wk = whole_matrix(w, other, KV, D, &w->layer.wk);
    w->o_layer.wv = whole_matrix(w, k, KV, D, &w->layer.wv);
    w->o_layer.wo = whole_matrix(w, k, D, D, &w->layer.wo);
    w->o_layer.w_gate = whole_matrix(w, k, FF, D, &w->layer.w_gate);
    w->o_layer.w_up = whole_matrix(w, other, FF, D, &w->layer.w_up);
    w->o_layer.w_down = whole_matrix(w, k, D, FF, &w->layer.w_down);
    w->layer.b_down = tensor(ones, LCTX_F32), w->o_layer.b_down = norm;
    w->o.tok_embd = whole_matrix(w, k, VOCAB, D, &w->m.tok_embd);
    w->o.output = w->o.tok_embd;
}

/* All matrices in blocks, two types mixed, as files have them; embeddings too, and tied. */
static void test_whole(const struct kind *k, const struct kind *other)
{
    enum { N = 70 };
    whole *w = (whole *)zeroed(1, sizeof *w);
    int32_t tokens[N];
    double *want;
    float *got;
    int precise, i;
    whole_open(w, k, other);
    want = (double *)keep(w, zeroed(N * w->o.n_vocab, sizeof *want));
    got = (float *)keep(w, zeroed(N * w->o.n_vocab, sizeof *got));
    for (i = 0; i < N; i++) tokens[i] = (int32_t)(test_random() % 40);
    oracle_model_logits(&w->o, N, tokens, want);
    for (precise = 0; precise < 2; precise++) {
        lctx_session_desc d;
        lctx_session *s = NULL;
        oracle_error e;
        memset(&d, 0, sizeof d);
        memset(&e, 0, sizeof e);
        d.precise = precise;
        check(lctx_session_create(&w->m, &d, &s) == LCTX_OK
              && lctx_session_feed(s, tokens, N, LCTX_LOGITS_ALL, got) == LCTX_OK,
              "%s with %s: a model runs", k->name, other->name);
        oracle_error_add(&e, N * w->o.n_vocab, want, got);
        check(oracle_error_nmse(&e) < (precise ? 1e-10 : 3e-3),
              "%s with %s: a model's logits%s (%.1e)", k->name, other->name,
              precise ? ", precise" : "", oracle_error_nmse(&e));
        lctx_session_free(s);
    }
    while (w->n_kept) free(w->kept[--w->n_kept]);
    free(w);
}

/* ---------------------------------------------------------------------------- refusals */

static void refused_model(product *p, lctx_tensor *t, lctx_tensor bad, lctx_status want,
                          const char *field, const char *what)
{
    const lctx_tensor was = *t;
    lctx_refusal r;
    memset(&r, 0, sizeof r);
    *t = bad;
    p->m.refused = &r;
    check(lctx_model_check(&p->m) == want && r.field && !strcmp(r.field, field), "%s: %s",
          p->k->name, what);
    p->m.refused = NULL;
    *t = was;
}

static void test_refused(const struct kind *k)
{
    float x[256] = { 0 };
    uint8_t bytes[256] = { 0 };
    lctx_cache_desc d;
    lctx_cache *c = NULL;
    product p;
    lctx_tensor bad = tensor(bytes, (int32_t)k->type);
    check(lctx_from_f32(k->type, 256, x, bytes, NULL) == LCTX_E_TYPE,
          "%s: rows are not rounded to it", k->name);
    check(lctx_to_f32(k->type, k->block / 2, bytes, NULL, x) == LCTX_E_COUNT,
          "%s: half a block is refused", k->name);
    check(lctx_to_f32(k->type, k->block, NULL, NULL, x) == LCTX_E_NULL, "%s: null is refused",
          k->name);
    check(!strcmp(lctx_type_name(k->type), k->name) && lctx_type_size(k->type) == 0,
          "%s has a name and no size", k->name);
    memset(&d, 0, sizeof d);
    d.n_head_kv = 1, d.d_k = 64, d.k_type = (int32_t)k->type;
    check(lctx_cache_create(&d, &c) == LCTX_E_TYPE, "%s: no type of keys", k->name);
    d.k_type = LCTX_F16, d.v_type = (int32_t)k->type;
    check(lctx_cache_create(&d, &c) == LCTX_E_TYPE, "%s: no type of values", k->name);
    product_open(&p, k, 8, 512);
    refused_model(&p, &p.layer.attn_norm, bad, LCTX_E_TYPE, "attn_norm", "no type of norms");
    refused_model(&p, &p.layer.bq, bad, LCTX_E_TYPE, "bq", "no type of biases");
    refused_model(&p, &p.layer.w_down, bad, LCTX_E_SHAPE, "w_down", "8 columns are no blocks");
    p.m.d_model = 512 + 16;
    refused_model(&p, &p.m.output, p.m.output, LCTX_E_SHAPE, "output", "528 columns are no blocks");
    refused_model(&p, &p.m.tok_embd, p.m.output, LCTX_E_SHAPE, "tok_embd", "nor of embeddings");
    product_close(&p);
}

int main(void)
{
    int t;
    test_layouts();
    test_extremes();
    for (t = 0; t < TYPES; t++) {
        test_products(&kinds[t]);
        test_whole(&kinds[t], &kinds[(t + 2) % TYPES]);
        test_not_finite(&kinds[t]);
        test_refused(&kinds[t]);
    }
    for (; t < TYPES + PLAIN; t++) test_products(&kinds[t]);
    return test_report("weights", lctx_isa_name(lctx_isa_get()));
}
