/* oracle.c - see oracle.h. Plain loops, double or long double, no cleverness. */
#include "oracle.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ============================================================================ element types */

/* 2^e, -1022 <= e <= 1023, put together from a double's fields. */
static double two_to(int e)
{
    uint64_t fields = (uint64_t)(e + 1023) << 52;
    double x;
    memcpy(&x, &fields, sizeof x);
    return x;
}

/* sign, e exponent bits, m mantissa bits, as IEEE 754 reads them. */
static double value_of(unsigned bits, int e_bits, int m_bits)
{
    int bias = (1 << (e_bits - 1)) - 1;
    int e = (int)(bits >> m_bits) & ((1 << e_bits) - 1);
    int m = (int)bits & ((1 << m_bits) - 1);
    double sign = 1 - 2 * (double)(bits >> (e_bits + m_bits) & 1);
    if (e == (1 << e_bits) - 1) return m ? (double)NAN : sign * (double)INFINITY;
    if (e == 0) return sign * m * two_to(1 - bias - m_bits);
    return sign * ((1 << m_bits) + m) * two_to(e - bias - m_bits);
}

static unsigned bits_of(float x, int e_bits, int m_bits)
{
    int bias = (1 << (e_bits - 1)) - 1, e;
    unsigned sign = (unsigned)(signbit(x) != 0) << (e_bits + m_bits);
    unsigned infinite = ((1u << e_bits) - 1) << m_bits, bits;
    double a = fabs((double)x), rest;
    uint64_t fields;
    if (isnan(x)) return sign | infinite | 1u << (m_bits - 1);
    if (isinf(x)) return sign | infinite;
    memcpy(&fields, &a, sizeof fields);
    e = (int)(fields >> 52) - 1023;                     /* 2^e <= a < 2^(e + 1), or a = 0 */
    if (e < 1 - bias) e = 1 - bias;
    a *= two_to(m_bits - e);
    bits = (unsigned)(int)a;
    rest = a - (int)bits;
    bits += (unsigned)(rest > 0.5) | ((unsigned)(rest == 0.5) & bits);  /* ties to even */
    bits += (unsigned)(e + bias - 1) << m_bits;                         /* where a carry goes on */
    return sign | (bits < infinite ? bits : infinite);
}

double   oracle_f16_value(uint16_t bits)  { return value_of(bits, 5, 10); }
double   oracle_bf16_value(uint16_t bits) { return value_of(bits, 8, 7); }
uint16_t oracle_f16_bits(float x)         { return (uint16_t)bits_of(x, 5, 10); }
uint16_t oracle_bf16_bits(float x)        { return (uint16_t)bits_of(x, 8, 7); }

static float quantise(int64_t n, const float *x, int8_t *dst, float *back)
{
    float largest = 0, factor;
    int64_t i;
    for (i = 0; i < n; i++) {
        if (!isfinite(x[i])) largest = (float)NAN;
        else if (fabsf(x[i]) > largest) largest = fabsf(x[i]);
    }
    factor = largest / 127.0f;
    for (i = 0; i < n; i++) {
        double q = factor > 0 ? rint((double)(float)(x[i] / factor)) : 0;
        if (dst) dst[i] = (int8_t)q;
        if (back) back[i] = (float)q;
    }
    return factor;
}

/* The bf16 at or below x: the nearest, or the one before. */
static float bf16_below(float x)
{
    uint16_t bits = oracle_bf16_bits(x);
    float y = (float)oracle_bf16_value(bits);
    if (y <= x) return y;
    if (y == 0) return (float)oracle_bf16_value(0x8001);          /* x is a little below 0 */
    return (float)oracle_bf16_value((uint16_t)(y > 0 ? bits - 1 : bits + 1));
}

float oracle_four(int64_t n, int64_t stride, const float *x, float *back)
{
    float least = x[0], greatest = x[0], low, step;
    int64_t i;
    for (i = 0; i < n; i++) {
        least = fminf(least, x[i * stride]);
        greatest = fmaxf(greatest, x[i * stride]);
    }
    low = bf16_below(least);
    step = -bf16_below(-((greatest - low) / 15));
    for (i = 0; i < n; i++) {
        float over = x[i * stride] - low, c = (step > 0 ? over / step : 0) + 0.5f;
        back[i * stride] = (float)((double)low + (double)step * fmin(floor((double)c), 15));
    }
    return step;
}

