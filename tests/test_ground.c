/* test_ground.c - floor 0: status texts, sizes, instruction sets, element types, parallel hooks.
   `test_ground --isas` lists the instruction sets of this machine, one a line; `--isa` names the one
   that was chosen. */
#include "lctx.h"
#include "test.h"
#include "hooks.h"
#include "oracle.h"

#include <math.h>

static const lctx_isa every_isa[] = {
    LCTX_ISA_SCALAR, LCTX_ISA_AVX2, LCTX_ISA_AVX512, LCTX_ISA_AVX512_DOT, LCTX_ISA_NEON,
    LCTX_ISA_NEON_DOT, LCTX_ISA_WASM
};

static uint32_t float_bits(float x) { uint32_t b; memcpy(&b, &x, sizeof b); return b; }
static float float_of(uint32_t b)   { float x; memcpy(&x, &b, sizeof x); return x; }

/* ---------------------------------------------------------------------------- words and sizes */

static void test_status(void)
{
    int i, j, texts = 0, distinct = 1;
    for (i = 0; i < LCTX_STATUS_COUNT; i++) {
        const char *text = lctx_status_text((lctx_status)i);
        if (text && text[0]) texts++;
        for (j = 0; text && j < i; j++)
            if (strcmp(text, lctx_status_text((lctx_status)j)) == 0) distinct = 0;
    }
    check(texts == LCTX_STATUS_COUNT, "every status has a text");
    check(distinct, "no two statuses share a text");
    check(lctx_status_text((lctx_status)LCTX_STATUS_COUNT) != NULL,
          "a status beyond the last has a text");
    check(lctx_status_text((lctx_status)-1) != NULL, "a negative status has a text");
    check(LCTX_OK == 0, "OK is zero");
}

static void test_sizes(void)
{
#define SIZE(name) { #name, sizeof(name) }
    static const struct { const char *name; size_t size; } sizes[] = {
        SIZE(lctx_allocator), SIZE(lctx_parallel), SIZE(lctx_rope_desc), SIZE(lctx_rope),
        SIZE(lctx_rope_job), SIZE(lctx_span), SIZE(lctx_attn), SIZE(lctx_choice), SIZE(lctx_tiles),
        SIZE(lctx_rows), SIZE(lctx_cache_desc), SIZE(lctx_cache_info), SIZE(lctx_select),
        SIZE(lctx_retrieve), SIZE(lctx_tensor), SIZE(lctx_layer), SIZE(lctx_model),
        SIZE(lctx_session_desc), SIZE(lctx_session_info), SIZE(lctx_pattern), SIZE(lctx_far_rule), SIZE(lctx_pool_desc),
        SIZE(lctx_pool_info), SIZE(lctx_threads_desc), SIZE(lctx_refusal),
        SIZE(lctx_snapshots), SIZE(lctx_recurrence), SIZE(lctx_convolution), SIZE(lctx_mixer),
        SIZE(lctx_low_rank)
    };
#undef SIZE
    size_t i;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check(lctx_sizeof(sizes[i].name) == sizes[i].size, "lctx_sizeof(\"%s\") is its size",
              sizes[i].name);
    check(lctx_sizeof("lctx_nothing") == 0, "lctx_sizeof of an unknown name is 0");
    check(lctx_sizeof("") == 0, "lctx_sizeof of an empty name is 0");
    check(lctx_sizeof("lctx_att") == 0, "lctx_sizeof of half a name is 0");
    check(lctx_version() == LCTX_VERSION, "the implementation's version is the header's");
    check(lctx_type_size(LCTX_F32) == 4 && lctx_type_size(LCTX_F16) == 2
          && lctx_type_size(LCTX_BF16) == 2 && lctx_type_size(LCTX_I8) == 1,
          "elements have their sizes");
    check(lctx_type_size((lctx_type)LCTX_TYPE_COUNT) == 0 && lctx_type_size((lctx_type)-1) == 0
          && lctx_type_size(LCTX_I4) == 0,
          "an unknown type has size 0, and so has half a byte");
    check(!strcmp(lctx_type_name(LCTX_BF16), "bf16") && !strcmp(lctx_type_name(LCTX_I4), "int4")
          && lctx_type_name((lctx_type)LCTX_TYPE_COUNT) == NULL
          && lctx_type_name((lctx_type)-1) == NULL, "types have names, unknown ones none");
}

