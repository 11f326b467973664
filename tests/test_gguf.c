/* test_gguf.c - the examples' reader of GGUF files and byte vocabularies: files built in memory, cut
   at every byte, with every field spoilt, and at random. */
#include "lctx.h"
#include "model.h"
#include "text.h"
#include "test.h"
#include "writing.h"

#include <math.h>

/* ---------------------------------------------------------------------------- building files */

enum { D_MODEL = 8, D_FF = 12, N_HEAD = 2, N_KV = 1, HEAD = 4, N_BYTES = 256, MAX_TENSORS = 32 };

/* A small file, and what is to be different about it. Names are of keys or tensors; null = none. */
typedef struct spec {
    const char *arch;                  /* null = llama */
    uint32_t    magic, version;        /* 0 = right */
    uint64_t    n_keys, n_tensors;     /* added to the counts */
    const char *no_key, *twice_key;
    const char *other_key;             /* gets other_type and other_value, 8 bytes as it needs them */
    uint32_t    other_type;
    uint64_t    other_value;
    const char *text_key, *text;       /* gets this text */
    const char *more_key;              /* one more, of more_type and more_value */
    uint32_t    more_type;
    uint64_t    more_value;
    const char *more_tensor;           /* one more, a vector of D_MODEL */
    const char *no_tensor, *twice_tensor;
    const char *tensor;                /* gets what follows where it is not 0 */
    uint32_t    n_dims, type;
    uint64_t    dims[4], offset;
    int         zero_dim;              /* dimension 1 + ... is 0 */
    uint64_t    align;                 /* 0 = 32; put into general.alignment and used */
    uint32_t    matrix_type;           /* F32, F16, BF16 */
    const char *scaling;               /* rope.scaling.type */
    int         rope_table, space_piece, no_types;
    const char *piece;                 /* of token 5 */
    int         long_name;             /* the first key's name claims this many bytes more */
} spec;

typedef struct image {
    writing w;
    size_t  header;                    /* where the tensors' data begins */
    const spec *s;
    uint64_t n_keys, n_tensors;
    struct { uint64_t bytes; float value; uint32_t type; } tensors[MAX_TENSORS];
    uint64_t offset;
} image;

/* Bytes of a value of the types that specs give. */
static size_t value_bytes(uint32_t type)
{
    return type == GGUF_U8 || type == GGUF_BOOL ? 1 : type == GGUF_U32 || type == GGUF_F32 ? 4 : 8;
}

static int is(const char *a, const char *b) { return a && !strcmp(a, b); }

/* Begins a key; 0: it is not to be written here (any more). */
static int key(image *b, const char *name, uint32_t type)
{
    const spec *s = b->s;
    if (is(s->no_key, name)) return 0;
    b->n_keys++;
    put_int(&b->w, strlen(name) + (uint64_t)(b->n_keys == 1 ? s->long_name : 0), 8);
    put(&b->w, name, strlen(name));
    if (!is(s->other_key, name)) {
        put_int(&b->w, type, 4);
        return 1;
    }
    put_int(&b->w, s->other_type, 4);
    put_int(&b->w, s->other_value, value_bytes(s->other_type));
    return 0;
}

static void key_int(image *b, const char *name, uint64_t value)
{
    int i;
    for (i = 0; i <= is(b->s->twice_key, name); i++)
        if (key(b, name, GGUF_U32)) put_int(&b->w, value, 4);
}

static void key_real(image *b, const char *name, float value)
{
    if (key(b, name, GGUF_F32)) put_real(&b->w, value);
}

static void key_flag(image *b, const char *name, int value)
{
    if (key(b, name, GGUF_BOOL)) put_int(&b->w, (uint64_t)value, 1);
}

static void key_text(image *b, const char *name, const char *text)
{
    if (key(b, name, GGUF_STRING)) put_text(&b->w, is(b->s->text_key, name) ? b->s->text : text);
}

static int n_vocab(const spec *s) { return 1 + N_BYTES + (s->space_piece != 0); }

/* Token 0 is BOS, then the bytes, then perhaps the piece for spaces. */
static void put_vocabulary(image *b)
{
    char piece[16];
    int i;
    key_text(b, "tokenizer.ggml.model", "llama");
    if (key(b, "tokenizer.ggml.tokens", GGUF_ARRAY)) {
        put_int(&b->w, GGUF_STRING, 4);
        put_int(&b->w, (uint64_t)n_vocab(b->s), 8);
        for (i = 0; i < n_vocab(b->s); i++) {
            snprintf(piece, sizeof piece, i ? "<0x%02X>" : "<s>", (unsigned)(i - 1) & 255u);
            put_text(&b->w, i > N_BYTES ? "\xE2\x96\x81" : i == 5 && b->s->piece ? b->s->piece
                                                                             : piece);
        }
    }
    if (!b->s->no_types && key(b, "tokenizer.ggml.token_type", GGUF_ARRAY)) {
        put_int(&b->w, GGUF_I32, 4);
        put_int(&b->w, (uint64_t)n_vocab(b->s), 8);
        for (i = 0; i < n_vocab(b->s); i++) put_int(&b->w, i == 0 ? 3 : i > N_BYTES ? 1 : 6, 4);
    }
    key_int(b, "tokenizer.ggml.bos_token_id", 0);
    key_flag(b, "tokenizer.ggml.add_bos_token", 1);
    key_flag(b, "tokenizer.ggml.add_space_prefix", 0);
}

static const char *arch_of(const spec *s) { return s->arch ? s->arch : "llama"; }

static void put_keys(image *b)
{
    static const struct { const char *suffix; uint32_t value; } counts[] = {
        { "block_count", 1 }, { "embedding_length", D_MODEL }, { "feed_forward_length", D_FF },
        { "attention.head_count", N_HEAD }, { "attention.head_count_kv", N_KV },
        { "attention.key_length", HEAD }, { "attention.value_length", HEAD },
        { "context_length", 256 }, { "rope.dimension_count", HEAD } };
    char name[80];
    size_t i;
    key_text(b, "general.architecture", arch_of(b->s));
    if (b->s->align) key_int(b, "general.alignment", b->s->align);
    for (i = 0; i < sizeof counts / sizeof *counts; i++) {
        snprintf(name, sizeof name, "%s.%s", arch_of(b->s), counts[i].suffix);
        key_int(b, name, counts[i].value);
    }
    snprintf(name, sizeof name, "%s.attention.layer_norm_rms_epsilon", arch_of(b->s));
    key_real(b, name, 1e-5f);
    snprintf(name, sizeof name, "%s.rope.freq_base", arch_of(b->s));
    key_real(b, name, 500);
    if (b->s->scaling) {
        snprintf(name, sizeof name, "%s.rope.scaling.type", arch_of(b->s));
        key_text(b, name, b->s->scaling);
        snprintf(name, sizeof name, "%s.rope.scaling.factor", arch_of(b->s));
        key_real(b, name, 4);
        snprintf(name, sizeof name, "%s.rope.scaling.original_context_length", arch_of(b->s));
        key_int(b, name, 64);
    }
    put_vocabulary(b);
    if (b->s->more_key && key(b, b->s->more_key, b->s->more_type))
        put_int(&b->w, b->s->more_value, value_bytes(b->s->more_type));
}

