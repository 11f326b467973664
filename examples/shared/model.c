#include "model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- metadata */
enum { LLAMA = 1, QWEN2 = 2, QWEN3 = 4, ALL = 7 };

/* Keys are read one after another; the first failure stays in `status` and ends the loading. */
typedef struct loader {
    gguf       *g;
    gguf_status status;
    int         arch;
    char        prefix[16];
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
    static const char *const names[] = { "llama", "qwen2", "qwen3" };
    gguf_string arch;
    char text[64];
    int i;
    note(l, gguf_get_string(l->g, "general.architecture", &arch));
    for (i = 0; i < 3 && l->status == GGUF_OK; i++) {
        if (!gguf_string_is(arch, names[i])) continue;
        strcpy(l->prefix, names[i]);
        l->arch = 1 << i;
        return;
    }
    if (l->status == GGUF_OK)
        note(l, gguf_fail(l->g, GGUF_E_ARCHITECTURE, "this is %s", gguf_show(arch, text)));
}

static void read_shape(loader *l, model *m)
{
    lctx_model *x = &m->lctx;
    int32_t d_v;
    x->n_layer = key_count(l, "block_count", -1);
    x->d_model = key_count(l, "embedding_length", -1);
    x->d_ff = key_count(l, "feed_forward_length", -1);
    x->n_head = key_count(l, "attention.head_count", -1);
    x->n_head_kv = key_count(l, "attention.head_count_kv", x->n_head);
    if (l->status != GGUF_OK) return;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): counts that are no failures are above 0 */
    x->head_dim = key_count(l, "attention.key_length", x->d_model / x->n_head);
    d_v = key_count(l, "attention.value_length", x->head_dim);
    x->norm_eps = (float)key_real(l, "attention.layer_norm_rms_epsilon", 1e-5);
    x->embd_scale = (float)key_real(l, "embedding_scale", 0);
    x->attn_scale = (float)key_real(l, "attention.scale", 0);
    x->softcap = (float)key_real(l, "attn_logit_softcapping", 0);
    x->logit_softcap = (float)key_real(l, "final_logit_softcapping", 0);
    m->trained = key_count(l, "context_length", -1);
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

static void read_rope(loader *l, model *m)
{
    lctx_rope_desc *d = &m->rope_desc;
    const gguf_tensor *table = gguf_find_tensor(l->g, "rope_freqs.weight");
    lctx_status status;
    d->pairing = l->arch == LLAMA ? LCTX_ROPE_INTERLEAVED : LCTX_ROPE_HALF;
    d->n_rot = key_count(l, "rope.dimension_count", m->lctx.head_dim);
    d->theta = key_real(l, "rope.freq_base", 10000);
    if (l->status == GGUF_OK) read_scaling(l, m);
    d->orig_ctx = (double)m->trained;
    if (l->status == GGUF_OK && table) read_rope_table(l, m, table);
    if (l->status != GGUF_OK) return;
    status = lctx_rope_init(&m->rope, d);
    if (status != LCTX_OK) note(l, gguf_fail(l->g, GGUF_E_ROPE, "%s", lctx_status_text(status)));
}

