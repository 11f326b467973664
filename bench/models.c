/* models.c - tokens a second on files of the shapes of models that people have, weights random, as
   Q4_K_M stores them: prompts, and what follows them. --peer COMMAND times another engine on the same
   file, right after each of ours: it is run as COMMAND FILE N_PROMPT N_NEW THREADS and prints two
   numbers, tokens a second of the prompt and of what follows. */
#define _POSIX_C_SOURCE 200809L
#include "args.h"
#include "machine.h"
#include "model.h"
#include "models.h"
#include "peaks.h"

#include <stdlib.h>
#include <string.h>

static const char *folder = "build", *peer, *only, *lengths = "1024,8192";
static int64_t n_new = 32, n_threads, many, layers;

static const args_option options[] = {
    { "--dir", ARGS_TEXT, &folder, 0, 0, "DIR", "where the files are written; default: build" },
    { "--peer", ARGS_TEXT, &peer, 0, 0, "COMMAND", "another engine, see above" },
    { "--only", ARGS_TEXT, &only, 0, 0, "NAME", "shapes whose name contains it" },
    { "--prompts", ARGS_TEXT, &lengths, 0, 0, "N,N", "default: 1024,8192" },
    { "--layers", ARGS_INT, &layers, 0, 1000, "N", "the first N layers alone; default: all" },
    { "-n", ARGS_INT, &n_new, 1, 1000, "N", "tokens decoded after each; default 32" },
    { "--many", ARGS_INT, &many, 0, 64, "N", "then N sessions decode together, and alone" },
    { "--threads", ARGS_INT, &n_threads, 1, 256, "N", "default: all cores" },
    { 0 }
};

typedef struct timed { double prompt, decode; } timed;      /* tokens a second */

static int32_t token(int64_t i) { return 3 + (int32_t)((uint64_t)i * 2654435761u % 256); }

static timed ours(const model *m, int64_t n_prompt, lctx_session **session)
{
    lctx_parallel par = machine_parallel();
    lctx_session_desc d = { 0 };
    int32_t *tokens = calloc((size_t)n_prompt, sizeof *tokens);
    float *logits = calloc((size_t)m->lctx.n_vocab, sizeof *logits);
    double start;
    timed t;
    int64_t i;
    if (!tokens || !logits) machine_fail("no memory");
    d.par = &par, d.k_type = d.v_type = LCTX_F16;
    must(lctx_session_create(&m->lctx, &d, session), "lctx_session_create");
    for (i = 0; i < n_prompt; i++) tokens[i] = token(i);
    start = machine_seconds();
    must(lctx_session_feed(*session, tokens, n_prompt, LCTX_LOGITS_LAST, logits), "feed");
    t.prompt = (double)n_prompt / (machine_seconds() - start);
    start = machine_seconds();
    for (i = 0; i < n_new; i++)
        must(lctx_session_feed(*session, tokens + i, 1, LCTX_LOGITS_LAST, logits), "feed");
    t.decode = (double)n_new / (machine_seconds() - start);
    free(tokens);
    free(logits);
    return t;
}

static timed theirs(const char *path, int64_t n_prompt)
{
    char command[1024];
    timed t = { 0, 0 };
    FILE *pipe;
    snprintf(command, sizeof command, "%s '%s' %lld %lld %d", peer, path, (long long)n_prompt,
             (long long)n_new, machine_threads());
    pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%lf %lf", &t.prompt, &t.decode) != 2) t.prompt = t.decode = 0;
    if (pipe) pclose(pipe);
    if (!(t.prompt > 0)) machine_fail("%s gives no numbers", command);
    return t;
}

/* n forks decode n_new tokens together: tokens a second of all. */
static double together(lctx_session *s, int32_t n_vocab, int64_t n)
{
    lctx_session *forks[64];
    const int32_t *of[64];
    int32_t next[64];
    int64_t ones[64], i, step;
    float *logits = calloc((size_t)(n * n_vocab), sizeof *logits);
    double start;
    if (!logits) machine_fail("no memory");
    for (i = 0; i < n; i++) {
        must(lctx_session_fork(s, &forks[i]), "lctx_session_fork");
        of[i] = &next[i], ones[i] = 1, next[i] = token(i);
    }
    start = machine_seconds();
    for (step = 0; step < n_new; step++)
        must(lctx_session_feed_many(forks, n, of, ones, LCTX_LOGITS_LAST, logits), "feed_many");
    start = machine_seconds() - start;
    for (i = 0; i < n; i++) lctx_session_free(forks[i]);
    free(logits);
    return (double)(n * n_new) / start;
}

static void line(const model_shape *shape, const model *m, const char *path, int64_t n_prompt,
                 double bytes)
{
    lctx_session *s;
    const timed a = ours(m, n_prompt, &s);
    const double read = peak_now(PEAK_READ), kv = 4.0 * (double)n_prompt * shape->n_layer
                      * shape->n_head_kv * shape->head_dim;
    timed b = { 0, 0 };
    int64_t n;
    if (peer) b = theirs(path, n_prompt);
    printf("%-20s %2d layers %7lld %9.1f", shape->name, shape->n_layer, (long long)n_prompt,
           a.prompt);
    if (peer) printf(" %9.1f %6.2f", b.prompt, a.prompt / b.prompt);
    printf(" %9.2f", a.decode);
    if (peer) printf(" %9.2f %6.2f", b.decode, a.decode / b.decode);
    printf(" %6.0f%%\n", 100 * (bytes + kv) * a.decode / read);
    for (n = 1; n <= many; n *= 4)
        printf("%-20s %2d layers %7lld together: %lld sessions, %.1f tokens/s in all\n",
               shape->name, shape->n_layer, (long long)n_prompt, (long long)n,
               together(s, m->lctx.n_vocab, n));
    lctx_session_free(s);
    fflush(stdout);
}

static void measure_shape(const model_shape *shape)
{
    char path[512];
    const char *at;
    double bytes;
    model m;
    snprintf(path, sizeof path, "%s/model-%.12s.gguf", folder, shape->name);
    if (models_write(path, shape, &bytes)) machine_fail("%s cannot be written", path);
    if (model_open(&m, path) != GGUF_OK) machine_fail("%s: %s", path, m.file.error);
    for (at = lengths; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        line(shape, &m, path, atoll(at), bytes);
    model_close(&m);
    remove(path);
}

int main(int argc, char **argv)
{
    int i;
    args_parse(argc, argv, "models", "Times files of real models' shapes, weights random (Q4_K_M).",
               options);
    machine_start(n_threads ? (int)n_threads : machine_cores());
    peaks_start();
    printf("%d threads, %s; tokens a second; bytes that decoding must read, of the read limit\n",
           machine_threads(), lctx_isa_name(lctx_isa_get()));
    printf("%-30s %7s %9s", "shape", "prompt", "prompt");
    if (peer) printf(" %9s %6s", "peer", "ratio");
    printf(" %9s", "decode");
    if (peer) printf(" %9s %6s", "peer", "ratio");
    printf(" %7s\n", "read");
    for (i = 0; i < n_model_shapes; i++)
        if (!only || strstr(model_shapes[i].name, only)) {
            model_shape shape = model_shapes[i];
            if (layers && layers < shape.n_layer) shape.n_layer = (int)layers;
            measure_shape(&shape);
        }
    peaks_stop();
    machine_stop();
    return 0;
}
