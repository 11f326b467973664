/* test_families.c - the families that the examples load: of each a tiny random file gives the
   oracle's logits, in all types of weights on the best instruction set, in a third of them with
   TEST_SLOW=1 and on others, in one with TEST_QUICK=1, for emulated CPUs; with TEST_SETS=1 on all
   sets at once. With a folder as argument, the files are written there, each with the tokens that
   were fed and the logits that came, for other engines to compare. */
#include "lctx.h"
#include "families.h"
#include "model.h"
#include "test.h"

#include <math.h>

enum { N = 40, FEW = 12 };      /* tokens; with TEST_QUICK=1 */

static int quick(void) { return getenv("TEST_QUICK") != NULL; }

static void make_tokens(int32_t *tokens)
{
    int i;
    test_state = 77;
    for (i = 0; i < N; i++) tokens[i] = i ? 3 + (int32_t)(test_random() % 256) : 1;
}

/* The logits of all tokens; a status's text if there are none. */
static const char *run(const family_file *file, int64_t n, const int32_t *tokens, float *logits)
{
    lctx_session_desc d;
    lctx_session *s = NULL;
    lctx_status st;
    static char text[240];
    model m;
    memset(&d, 0, sizeof d);
    d.k_type = d.v_type = LCTX_F32, d.precise = 1;
    if (model_open_memory(&m, file->data, file->n) != GGUF_OK) {
        snprintf(text, sizeof text, "%s", m.file.error);
        model_close(&m);
        return text;
    }
    st = lctx_session_create(&m.lctx, &d, &s);
    if (!st) st = lctx_session_feed(s, tokens, n, LCTX_LOGITS_ALL, logits);
    lctx_session_free(s);
    model_close(&m);
    return st ? lctx_status_text(st) : NULL;
}

/* Every so manyth type of a family is tried. */
static int step(void)
{
    if (getenv("TEST_FULL")) return 1;
    if (quick()) return n_family_types;
    return getenv("TEST_SLOW") || !test_fastest() ? 3 : 1;
}

static void test_family(int family, int type)
{
    const int n_tok = quick() ? FEW : N;
    const size_t n = (size_t)n_tok * FAMILY_VOCAB;
    float *got = (float *)calloc(n, sizeof *got);
    double *want = (double *)calloc(n, sizeof *want);
    int32_t tokens[N];
    family_file file;
    int set, asked = 0;
    make_tokens(tokens);
    family_make(&file, family, type);
    for (set = -1; test_next_set(&set);) {
        oracle_error e;
        const char *failed;
        if ((family + type) % step()) continue;
        if (!asked++) oracle_model_logits(&file.model, n_tok, tokens, want);
        memset(got, 0, n * sizeof *got);
        failed = run(&file, n_tok, tokens, got);
        memset(&e, 0, sizeof e);
        oracle_error_add(&e, (int64_t)n, want, got);
        check(!failed && e.worst < 2e-4, "%s, %s weights: the oracle's logits (%s: %s, %.1e)",
              family_names[family], family_types[type].name, lctx_isa_name(lctx_isa_get()),
              failed ? failed : "ok", e.worst);
    }
    family_free(&file);
    free(got);
    free(want);
}

/* A file of every family, cut after any multiple of a prime, is refused in one line. */
static void test_cut(const family_file *file, int family)
{
    int refused = 0, tried = 0;
    size_t n;
    for (n = file->n - 1; n > 1013 + n / 40; n -= 1013 + n / 40) {
        unsigned char *copy = (unsigned char *)malloc(n);
        model m;
        memcpy(copy, file->data, n);
        tried++;
        refused += model_open_memory(&m, copy, n) != GGUF_OK && !strchr(m.file.error, '\n');
        model_close(&m);
        free(copy);
    }
    check(refused == tried, "%s: a file that ends early is refused (%d of %d)",
          family_names[family], refused, tried);
}

/* Is the file, as it now stands, refused in one line that has one of the words? */
static int refused(const family_file *file, const char *word, const char *or_word)
{
    model m;
    const int ok = model_open_memory(&m, file->data, file->n) != GGUF_OK
                   && !strchr(m.file.error, '\n')
                   && (strstr(m.file.error, word) || strstr(m.file.error, or_word));
    if (!ok) printf("  %s, %s: \"%s\"\n", word, or_word, m.file.error);
    model_close(&m);
    return ok;
}
static unsigned char *place_of(const family_file *file, gguf_string in)
{
    return file->data + ((const unsigned char *)in.text - file->data);
}

