/* fuzz.h - what the fuzzers share. Each is one function from bytes to nothing, which libFuzzer
   calls (make fuzz), or driver.c on files (the corpus, a finding) and on random bytes. */
#ifndef FUZZ_H
#define FUZZ_H
#include "bytes.h"
#include "lctx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; else a line that says what does not, and the end. */
#define FUZZ_CHECK(x, ...) ((x) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #x, __VA_ARGS__))
#ifdef __GNUC__
__attribute__((format(printf, 4, 5), noreturn))
#endif
void fuzz_fail(const char *file, int line, const char *what, const char *detail, ...);

/* With FUZZ_VERBOSE=1 in the environment: a line about what is done, to read a finding by. */
#ifdef __GNUC__
__attribute__((format(printf, 1, 2)))
#endif
void fuzz_say(const char *text, ...);

/* ---- numbers that depend on their places alone */
uint64_t fuzz_hash(uint64_t seed, uint64_t a, uint64_t b);
float    fuzz_uniform(uint64_t seed, uint64_t a, uint64_t b);      /* -1 .. 1 */

/* ---- an allocator that counts, hands out what is not zero, checks what it is given back, and has
   no more memory at the request number fail_at (1 is the next; 0 = never) or beyond `most` bytes.
   It may be shared by threads but for fail_at. */
typedef struct fuzz_memory {
    int64_t bytes, peak, pieces, asked, fail_at, failed, most;
} fuzz_memory;
lctx_allocator fuzz_allocator(fuzz_memory *m);

/* ---- streams in memory: `cuts` remembers where writes began. Writing beyond `most` bytes (0 =
   none) fails, and so does reading beyond n. */
typedef struct fuzz_stream {
    uint8_t *data;
    size_t   n, cap, at, most;
    size_t  *cut;
    size_t   n_cut, cap_cut;
} fuzz_stream;
int  fuzz_write(void *stream, const void *data, size_t n);
int  fuzz_read(void *stream, void *data, size_t n);
void fuzz_stream_free(fuzz_stream *s);

/* ---- buffers between pages that nobody may touch; slot 0 .. FUZZ_SLOTS-1 holds one at a time, n
   bytes at most FUZZ_SLOT. It ends where the forbidden begins, or begins where that ends (low); its
   bytes are `fill`, and so are the rest of the pages it lies on. */
enum { FUZZ_SLOTS = 28, FUZZ_SLOT = 1 << 18 };
void *fuzz_guarded(int slot, size_t n, int low, int fill);
int   fuzz_guarded_rest(int slot, size_t n, int low, int fill);    /* is that rest as it was? */

/* ---- cancelling: a progress callback that asks to stop at its call number `at` (1 = the first) */
typedef struct fuzz_stop { int64_t at, calls; } fuzz_stop;
int fuzz_progress(void *stop, int64_t done, int64_t total);
#endif