/* -------------------------------------------------------------------------------- tensors */
/* Finds a weight and checks its shape; cols first, as GGUF has it. */
static void read_tensor(loader *l, const char *name, int64_t rows, int64_t cols, int needed,
                        lctx_tensor *out)
{
    const gguf_tensor *t = gguf_find_tensor(l->g, name);
    if (l->status != GGUF_OK) return;
    if (!t) {
        if (needed) note(l, gguf_fail(l->g, GGUF_E_NO_TENSOR, "\"%s\"", name));
    } else if (t->dims[0] != (uint64_t)cols || t->dims[1] != (uint64_t)rows
               || t->dims[2] != 1 || t->dims[3] != 1) {
        note(l, gguf_fail(l->g, GGUF_E_SHAPE, "tensor \"%s\" is %llu x %llu, not %lld x %lld", name,
                          (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                          (long long)cols, (long long)rows));
    } else {
        out->data = t->data;
        out->type = t->type == GGUF_TENSOR_F32 ? LCTX_F32
                  : t->type == GGUF_TENSOR_F16 ? LCTX_F16 : LCTX_BF16;
    }
}

enum { ONE, MODEL, QUERY, KEY, FF, HEAD, N_DIM };      /* dimensions of the weights of a layer */

static const struct layer_weight {
    const char *name;
    size_t      field;
    int         rows, cols;
    int         needed;       /* by which architectures; the others take it if it is there */
} layer_weights[] = {
    { "attn_norm.weight",   offsetof(lctx_layer, attn_norm), ONE,   MODEL, ALL   },
    { "attn_q.weight",      offsetof(lctx_layer, wq),        QUERY, MODEL, ALL   },
    { "attn_k.weight",      offsetof(lctx_layer, wk),        KEY,   MODEL, ALL   },
    { "attn_v.weight",      offsetof(lctx_layer, wv),        KEY,   MODEL, ALL   },
    { "attn_output.weight", offsetof(lctx_layer, wo),        MODEL, QUERY, ALL   },
    { "attn_q.bias",        offsetof(lctx_layer, bq),        ONE,   QUERY, QWEN2 },
    { "attn_k.bias",        offsetof(lctx_layer, bk),        ONE,   KEY,   QWEN2 },
    { "attn_v.bias",        offsetof(lctx_layer, bv),        ONE,   KEY,   QWEN2 },
    { "attn_q_norm.weight", offsetof(lctx_layer, q_norm),    ONE,   HEAD,  QWEN3 },
    { "attn_k_norm.weight", offsetof(lctx_layer, k_norm),    ONE,   HEAD,  QWEN3 },
    { "ffn_norm.weight",    offsetof(lctx_layer, ffn_norm),  ONE,   MODEL, ALL   },
    { "ffn_gate.weight",    offsetof(lctx_layer, w_gate),    FF,    MODEL, ALL   },
    { "ffn_up.weight",      offsetof(lctx_layer, w_up),      FF,    MODEL, ALL   },
    { "ffn_down.weight",    offsetof(lctx_layer, w_down),    MODEL, FF,    ALL   },
};

static void read_layers(loader *l, model *m)
{
    const lctx_model *x = &m->lctx;
    int64_t dim[N_DIM];
    int64_t window = key_count(l, "attention.sliding_window", 0);
    int32_t i;
    size_t w;
    char name[80];
    dim[ONE] = 1;
    dim[MODEL] = x->d_model;
    dim[QUERY] = (int64_t)x->n_head * x->head_dim;
    dim[KEY] = (int64_t)x->n_head_kv * x->head_dim;
    dim[FF] = x->d_ff;
    dim[HEAD] = x->head_dim;
    for (i = 0; i < x->n_layer; i++) {
        m->layers[i].window = window;
        for (w = 0; w < sizeof layer_weights / sizeof *layer_weights; w++) {
            const struct layer_weight *lw = &layer_weights[w];
            snprintf(name, sizeof name, "blk.%d.%s", (int)i, lw->name);
            read_tensor(l, name, dim[lw->rows], dim[lw->cols], lw->needed & l->arch,
                        (lctx_tensor *)(void *)((char *)&m->layers[i] + lw->field));
        }
    }
}

static void read_tensors(loader *l, model *m)
{
    lctx_model *x = &m->lctx;
    const gguf_tensor *embd = gguf_find_tensor(l->g, "token_embd.weight");
    if (embd && embd->dims[1] <= INT32_MAX) x->n_vocab = (int32_t)embd->dims[1];
    read_tensor(l, "token_embd.weight", x->n_vocab, x->d_model, 1, &x->tok_embd);
    read_tensor(l, "output_norm.weight", 1, x->d_model, 1, &x->output_norm);
    read_tensor(l, "output.weight", x->n_vocab, x->d_model, 0, &x->output);
    m->layers = calloc((size_t)x->n_layer, sizeof *m->layers);
    if (!m->layers) note(l, gguf_fail(l->g, GGUF_E_MEMORY, "%d layers", (int)x->n_layer));
    else read_layers(l, m);
}

/* -------------------------------------------------------------------------------- the rest */
/* What else a file may say of its architecture, with the value at which it changes nothing; -1:
   whatever it is. */
static const struct { const char *suffix; double neutral; } other_keys[] = {
    { "attention.causal", 1 },          { "attention.clamp_kqv", 0 },
    { "attention.max_alibi_bias", 0 },  { "attention.temperature_length", 0 },
    { "expert_count", 0 },              { "expert_used_count", 0 },
    { "logit_scale", 1 },               { "pooling_type", -1 },
    { "residual_scale", 1 },            { "rope.scaling.finetuned", -1 },
    { "rope.scaling.yarn_ext_factor", 1 }, { "tensor_data_layout", -1 },
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
    lctx_status status;
    l.g = &m->file;
    read_architecture(&l);
    if (l.status == GGUF_OK) read_shape(&l, m);
    if (l.status == GGUF_OK) read_rope(&l, m);
    if (l.status == GGUF_OK) read_tensors(&l, m);
    if (l.status == GGUF_OK) check_rest(&l);
    if (l.status != GGUF_OK) return l.status;
    m->lctx.layers = m->layers;
    m->lctx.rope = &m->rope;
    status = lctx_model_check(&m->lctx);
    return status == LCTX_OK ? GGUF_OK
                             : gguf_fail(&m->file, GGUF_E_MODEL, "%s", lctx_status_text(status));
}

gguf_status model_open(model *m, const char *path)
{
    gguf_status status;
    *m = (model){0};
    status = gguf_open(&m->file, path);
    return status == GGUF_OK ? load(m) : status;
}

gguf_status model_open_memory(model *m, const void *data, size_t size)
{
    gguf_status status;
    *m = (model){0};
    status = gguf_open_memory(&m->file, data, size);
    return status == GGUF_OK ? load(m) : status;
}

void model_close(model *m)
{
    free(m->layers);
    m->layers = NULL;
    gguf_close(&m->file);
}
