/* writing.h - bytes that tests write into memory, little-endian, as model files are. */
#ifndef WRITING_H
#define WRITING_H
#include "test.h"

typedef struct writing { unsigned char *data; size_t n, cap; } writing;      /* zeroed: nothing yet */

TEST_UNUSED static void put(writing *b, const void *data, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * b->cap + n + 4096;
        b->data = (unsigned char *)realloc(b->data, b->cap);
    }
    if (n) memcpy(b->data + b->n, data, n);
    b->n += n;
}
TEST_UNUSED static void put_int(writing *b, uint64_t x, size_t n)      /* n <= 8 bytes */
{
    unsigned char le[8];
    int i;
    for (i = 0; i < 8; i++) le[i] = (unsigned char)(x >> 8 * i);
    put(b, le, n);
}
TEST_UNUSED static void put_real(writing *b, double x)                 /* as f32 */
{
    const float y = (float)x;
    uint32_t u;
    memcpy(&u, &y, sizeof u);
    put_int(b, u, 4);
}
TEST_UNUSED static void put_text(writing *b, const char *text)         /* GGUF's strings */
{
    put_int(b, strlen(text), 8);
    put(b, text, strlen(text));
}
#endif
