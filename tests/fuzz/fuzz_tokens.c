/* fuzz_tokens.c - the examples' tokenizers and chat templates. An input that begins as a GGUF file
   does is a vocabulary; others choose what one is written of: kind, pieces, merges or scores, types,
   ids, flags, and a text. What opens encodes the text, whose tokens must be the vocabulary's and,
   where all can be told apart, say the text again. */
#include "chat.h"
#include "image.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PIECES = 96, NAME = 40 };

static void put_key(image *f, const char *name, uint32_t type)
{
    f->n_keys++;
    put_text(f, name);
    put_int(f, type, 4);
}

static void put_array(image *f, const char *name, uint32_t item, uint64_t n)
{
    put_key(f, name, GGUF_ARRAY);
    put_int(f, item, 4);
    put_int(f, n, 8);
}

/* ---- vocabularies */
enum { LLAMA, GPT2, GEMMA4 };

typedef struct pieces {
    char name[MOST_PIECES][NAME];
    int  left[MOST_PIECES], right[MOST_PIECES];      /* what a piece is merged of; left -1: nothing */
    int  n;
} pieces;

static void add(pieces *p, const char *name)
{
    int i;
    for (i = 0; i < p->n; i++)
        if (!strcmp(p->name[i], name)) return;
    if (p->n == MOST_PIECES) return;
    snprintf(p->name[p->n], NAME, "%s", name);
    p->left[p->n++] = -1;
}

static void add_base(pieces *p, bytes *b, int kind)
{
    static const char *const base[] = { "<unk>", "a", "b", "c", "1", "2", "'", "s", ".", "<", "|", ">",
        "\xE2\x96\x81", "\n", "\xC3\xA9", "<0x61>", "<0xE2>", "<|x|>", "<|", "ab<", " ", "<s>", "</s>",
        "<|im_end|>", "\xE4\xBD\xA0" };
    static const char *const letters[] = { "\xC4\xA0", "\xC4\x8A", "\xC3\x83", "\xC2\xA9", "\xC3\xA4",
        "\xC2\xBD", "\xC2\xA0" };
    const uint64_t chosen = bytes_take(b, 4);
    size_t i;
    for (i = 0; i < sizeof base / sizeof *base; i++)
        if (!(chosen >> i & 1)) add(p, base[i]);
    for (i = 0; i < sizeof letters / sizeof *letters && kind == GPT2; i++) add(p, letters[i]);
}

/* Pieces of two that are there. */
static void add_merged(pieces *p, bytes *b)
{
    int more = (int)bytes_in(b, 0, 60);
    char both[2 * NAME];
    for (; more > 0; more--) {
        const int i = (int)bytes_in(b, 0, p->n - 1), j = (int)bytes_in(b, 0, p->n - 1), n = p->n;
        snprintf(both, sizeof both, "%s%s", p->name[i], p->name[j]);
        if (strlen(both) < NAME) add(p, both);
        if (p->n > n) p->left[n] = i, p->right[n] = j;
    }
}

static void put_merges(image *f, bytes *b, const pieces *p)
{
    char both[2 * NAME + 2];
    uint64_t n = 0;
    int i;
    for (i = 0; i < p->n; i++) n += p->left[i] >= 0;
    put_array(f, "tokenizer.ggml.merges", GGUF_STRING, n);
    for (i = 0; i < p->n; i++) {
        if (p->left[i] < 0) continue;
        snprintf(both, sizeof both, "%s %s", p->name[p->left[i]], p->name[p->right[i]]);
        put_text(f, bytes_rarely(b, 250) ? "a zz" : both);
    }
}

static void put_types(image *f, bytes *b, const pieces *p)
{
    int i;
    put_array(f, "tokenizer.ggml.token_type", GGUF_I32, (uint64_t)p->n);
    for (i = 0; i < p->n; i++) {
        const char *name = p->name[i];
        const int named = name[0] == '<' && name[1] && name[strlen(name) - 1] == '>';
        const int type = !named ? 1 : name[1] == '0' ? 6 : i == 0 ? 2 : 3 + bytes_flag(b);
        put_int(f, bytes_rarely(b, 60) ? (uint64_t)bytes_in(b, 0, 7) : (uint64_t)type, 4);
    }
}

static void put_flag(image *f, bytes *b, const char *name)
{
    const int how = (int)bytes_take(b, 1);
    if (how < 128) return;
    put_key(f, name, GGUF_BOOL);
    put_int(f, (uint64_t)(how & 1), 1);
}

