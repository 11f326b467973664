/* fuzz_session.c - sequences of calls on sessions over a tiny model, each beside the list of tokens
   that it was fed. Logits must be those of a session that was fed the same tokens at once, bit by
   bit; and after a feed that failed or was cancelled all must be as before. */
#include "tiny.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 300, SESSIONS = 3, STEPS = 16 };

typedef struct seat {
    lctx_session *s;
    int32_t tokens[MOST];
    int64_t n, before;           /* before the last feed */
} seat;

typedef struct world {
    bytes b;
    tiny t;
    fuzz_memory memory;
    fuzz_stop stop;
    lctx_pool *pool;
    lctx_allocator alloc;
    seat at[SESSIONS];
    seat *p;                     /* the one in hand */
    void *pages[STEPS];          /* that sessions may be in */
    int n_pages;
} world;

/* Does what stays depend on when it was fed? */
static int by_chunks(const world *w) { return w->t.desc.policy == LCTX_HEAVY; }

static lctx_session_info info_of(const seat *p)
{
    lctx_session_info x;
    FUZZ_CHECK(lctx_session_get_info(p->s, &x) == LCTX_OK, "info");
    FUZZ_CHECK(x.n == p->n, "n %lld, not %lld", (long long)x.n, (long long)p->n);
    FUZZ_CHECK(x.rewind_min >= 0 && x.rewind_min <= x.n && x.n_dropped >= 0 && x.n_dropped <= x.n,
               "rewind_min %lld, dropped %lld of %lld", (long long)x.rewind_min,
               (long long)x.n_dropped, (long long)x.n);
    return x;
}

/* How forks would go on, by the last of some tokens' logits, from the end and from before the last
   feed: under HEAVY far enough for a choice of what stays. A save also writes rows that were
   forgotten, so its bytes do not tell. */
typedef struct probe {
    lctx_status st[2];
    lctx_session_info info;
    float logits[2][TINY_VOCAB];
} probe;

static probe probe_of(world *w, const seat *p)
{
    const int64_t fail_at = w->memory.fail_at, stop_at = w->stop.at, n = by_chunks(w) ? 80 : 2;
    lctx_session *fork = NULL;
    int32_t tokens[80];
    probe x;
    int i;
    memset(&x, 0, sizeof x);
    w->memory.fail_at = w->stop.at = 0;
    for (i = 0; i < 80; i++) tokens[i] = (i * 7 + 3) % TINY_SOUND;
    x.info = info_of(p), x.info.scratch_bytes = 0;
    memset(&x.info.refused, 0, sizeof x.info.refused);
    for (i = 0; i < 2; i++, fork = NULL) {
        x.st[i] = lctx_session_fork(p->s, &fork);
        if (!x.st[i] && i) x.st[i] = lctx_session_rewind(fork, p->before);
        if (!x.st[i]) x.st[i] = lctx_session_feed(fork, tokens, n, LCTX_LOGITS_LAST, x.logits[i]);
        if (x.st[i]) memset(x.logits[i], 0, sizeof x.logits[i]);
        lctx_session_free(fork);
    }
    w->memory.fail_at = fail_at, w->stop.at = stop_at;
    return x;
}

/* Is all as it was? A pool may have memory at one time and not at another. */
static void as_before(world *w, const seat *p, const probe *before, const char *what)
{
    const probe now = probe_of(w, p);
    int i;
    const int snapshots = w->t.mixes && w->t.desc.state_every;      /* may be lost: see rewind */
    probe was = *before;
    if (snapshots && now.info.rewind_min > was.info.rewind_min)
        was.info.rewind_min = now.info.rewind_min;
    FUZZ_CHECK(!memcmp(&now.info, &was.info, sizeof now.info), "info changed by %s", what);
    for (i = 0; i < 2 - snapshots; i++) {
        if (w->pool && (now.st[i] || before->st[i])) continue;
        FUZZ_CHECK(now.st[i] == before->st[i], "after %s it goes on with: %s, not %s", what,
                   lctx_status_text(now.st[i]), lctx_status_text(before->st[i]));
        FUZZ_CHECK(!memcmp(now.logits[i], before->logits[i], sizeof now.logits[i]),
                   "after %s it goes on with other bits%s", what,
                   i ? " from before the last feed" : "");
    }
}

