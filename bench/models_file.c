#include "models.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const model_shape model_shapes[] = {
    { "llama-3.2-1b", "llama", 16, 2048, 32, 8, 64, 8192, 128256, 0, 0, 0, 1, 1, 500000 },
    { "qwen3-30b-a3b", "qwen3moe", 4 /* of 48 */, 2048, 32, 4, 128, 768, 151936, 128, 8, 1, 0, 0,
      1000000 }
};
const int n_model_shapes = (int)(sizeof model_shapes / sizeof *model_shapes);

enum { F32 = 0, Q4_K = 12, Q6_K = 14, ALIGN = 32, MAX_TENSORS = 1024 };

typedef struct tensor { char name[64]; int type, n_dims; uint64_t dims[3], bytes; } tensor;

typedef struct writer {
    FILE    *file;
    const model_shape *m;
    tensor   tensors[MAX_TENSORS];
    int      n_tensors, n_keys;
    uint64_t state;
    double   read;             /* bytes of a token */
} writer;

static uint64_t next(writer *w)
{
    uint64_t x = w->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void put_int(writer *w, uint64_t x, int n)
{
    for (; n > 0; n--, x >>= 8) fputc((int)(x & 255), w->file);
}
static void put_text(writer *w, const char *text)
{
    put_int(w, strlen(text), 8);
    fputs(text, w->file);
}
static void put_real(writer *w, double x)
{
    const float y = (float)x;
    uint32_t u;
    memcpy(&u, &y, sizeof u);
    put_int(w, u, 4);
}

/* ---- keys */
static void key(writer *w, const char *prefix, const char *name, int type)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    put_text(w, full);
    put_int(w, (uint64_t)type, 4);
    w->n_keys++;
}
static void key_int(writer *w, const char *name, int x)
{
    key(w, w->m->arch, name, 4);
    put_int(w, (uint64_t)x, 4);
}
static void key_real(writer *w, const char *name, double x)
{
    key(w, w->m->arch, name, 6);
    put_real(w, x);
}

/* Unknown, begin and end of text, the bytes, and words that no text has. */
static void vocabulary(writer *w)
{
    char piece[24];
    int i;
    key(w, "tokenizer.ggml", "model", 8);
    put_text(w, "llama");
    key(w, "tokenizer.ggml", "tokens", 9);
    put_int(w, 8, 4), put_int(w, (uint64_t)w->m->n_vocab, 8);
    for (i = 0; i < w->m->n_vocab; i++) {
        snprintf(piece, sizeof piece, i < 3 ? "<%d>" : i < 259 ? "<0x%02X>" : "\xE2\x96\x81%d",
                 i < 3 || i >= 259 ? i : i - 3);
        put_text(w, piece);
    }
    key(w, "tokenizer.ggml", "scores", 9);
    put_int(w, 6, 4), put_int(w, (uint64_t)w->m->n_vocab, 8);
    for (i = 0; i < w->m->n_vocab; i++) put_real(w, -i);
    key(w, "tokenizer.ggml", "token_type", 9);
    put_int(w, 5, 4), put_int(w, (uint64_t)w->m->n_vocab, 8);
    for (i = 0; i < w->m->n_vocab; i++) put_int(w, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1, 4);
    key(w, "tokenizer.ggml", "bos_token_id", 4), put_int(w, 1, 4);
    key(w, "tokenizer.ggml", "eos_token_id", 4), put_int(w, 2, 4);
    key(w, "tokenizer.ggml", "unknown_token_id", 4), put_int(w, 0, 4);
}

static void keys(writer *w)
{
    const model_shape *m = w->m;
    key(w, "general", "architecture", 8);
    put_text(w, m->arch);
    key_int(w, "block_count", m->n_layer), key_int(w, "embedding_length", m->d_model);
    key_int(w, "feed_forward_length", m->d_ff), key_int(w, "attention.head_count", m->n_head);
    key_int(w, "attention.head_count_kv", m->n_head_kv);
    key_int(w, "attention.key_length", m->head_dim);
    key_int(w, "attention.value_length", m->head_dim);
    key_int(w, "rope.dimension_count", m->head_dim), key_int(w, "context_length", 131072);
    key_int(w, "vocab_size", m->n_vocab);
    key_real(w, "attention.layer_norm_rms_epsilon", 1e-5), key_real(w, "rope.freq_base", m->theta);
    if (m->n_expert) {
        key_int(w, "expert_count", m->n_expert), key_int(w, "expert_used_count", m->n_used);
        key_int(w, "expert_feed_forward_length", m->d_ff);
    }
    vocabulary(w);
}

/* ---- tensors: described first, written afterwards */
static uint64_t blocks_bytes(int type, uint64_t n)
{
    return type == F32 ? 4 * n : n / 256 * (type == Q4_K ? 144 : 210);
}

/* share: of it that a token reads */
static void add(writer *w, int layer, const char *name, int type, int cols, int rows, int count,
                double share)
{
    tensor *t = &w->tensors[w->n_tensors++];
    if (layer < 0) snprintf(t->name, sizeof t->name, "%s", name);
    else snprintf(t->name, sizeof t->name, "blk.%d.%s", layer, name);
    t->type = type, t->n_dims = count > 1 ? 3 : rows > 1 ? 2 : 1;
    t->dims[0] = (uint64_t)cols, t->dims[1] = (uint64_t)rows, t->dims[2] = (uint64_t)count;
    t->bytes = blocks_bytes(type, t->dims[0] * t->dims[1] * t->dims[2]);
    w->read += share * (double)t->bytes;
}

