/* test_hybrid.c - floor 4: layers that carry a state beside layers that attend: logits of the
   formulas in double, the same bits for any pieces, fork, save, restore, rewind to snapshots, feeds
   that fail. */
#include "lctx.h"
#include "test.h"
#include "oracle_model.h"

#include <math.h>

enum { WIDE = 48, HEADS = 4, KV = 2, DIM = 12, FF = 64, VOCAB = 37, LAYERS = 5, TOKENS = 61 };

/* Which layers attend, have a mixer, or both; what it is like, and whether attention is gated. */
enum { ATTENDS, MIXES, BOTH };
typedef struct shape {
    int does[LAYERS], kind, n_head, n_head_k, d_k, d_v, taps, post_norm, no_ffn, gated, unnormed;
} shape;
static const shape shapes[] = {
    { { 1, 0, 1, 1, 0 }, 0, 4, 2, 16, 16, 4, 0, 0, 1, 0 },
    { { 1, 1, 1, 1, 1 }, 0, 3, 3, 12, 20, 3, 1, 0, 0, 0 },
    { { 0, 0, 0, 0, 1 }, 0, 2, 1, 8, 72, 1, 0, 1, 0, 0 },
    { { 1, 1, 0, 1, 0 }, 1, 4, 2, 16, 16, 4, 1, 0, 0, 0 },
    { { 1, 1, 1, 1, 1 }, 1, 6, 1, 20, 12, 4, 0, 1, 0, 0 },
    { { 1, 1, 1, 1, 1 }, 2, 3, 3, 16, 16, 0, 0, 0, 0, 0 },
    { { 0, 2, 0, 1, 0 }, 2, 2, 2, 20, 12, 0, 1, 0, 1, 0 },
    { { 2, 2, 2, 2, 2 }, 1, 4, 2, 16, 16, 4, 0, 0, 0, 1 },
    { { 2, 0, 1, 2, 1 }, 0, 4, 2, 16, 16, 4, 1, 1, 1, 0 },
};
static const char *const kinds[] = { "delta, ", "Mamba-2, ", "RWKV-7, " };
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct world {
    lctx_model m;
    lctx_layer layer[LAYERS];
    lctx_mixer mixer[LAYERS];
    lctx_rope rope;
    oracle_model om;
    oracle_layer olayer[LAYERS];
    oracle_mixer omixer[LAYERS];
    oracle_rope orope;
    void *kept[512];
    int n_kept;
    int32_t tokens[TOKENS];
} world;

static void *keep(world *w, size_t n, size_t size)
{
    return w->kept[w->n_kept++] = calloc(n, size);
}
/* Random numbers as f32, and the same in double. */
static const float *numbers(world *w, int64_t n, double mean, double about, const double **d)
{
    float *f = keep(w, (size_t)n, sizeof *f);
    double *x = keep(w, (size_t)n, sizeof *x);
    int64_t i;
    for (i = 0; i < n; i++) f[i] = (float)(mean + about * test_normal()), x[i] = f[i];
    *d = x;
    return f;
}
static const double *tensor(world *w, int64_t rows, int64_t cols, lctx_tensor *t)
{
    const double *d;
    t->data = numbers(w, rows * (cols ? cols : 1), cols ? 0 : 1,
                      cols ? 1 / sqrt((double)cols) : 0.1, &d);
    t->type = LCTX_F32;
    return d;
}

