#include "model.h"
#include "llama2c.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- metadata */
/* What an architecture has beyond Llama, and of a layer: which FFN. */
enum {
    BIASES = 1,           /* of q, k and v */
    HEAD_NORMS = 2,       /* of q and k */
    POST_NORMS = 4,       /* of what attention and FFN add */
    SCALED = 8,           /* embeddings times the root of d_model */
    FUSED = 16,           /* q, k and v in one tensor, gate and up in one */
    OSS = 32,             /* biases everywhere, sinks, a norm of another name */
    SHARED = 64,          /* an expert for all tokens beside those chosen */
    CHUNKS = 8192,        /* Llama 4's layers, and its routing by sigmoids */
    DELTAS = 16384,       /* gated delta in place of attention, but for every so manyth layer */
    GATED = 32768,        /* attention and the expert for all by sigmoids */
    /* what a layer has otherwise */
    DENSE = 128, EXPERTS = 256,           /* its FFN, not fused */
    APART = 512,          /* q, k and v, not fused */
    FFN_NORM = 1024,      /* by that name */
    ALWAYS = 2048,
    STATES = 4096,        /* a mixer in place of attention and FFN */
    ATTENDS = 65536,
    RWKV = 131072,        /* a mixer and an FFN of its kind */
    BESIDE = 262144,      /* Mamba-2 beside attention */
    MIXES = STATES | DELTAS | BESIDE
};

static const struct architecture {
    const char *name;
    int pairing, activation, has;
    int full;             /* every so manyth layer is without the window; 0 = none is */
    int large;            /* so many layers: the scale of scores is by d_model / n_head */
} architectures[] = {
    { "llama",    LCTX_ROPE_INTERLEAVED, LCTX_SILU, 0,                                0, 0 },
    { "qwen2",    LCTX_ROPE_HALF,        LCTX_SILU, BIASES,                           0, 0 },
    { "qwen3",    LCTX_ROPE_HALF,        LCTX_SILU, HEAD_NORMS,                       0, 0 },
    { "qwen3moe", LCTX_ROPE_HALF,        LCTX_SILU, HEAD_NORMS,                       0, 0 },
    { "gemma2",   LCTX_ROPE_HALF,        LCTX_GELU, POST_NORMS | SCALED,              2, 46 },
    { "gemma3",   LCTX_ROPE_HALF,        LCTX_GELU, POST_NORMS | SCALED | HEAD_NORMS, 6, 62 },
    { "phi3",     LCTX_ROPE_HALF,        LCTX_SILU, FUSED,                            0, 0 },
    { "gpt-oss",  LCTX_ROPE_HALF,        LCTX_SWIGLU_CAPPED, BIASES | OSS,            2, 0 },
    { "llama4",   LCTX_ROPE_INTERLEAVED, LCTX_SILU, SHARED | CHUNKS,                  4, 0 },
    { "qwen3next", LCTX_ROPE_HALF, LCTX_SILU, HEAD_NORMS | SHARED | GATED | DELTAS,   0, 0 },
    { "lctx-hybrid", LCTX_ROPE_INTERLEAVED, LCTX_SILU, DELTAS,                       0, 0 },
    { "falcon-h1", LCTX_ROPE_HALF,       LCTX_SILU, BESIDE,                           0, 0 },
    { "mamba2",   LCTX_ROPE_HALF,        LCTX_SILU, STATES,                           0, 0 },
    { "rwkv7",    LCTX_ROPE_HALF,        LCTX_RELU, STATES | RWKV,                    0, 0 } };

/* Keys are read one after another; the first failure stays in `status` and ends the loading. */
typedef struct loader {
    gguf       *g;
    gguf_status status;
    const struct architecture *arch;
    const char *prefix;
    int32_t     n_expert, n_expert_used, d_ff_expert;      /* 0 = none */
    int32_t     expert_step;      /* every so manyth layer has them */
    int32_t     d_ff_shared;
    int32_t     full;             /* as in the architecture, or as the file has it */
    int32_t     attends;          /* every so manyth layer does where others have DELTAS */
    int         routing;
    lctx_mixer  mixer;            /* its numbers */
} loader;

static void key_name(const loader *l, const char *suffix, char name[80])
{
    snprintf(name, 80, "%s.%s", l->prefix, suffix);
}

static void note(loader *l, gguf_status status)
{
    if (l->status == GGUF_OK) l->status = status;
}

/* A count; fallback < 0 means that the key must be there, 0 that it may be 0 too. */
static int32_t key_count(loader *l, const char *suffix, int64_t fallback)
{
    char name[80];
    int64_t x = 0;
    key_name(l, suffix, name);
    if (l->status != GGUF_OK) return 0;
    if (fallback >= 0 && !gguf_find(l->g, name)) return (int32_t)fallback;
    note(l, gguf_get_int(l->g, name, fallback != 0, INT32_MAX, &x));
    return (int32_t)x;
}

static double key_real(loader *l, const char *suffix, double fallback)
{
    char name[80];
    key_name(l, suffix, name);
    if (l->status == GGUF_OK && gguf_find(l->g, name))
        note(l, gguf_get_real(l->g, name, &fallback));
    return fallback;
}

static void read_architecture(loader *l)
{
    gguf_string arch;
    char text[64];
    size_t i;
    note(l, gguf_get_string(l->g, "general.architecture", &arch));
    for (i = 0; i < sizeof architectures / sizeof *architectures && l->status == GGUF_OK; i++) {
        if (!gguf_string_is(arch, architectures[i].name)) continue;
        l->arch = &architectures[i];
        l->prefix = l->arch->name;
        return;
    }
    if (l->status == GGUF_OK)
        note(l, gguf_fail(l->g, GGUF_E_ARCHITECTURE, "this is %s", gguf_show(arch, text)));
}

