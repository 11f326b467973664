#include "hyper.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES = 7 };

typedef struct work {
    const layer_rows *x;
    const hyper *h;
    const float *q;
    float *plane;                 /* [PLANES][dim] */
    uint64_t state;
    float *out, *lse;
} work;

/* About normal. */
static float noise(uint64_t *state)
{
    float sum = -6;
    int i;
    for (i = 0; i < 12; i++) sum += (float)(text_random(state) >> 40) / 16777216.0f;
    return sum;
}

/* The side of each plane that x lies on, as a place along a path that crosses one plane at a time:
   neighbours differ by one side. */
static int32_t hash(const work *w, const float *x)
{
    int32_t sides = 0, p, i;
    for (p = 0; p < PLANES; p++) {
        float sum = 0;
        for (i = 0; i < w->x->dim; i++) sum += w->plane[p * w->x->dim + i] * x[i];
        sides = 2 * sides + (sum > 0);
    }
    for (p = 1; p < PLANES; p *= 2) sides ^= sides >> p;      /* Gray's code, read back */
    return sides;
}

/* order[heads][n]: tokens first .. first+n-1 by their hashes, of equal ones in order. */
static int32_t *sorted(const work *w, const float *rows, int32_t heads, int64_t first, int64_t n)
{
    int32_t *order = run_alloc(heads * n, sizeof *order), *place = run_alloc(n, sizeof *place), g;
    int64_t count[1 + (1 << PLANES)], t;
    int i;
    for (g = 0; g < heads; g++) {
        memset(count, 0, sizeof count);
        for (t = 0; t < n; t++) {
            place[t] = hash(w, rows + ((first + t) * heads + g) * w->x->dim);
            count[place[t] + 1]++;
        }
        for (i = 1; i < 1 << PLANES; i++) count[i] += count[i - 1];
        for (t = 0; t < n; t++) order[g * n + count[place[t]]++] = (int32_t)(first + t);
    }
    free(place);
    return order;
}

/* Row r of head g is that of token order[g][pick[r]]; pick null: r. */
static float *gathered(const work *w, const float *rows, int32_t heads, const int32_t *order,
                       int64_t n, const int32_t *pick, int64_t n_pick)
{
    const int32_t d = w->x->dim;
    float *to = run_alloc(n_pick * heads * d, sizeof *to);
    int64_t r;
    int32_t g;
    for (r = 0; r < n_pick; r++)
        for (g = 0; g < heads; g++)
            memcpy(to + (r * heads + g) * d,
                   rows + ((int64_t)order[g * n + (pick ? pick[r] : r)] * heads + g) * d,
                   (size_t)d * sizeof *to);
    return to;
}

static void attend(lctx_attn *a, const work *w, const float *k, const float *v, int64_t n)
{
    lctx_span keys = {0};
    size_t bytes;
    void *scratch;
    keys.k = k, keys.v = v, keys.n = n;
    a->n_head = w->x->n_head, a->n_head_kv = w->x->n_head_kv, a->d_k = w->x->dim;
    a->spans = &keys, a->n_spans = 1, a->par = &w->x->par;
    run_check(lctx_attend_size(a, &bytes), "attention");
    scratch = run_alloc((int64_t)bytes, 1);
    run_check(lctx_attend(a, scratch, bytes), "attention");
    free(scratch);
}

/* Sorted queries on the block of sorted keys that stands where they do. */
static void diagonal(const work *w, lctx_attn *a, const float *k, const float *v, int64_t n)
{
    const int64_t block = w->h->block, all = (n + block - 1) / block;
    const int64_t rows = (a->n_q + block - 1) / block;
    int32_t *list = run_alloc(rows, sizeof *list);
    int64_t i;
    for (i = 0; i < rows; i++) list[i] = (int32_t)(i < all ? i : all - 1);
    a->list = list, a->list_len = 1, a->list_queries = block, a->list_keys = (int32_t)block;
    attend(a, w, k, v, n);
    a->list = NULL;
    free(list);
}

/* Sorted queries on a sample of the other columns, as many as it stands for. */
static void columns(const work *w, lctx_attn *a, const float *k, const float *v,
                    const int32_t *pick, int64_t m, int64_t n)
{
    const int64_t block = w->h->block, words = (m + 63) / 64, last = (n - 1) / block;
    uint64_t *bits = run_alloc(a->n_q * words, sizeof *bits);
    int64_t t, i;
    for (t = 0; t < a->n_q; t++)
        for (i = 0; i < m; i++)
            if (pick[i] / block != (t / block < last ? t / block : last))
                bits[t * words + i / 64] |= (uint64_t)1 << i % 64;
    a->mask_bits = bits, a->mask_head = -1;
    attend(a, w, k, v, m);
    for (t = 0; !w->h->bare && t < a->n_q * a->n_head; t++)
        a->lse[t] += logf((float)n / (float)m);
    a->mask_bits = NULL;
    free(bits);
}

