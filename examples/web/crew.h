/* crew.h - lctx_parallel over Web Workers that share one memory. Each worker instantiates the
   module over that memory, on a stack of its own, and calls crew_work, which never returns.

   A loop is open from its first task to its last. Who finds it open enters, takes tasks until there
   are none, and leaves; its caller closes it and waits until all have left. Nobody is waited for
   who has not come. */
#ifndef CREW_H
#define CREW_H
#include "lctx.h"

enum { CREW_LOOKS = 2000 };      /* at a closed loop, before a worker sleeps */

static struct {
    int32_t   open, turn, inside;      /* turn: counts the loops; what sleepers wait for */
    int64_t   next, n;
    lctx_task task;
    void     *arg;
} crew;

static void crew_take(int32_t thread)
{
    int64_t i;
    while ((i = __atomic_fetch_add(&crew.next, 1, __ATOMIC_SEQ_CST)) < crew.n)
        crew.task(crew.arg, i, thread);
}

static void crew_run(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    (void)user;
    crew.task = task, crew.arg = arg, crew.n = n, crew.next = 0;
    if (n_threads > 1 && n > 1) {
        __atomic_store_n(&crew.open, n_threads, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&crew.turn, 1, __ATOMIC_SEQ_CST);
        __builtin_wasm_memory_atomic_notify(&crew.turn, (unsigned)n_threads - 1);
    }
    crew_take(0);
    __atomic_store_n(&crew.open, 0, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&crew.inside, __ATOMIC_SEQ_CST)) {}
}

__attribute__((export_name("work"))) void crew_work(int32_t thread)
{
    for (;;) {
        const int32_t turn = __atomic_load_n(&crew.turn, __ATOMIC_SEQ_CST);
        int32_t looks = CREW_LOOKS;
        __atomic_fetch_add(&crew.inside, 1, __ATOMIC_SEQ_CST);
        if (thread < __atomic_load_n(&crew.open, __ATOMIC_SEQ_CST)) crew_take(thread);
        __atomic_fetch_sub(&crew.inside, 1, __ATOMIC_SEQ_CST);
        while (looks-- && __atomic_load_n(&crew.turn, __ATOMIC_RELAXED) == turn) {}
        __builtin_wasm_memory_atomic_wait32(&crew.turn, turn, -1);
    }
}
#endif
