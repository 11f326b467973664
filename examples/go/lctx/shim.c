#include "shim.h"
#include "_cgo_export.h"
#include <stdlib.h>

static int told(void *user, int64_t done, int64_t total)
{
    return lctxProgress((uintptr_t)user, done, total);
}
static int written(void *user, const void *data, size_t n)
{
    return lctxWrite((uintptr_t)user, (void *)data, n);
}
static int read(void *user, void *data, size_t n) { return lctxRead((uintptr_t)user, data, n); }

lctx_status shim_rope_init(lctx_rope *rope, lctx_rope_desc desc, lctx_refusal *refused)
{
    desc.refused = refused;
    return lctx_rope_init(rope, &desc);
}

lctx_status shim_rope_apply(const lctx_rope *rope, lctx_rope_job job, lctx_refusal *refused)
{
    job.refused = refused;
    return lctx_rope_apply(rope, &job);
}

static lctx_status attend(lctx_cache *cache, const lctx_attn *attn)
{
    lctx_status status;
    size_t bytes;
    void *scratch;
    status = cache ? lctx_cache_attend_size(cache, attn, &bytes) : lctx_attend_size(attn, &bytes);
    if (status) return status;
    if (!(scratch = malloc(bytes ? bytes : 1))) return LCTX_E_MEMORY;
    status = cache ? lctx_cache_attend(cache, attn, scratch, bytes)
                   : lctx_attend(attn, scratch, bytes);
    free(scratch);
    return status;
}

lctx_status shim_attend(lctx_cache *cache, lctx_attn attn, lctx_span span, lctx_threads *threads,
                        lctx_refusal *refused)
{
    lctx_parallel par;
    attn.refused = refused;
    if (!cache) attn.spans = &span, attn.n_spans = 1;
    if (threads && !lctx_threads_parallel(threads, &par)) attn.par = &par;
    return attend(cache, &attn);
}

lctx_status shim_cache_create(lctx_cache_desc desc, lctx_pool *pool, lctx_cache **cache,
                              lctx_refusal *refused)
{
    lctx_allocator alloc;
    desc.refused = refused;
    if (pool && !lctx_pool_allocator(pool, &alloc)) desc.alloc = &alloc;
    return lctx_cache_create(&desc, cache);
}

lctx_status shim_cache_append(lctx_cache *cache, lctx_rows rows, lctx_refusal *refused)
{
    rows.refused = refused;
    return lctx_cache_append(cache, &rows);
}

lctx_status shim_session_create(const lctx_model *model, lctx_session_desc desc, lctx_pool *pool,
                                lctx_threads *threads, uintptr_t progress, lctx_session **session,
                                lctx_refusal *refused)
{
    lctx_allocator alloc;
    lctx_parallel par;
    desc.refused = refused;
    if (pool && !lctx_pool_allocator(pool, &alloc)) desc.alloc = &alloc;
    if (threads && !lctx_threads_parallel(threads, &par)) desc.par = &par;
    if (progress) desc.progress = told, desc.progress_user = (void *)progress;
    return lctx_session_create(model, &desc, session);
}

lctx_status shim_cache_save(const lctx_cache *cache, uintptr_t to)
{
    return lctx_cache_save(cache, written, (void *)to);
}
lctx_status shim_cache_restore(lctx_cache *cache, uintptr_t from)
{
    return lctx_cache_restore(cache, read, (void *)from);
}
lctx_status shim_session_save(const lctx_session *session, uintptr_t to)
{
    return lctx_session_save(session, written, (void *)to);
}
lctx_status shim_session_restore(lctx_session *session, uintptr_t from)
{
    return lctx_session_restore(session, read, (void *)from);
}
