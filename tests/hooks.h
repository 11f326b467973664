/* hooks.h - parallel hooks as a host may bring them: a pool of POSIX threads, and one thread that
   takes the tasks out of order under changing thread numbers. Both note what they were given.
   WebAssembly has no threads: there HOOK_THREADS is 0, and the pool is its caller alone. */
#ifndef HOOKS_H
#define HOOKS_H
#include "lctx.h"

#ifdef __wasm__
#  define HOOK_THREADS 0
#else
#  define HOOK_THREADS 1
#  include <pthread.h>
#endif

typedef struct hook {
    int64_t calls, tasks;
    int32_t n_threads;         /* of the last call */
} hook;

static void hook_note(hook *h, int32_t n_threads, int64_t n)
{
    h->calls++;
    h->tasks += n;
    h->n_threads = n_threads;
}

#if HOOK_THREADS
typedef struct hook_loop {
    pthread_mutex_t lock;
    int64_t next, n;
    lctx_task task;
    void *arg;
} hook_loop;

typedef struct hook_worker {
    hook_loop *loop;
    int32_t thread;
    pthread_t handle;
} hook_worker;

static void *hook_work(void *user)
{
    hook_worker *w = (hook_worker *)user;
    for (;;) {
        int64_t i;
        pthread_mutex_lock(&w->loop->lock);
        i = w->loop->next++;
        pthread_mutex_unlock(&w->loop->lock);
        if (i >= w->loop->n) return NULL;
        w->loop->task(w->loop->arg, i, w->thread);
    }
}

/* Thread 0 is the caller's. */
static void hook_run_pool(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    hook_worker workers[64];
    hook_loop loop;
    int32_t i, used = n_threads < 64 ? n_threads : 64;
    hook_note((hook *)user, n_threads, n);
    if (n < used) used = n < 1 ? 1 : (int32_t)n;
    loop.next = 0; loop.n = n; loop.task = task; loop.arg = arg;
    pthread_mutex_init(&loop.lock, NULL);
    for (i = 0; i < used; i++) { workers[i].loop = &loop; workers[i].thread = i; }
    for (i = 1; i < used; i++)
        if (pthread_create(&workers[i].handle, NULL, hook_work, &workers[i]) != 0) break;
    used = i;
    hook_work(&workers[0]);
    for (i = 1; i < used; i++) pthread_join(workers[i].handle, NULL);
    pthread_mutex_destroy(&loop.lock);
}
#else
static void hook_run_pool(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    int64_t i;
    hook_note((hook *)user, n_threads, n);
    for (i = 0; i < n; i++) task(arg, i, 0);
}
#endif

/* Whether there are threads to try this on; named as skipped where there are none. */
#ifdef __GNUC__
__attribute__((unused))
#endif
static int hook_threads(const char *what)
{
    if (!HOOK_THREADS) printf("  SKIPPED: %s (no threads here)\n", what);
    return HOOK_THREADS;
}

/* work(each of n items of size bytes), n <= 8, each on a thread of its own; 0 if one has none. */
#ifdef __GNUC__
__attribute__((unused))
#endif
static int hook_each(void *(*work)(void *), void *items, size_t size, int n)
{
#if HOOK_THREADS
    pthread_t threads[8];
    int i, started;
    for (i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, work, (char *)items + (size_t)i * size) != 0) break;
    for (started = i; i > 0; i--) pthread_join(threads[i - 1], NULL);
    return started == n;
#else
    (void)work, (void)items, (void)size, (void)n;
    return 0;
#endif
}

static void hook_run_shuffled(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    static const int64_t steps[] = { 1000003, 7919, 31, 1 };
    int64_t step = 1, i, at;
    int k;
    hook_note((hook *)user, n_threads, n);
    for (k = 0; k < 4; k++)
        if (n % steps[k] != 0 || steps[k] == 1) { step = steps[k]; break; }
    for (i = 0, at = n / 2; i < n; i++, at = (at + step) % n)
        task(arg, at, (int32_t)((i * 13 + 5) % n_threads));
}

typedef enum hook_kind { HOOK_POOL, HOOK_SHUFFLED, HOOK_KINDS } hook_kind;

#ifdef __GNUC__
__attribute__((unused))
#endif
static lctx_parallel hook_parallel(hook *h, hook_kind kind, int32_t n_threads)
{
    lctx_parallel par;
    memset(&par, 0, sizeof par);
    memset(h, 0, sizeof *h);
    par.run = kind == HOOK_POOL ? hook_run_pool : hook_run_shuffled;
    par.user = h;
    par.n_threads = n_threads;
    return par;
}
#endif
