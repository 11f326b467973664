/* test_tokens.c - the examples' tokenizers, against plain slow ones written from the definitions, and
   against what llama.cpp answered (tests/vectors/tokens.txt); broken vocabularies; what is printed of
   tokens that end within a character; time. Runs where tests/vectors/ is at hand. */
#include "chat.h"
#include "text.h"
#include "unicode.h"
#include "os.h"
#include "writing.h"

#define VECTORS "tests/vectors/"
enum { MOST = 1024 };                      /* bytes of a text that the slow ones take */

static gguf file;
static vocab v;

static int open_vocab(const char *path)
{
    const gguf_key *tokens;
    return gguf_open(&file, path) == GGUF_OK
           && gguf_get_array(&file, "tokenizer.ggml.tokens", GGUF_STRING, &tokens) == GGUF_OK
           && vocab_open(&v, &file, (int64_t)tokens->n) == GGUF_OK;
}

static void close_vocab(void)
{
    vocab_close(&v);
    gguf_close(&file);
}

static gguf_string str(const char *text, size_t n)
{
    gguf_string s;
    s.text = text;
    s.n = n;
    return s;
}

static const words_rule *rule(const char *name) { return words_find(str(name, strlen(name))); }

/* ---------------------------------------------------------------------------- regular expressions */
/* Matching by the definition: each part of a pattern gives all places where it can end, the preferred
   ones first, and what follows goes on from each. Patterns are read anew wherever they are tried. */
typedef struct ends { int n; int16_t at[MOST + 2]; } ends;

static uint32_t chars[MOST + 1];           /* the text */
static int n_chars, piece_end;             /* the piece that is matched ends there */

static void add_end(ends *to, int at)
{
    int i;
    for (i = 0; i < to->n; i++)
        if (to->at[i] == at) return;
    to->at[to->n++] = (int16_t)at;
}

static unsigned class_named(const char *p)
{
    static const char letters[] = "LNMPS";
    static const unsigned classes[] = { UNICODE_LETTER, UNICODE_NUMBER, UNICODE_MARK,
                                        UNICODE_PUNCTUATION, UNICODE_SYMBOL };
    return classes[strchr(letters, p[3]) - letters];
}

/* The character or class at p; its length. White space beyond ASCII is no member of ranges. */
static int unit(const char *p, uint32_t *c, unsigned *classes)
{
    *classes = 0, *c = 0;
    if (!strncmp(p, "\\p{", 3)) { *classes = class_named(p); return 5; }
    if (!strncmp(p, "\\s", 2)) { *classes = UNICODE_SPACE; return 2; }
    if (!strncmp(p, "\\r", 2)) { *c = '\r'; return 2; }
    if (!strncmp(p, "\\n", 2)) { *c = '\n'; return 2; }
    if (*p == '\\') { *c = (unsigned char)p[1]; return 2; }
    return (int)unicode_get(p, strlen(p), c);
}

static int in_brackets(const char *p, const char *end, uint32_t x)
{
    const unsigned kind = unicode_class(x);
    int negate = *p == '^', found = 0;
    for (p += negate; p < end;) {
        uint32_t first, last;
        unsigned classes, none;
        p += unit(p, &first, &classes);
        last = first;
        if (!classes && p + 1 < end && *p == '-') p += 1 + unit(p + 1, &last, &none);
        found |= classes ? (kind & classes) != 0
                         : x >= first && x <= last && (x < 128 || kind != UNICODE_SPACE);
    }
    return found != negate;
}

/* Where the item at p ends: a group, a class in brackets, or a character. */
static const char *item_end(const char *p)
{
    uint32_t c;
    unsigned classes;
    if (*p == '[') {
        for (p++; *p != ']'; p++) p += *p == '\\';
        return p + 1;
    }
    if (*p != '(') return p + unit(p, &c, &classes);
    for (p++; *p != ')'; p = item_end(p)) {}
    return p + 1;
}

static void match_all(const char *p, const char *end, int at, ends *to);

static void match_item(const char *p, const char *end, int at, ends *to)
{
    uint32_t c;
    unsigned classes;
    if (*p == '(') {
        const int look = p[1] == '?' && p[2] != ':', skip = p[1] == '?' ? 3 : 1;
        ends inner;
        inner.n = 0;
        match_all(p + skip, end - 1, at, look ? &inner : to);
        if (look && (inner.n > 0) == (p[2] == '=')) add_end(to, at);
    } else if (*p == '$') {
        if (at == piece_end) add_end(to, at);
    } else if (at < piece_end) {
        int ok;
        if (*p == '[') ok = in_brackets(p + 1, end - 1, chars[at]);
        else if (!strncmp(p, "\\S", 2)) ok = unicode_class(chars[at]) != UNICODE_SPACE;
        else unit(p, &c, &classes), ok = classes ? (unicode_class(chars[at]) & classes) != 0
                                                 : chars[at] == c;
        if (ok) add_end(to, at + 1);
    }
}

static void match_times(const char *p, const char *end, int least, int most, int at, ends *to)
{
    ends *one = (ends *)calloc(1, sizeof *one);
    int i;
    if (most) match_item(p, end, at, one);
    for (i = 0; i < one->n; i++)
        if (one->at[i] > at || least > 0)
            match_times(p, end, least - 1, most - 1, one->at[i], to);
    if (least <= 0) add_end(to, at);
    free(one);
}

static void match_one(const char *p, const char *end, int at, ends *to)      /* an alternative */
{
    ends *first = (ends *)calloc(1, sizeof *first);
    const char *next = p < end ? item_end(p) : p, *item = next;
    int least = 1, most = 1, i;
    if (p == end) add_end(to, at);
    if (next < end && strchr("?*+", *next)) {
        least = *next == '+';
        most = *next++ == '?' ? 1 : MOST;
    } else if (next < end && *next == '{') {
        sscanf(next, "{%d,%d}", &least, &most);
        next = strchr(next, '}') + 1;
    }
    if (p < end) match_times(p, item, least, most, at, first);
    for (i = 0; i < first->n; i++) match_one(next, end, first->at[i], to);
    free(first);
}

static void match_all(const char *p, const char *end, int at, ends *to)
{
    const char *bar = p;
    while (bar < end && *bar != '|') bar = item_end(bar);
    match_one(p, bar, at, to);
    if (bar < end) match_all(bar + 1, end, at, to);
}

/* Cuts the piece from `from` to piece_end where the expression matches. */
static void split_piece(const char *pattern, int from, char *cut)
{
    int at;
    for (at = from; at < piece_end;) {
        ends *to = (ends *)calloc(1, sizeof *to);
        match_all(pattern, pattern + strlen(pattern), at, to);
        if (to->n && to->at[0] > at) {
            cut[at] = cut[to->at[0]] = 1;
            at = to->at[0];
        } else {
            at++;
        }
        free(to);
    }
}

