#include "llama2c.h"
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x616b3432, BARE = 28, HEAD = 256, N_WEIGHT = 12 };

/* In version 0's order. */
enum { EMBD, ATTN_NORM, WQ, WK, WV, WO, FFN_NORM, GATE, DOWN, UP, NORM, OUTPUT };

typedef struct checkpoint {
    model  *m;
    int     version, tied;
    int64_t d, ff, layers, heads, kv, vocab, ctx, group;
    int64_t rows[N_WEIGHT], cols[N_WEIGHT];      /* of all layers */
} checkpoint;

static int64_t int_at(const uint8_t *p)
{
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16
                     | (uint32_t)p[3] << 24);
}
static float float_at(const uint8_t *p)
{
    const uint32_t bits = (uint32_t)int_at(p);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int read_head(checkpoint *c)
{
    const uint8_t *p = c->m->file.data;
    const size_t size = c->m->file.size;
    if (size < BARE) return 1;
    if (int_at(p) == MAGIC) {
        c->version = (int)int_at(p + 4);
        if (size < HEAD || c->version < 1 || c->version > 2) return 1;
        c->tied = p[36] != 0, c->group = c->version == 2 ? int_at(p + 37) : 1, p += 8;
    }
    c->d = int_at(p), c->ff = int_at(p + 4), c->layers = int_at(p + 8), c->heads = int_at(p + 12);
    c->kv = int_at(p + 16), c->vocab = int_at(p + 20), c->ctx = int_at(p + 24);
    if (!c->version) c->tied = c->vocab > 0, c->vocab = c->vocab < 0 ? -c->vocab : c->vocab;
    return c->d < 1 || c->ff < 1 || c->layers < 1 || c->heads < 1 || c->kv < 1 || c->vocab < 1
           || c->ctx < 1 || c->d > 1 << 18 || c->ff > 1 << 20 || c->layers > 1 << 12
           || c->vocab > 1 << 22 || c->d % c->heads || c->heads % c->kv || c->d / c->heads % 2
           || (c->version == 2 && (c->group < 1 || c->d % c->group || c->ff % c->group));
}

static void shapes(checkpoint *c)
{
    const int64_t kv = c->kv * (c->d / c->heads), l = c->layers;
    const int64_t rows[N_WEIGHT] = { c->vocab, l, l * c->d, l * kv, l * kv, l * c->d, l, l * c->ff,
                                     l * c->d, l * c->ff, 1, c->tied ? 0 : c->vocab };
    const int64_t cols[N_WEIGHT] = { c->d, c->d, c->d, c->d, c->d, c->d, c->d, c->d, c->ff, c->d,
                                     c->d, c->d };
    memcpy(c->rows, rows, sizeof rows);
    memcpy(c->cols, cols, sizeof cols);
}

/* In which order the weights stand: versions 1 and 2 have the norms first. */
static const int orders[2][N_WEIGHT] = {
    { EMBD, ATTN_NORM, WQ, WK, WV, WO, FFN_NORM, GATE, DOWN, UP, NORM, OUTPUT },
    { ATTN_NORM, FFN_NORM, NORM, EMBD, WQ, WK, WV, WO, GATE, DOWN, UP, OUTPUT } };

static int is_norm(int w) { return w == ATTN_NORM || w == FFN_NORM || w == NORM; }

/* How many values stand in one piece, codes before their factors: a layer's matrix. */
static int64_t piece_of(const checkpoint *c, int w)
{
    return w == EMBD || w == OUTPUT ? c->rows[w] * c->cols[w] : c->rows[w] / c->layers * c->cols[w];
}
static int64_t bytes_of(const checkpoint *c, int w)
{
    const int64_t n = c->rows[w] * c->cols[w];
    return c->version == 2 && !is_norm(w) ? n + n / c->group * 4 : 4 * n;
}

/* n values of weight w as floats of the machine's, from p. */
static void decode(const checkpoint *c, int w, const uint8_t *p, int64_t n, float *out)
{
    const int64_t piece = n ? piece_of(c, w) : 1;
    int64_t at, i;
    if (c->version < 2 || is_norm(w)) {
        for (i = 0; i < n; i++) out[i] = float_at(p + 4 * i);
        return;
    }
    for (at = 0; at < n; at += piece, p += piece + piece / c->group * 4)
        for (i = 0; i < piece; i++)
            out[at + i] = (float)(int8_t)p[i] * float_at(p + piece + i / c->group * 4);
}

/* Where each weight's floats are: in the file as they stand, or made. */
static gguf_status place(checkpoint *c, const float *at[N_WEIGHT])
{
    const uint16_t one = 1;
    const int in_place = c->version < 2 && *(const uint8_t *)&one;
    const int *order = orders[c->version > 0];
    const uint8_t *p = c->m->file.data + (c->version ? HEAD : BARE);
    int64_t n = 0, i;
    float *made = NULL;
    for (i = 0; i < N_WEIGHT; i++) n += c->rows[i] * c->cols[i];
    if (!in_place && !(made = malloc((size_t)n * sizeof *made)))
        return gguf_fail(&c->m->file, GGUF_E_MEMORY, "%lld floats", (long long)n);
    c->m->file.swapped = (uint8_t *)made;
    for (i = 0; i < N_WEIGHT; i++) {
        const int w = order[i];
        const int64_t values = c->rows[w] * c->cols[w];
        at[w] = in_place ? (const float *)(const void *)p : made;
        if (!in_place) decode(c, w, p, values, made), made += values;
        p += bytes_of(c, w);
        /* version 0 has tables of cos and sin before the output */
        if (w == NORM && !c->version) p += 4 * c->ctx * (c->d / c->heads);
    }
    return GGUF_OK;
}

/* The bytes after the head; version 0's file has no mark but that this is its size. */
static int64_t all_bytes(const checkpoint *c)
{
    int64_t n = c->version ? HEAD : BARE + 4 * c->ctx * (c->d / c->heads), i;
    for (i = 0; i < N_WEIGHT; i++) n += bytes_of(c, (int)i);
    return n;
}

static lctx_tensor floats(const float *data)
{
    lctx_tensor t = {0};
    t.data = data;
    return t;
}

static gguf_status fill(const checkpoint *c, const float *const at[N_WEIGHT])
{
    model *m = c->m;
    lctx_model *x = &m->lctx;
    const int64_t d = c->d, ff = c->ff, kv = c->kv * (d / c->heads);
    int64_t i;
    x->n_layer = (int32_t)c->layers, x->n_head = (int32_t)c->heads, x->n_head_kv = (int32_t)c->kv;
    x->d_model = (int32_t)d, x->d_ff = (int32_t)ff, x->n_vocab = (int32_t)c->vocab;
    x->head_dim = (int32_t)(d / c->heads), m->trained = c->ctx;
    m->layers = calloc((size_t)c->layers, sizeof *m->layers);
    if (!m->layers) return gguf_fail(&m->file, GGUF_E_MEMORY, "%d layers", (int)x->n_layer);
    x->tok_embd = floats(at[EMBD]), x->output_norm = floats(at[NORM]);
    if (!c->tied) x->output = floats(at[OUTPUT]);
    for (i = 0; i < c->layers; i++) {
        lctx_layer *l = &m->layers[i];
        l->attn_norm = floats(at[ATTN_NORM] + i * d), l->ffn_norm = floats(at[FFN_NORM] + i * d);
        l->wq = floats(at[WQ] + i * d * d), l->wo = floats(at[WO] + i * d * d);
        l->wk = floats(at[WK] + i * kv * d), l->wv = floats(at[WV] + i * kv * d);
        l->w_gate = floats(at[GATE] + i * ff * d), l->w_up = floats(at[UP] + i * ff * d);
        l->w_down = floats(at[DOWN] + i * d * ff);
    }
    m->rope_desc.pairing = LCTX_ROPE_INTERLEAVED, m->rope_desc.n_rot = x->head_dim;
    m->rope_desc.theta = 10000, m->rope_desc.orig_ctx = (double)c->ctx;
    return lctx_rope_init(&m->rope, &m->rope_desc) == LCTX_OK ? GGUF_OK
           : gguf_fail(&m->file, GGUF_E_ROPE, "heads of %d", (int)x->head_dim);
}

gguf_status llama2c_load(model *m)
{
    checkpoint c = {0};
    const float *at[N_WEIGHT];
    gguf_status status;
    c.m = m;
    if (read_head(&c)) return GGUF_E_MAGIC;
    shapes(&c);
    if ((int64_t)m->file.size != all_bytes(&c)) {
        if (!c.version) return GGUF_E_MAGIC;
        return gguf_fail(&m->file, GGUF_E_TRUNCATED, "a llama2.c checkpoint of version %d has %lld "
                         "bytes, not %zu", c.version, (long long)all_bytes(&c), m->file.size);
    }
    status = place(&c, at);
    return status == GGUF_OK ? fill(&c, at) : status;
}

/* -------------------------------------------------------------------------------- vocabulary */
/* The keys that vocab_open asks for, as a GGUF file would hold them. */
enum { N_KEYS = 7 };
static const struct { const char *name; gguf_type type, item; } key_names[N_KEYS] = {     /* sorted */
    { "tokenizer.ggml.bos_token_id", GGUF_U32, GGUF_U8 },
    { "tokenizer.ggml.eos_token_id", GGUF_U32, GGUF_U8 },
    { "tokenizer.ggml.model", GGUF_STRING, GGUF_U8 },
    { "tokenizer.ggml.scores", GGUF_ARRAY, GGUF_F32 },
    { "tokenizer.ggml.token_type", GGUF_ARRAY, GGUF_I32 },
    { "tokenizer.ggml.tokens", GGUF_ARRAY, GGUF_STRING },
    { "tokenizer.ggml.unknown_token_id", GGUF_U32, GGUF_U8 } };

static uint8_t *put_number(uint8_t *to, uint64_t x, int bytes)
{
    for (; bytes > 0; bytes--, x >>= 8) *to++ = (uint8_t)x;
    return to;
}

/* A piece with its spaces as U+2581. */
static uint8_t *put_piece(uint8_t *to, const uint8_t *piece, int64_t n)
{
    uint8_t *text = to + 8, *end = text;
    int64_t i;
    for (i = 0; i < n; i++) {
        if (piece[i] == ' ') end = put_number(end, 0x8196E2, 3);
        else *end++ = piece[i];
    }
    put_number(to, (uint64_t)(end - text), 8);
    return end;
}

/* Unknown, begin and end of text, the bytes, then pieces. */
static int type_of(int64_t token) { return token == 0 ? 2 : token < 3 ? 3 : token < 259 ? 6 : 1; }

/* The values of all keys into `to`, which has room; 0 if the file ends early. */
static int make_values(const os_file *file, int64_t n, uint8_t *to, const uint8_t *at[N_KEYS])
{
    const uint8_t *p = (const uint8_t *)file->data + 4, *end = p - 4 + file->size;
    uint8_t *scores, *types, *pieces;
    int64_t i;
    at[0] = to, to = put_number(to, 1, 4), at[1] = to, to = put_number(to, 2, 4);
    at[6] = to, to = put_number(to, 0, 4);
    at[2] = to, to = put_piece(to, (const uint8_t *)"llama", 5);
    scores = to, types = scores + 4 * n, pieces = types + 4 * n;
    at[3] = scores, at[4] = types, at[5] = pieces;
    for (i = 0; i < n; i++) {
        int64_t length = end - p < 8 ? -1 : int_at(p + 4);
        if (length < 0 || length > end - p - 8) return 0;
        memcpy(scores, p, 4), scores += 4;
        types = put_number(types, (uint64_t)type_of(i), 4);
        pieces = put_piece(pieces, p + 8, length);
        p += 8 + length;
    }
    return p == end;
}

gguf_status llama2c_vocabulary(model *m, const char *path)
{
    gguf *g = &m->file;
    const int64_t n = m->lctx.n_vocab;
    const uint8_t *at[N_KEYS];
    os_file file;
    int i, error;
    if (g->keys) return gguf_fail(g, GGUF_E_VOCABULARY, "the model has a vocabulary of its own");
    if ((error = os_file_open(&file, path)) != 0)
        return gguf_fail(g, GGUF_E_FILE, "%s: %s", path, strerror(error));
    m->vocabulary = malloc(64 + 3 * file.size + 16 * (size_t)n);
    g->keys = calloc(N_KEYS, sizeof *g->keys);
    if (!m->vocabulary || !g->keys) {
        os_file_close(&file);
        return gguf_fail(g, GGUF_E_MEMORY, "vocabulary");
    }
    error = file.size < 4 || !make_values(&file, n, m->vocabulary, at);
    os_file_close(&file);
    if (error) return gguf_fail(g, GGUF_E_VOCABULARY, "%s has not %lld tokens", path, (long long)n);
    for (i = 0; i < N_KEYS; i++) {
        gguf_key *k = &g->keys[i];
        k->name.text = key_names[i].name, k->name.n = strlen(k->name.text);
        k->type = key_names[i].type, k->item = key_names[i].item, k->data = at[i];
        k->n = k->type == GGUF_ARRAY ? (uint64_t)n : 1;
    }
    g->n_keys = N_KEYS;
    return GGUF_OK;
}
