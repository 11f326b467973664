/* fuzz_threads.c - forks of one cache and of one session on several threads over one pool, each
   with its own random calls and random pauses, and a pool of threads under some of them. Made for
   the thread sanitizer. What a thread does depends on the input alone, so its results are those of
   the same calls made one thread after the other. */
#include "tiny.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../hooks.h"

enum { THREADS = 3, STEPS = 12, HEADS = 2, DIM = 8, SCRATCH = 1 << 19 };

typedef struct part {
    const uint8_t *data;
    size_t size;
    int who, pauses;
    lctx_cache *c;
    lctx_session *s;
    hook h;
    uint64_t sum;                /* of all results */
    char *scratch;
    int done;
} part;

static void add(part *p, const void *data, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) p->sum = (p->sum ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
}

static void append(part *p, uint64_t seed, int64_t n)
{
    float k[128 * HEADS * DIM], v[128 * HEADS * DIM];
    lctx_rows rows;
    lctx_status st;
    int64_t i;
    for (i = 0; i < n * HEADS * DIM; i++)
        k[i] = fuzz_uniform(seed, 1, (uint64_t)i), v[i] = fuzz_uniform(seed, 2, (uint64_t)i);
    memset(&rows, 0, sizeof rows);
    rows.n = n, rows.k = k, rows.v = v;
    st = lctx_cache_append(p->c, &rows);
    FUZZ_CHECK(st == LCTX_OK, "append: %s", lctx_status_text(st));
}

static void attend(part *p, int threads)
{
    float q[2 * HEADS * DIM], out[2 * HEADS * DIM];
    lctx_cache_info info;
    lctx_parallel par;
    lctx_attn a;
    lctx_status st;
    size_t need = 0;
    int i;
    for (i = 0; i < 2 * HEADS * DIM; i++) q[i] = fuzz_uniform(9, 0, (uint64_t)i);
    memset(&a, 0, sizeof a);
    par = hook_parallel(&p->h, threads > 1 ? HOOK_POOL : HOOK_SHUFFLED, threads);
    FUZZ_CHECK(lctx_cache_get_info(p->c, &info) == LCTX_OK, "info");
    a.n_q = 2, a.n_head = HEADS, a.q = a.q_far = q, a.out = out, a.par = &par, a.q_pos0 = info.n;
    st = lctx_cache_attend_size(p->c, &a, &need);
    FUZZ_CHECK(st == LCTX_OK && need <= SCRATCH, "size: %s", lctx_status_text(st));
    st = lctx_cache_attend(p->c, &a, p->scratch, need);
    FUZZ_CHECK(st == LCTX_OK, "attend: %s", lctx_status_text(st));
    add(p, out, sizeof out);
    add(p, &info.n, sizeof info.n);
}

static void pause_here(const part *p, bytes *b)
{
    int i;
    for (i = (int)bytes_take(b, 1) % 8; p->pauses && i > 0; i--) sched_yield();
}

static void feed(part *p, bytes *b)
{
    float logits[TINY_VOCAB];
    int32_t tokens[64];
    const int64_t n = bytes_in(b, 1, 64);
    int64_t i;
    for (i = 0; i < n; i++) tokens[i] = (int32_t)(fuzz_hash(4, 0, (uint64_t)i) % TINY_SOUND);
    if (lctx_session_feed(p->s, tokens, n, LCTX_LOGITS_LAST, logits) == LCTX_OK)
        add(p, logits, sizeof logits);
}

static void step(part *p, bytes *b, int i)
{
    lctx_cache *fork = NULL;
    lctx_session *other = NULL;
    lctx_cache_info info;
    switch (bytes_in(b, 0, 7)) {
    case 0: case 1: append(p, (uint64_t)(i + 100 * p->who), bytes_in(b, 1, 128)); break;
    case 2: attend(p, 1); break;
    case 3: attend(p, 2); break;
    case 4:
        FUZZ_CHECK(lctx_cache_get_info(p->c, &info) == LCTX_OK, "info");
        (void)lctx_cache_rewind(p->c, info.n - bytes_in(b, 0, 100));
        break;
    case 5:
        FUZZ_CHECK(lctx_cache_fork(p->c, &fork) == LCTX_OK, "fork");
        lctx_cache_free(p->c);
        p->c = fork;
        break;
    case 6: if (p->s) feed(p, b); break;
    default:
        if (!p->s || lctx_session_fork(p->s, &other)) break;
        lctx_session_free(p->s);
        p->s = other;
        break;
    }
}

