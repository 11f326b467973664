/* fuzz_restore.c - streams of caches and sessions that were spoilt and given right sums again, so
   that restoring must judge what they say. What it refuses changes nothing and takes memory only in
   proportion to the stream; what it takes must be usable. */
#include "fuzz.h"
#include "tiny.h"

#include <stdlib.h>
#include <string.h>

enum { HEADS = 2, DIM = 8, MOST = 400, SCRATCH = 1 << 21 };

typedef struct world {
    bytes b;
    lctx_cache_desc d;
    fuzz_memory memory;
    lctx_allocator alloc;
    uint32_t appends;
} world;

static char scratch[SCRATCH];

/* ---- sums. A stream is pieces as they were written; a piece of 8 bytes that is the sum of those
   before it, since the start or since one of the sums, is such a sum and made right again. */
static uint64_t sum_of(uint64_t sum, const uint8_t *data, size_t n)
{
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        sum = (sum ^ word) * 0x100000001b3u;
        sum ^= sum >> 29;
    }
    return sum;
}

enum { START = 1, SUM = 2 };       /* of a piece: a running sum begins with it; it is that sum */
static const uint64_t begin_sum = 0xcbf29ce484222325u;

typedef struct piece { size_t at, n; int kind; } piece;
typedef struct pieces { piece *p; size_t n; } pieces;

static pieces pieces_of(const fuzz_stream *s)
{
    pieces all;
    uint64_t sum = begin_sum, other = 0;     /* other: as if one began behind the last sum */
    size_t i, behind = 0;
    all.n = s->n_cut, all.p = (piece *)calloc(all.n + 1, sizeof *all.p);
    if (!all.p) abort();
    for (i = 0; i < all.n; i++) {
        piece *p = &all.p[i];
        p->at = s->cut[i], p->n = s->cut[i + 1] - s->cut[i];
        p->kind = i == 0 ? START : 0;
        if (behind && p->n == 8 && !memcmp(&other, s->data + p->at, 8))
            all.p[behind].kind |= START, sum = other;
        if (p->n == 8 && !memcmp(&sum, s->data + p->at, 8)) p->kind |= SUM;
        sum = sum_of(sum, s->data + p->at, p->n);
        other = sum_of(other, s->data + p->at, p->n);
        if (p->kind & SUM) behind = i + 1, other = begin_sum;
    }
    FUZZ_CHECK(all.n > 1 && all.p[all.n - 1].kind & SUM, "the stream does not end in its sum");
    return all;
}

static void spoil(bytes *b, fuzz_stream *s, pieces *all)
{
    const size_t i = (size_t)bytes_in(b, 0, 255) % all->n;
    piece *p = &all->p[i];
    size_t word, j;
    int64_t x;
    switch (bytes_in(b, 0, 7)) {
    case 0: case 1: case 2: case 3:           /* a word of a piece, mostly of a small one */
        word = (size_t)bytes_in(b, 0, 255);
        if (p->n < 8) return;
        word %= p->n / 8;
        x = bytes_int(b);
        if (bytes_flag(b)) {                  /* moved by a little */
            int64_t old;
            memcpy(&old, s->data + p->at + 8 * word, 8);
            x = (int64_t)((uint64_t)old + (uint64_t)(x % 130 - 65));
        }
        memcpy(s->data + p->at + 8 * word, &x, 8);
        fuzz_say("piece %zu (%zu bytes), word %zu: %lld", i, p->n, word, (long long)x);
        return;
    case 4:                                   /* anywhere, any byte */
        if (s->n) s->data[bytes_take(b, 4) % s->n] ^= (uint8_t)bytes_take(b, 1);
        return;
    case 5:                                   /* a piece less */
        memmove(p, p + 1, (all->n - i - 1) * sizeof *p);
        all->n--;
        fuzz_say("without piece %zu", i);
        return;
    case 6:                                   /* two change places */
        j = (size_t)bytes_in(b, 0, 255) % all->n;
        { const piece other = all->p[j]; all->p[j] = *p, *p = other; }
        fuzz_say("pieces %zu and %zu", i, j);
        return;
    default:                                  /* the end less */
        all->n = i;
        return;
    }
}

/* The stream of the pieces as they now are, with right sums. */
static fuzz_stream made_right(const fuzz_stream *s, const pieces *all)
{
    fuzz_stream to;
    uint64_t sum = begin_sum;
    size_t i;
    memset(&to, 0, sizeof to);
    for (i = 0; i < all->n; i++) {
        const piece *p = &all->p[i];
        if (p->kind & START) sum = begin_sum;
        fuzz_write(&to, p->kind & SUM ? (const uint8_t *)&sum : s->data + p->at, p->n);
        sum = sum_of(sum, to.data + to.n - p->n, p->n);
    }
    return to;
}

