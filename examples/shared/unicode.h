/* unicode.h - characters in UTF-8 and their classes. */
#ifndef UNICODE_H
#define UNICODE_H
#include <stddef.h>
#include <stdint.h>

enum {
    UNICODE_OTHER = 1,            /* control, format, unassigned */
    UNICODE_LETTER = 2, UNICODE_NUMBER = 4, UNICODE_MARK = 8, UNICODE_PUNCTUATION = 16,
    UNICODE_SYMBOL = 32,
    UNICODE_SPACE = 64            /* the property White_Space; such a character is nothing else */
};
unsigned unicode_class(uint32_t c);      /* one of them */
int      unicode_blank(char c);          /* whether it is ASCII white space */

/* Bytes of the character that begins with this byte; 1 where none does. */
size_t unicode_length(unsigned char first);

/* Reads the character at the beginning of n >= 1 bytes. Returns its length, or 0 where there is
   none. Surrogates and needlessly long forms are taken for what they stand for. */
size_t unicode_get(const char *text, size_t n, uint32_t *c);

size_t unicode_put(char text[4], uint32_t c);      /* c < 0x110000; returns the length */

/* How many of the n bytes at the beginning of a text are whole characters in well-formed UTF-8, or
   no beginning of one: up to 3 bytes at the end may be waiting for the rest. */
size_t unicode_whole(const char *text, size_t n);
#endif
