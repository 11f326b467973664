/* fuzz_gguf.c - the examples' loader of GGUF files, as model and as vocabulary. An input that
   begins as such a file does is one; others choose what is written into a small file. What is
   loaded is run for a few tokens, over memory that ends where nobody may read. */
#include "image.h"
#include "model.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 32, FF = 32, HEADS = 2, HEAD = 16, EXPERTS = 3, TAPS = 4, RANK = 32 };

static int width(uint32_t type)
{
    static const int bytes_of_type[] = { 1, 1, 2, 2, 4, 4, 4, 1, 8, 8, 8, 8, 8 };
    return type < 13 ? bytes_of_type[type] : 4;
}

/* A key; for some bytes with another type, another value, twice or not at all. */
static void key(image *f, bytes *b, const char *name, uint32_t type, uint64_t value,
                const char *text)
{
    int how = (int)bytes_take(b, 1), times = 1;
    if (how == 255) return;
    if (how == 254) times = 2;
    if (how == 253) type = (uint32_t)bytes_in(b, 0, 13);
    if (how >= 250) value = (uint64_t)bytes_int(b);
    for (; times > 0; times--) {
        f->n_keys++;
        put_text(f, name);
        put_int(f, type, 4);
        if (text && how == 249) put_int(f, (uint64_t)bytes_int(b), 8), put(f, text, strlen(text));
        else if (text && type == GGUF_STRING) put_text(f, text);
        else put_int(f, value, width(type));
    }
}

static uint64_t bits_of(double x)
{
    const float y = (float)x;
    uint32_t u;
    memcpy(&u, &y, sizeof u);
    return u;
}

static void put_vocabulary(image *f, bytes *b, int n, int pieces)
{
    char piece[16];
    int i, how = (int)bytes_take(b, 1);
    if (how == 255) return;
    f->n_keys += 2;
    put_text(f, "tokenizer.ggml.tokens");
    put_int(f, GGUF_ARRAY, 4);
    put_int(f, how == 254 ? (uint64_t)bytes_in(b, 0, 13) : GGUF_STRING, 4);
    put_int(f, how == 253 ? (uint64_t)bytes_int(b) : (uint64_t)n, 8);
    for (i = 0; i < n; i++) {
        snprintf(piece, sizeof piece, i ? "<0x%02X>" : "<s>", (unsigned)(i - 1) & 255u);
        put_text(f, i > 256 || (pieces && i == pieces) ? "\xE2\x96\x81" : piece);
    }
    put_text(f, "tokenizer.ggml.token_type");
    put_int(f, GGUF_ARRAY, 4), put_int(f, how == 252 ? (uint64_t)bytes_in(b, 0, 13) : GGUF_I32, 4);
    put_int(f, how == 251 ? (uint64_t)bytes_int(b) : (uint64_t)n, 8);
    for (i = 0; i < n; i++) put_int(f, i == 0 ? 3 : i > 256 ? 1 : 6, 4);
}

/* Mixers' vectors and convolutions are f32 in files, and are mostly so here. */
static void tensor(image *f, bytes *b, const char *name, uint64_t cols, uint64_t rows,
                   uint64_t count)
{
    static const uint32_t blocks[] = { GGUF_TENSOR_Q8_0, GGUF_TENSOR_Q4_0, GGUF_TENSOR_MXFP4 };
    static const uint64_t bytes_of_block[] = { 34, 18, 17 };
    const int how = (int)bytes_take(b, 1), in_blocks = how >= 160 && how < 248 && rows > 1;
    uint64_t dims[4], n;
    uint32_t n_dims = count > 1 ? 3 : rows > 1 ? 2 : 1, type = how < 64 ? GGUF_TENSOR_F16 : how < 128 ?
                      GGUF_TENSOR_BF16 : in_blocks ? blocks[how % 3] : GGUF_TENSOR_F32;
    uint32_t d;
    if (how < 48 && (rows == 1 || cols < D || count == 6)) type = GGUF_TENSOR_F32;
    if (how == 255) return;
    dims[0] = cols, dims[1] = rows, dims[2] = count, dims[3] = 1;
    n = cols * rows * count * (type == GGUF_TENSOR_F32 ? 4 : 2);
    if (in_blocks) n = cols / 32 * rows * count * bytes_of_block[how % 3];
    if (how == 254) dims[bytes_in(b, 0, 3)] = (uint64_t)bytes_int(b);
    if (how == 253) n_dims = (uint32_t)bytes_int(b);
    if (how == 252) type = (uint32_t)bytes_int(b);
    f->n_tensors++;
    put_text(f, name);
    put_int(f, n_dims, 4);
    for (d = 0; d < n_dims && d < 5; d++) put_int(f, d < 4 ? dims[d] : 1, 8);
    put_int(f, type, 4);
    put_int(f, how == 251 ? (uint64_t)bytes_int(b) : how == 250 ? f->offset - 64 : f->offset, 8);
    f->offset = (f->offset + n + 31) / 32 * 32;
}

