/* fuzz.c - see fuzz.h and bytes.h. */
#if !defined(_DEFAULT_SOURCE)
#  define _DEFAULT_SOURCE 1      /* MAP_ANONYMOUS */
#endif
#include "fuzz.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#  define FUZZ_PAGES 1
#  include <sys/mman.h>
#  include <unistd.h>
#endif

void fuzz_fail(const char *file, int line, const char *what, const char *detail, ...)
{
    va_list args;
    fprintf(stderr, "FAIL %s:%d: %s: ", file, line, what);
    va_start(args, detail);
    vfprintf(stderr, detail, args);
    va_end(args);
    fprintf(stderr, "\n");
    fflush(NULL);
    abort();
}

void fuzz_say(const char *text, ...)
{
    static int verbose = -1;
    va_list args;
    if (verbose < 0) verbose = getenv("FUZZ_VERBOSE") != NULL;
    if (!verbose) return;
    va_start(args, text);
    vfprintf(stderr, text, args);
    va_end(args);
    fprintf(stderr, "\n");
}

/* ---- bytes */
bytes bytes_of(const uint8_t *data, size_t size)
{
    bytes b;
    b.at = data, b.end = data + size;
    return b;
}

size_t bytes_left(const bytes *b) { return (size_t)(b->end - b->at); }

uint64_t bytes_take(bytes *b, int n)
{
    uint64_t x = 0;
    int i;
    for (i = 0; i < n; i++) if (b->at < b->end) x |= (uint64_t)*b->at++ << 8 * i;
    return x;
}

