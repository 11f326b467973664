#include "shorten.h"
#include "tasks.h"
#include <stdlib.h>
#include <string.h>

enum { PIECE = 100, TWICE = 2 };      /* tokens of a part and of a segment; the paper's k */

typedef struct unit { int64_t at, n; double worth; } unit;

static int is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* Whether a unit of this kind begins with token i: a word with the space before it. */
static int begins(const vocab *v, const shorten_prompt *p, shorten_unit kind, int64_t i)
{
    const gguf_string now = vocab_text(v, p->tokens[i]);
    gguf_string before;
    char last;
    if (i == p->first || kind == SHORTEN_TOKEN) return 1;
    if (!now.n || !is_space(now.text[0])) return 0;
    before = vocab_text(v, p->tokens[i - 1]);
    last = before.n ? before.text[before.n - 1] : 'x';
    return !is_space(last) && (kind == SHORTEN_WORD || last == '.' || last == '!' || last == '?');
}

/* The units from token `from` on, worth what their bits sum to; as many as hold `most` tokens or
   more, or reach the end. */
static int64_t cut(const vocab *v, const shorten_prompt *p, shorten_unit kind, int64_t from,
                   int64_t most, const double *bits, unit *units)
{
    int64_t n = 0, i;
    for (i = from; i < p->end; i++) {
        if (i == from || begins(v, p, kind, i)) {
            if (i - from >= most) break;
            units[n].at = i, units[n].n = 0, units[n++].worth = 0;
        }
        units[n - 1].n++;
        if (bits) units[n - 1].worth += bits[i];
    }
    return n;
}

