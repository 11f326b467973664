/* test_attention.c - floor 2: attention over spans, merging, the native layout.
   A problem says what is asked; a scene is a problem with its memory: the keys as the library gets
   them, and the same keys, rounded, as the oracle gets them. */
#define _DEFAULT_SOURCE 1
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

#include <float.h>
#include <math.h>
#if TEST_PAGES
#  include <setjmp.h>
#  include <signal.h>
#  include <sys/mman.h>
#  include <time.h>
#endif

enum { LEAF = 8 * LCTX_TILE, SKIP = 13, MOST_SPANS = 128 };

typedef enum store { TOKENS, HEADS, ODD, TILES, LATENT, STORES } store;
static const char *const store_names[] = { "[token][head]", "[head][token]", "odd strides",
                                           "tiles", "latent tiles" };
static const char *const type_names[] = { "f32", "f16", "bf16", "int8", "int4" };
static const lctx_type every_type[] = { LCTX_F32, LCTX_F16, LCTX_BF16, LCTX_I8 };

typedef enum cut { ONE, FEW, MANY, CUTS } cut;       /* spans: one; 0, 1, 16, the rest;
61 keys each */
typedef enum bias { NO_BIAS, DENSE, SAME_HEADS, SAME_QUERIES, HOLES, WALLS, WALLS_SAME_HEADS,
                    WALLS_SAME_QUERIES, BIASES } bias;

typedef struct problem {
    int32_t n_head, n_head_kv, d_k, d_v;
    int64_t n_q, n_kv;
    int32_t k_type, v_type;
    store store;
    cut cut;
    int64_t gap;             /* positions left out between spans */
    int32_t falling;         /* nonzero: later spans stand at earlier positions */
    int32_t listed;          /* 1: positions are listed, gaps between them; 2: head by head */
    int32_t far;             /* nonzero: every other span is scored with the far query */
    int64_t q_back;          /* the last query stands this many positions before the last key */
    int32_t mask, n_sink;
    int64_t window, right;
    float scale, softcap, sharp;      /* sharp: factor of the queries; 0 = 1 */
    int32_t alibi;
    float sink;              /* sink logits +sink, -sink, ... ; 0 = none */
    bias bias;
    int32_t patterned;       /* nonzero: under `pattern` */
    lctx_pattern pattern;
    int32_t groups;          /* spans and queries take turns in groups 0 .. groups; 0 = none */
    int32_t n_rot;           /* nonzero: keys and queries are raw, and so many dimensions turn */
    int32_t pairing;
    int64_t n_hat, far_pos;
    float xpos;              /* its base; 0 = none */
    int32_t yarn;            /* nonzero: a schedule with an attention factor and a scale_mul */
    lctx_far_rule rule;
    int32_t precise;
    int32_t lists;           /* 1: one list for all heads; 2: KV head by KV head; 3: head by head */
    int32_t list_keys, list_share;      /* of 100 blocks so many are listed */
    int64_t list_queries;
    int32_t bits;            /* a mask of bits: 1 a row each; 2 one for heads; 3 for queries; 4 one */
} problem;

typedef struct scene {
    problem p;
    float *q, *q_far, *alibi, *sink, *bias;
    int64_t *q_pos, *k_pos, *list;                  /* list [n_head_kv][n_kv], if positions are */
    int32_t *q_group, *k_group, *blocks;
    uint64_t *bits;
    unsigned char *seen;             /* [n_head][n_q][n_kv], of lists and bits; or null */
    oracle_pattern pattern;          /* the oracle's */
    lctx_rope rope;
    oracle_rope oracle_rope;
    unsigned char *far;
    float *k, *v, *k_factor, *v_factor;             /* the oracle's */
    int64_t taken;                                  /* of these elements, out of tiles */
    unsigned char *k_base, *v_base, *k_mem, *v_mem; /* the library's rows, and their allocations */
    float *k_scale, *v_scale;
    int64_t k_token, k_head, v_token, v_head, s_token, s_head;      /* their strides, bytes */
    lctx_tiles tiles;
    void *tiles_mem;
    lctx_span spans[MOST_SPANS];
    lctx_attn attn;
    float *out, *lse;
} scene;

static int full(void)   { return getenv("TEST_FULL") != NULL; }
static int slow(void)   { return test_sampled() || getenv("TEST_QUICK"); }
/* Emulated, or watched by a sanitizer? */
static int watched(void) { return getenv("TEST_QUICK") || getenv("TEST_SLOW"); }

/* Does this instruction set, on this CPU, multiply the type by dot products? */
#ifndef LCTX_BF16_DOTS
#  if defined(__GNUC__) && defined(__x86_64__)
#    define LCTX_BF16_DOTS __builtin_cpu_is("amd")
#  else
#    define LCTX_BF16_DOTS 1
#  endif
#endif
static int dots(int32_t type)
{
    const lctx_isa isa = lctx_isa_get();
    if (type == LCTX_BF16) return isa == LCTX_ISA_AVX512_DOT && LCTX_BF16_DOTS;
    return type >= LCTX_I8 && (isa == LCTX_ISA_AVX512_DOT || isa == LCTX_ISA_NEON_DOT);
}

static int four(const problem *p) { return p->k_type == LCTX_I4 || p->v_type == LCTX_I4; }
static int in_tiles(const problem *p) { return p->store == TILES || p->store == LATENT; }
/* Values are a part of the keys; where they cannot be, latent tiles are others. */
static int latent(const problem *p)
{
    return p->store == LATENT && p->k_type == p->v_type && !four(p) && p->d_v <= p->d_k;
}

/* Variance 1, cheap. */
static inline float noise(void) { return (float)((test_uniform() - 0.5) * 3.4641016151377544); }

static void *zeroed(int64_t n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) { printf("test_attention: out of memory\n"); exit(2); }
    return p;
}

static void *aligned(size_t bytes, void **base)
{
    *base = malloc(bytes + 64);
    return (void *)(((uintptr_t)*base + 63) & ~(uintptr_t)63);
}

/* ---------------------------------------------------------------------------- scenes */

static void store_row(scene *s, int is_v, int64_t j, int32_t g, const float *row)
{
    int32_t d = is_v ? s->p.d_v : s->p.d_k, type = is_v ? s->p.v_type : s->p.k_type;
    unsigned char *mem = is_v ? s->v_mem : s->k_mem;
    float *back = (is_v ? s->v : s->k) + (j * s->p.n_head_kv + g) * d;
    float *scales = is_v ? s->v_scale : s->k_scale, factor;
    void *dst = NULL;
    if (type == LCTX_I4) {              /* as it is: see store_four */
        memcpy(back, row, (size_t)d * sizeof *row);
        (is_v ? s->v_factor : s->k_factor)[j * s->p.n_head_kv + g] = 1;
        return;
    }
    if (mem) dst = mem + j * (is_v ? s->v_token : s->k_token) + g * (is_v ? s->v_head : s->k_head);
    factor = oracle_store(type, d, row, dst, back);
    (is_v ? s->v_factor : s->k_factor)[j * s->p.n_head_kv + g] = factor;
    if (scales) memcpy((unsigned char *)scales + j * s->s_token + g * s->s_head, &factor, 4);
}

/* The oracle's values are what stands in its keys. */
static void take_value(scene *s, int64_t row)
{
    memcpy(s->v + row * s->p.d_v, s->k + row * s->p.d_k, (size_t)s->p.d_v * sizeof *s->v);
    s->v_factor[row] = s->k_factor[row];
}

/* Compiled with -ffast-math, an int8 that lies between two whole numbers, to the rounding of a few
   steps, may be either: the oracle has the one that the tile got, and queries are kept off it. */
static const double tie = 4 * 127 * (double)FLT_EPSILON / 2;

static void take_rounded(scene *s, int is_v, int64_t j, const float *rows)
{
    const int32_t d = is_v ? s->p.d_v : s->p.d_k, n = s->p.n_head_kv * d;
    const float *factor = (is_v ? s->v_factor : s->k_factor) + j * s->p.n_head_kv;
    float *back = (is_v ? s->v : s->k) + j * n, *got;
    int32_t i;
    if ((is_v ? s->p.v_type : s->p.k_type) != LCTX_I8) return;
    got = (float *)zeroed(n, sizeof *got);
    if (lctx_tiles_read(&s->tiles, SKIP + j, 1, is_v ? NULL : got, is_v ? got : NULL) != LCTX_OK)
        check(0, "a token is read from tiles");
    for (i = 0; i < n; i++) {
        const double unit = (double)factor[i / d], own = (double)back[i];
        const double stored = rint((double)got[i] / unit), x = (double)rows[i] / unit;
        if (fabs(stored - own) == 1 && fabs(x - (stored + own) / 2) < tie)
            back[i] = (float)stored, s->taken++;
    }
    free(got);
}

/* Key j of all heads: k[n_head_kv][d_k], v[n_head_kv][d_v]. */
static void put(scene *s, int64_t j, const float *k, const float *v)
{
    int32_t g;
    for (g = 0; g < s->p.n_head_kv; g++) {
        store_row(s, 0, j, g, k + g * s->p.d_k);
        if (!latent(&s->p)) store_row(s, 1, j, g, v + g * s->p.d_v);
    }
    if (in_tiles(&s->p) && !four(&s->p)) {
        lctx_rows rows;
        memset(&rows, 0, sizeof rows);
        rows.n = 1; rows.k = k; rows.v = latent(&s->p) ? NULL : v;
        if (lctx_tiles_write(&s->tiles, SKIP + j, &rows) != LCTX_OK) check(0,
                "a token is written into tiles");
        take_rounded(s, 0, j, k);
        if (!latent(&s->p)) take_rounded(s, 1, j, v);
    }
    for (g = 0; latent(&s->p) && g < s->p.n_head_kv; g++) take_value(s, j * s->p.n_head_kv + g);
}

/* Writes all rows into tiles of 4 bits, of which the oracle then gets what is read back; the other
   side's rows as the oracle rounds them. */
static void store_four(scene *s)
{
    const int64_t n = s->p.n_kv, g = s->p.n_head_kv, nk = g * s->p.d_k, nv = g * s->p.d_v;
    float *k = (float *)zeroed((SKIP + n) * nk, sizeof *k);
    float *v = (float *)zeroed((SKIP + n) * nv, sizeof *v);
    lctx_rows rows;
    int64_t i;
    memset(&rows, 0, sizeof rows);
    rows.n = SKIP + n; rows.k = k; rows.v = v;
    for (i = 0; i < n * nk; i++) k[SKIP * nk + i] = s->k[i] * s->k_factor[i / s->p.d_k];
    for (i = 0; i < n * nv; i++) v[SKIP * nv + i] = s->v[i] * s->v_factor[i / s->p.d_v];
    if (lctx_tiles_write(&s->tiles, 0, &rows) != LCTX_OK
        || lctx_tiles_read(&s->tiles, SKIP, n, s->p.k_type == LCTX_I4 ? s->k : NULL,
                           s->p.v_type == LCTX_I4 ? s->v : NULL) != LCTX_OK)
        check(0, "tiles of 4 bits are written and read");
    free(k);
    free(v);
}

static void put_constant(scene *s, int64_t j, float k, float v)
{
    float *rows = (float *)zeroed(s->p.n_head_kv * (s->p.d_k + s->p.d_v), sizeof *rows);
    int32_t i, nk = s->p.n_head_kv * s->p.d_k, nv = s->p.n_head_kv * s->p.d_v;
    for (i = 0; i < nk; i++) rows[i] = k;
    for (i = 0; i < nv; i++) rows[nk + i] = v;
    put(s, j, rows, rows + nk);
    free(rows);
}

static void put_noise(scene *s)
{
    int64_t nk = s->p.n_head_kv * s->p.d_k, nv = s->p.n_head_kv * s->p.d_v, i, j;
    float *rows = (float *)zeroed(nk + nv, sizeof *rows);
    for (j = 0; j < s->p.n_kv; j++) {
        for (i = 0; i < nk + nv; i++) rows[i] = noise();
        put(s, j, rows, rows + nk);
    }
    free(rows);
}

/* The strides of rows, in bytes; d elements a row, g heads, of n tokens. */
static void strides(store how, int32_t d, int32_t g, int64_t n, size_t size, int64_t *token,
                    int64_t *head)
{
    int64_t e = (int64_t)size;
    switch (how) {
    case HEADS: *head = n * d * e; *token = d * e; break;
    case ODD:   *head = (d + 3) * e; *token = (g * (d + 3) + 5) * e; break;
    default:    *head = d * e; *token = g * d * e; break;
    }
}

/* Memory between rows holds bytes 0xff, which are NaN in every float type. */
static unsigned char *rows_memory(const problem *p, int32_t d, int32_t type, int64_t *token,
                                  int64_t *head,
                                  unsigned char **base)
{
    size_t size = lctx_type_size((lctx_type)type), bytes;
    strides(p->store, d, p->n_head_kv, p->n_kv, size, token, head);
    bytes = (size_t)(p->n_kv * *token + p->n_head_kv * *head) + size;
    *base = (unsigned char *)zeroed((int64_t)bytes, 1);
    memset(*base, 0xff, bytes);
    return p->store == ODD ? *base + size : *base;       /* odd: one element off any alignment */
}

static void make_rows(scene *s)
{
    problem *p = &s->p;
    int64_t scales = p->n_kv * (p->n_head_kv + 8);
    s->k_mem = rows_memory(p, p->d_k, p->k_type, &s->k_token, &s->k_head, &s->k_base);
    s->v_mem = rows_memory(p, p->d_v, p->v_type, &s->v_token, &s->v_head, &s->v_base);
    strides(p->store, 1, p->n_head_kv, p->n_kv, sizeof(float), &s->s_token, &s->s_head);
    if (p->store == ODD) scales = p->n_kv * (p->n_head_kv * 4 + 5);
    if (p->k_type == LCTX_I8) s->k_scale = (float *)zeroed(scales, sizeof(float));
    if (p->v_type == LCTX_I8) s->v_scale = (float *)zeroed(scales, sizeof(float));
}

static void make_tiles(scene *s)
{
    size_t bytes = 0;
    s->tiles.n_head_kv = s->p.n_head_kv; s->tiles.d_k = s->p.d_k; s->tiles.d_v = s->p.d_v;
    s->tiles.k_type = s->p.k_type; s->tiles.v_type = s->p.v_type; s->tiles.latent = latent(&s->p);
    s->tiles.cap = (SKIP + s->p.n_kv + 63) / 64 * 64;
    if (lctx_tiles_size(&s->tiles, &bytes) != LCTX_OK) check(0, "tiles have a size");
    s->tiles.mem = aligned(bytes, &s->tiles_mem);
    memset(s->tiles.mem, 0xff, bytes);
}

/* Keys n from number `from` on, at pos. */
static lctx_span span_at(const scene *s, int64_t from, int64_t n, int64_t pos)
{
    lctx_span span;
    memset(&span, 0, sizeof span);
    if (in_tiles(&s->p)) {
        if (lctx_tiles_span(&s->tiles, SKIP + from, n, pos, &span) != LCTX_OK) check(0,
                "a span of tiles is made");
        return span;
    }
    span.k = s->k_mem + from * s->k_token;
    span.v = s->v_mem + from * s->v_token;
    span.k_type = s->p.k_type; span.v_type = s->p.v_type;
    span.n = n; span.pos = pos;
    if (s->k_scale) span.k_scale = s->k_scale + from * s->s_token / 4;
    if (s->v_scale) span.v_scale = s->v_scale + from * s->s_token / 4;
    if (s->p.store == TOKENS) return span;
    span.k_token = s->k_token; span.k_head = s->k_head;
    span.v_token = s->v_token; span.v_head = s->v_head;
    span.k_scale_token = span.v_scale_token = s->s_token;
    span.k_scale_head = span.v_scale_head = s->s_head;
    return span;
}

static int64_t cut_length(cut how, int i, int64_t left)
{
    static const int64_t few[] = { 0, 1, 16 };
    int64_t n = how == ONE ? left : how == MANY ? 61 : i < 3 ? few[i] : left;
    return n < left ? n : left;
}

/* Positions from pos on that rise by 0 to 2, mostly by 1. */
static void list_positions(scene *s, lctx_span *span, int64_t at, int64_t pos)
{
    int64_t g, j;
    for (g = 0; g < s->p.n_head_kv; g++) {
        int64_t *list = s->list + g * s->p.n_kv + at, p = pos;
        for (j = 0; j < span->n; j++) {
            p += test_random() % 4 ? 1 : (int64_t)(test_random() % 3);
            list[j] = p;
        }
    }
    span->k_pos = s->list + at;
    span->k_pos_head = s->p.listed == 1 ? -1 : s->p.n_kv * 8;
}

static void make_spans(scene *s)
{
    int64_t at = 0, pos = s->p.falling ? 3 * s->p.n_kv + 100 * s->p.gap : 0, j, n;
    int i = 0;
    do {
        n = cut_length(i == MOST_SPANS - 1 ? ONE : s->p.cut, i, s->p.n_kv - at);
        if (s->p.falling) pos -= n + s->p.gap;
        if (pos < 0) pos = 0;
        s->spans[i] = span_at(s, at, n, pos);
        s->spans[i].query = s->p.far && i % 2 == 0;
        if (s->p.listed) list_positions(s, &s->spans[i], at, pos);
        for (j = 0; j < n; j++) {
            s->k_pos[at + j] = s->p.listed ? s->list[at + j] : pos + j;
            s->far[at + j] = (unsigned char)s->spans[i].query;
            s->k_group[at + j] = i % (s->p.groups + 1);
        }
        s->spans[i].group = i % (s->p.groups + 1);
        if (!s->p.falling) pos += n + s->p.gap;
        at += n;
        i++;
    } while (at < s->p.n_kv || (s->p.cut == FEW && i < 3));
    s->attn.spans = s->spans;
    s->attn.n_spans = i;
}

static void make_queries(scene *s)
{
    int64_t n = s->p.n_q * s->p.n_head * s->p.d_k, last = 0, i;
    float sharp = s->p.sharp != 0 ? s->p.sharp : 1;
    s->q = (float *)zeroed(n, sizeof *s->q);
    s->q_far = (float *)zeroed(n, sizeof *s->q);
    s->q_pos = (int64_t *)zeroed(s->p.n_q, sizeof *s->q_pos);
    for (i = 0; i < n; i++) {
        s->q[i] = test_normal() * sharp;
        s->q_far[i] = test_normal() * sharp;
    }
    for (i = 0; i < s->p.n_kv; i++) if (s->k_pos[i] > last) last = s->k_pos[i];
    last -= s->p.q_back;
    for (i = 0; i < s->p.n_q; i++) {
        s->q_pos[i] = last - (s->p.n_q - 1 - i);
        if (s->q_pos[i] < 0) s->q_pos[i] = i % (last + 1 > 0 ? last + 1 : 1);
    }
}

/* Walls hide runs of keys that hold whole tiles, the same for 40 rows; some rows see nothing, and
   those after them all. */
static int walled(int64_t row, int64_t j)
{
    if (row % 111 == 57 || row % 111 == 58) return row % 111 == 57;
    return j / 200 % 3 != row / 40 % 3;
}
static void make_bias(scene *s)
{
    const int one_head = s->p.bias == SAME_HEADS || s->p.bias == WALLS_SAME_HEADS;
    const int one_query = s->p.bias == SAME_QUERIES || s->p.bias == WALLS_SAME_QUERIES;
    int64_t rows = (one_head ? 1 : s->p.n_head) * (one_query ? 1 : s->p.n_q), i;
    const int64_t n = rows * s->p.n_kv;
    s->bias = (float *)zeroed(n, sizeof *s->bias);
    for (i = 0; i < n; i++) {
        s->bias[i] = noise();
        if (s->p.bias == HOLES ? test_random() % 3 == 0
                               : s->p.bias >= WALLS && walled(i / s->p.n_kv, i % s->p.n_kv))
            s->bias[i] = -(float)INFINITY;
    }
    s->attn.bias = s->bias;
    s->attn.bias_head = one_head ? -1 : 0;
    s->attn.bias_query = one_query ? -1 : 0;
}

/* Lists in no order, with gaps and some blocks twice, as the oracle sees them: key by key. */
static void make_lists(scene *s)
{
    lctx_attn *a = &s->attn;
    const int32_t heads = s->p.lists == 1 ? 1 : s->p.lists == 2 ? s->p.n_head_kv : s->p.n_head;
    const int64_t keys = s->p.list_keys ? s->p.list_keys : LCTX_TILE;
    const int64_t blocks = (s->p.n_kv + keys - 1) / keys, n = blocks + blocks / 4 + 1;
    const int64_t first = s->p.list_queries / 2, every = s->p.list_queries;
    const int64_t rows = every ? (first + s->p.n_q + every - 1) / every + 1 : 1;
    int64_t i, j, t, h;
    s->blocks = (int32_t *)zeroed(rows * heads * n, sizeof *s->blocks);
    for (i = 0; i < rows * heads; i++) {
        int32_t *list = s->blocks + i * n;
        for (j = 0; j < n; j++) {
            int64_t b = j < blocks ? blocks - 1 - j : (int64_t)(test_random() % (uint64_t)n);
            list[j] = (int64_t)(test_random() % 100) < s->p.list_share && b < blocks ? (int32_t)b : -1;
        }
    }
    a->list = s->blocks; a->list_len = n; a->list_heads = heads == 1 ? 0 : heads;
    a->list_queries = every; a->list_first = first; a->list_keys = s->p.list_keys;
    for (h = 0; h < s->p.n_head; h++)
        for (t = 0; t < s->p.n_q; t++) {
            const int64_t row = every ? (first + t) / every : 0;
            const int64_t column = h * heads / s->p.n_head;
            const int32_t *list = s->blocks + (row * heads + column) * n;
            unsigned char *seen = s->seen + (h * s->p.n_q + t) * s->p.n_kv;
            for (i = 0; i < n; i++)
                for (j = list[i] * keys; list[i] >= 0 && j < (list[i] + 1) * keys; j++)
                    if (j < s->p.n_kv) seen[j] |= 2;
        }
}
/* A mask of bits, in runs; what no list names is not seen whatever it says. */
static void make_bits(scene *s)
{
    lctx_attn *a = &s->attn;
    const int one_head = s->p.bits == 2 || s->p.bits == 4, one_query = s->p.bits >= 3;
    const int64_t words = (s->p.n_kv + 63) / 64, rows = s->p.n_q * s->p.n_head;
    int64_t row, j;
    s->bits = (uint64_t *)zeroed(rows * words, sizeof *s->bits);
    for (j = 0; j < rows * words; j++)
        s->bits[j] = test_random() % 3 ? test_random() : test_random() % 2 ? ~(uint64_t)0 : 0;
    a->mask_bits = s->bits;
    a->mask_head = one_head ? -1 : 0; a->mask_query = one_query ? -1 : 0;
    for (row = 0; row < rows; row++) {
        const int64_t h = one_head ? 0 : row / s->p.n_q, t = one_query ? 0 : row % s->p.n_q;
        const uint64_t *bits = s->bits + (h * (one_query ? 1 : s->p.n_q) + t) * words;
        for (j = 0; j < s->p.n_kv; j++)
            if (!(bits[j / 64] >> j % 64 & 1)) s->seen[row * s->p.n_kv + j] = 0;
    }
}
static void make_seen(scene *s)
{
    const int64_t n = s->p.n_head * s->p.n_q * s->p.n_kv;
    if (!s->p.lists && !s->p.bits) return;
    s->seen = (unsigned char *)zeroed(n, 1);
    if (s->p.lists) make_lists(s);
    else memset(s->seen, 1, (size_t)n);
    if (s->p.bits) make_bits(s);
}

/* The pattern as the oracle reads it: defaults filled in, global positions as a list. */
static void make_pattern(scene *s)
{
    const lctx_pattern *p = &s->p.pattern;
    oracle_pattern *o = &s->pattern;
    int64_t i, *global;
    o->kind = p->kind; o->length = p->length; o->dilation = p->dilation; o->back = p->back;
    o->local = p->local != 0 ? p->local : p->length;
    o->summary = p->summary != 0 ? p->summary : 1;
    o->n_global = p->n_global;
    o->global = global = (int64_t *)zeroed(p->n_global, sizeof *global);
    for (i = 0; i < p->n_global; i++) global[i] = p->global ? p->global[i] : p->global0 + i;
    s->attn.pattern = p;
}

/* The schedule, as the library and as the oracle has it; xPos's centre is amid the keys. */
static void make_rope(scene *s)
{
    lctx_rope_desc d;
    oracle_rope_desc o;
    memset(&d, 0, sizeof d);
    memset(&o, 0, sizeof o);
    d.scheme = s->p.yarn ? LCTX_ROPE_YARN : LCTX_ROPE_PLAIN; d.pairing = s->p.pairing;
    o.scheme = s->p.yarn ? ORACLE_YARN : ORACLE_PLAIN;
    d.n_rot = o.n_rot = s->p.n_rot; d.theta = o.theta = 10000; d.factor = o.factor = 4;
    d.orig_ctx = o.orig_ctx = 128; d.beta_fast = o.beta_fast = 32; d.beta_slow = o.beta_slow = 1;
    d.mscale = o.mscale = 0.5; d.mscale_all_dim = o.mscale_all_dim = 0.8; o.truncate = 1;
    d.n_hat = o.n_hat = s->p.n_hat;
    d.xpos_base = o.xpos_base = (double)s->p.xpos;
    d.xpos_center = o.xpos_center = s->p.n_kv / 2;
    if (lctx_rope_init(&s->rope, &d) != LCTX_OK) check(0, "a schedule is made");
    oracle_rope_schedule(&o, &s->oracle_rope);
    s->attn.rope = &s->rope;
    s->attn.q_far = NULL; s->attn.far_pos = s->p.far_pos;
    if (s->p.rule.kind) s->attn.far_rule = &s->p.rule;
}

static void make_attn(scene *s)
{
    lctx_attn *a = &s->attn;
    int64_t t;
    int32_t h;
    a->n_q = s->p.n_q; a->n_head = s->p.n_head; a->n_head_kv = s->p.n_head_kv;
    a->d_k = s->p.d_k; a->d_v = s->p.d_v;
    a->q = s->q; a->q_pos = s->q_pos; a->out = s->out; a->lse = s->lse;
    if (s->p.far) a->q_far = s->q_far;
    a->scale = s->p.scale; a->softcap = s->p.softcap;
    a->mask = s->p.mask; a->n_sink = s->p.n_sink; a->window = s->p.window;
    a->window_right = s->p.right;
    a->precise = s->p.precise;
    if (s->p.bias) make_bias(s);
    make_seen(s);
    s->alibi = (float *)zeroed(s->p.n_head, sizeof *s->alibi);
    s->sink = (float *)zeroed(s->p.n_head, sizeof *s->sink);
    for (h = 0; h < s->p.n_head; h++) {
        s->alibi[h] = (float)ldexp(1, -(h + 2));
        s->sink[h] = h % 2 ? -s->p.sink : s->p.sink;
    }
    if (s->p.alibi) a->alibi = s->alibi;
    if (s->p.sink != 0) a->sink_logit = s->sink;
    if (s->p.patterned) make_pattern(s);
    if (s->p.n_rot) make_rope(s);
    s->q_group = (int32_t *)zeroed(s->p.n_q, sizeof *s->q_group);
    for (t = 0; t < s->p.n_q; t++) s->q_group[t] = (int32_t)(t % (s->p.groups + 1));
    if (s->p.groups) a->q_group = s->q_group;
}

static scene *scene_new(const problem *p)
{
    scene *s = (scene *)zeroed(1, sizeof *s);
    int64_t rows_kv = p->n_kv * p->n_head_kv, rows_q = p->n_q * p->n_head;
    s->p = *p;
    s->k = (float *)zeroed(rows_kv * p->d_k, sizeof *s->k);
    s->v = (float *)zeroed(rows_kv * p->d_v, sizeof *s->v);
    s->k_factor = (float *)zeroed(rows_kv, sizeof *s->k_factor);
    s->v_factor = (float *)zeroed(rows_kv, sizeof *s->v_factor);
    s->k_pos = (int64_t *)zeroed(p->n_kv, sizeof *s->k_pos);
    s->far = (unsigned char *)zeroed(p->n_kv, 1);
    s->k_group = (int32_t *)zeroed(p->n_kv, sizeof *s->k_group);
    s->list = (int64_t *)zeroed(p->n_kv * p->n_head_kv, sizeof *s->list);
    s->out = (float *)zeroed(rows_q * p->d_v, sizeof *s->out);
    s->lse = (float *)zeroed(rows_q, sizeof *s->lse);
    if (in_tiles(p)) make_tiles(s); else make_rows(s);
    put_noise(s);
    if (four(p)) store_four(s);
    make_spans(s);
    make_queries(s);
    make_attn(s);
    return s;
}

