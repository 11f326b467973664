/* test_model.c - floor 4: the model step against a transformer in double, its promises of equal bits,
   sessions that fork, rewind, are saved, fail and stay as they were. TEST_SLOW=1 samples the grids, as
   scalar code does; TEST_QUICK=1, for emulated CPUs, leaves out what does not depend on the
   instruction set. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle_model.h"

#include <math.h>

enum { MAX_LAYER = 4, MAX_KEPT = 512 };

static void *zeroed(int64_t n, size_t size) { return calloc((size_t)n + 1, size); }
static int full(void) { return getenv("TEST_FULL") != NULL; }
static int quick(void) { return getenv("TEST_QUICK") != NULL; }
static int slow(void) { return quick() || test_sampled(); }
/* Of what does not depend on the instruction set, a sample? */
static int few(void) { return !full() && (slow() || test_elsewhere()); }

/* ---------------------------------------------------------------------------- random models */

/* What differs from Llama beyond a shape's numbers. */
typedef struct family {
    int     post_norms, all_biases, activation, routing, sinks;
    int     n_expert, n_used, d_ff, d_ff_shared;
    int     gated;               /* attention, and the FFN that is shared */
    int     dense;               /* the layer without experts, from 1 */
    double  q_scale, q_scale_offset;
    int64_t q_scale_length, chunk;    /* chunk: of a pattern of blocks, in layers with a window */
} family;

typedef struct shape {
    const char *name;
    int32_t n_layer, n_head, n_head_kv, head_dim, d_model, d_ff, n_vocab;
    int32_t n_rot;               /* 0 = the model has no rotation */
    int32_t pairing, scheme;
    int     type, vec_type;      /* of matrices; of norms and biases */
    int     tied, bias, qk_norm;
    float   embd_scale, attn_scale, softcap, logit_softcap, norm_eps;
    int64_t window;              /* of odd layers */
    int     own_rope, no_rope;   /* the layer with its own schedule, the one without, from 1 */
    const family *family;
} shape;

/* A model twice: as lctx has it, and as the oracle has it. */
typedef struct world {
    lctx_model   m;
    lctx_layer   layers[MAX_LAYER];
    lctx_rope    rope[2];
    oracle_model o;
    oracle_layer o_layers[MAX_LAYER];
    oracle_rope  o_rope[2];
    lctx_pattern chunks;
    oracle_pattern o_chunks;
    float        sinks[8];
    double       o_sinks[8];
    void        *kept[MAX_KEPT];
    int          n_kept;
} world;

static void *keep(world *w, int64_t n, size_t size)
{
    return w->kept[w->n_kept++] = zeroed(n, size);
}

static void world_free(world *w)
{
    while (w->n_kept) free(w->kept[--w->n_kept]);
    free(w);
}

/* Random values of mean `about`, stored as `type` in *t; returns what was stored. */
static const double *weight(world *w, int type, int64_t rows, int64_t cols, double about,
                            double spread, lctx_tensor *t)
{
    static const int size[] = { 4, 2, 2, 1 };
    char   *data  = (char *)keep(w, rows * cols, (size_t)size[type]);
    float  *scale = (float *)keep(w, rows, sizeof *scale);
    double *value = (double *)keep(w, rows * cols, sizeof *value);
    float  *row   = (float *)zeroed(cols, sizeof *row);
    int64_t r, c;
    for (r = 0; r < rows; r++) {
        for (c = 0; c < cols; c++) row[c] = (float)(about + spread * (double)test_normal());
        scale[r] = oracle_store(type, cols, row, data + r * cols * size[type], row);
        for (c = 0; c < cols; c++) value[r * cols + c] = (double)row[c] * (double)scale[r];
    }
    free(row);
    t->data = data;
    t->type = type;
    t->scale = type == LCTX_I8 ? scale : NULL;
    return value;
}

static const double *matrix(world *w, const shape *s, int64_t rows, int64_t cols, lctx_tensor *t)
{
    return weight(w, s->type, rows, cols, 0, 1 / sqrt((double)cols), t);
}

static const double *norm(world *w, const shape *s, int64_t n, lctx_tensor *t)
{
    return weight(w, s->vec_type, 1, n, 1, 0.2, t);
}

/* All experts' matrices, or the one. */
static void world_ffn(world *w, const shape *s, int i, int64_t d_ff)
{
    lctx_layer *l = &w->layers[i];
    oracle_layer *o = &w->o_layers[i];
    const int64_t d = s->d_model, n = l->n_expert ? l->n_expert : 1;
    o->d_ff = (int)d_ff;
    o->w_gate = weight(w, s->type, n * d_ff, d, 0, 1 / sqrt((double)d), &l->w_gate);
    o->w_up = weight(w, s->type, n * d_ff, d, 0, 1 / sqrt((double)d), &l->w_up);
    o->w_down = weight(w, s->type, n * d, d_ff, 0, 1 / sqrt((double)d_ff), &l->w_down);
    if (!s->family || !s->family->all_biases) return;
    o->b_gate = weight(w, s->vec_type, 1, n * d_ff, 0, 0.3, &l->b_gate);
    o->b_up = weight(w, s->vec_type, 1, n * d_ff, 0, 0.3, &l->b_up);
    o->b_down = weight(w, s->vec_type, 1, n * d, 0, 0.3, &l->b_down);
}

static void world_family(world *w, const shape *s, int i)
{
    const family *f = s->family;
    lctx_layer *l = &w->layers[i];
    oracle_layer *o = &w->o_layers[i];
    const int64_t d = s->d_model;
    int h;
    if (f->n_expert && f->dense != i + 1) {
        o->n_expert = l->n_expert = f->n_expert, o->n_expert_used = l->n_expert_used = f->n_used;
        o->routing = l->routing = f->routing;
        o->router = weight(w, s->type, f->n_expert, d, 0, 2 / sqrt((double)d), &l->router);
        if (f->all_biases) o->b_router = weight(w, s->vec_type, 1, f->n_expert, 0, 1, &l->b_router);
    }
    world_ffn(w, s, i, o->n_expert && f->d_ff ? f->d_ff : s->d_ff);
    if (o->n_expert) l->d_ff = f->d_ff;
    if (o->n_expert && f->d_ff_shared) {
        o->d_ff_shared = l->d_ff_shared = f->d_ff_shared;
        o->shared_gate = matrix(w, s, f->d_ff_shared, d, &l->shared_gate);
        o->shared_up = matrix(w, s, f->d_ff_shared, d, &l->shared_up);
        o->shared_down = matrix(w, s, d, f->d_ff_shared, &l->shared_down);
        if (f->gated) o->shared_router = matrix(w, s, 1, d, &l->shared_router);
    }
    if (f->all_biases) o->bo = weight(w, s->vec_type, 1, d, 0, 0.3, &l->bo);
    if (f->post_norms) {
        o->attn_post_norm = norm(w, s, d, &l->attn_post_norm);
        o->ffn_post_norm = norm(w, s, d, &l->ffn_post_norm);
    }
    for (h = 0; f->sinks && h < s->n_head; h++)
        w->o_sinks[h] = (double)(w->sinks[h] = test_normal());
    if (f->sinks) l->sink_logit = w->sinks, o->sink_logit = w->o_sinks;
    if (f->chunk && i % 2) {
        w->chunks.kind = LCTX_PATTERN_BLOCKS, w->o_chunks.kind = ORACLE_BLOCKS;
        w->chunks.length = w->o_chunks.length = f->chunk;
        l->pattern = &w->chunks, o->pattern = &w->o_chunks;
    }
    if (s->no_rope && s->no_rope != i + 1) return;
    l->q_scale = (float)f->q_scale, l->q_scale_offset = (float)f->q_scale_offset;
    l->q_scale_length = f->q_scale_length;
    o->q_scale = (double)l->q_scale, o->q_scale_offset = f->q_scale_offset;
    o->q_scale_length = (double)f->q_scale_length;
}

static void world_layer(world *w, const shape *s, int i)
{
    lctx_layer *l = &w->layers[i];
    oracle_layer *o = &w->o_layers[i];
    int64_t d = s->d_model, q = w->o.n_head * w->o.head_dim, k = w->o.n_head_kv * w->o.head_dim;
    o->attn_norm = norm(w, s, d, &l->attn_norm);
    o->wq = matrix(w, s, q, d, &l->wq);
    o->wk = matrix(w, s, k, d, &l->wk);
    o->wv = matrix(w, s, k, d, &l->wv);
    o->wo = matrix(w, s, d, q, &l->wo);
    if (s->family && s->family->gated) o->attn_gate = matrix(w, s, q, d, &l->attn_gate);
    if (s->bias) {
        o->bq = weight(w, s->vec_type, 1, q, 0, 0.3, &l->bq);
        o->bk = weight(w, s->vec_type, 1, k, 0, 0.3, &l->bk);
        o->bv = weight(w, s->vec_type, 1, k, 0, 0.3, &l->bv);
    }
    if (s->qk_norm) {
        o->q_norm = norm(w, s, w->o.head_dim, &l->q_norm);
        o->k_norm = norm(w, s, w->o.head_dim, &l->k_norm);
    }
    o->ffn_norm = norm(w, s, d, &l->ffn_norm);
    o->activation = l->activation = s->family ? s->family->activation : LCTX_SILU;
    if (s->family) world_family(w, s, i);
    else world_ffn(w, s, i, s->d_ff);
    o->window = l->window = i % 2 ? s->window : 0;
    o->interleaved = s->pairing == LCTX_ROPE_INTERLEAVED;
    o->rope = s->n_rot && s->no_rope != i + 1 ? &w->o_rope[s->own_rope == i + 1] : NULL;
    l->rope = s->own_rope == i + 1 ? &w->rope[1] : NULL;
    l->no_rope = s->no_rope == i + 1;
}

/* Schedule 1 is another one, for the layer with its own. */
static void world_rope(world *w, const shape *s, int which)
{
    lctx_rope_desc d;
    oracle_rope_desc o;
    memset(&d, 0, sizeof d);
    memset(&o, 0, sizeof o);
    d.scheme = s->scheme; d.pairing = s->pairing; d.n_rot = s->n_rot;
    d.theta = o.theta = which ? 10000 : 500;
    o.n_rot = s->n_rot; o.factor = 1; o.scheme = ORACLE_PLAIN; o.truncate = 1;
    if (s->scheme == LCTX_ROPE_YARN) {
        o.scheme = ORACLE_YARN;
        d.factor = o.factor = 4;
        d.orig_ctx = o.orig_ctx = 64;
        d.beta_fast = o.beta_fast = 8;
        d.beta_slow = o.beta_slow = 1;
        d.mscale = o.mscale = 1;
        d.mscale_all_dim = o.mscale_all_dim = 0.7;
    }
    oracle_rope_schedule(&o, &w->o_rope[which]);
    if (lctx_rope_init(&w->rope[which], &d) != LCTX_OK) check(0, "a schedule is made");
}

static double given_or(float given, double value) { return given != 0 ? (double)given : value; }

static world *world_new(const shape *s)
{
    world *w = (world *)zeroed(1, sizeof *w);
    lctx_model *m = &w->m;
    oracle_model *o = &w->o;
    int i;
    test_state = 12345;
    m->n_layer = o->n_layer = s->n_layer; m->n_head = o->n_head = s->n_head;
    m->n_head_kv = o->n_head_kv = s->n_head_kv; m->head_dim = o->head_dim = s->head_dim;
    if (!s->head_dim) o->head_dim = s->d_model / s->n_head;
    m->d_model = o->d_model = s->d_model; m->d_ff = s->d_ff;
    m->n_vocab = o->n_vocab = s->n_vocab;
    m->norm_eps = s->norm_eps; o->norm_eps = given_or(s->norm_eps, (double)1e-5f);
    m->embd_scale = s->embd_scale; o->embd_scale = given_or(s->embd_scale, 1);
    m->attn_scale = s->attn_scale; o->attn_scale = given_or(s->attn_scale, 1 / sqrt(o->head_dim));
    m->softcap = s->softcap; o->softcap = (double)s->softcap;
    m->logit_softcap = s->logit_softcap; o->logit_softcap = (double)s->logit_softcap;
    if (s->n_rot) for (i = 0; i < 2; i++) world_rope(w, s, i);
    m->rope = s->n_rot ? &w->rope[0] : NULL;
    m->layers = w->layers; o->layers = w->o_layers;
    o->tok_embd = weight(w, s->type, s->n_vocab, s->d_model, 0, 1, &m->tok_embd);
    o->output = o->tok_embd;
    if (!s->tied) o->output = matrix(w, s, s->n_vocab, s->d_model, &m->output);
    o->output_norm = norm(w, s, s->d_model, &m->output_norm);
    for (i = 0; i < s->n_layer; i++) world_layer(w, s, i);
    return w;
}

/* ---------------------------------------------------------------------------- sessions */

static int32_t *random_tokens(const world *w, int64_t n, uint64_t seed)
{
    int32_t *tokens = (int32_t *)zeroed(n, sizeof *tokens);
    int64_t i;
    test_state = seed;
    for (i = 0; i < n; i++) tokens[i] = (int32_t)(test_random() % (uint64_t)w->m.n_vocab);
    return tokens;
}

/* Beside the policies: everything kept, and a block of it read with sinks and window. */
#define READS LCTX_POLICY_COUNT
static lctx_session_desc policy_desc(lctx_policy policy, int64_t window, int32_t n_sink)
{
    lctx_session_desc d;
    memset(&d, 0, sizeof d);
    d.policy = policy == READS ? LCTX_FULL : (int32_t)policy;
    if (policy != LCTX_FULL) d.window = policy == READS ? window / 2 + 1 : window;
    if (policy == LCTX_SINKS || policy == READS) d.n_sink = n_sink;
    if (policy == READS) d.n_read = 40;
    d.block = 64;
    return d;
}

static lctx_session *session_new(const world *w, const lctx_session_desc *d)
{
    lctx_session *s = NULL;
    lctx_status st = lctx_session_create(&w->m, d, &s);
    if (st != LCTX_OK) check(0, "a session is created: %s", lctx_status_text(st));
    return s;
}

/* Feeds in pieces of at most `piece` tokens (0: at once; negative: of changing sizes), keeping the
   logits of all. */
static lctx_status feed_pieces(lctx_session *s, const world *w, const int32_t *tokens, int64_t n,
                               int64_t piece, float *logits)
{
    int64_t at, b, odd = 1;
    lctx_status st = LCTX_OK;
    for (at = 0; at < n && st == LCTX_OK; at += b) {
        b = piece > 0 ? piece : piece < 0 ? odd : n;
        odd = odd * 5 % 97;
        if (b > n - at) b = n - at;
        st = lctx_session_feed(s, tokens + at, b, LCTX_LOGITS_ALL, logits + at * w->m.n_vocab);
    }
    return st;
}

/* The logits of all tokens from a fresh session, to be freed. */
static float *fresh_logits(const world *w, const lctx_session_desc *d, const int32_t *tokens,
                           int64_t n, int64_t piece)
{
    float *logits = (float *)zeroed(n * w->m.n_vocab, sizeof *logits);
    lctx_session *s = session_new(w, d);
    lctx_status st = feed_pieces(s, w, tokens, n, piece, logits);
    if (st != LCTX_OK) check(0, "a session is fed: %s", lctx_status_text(st));
    lctx_session_free(s);
    return logits;
}

static int same(const world *w, const float *a, const float *b, int64_t n)
{
    return !memcmp(a, b, (size_t)(n * w->m.n_vocab) * sizeof *a);
}

static lctx_session_info info_of(const lctx_session *s)
{
    lctx_session_info info;
    memset(&info, 0, sizeof info);
    if (lctx_session_get_info(s, &info) != LCTX_OK) check(0, "a session gives its numbers");
    return info;
}

/* What a failed call may not change: all but the scratch, which may have grown. */
static int same_info(const lctx_session *s, const lctx_session_info *before)
{
    lctx_session_info now = info_of(s);
    return now.n == before->n && now.n_dropped == before->n_dropped
           && now.rewind_min == before->rewind_min && now.cache_bytes == before->cache_bytes;
}

/* ---------------------------------------------------------------------------- against the oracle */

static const family
    gemma = { .post_norms = 1, .activation = LCTX_GELU },
    mixtral = { .n_expert = 8, .n_used = 2 },
    qwen3moe = { .n_expert = 100, .n_used = 8, .d_ff = 12 },
    experts_biased = { .n_expert = 5, .n_used = 5, .d_ff = 33, .all_biases = 1, .post_norms = 1 },
    gpt_oss = { .n_expert = 32, .n_used = 4, .d_ff = 48, .all_biases = 1, .sinks = 1,
                .activation = LCTX_SWIGLU_CAPPED },
    llama4 = { .n_expert = 16, .n_used = 1, .d_ff = 40, .d_ff_shared = 40, .dense = 2,
               .routing = LCTX_ROUTE_SIGMOID, .q_scale = 0.1, .q_scale_offset = 1,
               .q_scale_length = 8, .chunk = 24 },
    ministral = { .q_scale = 0.1, .q_scale_length = 16 },
    all_softmax = { .n_expert = 9, .n_used = 3, .d_ff_shared = 7, .gated = 1,
                    .routing = LCTX_ROUTE_SOFTMAX };

