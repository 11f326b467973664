/* test_threads.c - floor 0: threads of the library's own. A loop calls each task once, its thread
   numbers are one thread's at a time, nobody sleeps through a loop, wherever it is called from, and
   the bits do not depend on them. Where the library has no threads, what needs two of them is named
   as skipped. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"

#ifdef __GNUC__
#if HOOK_THREADS
#  include <sched.h>
#endif

enum { MOST = 16 };                /* threads */
static const int32_t counts[] = { 1, 2, 3, 7, MOST };
enum { N_COUNTS = sizeof counts / sizeof *counts };

static int quick(void) { return getenv("TEST_QUICK") != NULL; }

static lctx_threads *created(int32_t n_threads, int32_t spin, lctx_parallel *par)
{
    lctx_threads_desc d = { 0 };
    lctx_threads *t = NULL;
    d.n_threads = n_threads, d.spin = spin;
    if (lctx_threads_create(&d, &t) || lctx_threads_parallel(t, par)) exit(2);
    return t;
}

static int32_t available(void)
{
    lctx_parallel par;
    lctx_threads_free(created(2, 0, &par));
    return par.n_threads;
}

/* ---------------------------------------------------------------------------- create and free */
typedef struct memory { int n, asked, refuse; size_t bytes; } memory;
static void *memory_alloc(void *user, size_t size, size_t align)
{
    memory *m = (memory *)user;
    (void)align;                   /* malloc's will do */
    if (m->asked++ == m->refuse) return NULL;
    m->n++, m->bytes += size;
    return malloc(size);
}
static void memory_free(void *user, void *ptr, size_t size)
{
    memory *m = (memory *)user;
    m->n--, m->bytes -= size;
    free(ptr);
}

static void test_create(void)
{
    memory m = { 0, 0, -1, 0 };
    lctx_allocator alloc = { memory_alloc, memory_free, NULL };
    lctx_threads_desc d = { 0 };
    lctx_parallel par = { 0 };
    lctx_threads *t = NULL;
    lctx_status st;
    int i, ok = 1;
    alloc.user = &m;
    d.n_threads = -1;
    check(lctx_threads_create(&d, &t) == LCTX_E_THREADS && !t, "a negative number is refused");
    d.n_threads = LCTX_MAX_THREADS + 1;
    check(lctx_threads_create(&d, &t) == LCTX_E_THREADS && !t, "too many threads are refused");
    d.n_threads = 2, d.spin = -2;
    check(lctx_threads_create(&d, &t) == LCTX_E_COUNT && !t, "a spin below -1 is refused");
    d.spin = 0, d.alloc = &alloc;
    check(lctx_threads_create(NULL, &t) == LCTX_E_NULL
          && lctx_threads_create(&d, NULL) == LCTX_E_NULL
          && lctx_threads_parallel(NULL, &par) == LCTX_E_NULL, "null pointers are refused");
    for (i = 0, st = LCTX_E_MEMORY; st == LCTX_E_MEMORY; i++) {
        m.asked = 0, m.refuse = i;
        st = lctx_threads_create(&d, &t);
        ok &= st == LCTX_OK || (m.n == 0 && !t);
    }
    check(ok && i > 1 && !st, "an allocator that fails at any step leaves nothing behind");
    check(lctx_threads_parallel(t, NULL) == LCTX_E_NULL, "a null hook is refused");
    lctx_threads_free(t);
    lctx_threads_free(NULL);
    check(m.n == 0 && m.bytes == 0, "all memory is given back, with its size");
    for (i = 0; i < (quick() ? 20 : 200); i++)
        lctx_threads_free(created(1 + i % 4, i % 3 - 1, &par));
    check(1, "threads that never had a loop end");
    t = created(0, 0, &par);
    check(par.run && par.n_threads >= 1 && par.n_threads <= LCTX_MAX_THREADS,
          "by default there is a thread for each processor (%d)", (int)par.n_threads);
    lctx_threads_free(t);
}

