/* families.c - see families.h. */
#include "families.h"
#include "oracle_blocks.h"
#include "writing.h"

#include <math.h>

/* ---------------------------------------------------------------------------- what there is */
typedef struct family {
    const char *name, *arch;
    int interleaved, activation, routing;
    int qkv_bias, all_biases, head_norms, post_norms, fused, sinks, shared;
    int n_expert, n_used, d_ff_expert, every;      /* every: so manyth layer has experts */
    int window, full;         /* every `full`th layer is without the window; 0: none is */
    int no_rope;              /* every so manyth layer does not turn, and scales its queries */
    int tied, scaled;         /* embeddings by the root of d_model */
    int local;                /* windowed layers turn by theta 10000 */
    double softcap, logit_softcap, theta, factor;      /* factor: linear */
    int divisors;             /* of the frequencies: 1 Llama 3's, 2 Phi 3's lists */
    int states, rwkv;         /* Mamba-2 in place of attention and FFN; RWKV-7 */
    int deltas;               /* 1: gated delta in three layers of four; 2: in an older file */
    int gated;                /* attention, and the expert for all */
    int beside;               /* 1: Mamba-2 beside attention; 2: without its norm */
} family;

static const family families[] = {
    { .name = "llama", .arch = "llama", .interleaved = 1 },
    { .name = "llama3", .arch = "llama", .interleaved = 1, .tied = 1, .theta = 500000,
      .divisors = 1 },
    { .name = "mixtral", .arch = "llama", .interleaved = 1, .n_expert = 8, .n_used = 2 },
    { .name = "qwen2", .arch = "qwen2", .qkv_bias = 1, .tied = 1, .theta = 1000000 },
    { .name = "qwen3", .arch = "qwen3", .head_norms = 1, .tied = 1, .theta = 1000000 },
    { .name = "qwen3moe", .arch = "qwen3moe", .head_norms = 1, .n_expert = 16, .n_used = 4,
      .d_ff_expert = 96, .theta = 1000000 },
    { .name = "gemma2", .arch = "gemma2", .activation = ORACLE_GELU, .post_norms = 1, .window = 9,
      .full = 2, .tied = 1, .scaled = 1, .softcap = 50, .logit_softcap = 30 },
    { .name = "gemma3", .arch = "gemma3", .activation = ORACLE_GELU, .post_norms = 1, .window = 9,
      .full = 6, .tied = 1, .scaled = 1, .head_norms = 1, .local = 1, .theta = 1000000,
      .factor = 8 },
    { .name = "phi3", .arch = "phi3", .fused = 1 },
    { .name = "phi3-long", .arch = "phi3", .fused = 1, .divisors = 2 },
    { .name = "gpt-oss", .arch = "gpt-oss", .activation = ORACLE_CAPPED, .qkv_bias = 1,
      .all_biases = 1, .sinks = 1, .n_expert = 8, .n_used = 4, .d_ff_expert = 64, .window = 9,
      .full = 2, .theta = 150000 },
    { .name = "llama4", .arch = "llama4", .interleaved = 1, .routing = ORACLE_SIGMOID, .shared = 1,
      .n_expert = 16, .n_used = 1, .d_ff_expert = 96, .every = 2, .no_rope = 4, .head_norms = 2,
      .theta = 500000 },
    { .name = "qwen3next", .arch = "qwen3next", .head_norms = 1, .shared = 1, .gated = 1, .deltas = 1,
      .n_expert = 8, .n_used = 2, .d_ff_expert = 96, .theta = 10000000 },
    { .name = "qwen3next-old", .arch = "qwen3next", .head_norms = 1, .shared = 1, .gated = 1,
      .deltas = 2, .n_expert = 8, .n_used = 2, .d_ff_expert = 96, .theta = 10000000 },
    { .name = "lctx-hybrid", .arch = "lctx-hybrid", .interleaved = 1, .deltas = 1, .window = 9 },
    { .name = "falcon-h1", .arch = "falcon-h1", .beside = 1, .theta = 100000000 },
    { .name = "falcon-h1-bare", .arch = "falcon-h1", .beside = 2, .tied = 1 },
    { .name = "mamba2", .arch = "mamba2", .states = 1 },
    { .name = "rwkv7", .arch = "rwkv7", .rwkv = 1 }
};
const int n_families = (int)(sizeof families / sizeof *families);
const char *const family_names[] = { "llama", "llama3", "mixtral", "qwen2", "qwen3", "qwen3moe",
    "gemma2", "gemma3", "phi3", "phi3-long", "gpt-oss", "llama4", "qwen3next", "qwen3next-old",
    "lctx-hybrid", "falcon-h1", "falcon-h1-bare", "mamba2", "rwkv7" };