static const shape shapes[] = {
  /* name                       L  H Hkv hd  dm  ff   voc rot */
  { "Llama, tied",              2, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Llama, own output",        2, 4, 2, 12, 48, 100, 259, 12, 1, 0, 0, 0, 0, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Llama, f16 weights",       2, 6, 2, 12, 72, 100, 259, 12, 1, 0, 1, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Llama, bf16 weights",      2, 6, 3, 12, 72, 100,  37, 12, 0, 0, 2, 2, 0, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Llama, int8 weights",      2, 6, 1, 12, 72, 100, 259, 12, 1, 0, 3, 1, 0, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Llama, int8, tied",        1, 4, 4, 12, 48,  33,  37, 12, 1, 0, 3, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Qwen2: biases",            2, 6, 2,  0, 72, 100, 259, 12, 0, 0, 0, 0, 1, 1, 0, 0,0,0,0, 1e-6f, 0, 0, 0, NULL },
  { "Qwen2, f16 biases",        2, 4, 1,  0, 48, 100,  37, 12, 0, 0, 1, 1, 0, 1, 0, 0,0,0,0, 1e-6f, 0, 0, 0, NULL },
  { "Qwen3: norms of q and k",  2, 4, 2, 32, 48, 100,  37, 32, 0, 0, 0, 0, 1, 0, 1, 0,0,0,0, 1e-6f, 0, 0, 0, NULL },
  { "Qwen3, bf16, odd heads",   2, 3, 1, 40, 72, 100, 259, 40, 0, 0, 2, 1, 1, 0, 1, 0,0,0,0, 1e-6f, 0, 0, 0, NULL },
  { "no rotation",              2, 4, 2, 12, 48, 100,  37,  0, 0, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "a quarter turns",          2, 4, 2, 32, 48, 100,  37,  8, 0, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "a quarter turns, in pairs",2, 4, 2, 32, 48, 100,  37,  8, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "windows of odd layers",    3, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 9, 0, 0, NULL },
  { "a layer's own rotation",   3, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 2, 0, NULL },
  { "a layer without rotation", 3, 4, 2, 12, 48, 100,  37, 12, 0, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 2, 3, NULL },
  { "softcaps and scales",      2, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 6.9282f, 0.4f, 2.0f, 3.0f, 1e-3f, 0, 0, 0, NULL },
  { "YaRN with mscale",         2, 4, 2, 32, 48, 100,  37, 32, 0, LCTX_ROPE_YARN, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, NULL },
  { "YaRN in pairs, partial",   2, 4, 2, 32, 48, 100,  37, 16, 1, LCTX_ROPE_YARN, 1, 0, 1, 0, 0, 0,0,0,0,0, 9, 0, 1, NULL },
  { "one head of 7, odd sizes", 2, 1, 1,  7, 13,   5,   3,  6, 0, 0, 0, 0, 1, 1, 1, 0,0,0,0,0, 0, 0, 0, NULL },
  { "Gemma 2",                  4, 4, 2, 12, 48, 100,  37, 12, 0, 0, 0, 0, 1, 0, 0, 6.9282f, 0.4f, 2.0f, 3.0f, 1e-6f, 9, 0, 0, &gemma },
  { "Gemma 3, f16 weights",     3, 4, 1, 32, 48, 100,  37, 32, 0, 0, 1, 0, 1, 0, 1, 6.9282f, 0,0,0, 1e-6f, 9, 3, 0, &gemma },
  { "Mixtral",                  2, 4, 2, 12, 48,  40, 259, 12, 1, 0, 0, 0, 0, 0, 0, 0,0,0,0,0, 0, 0, 0, &mixtral },
  { "Qwen 3 with experts",      2, 4, 2, 32, 48, 100,  37, 32, 0, 0, 2, 0, 0, 0, 1, 0,0,0,0, 1e-6f, 0, 0, 0, &qwen3moe },
  { "experts, int8 weights",    2, 4, 2, 12, 48, 100,  37, 12, 0, 0, 3, 1, 0, 1, 0, 0,0,0,0,0, 0, 0, 0, &experts_biased },
  { "gpt-oss",                  2, 8, 2, 16, 48, 100,  37, 16, 0, LCTX_ROPE_YARN, 0, 0, 0, 1, 0, 0,0,0,0,0, 9, 0, 0, &gpt_oss },
  { "Llama 4",                  4, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 0, 0, 1, 0,0,0,0,0, 0, 0, 3, &llama4 },
  { "Ministral 3",              2, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, &ministral },
  { "softmax over all experts", 2, 4, 2, 12, 48, 100,  37, 12, 1, 0, 0, 0, 1, 0, 0, 0,0,0,0,0, 0, 0, 0, &all_softmax },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static double worst_error(const world *w, const lctx_session_desc *d, int64_t n,
                          const int32_t *tokens, const double *want)
{
    float *got = fresh_logits(w, d, tokens, n, 0);
    oracle_error e;
    memset(&e, 0, sizeof e);
    oracle_error_add(&e, n * w->m.n_vocab, want, got);
    free(got);
    return e.worst;
}

static void test_shapes(void)
{
    const int64_t n = full() ? 300 : quick() ? 20 : 70;
    int i;
    for (i = 0; i < N_SHAPES; i++) {
        world *w = world_new(&shapes[i]);
        lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
        int32_t *tokens = random_tokens(w, n, 99);
        double *want = (double *)zeroed(n * w->m.n_vocab, sizeof *want), worst;
        oracle_model_logits(&w->o, n, tokens, want);
        worst = worst_error(w, &d, n, tokens, want);
        check(lctx_model_check(&w->m) == LCTX_OK, "%s: the model is found valid", shapes[i].name);
        check(worst < 1e-4, "%s: the logits of every token are the oracle's (%.1e)",
              shapes[i].name, worst);
        free(want);
        free(tokens);
        world_free(w);
    }
}

static void test_policy(const shape *s, lctx_policy policy, int64_t window, int32_t n_sink)
{
    static const char *const names[] = { "full", "window", "sinks", "heavy", "reads" };
    static const double bound[] = { 1e-4, 0.02, 0.15, 0.15, 1e-4, 0.02, 0.2, 0.4, 4 };
    const int64_t n = full() ? 500 : quick() ? 40 : 120;
    world *w = world_new(s);
    lctx_session_desc d = policy_desc(policy, window, n_sink);
    int32_t *tokens = random_tokens(w, n, 99);
    double *want = (double *)zeroed(n * w->m.n_vocab, sizeof *want);
    int type;
    if (policy == READS) d.n_read = n;         /* all of it */
    else w->o.window = d.window, w->o.n_sink = d.n_sink;
    oracle_model_logits(&w->o, n, tokens, want);
    for (type = 0; type < 9; type++) {
        double worst;
        d.k_type = d.v_type = type < 8 ? type % 4 : LCTX_I4, d.precise = type < 4;
        worst = worst_error(w, &d, n, tokens, want);
        check(worst < bound[type], "%s, %s %d/%d, cache type %d: the oracle's logits (%.1e)", s->name,
              names[policy], (int)d.window, (int)d.n_sink, type, worst);
    }
    free(want);
    free(tokens);
    world_free(w);
}

static void test_policies(void)
{
    static const int which[] = { 0, 6, 13, 15, 18 };
    size_t i;
    for (i = 0; i < sizeof which / sizeof *which; i++) {
        const shape *s = &shapes[which[i]];
        if (test_sampled() && i % 2) continue;
        test_policy(s, LCTX_FULL, 0, 0);
        test_policy(s, LCTX_WINDOW, 13, 0);
        test_policy(s, LCTX_WINDOW, 1, 0);
        test_policy(s, LCTX_SINKS, 13, 4);
        test_policy(s, LCTX_SINKS, 70, 1);
        test_policy(s, READS, 1, 0);
    }
}

/* What a schedule does beside its frequencies: xPos on both sides, and first positions of their
   own, which sinks may hold. */
static const shape rope_shape = {
    "for ropes", 2, 4, 2, 12, 48, 60, 61, 8, 1, LCTX_ROPE_YARN, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, NULL
};

static void test_rope(lctx_policy policy, double xpos_base, int64_t n_hat)
{
    enum { N = 120 };
    world *w = world_new(&rope_shape);
    lctx_session_desc d = policy_desc(policy, 13, 4);
    int32_t *tokens = random_tokens(w, N, 99);
    double *want = (double *)zeroed(N * w->m.n_vocab, sizeof *want), with, without;
    w->o.window = d.window;
    w->o.n_sink = d.n_sink;
    w->rope[0].xpos_base = w->o_rope[0].xpos_base = xpos_base;
    w->rope[0].xpos_center = w->o_rope[0].xpos_center = 50;
    w->rope[0].n_hat = w->o_rope[0].n_hat = n_hat;
    oracle_model_logits(&w->o, N, tokens, want);
    with = worst_error(w, &d, N, tokens, want);
    w->rope[0].xpos_base = 0;
    w->rope[0].n_hat = 0;
    without = worst_error(w, &d, N, tokens, want);
    check(with < 1e-4 && without > 1e-3, "a model with xPos %g and n_hat %d, policy %d: the oracle's"
          " logits (%.1e; without them %.1e)", xpos_base, (int)n_hat, (int)policy, with, without);
    free(want);
    free(tokens);
    world_free(w);
}

static void test_ropes(void)
{
    world *w = world_new(&rope_shape);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 13, 4);
    lctx_session *s = NULL;
    int policy;
    w->rope[0].n_hat = 5;
    check(lctx_session_create(&w->m, &d, &s) == LCTX_E_N_HAT && !s,
          "sinks that do not hold all of the first n_hat positions are refused");
    world_free(w);
    for (policy = 0; policy <= LCTX_SINKS; policy++) {
        test_rope((lctx_policy)policy, 16, 0);
        test_rope((lctx_policy)policy, 0, 4);
        test_rope((lctx_policy)policy, 5, 2);
    }
}

/* Patterns of layers, one kind each beside a layer without. */
static void test_layer_patterns(void)
{
    enum { N = 120 };
    static const int64_t list[] = { 0, 17, 64 };
    static const lctx_pattern patterns[] = {
        { LCTX_PATTERN_STRIDED, 0, 9, 4, 0, 0, NULL, 0, 0 },
        { LCTX_PATTERN_FIXED, 0, 10, 0, 2, 0, NULL, 0, 0 },
        { LCTX_PATTERN_DILATED, 3, 30, 0, 0, 0, NULL, 0, 0 },
        { LCTX_PATTERN_BLOCKS, 0, 20, 0, 0, 1, list, 3, 0 }
    };
    world *w = world_new(&shapes[13]);
    int32_t *tokens = random_tokens(w, N, 99);
    double *want = (double *)zeroed(N * w->m.n_vocab, sizeof *want), with, without;
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session *s = NULL;
    size_t i;
    for (i = 0; i < 4; i++) {
        const lctx_pattern *p = &patterns[i];
        oracle_pattern o;
        memset(&o, 0, sizeof o);
        o.kind = p->kind; o.dilation = p->dilation; o.length = p->length; o.local = p->local;
        o.summary = p->summary; o.back = p->back; o.global = p->global; o.n_global = p->n_global;
        w->o_layers[0].pattern = &o;
        oracle_model_logits(&w->o, N, tokens, want);
        w->layers[0].pattern = NULL;
        without = worst_error(w, &d, N, tokens, want);
        w->layers[0].pattern = p;
        with = worst_error(w, &d, N, tokens, want);
        check(with < 1e-4 && without > 1e-3, "a layer under pattern %d: the oracle's logits (%.1e;"
              " without it %.1e)", p->kind, with, without);
    }
    w->layers[1].pattern = &patterns[3];
    check(lctx_session_create(&w->m, &d, &s) == LCTX_E_GLOBAL && !s,
          "global positions in a layer with a window are refused");
    free(want);
    free(tokens);
    world_free(w);
}

/* ---------------------------------------------------------------------------- sink logits */

/* As gpt-oss has them: windows in every other layer, biases, and in all layers a logit a head. */
static const shape sink_shape = {
    "gpt-oss's attention", 3, 6, 2, 12, 72, 100, 61, 12, 0, LCTX_ROPE_YARN, 0, 0, 0, 1, 0,
    0, 0, 0, 0, 0, 9, 0, 0, NULL
};

static world *sink_world(void)
{
    world *w = world_new(&sink_shape);
    int i, h;
    for (i = 0; i < w->m.n_layer; i++) {
        float *ours = (float *)keep(w, w->m.n_head, sizeof *ours);
        double *oracles = (double *)keep(w, w->m.n_head, sizeof *oracles);
        for (h = 0; h < w->m.n_head; h++) oracles[h] = (double)(ours[h] = 2 * test_normal());
        w->layers[i].sink_logit = ours;
        w->o_layers[i].sink_logit = oracles;
    }
    return w;
}

static void test_sink_logits(lctx_policy policy, int raw)
{
    const int64_t n = full() ? 500 : quick() ? 40 : 120;
    world *w = sink_world();
    lctx_session_desc d = policy_desc(policy, 33, 4);
    int32_t *tokens = random_tokens(w, n, 99);
    double *want = (double *)zeroed(n * w->m.n_vocab, sizeof *want), with, without = 1;
    int i;
    d.raw_keys = raw;
    w->o.window = d.window;
    w->o.n_sink = d.n_sink;
    oracle_model_logits(&w->o, n, tokens, want);
    with = worst_error(w, &d, n, tokens, want);
    for (i = 0; i < w->m.n_layer; i++) {
        const float *sinks = w->layers[i].sink_logit;
        double worst;
        w->layers[i].sink_logit = NULL;
        worst = worst_error(w, &d, n, tokens, want);
        if (worst < without) without = worst;
        w->layers[i].sink_logit = sinks;
    }
    check(with < 1e-4 && without > 1e-3, "sink logits in layers with and without windows, policy %d,"
          " %s keys: the oracle's logits (%.1e; a layer without them %.1e)", (int)policy,
          raw ? "raw" : "rotated", with, without);
    free(want);
    free(tokens);
    world_free(w);
}

static void test_sink_logit_bits(void)
{
    static const int32_t chunks[] = { 7, 64, 256, 16 };
    static const int64_t pieces[] = { 0, -1, 1, 10 };
    const int64_t n = quick() ? 60 : 200;
    world *w = sink_world();
    int32_t *tokens = random_tokens(w, n, 5);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_parallel par;
    hook h;
    float *want, *got;
    int i;
    d.k_type = LCTX_F16;
    d.v_type = LCTX_I8;
    want = fresh_logits(w, &d, tokens, n, 0);
    d.par = &par;
    for (i = 0; i < 4; i++) {
        par = hook_parallel(&h, i % 2 ? HOOK_POOL : HOOK_SHUFFLED, i + 1);
        d.chunk = chunks[i];
        got = fresh_logits(w, &d, tokens, n, pieces[i]);
        check(same(w, want, got, n), "sink logits, chunks of %d, pieces of %d, %d threads: equal"
              " bits", (int)chunks[i], (int)pieces[i], i + 1);
        free(got);
    }
    free(want);
    free(tokens);
    world_free(w);
}

/* ---------------------------------------------------------------------------- raw keys */

enum { RAW_N = 150, RAW_L = 40 };

typedef struct raw_case {
    const char *name;
    int scheme;                  /* that follows the length, from RAW_L on; or -1: the model's own */
    lctx_far_rule rule;
    lctx_policy policy;
} raw_case;

static const double raw_short[] = { 1, 1.1, 1.3, 1.7, 2, 2.5 };
static const double raw_long[] = { 1, 1.5, 2, 4, 8, 8 };

static lctx_rope_desc raw_rope(const shape *s, int scheme, oracle_rope_desc *o)
{
    lctx_rope_desc d;
    memset(&d, 0, sizeof d);
    memset(o, 0, sizeof *o);
    d.scheme = scheme; d.pairing = s->pairing; d.n_rot = o->n_rot = s->n_rot;
    o->scheme = scheme == LCTX_ROPE_DYNAMIC ? ORACLE_DYNAMIC : ORACLE_LONGROPE;
    d.theta = o->theta = 500; d.factor = o->factor = 4; d.orig_ctx = o->orig_ctx = RAW_L;
    d.short_factor = o->short_factor = raw_short; d.long_factor = o->long_factor = raw_long;
    return d;
}

static double raw_error(const world *w, const lctx_session_desc *d, const int32_t *tokens,
                        int64_t piece, const double *want)
{
    float *got = fresh_logits(w, d, tokens, RAW_N, piece);
    oracle_error e;
    memset(&e, 0, sizeof e);
    oracle_error_add(&e, RAW_N * w->m.n_vocab, want, got);
    free(got);
    return e.worst;
}

/* A fork and a rewound session with raw keys go on as the first would have. */
static void raw_goes_on(const world *w, const lctx_session_desc *d, const int32_t *tokens,
                        const float *all, const char *name)
{
    const int64_t v = w->m.n_vocab, at = 100;
    lctx_session *s = session_new(w, d), *fork = NULL;
    float *got = (float *)zeroed(RAW_N * v, sizeof *got);
    int64_t back;
    feed_pieces(s, w, tokens, at, 0, got);
    check(lctx_session_fork(s, &fork) == LCTX_OK
          && feed_pieces(fork, w, tokens + at, RAW_N - at, 7, got) == LCTX_OK
          && same(w, got, all + at * v, RAW_N - at), "raw keys, %s: a fork goes on", name);
    back = info_of(s).rewind_min < 60 ? 60 : info_of(s).rewind_min;
    check(lctx_session_rewind(s, back) == LCTX_OK
          && feed_pieces(s, w, tokens + back, RAW_N - back, 7, got) == LCTX_OK
          && same(w, got, all + back * v, RAW_N - back), "raw keys, %s: rewound, it goes on", name);
    lctx_session_free(fork);
    lctx_session_free(s);
    free(got);
}

/* Frequencies and distances that change while keys stay: the logits of each token are those of a
   computation without a cache, in double, that turns all keys afresh for every query; in any
   chunking and by any number of threads the same bits. */
static void test_raw(const raw_case *c, const shape *s)
{
    static const int64_t pieces[] = { 1, -1, 64 };
    world *w = world_new(s);
    lctx_session_desc d = policy_desc(c->policy, 33, 4);
    int32_t *tokens = random_tokens(w, RAW_N, 99);
    double *want = (double *)zeroed(RAW_N * w->m.n_vocab, sizeof *want), with, without;
    float *all, *got;
    oracle_rope_desc live;
    lctx_rope_desc rope;
    int type, i;
    w->o.window = d.window; w->o.n_sink = d.n_sink;
    w->o.far_kind = c->rule.kind; w->o.far_window = c->rule.window;
    w->o.far_group = c->rule.group; w->o.far_leak = c->rule.leak;
    rope = raw_rope(s, c->scheme, &live);
    if (c->scheme >= 0) w->o.live = &live;
    oracle_model_logits(&w->o, RAW_N, tokens, want);
    without = raw_error(w, &d, tokens, 0, want);
    d.raw_keys = 1;
    d.rope = c->scheme >= 0 ? &rope : NULL;
    d.far_rule = c->rule.kind ? &c->rule : NULL;
    with = raw_error(w, &d, tokens, 0, want);
    check(with < 1e-4, "raw keys, %s, policy %d: the oracle's logits (%.1e)", c->name, c->policy,
          with);
    check(without > 1e-3 || (c->scheme < 0 && !c->rule.kind),
          "%s differs from what rotated keys give (%.1e)", c->name, without);
    for (type = 1; type < 5; type++) {
        d.k_type = d.v_type = type;
        with = raw_error(w, &d, tokens, 0, want);
        check(with < (type == 1 ? 0.02 : type < 4 ? 0.15 : 1.5), "raw keys of type %d, %s, policy %d: near the"
              " oracle's logits (%.1e)", type, c->name, c->policy, with);
    }
    d.k_type = LCTX_F16;
    all = fresh_logits(w, &d, tokens, RAW_N, 0);
    for (i = 0; i < 3; i++) {
        d.chunk = i == 2 ? 16 : 0;
        got = fresh_logits(w, &d, tokens, RAW_N, pieces[i]);
        check(same(w, all, got, RAW_N), "raw keys, %s, policy %d, in pieces of %d: equal bits",
              c->name, c->policy, (int)pieces[i]);
        free(got);
    }
    raw_goes_on(w, &d, tokens, all, c->name);
    free(all);
    free(want);
    free(tokens);
    world_free(w);
}

