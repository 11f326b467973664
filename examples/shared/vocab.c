#include "vocab.h"
#include "unicode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPACE "\xE2\x96\x81"      /* U+2581 in UTF-8 */

/* -------------------------------------------------------------------------------- tables */
static uint64_t hash(gguf_string s)
{
    const uint64_t h = os_hash(OS_HASH_BEGIN, s.text, s.n);
    return h ^ h >> 32;
}

static int same(gguf_string a, gguf_string b)
{
    return a.n == b.n && !memcmp(a.text, b.text, a.n);
}

/* The place of a string among the ids in `slot`, which are of `strings`: its own or a free one. */
static size_t place(const vocab *v, const gguf_string *strings, gguf_string s)
{
    size_t i = (size_t)hash(s) & v->mask;
    while (v->slot[i] >= 0 && !same(strings[v->slot[i]], s)) i = (i + 1) & v->mask;
    return i;
}

int32_t vocab_find_text(const vocab *v, const char *text, size_t n)
{
    gguf_string s;
    s.text = text;
    s.n = n;
    return n > v->longest ? -1 : v->slot[place(v, v->text, s)];
}

/* The place of a merge: its own or a free one. */
static size_t merge_place(const vocab *v, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(h ^ h >> 32) & v->merge_mask;
    while (v->merge[i].left >= 0 && (v->merge[i].left != left || v->merge[i].right != right))
        i = (i + 1) & v->merge_mask;
    return i;
}

const vocab_merge *vocab_find_merge(const vocab *v, int32_t left, int32_t right)
{
    const vocab_merge *m = left < 0 || right < 0 ? NULL : &v->merge[merge_place(v, left, right)];
    return m && m->left >= 0 ? m : NULL;
}

/* The least power of two that leaves half of the places free. */
static size_t table_size(uint64_t n)
{
    size_t size = 2;
    while (size < 2 * n) size *= 2;
    return size;
}

/* -------------------------------------------------------------------------------- names */
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

static gguf_status read_names(vocab *v, gguf *g, const gguf_key *pieces)
{
    const uint8_t *at = pieces->data;
    char shown[64];
    int32_t i;
    for (i = 0; i < v->n; i++) {
        size_t here;
        v->name[i] = gguf_next_string(&at);
        if (v->name[i].n > v->longest) v->longest = v->name[i].n;
        if (!v->name[i].n) continue;
        here = place(v, v->name, v->name[i]);
        if (v->slot[here] >= 0)
            return gguf_fail(g, GGUF_E_VOCABULARY, "tokens %d and %d are both \"%s\"",
                             (int)v->slot[here], (int)i, gguf_show(v->name[i], shown));
        v->slot[here] = i;
    }
    return GGUF_OK;
}

int32_t vocab_find(const vocab *v, const char *name)
{
    int32_t i;
    for (i = 0; i < v->n && !gguf_string_is(v->name[i], name); i++) {}
    return i < v->n ? i : -1;
}

/* -------------------------------------------------------------------------------- types */
/* Without types, ids tell which tokens are special. */
static int is_special(gguf *g, int32_t token)
{
    static const char *const ids[] = { "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.padding_token_id" };
    int64_t id;
    size_t i;
    for (i = 0; i < sizeof ids / sizeof *ids; i++)
        if (gguf_get_int(g, ids[i], 0, INT32_MAX, &id) == GGUF_OK && id == token) return 1;
    return 0;
}

/* An optional array with an item for each token; *data stays null where it is missing. */
static gguf_status read_array(const vocab *v, gguf *g, const char *key, gguf_type item,
                              const uint8_t **data)
{
    const gguf_key *array;
    gguf_status status = gguf_get_array(g, key, item, &array);
    *data = NULL;
    if (status != GGUF_OK) return status == GGUF_E_NO_KEY ? GGUF_OK : status;
    if (array->n != (uint64_t)v->n)
        return gguf_fail(g, GGUF_E_VOCABULARY, "\"%s\" has %llu items for %d tokens", key,
                         (unsigned long long)array->n, (int)v->n);
    *data = array->data;
    return GGUF_OK;
}