float oracle_store(int type, int64_t n, const float *x, void *dst, float *back)
{
    int64_t i;
    if (type == ORACLE_I4) {
        if (back && n > 0) oracle_four(n, 1, x, back);
        return 1;
    }
    if (type == ORACLE_I8) return quantise(n, x, (int8_t *)dst, back);
    for (i = 0; i < n; i++) {
        float value = x[i];
        uint16_t bits = 0;
        if (type == ORACLE_F16) value = (float)oracle_f16_value(bits = oracle_f16_bits(value));
        if (type == ORACLE_BF16) value = (float)oracle_bf16_value(bits = oracle_bf16_bits(value));
        if (dst && type == ORACLE_F32) ((float *)dst)[i] = value;
        if (dst && type != ORACLE_F32) ((uint16_t *)dst)[i] = bits;
        if (back) back[i] = value;
    }
    return 1;
}

/* ============================================================================ RoPE */

static const long double pi = 3.14159265358979323846264338327950288L;

static long double clamp(long double x, long double low, long double high)
{
    return x < low ? low : x > high ? high : x;
}

/* b' of the schemes that change the base. */
static long double base_of(const oracle_rope_desc *d)
{
    long double grow = 1, power = (long double)d->n_rot / (d->n_rot - 2);
    if (d->scheme == ORACLE_NTK) grow = d->factor;
    if (d->scheme == ORACLE_DYNAMIC && d->ctx > d->orig_ctx)
        grow = (long double)d->factor * d->ctx / d->orig_ctx - ((long double)d->factor - 1);
    return (long double)d->theta * powl(grow, power);
}

/* The dimension whose pair makes `turns` rotations within the trained context. */
static long double dim_of_turns(const oracle_rope_desc *d, long double turns)
{
    return d->n_rot * logl(d->orig_ctx / (2 * pi * turns)) / (2 * logl(d->theta));
}

/* How much of pair i keeps its frequency under YaRN: 1 = all. */
static long double yarn_keeps(const oracle_rope_desc *d, int i)
{
    long double low = dim_of_turns(d, d->beta_fast), high = dim_of_turns(d, d->beta_slow);
    if (d->truncate) { low = floorl(low); high = ceill(high); }
    low = clamp(low, 0, d->n_rot - 1);
    high = clamp(high, 0, d->n_rot - 1);
    if (low == high) high += 0.001L;
    return 1 - clamp((i - low) / (high - low), 0, 1);
}

static long double by_parts_keeps(const oracle_rope_desc *d, long double freq)
{
    long double turns = d->orig_ctx * freq / (2 * pi);
    return clamp((turns - d->beta_slow) / ((long double)d->beta_fast - d->beta_slow), 0, 1);
}

static long double llama3_keeps(const oracle_rope_desc *d, long double freq)
{
    long double wavelength = 2 * pi / freq;
    if (wavelength < d->orig_ctx / (long double)d->high_freq) return 1;
    if (wavelength > d->orig_ctx / (long double)d->low_freq) return 0;
    return (d->orig_ctx / wavelength - d->low_freq) / ((long double)d->high_freq - d->low_freq);
}

static long double plain(const oracle_rope_desc *d, int i)
{
    return powl(d->theta, -2.0L * i / d->n_rot);
}

static long double frequency(const oracle_rope_desc *d, int i)
{
    long double freq = powl(base_of(d), -2.0L * i / d->n_rot), keep = 1;
    switch (d->scheme) {
    case ORACLE_RAW:      return d->freq[i];
    case ORACLE_LINEAR:   keep = 0; break;
    case ORACLE_LONGROPE:
        return plain(d, i) / (d->ctx > d->orig_ctx ? d->long_factor[i] : d->short_factor[i]);
    case ORACLE_BY_PARTS: keep = by_parts_keeps(d, freq); break;
    case ORACLE_YARN:     keep = yarn_keeps(d, i); break;
    case ORACLE_LLAMA3:   keep = llama3_keeps(d, freq); break;
    default: break;
    }
    return (1 - keep) * freq / d->factor + keep * freq;
}

