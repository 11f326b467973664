/* tasks.h - what is asked of a model with a long context: how likely it finds a text, whether it
   finds a hidden pass key, whether it remembers a ledger. */
#ifndef TASKS_H
#define TASKS_H
#include "run.h"

enum { TASK_BUCKETS = 48 };
typedef struct task_tally { double bits; int64_t n; } task_tally;

/* By position, 0 .. 127 is bucket 0, then each is as long as all before it. */
int    task_bucket(int64_t position);
double task_mean(const task_tally *t);                         /* 0 of none */

/* Where stretch i of `of`, n long each, begins when they are spread evenly over `all`. */
int64_t task_stretch(int64_t all, int64_t i, int64_t of, int64_t n);

/* Feeds the n tokens and writes bits[i] = -log2 p(tokens[i]), given those before it, for i from
   first >= 1 on. The last token is not fed. */
void task_bits(lctx_session *s, const vocab *v, const int32_t *tokens, int64_t n, int64_t first,
               double *bits);

/* Writes n bytes, at least 128, of filler from a random place on, with a key in them at a depth (0
   first, 1 last); they end with the question and the first `given` digits of its answer. */
void task_passkey_text(char *text, int64_t n, double depth, const char *key, int given,
                       const os_file *filler, uint64_t *state);

/* Hides a five-digit key at a depth (0 first, 1 last) in n tokens that end with the question and
   its answer; s is empty, the vocabulary one of bytes. Returns whether greedy decoding would answer right. Draws the key and
   where the filler begins from state. n is at least 128. */
int task_passkey(lctx_session *s, const vocab *v, const os_file *filler, int64_t n, double depth,
                 uint64_t *state);

/* Writes n bytes of records "Tolvik has 482." of n_names random names in random order, now and then
   filler between them. restated[i] is 1 where byte i is a digit of a value given before. */
void task_ledger(char *text, int64_t n, int64_t n_names, const os_file *filler, uint64_t *state,
                 uint8_t *restated);
#endif
