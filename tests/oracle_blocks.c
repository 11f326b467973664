/* oracle_blocks.c - see oracle_blocks.h. */
#include "oracle_blocks.h"
#include "oracle.h"

#include <math.h>

const oracle_block oracle_blocks[ORACLE_BLOCK_TYPES] = {
    { "q8_0", 8, 32, 34 },    { "q4_0", 2, 32, 18 },    { "q4_k", 12, 256, 144 },
    { "q5_k", 13, 256, 176 }, { "q6_k", 14, 256, 210 }, { "mxfp4", 39, 32, 17 }
};

static double half(const uint8_t *p) { return oracle_f16_value((uint16_t)(p[0] + 256 * p[1])); }

static void k_scales(const uint8_t *s, int j, double *scale, double *min)
{
    if (j < 4) {
        *scale = s[j] % 64;
        *min = s[j + 4] % 64;
    } else {
        *scale = s[j + 4] % 16 + s[j - 4] / 64 * 16;
        *min = s[j + 4] / 16 + s[j] / 64 * 16;
    }
}

double oracle_block_weight(int type, const uint8_t *b, int i)
{
    static const double e2m1[8] = { 0, .5, 1, 1.5, 2, 3, 4, 6 };
    double scale, min;
    int code, run = i / 32, l = i % 32;
    switch (type) {
    case ORACLE_Q8_0: return half(b) * (b[2 + i] < 128 ? b[2 + i] : b[2 + i] - 256);
    case ORACLE_Q4_0: return half(b) * ((i < 16 ? b[2 + i] % 16 : b[2 + i - 16] / 16) - 8);
    case ORACLE_MXFP4:
        code = i < 16 ? b[1 + i] % 16 : b[1 + i - 16] / 16;
        return ldexp(code < 8 ? e2m1[code] : -e2m1[code - 8], b[0] - 127);
    case ORACLE_Q4_K:
    case ORACLE_Q5_K:
        k_scales(b + 4, run, &scale, &min);
        code = b[(type == ORACLE_Q4_K ? 16 : 48) + run / 2 * 32 + l];
        code = run % 2 ? code / 16 : code % 16;
        if (type == ORACLE_Q5_K && b[16 + l] & 1 << run) code += 16;
        return half(b) * scale * code - half(b + 2) * min;
    default: {
        const int part = i / 128, quarter = i % 128 / 32;
        const int8_t sub = (int8_t)b[192 + i / 16];
        code = b[64 * part + 32 * (quarter % 2) + l];
        code = quarter < 2 ? code % 16 : code / 16;
        code += (b[128 + 32 * part + l] >> 2 * quarter) % 4 * 16;
        return half(b + 208) * sub * (code - 32);
    } }
}

static void put_half(uint8_t *p, double x)
{
    const uint16_t bits = oracle_f16_bits((float)x);
    p[0] = (uint8_t)(bits & 255);
    p[1] = (uint8_t)(bits >> 8);
}

void oracle_block_scale(int type, double size, uint8_t *b)
{
    int e;
    switch (type) {
    case ORACLE_Q8_0:  put_half(b, size / 64); break;
    case ORACLE_Q4_0:  put_half(b, size / -4); break;
    case ORACLE_MXFP4: frexp(size / 3, &e), b[0] = (uint8_t)(e + 127); break;
    case ORACLE_Q6_K:  put_half(b + 208, size / 1024); break;
    case ORACLE_Q5_K:  put_half(b, size / 512), put_half(b + 2, size / 32); break;
    default:           put_half(b, size / 256), put_half(b + 2, size / 32);
    }
}
