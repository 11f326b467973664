#include "memory.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MARK "lctx memory 1, "
#define BEHIND_ALL ((int64_t)1 << 40)       /* a position */

OS_PRINTF(2, 3) static int refuse(memory *m, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    vsnprintf(m->error, sizeof m->error, why, args);
    va_end(args);
    return -1;
}

/* The head of a file of n records. */
static void set_head(memory *m, int64_t n)
{
    memset(m->head, 0, sizeof m->head);
    snprintf(m->head, sizeof m->head, MARK "%lld pages of %zu bytes, %lld a piece, "
             "%s-endian\n%s", (long long)n, m->page, (long long)m->each,
             *(const uint8_t *)&(uint16_t){ 1 } ? "little" : "big", m->label);
}

static int begin(memory *m, const char *label, const lctx_session *s, int64_t each)
{
    memset(m, 0, sizeof *m);
    m->each = each;
    snprintf(m->label, sizeof m->label, "%s", label);
    if (lctx_session_page_size(s, &m->page)) return refuse(m, "this session has no pages");
    m->record = MEMORY_PLACE + m->page;
    return 0;
}

/* ---- writing */
int memory_begin(memory *m, const char *path, const char *label, const lctx_session *s,
                 int64_t each)
{
    if (begin(m, label, s, each)) return -1;
    m->work = malloc(m->record);
    if (!m->work) return refuse(m, "no memory");
    set_head(m, 0);
    m->to = fopen(path, "wb");
    if (!m->to || fwrite(m->head, MEMORY_HEAD, 1, m->to) != 1) {
        refuse(m, "%s", strerror(errno));
        memory_close(m);
        return -1;
    }
    return 0;
}

int memory_add(memory *m, const lctx_session *s, int64_t page, int64_t book, int64_t place)
{
    lctx_status st = lctx_session_page_save(s, page, m->work + MEMORY_PLACE);
    if (st) return refuse(m, "%s", lctx_status_text(st));
    memset(m->work, 0, MEMORY_PLACE);
    memcpy(m->work, &book, sizeof book), memcpy(m->work + sizeof book, &place, sizeof place);
    if (fwrite(m->work, m->record, 1, m->to) != 1) return refuse(m, "%s", strerror(errno));
    m->n++;
    return 0;
}

int memory_end(memory *m)
{
    int bad;
    set_head(m, m->n);
    bad = fflush(m->to) || os_seek(m->to, 0) || fwrite(m->head, MEMORY_HEAD, 1, m->to) != 1;
    bad |= fclose(m->to) != 0;
    m->to = NULL;
    if (bad) refuse(m, "%s", strerror(errno));
    memory_close(m);
    return bad;
}

/* ---- reading */

/* Whether the file is whole and of these settings. */
static int check(memory *m)
{
    const char *data = m->file.data;
    const size_t mark = sizeof MARK - 1, rest = m->file.size - MEMORY_HEAD;
    if (m->file.size < MEMORY_HEAD || memcmp(data, MARK, mark) || data[MEMORY_HEAD - 1])
        return refuse(m, "not a file of memories");
    m->n = (int64_t)strtoll(data + mark, NULL, 10);
    set_head(m, m->n);
    if (memcmp(data, m->head, MEMORY_HEAD))
        return refuse(m, "made with another model, RoPE, type or window");
    if (m->n < 1 || m->n % m->each) return refuse(m, "its writing was not finished");
    if (rest % m->record || rest / m->record != (uint64_t)m->n)
        return refuse(m, "cut: %lld pages are missing",
                      (long long)(m->n - (int64_t)(rest / m->record)));
    return 0;
}

static char *record(const memory *m, int64_t i)
{
    return (char *)(uintptr_t)m->file.data + MEMORY_HEAD + (size_t)i * m->record;
}

int memory_open(memory *m, const char *path, const char *label, int64_t each, lctx_session *held)
{
    lctx_status st = LCTX_OK;
    int64_t i;
    int error;
    if (begin(m, label, held, each)) return -1;
    error = os_file_open_copy(&m->file, path);
    if (error) memset(&m->file, 0, sizeof m->file);
    if (error) return refuse(m, "%s", strerror(error));
    if (check(m)) return -1;
    m->held = held;
    m->votes = calloc((size_t)(m->n / each), sizeof *m->votes);
    if (!m->votes) return refuse(m, "no memory");
    for (i = 0; !st && i < m->n; i++)
        st = lctx_session_page_restore(held, i, record(m, i) + MEMORY_PLACE);
    return st ? refuse(m, "%s", lctx_status_text(st)) : 0;
}

void memory_close(memory *m)
{
    if (m->to) fclose(m->to);
    if (m->file.data) os_file_close(&m->file);
    free(m->votes);
    free(m->work);
    m->to = NULL, m->votes = NULL, m->work = NULL, m->work_bytes = 0;
    memset(&m->file, 0, sizeof m->file);
}

void memory_place(const memory *m, int64_t piece, int64_t *book, int64_t *place)
{
    const char *at = record(m, piece * m->each);
    memcpy(book, at, sizeof *book), memcpy(place, at + sizeof *book, sizeof *place);
}

/* ---- choosing */
static char *room(memory *m, size_t bytes)
{
    if (bytes > m->work_bytes) {
        free(m->work);
        m->work = malloc(bytes);
        m->work_bytes = m->work ? bytes : 0;
    }
    return m->work;
}

