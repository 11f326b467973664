#if defined(__unix__) || defined(__APPLE__)
#  define OS_POSIX 1
#  define _POSIX_C_SOURCE 200809L
#  define _FILE_OFFSET_BITS 64
#  include <fcntl.h>
#  include <sys/mman.h>
#  include <sys/resource.h>
#  include <sys/stat.h>
#  include <unistd.h>
#elif defined(_WIN32)
#  define WIN32_LEAN_AND_MEAN
#  define PSAPI_VERSION 2             /* in kernel32 */
#  include <windows.h>
#  include <psapi.h>
#  include <fcntl.h>
#  include <io.h>
#endif
#include "os.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#ifdef OS_POSIX
/* Only regular files that are not empty can be mapped. Returns 0 if this one now is. */
static int map_file(os_file *file, FILE *stream, int writable)
{
    struct stat info;
    void *data;
    if (fstat(fileno(stream), &info) || !S_ISREG(info.st_mode) || info.st_size <= 0) return -1;
    if ((uintmax_t)info.st_size > SIZE_MAX) return -1;
    data = mmap(NULL, (size_t)info.st_size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                MAP_PRIVATE, fileno(stream), 0);
    if (data == MAP_FAILED) return -1;
    file->data = data;
    file->size = (size_t)info.st_size;
    file->mapped = 1;
    return 0;
}

static void unmap_file(os_file *file) { munmap((void *)(uintptr_t)file->data, file->size); }

static void read_as_bytes(FILE *stream) { (void)stream; }

int os_seek(FILE *stream, int64_t at) { return fseeko(stream, (off_t)at, SEEK_SET); }

int os_replace(const char *from, const char *to) { return rename(from, to) ? errno : 0; }

static double read_clock(clockid_t clock_id)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double os_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

double os_cpu_seconds(void)
{
#ifdef CLOCK_THREAD_CPUTIME_ID
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

int64_t os_peak_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
#  ifdef __APPLE__
    return usage.ru_maxrss;             /* bytes there, kilobytes elsewhere */
#  else
    return (int64_t)usage.ru_maxrss * 1024;
#  endif
}

int64_t os_own_bytes(void)
{
    char line[200] = "", *at = line;
    FILE *file = fopen("/proc/self/statm", "r");       /* pages: all, held, of files */
    int64_t held;
    if (file && !fgets(line, sizeof line, file)) line[0] = 0;
    if (file) fclose(file);
    (void)strtoll(at, &at, 10);
    held = strtoll(at, &at, 10);
    return (held - strtoll(at, &at, 10)) * sysconf(_SC_PAGESIZE);
}

int os_is_terminal(FILE *stream) { return isatty(fileno(stream)); }

#elif defined(_WIN32)
static int map_file(os_file *file, FILE *stream, int writable)
{
    HANDLE handle = (HANDLE)_get_osfhandle(_fileno(stream)), mapping;
    LARGE_INTEGER size;
    if (!GetFileSizeEx(handle, &size) || size.QuadPart <= 0) return -1;
    if ((uint64_t)size.QuadPart > SIZE_MAX) return -1;
    mapping = CreateFileMappingA(handle, NULL, writable ? PAGE_WRITECOPY : PAGE_READONLY, 0, 0,
                                 NULL);
    if (!mapping) return -1;
    file->data = MapViewOfFile(mapping, writable ? FILE_MAP_COPY : FILE_MAP_READ, 0, 0, 0);
    CloseHandle(mapping);                               /* the view keeps it */
    if (!file->data) return -1;
    file->size = (size_t)size.QuadPart;
    file->mapped = 1;
    return 0;
}

static void unmap_file(os_file *file) { UnmapViewOfFile(file->data); }

static void read_as_bytes(FILE *stream) { _setmode(_fileno(stream), _O_BINARY); }

int os_seek(FILE *stream, int64_t at) { return _fseeki64(stream, at, SEEK_SET); }

int os_replace(const char *from, const char *to)
{
    return MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : EACCES;
}

double os_seconds(void)
{
    LARGE_INTEGER ticks, frequency;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&frequency);
    return (double)ticks.QuadPart / (double)frequency.QuadPart;
}

double os_cpu_seconds(void)
{
    FILETIME made, ended, kernel, user;
    if (!GetThreadTimes(GetCurrentThread(), &made, &ended, &kernel, &user)) return 0;
    return 1e-7 * (4294967296.0 * ((double)kernel.dwHighDateTime + (double)user.dwHighDateTime)
                   + (double)kernel.dwLowDateTime + (double)user.dwLowDateTime);
}

int64_t os_peak_bytes(void)
{
    PROCESS_MEMORY_COUNTERS counters;
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)) return 0;
    return (int64_t)counters.PeakWorkingSetSize;
}

int64_t os_own_bytes(void) { return 0; }
int os_is_terminal(FILE *stream) { return _isatty(_fileno(stream)); }

#else
static int map_file(os_file *file, FILE *stream, int writable)
{
    (void)file, (void)stream, (void)writable;
    return -1;
}
static void unmap_file(os_file *file) { (void)file; }
static void read_as_bytes(FILE *stream) { (void)stream; }

int os_seek(FILE *stream, int64_t at)
{
    return at > LONG_MAX || fseek(stream, (long)at, SEEK_SET);
}

int os_replace(const char *from, const char *to)
{
    remove(to);                                         /* C does not say that rename may replace */
    return rename(from, to) ? errno : 0;
}

double os_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }
double os_cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }
int64_t os_peak_bytes(void) { return 0; }
int64_t os_own_bytes(void) { return 0; }
int os_is_terminal(FILE *stream) { (void)stream; return 0; }
#endif

uint64_t os_hash(uint64_t sum, const void *data, size_t n)
{
    const unsigned char *bytes = data;
    size_t i;
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): who calls has filled them */
    for (i = 0; i < n; i++) sum = (sum ^ bytes[i]) * 0x100000001B3u;
    return sum;
}

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

static int open_file(os_file *file, const char *path, int writable)
{
    FILE *stream = path ? fopen(path, "rb") : stdin;
    int error = 0;
    *file = (os_file){0};
    if (!stream) return errno ? errno : EIO;
    if (!path) read_as_bytes(stream);
    if (!path || map_file(file, stream, writable)) error = read_stream(file, stream);
    if (path) fclose(stream);
    return error;
}

int os_file_open(os_file *file, const char *path) { return open_file(file, path, 0); }
int os_file_open_copy(os_file *file, const char *path) { return open_file(file, path, 1); }

void os_file_close(os_file *file)
{
    if (file->mapped) unmap_file(file);
    else free((void *)(uintptr_t)file->data);
    *file = (os_file){0};
}