/* ---- caches */
static lctx_status append(world *w, lctx_cache *c, int64_t n)
{
    static float k[MOST * HEADS * DIM], v[MOST * HEADS * DIM];
    lctx_rows rows;
    int64_t i;
    w->appends++;
    for (i = 0; i < n * w->d.n_head_kv * w->d.d_k; i++)
        k[i] = fuzz_uniform(w->appends, 1, (uint64_t)i);
    for (i = 0; i < n * w->d.n_head_kv * w->d.d_v; i++)
        v[i] = fuzz_uniform(w->appends, 2, (uint64_t)i);
    memset(&rows, 0, sizeof rows);
    rows.n = n, rows.k = k, rows.v = w->d.latent ? NULL : v;
    return lctx_cache_append(c, &rows);
}

typedef struct result { lctx_status st; float out[2 * HEADS * DIM], lse[2 * HEADS]; } result;

static result attend(const world *w, lctx_cache *c, int64_t pos)
{
    static float q[2][2 * HEADS * DIM];
    lctx_attn a;
    result r;
    size_t need = 0;
    int i;
    memset(&a, 0, sizeof a);
    memset(&r, 0, sizeof r);
    for (i = 0; i < 2 * HEADS * DIM; i++)
        q[0][i] = fuzz_uniform(7, 1, (uint64_t)i), q[1][i] = fuzz_uniform(7, 2, (uint64_t)i);
    a.n_q = 2, a.n_head = w->d.n_head_kv, a.q = q[0], a.q_far = q[1], a.q_pos0 = pos;
    a.out = r.out, a.lse = r.lse;
    if ((r.st = lctx_cache_attend_size(c, &a, &need)) != LCTX_OK) return r;
    FUZZ_CHECK(need <= SCRATCH, "%zu bytes of scratch", need);
    r.st = lctx_cache_attend(c, &a, scratch + (SCRATCH - need), need);
    return r;
}

static lctx_cache_info info_of(const lctx_cache *c)
{
    lctx_cache_info x;
    FUZZ_CHECK(lctx_cache_get_info(c, &x) == LCTX_OK, "info");
    FUZZ_CHECK(x.n >= 0 && x.n_held >= 0 && x.n_dropped >= 0 && x.n_held + x.n_dropped == x.n,
               "%lld held, %lld dropped of %lld", (long long)x.n_held, (long long)x.n_dropped,
               (long long)x.n);
    FUZZ_CHECK(x.rewind_min >= 0 && x.rewind_min <= x.n, "rewind_min %lld of %lld",
               (long long)x.rewind_min, (long long)x.n);
    return x;
}

static fuzz_stream saved(const lctx_cache *c)
{
    fuzz_stream s;
    lctx_status st;
    memset(&s, 0, sizeof s);
    st = lctx_cache_save(c, fuzz_write, &s);
    FUZZ_CHECK(st == LCTX_OK, "save: %s", lctx_status_text(st));
    return s;
}

static lctx_cache *create(world *w)
{
    lctx_cache *c = NULL;
    const lctx_status st = lctx_cache_create(&w->d, &c);
    FUZZ_CHECK(st == LCTX_OK, "create: %s", lctx_status_text(st));
    return c;
}

/* One call on a cache, by choice; what it says does not matter. */
static void use(world *w, lctx_cache *c)
{
    const lctx_cache_info x = info_of(c);
    static float mass[HEADS * 2 * MOST];
    lctx_select s;
    int i;
    switch (bytes_in(&w->b, 0, 7)) {
    case 0: case 1: (void)append(w, c, bytes_in(&w->b, 0, 200)); break;
    case 2: (void)lctx_cache_rewind(c, x.rewind_min); break;
    case 3: (void)lctx_cache_rewind(c, x.n - bytes_in(&w->b, 0, 200)); break;
    case 4: (void)lctx_cache_drop(c, x.n - bytes_in(&w->b, 0, 300),
                                  x.n - bytes_in(&w->b, 0, 300)); break;
    case 5:
        memset(&s, 0, sizeof s);
        for (i = 0; i < HEADS * 2 * MOST; i++) mass[i] = (float)(i * 7 % 50);
        s.n_heavy = bytes_in(&w->b, 0, 100), s.window = bytes_in(&w->b, 0, 100);
        s.n_sink = (int32_t)bytes_in(&w->b, 0, 9);
        if (x.n_held <= 2 * MOST) s.mass = mass;
        (void)lctx_cache_select(c, &s);
        break;
    case 6: (void)lctx_cache_begin(c, 64 * bytes_in(&w->b, 0, 255)); break;
    default: (void)attend(w, c, x.n - bytes_in(&w->b, 0, 100)); break;
    }
}

