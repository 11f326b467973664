/* test_llama2c.c - checkpoints of llama2.c: the same weights as a GGUF file has give the same bits;
   what is cut or inconsistent is refused. */
#include "lctx.h"
#include "families.h"
#include "llama2c.h"
#include "token.h"
#include "writing.h"

enum { N = 30, D = 64, FF = 160, HEADS = 4, KV = 2, CTX = 32, GROUP = 32 };

static void put_floats(writing *b, const double *x, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++) put_real(b, x[i]);
}

/* Codes, then a factor for each group; x becomes what they say. */
static void put_codes(writing *b, double *x, int64_t n)
{
    double *factor = (double *)malloc((size_t)(n / GROUP) * sizeof *factor);
    int64_t i;
    for (i = 0; i < n; i++) {
        const int code = (int)(test_random() % 255) - 127;
        if (i % GROUP == 0) factor[i / GROUP] = (double)(float)((0.5 + test_uniform()) / 500);
        put_int(b, (uint64_t)code, 1);
        x[i] = (double)(float)(code * factor[i / GROUP]);
    }
    put_floats(b, factor, n / GROUP);
    free(factor);
}

static void put_weight(writing *b, int version, const double *x, int64_t n)
{
    if (version == 2) put_codes(b, (double *)(uintptr_t)x, n);
    else put_floats(b, x, n);
}

static void put_sizes(writing *b, int tied)
{
    put_int(b, D, 4), put_int(b, FF, 4), put_int(b, FAMILY_LAYERS, 4), put_int(b, HEADS, 4);
    put_int(b, KV, 4), put_int(b, (uint64_t)(tied ? FAMILY_VOCAB : -FAMILY_VOCAB), 4);
    put_int(b, CTX, 4);
}

/* A checkpoint of the file's weights; of version 2 they become what its codes say. */
static writing checkpoint(const oracle_model *o, int version, int tied)
{
    static const double zeros[CTX * D / HEADS];
    const int64_t kv = KV * (D / HEADS);
    writing b = { NULL, 0, 0 };
    int i, norms;
    if (version) put_int(&b, 0x616b3432, 4), put_int(&b, (uint64_t)version, 4);
    put_sizes(&b, tied || version);
    if (version) put_int(&b, (uint64_t)tied, 1), put_int(&b, GROUP, 4);
    while (version && b.n < 256) put_int(&b, 0, 1);
    for (norms = version > 0; norms >= 0; norms--) {
#define EACH(version, what, n) \
        for (i = 0; i < FAMILY_LAYERS; i++) put_weight(&b, version, o->layers[i].what, n)
        if (norms || !version) {
            if (!version) put_floats(&b, o->tok_embd, FAMILY_VOCAB * D);
            EACH(0, attn_norm, D);
            if (version) { EACH(0, ffn_norm, D); put_floats(&b, o->output_norm, D); }
        }
        if (norms) continue;
        if (version) put_weight(&b, version, o->tok_embd, FAMILY_VOCAB * D);
        EACH(version, wq, D * D);
        EACH(version, wk, kv * D);
        EACH(version, wv, kv * D);
        EACH(version, wo, D * D);
        if (!version) EACH(0, ffn_norm, D);
        EACH(version, w_gate, FF * D);
        EACH(version, w_down, D * FF);
        EACH(version, w_up, FF * D);
        if (!version) put_floats(&b, o->output_norm, D), put_floats(&b, zeros, CTX * D / HEADS);
        if (!tied) put_weight(&b, version, o->output, FAMILY_VOCAB * D);
#undef EACH
    }
    return b;
}

/* The last logits of some tokens; nonzero where the file is refused, with what it says. */
static int logits_of(const unsigned char *data, size_t n, float *logits, char error[240])
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    int32_t tokens[N];
    model m;
    int i, bad;
    memset(&d, 0, sizeof d);
    for (i = 0; i < N; i++) tokens[i] = 3 + i * 7 % 250;
    bad = model_open_memory(&m, data, n) != GGUF_OK;
    snprintf(error, 240, "%s", m.file.error);
    if (!bad) bad = lctx_session_create(&m.lctx, &d, &s) || lctx_session_feed(s, tokens, N,
                                                                             LCTX_LOGITS_LAST, logits);
    lctx_session_free(s);
    model_close(&m);
    return bad;
}

static void test_versions(void)
{
    int version;
    for (version = 0; version < 3; version++) {
        float want[FAMILY_VOCAB], got[FAMILY_VOCAB];
        char error[240];
        family_file file;
        writing b;
        family_make(&file, 0, 0);
        b = checkpoint(&file.model, version, 0);
        if (version < 2) {
            check(!logits_of(file.data, file.n, want, error) && !logits_of(b.data, b.n, got, error)
                  && !memcmp(want, got, sizeof got),
                  "version %d: the bits of the same weights in a GGUF file (%s)", version, error);
        } else {
            double exact[N * FAMILY_VOCAB];
            int32_t tokens[N];
            oracle_error e;
            int i;
            memset(&e, 0, sizeof e);
            for (i = 0; i < N; i++) tokens[i] = 3 + i * 7 % 250;
            oracle_model_logits(&file.model, N, tokens, exact);
            i = logits_of(b.data, b.n, got, error);
            oracle_error_add(&e, FAMILY_VOCAB, exact + (N - 1) * FAMILY_VOCAB, got);
            check(!i && e.worst < 2e-2, "version 2: the oracle's logits, over codes (%s, %.1e)", error,
                  e.worst);
        }
        free(b.data);
        family_free(&file);
    }
}

