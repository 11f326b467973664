/* test_refused.c - what a call refuses it names: for every check, one field is set wrong, and the
   report must name just that status, struct, field and place; a good call takes it back, none is
   needed, and nothing else is written. */
#include "lctx.h"
#include "test.h"

#include <math.h>

enum { DIM = 16, HEADS = 4, KV = 2, KEYS = 70, LAYERS = 8, WIDE = 64, VOCAB = 10 };
#define FAR ((int64_t)1 << 60)     /* a stride that leads out of memory */

/* All that calls are given: good at first, one field of it wrong at a time. */
typedef struct world {
    lctx_allocator alloc;
    lctx_parallel par;
    lctx_pool_desc pool;
    lctx_pool **pool_out;
    lctx_threads_desc threads;
    lctx_threads **threads_out;
    lctx_rope_desc rope_desc;
    double list[2][8];
    lctx_rope rope, *rope_out;
    const lctx_rope *rope_in;
    lctx_rope_job job;
    float x[8 * HEADS * DIM];
    int64_t pos[8];
    int32_t group[8];
    lctx_tiles tiles;
    lctx_rows rows;
    const lctx_tiles *tiles_in;
    const lctx_rows *rows_in;
    int64_t first, n;
    size_t *bytes_out;
    lctx_span *span_out;
    lctx_span span[4];
    int64_t k_pos[KV * KEYS];
    lctx_attn attn;
    const lctx_attn *attn_in;
    lctx_pattern pattern;
    lctx_far_rule far_rule;
    void *scratch;
    size_t scratch_bytes;
    lctx_recurrence recurrence;
    lctx_convolution convolution;
    lctx_snapshots snapshots;
    lctx_cache_desc cache_desc;
    lctx_cache **cache_out, *cache;
    int64_t *tokens_out, bytes;
    lctx_select select;
    lctx_retrieve retrieve;
    const lctx_retrieve *retrieve_in;
    lctx_choice choice;
    const lctx_choice *choice_in;
    int32_t *list_out;
    lctx_model model;
    const lctx_model *model_in;
    lctx_layer layer[LAYERS];
    lctx_session_desc session_desc;
    const lctx_session_desc *session_desc_in;
    lctx_session **session_out, *session;
    int32_t token[4];
    const int32_t *tokens;
    lctx_logits which;
    float *logits;
} world;

static world w, good;
static lctx_refusal report;
static int poor;      /* the allocator has nothing */

static float memory[4 * 1024], weights[WIDE * WIDE], wide[KV * 1024];
static char scratch[4 << 20];
static lctx_cache *full, *sinks, *heavy, *four_bits;
static lctx_session *session;

static void *alloc(void *user, size_t size, size_t align)
{
    char *raw = poor ? NULL : (char *)malloc(size + align + sizeof raw), *p;
    (void)user;
    if (!raw) return NULL;
    p = raw + sizeof raw;
    p += (align - (uintptr_t)p % align) % align;
    memcpy(p - sizeof raw, &raw, sizeof raw);
    return p;
}
static void release(void *user, void *p, size_t size)
{
    char *raw;
    (void)user, (void)size;
    memcpy(&raw, (char *)p - sizeof raw, sizeof raw);
    free(raw);
}
static int cancel(void *user, int64_t done, int64_t total)
{
    (void)user, (void)done, (void)total;
    return 1;
}

/* ---------------------------------------------------------------------------- the check */

static int same(const char *a, const char *b) { return a && b ? !strcmp(a, b) : a == b; }
static int says(lctx_status st, const char *type, const char *field, int64_t index,
                int64_t element)
{
    return report.status == (int32_t)st && same(report.type, type) && same(report.field, field)
           && report.index == index && report.element == element && report.reserved == 0;
}

/* With something wrong in w, the call must give st and this report in *lent, touch nothing else,
   give st without a report, too, and, when all is well again, take the report back. */