static void test_raw_keys(void)
{
    static const raw_case cases[] = {
        { "the model's schedule", -1, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_FULL },
        { "the model's schedule", -1, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_WINDOW },
        { "the model's schedule", -1, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_SINKS },
        { "dynamic NTK", LCTX_ROPE_DYNAMIC, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_FULL },
        { "LongRoPE's switch", LCTX_ROPE_LONGROPE, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_FULL },
        { "LongRoPE's switch", LCTX_ROPE_LONGROPE, { LCTX_FAR_NONE, 0, 0, 0 }, LCTX_SINKS },
        { "ReRoPE", -1, { LCTX_FAR_CLAMP, 0, 20, 0 }, LCTX_FULL },
        { "LM-Infinite", -1, { LCTX_FAR_CLAMP, 0, 20, 0 }, LCTX_SINKS },
        { "leaky ReRoPE", -1, { LCTX_FAR_LEAKY, 0, 20, 3.5 }, LCTX_FULL },
        { "Self-Extend", -1, { LCTX_FAR_GROUP, 5, 20, 0 }, LCTX_FULL },
        { "Self-Extend", -1, { LCTX_FAR_GROUP, 4, 17, 0 }, LCTX_WINDOW }
    };
    static const shape odd = {
        "for raw keys", 2, 4, 2, 32, 48, 60, 37, 12, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!slow() || i % 3 == 0) test_raw(&cases[i], i % 2 ? &shapes[0] : &odd);
}

/* ---------------------------------------------------------------------------- equal bits */

/* Large enough for its products to be cut over threads. */
static const shape bits_shape = {
    "for bits", 2, 6, 2, 12, 72, 100, 61, 12, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, NULL
};
static const char *const policy_names[] = { "full", "window", "sinks", "heavy", "reads" };

static void test_chunkings(const shape *s, lctx_policy policy, int type)
{
    static const int32_t chunks[] = { 1, 7, 64, 256, 256, 256, 7, 64 };
    static const int64_t pieces[] = { 0, 0,  0,   0,   1,  -1, 10, -1 };
    const int64_t n = full() ? 1500 : quick() ? 100 : 260;
    world *w = world_new(s);
    int32_t *tokens = random_tokens(w, n, 5);
    lctx_session_desc d = policy_desc(policy, 77, 4);
    float *want;
    size_t i;
    d.k_type = type;
    d.v_type = (type + 1) % 5;
    d.chunk = 128;
    want = fresh_logits(w, &d, tokens, n, 0);
    for (i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        float *got;
        d.chunk = chunks[i];
        got = fresh_logits(w, &d, tokens, n, pieces[i]);
        check(same(w, want, got, n), "%s, %s, type %d: chunks of %d, fed in pieces of %d: equal bits",
              s->name, policy_names[policy], type, (int)chunks[i], (int)pieces[i]);
        free(got);
    }
    free(want);
    free(tokens);
    world_free(w);
}

/* LAST and NONE leave the same state and give the last of ALL. */
static void test_which_logits(void)
{
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, 100, 5);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 33, 4);
    float *want, *got = (float *)zeroed(w->m.n_vocab, sizeof *got);
    const int64_t v = w->m.n_vocab;
    lctx_session *s = session_new(w, &d);
    d.chunk = 16;
    want = fresh_logits(w, &d, tokens, 100, 0);
    check(lctx_session_feed(s, tokens, 60, LCTX_LOGITS_LAST, got) == LCTX_OK
          && same(w, got, want + 59 * v, 1), "the last logits are the last of all");
    check(lctx_session_feed(s, tokens + 60, 39, LCTX_LOGITS_NONE, NULL) == LCTX_OK
          && lctx_session_feed(s, tokens + 99, 1, LCTX_LOGITS_LAST, got) == LCTX_OK
          && same(w, got, want + 99 * v, 1), "a feed without logits leaves the same state");
    lctx_session_free(s);
    free(want);
    free(got);
    free(tokens);
    world_free(w);
}

static void test_threads(const shape *s, lctx_policy policy)
{
    static const int32_t threads[] = { 1, 2, 3, 7 };
    world *w = world_new(s);
    int32_t *tokens = random_tokens(w, 200, 6);
    lctx_session_desc d = policy_desc(policy, 77, 4);
    lctx_parallel par;
    hook h;
    float *want = NULL, *got;
    size_t i;
    int kind;
    d.par = &par;
    d.chunk = 64;
    for (kind = 0; kind < HOOK_KINDS; kind++) {
        for (i = 0; i < 4; i++) {
            par = hook_parallel(&h, (hook_kind)kind, threads[i]);
            got = fresh_logits(w, &d, tokens, 200, -1);
            if (!want) { want = got; continue; }
            check(same(w, want, got, 200), "%s, %s: %d threads of the host's, %s: equal bits",
                  s->name, policy_names[policy], (int)threads[i], kind == HOOK_POOL ? "a pool" : "shuffled");
            check(threads[i] == 1 || h.calls > 0, "the host's threads were asked for");
            free(got);
        }
    }
    d.par = NULL;
    got = fresh_logits(w, &d, tokens, 200, 0);
    check(same(w, want, got, 200), "%s, %s: the default threads: equal bits", s->name,
          policy_names[policy]);
    free(got);
    free(want);
    free(tokens);
    world_free(w);
}

/* Experts' rows are gathered from what is fed at once: bits may not tell. */
static void test_family_bits(void)
{
    int i;
    for (i = 0; i < N_SHAPES; i++) {
        const family *f = shapes[i].family;
        if (!f || (slow() && f->n_expert != 32)) continue;
        test_chunkings(&shapes[i], f->n_expert ? LCTX_FULL : LCTX_SINKS, LCTX_F16);
        test_threads(&shapes[i], LCTX_FULL);
    }
}

typedef struct player {
    const world *w;
    const int32_t *tokens;
    int64_t n;
    lctx_session *session;     /* to be fed; null: a fresh one */
    int number;
    float *logits;
    lctx_status status;
} player;

static void *play(void *user)
{
    player *p = (player *)user;
    lctx_session_desc d = policy_desc(LCTX_SINKS, 77, 4);
    lctx_session *s = p->session;
    lctx_parallel par;
    hook h;
    par = hook_parallel(&h, HOOK_POOL, 1 + p->number % 2);
    d.par = &par;
    d.chunk = 32 << p->number;
    p->status = LCTX_OK;
    if (!s) p->status = lctx_session_create(&p->w->m, &d, &s);
    if (p->status == LCTX_OK)
        p->status = feed_pieces(s, p->w, p->tokens, p->n, p->number ? -1 : 0, p->logits);
    lctx_session_free(s);
    return NULL;
}

static void test_shared_model(void)
{
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, 150, 7);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 77, 4);
    float *want = fresh_logits(w, &d, tokens, 150, 0);
    player players[4];
    int i;
    for (i = 0; i < 4; i++) {
        memset(&players[i], 0, sizeof players[i]);
        players[i].w = w; players[i].tokens = tokens; players[i].n = 150; players[i].number = i;
        players[i].logits = (float *)zeroed(150 * w->m.n_vocab, sizeof(float));
    }
    hook_each(play, players, sizeof *players, 4);
    for (i = 0; i < 4; i++) {
        check(players[i].status == LCTX_OK && same(w, want, players[i].logits, 150),
              "session %d of four over one model, each on its thread: equal bits", i);
        free(players[i].logits);
    }
    free(want);
    free(tokens);
    world_free(w);
}

/* ---------------------------------------------------------------------------- fork and rewind */

/* The two parts of a text one behind the other, to be freed. */
static int32_t *joined(const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b)
{
    int32_t *all = (int32_t *)zeroed(n_a + n_b, sizeof *all);
    memcpy(all, a, (size_t)n_a * sizeof *all);
    memcpy(all + n_a, b, (size_t)n_b * sizeof *all);
    return all;
}

/* Does a session that holds a go on with b as a fresh one does? */
static int goes_on(lctx_session *s, const world *w, const lctx_session_desc *d, const int32_t *a,
                   int64_t n_a, const int32_t *b, int64_t n_b)
{
    int32_t *all = joined(a, n_a, b, n_b);
    float *want = fresh_logits(w, d, all, n_a + n_b, 0);
    float *got = (float *)zeroed(n_b * w->m.n_vocab, sizeof *got);
    int ok = feed_pieces(s, w, b, n_b, -1, got) == LCTX_OK
             && same(w, want + n_a * w->m.n_vocab, got, n_b);
    free(all);
    free(want);
    free(got);
    return ok;
}

static void test_fork(lctx_policy policy, int64_t n)
{
    world *w = world_new(&bits_shape);
    int32_t *prefix = random_tokens(w, n, 8), *a = random_tokens(w, 90, 9);
    int32_t *b = random_tokens(w, 90, 10), *both;
    lctx_session_desc d = policy_desc(policy, 77, 4);
    lctx_session *one = session_new(w, &d), *two = NULL;
    lctx_session_info before;
    lctx_session_feed(one, prefix, n, LCTX_LOGITS_NONE, NULL);
    before = info_of(one);
    check(lctx_session_fork(one, &two) == LCTX_OK && same_info(two, &before),
          "%s at %d: a fork has the same numbers", policy_names[policy], (int)n);
    check(goes_on(two, w, &d, prefix, n, a, 90), "%s at %d: the fork goes on with its own tokens",
          policy_names[policy], (int)n);
    check(same_info(one, &before), "%s at %d: the first session stays", policy_names[policy], (int)n);
    check(goes_on(one, w, &d, prefix, n, b, 90), "%s at %d: the first session goes on with others",
          policy_names[policy], (int)n);
    lctx_session_free(one);
    both = joined(prefix, n, a, 90);
    check(goes_on(two, w, &d, both, n + 90, b, 90), "%s at %d: the fork outlives the first",
          policy_names[policy], (int)n);
    lctx_session_free(two);
    free(both);
    free(prefix);
    free(a);
    free(b);
    world_free(w);
}

/* Forks with shared blocks, fed at once by several threads. */
static void test_forks_on_threads(lctx_policy policy)
{
    world *w = world_new(&bits_shape);
    int32_t *prefix = random_tokens(w, 100, 8), *next = random_tokens(w, 100, 9), *all;
    lctx_session_desc d = policy_desc(policy, 77, 4);
    lctx_parallel par;
    hook h;
    lctx_session *s;
    player players[4];
    float *want;
    int i, forked = 1, equal = 1;
    par = hook_parallel(&h, HOOK_SHUFFLED, 1);
    d.par = &par;
    s = session_new(w, &d);
    lctx_session_feed(s, prefix, 100, LCTX_LOGITS_NONE, NULL);
    all = joined(prefix, 100, next, 100);
    want = fresh_logits(w, &d, all, 200, 0);
    for (i = 0; i < 4; i++) {
        memset(&players[i], 0, sizeof players[i]);
        players[i].w = w; players[i].tokens = next; players[i].n = 100; players[i].number = i;
        players[i].logits = (float *)zeroed(100 * w->m.n_vocab, sizeof(float));
        forked &= lctx_session_fork(s, &players[i].session) == LCTX_OK;
    }
    lctx_session_free(s);
    if (forked) hook_each(play, players, sizeof *players, 4);
    for (i = 0; i < 4; i++) {
        equal &= same(w, want + 100 * w->m.n_vocab, players[i].logits, 100);
        free(players[i].logits);
    }
    check(forked && equal, "%s: four forks on four threads: equal bits", policy_names[policy]);
    free(all);
    free(want);
    free(prefix);
    free(next);
    world_free(w);
}

/* A budget for everything gives the bits of a full session; a small one leaves something out, but
   not before there is more than sinks, window and budget hold. */
static void test_reads(const shape *s, int type)
{
    enum { N = 330, ALL = 128 };      /* blocks of 64: sinks', one of the budget */
    world *w = world_new(s);
    int32_t *tokens = random_tokens(w, N, 51);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0), r = policy_desc(READS, 77, 4);
    float *want, *got;
    d.k_type = d.v_type = r.k_type = r.v_type = type;
    want = fresh_logits(w, &d, tokens, N, -1);
    got = fresh_logits(w, &r, tokens, N, 0);
    check(same(w, want, got, ALL) && !same(w, want, got, N),
          "%s, type %d: a session that reads some leaves out what is beyond its budget", s->name, type);
    free(got);
    r.n_read = N;
    got = fresh_logits(w, &r, tokens, N, 100);
    check(same(w, want, got, N), "%s, type %d: a budget for everything gives the bits of a full session",
          s->name, type);
    free(got);
    free(want);
    free(tokens);
    world_free(w);
}

/* What a session tells of its reading is what the query that a join gets retrieves from its cache. */
enum { TOLD_LAYERS = 8, TOLD_TOKENS = 700, TOLD = 8 * (TOLD_TOKENS / 64 + 1) };
typedef struct telling {
    lctx_session_desc d;
    lctx_session *s;
    uint8_t told[TOLD_LAYERS][TOLD], want[TOLD_LAYERS][TOLD], *at[TOLD_LAYERS];
    int asked;
} telling;

static int retrieve_again(void *user, int32_t layer, const lctx_attn *attn)
{
    telling *x = (telling *)user;
    const lctx_cache *cache = NULL;
    lctx_attn a = *attn;
    lctx_retrieve r;
    size_t bytes = 0;
    void *scratch;
    memset(&r, 0, sizeof r);
    r.n_top = (x->d.n_read + 63) / 64, r.window = x->d.window, r.n_sink = x->d.n_sink;
    r.queries = 1, r.read = x->want[layer];
    a.out = (float *)zeroed(attn->n_q * attn->n_head * attn->d_v, sizeof *a.out), a.lse = NULL;
    check(lctx_session_cache(x->s, layer, &cache) == LCTX_OK
          && lctx_cache_retrieve_size(cache, &a, &r, &bytes) == LCTX_OK, "a layer's cache is had");
    scratch = malloc(bytes + 1);
    check(lctx_cache_retrieve(cache, &a, &r, scratch, bytes) == LCTX_OK
          && !memcmp(a.out, attn->out, (size_t)(attn->n_q * attn->n_head * attn->d_v) * 4),
          "a join's queries retrieve again what it was given");
    free(scratch), free(a.out);
    x->asked++;
    return 0;
}

static void test_told(const shape *s)
{
    world *w = world_new(s);
    int32_t *tokens = random_tokens(w, TOLD_TOKENS, 51);
    telling *x = (telling *)zeroed(1, sizeof *x);
    int i, some = 0, all;
    for (i = 0; i < TOLD_LAYERS; i++) x->at[i] = x->told[i];
    x->d = policy_desc(READS, 77, 4), x->d.read = x->at;
    x->d.join = retrieve_again, x->d.join_user = x;
    x->s = session_new(w, &x->d);
    lctx_session_feed(x->s, tokens, TOLD_TOKENS - 1, LCTX_LOGITS_NONE, NULL);
    memset(x->told, 7, sizeof x->told), memset(x->want, 7, sizeof x->want);
    lctx_session_feed(x->s, tokens + TOLD_TOKENS - 1, 1, LCTX_LOGITS_NONE, NULL);
    all = w->m.n_head_kv * ((TOLD_TOKENS + 63) / 64);
    for (i = 0; i < all; i++) some += x->told[0][i];
    check(x->asked && !memcmp(x->told, x->want, sizeof x->told) && some > 0 && some < all,
          "%s: a session tells which blocks a query read (%d of %d)", s->name, some, all);
    lctx_session_free(x->s);
    free(x), free(tokens);
    world_free(w);
}

static void test_rewind_to(const world *w, const lctx_session_desc *d, const int32_t *tokens,
                           const int32_t *other, int64_t n, int64_t to)
{
    lctx_session *s = session_new(w, d);
    lctx_session_info before;
    lctx_status st;
    lctx_session_feed(s, tokens, n, LCTX_LOGITS_NONE, NULL);
    before = info_of(s);
    st = lctx_session_rewind(s, to);
    if (st == LCTX_E_EVICTED) {
        check(to < before.rewind_min && to > 0 && same_info(s, &before)
              && goes_on(s, w, d, tokens, n, other, 40),
              "%s: going back from %d to %d is refused, and the session stays",
              policy_names[d->policy], (int)n, (int)to);
    } else {
        check(st == LCTX_OK && info_of(s).n == to && goes_on(s, w, d, tokens, to, other, 40),
              "%s: going back from %d to %d equals a fresh session", policy_names[d->policy], (int)n,
              (int)to);
    }
    lctx_session_free(s);
}

