/* files.h - files for tests to spoil. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include "os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file's first n bytes, of which byte `at` is another one (at < 0: none). */
static void spoil(const char *path, size_t n, int64_t at)
{
    os_file f;
    FILE *out;
    char *copy;
    if (os_file_open(&f, path)) return;
    copy = (char *)malloc(f.size);
    memcpy(copy, f.data, f.size);
    if (n > f.size) n = f.size;
    os_file_close(&f);
    if (at >= 0) copy[at] ^= 1;
    out = fopen(path, "wb");
    if (out) fwrite(copy, 1, n, out), fclose(out);
    free(copy);
}

#endif
