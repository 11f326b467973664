/* Demonstrates what mixes tokens, system by system, each as a short function on the floors below
   the cache: states that lctx_recur carries, and attention where it can say the same. Every one is
   checked against a plain computation in double (shared/plain.h), and timed a token at a time. */
#include "lctx.h"
#include "args.h"
#include "plain.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { H = PLAIN_HEADS, D = PLAIN_DIM, M = H * D, N = PLAIN_STATE, R = PLAIN_RANK, NEAR = 1024 };

static int64_t far_off = 65536;
static const args_option options[] = {
    { "--far", ARGS_INT, &far_off, 2 * NEAR, 1 << 24, "N", "tokens that the last columns are of" },
    { 0 }
};

/* Tokens from .. from+n-1 of a sequence: y[n][H][D] of them. What came before is in the state, or
   in the rows of k and v. */
typedef struct mix {
    const plain *in;
    int64_t from, n;
    float *y, *state, *q, *k, *v, *wide;     /* work: [n][H][2D] each; wide [n][H][2D] */
    float *bias;                             /* [n][from + n] of AFT */
} mix;

static void must(lctx_status st)
{
    if (st) fail(EXIT_RUN, "%s", lctx_status_text(st));
}

/* Scratch for whatever call wants the most. */
static void *scratch;
static size_t scratch_bytes;
static void scratch_for(size_t bytes)
{
    if (bytes <= scratch_bytes) return;
    free(scratch);
    scratch = malloc(scratch_bytes = bytes);
    if (!scratch) must(LCTX_E_MEMORY);
}

/* ---- states */
static const float *rows(const mix *m, const float *x) { return x + m->from * M; }

static void recur(const mix *m, lctx_recurrence *r)
{
    size_t bytes;
    r->n = m->n, r->n_head = r->n_head ? r->n_head : H, r->d_k = r->d_k ? r->d_k : D;
    r->d_v = r->d_v ? r->d_v : D;
    r->state = r->state ? r->state : m->state, r->y = r->y ? r->y : m->y;
    must(lctx_recur_size(r, &bytes));
    scratch_for(bytes);
    must(lctx_recur(r, scratch, scratch_bytes));
}
static lctx_recurrence tokens(const mix *m)
{
    lctx_recurrence r = { 0 };
    r.q = rows(m, m->in->q), r.k = rows(m, m->in->k), r.v = rows(m, m->in->v);
    return r;
}

/* A feature map of x, at most 2D a head. */
typedef void (*features)(int64_t t, const float *x, float *out);
static const float *map(const mix *m, const float *x, features phi, int size, float *out)
{
    int64_t i;
    for (i = 0; i < m->n * H; i++) phi(m->from + i / H, x + i * D, out + i * size);
    return out;
}
static void elu1(int64_t t, const float *x, float *out)
{
    int c;
    (void)t;
    for (c = 0; c < D; c++) out[c] = x[c] > 0 ? x[c] + 1 : expf(x[c]);
}
static void relu(int64_t t, const float *x, float *out)
{
    int c;
    (void)t;
    for (c = 0; c < D; c++) out[c] = x[c] > 0 ? x[c] : 0;
}
static void cosine(int64_t t, const float *x, float *out)
{
    const double angle = PLAIN_PI / 2 * (double)t / PLAIN_COS_LENGTH;
    int c;
    for (c = 0; c < D; c++) {
        const double up = x[c] > 0 ? x[c] : 0;
        out[c] = (float)(up * cos(angle)), out[D + c] = (float)(up * sin(angle));
    }
}
static void unit(int64_t t, const float *x, float *out)
{
    float sum = 1e-6f;
    int c;
    (void)t;
    for (c = 0; c < D; c++) sum += x[c] * x[c];
    for (c = 0; c < D; c++) out[c] = x[c] / sqrtf(sum);
}

