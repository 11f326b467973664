/* limits.c - the machine's limits by themselves. */
#include "bench.h"

#include <stdio.h>

static void limit_row(const options *o, peak p)
{
    const job j = peak_job(p);
    const timing t = machine_time(NULL, &j, seconds_each(o) / 2, rounds_each(o));
    result r = { 0 };
    r.what.name = peak_name(p), r.note = peak_how(p);
    r.threads = machine_threads(), r.ms = t.ms, r.spread = t.spread;
    r.achieved = t.rate / 1e9, r.unit = peak_unit(p);
    report_add(&r);
}

void limits_section(const options *o)
{
    const double clock = o->only ? 0 : peak_clock();
    char text[128];
    int p;
    report_heading("LIMITS (in the rows below they are measured again, in turn with the work)");
    for (p = 0; p < PEAK_COUNT; p++)
        if (peak_present((peak)p) && wanted(o, peak_name((peak)p))) limit_row(o, (peak)p);
    if (clock == 0) return;
    snprintf(text, sizeof text, "one core does %.2f G dependent additions a second: its clock",
             clock / 1e9);
    report_note(text);
}