static void put_keys(image *f, bytes *b, const char *arch, int n_layer, int n_vocab)
{
    static const char *const scalings[] = { "none", "linear", "yarn", "longrope", "llama3" };
    const int rwkv = strstr(arch, "rwkv") != NULL;
    const struct { const char *name; uint32_t type; double value; } keys[] = {
        { "context_length", GGUF_U32, 64 }, { "embedding_length", GGUF_U32, D },
        { "block_count", GGUF_U32, n_layer }, { "feed_forward_length", GGUF_U32, FF },
        { "attention.head_count", GGUF_U32, HEADS }, { "attention.head_count_kv", GGUF_U32, 1 },
        { "attention.key_length", GGUF_U32, HEAD }, { "attention.value_length", GGUF_U32, HEAD },
        { "rope.dimension_count", GGUF_U32, HEAD }, { "attention.sliding_window", GGUF_U32, 8 },
        { rwkv ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", GGUF_F32,
          1e-5 },
        { "rope.freq_base", GGUF_F32, 10000 }, { "rope.scaling.factor", GGUF_F32, 2 },
        { "rope.scaling.original_context_length", GGUF_U32, 32 },
        { "rope.scaling.yarn_beta_fast", GGUF_F32, 32 },
        { "rope.scaling.attn_factor", GGUF_F32, 1 },
        { "attn_logit_softcapping", GGUF_F32, 30 }, { "final_logit_softcapping", GGUF_F32, 30 },
        { "embedding_scale", GGUF_F32, 2 }, { "attention.scale", GGUF_F32, 0.5 }
    }, experts[] = {
        { "expert_count", GGUF_U32, EXPERTS }, { "expert_used_count", GGUF_U32, 2 },
        { "expert_feed_forward_length", GGUF_U32, FF }, { "expert_weights_norm", GGUF_BOOL, 0 },
        { "interleave_moe_layer_step", GGUF_U32, 1 },
        { "attention.sliding_window_pattern", GGUF_U32, 2 }
    }, states[] = {
        { "ssm.conv_kernel", GGUF_U32, TAPS }, { "ssm.inner_size", GGUF_U32, HEADS * HEAD },
        { "ssm.state_size", GGUF_U32, HEAD }, { "ssm.time_step_rank", GGUF_U32, HEADS },
        { "ssm.group_count", GGUF_U32, 1 }, { "full_attention_interval", GGUF_U32, 2 },
        { "expert_shared_feed_forward_length", GGUF_U32, FF }
    }, ranks[] = {
        { "wkv.head_size", GGUF_U32, HEAD }, { "attention.decay_lora_rank", GGUF_U32, RANK },
        { "attention.iclr_lora_rank", GGUF_U32, RANK },
        { "attention.gate_lora_rank", GGUF_U32, RANK },
        { "attention.value_residual_mix_lora_rank", GGUF_U32, RANK }
    };
    const int falcon = strstr(arch, "h1") != NULL, mamba = strstr(arch, "mamba") != NULL;
    const int n_states = strstr(arch, "next") ? 7 : strstr(arch, "hybrid") ? 6
                         : falcon || mamba || rwkv ? 5 : 0;
    const int optional = (int)bytes_take(b, 2), more = (int)bytes_take(b, 1);
    char name[80];
    int i;
    key(f, b, "general.architecture", GGUF_STRING, 0, arch);
    for (i = 0; i < (int)(sizeof keys / sizeof *keys); i++) {
        if (i > 10 && !(optional >> (i - 10) & 1)) continue;
        if ((mamba || rwkv) && i > 3 && i != 10) continue;       /* of attention, or what it scales */
        snprintf(name, sizeof name, "%s.%s", arch, keys[i].name);
        key(f, b, name, keys[i].type, keys[i].type == GGUF_F32 ? bits_of(keys[i].value)
                                                              : (uint64_t)keys[i].value, NULL);
    }
    for (i = 0; i < (int)(sizeof experts / sizeof *experts); i++) {
        if (!(more >> i & 1)) continue;
        snprintf(name, sizeof name, "%s.%s", arch, experts[i].name);
        key(f, b, name, experts[i].type, (uint64_t)experts[i].value, NULL);
    }
    for (i = 0; i < n_states; i++) {
        snprintf(name, sizeof name, "%s.%s", arch, (rwkv ? ranks : states)[i].name);
        key(f, b, name, GGUF_U32, (uint64_t)(rwkv ? ranks : states)[i].value, NULL);
    }
    snprintf(name, sizeof name, "%s.rope.scaling.type", arch);
    if (optional & 1 << 12) key(f, b, name, GGUF_STRING, 0, scalings[bytes_in(b, 0, 4)]);
    if (optional & 1 << 13) key(f, b, "general.alignment", GGUF_U32, 32, NULL);
    key(f, b, "tokenizer.ggml.model", GGUF_STRING, 0, "llama");
    key(f, b, "tokenizer.ggml.bos_token_id", GGUF_U32, 0, NULL);
    if (optional & 1 << 14) key(f, b, "tokenizer.ggml.eos_token_id", GGUF_U32, 2, NULL);
    if (optional & 1 << 14) key(f, b, "tokenizer.ggml.add_space_prefix", GGUF_BOOL, 1, NULL);
    put_vocabulary(f, b, n_vocab, optional & 1 << 15 ? 33 : 0);
}

