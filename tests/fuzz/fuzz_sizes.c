/* fuzz_sizes.c - every call that sizes, checks or creates, on numbers at the edges of their types:
   an error and nothing written, or an answer that a wider arithmetic agrees with. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEND = 1 << 22 };         /* what the allocator has */

typedef struct world {
    bytes b;
    fuzz_memory memory;
    lctx_allocator alloc;
} world;

static int32_t some(bytes *b, int64_t low, int64_t high)
{
    return bytes_rarely(b, 4) ? bytes_int32(b) : (int32_t)bytes_in(b, low, high);
}
static int64_t many(bytes *b, int64_t high)
{
    return bytes_rarely(b, 3) ? bytes_int(b) : bytes_in(b, 0, high);
}
static double real(bytes *b, double usual) { return bytes_rarely(b, 3) ? bytes_real(b) : usual; }

/* ---- tiles. Bytes of a head's tile, as the manual has them. */
static double tile_bytes(int k_type, int v_type, double d_k, double d_v)
{
    static const double size[] = { 4, 2, 2, 1, 0.5 };
    const double k = ceil(d_k / (k_type == LCTX_I4 ? 16 : 4)) * (k_type == LCTX_I4 ? 16 : 4);
    const double v = ceil(d_v / 16) * 16;
    double all = 64 * (k * size[k_type] + v * size[v_type]);
    if (k_type == LCTX_I8) all += 256;
    if (v_type == LCTX_I8) all += 256;
    if (k_type == LCTX_I4) all += 4 * k + 64;
    if (v_type == LCTX_I4) all += 256;
    return all;
}

static void try_tiles(world *w)
{
    lctx_tiles t;
    lctx_span span;
    lctx_status st;
    size_t got = 77;
    int64_t first, n;
    static char mem[64];
    memset(&t, 0, sizeof t);
    memset(&span, 0, sizeof span);
    t.n_head_kv = some(&w->b, 1, 8), t.d_k = some(&w->b, 1, 130), t.d_v = some(&w->b, 0, 130);
    t.k_type = some(&w->b, 0, LCTX_I4), t.v_type = some(&w->b, 0, LCTX_I4);
    t.cap = bytes_rarely(&w->b, 3) ? bytes_int(&w->b) : 64 * bytes_in(&w->b, 0, 65535);
    st = lctx_tiles_size(&t, &got);
    if (st) { FUZZ_CHECK(got == 77, "written though refused"); return; }
    FUZZ_CHECK(t.cap >= 0 && t.cap % 64 == 0 && t.d_k >= 1 && t.d_v >= 0, "taken");
    FUZZ_CHECK(fabs((double)got - (double)t.cap / 64 * t.n_head_kv *
                    tile_bytes(t.k_type, t.v_type, t.d_k, t.d_v ? t.d_v : t.d_k)) <=
               1e-9 * (double)got, "%zu bytes", got);
    t.mem = mem;
    first = many(&w->b, 255), n = many(&w->b, 255);
    st = lctx_tiles_span(&t, first, n, many(&w->b, 255), &span);
    if (st) return;
    FUZZ_CHECK(first >= 0 && n >= 0 && first <= t.cap - n, "a span of %lld + %lld of %lld",
               (long long)first, (long long)n, (long long)t.cap);
}