enum { HEADS = 4, KV = 2, STATE_HEADS = 8, GROUPS = 2, STATE = 24, TAPS = 4, WKV = 64, TRAINED = 512 };
enum { F32 = 0, F16 = 1, BF16 = 30 };

const family_type family_types[] = {
    { "f32", F32 }, { "f16", F16 }, { "bf16", BF16 }, { "q8_0", 8 }, { "q4_0", 2 }, { "q4_k", 12 },
    { "q5_k", 13 }, { "q6_k", 14 }, { "mxfp4", 39 } };
const int n_family_types = (int)(sizeof family_types / sizeof *family_types);

/* ---------------------------------------------------------------------------- writing */
typedef struct writer {
    family_file *file;
    const family *f;
    int type;                 /* of matrices, a GGUF number */
    int block;                /* among oracle_blocks, or -1 */
    int head, model, ff, expert, shared, query, key, state, rank;      /* sizes, whole blocks */
    writing keys, infos, data;
    uint64_t n_keys, n_tensors;
} writer;

/* A key of the family's architecture, or with a dot before its name, any. */
static void key(writer *w, const char *name, uint32_t type)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", w->f->arch, name);
    put_text(&w->keys, *name == '.' ? name + 1 : full);
    put_int(&w->keys, type, 4);
    w->n_keys++;
}
static void key_int(writer *w, const char *name, int x) { key(w, name, 4), put_int(&w->keys, (uint64_t)x, 4); }
static void key_real(writer *w, const char *name, double x) { key(w, name, 6), put_real(&w->keys, x); }
static void key_text(writer *w, const char *name, const char *x) { key(w, name, 8), put_text(&w->keys, x); }

static void *keep(family_file *file, size_t n, size_t size)
{
    return file->kept[file->n_kept++] = calloc(n + 1, size);
}

/* n random numbers as `type` stores them. */
static void put_values(writer *w, int type, size_t n, double about, double spread, double *values)
{
    size_t i;
    for (i = 0; i < n; i++) {
        const float x = (float)(about + spread * (double)test_normal());
        float back;
        oracle_store(type == F16 ? ORACLE_F16 : type == BF16 ? ORACLE_BF16 : ORACLE_F32, 1, &x, NULL,
                     &back);
        values[i] = (double)back;
        if (type == F32) put_real(&w->data, (double)back);
        else put_int(&w->data, type == F16 ? oracle_f16_bits(x) : oracle_bf16_bits(x), 2);
    }
}
static void put_blocks(writer *w, size_t n, double spread, double *values)
{
    const oracle_block *k = &oracle_blocks[w->block];
    unsigned char block[256];
    size_t i;
    int j;
    for (i = 0; i < n; i += (size_t)k->n) {
        for (j = 0; j < k->bytes; j++) block[j] = (unsigned char)(test_random() >> 40);
        oracle_block_scale(w->block, (0.5 + test_uniform()) * spread, block);
        for (j = 0; j < k->n; j++) values[i + (size_t)j] = oracle_block_weight(w->block, block, j);
        put(&w->data, block, (size_t)k->bytes);
    }
}