static void test_isa(void)
{
    static const char *const names[] = {
        "scalar", "avx2", "avx512", "avx512dot", "neon", "neondot", "wasm"
    };
    lctx_isa first = lctx_isa_get();
    lctx_isa least = first;
    int i, here = 0;
    for (i = LCTX_ISA_COUNT - 1; i >= 0; i--) {
        const char *name = lctx_isa_name(every_isa[i]);
        lctx_status st = lctx_isa_set(every_isa[i]);
        check(name && strcmp(name, names[i]) == 0, "instruction set %d is called %s", i, names[i]);
        check(st == LCTX_OK ? lctx_isa_get() == every_isa[i] : st == LCTX_E_ISA,
              "setting %s takes it or refuses it", names[i]);
        if (st == LCTX_OK) least = every_isa[i], here++;
    }
    check(here >= 1 && lctx_isa_set(least) == LCTX_OK, "some set is always there");
    check(lctx_isa_set((lctx_isa)LCTX_ISA_COUNT) == LCTX_E_ISA
          && lctx_isa_set((lctx_isa)-1) == LCTX_E_ISA, "an unknown instruction set is refused");
    check(lctx_isa_get() == least, "a refused setting changes nothing");
    check(lctx_isa_name((lctx_isa)LCTX_ISA_COUNT) == NULL && lctx_isa_name((lctx_isa)-1) == NULL,
          "an unknown instruction set has no name");
    check(lctx_isa_set(first) == LCTX_OK && lctx_isa_get() == first,
          "the first choice can be set again");
    if (getenv("LCTX_ISA")) {
        int cap = 0;
        for (i = 0; i < LCTX_ISA_COUNT; i++) if (!strcmp(names[i], getenv("LCTX_ISA"))) cap = i;
        check((int)first <= cap || !*getenv("LCTX_ISA"), "LCTX_ISA caps the choice at %s",
              names[cap]);
    }
}

/* ---------------------------------------------------------------------------- f16 and bf16 */

/* Equal bits, or both NaN. */
static int same_number(float got, double want)
{
    return isnan(want) ? isnan(got) != 0 : float_bits(got) == float_bits((float)want);
}

static double half_value(lctx_type type, uint16_t bits)
{
    return type == LCTX_F16 ? oracle_f16_value(bits) : oracle_bf16_value(bits);
}

static void test_decode(lctx_type type, const char *name, const char *isa)
{
    static uint16_t bits[65536];
    static float out[65536];
    int i, wrong = 0;
    for (i = 0; i < 65536; i++) bits[i] = (uint16_t)i;
    lctx_to_f32(type, 65536, bits, NULL, out);
    for (i = 0; i < 65536; i++) wrong += !same_number(out[i], half_value(type, bits[i]));
    check(wrong == 0, "all 65536 values of %s become their f32 exactly on %s (%d wrong)", name, isa,
          wrong);
}

static uint16_t half_bits(lctx_type type, float x)
{
    return type == LCTX_F16 ? oracle_f16_bits(x) : oracle_bf16_bits(x);
}

/* How many of n conversions are not the correctly rounded ones. */
static int wrong_encodings(lctx_type type, const float *x, const uint16_t *got, int n)
{
    int i, wrong = 0;
    for (i = 0; i < n; i++) {
        if (isnan(x[i])) wrong += !isnan(half_value(type, got[i]));
        else wrong += got[i] != half_bits(type, x[i]);
    }
    return wrong;
}

/* Every value of the type, the ties between neighbours, and the f32 beside each tie. */
static void test_ties(lctx_type type, const char *name, const char *isa)
{
    static float x[4 * 32768];
    static uint16_t got[4 * 32768];
    int i, n = 0, wrong;
    for (i = 0; i < 32767; i++) {
        double a = half_value(type, (uint16_t)i), b = half_value(type, (uint16_t)(i + 1));
        float tie = (float)((a + b) / 2);
        if (isnan(a) || isnan(b) || isinf(a) || isinf(b)) continue;
        x[n++] = (float)a;
        x[n++] = tie;
        x[n++] = float_of(float_bits(-tie) - 1);
        x[n++] = float_of(float_bits(tie) + 1);
    }
    lctx_from_f32(type, n, x, got, NULL);
    wrong = wrong_encodings(type, x, got, n);
    check(wrong == 0, "ties between neighbours in %s go to even, what is beside them to the nearer,"
          " on %s (%d of %d wrong)", name, isa, wrong, n);
}

