/* bytes.h - a cursor over a fuzzer's input, which turns its bytes into choices. Past the end all
   bytes are 0, so that every input means something, and a shorter one mostly less. */
#ifndef BYTES_H
#define BYTES_H
#include <stddef.h>
#include <stdint.h>

typedef struct bytes { const uint8_t *at, *end; } bytes;

bytes    bytes_of(const uint8_t *data, size_t size);
size_t   bytes_left(const bytes *b);
uint64_t bytes_take(bytes *b, int n);                /* n <= 8 bytes, little-endian */

/* low .. high, by as few bytes as that takes; high - low < 2^32. */
int64_t  bytes_in(bytes *b, int64_t low, int64_t high);
int      bytes_flag(bytes *b);                       /* 0 or 1 */
int      bytes_rarely(bytes *b, int of);             /* 1 for one byte in `of`, never for a 0 */

/* Any number: mostly small, else beside one of the edges that sizes have, or eight bytes as they
   are. */
int64_t  bytes_int(bytes *b);
int32_t  bytes_int32(bytes *b);
double   bytes_real(bytes *b);                       /* likewise: 0, NaN, infinities, tiny, huge */
#endif
