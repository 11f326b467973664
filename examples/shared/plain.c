#include "plain.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { H = PLAIN_HEADS, D = PLAIN_DIM, M = H * D, N = PLAIN_STATE, R = PLAIN_RANK };

/* ---- inputs */
static float uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) / 16777216.0f;
}
static float *filled(int64_t n, float low, float high, uint64_t seed)
{
    float *x = calloc((size_t)n, sizeof *x);
    int64_t i;
    for (i = 0; x && i < n; i++) x[i] = low + (high - low) * uniform(&seed);
    return x;
}

plain *plain_new(int64_t n)
{
    plain *p = calloc(1, sizeof *p);
    uint64_t seed = 9;
    int64_t i;
    int c;
    if (!p) return NULL;
    p->n = n;
    p->q = filled(n * M, -1.5f, 1.5f, 1), p->k = filled(n * M, -1.5f, 1.5f, 2);
    p->v = filled(n * M, -1.5f, 1.5f, 3), p->w = filled(n * M, 0.9f, 1, 4);
    p->beta = filled(n * H, 0.1f, 0.9f, 5), p->e = filled(n * R, -0.2f, 0.2f, 6);
    p->k_soft = filled(n * H * (D + 1), 0, 0, 7);
    if (!p->q || !p->k || !p->v || !p->w || !p->beta || !p->e || !p->k_soft) {
        plain_free(p);
        return NULL;
    }
    for (i = 0; i < n * H; i++) {
        double square = 0;
        for (c = 0; c < D; c++) square += (double)p->k[i * D + c] * p->k[i * D + c];
        memcpy(p->k_soft + i * (D + 1), p->k + i * D, D * sizeof *p->k);
        p->k_soft[i * (D + 1) + D] = (float)(-square / 2);
    }
    for (c = 0; c < H; c++) p->gamma[c] = 1 - 1 / (float)(32 << c);
    for (c = 0; c < M; c++) {
        p->u[c] = uniform(&seed), p->slope[c] = 0.01f + 0.1f * uniform(&seed);
        for (i = 0; i < PLAIN_CHECK && i < n; i++)
            p->q_norm[c] += fabsf(p->q[i * M + c]), p->k_norm[c] += fabsf(p->k[i * M + c]);
    }
    for (c = 0; c < N * M; c++) p->rate[c] = -0.1f - 3 * uniform(&seed);
    for (c = 0; c < D * R; c++) p->up[c] = uniform(&seed) - 0.5f;
    return p;
}
void plain_free(const plain *in)
{
    if (!in) return;
    free(in->q), free(in->k), free(in->v), free(in->w), free(in->beta), free(in->e);
    free(in->k_soft), free((void *)(uintptr_t)in);
}

double plain_bias(int64_t t, int64_t j, int64_t reach)
{
    return t - j < reach ? sin(0.3 * (double)t + 0.7 * (double)j) : 0;
}

/* ---- a sum over the tokens up to t: y = sum of weight v, over the sum of weights if so asked */
static double phi(plain_kind kind, double x)
{
    if (kind == PLAIN_ELU) return x > 0 ? x + 1 : exp(x);
    return kind == PLAIN_RELU || kind == PLAIN_COSFORMER ? (x > 0 ? x : 0) : x;
}
/* What decays leave of dimension c of token j at token t. */
static double left(const plain *in, plain_kind kind, int64_t t, int64_t j, int h, int c)
{
    double all = 1;
    if (kind == PLAIN_RETNET) return pow(in->gamma[h], (double)(t - j));
    for (; t > j; t--)
        if (kind == PLAIN_GLA) all *= in->w[t * M + h * D + c];
        else if (kind == PLAIN_MAMBA2) all *= exp(-(double)in->beta[t * H + h] * (1 + h));
        else if (kind == PLAIN_MAMBA) all *= exp((double)in->beta[t * H + h / D] *
                                                 in->rate[c * M + h]);
    return all;
}
static double weight(const plain *in, plain_kind kind, int64_t t, int64_t j, int h, int i)
{
    const float *q = in->q + t * M + h * D, *k = in->k + j * M + h * D;
    double sum = 0, far = 0, x, y;
    int c, r;
    if (kind == PLAIN_MAMBA || kind == PLAIN_MAMBA2) {      /* C and B: the first dimensions */
        const int by = kind == PLAIN_MAMBA ? h * D + i : h;
        q = in->q + t * M, k = in->k + j * M;
        for (c = 0; c < (kind == PLAIN_MAMBA ? N : D); c++)
            sum += (double)q[c] * k[c] * left(in, kind, t, j, by, c);
        return sum * in->beta[j * H + h];
    }
    if (kind == PLAIN_RWKV4)
        return exp(k[i] + (j == t ? in->u[h * D + i]
                                  : -(double)(t - 1 - j) * in->slope[h * D + i]));
    if (kind == PLAIN_AFT_SIMPLE) return exp(k[i]);
    if (kind == PLAIN_AFT_FULL) return exp(k[i] + plain_bias(t, j, 1 << 20));
    if (kind == PLAIN_AFT_LOCAL) return exp(k[i] + plain_bias(t, j, PLAIN_LOCAL));
    for (c = 0; c < D; c++) {
        x = phi(kind, q[c]), y = phi(kind, k[c]);
        if (kind == PLAIN_SIMA) x /= in->q_norm[h * D + c], y /= in->k_norm[h * D + c];
        if (kind == PLAIN_LOW_RANK)
            for (r = 0, y = 0; r < R; r++) y += (double)in->up[c * R + r] * in->e[j * R + r];
        sum += x * y * (kind == PLAIN_RETNET || kind == PLAIN_GLA ? left(in, kind, t, j, h, c) : 1);
        far += (x - y) * (x - y);
    }
    if (kind == PLAIN_COSFORMER) sum *= cos(PLAIN_PI / 2 * (double)(t - j) / PLAIN_COS_LENGTH);
    if (kind == PLAIN_SOFT) return exp(-far / 2);
    return kind == PLAIN_ATTENTION || kind == PLAIN_LOW_RANK ? exp(sum / sqrt(D)) : sum;
}
static void by_weights(const plain *in, plain_kind kind, int64_t t, double *y)
{
    const int plain_sum = kind == PLAIN_SIMA || kind == PLAIN_RETNET || kind == PLAIN_GLA ||
                          kind == PLAIN_MAMBA || kind == PLAIN_MAMBA2 || kind == PLAIN_SOFT;
    int64_t j;
    int i, r;
    for (i = 0; i < M; i++) {
        double all = 0, sum = 0, v;
        for (j = 0; j <= t; j++) {
            const double w = weight(in, kind, t, j, i / D, i % D);
            v = in->v[j * M + i];
            if (kind == PLAIN_LOW_RANK)
                for (r = 0, v = 0; r < R; r++)
                    v += (double)in->up[i % D * R + r] * in->e[j * R + r];
            all += w, sum += w * v;
        }
        y[i] = plain_sum ? sum : sum / all;
        if (kind == PLAIN_MAMBA || kind == PLAIN_MAMBA2) y[i] += in->v[t * M + i];
        if (kind == PLAIN_AFT_FULL || kind == PLAIN_AFT_LOCAL || kind == PLAIN_AFT_SIMPLE)
            y[i] /= 1 + exp(-in->q[t * M + i]);
    }
}

