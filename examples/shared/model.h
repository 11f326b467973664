/* model.h - a GGUF file of architecture llama (Mistral, SmolLM2, TinyLlama, Llama 3, Mixtral),
   qwen2, qwen3, qwen3moe, gemma2, gemma3, phi3, gpt-oss, llama4 (its text part), qwen3next,
   falcon-h1, mamba2, rwkv7 or lctx-hybrid (examples/toy/) as an lctx_model; or a checkpoint of
   llama2.c (llama2c.h).

   Weights stay where they are in the file, but for those whose rows take turns (gated delta's).
   Scaling of RoPE follows the file's metadata: none, linear (a factor without a type is linear),
   yarn, Llama 3's table rope_freqs.weight, and Phi 3's two lists (LongRoPE, whose ctx a user sets by
   the length). A tensor without a use here, and a key of the architecture that is unknown or would
   change the result, are refused by name. */
#ifndef MODEL_H
#define MODEL_H
#include "gguf.h"
#include "lctx.h"

typedef struct model {
    gguf           file;          /* file.error: of the last failure */
    lctx_model     lctx;          /* its layers and rope point into this struct */
    lctx_layer    *layers;
    lctx_mixer    *mixers;        /* of layers that have them */
    void         **copies;        /* of weights whose rows took turns */
    int32_t        n_copies;
    lctx_rope      rope;          /* the schedule of rope_desc; an example may replace it */
    lctx_rope_desc rope_desc;     /* as the metadata has it */
    lctx_rope      local_rope;    /* Gemma 3: of windowed layers */
    lctx_pattern   chunks;        /* Llama 4 */
    float         *ones;          /* Llama 4: a norm without weights */
    void          *vocabulary;    /* llama2.c: what file.keys point into */
    double         freq[LCTX_MAX_ROT / 2];      /* with rope_freqs.weight */
    double         factor[2][LCTX_MAX_ROT / 2]; /* LongRoPE: short, long */
    int64_t        trained;       /* context length it was trained for, before any scaling */
} model;

/* Fills *m, which must not move afterwards. Close it in any case. */
gguf_status model_open(model *m, const char *path);
gguf_status model_open_memory(model *m, const void *data, size_t size);
void        model_close(model *m);
#endif