static void scene_free(scene *s)
{
    void *all[] = { (void *)(uintptr_t)s->pattern.global, s->q_group, s->k_group,
                    s->blocks, s->bits, s->seen,
                    s->q, s->q_far, s->q_pos, s->alibi, s->sink, s->bias, s->k_pos, s->list,
                    s->far,
                    s->k, s->v, s->k_factor, s->v_factor, s->k_base, s->v_base, s->k_scale,
                    s->v_scale, s->tiles_mem, s->out, s->lse, s };
    size_t i;
    for (i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Attends with scratch of just the size asked for, a byte off any alignment, canaries around. */
static lctx_status attend(const lctx_attn *a)
{
    size_t bytes = 0, i;
    unsigned char *scratch;
    int kept = 1;
    lctx_status st = lctx_attend_size(a, &bytes);
    if (st != LCTX_OK) return st;
    scratch = (unsigned char *)zeroed((int64_t)bytes + 128, 1);
    memset(scratch, 0xa5, bytes + 128);
    st = lctx_attend(a, scratch + 65, bytes);
    for (i = 0; i < 63; i++) kept &= scratch[2 + i] == 0xa5 && scratch[65 + bytes + i] == 0xa5;
    if (!kept) check(0, "attention keeps within its scratch");
    free(scratch);
    return st;
}

static oracle_attn oracle_of(const scene *s)
{
    oracle_attn o;
    memset(&o, 0, sizeof o);
    o.n_head = s->p.n_head; o.n_head_kv = s->p.n_head_kv; o.d_k = s->p.d_k; o.d_v = s->p.d_v;
    o.n_q = s->p.n_q; o.n_kv = s->p.n_kv;
    o.q = s->q; o.q_far = s->q_far; o.q_pos = s->q_pos;
    o.k = s->k; o.v = s->v; o.k_factor = s->k_factor; o.v_factor = s->v_factor;
    o.k_pos = s->p.listed ? s->list : s->k_pos; o.k_pos_head = s->p.listed == 2 ? s->p.n_kv : 0;
    o.far = s->far;
    o.scale = s->p.scale > 0 ? (double)s->p.scale : 1 / sqrt((double)s->p.d_k);
    o.softcap = (double)s->p.softcap;
    o.causal = s->p.mask == LCTX_CAUSAL; o.n_sink = s->p.n_sink; o.window = s->p.window;
    o.right = s->p.right < 0 ? 1 : s->p.right ? s->p.right + 1 : 0; o.seen = s->seen;
    o.pattern = s->p.patterned ? &s->pattern : NULL;
    o.q_group = s->attn.q_group; o.k_group = s->k_group;
    o.rope = s->p.n_rot ? &s->oracle_rope : NULL; o.interleaved = s->p.pairing;
    o.far_pos = s->p.far_pos; o.far_kind = s->p.rule.kind; o.far_window = s->p.rule.window;
    o.far_group = s->p.rule.group; o.far_leak = s->p.rule.leak;
    if (o.rope && !(s->p.scale > 0)) o.scale *= (double)o.rope->scale_mul;
    o.alibi = s->attn.alibi; o.sink_logit = s->attn.sink_logit; o.bias = s->attn.bias;
    o.bias_query = s->attn.bias_query == -1 ? 0 : o.n_kv;
    o.bias_head = s->attn.bias_head == -1 ? 0 : s->attn.bias_query == -1 ? o.n_kv : o.n_q * o.n_kv;
    return o;
}

/* Moves int8 queries that lie between two whole numbers: what they are rounded to cannot be read. */
static void part_queries(scene *s, float *q)
{
    int64_t r, i;
    if (s->p.k_type != LCTX_I8) return;
    for (r = 0; r < s->p.n_q * s->p.n_head; r++, q += s->p.d_k) {
        double most = 0, x;
        for (i = 0; i < s->p.d_k; i++) most = fmax(most, fabs((double)q[i]));
        for (i = 0; i < s->p.d_k && most > 0; i++) {
            x = fabs((double)q[i]) / most * 127;
            if (fabs(x - floor(x) - 0.5) < tie) q[i] *= 0.999f;
        }
    }
}
/* The oracle's queries as the manual says dot products round them: scaled, then to the keys' type. */
static void round_queries(scene *s, float *q)
{
    const float scale = s->p.scale > 0 ? s->p.scale : (float)(1 / sqrt((double)s->p.d_k));
    float *row = (float *)zeroed(2 * s->p.d_k, sizeof *row), *back = row + s->p.d_k, factor;
    int64_t r, i;
    for (r = 0; r < s->p.n_q * s->p.n_head; r++, q += s->p.d_k) {
        for (i = 0; i < s->p.d_k; i++) row[i] = q[i] * scale;
        factor = oracle_store(s->p.k_type, s->p.d_k, row, NULL, back);
        for (i = 0; i < s->p.d_k; i++) q[i] = back[i] * factor / scale;
    }
    free(row);
}

/* The oracle's rows: out[n_q][n_head][d_v], lse[n_q][n_head]. */
typedef struct answer { double *out, *lse; } answer;

static answer answer_of(const scene *s)
{
    const oracle_attn o = oracle_of(s);
    const int64_t rows = s->p.n_q * s->p.n_head;
    answer a;
    int64_t r;
    a.out = (double *)zeroed(rows * s->p.d_v, sizeof *a.out);
    a.lse = (double *)zeroed(rows, sizeof *a.lse);
    for (r = 0; r < rows; r++)
        a.lse[r] = oracle_attn_row(&o, r / s->p.n_head, (int)(r % s->p.n_head),
                                   a.out + r * s->p.d_v);
    return a;
}
static void answer_free(answer *a) { free(a->out); free(a->lse); }

/* A row that sees nothing must be exact; any other joins the error. */
static double compare_row(const scene *s, const answer *a, int64_t row, oracle_error *e)
{
    const double lse = a->lse[row], off = fabs((double)s->lse[row] - lse) / (1 + fabs(lse));
    const float *got = s->out + row * s->p.d_v;
    int32_t i;
    oracle_error_add(e, s->p.d_v, a->out + row * s->p.d_v, got);
    if (!isinf(lse)) return isnan(off) ? (double)INFINITY : off;
    for (i = 0; i < s->p.d_v; i++) if (got[i] != 0) return (double)INFINITY;
    return s->lse[row] == (float)lse ? 0 : (double)INFINITY;
}

static void compare_to(const scene *s, const answer *a, oracle_error *e, double *lse_off)
{
    int64_t row;
    memset(e, 0, sizeof *e);
    *lse_off = 0;
    for (row = 0; row < s->p.n_q * s->p.n_head; row++) {
        double off = compare_row(s, a, row, e);
        if (off > *lse_off) *lse_off = off;
    }
}

static void compare(const scene *s, oracle_error *e, double *lse_off)
{
    answer a = answer_of(s);
    compare_to(s, &a, e, lse_off);
    answer_free(&a);
}

/* How far a case may be off: f32's accuracy; what rounding weights to bf16, or to 14 bits, costs,
   and queries to 14 bits (the oracle has those rounded to bf16 and int8). */
typedef struct limit { double nmse, worst, lse; } limit;
static limit limit_of(const problem *p)
{
    const limit f32 = { 1e-10, 2e-5, 1e-5 };
    const limit weights = { p->v_type == LCTX_I4 ? 2e-7 : 1e-7, 5e-4, 1e-5 };
    const limit bf16 = { 1e-5, 1e-2, 3e-3 }, queries = { 1e-6, 2e-3, 1e-3 };
    if (p->precise || !(dots(p->v_type) || (dots(p->k_type) && p->k_type == LCTX_I4))) return f32;
    if (p->k_type == LCTX_I4 && p->v_type != LCTX_BF16 && !p->n_rot) return queries;
    return p->v_type == LCTX_BF16 ? bf16 : weights;
}

/* The most that an element is off beyond what rounding to f32 does to the logits of its own row,
   which are of the size of the row's log-sum-exp. */
static double beyond_rounding(const scene *s, const answer *a)
{
    const int32_t d = s->p.d_v;
    double most = 0;
    int64_t r;
    for (r = 0; r < s->p.n_q * s->p.n_head; r++) {
        const double rounding = isfinite(a->lse[r]) ? fabs(a->lse[r]) * FLT_EPSILON : 0;
        oracle_error e;
        memset(&e, 0, sizeof e);
        oracle_error_add(&e, d, a->out + r * d, s->out + r * d);
        if (!(e.worst - rounding <= most)) most = e.worst - rounding;
    }
    return most;
}

static void agrees_with(scene *s, const answer *a, const char *what)
{
    const problem *p = &s->p;
    const limit most = limit_of(p);
    oracle_error e;
    double lse_off;
    lctx_status st;
    memset(s->out, 0x5a, (size_t)(p->n_q * p->n_head * p->d_v) * sizeof *s->out);
    memset(s->lse, 0x5a, (size_t)(p->n_q * p->n_head) * sizeof *s->lse);
    s->attn.precise = p->precise;
    st = attend(&s->attn);
    compare_to(s, a, &e, &lse_off);
    check(st == LCTX_OK && oracle_error_nmse(&e) < most.nmse && lse_off < most.lse
          && beyond_rounding(s, a) < most.worst,
          "%s [%s] agrees with the oracle: heads %d/%d, d %d/%d, %d queries on %d keys, %s/%s in"
          " %s, cut %d gap %d%s%s, listed %d raw %d%s rule %d (%d, %d, %g) hat %d xpos %g, back %d, mask %d"
          " window %d sinks %d softcap %g alibi %d sink %g bias %d scale %g sharp %g groups %d"
          " pattern %d/%d (%d, %d, %d, %d, %d globals)%s, lists %d of %d keys for %d queries, %d %%,"
          " bits %d, right %d [%s, NMSE %.1e, worst %.1e, lse %.1e]",
          what, lctx_isa_name(lctx_isa_get()), p->n_head, p->n_head_kv, p->d_k, p->d_v,
          (int)p->n_q, (int)p->n_kv, type_names[p->k_type], type_names[p->v_type],
          store_names[p->store], (int)p->cut, (int)p->gap, p->falling ? " falling" : "",
          p->far ? " far" : "", p->listed, p->n_rot, p->yarn ? " yarn" : "", p->rule.kind,
          (int)p->rule.window, p->rule.group, p->rule.leak, (int)p->n_hat, (double)p->xpos,
          (int)p->q_back, p->mask, (int)p->window, p->n_sink, (double)p->softcap, p->alibi,
          (double)p->sink, (int)p->bias, (double)p->scale, (double)p->sharp, p->groups,
          p->patterned, p->pattern.kind, (int)p->pattern.length, p->pattern.dilation,
          (int)(p->pattern.local + p->pattern.summary), (int)p->pattern.back,
          (int)p->pattern.n_global, p->precise ? " precise" : "", p->lists, p->list_keys,
          (int)p->list_queries, p->list_share, p->bits, (int)p->right, lctx_status_text(st),
          oracle_error_nmse(&e), e.worst, lse_off);
}

/* The same with the oracle's queries rounded as dot products round them. */
static void agrees_rounded(scene *s, const char *what)
{
    const size_t size = (size_t)(s->p.n_q * s->p.n_head * s->p.d_k) * sizeof(float);
    float *q = s->q, *q_far = s->q_far, *both = (float *)zeroed((int64_t)(2 * size), 1);
    answer a;
    s->q = (float *)memcpy(both, q, size);
    s->q_far = (float *)memcpy((char *)both + size, q_far, size);
    round_queries(s, s->q);
    if (s->p.far) round_queries(s, s->q_far);
    a = answer_of(s);
    agrees_with(s, &a, what);
    answer_free(&a);
    s->q = q, s->q_far = q_far;
    free(both);
}

/* With several sets in one process, sampled ones take every third case. */
static int passes_by(int set, int number)
{
    static int first = -1;
    if (first < 0) first = test_sampled();
    return !first && test_sampled() && (number + set) % 3;
}

/* The promise of every case: the oracle's output and log-sum-exp, to the accuracy of the arithmetic;
   where the instruction set has dot products for the types, with these and without. */
static void agrees(const problem *p, const char *what)
{
    static int number;
    scene *s = NULL;
    answer a = { NULL, NULL };
    int set;
    number++;
    for (set = -1; test_next_set(&set);) {
        const int with_dots = !p->precise && (dots(p->k_type) || dots(p->v_type));
        if (passes_by(set, number)) continue;
        if (!s) {
            s = scene_new(p);
            part_queries(s, s->q), part_queries(s, s->q_far);
            a = answer_of(s);
        }
        s->p.precise = p->precise || with_dots;
        agrees_with(s, &a, what);
        s->p.precise = p->precise;
        if (!with_dots) continue;
        if (!p->n_rot && p->k_type != LCTX_I4 && dots(p->k_type)) agrees_rounded(s, what);
        else agrees_with(s, &a, what);
    }
    answer_free(&a);
    if (s) scene_free(s);
}

static problem plain(int32_t n_head, int32_t n_head_kv, int32_t d, int64_t n_q, int64_t n_kv,
                     lctx_type type)
{
    problem p;
    memset(&p, 0, sizeof p);
    p.n_head = n_head; p.n_head_kv = n_head_kv; p.d_k = p.d_v = d;
    p.n_q = n_q; p.n_kv = n_kv; p.k_type = p.v_type = (int32_t)type;
    return p;
}

/* ---------------------------------------------------------------------------- the grid */

static const int32_t head_sizes[] = { 32, 40, 59, 64, 72, 80, 96, 111, 112, 128, 160, 192, 256, 320,
                                      512, 576 };
static const int32_t pairs[][2] = { { 192, 128 }, { 320, 256 }, { 576, 512 }, { 64, 128 },
                                    { 128, 64 }, { 1, 1 },
                                    { 3, 17 }, { 16, 15 } };
static const int32_t groups[] = { 1, 2, 3, 4, 7, 8, 12, 16, 32 };
static const int64_t queries[] = { 1, 2, 3, 16, 32, 75 };
static const int64_t lengths[] = { 0, 1, 17, 31, 33, 63, 64, 65, 113, 127, 129, 339, 511, 512, 513,
                                   575, 799, 1023,
                                   1024, 1025, 1537, 4096, 5131, 20000 };
static const int64_t windows[] = { 1, 3, 13, 23, 33, 37, 43, 64, 533 };
#define COUNT(list) (sizeof(list) / sizeof *(list))

static void test_head_sizes(void)
{
    size_t i, t, l;
    for (i = 0; i < COUNT(head_sizes) + COUNT(pairs); i++)
        for (t = 0; t < 4; t++)
            for (l = 0; l < STORES; l++) {
                problem p = plain(4, 2, 32, 3, 77, every_type[t]);
                if (!full() && (i + t + l) % (slow() ? 5 : 2) != 0) continue;
                p.d_k = i < COUNT(head_sizes) ? head_sizes[i] : pairs[i - COUNT(head_sizes)][0];
                p.d_v = i < COUNT(head_sizes) ? head_sizes[i] : pairs[i - COUNT(head_sizes)][1];
                p.store = (store)l;
                agrees(&p, "every head size");
            }
}

static void test_groups(void)
{
    size_t i, k;
    for (i = 0; i < COUNT(groups); i++)
        for (k = 0; k < COUNT(queries); k++) {
            problem p = plain(groups[i], 1, 40, queries[k], 130, every_type[(i + k) % 4]);
            if (!full() && slow() && (i + k) % 3 != 0) continue;
            if (groups[i] <= 4) { p.n_head *= 3; p.n_head_kv = 3; }
            p.store = (store)((i * 3 + k) % STORES);
            p.k_type = (int32_t)every_type[(i + k / 2) % 4];
            agrees(&p, "every group");
        }
}

static void test_lengths(void)
{
    size_t i, k;
    for (i = 0; i < COUNT(lengths); i++)
        for (k = 0; k < 4; k++) {
            problem p = plain(2, 1, 32, k % 2 ? 5 : 1, lengths[i], every_type[(i + k) % 4]);
            if (!full() && lengths[i] > 6000 && k > 0) continue;
            if (!full() && slow() && (i + k) % 2) continue;
            p.store = k < 2 ? TILES : (store)(i % STORES);
            p.cut = k == 3 ? MANY : k == 2 ? FEW : ONE;
            agrees(&p, "every length");
        }
}

static void test_windows(void)
{
    static const int32_t sinks[] = { 0, 1, 4 };
    size_t i, k;
    for (i = 0; i < COUNT(windows); i++)
        for (k = 0; k < 3; k++) {
            problem p = plain(2, 1, 32, 16, 700, every_type[(i + k) % 4]);
            if (!full() && slow() && (i + k) % 3) continue;
            p.window = windows[i]; p.n_sink = sinks[k];
            p.store = (store)((i + k) % STORES);
            agrees(&p, "a window");
            p.n_kv = windows[i] + (int64_t)k - 1;            /* W-1, W, W+1 keys */
            agrees(&p, "a window that just fills");
        }
}

/* Positions key by key, in every layout, near and far from a leaf's end. */
static void test_listed(void)
{
    size_t i, k;
    for (i = 0; i < COUNT(windows); i++)
        for (k = 0; k < 4; k++) {
            problem p = plain(6, 3, 32, k % 2 ? 1 : 20, 700, every_type[(i + k) % 4]);
            if (!full() && slow() && (i + k) % 3) continue;
            p.store = (store)k; p.listed = i % 2 ? 2 : 1;
            p.q_back = (int64_t)i * 30;
            agrees(&p, "listed positions");
            p.window = windows[i]; p.n_sink = (int32_t)k;
            p.cut = (cut)(i % CUTS); p.alibi = i % 3 == 0; p.bias = i % 4 == 0 ? HOLES : NO_BIAS;
            agrees(&p, "listed positions and a window");
        }
}

/* Of tiles, half have keys or values of 4 bits, or both. */
static void some_four(problem *p)
{
    const uint64_t which = test_random() % 6;
    if (which < 2) p->k_type = LCTX_I4;
    if (which == 1 || which == 2) p->v_type = LCTX_I4;
}

static const int32_t block_sizes[] = { 0, 1, 2, 16, 32, 64, 128, 256, 5, 100 };
static void some_lists(problem *p)
{
    static const int64_t every[] = { 0, 1, 4, 7, 64 };
    p->lists = (int32_t)(test_random() % 3) + 1;
    p->list_keys = block_sizes[test_random() % COUNT(block_sizes)];
    p->list_queries = every[test_random() % COUNT(every)];
    p->list_share = (int32_t)(test_random() % 100);
}

static problem random_problem(void)
{
    static const float softcaps[] = { 0, 0, 0, 1, 10, 30, 50 }, sinks[] = { 0, 0, 10, -10, 0.5f };
    static const int64_t gaps[] = { 0, 0, 1, 17, 5000 };
    static const float scales[] = { 0, 0, 1e-3f, 0.3f };
    problem p;
#define PICK(list) (list)[test_random() % COUNT(list)]
    memset(&p, 0, sizeof p);
    p.n_head_kv = (int32_t)(test_random() % 3) + 1;
    p.n_head = p.n_head_kv * PICK(groups);
    p.d_k = PICK(head_sizes); p.d_v = test_random() % 2 ? p.d_k : PICK(head_sizes);
    p.n_q = PICK(queries); p.n_kv = PICK(lengths);
    p.k_type = (int32_t)PICK(every_type); p.v_type = test_random() % 2 ? p.k_type
    : (int32_t)PICK(every_type);
    p.store = (store)(test_random() % STORES); p.cut = (cut)(test_random() % CUTS);
    if (p.store == TILES) some_four(&p);
    if (p.store == LATENT && test_random() % 4) p.v_type = p.k_type;
    p.gap = PICK(gaps); p.falling = test_random() % 4 == 0; p.far = test_random() % 3 == 0;
    p.q_back = test_random() % 3 ? 0 : (int64_t)(test_random() % 100);
    p.mask = test_random() % 4 == 0 ? LCTX_MASK_NONE : LCTX_CAUSAL;
    if (test_random() % 2) { p.window = PICK(windows); p.n_sink = (int32_t)(test_random() % 6); }
    p.scale = PICK(scales); p.softcap = PICK(softcaps); p.sharp = test_random() % 4 ? 1.0f : 3.0f;
    p.alibi = test_random() % 4 == 0; p.sink = PICK(sinks);
    p.bias = test_random() % 3 ? NO_BIAS : (bias)(test_random() % BIASES);
    if (p.alibi && p.bias >= WALLS) p.sink = 0;      /* or no key is near enough to count */
    if (test_random() % 4 == 0) p.listed = (int32_t)(test_random() % 2) + 1;
    if (test_random() % 4 == 0) some_lists(&p);
    if (test_random() % 4 == 0) p.bits = (int32_t)(test_random() % 4) + 1;
    if (p.mask == LCTX_MASK_NONE && test_random() % 2) p.right = (int64_t)(test_random() % 200) - 1;
#undef PICK
    return p;
}

/* All options at once, in combinations that the generator fixes. */
static void test_random_problems(void)
{
    int cases = full() ? 1200 : watched() ? 80 : slow() ? 150 : 300;
    double most = full() ? 5e7 : slow() ? 3e6 : 6e6;
    while (cases > 0) {
        problem p = random_problem();
        double work = (double)p.n_q * (double)p.n_head * (double)p.n_kv * (p.d_k + p.d_v);
        if (work + 20.0 * (double)p.n_kv * p.n_head_kv * (p.d_k + p.d_v) > most) continue;
        if ((p.bias || p.lists || p.bits) && p.n_q * p.n_head * p.n_kv > 4000000) continue;
        if (p.scale > 0.1f) p.scale /= sqrtf((float)p.d_k);
        if (p.alibi && (p.lists || p.bits)) p.alibi = 0;
        if (p.alibi && p.gap > 17) p.gap = 17;       /* or no key is near enough to count */
        agrees(&p, "a random problem");
        cases--;
    }
}

/* ---------------------------------------------------------------------------- named cases */

static int all_zero(const float *x, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++) if (x[i] != 0) return 0;
    return 1;
}

/* As many masks aligned at the end: 75 queries on 16 keys, of which the first 59 stand before all
   keys; under windows, sinks, ALiBi and patterns as well. */
static void test_before_all_keys(void)
{
    problem p = plain(4, 2, 64, 75, 16, LCTX_F32);
    int kind;
    for (kind = 0; kind < LCTX_PATTERN_COUNT; kind++) {
        scene *s;
        oracle_error e;
        double lse_off;
        int64_t t, blank = 1, i;
        p.patterned = 1; p.pattern.kind = kind; p.pattern.length = 5; p.pattern.dilation = 2;
        p.pattern.n_global = 2; p.alibi = kind % 2; p.window = kind % 2 ? 7 : 0; p.n_sink = 3;
        s = scene_new(&p);
        for (t = 0; t < 75; t++) s->q_pos[t] = t - 59;
        memset(s->out, 0x5a, 75 * 4 * 64 * 4);
        check(attend(&s->attn) == LCTX_OK, "queries may stand before all keys");
        for (i = 0; i < 59 * 4; i++) blank &= s->lse[i] == -(float)INFINITY;
        check(blank && all_zero(s->out, 59 * 4 * 64), "and see nothing there, pattern %d", kind);
        compare(s, &e, &lse_off);
        check(e.worst < 2e-5 && lse_off < 1e-5, "the others see what they see (%.1e, %.1e)", e.worst,
              lse_off);
        s->attn.q_pos = NULL; s->attn.q_pos0 = -59;
        memset(s->out, 0x5a, 75 * 4 * 64 * 4);
        check(attend(&s->attn) == LCTX_OK && all_zero(s->out, 59 * 4 * 64),
              "as they may without a list, pattern %d", kind);
        scene_free(s);
    }
}

static void test_more_queries_than_keys(void)
{
    problem p = plain(4, 2, 64, 34, 1, LCTX_F16);
    agrees(&p, "34 queries on one key");
    p.mask = LCTX_MASK_NONE;
    agrees(&p, "34 queries on one key, unmasked,");
    p = plain(4, 2, 64, 75, 16, LCTX_F32);
    p.mask = LCTX_MASK_NONE;
    agrees(&p, "cross attention of 75 queries on 16 keys");
    p = plain(4, 2, 64, 0, 16, LCTX_F32);
    agrees(&p, "no query at all");
    test_before_all_keys();
}

typedef enum blind { FUTURE, BEFORE, OUT_OF_WINDOW, NO_KEYS, NO_SPANS, HOLES_ONLY, BLINDS } blind;

/* Rows that see nothing, for one of the reasons. */
static scene *blind_scene(blind why, lctx_type type, store how, int64_t n_q)
{
    problem p = plain(6, 3, 40, n_q, why == NO_KEYS || why == NO_SPANS ? 0 : 700, type);
    scene *s;
    int64_t i;
    p.store = how;
    p.bias = why == HOLES_ONLY ? HOLES : NO_BIAS;
    if (why == OUT_OF_WINDOW) p.window = 33;
    s = scene_new(&p);
    for (i = 0; i < n_q; i++)
        s->q_pos[i] = why == OUT_OF_WINDOW ? 699 + 33 + i : why == BEFORE ? i - n_q : 0;
    for (i = 0; why == FUTURE && i < s->attn.n_spans; i++) s->spans[i].pos += 1;
    for (i = 0; why == HOLES_ONLY
         && i < p.n_head * n_q * p.n_kv; i++) s->bias[i] = -(float)INFINITY;
    if (why == NO_SPANS) { s->attn.n_spans = 0; s->attn.spans = NULL; }
    return s;
}

static void test_blind_rows(void)
{
    static const char *const whys[] = { "keys in the future", "before position 0",
                                        "keys out of the window",
                                        "a span of no keys",
                                        "no spans", "bias -inf" };
    int why, t, i;
    for (why = 0; why < BLINDS; why++)
        for (t = 0; t < 4; t++) {
            int64_t n_q = t % 2 ? 20 : 1;
            scene *s = blind_scene((blind)why, every_type[t], t < 2 ? TILES : ODD, n_q);
            lctx_status st;
            int lse = 1, sinks = 1;
            memset(s->out, 0x5a, (size_t)(n_q * 6 * 40) * 4);
            st = attend(&s->attn);
            for (i = 0; i < n_q * 6; i++) lse &= s->lse[i] == -(float)INFINITY;
            check(st == LCTX_OK && all_zero(s->out, n_q * 6 * 40) && lse,
                  "rows that see nothing (%s, %s) are zeros with lse -inf", whys[why],
                  type_names[t]);
            s->attn.sink_logit = s->sink;
            for (i = 0; i < 6; i++) s->sink[i] = (float)i - 2;
            memset(s->out, 0x5a, (size_t)(n_q * 6 * 40) * 4);
            st = attend(&s->attn);
            for (i = 0; i < n_q * 6; i++) sinks &= s->lse[i] == s->sink[i % 6];
            check(st == LCTX_OK && all_zero(s->out, n_q * 6 * 40) && sinks,
                  "rows that see only the sink logit (%s, %s) are zeros with lse = sink logit",
                  whys[why], type_names[t]);
            scene_free(s);
        }
}

/* Logits near -524288, exact in f32: one dimension counts, in sixteenths. A finite sentinel for
   "masked" would win against them. */
static void test_low_logits(void)
{
    static const int64_t n_qs[] = { 1, 20 };
    size_t k, l;
    for (k = 0; k < 2; k++)
        for (l = 0; l < STORES; l++) {
            problem p = plain(2, 1, 32, n_qs[k], 600, LCTX_F32);
            float *row = (float *)zeroed(64, sizeof *row);
            scene *s;
            oracle_error e;
            double lse_off;
            int64_t i;
            p.store = (store)l; p.scale = 1; p.bias = DENSE;
            s = scene_new(&p);
            for (i = 0; i < 600; i++) {
                row[0] = (float)(test_random() % 64) / 16;
                row[32] = noise();
                put(s, i, row, row + 32);
            }
            for (i = 0; i < n_qs[k] * 64; i++) s->q[i] = i % 32 == 0;
            for (i = 0; i < 2 * n_qs[k] * 600; i++) s->bias[i] = -524288;
            attend(&s->attn);
            compare(s, &e, &lse_off);
            check(e.worst < 1e-5 && lse_off < 1e-6,
                  "logits near -524288 are as good as any (%s, %d queries: %.1e, %.1e)",
                  store_names[l], (int)n_qs[k], e.worst, lse_off);
            free(row);
            scene_free(s);
        }
}

/* Logits that rise or fall from tile to tile: by less than a row's maximum may lag behind, by about
   as much, by more. */
static void test_rising_logits(void)
{
    static const float steps[] = { 3, 7.9f, 8.1f, 20, -20 };
    int k, l, m;
    for (k = 0; k < 5; k++)
        for (l = 0; l < 4; l++)
            for (m = 0; m < 4; m++) {
                problem p = plain(4, 1, 32, m % 2 ? 9 : 1, 600, every_type[l]);
                float row[64] = { 0 };
                scene *s;
                answer a;
                int64_t i, c;
                p.store = m / 2 ? TILES : TOKENS; p.scale = 1;
                s = scene_new(&p);
                for (i = 0; i < 600; i++) {
                    row[0] = steps[k] * (float)(i / LCTX_TILE) + noise();
                    for (c = 32; c < 64; c++) row[c] = noise();
                    put(s, i, row, row + 32);
                }
                for (i = 0; i < p.n_q * 4 * 32; i++) s->q[i] = i % 32 == 0;
                a = answer_of(s);
                agrees_with(s, &a, "logits that rise by tiles");
                answer_free(&a);
                scene_free(s);
            }
}

/* A sink logit far above those of all keys leaves of them what f32 holds, down to nothing. */
static void test_great_sinks(void)
{
    static const float sinks[] = { 60, 79, 84, 88, 90, 200 };
    size_t k;
    for (k = 0; k < 6; k++) {
        problem p = plain(1, 1, 32, 3, 300, LCTX_F32);
        p.sink = sinks[k];
        agrees(&p, "a sink far above the keys");
    }
}

/* ---------------------------------------------------------------------------- NaN and infinity */

typedef struct outcome { float *out, *lse; int64_t n_out, n_lse; } outcome;

static outcome outcome_of(scene *s)
{
    outcome r;
    lctx_status st;
    r.n_lse = s->p.n_q * s->p.n_head;
    r.n_out = r.n_lse * s->p.d_v;
    memset(s->out, 0x5a, (size_t)r.n_out * 4);
    memset(s->lse, 0x5a, (size_t)r.n_lse * 4);
    st = attend(&s->attn);
    if (st != LCTX_OK) check(0, "attention works (%s)", lctx_status_text(st));
    r.out = (float *)zeroed(r.n_out, 4);
    r.lse = (float *)zeroed(r.n_lse, 4);
    memcpy(r.out, s->out, (size_t)r.n_out * 4);
    memcpy(r.lse, s->lse, (size_t)r.n_lse * 4);
    return r;
}

static void outcome_free(outcome *r) { free(r->out); free(r->lse); }

static int same_bits(const outcome *r, const float *out, const float *lse)
{
    return memcmp(r->out, out, (size_t)r->n_out * 4) == 0
    && memcmp(r->lse, lse, (size_t)r->n_lse * 4) == 0;
}

static int attends_the_same(const scene *s, const lctx_attn *a, const outcome *want)
{
    memset(s->out, 0x77, (size_t)want->n_out * 4);
    memset(s->lse, 0x77, (size_t)want->n_lse * 4);
    return attend(a) == LCTX_OK && same_bits(want, s->out, s->lse);
}

/* Keys that no query sees are given poison: not one bit of the output may change. */
static void test_poison_unseen(lctx_type type, store how, int64_t n_q)
{
    static const float poisons[] = { (float)NAN, (float)INFINITY, -(float)INFINITY };
    problem p = plain(4, 2, 40, n_q, 700, type);
    scene *s;
    outcome clean;
    int64_t i, j;
    size_t k;
    p.store = how; p.window = 100; p.n_sink = 2; p.bias = SAME_QUERIES; p.q_back = 170;
    s = scene_new(&p);
    for (j = 0; j < 700; j++)
        for (i = 0; i < 4 && j % 7 == 3; i++) s->bias[i * 700 + j] = -(float)INFINITY;
    clean = outcome_of(s);
    for (k = 0; k < 3; k++) {
        float x = poisons[k];
        for (j = 0; j < 700; j++) if (j > 529 || (j >= 2 && j < 530 - n_q - 99)
                                      || j % 7 == 3) put_constant(s, j, x, x);
        check(attends_the_same(s, &s->attn, &clean),
              "%g in future, out-of-window and bias-masked keys and values does not touch a bit"
              " (%s in %s, %d queries)",
              (double)x, type_names[type], store_names[how], (int)n_q);
    }
    outcome_free(&clean);
    scene_free(s);
}

/* Poison in the last tile beyond a span's end and in the first tile before its begin. */
static void test_poison_beside(lctx_type type, store how, int64_t n_q)
{
    problem p = plain(4, 2, 40, n_q, 650, type);
    scene *s;
    outcome clean;
    lctx_span inner;
    int64_t j, i;
    p.store = how; p.mask = LCTX_MASK_NONE;
    s = scene_new(&p);
    inner = span_at(s, 70, 500, 70);
    s->attn.spans = &inner;
    clean = outcome_of(s);
    for (i = 0; i < 2; i++) {
        float x = i ? (float)INFINITY : (float)NAN;
        for (j = 0; j < 650; j++) if (j < 70 || j >= 570) put_constant(s, j, x, x);
        check(attends_the_same(s, &s->attn, &clean),
              "%g in a tile before a span's first and after its last key does not touch a bit"
              " (%s in %s, %d queries)",
              (double)x, type_names[type], store_names[how], (int)n_q);
    }
    outcome_free(&clean);
    scene_free(s);
}

static int rows_nan(const float *x, int64_t n)
{
    int64_t i;
    for (i = 0; i < n; i++) if (!isnan(x[i])) return 0;
    return 1;
}

/* Key 690 is seen by the rows from position 690 on. Their NaN is theirs alone. */
static void test_poison_seen(lctx_type type, store how)
{
    problem p = plain(2, 1, 40, 20, 700, type);
    float row[80];
    scene *s;
    outcome clean;
    int i;
    p.store = how;
    s = scene_new(&p);
    clean = outcome_of(s);
    put_constant(s, 690, (float)NAN, 1);
    attend(&s->attn);
    check(memcmp(s->out, clean.out, 10 * 2 * 40 * 4) == 0
          && memcmp(s->lse, clean.lse, 10 * 2 * 4) == 0,
          "a NaN key leaves the rows before it alone, to the bit (%s in %s)", type_names[type],
          store_names[how]);
    check(rows_nan(s->out + 10 * 2 * 40, 10 * 2 * 40) && rows_nan(s->lse + 20, 20),
          "a NaN key makes the rows that see it NaN (%s in %s)", type_names[type],
          store_names[how]);
    for (i = 0; i < 80; i++) row[i] = i < 40 ? 0.25f : i == 47 || type == LCTX_I8 ? (float)NAN : 1;
    put(s, 690, row, row + 40);
    attend(&s->attn);
    check(latent(&p) || (memcmp(s->out, clean.out, 10 * 2 * 40 * 4) == 0
          && isnan(s->out[10 * 2 * 40 + 7]) && isnan(s->out[20 * 2 * 40 - 40 + 7])
          && !isnan(s->lse[20])),
          "a NaN value reaches the rows that see it and no other (%s in %s)", type_names[type],
          store_names[how]);
    outcome_free(&clean);
    scene_free(s);
}

static void test_poison(void)
{
    size_t t, l;
    for (t = 0; t < 4; t++)
        for (l = 0; l < STORES; l++) {
            test_poison_unseen(every_type[t], (store)l, 1);
            test_poison_unseen(every_type[t], (store)l, 40);
            test_poison_seen(every_type[t], (store)l);
        }
    for (t = 0; t < 8; t++) {
        test_poison_beside(every_type[t % 4], t < 4 ? TILES : LATENT, 1);
        test_poison_beside(every_type[t % 4], t < 4 ? TILES : LATENT, 33);
    }
}

/* ---------------------------------------------------------------------------- equal bits */

static problem bits_problem(lctx_type type, store how, int options)
{
    problem p = plain(6, 2, 40, slow() ? 66 : 75, 1100, type);
    p.d_v = 24;
    p.store = how;
    if (!options) return p;
    p.window = 533; p.n_sink = 4;
    p.softcap = 30; p.alibi = 1; p.sink = 1; p.bias = DENSE;
    return p;
}

static void bits_over_threads(scene *s, const outcome *want, const char *what)
{
    static const int32_t threads[] = { 1, 2, 3, 7, 16 };
    lctx_attn a = s->attn;
    lctx_parallel par;
    hook h;
    size_t i;
    a.par = &par;
    for (i = 0; i < COUNT(threads); i++) {
        int kind = (int)i % HOOK_KINDS;
        par = hook_parallel(&h, threads[i] > 3 ? HOOK_POOL : (hook_kind)kind, threads[i]);
        check(attends_the_same(s, &a, want), "%d threads give the same bits: %s", threads[i], what);
    }
    memset(&par, 0, sizeof par);
    par.n_threads = 3;
    check(attends_the_same(s, &a, want),
          "three threads of the library's own give the same bits: %s", what);
}

/* The queries t .. t+n-1 of a, into their place. */
static lctx_attn some_queries(const scene *s, int64_t t, int64_t n)
{
    lctx_attn a = s->attn;
    a.n_q = n;
    a.q += t * a.n_head * a.d_k;
    if (a.q_far) a.q_far += t * a.n_head * a.d_k;
    a.q_pos += t;
    a.out += t * a.n_head * a.d_v;
    a.lse += t * a.n_head;
    if (a.q_group) a.q_group += t;
    if (a.bias) {
        a.bias_query = s->p.n_kv * 4;
        a.bias_head = s->p.n_q * s->p.n_kv * 4;
        a.bias += t * s->p.n_kv;
    }
    a.list_first += t;
    if (a.mask_bits) {
        const int64_t words = (s->p.n_kv + 63) / 64;
        a.mask_query = words * 8, a.mask_head = s->p.n_q * words * 8;
        a.mask_bits += t * words;
    }
    return a;
}

static void bits_over_chunks(scene *s, const outcome *want, const char *what)
{
    static const int64_t chunks[] = { 1, 7, 64 };
    size_t i;
    int64_t t;
    for (i = 0; i < COUNT(chunks); i++) {
        int ok = 1;
        memset(s->out, 0x77, (size_t)want->n_out * 4);
        for (t = 0; t < s->p.n_q; t += chunks[i]) {
            lctx_attn a = some_queries(s, t, s->p.n_q - t < chunks[i] ? s->p.n_q - t : chunks[i]);
            ok &= attend(&a) == LCTX_OK;
        }
        check(ok && same_bits(want, s->out, s->lse),
              "queries in chunks of %d give the same bits: %s", (int)chunks[i], what);
    }
}

/* Each row again, when only the keys up to its own existed: decoding, as against prefill. */
static void bits_as_keys_come(scene *s, const outcome *want, const char *what)
{
    int64_t t, ok = 1, step = slow() ? 7 : 3;
    lctx_span span;
    if (s->attn.bias) return;
    memset(s->out, 0x77, (size_t)want->n_out * 4);
    for (t = 0; t < s->p.n_q; t += step) {
        lctx_attn a = some_queries(s, t, 1);
        span = span_at(s, 0, s->q_pos[t] + 1, 0);
        a.spans = &span; a.n_spans = 1;
        ok &= attend(&a) == LCTX_OK;
        ok &= memcmp(a.out, want->out + (a.out - s->out), (size_t)(a.n_head * a.d_v) * 4) == 0;
        ok &= memcmp(a.lse, want->lse + (a.lse - s->lse), (size_t)a.n_head * 4) == 0;
    }
    check((int)ok, "a row keeps its bits when later keys come: %s", what);
}

/* The same keys, cut into spans: to the bit where the cuts fall between tiles (of a store that
   begins SKIP tokens before the keys), to rounding elsewhere. */
static void bits_over_cuts(scene *s, const outcome *want, const char *what)
{
    static const int64_t ends[][5] = { { 64, 1100 }, { 64, 128, 1100 }, { 512, 1100 },
                                       { 0, 64, 64, 512, 1100 },
                                       { 576, 576, 576, 960, 1100 },
                                       { 1, 1100 }, { 0, 16, 17, 717, 1100 },
                                       { 550, 550, 800, 1099, 1100 } };
    lctx_span spans[5];
    lctx_attn a = s->attn;
    size_t i, k;
    a.spans = spans; a.n_spans = 5;
    for (i = 0; i < COUNT(ends); i++) {
        int64_t at = 0, end, j;
        double worst = 0;
        int between = i < 5;
        for (k = 0; k < 5; k++) {
            end = ends[i][k] - (between && in_tiles(&s->p) && ends[i][k] < 1100 ? SKIP : 0);
            if (end < at) end = ends[i][k] == 0 && k + 1 < 5 ? at : s->p.n_kv;
            spans[k] = span_at(s, at, end - at, at);
            at = end;
        }
        if (between)
            check(attends_the_same(s, &a, want),
                  "keys cut into spans at tiles %d, %d, ... give the same bits: %s",
                  (int)ends[i][0], (int)ends[i][1], what);
        else {
            check(attend(&a) == LCTX_OK, "keys cut into spans are attended");
            for (j = 0; j < want->n_out; j++)
                if (!(fabs((double)s->out[j] - (double)want->out[j]) <= worst))
                    worst = fabs((double)s->out[j] - (double)want->out[j]);
            check(worst < limit_of(&s->p).worst,
                  "keys cut into spans inside tiles, at %d, %d ..., give the same but for"
                  " rounding (%.1e): %s",
                  (int)ends[i][0], (int)ends[i][1], worst, what);
        }
    }
}

/* Under a window, keys that no query sees may be left out: the index keeps the others in place.
   Rows are packed into tiles from a span's first key on, so there the cut must fall on a tile. */
static void bits_without_evicted(scene *s, const outcome *want, const char *what)
{
    static const int64_t firsts[] = { 63, 64, 300, 448, 491 };
    lctx_span spans[2];
    lctx_attn a = s->attn;
    size_t i;
    if (!s->p.window || s->attn.bias) return;
    a.spans = spans; a.n_spans = 2;
    for (i = 0; i < COUNT(firsts); i++) {
        if (!in_tiles(&s->p) && firsts[i] % LCTX_TILE) continue;
        spans[0] = span_at(s, 0, firsts[i] < s->p.n_sink ? firsts[i] : s->p.n_sink, 0);
        spans[1] = span_at(s, firsts[i], s->p.n_kv - firsts[i], firsts[i]);
        spans[1].index = firsts[i];
        check(attends_the_same(s, &a, want),
              "without the keys up to %d, that no query sees, the same bits: %s",
              (int)firsts[i], what);
    }
}

/* Biases that hide whole tiles, of all rows or of some, beside what else masks and adds. */
static void test_walls(void)
{
    int i;
    for (i = 0; i < 3 * STORES * 3; i++) {
        problem p = plain(6, 2, 24, i % 2 ? 40 : 3, 900, every_type[i % 4]);
        scene *s;
        outcome want;
        p.bias = (bias)(WALLS + i % 3); p.store = (store)(i / 3 % STORES);
        p.cut = i % 5 ? ONE : MANY; p.alibi = i / 9 % 2; p.listed = i / 12 % 3;
        agrees(&p, "a bias that hides whole tiles");
        if (!full() && (slow() || test_elsewhere()) && i % 4) continue;
        s = scene_new(&p);
        want = outcome_of(s);
        bits_over_threads(s, &want, "a bias that hides whole tiles");
        outcome_free(&want);
        scene_free(s);
    }
}

static void test_bits(void)
{
    char what[64];
    int t, l, options;
    for (t = 0; t < 4; t++)
        for (l = 0; l < STORES; l++)
            for (options = 0; options < 3; options++) {
                problem p = bits_problem(every_type[t], (store)l, options == 1);
                scene *s;
                outcome want;
                if (!full() && (slow() ? t != l % 4 || options != l % 3 : (t + l + options) % 3))
                    continue;
                if (options == 2) { p.window = 533; p.n_sink = 4; }
                s = scene_new(&p);
                want = outcome_of(s);
                sprintf(what, "%s in %s, options %d", type_names[t], store_names[l], options);
                bits_over_threads(s, &want, what);
                bits_over_chunks(s, &want, what);
                bits_as_keys_come(s, &want, what);
                bits_over_cuts(s, &want, what);
                bits_without_evicted(s, &want, what);
                outcome_free(&want);
                scene_free(s);
            }
}

/* ---------------------------------------------------------------------------- 4 bits */

/* Every head size, tiles as they are and unpacked, with every other type beside. */
static void test_four(void)
{
    static const int64_t n_qs[] = { 1, 3, 16, 33 };
    size_t i, k;
    for (i = 0; i < COUNT(head_sizes) + COUNT(pairs); i++)
        for (k = 0; k < COUNT(n_qs); k++) {
            problem p = plain(4, 2, 32, n_qs[k], 200, LCTX_I4);
            if (slow() && !full() && (i + k) % 3) continue;
            p.d_k = p.d_v = i < COUNT(head_sizes) ? head_sizes[i] : 0;
            if (!p.d_k) p.d_k = pairs[i - COUNT(head_sizes)][0], p.d_v = pairs[i - COUNT(head_sizes)][1];
            p.store = TILES;
            if ((i + k) % 3 == 1) p.k_type = (int32_t)every_type[i % 4];
            if ((i + k) % 3 == 2) p.v_type = (int32_t)every_type[i % 4];
            agrees(&p, "4 bits");
            p.n_rot = p.d_k / 2 * 2 < 32 ? p.d_k / 2 * 2 : 32; p.pairing = (int32_t)(i % 2);
            if (p.n_rot) agrees(&p, "raw keys of 4 bits");
        }
}

static void test_four_bits(void)
{
    int options;
    for (options = 0; options < 4; options++) {
        problem p = bits_problem(LCTX_I4, TILES, options == 1);
        scene *s;
        outcome want;
        if (options == 2) { p.window = 533; p.n_sink = 4; }
        if (options == 3) p.n_rot = 32;
        s = scene_new(&p);
        want = outcome_of(s);
        bits_over_threads(s, &want, "4 bits");
        bits_over_chunks(s, &want, "4 bits");
        bits_as_keys_come(s, &want, "4 bits");
        bits_over_cuts(s, &want, "4 bits");
        bits_without_evicted(s, &want, "4 bits");
        outcome_free(&want);
        scene_free(s);
    }
}

/* Half a step is the most that an element is off: of keys' steps by dimension over a tile, of
   values' by token; so a dimension far from the others costs only itself. */
static void test_four_rounding(void)
{
    enum { N = 150, G = 2, DK = 39, DV = 21 };
    float *k = (float *)zeroed(N * G * DK, 4), *v = (float *)zeroed(N * G * DV, 4);
    float *k_back = (float *)zeroed(N * G * DK, 4), *v_back = (float *)zeroed(N * G * DV, 4);
    float *want = (float *)zeroed(N * G * DK, 4);
    int64_t i, j, wrong = 0, other = 0;
    lctx_tiles t;
    lctx_rows rows;
    size_t bytes = 0;
    void *base;
    memset(&t, 0, sizeof t);
    memset(&rows, 0, sizeof rows);
    t.n_head_kv = G; t.d_k = DK; t.d_v = DV; t.k_type = t.v_type = LCTX_I4; t.cap = 192;
    for (i = 0; i < N * G * DK; i++) k[i] = noise() * (i % DK == 5 ? 1000.0f : 1.0f) + (i % DK == 9 ? 50.0f : 0);
    for (i = 0; i < N * G * DV; i++) v[i] = noise();
    for (i = 0; i < DV; i++) v[i] = 0.75f;                /* one value: no range at all */
    rows.n = N; rows.k = k; rows.v = v;
    check(lctx_tiles_size(&t, &bytes) == LCTX_OK
          && bytes == 3 * G * (48 * 36 + 64 + 32 * 32 + 64 * 4),
          "tiles of 4 bits take 4.5 bits an element and a line a tile (%d bytes)", (int)bytes);
    t.mem = aligned(bytes, &base);
    memset(t.mem, 0xff, bytes);
    check(lctx_tiles_write(&t, 0, &rows) == LCTX_OK
          && lctx_tiles_read(&t, 0, N, k_back, v_back) == LCTX_OK, "4 bits are written and read");
    for (j = 0; j < N; j += 64)
        for (i = 0; i < G * DK; i++) {
            const int64_t n = N - j < 64 ? N - j : 64, at = j * G * DK + i;
            const float step = oracle_four(n, G * DK, k + at, want + at);
            int64_t x;
            for (x = 0; x < n; x++) {
                const float off = fabsf(k_back[at + x * G * DK] - k[at + x * G * DK]);
                wrong += !(off <= step * 0.5001f);
                other += k_back[at + x * G * DK] != want[at + x * G * DK];
            }
        }
    check(wrong == 0, "4-bit keys are off by half a step of their dimension at most (%d are not)", (int)wrong);
    for (j = 0, wrong = 0; j < N * G; j++) {
        const float step = oracle_four(DV, 1, v + j * DV, want);
        for (i = 0; i < DV; i++) {
            wrong += !(fabsf(v_back[j * DV + i] - v[j * DV + i]) <= step * 0.5001f);
            other += v_back[j * DV + i] != want[i];
        }
    }
    check(wrong == 0, "4-bit values are off by half a step of their token at most (%d are not)", (int)wrong);
    check(other <= 2, "they are what the oracle rounds to (%d are not)", (int)other);
    rows.n = 10;
    check(lctx_tiles_write(&t, 70, &rows) == LCTX_E_SPAN, "4-bit keys are not written into a tile's middle");
    check(lctx_tiles_write(&t, 64, &rows) == LCTX_OK, "but from its first on");
    free(k); free(v); free(k_back); free(v_back); free(want); free(base);
}

/* A NaN or an infinity is its token's alone, though a tile's keys share their ranges. */
static void test_four_poison(float x, int64_t n_q)
{
    problem p = plain(4, 2, 40, n_q, 200, LCTX_I4);
    oracle_error e;
    double lse_off;
    scene *s;
    int64_t j;
    p.store = TILES; p.window = 77;
    s = scene_new(&p);
    for (j = 0; j < 200; j++) if (j < 200 - n_q - 77 || j == 199) put_constant(s, j, x, x);
    store_four(s);
    s->attn.n_q = n_q - 1;      /* the last query would see the last key */
    s->p.n_q = n_q - 1;
    check(attend(&s->attn) == LCTX_OK, "poisoned 4 bits are attended");
    compare(s, &e, &lse_off);
    check(oracle_error_nmse(&e) < (dots(LCTX_I4) ? 1e-6 : 1e-10)
          && lse_off < (dots(LCTX_I4) ? 1e-3 : 1e-5), "unseen %g in a tile of 4 bits does not"
          " reach the rows that see its neighbours (%d queries, NMSE %.1e)", (double)x, (int)n_q,
          oracle_error_nmse(&e));
    s->attn.n_q = n_q;
    check(attend(&s->attn) == LCTX_OK && isnan(s->out[(n_q - 1) * 4 * 40]) && isnan(s->lse[n_q * 4 - 1])
          && (n_q == 1 || !isnan(s->out[0])),
          "a NaN key makes the rows that see it NaN, and no other (4 bits, %g, %d queries)", (double)x,
          (int)n_q);
    scene_free(s);
}

/* Keys' tiles and values' tiles that stand apart. */
static void test_tiles_apart(lctx_type k_type, lctx_type v_type)
{
    problem p = plain(4, 2, 48, 20, 300, k_type);
    scene *s;
    outcome want;
    lctx_span *a, apart;
    unsigned char *mem;
    int64_t k_bytes, v_bytes, tile, n, i, g;
    void *base;
    p.v_type = (int32_t)v_type; p.store = TILES;
    s = scene_new(&p);
    want = outcome_of(s);
    a = &s->spans[0];
    n = s->tiles.cap / 64;
    k_bytes = (const char *)a->v - (const char *)a->k;
    tile = a->k_head / n;
    v_bytes = tile - k_bytes;
    mem = (unsigned char *)aligned((size_t)(2 * n * (tile + 128)), &base);
    apart = *a;
    apart.k = mem; apart.k_token = k_bytes + 64; apart.k_head = n * apart.k_token;
    apart.v = mem + 2 * apart.k_head; apart.v_token = v_bytes + 64; apart.v_head = n * apart.v_token;
    for (g = 0; g < 2; g++)
        for (i = 0; i < n; i++) {
            const unsigned char *from = (const unsigned char *)a->k + g * a->k_head + i * tile;
            memcpy(mem + g * apart.k_head + i * apart.k_token, from, (size_t)k_bytes);
            memcpy(mem + 2 * apart.k_head + g * apart.v_head + i * apart.v_token, from + k_bytes,
                   (size_t)v_bytes);
        }
    s->attn.spans = &apart;
    check(attends_the_same(s, &s->attn, &want), "tiles of keys and of values apart give the bits of"
          " those together (%s/%s)", type_names[k_type], type_names[v_type]);
    outcome_free(&want);
    free(base);
    scene_free(s);
}

/* Tiles that are seen in whole may be taken in one go; under a mask, even one that hides nothing,
   each goes by itself. */
static void run_in_bits(const problem *p, int poisoned, const char *what)
{
    const int64_t words = (p->n_kv + 63) / 64;
    uint64_t *ones = (uint64_t *)zeroed(words, sizeof *ones);
    scene *s = scene_new(p);
    outcome want;
    memset(ones, 0xff, (size_t)words * sizeof *ones);
    if (p->listed) s->spans[0].pos += 200;      /* says nothing then */
    if (poisoned) {
        put_constant(s, 300, (float)NAN, 1);
        if (four(p)) store_four(s);
    }
    want = outcome_of(s);
    check(!poisoned || (rows_nan(want.out, want.n_out) && rows_nan(want.lse, want.n_lse)),
          "a NaN key makes the rows that see it NaN, in the middle of tiles seen in whole (%s)",
          type_names[p->k_type]);
    s->attn.mask_bits = ones, s->attn.mask_head = s->attn.mask_query = -1;
    check(attends_the_same(s, &s->attn, &want), "tiles in one go give the bits of each by itself:"
          " %s (%s, %d queries)", what, type_names[p->k_type], (int)p->n_q);
    outcome_free(&want);
    free(ones);
    scene_free(s);
}
static void test_runs(lctx_type type, int64_t n_q)
{
    problem p = plain(4, 2, 40, n_q, 1300, type), q;
    p.store = TILES;
    q = p, q.window = 517, q.n_sink = 150;
    run_in_bits(&q, 0, "a window and sinks");
    q = p, q.cut = FEW, q.groups = 3, q.mask = LCTX_MASK_NONE;
    run_in_bits(&q, 0, "a span that some queries do not see");
    q = p, q.listed = 2, q.window = 517;
    run_in_bits(&q, 0, "listed positions");
    q = p, q.alibi = 1;
    run_in_bits(&q, 0, "ALiBi");
    q = p, q.bias = SAME_HEADS;
    run_in_bits(&q, 0, "a bias");
    q = p, q.patterned = 1, q.pattern.kind = LCTX_PATTERN_DILATED;
    q.pattern.length = 600, q.pattern.dilation = 2, q.pattern.n_global = 500;
    run_in_bits(&q, 0, "a dilated pattern with many globals");
    q = p, q.bits = 4;
    agrees(&q, "tiles in one go, and a mask of bits");
    q = p, q.n_rot = 32;
    run_in_bits(&q, 0, "raw keys");
    q = p, q.mask = LCTX_MASK_NONE;
    run_in_bits(&q, 1, "a NaN key");
}

static void test_fours(void)
{
    static const float poisons[] = { (float)NAN, (float)INFINITY, -(float)INFINITY };
    size_t i;
    test_four();
    test_four_bits();
    test_four_rounding();
    for (i = 0; i < 3; i++) {
        test_four_poison(poisons[i], 2);
        test_four_poison(poisons[i], 40);
    }
    test_tiles_apart(LCTX_F16, LCTX_I4);
    test_tiles_apart(LCTX_I4, LCTX_I8);
    test_tiles_apart(LCTX_F32, LCTX_BF16);
}

/* Positions that follow by one may as well be listed: the same bits, but for ALiBi's rounding. */
static void test_listed_plainly(lctx_type type, store how)
{
    problem p = plain(6, 3, 32, 20, 700, type);
    scene *s;
    outcome want;
    int64_t j;
    p.store = how; p.window = 133; p.n_sink = 3; p.softcap = 30; p.bias = HOLES;
    s = scene_new(&p);
    want = outcome_of(s);
    for (j = 0; j < 700; j++) s->list[j] = j;
    s->spans[0].k_pos = s->list; s->spans[0].k_pos_head = -1;
    s->spans[0].pos = 5000;
    check(attends_the_same(s, &s->attn, &want), "positions 0, 1, 2 ... listed give the bits of the"
          " same unlisted, whatever pos says (%s in %s)", type_names[type], store_names[how]);
    outcome_free(&want);
    scene_free(s);
}

/* ---------------------------------------------------------------------------- mass */

enum { MASS_GAP = 5 };       /* floats between the heads' masses */

typedef struct masses { float *at; int64_t n_kv, n; } masses;

static masses masses_new(const scene *s)
{
    masses m;
    int64_t i;
    m.n_kv = s->p.n_kv;
    m.n = s->p.n_head_kv * (m.n_kv + MASS_GAP);
    m.at = (float *)zeroed(m.n, sizeof *m.at);
    for (i = 0; i < m.n; i++) m.at[i] = (float)(i % 7);         /* what is there is added to */
    return m;
}

static lctx_attn with_mass(const lctx_attn *attn, masses *m)
{
    lctx_attn a = *attn;
    a.mass = m->at;
    a.mass_head = (m->n_kv + MASS_GAP) * 4;
    return a;
}

/* How far the masses are off the oracle's, relative to 1 + |lse| and the weights added up; what was
   there before counts, and nothing may be written between the heads. */
static double masses_off(const scene *s, const masses *m, int64_t counted)
{
    oracle_attn o = oracle_of(s);
    double *want = (double *)zeroed(s->p.n_head_kv * m->n_kv, sizeof *want), worst = 0, lse = 1;
    int64_t i, j;
    for (i = 0; i < s->p.n_q * s->p.n_head; i++)
        if (!isinf(s->lse[i]) && fabs((double)s->lse[i]) > lse) lse = fabs((double)s->lse[i]);
    oracle_attn_mass(&o, s->p.n_q - counted, want);
    for (i = 0; i < m->n; i++) {
        int64_t g = i / (m->n_kv + MASS_GAP);
        double before = (double)(i % 7), sum = before, off;
        j = i % (m->n_kv + MASS_GAP);
        if (j < m->n_kv) sum += want[g * m->n_kv + j];
        off = fabs((double)m->at[i] - sum) / (1 + sum) / lse;
        if (j >= m->n_kv && off > 0) off = (double)INFINITY;
        if (!(off <= worst)) worst = off;
    }
    free(want);
    return worst;
}

static void mass_agrees(const problem *p, int64_t counted, const char *what)
{
    problem precise = *p;
    scene *s;
    masses m;
    lctx_attn a;
    outcome plainly;
    double off;
    precise.precise = 1;
    s = scene_new(&precise);
    m = masses_new(s);
    a = with_mass(&s->attn, &m);
    plainly = outcome_of(s);
    a.mass_queries = counted;
    check(attends_the_same(s, &a, &plainly), "asking for mass changes no bit of the outputs");
    off = masses_off(s, &m, counted ? counted : p->n_q);
    check(off < 2e-6, "%s: mass agrees with the oracle: heads %d/%d, d %d, %d of %d queries on %d"
          " keys, %s in %s, mask %d window %d softcap %g alibi %d sink %g bias %d [%.1e]", what,
          p->n_head, p->n_head_kv, p->d_k, (int)counted, (int)p->n_q, (int)p->n_kv,
          type_names[p->k_type], store_names[p->store], p->mask, (int)p->window,
          (double)p->softcap, p->alibi, (double)p->sink, (int)p->bias, off);
    free(m.at);
    outcome_free(&plainly);
    scene_free(s);
}

static void test_mass(void)
{
    int cases = full() ? 400 : slow() ? 40 : 100, t, l;
    for (t = 0; t < 4; t++)
        for (l = 0; l < STORES; l++) {
            problem p = plain(6, 2, 40, 33, 700, every_type[t]);
            p.store = (store)l;
            mass_agrees(&p, 0, "every type and layout");
            p.n_q = 1;
            mass_agrees(&p, 1, "every type and layout");
        }
    while (cases > 0) {
        problem p = random_problem();
        double work = (double)p.n_q * (double)p.n_head * (double)p.n_kv * (p.d_k + p.d_v);
        if (work + 20.0 * (double)p.n_kv * p.n_head_kv * (p.d_k + p.d_v) > (full() ? 2e7 : 3e6))
            continue;
        if (p.scale > 0.1f) p.scale /= sqrtf((float)p.d_k);
        if (p.alibi && p.gap > 17) p.gap = 17;
        p.groups = (int32_t)(test_random() % 4);
        mass_agrees(&p, (int64_t)(test_random() % (uint64_t)(p.n_q + 1)), "a random problem");
        cases--;
    }
}

/* The masses of a call as it stands, to be compared with those of the same call cut otherwise. */
static masses masses_of(const scene *s, const lctx_attn *attn, int64_t chunk)
{
    masses m = masses_new(s);
    int64_t t;
    int ok = 1;
    for (t = 0; t < s->p.n_q; t += chunk) {
        lctx_attn a = some_queries(s, t, s->p.n_q - t < chunk ? s->p.n_q - t : chunk);
        a.par = attn->par; a.spans = attn->spans; a.n_spans = attn->n_spans;
        a = with_mass(&a, &m);
        ok &= attend(&a) == LCTX_OK;
    }
    if (!ok) check(0, "attention with mass works");
    return m;
}

static int same_masses(const masses *want, masses got)
{
    int same = memcmp(want->at, got.at, (size_t)want->n * 4) == 0;
    free(got.at);
    return same;
}

static void test_mass_bits(lctx_type type, store how, int options)
{
    static const int32_t threads[] = { 2, 3, 7, 16 };
    static const int64_t chunks[] = { 1, 7, 64 };
    problem p = bits_problem(type, how, options);
    scene *s = scene_new(&p);
    masses want = masses_of(s, &s->attn, p.n_q), got;
    lctx_attn a = s->attn;
    lctx_parallel par;
    lctx_span halves[2];
    int64_t t, first = how >= TILES ? 512 - SKIP : 512;
    hook h;
    size_t i;
    a.par = &par;
    for (i = 0; i < COUNT(threads); i++) {
        par = hook_parallel(&h, i % 2 ? HOOK_SHUFFLED : HOOK_POOL, threads[i]);
        check(same_masses(&want, masses_of(s, &a, p.n_q)) && h.tasks > 0,
              "%d threads give the same bits of mass (%s in %s, options %d)", threads[i],
              type_names[type], store_names[how], options);
    }
    for (i = 0; i < COUNT(chunks); i++)
        check(same_masses(&want, masses_of(s, &s->attn, chunks[i])),
              "queries in chunks of %d give the same bits of mass (%s in %s, options %d)",
              (int)chunks[i], type_names[type], store_names[how], options);
    halves[0] = span_at(s, 0, first, 0);
    halves[1] = span_at(s, first, p.n_kv - first, first);
    a = s->attn;
    a.spans = halves; a.n_spans = 2;
    check(same_masses(&want, masses_of(s, &a, p.n_q)),
          "keys cut between tiles get the same bits of mass (%s in %s, options %d)",
          type_names[type], store_names[how], options);
    got = masses_new(s);
    for (t = 0; !options && t < p.n_q; t++) {         /* only the keys up to the row's own exist */
        lctx_attn one = some_queries(s, t, 1);
        lctx_span span = span_at(s, 0, s->q_pos[t] + 1, 0);
        one.spans = &span; one.n_spans = 1;
        one = with_mass(&one, &got);
        attend(&one);
    }
    if (!options)
        check(same_masses(&want, got), "token by token, keys get the same bits of mass as from a"
              " whole prompt (%s in %s)", type_names[type], store_names[how]);
    else free(got.at);
    free(want.at);
    scene_free(s);
}

/* Each row gives 1 in all, less what its sink logit takes; what is masked is given nothing, be it
   NaN. */
static void test_mass_shares(lctx_type type, store how)
{
    problem p = plain(4, 2, 40, 20, 700, type);
    scene *s;
    masses m;
    lctx_attn a;
    double sum = 0, taken = 0;
    int64_t i, hidden = 0;
    p.store = how; p.window = 100; p.q_back = 170; p.sink = 1; p.precise = 1;
    s = scene_new(&p);
    for (i = 0; i < 700; i++)
        if (i > 529 || i < 400) put_constant(s, i, (float)NAN, (float)NAN);
    m = masses_new(s);
    memset(m.at, 0, (size_t)m.n * 4);
    a = with_mass(&s->attn, &m);
    check(attend(&a) == LCTX_OK, "attention with mass works");
    for (i = 0; i < m.n; i++) {
        int64_t j = i % (700 + MASS_GAP);
        sum += (double)m.at[i];
        if (j > 529 || j < 400) hidden += m.at[i] != 0;
    }
    for (i = 0; i < 20 * 4; i++) taken += exp((double)(s->sink[i % 4] - s->lse[i]));
    check(hidden == 0, "masked keys, NaN as they are, get no mass (%s in %s)", type_names[type],
          store_names[how]);
    check(taken > 0.01 && fabs(sum + taken - 20 * 4) < 1e-4,
          "every row gives 1, less its sink logit's share (%s in %s: %g + %g)", type_names[type],
          store_names[how], sum, taken);
    free(m.at);
    scene_free(s);
}

/* Decoding one query over many leaves: the split is the library's own. */
static void test_bits_decode(void)
{
    int t;
    for (t = 0; t < 5; t++) {
        problem p = plain(8, 2, 64, 1, 5131, t < 4 ? every_type[t] : LCTX_I4);
        scene *s;
        outcome want;
        p.store = TILES;
        s = scene_new(&p);
        want = outcome_of(s);
        bits_over_threads(s, &want, type_names[t]);
        outcome_free(&want);
        scene_free(s);
    }
}

/* Rows of f32 and f16 hold what tiles of them hold: from where a tile begins the same bits, with
   whatever number of elements in a row and of keys in the last tile. */
static void rows_against_tiles(int32_t d, int64_t n_q, int64_t n, lctx_type type, store layout)
{
    const int64_t from = 64 - SKIP;      /* the first whole tile's */
    problem p = plain(4, 2, d, n_q, from + n, type);
    scene *tiles, *rows;
    outcome want, got;
    uint64_t seed = test_state;
    p.store = TILES;
    tiles = scene_new(&p);
    test_state = seed;
    p.store = layout;
    rows = scene_new(&p);
    tiles->spans[0] = span_at(tiles, from, n, from);
    rows->spans[0] = span_at(rows, from, n, from);
    want = outcome_of(tiles), got = outcome_of(rows);
    check(!memcmp(want.out, got.out, (size_t)want.n_out * 4)
          && !memcmp(want.lse, got.lse, (size_t)want.n_lse * 4),
          "%d %s rows of %d, %s, give the bits of tiles, %d queries", (int)n, type_names[type],
          (int)d, store_names[layout], (int)n_q);
    outcome_free(&want);
    outcome_free(&got);
    scene_free(tiles);
    scene_free(rows);
}
static void test_rows_against_tiles(void)
{
    static const int32_t dims[] = { 128, 96, 69, 34, 20, 5 };
    static const int64_t ns[] = { 704, 711, 689, 64, 8, 1 };
    int t, l, d, n;
    for (t = 0; t < 2; t++)
        for (l = 0; l < 3; l++)
            for (d = 0; d < 6; d++) {
                for (n = 0; n < 6; n++) rows_against_tiles(dims[d], 1, ns[n], every_type[t], (store)l);
                rows_against_tiles(dims[d], 33, 711, every_type[t], (store)l);
            }
}

/* ---------------------------------------------------------------------------- patterns */

static const int64_t pattern_lengths[] = { 1, 2, 3, 7, 63, 64, 65, 100, 128, 511, 512, 513, 700 };
static const int64_t some_globals[] = { 0, 1, 5, 63, 64, 200, 201, 202, 511, 512, 640, 1024 };

/* A pattern of a kind and length; `way` varies what else it has. */
static lctx_pattern pattern_of(int kind, int64_t length, size_t way)
{
    lctx_pattern p;
    memset(&p, 0, sizeof p);
    p.kind = kind; p.length = length;
    p.local = way % 3 ? (int64_t)(way % 7) * 11 : 0;
    p.summary = way % 2 ? (length + 3) / 4 : 0;
    p.back = (int64_t)(way % 4);
    p.dilation = (int32_t)(way % 5 + 1 < (size_t)length ? way % 5 + 1 : (size_t)length);
    if (way % 3 == 2) { p.global0 = (int64_t)(way % 11) * 13; p.n_global = (int64_t)(way % 4) * 3; }
    if (way % 5 == 4) { p.global = some_globals; p.n_global = COUNT(some_globals); }
    return p;
}

static void test_patterns(void)
{
    size_t kind, i, way;
    for (kind = 0; kind < LCTX_PATTERN_COUNT; kind++)
        for (i = 0; i < COUNT(pattern_lengths); i++)
            for (way = 0; way < 6; way++) {
                problem p = plain(5, 1, 16, way % 2 ? 1 : 70, 1100, every_type[(i + way) % 4]);
                if (!full() && (kind + i + way) % (slow() ? 6 : 3)) continue;
                if (way % 3 == 0) { p.n_head = 6; p.n_head_kv = 3; }
                p.store = (store)((i + kind + way / 2) % STORES);
                p.patterned = 1;
                p.pattern = pattern_of((int)kind, pattern_lengths[i], way + i);
                p.mask = way == 4 ? LCTX_MASK_NONE : LCTX_CAUSAL;
                p.q_back = way == 4 ? 600 : 0;
                if (way == 5) { p.window = 300; p.n_sink = 2; }
                agrees(&p, "a pattern");
            }
}

/* Patterns and groups beside every other option. */
static void test_random_patterns(void)
{
    int cases = full() ? 600 : watched() ? 30 : slow() ? 60 : 150;
    while (cases > 0) {
        problem p = random_problem();
        if (p.n_kv > 3000 || p.n_q * p.n_head * p.n_kv > 600000) continue;
        p.d_k = p.d_k > 64 ? 24 : p.d_k; p.d_v = p.d_v > 64 ? 40 : p.d_v;
        if (p.scale > 0.1f) p.scale /= sqrtf((float)p.d_k);
        if (p.alibi && p.gap > 17) p.gap = 17;
        p.patterned = 1;
        p.pattern = pattern_of((int)(test_random() % LCTX_PATTERN_COUNT),
                               pattern_lengths[test_random() % COUNT(pattern_lengths)],
                               (size_t)(test_random() % 100));
        p.groups = (int32_t)(test_random() % 4);
        agrees(&p, "a random pattern");
        cases--;
    }
}

/* Several segment lengths and dilations, each a call of its own, merged by their lse: the mixture
   of LongNet's equation 10, whose weights are the softmax denominators. */
static void test_dilated_mixture(void)
{
    static const int64_t lengths_of[] = { 64, 192, 640 };
    static const int32_t dilations[] = { 1, 3, 10 };
    enum { PAIRS = 3, H = 6, D = 24, Q = 130 };
    problem p = plain(H, 2, D, Q, 700, LCTX_F16);
    float *outs[PAIRS], *lses[PAIRS], *out = (float *)zeroed(Q * H * D, 4);
    double *want = (double *)zeroed(PAIRS * D, sizeof *want), worst = 0, lse[PAIRS];
    oracle_attn o;
    scene *s;
    int64_t row;
    int i, d, unseen = 0;
    p.store = TILES; p.patterned = 1;
    p.pattern.kind = LCTX_PATTERN_DILATED; p.pattern.length = p.pattern.dilation = 1;
    s = scene_new(&p);
    for (i = 0; i < PAIRS; i++) {
        s->p.pattern.length = lengths_of[i]; s->p.pattern.dilation = dilations[i];
        s->attn.out = outs[i] = (float *)zeroed(Q * H * D, 4);
        s->attn.lse = lses[i] = (float *)zeroed(Q * H, 4);
        check(attend(&s->attn) == LCTX_OK, "a dilated segment is attended");
    }
    check(lctx_merge(Q * H, D, PAIRS, (const float *const *)outs, (const float *const *)lses, out,
                     NULL) == LCTX_OK, "dilated segments merge");
    o = oracle_of(s);
    for (row = 0; row < Q * H; row++) {
        double top = -1e300, sum = 0;
        for (i = 0; i < PAIRS; i++) {
            s->pattern.length = lengths_of[i]; s->pattern.dilation = dilations[i];
            lse[i] = oracle_attn_row(&o, row / H, (int)(row % H), want + i * D);
            unseen += isinf(lse[i]) != 0;
            if (lse[i] > top) top = lse[i];
        }
        for (i = 0; i < PAIRS; i++) sum += exp(lse[i] - top);
        for (d = 0; d < D; d++) {
            double mix = 0, off;
            for (i = 0; i < PAIRS; i++) mix += exp(lse[i] - top) / sum * want[i * D + d];
            off = fabs((double)out[row * D + d] - mix);
            if (!(off <= worst)) worst = off;
        }
    }
    check(worst < 1e-5 && unseen > Q * H, "dilated segments merged by lse are LongNet's mixture"
          " (%.1e off, %d rows of %d left out by a pair)", worst, unseen, PAIRS * Q * H);
    for (i = 0; i < PAIRS; i++) { free(outs[i]); free(lses[i]); }
    free(out);
    free(want);
    scene_free(s);
}

/* Parallel context windows: three contexts at the same positions and a task that follows them. One
   call for all tokens gives what a call per context, over its own keys, gives. */
static void test_parallel_contexts(void)
{
    enum { C = 3, LONG = 100, TASK = 20, N = C * LONG + TASK, H = 4, D = 24 };
    problem p = plain(H, 2, D, N, N, LCTX_F16);
    scene *s;
    outcome all;
    oracle_error e;
    double lse_off, worst = 0;
    int64_t i, c;
    s = scene_new(&p);
    for (i = 0; i < N; i++) {
        s->k_group[i] = s->q_group[i] = i < C * LONG ? (int32_t)(i / LONG) + 1 : 0;
        s->k_pos[i] = s->q_pos[i] = i < C * LONG ? i % LONG : i - (C - 1) * LONG;
    }
    for (c = 0; c <= C; c++) {
        s->spans[c] = span_at(s, c * LONG, c < C ? LONG : TASK, c < C ? 0 : LONG);
        s->spans[c].group = c < C ? (int32_t)c + 1 : 0;
    }
    s->attn.n_spans = C + 1; s->attn.q_group = s->q_group;
    all = outcome_of(s);
    compare(s, &e, &lse_off);
    check(e.worst < 2e-5 && lse_off < 1e-5,
          "parallel contexts at the same positions do not see each other, and the task sees all"
          " (%.1e, %.1e)", e.worst, lse_off);
    for (c = 0; c < C; c++) {
        lctx_attn a = some_queries(s, c * LONG, LONG);
        a.q_group = NULL; a.spans = s->spans + c; a.n_spans = 1;
        check(attend(&a) == LCTX_OK, "one context is attended alone");
    }
    for (i = 0; i < C * LONG * H * D; i++) {
        double off = fabs((double)s->out[i] - (double)all.out[i]);
        if (!(off <= worst)) worst = off;
    }
    check(worst < 1e-6, "a context among others gives what it gives alone (%.1e off)", worst);
    outcome_free(&all);
    scene_free(s);
}

/* Sequences of unequal lengths in one call, each with its queries, unequally many, and beside them
   spans and queries of group 0 and a group without keys. What is here is listed by group. */
typedef struct turn { int32_t group; int64_t n; } turn;
static const turn key_turns[] = { { 0, 90 }, { 1, 500 }, { 2, 64 }, { 0, 70 }, { 3, 130 }, { 1, 33 },
                                  { 4, 1 }, { 5, 112 } };
static const turn query_turns[] = { { 1, 1 }, { 2, 3 }, { 0, 2 }, { 3, 20 }, { 1, 2 }, { 4, 1 },
                                    { 6, 1 }, { 5, 7 }, { 0, 1 } };

static scene *sequences_new(const problem *p)
{
    scene *s = scene_new(p);
    int64_t at = 0, t = 0, i;
    size_t k;
    for (k = 0; k < COUNT(key_turns); k++, at += i) {
        s->spans[k] = span_at(s, at, key_turns[k].n, at);
        s->spans[k].group = key_turns[k].group;
        s->spans[k].index = at;
        for (i = 0; i < key_turns[k].n; i++) s->k_group[at + i] = key_turns[k].group;
    }
    for (k = 0; k < COUNT(query_turns); k++)
        for (i = 0; i < query_turns[k].n; i++) s->q_group[t++] = query_turns[k].group;
    if (at != p->n_kv || t != p->n_q) check(0, "every key and every query has a group");
    s->attn.spans = s->spans; s->attn.n_spans = COUNT(key_turns);
    s->attn.q_group = s->q_group;
    return s;
}

/* Queries t .. t+n-1, of one group, in a call of their own over the spans that they see. */
static int attends_alone(scene *s, int64_t t, int64_t n)
{
    lctx_attn a = some_queries(s, t, n);
    lctx_span seen[COUNT(key_turns)];
    size_t k;
    a.spans = seen; a.n_spans = 0;
    for (k = 0; k < COUNT(key_turns); k++)
        if (!a.q_group[0] || !key_turns[k].group || key_turns[k].group == a.q_group[0])
            seen[a.n_spans++] = s->spans[k];
    a.q_group = NULL;
    return attend(&a) == LCTX_OK;
}

static void test_sequences(lctx_type type, store how, int options)
{
    problem p = plain(32, 8, 16, 38, 1000, type);
    scene *s;
    outcome want;
    oracle_error e;
    double lse_off;
    int64_t t = 0;
    size_t k;
    int ok = 1;
    p.store = how;
    if (options) p.window = 300, p.n_sink = 4, p.alibi = 1, p.sink = 1;
    s = sequences_new(&p);
    want = outcome_of(s);
    if (!dots((int32_t)type)) {
        compare(s, &e, &lse_off);
        check(e.worst < 2e-5 && lse_off < 1e-5, "sequences side by side agree with the oracle"
              " (%s in %s: %.1e, %.1e)", type_names[type], store_names[how], e.worst, lse_off);
    }
    bits_over_threads(s, &want, "sequences side by side");
    bits_over_chunks(s, &want, "sequences side by side");
    memset(s->out, 0x77, (size_t)want.n_out * 4);
    for (k = 0; k < COUNT(query_turns); t += query_turns[k++].n)
        ok &= attends_alone(s, t, query_turns[k].n);
    check(ok && same_bits(&want, s->out, s->lse),
          "a sequence has the bits that it has alone (%s in %s)", type_names[type],
          store_names[how]);
    outcome_free(&want);
    scene_free(s);
}

#if TEST_PAGES
/* Keys in pages of their own, one tile a pair of pages, of which only those that some query sees may
   be touched: any other read ends in a signal. */
static sigjmp_buf touched;
static void on_touch(int signal_number) { (void)signal_number; siglongjmp(touched, 1); }

enum { GUARD_D = 16, GUARD_BYTES = 2 * 4096 };     /* [16][64] keys and [64][16] values, f32 */

typedef struct guarded { unsigned char *mem; int64_t n_tile; lctx_span span; } guarded;

static int guarded_new(guarded *g, int64_t n_tile)
{
    memset(g, 0, sizeof *g);
    g->mem = (unsigned char *)mmap(NULL, (size_t)n_tile * GUARD_BYTES, PROT_NONE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (g->mem == (unsigned char *)MAP_FAILED) return 0;
    g->n_tile = n_tile;
    g->span.k = g->mem; g->span.v = g->mem + GUARD_BYTES / 2;
    g->span.layout = LCTX_TILES; g->span.n = n_tile * LCTX_TILE;
    return 1;
}

/* Attends where only what is readable may be read; 0 where it was not so. */
static int keeps_off(lctx_attn *a)
{
    struct sigaction on, segv, bus;
    volatile int ok = 0;
    memset(&on, 0, sizeof on);
    on.sa_handler = on_touch;
    sigaction(SIGSEGV, &on, &segv);
    sigaction(SIGBUS, &on, &bus);
    if (!sigsetjmp(touched, 1)) ok = attend(a) == LCTX_OK;
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return ok;
}

/* All the queries' task is one, so that every tile that none of them sees must be skipped. */
static void test_unseen_tiles(int kind, int64_t length, size_t way, int64_t n_q)
{
    enum { TILES_HELD = 40, H = 3, N = TILES_HELD * LCTX_TILE };
    static const bias biases[] = { NO_BIAS, WALLS, NO_BIAS, WALLS_SAME_HEADS, WALLS_SAME_QUERIES };
    problem p = plain(H, 1, GUARD_D, n_q, N, LCTX_F32);
    lctx_parallel serial;
    scene *s;
    guarded g;
    oracle_attn o;
    int64_t i, j, t, seen = 0;
    int h;
    p.patterned = 1; p.pattern = pattern_of(kind, length, way);
    p.q_back = 100 + (int64_t)way * 37;
    if (way % 4 == 1) { p.window = 1000; p.n_sink = 3; }
    p.bias = biases[way % 5];
    if (way % 3 == 2) { some_lists(&p); p.list_share = 20; }
    if (way % 4 == 3) p.bits = 1;
    s = scene_new(&p);
    o = oracle_of(s);
    if (!guarded_new(&g, TILES_HELD)) { scene_free(s); return; }
    for (i = 0; i < TILES_HELD; i++) {
        int any = 0;
        for (j = i * LCTX_TILE; j < (i + 1) * LCTX_TILE && !any; j++)
            for (t = 0; t < n_q && !any; t++)
                for (h = 0; h < H && !any; h++)
                    any = oracle_sees(&o, t, h, j) &&
                          !(o.bias && isinf(o.bias[h * o.bias_head + t * o.bias_query + j]));
        if (any) mprotect(g.mem + i * GUARD_BYTES, GUARD_BYTES, PROT_READ | PROT_WRITE);
        seen += any;
    }
    memset(&serial, 0, sizeof serial);
    serial.n_threads = 1;
    s->attn.spans = &g.span; s->attn.n_spans = 1; s->attn.par = &serial;
    if (p.bias) {        /* a type that is unpacked for many rows */
        g.span.k_type = g.span.v_type = LCTX_F16;
        g.span.k_token = g.span.v_token = GUARD_BYTES;
    }
    check(keeps_off(&s->attn), "of %d tiles none but the %d that %d queries see is read"
          " (pattern %d, length %d, %d)", TILES_HELD, (int)seen, (int)n_q, kind, (int)length,
          (int)way);
    munmap(g.mem, TILES_HELD * GUARD_BYTES);
    scene_free(s);
}

/* 2^36 keys, of which a query sees a few: what lies between is not even walked through. */
static void test_unseen_runs(int kind, int64_t length, int64_t back)
{
    static const int64_t globals[] = { 3, (int64_t)1 << 20, ((int64_t)1 << 35) + 7 };
    const int64_t n_tile = (int64_t)1 << 30, last = n_tile * LCTX_TILE - 1;
    float q[2 * GUARD_D] = { 0 }, out[2 * GUARD_D];
    lctx_parallel serial;
    lctx_pattern p;
    lctx_attn a;
    guarded g;
    int64_t i, tile;
    clock_t begin = clock();
    double seconds;
    int ok;
    if (!guarded_new(&g, n_tile)) return;       /* no room for it here */
    memset(&p, 0, sizeof p);
    memset(&a, 0, sizeof a);
    memset(&serial, 0, sizeof serial);
    serial.n_threads = 1;               /* so that a signal is this thread's */
    a.par = &serial;
    p.kind = kind; p.length = length; p.back = back; p.local = 1; p.dilation = 3;
    p.global = globals; p.n_global = 3;
    a.n_q = 2; a.n_head = a.n_head_kv = 1; a.d_k = GUARD_D;
    a.q = q; a.out = out; a.q_pos0 = last - 1; a.spans = &g.span; a.n_spans = 1; a.pattern = &p;
    if (kind == LCTX_PATTERN_ALL) a.window = 100;
    for (i = 0; i < 3; i++)
        mprotect(g.mem + globals[i] / LCTX_TILE * GUARD_BYTES, GUARD_BYTES, PROT_READ | PROT_WRITE);
    for (i = 0; i < 40; i++) {          /* the last tiles, and those of the stride */
        tile = n_tile - 1 - i;
        mprotect(g.mem + tile * GUARD_BYTES, GUARD_BYTES, PROT_READ | PROT_WRITE);
        if (last - 1 - i * length < 0) continue;
        tile = (last - 1 - i * length) / LCTX_TILE;
        mprotect(g.mem + tile * GUARD_BYTES, GUARD_BYTES, PROT_READ | PROT_WRITE);
    }
    ok = keeps_off(&a);
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    check(ok && seconds < 1, "among 2^36 keys the few that pattern %d shows are found at once"
          " (%.3f s)", kind, seconds);
    munmap(g.mem, (size_t)n_tile * GUARD_BYTES);
}

static void test_skipping(void)
{
    static const int64_t few[] = { 1, 5, 42 }, long_ones[] = { 64, 100, 200, 500, 1024 };
    int kind;
    size_t i, k;
    for (kind = 0; kind < LCTX_PATTERN_COUNT; kind++)
        for (i = 0; i < COUNT(long_ones); i++)
            for (k = 0; k < 3; k++) test_unseen_tiles(kind, long_ones[i], i * 3 + k, few[k]);
    if (getenv("TEST_QUICK")) {
        printf("  SKIPPED: 2^36 keys (an emulator would keep account of their pages)\n");
        return;
    }
    test_unseen_runs(LCTX_PATTERN_ALL, 1, 0);
    test_unseen_runs(LCTX_PATTERN_STRIDED, (int64_t)1 << 31, 0);
    test_unseen_runs(LCTX_PATTERN_DILATED, 1000, 0);
    test_unseen_runs(LCTX_PATTERN_BLOCKS, 500, 1);
}
#else
static void test_skipping(void)
{
    printf("  SKIPPED: pages that may not be read (there are none here)\n");
}
#endif

/* Of four types for each kind some are taken, so that every type and layout has its turn. */
static int left_out(int kind, int t)
{
    return !full() && (slow() ? t != kind * 3 / 2 % 4 : (kind + t / 2) % 2);
}

static void test_pattern_bits(void)
{
    char what[64];
    int kind, t;
    for (kind = 0; kind < LCTX_PATTERN_COUNT; kind++)
        for (t = 0; t < 4; t++) {
            problem p = bits_problem(every_type[t], (store)((kind + t) % STORES), 0);
            scene *s;
            outcome want;
            if (left_out(kind, t)) continue;
            p.patterned = 1;
            p.pattern = pattern_of(kind, kind == LCTX_PATTERN_DILATED ? 300 : 190, (size_t)t * 7 + 2);
            if (t == 2) { p.window = 533; p.n_sink = 4; }
            if (p.window) p.pattern.n_global = 0;
            s = scene_new(&p);
            want = outcome_of(s);
            sprintf(what, "%s in %s, pattern %d", type_names[t], store_names[p.store], kind);
            bits_over_threads(s, &want, what);
            bits_over_chunks(s, &want, what);
            bits_as_keys_come(s, &want, what);
            bits_over_cuts(s, &want, what);
            bits_without_evicted(s, &want, what);
            outcome_free(&want);
            scene_free(s);
        }
}

/* ---------------------------------------------------------------------------- values in keys */

/* Latent attention (MLA): one KV head whose values are the first elements of its keys, stored once,
   give the bits of a copy of them, and the oracle's numbers. */
static void test_latent_rows(lctx_type type, int64_t n_q)
{
    problem p = plain(16, 1, 72, n_q, 700, type);
    scene *s;
    outcome want;
    int64_t j;
    p.d_v = 64;
    agrees(&p, "sixteen heads over one");
    s = scene_new(&p);
    for (j = 0; j < p.n_kv; j++)
        memcpy(s->v_mem + j * s->v_token, s->k_mem + j * s->k_token,
               (size_t)p.d_v * lctx_type_size(type));
    if (s->v_scale) memcpy(s->v_scale, s->k_scale, (size_t)p.n_kv * sizeof(float));
    want = outcome_of(s);
    s->spans[0].v = s->spans[0].k, s->spans[0].v_token = s->k_token;
    s->spans[0].v_scale = s->spans[0].k_scale;
    check(attends_the_same(s, &s->attn, &want),
          "values as a view of the keys: the bits of a copy, %s, %d queries", type_names[type], (int)n_q);
    outcome_free(&want);
    scene_free(s);
}

/* The same of latent tiles, whose bits are also those of tiles that hold a copy. An int8 key is
   greatest in its first element, so that the copy's scale is its own. */
static void test_latent_tiles(lctx_type type, int32_t group, int32_t d_k, int32_t d_v, int64_t n_q)
{
    problem p = plain(2 * group, 2, d_k, n_q, 200, type), q;
    float *row = (float *)zeroed(2 * (d_k + d_v), sizeof *row);
    scene *one, *two;
    outcome want;
    int64_t j, i;
    p.d_v = d_v; p.store = LATENT, q = p, q.store = TILES;
    agrees(&p, "a latent store");
    one = scene_new(&p), two = scene_new(&q);
    memcpy(two->q, one->q, (size_t)(n_q * p.n_head * d_k) * sizeof *two->q);
    for (j = 0; j < p.n_kv; j++) {
        for (i = 0; i < 2 * d_k; i++) row[i] = i % d_k ? noise() : 2;
        for (i = 0; i < 2 * d_v; i++) row[2 * d_k + i] = row[i / d_v * d_k + i % d_v];
        put(one, j, row, NULL), put(two, j, row, row + 2 * d_k);
    }
    want = outcome_of(two);
    (void)attend(&one->attn);
    check(memcmp(one->out, want.out, (size_t)(n_q * p.n_head * d_v) * 4) == 0
          && memcmp(one->lse, want.lse, (size_t)(n_q * p.n_head) * 4) == 0,
          "latent tiles give the bits of tiles with a copy: %s, %d heads over one, d %d/%d, %d"
          " queries", type_names[type], group, d_k, d_v, (int)n_q);
    free(row);
    outcome_free(&want);
    scene_free(one);
    scene_free(two);
}

/* What comes back from a latent store, and what it takes. */
static void test_latent_store(lctx_type type)
{
    enum { N = 70, DK = 20, DV = 18 };
    lctx_tiles t = { 1, DK, DV, 0, 0, 1, 2 * LCTX_TILE, NULL, NULL }, copy;
    float *x = (float *)zeroed(3 * N * DK, sizeof *x), *k = x + N * DK, *v = k + N * DK;
    lctx_rows rows = { N, NULL, NULL, 0, 0, 0, 0, NULL };
    size_t bytes = 0, both = 0;
    lctx_span span;
    int64_t i;
    int same = 1;
    void *base;
    for (i = 0; i < N * DK; i++) x[i] = noise();
    t.k_type = t.v_type = (int32_t)type, copy = t, copy.latent = 0, rows.k = x;
    check(lctx_tiles_size(&t, &bytes) == LCTX_OK && lctx_tiles_size(&copy, &both) == LCTX_OK &&
          bytes == 2 * LCTX_TILE * (DK * lctx_type_size(type) + (type == LCTX_I8 ? 4 : 0)) &&
          bytes < both,
          "latent tiles hold keys alone, %s", type_names[type]);
    t.mem = aligned(bytes, &base);
    check(lctx_tiles_write(&t, 30, &rows) == LCTX_OK && lctx_tiles_read(&t, 30, N, k, v) == LCTX_OK,
          "latent rows are written without values and read with them");
    for (i = 0; i < N * DV; i++) same &= v[i] == k[i / DV * DK + i % DV];
    check(same, "values read from latent tiles are the first elements of the keys, %s",
          type_names[type]);
    check(lctx_tiles_span(&t, 30, N, 0, &span) == LCTX_OK && span.v == span.k && span.skip == 30,
          "a span of latent tiles points at keys twice");
    rows.v = x;
    check(lctx_tiles_write(&t, 30, &rows) == LCTX_E_SPAN, "latent rows with values are refused");
    copy = t, copy.k_type = copy.v_type = LCTX_I4;
    check(lctx_tiles_size(&copy, &both) == LCTX_E_TYPE, "latent keys of 4 bits are refused");
    copy = t, copy.v_type = type == LCTX_F16 ? LCTX_BF16 : LCTX_F16;
    check(lctx_tiles_size(&copy, &both) == LCTX_E_TYPE,
          "latent values of another type are refused");
    copy = t, copy.d_v = DK + 1;
    check(lctx_tiles_size(&copy, &both) == LCTX_E_HEAD_DIM,
          "latent values beyond the keys are refused");
    free(x);
    free(base);
}

static void test_latent(void)
{
    static const int32_t sizes[][2] = { { 72, 64 }, { 20, 20 }, { 4, 1 }, { 36, 36 },
                                        { 192, 111 } };
    static const int32_t groups_of[] = { 1, 8, 40, 128 };
    int i, t;
    for (t = 0; t < 4; t++) {
        test_latent_rows(every_type[t], 1), test_latent_rows(every_type[t], 9);
        test_latent_store(every_type[t]);
        for (i = 0; i < 20; i++)
            if (full() || (i + t) % (slow() ? 5 : 2) == 0)
                test_latent_tiles(every_type[t], groups_of[i % 4], sizes[i / 4][0], sizes[i / 4][1],
                                  i % 3 ? 1 : 3);
        if (full() || !slow()) test_latent_tiles(every_type[t], 64, 576, 512, 1);
    }
}

/* ---------------------------------------------------------------------------- lists */

/* Blocks of every size, one list for all queries and one for each few, for every kind of heads. */
static void test_lists(void)
{
    static const int64_t every[] = { 0, 1, 16, 50 };
    size_t i, k;
    int heads;
    for (i = 0; i < COUNT(block_sizes); i++)
        for (k = 0; k < COUNT(every); k++)
            for (heads = 1; heads <= 3; heads++) {
                problem p = plain(6, 3, 40, k % 2 ? 3 : 40, 1500, every_type[(i + k) % 4]);
                if (!full() && (i + k + (size_t)heads) % (slow() ? 7 : 3)) continue;
                p.lists = heads; p.list_keys = block_sizes[i]; p.list_queries = every[k];
                p.list_share = i % 3 == 0 ? 5 : i % 3 == 1 ? 30 : 80;
                p.store = (store)((i + k) % STORES); p.cut = (cut)(heads % CUTS);
                if (i % 2) { p.window = 533; p.n_sink = 5; }
                agrees(&p, "a list of blocks");
            }
}

/* Lists of nothing: zeros and lse -inf; of everything: the bits of no list. Bits of a mask alike. */
static void test_lists_of_all(void)
{
    int i;
    for (i = 0; i < 3 * 2 * STORES; i++) {
        problem p = bits_problem(every_type[i % 4], (store)(i % STORES), i / 12);
        scene *s;
        outcome want;
        int64_t n, j;
        p.bits = 1 + i % 4; p.lists = 1 + i % 3; p.list_keys = block_sizes[i % (int)COUNT(block_sizes)];
        if (!full() && slow() && i % 3) continue;
        s = scene_new(&p);
        s->attn.list = NULL; s->attn.mask_bits = NULL;
        want = outcome_of(s);
        s->attn.list = s->blocks; s->attn.mask_bits = s->bits;
        n = s->attn.list_len;
        for (j = 0; j < n * (p.lists == 1 ? 1 : p.lists == 2 ? 2 : 6); j++)
            s->blocks[j] = (int32_t)(j % n * (p.list_keys ? p.list_keys : 64) < p.n_kv ? j % n : 0);
        memset(s->bits, 0xff, (size_t)(p.n_q * p.n_head * ((p.n_kv + 63) / 64) * 8));
        check(attends_the_same(s, &s->attn, &want),
              "lists %d of all blocks of %d keys and a mask of ones, %d, give the bits of neither: %s",
              p.lists, p.list_keys, p.bits, store_names[p.store]);
        for (j = 0; j < n * (p.lists == 1 ? 1 : p.lists == 2 ? 2 : 6); j++) s->blocks[j] = -1;
        s->attn.sink_logit = NULL;
        check(attend(&s->attn) == LCTX_OK && all_zero(s->out, want.n_out)
              && s->lse[0] == -(float)INFINITY, "lists of nothing give zeros and lse -inf");
        s->attn.list_len = 0;
        s->out[0] = 1;
        check(attend(&s->attn) == LCTX_OK && all_zero(s->out, want.n_out),
              "and so do lists of no length");
        outcome_free(&want);
        scene_free(s);
    }
}

static void test_list_bits(void)
{
    char what[64];
    int i;
    for (i = 0; i < 12; i++) {
        problem p = bits_problem(every_type[i % 4], (store)(i % STORES), i % 2);
        scene *s;
        outcome want;
        if (!full() && slow() && i % 3) continue;
        p.lists = 1 + i % 3; p.list_keys = block_sizes[i % (int)COUNT(block_sizes)];
        p.list_queries = 1 + i % 5 * 7; p.list_share = 40; p.bits = i % 5;
        s = scene_new(&p);
        want = outcome_of(s);
        sprintf(what, "%s in %s, lists %d", type_names[i % 4], store_names[p.store], p.lists);
        bits_over_threads(s, &want, what);
        if (p.bits < 2) bits_over_chunks(s, &want, what);
        outcome_free(&want);
        scene_free(s);
    }
}

/* Windows to both sides, and to the right alone. */
static void test_two_sides(void)
{
    size_t i, k;
    for (i = 0; i < COUNT(windows); i++)
        for (k = 0; k < 4; k++) {
            problem p = plain(4, 2, 32, 40, 700, every_type[(i + k) % 4]);
            if (!full() && slow() && (i + k) % 3) continue;
            p.mask = LCTX_MASK_NONE; p.right = k ? windows[COUNT(windows) - 1 - i] : -1;
            p.window = k % 2 ? windows[i] : 0; p.n_sink = k == 3 ? 5 : 0;
            p.q_back = 350; p.store = (store)((i + k) % STORES); p.cut = (cut)(i % CUTS);
            agrees(&p, "a window to the right");
        }
}

/* ---------------------------------------------------------------------------- raw keys */

static const int64_t rule_windows[] = { 1, 5, 63, 64, 65, 130, 500, 5000 };

static lctx_far_rule rule_of(int kind, size_t way)
{
    static const int32_t groups_of[] = { 1, 2, 3, 8, 10, 63, 64, 65, 100, 1000 };
    static const double leaks[] = { 1, 2, 16, 3.7 };
    lctx_far_rule r;
    memset(&r, 0, sizeof r);
    r.kind = kind;
    r.window = rule_windows[way % COUNT(rule_windows)];
    r.group = groups_of[way % COUNT(groups_of)];
    r.leak = leaks[way % COUNT(leaks)];
    return r;
}

/* Raw keys under every rule, in every layout and type, against distances taken pair by pair. */
static void test_raw(void)
{
    int kind;
    size_t way;
    for (kind = 0; kind < LCTX_FAR_COUNT; kind++)
        for (way = 0; way < 40; way++) {
            problem p = plain(4, 2, 32, way % 3 ? 1 : 20, 700, every_type[way % 4]);
            if (!full() && (way + way / 6 + (size_t)kind + 2) % 3) continue;
            if (!full() && slow() && (way + way / 6 + (size_t)kind) % 2 == 0) continue;
            p.store = (store)(way / 4 % STORES);
            p.n_rot = way % 5 == 4 ? 20 : 32; p.pairing = way % 3 == 1; p.yarn = way % 4 == 2;
            p.rule = rule_of(kind, way);
            if (way % 7 == 3) p.mask = LCTX_MASK_NONE, p.q_back = 300;
            if (way % 7 == 5) p.cut = MANY, p.far = 1, p.far_pos = 400;
            if (way % 7 == 6) p.window = 300, p.n_sink = 4;
            if (kind == 0 && way % 6 == 0) p.n_hat = 20 + 50 * (int64_t)(way % 4);
            if (kind == 0 && way == 6) p.q_back = 570;      /* queries on either side of n_hat */
            if (kind == 0 && way % 6 == 2) p.xpos = 512;
            agrees(&p, "raw keys");
        }
}

/* Beside every other option. */
static void test_random_raw(void)
{
    int cases = full() ? 500 : watched() ? 15 : slow() ? 30 : 60;
    while (cases > 0) {
        problem p = random_problem();
        size_t way = (size_t)(test_random() % 1000);
        p.listed = 0;
        if (p.n_kv > 2000 || p.n_q * p.n_head * p.n_kv > 200000) continue;
        p.d_k = p.d_k > 64 ? 24 : p.d_k; p.d_v = p.d_v > 64 ? 40 : p.d_v;
        if (p.scale > 0.1f) p.scale /= sqrtf((float)p.d_k);
        if (p.alibi && p.gap > 17) p.gap = 17;
        p.n_rot = way % 2 ? p.d_k / 2 * 2 : p.d_k / 4 * 2; p.pairing = way % 3 == 0;
        p.yarn = way % 5 == 0; p.far_pos = way % 7 ? 0 : 300;
        p.rule = rule_of((int)(way % LCTX_FAR_COUNT), way / 4);
        p.patterned = way % 4 == 3;
        if (p.patterned) p.pattern = pattern_of((int)(way % LCTX_PATTERN_COUNT), 100, way);
        agrees(&p, "random raw keys");
        cases--;
    }
}

static void test_raw_bits(void)
{
    char what[64];
    int kind, t;
    for (kind = 0; kind < LCTX_FAR_COUNT; kind++)
        for (t = 0; t < 4; t++) {
            problem p = bits_problem(every_type[t], (store)((kind + t) % STORES), 0);
            scene *s;
            outcome want;
            if (left_out(kind, t)) continue;
            p.n_rot = 32; p.pairing = t % 2; p.rule = rule_of(kind, (size_t)t + 4);
            p.rule.window = 200;
            if (t == 2) { p.window = 533; p.n_sink = 4; }
            s = scene_new(&p);
            want = outcome_of(s);
            sprintf(what, "raw %s in %s, rule %d", type_names[t], store_names[p.store], kind);
            bits_over_threads(s, &want, what);
            bits_over_chunks(s, &want, what);
            bits_as_keys_come(s, &want, what);
            bits_over_cuts(s, &want, what);
            bits_without_evicted(s, &want, what);
            outcome_free(&want);
            scene_free(s);
        }
}

/* Angles stay right far out: raw keys at positions beyond 2^24. */
static void test_raw_far_out(void)
{
    int kind;
    for (kind = 0; kind < LCTX_FAR_COUNT; kind++) {
        problem p = plain(2, 1, 32, 5, 300, LCTX_F32);
        scene *s;
        oracle_error e;
        double lse_off;
        int64_t i, from = ((int64_t)1 << 24) - 77;
        p.n_rot = 32; p.store = TILES; p.rule = rule_of(kind, 5);
        s = scene_new(&p);
        for (i = 0; i < 300; i++) s->k_pos[i] += from;
        for (i = 0; i < 5; i++) s->q_pos[i] += from;
        s->spans[0].pos += from;
        check(attend(&s->attn) == LCTX_OK, "raw keys far out are attended");
        compare(s, &e, &lse_off);
        check(e.worst < 2e-5 && lse_off < 1e-5, "raw keys at position 2^24, rule %d: the oracle's"
              " (%.1e, %.1e)", kind, e.worst, lse_off);
        scene_free(s);
    }
}

/* ---------------------------------------------------------------------------- long contexts */

/* How far a row may be off the oracle's that has the unrounded queries, as the manual states it, for
   scores of these standard deviations. */
static const float deviations[] = { 0.05f, 1, 4 };
enum { DEVIATIONS = COUNT(deviations) };

static double long_limit(int32_t type, int precise, int i)
{
    static const double f32[] = { 1e-11, 1e-11, 2e-10 }, bf16[] = { 2e-5, 1e-4, 1e-3 };
    static const double int8[] = { 1e-6, 1e-3, 1e-2 }, int4[] = { 3e-8, 1e-6, 1e-4 };
    if (precise || !dots(type)) return f32[i];
    return type == LCTX_BF16 ? bf16[i] : type == LCTX_I8 ? int8[i] : int4[i];
}

/* The worst error of a row, and on how many keys. */
typedef struct long_error { double worst; int64_t n_kv; } long_error;

/* One row as it now stands against the oracle's. */
static void test_row(scene *s, const double *want, double want_lse, long_error *most,
                     double deviation)
{
    /* a score, and lse with it, is off by as much as it is great */
    const double lse_most = s->attn.precise || !dots(s->p.k_type) ? 1e-6 : 3e-2;
    double off, nmse;
    oracle_error e;
    memset(&e, 0, sizeof e);
    attend(&s->attn);
    oracle_error_add(&e, s->p.d_v, want, s->out);
    off = fabs((double)s->lse[0] - want_lse) / (1 + fabs(want_lse));
    nmse = off < lse_most * (1 + deviation) ? oracle_error_nmse(&e) : (double)INFINITY;
    if (!(nmse <= most->worst)) most->worst = nmse, most->n_kv = s->p.n_kv;
}

/* The worst that a set gives, as it is asked for and precise. */
typedef struct long_errors { long_error of[LCTX_ISA_COUNT][2][DEVIATIONS]; } long_errors;

/* Is the type tried on this set? Where there are no dot products all types but two are the same. */
static int long_type(int32_t type) { return full() || type < 2 || dots(type); }

/* One scene's row at each deviation, as it is asked for and, where that differs, precise. */
static void test_rows(const problem *p, int64_t seed, long_errors *most)
{
    double want[64], lse;
    scene *s = scene_new(p);
    int64_t i;
    int k, set;
    for (k = 0; k < DEVIATIONS; k++) {
        oracle_attn o = oracle_of(s);
        for (i = 0; i < p->d_k; i++) s->q[i] *= deviations[k] / (k ? deviations[k - 1] : 1);
        lse = oracle_attn_row(&o, 0, 0, want);
        for (set = -1; test_next_set(&set);) {
            if (!long_type(p->k_type) || (seed && slow() && seed >= 2048 / p->n_kv)) continue;
            for (s->attn.precise = 0; s->attn.precise <= dots(p->k_type); s->attn.precise++)
                test_row(s, want, lse, &most->of[set][s->attn.precise][k], (double)deviations[k]);
        }
    }
    scene_free(s);
}

static void tell_long(int32_t type, int precise, const long_error *most)
{
    int k;
    printf("  attention [%s]: %s%s, 1 to 2^%d keys: worst NMSE of a row",
           lctx_isa_name(lctx_isa_get()), type_names[type], precise ? ", precise" : "",
           watched() ? 14 : 17);
    for (k = 0; k < DEVIATIONS; k++)
        printf("%s %.1e (%lld keys)", k ? "," : "", most[k].worst, (long long)most[k].n_kv);
    printf("\n");
    for (k = 0; k < DEVIATIONS; k++)
        check(most[k].worst < long_limit(type, precise, k),
              "rows of %s%s stay below NMSE %g, their lse near, scores of deviation %g",
              type_names[type], precise ? ", precise," : "", long_limit(type, precise, k),
              (double)deviations[k]);
}

static void test_long(int32_t type)
{
    static const int64_t keys[] = { 1, 2, 4, 16, 63, 257, 1024, 4096, 1 << 14, 1 << 17, 1 << 20 };
    static long_errors most;
    problem p = plain(1, 1, 64, 1, 1, (lctx_type)type);
    const int64_t seeds = slow() ? 2048 : 1 << 16;
    const size_t n = COUNT(keys) - (watched() ? 2 : !(full() && type < 2));
    int64_t seed;
    size_t i;
    int precise, set, tried = 0;
    memset(&most, 0, sizeof most);
    p.store = TILES;
    for (set = -1; test_next_set(&set);) tried |= long_type(type);
    for (i = 0; tried && i < n; i++)
        for (p.n_kv = keys[i], seed = 0; seed < 40 && (!seed || seed < seeds / keys[i]); seed++)
            test_rows(&p, seed, &most);
    for (set = -1; test_next_set(&set);)
        for (precise = 0; long_type(type) && precise <= dots(type); precise++)
            tell_long(type, precise, most.of[set][precise]);
}

static void test_long_contexts(void)
{
    int32_t type;
    for (type = 0; type <= LCTX_I4; type++) test_long(type);
}

/* Keys, values, queries and outputs a gigabyte apart: offsets beyond 2^31 elements. Only the pages
   that are touched exist. */
#if TEST_PAGES
static void test_far_apart(void)
{
    enum { N = 12, D = 32 };
    const size_t step = (size_t)1 << 30, bytes = step * N;
    float *near_k = (float *)zeroed(4 * N * D, sizeof *near_k);
    unsigned char *mem = (unsigned char *)mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    float *near_v = near_k + N * D, *near_q = near_v + N * D, *near_out = near_q + N * D;
    lctx_span span;
    lctx_attn a;
    int i, same = 1;
    if (mem == (unsigned char *)MAP_FAILED) { free(near_k); return; }      /* no room for it here */
    memset(&span, 0, sizeof span);
    memset(&a, 0, sizeof a);
    for (i = 0; i < 3 * N * D; i++) near_k[i] = noise();
    span.k = near_k; span.v = near_v; span.n = N;
    a.n_q = N; a.n_head = a.n_head_kv = 1; a.d_k = D;
    a.q = near_q; a.out = near_out; a.spans = &span; a.n_spans = 1;
    check(attend(&a) == LCTX_OK, "twelve keys are attended");
    for (i = 0; i < N; i++) {
        memcpy(mem + (size_t)i * step, near_k + i * D, D * 4);
        memcpy(mem + (size_t)i * step + 4096, near_v + i * D, D * 4);
        memcpy(mem + (size_t)i * step + 8192, near_q + i * D, D * 4);
    }
    span.k = mem; span.v = mem + 4096; span.k_token = span.v_token = (int64_t)step;
    a.q = (float *)(void *)(mem + 8192); a.q_token = (int64_t)step;
    a.out = (float *)(void *)(mem + 12288); a.out_token = (int64_t)step;
    check(attend(&a) == LCTX_OK, "rows a gigabyte apart are taken");
    for (i = 0; i < N; i++) same &= memcmp(mem + (size_t)i * step + 12288, near_out + i * D,
                                           D * 4) == 0;
    check(same, "offsets beyond 2^31 elements reach the right rows");
    munmap(mem, bytes);
    free(near_k);
}
#else
static void test_far_apart(void)
{
    printf("  SKIPPED: rows a gigabyte apart (addresses have 32 bits)\n");
}
#endif

/* ---------------------------------------------------------------------------- merging */

/* Attention over parts of the keys, merged, against attention over all of them. */
static void test_merge_whole(int32_t n_parts, int in_place)
{
    enum { N = 1300, H = 4, D = 40, Q = 3 };
    problem p = plain(H, 2, D, Q, N, LCTX_F16);
    float *outs[133], *lses[133], *outs_buffer, *lses_buffer, *out, *lse;
    scene *s;
    outcome want;
    double worst = 0;
    int32_t i;
    int64_t at = 0, k;
    p.store = TILES; p.mask = LCTX_MASK_NONE;
    s = scene_new(&p);
    want = outcome_of(s);
    outs_buffer = (float *)zeroed(134 * Q * H * D, 4);
    lses_buffer = (float *)zeroed(134 * Q * H, 4);
    for (i = 0; i < n_parts; i++) {
        int64_t n = i == 1 && n_parts > 2 ? 0 : i == n_parts - 1 ? N - at : N / n_parts;
        /* part 1 is empty */
        lctx_span span = span_at(s, at, n, at);
        lctx_attn a = s->attn;
        a.spans = &span; a.n_spans = 1;
        a.out = outs[i] = outs_buffer + i * Q * H * D;
        a.lse = lses[i] = lses_buffer + i * Q * H;
        attend(&a);
        at += n;
    }
    out = in_place ? outs[n_parts / 2] : outs_buffer + 133 * Q * H * D;
    lse = in_place ? lses[n_parts / 2] : lses_buffer + 133 * Q * H;
    check(lctx_merge(Q * H, D, n_parts, (const float *const *)outs, (const float *const *)lses, out,
                     lse) == LCTX_OK,
          "%d parts merge", n_parts);
    for (k = 0; k < want.n_out; k++) {
        double off = fabs((double)out[k] - (double)want.out[k]);
        if (!(off <= worst)) worst = off;
    }
    for (k = 0; k < want.n_lse; k++) {
        double off = fabs((double)lse[k] - (double)want.lse[k]) / 8;
        if (!(off <= worst)) worst = off;
    }
    check(worst < 1e-6, "%d parts merged%s are the whole (%.1e off)", n_parts,
          in_place ? " in place" : "", worst);
    outcome_free(&want);
    free(outs_buffer);
    free(lses_buffer);
    scene_free(s);
}

/* Random parts against the formula in double. */
static void test_merge_formula(void)
{
    enum { P = 5, R = 7, D = 19 };
    float outs[P][R * D], lses[P][R], out[R * D], lse[R];
    const float *o[P], *l[P];
    double worst = 0;
    int i, r, d;
    for (i = 0; i < P; i++) {
        o[i] = outs[i]; l[i] = lses[i];
        for (r = 0; r < R; r++) {
            lses[i][r] = (i + r) % 3 == 0 ? -(float)INFINITY : 60 * noise();
            for (d = 0; d < D; d++) outs[i][r * D + d] = isinf(lses[i][r]) ? (float)NAN : noise();
        }
    }
    lctx_merge(R, D, P, o, l, out, lse);
    for (r = 0; r < R; r++) {
        double top = -1e300, sum = 0;
        for (i = 0; i < P; i++) if ((double)lses[i][r] > top) top = (double)lses[i][r];
        for (i = 0; i < P; i++) sum += exp((double)lses[i][r] - top);
        for (d = 0; d < D; d++) {
            double want = 0, off;
            for (i = 0; i < P; i++)
                if (!isinf(lses[i][r]))
                    want += exp((double)lses[i][r] - top) * (double)outs[i][r * D + d] / sum;
            off = fabs((double)out[r * D + d] - want);
            if (!(off <= worst)) worst = off;
        }
        if (!(fabs((double)lse[r] - top - log(sum)) <= 1e-5)) worst = 1;
    }
    check(worst < 1e-6,
          "merging is the formula, and parts with lse -inf count nothing even where they hold NaN"
          " (%.1e off)",
          worst);
}

static void test_merge_empty(void)
{
    enum { R = 3, D = 5 };
    float outs[2][R * D], lses[2][R], out[R * D], lse[R];
    const float *o[2], *l[2];
    int i, k;
    for (k = 0; k < 2; k++) {
        o[k] = outs[k]; l[k] = lses[k];
        for (i = 0; i < R * D; i++) outs[k][i] = 0;
        for (i = 0; i < R; i++) lses[k][i] = -(float)INFINITY;
    }
    memset(out, 0x5a, sizeof out);
    check(lctx_merge(R, D, 2, o, l, out, lse) == LCTX_OK && all_zero(out, R * D)
          && isinf(lse[0]) && lse[0] < 0 && isinf(lse[2]) && lse[2] < 0,
          "empty parts merge to zeros with lse -inf");
    lses[1][1] = 0.5f;
    outs[1][7] = 3;
    check(lctx_merge(R, D, 2, o, l, out, NULL) == LCTX_OK && out[7] == 3 && out[0] == 0,
          "one part that counts passes through, and lse may be left out");
    check(lctx_merge(0, D, 2, o, l, out, lse) == LCTX_OK, "no rows merge to nothing");
    check(lctx_merge(-1, D, 2, o, l, out, lse) == LCTX_E_COUNT,
          "merging refuses a negative row count");
    check(lctx_merge(R, D, 0, o, l, out, lse) == LCTX_E_COUNT, "merging refuses no parts");
    check(lctx_merge(R, D, -1, o, l, out, lse) == LCTX_E_COUNT,
          "merging refuses a negative part count");
    check(lctx_merge(R, 0, 2, o, l, out, lse) == LCTX_E_HEAD_DIM,
          "merging refuses rows of no values");
    check(lctx_merge(R, -4, 2, o, l, out, lse) == LCTX_E_HEAD_DIM,
          "merging refuses rows of negative size");
    check(lctx_merge(R, D, 2, NULL, l, out, lse) == LCTX_E_NULL,
          "merging refuses no list of parts");
    check(lctx_merge(R, D, 2, o, NULL, out, lse) == LCTX_E_NULL, "merging refuses no list of lse");
    check(lctx_merge(R, D, 2, o, l, NULL, lse) == LCTX_E_NULL, "merging refuses no output");
    o[1] = NULL;
    check(lctx_merge(R, D, 2, o, l, out, lse) == LCTX_E_NULL, "merging refuses a null part");
    o[1] = outs[1]; l[1] = NULL;
    check(lctx_merge(R, D, 2, o, l, out, lse) == LCTX_E_NULL, "merging refuses a null lse");
}

static void test_merge(void)
{
    static const int32_t parts[] = { 1, 2, 3, 5, 17, 32, 55, 97, 133 };
    size_t i;
    for (i = 0; i < COUNT(parts); i++) {
        test_merge_whole(parts[i], 0);
        test_merge_whole(parts[i], 1);
    }
    test_merge_formula();
    test_merge_empty();
}

/* ---------------------------------------------------------------------------- dual chunks */

/* Dual chunk attention (2402.17463) as a recipe: keys are rotated to their place in their chunk of s
   positions, and of each query there are three copies, rotated for the keys of its own chunk, of the
   one before and of those beyond. A call each, in which the queries' positions say what is seen, and
   the three are merged. No distance reaches c, the trained context. */
typedef struct chunks {
    int64_t n, s, c;
    float *q, *k, *v, *places, *out, *lse;      /* places [n][CHUNK_G][CHUNK_D]: rotated keys */
    lctx_rope rope;
} chunks;
enum { CHUNK_H = 4, CHUNK_G = 2, CHUNK_D = 32, CHUNK_ROW = CHUNK_H * CHUNK_D,
       SAME_CHUNK = 0, CHUNK_BEFORE, BEYOND, KINDS };

static int64_t query_place(const chunks *c, int kind, int64_t i)
{
    const int64_t after = c->s + i % c->s;
    if (kind == SAME_CHUNK) return i % c->s;
    return kind == CHUNK_BEFORE && after < c->c ? after : c->c - 1;
}

/* The last key that a copy of query i is for. */
static int64_t query_end(const chunks *c, int kind, int64_t i)
{
    return kind == SAME_CHUNK ? i : i / c->s * c->s - (kind == CHUNK_BEFORE ? 0 : c->s) - 1;
}

static void rotate_chunks(const chunks *c, const float *x, int heads, int64_t first, int64_t n,
                          int kind, float *out)
{
    int64_t *pos = (int64_t *)zeroed(n, sizeof *pos), i;
    lctx_rope_job job;
    memset(&job, 0, sizeof job);
    for (i = 0; i < n; i++) pos[i] = query_place(c, kind, first + i);
    job.n_tok = n; job.n_head = heads; job.head_dim = CHUNK_D; job.pos = pos;
    job.x = x + first * heads * CHUNK_D; job.out = out;
    if (lctx_rope_apply(&c->rope, &job) != LCTX_OK) check(0, "chunks are rotated");
    free(pos);
}

/* Queries first .. first+n-1 and their keys up to them, to c->out and c->lse. */
static void dual_chunks(chunks *c, int64_t first, int64_t n)
{
    float *q = (float *)zeroed(n * CHUNK_ROW, sizeof *q);
    float *parts = (float *)zeroed(KINDS * n * (CHUNK_ROW + CHUNK_H), sizeof *parts);
    const float *outs[KINDS], *lses[KINDS];
    int64_t *end = (int64_t *)zeroed(n, sizeof *end), i;
    lctx_pattern own = { LCTX_PATTERN_BLOCKS, 0, 0, 0, 0, 0, NULL, 0, 0 };
    lctx_span keys;
    lctx_attn a;
    int kind;
    memset(&keys, 0, sizeof keys);
    memset(&a, 0, sizeof a);
    keys.k = c->places; keys.v = c->v; keys.n = first + n;
    own.length = c->s;
    a.n_q = n; a.n_head = CHUNK_H; a.n_head_kv = CHUNK_G; a.d_k = CHUNK_D;
    a.q = q; a.q_pos = end; a.spans = &keys; a.n_spans = 1;
    for (kind = SAME_CHUNK; kind < KINDS; kind++) {
        rotate_chunks(c, c->q, CHUNK_H, first, n, kind, q);
        for (i = 0; i < n; i++) end[i] = query_end(c, kind, first + i);
        a.pattern = kind == SAME_CHUNK ? &own : NULL;
        a.window = kind == CHUNK_BEFORE ? c->s : 0;
        outs[kind] = a.out = parts + kind * n * CHUNK_ROW;
        lses[kind] = a.lse = parts + KINDS * n * CHUNK_ROW + kind * n * CHUNK_H;
        if (attend(&a) != LCTX_OK) check(0, "a kind of chunks is attended");
    }
    if (lctx_merge(n * CHUNK_H, CHUNK_D, KINDS, outs, lses, c->out, c->lse) != LCTX_OK)
        check(0, "kinds of chunks merge");
    free(q);
    free(parts);
    free(end);
}

/* The paper's M[i][j], equations 2 to 6. */
static int64_t dual_distance(const chunks *c, int64_t i, int64_t j)
{
    const int64_t w = c->c - c->s, apart = i / c->s - j / c->s, place = i % c->s;
    if (apart == 0) return place - j % c->s;
    if (apart == 1 && place < w) return c->s + place - j % c->s;
    return c->c - 1 - j % c->s;
}

/* One row in double, each score from the raw query and key and their distance. */
static double dual_row(const chunks *c, int64_t i, int h, double *out)
{
    const float *q = c->q + i * CHUNK_ROW + h * CHUNK_D;
    double *score = (double *)zeroed(c->n, sizeof *score), top = -1e300, sum = 0;
    int64_t j;
    int d;
    for (j = 0; j <= i; j++) {
        const float *k = c->k + (j * CHUNK_G + h / (CHUNK_H / CHUNK_G)) * CHUNK_D;
        const double distance = (double)dual_distance(c, i, j);
        for (d = 0; d < CHUNK_D / 2; d++) {
            const double x = (double)q[d], y = (double)q[d + CHUNK_D / 2];
            const double u = (double)k[d], v = (double)k[d + CHUNK_D / 2];
            const double angle = distance * pow(10000, -2.0 * d / CHUNK_D);
            score[j] += ((x * u + y * v) * cos(angle) + (x * v - y * u) * sin(angle)) / sqrt(CHUNK_D);
        }
        if (score[j] > top) top = score[j];
    }
    for (d = 0; d < CHUNK_D; d++) out[d] = 0;
    for (j = 0; j <= i; j++) {
        const float *v = c->v + (j * CHUNK_G + h / (CHUNK_H / CHUNK_G)) * CHUNK_D;
        sum += score[j] = exp(score[j] - top);
        for (d = 0; d < CHUNK_D; d++) out[d] += score[j] * (double)v[d];
    }
    for (d = 0; d < CHUNK_D; d++) out[d] /= sum;
    free(score);
    return top + log(sum);
}

static void test_dual_chunks_of(int64_t n, int64_t s, int64_t trained)
{
    chunks c = { 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, { 0 } };
    lctx_rope_desc desc;
    double worst = 0, want[CHUNK_D];
    float last[CHUNK_ROW];
    int64_t i;
    int h, d;
    memset(&desc, 0, sizeof desc);
    desc.n_rot = CHUNK_D;
    c.n = n; c.s = s; c.c = trained;
    c.q = (float *)zeroed(n * CHUNK_ROW, 4); c.k = (float *)zeroed(n * CHUNK_ROW, 4);
    c.v = (float *)zeroed(n * CHUNK_ROW, 4); c.places = (float *)zeroed(n * CHUNK_ROW, 4);
    c.out = (float *)zeroed(n * CHUNK_ROW, 4); c.lse = (float *)zeroed(n * CHUNK_H, 4);
    for (i = 0; i < n * CHUNK_ROW; i++) { c.q[i] = 2 * noise(); c.k[i] = noise(); c.v[i] = noise(); }
    if (lctx_rope_init(&c.rope, &desc) != LCTX_OK) check(0, "dual chunks have a schedule");
    rotate_chunks(&c, c.k, CHUNK_G, 0, n, SAME_CHUNK, c.places);
    dual_chunks(&c, 0, n);
    for (i = 0; i < n; i += n > 100 ? 7 : 1)
        for (h = 0; h < CHUNK_H; h++) {
            const double off = fabs(dual_row(&c, i, h, want) - (double)c.lse[i * CHUNK_H + h]);
            if (!(off <= worst)) worst = off;
            for (d = 0; d < CHUNK_D; d++) {
                const double o = fabs(want[d] - (double)c.out[i * CHUNK_ROW + h * CHUNK_D + d]);
                if (!(o <= worst)) worst = o;
            }
        }
    check(worst < 2e-5, "three copies of the queries, merged, are dual chunk attention over %d keys,"
          " chunks of %d, trained on %d (%.1e off)", (int)n, (int)s, (int)trained, worst);
    memcpy(last, c.out + (n - 1) * CHUNK_ROW, sizeof last);
    dual_chunks(&c, n - 1, 1);
    check(!memcmp(last, c.out, sizeof last),
          "and a token decoded so has its bits among all (%d keys)", (int)n);
    free(c.q); free(c.k); free(c.v); free(c.places); free(c.out); free(c.lse);
}

static void test_dual_chunks(void)
{
    static const int64_t lengths_of[] = { 1, 47, 48, 49, 95, 96, 97, 145, 331 };
    size_t i;
    for (i = 0; i < COUNT(lengths_of); i++) test_dual_chunks_of(lengths_of[i], 48, 64);
    test_dual_chunks_of(slow() ? 200 : 700, 64, 128);          /* w as long as a chunk */
    test_dual_chunks_of(slow() ? 200 : 700, 192, 256);
}

/* ---------------------------------------------------------------------------- chunked cross */

/* RETRO's chunked cross attention (2112.04426) as a recipe: a text in chunks of m tokens, for each
   of which neighbours were retrieved and encoded. The last token of a chunk is the first to see what
   was retrieved for it, and the m - 1 after it are the others; those before the first see nothing
   and get zeros. One call without causality: a neighbour is a span where it stands in the store, of
   its chunk's group, and each query is of the group that it sees. Spans' numbers are fixed, so that
   any queries may be given with the spans of their groups alone.
   Distances i - i' between places in the m queries and in a neighbour come by positions, and
   lctx_attn.rope. Relative logits, w . r(i - i') with w = W^T (q + v) and r of sines and cosines
   (Transformer-XL, 1901.02860), are rotations too: their dimensions are put before those of q + u
   and k, in the query (w_cos, -w_sin), in all keys (1, 0), and turn by the frequencies of r. Where
   distances begin, and learned tables of them (lctx_attn.bias), are the caller's. */
enum { RETRO_H = 4, RETRO_G = 2, RETRO_D = 16, RETRO_R = 8, RETRO_W = RETRO_R + RETRO_D,
       RETRO_MOST = 96, RETRO_LONG = 2 * LCTX_TILE, RETRO_ROW = RETRO_H * RETRO_D };
typedef enum retro_kind { NO_PLACES, ROTATED, RELATIVE, RETRO_KINDS } retro_kind;

typedef struct neighbour { int64_t chunk, at, n; } neighbour;      /* rows of the store */
typedef struct retro {
    int64_t n, m, n_found;
    retro_kind kind;
    neighbour found[RETRO_MOST];               /* by chunks, of RETRO_LONG tokens at most */
    int32_t d_k;
    float *q, *k, *v;                      /* [n][H][d_k]; the store's [...][G][d_k], [...][G][D] */
    lctx_rope rope;
    const lctx_parallel *par;
} retro;

/* Tokens first .. first+n-1. */
static lctx_status retro_attend(const retro *c, int64_t first, int64_t n, float *out, float *lse)
{
    lctx_span spans[RETRO_MOST];
    int32_t *group = (int32_t *)zeroed(n, sizeof *group);
    int64_t *place = (int64_t *)zeroed(n, sizeof *place), i, t;
    lctx_attn a;
    lctx_status st;
    memset(&a, 0, sizeof a);
    memset(spans, 0, sizeof spans);
    for (t = 0; t < n; t++) {
        group[t] = (int32_t)((first + t + 1) / c->m);     /* from 1; before, one of no span */
        if (!group[t]) group[t] = INT32_MAX;
        place[t] = (first + t + 1) % c->m;
    }
    for (i = 0; i < c->n_found; i++) {
        const neighbour *x = &c->found[i];
        lctx_span *s = &spans[a.n_spans];
        if (x->chunk < (first + 1) / c->m - 1 || x->chunk > (first + n) / c->m - 1) continue;
        s->k = c->k + x->at * RETRO_G * c->d_k; s->v = c->v + x->at * RETRO_G * RETRO_D;
        s->n = x->n; s->group = (int32_t)x->chunk + 1;
        s->index = i * RETRO_LONG;                             /* cuts fall between tiles */
        a.n_spans++;
    }
    a.n_q = n; a.n_head = RETRO_H; a.n_head_kv = RETRO_G; a.d_k = c->d_k; a.d_v = RETRO_D;
    a.q = c->q + first * RETRO_H * c->d_k; a.q_pos = place; a.q_group = group;
    a.rope = c->kind == NO_PLACES ? NULL : &c->rope;
    a.scale = (float)(1 / sqrt(RETRO_D)); a.mask = LCTX_MASK_NONE;
    a.spans = spans; a.out = out; a.lse = lse; a.par = c->par;
    st = attend(&a);
    free(group); free(place);
    return st;
}

/* Of a query at place i and a key at place j in double. Under RELATIVE the query's first dimensions
   are w for r(d) = cos(f_0 d), ..., and -w for sin(f_0 d), ... */
static double retro_score(const retro *c, const float *q, const float *k, int64_t i, int64_t j)
{
    const int turned = c->kind == RELATIVE ? RETRO_R : c->kind == ROTATED ? RETRO_D : 0;
    double sum = 0;
    int d;
    for (d = 0; d < turned / 2; d++) {
        const double angle = (double)(i - j) * pow(10000, -2.0 * d / turned);
        const double x = (double)q[d], y = (double)q[d + turned / 2];
        const double u = (double)k[d], v = (double)k[d + turned / 2];
        if (c->kind == RELATIVE) sum += x * cos(angle) - y * sin(angle);
        else sum += (x * u + y * v) * cos(angle) + (x * v - y * u) * sin(angle);
    }
    for (d = turned; d < c->d_k; d++) sum += (double)q[d] * (double)k[d];
    return sum / sqrt(RETRO_D);
}

/* One row in double, by the paper's words: in the attending chunk u, of the last token of chunk u
   and the first m - 1 of the next, all see all tokens of all neighbours of chunk u. */
static double retro_row(const retro *c, int64_t t, int h, double *out)
{
    const float *q = c->q + (t * RETRO_H + h) * c->d_k;
    double sum = 0;
    int64_t u, i, x, j;
    int d;
    for (d = 0; d < RETRO_D; d++) out[d] = 0;
    for (u = 0; u * c->m <= t; u++)
        for (i = 0; i < c->m; i++)
            for (x = 0; u * c->m + c->m - 1 + i == t && x < c->n_found; x++)
                for (j = 0; c->found[x].chunk == u && j < c->found[x].n; j++) {
                    const int64_t row = (c->found[x].at + j) * RETRO_G + h / (RETRO_H / RETRO_G);
                    const double p = exp(retro_score(c, q, c->k + row * c->d_k, i, j));
                    sum += p;
                    for (d = 0; d < RETRO_D; d++) out[d] += p * (double)c->v[row * RETRO_D + d];
                }
    for (d = 0; d < RETRO_D && sum > 0; d++) out[d] /= sum;
    return log(sum);
}

/* Every third chunk found nothing; others up to three neighbours, of which one may be empty. */
static void retro_new(retro *c, retro_kind kind, int64_t n, int64_t m)
{
    lctx_rope_desc desc;
    int64_t i, u, rows;
    memset(c, 0, sizeof *c);
    memset(&desc, 0, sizeof desc);
    c->n = n; c->m = m; c->kind = kind;
    c->d_k = kind == RELATIVE ? RETRO_W : RETRO_D;
    for (u = 0; u < n / m && c->n_found + 3 <= RETRO_MOST; u++)
        for (i = 0; u % 3 != 1 && i < 1 + u % 4; i++) {
            neighbour *x = &c->found[c->n_found];
            x->chunk = u; x->at = c->n_found++ * RETRO_LONG;
            x->n = i == 2 ? 0 : 1 + (int64_t)(test_random() % RETRO_LONG);
        }
    rows = (c->n_found + 1) * RETRO_LONG * RETRO_G;
    c->q = (float *)zeroed(n * RETRO_H * c->d_k, 4);
    c->k = (float *)zeroed(rows * c->d_k, 4); c->v = (float *)zeroed(rows * RETRO_D, 4);
    for (i = 0; i < n * RETRO_H * c->d_k; i++) c->q[i] = noise();
    for (i = 0; i < rows * c->d_k; i++)
        c->k[i] = kind != RELATIVE || i % RETRO_W >= RETRO_R ? noise()
                                                             : (float)(i % RETRO_W < RETRO_R / 2);
    for (i = 0; i < rows * RETRO_D; i++) c->v[i] = noise();
    desc.n_rot = kind == RELATIVE ? RETRO_R : RETRO_D;
    if (lctx_rope_init(&c->rope, &desc) != LCTX_OK) check(0, "neighbours have a schedule");
}

/* In pieces, and by threads, to the bits of `all`? */
static int retro_bits(retro *c, const float *all)
{
    static const int64_t pieces[] = { 1, 7, 1000, 1000 };
    const int64_t row = RETRO_ROW + RETRO_H;    /* outputs of all, then log-sum-exps */
    float *out = (float *)zeroed(c->n * row, sizeof *out);
    lctx_parallel par;
    hook h;
    int64_t at, n;
    int same = 1, i;
    for (i = 0; i < 4; i++) {
        par = hook_parallel(&h, i % 2 ? HOOK_POOL : HOOK_SHUFFLED, i < 2 ? 1 : 7);
        c->par = &par;
        memset(out, 0xff, (size_t)(c->n * row) * sizeof *out);
        for (at = 0; at < c->n; at += n) {
            n = c->n - at < pieces[i] ? c->n - at : pieces[i];
            same &= retro_attend(c, at, n, out + at * RETRO_ROW, out + c->n * RETRO_ROW
                                 + at * RETRO_H) == LCTX_OK;
        }
        same &= !memcmp(out, all, (size_t)(c->n * row) * sizeof *out);
    }
    c->par = NULL;
    free(out);
    return same;
}

/* What a NaN in all that was found for the first chunk changes: its rows alone. */
static void retro_poison(retro *c, const float *all, const char *name)
{
    float *out = (float *)zeroed(c->n * (RETRO_ROW + RETRO_H), sizeof *out);
    const int64_t first = c->m - 1, end = first + c->m < c->n ? first + c->m : c->n;
    int64_t i;
    int right;
    for (i = 0; i < c->found[0].n * RETRO_G * RETRO_D; i++) c->v[i] = (float)NAN;
    for (i = 0; i < c->found[0].n * RETRO_G * c->d_k; i++) c->k[i] = (float)NAN;
    right = retro_attend(c, 0, c->n, out, out + c->n * RETRO_ROW) == LCTX_OK;
    right &= !memcmp(out, all, (size_t)(first * RETRO_ROW) * sizeof *out);
    right &= !memcmp(out + end * RETRO_ROW, all + end * RETRO_ROW,
                     (size_t)((c->n - end) * RETRO_ROW) * sizeof *out);
    check(right, "chunks of %d of %d, %s: NaN in what was found for one reaches no other",
          (int)c->m, (int)c->n, name);
    check(rows_nan(out + first * RETRO_ROW, (end - first) * RETRO_ROW),
          "a NaN key makes the rows that see it NaN (chunks of %d of %d, %s)", (int)c->m, (int)c->n,
          name);
    free(out);
}

static void test_retro_of(retro_kind kind, int64_t n, int64_t m)
{
    static const char *const names[] = { "no places", "rotated", "relative logits" };
    double worst = 0, want[RETRO_D];
    int64_t t, unseen = 0, wrong = 0;
    float *out, *lse;
    retro c;
    int h, d;
    retro_new(&c, kind, n, m);
    out = (float *)zeroed(n * (RETRO_ROW + RETRO_H), sizeof *out), lse = out + n * RETRO_ROW;
    check(retro_attend(&c, 0, n, out, lse) == LCTX_OK, "chunks attend what was found for them");
    for (t = 0; t < n; t++)
        for (h = 0; h < RETRO_H; h++) {
            const double sum = retro_row(&c, t, h, want), got = (double)lse[t * RETRO_H + h];
            unseen += isinf(sum) != 0;
            wrong += isinf(sum) ? !(isinf(got) && got < 0) : !(fabs(got - sum) < 2e-5);
            for (d = 0; d < RETRO_D; d++) {
                const double x = (double)out[t * RETRO_ROW + h * RETRO_D + d];
                const double off = fabs(x - want[d]);
                if (!(off <= worst)) worst = off;
                wrong += isinf(sum) && x != 0;
            }
        }
    check(!wrong && worst < 2e-5 && unseen >= (m - 1 < n ? m - 1 : n) * RETRO_H,
          "chunked cross attention, chunks of %d of %d, %s: as the paper has it; %d rows saw "
          "nothing and are zeros (%.1e off, %d wrong)", (int)m, (int)n, names[kind], (int)unseen,
          worst, (int)wrong);
    check(retro_bits(&c, out), "chunked cross attention, chunks of %d of %d, %s: the same bits for "
          "any threads and pieces, with their chunks' neighbours alone", (int)m, (int)n,
          names[kind]);
    if (c.n_found) retro_poison(&c, out, names[kind]);
    free(c.q); free(c.k); free(c.v); free(out);
}

static void test_retro(void)
{
    int kind;
    for (kind = 0; kind < RETRO_KINDS; kind++) {
        test_retro_of((retro_kind)kind, 20, 1);
        test_retro_of((retro_kind)kind, 5, 8);                    /* no chunk is whole */
        test_retro_of((retro_kind)kind, 61, 7);
        test_retro_of((retro_kind)kind, slow() ? 64 : 256, 32);
    }
}

/* ---------------------------------------------------------------------------- the native layout */

static int row_is(const float *got, const float *want, float factor, int n)
{
    int i;
    for (i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i] * factor) <= 1e-6f * fabsf(got[i]))) return 0;
    return 1;
}