/* ---- a matrix from token to token, for what is no such sum */
static void unit_of(const float *x, double *out)
{
    double sum = 1e-6;
    int c;
    for (c = 0; c < D; c++) sum += (double)x[c] * x[c];
    for (c = 0; c < D; c++) out[c] = x[c] / sqrt(sum);
}
static void by_state(const plain *in, plain_kind kind, int64_t t_last, double *y)
{
    double s[D][D], q[D], k[D], unit[D], w, held, value;
    int64_t t;
    int h, i, j;
    for (h = 0; h < H; h++) {
        memset(s, 0, sizeof s);
        for (t = 0; t <= t_last; t++) {
            const int64_t at = t * M + h * D;
            const double beta = in->beta[t * H + h];
            unit_of(in->k + at, unit), unit_of(in->q + at, q);
            for (j = 0; j < D; j++) k[j] = unit[j];
            for (j = 0; kind == PLAIN_RWKV6 || kind == PLAIN_RWKV7 ? j < D : 0; j++)
                q[j] = in->q[at + j], k[j] = in->k[at + j];
            for (i = 0; i < D; i++) {
                value = in->v[at + i], held = 0;
                for (j = 0, y[h * D + i] = 0; kind == PLAIN_RWKV6 && j < D; j++)
                    y[h * D + i] += (s[i][j] + in->u[h * D + j] * k[j] * value) * q[j];
                for (j = 0; kind == PLAIN_RWKV7 && j < D; j++) held += s[i][j] * unit[j];
                for (j = 0; j < D; j++) {
                    w = kind == PLAIN_DELTA ? 1 : kind == PLAIN_GATED_DELTA ? in->gamma[h]
                                                                          : in->w[at + j];
                    s[i][j] *= w;
                    if (kind == PLAIN_RWKV7) s[i][j] -= held * beta * unit[j];
                }
                if (kind == PLAIN_DELTA || kind == PLAIN_GATED_DELTA || kind == PLAIN_KDA) {
                    for (j = 0; j < D; j++) held += s[i][j] * k[j];
                    value = beta * (value - held);
                }
                for (j = 0; j < D; j++) s[i][j] += value * k[j];
                for (j = 0; kind != PLAIN_RWKV6 && j < D; j++) y[h * D + i] += s[i][j] * q[j];
            }
        }
    }
}

/* ---- Linformer: rows of keys and values along all of the first third of the check's tokens */
static void projected(const plain *in, int64_t t, double *y)
{
    int64_t j;
    int i, c, r;
    for (i = 0; i < M; i++) {
        double all = 0, sum = 0;
        for (r = 0; r < R; r++) {
            double score = 0, v = 0, w;
            for (c = 0; c < D; c++) {
                double k = 0;
                for (j = 0; j < PLAIN_CHECK / 3; j++)
                    k += (double)in->e[j * R + r] * in->k[j * M + i / D * D + c];
                score += k * in->q[t * M + i / D * D + c];
            }
            for (j = 0; j < PLAIN_CHECK / 3; j++) v += (double)in->e[j * R + r] * in->v[j * M + i];
            w = exp(score / sqrt(D));
            all += w, sum += w * v;
        }
        y[i] = sum / all;
    }
}

void plain_token(const plain *in, plain_kind kind, int64_t t, double *y)
{
    switch (kind) {
    case PLAIN_DELTA: case PLAIN_GATED_DELTA: case PLAIN_KDA: case PLAIN_RWKV6: case PLAIN_RWKV7:
        by_state(in, kind, t, y); break;
    case PLAIN_LINFORMER: projected(in, t, y); break;
    default: by_weights(in, kind, t, y); break;
    }
}