/* Describes a tensor whose values are all `value` (0: random). */
static void tensor(image *b, const char *name, uint64_t cols, uint64_t rows, float value)
{
    const spec *s = b->s;
    int twice = is(s->twice_tensor, name), altered = is(s->tensor, name), i, d;
    uint32_t type = rows > 1 ? s->matrix_type : GGUF_TENSOR_F32;
    uint64_t dims[4], align = s->align ? s->align : 32, bytes = cols * rows * (type ? 2 : 4);
    if (is(s->no_tensor, name)) return;
    dims[0] = cols; dims[1] = rows; dims[2] = dims[3] = 1;
    for (d = 0; altered && d < 4; d++) {
        if (s->dims[d]) dims[d] = s->dims[d];
        if (s->zero_dim == d + 1) dims[d] = 0;
    }
    for (i = 0; i <= twice; i++) {
        uint32_t n_dims = altered && s->n_dims ? s->n_dims : rows > 1 ? 2 : 1;
        put_text(&b->w, name);
        put_int(&b->w, n_dims, 4);
        for (d = 0; d < (int)n_dims && d < 5; d++) put_int(&b->w, d < 4 ? dims[d] : 1, 8);
        put_int(&b->w, altered && s->type ? s->type : type, 4);
        put_int(&b->w, altered && s->offset ? s->offset : b->offset, 8);
        b->tensors[b->n_tensors].value = value;
        b->tensors[b->n_tensors].type = type;
        b->tensors[b->n_tensors++].bytes = bytes;
        b->offset += (bytes + align - 1) / align * align;
    }
}

static void put_tensors(image *b)
{
    const int qwen2 = is(b->s->arch, "qwen2"), qwen3 = is(b->s->arch, "qwen3");
    tensor(b, "token_embd.weight", D_MODEL, (uint64_t)n_vocab(b->s), 0);
    tensor(b, "output_norm.weight", D_MODEL, 1, 1);
    tensor(b, "blk.0.attn_norm.weight", D_MODEL, 1, 1);
    tensor(b, "blk.0.attn_q.weight", D_MODEL, N_HEAD * HEAD, 0);
    tensor(b, "blk.0.attn_k.weight", D_MODEL, N_KV * HEAD, 0);
    tensor(b, "blk.0.attn_v.weight", D_MODEL, N_KV * HEAD, 0);
    tensor(b, "blk.0.attn_output.weight", N_HEAD * HEAD, D_MODEL, 0);
    if (qwen2) tensor(b, "blk.0.attn_q.bias", N_HEAD * HEAD, 1, 0);
    if (qwen2) tensor(b, "blk.0.attn_k.bias", N_KV * HEAD, 1, 0);
    if (qwen2) tensor(b, "blk.0.attn_v.bias", N_KV * HEAD, 1, 0);
    if (qwen3) tensor(b, "blk.0.attn_q_norm.weight", HEAD, 1, 1);
    if (qwen3) tensor(b, "blk.0.attn_k_norm.weight", HEAD, 1, 1);
    tensor(b, "blk.0.ffn_norm.weight", D_MODEL, 1, 1);
    tensor(b, "blk.0.ffn_gate.weight", D_MODEL, D_FF, 0);
    tensor(b, "blk.0.ffn_up.weight", D_MODEL, D_FF, 0);
    tensor(b, "blk.0.ffn_down.weight", D_FF, D_MODEL, 0);
    if (b->s->rope_table) tensor(b, "rope_freqs.weight", HEAD / 2, 1, 2);
    if (b->s->more_tensor) tensor(b, b->s->more_tensor, D_MODEL, 1, 1);
}

/* A 16-bit value is the upper half of an f32 either way: any f16 with those bits is finite too. */
static void put_data(image *b)
{
    uint64_t align = b->s->align ? b->s->align : 32, i, at;
    if (align > 4096) align = 4096;
    while (b->w.n % align) put_int(&b->w, 0, 1);
    b->header = b->w.n;
    for (i = 0; i < b->n_tensors; i++) {
        int two = b->tensors[i].type != GGUF_TENSOR_F32;
        for (at = 0; at < b->tensors[i].bytes; at += two ? 2 : 4) {
            float x = b->tensors[i].value != 0 ? b->tensors[i].value : 0.3f * test_normal();
            uint32_t u;
            memcpy(&u, &x, sizeof u);
            if (two) put_int(&b->w, u >> 16, 2);
            else put_real(&b->w, x);
        }
        while ((b->w.n - b->header) % align && i + 1 < b->n_tensors) put_int(&b->w, 0, 1);
    }
}

static image build(const spec *s)
{
    image b;
    uint64_t counts[2];
    int i, c;
    memset(&b, 0, sizeof b);
    b.s = s;
    test_state = 4711;
    put_int(&b.w, s->magic ? s->magic : 0x46554747u, 4);
    put_int(&b.w, s->version ? s->version : 3, 4);
    put_int(&b.w, 0, 8);
    put_int(&b.w, 0, 8);
    put_keys(&b);
    put_tensors(&b);
    counts[0] = b.n_tensors + s->n_tensors;
    counts[1] = b.n_keys + s->n_keys;
    for (c = 0; c < 2; c++)
        for (i = 0; i < 8; i++) b.w.data[8 + 8 * c + i] = (unsigned char)(counts[c] >> 8 * i);
    put_data(&b);
    return b;
}

/* ---------------------------------------------------------------------------- opening them */