/* What is read back is what the oracle rounds, and writing touches no other token. */
static void test_tiles(lctx_type type)
{
    enum { N = 150, G = 2, DK = 39, DV = 21 };
    problem p = plain(G, G, DK, 1, N, type);
    float k[G * DK], v[G * DV], *back_k, *back_v;
    scene *s;
    lctx_rows rows;
    int64_t j, i, wrong = 0;
    p.d_v = DV; p.store = TILES;
    s = scene_new(&p);
    memset(&rows, 0, sizeof rows);
    for (i = 0; i < G * DK; i++) k[i] = noise();
    for (i = 0; i < G * DV; i++) v[i] = noise();
    put(s, 70, k, v);
    back_k = (float *)zeroed(N * G * DK, 4);
    back_v = (float *)zeroed(N * G * DV, 4);
    check(lctx_tiles_read(&s->tiles, SKIP, N, back_k, NULL) == LCTX_OK
          && lctx_tiles_read(&s->tiles, SKIP, N, NULL, back_v) == LCTX_OK,
          "tiles of %s are read back", type_names[type]);
    for (j = 0; j < N * G; j++)
        wrong += !row_is(back_k + j * DK, s->k + j * DK, s->k_factor[j], DK)
               + !row_is(back_v + j * DV, s->v + j * DV, s->v_factor[j], DV);
    check(wrong == 0 && !s->taken,
          "tiles of %s hold each row rounded, also where one token was written again",
          type_names[type]);
    free(back_k);
    free(back_v);
    scene_free(s);
}