static int by_worth(const void *a, const void *b)
{
    const unit *x = a, *y = b;
    if (x->worth < y->worth || x->worth > y->worth) return x->worth < y->worth ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Keeps those of most worth until the next does not fit, or until there are as many; returns how
   many tokens that are. */
static int64_t keep_best(unit *units, int64_t n, int64_t most, int until, uint8_t *keep)
{
    int64_t i, kept = 0;
    qsort(units, (size_t)n, sizeof *units, by_worth);
    for (i = 0; i < n && (until ? kept < most : kept + units[i].n <= most); i++) {
        memset(keep + units[i].at, 1, (size_t)units[i].n);
        kept += units[i].n;
    }
    return kept;
}

/* -log2 p of each token but the first, given all before it. */
static double *bits_of(run *r, const shorten_prompt *p)
{
    double *bits = run_alloc(p->n, sizeof *bits);
    lctx_session *s = run_session(r, p->n);
    task_bits(s, &r->vocab, p->tokens, p->n, 1, bits);
    lctx_session_free(s);
    return bits;
}

static void keep_ends(const shorten_prompt *p, uint8_t *keep)
{
    memset(keep, 0, (size_t)p->n);
    memset(keep, 1, (size_t)p->first);
    memset(keep + p->end, 1, (size_t)(p->n - p->end));
}

void shorten_selective(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep)
{
    double *bits = bits_of(r, p);
    unit *units = run_alloc(p->n, sizeof *units);
    keep_ends(p, keep);
    keep_best(units, cut(&r->vocab, p, p->unit, p->first, p->n, bits, units), most, 0, keep);
    free(units);
    free(bits);
}

/* Minus the mean bits of the question behind BOS and one part. */
static double asked_of(run *r, const shorten_prompt *p, const unit *part)
{
    const int64_t n_question = p->n - p->end, before = p->first + part->n, n = before + n_question;
    int32_t *tokens = run_alloc(n, sizeof *tokens);
    double *bits = run_alloc(n, sizeof *bits), sum = 0;
    lctx_session *s = run_session(r, n);
    int64_t i;
    memcpy(tokens, p->tokens, (size_t)p->first * sizeof *tokens);
    memcpy(tokens + p->first, p->tokens + part->at, (size_t)part->n * sizeof *tokens);
    memcpy(tokens + before, p->tokens + p->end, (size_t)n_question * sizeof *tokens);
    task_bits(s, &r->vocab, tokens, n, before, bits);
    for (i = before; i < n; i++) sum += bits[i];
    lctx_session_free(s);
    free(tokens);
    free(bits);
    return -sum / (double)n_question;
}

/* Parts of about a hundred tokens, of whole words, by their own mean bits or the question's behind
   them; the best stay. */
static void keep_parts(run *r, const shorten_prompt *p, int64_t most, int asks, uint8_t *keep)
{
    double *bits = bits_of(r, p);
    unit *parts = run_alloc(p->n, sizeof *parts), *words = run_alloc(p->n, sizeof *words);
    int64_t n = 0, at, i;
    for (at = p->first; at < p->end; at += parts[n++].n) {
        const int64_t n_words = cut(&r->vocab, p, SHORTEN_WORD, at, PIECE, bits, words);
        parts[n].at = at, parts[n].n = 0, parts[n].worth = 0;
        for (i = 0; i < n_words; i++)
            parts[n].n += words[i].n, parts[n].worth += words[i].worth;
        parts[n].worth /= (double)parts[n].n;
        if (asks && p->end < p->n) parts[n].worth = asked_of(r, p, &parts[n]);
    }
    keep_best(parts, n, most, 1, keep);
    free(words);
    free(parts);
    free(bits);
}

/* What is kept of a prompt, as one of its own; token i of it is from[i]. */
static shorten_prompt kept_of(const shorten_prompt *p, const uint8_t *keep, int32_t *tokens,
                              int64_t *from)
{
    shorten_prompt q = { tokens, 0, p->first, 0, p->unit };
    int64_t i;
    for (i = 0; i < p->n; i++) {
        if (i == p->end) q.end = q.n;
        if (keep[i]) tokens[q.n] = p->tokens[i], from[q.n++] = i;
    }
    if (p->end == p->n) q.end = q.n;
    return q;
}

/* A session that holds what was kept so far, and the logits behind it. */
typedef struct reader {
    const vocab *v;
    lctx_session *s;
    float *next, *logits;         /* [n_vocab], [...][n_vocab] */
    double share, due;            /* that stays of each segment; what others left of theirs */
    unit *units;
    double *bits;
} reader;

/* Bits of n tokens, each given what was kept and those before it; then they are forgotten. */
static void ask(reader *d, const int32_t *tokens, int64_t n, double *bits)
{
    const int64_t held = run_info(d->s).n;
    const int32_t n_vocab = d->v->n;
    int64_t i;
    run_feed(d->s, tokens, n, LCTX_LOGITS_ALL, d->logits);
    for (i = 0; i < n; i++)
        bits[i] = text_bits(i ? d->logits + (i - 1) * n_vocab : d->next, n_vocab, tokens[i]);
    run_check(lctx_session_rewind(d->s, held), "session");
}

/* The segment from `at` on: its rarest units stay, are marked and read. Returns its length. */
static int64_t segment(reader *d, const shorten_prompt *q, int64_t at, uint8_t *keep)
{
    const int64_t n_units = cut(d->v, q, q->unit, at, PIECE, NULL, d->units);
    const int64_t n = d->units[n_units - 1].at + d->units[n_units - 1].n - at;
    int32_t *tokens = run_alloc(n, sizeof *tokens);
    int64_t i, kept = 0;
    ask(d, q->tokens + at, n, d->bits + at);
    cut(d->v, q, q->unit, at, PIECE, d->bits, d->units);
    d->due += d->share * (double)n;
    d->due -= (double)keep_best(d->units, n_units, (int64_t)d->due, 0, keep);
    for (i = at; i < at + n; i++) if (keep[i]) tokens[kept++] = q->tokens[i];
    if (kept) run_feed(d->s, tokens, kept, LCTX_LOGITS_LAST, d->next);
    free(tokens);
    return n;
}

static void lingua(run *r, const shorten_prompt *p, int64_t most, int asks, uint8_t *keep)
{
    int32_t *tokens = run_alloc(p->n, sizeof *tokens);
    int64_t *from = run_alloc(p->n, sizeof *from), i;
    uint8_t *stays = run_alloc(p->n, 1);
    shorten_prompt q;
    reader d = {0};
    keep_ends(p, keep);
    keep_parts(r, p, TWICE * most, asks, keep);
    q = kept_of(p, keep, tokens, from);
    d.v = &r->vocab, d.s = run_session(r, q.n);
    d.next = run_alloc(d.v->n, sizeof *d.next);
    d.logits = run_alloc(q.n * d.v->n, sizeof *d.logits);
    d.units = run_alloc(q.n, sizeof *d.units), d.bits = run_alloc(q.n, sizeof *d.bits);
    d.share = (double)most / (double)(q.end > q.first ? q.end - q.first : 1);
    if (d.share > 1) d.share = 1;
    if (q.first) run_feed(d.s, tokens, q.first, LCTX_LOGITS_LAST, d.next);
    keep_ends(&q, stays);
    for (i = q.first; i < q.end;) i += segment(&d, &q, i, stays);
    for (i = 0; i < q.n; i++) keep[from[i]] = stays[i];
    lctx_session_free(d.s);
    free(d.next), free(d.logits), free(d.units), free(d.bits);
    free(tokens), free(from), free(stays);
}

void shorten_lingua(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep)
{
    lingua(r, p, most, 0, keep);
}

void shorten_long_lingua(run *r, const shorten_prompt *p, int64_t most, uint8_t *keep)
{
    lingua(r, p, most, 1, keep);
}