static void put_id(image *f, bytes *b, const char *name, int n)
{
    const int how = (int)bytes_take(b, 1);
    if (how > 200) return;
    put_key(f, name, GGUF_U32);
    put_int(f, how == 200 ? (uint64_t)bytes_int(b) : (uint64_t)(how % n), 4);
}

static void put_settings(image *f, bytes *b, int kind, int n)
{
    static const char *const pres[] = { "gpt-2", "llama-bpe", "qwen2", "qwen35", "gpt-4o", "tekken",
        "starcoder", "falcon", "default", "deepseek-llm", "deepseek-coder", "deepseek-v3", "other" };
    static const char *const chats[] = { "<|im_start|>", "[INST] [SYSTEM_PROMPT]", "<start_of_turn>",
        "bos_token + '[INST]", "<|start|> <|channel|>", "<|assistant|> <|end|>", "nothing" };
    static const char *const models[] = { "llama", "gpt2", "gemma4" };
    put_key(f, "tokenizer.ggml.model", GGUF_STRING);
    put_text(f, models[kind]);
    put_key(f, "tokenizer.ggml.pre", GGUF_STRING);
    put_text(f, pres[bytes_in(b, 0, 12)]);
    put_key(f, "tokenizer.chat_template", GGUF_STRING);
    put_text(f, chats[bytes_in(b, 0, 6)]);
    put_key(f, "general.name", GGUF_STRING);
    put_text(f, bytes_flag(b) ? "a phi-3" : "phi-2");
    put_id(f, b, "tokenizer.ggml.bos_token_id", n);
    put_id(f, b, "tokenizer.ggml.eos_token_id", n);
    put_id(f, b, "tokenizer.ggml.eot_token_id", n);
    put_key(f, "tokenizer.ggml.unknown_token_id", GGUF_U32), put_int(f, 0, 4);
    put_flag(f, b, "tokenizer.ggml.add_bos_token");
    put_flag(f, b, "tokenizer.ggml.add_eos_token");
    put_flag(f, b, "tokenizer.ggml.add_space_prefix");
}

