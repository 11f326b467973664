/* model.c - the products with weights, through the model step: layers whose seven matrices are all
   4096 x 4096, under a window of one token, so that attention is next to nothing. A prompt goes
   through one layer, a token through as many as fill the store. */
#include "bench.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 4096, MATRICES = 7, VOCAB = 64, PROMPT = 512, PATTERN_ROWS = 128, LAYERS = 8, MANY = 16 };

typedef struct layer {
    int32_t       type;
    lctx_layer    weights[LAYERS];
    int32_t       n_layer;
    lctx_model    model;
    lctx_parallel par;
    lctx_session *session;
    float        *ones, *embd, *scale;     /* [WIDTH], [VOCAB][WIDTH], [WIDTH] */
    int32_t       tokens[PROMPT];
    int64_t       n;                       /* tokens of one run */
    float         logits[VOCAB];
    lctx_session *many[MANY];              /* that are fed a token each */
    int64_t       n_many;
} layer;

static lctx_tensor tensor(const void *data, int32_t type, const float *scale)
{
    lctx_tensor t = { 0 };
    t.data = data, t.type = type, t.scale = type == LCTX_I8 ? scale : NULL;
    return t;
}

/* Types of blocks: weights and bytes of one, where it has its scales (of 16 bits, -1: none), and
   what these are about. */
static const struct blocks {
    int32_t type;
    size_t  n, bytes;
    int     at, and_at;
    float   scale;
} blocks[] = {
    { LCTX_Q8_0, 32, 34, 0, -1, 1 / 4096.0f },      { LCTX_Q4_0, 32, 18, 0, -1, 1 / 256.0f },
    { LCTX_Q4_K, 256, 144, 0, 2, 1 / 8192.0f },     { LCTX_Q5_K, 256, 176, 0, 2, 1 / 16384.0f },
    { LCTX_Q6_K, 256, 210, 208, -1, 1 / 65536.0f }, { LCTX_MXFP4, 32, 17, -1, -1, 0 }
};
static const struct blocks *blocks_of(int32_t type)
{
    return type < LCTX_Q8_0 ? NULL : &blocks[type - LCTX_Q8_0];
}

static size_t row_bytes(int32_t type)
{
    const struct blocks *b = blocks_of(type);
    return b ? WIDTH / b->n * b->bytes : WIDTH * lctx_type_size((lctx_type)type);
}

static size_t layer_bytes(int32_t type) { return MATRICES * (size_t)WIDTH * row_bytes(type); }

/* Random bytes, but for scales. */
static void random_blocks(const struct blocks *b, char *row, uint64_t seed)
{
    const size_t bytes = row_bytes(b->type);
    uint16_t half;
    size_t i;
    for (i = 0; i < bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        row[i] = (char)(seed >> 56);
    }
    lctx_from_f32(LCTX_F16, 1, &b->scale, &half, NULL);
    for (i = 0; i < bytes; i += b->bytes) {
        if (b->at < 0) row[i] = 119;
        else memcpy(row + i + b->at, &half, 2);
        if (b->and_at > 0) memcpy(row + i + b->and_at, &half, 2);
    }
}

/* All matrices repeat PATTERN_ROWS random rows; as many scales repeat with them. */
static char *fill_weights(layer *l)
{
    const size_t pattern = PATTERN_ROWS * row_bytes(l->type);
    const size_t bytes = (size_t)l->n_layer * layer_bytes(l->type);
    char *mem = store_memory(bytes), *rows = machine_alloc(pattern);
    float *x = machine_alloc(row_bytes(LCTX_F32));
    int64_t i;
    for (i = 0; i < PATTERN_ROWS; i++) {
        char *row = rows + (size_t)i * row_bytes(l->type);
        machine_random(x, WIDTH, 1.0f / 64, (uint64_t)(10 + i));
        if (blocks_of(l->type)) random_blocks(blocks_of(l->type), row, (uint64_t)(10 + i));
        else must(lctx_from_f32((lctx_type)l->type, WIDTH, x, row, l->scale + i), "lctx_from_f32");
    }
    for (; i < WIDTH; i++) l->scale[i] = l->scale[i % PATTERN_ROWS];
    fill_with(mem, bytes, rows, pattern);
    machine_free(rows, pattern);
    machine_free(x, row_bytes(LCTX_F32));
    return mem;
}

static void layer_weights(layer *l)
{
    const char *mem = fill_weights(l);
    int n, i;
    for (n = 0; n < l->n_layer; n++) {
        lctx_layer *w = &l->weights[n];
        lctx_tensor *const all[MATRICES] = { &w->wq, &w->wk, &w->wv, &w->wo, &w->w_gate, &w->w_up,
                                             &w->w_down };
        for (i = 0; i < MATRICES; i++, mem += WIDTH * row_bytes(l->type))
            *all[i] = tensor(mem, l->type, l->scale);
        w->attn_norm = w->ffn_norm = tensor(l->ones, LCTX_F32, NULL);
    }
}