/* Linear attention 2006.16236; its denominator is one more value, of 1. */
static void linear(const mix *m, features phi, int size)
{
    lctx_recurrence r = tokens(m);
    int64_t i;
    int c;
    r.q = map(m, r.q, phi, size, m->q), r.k = map(m, r.k, phi, size, m->k);
    for (i = 0; i < m->n * H; i++) {
        memcpy(m->v + i * (D + 1), r.v + i * D, D * sizeof *r.v);
        m->v[i * (D + 1) + D] = 1;
    }
    r.v = m->v, r.y = m->wide, r.d_k = size, r.d_v = D + 1;
    recur(m, &r);
    for (i = 0; i < m->n * H; i++)
        for (c = 0; c < D; c++) m->y[i * D + c] = r.y[i * (D + 1) + c] / r.y[i * (D + 1) + D];
}
static void linear_elu(const mix *m) { linear(m, elu1, D); }
static void linear_relu(const mix *m) { linear(m, relu, D); }
/* cos(a - b) = cos a cos b + sin a sin b: its two states are one of twice the dimensions. */
static void cosformer(const mix *m) { linear(m, cosine, 2 * D); }

/* SimA 2206.08898: queries and keys over their l1 norms, channel by channel, and no softmax. */
static void sima(const mix *m)
{
    lctx_recurrence r = tokens(m);
    int64_t i;
    for (i = 0; i < m->n * M; i++)
        m->q[i] = r.q[i] / m->in->q_norm[i % M], m->k[i] = r.k[i] / m->in->k_norm[i % M];
    r.q = m->q, r.k = m->k;
    recur(m, &r);
}

/* RetNet 2307.08621: a decay a head, the same for all tokens. */
static void retnet(const mix *m)
{
    lctx_recurrence r = tokens(m);
    r.decay_kind = LCTX_DECAY_HEAD, r.decay = m->in->gamma, r.decay_token = -1;
    recur(m, &r);
}
static lctx_recurrence gated(const mix *m)
{
    lctx_recurrence r = tokens(m);
    r.decay_kind = LCTX_DECAY_DIM, r.decay = rows(m, m->in->w);
    return r;
}
/* GLA 2312.06635: a decay a dimension. */
static void gla(const mix *m)
{
    lctx_recurrence r = gated(m);
    recur(m, &r);
}

/* Mamba-2 2405.21060: C and B are one query and one key for all heads, here a head's first ones. */
static void mamba2(const mix *m)
{
    lctx_recurrence r = tokens(m);
    const float *dt = m->in->beta + m->from * H;
    int64_t i;
    for (i = 0; i < m->n * H; i++) m->k[i] = expf(-dt[i] * (float)(1 + i % H));
    for (i = 0; i < m->n * M; i++) m->v[i] = r.v[i] * dt[i / D];
    r.n_head_k = 1, r.q_token = r.k_token = M * sizeof(float);
    r.decay_kind = LCTX_DECAY_HEAD, r.decay = m->k, r.v = m->v;
    recur(m, &r);
    for (i = 0; i < m->n * M; i++) m->y[i] += rows(m, m->in->v)[i];      /* D = 1 */
}
/* Mamba 2312.00752: N dimensions a channel, each with its own decay. */
static void mamba(const mix *m)
{
    lctx_recurrence r = tokens(m);
    int64_t i;
    for (i = 0; i < m->n * M; i++) m->k[i] = m->in->beta[(m->from * H + i / D)];
    r.n_head = 1, r.d_k = N, r.d_v = M, r.q_token = r.k_token = M * sizeof(float);
    r.decay_kind = LCTX_DECAY_ELEMENT, r.decay = m->k, r.rate = m->in->rate;
    recur(m, &r);
    for (i = 0; i < m->n * M; i++) m->y[i] += r.v[i];
}

/* The delta rule: what a key held is taken out before the new value comes in. */
static void delta(const mix *m, lctx_recurrence r)
{
    r.q = map(m, r.q, unit, D, m->q), r.k = map(m, r.k, unit, D, m->k);
    r.beta = m->in->beta + m->from * H;
    recur(m, &r);
}
static void deltanet(const mix *m) { delta(m, tokens(m)); }     /* 2406.06484 */
static void kda(const mix *m) { delta(m, gated(m)); }           /* 2510.26692 */
static void gated_delta(const mix *m)                           /* 2412.06464 */
{
    lctx_recurrence r = tokens(m);
    r.decay_kind = LCTX_DECAY_HEAD, r.decay = m->in->gamma, r.decay_token = -1;
    delta(m, r);
}