static gguf_status read_types(vocab *v, gguf *g)
{
    const char *key = "tokenizer.ggml.token_type";
    const uint8_t *types;
    gguf_status status = read_array(v, g, key, GGUF_I32, &types);
    char shown[64];
    int32_t i;
    for (i = 0; i < v->n && status == GGUF_OK; i++) {
        int64_t type = VOCAB_NORMAL;
        if (types) type = gguf_int_at(GGUF_I32, types + 4 * (size_t)i);
        else if (is_special(g, i)) type = VOCAB_CONTROL;
        if (type < 0 || type > VOCAB_BYTE)
            return gguf_fail(g, GGUF_E_VOCABULARY, "\"%s\" of token %d is %lld", key, (int)i,
                             (long long)type);
        if (type == VOCAB_NORMAL && !v->byte_level && byte_of(v->name[i]) >= 0) type = VOCAB_BYTE;
        if (type == VOCAB_BYTE && byte_of(v->name[i]) < 0)
            return gguf_fail(g, GGUF_E_VOCABULARY, "token %d, \"%s\", is no byte", (int)i,
                             gguf_show(v->name[i], shown));
        v->type[i] = type ? (uint8_t)type : VOCAB_UNUSED;
    }
    return status;
}

static gguf_status read_scores(vocab *v, gguf *g)
{
    const char *key = "tokenizer.ggml.scores";
    const uint8_t *scores;
    gguf_status status = read_array(v, g, key, GGUF_F32, &scores);
    int32_t i;
    for (i = 0; i < v->n && status == GGUF_OK && scores; i++) {
        v->score[i] = (float)gguf_real_at(GGUF_F32, scores + 4 * (size_t)i);
        if (!isfinite(v->score[i]))
            return gguf_fail(g, GGUF_E_VOCABULARY, "\"%s\" of token %d is not finite", key, (int)i);
    }
    return status;
}

/* -------------------------------------------------------------------------------- texts */
/* The byte that a character of a byte-level piece stands for: printing ones for themselves, the
   others, in their order, from U+0100 on. -1: none. */
static int byte_level(uint32_t c)
{
    int byte, n = 0;
    if ((c > ' ' && c < 127) || (c > 160 && c < 256 && c != 173)) return (int)c;
    for (byte = 0; byte < 256; byte++)
        if (!((byte > ' ' && byte < 127) || (byte > 160 && byte != 173)) && (int)c == 256 + n++)
            return byte;
    return -1;
}

/* Writes what a byte-level name says in bytes; returns their number, or -1 where it says none. */
static int64_t decode_bytes(gguf_string name, char *to)
{
    size_t at = 0, n;
    int64_t length = 0;
    uint32_t c;
    for (; at < name.n; at += n) {
        int byte;
        n = unicode_get(name.text + at, name.n - at, &c);
        byte = n ? byte_level(c) : -1;
        if (byte < 0) return -1;
        to[length++] = (char)byte;
    }
    return length;
}

size_t vocab_space_out(char *text, size_t n)
{
    size_t from, to = 0;
    for (from = 0; from < n; to++) {
        const int space = n - from >= 3 && !memcmp(text + from, SPACE, 3);
        text[to] = space ? ' ' : text[from];
        from += space ? 3 : 1;
    }
    return to;
}

static int is_control(const vocab *v, int32_t token)
{
    return v->type[token] == VOCAB_CONTROL || v->type[token] == VOCAB_UNKNOWN;
}

/* What token i stands for, written to `to`. Returns whether text may become it by being merged:
   not where it is a control token, or its name is no text of this kind. */
static int set_text(vocab *v, int32_t i, char *to)
{
    const gguf_string name = v->name[i];
    const int named = is_control(v, i) || v->type[i] == VOCAB_USER;
    int64_t n = (int64_t)name.n;
    int found = n > 0 && !is_control(v, i);
    v->text[i] = name;
    if (v->type[i] == VOCAB_BYTE) {
        *to = (char)byte_of(name);
        n = 1;
        found = 0;
    } else if (v->byte_level) {
        n = decode_bytes(name, to);
        found &= n > 0 && (!named || ((size_t)n == name.n && !memcmp(to, name.text, name.n)));
        if (named || n < 0) return found;
    } else {
        memcpy(to, name.text, name.n);
        if (v->spaces) {
            found &= !memchr(name.text, ' ', name.n);      /* there are none in what is looked up */
            n = (int64_t)vocab_space_out(to, name.n);
        }
    }
    v->text[i].text = to;
    v->text[i].n = (size_t)n;
    return found;
}

static void read_texts(vocab *v)
{
    char *to = v->decoded;
    int32_t i;
    size_t at;
    for (i = 0; i < v->n && !v->byte_level; i++)
        for (at = 0; at + 3 <= v->name[i].n; at++)
            v->spaces |= !memcmp(v->name[i].text + at, SPACE, 3);
    memset(v->slot, -1, (v->mask + 1) * sizeof *v->slot);
    v->bytes_only = 1;
    for (i = 0; i < v->n; i++, to += v->name[i - 1].n) {
        const int found = set_text(v, i, to);
        const gguf_string text = v->text[i];
        if (!found) continue;
        v->slot[place(v, v->text, text)] = i;
        if (text.n > 1) v->bytes_only = 0;
        for (at = 1; at < text.n; at++)
            v->inner_space |= text.text[at] == ' ' && text.text[at - 1] != ' ';
    }
}

