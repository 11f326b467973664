#include "run.h"
#include "llama2c.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where options set what a status speaks of, their names. */
static const char *options_of(lctx_status status)
{
    switch (status) {
    case LCTX_E_FACTOR:   return "--factor";
    case LCTX_E_THETA:    return "--theta";
    case LCTX_E_ORIG_CTX: return "--orig-ctx";
    case LCTX_E_BETA:     return "--beta-fast, --beta-slow";
    case LCTX_E_MSCALE:   return "--attn-factor";
    case LCTX_E_WINDOW:   return "--window, --sinks, --read";
    case LCTX_E_CTX:
    case LCTX_E_FULL:     return "--ctx";
    case LCTX_E_TYPE:     return "--kv";
    case LCTX_E_THREADS:  return "--threads";
    default:              return NULL;
    }
}

void run_check(lctx_status status, const char *what)
{
    const char *options = options_of(status);
    if (status != LCTX_OK)
        fail(options ? EXIT_USAGE : EXIT_RUN, "%s: %s", options ? options : what,
             lctx_status_text(status));
}

void *run_alloc(int64_t n, size_t size)
{
    void *memory = calloc((size_t)n + 1, size);
    if (!memory) fail(EXIT_RUN, "no memory for %lld x %zu bytes", (long long)n, size);
    return memory;
}

os_file run_text(const char *path)
{
    os_file file;
    int error = os_file_open(&file, path);
    if (error) fail(EXIT_INPUT, "%s: %s", path ? path : "standard input", strerror(error));
    return file;
}

int run_line(os_file *line)
{
    static char *text;
    static size_t room;
    size_t n = 0;
    int c;
    if (os_is_terminal(stderr)) fprintf(stderr, "> ");
    while ((c = getchar()) != EOF && c != '\n') {
        if (n == room) {
            char *more = realloc(text, room = 2 * room + 256);
            if (!more) fail(EXIT_RUN, "no memory for a line of %zu bytes", room);
            text = more;
        }
        text[n++] = (char)c;
    }
    line->data = n ? text : "";
    line->size = n;
    return n || c != EOF;
}

int32_t *run_encode(const vocab *v, int how, const char *text, int64_t n, int64_t *n_tokens)
{
    int32_t *tokens = run_alloc(vocab_most((size_t)n), sizeof *tokens);
    *n_tokens = vocab_encode(v, how, text, (size_t)n, NULL, tokens);
    if (*n_tokens < 0) fail(EXIT_RUN, "no memory to read %lld bytes of text", (long long)n);
    return tokens;
}

void run_need_bytes(const run *r)
{
    if (!r->vocab.bytes_only) fail(EXIT_INPUT, "%s: its vocabulary is not one of bytes", r->path);
}

void run_open(run *r)
{
    lctx_threads_desc desc = {0};
    if (model_open(&r->model, r->path) != GGUF_OK
        || (r->tokenizer && llama2c_vocabulary(&r->model, r->tokenizer) != GGUF_OK)
        || vocab_open(&r->vocab, &r->model.file, r->model.lctx.n_vocab) != GGUF_OK)
        fail(EXIT_INPUT, "%s: %s%s", r->path, r->model.file.error, r->model.file.keys
             || r->model.lctx.n_layer == 0 ? "" : "; a checkpoint of llama2.c needs --tokenizer");
    desc.n_threads = (int32_t)r->threads;
    run_check(lctx_threads_create(&desc, &r->crew), "threads");
}

void run_close(run *r)
{
    lctx_threads_free(r->crew);
    vocab_close(&r->vocab);
    model_close(&r->model);
}

/* -------------------------------------------------------------------------------- methods */
int run_next_word(const char **list, char name[32])
{
    size_t n = strcspn(*list, ",");
    if (!n) return 0;
    snprintf(name, 32, "%.*s", n < 31 ? (int)n : 31, *list);
    *list += n + ((*list)[n] == ',');
    return 1;
}