/* RWKV-6 2404.05892: the state before the token, and a bonus for the token. */
static void rwkv6(const mix *m)
{
    lctx_recurrence r = gated(m);
    r.bonus = m->in->u;
    recur(m, &r);
}
/* RWKV-7 2503.14456: what kappa points at is replaced in part. */
static void rwkv7(const mix *m)
{
    lctx_recurrence r = gated(m);
    int64_t i;
    r.b = map(m, r.k, unit, D, m->k);
    for (i = 0; i < m->n * M; i++) {
        m->q[i] = -m->k[i];
        m->k[i] *= m->in->beta[m->from * H + i / D];
    }
    r.a = m->q;
    recur(m, &r);
}

/* ---- attention */
static void attend(const lctx_attn *a)
{
    size_t bytes;
    must(lctx_attend_size(a, &bytes));
    scratch_for(bytes);
    must(lctx_attend(a, scratch, scratch_bytes));
}
static void softmax(const mix *m)
{
    lctx_span s = { 0 };
    lctx_attn a = { 0 };
    s.k = m->in->k, s.v = m->in->v, s.n = m->from + m->n;
    a.n_q = m->n, a.n_head = a.n_head_kv = H, a.d_k = D, a.q = rows(m, m->in->q);
    a.q_pos0 = m->from, a.out = m->y, a.spans = &s, a.n_spans = 1;
    attend(&a);
}

/* Channel by channel: heads whose keys and values are one number, under queries of 1. */
static void channels(const mix *m, lctx_attn a, float *out)
{
    lctx_span s = { 0 };
    int64_t i;
    for (i = 0; i < m->n * M; i++) m->q[i] = 1;
    s.k = m->in->k, s.v = m->in->v, s.n = m->from + m->n;
    a.n_q = m->n, a.n_head = a.n_head_kv = M, a.d_k = a.d_v = 1, a.q = m->q, a.out = out;
    a.spans = &s, a.n_spans = 1;
    attend(&a);
}
/* RWKV-4 2305.13048: its decay is ALiBi's slope as seen by the token before; the token itself
   counts by u and is merged in. */
static void rwkv4(const mix *m)
{
    const float *parts[2], *lses[2];
    lctx_attn a = { 0 };
    float *lse = m->k, *own = m->wide;
    int64_t i;
    a.alibi = m->in->slope, a.q_pos0 = m->from - 1, a.lse = lse;
    channels(m, a, m->y);
    for (i = 0; i < m->n * M; i++) own[i] = rows(m, m->in->k)[i] + m->in->u[i % M];
    parts[0] = m->y, parts[1] = rows(m, m->in->v), lses[0] = lse, lses[1] = own;
    must(lctx_merge(m->n * M, 1, 2, parts, lses, m->y, NULL));
}
/* AFT 2105.14103: a bias for each pair of positions, none, or none far away. */
static void aft(const mix *m, const float *bias)
{
    lctx_attn a = { 0 };
    int64_t i;
    a.q_pos0 = m->from, a.bias = bias, a.bias_head = -1;
    channels(m, a, m->y);
    for (i = 0; i < m->n * M; i++) m->y[i] /= 1 + expf(-rows(m, m->in->q)[i]);
}
static void aft_simple(const mix *m) { aft(m, NULL); }
static void aft_biased(const mix *m, int64_t reach)
{
    static int64_t from = -1, n = -1, near = -1;      /* what is in there: for models a table */
    int64_t t, j;
    if (from != m->from || n != m->n || near != reach)
        for (t = 0; t < m->n; t++)
            for (j = 0; j < m->from + m->n; j++)
                m->bias[t * (m->from + m->n) + j] = (float)plain_bias(m->from + t, j, reach);
    from = m->from, n = m->n, near = reach;
    aft(m, m->bias);
}
static void aft_full(const mix *m) { aft_biased(m, 1 << 24); }
static void aft_local(const mix *m) { aft_biased(m, PLAIN_LOCAL); }