/* Opens n bytes in a piece of memory of just that size, model and vocabulary; error gets the text. */
static gguf_status try_open(const unsigned char *data, size_t n, char error[240])
{
    unsigned char *copy = (unsigned char *)malloc(n ? n : 1);
    model m;
    vocab v;
    gguf_status st;
    memcpy(copy, data, n);
    st = model_open_memory(&m, copy, n);
    if (st == GGUF_OK) {
        st = vocab_open(&v, &m.file, m.lctx.n_vocab);
        vocab_close(&v);
    }
    snprintf(error, 240, "%s", m.file.error);
    model_close(&m);
    free(copy);
    return st;
}

/* A file with this difference opens with this status, and says what and where in one line. */
static void gives(const spec *s, gguf_status want, const char *where, const char *what)
{
    image b = build(s);
    char error[240];
    gguf_status st = try_open(b.w.data, b.w.n, error);
    check(st == want, "%s: %s (%s)", what, gguf_status_text(want),
          st == GGUF_OK ? "ok" : error);
    if (st != GGUF_OK && st == want)
        check(strstr(error, where) && !strchr(error, '\n'), "%s: the error names \"%s\" (%s)", what,
              where, error);
    free(b.w.data);
}
#define GIVES(status, where, what, ...) do { \
        spec s_; \
        memset(&s_, 0, sizeof s_); \
        __VA_ARGS__; \
        gives(&s_, status, where, what); \
    } while (0)

static void test_good(void)
{
    GIVES(GGUF_OK, "", "a small llama", s_.arch = NULL);
    GIVES(GGUF_OK, "", "a small qwen2", s_.arch = "qwen2");
    GIVES(GGUF_OK, "", "a small qwen3", s_.arch = "qwen3");
    GIVES(GGUF_OK, "", "version 2", s_.version = 2);
    GIVES(GGUF_OK, "", "f16 tensors", s_.matrix_type = GGUF_TENSOR_F16);
    GIVES(GGUF_OK, "", "bf16 tensors", s_.matrix_type = GGUF_TENSOR_BF16);
    GIVES(GGUF_OK, "", "alignment 8", s_.align = 8);
    GIVES(GGUF_OK, "", "alignment 4096", s_.align = 4096);
    GIVES(GGUF_OK, "", "scaling none", s_.scaling = "none");
    GIVES(GGUF_OK, "", "scaling linear", s_.scaling = "linear");
    GIVES(GGUF_OK, "", "scaling yarn", s_.scaling = "yarn");
    GIVES(GGUF_OK, "", "a table of frequencies", s_.rope_table = 1);
    GIVES(GGUF_OK, "", "a piece for spaces", s_.space_piece = 1);
    GIVES(GGUF_OK, "", "no token types", s_.no_types = 1);
    GIVES(GGUF_OK, "", "integers of 64 bits", s_.other_key = "llama.block_count",
          s_.other_type = GGUF_U64, s_.other_value = 1);
    GIVES(GGUF_OK, "", "integers of 8 bits", s_.other_key = "llama.block_count",
          s_.other_type = GGUF_U8, s_.other_value = 1);
}

static void test_header(void)
{
    const uint64_t huge = (uint64_t)1 << 62;
    GIVES(GGUF_E_MAGIC, "first bytes", "another magic", s_.magic = 0x46554746u);
    GIVES(GGUF_E_VERSION, "version 1", "version 1", s_.version = 1);
    GIVES(GGUF_E_VERSION, "version 4", "version 4", s_.version = 4);
    GIVES(GGUF_E_VERSION, "version 50331648", "big-endian", s_.version = 3u << 24);
    GIVES(GGUF_E_COUNT, "keys", "a huge number of keys", s_.n_keys = huge);
    GIVES(GGUF_E_COUNT, "keys", "the most keys", s_.n_keys = (uint64_t)-1 - 100);
    GIVES(GGUF_E_COUNT, "tensors", "a huge number of tensors", s_.n_tensors = huge);
    GIVES(GGUF_E_COUNT, "tensors", "the most tensors", s_.n_tensors = (uint64_t)-1 - 100);
    GIVES(GGUF_E_TRUNCATED, "key 0", "a name beyond the end", s_.long_name = 1 << 30);
    GIVES(GGUF_E_ALIGNMENT, "3", "alignment 3", s_.align = 3);
    GIVES(GGUF_E_ALIGNMENT, "4", "alignment 4", s_.align = 4);
    GIVES(GGUF_E_ALIGNMENT, "96", "alignment 96", s_.align = 96);
    GIVES(GGUF_E_OFFSET, "tensor", "alignment 2^30", s_.align = 1u << 30);
    GIVES(GGUF_E_VALUE, "general.alignment", "alignment 2^31", s_.align = 1u << 31);
    GIVES(GGUF_E_VALUE, "general.alignment", "alignment 0", s_.align = 32,
          s_.other_key = "general.alignment", s_.other_type = GGUF_U32, s_.other_value = 0);
    GIVES(GGUF_E_KEY_TYPE, "general.alignment", "an alignment in f32", s_.align = 32,
          s_.other_key = "general.alignment", s_.other_type = GGUF_F32);
}

