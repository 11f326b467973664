#include "words.h"
#include "unicode.h"
#include <string.h>

#define L UNICODE_LETTER
#define N UNICODE_NUMBER
#define M UNICODE_MARK
#define P UNICODE_PUNCTUATION
#define S UNICODE_SYMBOL
#define O UNICODE_OTHER

/* A set of characters: of classes, of some ASCII ones, of ranges in ascending order. */
typedef struct range { uint32_t first, last; } range;
typedef struct set { unsigned classes; const char *ascii; const range *ranges; } set;

enum { CONTRACTIONS_NONE, CONTRACTIONS_LOWER, CONTRACTIONS_ANY, CONTRACTIONS_BEHIND };

/* The alternatives of the long expressions, in the order in which they are tried. */
typedef struct word_step {
    int         contractions;     /* 's|'t|'re|'ve|'m|'ll|'d, in lower or any case; behind words */
    int         code;             /* [ASCII punctuation or symbol][A-Za-z]+ */
    unsigned    letters;          /* the classes that words are of; 0: a step of runs */
    int         cased;            /* words end where a lower-case letter meets an upper-case one */
    unsigned    no_lead;          /* [^\r\n and these]? before a word; 0: a space */
    int         digits;           /* \p{N}{1,digits}; 0: " ?\p{N}+"; -1: no numbers */
    unsigned    others;           /* " ?[others]+" */
    const char *tail;             /* [tail]* behind them */
    int         lines;            /* \s*[\r\n]+ before \s+(?!\S)|\s+ */
} word_step;

/* \s?[set]{least,most}, with nothing behind it where at_end. */
typedef struct run_step { set set; int space, least, most, at_end; } run_step;

typedef struct step { run_step run; word_step word; } step;

enum { MAX_STEPS = 6 };
struct words_rule { int n, add_bos, whole; step steps[MAX_STEPS]; };

/* -------------------------------------------------------------------------------- tables */
static const range cased_letters[] = {
    { 0x41, 0x5A }, { 0x61, 0x7A }, { 0xB5, 0xB5 }, { 0xC0, 0xD6 }, { 0xD8, 0xF6 }, { 0xF8, 0x1BA },
    { 0x1BC, 0x1BF }, { 0x1C4, 0x293 }, { 0x295, 0x2AF }, { 0x370, 0x373 }, { 0x376, 0x377 },
    { 0x37B, 0x37D }, { 0x37F, 0x37F }, { 0x386, 0x386 }, { 0x388, 0x38A }, { 0x38C, 0x38C },
    { 0x38E, 0x3A1 }, { 0x3A3, 0x3F5 }, { 0x3F7, 0x481 }, { 0x48A, 0x52F }, { 0x531, 0x556 },
    { 0x10A0, 0x10C5 }, { 0x13A0, 0x13F5 }, { 0x13F8, 0x13FD }, { 0x1C90, 0x1CBA },
    { 0x1CBD, 0x1CBF }, { 0x1D00, 0x1D2B }, { 0x1D6B, 0x1D77 }, { 0x1D79, 0x1D9A },
    { 0x1E00, 0x1F15 }, { 0x1F18, 0x1F1D }, { 0x1F20, 0x1F45 }, { 0x1F48, 0x1F4D },
    { 0x1F50, 0x1F57 }, { 0x1F59, 0x1F59 }, { 0x1F5B, 0x1F5B }, { 0x1F5D, 0x1F5D },
    { 0x1F5F, 0x1F7D }, { 0x1F80, 0x1FB4 }, { 0x1FB6, 0x1FBC }, { 0x1FBE, 0x1FBE },
    { 0x1FC2, 0x1FC4 }, { 0x1FC6, 0x1FCC }, { 0x1FD0, 0x1FD3 }, { 0x1FD6, 0x1FDB },
    { 0x1FE0, 0x1FEC }, { 0x1FF2, 0x1FF4 }, { 0x1FF6, 0x1FFC }, { 0x2102, 0x2102 },
    { 0x2107, 0x2107 }, { 0x210A, 0x2113 }, { 0x2115, 0x2115 }, { 0x2119, 0x211D },
    { 0x2124, 0x2124 }, { 0x2126, 0x2126 }, { 0x2128, 0x2128 }, { 0x212A, 0x212D },
    { 0x212F, 0x2134 }, { 0x2139, 0x2139 }, { 0x213C, 0x213F }, { 0x2145, 0x2149 },
    { 0x214E, 0x214E }, { 0x2183, 0x2184 }, { 0x2C00, 0x2C7B }, { 0x2C7E, 0x2CE4 },
    { 0x2CEB, 0x2CEE }, { 0x2CF2, 0x2CF3 }, { 0xA640, 0xA66D }, { 0xA680, 0xA69B },
    { 0xA722, 0xA76F }, { 0xA771, 0xA787 }, { 0xA78B, 0xA78E }, { 0xAB70, 0xABBF },
    { 0xFB00, 0xFB06 }, { 0xFB13, 0xFB17 }, { 0xFF21, 0xFF3A }, { 0xFF41, 0xFF5A },
    { 0x10400, 0x1044F }, { 0x104B0, 0x104D3 }, { 0x104D8, 0x104FB }, { 0x10C80, 0x10CB2 },
    { 0x10CC0, 0x10CF2 }, { 0x118A0, 0x118DF }, { 0x1E900, 0x1E943 }, { 0 }
};
static const range wide_punctuation[] = {
    { '!', '/' }, { ':', '~' }, { 0x2018, 0x201F }, { 0x3000, 0x3002 }, { 0xFF01, 0xFF0F },
    { 0xFF1A, 0xFF5E }, { 0, 0 } };
