/* prefix.h - a file that keeps what a session has cached of a text, page by page: a later run over a
   text that begins alike maps the file and goes on where they part, and saving writes only what is
   new. One text a file: what parts from it is written over.

       prefix p;
       prefix_open(&p, "book.cache", label, s, block);     // before the session is fed
       n = prefix_restore(&p, s, tokens, n_tokens);        // how many of them s now holds
       lctx_session_feed(s, tokens + n, ...);
       prefix_save(&p, s, all_tokens, n_all);              // after each chunk, if layers have windows
       lctx_session_free(s), prefix_close(&p);             // in this order

   A record is a sum over all tokens so far and the page's tokens, then the page. A file of another
   label is begun anew; a record that is cut or does not go with the one before ends the file. Pages
   themselves are believed: keep such files where only you may write. Where files cannot be mapped,
   nothing is found. */
#ifndef PREFIX_H
#define PREFIX_H
#include "lctx.h"
#include "os.h"

enum { PREFIX_HEAD = 4096 };

typedef struct prefix {
    os_file     file;             /* as it was when opened, mapped */
    const char *path;             /* borrowed */
    char        head[PREFIX_HEAD];
    int64_t     block;            /* tokens a page */
    size_t      page, record;     /* bytes */
    int64_t     n;                /* records that hold the text */
    uint64_t    sum;              /* over their tokens */
    int         begun;            /* is it written anew? */
} prefix;

/* label: of what may not differ: model, schedule, types. block: that of the session. Returns 0 or an
   errno; ENOTSUP: this session has no pages (heavy hitters); EEXIST: this file is something
   else. A file that is not there is no error. */
int prefix_open(prefix *p, const char *path, const char *label, const lctx_session *s, int64_t block);
void prefix_close(prefix *p);

/* Gives an empty session the pages whose tokens are the first of these n, but not the last token;
   returns how many it now holds. */
int64_t prefix_restore(prefix *p, lctx_session *s, const int32_t *tokens, int64_t n);

/* Writes the pages of the session's n tokens that the file lacks. Returns 0 or an errno. */
int prefix_save(prefix *p, const lctx_session *s, const int32_t *tokens, int64_t n);
#endif