static oracle_low_rank low_rank(world *w, int rank, int rows, lctx_low_rank *x)
{
    oracle_low_rank o;
    x->rank = o.rank = rank;
    o.down = tensor(w, rank, WIDE, &x->down), o.up = tensor(w, rows, rank, &x->up);
    x->bias = numbers(w, rows, 0, 1, &o.bias);
    return o;
}
static void world_rwkv(world *w, const shape *s, int i)
{
    lctx_mixer *x = &w->mixer[i];
    oracle_mixer *o = &w->omixer[i];
    const int keys = s->n_head * s->d_k, values = s->n_head * s->d_v;
    int first = 0;
    while (s->does[first] == ATTENDS) first++;
    o->w_r = tensor(w, keys, WIDE, &x->w_r), o->w_k = tensor(w, keys, WIDE, &x->w_k);
    o->w_v = tensor(w, values, WIDE, &x->w_v);
    o->w = low_rank(w, 5, keys, &x->w), o->rate = low_rank(w, 9, keys, &x->rate);
    o->g = low_rank(w, 70, values, &x->g);
    if (i != first) o->v = low_rank(w, 3, values, &x->v);
    x->shift = numbers(w, 6 * WIDE, 0.5, 0.2, &o->shift);
    x->ffn_shift = numbers(w, WIDE, 0.5, 0.2, &o->ffn_shift);
    x->k_k = numbers(w, keys, 0.8, 0.2, &o->k_k), x->k_a = numbers(w, keys, 1, 0.2, &o->k_a);
    x->r_k = numbers(w, keys, 0, 0.3, &o->r_k);
    x->norm = numbers(w, values, 1, 0.2, &o->norm);
    x->norm_bias = numbers(w, values, 0, 0.2, &o->norm_bias);
    w->layer[i].attn_norm_bias = numbers(w, WIDE, 0, 0.2, &w->olayer[i].attn_norm_bias);
    w->layer[i].ffn_norm_bias = numbers(w, WIDE, 0, 0.2, &w->olayer[i].ffn_norm_bias);
    w->layer[i].activation = LCTX_RELU, w->olayer[i].activation = ORACLE_RELU;
}

static void world_mixer(world *w, const shape *s, int i)
{
    lctx_mixer *x = &w->mixer[i];
    oracle_mixer *o = &w->omixer[i];
    const int dz = s->n_head * s->d_v, channels = 2 * s->n_head_k * s->d_k + dz;
    x->n_head = o->n_head = s->n_head, x->n_head_k = o->n_head_k = s->n_head_k;
    x->d_k = o->d_k = s->d_k, x->d_v = o->d_v = s->d_v, x->taps = o->taps = s->taps;
    x->kind = s->kind, o->mamba2 = s->kind == LCTX_MIXER_MAMBA2;
    w->layer[i].mixer = x, w->olayer[i].mixer = o;
    w->layer[i].beside = w->olayer[i].beside = s->does[i] == BOTH;
    o->w_out = tensor(w, WIDE, dz, &x->w_out);
    if (s->kind == LCTX_MIXER_RWKV7) {
        world_rwkv(w, s, i);
        return;
    }
    o->w_in = tensor(w, channels, WIDE, &x->w_in), o->w_z = tensor(w, dz, WIDE, &x->w_z);
    if (!o->mamba2) o->w_beta = tensor(w, s->n_head, WIDE, &x->w_beta);
    else {
        x->conv_bias = numbers(w, channels, 0, 0.3, &o->conv_bias);
        x->skip = numbers(w, s->n_head, 1, 0.3, &o->skip);
    }
    o->w_dt = tensor(w, s->n_head, WIDE, &x->w_dt);
    x->conv = numbers(w, channels * s->taps, 0, 0.7, &o->conv);
    x->a = numbers(w, s->n_head, -0.3, 0.1, &o->a);
    x->dt_bias = numbers(w, s->n_head, -1, 0.5, &o->dt_bias);
    if (!s->unnormed) x->norm = numbers(w, o->mamba2 ? dz : s->d_v, 1, 0.1, &o->norm);
}

static void world_layer(world *w, const shape *s, int i)
{
    lctx_layer *l = &w->layer[i];
    oracle_layer *o = &w->olayer[i];
    o->attn_norm = tensor(w, WIDE, 0, &l->attn_norm);
    if (s->post_norm) o->attn_post_norm = tensor(w, WIDE, 0, &l->attn_post_norm);
    if (s->does[i] != ATTENDS) world_mixer(w, s, i);
    if (s->does[i] != MIXES) {
        o->wq = tensor(w, HEADS * DIM, WIDE, &l->wq), o->wk = tensor(w, KV * DIM, WIDE, &l->wk);
        o->wv = tensor(w, KV * DIM, WIDE, &l->wv), o->wo = tensor(w, WIDE, HEADS * DIM, &l->wo);
        o->rope = &w->orope, l->window = o->window = i == 4 ? 9 : 0;
        if (s->gated) o->attn_gate = tensor(w, HEADS * DIM, WIDE, &l->attn_gate);
    }
    if (s->no_ffn && s->does[i] != ATTENDS) return;
    o->ffn_norm = tensor(w, WIDE, 0, &l->ffn_norm), o->d_ff = FF;
    o->w_gate = tensor(w, FF, WIDE, &l->w_gate);
    if (l->activation != LCTX_RELU) o->w_up = tensor(w, FF, WIDE, &l->w_up);
    o->w_down = tensor(w, WIDE, FF, &l->w_down);
}