/* ---------------------------------------------------------------------------- loops */
typedef struct loop {
    const lctx_parallel *par;
    int64_t n;
    int32_t most;                      /* threads allowed */
    int     depth;                     /* of loops inside a task */
    int     done[1000], in[MOST];      /* by task, by thread */
    int     here, bad;
    int64_t sum;
} loop;

static void loop_init(loop *l, const lctx_parallel *par, int32_t most, int64_t n)
{
    memset(l, 0, sizeof *l);
    l->par = par, l->most = most, l->n = n;
}

static void spend(int steps)
{
    volatile int i;
    for (i = 0; i < steps; i++) {}
}

static int64_t run_loop(loop *l);
static void loop_task(void *arg, int64_t i, int32_t thread)
{
    loop *l = (loop *)arg;
    if (thread < 0 || thread >= l->most || i < 0 || i >= l->n) {
        __atomic_store_n(&l->bad, 1, __ATOMIC_RELAXED);
        return;
    }
    if (__atomic_exchange_n(&l->in[thread], 1, __ATOMIC_ACQUIRE))
        __atomic_store_n(&l->bad, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&l->done[i], 1, __ATOMIC_RELAXED);
    spend((int)(i * 7919 % 50));
    if (l->depth) {
        loop inner;
        loop_init(&inner, l->par, l->most, 5);
        inner.depth = l->depth - 1;
        if (run_loop(&inner) != 5) __atomic_store_n(&l->bad, 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&l->in[thread], 0, __ATOMIC_RELEASE);
}

/* How many tasks were called, if each was once and all else held, else -1. */
static int64_t run_loop(loop *l)
{
    int64_t i, n = 0;
    l->par->run(l->par->user, l->most, l->n, loop_task, l);
    for (i = 0; i < l->n; i++) n += l->done[i] == 1;
    return l->bad || n != l->n ? -1 : n;
}

static void test_loops(int32_t n_threads)
{
    static const int64_t lengths[] = { 0, 1, 2, 5, 16, 17, 1000 };
    lctx_parallel par;
    lctx_threads *t = created(n_threads, 0, &par);
    int ok = 1, limit;
    size_t i;
    for (limit = 1; limit <= n_threads; limit++)
        for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            loop l;
            loop_init(&l, &par, limit, lengths[i]);
            ok &= run_loop(&l) == lengths[i];
        }
    check(ok, "%d threads: of 0 to 1000 tasks each is called once, under at most as many thread "
          "numbers as asked for, each one thread's at a time", (int)n_threads);
    lctx_threads_free(t);
}

static void test_short_loops(int32_t n_threads, int32_t spin)
{
    const int n = quick() ? 500 : 20000;
    lctx_parallel par;
    lctx_threads *t = created(n_threads, spin, &par);
    loop l;
    int i, ok = 1;
    for (i = 0; i < n; i++) {
        loop_init(&l, &par, n_threads, i % 9);
        ok &= run_loop(&l) == i % 9;
    }
    check(ok, "%d loops of a few tasks, one after another, on %d threads (spin %d)", n,
          (int)n_threads, (int)spin);
    lctx_threads_free(t);
}

static void test_nested(int32_t n_threads)
{
    lctx_parallel par;
    lctx_threads *t = created(n_threads, 0, &par);
    loop l;
    loop_init(&l, &par, n_threads, 40);
    l.depth = 3;
    check(run_loop(&l) == 40, "loops inside tasks, three deep, end and are whole (%d threads)",
          (int)n_threads);
    lctx_threads_free(t);
}

/* ---------------------------------------------------------------------------- threads are there */
#if HOOK_THREADS
/* Waits, within reason, until as many tasks are being computed at once. */
static void meet(void *arg, int64_t i, int32_t thread)
{
    loop *l = (loop *)arg;
    int tries;
    (void)i, (void)thread;
    __atomic_add_fetch(&l->here, 1, __ATOMIC_ACQ_REL);
    for (tries = 0; __atomic_load_n(&l->here, __ATOMIC_ACQUIRE) < l->n; tries++) {
        if (tries > 5000000) return;
        sched_yield();
    }
    __atomic_add_fetch(&l->done[0], 1, __ATOMIC_RELAXED);
}

