/* Demonstrates lctx in a web page: a model out of a file's bytes, a session over it by settings, a
   text fed piece by piece, and what of the cache its last query read. worker.js calls these.

   Caches do not show which policy a layer's window gave them: "the map" looks inside lctx_session, as
   this file compiles the implementation. All else is the public API. */
#define LCTX_IMPLEMENTATION
#include "crew.h"
#include "tasks.h"
#include <stdio.h>

#define EXPORT(name) __attribute__((export_name(#name)))

static struct {
    model    model;
    vocab    vocab;
    void    *file;                /* the model's bytes */
    int32_t *tokens;              /* [cap] of the text, then those drawn */
    int64_t  n, n_new, cap;       /* n_new: how many may be drawn */
    float   *bits;                /* [cap] -log2 p of each token, given those before it */
    float   *logits;              /* [PIECE][n_vocab] */
    float   *last;                /* in there, after the token fed last */
    uint8_t *seen, *held;         /* [cap / LCTX_TILE + 1] shares of a tile, 255 all of it */
    uint8_t **read;               /* [n_layer][n_head_kv][cap / LCTX_TILE + 1] blocks that were read */
    lctx_session *session;
    lctx_parallel par;
    int32_t  chunk;               /* tokens that a feed computes at once */
    double   factor;              /* of RoPE, as used */
    int32_t  stop;                /* set by the page while a feed runs, where they share memory */
    char     error[320];
} page;

enum {
    PIECE = LCTX_TILE,       /* tokens of a feed, at most */
    LARGE = 1 << 26,         /* bytes of a model that takes long for so many, */
    CHUNK = 16,              /* and looks at stop after these */
    N_SINK = 4,
    READ_SOME = LCTX_POLICY_COUNT      /* beside the policies: keep all, read some */
};

EXPORT(error) const char *page_error(void) { return page.error; }
EXPORT(stop_flag) int32_t *page_stop_flag(void) { return &page.stop; }
EXPORT(threads) void page_threads(int32_t n)
{
    page.par.run = crew_run, page.par.n_threads = n;
}

static int say(const char *text)
{
    snprintf(page.error, sizeof page.error, "%s", text);
    return 1;
}

/* -------------------------------------------------------------------------------- the model */
static void close_session(void)
{
    lctx_session_free(page.session);
    free(page.read);
    page.session = NULL, page.read = NULL;
    page.n = 0;
}

EXPORT(close) void page_close(void)
{
    close_session();
    if (!page.file) return;
    vocab_close(&page.vocab);
    model_close(&page.model);
    free(page.file);
    free(page.logits);
    page.file = NULL, page.logits = NULL;
}

/* Takes over bytes that malloc gave. Returns nonzero where they are no model, and says why. */
EXPORT(open) int page_open(void *data, size_t size)
{
    gguf *file = &page.model.file;
    page_close();
    page.file = data;
    page.chunk = size < LARGE ? PIECE : CHUNK;
    memset(&page.vocab, 0, sizeof page.vocab);
    if (model_open_memory(&page.model, data, size) != GGUF_OK
        || vocab_open(&page.vocab, file, page.model.lctx.n_vocab) != GGUF_OK) {
        say(file->error);
        page_close();
        return 1;
    }
    page.logits = malloc((size_t)PIECE * (size_t)page.vocab.n * sizeof *page.logits);
    if (page.logits) return 0;
    page_close();
    return say("there is no memory for the model's logits");
}

EXPORT(trained) double page_trained(void) { return (double)page.model.trained; }
EXPORT(layers) int32_t page_layers(void) { return page.model.lctx.n_layer; }
EXPORT(chunk) int32_t page_chunk(void) { return page.chunk; }
EXPORT(of_bytes) int page_of_bytes(void) { return page.vocab.bytes_only; }      /* a token each */