static world *world_new(const shape *s)
{
    world *w = calloc(1, sizeof *w);
    lctx_rope_desc d = { 0 };
    oracle_rope_desc od = { 0 };
    int i;
    d.n_rot = od.n_rot = DIM, od.theta = 10000, od.factor = 1, od.truncate = 1;
    (void)lctx_rope_init(&w->rope, &d);
    oracle_rope_schedule(&od, &w->orope);
    w->m.n_layer = w->om.n_layer = LAYERS, w->m.n_head = w->om.n_head = HEADS;
    w->m.n_head_kv = w->om.n_head_kv = KV, w->m.head_dim = w->om.head_dim = DIM;
    w->m.d_model = w->om.d_model = WIDE, w->m.d_ff = FF, w->m.n_vocab = w->om.n_vocab = VOCAB;
    w->om.norm_eps = (double)1e-5f, w->om.embd_scale = 1, w->om.attn_scale = 1 / sqrt(DIM);
    w->om.tok_embd = tensor(w, VOCAB, WIDE, &w->m.tok_embd);
    w->om.output = tensor(w, VOCAB, WIDE, &w->m.output);
    w->om.output_norm = tensor(w, WIDE, 0, &w->m.output_norm);
    if (s->kind == LCTX_MIXER_RWKV7) {
        w->om.embd_norm = tensor(w, WIDE, 0, &w->m.embd_norm);
        w->m.embd_norm_bias = numbers(w, WIDE, 0, 0.2, &w->om.embd_norm_bias);
        w->m.output_norm_bias = numbers(w, WIDE, 0, 0.2, &w->om.output_norm_bias);
    }
    w->m.layers = w->layer, w->om.layers = w->olayer, w->m.rope = &w->rope;
    for (i = 0; i < LAYERS; i++) world_layer(w, s, i);
    for (i = 0; i < TOKENS; i++) w->tokens[i] = (int32_t)(test_random() % VOCAB);
    return w;
}
static void world_free(world *w)
{
    while (w->n_kept) free(w->kept[--w->n_kept]);
    free(w);
}

static lctx_session *session_new(const world *w, lctx_session_desc d)
{
    lctx_session *s = NULL;
    d.k_type = d.v_type = LCTX_F32, d.block = d.block ? d.block : 64;
    check(lctx_session_create(&w->m, &d, &s) == LCTX_OK, "a session over mixers");
    return s;
}
static int same(const float *a, const float *b, int64_t n)
{
    return !memcmp(a, b, (size_t)n * VOCAB * sizeof *a);
}
/* Logits of tokens from .. to-1, in pieces. */
static lctx_status feed(lctx_session *s, const world *w, int from, int to, int piece, float *logits)
{
    lctx_status st = LCTX_OK;
    for (; !st && from < to; from += piece) {
        const int n = to - from < piece ? to - from : piece;
        st = lctx_session_feed(s, w->tokens + from, n, LCTX_LOGITS_ALL,
                               logits + (int64_t)from * VOCAB);
    }
    return st;
}
static lctx_session_info info_of(const lctx_session *s)
{
    lctx_session_info info;
    (void)lctx_session_get_info(s, &info);
    return info;
}

/* ---- logits */
static void test_logits(const shape *s)
{
    static const int pieces[] = { 1, 2, 7, 16, 60 }, chunks[] = { 0, 1, 5, 32 };
    world *w = world_new(s);
    double *want = calloc(TOKENS * VOCAB, sizeof *want);
    float *got = calloc(TOKENS * VOCAB, sizeof *got), *again = calloc(TOKENS * VOCAB, sizeof *got);
    lctx_session_desc d = { 0 };
    lctx_session *x = session_new(w, d);
    oracle_error e = { 0 };
    size_t i;
    oracle_model_logits(&w->om, TOKENS, w->tokens, want);
    check(feed(x, w, 0, TOKENS, TOKENS, got) == LCTX_OK, "a feed through mixers");
    oracle_error_add(&e, TOKENS * VOCAB, want, got);
    check(oracle_error_nmse(&e) < 1e-10, "%s%d heads of %d x %d, %d taps: logits of the "
          "formulas (NMSE %.2g)", kinds[s->kind], s->n_head, s->d_v, s->d_k,
          s->taps, oracle_error_nmse(&e));
    lctx_session_free(x);
    for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        d.chunk = chunks[i % 4];
        x = session_new(w, d);
        memset(again, 0, TOKENS * VOCAB * sizeof *again);
        check(feed(x, w, 0, TOKENS, pieces[i], again) == LCTX_OK && same(got, again, TOKENS),
              "the same bits in pieces of %d, chunks of %d", pieces[i], d.chunk);
        lctx_session_free(x);
    }
    free(want), free(got), free(again);
    world_free(w);
}