/* ---- caches */
static void try_cache(world *w)
{
    lctx_cache_desc d;
    lctx_cache *c = NULL;
    lctx_cache_info info;
    lctx_retrieve retrieve;
    lctx_select select;
    lctx_attn a;
    lctx_rows rows;
    lctx_status st;
    int64_t bytes_given = many(&w->b, 65535), tokens = -5, n = -5;
    size_t need = 0;
    float x[64], lse[8];
    memset(&d, 0, sizeof d);
    memset(&a, 0, sizeof a);
    memset(&rows, 0, sizeof rows);
    memset(&retrieve, 0, sizeof retrieve);
    memset(&select, 0, sizeof select);
    memset(x, 0, sizeof x);
    d.n_head_kv = some(&w->b, 1, 2), d.d_k = some(&w->b, 1, 9), d.d_v = some(&w->b, 0, 9);
    d.k_type = some(&w->b, 0, LCTX_I4), d.v_type = some(&w->b, 0, LCTX_I4);
    d.policy = some(&w->b, 0, 3), d.n_sink = some(&w->b, 0, 9),
    d.block = (int32_t)(64 * (int64_t)some(&w->b, 0, 3));
    d.window = many(&w->b, 200), d.n_heavy = many(&w->b, 9), d.summaries = bytes_flag(&w->b);
    d.max_tokens = many(&w->b, 9), d.alloc = &w->alloc;
    st = lctx_cache_tokens(&d, bytes_given, &tokens);
    FUZZ_CHECK(!st || tokens == -5, "written though refused");
    if (!st)
        FUZZ_CHECK(tokens >= 0 && tokens % 64 == 0 && (double)tokens / 64 * d.n_head_kv *
                   tile_bytes(d.k_type, d.v_type, d.d_k, d.d_v ? d.d_v : d.d_k) <=
                   (double)bytes_given, "%lld tokens of %lld bytes", (long long)tokens,
                   (long long)bytes_given);
    st = lctx_cache_create(&d, &c);
    FUZZ_CHECK(!st == (c != NULL), "create: %s", lctx_status_text(st));
    if (st) return;
    st = lctx_cache_begin(c, many(&w->b, 255));
    FUZZ_CHECK(lctx_cache_get_info(c, &info) == LCTX_OK, "info");
    FUZZ_CHECK(info.n_held == 0 && info.n_dropped == info.n, "held");
    (void)lctx_cache_far_pos(c, bytes_in(&w->b, 0, 255));
    rows.n = many(&w->b, 2), rows.k = rows.v = x;
    rows.k_token = many(&w->b, 0), rows.k_head = many(&w->b, 0);
    rows.v_token = many(&w->b, 0), rows.v_head = many(&w->b, 0);
    if (rows.n > 1 && rows.n < LEND) rows.n += LEND;      /* more than there is memory for */
    if (rows.n != 1 || (d.n_head_kv <= 2 && d.d_k <= 9 && d.d_v <= 9 && !rows.k_token &&
                        !rows.k_head && !rows.v_token && !rows.v_head)) {
        st = lctx_cache_append(c, &rows);
        FUZZ_CHECK(st || rows.n <= 1, "%lld tokens appended", (long long)rows.n);
    }
    (void)lctx_cache_rewind(c, bytes_int(&w->b));
    (void)lctx_cache_drop(c, bytes_int(&w->b), bytes_int(&w->b));
    select.n_heavy = bytes_int(&w->b), select.window = bytes_int(&w->b);
    select.n_sink = bytes_int32(&w->b), select.pool = bytes_int32(&w->b);
    select.mass_head = bytes_int(&w->b);
    FUZZ_CHECK(lctx_cache_get_info(c, &info) == LCTX_OK, "info");
    if (d.n_head_kv <= 2 && info.n_held <= 1) select.mass = x, select.mass_head %= 64;
    if (info.n_held <= 1) (void)lctx_cache_select(c, &select);
    a.n_q = many(&w->b, 2), a.n_head = some(&w->b, 1, 4), a.q_pos0 = many(&w->b, 255);
    a.window = many(&w->b, 2), a.n_sink = some(&w->b, 0, 2), a.lse_token = many(&w->b, 0);
    a.q_token = many(&w->b, 0), a.q_head = many(&w->b, 0), a.out_token = many(&w->b, 0);
    a.mass_head = many(&w->b, 0), a.mass_queries = many(&w->b, 1), a.scale = (float)real(&w->b, 0);
    a.mass = bytes_flag(&w->b) ? lse : NULL, a.bias = bytes_rarely(&w->b, 4) ? lse : NULL;
    (void)lctx_cache_attend_size(c, &a, &need);
    if (!lctx_cache_attend_size(c, &a, &need) && a.n_q) {
        a.q = NULL;
        st = lctx_cache_attend(c, &a, x, 4);
        FUZZ_CHECK(st, "attended without queries");
    }
    retrieve.n_top = bytes_int(&w->b), retrieve.window = bytes_int(&w->b);
    retrieve.n_sink = bytes_int32(&w->b), retrieve.queries = bytes_int32(&w->b);
    (void)lctx_cache_retrieve_size(c, &a, &retrieve, &need);
    if (a.n_q) FUZZ_CHECK(lctx_cache_retrieve(c, &a, &retrieve, x, 4), "retrieved nothing");
    (void)lctx_cache_spans(c, NULL, 0, &n);
    FUZZ_CHECK(n >= 0 && n <= 3, "%lld spans", (long long)n);
    FUZZ_CHECK(lctx_cache_spans(c, NULL, -1 - bytes_in(&w->b, 0, 255), &n), "spans");
    lctx_cache_free(c);
}