static void layer(writer *w, int i)
{
    const model_shape *m = w->m;
    const int q = m->n_head * m->head_dim, k = m->n_head_kv * m->head_dim, n = m->n_layer;
    const int more = i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2 ? Q6_K : Q4_K;
    const int experts = m->n_expert ? m->n_expert : 1;
    const double share = m->n_expert ? (double)m->n_used / m->n_expert : 1;
    add(w, i, "attn_norm.weight", F32, m->d_model, 1, 1, 1);
    add(w, i, "attn_q.weight", Q4_K, m->d_model, q, 1, 1);
    add(w, i, "attn_k.weight", Q4_K, m->d_model, k, 1, 1);
    add(w, i, "attn_v.weight", more, m->d_model, k, 1, 1);
    add(w, i, "attn_output.weight", Q4_K, q, m->d_model, 1, 1);
    if (m->head_norms) add(w, i, "attn_q_norm.weight", F32, m->head_dim, 1, 1, 1);
    if (m->head_norms) add(w, i, "attn_k_norm.weight", F32, m->head_dim, 1, 1, 1);
    add(w, i, "ffn_norm.weight", F32, m->d_model, 1, 1, 1);
    if (m->n_expert) add(w, i, "ffn_gate_inp.weight", F32, m->d_model, experts, 1, 1);
    add(w, i, m->n_expert ? "ffn_gate_exps.weight" : "ffn_gate.weight", Q4_K, m->d_model, m->d_ff,
        experts, share);
    add(w, i, m->n_expert ? "ffn_up_exps.weight" : "ffn_up.weight", Q4_K, m->d_model, m->d_ff,
        experts, share);
    add(w, i, m->n_expert ? "ffn_down_exps.weight" : "ffn_down.weight", more, m->d_ff, m->d_model,
        experts, share);
}

static void put_infos(writer *w)
{
    uint64_t at = 0;
    int i, d;
    for (i = 0; i < w->n_tensors; i++) {
        const tensor *t = &w->tensors[i];
        put_text(w, t->name);
        put_int(w, (uint64_t)t->n_dims, 4);
        for (d = 0; d < t->n_dims; d++) put_int(w, t->dims[d], 8);
        put_int(w, (uint64_t)t->type, 4);
        put_int(w, at, 8);
        at += (t->bytes + ALIGN - 1) / ALIGN * ALIGN;
    }
}

/* Any codes; scales so that outputs stay near 1: 0x1p-13 times six bits of scale, for Q6_K 0x1p-14
   times eight. */
static void put_blocks(writer *w, const tensor *t)
{
    const size_t size = t->type == Q4_K ? 144 : 210;
    unsigned char block[216];
    uint64_t n, i, x;
    for (n = t->bytes / size; n > 0; n--) {
        for (i = 0; i < sizeof block; i += 8) x = next(w), memcpy(block + i, &x, 8);
        if (t->type == Q4_K) block[0] = 0, block[1] = 0x08, block[2] = 0, block[3] = 0x14;
        else block[208] = 0, block[209] = 0x04;
        fwrite(block, 1, size, w->file);
    }
}

static void put_data(writer *w)
{
    int i;
    uint64_t n;
    for (i = 0; i < w->n_tensors; i++) {
        const tensor *t = &w->tensors[i];
        const int norm = t->n_dims == 1;
        if (t->type != F32) put_blocks(w, t);
        else for (n = 0; n < t->bytes / 4; n++)
            put_real(w, norm ? 1 : (double)(int64_t)next(w) * 0x1p-63 / 16);
        for (n = t->bytes; n % ALIGN; n++) fputc(0, w->file);
    }
}

int models_write(const char *path, const model_shape *shape, double *bytes)
{
    writer *w = calloc(1, sizeof *w);
    long at;
    int i, bad;
    if (!w || !(w->file = fopen(path, "wb"))) {
        free(w);
        return 1;
    }
    w->m = shape, w->state = 42;
    add(w, -1, "token_embd.weight", Q6_K, shape->d_model, shape->n_vocab, 1, shape->tied);
    add(w, -1, "output_norm.weight", F32, shape->d_model, 1, 1, 1);
    if (!shape->tied) add(w, -1, "output.weight", Q6_K, shape->d_model, shape->n_vocab, 1, 1);
    for (i = 0; i < shape->n_layer; i++) layer(w, i);
    put_int(w, 0x46554747, 4), put_int(w, 3, 4), put_int(w, (uint64_t)w->n_tensors, 8);
    put_int(w, 0, 8);
    keys(w);
    put_infos(w);
    for (at = ftell(w->file); at % ALIGN; at++) fputc(0, w->file);
    put_data(w);
    fseek(w->file, 16, SEEK_SET);
    put_int(w, (uint64_t)w->n_keys, 8);
    bad = ferror(w->file) != 0;
    bad |= fclose(w->file) != 0;
    *bytes = w->read;
    free(w);
    return bad;
}
