/* oracle.h - what lctx.h promises, in double, written naively from the formulas. It shares no code
   with the header and includes nothing of it. */
#ifndef ORACLE_H
#define ORACLE_H
#include <stddef.h>
#include <stdint.h>

/* ---- element types, in plain arithmetic */
typedef enum oracle_type { ORACLE_F32, ORACLE_F16, ORACLE_BF16, ORACLE_I8, ORACLE_I4 } oracle_type;

double   oracle_f16_value(uint16_t bits);
double   oracle_bf16_value(uint16_t bits);
uint16_t oracle_f16_bits(float x);         /* to nearest even, overflow gives infinity */
uint16_t oracle_bf16_bits(float x);

/* One row of n elements as `type` stores it: encoded into dst (may be null), and its values into
   back (may be null; may be x), which for int8 are the integers. Returns the factor of the row:
   value = back * factor; 1 but for int8, where it is max|x| / 127. Of 4 bits the row is one range,
   and dst is null. */
float oracle_store(int type, int64_t n, const float *x, void *dst, float *back);

/* n finite elements, `stride` apart in x and in back, as 4 bits over one range: low is the bf16 at
   or below the least, step the bf16 at or above (greatest - low) / 15; back = low + step * code,
   code the nearest of 0 .. 15. Returns step. */
float oracle_four(int64_t n, int64_t stride, const float *x, float *back);

/* ---- RoPE */
typedef enum oracle_scheme {
    ORACLE_PLAIN, ORACLE_LINEAR, ORACLE_NTK, ORACLE_DYNAMIC, ORACLE_BY_PARTS, ORACLE_YARN,
    ORACLE_LLAMA3, ORACLE_RAW, ORACLE_LONGROPE
} oracle_scheme;

/* Every number is meant as it stands; 0 means "not given" for attn_factor and the mscales, and no
   xPos for xpos_base. */
typedef struct oracle_rope_desc {
    int scheme, n_rot, truncate;
    double theta, factor, orig_ctx, ctx, beta_fast, beta_slow;
    double attn_factor, mscale, mscale_all_dim, low_freq, high_freq;
    const double *freq, *short_factor, *long_factor;
    double short_mscale, long_mscale, xpos_base;
    int64_t n_hat, xpos_center;
} oracle_rope_desc;

typedef struct oracle_rope {
    int n_rot;
    long double attn_factor, scale_mul, freq[256], plain[256];
    double xpos_base;
    int64_t n_hat, xpos_center;
} oracle_rope;

void oracle_rope_schedule(const oracle_rope_desc *desc, oracle_rope *rope);

/* xPos's factor of pair i of a query at pos; a key's is its inverse. */
long double oracle_rope_growth(const oracle_rope *rope, int64_t pos, int i);

/* One token, x[n_head][head_dim], turned to pos (which may be negative: turned back), not scaled by
   xPos. */
void oracle_rope_rotate(const oracle_rope *rope, int interleaved, int n_head, int head_dim,
                        int64_t pos,
                        const double *x, double *out);

/* ---- attention */
typedef enum oracle_kind {
    ORACLE_ALL, ORACLE_STRIDED, ORACLE_FIXED, ORACLE_DILATED, ORACLE_BLOCKS
} oracle_kind;

/* Every number is meant as it stands. */
typedef struct oracle_pattern {
    int kind;
    int64_t length, dilation, local, summary, back;
    const int64_t *global;              /* [n_global], in any order */
    int64_t n_global;
} oracle_pattern;

typedef enum oracle_far { ORACLE_TRUE, ORACLE_CLAMP, ORACLE_LEAKY, ORACLE_GROUP } oracle_far;

typedef struct oracle_attn {
    int n_head, n_head_kv, d_k, d_v;
    int64_t n_q, n_kv;
    const float *q, *q_far;             /* [n_q][n_head][d_k] */
    const int64_t *q_pos;               /* [n_q] */
    const float *k, *v;                 /* [n_kv][n_head_kv][d_k], [n_kv][n_head_kv][d_v] */
    const float *k_factor, *v_factor;   /* [n_kv][n_head_kv], multiplied into the rows; or null */
    const int64_t *k_pos;               /* [n_kv] */
    int64_t k_pos_head;                 /* elements of k_pos from KV head to KV head; 0: one list */
    const unsigned char *far;           /* [n_kv], nonzero: scored with q_far, or from far_pos at
                                           most if raw; or null */
    const oracle_rope *rope;            /* q and k are raw and turned by their distance; or null */
    int interleaved, far_kind;
    int64_t far_pos, far_window, far_group;     /* far_pos 0 = no bound */
    double far_leak;
    double scale, softcap;              /* scale as it stands; softcap 0 = none */
    int causal, n_sink;
    int64_t window;                     /* 0 = all */
    int64_t right;                      /* not causal: keys fewer than so many later; 0 = all */
    const unsigned char *seen;          /* [n_head][n_q][n_kv], 0 where nothing may be seen; or null */
    const oracle_pattern *pattern;      /* or null */
    const int32_t *q_group, *k_group;   /* [n_q], [n_kv]: 0 goes with all; or null */
    const float *alibi, *sink_logit;    /* [n_head] or null */
    const float *bias;                  /* or null;
    element (h, t, j) at h*bias_head + t*bias_query + j */
    int64_t bias_head, bias_query;
} oracle_attn;

/* Does head h of query t see key j? */
int oracle_sees(const oracle_attn *attn, int64_t t, int h, int64_t j);

/* The output row of query t, head h: out[d_v]; returns its log-sum-exp. */
double oracle_attn_row(const oracle_attn *attn, int64_t t, int h, double *out);

/* What each key received of the softmax weights of the queries from `first` on:
   mass[n_head_kv][n_kv]. */
void oracle_attn_mass(const oracle_attn *attn, int64_t first, double *mass);

/* ---- how far off */
typedef struct oracle_error {
    double error2, want2;      /* sums of squares */
    double worst;              /* largest |got - want| / (1 + |want|) */
    int64_t n;
} oracle_error;

void   oracle_error_add(oracle_error *e, int64_t n, const double *want, const float *got);
double oracle_error_nmse(const oracle_error *e);
#endif