/* Of a session in parts, the one that has all keys so far: the others add nothing. */
static int join_nothing(void *user, int32_t layer, const lctx_attn *attn)
{
    const world *w = ((void **)user)[0];
    int *joined = ((void **)user)[1];
    check((!w->layer[layer].mixer || w->layer[layer].beside) && !w->layer[layer].window
          && attn->d_v == DIM, "layers that attend to all are joined");
    *joined += (int)(attn->n_q * attn->n_head);
    return 0;
}
static void test_parts(const shape *s)
{
    world *w = world_new(s);
    float *want = calloc(TOKENS * VOCAB, sizeof *want), *got = calloc(TOKENS * VOCAB, sizeof *got);
    lctx_session_desc d = { 0 };
    lctx_session *x = session_new(w, d), *fork = NULL;
    void *user[2];
    int joined = 0, attend = 0, i, ok;
    user[0] = w, user[1] = &joined;
    for (i = 0; i < LAYERS; i++) attend += s->does[i] != MIXES && !w->layer[i].window;
    ok = feed(x, w, 0, TOKENS, TOKENS, want) == LCTX_OK;
    lctx_session_free(x);
    d.parts = 2, d.join = join_nothing, d.join_user = user;
    x = session_new(w, d);
    ok &= feed(x, w, 0, 40, 9, got) == LCTX_OK && lctx_session_fork(x, &fork) == LCTX_OK &&
          feed(fork, w, 40, TOKENS, 9, got) == LCTX_OK;
    check(ok && same(want, got, TOKENS) && joined == attend * HEADS * TOKENS,
          "a part with all keys has a whole session's bits, and joins where layers attend to all");
    lctx_session_free(x), lctx_session_free(fork);
    free(want), free(got);
    world_free(w);
}

/* Two sequences in one feed, of different lengths. */
static void test_many(const shape *s)
{
    world *w = world_new(s);
    float *got = calloc(TOKENS * VOCAB, sizeof *got), *other = calloc(TOKENS * VOCAB, sizeof *got);
    float *both = calloc(2 * TOKENS * VOCAB, sizeof *both);
    const int64_t n[2] = { 40, 11 };
    const int32_t *tokens[2];
    lctx_session_desc d = { 0 };
    lctx_session *x[2], *alone = session_new(w, d);
    d.chunk = 16;
    x[0] = session_new(w, d), x[1] = session_new(w, d);
    tokens[0] = w->tokens, tokens[1] = w->tokens + 20;
    check(feed(alone, w, 0, 40, 40, got) == LCTX_OK, "alone");
    lctx_session_free(alone), alone = session_new(w, d);
    check(lctx_session_feed(alone, tokens[1], n[1], LCTX_LOGITS_ALL, other) == LCTX_OK, "alone");
    check(lctx_session_feed_many(x, 2, tokens, n, LCTX_LOGITS_ALL, both) == LCTX_OK &&
          same(both, got, 40) && same(both + 40 * VOCAB, other, 11),
          "two sequences have the bits of each alone");
    lctx_session_free(alone), lctx_session_free(x[0]), lctx_session_free(x[1]);
    free(got), free(both), free(other);
    world_free(w);
}

/* ---- states that come back */
typedef struct stream { char *bytes; size_t n, cap, at, limit; } stream;
static int stream_write(void *user, const void *data, size_t n)
{
    stream *s = user;
    if (s->n + n > s->cap) {
        s->cap = 2 * (s->n + n);
        s->bytes = realloc(s->bytes, s->cap);
    }
    memcpy(s->bytes + s->n, data, n);
    s->n += n;
    return 0;
}
static int stream_read(void *user, void *data, size_t n)
{
    stream *s = user;
    if (n > s->limit - s->at) return 1;
    memcpy(data, s->bytes + s->at, n);
    s->at += n;
    return 0;
}
static lctx_status restored(lctx_session *x, stream *s, size_t limit)
{
    s->at = 0, s->limit = limit;
    return lctx_session_restore(x, stream_read, s);
}

