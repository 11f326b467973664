#include "token.h"
#include "unicode.h"
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- merging */
/* A stretch of the word that is one piece, or one character on its way to be; n 0: it was merged
   into its left neighbour. */
typedef struct symbol { const char *text; int32_t n, token, left, right; } symbol;

/* Two neighbours that would make a piece; least key first, the first of equals. */
typedef struct pair { float key; int32_t left, right, n, made; } pair;

typedef struct work {
    const vocab *v;
    symbol      *symbol;
    pair        *heap;
    size_t       n_heap, cap_symbol, cap_heap;
    int32_t     *out;
    int64_t      n_out;
    int          failed;
} work;

static int before(const pair *a, const pair *b)
{
    return a->key < b->key || (a->key == b->key && a->left < b->left);
}

/* Adds a pair to the heap. */
static void push(work *w, const pair *p)
{
    size_t i = w->n_heap;
    if (i == w->cap_heap) {
        size_t cap = 2 * i + 64;
        pair *more = realloc(w->heap, cap * sizeof *more);
        if (!more) { w->failed = 1; return; }
        w->heap = more;
        w->cap_heap = cap;
    }
    for (w->n_heap++; i && before(p, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = *p;
}

/* Takes the first pair; there is one. */
static pair pop(work *w)
{
    const pair first = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < w->n_heap) {
        if (child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

/* Puts two neighbours onto the heap if they make a piece. */
static void consider(work *w, int32_t left, int32_t right)
{
    const vocab *v = w->v;
    pair p = { 0, left, right, 0, -1 };
    if (left < 0 || right < 0) return;
    p.n = w->symbol[left].n + w->symbol[right].n;
    if (v->merge) {
        const vocab_merge *m = vocab_find_merge(v, w->symbol[left].token, w->symbol[right].token);
        if (m) p.made = m->made, p.key = (float)m->rank;
    } else {
        p.made = vocab_find_text(v, w->symbol[left].text, (size_t)p.n);
        if (p.made >= 0) p.key = -v->score[p.made];
    }
    if (p.made >= 0) push(w, &p);
}

/* Cuts a word into characters, or bytes where those are what is merged. Returns their number. */
static int32_t spell(work *w, const char *text, size_t n)
{
    const vocab *v = w->v;
    int32_t i = 0;
    size_t at, length;
    if (n > w->cap_symbol) {
        symbol *more = n < INT32_MAX / 4 ? realloc(w->symbol, 2 * n * sizeof *more) : NULL;
        if (!more) return w->failed = 1, 0;
        w->symbol = more;
        w->cap_symbol = 2 * n;
    }
    for (at = 0; at < n; at += length, i++) {
        symbol *s = &w->symbol[i];
        length = v->byte_level ? 1 : unicode_length((unsigned char)text[at]);
        if (length > n - at) length = n - at;
        s->text = text + at;
        s->n = (int32_t)length;
        s->token = vocab_find_text(v, text + at, length);
        s->left = i - 1;
        s->right = at + length < n ? i + 1 : -1;
    }
    return i;
}

/* Writes a symbol's token, or those of its bytes. */
static void put_symbol(work *w, const symbol *s)
{
    int32_t i;
    if (s->token >= 0) w->out[w->n_out++] = s->token;
    else for (i = 0; i < s->n; i++) w->out[w->n_out++] = w->v->token[(unsigned char)s->text[i]];
}

/* Merges a word of n >= 1 bytes as far as it goes and writes its tokens. */
static void merge_word(work *w, const char *text, size_t n)
{
    int32_t count = spell(w, text, n), i;
    w->n_heap = 0;
    for (i = 1; i < count; i++) consider(w, i - 1, i);
    while (w->n_heap && !w->failed) {
        const pair p = pop(w);
        symbol *a = &w->symbol[p.left], *b = &w->symbol[p.right];
        if (!a->n || !b->n || a->n + b->n != p.n) continue;         /* one of them has changed */
        a->n = p.n;
        a->token = p.made;
        a->right = b->right;
        b->n = 0;
        if (a->right >= 0) w->symbol[a->right].left = p.left;
        consider(w, a->left, p.left);
        consider(w, p.left, a->right);
    }
    for (i = 0; count && i >= 0; i = w->symbol[i].right) put_symbol(w, &w->symbol[i]);
}

/* -------------------------------------------------------------------------------- texts */
/* Marks where words begin that no merge joins: after the rules' words, where they cut, each space
   behind another character unless a piece holds both. */
static void mark_words(const vocab *v, const char *text, size_t n, uint8_t *cut)
{
    size_t i;
    if (v->words) words_split(v->words, text, n, cut);
    else memset(cut, 0, n + 1), cut[0] = cut[n] = 1;
    if (v->byte_level || !v->spaces || v->inner_space) return;
    for (i = 1; i < n; i++) cut[i] |= text[i] == ' ' && text[i - 1] != ' ';
}

/* Whether a word that is a piece is one token whatever the merges say. */
static int is_whole(const vocab *v, const char *text, size_t n)
{
    size_t i;
    if (!v->words || words_whole(v->words)) return v->words != NULL;
    for (i = 0; i < n && text[i] == '\n'; i++) {}
    return !v->byte_level && i == n;
}

static void put_words(work *w, const char *text, size_t n, uint8_t *cut)
{
    const vocab *v = w->v;
    size_t from, to;
    mark_words(v, text, n, cut);
    for (from = 0; from < n && !w->failed; from = to) {
        int32_t whole;
        to = from + 1;
        while (!cut[to]) to++;
        whole = is_whole(v, text + from, to - from)
                    ? vocab_find_text(v, text + from, to - from) : -1;
        if (whole >= 0) w->out[w->n_out++] = whole;
        else merge_word(w, text + from, to - from);
    }
}

/* Copies a text as it is merged: U+FFFD where words are cut from broken UTF-8, spaces for U+2581,
   one before it. to: room for 3 n + 1. */
static size_t prepare(const vocab *v, const char *text, size_t n, int space, char *to)
{
    size_t at, length, size = 0;
    uint32_t c;
    if (space) to[size++] = ' ';
    if (!v->words) {
        memcpy(to + size, text, n);
        size += n;
    } else {
        for (at = 0; at < n; at += length ? length : 1) {
            length = unicode_get(text + at, n - at, &c);
            size += unicode_put(to + size, length ? c : 0xFFFD);
        }
    }
    return v->spaces ? vocab_space_out(to, size) : size;
}

/* Writes the tokens of a stretch of text without special tokens. */
static void put_text(work *w, const char *text, size_t n, int space)
{
    char *copy;
    uint8_t *cut;
    if (!n || w->failed) return;
    copy = n < SIZE_MAX / 8 ? malloc(3 * n + 1) : NULL;
    cut = n < SIZE_MAX / 8 ? malloc(3 * n + 2) : NULL;
    if (copy && cut) put_words(w, copy, prepare(w->v, text, n, space, copy), cut);
    else w->failed = 1;
    free(copy);
    free(cut);
}

/* --------------------------------------------------------------------------- special tokens */
/* A special token's name found in a text. */
typedef struct match { size_t at, n; int32_t token; } match;
typedef struct matches { match *item; size_t n, cap; int failed; } matches;

static void add_match(matches *m, size_t at, const vocab_special *s)
{
    if (m->n == m->cap) {
        size_t cap = 2 * m->cap + 16;
        match *more = realloc(m->item, cap * sizeof *more);
        if (!more) { m->failed = 1; return; }
        m->item = more;
        m->cap = cap;
    }
    m->item[m->n].at = at;
    m->item[m->n].n = s->name.n;
    m->item[m->n++].token = s->token;
}

/* The first of special[low .. high - 1], which all have more than k bytes or end there, whose byte
   k is at least c. */
static size_t narrow(const vocab *v, size_t low, size_t high, size_t k, int c)
{
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const gguf_string name = v->special[middle].name;
        if (name.n <= k || (unsigned char)name.text[k] < c) low = middle + 1; else high = middle;
    }
    return low;
}

/* Adds all names that begin at `at`: the sorted list is narrowed down byte by byte. */
static void match_at(const vocab *v, int how, const char *text, size_t n, const char *plain,
                     size_t at, matches *m)
{
    size_t low = 0, high = v->n_special, k;
    int marked = !(how & VOCAB_PARSE);
    for (k = 0; at + k < n && low < high; k++) {
        const unsigned char c = (unsigned char)text[at + k];
        marked |= plain && plain[at + k];
        low = narrow(v, low, high, k, c);
        high = narrow(v, low, high, k, c + 1);
        if (low < high && v->special[low].name.n == k + 1) {
            if (!marked || v->type[v->special[low].token] == VOCAB_USER)
                add_match(m, at, &v->special[low]);
            low++;
        }
    }
}

/* Longer names first, then lower ids, then as they stand. */
static int compare_matches(const void *a, const void *b)
{
    const match *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? 1 : -1;
    if (x->token != y->token) return x->token < y->token ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int compare_places(const void *a, const void *b)
{
    const match *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Keeps the matches that overlap none before them in that order; `taken`: [n] zeros. One that is
   no longer than those kept covers an end of any that it overlaps. */
static void keep_apart(matches *m, char *taken)
{
    size_t i, kept = 0;
    if (m->n) qsort(m->item, m->n, sizeof *m->item, compare_matches);
    for (i = 0; i < m->n; i++) {
        const match x = m->item[i];
        if (taken[x.at] || taken[x.at + x.n - 1]) continue;
        memset(taken + x.at, 1, x.n);
        m->item[kept++] = x;
    }
    m->n = kept;
    if (m->n) qsort(m->item, m->n, sizeof *m->item, compare_places);
}

static void find_specials(const vocab *v, int how, const char *text, size_t n, const char *plain,
                          matches *m)
{
    char *taken;
    size_t i;
    for (i = 0; i < n && v->n_special; i++) match_at(v, how, text, n, plain, i, m);
    if (!m->n || m->failed) return;
    taken = calloc(n, 1);
    if (taken) keep_apart(m, taken);
    else m->failed = 1;
    free(taken);
}

/* A space goes before each stretch of text that begins a text or follows a special token. */
static void put_all(work *w, int how, const char *text, size_t n, const matches *m)
{
    const vocab *v = w->v;
    int space = v->add_space && (how & VOCAB_START);
    size_t at = 0, i;
    if ((how & VOCAB_START) && v->add_bos) w->out[w->n_out++] = v->bos;
    for (i = 0; i < m->n; i++) {
        const match *x = &m->item[i];
        if (x->at < at) continue;               /* it was eaten */
        if (x->at > at) put_text(w, text + at, x->at - at, space);
        w->out[w->n_out++] = x->token;
        space = v->add_space;
        at = x->at + x->n;
        if (v->strips && !gguf_string_is(v->name[x->token], "<unk>")
            && !gguf_string_is(v->name[x->token], "<s>")
            && !gguf_string_is(v->name[x->token], "<|endoftext|>"))
            while (at < n && unicode_blank(text[at])) at++;
    }
    put_text(w, text + at, n - at, space);
    if ((how & VOCAB_END) && v->add_eos) w->out[w->n_out++] = v->eos;
}

int64_t vocab_most(size_t n) { return 4 * (int64_t)n + 5; }

int64_t vocab_encode(const vocab *v, int how, const char *text, size_t n, const char *plain,
                     int32_t *tokens)
{
    matches m = {0};
    work w = {0};
    w.v = v;
    w.out = tokens;
    find_specials(v, how, text, n, plain, &m);
    w.failed = m.failed;
    if (!w.failed) put_all(&w, how, text, n, &m);
    free(m.item);
    free(w.symbol);
    free(w.heap);
    return w.failed ? -1 : w.n_out;
}