/* Values of mean `about` as the file stores them, in a tensor of that shape. */
static const double *tensor(writer *w, int layer, const char *name, int cols, int rows, int count,
                            double about, double spread)
{
    const size_t n = (size_t)cols * (size_t)rows * (size_t)count;
    double *values = (double *)keep(w->file, n, sizeof *values);
    const int matrix = cols > 1 && rows > 1 && !strstr(name, ".bias")
                       && !strstr(name, "gate_inp")       /* routers are f32 everywhere */
                       && !strstr(name, "ssm_conv1d") && !strstr(name, "ssm_norm");
    const int type = matrix ? w->type : F32, fused = strstr(name, "lerp_fused") != NULL;
    const int dims[4] = { cols, rows, fused ? 1 : count, count };
    const uint32_t n_dims = fused ? 4 : count > 1 ? 3 : rows > 1 ? 2 : 1;
    char full[80];
    size_t i;
    snprintf(full, sizeof full, layer < 0 ? "%s%s" : "blk.%s%s", "", name);
    if (layer >= 0) snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    put_text(&w->infos, full);
    put_int(&w->infos, n_dims, 4);
    for (i = 0; i < n_dims; i++) put_int(&w->infos, (uint64_t)dims[i], 8);
    put_int(&w->infos, (uint64_t)type, 4);
    put_int(&w->infos, w->data.n, 8);
    w->n_tensors++;
    if (type == w->type && w->block >= 0) put_blocks(w, n, spread, values);
    else put_values(w, type, n, about, spread, values);
    while (w->data.n % 32) put_int(&w->data, 0, 1);
    return values;
}
/* RWKV-7's are small, or other engines' rounding of activations grows from layer to layer. */
static const double *matrix(writer *w, int layer, const char *name, int cols, int rows, int count)
{
    const double size = w->f->rwkv ? 0.5 : 1;
    return tensor(w, layer, name, cols, rows, count, 0, size / sqrt((double)cols));
}
static const double *norm(writer *w, int layer, const char *name, int n)
{
    return tensor(w, layer, name, n, 1, 1, 1, 0.2);
}
static const double *bias(writer *w, int layer, const char *name, int n, int count)
{
    return tensor(w, layer, name, n, count, 1, 0, 0.3);
}

/* Of rows that take turns, `each` of one part, then of the next of two or four: a part's. */
static const double *part(writer *w, const double *rows, int cols, int n, const int *each, int which)
{
    const int round = each[0] + each[1] + each[2] + each[3];
    double *own = (double *)keep(w->file, (size_t)(n * each[which] * cols), sizeof *own);
    int i, j, before = 0;
    for (i = 0; i < which; i++) before += each[i];
    for (i = 0; i < n; i++)
        for (j = 0; j < each[which] * cols; j++)
            own[i * each[which] * cols + j] = rows[(i * round + before) * cols + j];
    return own;
}
static const double *parts(writer *w, const double *rows, int cols, int n, const int *each, int to)
{
    double *own;
    int i, j, at = 0;
    own = (double *)keep(w->file, (size_t)(n * (each[0] + each[1] + each[2]) * cols), sizeof *own);
    for (i = 0; i < to; at += n * each[i++] * cols) {
        const double *one = part(w, rows, cols, n, each, i);
        for (j = 0; j < n * each[i] * cols; j++) own[at + j] = one[j];
    }
    return own;
}

/* ---------------------------------------------------------------------------- the parts */
static void attention(writer *w, int i, oracle_layer *o)
{
    const family *f = w->f;
    o->attn_norm = norm(w, i, "attn_norm.weight", w->model);
    if (f->fused) {
        o->wq = matrix(w, i, "attn_qkv.weight", w->model, w->query + 2 * w->key, 1);
        o->wk = o->wq + w->query * w->model, o->wv = o->wk + w->key * w->model;
    } else if (f->gated) {
        const int each[4] = { w->head, w->head, 0, 0 };
        const double *both = matrix(w, i, "attn_q.weight", w->model, 2 * w->query, 1);
        o->wq = part(w, both, w->model, HEADS, each, 0);
        o->attn_gate = part(w, both, w->model, HEADS, each, 1);
    } else o->wq = matrix(w, i, "attn_q.weight", w->model, w->query, 1);
    if (!f->fused) {
        o->wk = matrix(w, i, "attn_k.weight", w->model, w->key, 1);
        o->wv = matrix(w, i, "attn_v.weight", w->model, w->key, 1);
    }
    o->wo = matrix(w, i, "attn_output.weight", w->query, w->model, 1);
    if (f->qkv_bias) {
        o->bq = bias(w, i, "attn_q.bias", w->query, 1);
        o->bk = bias(w, i, "attn_k.bias", w->key, 1);
        o->bv = bias(w, i, "attn_v.bias", w->key, 1);
    }
    if (f->all_biases) o->bo = bias(w, i, "attn_output.bias", w->model, 1);
    if (f->head_norms == 1) {
        o->q_norm = norm(w, i, "attn_q_norm.weight", w->head);
        o->k_norm = norm(w, i, "attn_k_norm.weight", w->head);
    }
    if (f->sinks) o->sink_logit = tensor(w, i, "attn_sinks.weight", HEADS, 1, 1, 0, 1);
    if (f->post_norms) o->attn_post_norm = norm(w, i, "post_attention_norm.weight", w->model);
}

