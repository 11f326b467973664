/* run.h - what every example with a model shares: options, the session they make, progress.

   A method is what is done about a long context: a scaling of RoPE (plain, pi, ntk, dynamic,
   by-parts, yarn, llama3, abf: a larger base; model: as the file's metadata says), a cache that
   forgets (window, sinks, heavy), one that keeps all and of which each query reads a quarter (quest;
   with the scaling yarn-quest), or raw keys with a rule for far distances (rerope, leaky,
   self-extend; lm-infinite: with sinks) or with dynamic's frequencies of each length
   (dynamic-exact), or heavy hitters at their places inside the cache (heavy-inside). Those that
   are no scaling go with what the file says; yarn-heavy is both. All functions here fail by exiting
   with a message. */
#ifndef RUN_H
#define RUN_H
#include "args.h"
#include "model.h"
#include "text.h"

#define RUN_ROPES "model|plain|pi|ntk|dynamic|by-parts|yarn|llama3|abf"
#define RUN_METHODS RUN_ROPES "|window|sinks|heavy|heavy-inside|yarn-heavy|quest|yarn-quest|" \
                    "rerope|leaky|self-extend|lm-infinite|dynamic-exact"
enum { RUN_MODEL, RUN_PLAIN, RUN_PI, RUN_NTK, RUN_DYNAMIC, RUN_BY_PARTS, RUN_YARN, RUN_LLAMA3,
       RUN_ABF };

typedef struct run {
    const char *path, *tokenizer;
    int64_t rope;                                     /* RUN_MODEL .. RUN_ABF */
    double  factor, orig_ctx, beta_fast, beta_slow, attn_factor, theta;    /* 0: not given */
    double  headroom;                                 /* of derived factors; 0: by scheme */
    int64_t policy, window, sinks;                    /* lctx_policy; window 0: trained context,
                                                         times what the file was tuned to; under
                                                         HEAVY half of that, heavy ones the rest;
                                                         sinks 0: 4 */
    int64_t read;                                     /* FULL: tokens that a query reads, of them
                                                         `window`, or a quarter, the last; 0: all */
    int     quarter;                                  /* read is derived: a quarter of all */
    int64_t block;                                    /* of the cache; 0: the library's choice */
    int64_t far;                                      /* lctx_far_kind */
    int     live;                                     /* the schedule follows the length */
    int64_t ctx;                                      /* most tokens; 0: no limit */
    int64_t type, k_type, v_type;                     /* lctx_type; k_type, v_type -1: type */
    int64_t threads, chunk;                           /* 0: all cores, the library's choice */
    int     quiet;                                    /* no progress is shown */
    lctx_progress progress;                           /* after each chunk, in place of showing it */
    int32_t part, parts;                              /* of a session in parts, as lctx.h has it */
    lctx_join join;
    void   *join_user;
    int     raw;                                      /* keys are cached before rotation */
    double  used_factor;                              /* what run_session settled on */
    lctx_rope_desc used_rope;
    model   model;
    vocab   vocab;
    lctx_threads *crew;                               /* from run_open to run_close */
} run;
#define RUN_DEFAULTS { .type = LCTX_F16, .k_type = -1, .v_type = -1 }

/* Rows for args_parse. */
#define RUN_MODEL_OPTION(r) \
    { "MODEL", ARGS_TEXT, &(r).path, 1, 0, "", "a GGUF file, or a checkpoint of llama2.c" }, \
    { "--tokenizer", ARGS_TEXT, &(r).tokenizer, 0, 0, "FILE", "of llama2.c: its tokenizer.bin" }
#define RUN_ROPE_OPTION(r) \
    { "--rope", ARGS_CHOICE, &(r).rope, 0, 0, RUN_ROPES, "RoPE scaling" }
#define RUN_SCALING_OPTIONS(r) \
    { "--factor", ARGS_REAL, &(r).factor, 1, 1e6, "S", "context extension, if not derived" }, \
    { "--orig-ctx", ARGS_REAL, &(r).orig_ctx, 1, 1e12, "L", "trained context, or the file's" }, \
    { "--beta-fast", ARGS_REAL, &(r).beta_fast, 1e-6, 1e6, "B", "yarn, by-parts: default 32" }, \
    { "--beta-slow", ARGS_REAL, &(r).beta_slow, 1e-6, 1e6, "B", "yarn, by-parts: default 1" }, \
    { "--attn-factor", ARGS_REAL, &(r).attn_factor, 1e-6, 1e6, "A", "or the scheme's own" }, \
    { "--theta", ARGS_REAL, &(r).theta, 1, 1e15, "B", "RoPE base, or the file's" }
