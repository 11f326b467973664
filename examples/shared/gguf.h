/* gguf.h - reads GGUF files, versions 2 and 3, and believes nothing in them: every count, length,
   offset and product is checked against the file's size before it is used.

       gguf g;
       if (gguf_open(&g, "model.gguf") != GGUF_OK) fprintf(stderr, "%s\n", g.error);
       gguf_get_int(&g, "llama.block_count", 1, INT32_MAX, &n);
       const gguf_tensor *t = gguf_find_tensor(&g, "output_norm.weight");
       gguf_close(&g);                       // after a failed open too

   Whatever fails leaves a status and, in g.error, a line that names the key or the tensor. Arrays
   of arrays, big-endian files and tensors of other types than those below are refused. */
#ifndef GGUF_H
#define GGUF_H
#include "os.h"

#define GGUF_STATUSES(X)                                                              \
    X(GGUF_OK,             "ok")                                                      \
    X(GGUF_E_FILE,         "the file cannot be read")                                 \
    X(GGUF_E_MEMORY,       "out of memory")                                           \
    X(GGUF_E_MAGIC,        "this is not a GGUF file")                                 \
    X(GGUF_E_VERSION,      "only GGUF versions 2 and 3, little-endian, are read")     \
    X(GGUF_E_COUNT,        "a count is larger than the file can hold")                \
    X(GGUF_E_TRUNCATED,    "the file ends early")                                     \
    X(GGUF_E_DUPLICATE,    "a name stands twice")                                     \
    X(GGUF_E_KEY_TYPE,     "a key has an unknown or a wrong type")                    \
    X(GGUF_E_NESTED,       "arrays of arrays are not supported")                      \
    X(GGUF_E_ALIGNMENT,    "the alignment is not a power of two of at least 8")       \
    X(GGUF_E_TENSOR_TYPE,  "a tensor is of a type that is not supported here")        \
    X(GGUF_E_SHAPE,        "a tensor's shape is wrong")                               \
    X(GGUF_E_OFFSET,       "a tensor's data is misaligned or outside the file")       \
    X(GGUF_E_NO_KEY,       "a key is missing")                                        \
    X(GGUF_E_VALUE,        "a key's value is out of range")                           \
    X(GGUF_E_NO_TENSOR,    "a tensor is missing")                                     \
    X(GGUF_E_ARCHITECTURE, "the architecture is not known")                           \
    X(GGUF_E_ROPE,         "the RoPE settings are not supported")                     \
    X(GGUF_E_MODEL,        "the model cannot be run")                                 \
    X(GGUF_E_UNSUPPORTED,  "the file asks for what is not supported")                 \
    X(GGUF_E_VOCABULARY,   "the vocabulary cannot be used")
typedef enum gguf_status {
#define GGUF_STATUS(name, text) name,
    GGUF_STATUSES(GGUF_STATUS)
#undef GGUF_STATUS
    GGUF_STATUS_COUNT
} gguf_status;

typedef enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING,
    GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPE_COUNT
} gguf_type;

typedef enum gguf_tensor_type {
    GGUF_TENSOR_F32 = 0, GGUF_TENSOR_F16 = 1, GGUF_TENSOR_Q4_0 = 2, GGUF_TENSOR_Q8_0 = 8,
    GGUF_TENSOR_Q4_K = 12, GGUF_TENSOR_Q5_K = 13, GGUF_TENSOR_Q6_K = 14, GGUF_TENSOR_BF16 = 30,
    GGUF_TENSOR_MXFP4 = 39
} gguf_tensor_type;

typedef struct gguf_string { const char *text; size_t n; } gguf_string;   /* no NUL at the end */

typedef struct gguf_key {
    gguf_string    name;
    gguf_type      type;
    gguf_type      item;      /* ARRAY: the type of its items */
    uint64_t       n;         /* ARRAY: how many; else 1 */
    const uint8_t *data;      /* the first value; any alignment */
    int            asked;     /* whether somebody looked for it */
} gguf_key;

typedef struct gguf_tensor {
    gguf_string      name;
    gguf_tensor_type type;
    uint32_t         n_dims;
    uint64_t         dims[4];     /* fastest first: [cols, rows, ...]; 1 beyond n_dims */
    const void      *data;        /* aligned to at least 8; blocks as they stand in the file */
    int              asked;       /* whether somebody looked for it */
} gguf_tensor;

typedef struct gguf {
    os_file        file;
    const uint8_t *data;
    uint8_t       *swapped;       /* tensors' data in the machine's order; null: as it is */
    size_t         size;
    uint32_t       version;
    size_t         n_keys, n_tensors;
    gguf_key      *keys;          /* sorted by name */
    gguf_tensor   *tensors;       /* sorted by name */
    char           error[240];    /* of the last failure */
} gguf;

/* Opens a file, or memory aligned as malloc aligns and kept by the caller until the close. */
gguf_status gguf_open(gguf *g, const char *path);
gguf_status gguf_open_memory(gguf *g, const void *data, size_t size);
void        gguf_close(gguf *g);
const char *gguf_status_text(gguf_status status);

const gguf_key    *gguf_find(gguf *g, const char *name);                 /* null if missing */
const gguf_tensor *gguf_find_tensor(gguf *g, const char *name);          /* null if missing */
size_t             gguf_row_bytes(const gguf_tensor *t);                 /* of dims[0] values */

/* A key's value; *value is untouched on failure: GGUF_E_NO_KEY, _KEY_TYPE, _VALUE. Integers of any
   width are taken, and both float types. */
gguf_status gguf_get_int(gguf *g, const char *name, int64_t min, int64_t max, int64_t *value);
gguf_status gguf_get_real(gguf *g, const char *name, double *value);
gguf_status gguf_get_bool(gguf *g, const char *name, int *value);
gguf_status gguf_get_string(gguf *g, const char *name, gguf_string *value);
gguf_status gguf_get_array(gguf *g, const char *name, gguf_type item, const gguf_key **value);

gguf_string gguf_next_string(const uint8_t **at);     /* walks an array of strings */
int64_t     gguf_int_at(gguf_type type, const uint8_t *at);
double      gguf_real_at(gguf_type type, const uint8_t *at);     /* of any number; else NaN */
int         gguf_string_is(gguf_string string, const char *text);

/* Fails with a status and a detail (as printf) for g->error; gguf_show makes names printable. */
OS_PRINTF(3, 4) gguf_status gguf_fail(gguf *g, gguf_status status, const char *detail, ...);
const char *gguf_show(gguf_string name, char text[64]);
#endif