static void test_rewind(lctx_policy policy)
{
    static const int64_t to[] = { 0, 1, 5, 64, 100, 128, 150, 191, 192, 255, 256, 299, 300 };
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, 300, 8), *other = random_tokens(w, 60, 11);
    lctx_session_desc d = policy_desc(policy, 77, 4);
    lctx_session *s = session_new(w, &d);
    lctx_session_info before;
    size_t i;
    for (i = 0; i < sizeof to / sizeof *to; i++)
        if (!slow() || (i + (size_t)policy) % 3 == 0) test_rewind_to(w, &d, tokens, other, 300, to[i]);
    lctx_session_feed(s, tokens, 300, LCTX_LOGITS_NONE, NULL);
    before = info_of(s);
    check(d.policy == LCTX_FULL || before.rewind_min > 100, "%s: what was evicted bounds going back",
          policy_names[policy]);
    check(lctx_session_rewind(s, 301) == LCTX_E_POS, "going forward by a rewind is refused");
    check(lctx_session_rewind(s, -1) == LCTX_E_POS, "going back below 0 is refused");
    check(lctx_session_rewind(NULL, 0) == LCTX_E_NULL, "going back needs a session");
    check(same_info(s, &before), "a refused rewind changes nothing");
    check(lctx_session_rewind(s, before.rewind_min) == LCTX_OK
          && goes_on(s, w, &d, tokens, before.rewind_min, other, 60),
          "%s: going back to rewind_min works", policy_names[policy]);
    lctx_session_free(s);
    free(tokens);
    free(other);
    world_free(w);
}

/* ---------------------------------------------------------------------------- save and restore */

typedef struct stream {
    unsigned char *data;
    size_t n, cap, at;
    size_t limit;              /* reads and writes beyond it fail */
} stream;

static int stream_write(void *user, const void *data, size_t n)
{
    stream *s = (stream *)user;
    if (n > s->limit - s->n || !n) return 1;    /* as fwrite(data, n, 1, f) != 1 has it */
    while (s->n + n > s->cap) {
        s->cap = 2 * s->cap + 4096;
        s->data = (unsigned char *)realloc(s->data, s->cap);
    }
    memcpy(s->data + s->n, data, n);
    s->n += n;
    return 0;
}

static int stream_read(void *user, void *data, size_t n)
{
    stream *s = (stream *)user;
    size_t end = s->n < s->limit ? s->n : s->limit;
    if (n > end - s->at || !n) return 1;
    memcpy(data, s->data + s->at, n);
    s->at += n;
    return 0;
}

static stream saved(const lctx_session *s)
{
    stream out;
    memset(&out, 0, sizeof out);
    out.limit = SIZE_MAX;
    if (lctx_session_save(s, stream_write, &out) != LCTX_OK) check(0, "a session is saved");
    return out;
}

static lctx_status restore(lctx_session *s, stream *from, size_t limit)
{
    from->at = 0;
    from->limit = limit;
    return lctx_session_restore(s, stream_read, from);
}

/* A model of one small layer, so that its saved streams are short. */
static const shape small_shape = {
    "small", 1, 2, 1, 8, 24, 33, 37, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
};

static void test_round_trip(lctx_policy policy, int type, int64_t n)
{
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, n, 12), *next = random_tokens(w, 90, 13);
    lctx_session_desc d = policy_desc(policy, 77, 4);
    lctx_session *from, *to;
    lctx_session_info info;
    stream bytes;
    d.k_type = d.v_type = type;
    from = session_new(w, &d);
    to = session_new(w, &d);
    if (n) lctx_session_feed(from, tokens, n, LCTX_LOGITS_NONE, NULL);
    lctx_session_feed(to, next, 70, LCTX_LOGITS_NONE, NULL);       /* to be replaced */
    bytes = saved(from);
    info = info_of(from);
    lctx_session_free(from);
    check(restore(to, &bytes, SIZE_MAX) == LCTX_OK && bytes.at == bytes.n && same_info(to, &info),
          "%s, type %d, %d tokens: what was saved is restored to the last byte",
          policy_names[policy], type, (int)n);
    check(goes_on(to, w, &d, tokens, n, next, 90), "%s, type %d, %d tokens: and goes on with equal bits",
          policy_names[policy], type, (int)n);
    lctx_session_free(to);
    free(bytes.data);
    free(tokens);
    free(next);
    world_free(w);
}

/* Every truncation in the head and many beyond; every byte flipped in the head and many beyond. */
static void test_damaged(lctx_policy policy)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 200, 12), *own = random_tokens(w, 100, 13);
    lctx_session_desc d = policy_desc(policy, 33, 2);
    lctx_session *from = session_new(w, &d), *to = session_new(w, &d);
    lctx_session_info info;
    stream bytes;
    size_t i;
    int cut = 0, flipped = 0, tries = 0, written = 0;
    lctx_session_feed(from, tokens, 200, LCTX_LOGITS_NONE, NULL);
    lctx_session_feed(to, own, 100, LCTX_LOGITS_NONE, NULL);
    bytes = saved(from);
    info = info_of(to);
    for (i = 0; i < bytes.n; i += i < 300 || i > bytes.n - 20 ? 1 : 997, tries++) {
        lctx_status st;
        stream out;
        cut += restore(to, &bytes, i) == LCTX_E_IO && same_info(to, &info);
        bytes.data[i] ^= (unsigned char)(1u << i % 8);
        st = restore(to, &bytes, SIZE_MAX);
        flipped += (st == LCTX_E_FORMAT || st == LCTX_E_MISMATCH) && same_info(to, &info);
        bytes.data[i] ^= (unsigned char)(1u << i % 8);
        memset(&out, 0, sizeof out);
        out.limit = i;
        written += lctx_session_save(from, stream_write, &out) == LCTX_E_IO;
        free(out.data);
    }
    check(cut == tries, "%s: a stream that ends early is refused (%d of %d)", policy_names[policy],
          cut, tries);
    check(flipped == tries, "%s: a flipped bit is found (%d of %d)", policy_names[policy], flipped,
          tries);
    check(written == tries, "%s: a write that fails is told (%d of %d)", policy_names[policy],
          written, tries);
    check(goes_on(to, w, &d, own, 100, tokens, 60), "%s: the session is as before all of these",
          policy_names[policy]);
    check(restore(from, &bytes, SIZE_MAX) == LCTX_OK, "%s: the undamaged stream is still good",
          policy_names[policy]);
    lctx_session_free(from);
    lctx_session_free(to);
    free(bytes.data);
    free(tokens);
    free(own);
    world_free(w);
}

/* What a session says that its last call refused. */
static int told(const lctx_session *s, const char *field, lctx_status st)
{
    const lctx_refusal r = info_of(s).refused;
    return r.status == (int32_t)st && (field && r.field ? !strcmp(r.field, field) : field == r.field);
}

static void refuses(const shape *s, const lctx_session_desc *d, stream *bytes, const char *what)
{
    world *w = world_new(s);
    lctx_session *to = session_new(w, d);
    lctx_status st = restore(to, bytes, SIZE_MAX);
    check(st == LCTX_E_MISMATCH, "a session saved with another %s is refused (%s)", what,
          lctx_status_text(st));
    check(info_of(to).n == 0, "and the session stays, other %s", what);
    check(told(to, what, LCTX_E_MISMATCH) || told(to, "layers", LCTX_E_MISMATCH),
          "and says what did not fit: %s, or layers", what);
    lctx_session_free(to);
    world_free(w);
}

static void test_mismatch(void)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 100, 12);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 33, 2), e = d;
    lctx_session *from = session_new(w, &d);
    shape s = small_shape;
    stream bytes;
    lctx_session_feed(from, tokens, 100, LCTX_LOGITS_NONE, NULL);
    bytes = saved(from);
    s.n_layer = 2;              refuses(&s, &d, &bytes, "n_layer");    s = small_shape;
    s.n_head = 3;               refuses(&s, &d, &bytes, "n_head");     s = small_shape;
    s.n_head_kv = 2;            refuses(&s, &d, &bytes, "n_head_kv");  s = small_shape;
    s.head_dim = 16;            refuses(&s, &d, &bytes, "head_dim");   s = small_shape;
    s.d_model = 32;             refuses(&s, &d, &bytes, "d_model");    s = small_shape;
    s.d_ff = 34;                refuses(&s, &d, &bytes, "d_ff");       s = small_shape;
    s.n_vocab = 38;             refuses(&s, &d, &bytes, "n_vocab");    s = small_shape;
    e.k_type = LCTX_F16;        refuses(&s, &e, &bytes, "type of keys");    e = d;
    e.v_type = LCTX_F16;        refuses(&s, &e, &bytes, "type of values");  e = d;
    e.window = 34;              refuses(&s, &e, &bytes, "window");     e = d;
    e.n_sink = 3;               refuses(&s, &e, &bytes, "n_sink");     e = d;
    e.block = 128;              refuses(&s, &e, &bytes, "block");      e = d;
    e.raw_keys = 1;             refuses(&s, &e, &bytes, "raw_keys");   e = d;
    e.policy = LCTX_WINDOW; e.n_sink = 0;
    refuses(&s, &e, &bytes, "policy");
    check(lctx_session_save(NULL, stream_write, &bytes) == LCTX_E_NULL
          && lctx_session_save(from, NULL, NULL) == LCTX_E_NULL
          && lctx_session_restore(NULL, stream_read, &bytes) == LCTX_E_NULL
          && lctx_session_restore(from, NULL, NULL) == LCTX_E_NULL,
          "save and restore need a session and a callback");
    lctx_session_free(from);
    free(bytes.data);
    free(tokens);
    world_free(w);
}

/* ---------------------------------------------------------------------------- feeds that fail */

typedef struct watch {
    int64_t calls, stop_at;    /* the call that cancels, from 1; 0 = none */
    int64_t last, total;
    int ordered;
} watch;

static int watching(void *user, int64_t done, int64_t total)
{
    watch *p = (watch *)user;
    p->ordered &= done > p->last && done <= total;
    p->last = done;
    p->total = total;
    return ++p->calls == p->stop_at;
}

static void test_cancel(lctx_policy policy, int64_t n, int64_t more, int64_t stop_at)
{
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, n, 14), *next = random_tokens(w, more, 15);
    lctx_session_desc d = policy_desc(policy, 77, 4), plain;
    float *logits = (float *)zeroed(w->m.n_vocab, sizeof *logits);
    lctx_session *s;
    lctx_session_info before;
    watch p;
    d.chunk = 32;
    plain = d;
    memset(&p, 0, sizeof p);
    d.progress = watching;
    d.progress_user = &p;
    s = session_new(w, &d);
    p.ordered = 1;
    lctx_session_feed(s, tokens, n, LCTX_LOGITS_NONE, NULL);
    check(p.ordered && p.last == n && p.total == n && p.calls == (n + 31) / 32,
          "progress is told after each chunk of a feed, up to its end");
    memset(&p, 0, sizeof p);
    p.stop_at = stop_at;
    before = info_of(s);
    check(lctx_session_feed(s, next, more, LCTX_LOGITS_LAST, logits) == LCTX_E_CANCELLED
          && p.calls == stop_at, "%s: chunk %d of a feed of %d cancels it", policy_names[policy],
          (int)stop_at, (int)more);
    check(same_info(s, &before), "%s: the cancelled session has its numbers, chunk %d of a feed of %d",
          policy_names[policy], (int)stop_at, (int)more);
    check(goes_on(s, w, &plain, tokens, n, next, more), "%s: and goes on with equal bits",
          policy_names[policy]);
    lctx_session_free(s);
    free(logits);
    free(tokens);
    free(next);
    world_free(w);
}

/* 4-bit keys, rewound twice into a block that was closed, then a feed that is cancelled. */
static void test_cancel_four(void)
{
    static const int64_t feeds[][2] = { { 400, 400 }, { 1, 128 }, { 1, 64 }, { 10, 74 } };
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 401, 14), *next = random_tokens(w, 90, 15);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0), plain;
    lctx_session *s;
    int64_t n = 0, i;
    int ok = 1;
    watch p;
    memset(&p, 0, sizeof p);
    d.k_type = d.v_type = LCTX_I4;
    d.block = 256;
    plain = d;
    d.progress = watching;
    d.progress_user = &p;
    s = session_new(w, &d);
    for (i = 0; i < 4; i++, n = feeds[i - 1][1]) {
        ok &= lctx_session_feed(s, tokens + n, feeds[i][0], LCTX_LOGITS_NONE, NULL) == LCTX_OK;
        ok &= lctx_session_rewind(s, feeds[i][1]) == LCTX_OK;
    }
    p.stop_at = p.calls + 1;
    ok &= lctx_session_feed(s, next, 1, LCTX_LOGITS_NONE, NULL) == LCTX_E_CANCELLED;
    check(ok && info_of(s).rewind_min == 64 && goes_on(s, w, &plain, tokens, n, next, 90),
          "4-bit keys twice rewound go on with equal bits, a cancelled feed or not");
    lctx_session_free(s);
    free(tokens);
    free(next);
    world_free(w);
}

/* Poisons one value of a tensor for as long as a feed runs; the feed must fail. */
static void poisoned(lctx_policy policy, int where, int64_t n_bad, uint32_t bits)
{
    static const char *const names[] = { "an embedding", "a key weight", "a value weight",
                                         "a norm", "the output norm", "a down weight" };
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 128, 14), *bad = random_tokens(w, n_bad, 15);
    lctx_session_desc d = policy_desc(policy, 33, 2);
    lctx_tensor *t[6];
    float *logits = (float *)zeroed(w->m.n_vocab, sizeof *logits), *value, old, poison;
    lctx_session *s;
    lctx_session_info before;
    lctx_status st;
    t[0] = &w->m.tok_embd; t[1] = &w->layers[0].wk; t[2] = &w->layers[0].wv;
    t[3] = &w->layers[0].ffn_norm; t[4] = &w->m.output_norm; t[5] = &w->layers[0].w_down;
    d.chunk = 64;
    memcpy(&poison, &bits, sizeof poison);
    s = session_new(w, &d);
    lctx_session_feed(s, tokens, 128, LCTX_LOGITS_NONE, NULL);
    before = info_of(s);
    value = (float *)(uintptr_t)t[where]->data + (where ? 0 : bad[n_bad - 1] * w->m.d_model);
    old = *value;
    *value = poison;
    st = lctx_session_feed(s, bad, n_bad, LCTX_LOGITS_LAST, logits);
    *value = old;
    check(st == LCTX_E_NAN, "%s: %s that is %s is found in a feed of %d (%s)", policy_names[policy],
          names[where], bits == 0x7f800000u ? "infinite" : "NaN", (int)n_bad, lctx_status_text(st));
    check(same_info(s, &before), "%s: the session has its numbers after %s in a feed of %d",
          policy_names[policy], names[where], (int)n_bad);
    check(goes_on(s, w, &d, tokens, 128, bad, n_bad), "%s: and goes on with equal bits",
          policy_names[policy]);
    lctx_session_free(s);
    free(logits);
    free(tokens);
    free(bad);
    world_free(w);
}

static void test_nan(lctx_policy policy)
{
    int where;
    for (where = 0; where < 6; where++) {
        poisoned(policy, where, 1, 0x7fc00000u);
        poisoned(policy, where, 40, 0x7fc00000u);
        poisoned(policy, where, 150, 0x7fc00000u);
    }
    poisoned(policy, 3, 20, 0x7f800000u);
}

static void test_bad_feeds(void)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 100, 14), bad[3] = { 1, 2, 3 };
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    float *logits = (float *)zeroed(100 * w->m.n_vocab, sizeof *logits);
    lctx_session *s;
    lctx_session_info before;
    d.max_tokens = 150;
    d.chunk = 16;
    s = session_new(w, &d);
    lctx_session_feed(s, tokens, 100, LCTX_LOGITS_NONE, NULL);
    before = info_of(s);
#define REFUSED(call, status, why) check((call) == (status) && same_info(s, &before), why)
#define FEED(t, n, which, out) lctx_session_feed(s, t, n, (lctx_logits)(which), out)
    bad[2] = -1;
    REFUSED(FEED(bad, 3, 0, logits), LCTX_E_TOKEN, "a negative token is refused");
    bad[2] = w->m.n_vocab;
    REFUSED(FEED(bad, 3, 0, logits), LCTX_E_TOKEN, "a token beyond the vocabulary is refused");
    bad[2] = INT32_MIN;
    REFUSED(FEED(bad, 3, 0, logits), LCTX_E_TOKEN, "the least token is refused");
    REFUSED(FEED(bad, 0, 0, logits), LCTX_E_COUNT, "no tokens at all are refused");
    REFUSED(FEED(bad, -1, 0, logits), LCTX_E_COUNT, "a negative number of tokens is refused");
    REFUSED(FEED(bad, 2, LCTX_LOGITS_COUNT, logits), LCTX_E_ENUM, "unknown logits are refused");
    REFUSED(FEED(bad, 2, -1, logits), LCTX_E_ENUM, "negative logits are refused");
    REFUSED(FEED(NULL, 2, 0, logits), LCTX_E_NULL, "a feed needs tokens");
    REFUSED(FEED(bad, 2, LCTX_LOGITS_LAST, NULL), LCTX_E_NULL, "the last logits need a place");
    REFUSED(FEED(bad, 2, LCTX_LOGITS_ALL, NULL), LCTX_E_NULL, "all logits need a place");
    REFUSED(lctx_session_feed(NULL, bad, 2, LCTX_LOGITS_LAST, logits), LCTX_E_NULL,
            "a feed needs a session");
    REFUSED(FEED(tokens, 51, 0, logits), LCTX_E_FULL, "more than max_tokens are refused");
    REFUSED(lctx_session_get_info(s, NULL), LCTX_E_NULL, "numbers need a place");
    REFUSED(lctx_session_get_info(NULL, &before), LCTX_E_NULL, "numbers need a session");
    REFUSED(lctx_session_fork(s, NULL), LCTX_E_NULL, "a fork needs a place");
    REFUSED(lctx_session_fork(NULL, &s), LCTX_E_NULL, "a fork needs a session");
#undef FEED
#undef REFUSED
    check(goes_on(s, w, &d, tokens, 100, tokens, 50), "after all these, max_tokens itself has room");
    check(lctx_session_feed(s, tokens, 1, LCTX_LOGITS_NONE, NULL) == LCTX_E_FULL,
          "a full session takes no token");
    lctx_session_free(s);
    lctx_session_free(NULL);
    free(logits);
    free(tokens);
    world_free(w);
}

