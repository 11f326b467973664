/* Proves with CBMC, for every file of up to BYTES bytes and every place in it, that each step of
   the GGUF reader reads nothing outside the file, overflows nothing, leaves the reader inside, and
   that what it accepts lies inside. Steps begin anywhere, so what holds after one holds after any
   number of them. Loops are unrolled as often as such a file can make them run, and it is proved
   that this is often enough. Texts of errors are left out. run.sh takes what is named prove_*. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int silent(char *to, size_t n) { if (n) to[0] = 0; return 0; }
#define snprintf(to, n, ...)  silent(to, n)
#define vsnprintf(to, n, ...) silent(to, n)
#include "shared/gguf.c"

#ifndef BYTES
#  define BYTES 32
#endif
size_t nondet_size(void);
uint64_t nondet_u64(void);
extern uint8_t file[BYTES];     /* nobody says what is in it */
gguf g;

/* A reader anywhere in a file of any size, at its end or past it. */
static reader anywhere(void)
{
    reader r;
    r.data = g.data = file;
    r.size = g.size = nondet_size();
    r.at = nondet_size();
    r.ended = (int)(nondet_u64() & 1);
    __CPROVER_assume(r.size <= BYTES && r.at <= r.size);
    return r;
}
static void still_inside(const reader *r, size_t before)
{
    __CPROVER_assert(r->data == file && r->size == g.size, "the file is as it was");
    __CPROVER_assert(r->at >= before && r->at <= r->size, "the reader went on, and is inside");
}
static int inside(const void *at, uint64_t n)
{
    return n <= g.size && (const uint8_t *)at >= file
           && (size_t)((const uint8_t *)at - file) <= g.size - n;
}

void prove_header(void)
{
    reader r = anywhere();
    r.at = 0, r.ended = 0;
    if (read_header(&g, &r) == GGUF_OK)
        __CPROVER_assert(g.n_keys <= g.size / 13 && g.n_tensors <= g.size / 24, "counts fit");
    still_inside(&r, 0);
}

void prove_key(void)
{
    reader r = anywhere();
    const size_t before = r.at;
    gguf_key key;
    if (read_key(&g, &r, 0, &key) == GGUF_OK) {
        __CPROVER_assert(inside(key.name.text, key.name.n), "the name is inside");
        const gguf_type type = key.type == GGUF_ARRAY ? key.item : key.type;
        __CPROVER_assert(type < GGUF_TYPE_COUNT && type != GGUF_ARRAY, "its type is known");
        __CPROVER_assert(type == GGUF_STRING || key.n == 0 ||
                         (key.n <= BYTES && inside(key.data, key.n * type_bytes[type])),
                         "its values are inside");
    }
    still_inside(&r, before);
}

/* Any strings that were accepted can be walked. */
void prove_strings(void)
{
    reader r = anywhere();
    const size_t before = r.at;
    const uint64_t n = nondet_u64();
    const uint8_t *at = file + r.at;
    uint64_t i;
    skip_values(&r, GGUF_STRING, n);
    still_inside(&r, before);
    for (i = 0; i < n && !r.ended; i++) {
        const gguf_string s = gguf_next_string(&at);
        __CPROVER_assert(inside(s.text, s.n), "a string is inside");
    }
    __CPROVER_assert(r.ended || at == file + r.at, "and the last ends where the reader stands");
}

void prove_tensor(void)
{
    reader r = anywhere();
    const size_t before = r.at;
    uint64_t offset;
    gguf_tensor t;
    if (read_tensor(&g, &r, 0, &t, &offset) == GGUF_OK) {
        __CPROVER_assert(inside(t.name.text, t.name.n), "the name is inside");
        __CPROVER_assert(t.n_dims >= 1 && t.n_dims <= 4, "as many dimensions as there is room for");
    }
    still_inside(&r, before);
}

/* Matrices of up to 127 columns and rows: more or wider factors are too much for the solver. */
void prove_place(void)
{
    const reader r = anywhere();
    const uint64_t offset = nondet_u64(), align = (uint64_t)8 << (nondet_u64() & 15);
    const uint64_t cols = nondet_u64() & 127, rows = nondet_u64() & 127;
    gguf_tensor t = { { (const char *)file, 0 }, GGUF_TENSOR_F16, 2, { 0, 0, 1, 1 }, NULL };
    t.dims[0] = cols, t.dims[1] = rows;
    if (place_tensor(&g, &t, offset, nondet_size(), align) == GGUF_OK)
        __CPROVER_assert(cols && rows && cols <= BYTES && rows <= BYTES &&
                         inside(t.data, 2 * cols * rows), "the data is inside");
    still_inside(&r, r.at);
}