/* attn over other keys, all before it, with its queries, at q, as they stand behind a piece. */
static int behind(const memory *m, const lctx_attn *attn, float *q, lctx_attn *a)
{
    lctx_rope_job job = {0};
    *a = *attn;
    a->rope = NULL, a->far_rule = NULL, a->pattern = NULL, a->sink_logit = NULL, a->refused = NULL;
    a->q_pos0 = BEHIND_ALL;
    if (!attn->rope) return 0;
    job.n_tok = attn->n_q, job.n_head = attn->n_head, job.head_dim = attn->d_k;
    job.x = attn->q, job.x_token = attn->q_token, job.x_head = attn->q_head, job.out = q;
    job.pos0 = m->near + attn->q_pos0, job.par = attn->par;
    a->q = q, a->q_token = a->q_head = 0;
    return lctx_rope_apply(attn->rope, &job) != LCTX_OK;
}

static lctx_status choose(const lctx_attn *a, const lctx_choice *by, int32_t *list)
{
    size_t bytes;
    lctx_status st = lctx_choose_size(a, by, &bytes);
    void *scratch = st ? NULL : malloc(bytes);
    if (!st) st = scratch ? lctx_choose(a, by, list, scratch, bytes) : LCTX_E_MEMORY;
    free(scratch);
    return st;
}

/* Each query gives votes to the two blocks, in each KV head, of the greatest bounds. A list always has
   the last block, so there is one more. */
static int vote(memory *m, const lctx_cache *cache, const lctx_attn *attn)
{
    enum { VOTES = 2, LIST = VOTES + 1 };
    const int64_t names = attn->n_q * attn->n_head_kv * LIST;
    const size_t at_q = (size_t)(m->n + 1) * sizeof(lctx_span);
    const size_t at_list = at_q + (size_t)(attn->n_q * attn->n_head * attn->d_k) * sizeof(float);
    char *work = room(m, at_list + (size_t)names * sizeof(int32_t));
    lctx_span *rows = (lctx_span *)(void *)work;
    const int32_t *list;
    lctx_choice by = {0};
    lctx_attn a;
    int64_t i, n;
    if (!work || behind(m, attn, (float *)(void *)(work + at_q), &a)) return -1;
    if (lctx_cache_summaries(cache, rows, m->n, &n) || n != m->n) return -1;
    rows[n] = rows[n - 1], rows[n].index = n;
    by.kind = LCTX_SCORE_BOUND, by.n_top = VOTES;
    a.list_queries = 1, a.list_heads = a.n_head_kv, a.list_len = LIST;
    a.spans = rows, a.n_spans = n + 1;
    if (choose(&a, &by, (int32_t *)(void *)(work + at_list))) return -1;
    for (i = 0, list = (int32_t *)(void *)(work + at_list); i < names; i++)
        if (list[i] >= 0 && list[i] < n) m->votes[list[i] / m->each]++;
    return 0;
}

int memory_choose(memory *m, int64_t n_pieces, lctx_session *chosen)
{
    int64_t k, i, best, page = 0;
    lctx_status st = LCTX_OK;
    for (k = 0; k < n_pieces && k < m->n / m->each; k++) {
        for (i = best = 0; i < m->n / m->each; i++) if (m->votes[i] > m->votes[best]) best = i;
        if (!k) m->best = best;
        m->votes[best] = -1;
        for (i = 0; !st && i < m->each; i++, page++)
            st = lctx_session_page_restore(chosen, page, record(m, best * m->each + i)
                                                         + MEMORY_PLACE);
    }
    m->chosen = chosen;
    return st ? refuse(m, "%s", lctx_status_text(st)) : 0;
}

/* ---- reading */

/* All of what was chosen: with every block, retrieval has the bits of attention. */
static lctx_status read_all(const lctx_cache *cache, const lctx_attn *a, int64_t n)
{
    lctx_retrieve all = {0};
    size_t bytes;
    lctx_status st;
    void *scratch;
    all.n_top = n, all.window = 1;
    st = lctx_cache_retrieve_size(cache, a, &all, &bytes);
    scratch = st ? NULL : malloc(bytes);
    if (!st) st = scratch ? lctx_cache_retrieve(cache, a, &all, scratch, bytes) : LCTX_E_MEMORY;
    free(scratch);
    return st;
}

static int recall(memory *m, const lctx_cache *cache, const lctx_attn *attn)
{
    const int64_t rows = attn->n_q * attn->n_head;
    const float *outs[2], *lses[2];
    float *q = (float *)(void *)room(m, (size_t)(rows * (attn->d_k + attn->d_v + 1)) * sizeof *q);
    lctx_attn a;
    if (!q || behind(m, attn, q, &a)) return -1;
    a.out = q + rows * a.d_k, a.lse = a.out + rows * a.d_v, a.out_token = a.lse_token = 0;
    if (read_all(cache, &a, m->n)) return -1;
    outs[0] = attn->out, outs[1] = a.out, lses[0] = attn->lse, lses[1] = a.lse;
    return lctx_merge(rows, a.d_v, 2, outs, lses, attn->out, attn->lse) != LCTX_OK;
}

int memory_join(void *user, int32_t layer, const lctx_attn *attn)
{
    memory *m = user;
    const lctx_cache *cache;
    if (lctx_session_cache(m->chosen ? m->chosen : m->held, layer, &cache)) return -1;
    if (m->chosen) return recall(m, cache, attn);
    return layer == m->layer ? vote(m, cache, attn) : 0;
}