void run_method(run *r, const char *name)
{
    static const struct { const char *name; int64_t rope, policy, far; int live, quarter; }
        methods[] = {
        { "model", RUN_MODEL, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "plain", RUN_PLAIN, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "pi", RUN_PI, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "ntk", RUN_NTK, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "dynamic", RUN_DYNAMIC, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "by-parts", RUN_BY_PARTS, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "yarn", RUN_YARN, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "llama3", RUN_LLAMA3, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "abf", RUN_ABF, LCTX_FULL, LCTX_FAR_NONE, 0, 0 },
        { "window", RUN_MODEL, LCTX_WINDOW, LCTX_FAR_NONE, 0, 0 },
        { "sinks", RUN_MODEL, LCTX_SINKS, LCTX_FAR_NONE, 0, 0 },
        { "heavy", RUN_MODEL, LCTX_HEAVY, LCTX_FAR_NONE, 0, 0 },
        { "heavy-inside", RUN_MODEL, LCTX_HEAVY, LCTX_FAR_NONE, 0, 0 },
        { "yarn-heavy", RUN_YARN, LCTX_HEAVY, LCTX_FAR_NONE, 0, 0 },
        { "quest", RUN_MODEL, LCTX_FULL, LCTX_FAR_NONE, 0, 1 },
        { "yarn-quest", RUN_YARN, LCTX_FULL, LCTX_FAR_NONE, 0, 1 },
        { "rerope", RUN_MODEL, LCTX_FULL, LCTX_FAR_CLAMP, 0, 0 },
        { "leaky", RUN_MODEL, LCTX_FULL, LCTX_FAR_LEAKY, 0, 0 },
        { "self-extend", RUN_MODEL, LCTX_FULL, LCTX_FAR_GROUP, 0, 0 },
        { "lm-infinite", RUN_MODEL, LCTX_SINKS, LCTX_FAR_CLAMP, 0, 0 },
        { "dynamic-exact", RUN_DYNAMIC, LCTX_FULL, LCTX_FAR_NONE, 1, 0 } };
    size_t i, n = sizeof methods / sizeof *methods;
    for (i = 0; i < n && strcmp(name, methods[i].name); i++) {}
    if (i == n) fail(EXIT_USAGE, "method \"%s\": choose from %s", name, RUN_METHODS);
    r->rope = methods[i].rope;
    r->policy = methods[i].policy;
    r->far = methods[i].far;
    r->live = methods[i].live;
    r->raw = !strcmp(name, "heavy-inside");
    if (r->quarter) r->read = 0;        /* another method's */
    r->quarter = methods[i].quarter;
}

/* A scheme of one's own starts from the file's base and betas, but not from its scaling. */
static void set_scheme(const run *r, lctx_rope_desc *d)
{
    static const int32_t schemes[] = { 0, LCTX_ROPE_PLAIN, LCTX_ROPE_LINEAR, LCTX_ROPE_NTK,
        LCTX_ROPE_DYNAMIC, LCTX_ROPE_BY_PARTS, LCTX_ROPE_YARN, LCTX_ROPE_LLAMA3, LCTX_ROPE_PLAIN };
    if (r->rope != RUN_MODEL) {
        d->scheme = schemes[r->rope];
        d->factor = 0;
    }
    if (r->rope != RUN_MODEL || r->factor > 0) d->attn_factor = 0;     /* it went with the factor */
    if (r->factor > 0) d->factor = r->factor;
    if (r->theta > 0) d->theta = r->theta;
    if (r->orig_ctx > 0) d->orig_ctx = r->orig_ctx;
    if (r->beta_fast > 0) d->beta_fast = r->beta_fast;
    if (r->beta_slow > 0) d->beta_slow = r->beta_slow;
    if (r->attn_factor > 0) d->attn_factor = r->attn_factor;
}

/* The factor for so many times the trained context, where none is given. */
static double derived_factor(const run *r, double stretch)
{
    const lctx_rope_desc *file = &r->model.rope_desc;
    double headroom = r->headroom > 0 ? r->headroom : r->rope == RUN_YARN ? 1.25 : 1;
    double factor = stretch <= 1 ? 1 : headroom * stretch;
    if (r->headroom <= 0 && (r->rope == RUN_BY_PARTS || r->rope == RUN_LLAMA3))
        fail(EXIT_USAGE, "--factor is missing: this scheme needs it");
    return r->rope == RUN_YARN && file->scheme == LCTX_ROPE_YARN && factor < file->factor
               ? file->factor : factor;
}