static int has(const loader *l, int what) { return (l->arch->has & what) != 0; }

static void read_experts(loader *l, const model *m)
{
    char name[80];
    int normed = 1;
    l->n_expert = key_count(l, "expert_count", has(l, GATED) ? -1 : 0);
    l->n_expert_used = key_count(l, "expert_used_count", 0);
    l->d_ff_expert = key_count(l, "expert_feed_forward_length", m->lctx.d_ff);
    l->d_ff_shared = l->d_ff_expert;
    if (has(l, GATED))
        l->d_ff_shared = key_count(l, "expert_shared_feed_forward_length", l->d_ff_expert);
    l->expert_step = key_count(l, "interleave_moe_layer_step", 1);
    key_name(l, "expert_weights_norm", name);
    if (l->status == GGUF_OK && gguf_find(l->g, name))
        note(l, gguf_get_bool(l->g, name, &normed));
    l->routing = has(l, CHUNKS) ? LCTX_ROUTE_SIGMOID : normed ? LCTX_ROUTE_TOP_SOFTMAX
               : LCTX_ROUTE_SOFTMAX;
    if (l->status == GGUF_OK && l->n_expert_used > l->n_expert)
        note(l, gguf_fail(l->g, GGUF_E_VALUE, "\"%s.expert_used_count\" is %d of %d", l->prefix,
                          (int)l->n_expert_used, (int)l->n_expert));
}

static void read_states(loader *l)
{
    lctx_mixer *x = &l->mixer;
    int32_t inner = key_count(l, "ssm.inner_size", -1);
    x->kind = has(l, DELTAS) ? LCTX_MIXER_DELTA : LCTX_MIXER_MAMBA2;
    x->n_head = key_count(l, "ssm.time_step_rank", -1);
    x->n_head_k = key_count(l, "ssm.group_count", -1);
    x->d_k = key_count(l, "ssm.state_size", -1), x->taps = key_count(l, "ssm.conv_kernel", -1);
    if (has(l, DELTAS)) l->attends = key_count(l, "full_attention_interval", 4);
    if (l->status != GGUF_OK) return;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): counts that are no failures are above 0 */
    x->d_v = inner / x->n_head;
    if (inner % x->n_head || x->n_head % x->n_head_k || x->d_k > 65536)
        note(l, gguf_fail(l->g, GGUF_E_VALUE, "%d heads of %d in %d groups, of states of %d",
                          (int)x->n_head, (int)inner, (int)x->n_head_k, (int)x->d_k));
}

static void read_rwkv_states(loader *l, model *m)
{
    lctx_mixer *x = &l->mixer;
    x->kind = LCTX_MIXER_RWKV7, x->d_k = x->d_v = key_count(l, "wkv.head_size", -1);
    x->w.rank = key_count(l, "attention.decay_lora_rank", -1);
    x->rate.rank = key_count(l, "attention.iclr_lora_rank", -1);
    x->v.rank = key_count(l, "attention.value_residual_mix_lora_rank", -1);
    x->g.rank = key_count(l, "attention.gate_lora_rank", -1);
    if (l->status != GGUF_OK) return;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): counts that are no failures are above 0 */
    x->n_head = x->n_head_k = m->lctx.d_model / x->d_k;
    if (m->lctx.d_model % x->d_k)
        note(l, gguf_fail(l->g, GGUF_E_VALUE, "\"%s.wkv.head_size\" is %d, of %d", l->prefix,
                          (int)x->d_k, (int)m->lctx.d_model));
}

/* What lctx wants of attention and FFN where nothing has them is 1. */
static void read_shape(loader *l, model *m)
{
    lctx_model *x = &m->lctx;
    int32_t d_v;
    x->n_layer = key_count(l, "block_count", -1);
    x->d_model = key_count(l, "embedding_length", -1);
    if (has(l, RWKV)) read_rwkv_states(l, m);
    else if (has(l, MIXES)) read_states(l);
    if (has(l, STATES)) {
        x->d_ff = key_count(l, "feed_forward_length", has(l, RWKV) ? -1 : 0);
        (void)key_count(l, "attention.head_count", 0);
        x->n_head = x->n_head_kv = x->head_dim = 1, x->d_ff = has(l, RWKV) ? x->d_ff : 1;
    } else {
        x->d_ff = key_count(l, "feed_forward_length", -1);
        x->n_head = key_count(l, "attention.head_count", -1);
        x->n_head_kv = key_count(l, "attention.head_count_kv", x->n_head);
        if (l->status != GGUF_OK) return;
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): such counts are above 0 */
        x->head_dim = key_count(l, "attention.key_length", x->d_model / x->n_head);
    }
    d_v = key_count(l, "attention.value_length", x->head_dim);
    x->norm_eps = (float)key_real(l, has(l, RWKV) ? "attention.layer_norm_epsilon"
                                     : "attention.layer_norm_rms_epsilon", 1e-5);
    x->embd_scale = (float)key_real(l, "embedding_scale", has(l, SCALED) ? sqrt(x->d_model) : 0);
    x->attn_scale = (float)key_real(l, "attention.scale", x->n_layer != l->arch->large ? 0
                                    : 1 / sqrt((double)x->d_model / x->n_head));
    x->softcap = (float)key_real(l, "attn_logit_softcapping", 0);
    x->logit_softcap = (float)key_real(l, "final_logit_softcapping", 0);
    m->trained = key_count(l, "context_length", -1);
    if (l->status == GGUF_OK) read_experts(l, m);
    if (l->status == GGUF_OK && d_v != x->head_dim)
        note(l, gguf_fail(l->g, GGUF_E_MODEL, "keys and values differ in length"));
    if (l->status == GGUF_OK && (size_t)x->n_layer > l->g->n_tensors)     /* bounds the layers */
        note(l, gguf_fail(l->g, GGUF_E_VALUE, "\"%s.block_count\" is %d, with %zu tensors",
                          l->prefix, (int)x->n_layer, l->g->n_tensors));
}