/* Merges what sorted queries have into the rows of the tokens that they are of. */
static void join(const work *w, const int32_t *order, int64_t n, float *const out[2],
                 float *const lse[2])
{
    const int32_t heads = w->x->n_head, d = w->x->dim;
    int64_t r;
    int32_t h;
    for (r = 0; r < n; r++)
        for (h = 0; h < heads; h++) {
            const int64_t from = r * heads + h, to = (int64_t)order[h * n + r] * heads + h;
            const float *outs[3], *lses[3];
            int i;
            for (i = 0; i < 2; i++) outs[i] = out[i] + from * d, lses[i] = lse[i] + from;
            outs[2] = w->out + to * d, lses[2] = w->lse + to;
            run_check(lctx_merge(1, d, 3, outs, lses, w->out + to * d, w->lse + to), "merge");
        }
}

/* m places of n, none twice; each as likely as any other. */
static void sample(work *w, int64_t n, int64_t m, int32_t *pick)
{
    int32_t *all = run_alloc(n, sizeof *all);
    int64_t i;
    for (i = 0; i < n; i++) all[i] = (int32_t)i;
    for (i = 0; i < m; i++) {
        const int64_t j = i + (int64_t)(text_random(&w->state) % (uint64_t)(n - i));
        pick[i] = all[j];
        all[j] = all[i];
    }
    free(all);
}

/* Queries middle .. end-1 on keys first .. middle-1, all of which they see. */
static void square(work *w, int64_t first, int64_t middle, int64_t end)
{
    const layer_rows *x = w->x;
    const int64_t n = middle - first, n_q = end - middle;
    const int64_t m = w->h->sample < n ? w->h->sample : n;
    int32_t *q_order = sorted(w, x->q, x->n_head, middle, n_q);
    int32_t *k_order = sorted(w, x->k, x->n_head_kv, first, n), *pick = run_alloc(m, sizeof *pick);
    float *q = gathered(w, w->q, x->n_head, q_order, n_q, NULL, n_q);
    float *k = gathered(w, x->k, x->n_head_kv, k_order, n, NULL, n);
    float *v = gathered(w, x->v, x->n_head_kv, k_order, n, NULL, n);
    float *some_k, *some_v, *out[2], *lse[2];
    lctx_attn a = {0};
    int64_t i;
    sample(w, n, m, pick);
    some_k = gathered(w, x->k, x->n_head_kv, k_order, n, pick, m);
    some_v = gathered(w, x->v, x->n_head_kv, k_order, n, pick, m);
    for (i = 0; i < 2; i++) {
        out[i] = run_alloc(n_q * x->n_head * x->dim, sizeof **out);
        lse[i] = run_alloc(n_q * x->n_head, sizeof **lse);
    }
    a.n_q = n_q, a.q = q, a.mask = LCTX_MASK_NONE;
    a.out = out[0], a.lse = lse[0];
    diagonal(w, &a, k, v, n);
    a.out = out[1], a.lse = lse[1];
    columns(w, &a, some_k, some_v, pick, m, n);
    join(w, q_order, n_q, out, lse);
    for (i = 0; i < 2; i++) free(out[i]), free(lse[i]);
    free(q_order), free(k_order), free(pick), free(q), free(k), free(v), free(some_k), free(some_v);
}

/* Queries on keys, as they stand; causal where both begin alike. */
static void exactly(const work *w, int64_t first, int64_t end, int64_t key, int64_t n, float *out,
                    float *lse)
{
    const layer_rows *x = w->x;
    const int64_t kv = (int64_t)x->n_head_kv * x->dim;
    lctx_attn a = {0};
    a.n_q = end - first, a.q = w->q + first * x->n_head * x->dim, a.q_pos0 = first - key;
    a.out = out, a.lse = lse;
    attend(&a, w, x->k + key * kv, x->v + key * kv, n);
}

static void causal(work *w, int64_t first, int64_t end)
{
    const int64_t heads = w->x->n_head, row = heads * w->x->dim;
    const int64_t middle = first + (end - first) / 2;
    if (end - first <= w->h->exact) {
        exactly(w, first, end, first, end - first, w->out + first * row, w->lse + first * heads);
        return;
    }
    causal(w, first, middle);
    causal(w, middle, end);
    square(w, first ? first : w->h->first, middle, end);
    if (!first && w->h->first) {
        float *out = run_alloc((end - middle) * row, sizeof *out);
        float *lse = run_alloc((end - middle) * heads, sizeof *lse);
        const float *outs[2], *lses[2];
        outs[0] = w->out + middle * row, lses[0] = w->lse + middle * heads;
        outs[1] = out, lses[1] = lse;
        exactly(w, middle, end, 0, w->h->first, out, lse);
        run_check(lctx_merge((end - middle) * heads, w->x->dim, 2, outs, lses,
                             w->out + middle * row, w->lse + middle * heads), "merge");
        free(out);
        free(lse);
    }
}

void hyper_attend(const layer_rows *x, const hyper *h, const float *q, float *out, float *lse)
{
    work w = { x, h, q ? q : x->q, NULL, 1, out, lse };
    int32_t i;
    w.plane = run_alloc(PLANES * x->dim, sizeof *w.plane);
    for (i = 0; i < PLANES * x->dim; i++) w.plane[i] = noise(&w.state);
    causal(&w, 0, x->n);
    free(w.plane);
}
