/* steps.c - what attention is not: rotation, a cache that evicts, scratch. */
#include "bench.h"

#include <math.h>
#include <string.h>

static lctx_rope rope_of(int32_t head_dim)
{
    lctx_rope_desc d = { 0 };
    lctx_rope rope;
    d.n_rot = head_dim, d.theta = 500000;
    must(lctx_rope_init(&rope, &d), "lctx_rope_init");
    return rope;
}

/* ---- RoPE over a prompt, in place */
enum { PROMPT = 4096, DIM = 128, HEADS = 32, HEADS_KV = 8 };

typedef struct rotation { lctx_rope rope; lctx_rope_job q, k; lctx_parallel par; } rotation;

static void rotate(void *arg)
{
    rotation *r = arg;
    must(lctx_rope_apply(&r->rope, &r->q), "lctx_rope_apply");
    must(lctx_rope_apply(&r->rope, &r->k), "lctx_rope_apply");
}

static lctx_rope_job rope_job(float *x, int32_t heads, const lctx_parallel *par)
{
    lctx_rope_job j = { 0 };
    j.n_tok = PROMPT, j.n_head = heads, j.head_dim = DIM, j.x = x, j.out = x, j.par = par;
    return j;
}

/* The last token's first head, turned once, against the definition. */
static double rotation_error(rotation *r)
{
    const int64_t at = (int64_t)(PROMPT - 1) * HEADS * DIM;
    double wrong = 0, all = 0;
    float x[DIM];
    int i, c;
    memcpy(x, r->q.x + at, sizeof x);
    rotate(r);
    for (i = 0; i < DIM / 2; i++) {
        const double a = (PROMPT - 1) * r->rope.freq[i];
        const double want[2] = { x[i] * cos(a) - x[i + DIM / 2] * sin(a),
                                 x[i] * sin(a) + x[i + DIM / 2] * cos(a) };
        for (c = 0; c < 2; c++) {
            const double e = (double)r->q.out[at + i + c * DIM / 2] - want[c];
            wrong += e * e, all += want[c] * want[c];
        }
    }
    if (!(wrong <= 1e-12 * all)) machine_fail("RoPE is wrong: %.2g", wrong / all);
    return wrong / all;
}

static void rope_row(const options *o)
{
    const size_t floats = (size_t)PROMPT * (HEADS + HEADS_KV) * DIM;
    float *x = store_memory(floats * sizeof *x);
    shape what = { "rope", PROMPT, 0, DIM, HEADS, HEADS_KV, "f32", "in place" };
    job work = { rotate, NULL, 0 };
    rotation r;
    double error;
    result got;
    machine_random(x, (int64_t)floats, 1, 3);
    r.rope = rope_of(DIM), r.par = machine_parallel();
    r.q = rope_job(x, HEADS, &r.par);
    r.k = rope_job(x + (size_t)PROMPT * HEADS * DIM, HEADS_KV, &r.par);
    error = rotation_error(&r);
    work.arg = &r, work.amount = 2 * (double)floats * sizeof *x;
    got = measure(o, &what, PEAK_COPY, &work);
    got.aim = 0.80, got.error = error, got.checked = 1;
    report_add(&got);
}

/* ---- one step under sinks and window: the token's key and value appended, its queries attended */
enum { WINDOW = 4092, SINKS = 4, APPEND = 1024 };

typedef struct stream {
    lctx_cache   *cache;
    lctx_rope     rope;
    lctx_parallel par;
    float        *q, *q_far, *k, *out;     /* k: [APPEND][HEADS_KV][DIM], values too */
    void         *scratch;
    size_t        scratch_bytes;
} stream;

static int64_t stream_length(const stream *s)
{
    lctx_cache_info info;
    must(lctx_cache_get_info(s->cache, &info), "lctx_cache_get_info");
    return info.n;
}

static void stream_append(stream *s, int64_t n)
{
    lctx_rows rows = { 0 };
    rows.n = n, rows.k = rows.v = s->k;
    must(lctx_cache_append(s->cache, &rows), "lctx_cache_append");
}

static void stream_turn(const stream *s, float *x, int64_t pos)
{
    lctx_rope_job j = { 0 };
    j.n_tok = 1, j.n_head = HEADS, j.head_dim = DIM, j.x = s->q, j.out = x, j.pos0 = pos;
    must(lctx_rope_apply(&s->rope, &j), "lctx_rope_apply");
}

static void stream_step(void *arg)
{
    stream *s = arg;
    const int64_t pos = stream_length(s);
    float turned[HEADS * DIM];
    lctx_attn a = { 0 };
    size_t bytes;
    stream_append(s, 1);
    stream_turn(s, turned, pos);
    stream_turn(s, s->q_far, lctx_cache_far_pos(s->cache, pos));
    a.n_q = 1, a.n_head = HEADS, a.q = turned, a.q_far = s->q_far, a.q_pos0 = pos;
    a.out = s->out, a.par = &s->par;
    must(lctx_cache_attend_size(s->cache, &a, &bytes), "lctx_cache_attend_size");
    if (bytes > s->scratch_bytes) machine_fail("scratch grew to %zu bytes", bytes);
    must(lctx_cache_attend(s->cache, &a, s->scratch, s->scratch_bytes), "lctx_cache_attend");
}