static void test_keys(void)
{
    static const char *const needed[] = { "general.architecture", "llama.block_count",
        "llama.embedding_length", "llama.feed_forward_length", "llama.attention.head_count",
        "llama.context_length", "tokenizer.ggml.model", "tokenizer.ggml.tokens" };
    static const char *const counts[] = { "llama.block_count", "llama.embedding_length",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.context_length",
        "llama.attention.head_count_kv", "llama.attention.key_length", "llama.rope.dimension_count",
        "llama.attention.value_length" };
    size_t i;
    for (i = 0; i < sizeof needed / sizeof *needed; i++)
        GIVES(GGUF_E_NO_KEY, needed[i], "a missing key", s_.no_key = needed[i]);
    for (i = 0; i < sizeof needed / sizeof *needed; i++)
        GIVES(GGUF_E_KEY_TYPE, needed[i], "a key in f64", s_.other_key = needed[i],
              s_.other_type = GGUF_F64);
    for (i = 0; i < sizeof counts / sizeof *counts; i++) {
        GIVES(GGUF_E_VALUE, counts[i], "a count of 0", s_.other_key = counts[i],
              s_.other_type = GGUF_U32);
        GIVES(GGUF_E_VALUE, counts[i], "a count of 2^32 - 1", s_.other_key = counts[i],
              s_.other_type = GGUF_U32, s_.other_value = 0xffffffffu);
        GIVES(GGUF_E_VALUE, counts[i], "a negative count", s_.other_key = counts[i],
              s_.other_type = GGUF_I64, s_.other_value = (uint64_t)-1);
        GIVES(GGUF_E_VALUE, counts[i], "a count of 2^64 - 1", s_.other_key = counts[i],
              s_.other_type = GGUF_U64, s_.other_value = (uint64_t)-1);
        GIVES(GGUF_E_KEY_TYPE, counts[i], "a count that is a flag", s_.other_key = counts[i],
              s_.other_type = GGUF_BOOL);
    }
    GIVES(GGUF_E_KEY_TYPE, "context_length", "an unknown type", s_.other_key = "llama.context_length",
          s_.other_type = GGUF_TYPE_COUNT);
    GIVES(GGUF_E_KEY_TYPE, "context_length", "a huge type", s_.other_key = "llama.context_length",
          s_.other_type = 0xffffffffu);
    GIVES(GGUF_E_NESTED, "context_length", "an array of arrays", s_.other_key = "llama.context_length",
          s_.other_type = GGUF_ARRAY, s_.other_value = GGUF_ARRAY);
    GIVES(GGUF_E_TRUNCATED, "context_length", "a string longer than the file",
          s_.other_key = "llama.context_length", s_.other_type = GGUF_STRING,
          s_.other_value = (uint64_t)1 << 40);
    GIVES(GGUF_E_TRUNCATED, "context_length", "a string of 2^64 - 1 bytes",
          s_.other_key = "llama.context_length", s_.other_type = GGUF_STRING,
          s_.other_value = (uint64_t)-1);
    GIVES(GGUF_E_DUPLICATE, "block_count", "a key that stands twice", s_.twice_key = "llama.block_count");
}

static void test_values(void)
{
    const char *const theta = "llama.rope.freq_base", *const eps = "llama.attention.layer_norm_rms_epsilon";
    GIVES(GGUF_E_ARCHITECTURE, "gpt2", "another architecture", s_.text_key = "general.architecture",
          s_.text = "gpt2");
    GIVES(GGUF_E_ARCHITECTURE, "?", "an architecture without a name",
          s_.text_key = "general.architecture", s_.text = "\n\x01");
    GIVES(GGUF_E_VALUE, "block_count", "more layers than tensors", s_.other_key = "llama.block_count",
          s_.other_type = GGUF_U32, s_.other_value = 1000000);
    GIVES(GGUF_E_NO_TENSOR, "blk.1.", "a layer that is not there", s_.other_key = "llama.block_count",
          s_.other_type = GGUF_U32, s_.other_value = 2);
    GIVES(GGUF_E_MODEL, "differ", "values of another length",
          s_.other_key = "llama.attention.value_length", s_.other_type = GGUF_U32, s_.other_value = 8);
    GIVES(GGUF_E_ROPE, "n_rot", "an odd number of turning dimensions",
          s_.other_key = "llama.rope.dimension_count", s_.other_type = GGUF_U32, s_.other_value = 3);
    GIVES(GGUF_E_ROPE, "n_rot", "more turning dimensions than any",
          s_.other_key = "llama.rope.dimension_count", s_.other_type = GGUF_U32,
          s_.other_value = 1 << 30);
    GIVES(GGUF_E_MODEL, "n_rot", "more turning dimensions than the head has",
          s_.other_key = "llama.rope.dimension_count", s_.other_type = GGUF_U32, s_.other_value = 6);
    GIVES(GGUF_E_ROPE, "theta", "a base of 1", s_.other_key = theta, s_.other_type = GGUF_F32,
          s_.other_value = 0x3f800000u);
    GIVES(GGUF_E_ROPE, "theta", "a base that is NaN", s_.other_key = theta, s_.other_type = GGUF_F32,
          s_.other_value = 0x7fc00000u);
    GIVES(GGUF_E_MODEL, "dimension", "an epsilon that is NaN", s_.other_key = eps,
          s_.other_type = GGUF_F32, s_.other_value = 0x7fc00000u);
    GIVES(GGUF_E_KEY_TYPE, "epsilon", "an epsilon that is an integer", s_.other_key = eps,
          s_.other_type = GGUF_U32);
    GIVES(GGUF_E_ROPE, "longrope", "an unknown scaling", s_.scaling = "longrope");
    GIVES(GGUF_E_ROPE, "factor", "a factor below 1", s_.scaling = "yarn",
          s_.other_key = "llama.rope.scaling.factor", s_.other_type = GGUF_F32,
          s_.other_value = 0x3f000000u);
    GIVES(GGUF_E_ROPE, "rope_freqs", "a table of another length", s_.rope_table = 1,
          s_.tensor = "rope_freqs.weight", s_.dims[0] = 1);
}