static int create(world *w, seat *p)
{
    const lctx_status st = lctx_session_create(&w->t.model, &w->t.desc, &p->s);
    p->n = p->before = 0;
    FUZZ_CHECK(!st == (p->s != NULL), "create: %s", lctx_status_text(st));
    return !st;
}

/* The logits after the last of n tokens of a session that is fed them all at once. */
static lctx_status fresh_logits(const world *w, const seat *p, int32_t chunk, float *logits)
{
    lctx_session_desc d = w->t.desc;
    lctx_session *s = NULL;
    lctx_status st;
    d.alloc = NULL, d.progress = NULL, d.chunk = chunk, d.max_tokens = 0;
    st = lctx_session_create(&w->t.model, &d, &s);
    FUZZ_CHECK(st == LCTX_OK, "a fresh one: %s", lctx_status_text(st));
    st = lctx_session_feed(s, p->tokens, p->n, LCTX_LOGITS_LAST, logits);
    lctx_session_free(s);
    return st;
}

static void check_logits(world *w, const seat *p, const float *logits)
{
    static const int32_t chunks[] = { 0, 1, 7, 64 };
    float want[TINY_VOCAB];
    const lctx_status st = fresh_logits(w, p, chunks[bytes_in(&w->b, 0, 3)], want);
    int i;
    for (i = 0; i < TINY_VOCAB; i++) FUZZ_CHECK(isfinite(logits[i]), "a logit is not finite");
    if (by_chunks(w)) return;
    FUZZ_CHECK(st == LCTX_OK, "feed at once: %s", lctx_status_text(st));
    FUZZ_CHECK(!memcmp(logits, want, sizeof want), "other bits than all tokens at once give: %g, "
               "not %g", (double)logits[0], (double)want[0]);
}

static void do_feed(world *w)
{
    static const int64_t sizes[] = { 1, 1, 1, 2, 7, 63, 64, 65 };
    static float logits[MOST * TINY_VOCAB];
    seat *p = w->p;
    const int pick = (int)bytes_in(&w->b, 0, 15);
    const int64_t n = pick < 8 ? sizes[pick] : bytes_in(&w->b, 1, 255);
    const lctx_logits which = (lctx_logits)bytes_in(&w->b, 0, LCTX_LOGITS_COUNT - 1);
    const int bad = bytes_rarely(&w->b, 8), check = bytes_flag(&w->b);
    const uint64_t seed = bytes_take(&w->b, 1);
    int may_fail = bad;
    probe before;
    lctx_status st;
    int64_t i;
    if (n > MOST - p->n) return;
    for (i = 0; i < n; i++)
        p->tokens[p->n + i] = (int32_t)(fuzz_hash(seed, 1, (uint64_t)i) % TINY_SOUND);
    if (bad) p->tokens[p->n + (int64_t)(seed % (uint64_t)n)] = TINY_VOCAB - bytes_flag(&w->b);
    w->stop.calls = 0, w->stop.at = bytes_rarely(&w->b, 4) ? bytes_in(&w->b, 1, 4) : 0;
    may_fail |= w->stop.at || w->memory.fail_at || w->pool || w->t.desc.max_tokens;
    if (may_fail) before = probe_of(w, p);
    st = lctx_session_feed(p->s, p->tokens + p->n, n, which, logits);
    fuzz_say("feed %lld: %s", (long long)n, lctx_status_text(st));
    if (st) {
        FUZZ_CHECK(may_fail, "feed: %s", lctx_status_text(st));
        as_before(w, p, &before, lctx_status_text(st));
        return;
    }
    p->before = p->n, p->n += n;
    if (which == LCTX_LOGITS_LAST && check) check_logits(w, p, logits);
    if (which == LCTX_LOGITS_ALL && check) check_logits(w, p, logits + (n - 1) * TINY_VOCAB);
}