static void feed_forward(writer *w, int i, oracle_layer *o)
{
    const family *f = w->f;
    const int experts = f->n_expert && (!f->every || (i + 1) % f->every == 0);
    const int d_ff = experts && w->expert ? w->expert : w->ff, n = experts ? f->n_expert : 1;
    o->ffn_norm = norm(w, i, f->all_biases || f->gated ? "post_attention_norm.weight"
                             : f->beside ? "ffn_norm" : "ffn_norm.weight", w->model);
    o->activation = f->activation, o->d_ff = d_ff;
    if (f->fused) {
        o->w_gate = matrix(w, i, "ffn_up.weight", w->model, 2 * w->ff, 1);
        o->w_up = o->w_gate + w->ff * w->model;
    } else {
        o->w_gate = matrix(w, i, experts ? "ffn_gate_exps.weight" : "ffn_gate.weight", w->model, d_ff, n);
        o->w_up = matrix(w, i, experts ? "ffn_up_exps.weight" : "ffn_up.weight", w->model, d_ff, n);
    }
    o->w_down = matrix(w, i, experts ? "ffn_down_exps.weight" : "ffn_down.weight", d_ff, w->model, n);
    if (f->post_norms) o->ffn_post_norm = norm(w, i, "post_ffw_norm.weight", w->model);
    if (!experts) return;
    o->n_expert = f->n_expert, o->n_expert_used = f->n_used, o->routing = f->routing;
    o->router = matrix(w, i, "ffn_gate_inp.weight", w->model, f->n_expert, 1);
    if (f->all_biases) {
        o->b_router = bias(w, i, "ffn_gate_inp.bias", n, 1);
        o->b_gate = bias(w, i, "ffn_gate_exps.bias", d_ff, n);
        o->b_up = bias(w, i, "ffn_up_exps.bias", d_ff, n);
        o->b_down = bias(w, i, "ffn_down_exps.bias", w->model, n);
    }
    if (!f->shared) return;
    o->d_ff_shared = w->shared;
    if (f->gated) o->shared_router = tensor(w, i, "ffn_gate_inp_shexp.weight", w->model, 1, 1, 0, 0.2);
    o->shared_gate = matrix(w, i, "ffn_gate_shexp.weight", w->model, w->shared, 1);
    o->shared_up = matrix(w, i, "ffn_up_shexp.weight", w->model, w->shared, 1);
    o->shared_down = matrix(w, i, "ffn_down_shexp.weight", w->shared, w->model, 1);
}

static void states(writer *w, int i)
{
    oracle_layer *o = &w->file->layers[i];
    oracle_mixer *x = &w->file->mixers[i];
    const int inner = 2 * w->model, channels = inner + 2 * GROUPS * STATE;
    x->mamba2 = 1, x->n_head = STATE_HEADS, x->n_head_k = GROUPS, x->d_k = STATE, x->taps = TAPS;
    x->d_v = inner / STATE_HEADS, o->mixer = x, o->beside = w->f->beside;
    if (w->f->states) o->attn_norm = norm(w, i, "attn_norm.weight", w->model);
    x->w_z = matrix(w, i, "ssm_in.weight", w->model, inner + channels + STATE_HEADS, 1);
    x->w_in = x->w_z + inner * w->model, x->w_dt = x->w_in + channels * w->model;
    x->w_out = matrix(w, i, "ssm_out.weight", inner, w->model, 1);
    x->conv = tensor(w, i, "ssm_conv1d.weight", TAPS, channels, 1, 0, 0.5);
    x->conv_bias = bias(w, i, "ssm_conv1d.bias", channels, 1);
    x->dt_bias = bias(w, i, "ssm_dt.bias", STATE_HEADS, 1);
    x->a = tensor(w, i, "ssm_a", 1, STATE_HEADS, 1, -1, 0.2);
    x->skip = tensor(w, i, "ssm_d", 1, STATE_HEADS, 1, 1, 0.3);
    if (w->f->beside < 2) x->norm = tensor(w, i, "ssm_norm.weight", inner / GROUPS, GROUPS, 1, 1, 0.2);
}