static void test_fork_and_save(const shape *s)
{
    world *w = world_new(s), *other;
    float *got = calloc(TOKENS * VOCAB, sizeof *got), *again = calloc(TOKENS * VOCAB, sizeof *got);
    lctx_session_desc d = { 0 };
    lctx_session *x = session_new(w, d), *y = NULL;
    shape wider = *s;
    stream file = { 0 };
    size_t at;
    check(feed(x, w, 0, TOKENS, TOKENS, got) == LCTX_OK, "all at once");
    lctx_session_free(x), x = session_new(w, d);
    check(feed(x, w, 0, 30, 30, again) == LCTX_OK, "half");
    check(lctx_session_save(x, stream_write, &file) == LCTX_OK, "saved");
    check(lctx_session_fork(x, &y) == LCTX_OK, "forked");
    check(feed(y, w, 30, TOKENS, 3, again) == LCTX_OK && same(got, again, TOKENS),
          "a fork goes on with the same bits");
    check(feed(x, w, 30, TOKENS, TOKENS, again) == LCTX_OK && same(got, again, TOKENS),
          "and so does the first, untouched by it");
    lctx_session_free(y), y = session_new(w, d);
    check(feed(y, w, 5, 9, 2, again) == LCTX_OK, "another beginning");
    for (at = file.n % 97; at < file.n; at += 1 + file.n / 50)
        check(restored(y, &file, at) == LCTX_E_IO && info_of(y).n == 4,
              "an end after %d bytes is an error, and the session as before", (int)at);
    file.bytes[file.n - 100] ^= 4;
    check(restored(y, &file, file.n) == LCTX_E_FORMAT && info_of(y).n == 4, "so is a flipped bit");
    file.bytes[file.n - 100] ^= 4;
    check(restored(y, &file, file.n) == LCTX_OK && info_of(y).n == 30, "restored");
    check(feed(y, w, 30, TOKENS, 8, again) == LCTX_OK &&
          same(got + 30 * VOCAB, again + 30 * VOCAB, TOKENS - 30), "what was restored goes on with "
          "the same bits");
    lctx_session_free(y);
    wider.d_k += 4, other = world_new(&wider), y = session_new(other, d);
    check(restored(y, &file, file.n) == LCTX_E_MISMATCH && info_of(y).n == 0,
          "states of another shape are refused");
    lctx_session_free(y), world_free(other);
    wider.d_k = s->d_v, wider.d_v = s->d_k, other = world_new(&wider), y = session_new(other, d);
    check(restored(y, &file, file.n) == (s->d_k == s->d_v ? LCTX_OK : LCTX_E_MISMATCH) &&
          (info_of(y).refused.field != NULL) == (s->d_k != s->d_v),
          "and by name those of as many numbers, turned");
    lctx_session_free(x), lctx_session_free(y);
    free(file.bytes), free(got), free(again);
    world_free(w), world_free(other);
}

