/* image.h - a model file that a fuzzer writes; what finds no room is left out. */
#ifndef IMAGE_H
#define IMAGE_H
#include "fuzz.h"

#include <string.h>

enum { CAP = 1 << 18 };

typedef struct image {
    uint8_t data[CAP];
    size_t n;
    uint64_t n_keys, n_tensors, offset;
} image;

static void put(image *f, const void *data, size_t n)
{
    if (f->n + n > CAP) return;
    memcpy(f->data + f->n, data, n);
    f->n += n;
}
static void put_int(image *f, uint64_t x, int n)
{
    uint8_t le[8];
    int i;
    for (i = 0; i < 8; i++) le[i] = (uint8_t)(x >> 8 * i);
    put(f, le, (size_t)n);
}
static void put_text(image *f, const char *text)
{
    put_int(f, strlen(text), 8);
    put(f, text, strlen(text));
}
#endif
