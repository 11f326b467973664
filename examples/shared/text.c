#include "text.h"
#include "unicode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- printing */
void text_write(text_out *out, const char *bytes, size_t n)
{
    size_t i, whole;
    for (i = 0; i < n; i++) {
        out->held[out->n_held++] = out->last = bytes[i];
        whole = unicode_whole(out->held, out->n_held);
        if (!whole) continue;
        fwrite(out->held, 1, whole, out->file);
        out->n_held -= whole;
        memmove(out->held, out->held + whole, out->n_held);
    }
}

void text_end(text_out *out)
{
    fwrite(out->held, 1, out->n_held, out->file);
    out->n_held = 0;
}

/* -------------------------------------------------------------------------------- logits */
uint64_t text_random(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

int32_t text_argmax(const float *logits, int32_t n)
{
    int32_t i, best = 0;
    for (i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

double text_bits(const float *logits, int32_t n, int32_t token)
{
    double max = (double)logits[text_argmax(logits, n)], sum = 0;
    int32_t i;
    for (i = 0; i < n; i++) sum += exp((double)logits[i] - max);
    return (max - (double)logits[token] + log(sum)) / log(2.0);
}

static int compare_items(const void *a, const void *b)
{
    const struct sampler_item *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

int32_t sampler_draw(sampler *s, const float *logits, int32_t n)
{
    double max = (double)logits[text_argmax(logits, n)], sum = 0, kept = 0, draw;
    int32_t i, n_kept;
    if (s->temperature <= 0) return text_argmax(logits, n);
    for (i = 0; i < n; i++) {
        s->items[i].token = i;
        s->items[i].p = exp(((double)logits[i] - max) / s->temperature);
        sum += s->items[i].p;
    }
    qsort(s->items, (size_t)n, sizeof *s->items, compare_items);
    for (n_kept = 0; n_kept < n && kept < s->top_p * sum; n_kept++) kept += s->items[n_kept].p;
    draw = (double)(text_random(&s->state) >> 11) / 9007199254740992.0 * kept;
    for (i = 0; i < n_kept - 1 && draw >= s->items[i].p; i++) draw -= s->items[i].p;
    return s->items[i].token;
}
