#include "text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPACE_PIECE "\xE2\x96\x81"      /* U+2581 in UTF-8 */

/* -------------------------------------------------------------------------------- vocabulary */
static int hex_digit(char c)
{
    const char *digits = "0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The byte that a piece <0xNN> stands for, or -1. */
static int byte_of(gguf_string piece)
{
    int high, low;
    if (piece.n != 6 || memcmp(piece.text, "<0x", 3) || piece.text[5] != '>') return -1;
    high = hex_digit(piece.text[3]);
    low = hex_digit(piece.text[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Token types: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. A file without
   them says by its ids which tokens are special. */
static int is_special(gguf *g, int32_t token)
{
    static const char *const ids[] = { "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.padding_token_id" };
    const gguf_key *types = gguf_find(g, "tokenizer.ggml.token_type");
    int64_t id;
    size_t i;
    if (types && types->type == GGUF_ARRAY && types->item == GGUF_I32
        && (uint64_t)token < types->n) {
        int64_t type = gguf_int_at(GGUF_I32, types->data + 4 * (size_t)token);
        return type == 2 || type == 3 || type == 5;
    }
    for (i = 0; i < sizeof ids / sizeof *ids; i++)
        if (gguf_get_int(g, ids[i], 0, INT32_MAX, &id) == GGUF_OK && id == token) return 1;
    return 0;
}

static gguf_status read_pieces(vocab *v, gguf *g, const uint8_t *at)
{
    int32_t i;
    char text[64];
    for (i = 0; i < v->n; i++) {
        gguf_string piece = gguf_next_string(&at);
        int byte = byte_of(piece), space = gguf_string_is(piece, SPACE_PIECE);
        if (space) byte = ' ';
        v->byte[i] = (int16_t)byte;
        if (byte < 0 && !is_special(g, i))
            return gguf_fail(g, GGUF_E_VOCABULARY, "token %d is \"%s\"", (int)i,
                             gguf_show(piece, text));
        if (byte >= 0 && (space || !(byte == ' ' && v->space_piece))) v->token[byte] = i;
        v->space_piece |= space;
    }
    for (i = 0; i < 256; i++)
        if (v->token[i] < 0) return gguf_fail(g, GGUF_E_VOCABULARY, "no token for byte %d", (int)i);
    return GGUF_OK;
}

/* An optional id or flag: *value keeps its default when the key is missing. */
static gguf_status read_id(vocab *v, gguf *g, const char *key, int32_t *value)
{
    int64_t id;
    gguf_status status = gguf_get_int(g, key, 0, v->n - 1, &id);
    if (status == GGUF_OK) *value = (int32_t)id;
    return status == GGUF_E_NO_KEY ? GGUF_OK : status;
}

static gguf_status read_flag(gguf *g, const char *key, int *value)
{
    gguf_status status = gguf_get_bool(g, key, value);
    return status == GGUF_E_NO_KEY ? GGUF_OK : status;
}

gguf_status vocab_open(vocab *v, gguf *g, int64_t n_vocab)
{
    const gguf_key *pieces;
    gguf_string kind;
    gguf_status status;
    *v = (vocab){0};
    if ((status = gguf_get_string(g, "tokenizer.ggml.model", &kind)) != GGUF_OK) return status;
    if (!gguf_string_is(kind, "llama"))
        return gguf_fail(g, GGUF_E_VOCABULARY, "key \"tokenizer.ggml.model\" is not \"llama\"");
    status = gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &pieces);
    if (status != GGUF_OK) return status;
    if (pieces->n > INT32_MAX || (int64_t)pieces->n != n_vocab)
        return gguf_fail(g, GGUF_E_VOCABULARY, "it has %llu tokens, the model %lld",
                         (unsigned long long)pieces->n, (long long)n_vocab);
    v->n = (int32_t)n_vocab;
    v->bos = v->eos = -1;
    v->add_bos = v->add_space = 1;                       /* the defaults of tokenizer "llama" */
    memset(v->token, -1, sizeof v->token);
    v->byte = malloc(((size_t)v->n + 1) * sizeof *v->byte);
    if (!v->byte) return gguf_fail(g, GGUF_E_MEMORY, "vocabulary");
    if ((status = read_pieces(v, g, pieces->data)) != GGUF_OK
        || (status = read_id(v, g, "tokenizer.ggml.bos_token_id", &v->bos)) != GGUF_OK
        || (status = read_id(v, g, "tokenizer.ggml.eos_token_id", &v->eos)) != GGUF_OK
        || (status = read_flag(g, "tokenizer.ggml.add_bos_token", &v->add_bos)) != GGUF_OK
        || (status = read_flag(g, "tokenizer.ggml.add_space_prefix", &v->add_space)) != GGUF_OK)
        return status;
    v->add_bos &= v->bos >= 0;
    return GGUF_OK;
}

void vocab_close(vocab *v)
{
    free(v->byte);
    v->byte = NULL;
}

int64_t vocab_encode(const vocab *v, int start, const char *text, size_t n, int32_t *tokens)
{
    int64_t count = 0;
    size_t i;
    if (start && v->add_bos) tokens[count++] = v->bos;
    if (start && v->add_space && n) tokens[count++] = v->token[' '];
    for (i = 0; i < n; i++) {
        int space = v->space_piece && n - i >= 3 && !memcmp(text + i, SPACE_PIECE, 3);
        tokens[count++] = v->token[space ? ' ' : (unsigned char)text[i]];
        if (space) i += 2;
    }
    return count;
}

/* -------------------------------------------------------------------------------- logits */
uint64_t text_random(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

int32_t text_argmax(const float *logits, int32_t n)
{
    int32_t i, best = 0;
    for (i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

double text_bits(const float *logits, int32_t n, int32_t token)
{
    double max = (double)logits[text_argmax(logits, n)], sum = 0;
    int32_t i;
    for (i = 0; i < n; i++) sum += exp((double)logits[i] - max);
    return (max - (double)logits[token] + log(sum)) / log(2.0);
}

static int compare_items(const void *a, const void *b)
{
    const struct sampler_item *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

int32_t sampler_draw(sampler *s, const float *logits, int32_t n)
{
    double max = (double)logits[text_argmax(logits, n)], sum = 0, kept = 0, draw;
    int32_t i, n_kept;
    if (s->temperature <= 0) return text_argmax(logits, n);
    for (i = 0; i < n; i++) {
        s->items[i].token = i;
        s->items[i].p = exp(((double)logits[i] - max) / s->temperature);
        sum += s->items[i].p;
    }
    qsort(s->items, (size_t)n, sizeof *s->items, compare_items);
    for (n_kept = 0; n_kept < n && kept < s->top_p * sum; n_kept++) kept += s->items[n_kept].p;
    draw = (double)(text_random(&s->state) >> 11) / 9007199254740992.0 * kept;
    for (i = 0; i < n_kept - 1 && draw >= s->items[i].p; i++) draw -= s->items[i].p;
    return s->items[i].token;
}
