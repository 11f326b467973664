/* memory.h - a file of memories: pages of what a session has cached of texts that it read, piece by
   piece, each at positions of its own; and another session's retrieval from them. While it reads a
   prompt, the queries of one layer vote for blocks by the bounds of their keys, of which alone the
   file is read (Memorizing Transformers 2203.08913, LongMem 2306.07174; bounds: Quest 2406.10774).
   Then it reads the prompt once more with the pieces that have the most votes: in every layer they
   are attended to as if each stood right before the prompt, by a merge of two partial results.

       memory_begin(&m, "books.memory", label, s, 2)       // then, piece by piece, two pages each:
       lctx_session_rewind(s, 0), lctx_session_feed(s, ...), memory_add(&m, s, page, book, place)
       memory_end(&m)

       memory_open(&m, "books.memory", label, 2, held)     // an empty session, described as s
       desc.raw_keys = 1, desc.join = memory_join, desc.join_user = &m;
       m.near = tokens of a piece, m.layer = the one that votes;
       lctx_session_feed(reader, prompt), memory_choose(&m, 1, chosen)    // empty, described as s
       lctx_session_rewind(reader, 0), lctx_session_feed(reader, prompt) and on
       lctx_session_free of all, memory_close(&m)          // in this order

   A record is 64 bytes, with book and place, then the page. Their number stands in the file's head
   once all are there. Pages themselves are believed: keep such files where only you may write. */
#ifndef MEMORY_H
#define MEMORY_H
#include "lctx.h"
#include "os.h"

enum { MEMORY_HEAD = 4096, MEMORY_PLACE = 64 };

typedef struct memory {
    os_file  file;               /* mapped; what is not read of it stays on disk */
    FILE    *to;                 /* while it is written */
    char     head[MEMORY_HEAD], label[MEMORY_HEAD - 256];
    size_t   page, record;       /* bytes */
    int64_t  n, each;            /* records; of a piece */
    char     error[256];         /* why a call failed */

    const lctx_session *held;    /* all pages */
    const lctx_session *chosen;  /* what is read; null while it is voted on */
    int64_t  near;               /* a query at position m reads from near + m */
    int32_t  layer;
    int64_t *votes;              /* [n / each] */
    int64_t  best;               /* the piece chosen first */
    char    *work;               /* of a call */
    size_t   work_bytes;
} memory;

/* Nonzero on failure, with m->error. label: of what may not differ, the model and types. */
int  memory_begin(memory *m, const char *path, const char *label, const lctx_session *s,
                  int64_t each);
int  memory_add(memory *m, const lctx_session *s, int64_t page, int64_t book, int64_t place);
int  memory_end(memory *m);
int  memory_open(memory *m, const char *path, const char *label, int64_t each, lctx_session *held);
int  memory_choose(memory *m, int64_t n_pieces, lctx_session *chosen);
void memory_close(memory *m);

/* Where the first page of a piece is from. */
void memory_place(const memory *m, int64_t piece, int64_t *book, int64_t *place);

/* An lctx_join; user is the memory. */
int  memory_join(void *user, int32_t layer, const lctx_attn *attn);
#endif