/* -------------------------------------------------------------------------------- RoPE */
/* Llama 3 stores its schedule as one divisor per frequency. */
static void read_rope_table(loader *l, model *m, const gguf_tensor *t)
{
    lctx_rope_desc *d = &m->rope_desc;
    int32_t i, n = d->n_rot / 2;
    const float *divisor = t->data;
    if (t->type != GGUF_TENSOR_F32 || t->dims[0] != (uint64_t)n || t->dims[1] * t->dims[2] != 1
        || n > LCTX_MAX_ROT / 2 || d->scheme == LCTX_ROPE_YARN) {
        note(l, gguf_fail(l->g, GGUF_E_ROPE, "tensor \"rope_freqs.weight\""));
        return;
    }
    for (i = 0; i < n; i++)
        m->freq[i] = pow(d->theta, -2.0 * i / d->n_rot) / (double)divisor[i]
                   / (d->factor > 0 ? d->factor : 1);
    d->scheme = LCTX_ROPE_RAW;
    d->freq = m->freq;
}

/* Phi 3's divisors for short and for long texts. */
static void read_longrope(loader *l, model *m)
{
    static const char *const names[] = { "rope_factors_short.weight", "rope_factors_long.weight" };
    lctx_rope_desc *d = &m->rope_desc;
    const int32_t n = d->n_rot / 2;
    int32_t which, i;
    for (which = 0; which < 2 && l->status == GGUF_OK; which++) {
        const gguf_tensor *t = gguf_find_tensor(l->g, names[which]);
        if (!t || t->type != GGUF_TENSOR_F32 || t->dims[0] != (uint64_t)n || n > LCTX_MAX_ROT / 2
            || t->dims[1] * t->dims[2] * t->dims[3] != 1) {
            note(l, gguf_fail(l->g, GGUF_E_ROPE, "tensor \"%s\"", names[which]));
            return;
        }
        for (i = 0; i < n; i++) m->factor[which][i] = (double)((const float *)t->data)[i];
    }
    d->scheme = LCTX_ROPE_LONGROPE;
    d->short_factor = m->factor[0], d->long_factor = m->factor[1];
    d->orig_ctx = key_count(l, "rope.scaling.original_context_length", m->trained);
    d->ctx = d->orig_ctx;
    d->factor = fmax(1, (double)m->trained / d->orig_ctx);
    d->attn_factor = key_real(l, "rope.scaling.attn_factor", 0);
    m->trained = (int64_t)d->orig_ctx;
}

/* YaRN's own numbers. GGUF's factor comes on top of 0.1 ln s + 1; lctx's stands in its place. */
static void read_yarn(loader *l, lctx_rope_desc *d)
{
    double beta_fast = key_real(l, "rope.scaling.yarn_beta_fast", 0);
    double beta_slow = key_real(l, "rope.scaling.yarn_beta_slow", 0);
    double attn_factor = key_real(l, "rope.scaling.yarn_attn_factor",
                                  key_real(l, "rope.scaling.attn_factor", 0));
    if (d->scheme != LCTX_ROPE_YARN) return;
    d->beta_fast = beta_fast;
    d->beta_slow = beta_slow;
    d->no_truncate = has(l, OSS);
    d->attn_factor = d->factor > 1 ? attn_factor * (0.1 * log(d->factor) + 1) : attn_factor;
}

/* A factor without a type is linear, as in llama.cpp. */
static void read_scaling(loader *l, model *m)
{
    lctx_rope_desc *d = &m->rope_desc;
    gguf_string type = { "linear", 6 };
    char name[80], text[64];
    double factor = key_real(l, "rope.scaling.factor", key_real(l, "rope.scale_linear", 0));
    int32_t original = key_count(l, "rope.scaling.original_context_length", m->trained);
    key_name(l, "rope.scaling.type", name);
    if (l->status == GGUF_OK && gguf_find(l->g, name))
        note(l, gguf_get_string(l->g, name, &type));
    if (l->status != GGUF_OK) return;
    if (gguf_string_is(type, "yarn")) d->scheme = LCTX_ROPE_YARN;
    else if (gguf_string_is(type, "linear") && factor != 0) d->scheme = LCTX_ROPE_LINEAR;
    else if (!gguf_string_is(type, "linear") && !gguf_string_is(type, "none"))
        note(l, gguf_fail(l->g, GGUF_E_ROPE, "scaling type %s", gguf_show(type, text)));
    if (d->scheme != LCTX_ROPE_PLAIN) {
        d->factor = factor;
        m->trained = original;
    }
    read_yarn(l, d);
}

static void make_rope(loader *l, lctx_rope *rope, const lctx_rope_desc *d)
{
    lctx_status status = lctx_rope_init(rope, d);
    if (status != LCTX_OK) note(l, gguf_fail(l->g, GGUF_E_ROPE, "%s", lctx_status_text(status)));
}

/* Gemma 3's windowed layers turn by a schedule of their own. */
static void read_rope(loader *l, model *m)
{
    lctx_rope_desc *d = &m->rope_desc, local;
    const gguf_tensor *table = gguf_find_tensor(l->g, "rope_freqs.weight");
    memset(&local, 0, sizeof local);
    local.pairing = d->pairing = l->arch->pairing;
    local.n_rot = d->n_rot = key_count(l, "rope.dimension_count", m->lctx.head_dim);
    d->theta = key_real(l, "rope.freq_base", 10000);
    local.theta = key_real(l, "rope.freq_base_swa", 10000);
    if (l->status == GGUF_OK && gguf_find_tensor(l->g, "rope_factors_long.weight"))
        read_longrope(l, m);
    else if (l->status == GGUF_OK) {
        read_scaling(l, m);
        d->orig_ctx = (double)m->trained;
    }
    if (l->status == GGUF_OK && table) read_rope_table(l, m, table);
    if (l->status == GGUF_OK) make_rope(l, &m->rope, d);
    if (l->status == GGUF_OK) make_rope(l, &m->local_rope, &local);
}

