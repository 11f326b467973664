/* driver.c - a fuzzer without libFuzzer, for any compiler: replays files and all files of folders,
   or with --random SEED N so many inputs of random bytes, or with --seconds N as many as that time
   allows. Closes with "NAME: N passed, 0 failed"; what fails ends it before that. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t replayed;

static void replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    long n;
    if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) < 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    rewind(f);
    data = (uint8_t *)malloc((size_t)n + 1);
    if (!data || fread(data, 1, (size_t)n, f) != (size_t)n) exit(1);
    fclose(f);
    fuzz_say("%s", path);
    LLVMFuzzerTestOneInput(data, (size_t)n);
    free(data);
    replayed++;
}

static void replay_all(const char *path)
{
    char name[4096];
    struct dirent *entry;
    DIR *dir = opendir(path);
    if (!dir) { replay(path); return; }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        replay_all(name);
    }
    closedir(dir);
}

/* Lengths of all orders, bytes of all kinds: any, small, or mostly 0. */
static void random_input(uint64_t seed)
{
    static uint8_t data[4096];
    const uint64_t h = fuzz_hash(seed, 1, 0), mask = h >> 32 & 3;
    size_t n = (size_t)(h % ((uint64_t)16 << (h >> 16) % 9)), i;
    for (i = 0; i < n; i++) {
        const uint64_t x = fuzz_hash(seed, 2, i);
        data[i] = (uint8_t)(mask == 0 ? x & 7 : mask == 1 && x >> 60 ? 0 : x);
    }
    fuzz_say("--random %llu 1", (unsigned long long)seed);
    LLVMFuzzerTestOneInput(data, n);
    replayed++;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    int64_t i, n;
    uint64_t seed;
    if (argc == 4 && !strcmp(argv[1], "--random")) {
        seed = strtoull(argv[2], NULL, 0), n = strtoll(argv[3], NULL, 0);
        for (i = 0; i < n; i++) random_input(seed + (uint64_t)i);
    } else if (argc == 3 && !strcmp(argv[1], "--seconds")) {
        const time_t end = time(NULL) + strtol(argv[2], NULL, 0);
        for (seed = (uint64_t)end; time(NULL) < end; seed++) {
            fprintf(stderr, "--random %llu 1\r", (unsigned long long)seed);
            random_input(seed);
        }
    } else for (i = 1; i < argc; i++) replay_all(argv[i]);
    printf("%s: %lld passed, 0 failed\n", name ? name + 1 : argv[0], (long long)replayed);
    return replayed == 0;
}