/* SOFT 2110.11945: exp(-|q - k|^2 / 2), whose sum is no softmax: its denominator is taken out. */
static void soft(const mix *m)
{
    const float *q = rows(m, m->in->q);
    lctx_span s = { 0 };
    lctx_attn a = { 0 };
    int64_t i;
    int c;
    for (i = 0; i < m->n * H; i++) {
        memcpy(m->q + i * (D + 1), q + i * D, D * sizeof *q);
        m->q[i * (D + 1) + D] = 1;
    }
    s.k = m->in->k_soft, s.v = m->in->v, s.n = m->from + m->n;     /* [k, -|k|^2 / 2] */
    a.n_q = m->n, a.n_head = a.n_head_kv = H, a.d_k = D + 1, a.d_v = D, a.q = m->q;
    a.q_pos0 = m->from, a.out = m->y, a.lse = m->k, a.spans = &s, a.n_spans = 1, a.scale = 1;
    attend(&a);
    for (i = 0; i < m->n * H; i++) {
        double square = 0, all;
        for (c = 0; c < D; c++) square += (double)q[i * D + c] * q[i * D + c];
        all = exp(m->k[i] - square / 2);
        for (c = 0; c < D; c++) m->y[i * D + c] *= (float)all;
    }
}

/* Linformer 2006.04768: keys and values projected along the tokens, to R rows. These rows are a
   state whose key is the token's column of the projection: so it can go on, token by token. */
static void linformer(const mix *m)
{
    lctx_recurrence r = { 0 };
    lctx_span s = { 0 };
    lctx_attn a = { 0 };
    int both;
    for (both = 0; both < 2; both++) {
        r.q = r.k = m->in->e + m->from * R, r.n_head = 1, r.d_k = R, r.d_v = M, r.y = m->wide;
        r.v = rows(m, both ? m->in->v : m->in->k), r.state = m->state + both * R * M;
        recur(m, &r);
    }
    s.k = m->state, s.v = m->state + R * M, s.n = R;
    a.n_q = m->n, a.n_head = a.n_head_kv = H, a.d_k = D, a.q = rows(m, m->in->q), a.out = m->y;
    a.mask = LCTX_MASK_NONE, a.spans = &s, a.n_spans = 1;
    attend(&a);
}

/* Low-rank projections (LED; MLA 2405.04434): keys and values are products of R numbers a token, so
   those are what is kept, one KV head for all, and queries and results go through the factors. */
static void low_rank(const mix *m)
{
    const float *q = rows(m, m->in->q), *up = m->in->up;       /* [D][R] */
    lctx_span s = { 0 };
    lctx_attn a = { 0 };
    int64_t i;
    int c, j;
    memset(m->q, 0, (size_t)(m->n * H * R) * sizeof *m->q);
    for (i = 0; i < m->n * H; i++)
        for (c = 0; c < D; c++)
            for (j = 0; j < R; j++) m->q[i * R + j] += q[i * D + c] * up[c * R + j];
    s.k = s.v = m->in->e, s.n = m->from + m->n;
    a.n_q = m->n, a.n_head = H, a.n_head_kv = 1, a.d_k = R, a.q = m->q, a.q_pos0 = m->from;
    a.out = m->wide, a.spans = &s, a.n_spans = 1, a.scale = (float)(1 / sqrt(D));
    attend(&a);
    memset(m->y, 0, (size_t)(m->n * M) * sizeof *m->y);
    for (i = 0; i < m->n * H; i++)
        for (c = 0; c < D; c++)
            for (j = 0; j < R; j++) m->y[i * D + c] += up[c * R + j] * m->wide[i * R + j];
}