static void do_rewind(world *w)
{
    seat *p = w->p;
    const lctx_session_info x = info_of(p);
    const int kind = (int)bytes_in(&w->b, 0, 7);
    const int64_t n = kind < 3 ? x.rewind_min : kind == 3 ? p->n : kind == 4 ? 0 :
                      p->n - bytes_in(&w->b, 0, 255);
    const int64_t every = w->t.desc.state_every;
    const probe before = probe_of(w, p);
    const lctx_status st = lctx_session_rewind(p->s, n);
    fuzz_say("rewind %lld to %lld: %s", (long long)p->n, (long long)n, lctx_status_text(st));
    if (!st) p->n = n, p->before = n < p->before ? n : p->before;
    if (!st) return;
    FUZZ_CHECK(n < 0 ? st == LCTX_E_POS : st == LCTX_E_EVICTED && n > 0 &&
               (n < x.rewind_min || (w->t.mixes && (!every || n % every))),
               "rewind to %lld of %lld: %s", (long long)n, (long long)x.rewind_min,
               lctx_status_text(st));
    as_before(w, p, &before, "a rewind that failed");
}

static seat *place(world *w)
{
    seat *p = &w->at[bytes_in(&w->b, 0, SESSIONS - 1)];
    if (p == w->p) return NULL;
    lctx_session_free(p->s);
    p->s = NULL;
    return p;
}

/* A copy goes on with the same bits; both are forked first, so that neither moves. */
static void check_same(world *w, seat *a, seat *b)
{
    float x[TINY_VOCAB], y[TINY_VOCAB];
    const int32_t token = (int32_t)bytes_in(&w->b, 0, TINY_SOUND - 1);
    lctx_session *one = NULL, *two = NULL;
    const lctx_session_info p = info_of(a), q = info_of(b);
    lctx_status st, su;
    FUZZ_CHECK(p.n == q.n && p.n_dropped == q.n_dropped &&
               (p.rewind_min == q.rewind_min || (w->t.mixes && p.rewind_min < q.rewind_min)) &&
               p.cache_bytes == q.cache_bytes, "info of a copy");
    w->stop.at = 0;
    if (lctx_session_fork(a->s, &one) || lctx_session_fork(b->s, &two)) {
        FUZZ_CHECK(w->pool != NULL, "fork");
        lctx_session_free(one);
        return;
    }
    st = lctx_session_feed(one, &token, 1, LCTX_LOGITS_LAST, x);
    su = lctx_session_feed(two, &token, 1, LCTX_LOGITS_LAST, y);
    FUZZ_CHECK(st == su || w->pool, "copies: %s, %s", lctx_status_text(st), lctx_status_text(su));
    FUZZ_CHECK(st || su || !memcmp(x, y, sizeof x), "a copy goes on with other bits");
    lctx_session_free(one);
    lctx_session_free(two);
}

static void do_fork(world *w)
{
    seat *p = place(w);
    lctx_status st;
    if (!p) return;
    st = lctx_session_fork(w->p->s, &p->s);
    fuzz_say("fork: %s", lctx_status_text(st));
    w->memory.fail_at = 0;
    FUZZ_CHECK(!st ? p->s != NULL : st == LCTX_E_MEMORY && !p->s, "fork: %s", lctx_status_text(st));
    if (st) return;
    memcpy(p->tokens, w->p->tokens, sizeof p->tokens);
    p->n = w->p->n, p->before = w->p->before;
    check_same(w, w->p, p);
}

static void do_restore(world *w)
{
    seat *p = &w->at[bytes_in(&w->b, 0, SESSIONS - 1)];
    fuzz_stream stream;
    probe before;
    lctx_status st;
    if (p == w->p || !p->s) return;
    memset(&stream, 0, sizeof stream);
    stream.most = (size_t)bytes_rarely(&w->b, 8) * (size_t)bytes_take(&w->b, 2);
    before = probe_of(w, p);
    st = lctx_session_save(w->p->s, fuzz_write, &stream);
    FUZZ_CHECK(st == LCTX_OK || (st == LCTX_E_IO && stream.most), "save: %s", lctx_status_text(st));
    st = lctx_session_restore(p->s, fuzz_read, &stream);
    fuzz_say("restore: %s", lctx_status_text(st));
    w->memory.fail_at = 0;
    if (st) {
        FUZZ_CHECK(stream.most || st == LCTX_E_MEMORY, "restore: %s", lctx_status_text(st));
        as_before(w, p, &before, "a restore that failed");
    } else {
        memcpy(p->tokens, w->p->tokens, sizeof p->tokens);
        p->n = w->p->n, p->before = w->p->before;
        check_same(w, w->p, p);
    }
    fuzz_stream_free(&stream);
}