static void test_boundaries(lctx_type type, const char *name, const char *isa)
{
    static const float edges[] = {
        0.0f, -0.0f, 65504.0f, 65519.996f, 65520.0f, 65536.0f, -65520.0f, 1e30f, -1e30f, 3.4e38f,
        5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 2.98e-8f, 6.1035156e-5f, 6.0975552e-5f,
        6.1005354e-5f, 1e-40f, 1.4e-45f, -1.4e-45f, 1.17549435e-38f, 1.1754942e-38f, 9.2e-41f,
        4.6e-41f, 3.3895314e38f, 3.3961775e38f, 3.4028235e38f, 1.0f, -1.0f, 1.0004883f, 1.0014648f,
        (float)INFINITY, -(float)INFINITY, (float)NAN
    };
    enum { N = sizeof edges / sizeof *edges };
    uint16_t got[N];
    lctx_from_f32(type, N, edges, got, NULL);
    check(wrong_encodings(type, edges, got, N) == 0,
          "zeros, denormals, the largest, overflow, infinities and NaN become right %s on %s", name,
          isa);
}

static void test_random_bits(lctx_type type, const char *name, const char *isa)
{
    enum { N = 100000 };
    static float x[N];
    static uint16_t got[N];
    int i, wrong;
    for (i = 0; i < N; i++) x[i] = float_of((uint32_t)test_random());
    lctx_from_f32(type, N, x, got, NULL);
    wrong = wrong_encodings(type, x, got, N);
    check(wrong == 0, "100000 random bit patterns round to the nearest %s on %s (%d wrong)", name,
          isa, wrong);
}

/* Lengths 1 .. 67 at every offset below 8 elements, with guards on both sides. */
static void test_lengths(lctx_type type, const char *name, const char *isa)
{
    float x[96], back[96];
    uint16_t bits[96];
    int n, at, i, wrong = 0;
    for (i = 0; i < 96; i++) x[i] = test_normal();
    for (n = 1; n <= 67; n++)
        for (at = 1; at < 9; at++) {
            memset(bits, 0x5a, sizeof bits);
            memset(back, 0x5a, sizeof back);
            lctx_from_f32(type, n, x + at, bits + at, NULL);
            lctx_to_f32(type, n, bits + at, NULL, back + at);
            wrong += wrong_encodings(type, x + at, bits + at, n);
            for (i = 0; i < n; i++) wrong += !same_number(back[at + i],
                    half_value(type, bits[at + i]));
            wrong += bits[at - 1] != 0x5a5a || bits[at + n] != 0x5a5a;
            wrong += float_bits(back[at - 1]) != 0x5a5a5a5a
            || float_bits(back[at + n]) != 0x5a5a5a5a;
        }
    check(wrong == 0,
          "%s of 1 to 67 elements at any offset: all converted, nothing beside them, on %s",
          name, isa);
}

static void test_copy(const char *isa)
{
    float x[67], y[67], z[67];
    int i;
    for (i = 0; i < 67; i++) x[i] = float_of((uint32_t)test_random());
    lctx_from_f32(LCTX_F32, 67, x, y, NULL);
    lctx_to_f32(LCTX_F32, 67, y, NULL, z);
    check(memcmp(x, y, sizeof x) == 0 && memcmp(x, z, sizeof x) == 0,
          "f32 to f32 keeps the bits on %s", isa);
}

/* ---------------------------------------------------------------------------- int8 */

static int row_within_half_a_step(const float *x, const int8_t *q, float scale, const float *back,
                                  int n)
{
    int i, largest = 0, ok = 1;
    for (i = 0; i < n; i++) {
        double off = fabs((double)q[i] * (double)scale - (double)x[i]);
        if (abs(q[i]) > largest) largest = abs(q[i]);
        if (off > 0.5 * (double)scale * (1 + 1e-4)) ok = 0;
        if (fabs((double)back[i] - (double)q[i] * (double)scale) > 1e-6 * fabs((double)back[i]))
            ok = 0;
    }
    return ok && largest == 127;
}

static void test_int8_rows(const char *isa)
{
    float x[96], back[96], scale, largest;
    int8_t q[96];
    int n, i, wrong = 0, wrong_scale = 0;
    for (n = 1; n <= 67; n++) {
        for (i = 0, largest = 0; i < n; i++) {
            x[i] = test_normal() * (float)ldexp(1, n - 34);
            if (fabsf(x[i]) > largest) largest = fabsf(x[i]);
        }
        memset(q, 0x5a, sizeof q);
        lctx_from_f32(LCTX_I8, n, x, q + 1, &scale);
        lctx_to_f32(LCTX_I8, n, q + 1, &scale, back);
        wrong += !row_within_half_a_step(x, q + 1, scale, back, n) || q[0] != 0x5a
        || q[n + 1] != 0x5a;
        wrong_scale += !(fabsf(scale * 127 / largest - 1) < 1e-6f);
    }
    check(wrong_scale == 0, "an int8 row's scale is max|x| / 127 on %s", isa);
    check(wrong == 0,
          "int8 rows of 1 to 67 elements come back within half a step, largest at 127, on %s", isa);
}