/* ---- all of them */
typedef struct mixer {
    const char *name;
    void (*run)(const mix *m);
    double state, token;       /* floats that it keeps: always, and for each token */
} mixer;
static const mixer mixers[] = {         /* in the order of plain_kind */
    { "linear, elu + 1", linear_elu, H * D * (D + 1), 0 },
    { "linear, relu", linear_relu, H * D * (D + 1), 0 },
    { "cosFormer", cosformer, H * 2 * D * (D + 1), 0 },
    { "SimA", sima, H * D * D, 0 },
    { "RetNet", retnet, H * D * D, 0 }, { "GLA", gla, H * D * D, 0 },
    { "Mamba", mamba, M * N, 0 }, { "Mamba-2", mamba2, H * D * D, 0 },
    { "DeltaNet", deltanet, H * D * D, 0 }, { "Gated DeltaNet", gated_delta, H * D * D, 0 },
    { "KDA", kda, H * D * D, 0 },
    { "RWKV-4", rwkv4, 0, 2 * M }, { "RWKV-6", rwkv6, H * D * D, 0 },
    { "RWKV-7", rwkv7, H * D * D, 0 },
    { "AFT-full", aft_full, 0, 2 * M }, { "AFT-local", aft_local, 0, 2 * M },
    { "AFT-simple", aft_simple, 0, 2 * M },
    { "SOFT", soft, 0, 2 * M + H }, { "Linformer", linformer, 2 * R * M, 0 },
    { "low rank (LED)", low_rank, 0, R }, { "attention", softmax, 0, 2 * M },
};

/* The check's tokens, in two pieces. */
static double error_of(mix *m, int kind)
{
    double want[M], wrong = 0, all = 0;
    float *y = m->y;
    int64_t t;
    int i;
    memset(m->state, 0, PLAIN_FLOATS * sizeof *m->state);
    m->from = 0, m->n = PLAIN_CHECK / 3;
    mixers[kind].run(m);
    m->from = m->n, m->n = PLAIN_CHECK - m->from, m->y += m->from * M;
    if (kind != PLAIN_LINFORMER) mixers[kind].run(m);       /* which sees all tokens there are */
    m->y = y;
    for (t = 0; t < (kind == PLAIN_LINFORMER ? PLAIN_CHECK / 3 : PLAIN_CHECK); t++)
        for (plain_token(m->in, (plain_kind)kind, t, want), i = 0; i < M; i++) {
            const double off = y[t * M + i] - want[i];
            wrong += off * off, all += want[i] * want[i];
        }
    return wrong / all;
}

/* Microseconds that a token takes after n others: the least of some runs. */
static double time_of(mix *m, const mixer *x, int64_t n)
{
    const int rounds = x->token > 0 ? (n > NEAR ? 1 : 10) : 200;
    double least = 1e9;
    int i, j;
    m->from = n, m->n = 1;
    x->run(m);
    for (i = 0; i < 5; i++) {
        const clock_t start = clock();
        double each;
        for (j = 0; j < rounds; j++) x->run(m);
        each = 1e6 * (double)(clock() - start) / CLOCKS_PER_SEC / rounds;
        if (each < least) least = each;
    }
    return least;
}

int main(int argc, char **argv)
{
    const size_t floats = (size_t)PLAIN_CHECK * H * 2 * (D + 1);
    int worst = 0, i;
    mix m = { 0 };
    args_parse(argc, argv, "mixers", "What mixes tokens: errors, states, time a token.", options);
    m.in = plain_new(far_off + 1);
    m.y = malloc(5 * floats * sizeof *m.y), m.state = malloc(PLAIN_FLOATS * sizeof *m.state);
    m.bias = malloc((size_t)(far_off + PLAIN_CHECK * PLAIN_CHECK) * sizeof *m.bias);
    if (!m.in || !m.y || !m.bias || !m.state) must(LCTX_E_MEMORY);
    m.q = m.y + floats, m.k = m.q + floats, m.v = m.k + floats, m.wide = m.v + floats;
    printf("%d heads of %d, f32; after %d and %lld tokens:\n%-16s %7s %13s %15s %11s\n", H, D, NEAR,
           (long long)far_off, "mixer", "NMSE", "state, bytes", "", "us a token");
    for (i = 0; i < (int)(sizeof mixers / sizeof *mixers); i++) {
        const mixer *x = &mixers[i];
        const double error = error_of(&m, i), near = time_of(&m, x, NEAR);
        printf("%-16s %7.1e %13.0f %13.0f %9.1f %9.1f\n", x->name, error,
               4 * (x->state + x->token * NEAR), 4 * (x->state + x->token * (double)far_off), near,
               time_of(&m, x, far_off));
        worst |= !(error < 1e-11);
    }
    free(m.y), free(m.bias), free(m.state), free(scratch), plain_free(m.in);
    if (worst) fail(EXIT_RUN, "some differ from their plain computation");
    return 0;
}
