/* test_generate.c - the shipped models, their exact tokens: greedy decoding finds the key that the
   prompts hide, for every element type of the cache. Runs where examples/toy/ is at hand.
   TEST_SLOW=1 shortens the long prompt and what is measured of quantised weights, as scalar code
   does; TEST_QUICK=1, for emulated CPUs, takes the short prompt only. */
#include "lctx.h"
#include "model.h"
#include "oracle.h"
#include "text.h"
#include "test.h"

#include <math.h>

#define TOY "examples/toy/"
enum { DIGITS = 5, MAX_TEXT = 1 << 16 };

typedef struct prompt {
    char text[MAX_TEXT];
    size_t n;
    char key[DIGITS + 1];
} prompt;

/* The key stands behind the first "pass key is " that digits follow. */
static int find_key(prompt *p)
{
    static const char before[] = "pass key is ";
    const char *at = p->text;
    while ((at = strstr(at, before)) != NULL) {
        at += sizeof before - 1;
        if (strspn(at, "0123456789") != DIGITS) continue;
        memcpy(p->key, at, DIGITS);
        return 1;
    }
    return 0;
}

/* Leaves out the half of the text that ends an eighth before its end. */
static void shorten(prompt *p)
{
    const size_t from = p->n * 3 / 8, to = p->n * 7 / 8;
    memmove(p->text + from, p->text + to, p->n + 1 - to);
    p->n -= to - from;
}

static int read_prompt(prompt *p, const char *path)
{
    FILE *file = fopen(path, "rb");
    memset(p, 0, sizeof *p);
    if (!file) return 0;
    p->n = fread(p->text, 1, MAX_TEXT - 1, file);
    fclose(file);
    return find_key(p);
}

/* The likeliest n tokens after the prompt, as text. */
static lctx_status answer(const model *m, const vocab *v, const lctx_session_desc *d,
                          const prompt *p, int n, char *text)
{
    int32_t *tokens = (int32_t *)malloc(sizeof *tokens * (size_t)vocab_most(p->n));
    float *logits = (float *)malloc(sizeof *logits * (size_t)v->n);
    int64_t n_prompt = vocab_encode(v, VOCAB_START, p->text, p->n, NULL, tokens);
    lctx_session *s = NULL;
    lctx_status st = lctx_session_create(&m->lctx, d, &s);
    int i;
    if (st == LCTX_OK) st = lctx_session_feed(s, tokens, n_prompt, LCTX_LOGITS_LAST, logits);
    for (i = 0; i < n && st == LCTX_OK; i++) {
        int32_t token = text_argmax(logits, v->n);
        text[i] = vocab_text(v, token).n == 1 ? *vocab_text(v, token).text : '#';
        st = lctx_session_feed(s, &token, 1, LCTX_LOGITS_LAST, logits);
    }
    text[i] = 0;
    lctx_session_free(s);
    free(logits);
    free(tokens);
    return st;
}

/* factor 0: RoPE as the file has it. */
static void test_prompt(const char *model_path, const char *prompt_path, double factor)
{
    static prompt p;
    const int slow = (test_sampled() || test_elsewhere()) && factor > 0;
    lctx_session_desc d;
    model m;
    vocab v;
    char text[16], want[16];
    int type, found = read_prompt(&p, prompt_path);
    if (slow) shorten(&p);
    check(found, "%s hides a key", prompt_path);
    check(model_open(&m, model_path) == GGUF_OK
          && vocab_open(&v, &m.file, m.lctx.n_vocab) == GGUF_OK, "%s opens", model_path);
    if (m.lctx.layers == NULL || !found) return;
    if (factor > 0) {
        lctx_rope_desc r = m.rope_desc;
        r.scheme = LCTX_ROPE_YARN; r.factor = factor; r.orig_ctx = 256; r.attn_factor = 0;
        check(lctx_rope_init(&m.rope, &r) == LCTX_OK, "YaRN by a factor of %g", factor);
    }
    snprintf(want, sizeof want, "%s.", p.key);
    memset(&d, 0, sizeof d);
    for (type = 0; type <= LCTX_I4; type++) {
        if (slow && type != LCTX_F16) continue;
        d.k_type = d.v_type = type;
        memset(text, 0, sizeof text);
        check(answer(&m, &v, &d, &p, DIGITS + 1, text) == LCTX_OK && !strcmp(text, want),
              "%s, %d bytes of prompt, cache of %s: \"%s\" for \"%s\"", model_path, (int)p.n,
              lctx_type_name((lctx_type)type), text, want);
    }
    vocab_close(&v);
    model_close(&m);
}

/* ---------------------------------------------------------------------------- quantised */

/* 32 values as a block of Q8_0 or of Q4_0, as GGUF files have them; returns its end. */
static uint8_t *put_block(int type, const float *x, uint8_t *to)
{
    float top = 0, scale, back;
    uint16_t bits;
    int i, code[32];
    for (i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(top)) top = x[i];
    scale = type == LCTX_Q8_0 ? fabsf(top) / 127 : top / -8;
    bits = oracle_f16_bits(scale), back = (float)oracle_f16_value(bits);
    *to++ = (uint8_t)(bits & 255), *to++ = (uint8_t)(bits >> 8);
    for (i = 0; i < 32; i++) {
        const float q = back != 0 ? x[i] / back : 0;
        code[i] = (int)floorf(q + 0.5f);
        if (type == LCTX_Q4_0) code[i] = code[i] > 7 ? 15 : code[i] < -8 ? 0 : code[i] + 8;
    }
    for (i = 0; i < (type == LCTX_Q8_0 ? 32 : 16); i++)
        *to++ = (uint8_t)(type == LCTX_Q8_0 ? code[i] & 255 : code[i] | code[i + 16] << 4);
    return to;
}