static void test_meetings(int32_t n_threads, int32_t spin)
{
    const int n = quick() ? 50 : 500;
    lctx_parallel par;
    lctx_threads *t = created(n_threads, spin, &par);
    int i, ok = 1;
    for (i = 0; i < n && ok; i++) {
        loop l;
        loop_init(&l, &par, n_threads, 1 + i % n_threads);
        par.run(par.user, n_threads, l.n, meet, &l);
        ok = l.done[0] == l.n;
        spend(i % 7 * 5000);
    }
    check(ok, "as many tasks as threads meet in each of %d loops: none sleeps on (%d threads, "
          "spin %d)", n, (int)n_threads, (int)spin);
    lctx_threads_free(t);
}

/* The caller is done long before the others, and sleeps when they are. */
static void late(void *arg, int64_t i, int32_t thread)
{
    if (thread) spend(200000);
    __atomic_add_fetch((int64_t *)arg, i, __ATOMIC_RELAXED);
}
static void test_late(int32_t spin)
{
    const int n = quick() ? 20 : 200;
    lctx_parallel par;
    lctx_threads *t = created(3, spin, &par);
    int64_t sum = 0;
    int i;
    for (i = 0; i < n; i++) par.run(par.user, 3, 8, late, &sum);
    check(sum == (int64_t)n * 28, "a caller that is done first waits for the others (spin %d)",
          (int)spin);
    lctx_threads_free(t);
}

typedef struct caller { const lctx_parallel *par; int loops, ok; } caller;
static void *call(void *user)
{
    caller *c = (caller *)user;
    loop l;
    int i;
    for (i = 0, c->ok = 1; i < c->loops; i++) {
        loop_init(&l, c->par, 3, i % 30);
        l.depth = i % 10 == 0;
        c->ok &= run_loop(&l) == i % 30;
    }
    return NULL;
}
static void test_callers(void)
{
    lctx_parallel par;
    lctx_threads *t = created(3, 0, &par);
    caller c[4];
    int i, ok;
    for (i = 0; i < 4; i++) c[i].par = &par, c[i].loops = quick() ? 100 : 3000;
    ok = hook_each(call, c, sizeof *c, 4);
    for (i = 0; i < 4; i++) ok &= c[i].ok;
    check(ok, "four host threads run their loops on the same threads at once, each its own right");
    lctx_threads_free(t);
}

/* Where stacks of a size that no machine has are asked for, there will be no thread. */
static void test_no_threads(void)
{
#if defined(LCTX_PTHREADS) && defined(__GLIBC__) && defined(__LP64__)
    pthread_attr_t before, huge;
    lctx_parallel par;
    lctx_threads *t;
    loop l;
    pthread_getattr_default_np(&before);
    pthread_attr_init(&huge);
    if (pthread_attr_setstacksize(&huge, (size_t)1 << 50)
        || pthread_setattr_default_np(&huge)) exit(2);
    t = created(4, 0, &par);
    pthread_setattr_default_np(&before);
    pthread_attr_destroy(&huge), pthread_attr_destroy(&before);
    loop_init(&l, &par, 4, 100);
    check(par.n_threads == 1 && run_loop(&l) == 100,
          "where the system gives no thread, loops are their caller's, and it says so");
    lctx_threads_free(t);
#else
    printf("  SKIPPED: no more threads (only glibc can be told to give none)\n");
#endif
}
#endif

/* ---------------------------------------------------------------------------- equal bits */
enum { TOKENS = 300, HEADS = 8, DIM = 32 };
static float numbers[TOKENS * HEADS * DIM];

static void attend(const lctx_parallel *par, float *out)
{
    lctx_span s = { 0 };
    lctx_attn a = { 0 };
    size_t bytes = 0;
    void *scratch;
    s.k = s.v = numbers, s.n = TOKENS;
    a.n_q = TOKENS, a.n_head = a.n_head_kv = HEADS, a.d_k = DIM;
    a.q = numbers, a.spans = &s, a.n_spans = 1, a.out = out, a.par = par;
    check(lctx_attend_size(&a, &bytes) == LCTX_OK, "attention says what it needs");
    scratch = malloc(bytes + 1);
    check(lctx_attend(&a, scratch, bytes) == LCTX_OK, "%d threads attend", (int)par->n_threads);
    free(scratch);
}