/* A restored cache, a fork of it and its own copy by another stream do the same. */
static void use_restored(world *w, lctx_cache *c)
{
    lctx_cache *copy = create(w), *fork = NULL;
    fuzz_stream one = saved(c), two;
    lctx_span spans[8];
    int64_t n;
    int i;
    FUZZ_CHECK(lctx_cache_restore(copy, fuzz_read, &one) == LCTX_OK, "what was saved is refused");
    two = saved(copy);
    FUZZ_CHECK(one.n == two.n && !memcmp(one.data, two.data, one.n), "saved again, other bytes");
    FUZZ_CHECK(lctx_cache_fork(c, &fork) == LCTX_OK, "fork");
    for (i = 0; i < 8 && bytes_left(&w->b); i++) {
        const bytes here = w->b;
        const uint32_t appends = w->appends;
        result x, y, z;
        lctx_cache_info p, q;
        use(w, c);
        w->b = here, w->appends = appends, use(w, copy);
        w->b = here, w->appends = appends, use(w, fork);
        p = info_of(c), q = info_of(copy);
        FUZZ_CHECK(lctx_cache_spans(c, spans, 8, &n) == LCTX_OK, "spans");
        FUZZ_CHECK(p.n == q.n && p.n_held == q.n_held && p.rewind_min == q.rewind_min, "info");
        if (w->d.policy == LCTX_HEAVY) continue;
        x = attend(w, c, p.n), y = attend(w, copy, p.n), z = attend(w, fork, p.n);
        FUZZ_CHECK(!memcmp(&x, &y, sizeof x), "a copy has other bits");
        FUZZ_CHECK(!memcmp(&x, &z, sizeof x), "a fork has other bits");
    }
    fuzz_stream_free(&one);
    fuzz_stream_free(&two);
    lctx_cache_free(copy);
    lctx_cache_free(fork);
}

static void begin_desc(world *w)
{
    static const int32_t blocks[] = { 64, 128, 192, 0 };
    lctx_cache_desc *d = &w->d;
    int extras;
    d->n_head_kv = (int32_t)bytes_in(&w->b, 1, HEADS);
    d->d_k = (int32_t)bytes_in(&w->b, 1, DIM), d->d_v = (int32_t)bytes_in(&w->b, 1, DIM);
    d->k_type = (int32_t)bytes_in(&w->b, 0, LCTX_I4);
    d->v_type = (int32_t)bytes_in(&w->b, 0, LCTX_I4);
    d->policy = (int32_t)bytes_in(&w->b, 0, LCTX_POLICY_COUNT - 1);
    d->block = blocks[bytes_in(&w->b, 0, 3)];
    if (d->policy != LCTX_FULL) d->window = bytes_in(&w->b, 1, 200);
    if (d->policy == LCTX_SINKS || d->policy == LCTX_HEAVY)
        d->n_sink = (int32_t)bytes_in(&w->b, 1, 100);
    if (d->policy == LCTX_HEAVY) d->n_heavy = bytes_in(&w->b, 1, 100);
    extras = (int)bytes_in(&w->b, 0, 3);
    d->summaries = extras & 1, d->latent = extras >> 1;
    if (d->latent) {                          /* values are a part of keys, not of 4 bits */
        d->k_type = d->v_type = d->k_type % LCTX_I4;
        if (d->d_v > d->d_k) d->d_v = d->d_k;
    }
    d->alloc = &w->alloc;
}

/* What a block takes beside what the stream holds of it, twice, and what does not depend on it. */
static int64_t bound_of(const world *w, size_t n)
{
    const int64_t block = w->d.block ? w->d.block : 256;
    return 8 * (int64_t)n + 4 * block * HEADS * DIM * 16 + (64 << 10);
}

static void try_cache(world *w)
{
    lctx_cache *from, *to;
    fuzz_stream good, bad, after, before;
    pieces all;
    lctx_status st;
    int64_t had;
    int i, edits;
    begin_desc(w);
    from = create(w), to = create(w);
    for (i = (int)bytes_in(&w->b, 0, 6); i > 0; i--) use(w, from);
    for (i = (int)bytes_in(&w->b, 0, 2); i > 0; i--) use(w, to);
    good = saved(from);
    all = pieces_of(&good);
    edits = (int)bytes_in(&w->b, 0, 4);
    for (i = 0; i < edits && all.n; i++) spoil(&w->b, &good, &all);
    bad = made_right(&good, &all);
    before = saved(to);
    had = w->memory.bytes, w->memory.peak = had;
    st = lctx_cache_restore(to, fuzz_read, &bad);
    fuzz_say("restore of %zu bytes: %s, %lld bytes at once", bad.n, lctx_status_text(st),
             (long long)(w->memory.peak - had));
    FUZZ_CHECK(w->memory.peak - had <= bound_of(w, bad.n), "%zu bytes of stream take %lld", bad.n,
               (long long)(w->memory.peak - had));
    FUZZ_CHECK(edits || st == LCTX_OK, "what was saved is refused: %s", lctx_status_text(st));
    after = saved(to);
    if (st) FUZZ_CHECK(after.n == before.n && !memcmp(after.data, before.data, after.n),
                       "changed by a restore that failed");
    else use_restored(w, to);
    for (i = 0; i < 3 && bytes_left(&w->b); i++) use(w, to);
    fuzz_stream_free(&good);
    fuzz_stream_free(&bad);
    fuzz_stream_free(&before);
    fuzz_stream_free(&after);
    free(all.p);
    lctx_cache_free(from);
    lctx_cache_free(to);
}

