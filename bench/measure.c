#include "measure.h"

#include <string.h>

int wanted(const options *o, const char *name) { return !o->only || strstr(name, o->only) != NULL; }
double seconds_each(const options *o) { return o->quick ? 0.3 : 3; }
int rounds_each(const options *o) { return o->quick ? 3 : 7; }

result result_start(const shape *what)
{
    result r = { 0 };
    r.what = *what, r.isa = isa_name(), r.threads = machine_threads();
    return r;
}

static void put_time(result *r, const timing *t)
{
    r->ms = t->ms, r->spread = t->spread, r->achieved = t->rate / 1e9;
}

static void put_limit(result *r, peak limit, double rate)
{
    r->limit = rate / 1e9, r->unit = peak_unit(limit), r->bound = peak_bound(limit);
}

result measure(const options *o, const shape *what, peak limit, const job *work)
{
    const job bound = peak_job(limit);
    const timing t = machine_time(&bound, work, seconds_each(o), rounds_each(o));
    result r = result_start(what);
    put_time(&r, &t);
    put_limit(&r, limit, t.limit);
    return r;
}

void measure_ratio(const options *o, result *r, const job *other, const char *name,
                   const job *work, double most)
{
    const timing t = machine_time(other, work, seconds_each(o), rounds_each(o));
    put_time(r, &t);
    r->ratio = t.ms / t.limit_ms, r->ratio_to = name, r->ratio_aim = most;
}

/* ---- attention */
typedef struct bounds { peak near, far; double near_amount, far_amount, aim; } bounds;

/* The aim that allows more time comes first. */
static bounds bounds_of(const setting *s, aims a)
{
    const peak products = peak_of_products(s->type);
    const double bytes = attend_bytes(s), flops = attend_flops(s);
    const double read = (a.read > 0 ? a.read : 1) * peak_known(PEAK_READ);
    const double rate = (a.products > 0 ? a.products : 1) * peak_known(products);
    const bounds memory = { PEAK_READ, products, bytes, flops, a.read };
    const bounds arithmetic = { products, PEAK_READ, flops, bytes, a.products };
    return bytes / read >= flops / rate ? memory : arithmetic;
}

result measure_attend(const options *o, const setting *s, aims a)
{
    const bounds b = bounds_of(s, a);
    const shape what = attend_shape(s);
    attend w;
    job work = { attend_run, &w, 0 };
    double error;
    result r;
    attend_open(&w, s);
    error = attend_check(&w);
    work.amount = b.near_amount;
    r = measure(o, &what, b.near, &work);
    r.aim = b.aim, r.error = error, r.checked = 1;
    if (s->n_q == 1) {
        r.of_peak = b.far_amount / (r.ms / 1e3) / peak_now(b.far);
        r.peak = peak_bound(b.far);
    }
    attend_close(&w);
    return r;
}

result measure_beside(const options *o, const setting *s, const setting *other, const char *name,
                      double most)
{
    const aims none = { 0, 0 };
    const bounds b = bounds_of(s, none);
    const shape what = attend_shape(s);
    attend w, x;
    job work = { attend_run, &w, 0 }, beside = { attend_run, &x, 0 };
    result r = result_start(&what);
    attend_open(&w, s), attend_open(&x, other);
    r.error = attend_check(&w), r.checked = 1;
    work.amount = b.near_amount;
    measure_ratio(o, &r, &beside, name, &work, most);
    put_limit(&r, b.near, peak_now(b.near));
    attend_close(&w), attend_close(&x);
    return r;
}

double error_of(int64_t n, const float *x, const float *ref)
{
    double wrong = 0, all = 0;
    int64_t i;
    for (i = 0; i < n; i++) {
        const double e = (double)x[i] - (double)ref[i];
        wrong += e * e, all += (double)ref[i] * (double)ref[i];
    }
    return wrong / all;
}
