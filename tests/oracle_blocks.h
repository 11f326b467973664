/* oracle_blocks.h - GGUF's blocks of weights, plainly from their layouts. */
#ifndef ORACLE_BLOCKS_H
#define ORACLE_BLOCKS_H
#include <stdint.h>

enum oracle_block_type { ORACLE_Q8_0, ORACLE_Q4_0, ORACLE_Q4_K, ORACLE_Q5_K, ORACLE_Q6_K,
                         ORACLE_MXFP4, ORACLE_BLOCK_TYPES };

typedef struct oracle_block {
    const char *name;
    int id, n, bytes;         /* GGUF's number; weights and bytes of a block */
} oracle_block;
extern const oracle_block oracle_blocks[ORACLE_BLOCK_TYPES];

double oracle_block_weight(int type, const uint8_t *block, int i);     /* weight i of a block */

/* Sets the scales of a block of random bytes so that its weights are about so large. */
void oracle_block_scale(int type, double size, uint8_t *block);
#endif