/* Makes the schedule for n_tokens; returns its description. */
static lctx_rope_desc set_rope(run *r, int64_t n_tokens)
{
    lctx_rope_desc d = r->model.rope_desc;
    const int based = r->rope == RUN_ABF && r->theta <= 0;       /* its factor makes the base */
    set_scheme(r, &d);
    if (r->rope > RUN_PLAIN && d.factor <= 0)
        d.factor = derived_factor(r, (double)n_tokens / d.orig_ctx);
    if (based && d.factor > 1)
        run_check(lctx_rope_advise(d.n_rot, d.theta, d.orig_ctx, d.factor * d.orig_ctx, &d.theta,
                                   NULL, NULL), "base");
    if (d.scheme == LCTX_ROPE_DYNAMIC || d.scheme == LCTX_ROPE_LONGROPE)
        d.ctx = (double)(r->ctx ? r->ctx : n_tokens);
    if (d.factor <= 0 || (d.scheme == LCTX_ROPE_PLAIN && !based)) d.factor = 1;
    r->used_factor = d.factor;
    r->used_rope = d;
    run_check(lctx_rope_init(&r->model.rope, &d), "RoPE");
    return d;
}

/* The context that the file was trained or tuned for. */
static int64_t carried(const run *r)
{
    const lctx_rope_desc *file = &r->model.rope_desc;
    double factor = file->scheme != LCTX_ROPE_PLAIN && file->factor > 1 ? file->factor : 1;
    return (int64_t)(factor * (double)r->model.trained);
}

/* What the cache keeps: as many tokens as the model carries, where no window is given. Heavy hitters
   inside the cache stand with all that is held, up to a block and a chunk more than they should. */
static void set_policy(const run *r, lctx_session_desc *d)
{
    const int inside = r->policy == LCTX_HEAVY && r->raw;
    const int64_t block = r->block ? r->block : 64, chunk = r->chunk ? r->chunk : 64;
    const int64_t all = carried(r) - (inside ? block + chunk : 0), half = all / 2;
    d->policy = (int32_t)r->policy;
    d->k_type = (int32_t)(r->k_type < 0 ? r->type : r->k_type);
    d->v_type = (int32_t)(r->v_type < 0 ? r->type : r->v_type);
    d->block = (int32_t)r->block;
    if (inside) d->block = (int32_t)block, d->chunk = (int32_t)chunk;
    if (r->policy == LCTX_FULL) {
        d->max_tokens = r->ctx;
        if (!r->read) return;
        d->n_sink = r->sinks ? (int32_t)r->sinks : 4;
        d->window = r->window ? r->window : (r->read + 3) / 4;
        d->n_read = r->read > d->window ? r->read - d->window : 0;
        return;
    }
    if (r->policy != LCTX_WINDOW) d->n_sink = r->sinks ? (int32_t)r->sinks : 4;
    d->window = r->window ? r->window : r->policy == LCTX_HEAVY ? half : all - d->n_sink;
    if (r->policy == LCTX_HEAVY) d->n_heavy = all - d->n_sink - d->window;
}

/* With a window, distances stop at it: LM-Infinite. */
static lctx_far_rule far_rule(const run *r, int64_t n_tokens, int64_t window)
{
    lctx_far_rule rule = {0};
    int64_t all = carried(r), near = all / 2;
    double reach = (r->headroom > 0 ? r->headroom : 1) * (double)n_tokens;
    double shrink = n_tokens > all ? (reach - (double)near) / (double)(all - near) : 1;
    rule.kind = (int32_t)r->far;
    rule.window = window ? window : near;
    if (r->far == LCTX_FAR_LEAKY) rule.leak = shrink;
    if (r->far == LCTX_FAR_GROUP) rule.group = (int32_t)ceil(shrink);
    return rule;
}

lctx_session *run_session(run *r, int64_t n_tokens)
{
    lctx_session_desc d = {0};
    lctx_parallel par;
    lctx_rope_desc rope = set_rope(r, n_tokens);
    lctx_far_rule rule;
    lctx_session *session;
    run_check(lctx_threads_parallel(r->crew, &par), "threads");
    d.par = &par;
    d.chunk = (int32_t)r->chunk;
    d.part = r->part, d.parts = r->parts, d.join = r->join;
    d.join_user = r->join_user, d.raw_keys = r->raw;
    if (r->quarter) r->read = n_tokens < 1024 ? 256 : n_tokens / 4;
    set_policy(r, &d);
    rule = far_rule(r, n_tokens, d.window);
    if (r->far) d.far_rule = &rule;
    if (r->live) d.rope = &rope;
    d.progress = r->progress ? r->progress : r->quiet ? NULL : run_progress;
    run_check(lctx_session_create(&r->model.lctx, &d, &session), "session");
    return session;
}

