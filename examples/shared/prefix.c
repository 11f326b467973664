#include "prefix.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };
#define MARK "lctx pages 1, "

static size_t token_bytes(const prefix *p) { return (size_t)p->block * sizeof(int32_t); }

int prefix_open(prefix *p, const char *path, const char *label, const lctx_session *s, int64_t block)
{
    int error;
    memset(p, 0, sizeof *p);
    p->path = path, p->block = block, p->sum = OS_HASH_BEGIN;
    if (lctx_session_page_size(s, &p->page)) return ENOTSUP;
    p->record = (sizeof(uint64_t) + token_bytes(p) + ALIGN - 1) / ALIGN * ALIGN + p->page;
    snprintf(p->head, sizeof p->head, MARK "%lld tokens and %zu bytes each, %s-endian\n%s",
             (long long)block, p->page, *(const uint8_t *)&(uint16_t){ 1 } ? "little" : "big", label);
    error = os_file_open_copy(&p->file, path);
    if (error) {
        memset(&p->file, 0, sizeof p->file);
        return error == ENOENT ? 0 : error;
    }
    if (p->file.size >= PREFIX_HEAD && !memcmp(p->file.data, p->head, PREFIX_HEAD)) return 0;
    if (p->file.size && (p->file.size < sizeof MARK || memcmp(p->file.data, MARK, sizeof MARK - 1)))
        error = EEXIST;
    prefix_close(p);
    return error;
}

void prefix_close(prefix *p)
{
    if (p->file.data) os_file_close(&p->file);
    memset(&p->file, 0, sizeof p->file);
}

int64_t prefix_restore(prefix *p, lctx_session *s, const int32_t *tokens, int64_t n)
{
    uint64_t sum = p->sum = OS_HASH_BEGIN, stored;
    for (p->n = 0; (p->n + 1) * p->block < n; p->n++, p->sum = sum) {
        const size_t at = PREFIX_HEAD + (size_t)p->n * p->record;
        char *record;
        if (at > p->file.size || p->record > p->file.size - at) break;
        record = (char *)(uintptr_t)p->file.data + at;
        sum = os_hash(sum, tokens + p->n * p->block, token_bytes(p));
        memcpy(&stored, record, sizeof stored);
        if (stored != sum || memcmp(record + sizeof sum, tokens + p->n * p->block, token_bytes(p)))
            break;
        if (lctx_session_page_restore(s, p->n, record + p->record - p->page)) break;
    }
    return p->n * p->block;
}

/* The page, then its tokens, then the sum that makes it valid. */
static int write_record(const prefix *p, FILE *file, int64_t i, const char *page, uint64_t sum,
                        const int32_t *tokens)
{
    static const uint64_t invalid = 0;
    const int64_t at = (int64_t)(PREFIX_HEAD + (size_t)i * p->record);
    return os_seek(file, at) || fwrite(&invalid, sizeof invalid, 1, file) != 1
        || fwrite(tokens, token_bytes(p), 1, file) != 1
        || os_seek(file, at + (int64_t)(p->record - p->page))
        || fwrite(page, p->page, 1, file) != 1 || fflush(file)
        || os_seek(file, at) || fwrite(&sum, sizeof sum, 1, file) != 1;
}

int prefix_save(prefix *p, const lctx_session *s, const int32_t *tokens, int64_t n)
{
    const int fresh = !p->file.data && !p->begun;
    char *page;
    FILE *file;
    int bad;
    if (!fresh && (p->n + 1) * p->block > n) return 0;
    if (!(page = malloc(p->page))) return ENOMEM;
    file = fopen(p->path, fresh ? "wb" : "r+b");
    bad = !file || (fresh && fwrite(p->head, PREFIX_HEAD, 1, file) != 1);
    p->begun |= !bad;
    for (; !bad && (p->n + 1) * p->block <= n; p->n += !bad) {
        if (lctx_session_page_save(s, p->n, page)) break;
        p->sum = os_hash(p->sum, tokens + p->n * p->block, token_bytes(p));
        bad = write_record(p, file, p->n, page, p->sum, tokens + p->n * p->block);
    }
    if (file) bad |= fclose(file) != 0;
    free(page);
    return bad ? errno ? errno : EIO : 0;
}