static void test_tensors(void)
{
    static const char *const needed[] = { "token_embd.weight", "output_norm.weight",
        "blk.0.attn_norm.weight", "blk.0.attn_q.weight", "blk.0.attn_k.weight",
        "blk.0.attn_v.weight", "blk.0.attn_output.weight", "blk.0.ffn_norm.weight",
        "blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down.weight" };
    const char *const q = "blk.0.attn_q.weight";
    const uint64_t huge = (uint64_t)1 << 62;
    size_t i;
    for (i = 0; i < sizeof needed / sizeof *needed; i++) {
        GIVES(GGUF_E_NO_TENSOR, needed[i], "a missing tensor", s_.no_tensor = needed[i]);
        GIVES(GGUF_E_SHAPE, needed[i], "a tensor of another shape", s_.tensor = needed[i],
              s_.dims[0] = 5);
        GIVES(GGUF_E_TENSOR_TYPE, needed[i], "a type that is not supported", s_.tensor = needed[i],
              s_.type = 3);
        GIVES(GGUF_E_SHAPE, needed[i], "blocks longer than a row", s_.tensor = needed[i],
              s_.type = GGUF_TENSOR_Q8_0);
    }
    GIVES(GGUF_E_NO_TENSOR, "attn_k.bias", "qwen2 without a bias", s_.arch = "qwen2",
          s_.no_tensor = "blk.0.attn_k.bias");
    GIVES(GGUF_E_NO_TENSOR, "attn_q_norm", "qwen3 without a norm", s_.arch = "qwen3",
          s_.no_tensor = "blk.0.attn_q_norm.weight");
    GIVES(GGUF_E_DUPLICATE, q, "a tensor that stands twice", s_.twice_tensor = q);
    GIVES(GGUF_E_TENSOR_TYPE, "Q2_K", "an unsupported type is named", s_.tensor = q, s_.type = 10);
    GIVES(GGUF_E_TENSOR_TYPE, "TQ1_0", "a rare one too", s_.tensor = q, s_.type = 34);
    GIVES(GGUF_E_TENSOR_TYPE, "unknown", "an unknown type", s_.tensor = q, s_.type = 0xffffffffu);
    GIVES(GGUF_E_SHAPE, q, "too many dimensions", s_.tensor = q, s_.n_dims = 5);
    GIVES(GGUF_E_SHAPE, q, "2^32 - 1 dimensions", s_.tensor = q, s_.n_dims = 0xffffffffu);
    GIVES(GGUF_E_SHAPE, q, "a dimension of 0", s_.tensor = q, s_.zero_dim = 1);
    GIVES(GGUF_E_SHAPE, q, "another dimension of 0", s_.tensor = q, s_.zero_dim = 2);
    GIVES(GGUF_E_SHAPE, q, "dimensions that overflow", s_.tensor = q, s_.dims[0] = huge,
          s_.dims[1] = 8);
    GIVES(GGUF_E_SHAPE, q, "dimensions that overflow to 0", s_.tensor = q,
          s_.dims[0] = (uint64_t)1 << 32, s_.dims[1] = (uint64_t)1 << 32);
    GIVES(GGUF_E_SHAPE, q, "the largest dimension", s_.tensor = q, s_.dims[0] = (uint64_t)-1);
    GIVES(GGUF_E_OFFSET, q, "a tensor larger than the file", s_.tensor = q, s_.dims[1] = 1 << 20);
    GIVES(GGUF_E_OFFSET, q, "an offset outside the file", s_.tensor = q, s_.offset = 1 << 30);
    GIVES(GGUF_E_OFFSET, q, "a huge offset", s_.tensor = q, s_.offset = (uint64_t)-32);
    GIVES(GGUF_E_OFFSET, q, "an offset out of line", s_.tensor = q, s_.offset = 33);
    GIVES(GGUF_E_SHAPE, q, "a third dimension", s_.tensor = q, s_.n_dims = 3, s_.dims[2] = 2);
}

/* What a file holds is used, or known not to matter, or refused by its name. */
static void test_unknown(void)
{
    static const char *const tensors[] = { "blk.0.attn_norm.bias", "output_norm.bias", "output.bias", "blk.1.attn_norm.weight", "blk.0.ffn_gate_inp.weight",
        "blk.0.attn_sinks.weight", "blk.0.post_attention_norm.weight", "token_embd_norm.weight",
        "rope_factors_short.weight", "blk.0.attn_q.scale", "blk.0.post_ffw_norm.weight",
        "blk.0.ffn_gate_exps.weight", "blk.0.ffn_gate_shexp.weight", "blk.0.attn_qkv.weight" };
    static const struct { const char *name; uint32_t type; uint64_t neutral, other; } keys[] = {
        { "llama.attention.clamp_kqv", GGUF_F32, 0, 0x41000000u },
        { "llama.attention.max_alibi_bias", GGUF_F32, 0, 0x41000000u },
        { "llama.attention.causal", GGUF_BOOL, 1, 0 },
        { "llama.use_parallel_residual", GGUF_BOOL, 0, 1 },
        { "llama.logit_scale", GGUF_F32, 0x3f800000u, 0x40000000u },
        { "llama.residual_scale", GGUF_F32, 0x3f800000u, 0x40000000u },
        { "llama.attention.temperature_length", GGUF_U32, 0, 8192 },
        { "llama.rope.scaling.yarn_ext_factor", GGUF_F32, 0x3f800000u, 0x3f000000u } };
    size_t i;
    for (i = 0; i < sizeof tensors / sizeof *tensors; i++)
        GIVES(GGUF_E_UNSUPPORTED, tensors[i], "a tensor without a use", s_.more_tensor = tensors[i]);
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        GIVES(GGUF_OK, "", keys[i].name, s_.more_key = keys[i].name, s_.more_type = keys[i].type,
              s_.more_value = keys[i].neutral);
        GIVES(GGUF_E_UNSUPPORTED, keys[i].name, keys[i].name, s_.more_key = keys[i].name,
              s_.more_type = keys[i].type, s_.more_value = keys[i].other);
    }
    GIVES(GGUF_E_NO_TENSOR, "blk.0.ffn_gate_inp.weight", "experts without a router",
          s_.more_key = "llama.expert_count", s_.more_type = GGUF_U32, s_.more_value = 8);
    GIVES(GGUF_E_VALUE, "expert_used_count", "experts of none",
          s_.more_key = "llama.expert_used_count", s_.more_type = GGUF_U32, s_.more_value = 2);
    GIVES(GGUF_E_SHAPE, "blk.0.ffn_gate.bias", "a bias of another length",
          s_.more_tensor = "blk.0.ffn_gate.bias");
    GIVES(GGUF_OK, "", "a bias of attention's output", s_.more_tensor = "blk.0.attn_output.bias");
    GIVES(GGUF_E_ROPE, "rope_factors_short.weight", "long divisors without short ones",
          s_.more_tensor = "rope_factors_long.weight");
    GIVES(GGUF_E_UNSUPPORTED, "llama.magic", "an unknown key", s_.more_key = "llama.magic",
          s_.more_type = GGUF_U32);
    GIVES(GGUF_OK, "", "keys of other kinds are no matter", s_.more_key = "general.quality",
          s_.more_type = GGUF_U32, s_.more_value = 7);
    GIVES(GGUF_OK, "", "the vocabulary's size", s_.more_key = "llama.vocab_size",
          s_.more_type = GGUF_U32, s_.more_value = 7);
}

/* The model that a file with one more key gives, its schedule and its first layer's window. */
static lctx_model with_key(const char *name, uint32_t type, uint64_t value, lctx_rope_desc *rope,
                           int64_t *window)
{
    spec s;
    image b;
    model m;
    lctx_model x;
    gguf_status st;
    memset(&s, 0, sizeof s);
    s.more_key = name;
    s.more_type = type;
    s.more_value = value;
    b = build(&s);
    st = model_open_memory(&m, b.w.data, b.w.n);
    check(st == GGUF_OK, "%s is taken (%s)", name, st == GGUF_OK ? "ok" : m.file.error);
    x = m.lctx;
    *rope = m.rope_desc;
    *window = st == GGUF_OK ? m.layers[0].window : -1;
    model_close(&m);
    free(b.w.data);
    return x;
}