/* Every tensor under another name, which is missed or has no use, and of another shape. */
static void test_tensors(const family_file *file, int family)
{
    gguf g;
    const int old = strstr(family_names[family], "-old") != NULL;
    size_t i;
    int ok = 1;
    check(gguf_open_memory(&g, file->data, file->n) == GGUF_OK, "%s: it opens", family_names[family]);
    for (i = 0; i < g.n_tensors; i++) {
        unsigned char *name = place_of(file, g.tensors[i].name), *end = name + g.tensors[i].name.n;
        char was[80], now[80];
        snprintf(was, sizeof was, "%.*s", (int)g.tensors[i].name.n, (const char *)name);
        end[-1]++, snprintf(now, sizeof now, "%.*s", (int)g.tensors[i].name.n, (const char *)name);
        ok &= refused(file, old && strstr(was, "ssm_in") ? "attn_qkv" : was, now);
        end[-1]--;
        end[4] = (unsigned char)(end[4] ^ 1);      /* its columns */
        ok &= refused(file, was, strstr(was, "token_embd") ? "output_norm" : was);
        end[4] = (unsigned char)(end[4] ^ 1);
    }
    check(ok, "%s: tensors that are missing or have another shape are named", family_names[family]);
    gguf_close(&g);
}

/* Counts of states that are 0, greater by one, or huge. */
static void test_counts(const family_file *file, int family)
{
    static const char *const counts[] = { "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size",
        "ssm.time_step_rank", "ssm.group_count", "full_attention_interval",
        "expert_shared_feed_forward_length", "wkv.head_size", "attention.decay_lora_rank",
        "attention.iclr_lora_rank", "attention.value_residual_mix_lora_rank",
        "attention.gate_lora_rank" };
    static const int32_t values[] = { 0, 1, INT32_MAX, -1 };
    gguf g;
    size_t i, j, k, n;
    int ok = 1;
    check(gguf_open_memory(&g, file->data, file->n) == GGUF_OK, "%s: it opens", family_names[family]);
    for (i = 0; i < g.n_keys; i++)
        for (j = 0; j < sizeof counts / sizeof *counts; j++) {
            unsigned char *x = place_of(file, g.keys[i].name) + g.keys[i].name.n + 4, was[4];
            if (g.keys[i].name.n < strlen(counts[j])
                || memcmp(x - 4 - strlen(counts[j]), counts[j], strlen(counts[j]))) continue;
            memcpy(was, x, 4);
            for (k = 0; k < 4; k++) {
                const uint32_t value = (uint32_t)values[k] + (k == 1 ? was[0] : 0u);
                for (n = 0; n < 4; n++) x[n] = (unsigned char)(value >> 8 * n);
                ok &= refused(file, k == 0 ? counts[j] : "\"", k == 0 ? counts[j] : "heads");
            }
            memcpy(x, was, 4);
        }
    check(ok, "%s: counts that do not fit are named", family_names[family]);
    gguf_close(&g);
}

static int write_file(const char *folder, const char *name, const char *end, const void *data,
                      size_t n)
{
    char path[512];
    FILE *file;
    int bad;
    snprintf(path, sizeof path, "%s/%s%s", folder, name, end);
    file = fopen(path, "wb");
    bad = !file || fwrite(data, 1, n, file) != n;
    if (file) bad |= fclose(file) != 0;
    if (bad) fprintf(stderr, "test_families: %s cannot be written\n", path);
    return bad;
}

/* NAME.gguf; NAME.tokens, int32; NAME.logits, float32: [N] and [N][vocabulary], as the machine has
   them. */
static int write_all(const char *folder)
{
    const size_t n = (size_t)N * FAMILY_VOCAB;
    float *logits = (float *)calloc(n, sizeof *logits);
    int32_t tokens[N];
    int family, type, bad = 0;
    make_tokens(tokens);
    for (family = 0; family < n_families; family++)
        for (type = 0; type < n_family_types; type++) {
            family_file file;
            char name[80];
            snprintf(name, sizeof name, "%s-%s", family_names[family], family_types[type].name);
            family_make(&file, family, type);
            bad |= run(&file, N, tokens, logits) != NULL;
            bad |= write_file(folder, name, ".gguf", file.data, file.n);
            bad |= write_file(folder, name, ".tokens", tokens, sizeof tokens);
            bad |= write_file(folder, name, ".logits", logits, n * sizeof *logits);
            family_free(&file);
        }
    free(logits);
    return bad;
}

int main(int argc, char **argv)
{
    family_file file;
    int family, type;
    if (argc > 1) return write_all(argv[1]);
    for (family = 0; family < n_families; family++) {
        for (type = 0; type < n_family_types; type++)
            if ((family + type) % step() == 0) test_family(family, type);
        family_make(&file, family, 0);
        test_cut(&file, family), test_tensors(&file, family), test_counts(&file, family);
        family_free(&file);
    }
    return test_report("families", lctx_isa_name(lctx_isa_get()));
}