static void deltas(writer *w, int i)
{
    oracle_layer *o = &w->file->layers[i];
    oracle_mixer *x = &w->file->mixers[i];
    const int inner = STATE_HEADS * w->state, channels = inner + 2 * GROUPS * w->state;
    const int of = STATE_HEADS / GROUPS, gates[4] = { of, of, 0, 0 };
    const int each[4] = { w->state, w->state, of * w->state, of * w->state };
    const double *all;
    x->n_head = STATE_HEADS, x->n_head_k = GROUPS, x->d_k = x->d_v = w->state, x->taps = TAPS;
    o->mixer = x, o->attn_norm = norm(w, i, "attn_norm.weight", w->model);
    if (w->f->deltas == 1) {
        x->w_in = matrix(w, i, "attn_qkv.weight", w->model, channels, 1);
        x->w_z = matrix(w, i, "attn_gate.weight", w->model, inner, 1);
    } else {
        all = matrix(w, i, "ssm_in.weight", w->model, channels + inner, 1);
        x->w_in = parts(w, all, w->model, GROUPS, each, 3);
        x->w_z = part(w, all, w->model, GROUPS, each, 3);
    }
    all = matrix(w, i, "ssm_ba.weight", w->model, 2 * STATE_HEADS, 1);
    x->w_beta = part(w, all, w->model, GROUPS, gates, 0);
    x->w_dt = part(w, all, w->model, GROUPS, gates, 1);
    x->w_out = matrix(w, i, "ssm_out.weight", inner, w->model, 1);
    x->conv = tensor(w, i, "ssm_conv1d.weight", TAPS, channels, 1, 0, 0.5);
    x->dt_bias = bias(w, i, "ssm_dt.bias", STATE_HEADS, 1);
    x->a = tensor(w, i, "ssm_a", STATE_HEADS, 1, 1, -1, 0.2);
    x->norm = norm(w, i, "ssm_norm.weight", w->state);
}

static oracle_low_rank low_rank(writer *w, int i, char letter, int rank)
{
    oracle_low_rank x;
    char name[40];
    x.rank = rank, x.bias = NULL;
    snprintf(name, sizeof name, "time_mix_%c1.weight", letter);
    x.down = matrix(w, i, name, w->model, rank, 1);
    snprintf(name, sizeof name, "time_mix_%c2.weight", letter);
    x.up = matrix(w, i, name, rank, w->model, 1);
    snprintf(name, sizeof name, "time_mix_%c0.weight", letter);
    if (letter != 'g') x.bias = bias(w, i, name, w->model, 1);
    return x;
}
static void rwkv(writer *w, int i)
{
    oracle_layer *o = &w->file->layers[i];
    oracle_mixer *x = &w->file->mixers[i];
    const int d = w->model;
    x->d_k = x->d_v = WKV, x->n_head = x->n_head_k = d / WKV, o->mixer = x;
    o->attn_norm = norm(w, i, "attn_norm.weight", d);
    o->attn_norm_bias = bias(w, i, "attn_norm.bias", d, 1);
    x->w_r = matrix(w, i, "time_mix_receptance.weight", d, d, 1);
    x->w_k = matrix(w, i, "time_mix_key.weight", d, d, 1);
    x->w_v = matrix(w, i, "time_mix_value.weight", d, d, 1);
    x->w_out = matrix(w, i, "time_mix_output.weight", d, d, 1);
    x->w = low_rank(w, i, 'w', w->rank), x->rate = low_rank(w, i, 'a', 2 * w->rank);
    x->g = low_rank(w, i, 'g', w->rank), x->v = low_rank(w, i, 'v', i ? w->rank : 2 * w->rank);
    x->shift = tensor(w, i, "time_mix_lerp_fused.weight", d, 1, 6, 0.5, 0.2);
    x->k_k = norm(w, i, "time_mix_k_k.weight", d), x->k_a = norm(w, i, "time_mix_k_a.weight", d);
    x->r_k = tensor(w, i, "time_mix_r_k.weight", d, 1, 1, 0, 0.2);
    x->norm = norm(w, i, "time_mix_ln.weight", d);
    x->norm_bias = bias(w, i, "time_mix_ln.bias", d, 1);
    o->ffn_norm = norm(w, i, "attn_norm_2.weight", d), o->d_ff = w->ff;
    o->ffn_norm_bias = bias(w, i, "attn_norm_2.bias", d, 1), o->activation = ORACLE_RELU;
    x->ffn_shift = tensor(w, i, "channel_mix_lerp_k.weight", d, 1, 1, 0.5, 0.2);
    o->w_gate = matrix(w, i, "channel_mix_key.weight", d, w->ff, 1);
    o->w_down = matrix(w, i, "channel_mix_value.weight", w->ff, d, 1);
}

