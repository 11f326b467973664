/* tiny.c - see tiny.h. */
#include "tiny.h"

#include <math.h>
#include <string.h>

static lctx_tensor weight(tiny *t, int n, float middle, float size)
{
    lctx_tensor x;
    int i;
    memset(&x, 0, sizeof x);
    FUZZ_CHECK(t->n_weights + n <= TINY_WEIGHTS, "weights");
    for (i = 0; i < n; i++)
        t->weights[t->n_weights + i] = middle + size * fuzz_uniform(5, (uint64_t)t->n_weights,
                                                                    (uint64_t)i);
    x.data = t->weights + t->n_weights;
    t->n_weights += n;
    return x;
}

/* What other families have. */
static void family(tiny *t, bytes *b, lctx_layer *l)
{
    const int options = (int)bytes_take(b, 1), ff = TINY_FF, d = TINY_MODEL;
    int n = 1;
    l->activation = options % LCTX_ACTIVATION_COUNT;
    if (options & 4) l->attn_post_norm = weight(t, d, 1, 0.2f);
    if (options & 8) l->ffn_post_norm = weight(t, d, 1, 0.2f);
    if (options & 16) l->q_scale = 0.1f, l->q_scale_length = bytes_in(b, 1, 20);
    if (options & 32) {
        n = l->n_expert = 1 + (int)bytes_in(b, 0, 3), l->n_expert_used = 1 + (int)bytes_in(b, 0, 3);
        if (l->n_expert_used > n) l->n_expert_used = n;
        l->routing = (int)bytes_in(b, 0, LCTX_ROUTING_COUNT - 1), l->router = weight(t, n * d, 0, 1);
    }
    if (options & 64) {
        l->d_ff_shared = 4, l->shared_gate = weight(t, 4 * d, 0, 1);
        l->shared_up = weight(t, 4 * d, 0, 1), l->shared_down = weight(t, 4 * d, 0, 0.5f);
        if (options & 1) l->shared_router = weight(t, d, 0, 1);
    }
    if (options & 128) {
        l->bo = weight(t, d, 0, 1), l->b_gate = weight(t, n * ff, 0, 1);
        l->b_up = weight(t, n * ff, 0, 1), l->b_down = weight(t, n * d, 0, 1);
    }
    l->w_gate = weight(t, n * ff * d, 0, 1), l->w_up = weight(t, n * ff * d, 0, 1);
    l->w_down = weight(t, n * ff * d, 0, 0.5f);
}

static void layer(tiny *t, bytes *b, lctx_layer *l)
{
    static const float sinks[TINY_HEADS] = { 0.5f, -0.25f };
    const int kv = t->model.n_head_kv * TINY_HEAD, q = TINY_HEADS * TINY_HEAD;
    const int options = (int)bytes_take(b, 1);
    l->attn_norm = weight(t, TINY_MODEL, 1, 0.2f), l->ffn_norm = weight(t, TINY_MODEL, 1, 0.2f);
    l->wq = weight(t, q * TINY_MODEL, 0, 1), l->wk = weight(t, kv * TINY_MODEL, 0, 1);
    l->wv = weight(t, kv * TINY_MODEL, 0, 1), l->wo = weight(t, q * TINY_MODEL, 0, 0.5f);
    family(t, b, l);
    if (options & 1) l->bq = weight(t, q, 0, 1), l->bk = weight(t, kv, 0, 1);
    if (options & 1) l->attn_gate = weight(t, q * TINY_MODEL, 0, 1);
    if (options & 2) l->q_norm = weight(t, TINY_HEAD, 1, 0.2f);
    if (options & 2) l->k_norm = weight(t, TINY_HEAD, 1, 0.2f);
    if (options & 4) l->sink_logit = sinks;
    if ((options & 24) == 24) l->window = bytes_in(b, 1, 100);
    if ((options & 96) == 96) l->no_rope = 1;
    if (options & 128 && options & 1) l->pattern = &t->pattern;
}

static const float *numbers(tiny *t, int n, float middle, float size)
{
    return (const float *)weight(t, n, middle, size).data;
}
static lctx_low_rank low_rank(tiny *t, int rows)
{
    lctx_low_rank x;
    memset(&x, 0, sizeof x);
    x.rank = 3, x.down = weight(t, 3 * TINY_MODEL, 0, 1), x.up = weight(t, rows * 3, 0, 1);
    x.bias = numbers(t, rows, 0, 1);
    return x;
}
static void rwkv(tiny *t, lctx_layer *l, lctx_mixer *x)
{
    const int d = TINY_MODEL, keys = x->n_head * x->d_k, values = x->n_head * x->d_v;
    x->n_head_k = x->n_head, x->w_r = weight(t, keys * d, 0, 1), x->w_k = weight(t, keys * d, 0, 1);
    x->w_v = weight(t, values * d, 0, 1);
    x->w = low_rank(t, keys), x->rate = low_rank(t, keys), x->g = low_rank(t, values);
    if (x != t->mixers) x->v = low_rank(t, values);
    x->shift = numbers(t, 6 * d, 0.5f, 0.3f), x->ffn_shift = numbers(t, d, 0.5f, 0.3f);
    x->k_k = numbers(t, keys, 1, 0.2f), x->k_a = numbers(t, keys, 1, 0.2f);
    x->r_k = numbers(t, keys, 0, 0.3f), x->norm_bias = numbers(t, values, 0, 0.2f);
    l->attn_norm_bias = numbers(t, d, 0, 0.2f), l->ffn_norm_bias = numbers(t, d, 0, 0.2f);
}
/* In a layer a mixer in place of attention, and snapshots. */
static void mixer(tiny *t, bytes *b, lctx_layer *l, lctx_mixer *x)
{
    const int d = TINY_MODEL;
    int channels, values;
    x->kind = (int32_t)bytes_in(b, 0, LCTX_MIXER_COUNT - 1);
    x->n_head = 2, x->n_head_k = 1 + bytes_flag(b), x->d_k = 3, x->d_v = 5;
    x->taps = (int32_t)bytes_in(b, 1, 4);
    values = x->n_head * x->d_v, channels = 2 * x->n_head_k * x->d_k + values;
    x->w_out = weight(t, d * values, 0, 0.5f), x->norm = numbers(t, values, 1, 0.2f);
    l->mixer = x, t->mixes++;
    if (x->kind == LCTX_MIXER_RWKV7) {
        rwkv(t, l, x);
        return;
    }
    x->w_in = weight(t, channels * d, 0, 1), x->w_z = weight(t, values * d, 0, 1);
    x->w_beta = weight(t, x->n_head * d, 0, 1), x->w_dt = weight(t, x->n_head * d, 0, 1);
    x->conv = numbers(t, channels * x->taps, 0, 0.5f), x->a = numbers(t, x->n_head, -0.5f, 0.3f);
    x->dt_bias = numbers(t, x->n_head, 0, 1), x->skip = numbers(t, x->n_head, 1, 0.2f);
}
static void mixers(tiny *t, bytes *b)
{
    const int which = (int)bytes_in(b, 0, 7);       /* bits of layers; half of the models have none */
    int i;
    for (i = 0; i < TINY_LAYERS && which < 4; i++)
        if (which >> i & 1) mixer(t, b, &t->layers[i], &t->mixers[i]);
    if (!t->mixes) return;
    t->desc.state_every = bytes_in(b, 0, 20), t->desc.state_slots = (int32_t)bytes_in(b, 0, 3);
}

