/* os.h - what the examples ask of the system: files in memory, sums of bytes, the clock,
   memory used, terminals.
   POSIX where there is one (mmap, getrusage), Windows' own calls there; plain C elsewhere. */
#ifndef OS_H
#define OS_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Of a function whose arguments are as printf's. */
#if defined(__MINGW32__) && !defined(__clang__)
#  define OS_PRINTF(format_at, args_at) __attribute__((format(gnu_printf, format_at, args_at)))
#elif defined(__GNUC__)
#  define OS_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#else
#  define OS_PRINTF(format_at, args_at)
#endif

typedef struct os_file {
    const void *data;      /* never null once open, not even when the file is empty */
    size_t      size;
    int         mapped;
} os_file;

/* A whole file, mapped if it can be, else read; path null is standard input. Returns 0 or an errno.
   A mapped file must not be truncated by others while it is in use. */
int  os_file_open(os_file *file, const char *path);
int  os_file_open_copy(os_file *file, const char *path);     /* and change its bytes, in memory alone */
void os_file_close(os_file *file);

#define OS_HASH_BEGIN 0xCBF29CE484222325u
uint64_t os_hash(uint64_t sum, const void *data, size_t n);      /* FNV-1a, on from sum */

int os_seek(FILE *stream, int64_t at);              /* from the start; nonzero on failure */
int os_replace(const char *from, const char *to);   /* renames over an older file; 0 or an errno */

double  os_seconds(void);               /* a clock that only runs forward */
double  os_cpu_seconds(void);           /* computed by this thread; else by the process */
int64_t os_peak_bytes(void);            /* the most memory this process has held; 0 if unknown */
int64_t os_own_bytes(void);             /* held now that no file backs; 0 if unknown */
int     os_is_terminal(FILE *stream);
#endif