/* ---- sessions */
static void try_session(world *w)
{
    tiny t;
    lctx_session *from = NULL, *to = NULL, *copy = NULL;
    fuzz_stream good, bad, again;
    pieces all;
    lctx_session_info x;
    lctx_status st;
    float one[TINY_VOCAB], two[TINY_VOCAB];
    int32_t tokens[256];
    int64_t had, n;
    int i, edits;
    tiny_begin(&t, &w->b, &w->alloc);
    if ((st = lctx_session_create(&t.model, &t.desc, &from)) != LCTX_OK) return;
    FUZZ_CHECK(lctx_session_create(&t.model, &t.desc, &to) == LCTX_OK, "a second one");
    FUZZ_CHECK(lctx_session_create(&t.model, &t.desc, &copy) == LCTX_OK, "a third one");
    for (i = 0; i < 256; i++) tokens[i] = (int32_t)(fuzz_hash(3, 0, (uint64_t)i) % TINY_SOUND);
    n = bytes_in(&w->b, 0, 100);
    if (n) (void)lctx_session_feed(from, tokens, n, LCTX_LOGITS_NONE, NULL);
    if (bytes_flag(&w->b)) (void)lctx_session_rewind(from, n - bytes_in(&w->b, 0, 255));
    memset(&good, 0, sizeof good);
    memset(&again, 0, sizeof again);
    FUZZ_CHECK(lctx_session_save(from, fuzz_write, &good) == LCTX_OK, "save");
    all = pieces_of(&good);
    edits = (int)bytes_in(&w->b, 0, 4);
    for (i = 0; i < edits && all.n; i++) spoil(&w->b, &good, &all);
    bad = made_right(&good, &all);
    had = w->memory.bytes, w->memory.peak = had;
    st = lctx_session_restore(to, fuzz_read, &bad);
    fuzz_say("restore of a session of %zu bytes: %s", bad.n, lctx_status_text(st));
    w->d.block = t.desc.block;
    FUZZ_CHECK(w->memory.peak - had <= TINY_LAYERS * bound_of(w, bad.n), "%zu bytes of stream take "
               "%lld", bad.n, (long long)(w->memory.peak - had));
    FUZZ_CHECK(edits || st == LCTX_OK, "what was saved is refused: %s", lctx_status_text(st));
    FUZZ_CHECK(lctx_session_get_info(to, &x) == LCTX_OK && (!st || x.n == 0), "info");
    if (!st) {
        FUZZ_CHECK(lctx_session_save(to, fuzz_write, &again) == LCTX_OK, "save again");
        st = lctx_session_restore(copy, fuzz_read, &again);
        FUZZ_CHECK(st == LCTX_OK, "what was saved again is refused: %s", lctx_status_text(st));
    }
    st = lctx_session_feed(to, tokens, 3, LCTX_LOGITS_LAST, one);
    FUZZ_CHECK(st == lctx_session_feed(copy, tokens, 3, LCTX_LOGITS_LAST, two), "feed");
    FUZZ_CHECK(st || !memcmp(one, two, sizeof one), "a copy has other bits");
    (void)lctx_session_rewind(to, x.n - bytes_in(&w->b, 0, 255));
    (void)lctx_session_feed(to, tokens, 70, LCTX_LOGITS_NONE, NULL);
    fuzz_stream_free(&good);
    fuzz_stream_free(&bad);
    fuzz_stream_free(&again);
    free(all.p);
    lctx_session_free(from);
    lctx_session_free(to);
    lctx_session_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w;
    memset(&w, 0, sizeof w);
    w.b = bytes_of(data, size);
    w.alloc = fuzz_allocator(&w.memory);
    if (bytes_in(&w.b, 0, 3) < 3) try_cache(&w);
    else try_session(&w);
    FUZZ_CHECK(w.memory.pieces == 0 && w.memory.bytes == 0, "%lld pieces leak",
               (long long)w.memory.pieces);
    return 0;
}