static void test_tiles_strided(void)
{
    enum { N = 70, G = 2, D = 16, STEP = 50 };
    lctx_tiles tiles;
    lctx_rows rows;
    float *in = (float *)zeroed(N * STEP, 4), *back = (float *)zeroed(N * G * D, 4);
    size_t bytes;
    void *base;
    int64_t j, wrong = 0;
    int i, g;
    memset(&tiles, 0, sizeof tiles);
    memset(&rows, 0, sizeof rows);
    tiles.n_head_kv = G; tiles.d_k = D; tiles.cap = 128;
    lctx_tiles_size(&tiles, &bytes);
    tiles.mem = aligned(bytes, &base);
    for (i = 0; i < N * STEP; i++) in[i] = noise();
    rows.n = N; rows.k = in; rows.v = in + 3;
    rows.k_token = rows.v_token = STEP * 4; rows.k_head = rows.v_head = 20 * 4;
    check(lctx_tiles_write(&tiles, 30, &rows) == LCTX_OK
          && lctx_tiles_read(&tiles, 30, N, NULL, back) == LCTX_OK,
          "strided rows are written into tiles");
    for (j = 0; j < N; j++)
        for (g = 0; g < G; g++)
            for (i = 0; i < D; i++)
                wrong += back[(j * G + g) * D + i] != in[3 + j * STEP + g * 20 + i];
    check(wrong == 0, "strided rows come back from tiles bit by bit");
    free(base);
    free(in);
    free(back);
}