static void test_settings(void)
{
    const uint32_t two = 0x40000000u, four = 0x40800000u;       /* as f32 */
    static const char *const factors[] = { "llama.rope.scaling.factor", "llama.rope.scale_linear" };
    lctx_rope_desc rope;
    int64_t window;
    int i;
    for (i = 0; i < 2; i++) {
        with_key(factors[i], GGUF_F32, four, &rope, &window);
        check(rope.scheme == LCTX_ROPE_LINEAR && rope.factor == 4,
              "%s without a type is linear, as in llama.cpp", factors[i]);
    }
    with_key("llama.rope.scaling.factor", GGUF_F32, 0, &rope, &window);
    check(rope.scheme == LCTX_ROPE_PLAIN, "a factor of 0 is none");
    with_key("llama.attention.sliding_window", GGUF_U32, 0, &rope, &window);
    check(window == 0, "a sliding window of 0 is none");
    with_key("llama.attention.sliding_window", GGUF_U32, 96, &rope, &window);
    check(window == 96, "a sliding window is every layer's");
    check(with_key("llama.embedding_scale", GGUF_F32, two, &rope, &window).embd_scale == 2,
          "embeddings have their scale");
    check(with_key("llama.attention.scale", GGUF_F32, two, &rope, &window).attn_scale == 2,
          "scores have their scale");
    check(with_key("llama.attn_logit_softcapping", GGUF_F32, two, &rope, &window).softcap == 2,
          "scores have their cap");
    check(with_key("llama.final_logit_softcapping", GGUF_F32, two, &rope, &window).logit_softcap
          == 2, "logits have their cap");
}

/* Files are little-endian, machines need not be. */
static void test_order(void)
{
    const uint32_t types[] = { GGUF_TENSOR_F32, GGUF_TENSOR_F16, GGUF_TENSOR_BF16 };
    int i;
    for (i = 0; i < 3; i++) {
        spec s;
        image b;
        model m;
        float got[D_MODEL];
        int d, right = 0;
        memset(&s, 0, sizeof s);
        s.matrix_type = types[i];
        b = build(&s);
        test_state = 4711;                             /* the first values are token_embd's */
        if (model_open_memory(&m, b.w.data, b.w.n) == GGUF_OK)
            lctx_to_f32((lctx_type)m.lctx.tok_embd.type, D_MODEL, m.lctx.tok_embd.data, NULL, got);
        for (d = 0; d < D_MODEL; d++) {
            float x = 0.3f * test_normal(), want = x;
            uint32_t u;
            uint16_t half;
            memcpy(&u, &x, sizeof u);
            half = (uint16_t)(u >> 16);
            if (i) lctx_to_f32((lctx_type)m.lctx.tok_embd.type, 1, &half, NULL, &want);
            right += got[d] == want;
        }
        check(right == D_MODEL && *(const float *)m.lctx.output_norm.data == 1,
              "values of type %d are read in the machine's order of bytes", (int)types[i]);
        model_close(&m);
        free(b.w.data);
    }
}

/* A file of one tensor of three dimensions, of so many bytes of data that count up. */
static image one_tensor(uint32_t type, uint64_t cols, uint64_t rows, uint64_t offset,
                        uint64_t bytes)
{
    image b;
    uint64_t i;
    memset(&b, 0, sizeof b);
    put(&b.w, "GGUF", 4);
    put_int(&b.w, 3, 4), put_int(&b.w, 1, 8), put_int(&b.w, 0, 8);
    put_text(&b.w, "w");
    put_int(&b.w, 3, 4), put_int(&b.w, cols, 8), put_int(&b.w, rows, 8), put_int(&b.w, 2, 8);
    put_int(&b.w, type, 4), put_int(&b.w, offset, 8);
    while (b.w.n % 32) put_int(&b.w, 0, 1);
    for (i = 0; i < offset + bytes; i++) put_int(&b.w, i & 255, 1);
    return b;
}
static gguf_status opens(uint32_t type, uint64_t cols, uint64_t rows, uint64_t offset,
                         uint64_t bytes)
{
    image b = one_tensor(type, cols, rows, offset, bytes);
    gguf g;
    gguf_status status = gguf_open_memory(&g, b.w.data, b.w.n);
    gguf_close(&g);
    free(b.w.data);
    return status;
}

/* Tensors of blocks: whole ones, all inside the file, and byte by byte as they stand there. */
static void test_blocks(void)
{
    static const struct { uint32_t type; uint64_t values, bytes; const char *name; } all[] = {
        { 8, 32, 34, "Q8_0" },    { 2, 32, 18, "Q4_0" },    { 12, 256, 144, "Q4_K" },
        { 13, 256, 176, "Q5_K" }, { 14, 256, 210, "Q6_K" }, { 39, 32, 17, "MXFP4" } };
    const uint64_t huge = (uint64_t)1 << 62;
    int i;
    for (i = 0; i < 6; i++) {
        const uint64_t cols = 2 * all[i].values, bytes = 2 * all[i].bytes * 3 * 2;
        const uint32_t type = all[i].type;
        image b = one_tensor(type, cols, 3, 32, bytes);
        gguf g;
        const gguf_tensor *t;
        check(gguf_open_memory(&g, b.w.data, b.w.n) == GGUF_OK
              && (t = gguf_find_tensor(&g, "w")) != NULL && gguf_row_bytes(t) == 2 * all[i].bytes
              && !memcmp(t->data, b.w.data + b.w.n - bytes, (size_t)bytes),
              "%s: blocks are read as they stand", all[i].name);
        gguf_close(&g);
        free(b.w.data);
        check(opens(type, cols, 3, 32, bytes - 1) == GGUF_E_OFFSET, "%s: a byte less", all[i].name);
        check(opens(type, cols, 3, 16, bytes) == GGUF_E_OFFSET, "%s: misaligned", all[i].name);
        check(opens(type, cols + 1, 3, 32, 2 * bytes) == GGUF_E_SHAPE
              && opens(type, cols - 1, 3, 32, bytes) == GGUF_E_SHAPE
              && opens(type, 1, 3, 32, bytes) == GGUF_E_SHAPE
              && opens(type, 0, 3, 32, bytes) == GGUF_E_SHAPE,
              "%s: rows that are no whole blocks", all[i].name);
        check(opens(type, huge, huge / 32, 32, bytes) == GGUF_E_SHAPE
              && opens(type, cols, huge, 32, bytes) == GGUF_E_SHAPE,
              "%s: sizes that overflow", all[i].name);
        check(opens(type, huge, 1, 32, bytes) != GGUF_OK, "%s: rows beyond the file", all[i].name);
    }
}

