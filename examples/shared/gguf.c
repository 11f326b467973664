#include "gguf.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------- errors */
const char *gguf_status_text(gguf_status status)
{
#define GGUF_STATUS(name, text) text,
    static const char *const texts[] = { GGUF_STATUSES(GGUF_STATUS) };
#undef GGUF_STATUS
    return (unsigned)status < GGUF_STATUS_COUNT ? texts[status] : "unknown status";
}

gguf_status gguf_fail(gguf *g, gguf_status status, const char *detail, ...)
{
    int n = snprintf(g->error, sizeof g->error, "%s: ", gguf_status_text(status));
    va_list args;
    va_start(args, detail);
    vsnprintf(g->error + n, sizeof g->error - (size_t)n, detail, args);
    va_end(args);
    return status;
}

const char *gguf_show(gguf_string name, char text[64])
{
    size_t i, n = name.n < 63 ? name.n : 63;
    for (i = 0; i < n; i++) text[i] = name.text[i] > ' ' && name.text[i] < 127 ? name.text[i] : '?';
    text[n] = 0;
    return text;
}

/* -------------------------------------------------------------------------------- names */
static int compare(gguf_string a, gguf_string b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.text, b.text, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Keys and tensors both begin with their name, so one comparison serves both. */
static int compare_named(const void *a, const void *b)
{
    return compare(*(const gguf_string *)a, *(const gguf_string *)b);
}

static gguf_status sort_names(gguf *g, const char *what, void *items, size_t n, size_t size)
{
    size_t i;
    char text[64];
    qsort(items, n, size, compare_named);
    for (i = 1; i < n; i++) {
        const char *item = (const char *)items + i * size;
        if (!compare_named(item - size, item))
            return gguf_fail(g, GGUF_E_DUPLICATE, "%s \"%s\"", what,
                             gguf_show(*(const gguf_string *)(const void *)item, text));
    }
    return GGUF_OK;
}

static void *find_name(const char *name, const void *items, size_t n, size_t size)
{
    gguf_string key;
    key.text = name;
    key.n = strlen(name);
    return n ? bsearch(&key, items, n, size, compare_named) : NULL;
}

const gguf_key *gguf_find(gguf *g, const char *name)
{
    gguf_key *key = find_name(name, g->keys, g->n_keys, sizeof *g->keys);
    if (key) key->asked = 1;
    return key;
}

const gguf_tensor *gguf_find_tensor(gguf *g, const char *name)
{
    gguf_tensor *t = find_name(name, g->tensors, g->n_tensors, sizeof *g->tensors);
    if (t) t->asked = 1;
    return t;
}

int gguf_string_is(gguf_string string, const char *text)
{
    return string.n == strlen(text) && !memcmp(string.text, text, string.n);
}

/* -------------------------------------------------------------------------------- parsing */
/* Reads forward; once something would pass the end, `ended` stays set and everything reads as 0. */
typedef struct reader { const uint8_t *data; size_t size, at; int ended; } reader;

static const uint8_t *take(reader *r, uint64_t n)
{
    if (r->ended || n > r->size - r->at) { r->ended = 1; return NULL; }
    r->at += (size_t)n;
    return r->data + r->at - n;
}

static uint64_t unsigned_at(const uint8_t *at, int bytes)     /* little-endian on any machine */
{
    uint64_t x = 0;
    while (bytes--) x = x << 8 | at[bytes];
    return x;
}

static uint64_t take_unsigned(reader *r, int bytes)
{
    const uint8_t *at = take(r, (uint64_t)bytes);
    return at ? unsigned_at(at, bytes) : 0;
}

static gguf_string take_string(reader *r)
{
    gguf_string s;
    s.text = (const char *)take(r, take_unsigned(r, 8));
    s.n = s.text ? (size_t)((const char *)(r->data + r->at) - s.text) : 0;
    return s;
}

static const uint8_t type_bytes[GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

static void skip_values(reader *r, gguf_type type, uint64_t n)
{
    if (type == GGUF_STRING) {
        while (n-- && !r->ended) take_string(r);
    } else {
        uint64_t bytes = type_bytes[type];
        take(r, n > UINT64_MAX / bytes ? UINT64_MAX : n * bytes);
    }
}

static gguf_status read_key(gguf *g, reader *r, size_t number, gguf_key *key)
{
    char text[64];
    uint64_t type, item = 0;
    key->name = take_string(r);
    type = take_unsigned(r, 4);
    if (!r->ended && type == GGUF_ARRAY) {
        item = take_unsigned(r, 4);
        key->n = take_unsigned(r, 8);
    } else {
        key->n = 1;
    }
    if (r->ended) return gguf_fail(g, GGUF_E_TRUNCATED, "in key %zu", number);
    gguf_show(key->name, text);
    if (type >= GGUF_TYPE_COUNT || item >= GGUF_TYPE_COUNT)
        return gguf_fail(g, GGUF_E_KEY_TYPE, "key \"%s\"", text);
    if (item == GGUF_ARRAY) return gguf_fail(g, GGUF_E_NESTED, "key \"%s\"", text);
    key->type = (gguf_type)type;
    key->item = (gguf_type)item;
    key->data = r->data + r->at;
    skip_values(r, type == GGUF_ARRAY ? key->item : key->type, key->n);
    return r->ended ? gguf_fail(g, GGUF_E_TRUNCATED, "in key \"%s\"", text) : GGUF_OK;
}

static const char *tensor_type_name(uint64_t type)
{
    static const char *const names[] = {
        "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K",
        "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL",
        "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16", "Q4_0_4_4",
        "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8" };
    return type < sizeof names / sizeof *names ? names[type] : "of an unknown type";
}

/* Values and bytes of what a tensor consists of; 0 where its type is not supported. */
typedef struct unit { uint32_t values, bytes; } unit;

static unit unit_of(uint64_t type)
{
    static const struct { gguf_tensor_type type; unit unit; } units[] = {
        { GGUF_TENSOR_F32, { 1, 4 } },      { GGUF_TENSOR_F16, { 1, 2 } },
        { GGUF_TENSOR_BF16, { 1, 2 } },     { GGUF_TENSOR_Q8_0, { 32, 34 } },
        { GGUF_TENSOR_Q4_0, { 32, 18 } },   { GGUF_TENSOR_MXFP4, { 32, 17 } },
        { GGUF_TENSOR_Q4_K, { 256, 144 } }, { GGUF_TENSOR_Q5_K, { 256, 176 } },
        { GGUF_TENSOR_Q6_K, { 256, 210 } } };
    static const unit none = { 0, 0 };
    size_t i;
    for (i = 0; i < sizeof units / sizeof *units; i++)
        if ((uint64_t)units[i].type == type) return units[i].unit;
    return none;
}

size_t gguf_row_bytes(const gguf_tensor *t)
{
    const unit u = unit_of(t->type);
    return (size_t)(t->dims[0] / u.values * u.bytes);
}

/* A tensor's description; *offset is where its data stands after all descriptions. */
static gguf_status read_tensor(gguf *g, reader *r, size_t number, gguf_tensor *t,
                               uint64_t *offset)
{
    char text[64];
    uint64_t type;
    uint32_t i;
    t->name = take_string(r);
    t->n_dims = (uint32_t)take_unsigned(r, 4);
    if (r->ended) return gguf_fail(g, GGUF_E_TRUNCATED, "in tensor %zu", number);
    gguf_show(t->name, text);
    if (t->n_dims < 1 || t->n_dims > 4)
        return gguf_fail(g, GGUF_E_SHAPE, "tensor \"%s\" has %u dimensions", text, t->n_dims);
    for (i = 0; i < 4; i++) t->dims[i] = i < t->n_dims ? take_unsigned(r, 8) : 1;
    type = take_unsigned(r, 4);
    *offset = take_unsigned(r, 8);
    if (r->ended) return gguf_fail(g, GGUF_E_TRUNCATED, "in tensor \"%s\"", text);
    if (!unit_of(type).values)
        return gguf_fail(g, GGUF_E_TENSOR_TYPE, "tensor \"%s\" is %s", text,
                         tensor_type_name(type));
    t->type = (gguf_tensor_type)type;
    return GGUF_OK;
}

/* Turns an offset into a pointer. `start` is where the data of all tensors begins. */
static gguf_status place_tensor(gguf *g, gguf_tensor *t, uint64_t offset, size_t start,
                                uint64_t align)
{
    char text[64];
    const unit u = unit_of(t->type);
    uint64_t bytes = u.bytes;
    int i;
    gguf_show(t->name, text);
    for (i = 0; i < 4; i++) {
        const uint64_t units = i ? t->dims[i] : t->dims[0] / u.values;
        if (!units || units > (uint64_t)INT64_MAX / bytes || (!i && t->dims[0] % u.values))
            return gguf_fail(g, GGUF_E_SHAPE, "tensor \"%s\", dimension %d", text, i);
        bytes *= units;
    }
    if (offset % align || start > g->size || offset > g->size - start
                       || bytes > g->size - start - offset)
        return gguf_fail(g, GGUF_E_OFFSET, "tensor \"%s\"", text);
    t->data = g->data + start + offset;
    return GGUF_OK;
}

static int big_endian(void)
{
    const uint16_t one = 1;
    return !*(const uint8_t *)&one;
}

/* Copies the tensors' data, each value's bytes in reverse, but blocks as they are, and points
   there. */
static gguf_status swap_tensors(gguf *g)
{
    size_t i, at, b;
    g->swapped = malloc(g->size);
    if (!g->swapped) return gguf_fail(g, GGUF_E_MEMORY, "%zu bytes", g->size);
    for (i = 0; i < g->n_tensors; i++) {
        gguf_tensor *t = &g->tensors[i];
        const uint8_t *from = t->data;
        uint8_t *to = g->swapped + (from - g->data);
        const unit u = unit_of(t->type);
        size_t width = u.values == 1 ? u.bytes : 1;
        size_t bytes = gguf_row_bytes(t) * (size_t)(t->dims[1] * t->dims[2] * t->dims[3]);
        for (at = 0; at < bytes; at += width)
            for (b = 0; b < width; b++) to[at + b] = from[at + width - 1 - b];
        t->data = to;
    }
    return GGUF_OK;
}

static gguf_status read_keys(gguf *g, reader *r)
{
    gguf_status status;
    size_t i;
    for (i = 0; i < g->n_keys; i++)
        if ((status = read_key(g, r, i, &g->keys[i])) != GGUF_OK) return status;
    return sort_names(g, "key", g->keys, g->n_keys, sizeof *g->keys);
}

static gguf_status read_tensors(gguf *g, reader *r, uint64_t *offsets)
{
    gguf_status status;
    int64_t align = 32;
    size_t i, start;
    if (gguf_find(g, "general.alignment")) {
        if ((status = gguf_get_int(g, "general.alignment", 1, 1 << 30, &align)) != GGUF_OK)
            return status;
        if (align < 8 || align & (align - 1))
            return gguf_fail(g, GGUF_E_ALIGNMENT, "%d", (int)align);
    }
    for (i = 0; i < g->n_tensors; i++)
        if ((status = read_tensor(g, r, i, &g->tensors[i], &offsets[i])) != GGUF_OK) return status;
    start = (r->at + (size_t)align - 1) / (size_t)align * (size_t)align;
    for (i = 0; i < g->n_tensors; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is null has failed before */
        status = place_tensor(g, &g->tensors[i], offsets[i], start, (uint64_t)align);
        if (status != GGUF_OK) return status;
    }
    return sort_names(g, "tensor", g->tensors, g->n_tensors, sizeof *g->tensors);
}

/* Magic, version and counts. A key takes at least 13 bytes and a tensor 24, which bounds what is
   allocated for them by a small multiple of the file. */
static gguf_status read_header(gguf *g, reader *r)
{
    const uint8_t *magic = take(r, 4);
    uint64_t n_keys, n_tensors;
    if (!magic) return gguf_fail(g, GGUF_E_TRUNCATED, "it has %zu bytes", g->size);
    if (memcmp(magic, "GGUF", 4)) return gguf_fail(g, GGUF_E_MAGIC, "its first bytes differ");
    g->version = (uint32_t)take_unsigned(r, 4);
    if (!r->ended && g->version != 2 && g->version != 3)
        return gguf_fail(g, GGUF_E_VERSION, "this is version %u", g->version);
    n_tensors = take_unsigned(r, 8);
    n_keys = take_unsigned(r, 8);
    if (r->ended) return gguf_fail(g, GGUF_E_TRUNCATED, "in the header");
    if (n_keys > r->size / 13) return gguf_fail(g, GGUF_E_COUNT, "number of keys");
    if (n_tensors > r->size / 24) return gguf_fail(g, GGUF_E_COUNT, "number of tensors");
    g->n_keys = (size_t)n_keys;
    g->n_tensors = (size_t)n_tensors;
    return GGUF_OK;
}

static gguf_status parse(gguf *g)
{
    reader r = {0};
    uint64_t *offsets;
    gguf_status status;
    r.data = g->data;
    r.size = g->size;
    if ((status = read_header(g, &r)) != GGUF_OK) return status;
    g->keys = calloc(g->n_keys + 1, sizeof *g->keys);
    g->tensors = calloc(g->n_tensors + 1, sizeof *g->tensors);
    offsets = calloc(g->n_tensors + 1, sizeof *offsets);
    if (!g->keys || !g->tensors || !offsets)
        status = gguf_fail(g, GGUF_E_MEMORY, "%zu keys, %zu tensors", g->n_keys, g->n_tensors);
    if (status == GGUF_OK) status = read_keys(g, &r);
    if (status == GGUF_OK) status = read_tensors(g, &r, offsets);
    if (status == GGUF_OK && big_endian()) status = swap_tensors(g);
    free(offsets);
    if (status != GGUF_OK) g->n_keys = g->n_tensors = 0;      /* half read: nothing is found */
    return status;
}

gguf_status gguf_open_memory(gguf *g, const void *data, size_t size)
{
    *g = (gguf){0};
    g->data = data;
    g->size = size;
    return parse(g);
}

gguf_status gguf_open(gguf *g, const char *path)
{
    int error;
    *g = (gguf){0};
    error = os_file_open(&g->file, path);
    if (error) return gguf_fail(g, GGUF_E_FILE, "%s", strerror(error));
    g->data = g->file.data;
    g->size = g->file.size;
    return parse(g);
}

void gguf_close(gguf *g)
{
    free(g->keys);
    free(g->tensors);
    free(g->swapped);
    os_file_close(&g->file);
    g->swapped = NULL;
    g->keys = NULL;
    g->tensors = NULL;
    g->n_keys = g->n_tensors = 0;
}

/* -------------------------------------------------------------------------------- values */
int64_t gguf_int_at(gguf_type type, const uint8_t *at)
{
    uint64_t x = unsigned_at(at, type_bytes[type]);
    switch (type) {
    case GGUF_I8:  return (int8_t)x;
    case GGUF_I16: return (int16_t)x;
    case GGUF_I32: return (int32_t)x;
    default:       return x > INT64_MAX && type == GGUF_U64 ? INT64_MAX : (int64_t)x;
    }
}

double gguf_real_at(gguf_type type, const uint8_t *at)
{
    uint64_t bits = unsigned_at(at, type_bytes[type]);
    uint32_t low = (uint32_t)bits;
    double d;
    float f;
    memcpy(&d, &bits, sizeof d);
    memcpy(&f, &low, sizeof f);
    return type == GGUF_F64 ? d : type == GGUF_F32 ? (double)f
         : type_bytes[type] ? (double)gguf_int_at(type, at) : NAN;
}

gguf_string gguf_next_string(const uint8_t **at)
{
    gguf_string s;
    s.n = (size_t)unsigned_at(*at, 8);
    s.text = (const char *)*at + 8;
    *at += 8 + s.n;
    return s;
}

/* The key if it is there and its type is one of those in the mask `types`. */
static gguf_status get(gguf *g, const char *name, unsigned types, const gguf_key **key)
{
    *key = gguf_find(g, name);
    if (!*key) return gguf_fail(g, GGUF_E_NO_KEY, "\"%s\"", name);
    if (!(types >> (*key)->type & 1)) return gguf_fail(g, GGUF_E_KEY_TYPE, "\"%s\"", name);
    return GGUF_OK;
}

gguf_status gguf_get_int(gguf *g, const char *name, int64_t min, int64_t max, int64_t *value)
{
    const unsigned integers = 1u << GGUF_U8 | 1u << GGUF_I8 | 1u << GGUF_U16 | 1u << GGUF_I16
                            | 1u << GGUF_U32 | 1u << GGUF_I32 | 1u << GGUF_U64 | 1u << GGUF_I64;
    const gguf_key *key;
    int64_t x;
    gguf_status status = get(g, name, integers, &key);
    if (status != GGUF_OK) return status;
    x = gguf_int_at(key->type, key->data);
    if (x < min || x > max) return gguf_fail(g, GGUF_E_VALUE, "\"%s\" is %lld", name, (long long)x);
    *value = x;
    return GGUF_OK;
}

gguf_status gguf_get_real(gguf *g, const char *name, double *value)
{
    const gguf_key *key;
    gguf_status status = get(g, name, 1u << GGUF_F32 | 1u << GGUF_F64, &key);
    if (status == GGUF_OK) *value = gguf_real_at(key->type, key->data);
    return status;
}

gguf_status gguf_get_bool(gguf *g, const char *name, int *value)
{
    const gguf_key *key;
    gguf_status status = get(g, name, 1u << GGUF_BOOL, &key);
    if (status != GGUF_OK) return status;
    if (key->data[0] > 1) return gguf_fail(g, GGUF_E_VALUE, "\"%s\"", name);
    *value = key->data[0];
    return GGUF_OK;
}

gguf_status gguf_get_string(gguf *g, const char *name, gguf_string *value)
{
    const gguf_key *key;
    const uint8_t *at;
    gguf_status status = get(g, name, 1u << GGUF_STRING, &key);
    if (status != GGUF_OK) return status;
    at = key->data;
    *value = gguf_next_string(&at);
    return GGUF_OK;
}

gguf_status gguf_get_array(gguf *g, const char *name, gguf_type item, const gguf_key **value)
{
    const gguf_key *key;
    gguf_status status = get(g, name, 1u << GGUF_ARRAY, &key);
    if (status != GGUF_OK) return status;
    if (key->item != item) return gguf_fail(g, GGUF_E_KEY_TYPE, "\"%s\"", name);
    *value = key;
    return GGUF_OK;
}