static void test_int8_ties(const char *isa)
{
    static const float x[] = { 127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, 125.5f,
                               -126.5f };
    static const int8_t want[] = { 127, 0, 2, 2, 0, -2, -2, 126, 126, -126 };
    int8_t q[10];
    float scale;
    lctx_from_f32(LCTX_I8, 10, x, q, &scale);
    check(scale == 1 && memcmp(q, want, sizeof q) == 0, "int8 ties go to even on %s", isa);
}

static void test_int8_odd_rows(const char *isa)
{
    static const float bad[] = { (float)NAN, (float)INFINITY, -(float)INFINITY };
    float x[40], back[40], scale = 5;
    int8_t q[40];
    int i, k, zero = 1;
    memset(x, 0, sizeof x);
    memset(q, 1, sizeof q);
    lctx_from_f32(LCTX_I8, 40, x, q, &scale);
    lctx_to_f32(LCTX_I8, 40, q, &scale, back);
    for (i = 0; i < 40; i++) zero &= q[i] == 0 && back[i] == 0;
    check(zero && scale == 0, "a row of zeros is scale 0 and zeros on %s", isa);
    for (k = 0; k < 3; k++) {
        for (i = 0; i < 40; i++) x[i] = (float)i;
        x[7 + 13 * k] = bad[k];
        lctx_from_f32(LCTX_I8, 40, x, q, &scale);
        check(isnan(scale), "a row with %g has a NaN scale on %s", (double)bad[k], isa);
    }
    for (i = 0; i < 40; i++) x[i] = (float)ldexp(i - 20, -149);
    lctx_from_f32(LCTX_I8, 40, x, q, &scale);
    lctx_to_f32(LCTX_I8, 40, q, &scale, back);
    for (i = 0, k = 0; i < 40; i++) k += !(fabsf(back[i] - x[i]) <= fabsf(x[0]));
    check(k == 0, "a row of denormals comes back finite and no farther off than its largest on %s",
          isa);
}

/* Rows so small that a step of them is a few times the least float, 2^-149, or less: the scale is a
   whole number of those, off by half of one, and a code of 127 by 127 times that. */
static void test_int8_least(const char *isa)
{
    const double off = ldexp(127, -150);
    float x[4], back[4], scale;
    int8_t q[4];
    int k, i, wrong = 0, apart = 0;
    for (k = 1; k <= 400; k++) {
        x[0] = float_of((uint32_t)k), x[1] = -x[0], x[2] = 0, x[3] = float_of((uint32_t)k / 2);
        lctx_from_f32(LCTX_I8, 4, x, q, &scale);
        lctx_to_f32(LCTX_I8, 4, q, &scale, back);
        for (i = 0; i < 4; i++)
            apart += !(fabs((double)back[i] - (double)x[i]) <= 0.5 * (double)scale + off);
        wrong += !(back[1] == -back[0] && back[2] == 0 && (scale > 0) == (k >= 64));
        if (k >= 64) wrong += !(back[3] > 0 && fabsf(back[0] - x[0]) <= 0.5f * x[0]);
    }
    check(wrong == 0, "rows of the least numbers keep their signs and about their size on %s"
          " (%d wrong)", isa, wrong);
    check(apart == 0, "rows of the least numbers are off by half a step and by what the scale is on"
          " %s (%d wrong)", isa, apart);
}

static void test_conversions(void)
{
    static const struct { lctx_type type; const char *name; } halves[] = {
        { LCTX_F16, "f16" }, { LCTX_BF16, "bf16" }
    };
    lctx_isa first = lctx_isa_get();
    size_t i, k;
    for (i = 0; i < LCTX_ISA_COUNT; i++) {
        const char *isa = lctx_isa_name(every_isa[i]);
        if (lctx_isa_set(every_isa[i]) != LCTX_OK) continue;
        for (k = 0; k < 2; k++) {
            test_decode(halves[k].type, halves[k].name, isa);
            test_ties(halves[k].type, halves[k].name, isa);
            test_boundaries(halves[k].type, halves[k].name, isa);
            test_random_bits(halves[k].type, halves[k].name, isa);
            test_lengths(halves[k].type, halves[k].name, isa);
        }
        test_copy(isa);
        test_int8_rows(isa);
        test_int8_ties(isa);
        test_int8_odd_rows(isa);
        test_int8_least(isa);
    }
    lctx_isa_set(first);
}