int64_t bytes_in(bytes *b, int64_t low, int64_t high)
{
    const uint64_t n = (uint64_t)(high - low) + 1;
    return low + (int64_t)(bytes_take(b, n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n);
}

int bytes_flag(bytes *b) { return (int)(bytes_take(b, 1) & 1); }

int bytes_rarely(bytes *b, int of) { return bytes_take(b, 1) % (unsigned)of == (unsigned)of - 1; }

int64_t bytes_int(bytes *b)
{
    static const int64_t edges[] = {
        0, 1 << 8, 1 << 16, (int64_t)1 << 24, INT32_MAX, (int64_t)1 << 32, (int64_t)1 << 40,
        (int64_t)1 << 48, (int64_t)1 << 56, (int64_t)1 << 60, (int64_t)1 << 61, (int64_t)1 << 62,
        INT64_MAX, INT64_MIN, INT32_MIN, -((int64_t)1 << 48)
    };
    const unsigned kind = (unsigned)bytes_take(b, 1);
    const uint64_t off = kind & 0xf;
    if (kind < 0x80) return kind;
    if (kind < 0x90) return (int64_t)bytes_take(b, 8);
    if (kind < 0xa0) return (int64_t)bytes_take(b, 2);
    if (kind < 0xb0) return -(int64_t)off;
    return (int64_t)((uint64_t)edges[bytes_take(b, 1) % 16] + off - 8);
}

int32_t bytes_int32(bytes *b)
{
    const uint32_t x = (uint32_t)(uint64_t)bytes_int(b);
    int32_t y;
    memcpy(&y, &x, sizeof y);
    return y;
}

double bytes_real(bytes *b)
{
    static const double odd[] = {
        0, 1, -1, 1e-45, 1e-310, 1e-30, 1e30, 3e38, 1e300, 1.7e308, -1e30, -1e300, 0, 0, 0, 0
    };
    const unsigned kind = (unsigned)bytes_take(b, 1);
    double x;
    uint64_t bits;
    if (kind < 0x40) return (double)kind / 4;
    if (kind < 0x80) return (double)bytes_take(b, 4) / 256;
    if (kind < 0xc0) return (double)(int64_t)bytes_int(b);
    if (kind < 0xf0) return odd[kind & 0xf];
    if (kind < 0xf2) return (double)INFINITY;
    if (kind < 0xf4) return -(double)INFINITY;
    if (kind < 0xf8) return (double)NAN;
    bits = bytes_take(b, 8);
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- numbers */
uint64_t fuzz_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t z = seed + a * 0x9e3779b97f4a7c15u + b * 0xd1342543de82ef95u + 0x632be59bd9b4e019u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

float fuzz_uniform(uint64_t seed, uint64_t a, uint64_t b)
{
    return (float)(fuzz_hash(seed, a, b) >> 40) / 8388608.0f - 1.0f;
}

/* ---- memory */
enum { HEAD = 64, MAGIC = 0x6d656d };
typedef struct head { int64_t size, magic; } head;

#ifdef __GNUC__
#  define ADD(count, n) __atomic_add_fetch(count, n, __ATOMIC_RELAXED)
#  define LOAD(count)   __atomic_load_n(count, __ATOMIC_RELAXED)
#  define STORE(count, n) __atomic_store_n(count, n, __ATOMIC_RELAXED)
#else
#  define ADD(count, n) (*(count) += (n))
#  define LOAD(count)   (*(count))
#  define STORE(count, n) ((void)(*(count) = (n)))
#endif

static void *memory_alloc(void *user, size_t size, size_t align)
{
    fuzz_memory *m = (fuzz_memory *)user;
    head h;
    char *raw, *p;
    int64_t now;
    ADD(&m->asked, 1);
    FUZZ_CHECK(align == HEAD, "alignment %zu", align);
    if (m->fail_at && --m->fail_at == 0) { m->failed++; return NULL; }
    if (m->most && (size > (size_t)m->most || LOAD(&m->bytes) + (int64_t)size > m->most)) {
        m->failed++;
        return NULL;
    }
    if (!(raw = (char *)malloc(size + 2 * HEAD))) return NULL;
    p = raw + HEAD + (HEAD - (uintptr_t)raw % HEAD) % HEAD;
    h.size = (int64_t)size, h.magic = MAGIC + (p - raw);
    memcpy(p - sizeof h, &h, sizeof h);
    memset(p, 0xa5, size);
    ADD(&m->pieces, 1);
    now = ADD(&m->bytes, (int64_t)size);
    if (now > LOAD(&m->peak)) STORE(&m->peak, now);
    return p;
}

static void memory_free(void *user, void *ptr, size_t size)
{
    fuzz_memory *m = (fuzz_memory *)user;
    char *p = (char *)ptr;
    head h;
    memcpy(&h, p - sizeof h, sizeof h);
    FUZZ_CHECK(h.magic > MAGIC && h.magic <= MAGIC + 2 * HEAD, "freed what was not handed out");
    FUZZ_CHECK(h.size == (int64_t)size, "%lld bytes come back as %lld", (long long)h.size,
               (long long)size);
    ADD(&m->pieces, -1);
    ADD(&m->bytes, -(int64_t)size);
    memset(p, 0x5a, size);
    free(p - (h.magic - MAGIC));
}

lctx_allocator fuzz_allocator(fuzz_memory *m)
{
    lctx_allocator a;
    a.alloc = memory_alloc, a.free = memory_free, a.user = m;
    return a;
}

/* ---- streams */
static void *grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return p;
    *cap = need + *cap;
    p = realloc(p, *cap * size);
    if (!p) abort();
    return p;
}

int fuzz_write(void *stream, const void *data, size_t n)
{
    fuzz_stream *s = (fuzz_stream *)stream;
    if (s->most && s->n + n > s->most) return 1;
    s->data = (uint8_t *)grow(s->data, &s->cap, s->n + n + 1, 1);
    s->cut = (size_t *)grow(s->cut, &s->cap_cut, s->n_cut + 2, sizeof *s->cut);
    s->cut[s->n_cut++] = s->n;
    if (n) memcpy(s->data + s->n, data, n);
    s->n += n;
    s->cut[s->n_cut] = s->n;
    return 0;
}

int fuzz_read(void *stream, void *data, size_t n)
{
    fuzz_stream *s = (fuzz_stream *)stream;
    if (n > s->n - s->at) return 1;
    if (n) memcpy(data, s->data + s->at, n);
    s->at += n;
    return 0;
}

void fuzz_stream_free(fuzz_stream *s)
{
    free(s->data);
    free(s->cut);
    memset(s, 0, sizeof *s);
}

/* ---- guarded buffers */
#ifdef FUZZ_PAGES
static char *guarded_slot(int slot)
{
    static char *base;
    const size_t gap = sizeof(size_t) > 4 ? (size_t)1 << 32 : (size_t)1 << 22;
    if (!base) {
        int i;
        base = (char *)mmap(NULL, gap * (FUZZ_SLOTS + 1), PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) abort();
        for (i = 0; i < FUZZ_SLOTS; i++)
            if (mprotect(base + gap / 2 + gap * (size_t)i, FUZZ_SLOT, PROT_READ | PROT_WRITE))
                abort();
    }
    return base + gap / 2 + gap * (size_t)slot;
}
#else
static char *guarded_slot(int slot)
{
    static char slots[FUZZ_SLOTS][FUZZ_SLOT];
    return slots[slot];
}
#endif

/* What lies before or behind n bytes on the same pages, or on enough of them. */
static size_t guarded_pad(size_t n)
{
    const size_t page = 4096, pad = (page - n % page) % page;
    return n + pad <= FUZZ_SLOT ? pad : FUZZ_SLOT - n;
}

void *fuzz_guarded(int slot, size_t n, int low, int fill)
{
    char *at = guarded_slot(slot);
    const size_t pad = guarded_pad(n);
    FUZZ_CHECK(slot < FUZZ_SLOTS && n <= FUZZ_SLOT, "slot %d of %zu bytes", slot, n);
    if (!low) at += FUZZ_SLOT - n - pad;
    memset(at, fill, n + pad);
    return low ? at : at + pad;
}

int fuzz_guarded_rest(int slot, size_t n, int low, int fill)
{
    const char *at = guarded_slot(slot);
    const size_t pad = guarded_pad(n);
    size_t i;
    at += low ? n : FUZZ_SLOT - n - pad;
    for (i = 0; i < pad; i++) if (at[i] != (char)fill) return 0;
    return 1;
}

/* ---- cancelling */
int fuzz_progress(void *stop, int64_t done, int64_t total)
{
    fuzz_stop *s = (fuzz_stop *)stop;
    FUZZ_CHECK(done >= 0 && done <= total, "%lld of %lld done", (long long)done, (long long)total);
    return ++s->calls == s->at;
}