/* -------------------------------------------------------------------------------- tensors */
static lctx_tensor weight(const gguf_tensor *t)
{
    lctx_tensor w = {0};
    w.data = t->data;
    switch (t->type) {
    case GGUF_TENSOR_F32:   w.type = LCTX_F32; break;
    case GGUF_TENSOR_F16:   w.type = LCTX_F16; break;
    case GGUF_TENSOR_BF16:  w.type = LCTX_BF16; break;
    case GGUF_TENSOR_Q8_0:  w.type = LCTX_Q8_0; break;
    case GGUF_TENSOR_Q4_0:  w.type = LCTX_Q4_0; break;
    case GGUF_TENSOR_Q4_K:  w.type = LCTX_Q4_K; break;
    case GGUF_TENSOR_Q5_K:  w.type = LCTX_Q5_K; break;
    case GGUF_TENSOR_Q6_K:  w.type = LCTX_Q6_K; break;
    case GGUF_TENSOR_MXFP4: w.type = LCTX_MXFP4; break;
    }
    return w;
}

/* Finds a weight and checks its shape; cols first, as GGUF has it. */
static const gguf_tensor *find_weight(loader *l, const char *name, int64_t cols, int64_t rows,
                                      int64_t count, int needed)
{
    const gguf_tensor *t = gguf_find_tensor(l->g, name);
    if (l->status != GGUF_OK) return NULL;
    if (!t) {
        if (needed) note(l, gguf_fail(l->g, GGUF_E_NO_TENSOR, "\"%s\"", name));
        return NULL;
    }
    if (t->dims[0] == (uint64_t)cols && t->dims[1] == (uint64_t)rows
        && t->dims[2] * t->dims[3] == (uint64_t)count) return t;
    note(l, gguf_fail(l->g, GGUF_E_SHAPE, "tensor \"%s\" is %llu x %llu x %llu, not %lld x %lld x "
                      "%lld", name, (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                      (unsigned long long)(t->dims[2] * t->dims[3]), (long long)cols,
                      (long long)rows, (long long)count));
    return NULL;
}
static void read_tensor(loader *l, const char *name, int64_t cols, int64_t rows, int64_t count,
                        int needed, lctx_tensor *out)
{
    const gguf_tensor *t = find_weight(l, name, cols, rows, count, needed);
    if (t) *out = weight(t);
}

/* Dimensions of the weights of a layer. */
enum { ONE, MODEL, QUERY, QUERY2, KEY, QKV, HEAD, HEADS, FF, FF2, FFS, EXPERT, N_DIM };

/* `in`: of which layers, `needed`: by which; all others of the first may have it. A field stands
   twice where its tensor has two names. */
#define FIELD(name) offsetof(lctx_layer, name)
static const struct layer_weight {
    const char *name;
    size_t      field;
    int         cols, rows, count, in, needed;
} layer_weights[] = {
    { "attn_norm.weight",   FIELD(attn_norm), MODEL, ONE,   ONE, ALWAYS,     ALWAYS },
    { "attn_q.weight",      FIELD(wq),        MODEL, QUERY2, ONE, APART,     APART },
    { "attn_k.weight",      FIELD(wk),        MODEL, KEY,   ONE, APART,      APART },
    { "attn_v.weight",      FIELD(wv),        MODEL, KEY,   ONE, APART,      APART },
    { "attn_output.weight", FIELD(wo),        QUERY, MODEL, ONE, ATTENDS,    ATTENDS },
    { "attn_q.bias",        FIELD(bq),        QUERY, ONE,   ONE, APART,      BIASES },
    { "attn_k.bias",        FIELD(bk),        KEY,   ONE,   ONE, APART,      BIASES },
    { "attn_v.bias",        FIELD(bv),        KEY,   ONE,   ONE, APART,      BIASES },
    { "attn_output.bias",   FIELD(bo),        MODEL, ONE,   ONE, ATTENDS,    OSS },
    { "attn_q_norm.weight", FIELD(q_norm),    HEAD,  ONE,   ONE, ATTENDS,    HEAD_NORMS },
    { "attn_k_norm.weight", FIELD(k_norm),    HEAD,  ONE,   ONE, ATTENDS,    HEAD_NORMS },
    { "ffn_norm.weight",    FIELD(ffn_norm),  MODEL, ONE,   ONE, FFN_NORM,   FFN_NORM },
    { "ffn_norm",           FIELD(ffn_norm),  MODEL, ONE,   ONE, BESIDE,     BESIDE },
    { "post_attention_norm.weight", FIELD(ffn_norm), MODEL, ONE, ONE, OSS | GATED, OSS | GATED },
    { "post_attention_norm.weight", FIELD(attn_post_norm), MODEL, ONE, ONE, POST_NORMS, POST_NORMS },
    { "post_ffw_norm.weight", FIELD(ffn_post_norm), MODEL, ONE, ONE, POST_NORMS, POST_NORMS },
    { "ffn_gate.weight",    FIELD(w_gate),    MODEL, FF,    ONE, DENSE,      DENSE },
    { "ffn_up.weight",      FIELD(w_up),      MODEL, FF,    ONE, DENSE,      DENSE },
    { "ffn_down.weight",    FIELD(w_down),    FF,    MODEL, ONE, DENSE | FUSED, DENSE | FUSED },
    { "ffn_gate.bias",      FIELD(b_gate),    FF,    ONE,   ONE, DENSE,      0 },
    { "ffn_up.bias",        FIELD(b_up),      FF,    ONE,   ONE, DENSE,      0 },
    { "ffn_down.bias",      FIELD(b_down),    MODEL, ONE,   ONE, DENSE | FUSED, 0 },
    { "ffn_gate_inp.weight", FIELD(router),   MODEL, EXPERT, ONE, EXPERTS,   EXPERTS },
    { "ffn_gate_exps.weight", FIELD(w_gate),  MODEL, FF, EXPERT, EXPERTS,    EXPERTS },
    { "ffn_up_exps.weight", FIELD(w_up),      MODEL, FF, EXPERT, EXPERTS,    EXPERTS },
    { "ffn_down_exps.weight", FIELD(w_down),  FF, MODEL, EXPERT, EXPERTS,    EXPERTS },
    { "ffn_gate_inp.bias",  FIELD(b_router),  EXPERT, ONE,  ONE, EXPERTS,    OSS },
    { "ffn_gate_exps.bias", FIELD(b_gate),    FF,    EXPERT, ONE, EXPERTS,   OSS },
    { "ffn_up_exps.bias",   FIELD(b_up),      FF,    EXPERT, ONE, EXPERTS,   OSS },
    { "ffn_down_exps.bias", FIELD(b_down),    MODEL, EXPERT, ONE, EXPERTS,   OSS },
    { "ffn_gate_inp_shexp.weight", FIELD(shared_router), MODEL, ONE, ONE, GATED, GATED },
    { "ffn_gate_shexp.weight", FIELD(shared_gate), MODEL, FFS, ONE, SHARED,  SHARED },
    { "ffn_up_shexp.weight", FIELD(shared_up), MODEL, FFS,  ONE, SHARED,     SHARED },
    { "ffn_down_shexp.weight", FIELD(shared_down), FFS, MODEL, ONE, SHARED,  SHARED } };
#undef FIELD

static const char *layer_name(int32_t i, const char *suffix, char name[80])
{
    snprintf(name, 80, "blk.%d.%s", (int)i, suffix);
    return name;
}

/* Rows from a tensor that holds those of several weights, or from a copy of its data. */
static lctx_tensor rows_at(const gguf_tensor *t, const void *data, int64_t from)
{
    lctx_tensor w = weight(t);
    w.data = (const char *)data + (size_t)from * gguf_row_bytes(t);
    return w;
}
static lctx_tensor rows_of(const gguf_tensor *t, int64_t from) { return rows_at(t, t->data, from); }

/* Of a tensor whose rows take turns, n times each[0] rows of a first part, each[1] of a second ...,
   a copy in which each part's rows are together. Null without it, or without memory. */
static const void *dealt(loader *l, model *m, const gguf_tensor *t, int64_t n,
                         const int64_t each[4])
{
    const size_t row = t ? gguf_row_bytes(t) : 0;
    const size_t round = row * (size_t)(each[0] + each[1] + each[2] + each[3]);
    const char *from = t ? t->data : NULL;
    char *copy = t ? malloc((size_t)n * round) : NULL, *to = copy;
    int64_t i;
    int part;
    if (!copy) {
        if (t) note(l, gguf_fail(l->g, GGUF_E_MEMORY, "%zu bytes", (size_t)n * round));
        return NULL;
    }
    for (part = 0; part < 4; from += row * (size_t)each[part++])
        for (i = 0; i < n; i++, to += row * (size_t)each[part])
            memcpy(to, from + (size_t)i * round, row * (size_t)each[part]);
    return m->copies[m->n_copies++] = copy;
}

/* Of each head its queries' rows, then its gate's. */
static void read_gated(loader *l, model *m, int32_t i, const int64_t dim[N_DIM])
{
    const int64_t each[4] = { dim[HEAD], dim[HEAD], 0, 0 };
    lctx_layer *x = &m->layers[i];
    char name[80];
    const gguf_tensor *t = find_weight(l, layer_name(i, "attn_q.weight", name), dim[MODEL],
                                       dim[QUERY2], 1, 1);
    const void *data = dealt(l, m, t, dim[HEADS], each);
    if (data) x->wq = rows_at(t, data, 0), x->attn_gate = rows_at(t, data, dim[QUERY]);
}
static void read_fused(loader *l, int32_t i, const int64_t dim[N_DIM], lctx_layer *x)
{
    char name[80];
    const gguf_tensor *t = find_weight(l, layer_name(i, "attn_qkv.weight", name), dim[MODEL],
                                       dim[QKV], 1, 1);
    if (t) {
        x->wq = rows_of(t, 0), x->wk = rows_of(t, dim[QUERY]);
        x->wv = rows_of(t, dim[QUERY] + dim[KEY]);
    }
    t = find_weight(l, layer_name(i, "ffn_up.weight", name), dim[MODEL], dim[FF2], 1, 1);
    if (t) x->w_gate = rows_of(t, 0), x->w_up = rows_of(t, dim[FF]);
}

static const float *read_many_floats(loader *l, const char *name, int64_t cols, int64_t rows,
                                     int64_t count, int needed)
{
    const gguf_tensor *t = find_weight(l, name, cols, rows, count, needed);
    if (t && t->type != GGUF_TENSOR_F32)
        note(l, gguf_fail(l->g, GGUF_E_TENSOR_TYPE, "tensor \"%s\"", name));
    return t ? t->data : NULL;
}

static const float *read_floats(loader *l, const char *name, int64_t cols, int64_t rows)
{
    return read_many_floats(l, name, cols, rows, 1, 1);
}

/* Mamba-2's one projection is z, then x, B and C, then dt. */
static void read_mamba2(loader *l, model *m, int32_t i)
{
    lctx_mixer *x = &m->mixers[i];
    const int64_t d = m->lctx.d_model, n = x->n_head, groups = x->n_head_k;
    const int64_t inner = n * x->d_v, channels = inner + 2 * groups * x->d_k;
    const int always = !has(l, BESIDE);
    const gguf_tensor *t;
    char name[80];
    t = find_weight(l, layer_name(i, "ssm_in.weight", name), d, inner + channels + n, 1, 1);
    if (t) {
        x->w_z = rows_of(t, 0), x->w_in = rows_of(t, inner);
        x->w_dt = rows_of(t, inner + channels);
    }
    x->conv_bias = read_many_floats(l, layer_name(i, "ssm_conv1d.bias", name), channels, 1, 1,
                                    always);
    x->a = read_floats(l, layer_name(i, "ssm_a", name), 1, n);
    x->skip = read_floats(l, layer_name(i, "ssm_d", name), 1, n);
    x->norm = read_many_floats(l, layer_name(i, "ssm_norm.weight", name), inner / groups, groups,
                               1, always);
}

/* Gated delta's projections are q, k and v of all heads, and z; or, in older files, those of a
   group of heads after those of another, as b and a, beta's and the decay's, always are. */
static void read_delta(loader *l, model *m, int32_t i)
{
    lctx_mixer *x = &m->mixers[i];
    const int64_t d = m->lctx.d_model, n = x->n_head, groups = x->n_head_k, of = n / groups;
    const int64_t inner = n * x->d_v, channels = inner + 2 * groups * x->d_k;
    const int64_t each[4] = { x->d_k, x->d_k, of * x->d_v, of * x->d_v };
    const int64_t gates[4] = { of, of, 0, 0 };
    const gguf_tensor *t;
    const void *data;
    char name[80];
    if (gguf_find_tensor(l->g, layer_name(i, "ssm_in.weight", name))) {
        t = find_weight(l, name, d, channels + inner, 1, 1);
        data = dealt(l, m, t, groups, each);
        if (data) x->w_in = rows_at(t, data, 0), x->w_z = rows_at(t, data, channels);
    } else {
        read_tensor(l, layer_name(i, "attn_qkv.weight", name), d, channels, 1, 1, &x->w_in);
        read_tensor(l, layer_name(i, "attn_gate.weight", name), d, inner, 1, 1, &x->w_z);
    }
    t = find_weight(l, layer_name(i, "ssm_ba.weight", name), d, 2 * n, 1, 1);
    data = dealt(l, m, t, groups, gates);
    if (data) x->w_beta = rows_at(t, data, 0), x->w_dt = rows_at(t, data, n);
    x->a = read_floats(l, layer_name(i, "ssm_a", name), n, 1);
    x->norm = read_floats(l, layer_name(i, "ssm_norm.weight", name), x->d_v, 1);
}

/* What all kinds have, and of its kind the rest. */
static void read_mixer(loader *l, model *m, int32_t i)
{
    lctx_mixer *x = &m->mixers[i];
    char name[80];
    int64_t inner, channels;
    *x = l->mixer, m->layers[i].mixer = x, m->layers[i].beside = has(l, BESIDE);
    inner = (int64_t)x->n_head * x->d_v, channels = inner + 2 * (int64_t)x->n_head_k * x->d_k;
    read_tensor(l, layer_name(i, "ssm_out.weight", name), inner, m->lctx.d_model, 1, 1, &x->w_out);
    x->conv = read_floats(l, layer_name(i, "ssm_conv1d.weight", name), x->taps, channels);
    x->dt_bias = read_floats(l, layer_name(i, "ssm_dt.bias", name), x->n_head, 1);
    if (x->kind == LCTX_MIXER_DELTA) read_delta(l, m, i);
    else read_mamba2(l, m, i);
}

/* The part of a time mix that a letter names. */
static void read_low_rank(loader *l, int32_t i, char letter, int64_t d, lctx_low_rank *x)
{
    char end[40], name[80];
    snprintf(end, sizeof end, "time_mix_%c1.weight", letter);
    read_tensor(l, layer_name(i, end, name), d, x->rank, 1, 1, &x->down);
    snprintf(end, sizeof end, "time_mix_%c2.weight", letter);
    read_tensor(l, layer_name(i, end, name), x->rank, d, 1, 1, &x->up);
    snprintf(end, sizeof end, "time_mix_%c0.weight", letter);
    if (letter != 'g') x->bias = read_floats(l, layer_name(i, end, name), d, 1);
}
/* The first layer has no values to go back to: what a file has in their place is not used. */
static void read_rwkv(loader *l, model *m, int32_t i)
{
    lctx_layer *layer = &m->layers[i];
    lctx_mixer *x = &m->mixers[i];
    const int64_t d = m->lctx.d_model, ff = m->lctx.d_ff;
    char name[80];
    *x = l->mixer, layer->mixer = x, layer->activation = l->arch->activation;
    if (!i) x->v.rank = x->rate.rank;
    read_tensor(l, layer_name(i, "attn_norm.weight", name), d, 1, 1, 1, &layer->attn_norm);
    layer->attn_norm_bias = read_floats(l, layer_name(i, "attn_norm.bias", name), d, 1);
    read_tensor(l, layer_name(i, "time_mix_receptance.weight", name), d, d, 1, 1, &x->w_r);
    read_tensor(l, layer_name(i, "time_mix_key.weight", name), d, d, 1, 1, &x->w_k);
    read_tensor(l, layer_name(i, "time_mix_value.weight", name), d, d, 1, 1, &x->w_v);
    read_tensor(l, layer_name(i, "time_mix_output.weight", name), d, d, 1, 1, &x->w_out);
    read_low_rank(l, i, 'w', d, &x->w), read_low_rank(l, i, 'a', d, &x->rate);
    read_low_rank(l, i, 'g', d, &x->g);
    read_low_rank(l, i, 'v', d, &x->v);
    if (!i) memset(&x->v, 0, sizeof x->v);
    x->shift = read_many_floats(l, layer_name(i, "time_mix_lerp_fused.weight", name), d, 1, 6, 1);
    x->k_k = read_floats(l, layer_name(i, "time_mix_k_k.weight", name), d, 1);
    x->k_a = read_floats(l, layer_name(i, "time_mix_k_a.weight", name), d, 1);
    x->r_k = read_floats(l, layer_name(i, "time_mix_r_k.weight", name), d, 1);
    x->norm = read_floats(l, layer_name(i, "time_mix_ln.weight", name), d, 1);
    x->norm_bias = read_floats(l, layer_name(i, "time_mix_ln.bias", name), d, 1);
    read_tensor(l, layer_name(i, "attn_norm_2.weight", name), d, 1, 1, 1, &layer->ffn_norm);
    layer->ffn_norm_bias = read_floats(l, layer_name(i, "attn_norm_2.bias", name), d, 1);
    x->ffn_shift = read_floats(l, layer_name(i, "channel_mix_lerp_k.weight", name), d, 1);
    read_tensor(l, layer_name(i, "channel_mix_key.weight", name), d, ff, 1, 1, &layer->w_gate);
    read_tensor(l, layer_name(i, "channel_mix_value.weight", name), ff, d, 1, 1, &layer->w_down);
}

/* What layer i has. */
static int kind_of(const loader *l, int32_t i)
{
    int kind = l->arch->has | ALWAYS | ATTENDS;
    const int experts = l->n_expert && (i + 1) % l->expert_step == 0;
    if (has(l, STATES)) return STATES | ALWAYS;
    if (!experts) kind &= ~SHARED;
    if (!has(l, FUSED)) kind |= APART | (experts ? EXPERTS : DENSE);
    if (!has(l, OSS | GATED | BESIDE)) kind |= FFN_NORM;
    if (!has(l, DELTAS)) return kind;
    return (i + 1) % l->attends ? kind & ~(APART | ATTENDS | BIASES | HEAD_NORMS) : kind & ~DELTAS;
}

static void read_layer(loader *l, model *m, int32_t i, int64_t dim[N_DIM])
{
    lctx_layer *x = &m->layers[i];
    const int kind = kind_of(l, i), experts = (kind & EXPERTS) != 0;
    char name[80];
    size_t w;
    x->activation = l->arch->activation;
    dim[FF] = experts ? l->d_ff_expert : m->lctx.d_ff, dim[FF2] = 2 * dim[FF];
    if (experts) {
        x->n_expert = l->n_expert, x->n_expert_used = l->n_expert_used;
        x->routing = l->routing, x->d_ff = l->d_ff_expert;
        if (kind & SHARED) x->d_ff_shared = l->d_ff_shared;
    }
    for (w = 0; w < sizeof layer_weights / sizeof *layer_weights; w++) {
        const struct layer_weight *lw = &layer_weights[w];
        if (!(lw->in & kind)) continue;
        read_tensor(l, layer_name(i, lw->name, name), dim[lw->cols], dim[lw->rows], dim[lw->count],
                    (lw->needed & kind) != 0, (lctx_tensor *)(void *)((char *)x + lw->field));
    }
    if (has(l, FUSED)) read_fused(l, i, dim, x);
    if (kind & ATTENDS && has(l, GATED)) read_gated(l, m, i, dim);
    if (kind & MIXES) read_mixer(l, m, i);
    if (has(l, OSS))
        x->sink_logit = read_floats(l, layer_name(i, "attn_sinks.weight", name), dim[HEADS], 1);
}

/* Llama 4 sees chunks but for every fourth layer, which sees all, does not turn, and scales its
   queries by their position; the heads of the others are normed without weights. */
static void read_chunks(loader *l, model *m, int64_t chunk)
{
    const int normed = l->n_expert != 128;
    int32_t i;
    m->chunks.kind = LCTX_PATTERN_BLOCKS, m->chunks.length = chunk;
    m->ones = malloc(sizeof *m->ones * (size_t)m->lctx.head_dim);
    if (!m->ones) note(l, gguf_fail(l->g, GGUF_E_MEMORY, "%d heads", (int)m->lctx.head_dim));
    for (i = 0; m->ones && i < m->lctx.head_dim; i++) m->ones[i] = 1;
    for (i = 0; i < m->lctx.n_layer; i++) {
        lctx_layer *x = &m->layers[i];
        if (x->window) x->pattern = &m->chunks;
        x->no_rope = (i + 1) % 4 == 0;
        if (x->no_rope) x->q_scale = 0.1f, x->q_scale_offset = 1, x->q_scale_length = chunk;
        else if (normed) x->q_norm.data = x->k_norm.data = m->ones;
    }
}

static void read_layers(loader *l, model *m)
{
    const lctx_model *x = &m->lctx;
    const int chunked = has(l, CHUNKS);
    int64_t dim[N_DIM];
    int64_t window = key_count(l, "attention.sliding_window", 0);
    int32_t i;
    l->full = key_count(l, "attention.sliding_window_pattern", l->arch->full);
    if (chunked) window = 8192;
    dim[ONE] = 1;
    dim[MODEL] = x->d_model;
    dim[QUERY] = (int64_t)x->n_head * x->head_dim;
    dim[QUERY2] = has(l, GATED) ? 2 * dim[QUERY] : dim[QUERY], dim[FFS] = l->d_ff_shared;
    dim[KEY] = (int64_t)x->n_head_kv * x->head_dim;
    dim[QKV] = dim[QUERY] + 2 * dim[KEY];
    dim[HEAD] = x->head_dim, dim[HEADS] = x->n_head;
    dim[EXPERT] = l->n_expert;
    for (i = 0; i < x->n_layer; i++) {
        if (!l->full || (i + 1) % l->full) {
            m->layers[i].window = window;
            if (has(l, POST_NORMS) && has(l, HEAD_NORMS)) m->layers[i].rope = &m->local_rope;
        }
        if (has(l, RWKV)) read_rwkv(l, m, i);
        else read_layer(l, m, i, dim);
    }
    if (chunked && l->status == GGUF_OK) read_chunks(l, m, window);
}

static void read_tensors(loader *l, model *m)
{
    lctx_model *x = &m->lctx;
    const gguf_tensor *embd = gguf_find_tensor(l->g, "token_embd.weight");
    if (embd && embd->dims[1] <= INT32_MAX) x->n_vocab = (int32_t)embd->dims[1];
    read_tensor(l, "token_embd.weight", x->d_model, x->n_vocab, 1, 1, &x->tok_embd);
    read_tensor(l, "output_norm.weight", x->d_model, 1, 1, 1, &x->output_norm);
    read_tensor(l, "output.weight", x->d_model, x->n_vocab, 1, 0, &x->output);
    if (has(l, RWKV)) {
        read_tensor(l, "token_embd_norm.weight", x->d_model, 1, 1, 1, &x->embd_norm);
        x->embd_norm_bias = read_floats(l, "token_embd_norm.bias", x->d_model, 1);
        x->output_norm_bias = read_floats(l, "output_norm.bias", x->d_model, 1);
    }
    m->layers = calloc((size_t)x->n_layer, sizeof *m->layers);
    m->mixers = calloc((size_t)x->n_layer, sizeof *m->mixers);
    m->copies = calloc((size_t)x->n_layer, 2 * sizeof *m->copies);
    if (!m->layers || !m->mixers || !m->copies)
        note(l, gguf_fail(l->g, GGUF_E_MEMORY, "%d layers", (int)x->n_layer));
    else read_layers(l, m);
}

/* -------------------------------------------------------------------------------- the rest */
/* What else a file may say of its architecture, with the value at which it changes nothing; -1:
   whatever it is. */
static const struct { const char *suffix; double neutral; } other_keys[] = {
    { "attention.causal", 1 },          { "attention.clamp_kqv", 0 },
    { "attention.max_alibi_bias", 0 },  { "attention.temperature_length", 0 },
    { "logit_scale", 1 },               { "pooling_type", -1 },
    { "residual_scale", 1 },            { "rope.scaling.finetuned", -1 },
    { "rope.scaling.yarn_ext_factor", 1 }, { "tensor_data_layout", -1 }, { "token_shift_count", 2 },
    { "use_parallel_residual", 0 },     { "vocab_size", -1 } };

/* What nobody asked for would be left out in silence: it is refused. */
static void check_rest(loader *l)
{
    gguf *g = l->g;
    char name[80], text[64];
    size_t i, n = strlen(l->prefix);
    for (i = 0; i < sizeof other_keys / sizeof *other_keys; i++) {
        const gguf_key *key;
        double neutral = other_keys[i].neutral;
        key_name(l, other_keys[i].suffix, name);
        key = gguf_find(g, name);
        if (key && neutral >= 0 && gguf_real_at(key->type, key->data) != neutral)
            note(l, gguf_fail(g, GGUF_E_UNSUPPORTED, "key \"%s\"", name));
    }
    for (i = 0; i < g->n_keys && l->status == GGUF_OK; i++) {
        gguf_string key = g->keys[i].name;
        if (!g->keys[i].asked && key.n > n && !memcmp(key.text, l->prefix, n) && key.text[n] == '.')
            note(l, gguf_fail(g, GGUF_E_UNSUPPORTED, "key \"%s\"", gguf_show(key, text)));
    }
    for (i = 0; i < g->n_tensors && l->status == GGUF_OK; i++)
        if (!g->tensors[i].asked)
            note(l, gguf_fail(g, GGUF_E_UNSUPPORTED, "tensor \"%s\"",
                              gguf_show(g->tensors[i].name, text)));
}

/* -------------------------------------------------------------------------------- opening */
static gguf_status load(model *m)
{
    loader l = {0};
    l.g = &m->file;
    read_architecture(&l);
    if (l.status == GGUF_OK) read_shape(&l, m);
    if (l.status == GGUF_OK && !has(&l, STATES)) read_rope(&l, m);
    if (l.status == GGUF_OK) read_tensors(&l, m);
    if (l.status == GGUF_OK) check_rest(&l);
    return l.status;
}

/* After the file was opened with that status. */
static gguf_status open_model(model *m, gguf_status status)
{
    lctx_refusal refused;
    char text[160];
    lctx_status st;
    if (status == GGUF_E_MAGIC) status = llama2c_load(m);
    else if (status == GGUF_OK) status = load(m);
    if (status != GGUF_OK) return status;
    m->lctx.layers = m->layers;
    m->lctx.rope = &m->rope;
    m->lctx.refused = &refused;
    st = lctx_model_check(&m->lctx);
    m->lctx.refused = NULL;
    lctx_refusal_text(&refused, text, sizeof text);
    return st == LCTX_OK ? GGUF_OK : gguf_fail(&m->file, GGUF_E_MODEL, "%s", text);
}

gguf_status model_open(model *m, const char *path)
{
    *m = (model){0};
    return open_model(m, gguf_open(&m->file, path));
}

gguf_status model_open_memory(model *m, const void *data, size_t size)
{
    *m = (model){0};
    return open_model(m, gguf_open_memory(&m->file, data, size));
}

void model_close(model *m)
{
    while (m->n_copies) free(m->copies[--m->n_copies]);
    free(m->copies);
    free(m->layers);
    free(m->mixers);
    free(m->ones);
    free(m->vocabulary);
    m->layers = NULL, m->mixers = NULL, m->copies = NULL, m->ones = NULL, m->vocabulary = NULL;
    gguf_close(&m->file);
}
