/* against.c - the same attention done by others, on the same threads or as many, in turn with the
   same limits; their outputs are compared with ours. */
#include "baseline.h"
#include "bench.h"

#include <stdio.h>
#include <string.h>

/* Ours at this size: the row of the attention section, or one made now. */
static double ours_ms(const options *o, const setting *s, int32_t type)
{
    const aims none = { 0, 0 };
    setting tiles = *s;
    shape what;
    const result *found;
    result r;
    tiles.layout = TILES, tiles.type = type;
    what = attend_shape(&tiles);
    if ((found = report_find(&what, isa_name())) != NULL) return found->ms;
    r = measure_attend(o, &tiles, none);
    report_add(&r);
    return r.ms;
}

typedef struct rival {
    const char *name, *curve, *layout;     /* curve: its name among the scaling curves */
    void      (*run)(void *);
    double      most_error;    /* normalised mean squared, against ours over the same f16 rows */
    int         flash, head_major, q8;
    double      most_flops;    /* more would take it too long; 0 = any amount */
} rival;

/* ggml sums values of f16 in f16: over many keys its output drifts; the table has the error. */
static const rival rivals[] = {
    { "plain C",   "scale-plain",    "rows",        plain_attend, 1e-8, 0, 0, 0, 4e10 },
    { "openblas",  "scale-openblas", "rows",        blas_attend,  1e-8, 0, 0, 0, 0 },
    { "ggml",      "scale-ggml",     "token-major", flash_attend, 0.25, 1, 0, 0, 0 },
    { "ggml",      "scale-ggml",     "head-major",  flash_attend, 0.25, 1, 1, 0, 0 },
    { "ggml q8_0", NULL,             "token-major", flash_attend, 0.25, 1, 0, 1, 4e10 },
    { "ggml q8_0", NULL,             "head-major",  flash_attend, 0.25, 1, 1, 1, 4e10 }
};
enum { N_RIVALS = sizeof rivals / sizeof *rivals };

static int present(const rival *r)
{
    if (r->flash) return flash_built_in();
    return r->run != blas_attend || blas_open();
}

/* Our output over the rows that the rival will see. */
static void ours_over(attend *w, layout rows)
{
    w->s.layout = rows, w->turn = 0;
    attend_run(w);
}

static dense dense_of(const attend *w, float *out)
{
    dense d = { 0 };
    d.n_q = w->s.n_q, d.n_kv = w->s.n_kv, d.head_dim = w->s.head_dim;
    d.n_head = w->s.n_head, d.n_head_kv = w->s.n_head_kv;
    d.q = w->q, d.k = w->span.k, d.v = w->span.v, d.out = out;
    return d;
}

/* What one of its runs amounts to; q8_0 takes 34 bytes for 32 elements. */
static double rival_amount(const rival *r, const setting *s)
{
    return s->n_q > 1 ? attend_flops(s) : attend_bytes(s) * (r->q8 ? 34.0 / 64 : 1);
}

static void rival_run(const options *o, const rival *r, const char *name, attend *w, double ours)
{
    const int64_t n = w->s.n_q * w->s.n_head * w->s.head_dim;
    const int decode = w->s.n_q == 1;
    float *out = machine_alloc((size_t)n * sizeof *out);
    shape what = attend_shape(&w->s);
    job work = { r->run, NULL, 0 };
    flash_run *flash = NULL;
    double error;
    dense d;
    result got;
    ours_over(w, r->head_major ? HEAD_MAJOR : TOKEN_MAJOR);
    d = dense_of(w, out);
    work.arg = &d;
    if (r->flash) work.arg = flash = flash_open(&d, r->head_major, r->q8);
    work.run(work.arg);
    error = error_of(n, out, w->out);
    if (!(error <= r->most_error)) machine_fail("%s and ours disagree: %.2g", r->name, error);
    work.amount = rival_amount(r, &w->s);
    what.name = name, what.layout = r->layout, what.type = r->q8 ? "q8_0" : what.type;
    got = measure(o, &what, decode ? PEAK_READ : peak_of_products(w->s.type), &work);
    got.isa = r->run == plain_attend ? plain_isa() : "own", got.error = error, got.checked = 1;
    got.ratio = got.ms / ours, got.ratio_to = r->q8 ? "ours of int8" : "ours";
    if (r->flash) got.note = flash_version();
    report_add(&got);
    flash_close(flash);
    machine_free(out, (size_t)n * sizeof *out);
}

static const char *name_of(const rival *r, int curve) { return curve ? r->curve : r->name; }

static int rival_wanted(const options *o, const rival *r, int curve)
{
    const char *name = name_of(r, curve);
    return name && wanted(o, name) && present(r);
}

int rivals_wanted(const options *o, int curve)
{
    size_t i;
    for (i = 0; i < N_RIVALS; i++)
        if (rival_wanted(o, &rivals[i], curve)) return 1;
    return 0;
}

static int in_time(const rival *r, const setting *s)
{
    return r->most_flops == 0 || attend_flops(s) <= r->most_flops;
}

void rivals_at(const options *o, const setting *s, int curve)
{
    double ours[2] = { 0, 0 };             /* f16, int8 */
    size_t i;
    attend w;
    for (i = 0; i < N_RIVALS; i++) {
        double *ms = &ours[rivals[i].q8];
        if (rival_wanted(o, &rivals[i], curve) && in_time(&rivals[i], s) && *ms == 0)
            *ms = ours_ms(o, s, rivals[i].q8 ? LCTX_I8 : LCTX_F16);
    }
    attend_open(&w, s);
    for (i = 0; i < N_RIVALS; i++)
        if (rival_wanted(o, &rivals[i], curve) && in_time(&rivals[i], s))
            rival_run(o, &rivals[i], name_of(&rivals[i], curve), &w, ours[rivals[i].q8]);
    attend_close(&w);
}

typedef struct against_row { setting s; int quick; } against_row;

enum { K = 1024 };
static const against_row against_rows[] = {
    { { "decode",  1,    32 * K,  128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 1 },
    { { "decode",  1,    128 * K, 128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 0 },
    { { "prefill", 64,   4 * K,   128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 1 },
    { { "prefill", 512,  4 * K,   128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 0 },
    { { "prefill", 512,  16 * K,  128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 0 },
    { { "square",  4096, 4096,    128, 32, 8, LCTX_F16, TOKEN_MAJOR, 0, 0 }, 0 },
};

void baseline_section(const options *o)
{
    size_t i;
    report_heading("OTHERS (ratio: their time over ours in the native layout)");
    if (wanted(o, "openblas") && !blas_open()) report_note("SKIPPED openblas: not installed");
    if (wanted(o, "ggml") && !flash_built_in())
        report_note("SKIPPED ggml: build with GGML=<prefix of an installed ggml>");
    if (!rivals_wanted(o, 0)) return;
    for (i = 0; i < sizeof against_rows / sizeof *against_rows; i++)
        if (!o->quick || against_rows[i].quick) rivals_at(o, &against_rows[i].s, 0);
}