static void test_rewind(const shape *s)
{
    world *w = world_new(s);
    float *got = calloc(TOKENS * VOCAB, sizeof *got), *again = calloc(TOKENS * VOCAB, sizeof *got);
    lctx_session_desc d = { 0 };
    lctx_session *x;
    int n, windows = s->does[4] != MIXES;
    d.state_every = 7, d.state_slots = 3;
    x = session_new(w, d);
    check(feed(x, w, 0, TOKENS, 13, got) == LCTX_OK, "fed with snapshots");
    check(windows || info_of(x).rewind_min == 42, "snapshots of 42, 49 and 56 tokens are there "
          "(%d)", (int)info_of(x).rewind_min);
    for (n = 1; n < TOKENS; n++)
        if (n % 7 || n < 42)
            check(lctx_session_rewind(x, n) == LCTX_E_EVICTED && info_of(x).n == TOKENS,
                  "there is no going back to %d", n);
    for (n = windows ? 56 : 42; n < TOKENS; n += 7) {
        const lctx_status st = lctx_session_rewind(x, n);
        check(st == LCTX_OK && info_of(x).n == n, "back to %d", n);
        check(feed(x, w, n, TOKENS, 5, again) == LCTX_OK &&
              same(got + n * VOCAB, again + n * VOCAB, TOKENS - n), "from %d on the same bits", n);
    }
    check(lctx_session_rewind(x, 56) == LCTX_OK && lctx_session_rewind(x, 0) == LCTX_OK &&
          feed(x, w, 0, 30, 30, again) == LCTX_OK && same(got, again, 30), "and from the start");
    check(windows || info_of(x).rewind_min == 14, "the snapshots are new ones (%d)",
          (int)info_of(x).rewind_min);
    check(windows || (lctx_session_rewind(x, 21) == LCTX_OK && lctx_session_rewind(x, 14) == LCTX_OK
          && feed(x, w, 14, TOKENS, 64, again) == LCTX_OK && same(got, again, TOKENS)),
          "back twice, and on");
    lctx_session_free(x);
    d.state_every = 0, x = session_new(w, d);
    check(feed(x, w, 0, 30, 30, got) == LCTX_OK && lctx_session_rewind(x, 29) == LCTX_E_EVICTED &&
          lctx_session_rewind(x, 30) == LCTX_OK && lctx_session_rewind(x, 0) == LCTX_OK,
          "without snapshots there is the start");
    lctx_session_free(x);
    free(got), free(again);
    world_free(w);
}

/* ---- feeds that fail */
static int stops_at(void *user, int64_t done, int64_t total)
{
    (void)total;
    return done >= *(const int64_t *)user;
}
static void test_failures(const shape *s)
{
    world *w = world_new(s);
    float *got = calloc(TOKENS * VOCAB, sizeof *got), *again = calloc(TOKENS * VOCAB, sizeof *got);
    const int64_t at = 20;
    lctx_session_desc d = { 0 };
    lctx_session *x = session_new(w, d);
    float *embd = (float *)(uintptr_t)w->m.tok_embd.data, was = embd[w->tokens[45] * WIDE];
    int chunk;
    check(feed(x, w, 0, TOKENS, TOKENS, got) == LCTX_OK, "all at once");
    lctx_session_free(x);
    for (chunk = 8; chunk <= 64; chunk += 56) {
        d.chunk = chunk, d.progress = stops_at, d.progress_user = (void *)(uintptr_t)&at;
        d.state_every = 5, d.state_slots = 2;
        x = session_new(w, d);
        check(feed(x, w, 0, 17, 17, again) == LCTX_OK, "a beginning");
        check(feed(x, w, 17, TOKENS, TOKENS, again) == LCTX_E_CANCELLED && info_of(x).n == 17,
              "cancelled");
        embd[w->tokens[45] * WIDE] = NAN;
        check(lctx_session_feed(x, w->tokens + 45, 1, LCTX_LOGITS_LAST, again) == LCTX_E_NAN &&
              info_of(x).n == 17, "a token of NaN");
        embd[w->tokens[45] * WIDE] = was;
        check(feed(x, w, 17, TOKENS, 9, again) == LCTX_OK && same(got, again, TOKENS),
              "after feeds that failed, in chunks of %d, the same bits", chunk);
        lctx_session_free(x);
    }
    free(got), free(again);
    world_free(w);
}

/* ---- refusals */
static void *little(void *user, size_t size, size_t align)
{
    char *raw = size > (size_t)1 << 26 ? NULL : malloc(size + align + sizeof raw), *p;
    (void)user;
    if (!raw) return NULL;
    p = raw + sizeof raw;
    p += (align - (uintptr_t)p % align) % align;
    memcpy(p - sizeof raw, &raw, sizeof raw);
    return p;
}
static void give_back(void *user, void *p, size_t size)
{
    char *raw;
    (void)user, (void)size;
    memcpy(&raw, (char *)p - sizeof raw, sizeof raw);
    free(raw);
}