/* ---- RoPE */
static void try_rope(world *w)
{
    double lists[3][LCTX_MAX_ROT / 2], ctx = 1, theta[3], waves[LCTX_MAX_ROT / 2];
    float cos_sin[2][LCTX_MAX_ROT / 2], growth[LCTX_MAX_ROT / 2];
    lctx_rope_desc d;
    lctx_rope rope, before;
    lctx_status st;
    int32_t dim = -5, n_pairs = -5;
    int64_t pos;
    int i;
    memset(&d, 0, sizeof d);
    memset(&rope, 0x11, sizeof rope);
    before = rope;
    d.scheme = some(&w->b, 0, LCTX_ROPE_SCHEME_COUNT - 1), d.pairing = some(&w->b, 0, 1);
    d.n_rot = bytes_flag(&w->b) ? 2 * (int32_t)bytes_in(&w->b, 1, 256) : bytes_int32(&w->b);
    d.no_truncate = bytes_flag(&w->b), d.theta = real(&w->b, 0), d.factor = real(&w->b, 4);
    d.orig_ctx = real(&w->b, 4096), d.ctx = real(&w->b, 0), d.beta_fast = real(&w->b, 0);
    d.beta_slow = real(&w->b, 0), d.attn_factor = real(&w->b, 0), d.mscale = real(&w->b, 0);
    d.mscale_all_dim = real(&w->b, 0), d.low_freq = real(&w->b, 0), d.high_freq = real(&w->b, 0);
    d.short_mscale = real(&w->b, 0), d.long_mscale = real(&w->b, 0), d.n_hat = many(&w->b, 0);
    d.xpos_base = real(&w->b, 0), d.xpos_center = many(&w->b, 0);
    d.n_freq = some(&w->b, 0, 0), d.n_short = some(&w->b, 0, 0), d.n_long = some(&w->b, 0, 0);
    for (i = 0; i < LCTX_MAX_ROT / 2; i++)
        lists[0][i] = lists[1][i] = lists[2][i] = 1 + 0.1 * i;
    lists[bytes_in(&w->b, 0, 2)][bytes_in(&w->b, 0, 7)] = real(&w->b, 1);
    d.freq = lists[0], d.short_factor = lists[1], d.long_factor = lists[2];
    st = lctx_rope_init(&rope, &d);
    fuzz_say("scheme %d, n_rot %d, theta %g, factor %g: %s", d.scheme, d.n_rot, d.theta, d.factor,
             lctx_status_text(st));
    if (st) FUZZ_CHECK(!memcmp(&rope, &before, sizeof rope), "written though refused");
    else {
        FUZZ_CHECK(rope.n_rot == d.n_rot && d.n_rot >= 2 && d.n_rot <= LCTX_MAX_ROT &&
                   d.n_rot % 2 == 0, "n_rot %d", rope.n_rot);
        FUZZ_CHECK(isfinite(rope.attn_factor) && isfinite(rope.scale_mul), "factors %g %g",
                   rope.attn_factor, rope.scale_mul);
        for (i = 0; i < d.n_rot / 2; i++)
            FUZZ_CHECK(isfinite(rope.freq[i]), "frequency %d is %g", i, rope.freq[i]);
        pos = many(&w->b, 65535);
        st = lctx_rope_cos_sin(&rope, pos, cos_sin[0], cos_sin[1]);
        FUZZ_CHECK(!st == (pos >= 0 && pos < (int64_t)1 << 48), "position %lld: %s", (long long)pos,
                   lctx_status_text(st));
        for (i = 0; !st && i < d.n_rot / 2; i++)
            FUZZ_CHECK(!isnan(cos_sin[0][i]) && !isnan(cos_sin[1][i]), "angle %d", i);
        st = lctx_rope_xpos(&rope, (lctx_rope_side)some(&w->b, 0, 1), pos, growth);
        for (i = 0; !st && i < d.n_rot / 2; i++)
            FUZZ_CHECK(growth[i] > 0 && isfinite(growth[i]), "growth %g", (double)growth[i]);
        st = lctx_rope_incomplete(&rope, d.ctx, &n_pairs, waves);
        FUZZ_CHECK(st || (n_pairs >= 0 && n_pairs <= d.n_rot / 2), "%d pairs", n_pairs);
    }
    st = lctx_rope_critical_dim(d.n_rot, d.theta, d.orig_ctx, &dim);
    FUZZ_CHECK(st ? dim == -5 : dim >= 0 && dim <= d.n_rot, "dim %d", dim);
    st = lctx_rope_reach(d.n_rot, d.theta, d.orig_ctx, real(&w->b, 0), &ctx);
    FUZZ_CHECK(st || ctx > 0, "reach %g", ctx);
    theta[0] = theta[1] = theta[2] = 1;
    st = lctx_rope_advise(d.n_rot, d.theta, d.orig_ctx, real(&w->b, 8192), &theta[0], &theta[1],
                          &theta[2]);
    FUZZ_CHECK(st || (theta[0] > 1 && theta[1] >= 1 && !isnan(theta[2])), "advice %g %g %g",
               theta[0], theta[1], theta[2]);
    st = lctx_rope_small_thetas(d.orig_ctx, theta);
    FUZZ_CHECK(st || (theta[0] > theta[1] && theta[1] > theta[2]), "thetas");
}