static void put_file(image *f, bytes *b)
{
    static const uint8_t zeros[16];
    const int kind = (int)bytes_in(b, 0, 2);
    pieces p;
    int i;
    memset(&p, 0, sizeof p);
    add_base(&p, b, kind);
    if (!p.n) add(&p, "a");
    add_merged(&p, b);
    f->n = 0, f->n_keys = 0;
    put(f, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16);
    put_int(f, 0, 8);
    put_settings(f, b, kind, p.n);
    put_array(f, "tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)p.n);
    for (i = 0; i < p.n; i++) put_text(f, p.name[i]);
    if (!bytes_rarely(b, 8)) put_types(f, b, &p);
    if (kind != LLAMA) put_merges(f, b, &p);
    if (kind == LLAMA) {
        put_array(f, "tokenizer.ggml.scores", GGUF_F32, (uint64_t)p.n);
        for (i = 0; i < p.n; i++) put_int(f, bytes_take(b, 1) << 20 | 0xBF000000u, 4);
    }
    f->data[16] = (uint8_t)f->n_keys;
    put(f, zeros, sizeof zeros);
}

/* ---- texts */
static size_t write_text(bytes *b, char *text, size_t room)
{
    static const char *const words[] = { "a", "b", "ab", "c", "1", "12", "'s", " ", "  ", "\n", ".", "<",
        "<|x|>", "<|", "</s>", "\xE2\x96\x81", "\xC3\xA9", "\xE4\xBD\xA0", "\xC3", "\xFF", "\xF4\x90",
        "\xC2\xA0", "A", "s", "\xE2\x80\x8D", "<0x61>" };
    size_t n = 0, length;
    while (bytes_left(b)) {
        const int i = (int)bytes_in(b, 0, 29);
        const char *word = i < 26 ? words[i] : "";
        length = strlen(word);
        if (n + length + 1 > room) break;
        memcpy(text + n, word, length);
        n += length;
        if (i >= 26) text[n++] = (char)bytes_take(b, 1);
    }
    return n;
}

/* Encodes n bytes; checks the tokens; returns their number. */
static int64_t encode(const vocab *v, int how, const char *text, size_t n, const char *plain,
                      int32_t *tokens)
{
    char *copy = (char *)fuzz_guarded(1, n, 0, 0);
    int64_t count, i;
    if (!copy) return 0;
    memcpy(copy, text, n);
    count = vocab_encode(v, how, copy, n, plain, tokens);
    FUZZ_CHECK(count >= 0 && count <= vocab_most(n), "%lld tokens of %zu bytes", (long long)count, n);
    for (i = 0; i < count; i++)
        FUZZ_CHECK(tokens[i] >= 0 && tokens[i] < v->n, "token %d", (int)tokens[i]);
    return count;
}

/* Where no byte is unknown, no token hidden and nothing was repaired, the tokens say the text. */
static void check_back(const vocab *v, const char *text, size_t n, const int32_t *tokens,
                       int64_t count)
{
    size_t at = 0;
    int64_t i;
    if (v->strips) return;
    for (i = 0; i < count; i++) {
        const gguf_string piece = vocab_text(v, tokens[i]);
        if (tokens[i] == v->unknown || !piece.n || v->type[tokens[i]] == VOCAB_USER) return;
        if (v->words && memchr(piece.text, '\xEF', piece.n)) return;
    }
    for (i = 0; i < (int64_t)n; i++)
        if ((unsigned char)text[i] >= 0x80 && v->words) return;
    for (i = 0; i < count; i++) {
        const gguf_string piece = vocab_text(v, tokens[i]);
        if (v->spaces && n - at >= 3 && !memcmp(text + at, "\xE2\x96\x81", 3)) return;
        FUZZ_CHECK(at + piece.n <= n && (v->spaces || !memcmp(text + at, piece.text, piece.n)),
                   "token %d, \"%.*s\", is not the text at %zu: %.20s", (int)tokens[i],
                   (int)v->name[tokens[i]].n, v->name[tokens[i]].text, at, text + at);
        at += piece.n;
    }
    FUZZ_CHECK(at == n || v->spaces, "%zu of %zu bytes", at, n);
}

static void use(gguf *g, const vocab *v, const char *text, size_t n)
{
    static int32_t tokens[4 * 8192 + 5];
    chat talk;
    int64_t count = encode(v, 0, text, n, NULL, tokens);
    check_back(v, text, n, tokens, count);
    encode(v, VOCAB_START | VOCAB_END | VOCAB_PARSE, text, n, NULL, tokens);
    if (chat_open(&talk, g, v) == GGUF_OK) {
        int hidden = 0, turn;
        for (turn = 0; turn < 2; turn++) {
            FUZZ_CHECK(!chat_turn(&talk, !turn, turn ? NULL : "be <|x|>", text, n), "a turn");
            if (talk.n > 4096) break;
            count = encode(v, VOCAB_PARSE | VOCAB_START, talk.text, talk.n, talk.plain, tokens);
            while (count-- > 0) (void)chat_text(&talk, tokens[count], &hidden);
        }
    }
    chat_close(&talk);
}

static void load(const uint8_t *data, size_t n, const char *text, size_t n_text)
{
    const size_t aligned = n / 16 * 16;
    uint8_t *copy = n <= FUZZ_SLOT ? (uint8_t *)fuzz_guarded(0, aligned, 0, 0) : NULL;
    const gguf_key *tokens;
    gguf_status st;
    gguf g;
    vocab v;
    if (!copy) return;
    memcpy(copy, data, aligned);
    st = gguf_open_memory(&g, copy, aligned);
    memset(&v, 0, sizeof v);
    if (st == GGUF_OK) {
        const int found = gguf_get_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, &tokens) == GGUF_OK;
        st = vocab_open(&v, &g, found ? (int64_t)(tokens->n & INT32_MAX) : 1);
    }
    fuzz_say("vocabulary of %zu bytes: %s, %s", n, gguf_status_text(st), g.error);
    FUZZ_CHECK(st == GGUF_OK || g.error[0], "no word of what is wrong");
    if (st == GGUF_OK) use(&g, &v, text, n_text);
    vocab_close(&v);
    gguf_close(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static image f;
    char text[2048];
    bytes b = bytes_of(data, size);
    if (size > 4 && !memcmp(data, "GGUF", 4)) {
        load(data, size, "ab <|x|>\xE2\x96\x81 12's\n\xC3\xA9\xFF", 17);
    } else {
        put_file(&f, &b);
        load(f.data, f.n, text, write_text(&b, text, sizeof text));
    }
    return 0;
}