/* The matrix in blocks of its rows; null where they are no whole blocks. */
static uint8_t *quantise(lctx_tensor *t, int64_t rows, int64_t cols, int type)
{
    uint8_t *data = (uint8_t *)malloc((size_t)(rows * cols / 32 * 34 + 1)), *to = data;
    float x[32];
    int64_t i;
    if (cols % 32) return free(data), (uint8_t *)NULL;
    for (i = 0; i < rows * cols; i += 32) {
        lctx_to_f32((lctx_type)t->type, 32, (const char *)t->data
                    + i * (int64_t)lctx_type_size((lctx_type)t->type), NULL, x);
        to = put_block(type, x, to);
    }
    t->data = data, t->type = type;
    return data;
}

/* Bits a byte over some segments of the held-out text. */
static double bits_a_byte(const model *m, const vocab *v, int precise)
{
    enum { LENGTH = 256, SEGMENTS = 8 };
    static char text[LENGTH * SEGMENTS];
    FILE *file = fopen(TOY "held-out.txt", "rb");
    int32_t tokens[LENGTH + 2];
    float *logits = (float *)malloc(sizeof *logits * (LENGTH + 2) * (size_t)v->n);
    lctx_session_desc d;
    double bits = 0;
    int64_t n, i, count = 0;
    const int segments = test_sampled() ? 2 : SEGMENTS;
    int k;
    memset(&d, 0, sizeof d);
    d.precise = precise;
    if (!file || fread(text, 1, sizeof text, file) != sizeof text) check(0, "the held-out text");
    if (file) fclose(file);
    for (k = 0; k < segments; k++) {
        lctx_session *s = NULL;
        n = vocab_encode(v, VOCAB_START, text + k * LENGTH, LENGTH - 1, NULL, tokens);
        if (lctx_session_create(&m->lctx, &d, &s)
            || lctx_session_feed(s, tokens, n, LCTX_LOGITS_ALL, logits)) check(0, "a feed");
        for (i = 0; i + 1 < n; i++, count++)
            bits += text_bits(logits + i * v->n, v->n, tokens[i + 1]);
        lctx_session_free(s);
    }
    free(logits);
    return bits / (double)count;
}

/* The toy with all matrices in blocks: how much likelihood that costs. */
static void test_quantised(void)
{
    static const struct { int type; double most; } types[] = { { LCTX_Q8_0, 0.01 },
                                                               { LCTX_Q4_0, 0.15 } };
    double plain = 0, cost;
    int t, i;
    for (t = 0; t < 2; t++) {
        void *made[7 * 32];
        int n = 0, precise;
        model m;
        vocab v;
        check(model_open(&m, TOY "toy.gguf") == GGUF_OK
              && vocab_open(&v, &m.file, m.lctx.n_vocab) == GGUF_OK, "the toy opens");
        if (!t) plain = bits_a_byte(&m, &v, 0);
        for (i = 0; i < m.lctx.n_layer && i < 32; i++) {
            lctx_layer *l = &m.layers[i];
            const int64_t d = m.lctx.d_model, ff = m.lctx.d_ff;
            const int64_t q = (int64_t)m.lctx.n_head * m.lctx.head_dim;
            const int64_t k = (int64_t)m.lctx.n_head_kv * m.lctx.head_dim;
            made[n++] = quantise(&l->wq, q, d, types[t].type);
            made[n++] = quantise(&l->wk, k, d, types[t].type);
            made[n++] = quantise(&l->wv, k, d, types[t].type);
            made[n++] = quantise(&l->wo, d, q, types[t].type);
            made[n++] = quantise(&l->w_gate, ff, d, types[t].type);
            made[n++] = quantise(&l->w_up, ff, d, types[t].type);
            made[n++] = quantise(&l->w_down, d, ff, types[t].type);
        }
        for (precise = 0; precise < 2; precise++) {
            cost = bits_a_byte(&m, &v, precise) - plain;
            check(cost < types[t].most, "the toy in %s%s costs %.4f bits a byte beside %.3f",
                  lctx_type_name((lctx_type)types[t].type), precise ? ", precise," : "", cost, plain);
            printf("  toy, %s%s: %+.4f bits a byte beside %.4f\n",
                   lctx_type_name((lctx_type)types[t].type), precise ? ", precise" : "", cost, plain);
        }
        for (i = 0; i < n; i++) check(made[i] != NULL, "rows of whole blocks"), free(made[i]);
        vocab_close(&v);
        model_close(&m);
    }
}

int main(void)
{
    FILE *here = fopen(TOY "toy.gguf", "rb");
    (void)test_normal;
    if (here) {
        fclose(here);
        test_prompt(TOY "toy.gguf", TOY "passkey-short.txt", 0);
        if (!getenv("TEST_QUICK")) test_quantised();
        if (!getenv("TEST_QUICK")) test_prompt(TOY "toy-yarn.gguf", TOY "passkey.txt", 20);
    } else {
        check(0, "the shipped models are at hand (run from the repository's root)");
    }
    return test_report("generate", lctx_isa_name(lctx_isa_get()));
}