static void layer_session(layer *l)
{
    lctx_model *m = &l->model;
    lctx_session_desc d = { 0 };
    m->n_layer = l->n_layer, m->n_head = m->n_head_kv = WIDTH / 128, m->head_dim = 128;
    m->d_model = m->d_ff = WIDTH, m->n_vocab = VOCAB;
    m->tok_embd = tensor(l->embd, LCTX_F32, NULL);
    m->output_norm = tensor(l->ones, LCTX_F32, NULL);
    m->layers = l->weights;
    l->par = machine_parallel();
    d.k_type = d.v_type = LCTX_F32, d.policy = LCTX_WINDOW, d.window = 1, d.par = &l->par;
    d.block = 64;
    must(lctx_session_create(m, &d, &l->session), "lctx_session_create");
}

enum { SMALL = WIDTH + VOCAB * WIDTH + WIDTH };    /* floats beside the matrices */

static void layer_open(layer *l, int32_t type, int64_t n)
{
    int64_t i;
    memset(l, 0, sizeof *l);
    l->type = type, l->n = n, l->n_layer = 1;
    while (n == 1 && l->n_layer < LAYERS && (size_t)(l->n_layer + 1) * layer_bytes(type)
                                            <= layer_bytes(LCTX_F32)) l->n_layer++;
    l->ones = machine_alloc(SMALL * sizeof(float));
    l->embd = l->ones + WIDTH, l->scale = l->embd + VOCAB * WIDTH;
    for (i = 0; i < WIDTH; i++) l->ones[i] = 1;
    for (i = 0; i < PROMPT; i++) l->tokens[i] = (int32_t)(i % VOCAB);
    machine_random(l->embd, VOCAB * WIDTH, 1, 6);
    layer_weights(l);
    layer_session(l);
}

static void layer_close(layer *l)
{
    lctx_session_free(l->session);
    machine_free(l->ones, SMALL * sizeof(float));
}

static void layer_run(void *arg)
{
    layer *l = arg;
    must(lctx_session_feed(l->session, l->tokens, l->n, LCTX_LOGITS_LAST, l->logits), "feed");
}

/* ---- the reference, in double */
static void normalise(const double *x, double *out)
{
    double sum = 0;
    int i;
    for (i = 0; i < WIDTH; i++) sum += x[i] * x[i];
    for (i = 0; i < WIDTH; i++) out[i] = x[i] / sqrt(sum / WIDTH + 1e-5);
}

static void multiply(const lctx_tensor *w, const double *x, double *out)
{
    float row[WIDTH];
    int i, c;
    for (i = 0; i < WIDTH; i++) {
        const char *at = (const char *)w->data + (size_t)i * row_bytes(w->type);
        double sum = 0;
        must(lctx_to_f32((lctx_type)w->type, WIDTH, at, w->scale ? w->scale + i : NULL, row), "w");
        for (c = 0; c < WIDTH; c++) sum += (double)row[c] * x[c];
        out[i] = sum;
    }
}

/* Logits of the last token: under a window of one, attention hands its value through. */
static void reference(const layer *l, double *logits)
{
    const float *token = l->embd + (size_t)l->tokens[l->n - 1] * WIDTH;
    double *x = machine_alloc(4 * WIDTH * sizeof *x);
    double *h = x + WIDTH, *a = h + WIDTH, *b = a + WIDTH;
    int i, c, n;
    for (i = 0; i < WIDTH; i++) x[i] = (double)token[i];
    for (n = 0; n < l->n_layer; n++) {
        const lctx_layer *w = &l->weights[n];
        normalise(x, h);
        multiply(&w->wv, h, a);
        multiply(&w->wo, a, b);
        for (i = 0; i < WIDTH; i++) x[i] += b[i];
        normalise(x, h);
        multiply(&w->w_gate, h, a);
        multiply(&w->w_up, h, b);
        for (i = 0; i < WIDTH; i++) a[i] = a[i] / (1 + exp(-a[i])) * b[i];
        multiply(&w->w_down, a, b);
        for (i = 0; i < WIDTH; i++) x[i] += b[i];
    }
    normalise(x, h);
    for (i = 0; i < VOCAB; i++) {
        logits[i] = 0;
        for (c = 0; c < WIDTH; c++) logits[i] += (double)l->embd[i * WIDTH + c] * h[c];
    }
    machine_free(x, 4 * WIDTH * sizeof *x);
}