static void test_tied(void)
{
    float got[FAMILY_VOCAB];
    char error[240];
    int version;
    for (version = 0; version < 3; version++) {
        family_file file;
        writing b;
        family_make(&file, 1, 0);
        b = checkpoint(&file.model, version, 1);
        check(!logits_of(b.data, b.n, got, error), "version %d: an output tied to the embeddings (%s)",
              version, error);
        free(b.data);
        family_free(&file);
    }
}

static void test_refused(void)
{
    float got[FAMILY_VOCAB];
    char error[240];
    int version;
    for (version = 0; version < 3; version++) {
        const size_t sizes = version ? 8 : 0;
        family_file file;
        unsigned char *copy;
        writing b;
        size_t n, field;
        int refused = 0, tried = 0;
        family_make(&file, 0, 0);
        b = checkpoint(&file.model, version, 0);
        copy = (unsigned char *)malloc(b.n);
        for (n = 0; n < b.n; n += 1 + n / 3) {
            tried++, refused += logits_of(b.data, n, got, error) && !strchr(error, '\n');
        }
        check(refused == tried, "version %d: cut anywhere it is refused (%d of %d)", version, refused,
              tried);
        for (field = 0; field < 7; field++) {
            static const unsigned values[] = { 0, 1, 0x7fffffffu, 0x80000000u, 0xffffffffu };
            size_t v;
            for (v = 0, refused = 0; v < 5; v++) {
                size_t i;
                memcpy(copy, b.data, b.n);
                for (i = 0; i < 4; i++)
                    copy[sizes + 4 * field + i] = (unsigned char)(values[v] >> 8 * i);
                refused += logits_of(copy, b.n, got, error);
            }
            /* one KV head is another size, one context length has no bytes in versions 1 and 2 */
            check(refused >= 3, "version %d: number %d of the head out of range is refused (%d of 5)",
                  version, (int)field, refused);
        }
        free(copy);
        free(b.data);
        family_free(&file);
    }
}

/* ---------------------------------------------------------------------------- vocabulary */
static const char *const words[] = { " the", "the", "he", " t", "t", "h", "e", " ", "\n", "ing" };
enum { N_WORDS = sizeof words / sizeof *words };

/* A tokenizer.bin of 259 + N_WORDS tokens. */
static writing tokenizer(void)
{
    writing b = { NULL, 0, 0 };
    int i;
    put_int(&b, 7, 4);
    for (i = 0; i < 259 + N_WORDS; i++) {
        const double score = -i;
        char piece[16];
        const char *text = i == 0 ? "<unk>" : i == 1 ? "\n<s>\n" : i == 2 ? "\n</s>\n" : piece;
        snprintf(piece, sizeof piece, "<0x%02X>", (unsigned)(i - 3) & 255u);
        if (i >= 259) text = words[i - 259];
        put_floats(&b, &score, 1);
        put_int(&b, strlen(text), 4);
        put(&b, text, strlen(text));
    }
    return b;
}

static gguf_status with_vocabulary(const char *path, const void *data, size_t n, int32_t n_vocab,
                                   vocab *v, model *m)
{
    FILE *file = fopen(path, "wb");
    gguf_status status;
    memset(v, 0, sizeof *v);
    memset(m, 0, sizeof *m);
    m->lctx.n_vocab = n_vocab;
    if (file) fwrite(data, 1, n, file), fclose(file);
    status = llama2c_vocabulary(m, path);
    return status == GGUF_OK ? vocab_open(v, &m->file, n_vocab) : status;
}

static void test_vocabulary(const char *path)
{
    static const int32_t want[] = { 1, 259, 259, 3 + 'x', 267, 259 };
    writing b = tokenizer();
    int32_t tokens[64];
    int64_t n = 0;
    size_t cut;
    int refused = 0, tried = 0;
    model m;
    vocab v;
    if (with_vocabulary(path, b.data, b.n, 259 + N_WORDS, &v, &m) == GGUF_OK)
        n = vocab_encode(&v, VOCAB_START, "the thex\n the", 13, NULL, tokens);
    check(n == 6 && !memcmp(tokens, want, sizeof want), "a tokenizer.bin is a vocabulary, whose"
          " spaces begin pieces (%d tokens)", (int)n);
    vocab_close(&v), model_close(&m);
    for (cut = 0; cut < b.n; cut += 1 + cut / 7) {
        tried++;
        refused += with_vocabulary(path, b.data, cut, 259 + N_WORDS, &v, &m) != GGUF_OK
                   && !strchr(m.file.error, '\n');
        vocab_close(&v), model_close(&m);
    }
    check(refused == tried, "cut anywhere it is refused (%d of %d)", refused, tried);
    check(with_vocabulary(path, b.data, b.n, 260, &v, &m) == GGUF_E_VOCABULARY,
          "so is one of another size");
    vocab_close(&v), model_close(&m);
    remove(path);
    check(with_vocabulary("/nowhere/at/all", b.data, 0, 260, &v, &m) == GGUF_E_FILE,
          "and one that is not there");
    vocab_close(&v), model_close(&m);
    free(b.data);
}

int main(int argc, char **argv)
{
    char path[600];
    (void)argc;
    snprintf(path, sizeof path, "%.500s.%s.tok", argv[0], lctx_isa_name(lctx_isa_get()));
    test_vocabulary(path);
    test_versions();
    test_tied();
    test_refused();
    return test_report("llama2c", lctx_isa_name(lctx_isa_get()));
}
