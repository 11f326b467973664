/* test_generate.c - the shipped models, their exact tokens: greedy decoding finds the key that the
   prompts hide, for every element type of the cache. Runs where examples/toy/ is at hand.
   TEST_SLOW=1 shortens the long prompt, as scalar code does; TEST_QUICK=1, for emulated CPUs, takes
   the short prompt only. */
#include "lctx.h"
#include "model.h"
#include "text.h"
#include "test.h"

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
    const int slow = (lctx_isa_get() == LCTX_ISA_SCALAR || getenv("TEST_SLOW")) && factor > 0
                     && !getenv("TEST_FULL");
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

int main(void)
{
    FILE *here = fopen(TOY "toy.gguf", "rb");
    (void)test_normal;
    if (here) {
        fclose(here);
        test_prompt(TOY "toy.gguf", TOY "passkey-short.txt", 0);
        if (!getenv("TEST_QUICK")) test_prompt(TOY "toy-yarn.gguf", TOY "passkey.txt", 20);
    } else {
        check(0, "the shipped models are at hand (run from the repository's root)");
    }
    return test_report("generate", lctx_isa_name(lctx_isa_get()));
}