static void test_bad_tiles(void)
{
    lctx_tiles good, t;
    lctx_rows rows;
    lctx_span span;
    float x[4 * 16] = { 0 };
    size_t bytes = 0;
    void *base;
    memset(&good, 0, sizeof good);
    memset(&rows, 0, sizeof rows);
    good.n_head_kv = 1; good.d_k = 16; good.cap = 64;
    check(lctx_tiles_size(&good, &bytes) == LCTX_OK && bytes >= 64 * 16 * 4 * 2,
          "a tile has room for its keys and values");
    good.mem = aligned(bytes, &base);
    rows.n = 4; rows.k = rows.v = x;
#define REFUSED(status, why, change) \
    do { \
        t = good; change; \
        check(lctx_tiles_size(&t, &bytes) == status, "a store with %s is refused", why); \
    } while (0)
    REFUSED(LCTX_E_COUNT, "no heads", t.n_head_kv = 0);
    REFUSED(LCTX_E_COUNT, "a capacity that is no multiple of a tile", t.cap = 100);
    REFUSED(LCTX_E_COUNT, "a negative capacity", t.cap = -64);
    REFUSED(LCTX_E_TYPE, "an unknown key type", t.k_type = LCTX_TYPE_COUNT);
    REFUSED(LCTX_E_TYPE, "a negative value type", t.v_type = -1);
    REFUSED(LCTX_E_HEAD_DIM, "keys of no size", t.d_k = 0);
    REFUSED(LCTX_E_HEAD_DIM, "keys that are too long", t.d_k = 65537);
    REFUSED(LCTX_E_HEAD_DIM, "values of negative size", t.d_v = -1);
    REFUSED(LCTX_E_OVERFLOW, "a capacity beyond memory", t.cap = (int64_t)1 << 60);
#undef REFUSED
    check(lctx_tiles_size(NULL, &bytes) == LCTX_E_NULL
          && lctx_tiles_size(&good, NULL) == LCTX_E_NULL,
          "the size of no store is refused");
    check(lctx_tiles_write(&good, 61, &rows) == LCTX_E_SPAN
          && lctx_tiles_write(&good, -1, &rows) == LCTX_E_SPAN,
          "rows beyond a store are refused");
    check(lctx_tiles_write(&good, 0, NULL) == LCTX_E_NULL
          && lctx_tiles_write(NULL, 0, &rows) == LCTX_E_NULL,
          "writing nothing or nowhere is refused");
    rows.k = NULL;
    check(lctx_tiles_write(&good, 0, &rows) == LCTX_E_NULL, "rows without keys are refused");
    rows.k = x; rows.k_token = 15 * 4;
    check(lctx_tiles_write(&good, 0, &rows) == LCTX_E_STRIDE,
          "rows with a short stride are refused");
    check(lctx_tiles_read(&good, 60, 5, x, NULL) == LCTX_E_SPAN,
          "reading beyond a store is refused");
    check(lctx_tiles_span(&good, 60, 5, 0, &span) == LCTX_E_SPAN,
          "a span beyond a store is refused");
    check(lctx_tiles_span(&good, 0, 5, 0, NULL) == LCTX_E_NULL, "a span to nowhere is refused");
    t = good; t.mem = NULL;
    check(lctx_tiles_read(&t, 0, 4, x, NULL) == LCTX_E_NULL, "a store without memory is refused");
    free(base);
}