static double layer_check(layer *l)
{
    static const double most[] = { 1e-9, 1e-9, 1e-4, 1e-3, 0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3 };
    double ref[VOCAB], wrong = 0, all = 0;
    int i;
    layer_run(l);
    reference(l, ref);
    for (i = 0; i < VOCAB; i++) {
        const double e = (double)l->logits[i] - ref[i];
        wrong += e * e, all += ref[i] * ref[i];
    }
    if (!(wrong <= most[l->type] * all))
        machine_fail("products with %s weights under %s are wrong: %.2g", type_name(l->type),
                     isa_name(), wrong / all);
    return wrong / all;
}

/* ---- the rows: weights in blocks are multiplied as integers where there are vectors, others in
   f32 */
static void layer_row(const options *o, int32_t type, int64_t n, double aim)
{
    const int decode = n == 1;
    shape what = { "matvec", 0, 0, 0, 0, 0, NULL, "4096x4096" };
    job work = { layer_run, NULL, 0 };
    double error;
    layer l;
    result r;
    layer_open(&l, type, n);
    error = layer_check(&l);
    what.name = decode ? "matvec" : "matmul", what.n_q = n, what.type = type_name(type);
    work.arg = &l;
    work.amount = decode ? l.n_layer * (double)layer_bytes(type)
                         : 2.0 * MATRICES * WIDTH * WIDTH * (double)n;
    r = measure(o, &what, decode ? PEAK_READ
                                 : peak_of_products(blocks_of(type) ? LCTX_I8 : LCTX_F32), &work);
    r.aim = aim, r.error = error, r.checked = 1;
    report_add(&r);
    layer_close(&l);
}

/* aims: of products in f32, and of reading blocks */
static void layer_rows(const options *o, double aim, double blocks_aim)
{
    static const int32_t types[] = { LCTX_F16, LCTX_BF16, LCTX_I8, LCTX_F32, LCTX_Q4_K, LCTX_Q8_0,
                                     LCTX_Q4_0, LCTX_Q5_K, LCTX_Q6_K, LCTX_MXFP4 };
    int i;
    for (i = 0; i < (o->quick ? 6 : 10); i++) {
        const int in_f32 = types[i] == LCTX_F16 || types[i] == LCTX_F32;
        if (wanted(o, "matvec"))
            layer_row(o, types[i], 1, blocks_of(types[i]) ? blocks_aim : 0.85);
        if (wanted(o, "matmul") && (!o->quick || i % 4 == 0))
            layer_row(o, types[i], PROMPT, in_f32 ? aim : 0);
    }
}

/* ---- many sessions: a token of each, weights read once for all, to the bits of one */
static float many_logits[MANY * VOCAB];

static void many_run(void *arg)
{
    layer *l = arg;
    const int32_t *tokens[MANY];
    int64_t n[MANY], i;
    for (i = 0; i < MANY; i++) tokens[i] = l->tokens, n[i] = 1;
    must(lctx_session_feed_many(l->many, l->n_many, tokens, n, LCTX_LOGITS_LAST, many_logits), "many");
}

static void many_row(const options *o, layer *l, double error)
{
    shape what = { "many", 0, 0, 0, 0, 0, NULL, "4096x4096" };
    job work = { many_run, NULL, 0 };
    result r;
    int64_t i;
    many_run(l);
    for (i = 0; i < l->n_many; i++)
        if (memcmp(many_logits + i * VOCAB, l->logits, sizeof l->logits))
            machine_fail("session %d of %d has other bits than alone", (int)i, (int)l->n_many);
    what.n_q = l->n_many, what.type = type_name(l->type);
    work.arg = l, work.amount = l->n_layer * (double)layer_bytes(l->type);
    r = measure(o, &what, PEAK_READ, &work);
    r.error = error, r.checked = 1;
    report_add(&r);
}

static void many_rows(const options *o)
{
    layer l;
    double error;
    int64_t i;
    if (!wanted(o, "many")) return;
    layer_open(&l, LCTX_Q4_K, 1);
    error = layer_check(&l);
    for (i = 0; i < MANY; i++) must(lctx_session_fork(l.session, &l.many[i]), "lctx_session_fork");
    for (l.n_many = 1; l.n_many <= MANY; l.n_many *= 4) many_row(o, &l, error);
    for (i = 0; i < MANY; i++) lctx_session_free(l.many[i]);
    layer_close(&l);
}

void model_section(const options *o)
{
    const int avx2 = o->best == LCTX_ISA_AVX2;
    if (!wanted(o, "matvec") && !wanted(o, "matmul") && !wanted(o, "many")) return;
    report_heading("PRODUCTS WITH WEIGHTS (matrices of 4096 x 4096, by the model step)");
    many_rows(o);
    layer_rows(o, avx2 ? 0.60 : 0.75, avx2 ? 0.75 : 0.85);
    if (o->quick || avx2 || lctx_isa_set(LCTX_ISA_AVX2)) return;
    layer_rows(o, 0.60, 0.75);
    lctx_isa_set((lctx_isa)o->best);
}