/* Reach 32 positions from 20: feeds end at 52, wherever in a feed that is. */
static void test_out_of_reach(void)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 100, 14);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session_info before;
    lctx_session *s;
    int64_t n;
    d.chunk = 16;
    w->rope[0].xpos_base = 0.5;
    w->rope[0].xpos_center = 20;
    s = session_new(w, &d);
    check(lctx_session_feed(s, tokens, 40, LCTX_LOGITS_NONE, NULL) == LCTX_OK,
          "xPos feeds within its reach");
    before = info_of(s);
    for (n = 14; n <= 60; n += 23)
        check(lctx_session_feed(s, tokens, n, LCTX_LOGITS_NONE, NULL) == LCTX_E_XPOS_FAR
              && same_info(s, &before), "%d tokens that leave xPos's reach change nothing", (int)n);
    check(goes_on(s, w, &d, tokens, 40, tokens, 13), "up to its reach the session goes on");
    lctx_session_free(s);
    free(tokens);
    world_free(w);
}

/* ---------------------------------------------------------------------------- many at once */

enum { MANY = 5, MANY_MOST = 150 };

/* Sessions of several policies and types over one model, each with another past. */
static void many_new(const world *w, const int32_t *tokens, int precise, lctx_session **s)
{
    int i;
    for (i = 0; i < MANY; i++) {
        lctx_session_desc d = policy_desc((lctx_policy)(i % 3), 40, 4);
        d.k_type = i % 5, d.v_type = (i + 2) % 5, d.precise = precise;
        d.chunk = i == 0 ? 32 : 16 + i;
        s[i] = session_new(w, &d);
        if (i) lctx_session_feed(s[i], tokens + i, 10 * i, LCTX_LOGITS_NONE, NULL);
    }
}

static void test_many(const shape *sh)
{
    static const int64_t counts[][MANY] = { { 1, 1, 1, 1, 1 }, { 3, 1, 20, 7, 1 },
                                            { 70, 1, 1, 33, 45 } };
    world *w = world_new(sh);
    int32_t *tokens = random_tokens(w, 2 * MANY_MOST, 21);
    const int64_t v = w->m.n_vocab;
    float *want = (float *)zeroed(MANY_MOST * v, sizeof *want);
    float *got = (float *)zeroed(MANY_MOST * v, sizeof *got);
    int c, which, i;
    for (c = 0; c < 3; c++)
        for (which = 0; which < LCTX_LOGITS_COUNT; which++) {
            lctx_session *a[MANY], *b[MANY];
            const int32_t *of[MANY];
            int64_t n = 0;
            int equal = 1;
            many_new(w, tokens, 0, a), many_new(w, tokens, 0, b);
            for (i = 0; i < MANY; i++) {
                of[i] = tokens + 11 * i + c;
                lctx_session_feed(a[i], of[i], counts[c][i], (lctx_logits)which, want + n * v);
                n += which == LCTX_LOGITS_ALL ? counts[c][i] : which == LCTX_LOGITS_LAST;
            }
            check(lctx_session_feed_many(b, MANY, of, counts[c], (lctx_logits)which, got)
                  == LCTX_OK && !memcmp(want, got, (size_t)(n * v) * sizeof *got),
                  "%s, counts %d, logits %d: sessions fed together have the bits of each alone",
                  sh->name, c, which);
            for (i = 0; i < MANY; i++) {
                equal &= info_of(a[i]).n == info_of(b[i]).n;
                lctx_session_feed(a[i], tokens, 9, LCTX_LOGITS_LAST, want);
                lctx_session_feed(b[i], tokens, 9, LCTX_LOGITS_LAST, got);
                equal &= same(w, want, got, 1);
                lctx_session_free(a[i]), lctx_session_free(b[i]);
            }
            check(equal, "%s, counts %d, logits %d: and go on alike", sh->name, c, which);
        }
    free(want);
    free(got);
    free(tokens);
    world_free(w);
}

static void test_bad_many(void)
{
    static const int64_t counts[MANY] = { 3, 40, 1, 9, 2 };
    world *w = world_new(&small_shape), *other = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 2 * MANY_MOST, 21), bad[] = { 0, -1, 0 };
    float *logits = (float *)zeroed(MANY_MOST * w->m.n_vocab, sizeof *logits);
    lctx_session *s[MANY], *t[MANY], *precise[MANY], *foreign[MANY];
    lctx_session_info before[MANY];
    const int32_t *of[MANY], *wrong[MANY];
    int64_t n[MANY];
    int i, k;
    many_new(w, tokens, 0, s), many_new(w, tokens, 1, precise), many_new(other, tokens, 0, foreign);
    for (i = 0; i < MANY; i++) of[i] = wrong[i] = tokens + i, before[i] = info_of(s[i]);
#define REFUSED(status, sessions, count, tokens, n, which, out, why) \
    do { \
        int alike = lctx_session_feed_many(sessions, count, tokens, n, (lctx_logits)(which), out) \
                    == (status); \
        for (k = 0; k < MANY; k++) alike &= same_info(s[k], &before[k]); \
        check(alike, "sessions fed together: %s", why); \
    } while (0)
    REFUSED(LCTX_E_NULL, NULL, MANY, of, counts, 0, logits, "none are refused");
    REFUSED(LCTX_E_NULL, s, MANY, NULL, counts, 0, logits, "no tokens are refused");
    REFUSED(LCTX_E_NULL, s, MANY, of, NULL, 0, logits, "no numbers are refused");
    REFUSED(LCTX_E_NULL, s, MANY, of, counts, 0, NULL, "logits need a place");
    REFUSED(LCTX_E_COUNT, s, 0, of, counts, 0, logits, "0 of them are refused");
    REFUSED(LCTX_E_COUNT, s, -1, of, counts, 0, logits, "-1 of them are refused");
    for (i = 0; i < MANY; i++) {
        memcpy(t, s, sizeof t), memcpy(n, counts, sizeof n);
        t[i] = NULL;
        REFUSED(LCTX_E_NULL, t, MANY, of, counts, 0, logits, "one that is missing is refused");
        t[i] = precise[i];
        REFUSED(LCTX_E_MISMATCH, t, MANY, of, counts, 0, logits, "one of other precision is refused");
        t[i] = foreign[i];
        REFUSED(LCTX_E_MISMATCH, t, MANY, of, counts, 0, logits, "one of another model is refused");
        t[i] = s[(i + 1) % MANY];
        REFUSED(LCTX_E_MISMATCH, t, MANY, of, counts, 0, logits, "one that stands twice is refused");
        n[i] = 0;
        REFUSED(LCTX_E_COUNT, s, MANY, of, n, 0, logits, "one without tokens is refused");
        n[i] = 2, wrong[i] = bad;
        REFUSED(LCTX_E_TOKEN, s, MANY, wrong, n, 0, logits, "a wrong token is refused");
        check(info_of(s[i]).refused.status == LCTX_E_TOKEN && info_of(s[i]).refused.element == 1,
              "sessions fed together: the one at fault says where");
        wrong[i] = of[i];
    }
#undef REFUSED
    for (i = 0; i < MANY; i++)
        lctx_session_free(s[i]), lctx_session_free(precise[i]), lctx_session_free(foreign[i]);
    free(logits);
    free(tokens);
    world_free(w);
    world_free(other);
}

/* A router that gives no number must not pass for one that chose nobody. */
static void test_bad_router(void)
{
    int i, routing;
    for (routing = 0; routing < LCTX_ROUTING_COUNT; routing++) {
        family f = { .n_expert = 4, .n_used = 2, .all_biases = 1 };
        shape sh = small_shape;
        world *w;
        lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
        lctx_session *s;
        int32_t token = 3;
        f.routing = routing, sh.family = &f, w = world_new(&sh), s = session_new(w, &d);
        for (i = 0; i < f.n_expert; i++) {
            float *bias = (float *)(uintptr_t)w->layers[0].b_router.data + i, was = *bias;
            *bias = (float)NAN;
            check(lctx_session_feed(s, &token, 1, LCTX_LOGITS_NONE, NULL) == LCTX_E_NAN,
                  "routing %d: a NaN of expert %d's is found", routing, i);
            *bias = was;
        }
        check(lctx_session_feed(s, &token, 1, LCTX_LOGITS_NONE, NULL) == LCTX_OK,
              "routing %d: and without one the session goes on", routing);
        lctx_session_free(s);
        world_free(w);
    }
}

/* ---------------------------------------------------------------------------- bad models */

static const family bad_family = { .n_expert = 3, .n_used = 2, .d_ff_shared = 20, .all_biases = 1, .gated = 1,
                                   .post_norms = 1 };
static const shape bad_shape = {
    "to be spoilt", 2, 4, 2, 12, 48, 100, 37, 12, 1, 0, 3, 0, 0, 1, 1, 0, 0, 0, 0, 0, 9, 0, 0,
    &bad_family
};

/* The model as it now stands must be refused by the check and by the creation alike. */
static void refused(const world *w, lctx_status status, const char *what)
{
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session *s = NULL;
    lctx_status st = lctx_model_check(&w->m), made = lctx_session_create(&w->m, &d, &s);
    check(st == status && made == status && !s, "a model with %s: %s (%s)", what,
          lctx_status_text(status), lctx_status_text(st));
    if (made == LCTX_OK) lctx_session_free(s);
}

/* Sets a field for one check and sets it back. */
#define SPOILT(type, field, value, status) do { \
        type was_ = (field); \
        (field) = (value); \
        refused(w, status, #field " = " #value); \
        (field) = was_; \
    } while (0)

static void test_bad_dimensions(world *w)
{
    lctx_model *m = &w->m;
    SPOILT(int32_t, m->n_layer, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_layer, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_head, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_head, -4, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_head, 5, LCTX_E_HEADS);
    SPOILT(int32_t, m->n_head_kv, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_head_kv, -2, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_head_kv, 3, LCTX_E_HEADS);
    SPOILT(int32_t, m->n_head_kv, 8, LCTX_E_HEADS);
    SPOILT(int32_t, m->head_dim, -1, LCTX_E_HEAD_DIM);
    SPOILT(int32_t, m->head_dim, 65537, LCTX_E_HEAD_DIM);
    SPOILT(int32_t, m->d_model, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->d_model, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, m->d_ff, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->d_ff, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_vocab, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, m->n_vocab, -1, LCTX_E_SHAPE);
    SPOILT(float, m->norm_eps, -1e-5f, LCTX_E_SHAPE);
    SPOILT(float, m->norm_eps, (float)NAN, LCTX_E_SHAPE);
    SPOILT(float, m->norm_eps, (float)INFINITY, LCTX_E_SHAPE);
    SPOILT(float, m->embd_scale, (float)NAN, LCTX_E_SHAPE);
    SPOILT(float, m->attn_scale, -1.0f, LCTX_E_SOFTCAP);
    SPOILT(float, m->attn_scale, (float)NAN, LCTX_E_SOFTCAP);
    SPOILT(float, m->softcap, -1.0f, LCTX_E_SOFTCAP);
    SPOILT(float, m->softcap, (float)INFINITY, LCTX_E_SOFTCAP);
    SPOILT(float, m->logit_softcap, -1.0f, LCTX_E_SOFTCAP);
    SPOILT(float, m->logit_softcap, (float)NAN, LCTX_E_SOFTCAP);
}

static void test_bad_parts(world *w)
{
    lctx_model *m = &w->m;
    lctx_layer *l = &w->layers[1];
    lctx_pattern no_length;
    memset(&no_length, 0, sizeof no_length);
    no_length.kind = LCTX_PATTERN_BLOCKS;
    SPOILT(const lctx_layer *, m->layers, NULL, LCTX_E_NULL);
    SPOILT(const lctx_pattern *, l->pattern, &no_length, LCTX_E_LENGTH);
    SPOILT(int64_t, l->window, -1, LCTX_E_WINDOW);
    SPOILT(int32_t, w->rope[0].n_rot, 14, LCTX_E_N_ROT);
    SPOILT(int32_t, w->rope[0].n_rot, 11, LCTX_E_N_ROT);
    SPOILT(int32_t, w->rope[0].n_rot, 0, LCTX_E_N_ROT);
    SPOILT(int32_t, w->rope[0].n_rot, -2, LCTX_E_N_ROT);
    SPOILT(int32_t, w->rope[0].n_rot, LCTX_MAX_ROT + 2, LCTX_E_N_ROT);
    SPOILT(double, w->rope[0].freq[0], (double)NAN, LCTX_E_TABLE);
    SPOILT(int64_t, w->rope[0].n_hat, -1, LCTX_E_N_HAT);
    l->rope = &w->rope[1];
    SPOILT(int32_t, w->rope[1].n_rot, 14, LCTX_E_N_ROT);
    SPOILT(int32_t, w->rope[1].pairing, 2, LCTX_E_ENUM);
    SPOILT(double, w->rope[1].attn_factor, 0, LCTX_E_MSCALE);
    l->rope = NULL;
    SPOILT(int32_t, l->activation, LCTX_ACTIVATION_COUNT, LCTX_E_ENUM);
    SPOILT(int32_t, l->activation, -1, LCTX_E_ENUM);
    SPOILT(int32_t, l->routing, LCTX_ROUTING_COUNT, LCTX_E_ENUM);
    SPOILT(int32_t, l->d_ff, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, l->d_ff_shared, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, l->n_expert, -1, LCTX_E_SHAPE);
    SPOILT(int32_t, l->n_expert, 1, LCTX_E_SHAPE);                 /* and two are used */
    SPOILT(int32_t, l->n_expert, INT32_MAX, LCTX_E_SHAPE);
    SPOILT(int32_t, l->n_expert_used, 0, LCTX_E_SHAPE);
    SPOILT(int32_t, l->n_expert_used, 4, LCTX_E_SHAPE);
    SPOILT(int64_t, l->q_scale_length, -1, LCTX_E_SHAPE);
    SPOILT(float, l->q_scale, -1, LCTX_E_SHAPE);
    SPOILT(float, l->q_scale_offset, (float)NAN, LCTX_E_SHAPE);
}

static void test_bad_tensors(world *w)
{
    lctx_layer *l = &w->layers[1];
    struct { lctx_tensor *t; int needed, matrix; const char *name; } all[] = {
        { &w->m.tok_embd, 1, 1, "tok_embd" }, { &w->m.output_norm, 1, 0, "output_norm" },
        { &w->m.output, 0, 1, "output" }, { &l->attn_norm, 1, 0, "attn_norm" },
        { &l->wq, 1, 1, "wq" }, { &l->wk, 1, 1, "wk" }, { &l->wv, 1, 1, "wv" },
        { &l->wo, 1, 1, "wo" }, { &l->bq, 0, 0, "bq" }, { &l->bk, 0, 0, "bk" },
        { &l->bv, 0, 0, "bv" }, { &l->bo, 0, 0, "bo" }, { &l->b_gate, 0, 0, "b_gate" },
        { &l->b_up, 0, 0, "b_up" }, { &l->b_down, 0, 0, "b_down" },
        { &l->b_router, 0, 0, "b_router" }, { &l->attn_post_norm, 0, 0, "attn_post_norm" },
        { &l->ffn_post_norm, 0, 0, "ffn_post_norm" }, { &l->router, 1, 1, "router" },
        { &l->shared_gate, 1, 1, "shared_gate" }, { &l->shared_up, 1, 1, "shared_up" },
        { &l->shared_down, 1, 1, "shared_down" }, { &l->shared_router, 0, 1, "shared_router" },
        { &l->attn_gate, 0, 1, "attn_gate" }, { &l->q_norm, 0, 0, "q_norm" },
        { &l->k_norm, 0, 0, "k_norm" },
        { &l->ffn_norm, 1, 0, "ffn_norm" }, { &l->w_gate, 1, 1, "w_gate" },
        { &l->w_up, 1, 1, "w_up" }, { &l->w_down, 1, 1, "w_down" }
    };
    size_t i;
    char what[80];
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        lctx_tensor was = *all[i].t;
        snprintf(what, sizeof what, "%s without data", all[i].name);
        all[i].t->data = NULL;
        if (all[i].needed) refused(w, LCTX_E_WEIGHT, what);
        else check(lctx_model_check(&w->m) == LCTX_OK, "a model may go %s", what);
        *all[i].t = was;
        snprintf(what, sizeof what, "%s of an unknown type", all[i].name);
        all[i].t->type = LCTX_TYPE_COUNT;
        refused(w, LCTX_E_TYPE, what);
        all[i].t->type = -1;
        refused(w, LCTX_E_TYPE, what);
        all[i].t->type = LCTX_I4;
        snprintf(what, sizeof what, "%s of 4 bits", all[i].name);
        refused(w, LCTX_E_TYPE, what);
        all[i].t->type = LCTX_I8;
        all[i].t->scale = NULL;
        snprintf(what, sizeof what, "%s in int8%s", all[i].name, all[i].matrix ? " without scales" : "");
        refused(w, all[i].matrix ? LCTX_E_SCALE : LCTX_E_TYPE, what);
        *all[i].t = was;
    }
}

static void test_bad_models(void)
{
    world *w = world_new(&bad_shape);
    check(lctx_model_check(NULL) == LCTX_E_NULL, "no model at all is refused");
    check(lctx_model_check(&w->m) == LCTX_OK, "the model to be spoilt is valid");
    test_bad_dimensions(w);
    test_bad_parts(w);
    test_bad_tensors(w);
    check(lctx_model_check(&w->m) == LCTX_OK, "and valid again afterwards");
    world_free(w);
}

static void session_refused(const world *w, const lctx_session_desc *d, lctx_status status,
                            const char *what)
{
    lctx_session *s = NULL;
    lctx_status st = lctx_session_create(&w->m, d, &s);
    check(st == status && !s, "a session with %s: %s (%s)", what, lctx_status_text(status),
          lctx_status_text(st));
    if (st == LCTX_OK) lctx_session_free(s);
}

static void test_bad_sessions(void)
{
    world *w = world_new(&small_shape);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 33, 2), zero;
    lctx_session *s = NULL;
    lctx_parallel par;
    lctx_rope_desc rope;
    lctx_far_rule rule;
    memset(&par, 0, sizeof par);
    memset(&rope, 0, sizeof rope);
    memset(&rule, 0, sizeof rule);
