#if defined(__unix__) || defined(__APPLE__)
#  define OS_POSIX 1
#  define _POSIX_C_SOURCE 200809L
#  define _FILE_OFFSET_BITS 64
#  include <fcntl.h>
#  include <sys/mman.h>
#  include <sys/resource.h>
#  include <sys/stat.h>
#  include <unistd.h>
#endif
#include "os.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int read_stream(os_file *file, FILE *stream)
{
    char  *data = malloc(1);
    size_t held = 1, n = 0, got;
    if (!data) return ENOMEM;
    errno = 0;
    while ((got = fread(data + n, 1, held - n, stream)) > 0) {
        char *more;
        n += got;
        if (n < held) continue;
        more = held <= SIZE_MAX / 2 ? realloc(data, held *= 2) : NULL;
        if (!more) { free(data); return ENOMEM; }
        data = more;
    }
    if (ferror(stream)) { free(data); return errno ? errno : EIO; }
    file->data = data;
    file->size = n;
    return 0;
}

#ifdef OS_POSIX
/* Only regular files that are not empty can be mapped. Returns 0 if this one now is. */
static int map_file(os_file *file, FILE *stream)
{
    struct stat info;
    void *data;
    if (fstat(fileno(stream), &info) || !S_ISREG(info.st_mode) || info.st_size <= 0) return -1;
    if ((uintmax_t)info.st_size > SIZE_MAX) return -1;
    data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fileno(stream), 0);
    if (data == MAP_FAILED) return -1;
    file->data = data;
    file->size = (size_t)info.st_size;
    file->mapped = 1;
    return 0;
}
#else
static int map_file(os_file *file, FILE *stream) { (void)file, (void)stream; return -1; }
#endif

int os_file_open(os_file *file, const char *path)
{
    FILE *stream = path ? fopen(path, "rb") : stdin;
    int error = 0;
    *file = (os_file){0};
    if (!stream) return errno ? errno : EIO;
    if (!path || map_file(file, stream)) error = read_stream(file, stream);
    if (path) fclose(stream);
    return error;
}

void os_file_close(os_file *file)
{
#ifdef OS_POSIX
    if (file->mapped) munmap((void *)(uintptr_t)file->data, file->size);
    else
#endif
    free((void *)(uintptr_t)file->data);
    *file = (os_file){0};
}

double os_seconds(void)
{
#ifdef OS_POSIX
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

double os_cpu_seconds(void)
{
#if defined(OS_POSIX) && defined(CLOCK_THREAD_CPUTIME_ID)
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

int64_t os_peak_bytes(void)
{
#ifdef OS_POSIX
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
#  ifdef __APPLE__
    return usage.ru_maxrss;             /* bytes there, kilobytes elsewhere */
#  else
    return (int64_t)usage.ru_maxrss * 1024;
#  endif
#else
    return 0;
#endif
}

int os_is_terminal(FILE *stream)
{
#ifdef OS_POSIX
    return isatty(fileno(stream));
#else
    (void)stream;
    return 0;
#endif
}
