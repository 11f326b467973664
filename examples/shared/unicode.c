#include "unicode.h"
#include "unicode_table.h"

unsigned unicode_class(uint32_t c)
{
    size_t low = 0, high = sizeof unicode_table / sizeof *unicode_table;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (unicode_table[middle] >> 3 <= c) low = middle; else high = middle;
    }
    return 1u << (unicode_table[low] & 7);
}

int unicode_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

size_t unicode_length(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

size_t unicode_get(const char *text, size_t n, uint32_t *c)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = unicode_length(at[0]), i;
    if (length > n || (at[0] & 0xC0) == 0x80 || at[0] > 0xF7) return 0;
    *c = length == 1 ? at[0] : at[0] & (0x7Fu >> length);
    for (i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        *c = *c << 6 | (at[i] & 0x3Fu);
    }
    return *c < 0x110000 ? length : 0;
}

size_t unicode_put(char text[4], uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;
    for (i = n; i-- > 1; c >>= 6) text[i] = (char)(0x80 | (c & 0x3F));
    text[0] = (char)(n == 1 ? c : (0xF00u >> n & 0xF0) | c);
    return n;
}

/* Whether n bytes, fewer than the first one asks for, may become a well-formed character. */
static int may_grow(const unsigned char *at, size_t n)
{
    static const unsigned char low[] = { 0xA0, 0x80, 0x90, 0x80 };
    static const unsigned char high[] = { 0xBF, 0x9F, 0xBF, 0x8F };
    const int edge = at[0] == 0xE0 ? 0 : at[0] == 0xED ? 1 : at[0] == 0xF0 ? 2 : 3;
    const int edged = edge < 3 || at[0] == 0xF4;
    if (at[0] < 0xC2 || at[0] > 0xF4 || n >= unicode_length(at[0])) return 0;
    if (n > 1 && ((at[1] & 0xC0) != 0x80 || (edged && (at[1] < low[edge] || at[1] > high[edge]))))
        return 0;
    return n < 3 || (at[2] & 0xC0) == 0x80;
}

size_t unicode_whole(const char *text, size_t n)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t tail;
    for (tail = n < 3 ? n : 3; tail; tail--)
        if (may_grow(at + n - tail, tail)) return n - tail;
    return n;
}