/* Each byte's token: <0xNN>, else the piece that is that byte, or the other way round where bytes
   are what is merged; else the unknown token. */
static gguf_status read_bytes(vocab *v, gguf *g)
{
    int32_t i, byte, piece;
    for (i = v->n; i-- > 0;)
        if (v->type[i] == VOCAB_BYTE) v->token[byte_of(v->name[i])] = i;
    for (byte = 0; byte < 256; byte++) {
        const char c = (char)byte;
        piece = vocab_find_text(v, &c, 1);
        if (piece >= 0 && (v->byte_level || v->token[byte] < 0)) v->token[byte] = piece;
        if (v->token[byte] < 0) v->token[byte] = v->unknown;
        if (v->token[byte] == v->unknown) v->bytes_only = 0;
        if (v->token[byte] < 0)
            return gguf_fail(g, GGUF_E_VOCABULARY, "no token for byte %d", (int)byte);
    }
    return GGUF_OK;
}

/* -------------------------------------------------------------------------------- merges */
static int32_t find_name(const vocab *v, const char *name, size_t n)
{
    gguf_string s;
    s.text = name;
    s.n = n;
    return v->slot[place(v, v->name, s)];
}

/* Reads "left right", the names of two pieces; made is what both are together. */
static int read_merge(const vocab *v, gguf_string s, char *both, vocab_merge *m)
{
    const char *gap = s.n > 1 ? memchr(s.text + 1, ' ', s.n - 1) : NULL;
    size_t left = gap ? (size_t)(gap - s.text) : 0;
    if (!gap || s.n - 1 > v->longest) return 0;
    memcpy(both, s.text, left);
    memcpy(both + left, gap + 1, s.n - left - 1);
    m->left = find_name(v, both, left);
    m->right = find_name(v, both + left, s.n - left - 1);
    m->made = find_name(v, both, s.n - 1);
    return m->left >= 0 && m->right >= 0 && m->made >= 0;
}

static gguf_status read_merges(vocab *v, gguf *g)
{
    const char *key = "tokenizer.ggml.merges";
    const gguf_key *merges;
    const uint8_t *at;
    char shown[64];
    int32_t i;
    gguf_status status = gguf_get_array(g, key, GGUF_STRING, &merges);
    if (status != GGUF_OK) return status;
    if (merges->n > INT32_MAX / 4)
        return gguf_fail(g, GGUF_E_COUNT, "\"%s\" has %llu items", key,
                         (unsigned long long)merges->n);
    v->merge_mask = table_size(merges->n) - 1;
    v->merge = malloc((v->merge_mask + 1) * sizeof *v->merge);
    if (!v->merge) return gguf_fail(g, GGUF_E_MEMORY, "\"%s\"", key);
    memset(v->merge, -1, (v->merge_mask + 1) * sizeof *v->merge);
    for (i = 0, at = merges->data; i < (int32_t)merges->n; i++) {
        gguf_string s = gguf_next_string(&at);
        vocab_merge m = { -1, -1, -1, 0 }, *here;
        m.rank = i;
        if (!read_merge(v, s, v->decoded, &m))
            return gguf_fail(g, GGUF_E_VOCABULARY, "\"%s\", item %d, \"%s\", is not of pieces", key,
                             (int)i, gguf_show(s, shown));
        here = &v->merge[merge_place(v, m.left, m.right)];
        if (here->left < 0 && !is_control(v, m.made)) *here = m;
    }
    return GGUF_OK;
}