/* The frequencies, and the tensors that change them. */
static void rope(writer *w)
{
    const family *f = w->f;
    oracle_rope_desc d;
    const double *divisor;
    int i;
    memset(&d, 0, sizeof d);
    d.n_rot = f->gated ? w->head / 2 : w->head, d.theta = f->theta > 0 ? f->theta : 10000;
    d.factor = f->factor > 0 ? f->factor : 1;
    d.scheme = f->factor > 0 ? ORACLE_LINEAR : ORACLE_PLAIN;
    oracle_rope_schedule(&d, &w->file->rope);
    d.scheme = ORACLE_PLAIN, d.theta = 10000;
    oracle_rope_schedule(&d, &w->file->local);
    if (!f->divisors) return;
    divisor = f->divisors == 1 ? tensor(w, -1, "rope_freqs.weight", w->head / 2, 1, 1, 4, 0.5)
            : tensor(w, -1, "rope_factors_short.weight", w->head / 2, 1, 1, 1.5, 0.1);
    for (i = 0; i < w->head / 2; i++) w->file->rope.freq[i] /= (long double)divisor[i];
    if (f->divisors == 1) return;
    tensor(w, -1, "rope_factors_long.weight", w->head / 2, 1, 1, 8, 0.5);
    w->file->rope.attn_factor = 1.25;
}

static void layer(writer *w, int i)
{
    const family *f = w->f;
    oracle_layer *o = &w->file->layers[i];
    if (f->states || f->rwkv) {
        if (f->rwkv) rwkv(w, i);
        else states(w, i);
        return;
    }
    if (f->deltas && (i + 1) % 4) deltas(w, i);
    else attention(w, i, o);
    if (f->beside) states(w, i);
    feed_forward(w, i, o);
    o->interleaved = f->interleaved, o->rope = &w->file->rope;
    if (f->window && (!f->full || (i + 1) % f->full)) {
        o->window = f->window;
        if (f->local) o->rope = &w->file->local;
    }
    if (f->head_norms == 2) {           /* norms without weights, where heads turn */
        double *ones = (double *)keep(w->file, (size_t)w->head, sizeof *ones);
        int k;
        for (k = 0; k < w->head; k++) ones[k] = 1;
        o->q_norm = o->k_norm = ones;
    }
    if (!f->no_rope || (i + 1) % f->no_rope) return;
    o->rope = NULL, o->q_norm = o->k_norm = NULL;
    o->q_scale = 0.1, o->q_scale_offset = 1, o->q_scale_length = 8192;
}