static const range cjk[] = { { 0x800, 0x9FA5 }, { 0xAC00, 0xD7FF }, { 0, 0 } };
static const range han_kana[] = { { 0x3040, 0x30FF }, { 0x4E00, 0x9FA5 }, { 0, 0 } };

#define RUN(...)   { .run = { __VA_ARGS__ } }
#define WORD(...)  { .word = { __VA_ARGS__ } }
#define LINE_ENDS  RUN(.set = { 0, "\r\n", NULL }, .most = 1)
#define NUMBERS(k) RUN(.set = { N, NULL, NULL }, .most = (k))
#define THREE      RUN(.set = { 0, "0123456789", NULL }, .least = 3, .most = 3)
#define GPT2       WORD(CONTRACTIONS_LOWER, 0, L, 0, 0, 0, M | P | S | O, "", 0)
#define LLAMA3(letters, digits) \
    WORD(CONTRACTIONS_ANY, 0, letters, 0, L | N, digits, (M | P | S | O) & ~(letters), "\r\n", 1)
#define CASED(contractions, digits) \
    WORD(contractions, 0, L, 1, L | N, digits, M | P | S | O, "\r\n/", 1)

static const words_rule gpt2 = { .n = 1, .steps = { GPT2 } };
static const words_rule llama3 = { .n = 1, .add_bos = 1, .whole = 1, .steps = { LLAMA3(L, 3) } };
static const words_rule smaug = { .n = 1, .steps = { LLAMA3(L, 3) } };
static const words_rule qwen2 = { .n = 1, .steps = { LLAMA3(L, 1) } };
static const words_rule qwen35 = { .n = 1, .steps = { LLAMA3(L | M, 1) } };
static const words_rule gpt4o = { .n = 1, .steps = { CASED(CONTRACTIONS_BEHIND, 3) } };
static const words_rule tekken = { .n = 1, .add_bos = 1, .whole = 1,
                                   .steps = { CASED(CONTRACTIONS_NONE, 1) } };
static const words_rule starcoder = { .n = 2, .steps = { NUMBERS(1), GPT2 } };
static const words_rule falcon = { .n = 3, .steps = {
    RUN(.set = { P, "$+<=>^~|`", NULL }), GPT2, THREE } };
static const words_rule plain = { .n = 4, .steps = {
    RUN(.set = { P, "$+<=>^~|", NULL }), GPT2, NUMBERS(0), THREE } };
static const words_rule deepseek_llm = { .n = 6, .steps = {
    LINE_ENDS,
    RUN(.set = { 0, NULL, cased_letters }, .space = 1),
    RUN(.set = { 0, NULL, wide_punctuation }, .space = 1),
    RUN(.set = { UNICODE_SPACE, NULL, NULL }, .at_end = 1),
    RUN(.set = { 0, NULL, cjk }), NUMBERS(0) } };
static const words_rule deepseek_coder = { .n = 5, .steps = {
    LINE_ENDS,
    RUN(.set = { L, NULL, NULL }, .space = 1), RUN(.set = { P, NULL, NULL }, .space = 1),
    RUN(.set = { 0, NULL, cjk }), NUMBERS(1) } };
static const words_rule deepseek_v3 = { .n = 3, .steps = {
    NUMBERS(3), RUN(.set = { 0, NULL, han_kana }),
    WORD(CONTRACTIONS_NONE, 1, L | M, 0, L | P | S, -1, P | S, "\r\n", 1) } };
