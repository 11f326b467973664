/* Demonstrates decoding over a context that is spread over processes: each keeps every n-th block
   of keys, attends to those, and one all-reduce of (out, lse) a layer makes of it what the whole
   context gives. What travels does not grow with the context. */
#include "rows.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 };

static int64_t n_tokens = 16384, n_steps = 32;

static const args_option options[] = {
    { "--tokens", ARGS_INT, &n_tokens, 1, 1e8, "N", "in the context at first; default 16384" },
    { "--steps", ARGS_INT, &n_steps, 1, 1e6, "N", "tokens decoded; default 32" },
    WIRE_OPTION,
    { 0 }
};

/* Blocks of keys and values: those of every `parts`-th block from number `part` on. */
typedef struct context {
    int64_t    part, parts, n;           /* tokens of the sequence so far */
    uint16_t  *k, *v;                    /* [own tokens][KV_ROW] */
    lctx_span *spans;                    /* of the blocks in order */
    int64_t    n_spans, n_own;
    void      *scratch;
    size_t     scratch_bytes;
} context;

static void context_open(context *c, int64_t part, int64_t parts, int64_t most)
{
    const int64_t blocks = most / BLOCK / parts + 1;
    memset(c, 0, sizeof *c);
    c->part = part, c->parts = parts;
    c->k = rows_alloc(blocks * BLOCK * KV_ROW, sizeof *c->k);
    c->v = rows_alloc(blocks * BLOCK * KV_ROW, sizeof *c->v);
    c->spans = rows_alloc(blocks, sizeof *c->spans);
}

static void context_close(context *c)
{
    free(c->k), free(c->v), free(c->spans), free(c->scratch);
}

/* The next token is kept by the part that has its block. */
static void append(context *c)
{
    const int64_t pos = c->n++, at = c->n_own * KV_ROW;
    lctx_span *s;
    if (pos / BLOCK % c->parts != c->part) return;
    rows_key(pos, c->k + at, c->v + at);
    if (pos % BLOCK == 0) {
        s = &c->spans[c->n_spans++];
        s->k = c->k + at, s->v = c->v + at, s->k_type = s->v_type = LCTX_F16, s->pos = pos;
    }
    c->spans[c->n_spans - 1].n++, c->n_own++;
}

/* The last token's query over what is here. */
static void attend(context *c, float *out, float *lse)
{
    float q[Q_ROW];
    lctx_attn a = {0};
    size_t bytes;
    rows_query(c->n - 1, q);
    a.n_q = 1, a.n_head = HEADS, a.n_head_kv = KV_HEADS, a.d_k = DIM;
    a.q = q, a.q_pos0 = c->n - 1, a.out = out, a.lse = lse;
    a.spans = c->spans, a.n_spans = c->n_spans;
    wire_check(lctx_attend_size(&a, &bytes));
    if (bytes > c->scratch_bytes) {
        free(c->scratch);
        c->scratch = rows_alloc((int64_t)bytes, 1), c->scratch_bytes = bytes;
    }
    wire_check(lctx_attend(&a, c->scratch, c->scratch_bytes));
}

/* Have all ranks these very bits? */
static int same_everywhere(const float *x, int64_t n)
{
    const uint64_t sum = os_hash(OS_HASH_BEGIN, x, (size_t)n * sizeof *x);
    const double bits = (double)(sum >> 12);
    return wire_most(bits) == -wire_most(-bits);
}

int main(int argc, char **argv)
{
    static float out[Q_ROW], lse[HEADS], whole_out[Q_ROW], whole_lse[HEADS];
    context mine, whole;
    float worst = 0, difference;
    double attending = 1e9, joining = 0;      /* of the fastest step */
    double start, attended, all, own;
    int same = 1, exact = 1;
    int64_t i;
    wire_open(&argc, &argv);
    args_parse(argc, argv, "decode", "Decodes over a context that ranks share.", options);
    wire_agree("--tokens", n_tokens), wire_agree("--steps", n_steps);
    context_open(&mine, wire_rank, wire_ranks, n_tokens + n_steps);
    context_open(&whole, 0, 1, n_tokens + n_steps);
    for (i = 0; i < n_tokens; i++) append(&mine), append(&whole);
    for (i = 0; i < n_steps; i++) {
        append(&mine), append(&whole);
        wire_barrier();
        start = os_seconds();
        attend(&mine, out, lse);
        attended = os_seconds() - start;
        wire_join(HEADS, DIM, out, lse);
        all = wire_most(os_seconds() - start), attended = wire_most(attended);
        if (all < attending + joining) attending = attended, joining = all - attended;
        attend(&whole, whole_out, whole_lse);
        difference = rows_difference(out, whole_out, Q_ROW);
        if (!(difference <= worst)) worst = difference;
        difference = rows_difference(lse, whole_lse, HEADS);
        if (!(difference <= worst)) worst = difference;
        same &= same_everywhere(out, Q_ROW) && same_everywhere(lse, HEADS);
        exact &= !memcmp(out, whole_out, sizeof out) && !memcmp(lse, whole_lse, sizeof lse);
    }
    own = (double)mine.n_own;
    own = wire_sum(own) / (double)wire_ranks / wire_most(own);
    worst = (float)wire_most(worst);
    if (!wire_rank) {
        printf("ranks  tokens  joined a rank  balance  attend      join        difference\n"
               "%5d  %6lld  %7d bytes  %6.0f%%  %.1e s  %.1e s  %.1e\n", wire_ranks,
               (long long)mine.n, (int)(sizeof out + sizeof lse), 100 * own,
               attending, joining, (double)worst);
        printf("bits: %s on all ranks, %s as of one process\n", same ? "the same" : "DIFFERENT",
               exact ? "the same" : "others");
    }
    context_close(&mine), context_close(&whole);
    wire_close();
    return same && worst <= 1e-5f && (exact || wire_ranks > 1) ? 0 : EXIT_RUN;
}