/* ---------------------------------------------------------------------------- arguments */

typedef struct arguments {
    lctx_attn a;
    lctx_span s[2];
    lctx_parallel par;
    int64_t pos[3], pos16[16];
    lctx_pattern p;             /* used where a.pattern is set to it */
    int32_t group[3], blocks[2];
    uint64_t words[12];
    lctx_rope rope;             /* where a.rope and a.far_rule are set to them */
    lctx_far_rule rule;
    size_t short_by;            /* bytes that the scratch lacks */
    int no_scratch, need_size;  /* need_size: the size query must refuse it too */
    float q[3 * 4 * 16], kv[8 * 2 * 16], out[3 * 4 * 16], lse[12], scale[16], mass[2 * 16];
} arguments;

static void good_arguments(arguments *g)
{
    int i;
    memset(g, 0, sizeof *g);
    for (i = 0; i < 3 * 4 * 16; i++) g->q[i] = 1;
    g->a.n_q = 3; g->a.n_head = 4; g->a.n_head_kv = 2; g->a.d_k = 16;
    g->a.q = g->q; g->a.q_pos0 = 20; g->a.out = g->out; g->a.lse = g->lse;
    g->a.spans = g->s; g->a.n_spans = 2;
    g->s[0].k = g->s[0].v = g->s[1].k = g->s[1].v = g->kv;
    g->s[0].n = g->s[1].n = 8;
    g->s[1].pos = 8;
    g->need_size = 1;
    for (i = 0; i < 3; i++) g->pos[i] = 20 + i;
    g->p.length = 4; g->p.dilation = 2;
    g->rope.n_rot = 16; g->rope.attn_factor = g->rope.scale_mul = 1;
    g->rule.window = 4; g->rule.group = 2; g->rule.leak = 2;
    for (i = 0; i < 16; i++) g->pos16[i] = 8 + i;
}

static void try_arguments(arguments *g, lctx_status want, const char *why)
{
    size_t bytes = 0;
    lctx_status size_st = lctx_attend_size(&g->a, &bytes), st;
    size_t room = size_st == LCTX_OK ? bytes : 1 << 22;
    void *scratch = malloc(room);
    float guard[3 * 4 * 16];
    memset(guard, 0x5a, sizeof guard);
    memset(g->out, 0x5a, sizeof g->out);
    memset(g->lse, 0x5a, sizeof g->lse);
    st = lctx_attend(&g->a, g->no_scratch ? NULL : scratch, room - g->short_by);
    check(st == want, "attention with %s gives \"%s\" (got \"%s\")", why, lctx_status_text(want),
          lctx_status_text(st));
    check(size_st == (g->need_size ? want : LCTX_OK),
          "the size query with %s says the same (got \"%s\")", why,
          lctx_status_text(size_st));
    if (want != LCTX_OK)
        check(!memcmp(g->out, guard, sizeof g->out) && !memcmp(g->lse, guard, sizeof g->lse),
              "attention with %s writes nothing", why);
    free(scratch);
}