static void test_conversion_arguments(void)
{
    float x[4] = { 1, 2, 3, 4 }, y[4] = { 5, 5, 5, 5 }, scale = 5;
    uint16_t bits[4] = { 5, 5, 5, 5 };
    check(lctx_from_f32(LCTX_F16, 4, NULL, bits, NULL) == LCTX_E_NULL,
          "from_f32 refuses a null source");
    check(lctx_from_f32(LCTX_F16, 4, x, NULL, NULL) == LCTX_E_NULL,
          "from_f32 refuses a null destination");
    check(lctx_from_f32(LCTX_I8, 4, x, bits, NULL) == LCTX_E_NULL,
          "from_f32 to int8 refuses a null scale");
    check(lctx_from_f32(LCTX_F16, -1, x, bits, NULL) == LCTX_E_COUNT,
          "from_f32 refuses a negative count");
    check(lctx_from_f32(LCTX_I4, 4, x, bits, &scale) == LCTX_E_TYPE
          && lctx_to_f32(LCTX_I4, 4, bits, &scale, y) == LCTX_E_TYPE,
          "rows are not of 4 bits");
    check(lctx_from_f32((lctx_type)LCTX_TYPE_COUNT, 4, x, bits, &scale) == LCTX_E_TYPE
          && lctx_from_f32((lctx_type)-1, 4, x, bits, &scale) == LCTX_E_TYPE,
          "from_f32 refuses an unknown type");
    check(lctx_to_f32(LCTX_F16, 4, NULL, NULL, y) == LCTX_E_NULL, "to_f32 refuses a null source");
    check(lctx_to_f32(LCTX_F16, 4, bits, NULL, NULL) == LCTX_E_NULL,
          "to_f32 refuses a null destination");
    check(lctx_to_f32(LCTX_I8, 4, bits, NULL, y) == LCTX_E_NULL,
          "to_f32 from int8 refuses a null scale");
    check(lctx_to_f32(LCTX_F16, -1, bits, NULL, y) == LCTX_E_COUNT,
          "to_f32 refuses a negative count");
    check(lctx_to_f32((lctx_type)LCTX_TYPE_COUNT, 4, bits, &scale, y) == LCTX_E_TYPE
          && lctx_to_f32((lctx_type)-1, 4, bits, &scale, y) == LCTX_E_TYPE,
          "to_f32 refuses an unknown type");
    check(y[0] == 5 && y[3] == 5 && bits[0] == 5 && bits[3] == 5 && scale == 5,
          "refused conversions write nothing");
}

/* ---------------------------------------------------------------------------- ALiBi's slopes */

static void test_alibi(void)
{
    static const struct { int32_t n; double exponent[12]; } paper[] = {   /* slope = 2^-exponent */
        { 1, { 8 } },
        { 2, { 4, 8 } },
        { 8, { 1, 2, 3, 4, 5, 6, 7, 8 } },
        { 12, { 1, 2, 3, 4, 5, 6, 7, 8, 0.5, 1.5, 2.5, 3.5 } },
        { 3, { 4, 8, 2 } },
        { 6, { 2, 4, 6, 8, 1, 3 } },
    };
    float slopes[32], guard[2] = { 5, 5 };
    size_t i;
    int32_t h, ok;
    for (i = 0; i < sizeof paper / sizeof *paper; i++) {
        ok = lctx_alibi_slopes(paper[i].n, slopes) == LCTX_OK;
        for (h = 0; h < paper[i].n; h++)
            ok &= fabs((double)slopes[h] / exp2(-paper[i].exponent[h]) - 1) < 1e-7;
        check(ok, "ALiBi's slopes of %d heads are the paper's", paper[i].n);
    }
    lctx_alibi_slopes(16, slopes);
    for (h = 0, ok = 1; h < 16; h++)
        ok &= fabs((double)slopes[h] / exp2(-(h + 1) / 2.0) - 1) < 1e-7;
    check(ok, "ALiBi's slopes of 16 heads go down by the square root of two");
    check(lctx_alibi_slopes(1, guard) == LCTX_OK && guard[1] == 5,
          "one slope is written for one head");
    check(lctx_alibi_slopes(4, NULL) == LCTX_E_NULL, "slopes refuse a null pointer");
    check(lctx_alibi_slopes(0, slopes) == LCTX_E_HEADS
          && lctx_alibi_slopes(-3, slopes) == LCTX_E_HEADS,
          "slopes refuse no heads");
}