/* -------------------------------------------------------------------------------- the text */
static int reserve(int64_t cap)
{
    const size_t tiles = (size_t)(cap / LCTX_TILE + 1);
    free(page.tokens), free(page.bits), free(page.seen), free(page.held);
    page.tokens = malloc((size_t)cap * sizeof *page.tokens);
    page.bits = calloc((size_t)cap, sizeof *page.bits);
    page.seen = malloc(tiles);
    page.held = malloc(tiles);
    page.cap = cap;
    return !page.tokens || !page.bits || !page.seen || !page.held;
}

/* Makes n bytes tokens, with room for n_new more. Returns their number, or -1. */
EXPORT(encode) int32_t page_encode(const char *text, size_t n, int32_t n_new)
{
    close_session();
    page.n_new = n_new;
    if (reserve(vocab_most(n) + n_new)) return say("there is no memory for so long a text"), -1;
    page.n = vocab_encode(&page.vocab, VOCAB_START, text, n, NULL, page.tokens);
    if (page.n < 0) say("there is no memory for so long a text");
    if (!page.n) return say("the text is empty"), -1;
    return (int32_t)page.n;
}

/* A text of n bytes out of filler that hides a key of five digits, written to `key`. */
EXPORT(passkey) void page_passkey(char *text, int32_t n, double depth, char *key,
                                  const char *filler, size_t n_filler, double seed)
{
    const os_file file = { filler, n_filler, 0 };
    uint64_t state = (uint64_t)seed;
    snprintf(key, 6, "%05d", (int)(text_random(&state) % 100000));
    task_passkey_text(text, n, depth, key, 0, &file, &state);
}

/* -------------------------------------------------------------------------------- a session */
/* A scheme's factor that is not given goes by the text's length; YaRN's is a quarter above it, and
   not below what the file was tuned with. */
static double derived_factor(int32_t scheme, double stretch)
{
    const lctx_rope_desc *file = &page.model.rope_desc;
    if (scheme < 0 || stretch <= 1) stretch = 1;
    else if (scheme == LCTX_ROPE_YARN) stretch *= 1.25;
    return scheme == LCTX_ROPE_YARN && file->scheme == scheme ? fmax(stretch, file->factor)
                                                             : stretch;
}

static lctx_status set_rope(int32_t scheme, double factor, double n_tokens)
{
    lctx_rope_desc d = page.model.rope_desc;
    if (scheme >= 0) d.scheme = scheme, d.factor = 0;
    if (scheme >= 0 || factor > 0) d.attn_factor = 0;         /* it went with the factor */
    if (factor > 0) d.factor = factor;
    if (d.factor <= 0) d.factor = derived_factor(scheme, n_tokens / d.orig_ctx);
    if (d.scheme == LCTX_ROPE_PLAIN) d.factor = 1;
    if (d.scheme == LCTX_ROPE_DYNAMIC || d.scheme == LCTX_ROPE_LONGROPE) d.ctx = n_tokens;
    page.factor = d.factor;
    return lctx_rope_init(&page.model.rope, &d);
}

static int on_progress(void *user, int64_t done, int64_t total)
{
    (void)user, (void)done, (void)total;
    return __atomic_load_n(&page.stop, __ATOMIC_RELAXED);
}

/* keep: how many tokens a cache that forgets holds, or a query that chooses reads. */
static void set_policy(lctx_session_desc *d, int32_t policy, int32_t keep)
{
    d->policy = policy == READ_SOME ? LCTX_FULL : policy;
    if (policy != LCTX_FULL && policy != LCTX_WINDOW) d->n_sink = N_SINK;
    if (policy == LCTX_WINDOW || policy == LCTX_SINKS) d->window = keep - d->n_sink;
    if (policy == LCTX_HEAVY) d->window = keep / 2, d->n_heavy = keep - d->n_sink - d->window;
    if (policy == READ_SOME) d->window = LCTX_TILE, d->n_read = keep - 2 * LCTX_TILE;
    if (policy == READ_SOME && d->n_read < 1) d->n_read = 1;
}