static void test_bad_arguments(void)
{
    const float nan = (float)NAN, inf = (float)INFINITY;
    const int64_t top = (int64_t)1 << 48;
    size_t bytes;
    arguments g;
#define REFUSED(status, why, change) \
    do { good_arguments(&g); change; try_arguments(&g, status, why); } while (0)
    REFUSED(LCTX_OK, "everything right", g.need_size = 1);
    check(lctx_attend(NULL, &bytes, 8) == LCTX_E_NULL, "attention of nothing is refused");
    check(lctx_attend_size(NULL, &bytes) == LCTX_E_NULL, "the size of nothing is refused");
    check(lctx_attend_size(&g.a, NULL) == LCTX_E_NULL, "a size to nowhere is refused");
    REFUSED(LCTX_E_NULL, "no queries", g.need_size = 0; g.a.q = NULL);
    REFUSED(LCTX_E_NULL, "no output", g.need_size = 0; g.a.out = NULL);
    REFUSED(LCTX_E_NULL, "no list of spans", g.a.spans = NULL);
    REFUSED(LCTX_E_NULL, "a span without keys", g.need_size = 0; g.s[1].k = NULL);
    REFUSED(LCTX_E_NULL, "a span without values", g.need_size = 0; g.s[1].v = NULL);
    REFUSED(LCTX_E_COUNT, "a negative query count", g.a.n_q = -1);
    REFUSED(LCTX_E_COUNT, "a negative span count", g.a.n_spans = -1);
    REFUSED(LCTX_E_OVERFLOW, "a token stride that overflows", g.s[1].k_token = (int64_t)1 << 61);
    REFUSED(LCTX_E_ENUM, "an unknown mask", g.a.mask = LCTX_MASK_COUNT);
    REFUSED(LCTX_E_ENUM, "a negative mask", g.a.mask = -1);
    REFUSED(LCTX_E_ENUM, "an unknown layout", g.s[1].layout = LCTX_LAYOUT_COUNT);
    REFUSED(LCTX_E_ENUM, "a negative layout", g.s[0].layout = -1);
    REFUSED(LCTX_E_TYPE, "an unknown key type", g.s[0].k_type = LCTX_TYPE_COUNT);
    REFUSED(LCTX_E_TYPE, "a negative value type", g.s[1].v_type = -1);
    REFUSED(LCTX_E_HEADS, "heads that do not divide", g.a.n_head = 5);
    REFUSED(LCTX_E_HEADS, "fewer query heads than KV heads", g.a.n_head = 1);
    REFUSED(LCTX_E_HEAD_DIM, "keys of no size", g.a.d_k = 0);
    REFUSED(LCTX_E_HEAD_DIM, "keys of negative size", g.a.d_k = -16);
    REFUSED(LCTX_E_HEAD_DIM, "keys that are too long", g.a.d_k = 65537);
    REFUSED(LCTX_E_HEAD_DIM, "values of negative size", g.a.d_v = -1);
    REFUSED(LCTX_E_HEAD_DIM, "values that are too long", g.a.d_v = 65537);
    REFUSED(LCTX_E_STRIDE, "a short query head stride", g.a.q_head = 60);
    REFUSED(LCTX_E_STRIDE, "a short query token stride", g.a.q_token = 60);
    REFUSED(LCTX_E_STRIDE, "a short output head stride", g.a.out_head = 60);
    REFUSED(LCTX_E_STRIDE, "a short output token stride", g.a.out_token = 60);
    REFUSED(LCTX_E_STRIDE, "a short stride of lse", g.a.lse_token = 12);
    REFUSED(LCTX_E_STRIDE, "an odd stride of lse", g.a.lse_token = 18);
    REFUSED(LCTX_E_STRIDE, "a negative query stride", g.a.q_token = -256);
    REFUSED(LCTX_E_STRIDE, "a short key token stride", g.s[1].k_token = 60);
    REFUSED(LCTX_E_STRIDE, "a short key head stride", g.s[1].k_head = 60);
    REFUSED(LCTX_E_STRIDE, "a short value token stride", g.s[1].v_token = 60);
    REFUSED(LCTX_E_STRIDE, "a short value head stride", g.s[1].v_head = 60);
    REFUSED(LCTX_E_STRIDE, "a short bias stride",
            g.a.bias = g.q; g.a.bias_head = -1; g.a.bias_query = 60);
    REFUSED(LCTX_E_WINDOW, "a window to the right of a causal query", g.a.window_right = 1);
    REFUSED(LCTX_E_WINDOW, "a window that ends before the query",
            g.a.mask = LCTX_MASK_NONE; g.a.window_right = -2);
    REFUSED(LCTX_E_LIST, "lists of negative length", g.a.list_len = -1);
    REFUSED(LCTX_E_LIST, "blocks of negative size", g.a.list_keys = -1);
    REFUSED(LCTX_E_LIST, "rows of lists for -1 queries", g.a.list_queries = -1);
    REFUSED(LCTX_E_LIST, "lists that begin before their row", g.a.list_first = -1);
    REFUSED(LCTX_E_LIST, "lists for some of the heads", g.a.list_heads = 3);
    REFUSED(LCTX_OK, "a list", g.a.list = g.blocks; g.a.list_len = 2);
    REFUSED(LCTX_E_LIST, "a block that is not there", g.need_size = 0; g.a.list = g.blocks;
            g.a.list_len = 2; g.blocks[1] = 1);
    REFUSED(LCTX_E_LIST, "a block below none", g.need_size = 0; g.a.list = g.blocks;
            g.a.list_len = 2; g.blocks[1] = -2);
    REFUSED(LCTX_E_STRIDE, "a short stride of mask bits",
            g.a.mask_bits = g.words; g.a.mask_head = -1; g.a.mask_query = 4);
    REFUSED(LCTX_OK, "room for mass", g.a.mass = g.mass);
    REFUSED(LCTX_E_NULL, "mass but no lse", g.need_size = 0; g.a.mass = g.mass; g.a.lse = NULL);
    REFUSED(LCTX_E_STRIDE, "a short mass stride", g.a.mass = g.mass; g.a.mass_head = 60);
    REFUSED(LCTX_E_STRIDE, "an odd mass stride", g.a.mass = g.mass; g.a.mass_head = 66);
    REFUSED(LCTX_E_STRIDE, "a negative mass stride", g.a.mass = g.mass; g.a.mass_head = -64);
    REFUSED(LCTX_E_COUNT, "mass of -1 queries", g.a.mass = g.mass; g.a.mass_queries = -1);
    REFUSED(LCTX_E_COUNT, "mass of more queries than there are",
            g.a.mass = g.mass; g.a.mass_queries = 4);
    REFUSED(LCTX_E_TYPE, "rows of 4-bit keys", g.s[1].k_type = LCTX_I4);
    REFUSED(LCTX_E_TYPE, "rows of 4-bit values", g.s[1].v_type = LCTX_I4);
    REFUSED(LCTX_E_STRIDE, "an odd stride of tiles", g.s[0].layout = LCTX_TILES; g.s[0].k_token = 66);
    REFUSED(LCTX_E_STRIDE, "a stride within a tile", g.s[0].layout = LCTX_TILES; g.s[0].k_token = 64);
    REFUSED(LCTX_E_STRIDE, "a stride of heads within a tile", g.s[0].layout = LCTX_TILES;
            g.s[0].v_head = 64);
    REFUSED(LCTX_E_STRIDE, "a negative stride of tiles", g.s[0].layout = LCTX_TILES;
            g.s[0].v_head = -64);
    REFUSED(LCTX_E_STRIDE, "an odd stride of scales", g.s[1].k_type = LCTX_I8;
            g.s[1].k_scale = g.scale; g.s[1].k_scale_token = 10);
    REFUSED(LCTX_E_OVERFLOW, "a stride of scales that overflows", g.s[1].k_type = LCTX_I8;
            g.s[1].k_scale = g.scale; g.s[1].k_scale_token = (int64_t)1 << 61);
    REFUSED(LCTX_E_OVERFLOW, "a stride of bias that overflows", g.a.bias = g.q;
            g.a.bias_head = (int64_t)1 << 61);
    REFUSED(LCTX_E_SCALE, "int8 keys without scales", g.s[1].k_type = LCTX_I8);
    REFUSED(LCTX_E_SCALE, "int8 values without scales", g.s[0].v_type = LCTX_I8);
    REFUSED(LCTX_E_SPAN, "a skip in a negative place",
            g.s[0].layout = LCTX_TILES; g.s[0].skip = -1);
    REFUSED(LCTX_E_SPAN, "a skip of a whole tile", g.s[0].layout = LCTX_TILES; g.s[0].skip = 64);
#define LATENT_SPAN g.s[0].layout = LCTX_TILES; g.s[0].v = g.s[0].k
    REFUSED(LCTX_E_TYPE, "latent tiles of 4 bits", LATENT_SPAN;
            g.s[0].k_type = g.s[0].v_type = LCTX_I4);
    REFUSED(LCTX_E_TYPE, "latent values of another type", LATENT_SPAN; g.s[0].v_type = LCTX_F16);
    REFUSED(LCTX_E_HEAD_DIM, "latent values beyond the keys", LATENT_SPAN; g.a.d_v = 17);
    REFUSED(LCTX_E_STRIDE, "a stride within a latent tile", LATENT_SPAN; g.s[0].k_token = 64);
    REFUSED(LCTX_E_STRIDE, "a stride of values within a latent tile", LATENT_SPAN;
            g.s[0].v_token = 64);
#undef LATENT_SPAN
    REFUSED(LCTX_E_SPAN, "an unknown query copy", g.a.q_far = g.q; g.s[1].query = 2);
    REFUSED(LCTX_E_SPAN, "a negative query copy", g.s[1].query = -1);
    REFUSED(LCTX_E_SPAN, "a span that runs back in index", g.s[1].index = 3);
    REFUSED(LCTX_E_SPAN, "a negative index", g.s[0].index = -1);
    REFUSED(LCTX_E_WINDOW, "a negative window", g.a.window = -1);
    REFUSED(LCTX_E_WINDOW, "a negative sink count", g.a.window = 4; g.a.n_sink = -1);
#define PATTERN(status, why, k, change) \
    REFUSED(status, "a pattern with " why, g.a.pattern = &g.p; g.p.kind = k; change)
    PATTERN(LCTX_OK, "everything right", LCTX_PATTERN_DILATED, g.p.dilation = 2);
    PATTERN(LCTX_OK, "what only other kinds read out of range", LCTX_PATTERN_ALL,
            g.p.length = g.p.local = g.p.summary = g.p.back = g.p.dilation = -1);
    PATTERN(LCTX_E_ENUM, "an unknown kind", LCTX_PATTERN_COUNT, g.p.length = 4);
    PATTERN(LCTX_E_ENUM, "a negative kind", -1, g.p.length = 4);
    PATTERN(LCTX_E_LENGTH, "a stride of 0", LCTX_PATTERN_STRIDED, g.p.length = 0);
    PATTERN(LCTX_E_LENGTH, "a negative stride", LCTX_PATTERN_FIXED, g.p.length = -4);
    PATTERN(LCTX_E_LENGTH, "a segment of 0", LCTX_PATTERN_DILATED, g.p.length = 0);
    PATTERN(LCTX_E_LENGTH, "a block that is too long", LCTX_PATTERN_BLOCKS, g.p.length = top + 1);
    PATTERN(LCTX_E_DILATION, "no dilation", LCTX_PATTERN_DILATED, g.p.dilation = 0);
    PATTERN(LCTX_E_DILATION, "a negative dilation", LCTX_PATTERN_DILATED, g.p.dilation = -2);
    PATTERN(LCTX_E_DILATION, "a dilation above its segment", LCTX_PATTERN_DILATED, g.p.dilation = 5);
    PATTERN(LCTX_E_LOCAL, "a negative local", LCTX_PATTERN_STRIDED, g.p.local = -1);
    PATTERN(LCTX_E_LOCAL, "a local that is too far", LCTX_PATTERN_STRIDED, g.p.local = top + 1);
    PATTERN(LCTX_E_LOCAL, "a negative summary", LCTX_PATTERN_FIXED, g.p.summary = -1);
    PATTERN(LCTX_E_LOCAL, "a summary above its stride", LCTX_PATTERN_FIXED, g.p.summary = 5);
    PATTERN(LCTX_E_LOCAL, "a negative back", LCTX_PATTERN_BLOCKS, g.p.back = -1);
    PATTERN(LCTX_E_GLOBAL, "a negative number of globals", LCTX_PATTERN_ALL, g.p.n_global = -1);
    PATTERN(LCTX_E_GLOBAL, "a negative global range", LCTX_PATTERN_ALL, g.p.global0 = -1);
    PATTERN(LCTX_E_GLOBAL, "a global range beyond 2^48", LCTX_PATTERN_ALL,
            g.p.global0 = top; g.p.n_global = 1);
    PATTERN(LCTX_E_GLOBAL, "unsorted globals", LCTX_PATTERN_ALL,
            g.p.global = g.pos; g.p.n_global = 3; g.pos[2] = 20);
    PATTERN(LCTX_E_GLOBAL, "a global twice", LCTX_PATTERN_ALL,
            g.p.global = g.pos; g.p.n_global = 3; g.pos[1] = 20);
    PATTERN(LCTX_E_GLOBAL, "a negative global", LCTX_PATTERN_ALL,
            g.p.global = g.pos; g.p.n_global = 3; g.pos[0] = -1);
    PATTERN(LCTX_E_GLOBAL, "a global of 2^48", LCTX_PATTERN_ALL,
            g.p.global = g.pos; g.p.n_global = 3; g.pos[2] = top);
#undef PATTERN
#define RAW(status, why, k, change) \
    REFUSED(status, "raw keys with " why, g.a.rope = &g.rope; g.a.far_rule = &g.rule; \
            g.rule.kind = k; change)
    RAW(LCTX_OK, "everything right", LCTX_FAR_GROUP, g.rule.leak = 0);
    RAW(LCTX_E_ENUM, "an unknown rule", LCTX_FAR_COUNT, g.rule.leak = 2);
    RAW(LCTX_E_ENUM, "a negative rule", -1, g.rule.leak = 2);
    RAW(LCTX_E_FAR_RULE, "a rule without a window", LCTX_FAR_CLAMP, g.rule.window = 0);
    RAW(LCTX_E_FAR_RULE, "a negative window", LCTX_FAR_LEAKY, g.rule.window = -1);
    RAW(LCTX_E_FAR_RULE, "no group", LCTX_FAR_GROUP, g.rule.group = 0);
    RAW(LCTX_E_FAR_RULE, "a negative group", LCTX_FAR_GROUP, g.rule.group = -3);
    RAW(LCTX_E_FAR_RULE, "a leak below 1", LCTX_FAR_LEAKY, g.rule.leak = 0.5);
    RAW(LCTX_E_FAR_RULE, "a leak NaN", LCTX_FAR_LEAKY, g.rule.leak = (double)nan);
    RAW(LCTX_E_FAR_RULE, "an infinite leak", LCTX_FAR_LEAKY, g.rule.leak = (double)inf);
    RAW(LCTX_E_FAR_RULE, "a rule over n_hat", LCTX_FAR_CLAMP, g.rope.n_hat = 2);
    RAW(LCTX_E_FAR_RULE, "a rule over xPos", LCTX_FAR_CLAMP, g.rope.xpos_base = 512);
    RAW(LCTX_E_NULL, "a rule but no schedule", LCTX_FAR_CLAMP, g.a.rope = NULL);
    RAW(LCTX_E_NULL, "a far_pos but no schedule", LCTX_FAR_NONE,
        g.a.rope = NULL; g.a.far_rule = NULL; g.a.far_pos = 5);
    RAW(LCTX_E_N_ROT, "an odd n_rot", LCTX_FAR_NONE, g.rope.n_rot = 7);
    RAW(LCTX_E_N_ROT, "n_rot above d_k", LCTX_FAR_NONE, g.rope.n_rot = 18);
    RAW(LCTX_E_ENUM, "an unknown pairing", LCTX_FAR_NONE, g.rope.pairing = 2);
    RAW(LCTX_E_TABLE, "a frequency NaN", LCTX_FAR_NONE, g.rope.freq[7] = (double)nan);
    RAW(LCTX_E_MSCALE, "no attention factor", LCTX_FAR_NONE, g.rope.attn_factor = 0);
    RAW(LCTX_E_MSCALE, "scale_mul NaN", LCTX_FAR_NONE, g.rope.scale_mul = (double)nan);
    RAW(LCTX_E_N_HAT, "a negative n_hat", LCTX_FAR_NONE, g.rope.n_hat = -1);
    RAW(LCTX_E_XPOS, "a negative xpos_base", LCTX_FAR_NONE, g.rope.xpos_base = -1);
    RAW(LCTX_E_POS, "a negative far_pos", LCTX_FAR_NONE, g.a.far_pos = -1);
    RAW(LCTX_E_XPOS_FAR, "a query out of xPos's reach", LCTX_FAR_NONE,
        g.rope.xpos_base = 1; g.a.q_pos0 = 63);
    RAW(LCTX_E_XPOS_FAR, "a key out of xPos's reach", LCTX_FAR_NONE,
        g.rope.xpos_base = 1; g.s[1].pos = 58);
#undef RAW
    REFUSED(LCTX_E_GROUP, "a span of a negative group", g.s[1].group = -1);
    REFUSED(LCTX_E_GROUP, "a query of a negative group", g.need_size = 0; g.a.q_group = g.group;
            g.group[2] = -1);
    REFUSED(LCTX_E_SOFTCAP, "a negative softcap", g.a.softcap = -1);
    REFUSED(LCTX_E_SOFTCAP, "softcap NaN", g.a.softcap = nan);
    REFUSED(LCTX_E_SOFTCAP, "an infinite softcap", g.a.softcap = inf);
    REFUSED(LCTX_E_SOFTCAP, "a negative scale", g.a.scale = -1);
    REFUSED(LCTX_E_SOFTCAP, "scale NaN", g.a.scale = nan);
    REFUSED(LCTX_E_SOFTCAP, "an infinite scale", g.a.scale = inf);
    REFUSED(LCTX_OK, "a query before all keys", g.a.q_pos0 = -2);
    REFUSED(LCTX_E_POS, "a negative query position and no mask", g.a.q_pos0 = -1;
            g.a.mask = LCTX_MASK_NONE);
    REFUSED(LCTX_E_POS, "a negative query position of raw keys", g.a.q_pos0 = -1;
            g.a.rope = &g.rope);
    REFUSED(LCTX_E_POS, "a query position below -2^48", g.a.q_pos0 = -top - 1);
    REFUSED(LCTX_E_POS, "the least query position", g.a.q_pos0 = INT64_MIN);
    REFUSED(LCTX_E_POS, "a query position of 2^48", g.a.q_pos0 = top - 2);
    REFUSED(LCTX_E_POS, "a negative position in the list and no mask", g.need_size = 0;
            g.a.mask = LCTX_MASK_NONE; g.a.q_pos = g.pos; g.pos[1] = -5);
    REFUSED(LCTX_E_POS, "2^48 in the list", g.need_size = 0; g.a.q_pos = g.pos; g.pos[2] = top);
    REFUSED(LCTX_E_XPOS_FAR, "a listed query out of xPos's reach", g.need_size = 0;
            g.a.rope = &g.rope; g.rope.xpos_base = 1; g.a.q_pos = g.pos; g.pos[1] = 65);
    REFUSED(LCTX_E_POS, "a negative key position", g.s[0].pos = -1);
    REFUSED(LCTX_OK, "listed positions", g.s[1].k_pos = g.pos16);
    REFUSED(LCTX_OK, "one list for all heads", g.s[1].k_pos = g.pos16; g.s[1].k_pos_head = -1);
    REFUSED(LCTX_E_POS, "a listed position that goes back", g.need_size = 0; g.s[1].k_pos = g.pos16;
            g.pos16[13] = 11);
    REFUSED(LCTX_E_SPAN, "listed positions of raw keys", g.s[1].k_pos = g.pos16;
            g.a.rope = &g.rope);
    REFUSED(LCTX_E_POS, "a negative listed position", g.need_size = 0; g.s[1].k_pos = g.pos16; g.pos16[8] = -1);
    REFUSED(LCTX_E_POS, "2^48 listed", g.need_size = 0; g.s[1].k_pos = g.pos16; g.pos16[15] = top);
    REFUSED(LCTX_E_STRIDE, "lists that overlap", g.s[1].k_pos = g.pos16; g.s[1].k_pos_head = 56);
    REFUSED(LCTX_E_STRIDE, "an odd stride of lists", g.s[1].k_pos = g.pos16;
            g.s[1].k_pos_head = 68);
    REFUSED(LCTX_E_STRIDE, "a negative stride of lists", g.s[1].k_pos = g.pos16;
            g.s[1].k_pos_head = -8);
    REFUSED(LCTX_E_OVERFLOW, "a stride of lists that overflows", g.s[1].k_pos = g.pos16;
            g.s[1].k_pos_head = (int64_t)1 << 62);
    REFUSED(LCTX_E_POS, "a key position of 2^48", g.s[1].pos = top - 7);
    REFUSED(LCTX_E_THREADS, "a negative thread count", g.a.par = &g.par; g.par.n_threads = -1);
    REFUSED(LCTX_E_THREADS, "too many threads",
            g.a.par = &g.par; g.par.n_threads = LCTX_MAX_THREADS + 1);
    REFUSED(LCTX_E_SCRATCH, "scratch one byte too small", g.need_size = 0; g.short_by = 1);
    REFUSED(LCTX_E_SCRATCH, "no scratch", g.need_size = 0; g.no_scratch = 1);
#undef REFUSED
}

static void refused_somehow(arguments *g, const char *why)
{
    check(attend(&g->a) != LCTX_OK, "%s is refused", why);
}

static void test_counts_refused(void)
{
    arguments g;
    good_arguments(&g); g.a.n_head = 0;          refused_somehow(&g, "no query head");
    good_arguments(&g); g.a.n_head_kv = 0;       refused_somehow(&g, "no KV head");
    good_arguments(&g); g.a.n_head = -4;         refused_somehow(&g, "a negative head count");
    good_arguments(&g); g.a.n_head_kv = -2;      refused_somehow(&g, "a negative KV head count");
    good_arguments(&g); g.s[0].n = -1;           refused_somehow(&g, "a span of -1 keys");
    good_arguments(&g); g.s[1].query = 1;        refused_somehow(&g, "a far span without q_far");
    good_arguments(&g); g.s[1].n = INT64_MAX;    refused_somehow(&g, "a span of 2^63 - 1 keys");
    good_arguments(&g); g.a.n_q = INT64_MAX;     refused_somehow(&g, "2^63 - 1 queries");
}

/* Strided outputs: what stands between the rows stays. */
static void test_output_gaps(void)
{
    static const int64_t n_qs[] = { 1, 33 };
    int k;
    for (k = 0; k < 2; k++) {
        problem p = plain(4, 2, 59, n_qs[k], 200, LCTX_F16);
        scene *s = scene_new(&p);
        outcome want = outcome_of(s);
        int64_t step = 59 + 6, t, h, i, n = n_qs[k] * 4 * step + 8, same = 1, kept = 1;
        float *wide = (float *)zeroed(n, 4);
        lctx_attn a = s->attn;
        memset(wide, 0x5a, (size_t)n * 4);
        a.out = wide + 1; a.out_token = step * 4; a.out_head = n_qs[k] * step * 4;
        check(attend(&a) == LCTX_OK, "outputs [head][token] with gaps are taken");
        for (t = 0; t < n_qs[k]; t++)
            for (h = 0; h < 4; h++) {
                float *row = a.out + h * n_qs[k] * step + t * step;
                same &= memcmp(row, want.out + (t * 4 + h) * 59, 59 * 4) == 0;
                for (i = 59; i < step; i++) kept &= memcmp(row + i, wide, 4) == 0;
            }
        check((int)same, "strided outputs have the bits of packed ones, %d queries", (int)n_qs[k]);
        check((int)kept, "nothing is written between output rows, %d queries", (int)n_qs[k]);
        free(wide);
        outcome_free(&want);
        scene_free(s);
    }
}

static void test_query_strides(void)
{
    problem p = plain(4, 2, 40, 9, 200, LCTX_F32);
    scene *s;
    outcome want;
    lctx_attn a;
    int64_t step = 43, t, h;
    float *wide = (float *)zeroed(2 * 9 * 4 * step, 4), *far = wide + 9 * 4 * step;
    p.far = 1; p.cut = FEW;
    s = scene_new(&p);
    want = outcome_of(s);
    memset(wide, 0xff, (size_t)(2 * 9 * 4 * step) * 4);
    for (t = 0; t < 9; t++)
        for (h = 0; h < 4; h++) {
            memcpy(wide + (h * 9 + t) * step, s->q + (t * 4 + h) * 40, 160);
            memcpy(far + (h * 9 + t) * step, s->q_far + (t * 4 + h) * 40, 160);
        }
    a = s->attn;
    a.q = wide; a.q_far = far; a.q_token = step * 4; a.q_head = 9 * step * 4;
    check(attends_the_same(s, &a, &want),
          "queries [head][token] with gaps, near and far, give the same bits");
    a = s->attn;
    a.lse = NULL;
    memset(s->out, 0x77, (size_t)want.n_out * 4);
    check(attend(&a) == LCTX_OK && memcmp(s->out, want.out, (size_t)want.n_out * 4) == 0,
          "without lse the outputs are the same");
    memset(wide, 0x5a, 9 * 7 * 4);
    a.lse = wide; a.lse_token = 7 * 4;
    check(attend(&a) == LCTX_OK, "strides of lse are taken");
    for (t = h = 0; t < 9; t++)
        h += memcmp(wide + t * 7, want.lse + t * 4, 16) != 0
            || memcmp(wide + t * 7 + 4, "ZZZZZZZZZZZZ", 12) != 0;
    check(h == 0, "lse goes where its stride says, and nowhere else");
    free(wide);
    outcome_free(&want);
    scene_free(s);
}

/* Scales of int8 values that dot products cannot share: negative, some or all, and tiny. Queries are
   zero, so that each weighs all that it sees alike. */
static double odd_scales(const float *of, int64_t n_q, store how, int *finite)
{
    enum { N = 150, D = 16 };
    static int8_t k[N * D], v[N * D];
    static float q[40 * D], out[40 * D], k_scale[N], v_scale[N];
    lctx_span span;
    lctx_attn a;
    double worst = 0;
    int64_t t, i, j;
    memset(&span, 0, sizeof span);
    memset(&a, 0, sizeof a);
    for (i = 0; i < N * D; i++) v[i] = (int8_t)(test_random() % 256 - 128);
    for (i = 0; i < N; i++) k_scale[i] = 1, v_scale[i] = of[i % 3];
    span.k = k; span.v = v; span.k_type = span.v_type = LCTX_I8; span.n = N;
    span.k_scale = k_scale; span.v_scale = v_scale;
    if (how == HEADS) span.k_token = span.v_token = D, span.k_head = span.v_head = N * D;
    a.n_q = n_q; a.n_head = a.n_head_kv = 1; a.d_k = D; a.q_pos0 = N - n_q;
    a.q = q; a.out = out; a.spans = &span; a.n_spans = 1;
    if (attend(&a) != LCTX_OK) return (double)INFINITY;
    for (t = 0; t < n_q; t++)
        for (i = 0; i < D; i++) {
            double sum = 0, size = 0;
            for (j = 0; j <= N - n_q + t; j++) {
                sum += (double)v[j * D + i] * (double)v_scale[j];
                size += fabs((double)v[j * D + i] * (double)v_scale[j]);
            }
            *finite &= isfinite(out[t * D + i]) != 0;
            worst = fmax(worst, fabs((double)out[t * D + i] * (double)(N - n_q + t + 1) - sum) / size);
        }
    return worst;
}

static void test_odd_scales(void)
{
    static const float scales[][3] = {
        { -0.5f, -0.25f, -2.0f }, { 0.5f, -0.25f, 1.0f }, { 1e-31f, 2e-31f, 0 },
        { 1e-37f, 1e-37f, 3e-37f }, { 1e-31f, -1.0f, 1e-31f }, { 1e-31f, 1.0f, 0 }
    };
    size_t i;
    int64_t n_q;
    for (i = 0; i < COUNT(scales); i++)
        for (n_q = 1; n_q <= 40; n_q += 39) {
            int finite = 1;
            double tokens = odd_scales(scales[i], n_q, TOKENS, &finite);
            double heads = odd_scales(scales[i], n_q, HEADS, &finite);
            check(finite && tokens < 1e-4 && heads < 1e-4, "int8 values of scales %g, %g, %g under"
                  " %d queries come out (%.1e, %.1e)", (double)scales[i][0], (double)scales[i][1],
                  (double)scales[i][2], (int)n_q, tokens, heads);
        }
}

/* Steps that dot products count as none; their lows count. */
static void test_tiny_steps(void)
{
    enum { N = 64, D = 16 };
    static float k[N * D], v[N * D], q[D], out[D];
    lctx_tiles t;
    lctx_rows rows;
    lctx_span span;
    lctx_attn a;
    size_t bytes = 0;
    void *base;
    double worst = 0;
    int64_t i;
    memset(&t, 0, sizeof t);
    memset(&rows, 0, sizeof rows);
    memset(&a, 0, sizeof a);
    for (i = 0; i < N * D; i++) v[i] = 1e-28f + 5e-31f * (float)(i % D);
    t.n_head_kv = 1; t.d_k = D; t.k_type = t.v_type = LCTX_I4; t.cap = N;
    rows.n = N; rows.k = k; rows.v = v;
    check(lctx_tiles_size(&t, &bytes) == LCTX_OK, "tiles of tiny steps have a size");
    t.mem = aligned(bytes, &base);
    check(lctx_tiles_write(&t, 0, &rows) == LCTX_OK
          && lctx_tiles_span(&t, 0, N, 0, &span) == LCTX_OK, "tiny steps are written");
    a.n_q = 1; a.n_head = a.n_head_kv = 1; a.d_k = D; a.q_pos0 = N - 1;
    a.q = q; a.out = out; a.spans = &span; a.n_spans = 1;
    check(attend(&a) == LCTX_OK, "tiny steps are attended");
    for (i = 0; i < D; i++) {
        double off = fabs((double)out[i] - (double)v[i]);
        if (!(off <= worst)) worst = off;
    }
    check(worst < 15 * 5e-31 + 1e-28 / 256, "4-bit values of steps below 1e-30 come out to"
          " these steps (%.1e)", worst);
    free(base);
}

/* The size takes no time by the number of queries and keys, and reads none of their lists. */
static void test_size_reads(lctx_attn *a, lctx_span *span)
{
    const char *nowhere = (const char *)(uintptr_t)64;
    lctx_rope_desc d;
    lctx_rope rope;
    size_t bytes;
    memset(&d, 0, sizeof d);
    d.n_rot = 64;
    lctx_rope_init(&rope, &d);
    a->n_q = (int64_t)(SIZE_MAX >> 17);
    a->q_pos0 = 0;
    a->rope = &rope;
    check(lctx_attend_size(a, &bytes) == LCTX_OK, "as many raw queries as there may be are sized");
    a->rope = NULL;
    a->q_pos = (const int64_t *)(const void *)nowhere;
    a->q_group = (const int32_t *)(const void *)nowhere;
    span->k_pos = (const int64_t *)(const void *)nowhere;
    check(lctx_attend_size(a, &bytes) == LCTX_OK, "the size reads no list of positions or groups");
}

/* Scratch for a million keys is that for a thousand and a logarithm. */
static void test_scratch_size(void)
{
    lctx_span span;
    lctx_attn a;
    size_t small = 0, large = 0, nothing = 0;
    static float dummy[4096];
    memset(&span, 0, sizeof span);
    memset(&a, 0, sizeof a);
    span.k = span.v = dummy; span.k_type = span.v_type = LCTX_F16; span.n = 1 << 12;
    a.n_q = 1; a.n_head = 32; a.n_head_kv = 8; a.d_k = 64; a.q_pos0 = 1 << 21;
    a.spans = &span; a.n_spans = 1;
    check(lctx_attend_size(&a, &small) == LCTX_OK, "scratch is sized without queries and outputs");
    span.n = 1 << 20;
    check(lctx_attend_size(&a, &large) == LCTX_OK && large < small + (1 << 20),
          "scratch does not grow with the keys but for a logarithm (%lu, %lu bytes)",
          (unsigned long)small,
          (unsigned long)large);
    a.n_q = 0;
    check(lctx_attend_size(&a, &nothing) == LCTX_OK, "no queries have a scratch size");
    test_size_reads(&a, &span);
}

