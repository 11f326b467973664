/* shim.h - calls whose descriptors come by value, so that they may point to Go's slices while a
   call runs (cgo forbids pointers to pointers); and callbacks, by a number that stands for a Go
   value. */
#ifndef SHIM_H
#define SHIM_H
#include "lctx.h"

size_t lctx_offsetof(const char *field);

lctx_status shim_rope_init(lctx_rope *rope, lctx_rope_desc desc, lctx_refusal *refused);
lctx_status shim_rope_apply(const lctx_rope *rope, lctx_rope_job job, lctx_refusal *refused);

/* Attention over one span, or a cache where it is given; threads may be null. */
lctx_status shim_attend(lctx_cache *cache, lctx_attn attn, lctx_span span, lctx_threads *threads,
                        lctx_refusal *refused);

lctx_status shim_cache_create(lctx_cache_desc desc, lctx_pool *pool, lctx_cache **cache,
                              lctx_refusal *refused);
lctx_status shim_cache_append(lctx_cache *cache, lctx_rows rows, lctx_refusal *refused);
lctx_status shim_session_create(const lctx_model *model, lctx_session_desc desc, lctx_pool *pool,
                                lctx_threads *threads, uintptr_t progress, lctx_session **session,
                                lctx_refusal *refused);

lctx_status shim_cache_save(const lctx_cache *cache, uintptr_t to);
lctx_status shim_cache_restore(lctx_cache *cache, uintptr_t from);
lctx_status shim_session_save(const lctx_session *session, uintptr_t to);
lctx_status shim_session_restore(lctx_session *session, uintptr_t from);
#endif