static void put_tensors(image *f, bytes *b, int arch, int n_layer, uint64_t n_vocab)
{
    enum { LLAMA = 1, QWEN2 = 2, QWEN3 = 4, MOE = 8, GEMMA2 = 16, GEMMA3 = 32, PHI = 64, OSS = 128,
           LLAMA4 = 256, NEXT = 512, FALCON = 1024, MAMBA = 2048, OTHER = 4096,
           RWKV = 8192, HYBRID = 16384,  /* whose odd layers are like other ones */
           NEXT_FULL = 32768,            /* NEXT's odd layers */
           ALL = 511 | FALCON | OTHER | NEXT_FULL, APART = ALL - PHI, NEXTS = NEXT | NEXT_FULL,
           DENSE = (APART - MOE - OSS - LLAMA4 - NEXT_FULL) | HYBRID,
           MIXED = MOE | OSS | LLAMA4 | NEXTS, DELTAS = NEXT | HYBRID, MAMBAS = FALCON | MAMBA,
           MIXERS = DELTAS | MAMBAS };
    const uint64_t d = D, q = HEADS * HEAD, k = HEAD, ff = FF, e = EXPERTS, n = HEADS, r = RANK;
    const uint64_t channels = q + 2 * k;         /* of mixers, whose heads are like attention's */
    const struct { const char *name; uint64_t cols, rows, count; int archs; } layer[] = {
        { "attn_norm.weight", d, 1, 1, ALL | MIXERS | RWKV },
        { "attn_q.weight", d, q, 1, APART - NEXT_FULL },
        { "attn_q.weight", d, 2 * q, 1, NEXT_FULL }, { "attn_gate.weight", d, q, 1, DELTAS },
        { "attn_k.weight", d, k, 1, APART }, { "attn_v.weight", d, k, 1, APART },
        { "attn_qkv.weight", d, channels, 1, PHI | DELTAS }, { "attn_output.weight", q, d, 1, ALL },
        { "ffn_norm", d, 1, 1, FALCON },
        { "ffn_norm.weight", d, 1, 1, (ALL - OSS - FALCON - NEXT_FULL) | HYBRID },
        { "ffn_gate.weight", d, ff, 1, DENSE },
        { "ffn_up.weight", d, ff, 1, DENSE }, { "ffn_up.weight", d, 2 * ff, 1, PHI },
        { "ffn_down.weight", ff, d, 1, DENSE | PHI }, { "attn_q.bias", q, 1, 1, QWEN2 | OSS },
        { "attn_k.bias", k, 1, 1, QWEN2 | OSS }, { "attn_v.bias", k, 1, 1, QWEN2 | OSS },
        { "attn_output.bias", d, 1, 1, OSS }, { "attn_sinks.weight", HEADS, 1, 1, OSS },
        { "attn_q_norm.weight", k, 1, 1, QWEN3 | MOE | GEMMA3 | NEXT_FULL },
        { "attn_k_norm.weight", k, 1, 1, QWEN3 | MOE | GEMMA3 | NEXT_FULL },
        { "post_attention_norm.weight", d, 1, 1, GEMMA2 | GEMMA3 | OSS | NEXTS },
        { "post_ffw_norm.weight", d, 1, 1, GEMMA2 | GEMMA3 },
        { "ffn_gate_inp.weight", d, e, 1, MIXED }, { "ffn_gate_exps.weight", d, ff, e, MIXED },
        { "ffn_up_exps.weight", d, ff, e, MIXED }, { "ffn_down_exps.weight", ff, d, e, MIXED },
        { "ffn_gate_inp.bias", e, 1, 1, OSS }, { "ffn_gate_exps.bias", ff, e, 1, OSS },
        { "ffn_up_exps.bias", ff, e, 1, OSS }, { "ffn_down_exps.bias", d, e, 1, OSS },
        { "ffn_gate_inp_shexp.weight", d, 1, 1, NEXTS },
        { "ffn_gate_shexp.weight", d, ff, 1, LLAMA4 | NEXTS },
        { "ffn_up_shexp.weight", d, ff, 1, LLAMA4 | NEXTS },
        { "ffn_down_shexp.weight", ff, d, 1, LLAMA4 | NEXTS },
        { "ssm_in.weight", d, q + channels + n, 1, MAMBAS },
        { "ssm_ba.weight", d, 2 * n, 1, DELTAS },
        { "ssm_out.weight", q, d, 1, MIXERS }, { "ssm_conv1d.weight", TAPS, channels, 1, MIXERS },
        { "ssm_conv1d.bias", channels, 1, 1, MAMBAS }, { "ssm_dt.bias", n, 1, 1, MIXERS },
        { "ssm_a", 1, n, 1, MAMBAS }, { "ssm_a", n, 1, 1, DELTAS }, { "ssm_d", 1, n, 1, MAMBAS },
        { "ssm_norm.weight", q, 1, 1, MAMBAS }, { "ssm_norm.weight", k, 1, 1, DELTAS },
        { "attn_norm.bias", d, 1, 1, RWKV }, { "attn_norm_2.weight", d, 1, 1, RWKV },
        { "attn_norm_2.bias", d, 1, 1, RWKV }, { "time_mix_receptance.weight", d, d, 1, RWKV },
        { "time_mix_key.weight", d, d, 1, RWKV }, { "time_mix_value.weight", d, d, 1, RWKV },
        { "time_mix_output.weight", d, d, 1, RWKV }, { "time_mix_w1.weight", d, r, 1, RWKV },
        { "time_mix_w2.weight", r, d, 1, RWKV }, { "time_mix_w0.weight", d, 1, 1, RWKV },
        { "time_mix_a1.weight", d, r, 1, RWKV }, { "time_mix_a2.weight", r, d, 1, RWKV },
        { "time_mix_a0.weight", d, 1, 1, RWKV }, { "time_mix_v1.weight", d, r, 1, RWKV },
        { "time_mix_v2.weight", r, d, 1, RWKV }, { "time_mix_v0.weight", d, 1, 1, RWKV },
        { "time_mix_g1.weight", d, r, 1, RWKV }, { "time_mix_g2.weight", r, d, 1, RWKV },
        { "time_mix_lerp_fused.weight", d, 1, 6, RWKV }, { "time_mix_k_k.weight", d, 1, 1, RWKV },
        { "time_mix_k_a.weight", d, 1, 1, RWKV }, { "time_mix_r_k.weight", d, 1, 1, RWKV },
        { "time_mix_ln.weight", d, 1, 1, RWKV }, { "time_mix_ln.bias", d, 1, 1, RWKV },
        { "channel_mix_lerp_k.weight", d, 1, 1, RWKV },
        { "channel_mix_key.weight", d, ff, 1, RWKV }, { "channel_mix_value.weight", ff, d, 1, RWKV }
    };
    char name[80];
    size_t w;
    int i;
    tensor(f, b, "token_embd.weight", D, n_vocab, 1);
    tensor(f, b, "output_norm.weight", D, 1, 1);
    if (arch == RWKV) {
        tensor(f, b, "output_norm.bias", D, 1, 1);
        tensor(f, b, "token_embd_norm.weight", D, 1, 1);
        tensor(f, b, "token_embd_norm.bias", D, 1, 1);
    }
    if (bytes_flag(b)) tensor(f, b, "output.weight", D, n_vocab, 1);
    if (bytes_rarely(b, 4)) tensor(f, b, "rope_freqs.weight", HEAD / 2, 1, 1);
    if (bytes_rarely(b, 4)) {
        tensor(f, b, "rope_factors_short.weight", HEAD / 2, 1, 1);
        tensor(f, b, "rope_factors_long.weight", HEAD / 2, 1, 1);
    }
    for (i = 0; i < n_layer; i++)
        for (w = 0; w < sizeof layer / sizeof *layer; w++) {
            snprintf(name, sizeof name, "blk.%d.%s", i, layer[w].name);
            if (layer[w].archs & (i % 2 == 0 ? arch : arch == NEXT ? NEXT_FULL :
                                  arch == HYBRID ? OTHER : arch))
                tensor(f, b, name, layer[w].cols, layer[w].rows, layer[w].count);
        }
}