static long double mscale(const oracle_rope_desc *d, long double a)
{
    return d->factor > 1 ? 0.1L * a * logl(d->factor) + 1 : 1;
}

void oracle_rope_schedule(const oracle_rope_desc *d, oracle_rope *rope)
{
    int i;
    memset(rope, 0, sizeof *rope);
    rope->n_rot = d->n_rot;
    rope->n_hat = d->n_hat;
    rope->xpos_base = d->xpos_base;
    rope->xpos_center = d->xpos_center;
    for (i = 0; i < d->n_rot / 2; i++) {
        rope->freq[i] = frequency(d, i);
        rope->plain[i] = plain(d, i);
    }
    rope->attn_factor = 1;
    rope->scale_mul = 1;
    if (d->scheme == ORACLE_YARN || d->scheme == ORACLE_BY_PARTS) {
        rope->attn_factor = mscale(d, 1);
        if (d->mscale != 0 && d->mscale_all_dim != 0)
            rope->attn_factor = mscale(d, d->mscale) / mscale(d, d->mscale_all_dim);
        if (d->mscale_all_dim != 0)
            rope->scale_mul = mscale(d, d->mscale_all_dim) * mscale(d, d->mscale_all_dim);
    }
    if (d->scheme == ORACLE_LONGROPE) {
        double given = d->ctx > d->orig_ctx ? d->long_mscale : d->short_mscale;
        rope->attn_factor = sqrtl(1 + logl(d->factor) / logl(d->orig_ctx));
        if (given != 0) rope->attn_factor = given;
    }
    if (d->attn_factor != 0) rope->attn_factor = d->attn_factor;
}

long double oracle_rope_growth(const oracle_rope *rope, int64_t pos, int i)
{
    long double zeta = (2.0L * i / rope->n_rot + 0.4L) / 1.4L;
    if (rope->xpos_base == 0) return 1;
    return powl(zeta, (long double)(pos - rope->xpos_center) / rope->xpos_base);
}

/* Angles come again and again, and their cosines are most of a rotation's time: some are kept. */
static void cos_sin(long double angle, long double *c, long double *s)
{
    static struct { long double angle, c, s; } kept[1 << 16];
    double rounded = (double)angle;
    uint64_t at;
    memcpy(&at, &rounded, sizeof at);
    at = at * 0x9e3779b97f4a7c15u >> 48;
    if (kept[at].angle != angle || (kept[at].c == 0 && kept[at].s == 0)) {
        kept[at].angle = angle;
        kept[at].c = cosl(angle);
        kept[at].s = sinl(angle);
    }
    *c = kept[at].c;
    *s = kept[at].s;
}

void oracle_rope_rotate(const oracle_rope *rope, int interleaved, int n_head, int head_dim,
                        int64_t pos,
                        const double *x, double *out)
{
    int half = rope->n_rot / 2, i, h;
    for (h = 0; h < n_head; h++)
        for (i = rope->n_rot; i < head_dim; i++) out[h * head_dim + i] = x[h * head_dim + i];
    for (i = 0; i < half; i++) {
        int a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + half;
        const long double *freq = pos >= 0 && pos < rope->n_hat ? rope->plain : rope->freq;
        long double c_exact, s_exact;
        double c, s;
        cos_sin((long double)pos * freq[i], &c_exact, &s_exact);
        c = (double)(c_exact * rope->attn_factor);
        s = (double)(s_exact * rope->attn_factor);
        for (h = 0; h < n_head; h++) {
            double xa = x[h * head_dim + a], xb = x[h * head_dim + b];
            out[h * head_dim + a] = xa * c - xb * s;
            out[h * head_dim + b] = xa * s + xb * c;
        }
    }
}

/* ============================================================================ attention */

static int64_t apart(int64_t m, int64_t n) { return m > n ? m - n : n - m; }

static int is_global(const oracle_pattern *p, int64_t pos)
{
    int64_t i;
    for (i = 0; i < p->n_global; i++) if (p->global[i] == pos) return 1;
    return 0;
}

