/* oracle_model.c - see oracle_model.h. Plain loops, double, no cleverness. */
#include "oracle_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *doubles(int64_t n) { return (double *)calloc((size_t)n + 1, sizeof(double)); }

static void rms_norm(int n, const double *x, const double *weight, double eps, double *out)
{
    double sum = 0;
    int i;
    for (i = 0; i < n; i++) sum += x[i] * x[i];
    for (i = 0; i < n; i++) out[i] = x[i] / sqrt(sum / n + eps) * weight[i];
}

/* The same, or where there is a bias a layer norm. */
static void norm_of(int n, const double *x, const double *weight, const double *bias, double eps,
                    double *out)
{
    double mean = 0;
    int i;
    for (i = 0; bias && i < n; i++) mean += x[i] / n;
    for (i = 0; i < n; i++) out[i] = x[i] - mean;
    rms_norm(n, out, weight, eps, out);
    for (i = 0; bias && i < n; i++) out[i] += bias[i];
}

/* Eight sums do not wait for each other. */
static double dot(int n, const double *x, const double *y)
{
    double s[8] = { 0 };
    int i, k;
    for (i = 0; i + 7 < n; i += 8)
        for (k = 0; k < 8; k++) s[k] += x[i + k] * y[i + k];
    for (; i < n; i++) s[0] += x[i] * y[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

/* y = W x + bias */
static void product(int rows, int cols, const double *w, const double *x, const double *bias,
                    double *y)
{
    int r;
    for (r = 0; r < rows; r++)
        y[r] = (bias ? bias[r] : 0) + dot(cols, w + (int64_t)r * cols, x);
}

/* Projects h to heads and, where the layer has norms for them, normalises each head. */
static void heads_of(const oracle_model *m, int n_head, const double *w, const double *bias,
                     const double *norm, const double *h, double *out)
{
    int i, d = m->head_dim;
    product(n_head * d, m->d_model, w, h, bias, out);
    for (i = 0; norm && i < n_head; i++) rms_norm(d, out + i * d, norm, m->norm_eps, out + i * d);
}

/* One token's heads, turned to pos, and scaled as xPos has it. */
static void rotated(const oracle_model *m, const oracle_layer *l, int key, int n_head, int64_t pos,
                    const double *x, double *out)
{
    int h, i;
    if (!l->rope) {
        memcpy(out, x, sizeof *x * (size_t)(n_head * m->head_dim));
        return;
    }
    oracle_rope_rotate(l->rope, l->interleaved, n_head, m->head_dim, pos, x, out);
    for (i = 0; i < l->rope->n_rot; i++) {
        int pair = l->interleaved ? i / 2 : i % (l->rope->n_rot / 2);
        double g = (double)oracle_rope_growth(l->rope, pos, pair);
        for (h = 0; h < n_head; h++) out[h * m->head_dim + i] *= key ? 1 / g : g;
    }
}

static int64_t window_of(const oracle_model *m, const oracle_layer *l)
{
    if (!m->window || !l->window) return m->window + l->window;
    return m->window < l->window ? m->window : l->window;
}

/* The keys that query t sees, in order; *pos gets the position of each (and so, as its own is the
   last, the query's). With sinks a position is the place among what is seen. */
static int64_t keys_seen(const oracle_model *m, const oracle_layer *l, int64_t t, int64_t *seen,
                         int64_t *pos)
{
    int64_t j, n = 0, window = window_of(m, l);
    for (j = 0; j <= t; j++) {
        if (window && t - j >= window && j >= m->n_sink) continue;
        seen[n] = j;
        pos[n] = m->n_sink ? n : j;
        n++;
    }
    return n;
}

/* Does the layer's pattern let the head of query t see key j? */
static int patterned(const oracle_model *m, const oracle_layer *l, int head, int64_t t, int64_t j)
{
    oracle_attn a;
    memset(&a, 0, sizeof a);
    a.q_pos = &t; a.k_pos = &j; a.n_sink = m->n_sink; a.pattern = l->pattern;
    return oracle_sees(&a, 0, head, 0);
}

/* One head of query t: q[head_dim]; k[n_seen][n_head_kv][head_dim] as rotated for it; v of all
   tokens, of which seen[n_seen] are seen. */
static void attend(const oracle_model *m, const oracle_layer *l, int64_t t, int64_t n_seen,
                   const int64_t *seen, int head, const double *q, const double *k,
                   const double *v, double *out)
{
    const int d = m->head_dim, kv_head = head / (m->n_head / m->n_head_kv);
    const double sink = l->sink_logit ? l->sink_logit[head] : -(double)INFINITY;
    double *score = doubles(n_seen), top = sink, sum;
    double scale = m->attn_scale * (l->rope ? (double)l->rope->scale_mul : 1);
    int64_t i;
    int c;
    for (i = 0; i < n_seen; i++) {
        for (c = 0; c < d; c++) score[i] += q[c] * k[(i * m->n_head_kv + kv_head) * d + c];
        score[i] *= scale;
        if (m->softcap > 0) score[i] = m->softcap * tanh(score[i] / m->softcap);
        if (!patterned(m, l, head, t, seen[i])) score[i] = -(double)INFINITY;
        if (score[i] > top) top = score[i];
    }
    sum = exp(sink - top);
    for (i = 0; i < n_seen; i++) sum += score[i] = exp(score[i] - top);
    for (c = 0; c < d; c++) out[c] = 0;
    for (i = 0; i < n_seen && !isinf(top); i++)
        for (c = 0; c < d; c++)
            out[c] += score[i] / sum * v[(seen[i] * m->n_head_kv + kv_head) * d + c];
    free(score);
}

/* One key for a query m - n away: with the query at 0 it stands at minus the distance at which the
   pair counts. A leak's distance is no whole number: it is turned by the window, and then by the
   rest along slower frequencies. */
static void turned_away(const oracle_model *m, const oracle_layer *l, int64_t pos_q, int64_t pos_k,
                        const double *k, double *out)
{
    int64_t apart = pos_q - pos_k, w = m->far_window, group = m->far_group;
    oracle_rope slow;
    int i;
    if (!l->rope || apart < w) { rotated(m, l, 1, m->n_head_kv, -apart, k, out); return; }
    if (m->far_kind == ORACLE_GROUP)
        apart = pos_q / group - pos_k / group + w - w / group;
    else
        apart = w;
    rotated(m, l, 1, m->n_head_kv, -apart, k, out);
    if (m->far_kind != ORACLE_LEAKY) return;
    slow = *l->rope;
    slow.attn_factor = 1;
    for (i = 0; i < slow.n_rot / 2; i++) slow.freq[i] /= m->far_leak;
    oracle_rope_rotate(&slow, l->interleaved, m->n_head_kv, m->head_dim, w - (pos_q - pos_k), out,
                       out);
}

/* All heads of query t: out[n_head][head_dim]. */
static void attend_token(const oracle_model *m, const oracle_layer *l, int64_t t, const double *q,
                         const double *k, const double *v, double *out)
{
    const int nq = m->n_head * m->head_dim, nk = m->n_head_kv * m->head_dim;
    int64_t *seen = (int64_t *)calloc((size_t)(2 * t + 2), sizeof *seen), *pos = seen + t + 1;
    int64_t n_seen = keys_seen(m, l, t, seen, pos), i, own = pos[n_seen - 1];
    double *turned_q = doubles(nq), *turned_k = doubles(n_seen * nk);
    oracle_rope_desc desc;
    oracle_rope rope;
    oracle_layer now = *l;
    int h;
    if (m->live) {
        desc = *m->live;
        desc.ctx = (double)(t + 1);
        oracle_rope_schedule(&desc, &rope);
        now.rope = &rope;
    }
    rotated(m, &now, 0, m->n_head, m->far_kind ? 0 : own, q, turned_q);
    for (i = 0; i < n_seen; i++)
        if (m->far_kind) turned_away(m, &now, own, pos[i], k + seen[i] * nk, turned_k + i * nk);
        else rotated(m, &now, 1, m->n_head_kv, pos[i], k + seen[i] * nk, turned_k + i * nk);
    for (h = 0; h < m->n_head; h++)
        attend(m, &now, t, n_seen, seen, h, turned_q + h * m->head_dim, turned_k, v,
               out + h * m->head_dim);
    free(seen); free(turned_q); free(turned_k);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* sums[n][d_model] += what the layer's attention makes of x */
static void attention(const oracle_model *m, const oracle_layer *l, int64_t n, const double *x,
                      double *sums)
{
    const int nq = m->n_head * m->head_dim, nk = m->n_head_kv * m->head_dim;
    double *h = doubles(m->d_model), *q = doubles(n * nq), *k = doubles(n * nk);
    double *v = doubles(n * nk), *out = doubles(nq), *gate = doubles(nq);
    int64_t t;
    int i;
    for (t = 0; t < n; t++) {
        double scale = 1;
        if (l->q_scale_length > 0)
            scale += l->q_scale * log(1 + floor(((double)t + l->q_scale_offset)
                                                / l->q_scale_length));
        norm_of(m->d_model, x + t * m->d_model, l->attn_norm, l->attn_norm_bias, m->norm_eps, h);
        heads_of(m, m->n_head, l->wq, l->bq, l->q_norm, h, q + t * nq);
        for (i = 0; i < nq; i++) q[t * nq + i] *= scale;
        heads_of(m, m->n_head_kv, l->wk, l->bk, l->k_norm, h, k + t * nk);
        heads_of(m, m->n_head_kv, l->wv, l->bv, NULL, h, v + t * nk);
    }
    for (t = 0; t < n; t++) {
        attend_token(m, l, t, q + t * nq, k, v, out);
        norm_of(m->d_model, x + t * m->d_model, l->attn_norm, l->attn_norm_bias, m->norm_eps, h);
        if (l->attn_gate) product(nq, m->d_model, l->attn_gate, h, NULL, gate);
        for (i = 0; l->attn_gate && i < nq; i++) out[i] *= sigmoid(gate[i]);
        product(m->d_model, nq, l->wo, out, l->bo, h);
        for (i = 0; i < m->d_model; i++) sums[t * m->d_model + i] += h[i];
    }
    free(h); free(q); free(k); free(v); free(out); free(gate);
}

/* ---- a mixer's head h over n tokens of u[n][channels], after the convolution: out[n][d_v] */
static void unit(int n, const double *x, double *out)
{
    double sum = 1e-6;
    int i;
    for (i = 0; i < n; i++) sum += x[i] * x[i];
    for (i = 0; i < n; i++) out[i] = x[i] / sqrt(sum);
}
static void state_head(const oracle_mixer *x, int h, int64_t n, const double *u, const double *beta,
                       const double *decay, double *out)
{
    const int keys = x->n_head_k * x->d_k, values = x->n_head * x->d_v;
    const int channels = 2 * keys + values;
    const int at = h / (x->n_head / x->n_head_k) * x->d_k, m = x->mamba2;
    const int q_at = at + (m ? values + keys : 0), k_at = at + (m ? values : keys);
    double *s = doubles((int64_t)x->d_v * x->d_k), *q = doubles(x->d_k), *k = doubles(x->d_k);
    int64_t t;
    int i, j;
    for (t = 0; t < n; t++) {
        const double *row = u + t * channels, *v = row + (m ? 0 : 2 * keys) + h * x->d_v;
        if (!m) unit(x->d_k, row + q_at, q), unit(x->d_k, row + k_at, k);
        for (j = 0; m && j < x->d_k; j++) q[j] = row[q_at + j], k[j] = row[k_at + j];
        for (i = 0; i < x->d_v; i++) {
            double *of = s + (int64_t)i * x->d_k, held = 0, y = 0;
            for (j = 0; j < x->d_k; j++) held += (of[j] *= decay[t * x->n_head + h]) * k[j];
            held = beta[t * x->n_head + h] * (v[i] - (m ? 0 : held));
            for (j = 0; j < x->d_k; j++) y += (of[j] += held * k[j]) * q[j];
            out[t * x->d_v + i] = m ? y + (x->skip ? x->skip[h] * v[i] : 0) : y / sqrt(x->d_k);
        }
    }
    free(s); free(q); free(k);
}
/* sums[n][d_model] += what the layer's mixer makes of x */
static void mix(const oracle_model *m, const oracle_layer *l, int64_t n, const double *x,
                double *sums)
{
    const oracle_mixer *o = l->mixer;
    const int d = m->d_model, dz = o->n_head * o->d_v, nh = o->n_head;
    const int channels = 2 * o->n_head_k * o->d_k + dz;
    double *h = doubles(d), *raw = doubles(n * channels), *u = doubles(n * channels);
    double *z = doubles(n * dz), *beta = doubles(n * nh), *decay = doubles(n * nh);
    double *y = doubles(n * dz), *one = doubles(n * o->d_v);
    int64_t t;
    int i, j;
    for (t = 0; t < n; t++) {
        norm_of(d, x + t * d, l->attn_norm, l->attn_norm_bias, m->norm_eps, h);
        product(channels, d, o->w_in, h, NULL, raw + t * channels);
        product(dz, d, o->w_z, h, NULL, z + t * dz);
        if (!o->mamba2) product(nh, d, o->w_beta, h, NULL, beta + t * nh);
        product(nh, d, o->w_dt, h, NULL, decay + t * nh);
        for (i = 0; i < nh; i++) {
            const double dt = log1p(exp(decay[t * nh + i] + o->dt_bias[i]));
            beta[t * nh + i] = o->mamba2 ? dt : 1 / (1 + exp(-beta[t * nh + i]));
            decay[t * nh + i] = exp(o->a[i] * dt);
        }
        for (i = 0; i < channels; i++) {
            double sum = o->conv_bias ? o->conv_bias[i] : 0;
            for (j = 0; j < o->taps && j <= t; j++)
                sum += o->conv[i * o->taps + o->taps - 1 - j] * raw[(t - j) * channels + i];
            u[t * channels + i] = sum / (1 + exp(-sum));
        }
    }
    for (i = 0; i < nh; i++) {
        state_head(o, i, n, u, beta, decay, one);
        for (t = 0; t < n; t++)
            for (j = 0; j < o->d_v; j++) y[t * dz + i * o->d_v + j] = one[t * o->d_v + j];
    }
    for (t = 0; t < n; t++) {
        const int each = o->mamba2 ? dz / o->n_head_k : o->d_v;
        for (j = 0; j < 2; j++) {        /* the gate, then norms, or the other way round */
            for (i = 0; j != o->mamba2 && i < dz; i++)
                y[t * dz + i] *= z[t * dz + i] / (1 + exp(-z[t * dz + i]));
            for (i = 0; o->norm && j == o->mamba2 && i < dz; i += each)
                rms_norm(each, y + t * dz + i, o->norm + (o->mamba2 ? i : 0), m->norm_eps,
                         y + t * dz + i);
        }
        product(d, dz, o->w_out, y + t * dz, NULL, h);
        for (i = 0; i < d; i++) sums[t * d + i] += h[i];
    }
    free(h); free(raw); free(u); free(z); free(beta); free(decay); free(y); free(one);
}

/* ---- RWKV-7 */
static double same(double z) { return z; }
/* Of h[n][d], what stands shift of the way to the token before. */
static void shifted(int d, int64_t n, const double *h, const double *shift, double *out)
{
    int64_t t;
    int i;
    for (t = 0; t < n; t++)
        for (i = 0; i < d; i++)
            out[t * d + i] = h[t * d + i] + shift[i] * ((t ? h[(t - 1) * d + i] : 0) - h[t * d + i]);
}
static void low_rank(const oracle_low_rank *w, double (*f)(double), int rows, int cols,
                     const double *x, double *out)
{
    double *y = doubles(w->rank);
    int i;
    product(w->rank, cols, w->down, x, NULL, y);
    for (i = 0; i < w->rank; i++) y[i] = f(y[i]);
    product(rows, w->rank, w->up, y, w->bias, out);
    free(y);
}
/* S = S diag(w) - (S kk) (rate kk)^T + v k^T; out = S q, normed, and v times the bonus */
static void rwkv_head(const oracle_mixer *o, int h, const double *q, double *k, const double *v,
                      const double *w, const double *rate, double *s, double *out)
{
    const double *k_k = o->k_k + h * o->d_k, *k_a = o->k_a + h * o->d_k, *r_k = o->r_k + h * o->d_k;
    double *kk = doubles(o->d_k), length = 0, bonus = 0;
    int i, j;
    for (j = 0; j < o->d_k; j++) kk[j] = k_k[j] * k[j], length += kk[j] * kk[j];
    for (j = 0; j < o->d_k; j++) {
        kk[j] /= sqrt(length), k[j] *= 1 + k_a[j] * (rate[j] - 1), bonus += r_k[j] * k[j] * q[j];
    }
    for (i = 0; i < o->d_v; i++, s += o->d_k) {
        double held = 0;
        for (j = 0; j < o->d_k; j++) held += s[j] * kk[j];
        for (out[i] = j = 0; j < o->d_k; j++)
            out[i] += (s[j] = s[j] * w[j] - held * rate[j] * kk[j] + v[i] * k[j]) * q[j];
    }
    norm_of(o->d_v, out, o->norm + h * o->d_v, o->norm_bias + h * o->d_v, 64e-5, out);
    for (i = 0; i < o->d_v; i++) out[i] += bonus * v[i];
    free(kk);
}
static void rwkv(const oracle_model *m, const oracle_layer *l, int64_t n, double *first, int is_first,
                 const double *x, double *sums)
{
    const oracle_mixer *o = l->mixer;
    const int d = m->d_model, nk = o->n_head * o->d_k, nv = o->n_head * o->d_v;
    double *h = doubles(n * d), *in = doubles(6 * n * d), *q = doubles(nk), *k = doubles(nk);
    double *w = doubles(nk), *rate = doubles(nk), *v = doubles(nv), *more = doubles(nv);
    double *g = doubles(nv), *y = doubles(nv), *s = doubles((int64_t)nv * o->d_k);
    int64_t t;
    int i;
    for (t = 0; t < n; t++)
        norm_of(d, x + t * d, l->attn_norm, l->attn_norm_bias, m->norm_eps, h + t * d);
    for (i = 0; i < 6; i++) shifted(d, n, h, o->shift + i * d, in + i * n * d);
    for (t = 0; t < n; t++) {
        product(nk, d, o->w_r, in + t * d, NULL, q);
        low_rank(&o->w, tanh, nk, d, in + (n + t) * d, w);
        product(nk, d, o->w_k, in + (2 * n + t) * d, NULL, k);
        product(nv, d, o->w_v, in + (3 * n + t) * d, NULL, v);
        if (!is_first) low_rank(&o->v, same, nv, d, in + (3 * n + t) * d, more);
        low_rank(&o->rate, same, nk, d, in + (4 * n + t) * d, rate);
        low_rank(&o->g, sigmoid, nv, d, in + (5 * n + t) * d, g);
        for (i = 0; i < nk; i++) w[i] = exp(-exp(-0.5) * sigmoid(w[i])), rate[i] = sigmoid(rate[i]);
        for (i = 0; i < nv; i++) {
            if (is_first) first[t * nv + i] = v[i];
            else v[i] += (first[t * nv + i] - v[i]) * sigmoid(more[i]);
        }
        for (i = 0; i < o->n_head; i++)
            rwkv_head(o, i, q + i * o->d_k, k + i * o->d_k, v + i * o->d_v, w + i * o->d_k,
                      rate + i * o->d_k, s + i * o->d_v * o->d_k, y + i * o->d_v);
        for (i = 0; i < nv; i++) y[i] *= g[i];
        product(d, nv, o->w_out, y, NULL, h);          /* whose rows are used up to this one */
        for (i = 0; i < d; i++) sums[t * d + i] += h[i];
    }
    free(h); free(in); free(q); free(k); free(w); free(rate); free(v); free(more); free(g);
    free(y); free(s);
}

static double activated(int kind, double g, double u)
{
    if (kind == ORACLE_RELU) return g > 0 ? g * u : 0;
    if (kind == ORACLE_GELU)
        return 0.5 * g * (1 + tanh(sqrt(2 / acos(-1)) * (g + 0.044715 * g * g * g))) * u;
    if (kind == ORACLE_SILU) return g / (1 + exp(-g)) * u;
    g = g > 7 ? 7 : g;
    u = u > 7 ? 7 : u < -7 ? -7 : u;
    return g / (1 + exp(-1.702 * g)) * (u + 1);
}

/* out += weight * the FFN of h */
static void ffn(int d_model, int d_ff, int kind, const double *w_gate, const double *w_up,
                const double *w_down, const double *b_gate, const double *b_up,
                const double *b_down, const double *h, double weight, double *out)
{
    double *gate = doubles(d_ff), *up = doubles(d_ff), *y = doubles(d_model);
    int i;
    product(d_ff, d_model, w_gate, h, b_gate, gate);
    product(d_ff, d_model, w_up ? w_up : w_gate, h, w_up ? b_up : b_gate, up);
    for (i = 0; i < d_ff; i++) gate[i] = activated(kind, gate[i], up[i]);
    product(d_model, d_ff, w_down, gate, b_down, y);
    for (i = 0; i < d_model; i++) out[i] += weight * y[i];
    free(gate); free(up); free(y);
}

/* Weights of all experts, 0 of those not chosen: an expert is chosen if fewer than n_expert_used
   are before it. */
static void route(const oracle_model *m, const oracle_layer *l, const double *h, double *weight)
{
    double *r = doubles(l->n_expert), sum = 0;
    int e, i, before;
    product(l->n_expert, m->d_model, l->router, h, l->b_router, r);
    for (e = 0; e < l->n_expert; e++) {
        for (before = i = 0; i < l->n_expert; i++)
            before += r[i] > r[e] || (r[i] == r[e] && i > e);
        weight[e] = before < l->n_expert_used ? 1 : 0;
        if (weight[e] > 0 || l->routing == ORACLE_SOFTMAX) sum += exp(r[e]);
    }
    for (e = 0; e < l->n_expert; e++)
        weight[e] *= l->routing == ORACLE_SIGMOID ? 1 / (1 + exp(-r[e])) : exp(r[e]) / sum;
    free(r);
}

static void experts(const oracle_model *m, const oracle_layer *l, const double *h, double *out)
{
    const int d = m->d_model, f = l->d_ff;
    double *weight = doubles(l->n_expert), *scaled = doubles(d);
    int e, i;
    route(m, l, h, weight);
    for (e = 0; e < l->n_expert; e++) {
        const int inside = l->routing == ORACLE_SIGMOID;
        const int64_t at = (int64_t)e * f * d;
        if (weight[e] == 0) continue;
        for (i = 0; i < d; i++) scaled[i] = inside ? weight[e] * h[i] : h[i];
        ffn(d, f, l->activation, l->w_gate + at, l->w_up + at, l->w_down + at,
            l->b_gate ? l->b_gate + e * f : NULL, l->b_up ? l->b_up + e * f : NULL,
            l->b_down ? l->b_down + e * d : NULL, scaled, inside ? 1 : weight[e], out);
    }
    free(weight); free(scaled);
}

/* last: what h was for the token before, 0 for the first; gets this one's. */
static void feed_forward(const oracle_model *m, const oracle_layer *l, double *last, double *x)
{
    const int d = m->d_model;
    double *h = doubles(d), *out = doubles(d), shared = 0;
    int i;
    norm_of(d, x, l->ffn_norm, l->ffn_norm_bias, m->norm_eps, h);
    for (i = 0; l->mixer && l->mixer->ffn_shift && i < d; i++) {
        const double own = h[i];
        h[i] += l->mixer->ffn_shift[i] * (last[i] - own), last[i] = own;
    }
    if (l->n_expert) experts(m, l, h, out);
    else ffn(d, l->d_ff, l->activation, l->w_gate, l->w_up, l->w_down, l->b_gate, l->b_up,
             l->b_down, h, 1, out);
    if (l->shared_router) product(1, d, l->shared_router, h, NULL, &shared);
    if (l->d_ff_shared)
        ffn(d, l->d_ff_shared, l->activation, l->shared_gate, l->shared_up, l->shared_down, NULL,
            NULL, NULL, h, l->shared_router ? sigmoid(shared) : 1, out);
    if (l->ffn_post_norm) rms_norm(d, out, l->ffn_post_norm, m->norm_eps, out);
    for (i = 0; i < d; i++) x[i] += out[i];
    free(h); free(out);
}

/* x += post(what attention, a mixer or both make of it) */
static void attend_or_mix(const oracle_model *m, const oracle_layer *l, int64_t n, double *first,
                          int is_first, double *x)
{
    const int d = m->d_model;
    double *sums = doubles(n * d);
    int64_t t;
    int i;
    if (!l->mixer || l->beside) attention(m, l, n, x, sums);
    if (l->mixer && l->mixer->w_r) rwkv(m, l, n, first, is_first, x, sums);
    else if (l->mixer) mix(m, l, n, x, sums);
    for (t = 0; t < n; t++) {
        double *sum = sums + t * d;
        if (l->attn_post_norm) rms_norm(d, sum, l->attn_post_norm, m->norm_eps, sum);
        for (i = 0; i < d; i++) x[t * d + i] += sum[i];
    }
    free(sums);
}

void oracle_model_logits(const oracle_model *m, int64_t n, const int32_t *tokens, double *logits)
{
    double *x = doubles(n * m->d_model), *h = doubles(m->d_model), *first = NULL;
    int64_t t;
    int i;
    for (t = 0; t < n; t++) {
        double *row = x + t * m->d_model;
        for (i = 0; i < m->d_model; i++)
            row[i] = m->tok_embd[(int64_t)tokens[t] * m->d_model + i] * m->embd_scale;
        if (m->embd_norm)
            norm_of(m->d_model, row, m->embd_norm, m->embd_norm_bias, m->norm_eps, row);
    }
    for (i = 0; i < m->n_layer; i++) {
        const oracle_mixer *o = m->layers[i].mixer;
        double *last = doubles(m->d_model);
        const int is_first = !first;
        if (o && o->w_r && is_first) first = doubles(n * o->n_head * o->d_v);
        attend_or_mix(m, &m->layers[i], n, first, is_first, x);
        for (t = 0; m->layers[i].ffn_norm && t < n; t++)
            feed_forward(m, &m->layers[i], last, x + t * m->d_model);
        free(last);
    }
    for (t = 0; t < n; t++) {
        double *row = logits + t * m->n_vocab;
        norm_of(m->d_model, x + t * m->d_model, m->output_norm, m->output_norm_bias, m->norm_eps, h);
        product(m->n_vocab, m->d_model, m->output, h, NULL, row);
        for (i = 0; m->logit_softcap > 0 && i < m->n_vocab; i++)
            row[i] = m->logit_softcap * tanh(row[i] / m->logit_softcap);
    }
    free(x); free(h); free(first);
}