#define BAD(field, value, status) do { \
        lctx_session_desc was_ = d; \
        d.field = (value); \
        session_refused(w, &d, status, #field " = " #value); \
        d = was_; \
    } while (0)
    BAD(k_type, LCTX_TYPE_COUNT, LCTX_E_TYPE);
    BAD(v_type, -1, LCTX_E_TYPE);
    BAD(policy, LCTX_POLICY_COUNT, LCTX_E_ENUM);
    BAD(policy, -1, LCTX_E_ENUM);
    BAD(policy, LCTX_WINDOW, LCTX_E_WINDOW);        /* with n_sink */
    BAD(policy, LCTX_FULL, LCTX_E_WINDOW);          /* with a window */
    BAD(n_sink, 0, LCTX_E_WINDOW);
    BAD(n_sink, -1, LCTX_E_WINDOW);
    BAD(window, 0, LCTX_E_WINDOW);
    BAD(window, -5, LCTX_E_WINDOW);
    BAD(max_tokens, -1, LCTX_E_COUNT);
    BAD(block, 65, LCTX_E_COUNT);
    BAD(block, -64, LCTX_E_COUNT);
    BAD(chunk, -1, LCTX_E_COUNT);
    BAD(chunk, INT32_MAX, LCTX_E_COUNT);
    par.n_threads = -1;
    BAD(par, &par, LCTX_E_THREADS);
    par.n_threads = LCTX_MAX_THREADS + 1;
    BAD(par, &par, LCTX_E_THREADS);
    rope.n_rot = 5;
    BAD(rope, &rope, LCTX_E_N_ROT);                 /* odd */
    rope.n_rot = 1 << 8;
    BAD(rope, &rope, LCTX_E_N_ROT);                 /* above head_dim */
    rope.n_rot = 8; rope.scheme = LCTX_ROPE_DYNAMIC;
    BAD(rope, &rope, LCTX_E_ORIG_CTX);
    rule.kind = LCTX_FAR_COUNT;
    BAD(far_rule, &rule, LCTX_E_ENUM);
    rule.kind = LCTX_FAR_CLAMP;
    BAD(far_rule, &rule, LCTX_E_FAR_RULE);          /* no window */
    d.policy = LCTX_HEAVY; d.n_heavy = 8; d.n_sink = 0;
    w->rope[0].n_hat = 1;
    BAD(raw_keys, 1, LCTX_E_N_HAT);                 /* keys move closer */
    d = policy_desc(LCTX_SINKS, 33, 2);
    rule.window = 20;
    w->rope[0].n_hat = 3;
    BAD(far_rule, &rule, LCTX_E_FAR_RULE);          /* over n_hat */
    w->m.rope = NULL;
    BAD(far_rule, &rule, LCTX_E_NULL);              /* over no rotation at all */
#undef BAD
    check(lctx_session_create(NULL, &d, &s) == LCTX_E_NULL
          && lctx_session_create(&w->m, NULL, &s) == LCTX_E_NULL
          && lctx_session_create(&w->m, &d, NULL) == LCTX_E_NULL,
          "a session needs a model, a description and a place");
    memset(&zero, 0, sizeof zero);
    check(lctx_session_create(&w->m, &zero, &s) == LCTX_OK, "a zeroed description is valid");
    lctx_session_free(s);
    world_free(w);
}

/* ---------------------------------------------------------------------------- in parts */
#if HOOK_THREADS

/* Where the parts of a session meet, each on its thread: the last to come merges what all brought,
   in the order of the parts, and leaves it with each. */
enum { MOST_PARTS = 4 };
typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t  done;
    int     n, come;
    int64_t round, fail_at;    /* the meeting that fails; from 1, 0 = none */
    float  *out[MOST_PARTS], *lse[MOST_PARTS];
} meeting;

/* One of them, and what it is to do. */
typedef struct partner partner;
typedef int (*partner_deed)(partner *p);
struct partner {
    meeting       *m;
    const world   *w;
    lctx_session_desc d;
    partner_deed   deed;
    const int32_t *tokens;
    int64_t        n, piece;
    float         *logits;     /* [n][n_vocab] */
    lctx_session_info info;    /* at the end */
    int            ok;
};

static int meet(void *user, int32_t layer, const lctx_attn *attn)
{
    partner *p = (partner *)user;
    meeting *m = p->m;
    const float *outs[MOST_PARTS], *lses[MOST_PARTS];
    const int64_t n_rows = attn->n_q * attn->n_head;
    const int32_t d = attn->d_v;
    int64_t round;
    int i;
    (void)layer;
    pthread_mutex_lock(&m->lock);
    round = m->round, m->out[p->d.part] = attn->out, m->lse[p->d.part] = attn->lse;
    if (++m->come == m->n) {
        for (i = 0; i < m->n; i++) outs[i] = m->out[i], lses[i] = m->lse[i];
        lctx_merge(n_rows, d, m->n, outs, lses, m->out[0], m->lse[0]);
        for (i = 1; i < m->n; i++) {
            memcpy(m->out[i], m->out[0], (size_t)(n_rows * d) * sizeof *m->out[i]);
            memcpy(m->lse[i], m->lse[0], (size_t)n_rows * sizeof *m->lse[i]);
        }
        m->come = 0, m->round++;
        pthread_cond_broadcast(&m->done);
    }
    while (m->round == round) pthread_cond_wait(&m->done, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return m->fail_at == round + 1;
}

static void *partner_play(void *user)
{
    partner *p = (partner *)user;
    p->d.join_user = p;
    p->ok = p->deed(p);
    return NULL;
}

/* n of them do the same together; whether all did, and all have the first one's logits. */
static int together(partner *p, int n, const world *w, const lctx_session_desc *d,
                    partner_deed deed, const int32_t *tokens, int64_t n_tok, int64_t piece,
                    int64_t fail_at)
{
    meeting m;
    int i, ok = 1;
    memset(&m, 0, sizeof m);
    pthread_mutex_init(&m.lock, NULL), pthread_cond_init(&m.done, NULL);
    m.n = n, m.fail_at = fail_at;
    for (i = 0; i < n; i++) {
        memset(&p[i], 0, sizeof p[i]);
        p[i].m = &m, p[i].w = w, p[i].d = *d, p[i].deed = deed, p[i].piece = piece;
        p[i].tokens = tokens, p[i].n = n_tok;
        p[i].d.part = i, p[i].d.parts = n, p[i].d.join = meet;
        p[i].logits = (float *)zeroed(n_tok * w->m.n_vocab, sizeof(float));
    }
    hook_each(partner_play, p, sizeof *p, n);
    for (i = 0; i < n; i++) ok &= p[i].ok && same(w, p[0].logits, p[i].logits, n_tok);
    pthread_cond_destroy(&m.done), pthread_mutex_destroy(&m.lock);
    return ok;
}
static void apart(partner *p, int n)
{
    int i;
    for (i = 0; i < n; i++) free(p[i].logits);
}

static int feed_all(partner *p)
{
    lctx_session *s = session_new(p->w, &p->d);
    const lctx_status st = feed_pieces(s, p->w, p->tokens, p->n, p->piece, p->logits);
    p->info = info_of(s);
    lctx_session_free(s);
    return st == LCTX_OK;
}

/* The largest difference of logits, in parts of their greatest. */
static double far_apart(const world *w, const float *a, const float *b, int64_t n)
{
    double most = 1e-30, worst = 0;
    int64_t i;
    for (i = 0; i < n * w->m.n_vocab; i++) {
        const double size = fabs((double)b[i]), off = fabs((double)a[i] - (double)b[i]);
        if (!(size <= most)) most = size;
        if (!(off <= worst)) worst = off;      /* a NaN is the worst */
    }
    return worst / most;
}

static void test_parts(const shape *sh, int k_type, int v_type, int n, double bound)
{
    world *w = world_new(sh);
    const int64_t n_tok = 64 * 2 * (int64_t)n + 40;
    int32_t *tokens = random_tokens(w, n_tok, 77);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    partner once[MOST_PARTS], pieces[MOST_PARTS];
    lctx_session *whole;
    float *want = (float *)zeroed(n_tok * w->m.n_vocab, sizeof *want);
    double error;
    int ok;
    d.k_type = k_type, d.v_type = v_type, d.precise = 1;
    whole = session_new(w, &d);
    (void)feed_pieces(whole, w, tokens, n_tok, 0, want);
    ok = together(once, n, w, &d, feed_all, tokens, n_tok, 0, 0);
    error = far_apart(w, once[0].logits, want, n_tok);
    check(ok && error < bound, "%s, %s keys, %d parts: all have the same bits, and a whole "
          "session's logits within %.0e (%.1e)", sh->name, lctx_type_name((lctx_type)k_type), n,
          bound, error);
    check(same(w, once[0].logits, want, 64), "%s, %d parts: while one part has all keys, bits are "
          "those of a whole session", sh->name, n);
    d.chunk = 37;
    ok = together(pieces, n, w, &d, feed_all, tokens, n_tok, -1, 0);
    check(ok && same(w, once[0].logits, pieces[0].logits, n_tok),
          "%s, %s keys, %d parts: equal bits in other chunks", sh->name,
          lctx_type_name((lctx_type)k_type), n);
    check(sh != shapes || (once[0].info.cache_bytes - once[1].info.cache_bytes) * 3 ==
          once[0].info.cache_bytes, "%s: of %d parts' blocks the first has one more", sh->name, n);
    check(sh != shapes || once[1].info.cache_bytes * (2 * n + 1) == info_of(whole).cache_bytes * 2,
          "%s: one of %d parts has so much less memory", sh->name, n);
    lctx_session_free(whole);
    apart(once, n), apart(pieces, n);
    free(want), free(tokens);
    world_free(w);
}

/* Half the tokens; saved; some others, taken back; then the rest in the session, in a fork of it and
   in one that is restored. */
enum { OTHERS = 150 };
static int go_round(partner *p)
{
    const int64_t half = p->n / 2, v = p->w->m.n_vocab;
    float *again = (float *)zeroed(p->n * v, sizeof *again);
    lctx_session *s = session_new(p->w, &p->d), *fork = NULL, *to = session_new(p->w, &p->d);
    lctx_session_info before;
    lctx_status st = lctx_session_feed(s, p->tokens, half, LCTX_LOGITS_ALL, p->logits);
    stream bytes = saved(s);
    int ok;
    before = info_of(s);
    if (!st) st = lctx_session_feed(s, p->tokens + 5, OTHERS, LCTX_LOGITS_NONE, NULL);
    if (!st) st = lctx_session_rewind(s, half);
    if (!st) st = lctx_session_fork(s, &fork);
    ok = !st && same_info(s, &before) && restore(to, &bytes, SIZE_MAX) == LCTX_OK;
    if (ok) st = feed_pieces(s, p->w, p->tokens + half, p->n - half, 0, p->logits + half * v);
    if (ok && !st) st = feed_pieces(fork, p->w, p->tokens + half, p->n - half, -1, again);
    ok = ok && !st && same(p->w, p->logits + half * v, again, p->n - half);
    if (ok) st = feed_pieces(to, p->w, p->tokens + half, p->n - half, 50, again);
    ok = ok && !st && same(p->w, p->logits + half * v, again, p->n - half);
    lctx_session_free(s), lctx_session_free(fork), lctx_session_free(to);
    free(bytes.data), free(again);
    return ok;
}

/* A join that fails ends the feed in all parts, and takes it back; then all goes on. */
static int fail_once(partner *p)
{
    lctx_session *s = session_new(p->w, &p->d);
    const int64_t half = p->n / 2, v = p->w->m.n_vocab;
    lctx_status st = lctx_session_feed(s, p->tokens, half, LCTX_LOGITS_ALL, p->logits);
    const lctx_session_info before = info_of(s);
    int ok = !st && lctx_session_feed(s, p->tokens, p->n - half, LCTX_LOGITS_ALL, p->logits + half * v)
             == LCTX_E_IO && same_info(s, &before);
    ok = ok && info_of(s).refused.status == LCTX_E_IO;
    st = feed_pieces(s, p->w, p->tokens + half, p->n - half, 0, p->logits + half * v);
    lctx_session_free(s);
    return ok && !st;
}

/* Two sequences in one feed. */
static int feed_two(partner *p)
{
    const int64_t half = p->n / 2, v = p->w->m.n_vocab;
    lctx_session *s[2];
    const int32_t *tokens[2];
    int64_t n[2];
    lctx_status st;
    s[0] = session_new(p->w, &p->d), s[1] = session_new(p->w, &p->d);
    tokens[0] = p->tokens, tokens[1] = p->tokens + 3, n[0] = half, n[1] = p->n - half;
    st = lctx_session_feed_many(s, 2, tokens, n, LCTX_LOGITS_ALL, p->logits);
    if (!st) st = lctx_session_rewind(s[0], half / 2);
    if (!st) st = lctx_session_feed(s[0], p->tokens + half / 2, half - half / 2, LCTX_LOGITS_ALL,
                                    p->logits + half / 2 * v);
    lctx_session_free(s[0]), lctx_session_free(s[1]);
    return st == LCTX_OK;
}

/* A part between two whole sessions in one feed, over more heads than a token's keys have elements:
   none takes what is another's. */
static const shape many_heads_shape = {
    "many heads", 2, 24, 1, 8, 48, 33, 37, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL
};
static int feed_mixed(partner *p)
{
    lctx_session_desc d = p->d;
    lctx_session *s[3];
    const int32_t *tokens[3];
    int64_t n[3];
    float *want;
    lctx_status st;
    int ok;
    d.parts = d.part = 0;
    s[0] = session_new(p->w, &d), s[1] = session_new(p->w, &p->d), s[2] = session_new(p->w, &d);
    tokens[0] = tokens[1] = tokens[2] = p->tokens, n[0] = 1, n[1] = 100, n[2] = p->n - 101;
    st = lctx_session_feed_many(s, 3, tokens, n, LCTX_LOGITS_ALL, p->logits);
    want = fresh_logits(p->w, &d, p->tokens, n[2], 0);
    ok = !st && same(p->w, want, p->logits + 101 * p->w->m.n_vocab, n[2]);
    lctx_session_free(s[0]), lctx_session_free(s[1]), lctx_session_free(s[2]);
    free(want);
    return ok;
}

static void test_parts_mixed(void)
{
    world *w = world_new(&many_heads_shape);
    int32_t *tokens = random_tokens(w, 161, 80);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    partner p[MOST_PARTS];
    check(together(p, 2, w, &d, feed_mixed, tokens, 161, 0, 0),
          "a part between whole sessions in one feed leaves them their bits");
    apart(p, 2);
    free(tokens);
    world_free(w);
}

static void test_parts_deeds(void)
{
    world *w = world_new(shapes);
    const int64_t n_tok = 610, half = n_tok / 2;
    int32_t *tokens = random_tokens(w, n_tok, 78);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    partner want[MOST_PARTS], got[MOST_PARTS];
    int64_t at;
    d.chunk = 100;
    check(together(want, 3, w, &d, feed_all, tokens, n_tok, 0, 0), "three parts are fed");
    check(together(got, 3, w, &d, go_round, tokens, n_tok, 0, 0)
          && same(w, want[0].logits, got[0].logits, n_tok),
          "parts rewound, forked, saved and restored go on with equal bits");
    apart(got, 3);
    for (at = 9; at <= 16; at += 3) {      /* the second feed has eight meetings */
        check(together(got, 3, w, &d, fail_once, tokens, n_tok, 0, at)
              && same(w, want[0].logits, got[0].logits, n_tok),
              "meeting %d fails: all parts are as before, and go on", (int)at);
        apart(got, 3);
    }
    check(together(got, 3, w, &d, feed_two, tokens, n_tok, 0, 0)
          && same(w, want[0].logits, got[0].logits, half), "parts of two sequences fed at once");
    apart(got, 3), apart(want, 3);
    free(tokens);
    world_free(w);
}

/* Raw keys with a schedule for each length. */
static void test_parts_live(void)
{
    world *w = world_new(shapes);
    int32_t *tokens = random_tokens(w, 400, 79);
    oracle_rope_desc unused;
    lctx_rope_desc rope = raw_rope(&shapes[0], LCTX_ROPE_LONGROPE, &unused);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    partner p[MOST_PARTS];
    float *want;
    int ok;
    d.rope = &rope, d.precise = 1;
    want = fresh_logits(w, &d, tokens, 400, 0);
    ok = together(p, 2, w, &d, feed_all, tokens, 400, 0, 0);
    check(ok && far_apart(w, p[0].logits, want, 400) < 1e-4,
          "two parts of raw keys, and a schedule by length: as a whole session");
    apart(p, 2);
    free(want), free(tokens);
    world_free(w);
}
#endif

static int join_none(void *user, int32_t layer, const lctx_attn *attn)
{
    (void)user, (void)layer, (void)attn;
    return 0;
}

static void test_bad_parts_of_sessions(void)
{
    world *w = world_new(&small_shape);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0), bad;
    lctx_session *s, *other;
    stream bytes;
    size_t page;
    d.parts = 3, d.part = 1, d.join = join_none;
#define BAD(set, status) \
    do { bad = d; bad.set; session_refused(w, &bad, status, "parts and " #set); } while (0)
    BAD(part = 3, LCTX_E_COUNT);
    BAD(part = -1, LCTX_E_COUNT);
    BAD(parts = -1, LCTX_E_COUNT);
    BAD(parts = 0, LCTX_E_COUNT);           /* with part 1 */
    BAD(join = NULL, LCTX_E_NULL);
    BAD(k_type = LCTX_I4, LCTX_E_TYPE);
    bad = policy_desc(LCTX_WINDOW, 20, 0);
    bad.parts = 2, bad.join = join_none;
    session_refused(w, &bad, LCTX_E_POLICY, "parts and a window");
    bad = policy_desc(LCTX_HEAVY, 20, 0);
    bad.n_heavy = 9, bad.parts = 2, bad.join = join_none;
    session_refused(w, &bad, LCTX_E_POLICY, "parts and heavy hitters");
#undef BAD
    s = session_new(w, &d);
    check(lctx_session_page_size(s, &page) == LCTX_E_POLICY, "a part has no pages");
    bytes = saved(s);
    d.part = 2, other = session_new(w, &d);
    check(restore(other, &bytes, SIZE_MAX) == LCTX_E_MISMATCH, "a part is not restored as another");
    lctx_session_free(other);
    d.part = 1, d.parts = 2, other = session_new(w, &d);
    check(restore(other, &bytes, SIZE_MAX) == LCTX_E_MISMATCH, "nor as one of fewer");
    lctx_session_free(other), lctx_session_free(s);
    free(bytes.data);
    world_free(w);
}

/* ---------------------------------------------------------------------------- memory */

/* An allocator that counts, fails on demand and knows the size of each piece. */
typedef struct heap {
    int64_t calls, fail_at;    /* the call that gives nothing, from 1; 0 = none */
    size_t  most;              /* in one piece; 0 = no limit */
    int64_t live, bytes, peak;
    int wrong;                 /* sizes at free that are not those at alloc; bad alignments */
} heap;
typedef struct heap_head { void *raw; size_t size; } heap_head;

static void *heap_alloc(void *user, size_t size, size_t align)
{
    heap *h = (heap *)user;
    char *raw, *p;
    heap_head head;
    if (++h->calls == h->fail_at || (h->most && size > h->most)) return NULL;
    h->wrong += !align || (align & (align - 1));
    raw = (char *)malloc(size + align + sizeof head);
    p = raw + sizeof head;
    p += (align - (uintptr_t)p % align) % align;
    head.raw = raw;
    head.size = size;
    memcpy(p - sizeof head, &head, sizeof head);
    memset(p, 0xa5, size);
    h->live++;
    h->bytes += (int64_t)size;
    if (h->bytes > h->peak) h->peak = h->bytes;
    return p;
}

static void heap_free(void *user, void *p, size_t size)
{
    heap *h = (heap *)user;
    heap_head head;
    memcpy(&head, (char *)p - sizeof head, sizeof head);
    h->wrong += head.size != size;
    h->live--;
    h->bytes -= (int64_t)head.size;
    free(head.raw);
}

static lctx_allocator heap_allocator(heap *h)
{
    lctx_allocator a;
    memset(h, 0, sizeof *h);
    a.alloc = heap_alloc;
    a.free = heap_free;
    a.user = h;
    return a;
}

/* ---------------------------------------------------------------------------- pages */

/* Pages of 64 tokens that a session of `n` saved, at a multiple of 64 (*memory is to be freed). */
static char *saved_pages(const lctx_session *s, int64_t n_page, size_t bytes, void **memory)
{
    char *at = (char *)zeroed(n_page * (int64_t)bytes + 64, 1);
    int64_t p;
    *memory = at;
    at += (64 - (uintptr_t)at % 64) % 64;
    for (p = 0; p < n_page; p++)
        check(lctx_session_page_save(s, p, at + p * (int64_t)bytes) == LCTX_OK, "a page is saved");
    return at;
}

static void test_pages(int k_type, int v_type)
{
    enum { N = 300, PAGES = N / 64 };
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, N, 31), *other = random_tokens(w, 200, 32);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session *s, *t, *f = NULL;
    void *memory, *again;
    char *pages, *before;
    size_t bytes = 0;
    int64_t p, i, changed = 0;
    d.k_type = k_type, d.v_type = v_type;
    for (i = 0; i < w->m.n_layer; i++) w->layers[i].window = 0;
    s = session_new(w, &d), t = session_new(w, &d);
    lctx_session_feed(s, tokens, N, LCTX_LOGITS_NONE, NULL);
    check(lctx_session_page_size(s, &bytes) == LCTX_OK && bytes % 64 == 0, "a page has a size");
    pages = saved_pages(s, PAGES, bytes, &memory);
    before = saved_pages(s, PAGES, bytes, &again);
    for (p = 0; p < PAGES; p++)
        check(lctx_session_page_restore(t, p, pages + p * (int64_t)bytes) == LCTX_OK
              && info_of(t).n == 64 * (p + 1), "page %d is restored", (int)p);
    check(goes_on(t, w, &d, tokens, PAGES * 64, tokens + PAGES * 64, N - PAGES * 64),
          "types %d, %d: a session restored from pages goes on with equal bits", k_type, v_type);
    lctx_session_free(t), t = session_new(w, &d);
    for (p = 0; p < PAGES; p++) lctx_session_page_restore(t, p, pages + p * (int64_t)bytes);
    check(lctx_session_fork(t, &f) == LCTX_OK && lctx_session_rewind(f, 128) == LCTX_OK
          && goes_on(f, w, &d, tokens, 128, other, 200),
          "types %d, %d: its fork goes back into the pages, and on with other tokens", k_type, v_type);
    check(goes_on(t, w, &d, tokens, PAGES * 64, other, 9), "which it does not notice itself");
    lctx_session_free(t), lctx_session_free(f);
    for (i = 0; i < (int64_t)bytes * PAGES; i++) changed += pages[i] != before[i];
    check(changed <= 64 * PAGES * w->m.n_layer, "pages are written 64 bytes a layer (%d)",
          (int)changed);
    lctx_session_free(s);
    free(memory), free(again), free(tokens), free(other);
    world_free(w);
}

/* Layers that forget: a page is saved when it is passed, and any number of pages is gone on from. */
static void test_window_pages(int k_type, int v_type, lctx_policy policy, int64_t window,
                              int64_t n_read)
{
    enum { N = 300, PAGES = N / 64, PIECE = 50 };
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, N, 31);
    lctx_session_desc d = policy_desc(policy, window, policy == LCTX_SINKS ? 4 : 0);
    lctx_session *s, *t;
    char *memory, *pages;
    size_t bytes = 0;
    int64_t p, n, saved = 0;
    d.k_type = k_type, d.v_type = v_type;
    if (policy == LCTX_FULL) w->layers[0].window = window;
    if ((d.n_read = n_read)) d.window = 30, d.block = 0;
    s = session_new(w, &d);
    check(lctx_session_page_size(s, &bytes) == LCTX_OK && bytes % 64 == 0, "a page has a size");
    memory = (char *)zeroed((PAGES + 1) * (int64_t)bytes + 64, 1);
    pages = memory + (64 - (uintptr_t)memory % 64) % 64;
    for (n = 0; n < N; n += PIECE) {
        lctx_session_feed(s, tokens + n, PIECE, LCTX_LOGITS_NONE, NULL);
        for (; (saved + 1) * 64 <= n + PIECE; saved++)
            check(lctx_session_page_save(s, saved, pages + saved * (int64_t)bytes) == LCTX_OK,
                  "page %d is saved as it is passed", (int)saved);
    }
    p = lctx_session_page_save(s, policy == LCTX_SINKS, pages + PAGES * (int64_t)bytes);
    check(p == LCTX_E_EVICTED, "a page that a layer has left is not (%d)", (int)p);
    for (n = 1; n <= PAGES; n++) {
        t = session_new(w, &d);
        for (p = 0; p < n; p++)
            check(lctx_session_page_restore(t, p, pages + p * (int64_t)bytes) == LCTX_OK
                  && info_of(t).n == 64 * (p + 1), "page %d is restored", (int)p);
        check(n < PAGES || info_of(t).n_dropped > 0, "and what is beyond windows dropped");
        check(goes_on(t, w, &d, tokens, n * 64, tokens + n * 64, N - n * 64),
              "types %d, %d, policy %d: %d pages and a window go on with equal bits", k_type, v_type,
              (int)policy, (int)n);
        lctx_session_free(t);
    }
    lctx_session_free(s);
    free(memory), free(tokens);
    world_free(w);
}

