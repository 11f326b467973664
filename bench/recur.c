/* recur.c - recurrences: decoding beside the memory that states take, prompts beside multiply-adds,
   and the time a token takes early and late in a sequence. */
#include "bench.h"

#include <math.h>
#include <string.h>

enum { DIM = 128, PROMPT = 512, HEADS = 32, LAYERS = 32 };

/* A mixer, and multiply-adds an element of its state. */
typedef struct mixer { const char *name; int decay, beta, pair, bonus, products; } mixer;
static const mixer mixers[] = {
    { "retnet", LCTX_DECAY_HEAD, 0, 0, 0, 3 }, { "gla", LCTX_DECAY_DIM, 0, 0, 0, 3 },
    { "gated delta", LCTX_DECAY_HEAD, 1, 0, 0, 4 }, { "kda", LCTX_DECAY_DIM, 1, 0, 0, 4 },
    { "rwkv-6", LCTX_DECAY_DIM, 0, 0, 1, 3 }, { "rwkv-7", LCTX_DECAY_DIM, 0, 1, 0, 5 },
};
enum { MIXERS = sizeof mixers / sizeof *mixers };

typedef struct recurrent {
    lctx_recurrence r;
    lctx_parallel par;
    float *memory, *state;        /* inputs and outputs; [layers] states */
    size_t floats, bytes, scratch_bytes;
    void *scratch;
    int64_t layers, turn;
} recurrent;

static int64_t state_floats(const recurrent *w)
{
    return (int64_t)w->r.n_head * w->r.d_k * w->r.d_k;
}

/* Inputs of about unit length; decays between 0.9 and 1. */
static void fill(recurrent *w, const mixer *m, int64_t rows)
{
    float *x = w->memory;
    const int64_t n = rows * DIM;
    int64_t i;
    machine_random(x, 7 * n, 0.088f, 5);
    for (i = 0; i < n; i++) x[3 * n + i] = 0.95f + 0.05f * sinf((float)i);
    for (i = 0; i < rows; i++) x[4 * n + i] = 0.5f;
    w->r.q = x, w->r.k = x + n, w->r.v = x + 2 * n, w->r.decay = x + 3 * n;
    w->r.decay_kind = m->decay, w->r.y = x + 6 * n;
    if (m->beta) w->r.beta = x + 4 * n;
    if (m->bonus) w->r.bonus = x + 4 * n;
    if (m->pair) w->r.a = x + 4 * n, w->r.b = x + 5 * n;
}

static void open_recurrent(recurrent *w, const mixer *m, int64_t n, int32_t heads, int64_t layers)
{
    memset(w, 0, sizeof *w);
    w->r.n = n, w->r.n_head = heads, w->r.d_k = DIM, w->layers = layers;
    w->par = machine_parallel(), w->r.par = &w->par;
    w->floats = (size_t)(7 * n * heads * DIM);
    w->memory = machine_alloc(w->floats * sizeof(float));
    w->bytes = (size_t)(layers * state_floats(w)) * sizeof(float);
    w->state = w->r.state = machine_alloc(w->bytes);
    fill(w, m, n * heads);
    must(lctx_recur_size(&w->r, &w->scratch_bytes), "lctx_recur_size");
    w->scratch = machine_alloc(w->scratch_bytes);
}
static void close_recurrent(recurrent *w)
{
    machine_free(w->memory, w->floats * sizeof(float));
    machine_free(w->state, w->bytes);
    machine_free(w->scratch, w->scratch_bytes);
}

/* The next layer's tokens. */
static void recur(void *arg)
{
    recurrent *w = arg;
    w->r.state = w->state + w->turn++ % w->layers * state_floats(w);
    must(lctx_recur(&w->r, w->scratch, w->scratch_bytes), "lctx_recur");
}

static shape shape_of(const char *name, const mixer *m, int64_t n, int64_t before, int32_t heads)
{
    const shape s = { name, n, before, DIM, heads, heads, "f32", m->name };
    return s;
}

static void decode_row(const options *o, const mixer *m)
{
    const shape what = shape_of("recur decode", m, 1, 0, HEADS);
    recurrent w;
    job work = { recur, &w, 0 };
    result r;
    open_recurrent(&w, m, 1, HEADS, LAYERS);
    work.amount = 2.0 * (double)state_floats(&w) * sizeof(float);
    r = measure(o, &what, PEAK_COPY, &work);
    r.aim = 0.75;
    report_add(&r);
    close_recurrent(&w);
}

static void prompt_row(const options *o, const mixer *m)
{
    const shape what = shape_of("recur prompt", m, PROMPT, 0, HEADS);
    recurrent w;
    job work = { recur, &w, 0 };
    result r;
    open_recurrent(&w, m, PROMPT, HEADS, 1);
    work.amount = 2.0 * m->products * PROMPT * (double)state_floats(&w);
    r = measure(o, &what, peak_of_products(LCTX_F32), &work);
    r.aim = 0.50;
    report_add(&r);
    close_recurrent(&w);
}

/* Tokens 512 at a time, early in a sequence and `longest` later, in turn. */
static void flat_row(const options *o, const mixer *m)
{
    const int64_t longest = (int64_t)(o->quick ? 64 : 1024) * 1024;
    const shape what = shape_of("recur far", m, PROMPT, longest, 4);
    recurrent w, early;
    job late = { recur, &w, 0 }, first = { recur, &early, 0 };
    result r = result_start(&what);
    open_recurrent(&w, m, PROMPT, 4, 1), open_recurrent(&early, m, PROMPT, 4, 1);
    while (w.turn * PROMPT < longest) recur(&w);
    recur(&early), recur(&early);
    late.amount = 2.0 * m->products * PROMPT * (double)state_floats(&w), r.unit = "GFLOP/s";
    measure_ratio(o, &r, &first, "the first 1 K", &late, 1.05);
    report_add(&r);
    close_recurrent(&w), close_recurrent(&early);
}

void recur_section(const options *o)
{
    int i;
    report_heading("RECURRENCES (one token a layer of 32 through states of 64 KiB a head; prompts)");
    for (i = 0; i < MIXERS; i++)
        if (wanted(o, "recur decode") && (!o->quick || i == 2)) decode_row(o, &mixers[i]);
    for (i = 0; i < MIXERS; i++)
        if (wanted(o, "recur prompt") && (!o->quick || i == 2)) prompt_row(o, &mixers[i]);
    if (wanted(o, "recur far")) flat_row(o, &mixers[2]);
}