static void model(writer *w)
{
    const family *f = w->f;
    oracle_model *o = &w->file->model;
    int i;
    o->n_layer = FAMILY_LAYERS, o->n_head = HEADS, o->n_head_kv = KV, o->head_dim = w->head;
    o->d_model = w->model, o->n_vocab = FAMILY_VOCAB, o->norm_eps = (double)1e-5f;
    o->embd_scale = f->scaled ? sqrt(w->model) : 1, o->attn_scale = 1 / sqrt((double)w->head);
    o->softcap = f->softcap, o->logit_softcap = f->logit_softcap;
    o->tok_embd = o->output = tensor(w, -1, "token_embd.weight", w->model, FAMILY_VOCAB, 1, 0,
                                     f->tied ? 0.2 : 1);
    o->output_norm = norm(w, -1, "output_norm.weight", w->model);
    if (f->rwkv) {
        o->embd_norm = norm(w, -1, "token_embd_norm.weight", w->model);
        o->embd_norm_bias = bias(w, -1, "token_embd_norm.bias", w->model, 1);
        o->output_norm_bias = bias(w, -1, "output_norm.bias", w->model, 1);
    }
    if (!f->tied) o->output = matrix(w, -1, "output.weight", w->model, FAMILY_VOCAB, 1);
    rope(w);
    for (i = 0; i < FAMILY_LAYERS; i++) layer(w, i);
    o->layers = w->file->layers;
}

/* Unknown, begin and end of text, the bytes, and the piece for spaces. */
static void vocabulary(writer *w)
{
    static const char *const first[] = { "<unk>", "<s>", "</s>" };
    char piece[16];
    int i;
    key_text(w, ".tokenizer.ggml.model", "llama");
    key(w, ".tokenizer.ggml.tokens", 9);
    put_int(&w->keys, 8, 4), put_int(&w->keys, FAMILY_VOCAB, 8);
    for (i = 0; i < FAMILY_VOCAB; i++) {
        snprintf(piece, sizeof piece, "<0x%02X>", (unsigned)(i - 3) & 255u);
        put_text(&w->keys, i < 3 ? first[i] : i < 259 ? piece : i == 259 ? "\xE2\x96\x81" : "<pad>");
    }
    key(w, ".tokenizer.ggml.scores", 9);
    put_int(&w->keys, 6, 4), put_int(&w->keys, FAMILY_VOCAB, 8);
    for (i = 0; i < FAMILY_VOCAB; i++) put_real(&w->keys, 0);
    key(w, ".tokenizer.ggml.token_type", 9);
    put_int(&w->keys, 5, 4), put_int(&w->keys, FAMILY_VOCAB, 8);
    for (i = 0; i < FAMILY_VOCAB; i++)
        put_int(&w->keys, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : i == 259 ? 1 : 3, 4);
    key_int(w, ".tokenizer.ggml.bos_token_id", 1);
    key_int(w, ".tokenizer.ggml.eos_token_id", 2);
    key_int(w, ".tokenizer.ggml.unknown_token_id", 0);
}

static void state_keys(writer *w, int inner, int state)
{
    key_int(w, "ssm.conv_kernel", TAPS), key_int(w, "ssm.inner_size", inner);
    key_int(w, "ssm.state_size", state), key_int(w, "ssm.time_step_rank", STATE_HEADS);
    key_int(w, "ssm.group_count", GROUPS);
}

