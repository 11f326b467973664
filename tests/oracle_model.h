/* oracle_model.h - a Llama-family transformer in double, from the formulas: every token at once, no
   cache, keys rotated afresh for every query. It shares no code with the header. */
#ifndef ORACLE_MODEL_H
#define ORACLE_MODEL_H
#include "oracle.h"

enum oracle_routing { ORACLE_TOP_SOFTMAX, ORACLE_SOFTMAX, ORACLE_SIGMOID };
enum oracle_activation { ORACLE_SILU, ORACLE_GELU, ORACLE_CAPPED, ORACLE_RELU };

/* y = bias + up f(down x) */
typedef struct oracle_low_rank { int rank; const double *down, *up, *bias; } oracle_low_rank;

/* A state of each head, S[d_v][d_k], by the gated delta rule or, mamba2, as that has it. All q, then
   k, then v (mamba2: v, k, q) go through a causal convolution of conv[channels][taps] and silu. */
typedef struct oracle_mixer {
    int mamba2, n_head, n_head_k, d_k, d_v, taps;
    const double *w_in, *w_z, *w_beta, *w_dt, *w_out;
    const double *conv, *conv_bias, *a, *dt_bias, *norm, *skip;    /* conv_bias, skip, mamba2's norm:
                                                                      or null */
    /* RWKV-7, where w_r is given: of the above n_head, d_k, d_v, w_out, norm */
    const double *w_r, *w_k, *w_v, *shift, *ffn_shift, *k_k, *k_a, *r_k, *norm_bias;
    oracle_low_rank w, v, rate, g;         /* v of all but the first layer */
} oracle_mixer;

/* Matrices are [rows][cols] and compute y[rows] = W x[cols]; what is null is left out. */
typedef struct oracle_layer {
    const double *attn_norm;             /* [d_model] */
    const double *wq, *wk, *wv;          /* [heads*head_dim][d_model] */
    const double *wo;                    /* [d_model][n_head*head_dim] */
    const double *bq, *bk, *bv;          /* [heads*head_dim] or null */
    const double *bo;                    /* [d_model] or null */
    const double *attn_gate;             /* [n_head*head_dim][d_model] or null */
    const double *q_norm, *k_norm;       /* [head_dim] or null */
    const double *ffn_norm;              /* [d_model]; null: no FFN */
    const double *w_gate, *w_up;         /* [d_ff][d_model], one after the other of each expert;
                                            w_up null: what w_gate gives, twice */
    const double *w_down;                /* [d_model][d_ff], likewise */
    const double *b_gate, *b_up, *b_down;          /* [d_ff], [d_ff], [d_model], or null */
    const double *attn_post_norm, *ffn_post_norm;  /* [d_model] or null */
    const double *router, *b_router;     /* [n_expert][d_model], [n_expert] or null */
    const double *shared_gate, *shared_up, *shared_down, *shared_router;   /* [d_model] or null */
    int n_expert, n_expert_used, d_ff, d_ff_shared;      /* no expert: one FFN, for all */
    int routing, activation;             /* oracle_routing, oracle_activation */
    double q_scale, q_scale_offset, q_scale_length;      /* length 0: none */
    const oracle_rope *rope;             /* or null */
    int interleaved;
    int64_t window;                      /* the layer's own; 0 = none */
    const oracle_pattern *pattern;       /* or null */
    const double *sink_logit;            /* [n_head] in the softmax denominator, or null */
    const oracle_mixer *mixer;           /* in place of attention, or null; */
    int beside;                          /* or, not 0, beside it */
    const double *attn_norm_bias, *ffn_norm_bias;  /* or null; a norm with a bias is a layer norm */
} oracle_layer;

typedef struct oracle_model {
    int n_layer, n_head, n_head_kv, head_dim, d_model, n_vocab;
    double norm_eps, embd_scale, attn_scale;   /* as they stand */
    double softcap, logit_softcap;             /* 0 = none */
    const double *tok_embd;              /* [n_vocab][d_model] */
    const double *embd_norm, *embd_norm_bias;      /* [d_model] or null */
    const double *output_norm, *output_norm_bias;  /* [d_model], [d_model] or null */
    const double *output;                /* [n_vocab][d_model] */
    const oracle_layer *layers;          /* [n_layer] */
    int64_t window;                      /* of all layers; 0 = none */
    const oracle_rope_desc *live;        /* given: the query of token t turns, with its keys, by the
                                            schedule for ctx = t + 1, in place of the layers' */
    int far_kind;                        /* oracle_far: how far pairs count their distance */
    int64_t far_window, far_group;
    double far_leak;
    int n_sink;                          /* with a window: first tokens that stay, and positions are
                                            then those inside the cache */
} oracle_model;

/* logits[n][n_vocab] of tokens[n], the first of which stands at position 0. */
void oracle_model_logits(const oracle_model *m, int64_t n, const int32_t *tokens, double *logits);
#endif
