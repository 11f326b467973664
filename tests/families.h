/* families.h - tiny models with random weights, as GGUF files and as the oracle has them: one of every
   family that the examples load. The same family, type and seed give the same bytes. */
#ifndef FAMILIES_H
#define FAMILIES_H
#include "oracle_model.h"

enum { FAMILY_LAYERS = 4, FAMILY_VOCAB = 261, FAMILY_KEPT = 512 };

/* Types of matrices, as GGUF numbers them. */
typedef struct family_type { const char *name; int id; } family_type;
extern const family_type family_types[];
extern const int n_family_types;

typedef struct family_file {
    unsigned char *data;                  /* the file */
    size_t         n;
    oracle_model   model;
    oracle_layer   layers[FAMILY_LAYERS];
    oracle_mixer   mixers[FAMILY_LAYERS];
    oracle_rope    rope, local;
    void          *kept[FAMILY_KEPT];
    int            n_kept;
} family_file;

extern const char *const family_names[];
extern const int n_families;

/* The tiny model of family number `family`, its matrices of family_types[type]. */
void family_make(family_file *file, int family, int type);
void family_free(family_file *file);
#endif