static void keys(writer *w)
{
    const family *f = w->f;
    key_text(w, ".general.architecture", f->arch);
    key_int(w, "block_count", FAMILY_LAYERS), key_int(w, "embedding_length", w->model);
    if (f->rwkv) {
        key_int(w, "feed_forward_length", w->ff), key_int(w, "attention.head_count", 0);
        key_int(w, "wkv.head_size", WKV), key_int(w, "attention.decay_lora_rank", w->rank);
        key_int(w, "attention.iclr_lora_rank", 2 * w->rank);
        key_int(w, "attention.value_residual_mix_lora_rank", w->rank);
        key_int(w, "attention.gate_lora_rank", w->rank), key_int(w, "context_length", TRAINED);
        key_int(w, "vocab_size", FAMILY_VOCAB);
        key_real(w, "attention.layer_norm_epsilon", 1e-5);
        vocabulary(w);
        return;
    }
    if (f->states) {
        key_int(w, "feed_forward_length", 0), key_int(w, "attention.head_count", 0);
        state_keys(w, 2 * w->model, STATE), key_int(w, "context_length", TRAINED);
        key_int(w, "vocab_size", FAMILY_VOCAB);
        key_real(w, "attention.layer_norm_rms_epsilon", 1e-5);
        vocabulary(w);
        return;
    }
    key_int(w, "feed_forward_length", w->ff), key_int(w, "attention.head_count", HEADS);
    key_int(w, "attention.head_count_kv", KV), key_int(w, "attention.key_length", w->head);
    key_int(w, "attention.value_length", w->head), key_int(w, "rope.dimension_count", f->gated ? w->head / 2 : w->head);
    key_int(w, "context_length", f->divisors == 2 ? 8 * TRAINED : TRAINED);
    key_int(w, "vocab_size", FAMILY_VOCAB);
    key_real(w, "attention.layer_norm_rms_epsilon", 1e-5);
    key_real(w, "rope.freq_base", f->theta > 0 ? f->theta : 10000);
    if (f->factor > 0) {
        key_text(w, "rope.scaling.type", "linear");
        key_real(w, "rope.scaling.factor", f->factor);
    }
    if (f->divisors == 2) {
        key_int(w, "rope.scaling.original_context_length", TRAINED);
        key_real(w, "rope.scaling.attn_factor", 1.25);
    }
    if (f->n_expert) key_int(w, "expert_count", f->n_expert);
    if (f->n_expert) key_int(w, "expert_used_count", f->n_used);
    if (w->expert) key_int(w, "expert_feed_forward_length", w->expert);
    if (f->gated) key_int(w, "expert_shared_feed_forward_length", w->shared);
    if (f->deltas) state_keys(w, STATE_HEADS * w->state, w->state);
    if (f->beside) state_keys(w, 2 * w->model, STATE);
    if (f->deltas == 1) key_int(w, "full_attention_interval", 4);
    if (f->every) key_int(w, "interleave_moe_layer_step", f->every);
    if (f->window) key_int(w, "attention.sliding_window", f->window);
    if (f->softcap > 0) key_real(w, "attn_logit_softcapping", f->softcap);
    if (f->logit_softcap > 0) key_real(w, "final_logit_softcapping", f->logit_softcap);
    vocabulary(w);
}

static void set_sizes(writer *w)
{
    const int wide = w->type >= 12 && w->type <= 14;      /* blocks of 256 */
    for (w->block = ORACLE_BLOCK_TYPES; w->block-- > 0;)
        if (oracle_blocks[w->block].id == w->type) break;
    w->head = wide ? 64 : 16, w->model = wide ? 256 : 64, w->ff = wide ? 512 : 160;
    w->rank = wide ? 256 : 32;
    if (w->f->rwkv && !wide) w->model = 2 * WKV;
    w->expert = wide && w->f->d_ff_expert ? 256 : w->f->d_ff_expert;
    w->shared = w->f->gated ? 2 * w->expert : w->expert, w->state = wide ? 32 : 16;
    w->query = HEADS * w->head, w->key = KV * w->head;
}

void family_make(family_file *file, int which, int type)
{
    writer w;
    writing all;
    memset(file, 0, sizeof *file);
    memset(&w, 0, sizeof w);
    memset(&all, 0, sizeof all);
    w.file = file, w.f = &families[which], w.type = family_types[type].id;
    set_sizes(&w);
    test_state = 1000 + (uint64_t)which;
    keys(&w);
    model(&w);
    put_int(&all, 0x46554747u, 4), put_int(&all, 3, 4);
    put_int(&all, w.n_tensors, 8), put_int(&all, w.n_keys, 8);
    put(&all, w.keys.data, w.keys.n), put(&all, w.infos.data, w.infos.n);
    while (all.n % 32) put_int(&all, 0, 1);
    put(&all, w.data.data, w.data.n);
    free(w.keys.data), free(w.infos.data), free(w.data.data);
    file->data = all.data, file->n = all.n;
}

void family_free(family_file *file)
{
    while (file->n_kept) free(file->kept[--file->n_kept]);
    free(file->data);
}