static void *work(void *user)
{
    part *p = (part *)user;
    bytes b = bytes_of(p->data, p->size);
    int i;
    for (i = 0; i < p->who * 7; i++) (void)bytes_take(&b, 1);      /* each begins elsewhere */
    for (i = 0; i < STEPS; i++) {
        pause_here(p, &b);
        step(p, &b, i);
    }
    lctx_cache_free(p->c);
    lctx_session_free(p->s);
    p->done = 1;
    return NULL;
}

/* Forks of a beginning, one a thread. */
static void begin(part *parts, const tiny *t, lctx_allocator *alloc, bytes b)
{
    static char scratch[THREADS][SCRATCH];
    lctx_cache_desc d;
    lctx_session *s = NULL;
    part first;
    int i;
    memset(&d, 0, sizeof d);
    memset(&first, 0, sizeof first);
    d.n_head_kv = HEADS, d.d_k = d.d_v = DIM, d.block = 64, d.alloc = alloc;
    d.k_type = (int32_t)bytes_in(&b, 0, LCTX_I4), d.v_type = (int32_t)bytes_in(&b, 0, LCTX_I4);
    d.policy = (int32_t)bytes_in(&b, 0, LCTX_SINKS);
    if (d.policy != LCTX_FULL) d.window = bytes_in(&b, 1, 150);
    if (d.policy == LCTX_SINKS) d.n_sink = 4;
    FUZZ_CHECK(lctx_cache_create(&d, &first.c) == LCTX_OK, "create");
    append(&first, 1, bytes_in(&b, 1, 128));
    (void)lctx_session_create(&t->model, &t->desc, &s);
    first.s = s;
    if (s) feed(&first, &b);
    for (i = 0; i < THREADS; i++) {
        part *p = &parts[i];
        memset(p, 0, sizeof *p);
        p->data = b.at, p->size = bytes_left(&b), p->who = i, p->scratch = scratch[i];
        FUZZ_CHECK(lctx_cache_fork(first.c, &p->c) == LCTX_OK, "fork");
        if (s) FUZZ_CHECK(lctx_session_fork(s, &p->s) == LCTX_OK, "fork");
    }
    lctx_cache_free(first.c);
    lctx_session_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    part alone[THREADS], together[THREADS];
    lctx_pool_desc desc;
    fuzz_memory memory;
    lctx_allocator under, alloc;
    lctx_pool *pool = NULL;
    bytes b = bytes_of(data, size);
    static tiny t;
    int i;
    memset(&desc, 0, sizeof desc);
    memset(&memory, 0, sizeof memory);
    under = fuzz_allocator(&memory), desc.alloc = &under;
    FUZZ_CHECK(lctx_pool_create(&desc, &pool) == LCTX_OK, "pool");
    FUZZ_CHECK(lctx_pool_allocator(pool, &alloc) == LCTX_OK, "pool");
    tiny_begin(&t, &b, &alloc);
    begin(alone, &t, &alloc, b);
    for (i = 0; i < THREADS; i++) work(&alone[i]);
    begin(together, &t, &alloc, b);
    for (i = 0; i < THREADS; i++) together[i].pauses = 1;
    FUZZ_CHECK(hook_each(work, together, sizeof together[0], THREADS), "threads");
    for (i = 0; i < THREADS; i++)
        FUZZ_CHECK(together[i].done && together[i].sum == alone[i].sum,
                   "thread %d has other results than alone", i);
    FUZZ_CHECK(lctx_pool_free(pool) == LCTX_OK, "the pool is in use");
    FUZZ_CHECK(memory.pieces == 0 && memory.bytes == 0, "%lld pieces leak",
               (long long)memory.pieces);
    return 0;
}