/* --------------------------------------------------------------------------- special tokens */
/* Tokens that end what is generated, by name; the file's EOS, EOT and EOM do as well. */
static const char *const end_names[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>",
    "<end_of_turn>", "<turn|>", "<|tool_response>", "<|endoftext|>", "<|end_of_text|>",
    "<|eom_id|>", "</s>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "[e~[",
    "<end_of_utterance>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>", "<|file_sep|>",
    "<\xEF\xBD\x9C" "end" SPACE "of" SPACE "sentence\xEF\xBD\x9C>" };

static int32_t find_word(const vocab *v, const char *name)
{
    return find_name(v, name, strlen(name));
}

static void read_ends(vocab *v)
{
    const int32_t end = find_word(v, "<|end|>"), s = find_word(v, "</s>");
    const int turns = find_word(v, "<|call|>") >= 0 && find_word(v, "<|return|>") >= 0;
    size_t i;
    for (i = 0; i < sizeof end_names / sizeof *end_names; i++) {
        const int32_t token = find_word(v, end_names[i]);
        if (token >= 0) v->ends[token] = 1, v->type[token] = VOCAB_CONTROL;
    }
    /* in harmony a message's end is not yet that of the whole answer; Gemma 4's </s> is of HTML */
    if (end >= 0 && (turns || find_word(v, "<|flush|>") >= 0)) v->ends[end] = 0;
    if (s >= 0 && find_word(v, "<|tool_response>") >= 0) v->ends[s] = 0, v->type[s] = VOCAB_NORMAL;
}

static int compare_names(const void *a, const void *b)
{
    const gguf_string x = ((const vocab_special *)a)->name, y = ((const vocab_special *)b)->name;
    const int order = memcmp(x.text, y.text, x.n < y.n ? x.n : y.n);
    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static void read_specials(vocab *v)
{
    int32_t i;
    for (i = 0; i < v->n; i++) {
        if (!v->name[i].n || !(is_control(v, i) || v->type[i] == VOCAB_USER)) continue;
        v->special[v->n_special].name = v->name[i];
        v->special[v->n_special++].token = i;
    }
    qsort(v->special, v->n_special, sizeof *v->special, compare_names);
}

/* An optional id or flag: *value keeps its default when the key is missing. */
static gguf_status read_id(const vocab *v, gguf *g, const char *key, int32_t *value)
{
    int64_t id;
    gguf_status status = gguf_get_int(g, key, 0, v->n - 1, &id);
    if (status == GGUF_OK) *value = (int32_t)id;
    return status == GGUF_E_NO_KEY ? GGUF_OK : status;
}

/* Whether a token is added; a file that says so must say which. */
static gguf_status read_added(gguf *g, const char *key, const char *id_key, int32_t id, int *value)
{
    gguf_status status = gguf_get_bool(g, key, value);
    if (status == GGUF_OK && *value && id < 0)
        return gguf_fail(g, GGUF_E_VOCABULARY, "\"%s\" is true without \"%s\"", key, id_key);
    *value &= id >= 0;
    return status == GGUF_E_NO_KEY ? GGUF_OK : status;
}

#define KEY(name) "tokenizer.ggml." name

/* EOS and what else the file says ends a message do end generation. */
static gguf_status read_ids(vocab *v, gguf *g)
{
    static const char *const ends[] = {
        KEY("eos_token_id"), KEY("eot_token_id"), KEY("eom_token_id"), KEY("fim_pad_token_id"),
        KEY("fim_rep_token_id"), KEY("fim_sep_token_id") };
    gguf_status status = read_id(v, g, KEY("bos_token_id"), &v->bos);
    size_t i;
    if (status == GGUF_OK) status = read_id(v, g, KEY("unknown_token_id"), &v->unknown);
    for (i = 0; i < sizeof ends / sizeof *ends && status == GGUF_OK; i++) {
        int32_t id = -1;
        status = read_id(v, g, ends[i], &id);
        if (id >= 0) v->ends[id] = 1;
        if (i == 0) v->eos = id;
    }
    if (status == GGUF_OK)
        status = read_added(g, KEY("add_bos_token"), KEY("bos_token_id"), v->bos, &v->add_bos);
    v->add_bos |= v->words && !v->byte_level && v->bos >= 0;    /* some files of Gemma 4 deny it */
    if (status == GGUF_OK)
        status = read_added(g, KEY("add_eos_token"), KEY("eos_token_id"), v->eos, &v->add_eos);
    if (status != GGUF_OK) return status;
    status = gguf_get_bool(g, KEY("add_space_prefix"), &v->add_space);
    return status == GGUF_E_NO_KEY ? GGUF_OK : status;
}

/* -------------------------------------------------------------------------------- opening */
/* What the tokenizer's name and its pre-tokenizer's say. */
static gguf_status read_kind(vocab *v, gguf *g)
{
    gguf_string model, pre = { "default", 7 };
    char shown[64];
    gguf_status status = gguf_get_string(g, "tokenizer.ggml.model", &model);
    if (status != GGUF_OK) return status;
    if (gguf_string_is(model, "llama")) {
        v->add_bos = v->add_space = 1;
        return GGUF_OK;
    }
    if (gguf_string_is(model, "gemma4")) {
        pre.text = "gemma4", pre.n = 6;
    } else if (gguf_string_is(model, "gpt2")) {
        v->byte_level = 1;
        status = gguf_get_string(g, "tokenizer.ggml.pre", &pre);
        if (status != GGUF_OK && status != GGUF_E_NO_KEY) return status;
    } else {
        return gguf_fail(g, GGUF_E_VOCABULARY, "key \"tokenizer.ggml.model\" is \"%s\"; known are "
                         "\"llama\", \"gpt2\" and \"gemma4\"", gguf_show(model, shown));
    }
    v->words = words_find(pre);
    if (!v->words || (v->byte_level && gguf_string_is(pre, "gemma4")))
        return gguf_fail(g, GGUF_E_VOCABULARY, "key \"tokenizer.ggml.pre\" is \"%s\", which is not "
                         "known", gguf_show(pre, shown));
    v->add_bos = words_add_bos(v->words);
    return GGUF_OK;
}

/* Phi-3's special tokens eat the white space behind them; its files say so by their name alone. */
static int strips(gguf *g)
{
    static const char *const names[] = { "phi-3", "phi3" };
    gguf_string name;
    size_t i, k, at;
    if (gguf_get_string(g, "general.name", &name) != GGUF_OK) return 0;
    for (i = 0; i < 2; i++)
        for (at = 0; at + strlen(names[i]) <= name.n; at++) {
            for (k = 0; names[i][k] && (name.text[at + k] | 32) == (names[i][k] | 32); k++) {}
            if (!names[i][k]) return 1;
        }
    return 0;
}

static gguf_status allocate(vocab *v, gguf *g, const gguf_key *pieces)
{
    const uint8_t *at = pieces->data;
    size_t n = (size_t)v->n + 1, bytes = 0;
    int32_t i;
    for (i = 0; i < v->n; i++) bytes += gguf_next_string(&at).n;
    v->mask = table_size(n) - 1;
    v->type = calloc(n, sizeof *v->type);
    v->ends = calloc(n, sizeof *v->ends);
    v->name = calloc(n, sizeof *v->name);
    v->text = calloc(n, sizeof *v->text);
    v->score = calloc(n, sizeof *v->score);
    v->special = calloc(n, sizeof *v->special);
    v->decoded = malloc(bytes + 1);
    v->slot = malloc((v->mask + 1) * sizeof *v->slot);
    if (!v->type || !v->ends || !v->name || !v->text || !v->score || !v->special || !v->decoded
        || !v->slot)
        return gguf_fail(g, GGUF_E_MEMORY, "vocabulary");
    memset(v->slot, -1, (v->mask + 1) * sizeof *v->slot);
    return GGUF_OK;
}

gguf_status vocab_open(vocab *v, gguf *g, int64_t n_vocab)
{
    const gguf_key *pieces;
    gguf_status status;
    *v = (vocab){0};
    v->bos = v->eos = v->unknown = -1;
    memset(v->token, -1, sizeof v->token);
    if ((status = read_kind(v, g)) != GGUF_OK) return status;
    status = gguf_get_array(g, "tokenizer.ggml.tokens", GGUF_STRING, &pieces);
    if (status != GGUF_OK) return status;
    if (pieces->n > INT32_MAX / 4 || (int64_t)pieces->n != n_vocab)
        return gguf_fail(g, GGUF_E_VOCABULARY, "it has %llu tokens, the model %lld",
                         (unsigned long long)pieces->n, (long long)n_vocab);
    v->n = (int32_t)n_vocab;
    if ((status = allocate(v, g, pieces)) != GGUF_OK
        || (status = read_names(v, g, pieces)) != GGUF_OK
        || (status = read_types(v, g)) != GGUF_OK || (status = read_ids(v, g)) != GGUF_OK)
        return status;
    v->strips = strips(g);
    read_ends(v);
    status = v->words ? read_merges(v, g) : read_scores(v, g);
    if (status != GGUF_OK) return status;
    read_specials(v);
    read_texts(v);                 /* from here on pieces are looked up by their texts */
    return read_bytes(v, g);
}

void vocab_close(vocab *v)
{
    free(v->type);
    free(v->ends);
    free(v->name);
    free(v->text);
    free(v->score);
    free(v->special);
    free(v->decoded);
    free(v->slot);
    free(v->merge);
    *v = (vocab){0};
}

gguf_string vocab_text(const vocab *v, int32_t token)
{
    gguf_string none = { "", 0 };
    return is_control(v, token) || v->type[token] == VOCAB_UNUSED ? none : v->text[token];
}