/* ---------------------------------------------------------------------------- the parallel hook */

enum { TOKENS = 300, HEADS = 8, DIM = 32 };

static lctx_status attend_with(const lctx_parallel *par, const float *kv, float *out)
{
    lctx_span s;
    lctx_attn a;
    lctx_status st;
    size_t bytes = 0;
    void *scratch;
    memset(&s, 0, sizeof s);
    memset(&a, 0, sizeof a);
    s.k = s.v = kv; s.n = TOKENS;
    a.n_q = TOKENS; a.n_head = a.n_head_kv = HEADS; a.d_k = DIM;
    a.q = kv; a.spans = &s; a.n_spans = 1; a.out = out; a.par = par;
    st = lctx_attend_size(&a, &bytes);
    scratch = malloc(bytes + 1);
    if (st == LCTX_OK) st = lctx_attend(&a, scratch, bytes);
    free(scratch);
    return st;
}

static lctx_status rotate_with(const lctx_parallel *par, const float *x, float *out)
{
    lctx_rope_desc desc;
    lctx_rope rope;
    lctx_rope_job job;
    memset(&desc, 0, sizeof desc);
    memset(&job, 0, sizeof job);
    desc.n_rot = DIM;
    lctx_rope_init(&rope, &desc);
    job.n_tok = TOKENS; job.n_head = HEADS; job.head_dim = DIM;
    job.x = x; job.out = out; job.par = par;
    return lctx_rope_apply(&rope, &job);
}

typedef lctx_status (*work)(const lctx_parallel *par, const float *x, float *out);

static void test_hook(work run, const char *what)
{
    static float x[TOKENS * HEADS * DIM], want[TOKENS * HEADS * DIM], got[TOKENS * HEADS * DIM];
    lctx_parallel par;
    hook h;
    size_t i;
    for (i = 0; i < sizeof x / sizeof *x; i++) x[i] = test_normal();
    check(run(NULL, x, want) == LCTX_OK, "%s without a hook works", what);
    for (i = 0; i < HOOK_KINDS; i++) {
        par = hook_parallel(&h, (hook_kind)i, 3);
        memset(got, 0, sizeof got);
        check(run(&par, x, got) == LCTX_OK && h.calls > 0 && h.tasks > 0 && h.n_threads == 3,
              "%s runs its loops through the host's hook, with its thread count", what);
        check(memcmp(got, want, sizeof got) == 0, "%s through hook %d gives the same bits", what,
              (int)i);
    }
    par = hook_parallel(&h, HOOK_POOL, 0);
    check(run(&par, x, got) == LCTX_OK && (h.calls == 0 || h.n_threads >= 1)
          && memcmp(got, want, sizeof got) == 0,
          "%s with a hook and no thread count works, on one thread or more", what);
    memset(&par, 0, sizeof par);
    par.n_threads = 2;
    check(run(&par, x, got) == LCTX_OK && memcmp(got, want, sizeof got) == 0,
          "%s with a thread count and no hook works", what);
    memset(got, 0x5a, sizeof got);
    par.n_threads = -1;
    check(run(&par, x, got) == LCTX_E_THREADS, "%s refuses a negative thread count", what);
    par.n_threads = LCTX_MAX_THREADS + 1;
    check(run(&par, x, got) == LCTX_E_THREADS, "%s refuses more than LCTX_MAX_THREADS", what);
    check(float_bits(got[0]) == 0x5a5a5a5a, "%s refused writes nothing", what);
}

static int list_isas(void)
{
    int i;
    for (i = 0; i < LCTX_ISA_COUNT; i++)
        if (lctx_isa_set(every_isa[i]) == LCTX_OK) printf("%s\n", lctx_isa_name(every_isa[i]));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--isas") == 0) return list_isas();
    if (argc == 2 && strcmp(argv[1], "--isa") == 0)
        return printf("%s\n", lctx_isa_name(lctx_isa_get())) < 0;
    test_status();
    test_sizes();
    test_isa();
    test_conversions();
    test_conversion_arguments();
    test_alibi();
    test_hook(rotate_with, "rotation");
    test_hook(attend_with, "attention");
    return test_report("ground", lctx_isa_name(lctx_isa_get()));
}