/* ---- models and sessions: checks alone, as the weights are not there */
/* Without arrays a call gets as far as its sizes. */
static void try_recur(world *w)
{
    lctx_recurrence r;
    lctx_convolution c;
    lctx_snapshots s;
    lctx_parallel one;
    lctx_status st;
    size_t got = 77;
    float slot = 0;
    memset(&r, 0, sizeof r);
    memset(&c, 0, sizeof c);
    memset(&s, 0, sizeof s);
    memset(&one, 0, sizeof one);
    one.n_threads = some(&w->b, 1, 64), r.par = c.par = &one;
    s.before = many(&w->b, 255), s.every = many(&w->b, 63), s.n = many(&w->b, 63), s.slots = &slot;
    if (bytes_flag(&w->b)) r.snapshots = c.snapshots = &s;
    r.n = many(&w->b, 255), r.n_head = some(&w->b, 1, 64), r.n_head_k = some(&w->b, 0, 8);
    r.d_k = some(&w->b, 1, 256), r.d_v = some(&w->b, 0, 256);
    r.decay_kind = some(&w->b, 0, LCTX_DECAY_COUNT), r.scale = (float)real(&w->b, 1);
    r.q_token = many(&w->b, 0), r.k_head = many(&w->b, 0), r.decay_token = many(&w->b, 0);
    r.y_token = many(&w->b, 0), r.state_head = many(&w->b, 0), r.state_k = many(&w->b, 0);
    r.state_v = many(&w->b, 0), r.beta_token = many(&w->b, 0), r.bonus_head = many(&w->b, 0);
    st = lctx_recur_size(&r, &got);
    if (st) FUZZ_CHECK(got == 77, "written though refused");
    else {
        const double d = r.d_k, pad = ceil(d / 16) * 16;
        FUZZ_CHECK(r.n >= 0 && r.n_head >= 1 && r.d_k >= 1 && r.d_v >= 0 && one.n_threads >= 0,
                   "taken");
        FUZZ_CHECK(!one.n_threads || fabs((double)got - (one.n_threads * (512 * d + 8 * pad) + 64))
                   <= 1e-9 * (double)got, "%zu bytes for %d threads of %d", got, one.n_threads,
                   r.d_k);
    }
    st = lctx_recur(&r, NULL, 0);
    FUZZ_CHECK(st || r.n == 0, "taken without arrays");
    c.n = many(&w->b, 255), c.n_channel = some(&w->b, 1, 256), c.taps = some(&w->b, 1, 16);
    c.x_token = many(&w->b, 0), c.y_token = many(&w->b, 0), c.state_tap = many(&w->b, 0);
    FUZZ_CHECK(lctx_convolve(&c), "a convolution without arrays");
}