static const words_rule lines = { .n = 1, .add_bos = 1, .steps = {
    RUN(.set = { 0, "\n", NULL }) } };

static const struct { const char *name; const words_rule *rule; } names[] = {
    { "default", &plain }, { "gpt-2", &gpt2 }, { "phi-2", &gpt2 }, { "mpt", &gpt2 },
    { "olmo", &gpt2 }, { "exaone4", &gpt2 }, { "modern-bert", &gpt2 }, { "gigachat", &gpt2 },
    { "llama-bpe", &llama3 }, { "llama3", &llama3 }, { "llama-v3", &llama3 },
    { "falcon3", &llama3 }, { "falcon-h1", &llama3 }, { "pixtral", &llama3 }, { "lfm2", &llama3 },
    { "smaug-bpe", &smaug }, { "dbrx", &smaug }, { "glm4", &smaug }, { "chatglm-bpe", &smaug },
    { "qwen2", &qwen2 }, { "deepseek-r1-qwen", &qwen2 }, { "stablelm2", &qwen2 },
    { "hunyuan", &qwen2 }, { "megrez", &qwen2 }, { "qwen35", &qwen35 },
    { "gpt-4o", &gpt4o }, { "o200k", &gpt4o }, { "llama4", &gpt4o }, { "tekken", &tekken },
    { "smollm", &starcoder }, { "starcoder", &starcoder }, { "refact", &starcoder },
    { "command-r", &starcoder }, { "codeshell", &starcoder }, { "exaone", &starcoder },
    { "falcon", &falcon }, { "deepseek-llm", &deepseek_llm },
    { "deepseek-coder", &deepseek_coder }, { "deepseek-v3", &deepseek_v3 }, { "gemma4", &lines } };

const words_rule *words_find(gguf_string name)
{
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (gguf_string_is(name, names[i].name)) return names[i].rule;
    return NULL;
}

int words_add_bos(const words_rule *rule) { return rule->add_bos; }
int words_whole(const words_rule *rule) { return rule->whole; }

/* -------------------------------------------------------------------------------- characters */
typedef struct scan { const char *text; size_t end; } scan;          /* one piece of the text */
typedef struct letter { uint32_t c; unsigned kind; size_t next; } letter;

/* The character at p; of kind 0 at the end. */
static letter look(const scan *s, size_t p)
{
    letter a = { 0, 0, p };
    size_t n = p < s->end ? unicode_get(s->text + p, s->end - p, &a.c) : 0;
    if (p >= s->end) return a;
    a.next += n ? n : 1;
    a.kind = n ? unicode_class(a.c) : UNICODE_OTHER;
    return a;
}

static int one_of(const char *ascii, uint32_t c)
{
    return c > 0 && c < 128 && strchr(ascii, (int)c) != NULL;
}

static int within(const set *x, letter a)
{
    const range *r = a.kind & UNICODE_SPACE ? NULL : x->ranges;
    if ((a.kind & x->classes) || (x->ascii && one_of(x->ascii, a.c))) return 1;
    while (r && r->last && r->last < a.c) r++;
    return r && r->last && r->first <= a.c;
}

/* Where a run of such characters ends, or its first `most` (0 = all). */
static size_t run(const scan *s, size_t p, const set *x, int most)
{
    letter a = look(s, p);
    int n;
    for (n = 0; a.kind && within(x, a) && (!most || n < most); n++) a = look(s, p = a.next);
    return p;
}

static size_t run_of(const scan *s, size_t p, unsigned classes)
{
    const set x = { classes, NULL, NULL };
    return run(s, p, &x, 0);
}