static void test_last_tensor(void)
{
    spec s;
    image b;
    char error[240];
    memset(&s, 0, sizeof s);
    b = build(&s);
    check(try_open(b.w.data, b.w.n, error) == GGUF_OK, "a file that ends with its last tensor is whole");
    check(try_open(b.w.data, b.w.n - 1, error) == GGUF_E_OFFSET && strstr(error, "ffn_down"),
          "one byte less, and the last tensor is outside (%s)", error);
    free(b.w.data);
}

/* Each prefix is refused, wherever it ends. */
static void test_cuts(void)
{
    spec s;
    image b;
    gguf g;
    size_t n;
    int early = 0, late = 0, texts = 0;
    char error[240];
    memset(&s, 0, sizeof s);
    b = build(&s);
    for (n = 0; n < b.w.n; n += n < b.header + 64 || n + 64 > b.w.n ? 1 : 61) {
        gguf_status st = try_open(b.w.data, n, error);
        if (n < b.header) early += st == GGUF_E_TRUNCATED || st == GGUF_E_COUNT || st == GGUF_E_OFFSET;
        else late += st == GGUF_E_OFFSET;
        texts += st != GGUF_OK && error[0];
        if (st == GGUF_OK) check(0, "a file cut at byte %d of %d is refused", (int)n, (int)b.w.n);
    }
    check(early == (int)b.header, "cut at each byte of its header, a file is refused (%d)", early);
    check(late > 0 && texts == early + late, "cut in its data as well, each time with an error's text");
    check(gguf_open_memory(&g, b.w.data, b.header / 2) != GGUF_OK && g.keys
          && !gguf_find(&g, "general.architecture"), "nothing is found in a file that was refused");
    gguf_close(&g);
    free(b.w.data);
}

/* ---------------------------------------------------------------------------- at random */

/* Uses what was opened: a session reads a text and answers; whatever comes, it may not crash. */
static void use(model *m)
{
    int32_t tokens[32];
    float *logits = (float *)malloc(sizeof *logits * (size_t)m->lctx.n_vocab);
    lctx_session_desc d;
    lctx_parallel par;
    lctx_session *s;
    vocab v;
    memset(&d, 0, sizeof d);
    memset(&par, 0, sizeof par);
    par.n_threads = 1;
    d.par = &par;
    d.block = 64;
    d.chunk = 8;
    if (vocab_open(&v, &m->file, m->lctx.n_vocab) == GGUF_OK
        && lctx_session_create(&m->lctx, &d, &s) == LCTX_OK) {
        int64_t n = vocab_encode(&v, VOCAB_START, "a b", 3, NULL, tokens);
        (void)lctx_session_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
        lctx_session_free(s);
    }
    vocab_close(&v);
    free(logits);
}

static void test_flips(int variant)
{
    static const char *const scalings[] = { NULL, "yarn", "linear" };
    const int n = (getenv("TEST_FULL") ? 200000 : 20000) / 3;
    spec s;
    image b;
    int i, opened = 0, refused = 0, silent = 0;
    memset(&s, 0, sizeof s);
    s.arch = variant == 1 ? "qwen3" : NULL;
    s.scaling = scalings[variant];
    s.rope_table = variant == 2;
    s.space_piece = variant == 2;
    b = build(&s);
    test_state = 99 + (uint64_t)variant;
    for (i = 0; i < n; i++) {
        /* every other flip hits the first 700 bytes or the tensors' descriptions */
        uint64_t span = i % 4 == 0 ? 700 : i % 4 == 1 ? 900 : b.w.n;
        size_t at = (size_t)(test_random() % span + (i % 4 == 1 ? b.header - 900 : 0));
        unsigned char bits = (unsigned char)(1 + test_random() % 255);
        model m;
        b.w.data[at] ^= bits;
        if (model_open_memory(&m, b.w.data, b.w.n) == GGUF_OK) {
            opened++;
            use(&m);
        } else {
            refused++;
            silent += !m.file.error[0];
        }
        model_close(&m);
        b.w.data[at] ^= bits;
    }
    check(opened > 0 && refused > n / 20 && !silent,
          "of %d files with one byte changed, %d open and are used, %d are refused with a text", n,
          opened, refused);
    free(b.w.data);
}

/* ---------------------------------------------------------------------------- vocabulary */

typedef struct opened { image b; model m; vocab v; } opened;

static int open_vocab(opened *o, const spec *s)
{
    o->b = build(s);
    return model_open_memory(&o->m, o->b.w.data, o->b.w.n) == GGUF_OK
           && vocab_open(&o->v, &o->m.file, o->m.lctx.n_vocab) == GGUF_OK;
}

static void close_vocab(opened *o)
{
    vocab_close(&o->v);
    model_close(&o->m);
    free(o->b.w.data);
}

/* How many bytes do not come back from their tokens. */
static int lost(const vocab *v, const char *text, size_t n)
{
    int32_t tokens[2048];
    int64_t got = vocab_encode(v, 0, text, n, NULL, tokens), i;
    int wrong = (int64_t)n != got;
    for (i = 0; !wrong && i < got; i++)
        wrong += tokens[i] < 0 || tokens[i] >= v->n || vocab_text(v, tokens[i]).n != 1
                 || *vocab_text(v, tokens[i]).text != text[i];
    return wrong;
}