/* The kind alone, of a query at m and a key at n. */
static int allowed(const oracle_pattern *p, int h, int64_t m, int64_t n)
{
    int64_t len = p->length;
    switch (p->kind) {
    case ORACLE_STRIDED: return apart(m, n) < p->local || apart(m, n) % len == 0;
    case ORACLE_FIXED:   return m / len == n / len || n % len >= len - p->summary;
    case ORACLE_DILATED: return m / len == n / len && (m % len) % p->dilation == h % p->dilation
                                && (n % len) % p->dilation == h % p->dilation;
    case ORACLE_BLOCKS:  return n / len <= m / len && m / len - n / len <= p->back;
    default:             return 1;
    }
}

int oracle_sees(const oracle_attn *a, int64_t t, int h, int64_t j)
{
    const int64_t list = a->k_pos_head ? h / (a->n_head / a->n_head_kv) * a->k_pos_head : 0;
    int64_t m = a->q_pos[t], n = a->k_pos[list + j];
    if (a->causal && n > m) return 0;
    if (a->seen && !a->seen[(h * a->n_q + t) * a->n_kv + j]) return 0;
    if (a->q_group && a->q_group[t] != 0 && a->k_group[j] != 0 && a->q_group[t] != a->k_group[j])
        return 0;
    if (n < a->n_sink) return 1;
    if (a->pattern && (is_global(a->pattern, m) || is_global(a->pattern, n))) return 1;
    if (a->window != 0 && m - n >= a->window) return 0;
    if (a->right != 0 && n - m >= a->right) return 0;
    return !a->pattern || allowed(a->pattern, h, m, n);
}

/* The distance at which query t and key j, at position n, count. */
static long double distance(const oracle_attn *a, int64_t t, int64_t j, int64_t n)
{
    int64_t m = a->q_pos[t], w = a->far_window;
    if (a->far && a->far[j] && a->far_pos != 0 && m > a->far_pos) m = a->far_pos;
    if (a->far_kind == ORACLE_TRUE || m - n < w) return (long double)(m - n);
    if (a->far_kind == ORACLE_CLAMP) return (long double)w;
    if (a->far_kind == ORACLE_LEAKY) return (long double)w + (long double)(m - n - w) / a->far_leak;
    return (long double)(m / a->far_group - n / a->far_group + w - w / a->far_group);
}

/* q . k, k turned back by the distance of each pair of dimensions. Where n_hat gives query and key
   frequencies of their own, their angles are not those of a distance. */
static double raw_product(const oracle_attn *a, int64_t t, int64_t j, int64_t n, const float *q,
                          const float *k)
{
    const oracle_rope *r = a->rope;
    int64_t m = a->q_pos[t];
    long double apart_by = distance(a, t, j, n), angle;
    double sum = 0;
    int i, half = r->n_rot / 2;
    if (a->far && a->far[j] && a->far_pos != 0 && m > a->far_pos) m = a->far_pos;
    for (i = r->n_rot; i < a->d_k; i++) sum += (double)q[i] * (double)k[i];
    for (i = 0; i < half; i++) {
        int x = a->interleaved ? 2 * i : i, y = a->interleaved ? 2 * i + 1 : i + half;
        double even = (double)q[x] * (double)k[x] + (double)q[y] * (double)k[y];
        double odd = (double)q[y] * (double)k[x] - (double)q[x] * (double)k[y];
        double grow = (double)(r->attn_factor * r->attn_factor);
        angle = apart_by * r->freq[i];
        if (r->n_hat > 0)
            angle = (long double)m * (m < r->n_hat ? r->plain : r->freq)[i]
                  - (long double)n * (n < r->n_hat ? r->plain : r->freq)[i];
        if (r->xpos_base != 0)
            grow *= (double)(oracle_rope_growth(r, m, i) / oracle_rope_growth(r, n, i));
        sum += grow * (cos((double)angle) * even - sin((double)angle) * odd);
    }
    return sum;
}