enum { LAYERS = 2, WIDTH = 128, VOCAB = 50, FED = 100 };

static lctx_tensor tensor(int at)
{
    lctx_tensor t = { 0 };
    t.data = numbers + at;
    return t;
}

static void feed(const lctx_parallel *par, float *logits)
{
    lctx_layer layers[LAYERS];
    lctx_model m = { 0 };
    lctx_session_desc d = { 0 };
    lctx_session *s;
    int32_t tokens[FED];
    lctx_status st;
    int i;
    memset(layers, 0, sizeof layers);
    for (i = 0; i < LAYERS; i++) {
        lctx_layer *l = &layers[i];
        l->attn_norm = tensor(i), l->ffn_norm = tensor(5 * i);
        l->wq = tensor(7 + i), l->wk = tensor(100 + i), l->wv = tensor(200 + i);
        l->wo = tensor(300 + i), l->w_gate = tensor(400), l->w_up = tensor(500 + i);
        l->w_down = tensor(600 + i);
    }
    m.n_layer = LAYERS, m.n_head = 4, m.n_head_kv = 2, m.d_model = WIDTH, m.d_ff = 200;
    m.n_vocab = VOCAB, m.layers = layers;
    m.tok_embd = tensor(1000), m.output_norm = tensor(3), m.output = tensor(2000);
    for (i = 0; i < FED; i++) tokens[i] = i * 7 % VOCAB;
    d.par = par, d.chunk = 64;
    st = lctx_session_create(&m, &d, &s);
    if (!st) st = lctx_session_feed(s, tokens, FED - 3, LCTX_LOGITS_ALL, logits);
    for (i = FED - 3; !st && i < FED; i++)
        st = lctx_session_feed(s, tokens + i, 1, LCTX_LOGITS_LAST, logits + i * VOCAB);
    check(st == LCTX_OK, "a session on %d threads: %s", (int)par->n_threads, lctx_status_text(st));
    lctx_session_free(s);
}

static void test_bits(void (*work)(const lctx_parallel *, float *), size_t n, const char *what)
{
    float *want = (float *)malloc(n * sizeof *want), *got = (float *)malloc(n * sizeof *got);
    lctx_parallel par = { 0 };
    int i;
    par.n_threads = 1;
    work(&par, want);
    for (i = 0; i < N_COUNTS; i++) {
        lctx_threads *t = created(counts[i], 0, &par);
        memset(got, 0, n * sizeof *got);
        work(&par, got);
        check(!memcmp(got, want, n * sizeof *got), "%s on %d threads has the bits of one", what,
              (int)counts[i]);
        lctx_threads_free(t);
    }
    free(got), free(want);
}

int main(void)
{
    const int threads = available() > 1;
    int i;
    for (i = 0; i < TOKENS * HEADS * DIM; i++) numbers[i] = 0.2f * test_normal();
    test_create();
    for (i = 0; i < N_COUNTS; i++) {
        test_loops(counts[i]);
        test_nested(counts[i]);
        test_short_loops(counts[i], i % 3 - 1);
    }
#if HOOK_THREADS
    if (threads) {
        for (i = 1; i < N_COUNTS; i++) test_meetings(counts[i], i % 3 - 1), test_late(i - 2);
        test_meetings(2, -1), test_meetings(2, 1), test_meetings(2, 0);
        test_callers();
        test_no_threads();
    }
#endif
    if (!threads) printf("  SKIPPED: what needs two threads (the library was built without)\n");
    test_bits(attend, TOKENS * HEADS * DIM, "attention");
    test_bits(feed, FED * VOCAB, "a session");
    return test_report("threads", lctx_isa_name(lctx_isa_get()));
}
#else
int main(void)
{
    printf("  SKIPPED: threads of the library's own (neither gcc nor clang)\n");
    check(1, "nothing");
    return test_report("threads", lctx_isa_name(lctx_isa_get()));
}
#endif
