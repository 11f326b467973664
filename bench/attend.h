/* attend.h - attention over a store filled with random keys and values: set up, checked against a
   reference in double, and run as a job. There are two stores, which every setting reuses: those of
   the last two kinds stay, so that these can be timed in turn. Runs walk through one from one slice
   of n_kv tokens to the next, so that short contexts come from memory too, as they do in a model of
   many layers. */
#ifndef BENCH_ATTEND_H
#define BENCH_ATTEND_H
#include "peaks.h"
#include "report.h"

typedef enum layout { TILES, TOKEN_MAJOR, HEAD_MAJOR } layout;    /* native; an engine's rows */

typedef struct setting {
    const char *name;
    int64_t     n_q, n_kv;     /* the queries are the last of the keys' tokens: causal */
    int32_t     head_dim, n_head, n_head_kv;
    int32_t     type;          /* lctx_type */
    layout      layout;
    int32_t     share;         /* of 100 blocks of keys each KV head reads so many; 0: no lists */
    int32_t     block;         /* keys of such; 0: 64 */
} setting;

typedef struct store store;
typedef struct attend {
    setting    s;
    const store *store;
    lctx_attn  a;
    lctx_span  span;
    lctx_parallel par;
    float     *q, *out;        /* [n_q][n_head][head_dim] */
    int32_t   *list;           /* [n_head_kv][list_len] or null */
    void      *scratch;
    size_t     scratch_bytes;
    int64_t    slices, turn;
} attend;

void  store_start(size_t least);       /* bytes of each, which grows for what needs more */
void  store_stop(void);
void *store_memory(size_t bytes);      /* for others in turn; what was there is lost */

/* Copies a pattern over and over, with all threads. */
void  fill_with(void *mem, size_t bytes, const void *pattern, size_t pattern_bytes);

void   attend_open(attend *w, const setting *s);
void   attend_close(attend *w);
void   attend_scratch(attend *w);      /* anew, for what `a` asks for now */
void   attend_call(void *attend_);     /* one call of lctx_attend on the span as it is */
void   attend_run(void *attend_);      /* and on the next slice */
lctx_span attend_span(const attend *w, int64_t turn);  /* the slice that is that turn's */
double attend_bytes(const setting *s); /* of the keys and values that one call reads */
double attend_flops(const setting *s); /* 4 head_dim for every visible pair of every query head */
shape  attend_shape(const setting *s);
/* Normalised mean squared error of a sample of rows; fails loudly above what the type allows. */
double attend_check(attend *w);

const char *type_name(int32_t type);
const char *isa_name(void);            /* of the instruction set in use */
peak        peak_of_products(int32_t type);    /* what bounds matrix products under it */
#endif