/* A session over mixers of another shape refuses the states of the one in hand by name. */
static void do_mismatch(world *w)
{
    lctx_layer layers[TINY_LAYERS];
    lctx_mixer mixers[TINY_LAYERS];
    lctx_session_desc d = w->t.desc;
    lctx_model m = w->t.model;
    lctx_session *s = NULL;
    lctx_session_info info;
    fuzz_stream stream;
    lctx_status st;
    int i;
    if (!w->t.mixes) return;
    memcpy(layers, w->t.layers, sizeof layers), memcpy(mixers, w->t.mixers, sizeof mixers);
    for (i = 0; i < TINY_LAYERS; i++) {
        mixers[i].d_k = w->t.mixers[i].d_v, mixers[i].d_v = w->t.mixers[i].d_k;
        if (layers[i].mixer) layers[i].mixer = &mixers[i];
    }
    m.layers = layers, d.alloc = NULL, d.progress = NULL;
    memset(&stream, 0, sizeof stream);
    FUZZ_CHECK(lctx_session_create(&m, &d, &s) == LCTX_OK, "mixers turned");
    FUZZ_CHECK(lctx_session_save(w->p->s, fuzz_write, &stream) == LCTX_OK, "save");
    st = lctx_session_restore(s, fuzz_read, &stream);
    FUZZ_CHECK(lctx_session_get_info(s, &info) == LCTX_OK && st == LCTX_E_MISMATCH && !info.n &&
               info.refused.field && !strcmp(info.refused.field, "layers"),
               "states of another shape: %s", lctx_status_text(st));
    lctx_session_free(s);
    fuzz_stream_free(&stream);
}

/* Pages of the tokens of the session in hand, of one that is fed them anew, `piece` at a time. */
static int64_t save_pages(const world *w, int64_t block, int64_t piece, size_t page_bytes,
                          char *pages)
{
    lctx_session_desc d = w->t.desc;
    lctx_session *s = NULL;
    const int64_t n = w->p->n;
    int64_t at, to, page = 0;
    lctx_status st;
    d.alloc = NULL, d.progress = NULL, d.max_tokens = 0;
    st = lctx_session_create(&w->t.model, &d, &s);
    for (at = 0; !st && at < n; at = to) {
        to = at + piece < n ? at + piece : n;
        st = lctx_session_feed(s, w->p->tokens + at, to - at, LCTX_LOGITS_NONE, NULL);
        for (; !st && (page + 1) * block <= to; page++)
            st = lctx_session_page_save(s, page, pages + (size_t)page * page_bytes);
    }
    FUZZ_CHECK(!st, "pages: %s", lctx_status_text(st));
    FUZZ_CHECK(lctx_session_page_save(s, page, pages) == LCTX_E_POS, "a page that is not whole");
    lctx_session_free(s);
    return page;
}

/* Another session begins with pages of the one in hand, and has its bits; or, where bytes of them
   are other ones, ends well. */