/* Far distances shrink to those that the model carries; with a window, they stop at it. */
static lctx_far_rule set_far(int32_t kind, int64_t window, double n_tokens)
{
    const lctx_rope_desc *file = &page.model.rope_desc;
    const double all = (double)page.model.trained * fmax(1, file->factor), near = floor(all / 2);
    const double shrink = n_tokens > all ? (n_tokens - near) / (all - near) : 1;
    lctx_far_rule rule = { .kind = kind };
    rule.window = window ? window : (int64_t)near;
    if (kind == LCTX_FAR_LEAKY) rule.leak = shrink;
    if (kind == LCTX_FAR_GROUP) rule.group = (int32_t)ceil(shrink);
    return rule;
}

/* Room to be told what queries read, in one piece. */
static uint8_t **read_of_layers(void)
{
    const lctx_model *m = &page.model.lctx;
    const size_t blocks = (size_t)m->n_head_kv * (size_t)(page.cap / LCTX_TILE + 1);
    const size_t layers = (size_t)m->n_layer;
    uint8_t **read = calloc(layers, sizeof *read + blocks);
    size_t i;
    for (i = 0; read && i < layers; i++) read[i] = (uint8_t *)(read + layers) + i * blocks;
    return read;
}

/* scheme -1: as the file has it. Returns nonzero where the settings cannot be, and says why. */
EXPORT(begin) int page_begin(int32_t scheme, double factor, int32_t far, int32_t policy,
                             int32_t keep, int32_t type)
{
    const double n_tokens = (double)(page.n + page.n_new);
    lctx_refusal refused = {0};
    lctx_session_desc d = {0};
    lctx_status status = set_rope(scheme, factor, n_tokens);
    lctx_far_rule rule;
    if (status) return say(lctx_status_text(status));
    d.k_type = d.v_type = type;
    set_policy(&d, policy, keep);
    rule = set_far(far, d.window, n_tokens);
    if (far) d.far_rule = &rule;
    if (d.n_read && !(page.read = read_of_layers())) return say(lctx_status_text(LCTX_E_MEMORY));
    d.read = page.read;
    d.block = LCTX_TILE, d.chunk = page.chunk;
    d.par = &page.par;
    d.progress = on_progress;
    d.refused = &refused;
    page.stop = 0;
    status = lctx_session_create(&page.model.lctx, &d, &page.session);
    if (status) lctx_refusal_text(&refused, page.error, sizeof page.error);
    return status != LCTX_OK;
}

EXPORT(factor) double page_factor(void) { return page.factor; }

EXPORT(cache_bytes) double page_cache_bytes(void)
{
    lctx_session_info info = {0};
    lctx_session_get_info(page.session, &info);
    return (double)info.cache_bytes;
}

/* Of a token after the i-th that was fed last. */
static float bits_of(int32_t i, int32_t token)
{
    return (float)text_bits(page.logits + (size_t)i * (size_t)page.vocab.n, page.vocab.n, token);
}

/* Feeds n <= PIECE tokens, the last by itself, so that what is read is what it read. Returns 0, -1
   where it was stopped, or 1, and says why. */
EXPORT(feed) int page_feed(int32_t from, int32_t n)
{
    const int32_t *tokens = page.tokens + from, before = n - 1;
    lctx_session_info info = {0};
    lctx_status status = LCTX_OK;
    int32_t i;
    if (before) status = lctx_session_feed(page.session, tokens, before, LCTX_LOGITS_ALL,
                                           page.logits);
    if (!status) status = lctx_session_feed(page.session, tokens + before, 1, LCTX_LOGITS_LAST,
                                            page.logits + (size_t)before * (size_t)page.vocab.n);
    if (status == LCTX_E_CANCELLED) return -1;
    if (status) {
        lctx_session_get_info(page.session, &info);
        lctx_refusal_text(&info.refused, page.error, sizeof page.error);
        return 1;
    }
    for (i = 0; i < n && from + i + 1 < page.n; i++)
        page.bits[from + i + 1] = bits_of(i, page.tokens[from + i + 1]);
    page.last = page.logits + (size_t)(n - 1) * (size_t)page.vocab.n;
    return 0;
}