/* Pages of a stranger may hold any numbers: a feed over them ends, with logits or without. */
static void test_wild_pages(int k_type, int v_type)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 80, 31);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    float *logits = (float *)zeroed(w->m.n_vocab, sizeof *logits);
    int round, ended = 0;
    d.k_type = k_type, d.v_type = v_type;
    for (round = 0; round < 4; round++) {
        lctx_session *s = session_new(w, &d);
        void *memory;
        size_t bytes = 0, i;
        char *page;
        lctx_status st;
        lctx_session_feed(s, tokens, 64, LCTX_LOGITS_NONE, NULL);
        lctx_session_page_size(s, &bytes);
        page = saved_pages(s, 1, bytes, &memory);
        lctx_session_rewind(s, 0);
        for (i = 0; i < bytes; i++)
            page[i] = (char)(round == 3 ? 255 : round && test_random() % 8 ? page[i]
                             : (int)(test_random() & 255));
        st = lctx_session_page_restore(s, 0, page);
        if (!st) st = lctx_session_feed(s, tokens + 64, 16, LCTX_LOGITS_LAST, logits);
        ended += st == LCTX_OK || st == LCTX_E_NAN;
        lctx_session_free(s);
        free(memory);
    }
    check(ended == 4, "types %d, %d: pages of any numbers give logits or _NAN", k_type, v_type);
    free(logits), free(tokens);
    world_free(w);
}

static void test_bad_pages(void)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 200, 31);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0), heavy = policy_desc(LCTX_HEAVY, 40, 0);
    lctx_session *s, *t, *x;
    void *memory;
    size_t bytes = 0;
    char *pages;
    heavy.n_heavy = 9;
    s = session_new(w, &d), d.max_tokens = 100, t = session_new(w, &d), x = session_new(w, &heavy);
    lctx_session_feed(s, tokens, 200, LCTX_LOGITS_NONE, NULL);
    check(lctx_session_page_size(NULL, &bytes) == LCTX_E_NULL
          && lctx_session_page_size(s, NULL) == LCTX_E_NULL
          && lctx_session_page_save(NULL, 0, &bytes) == LCTX_E_NULL
          && lctx_session_page_save(s, 0, NULL) == LCTX_E_NULL
          && lctx_session_page_restore(NULL, 0, &bytes) == LCTX_E_NULL
          && lctx_session_page_restore(t, 0, NULL) == LCTX_E_NULL, "pages need what they are of");
    check(lctx_session_page_size(x, &bytes) == LCTX_E_POLICY
          && lctx_session_page_save(x, 0, &bytes) == LCTX_E_POLICY
          && lctx_session_page_restore(x, 0, &bytes) == LCTX_E_POLICY,
          "a session of heavy hitters has no pages");
    lctx_session_page_size(s, &bytes);
    pages = saved_pages(s, 3, bytes, &memory);
    check(lctx_session_page_save(s, 3, pages) == LCTX_E_POS
          && lctx_session_page_save(s, -1, pages) == LCTX_E_POS
          && lctx_session_page_save(s, INT64_MAX, pages) == LCTX_E_POS, "a page that is not whole");
    check(lctx_session_page_restore(t, 1, pages) == LCTX_E_POS
          && lctx_session_page_restore(t, -1, pages) == LCTX_E_POS
          && lctx_session_page_restore(t, INT64_MAX, pages) == LCTX_E_POS
          && told(t, "page", LCTX_E_POS), "a page out of order");
    check(lctx_session_page_restore(t, 0, pages + 8) == LCTX_E_FORMAT
          && told(t, "from", LCTX_E_FORMAT), "a page that is not aligned");
    check(info_of(t).n == 0 && lctx_session_page_restore(t, 0, pages) == LCTX_OK
          && told(t, NULL, LCTX_OK) && lctx_session_page_restore(t, 1, pages + bytes) == LCTX_E_FULL
          && told(t, "page", LCTX_E_FULL) && info_of(t).n == 64,
          "a page beyond max_tokens is refused");
    lctx_session_free(s), lctx_session_free(t), lctx_session_free(x);
    free(memory), free(tokens);
    world_free(w);
}

/* Whatever allocation fails, whenever it is cancelled: all sessions are as before. */
static void test_many_fails(void)
{
    static const int64_t counts[MANY] = { 40, 1, 3, 30, 2 };
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 2 * MANY_MOST, 21);
    const int64_t v = w->m.n_vocab;
    float *want = (float *)zeroed(MANY * v, sizeof *want);
    float *got = (float *)zeroed(MANY * v, sizeof *got);
    lctx_session *s[MANY], *fresh[MANY];
    lctx_session_info before[MANY];
    const int32_t *of[MANY];
    lctx_allocator alloc;
    heap h;
    watch p;
    int i, k, failed = 0, stopped = 0, alike = 1;
    lctx_status st = LCTX_E_MEMORY;
    memset(&p, 0, sizeof p);
    alloc = heap_allocator(&h);
    for (i = 0; i < MANY; i++) {
        lctx_session_desc d = policy_desc((lctx_policy)(i % 3), 40, 4);
        of[i] = tokens + i, d.chunk = 16, fresh[i] = session_new(w, &d);
        d.alloc = &alloc, d.progress = watching, d.progress_user = &p, s[i] = session_new(w, &d);
        lctx_session_feed(fresh[i], of[i], counts[i], LCTX_LOGITS_LAST, want + i * v);
        before[i] = info_of(s[i]);
    }
    while (st == LCTX_E_MEMORY || st == LCTX_E_CANCELLED) {
        h.calls = 0, h.fail_at = st == LCTX_E_MEMORY ? ++failed : 0;
        p.calls = 0, p.stop_at = st == LCTX_E_CANCELLED ? ++stopped : 0;
        st = lctx_session_feed_many(s, MANY, of, counts, LCTX_LOGITS_LAST, got);
        if (st == LCTX_OK && !stopped) st = LCTX_E_CANCELLED;      /* now for the other part */
        for (k = 0; st != LCTX_OK && k < MANY; k++) {
            if (info_of(s[k]).n) lctx_session_rewind(s[k], 0);
            alike &= same_info(s[k], &before[k]);
        }
    }
    check(st == LCTX_OK && failed > 5 && stopped > 3 && alike && !memcmp(want, got, (size_t)(MANY * v)
          * sizeof *got), "sessions fed together are as before where memory fails or the feed is"
          " cancelled (%d, %d times; %s)", failed, stopped, lctx_status_text(st));
    for (i = 0; i < MANY; i++) lctx_session_free(s[i]), lctx_session_free(fresh[i]);
    check(h.live == 0 && h.bytes == 0 && h.wrong == 0, "and all memory is given back");
    free(want);
    free(got);
    free(tokens);
    world_free(w);
}

typedef enum action { CREATE, FEED_ONE, FEED_CHUNKS, FORK, SAVE, RESTORE, REWIND, ACTIONS } action;
static const char *const action_names[] = { "create", "feed of one chunk", "feed of many chunks",
                                            "fork", "save", "restore", "rewind" };

typedef struct stage {
    const world *w;
    const int32_t *tokens;     /* 200, of which 100 are fed */
    lctx_session_desc d;
    lctx_session *s;           /* null until created */
    lctx_session *fork;
    stream saved;
} stage;

static lctx_status act(stage *t, action what)
{
    switch (what) {
    case CREATE:      return lctx_session_create(&t->w->m, &t->d, &t->s);
    case FEED_ONE:    return lctx_session_feed(t->s, t->tokens + 100, 30, LCTX_LOGITS_NONE, NULL);
    case FEED_CHUNKS: return lctx_session_feed(t->s, t->tokens + 100, 100, LCTX_LOGITS_NONE, NULL);
    case FORK:        return lctx_session_fork(t->s, &t->fork);
    case SAVE:        t->saved.n = 0; return lctx_session_save(t->s, stream_write, &t->saved);
    case RESTORE:     return restore(t->s, &t->saved, SIZE_MAX);
    default:          return lctx_session_rewind(t->s, 98);
    }
}

/* What the session must hold after the action. */
static int64_t fed_after(action what)
{
    return what == CREATE ? 0 : what == FEED_ONE ? 130 : what == FEED_CHUNKS ? 200
           : what == REWIND ? 98 : 100;
}

static void test_no_memory(action what, lctx_policy policy)
{
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, 200, 16), *next = random_tokens(w, 70, 17);
    lctx_session_info before;
    lctx_status st = LCTX_E_MEMORY;
    lctx_allocator a;
    int64_t k, alive = 0;
    int kept = 1;
    stage t;
    heap h;
    memset(&t, 0, sizeof t);
    memset(&before, 0, sizeof before);
    a = heap_allocator(&h);
    t.w = w; t.tokens = tokens;
    t.d = policy_desc(policy, 33, 2);
    t.d.alloc = &a; t.d.chunk = 32;
    t.saved.limit = SIZE_MAX;
    if (what != CREATE) {
        act(&t, CREATE);
        lctx_session_feed(t.s, tokens, 100, LCTX_LOGITS_NONE, NULL);
        act(&t, SAVE);
        before = info_of(t.s);
        alive = h.live;
    }
    for (k = 1; st == LCTX_E_MEMORY && k < 1000; k++) {
        h.fail_at = h.calls + k;
        st = act(&t, what);
        if (st == LCTX_E_MEMORY && t.s) kept &= same_info(t.s, &before);
        if (st == LCTX_E_MEMORY) kept &= h.live == alive || (h.live == alive + 1 && what != CREATE);
    }
    h.fail_at = 0;
    check(st == LCTX_OK, "%s, %s: works once there is memory (%d failures)", policy_names[policy],
          action_names[what], (int)k - 2);
    check(what == SAVE || what == REWIND ? k == 2 : k > 2, "%s, %s: asks for memory as it should",
          policy_names[policy], action_names[what]);
    check(kept, "%s, %s: each failure leaves the session as it was and nothing behind",
          policy_names[policy], action_names[what]);
    check(goes_on(t.s, w, &t.d, tokens, fed_after(what), next, 70), "%s, %s: equal bits afterwards",
          policy_names[policy], action_names[what]);
    if (what == FORK) check(goes_on(t.fork, w, &t.d, tokens, 100, next, 70), "and in the fork");
    lctx_session_free(t.s);
    lctx_session_free(t.fork);
    check(h.live == 0 && h.bytes == 0 && !h.wrong, "%s, %s: all memory is given back with its size",
          policy_names[policy], action_names[what]);
    free(t.saved.data);
    free(tokens);
    free(next);
    world_free(w);
}

/* Activations of 4 GiB and more, each a multiple of that: sizes must not wrap where size_t, or a
   pointer, has 32 bits. Nothing is read of the weights. */
static void test_wide_rows(void)
{
    world *w = world_new(&small_shape);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session *s = NULL;
    lctx_status st;
    heap h;
    lctx_allocator a = heap_allocator(&h);
    h.most = 64 << 20;
    d.alloc = &a; d.chunk = 1 << 20;
    w->m.d_model = w->m.head_dim = 1024;
    w->m.n_head = w->m.n_head_kv = 1;
    st = lctx_session_create(&w->m, &d, &s);
    check(st == LCTX_E_MEMORY && !s && !h.live, "activations of 4 GiB are refused for want of memory"
          " (%s)", lctx_status_text(st));
    lctx_session_free(s);
    world_free(w);
}

/* Two sessions that are fed and rewound alike; to one of them happen feeds besides that fail, of one
   chunk and of several, cancelled and without memory. */