void run_feed(lctx_session *s, const int32_t *tokens, int64_t n, lctx_logits which, float *logits)
{
    run_check(lctx_session_feed(s, tokens, n, which, logits), "feed");
}

lctx_session_info run_info(const lctx_session *s)
{
    lctx_session_info info;
    run_check(lctx_session_get_info(s, &info), "session");
    return info;
}

void run_check_options(const run *r)
{
    const int32_t scheme = r->used_rope.scheme;
    if (r->factor > 1 && r->used_factor <= 1)
        fail(EXIT_USAGE, "--factor does nothing here: choose a --rope that scales");
    if ((r->beta_fast > 0 || r->beta_slow > 0) && scheme != LCTX_ROPE_YARN
        && scheme != LCTX_ROPE_BY_PARTS)
        fail(EXIT_USAGE, "--beta-fast and --beta-slow are of --rope yarn and by-parts");
    if (r->read && r->policy != LCTX_FULL)
        fail(EXIT_USAGE, "--read does nothing here: it is of --cache full");
    if (r->read && r->window >= r->read)
        fail(EXIT_USAGE, "--window leaves nothing of --read to choose");
    if (r->window && r->policy == LCTX_FULL && !r->read)
        fail(EXIT_USAGE, "--window does nothing here: choose a --cache that forgets, or --read");
    if (r->sinks && r->policy != LCTX_SINKS && r->policy != LCTX_HEAVY && !r->read)
        fail(EXIT_USAGE, "--sinks does nothing here: it is of --cache sinks and heavy, and --read");
}

/* How far apart tokens are that attention sees, n_tokens in all. */
static int64_t reach(const run *r, int64_t n_tokens)
{
    int64_t widest = 0;
    lctx_session_desc d = {0};
    int32_t i;
    set_policy(r, &d);
    for (i = 0; i < r->model.lctx.n_layer; i++) {
        const int64_t window = r->model.layers[i].window ? r->model.layers[i].window : n_tokens;
        if (window > widest) widest = window;
    }
    if (widest < n_tokens) n_tokens = widest;
    if (r->policy != LCTX_WINDOW && r->policy != LCTX_SINKS) return n_tokens;
    return d.window + d.n_sink < n_tokens ? d.window + d.n_sink : n_tokens;
}

void run_warn(const run *r, int64_t n_tokens)
{
    const double carries = r->used_factor * r->used_rope.orig_ctx;
    const int64_t far = reach(r, n_tokens);
    if (r->theta > 0 || (double)far <= carries) return;
    warn("positions up to %lld, where this RoPE carries %.0f: expect garbage beyond; --rope yarn "
         "stretches it (or a greater --factor), --cache sinks with a --window below it forgets",
         (long long)far, carries);
}

/* -------------------------------------------------------------------------------- saving */
static int write_bytes(void *file, const void *data, size_t n)
{
    return fwrite(data, 1, n, file) != n;
}

static int read_bytes(void *file, void *data, size_t n)
{
    return fread(data, 1, n, file) != n;
}

/* Of every tensor its name and shape, and what stands in its middle. */
static uint64_t model_hash(const model *m)
{
    const float reals[] = { m->lctx.norm_eps, m->lctx.embd_scale, m->lctx.attn_scale,
                            m->lctx.softcap, m->lctx.logit_softcap };
    uint64_t hash = os_hash(OS_HASH_BEGIN, reals, sizeof reals);
    size_t i;
    hash = os_hash(hash, &m->lctx.n_head, sizeof m->lctx.n_head);
    for (i = 0; i < m->file.n_tensors; i++) {
        const gguf_tensor *t = &m->file.tensors[i];
        size_t bytes = gguf_row_bytes(t) * (size_t)(t->dims[1] * t->dims[2] * t->dims[3]);
        size_t n = bytes < 256 ? bytes : 256;
        hash = os_hash(hash, t->name.text, t->name.n);
        hash = os_hash(hash, t->dims, sizeof t->dims);
        hash = os_hash(hash, (const char *)t->data + (bytes - n) / 2, n);
    }
    return hash;
}

enum { N_LINES = 4, LINE = 240 };