static void refuses(const char *name, lctx_status (*call)(void), lctx_refusal **lent,
                    lctx_status st, const char *type, const char *field, int64_t index,
                    int64_t element)
{
    static world before;
    char text[200];
    lctx_status got;
    memset(&report, 0x5a, sizeof report);
    *lent = &report;
    before = w;
    got = call();
    lctx_refusal_text(&report, text, sizeof text);
    check(got == st && says(st, type, field, index, element),
          "%s refuses %s.%s [%d] [%d] with \"%s\" (gave \"%s\", said %s)", name, type ? type : "-",
          field ? field : "-", (int)index, (int)element, lctx_status_text(st),
          lctx_status_text(got), report.status == 0x5a5a5a5a ? "nothing" : text);
    check(!memcmp(&before, &w, sizeof w), "%s refusing %s writes to its report alone", name,
          field ? field : "-");
    *lent = NULL;
    check(call() == st, "%s refuses %s without a report as well", name, field ? field : "-");
    w = good, poor = 0;
    *lent = &report;
    report.status = LCTX_STATUS_COUNT, report.type = report.field = "stale";
    got = call();
    check(got == LCTX_OK && says(LCTX_OK, NULL, NULL, -1, -1), "a good %s after it clears the "
          "report of %s (\"%s\")", name, field ? field : "-", lctx_status_text(got));
    w = good;
}
#define REFUSES(change, call, lent, st, type, field, index, element) \
    do { change; refuses(#call, call, &(lent), LCTX_##st, type, field, index, element); } while (0)

/* ---------------------------------------------------------------------------- ground and rope */

static lctx_status pool_create(void)
{
    const lctx_status st = lctx_pool_create(&w.pool, w.pool_out);
    return st ? st : lctx_pool_free(*w.pool_out);
}
static lctx_status threads_create(void)
{
    const lctx_status st = lctx_threads_create(&w.threads, w.threads_out);
    if (!st) lctx_threads_free(*w.threads_out);
    return st;
}
static void test_pools(void)
{
#define BAD(change, st, type, field) \
    REFUSES(change, pool_create, w.pool.refused, st, type, field, -1, -1)
    BAD(w.pool_out = NULL, E_NULL, NULL, "pool");
    BAD(w.pool.max_bytes = -1, E_COUNT, "lctx_pool_desc", "max_bytes");
    BAD(poor = 1, E_MEMORY, NULL, NULL);
#undef BAD
#define BAD(change, st, type, field) \
    REFUSES(change, threads_create, w.threads.refused, st, type, field, -1, -1)
    BAD(w.threads_out = NULL, E_NULL, NULL, "threads");
    BAD(w.threads.n_threads = -1, E_THREADS, "lctx_threads_desc", "n_threads");
    BAD(w.threads.spin = -2, E_COUNT, "lctx_threads_desc", "spin");
    BAD(poor = 1, E_MEMORY, NULL, NULL);
#undef BAD
}

static lctx_status rope_init(void) { return lctx_rope_init(w.rope_out, &w.rope_desc); }
static void test_rope_descs(void)
{
    lctx_rope_desc *d = &w.rope_desc;
#define BAD(change, st, field) \
    REFUSES(change, rope_init, d->refused, st, "lctx_rope_desc", field, -1, -1)
    REFUSES(w.rope_out = NULL, rope_init, d->refused, E_NULL, NULL, "rope", -1, -1);
    BAD(d->scheme = -1, E_ENUM, "scheme");
    BAD(d->scheme = LCTX_ROPE_SCHEME_COUNT, E_ENUM, "scheme");
    BAD(d->pairing = 2, E_ENUM, "pairing");
    BAD(d->n_rot = 3, E_N_ROT, "n_rot");
    BAD(d->n_rot = 0, E_N_ROT, "n_rot");
    BAD(d->n_rot = LCTX_MAX_ROT + 2, E_N_ROT, "n_rot");
    BAD((d->n_rot = 2, d->scheme = LCTX_ROPE_NTK), E_N_ROT, "n_rot");
    BAD(d->theta = 1, E_THETA, "theta");
    BAD(d->factor = 0.5, E_FACTOR, "factor");
    BAD((d->factor = 1e308, d->scheme = LCTX_ROPE_NTK), E_FACTOR, "factor");
    BAD((d->orig_ctx = 0, d->scheme = LCTX_ROPE_YARN), E_ORIG_CTX, "orig_ctx");
    BAD((d->orig_ctx = 1, d->scheme = LCTX_ROPE_LONGROPE), E_ORIG_CTX, "orig_ctx");
    BAD((d->ctx = -1, d->scheme = LCTX_ROPE_DYNAMIC), E_CTX, "ctx");
    BAD((d->beta_slow = -1, d->scheme = LCTX_ROPE_YARN), E_BETA, "beta_slow");
    BAD((d->beta_fast = 0.5, d->scheme = LCTX_ROPE_YARN), E_BETA, "beta_fast");
    BAD((d->low_freq = -1, d->scheme = LCTX_ROPE_LLAMA3), E_FREQ_FACTOR, "low_freq");
    BAD((d->high_freq = 0.5, d->scheme = LCTX_ROPE_LLAMA3), E_FREQ_FACTOR, "high_freq");
    BAD(d->attn_factor = -1, E_MSCALE, "attn_factor");
    BAD(d->mscale = -1, E_MSCALE, "mscale");
    BAD(d->mscale_all_dim = NAN, E_MSCALE, "mscale_all_dim");
    BAD(d->short_mscale = -1, E_MSCALE, "short_mscale");
    BAD(d->long_mscale = INFINITY, E_MSCALE, "long_mscale");
    BAD((d->mscale_all_dim = 1e200, d->scheme = LCTX_ROPE_YARN), E_MSCALE, "mscale_all_dim");
    BAD((d->mscale = 1.7e308, d->mscale_all_dim = 1, d->factor = 1e300, d->scheme = LCTX_ROPE_YARN),
        E_MSCALE, "mscale");
    BAD(d->n_hat = -1, E_N_HAT, "n_hat");
    BAD(d->xpos_base = -1, E_XPOS, "xpos_base");
    BAD(d->xpos_center = -1, E_XPOS, "xpos_center");
    BAD((d->scheme = LCTX_ROPE_RAW, d->freq = NULL), E_TABLE, "freq");
    BAD((d->scheme = LCTX_ROPE_RAW, d->n_freq = 3), E_TABLE_SIZE, "n_freq");
    BAD((d->scheme = LCTX_ROPE_LONGROPE, d->short_factor = NULL), E_TABLE, "short_factor");
    BAD((d->scheme = LCTX_ROPE_LONGROPE, d->n_short = 7), E_TABLE_SIZE, "n_short");
    BAD((d->scheme = LCTX_ROPE_LONGROPE, d->long_factor = NULL), E_TABLE, "long_factor");
    BAD((d->scheme = LCTX_ROPE_LONGROPE, d->n_long = 9), E_TABLE_SIZE, "n_long");
#undef BAD
#define BAD(scheme_, change, field, element) \
    REFUSES((d->scheme = LCTX_ROPE_##scheme_, change), rope_init, d->refused, E_TABLE, \
            "lctx_rope_desc", field, -1, element)
    BAD(RAW, w.list[0][2] = NAN, "freq", 2);
    BAD(LONGROPE, w.list[0][7] = 0, "short_factor", 7);
    BAD(LONGROPE, w.list[1][0] = -1, "long_factor", 0);
#undef BAD
}

static lctx_status rope_apply(void) { return lctx_rope_apply(w.rope_in, &w.job); }

/* A schedule's own faults, whoever takes it: the call reports them alike. */
static void schedule_faults(const char *name, lctx_status (*call)(void), lctx_refusal **lent,
                            int64_t index)
{
#define BAD(change, st, field, element) \
    do { \
        change; \
        refuses(name, call, lent, LCTX_##st, "lctx_rope", field, index, element); \
    } while (0)
    lctx_rope *r = &w.rope;
    BAD(r->n_rot = 3, E_N_ROT, "n_rot", -1);
    BAD(r->n_rot = DIM + 2, E_N_ROT, "n_rot", -1);
    BAD(r->pairing = -1, E_ENUM, "pairing", -1);
    BAD(r->attn_factor = 0, E_MSCALE, "attn_factor", -1);
    BAD(r->scale_mul = NAN, E_MSCALE, "scale_mul", -1);
    BAD(r->freq[4] = NAN, E_TABLE, "freq", 4);
    BAD(r->plain[7] = INFINITY, E_TABLE, "plain", 7);
    BAD(r->n_hat = -1, E_N_HAT, "n_hat", -1);
    BAD(r->xpos_base = -1, E_XPOS, "xpos_base", -1);
    BAD(r->xpos_center = -1, E_XPOS, "xpos_center", -1);
#undef BAD
}

static void test_rope_jobs(void)
{
    lctx_rope_job *j = &w.job;
    schedule_faults("rope_apply", rope_apply, &j->refused, -1);
    REFUSES(w.rope_in = NULL, rope_apply, j->refused, E_NULL, NULL, "rope", -1, -1);
    REFUSES((j->par = &w.par, w.par.n_threads = -1), rope_apply, j->refused, E_THREADS,
            "lctx_parallel", "n_threads", -1, -1);
    REFUSES((j->pos = w.pos, w.pos[2] = -1), rope_apply, j->refused, E_POS, "lctx_rope_job", "pos",
            -1, 2);
    REFUSES((j->pos = w.pos, w.pos[1] = 100000, w.rope.xpos_base = 10), rope_apply, j->refused,
            E_XPOS_FAR, "lctx_rope_job", "pos", -1, 1);
#define BAD(change, st, field) \
    REFUSES(change, rope_apply, j->refused, st, "lctx_rope_job", field, -1, -1)
    BAD(j->x = NULL, E_NULL, "x");
    BAD(j->out = NULL, E_NULL, "out");
    BAD(j->sin = w.x, E_NULL, "cos");
    BAD(j->cos = w.x, E_NULL, "sin");
    BAD(j->n_tok = -1, E_COUNT, "n_tok");
    BAD(j->n_head = 0, E_COUNT, "n_head");
    BAD(j->side = 2, E_ENUM, "side");
    BAD(j->x_head = 4, E_STRIDE, "x_head");
    BAD(j->out_head = 4, E_STRIDE, "out_head");
    BAD(j->x_token = 1001, E_STRIDE, "x_token");
    BAD(j->out_token = -4, E_STRIDE, "out_token");
    BAD(j->cos_token = 4, E_STRIDE, "cos_token");
    BAD(j->sin_token = 4, E_STRIDE, "sin_token");
    BAD(j->n_head = j->head_dim = INT32_MAX, E_OVERFLOW, "x_head");
    BAD(j->x_head = FAR, E_OVERFLOW, "x_head");
    BAD(j->out_head = FAR, E_OVERFLOW, "out_head");
    BAD(j->x_token = FAR, E_OVERFLOW, "x_token");
    BAD(j->out_token = FAR, E_OVERFLOW, "out_token");
    BAD(j->cos_token = FAR, E_OVERFLOW, "cos_token");
    BAD(j->sin_token = FAR, E_OVERFLOW, "sin_token");
    BAD(j->pos0 = -1, E_POS, "pos0");
    BAD((j->pos0 = 100000, w.rope.xpos_base = 10), E_XPOS_FAR, "pos0");
#undef BAD
}

/* ---------------------------------------------------------------------------- attention */

static lctx_status tiles_size(void) { return lctx_tiles_size(&w.tiles, w.bytes_out); }
static lctx_status tiles_write(void) { return lctx_tiles_write(w.tiles_in, w.first, w.rows_in); }
static lctx_status tiles_read(void) { return lctx_tiles_read(&w.tiles, w.first, w.n, NULL, NULL); }
static lctx_status tiles_span(void)
{
    return lctx_tiles_span(&w.tiles, w.first, w.n, w.pos[0], w.span_out);
}

/* Keys and values to be stored, whoever takes them. */
static void rows_faults(const char *name, lctx_status (*call)(void))
{
    lctx_rows *r = &w.rows;
#define BAD(change, st, field) \
    do { \
        change; \
        refuses(name, call, &r->refused, LCTX_##st, "lctx_rows", field, -1, -1); \
    } while (0)
    BAD(r->k = NULL, E_NULL, "k");
    BAD(r->v = NULL, E_NULL, "v");
    BAD(r->n = -1, E_COUNT, "n");
    BAD(r->k_head = 4, E_STRIDE, "k_head");
    BAD(r->v_head = 4, E_STRIDE, "v_head");
    BAD(r->k_token = 4, E_STRIDE, "k_token");
    BAD(r->v_token = 1001, E_STRIDE, "v_token");
    BAD(r->k_head = 2 * FAR, E_OVERFLOW, "k_head");
    BAD(r->v_head = 2 * FAR, E_OVERFLOW, "v_head");
    BAD(r->k_token = FAR, E_OVERFLOW, "k_token");
    BAD(r->v_token = FAR, E_OVERFLOW, "v_token");
#undef BAD
}

static void test_tiles(void)
{
    lctx_tiles *t = &w.tiles;
#define BAD(change, st, field) \
    REFUSES(change, tiles_size, t->refused, st, "lctx_tiles", field, -1, -1); \
    REFUSES(change, tiles_write, t->refused, st, "lctx_tiles", field, -1, -1); \
    REFUSES(change, tiles_span, t->refused, st, "lctx_tiles", field, -1, -1)
    BAD(t->n_head_kv = 0, E_COUNT, "n_head_kv");
    BAD(t->cap = 65, E_COUNT, "cap");
    BAD(t->cap = 0, E_COUNT, "cap");
    BAD(t->k_type = 9, E_TYPE, "k_type");
    BAD(t->v_type = -1, E_TYPE, "v_type");
    BAD(t->d_k = 0, E_HEAD_DIM, "d_k");
    BAD(t->d_v = 65537, E_HEAD_DIM, "d_v");
    BAD(t->cap = FAR, E_OVERFLOW, "cap");
#undef BAD
#define BAD(change, call, st, type, field) \
    REFUSES(change, call, t->refused, st, type, field, -1, -1)
    BAD(w.bytes_out = NULL, tiles_size, E_NULL, NULL, "bytes");
    BAD(t->mem = NULL, tiles_write, E_NULL, "lctx_tiles", "mem");
    BAD(t->mem = NULL, tiles_read, E_NULL, "lctx_tiles", "mem");
    BAD(w.rows_in = NULL, tiles_write, E_NULL, NULL, "rows");
    BAD(w.first = -1, tiles_write, E_SPAN, NULL, "first");
    BAD(w.first = 62, tiles_write, E_SPAN, NULL, "first");
    BAD((t->k_type = LCTX_I4, w.first = 1), tiles_write, E_SPAN, NULL, "first");
    BAD(w.n = -1, tiles_read, E_SPAN, NULL, "n");
    BAD(w.n = 65, tiles_span, E_SPAN, NULL, "n");
    BAD(w.span_out = NULL, tiles_span, E_NULL, NULL, "span");
    BAD(w.pos[0] = -1, tiles_span, E_POS, NULL, "pos");
#undef BAD
    REFUSES(w.tiles_in = NULL, tiles_write, w.rows.refused, E_NULL, NULL, "tiles", -1, -1);
    rows_faults("tiles_write", tiles_write);
}

static lctx_status attend_size(void) { return lctx_attend_size(&w.attn, w.bytes_out); }
static lctx_status attend(void) { return lctx_attend(&w.attn, w.scratch, w.scratch_bytes); }
/* Raw keys want spans without listed positions. */
static void raw(void) { w.attn.rope = &w.rope; }

static void test_spans(void)
{
    lctx_span *s = &w.span[3];
    lctx_span *t = &w.span[1];
#define BAD(change, st, field) \
    REFUSES(change, attend, w.attn.refused, st, "lctx_span", field, 3, -1); \
    REFUSES(change, attend_size, w.attn.refused, st, "lctx_span", field, 3, -1)
    BAD(s->n = -1, E_COUNT, "n");
    BAD(s->layout = 2, E_ENUM, "layout");
    BAD(s->k_type = LCTX_I4, E_TYPE, "k_type");
    BAD(s->v_type = LCTX_I4, E_TYPE, "v_type");
    BAD(s->query = 2, E_SPAN, "query");
    BAD(s->group = -1, E_GROUP, "group");
    BAD(s->skip = 1, E_SPAN, "skip");
    BAD(s->index = 1, E_SPAN, "index");
    BAD(s->n = FAR, E_SPAN, "n");
    BAD(w.span[2].index = (int64_t)1 << 48, E_SPAN, "index");
    BAD(s->pos = -1, E_POS, "pos");
    BAD(s->k_token = DIM - 1, E_STRIDE, "k_token");
    BAD(s->k_head = DIM - 1, E_STRIDE, "k_head");
    BAD(s->v_token = DIM - 1, E_STRIDE, "v_token");
    BAD(s->v_head = DIM - 1, E_STRIDE, "v_head");
    BAD(s->k_scale_token = 3, E_STRIDE, "k_scale_token");
    BAD(s->k_scale_head = -4, E_STRIDE, "k_scale_head");
    BAD(s->v_scale_token = 3, E_STRIDE, "v_scale_token");
    BAD(s->v_scale_head = -4, E_STRIDE, "v_scale_head");
    BAD(s->k_scale = NULL, E_SCALE, "k_scale");
    BAD(s->v_scale = NULL, E_SCALE, "v_scale");
    BAD(s->k_token = FAR, E_OVERFLOW, "k_token");
    BAD(s->v_token = FAR, E_OVERFLOW, "v_token");
    BAD(s->k_head = 2 * FAR, E_OVERFLOW, "k_head");
    BAD(s->v_head = 2 * FAR, E_OVERFLOW, "v_head");
    BAD(s->k_scale_token = FAR, E_OVERFLOW, "k_scale_token");
    BAD(s->v_scale_token = FAR, E_OVERFLOW, "v_scale_token");
    BAD(s->k_scale_head = 2 * FAR, E_OVERFLOW, "k_scale_head");
    BAD(s->v_scale_head = 2 * FAR, E_OVERFLOW, "v_scale_head");
    BAD((s->k_pos = w.k_pos, s->k_pos_head = 8), E_STRIDE, "k_pos_head");
    BAD((s->k_pos = w.k_pos, s->k_pos_head = 2 * FAR), E_OVERFLOW, "k_pos_head");
    BAD((raw(), s->k_pos = w.k_pos), E_SPAN, "k_pos");
    BAD((raw(), w.rope.xpos_base = 10, s->pos = 1000), E_XPOS_FAR, "pos");
#undef BAD
    REFUSES((s->k_pos = w.k_pos, w.k_pos[KEYS + 5] = 3), attend, w.attn.refused, E_POS, "lctx_span",
            "k_pos", 3, 5);
    REFUSES((s->k_pos = w.k_pos, w.k_pos[0] = -1), attend, w.attn.refused, E_POS, "lctx_span",
            "k_pos", 3, 0);
    REFUSES(s->k = NULL, attend, w.attn.refused, E_NULL, "lctx_span", "k", 3, -1);
    REFUSES(s->v = NULL, attend, w.attn.refused, E_NULL, "lctx_span", "v", 3, -1);
    REFUSES(t->skip = LCTX_TILE, attend, w.attn.refused, E_SPAN, "lctx_span", "skip", 1, -1);
    REFUSES(t->k_token = 4, attend, w.attn.refused, E_STRIDE, "lctx_span", "k_token", 1, -1);
    REFUSES(t->v_head = (1 << 20) + 2, attend, w.attn.refused, E_STRIDE, "lctx_span", "v_head", 1,
            -1);
}

/* A pattern's faults, that of layer `index` or, -1, of an attention. */
static void pattern_faults(const char *name, lctx_status (*call)(void), lctx_refusal **lent,
                           const lctx_pattern **given, int64_t index)
{
    static const int64_t list[] = { 1, 4, 4 };
    lctx_pattern *p = &w.pattern;
#define BAD(change, st, field, element) \
    do { \
        *given = p; \
        change; \
        refuses(name, call, lent, LCTX_##st, "lctx_pattern", field, index, element); \
    } while (0)
    BAD(p->kind = LCTX_PATTERN_COUNT, E_ENUM, "kind", -1);
    BAD((p->kind = LCTX_PATTERN_FIXED, p->length = 0), E_LENGTH, "length", -1);
    BAD((p->kind = LCTX_PATTERN_DILATED, p->dilation = 9), E_DILATION, "dilation", -1);
    BAD((p->kind = LCTX_PATTERN_STRIDED, p->local = -1), E_LOCAL, "local", -1);
    BAD((p->kind = LCTX_PATTERN_FIXED, p->summary = 9), E_LOCAL, "summary", -1);
    BAD((p->kind = LCTX_PATTERN_BLOCKS, p->back = -1), E_LOCAL, "back", -1);
    BAD(p->n_global = -1, E_GLOBAL, "n_global", -1);
    BAD((p->n_global = 1, p->global0 = -1), E_GLOBAL, "global0", -1);
    BAD((p->n_global = 3, p->global = list), E_GLOBAL, "global", 2);
#undef BAD
}

static void test_attn(void)
{
    lctx_attn *a = &w.attn;
    lctx_far_rule *f = &w.far_rule;
#define BAD(change, st, type, field, element) \
    REFUSES(change, attend, a->refused, st, type, field, -1, element); \
    REFUSES(change, attend_size, a->refused, st, type, field, -1, element)
#define FIELD(change, st, field) BAD(change, st, "lctx_attn", field, -1)
    FIELD(a->n_q = -1, E_COUNT, "n_q");
    FIELD(a->n_head = 0, E_COUNT, "n_head");
    FIELD(a->n_head_kv = 0, E_COUNT, "n_head_kv");
    FIELD(a->n_spans = -1, E_COUNT, "n_spans");
    FIELD(a->n_q = FAR, E_OVERFLOW, "n_q");
    FIELD(a->mass_queries = 4, E_COUNT, "mass_queries");
    FIELD(a->n_head_kv = 3, E_HEADS, "n_head");
    FIELD(a->d_k = 0, E_HEAD_DIM, "d_k");
    FIELD(a->d_v = 65537, E_HEAD_DIM, "d_v");
    FIELD(a->mask = 2, E_ENUM, "mask");
    FIELD(a->window = -1, E_WINDOW, "window");
    FIELD(a->n_sink = -1, E_WINDOW, "n_sink");
    FIELD(a->window_right = 1, E_WINDOW, "window_right");
    FIELD(a->list_len = -1, E_LIST, "list_len");
    FIELD(a->list_queries = -1, E_LIST, "list_queries");
    FIELD(a->list_first = -1, E_LIST, "list_first");
    FIELD(a->list_heads = 3, E_LIST, "list_heads");
    FIELD(a->list_keys = -1, E_LIST, "list_keys");
    FIELD(a->mask_query = 4, E_STRIDE, "mask_query");
    FIELD(a->mask_head = -4, E_STRIDE, "mask_head");
    FIELD(a->softcap = -1, E_SOFTCAP, "softcap");
    FIELD(a->scale = NAN, E_SOFTCAP, "scale");
    FIELD(a->spans = NULL, E_NULL, "spans");
    FIELD(a->q_head = 4, E_STRIDE, "q_head");
    FIELD(a->out_head = -4, E_STRIDE, "out_head");
    FIELD(a->q_token = 4, E_STRIDE, "q_token");
    FIELD(a->out_token = 1001, E_STRIDE, "out_token");
    FIELD(a->lse_token = 4, E_STRIDE, "lse_token");
    FIELD(a->bias_query = 4, E_STRIDE, "bias_query");
    FIELD(a->bias_head = -4, E_STRIDE, "bias_head");
    FIELD(a->mass_head = 4, E_STRIDE, "mass_head");
    FIELD(a->q_head = FAR, E_OVERFLOW, "q_head");
    FIELD(a->out_head = FAR, E_OVERFLOW, "out_head");
    FIELD(a->q_token = 2 * FAR, E_OVERFLOW, "q_token");
    FIELD(a->out_token = 2 * FAR, E_OVERFLOW, "out_token");
    FIELD(a->lse_token = 2 * FAR, E_OVERFLOW, "lse_token");
    FIELD((a->bias = w.x, a->bias_head = FAR), E_OVERFLOW, "bias_head");
    FIELD(a->mass_head = 2 * FAR, E_OVERFLOW, "mass_head");
    FIELD((a->q_pos0 = -1, a->mask = LCTX_MASK_NONE), E_POS, "q_pos0");
    FIELD(a->q_pos0 = FAR, E_POS, "q_pos0");
    FIELD(a->far_rule = f, E_NULL, "rope");
    FIELD((raw(), a->far_pos = -1), E_POS, "far_pos");
    FIELD((raw(), w.rope.xpos_base = 10, a->q_pos0 = 1000), E_XPOS_FAR, "q_pos0");
    BAD((a->par = &w.par, w.par.n_threads = 1025), E_THREADS, "lctx_parallel", "n_threads", -1);
    BAD((raw(), a->far_rule = f, f->kind = 9), E_ENUM, "lctx_far_rule", "kind", -1);
    BAD((raw(), a->far_rule = f, f->window = 0), E_FAR_RULE, "lctx_far_rule", "window", -1);
    BAD((raw(), a->far_rule = f, f->group = 0), E_FAR_RULE, "lctx_far_rule", "group", -1);
    BAD((raw(), a->far_rule = f, f->kind = LCTX_FAR_LEAKY, f->leak = NAN), E_FAR_RULE,
        "lctx_far_rule", "leak", -1);
    BAD((raw(), a->far_rule = f, w.rope.n_hat = 1), E_FAR_RULE, "lctx_rope", "n_hat", -1);
    BAD((raw(), a->far_rule = f, w.rope.xpos_base = 512), E_FAR_RULE, "lctx_rope", "xpos_base", -1);
#undef FIELD
#undef BAD
    pattern_faults("attend", attend, &a->refused, &a->pattern, -1);
    good.attn.rope = w.attn.rope = &w.rope;
    schedule_faults("attend", attend, &a->refused, -1);
    good.attn.rope = w.attn.rope = NULL;
#define BAD(change, call, st, type, field) \
    REFUSES(change, call, a->refused, st, type, field, -1, -1)
    BAD(a->q = NULL, attend, E_NULL, "lctx_attn", "q");
    BAD(a->out = NULL, attend, E_NULL, "lctx_attn", "out");
    BAD(a->q_far = NULL, attend, E_NULL, "lctx_attn", "q_far");
    BAD(a->mass = wide, attend, E_NULL, "lctx_attn", "lse");
    REFUSES((a->q_group = w.group, w.group[1] = -1), attend, a->refused, E_GROUP, "lctx_attn",
            "q_group", -1, 1);
    REFUSES((a->list = w.group, a->list_len = 2, w.group[1] = 99), attend, a->refused, E_LIST,
            "lctx_attn", "list", -1, 1);
    REFUSES((a->q_pos = w.pos, w.pos[2] = FAR), attend, a->refused, E_POS, "lctx_attn", "q_pos", -1,
            2);
    REFUSES((raw(), w.rope.xpos_base = 10, a->q_pos = w.pos, w.pos[1] = 1000), attend, a->refused,
            E_XPOS_FAR, "lctx_attn", "q_pos", -1, 1);
    BAD(w.bytes_out = NULL, attend_size, E_NULL, NULL, "bytes");
    BAD(w.scratch = NULL, attend, E_SCRATCH, NULL, "scratch");
    BAD(w.scratch_bytes = 8, attend, E_SCRATCH, NULL, "scratch_bytes");
    BAD(a->progress = cancel, attend, E_CANCELLED, NULL, NULL);
#undef BAD
}

/* ---------------------------------------------------------------------------- recurrences */

static lctx_status recur_size(void) { return lctx_recur_size(&w.recurrence, w.bytes_out); }
static lctx_status recur(void) { return lctx_recur(&w.recurrence, w.scratch, w.scratch_bytes); }
static lctx_status convolve(void) { return lctx_convolve(&w.convolution); }

/* Snapshots' faults, whoever takes them. */
static void snapshot_faults(const char *name, lctx_status (*call)(void), lctx_refusal **lent)
{
    lctx_snapshots *s = &w.snapshots;
#define BAD(change, st, field) \
    do { \
        w.recurrence.snapshots = w.convolution.snapshots = s; \
        change; \
        refuses(name, call, lent, LCTX_##st, "lctx_snapshots", field, -1, -1); \
    } while (0)
    BAD(s->every = 0, E_COUNT, "every");
    BAD(s->n = 0, E_COUNT, "n");
    BAD(s->n = FAR, E_OVERFLOW, "n");
    BAD(s->before = -1, E_POS, "before");
    BAD(s->before = (int64_t)1 << 48, E_POS, "before");
    BAD(s->slots = NULL, E_NULL, "slots");
#undef BAD
}

static void test_recur(void)
{
    lctx_recurrence *r = &w.recurrence;
#define BAD(change, call, st, type, field, element) \
    REFUSES(change, call, r->refused, st, type, field, -1, element)
#define FIELD(change, st, field) \
    BAD(change, recur, st, "lctx_recurrence", field, -1); \
    BAD(change, recur_size, st, "lctx_recurrence", field, -1)
    FIELD(r->n = -1, E_COUNT, "n");
    FIELD(r->n = FAR, E_OVERFLOW, "n");
    FIELD(r->n_head = 0, E_COUNT, "n_head");
    FIELD(r->n_head_k = -1, E_COUNT, "n_head_k");
    FIELD(r->n_head_k = 3, E_HEADS, "n_head");
    FIELD(r->d_k = 0, E_HEAD_DIM, "d_k");
    FIELD(r->d_v = 65537, E_HEAD_DIM, "d_v");
    FIELD(r->decay_kind = LCTX_DECAY_COUNT, E_DECAY, "decay_kind");
    FIELD((r->a = weights, r->beta = weights), E_DECAY, "beta");
    FIELD((r->decay_kind = LCTX_DECAY_ELEMENT, r->beta = weights), E_DECAY, "beta");
    FIELD((r->decay_kind = LCTX_DECAY_ELEMENT, r->a = weights), E_DECAY, "a");
    FIELD(r->b = weights, E_NULL, "a");
    FIELD((r->bonus = weights, r->beta = weights), E_DECAY, "bonus");
    FIELD((r->bonus = weights, r->a = weights), E_DECAY, "bonus");
    FIELD((r->bonus = weights, r->decay_kind = LCTX_DECAY_ELEMENT), E_DECAY, "bonus");
    FIELD(r->scale = NAN, E_SOFTCAP, "scale");
#define STRIDE(field) \
    FIELD(r->field = 2, E_STRIDE, #field); \
    FIELD(r->field = -4, E_STRIDE, #field); \
    FIELD(r->field = 2 * FAR, E_OVERFLOW, #field)
    STRIDE(q_token); STRIDE(q_head); STRIDE(k_token); STRIDE(k_head); STRIDE(v_token);
    STRIDE(v_head); STRIDE(decay_token); STRIDE(decay_head); STRIDE(beta_token);
    STRIDE(beta_head); STRIDE(a_token); STRIDE(a_head); STRIDE(b_token); STRIDE(b_head);
    STRIDE(bonus_head); STRIDE(y_token); STRIDE(y_head); STRIDE(state_head); STRIDE(state_k);
    STRIDE(state_v);
    FIELD(r->q_head = 4, E_STRIDE, "q_head");
    FIELD(r->v_head = 4, E_STRIDE, "v_head");
#undef STRIDE
#undef FIELD
    BAD((r->par = &w.par, w.par.n_threads = -1), recur, E_THREADS, "lctx_parallel", "n_threads", -1);
#define FIELD(change, st, field) BAD(change, recur, st, "lctx_recurrence", field, -1)
    FIELD(r->q = NULL, E_NULL, "q");
    FIELD(r->k = NULL, E_NULL, "k");
    FIELD(r->v = NULL, E_NULL, "v");
    FIELD(r->y = NULL, E_NULL, "y");
    FIELD(r->state = NULL, E_NULL, "state");
    FIELD(r->decay = NULL, E_NULL, "decay");
    FIELD(r->decay_kind = LCTX_DECAY_ELEMENT, E_NULL, "rate");
    BAD((r->bounded = 1, r->decay = wide, wide[5] = 1.5f), recur, E_DECAY, "lctx_recurrence",
        "decay", 1);
    BAD(w.scratch = NULL, recur, E_SCRATCH, NULL, "scratch", -1);
    BAD(w.scratch_bytes = 1, recur, E_SCRATCH, NULL, "scratch_bytes", -1);
    BAD(w.bytes_out = NULL, recur_size, E_NULL, NULL, "bytes", -1);
    wide[5] = 0;
#undef FIELD
#undef BAD
    snapshot_faults("recur", recur, &r->refused);
    check(lctx_recur(NULL, w.scratch, 1) == LCTX_E_NULL && lctx_convolve(NULL) == LCTX_E_NULL &&
          lctx_recur_size(NULL, w.bytes_out) == LCTX_E_NULL, "no descriptor, no call");
}

static void test_convolve(void)
{
    lctx_convolution *c = &w.convolution;
#define BAD(change, st, field) \
    REFUSES(change, convolve, c->refused, st, "lctx_convolution", field, -1, -1)
    BAD(c->n = -1, E_COUNT, "n");
    BAD(c->n = FAR, E_OVERFLOW, "n");
    BAD(c->n_channel = 0, E_COUNT, "n_channel");
    BAD(c->taps = 0, E_TAPS, "taps");
    BAD(c->taps = LCTX_MAX_TAPS + 1, E_TAPS, "taps");
    BAD(c->x_token = 4, E_STRIDE, "x_token");
    BAD(c->y_token = 1001, E_STRIDE, "y_token");
    BAD(c->state_tap = -4, E_STRIDE, "state_tap");
    BAD(c->x_token = 2 * FAR, E_OVERFLOW, "x_token");
    BAD(c->y_token = 2 * FAR, E_OVERFLOW, "y_token");
    BAD(c->state_tap = FAR, E_OVERFLOW, "state_tap");
    BAD(c->x = NULL, E_NULL, "x");
    BAD(c->y = NULL, E_NULL, "y");
    BAD(c->weight = NULL, E_NULL, "weight");
    BAD(c->state = NULL, E_NULL, "state");
#undef BAD
    REFUSES((c->par = &w.par, w.par.n_threads = -1), convolve, c->refused, E_THREADS,
            "lctx_parallel", "n_threads", -1, -1);
    snapshot_faults("convolve", convolve, &c->refused);
}

/* ---------------------------------------------------------------------------- cache */

static lctx_status cache_create(void)
{
    const lctx_status st = lctx_cache_create(&w.cache_desc, w.cache_out);
    if (!st) lctx_cache_free(*w.cache_out);
    return st;
}
static lctx_status cache_tokens(void)
{
    return lctx_cache_tokens(&w.cache_desc, w.bytes, w.tokens_out);
}
static lctx_status cache_append(void)
{
    lctx_cache *fork = NULL;
    lctx_status st;
    if (!w.cache) return lctx_cache_append(NULL, &w.rows);
    if (!poor && lctx_cache_fork(w.cache, &fork)) return LCTX_STATUS_COUNT;
    st = lctx_cache_append(poor ? w.cache : fork, &w.rows);
    lctx_cache_free(fork);
    return st;
}
static lctx_status cache_select(void)
{
    lctx_cache *fork = NULL;
    lctx_status st;
    if (!w.cache) return lctx_cache_select(NULL, &w.select);
    if (!poor && lctx_cache_fork(w.cache, &fork)) return LCTX_STATUS_COUNT;
    st = lctx_cache_select(poor ? w.cache : fork, &w.select);
    lctx_cache_free(fork);
    return st;
}
static lctx_status cache_attend(void)
{
    return lctx_cache_attend(w.cache, &w.attn, w.scratch, w.scratch_bytes);
}
static lctx_status cache_attend_size(void)
{
    return lctx_cache_attend_size(w.cache, &w.attn, w.bytes_out);
}
static lctx_status retrieve(void)
{
    return lctx_cache_retrieve(w.cache, w.attn_in, w.retrieve_in, w.scratch, w.scratch_bytes);
}
static lctx_status retrieve_size(void)
{
    return lctx_cache_retrieve_size(w.cache, w.attn_in, w.retrieve_in, w.bytes_out);
}

static lctx_status choose(void)
{
    return lctx_choose(w.attn_in, w.choice_in, w.list_out, w.scratch, w.scratch_bytes);
}
static lctx_status choose_size(void)
{
    return lctx_choose_size(w.attn_in, w.choice_in, w.bytes_out);
}
static void test_choices(void)
{
    lctx_attn *a = &w.attn;
    lctx_choice *c = &w.choice;
#define BAD(change, lent, st, type, field, index) \
    REFUSES(change, choose, lent, st, type, field, index, -1); \
    REFUSES(change, choose_size, lent, st, type, field, index, -1)
    const world before = good;
    good.attn.n_spans = 1, good.attn.list_len = KEYS, good.choice.kind = LCTX_SCORE_BOUND;
    w = good;
    BAD(w.choice_in = NULL, a->refused, E_NULL, NULL, "choice", -1);
    BAD(w.attn_in = NULL, c->refused, E_NULL, NULL, "attn", -1);
    BAD(raw(), a->refused, E_POLICY, "lctx_attn", "rope", -1);
    BAD(a->n_q = -1, a->refused, E_COUNT, "lctx_attn", "n_q", -1);
    BAD(a->list_heads = 3, a->refused, E_LIST, "lctx_attn", "list_heads", -1);
    BAD(w.span[0].n = -1, a->refused, E_COUNT, "lctx_span", "n", 0);
    BAD(c->kind = LCTX_SCORE_COUNT, c->refused, E_ENUM, "lctx_choice", "kind", -1);
    BAD(c->block_rows = -1, c->refused, E_COUNT, "lctx_choice", "block_rows", -1);
    BAD(c->n_top = -2, c->refused, E_COUNT, "lctx_choice", "n_top", -1);
    BAD(c->share = 1.5f, c->refused, E_COUNT, "lctx_choice", "share", -1);
    BAD(c->share = -1, c->refused, E_COUNT, "lctx_choice", "share", -1);
    BAD(c->n_sink = -1, c->refused, E_WINDOW, "lctx_choice", "n_sink", -1);
    BAD(c->window = -1, c->refused, E_WINDOW, "lctx_choice", "window", -1);
#undef BAD
#define BAD(change, lent, st, type, field, index) \
    REFUSES(change, choose, lent, st, type, field, index, -1)
    REFUSES(w.bytes_out = NULL, choose_size, a->refused, E_NULL, NULL, "bytes", -1, -1);
    BAD(w.list_out = NULL, a->refused, E_NULL, NULL, "list", -1);
    BAD(w.scratch = NULL, a->refused, E_SCRATCH, NULL, "scratch", -1);
    BAD(w.scratch_bytes = 8, a->refused, E_SCRATCH, NULL, "scratch_bytes", -1);
    BAD(a->q = NULL, a->refused, E_NULL, "lctx_attn", "q", -1);
    BAD(a->list_len = 0, a->refused, E_LIST, "lctx_attn", "list_len", -1);
    BAD(c->kind = LCTX_SCORE_GIVEN, c->refused, E_NULL, "lctx_choice", "score", -1);
    BAD(w.span[0].k = NULL, a->refused, E_NULL, "lctx_span", "k", 0);
    BAD(w.span[0].v = NULL, a->refused, E_NULL, "lctx_span", "v", 0);
    BAD(w.span[0].layout = LCTX_TILES, a->refused, E_TYPE, "lctx_span", "layout", 0);
    BAD(w.span[0].k_type = LCTX_F16, a->refused, E_TYPE, "lctx_span", "k_type", 0);
    BAD(w.span[0].v_type = LCTX_F16, a->refused, E_TYPE, "lctx_span", "v_type", 0);
#undef BAD
    w = good = before;
}

static void test_cache_descs(void)
{
    lctx_cache_desc *d = &w.cache_desc;
#define BAD(change, call, st, type, field) \
    REFUSES(change, call, d->refused, st, type, field, -1, -1)
#define FIELD(change, st, field) BAD(change, cache_create, st, "lctx_cache_desc", field)
    FIELD(d->n_head_kv = 0, E_COUNT, "n_head_kv");
    FIELD(d->block = 65, E_COUNT, "block");
    FIELD(d->k_type = 9, E_TYPE, "k_type");
    FIELD(d->v_type = -1, E_TYPE, "v_type");
    FIELD(d->d_k = 0, E_HEAD_DIM, "d_k");
    FIELD(d->d_v = -1, E_HEAD_DIM, "d_v");
    FIELD((d->block = 1 << 30, d->n_head_kv = INT32_MAX, d->d_k = 65536), E_OVERFLOW, "block");
    FIELD(d->policy = 9, E_ENUM, "policy");
    FIELD(d->max_tokens = -1, E_COUNT, "max_tokens");
    FIELD(d->window = 5, E_WINDOW, "window");
    FIELD(d->policy = LCTX_WINDOW, E_WINDOW, "window");
    FIELD(d->n_sink = 5, E_WINDOW, "n_sink");
    FIELD((d->policy = LCTX_SINKS, d->window = 5), E_WINDOW, "n_sink");
    FIELD((d->policy = LCTX_HEAVY, d->window = 5), E_WINDOW, "n_heavy");
    FIELD(d->n_heavy = 5, E_WINDOW, "n_heavy");
    BAD(w.cache_out = NULL, cache_create, E_NULL, NULL, "cache");
    BAD(poor = 1, cache_create, E_MEMORY, NULL, NULL);
    BAD(d->n_head_kv = 0, cache_tokens, E_COUNT, "lctx_cache_desc", "n_head_kv");
    BAD(d->block = -64, cache_tokens, E_COUNT, "lctx_cache_desc", "block");
    BAD(w.tokens_out = NULL, cache_tokens, E_NULL, NULL, "tokens");
    BAD(w.bytes = -1, cache_tokens, E_COUNT, NULL, "bytes");
#undef FIELD
#undef BAD
}

static void test_appends(void)
{
    rows_faults("cache_append", cache_append);
    REFUSES(w.cache = NULL, cache_append, w.rows.refused, E_NULL, NULL, "cache", -1, -1);
    REFUSES(w.rows.n = 1000, cache_append, w.rows.refused, E_FULL, "lctx_rows", "n", -1, -1);
    if (sizeof(size_t) > 4)      /* else their strides overflow */
        REFUSES((w.cache = sinks, w.rows.n = (int64_t)1 << 48), cache_append, w.rows.refused,
                E_POS, "lctx_rows", "n", -1, -1);
    REFUSES((w.cache = sinks, w.rows.n = 400, poor = 1), cache_append, w.rows.refused, E_MEMORY,
            NULL, NULL, -1, -1);
}

static void test_selects(void)
{
    lctx_select *s = &w.select;
#define BAD(change, st, type, field) \
    REFUSES(change, cache_select, s->refused, st, type, field, -1, -1)
    BAD(w.cache = NULL, E_NULL, NULL, "cache");
    BAD(w.cache = sinks, E_POLICY, NULL, "cache");
    BAD(s->n_heavy = -1, E_WINDOW, "lctx_select", "n_heavy");
    BAD(s->window = -1, E_WINDOW, "lctx_select", "window");
    BAD(s->n_sink = -1, E_WINDOW, "lctx_select", "n_sink");
    BAD(s->pool = 2, E_WINDOW, "lctx_select", "pool");
    BAD(s->pool = -1, E_WINDOW, "lctx_select", "pool");
    BAD(s->mass = NULL, E_NULL, "lctx_select", "mass");
    BAD(s->mass_head = 4, E_STRIDE, "lctx_select", "mass_head");
    BAD(s->mass_head = 2 * FAR, E_OVERFLOW, "lctx_select", "mass_head");
    BAD(poor = 1, E_MEMORY, NULL, NULL);
#undef BAD
}

/* Attention over a cache: what the cache knows, and the queries as in lctx_attend. */
static void test_cache_attends(void)
{
    lctx_attn *a = &w.attn;
#define BAD(change, st, type, field, element) \
    REFUSES(change, cache_attend, a->refused, st, type, field, -1, element); \
    REFUSES(change, cache_attend_size, a->refused, st, type, field, -1, element)
#define FIELD(change, st, field) BAD(change, st, "lctx_attn", field, -1)
    FIELD(a->n_head_kv = 4, E_HEADS, "n_head_kv");
    FIELD(a->d_k = 8, E_HEAD_DIM, "d_k");
    FIELD(a->d_v = 8, E_HEAD_DIM, "d_v");
    FIELD(a->spans = w.span, E_SPAN, "spans");
    FIELD(a->n_spans = 1, E_SPAN, "n_spans");
    BAD((raw(), w.cache = heavy, w.rope.n_hat = 1), E_N_HAT, "lctx_rope", "n_hat", -1);
    FIELD((w.cache = sinks, a->window = 7), E_WINDOW, "window");
    FIELD((w.cache = sinks, a->n_sink = 7), E_WINDOW, "n_sink");
    FIELD((raw(), w.cache = sinks, a->far_pos = 7), E_POS, "far_pos");
    FIELD(a->n_q = -1, E_COUNT, "n_q");
    FIELD(a->n_head = 0, E_COUNT, "n_head");
    FIELD(a->n_head = 3, E_HEADS, "n_head");
    FIELD(a->q_token = 4, E_STRIDE, "q_token");
    FIELD(a->q_pos0 = FAR, E_POS, "q_pos0");
    BAD((w.cache = sinks, a->pattern = &w.pattern, w.pattern.n_global = 1), E_GLOBAL,
        "lctx_pattern", "n_global", -1);
    BAD((a->pattern = &w.pattern, w.pattern.kind = 9), E_ENUM, "lctx_pattern", "kind", -1);
#undef FIELD
#undef BAD
#define BAD(change, call, st, type, field, element) \
    REFUSES(change, call, a->refused, st, type, field, -1, element)
    BAD(w.cache = NULL, cache_attend, E_NULL, NULL, "cache", -1);
    /* queries over 4-bit keys are attended tile by tile: places are the whole call's */
    BAD((w.cache = four_bits, a->q_pos = w.pos, w.pos[0] = 1, w.pos[2] = FAR), cache_attend, E_POS,
        "lctx_attn", "q_pos", 2);
    BAD((w.cache = four_bits, a->q_pos = w.pos, w.pos[0] = 1, a->q_group = w.group,
         w.group[2] = -1), cache_attend, E_GROUP, "lctx_attn", "q_group", 2);
    BAD(w.cache = NULL, cache_attend_size, E_NULL, NULL, "cache", -1);
    BAD(w.bytes_out = NULL, cache_attend_size, E_NULL, NULL, "bytes", -1);
    BAD(w.scratch = NULL, cache_attend, E_SCRATCH, NULL, "scratch", -1);
    BAD(w.scratch_bytes = 8, cache_attend, E_SCRATCH, NULL, "scratch_bytes", -1);
    BAD(w.scratch_bytes = 1024, cache_attend, E_SCRATCH, NULL, "scratch_bytes", -1);
    BAD((w.cache = sinks, a->q_pos0 = 300), cache_attend, E_EVICTED, "lctx_attn", "q_pos0", -1);
    BAD((w.cache = sinks, a->q_pos = w.pos, w.pos[0] = 700, w.pos[1] = 300), cache_attend,
        E_EVICTED, "lctx_attn", "q_pos", 1);
    BAD((w.cache = sinks, a->q_pos0 = 697, a->q_far = NULL), cache_attend, E_NULL,
        "lctx_attn", "q_far", -1);
    BAD(a->q = NULL, cache_attend, E_NULL, "lctx_attn", "q", -1);
    BAD(a->progress = cancel, cache_attend, E_CANCELLED, NULL, NULL, -1);
    BAD((w.cache = four_bits, a->q_pos0 = 62, a->progress = cancel), cache_attend, E_CANCELLED,
        NULL, NULL, -1);
#undef BAD
}

static void test_retrieval(void)
{
    lctx_attn *a = &w.attn;
    lctx_retrieve *r = &w.retrieve;
#define BAD(change, st, type, field) \
    REFUSES(change, retrieve, a->refused, st, type, field, -1, -1); \
    REFUSES(change, retrieve_size, a->refused, st, type, field, -1, -1)
    BAD(w.cache = NULL, E_NULL, NULL, "cache");
    BAD(w.cache = sinks, E_POLICY, NULL, "cache");
    BAD(raw(), E_POLICY, "lctx_attn", "rope");
    BAD(a->list = &w.group[0], E_LIST, "lctx_attn", "list");
    BAD(a->mass_queries = -1, E_COUNT, "lctx_attn", "mass_queries");
    BAD(a->n_q = -1, E_COUNT, "lctx_attn", "n_q");
    BAD(a->q_head = 4, E_STRIDE, "lctx_attn", "q_head");
#undef BAD
#define BAD(change, call, lent, st, type, field) \
    REFUSES(change, call, lent, st, type, field, -1, -1)
    BAD(w.bytes_out = NULL, retrieve_size, a->refused, E_NULL, NULL, "bytes");
    BAD(a->q = NULL, retrieve, a->refused, E_NULL, "lctx_attn", "q");
    BAD(a->out = NULL, retrieve, a->refused, E_NULL, "lctx_attn", "out");
    BAD(w.retrieve_in = NULL, retrieve, a->refused, E_NULL, NULL, "retrieve");
    BAD(w.retrieve_in = NULL, retrieve_size, a->refused, E_NULL, NULL, "retrieve");
    BAD(w.scratch = NULL, retrieve, a->refused, E_SCRATCH, NULL, "scratch");
    BAD(w.scratch_bytes = 8, retrieve, a->refused, E_SCRATCH, NULL, "scratch_bytes");
    BAD(a->progress = cancel, retrieve, a->refused, E_CANCELLED, NULL, NULL);
    BAD(w.attn_in = NULL, retrieve, r->refused, E_NULL, NULL, "attn");
    BAD(w.attn_in = NULL, retrieve_size, r->refused, E_NULL, NULL, "attn");
    BAD(r->queries = -1, retrieve, r->refused, E_COUNT, "lctx_retrieve", "queries");
    BAD(r->n_top = -1, retrieve, r->refused, E_WINDOW, "lctx_retrieve", "n_top");
    BAD(r->window = 0, retrieve, r->refused, E_WINDOW, "lctx_retrieve", "window");
    BAD(r->n_sink = -1, retrieve, r->refused, E_WINDOW, "lctx_retrieve", "n_sink");
#undef BAD
}

/* ---------------------------------------------------------------------------- model */

static lctx_status model_check(void) { return lctx_model_check(w.model_in); }
static lctx_status session_create(void)
{
    const lctx_status st = lctx_session_create(w.model_in, w.session_desc_in, w.session_out);
    if (!st) lctx_session_free(*w.session_out);
    return st;
}

static void test_models(void)
{
    lctx_model *m = &w.model;
    lctx_layer *l = &w.layer[7];
#define BAD(change, st, type, field, index) \
    REFUSES(change, model_check, m->refused, st, type, field, index, -1); \
    REFUSES(change, session_create, m->refused, st, type, field, index, -1)
#define FIELD(change, st, field) BAD(change, st, "lctx_model", field, -1)
    FIELD(m->layers = NULL, E_NULL, "layers");
    FIELD(m->n_layer = 0, E_SHAPE, "n_layer");
    FIELD(m->n_head = 0, E_SHAPE, "n_head");
    FIELD(m->n_head_kv = -1, E_SHAPE, "n_head_kv");
    FIELD(m->d_model = 0, E_SHAPE, "d_model");
    FIELD(m->d_ff = 0, E_SHAPE, "d_ff");
    FIELD(m->n_vocab = 0, E_SHAPE, "n_vocab");
    FIELD(m->norm_eps = -1, E_SHAPE, "norm_eps");
    FIELD(m->embd_scale = INFINITY, E_SHAPE, "embd_scale");
    FIELD(m->n_head_kv = 3, E_HEADS, "n_head");
    FIELD(m->head_dim = -1, E_HEAD_DIM, "head_dim");
    FIELD((m->head_dim = 65536, m->n_head = 1 << 20), E_SHAPE, "head_dim");
    FIELD(m->softcap = -1, E_SOFTCAP, "softcap");
    FIELD(m->logit_softcap = NAN, E_SOFTCAP, "logit_softcap");
    FIELD(m->attn_scale = -1, E_SOFTCAP, "attn_scale");
    FIELD(m->tok_embd.data = NULL, E_WEIGHT, "tok_embd");
    FIELD(m->output.type = LCTX_I8, E_SCALE, "output");
    FIELD(m->output_norm.type = LCTX_I8, E_TYPE, "output_norm");
#undef FIELD
#define FIELD(change, st, field) BAD(change, st, "lctx_layer", field, 7)
#define WEIGHT(field, needed) \
    if (needed) { FIELD(l->field.data = NULL, E_WEIGHT, #field); } \
    FIELD((l->field.data = weights, l->field.type = LCTX_TYPE_COUNT), E_TYPE, #field)
    WEIGHT(attn_norm, 1); WEIGHT(wq, 1); WEIGHT(wk, 1); WEIGHT(wv, 1); WEIGHT(wo, 1);
    WEIGHT(bq, 0); WEIGHT(bk, 0); WEIGHT(bv, 0); WEIGHT(q_norm, 0); WEIGHT(k_norm, 0);
    WEIGHT(ffn_norm, 1); WEIGHT(w_gate, 1); WEIGHT(w_up, 1); WEIGHT(w_down, 1);
    WEIGHT(bo, 0); WEIGHT(b_gate, 0); WEIGHT(b_up, 0); WEIGHT(b_down, 0); WEIGHT(b_router, 0);
    WEIGHT(attn_post_norm, 0); WEIGHT(ffn_post_norm, 0); WEIGHT(attn_gate, 0);
    WEIGHT(shared_router, 0);
    FIELD((l->n_expert = l->n_expert_used = 2), E_WEIGHT, "router");
    FIELD(l->d_ff_shared = 2, E_WEIGHT, "shared_gate");
    FIELD((l->d_ff_shared = 2, l->shared_gate = l->w_up), E_WEIGHT, "shared_up");
    FIELD((l->d_ff_shared = 2, l->shared_gate = l->shared_up = l->w_up), E_WEIGHT, "shared_down");
    FIELD(l->n_expert = -1, E_SHAPE, "n_expert");
    FIELD(l->n_expert_used = 1, E_SHAPE, "n_expert_used");
    FIELD(l->routing = 3, E_ENUM, "routing");
    FIELD(l->activation = -1, E_ENUM, "activation");
    FIELD(l->d_ff = -1, E_SHAPE, "d_ff");
    FIELD(l->d_ff_shared = -1, E_SHAPE, "d_ff_shared");
    FIELD(l->q_scale = NAN, E_SHAPE, "q_scale");
    FIELD(l->q_scale_offset = -1, E_SHAPE, "q_scale_offset");
    FIELD(l->q_scale_length = -1, E_SHAPE, "q_scale_length");
    FIELD(l->wq.type = LCTX_I8, E_SCALE, "wq");
    FIELD(l->window = -1, E_WINDOW, "window");
#undef WEIGHT
#undef FIELD
#undef BAD
    pattern_faults("model_check", model_check, &m->refused, &l->pattern, 7);
    schedule_faults("model_check", model_check, &m->refused, -1);
    good.model.rope = w.model.rope = NULL;
    good.layer[7].rope = w.layer[7].rope = &w.rope;
    schedule_faults("session_create", session_create, &m->refused, 7);
    good.model.rope = w.model.rope = &w.rope;
    good.layer[7].rope = w.layer[7].rope = NULL;
    REFUSES(w.session_desc_in = NULL, session_create, m->refused, E_NULL, NULL, "desc", -1, -1);
}

static int no_join(void *user, int32_t layer, const lctx_attn *attn)
{
    (void)user, (void)layer, (void)attn;
    return 1;
}

static void test_session_descs(void)
{
    lctx_session_desc *d = &w.session_desc;
#define BAD(change, st, type, field, index, element) \
    REFUSES(change, session_create, d->refused, st, type, field, index, element)
#define FIELD(change, st, field) BAD(change, st, "lctx_session_desc", field, -1, -1)
    FIELD(d->chunk = -1, E_COUNT, "chunk");
    FIELD(d->k_type = 9, E_TYPE, "k_type");
    FIELD(d->v_type = -1, E_TYPE, "v_type");
    FIELD(d->policy = 9, E_ENUM, "policy");
    FIELD(d->n_sink = 5, E_WINDOW, "n_sink");
    FIELD(d->window = 5, E_WINDOW, "window");
    FIELD(d->n_heavy = 5, E_WINDOW, "n_heavy");
    FIELD(d->max_tokens = -1, E_COUNT, "max_tokens");
    FIELD(d->block = 65, E_COUNT, "block");
    FIELD((d->far_rule = &w.far_rule, w.model.rope = NULL), E_NULL, "far_rule");
    FIELD(d->n_read = -1, E_WINDOW, "n_read");
    FIELD(d->n_read = 1, E_WINDOW, "window");
    FIELD((d->n_read = 1, d->window = 1, d->n_sink = -1), E_WINDOW, "n_sink");
    FIELD((d->n_read = d->window = 1, d->raw_keys = 1), E_POLICY, "n_read");
    FIELD((d->n_read = d->window = 1, d->policy = LCTX_WINDOW), E_POLICY, "n_read");
    FIELD((d->n_read = d->window = 1, d->parts = 2, d->join = no_join), E_POLICY, "n_read");
    FIELD(d->parts = -1, E_COUNT, "parts");
    FIELD(d->part = 1, E_COUNT, "part");
    FIELD(d->parts = 2, E_NULL, "join");
    FIELD((d->parts = 2, d->join = no_join, d->policy = LCTX_WINDOW, d->window = 5), E_POLICY,
          "policy");
    FIELD((d->parts = 2, d->join = no_join, d->k_type = LCTX_I4), E_TYPE, "k_type");
#undef FIELD
    BAD(w.model_in = NULL, E_NULL, NULL, "model", -1, -1);
    BAD(w.session_out = NULL, E_NULL, NULL, "session", -1, -1);
    BAD(poor = 1, E_MEMORY, NULL, NULL, -1, -1);
    BAD((d->par = &w.par, w.par.n_threads = -1), E_THREADS, "lctx_parallel", "n_threads", -1, -1);
    BAD((d->rope = &w.rope_desc, w.rope_desc.factor = 0.5), E_FACTOR, "lctx_rope_desc", "factor",
        -1, -1);
    BAD((d->rope = &w.rope_desc, w.rope_desc.scheme = LCTX_ROPE_RAW, w.list[0][3] = NAN), E_TABLE,
        "lctx_rope_desc", "freq", -1, 3);
    BAD((d->rope = &w.rope_desc, w.rope_desc.n_rot = 2 * DIM), E_N_ROT, "lctx_rope_desc", "n_rot",
        -1, -1);
    BAD((d->far_rule = &w.far_rule, w.far_rule.window = 0), E_FAR_RULE, "lctx_far_rule", "window",
        -1, -1);
    BAD((d->far_rule = &w.far_rule, w.rope.n_hat = 2), E_FAR_RULE, "lctx_rope", "n_hat", -1, -1);
    BAD((d->far_rule = &w.far_rule, d->rope = &w.rope_desc, w.rope_desc.n_hat = 2), E_FAR_RULE,
        "lctx_rope_desc", "n_hat", -1, -1);
    BAD((d->policy = LCTX_SINKS, d->window = 5, d->n_sink = 1, w.rope.n_hat = 2), E_N_HAT,
        "lctx_rope", "n_hat", -1, -1);
    BAD((d->policy = LCTX_SINKS, d->window = 5, d->n_sink = 1, d->rope = &w.rope_desc,
         w.rope_desc.n_hat = 2), E_N_HAT, "lctx_rope_desc", "n_hat", -1, -1);
    BAD((d->policy = LCTX_HEAVY, d->window = 5, d->n_heavy = 5, d->n_sink = 9, d->raw_keys = 1,
         w.rope.n_hat = 2), E_N_HAT, "lctx_rope", "n_hat", -1, -1);
    BAD((d->policy = LCTX_SINKS, d->window = 5, d->n_sink = 1, w.layer[6].rope = &w.rope,
         w.model.rope = NULL, w.rope.n_hat = 2), E_N_HAT, "lctx_rope", "n_hat", 6, -1);
    BAD((w.layer[7].window = 9, w.layer[7].pattern = &w.pattern, w.pattern.n_global = 1), E_GLOBAL,
        "lctx_pattern", "n_global", 7, -1);
#undef BAD
}

/* Two descriptors each tell of their own; the same report in both tells of either. */
static void test_two(void)
{
    lctx_refusal other;
    w.model.refused = &report, w.session_desc.refused = &other;
    w.layer[2].wk.data = NULL;
    check(session_create() == LCTX_E_WEIGHT && says(LCTX_E_WEIGHT, "lctx_layer", "wk", 2, -1)
          && other.status == LCTX_OK && !other.type && !other.field,
          "a model's fault is told by the model's report alone");
    w = good;
    w.model.refused = &other, w.session_desc.refused = &report;
    w.session_desc.chunk = -1;
    check(session_create() == LCTX_E_COUNT
          && says(LCTX_E_COUNT, "lctx_session_desc", "chunk", -1, -1)
          && other.status == LCTX_OK && !other.type && !other.field,
          "a session's fault is told by the session's report alone");
    w.model.refused = &report;
    check(session_create() == LCTX_E_COUNT
          && says(LCTX_E_COUNT, "lctx_session_desc", "chunk", -1, -1),
          "one report for both tells of the session");
    w.layer[2].wk.data = NULL;
    check(session_create() == LCTX_E_WEIGHT && says(LCTX_E_WEIGHT, "lctx_layer", "wk", 2, -1),
          "one report for both tells of the model");
    w = good;
}

/* ---------------------------------------------------------------------------- sessions */

static void told(const char *what, lctx_status got, lctx_status st, const char *field,
                 int64_t element)
{
    lctx_session_info info;
    (void)lctx_session_get_info(session, &info);
    report = info.refused;
    check(got == st && says(st, NULL, field, -1, element), "a session tells of %s (\"%s\")", what,
          lctx_status_text(got));
}

static void test_sessions(void)
{
    static float logits[4 * VOCAB];
    int32_t t[3] = { 1, 2, 3 };
    lctx_session_info info;
    lctx_session *fork;
#define FEED(tokens, n, which, to) lctx_session_feed(session, tokens, n, which, to)
    told("nothing at first", LCTX_OK, LCTX_OK, NULL, -1);
    t[2] = VOCAB;
    told("token 2", FEED(t, 3, LCTX_LOGITS_LAST, logits), LCTX_E_TOKEN, "tokens", 2);
    check(!lctx_session_fork(session, &fork) && !lctx_session_get_info(fork, &info)
          && info.refused.status == LCTX_OK && !info.refused.field, "a fork has refused nothing");
    lctx_session_free(fork);
    t[2] = 3;
    told("nothing after a good feed", FEED(t, 3, LCTX_LOGITS_LAST, logits), LCTX_OK, NULL, -1);
    told("no tokens", FEED(NULL, 3, LCTX_LOGITS_LAST, logits), LCTX_E_NULL, "tokens", -1);
    told("logits of no kind", FEED(t, 3, (lctx_logits)9, logits), LCTX_E_ENUM, "which", -1);
    told("no logits", FEED(t, 3, LCTX_LOGITS_ALL, NULL), LCTX_E_NULL, "logits", -1);
    told("a count of 0", FEED(t, 0, LCTX_LOGITS_LAST, logits), LCTX_E_COUNT, "n", -1);
    told("too few tokens left", FEED(t, 3, LCTX_LOGITS_LAST, logits), LCTX_E_FULL, "n", -1);
    told("a rewind too far", lctx_session_rewind(session, 4), LCTX_E_POS, "n", -1);
    told("nothing after a rewind", lctx_session_rewind(session, 0), LCTX_OK, NULL, -1);
    poor = 1;
    told("no memory", FEED(t, 3, LCTX_LOGITS_LAST, logits), LCTX_E_MEMORY, NULL, -1);
    poor = 0;
#undef FEED
}

/* ---------------------------------------------------------------------------- text */

static void text_is(lctx_status st, const char *type, const char *field, int64_t index,
                    int64_t element, const char *words)
{
    char text[256], want[256];
    size_t n, size;
    int exact = 1;
    snprintf(want, sizeof want, "%s%s", words, lctx_status_text(st));
    report.status = (int32_t)st, report.type = type, report.field = field;
    report.index = index, report.element = element;
    n = lctx_refusal_text(&report, text, sizeof text);
    check(n == strlen(want) && !strcmp(text, want), "a report reads \"%s\" (\"%s\")", want, text);
    for (size = 0; size <= n + 1; size++) {
        memset(text, 'x', sizeof text);
        exact &= lctx_refusal_text(&report, text, size) == n && text[size] == 'x';
        if (size) exact &= !strncmp(text, want, size - 1) && text[size - 1] == 0;
    }
    check(exact, "\"%s\" is cut to any size", want);
}

static void test_text(void)
{
    char text[4] = "abc";
    text_is(LCTX_E_TYPE, "lctx_span", "k_type", 3, -1, "lctx_span[3].k_type: ");
    text_is(LCTX_E_POS, "lctx_span", "k_pos", 0, 120, "lctx_span[0].k_pos[120]: ");
    text_is(LCTX_E_POS, "lctx_attn", "q_pos", -1, 0, "lctx_attn.q_pos[0]: ");
    text_is(LCTX_E_SCRATCH, NULL, "scratch", -1, -1, "scratch: ");
    text_is(LCTX_E_TOKEN, NULL, "tokens", -1, INT64_MAX, "tokens[9223372036854775807]: ");
    text_is(LCTX_E_MEMORY, NULL, NULL, -1, -1, "");
    text_is(LCTX_OK, NULL, NULL, -1, -1, "");
    check(lctx_refusal_text(&report, NULL, 9) == 2, "a report's length is known without a text");
    check(lctx_refusal_text(NULL, text, sizeof text) == 0 && !text[0], "no report has no text");
}

/* ---------------------------------------------------------------------------- a good world */

static void make_floors(void)
{
    int i;
    w.alloc.alloc = alloc, w.alloc.free = release;
    w.par.n_threads = 1;
    w.pool.alloc = w.threads.alloc = &w.alloc;
    w.threads.n_threads = 1;
    w.rope_desc.n_rot = DIM, w.rope_desc.orig_ctx = 100, w.rope_desc.factor = 2;
    for (i = 0; i < DIM / 2; i++) w.list[0][i] = w.list[1][i] = i + 1;
    w.rope_desc.freq = w.rope_desc.short_factor = w.list[0], w.rope_desc.long_factor = w.list[1];
    (void)lctx_rope_init(&w.rope, &w.rope_desc);
    w.rope_in = &w.rope;
    w.job.n_tok = 8, w.job.n_head = HEADS, w.job.head_dim = DIM;
    w.job.x = weights, w.job.out = wide;
    for (i = 0; i < 8; i++) w.pos[i] = 100 + i;
    w.tiles.n_head_kv = KV, w.tiles.d_k = DIM, w.tiles.cap = LCTX_TILE;
    w.tiles.mem = scratch + (64 - (uintptr_t)scratch % 64);
    w.tiles_in = &w.tiles, w.rows_in = &w.rows, w.n = 3;
    w.rows.n = 8, w.rows.k = w.rows.v = weights;
    w.far_rule.kind = LCTX_FAR_GROUP, w.far_rule.group = 2, w.far_rule.window = 4;
    w.pattern.length = 8, w.pattern.dilation = 2;
}

/* Four spans: rows, tiles, rows for the far query, and rows of int8. */
static void make_attn(void)
{
    lctx_attn *a = &w.attn;
    int i;
    for (i = 0; i < 4; i++) {
        w.span[i].k = w.span[i].v = memory, w.span[i].n = KEYS, w.span[i].pos = i * KEYS;
    }
    w.span[1].layout = LCTX_TILES, w.span[1].n = 3, w.span[1].k_type = w.span[1].v_type = LCTX_F32;
    w.span[2].query = 1;
    w.span[3].k_type = w.span[3].v_type = LCTX_I8;
    w.span[3].k_scale = w.span[3].v_scale = memory;
    for (i = 0; i < KV * KEYS; i++) w.k_pos[i] = 100 + i % KEYS;
    a->n_q = 3, a->n_head = HEADS, a->n_head_kv = KV, a->d_k = DIM, a->q_pos0 = 300;
    a->q = a->q_far = weights, a->out = wide, a->spans = w.span, a->n_spans = 4;
    w.attn_in = a;
    w.scratch = scratch, w.scratch_bytes = sizeof scratch;
}

static void make_recur(void)
{
    static float y[3 * HEADS * DIM], state[4 * HEADS * DIM * DIM];
    lctx_recurrence *r = &w.recurrence;
    lctx_convolution *c = &w.convolution;
    r->n = 3, r->n_head = HEADS, r->n_head_k = KV, r->d_k = r->d_v = DIM;
    r->q = r->k = r->v = r->decay = weights, r->y = y, r->state = state;
    r->decay_kind = LCTX_DECAY_HEAD;
    c->n = 3, c->n_channel = DIM, c->taps = 4, c->x = c->weight = weights, c->y = y;
    c->state = state;
    w.snapshots.every = 1, w.snapshots.n = 3, w.snapshots.slots = state + HEADS * DIM * DIM;
}
static void make_model(void)
{
    lctx_model *m = &w.model;
    lctx_tensor one;
    int i;
    memset(&one, 0, sizeof one);
    one.data = weights;
    m->n_layer = LAYERS, m->n_head = HEADS, m->n_head_kv = KV, m->d_model = WIDE, m->d_ff = WIDE;
    m->n_vocab = VOCAB, m->layers = w.layer, m->rope = &w.rope;
    m->tok_embd = m->output = m->output_norm = one;
    for (i = 0; i < LAYERS; i++) {
        lctx_layer *l = &w.layer[i];
        l->attn_norm = l->ffn_norm = l->wq = l->wk = l->wv = l->wo = one;
        l->w_gate = l->w_up = l->w_down = one;
    }
    w.session_desc.alloc = &w.alloc, w.session_desc.max_tokens = 5;
    w.model_in = m, w.session_desc_in = &w.session_desc;
}

static lctx_cache *make_cache(lctx_policy policy, lctx_type type, int64_t n)
{
    static float rows[700 * KV * DIM];
    lctx_cache_desc d;
    lctx_cache *c = NULL;
    lctx_rows r;
    memset(&d, 0, sizeof d);
    memset(&r, 0, sizeof r);
    d.n_head_kv = KV, d.d_k = DIM, d.k_type = d.v_type = (int32_t)type, d.policy = (int32_t)policy;
    d.alloc = &good.alloc, d.block = 64;
    if (policy == LCTX_FULL) d.summaries = 1, d.max_tokens = 500;
    else d.window = 100, d.n_sink = 4, d.n_heavy = policy == LCTX_HEAVY ? 8 : 0;
    r.n = n, r.k = r.v = rows;
    if (lctx_cache_create(&d, &c) || lctx_cache_append(c, &r)) return NULL;
    r.n = 20;
    return lctx_cache_append(c, &r) ? NULL : c;
}

static void make_objects(void)
{
    static int32_t listed[KEYS];
    static lctx_pool *pool;
    static lctx_threads *threads;
    static lctx_cache *cache;
    static lctx_session *made;
    static lctx_span span;
    static lctx_rope rope;
    static size_t bytes;
    static int64_t tokens;
    w.pool_out = &pool, w.threads_out = &threads, w.cache_out = &cache, w.session_out = &made;
    w.rope_out = &rope, w.span_out = &span, w.bytes_out = &bytes, w.tokens_out = &tokens;
    w.cache_desc.n_head_kv = KV, w.cache_desc.d_k = DIM, w.cache_desc.alloc = &w.alloc;
    w.cache = full;
    w.select.mass = wide, w.select.n_heavy = 8, w.select.window = 4;
    w.retrieve.window = 4, w.retrieve_in = &w.retrieve;
    w.choice_in = &w.choice, w.list_out = listed;
}

int main(void)
{
    (void)test_normal;
    make_floors();
    make_attn();
    make_recur();
    make_model();
    good = w;
    full = make_cache(LCTX_FULL, LCTX_F16, 300), sinks = make_cache(LCTX_SINKS, LCTX_F16, 690);
    heavy = make_cache(LCTX_HEAVY, LCTX_F16, 300), four_bits = make_cache(LCTX_FULL, LCTX_I4, 300);
    make_objects();
    good = w;
    (void)lctx_session_create(&w.model, &w.session_desc, &session);
    test_text();
    test_pools();
    test_rope_descs();
    test_rope_jobs();
    test_tiles();
    test_spans();
    test_attn();
    test_choices();
    test_recur();
    test_convolve();
    test_cache_descs();
    test_appends();
    test_selects();
    good.attn.spans = w.attn.spans = NULL, good.attn.n_spans = w.attn.n_spans = 0;
    test_cache_attends();
    test_retrieval();
    test_models();
    test_session_descs();
    test_two();
    test_sessions();
    lctx_session_free(session);
    lctx_cache_free(full), lctx_cache_free(sinks);
    lctx_cache_free(heavy), lctx_cache_free(four_bits);
    return test_report("refused", lctx_isa_name(lctx_isa_get()));
}