static void do_pages(world *w)
{
    seat *p = place(w);
    const int wild = bytes_flag(&w->b);
    const uint64_t seed = bytes_take(&w->b, 1);
    const int64_t block = w->t.desc.block, chunk = w->t.desc.chunk ? w->t.desc.chunk : 256;
    const int64_t piece = bytes_in(&w->b, 1, chunk);
    size_t page_bytes = 0, at;
    float got[TINY_VOCAB], want[TINY_VOCAB];
    lctx_status st;
    int64_t i, n;
    char *pages;
    if (!p || lctx_session_page_size(w->p->s, &page_bytes) || !create(w, p)) return;
    w->pages[w->n_pages++] = pages = (char *)malloc((MOST / 64 + 1) * page_bytes + 64);
    pages += (64 - (uintptr_t)pages % 64) % 64;
    n = save_pages(w, block, piece, page_bytes, pages);
    for (at = 0; wild && at < (size_t)n * page_bytes; at += 1 + fuzz_hash(seed, 2, at) % 99)
        pages[at] = (char)fuzz_hash(seed, 3, at);
    for (i = st = 0; !st && i < n; i++) {
        st = lctx_session_page_restore(p->s, i, pages + (size_t)i * page_bytes);
        fuzz_say("page %d: %s", (int)i, lctx_status_text(st));
        if (!st) p->n = (i + 1) * block;
        FUZZ_CHECK(!st || st == LCTX_E_MEMORY || st == LCTX_E_FULL, "page %d: %s", (int)i,
                   lctx_status_text(st));
        (void)info_of(p);
    }
    w->memory.fail_at = w->stop.at = 0;
    memcpy(p->tokens, w->p->tokens, sizeof p->tokens);
    p->before = p->n, p->tokens[p->n] = (int32_t)(seed % TINY_SOUND);
    st = lctx_session_feed(p->s, p->tokens + p->n, 1, LCTX_LOGITS_LAST, got);
    if (!st) p->n++;
    FUZZ_CHECK(!st || w->pool || w->t.desc.max_tokens || (wild && st == LCTX_E_NAN), "after pages: %s",
               lctx_status_text(st));
    if (!st && !wild && !fresh_logits(w, p, 0, want))
        FUZZ_CHECK(!memcmp(got, want, sizeof got), "pages go on with other bits");
    if (!wild) return;
    lctx_session_free(p->s);
    p->s = NULL;
}

static int begin_world(world *w)
{
    lctx_pool_desc pool;
    w->alloc = fuzz_allocator(&w->memory);
    tiny_begin(&w->t, &w->b, &w->alloc);
    if (bytes_rarely(&w->b, 4)) {
        memset(&pool, 0, sizeof pool);
        pool.alloc = &w->alloc, pool.max_bytes = bytes_in(&w->b, 0, 1 << 21);
        if (lctx_pool_create(&pool, &w->pool) != LCTX_OK) return 0;
        FUZZ_CHECK(lctx_pool_allocator(w->pool, &w->alloc) == LCTX_OK, "pool");
    }
    w->t.desc.progress = fuzz_progress, w->t.desc.progress_user = &w->stop;
    w->p = &w->at[0];
    return create(w, w->p);
}

static void step(world *w)
{
    switch (bytes_in(&w->b, 0, 15)) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6: do_feed(w); break;
    case 7: case 8: case 9: do_rewind(w); break;
    case 10: do_fork(w); break;
    case 11: do_restore(w), do_mismatch(w); break;
    case 15: do_pages(w); break;
    case 12: case 13: {
        seat *p = &w->at[bytes_in(&w->b, 0, SESSIONS - 1)];
        if (p->s || create(w, p)) w->p = p;
        break;
    }
    default:
        w->memory.fail_at = bytes_in(&w->b, 1, 12);
        return;                        /* the next call meets the failure */
    }
    w->memory.fail_at = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    int i, ok;
    memset(&w, 0, sizeof w);
    w.b = bytes_of(data, size);
    ok = begin_world(&w);
    for (i = 0; ok && i < STEPS && bytes_left(&w.b); i++) {
        step(&w);
        (void)info_of(w.p);
    }
    for (i = 0; i < SESSIONS; i++) lctx_session_free(w.at[i].s);
    while (w.n_pages) free(w.pages[--w.n_pages]);
    FUZZ_CHECK(lctx_pool_free(w.pool) == LCTX_OK, "the pool is in use");
    FUZZ_CHECK(w.memory.pieces == 0 && w.memory.bytes == 0, "%lld pieces leak",
               (long long)w.memory.pieces);
    return 0;
}