/* -------------------------------------------------------------------------------- words */
/* Where "'s" and its kin end that begin at p; 0: there is none. */
static size_t contraction(const scan *s, size_t p, int any_case)
{
    static const char *const ends[] = { "s", "t", "m", "d", "re", "ve", "ll" };
    size_t i, k, n;
    if (p >= s->end || s->text[p] != '\'') return 0;
    for (i = 0; i < sizeof ends / sizeof *ends; i++) {
        n = strlen(ends[i]);
        if (n >= s->end - p) continue;
        for (k = 0; k < n; k++) {
            char c = s->text[p + 1 + k];
            if (any_case && c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
            if (c != ends[i][k]) break;
        }
        if (k == n) return p + 1 + n;
    }
    return 0;
}

static int is_upper(letter a) { return (a.kind & L) && !(a.c >= 'a' && a.c <= 'z'); }
static int is_lower(letter a) { return (a.kind & L) && !(a.c >= 'A' && a.c <= 'Z'); }

/* upper* lower+ or, where that is not to be had, upper+: a letter beyond ASCII is both, so that the
   first may give back what it took up to the last of those. */
static size_t cased_word(const scan *s, size_t p)
{
    size_t last = 0;
    letter a = look(s, p);
    for (; is_upper(a); a = look(s, p)) {
        p = a.next;
        if (is_lower(a)) last = p;
    }
    if (!is_lower(a)) return last ? last : p;
    for (; is_lower(a); a = look(s, p)) p = a.next;
    return p;
}

/* A word of letters at p, with what leads it; 0: there is none. */
static size_t letters(const scan *s, const word_step *w, size_t p, letter a, letter b)
{
    const int leads = w->no_lead ? !(a.kind & w->no_lead) && a.c != '\r' && a.c != '\n'
                                 : a.c == ' ';
    size_t end, more;
    if (leads && (b.kind & w->letters)) p = a.next;
    else if (!(a.kind & w->letters)) return 0;
    end = w->cased ? cased_word(s, p) : run_of(s, p, w->letters);
    more = w->contractions == CONTRACTIONS_BEHIND ? contraction(s, end, 1) : 0;
    return more ? more : end;
}

/* White space at p: up to its last line end, or all but what leads the next word. */
static size_t spaces(const scan *s, const word_step *w, size_t p)
{
    size_t line = 0, last = p, n = 0;
    letter a = look(s, p);
    for (; a.kind & UNICODE_SPACE; a = look(s, p), n++) {
        last = p;
        p = a.next;
        if (a.c == '\r' || a.c == '\n') line = p;
    }
    if (w->lines && line) return line;
    return n > 1 && a.kind ? last : p;
}

/* The end of the alternative that matches at p; 0: none does. */
static size_t word(const scan *s, const word_step *w, size_t p)
{
    const letter a = look(s, p), b = look(s, a.next);
    const set digits = { N, NULL, NULL }, tail = { 0, w->tail, NULL };
    const unsigned first = a.c == ' ' ? b.kind : a.kind;
    size_t end = 0;
    if (w->contractions == CONTRACTIONS_LOWER || w->contractions == CONTRACTIONS_ANY)
        end = contraction(s, p, w->contractions == CONTRACTIONS_ANY);
    if (end) return end;
    if (w->code && a.c < 128 && (a.kind & (P | S)) && b.c < 128 && (b.kind & L)) {
        for (p = a.next; p < s->end && s->text[p] > 0 && (look(s, p).kind & L);) p++;
        return p;
    }
    if ((end = letters(s, w, p, a, b)) != 0) return end;
    if (w->digits > 0 && (a.kind & N)) return run(s, p, &digits, w->digits);
    if (w->digits == 0 && (first & N)) return run(s, a.c == ' ' ? a.next : p, &digits, 0);
    if (first & w->others)
        return run(s, run_of(s, a.c == ' ' ? a.next : p, w->others), &tail, 0);
    return a.kind & UNICODE_SPACE ? spaces(s, w, p) : 0;
}

/* -------------------------------------------------------------------------------- steps */
/* The end of the run that matches at p; 0: none does, nor does one begin before *skip. */
static size_t run_at(const scan *s, const run_step *r, size_t p, size_t *skip)
{
    const letter a = look(s, p), b = look(s, a.next);
    size_t from = p, end;
    int n = 0;
    *skip = a.next;
    if (r->space && (a.kind & UNICODE_SPACE) && within(&r->set, b) && b.kind) from = a.next;
    end = run(s, from, &r->set, r->most);
    if (end == from) return 0;
    if (r->least) for (; from < end; n++) from = look(s, from).next;
    if (n >= r->least && (!r->at_end || end == s->end)) return end;
    *skip = end;
    return 0;
}

/* Cuts a piece from p on. */
static void split_piece(const step *x, const scan *s, size_t p, uint8_t *cut)
{
    size_t end, skip;
    while (p < s->end) {
        skip = look(s, p).next;
        end = x->word.letters ? word(s, &x->word, p) : run_at(s, &x->run, p, &skip);
        if (end) cut[p] = cut[end] = 1;
        p = end ? end : skip;
    }
}

void words_split(const words_rule *rule, const char *text, size_t n, uint8_t *cut)
{
    size_t p;
    int i;
    memset(cut, 0, n + 1);
    cut[0] = cut[n] = 1;
    for (i = 0; i < rule->n; i++)
        for (p = 0; p < n;) {
            scan s = { text, p + 1 };
            size_t from = p;
            while (!cut[s.end]) s.end++;
            p = s.end;
            split_piece(&rule->steps[i], &s, from, cut);
        }
}