static void test_failed_feeds(lctx_policy policy, int type, uint64_t seed)
{
    enum { STEPS = 60, MOST = 90 };
    const int64_t steps = slow() ? STEPS / 2 : STEPS;
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, STEPS * MOST, seed);
    float *logits[2];
    lctx_session_desc d = policy_desc(policy, 40, 4);
    lctx_session *s[2];
    lctx_allocator a;
    int64_t failed = 0, back = 0, i, n, last, to;
    int ok = 1, k;
    uint64_t dice = seed;
    watch p;
    heap h;
    memset(&p, 0, sizeof p);
    a = heap_allocator(&h);
    d.k_type = d.v_type = type;
    d.block = type == LCTX_I4 ? 256 : 64; d.chunk = 32; d.n_heavy = policy == LCTX_HEAVY ? 20 : 0;
    d.alloc = &a; d.progress = watching; d.progress_user = &p;
    for (k = 0; k < 2; k++) s[k] = session_new(w, &d);
    for (k = 0; k < 2; k++) logits[k] = (float *)zeroed(MOST * w->m.n_vocab, sizeof(float));
    for (i = 0; ok && i < steps; i++) {
        lctx_session_info before;
        lctx_status st;
        test_state = dice;
        n = 1 + (int64_t)(test_random() % (i % 4 ? 32 : MOST));
        for (k = 0; k < 2; k++)
            ok &= lctx_session_feed(s[k], tokens + i * MOST, n, LCTX_LOGITS_ALL, logits[k]) == LCTX_OK;
        before = info_of(s[0]);
        ok &= same(w, logits[0], logits[1], n) && same_info(s[1], &before);
        last = (n - 1) % 32 + 1;
        n = 1 + (int64_t)(test_random() % (i % 3 ? 32 : MOST));
        memset(&p, 0, sizeof p);
        if (i % 2) p.stop_at = (n + 31) / 32;
        else h.fail_at = h.calls + 1 + (int64_t)(test_random() % 4);
        st = lctx_session_feed(s[1], tokens + n, n, LCTX_LOGITS_NONE, NULL);
        failed += st != LCTX_OK;
        p.stop_at = h.fail_at = 0;
        if (st == LCTX_OK) {                                 /* it had memory enough */
            lctx_session_free(s[1]);
            ok &= lctx_session_fork(s[0], &s[1]) == LCTX_OK;
        }
        ok &= same_info(s[1], &before);
        to = before.n - last;
        if (test_random() % 4 == 0) to = (int64_t)(test_random() % (uint64_t)before.n) / 64 * 64;
        if (test_random() % 3 == 0) to = before.n;
        st = lctx_session_rewind(s[0], to);
        ok &= lctx_session_rewind(s[1], to) == st;
        back += st == LCTX_OK && to < before.n;
        dice = test_random();
    }
    check(ok && failed > steps / 2 && back > 5, "%s, type %d: a session that failed %d times goes"
          " on, and %d times back, as one that did not", policy_names[policy], type, (int)failed, (int)back);
    for (k = 0; k < 2; k++) lctx_session_free(s[k]);
    for (k = 0; k < 2; k++) free(logits[k]);
    check(h.live == 0 && !h.wrong, "and all memory is given back");
    free(tokens);
    world_free(w);
}

/* A session that holds `prompt` and 100 tokens of its own, and a fork of it from before those. */
static int two_sessions(const world *w, const lctx_session_desc *d, const int32_t *prompt,
                        const int32_t *own, lctx_session *s[2])
{
    s[0] = session_new(w, d);
    s[1] = NULL;
    return lctx_session_feed(s[0], prompt, 100, LCTX_LOGITS_NONE, NULL) == LCTX_OK
           && lctx_session_fork(s[0], &s[1]) == LCTX_OK
           && lctx_session_feed(s[0], own, 100, LCTX_LOGITS_NONE, NULL) == LCTX_OK;
}

/* A pool over the heap; *own gets the bytes that it takes for itself. */
static lctx_pool *pool_new(int64_t max_bytes, heap *h, lctx_allocator *alloc, int64_t *own)
{
    lctx_allocator under = heap_allocator(h);
    lctx_pool_desc d;
    lctx_pool *pool = NULL;
    memset(&d, 0, sizeof d);
    d.max_bytes = max_bytes; d.alloc = &under;
    if (lctx_pool_create(&d, &pool) != LCTX_OK || lctx_pool_allocator(pool, alloc) != LCTX_OK)
        check(0, "a pool is made");
    *own = h->bytes;
    return pool;
}

/* Two sessions out of one pool: the fork grows until the bound is reached, stays as it was then,
   and once the other is freed it goes on. */
static void test_pool(void)
{
    enum { PROMPT = 100, PIECE = 20, MOST = 2000 };
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, PROMPT + MOST, 21), *own = random_tokens(w, PROMPT, 22);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0), alone = d;
    lctx_session_info before;
    lctx_pool_info info;
    lctx_pool *pool;
    lctx_session *s[2];
    lctx_allocator a;
    lctx_status st = LCTX_OK;
    int64_t n = PROMPT, bound, pools_own;
    heap h;
    d.chunk = alone.chunk = 32;
    d.alloc = &a;
    pool = pool_new(0, &h, &a, &pools_own);
    check(two_sessions(w, &d, tokens, own, s) && lctx_pool_get_info(pool, &info) == LCTX_OK,
          "a pool without a bound serves sessions");
    bound = info.bytes_peak + 2 * info_of(s[0]).cache_bytes;
    lctx_session_free(s[0]);
    lctx_session_free(s[1]);
    check(lctx_pool_free(pool) == LCTX_OK && h.live == 0 && !h.wrong,
          "sessions give all back to the pool, and the pool to the heap");
    pool = pool_new(bound, &h, &a, &pools_own);
    check(two_sessions(w, &d, tokens, own, s), "a pool with a bound serves sessions");
    before = info_of(s[1]);
    while (st == LCTX_OK && n < PROMPT + MOST) {
        before = info_of(s[1]);
        st = lctx_session_feed(s[1], tokens + n, PIECE, LCTX_LOGITS_NONE, NULL);
        if (st == LCTX_OK) n += PIECE;
    }
    check(n > PROMPT && st == LCTX_E_MEMORY && same_info(s[1], &before),
          "a feed that does not fit into the pool says so and leaves the session at %d", (int)n);
    check(lctx_session_feed(s[1], tokens + n, PIECE, LCTX_LOGITS_NONE, NULL) == LCTX_E_MEMORY
          && same_info(s[1], &before), "and again, as long as nothing is freed");
    lctx_session_free(s[0]);
    check(goes_on(s[1], w, &alone, tokens, n, own, 70), "once the other is freed: equal bits");
    check(lctx_pool_free(pool) == LCTX_E_IN_USE, "a pool with a session in it is not freed");
    check(h.peak <= bound + pools_own, "the heap never gave more than the bound");
    lctx_session_free(s[1]);
    check(lctx_pool_free(pool) == LCTX_OK && h.live == 0 && !h.wrong, "without sessions it is");
    free(tokens);
    free(own);
    world_free(w);
}

static void test_numbers(void)
{
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, 300, 18);
    lctx_session_desc d = policy_desc(LCTX_FULL, 0, 0);
    lctx_session *s = session_new(w, &d);
    lctx_session_info info = info_of(s);
    lctx_tiles tiles;
    size_t block;
    memset(&tiles, 0, sizeof tiles);
    tiles.n_head_kv = 2; tiles.d_k = 12; tiles.cap = 64;
    lctx_tiles_size(&tiles, &block);
    check(info.n == 0 && info.cache_bytes == 0 && info.n_dropped == 0 && info.rewind_min == 0,
          "an empty session holds nothing");
    lctx_session_feed(s, tokens, 64, LCTX_LOGITS_NONE, NULL);
    info = info_of(s);
    check(info.n == 64 && info.cache_bytes >= 2 * (int64_t)block
          && info.cache_bytes <= 2 * (int64_t)block + 1024, "one block a layer holds 64 tokens");
    check(info.scratch_bytes > 0, "scratch is counted");
    lctx_session_feed(s, tokens, 65, LCTX_LOGITS_NONE, NULL);
    lctx_session_feed(s, tokens, 1, LCTX_LOGITS_NONE, NULL);
    info = info_of(s);
    check(info.n == 130 && info.n_dropped > 0 && info.rewind_min > 0,
          "the layer with a window drops tokens, and that bounds going back");
    lctx_session_free(s);
    d = policy_desc(LCTX_SINKS, 33, 2);
    s = session_new(w, &d);
    lctx_session_feed(s, tokens, 300, LCTX_LOGITS_NONE, NULL);
    lctx_session_feed(s, tokens, 1, LCTX_LOGITS_NONE, NULL);
    info = info_of(s);
    /* held: the sinks' block 0 .. 63, and from the block of 301 - 33 = 268 on, 256 .. 300 */
    check(info.n == 301 && info.n_dropped == 256 - 64, "what was dropped is counted (%d)",
          (int)info.n_dropped);
    check(info.rewind_min == 256 + 33 - 1 || info.rewind_min == 301 - 13,
          "the lowest way back is where a window is whole (%d)", (int)info.rewind_min);
    lctx_session_free(s);
    free(tokens);
    world_free(w);
}

/* Many tokens by a window of 60 and 4 sinks: after the first thousands nothing grows but, with the
   logarithm of the length, attention's scratch. */
static void test_constant_memory(void)
{
    const int64_t n = full() ? 200000 : few() ? 10000 : 20000, step = 500;
    world *w = world_new(&small_shape);
    int32_t *tokens = random_tokens(w, step, 19);
    lctx_session_desc d = policy_desc(LCTX_SINKS, 60, 4);
    lctx_allocator a;
    heap h;
    lctx_session *s;
    lctx_session_info early, now;
    int64_t at, others = 0;
    int constant = 1;
    a = heap_allocator(&h);
    d.alloc = &a;
    s = session_new(w, &d);
    memset(&early, 0, sizeof early);
    now = early;
    for (at = 0; at < n; at += step) {
        if (lctx_session_feed(s, tokens, step, LCTX_LOGITS_NONE, NULL) != LCTX_OK) break;
        now = info_of(s);
        if (at == 4000) early = now, others = h.bytes - now.scratch_bytes - now.cache_bytes;
        if (at <= 4000) continue;
        constant &= now.cache_bytes <= early.cache_bytes;
        constant &= h.bytes - now.scratch_bytes - now.cache_bytes <= others;
    }
    check(at == n && now.n == n, "sinks: a stream of %d tokens is read", (int)n);
    check(constant, "sinks: neither the cache nor anything but scratch grows with it");
    check(now.scratch_bytes < early.scratch_bytes + early.scratch_bytes / 4,
          "sinks: scratch grows by the logarithm (%d, then %d bytes)", (int)early.scratch_bytes,
          (int)now.scratch_bytes);
    lctx_session_free(s);
    check(h.live == 0 && !h.wrong, "sinks: and all of it comes back");
    free(tokens);
    world_free(w);
}

/* A session that keeps heavy hitters: a budget for everything gives the bits of a full one; a small
   one bounds memory; and a failed feed, a fork and a saved session all go on as if it were one. */
static void test_heavy(int32_t raw)
{
    enum { N = 600, STEP = 20, MORE = 400 };
    world *w = world_new(&bits_shape);
    int32_t *tokens = random_tokens(w, N + MORE, 21);
    lctx_session_desc d = policy_desc(LCTX_HEAVY, 40, 0), full_desc = policy_desc(LCTX_FULL, 0, 0);
    float *want, *got;
    lctx_session *s[3];
    lctx_session_info info;
    stream bytes;
    watch p;
    int i;
    d.raw_keys = full_desc.raw_keys = raw;
    d.n_heavy = N;
    want = fresh_logits(w, &full_desc, tokens, N, STEP);
    got = fresh_logits(w, &d, tokens, N, STEP);
    check(same(w, want, got, N), "heavy: a budget for all tokens gives the bits of a full session");
    free(want);
    memset(&p, 0, sizeof p);
    p.ordered = 1;
    d.n_heavy = 50;
    d.progress = watching;
    d.progress_user = &p;
    s[0] = session_new(w, &d);
    feed_pieces(s[0], w, tokens, N, STEP, got);
    info = info_of(s[0]);
    check(info.n == N && info.n_dropped > N - 50 - 40 - 64 - STEP - 1
          && info.rewind_min > N - 40 - 64 - STEP - 1,
          "heavy: budgets hold (%d of %d dropped)", (int)info.n_dropped, N);
    bytes = saved(s[0]);
    s[1] = session_new(w, &d);
    check(restore(s[1], &bytes, SIZE_MAX) == LCTX_OK && lctx_session_fork(s[0], &s[2]) == LCTX_OK,
          "heavy: a session is restored and forked");
    memset(&p, 0, sizeof p);
    p.stop_at = 1;
    check(lctx_session_feed(s[2], tokens, STEP, LCTX_LOGITS_NONE, NULL) == LCTX_E_CANCELLED,
          "heavy: a feed of one chunk is cancelled");
    memset(&p, 0, sizeof p);
    p.stop_at = 2;
    check(lctx_session_feed(s[2], tokens, 500, LCTX_LOGITS_NONE, NULL) == LCTX_E_CANCELLED,
          "heavy: a feed of two chunks is cancelled");
    memset(&p, 0, sizeof p);
    free(got);
    got = (float *)zeroed(2 * MORE * w->m.n_vocab, sizeof *got);
    want = got + MORE * w->m.n_vocab;
    feed_pieces(s[0], w, tokens + N, MORE, STEP, want);
    for (i = 1; i < 3; i++) {
        feed_pieces(s[i], w, tokens + N, MORE, STEP, got);
        check(same(w, want, got, MORE), "heavy: a %s session goes on with equal bits",
              i == 1 ? "restored" : "forked and twice failed");
    }
    for (i = 0; i < 3; i++) lctx_session_free(s[i]);
    free(bytes.data);
    free(got);
    free(tokens);
    world_free(w);
}

int main(void)
{
    const int threads = hook_threads("sessions on four threads");
    int policy, type, what;
    test_shapes();
    test_policies();
    test_ropes();
    test_layer_patterns();
    for (policy = 0; policy <= LCTX_SINKS; policy++) {
        test_sink_logits((lctx_policy)policy, 0);
        test_sink_logits((lctx_policy)policy, 1);
    }
    test_sink_logit_bits();
    test_raw_keys();
    test_which_logits();
    test_wide_rows();
    test_family_bits();
    test_bad_router();
    test_many(&bits_shape);
    if (!quick()) test_many(&shapes[20]);
    if (!slow()) test_many(&shapes[25]);
    test_bad_many();
    test_many_fails();
    for (type = 0; type < 5; type++)
        if (!few() || type % 2)
            test_pages(type, (type + 2) % 5), test_wild_pages(type, (type + 2) % 5);
    test_window_pages(LCTX_F16, LCTX_F16, LCTX_WINDOW, 40, 0);
    test_window_pages(LCTX_I4, LCTX_I8, LCTX_SINKS, 70, 0);
    if (!quick()) test_window_pages(LCTX_I8, LCTX_F32, LCTX_FULL, 64, 0);
    if (!quick()) test_window_pages(LCTX_F16, LCTX_F16, LCTX_FULL, 64, 64);
    test_bad_pages();
    test_bad_parts_of_sessions();
    test_told(&small_shape);
#if HOOK_THREADS
    for (type = 0; threads && type < 4; type++)
        if (!few() || type == LCTX_F16) test_parts(shapes, type, 4 - type, 2 + type % 3, 1e-4);
    if (threads && !quick()) test_parts(&bits_shape, LCTX_I8, LCTX_F16, 2, 1e-4);
    if (threads && !quick()) test_parts(&shapes[20], LCTX_F16, LCTX_F16, 3, 1e-3);
    if (threads && !quick()) test_parts(&shapes[25], LCTX_F16, LCTX_F16, 2, 1e-3);
    if (threads && !quick()) test_parts_deeds(), test_parts_mixed(), test_parts_live();
#endif
    if (!quick() && threads) test_shared_model();
    for (type = 0; type < 5; type++)
        if (!few() || type == LCTX_F16 || (!quick() && type == LCTX_I4))
            test_reads(type % 2 ? &shapes[6] : &bits_shape, type);
    for (policy = 0; policy <= LCTX_SINKS + 1; policy++) {   /* HEAVY by itself */
        lctx_policy p = policy > LCTX_SINKS ? READS : (lctx_policy)policy;
        for (type = 0; type < 5; type++)
            if (!slow() || type % 3 == policy % 3) test_chunkings(&bits_shape, p, type);
        if (quick()) continue;
        for (type = 0; type < 5; type++)
            if (!few() || (policy + type) % 2 == 0) test_round_trip(p, type, type * 100);
        test_threads(&bits_shape, p);
        if (!few() || p != LCTX_WINDOW) test_fork(p, 100);
        if (!few() || p == LCTX_WINDOW) test_fork(p, 128);
        if (threads) test_forks_on_threads(p);
        test_rewind(p);
        for (what = 0; what < 3; what++)
            if (!few() || what == policy) test_cancel(p, 200, 150, 1 + 2 * what);
        test_cancel(p, 192, 20, 1);
        test_nan(p);
        if (!few() || (policy + (int)lctx_isa_get()) % 2) test_damaged(p);
        for (what = 0; what < ACTIONS; what++)
            if (!few() || (policy + what) % 2) test_no_memory((action)what, p);
    }
    if (quick()) return test_report("model", lctx_isa_name(lctx_isa_get()));
    test_mismatch();
    test_bad_feeds();
    test_out_of_reach();
    test_bad_models();
    test_bad_sessions();
    test_pool();
    test_numbers();
    test_constant_memory();
    test_heavy(0);
    test_heavy(1);
    test_cancel_four();
    for (policy = 0; policy < LCTX_POLICY_COUNT; policy++)
        test_failed_feeds((lctx_policy)policy, policy % 2 ? LCTX_F16 : LCTX_I4, 37);
    for (type = 0; type < 5; type++)
        if (!few() || type % 2 == 0) test_failed_feeds(LCTX_HEAVY, type, 42 + (uint64_t)type);
    return test_report("model", lctx_isa_name(lctx_isa_get()));
}
