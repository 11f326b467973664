/* llama2c.h - checkpoints of llama2.c (.bin) as models: version 0, floats behind a bare header, whose
   size must be the file's; version 1, floats behind 256 bytes; and version 2, int8 in groups with a
   float each, which become floats in memory, four times the file's size. */
#ifndef LLAMA2C_H
#define LLAMA2C_H
#include "model.h"

/* Fills in m->lctx and m->layers over m->file's bytes, or over m->file.swapped. GGUF_E_MAGIC: it is
   no such file; the error text is then as it was. */
gguf_status llama2c_load(model *m);

/* Gives such a model, which is open, the vocabulary of a file tokenizer.bin. */
gguf_status llama2c_vocabulary(model *m, const char *path);
#endif