/* What a saved session is of, in words. */
static void describe(const run *r, char lines[N_LINES][LINE])
{
    static const char *const policies[] = { "full", "window", "sinks", "heavy" };
    static const char *const schemes[] = { "plain", "pi", "ntk", "dynamic", "by-parts", "yarn",
                                           "llama3", "table", "longrope" };
    const lctx_rope *x = &r->model.rope;
    const lctx_rope_desc *rope = &r->used_rope;
    lctx_session_desc d = {0};
    set_policy(r, &d);
    snprintf(lines[0], LINE, "lctx example session 1");
    snprintf(lines[1], LINE, "model %016llx", (unsigned long long)model_hash(&r->model));
    snprintf(lines[2], LINE, "rope %s, factor %g, base %g, original context %g, length %g, betas "
             "%g %g, attention factor %g, frequencies %016llx", schemes[rope->scheme], rope->factor,
             rope->theta, rope->orig_ctx, rope->ctx, rope->beta_fast, rope->beta_slow,
             x->attn_factor,
             (unsigned long long)os_hash(0, x->freq, sizeof *x->freq * (size_t)x->n_rot / 2));
    snprintf(lines[3], LINE, "cache %s, %d sinks, window %lld, %lld %s, keys %s%s, values %s",
             policies[d.policy], (int)d.n_sink, (long long)d.window,
             (long long)(d.n_read ? d.n_read : d.n_heavy), d.n_read ? "read" : "heavy",
             r->raw ? "raw " : "", lctx_type_name((lctx_type)d.k_type),
             lctx_type_name((lctx_type)d.v_type));
}

void run_label(const run *r, char label[RUN_LABEL])
{
    char lines[N_LINES][LINE];
    describe(r, lines);
    snprintf(label, RUN_LABEL, "%s\n%s\n%s\n%s\n", lines[0], lines[1], lines[2], lines[3]);
}

void run_save(const run *r, const lctx_session *s, const char *path)
{
    char *part = run_alloc((int64_t)strlen(path) + 5, 1), lines[N_LINES][LINE];
    FILE *file = fopen(strcat(strcpy(part, path), ".part"), "wb");
    int i, error, bad = !file;
    describe(r, lines);
    for (i = 0; i < N_LINES && !bad; i++) bad = fprintf(file, "%s\n", lines[i]) < 0;
    if (!bad) bad = lctx_session_save(s, write_bytes, file) != LCTX_OK;
    if (file) bad |= fclose(file) != 0;
    error = bad ? errno : os_replace(part, path);
    if (bad || error) fail(EXIT_RUN, "%s: not saved: %s", part, strerror(error));
    free(part);
}

void run_load(const run *r, lctx_session *s, const char *path)
{
    char lines[N_LINES][LINE], line[LINE + 1];
    FILE *file = fopen(path, "rb");
    lctx_status status;
    int i;
    if (!file) fail(EXIT_INPUT, "%s: %s", path, strerror(errno));
    describe(r, lines);
    for (i = 0; i < N_LINES; i++) {
        const char *got = fgets(line, sizeof line, file);
        char *c;
        line[got ? strcspn(line, "\n") : 0] = 0;
        for (c = line; *c; c++) if (*c < ' ' || *c > '~') *c = '?';      /* it may be shown */
        if (strcmp(line, lines[i]))
            fail(EXIT_INPUT, i ? "%s: saved with %s; here it is %s" : "%s: not a saved session",
                 path, line, lines[i]);
    }
    status = lctx_session_restore(s, read_bytes, file);
    if (status != LCTX_OK) fail(EXIT_INPUT, "%s: %s", path, lctx_status_text(status));
    fclose(file);
}

/* -------------------------------------------------------------------------------- progress */
int run_progress(void *label, int64_t done, int64_t total)
{
    static double drawn;
    static const char bar[] = "########################################";
    const int width = (int)sizeof bar - 1;
    int filled = (int)((double)done / (double)total * width);
    double now = os_seconds();
    if (!os_is_terminal(stderr) || total < 2) return 0;
    if (done == total) fprintf(stderr, "\r\033[K");
    else if (now - drawn > 0.1)
        fprintf(stderr, "\r%s [%-*.*s] %lld/%lld", label ? (char *)label : "reading", width, filled,
                bar, (long long)done, (long long)total);
    if (now - drawn > 0.1) drawn = now;
    return 0;
}