static void test_round_trip(int space_piece)
{
    const char *spaces = "  two  spaces \t\n and tails  ";
    opened o;
    spec s;
    char bytes[512];
    int32_t tokens[64];
    int i;
    memset(&s, 0, sizeof s);
    s.space_piece = space_piece;
    check(open_vocab(&o, &s), "a vocabulary opens, %s piece for spaces", space_piece ? "with a" : "no");
    for (i = 0; i < 512; i++) bytes[i] = (char)(i < 256 ? i : i * 37);
    check(!lost(&o.v, bytes, 512), "all 256 bytes come back from their tokens");
    check(!lost(&o.v, spaces, strlen(spaces)), "spaces come back, also doubled and at the ends");
    check(vocab_encode(&o.v, 0, "", 0, NULL, tokens) == 0, "an empty text is no token");
    check(vocab_encode(&o.v, VOCAB_START, "", 0, NULL, tokens) == 1 && tokens[0] == o.v.bos,
          "an empty text that begins is BOS alone");
    check(vocab_encode(&o.v, VOCAB_START, "a", 1, NULL, tokens) == 2 && tokens[0] == 0 && tokens[1] == 1 + 'a',
          "a text begins with BOS");
    check(vocab_encode(&o.v, 0, " ", 1, NULL, tokens) == 1
          && tokens[0] == (space_piece ? 257 : 1 + ' '), "the space has its token");
    if (space_piece)
        check(vocab_encode(&o.v, 0, "a\xE2\x96\x81z", 5, NULL, tokens) == 3 && tokens[1] == 257,
              "U+2581 in a text is the space's token");
    else
        check(!lost(&o.v, "a\xE2\x96\x81z", 5), "U+2581 in a text is its three bytes");
    check(!lost(&o.v, "a\xE2\x96", 3) && !lost(&o.v, "\xE2", 1), "half of a U+2581 is bytes");
    check(!vocab_text(&o.v, 0).n && o.v.bos == 0 && o.v.eos == -1, "BOS is no text, EOS is not there");
    close_vocab(&o);
}

static void test_vocabulary(void)
{
    opened o;
    spec s;
    int32_t tokens[8];
    memset(&s, 0, sizeof s);
    s.other_key = "tokenizer.ggml.add_space_prefix";
    s.other_type = GGUF_BOOL;
    s.other_value = 1;
    check(open_vocab(&o, &s) && vocab_encode(&o.v, VOCAB_START, "a", 1, NULL, tokens) == 3
          && tokens[1] == 1 + ' ', "a space goes before a text where the file says so");
    check(vocab_encode(&o.v, 0, "a", 1, NULL, tokens) == 1, "but not in the middle of one");
    close_vocab(&o);
    GIVES(GGUF_E_VOCABULARY, "llama", "another tokenizer", s_.text_key = "tokenizer.ggml.model",
          s_.text = "bert");
    GIVES(GGUF_E_VOCABULARY, "tokens 5 and 6", "a byte's piece twice", s_.piece = "<0x05>");
    GIVES(GGUF_E_VOCABULARY, "token 5", "a byte's piece that is none", s_.piece = "<0x0g>");
    GIVES(GGUF_E_VOCABULARY, "token 5", "an empty piece for a byte", s_.piece = "");
    GIVES(GGUF_E_VOCABULARY, "byte 4", "a byte without a token", s_.piece = "the",
          s_.no_types = 1);
    GIVES(GGUF_E_VOCABULARY, "257", "another number of tokens", s_.tensor = "token_embd.weight",
          s_.dims[1] = 256);
    GIVES(GGUF_E_VALUE, "bos_token_id", "BOS outside the vocabulary",
          s_.other_key = "tokenizer.ggml.bos_token_id", s_.other_type = GGUF_U32, s_.other_value = 257);
    GIVES(GGUF_E_KEY_TYPE, "add_bos_token", "a flag that is an integer",
          s_.other_key = "tokenizer.ggml.add_bos_token", s_.other_type = GGUF_U32, s_.other_value = 1);
    GIVES(GGUF_E_VALUE, "add_bos_token", "a flag that is 2",
          s_.other_key = "tokenizer.ggml.add_bos_token", s_.other_type = GGUF_BOOL, s_.other_value = 2);
}

/* ---------------------------------------------------------------------------- real files */

static void test_paths(void)
{
    gguf g;
    char error[300];
    check(gguf_open(&g, "build/no-such-file.gguf") == GGUF_E_FILE && g.error[0],
          "a file that is not there is told (%s)", g.error);
    gguf_close(&g);
    check(gguf_open(&g, ".") != GGUF_OK && g.error[0], "a directory is refused (%s)", g.error);
    gguf_close(&g);
    check(gguf_open(&g, "/dev/null") == GGUF_E_TRUNCATED, "an empty file is refused (%s)", g.error);
    gguf_close(&g);
    snprintf(error, sizeof error, "%s", gguf_status_text(GGUF_STATUS_COUNT));
    check(error[0] != 0, "a status beyond the last has a text");
}

static void test_toy(const char *path, int yarn)
{
    model m;
    vocab v;
    gguf_status st;
    FILE *file = fopen(path, "rb");
    if (!file) {
        printf("  SKIPPED: %s is not here\n", path);
        return;
    }
    fclose(file);
    st = model_open(&m, path);
    check(st == GGUF_OK, "%s opens (%s)", path, st == GGUF_OK ? "ok" : m.file.error);
    if (st == GGUF_OK) {
        st = vocab_open(&v, &m.file, m.lctx.n_vocab);
        check(st == GGUF_OK && v.bos >= 0 && v.add_bos && !v.add_space,
              "%s: bytes as tokens, BOS before a text, no space", path);
        check(!lost(&v, "A whale, 1851.\n", 15), "%s: a text comes back from its tokens", path);
        check(m.file.size <= 4u << 20, "%s takes at most 4 MiB", path);
        check(m.lctx.n_head > m.lctx.n_head_kv && m.trained >= 256 && m.trained <= 512,
              "%s: grouped heads, trained at %d tokens", path, (int)m.trained);
        check(!yarn || m.rope_desc.scheme == LCTX_ROPE_YARN, "%s: its scaling is %s", path,
              yarn ? "YaRN" : "none");
        vocab_close(&v);
    }
    model_close(&m);
}

int main(void)
{
    int i;
    test_good();
    test_header();
    test_keys();
    test_values();
    test_tensors();
    test_unknown();
    test_settings();
    test_order();
    test_blocks();
    test_last_tensor();
    test_cuts();
    for (i = 0; i < 3; i++) test_flips(i);
    test_round_trip(0);
    test_round_trip(1);
    test_vocabulary();
    test_paths();
    test_toy("examples/toy/toy.gguf", 0);
    test_toy("examples/toy/toy-hybrid.gguf", 0);
    test_toy("examples/toy/toy-yarn.gguf", 1);
    return test_report("gguf", lctx_isa_name(lctx_isa_get()));
}