static void ropes(tiny *t, bytes *b)
{
    lctx_rope_desc d;
    int i;
    memset(&d, 0, sizeof d);
    d.n_rot = 2 * (int32_t)bytes_in(b, 1, TINY_HEAD / 2);
    d.scheme = (int32_t)bytes_in(b, 0, LCTX_ROPE_SCHEME_COUNT - 1);
    d.pairing = bytes_flag(b), d.orig_ctx = 40, d.factor = 1 + (double)bytes_in(b, 0, 7);
    for (i = 0; i < TINY_HEAD / 2; i++) t->short_factor[i] = 1 + i, t->long_factor[i] = 3 + i;
    d.short_factor = t->short_factor, d.long_factor = t->long_factor, d.freq = t->short_factor;
    if (lctx_rope_init(&t->rope, &d) != LCTX_OK) return;
    t->model.rope = &t->rope;
    if (bytes_rarely(b, 4)) t->live = d, t->live.ctx = 0, t->desc.rope = &t->live;
    if (!bytes_rarely(b, 4)) return;
    t->far_rule.kind = (int32_t)bytes_in(b, 0, LCTX_FAR_COUNT - 1);
    t->far_rule.window = bytes_in(b, 1, 100), t->far_rule.group = (int32_t)bytes_in(b, 1, 8);
    t->far_rule.leak = 1 + (double)bytes_in(b, 0, 8);
    t->desc.far_rule = &t->far_rule;
}

static void describe(tiny *t, bytes *b, const lctx_allocator *alloc)
{
    static const int32_t chunks[] = { 1, 3, 16, 64, 100, 0, 0, 0 };
    lctx_session_desc *d = &t->desc;
    d->policy = (int32_t)bytes_in(b, 0, LCTX_POLICY_COUNT - 1);
    d->k_type = (int32_t)bytes_in(b, 0, LCTX_I4);
    d->v_type = (int32_t)bytes_in(b, 0, LCTX_I4);
    if (d->policy != LCTX_FULL) d->window = bytes_in(b, 1, d->policy == LCTX_HEAVY ? 40 : 150);
    if (d->policy == LCTX_SINKS || d->policy == LCTX_HEAVY) d->n_sink = (int32_t)bytes_in(b, 1, 80);
    if (d->policy == LCTX_HEAVY) d->n_heavy = bytes_in(b, 1, 20);
    d->block = 64 * (int32_t)bytes_in(b, 1, 3), d->chunk = chunks[bytes_in(b, 0, 7)];
    if (bytes_rarely(b, 8)) d->max_tokens = bytes_in(b, 1, 200);
    d->raw_keys = bytes_rarely(b, 4);
    d->alloc = alloc;
}

void tiny_begin(tiny *t, bytes *b, const lctx_allocator *alloc)
{
    int i;
    lctx_model *m = &t->model;
    memset(t, 0, sizeof *t);
    m->n_layer = TINY_LAYERS, m->n_head = TINY_HEADS, m->n_head_kv = (int32_t)bytes_in(b, 1, 2);
    m->head_dim = TINY_HEAD, m->d_model = TINY_MODEL, m->d_ff = TINY_FF, m->n_vocab = TINY_VOCAB;
    m->layers = t->layers;
    m->tok_embd = weight(t, TINY_VOCAB * TINY_MODEL, 0, 1);
    m->output_norm = weight(t, TINY_MODEL, 1, 0.2f);
    m->output = weight(t, TINY_VOCAB * TINY_MODEL, 0, 1);
    t->weights[TINY_SOUND * TINY_MODEL] = (float)NAN;
    t->pattern.kind = (int32_t)bytes_in(b, 0, LCTX_PATTERN_COUNT - 1);
    t->pattern.length = bytes_in(b, 1, 100), t->pattern.dilation = 1;
    for (i = 0; i < TINY_LAYERS; i++) layer(t, b, &t->layers[i]);
    ropes(t, b);
    describe(t, b, alloc);
    mixers(t, b);
}