static void refused(world *w, lctx_mixer bad, const char *field, lctx_status want)
{
    const lctx_mixer good = w->mixer[0];
    lctx_refusal report;
    lctx_status st;
    w->mixer[0] = bad, w->m.refused = &report;
    st = lctx_model_check(&w->m);
    check(st == want && report.status == (int32_t)want && report.type && report.index == 0 &&
          !strcmp(report.type, "lctx_mixer") && !strcmp(report.field, field),
          "lctx_mixer[0].%s is refused with \"%s\"", field, lctx_status_text(want));
    w->mixer[0] = good, w->m.refused = NULL;
}
static void test_refused(void)
{
    world *w = world_new(&shapes[0]);
    lctx_session_desc d = { 0 };
    lctx_session *x;
    lctx_allocator poor = { little, give_back, NULL };
    lctx_mixer bad;
    size_t bytes;
#define BAD(change, field, want) \
    bad = w->mixer[0], bad.change, refused(w, bad, field, LCTX_E_##want)
    BAD(n_head = 0, "n_head", SHAPE);
    BAD(n_head_k = 0, "n_head_k", SHAPE);
    BAD(n_head_k = 3, "n_head", HEADS);
    BAD(d_k = 0, "d_k", HEAD_DIM);
    BAD(d_v = 65537, "d_v", HEAD_DIM);
    BAD(taps = 0, "taps", TAPS);
    BAD(kind = LCTX_MIXER_COUNT, "kind", ENUM);
    BAD(w_in.data = NULL, "w_in", WEIGHT);
    BAD(w_z.data = NULL, "w_z", WEIGHT);
    BAD(w_beta.type = 99, "w_beta", TYPE);
    BAD(w_dt.data = NULL, "w_dt", WEIGHT);
    BAD(w_out.data = NULL, "w_out", WEIGHT);
    BAD(conv = NULL, "conv", WEIGHT);
    BAD(a = NULL, "a", WEIGHT);
    BAD(dt_bias = NULL, "dt_bias", WEIGHT);
    BAD(norm = NULL, "norm", WEIGHT);
    world_free(w), w = world_new(&shapes[5]);
    BAD(n_head = 6, "n_head_k", HEADS);
    BAD(w_r.data = NULL, "w_r", WEIGHT);
    BAD(w_k.type = 99, "w_k", TYPE);
    BAD(w_v.data = NULL, "w_v", WEIGHT);
    BAD(w_out.data = NULL, "w_out", WEIGHT);
    BAD(w.rank = 0, "w.rank", SHAPE);
    BAD(w.up.data = NULL, "w.up", WEIGHT);
    BAD(rate.down.type = LCTX_Q8_0, "rate.down", SHAPE);
    BAD(g.down.data = NULL, "g.down", WEIGHT);
    BAD(v.rank = -1, "v.rank", SHAPE);
    BAD(v.rank = 1, "v.down", WEIGHT);
    BAD(shift = NULL, "shift", WEIGHT);
    BAD(k_k = NULL, "k_k", WEIGHT);
    BAD(k_a = NULL, "k_a", WEIGHT);
    BAD(r_k = NULL, "r_k", WEIGHT);
    BAD(norm = NULL, "norm", WEIGHT);
    BAD(norm_bias = NULL, "norm_bias", WEIGHT);
#undef BAD
    w->layer[0].activation = LCTX_SILU;
    check(lctx_model_check(&w->m) == LCTX_E_WEIGHT, "w_up is wanted by all activations but one");
    world_free(w), w = world_new(&shapes[0]), x = session_new(w, d);
    check(lctx_session_page_size(x, &bytes) == LCTX_E_POLICY, "there are no pages of states");
    check(info_of(x).state_bytes > 0, "states are counted");
    lctx_session_free(x), x = NULL;
    d.state_every = -1;
    check(lctx_session_create(&w->m, &d, &x) == LCTX_E_COUNT, "state_every below 0");
    d.state_every = 1, d.state_slots = -1;
    check(lctx_session_create(&w->m, &d, &x) == LCTX_E_COUNT, "state_slots below 0");
    d.state_every = 1, d.state_slots = INT32_MAX, d.alloc = &poor;
    check(lctx_session_create(&w->m, &d, &x) == LCTX_E_MEMORY && !x,
          "more snapshots than there is memory");
    world_free(w);
}

int main(void)
{
    int i;
    for (i = 0; i < SHAPES; i++) {
        test_logits(&shapes[i]);
        test_parts(&shapes[i]);
        test_many(&shapes[i]);
        test_fork_and_save(&shapes[i]);
        test_rewind(&shapes[i]);
        test_failures(&shapes[i]);
    }
    test_refused();
    return test_report("hybrid", lctx_isa_name(lctx_isa_get()));
}
