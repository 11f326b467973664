/* scaling.c - curves: a step's time and memory against the context, a prompt's time against its
   length, and both against threads. */
#include "bench.h"

enum { K = 1024 };

static void point(const options *o, const char *name, int64_t n_q, int64_t n_kv)
{
    const aims none = { 0, 0 };
    setting s = { name, n_q, n_kv, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    result r;
    if (!wanted(o, name)) return;
    r = measure_attend(o, &s, none);
    r.bytes = attend_bytes(&s);
    report_add(&r);
}

/* The longest context whose keys and values fit in half of the free memory, 1 M at most. */
static int64_t longest_context(const options *o)
{
    setting s = { "", 1, o->quick ? 64 * K : 1024 * K, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    while (s.n_kv > 64 * K && 2 * attend_bytes(&s) > (double)machine_free_bytes()) s.n_kv /= 2;
    return s.n_kv;
}

static void rival_curves(const options *o)
{
    int64_t n;
    if (!rivals_wanted(o, 1)) return;
    store_start((size_t)516 << 20);
    for (n = 1 * K; n <= (o->quick ? 16 : 64) * K; n *= 4) {
        setting s = { "scale-decode", 1, n, 128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 };
        rivals_at(o, &s, 1);
    }
    store_stop();
}

static void thread_curves(const options *o)
{
    int n;
    for (n = 1; n <= o->threads; n = n < o->threads && 2 * n > o->threads ? o->threads : 2 * n) {
        machine_use(n);
        point(o, "scale-threads-decode", 1, 32 * K);
        point(o, "scale-threads-prefill", 1024, 1024);
    }
    machine_use(o->threads);
}

void scaling_section(const options *o)
{
    const int64_t longest = longest_context(o);
    setting s = { "", 1, 0, 128, 32, 8, LCTX_F16, TILES, 0, 0 };
    int64_t n;
    report_heading("SCALING");
    s.n_kv = longest;
    store_start((size_t)attend_bytes(&s) + ((size_t)4 << 20));
    for (n = 1 * K; n <= longest; n *= 2) point(o, "scale-decode", 1, n);
    for (n = 512; n <= (o->quick ? 2 : 16) * K; n *= 2) point(o, "scale-prefill", n, n);
    thread_curves(o);
    store_stop();
    if (wanted(o, "scale-sinks")) stream_curve(longest);
    rival_curves(o);
}