/* ---------------------------------------------------------------------------- progress */

typedef struct watch { int calls, stop_at, wrong; int64_t done, total; } watch;

static int watching(void *user, int64_t done, int64_t total)
{
    watch *w = (watch *)user;
    w->wrong += done < w->done || done > total || (w->calls > 0 && total != w->total);
    w->done = done;
    w->total = total;
    return ++w->calls == w->stop_at;
}

static void test_progress(void)
{
    problem p = plain(4, 2, 32, 75, 2100, LCTX_F16);
    scene *s = scene_new(&p);
    outcome want = outcome_of(s);
    lctx_attn a = s->attn, b;
    lctx_parallel par;
    masses m;
    watch w;
    int calls;
    memset(&par, 0, sizeof par);
    memset(&w, 0, sizeof w);
    a.progress = watching;
    a.progress_user = &w;
    check(attends_the_same(s, &a, &want), "watching changes no bit");
    check(w.calls > 0 && w.wrong == 0, "progress is reported, rising, at most the total (%d calls)",
          w.calls);
    par.n_threads = 1;               /* which of several threads reports, and how often, may vary */
    a.par = &par;
    memset(&w, 0, sizeof w);
    check(attends_the_same(s, &a, &want), "one thread watches as well");
    calls = w.calls;
    memset(&w, 0, sizeof w);
    m = masses_new(s);
    b = with_mass(&a, &m);
    attend(&b);
    check(w.calls > calls && w.wrong == 0 && w.done == w.total,
          "the tasks of mass are reported with the others (%d calls, %d without)", w.calls, calls);
    memset(&w, 0, sizeof w);
    w.stop_at = calls + 2;
    check(attend(&b) == LCTX_E_CANCELLED && w.calls == calls + 2,
          "mass can be cancelled while it is summed");
    free(m.at);
    memset(&w, 0, sizeof w);
    w.stop_at = 1;
    check(attend(&a) == LCTX_E_CANCELLED && w.calls == 1,
          "a call that is cancelled ends and asks no more");
    check(attends_the_same(s, &s->attn, &want) && calls > 0,
          "after cancelling, the same call gives the same bits");
    outcome_free(&want);
    scene_free(s);
}

/* Spans that end in the middle of tiles, rows and native tiles by turns across a leaf's bound: the
   leaves of the pieces must never go back, or the fold would hold more parts than scratch has room. */
static void test_pieces(void)
{
    enum { D = 16, N = 576, WHOLE = 512, PIECES = N - WHOLE };
    static float k[N * D], v[N * D];
    static lctx_span pieces[1 + PIECES];
    float q[D], out[2][D];
    lctx_tiles tile = { 1, D, D, LCTX_F32, LCTX_F32, 0, LCTX_TILE, NULL, NULL };
    lctx_attn a = {0};
    size_t bytes = 0, i, unharmed = 0;
    char *mem, *scratch;
    lctx_rows row = {0};
    lctx_status st;
    int j;
    for (j = 0; j < N * D; j++) k[j] = test_normal(), v[j] = test_normal();
    for (j = 0; j < D; j++) q[j] = test_normal();
    check(lctx_tiles_size(&tile, &bytes) == LCTX_OK, "a store of one tile has a size");
    mem = malloc(bytes * PIECES + 64);
    for (j = 0; j <= PIECES; j++) {
        lctx_span *s = &pieces[j];
        int first = j ? WHOLE + j - 1 : 0;
        memset(s, 0, sizeof *s);
        s->k = k + first * D, s->v = v + first * D, s->n = j ? 1 : WHOLE, s->pos = first;
        if (j % 2 || !j) continue;
        tile.mem = mem + 64 - (uintptr_t)mem % 64 + (size_t)(j - 1) * bytes;
        row.n = 1, row.k = k + first * D, row.v = v + first * D;
        check(lctx_tiles_write(&tile, 63, &row) == LCTX_OK
              && lctx_tiles_span(&tile, 63, 1, first, s) == LCTX_OK, "a tile's last key is a span");
    }
    a.n_q = 1, a.n_head = a.n_head_kv = 1, a.d_k = D, a.q = q, a.q_pos0 = N;
    for (j = 0; j < 2; j++) {
        lctx_span whole = {0};
        whole.k = k, whole.v = v, whole.n = N;
        a.spans = j ? pieces : &whole, a.n_spans = j ? 1 + PIECES : 1, a.out = out[j];
        check(lctx_attend_size(&a, &bytes) == LCTX_OK, "spans in pieces have a size of scratch");
        scratch = malloc(bytes + 65536);
        memset(scratch, 0x5a, bytes + 65536);
        st = lctx_attend(&a, scratch, bytes);
        for (i = 0, unharmed = 1; i < 65536; i++) unharmed &= scratch[bytes + i] == 0x5a;
        check(st == LCTX_OK && unharmed, "%s: nothing beyond scratch is written", j ? "pieces" : "whole");
        free(scratch);
    }
    for (j = 0, unharmed = 1; j < D; j++) unharmed &= fabs((double)out[0][j] - out[1][j]) < 1e-6;
    check(unharmed != 0, "keys in pieces across a leaf's bound give what the whole gives");
    free(mem);
}

/* ---------------------------------------------------------------------------- vectors */

/* What tests/vectors/gen_attention.py wrote; see there for the lines' meaning. Each file is taken
   in every way that its scheme allows. */
typedef enum way { TURNED, LISTED, RAW, CACHED, CACHED_RAW, WAYS } way;
static const char *const way_names[] = { "rotated keys", "rotated keys at listed positions",
                                         "raw keys", "a cache", "a cache of raw keys" };

typedef enum fact_kind { HIDDEN, LOGIT, LSE, OUT } fact_kind;
typedef struct fact {
    fact_kind kind;
    long long m, n;                     /* of query and key */
    int h, i;
    double want;
} fact;

enum { MOST_FACTS = 400, MOST_RUNS = 8, MOST_HEADS = 128 };
typedef struct vectors {
    lctx_attn a;                        /* sizes, scale, mask */
    lctx_rope_desc desc;
    lctx_far_rule rule;
    lctx_rope rope;
    int32_t gain, policy, alibi, sink_logit;        /* policy -1: keys are missing */
    int64_t from[MOST_RUNS], count[MOST_RUNS], n_kv, q_pos[MOST_RUNS], *k_pos;
    int n_runs, n_facts;
    fact facts[MOST_FACTS];
    float *q, *q_turned, *q_far, *k, *k_turned, *v, *bias;
    float slopes[MOST_HEADS], sinks[MOST_HEADS];
    double off[OUT + 1], slope_off;     /* worst errors, in units of what is allowed */
    int n[OUT + 1];                     /* facts of each kind that were looked at */
    lctx_span spans[MOST_RUNS];
} vectors;

static double vector_value(const char *word)
{
    static const struct { const char *name; int value; } words[] = {
        { "plain", LCTX_ROPE_PLAIN }, { "yarn", LCTX_ROPE_YARN }, { "half", LCTX_ROPE_HALF },
        { "interleaved", LCTX_ROPE_INTERLEAVED }, { "clamp", LCTX_FAR_CLAMP },
        { "leaky", LCTX_FAR_LEAKY }, { "group", LCTX_FAR_GROUP }, { "full", LCTX_FULL },
        { "window", LCTX_WINDOW }, { "sinks", LCTX_SINKS }
    };
    char *end;
    double x = strtod(word, &end);
    size_t i;
    for (i = 0; i < COUNT(words); i++) if (strcmp(word, words[i].name) == 0) return words[i].value;
    return *end ? (double)NAN : x;
}

/* Returns nonzero if there is no such field, or no such value. */
static int vector_set(vectors *v, const char *name, const char *word)
{
    static const struct { const char *name; size_t at; char type; } fields[] = {
#define FIELD(name, member, type) { name, offsetof(vectors, member), type }
        FIELD("n_head", a.n_head, 'i'), FIELD("n_head_kv", a.n_head_kv, 'i'),
        FIELD("d_k", a.d_k, 'i'), FIELD("d_v", a.d_v, 'i'), FIELD("scale", a.scale, 'f'),
        FIELD("softcap", a.softcap, 'f'), FIELD("window", a.window, 'l'),
        FIELD("n_sink", a.n_sink, 'i'), FIELD("far_pos", a.far_pos, 'l'),
        FIELD("far_kind", rule.kind, 'i'), FIELD("far_window", rule.window, 'l'),
        FIELD("far_leak", rule.leak, 'd'), FIELD("far_group", rule.group, 'i'),
        FIELD("scheme", desc.scheme, 'i'), FIELD("pairing", desc.pairing, 'i'),
        FIELD("n_rot", desc.n_rot, 'i'), FIELD("theta", desc.theta, 'd'),
        FIELD("factor", desc.factor, 'd'), FIELD("orig_ctx", desc.orig_ctx, 'd'),
        FIELD("beta_fast", desc.beta_fast, 'd'), FIELD("beta_slow", desc.beta_slow, 'd'),
        FIELD("no_truncate", desc.no_truncate, 'i'), FIELD("mscale", desc.mscale, 'd'),
        FIELD("mscale_all_dim", desc.mscale_all_dim, 'd'), FIELD("gain", gain, 'i'),
        FIELD("policy", policy, 'i'), FIELD("alibi", alibi, 'i'),
        FIELD("sink_logit", sink_logit, 'i')
#undef FIELD
    };
    const double x = vector_value(word);
    const float f = (float)x;
    const int32_t i = isnan(x) ? 0 : (int32_t)x;
    const int64_t l = i;
    size_t at;
    for (at = 0; at < COUNT(fields) && strcmp(name, fields[at].name) != 0; at++) {}
    if (at == COUNT(fields) || isnan(x)) return 1;
    switch (fields[at].type) {
    case 'i': memcpy((char *)v + fields[at].at, &i, sizeof i); break;
    case 'l': memcpy((char *)v + fields[at].at, &l, sizeof l); break;
    case 'f': memcpy((char *)v + fields[at].at, &f, sizeof f); break;
    default:  memcpy((char *)v + fields[at].at, &x, sizeof x);
    }
    return 0;
}

static int vector_slope(vectors *v, int h, double want)
{
    double e;
    if (lctx_alibi_slopes(v->a.n_head, v->slopes) != LCTX_OK) return 1;
    e = fabs((double)v->slopes[h] / want - 1) * ldexp(1, 23);
    if (!(e <= v->slope_off)) v->slope_off = e;
    return 0;
}

/* One line; returns nonzero if it is none of ours. */
static int vector_line(vectors *v, const char *line)
{
    fact *f = &v->facts[v->n_facts];
    char name[32], word[64];
    long long from, n;
    if (line[0] == '#') return 0;
    if (sscanf(line, "set %31s %63s", name, word) == 2) return vector_set(v, name, word);
    if (sscanf(line, "slope %d %lf", &f->h, &f->want) == 2) return vector_slope(v, f->h, f->want);
    if (sscanf(line, "query %lld", &n) == 1 && v->a.n_q < MOST_RUNS) {
        v->q_pos[v->a.n_q++] = n;
        return 0;
    }
    if (sscanf(line, "keys %lld %lld", &from, &n) == 2 && v->n_runs < MOST_RUNS) {
        v->from[v->n_runs] = from, v->count[v->n_runs++] = n, v->n_kv += n;
        return 0;
    }
    if (v->n_facts == MOST_FACTS - 1) return 1;
    v->n_facts++;
    if (sscanf(line, "hidden %lld %lld", &f->m, &f->n) == 2) f->kind = HIDDEN;
    else if (sscanf(line, "logit %lld %d %lld %lf", &f->m, &f->h, &f->n, &f->want) == 4)
        f->kind = LOGIT;
    else if (sscanf(line, "lse %lld %d %lf", &f->m, &f->h, &f->want) == 3) f->kind = LSE;
    else if (sscanf(line, "out %lld %d %d %lf", &f->m, &f->h, &f->i, &f->want) == 4) f->kind = OUT;
    else return 1;
    return 0;
}

/* x[n][heads][d], dimension j of head h at pos: (((j + first + pos + h) j + by_pos pos + by_head h
   + add) mod modulus - half) / 64 * gain; the formula is these six numbers. */
static float *vector_rows_of(const int64_t *pos, int64_t n, int32_t heads, int32_t d,
                             const int formula[6], int32_t gain)
{
    const int first = formula[0], by_pos = formula[1], by_head = formula[2], add = formula[3];
    float *x = (float *)zeroed(n * heads * d, sizeof *x), *at = x;
    int64_t t;
    int32_t h, j;
    for (t = 0; t < n; t++)
        for (h = 0; h < heads; h++)
            for (j = 0; j < d; j++) {
                int64_t sum = (j + first + pos[t] + h) * j + by_pos * pos[t] + by_head * h + add;
                *at++ = (float)((sum % formula[4] - formula[5]) * gain) / 64;
            }
    return x;
}

static float *vector_turn(const vectors *v, const float *x, int64_t n, int32_t heads,
                          const int64_t *pos, lctx_rope_side side)
{
    float *out = (float *)zeroed(n * heads * v->a.d_k, sizeof *out);
    lctx_rope_job job;
    memset(&job, 0, sizeof job);
    job.n_tok = n, job.n_head = heads, job.head_dim = v->a.d_k;
    job.x = x, job.out = out, job.pos = pos, job.side = (int32_t)side;
    if (!v->desc.n_rot) memcpy(out, x, (size_t)(n * heads * v->a.d_k) * sizeof *x);
    else if (lctx_rope_apply(&v->rope, &job) != LCTX_OK) check(0, "rows of a vector are rotated");
    return out;
}

/* Where the far query stands. */
static int64_t vector_far(const vectors *v, int64_t t)
{
    return v->a.far_pos && v->q_pos[t] > v->a.far_pos ? v->a.far_pos : v->q_pos[t];
}

static void vector_fill(vectors *v)
{
    static const int queries_are[] = { 37, 41, 23, 11, 101, 50 }, keys_are[] = { 53, 31, 43, 29, 97,
        48 }, values_are[] = { 61, 19, 71, 7, 89, 44 };
    int64_t far[MOST_RUNS], n_q = v->a.n_q, i, at = 0;
    int32_t heads = v->a.n_head, heads_kv = v->a.n_head_kv, h;
    int run;
    if (!v->a.d_v) v->a.d_v = v->a.d_k;
    v->k_pos = (int64_t *)zeroed(v->n_kv, sizeof *v->k_pos);
    v->bias = (float *)zeroed(v->n_kv, sizeof *v->bias);
    for (run = 0; run < v->n_runs; run++)
        for (i = 0; i < v->count[run]; i++) v->k_pos[at++] = v->from[run] + i;
    for (i = 0; i < v->n_kv; i++) v->bias[i] = -INFINITY;
    for (i = 0; i < n_q; i++) far[i] = vector_far(v, i);
    for (h = 0; h < heads; h++) v->sinks[h] = (float)((29 * h + 5) % 23 - 6) / 2;
    if (v->desc.n_rot && lctx_rope_init(&v->rope, &v->desc) != LCTX_OK) check(0,
            "a vector's schedule is made");
    v->q = vector_rows_of(v->q_pos, n_q, heads, v->a.d_k, queries_are, v->gain);
    v->k = vector_rows_of(v->k_pos, v->n_kv, heads_kv, v->a.d_k, keys_are, 1);
    v->v = vector_rows_of(v->k_pos, v->n_kv, heads_kv, v->a.d_v, values_are, 1);
    v->q_turned = vector_turn(v, v->q, n_q, heads, v->q_pos, LCTX_ROPE_QUERY);
    v->q_far = vector_turn(v, v->q, n_q, heads, far, LCTX_ROPE_QUERY);
    v->k_turned = vector_turn(v, v->k, v->n_kv, heads_kv, v->k_pos, LCTX_ROPE_KEY);
}

static int is_raw(way how)    { return how == RAW || how == CACHED_RAW; }
static int is_cached(way how) { return how == CACHED || how == CACHED_RAW; }

/* Rules by distance want raw keys, raw keys something that turns, a cache all the keys. */
static int vector_allows(const vectors *v, way how)
{
    return (is_raw(how) ? v->desc.n_rot > 0 : v->rule.kind == LCTX_FAR_NONE)
           && (!is_cached(how) || v->policy >= 0);
}

/* n keys from number j on, which stand at pos. */
static lctx_span vector_span(const vectors *v, way how, int64_t j, int64_t n)
{
    lctx_span s;
    memset(&s, 0, sizeof s);
    s.k = (is_raw(how) ? v->k : v->k_turned) + j * v->a.n_head_kv * v->a.d_k;
    s.v = v->v + j * v->a.n_head_kv * v->a.d_v;
    s.n = n, s.pos = v->k_pos[j];
    s.query = v->a.far_pos && s.pos < v->a.n_sink;
    if (how == LISTED) s.k_pos = v->k_pos + j, s.k_pos_head = -1, s.pos = 0;
    return s;
}

/* Listed positions need one span, and one for what the far query scores. */
static int64_t vector_spans(vectors *v, way how)
{
    const int64_t first = v->a.far_pos ? v->count[0] : v->n_kv;
    int64_t at = 0;
    int run;
    v->spans[0] = vector_span(v, how, 0, first);
    if (how == LISTED && first == v->n_kv) return 1;
    if (how == LISTED) v->spans[1] = vector_span(v, how, first, v->n_kv - first);
    if (how == LISTED) return 2;
    for (run = 0; run < v->n_runs; at += v->count[run++])
        v->spans[run] = vector_span(v, how, at, v->count[run]);
    return v->n_runs;
}

/* n queries from number t on; the spans, or the cache, are the caller's. */
static lctx_attn vector_attn(const vectors *v, way how, int64_t t, int64_t n)
{
    const int64_t row = t * v->a.n_head * v->a.d_k;
    lctx_attn a = v->a;
    a.n_q = n, a.q_pos = v->q_pos + t;
    a.q = (is_raw(how) ? v->q : v->q_turned) + row;
    if (v->alibi) a.alibi = v->slopes;
    if (v->sink_logit) a.sink_logit = v->sinks;
    if (is_raw(how)) {
        a.rope = &v->rope;
        if (v->rule.kind) a.far_rule = &v->rule;
        return a;
    }
    a.far_pos = 0;
    if (v->a.far_pos) a.q_far = v->q_far + row;
    if (v->desc.n_rot && !(a.scale > 0))
        a.scale = (float)(v->rope.scale_mul / sqrt((double)a.d_k));
    return a;
}

/* Appends up to each query in turn, and attends it. */
static lctx_status vector_cached(const vectors *v, way how, float *out, float *lse)
{
    const float *k = is_raw(how) ? v->k : v->k_turned;
    lctx_cache_desc d;
    lctx_cache *cache = NULL;
    lctx_status st;
    int64_t t, n = 0, heads = v->a.n_head, k_row = v->a.n_head_kv * v->a.d_k;
    memset(&d, 0, sizeof d);
    d.n_head_kv = v->a.n_head_kv, d.d_k = v->a.d_k, d.d_v = v->a.d_v, d.block = LCTX_TILE;
    d.policy = v->policy, d.window = v->a.window, d.n_sink = v->a.n_sink;
    st = lctx_cache_create(&d, &cache);
    for (t = 0; t < v->a.n_q && st == LCTX_OK; t++) {
        lctx_attn a = vector_attn(v, how, t, 1);
        lctx_rows rows;
        size_t bytes = 0;
        void *scratch;
        memset(&rows, 0, sizeof rows);
        rows.n = v->q_pos[t] + 1 - n, rows.k = k + n * k_row;
        rows.v = v->v + n * v->a.n_head_kv * v->a.d_v;
        n += rows.n;
        a.out = out + t * heads * v->a.d_v, a.lse = lse + t * heads;
        st = lctx_cache_append(cache, &rows);
        if (!st && lctx_cache_far_pos(cache, n - 1) != vector_far(v, t)) st = LCTX_E_POS;
        if (!st) st = lctx_cache_attend_size(cache, &a, &bytes);
        scratch = zeroed((int64_t)bytes, 1);
        if (!st) st = lctx_cache_attend(cache, &a, scratch, bytes);
        free(scratch);
    }
    lctx_cache_free(cache);
    return st;
}

static int64_t query_at(const vectors *v, long long m)
{
    int64_t t = 0;
    while (t < v->a.n_q && v->q_pos[t] != m) t++;
    return t;
}

static double length_of(const float *x, int32_t n)
{
    double sum = 0;
    int32_t i;
    for (i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* The greatest logit that a query and keys so long could have, before any cap. */
static double vector_reach(const vectors *v, const fact *f)
{
    const lctx_attn a = vector_attn(v, TURNED, 0, 1);
    const int32_t g = f->h / (a.n_head / a.n_head_kv);
    const double scale = a.scale > 0 ? (double)a.scale : 1 / sqrt((double)a.d_k);
    double longest = 0;
    int64_t j;
    for (j = 0; j < v->n_kv; j++)
        longest = fmax(longest, length_of(v->k_turned + (j * a.n_head_kv + g) * a.d_k, a.d_k));
    return scale * longest
           * length_of(v->q_turned + (query_at(v, f->m) * a.n_head + f->h) * a.d_k, a.d_k);
}

/* Errors come in units of ALLOWED of the value, and of what its products may have been. */
#define ALLOWED 2e-7
static void note(vectors *v, const fact *f, double got)
{
    double e = fabs(got - f->want) / (ALLOWED * (1 + fabs(f->want) + vector_reach(v, f)));
    if (f->kind == HIDDEN) e = got < -DBL_MAX ? 0 : INFINITY;
    if (!(e <= v->off[f->kind])) v->off[f->kind] = e;
    v->n[f->kind]++;
}

/* Log-sum-exps and outputs over all the keys. */
static lctx_status vector_rows(vectors *v, way how)
{
    const int64_t n = v->a.n_q * v->a.n_head;
    lctx_attn a = vector_attn(v, how, 0, v->a.n_q);
    float *out = (float *)zeroed(n * v->a.d_v, sizeof *out);
    float *lse = (float *)zeroed(n, sizeof *lse);
    lctx_status st;
    int i;
    a.out = out, a.lse = lse, a.spans = v->spans, a.n_spans = vector_spans(v, how);
    st = is_cached(how) ? vector_cached(v, how, out, lse) : attend(&a);
    for (i = 0; i < v->n_facts; i++) {
        const fact *f = &v->facts[i];
        const int64_t row = query_at(v, f->m) * v->a.n_head + f->h;
        if (f->kind == LSE) note(v, f, (double)lse[row]);
        if (f->kind == OUT) note(v, f, (double)out[row * v->a.d_v + f->i]);
    }
    free(out);
    free(lse);
    return st;
}

static int same_pair(const fact *a, const fact *b)
{
    return a->kind == b->kind && a->m == b->m && a->n == b->n;
}

/* One key of one query: all spans under a bias that hides the others, or a span cut to it. Its
   log-sum-exp is its logit, and -infinity if it is hidden. Notes all facts of the pair; i: the
   first of them. */
static void vector_one(vectors *v, way how, int i, int alone, float *out)
{
    const fact *f = &v->facts[i], *end = v->facts + v->n_facts, *next;
    lctx_attn a = vector_attn(v, how, query_at(v, f->m), 1);
    float lse[MOST_HEADS];
    lctx_span span;
    int64_t j = 0;
    int ok;
    while (v->k_pos[j] != f->n) j++;
    a.out = out, a.lse = lse, a.sink_logit = NULL;
    a.spans = v->spans, a.n_spans = vector_spans(v, how);
    span = vector_span(v, how, j, 1);
    if (alone) a.spans = &span, a.n_spans = 1;
    else a.bias = v->bias, a.bias_head = a.bias_query = -1;
    v->bias[j] = 0;
    ok = attend(&a) == LCTX_OK;
    v->bias[j] = -INFINITY;
    if (f->kind == HIDDEN) ok &= all_zero(out, a.n_head * a.d_v);
    for (next = f; next < end; next++)
        if (same_pair(f, next)) note(v, next, ok ? (double)lse[next->h] : (double)NAN);
}

/* The keys' logits one by one, and which are hidden. */
static void vector_logits(vectors *v, way how, int alone)
{
    float *out = (float *)zeroed(v->a.n_head * v->a.d_v, sizeof *out);
    int i, first;
    for (i = 0; i < v->n_facts; i++) {
        for (first = 0; !same_pair(&v->facts[first], &v->facts[i]); first++) {}
        if (v->facts[i].kind <= LOGIT && first == i) vector_one(v, how, i, alone, out);
    }
    free(out);
}

static void vector_way(vectors *v, const char *name, way how)
{
    static const char *const ways[] = { "under a bias", "in a span of its own" };
    int alone;
    memset(v->n, 0, sizeof v->n);
    memset(v->off, 0, sizeof v->off);
    check(vector_rows(v, how) == LCTX_OK, "vectors %s: attended over %s", name, way_names[how]);
    check(v->n[LSE] >= 3 * 2 && v->off[LSE] < 1, "vectors %s, %s: log-sum-exps to float rounding (%.2f of"
          " what is allowed)", name, way_names[how], v->off[LSE]);
    check(v->n[OUT] == 3 * v->n[LSE] && v->off[OUT] < 1,
          "vectors %s, %s: outputs to float rounding (%.2f of what is allowed)",
          name, way_names[how], v->off[OUT]);
    for (alone = 0; alone < 2 && !is_cached(how); alone++) {
        if (slow() && alone == (how == LISTED)) continue;
        memset(v->n, 0, sizeof v->n);
        memset(v->off, 0, sizeof v->off);
        vector_logits(v, how, alone);
        check(v->n[LOGIT] >= 2 * v->a.n_q && v->off[LOGIT] < 1, "vectors %s, %s: the logit of each"
              " key %s to float rounding (%.2f of what is allowed)", name, way_names[how],
              ways[alone], v->off[LOGIT]);
        check(v->n[HIDDEN] >= 2 && v->off[HIDDEN] == 0.0,
              "vectors %s, %s: what is hidden at the edges gives nothing %s", name, way_names[how],
              ways[alone]);
    }
}

static void test_vector(const char *name)
{
    vectors *v = (vectors *)zeroed(1, sizeof *v);
    char path[80], line[160];
    FILE *file;
    int how, strange = 0;
    v->policy = -1;
    snprintf(path, sizeof path, "tests/vectors/attn_%s.txt", name);
    file = fopen(path, "r");
    check(file != NULL, "%s is here", path);
    while (file && fgets(line, sizeof line, file)) strange += vector_line(v, line);
    if (file) fclose(file);
    check(strange == 0 && v->a.n_q > 2 && v->n_kv > 0 && v->a.n_head <= MOST_HEADS,
          "vectors %s: every line is understood (%d are not)", name, strange);
    if (strange == 0 && v->n_kv > 0) {
        vector_fill(v);
        check(v->slope_off <= 1 && (v->slopes[0] > 0) == v->alibi,
              "vectors %s: ALiBi's slopes to float rounding", name);
        for (how = 0; how < WAYS; how++)
            if (vector_allows(v, (way)how)) vector_way(v, name, (way)how);
    }
    free(v->q); free(v->q_turned); free(v->q_far);
    free(v->k); free(v->k_turned); free(v->v); free(v->bias); free(v->k_pos);
    free(v);
}

static void test_vectors(void)
{
    static const char *const names[] = {
        "alibi_mpt_7b", "alibi_bloom_176b", "window_mistral_7b", "sink_logits_gpt_oss",
        "softcap_gemma2_27b", "scale_deepseek_v3", "rerope_llama2", "leaky_rerope_llama2",
        "self_extend_llama2", "lm_infinite_llama2", "streaming_llama2", "streaming_reduced"
    };
    size_t i;
    for (i = 0; i < COUNT(names); i++) test_vector(names[i]);
}

int main(void)
{
    int t;
    test_head_sizes();
    test_groups();
    test_lengths();
    test_windows();
    test_listed();
    for (t = 0; t < 16; t++) test_listed_plainly(every_type[t % 4], (store)(t / 4));
    test_random_problems();
    test_more_queries_than_keys();
    test_blind_rows();
    test_low_logits();
    test_rising_logits();
    test_great_sinks();
    test_poison();
    test_walls();
    test_bits();
    test_bits_decode();
    test_fours();
    for (t = 0; t <= LCTX_I4; t++) test_runs((lctx_type)t, 1), test_runs((lctx_type)t, 7);
    test_mass();
    for (t = 0; t < 4 * STORES; t++) {
        if (!full() && (slow() ? t % 5 : (t + t / 4) % 2)) continue;
        test_mass_bits(every_type[t % 4], (store)(t / 4), t % 2);
        test_mass_shares(every_type[t % 4], (store)(t / 4));
    }
    test_rows_against_tiles();
    test_patterns();
    test_random_patterns();
    test_pattern_bits();
    test_latent();
    test_lists();
    test_lists_of_all();
    test_list_bits();
    test_two_sides();
    test_dilated_mixture();
    test_parallel_contexts();
    for (t = 0; t < 16; t++)
        if (full() || !slow() || t % 5 == 0)
            test_sequences(every_type[t % 4], (store)(t / 4), (t + t / 4) % 2);
    test_skipping();
    test_raw();
    test_random_raw();
    test_raw_bits();
    test_raw_far_out();
    test_long_contexts();
    test_far_apart();
    test_merge();
    test_dual_chunks();
    test_retro();
    for (t = 0; t < 4; t++) test_tiles(every_type[t]);
    test_tiles_strided();
    test_bad_tiles();
    test_bad_arguments();
    test_counts_refused();
    test_output_gaps();
    test_query_strides();
    test_odd_scales();
    test_tiny_steps();
    test_scratch_size();
    test_pieces();
    test_progress();
    test_vectors();
    return test_report("attention", lctx_isa_name(lctx_isa_get()));
}