static void put_file(image *f, bytes *b)
{
    static const char *const archs[] = { "llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3",
                                         "phi3", "gpt-oss", "llama4", "qwen3next", "falcon-h1",
                                         "mamba2", "gemma", "rwkv7", "lctx-hybrid" };
    const int first = (int)bytes_in(b, 0, 12);
    const int arch = first < 12 ? first : 12 + (int)bytes_in(b, 0, 2);
    const int n_layer = (int)bytes_in(b, 0, 2);
    const int n_vocab = bytes_rarely(b, 4) ? (int)bytes_in(b, 0, 260) : 257 + bytes_flag(b);
    const int how = (int)bytes_take(b, 1);
    uint64_t i, data;
    f->n_keys = f->n_tensors = f->offset = 0, f->n = 0;
    put(f, "GGUF", 4);
    put_int(f, how == 255 ? (uint64_t)bytes_int(b) : how & 1 ? 2 : 3, 4);
    put_int(f, 0, 8), put_int(f, 0, 8);
    put_keys(f, b, archs[arch], n_layer, n_vocab);
    put_tensors(f, b, 1 << arch, n_layer, (uint64_t)n_vocab);
    data = f->n;
    f->n = 8;
    put_int(f, how == 254 ? (uint64_t)bytes_int(b) : f->n_tensors, 8);
    put_int(f, how == 253 ? (uint64_t)bytes_int(b) : f->n_keys, 8);
    f->n = (size_t)((data + 31) / 32 * 32);
    if (f->n > CAP) f->n = CAP;
    if (f->offset > CAP - f->n) f->offset = CAP - f->n;
    memset(f->data + data, 0, f->n - (size_t)data);
    /* halves of small numbers; as f32 they are small ones too */
    for (i = 0; i + 2 <= f->offset; i += 2) put_int(f, 0x3000u + (fuzz_hash(2, 0, i) & 0x8fff), 2);
    if (how >= 240 && how < 250) f->n -= (size_t)bytes_take(b, 2) % (f->n + 1);
}