/* The likeliest next token, put behind the others to be fed; -1 where it ends the text. */
EXPORT(draw) int32_t page_draw(void)
{
    const int32_t token = text_argmax(page.last, page.vocab.n);
    if (page.vocab.ends[token] || page.n == page.cap) return -1;
    page.bits[page.n] = (float)text_bits(page.last, page.vocab.n, token);
    page.tokens[page.n++] = token;
    return token;
}

EXPORT(bits) const float *page_bits(void) { return page.bits; }
EXPORT(piece) const char *page_piece(int32_t token) { return vocab_text(&page.vocab, token).text; }
EXPORT(piece_bytes) size_t page_piece_bytes(int32_t token)
{
    return vocab_text(&page.vocab, token).n;
}

/* -------------------------------------------------------------------------------- the map */
/* Whether the query at m sees the key at position j, which is in its layer's cache. */
static int sees(const lctx_session *s, int32_t layer, int64_t m, int64_t j)
{
    const lctx_cache_desc *d = &s->cache[layer]->d;
    const lctx_pattern *p = s->m.layers[layer].pattern;
    const int windowed = d->policy == LCTX_WINDOW || d->policy == LCTX_SINKS;
    if (p && p->kind == LCTX_PATTERN_BLOCKS && j / p->length < m / p->length - p->back) return 0;
    return !windowed || m - j < d->window || (d->policy == LCTX_SINKS && j < d->n_sink);
}

/* Adds the keys of a span, of all heads, to the tiles that their positions are in. A block is a
   tile. */
static void count_span(const lctx_span *span, int32_t layer, const uint8_t *chosen, float *seen,
                       float *held)
{
    const lctx_session *s = page.session;
    const int64_t n_block = s->cache[layer]->n_slot;
    const char *pos = (const char *)span->k_pos;
    int64_t i, j, step = span->k_pos_head ? span->k_pos_head : span->n * (int64_t)sizeof(int64_t);
    int32_t g;
    for (g = 0; g < s->m.n_head_kv; g++)
        for (i = 0; i < span->n; i++) {
            j = !pos ? span->pos + i : ((const int64_t *)(pos + (step > 0 ? step * g : 0)))[i];
            held[j / LCTX_TILE]++;
            seen[j / LCTX_TILE] += (float)(chosen ? chosen[g * n_block + j / LCTX_TILE]
                                                  : sees(s, layer, s->n - 1, j));
        }
}

static uint8_t share(float count, float of) { return (uint8_t)(ceilf(255 * count / of)); }

/* What a layer's cache holds, by tiles of positions, and what of it the last query read: of all KV
   heads together. Returns the number of tiles: none where nothing was fed, or memory is lacking. */
EXPORT(map) int32_t page_map(int32_t layer)
{
    const lctx_session *s = page.session;
    const int64_t tiles = s ? (s->n + LCTX_TILE - 1) / LCTX_TILE : 0;
    const uint8_t *chosen = tiles && s->cache[layer]->d.summaries ? page.read[layer] : NULL;
    float *counts = calloc((size_t)tiles * 2 + 1, sizeof *counts);
    lctx_span *spans = NULL;
    int64_t i, n = 0;
    if (tiles) lctx_cache_spans(s->cache[layer], NULL, 0, &n);
    if (n) spans = malloc((size_t)n * sizeof *spans);
    if (!counts || !spans) n = 0;
    if (n) lctx_cache_spans(s->cache[layer], spans, n, &n);
    for (i = 0; i < n; i++) count_span(&spans[i], layer, chosen, counts, counts + tiles);
    for (i = 0; n && i < tiles; i++) {
        const int64_t left = s->n - i * LCTX_TILE;
        const float of = (float)(s->m.n_head_kv * (left < LCTX_TILE ? left : LCTX_TILE));
        page.seen[i] = share(counts[i], of);
        page.held[i] = share(counts[tiles + i], of);
    }
    free(counts), free(spans);
    return n ? (int32_t)tiles : 0;
}
EXPORT(seen) const uint8_t *page_seen(void) { return page.seen; }
EXPORT(held) const uint8_t *page_held(void) { return page.held; }
