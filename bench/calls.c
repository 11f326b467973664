/* calls.c - one call against others that compute the same. */
#include "bench.h"

#include <math.h>
#include <string.h>

enum { K = 1024 };

/* ---- many short sequences, a query each: in one call, as groups, or in a call each */
enum { MOST = 64 };

typedef struct sequences {
    attend    w;               /* of one sequence with all queries: its memory serves both ways */
    lctx_span spans[MOST];
    int64_t   pos[MOST];
    int32_t   group[MOST];
    lctx_attn all;
    void     *scratch;
    size_t    scratch_bytes;
} sequences;

static int64_t row_of(const sequences *s) { return (int64_t)s->w.s.n_head * s->w.s.head_dim; }

static void one_call(void *arg)
{
    sequences *s = arg;
    int64_t i;
    for (i = 0; i < s->all.n_q; i++) {
        s->spans[i] = attend_span(&s->w, s->w.turn++);
        s->spans[i].group = s->group[i];
    }
    must(lctx_attend(&s->all, s->scratch, s->scratch_bytes), "lctx_attend");
}

static void call_each(void *arg)
{
    sequences *s = arg;
    lctx_attn one = s->w.a;
    lctx_span span;
    int64_t i;
    one.n_q = 1, one.q_pos0 = s->w.s.n_kv - 1, one.spans = &span;
    for (i = 0; i < s->all.n_q; i++) {
        one.q = s->w.q + i * row_of(s), one.out = s->w.out + i * row_of(s);
        span = attend_span(&s->w, s->w.turn++);
        must(lctx_attend(&one, s->w.scratch, s->w.scratch_bytes), "lctx_attend");
    }
}

static void sequences_open(sequences *s, const setting *each)
{
    const int64_t n = each->n_q;
    int64_t i;
    memset(s, 0, sizeof *s);
    attend_open(&s->w, each);
    for (i = 0; i < n; i++) s->pos[i] = each->n_kv - 1, s->group[i] = (int32_t)i + 1;
    s->all = s->w.a;
    s->all.spans = s->spans, s->all.n_spans = n, s->all.q_pos = s->pos, s->all.q_group = s->group;
    s->all.out = machine_alloc((size_t)(n * row_of(s)) * sizeof(float));
    for (i = 0; i < n; i++) s->spans[i] = attend_span(&s->w, i), s->spans[i].group = s->group[i];
    must(lctx_attend_size(&s->all, &s->scratch_bytes), "lctx_attend_size");
    s->scratch = machine_alloc(s->scratch_bytes);
}

static void sequences_close(sequences *s)
{
    machine_free(s->all.out, (size_t)(s->all.n_q * row_of(s)) * sizeof(float));
    machine_free(s->scratch, s->scratch_bytes);
    attend_close(&s->w);
}

/* What two ways found must agree. */
static double compared(const char *name, const attend *w, const float *out)
{
    const double error = error_of(w->a.n_q * w->s.n_head * w->s.head_dim, out, w->out);
    if (!(error <= 1e-10)) machine_fail("%s: two ways differ by %.2g", name, error);
    return error;
}

static void sequences_row(const options *o, int64_t n, int64_t n_kv)
{
    const setting each = { "sequences", n, n_kv, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    const shape what = attend_shape(&each);
    job all = { one_call, NULL, 0 }, apart = { call_each, NULL, 0 };
    result r = result_start(&what);
    sequences s;
    sequences_open(&s, &each);
    one_call(&s), s.w.turn = 0, call_each(&s);
    r.error = compared(each.name, &s.w, s.all.out), r.checked = 1;
    all.arg = apart.arg = &s;
    all.amount = (double)n * attend_bytes(&each), r.unit = "GB/s";
    measure_ratio(o, &r, &apart, "calls apart", &all, 1.1);
    report_add(&r);
    sequences_close(&s);
}

/* ---- a window of WINDOW keys, as a dense bias of -inf outside of it */
enum { WINDOW = 256, QUERIES = 512, KEYS = 8 * K };

static float *window_bias(void)
{
    float *bias = machine_alloc(QUERIES * KEYS * sizeof *bias);
    int64_t t, j;
    for (t = 0; t < QUERIES; t++)
        for (j = 0; j < KEYS; j++)
            if (j <= KEYS - QUERIES + t - WINDOW) bias[t * KEYS + j] = -INFINITY;
    return bias;
}

static void bias_row(const options *o)
{
    const setting s = { "bias", QUERIES, KEYS, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    const shape what = attend_shape(&s);
    attend dense, window;
    job work = { attend_run, &dense, 0 }, other = { attend_run, &window, 0 };
    float *bias = window_bias();
    result r = result_start(&what);
    attend_open(&dense, &s), attend_open(&window, &s);
    dense.a.bias = bias, dense.a.bias_head = -1;
    window.a.window = WINDOW;
    attend_scratch(&dense), attend_scratch(&window);
    attend_run(&dense), attend_run(&window);
    r.error = compared(s.name, &window, dense.out), r.checked = 1;
    work.amount = 4.0 * s.head_dim * s.n_head * QUERIES * WINDOW, r.unit = "GFLOP/s";
    measure_ratio(o, &r, &other, "a window", &work, 3);
    report_add(&r);
    attend_close(&dense), attend_close(&window);
    machine_free(bias, QUERIES * KEYS * sizeof *bias);
}

void calls_section(const options *o)
{
    int64_t n, n_kv;
    report_heading("ONE CALL AGAINST OTHERS (sequences: n_q of them, a query and n_kv keys each)");
    for (n_kv = 1 * K; wanted(o, "sequences") && n_kv <= 4 * K; n_kv *= 4)
        for (n = 8; n <= MOST; n *= n == 8 ? 4 : 2)
            if (!o->quick || (n == 32 && n_kv == K)) sequences_row(o, n, n_kv);
    if (wanted(o, "bias")) bias_row(o);
}