/* A checkpoint of llama2.c, of any version, and sizes that may be wrong. */
static void put_checkpoint(image *f, bytes *b)
{
    const int version = (int)bytes_in(b, 0, 3), kv = 1 + bytes_flag(b), tied = bytes_flag(b);
    const int n_vocab = 16, layers = (int)bytes_in(b, 1, 2), ctx = 4;
    const int numbers[7] = { D, FF, layers, HEADS, kv, tied || version ? n_vocab : -n_vocab, ctx };
    const int64_t norms = (2 * layers + 1) * D, rest = D * (D * 2 + kv * (D / HEADS) * 2 + FF * 3);
    int64_t n = norms + layers * rest + n_vocab * D * (2 - tied) + (version ? 0 : ctx * (D / HEADS));
    int i;
    f->n = 0;
    if (version) put_int(f, 0x616b3432, 4), put_int(f, (uint64_t)version, 4);
    for (i = 0; i < 7; i++)
        put_int(f, (uint64_t)(bytes_rarely(b, 16) ? bytes_int(b) : numbers[i]), 4);
    if (version) put_int(f, (uint64_t)tied, 1), put_int(f, bytes_rarely(b, 8) ? 3 : 8, 4);
    while (version && f->n < 256) put_int(f, 0, 1);
    n = version == 2 ? 4 * norms + (n - norms) + (n - norms) / 8 * 4 : 4 * n;
    if (bytes_rarely(b, 8)) n += bytes_in(b, 0, 255) - 128;
    for (; n > 0; n -= 2) put_int(f, 0x3000u, 2);
}