#define RUN_POLICY_OPTION(r) \
    { "--cache", ARGS_CHOICE, &(r).policy, 0, 0, "full|window|sinks|heavy", "which tokens stay" }
#define RUN_CACHE_OPTIONS(r) \
    { "--window", ARGS_INT, &(r).window, 1, 1e12, "W", "tokens kept; default: trained context" }, \
    { "--sinks", ARGS_INT, &(r).sinks, 1, 1e6, "N", "first tokens kept; default 4" }, \
    { "--read", ARGS_INT, &(r).read, 2, 1e12, "N", "tokens that a query reads of a full cache" }, \
    { "--raw", ARGS_FLAG, &(r).raw, 0, 0, "", "keys unrotated: heavy's places are in the cache" }, \
    { "--kv", ARGS_CHOICE, &(r).type, 0, 0, "f32|f16|bf16|int8|int4", "type of the cache" }, \
    { "--threads", ARGS_INT, &(r).threads, 1, LCTX_MAX_THREADS, "N", "default: all cores" }, \
    { "--chunk", ARGS_INT, &(r).chunk, 1, 1e6, "N", "tokens computed at once; default 256" }

/* Opens r->path as model and vocabulary, and starts the threads. */
void run_open(run *r);
void run_close(run *r);

/* Takes a method by its name: sets r->rope, r->policy, r->quarter, r->far and r->live. */
void run_method(run *r, const char *name);

/* A session under r's settings for n_tokens tokens in all. A factor not given is derived as
   headroom * n_tokens / trained context, at least 1, for yarn at least what a file with YaRN
   declares. Headroom 0 is 1.25 for yarn, which finds needles that the exact factor loses, 1 for
   others; by-parts and llama3 then need a factor. abf takes the base that lctx_rope_advise gives
   for it; dynamic settles on ctx, or else on n_tokens. Far rules keep distances up to half of the
   carried context, the trained one times what the file was tuned to; leaky and self-extend shrink
   the rest so that n_tokens and the headroom fit into it. The schedule becomes r->model.rope, so
   only one session of a run may be in use. */
lctx_session *run_session(run *r, int64_t n_tokens);

/* Of a program with one session: fails where an option that was given does nothing; says on stderr
   where n_tokens reach beyond the distances that the model and its RoPE carry. */
void run_check_options(const run *r);
void run_warn(const run *r, int64_t n_tokens);

void run_feed(lctx_session *s, const int32_t *tokens, int64_t n, lctx_logits which, float *logits);
lctx_session_info run_info(const lctx_session *s);
void run_check(lctx_status status, const char *what);          /* fails if it is not LCTX_OK, and
                                                                  names the option at fault */
void *run_alloc(int64_t n, size_t size);                       /* never null */

/* What a session is of, in lines of text: model, RoPE and cache. */
enum { RUN_LABEL = 1024 };
void run_label(const run *r, char label[RUN_LABEL]);

/* A session to a file, written beside an older one of that name and replacing it only when all is
   there; and back. Lines of text before the session tell its model, RoPE and cache: one made with
   others is refused by what differs. */
void run_save(const run *r, const lctx_session *s, const char *path);
void run_load(const run *r, lctx_session *s, const char *path);

/* The next line of standard input, not to be freed, asked for where stderr is a terminal; 0 at the
   end. */
int run_line(os_file *line);

/* The tokens of n bytes, to be freed; how: of VOCAB_START, _END, _PARSE. */
int32_t *run_encode(const vocab *v, int how, const char *text, int64_t n, int64_t *n_tokens);

/* Of a program that counts bytes as tokens: fails if the vocabulary is another. */
void run_need_bytes(const run *r);

/* A text from a file (path null: standard input), to be freed by os_file_close. */
os_file run_text(const char *path);

/* The next method of a list "a,b,c", written to name; 0 at the end. */
int run_next_word(const char **list, char name[32]);

/* An lctx_progress that draws a bar on stderr if it is a terminal; done == total wipes it. */
int run_progress(void *label, int64_t done, int64_t total);
#endif
