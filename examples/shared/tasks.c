#include "tasks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- likelihood */
enum { PIECE = 256 };

int task_bucket(int64_t position)
{
    int b = 0;
    while (position >= (int64_t)128 << b) b++;
    return b;
}

double task_mean(const task_tally *t) { return t->n ? t->bits / (double)t->n : 0; }

int64_t task_stretch(int64_t all, int64_t i, int64_t of, int64_t n)
{
    return of > 1 ? (all - n) / (of - 1) * i : all - n;
}

void task_bits(lctx_session *s, const vocab *v, const int32_t *tokens, int64_t n, int64_t first,
               double *bits)
{
    float *logits = run_alloc((int64_t)PIECE * v->n, sizeof *logits);
    int64_t i, at, piece;
    if (first > 1) run_feed(s, tokens, first - 1, LCTX_LOGITS_NONE, NULL);
    for (at = first - 1; at < n - 1; at += piece) {
        piece = n - 1 - at < PIECE ? n - 1 - at : PIECE;
        run_feed(s, tokens + at, piece, LCTX_LOGITS_ALL, logits);
        for (i = 0; i < piece; i++)
            bits[at + i + 1] = text_bits(logits + i * v->n, v->n, tokens[at + i + 1]);
    }
    free(logits);
}

/* -------------------------------------------------------------------------------- pass keys */
#define QUESTION "\nWhat is the pass key? The pass key is "
enum { DIGITS = 5 };

/* n bytes of filler from a random place on, going round at the end. */
static void fill(char *to, int64_t n, const os_file *filler, uint64_t *state)
{
    size_t at = (size_t)(text_random(state) % filler->size);
    int64_t i;
    for (i = 0; i < n; i++, at = at + 1 < filler->size ? at + 1 : 0)
        to[i] = ((const char *)filler->data)[at];
}

void task_passkey_text(char *text, int64_t n, double depth, const char *key, int given,
                       const os_file *filler, uint64_t *state)
{
    char needle[80], tail[80];
    int n_needle = snprintf(needle, sizeof needle,
                            "\nThe pass key is %s. Remember it. %s is the pass key.\n", key, key);
    int n_tail = snprintf(tail, sizeof tail, QUESTION "%.*s", given, key);
    int64_t before = (int64_t)(depth * (double)(n - n_needle - n_tail) + 0.5);
    fill(text, n, filler, state);
    memcpy(text + before, needle, (size_t)n_needle);
    memcpy(text + n - n_tail, tail, (size_t)n_tail);
}

/* Whether each digit is the likeliest token after those before it: the same as whether greedy
   decoding gives the key. */
static int answers(lctx_session *s, const vocab *v, const int32_t *tokens, int64_t n,
                   const char *key)
{
    float *logits = run_alloc((int64_t)DIGITS * v->n, sizeof *logits);
    int i, right = 1;
    run_feed(s, tokens, n - DIGITS, LCTX_LOGITS_NONE, NULL);
    run_feed(s, tokens + n - DIGITS, DIGITS, LCTX_LOGITS_ALL, logits);
    for (i = 0; i < DIGITS; i++)
        right &= text_argmax(logits + i * v->n, v->n) == v->token[(unsigned char)key[i]];
    free(logits);
    return right;
}

int task_passkey(lctx_session *s, const vocab *v, const os_file *filler, int64_t n, double depth,
                 uint64_t *state)
{
    char *text = run_alloc(n, 1), key[DIGITS + 1];
    int32_t *tokens;
    int64_t n_tokens;
    int right;
    snprintf(key, sizeof key, "%05d", (int)(text_random(state) % 100000));
    task_passkey_text(text, n - 2, depth, key, DIGITS - 1, filler, state);  /* BOS, last digit: 2 */
    tokens = run_encode(v, VOCAB_START, text, n - 2, &n_tokens);
    right = answers(s, v, tokens, n_tokens, key);
    free(tokens);
    free(text);
    return right;
}

/* -------------------------------------------------------------------------------- ledgers */
typedef struct account { char name[8], value[4]; int given; } account;

static int below(uint64_t *state, int n) { return (int)(text_random(state) % (uint64_t)n); }

/* Three syllables and three digits. */
static void open_account(account *a, uint64_t *state)
{
    int i;
    for (i = 0; i < 3; i++) {
        a->name[2 * i] = "bdfgklmnprstvz"[below(state, 14)];
        a->name[2 * i + 1] = "aeiou"[below(state, 5)];
        a->value[i] = (char)('0' + below(state, 10));
    }
    a->name[0] = (char)(a->name[0] - 'a' + 'A');
}

/* At most n bytes of a line; returns how many there were to write. */
static int64_t put(char *to, int64_t n, const char *line, int64_t length)
{
    memcpy(to, line, (size_t)(length < n ? length : n));
    return length;
}

void task_ledger(char *text, int64_t n, int64_t n_names, const os_file *filler, uint64_t *state,
                 uint8_t *restated)
{
    account *accounts = run_alloc(n_names, sizeof *accounts);
    char line[64];
    int64_t i, at;
    for (i = 0; i < n_names; i++) open_account(&accounts[i], state);
    memset(restated, 0, (size_t)n);
    for (at = 0; at < n;) {
        account *a = &accounts[below(state, (int)n_names)];
        int length;
        if (below(state, 10) == 0) {
            int words = 1 + below(state, 48);
            fill(line, words, filler, state);
            line[words] = '\n';
            at += put(text + at, n - at, line, words + 1);
            if (at >= n) break;
        }
        length = snprintf(line, sizeof line, "%s has %s.\n", a->name, a->value);
        for (i = at + length - 5; i < at + length - 2 && i < n; i++)
            restated[i] = (uint8_t)a->given;
        at += put(text + at, n - at, line, length);
        a->given = 1;
    }
    free(accounts);
}