/* ---- reading */
static void run(model *m, const vocab *v)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    float *logits;
    int32_t tokens[32];
    int64_t n;
    memset(&d, 0, sizeof d);
    d.chunk = 4, d.block = 64, d.max_tokens = 64;
    n = vocab_encode(v, VOCAB_START, "a b\xE2\x96\x81", 6, NULL, tokens);
    FUZZ_CHECK(n >= 0 && n <= vocab_most(6), "%lld tokens", (long long)n);
    if ((int64_t)m->lctx.n_layer * m->lctx.d_model * m->lctx.d_ff > 1 << 20 || n < 1) return;
    if (lctx_session_create(&m->lctx, &d, &s) != LCTX_OK) return;
    logits = (float *)malloc(sizeof *logits * (size_t)m->lctx.n_vocab);
    if (logits && lctx_session_feed(s, tokens, n, LCTX_LOGITS_LAST, logits) == LCTX_OK) {
        const int32_t best = text_argmax(logits, m->lctx.n_vocab);
        FUZZ_CHECK(best >= 0 && best < m->lctx.n_vocab, "token %d", best);
        FUZZ_CHECK(!isnan(text_bits(logits, m->lctx.n_vocab, best)), "bits");
    }
    free(logits);
    lctx_session_free(s);
}

static void load(const uint8_t *data, size_t n)
{
    /* as malloc aligns, and as floats are; a few bytes less */
    const size_t unit = n > 4 && !memcmp(data, "GGUF", 4) ? 16 : 4, aligned = n / unit * unit;
    uint8_t *copy = n <= FUZZ_SLOT ? (uint8_t *)fuzz_guarded(0, aligned, 0, 0) : NULL;
    gguf_string text;
    model m;
    vocab v;
    gguf_status st;
    double x;
    int flag;
    if (!copy) return;
    memcpy(copy, data, aligned);
    st = model_open_memory(&m, copy, aligned);
    fuzz_say("model of %zu bytes: %s, %s", n, gguf_status_text(st), m.file.error);
    FUZZ_CHECK(st == GGUF_OK || m.file.error[0], "no word of what is wrong: %s",
               gguf_status_text(st));
    (void)gguf_get_real(&m.file, "general.architecture", &x);
    (void)gguf_get_bool(&m.file, "tokenizer.ggml.add_bos_token", &flag);
    if (gguf_get_string(&m.file, "general.architecture", &text) == GGUF_OK) {
        char shown[64];
        FUZZ_CHECK(strlen(gguf_show(text, shown)) < 64, "shown");
    }
    if (vocab_open(&v, &m.file, st == GGUF_OK ? m.lctx.n_vocab : 257) == GGUF_OK && st == GGUF_OK)
        run(&m, &v);
    vocab_close(&v);
    model_close(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static image f;
    bytes b = bytes_of(data, size);
    if (size > 4 && !memcmp(data, "GGUF", 4)) load(data, size);
    else {
        if (size && data[size - 1] % 8 == 7) put_checkpoint(&f, &b);
        else put_file(&f, &b);
        load(f.data, f.n);
    }
    return 0;
}