/* Four sums do not wait for each other. */
static double dot(int n, const float *x, const float *y)
{
    double s[4] = { 0 };
    int i, k;
    for (i = 0; i + 3 < n; i += 4)
        for (k = 0; k < 4; k++) s[k] += (double)x[i + k] * (double)y[i + k];
    for (; i < n; i++) s[0] += (double)x[i] * (double)y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

/* The final logit of key j, -infinity where it is not visible. */
static double logit(const oracle_attn *a, int64_t t, int h, int64_t j)
{
    int g = h / (a->n_head / a->n_head_kv);
    int64_t row = j * a->n_head_kv + g, k_pos = a->k_pos[g * a->k_pos_head + j];
    const float *q = (a->far && a->far[j] ? a->q_far : a->q) + (t * a->n_head + h) * a->d_k;
    const float *k = a->k + row * a->d_k;
    double s;
    if (!oracle_sees(a, t, h, j)) return -(double)INFINITY;
    if (a->rope) s = raw_product(a, t, j, k_pos, a->q + (t * a->n_head + h) * a->d_k, k);
    else s = dot(a->d_k, q, k);
    if (a->k_factor) s *= (double)a->k_factor[row];
    s *= a->scale;
    if (a->softcap > 0) s = a->softcap * tanh(s / a->softcap);
    if (a->alibi) s -= (double)a->alibi[h] * fabs((double)(a->q_pos[t] - k_pos));
    if (a->bias) {
        float bias = a->bias[h * a->bias_head + t * a->bias_query + j];
        if (bias == -(float)INFINITY) return (double)bias;
        s += (double)bias;
    }
    return s;
}

static void add_values(const oracle_attn *a, int h, int64_t j, double p, double *out)
{
    int64_t row = j * a->n_head_kv + h / (a->n_head / a->n_head_kv);
    const float *v = a->v + row * a->d_v;
    int i;
    if (a->v_factor) p *= (double)a->v_factor[row];
    for (i = 0; i < a->d_v; i++) out[i] += p * (double)v[i];
}

double oracle_attn_row(const oracle_attn *a, int64_t t, int h, double *out)
{
    double *s = (double *)malloc(sizeof *s * (size_t)(a->n_kv + 1));
    double top = a->sink_logit ? (double)a->sink_logit[h] : -(double)INFINITY, sum;
    int64_t j;
    int i;
    for (i = 0; i < a->d_v; i++) out[i] = 0;
    for (j = 0; j < a->n_kv; j++) {
        s[j] = logit(a, t, h, j);
        if (s[j] > top || isnan(s[j])) top = s[j];
    }
    if (isinf(top)) { free(s); return top; }
    sum = a->sink_logit ? exp((double)a->sink_logit[h] - top) : 0;
    for (j = 0; j < a->n_kv; j++) {
        double p = exp(s[j] - top);
        if (isinf(s[j])) continue;
        sum += p;
        add_values(a, h, j, p, out);
    }
    for (i = 0; i < a->d_v; i++) out[i] /= sum;
    free(s);
    return top + log(sum);
}

void oracle_attn_mass(const oracle_attn *a, int64_t first, double *mass)
{
    double *out = (double *)malloc(sizeof *out * (size_t)a->d_v);
    int64_t t, j;
    int h;
    for (j = 0; j < a->n_head_kv * a->n_kv; j++) mass[j] = 0;
    for (t = first; t < a->n_q; t++)
        for (h = 0; h < a->n_head; h++) {
            double lse = oracle_attn_row(a, t, h, out);
            for (j = 0; j < a->n_kv && !isinf(lse); j++)
                mass[h / (a->n_head / a->n_head_kv) * a->n_kv + j] += exp(logit(a, t, h, j) - lse);
        }
    free(out);
}

/* ============================================================================ how far off */

void oracle_error_add(oracle_error *e, int64_t n, const double *want, const float *got)
{
    int64_t i;
    for (i = 0; i < n; i++) {
        double off = fabs((double)got[i] - want[i]), rel = off / (1 + fabs(want[i]));
        if (off < FLT_MIN) off = 0;                  /* below what f32 tells apart */
        e->error2 += off * off;
        e->want2 += want[i] * want[i];
        if (!(rel <= e->worst)) e->worst = rel;      /* NaN is the worst, and stays */
        if (isnan(rel)) { e->worst = (double)INFINITY; e->error2 = (double)INFINITY; }
    }
    e->n += n;
}

double oracle_error_nmse(const oracle_error *e)
{
    return e->want2 > 0 ? e->error2 / e->want2 : e->error2 > 0 ? (double)INFINITY : 0;
}