static void try_model(world *w)
{
    static const float weights[1 << 12];
    lctx_layer layer;
    lctx_model m;
    lctx_session_desc d;
    lctx_session *s = NULL;
    lctx_pattern pattern;
    lctx_tensor *all[20];
    lctx_status st;
    int i;
    memset(&layer, 0, sizeof layer);
    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    memset(&pattern, 0, sizeof pattern);
    all[0] = &layer.attn_norm, all[1] = &layer.ffn_norm, all[2] = &layer.wq, all[3] = &layer.wk;
    all[4] = &layer.wv, all[5] = &layer.wo, all[6] = &layer.w_gate, all[7] = &layer.w_up;
    all[8] = &layer.w_down, all[9] = &layer.bq, all[10] = &layer.q_norm, all[11] = &m.tok_embd;
    all[12] = &m.output_norm, all[13] = &m.output;
    all[14] = &layer.router, all[15] = &layer.shared_gate, all[16] = &layer.shared_up;
    all[17] = &layer.shared_down, all[18] = &layer.shared_router, all[19] = &layer.attn_gate;
    for (i = 0; i < 20; i++) all[i]->data = weights;
    i = (int)bytes_in(&w->b, 0, 19);
    if (bytes_rarely(&w->b, 4)) all[i]->data = NULL;
    if (bytes_rarely(&w->b, 4)) all[i]->type = bytes_int32(&w->b);
    if (bytes_rarely(&w->b, 4)) all[i]->scale = weights;
    m.n_layer = bytes_rarely(&w->b, 4) ? -(int32_t)bytes_in(&w->b, 0, 255) : 1, m.layers = &layer;
    m.n_head = some(&w->b, 1, 4), m.n_head_kv = some(&w->b, 1, 2), m.head_dim = some(&w->b, 0, 16);
    m.d_model = some(&w->b, 1, 32), m.d_ff = some(&w->b, 1, 32), m.n_vocab = some(&w->b, 1, 99);
    m.norm_eps = (float)real(&w->b, 0), m.embd_scale = (float)real(&w->b, 0);
    m.attn_scale = (float)real(&w->b, 0), m.softcap = (float)real(&w->b, 0);
    m.logit_softcap = (float)real(&w->b, 0);
    layer.window = many(&w->b, 9);
    layer.n_expert = some(&w->b, 0, 9), layer.n_expert_used = some(&w->b, 0, 2);
    layer.d_ff = some(&w->b, 0, 64), layer.d_ff_shared = some(&w->b, 0, 64);
    layer.routing = some(&w->b, 0, 2), layer.activation = some(&w->b, 0, 3);
    layer.q_scale = (float)real(&w->b, 0), layer.q_scale_offset = (float)real(&w->b, 0);
    layer.q_scale_length = many(&w->b, 9);
    if (bytes_rarely(&w->b, 4)) layer.pattern = &pattern;
    pattern.kind = some(&w->b, 0, 4), pattern.length = many(&w->b, 99);
    pattern.dilation = some(&w->b, 1, 9), pattern.n_global = many(&w->b, 3);
    pattern.global0 = many(&w->b, 9), pattern.back = many(&w->b, 2), pattern.local = many(&w->b, 9);
    (void)lctx_model_check(&m);
    d.k_type = some(&w->b, 0, LCTX_I4), d.v_type = some(&w->b, 0, LCTX_I4);
    d.policy = some(&w->b, 0, 3), d.n_sink = some(&w->b, 0, 9), d.window = many(&w->b, 99);
    d.n_heavy = many(&w->b, 9), d.max_tokens = many(&w->b, 9),
    d.block = (int32_t)(64 * (int64_t)some(&w->b, 0, 3));
    d.chunk = some(&w->b, 0, 300), d.raw_keys = bytes_flag(&w->b), d.alloc = &w->alloc;
    st = lctx_session_create(&m, &d, &s);
    FUZZ_CHECK(!st == (s != NULL), "create: %s", lctx_status_text(st));
    lctx_session_free(s);
}