#define QUOTES     "'s|'t|'re|'ve|'m|'ll|'d"
#define ANY_QUOTES "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
#define GPT2       QUOTES "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define END        "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA(numbers) ANY_QUOTES "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers \
                       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" END
#define LEAD       "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER      "((?=\\p{L})[^a-z])"
#define LOWER      "((?=\\p{L})[^A-Z])"
#define CASED(quotes, numbers) LEAD UPPER "*" LOWER "+" quotes "|" LEAD UPPER "+" LOWER "*" quotes \
                       "|" numbers "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" END
#define CJK        "[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-\xED\x9F\xBF]+"
#define HAN_KANA   "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+"

/* deepseek-llm's letters fill a page; the vectors try it. */
static const struct { const char *name, *pattern[5]; } rules[] = {
    { "gpt-2", { GPT2 } },
    { "llama-bpe", { LLAMA("\\p{N}{1,3}") } },
    { "qwen2", { LLAMA("\\p{N}") } },
    { "qwen35", { ANY_QUOTES "|" LEAD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" END } },
    { "gpt-4o", { CASED(ANY_QUOTES "?", "\\p{N}{1,3}") } },
    { "tekken", { CASED("", "\\p{N}") } },
    { "starcoder", { "\\p{N}", GPT2 } },
    { "falcon", { "[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]" } },
    { "default", { "[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]" } },
    { "deepseek-coder", { "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}" } },
    { "deepseek-v3", { "\\p{N}{1,3}", HAN_KANA,
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
          "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" END } },
    { "gemma4", { "[^\\n]+|[\\n]+" } }
};
enum { N_RULES = (int)(sizeof rules / sizeof *rules) };

/* Cuts well-formed text at byte offsets. */
static void slow_split(int r, const char *text, size_t n, uint8_t *cut)
{
    static char by_char[MOST + 2];
    static size_t offset[MOST + 2];
    size_t at = 0;
    int i, from;
    for (n_chars = 0; at < n; n_chars++) {
        offset[n_chars] = at;
        at += unicode_get(text + at, n - at, &chars[n_chars]);
    }
    offset[n_chars] = n;
    memset(by_char, 0, sizeof by_char);
    by_char[0] = by_char[n_chars] = 1;
    for (i = 0; i < 5 && rules[r].pattern[i]; i++)
        for (from = 0; from < n_chars; from = piece_end) {
            piece_end = from + 1;
            while (!by_char[piece_end]) piece_end++;
            split_piece(rules[r].pattern[i], from, by_char);
        }
    memset(cut, 0, n + 1);
    for (i = 0; i <= n_chars; i++) cut[offset[i]] = (uint8_t)by_char[i];
}

/* ---------------------------------------------------------------------------- slow merging */
static gguf_string item(const char *key, size_t i)      /* of an array of strings */
{
    const uint8_t *at = gguf_find(&file, key)->data;
    while (i--) gguf_next_string(&at);
    return gguf_next_string(&at);
}

/* The arrays once more, as they stand in the file. */
static gguf_string *names, *merge_names;
static size_t n_merges;

static void read_lists(void)
{
    const gguf_key *merges = gguf_find(&file, "tokenizer.ggml.merges");
    const uint8_t *at = gguf_find(&file, "tokenizer.ggml.tokens")->data;
    size_t i;
    names = (gguf_string *)malloc(sizeof *names * (size_t)v.n);
    for (i = 0; i < (size_t)v.n; i++) names[i] = gguf_next_string(&at);
    n_merges = merges ? (size_t)merges->n : 0;
    merge_names = (gguf_string *)malloc(sizeof *names * (n_merges + 1));
    at = merges ? merges->data : NULL;
    for (i = 0; i < n_merges; i++) merge_names[i] = gguf_next_string(&at);
}

static int32_t slow_find(const char *text, size_t n)
{
    int32_t i;
    for (i = 0; i < v.n; i++)
        if (names[i].n == n && !memcmp(names[i].text, text, n) && v.type[i] != VOCAB_CONTROL
            && v.type[i] != VOCAB_UNKNOWN) return i;
    return -1;
}

/* How early two parts of a word are merged; less is earlier, 1e30 never. */
static double key_of(const char *text, size_t left, size_t right)
{
    int32_t token;
    size_t i;
    for (i = 0; i < n_merges; i++)
        if (merge_names[i].n == left + right + 1 && merge_names[i].text[left] == ' '
            && !memcmp(merge_names[i].text, text, left)
            && !memcmp(merge_names[i].text + left + 1, text + left, right)) return (double)i;
    token = n_merges ? -1 : slow_find(text, left + right);
    return token < 0 ? 1e30 : -gguf_real_at(GGUF_F32, gguf_find(&file, "tokenizer.ggml.scores")->data
                                                      + 4 * (size_t)token);
}

/* Merges the earliest pair, again and again; then writes tokens, or <0xNN> for bytes. */
static int64_t slow_merge(const char *word, size_t n, int32_t *tokens)
{
    static size_t begin[3 * MOST + 8];
    static double keys[3 * MOST + 8];
    size_t at, parts = 0, i, best;
    int64_t count = 0;
    for (at = 0; at < n; parts++) {
        begin[parts] = at;
        at += unicode_length((unsigned char)word[at]);
        if (at > n) at = n;
    }
    for (begin[parts] = n;;) {
        for (i = 0; i + 2 <= parts; i++)
            keys[i] = key_of(word + begin[i], begin[i + 1] - begin[i],
                             begin[i + 2] - begin[i + 1]);
        for (best = 0, i = 1; i + 2 <= parts; i++)
            if (keys[i] < keys[best]) best = i;
        if (parts < 2 || keys[best] >= 1e30) break;
        memmove(begin + best + 1, begin + best + 2, sizeof *begin * (parts - best - 1));
        parts--;
    }
    for (i = 0; i < parts; i++) {
        const int32_t token = slow_find(word + begin[i], begin[i + 1] - begin[i]);
        if (token >= 0) tokens[count++] = token;
        for (at = begin[i]; token < 0 && at < begin[i + 1]; at++) {
            char byte[8];
            snprintf(byte, sizeof byte, "<0x%02X>", (unsigned)(unsigned char)word[at]);
            tokens[count++] = slow_find(byte, 6);
        }
    }
    return count;
}

/* GPT-2's letters for bytes: those that print for themselves, the others from U+0100 on. */
static size_t spell_bytes(const char *text, size_t n, char *to)
{
    size_t i, size = 0;
    for (i = 0; i < n; i++) {
        const unsigned b = (unsigned char)text[i];
        unsigned c, k, others = 0;
        for (k = 0; k < b; k++)
            others += !((k >= 33 && k <= 126) || (k >= 161 && k <= 172) || k >= 174);
        c = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : 256 + others;
        size += unicode_put(to + size, c);
    }
    return size;
}

/* Spaces as U+2581. */
static size_t spell_spaces(const char *text, size_t n, char *to)
{
    size_t i, size = 0;
    for (i = 0; i < n; i++) {
        if (text[i] == ' ') memcpy(to + size, "\xE2\x96\x81", 3), size += 3;
        else to[size++] = text[i];
    }
    return size;
}

static int64_t slow_words(int r, const char *text, size_t n, int32_t *tokens)
{
    static char spelt[3 * MOST + 8], word[3 * MOST + 8];
    static uint8_t cut[3 * MOST + 8];
    size_t from, to, size = n;
    int64_t count = 0;
    memcpy(spelt, text, n);
    if (!v.byte_level) size = spell_spaces(text, n, spelt);
    if (!v.words) return slow_merge(spelt, size, tokens);
    slow_split(r, spelt, size, cut);
    for (from = 0; from < size; from = to) {
        size_t length = to = from + 1;
        int32_t whole;
        while (!cut[to]) to++;
        length = to - from;
        memcpy(word, spelt + from, length);
        if (v.byte_level) length = spell_bytes(spelt + from, to - from, word);
        whole = slow_find(word, length);
        if (whole >= 0 && (words_whole(v.words) || (!v.byte_level && *word == '\n')))
            tokens[count++] = whole;
        else count += slow_merge(word, length, tokens + count);
    }
    return count;
}

/* The special token k-th in length, then in id; -1: there are no more. */
static int32_t special(int k)
{
    size_t n;
    int32_t i;
    for (n = 64; n > 0; n--)
        for (i = 0; i < v.n; i++)
            if (names[i].n == n && v.type[i] >= VOCAB_UNKNOWN && v.type[i] <= VOCAB_USER && k-- == 0)
                return i;
    return -1;
}

/* Each special token takes its places in what those before it have left. space: at the front. */
static int64_t slow_encode(int r, int parse, int k, int space, const char *text, size_t n,
                           int32_t *tokens)
{
    const int32_t token = special(k);
    char with_space[MOST + 8];
    size_t at, length = token < 0 ? 0 : names[token].n;
    int64_t count;
    if (!n) return 0;
    if (token < 0) {
        with_space[0] = ' ';
        memcpy(with_space + space, text, n);
        return slow_words(r, with_space, n + (size_t)space, tokens);
    }
    for (at = 0; at + length <= n && memcmp(text + at, names[token].text, length); at++) {}
    if (at + length > n || (!parse && v.type[token] != VOCAB_USER))
        return slow_encode(r, parse, k + 1, space, text, n, tokens);
    count = slow_encode(r, parse, k + 1, space, text, at, tokens);
    tokens[count++] = token;
    at += length;
    return count + slow_encode(r, parse, k, v.add_space, text + at, n - at, tokens + count);
}

/* ---------------------------------------------------------------------------- texts */
/* Words of which texts are made up at random. */
static const char *const bits[] = {
    " ", " ", " ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", "a", "the", "The", "ABC", "x", "1", "12",
    "3456", "'s", "'S", "'ll", "'Ve", "'", "!", "...", "//", "/", "<", "|x|>", "<|x|>", "<|x", "[[U]]",
    "[[U", "\xC3\xA9", "\xC3\x89", "e\xCC\x81", "\xE4\xBD\xA0\xE5\xA5\xBD", "\xE3\x81\xAE", "\xC2\xA0",
    "\xE2\x80\x83", "\xE3\x80\x80", "\xE2\x96\x81", "\xF0\x9F\x98\x80", "\xE2\x80\x8D", "\xD9\xA1",
    "\xC2\xB2", "$", "=", "`", "_", "-", "user", "the user", "<|im_end|>", "\xCD\xB8", "\x0B", "\x01" };

static size_t random_text(char *text, int words)
{
    size_t n = 0;
    text[0] = 0;
    while (words--) {
        const char *word = bits[test_random() % (sizeof bits / sizeof *bits)];
        strcpy(text + n, word);
        n += strlen(word);
    }
    return n;
}

static int equal(const int32_t *a, const int32_t *b, int64_t n_a, int64_t n_b)
{
    return n_a == n_b && !memcmp(a, b, sizeof *a * (size_t)n_a);
}

/* Encodes both ways; the number of texts that differ, of which the first is shown. */
static int differ(int r, int n_texts)
{
    static int32_t want[4 * MOST + 8], got[4 * MOST + 8];
    char text[MOST];
    int i, bad = 0;
    for (i = 0; i < n_texts; i++) {
        const size_t n = random_text(text, 1 + (int)(test_random() % 30));
        const int parse = i & 1;
        const int64_t n_got = vocab_encode(&v, VOCAB_START | (parse ? VOCAB_PARSE : 0), text, n, NULL,
                                           got) - v.add_bos;
        const int64_t n_want = slow_encode(r, parse, 0, v.add_space, text, n, want);
        if (equal(want, got + v.add_bos, n_want, n_got)) continue;
        if (!bad++) printf("  %s, parse %d: \"%s\"\n", rules[r].name, parse, text);
    }
    return bad;
}

static void test_slow(void)
{
    const int n = getenv("TEST_FULL") ? 2000 : getenv("TEST_QUICK") ? 10 : 60;
    int r;
    check(open_vocab(VECTORS "bpe.gguf"), "a byte-level vocabulary opens (%s)", file.error);
    read_lists();
    for (r = 0; r + 1 < N_RULES; r++) {
        v.words = rule(rules[r].name);
        check(v.words && !differ(r, n), "%s: words cut and bytes merged as by their definitions",
              rules[r].name);
    }
    free(names), free(merge_names);
    close_vocab();
    check(open_vocab(VECTORS "gemma4.gguf"), "a vocabulary of merged characters opens (%s)", file.error);
    read_lists();
    check(!differ(N_RULES - 1, n), "gemma4: characters merged as by the definition");
    free(names), free(merge_names);
    close_vocab();
    check(open_vocab(VECTORS "spm.gguf"), "a SentencePiece vocabulary opens (%s)", file.error);
    read_lists();
    check(!differ(0, n), "llama: pieces by scores as by the definition");
    check(item("tokenizer.ggml.tokens", 1).n == 3 && v.bos == 1, "BOS is where the file says");
    free(names), free(merge_names);
    close_vocab();
}

/* ---------------------------------------------------------------------------- vectors */
enum { TEXTS = 128 };
static char text_of[TEXTS][MOST];
static size_t length_of[TEXTS];

static void print_mark(char to[40], const int32_t *tokens, int64_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    char id[16];
    int64_t i;
    const char *c;
    for (i = 0; i < n; i++) {
        snprintf(id, sizeof id, i ? " %d" : "%d", (int)tokens[i]);
        for (c = id; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    }
    snprintf(to, 40, "%d %08x%08x", (int)n, (unsigned)(h >> 32), (unsigned)(h & 0xffffffffu));
}

/* Whether a text's ids are those of the vectors' line. */
static int as_answered(int text, const char *answer)
{
    static int32_t tokens[4 * MOST + 8];
    char got[100] = "", mark[40];
    int parse;
    for (parse = 0; parse < 2; parse++) {
        int64_t n = vocab_encode(&v, VOCAB_START | (parse ? VOCAB_PARSE : 0), text_of[text],
                                 length_of[text], NULL, tokens);
        print_mark(mark, tokens + v.add_bos, n - v.add_bos);
        snprintf(got + strlen(got), sizeof got - strlen(got), parse ? " %s\n" : "%s", mark);
    }
    return !strcmp(got, answer);
}

/* Opens the vocabulary of a line of vectors. */
static int open_named(const char *name)
{
    char path[100];
    const char *dash = strchr(name, '-');
    snprintf(path, sizeof path, VECTORS "%.*s.gguf", dash ? (int)(dash - name) : 20, name);
    if (!open_vocab(path)) return 0;
    if (!strcmp(name, "spm-bare")) v.add_space = v.add_bos = 0;
    else if (!strcmp(name, "spm-phi-3")) v.strips = 1;
    else if (dash) v.words = rule(dash + 1);
    return v.words || !strncmp(name, "spm", 3);
}

static void test_vectors(void)
{
    static char line[2 * MOST + 64];
    char name[40], now[40] = "";
    FILE *f = fopen(VECTORS "tokens.txt", "rb");
    int n_texts = 0, bad = 0, count = 0, open = 0;
    while (f && fgets(line, sizeof line, f)) {
        int text, at;
        unsigned byte;
        if (!strncmp(line, "text ", 5)) {
            char *to = text_of[n_texts];
            for (at = 5; sscanf(line + at, "%2x", &byte) == 1; at += 2) *to++ = (char)byte;
            length_of[n_texts] = (size_t)(to - text_of[n_texts]);
            n_texts++;
            continue;
        }
        if (sscanf(line, "%39s %d %n", name, &text, &at) < 2 || text >= n_texts) break;
        if (strcmp(name, now)) {
            if (open) {
                check(!bad && count == n_texts, "%s: %d of %d texts give llama.cpp's ids", now,
                      count - bad, n_texts);
                close_vocab();
            }
            strcpy(now, name);
            bad = count = 0;
            open = open_named(name);
            check(open, "%s opens", name);
        }
        count++;
        if (!open || as_answered(text, line + at)) continue;
        if (!bad++) printf("  %s: text %d, \"%s\"\n", name, text, text_of[text]);
    }
    check(!bad && count == n_texts && count > 50, "%s: %d of %d texts give llama.cpp's ids", now,
          count - bad, n_texts);
    if (open) close_vocab();
    if (f) fclose(f);
}

/* ---------------------------------------------------------------------------- broken files */
/* What is different in a copy of a vocabulary: a key's value, or that it is not there. */
typedef struct change {
    const char *key;
    gguf_type   type, item;
    const void *value;                /* null: the key is left out */
    size_t      bytes;
    uint64_t    n;                    /* of an array */
} change;

static size_t value_bytes(const gguf_key *k)
{
    static const size_t bytes[GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    const gguf_type type = k->type == GGUF_ARRAY ? k->item : k->type;
    const uint8_t *at = k->data;
    uint64_t i;
    if (type != GGUF_STRING) return bytes[type] * (size_t)k->n;
    for (i = 0; i < k->n; i++) gguf_next_string(&at);
    return (size_t)(at - k->data);
}

static writing load(const char *path)
{
    writing b = { NULL, 0, 0 };
    char piece[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    while (f && (n = fread(piece, 1, sizeof piece, f)) > 0) put(&b, piece, n);
    if (f) fclose(f);
    return b;
}

/* The file with a change; frees what it was made of. */
static writing changed(writing from, const change *c)
{
    writing b = { NULL, 0, 0 };
    size_t i, found = 0;
    gguf g;
    if (gguf_open_memory(&g, from.data, from.n) != GGUF_OK) return from;
    for (i = 0; i < g.n_keys; i++)
        if (gguf_string_is(g.keys[i].name, c->key)) found++;
    put(&b, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16);
    put_int(&b, g.n_keys - found + (c->value != NULL), 8);
    for (i = 0; i <= g.n_keys; i++) {
        const int other = i == g.n_keys ? !found : gguf_string_is(g.keys[i].name, c->key);
        const gguf_type type = other ? c->type : i < g.n_keys ? g.keys[i].type : c->type;
        if ((other && !c->value) || (i == g.n_keys && !other)) continue;
        put_int(&b, other ? strlen(c->key) : g.keys[i].name.n, 8);
        put(&b, other ? c->key : g.keys[i].name.text, other ? strlen(c->key) : g.keys[i].name.n);
        put_int(&b, (uint64_t)type, 4);
        if (type == GGUF_ARRAY) {
            put_int(&b, (uint64_t)(other ? c->item : g.keys[i].item), 4);
            put_int(&b, other ? c->n : g.keys[i].n, 8);
        }
        if (other) put(&b, c->value, c->bytes);
        else put(&b, g.keys[i].data, value_bytes(&g.keys[i]));
    }
    while (b.n % 32) put(&b, "", 1);
    gguf_close(&g);
    free(from.data);
    return b;
}

/* What opening an writing says; error gets the line. A vocabulary that opens encodes a text. */
static gguf_status try_image(const writing *b, char error[300])
{
    static int32_t tokens[4 * 64 + 8];
    const char *text = "the user's <|x|> caf\xC3\xA9 \xF0\x9F\x98\x80 12345\n\n  [[U]] \xFF";
    const gguf_key *keys;
    gguf g;
    vocab w;
    gguf_status st = gguf_open_memory(&g, b->data, b->n);
    memset(&w, 0, sizeof w);
    if (st == GGUF_OK) {
        st = gguf_get_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, &keys);
        st = vocab_open(&w, &g, st == GGUF_OK ? (int64_t)keys->n : 1);
    }
    if (st == GGUF_OK) {
        int64_t n = vocab_encode(&w, VOCAB_START | VOCAB_END | VOCAB_PARSE, text, strlen(text), NULL,
                                 tokens), i;
        int out = n < 0 || n > vocab_most(strlen(text));
        for (i = 0; i < n; i++) out |= tokens[i] < 0 || tokens[i] >= w.n;
        if (out) check(0, "tokens are within the vocabulary");
    }
    snprintf(error, 300, "%s", g.error);
    vocab_close(&w);
    gguf_close(&g);
    return st;
}

static void refused(const char *path, const change *c, gguf_status want, const char *words,
                    const char *what)
{
    writing b = changed(load(path), c);
    char error[300];
    const gguf_status st = try_image(&b, error);
    check(st == want && (st == GGUF_OK || strstr(error, words)), "%s: %s (\"%s\")", what,
          want == GGUF_OK ? "taken" : "refused by name", st == GGUF_OK ? "" : error);
    free(b.data);
}

/* A value that is text: 8 bytes of length before it. */
static change text_change(const char *key, const char *text, char value[72])
{
    change c = { key, GGUF_STRING, GGUF_U8, value, 8 + strlen(text), 1 };
    memset(value, 0, 8);
    value[0] = (char)strlen(text);
    memcpy(value + 8, text, strlen(text));
    return c;
}

static void test_keys(void)
{
    static const char *const needed[] = { "model", "tokens", "merges" };
    const char *bpe = VECTORS "bpe.gguf", *spm = VECTORS "spm.gguf";
    char value[72], key[40];
    change c;
    int i;
    for (i = 0; i < 3; i++) {
        memset(&c, 0, sizeof c);
        snprintf(key, sizeof key, "tokenizer.ggml.%s", needed[i]);
        c.key = key;
        refused(bpe, &c, GGUF_E_NO_KEY, needed[i], "a key that is not there");
        c.type = GGUF_U32, c.value = "\1\0\0\0", c.bytes = 4;
        refused(bpe, &c, GGUF_E_KEY_TYPE, needed[i], "a key of another type");
    }
    c = text_change("tokenizer.ggml.model", "t5", value);
    refused(bpe, &c, GGUF_E_VOCABULARY, "\"t5\"", "an unknown tokenizer");
    c = text_change("tokenizer.ggml.model", "rwkv", value);
    refused(bpe, &c, GGUF_E_VOCABULARY, "\"rwkv\"", "RWKV's tokenizer");
    c = text_change("tokenizer.ggml.pre", "llama-9", value);
    refused(bpe, &c, GGUF_E_VOCABULARY, "\"llama-9\"", "an unknown pre-tokenizer");
    c = text_change("tokenizer.ggml.pre", "gemma4", value);
    refused(bpe, &c, GGUF_E_VOCABULARY, "\"gemma4\"", "a pre-tokenizer of another tokenizer");
    c.key = "tokenizer.ggml.pre", c.value = NULL;
    refused(bpe, &c, GGUF_OK, "", "without a pre-tokenizer: the default one");
    c.key = "tokenizer.ggml.token_type";
    refused(bpe, &c, GGUF_OK, "", "without types");
    refused(spm, &c, GGUF_OK, "", "SentencePiece without types");
    c.key = "tokenizer.ggml.scores";
    refused(spm, &c, GGUF_OK, "", "SentencePiece without scores: all are 0");
}

/* A piece of the vocabulary as a control token: its text is that token only where that is asked. */
static void test_merged_control(gguf *g, unsigned char *types, const change *c)
{
    const uint8_t *at = gguf_find(g, "tokenizer.ggml.tokens")->data;
    int32_t tokens[64], id;
    writing b;
    gguf h;
    vocab w;
    for (id = 0; !gguf_string_is(gguf_next_string(&at), "he"); id++) {}
    types[4 * id] = VOCAB_CONTROL;
    b = changed(load(VECTORS "spm.gguf"), c);
    types[4 * id] = VOCAB_NORMAL;
    check(gguf_open_memory(&h, b.data, b.n) == GGUF_OK && vocab_open(&w, &h, (int64_t)c->n) == GGUF_OK
          && vocab_encode(&w, 0, "he", 2, NULL, tokens) == 2 && tokens[0] != id && tokens[1] != id
          && vocab_encode(&w, VOCAB_PARSE, "he", 2, NULL, tokens) == 1 && tokens[0] == id,
          "text that merges to a control token's name is not that token");
    vocab_close(&w);
    gguf_close(&h);
    free(b.data);
}

static void test_arrays(void)
{
    static unsigned char numbers[4 * 4096];
    const char *bpe = VECTORS "bpe.gguf", *spm = VECTORS "spm.gguf";
    const gguf_key *k;
    change c = { "tokenizer.ggml.token_type", GGUF_ARRAY, GGUF_I32, numbers, 0, 0 };
    uint64_t n;
    gguf g;
    if (gguf_open(&g, spm) != GGUF_OK || !(k = gguf_find(&g, "tokenizer.ggml.tokens"))) return;
    n = k->n;
    c.n = n - 1, c.bytes = 4 * (size_t)c.n;
    refused(spm, &c, GGUF_E_VOCABULARY, "token_type", "fewer types than tokens");
    c.n = n, c.bytes = 4 * (size_t)n;
    memcpy(numbers, gguf_find(&g, c.key)->data, c.bytes);
    test_merged_control(&g, numbers, &c);
    numbers[4 * 7] = 9;
    refused(spm, &c, GGUF_E_VOCABULARY, "token_type\" of token 7 is 9", "an unknown type");
    numbers[4 * 7] = 6, numbers[0] = 6;
    refused(spm, &c, GGUF_E_VOCABULARY, "token 0, \"<unk>\"", "a byte whose name is none");
    c.item = GGUF_U32;
    refused(spm, &c, GGUF_E_KEY_TYPE, "token_type", "types of another type");
    c.key = "tokenizer.ggml.scores", c.item = GGUF_F32;
    c.n = n + 1, c.bytes = 4 * (size_t)c.n;
    memset(numbers, 0, sizeof numbers);
    refused(spm, &c, GGUF_E_VOCABULARY, "scores", "more scores than tokens");
    c.n = n, c.bytes = 4 * (size_t)n;
    numbers[4 * 300 + 2] = 0xC0, numbers[4 * 300 + 3] = 0x7F;
    refused(spm, &c, GGUF_E_VOCABULARY, "scores\" of token 300", "a score that is no number");
    c.key = "tokenizer.ggml.merges", c.item = GGUF_STRING, c.n = 1;
    c.value = "\5\0\0\0\0\0\0\0zz qq", c.bytes = 13;
    refused(bpe, &c, GGUF_E_VOCABULARY, "merges\", item 0, \"zz?qq\"", "a merge of no pieces");
    c.value = "\2\0\0\0\0\0\0\0zz", c.bytes = 10;
    refused(bpe, &c, GGUF_E_VOCABULARY, "item 0, \"zz\"", "a merge without a gap");
    c.value = "\0\0\0\0\0\0\0\0", c.bytes = 8;
    refused(bpe, &c, GGUF_E_VOCABULARY, "item 0", "an empty merge");
    c.n = 0, c.bytes = 0;
    refused(bpe, &c, GGUF_OK, "", "no merges at all");
    gguf_close(&g);
}

static void test_ids(void)
{
    static const char *const ids[] = { "bos", "eos", "eot", "eom", "unknown" };
    const char *bpe = VECTORS "bpe.gguf";
    char key[48];
    change c = { key, GGUF_U32, GGUF_U8, "\xFF\xFF\0\0", 4, 1 };
    int i;
    for (i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ids[i]);
        c.type = GGUF_U32, c.value = "\xFF\xFF\0\0";
        refused(bpe, &c, GGUF_E_VALUE, key, "an id beyond the vocabulary");
        c.type = GGUF_I32, c.value = "\xFF\xFF\xFF\xFF";
        refused(bpe, &c, GGUF_E_VALUE, key, "an id below 0");
        c.type = GGUF_F32;
        refused(bpe, &c, GGUF_E_KEY_TYPE, key, "an id that is no integer");
    }
    c.key = "tokenizer.ggml.add_eos_token", c.type = GGUF_U32;
    refused(bpe, &c, GGUF_E_KEY_TYPE, "add_eos_token", "a flag that is an integer");
    c.type = GGUF_BOOL, c.value = "\1", c.bytes = 1;
    refused(bpe, &c, GGUF_OK, "", "a file with EOS that adds it");
}

static void test_inconsistent(void)
{
    const change no_eos = { "tokenizer.ggml.eos_token_id", GGUF_U32, GGUF_U8, NULL, 0, 1 };
    const change adds = { "tokenizer.ggml.add_eos_token", GGUF_BOOL, GGUF_U8, "\1", 1, 1 };
    const change twice = { "tokenizer.ggml.tokens", GGUF_ARRAY, GGUF_STRING,
                           "\1\0\0\0\0\0\0\0a\1\0\0\0\0\0\0\0b\1\0\0\0\0\0\0\0a", 27, 3 };
    const change few = { "tokenizer.ggml.tokens", GGUF_ARRAY, GGUF_STRING, "\1\0\0\0\0\0\0\0a", 9, 1 };
    const change ids[] = { { "tokenizer.ggml.token_type", GGUF_U8, GGUF_U8, NULL, 0, 0 },
                           { "tokenizer.ggml.bos_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
                           { "tokenizer.ggml.eos_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
                           { "tokenizer.ggml.eot_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
                           { "tokenizer.ggml.unknown_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
                           { "tokenizer.ggml.scores", GGUF_U8, GGUF_U8, NULL, 0, 0 } };
    writing b = changed(changed(load(VECTORS "bpe.gguf"), &no_eos), &adds);
    char error[300];
    size_t i;
    check(try_image(&b, error) == GGUF_E_VOCABULARY && strstr(error, "add_eos_token"),
          "EOS is to be added, but there is none: refused by name (\"%s\")", error);
    free(b.data);
    b = changed(load(VECTORS "spm.gguf"), &twice);
    for (i = 0; i < 6; i++) b = changed(b, &ids[i]);
    check(try_image(&b, error) == GGUF_E_VOCABULARY && strstr(error, "tokens 0 and 2 are both \"a\""),
          "a piece twice: refused by name (\"%s\")", error);
    b = changed(b, &few);
    check(try_image(&b, error) == GGUF_E_VOCABULARY && strstr(error, "no token for byte 0"),
          "bytes without a token: refused by name (\"%s\")", error);
    free(b.data);
}

/* Bytes without a piece are the unknown token; that this one may be merged is no matter of theirs. */
static void test_unknown_bytes(void)
{
    static const change changes[] = {
        { "tokenizer.ggml.tokens", GGUF_ARRAY, GGUF_STRING,
          "\1\0\0\0\0\0\0\0" "2\2\0\0\0\0\0\0\0" "22", 19, 2 },
        { "tokenizer.ggml.merges", GGUF_ARRAY, GGUF_STRING, "\3\0\0\0\0\0\0\0" "2 2", 11, 1 },
        { "tokenizer.ggml.unknown_token_id", GGUF_U32, GGUF_U8, "\0\0\0\0", 4, 1 },
        { "tokenizer.ggml.token_type", GGUF_ARRAY, GGUF_I32, "\1\0\0\0\1\0\0\0", 8, 2 },
        { "tokenizer.ggml.bos_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
        { "tokenizer.ggml.eos_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 },
        { "tokenizer.ggml.eot_token_id", GGUF_U8, GGUF_U8, NULL, 0, 0 } };
    writing b = load(VECTORS "bpe.gguf");
    int32_t tokens[32];
    size_t i;
    gguf g;
    vocab w;
    for (i = 0; i < sizeof changes / sizeof *changes; i++) b = changed(b, &changes[i]);
    memset(&w, 0, sizeof w);
    check(gguf_open_memory(&g, b.data, b.n) == GGUF_OK && vocab_open(&w, &g, 2) == GGUF_OK
          && vocab_encode(&w, 0, "<<", 2, NULL, tokens) == 2 && tokens[0] == 0 && tokens[1] == 0
          && vocab_encode(&w, 0, "22", 2, NULL, tokens) == 1 && tokens[0] == 1,
          "bytes without a piece are not merged as the unknown token is");
    vocab_close(&w);
    gguf_close(&g);
    free(b.data);
}

/* Cut at every byte, and with bytes changed: refused with a line, or used without a crash. */
static void test_damage(const char *path)
{
    const size_t step = getenv("TEST_FULL") ? 1 : 97;
    const int flips = getenv("TEST_FULL") ? 20000 : 1500;
    writing b = load(path);
    int i, silent = 0, opened = 0;
    char error[300];
    size_t n;
    for (n = 0; n < b.n; n += step) {
        writing part = { (unsigned char *)malloc(n + 1), n, n + 1 };
        memcpy(part.data, b.data, n);
        silent += try_image(&part, error) != GGUF_OK && !error[0];
        free(part.data);
    }
    for (i = 0; i < flips; i++) {
        const size_t at = (size_t)(test_random() % (i % 2 ? b.n : 600));
        const unsigned char was = b.data[at];
        b.data[at] = (unsigned char)(test_random() >> 20);
        if (try_image(&b, error) == GGUF_OK) opened++;
        else silent += !error[0];
        b.data[at] = was;
    }
    check(!silent && opened, "%s: cut or changed it opens (%d times) or says what is wrong", path, opened);
    free(b.data);
}

/* ---------------------------------------------------------------------------- printing */
/* What is printed after each of the pieces, with '|' between. */
static int prints(const char *const *pieces, const char *want)
{
    char got[200];
    size_t n = 0, i;
    FILE *f = tmpfile();
    text_out out;
    if (!f) return 1;
    memset(&out, 0, sizeof out);
    out.file = f;
    for (i = 0; pieces[i]; i++) {
        text_write(&out, pieces[i], strlen(pieces[i]));
        fputc('|', f);
    }
    text_end(&out);
    rewind(f);
    n = fread(got, 1, sizeof got - 1, f);
    got[n] = 0;
    fclose(f);
    return !strcmp(got, want);
}

static void test_printing(void)
{
    static const char *const whole[] = { "a\xC3\xA9", "b", NULL };
    static const char *const halves[] = { "a\xC3", "\xA9", "\xF0", "\x9F\x98", "\x80z", NULL };
    static const char *const broken[] = { "\xC3", "a", "\xF0\x9F", "\xC3", "\xA9", "\xFF\x80", NULL };
    static const char *const last[] = { "x\xE2\x96", NULL };
    static const char *const long_forms[] = { "\xC0", "\xE0", "\x80", "\xF4\x90", "\xED\xA0", NULL };
    check(prints(whole, "a\xC3\xA9|b|"), "whole characters are printed at once");
    check(prints(halves, "a|\xC3\xA9||" "|\xF0\x9F\x98\x80z|"), "halves are held until they are whole");
    check(prints(broken, "|\xC3" "a||\xF0\x9F|\xC3\xA9|\xFF\x80|"),
          "what becomes no character is printed as it is");
    check(prints(last, "x|\xE2\x96"), "what is held at the end is printed");
    check(prints(long_forms, "\xC0||\xE0\x80|\xF4\x90|\xED\xA0|"), "long forms are not waited for");
}

static void test_texts(void)
{
    static int32_t tokens[4 * MOST + 8];
    const char *text = "The user \xF0\x9F\x98\x80 said: \xE4\xBD\xA0\n\tok <|x|>.";
    static const char *const files[] = { "bpe", "spm", "gemma4" };
    char back[200], path[64], plain[64];
    int i, k;
    for (i = 0; i < 3; i++) {
        size_t n = 0;
        int64_t count;
        snprintf(path, sizeof path, VECTORS "%s.gguf", files[i]);
        if (!open_vocab(path)) continue;
        count = vocab_encode(&v, 0, text, strlen(text), NULL, tokens);
        for (k = 0; k < count; k++) {
            const gguf_string piece = vocab_text(&v, tokens[k]);
            memcpy(back + n, piece.text, piece.n);
            n += piece.n;
        }
        back[n] = 0;
        check(!strcmp(back, text), "%s: a text comes back from its tokens", files[i]);
        check(v.ends[v.eos] && v.ends[vocab_find(&v, "<|im_end|>")] && !v.ends[vocab_find(&v, "<|x|>")],
              "%s: EOS and EOT end generation, another control token does not", files[i]);
        check(!vocab_text(&v, v.bos).n && !vocab_text(&v, vocab_find(&v, "<|x|>")).n
              && vocab_text(&v, vocab_find(&v, "[[U]]")).n == 5,
              "%s: control tokens print nothing, user-defined ones do", files[i]);
        memset(plain, 0, sizeof plain);
        plain[8] = 1;
        count = vocab_encode(&v, VOCAB_PARSE, "a<|x|>b<|x|>c", 13, plain, tokens);
        for (k = 0; count > 0; count--) k += tokens[count - 1] == vocab_find(&v, "<|x|>");
        check(k == 1, "%s: a control token is not found where a byte of its name is plain", files[i]);
        v.add_bos = v.add_eos = 1;
        count = vocab_encode(&v, VOCAB_START | VOCAB_END, "", 0, NULL, tokens);
        check(count == 2 && tokens[0] == v.bos && tokens[1] == v.eos,
              "%s: an empty text is BOS and EOS where they are wanted", files[i]);
        close_vocab();
    }
}

/* ---------------------------------------------------------------------------- conversations */
/* By words of a template: what is fed before the first answer and before the second. */
static const struct { const char *name, *template, *first, *second; } talks[] = {
    { "ChatML", "{{'<|im_start|>' + message['role']", "<|im_start|>system\nS<|im_end|>\n"
      "<|im_start|>user\n U <|im_end|>\n<|im_start|>assistant\n",
      "<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n" },
    { "Phi-4", "<|im_start|>' + '<|im_sep|>'", "<|im_start|>system<|im_sep|>S<|im_end|>"
      "<|im_start|>user<|im_sep|> U <|im_end|><|im_start|>assistant<|im_sep|>",
      "<|im_end|><|im_start|>user<|im_sep|>V<|im_end|><|im_start|>assistant<|im_sep|>" },
    { "Llama 3", "'<|start_header_id|>' + role + '<|end_header_id|>'",
      "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user"
      "<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
      "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n" },
    { "Gemma", "'<start_of_turn>' + role", "<start_of_turn>user\nS\n\nU<end_of_turn>\n"
      "<start_of_turn>model\n", "<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n"
      "<start_of_turn>model\n" },
    { "Phi-3", "'<|' + role + '|>' <|assistant|> <|end|>", "<|system|>\nS<|end|>\n<|user|>\n U "
      "<|end|>\n<|assistant|>\n", "<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n" },
    { "Llama 2", "bos_token + '[INST] ' + content.strip()", "[INST] <<SYS>>\nS\n<</SYS>>\n\nU "
      "[/INST]", "</s><s>[INST] V [/INST]" },
    { "Llama 2", "'[INST] ' + '<<SYS>>'", "[INST] <<SYS>>\nS\n<</SYS>>\n\n U  [/INST]",
      "</s>[INST] V [/INST]" },
    { "Mistral v1", "' [INST] ' + system_message", " [INST] S\n\n U  [/INST]",
      "</s> [INST] V [/INST]" },
    { "Mistral v3", "'[AVAILABLE_TOOLS]' '[INST] '", "[INST] S\n\n U [/INST]",
      "</s>[INST] V[/INST]" },
    { "Mistral v3 tekken", "'[AVAILABLE_TOOLS]' \"[INST]\"", "[INST]S\n\n U [/INST]",
      "</s>[INST]V[/INST]" },
    { "Mistral v7", "'[SYSTEM_PROMPT] ' + '[INST] '", "[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST]  U "
      "[/INST]", "</s>[INST] V[/INST]" },
    { "Mistral v7 tekken", "'[SYSTEM_PROMPT]' + '[INST]'", "[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST] U "
      "[/INST]", "</s>[INST]V[/INST]" },
    { "harmony", "'<|start|>' '<|channel|>'", "<|start|>system<|message|>You are ChatGPT, a large "
      "language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n\nReasoning: medium\n\n# Valid "
      "channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
      "<|start|>developer<|message|># Instructions\n\nS\n\n<|end|><|start|>user<|message|> U <|end|>"
      "<|start|>assistant", "<|end|><|start|>user<|message|>V<|end|><|start|>assistant" }
};

static int says(const chat *c, const char *want)
{
    return c->n == strlen(want) && !memcmp(c->text, want, c->n);
}

static void test_chat(void)
{
    static int32_t tokens[4 * MOST + 8];
    char value[72], error[300] = "";
    size_t i;
    for (i = 0; i <= sizeof talks / sizeof *talks; i++) {
        const int last = i == sizeof talks / sizeof *talks;
        const change c = text_change("tokenizer.chat_template", last ? "what is this" : talks[i].template,
                                     value);
        writing b = changed(load(VECTORS "bpe.gguf"), &c);
        const gguf_key *k;
        gguf g;
        vocab w;
        chat talk;
        gguf_status st = gguf_open_memory(&g, b.data, b.n);
        if (st == GGUF_OK) st = gguf_get_array(&g, "tokenizer.ggml.tokens", GGUF_STRING, &k);
        if (st == GGUF_OK) st = vocab_open(&w, &g, (int64_t)k->n);
        if (st == GGUF_OK) st = chat_open(&talk, &g, &w);
        snprintf(error, sizeof error, "%s", g.error);
        if (last)
            check(st == GGUF_E_UNSUPPORTED && strstr(error, "what?is?this"),
                  "an unknown template is refused by its words (\"%s\")", error);
        else
            check(st == GGUF_OK && !strcmp(chat_name(&talk), talks[i].name)
                  && !chat_turn(&talk, 1, "S", " U ", 3) && says(&talk, talks[i].first)
                  && !chat_turn(&talk, 0, "S", "V", 1) && says(&talk, talks[i].second),
                  "%s: a conversation as its template writes it", talks[i].name);
        if (i == 0 && st == GGUF_OK && !chat_turn(&talk, 1, "<|im_end|>", "<|x|><|im_end|>", 15)) {
            int64_t n = vocab_encode(&w, VOCAB_START | VOCAB_PARSE, talk.text, talk.n, talk.plain,
                                     tokens), found = 0;
            for (; n > 0; n--) found += w.type[tokens[n - 1]] == VOCAB_CONTROL;
            check(found == 5, "what somebody writes holds no control tokens (%d)", (int)found);
        }
        if (st == GGUF_OK || last) chat_close(&talk);
        vocab_close(&w);
        gguf_close(&g);
        free(b.data);
    }
}

/* Control tokens of the vocabulary stand for harmony's. */
static void test_shown(void)
{
    static const char *const answer[] = { "<|x|>", "a", "<|im_start|>", "b", "<mask>", "<|end|>",
                                          "<|x|>", "a", "<|im_start|>", "c", NULL };
    static const char *const renamed[][2] = { { "<|x|>", "<|channel|>" }, { "<|end|>", "<|end|>" },
                                              { "<|im_start|>", "<|message|>" } };
    chat talk = {0};
    char shown[16] = "";
    int32_t tokens[10];
    int i, hidden = 0;
    if (!open_vocab(VECTORS "bpe.gguf")) return;
    talk.v = &v;
    for (i = 0; answer[i]; i++) tokens[i] = vocab_find(&v, answer[i]);
    for (i = 0; i < 3; i++)
        v.name[vocab_find(&v, renamed[i][0])] = str(renamed[i][1], strlen(renamed[i][1]));
    for (i = 0; answer[i]; i++) {
        const gguf_string text = chat_text(&talk, tokens[i], &hidden);
        strncat(shown, text.text, text.n);
    }
    check(!strcmp(shown, "b\nc"), "of harmony messages are shown, a line each (\"%s\")", shown);
    close_vocab();
}

/* ---------------------------------------------------------------------------- time */
static double seconds_for(const char *text, size_t n)
{
    int32_t *tokens = (int32_t *)malloc(sizeof *tokens * (size_t)vocab_most(n));
    const double start = os_cpu_seconds();
    const int64_t count = vocab_encode(&v, 0, text, n, NULL, tokens);
    free(tokens);
    return count > 0 ? os_cpu_seconds() - start : 1e9;
}

/* Four times the text, in at most nine times the time: memory grows out of the caches, but sixteen
   times would be quadratic. */
static void test_time(void)
{
    static const char *const files[] = { "bpe", "spm", "gemma4" };
    static const char *const kinds[] = { "letters", "words", "spaces", "one letter", "names" };
    const size_t n = getenv("TEST_FULL") ? 10 << 20 : getenv("TEST_QUICK") ? 1 << 16 : 1 << 19;
    char *text = (char *)malloc(n), path[64];
    size_t i;
    int f, kind;
    for (f = 0; f < 3; f++) {
        snprintf(path, sizeof path, VECTORS "%s.gguf", files[f]);
        if (!open_vocab(path)) continue;
        for (kind = 0; kind < 5; kind++) {
            double part, all;
            for (i = 0; i < n; i++) {
                const int c = (int)(test_random() % 27);
                text[i] = kind == 2 ? ' ' : kind == 3 ? 'a' : kind == 4 ? "<|x|>"[i % 5]
                          : c == 26 ? (kind == 1 ? ' ' : 'e') : (char)('a' + c);
            }
            part = seconds_for(text, n / 4);
            all = seconds_for(text, n);
            check(all < 9 * part + 0.2, "%s, %d KiB of %s: %.2f s, a quarter of it %.2f s", files[f],
                  (int)(n >> 10), kinds[kind], all, part);
            if (getenv("TEST_FULL"))
                check(all < 60, "%s: 10 MiB of %s take %.1f s", files[f], kinds[kind], all);
        }
        close_vocab();
    }
    free(text);
}

int main(void)
{
    FILE *here = fopen(VECTORS "tokens.txt", "rb");
    (void)test_normal;
    if (!here) {
        check(0, "the vectors are at hand (run from the repository's root)");
        return test_report("tokens", "any");
    }
    fclose(here);
    test_slow();
    test_vectors();
    test_keys();
    test_arrays();
    test_ids();
    test_inconsistent();
    test_unknown_bytes();
    test_damage(VECTORS "bpe.gguf");
    test_damage(VECTORS "spm.gguf");
    test_printing();
    test_texts();
    test_chat();
    test_shown();
    test_time();
    return test_report("tokens", "any");
}