static void stream_open(stream *s)
{
    const size_t row = HEADS * DIM;
    lctx_cache_desc d = { 0 };
    memset(s, 0, sizeof *s);
    d.n_head_kv = HEADS_KV, d.d_k = DIM, d.k_type = d.v_type = LCTX_F16;
    d.policy = LCTX_SINKS, d.window = WINDOW, d.n_sink = SINKS;
    must(lctx_cache_create(&d, &s->cache), "lctx_cache_create");
    s->rope = rope_of(DIM), s->par = machine_parallel();
    s->q = machine_alloc((3 * row + (size_t)APPEND * HEADS_KV * DIM) * sizeof(float));
    s->q_far = s->q + row, s->out = s->q_far + row, s->k = s->out + row;
    machine_random(s->q, (int64_t)row, 1, 4);
    machine_random(s->k, (int64_t)APPEND * HEADS_KV * DIM, 1, 5);
    s->scratch_bytes = (size_t)64 << 20;
    s->scratch = machine_alloc(s->scratch_bytes);
}

static void stream_close(stream *s)
{
    lctx_cache_free(s->cache);
    machine_free(s->q, (3 * (size_t)HEADS * DIM + (size_t)APPEND * HEADS_KV * DIM) * sizeof(float));
    machine_free(s->scratch, s->scratch_bytes);
}

static void stream_fill(stream *s, int64_t n)
{
    int64_t at = stream_length(s);
    for (; at < n; at += APPEND) stream_append(s, n - at < APPEND ? n - at : APPEND);
}

static double stream_bytes(const stream *s)
{
    lctx_cache_info info;
    must(lctx_cache_get_info(s->cache, &info), "lctx_cache_get_info");
    return (double)info.bytes;
}

/* Two streams in turn: one whose window has just filled, one with all of its history behind it. */
static void sinks_rows(const options *o)
{
    const int64_t history = (int64_t)1 << (o->quick ? 17 : 20);
    shape what = { "sinks+window", 1, 0, DIM, HEADS, HEADS_KV, "f16", "cache" };
    job fresh = { stream_step, NULL, 1 }, old = fresh;
    stream a, b;
    timing t;
    result r = result_start(&what);
    stream_open(&a), stream_open(&b);
    stream_fill(&a, SINKS + WINDOW + 256), stream_fill(&b, history);
    fresh.arg = &a, old.arg = &b;
    t = machine_time(&fresh, &old, seconds_each(o), 9);
    r.what.n_kv = SINKS + WINDOW, r.unit = "steps/s";
    r.ms = t.limit_ms, r.achieved = t.limit, r.bytes = stream_bytes(&a);
    report_add(&r);
    r.what.n_kv = history, r.ms = t.ms, r.spread = t.spread, r.achieved = t.rate;
    r.bytes = stream_bytes(&b);
    r.ratio = t.ms / t.limit_ms, r.ratio_to = "just filled", r.ratio_aim = 1.03;
    report_add(&r);
    r.what.name = "sinks+window memory", r.ms = 0, r.achieved = r.bytes / 1e6, r.unit = "MB";
    r.limit = 0, r.ratio = r.bytes / stream_bytes(&a);
    report_add(&r);
    stream_close(&a), stream_close(&b);
}

/* One stream that grows: time and memory of a step at every doubling of its history. */
void stream_curve(int64_t longest)
{
    shape what = { "scale-sinks", 1, 0, DIM, HEADS, HEADS_KV, "f16", "cache" };
    job work = { stream_step, NULL, 0 };
    stream s;
    stream_open(&s);
    work.arg = &s;
    for (what.n_kv = 1024; what.n_kv <= longest; what.n_kv *= 2) {
        result r = result_start(&what);
        timing t;
        stream_fill(&s, what.n_kv - 64);
        t = machine_time(NULL, &work, 0.1, 3);
        r.ms = t.ms, r.spread = t.spread, r.achieved = 1e3 / t.ms, r.unit = "steps/s";
        r.bytes = stream_bytes(&s);
        report_add(&r);
    }
    stream_close(&s);
}

/* ---- scratch */
static void scratch_row(int64_t n_q)
{
    setting s = { "scratch", n_q, 128 * 1024, DIM, HEADS, HEADS_KV, LCTX_F16, TILES, 0, 0 };
    const shape what = attend_shape(&s);
    result r = result_start(&what);
    attend w;
    attend_open(&w, &s);
    r.bytes = (double)w.scratch_bytes;
    r.achieved = r.bytes / r.threads / 1024, r.unit = "KiB/thr";
    r.ratio = r.achieved / 1024, r.ratio_to = "1 MiB a thread", r.ratio_aim = 1;
    report_add(&r);
    attend_close(&w);
}

void steps_section(const options *o)
{
    if (!wanted(o, "rope") && !wanted(o, "sinks+window") && !wanted(o, "scratch")) return;
    report_heading("ROPE, EVICTION, SCRATCH");
    if (wanted(o, "rope")) rope_row(o);
    if (wanted(o, "sinks+window")) sinks_rows(o);
    if (wanted(o, "scratch")) scratch_row(1), scratch_row(512);
}