/* ---- the rest */
static void try_ground(world *w)
{
    const int32_t type = some(&w->b, 0, LCTX_I4);
    const int64_t n = bytes_rarely(&w->b, 3) ? bytes_int(&w->b) : bytes_in(&w->b, 0, 63);
    float x[64], back[64], scale = 1;
    char to[256];
    lctx_status st;
    int i;
    for (i = 0; i < 64; i++) x[i] = (float)bytes_real(&w->b);
    if (n > 64) return;
    st = lctx_from_f32((lctx_type)type, n, x, to, &scale);
    FUZZ_CHECK(!st == (n >= 0 && type >= 0 && type < LCTX_I4), "from f32: %s",
               lctx_status_text(st));
    if (st) return;
    FUZZ_CHECK(lctx_to_f32((lctx_type)type, n, to, &scale, back) == LCTX_OK, "to f32");
    for (i = 0; i < n; i++) {
        if (type == LCTX_I8 && !isfinite(scale)) { FUZZ_CHECK(isnan(scale), "scale"); break; }
        if (isnan(x[i])) FUZZ_CHECK(isnan(back[i]), "a NaN is lost");
        else if (type == LCTX_F32) FUZZ_CHECK(back[i] == x[i], "f32");
        else if (type == LCTX_BF16 && fabsf(x[i]) < 1e38f && fabsf(x[i]) > 1e-30f)
            FUZZ_CHECK(fabsf(back[i] - x[i]) <= fabsf(x[i]) / 256, "bf16");
        else if (type == LCTX_F16 && fabsf(x[i]) < 65504)
            FUZZ_CHECK(fabsf(back[i] - x[i]) <= fabsf(x[i]) / 2048 + 3e-8f, "f16");
        else if (type == LCTX_I8)      /* half a step, and 127 times what the scale is off by */
            FUZZ_CHECK((double)fabsf(back[i] - x[i]) <= (double)scale * 0.51 + ldexp(127, -150),
                       "int8: %g, not %g by %g", (double)back[i], (double)x[i], (double)scale);
    }
}

static void try_pool(world *w)
{
    lctx_pool_desc d;
    lctx_pool *pool = NULL;
    lctx_pool_info x;
    lctx_allocator a;
    void *piece[16];
    size_t size[16];
    lctx_status st;
    int i;
    memset(&d, 0, sizeof d);
    memset(piece, 0, sizeof piece);
    d.max_bytes = many(&w->b, 65535), d.alloc = &w->alloc;
    st = lctx_pool_create(&d, &pool);
    FUZZ_CHECK(!st == (pool != NULL), "create: %s", lctx_status_text(st));
    if (st) return;
    FUZZ_CHECK(lctx_pool_allocator(pool, &a) == LCTX_OK, "allocator");
    while (bytes_left(&w->b)) {
        i = (int)bytes_in(&w->b, 0, 15);
        if (piece[i]) {
            a.free(a.user, piece[i], size[i]);
            piece[i] = NULL;
        } else {
            const int64_t n = many(&w->b, 4095);
            size[i] = (size_t)n;
            piece[i] = a.alloc(a.user, size[i], 64);
            if (piece[i]) {
                FUZZ_CHECK((uintptr_t)piece[i] % 64 == 0, "not aligned");
                memset(piece[i], i, size[i] > 4096 ? 4096 : size[i]);
                FUZZ_CHECK(!d.max_bytes || n <= d.max_bytes, "%lld of %lld bytes", (long long)n,
                           (long long)d.max_bytes);
            }
        }
        if (bytes_rarely(&w->b, 16)) FUZZ_CHECK(lctx_pool_trim(pool) == LCTX_OK, "trim");
        FUZZ_CHECK(lctx_pool_get_info(pool, &x) == LCTX_OK, "info");
        FUZZ_CHECK(!d.max_bytes || x.bytes_used + x.bytes_spare <= d.max_bytes,
                   "%lld + %lld of %lld", (long long)x.bytes_used, (long long)x.bytes_spare,
                   (long long)d.max_bytes);
        FUZZ_CHECK(x.bytes_peak >= x.bytes_used && x.bytes_spare >= 0 && x.n_used >= 0, "info");
    }
    for (i = 0; i < 16; i++) if (piece[i]) a.free(a.user, piece[i], size[i]);
    FUZZ_CHECK(lctx_pool_free(pool) == LCTX_OK, "free");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w;
    memset(&w, 0, sizeof w);
    w.b = bytes_of(data, size);
    w.alloc = fuzz_allocator(&w.memory);
    w.memory.most = LEND;
    switch (bytes_in(&w.b, 0, 8)) {
    case 0: try_tiles(&w); break;
    case 1: case 2: try_cache(&w); break;
    case 3: case 4: try_rope(&w); break;
    case 5: try_model(&w); break;
    case 6: try_ground(&w); break;
    case 7: try_recur(&w); break;
    default: try_pool(&w); break;
    }
    FUZZ_CHECK(w.memory.pieces == 0 && w.memory.bytes == 0, "%lld pieces leak",
               (long long)w.memory.pieces);
    return 0;
}
