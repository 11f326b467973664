/* lctx.h - long-context attention and decoding for CPUs, in one C header.            MIT, v0.1

   Do this:
       #define LCTX_IMPLEMENTATION        // in exactly one C or C++ file, before the include
       #include "lctx.h"
   and in every other file only the include. Link with -lm. For threads compile that one file with
   -DLCTX_PTHREADS -pthread, or with -fopenmp (see THREADS).

   It holds RoPE with its scaling schemes, tiled online-softmax (flash) attention, flash-decoding
   over split keys, grouped-query heads, KV caches that evict, and a model step on top. It needs a
   C99 compiler, libc and libm. It prints nothing, never aborts, and keeps no global state but the
   choice of instruction set.

   CONTENTS (search for the anchor)
       >>manual      floors, steps, latent and raw keys, promises, memory, threads, macros, limits
       >>api         >>api-ground >>api-rope >>api-attention >>api-recurrence >>api-cache
                     >>api-model
       >>ground      status, refusals, sizes, allocator, pools, threads, types, CPU dispatch
       >>rope        schedules, angles, rotation, planning
       >>attention   native tiles, 4 bits, spans, raw keys, visibility, fold, mass, merge, choices
       >>recurrence  states in place of keys and values, convolutions
       >>cache       blocks, selection, append, eviction, join, retrieval, fork, save and restore
       >>model       projections, attention, mixers, FFN and experts, feeds, save, restore, pages
       >>kernels     the kernel pass: vector operations per instruction set, kernels once
       >>licence
*/
#ifndef LCTX__ISA  /* the ordinary pass; the kernel pass at the end is included once per ISA */
#ifndef LCTX_H
#define LCTX_H
/* ============================================================================ >>manual
   WORDS
       token       one step of a sequence, numbered from 0.
       position    what RoPE, masks and biases see; the token's number unless you say otherwise.
       head        n_head query heads; n_head_kv key/value heads, n_head a multiple of n_head_kv.
       group       the n_head / n_head_kv query heads that share one key/value head.
       row         one query of one head: what one softmax runs over.
       tile        64 neighbouring tokens of one KV head, keys transposed (see MEMORY).
       leaf        8 tiles; the unit whose softmax is accumulated in one go (see PROMISES).
       span        a run of keys and values in memory, as attention sees them.
       sink        two things in the field. n_sink: the first tokens, that a window keeps
                   (StreamingLLM). sink_logit: a head's learned logit in the denominator (gpt-oss).
       lse         log-sum-exp: log of a row's softmax denominator.

   THE FLOORS (each calls only those below; move in on any of them)
       4 model step   lctx_session_*     weights by pointer, tokens in, logits out
       3 KV cache     lctx_cache_*       blocks, policies, positions; no layers, no weights
       2 attention    lctx_attend        queries over a list of spans; lctx_merge; beside it
                      lctx_recur         states that do not grow; lctx_convolve
       1 RoPE         lctx_rope_*        frequencies, attention factor, rotation
       0 ground       lctx_*             status, types, pools, threads, instruction sets

   STEP BY STEP: YOUR ENGINE, YOUR CACHE (floor 2)
       lctx_span s = {0};                 // keys and values where they are
       s.k = k_cache; s.v = v_cache;      // rows [token][n_head_kv][head_dim] of f16
       s.k_type = s.v_type = LCTX_F16;
       s.n = n_past + n_new;              // s.pos = 0: position of the first key
       lctx_attn a = {0};
       a.n_q = n_new; a.n_head = 32; a.n_head_kv = 8; a.d_k = a.d_v = 128;
       a.q = q; a.q_pos0 = n_past; a.out = out;
       a.spans = &s; a.n_spans = 1;
       size_t bytes; lctx_attend_size(&a, &bytes);
       lctx_status st = lctx_attend(&a, scratch, bytes);
   One call does prefill (many queries) and decode (one). Causal by position unless a.mask says so.

   STEP BY STEP: WHAT WAS REFUSED, AND WHERE
       lctx_refusal r; char text[200];
       a.refused = &r;                    // the last field of every descriptor
       if (lctx_attend(&a, scratch, bytes)) {
           lctx_refusal_text(&r, text, sizeof text);
           puts(text);                    // lctx_span[3].k_type: an element type is unknown or ...
       }
   Sessions keep one of their own, lctx_session_info.refused: tokens[5]: a token is outside ...

   STEP BY STEP: OUR CACHE (floor 3)
       lctx_cache_desc d = {0}; d.n_head_kv = 8; d.d_k = d.d_v = 128;
       d.k_type = d.v_type = LCTX_F16; d.policy = LCTX_SINKS; d.window = 4092; d.n_sink = 4;
       lctx_cache *c; lctx_cache_create(&d, &c);
       per step: rotate q and k (floor 1), lctx_cache_append(c, &rows), lctx_cache_attend(c, ...)
   Under LCTX_SINKS the query is rotated twice: to its position, and to
   lctx_cache_far_pos(c, position) for the sinks (a.q_far). That is StreamingLLM's "positions inside
   the cache", exact, without touching one cached key: RoPE sees only differences of positions, the
   window's differences are right already, and only the sinks are too far away.

   WHAT STAYS IN THE CACHE, AND WHAT OF IT IS READ (floor 3)
       by lctx_policy        everything, the last tokens, these and the first (StreamingLLM), heavy
                             hitters (H2O; past the trained length with a scaling, for distances
                             stay, or with raw keys, whose positions are those inside the cache)
       a prompt's essence    LCTX_FULL, the prompt's end attended with a.mass and a.mass_queries,
                             then once lctx_cache_select (SnapKV)
       everything, but few   LCTX_FULL with summaries, lctx_cache_retrieve for each token (Quest); a
       blocks are read       session's n_read; an allocator that maps files leaves the others on
                             disk. Choices of one's own: lctx_choose, lctx_attn.list
       parts                 lctx_cache_drop takes a range out; lctx_cache_begin and lctx_cache_join
                             put together what was computed apart
   Keys stay at the positions where they were born, so none of these rotates or requantises any.

   STEP BY STEP: A MODEL (floor 4)
       fill lctx_model with pointers to your weights; lctx_session_create; then
       lctx_session_feed(s, tokens, n, LCTX_LOGITS_LAST, logits) for the prompt and for each token.

   STEP BY STEP: MANY SEQUENCES, ONE BOUND (floors 3 and 4)
       lctx_pool_desc p = {0}; p.max_bytes = bound;
       lctx_pool *pool; lctx_pool_create(&p, &pool);
       lctx_allocator mem; lctx_pool_allocator(pool, &mem);
       d.alloc = &mem;                    // of every cache or session; forks share their prefix
       lctx_status st = lctx_session_feed(s, tokens, n, LCTX_LOGITS_LAST, logits);
       lctx_session_feed_many(...)        // a token of each: weights are read once for all
   LCTX_E_MEMORY says that the bound is reached, and s is as before: free or rewind another sequence
   (or save it first), and feed again.

   LATENT KEYS (MLA, DeepSeek-V2 2405.04434), ABSORBED
       d.n_head_kv = 1; d.d_k = 576; d.d_v = 512;     // kv_lora_rank 512, and qk_rope_head_dim 64
       d.latent = 1; d.k_type = d.v_type = LCTX_F16;  // values are the first d_v of each key
       rows.k = latent; rows.v = NULL;                // normalised, then the rotated part
       a.n_head = 128; a.scale = 1 / sqrtf(128 + 64); // qk_nope_head_dim + qk_rope_head_dim, times
                                                      // lctx_rope.scale_mul: not by d_k
   A query is its head's times W_UK, then its rotated part; out goes on to W_UV. Spans of tiles say
   it by v = k, those of rows by v = k and the keys' strides. One int8 scale is for all of a key.

   RAW KEYS: WHEN
       A cached key is rotated for good: its schedule stays, its distances are as they are. Where
       schedules change with the length (dynamic NTK, LongRoPE's switch), or far distances are
       clamped, stretched or grouped (ReRoPE, LM-Infinite, Self-Extend), cache keys as the
       projection gives them, and attention turns each tile as it reads it (lctx_attn.rope,
       far_rule; in a session raw_keys). On f16 keys of 128 dimensions decoding then took 1.6 times
       as long with four query heads a KV head, 2.8 times with one, a prompt 1 to 1.25 times, and
       every call 30 to 70 us more. Where nothing changes, rotated keys are faster.

   PROMISES (each has a test that can fail)
       Same bits   The same keys give the same bits for any thread count, any split of the work and
                   any chunking of the prompt, on one instruction set. (Under LCTX_HEAVY the keys
                   that stay depend on what had attended when they were chosen, and so on the
                   chunks.) Every score is one chain of multiply-adds over the dimensions, every
                   output one chain over the keys of a leaf, and leaves are merged along a binary
                   tree fixed by the keys' indices. What is masked or evicted is the identity of
                   that merge, so windows do not disturb it. (Cuts between spans keep the bits too
                   where they fall between tiles.) The model step keeps them from tokens to logits.
       f32         Scores and values are accumulated in f32, whatever the stored type; sums of
                   int8 products exactly, a tile at a time, then in f32 (see ARITHMETIC).
       Angles      position * frequency, cos and sin are computed in double: right to float rounding
                   at position 2^24, and to about position * 2^-53 radians beyond.
       Masks       A row that sees nothing gives zeros and lse = -inf. What is masked is never read
                   into a sum: NaN or infinity there does not reach the output. Softcap comes before
                   masks. A window of W counts the query's own key.
       Errors      Arguments are checked at the edge; a failed call leaves its objects as they were,
                   and names what it refused to whoever lends a report.
       Memory      Kernels allocate nothing: scratch is yours, its size by a query: O(threads x
                   tile) and the logarithm of the context; with lists a bit a block, to retrieve
                   the lists too. Caches grow by blocks, uncopied; pools keep within their bounds.

   ARITHMETIC
       f32 and f16 keys and values are multiplied in f32. So are bf16, int8 and 4 bits where the
       instruction set has no dot products for them, or where lctx_attn.precise is set, and raw keys
       always. Those of bf16 are left alone on CPUs where they are no faster than f32 (Intel's).
       Otherwise dot products round the other side to the stored type, too:
         bf16 keys     the scaled query to bf16
         bf16 values   the weights p to bf16; the denominator sums the rounded ones
         int8 keys     the scaled query to int8, one scale (amax / 127) a row
         int8 values   p times the value's scale to a whole number of 16 bits (14 on NEON), of which
                       the most is what weight 1 on the largest visible scale in the tile makes;
                       in f32 where one of these is negative, or all are below 1e-30
         4-bit keys    the scaled query times the dimensions' steps to whole numbers of 14 bits, of
                       which the most is the largest in the tile; times their lows in f32
         4-bit values  as int8 values with the token's step as scale, but never in f32: steps count
                       as 0 where all are below 1e-30; times their lows in f32
       Against a double oracle that is fed the stored keys and the unrounded queries, the error of a
       row (NMSE) stays below, for 1 to 128 K keys and scores of standard deviation
                              0.05    1       4
         f32, f16, precise
                              1e-11   1e-11   2e-10
         bf16                 2e-5    1e-4    1e-3
         int8                 1e-6    1e-3    1e-2
         4 bits               3e-8    1e-6    1e-4
       (a test checks that on normal noise and prints what it finds; means are a tenth): about what
       storing keys in that type cost in the first place. Ask for precise where you would not pay it
       twice. Weights in blocks are multiplied as integers where there are vectors (not
       WebAssembly's): activations are rounded to int8, one scale (amax / 127) for 16 neighbours,
       whose products are summed exactly, and their sums in f32. The error (NMSE) of products stays
       below 1e-4 (a test checks that on noise with outliers, and prints what it finds: 4e-5).
       Scalar code and precise sessions multiply what the blocks stand for in f32, as weights of all
       other types are.

   MEMORY: THE NATIVE LAYOUT
       Per KV head, tiles of T = 64 tokens; a tile holds its keys, then its values.
         keys    f32, f16   [d_k][T]                       a vector: a dimension of neighbours
                 bf16       [d_k/2][T][2]                  pairs of dimensions
                 int8       [d_k/4][T][4], f32 scale[T]    quads of dimensions
                 int4       [d_k/8][T] words of eight dimensions, word range[d_k], a line
         values  f32, f16   [T][d_v]
                 bf16       [T/2][d_v][2]                  pairs of tokens
                 int8       [T/4][d_v][4], f32 scale[T]    quads of tokens
                 int4       [T/8][d_v] words of eight tokens, word range[T]
       d_k is rounded up to a multiple of 4 (int4: 16), d_v to 16, with zeros. An int8 stands for
       int8 * scale, one scale per token and head (amax / 127), keys and values apart. An int4 is a
       code of 0 .. 15 over a range, low + step * code, low and step in bf16: of a token's values
       together, but of each dimension of a tile's keys by itself, as some are far greater (KIVI
       2402.02750). In heads of 128 a key takes 4.6 bits an element, a value 4.3. So decoding has no
       horizontal sums and no strided reads, and a loaded key vector serves its whole group.
                 tile 0            tile 1
         head 0  [K 64 tok|V 64 tok][K 64 tok|V 64 tok] ...
         head 1  [K 64 tok|V 64 tok] ...
       4-bit keys are made when their tile is full. Until then a cache keeps them open, as f16, and
       for a block longer: a query reads its own tile open and those before in 4 bits, which its
       position decides alone, so that chunks of a prompt do not matter. Foreign rows with any
       strides are packed a tile at a time in scratch. Decoding runs through all of it: in huge
       pages that took 10 to 25 % less time where it was measured. Lend an allocator that maps them,
       and make blocks of 2 MiB or more.

   THREADS
       Parallel loops go through one hook, lctx_parallel, a field `par` of whatever computes. Lend
       threads of your engine through it, or let the library start some:
           lctx_threads_desc d = {0};         // as many as there are processors
           lctx_threads *threads; lctx_threads_create(&d, &threads);
           lctx_parallel par; lctx_threads_parallel(threads, &par);
           attn.par = &par;                   // or job.par, session_desc.par, ...
       A loop waits for none of them that has not come, so they keep their speed where other work
       shares the cores. OpenMP's, which spin while they wait (libgomp's default), lose most of it
       there unless the environment says OMP_WAIT_POLICY=passive.
       Functions are reentrant; an object (cache, session) is for one thread at a time. Forks share
       blocks by atomic counts, so forks may live on different threads, and so may objects that
       share a pool. A model is read only: any number of sessions may use it at once.

   MACROS (define before the include)
       LCTX_IMPLEMENTATION   compile the implementation here
       LCTX_STATIC           everything static: a private copy in this file
       LCTX_API              your own linkage, e.g. __declspec(dllexport) or visibility
       LCTX_NO_MODEL         leave the code of floor 4 out
       LCTX_NO_SIMD          scalar code only
       LCTX_ISAS             the instruction sets to compile, a sum of 1 << lctx_isa; by default all
                             of the target but those below what -march promises. A CPU that has
                             none of them gets the lowest: leave 1 in the sum where any may come
       LCTX_BF16_DOTS        nonzero: dot products of bf16 are used where there are any; 0: nowhere;
                             by default where they are faster
       LCTX_PTHREADS         lctx_threads are threads of libc (POSIX; mingw-w64 has them too). Wants
                             gcc or clang, and -pthread
       LCTX_NO_OPENMP        never use OpenMP, even if compiled with it
       LCTX_ASSERT(x)        inner invariants; empty by default
       LCTX_FILE             name by which the header includes itself, default "lctx.h"
   ENVIRONMENT: LCTX_ISA=scalar|avx2|avx512|avx512dot|neon|neondot|wasm caps the instruction set
   (read once; a name that the build does not have caps at scalar: lctx_isa_get tells).

   LIMITS
       n_rot <= LCTX_MAX_ROT (512). Head sizes up to 65536. Token numbers below 2^48.
       Heads keep equally many tokens each. Mass is summed in f32: after a million queries, weights
       below about 2^-24 of a key's mass are lost in it.
       Values of latent tiles and caches begin with their keys' first dimension; not in 4 bits.
       4-bit keys: a sequence is rewound, begun and joined at multiples of 64 tokens, but for what
       is still open; and selecting or dropping tokens turns what is kept into f16.
       What a big-endian machine saves only such a machine restores; others refuse it, as _FORMAT.
       SIMD needs gcc or clang; WebAssembly's also -msimd128, since a module cannot ask for it at
       run time; gcc for Windows, unless mended (its bug 54412), -Wa,-muse-unaligned-vector-move.
       Where floats are computed wider (x87), the same bits want -std=c99 or -std=c11: gcc's own
       dialects round when they like.
       Weights are f32, f16, bf16, int8 with one scale a row, and of GGUF's types of blocks Q8_0,
       Q4_0, Q4_K, Q5_K, Q6_K and MXFP4, whose rows are whole blocks. n_expert times d_model, and
       times d_ff, is below 2^31. Pages are of sessions without heavy hitters and mixers.
       Compiled with -ffast-math, masks and merges hold, but a NaN that a row does see may be lost,
       and an int8 that lies between two whole numbers be rounded to either.
*/
#include <stddef.h>
#include <stdint.h>

#ifndef LCTX_API
#  ifdef LCTX_STATIC
#    ifdef __GNUC__
#      define LCTX_API static __attribute__((unused))
#    else
#      define LCTX_API static
#    endif
#  else
#    define LCTX_API extern
#  endif
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* ============================================================================ >>api
   Every descriptor is valid when zeroed: 0 means the default that its comment names. Pointers in
   descriptors are borrowed for the call unless said otherwise. Sizes of arrays are in brackets,
   outermost first; strides are in bytes, and 0 means packed. All functions may be called from any
   thread (see THREADS); callbacks run with no lock held. Lists of errors leave LCTX_E_NULL out. */

/* ---------------------------------------------------------------------------- >>api-ground */
#define LCTX_VERSION 0x000100u             /* 0xMMmmpp */

/* What a call returns. The text of each (lctx_status_text) names what was wrong. */
#define LCTX_STATUSES(X)                                                                  \
    X(LCTX_OK,            "ok")                                                           \
    X(LCTX_E_NULL,        "a required pointer is null")                                   \
    X(LCTX_E_COUNT,       "a count is negative or zero where it may not be")              \
    X(LCTX_E_OVERFLOW,    "a size or an offset overflows")                                \
    X(LCTX_E_ENUM,        "a mask, pattern, rule, policy, scheme, pairing, layout ... is unknown") \
    X(LCTX_E_TYPE,        "an element type is unknown or not allowed here")               \
    X(LCTX_E_HEADS,       "n_head is not a multiple of n_head_kv")                        \
    X(LCTX_E_HEAD_DIM,    "a head dimension is out of range")                             \
    X(LCTX_E_STRIDE,      "a stride is shorter than what it steps over, or no multiple of 4 or 8") \
    X(LCTX_E_SCALE,       "int8 rows come without their scales")                          \
    X(LCTX_E_SPAN,        "a span's range, order or query copy is invalid")               \
    X(LCTX_E_WINDOW,      "window, n_sink, n_heavy or pool is out of range")              \
    X(LCTX_E_LENGTH,      "a pattern's length (stride, segment or block) is out of range") \
    X(LCTX_E_DILATION,    "a pattern's dilation is not in 1 .. length")                   \
    X(LCTX_E_LOCAL,       "a pattern's local, summary or back is out of range")           \
    X(LCTX_E_GLOBAL,      "a pattern's global positions are bad, unsorted or not kept")   \
    X(LCTX_E_GROUP,       "the group of a span or of a query is negative")                \
    X(LCTX_E_LIST,        "a list of keys has no valid shape, or names what is not there") \
    X(LCTX_E_FAR_RULE,    "a far_rule's window, group or leak is below 1, or rope forbids one") \
    X(LCTX_E_SOFTCAP,     "softcap or scale is negative or not finite")                   \
    X(LCTX_E_SCRATCH,     "scratch is null or too small")                                 \
    X(LCTX_E_THREADS,     "n_threads is out of range")                                    \
    X(LCTX_E_N_ROT,       "n_rot is odd, zero, above head_dim or above LCTX_MAX_ROT")     \
    X(LCTX_E_THETA,       "theta (the RoPE base) must be above 1 and finite")             \
    X(LCTX_E_FACTOR,      "factor must be at least 1 and finite, the base it gives finite")  \
    X(LCTX_E_ORIG_CTX,    "orig_ctx is missing or invalid for this scheme")               \
    X(LCTX_E_CTX,         "ctx is not positive and finite, or a plan's is below orig_ctx")  \
    X(LCTX_E_BETA,        "beta_fast must be above beta_slow, both positive")             \
    X(LCTX_E_FREQ_FACTOR, "high_freq must be above low_freq, both positive")              \
    X(LCTX_E_MSCALE,      "attn_factor, scale_mul or an mscale is out of range or not finite") \
    X(LCTX_E_TABLE,       "freq, plain, short_factor or long_factor is missing or has bad values") \
    X(LCTX_E_TABLE_SIZE,  "n_freq, n_short or n_long is not n_rot / 2")                   \
    X(LCTX_E_N_HAT,       "n_hat is negative, too large, or more than stay in place")      \
    X(LCTX_E_XPOS,        "xpos_base or xpos_center is invalid")                          \
    X(LCTX_E_XPOS_FAR,    "a position is too far from xpos_center for f32")               \
    X(LCTX_E_POS,         "a position is negative, too large or goes back")               \
    X(LCTX_E_MEMORY,      "the allocator gave no memory")                                 \
    X(LCTX_E_FULL,        "the cache has no room for these tokens")                       \
    X(LCTX_E_EVICTED,     "the tokens needed for that were evicted")                      \
    X(LCTX_E_POLICY,      "the cache's policy does not allow that")                       \
    X(LCTX_E_WEIGHT,      "a weight tensor is missing")                                   \
    X(LCTX_E_SHAPE,       "a model dimension is invalid")                                 \
    X(LCTX_E_TOKEN,       "a token is outside the vocabulary")                            \
    X(LCTX_E_NAN,         "the model gave a value that is not finite")                    \
    X(LCTX_E_IO,          "a read, write or join callback failed or ended early")         \
    X(LCTX_E_FORMAT,      "saved data is not of this format or is damaged")               \
    X(LCTX_E_MISMATCH,    "saved data, a cache or a session does not go with the other")   \
    X(LCTX_E_CANCELLED,   "the progress callback asked to stop")                          \
    X(LCTX_E_ISA,         "this CPU or this build lacks that instruction set")            \
    X(LCTX_E_IN_USE,      "memory of the pool is still in use")                           \
    X(LCTX_E_DECAY,       "a decay is unknown, not in 0 .. 1, or not for what is given")  \
    X(LCTX_E_TAPS,        "a convolution's taps are not in 1 .. LCTX_MAX_TAPS")
typedef enum lctx_status {
#define LCTX__STATUS(name, text) name,
    LCTX_STATUSES(LCTX__STATUS)
#undef LCTX__STATUS
    LCTX_STATUS_COUNT
} lctx_status;

/* What a call refused, and where it stands. A descriptor lends one (its last field, refused; null =
   none), and calls that take it fill it in: with what they refused of it or of what it points to,
   with an argument, or with a failure that no field is to blame for; else with LCTX_OK. Of two
   descriptors each tells of its own; lend both the same to look in one place. Texts are static.
   A report is for one thread at a time, and so is a descriptor that has one. */
typedef struct lctx_refusal {
    int32_t status;           /* lctx_status */
    int32_t reserved;
    const char *type;         /* "lctx_span": the struct; null = the call itself */
    const char *field;        /* "k_pos": its field, or the call's argument; null = none */
    int64_t index;            /* of the struct in an array, or of its layer: span 3; else -1 */
    int64_t element;          /* of the field where it is an array: position 5; else -1 */
} lctx_refusal;

/* Element types (see MEMORY). LCTX_I4 is for keys and values in native tiles alone; what follows it
   for matrices of weights alone, in blocks of 32 or (_K) 256 neighbours of a row, byte by byte as
   GGUF files have them, on machines of either order of bytes. */
typedef enum lctx_type {
    LCTX_F32, LCTX_F16, LCTX_BF16, LCTX_I8, LCTX_I4,
    LCTX_Q8_0, LCTX_Q4_0, LCTX_Q4_K, LCTX_Q5_K, LCTX_Q6_K, LCTX_MXFP4, LCTX_TYPE_COUNT
} lctx_type;

typedef enum lctx_isa {
    LCTX_ISA_SCALAR,
    LCTX_ISA_AVX2,          /* with FMA and F16C */
    LCTX_ISA_AVX512,        /* F, BW, DQ, VL */
    LCTX_ISA_AVX512_DOT,    /* and the dot products of BF16 and VNNI */
    LCTX_ISA_NEON,
    LCTX_ISA_NEON_DOT,      /* and int8 dot products */
    LCTX_ISA_WASM,          /* WebAssembly's 128 bits, where the build has them (-msimd128) */
    LCTX_ISA_COUNT
} lctx_isa;

/* Memory for objects. alloc returns size bytes aligned to align (a power of two), or null.
   free gets what alloc gave, with its size. Both null: malloc and free. Must be thread-safe if
   objects that share memory (forks) live on several threads. */
typedef struct lctx_allocator {
    void *(*alloc)(void *user, size_t size, size_t align);
    void  (*free)(void *user, void *ptr, size_t size);
    void  *user;
} lctx_allocator;

/* A pool: an allocator for many objects, the caches and sessions of many sequences, which takes at
   most max_bytes from another one for all of them. Sizes count rounded up to 64 bytes. What is
   freed stays, spare, and serves requests of its size: the blocks of caches of one shape are of one
   size, so that any spare one will do. Where a request would pass the bound, and where the other
   allocator has no more, spare memory of other sizes is given back to that one first. Only where
   that is not enough the call ends with LCTX_E_MEMORY.
   Objects of one pool may live on several threads, if the other allocator is thread-safe (which
   malloc is) and the compiler gcc or clang. The other allocator is called with no lock held. */
typedef struct lctx_pool_desc {
    int64_t max_bytes;              /* the bound; 0 = none */
    const lctx_allocator *alloc;    /* copied: where memory comes from; null = malloc */
    lctx_refusal *refused;          /* null = none, here and below */
} lctx_pool_desc;
typedef struct lctx_pool lctx_pool;

typedef struct lctx_pool_info {
    int64_t max_bytes;        /* as described */
    int64_t bytes_used;       /* in use */
    int64_t bytes_spare;      /* not in use and not given back; with bytes_used at most max_bytes */
    int64_t bytes_peak;       /* the most that was in use so far */
    int64_t n_used;           /* pieces in use */
} lctx_pool_info;

/* Creates an empty pool; its own bytes do not count. Errors: LCTX_E_COUNT, _MEMORY. */
LCTX_API lctx_status lctx_pool_create(const lctx_pool_desc *desc, lctx_pool **pool);

/* Frees a pool and gives its memory back; null is fine. No other call may use it meanwhile. Errors:
   LCTX_E_IN_USE: an object that it serves is still there; the pool is as before then. */
LCTX_API lctx_status lctx_pool_free(lctx_pool *pool);

/* The allocator for objects and data of yours; the pool must outlive them. */
LCTX_API lctx_status lctx_pool_allocator(lctx_pool *pool, lctx_allocator *alloc);

/* Gives all spare memory back to the allocator that it came from. */
LCTX_API lctx_status lctx_pool_trim(lctx_pool *pool);

LCTX_API lctx_status lctx_pool_get_info(lctx_pool *pool, lctx_pool_info *info);

/* Threads. run must call task(arg, i, thread) once for each i in 0 .. n-1, in any order, thread in
   0 .. n_threads-1 and never the same thread number twice at a time, and return when all are done.
   run null: OpenMP if compiled with it, else serial. n_threads 0: what OpenMP says, else 1. */
#define LCTX_MAX_THREADS 1024    /* n_threads at most */
typedef void (*lctx_task)(void *arg, int64_t i, int32_t thread);
typedef struct lctx_parallel {
    void   (*run)(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg);
    void    *user;
    int32_t  n_threads;
    int32_t  reserved;
} lctx_parallel;

/* Threads of the library's own, where it was compiled with LCTX_PTHREADS. A loop's caller is number
   0 of them. The others look for a loop for some tens of microseconds after the last, then sleep; a
   loop wakes as many as it can use and gives its tasks one by one to those who have come. Several
   host threads may share them: while they are in a loop, one from elsewhere, or from inside a task,
   is its caller's alone. After fork() the child must neither use nor free them. */
typedef struct lctx_threads_desc {
    int32_t n_threads;           /* the caller's counted; 0 = processors, of those it may use where
                                    compiled with _GNU_SOURCE; at most LCTX_MAX_THREADS */
    int32_t spin;                /* looks before sleeping, 10 to 50 ns each; 0 = 3000, -1 = none */
    const lctx_allocator *alloc; /* copied; null = malloc */
    lctx_refusal *refused;
} lctx_threads_desc;
typedef struct lctx_threads lctx_threads;

/* Starts n_threads - 1 threads, or as many as the system gives; without LCTX_PTHREADS none: loops
   are OpenMP's then, or their caller's. Errors: LCTX_E_THREADS, _COUNT (spin below -1), _MEMORY. */
LCTX_API lctx_status lctx_threads_create(const lctx_threads_desc *desc, lctx_threads **threads);

/* Ends and joins them; null is fine. No loop may be running. */
LCTX_API void lctx_threads_free(lctx_threads *threads);

/* The hook to lend to calls, which the threads must outlive; its n_threads may be lowered. */
LCTX_API lctx_status lctx_threads_parallel(lctx_threads *threads, lctx_parallel *par);

/* Called now and then during a long call and at its end, by thread 0 of the loop; done rises to
   total, in units of that call. Return nonzero to end the call with LCTX_E_CANCELLED. */
typedef int (*lctx_progress)(void *user, int64_t done, int64_t total);

/* Stream callbacks for save and restore: move exactly n bytes, return 0; nonzero is a failure. */
typedef int (*lctx_write)(void *user, const void *data, size_t n);
typedef int (*lctx_read)(void *user, void *data, size_t n);

LCTX_API uint32_t    lctx_version(void);                    /* LCTX_VERSION of the implementation */
LCTX_API const char *lctx_status_text(lctx_status status);  /* static text; never null */

/* "lctx_span[3].k_type: an element type ...", cut to size bytes, 0 at the end; its whole length. */
LCTX_API size_t lctx_refusal_text(const lctx_refusal *refused, char *text, size_t size);

/* sizeof a public struct by its name, e.g. "lctx_attn", as the implementation was compiled; 0 for
   an unknown name. Bindings compare it with their own at load time. */
LCTX_API size_t lctx_sizeof(const char *name);

/* The instruction set in use. The best that the CPU has is taken at first use, capped by the
   environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
   Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value. */
LCTX_API lctx_isa    lctx_isa_get(void);
LCTX_API lctx_status lctx_isa_set(lctx_isa isa);
LCTX_API const char *lctx_isa_name(lctx_isa isa);

/* Bytes of one element; 0 for types of blocks, for LCTX_I4 (half a byte) and unknown types. */
LCTX_API size_t lctx_type_size(lctx_type type);
/* "f32", "f16", "bf16", "int8", "int4", "q8_0", "q4_0", "q4_k", ...; null for an unknown type. */
LCTX_API const char *lctx_type_name(lctx_type type);

/* n elements from f32 to type and back. Rounding is to nearest even; f16 overflow gives infinity,
   NaN stays NaN. For LCTX_I8 the n elements are one row: *scale = max|src| / 127 is written (read
   by to_f32), and dst = round(src / scale); otherwise scale may be null. A row with a NaN or
   infinity gets a NaN scale, one of which all is below 2^-143 scale 0. Of blocks there is only the
   way back, of n elements that are whole blocks. src and dst must not overlap. Errors:
   LCTX_E_COUNT, _TYPE. */
LCTX_API lctx_status lctx_from_f32(lctx_type type, int64_t n, const float *src, void *dst,
                                   float *scale);
LCTX_API lctx_status lctx_to_f32(lctx_type type, int64_t n, const void *src, const float *scale,
                                 float *dst);

/* ---------------------------------------------------------------------------- >>api-rope
   Rotary position embedding (Su et al. 2104.09864). Pair i of a head turns by the angle
   position * freq[i]; cos and sin are multiplied by the attention factor:
       x' = (x cos - y sin) * attn_factor,  y' = (x sin + y cos) * attn_factor
   With d = n_rot, b = theta, s = factor, L = orig_ctx and plain frequencies f_i = b^(-2i/d):
       PLAIN      f_i                  (a base change, ABF, is a larger theta)
       LINEAR     f_i / s              position interpolation, Chen et al. 2306.15595
       NTK        b' = b * s^(d/(d-2))                                     bloc97 2023
       DYNAMIC    b' = b * (s*l/L - (s-1))^(d/(d-2)) for l = ctx > L, else plain
                                                                           emozilla 2023
       BY_PARTS   r_i = L f_i / 2pi; g = clamp((r_i - beta_slow) / (beta_fast - beta_slow), 0, 1);
                  (1-g) f_i/s + g f_i                          YaRN paper 2309.00071, sec. 3.2
       YARN       the same with the ramp linear in i, as the YaRN code, HF, llama.cpp and vLLM have:
                  dim(r) = d ln(L / 2pi r) / (2 ln b); low = dim(beta_fast), high = dim(beta_slow),
                  floored and ceiled unless no_truncate, clamped to [0, d-1], high += 0.001 if
                  equal; g_i = 1 - clamp((i - low)/(high - low), 0, 1)
       LLAMA3     wavelength w = 2pi/f_i: w < L/high_freq keep; w > L/low_freq f_i/s; between
                  t = (L/w - low_freq)/(high_freq - low_freq); (1-t) f_i/s + t f_i
       LONGROPE   f_i / short_factor[i] for l = ctx <= L, f_i / long_factor[i] for l > L
                                                          2402.13753, HF longrope, once "su"
       RAW        freq[] as given
   Attention factor, of any scheme: attn_factor if given. Else, of YARN and BY_PARTS, with
   m(a) = 0.1 a ln s + 1 (s > 1): m(mscale)/m(mscale_all_dim) when both are given, else m(1); of
   LONGROPE short_mscale or long_mscale, whichever list is used, if given, else
   sqrt(1 + ln s / ln L) with either list; of all others 1.
   DeepSeek also multiplies the softmax scale by m(mscale_all_dim)^2: that is scale_mul, which you
   multiply into lctx_attn.scale yourself (the model step does, and attention over raw keys where
   scale is 0). It is 1 unless mscale_all_dim is set.
   xPos (2212.10554) goes with any scheme: with zeta_i = (2i/d + 0.4)/1.4, pair i of a query at
   position m is multiplied by zeta_i^((m - c)/xpos_base), that of a key at n by
   zeta_i^((c - n)/xpos_base), so that their product fades with their distance. The centre c is
   yours: halfway through the positions in use, the same for queries and keys.

   A schedule is for one length. DYNAMIC and LONGROPE choose by ctx, once, as llama.cpp and vLLM do
   by the context they are opened with. HF chooses anew as the text grows, and leaves cached keys as
   they were turned: to do that exactly, keep keys raw, and schedules by length (lctx_attn.rope). */
#define LCTX_MAX_ROT 512
#define LCTX_XPOS_REACH 64     /* xPos holds up to this many xpos_base away from the centre */
typedef enum lctx_rope_scheme {
    LCTX_ROPE_PLAIN, LCTX_ROPE_LINEAR, LCTX_ROPE_NTK, LCTX_ROPE_DYNAMIC, LCTX_ROPE_BY_PARTS,
    LCTX_ROPE_YARN, LCTX_ROPE_LLAMA3, LCTX_ROPE_RAW, LCTX_ROPE_LONGROPE, LCTX_ROPE_SCHEME_COUNT
} lctx_rope_scheme;
typedef enum lctx_rope_pairing {
    LCTX_ROPE_HALF,          /* (i, i + n_rot/2): NeoX, Hugging Face */
    LCTX_ROPE_INTERLEAVED,   /* (2i, 2i + 1): GPT-J, llama2.c, GGUF's llama */
    LCTX_ROPE_PAIRING_COUNT
} lctx_rope_pairing;
typedef enum lctx_rope_side {    /* what is rotated; only xPos tells them apart */
    LCTX_ROPE_QUERY, LCTX_ROPE_KEY, LCTX_ROPE_SIDE_COUNT
} lctx_rope_side;

/* Where implementations disagree, the comment says what ours does and how to get the other. */
typedef struct lctx_rope_desc {
    int32_t scheme;          /* lctx_rope_scheme */
    int32_t pairing;         /* lctx_rope_pairing */
    int32_t n_rot;           /* dimensions that turn, even; the rest of the head passes through */
    int32_t no_truncate;     /* YARN: nonzero = no floor and ceil (HF truncate: false); ggml: 0 */
    double  theta;           /* base; 0 = 10000 */
    double  factor;          /* s >= 1; 0 = 1. HF's ctx / orig_ctx, which replaces a factor where
                                a config gives the original context, is yours to compute */
    double  orig_ctx;        /* L, trained context; needed by DYNAMIC, BY_PARTS, YARN, LLAMA3,
                                LONGROPE (there above 1) */
    double  ctx;             /* DYNAMIC, LONGROPE: the length l to settle on; 0 = factor * L */
    double  beta_fast;       /* BY_PARTS, YARN; 0 = 32 */
    double  beta_slow;       /* 0 = 1. Where all of YaRN's ramp lies behind the last pair, all are
                                kept, as in ggml; HF, which clamps low from below and high from
                                above only, interpolates all of them: LINEAR */
    double  attn_factor;     /* any scheme's attention factor; 0 = computed. It stands alone: ggml
                                takes its own times 0.1 ln s + 1, so multiply GGUF's by that */
    double  mscale;          /* YARN; 0 = not given. Alone it changes nothing, as in HF; DeepSeek's
                                own code then has attn_factor = 0.1 mscale ln s + 1 */
    double  mscale_all_dim;  /* YARN; 0 = not given. Equal to mscale, the attention factor is 1 and
                                the whole effect is scale_mul. Where that was left out (some
                                versions of HF, exllamav3), ignore scale_mul */
    double  low_freq;        /* LLAMA3 low_freq_factor; 0 = 1 */
    double  high_freq;       /* LLAMA3 high_freq_factor; 0 = 4 */
    const double *freq;      /* RAW: [n_rot/2] radians per position, at most 2^512 in size */
    const double *short_factor;      /* LONGROPE: [n_rot/2] divisors up to orig_ctx, from 2^-512 */
    const double *long_factor;       /* LONGROPE: [n_rot/2] divisors beyond it, from 2^-512 */
    int32_t n_freq, n_short, n_long; /* of these lists: n_rot/2; 0 = not checked */
    int32_t reserved;
    double  short_mscale;    /* LONGROPE: attention factor with the short list (Phi-3.5-MoE) */
    double  long_mscale;     /* ... with the long list; 0 = computed */
    int64_t n_hat;           /* positions below it turn by f_i: LONGROPE's first tokens, of any
                                scheme; 0 = none, as in HF. Under LCTX_SINKS at most n_sink */
    double  xpos_base;       /* xPos: 512 in the paper; 0 = no xPos */
    int64_t xpos_center;     /* xPos: the position c that is not scaled */
    lctx_refusal *refused;
} lctx_rope_desc;

/* A schedule: plain data, of lctx_rope_init or filled by hand, which all that take one check. A
   schedule's errors are LCTX_E_N_ROT, _ENUM (the pairing), _TABLE, _MSCALE, _N_HAT and _XPOS. */
typedef struct lctx_rope {
    int32_t n_rot, pairing;
    double  attn_factor;               /* multiplied into cos and sin; above 0 */
    double  scale_mul;                 /* yours to multiply into the softmax scale; above 0 */
    double  freq[LCTX_MAX_ROT / 2];    /* [n_rot/2] radians per position */
    double  plain[LCTX_MAX_ROT / 2];   /* [n_rot/2] f_i, in their place at positions below n_hat */
    int64_t n_hat;
    double  xpos_base;                 /* 0 = no xPos */
    int64_t xpos_center;
} lctx_rope;

/* Computes a schedule, in double: each frequency within 5e-15 of the formula's, relatively. Errors:
   LCTX_E_ENUM, _N_ROT, _THETA, _FACTOR, _ORIG_CTX, _CTX, _BETA, _FREQ_FACTOR, _MSCALE,
   _TABLE, _TABLE_SIZE, _N_HAT, _XPOS; *rope is untouched then. Nothing is clamped silently. */
LCTX_API lctx_status lctx_rope_init(lctx_rope *rope, const lctx_rope_desc *desc);

/* cos[n_rot/2] and sin[n_rot/2] of one position, 0 <= pos < 2^48, attention factor included, xPos
   not: right to float rounding up to 2^24; beyond, the angle is off by up to its 2^-53 and what the
   frequency is off, at 2^40 by 0.005 radians at most. Errors: LCTX_E_POS, a schedule's. */
LCTX_API lctx_status lctx_rope_cos_sin(const lctx_rope *rope, int64_t pos, float *cos, float *sin);

/* xPos of one position: growth[n_rot/2], zeta_i^((pos - c)/xpos_base) of a query's pairs and its
   inverse of a key's; all 1 without xPos. They stay within 2^+-116 up to LCTX_XPOS_REACH *
   xpos_base positions from the centre (32768 for 512), so that elements of size 5000 do not
   overflow in f32; positions farther out are refused. Keep keys as f32 or bf16: with base 512, f16
   overflows from 4500 positions off the centre on, and int8 has one scale for a row whose pairs
   grow apart. Errors: LCTX_E_ENUM, _POS, _XPOS_FAR, a schedule's. */
LCTX_API lctx_status lctx_rope_xpos(const lctx_rope *rope, lctx_rope_side side, int64_t pos,
                                    float *growth);

/* Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
   may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
   pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
   learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
   only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
   _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then. */
typedef struct lctx_rope_job {
    int64_t        n_tok;
    int32_t        n_head, head_dim;
    const float   *x;        int64_t x_token, x_head;        /* strides */
    float         *out;      int64_t out_token, out_head;    /* strides */
    const int64_t *pos;      /* [n_tok] or null */
    int64_t        pos0;
    const lctx_parallel *par;    /* null = default */
    const float   *cos;      int64_t cos_token;              /* both or neither; strides */
    const float   *sin;      int64_t sin_token;
    int32_t        side;     /* lctx_rope_side, for xPos */
    int32_t        reserved;
    lctx_refusal  *refused;
} lctx_rope_job;
LCTX_API lctx_status lctx_rope_apply(const lctx_rope *rope, const lctx_rope_job *job);

/* Planning, by the scaling laws of Liu et al. 2310.05209. A pair whose wavelength exceeds the
   trained context L has not been seen through a whole turn, and positions beyond L show it angles
   it does not know. n_rot, theta (0 = 10000) and orig_ctx describe the model as trained.
   Errors of all: LCTX_E_N_ROT, _THETA, _ORIG_CTX (not above 2 pi, or not finite). */

/* Critical dimension: the first dim of n_rot dimensions have turned once within L,
       dim = 2 ceil(d/2 log_b(L / 2pi)), and n_rot where that is larger: all have. */
LCTX_API lctx_status lctx_rope_critical_dim(int32_t n_rot, double theta, double orig_ctx,
                                            int32_t *dim);

/* The context that a larger base can carry after tuning, the period of the last dimension that had
   turned once: ctx = 2pi new_theta^(dim/n_rot), dim as above; infinite where dim is n_rot: no pair
   sets a bound then. new_theta 0 = theta, the model as it is: a little above L.
   Errors also: LCTX_E_THETA where new_theta is below theta. */
LCTX_API lctx_status lctx_rope_reach(int32_t n_rot, double theta, double orig_ctx,
                                     double new_theta, double *ctx);

/* What to change for a context of ctx >= L tokens. new_theta: the base to tune with (ABF),
   b^(log(ctx/2pi) / log(L/2pi)); lctx_rope_reach of it is at least ctx. factor: ctx / L, for the
   schemes that interpolate; ntk_factor: the factor that gives NTK that base. Outputs may be null.
   Errors also: LCTX_E_CTX, LCTX_E_N_ROT (ntk_factor needs a second pair). */
LCTX_API lctx_status lctx_rope_advise(int32_t n_rot, double theta, double orig_ctx, double ctx,
                                      double *new_theta, double *factor, double *ntk_factor);

/* Smaller bases extrapolate too, without a sharp bound, the better the more of a turn every pair
   makes within the L tokens of tuning: theta[0] = 2L/pi a quarter, theta[1] = L/pi half,
   theta[2] = L/2pi a whole one. Errors: LCTX_E_ORIG_CTX. */
LCTX_API lctx_status lctx_rope_small_thetas(double orig_ctx, double theta[3]);

/* How many pairs are incomplete within ctx positions: those of a wavelength 2pi/|freq| above it.
   wavelength[n_rot/2] (infinite where freq is 0) may be null. Errors: LCTX_E_CTX, a schedule's. */
LCTX_API lctx_status lctx_rope_incomplete(const lctx_rope *rope, double ctx, int32_t *n_pairs,
                                          double *wavelength);

/* ---------------------------------------------------------------------------- >>api-attention
   For every row (query t of head h, KV head g = h / (n_head / n_head_kv)):
       s_j = scale * q_t . k_j           scale 0: 1/sqrt(d_k)
       s_j = softcap * tanh(s_j / softcap)                         if softcap > 0
       s_j = s_j - alibi[h] * |pos_t - pos_j| + bias[h][t][j]      if given
       with rope, q_t and k_j are rotated to their positions first (see lctx_far_rule)
       visible: pos_j <= pos_t (causal), and
                  pos_t - pos_j < window and the pattern allows it (and, of keys after the query,
                  pos_j - pos_t <= window_right), or
                  pos_j < n_sink, or j or t is one of the pattern's global positions;
                and the groups of t and of j's span agree, or one of them is 0;
                and t's list names j's block, if there are lists, and mask_bits allow j
       p_j = exp(s_j) / (sum over visible j of exp(s_j) + exp(sink_logit[h]))
       out = sum of p_j v_j,    lse = log of the denominator
       mass[g][j] += sum of p_j over the queries and the heads of group g
   Online softmax: Milakov & Gimelshein 1805.02867; tiling: Dao et al. 2205.14135; split keys:
   flash-decoding, Dao et al. 2023; ALiBi: 2108.12409; softcap: Gemma 2; sink logits: gpt-oss; mass:
   H2O 2306.14048, SnapKV 2404.14469. */

/* A run of n keys and values, all heads. Layouts:
   LCTX_ROWS   key j of head g stands at k + j*k_token + g*k_head, d_k elements in a row; values
               likewise; they may be a part of the keys (v = k, its strides: latent attention, MLA).
               Any alignment. Strides 0: [token][n_head_kv][dim] packed. int8: k_scale at
               k_scale + j*k_scale_token + g*k_scale_head (f32; strides 0: [token][n_head_kv]).
   LCTX_TILES  the native layout (lctx_tiles below); skip of the first tile's 64 keys are before the
               span (0 .. 63). v = k: latent tiles, which hold keys alone; the values are the first
               d_v dimensions of them, of the keys' type (not 4 bits), d_v <= d_k. */
typedef enum lctx_layout { LCTX_ROWS, LCTX_TILES, LCTX_LAYOUT_COUNT } lctx_layout;
typedef struct lctx_span {
    const void *k, *v;
    int32_t k_type, v_type;              /* lctx_type */
    int32_t layout;                      /* lctx_layout */
    int32_t skip;                        /* TILES: keys of the first tile before the span */
    int64_t n;                           /* keys; 0 is allowed */
    int64_t pos;                         /* the first key's position, the next follow by one; 0 is
                                            0 in every span, not "after the span before" */
    int64_t index;                       /* number of the first key in the sequence, which fixes its
                                            leaf and so the bits. 0 = right after the span before */
    int32_t query;                       /* 0: scored with q, 1: with q_far */
    int32_t group;                       /* seen by queries of this group and of 0; 0: by all */
    int64_t k_token, k_head, v_token, v_head;   /* strides, bytes; TILES: tokens' from tile to tile;
                                                   0 = packed, keys with values; v_head as k_head */
    const float *k_scale, *v_scale;                      /* ROWS of int8 */
    int64_t k_scale_token, k_scale_head, v_scale_token, v_scale_head;
    const int64_t *k_pos;                /* [n_head_kv][n] for pos + j, not going back; or null */
    int64_t k_pos_head;                  /* stride, bytes; 0 = packed, -1 = the same for all */
} lctx_span;

typedef enum lctx_mask { LCTX_CAUSAL, LCTX_MASK_NONE, LCTX_MASK_COUNT } lctx_mask;

/* Block patterns: which keys (at position n) a query (at m, head h) sees, from positions alone; "/"
   rounds down. A pattern narrows the mask and the window, which hold beside it; sinks and global
   positions are seen whatever it says. Tiles that no query of a task sees are never read, and rows
   that see nothing of a tile not computed; within a tile keys cost the same seen or not, so that
   strides and dilations below 64 save time by their queries only.
       ALL      every key; for global positions alone (with a window: Longformer)
       STRIDED  |m - n| < local or (m - n) % length = 0            Sparse Transformer 1904.10509
       FIXED    m / length = n / length or n % length >= length - summary            its "fixed"
       DILATED  m / length = n / length and m % length % dilation = n % length % dilation
                = h % dilation: one segment length and dilation of LongNet 2307.02486. Queries
                that a head leaves out get zeros and lse = -inf, so that lctx_merge over several
                calls, one per pair of length and dilation, weighs them as the paper does. (The
                authors' code gives blocks of neighbouring heads one offset, the paper h % r.)
       BLOCKS   m / length - back <= n / length <= m / length. With back = 1 and length half of the
                trained context that is blockwise causal attention, BCA (2212.10554, sec. 3.3; what
                LongNet calls BCA); with LCTX_MASK_NONE a query sees its own block to the end, too.
   Parallel context windows (2212.10947) are groups: the spans of context c, at positions that begin
   again, are of group c, so are its queries; what all share is of 0. With a cache a context, set
   the group in what lctx_cache_spans gives. So is chunked cross attention (RETRO 2112.04426). */
typedef enum lctx_pattern_kind {
    LCTX_PATTERN_ALL, LCTX_PATTERN_STRIDED, LCTX_PATTERN_FIXED, LCTX_PATTERN_DILATED,
    LCTX_PATTERN_BLOCKS, LCTX_PATTERN_COUNT
} lctx_pattern_kind;
typedef struct lctx_pattern {
    int32_t kind;                  /* lctx_pattern_kind */
    int32_t dilation;              /* DILATED: 1 .. length */
    int64_t length;                /* the stride, segment or block; >= 1 but for ALL */
    int64_t local;                 /* STRIDED: keys nearer than this; 0 = length, 1 = own key */
    int64_t summary;               /* FIXED: keys at each stride's end; 0 = 1, at most length */
    int64_t back;                  /* BLOCKS: earlier blocks that are seen, >= 0 */
    const int64_t *global;         /* [n_global] rising positions, or null: those from global0 on */
    int64_t n_global, global0;     /* keys there are seen by all, queries there see all, as far as
                                      causality and groups allow (Longformer 2004.05150) */
} lctx_pattern;

/* Lists: which blocks of keys each query reads, say of lctx_choose; they narrow whatever else is
   said. Block b holds the keys of numbers (lctx_span.index) b * list_keys and on. Query t reads
   by row (list_first + t) / list_queries; its head by one column for all (list_heads 1), its KV
   head's or its own (n_head_kv, n_head). Blocks come in any order, twice is once, -1 is none. 0s
   mean list_queries: all queries share a row; list_heads: 1; list_keys: LCTX_TILE. Tiles that no
   query of a task reads are not touched, so time falls with the share that is read, if blocks are
   whole tiles. Of smaller ones keys are hidden within tiles; but rows (LCTX_ROWS, not k_pos) are
   put together into tiles where a list is not a query head's own, has at most half as many entries
   as there are blocks between its ends, and there is no bias, mask of bits, ALiBi or raw key (their
   bits are then others than where these keep them from it): at a tenth of 128 K keys decoding then
   took .36 of the time of all with 1 key a block, .23 with 16 or 64. With all blocks named, the
   bits are those without a list. Scratch has a bit a block for each row of a task. */

/* Raw keys: with rope, queries and keys come without rotation and are rotated by their positions as
   they are read; one schedule holds for all of them, whatever held when the keys were stored. A
   rule says at which distance a pair counts whose own, m - n, is `window` or more:
       window + g(m) - g(window) - g(n)
       CLAMP   g(x) = 0              min(m - n, window): ReRoPE (Su, kexue.fm 9708); with a window
                                     and sinks LM-Infinite's cap (2308.16137)
       LEAKY   g(x) = x / leak       leaky ReRoPE: window + (m - n - window) / leak
       GROUP   g(x) = floor(x / group)                               Self-Extend, 2401.01325
   A tile with near and far pairs costs two passes, others one. Under CLAMP far keys are used as
   stored. Angles are in double; a key's cos and sin are products of two floats, within 2^-22. */
typedef enum lctx_far_kind {
    LCTX_FAR_NONE, LCTX_FAR_CLAMP, LCTX_FAR_LEAKY, LCTX_FAR_GROUP, LCTX_FAR_COUNT
} lctx_far_kind;
typedef struct lctx_far_rule {
    int32_t kind;                  /* lctx_far_kind */
    int32_t group;                 /* GROUP: positions that count as one, >= 1 */
    int64_t window;                /* pairs nearer than this keep their distance, >= 1 */
    double  leak;                  /* LEAKY: k >= 1 */
} lctx_far_rule;

typedef struct lctx_attn {
    int64_t n_q;                   /* queries, >= 0 */
    int32_t n_head, n_head_kv;
    int32_t d_k, d_v;              /* d_v 0 = d_k */
    const float *q;                /* [n_q][n_head][d_k], rotated already unless rope is given */
    const float *q_far;            /* the same rotated otherwise, for spans with query 1; or null */
    int64_t q_token, q_head;       /* strides of q and q_far, bytes; 0 = packed */
    const int64_t *q_pos;          /* [n_q] positions, or null: q_pos0 + t. Causal ones without rope
                                      may be negative: before all keys a query sees nothing */
    int64_t q_pos0;
    const int32_t *q_group;        /* [n_q] groups seen, cheapest side by side; null or 0: all */
    const lctx_rope *rope;         /* given: keys and queries are raw; null: rotated already */
    const lctx_far_rule *far_rule; /* with rope, one without n_hat and xPos; null = no rule */
    int64_t far_pos;               /* with rope: for spans of query 1 queries stand at far_pos at
                                      most, and q_far is not read; 0 = no bound */
    const lctx_span *spans;        /* [n_spans] */
    int64_t n_spans;
    float  *out;                   /* [n_q][n_head][d_v] */
    int64_t out_token, out_head;   /* strides, bytes; 0 = packed */
    float  *lse;                   /* [n_q][n_head] or null */
    int64_t lse_token;             /* stride, bytes; 0 = packed */
    float   scale;                 /* 0 = 1/sqrt(d_k), with rope times its scale_mul */
    float   softcap;               /* 0 = none */
    int32_t mask;                  /* lctx_mask */
    int32_t n_sink;                /* with a window: keys at positions below stay visible */
    int64_t window;                /* keys a query sees, its own counted; 0 = all */
    int64_t window_right;          /* LCTX_MASK_NONE: keys after its own; 0 = all, -1 = none */
    const lctx_pattern *pattern;   /* null = none */
    const int32_t *list;           /* [n_list][list_heads][list_len] blocks of keys, or null */
    int64_t list_len, list_queries, list_first;
    int32_t list_heads, list_keys;
    const uint64_t *mask_bits;     /* [n_head][n_q][n_kv] bits, rows of whole words: key j is bit
                                      j % 64 of word j / 64, 1 where it may be seen; or null */
    int64_t mask_head, mask_query; /* strides, bytes; 0 = packed, -1 = the same for all */
    const float *alibi;            /* [n_head] slopes or null */
    const float *sink_logit;       /* [n_head] or null */
    const float *bias;             /* [n_head][n_q][n_kv], added; -inf masks, and tiles all masked
                                      are not read; or null. n_kv: keys of all spans in order */
    int64_t bias_head, bias_query; /* strides, bytes; 0 = packed, -1 = the same for all */
    int32_t precise;               /* nonzero: f32 arithmetic for all types (ARITHMETIC) */
    int32_t reserved;
    float  *mass;                  /* [n_head_kv][n_kv], added to; wants lse. Or null (see below) */
    int64_t mass_head;             /* stride, bytes; 0 = packed */
    int64_t mass_queries;          /* only the last so many queries count, <= n_q; 0 = all */
    const lctx_parallel *par;      /* null = default */
    lctx_progress progress;        /* or null; on cancelling out, lse and mass are unspecified */
    void   *progress_user;
    lctx_refusal *refused;
} lctx_attn;

/* Bytes of scratch that lctx_attend needs for this descriptor; q, out, lse and the spans' k and v
   may still be null. Independent of the number of keys but for a logarithm, and the bits of lists.
   Reads the descriptor, its spans, rule, schedule and pattern, in time by their number, but none of
   q_pos, q_group, k_pos and list: what is wrong there, lctx_attend says. Errors: as lctx_attend. */
LCTX_API lctx_status lctx_attend_size(const lctx_attn *attn, size_t *bytes);

/* Attention. scratch: at least lctx_attend_size bytes, any alignment; not shared between calls that
   run at once.
   Mass is the weight that each key received: a second pass over the keys, once all lse are known,
   that costs what the scores did. Weights are added one by one, in the order of queries and within
   each of heads: the same bits for any threads, splits and chunks of queries in order. Right to
   about 2^-23 (1 + |lse|) of each weight. Masked keys get nothing; sink logits their share.
   Errors: LCTX_E_COUNT, _OVERFLOW, _ENUM, _TYPE, _HEADS, _HEAD_DIM, _STRIDE, _SCALE, _SPAN,
   _WINDOW, _LENGTH, _DILATION, _LOCAL, _GLOBAL, _GROUP, _LIST, _FAR_RULE, _XPOS_FAR, _SOFTCAP,
   _POS, _THREADS, _SCRATCH, _CANCELLED, a schedule's. */
LCTX_API lctx_status lctx_attend(const lctx_attn *attn, void *scratch, size_t scratch_bytes);

/* Choosing: lists for a call, out of scores of blocks, a list's at a time. Of the call n_q, heads,
   d_k, queries, their positions, mask and the shape of lists count; its spans are what is scored:
   rows of f32, block_rows a block, numbered as keys are (lctx_span.index). Block b stands at
   positions b * list_keys and on, and under LCTX_CAUSAL queries see rows up to their own. Over a
   list's queries t and heads h, a row's score is
       BOUND     max over t, h of sum over d of max(q_d k_d, q_d v_d), k the least and v the
                 greatest of each dimension of a block's keys                    Quest 2406.10774
       PRODUCT   max over t, h of q . k, k means of keys (MoBA 2502.13189), some that stand for a
                 block (InfLLM 2402.04617), or the keys
       RELU      max over t of sum over h of weight max(q . k, 0): DSA (DeepSeek V3.2), whose
                 indexer has queries and keys of its own
   and a block's that of its greatest row, -FLT_MAX where there is none; GIVEN are scores of one's
   own, as sums of mass (lctx_attn.mass; XAttention 2503.16428: of a call on every so many queries
   and keys put together as one, last with first). A list names, in order, the blocks of the first
   n_sink tokens and of the last `window` that there are up to any of its queries (of one behind all
   keys, however far, the last; without causality all after, too); of the others the n_top best, of
   equals the later, if list_len has room; with share the fewest of these that, with what is always
   read, have so much of all positive scores; then -1. NaN in queries and rows is passed over, given
   it counts most. Bits do not depend on threads, nor on chunks that end between lists. */
typedef enum lctx_score {
    LCTX_SCORE_GIVEN, LCTX_SCORE_BOUND, LCTX_SCORE_PRODUCT, LCTX_SCORE_RELU, LCTX_SCORE_COUNT
} lctx_score;

typedef struct lctx_choice {
    int32_t kind;                  /* lctx_score */
    int32_t block_rows;            /* of spans; 0 = 1; where these are the keys, list_keys */
    int64_t n_top;                 /* 0 = as list_len has room, -1 = none */
    int64_t n_sink, window;        /* >= 0; window 0 = 1 */
    float   share;                 /* 0 .. 1; 0 = by n_top alone */
    int32_t reserved;
    const float *weight;           /* RELU: [n_q][n_head]; null = 1 */
    float  *score;                 /* [n_list][list_heads][n_block], up to the last row's block: of
                                      GIVEN; else gets what was scored, null = nowhere */
    lctx_refusal *refused;
} lctx_choice;

/* list: [n_list][list_heads][list_len], to be handed to the call. Scratch is O(threads x blocks);
   size needs neither queries nor rows nor scores. Errors: those of lctx_attend_size, LCTX_E_ENUM,
   _COUNT, _WINDOW, _TYPE (of a span), _POLICY (raw keys), _LIST (list_len has no room for what is
   always read), _SCRATCH. */
LCTX_API lctx_status lctx_choose_size(const lctx_attn *attn, const lctx_choice *choice,
                                      size_t *bytes);
LCTX_API lctx_status lctx_choose(const lctx_attn *attn, const lctx_choice *choice, int32_t *list,
                                 void *scratch, size_t scratch_bytes);

/* Merges partial results over disjoint sets of keys: rows of d_v values, normalised, and their lse.
       m = max_p lse_p;  w_p = exp(lse_p - m);  out = sum w_p out_p / sum w_p;  lse = m + ln sum w_p
   out and lse_out may be those of a part (in place); lse_out may be null. Parts with lse = -inf
   count nothing. Use sink_logit in one part only. Errors: LCTX_E_COUNT, _HEAD_DIM. */
LCTX_API lctx_status lctx_merge(int64_t n_rows, int32_t d_v, int32_t n_parts,
                                const float *const *out_parts,   /* [n_parts] -> [n_rows][d_v] */
                                const float *const *lse_parts,   /* [n_parts] -> [n_rows] */
                                float *out, float *lse_out);     /* [n_rows][d_v], [n_rows] */

/* ALiBi slopes: 2^(-8(h+1)/n) for n a power of two; else those of the power of two below, then
   every second one of twice that power (2108.12409, authors' code). Errors: LCTX_E_HEADS. */
LCTX_API lctx_status lctx_alibi_slopes(int32_t n_head, float *slopes);

/* The native layout as memory of yours (the cache keeps its own). A store holds tokens 0 .. cap-1
   of n_head_kv heads; cap is a multiple of LCTX_TILE. mem must be aligned to 64 bytes. */
#define LCTX_TILE 64
typedef struct lctx_tiles {
    int32_t n_head_kv, d_k, d_v;          /* d_v 0 = d_k */
    int32_t k_type, v_type;               /* lctx_type */
    int32_t latent;                       /* nonzero: values are the keys' first d_v dimensions, not
                                             stored; d_v <= d_k, v_type = k_type, not of 4 bits */
    int64_t cap;                          /* tokens, a multiple of LCTX_TILE */
    void   *mem;                          /* lctx_tiles_size bytes */
    lctx_refusal *refused;
} lctx_tiles;

/* Rows of f32: keys [n][n_head_kv][d_k], values [n][n_head_kv][d_v], null for latent ones. */
typedef struct lctx_rows {
    int64_t n;
    const float *k, *v;
    int64_t k_token, k_head, v_token, v_head;
    lctx_refusal *refused;
} lctx_rows;

/* Bytes of a store; mem may be null. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW. */
LCTX_API lctx_status lctx_tiles_size(const lctx_tiles *tiles, size_t *bytes);
/* Packs rows as tokens first .. first+n-1; others are untouched. LCTX_I4 keys go by whole tiles:
   first % LCTX_TILE = 0, and what the last held beyond is lost. Errors: as size, _SPAN, _STRIDE. */
LCTX_API lctx_status lctx_tiles_write(const lctx_tiles *tiles, int64_t first,
                                      const lctx_rows *rows);
/* Unpacks n tokens into k[n][n_head_kv][d_k] and v[n][n_head_kv][d_v], either may be null. */
LCTX_API lctx_status lctx_tiles_read(const lctx_tiles *tiles, int64_t first, int64_t n,
                                     float *k, float *v);
/* A span over tokens first .. first+n-1 of a store, at position pos. Errors: as above. */
LCTX_API lctx_status lctx_tiles_span(const lctx_tiles *tiles, int64_t first, int64_t n, int64_t pos,
                                     lctx_span *span);

/* ---------------------------------------------------------------------------- >>api-recurrence
   In place of keys and values a state that does not grow, S[d_v][d_k] a head:
       S_t = S_{t-1} diag(w_t) + (S_{t-1} a_t) b_t^T + v_t k_t^T,     y_t = scale * S_t q_t
   Linear attention 2006.16236 (w = 1; feature maps are yours); RetNet 2307.08621 and Mamba-2
   2405.21060 (k = B, q = C, v = dt x): w a number; GLA 2312.06635: a vector; DeltaNet 2406.06484:
   beta, Gated DeltaNet 2412.06464 and w a number, KDA 2510.26692 a vector; RWKV-6 2404.05892: w a
   vector, a bonus; RWKV-7 2503.14456: w a vector, a and b; Mamba 2312.00752: w of each element. A
   prompt and a token are the same call. Bits do not depend on how tokens are cut into calls, nor on
   threads: each value's row goes from token to token by itself, its sums over the dimensions in one
   order, in f32. A NaN in a token stays in the states of the heads that read it. */
typedef enum lctx_decay {
    LCTX_DECAY_NONE,          /* w = 1 */
    LCTX_DECAY_HEAD,          /* decay[n][n_head] */
    LCTX_DECAY_DIM,           /* decay[n][n_head][d_k] */
    LCTX_DECAY_ELEMENT,       /* decay[n][n_head][d_v] = dt: w = exp(dt rate) by element, v times dt
                                 (Mamba: rate = A, n_head = 1, d_v = d_inner) */
    LCTX_DECAY_COUNT
} lctx_decay;

/* For going back: after every `every` tokens, counted from the sequence's first however calls cut
   it, slot (tokens / every - 1) % n gets a copy of the state, to be handed in again as `from`. */
typedef struct lctx_snapshots {
    int64_t before;           /* tokens of the sequence before this call */
    int64_t every, n;         /* >= 1 */
    float  *slots;            /* [n] states, in their strides */
    int64_t slot;             /* stride, bytes; 0 = packed */
} lctx_snapshots;

typedef struct lctx_recurrence {
    int64_t n;                /* tokens, >= 0; of 0 nothing is touched */
    int32_t n_head, n_head_k; /* states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head */
    int32_t d_k, d_v;         /* d_v 0 = d_k */
    int32_t decay_kind;       /* lctx_decay */
    int32_t bounded;          /* nonzero: HEAD, DIM refuse decays outside 0 .. 1 */
    const float *q, *k, *v;   /* [n][n_head_k][d_k] twice, [n][n_head][d_v] */
    const float *decay;       /* by its kind */
    const float *rate;        /* ELEMENT: in the strides of the state */
    const float *beta;        /* [n][n_head], the delta rule: a = -beta w k, b = k, v times beta */
    const float *a, *b;       /* [n][n_head][d_k], [n][n_head_k][d_k]; b null = k */
    const float *bonus;       /* u[n_head][d_k], without a, beta and ELEMENT:
                                 y_t = scale (S_{t-1} q_t + v_t sum of u k_t q_t) */
    float  *y;                /* [n][n_head][d_v] */
    float  *state;            /* [n_head][d_k][d_v], values innermost; gets the last S */
    const float *from;        /* the first S; null = state */
    int64_t q_token, q_head, k_token, k_head, v_token, v_head;     /* strides, bytes; 0 = packed */
    int64_t decay_token, decay_head;    /* decay_token -1: the same for all tokens */
    int64_t beta_token, beta_head, a_token, a_head, b_token, b_head, bonus_head, y_token, y_head;
    int64_t state_head, state_k, state_v;    /* [d_v][d_k] takes longer, by transpositions */
    float   scale;            /* 0 = 1 */
    int32_t reserved;
    const lctx_snapshots *snapshots;    /* null = none */
    const lctx_parallel  *par;          /* null = default */
    lctx_refusal *refused;
} lctx_recurrence;

/* Takes n tokens; size says with how much scratch, by d_k and threads alone, where arrays may still
   be null. None may overlap but state and from. Errors: LCTX_E_COUNT, _HEADS, _HEAD_DIM,
   _DECAY, _SOFTCAP (scale), _STRIDE, _OVERFLOW, _POS, _THREADS, _SCRATCH; nothing is touched. */
LCTX_API lctx_status lctx_recur_size(const lctx_recurrence *r, size_t *bytes);
LCTX_API lctx_status lctx_recur(const lctx_recurrence *r, void *scratch, size_t scratch_bytes);

/* The causal convolution before most of these, channel by channel, with the same promises:
       y_t = act(bias + sum over j of weight[j] x_{t - taps + 1 + j}),  act(z) = z or z / (1 + e^-z)
   Errors: LCTX_E_COUNT, _TAPS, _STRIDE, _OVERFLOW, _POS, _THREADS. */
#define LCTX_MAX_TAPS 16
typedef struct lctx_convolution {
    int64_t n;                /* tokens */
    int32_t n_channel, taps;
    const float *x;           /* [n][n_channel] */
    const float *weight;      /* [n_channel][taps], the last one the token's own */
    const float *bias;        /* [n_channel] or null */
    float  *y;                /* [n][n_channel], not x */
    float  *state;            /* [taps - 1][n_channel], the last inputs, the oldest first */
    const float *from;        /* null = state */
    int64_t x_token, y_token, state_tap;     /* strides, bytes; 0 = packed */
    int32_t silu;             /* nonzero: act(z) = z / (1 + e^-z) */
    int32_t reserved;
    const lctx_snapshots *snapshots;
    const lctx_parallel  *par;
    lctx_refusal *refused;
} lctx_convolution;
LCTX_API lctx_status lctx_convolve(const lctx_convolution *c);

/* ---------------------------------------------------------------------------- >>api-cache
   The keys and values of one sequence in one layer. Blocks of tokens are allocated as they are
   needed, dropped when no coming query can see them, and shared between forks by counts.
       LCTX_FULL     everything stays
       LCTX_WINDOW   the last `window` tokens count
       LCTX_SINKS    the first n_sink and the last `window` tokens count (StreamingLLM 2309.17453),
                     with positions inside the cache: give q_far rotated to lctx_cache_far_pos
       LCTX_HEAVY    the first n_sink, the last `window` and, of the others, in each KV head the
                     n_heavy tokens that received the most attention (H2O 2306.14048). Every
                     attend adds to the cache's own account of mass. Choices fall whenever a block
                     of tokens has left the window, by lctx_cache_select's rule; until then they
                     stay. What is kept keeps its position; raw keys stand right before what
                     follows, inside the cache, up to a block and an append beyond the budgets
   Under the first three, a query at position t sees exactly the keys that its policy names, to the
   token, however many tokens were appended at once; whole blocks are what memory is freed in. */
typedef enum lctx_policy {
    LCTX_FULL, LCTX_WINDOW, LCTX_SINKS, LCTX_HEAVY, LCTX_POLICY_COUNT
} lctx_policy;

typedef struct lctx_cache_desc {
    int32_t n_head_kv, d_k, d_v;      /* d_v 0 = d_k */
    int32_t k_type, v_type;           /* lctx_type */
    int32_t policy;                   /* lctx_policy */
    int32_t n_sink;                   /* SINKS: >= 1; HEAVY */
    int32_t block;                    /* tokens a block, a multiple of LCTX_TILE; 0 = 256 */
    int64_t window;                   /* all but FULL: >= 1, the query's own key counted */
    int64_t n_heavy;                  /* HEAVY: >= 1, in tokens; see lctx_cache_tokens */
    int32_t summaries;                /* nonzero: full blocks keep the least and the greatest of
                                         each dimension of their keys, for lctx_cache_retrieve */
    int32_t latent;                   /* nonzero: as in lctx_tiles (see LATENT KEYS) */
    int64_t max_tokens;               /* FULL: appending beyond gives LCTX_E_FULL; 0 = no limit */
    const lctx_allocator *alloc;      /* copied; null = malloc */
    lctx_refusal *refused;            /* of create and tokens alone */
} lctx_cache_desc;
typedef struct lctx_cache lctx_cache;

typedef struct lctx_cache_info {
    int64_t n;                /* tokens appended, less those rewound: the next position */
    int64_t n_held;           /* tokens in memory, of each KV head */
    int64_t n_dropped;        /* tokens no longer in memory */
    int64_t rewind_min;       /* lctx_cache_rewind can go back to any n from here on; and to 0 */
    int64_t n_block;          /* blocks held, shared ones included */
    int64_t bytes;            /* of those blocks, of open keys and of what was kept */
    int64_t bytes_shared;     /* of these, in memory that forks share */
    int64_t n_kept;           /* tokens that a selection kept: the first of the spans lists them */
} lctx_cache_info;

/* Creates an empty cache; free takes null too. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM,
   _ENUM, _WINDOW, _OVERFLOW, _MEMORY. */
LCTX_API lctx_status lctx_cache_create(const lctx_cache_desc *desc, lctx_cache **cache);
/* How many tokens, by whole tiles, fit into so many bytes (summaries, accounts of mass and open
   keys apart). Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW. */
LCTX_API lctx_status lctx_cache_tokens(const lctx_cache_desc *desc, int64_t bytes, int64_t *tokens);
LCTX_API void        lctx_cache_free(lctx_cache *cache);

/* Appends rows at positions info.n .. info.n + rows->n - 1, keys already rotated to them, or raw if
   every attention over this cache is to be given lctx_attn.rope. Blocks that no query at or after
   info.n can see are dropped. (Under LCTX_HEAVY that takes memory, or waits for the next append.)
   Errors: LCTX_E_COUNT, _STRIDE, _SPAN (values for a latent cache), _FULL, _POS, _MEMORY. */
LCTX_API lctx_status lctx_cache_append(lctx_cache *cache, const lctx_rows *rows);

/* Attention of attn's queries over the cache: fills in n_head_kv, d_k, d_v, spans, window, n_sink
   (which must be unset or agree) and calls lctx_attend. Under LCTX_WINDOW and LCTX_SINKS, queries
   must stand at or after the last append's first token (older windows may be gone: LCTX_E_EVICTED),
   and a pattern may have no global positions, which these would evict (LCTX_E_GLOBAL). Under
   LCTX_SINKS q_far is needed; with rope, and raw keys, it is not, for far_pos is filled in, and
   positions are those inside the cache. So are they of what a selection kept, by its number in its
   head: its last stands right before the tokens that follow (no n_hat then: LCTX_E_N_HAT). Under
   LCTX_HEAVY, mass goes to the cache's own account unless attn.mass is given; a query is to be
   attended once. With 4-bit keys queries are attended tile by tile, and progress is told of these;
   there the size reads q_pos. Errors: those of lctx_attend, and LCTX_E_EVICTED. */
LCTX_API lctx_status lctx_cache_attend_size(const lctx_cache *cache, const lctx_attn *attn,
                                            size_t *bytes);
LCTX_API lctx_status lctx_cache_attend(lctx_cache *cache, const lctx_attn *attn,
                                       void *scratch, size_t scratch_bytes);

/* Where q_far is rotated to: min(pos, n_sink + window - 1) under LCTX_SINKS, else pos. */
LCTX_API int64_t lctx_cache_far_pos(const lctx_cache *cache, int64_t pos);

/* The spans that attention of the next token sees, in order; *n gets their number (at most that
   many are written, cap allows). Valid until the cache changes. Errors: LCTX_E_COUNT. */
LCTX_API lctx_status lctx_cache_spans(const lctx_cache *cache, lctx_span *spans, int64_t cap,
                                      int64_t *n);

/* Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
   those at positions below n_sink, then those of the greatest mass, of equal ones the later.
   Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
   rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
   rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
   neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
   _WINDOW, _STRIDE, _OVERFLOW, _MEMORY. */
typedef struct lctx_select {
    const float *mass;        /* [n_head_kv][info.n_held], span by span, as of attention;
                                 a NaN counts most. null = the cache's own account (HEAVY) */
    int64_t mass_head;        /* stride, bytes; 0 = packed */
    int64_t n_heavy, window;  /* >= 0 */
    int32_t n_sink;           /* >= 0 */
    int32_t pool;             /* odd: tokens count with the greatest mass of so many around them,
                                 themselves included; 0 = 1. SnapKV: 7 */
    lctx_refusal *refused;
} lctx_select;
LCTX_API lctx_status lctx_cache_select(lctx_cache *cache, const lctx_select *select);

/* Drops the tokens at positions from .. to-1 of all heads; the others keep their positions and
   bits. Those before the range are compacted, so it takes time by their number, and afterwards one
   can rewind to `to`. lctx_cache_spans tells what is left. LCTX_FULL and LCTX_HEAVY.
   Errors: LCTX_E_POLICY, _POS, _EVICTED (heads hold more and less of it), _MEMORY. */
LCTX_API lctx_status lctx_cache_drop(lctx_cache *cache, int64_t from, int64_t to);

/* Lets an empty cache begin at pos, as if the tokens before had been dropped; with 4-bit keys pos %
   LCTX_TILE = 0. Errors: LCTX_E_POLICY (a window's), _POS (also: not empty), _FULL, _MEMORY. */
LCTX_API lctx_status lctx_cache_begin(lctx_cache *cache, int64_t pos);

/* Appends what another cache of the same allocator and description, but for max_tokens, holds,
   which must begin where this one ends (lctx_cache_begin, or lctx_cache_drop in a fork): so parts
   of a sequence may be computed apart. Blocks are shared, but for one that both hold part of, and
   mass is taken over. 4-bit keys are joined between tiles (else _POS). Errors: LCTX_E_POLICY (a
   window's), _MISMATCH, _POS, _EVICTED (a selection was made from the other), _FULL, _MEMORY. */
LCTX_API lctx_status lctx_cache_join(lctx_cache *cache, const lctx_cache *other);

/* Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
   Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
   a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
   of the first n_sink tokens and of the last `window` that there are up to the query; of those
   between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
   with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
   touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
   agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
   what one reads, and its bits, do not depend on the others in the call. attn and errors: as
   lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
   _LIST (attn has one). */
typedef struct lctx_retrieve {
    int64_t  n_top;           /* >= 0 */
    int64_t  window;          /* >= 1 */
    int32_t  n_sink;          /* >= 0 */
    int32_t  queries;         /* that share a choice; 0 = all of a call */
    uint8_t *read;            /* [n_head_kv][info.n_block]: 1 where any reads, else 0; or null */
    lctx_refusal *refused;
} lctx_retrieve;
LCTX_API lctx_status lctx_cache_retrieve_size(const lctx_cache *cache, const lctx_attn *attn,
                                              const lctx_retrieve *retrieve, size_t *bytes);
LCTX_API lctx_status lctx_cache_retrieve(const lctx_cache *cache, const lctx_attn *attn,
                                         const lctx_retrieve *retrieve, void *scratch,
                                         size_t scratch_bytes);

/* What it goes by, for choices of one's own (lctx_choose by LCTX_SCORE_BOUND): full blocks' least
   (k) and greatest (v) of each dimension of their keys, a span of one row a block, whose number is
   its index. As lctx_cache_spans. Errors: LCTX_E_COUNT, _POLICY. */
LCTX_API lctx_status lctx_cache_summaries(const lctx_cache *cache, lctx_span *spans, int64_t cap,
                                          int64_t *n);

/* Forgets the tokens n and after. Under LCTX_HEAVY, what their queries gave stays on the account of
   mass, but for those of the last append. 4-bit keys can be cut within a tile from info.rewind_min
   on; before, n is a multiple of LCTX_TILE. Errors: LCTX_E_POS (n beyond the end), _EVICTED
   (n below info.rewind_min: a window that ends there is gone, or the keys of its tile are). */
LCTX_API lctx_status lctx_cache_rewind(lctx_cache *cache, int64_t n);

/* A second cache with the same contents: blocks are shared until written. Errors: LCTX_E_MEMORY. */
LCTX_API lctx_status lctx_cache_fork(const lctx_cache *cache, lctx_cache **fork);

LCTX_API lctx_status lctx_cache_get_info(const lctx_cache *cache, lctx_cache_info *info);

/* Writes the cache to a stream, and reads it back into one of the same description, but for
   max_tokens and summaries. The format is versioned and checksummed, native layout, in the order of
   bytes that the machine has (_FORMAT elsewhere). restore replaces the contents. Errors: LCTX_E_IO,
   _FORMAT, _MISMATCH, _FULL, _MEMORY. */
LCTX_API lctx_status lctx_cache_save(const lctx_cache *cache, lctx_write write, void *user);
LCTX_API lctx_status lctx_cache_restore(lctx_cache *cache, lctx_read read, void *user);

/* ---------------------------------------------------------------------------- >>api-model
   One step of a Llama-family transformer over weights that you own:
       x = tok_embd[token] * embd_scale
       per layer:  h = rmsnorm(x) * attn_norm;  q, k, v = wq h + bq, wk h + bk, wv h + bv
                   q, k = rmsnorm per head * q_norm, k_norm;  q *= its scale by position;  RoPE
                   y = attention(q, cache);  y *= sigmoid(attn_gate h)
                   x += post(wo y + bo, attn_post_norm)
                   h = rmsnorm(x) * ffn_norm;  x += post(ffn(h), ffn_post_norm)
       ffn(h)    = w_down act(w_gate h + b_gate, w_up h + b_up) + b_down
       with experts, sum over the chosen e: weight_e ffn_e(h), and of shared_ffn(h), which is
                   multiplied by sigmoid(shared_router h)
       logits    = output rmsnorm(x) * output_norm      (output null: tok_embd, tied)
   post(y, norm) = rmsnorm(y) * norm where that norm is given, else y. What is zero is left out. A
   norm that has a bias is layernorm(x) * norm + bias, layernorm(x) = (x - mean) / deviation. So
   Llama, Mistral; Qwen 2 (bq, bk, bv); Qwen 3 (q_norm, k_norm, head_dim free of d_model); Gemma 2
   and 3 (norms after, GELU, softcaps, windows); Phi 3; Mixtral and Qwen 3 MoE (experts); gpt-oss
   (biases, capped SWIGLU, sink logits); Llama 4 (sigmoid routing, a shared expert, layers without
   rotation whose queries are scaled by position, chunks as a pattern of BLOCKS); with mixers
   Qwen3-Next (attn_gate, shared_router), Falcon-H1 (beside attention). */

/* act(g, u), element by element */
typedef enum lctx_activation {
    LCTX_SILU,                /* g / (1 + e^-g) u */
    LCTX_GELU,                /* g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2 u */
    LCTX_SWIGLU_CAPPED,       /* g / (1 + e^(-1.702 g)) (u + 1), g capped at 7, u clipped to +-7 */
    LCTX_RELU,                /* max(g, 0) u; without w_up u = g: squared */
    LCTX_SIGMOID,             /* 1 / (1 + e^-g) u */
    LCTX_ACTIVATION_COUNT
} lctx_activation;

/* Weights of the n_expert_used experts of greatest r = router h + b_router, of equals the last */
typedef enum lctx_routing {
    LCTX_ROUTE_TOP_SOFTMAX,   /* softmax over the chosen: as over all, made to sum to 1 */
    LCTX_ROUTE_SOFTMAX,       /* softmax over all */
    LCTX_ROUTE_SIGMOID,       /* 1 / (1 + e^-r), multiplied into the expert's h (Llama 4) */
    LCTX_ROUTING_COUNT
} lctx_routing;

/* A weight. [rows][cols] row-major as named beside each; a matrix computes y[rows] = W x[cols]. */
typedef struct lctx_tensor {
    const void  *data;
    const float *scale;       /* LCTX_I8: [rows] */
    int32_t      type;        /* lctx_type */
    int32_t      reserved;
} lctx_tensor;

/* bias + up f(down x), f as its place has it */
typedef struct lctx_low_rank {
    lctx_tensor  down, up;    /* [rank][columns], [rows][rank] */
    const float *bias;        /* [rows] or null */
    int32_t rank, reserved;
} lctx_low_rank;

/* A layer that carries a state where others attend. With u = silu(conv(w_in h) + conv_bias), head
   by head or, of q and k, by groups of them, and y as lctx_recur has it:
       DELTA    u = q, k, v; q, k /= their lengths; beta = sigmoid(w_beta h); scale 1/sqrt(d_k)
                decay = exp(a softplus(w_dt h + dt_bias));  out = rmsnorm(y) * norm * silu(w_z h)
       MAMBA2   u = v, k, q (x, B, C); dt = softplus(w_dt h + dt_bias); decay = exp(a dt); v dt
                for v; y += skip v;  out = rmsnorm(y * silu(w_z h)) * norm, over each group's heads
       RWKV7    x_i = h + shift_i (h' - h), h' of the token before, 0 of none; q, k, v = w_r x_r,
                w_k x_k, w_v x_v; v += sigmoid(v(x_v)) (v of the last layer without v.rank - v);
                decay = exp(-e^(-1/2) sigmoid(w(x_w))); rate = sigmoid(rate(x_a)); b = k_k k / its
                length; k *= 1 + k_a (rate - 1); a = -b; b *= rate;  out = (layernorm(y) * norm +
                norm_bias + v sum of r_k k q) g(x_g), head by head. f is in w tanh, in g sigmoid, in
                v and rate nothing; epsilon 64e-5. The FFN takes h + ffn_shift (h' - h)
       x += post(w_out out, attn_post_norm) */
typedef enum lctx_mixer_kind {
    LCTX_MIXER_DELTA,         /* gated delta, Qwen3-Next's */
    LCTX_MIXER_MAMBA2,        /* Mamba-2's, of Granite 4, Bamba ... */
    LCTX_MIXER_RWKV7,         /* n_head_k = n_head; of what follows w_out and norm, and its own */
    LCTX_MIXER_COUNT
} lctx_mixer_kind;
typedef struct lctx_mixer {
    int32_t kind;             /* lctx_mixer_kind */
    int32_t n_head, n_head_k; /* of v; groups: of q and k, each for n_head / n_head_k neighbours */
    int32_t d_k, d_v, taps;
    lctx_tensor w_in;         /* [2*n_head_k*d_k + n_head*d_v][d_model] */
    lctx_tensor w_z;          /* [n_head*d_v][d_model] */
    lctx_tensor w_beta, w_dt; /* [n_head][d_model]; w_beta of DELTA */
    lctx_tensor w_out;        /* [d_model][n_head*d_v] */
    const float *conv, *conv_bias;    /* [rows of w_in][taps], and without taps or null */
    const float *a, *dt_bias; /* [n_head]; a below 0 */
    const float *norm;        /* [d_v]; MAMBA2, RWKV7: [n_head*d_v], MAMBA2 or null */
    const float *skip;        /* MAMBA2: [n_head] or null */
    lctx_tensor w_r, w_k, w_v;    /* [n_head*d_k][d_model] twice, [n_head*d_v][d_model] */
    lctx_low_rank w, v, rate, g;  /* to n_head*d_k, n_head*d_v, and again */
    const float *shift;       /* [6][d_model]: of r, w, k, v, a, g */
    const float *ffn_shift;   /* [d_model] or null */
    const float *k_k, *k_a, *r_k;     /* [n_head*d_k] */
    const float *norm_bias;   /* [n_head*d_v] */
} lctx_mixer;

typedef struct lctx_layer {
    lctx_tensor attn_norm;    /* [d_model] */
    lctx_tensor wq;           /* [n_head*head_dim][d_model] */
    lctx_tensor wk, wv;       /* [n_head_kv*head_dim][d_model] */
    lctx_tensor wo;           /* [d_model][n_head*head_dim] */
    lctx_tensor bq, bk, bv;   /* [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none */
    lctx_tensor bo;           /* [d_model]; data null = none */
    lctx_tensor attn_gate;    /* [n_head*head_dim][d_model]; data null = none */
    lctx_tensor q_norm, k_norm;   /* [head_dim]; data null = none */
    lctx_tensor ffn_norm;     /* [d_model]; with a mixer data null = no FFN */
    lctx_tensor w_gate, w_up; /* [d_ff][d_model]; with experts [n_expert][d_ff][d_model] */
    lctx_tensor w_down;       /* [d_model][d_ff]; with experts [n_expert][d_model][d_ff] */
    lctx_tensor b_gate, b_up, b_down;    /* likewise without their last dimension; or null */
    lctx_tensor attn_post_norm, ffn_post_norm;     /* [d_model]; data null = none */
    lctx_tensor router, b_router;        /* with experts: [n_expert][d_model], [n_expert] or null */
    lctx_tensor shared_gate, shared_up;  /* [d_ff_shared][d_model]; data null = none */
    lctx_tensor shared_down;             /* [d_model][d_ff_shared] */
    lctx_tensor shared_router;           /* [d_model]; data null = none */
    int32_t     n_expert, n_expert_used; /* 0 = no experts */
    int32_t     routing, activation;     /* lctx_routing, lctx_activation */
    int32_t     d_ff, d_ff_shared;       /* d_ff 0 = the model's */
    float       q_scale, q_scale_offset; /* q *= 1 + q_scale ln(1 + floor((position +      */
    int64_t     q_scale_length;          /*      q_scale_offset) / q_scale_length)); 0 = none */
    const lctx_rope *rope;    /* null = the model's */
    int64_t     window;       /* this layer's sliding window; 0 = none */
    int32_t     no_rope;      /* nonzero: this layer has no rotation */
    int32_t     beside;       /* nonzero: the mixer adds to attention, of the same h */
    const lctx_pattern *pattern;  /* which keys this layer's queries see; null = all */
    const float *sink_logit;      /* [n_head], as in lctx_attn (gpt-oss); null = none */
    const lctx_mixer *mixer;      /* in place of attention, unless it is beside; null = none */
    const float *attn_norm_bias, *ffn_norm_bias;     /* [d_model] or null */
} lctx_layer;

typedef struct lctx_model {
    int32_t n_layer, n_head, n_head_kv, head_dim;   /* head_dim 0 = d_model / n_head */
    int32_t d_model, d_ff, n_vocab;
    float   norm_eps;             /* 0 = 1e-5 */
    float   embd_scale;           /* 0 = 1 */
    float   attn_scale;           /* softmax scale before rope.scale_mul; 0 = 1/sqrt(head_dim) */
    float   softcap;              /* attention softcap; 0 = none */
    float   logit_softcap;        /* 0 = none */
    lctx_tensor tok_embd;         /* [n_vocab][d_model] */
    lctx_tensor output_norm;      /* [d_model] */
    lctx_tensor output;           /* [n_vocab][d_model]; data null = tok_embd */
    const lctx_layer *layers;     /* [n_layer] */
    const lctx_rope  *rope;       /* null = no rotation */
    lctx_refusal *refused;        /* of check and create alone */
    lctx_tensor embd_norm;        /* [d_model], of x before the layers; data null = none */
    const float *embd_norm_bias, *output_norm_bias;  /* [d_model] or null */
} lctx_model;

/* A session in parts, in as many processes or machines, over any transport: all are fed the same
   tokens and compute the model, but of a layer without a window each keeps every parts-th block
   alone, 1/parts of the memory. join gets what a layer's queries have of the keys here, attn->out
   [n_q * n_head][d_v] and lse[n_q * n_head], as lctx_merge takes them, and leaves there what all
   parts' merge to, the same bits in each; all call it in the same order. Nonzero ends the feed
   with LCTX_E_IO: so it should be in all parts where one has failed and does not come. Merged row
   by row in a fixed order, parts keep their bits in any chunking; a whole session's are others.
   LCTX_FULL, keys not of 4 bits, no pages; what is saved is that part's.
   A whole session, too, calls a join that it is given, under LCTX_FULL: memories of other texts may
   so be merged in, by lctx_cache_retrieve over the caches of a session that holds them (Memorizing
   Transformers 2203.08913, LongMem 2306.07174; examples/remember.c): attn->q is rotated, or raw. */
typedef int (*lctx_join)(void *user, int32_t layer, const lctx_attn *attn);

/* With raw_keys the caches hold keys before rotation, and these two may be given, which imply it:
       rope      in place of the model's schedule (not of those that layers have of their own): the
                 query at position m turns, with all keys that it sees, by the schedule for ctx =
                 m + 1, whatever the keys before it were scored by. So DYNAMIC and LONGROPE follow
                 the text exactly, in any chunking; the hidden states that gave the keys stay.
                 Past orig_ctx DYNAMIC has a schedule for each token: prompts run at decode's pace.
       far_rule  how far pairs count their distance */
typedef struct lctx_session_desc {
    int32_t k_type, v_type;       /* of the caches, lctx_type */
    int32_t policy;               /* lctx_policy of layers without a narrower (HEAVY: any) window */
    int32_t n_sink;
    int64_t window;
    int64_t n_heavy;              /* HEAVY: tokens of each KV head and layer, kept by their mass */
    int64_t n_read;               /* FULL, in layers without windows: of all that is kept a query
                                     reads so many tokens, in blocks a KV head (lctx_retrieve), and
                                     the first n_sink and the last `window`; 0 = all */
    uint8_t *const *read;         /* with n_read: of each layer null, or bytes as lctx_retrieve has
                                     them, with room for the next feed's tokens: what its last
                                     chunk's queries read. Borrowed, by forks, too; or null */
    int64_t max_tokens;           /* FULL; 0 = no limit */
    int32_t block;                /* tokens a cache block; 0 = 256, or 64 with n_read */
    int32_t chunk;                /* tokens computed at once; bounds memory, not bits; 0 = 256 */
    int32_t precise;              /* as in lctx_attn; products with weights are in f32, too */
    int32_t raw_keys;             /* nonzero: as above */
    int64_t state_every;          /* mixers: a snapshot of states after every so many tokens, the */
    int32_t state_slots;          /* last so many of them, to be rewound to; 0 = none, and 4 */
    int32_t reserved;
    int32_t part, parts;          /* 0 .. parts-1, of a session in so many; parts 0 = 1: whole */
    lctx_join join;               /* needed with parts above 1; or null */
    void *join_user;
    const lctx_allocator *alloc;  /* copied; null = malloc */
    const lctx_parallel  *par;    /* copied; null = default */
    lctx_progress progress;       /* after each chunk of a feed: tokens done, tokens in all */
    void *progress_user;
    const lctx_rope_desc *rope;   /* copied, its lists borrowed; ctx is not read; or null */
    const lctx_far_rule *far_rule;   /* copied; null = distances as they are */
    lctx_refusal *refused;        /* of create alone; then see lctx_session_info */
} lctx_session_desc;
typedef struct lctx_session lctx_session;

typedef struct lctx_session_info {
    int64_t n;                /* tokens fed: the next position */
    int64_t n_dropped;        /* tokens that some layer no longer holds */
    int64_t rewind_min;       /* from here on lctx_session_rewind can go back to any n; and to 0.
                                 With mixers to multiples of state_every alone */
    int64_t cache_bytes;      /* all layers' blocks */
    int64_t state_bytes;      /* mixers': before and after a feed, and snapshots */
    int64_t scratch_bytes;    /* activations and attention scratch */
    lctx_refusal refused;     /* by the last feed, rewind or restore */
} lctx_session_info;

typedef enum lctx_logits { LCTX_LOGITS_LAST, LCTX_LOGITS_ALL, LCTX_LOGITS_NONE, LCTX_LOGITS_COUNT
} lctx_logits;

/* Checks a model, but no values. Errors: LCTX_E_SHAPE, _HEADS, _HEAD_DIM, _WEIGHT, _TYPE, _SCALE,
   _WINDOW, _SOFTCAP, a schedule's, a pattern's (_ENUM, _LENGTH, _DILATION, _LOCAL, _GLOBAL). */
LCTX_API lctx_status lctx_model_check(const lctx_model *model);

/* Creates a session. The model struct is copied; its layers, ropes and weights are borrowed and
   must outlive the session; many sessions may share them. Errors: those of lctx_model_check,
   lctx_rope_init and lctx_cache_create, LCTX_E_THREADS, _COUNT, _N_HAT, _FAR_RULE, _POLICY (raw
   keys with n_read, parts or n_read not under LCTX_FULL), _WINDOW, _TYPE (parts with 4-bit keys),
   _GLOBAL (a pattern's, in a layer that evicts). free takes null too. */
LCTX_API lctx_status lctx_session_create(const lctx_model *model, const lctx_session_desc *desc,
                                         lctx_session **session);
LCTX_API void        lctx_session_free(lctx_session *session);

/* Feeds n >= 1 tokens: prompt, part of a prompt or the next token, all the same. logits:
   LAST [n_vocab], ALL [n][n_vocab], NONE may be null. Errors: LCTX_E_COUNT, _ENUM, _TOKEN,
   _FULL, _POS, _XPOS_FAR, _MEMORY, _NAN, _IO (join), _CANCELLED; logits are unspecified then. */
LCTX_API lctx_status lctx_session_feed(lctx_session *session, const int32_t *tokens, int64_t n,
                                       lctx_logits which, float *logits);

/* Feeds n_session sessions over one model n[i] >= 1 tokens each, tokens[i][n[i]]: to the same bits
   as one by one, but the weights are read once for all. logits are those of the feeds, one behind
   the other: LAST [n_session][n_vocab], ALL [n[0] + n[1] + ...][n_vocab]. The first session's
   chunk, threads and progress hold; on an error all sessions are as before, and the one at fault,
   or else the first, has the refusal. No other call may use any of them meanwhile. Errors: those of
   lctx_session_feed; LCTX_E_MISMATCH: over another model, with another precise, or twice. */
LCTX_API lctx_status lctx_session_feed_many(lctx_session *const *sessions, int64_t n_session,
                                            const int32_t *const *tokens, const int64_t *n,
                                            lctx_logits which, float *logits);

/* Forgets the tokens n and after, in all layers. Errors: LCTX_E_POS (beyond the end),
   _EVICTED (below info.rewind_min: see lctx_cache_rewind, of any layer; of mixers there is no
   snapshot of n, as none survives that a later one replaced, in a feed that failed, too). */
LCTX_API lctx_status lctx_session_rewind(lctx_session *session, int64_t n);

/* A second session with the same contents over the same model; cached blocks are shared until one
   side writes into them. It may live on another thread. Errors: LCTX_E_MEMORY. */
LCTX_API lctx_status lctx_session_fork(const lctx_session *session, lctx_session **fork);

LCTX_API lctx_status lctx_session_get_info(const lctx_session *session, lctx_session_info *info);

/* What a layer holds, until the session changes; null of a mixer. Errors: LCTX_E_COUNT (layer). */
LCTX_API lctx_status lctx_session_cache(const lctx_session *session, int32_t layer,
                                        const lctx_cache **cache);

/* Writes what the session has cached to a stream (no weights), and reads it back into a session
   over a model of the same shape with the same cache settings: it then goes on with the same bits.
   Errors: LCTX_E_IO, _FORMAT, _MISMATCH, _FULL, _MEMORY. */
LCTX_API lctx_status lctx_session_save(const lctx_session *session, lctx_write write, void *user);
LCTX_API lctx_status lctx_session_restore(lctx_session *session, lctx_read read, void *user);

/* Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
   after them, which lctx_session_desc has; it does not change any more once the session has passed
   them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
   save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
   they may have left it. restore gives a session of p * block tokens page p, in place: `from`
   is a page saved from a session over the same model with the same types and block, at a multiple
   of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
   rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
   a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
   a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
   mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
   _FORMAT (`from` is no multiple of 64). */
LCTX_API lctx_status lctx_session_page_size(const lctx_session *session, size_t *bytes);
LCTX_API lctx_status lctx_session_page_save(const lctx_session *session, int64_t page, void *to);
LCTX_API lctx_status lctx_session_page_restore(lctx_session *session, int64_t page, void *from);

#ifdef __cplusplus
}
#endif
#endif /* LCTX_H: stop here if you only want the API */

#if defined(LCTX_IMPLEMENTATION) && !defined(LCTX__IMPLEMENTED)
#define LCTX__IMPLEMENTED
/* ============================================================================ >>ground
   Every #include stands here, outside the target regions of the kernel pass. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GNUC__) && defined(__x86_64__) && !defined(LCTX_NO_SIMD)
#  define LCTX__X86 1
#  include <cpuid.h>
#  include <immintrin.h>
typedef int32_t lctx__i32x16 __attribute__((vector_size(64)));    /* gcc copies __m512i sums */
typedef int32_t lctx__i32x8 __attribute__((vector_size(32)));
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(LCTX_NO_SIMD)
#  define LCTX__ARM 1
#  include <arm_neon.h>
#  ifdef __linux__
#    include <sys/auxv.h>
#  endif
#elif defined(__GNUC__) && defined(__wasm_simd128__) && !defined(LCTX_NO_SIMD)
#  define LCTX__WASM 1
#  include <wasm_simd128.h>
#endif
#ifdef LCTX__X86
#  define LCTX__OURS 0x0f       /* sets of this target, as bits 1 << lctx_isa */
#  if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
      defined(__AVX512VL__) && defined(__FMA__) && defined(__F16C__)
#    define LCTX__PROMISED 0x03 /* and those that nobody would take, as -march promises better */
#  elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#    define LCTX__PROMISED 0x01
#  endif
#elif defined(LCTX__ARM)
#  define LCTX__OURS 0x31
#  define LCTX__PROMISED 0x01
#elif defined(LCTX__WASM)
#  define LCTX__OURS 0x41
#  define LCTX__PROMISED 0x01
#else
#  define LCTX__OURS 0x01
#endif
#ifndef LCTX__PROMISED
#  define LCTX__PROMISED 0
#endif
#ifndef LCTX_ISAS
#  define LCTX_ISAS ~LCTX__PROMISED
#endif
#define LCTX__ASKED (LCTX_ISAS & LCTX__OURS)
#define LCTX__SETS  (LCTX__ASKED | (LCTX__ASKED & 0x28) >> 1)  /* dots want the set below */
#if !LCTX__SETS
#  error "LCTX_ISAS names no instruction set of this target"
#endif
#if defined(_OPENMP) && !defined(LCTX_NO_OPENMP)
#  define LCTX__OMP 1
#  define LCTX__OMP_THREADS omp_get_max_threads()
#  include <omp.h>
#else
#  define LCTX__OMP 0
#  define LCTX__OMP_THREADS 1
#endif
#if defined(LCTX_PTHREADS) && defined(__GNUC__)
#  define LCTX__PTHREADS 1
#  include <pthread.h>
#  ifndef _WIN32
#    include <unistd.h>
#  endif
#endif
#ifndef LCTX_ASSERT
#  define LCTX_ASSERT(x) ((void)0)
#endif
#ifndef LCTX_FILE
#  define LCTX_FILE "lctx.h"    /* by name: __FILE__ breaks under -Isub and prefix maps */
#endif
#ifdef __GNUC__
#  define LCTX__INLINE static inline __attribute__((always_inline, unused))
#  define LCTX__ENTRY  static __attribute__((noinline))    /* what a table or many point at */
#  define LCTX__COLD   static __attribute__((noinline, cold))    /* out of the way */
#  ifdef __wasm__    /* knows no such thing; its loops would stay, empty */
#    define LCTX__FETCH(p, near) ((void)(p))
#  else
#    define LCTX__FETCH(p, near) __builtin_prefetch(p, 0, (near) ? 3 : 2)
#  endif
#  define LCTX__RARELY(x) __builtin_expect((x) != 0, 0)    /* out of the way of the loop's body */
#  ifdef __clang__    /* which would unroll by a count while R is not known yet, and never again */
#    define LCTX__UNROLL   _Pragma("clang loop unroll(full)")
#    define LCTX__ROLLED   _Pragma("clang loop unroll(disable)")
#  else
#    define LCTX__UNROLL   _Pragma("GCC unroll 16")    /* all of at most 16 */
#    define LCTX__ROLLED   _Pragma("GCC unroll 1")
#  endif
#  define LCTX__UNROLL4 _Pragma("GCC unroll 4")
#else
#  define LCTX__INLINE static inline
#  define LCTX__ENTRY  static
#  define LCTX__COLD   static
#  define LCTX__FETCH(p, near) ((void)(p))
#  define LCTX__RARELY(x) ((x) != 0)
#  define LCTX__UNROLL     /* not every compiler knows _Pragma */
#  define LCTX__ROLLED
#  define LCTX__UNROLL4
#endif
#define LCTX__EACH(i, n) LCTX__UNROLL for ((i) = 0; (i) < (n); (i)++)

enum {
    LCTX__LEAF = 8 * LCTX_TILE,     /* keys accumulated in one go */
    LCTX__ALIGN = 64,
    LCTX__MAX_DIM = 65536,
    LCTX__ROWS = 128,               /* rows of one attention task, about */
    LCTX__BESIDE_ROWS = 16,         /* of a head, up to which heads go side by side */
    LCTX__TOPS = 16,                /* rows whose greatest logits are found together */
    LCTX__ASK = 4,                  /* pairs of lines of memory asked for in one go, at most, and */
    LCTX__EVERY = 4,                /* after so many terms of sums */
    LCTX__W_AHEAD = 896,            /* bytes that weights are asked for before, in each of 4 rows */
    LCTX__SLACK = 8,                /* by how much logits may be above what is taken from them */
    LCTX__TOKENS = 128,             /* of an FFN, or of any matrix product at a time */
    LCTX__COLS = 512,               /* of its matrix, as far as they are converted and summed */
    LCTX__INT_TOKENS = 64,          /* tokens, where integers are multiplied */
    LCTX__WORDS = LCTX_TILE / 2,    /* of a row's weights in a tile: bf16, or int8 twice */
    LCTX__LOOKS = 3000              /* of a thread before it sleeps */
};
#define LCTX__HUGE    ((int64_t)1 << 62)   /* what sizes saturate at: an overflow */
#define LCTX__MOST    ((int64_t)(SIZE_MAX / 2 & (((uint64_t)1 << 62) - 1)))   /* a size, at most */
#define LCTX__MAX_POS ((int64_t)1 << 48)

/* ---- status, version, struct sizes */
LCTX_API uint32_t lctx_version(void) { return LCTX_VERSION; }

LCTX_API const char *lctx_status_text(lctx_status status)
{
    static const char *const text[] = {
#define LCTX__STATUS(name, words) words,
        LCTX_STATUSES(LCTX__STATUS)
#undef LCTX__STATUS
    };
    return (unsigned)status < LCTX_STATUS_COUNT ? text[status] : "unknown status";
}

/* ---- refusals */
/* Where a check stands: whom it tells (or null), the struct that it looks at, its place or -1. */
typedef struct lctx__site { lctx_refusal *to; const char *type; int64_t index; } lctx__site;
#define LCTX__SITE(s, type) lctx__site_of((s)->refused, #type, -1)

static lctx__site lctx__site_of(lctx_refusal *to, const char *type, int64_t index)
{
    const lctx__site at = { to, type, index };
    return at;
}
/* Refuses a field, or an element of one that is an array; returns st. */
LCTX__COLD lctx_status lctx__refuse_element(lctx__site at, lctx_status st, const char *field,
                                            int64_t element)
{
    if (!at.to) return st;
    at.to->status = (int32_t)st, at.to->reserved = 0;
    at.to->type = at.type, at.to->field = field;
    at.to->index = at.index, at.to->element = element;
    return st;
}
LCTX__COLD lctx_status lctx__refuse(lctx__site at, lctx_status st, const char *field)
{
    return lctx__refuse_element(at, st, field, -1);
}
/* The same; many checks do so. */
LCTX__COLD lctx_status lctx__refuse_in(const lctx__site *at, lctx_status st, const char *field)
{
    return lctx__refuse_element(*at, st, field, -1);
}
/* How a call stands, with the argument at fault or null. */
static lctx_status lctx__tell(lctx_refusal *to, lctx_status st, const char *argument)
{
    return lctx__refuse_element(lctx__site_of(to, NULL, -1), st, argument, -1);
}
/* A call begins: nothing is refused so far but an argument that is missing. */
static lctx_status lctx__begin(lctx_refusal *to, const char *missing)
{
    return lctx__tell(to, missing ? LCTX_E_NULL : LCTX_OK, missing);
}

/* Ends the function with what a call refuses. */
#define LCTX__TRY(call) \
    do { const lctx_status failed = (call); if (failed) return failed; } while (0)
#define LCTX__DEFAULT(field, value) do { if (!(field)) (field) = (value); } while (0)
/* What a check wants of a field of the struct at `at`; where it is not so, the check ends. */
#define LCTX__NOT(bad, field, st) do { if (bad) return lctx__refuse_in(&at, st, field); } while (0)
#define LCTX__IS(field, ok, e)          LCTX__NOT(!(ok), #field, LCTX_E_##e)
#define LCTX__FROM(s, field, least, e)  LCTX__NOT((s)->field < (least), #field, LCTX_E_##e)
#define LCTX__IN(s, field, least, most, e) \
    LCTX__NOT((s)->field < (least) || (s)->field > (most), #field, LCTX_E_##e)
#define LCTX__REAL(s, field, e) LCTX__NOT(!lctx__at_least((s)->field, 0), #field, LCTX_E_##e)

/* Appends to a text of so many bytes; returns its length, for which there may be no room. */
static size_t lctx__append_text(char *text, size_t size, size_t n, const char *words)
{
    for (; *words; words++, n++) if (n + 1 < size) text[n] = *words, text[n + 1] = 0;
    return n;
}
/* A name if there is one, "[12]" but for -1, and what follows. */
static size_t lctx__append_name(char *text, size_t size, size_t n, const char *name, int64_t i,
                                const char *after)
{
    char digits[24] = "", *d = digits + sizeof digits - 2;
    if (!name) return n;
    if (i >= 0) {
        *d = ']';
        do *--d = (char)('0' + i % 10); while (i /= 10);
        *--d = '[';
    }
    n = lctx__append_text(text, size, n, name);
    n = lctx__append_text(text, size, n, d);
    return lctx__append_text(text, size, n, after);
}

LCTX_API size_t lctx_refusal_text(const lctx_refusal *refused, char *text, size_t size)
{
    const lctx_refusal *r = refused;
    size_t n = 0;
    if (!text) size = 0;
    if (size) *text = 0;
    if (!r) return 0;
    n = lctx__append_name(text, size, n, r->type, r->index, ".");
    n = lctx__append_name(text, size, n, r->field, r->element, ": ");
    return lctx__append_text(text, size, n, lctx_status_text((lctx_status)r->status));
}

LCTX_API size_t lctx_sizeof(const char *name)
{
    static const struct { const char *name; size_t size; } all[] = {
#define LCTX__SIZEOF(type) { #type, sizeof(type) },
        LCTX__SIZEOF(lctx_refusal) LCTX__SIZEOF(lctx_allocator) LCTX__SIZEOF(lctx_pool_desc)
        LCTX__SIZEOF(lctx_pool_info) LCTX__SIZEOF(lctx_parallel) LCTX__SIZEOF(lctx_threads_desc)
        LCTX__SIZEOF(lctx_rope_desc) LCTX__SIZEOF(lctx_rope) LCTX__SIZEOF(lctx_rope_job)
        LCTX__SIZEOF(lctx_span) LCTX__SIZEOF(lctx_pattern) LCTX__SIZEOF(lctx_far_rule)
        LCTX__SIZEOF(lctx_attn) LCTX__SIZEOF(lctx_choice) LCTX__SIZEOF(lctx_tiles)
        LCTX__SIZEOF(lctx_rows) LCTX__SIZEOF(lctx_snapshots) LCTX__SIZEOF(lctx_recurrence)
        LCTX__SIZEOF(lctx_convolution) LCTX__SIZEOF(lctx_cache_desc) LCTX__SIZEOF(lctx_cache_info)
        LCTX__SIZEOF(lctx_select) LCTX__SIZEOF(lctx_retrieve) LCTX__SIZEOF(lctx_tensor)
        LCTX__SIZEOF(lctx_layer) LCTX__SIZEOF(lctx_low_rank) LCTX__SIZEOF(lctx_mixer)
        LCTX__SIZEOF(lctx_model) LCTX__SIZEOF(lctx_session_desc) LCTX__SIZEOF(lctx_session_info)
#undef LCTX__SIZEOF
    };
    size_t i;
    for (i = 0; name && i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i].name)) return all[i].size;
    return 0;
}

/* ---- checked sizes: sums and products of numbers >= 0 that stick at LCTX__HUGE, for one check */
static int64_t lctx__mul(int64_t a, int64_t b)
{
    return b && a > LCTX__HUGE / b ? LCTX__HUGE : a * b;
}
static int64_t lctx__add(int64_t a, int64_t b) { return a > LCTX__HUGE - b ? LCTX__HUGE : a + b; }
static int64_t lctx__round_up(int64_t a, int64_t to) { return lctx__add(a, to - 1) / to * to; }
static int lctx__fits(int64_t a) { return a <= LCTX__MOST; }
static int64_t lctx__min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t lctx__max(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t lctx__clip(int64_t a, int64_t top) { return a < 0 ? 0 : a > top ? top : a; }

/* ---- memory: carving a caller's buffer, and the allocator. What carves also measures: from null
   it takes no memory, and `used` is what it would have taken, or LCTX__HUGE. */
typedef struct lctx__carver { char *base; int64_t used; } lctx__carver;
LCTX__ENTRY void *lctx__carve(lctx__carver *r, int64_t n, int64_t size)
{
    void *p = r->base ? r->base + r->used : NULL;
    r->used = lctx__add(r->used, lctx__round_up(lctx__mul(n, size), LCTX__ALIGN));
    return p;
}
#define LCTX__FLOATS(r, to, n, ld) (to) = (float *)lctx__carve(r, n, (int64_t)(ld) * 4)
static lctx__carver lctx__carver_of(void *base)
{
    const lctx__carver r = { (char *)base, 0 };
    return r;
}
static char *lctx__aligned(void *p)
{
    return (char *)p + (((uintptr_t)LCTX__ALIGN - (uintptr_t)p % LCTX__ALIGN) % LCTX__ALIGN);
}

static void *lctx__malloc(void *user, size_t size, size_t align)
{
    char *raw = (char *)malloc(size + align + sizeof(void *)), *p;
    (void)user;
    if (!raw) return NULL;
    p = raw + sizeof(void *);
    p += (align - (uintptr_t)p % align) % align;
    memcpy(p - sizeof(void *), &raw, sizeof raw);    /* where free finds it again */
    return p;
}
static void lctx__mfree(void *user, void *p, size_t size)
{
    void *raw;
    (void)user, (void)size;
    memcpy(&raw, (char *)p - sizeof(void *), sizeof raw);
    free(raw);
}
static lctx_allocator lctx__allocator(const lctx_allocator *a)
{
    const lctx_allocator def = { lctx__malloc, lctx__mfree, NULL };
    return a && a->alloc && a->free ? *a : def;
}
/* Zeroed memory, or null; n_bytes may be LCTX__HUGE. */
static void *lctx__new(const lctx_allocator *a, int64_t n_bytes)
{
    void *p = lctx__fits(n_bytes) ? a->alloc(a->user, (size_t)n_bytes, LCTX__ALIGN) : NULL;
    if (p) memset(p, 0, (size_t)n_bytes);
    return p;
}
/* *a may stand in what it frees. */
static void lctx__delete(const lctx_allocator *a, void *p, int64_t n_bytes)
{
    if (p) a->free(a->user, p, (size_t)n_bytes);
}

/* ---- shared counts, flags and locks; a lock is held for a few steps only, so waiting spins */
#ifdef __GNUC__
#  define LCTX__LOAD(p)     __atomic_load_n(p, __ATOMIC_RELAXED)
#  define LCTX__STORE(p, x) __atomic_store_n(p, x, __ATOMIC_RELAXED)
static void    lctx__count_up(int64_t *c) { __atomic_add_fetch(c, 1, __ATOMIC_RELAXED); }
static int64_t lctx__count_down(int64_t *c) { return __atomic_sub_fetch(c, 1, __ATOMIC_ACQ_REL); }
static int64_t lctx__count(int64_t *c) { return __atomic_load_n(c, __ATOMIC_ACQUIRE); }
static void    lctx__unlock(int *l) { __atomic_store_n(l, 0, __ATOMIC_RELEASE); }
static void    lctx__lock(int *l)
{
    while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE)) while (LCTX__LOAD(l)) {}
}
#else
#  define LCTX__LOAD(p)     (*(p))
#  define LCTX__STORE(p, x) (*(p) = (x))
static void    lctx__count_up(int64_t *c) { ++*c; }
static int64_t lctx__count_down(int64_t *c) { return --*c; }
static int64_t lctx__count(int64_t *c) { return *c; }
static void    lctx__unlock(int *l) { (void)l; }
static void    lctx__lock(int *l) { (void)l; }
#endif

/* ---- pools. Spare pieces are linked in their own memory, by size and, of one size, one by one */
typedef struct lctx__spare {
    struct lctx__spare *same, *other;    /* the next of this size; in a first, that of another */
    int64_t size;
} lctx__spare;

struct lctx_pool {
    lctx_allocator alloc;      /* where memory comes from */
    int64_t      max_bytes;
    int64_t      bound;        /* max_bytes, or LCTX__HUGE */
    int64_t      held;         /* bytes used, spare, and those being fetched or given back */
    int64_t      used, spare, peak, n_used;    /* peak: before the last that was freed */
    lctx__spare *first;
    int          lock;         /* of all below bound */
};

/* The bytes that a request for n counts and gets. */
static int64_t lctx__pool_bytes(size_t n)
{
    return n > SIZE_MAX / 2 ? LCTX__HUGE : lctx__round_up(lctx__max((int64_t)n, 1), LCTX__ALIGN);
}

/* Where the first spare piece of a size hangs, or would. */
static lctx__spare **lctx__spare_at(lctx_pool *p, int64_t size)
{
    lctx__spare **at = &p->first;
    while (*at && (*at)->size != size) at = &(*at)->other;
    return at;
}
static void lctx__spare_put(lctx_pool *p, lctx__spare *s, int64_t size)
{
    lctx__spare **at = lctx__spare_at(p, size);
    s->size = size, s->same = *at, s->other = *at ? (*at)->other : NULL;
    *at = s;
    p->spare += size;
}
static lctx__spare *lctx__spare_take(lctx_pool *p, lctx__spare **at)
{
    lctx__spare *s = *at;
    if (s->same) s->same->other = s->other;
    *at = s->same ? s->same : s->other;
    p->spare -= s->size;
    return s;
}

/* Gives a spare piece back, if any. It counts as held until it is gone: no bound is passed. */
static int lctx__pool_shed(lctx_pool *p)
{
    lctx__spare *s;
    int64_t size;
    lctx__lock(&p->lock);
    s = p->first ? lctx__spare_take(p, &p->first) : NULL;
    lctx__unlock(&p->lock);
    if (!s) return 0;
    size = s->size;
    lctx__delete(&p->alloc, s, size);
    lctx__lock(&p->lock);
    p->held -= size;
    lctx__unlock(&p->lock);
    return 1;
}

/* Fetches a piece for which there is room, counted already. */
static void *lctx__pool_fetch(lctx_pool *p, int64_t size, size_t align)
{
    const size_t least = (size_t)lctx__max((int64_t)align, LCTX__ALIGN);
    void *mem = p->alloc.alloc(p->alloc.user, (size_t)size, least);
    if (mem) return mem;
    lctx__lock(&p->lock);
    p->used -= size, p->held -= size, p->n_used--;
    lctx__unlock(&p->lock);
    return NULL;
}

/* A spare piece, or a fetched one, or else it sheds a spare one of another size and tries again. If
   there is none, but there will be room, another thread is just giving back what is in the way. */
static void *lctx__pool_alloc(void *user, size_t n, size_t align)
{
    lctx_pool *p = (lctx_pool *)user;
    const int64_t size = lctx__pool_bytes(n);
    lctx__spare **at;
    void *mem = NULL;
    int fits = lctx__fits(size), room = 0;
    while (!mem && fits) {
        lctx__lock(&p->lock);
        at = lctx__spare_at(p, size);
        if (*at && (uintptr_t)*at % align == 0) mem = lctx__spare_take(p, at);
        fits = size <= p->bound - p->used;
        room = !mem && size <= p->bound - p->held;
        if (mem || room) p->used += size, p->n_used++;
        if (room) p->held += size;
        lctx__unlock(&p->lock);
        if (room) mem = lctx__pool_fetch(p, size, align);
        if (!mem && fits && !lctx__pool_shed(p) && room) fits = 0;
    }
    return mem;
}
static void lctx__pool_take_back(void *user, void *ptr, size_t n)
{
    lctx_pool *p = (lctx_pool *)user;
    const int64_t size = lctx__pool_bytes(n);
    lctx__lock(&p->lock);
    LCTX_ASSERT(p->n_used > 0 && p->used >= size);
    p->peak = lctx__max(p->peak, p->used);
    p->used -= size, p->n_used--;
    lctx__spare_put(p, (lctx__spare *)ptr, size);
    lctx__unlock(&p->lock);
}

LCTX_API lctx_status lctx_pool_create(const lctx_pool_desc *desc, lctx_pool **pool)
{
    lctx_allocator alloc;
    lctx_pool *p;
    if (!desc || lctx__begin(desc->refused, pool ? NULL : "pool")) return LCTX_E_NULL;
    if (desc->max_bytes < 0)
        return lctx__refuse(LCTX__SITE(desc, lctx_pool_desc), LCTX_E_COUNT, "max_bytes");
    alloc = lctx__allocator(desc->alloc);
    p = (lctx_pool *)lctx__new(&alloc, (int64_t)sizeof *p);
    if (!p) return lctx__tell(desc->refused, LCTX_E_MEMORY, NULL);
    p->alloc = alloc, p->max_bytes = desc->max_bytes;
    p->bound = desc->max_bytes ? desc->max_bytes : LCTX__HUGE;
    *pool = p;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_pool_trim(lctx_pool *pool)
{
    if (!pool) return LCTX_E_NULL;
    while (lctx__pool_shed(pool)) {}
    return LCTX_OK;
}

LCTX_API lctx_status lctx_pool_free(lctx_pool *pool)
{
    if (!pool) return LCTX_OK;
    if (pool->n_used) return LCTX_E_IN_USE;
    (void)lctx_pool_trim(pool);
    lctx__delete(&pool->alloc, pool, (int64_t)sizeof *pool);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_pool_allocator(lctx_pool *pool, lctx_allocator *alloc)
{
    if (!pool || !alloc) return LCTX_E_NULL;
    alloc->alloc = lctx__pool_alloc, alloc->free = lctx__pool_take_back, alloc->user = pool;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_pool_get_info(lctx_pool *pool, lctx_pool_info *info)
{
    if (!pool || !info) return LCTX_E_NULL;
    lctx__lock(&pool->lock);
    info->max_bytes = pool->max_bytes;
    info->bytes_used = pool->used, info->bytes_spare = pool->spare;
    info->bytes_peak = lctx__max(pool->peak, pool->used), info->n_used = pool->n_used;
    lctx__unlock(&pool->lock);
    return LCTX_OK;
}

/* ---- parallel loops */
static lctx_status lctx__parallel_check(lctx_refusal *to, const lctx_parallel *par)
{
    const lctx__site at = lctx__site_of(to, "lctx_parallel", -1);
    if (par) LCTX__IN(par, n_threads, 0, LCTX_MAX_THREADS, THREADS);
    return LCTX_OK;
}
static int32_t lctx__threads(const lctx_parallel *par)
{
    if (par && par->n_threads > 0) return par->n_threads;
    return (int32_t)lctx__min(LCTX__OMP_THREADS, LCTX_MAX_THREADS);
}
static void lctx__serial(int64_t n, lctx_task task, void *arg)
{
    int64_t i;
    for (i = 0; i < n; i++) task(arg, i, 0);
}
/* The hook where none is given. */
static void lctx__default_run(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
#if LCTX__OMP
    int64_t i;
    (void)user;
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
    for (i = 0; i < n; i++) task(arg, i, (int32_t)omp_get_thread_num());
#else
    (void)user, (void)n_threads;
    lctx__serial(n, task, arg);
#endif
}
/* Below this many multiply-adds a loop is not worth waking threads for. */
#define LCTX__SMALL_WORK 65536

/* task(arg, i, thread) for i in 0 .. n-1; serial where the work is small. */
static void lctx__for(const lctx_parallel *par, int64_t work, int64_t n, lctx_task task, void *arg)
{
    const int32_t nt = (int32_t)lctx__min(lctx__threads(par), n);
    if (nt < 2 || work < LCTX__SMALL_WORK) lctx__serial(n, task, arg);
    else if (par && par->run) par->run(par->user, nt, n, task, arg);
    else lctx__default_run(NULL, nt, n, task, arg);
}

/* ---- threads of our own. A loop opens seats, and who comes takes one. Its caller takes part, too:
   when no task is left to take it closes the seats, and waits only for those who took one. */
#ifdef LCTX__PTHREADS
/* A number that somebody waits for. */
typedef struct lctx__bell {
    int value, asleep;         /* asleep: how many do so over it */
    pthread_cond_t ring;
} lctx__bell;
typedef pthread_t lctx__handle;
#else
typedef char lctx__handle;
#endif

struct lctx_threads {
    lctx_allocator alloc;
    int64_t    bytes;          /* of all this */
    lctx_parallel par;         /* the hook */
    lctx__handle *workers;     /* [n_threads - 1] */
#ifdef LCTX__PTHREADS
    int        spin, stop;
    int        taken;          /* by a loop */
    lctx_task  task;           /* the loop's, as the next two: written while no seat is open */
    void      *arg;
    int64_t    n_tasks;
    lctx__bell loops;          /* how many there were */
    lctx__bell gone;           /* who left their seats; once these are closed, less who took one */
    pthread_mutex_t lock;      /* of nothing but falling asleep */
    char       apart[LCTX__ALIGN];    /* what changes task by task from what is looked at */
    int64_t    next;           /* task */
    int        seats;          /* open ones; 0 or less: closed */
#endif
};

#ifdef LCTX__PTHREADS
static int32_t lctx__processors(void)
{
#ifdef _WIN32
    return pthread_num_processors_np();
#else
#  ifdef CPU_COUNT
    cpu_set_t mine;
    if (!sched_getaffinity(0, sizeof mine, &mine)) return CPU_COUNT(&mine);
#  endif
    return (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

static void lctx__relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");    /* takes about as long; yield takes no time */
#endif
}

static int lctx__look(const int *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }

/* Waits until b's value is `value` (equal 1), or is not (0), and returns it. A sleeper counts
   itself, then looks again; who changes a value then looks for sleepers: one sees the other. */
static int lctx__await(lctx_threads *t, lctx__bell *b, int value, int equal)
{
    int now = lctx__look(&b->value), i;
    for (i = 0; i < t->spin && (now == value) != equal; i++) {
        lctx__relax();
        now = lctx__look(&b->value);
    }
    if ((now == value) == equal) return now;
    (void)pthread_mutex_lock(&t->lock);
    __atomic_add_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
    while (now = lctx__look(&b->value), (now == value) != equal)
        (void)pthread_cond_wait(&b->ring, &t->lock);
    __atomic_sub_fetch(&b->asleep, 1, __ATOMIC_SEQ_CST);
    (void)pthread_mutex_unlock(&t->lock);
    return now;
}

/* Wakes up to n of those who sleep over b. Who is counted but still awake holds the lock. */
static void lctx__ring(lctx_threads *t, lctx__bell *b, int n)
{
    int asleep = lctx__look(&b->asleep);
    if (!asleep) return;
    (void)pthread_mutex_lock(&t->lock);
    (void)pthread_mutex_unlock(&t->lock);
    for (; n > 0 && asleep > 0; n--, asleep--) (void)pthread_cond_signal(&b->ring);
}

static void lctx__announce(lctx_threads *t, int n)
{
    __atomic_add_fetch(&t->loops.value, 1, __ATOMIC_SEQ_CST);
    lctx__ring(t, &t->loops, n);
}

static void lctx__take_tasks(lctx_threads *t, int32_t thread)
{
    int64_t i;
    while ((i = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED)) < t->n_tasks)
        t->task(t->arg, i, thread);
}

static void *lctx__worker(void *user)
{
    lctx_threads *t = (lctx_threads *)user;
    int seen = 0, seat;
    for (;;) {
        seen = lctx__await(t, &t->loops, seen, 0);
        if (LCTX__LOAD(&t->stop)) return NULL;
        seat = __atomic_fetch_sub(&t->seats, 1, __ATOMIC_ACQUIRE);
        if (seat < 1) continue;
        lctx__take_tasks(t, seat);
        if (!__atomic_add_fetch(&t->gone.value, 1, __ATOMIC_SEQ_CST)) lctx__ring(t, &t->gone, 1);
    }
}

static void lctx__threads_run(void *user, int32_t n_threads, int64_t n, lctx_task task, void *arg)
{
    lctx_threads *t = (lctx_threads *)user;
    const int seats = (int)lctx__min(lctx__min(n_threads, t->par.n_threads), n) - 1;
    int left;
    if (seats < 1 || __atomic_exchange_n(&t->taken, 1, __ATOMIC_ACQUIRE)) {
        lctx__serial(n, task, arg);
        return;
    }
    t->task = task, t->arg = arg, t->n_tasks = n, t->next = 0;
    __atomic_store_n(&t->seats, seats, __ATOMIC_RELEASE);
    lctx__announce(t, seats);
    lctx__take_tasks(t, 0);
    left = __atomic_exchange_n(&t->seats, 0, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&t->gone.value, seats - (left > 0 ? left : 0), __ATOMIC_SEQ_CST);
    (void)lctx__await(t, &t->gone, 0, 1);
    __atomic_store_n(&t->taken, 0, __ATOMIC_RELEASE);
}

static void lctx__threads_start(lctx_threads *t, int32_t n, int32_t spin)
{
    int32_t *i = &t->par.n_threads;
    t->par.run = lctx__threads_run, t->par.user = t;
    t->spin = spin < 0 ? 0 : spin ? spin : LCTX__LOOKS;
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->loops.ring, NULL);
    (void)pthread_cond_init(&t->gone.ring, NULL);
    for (*i = 1; *i < n; ++*i)
        if (pthread_create(&t->workers[*i - 1], NULL, lctx__worker, t)) break;
}

static void lctx__threads_stop(lctx_threads *t)
{
    int32_t i;
    LCTX__STORE(&t->stop, 1);
    lctx__announce(t, t->par.n_threads);
    for (i = 1; i < t->par.n_threads; i++) (void)pthread_join(t->workers[i - 1], NULL);
    (void)pthread_cond_destroy(&t->gone.ring);
    (void)pthread_cond_destroy(&t->loops.ring);
    (void)pthread_mutex_destroy(&t->lock);
}
#else
static int32_t lctx__processors(void) { return lctx__threads(NULL); }
static void lctx__threads_start(lctx_threads *t, int32_t n, int32_t spin)
{
    (void)spin;
    t->par.run = lctx__default_run, t->par.n_threads = LCTX__OMP ? n : 1;
}
static void lctx__threads_stop(lctx_threads *t) { (void)t; }
#endif

LCTX_API lctx_status lctx_threads_create(const lctx_threads_desc *desc, lctx_threads **threads)
{
    lctx_allocator alloc;
    lctx_threads *t;
    lctx__site at;
    int64_t n, bytes;
    if (!desc || lctx__begin(desc->refused, threads ? NULL : "threads")) return LCTX_E_NULL;
    at = LCTX__SITE(desc, lctx_threads_desc);
    LCTX__IN(desc, n_threads, 0, LCTX_MAX_THREADS, THREADS); LCTX__FROM(desc, spin, -1, COUNT);
    n = desc->n_threads ? desc->n_threads : lctx__processors();
    n = lctx__min(lctx__max(n, 1), LCTX_MAX_THREADS);
    alloc = lctx__allocator(desc->alloc);
    bytes = (int64_t)sizeof *t + n * (int64_t)sizeof *t->workers;
    t = (lctx_threads *)lctx__new(&alloc, bytes);
    if (!t) return lctx__tell(desc->refused, LCTX_E_MEMORY, NULL);
    t->alloc = alloc, t->bytes = bytes, t->workers = (lctx__handle *)(void *)(t + 1);
    lctx__threads_start(t, (int32_t)n, desc->spin);
    *threads = t;
    return LCTX_OK;
}

LCTX_API void lctx_threads_free(lctx_threads *threads)
{
    if (!threads) return;
    lctx__threads_stop(threads);
    lctx__delete(&threads->alloc, threads, threads->bytes);
}

LCTX_API lctx_status lctx_threads_parallel(lctx_threads *threads, lctx_parallel *par)
{
    if (!threads || !par) return LCTX_E_NULL;
    *par = threads->par;
    return LCTX_OK;
}

/* ---- element types, one at a time; rows at a time in the kernel pass */
LCTX_API size_t lctx_type_size(lctx_type type)
{
    static const size_t size[LCTX_TYPE_COUNT] = { 4, 2, 2, 1 };
    return (unsigned)type < LCTX_TYPE_COUNT ? size[type] : 0;
}
LCTX_API const char *lctx_type_name(lctx_type type)
{
    static const char *const name[LCTX_TYPE_COUNT] = {
        "f32", "f16", "bf16", "int8", "int4", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "mxfp4"
    };
    return (unsigned)type < LCTX_TYPE_COUNT ? name[type] : NULL;
}
/* Is it a type of rows and weights, of whole bytes? */
static int lctx__type_ok(int type) { return type >= 0 && type < LCTX_I4; }
static uint32_t lctx__bits(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static float lctx__float(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
/* These hold under -ffast-math, where the library's may not. */
#define LCTX__MINUS_INF 0xff800000u      /* its bits */
static float lctx__minus_inf(void) { return lctx__float(LCTX__MINUS_INF); }
static int lctx__finite(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    return (u >> 52 & 0x7ff) != 0x7ff;
}

LCTX__INLINE float lctx__from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, e = h >> 10 & 31u, m = h & 0x3ffu;
    if (e == 31) return lctx__float(sign | 0x7f800000u | m << 13 | (m ? 0x400000u : 0));
    if (e) return lctx__float(sign | (e + 112) << 23 | m << 13);
    /* zero and subnormal: m * 2^-24 is exact */
    return lctx__float(sign | lctx__bits((float)m * 5.9604644775390625e-8f));
}
LCTX__INLINE uint16_t lctx__to_f16(float x)
{
    uint32_t u = lctx__bits(x), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
    uint32_t shift, m;
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x1ffu));   /* quiet NaN */
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);       /* rounds to 65536 or more */
    if (a >= 0x38800000u)                                          /* normal: rebias and round */
        return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + (a >> 13 & 1u)) >> 13));
    if (a < 0x33000000u) return (uint16_t)sign;                    /* below half the least */
    shift = 126 - (a >> 23);                                       /* subnormal: 14 .. 24 */
    m = (a & 0x7fffffu) | 0x800000u;
    m = (m >> shift) + ((m >> (shift - 1) & 1u) &&
                        ((m & ((1u << (shift - 1)) - 1)) || (m >> shift & 1u)));
    return (uint16_t)(sign | m);
}
static uint16_t lctx__to_bf16(float x)
{
    uint32_t u = lctx__bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}
/* The range of 4-bit codes (see there): two bf16 in a word. */
static float lctx__low(uint32_t range) { return lctx__float(range << 16); }
static float lctx__step(uint32_t range) { return lctx__float(range & 0xffff0000u); }
/* The bits of max |x|; 0x7f800000 or more where a value is not finite. They order as |x| does. */
static uint32_t lctx__top_bits(int64_t n, const float *x)
{
    uint32_t top = 0, b;
    int64_t i;
    for (i = 0; i < n; i++) {
        b = lctx__bits(x[i]) & 0x7fffffffu;
        top = b > top ? b : top;
    }
    return top;
}
/* Types of blocks: weights and bytes of one. */
static int lctx__in_blocks(int type) { return type > LCTX_I4 && type < LCTX_TYPE_COUNT; }
static const struct { int16_t n, bytes; } lctx__blocks[] = {
    { 32, 34 }, { 32, 18 }, { 256, 144 }, { 256, 176 }, { 256, 210 }, { 32, 17 }
};
static int64_t lctx__block_of(int type)
{
    return lctx__in_blocks(type) ? lctx__blocks[type - LCTX_Q8_0].n : 1;
}
/* d elements of a row, without scales. */
static int64_t lctx__row_bytes(int type, int64_t d)
{
    if (lctx__in_blocks(type))
        return d / lctx__block_of(type) * lctx__blocks[type - LCTX_Q8_0].bytes;
    return type == LCTX_I4 ? d / 2 : d * (int64_t)lctx_type_size((lctx_type)type);
}
static int64_t lctx__pad_k(int64_t d) { return lctx__round_up(d, 4); }
static int64_t lctx__pad_v(int64_t d) { return lctx__round_up(d, 16); }
/* One tile's keys, with what belongs to them: int8's scales; of 4 bits a word a dimension (see
   lctx__range) and one line for the lanes that are not numbers. */
static int64_t lctx__key_bytes(int type, int64_t d)
{
    const int64_t codes = LCTX_TILE * lctx__row_bytes(type, lctx__pad_k(d));
    if (type == LCTX_I4) return (LCTX_TILE / 2 + 4) * lctx__round_up(d, 16) + LCTX__ALIGN;
    return codes + (type == LCTX_I8 ? LCTX_TILE * 4 : 0);
}
/* Its values: a scale or a word a token. */
LCTX__ENTRY int64_t lctx__value_bytes(int type, int64_t d)
{
    const int64_t codes = LCTX_TILE * lctx__row_bytes(type, lctx__pad_v(d));
    return codes + (type == LCTX_I8 || type == LCTX_I4 ? LCTX_TILE * 4 : 0);
}
/* Elements that share a word of a tile. */
#define LCTX__GROUP(type) \
    ((type) == LCTX_I4 ? 8 : (type) == LCTX_I8 ? 4 : (type) == LCTX_BF16 ? 2 : 1)
/* max |x| / 127, or NaN, by the bits of that maximum */
static float lctx__i8_scale(uint32_t top)
{
    return top >= 0x7f800000u ? lctx__float(0x7fc00000u) : lctx__float(top) / 127.0f;
}

/* ---- weights in blocks (their layouts: FN(codes), FN(scales)) */
LCTX__INLINE uint16_t lctx__half_at(const char *p)
{
    return (uint16_t)((uint8_t)p[0] | (uint8_t)p[1] << 8);
}
/* A weight is (code - zero) * a + b; of Q8_0 zero depends on who asks. */
LCTX__INLINE float lctx__zero_of(int type, int of_q8)
{
    return (float)(type == LCTX_Q6_K ? 32 : type == LCTX_MXFP4 ? 12 : type == LCTX_Q4_0 ? 8 :
                   type == LCTX_Q8_0 ? of_q8 : 0);
}
/* Where run k begins of the sixteen of 256 neighbours (see lctx__runs). */
LCTX__INLINE int64_t lctx__run_at(int64_t k) { return k / 8 * 128 + k % 4 * 32 + k / 4 % 2 * 16; }

/* ---- what the kernel pass provides, per instruction set */
/* Memory that will be read soon: rows, a stride apart. While a tile passes a stage, what comes
   next is asked for, a few lines with each step: many at once would wait for each other. Scores
   ask for values that are read as they stand, else for the next keys; values for what is left. */
enum { LCTX__SCORES, LCTX__VALUES, LCTX__STAGES };
typedef struct lctx__soon {
    const char *first;
    int64_t rows, bytes, stride;     /* no rows: nothing is asked for */
    int64_t rest;                    /* bytes behind them that are wanted first */
    const char *at, *end;            /* what is left of a row */
    int64_t left;                    /* lines of all rows that are not asked for yet */
} lctx__soon;

static void lctx__soon_begin(lctx__soon *soon, const char *first)
{
    int64_t i;
    for (i = 0; soon->rows && i < soon->rest; i += 64)
        LCTX__FETCH(first + soon->rows * soon->bytes + i, 1);
    soon->first = soon->at = first, soon->end = first + soon->bytes;
    soon->left = soon->rows * ((soon->bytes + 63) / 64);
}
/* The next row's beginning; or, where there is none, the last line again. */
static const char *lctx__soon_next(lctx__soon *soon)
{
    if (soon->left <= 0) return soon->end - 64;
    soon->end += soon->stride;
    return soon->end - soon->bytes;
}

/* Foreign rows of so many bytes to be a native key tile, 0 from there to the end of a row's words.
   Lanes of no row get the last one. */
typedef struct lctx__pack {
    const char *src;
    int64_t n, bytes, words, stride;
    int halves;                      /* is an element half a word by itself? */
    char *out;
} lctx__pack;

/* `line` bytes from `at` on of each of sixteen from row i on. */
LCTX__COLD void lctx__pack_edge(const lctx__pack *t, int64_t i, int64_t at, int64_t line, char *to)
{
    const int64_t n = lctx__max(lctx__min(t->bytes - at, line), 0);
    int64_t j;
    memset(to, 0, (size_t)(16 * line));
    for (j = i; j < i + 16; j++, to += line)
        memcpy(to, t->src + lctx__min(j, t->n - 1) * t->stride + at, (size_t)n);
}

/* Queries rounded for dot products with keys of one type: words of two bf16 or four int8; for 4-bit
   keys four high parts and, after those of 64 dimensions, four low ones. */
typedef struct lctx__dots {
    int type;                        /* whose dot products; -1: none yet */
    uint32_t *words;                 /* 64 dimensions of each row and the next, as lctx__tile.q */
    float *scale;                    /* [rows] of int8; of 4 bits for the tile in hand, as base: */
    float *base;                     /* [rows] the query times the dimensions' lows */
    int32_t *start;                  /* [rows] what an int8 sum begins with */
} lctx__dots;

/* One tile of keys and values against the rows of a task. Rows of one query are neighbours. */
typedef struct lctx__tile {
    int64_t rows, d_k, d_v;          /* d_k a multiple of 4, d_v of 16 */
    const float *q;                  /* scaled: dimensions 0 to 63 of each row; q_step floats on */
    int64_t q_step;                  /* the next 64 */
    const lctx__dots *q_dot;         /* the same for dot products with keys of k_type; or null */
    int64_t row0;                    /* where in q_dot the rows begin */
    const void *k;                   /* native key tile */
    const void *v;                   /* value tile; f32 and f16: rows v_stride bytes apart */
    int64_t v_stride;                /* of a native tile: bytes a token */
    int k_type, v_type;
    unsigned v_dot;                  /* values by dot products? */
    const float *k_scale, *v_scale;  /* [LCTX_TILE] or null */
    const uint64_t *see;             /* [rows] visible keys, bit by bit; null = all of them */
    const float *slope, *dist;       /* ALiBi: [rows] slope, position less the tile's; or null */
    const float *bias;               /* [rows][LCTX_TILE] or null */
    float softcap;
    lctx__soon *soon;                /* [LCTX__STAGES] */
    int64_t tiles, k_step, v_step;   /* a run: native tiles, steps apart, each seen in whole */
    int64_t after;                   /* how many tiles on from the last is what follows, or 0 */
    float *bad;                      /* [LCTX_TILE] for scales of 4-bit keys, see lctx__bad_lanes */
    float *s;                        /* [rows][LCTX_TILE] work */
    uint32_t *w;                     /* [rows][LCTX__WORDS] work: weights for dot products */
    float *w_low;                    /* [rows] weights times lows */
    float *w_scale, *share;          /* of integers: [rows] what a whole weight of 1 is worth;
                                        [LCTX_TILE] what a weight of 1 is as a whole number */
    float *m, *l, *acc;              /* [rows], [rows], [rows][d_v]: softmax; for mass m is lse */
    float *mass;                     /* [LCTX_TILE] what mass adds to */
} lctx__tile;

/* Scales of a 4-bit key tile where some lanes are not numbers: NaN in these, else 1. */
static const float *lctx__bad_lanes(const lctx__tile *t)
{
    const char *bad = (const char *)t->k + lctx__key_bytes(LCTX_I4, t->d_k) - LCTX__ALIGN;
    uint32_t words[2];
    int64_t i;
    memcpy(words, bad, sizeof words);
    if (!(words[0] | words[1])) return NULL;
    for (i = 0; i < LCTX_TILE; i++)
        t->bad[i] = words[i / 32] >> i % 32 & 1 ? lctx__float(0x7fc00000u) : 1;
    return t->bad;
}
static const float *lctx__native_scale(const char *tile, int type, int64_t d)
{
    return type == LCTX_I8 ? (const float *)(const void *)(tile + LCTX_TILE * d) : NULL;
}
/* Points at native tiles of its types. */
static void lctx__tile_point(lctx__tile *t, const void *k, const void *v)
{
    t->k = k, t->v = v;
    t->k_scale = lctx__native_scale((const char *)k, t->k_type, t->d_k);
    t->v_scale = lctx__native_scale((const char *)v, t->v_type, t->d_v);
    if (t->k_type == LCTX_I4) t->k_scale = lctx__bad_lanes(t);
}
/* How many tiles on the next keys are; 0: there are none. */
static int64_t lctx__tile_ahead(const lctx__tile *t) { return t->tiles > 1 ? 1 : t->after; }
/* The next tile of a run, if there is one. */
static int lctx__tile_next(lctx__tile *t)
{
    lctx__soon *v = &t->soon[LCTX__SCORES], *k = &t->soon[LCTX__VALUES];
    if (--t->tiles < 1) return 0;
    lctx__tile_point(t, (const char *)t->k + t->k_step, (const char *)t->v + t->v_step);
    if (!lctx__tile_ahead(t)) k->rows = 0;
    lctx__soon_begin(v, v->first + t->v_step);
    lctx__soon_begin(k, k->first + lctx__tile_ahead(t) * t->k_step);
    return 1;
}

/* Pairs of lines to ask for in each of the steps in which `rows` of the `of` rows that a stage has
   yet to pass do so: their share of what is left. */
static int64_t lctx__pace(const lctx__soon *soon, int64_t rows, int64_t of, int64_t steps)
{
    const int64_t share = lctx__max(soon->left, 0) * rows / of;
    return steps ? lctx__min((share + 2 * steps - 1) / (2 * steps), LCTX__ASK) : 0;
}

/* What a tile gives rows: sums over dimensions, of queries times keys, or over keys, of weights
   times values. Either way it lies in memory term by term, with sums side by side. */
typedef struct lctx__sums {
    int type;
    const char *x;                   /* the tile */
    int64_t terms, stride, cols;     /* how many, bytes of each, numbers of each: 16 n */
    uint64_t see;                    /* which of them count; of more than LCTX_TILE all */
    const void *w;                   /* [rows][LCTX_TILE] factors of the first terms: f32, or bf16
                                        for dot products; w_step floats or words on the next */
    int64_t w_step, rows;
    const float *from;               /* [rows][from_ld] what sums begin with */
    int64_t from_ld;
    float *to;                       /* [rows][cols] what they become */
    lctx__soon *soon;
} lctx__sums;

static lctx__sums lctx__sums_of(const lctx__tile *t, int stage, uint64_t see, const void *w,
                                int64_t w_step)
{
    static const float zero[LCTX_TILE] = { 0 };
    const int of_keys = stage == LCTX__SCORES;
    lctx__sums u;
    u.type = of_keys ? t->k_type : t->v_type, u.x = (const char *)(of_keys ? t->k : t->v);
    u.terms = of_keys ? t->d_k : LCTX_TILE, u.cols = of_keys ? LCTX_TILE : t->d_v;
    u.stride = of_keys ? lctx__row_bytes(u.type, LCTX_TILE) : t->v_stride;
    u.see = see, u.w = w, u.w_step = w_step, u.rows = t->rows, u.soon = &t->soon[stage];
    u.from = of_keys ? zero : t->acc, u.from_ld = of_keys ? 0 : t->d_v;
    u.to = of_keys ? t->s : t->acc;
    return u;
}

/* Rotation of a tile of raw keys: in pair i, lane j turns by the angle of (c, s)[i] and that of
   (cos, sin)[i][j]. Only the lanes asked for are written. */
typedef struct lctx__spin {
    int32_t n_rot, pairing;
    int64_t d_k;
    uint64_t lanes;
    const float *c, *s;              /* [n_rot/2] */
    const float *cos, *sin;          /* [n_rot/2], 2 * LCTX_TILE apart, of one lane more each */
    const float *k;                  /* native key tiles of f32 */
    float *out;
} lctx__spin;

/* Rotation of one token's heads. */
typedef struct lctx__turn {
    int32_t n_head, head_dim, n_rot, pairing;
    const float *cos, *sin;          /* HALF: [n_rot/2]; INTERLEAVED: [n_rot], see there */
    const char *x;
    char *out;
    int64_t x_head, out_head;        /* bytes */
} lctx__turn;

/* A token of a tile of a head's state, [d_k] rows of neighbouring values: S_{t-1} is read at s, S_t
   written to `to`. e = S a joins v, where b is k, or is added apart. */
enum { LCTX__ADD, LCTX__JOIN, LCTX__APART, LCTX__BONUS, LCTX__ELEMENT };
typedef struct lctx__recur {
    lctx_recurrence r;               /* its strides filled in */
    int     kind, direct;            /* direct: the caller's states can be used where they are */
    int64_t tiles, side, thread_bytes, bytes;   /* tiles of a head, of a task; scratch */
    char   *scratch;
    int64_t head, row0, rows;        /* which values */
    const float *s, *rate;           /* [d_k], rows s_ld, rate_ld and to_ld elements apart */
    float  *to;
    int64_t s_ld, rate_ld, to_ld;
    float  *tile, *rate_own, *w_own, *a_own;    /* scratch: [d_k][LCTX_TILE], [d_k, padded] */
    const float *w, *a, *b, *k, *q;  /* [d_k] of the token; w of ELEMENT: dt[rows] */
    const float *v, *number, *beta, *bonus;     /* [rows]; w everywhere, beta: null = none; [d_k] */
    float  *y;                       /* [rows] */
} lctx__recur;

/* 256 neighbours of a row, or of a token's activations, as bytes: run k of 16, which begins where
   lctx__run_at says, as types of 256 have them, stands at code + 64 (k % 4) + 16 (k / 4), so that
   lane k of the sums of four vectors is its own. Of activations, value = code * a, and b is the sum
   of the run's; where many pass, their words are transposed as FN(pass) has the weights'. */
typedef struct lctx__runs {
    int8_t code[256];
    float  a[16], b[16];
} lctx__runs;

/* y[n][ldy] rows row0 .. row1-1 of W x; W packed, x [n][ldx], ldx % 16 = 0, zero beyond cols. */
typedef struct lctx__product {
    const void *w;
    const float *w_scale, *bias;     /* [rows] or null */
    const float *x;
    float *y;
    int64_t n, cols, ldx, ldy, row0, row1, step;     /* step: rows a task */
    int type, add;                   /* add: y += W x */
    int alone;                       /* each group is of one row of x */
    const struct lctx__group *groups;
    lctx__runs *rounded;             /* null, or x as [cols / 256, rounded up][n_rounded] */
    int64_t n_rounded;
} lctx__product;

/* Rows at .. at+n-1 of x, and of y, go through matrix number `which` of those behind w. */
typedef struct lctx__group { int64_t which, at, n; } lctx__group;

/* Rows that are to be scored, at positions that do not go back; their strides from head to head.
   The second of bounds are the greatest of each dimension. */
enum { LCTX__RATED = 16 };
typedef struct lctx__rated {
    int64_t bound, n, d, head[2];
    const char *at[2][LCTX__RATED];
    int64_t block[LCTX__RATED], pos[LCTX__RATED];
} lctx__rated;

typedef struct lctx__ops {
    int few;                         /* rows that take elements as stored; for more a tile is
                                        converted first */
    void (*tile)(lctx__tile *);                 /* or a run of them */
    void (*mass)(lctx__tile *);                                 /* no values, no softmax */
    void (*fold)(int64_t rows, int64_t d, float *const a[3], float *const b[3]);  /* {m, l, acc} */
    void (*finish)(int64_t d, float l, const float *acc, float *out);
    void (*blend)(int64_t d, float w, const float *x, float *out);    /* out += w x */
    void (*rate)(const lctx__rated *, int64_t g, const char *q, const float *weight, float *to);
    unsigned dots;                   /* bit by bit: key and value types with dot products */
    void (*queries)(int64_t rows, int64_t d, const float *q, lctx__dots *out);
    void (*weave)(int type, int64_t n, int64_t d, const char *rows, int64_t stride, void *out);
    void (*unpack)(int type, int64_t terms, int64_t cols, const void *tile, float *f32);
    void (*pack)(const lctx__pack *);
    void (*rows)(int64_t words, const void *tile, int64_t stride, void *out);  /* and back */
    void (*to_f32)(int type, int64_t n, const void *src, float *out);
    void (*to_f16)(int64_t n, const float *src, uint16_t *out);
    void (*to_i8)(int64_t n, const float *src, float scale, int8_t *out);
    void (*turn)(const lctx__turn *);
    void (*spin)(const lctx__spin *);
    void (*recur)(const lctx__recur *);
    void (*convolve)(const lctx_convolution *, int64_t n, const float *const x[],
                     const float *const w[], const float *bias, float *y);
#ifndef LCTX_NO_MODEL
    void (*rmsnorm)(int64_t n, const float *x, const float *w, float eps, float *out);
    void (*activate)(int kind, int64_t n, const float *gate, const float *up, float *out);
    void (*tanh)(int64_t n, float cap, float *x);                     /* x = cap tanh(x / cap) */
    void (*product)(const lctx__product *);
    void (*round)(const lctx__product *, int64_t tok);                /* null: no integers */
    void (*product_ints)(const lctx__product *);
#endif
} lctx__ops;

static const float lctx__lane[LCTX_TILE] = {
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
    48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63
};

#define LCTX__NAME(a, b) a##b
#define LCTX__SET(isa)   LCTX__NAME(lctx__set, isa)    /* points at a set's table, or at nothing */
#define LCTX__ISA 0                                    /* numbers as in lctx_isa */
#include LCTX_FILE
#define LCTX__ISA 1
#include LCTX_FILE
#define LCTX__ISA 2
#include LCTX_FILE
#define LCTX__ISA 3
#include LCTX_FILE
#define LCTX__ISA 4
#include LCTX_FILE
#define LCTX__ISA 5
#include LCTX_FILE
#define LCTX__ISA 6
#include LCTX_FILE

/* ---- dispatch */
/* The kernels of a set; null where they are not compiled. */
static const lctx__ops *lctx__set(int isa)
{
    const lctx__ops *const all[LCTX_ISA_COUNT] = {
        lctx__set0, lctx__set1, lctx__set2, lctx__set3, lctx__set4, lctx__set5, lctx__set6
    };
    return all[isa];
}
static const char *const lctx__isa_names[LCTX_ISA_COUNT] = {
    "scalar", "avx2", "avx512", "avx512dot", "neon", "neondot", "wasm"
};
static const lctx__ops *lctx__current;     /* the only global state */

/* Compiled, and the CPU and the system allow it. */
static int lctx__has(int isa)
{
#ifdef LCTX__X86
    unsigned a, b = 0, c = 0, d, f = 0, x = 0, hi, e = 0, wide;
    if (isa == LCTX_ISA_SCALAR || !lctx__set(isa)) return lctx__set(isa) != NULL;
    if (!__get_cpuid(1, &a, &b, &f, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!(f & 1u << 27)) return 0;                                           /* OSXSAVE */
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(x), "=d"(hi) : "c"(0)); /* xgetbv */
    if ((f & 0x30001000u) != 0x30001000u || !(b & 1u << 5) || (x & 6u) != 6u) return 0;
    wide = (b & 0xc0030000u) == 0xc0030000u && (x & 0xe6u) == 0xe6u;         /* F DQ BW VL */
    if (!__get_cpuid_count(7, 1, &e, &a, &f, &d)) e = 0;
    return isa == LCTX_ISA_AVX2 ||                                  /* AVX F16C FMA AVX2 */
           (isa == LCTX_ISA_AVX512 && wide) ||
           (isa == LCTX_ISA_AVX512_DOT && wide && c & 1u << 11 && e & 1u << 5);  /* VNNI BF16 */
#elif defined(LCTX__ARM) && !defined(__ARM_FEATURE_DOTPROD)
    int dot = 0;
#  ifdef __linux__
    dot = (getauxval(AT_HWCAP) >> 20 & 1) != 0;      /* HWCAP_ASIMDDP */
#  endif
    return lctx__set(isa) && (isa != LCTX_ISA_NEON_DOT || dot);
#else
    return lctx__set(isa) != NULL;
#endif
}

static const lctx__ops *lctx__use(void)      /* idempotent, so a race is harmless */
{
    const lctx__ops *ops = LCTX__LOAD(&lctx__current);
    if (!ops) {
        const char *cap = getenv("LCTX_ISA");      /* a ceiling, which a slip must not lift */
        int i, top = LCTX_ISA_COUNT - 1;
        while (cap && *cap && top && (!lctx__set(top) || strcmp(cap, lctx__isa_names[top]))) top--;
        for (i = 0; i < LCTX_ISA_COUNT; i++)       /* the lowest set is taken unasked */
            if (lctx__set(i) && (!ops || (i <= top && lctx__has(i)))) ops = lctx__set(i);
        LCTX__STORE(&lctx__current, ops);
    }
    return ops;
}
/* Types with dot products that pay. Those of bf16 do the work of two multiply-adds; where they take
   as long or longer (Intel), f32 is faster, and exact. */
#ifndef LCTX_BF16_DOTS
#  ifdef LCTX__X86
#    define LCTX_BF16_DOTS __builtin_cpu_is("amd")
#  else
#    define LCTX_BF16_DOTS 1
#  endif
#endif
static unsigned lctx__dots_used(void)
{
    return lctx__use()->dots & ~(LCTX_BF16_DOTS ? 0 : 1u << LCTX_BF16);
}

LCTX_API lctx_status lctx_isa_set(lctx_isa isa)
{
    if ((unsigned)isa >= LCTX_ISA_COUNT || !lctx__has((int)isa)) return LCTX_E_ISA;
    LCTX__STORE(&lctx__current, lctx__set((int)isa));
    return LCTX_OK;
}
LCTX_API lctx_isa lctx_isa_get(void)
{
    const lctx__ops *ops = lctx__use();
    int i = 0;
    while (lctx__set(i) != ops) i++;
    return (lctx_isa)i;
}
LCTX_API const char *lctx_isa_name(lctx_isa isa)
{
    return (unsigned)isa < LCTX_ISA_COUNT ? lctx__isa_names[isa] : NULL;
}

/* ---- conversion of rows */
static void lctx__from_row(int type, int64_t n, const float *src, float scale, void *dst)
{
    int64_t i;
    switch (type) {
    case LCTX_F32:  memcpy(dst, src, (size_t)n * 4); break;
    case LCTX_F16:  lctx__use()->to_f16(n, src, (uint16_t *)dst); break;
    case LCTX_BF16: for (i = 0; i < n; i++) ((uint16_t *)dst)[i] = lctx__to_bf16(src[i]); break;
    default:        lctx__use()->to_i8(n, src, scale, (int8_t *)dst); break;
    }
}

static lctx_status lctx__convert_check(lctx_type type, int blocks, int64_t n, const void *a,
                                       const void *b, const float *scale)
{
    if (!lctx__type_ok((int)type) && !(blocks && lctx__in_blocks((int)type))) return LCTX_E_TYPE;
    if (n < 0 || n % lctx__block_of((int)type)) return LCTX_E_COUNT;
    if (!a || !b || (type == LCTX_I8 && !scale)) return LCTX_E_NULL;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_from_f32(lctx_type type, int64_t n, const float *src, void *dst,
                                   float *scale)
{
    LCTX__TRY(lctx__convert_check(type, 0, n, src, dst, scale));
    if (type == LCTX_I8) *scale = lctx__i8_scale(lctx__top_bits(n, src));
    lctx__from_row((int)type, n, src, type == LCTX_I8 ? *scale : 1.0f, dst);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_to_f32(lctx_type type, int64_t n, const void *src, const float *scale,
                                 float *dst)
{
    int64_t i;
    LCTX__TRY(lctx__convert_check(type, 1, n, src, dst, scale));
    lctx__use()->to_f32((int)type, n, src, dst);
    for (i = 0; type == LCTX_I8 && i < n; i++) dst[i] *= *scale;
    return LCTX_OK;
}

/* ============================================================================ >>rope */
static const double lctx__pi = 3.14159265358979323846;

static double lctx__or(double x, double def) { return x == 0 ? def : x; }

/* The dimension whose pair turns `turns` times within the trained context (YaRN's dim). */
static double lctx__turns_dim(const lctx_rope_desc *r, double turns)
{
    return r->n_rot * log(r->orig_ctx / (turns * 2 * lctx__pi)) / (2 * log(r->theta));
}
static double lctx__clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

/* How much of pair i keeps its plain frequency (1) rather than the interpolated one (0). */
static double lctx__keep_share(const lctx_rope_desc *r, int32_t i, double f)
{
    const int llama3 = r->scheme == LCTX_ROPE_LLAMA3;
    double low = llama3 ? r->low_freq : r->beta_slow, high = llama3 ? r->high_freq : r->beta_fast;
    if (r->scheme != LCTX_ROPE_YARN)      /* by L / wavelength */
        return lctx__clamp((r->orig_ctx * f / (2 * lctx__pi) - low) / (high - low), 0, 1);
    low = lctx__turns_dim(r, r->beta_fast), high = lctx__turns_dim(r, r->beta_slow);
    if (!r->no_truncate) low = floor(low), high = ceil(high);
    low = lctx__clamp(low, 0, r->n_rot - 1), high = lctx__clamp(high, 0, r->n_rot - 1);
    if (low == high) high += 0.001;
    return 1 - lctx__clamp((i - low) / (high - low), 0, 1);
}

static double lctx__plain(double b, int32_t i, double d) { return pow(b, -2.0 * i / d); }

/* What the schemes of one length ask: is it beyond the trained context? */
static int lctx__beyond(const lctx_rope_desc *r) { return r->ctx > r->orig_ctx; }

/* b' of the schemes that change the base, b of all others. */
static double lctx__base(const lctx_rope_desc *r)
{
    const double d = r->n_rot, s = r->factor;
    double grow = 1;
    if (r->scheme == LCTX_ROPE_NTK) grow = s;
    if (r->scheme == LCTX_ROPE_DYNAMIC && lctx__beyond(r))
        grow = s * r->ctx / r->orig_ctx - (s - 1);
    return grow == 1 ? r->theta : r->theta * pow(grow, d / (d - 2));
}

static double lctx__frequency(const lctx_rope_desc *r, int32_t i)
{
    const double s = r->factor, f = lctx__plain(lctx__base(r), i, r->n_rot);
    double g;
    switch (r->scheme) {
    case LCTX_ROPE_RAW:      return r->freq[i];
    case LCTX_ROPE_LINEAR:   return f / s;
    case LCTX_ROPE_LONGROPE: return f / (lctx__beyond(r) ? r->long_factor : r->short_factor)[i];
    case LCTX_ROPE_BY_PARTS:
    case LCTX_ROPE_YARN:
    case LCTX_ROPE_LLAMA3:   g = lctx__keep_share(r, i, f); return g * f + (1 - g) * (f / s);
    default:                 return f;
    }
}

static double lctx__mscale(double s, double a) { return s > 1 ? 0.1 * a * log(s) + 1 : 1; }

static double lctx__attn_factor(const lctx_rope_desc *r)
{
    if (r->attn_factor != 0) return r->attn_factor;
    if (r->scheme == LCTX_ROPE_LONGROPE)
        return lctx__or(lctx__beyond(r) ? r->long_mscale : r->short_mscale,
                        sqrt(1 + log(r->factor) / log(r->orig_ctx)));
    if (r->scheme != LCTX_ROPE_YARN && r->scheme != LCTX_ROPE_BY_PARTS) return 1;
    if (r->mscale != 0 && r->mscale_all_dim != 0)
        return lctx__mscale(r->factor, r->mscale) / lctx__mscale(r->factor, r->mscale_all_dim);
    return lctx__mscale(r->factor, 1);
}
static double lctx__scale_mul(const lctx_rope_desc *r)
{
    const double m = lctx__mscale(r->factor, r->mscale_all_dim);
    return r->scheme == LCTX_ROPE_YARN ? m * m : 1;
}

static int lctx__above(double x, double least) { return lctx__finite(x) && x > least; }
static int lctx__at_least(double x, double least) { return lctx__finite(x) && x >= least; }

static lctx_status lctx__n_rot_check(int32_t n_rot)
{
    return n_rot < 2 || n_rot > LCTX_MAX_ROT || n_rot % 2 ? LCTX_E_N_ROT : LCTX_OK;
}
/* What descriptions and schedules have in common: pairs, positions that are not like others, and
   lists of n_rot/2 values whose size, or 1/value where `divisors`, times a position is finite. */
#define LCTX__PAIRS(r) \
    LCTX__IN(r, pairing, 0, LCTX_ROPE_PAIRING_COUNT - 1, ENUM); \
    LCTX__IS(n_rot, !lctx__n_rot_check((r)->n_rot), N_ROT)
#define LCTX__PLACES(r) \
    LCTX__IN(r, n_hat, 0, LCTX__MAX_POS, N_HAT); LCTX__REAL(r, xpos_base, XPOS); \
    LCTX__IN(r, xpos_center, 0, LCTX__MAX_POS - 1, XPOS)
static lctx_status lctx__list_check(lctx__site at, const char *field, const double *list,
                                    int32_t n_rot, int divisors)
{
    const double most = ldexp(1, 512);
    int32_t i;
    if (!list) return lctx__refuse(at, LCTX_E_TABLE, field);
    for (i = 0; i < n_rot / 2; i++)
        if (!lctx__finite(list[i]) || (divisors ? list[i] < 1 / most : fabs(list[i]) > most))
            return lctx__refuse_element(at, LCTX_E_TABLE, field, i);
    return LCTX_OK;
}
static lctx_status lctx__lists_check(lctx__site at, const lctx_rope_desc *r)
{
    const int32_t n = r->n_rot / 2;
    if (r->scheme == LCTX_ROPE_RAW) {
        LCTX__IS(n_freq, !r->n_freq || r->n_freq == n, TABLE_SIZE);
        return lctx__list_check(at, "freq", r->freq, r->n_rot, 0);
    }
    if (r->scheme != LCTX_ROPE_LONGROPE) return LCTX_OK;
    LCTX__IS(n_short, !r->n_short || r->n_short == n, TABLE_SIZE);
    LCTX__IS(n_long, !r->n_long || r->n_long == n, TABLE_SIZE);
    LCTX__TRY(lctx__list_check(at, "short_factor", r->short_factor, r->n_rot, 1));
    return lctx__list_check(at, "long_factor", r->long_factor, r->n_rot, 1);
}

/* Fills in the defaults of *r and checks it. */
static lctx_status lctx__rope_check(lctx_rope_desc *r)
{
    const lctx__site at = LCTX__SITE(r, lctx_rope_desc);
    int scheme = r->scheme, parts = scheme == LCTX_ROPE_YARN || scheme == LCTX_ROPE_BY_PARTS;
    int two_lists = scheme == LCTX_ROPE_LONGROPE;
    int one_length = scheme == LCTX_ROPE_DYNAMIC || two_lists;
    int bases = scheme == LCTX_ROPE_NTK || scheme == LCTX_ROPE_DYNAMIC;
    int llama3 = scheme == LCTX_ROPE_LLAMA3, trained = parts || one_length || llama3;
    LCTX__IN(r, scheme, 0, LCTX_ROPE_SCHEME_COUNT - 1, ENUM);
    LCTX__PAIRS(r);
    LCTX__FROM(r, n_rot, bases ? 4 : 2, N_ROT);    /* d/(d-2) needs a second pair */
    r->theta = lctx__or(r->theta, 10000), r->factor = lctx__or(r->factor, 1);
    r->beta_fast = lctx__or(r->beta_fast, 32), r->beta_slow = lctx__or(r->beta_slow, 1);
    r->low_freq = lctx__or(r->low_freq, 1), r->high_freq = lctx__or(r->high_freq, 4);
    r->ctx = lctx__or(r->ctx, r->factor * r->orig_ctx);
    LCTX__IS(theta, lctx__above(r->theta, 1), THETA);
    LCTX__IS(factor, lctx__at_least(r->factor, 1), FACTOR);
    LCTX__IS(orig_ctx, !trained || lctx__above(r->orig_ctx, two_lists), ORIG_CTX);    /* ln L */
    LCTX__IS(ctx, !one_length || lctx__above(r->ctx, 0), CTX);
    LCTX__IS(factor, lctx__finite(lctx__base(r)), FACTOR);
    LCTX__IS(beta_slow, !parts || lctx__above(r->beta_slow, 0), BETA);
    LCTX__IS(beta_fast, !parts || lctx__above(r->beta_fast, r->beta_slow), BETA);
    LCTX__IS(low_freq, !llama3 || lctx__above(r->low_freq, 0), FREQ_FACTOR);
    LCTX__IS(high_freq, !llama3 || lctx__above(r->high_freq, r->low_freq), FREQ_FACTOR);
    LCTX__REAL(r, attn_factor, MSCALE); LCTX__REAL(r, mscale, MSCALE);
    LCTX__REAL(r, mscale_all_dim, MSCALE); LCTX__REAL(r, short_mscale, MSCALE);
    LCTX__REAL(r, long_mscale, MSCALE);
    LCTX__IS(mscale_all_dim, lctx__above(lctx__scale_mul(r), 0), MSCALE);
    LCTX__IS(mscale, lctx__above(lctx__attn_factor(r), 0), MSCALE);
    LCTX__PLACES(r);
    return lctx__lists_check(at, r);
}

LCTX_API lctx_status lctx_rope_init(lctx_rope *rope, const lctx_rope_desc *desc)
{
    lctx_rope_desc r;
    int32_t i;
    if (!desc || lctx__begin(desc->refused, rope ? NULL : "rope")) return LCTX_E_NULL;
    r = *desc;
    LCTX__TRY(lctx__rope_check(&r));
    memset(rope, 0, sizeof *rope);
    rope->n_rot = r.n_rot, rope->pairing = r.pairing;
    rope->attn_factor = lctx__attn_factor(&r);
    rope->scale_mul = lctx__scale_mul(&r);
    rope->n_hat = r.n_hat, rope->xpos_base = r.xpos_base, rope->xpos_center = r.xpos_center;
    for (i = 0; i < r.n_rot / 2; i++) {
        rope->freq[i] = lctx__frequency(&r, i);
        rope->plain[i] = lctx__plain(r.theta, i, r.n_rot);
    }
    return LCTX_OK;
}

/* Is it a schedule, for heads of that size? Beside tables of one's own only its pairs are read. */
static lctx_status lctx__rope_fits(lctx__site at, const lctx_rope *rope, int64_t head_dim,
                                   int tables)
{
    LCTX__PAIRS(rope);
    if (!tables) {
        LCTX__TRY(lctx__list_check(at, "freq", rope->freq, rope->n_rot, 0));
        LCTX__TRY(lctx__list_check(at, "plain", rope->plain, rope->n_rot, 0));
        LCTX__IS(attn_factor, lctx__above(rope->attn_factor, 0), MSCALE);
        LCTX__IS(scale_mul, lctx__above(rope->scale_mul, 0), MSCALE);
        LCTX__PLACES(rope);
    }
    LCTX__IS(n_rot, rope->n_rot <= head_dim, N_ROT);
    return LCTX_OK;
}
static lctx_status lctx__rope_valid(const lctx_rope *rope)
{
    return lctx__rope_fits(lctx__site_of(NULL, NULL, -1), rope, LCTX_MAX_ROT, 0);
}

/* May this position be rotated to? */
static lctx_status lctx__pos_check(const lctx_rope *rope, int64_t pos)
{
    double off = (double)pos - (double)rope->xpos_center;
    if (pos < 0 || pos >= LCTX__MAX_POS) return LCTX_E_POS;
    if (rope->xpos_base != 0 && !(fabs(off) <= LCTX_XPOS_REACH * rope->xpos_base))
        return LCTX_E_XPOS_FAR;
    return LCTX_OK;
}

/* cos and sin of all pairs at one position, in double. They are computed afresh at every 64th
   position and turned on by one position at a time from there, which is far cheaper. 63 turns err
   by less than 2^-46, and a position's angles do not depend on where a call begins: where n_hat
   changes the frequencies between two anchors, each side counts from the anchor with its own. */
typedef struct lctx__angles {
    const lctx_rope *rope;
    const double *freq;          /* the schedule's at pos; null: no position yet */
    int64_t pos;
    double c[LCTX_MAX_ROT / 2], s[LCTX_MAX_ROT / 2];      /* at pos */
    double c1[LCTX_MAX_ROT / 2], s1[LCTX_MAX_ROT / 2];    /* of one position */
} lctx__angles;
enum { LCTX__ANCHOR = 64 };

static void lctx__angles_at(const lctx__angles *a, double pos, double *c, double *s)
{
    int32_t i;
    for (i = 0; i < a->rope->n_rot / 2; i++) {
        double angle = pos * a->freq[i];
        c[i] = cos(angle), s[i] = sin(angle);
    }
}
static void lctx__angles_begin(lctx__angles *a, const lctx_rope *rope)
{
    a->rope = rope, a->freq = NULL, a->pos = 0;
}
static void lctx__angles_move(lctx__angles *a, int64_t pos)
{
    const double *freq = pos < a->rope->n_hat ? a->rope->plain : a->rope->freq;
    int32_t i, n = a->rope->n_rot / 2;
    int other = a->freq != freq;
    a->freq = freq;
    if (other) lctx__angles_at(a, 1, a->c1, a->s1);
    if (other || a->pos > pos || a->pos / LCTX__ANCHOR != pos / LCTX__ANCHOR) {
        a->pos = pos / LCTX__ANCHOR * LCTX__ANCHOR;
        lctx__angles_at(a, (double)a->pos, a->c, a->s);
    }
    for (; a->pos < pos; a->pos++)
        for (i = 0; i < n; i++) {
            double c = a->c[i] * a->c1[i] - a->s[i] * a->s1[i];
            a->s[i] = a->s[i] * a->c1[i] + a->c[i] * a->s1[i];
            a->c[i] = c;
        }
}
static void lctx__angles_tables(const lctx__angles *a, float *cos_, float *sin_)
{
    const double factor = a->rope->attn_factor;
    int32_t i;
    for (i = 0; i < a->rope->n_rot / 2; i++)
        cos_[i] = (float)(a->c[i] * factor), sin_[i] = (float)(a->s[i] * factor);
}

/* c and s [n_rot/2] as lctx__turn reads them, in place, from the end. */
static void lctx__pair_tables(const lctx_rope *rope, float *c, float *s)
{
    int32_t i;
    for (i = rope->n_rot / 2 - 1; i >= 0 && rope->pairing == LCTX_ROPE_INTERLEAVED; i--) {
        c[2 * i + 1] = c[2 * i] = c[i];
        s[2 * i + 1] = s[i], s[2 * i] = -s[i];
    }
}

LCTX_API lctx_status lctx_rope_cos_sin(const lctx_rope *rope, int64_t pos, float *cos_, float *sin_)
{
    lctx__angles a;
    if (!rope || !cos_ || !sin_) return LCTX_E_NULL;
    LCTX__TRY(lctx__rope_valid(rope));
    if (pos < 0 || pos >= LCTX__MAX_POS) return LCTX_E_POS;
    lctx__angles_begin(&a, rope);
    lctx__angles_move(&a, pos);
    lctx__angles_tables(&a, cos_, sin_);
    return LCTX_OK;
}

/* Pair i's factor at pos; 1 without xPos. */
static double lctx__xpos(const lctx_rope *rope, int32_t side, int64_t pos, int64_t i)
{
    double power;
    if (rope->xpos_base == 0) return 1;
    power = (double)(pos - rope->xpos_center) / rope->xpos_base;
    return pow((2.0 * (double)i / rope->n_rot + 0.4) / 1.4, side == LCTX_ROPE_KEY ? -power : power);
}

LCTX_API lctx_status lctx_rope_xpos(const lctx_rope *rope, lctx_rope_side side, int64_t pos,
                                    float *growth)
{
    int32_t i;
    if (!rope || !growth) return LCTX_E_NULL;
    if ((unsigned)side >= LCTX_ROPE_SIDE_COUNT) return LCTX_E_ENUM;
    LCTX__TRY(lctx__rope_valid(rope));
    LCTX__TRY(lctx__pos_check(rope, pos));
    for (i = 0; i < rope->n_rot / 2; i++)
        growth[i] = (float)lctx__xpos(rope, (int32_t)side, pos, i);
    return LCTX_OK;
}

#define LCTX__ALL(table) (table), sizeof(table) / sizeof *(table)
/* Strides, packed or as given: as long as what they step over, even, n of them in memory. */
typedef struct lctx__stride {
    const char *field;
    int64_t given, *to, packed, least, n, unit;
} lctx__stride;
#define LCTX__STRIDE(from, to, field, packed, least, n) \
    { #field, (from)->field, &(to)->field, packed, least, n, 4 }
#define LCTX__STRIDES(from, to, x, row, heads, n) \
    LCTX__STRIDE(from, to, x##_head, row, row, heads), \
    LCTX__STRIDE(from, to, x##_token, (heads) * (row), row, n)
static lctx_status lctx__strides(lctx__site at, const lctx__stride *s, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        if (s[i].given && (s[i].given < s[i].least || s[i].given % s[i].unit))
            return lctx__refuse(at, LCTX_E_STRIDE, s[i].field);
    for (i = 0; i < n; i++) {
        *s[i].to = s[i].given ? s[i].given : s[i].packed;
        if (!lctx__fits(lctx__mul(s[i].n, *s[i].to)))
            return lctx__refuse(at, LCTX_E_OVERFLOW, s[i].field);
    }
    return LCTX_OK;
}

typedef struct lctx__rope_task {
    const lctx_rope *rope;
    const lctx_rope_job *job;
    lctx__turn turn;
    int64_t x_token, out_token, cos_token, sin_token;
    int64_t offset;              /* tokens that the first one stands after an anchor */
} lctx__rope_task;

/* What turns token t, as lctx__turn reads it: c and s [n_rot] at most. */
static void lctx__rope_tables(const lctx__rope_task *k, lctx__angles *a, int64_t t, float *c,
                              float *s)
{
    const lctx_rope_job *j = k->job;
    const int32_t n = k->rope->n_rot / 2;
    const int64_t pos = j->pos ? j->pos[t] : j->pos0 + t;
    int32_t i;
    if (j->cos) {
        memcpy(c, (const char *)j->cos + t * k->cos_token, (size_t)n * sizeof *c);
        memcpy(s, (const char *)j->sin + t * k->sin_token, (size_t)n * sizeof *s);
    } else {
        lctx__angles_move(a, pos);
        lctx__angles_tables(a, c, s);
        for (i = 0; k->rope->xpos_base != 0 && i < n; i++) {
            float g = (float)lctx__xpos(k->rope, j->side, pos, i);
            c[i] *= g, s[i] *= g;
        }
    }
    lctx__pair_tables(k->rope, c, s);
}

/* Tokens between two anchors; of a list of positions, any LCTX__ANCHOR of them. */
static void lctx__rope_tokens(void *arg, int64_t i, int32_t thread)
{
    const lctx__rope_task *k = (const lctx__rope_task *)arg;
    const int64_t begin = i * LCTX__ANCHOR - k->offset;
    int64_t t, end = lctx__min(begin + LCTX__ANCHOR, k->job->n_tok);
    float c[LCTX_MAX_ROT], s[LCTX_MAX_ROT];
    lctx__turn turn = k->turn;
    lctx__angles a;
    (void)thread;
    turn.cos = c, turn.sin = s;
    lctx__angles_begin(&a, k->rope);
    for (t = lctx__max(begin, 0); t < end; t++) {
        lctx__rope_tables(k, &a, t, c, s);
        turn.x = (const char *)k->job->x + t * k->x_token;
        turn.out = (char *)k->job->out + t * k->out_token;
        lctx__use()->turn(&turn);
    }
}

static lctx_status lctx__job_positions(lctx__site at, const lctx_rope *rope, const lctx_rope_job *j)
{
    lctx_status st = LCTX_OK;
    int64_t t;
    if (j->cos) return LCTX_OK;
    for (t = 0; j->pos && t < j->n_tok; t++)
        if ((st = lctx__pos_check(rope, j->pos[t])) != LCTX_OK)
            return lctx__refuse_element(at, st, "pos", t);
    if (j->pos) return LCTX_OK;
    if (j->pos0 < 0 || j->pos0 > LCTX__MAX_POS - j->n_tok) st = LCTX_E_POS;
    /* what holds at both ends holds between them */
    if (!st && j->n_tok) st = lctx__pos_check(rope, j->pos0);
    if (!st && j->n_tok) st = lctx__pos_check(rope, j->pos0 + j->n_tok - 1);
    return st ? lctx__refuse(at, st, "pos0") : LCTX_OK;
}

static lctx_status lctx__job_check(lctx__site at, lctx__rope_task *k)
{
    const lctx_rope_job *j = k->job;
    const int64_t dim = (int64_t)j->head_dim * 4, h = j->n_head, n = j->n_tok;
    const int64_t row = (int64_t)k->rope->n_rot / 2 * 4;
    const lctx__stride strides[] = {
        LCTX__STRIDE(j, &k->turn, x_head, dim, dim, h),
        LCTX__STRIDE(j, &k->turn, out_head, dim, dim, h),
        LCTX__STRIDE(j, k, x_token, lctx__mul(h, dim), dim, n),
        LCTX__STRIDE(j, k, out_token, lctx__mul(h, dim), dim, n),
        LCTX__STRIDE(j, k, cos_token, row, row, n), LCTX__STRIDE(j, k, sin_token, row, row, n)
    };
    LCTX__IS(x, n <= 0 || j->x, NULL); LCTX__IS(out, n <= 0 || j->out, NULL);
    LCTX__IS(cos, j->cos || !j->sin, NULL); LCTX__IS(sin, j->sin || !j->cos, NULL);
    LCTX__FROM(j, n_tok, 0, COUNT); LCTX__FROM(j, n_head, 1, COUNT);
    LCTX__IN(j, side, 0, LCTX_ROPE_SIDE_COUNT - 1, ENUM);
    LCTX__TRY(lctx__rope_fits(LCTX__SITE(j, lctx_rope), k->rope, j->head_dim, j->cos != NULL));
    LCTX__TRY(lctx__parallel_check(at.to, j->par));
    return lctx__strides(at, LCTX__ALL(strides));
}

LCTX_API lctx_status lctx_rope_apply(const lctx_rope *rope, const lctx_rope_job *job)
{
    lctx__rope_task k;
    lctx__site at;
    if (!job || lctx__begin(job->refused, rope ? NULL : "rope")) return LCTX_E_NULL;
    at = LCTX__SITE(job, lctx_rope_job);
    memset(&k, 0, sizeof k);
    k.rope = rope, k.job = job;
    k.turn.n_head = job->n_head, k.turn.head_dim = job->head_dim;
    k.turn.n_rot = rope->n_rot, k.turn.pairing = rope->pairing;
    LCTX__TRY(lctx__job_check(at, &k));
    LCTX__TRY(lctx__job_positions(at, rope, job));
    k.offset = job->pos || job->cos ? 0 : job->pos0 % LCTX__ANCHOR;
    lctx__for(job->par, lctx__mul(job->n_tok, (int64_t)job->n_head * job->head_dim),
              (job->n_tok + k.offset + LCTX__ANCHOR - 1) / LCTX__ANCHOR, lctx__rope_tokens, &k);
    return LCTX_OK;
}

/* ---- planning */
static lctx_status lctx__law_check(int32_t n_rot, double *theta, double orig_ctx)
{
    *theta = lctx__or(*theta, 10000);
    if (lctx__n_rot_check(n_rot)) return LCTX_E_N_ROT;
    if (!lctx__above(*theta, 1)) return LCTX_E_THETA;
    return lctx__above(orig_ctx, 2 * lctx__pi) ? LCTX_OK : LCTX_E_ORIG_CTX;
}

LCTX_API lctx_status lctx_rope_critical_dim(int32_t n_rot, double theta, double orig_ctx,
                                            int32_t *dim)
{
    double pairs;
    if (!dim) return LCTX_E_NULL;
    LCTX__TRY(lctx__law_check(n_rot, &theta, orig_ctx));
    pairs = ceil(n_rot / 2 * (log(orig_ctx / (2 * lctx__pi)) / log(theta)));
    *dim = pairs < n_rot / 2 ? 2 * (int32_t)pairs : n_rot;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_rope_reach(int32_t n_rot, double theta, double orig_ctx,
                                     double new_theta, double *ctx)
{
    int32_t dim;
    if (!ctx) return LCTX_E_NULL;
    LCTX__TRY(lctx_rope_critical_dim(n_rot, theta, orig_ctx, &dim));
    theta = lctx__or(theta, 10000), new_theta = lctx__or(new_theta, theta);
    if (!lctx__at_least(new_theta, theta)) return LCTX_E_THETA;
    *ctx = dim < n_rot ? 2 * lctx__pi * pow(new_theta, (double)dim / n_rot) : HUGE_VAL;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_rope_advise(int32_t n_rot, double theta, double orig_ctx, double ctx,
                                      double *new_theta, double *factor, double *ntk_factor)
{
    double b;
    LCTX__TRY(lctx__law_check(n_rot, &theta, orig_ctx));
    if (ntk_factor && n_rot < 4) return LCTX_E_N_ROT;
    if (!lctx__at_least(ctx, orig_ctx)) return LCTX_E_CTX;
    b = pow(theta, log(ctx / (2 * lctx__pi)) / log(orig_ctx / (2 * lctx__pi)));
    if (new_theta) *new_theta = b;
    if (factor) *factor = ctx / orig_ctx;
    if (ntk_factor) *ntk_factor = pow(b / theta, (n_rot - 2.0) / n_rot);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_rope_small_thetas(double orig_ctx, double theta[3])
{
    if (!theta) return LCTX_E_NULL;
    if (!lctx__above(orig_ctx, 2 * lctx__pi)) return LCTX_E_ORIG_CTX;
    theta[0] = 2 * orig_ctx / lctx__pi;
    theta[1] = orig_ctx / lctx__pi;
    theta[2] = orig_ctx / (2 * lctx__pi);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_rope_incomplete(const lctx_rope *rope, double ctx, int32_t *n_pairs,
                                          double *wavelength)
{
    int32_t i;
    if (!rope || !n_pairs) return LCTX_E_NULL;
    LCTX__TRY(lctx__rope_valid(rope));
    if (!lctx__above(ctx, 0)) return LCTX_E_CTX;
    *n_pairs = 0;
    for (i = 0; i < rope->n_rot / 2; i++) {
        double f = fabs(rope->freq[i]), w = f > 0 ? 2 * lctx__pi / f : HUGE_VAL;
        *n_pairs += w > ctx;
        if (wavelength) wavelength[i] = w;
    }
    return LCTX_OK;
}

/* ============================================================================ >>attention */
/* ---- native tiles: sizes and places */
static int64_t lctx__esize(int type) { return (int64_t)lctx_type_size((lctx_type)type); }
static int lctx__dim_ok(int64_t d) { return d >= 1 && d <= LCTX__MAX_DIM; }
static int32_t lctx__d_v(const lctx_tiles *t) { return t->d_v ? t->d_v : t->d_k; }
static int64_t lctx__tile_bytes(const lctx_tiles *t)
{
    return lctx__key_bytes(t->k_type, t->d_k) +
           (t->latent ? 0 : lctx__value_bytes(t->v_type, lctx__d_v(t)));
}

static int64_t lctx__tiles_bytes(const lctx_tiles *t)
{
    return lctx__mul(lctx__mul(t->cap / LCTX_TILE, lctx__tile_bytes(t)), t->n_head_kv);
}
/* A store's shape, whose length the struct at hand calls `cap`. */
static lctx_status lctx__tiles_check(lctx__site at, const lctx_tiles *t, const char *cap)
{
    LCTX__FROM(t, n_head_kv, 1, COUNT);
    if (t->cap < 1 || t->cap % LCTX_TILE) return lctx__refuse(at, LCTX_E_COUNT, cap);
    LCTX__IN(t, k_type, 0, LCTX_I4, TYPE); LCTX__IN(t, v_type, 0, LCTX_I4, TYPE);
    LCTX__IS(d_k, lctx__dim_ok(t->d_k), HEAD_DIM);
    LCTX__IS(d_v, lctx__dim_ok(lctx__d_v(t)), HEAD_DIM);
    if (t->latent) {
        LCTX__IN(t, k_type, 0, LCTX_I8, TYPE); LCTX__IS(v_type, t->v_type == t->k_type, TYPE);
        LCTX__IS(d_v, lctx__d_v(t) <= t->d_k, HEAD_DIM);
    }
    return lctx__fits(lctx__tiles_bytes(t)) ? LCTX_OK : lctx__refuse(at, LCTX_E_OVERFLOW, cap);
}
/* The tile that holds token `at` of head g. */
static char *lctx__tile_at(const lctx_tiles *t, int64_t g, int64_t at)
{
    return (char *)t->mem + (g * (t->cap / LCTX_TILE) + at / LCTX_TILE) * lctx__tile_bytes(t);
}

LCTX_API lctx_status lctx_tiles_size(const lctx_tiles *tiles, size_t *bytes)
{
    if (!tiles || lctx__begin(tiles->refused, bytes ? NULL : "bytes")) return LCTX_E_NULL;
    LCTX__TRY(lctx__tiles_check(LCTX__SITE(tiles, lctx_tiles), tiles, "cap"));
    *bytes = (size_t)lctx__tiles_bytes(tiles);
    return LCTX_OK;
}

/* Where a token's row stands in a tile: element i at  at + i / group * step + i % group * size; of
   4 bits in the word at  at + i / group * step, from bit shift + 4 (i % group) on. */
typedef struct lctx__place {
    char *at, *scale, *bad;      /* int8: the scale; 4 bits: element i's range is scale_step * i
                                    behind, and bit `lane` of keys' *bad says that it is a NaN */
    int64_t size, group, step, padded;
    int64_t scale_step, lane;
    int     shift;
} lctx__place;

/* Of keys groups of dimensions of one token stand together, tokens side by side; of values one
   dimension of a group of tokens, dimensions side by side. Dot products take groups, by words. */
static lctx__place lctx__place_of(int type, int64_t d, char *tile, int64_t lane, int values)
{
    const int64_t word = type == LCTX_F16 ? 2 : 4, size = lctx__esize(type);
    const int64_t group = LCTX__GROUP(type), four = type == LCTX_I4;
    lctx__place p;
    p.padded = values ? lctx__pad_v(d) : four ? lctx__round_up(d, 16) : lctx__pad_k(d);
    p.size = size, p.group = values ? 1 : group, p.step = values ? word : LCTX_TILE * word;
    p.at = tile + (values ? lane / group * p.padded * word + lane % group * size : lane * word);
    p.scale = tile + LCTX_TILE * lctx__row_bytes(type, p.padded), p.bad = NULL;
    p.scale_step = 0, p.lane = lane, p.shift = values && four ? (int)(lane % 8) * 4 : 0;
    if (values || !four) p.scale += 4 * lane;
    else p.bad = p.scale + 4 * p.padded, p.scale_step = 4;
    return p;
}
/* The places of a store's token, in head g. */
static lctx__place lctx__key_at(const lctx_tiles *t, int64_t g, int64_t i)
{
    return lctx__place_of(t->k_type, t->d_k, lctx__tile_at(t, g, i), i % LCTX_TILE, 0);
}
static lctx__place lctx__value_at(const lctx_tiles *t, int64_t g, int64_t i)
{
    char *values = lctx__tile_at(t, g, i) + lctx__key_bytes(t->k_type, t->d_k);
    if (t->latent) return lctx__key_at(t, g, i);
    return lctx__place_of(t->v_type, lctx__d_v(t), values, i % LCTX_TILE, 1);
}
static char *lctx__place_at(const lctx__place *p, int64_t i)
{
    return p->at + i / p->group * p->step + i % p->group * p->size;
}

/* ---- 4 bits: value = low + step * code, rounded once (8 by 4 bits is exact). low and step are
   bf16 halves of a word; low is rounded down, step up, so that the range holds all. */
#define LCTX__NO_RANGE 0x7fc07fc0u      /* of NaN */

/* The bf16 at or below x, as the upper half of a word. */
static uint32_t lctx__bf16_down(float x)
{
    const uint32_t u = lctx__bits(x);
    return (u + (u >> 31 && u & 0xffffu ? 0x10000u : 0)) & 0xffff0000u;
}
static uint32_t lctx__range(float least, float greatest)
{
    const uint32_t low = lctx__bf16_down(least);
    const float step = (greatest - lctx__float(low)) / 15;
    return (lctx__bf16_down(-step) & 0x7fff0000u) | low >> 16;
}
/* Numbers that a range may be made of; and the range of n numbers but for *bad others. */
static int lctx__ranged(float x)
{
    return (lctx__bits(x) & 0x7fffffffu) <= 0x7e967699u;      /* 1e38 */
}
static uint32_t lctx__range_of(int64_t n, const float *x, int64_t *bad)
{
    float least = FLT_MAX, greatest = -FLT_MAX;
    int64_t i;
    for (i = *bad = 0; i < n; i++) {
        const int ranged = lctx__ranged(x[i]);
        *bad += !ranged;
        if (ranged && x[i] < least) least = x[i];
        if (ranged && x[i] > greatest) greatest = x[i];
    }
    return least <= greatest ? lctx__range(least, greatest) : 0;
}
static uint32_t lctx__code(uint32_t range, float x)
{
    const float step = lctx__step(range), over = x - lctx__low(range);
    const float c = step > 0 ? over / step : 0;
    return c < 14.5f ? (uint32_t)(float)(c + 0.5f) : 15;      /* c >= 0 */
}
static void lctx__put_code(const lctx__place *p, int64_t i, uint32_t code)
{
    const int shift = p->shift + (int)(i % p->group) * 4;
    uint32_t word;
    memcpy(&word, lctx__place_at(p, i), 4);
    word = (word & ~((uint32_t)15 << shift)) | code << shift;
    memcpy(lctx__place_at(p, i), &word, 4);
}
static uint32_t lctx__get_code(const lctx__place *p, int64_t i)
{
    uint32_t word;
    memcpy(&word, lctx__place_at(p, i), 4);
    return word >> (p->shift + (int)(i % p->group) * 4) & 15;
}
static float lctx__get_four(const lctx__place *p, int64_t i)
{
    uint32_t range, bad[2] = { 0, 0 };
    memcpy(&range, p->scale + i * p->scale_step, 4);
    if (p->bad) memcpy(bad, p->bad, sizeof bad);
    if (bad[p->lane / 32] >> p->lane % 32 & 1) range = LCTX__NO_RANGE;
    return lctx__low(range) + lctx__step(range) * (float)lctx__get_code(p, i);
}

/* A row of 4 bits with a range of its own: a token's values. */
static void lctx__put_four(int64_t d, const float *src, const lctx__place *p)
{
    int64_t i, bad;
    uint32_t range = lctx__range_of(d, src, &bad);
    if (bad) range = LCTX__NO_RANGE;
    memcpy(p->scale, &range, 4);
    for (i = 0; i < p->padded; i++)
        lctx__put_code(p, i, i < d && !bad ? lctx__code(range, src[i]) : 0);
}

/* A dimension of n keys, with a range of its own; lanes that are not ranged only join *bad. */
static void lctx__put_channel(const lctx__place *tile, int64_t i, int64_t n, const float *x,
                              uint64_t *bad)
{
    lctx__place p = *tile;
    int64_t j, n_bad;
    const uint32_t range = lctx__range_of(n, x, &n_bad);
    memcpy(p.scale + i * p.scale_step, &range, 4);
    for (j = 0; j < n; j++, p.at += 4) {
        const int ranged = lctx__ranged(x[j]);
        lctx__put_code(&p, i, ranged ? lctx__code(range, x[j]) : 0);
        *bad |= (uint64_t)!ranged << j;
    }
}
/* A tile of n keys, from f32 rows `stride` bytes apart or, where that is 0, from a tile of f16;
   then what stands beyond the last dimension, and the bad lanes. */
static void lctx__put_tile(int64_t d, int64_t n, const char *keys, int64_t stride, char *tile)
{
    const lctx__place p = lctx__place_of(LCTX_I4, d, tile, 0, 0);
    float x[LCTX_TILE];
    uint32_t words[2];
    uint64_t bad = 0;
    int64_t i, j;
    for (i = 0; i < d; i++) {
        if (!stride) lctx__use()->to_f32(LCTX_F16, n, keys + i * LCTX_TILE * 2, x);
        for (j = 0; stride && j < n; j++) memcpy(x + j, keys + j * stride + i * 4, 4);
        lctx__put_channel(&p, i, n, x, &bad);
    }
    words[0] = (uint32_t)bad, words[1] = (uint32_t)(bad >> 32);
    memset(p.scale + d * 4, 0, (size_t)(p.padded - d) * 4);
    memset(p.bad, 0, LCTX__ALIGN);
    memcpy(p.bad, words, sizeof words);
}

/* One row, f32 to its place: converted a piece at a time, then scattered; zeros as padding. */
static void lctx__put(int type, int64_t d, const float *src, lctx__place p)
{
    float scale = type == LCTX_I8 ? lctx__i8_scale(lctx__top_bits(d, src)) : 1.0f, piece[64];
    int64_t at, i, n;
    if (type == LCTX_I4) {
        lctx__put_four(d, src, &p);
        return;
    }
    for (at = 0; at < p.padded; at += n) {
        n = lctx__min(p.padded - at, 64);
        memset(piece, 0, sizeof piece);
        lctx__from_row(type, lctx__clip(d - at, n), src + at, scale, piece);
        for (i = 0; i < n; i++)
            memcpy(lctx__place_at(&p, at + i), (char *)piece + i * p.size, (size_t)p.size);
    }
    if (type == LCTX_I8) memcpy(p.scale, &scale, 4);
}

/* The other way: n <= 64 elements from number i on; and a whole row. */
static void lctx__get_part(int type, const lctx__place *p, int64_t i, int64_t n, float *out)
{
    char piece[64 * 4];
    float scale = 1;
    int64_t j;
    for (j = 0; type == LCTX_I4 && j < n; j++) out[j] = lctx__get_four(p, i + j);
    if (type == LCTX_I4) return;
    for (j = 0; j < n; j++)
        memcpy(piece + j * p->size, lctx__place_at(p, i + j), (size_t)p->size);
    lctx__use()->to_f32(type, n, piece, out);
    if (type == LCTX_I8) memcpy(&scale, p->scale, 4);
    for (j = 0; type == LCTX_I8 && j < n; j++) out[j] *= scale;
}
static void lctx__get(int type, int64_t d, lctx__place p, float *out)
{
    int64_t i;
    for (i = 0; i < d; i += 64) lctx__get_part(type, &p, i, lctx__min(d - i, 64), out + i);
}

static void lctx__move_row(int type, const lctx__place *from, const lctx__place *to)
{
    int64_t i;
    for (i = 0; i < from->padded; i++)
        if (type == LCTX_I4) lctx__put_code(to, i, lctx__get_code(from, i));
        else memcpy(lctx__place_at(to, i), lctx__place_at(from, i), (size_t)from->size);
    if (type == LCTX_I8 || type == LCTX_I4) memcpy(to->scale, from->scale, 4);
}
/* A key that leaves its neighbours: of 4 bits it becomes f16. */
static void lctx__move_key(int type, const lctx__place *from, const lctx__place *to)
{
    float x[64];
    uint16_t half[64];
    int64_t i, j, n;
    if (type != LCTX_I4) lctx__move_row(type, from, to);
    for (i = 0; type == LCTX_I4 && i < to->padded; i += n) {
        n = lctx__min(to->padded - i, 64);
        lctx__get_part(type, from, i, n, x);
        lctx__use()->to_f16(n, x, half);
        for (j = 0; j < n; j++) memcpy(lctx__place_at(to, i + j), half + j, 2);
    }
}

static lctx_status lctx__rows_check(const lctx_rows *r, const lctx_tiles *t, lctx_rows *full)
{
    const lctx__site at = LCTX__SITE(r, lctx_rows);
    const int64_t h = t->n_head_kv, d_k = t->d_k, d_v = lctx__d_v(t);
    const lctx__stride strides[] = {
        LCTX__STRIDES(r, full, k, d_k * 4, h, r->n), LCTX__STRIDES(r, full, v, d_v * 4, h, r->n)
    };
    LCTX__IS(k, r->n <= 0 || r->k, NULL); LCTX__FROM(r, n, 0, COUNT);
    LCTX__IS(v, t->latent || !r->n || r->v, NULL); LCTX__IS(v, !t->latent || !r->v, SPAN);
    *full = *r;
    if (t->latent) full->v = full->k;
    return lctx__strides(at, LCTX__ALL(strides));
}

/* Open keys of a store (see MEMORY) are f16 tiles without values: that of token `at` of head g. */
static char *lctx__open_at(const lctx_tiles *t, char *open, int64_t g, int64_t at)
{
    const int64_t tile = g * (t->cap / LCTX_TILE) + at / LCTX_TILE;
    return open + tile * lctx__key_bytes(LCTX_F16, t->d_k);
}
static lctx__place lctx__open_key(const lctx_tiles *t, char *open, int64_t g, int64_t at)
{
    return lctx__place_of(LCTX_F16, t->d_k, lctx__open_at(t, open, g, at), at % LCTX_TILE, 0);
}
/* Rows at .. at+n-1 of `r`, checked, become tokens first .. of the store: keys of 4 bits open ones,
   if there is room for such, which are made a tile when that is full. */
static void lctx__write_rows(const lctx_tiles *t, char *open, int64_t first, const lctx_rows *r,
                             int64_t at, int64_t n)
{
    int64_t i, g;
    for (g = 0; g < t->n_head_kv; g++)
        for (i = first; i < first + n; i++) {
            const int64_t j = at + i - first;
            const void *k = (const char *)r->k + g * r->k_head + j * r->k_token;
            const void *v = (const char *)r->v + g * r->v_head + j * r->v_token;
            if (t->k_type != LCTX_I4)
                lctx__put(t->k_type, t->d_k, (const float *)k, lctx__key_at(t, g, i));
            else if (open)
                lctx__put(LCTX_F16, t->d_k, (const float *)k, lctx__open_key(t, open, g, i));
            if (open && i % LCTX_TILE == LCTX_TILE - 1)
                lctx__put_tile(t->d_k, LCTX_TILE, lctx__open_at(t, open, g, i), 0,
                               lctx__tile_at(t, g, i));
            if (t->latent) continue;
            lctx__put(t->v_type, lctx__d_v(t), (const float *)v, lctx__value_at(t, g, i));
        }
}

static lctx_status lctx__tiles_range(const lctx_tiles *t, int64_t first, int64_t n)
{
    const lctx__site at = LCTX__SITE(t, lctx_tiles);
    LCTX__TRY(lctx__tiles_check(at, t, "cap"));
    if (!t->mem) return lctx__refuse(at, LCTX_E_NULL, "mem");
    if (n < 0 || n > t->cap) return lctx__tell(t->refused, LCTX_E_SPAN, "n");
    if (first < 0 || first > t->cap - n) return lctx__tell(t->refused, LCTX_E_SPAN, "first");
    return LCTX_OK;
}

LCTX_API lctx_status lctx_tiles_write(const lctx_tiles *tiles, int64_t first, const lctx_rows *rows)
{
    lctx_rows full;
    int64_t i, g;
    if (rows) (void)lctx__begin(rows->refused, tiles ? NULL : "tiles");
    if (!tiles || lctx__begin(tiles->refused, rows ? NULL : "rows")) return LCTX_E_NULL;
    LCTX__TRY(lctx__tiles_check(LCTX__SITE(tiles, lctx_tiles), tiles, "cap"));
    LCTX__TRY(lctx__rows_check(rows, tiles, &full));
    LCTX__TRY(lctx__tiles_range(tiles, first, rows->n));
    if (tiles->k_type == LCTX_I4 && first % LCTX_TILE)
        return lctx__tell(tiles->refused, LCTX_E_SPAN, "first");
    lctx__write_rows(tiles, NULL, first, &full, 0, rows->n);
    for (g = 0; tiles->k_type == LCTX_I4 && g < tiles->n_head_kv; g++)
        for (i = 0; i < rows->n; i += LCTX_TILE)
            lctx__put_tile(tiles->d_k, lctx__min(rows->n - i, LCTX_TILE),
                           (const char *)full.k + g * full.k_head + i * full.k_token, full.k_token,
                           lctx__tile_at(tiles, g, first + i));
    return LCTX_OK;
}

LCTX_API lctx_status lctx_tiles_read(const lctx_tiles *tiles, int64_t first, int64_t n,
                                     float *k, float *v)
{
    int64_t i, g, d_k, d_v;
    if (!tiles || lctx__begin(tiles->refused, NULL)) return LCTX_E_NULL;
    LCTX__TRY(lctx__tiles_range(tiles, first, n));
    d_k = tiles->d_k, d_v = lctx__d_v(tiles);
    for (i = 0; i < n; i++)
        for (g = 0; g < tiles->n_head_kv; g++) {
            const int64_t row = i * tiles->n_head_kv + g, at = first + i;
            if (k) lctx__get(tiles->k_type, d_k, lctx__key_at(tiles, g, at), k + row * d_k);
            if (v) lctx__get(tiles->v_type, d_v, lctx__value_at(tiles, g, at), v + row * d_v);
        }
    return LCTX_OK;
}

static void lctx__tiles_span_of(const lctx_tiles *t, int64_t first, int64_t n, int64_t pos,
                                lctx_span *s)
{
    memset(s, 0, sizeof *s);
    s->k = lctx__tile_at(t, 0, first);
    s->v = (const char *)s->k + (t->latent ? 0 : lctx__key_bytes(t->k_type, t->d_k));
    s->k_type = t->k_type, s->v_type = t->v_type;
    s->layout = LCTX_TILES, s->skip = (int32_t)(first % LCTX_TILE);
    s->n = n, s->pos = pos;
    s->k_head = t->cap / LCTX_TILE * lctx__tile_bytes(t);
}

LCTX_API lctx_status lctx_tiles_span(const lctx_tiles *tiles, int64_t first, int64_t n, int64_t pos,
                                     lctx_span *span)
{
    if (!tiles || lctx__begin(tiles->refused, span ? NULL : "span")) return LCTX_E_NULL;
    LCTX__TRY(lctx__tiles_range(tiles, first, n));
    if (pos < 0 || pos > LCTX__MAX_POS - n) return lctx__tell(tiles->refused, LCTX_E_POS, "pos");
    lctx__tiles_span_of(tiles, first, n, pos, span);
    return LCTX_OK;
}

/* ---- the plan: a descriptor checked, its defaults filled in, its scratch laid out */
/* One softmax in progress for all rows of a task: [rows] maxima, [rows] sums, [rows][d_v]. */
typedef struct lctx__part { float *mla[3]; int64_t leaf; } lctx__part;

/* How raw keys turn: a schedule's angles at its first positions, tabled once a call. `group` keys
   share a position; column x of the f32 tables is that of key x of such a group's first. */
typedef struct lctx__turns {
    lctx_rope coarse;            /* the schedule, 64 positions at once */
    lctx__angles start;          /* of it, at 0 */
    int64_t group;
    double *c, *s;               /* [LCTX_TILE][n_rot/2] positions 0 .. 63 */
    float *cos, *sin;            /* [n_rot/2][2 * LCTX_TILE] */
} lctx__turns;
enum { LCTX__NEAR, LCTX__FAR, LCTX__HAT, LCTX__TURNS };    /* HAT: below the schedule's n_hat */

typedef struct lctx__plan {
    lctx_attn a;                 /* with the defaults filled in */
    int64_t d_k, d_v;            /* padded */
    int64_t group;               /* query heads a KV head */
    int64_t q_block, n_block;    /* queries a task, such blocks */
    int64_t rows;                /* of one KV head in a task: q_block * group */
    int64_t heads;               /* KV heads a task: 1, or all of them */
    int64_t head_tasks;          /* n_head_kv / heads */
    int64_t n_kv;
    int64_t end;                 /* number of the key after the last */
    int split;                   /* are leaves cut into sets, for more tasks? */
    int shift;                   /* a task takes the leaves that agree in leaf >> shift */
    int64_t n_part;              /* such sets of leaves */
    int64_t depth;               /* partial results pending in a fold */
    int64_t n_task, n_all;       /* of the pass in hand, of all passes */
    int32_t threads;
    unsigned k_dots, v_dots;     /* bit by bit: types multiplied by dot products */
    int any_dots;                /* among the spans' */
    int has_far;                 /* spans of query 1 */
    int biased;                  /* scores that something is added to key by key */
    int has_rule;                /* distances that are not their own */
    int64_t list_rows, list_each;    /* of a task: rows of the list, columns of each */
    int64_t list_base, list_words;   /* bits for its blocks from list_base on */
    int gathers;                 /* are rows of keys put together as lists name them? */
    lctx__turns *turns;          /* [LCTX__TURNS] with raw keys */
    int64_t turns_at;            /* where these and their tables stand in scratch */
    int64_t part_floats;         /* of one lctx__part */
    int64_t thread_bytes, total_bytes;
    char *scratch;
    int cancelled;
    int64_t begun;               /* tasks */
} lctx__plan;

static int64_t lctx__span_tiles(const lctx_span *s)
{
    return s->n ? (s->skip + s->n + LCTX_TILE - 1) / LCTX_TILE : 0;
}
/* Leaf of tile i of a span: where the tile begins, but for keys that stand before the span, so that
   leaves never go back from one span to the next. */
static int64_t lctx__leaf(const lctx_span *s, int64_t i)
{
    return lctx__max(s->index - s->skip + i * LCTX_TILE, s->index) / LCTX__LEAF;
}

/* Are its values a part of its native tiles' keys? */
static int lctx__latent(const lctx_span *s)
{
    return s->layout == LCTX_TILES && s->k && s->k == s->v;
}

static int64_t lctx__k_pos_step(const lctx_span *s)
{
    return s->k_pos_head == -1 ? 0 : s->k_pos_head ? s->k_pos_head : s->n * 8;
}
/* Span i with its defaults: strides, index. *next is the index after the span before. */
static lctx_span lctx__span(const lctx__plan *p, int64_t i, int64_t *next)
{
    const lctx_attn *a = &p->a;
    lctx_span s = a->spans[i];
    int64_t ke = lctx__esize(s.k_type), ve = lctx__esize(s.v_type), hk = a->n_head_kv;
    if (!s.index) s.index = *next;
    *next = s.index + s.n;
    s.k_pos_head = lctx__k_pos_step(&s);
    if (s.layout == LCTX_TILES) {
        const int64_t tile = lctx__key_bytes(s.k_type, a->d_k) +
                             (lctx__latent(&s) ? 0 : lctx__value_bytes(s.v_type, a->d_v));
        LCTX__DEFAULT(s.k_token, tile); LCTX__DEFAULT(s.v_token, tile);
        LCTX__DEFAULT(s.k_head, lctx__mul(lctx__span_tiles(&s), s.k_token));
        LCTX__DEFAULT(s.v_head, s.k_head);
        return s;
    }
    LCTX__DEFAULT(s.k_head, a->d_k * ke); LCTX__DEFAULT(s.v_head, a->d_v * ve);
    LCTX__DEFAULT(s.k_token, hk * a->d_k * ke); LCTX__DEFAULT(s.v_token, hk * a->d_v * ve);
    LCTX__DEFAULT(s.k_scale_token, hk * 4); LCTX__DEFAULT(s.k_scale_head, 4);
    LCTX__DEFAULT(s.v_scale_token, hk * 4); LCTX__DEFAULT(s.v_scale_head, 4);
    return s;
}

/* Listed positions: of every head, from 0 on, never going back. */
static lctx_status lctx__k_pos_check(const lctx_attn *a, int64_t i)
{
    const lctx_span *s = &a->spans[i];
    const int64_t step = lctx__k_pos_step(s);
    int64_t g, j;
    for (g = 0; g < a->n_head_kv; g++) {
        const int64_t *pos = (const int64_t *)(const void *)((const char *)s->k_pos + g * step);
        for (j = 0; j < s->n; j++)
            if (pos[j] < (j ? pos[j - 1] : 0) || pos[j] >= LCTX__MAX_POS)
                return lctx__refuse_element(lctx__site_of(a->refused, "lctx_span", i), LCTX_E_POS,
                                            "k_pos", j);
    }
    return LCTX_OK;
}

/* Span i, of keys numbered from `next` on. */
static lctx_status lctx__span_check(const lctx_attn *a, int64_t i, int64_t next)
{
    const lctx_span *s = &a->spans[i];
    const lctx__site at = lctx__site_of(a->refused, "lctx_span", i);
    const int rows = s->layout == LCTX_ROWS, latent = lctx__latent(s);
    const int types = rows || latent ? LCTX_I8 : LCTX_I4;
    const int64_t top = LCTX__MAX_POS;
    LCTX__FROM(s, n, 0, COUNT); LCTX__IN(s, layout, 0, LCTX_LAYOUT_COUNT - 1, ENUM);
    LCTX__IN(s, k_type, 0, types, TYPE); LCTX__IN(s, v_type, 0, types, TYPE);
    LCTX__IS(v_type, !latent || s->v_type == s->k_type, TYPE);
    LCTX__IS(v, !latent || a->d_v <= a->d_k, HEAD_DIM);
    LCTX__IN(s, query, 0, 1, SPAN); LCTX__FROM(s, group, 0, GROUP);
    LCTX__IN(s, skip, 0, rows ? 0 : LCTX_TILE - 1, SPAN);
    LCTX__IN(s, index, s->index ? next : 0, top, SPAN);
    LCTX__IN(s, n, 0, top, SPAN); LCTX__IS(index, next <= top, SPAN);
    LCTX__IN(s, pos, 0, top - s->n, POS); LCTX__IS(k_pos, !s->k_pos || !a->rope, SPAN);
    if (a->rope && s->n)
        LCTX__IS(pos, !lctx__pos_check(a->rope, s->pos) &&
                      !lctx__pos_check(a->rope, s->pos + s->n - 1), XPOS_FAR);
    LCTX__IS(k_scale, !rows || !s->n || s->k_type != LCTX_I8 || s->k_scale, SCALE);
    LCTX__IS(v_scale, !rows || !s->n || s->v_type != LCTX_I8 || s->v_scale, SCALE);
    return LCTX_OK;
}

static int64_t lctx__q_pos(const lctx_attn *a, int64_t t)
{
    return a->q_pos ? a->q_pos[t] : a->q_pos0 + t;
}
static lctx_status lctx__refuse_query(const lctx_attn *a, lctx_status st, int64_t t)
{
    const lctx__site at = LCTX__SITE(a, lctx_attn);
    return a->q_pos ? lctx__refuse_element(at, st, "q_pos", t) : lctx__refuse(at, st, "q_pos0");
}
/* May a query stand there? Before all keys it sees nothing, if masks are causal. */
static lctx_status lctx__q_pos_check(const lctx_attn *a, int64_t pos)
{
    const int64_t least = a->mask == LCTX_CAUSAL ? -LCTX__MAX_POS : 0;
    if (a->rope) return lctx__pos_check(a->rope, pos);
    return pos < least || pos >= LCTX__MAX_POS ? LCTX_E_POS : LCTX_OK;
}
/* Positions that follow by one: what holds at both ends holds between them. */
static lctx_status lctx__positions_check(const lctx_attn *a)
{
    lctx_status st = a->q_pos0 > LCTX__MAX_POS - a->n_q ? LCTX_E_POS : LCTX_OK;
    if (a->q_pos || !a->n_q) return LCTX_OK;
    if (!st) st = lctx__q_pos_check(a, a->q_pos0);
    if (!st) st = lctx__q_pos_check(a, a->q_pos0 + a->n_q - 1);
    return st ? lctx__refuse_query(a, st, 0) : LCTX_OK;
}
static int64_t lctx__list_row(const lctx_attn *a, int64_t t)
{
    return (a->list_first + t) / a->list_queries;
}
/* What is listed for each query and each key. */
static lctx_status lctx__listed_check(const lctx_attn *a)
{
    lctx_status st = LCTX_OK;
    int64_t t;
    for (t = 0; a->q_pos && t < a->n_q; t++)
        if ((st = lctx__q_pos_check(a, a->q_pos[t])) != LCTX_OK)
            return lctx__refuse_query(a, st, t);
    for (t = 0; a->q_group && t < a->n_q; t++)
        if (a->q_group[t] < 0)
            return lctx__refuse_element(LCTX__SITE(a, lctx_attn), LCTX_E_GROUP, "q_group", t);
    for (t = 0; !st && t < a->n_spans; t++) if (a->spans[t].k_pos) st = lctx__k_pos_check(a, t);
    return st;
}

/* index: of the layer whose it is, or -1. */
static lctx_status lctx__pattern_check(lctx_refusal *to, const lctx_pattern *p, int64_t index)
{
    const lctx__site at = lctx__site_of(to, "lctx_pattern", index);
    const int64_t top = LCTX__MAX_POS;
    int64_t i;
    LCTX__IN(p, kind, 0, LCTX_PATTERN_COUNT - 1, ENUM);
    if (p->kind != LCTX_PATTERN_ALL) LCTX__IN(p, length, 1, top, LENGTH);
    if (p->kind == LCTX_PATTERN_DILATED) LCTX__IN(p, dilation, 1, p->length, DILATION);
    if (p->kind == LCTX_PATTERN_STRIDED) LCTX__IN(p, local, 0, top, LOCAL);
    if (p->kind == LCTX_PATTERN_FIXED) LCTX__IN(p, summary, 0, p->length, LOCAL);
    if (p->kind == LCTX_PATTERN_BLOCKS) LCTX__IN(p, back, 0, top, LOCAL);
    LCTX__IN(p, n_global, 0, top, GLOBAL);
    if (!p->global) LCTX__IN(p, global0, 0, top - p->n_global, GLOBAL);
    for (i = 0; p->global && i < p->n_global; i++)
        if (p->global[i] < (i ? p->global[i - 1] + 1 : 0) || p->global[i] >= top)
            return lctx__refuse_element(at, LCTX_E_GLOBAL, "global", i);
    return LCTX_OK;
}

/* The rule, and whether the schedule, which stands at rope_at, allows one. */
static lctx_status lctx__far_check(const lctx_far_rule *r, const lctx_rope *rope,
                                   lctx__site rope_at)
{
    const lctx__site at = lctx__site_of(rope_at.to, "lctx_far_rule", -1);
    LCTX__IN(r, kind, 0, LCTX_FAR_COUNT - 1, ENUM);
    if (r->kind == LCTX_FAR_NONE) return LCTX_OK;
    LCTX__IN(r, window, 1, LCTX__MAX_POS, FAR_RULE);
    if (rope->n_hat) return lctx__refuse(rope_at, LCTX_E_FAR_RULE, "n_hat");
    if (rope->xpos_base != 0) return lctx__refuse(rope_at, LCTX_E_FAR_RULE, "xpos_base");
    LCTX__IS(group, r->kind != LCTX_FAR_GROUP || r->group >= 1, FAR_RULE);
    LCTX__IS(leak, r->kind != LCTX_FAR_LEAKY || lctx__at_least(r->leak, 1), FAR_RULE);
    return LCTX_OK;
}

static lctx_status lctx__attn_check(const lctx_attn *a)
{
    const lctx__site at = LCTX__SITE(a, lctx_attn), rope_at = LCTX__SITE(a, lctx_rope);
    LCTX__FROM(a, n_q, 0, COUNT); LCTX__FROM(a, n_head, 1, COUNT);
    LCTX__FROM(a, n_head_kv, 1, COUNT); LCTX__FROM(a, n_spans, 0, COUNT);
    LCTX__IN(a, n_q, 0, LCTX__MAX_POS, OVERFLOW); LCTX__IN(a, mass_queries, 0, a->n_q, COUNT);
    LCTX__IS(n_head, a->n_head % a->n_head_kv == 0, HEADS);
    LCTX__IS(d_k, lctx__dim_ok(a->d_k), HEAD_DIM); LCTX__IS(d_v, lctx__dim_ok(a->d_v), HEAD_DIM);
    LCTX__IN(a, mask, 0, LCTX_MASK_COUNT - 1, ENUM);
    LCTX__FROM(a, window, 0, WINDOW); LCTX__FROM(a, n_sink, 0, WINDOW);
    LCTX__FROM(a, window_right, -1, WINDOW);
    LCTX__IS(window_right, !a->window_right || a->mask == LCTX_MASK_NONE, WINDOW);
    LCTX__IN(a, list_len, 0, LCTX__MAX_POS, LIST); LCTX__FROM(a, list_keys, 0, LIST);
    LCTX__FROM(a, list_queries, 0, LIST); LCTX__IN(a, list_first, 0, LCTX__MAX_POS, LIST);
    LCTX__IS(list_heads, !a->list_heads || a->list_heads == 1 || a->list_heads == a->n_head_kv ||
                         a->list_heads == a->n_head, LIST);
    if (a->pattern) LCTX__TRY(lctx__pattern_check(a->refused, a->pattern, -1));
    LCTX__REAL(a, softcap, SOFTCAP); LCTX__REAL(a, scale, SOFTCAP);
    LCTX__IS(spans, !a->n_spans || a->spans, NULL);
    LCTX__TRY(lctx__parallel_check(a->refused, a->par));
    LCTX__IS(rope, a->rope || (!a->far_rule && !a->far_pos), NULL);
    if (a->rope) LCTX__TRY(lctx__rope_fits(rope_at, a->rope, a->d_k, 0));
    LCTX__FROM(a, far_pos, 0, POS);
    if (a->far_rule) LCTX__TRY(lctx__far_check(a->far_rule, a->rope, rope_at));
    return lctx__positions_check(a);
}

/* Strides of all arrays. In rows of n_kv -1 is the same for all queries, or all heads. */
#define LCTX__SAME_OR(x, other) ((x) == -1 ? 0 : (x) ? (x) : (other))
#define LCTX__STRIDES_KV(a, what, row, n, heads)                                                   \
    { #what "_query", LCTX__SAME_OR((a)->what##_query, row), &(a)->what##_query, 0, (row), 0, 4 }, \
    { #what "_head", LCTX__SAME_OR((a)->what##_head, (a)->what##_query == -1 ? (row) :             \
                                   lctx__mul(lctx__max((a)->what##_query, row), n)),               \
      &(a)->what##_head, 0, (row), (heads), 4 }
static lctx_status lctx__attn_strides(lctx_attn *a, int64_t n_kv)
{
    const int64_t k = (int64_t)a->d_k * 4, v = (int64_t)a->d_v * 4, row = n_kv * 4;
    const int64_t n = a->n_q, h = a->n_head, bits = lctx__round_up(n_kv, 64) / 8;
    const lctx__stride all[] = {
        LCTX__STRIDES(a, a, q, k, h, n), LCTX__STRIDES(a, a, out, v, h, n),
        LCTX__STRIDE(a, a, lse_token, h * 4, h * 4, n),
        LCTX__STRIDES_KV(a, bias, row, n, a->bias ? h : 0),
        LCTX__STRIDES_KV(a, mask, bits, n, a->mask_bits ? h : 0),
        LCTX__STRIDE(a, a, mass_head, row, row, a->n_head_kv)
    };
    return lctx__strides(LCTX__SITE(a, lctx_attn), LCTX__ALL(all));
}

/* In how many sets does leaf >> shift cut the spans' leaves? *nth, or null, gets that of set n. */
static int64_t lctx__parts(const lctx__plan *p, int shift, int64_t n, int64_t *nth)
{
    int64_t i, next = 0, last = -1, count = 0;
    for (i = 0; i < p->a.n_spans; i++) {
        lctx_span s = lctx__span(p, i, &next);
        int64_t lo, hi;
        if (!s.n) continue;
        lo = lctx__leaf(&s, 0) >> shift;
        hi = lctx__leaf(&s, lctx__span_tiles(&s) - 1) >> shift;
        lo += lo == last;      /* counted with the span before */
        if (nth && n >= count && n <= count + hi - lo) *nth = lo + n - count;
        count += hi - lo + 1;
        last = hi;
    }
    return count;
}

/* Tasks that keep so many threads evenly busy. */
#define LCTX__WANT_TASKS(p) (4 * (int64_t)(p)->threads)

/* Where `base` tasks are too few, each takes one of several sets of leaves, whole subtrees. */
static void lctx__plan_split(lctx__plan *p, int64_t base)
{
    p->n_part = 1;
    p->split = base < LCTX__WANT_TASKS(p) && p->threads > 1;
    for (p->shift = p->split ? 0 : 48; p->shift < 48; p->shift++) {
        p->n_part = lctx__parts(p, p->shift, 0, NULL);
        if (p->n_part * base <= 2 * LCTX__WANT_TASKS(p)) break;
    }
    p->n_part = lctx__max(p->n_part, 1);
    p->n_task = lctx__mul(base, p->n_part);
}

/* Where keys are gathered, a task's queries share a list: what is found depends on no others. */
static void lctx__plan_gather(lctx__plan *p)
{
    const lctx_attn *a = &p->a;
    p->gathers = a->list && a->list_keys < LCTX_TILE && (p->group == 1 || a->list_heads < a->n_head)
                 && !a->rope && !a->bias && !a->mask_bits && !a->alibi;
    if (!p->gathers || !a->n_q || lctx__list_row(a, 0) == lctx__list_row(a, a->n_q - 1)) return;
    while (a->list_queries % p->q_block || a->list_first % p->q_block) p->q_block--;
}

/* How the work is cut: query blocks of about LCTX__ROWS rows, and sets of leaves where these and
   the heads are too few. A task has one KV head; but a few queries (of each group) on rows
   [token][head][dim] take all heads, so that memory is read in order. */
static void lctx__plan_cut(lctx__plan *p)
{
    const int64_t n_q = lctx__max(p->a.n_q, 1), few = LCTX__BESIDE_ROWS / p->group;
    int64_t i, next = 0, top = 0, groups = 0, last = -1, first = -1;
    int tokens_first = 0;
    p->q_block = lctx__min(lctx__max(LCTX__ROWS / p->group, 1), n_q);
    p->biased = p->a.bias != NULL;
    for (i = 0; i < p->a.n_spans; i++) {
        lctx_span s = lctx__span(p, i, &next);
        if (!s.n) continue;
        if (first < 0) first = s.index / p->a.list_keys;
        top = lctx__leaf(&s, lctx__span_tiles(&s) - 1);
        p->has_far |= s.query;
        p->any_dots |= (int)(p->k_dots >> s.k_type | p->v_dots >> s.v_type) & 1;
        p->biased |= s.k_pos && p->a.alibi;
        tokens_first |= s.layout == LCTX_ROWS && s.k_head < s.k_token;
        if (!p->a.q_group) s.group = 0;
        groups += s.group != last, last = s.group;
    }
    p->heads = tokens_first && n_q <= groups * few && !p->a.list ? p->a.n_head_kv : 1;
    if (p->heads > 1)
        p->q_block = lctx__min(p->q_block, lctx__max(few, 2 * LCTX__ROWS / p->a.n_head));
    lctx__plan_gather(p);
    p->n_block = (p->a.n_q + p->q_block - 1) / p->q_block;
    p->rows = p->q_block * p->group;
    if (p->a.list) {
        p->list_each = p->a.list_heads == p->a.n_head ? p->group : 1;
        p->list_rows = lctx__min(p->q_block, (p->q_block - 1) / p->a.list_queries + 2);
        p->list_base = lctx__max(first, 0);
        p->list_words = (p->end / p->a.list_keys - p->list_base) / 64 + 1;
    }
    for (p->depth = 1; top >> (p->depth - 1); p->depth++) {}      /* its bits and one more */
    p->depth = lctx__min(p->depth, lctx__max(lctx__parts(p, 0, 0, NULL), 1));
    p->head_tasks = p->a.n_head_kv / p->heads;
    if (p->a.mass) {       /* its pass has no blocks of queries: a key's weights add up in order */
        lctx__plan_split(p, p->head_tasks);
        p->n_all = p->n_task;
    }
    lctx__plan_split(p, lctx__mul(p->n_block, p->head_tasks));
    p->n_all += p->n_task;
}

static void lctx__turns_carve(lctx__plan *p, lctx__carver *r)
{
    const int64_t n = p->a.rope->n_rot / 2 * LCTX_TILE;
    int i;
    p->turns = (lctx__turns *)lctx__carve(r, LCTX__TURNS, (int64_t)sizeof *p->turns);
    for (i = 0; i < LCTX__TURNS; i++) {
        double *c = (double *)lctx__carve(r, n, 8), *s = (double *)lctx__carve(r, n, 8);
        float *co = (float *)lctx__carve(r, 2 * n, 4), *si = (float *)lctx__carve(r, 2 * n, 4);
        if (p->turns) p->turns[i].c = c, p->turns[i].s = s;
        if (p->turns) p->turns[i].cos = co, p->turns[i].sin = si;
    }
}

/* What a task is at: one KV head or all, one block of queries, one set of leaves. Rows are in the
   order of KV head, query, head in the group. In hand are the queries that may see the span. */
typedef struct lctx__work {
    const lctx__plan *p;
    const lctx__ops *ops;
    int64_t head0, block0;         /* first KV head, first query */
    int64_t rows, all;             /* of one head, of all heads */
    int64_t q0, n_q;               /* queries in hand */
    int64_t head;                  /* KV head in hand */
    int64_t key0;                  /* number of the span's first key in bias and mass */
    int far;                       /* copy of the queries in hand */
    int64_t part;                  /* leaf >> shift to take; all if the plan has one part */
    int mass;                      /* the second pass: no values, weights are added up by key */
    float *q[4];                   /* for spans of query 0 and 1, and their far pairs: 64 dimensions
                                      of all rows, and the next */
    float *q_rows;                 /* [all][d_k] work */
    lctx__dots dots[2];            /* the first two for dot products */
    float *bias;                   /* [rows][LCTX_TILE] */
    float *k_tile, *v_tile, *k_scale, *v_scale;
    float *k_turned;               /* with raw keys, as the next two */
    lctx__angles *angles;          /* [LCTX__TURNS] of the turns' coarse schedules */
    uint64_t *side;                /* [rows] of see, near or far pairs */
    uint64_t *see;
    uint64_t *list;                /* [1 + list_rows * list_each][list_words]: bits of the blocks
                                      that are listed for any row; then for each */
    int64_t run;                   /* tiles that go together, from the one in hand */
    int64_t next;                  /* the span's next tile that is seen */
    int gathers;                   /* are keys put together? so far these, of one leaf: */
    lctx_span found;
    char *found_k, *found_v;
    float *found_k_scale, *found_v_scale;
    int64_t *found_pos;
    float *slope, *dist;
    lctx__part *stack;             /* [depth] */
    int64_t top;                   /* parts on the stack */
    lctx__tile t;                  /* what the kernel is given */
    lctx__soon soon[LCTX__STAGES];
} lctx__work;

static void lctx__part_place(lctx__part *part, float *f, int64_t rows)
{
    part->mla[0] = f, part->mla[1] = f + rows, part->mla[2] = f + 2 * rows;
}

static void lctx__work_carve(lctx__work *w, lctx__carver *r)
{
    const lctx__plan *p = w->p;
    const int64_t all = lctx__mul(p->rows, p->heads), d = p->d_k;
    int64_t i;
    for (i = 0; i < 4; i++)
        if (!(i & 1 && !p->has_far) && !(i & 2 && !p->has_rule))
            LCTX__FLOATS(r, w->q[i], all, lctx__round_up(d, LCTX_TILE));
    LCTX__FLOATS(r, w->q_rows, all, d);
    LCTX__FLOATS(r, w->t.s, p->rows, LCTX_TILE);
    w->bias = p->biased ? (float *)lctx__carve(r, p->rows, LCTX_TILE * 4) : NULL;
    w->see = (uint64_t *)lctx__carve(r, p->rows, 8);
    w->list = (uint64_t *)lctx__carve(r, 1 + p->list_rows * p->list_each, p->list_words * 8);
    LCTX__FLOATS(r, w->slope, all, 1); LCTX__FLOATS(r, w->dist, p->rows, 1);
    LCTX__FLOATS(r, w->k_tile, lctx__max(d, 16), LCTX_TILE);
    LCTX__FLOATS(r, w->v_tile, p->d_v, LCTX_TILE);
    LCTX__FLOATS(r, w->k_scale, LCTX_TILE, 1); LCTX__FLOATS(r, w->v_scale, LCTX_TILE, 1);
    for (i = 0; p->any_dots && i < 1 + p->has_far; i++) {
        w->dots[i].words = (uint32_t *)lctx__carve(r, lctx__mul(all, lctx__round_up(d, 64)), 2);
        LCTX__FLOATS(r, w->dots[i].scale, all, 1); LCTX__FLOATS(r, w->dots[i].base, all, 1);
        w->dots[i].start = (int32_t *)lctx__carve(r, all, 4);
    }
    w->t.w = p->any_dots ? (uint32_t *)lctx__carve(r, p->rows, LCTX__WORDS * 4) : NULL;
    w->t.w_scale = p->any_dots ? (float *)lctx__carve(r, p->rows, 4) : NULL;
    w->t.w_low = p->any_dots ? (float *)lctx__carve(r, p->rows, 4) : NULL;
    w->t.share = p->any_dots ? (float *)lctx__carve(r, LCTX_TILE, 4) : NULL;
    if (p->a.rope) {
        LCTX__FLOATS(r, w->k_turned, d, LCTX_TILE);
        w->angles = (lctx__angles *)lctx__carve(r, LCTX__TURNS, (int64_t)sizeof *w->angles);
        for (i = 0; w->angles && i < LCTX__TURNS; i++) w->angles[i].rope = NULL;
        w->side = (uint64_t *)lctx__carve(r, p->rows, 8);
    }
    if (p->gathers) {
        w->found_k = (char *)lctx__carve(r, p->a.d_k, LCTX_TILE * 4);
        w->found_v = (char *)lctx__carve(r, p->a.d_v, LCTX_TILE * 4);
        LCTX__FLOATS(r, w->found_k_scale, LCTX_TILE, 1);
        LCTX__FLOATS(r, w->found_v_scale, LCTX_TILE, 1);
        w->found_pos = (int64_t *)lctx__carve(r, LCTX_TILE, 8);
    }
    w->stack = (lctx__part *)lctx__carve(r, p->depth, (int64_t)sizeof(lctx__part));
    for (i = 0; i < p->depth; i++) {
        float *f = (float *)lctx__carve(r, p->part_floats, 4);
        if (f) lctx__part_place(&w->stack[i], f, all);
    }
}

/* Scratch of one thread, and of all of it: threads, results of tasks, tables of raw keys. */
static void lctx__plan_sizes(lctx__plan *p)
{
    lctx__carver r = lctx__carver_of(NULL);
    lctx__work w;
    int64_t n;
    memset(&w, 0, sizeof w);
    w.p = p;
    p->part_floats = lctx__round_up(lctx__mul(lctx__mul(p->rows, p->heads), p->d_v + 2), 16);
    lctx__work_carve(&w, &r);
    p->thread_bytes = r.used;
    n = lctx__mul(r.used, p->threads);
    if (p->split)          /* one result a task, for the last fold; as many as there may be */
        n = lctx__add(n, lctx__mul(2 * LCTX__WANT_TASKS(p), p->part_floats * 4));
    r = lctx__carver_of(NULL);
    if (p->a.rope) lctx__turns_carve(p, &r);
    p->turns_at = n, p->total_bytes = lctx__add(n, lctx__add(r.used, LCTX__ALIGN));
}

/* Span i's strides step over rows or tiles, in either order; how far they lead. Counts its keys. */
#define LCTX__STEPS(from, to, field, least, n, unit) \
    { #field, (from)->field, &(to)->field, (to)->field, least, n, unit }
static lctx_status lctx__span_sizes(lctx__plan *p, int64_t i, int64_t *next)
{
    const lctx_attn *a = &p->a;
    const lctx_span *g = &a->spans[i];
    const lctx__site at = lctx__site_of(a->refused, "lctx_span", i);
    lctx_span s = lctx__span(p, i, next);
    const int rows = s.layout == LCTX_ROWS;
    const int64_t unit = rows ? 1 : 4, n = rows ? s.n : lctx__span_tiles(&s), h = a->n_head_kv;
    const int64_t k = rows ? a->d_k * lctx__esize(s.k_type) : lctx__key_bytes(s.k_type, a->d_k);
    const int64_t v = rows ? a->d_v * lctx__esize(s.v_type) : lctx__latent(g) ? k
                           : lctx__value_bytes(s.v_type, a->d_v);
    const lctx__stride all[] = {
        { "k_pos_head", s.k_pos && g->k_pos_head != -1 ? g->k_pos_head : 0, &s.k_pos_head,
          s.k_pos_head, s.n * 8, s.k_pos ? h : 0, 8 },
        LCTX__STEPS(g, &s, k_token, k, n, unit), LCTX__STEPS(g, &s, k_head, k, h, unit),
        LCTX__STEPS(g, &s, v_token, v, n, unit), LCTX__STEPS(g, &s, v_head, v, h, unit),
        LCTX__STEPS(g, &s, k_scale_token, 0, n, 4), LCTX__STEPS(g, &s, k_scale_head, 0, h, 4),
        LCTX__STEPS(g, &s, v_scale_token, 0, n, 4), LCTX__STEPS(g, &s, v_scale_head, 0, h, 4)
    };
    LCTX__TRY(lctx__strides(at, all, rows ? 9 : 5));      /* tiles have no scales apart */
    LCTX__IS(n, (p->n_kv += s.n) <= LCTX__MAX_POS, OVERFLOW);
    return LCTX_OK;
}

static lctx_status lctx__plan_make(lctx__plan *p, const lctx_attn *attn)
{
    int64_t i, next = 0, work;
    memset(p, 0, sizeof *p);
    p->a = *attn;
    LCTX__DEFAULT(p->a.d_v, p->a.d_k);
    LCTX__TRY(lctx__attn_check(&p->a));
    if (p->a.scale == 0)
        p->a.scale = (float)((p->a.rope ? p->a.rope->scale_mul : 1) / sqrt((double)p->a.d_k));
    p->has_rule = p->a.far_rule && p->a.far_rule->kind != LCTX_FAR_NONE;
    LCTX__DEFAULT(p->a.window, LCTX__HUGE); LCTX__DEFAULT(p->a.mass_queries, p->a.n_q);
    LCTX__DEFAULT(p->a.list_queries, LCTX__HUGE); LCTX__DEFAULT(p->a.list_heads, 1);
    LCTX__DEFAULT(p->a.list_keys, LCTX_TILE);
    for (i = 0; i < p->a.n_spans; i++) {
        LCTX__TRY(lctx__span_check(&p->a, i, next));
        LCTX__TRY(lctx__span_sizes(p, i, &next));
    }
    p->end = next;
    LCTX__TRY(lctx__attn_strides(&p->a, p->n_kv));
    p->d_k = lctx__pad_k(p->a.d_k), p->d_v = lctx__pad_v(p->a.d_v);
    p->group = p->a.n_head / p->a.n_head_kv;
    p->v_dots = p->a.precise ? 0 : lctx__dots_used();
    p->k_dots = p->a.rope ? 0 : p->v_dots;      /* raw keys are turned in f32 */
    work = lctx__mul(lctx__mul(p->a.n_q, p->a.n_head), lctx__mul(p->n_kv, p->d_k + p->d_v));
    p->threads = work < LCTX__SMALL_WORK ? 1 : lctx__threads(p->a.par);
    lctx__plan_cut(p);
    lctx__plan_sizes(p);
    return lctx__tell(attn->refused, lctx__fits(p->total_bytes) ? LCTX_OK : LCTX_E_OVERFLOW, NULL);
}

LCTX_API lctx_status lctx_attend_size(const lctx_attn *attn, size_t *bytes)
{
    lctx__plan p;
    if (!attn || lctx__begin(attn->refused, bytes ? NULL : "bytes")) return LCTX_E_NULL;
    LCTX__TRY(lctx__plan_make(&p, attn));
    *bytes = (size_t)p.total_bytes;
    return LCTX_OK;
}

/* ---- raw keys: f32 tables hold the angles of a tile's lanes, counted from its first; those of its
   first, and of queries, are computed in double. The attention factor is multiplied into the
   queries twice, so that far keys under CLAMP need not be touched. */

/* Fills in turns number `which`: positions 0 .. 63 in double, columns in float. */
static void lctx__turns_make(lctx__plan *p, int which, double slower, int64_t group)
{
    lctx__turns *t = &p->turns[which];
    const lctx_rope *rope = p->a.rope;
    const int64_t n = rope->n_rot / 2, step = lctx__min(group, LCTX_TILE);
    lctx__angles a;
    int64_t i, x;
    t->coarse = *rope, t->coarse.n_hat = 0, t->group = group;
    for (i = 0; i < n; i++)
        t->coarse.freq[i] = (which == LCTX__HAT ? rope->plain[i] : rope->freq[i]) / slower;
    lctx__angles_begin(&a, &t->coarse);
    for (x = 0; x < LCTX_TILE; x++) {
        lctx__angles_move(&a, x);
        memcpy(t->c + x * n, a.c, (size_t)n * sizeof *a.c);
        memcpy(t->s + x * n, a.s, (size_t)n * sizeof *a.s);
    }
    for (x = 0; x < (step > 1 ? 2 : 1) * LCTX_TILE; x++) {
        const double *c = t->c + x / step * n, *s = t->s + x / step * n;
        for (i = 0; i < n; i++) {
            const double g = lctx__xpos(rope, LCTX_ROPE_KEY, rope->xpos_center + x, i);
            t->cos[i * 2 * LCTX_TILE + x] = (float)(c[i] * g);
            t->sin[i * 2 * LCTX_TILE + x] = (float)(s[i] * g);
        }
    }
    for (i = 0; i < n; i++) t->coarse.freq[i] *= LCTX_TILE;
    lctx__angles_begin(&t->start, &t->coarse);
    lctx__angles_move(&t->start, 0);
}
static void lctx__turns_begin(lctx__plan *p)
{
    const lctx_far_rule *r = p->a.far_rule;
    lctx__carver at = lctx__carver_of(p->scratch + p->turns_at);
    lctx__turns_carve(p, &at);
    lctx__turns_make(p, LCTX__NEAR, 1, 1);
    if (p->a.rope->n_hat) lctx__turns_make(p, LCTX__HAT, 1, 1);
    if (p->has_rule && r->kind != LCTX_FAR_CLAMP)
        lctx__turns_make(p, LCTX__FAR, r->kind == LCTX_FAR_LEAKY ? r->leak : 1,
                         r->kind == LCTX_FAR_GROUP ? r->group : 1);
}

/* Where the query stands for spans of query 0 or 1. */
static int64_t lctx__seen_from(const lctx_attn *a, int64_t t, int64_t query)
{
    const int64_t pos = lctx__q_pos(a, t);
    return query && a->far_pos ? lctx__min(pos, a->far_pos) : pos;
}

/* Where far pairs see it from: window + g(pos) - g(window). */
static double lctx__far_from(const lctx_far_rule *r, int64_t pos)
{
    const double window = (double)r->window;
    if (r->kind == LCTX_FAR_CLAMP) return window;
    if (r->kind == LCTX_FAR_LEAKY) return window + ((double)pos - window) / r->leak;
    return window + (double)(pos / r->group - r->window / r->group);
}

/* Copies w->q_rows to copy c of the queries, where they lie as weights do; 0 behind the last
   dimension. */
static void lctx__lay_queries(const lctx__work *w, int64_t c)
{
    const int64_t d = w->p->d_k;
    int64_t row, i;
    for (row = 0; row < w->all; row++)
        for (i = 0; i < d; i += LCTX_TILE) {
            const int64_t n = lctx__min(d - i, LCTX_TILE);
            float *to = w->q[c] + i * w->all + row * LCTX_TILE;
            memcpy(to, w->q_rows + row * d + i, (size_t)n * sizeof *to);
            memset(to + n, 0, (size_t)(LCTX_TILE - n) * sizeof *to);
        }
}

/* Turns the block's queries as copy c has them, in place. */
static void lctx__turn_copy(lctx__work *w, int64_t c)
{
    const lctx_attn *a = &w->p->a;
    const lctx_rope *rope = a->rope;
    float co[LCTX_MAX_ROT], si[LCTX_MAX_ROT];
    lctx__turn turn;
    int64_t t, head;
    int32_t i;
    memset(&turn, 0, sizeof turn);
    turn.n_head = (int32_t)w->p->group, turn.head_dim = a->d_k;
    turn.n_rot = rope->n_rot, turn.pairing = rope->pairing;
    turn.x_head = turn.out_head = w->p->d_k * 4, turn.cos = co, turn.sin = si;
    for (t = 0; t < w->n_q; t++) {
        const int64_t pos = lctx__seen_from(a, w->q0 + t, c & 1);
        const double from = c & 2 ? lctx__far_from(a->far_rule, pos) : (double)pos;
        const double *freq = pos < rope->n_hat ? rope->plain : rope->freq;
        for (i = 0; i < rope->n_rot / 2; i++) {
            double g = rope->attn_factor * rope->attn_factor, angle = from * freq[i];
            g *= lctx__xpos(rope, LCTX_ROPE_QUERY, pos, i);
            co[i] = (float)(cos(angle) * g), si[i] = (float)(sin(angle) * g);
        }
        lctx__pair_tables(rope, co, si);
        for (head = 0; head < w->p->heads; head++) {
            float *q = w->q_rows + (head * w->rows + t * w->p->group) * w->p->d_k;
            turn.x = turn.out = (char *)q;
            w->ops->turn(&turn);
        }
    }
}

static int64_t lctx__row0(const lctx__work *w)
{
    return (w->head - w->head0) * w->rows + (w->q0 - w->block0) * w->p->group;
}
/* Query t and head h that a row of the task stands for. */
static void lctx__row_is(const lctx__work *w, int64_t row, int64_t *t, int64_t *h)
{
    const int64_t group = w->p->group;
    *h = (w->head0 + row / w->rows) * group + row % group;
    *t = w->block0 + row % w->rows / group;
}

/* Has a list at most half as many entries as there are blocks between its ends? */
static int lctx__sparse(const int32_t *list, int64_t len)
{
    int64_t low = LCTX__HUGE, high = -1, n = 0, i;
    for (i = 0; i < len; i++)
        if (list[i] >= 0) low = lctx__min(low, list[i]), high = lctx__max(high, list[i]), n++;
    return n && 2 * n <= high - low + 1;
}
/* Fills them in for the queries in hand. */
static void lctx__work_lists(lctx__work *w)
{
    const lctx__plan *p = w->p;
    const lctx_attn *a = &p->a;
    const int64_t row0 = lctx__list_row(a, w->block0), n = p->list_each;
    const int64_t end = lctx__list_row(a, w->block0 + w->n_q - 1) + 1;
    const int64_t column = a->list_heads == 1 ? 0 : w->head0 * n;
    int64_t row, e, i, b;
    memset(w->list, 0, (size_t)(((end - row0) * n + 1) * p->list_words) * sizeof *w->list);
    for (row = row0; row < end; row++)
        for (e = 0; e < n; e++) {
            const int32_t *list = a->list + (row * a->list_heads + column + e) * a->list_len;
            uint64_t *bits = w->list + (1 + (row - row0) * n + e) * p->list_words;
            for (i = 0; i < a->list_len; i++)
                if ((b = list[i] - p->list_base) >= 0) bits[b / 64] |= (uint64_t)1 << b % 64;
            for (i = 0; i < p->list_words; i++) w->list[i] |= bits[i];
            w->gathers = p->gathers && lctx__sparse(list, a->list_len);
        }
}

/* Queries of the block from q0 on, all copies, scaled; padding dimensions zero; slopes. */
static void lctx__work_queries(lctx__work *w, int64_t q0)
{
    const lctx_attn *a = &w->p->a;
    const int64_t d = w->p->d_k;
    int64_t row, t, h, c;
    w->block0 = w->q0 = q0, w->n_q = lctx__min(w->p->q_block, a->n_q - q0);
    w->rows = w->n_q * w->p->group, w->all = w->rows * w->p->heads;
    for (c = 0; c < 4; c++) {
        const char *from = (const char *)(c & 1 && !a->rope ? a->q_far : a->q);
        if (!w->q[c]) continue;
        memset(w->q_rows, 0, (size_t)(w->all * d) * sizeof(float));      /* to which it is added */
        for (row = 0; row < w->all; row++) {
            lctx__row_is(w, row, &t, &h);
            w->slope[row] = a->alibi ? a->alibi[h] : 0;
            w->ops->blend(a->d_k, a->scale, (const float *)(const void *)(
                from + t * a->q_token + h * a->q_head), w->q_rows + row * d);
        }
        if (a->rope) lctx__turn_copy(w, c);
        lctx__lay_queries(w, c);
    }
    if (a->list) lctx__work_lists(w);
    w->dots[0].type = w->dots[1].type = -1;
}

/* ---- visibility, all decided here. A query sees runs of key positions, of which the next from any
   position on is found at once. Masks are runs laid over a tile; tiles between are skipped. */
typedef struct lctx__run { int64_t from, to; } lctx__run;    /* from .. to-1; none at LCTX__HUGE */

static lctx__run lctx__run_of(int64_t from, int64_t to)
{
    lctx__run r;
    r.from = from < to ? from : LCTX__HUGE, r.to = from < to ? to : LCTX__HUGE;
    return r;
}
static lctx__run lctx__first_run(lctx__run a, lctx__run b) { return b.from < a.from ? b : a; }

/* The first n >= from that is `rest` modulo step. */
static int64_t lctx__congruent(int64_t from, int64_t step, int64_t rest)
{
    const int64_t over = (from - rest) % step;      /* negative where from < rest */
    return over > 0 ? from + step - over : from - over;
}

/* The first run at or after from of what the pattern's kind lets a head of a query at pos see. */
static lctx__run lctx__pattern_run(const lctx_pattern *p, int64_t head, int64_t pos, int64_t from)
{
    const int64_t len = lctx__max(p->length, 1), begin = pos / len * len, end = begin + len;
    const int64_t r = lctx__max(p->dilation, 1);
    int64_t at, n;
    switch (p->kind) {
    case LCTX_PATTERN_STRIDED:
        at = lctx__congruent(from, len, pos), n = p->local ? p->local : len;
        return lctx__first_run(lctx__run_of(lctx__max(from, pos - n + 1), pos + n),
                               lctx__run_of(at, at + 1));
    case LCTX_PATTERN_FIXED:
        at = from / len * len + len, n = p->summary ? p->summary : 1;
        return lctx__first_run(lctx__run_of(lctx__max(from, begin), end),
                               lctx__run_of(lctx__max(from, at - n), at));
    case LCTX_PATTERN_DILATED:
        if (pos % len % r != head % r) return lctx__run_of(0, 0);
        at = lctx__congruent(lctx__max(from, begin), r, begin + head % r);
        return lctx__run_of(at, r == 1 ? end : lctx__min(at + 1, end));
    case LCTX_PATTERN_BLOCKS:
        return lctx__run_of(lctx__max(from, begin - lctx__mul(p->back, len)), end);
    default:
        return lctx__run_of(from, LCTX__HUGE);
    }
}

/* The first run of global positions at or after from: the range, or one of the list. */
static lctx__run lctx__global_run(const lctx_pattern *p, int64_t from)
{
    int64_t lo = 0, hi = p->n_global, mid;
    if (!p->global) return lctx__run_of(lctx__max(from, p->global0), p->global0 + p->n_global);
    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (p->global[mid] < from) lo = mid + 1;
        else hi = mid;
    }
    return lo < p->n_global ? lctx__run_of(p->global[lo], p->global[lo] + 1) : lctx__run_of(0, 0);
}

static int64_t lctx__window_end(const lctx_attn *a, int64_t pos)
{
    const int64_t right = lctx__max(a->window_right, 0);
    if (a->mask == LCTX_CAUSAL) return pos + 1;
    return a->window_right ? lctx__add(pos, right) + 1 : LCTX__HUGE;
}
/* The first run at or after from >= 0 that a head of a query at pos sees. */
static lctx__run lctx__next_run(const lctx_attn *a, int64_t head, int64_t pos, int64_t from)
{
    const lctx_pattern *p = a->pattern;
    const int64_t in = lctx__max(from, pos - a->window + 1);
    const int64_t end = a->mask == LCTX_CAUSAL ? pos + 1 : LCTX__HUGE;
    lctx__run r = p ? lctx__pattern_run(p, head, pos, in) : lctx__run_of(in, LCTX__HUGE);
    r = lctx__run_of(r.from, lctx__min(r.to, lctx__window_end(a, pos)));
    if (from < a->n_sink) r = lctx__first_run(r, lctx__run_of(from, a->n_sink));
    if (p && p->n_global) {
        r = lctx__first_run(r, lctx__global_run(p, from));
        if (lctx__global_run(p, pos).from == pos) r = lctx__run_of(from, LCTX__HUGE);
    }
    return lctx__run_of(r.from, lctx__min(r.to, end));
}

/* Do heads of one query see different keys? */
static int lctx__by_head(const lctx_attn *a)
{
    return (a->bias && a->bias_head) || (a->mask_bits && a->mask_head) ||
           (a->list && a->list_heads > a->n_head_kv) ||
           (a->pattern && a->pattern->kind == LCTX_PATTERN_DILATED);
}
static int lctx__sees_span(const lctx_attn *a, int64_t t, const lctx_span *s)
{
    return !a->q_group || !s->group || !a->q_group[t] || a->q_group[t] == s->group;
}

/* Bits below n: which of 64 lanes are numbered less. */
static uint64_t lctx__below(int64_t n)
{
    return n <= 0 ? 0 : n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* Of a tile's live lanes, lane 0 at position `at`, those that a head of a query at pos sees. */
static uint64_t lctx__visible(const lctx_attn *a, int64_t head, int64_t pos, int64_t at,
                              uint64_t live)
{
    uint64_t see = 0;
    lctx__run r;
    for (r.to = lctx__max(at, 0); r.to < at + LCTX_TILE; ) {
        r = lctx__next_run(a, head, pos, r.to);
        see |= lctx__below(r.to - at) & ~lctx__below(r.from - at);
    }
    return see & live;
}

/* The positions of a span's keys in a head, if they are listed. */
static const int64_t *lctx__list(const lctx_span *s, int64_t head)
{
    return s->k_pos ? (const int64_t *)(const void *)((const char *)s->k_pos + head * s->k_pos_head)
                    : NULL;
}

/* As lctx__visible to query head h of KV head `head`, of the tile whose lane 0 is the span's key
   lane0: listed positions are taken by runs of such that follow by one. */
static uint64_t lctx__visible_keys(const lctx_attn *a, const lctx_span *s, int64_t head, int64_t h,
                                   int64_t pos, int64_t lane0, uint64_t live)
{
    const int64_t *list = lctx__list(s, head), last = lctx__min(lane0 + LCTX_TILE, s->n);
    const int64_t top = list ? list[last - 1] : s->pos + last - 1;
    int64_t j = lctx__max(lane0, 0), end;
    uint64_t see = 0;
    if (!a->pattern && top < lctx__window_end(a, pos) && a->window > pos) return live;
    if (!list) return lctx__visible(a, h, pos, s->pos + lane0, live);
    for (; j < last; j = end) {
        for (end = j + 1; end < last && list[end] == list[end - 1] + 1; end++) {}
        see |= lctx__visible(a, h, pos, list[j] - (j - lane0),
                             lctx__below(end - lane0) & ~lctx__below(j - lane0));
    }
    return see;
}

/* The dense bias of a query and a head on the tile whose lane 0 is the span's key lane0, as words,
   0 where no key stands. It fetches two tiles ahead: the hardware does not foresee so many rows. */
static void lctx__bias_words(const lctx__work *w, const lctx_span *s, int64_t lane0, int64_t t,
                             int64_t h, uint32_t *x)
{
    const lctx_attn *a = &w->p->a;
    const int64_t first = lctx__max(lane0, 0), last = lctx__min(lane0 + LCTX_TILE, s->n);
    const char *b = (const char *)a->bias + h * a->bias_head + t * a->bias_query;
    int64_t i;
    for (i = w->key0 + first + 2 * LCTX_TILE; i < w->key0 + last + 2 * LCTX_TILE; i += 16)
        LCTX__FETCH(b + lctx__min(i, w->p->n_kv - 1) * 4, 0);
    if (last - first < LCTX_TILE) memset(x, 0, LCTX_TILE * sizeof *x);
    memcpy(x + (first - lane0), b + (w->key0 + first) * 4, (size_t)(last - first) * sizeof *x);
}
/* 64 of a row's n bits, from bit `at` on, which may stand up to 63 before the first. */
static uint64_t lctx__bits_from(const void *row, int64_t at, int64_t n)
{
    const int64_t word = (at + 64) / 64 - 1, shift = (at + 64) % 64;
    uint64_t low = 0, high = 0;
    if (word >= 0) memcpy(&low, (const char *)row + word * 8, 8);
    if (shift && word * 64 + 64 < n) memcpy(&high, (const char *)row + word * 8 + 8, 8);
    return shift ? low >> shift | high << (64 - shift) : low;
}
/* Of the lanes from the span's key lane0 on, those in blocks that are listed. */
static uint64_t lctx__listed(const lctx__work *w, const lctx_span *s, int64_t lane0, int64_t t,
                             int64_t h)
{
    const int64_t keys = w->p->a.list_keys, base = w->p->list_base, words = w->p->list_words;
    const int64_t last = lctx__min(lane0 + LCTX_TILE, s->n), each = w->p->list_each;
    const int64_t row = lctx__list_row(&w->p->a, t) - lctx__list_row(&w->p->a, w->block0);
    const uint64_t *bits = w->list + (1 + row * each + h % each) * words;
    int64_t j = lctx__max(lane0, 0), end;
    uint64_t see = 0;
    if (keys == 1) return lctx__bits_from(bits, s->index + lane0 - base, words * 64);
    for (; j < last; j = end) {
        const int64_t b = (s->index + j) / keys - base;
        end = (b + base + 1) * keys - s->index;
        if (bits[b / 64] >> b % 64 & 1) see |= lctx__below(end - lane0) & ~lctx__below(j - lane0);
    }
    return see;
}
/* The lanes whose bias is not -inf. */
static uint64_t lctx__unhidden(const uint32_t *x)
{
    uint64_t see = 0;
    uint32_t hidden = 0;
    int i;
    for (i = 0; i < LCTX_TILE; i++) hidden += x[i] == LCTX__MINUS_INF;    /* mostly none or all */
    if (hidden % LCTX_TILE == 0) return hidden ? 0 : ~see;
    for (i = 0; i < LCTX_TILE; i++) see |= (uint64_t)(x[i] != LCTX__MINUS_INF) << i;
    return see;
}

/* Masks of the rows in hand; t.see is null where they see all keys. Returns 0 if they see none. */
static int lctx__work_masks(lctx__work *w, const lctx_span *s, int64_t lane0, uint64_t live)
{
    const lctx_attn *a = &w->p->a;
    const int64_t group = w->p->group;
    uint64_t any = 0, all = ~(uint64_t)0, see = 0;
    uint32_t bias[LCTX_TILE];
    int64_t row;
    for (row = 0; row < w->t.rows; row++) {
        const int64_t t = w->q0 + row / group, h = w->head * group + row % group;
        if (row % group == 0 || lctx__by_head(a)) {
            see = lctx__sees_span(a, t, s)
                ? lctx__visible_keys(a, s, w->head, h, lctx__q_pos(a, t), lane0, live) : 0;
            if (see && a->list && s != &w->found) see &= lctx__listed(w, s, lane0, t, h);
            if (see && a->mask_bits)
                see &= lctx__bits_from((const char *)a->mask_bits + h * a->mask_head +
                                       t * a->mask_query, w->key0 + lane0, w->p->n_kv);
            if (see && a->bias) lctx__bias_words(w, s, lane0, t, h, bias);
            if (see && a->bias) see &= lctx__unhidden(bias);
        }
        w->see[row] = see;
        any |= see, all &= see;
    }
    w->t.see = all == ~(uint64_t)0 ? NULL : w->see;
    return any != 0;
}

/* What is added to a tile's scores: the dense bias, 0 where it masks; ALiBi of listed positions. */
static void lctx__work_bias(lctx__work *w, const lctx_span *s, int64_t lane0)
{
    const lctx_attn *a = &w->p->a;
    const int64_t *list = a->alibi ? lctx__list(s, w->head) : NULL, group = w->p->group;
    const int64_t first = lctx__max(-lane0, 0), last = lctx__min(LCTX_TILE, s->n - lane0);
    uint32_t word[LCTX_TILE] = { 0 };
    int64_t row, i;
    for (row = 0; row < w->t.rows; row++) {
        const int64_t t = w->q0 + row / group, h = w->head * group + row % group;
        float *x = w->bias + row * LCTX_TILE;
        if (a->bias) lctx__bias_words(w, s, lane0, t, h, word);
        for (i = 0; i < LCTX_TILE; i++) word[i] &= 0u - (word[i] != LCTX__MINUS_INF);
        memcpy(x, word, sizeof word);
        for (i = first; list && i < last; i++)
            x[i] -= a->alibi[h] * fabsf((float)(lctx__q_pos(a, t) - list[lane0 + i]));
    }
    if (list) w->t.slope = NULL;
    w->t.bias = w->bias;
}

/* n int8 tokens' scales in a foreign layout, gathered, 0 in lanes of no key; null: another type. */
static const float *lctx__gather_scales(int type, const float *base, int64_t token, int64_t at,
                                        int64_t n, float *out)
{
    int64_t i;
    if (type != LCTX_I8) return NULL;
    memset(out, 0, LCTX_TILE * sizeof *out);
    for (i = 0; i < n; i++) memcpy(out + i, (const char *)base + at + i * token, 4);
    return out;
}

/* Foreign rows to a tile of values for dot products; such as are not whole are copied behind it. */
static void lctx__weave_dots(lctx__work *w, int type, int64_t n, const char *v, int64_t stride)
{
    const int64_t bytes = w->p->a.d_v * lctx__esize(type), whole = w->p->d_v * lctx__esize(type);
    char *rows = (char *)w->v_tile + LCTX_TILE * whole;
    int64_t i;
    if (bytes != whole) memset(rows, 0, (size_t)(n * whole));
    for (i = 0; bytes != whole && i < n; i++)
        memcpy(rows + i * whole, v + i * stride, (size_t)bytes);
    if (bytes != whole) v = rows, stride = whole;
    w->ops->weave(type, n, w->p->d_v, v, stride, w->v_tile);
}

/* The native tile at t.k, or t.v, as the kernel wants it: as it is for dot products and for a few
   rows; else unpacked to f32 once for all rows. Returns whether it is as it was. */
static int lctx__stays(const lctx__work *w, int type, unsigned dots)
{
    return (dots >> type & 1) || type == LCTX_F32 || (w->t.rows <= w->ops->few && type != LCTX_I4);
}
static void lctx__work_keys(lctx__work *w, int type)
{
    lctx__dots *dots = w->p->k_dots >> type & 1 ? &w->dots[w->far] : NULL;
    const int fresh = dots && dots->type != type;      /* once for all tiles of a span */
    if (fresh) dots->type = type;
    if (fresh && type != LCTX_I4)      /* whose steps are a tile's own */
        w->ops->queries(w->all, w->p->d_k, w->q[w->far], dots);
    w->t.k_type = type, w->t.q_dot = dots;
    if (lctx__stays(w, type, w->p->k_dots)) return;
    w->ops->unpack(type, w->p->d_k, LCTX_TILE, w->t.k, w->k_tile);
    w->t.k = w->k_tile, w->t.k_type = LCTX_F32;
}
static int lctx__work_values(lctx__work *w, int type)
{
    w->t.v_type = type, w->t.v_dot = w->p->v_dots >> type & 1;
    w->t.v_stride = lctx__row_bytes(type, w->p->d_v);
    if (w->mass || lctx__stays(w, type, w->p->v_dots)) return 1;
    w->ops->unpack(type, LCTX_TILE, w->p->d_v, w->t.v, w->v_tile);
    w->t.v = w->v_tile, w->t.v_type = LCTX_F32, w->t.v_stride = w->p->d_v * 4;
    return 0;
}

/* A foreign span's keys to a native tile of their own type, at the end of k_tile: from there it can
   be unpacked in place, for reading stays ahead of writing. */
static void lctx__rows_keys(lctx__work *w, const lctx_span *s, const char *k, int64_t first,
                            int64_t n)
{
    const int64_t size = lctx__esize(s->k_type), padded = w->p->d_k * size;
    lctx__pack r;
    r.src = k, r.n = n, r.bytes = w->p->a.d_k * size, r.words = padded / 4, r.stride = s->k_token;
    r.halves = s->k_type == LCTX_F16;
    r.out = (char *)w->k_tile + LCTX_TILE * (w->p->d_k * 4 - padded);
    w->ops->pack(&r);
    w->t.k = r.out;
    lctx__work_keys(w, s->k_type);
    w->t.k_scale = lctx__gather_scales(s->k_type, s->k_scale, s->k_scale_token,
                                       w->head * s->k_scale_head + first * s->k_scale_token, n,
                                       w->k_scale);
}
/* Its values, as they stand where whole vectors can be read. */
static void lctx__rows_values(lctx__work *w, const lctx_span *s, const char *v, int64_t first,
                              int64_t n)
{
    const int plain = s->v_type == LCTX_F32 || s->v_type == LCTX_F16;      /* as in a tile */
    const int64_t d = w->p->a.d_v, padded = w->p->d_v;
    int64_t i;
    w->t.v = w->v_tile, w->t.v_dot = w->p->v_dots >> s->v_type & 1;
    w->t.v_type = w->t.v_dot ? s->v_type : LCTX_F32;
    w->t.v_stride = padded * lctx__esize(w->t.v_type);
    if (plain && d == padded && lctx__stays(w, s->v_type, 0))
        w->t.v = v, w->t.v_type = s->v_type, w->t.v_stride = s->v_token;
    else if (w->t.v_dot) lctx__weave_dots(w, s->v_type, n, v, s->v_token);
    else {
        if (d < padded) memset(w->v_tile, 0, (size_t)(LCTX_TILE * padded) * sizeof(float));
        for (i = 0; i < n; i++)
            w->ops->to_f32(s->v_type, d, v + i * s->v_token, w->v_tile + i * padded);
    }
    w->t.v_scale = lctx__gather_scales(s->v_type, s->v_scale, s->v_scale_token,
                                       w->head * s->v_scale_head + first * s->v_scale_token, n,
                                       w->v_scale);
}
static void lctx__soon_rows(lctx__soon *soon, const char *at, int64_t rows, int64_t bytes,
                            int64_t stride, int64_t rest)
{
    if (bytes == stride) bytes *= rows, rows = rows > 0;
    soon->rows = rows, soon->bytes = bytes, soon->stride = stride, soon->rest = rest;
    lctx__soon_begin(soon, at);
}

static void lctx__work_rows(lctx__work *w, const lctx_span *s, int64_t first, int64_t n)
{
    const char *k = (const char *)s->k, *v = (const char *)s->v;
    const char *mine = v + w->head * s->v_head + first * s->v_token;
    const int64_t kb = w->p->a.d_k * lctx__esize(s->k_type);
    const int64_t vb = w->p->a.d_v * lctx__esize(s->v_type);
    const int more = w->head + 1 < w->head0 + w->p->heads;      /* heads */
    const int64_t head = more ? w->head + 1 : w->head0, at = more ? first : w->next * LCTX_TILE;
    const int64_t rows = lctx__max(lctx__min(s->n - at, LCTX_TILE), 0);
    lctx__soon *soon = w->soon;
    int direct;
    lctx__rows_keys(w, s, k + w->head * s->k_head + first * s->k_token, first, n);
    if (!w->mass) lctx__rows_values(w, s, mine, first, n);
    direct = !w->mass && w->t.v == mine;
    k += head * s->k_head + at * s->k_token, v += head * s->v_head + at * s->v_token;
    if (direct) lctx__soon_rows(soon++, mine, n, vb, s->v_token, 0);
    lctx__soon_rows(soon++, k, rows, kb, s->k_token, 0);
    if (!direct) lctx__soon_rows(soon, v, rows, vb, s->v_token, 0);
}

/* A native tile's scales or ranges stand behind its elements, but may be wanted before them. */
static void lctx__soon_tile(lctx__soon *soon, const char *tile, int64_t row_bytes, int64_t bytes)
{
    lctx__soon_rows(soon, tile, LCTX_TILE, row_bytes, row_bytes, bytes - LCTX_TILE * row_bytes);
}
static void lctx__soon_native(lctx__work *w, const lctx_span *s, const char *k, const char *v,
                              int direct)
{
    const int64_t row_k = lctx__row_bytes(s->k_type, w->p->d_k);
    const int64_t row_v = lctx__row_bytes(s->v_type, w->p->d_v);
    const int64_t kb = lctx__key_bytes(s->k_type, w->p->d_k);
    const int64_t vb = lctx__value_bytes(s->v_type, w->p->d_v), more = lctx__tile_ahead(&w->t);
    lctx__soon *soon = w->soon;
    soon[0].left = soon[1].left = 0;
    if (direct) lctx__soon_tile(soon++, v, row_v, vb);
    if (more) lctx__soon_tile(soon++, k + more * s->k_token, row_k, kb);
    if (more && !direct && !w->mass && k != v)
        lctx__soon_tile(soon, v + more * s->v_token, row_v, vb);
}

/* Values out of the latent tile at t.k; for them keys become f32, unless there are dot products. */
static void lctx__latent_values(lctx__work *w, int type)
{
    const int64_t d_v = w->p->d_v, d = lctx__min(w->p->d_k, d_v);
    const int64_t stride = lctx__round_up(lctx__row_bytes(type, d_v), LCTX__ALIGN);
    w->t.v = w->v_tile, w->t.v_scale = w->t.k_scale, w->t.v_dot = w->p->v_dots >> type & 1;
    w->t.v_type = w->t.v_dot ? type : LCTX_F32;
    w->t.v_stride = lctx__row_bytes(w->t.v_type, d_v);
    if (w->t.v_dot) {
        w->ops->rows(lctx__row_bytes(type, d) / 4, w->t.k, stride, w->k_tile);
        w->ops->weave(type, LCTX_TILE, d_v, (const char *)w->k_tile, stride, w->v_tile);
        return;
    }
    if (type != LCTX_F32) {
        w->ops->unpack(type, w->p->d_k, LCTX_TILE, w->t.k, w->k_tile);
        w->t.k = w->k_tile, w->t.k_type = LCTX_F32;
    }
    w->ops->rows(d, w->t.k, d_v * 4, w->v_tile);
}
/* The same of a native tile. */
static void lctx__work_native(lctx__work *w, const lctx_span *s, int64_t i)
{
    const char *k = (const char *)s->k + w->head * s->k_head + i * s->k_token;
    const char *v = (const char *)s->v + w->head * s->v_head + i * s->v_token;
    const int64_t last = i + w->run - 1;
    int values = 0;
    w->t.after = w->next < lctx__span_tiles(s) ? w->next - last : 0;
    w->t.k_step = s->k_token, w->t.v_step = s->v_token, w->t.bad = w->k_scale;
    w->t.k_type = s->k_type, w->t.v_type = s->v_type;
    lctx__tile_point(&w->t, k, v);
    if (k != v) values = lctx__work_values(w, s->v_type);
    else if (!w->mass) lctx__latent_values(w, s->v_type);
    lctx__work_keys(w, w->t.k_type);
    lctx__soon_native(w, s, k, v, values && !w->mass);
}

/* ---- the fold: leaves merged along the binary tree over their numbers. The stack holds finished
   subtrees from left to right; its top two are merged as soon as the next leaf lies outside of the
   smallest subtree that holds both. Which leaves meet in which order is so a matter of their
   numbers alone, whoever computes them; what sees nothing is not there, and is the identity. */
static void lctx__fold_before(lctx__work *w, int64_t leaf)
{
    for (; w->top >= 2; w->top--) {
        const lctx__part *a = &w->stack[w->top - 2], *b = a + 1;
        const uint64_t ab = (uint64_t)(a->leaf ^ b->leaf), bc = (uint64_t)(b->leaf ^ leaf);
        if (!(ab < bc && ab < (ab ^ bc))) break;    /* highest bit: a, b meet above b and leaf */
        w->ops->fold(w->all, w->p->d_v, a->mla, b->mla);
    }
}

/* Makes the top of the stack the part of `leaf`; a new one saw nothing yet. The first weights of a
   row find zeros where they are added. */
static void lctx__work_leaf(lctx__work *w, int64_t leaf)
{
    lctx__part *part;
    int64_t i;
    if (w->top && w->stack[w->top - 1].leaf == leaf) return;
    lctx__fold_before(w, leaf);
    LCTX_ASSERT(w->top < w->p->depth);
    part = &w->stack[w->top++], part->leaf = leaf;
    for (i = 0; i < w->all; i++) part->mla[0][i] = -FLT_MAX, part->mla[1][i] = 0;
}

static void lctx__fold_all(lctx__work *w)
{
    if (!w->top) lctx__work_leaf(w, 0);            /* nothing seen at all */
    lctx__fold_before(w, -1);                      /* lies outside of all subtrees */
}

/* Points the kernel's tile at the rows of the KV head in hand and their part. */
static void lctx__work_head(lctx__work *w, int32_t far)
{
    const int64_t row = lctx__row0(w);
    const lctx__part *part = &w->stack[w->top - 1];
    w->far = far, w->t.tiles = w->run;
    w->t.q = w->q[far] + row * LCTX_TILE, w->t.q_step = w->all * LCTX_TILE, w->t.row0 = row;
    w->t.slope = w->p->a.alibi ? w->slope + row : NULL;
    w->t.m = part->mla[0] + row, w->t.l = part->mla[1] + row;
    w->t.acc = part->mla[2] + row * w->p->d_v;
}

/* The kernel on the rows that see something, in runs; a few rows between that see nothing cost less
   than a call of their own. What is asked for ahead is asked for once. */
enum { LCTX__ROW_GAP = 6 };
static void lctx__work_kernel(lctx__work *w)
{
    void (*const run)(lctx__tile *) = w->mass ? w->ops->mass : w->ops->tile;
    const uint64_t *see = w->t.see;
    lctx__tile t;
    int64_t row, i, end;
    LCTX_ASSERT(!see || w->run == 1);
    if (!see) run(&w->t);
    for (row = 0; see && row < w->t.rows; row = i) {
        for (i = end = row; i < w->t.rows && i - end <= (end > row ? LCTX__ROW_GAP : 0); i++)
            if (see[i]) end = i + 1;
        if (end == row) continue;
        t = w->t, t.rows = end - row, t.see = see + row, t.row0 = w->t.row0 + row;
        if (t.w) t.w = w->t.w + row * LCTX__WORDS, t.w_scale = w->t.w_scale + row;
        if (t.w) t.w_low = w->t.w_low + row;
        t.q = w->t.q + row * LCTX_TILE, t.s = w->t.s + row * LCTX_TILE;
        t.slope = w->t.slope ? w->t.slope + row : NULL, t.dist = w->t.dist + row;
        t.bias = w->t.bias ? w->t.bias + row * LCTX_TILE : NULL;
        t.m = w->t.m + row, t.l = w->t.l + row, t.acc = w->t.acc + row * t.d_v;
        run(&t);
    }
}

/* Turns the raw tile k, whose lane 0 stands at position at, into k_turned, in those lanes. Lane 0
   may stand up to 63 before position 0, where no key does. */
static void lctx__turn_lanes(lctx__work *w, int which, const float *k, int64_t at, uint64_t lanes)
{
    const lctx__turns *turns = &w->p->turns[which];
    const lctx_rope *rope = w->p->a.rope;
    const int64_t group = turns->group, n = rope->n_rot / 2;
    const int64_t first = (at + group * LCTX_TILE) / group - LCTX_TILE, rest = at - first * group;
    const int64_t t = first < 0 ? -1 : first / LCTX_TILE, one = first - t * LCTX_TILE;
    const int64_t column = group < LCTX_TILE ? rest : lctx__max(rest - group + LCTX_TILE, 0);
    lctx__angles *a = &w->angles[which];
    float c[LCTX_MAX_ROT / 2], s[LCTX_MAX_ROT / 2];
    lctx__spin spin;
    int64_t i;
    if (!a->rope) *a = turns->start;
    lctx__angles_move(a, t < 0 ? -t : t);
    for (i = 0; i < n; i++) {
        const double x = turns->c[one * n + i], y = turns->s[one * n + i];
        const double z = t < 0 ? -a->s[i] : a->s[i];
        const double g = lctx__xpos(rope, LCTX_ROPE_KEY, at, i);
        c[i] = (float)((a->c[i] * x - z * y) * g), s[i] = (float)((z * x + a->c[i] * y) * g);
    }
    spin.n_rot = rope->n_rot, spin.pairing = rope->pairing, spin.d_k = w->p->d_k;
    spin.k = k, spin.lanes = lanes, spin.c = c, spin.s = s;
    spin.out = w->k_turned;
    spin.cos = turns->cos + column, spin.sin = turns->sin + column;
    w->ops->spin(&spin);
}

/* Points the kernel's tile at the raw tile k, turned as near or as far pairs have it. */
static void lctx__turn_keys(lctx__work *w, const float *k, int64_t at, int far)
{
    const int64_t n_hat = w->p->a.rope->n_hat;
    const uint64_t hat = n_hat && !far ? lctx__below(n_hat - at) : 0;
    w->t.k = k;
    if (far && w->p->a.far_rule->kind == LCTX_FAR_CLAMP) return;
    if (~hat) lctx__turn_lanes(w, far ? LCTX__FAR : LCTX__NEAR, k, at, ~hat);
    if (hat) lctx__turn_lanes(w, LCTX__HAT, k, at, hat);
    w->t.k = w->k_turned;
}

/* Masks of the near or of the far pairs; returns 0 where there are none. */
static int lctx__work_side(lctx__work *w, int64_t query, int64_t at, int far)
{
    const lctx_attn *a = &w->p->a;
    uint64_t any = 0, all = ~(uint64_t)0;
    int64_t row;
    for (row = 0; row < w->t.rows; row++) {
        const int64_t pos = lctx__seen_from(a, w->q0 + row / w->p->group, query);
        const uint64_t apart = lctx__below(pos - a->far_rule->window + 1 - at);
        w->side[row] = w->see[row] & (far ? apart : ~apart);
        any |= w->side[row], all &= w->side[row];
    }
    w->t.see = all == ~(uint64_t)0 ? NULL : w->side;
    return any != 0;
}

/* The kernel on a tile of raw keys: near pairs, then far ones. */
static void lctx__work_raw(lctx__work *w, const lctx_span *s, int64_t at)
{
    const uint64_t *see = w->t.see;
    const int64_t row = lctx__row0(w);
    const float *k = (const float *)w->t.k;
    int far;
    if (w->t.k_type != LCTX_F32) {
        w->ops->unpack(w->t.k_type, w->p->d_k, LCTX_TILE, w->t.k, w->k_tile);
        k = w->k_tile, w->t.k_type = LCTX_F32;
    }
    for (far = 0; far <= w->p->has_rule; far++) {
        if (w->p->has_rule && !lctx__work_side(w, s->query, at, far)) continue;
        w->t.q = w->q[s->query + 2 * far] + row * LCTX_TILE;
        lctx__turn_keys(w, k, at, far);
        lctx__work_kernel(w);
    }
    w->t.see = see;
}

/* Keys first .. last-1 of the tile whose lane 0 is key lane0, against the rows of the head in hand:
   their values join the rows' parts, or, in the second pass, their weights the keys' mass. */
static void lctx__work_pass(lctx__work *w, const lctx_span *s, int64_t lane0, int64_t first,
                            int64_t last)
{
    const size_t bytes = (size_t)(last - first) * sizeof(float);
    float mass[LCTX_TILE], *own = mass + (first - lane0);
    char *at = (char *)w->p->a.mass;
    if (w->mass) {
        at += w->head * w->p->a.mass_head + (w->key0 + first) * 4;
        memset(mass, 0, sizeof mass), memcpy(own, at, bytes), w->t.mass = mass;
    }
    if (w->p->a.rope) lctx__work_raw(w, s, s->pos + lane0);
    else lctx__work_kernel(w);
    if (w->mass) memcpy(at, own, bytes);
}

static void lctx__work_tile(lctx__work *w, const lctx_span *s, int64_t i)
{
    const lctx_attn *a = &w->p->a;
    const int64_t lane0 = i * LCTX_TILE - s->skip;      /* key of lane 0; may be before the span */
    const int64_t first = lctx__max(lane0, 0), last = lctx__min(lane0 + LCTX_TILE, s->n);
    const uint64_t live = lctx__below(last - lane0) & ~lctx__below(first - lane0);
    const int fresh = s->k_pos || lctx__by_head(a);      /* masks of one head only */
    int64_t row;
    int seen = 0;
    for (row = 0; a->alibi && row < w->t.rows; row++)
        w->dist[row] = (float)(lctx__q_pos(a, w->q0 + row / w->p->group) - s->pos - lane0);
    for (w->head = w->head0; w->head < w->head0 + w->p->heads; w->head++) {
        if (w->head == w->head0 || fresh) seen = lctx__work_masks(w, s, lane0, live);
        if (!seen) continue;
        if (!w->mass) lctx__work_leaf(w, lctx__leaf(s, i));
        lctx__work_head(w, s->query);
        w->t.bias = NULL;
        if (a->bias || (a->alibi && s->k_pos)) lctx__work_bias(w, s, lane0);
        if (s->layout == LCTX_TILES) lctx__work_native(w, s, i);
        else lctx__work_rows(w, s, lane0, last - lane0);
        lctx__work_pass(w, s, lane0, first, last);
    }
}

/* The keys that were put together against the rows. */
static void lctx__work_found(lctx__work *w)
{
    const int64_t next = w->next, run = w->run;
    if (!w->found.n) return;
    w->next = w->run = 1;          /* there is no tile after it */
    lctx__work_tile(w, &w->found, 0);
    w->next = next, w->run = run, w->found.n = 0;
}
/* Row j of a span joins them. */
static void lctx__gather_key(lctx__work *w, const lctx_span *s, int64_t j)
{
    const int64_t kb = w->p->a.d_k * lctx__esize(s->k_type), head = w->head0;
    const int64_t vb = w->p->a.d_v * lctx__esize(s->v_type);
    lctx_span *to = &w->found;
    const int64_t i = to->n;
    if (!i) {
        *to = *s, to->index = s->index + j;
        to->k = w->found_k, to->v = w->found_v, to->k_pos = w->found_pos;
        to->k_token = kb, to->v_token = vb, to->k_scale_token = to->v_scale_token = 4;
        to->k_head = to->v_head = to->k_scale_head = to->v_scale_head = to->k_pos_head = 0;
        to->k_scale = w->found_k_scale, to->v_scale = w->found_v_scale;
    }
    memcpy(w->found_k + i * kb, (const char *)s->k + head * s->k_head + j * s->k_token, (size_t)kb);
    memcpy(w->found_v + i * vb, (const char *)s->v + head * s->v_head + j * s->v_token, (size_t)vb);
    if (s->k_type == LCTX_I8)
        memcpy(w->found_k_scale + i, (const char *)s->k_scale + head * s->k_scale_head +
                                     j * s->k_scale_token, sizeof(float));
    if (s->v_type == LCTX_I8)
        memcpy(w->found_v_scale + i, (const char *)s->v_scale + head * s->v_scale_head +
                                     j * s->v_scale_token, sizeof(float));
    w->found_pos[i] = s->pos + j, to->n = i + 1;
}
/* Tile i's keys that are listed join those of the same leaf, or all of the tile goes by itself, as
   in the pass for mass, which adds up where keys stand. */
static void lctx__work_listed(lctx__work *w, const lctx_span *s, int64_t i)
{
    const lctx_span *to = &w->found;
    const int64_t lane0 = i * LCTX_TILE, last = lctx__min(lane0 + LCTX_TILE, s->n);
    const int rows = w->gathers && !w->mass && s->layout == LCTX_ROWS && !s->k_pos;
    uint64_t see;
    int64_t j;
    if (!rows || lctx__leaf(to, 0) != lctx__leaf(s, i) || to->k_type != s->k_type ||
        to->v_type != s->v_type || to->query != s->query || w->p->a.q_group) lctx__work_found(w);
    if (!rows) {
        lctx__work_tile(w, s, i);
        return;
    }
    see = lctx__listed(w, s, lane0, w->q0, w->head0 * w->p->group) & lctx__below(last - lane0);
    for (j = lane0; see; see >>= 1, j++) {
        if (see & 1) lctx__gather_key(w, s, j);
        if (w->found.n == LCTX_TILE) lctx__work_found(w);
    }
    if (w->p->a.q_group) lctx__work_found(w);
}

/* The first position from `from` on in a block that is listed for a query in hand; or the end. */
static int64_t lctx__next_listed(const lctx__work *w, const lctx_span *s, int64_t from)
{
    const lctx__plan *p = w->p;
    const int64_t apart = s->index - s->pos, keys = p->a.list_keys;
    int64_t b = (from + apart) / keys - p->list_base;
    uint64_t rest = w->list[b / 64] >> b % 64;
    if (rest & 1) return from;
    while (!rest && (b = b / 64 * 64 + 64) < p->list_words * 64) rest = w->list[b / 64];
    for (; rest && !(rest & 1); rest >>= 1) b++;
    return (b + p->list_base) * keys - apart;
}
/* The first tile from i on that any row of the task sees, lists apart, or n. Later see the most. */
static int64_t lctx__next_run_tile(const lctx__work *w, const lctx_span *s, int64_t i, int64_t n)
{
    const lctx_attn *a = &w->p->a;
    const int64_t at = s->pos - s->skip;           /* position of tile 0's first lane */
    const int64_t h0 = w->head0 * w->p->group, h1 = h0 + w->p->heads * w->p->group;
    const int64_t n_head = lctx__by_head(a) ? h1 - h0 : 1;
    int64_t best = LCTX__HUGE, t, h;
    for (t = w->n_q - 1; t >= 0 && i < n; t--)
        for (h = h0; h < h0 + n_head && lctx__sees_span(a, w->q0 + t, s); h++) {
            lctx__run r = lctx__next_run(a, h, lctx__q_pos(a, w->q0 + t),
                                         lctx__max(at + i * LCTX_TILE, s->pos));
            best = lctx__min(best, r.from);
            if (best < at + (i + 1) * LCTX_TILE) return i;
        }
    return best < s->pos + s->n ? (best - at) / LCTX_TILE : n;
}
/* The first tile at or after i to look at, or n. */
static int64_t lctx__next_tile(const lctx__work *w, const lctx_span *s, int64_t i, int64_t n)
{
    const int64_t at = s->pos - s->skip, end = s->pos + s->n;
    if (s->k_pos) return i;                        /* each head has its own: its mask decides */
    for (i = lctx__next_run_tile(w, s, i, n); w->p->a.list && i < n; ) {
        const int64_t pos = lctx__next_listed(w, s, lctx__max(at + i * LCTX_TILE, s->pos));
        if (pos < at + (i + 1) * LCTX_TILE) return i;
        i = pos < end ? lctx__next_run_tile(w, s, (pos - at) / LCTX_TILE, n) : n;
    }
    return i;
}

/* Takes those queries of the block in hand that may see the span, and what lies between them. */
static void lctx__work_take(lctx__work *w, const lctx_span *s)
{
    const lctx_attn *a = &w->p->a;
    int64_t end = w->block0 + w->rows / w->p->group;
    for (w->q0 = w->block0; w->q0 < end && !lctx__sees_span(a, w->q0, s); w->q0++) {}
    while (end > w->q0 && !lctx__sees_span(a, end - 1, s)) end--;
    w->n_q = end - w->q0, w->t.rows = w->n_q * w->p->group;
}

/* How many tiles from i on may go together, if more than one: of one leaf, native and read as they
   are, each seen in whole by all rows, and with nothing of its own. What head 0 sees in whole
   without a mask, every head does: only dilated patterns tell heads apart, and they leave gaps. */
static int64_t lctx__work_run(const lctx__work *w, const lctx_span *s, int64_t i)
{
    const lctx_attn *a = &w->p->a;
    const int own = a->alibi || a->rope || a->list || a->bias || a->mask_bits;
    const int64_t begin = s->pos - s->skip + i * LCTX_TILE, index = begin - s->pos + s->index;
    int64_t end = s->pos + s->n, t;
    if (own || w->mass || s->layout != LCTX_TILES || s->k_pos || s->k == s->v || begin < s->pos ||
        !lctx__stays(w, s->k_type, w->p->k_dots) || !lctx__stays(w, s->v_type, w->p->v_dots))
        return 1;
    end = lctx__min(end, begin + LCTX__LEAF - index % LCTX__LEAF);
    for (t = w->q0; t < w->q0 + w->n_q && end > begin; t++) {
        const lctx__run r = lctx__next_run(a, 0, lctx__q_pos(a, t), begin);
        end = r.from > begin || !lctx__sees_span(a, t, s) ? begin : lctx__min(end, r.to);
    }
    return lctx__max((end - begin) / LCTX_TILE, 1);
}
static void lctx__work_span(lctx__work *w, const lctx_span *s)
{
    int64_t n = lctx__span_tiles(s), i;
    lctx__work_take(w, s);
    for (i = lctx__next_tile(w, s, 0, n); i < n; i = w->next) {
        if (w->p->n_part > 1) {
            int64_t part = lctx__leaf(s, i) >> w->p->shift;
            if (part > w->part) return;
            if (part < w->part) {         /* jump to where the part begins */
                int64_t skip = (w->part << w->p->shift) * LCTX__LEAF - (s->index - s->skip);
                skip = lctx__max(i + 1, (skip + LCTX_TILE - 1) / LCTX_TILE);
                w->next = lctx__next_tile(w, s, skip, n);
                continue;
            }
        }
        w->run = lctx__work_run(w, s, i);
        w->next = lctx__next_tile(w, s, i + w->run, n);
        lctx__work_listed(w, s, i);
    }
}

static float *lctx__lse(const lctx_attn *a, int64_t t, int64_t h)
{
    return (float *)(void *)((char *)a->lse + t * a->lse_token + h * 4);
}

/* Rows of a finished part to out and lse, the sink logit joining the denominator. */
static void lctx__emit(const lctx__work *w, const lctx__part *part)
{
    const lctx_attn *a = &w->p->a;
    int64_t row, t, h;
    for (row = 0; row < w->all; row++) {
        float *out, m = part->mla[0][row], l = part->mla[1][row], lse;
        int empty = part->mla[1][row] == 0;
        lctx__row_is(w, row, &t, &h);
        out = (float *)(void *)((char *)a->out + t * a->out_token + h * a->out_head);
        lse = empty ? lctx__minus_inf() : m + logf(l);
        if (a->sink_logit) {
            float sink = a->sink_logit[h], d = empty ? 0 : sink - m;
            if (empty) lse = sink;
            else lse = d < 80 ? m + logf(l + expf(d)) : sink + logf(1 + l * expf(-d));
            l += expf(d);         /* acc is in terms of e^m; from d = 89 on nothing is left of it */
        }
        if (empty) memset(out, 0, (size_t)a->d_v * sizeof *out);
        else w->ops->finish(a->d_v, l, part->mla[2] + row * w->p->d_v, out);
        if (a->lse) *lctx__lse(a, t, h) = lse;
    }
}

/* Task i: heads side by side, the last query blocks first, for they see the most. */
static void lctx__work_begin(lctx__work *w, lctx__plan *p, int64_t i, int32_t thread)
{
    int64_t block = p->n_block - 1 - i / p->n_part / p->head_tasks;
    lctx__carver at;
    memset(w, 0, sizeof *w);
    w->p = p, w->ops = lctx__use();
    w->part = i % p->n_part;
    w->head0 = i / p->n_part % p->head_tasks * p->heads;
    at = lctx__carver_of(p->scratch + thread * p->thread_bytes);
    lctx__work_carve(w, &at);
    lctx__work_queries(w, block * p->q_block);
    w->t.d_k = p->d_k, w->t.d_v = p->d_v, w->t.softcap = p->a.softcap;
    w->t.dist = w->dist, w->t.soon = w->soon;
}

static float *lctx__kept(const lctx__plan *p, int64_t i)
{
    return (float *)(void *)(p->scratch + p->threads * p->thread_bytes) + i * p->part_floats;
}

/* Reports the tasks begun so far, and notes a wish to stop. */
static void lctx__report(lctx__plan *p)
{
    if (p->a.progress && p->a.progress(p->a.progress_user, lctx__count(&p->begun), p->n_all))
        LCTX__STORE(&p->cancelled, 1);
}

/* Counts a task that goes through the spans, and begins it; 0 if it shall not be done. */
static int lctx__task_begin(lctx__work *w, lctx__plan *p, int64_t i, int32_t thread)
{
    if (LCTX__LOAD(&p->cancelled)) return 0;
    lctx__count_up(&p->begun);
    if (thread == 0) lctx__report(p);
    lctx__work_begin(w, p, i, thread);
    if (p->n_part > 1) (void)lctx__parts(p, p->shift, w->part, &w->part);
    return 1;
}

static void lctx__work_spans(lctx__work *w)
{
    int64_t i, next = 0;
    for (i = 0, w->key0 = 0; i < w->p->a.n_spans; i++) {
        lctx_span s = lctx__span(w->p, i, &next);
        lctx__work_span(w, &s);
        w->key0 += s.n;
    }
    lctx__work_found(w);
}

static void lctx__attend_task(void *arg, int64_t i, int32_t thread)
{
    lctx__plan *p = (lctx__plan *)arg;
    lctx__work w;
    if (!lctx__task_begin(&w, p, i, thread)) return;
    if (p->n_part > 1) lctx__part_place(w.stack, lctx__kept(p, i), w.all);    /* ends up there */
    lctx__work_spans(&w);
    lctx__fold_all(&w);
    if (p->n_part == 1) lctx__emit(&w, &w.stack[0]);
}

/* Task i of the last fold: the parts of one head and query block, in order. */
static void lctx__join_task(void *arg, int64_t i, int32_t thread)
{
    lctx__plan *p = (lctx__plan *)arg;
    lctx__work w;
    int64_t n, part = 0;
    if (LCTX__LOAD(&p->cancelled)) return;
    lctx__work_begin(&w, p, i * p->n_part, thread);
    for (n = 0; n < p->n_part; n++) {
        (void)lctx__parts(p, p->shift, n, &part);
        lctx__work_leaf(&w, part);
        lctx__part_place(&w.stack[w.top - 1], lctx__kept(p, i * p->n_part + n), w.all);
    }
    lctx__fold_all(&w);
    lctx__emit(&w, &w.stack[0]);
}

/* Task i of the second pass: one head's keys, or a set of leaves of them, under all queries in
   order. lse stands where the kernel looks for the rows' maxima. */
static void lctx__mass_task(void *arg, int64_t i, int32_t thread)
{
    lctx__plan *p = (lctx__plan *)arg;
    const lctx_attn *a = &p->a;
    lctx__work w;
    int64_t q0, row, t, h;
    if (!lctx__task_begin(&w, p, i, thread)) return;
    w.mass = 1, w.top = 1;
    for (q0 = a->n_q - a->mass_queries; q0 < a->n_q && !LCTX__LOAD(&p->cancelled);
         q0 += p->q_block) {
        lctx__work_queries(&w, q0);
        for (row = 0; row < w.all; row++) {
            lctx__row_is(&w, row, &t, &h);
            w.stack[0].mla[0][row] = *lctx__lse(a, t, h);
        }
        lctx__work_spans(&w);
    }
}

/* Of queries that there are, what is not looked at when only the size is asked for. */
static lctx_status lctx__arrays_check(const lctx__plan *p)
{
    const lctx_attn *a = &p->a;
    const int64_t rows = a->list ? lctx__list_row(a, a->n_q - 1) + 1 : 0;
    lctx__site at = LCTX__SITE(a, lctx_attn);
    int64_t i;
    for (i = 0; i < rows * a->list_heads * a->list_len; i++)
        if (a->list[i] < -1 || a->list[i] * (int64_t)a->list_keys >= p->end)
            return lctx__refuse_element(at, LCTX_E_LIST, "list", i);
    LCTX__IS(q, a->q, NULL); LCTX__IS(out, a->out, NULL);
    LCTX__IS(q_far, !p->has_far || a->q_far || a->rope, NULL);
    LCTX__IS(lse, !a->mass || a->lse, NULL);
    at.type = "lctx_span";
    for (at.index = 0; at.index < a->n_spans; at.index++) {
        const lctx_span *s = &a->spans[at.index];
        LCTX__IS(k, !s->n || s->k, NULL); LCTX__IS(v, !s->n || s->v, NULL);
    }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_attend(const lctx_attn *attn, void *scratch, size_t scratch_bytes)
{
    lctx__plan p;
    if (!attn) return LCTX_E_NULL;
    LCTX__TRY(lctx__plan_make(&p, attn));
    LCTX__TRY(lctx__listed_check(&p.a));
    if (p.a.n_q == 0) return LCTX_OK;
    LCTX__TRY(lctx__arrays_check(&p));
    if (!scratch || scratch_bytes < (size_t)p.total_bytes)
        return lctx__tell(attn->refused, LCTX_E_SCRATCH, scratch ? "scratch_bytes" : "scratch");
    p.scratch = lctx__aligned(scratch);
    if (p.a.rope) lctx__turns_begin(&p);
    lctx__report(&p);
    lctx__for(p.a.par, p.threads > 1 ? LCTX__HUGE : 0, p.n_task, lctx__attend_task, &p);
    if (p.n_part > 1) lctx__for(p.a.par, 0, p.n_task / p.n_part, lctx__join_task, &p);
    if (p.a.mass) {
        lctx__plan_split(&p, p.head_tasks);
        lctx__for(p.a.par, p.threads > 1 ? LCTX__HUGE : 0, p.n_task, lctx__mass_task, &p);
    }
    if (!p.cancelled) lctx__report(&p);
    return lctx__tell(attn->refused, p.cancelled ? LCTX_E_CANCELLED : LCTX_OK, NULL);
}

/* ---- merge of normalised parts */
LCTX_API lctx_status lctx_merge(int64_t n_rows, int32_t d_v, int32_t n_parts,
                                const float *const *out_parts, const float *const *lse_parts,
                                float *out, float *lse_out)
{
    const lctx__ops *ops = lctx__use();
    int64_t r, c;
    int32_t i;
    if (n_rows < 0 || n_parts < 1) return LCTX_E_COUNT;
    if (!lctx__dim_ok(d_v)) return LCTX_E_HEAD_DIM;
    if (!out_parts || !lse_parts || !out) return LCTX_E_NULL;
    for (i = 0; i < n_parts; i++) if (!out_parts[i] || !lse_parts[i]) return LCTX_E_NULL;
    for (r = 0; r < n_rows; r++) {
        float sum[64], m = -FLT_MAX, l = 0, lse = lctx__minus_inf();
        int64_t from, n;
        for (i = 0; i < n_parts; i++) if (lse_parts[i][r] > m) m = lse_parts[i][r];
        for (i = 0; i < n_parts; i++)
            if (lctx__bits(lse_parts[i][r]) != LCTX__MINUS_INF) l += expf(lse_parts[i][r] - m);
        if (l != 0) lse = m + logf(l);
        for (from = 0; from < d_v; from += n) {    /* pieces, so that out may be one of the parts */
            n = lctx__min(d_v - from, 64);
            memset(sum, 0, sizeof sum);
            for (i = 0; l != 0 && i < n_parts; i++)
                if (lctx__bits(lse_parts[i][r]) != LCTX__MINUS_INF)
                    ops->blend(n, expf(lse_parts[i][r] - m) / l,
                               out_parts[i] + r * d_v + from, sum);
            for (c = 0; c < n; c++) out[r * d_v + from + c] = sum[c];
        }
        if (lse_out) lse_out[r] = lse;
    }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_alibi_slopes(int32_t n_head, float *slopes)
{
    int32_t h, pow2 = 1;
    if (!slopes) return LCTX_E_NULL;
    if (n_head < 1) return LCTX_E_HEADS;
    while (pow2 <= n_head / 2) pow2 *= 2;
    for (h = 0; h < n_head; h++)
        slopes[h] = (float)(h < pow2 ? pow(2, -8.0 * (h + 1) / pow2)
                                     : pow(2, -4.0 * (2 * (h - pow2) + 1) / pow2));
    return LCTX_OK;
}

/* ---- choices: rows are scored by the query, scores go to lists */
/* An integer below UINT32_MAX that orders as floats do, zeros as one; any NaN counts most. */
static uint32_t lctx__order(float x)
{
    uint32_t u = lctx__bits(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) return UINT32_MAX - 1;
    return u > 0x80000000u ? ~u : u | 0x80000000u;
}

/* The numbers of the k of n that rank highest, rising; of equal ones the later. */
static void lctx__best(const uint32_t *rank, int64_t n, int64_t k, int64_t *list)
{
    uint32_t low = UINT32_MAX, high = 0;      /* the least of the k lies between */
    int64_t i, at, left = k, count[256];
    int shift;
    for (i = 0; i < n; i++)
        low = rank[i] < low ? rank[i] : low, high = rank[i] > high ? rank[i] : high;
    while (low < high) {
        for (shift = 0; (high - low) >> shift > 255; shift++) {}
        memset(count, 0, sizeof count);
        for (i = 0; i < n; i++)
            if (rank[i] - low <= high - low) count[(rank[i] - low) >> shift]++;
        for (at = (high - low) >> shift; count[at] < left; at--) left -= count[at];
        low += (uint32_t)at << shift;
        if (count[at] == left) break;         /* all of these */
        high = low + (uint32_t)lctx__min(high - low, ((int64_t)1 << shift) - 1);
    }
    for (i = n; k > 0 && i-- > 0;)
        if (rank[i] > low || (rank[i] == low && left-- > 0)) list[--k] = i;
}

typedef struct lctx__choosing {
    lctx__plan p;            /* of the call, over the rows that are scored */
    const lctx_choice *c;
    int64_t n, last, lists;  /* blocks; the last key's position; rows of lists */
    int64_t each;            /* rows a block */
    int32_t *list;
    float *score;            /* [threads][n], as the next */
    uint32_t *rank;
    int64_t *best;
} lctx__choosing;

static int64_t lctx__choosing_carve(lctx__choosing *x, void *at)
{
    const int64_t threads = lctx__threads(x->p.a.par);
    lctx__carver r = lctx__carver_of(at);
    x->score = (float *)lctx__carve(&r, threads, x->n * 4);
    x->rank = (uint32_t *)lctx__carve(&r, threads, x->n * 4);
    x->best = (int64_t *)lctx__carve(&r, threads, x->n * 8);
    return lctx__add(r.used, LCTX__ALIGN);
}

/* Of list row i the queries t0 .. t1-1; blocks below `first` and to .. end-1 are always read. */
typedef struct lctx__always { int64_t t0, t1, first, to, end; } lctx__always;
static lctx__always lctx__always_read(const lctx__choosing *x, int64_t i)
{
    const lctx_attn *a = &x->p.a;
    const int64_t keys = a->list_keys, window = lctx__max(x->c->window, 1);
    int64_t low = x->last, high = -LCTX__HUGE, t;
    lctx__always r;
    r.t0 = lctx__max(lctx__mul(i, a->list_queries) - a->list_first, 0);
    r.t1 = lctx__min(lctx__mul(i + 1, a->list_queries) - a->list_first, a->n_q);
    for (t = r.t0; t < r.t1; t++)
        low = lctx__min(low, lctx__q_pos(a, t)), high = lctx__max(high, lctx__q_pos(a, t));
    r.end = a->mask != LCTX_CAUSAL ? x->n : high < 0 ? 0 : lctx__min(high / keys + 1, x->n);
    r.to = lctx__min(lctx__max(low - lctx__min(window, LCTX__MAX_POS) + 1, 0) / keys, r.end);
    r.first = lctx__min(x->c->n_sink / keys + (x->c->n_sink % keys != 0), r.to);
    return r;
}

/* Scores the rows in hand for a list's queries and n heads from h on; then there are none. */
static void lctx__rows_rate(const lctx__choosing *x, const lctx__always *r, int64_t h, int64_t n,
                            lctx__rated *rows, float *score)
{
    const lctx_attn *a = &x->p.a;
    const int relu = x->c->kind == LCTX_SCORE_RELU;
    const float one = 1, *w = x->c->weight;
    float to[LCTX__RATED];
    int64_t t, i, j, seen;
    for (i = rows->n; i && i < LCTX__RATED; i++)      /* the kernel wants all */
        rows->at[0][i] = rows->at[0][0], rows->at[1][i] = rows->at[1][0];
    for (t = r->t0; t < r->t1; t++) {
        const int64_t pos = a->mask == LCTX_CAUSAL ? lctx__q_pos(a, t) : LCTX__HUGE;
        for (seen = rows->n; seen && rows->pos[seen - 1] > pos; seen--) {}
        for (i = 0; i < LCTX__RATED; i++) to[i] = relu ? 0 : -FLT_MAX;
        for (j = h; seen && j < h + n; j++)
            lctx__use()->rate(rows, j / (a->n_head / a->n_head_kv),
                              (const char *)a->q + t * a->q_token + j * a->q_head,
                              !relu ? NULL : w ? &w[t * a->n_head + j] : &one, to);
        for (i = 0; i < seen; i++)
            if (to[i] > score[rows->block[i]]) score[rows->block[i]] = to[i];
    }
    rows->n = 0;
}

/* Of blocks from .. to-1 the best score of a row, for a list's queries and n heads from h on. */
static void lctx__blocks_score(const lctx__choosing *x, const lctx__always *r, int64_t h, int64_t n,
                               int64_t from, int64_t to, float *score)
{
    const lctx_attn *a = &x->p.a;
    const int64_t each = x->each;
    lctx__rated rows;
    int64_t i, j, b, in, next = 0;
    memset(&rows, 0, sizeof rows);
    rows.d = a->d_k, rows.bound = x->c->kind == LCTX_SCORE_BOUND;
    for (b = from; b < to; b++) score[b] = -FLT_MAX;
    for (i = 0; i < a->n_spans && next < to * each; i++) {
        const lctx_span s = lctx__span(&x->p, i, &next);
        if (s.k_head != rows.head[0] || s.v_head != rows.head[1])
            lctx__rows_rate(x, r, h, n, &rows, score);
        rows.head[0] = s.k_head, rows.head[1] = s.v_head;
        j = lctx__max(from * each - s.index, 0);
        b = (s.index + j) / each, in = (s.index + j) % each;
        for (; j < s.n && b < to; j++) {
            rows.at[0][rows.n] = (const char *)s.k + j * s.k_token;
            if (rows.bound) rows.at[1][rows.n] = (const char *)s.v + j * s.v_token;
            rows.pos[rows.n] = b * a->list_keys + (in ? in * a->list_keys / each : 0);
            rows.block[rows.n++] = b;
            if (++in == each) in = 0, b++;
            if (rows.n == LCTX__RATED) lctx__rows_rate(x, r, h, n, &rows, score);
        }
    }
    lctx__rows_rate(x, r, h, n, &rows, score);
}

/* How few of the k best have so much of the positive scores. */
static int64_t lctx__enough(const uint32_t *rank, const float *score, int64_t n, int64_t k,
                            double need, int64_t *best)
{
    int64_t few = 0, i;
    while (few < k) {
        const int64_t some = few + (k - few) / 2;
        double have = 0;
        lctx__best(rank, n, some, best);
        for (i = 0; i < some; i++) if (score[best[i]] > 0) have += (double)score[best[i]];
        if (have < need) few = some + 1;
        else k = some;
    }
    return k;
}

/* List i, of a row of queries and its column of heads. */
static void lctx__choose_task(void *arg, int64_t i, int32_t thread)
{
    const lctx__choosing *x = (const lctx__choosing *)arg;
    const lctx_choice *c = x->c;
    const lctx_attn *a = &x->p.a;
    const lctx__always r = lctx__always_read(x, i / a->list_heads);
    const int64_t heads = a->n_head / a->list_heads, n = x->n, between = r.to - r.first;
    const int all = c->score || c->share > 0;
    float *score = c->score ? c->score + i * n : x->score + thread * n;
    uint32_t *rank = x->rank + thread * n;
    int64_t *best = x->best + thread * n, k, j;
    int32_t *list = x->list + i * a->list_len, *end = list + a->list_len;
    double need = 0;
    if (c->kind != LCTX_SCORE_GIVEN)
        lctx__blocks_score(x, &r, i % a->list_heads * heads, heads, all ? 0 : r.first,
                           all ? n : r.to, score);
    for (j = 0; j < between; j++) rank[j] = lctx__order(score[r.first + j]);
    k = lctx__min(a->list_len - (r.end - between), between);
    LCTX_ASSERT(k >= 0);           /* lctx__choosing_check saw to it */
    if (c->n_top) k = lctx__min(k, lctx__max(c->n_top, 0));
    for (j = 0; c->share > 0 && j < r.end; j++) {
        const double left = (double)c->share - (j < r.first || j >= r.to);
        if (score[j] > 0) need += left * (double)score[j];
    }
    if (c->share > 0) k = lctx__enough(rank, score + r.first, between, k, need, best);
    lctx__best(rank, between, k, best);
    for (j = 0; j < r.first; j++) *list++ = (int32_t)j;
    for (j = 0; j < k; j++) *list++ = (int32_t)(r.first + best[j]);
    for (j = r.to; j < r.end; j++) *list++ = (int32_t)j;
    while (list < end) *list++ = -1;
}

static void lctx__choose(lctx__choosing *x)
{
    const lctx_attn *a = &x->p.a;
    lctx__for(a->par, lctx__mul(lctx__mul(a->n_q * a->n_head, x->n), x->each * a->d_k),
              x->lists * a->list_heads, lctx__choose_task, x);
}

/* Makes a job of a call, all that it says of sizes checked. */
static lctx_status lctx__choosing_make(lctx__choosing *x, const lctx_attn *attn,
                                       const lctx_choice *c, size_t *bytes)
{
    lctx__site at;
    lctx_attn rows;
    int64_t need;
    if (c) (void)lctx__begin(c->refused, attn ? NULL : "attn");
    if (!attn || lctx__begin(attn->refused, !c ? "choice" : !bytes ? "bytes" : NULL))
        return LCTX_E_NULL;
    at = LCTX__SITE(attn, lctx_attn);
    LCTX__IS(rope, !attn->rope, POLICY);
    rows = *attn, rows.d_v = 0, rows.out_token = rows.out_head = 0, rows.list = NULL;
    LCTX__TRY(lctx__plan_make(&x->p, &rows));
    at = LCTX__SITE(c, lctx_choice);
    LCTX__IN(c, kind, 0, LCTX_SCORE_COUNT - 1, ENUM); LCTX__FROM(c, block_rows, 0, COUNT);
    x->c = c, x->each = lctx__max(c->block_rows, 1);
    LCTX__IS(share, lctx__at_least(c->share, 0) && c->share <= 1, COUNT);
    LCTX__FROM(c, n_top, -1, COUNT); LCTX__FROM(c, n_sink, 0, WINDOW);
    LCTX__FROM(c, window, 0, WINDOW);
    x->n = (x->p.end + x->each - 1) / x->each;
    x->last = lctx__mul(x->n, x->p.a.list_keys) - 1;
    x->lists = attn->n_q ? lctx__list_row(&x->p.a, attn->n_q - 1) + 1 : 0;
    need = lctx__choosing_carve(x, NULL), *bytes = (size_t)need;
    return lctx__tell(attn->refused, lctx__fits(need) ? LCTX_OK : LCTX_E_OVERFLOW, NULL);
}

/* Is all there that is read, and have lists room for what always is? */
static lctx_status lctx__choosing_check(const lctx__choosing *x)
{
    const lctx_attn *a = &x->p.a;
    const int given = x->c->kind == LCTX_SCORE_GIVEN, bound = x->c->kind == LCTX_SCORE_BOUND;
    lctx__site at = LCTX__SITE(x->c, lctx_choice);
    int64_t i;
    LCTX__TRY(lctx__listed_check(a));
    LCTX__IS(score, !given || x->c->score, NULL);
    at = LCTX__SITE(a, lctx_attn);
    LCTX__IS(q, a->q || given, NULL);
    for (i = 0; i < x->lists; i++) {
        const lctx__always r = lctx__always_read(x, i);
        LCTX__IS(list_len, r.first + r.end - r.to <= a->list_len, LIST);
    }
    at.type = "lctx_span";
    for (at.index = 0; !given && at.index < a->n_spans; at.index++) {
        const lctx_span *s = &a->spans[at.index];
        LCTX__IS(layout, s->layout == LCTX_ROWS, TYPE);
        LCTX__IS(k_type, s->k_type == LCTX_F32, TYPE);
        LCTX__IS(v_type, s->v_type == LCTX_F32, TYPE);
        LCTX__IS(k, !s->n || s->k, NULL); LCTX__IS(v, !s->n || s->v || !bound, NULL);
    }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_choose_size(const lctx_attn *attn, const lctx_choice *choice,
                                      size_t *bytes)
{
    lctx__choosing x;
    return lctx__choosing_make(&x, attn, choice, bytes);
}

LCTX_API lctx_status lctx_choose(const lctx_attn *attn, const lctx_choice *choice, int32_t *list,
                                 void *scratch, size_t scratch_bytes)
{
    lctx__choosing x;
    size_t bytes;
    LCTX__TRY(lctx__choosing_make(&x, attn, choice, &bytes));
    LCTX__TRY(lctx__choosing_check(&x));
    if (!list && x.lists) return lctx__tell(attn->refused, LCTX_E_NULL, "list");
    if (!scratch || scratch_bytes < bytes)
        return lctx__tell(attn->refused, LCTX_E_SCRATCH, scratch ? "scratch_bytes" : "scratch");
    (void)lctx__choosing_carve(&x, lctx__aligned(scratch));
    x.list = list;
    lctx__choose(&x);
    return LCTX_OK;
}

/* ============================================================================ >>recurrence */
/* Of states of so many bytes. */
static lctx_status lctx__snapshots_check(lctx_refusal *to, const lctx_snapshots *s, int64_t n,
                                         int64_t bytes)
{
    const lctx__site at = lctx__site_of(to, "lctx_snapshots", -1);
    if (!s) return LCTX_OK;
    LCTX__FROM(s, every, 1, COUNT); LCTX__FROM(s, n, 1, COUNT);
    LCTX__IN(s, before, 0, LCTX__MAX_POS - n, POS);
    LCTX__IS(slots, s->slots, NULL);
    LCTX__IS(slot, !s->slot || (s->slot >= bytes && s->slot % 4 == 0), STRIDE);
    LCTX__IS(n, lctx__fits(lctx__mul(s->n, s->slot ? s->slot : bytes)), OVERFLOW);
    return LCTX_OK;
}
/* Where the state after token t of a call is to be copied to, or null. */
static float *lctx__snapshot(const lctx_snapshots *s, int64_t t, int64_t bytes)
{
    const int64_t n = s ? s->before + t + 1 : 0;
    if (!s || n % s->every) return NULL;
    return s->slots + (n / s->every - 1) % s->n * ((s->slot ? s->slot : bytes) / 4);
}

static lctx_status lctx__recur_check(lctx_recurrence *r)
{
    const lctx__site at = LCTX__SITE(r, lctx_recurrence);
    const int element = r->decay_kind == LCTX_DECAY_ELEMENT;
    LCTX__DEFAULT(r->n_head_k, r->n_head); LCTX__DEFAULT(r->d_v, r->d_k);
    if (r->scale == 0) r->scale = 1;
    LCTX__FROM(r, n, 0, COUNT); LCTX__IN(r, n, 0, LCTX__MAX_POS, OVERFLOW);
    LCTX__FROM(r, n_head, 1, COUNT); LCTX__FROM(r, n_head_k, 1, COUNT);
    LCTX__IS(n_head, r->n_head % r->n_head_k == 0, HEADS);
    LCTX__IS(d_k, lctx__dim_ok(r->d_k), HEAD_DIM); LCTX__IS(d_v, lctx__dim_ok(r->d_v), HEAD_DIM);
    LCTX__IN(r, decay_kind, 0, LCTX_DECAY_COUNT - 1, DECAY);
    LCTX__IS(beta, !r->beta || (!r->a && !element), DECAY);
    LCTX__IS(a, !r->a || !element, DECAY); LCTX__IS(a, r->a || !r->b, NULL);
    LCTX__IS(bonus, !r->bonus || !(r->a || r->beta || element), DECAY);
    LCTX__REAL(r, scale, SOFTCAP);
    return lctx__parallel_check(r->refused, r->par);
}

static lctx_status lctx__recur_strides(lctx_recurrence *r)
{
    const int64_t k = (int64_t)r->d_k * 4, v = (int64_t)r->d_v * 4, n = r->n, h = r->n_head;
    const int64_t hk = r->n_head_k, one = r->decay_token == -1;
    const int64_t w = r->decay_kind == LCTX_DECAY_DIM ? k :
                      r->decay_kind == LCTX_DECAY_ELEMENT ? v : 4;
    const int64_t state = lctx__max(lctx__mul(r->d_k, r->state_k ? r->state_k : v),
                                    lctx__mul(r->d_v, r->state_v ? r->state_v : 4));
    const lctx__stride all[] = {
        LCTX__STRIDES(r, r, q, k, hk, n), LCTX__STRIDES(r, r, k, k, hk, n),
        LCTX__STRIDES(r, r, b, k, hk, n), LCTX__STRIDES(r, r, a, k, h, n),
        LCTX__STRIDES(r, r, v, v, h, n), LCTX__STRIDES(r, r, y, v, h, n),
        LCTX__STRIDES(r, r, beta, 4, h, n),
        LCTX__STRIDE(r, r, decay_head, w, w, h), LCTX__STRIDE(r, r, bonus_head, k, k, h),
        { "decay_token", one ? 0 : r->decay_token, &r->decay_token, one ? 0 : h * w, w, n, 4 },
        LCTX__STRIDE(r, r, state_k, v, 4, r->d_k), LCTX__STRIDE(r, r, state_v, 4, 4, r->d_v),
        LCTX__STRIDE(r, r, state_head, state, 4, h)
    };
    return lctx__strides(LCTX__SITE(r, lctx_recurrence), LCTX__ALL(all));
}

static void lctx__recur_carve(lctx__recur *c, lctx__carver *at)
{
    const int64_t tile = (int64_t)c->r.d_k * LCTX_TILE, d = lctx__pad_v(c->r.d_k);
    LCTX__FLOATS(at, c->tile, tile, 1); LCTX__FLOATS(at, c->rate_own, tile, 1);
    LCTX__FLOATS(at, c->w_own, d, 1); LCTX__FLOATS(at, c->a_own, d, 1);
}

static lctx_status lctx__recur_plan(lctx__recur *p, const lctx_recurrence *recurrence)
{
    lctx__carver at = lctx__carver_of(NULL);
    lctx_recurrence *r = &p->r;
    memset(p, 0, sizeof *p);
    *r = *recurrence;
    LCTX__TRY(lctx__recur_check(r));
    LCTX__TRY(lctx__recur_strides(r));
    LCTX__TRY(lctx__snapshots_check(r->refused, r->snapshots, r->n, r->n_head * r->state_head));
    p->kind = r->decay_kind == LCTX_DECAY_ELEMENT ? LCTX__ELEMENT : r->bonus ? LCTX__BONUS :
              r->b ? LCTX__APART : r->a || r->beta ? LCTX__JOIN : LCTX__ADD;
    p->tiles = (r->d_v + LCTX_TILE - 1) / LCTX_TILE;
    p->side = r->n_head < lctx__threads(r->par) ? 1 : p->tiles;    /* neighbours in memory */
    lctx__recur_carve(p, &at);
    p->thread_bytes = at.used;
    p->bytes = lctx__threads(r->par) * at.used + LCTX__ALIGN;
    return lctx__tell(r->refused, lctx__fits(p->bytes) ? LCTX_OK : LCTX_E_OVERFLOW, NULL);
}

static float *lctx__state_at(const lctx__recur *c, const float *state)
{
    return (float *)(void *)((char *)(uintptr_t)state + c->head * c->r.state_head +
                             c->row0 * c->r.state_v);
}
/* A tile's values, ld apart, copied out of a state of the caller's, or into it. */
static void lctx__state_move(const lctx__recur *c, const float *state, float *tile, int64_t ld,
                             int save)
{
    float *row = lctx__state_at(c, state), *at;
    int64_t d, i;
    for (d = 0; d < c->r.d_k; d++, tile += ld, row += c->r.state_k / 4)
        for (i = 0, at = row; i < c->rows; i++, at += c->r.state_v / 4)
            if (save) *at = tile[i];
            else tile[i] = *at;
}
/* The same where they are, or as a copy; *ld apart. */
static const float *lctx__state_read(const lctx__recur *c, const float *state, float *copy,
                                     int64_t *ld)
{
    *ld = c->direct ? c->r.state_k / 4 : LCTX_TILE;
    if (c->direct) return lctx__state_at(c, state);
    lctx__state_move(c, state, copy, LCTX_TILE, 0);
    return copy;
}

/* Head h of token t in an array; n elements of the next token, which stands apart, are asked for */
static const float *lctx__brought(const lctx_recurrence *r, const float *x, int64_t token,
                                  int64_t head, int64_t t, int64_t h, int64_t n)
{
    int64_t i;
    x += t * (token / 4) + h * (head / 4);
    for (i = 0; t + 1 < r->n && i < n; i += 16) LCTX__FETCH(x + token / 4 + i, 1);
    return x;
}
#define LCTX__BROUGHT(r, name, t, h, n) \
    lctx__brought(r, (r)->name, (r)->name##_token, (r)->name##_head, t, h, n)

static void lctx__recur_token(lctx__recur *c, int64_t t)
{
    const lctx_recurrence *r = &c->r;
    const int64_t h = c->head, g = h / (r->n_head / r->n_head_k), d = r->d_k, n = c->rows;
    c->q = LCTX__BROUGHT(r, q, t, g, d), c->k = LCTX__BROUGHT(r, k, t, g, d);
    c->v = LCTX__BROUGHT(r, v, t, h, n) + c->row0;
    c->y = (float *)(uintptr_t)LCTX__BROUGHT(r, y, t, h, n) + c->row0;
    if (r->decay_kind == LCTX_DECAY_HEAD) c->number = LCTX__BROUGHT(r, decay, t, h, 1);
    if (r->decay_kind == LCTX_DECAY_DIM) c->w = LCTX__BROUGHT(r, decay, t, h, d);
    if (r->decay_kind == LCTX_DECAY_ELEMENT) c->w = LCTX__BROUGHT(r, decay, t, h, n) + c->row0;
    if (r->a) c->a = LCTX__BROUGHT(r, a, t, h, d);
    if (r->b) c->b = LCTX__BROUGHT(r, b, t, g, d);
    if (r->beta) c->beta = LCTX__BROUGHT(r, beta, t, h, 1);
}

/* A tile through all tokens: the first reads the caller's state, the last writes it, by scratch. */
static void lctx__recur_tokens(lctx__recur *c)
{
    const lctx_recurrence *r = &c->r;
    int64_t t;
    c->s = lctx__state_read(c, r->from ? r->from : r->state, c->tile, &c->s_ld);
    if (c->kind == LCTX__ELEMENT)
        c->rate = lctx__state_read(c, r->rate, c->rate_own, &c->rate_ld);
    for (t = 0; t < r->n; t++, c->s = c->to, c->s_ld = c->to_ld) {
        const int last = c->direct && t == r->n - 1;
        float *slot = lctx__snapshot(r->snapshots, t, r->n_head * r->state_head);
        c->to = last ? lctx__state_at(c, r->state) : c->tile;
        c->to_ld = last ? r->state_k / 4 : LCTX_TILE;
        lctx__recur_token(c, t);
        lctx__use()->recur(c);
        if (slot) lctx__state_move(c, slot, c->to, c->to_ld, 1);
    }
    if (!c->direct) lctx__state_move(c, r->state, c->tile, LCTX_TILE, 1);
}

static void lctx__recur_task(void *arg, int64_t i, int32_t thread)
{
    lctx__recur c = *(const lctx__recur *)arg;
    lctx__carver at = lctx__carver_of(c.scratch + thread * c.thread_bytes);
    int64_t d, tile;
    lctx__recur_carve(&c, &at);
    for (d = 0, c.w = c.w_own, c.a = c.a_own; d < c.r.d_k; d++) c.w_own[d] = 1;
    for (tile = i * c.side; tile < (i + 1) * c.side; tile++) {
        c.head = tile / c.tiles, c.row0 = tile % c.tiles * LCTX_TILE;
        c.rows = lctx__min(c.r.d_v - c.row0, LCTX_TILE);
        c.direct = c.r.state_v == 4 && c.rows % 16 == 0;
        if (c.r.bonus) c.bonus = c.r.bonus + c.head * (c.r.bonus_head / 4);
        if (!c.direct) memset(c.tile, 0, (size_t)((char *)c.w_own - (char *)c.tile));
        lctx__recur_tokens(&c);
    }
}

LCTX_API lctx_status lctx_recur_size(const lctx_recurrence *r, size_t *bytes)
{
    lctx__recur p;
    if (!r || lctx__begin(r->refused, bytes ? NULL : "bytes")) return LCTX_E_NULL;
    LCTX__TRY(lctx__recur_plan(&p, r));
    *bytes = (size_t)p.bytes;
    return LCTX_OK;
}

static lctx_status lctx__recur_arrays(const lctx_recurrence *r)
{
    const lctx__site at = LCTX__SITE(r, lctx_recurrence);
    const int element = r->decay_kind == LCTX_DECAY_ELEMENT;
    const int64_t d = r->decay_kind == LCTX_DECAY_DIM ? r->d_k : 1;
    int64_t t, i;
    LCTX__IS(q, r->q, NULL); LCTX__IS(k, r->k, NULL); LCTX__IS(v, r->v, NULL);
    LCTX__IS(y, r->y, NULL); LCTX__IS(state, r->state, NULL);
    LCTX__IS(decay, !r->decay_kind || r->decay, NULL); LCTX__IS(rate, !element || r->rate, NULL);
    for (t = 0; r->bounded && r->decay && !element && t < r->n; t++)
        for (i = 0; i < r->n_head * d; i++) {
            const float w = LCTX__BROUGHT(r, decay, t, i / d, 0)[i % d];
            if (!(w >= 0 && w <= 1)) return lctx__refuse_element(at, LCTX_E_DECAY, "decay", t);
        }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_recur(const lctx_recurrence *r, void *scratch, size_t scratch_bytes)
{
    lctx__recur p;
    if (!r) return LCTX_E_NULL;
    LCTX__TRY(lctx__recur_plan(&p, r));
    if (r->n == 0) return LCTX_OK;
    LCTX__TRY(lctx__recur_arrays(&p.r));
    if (!scratch || scratch_bytes < (size_t)p.bytes)
        return lctx__tell(r->refused, LCTX_E_SCRATCH, scratch ? "scratch_bytes" : "scratch");
    p.scratch = lctx__aligned(scratch);
    lctx__for(r->par, lctx__mul(lctx__mul(r->n, (int64_t)p.r.d_k * p.r.d_v), r->n_head),
              r->n_head * p.tiles / p.side, lctx__recur_task, &p);
    return LCTX_OK;
}

/* ---- convolutions, by blocks of channels */
/* The inputs that came i tokens into the call, before it at i < 0. */
static const float *lctx__input(const lctx_convolution *c, int64_t i, int64_t channel)
{
    const float *from = c->from ? c->from : c->state;
    return channel + (i < 0 ? from + (c->taps - 1 + i) * (c->state_tap / 4)
                            : c->x + i * (c->x_token / 4));
}
/* The state after so many tokens; in place each input moves to the front. */
static void lctx__inputs_keep(const lctx_convolution *c, int64_t tokens, int64_t channel, int64_t n,
                              float *state)
{
    int j;
    for (j = 1; state && j < c->taps; j++)
        memmove(state + (j - 1) * (c->state_tap / 4) + channel,
                lctx__input(c, tokens - c->taps + j, channel), (size_t)n * 4);
}
static void lctx__convolve_task(void *arg, int64_t i, int32_t thread)
{
    const lctx_convolution *c = (const lctx_convolution *)arg;
    const int64_t at = i * LCTX_TILE, n = lctx__min(c->n_channel - at, LCTX_TILE);
    float weight[LCTX_MAX_TAPS][LCTX_TILE] = { { 0 } };
    const float *x[LCTX_MAX_TAPS], *w[LCTX_MAX_TAPS];
    int64_t t;
    int j;
    (void)thread;
    for (t = 0; t < n * c->taps; t++)
        weight[t % c->taps][t / c->taps] = c->weight[at * c->taps + t];
    for (t = 0; t < c->n; t++) {
        for (j = 0; j < c->taps; j++)
            w[j] = weight[j], x[j] = lctx__input(c, t - c->taps + 1 + j, at);
        lctx__use()->convolve(c, n, x, w, c->bias ? c->bias + at : NULL,
                              c->y + t * (c->y_token / 4) + at);
        lctx__inputs_keep(c, t + 1, at, n,
                          lctx__snapshot(c->snapshots, t, (c->taps - 1) * c->state_tap));
    }
    lctx__inputs_keep(c, c->n, at, n, c->state);
}

static lctx_status lctx__convolve_check(lctx_convolution *c)
{
    const lctx__site at = LCTX__SITE(c, lctx_convolution);
    const int64_t row = (int64_t)c->n_channel * 4;
    const lctx__stride all[] = {
        LCTX__STRIDE(c, c, x_token, row, row, c->n), LCTX__STRIDE(c, c, y_token, row, row, c->n),
        LCTX__STRIDE(c, c, state_tap, row, row, c->taps)
    };
    LCTX__FROM(c, n, 0, COUNT); LCTX__IN(c, n, 0, LCTX__MAX_POS, OVERFLOW);
    LCTX__FROM(c, n_channel, 1, COUNT); LCTX__IN(c, taps, 1, LCTX_MAX_TAPS, TAPS);
    LCTX__TRY(lctx__parallel_check(c->refused, c->par));
    LCTX__TRY(lctx__strides(at, LCTX__ALL(all)));
    LCTX__IS(x, !c->n || c->x, NULL); LCTX__IS(y, !c->n || c->y, NULL);
    LCTX__IS(weight, c->weight, NULL); LCTX__IS(state, c->state || c->taps == 1, NULL);
    return lctx__snapshots_check(c->refused, c->snapshots, c->n, (c->taps - 1) * c->state_tap);
}

LCTX_API lctx_status lctx_convolve(const lctx_convolution *convolution)
{
    lctx_convolution c;
    if (!convolution) return LCTX_E_NULL;
    c = *convolution;
    LCTX__TRY(lctx__convolve_check(&c));
    if (c.n) lctx__for(c.par, lctx__mul(c.n, (int64_t)c.n_channel * c.taps),
                       (c.n_channel + LCTX_TILE - 1) / LCTX_TILE, lctx__convolve_task, &c);
    return lctx__tell(c.refused, LCTX_OK, NULL);
}

/* ============================================================================ >>cache */
typedef struct lctx__block { int64_t refs, bytes; } lctx__block;   /* what it holds follows: */
static char *lctx__contents(const lctx__block *b) { return (char *)(uintptr_t)b + LCTX__ALIGN; }

/* The tokens from id * block on. Open keys (see MEMORY) are f16 tiles without values. */
typedef struct lctx__slot {
    int64_t      id;
    lctx__block *block;
    lctx__block *open;           /* or null */
    int64_t      open_from;      /* the first of its tokens that is open, before the end */
} lctx__slot;

struct lctx_cache {
    lctx_cache_desc d;
    lctx_allocator  alloc;
    lctx_tiles      tiles;       /* of one block; mem is set per use */
    int64_t         n;           /* tokens appended */
    int64_t         part, others;    /* of a sequence in parts: others' blocks before the first of
                                        ours, and between two; all else here counts ours alone */
    lctx__slot     *slot;        /* blocks held, by id; a gap where blocks were dropped */
    int64_t         n_slot, cap_slot;
    int64_t         cut;         /* tokens before are gone, but for n_kept of each head: */
    lctx__block    *kept;        /* their tiles, then positions [n_head_kv][n_kept] */
    int64_t         n_kept;
    float          *mass;        /* HEAVY: [3][n_head_kv][cap_mass] in the order of the spans; */
    int64_t         cap_mass;    /* even. The second are those before the last append, which */
    int64_t         n_before;    /* began at this token; the third, while a feed may fail, and */
    int64_t         n_older;     /* this, what the second and n_before were then */
};

static int64_t lctx__block_bytes(const lctx_cache *c)
{
    const int64_t row = c->d.summaries ? 2 * 4 * (int64_t)c->d.d_k : 0;
    return lctx__add(LCTX__ALIGN + lctx__mul(row, c->d.n_head_kv), lctx__tiles_bytes(&c->tiles));
}
static lctx_tiles lctx__block_tiles(const lctx_cache *c, const lctx__block *b)
{
    lctx_tiles t = c->tiles;
    t.mem = lctx__contents(b);
    return t;
}
/* One of so many bytes, which begins with what another one holds, or is zero. */
static lctx__block *lctx__block_new(const lctx_cache *c, int64_t bytes, const lctx__block *from)
{
    lctx__block *b = (lctx__block *)lctx__new(&c->alloc, bytes);
    if (!b) return NULL;
    if (from) memcpy(lctx__contents(b), lctx__contents(from), (size_t)(from->bytes - LCTX__ALIGN));
    b->refs = 1, b->bytes = bytes;
    return b;
}
static void lctx__block_drop(const lctx_cache *c, lctx__block *b)
{
    if (b && lctx__count_down(&b->refs) == 0) lctx__delete(&c->alloc, b, b->bytes);
}

/* Are keys of 4 bits, and so open before? */
static int lctx__opens(const lctx_cache *c) { return c->tiles.k_type == LCTX_I4; }
static int64_t lctx__open_bytes(const lctx_cache *c)
{
    const int64_t tiles = lctx__mul(c->tiles.cap / LCTX_TILE, c->tiles.n_head_kv);
    return lctx__add(LCTX__ALIGN, lctx__mul(tiles, lctx__key_bytes(LCTX_F16, c->tiles.d_k)));
}
static void lctx__close(const lctx_cache *c, lctx__slot *s)
{
    lctx__block_drop(c, s->open);
    s->open = NULL;
}
static int64_t lctx__tile_of(int64_t token) { return token / LCTX_TILE * LCTX_TILE; }

/* The least of each dimension of a block's keys in head g; the greatest follow. */
static float *lctx__summary(const lctx_cache *c, const lctx__block *b, int64_t g)
{
    return (float *)(void *)(lctx__contents(b) + lctx__tiles_bytes(&c->tiles)) + 2 * g * c->d.d_k;
}
/* Sums up a block just filled. It is written again only after a rewind, and then filled anew. */
static void lctx__summarise(const lctx_cache *c, lctx__block *b)
{
    const lctx_tiles t = lctx__block_tiles(c, b);
    float x[64];
    int64_t g, i, d, e, n;
    for (g = 0; c->d.summaries && g < t.n_head_kv; g++) {
        float *lo = lctx__summary(c, b, g), *hi = lo + t.d_k;
        for (d = 0; d < t.d_k; d++) lo[d] = FLT_MAX, hi[d] = -FLT_MAX;
        for (i = 0; i < t.cap; i++)
            for (d = 0; d < t.d_k; d += n) {
                const lctx__place p = lctx__key_at(&t, g, i);
                n = lctx__min(t.d_k - d, 64);
                lctx__get_part(t.k_type, &p, d, n, x);
                for (e = 0; e < n; e++) {
                    if (x[e] < lo[d + e]) lo[d + e] = x[e];
                    if (x[e] > hi[d + e]) hi[d + e] = x[e];
                }
            }
    }
}

/* A selection of n tokens a head, which is never changed: its tiles, in b if that is there. */
static lctx_tiles lctx__kept_tiles(const lctx_cache *c, const lctx__block *b, int64_t n)
{
    lctx_tiles t = c->tiles;
    t.cap = lctx__round_up(n, LCTX_TILE), t.mem = b ? lctx__contents(b) : NULL;
    if (lctx__opens(c)) t.k_type = LCTX_F16;      /* they have left their neighbours */
    return t;
}
static int64_t lctx__kept_bytes(const lctx_cache *c, int64_t n)
{
    lctx_tiles t = lctx__kept_tiles(c, NULL, n);
    return lctx__add(lctx__add(LCTX__ALIGN, lctx__tiles_bytes(&t)), lctx__mul(t.n_head_kv, n * 8));
}
static int64_t *lctx__kept_pos(const lctx_cache *c, const lctx__block *b, int64_t n)
{
    lctx_tiles t = lctx__kept_tiles(c, b, n);
    return (int64_t *)(void *)((char *)t.mem + lctx__tiles_bytes(&t));
}
static void lctx__kept_drop(lctx_cache *c)
{
    lctx__block_drop(c, c->kept);
    c->kept = NULL, c->n_kept = c->cut = 0;
}

/* Do windows decide what is seen? Else tokens stay until they are selected away. */
static int lctx__windowed(const lctx_cache *c)
{
    return c->d.policy == LCTX_WINDOW || c->d.policy == LCTX_SINKS;
}

/* A block's tiles, as the description has them, of which `at` tells. */
static lctx_status lctx__cache_tiles(lctx__site at, const lctx_cache_desc *d, lctx_tiles *t)
{
    memset(t, 0, sizeof *t);
    t->n_head_kv = d->n_head_kv, t->d_k = d->d_k, t->d_v = d->d_v ? d->d_v : d->d_k;
    t->k_type = d->k_type, t->v_type = d->v_type, t->latent = d->latent != 0;
    t->cap = d->block ? d->block : 256;
    return lctx__tiles_check(at, t, "block");
}

static lctx_status lctx__cache_check(lctx__site at, const lctx_cache_desc *d, lctx_tiles *t)
{
    const int64_t top = LCTX__MAX_POS;
    const int full = d->policy == LCTX_FULL, sinks = d->policy == LCTX_SINKS;
    const int heavy = d->policy == LCTX_HEAVY;
    LCTX__TRY(lctx__cache_tiles(at, d, t));
    LCTX__IN(d, policy, 0, LCTX_POLICY_COUNT - 1, ENUM); LCTX__FROM(d, max_tokens, 0, COUNT);
    LCTX__IN(d, window, !full, full ? 0 : top, WINDOW);
    LCTX__IN(d, n_sink, sinks, sinks || heavy ? INT32_MAX : 0, WINDOW);
    LCTX__IN(d, n_heavy, heavy, heavy ? top : 0, WINDOW);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_cache_tokens(const lctx_cache_desc *desc, int64_t bytes, int64_t *tokens)
{
    lctx_tiles t;
    if (!desc || lctx__begin(desc->refused, tokens ? NULL : "tokens")) return LCTX_E_NULL;
    LCTX__TRY(lctx__cache_tiles(LCTX__SITE(desc, lctx_cache_desc), desc, &t));
    if (bytes < 0) return lctx__tell(desc->refused, LCTX_E_COUNT, "bytes");
    *tokens = bytes / (lctx__tile_bytes(&t) * t.n_head_kv) * LCTX_TILE;
    return LCTX_OK;
}

/* By a description of a session's as well, whose fields have these names, too. */
static lctx_status lctx__cache_new(lctx__site at, const lctx_cache_desc *desc, lctx_cache **cache)
{
    const lctx_allocator alloc = lctx__allocator(desc->alloc);
    lctx_tiles tiles;
    lctx_cache *c;
    LCTX__TRY(lctx__cache_check(at, desc, &tiles));
    c = (lctx_cache *)lctx__new(&alloc, (int64_t)sizeof *c);
    if (!c) return lctx__tell(at.to, LCTX_E_MEMORY, NULL);
    c->d = *desc, c->alloc = alloc, c->tiles = tiles;
    c->d.block = (int32_t)tiles.cap, c->d.d_v = tiles.d_v;
    c->d.alloc = NULL, c->d.refused = NULL;
    *cache = c;
    return LCTX_OK;
}
LCTX_API lctx_status lctx_cache_create(const lctx_cache_desc *desc, lctx_cache **cache)
{
    if (!desc || lctx__begin(desc->refused, cache ? NULL : "cache")) return LCTX_E_NULL;
    return lctx__cache_new(LCTX__SITE(desc, lctx_cache_desc), desc, cache);
}

/* The tokens that it may come to. */
static int64_t lctx__room(const lctx_cache *c)
{
    return c->d.policy == LCTX_FULL && c->d.max_tokens ? c->d.max_tokens : LCTX__MAX_POS;
}

static void lctx__slots_drop(lctx_cache *c, int64_t from, int64_t to)
{
    int64_t i;
    for (i = from; i < to; i++) {
        lctx__block_drop(c, c->slot[i].block);
        lctx__close(c, &c->slot[i]);
    }
    memmove(c->slot + from, c->slot + to, (size_t)(c->n_slot - to) * sizeof *c->slot);
    c->n_slot -= to - from;
}

static int64_t lctx__mass_bytes(const lctx_cache *c, int64_t cap)
{
    return lctx__mul(3 * (int64_t)c->d.n_head_kv * (int64_t)sizeof *c->mass, cap);
}

static void lctx__contents_free(lctx_cache *c)
{
    if (c->n_slot) lctx__slots_drop(c, 0, c->n_slot);
    lctx__kept_drop(c);
    lctx__delete(&c->alloc, c->slot, c->cap_slot * (int64_t)sizeof *c->slot);
    lctx__delete(&c->alloc, c->mass, lctx__mass_bytes(c, c->cap_mass));
}

LCTX_API void lctx_cache_free(lctx_cache *cache)
{
    if (!cache) return;
    lctx__contents_free(cache);
    lctx__delete(&cache->alloc, cache, (int64_t)sizeof *cache);
}

static lctx_status lctx__slots_reserve(lctx_cache *c, int64_t n)
{
    const int64_t size = (int64_t)sizeof(lctx__slot);
    int64_t cap = lctx__max(c->cap_slot, 8);
    lctx__slot *slot;
    if (n <= c->cap_slot) return LCTX_OK;
    while (cap < n) cap *= 2;
    slot = (lctx__slot *)lctx__new(&c->alloc, lctx__mul(cap, size));
    if (!slot) return LCTX_E_MEMORY;
    if (c->n_slot) memcpy(slot, c->slot, (size_t)c->n_slot * sizeof *slot);
    lctx__delete(&c->alloc, c->slot, c->cap_slot * size);
    c->slot = slot, c->cap_slot = cap;
    return LCTX_OK;
}

static int64_t lctx__n_blocks(const lctx_cache *c, int64_t n)
{
    return (n + c->d.block - 1) / c->d.block;
}
/* The token from which on everything to the end is held: 0, or where the gap ends. */
static int64_t lctx__held_from(const lctx_cache *c)
{
    int64_t i, id = lctx__n_blocks(c, c->n);
    for (i = c->n_slot; i > 0 && c->slot[i - 1].id == id - 1; i--) id--;
    return lctx__max(lctx__min(id * c->d.block, c->n), c->cut);
}
/* Lowest position whose query sees its whole window, other than by being near the start. */
static int64_t lctx__window_min(const lctx_cache *c)
{
    int64_t from = lctx__held_from(c);
    return lctx__windowed(c) && from ? from + c->d.window - 1 : from;
}
/* The token from which on all keys to the end are open; 0 where none need be. */
static int64_t lctx__open_min(const lctx_cache *c)
{
    int64_t i, from = lctx__opens(c) ? c->n : 0;
    for (i = c->n_slot; from && i > 0 && c->slot[i - 1].open; i--) {
        from = c->slot[i - 1].open_from;
        if (from > c->slot[i - 1].id * c->d.block) break;
    }
    return from;
}
/* Of the window of a query at pos, are all keys before `end` held? */
static int lctx__window_held(const lctx_cache *c, int64_t pos, int64_t end)
{
    int64_t i, need = lctx__max(pos - c->d.window + 1, 0) / c->d.block;
    if (!lctx__windowed(c) || pos >= lctx__window_min(c)) return lctx__max(pos, 0) >= c->cut;
    for (i = 0; i < c->n_slot && c->slot[i].id < need; i++) {}
    for (; need * c->d.block < end; need++, i++)
        if (i == c->n_slot || c->slot[i].id != need) return 0;
    return 1;
}
/* And of all queries, with their own keys? Lists are checked whole, as queries may go in parts. */
static lctx_status lctx__windows_check(const lctx_cache *c, const lctx_attn *a)
{
    const lctx_status st = lctx__listed_check(a);
    int64_t t, pos;
    for (t = 0; !st && t < a->n_q; t++) {
        pos = lctx__q_pos(a, t);
        if (!lctx__window_held(c, pos, lctx__min(pos + 1, c->n)))
            return lctx__refuse_query(a, LCTX_E_EVICTED, t);
    }
    return st;
}

/* May token n be the next one? Its tile, if begun, must be open. */
static int lctx__can_rewind(const lctx_cache *c, int64_t n)
{
    const int64_t tile = lctx__tile_of(n);
    int64_t i = c->n_slot;
    if (n == 0) return 1;
    if (!lctx__window_held(c, n, n)) return 0;
    if (!lctx__opens(c) || tile == n) return 1;
    while (i > 0 && c->slot[i - 1].id * c->d.block > tile) i--;
    return i > 0 && c->slot[i - 1].open && c->slot[i - 1].open_from <= tile;
}

/* ---- selection of what was held before a cut; equally many tokens a head, in the spans' order */
typedef struct lctx__token { lctx__place key, value; int k_type; int64_t pos; } lctx__token;

static int64_t lctx__held(const lctx_cache *c)      /* if not windowed */
{
    return c->n_kept + c->n - c->cut;
}
static int64_t lctx__pos_at(const lctx_cache *c, int64_t g, int64_t i)
{
    if (i >= c->n_kept) return c->cut + i - c->n_kept;
    return lctx__kept_pos(c, c->kept, c->n_kept)[g * c->n_kept + i];
}
static lctx__token lctx__token_at(const lctx_cache *c, int64_t g, int64_t i)
{
    const lctx__slot *slot = NULL;
    lctx__token token;
    lctx_tiles t = lctx__kept_tiles(c, c->kept, c->n_kept);
    int64_t at = i;
    token.pos = lctx__pos_at(c, g, i);
    if (i >= c->n_kept) {
        slot = &c->slot[token.pos / c->d.block - c->slot[0].id];
        t = lctx__block_tiles(c, slot->block), at = token.pos % c->d.block;
    }
    token.key = lctx__key_at(&t, g, at), token.value = lctx__value_at(&t, g, at);
    token.k_type = t.k_type;
    if (t.k_type == LCTX_I4 && token.pos >= lctx__tile_of(c->n))
        token.key = lctx__open_key(&t, lctx__contents(slot->open), g, at), token.k_type = LCTX_F16;
    return token;
}

/* The accounts of mass follow: those in list move together, then come those not before the cut. */
static void lctx__keep_mass(lctx_cache *c, int64_t before, const int64_t *list, int64_t n)
{
    int64_t row, i, rest = lctx__held(c) - before;
    for (row = 0; c->mass && row < 2 * (int64_t)c->d.n_head_kv; row++) {
        float *mass = c->mass + row * c->cap_mass;
        for (i = 0; i < n; i++) mass[i] = mass[list[row % c->d.n_head_kv * n + i]];
        memmove(mass + n, mass + before, (size_t)rest * sizeof *mass);
    }
}

/* Puts in place of all tokens before the cut the n of each head whose numbers, rising, stand in
   list[n_head_kv][n]. On failure all is as before. */
static lctx_status lctx__keep(lctx_cache *c, int64_t cut, const int64_t *list, int64_t n)
{
    lctx__block *kept = lctx__block_new(c, lctx__kept_bytes(c, n), NULL);
    int64_t g, i, *pos;
    lctx_tiles t;
    if (!kept) return LCTX_E_MEMORY;
    t = lctx__kept_tiles(c, kept, n), pos = lctx__kept_pos(c, kept, n);
    for (g = 0; g < t.n_head_kv; g++)
        for (i = 0; i < n; i++) {
            const lctx__token from = lctx__token_at(c, g, list[g * n + i]);
            const lctx__place key = lctx__key_at(&t, g, i), value = lctx__value_at(&t, g, i);
            lctx__move_key(from.k_type, &from.key, &key);
            if (!t.latent) lctx__move_row(t.v_type, &from.value, &value);
            pos[g * n + i] = from.pos;
        }
    lctx__keep_mass(c, c->n_kept + cut - c->cut, list, n);
    lctx__kept_drop(c);
    c->kept = kept, c->n_kept = n, c->cut = cut;
    for (i = 0; i < c->n_slot && (c->slot[i].id + 1) * c->d.block <= cut; i++) {}
    if (i) lctx__slots_drop(c, 0, i);
    return LCTX_OK;
}

/* How much each of head g's first n tokens wants to stay. */
static void lctx__rank(const lctx_cache *c, const lctx_select *s, int64_t g, int64_t n,
                       uint32_t *rank)
{
    const char *mass = (const char *)s->mass + g * s->mass_head;
    int64_t i, j, end;
    for (i = 0; i < n; i++) {
        rank[i] = lctx__pos_at(c, g, i) < s->n_sink ? UINT32_MAX : 0;
        end = lctx__min(i + s->pool / 2 + 1, n);
        for (j = lctx__max(i - s->pool / 2, 0); j < end; j++) {
            uint32_t worth = lctx__order(*(const float *)(const void *)(mass + j * 4));
            if (worth > rank[i]) rank[i] = worth;
        }
    }
}

/* lctx_cache_select on tokens before the cut, checked. */
static lctx_status lctx__select(lctx_cache *c, const lctx_select *s, int64_t cut)
{
    const int64_t n = c->n_kept + cut - c->cut, heads = c->d.n_head_kv;
    const int64_t k = lctx__min(n, lctx__add(s->n_sink, s->n_heavy));
    const int64_t bytes = lctx__add(lctx__mul(heads * 8, k), lctx__mul(n, 4));
    lctx_status st;
    int64_t g, *list;
    if (k == n) return LCTX_OK;
    list = (int64_t *)lctx__new(&c->alloc, bytes);
    if (!list) return LCTX_E_MEMORY;
    for (g = 0; g < heads; g++) {
        uint32_t *rank = (uint32_t *)(void *)(list + heads * k);
        lctx__rank(c, s, g, n, rank);
        lctx__best(rank, n, k, list + g * k);
    }
    st = lctx__keep(c, cut, list, k);
    lctx__delete(&c->alloc, list, bytes);
    return st;
}

/* Fills in the defaults of *s and checks it. */
static lctx_status lctx__select_check(const lctx_cache *cache, lctx_select *s)
{
    const lctx__site at = LCTX__SITE(s, lctx_select);
    const int64_t n = lctx__held(cache), heads = cache->d.n_head_kv;
    const lctx__stride strides[] = { LCTX__STRIDE(s, s, mass_head, n * 4, n * 4, heads) };
    LCTX__FROM(s, n_heavy, 0, WINDOW); LCTX__FROM(s, window, 0, WINDOW);
    LCTX__FROM(s, n_sink, 0, WINDOW); LCTX__FROM(s, pool, 0, WINDOW);
    LCTX__DEFAULT(s->pool, 1);
    LCTX__IS(pool, s->pool % 2, WINDOW);
    LCTX__IS(mass, s->mass || !n, NULL);
    return lctx__strides(at, LCTX__ALL(strides));
}

LCTX_API lctx_status lctx_cache_select(lctx_cache *cache, const lctx_select *select)
{
    lctx_select s;
    lctx_status st;
    if (!select || lctx__begin(select->refused, cache ? NULL : "cache")) return LCTX_E_NULL;
    if (lctx__windowed(cache)) return lctx__tell(select->refused, LCTX_E_POLICY, "cache");
    s = *select;
    if (!s.mass) s.mass = cache->mass, s.mass_head = cache->cap_mass * 4;
    LCTX__TRY(lctx__select_check(cache, &s));
    st = lctx__select(cache, &s, lctx__max(cache->n - lctx__min(s.window, cache->n), cache->cut));
    return lctx__tell(s.refused, st, NULL);
}

LCTX_API lctx_status lctx_cache_drop(lctx_cache *cache, int64_t from, int64_t to)
{
    const int64_t heads = cache ? cache->d.n_head_kv : 0;
    int64_t cut, n, bytes, g, i, left = 0, *list;
    lctx_status st = LCTX_OK;
    if (!cache) return LCTX_E_NULL;
    if (lctx__windowed(cache)) return LCTX_E_POLICY;
    if (from < 0 || to < from || to > cache->n) return LCTX_E_POS;
    cut = lctx__max(cache->cut, to), n = cache->n_kept + cut - cache->cut;
    bytes = lctx__mul(heads * 8, n);
    if (!n || from == to) return LCTX_OK;
    if (!(list = (int64_t *)lctx__new(&cache->alloc, bytes))) return LCTX_E_MEMORY;
    for (g = 0; !st && g < heads; g++) {
        const int64_t before = left;
        int64_t *at = list + g * before;
        for (i = left = 0; i < n; i++) {
            const int64_t pos = lctx__pos_at(cache, g, i);
            if (pos < from || pos >= to) at[left++] = i;
        }
        if (g && left != before) st = LCTX_E_EVICTED;
    }
    if (!st && left < n) st = lctx__keep(cache, cut, list, left);
    lctx__delete(&cache->alloc, list, bytes);
    return st;
}

LCTX_API lctx_status lctx_cache_begin(lctx_cache *cache, int64_t pos)
{
    if (!cache) return LCTX_E_NULL;
    if (lctx__windowed(cache)) return LCTX_E_POLICY;
    if (cache->n || pos < 0 || pos >= LCTX__MAX_POS) return LCTX_E_POS;
    if (lctx__opens(cache) && pos % LCTX_TILE) return LCTX_E_POS;
    if (pos > lctx__room(cache)) return LCTX_E_FULL;
    if (!pos) return LCTX_OK;
    cache->kept = lctx__block_new(cache, lctx__kept_bytes(cache, 0), NULL);
    if (!cache->kept) return LCTX_E_MEMORY;
    cache->n = cache->cut = pos;
    return LCTX_OK;
}

/* Drops what no query at or after pos can see, and closes blocks a tile behind it. HEAVY: a block
   of tokens that leaves its window competes with what was kept; without the memory for that it
   stays, to compete at the next time. */
static void lctx__evict(lctx_cache *c, int64_t pos)
{
    const int64_t b = c->d.block, from = pos - c->d.window + 1;   /* the window's first token */
    int64_t lo = 0, hi;
    lctx_select s;
    memset(&s, 0, sizeof s);
    s.mass = c->mass, s.mass_head = c->cap_mass * 4;
    s.n_heavy = c->d.n_heavy, s.n_sink = c->d.n_sink, s.pool = 1;
    if (c->d.policy == LCTX_HEAVY && from - from % b > c->cut)
        (void)lctx__select(c, &s, from - from % b);
    for (hi = 0; hi < c->n_slot && (c->slot[hi].id + 1) * b <= pos - LCTX_TILE; hi++)
        lctx__close(c, &c->slot[hi]);
    if (!lctx__windowed(c)) return;
    while (lo < c->n_slot && c->slot[lo].id * b < c->d.n_sink) lo++;
    for (hi = lo; hi < c->n_slot && (c->slot[hi].id + 1) * b <= from; hi++) {}
    if (hi > lo) lctx__slots_drop(c, lo, hi);
}

/* The block, or a copy of a shared one, or a new one where there is none; null without memory. */
static lctx__block *lctx__block_own(const lctx_cache *c, lctx__block *b, int64_t bytes)
{
    return b && lctx__count(&b->refs) == 1 ? b : lctx__block_new(c, bytes, b);
}

/* Makes the slot that token `at` goes to one's own, and open for it; or all is as before. */
static lctx_status lctx__own(const lctx_cache *c, lctx__slot *s, int64_t at)
{
    const int opens = lctx__opens(c);
    lctx__block *block = lctx__block_own(c, s->block, lctx__block_bytes(c)), *open = NULL;
    if (block && opens) open = lctx__block_own(c, s->open, lctx__open_bytes(c));
    if (!block || (opens && !open)) {
        if (block != s->block) lctx__block_drop(c, block);
        return LCTX_E_MEMORY;
    }
    if (!s->open) s->open_from = at;
    if (block != s->block) lctx__block_drop(c, s->block);
    if (open != s->open) lctx__block_drop(c, s->open);
    s->block = block, s->open = open;
    return LCTX_OK;
}

/* A slot more, with its blocks; there is room for it. */
static lctx_status lctx__slot_new(lctx_cache *c, int64_t id)
{
    lctx__slot *s = &c->slot[c->n_slot];
    lctx_status st;
    s->id = id, s->block = s->open = NULL;
    if ((st = lctx__own(c, s, id * c->d.block)) == LCTX_OK) c->n_slot++;
    return st;
}

/* Blocks for tokens c->n .. end-1, the one in hand made one's own. On failure all is as before. */
static lctx_status lctx__blocks_reserve(lctx_cache *c, int64_t end)
{
    const int64_t n0 = c->n_slot, last = (end - 1) / c->d.block;
    const int in_hand = n0 && c->slot[n0 - 1].id == c->n / c->d.block;
    int64_t id = c->n / c->d.block + in_hand;
    lctx_status st = lctx__slots_reserve(c, n0 + last - id + 1);
    for (; !st && id <= last; id++) st = lctx__slot_new(c, id);
    if (!st && in_hand) st = lctx__own(c, &c->slot[n0 - 1], c->n);
    if (st && c->n_slot > n0) lctx__slots_drop(c, n0, c->n_slot);
    return st;
}

static lctx_status lctx__mass_reserve(lctx_cache *c, int64_t n)
{
    const int64_t held = lctx__held(c);
    int64_t cap = lctx__max(c->cap_mass, LCTX_TILE), row;
    float *mass;
    if (c->d.policy != LCTX_HEAVY) return LCTX_OK;
    while (cap < held + n) cap *= 2;
    if (cap == c->cap_mass) return LCTX_OK;
    mass = (float *)lctx__new(&c->alloc, lctx__mass_bytes(c, cap));
    if (!mass) return LCTX_E_MEMORY;
    for (row = 0; c->mass && row < 2 * (int64_t)c->d.n_head_kv; row++)
        memcpy(mass + row * cap, c->mass + row * c->cap_mass, (size_t)held * sizeof *mass);
    lctx__delete(&c->alloc, c->mass, lctx__mass_bytes(c, c->cap_mass));
    c->mass = mass, c->cap_mass = cap;
    return LCTX_OK;
}
/* Opens accounts for tokens c->n .. n-1, and remembers the others, should that be undone. */
static void lctx__mass_begin(lctx_cache *c, int64_t n)
{
    const int64_t held = lctx__held(c), one = c->d.n_head_kv * c->cap_mass;
    int64_t row;
    if (!c->mass) return;
    for (row = 0; row < c->d.n_head_kv; row++)
        memset(c->mass + row * c->cap_mass + held, 0, (size_t)(n - c->n) * sizeof *c->mass);
    memmove(c->mass + one, c->mass, 2 * (size_t)one * sizeof *c->mass);
    c->n_older = c->n_before, c->n_before = c->n;
}

/* Appends without evicting: what the model step does before it knows that all went well. */
static lctx_status lctx__append(lctx_cache *c, const lctx_rows *rows)
{
    const lctx__site at = LCTX__SITE(rows, lctx_rows);
    lctx_rows full;
    lctx_status st;
    int64_t row, n, i, first;
    LCTX__TRY(lctx__rows_check(rows, &c->tiles, &full));
    if (rows->n == 0) return LCTX_OK;
    LCTX__IS(n, rows->n <= LCTX__MAX_POS - c->n, POS);
    LCTX__IS(n, rows->n <= lctx__room(c) - c->n, FULL);
    st = lctx__mass_reserve(c, rows->n);
    if (!st) st = lctx__blocks_reserve(c, c->n + rows->n);
    if (st) return lctx__tell(rows->refused, st, NULL);
    lctx__mass_begin(c, c->n + rows->n);
    for (i = c->n_slot - 1; i > 0 && c->slot[i].id * c->d.block > c->n; i--) {}
    for (row = 0; row < rows->n; row += n, i++) {
        lctx_tiles t = lctx__block_tiles(c, c->slot[i].block);
        first = c->n + row - c->slot[i].id * c->d.block;
        n = lctx__min(c->d.block - first, rows->n - row);
        lctx__write_rows(&t, lctx__opens(c) ? lctx__contents(c->slot[i].open) : NULL, first, &full,
                         row, n);
        if (first + n == c->d.block) lctx__summarise(c, c->slot[i].block);
    }
    c->n += rows->n;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_cache_append(lctx_cache *cache, const lctx_rows *rows)
{
    lctx_status st;
    if (!rows || lctx__begin(rows->refused, cache ? NULL : "cache")) return LCTX_E_NULL;
    if ((st = lctx__append(cache, rows)) == LCTX_OK) lctx__evict(cache, cache->n - rows->n);
    return st;
}

/* A slot whose blocks a second cache holds too. */
static lctx__slot lctx__slot_share(const lctx__slot *s)
{
    lctx__count_up(&s->block->refs);
    if (s->open) lctx__count_up(&s->open->refs);
    return *s;
}

/* What is saved of a cache first: its format; of its description what two that go together have the
   same; its state. */
#define LCTX__MAGIC 0x3148434158544cll        /* "LTXACH1" */
enum { LCTX__HEAD_SAME = 12, LCTX__HEAD_WORDS = 17 };
static void lctx__cache_head(const lctx_cache *c, int64_t head[LCTX__HEAD_WORDS])
{
    const lctx_cache_desc *d = &c->d;
    const int64_t v_type = c->tiles.latent ? -1 : d->v_type;
    const int64_t h[LCTX__HEAD_WORDS] = {
        LCTX__MAGIC, 4, d->n_head_kv, d->d_k, d->d_v, d->k_type, v_type, d->policy, d->n_sink,
        d->window, d->n_heavy, d->block, c->n, c->n_slot, c->cut, c->n_kept, c->n_before
    };
    memcpy(head, h, sizeof h);
}

static lctx_status lctx__join_check(const lctx_cache *c, const lctx_cache *o)
{
    int64_t a[LCTX__HEAD_WORDS], b[LCTX__HEAD_WORDS];
    if (lctx__windowed(c)) return LCTX_E_POLICY;
    lctx__cache_head(c, a), lctx__cache_head(o, b);
    if (memcmp(a, b, LCTX__HEAD_SAME * 8) || !c->d.summaries != !o->d.summaries ||
        c->alloc.alloc != o->alloc.alloc || c->alloc.free != o->alloc.free ||
        c->alloc.user != o->alloc.user)
        return LCTX_E_MISMATCH;
    if (o->n_kept) return LCTX_E_EVICTED;
    if (o->cut != c->n || c == o || (lctx__opens(c) && c->n % LCTX_TILE)) return LCTX_E_POS;
    return o->n > lctx__room(c) ? LCTX_E_FULL : LCTX_OK;
}

/* Tokens from c->n on of the block in both caches; of 4 bits whole tiles, open as in the other. */
static void lctx__join_block(lctx_cache *c, const lctx_cache *o)
{
    lctx__slot *to = &c->slot[c->n_slot - 1];
    const lctx__slot *from = &o->slot[0];
    const lctx_tiles a = lctx__block_tiles(c, to->block), b = lctx__block_tiles(o, from->block);
    const int64_t end = lctx__min(o->n, (from->id + 1) * c->d.block), first = c->n % c->d.block;
    const size_t key_bytes = (size_t)lctx__key_bytes(a.k_type, a.d_k);
    lctx__place in, out;
    int64_t g, i;
    for (g = 0; g < a.n_head_kv; g++)
        for (i = first; i < first + end - c->n; i++) {
            in = lctx__key_at(&b, g, i), out = lctx__key_at(&a, g, i);
            if (a.k_type != LCTX_I4) lctx__move_row(a.k_type, &in, &out);
            else if (i % LCTX_TILE == 0)
                memcpy(lctx__tile_at(&a, g, i), lctx__tile_at(&b, g, i), key_bytes);
            in = lctx__value_at(&b, g, i), out = lctx__value_at(&a, g, i);
            if (!a.latent) lctx__move_row(a.v_type, &in, &out);
            if (!from->open) continue;
            in = lctx__open_key(&b, lctx__contents(from->open), g, i);
            out = lctx__open_key(&a, lctx__contents(to->open), g, i);
            lctx__move_row(LCTX_F16, &in, &out);
        }
    if (!from->open) lctx__close(c, to);
    else if (from->open_from > c->n) to->open_from = from->open_from;
    if (end % c->d.block == 0) lctx__summarise(c, to->block);
}

LCTX_API lctx_status lctx_cache_join(lctx_cache *cache, const lctx_cache *other)
{
    lctx_cache *c = cache;
    int64_t held, g, i;
    int in_hand;
    if (!c || !other) return LCTX_E_NULL;
    LCTX__TRY(lctx__join_check(c, other));
    if (other->n == c->n) return LCTX_OK;
    held = lctx__held(c), in_hand = c->n_slot && c->slot[c->n_slot - 1].id == c->n / c->d.block;
    LCTX__TRY(lctx__slots_reserve(c, c->n_slot + other->n_slot - in_hand));
    LCTX__TRY(lctx__mass_reserve(c, other->n - c->n));
    if (in_hand) LCTX__TRY(lctx__own(c, &c->slot[c->n_slot - 1], c->n));
    lctx__mass_begin(c, other->n);
    for (g = 0; c->mass && g < c->d.n_head_kv; g++)
        memcpy(c->mass + g * c->cap_mass + held, other->mass + g * other->cap_mass,
               (size_t)(other->n - c->n) * sizeof *c->mass);
    if (in_hand) lctx__join_block(c, other);
    for (i = in_hand; i < other->n_slot; i++)
        c->slot[c->n_slot++] = lctx__slot_share(&other->slot[i]);
    c->n = other->n;
    return LCTX_OK;
}

/* The span of what a selection kept: where it was born, or, raw, right before what follows. */
static lctx_span lctx__kept_span(const lctx_cache *c, int raw)
{
    lctx_tiles t;
    lctx_span s;
    memset(&s, 0, sizeof s);
    if (!c->n_kept) return s;
    t = lctx__kept_tiles(c, c->kept, c->n_kept);
    lctx__tiles_span_of(&t, 0, c->n_kept, raw ? c->cut - c->n_kept : 0, &s);
    if (!raw) s.k_pos = lctx__kept_pos(c, c->kept, c->n_kept);
    return s;
}

/* The span of tokens from .. to-1 of a slot, with keys of 4 bits open or not. */
static lctx_span lctx__slot_span(const lctx_cache *c, const lctx__slot *slot, int64_t from,
                                 int64_t to, int open)
{
    const int64_t first = from - slot->id * c->d.block;
    const int64_t before = (c->part + slot->id * c->others) * c->d.block;    /* others' tokens */
    lctx_tiles t = lctx__block_tiles(c, slot->block);
    lctx_span s;
    lctx__tiles_span_of(&t, first, to - from, before + from, &s);
    s.index = from;
    if (!open) return s;
    s.v_head = s.k_head, s.v_token = lctx__tile_bytes(&t);
    s.k = lctx__open_at(&t, lctx__contents(slot->open), 0, first), s.k_type = LCTX_F16;
    s.k_token = lctx__key_bytes(LCTX_F16, t.d_k), s.k_head = t.cap / LCTX_TILE * s.k_token;
    return s;
}

/* A slot's spans in order, as a query in the tile from token `tile` on sees them: its own tile and
   what follows open, as far as it is. Tokens below n_sink are apart from the rest, for they are
   scored with the far copy of the query. They go to number n and on, below cap; returns the end. */
static int64_t lctx__slot_spans(const lctx_cache *c, const lctx__slot *slot, int64_t tile,
                                lctx_span *spans, int64_t cap, int64_t n)
{
    const int64_t n_far = c->d.policy == LCTX_SINKS ? c->d.n_sink : 0;
    const int64_t begin = lctx__max(slot->id * c->d.block, c->cut);
    const int64_t end = lctx__min((slot->id + 1) * c->d.block, c->n);
    const int64_t edge = slot->open ? lctx__max(tile, slot->open_from) : end;
    int64_t at, to;
    for (at = begin; at < end; at = to, n++) {
        to = at < edge ? lctx__min(edge, end) : end;
        if (at < n_far) to = lctx__min(to, n_far);
        if (n >= cap) continue;
        spans[n] = lctx__slot_span(c, slot, at, to, at >= edge);
        spans[n].query = at < n_far;
    }
    return n;
}

/* All spans: what was kept, raw or not, then the blocks. Returns how many; writes up to cap. */
static int64_t lctx__cache_spans(const lctx_cache *c, int64_t tile, int raw, lctx_span *spans,
                                 int64_t cap)
{
    int64_t i, n = c->n_kept > 0;
    if (n && cap > 0) spans[0] = lctx__kept_span(c, raw);
    for (i = 0; i < c->n_slot; i++) n = lctx__slot_spans(c, &c->slot[i], tile, spans, cap, n);
    return n;
}

LCTX_API lctx_status lctx_cache_spans(const lctx_cache *cache, lctx_span *spans, int64_t cap,
                                      int64_t *n)
{
    if (!cache || !n || (cap > 0 && !spans)) return LCTX_E_NULL;
    if (cap < 0) return LCTX_E_COUNT;
    *n = lctx__cache_spans(cache, lctx__tile_of(cache->n), 0, spans, cap);
    return LCTX_OK;
}

LCTX_API int64_t lctx_cache_far_pos(const lctx_cache *cache, int64_t pos)
{
    if (!cache || cache->d.policy != LCTX_SINKS) return pos;
    return lctx__min(pos, cache->d.n_sink + cache->d.window - 1);
}

static int lctx__unset_or(int64_t given, int64_t value) { return given == 0 || given == value; }

/* What attn says of the cache, which must be nothing or true. */
static lctx_status lctx__cache_agrees(const lctx_cache *c, const lctx_attn *a)
{
    const lctx__site at = LCTX__SITE(a, lctx_attn);
    const lctx_cache_desc *d = &c->d;
    LCTX__IS(n_head_kv, lctx__unset_or(a->n_head_kv, d->n_head_kv), HEADS);
    LCTX__IS(d_k, lctx__unset_or(a->d_k, d->d_k), HEAD_DIM);
    LCTX__IS(d_v, lctx__unset_or(a->d_v, d->d_v), HEAD_DIM);
    LCTX__IS(spans, !a->spans, SPAN); LCTX__IS(n_spans, !a->n_spans, SPAN);
    if (a->rope && a->rope->n_hat > 0 && (c->n_kept || d->policy == LCTX_HEAVY))
        return lctx__refuse(LCTX__SITE(a, lctx_rope), LCTX_E_N_HAT, "n_hat");
    if (!lctx__windowed(c)) return LCTX_OK;
    if (a->pattern && a->pattern->n_global)
        return lctx__refuse(LCTX__SITE(a, lctx_pattern), LCTX_E_GLOBAL, "n_global");
    LCTX__IS(window, lctx__unset_or(a->window, d->window), WINDOW);
    LCTX__IS(n_sink, lctx__unset_or(a->n_sink, d->n_sink), WINDOW);
    if (d->policy == LCTX_SINKS && a->rope)
        LCTX__IS(far_pos, lctx__unset_or(a->far_pos, d->n_sink + d->window - 1), POS);
    return LCTX_OK;
}

/* attn with what the cache knows filled in, but for the spans. */
static lctx_status lctx__cache_attn(const lctx_cache *c, const lctx_attn *attn, lctx_attn *out)
{
    const lctx_cache_desc *d = &c->d;
    LCTX__TRY(lctx__cache_agrees(c, attn));
    *out = *attn;
    out->n_head_kv = d->n_head_kv, out->d_k = d->d_k, out->d_v = d->d_v;
    if (c->mass && !attn->mass) out->mass = c->mass, out->mass_head = c->cap_mass * 4;
    if (lctx__windowed(c)) out->window = d->window, out->n_sink = d->n_sink;
    if (d->policy == LCTX_SINKS && attn->rope) out->far_pos = d->n_sink + d->window - 1;
    return lctx__attn_check(out);
}

/* ---- open keys: a query's tile decides which they are; its queries are attended together */
/* The tile of a query; beyond the end that of the next token, for no tile after it is full. */
static int64_t lctx__query_tile(const lctx_cache *c, const lctx_attn *a, int64_t t)
{
    return lctx__tile_of(lctx__clip(lctx__q_pos(a, t), c->n));
}
/* How many of the queries from t on see the same spans; those of *tile. */
static int64_t lctx__query_run(const lctx_cache *c, const lctx_attn *a, int64_t t, int64_t *tile)
{
    const int64_t rest = a->n_q - t;
    int64_t n;
    *tile = rest > 0 ? lctx__query_tile(c, a, t) : 0;
    if (rest <= 0 || !lctx__opens(c)) return rest;
    if (!a->q_pos && *tile == lctx__tile_of(c->n)) return rest;
    if (!a->q_pos) return lctx__min(rest, *tile + LCTX_TILE - lctx__q_pos(a, t));
    for (n = 1; n < rest && lctx__query_tile(c, a, t + n) == *tile; n++) {}
    return n;
}

/* Row t of what has a row of n_kv for each query; its stride from head to head stays. */
static const void *lctx__row_kv(const void *rows, int64_t *head, int64_t query, int64_t packed,
                                int64_t n_q, int64_t t)
{
    const int64_t row = LCTX__SAME_OR(query, packed);
    if (!*head) *head = row ? row * n_q : packed;
    return rows ? (const char *)rows + t * row : NULL;
}
/* Of a descriptor, found sound by the part that begins it, the part of queries t .. t+n-1. */
static lctx_attn lctx__attn_queries(const lctx_attn *attn, int64_t t, int64_t n)
{
    const int64_t heads = attn->n_head, d_v = attn->d_v ? attn->d_v : attn->d_k;
    const int64_t q = t * (attn->q_token ? attn->q_token : heads * attn->d_k * 4);
    const int64_t counted = attn->mass_queries ? attn->mass_queries : attn->n_q;
    lctx_attn a = *attn;
    int64_t i, n_kv = 0;
    if (n == attn->n_q) return a;
    for (i = 0; i < a.n_spans; i++) n_kv += a.spans[i].n;
    if (a.q) a.q = (const float *)(const void *)((const char *)a.q + q);
    if (a.q_far) a.q_far = (const float *)(const void *)((const char *)a.q_far + q);
    if (a.q_pos) a.q_pos += t;
    if (a.q_group) a.q_group += t;
    if (a.out) a.out += t * (a.out_token ? a.out_token : heads * d_v * 4) / 4;
    if (a.lse) a.lse += t * (a.lse_token ? a.lse_token : heads * 4) / 4;
    a.bias = (const float *)lctx__row_kv(a.bias, &a.bias_head, a.bias_query, n_kv * 4, a.n_q, t);
    a.mask_bits = (const uint64_t *)lctx__row_kv(a.mask_bits, &a.mask_head, a.mask_query,
                                                 lctx__round_up(n_kv, 64) / 8, a.n_q, t);
    a.list_first += t;
    a.mass_queries = lctx__clip(t + n - (a.n_q - counted), n);
    if (!a.mass_queries) a.mass = NULL;
    a.q_pos0 += t, a.n_q = n;
    a.progress = NULL;
    return a;
}

/* `own` bytes and scratch for the greatest of these parts; as many queries need as much. */
static lctx_status lctx__parts_size(const lctx_cache *c, const lctx_attn *attn, int64_t own,
                                    size_t *bytes)
{
    size_t part;
    int64_t t = 0, n, sized = -1, tile, most = 0;
    lctx_attn a;
    LCTX__TRY(lctx_attend_size(attn, &part));      /* is all of it sound? */
    do {
        n = lctx__query_run(c, attn, t, &tile);
        if (n == sized) continue;
        a = lctx__attn_queries(attn, t, n), sized = n;
        LCTX__TRY(lctx_attend_size(&a, &part));
        most = lctx__max(most, (int64_t)part);
    } while ((t += n) < attn->n_q);
    own = lctx__add(own, most), *bytes = (size_t)own;
    return lctx__fits(own) ? LCTX_OK : lctx__tell(attn->refused, LCTX_E_OVERFLOW, NULL);
}

/* Bytes of the cache's own account of mass, where this attention adds to it. */
static int64_t lctx__account_bytes(const lctx_cache *c, const lctx_attn *a)
{
    return c->mass && a->mass == c->mass ? lctx__mass_bytes(c, c->cap_mass) / 3 : 0;
}

/* What attention over a cache needs, before attention's own scratch. */
typedef struct lctx__reading {
    lctx_span *spans;      /* [cap] */
    int64_t    cap;
    float     *account;    /* of mass, as it was */
    float     *lse;        /* if mass needs it and nobody else */
} lctx__reading;
static int64_t lctx__reading_carve(const lctx_cache *c, const lctx_attn *a, void *at,
                                   lctx__reading *x)
{
    lctx__carver r = lctx__carver_of(at);
    int64_t i;
    x->cap = lctx__cache_spans(c, c->n, 0, NULL, 0);
    for (i = 0; i < c->n_slot; i++) x->cap += c->slot[i].open != NULL;    /* may give two */
    x->spans = (lctx_span *)lctx__carve(&r, x->cap, (int64_t)sizeof *x->spans);
    x->account = (float *)lctx__carve(&r, lctx__account_bytes(c, a), 1);
    x->lse = a->mass && !a->lse ? (float *)lctx__carve(&r, a->n_q, a->n_head * (int64_t)4) : NULL;
    return lctx__add(r.used, LCTX__ALIGN);
}

/* Attention over it, by parts of the queries that see the same spans. */
static lctx_status lctx__attend_parts(const lctx_cache *c, const lctx__reading *x, lctx_attn *a,
                                      char *scratch, size_t bytes)
{
    int64_t t = 0, n, tile;
    lctx_attn part;
    do {
        n = lctx__query_run(c, a, t, &tile), a->spans = x->spans;
        a->n_spans = lctx__cache_spans(c, tile, a->rope != NULL, x->spans, x->cap);
        part = lctx__attn_queries(a, t, n);
        LCTX__TRY(lctx_attend(&part, scratch, bytes));
        if (n < a->n_q && a->progress && a->progress(a->progress_user, t + n, a->n_q))
            return lctx__tell(a->refused, LCTX_E_CANCELLED, NULL);
    } while ((t += n) < a->n_q);
    return LCTX_OK;
}

/* A span without memory over tokens from .. to-1: for asking how much scratch they need. */
static lctx_span lctx__run_span(const lctx_cache *c, int64_t from, int64_t to)
{
    lctx_span s;
    memset(&s, 0, sizeof s);
    s.k_type = c->tiles.k_type, s.v_type = c->tiles.v_type, s.layout = LCTX_TILES;
    if (to <= from) return s;
    s.n = to - from, s.pos = s.index = from, s.skip = (int32_t)(from % LCTX_TILE);
    return s;
}

/* Few spans that need as much scratch as the cache's: the same leaves, and sinks if it has any. */
enum { LCTX__RUNS = 4 };
static void lctx__cache_runs(const lctx_cache *c, lctx_span runs[LCTX__RUNS], lctx_attn *a)
{
    const int64_t from = lctx__held_from(c);
    int64_t n_sink = c->d.policy == LCTX_SINKS ? lctx__min(c->d.n_sink, c->n) : 0, lead = 0;
    if (from && lctx__windowed(c))
        while (lead < c->n_slot && c->slot[lead].id == lead) lead++;
    runs[0] = lctx__kept_span(c, a->rope != NULL);
    runs[1] = lctx__run_span(c, 0, n_sink);
    runs[2] = lctx__run_span(c, n_sink, lead * c->d.block);     /* up to the gap */
    runs[3] = lctx__run_span(c, lctx__max(from, n_sink), c->n);
    runs[1].query = n_sink > 0;
    a->spans = runs, a->n_spans = LCTX__RUNS;
}

LCTX_API lctx_status lctx_cache_attend_size(const lctx_cache *cache, const lctx_attn *attn,
                                            size_t *bytes)
{
    lctx_span runs[LCTX__RUNS];
    lctx__reading x;
    lctx_attn a;
    if (!attn || lctx__begin(attn->refused, !cache ? "cache" : !bytes ? "bytes" : NULL))
        return LCTX_E_NULL;
    LCTX__TRY(lctx__cache_attn(cache, attn, &a));
    lctx__cache_runs(cache, runs, &a);
    return lctx__parts_size(cache, &a, lctx__reading_carve(cache, &a, NULL, &x), bytes);
}

/* Attention with what the cache knows filled in. */
static lctx_status lctx__attend_held(const lctx_cache *c, lctx_attn *a, void *scratch, size_t room)
{
    lctx__reading x;
    const int64_t bytes = lctx__reading_carve(c, a, NULL, &x);
    size_t account;
    lctx_status st;
    if (!lctx__fits(bytes)) return lctx__tell(a->refused, LCTX_E_OVERFLOW, NULL);
    if (!scratch || room < (size_t)bytes)
        return lctx__tell(a->refused, LCTX_E_SCRATCH, scratch ? "scratch_bytes" : "scratch");
    (void)lctx__reading_carve(c, a, lctx__aligned(scratch), &x);
    if (x.lse) a->lse = x.lse, a->lse_token = 0;
    LCTX__TRY(lctx__windows_check(c, a));
    account = (size_t)lctx__account_bytes(c, a);
    if (account) memcpy(x.account, c->mass, account);
    st = lctx__attend_parts(c, &x, a, (char *)scratch + bytes, room - (size_t)bytes);
    if (st && account) memcpy(c->mass, x.account, account);
    return st;
}

LCTX_API lctx_status lctx_cache_attend(lctx_cache *cache, const lctx_attn *attn,
                                       void *scratch, size_t scratch_bytes)
{
    lctx_attn a;
    if (!attn || lctx__begin(attn->refused, cache ? NULL : "cache")) return LCTX_E_NULL;
    LCTX__TRY(lctx__cache_attn(cache, attn, &a));
    return lctx__attend_held(cache, &a, scratch, scratch_bytes);
}

/* ---- retrieval: lists by the bounds of blocks; attention by these lists */
typedef struct lctx__retrieving {
    const lctx_cache *c;
    const lctx_retrieve *r;
    lctx_attn a;             /* with what the cache knows, and its strides */
    lctx_span runs[LCTX__RUNS];
    lctx_choice choice;
    lctx__choosing by;
    int64_t own;             /* bytes before attention's scratch */
} lctx__retrieving;

LCTX_API lctx_status lctx_cache_summaries(const lctx_cache *cache, lctx_span *spans, int64_t cap,
                                          int64_t *n)
{
    int64_t i;
    if (!cache || !n || (!spans && cap > 0)) return LCTX_E_NULL;
    if (cap < 0) return LCTX_E_COUNT;
    if (!cache->d.summaries) return LCTX_E_POLICY;
    for (i = *n = 0; i < cache->n_slot; i++) {
        const lctx__slot *slot = &cache->slot[i];
        lctx_span s;
        if ((slot->id + 1) * cache->d.block > cache->n) break;    /* it is being filled */
        memset(&s, 0, sizeof s);
        s.k = lctx__summary(cache, slot->block, 0), s.v = (const float *)s.k + cache->d.d_k;
        s.k_head = s.v_head = (int64_t)cache->d.d_k * 8, s.n = 1, s.index = slot->id;
        if (*n < cap) spans[*n] = s;
        ++*n;
    }
    return LCTX_OK;
}

/* What is to be chosen; lists are as long as any may be. What was kept is read as sinks are. */
static void lctx__retrieve_shape(lctx__retrieving *x)
{
    const lctx_retrieve *r = x->r;
    const int64_t block = x->c->d.block, n = (x->c->n + block - 1) / block;
    const int64_t kept = lctx__round_up(x->c->n_kept, block);
    lctx_attn *a = &x->a;
    int64_t most;
    a->list_queries = r->queries ? r->queries : lctx__max(a->n_q, 1);
    a->list_first = r->queries && !a->q_pos ? lctx__max(a->q_pos0, 0) % r->queries : 0;
    a->list_heads = a->n_head_kv, a->list_keys = x->c->d.block;
    x->choice.kind = LCTX_SCORE_BOUND;
    x->choice.n_top = r->n_top ? r->n_top : -1;
    x->choice.n_sink = lctx__max(r->n_sink, kept), x->choice.window = r->window;
    most = lctx__min(r->n_top, n) + lctx__min(x->choice.n_sink, x->c->n) / block + 4;
    most += (lctx__min(r->window, x->c->n) + lctx__min(a->list_queries, a->n_q)) / block;
    if (a->mask != LCTX_CAUSAL || (a->q_pos && a->list_queries > 1)) most = n;
    a->list_len = lctx__min(most, n);
    x->by.c = &x->choice, x->by.p.a = *a, x->by.n = n, x->by.last = x->c->n - 1;
    x->by.each = 1;
    x->by.lists = a->n_q ? lctx__list_row(a, a->n_q - 1) + 1 : 0;
}
static int64_t lctx__retrieve_carve(lctx__retrieving *x, void *at)
{
    lctx__carver r = lctx__carver_of(at);
    lctx_span *spans = (lctx_span *)lctx__carve(&r, x->c->n_slot, (int64_t)sizeof *spans);
    x->by.list = (int32_t *)lctx__carve(&r, x->by.lists,
                                        lctx__mul(x->a.n_head_kv * (int64_t)4, x->a.list_len));
    x->by.p.a.spans = spans;
    (void)lctx_cache_summaries(x->c, spans, spans ? x->c->n_slot : 0, &x->by.p.a.n_spans);
    return lctx__add(r.used, lctx__choosing_carve(&x->by, spans ? r.base + r.used : NULL));
}

/* Makes a job of a call, all that it says checked, with so many bytes of scratch. */
static lctx_status lctx__retrieve_make(lctx__retrieving *x, const lctx_cache *c,
                                       const lctx_attn *attn, const lctx_retrieve *r, size_t *bytes)
{
    static const int32_t some = 0;
    lctx__site at;
    lctx__reading reading;
    lctx_attn strides;
    int64_t held;
    if (r) (void)lctx__begin(r->refused, attn ? NULL : "attn");
    if (!attn || lctx__begin(attn->refused, !c ? "cache" : !r ? "retrieve" :
                                            !bytes ? "bytes" : NULL)) return LCTX_E_NULL;
    if (c->d.policy != LCTX_FULL || !c->d.summaries)
        return lctx__tell(attn->refused, LCTX_E_POLICY, "cache");
    memset(x, 0, sizeof *x);
    at = LCTX__SITE(attn, lctx_attn);
    LCTX__IS(rope, !attn->rope, POLICY); LCTX__IS(list, !attn->list, LIST);
    LCTX__TRY(lctx__cache_attn(c, attn, &x->a));
    lctx__cache_runs(c, x->runs, &x->a);
    LCTX__TRY(lctx_attend_size(&x->a, bytes));
    strides = x->a;
    LCTX__TRY(lctx__attn_strides(&strides, 0));
    x->a.q_token = strides.q_token, x->a.q_head = strides.q_head;
    at = LCTX__SITE(r, lctx_retrieve);
    LCTX__FROM(r, n_top, 0, WINDOW); LCTX__FROM(r, window, 1, WINDOW);
    LCTX__FROM(r, n_sink, 0, WINDOW); LCTX__FROM(r, queries, 0, COUNT);
    x->c = c, x->r = r;
    lctx__retrieve_shape(x);
    x->own = lctx__retrieve_carve(x, NULL);
    x->a.list = &some;       /* there will be lists, whose scratch attention counts */
    held = lctx__reading_carve(c, &x->a, NULL, &reading);
    return lctx__parts_size(c, &x->a, lctx__add(x->own, held), bytes);
}

LCTX_API lctx_status lctx_cache_retrieve_size(const lctx_cache *cache, const lctx_attn *attn,
                                              const lctx_retrieve *retrieve, size_t *bytes)
{
    lctx__retrieving x;
    return lctx__retrieve_make(&x, cache, attn, retrieve, bytes);
}

/* Says which blocks are in any list; these are in order. */
static void lctx__retrieve_read(const lctx__retrieving *x, uint8_t *read)
{
    const lctx_cache *c = x->c;
    const int64_t heads = x->a.n_head_kv;
    int64_t i, j, n;
    memset(read, 0, (size_t)(heads * c->n_slot));
    for (i = 0; i < x->by.lists * heads; i++) {
        const int32_t *list = x->by.list + i * x->a.list_len;
        for (j = n = 0; n < c->n_slot; n++) {
            while (j < x->a.list_len && list[j] >= 0 && list[j] < c->slot[n].id) j++;
            if (j < x->a.list_len && list[j] == c->slot[n].id) read[i % heads * c->n_slot + n] = 1;
        }
    }
}

LCTX_API lctx_status lctx_cache_retrieve(const lctx_cache *cache, const lctx_attn *attn,
                                         const lctx_retrieve *retrieve, void *scratch,
                                         size_t scratch_bytes)
{
    lctx__retrieving x;
    size_t bytes;
    LCTX__TRY(lctx__retrieve_make(&x, cache, attn, retrieve, &bytes));
    if (x.a.n_q && (!x.a.q || !x.a.out))
        return lctx__refuse(LCTX__SITE(&x.a, lctx_attn), LCTX_E_NULL, x.a.q ? "out" : "q");
    if (!scratch || scratch_bytes < bytes)
        return lctx__tell(x.a.refused, LCTX_E_SCRATCH, scratch ? "scratch_bytes" : "scratch");
    LCTX__TRY(lctx__windows_check(cache, &x.a));
    (void)lctx__retrieve_carve(&x, lctx__aligned(scratch));
    lctx__choose(&x.by);
    if (x.r->read) lctx__retrieve_read(&x, x.r->read);
    x.a.list = x.by.list;
    return lctx__attend_held(cache, &x.a, (char *)scratch + x.own, scratch_bytes - (size_t)x.own);
}

LCTX_API lctx_status lctx_cache_rewind(lctx_cache *cache, int64_t n)
{
    int64_t keep;
    if (!cache) return LCTX_E_NULL;
    if (n < 0 || n > cache->n) return LCTX_E_POS;
    if (!lctx__can_rewind(cache, n)) return LCTX_E_EVICTED;
    for (keep = cache->n_slot; keep && cache->slot[keep - 1].id * cache->d.block >= n; keep--) {}
    if (keep < cache->n_slot) lctx__slots_drop(cache, keep, cache->n_slot);
    if (keep && cache->slot[keep - 1].open_from >= n) lctx__close(cache, &cache->slot[keep - 1]);
    if (!n) lctx__kept_drop(cache);
    if (cache->mass && n <= cache->n_before)       /* the last append and its queries, undone */
        memcpy(cache->mass, cache->mass + cache->d.n_head_kv * cache->cap_mass,
               (size_t)lctx__mass_bytes(cache, cache->cap_mass) / 3);
    cache->n = n, cache->n_before = lctx__min(cache->n_before, n);
    return LCTX_OK;
}

LCTX_API lctx_status lctx_cache_fork(const lctx_cache *cache, lctx_cache **fork)
{
    const int64_t bytes = cache ? lctx__mass_bytes(cache, cache->cap_mass) : 0;
    lctx_cache *c;
    int64_t i;
    if (!cache || !fork) return LCTX_E_NULL;
    c = (lctx_cache *)lctx__new(&cache->alloc, (int64_t)sizeof *c);
    if (!c) return LCTX_E_MEMORY;
    *c = *cache;
    c->slot = NULL, c->n_slot = c->cap_slot = 0;
    if (c->kept) lctx__count_up(&c->kept->refs);
    if (cache->mass && (c->mass = (float *)lctx__new(&c->alloc, bytes)) != NULL)
        memcpy(c->mass, cache->mass, (size_t)bytes);
    if (!c->mass != !cache->mass || lctx__slots_reserve(c, cache->n_slot)) {
        lctx_cache_free(c);
        return LCTX_E_MEMORY;
    }
    for (i = 0; i < cache->n_slot; i++) c->slot[i] = lctx__slot_share(&cache->slot[i]);
    c->n_slot = cache->n_slot;
    *fork = c;
    return LCTX_OK;
}

static void lctx__add_bytes(lctx_cache_info *info, lctx__block *b)
{
    if (b) info->bytes += b->bytes;
    if (b && lctx__count(&b->refs) > 1) info->bytes_shared += b->bytes;
}

LCTX_API lctx_status lctx_cache_get_info(const lctx_cache *cache, lctx_cache_info *info)
{
    int64_t i;
    if (!cache || !info) return LCTX_E_NULL;
    memset(info, 0, sizeof *info);
    info->n = cache->n;
    info->n_block = cache->n_slot;
    info->n_held = info->n_kept = cache->n_kept;
    lctx__add_bytes(info, cache->kept);
    for (i = 0; i < cache->n_slot; i++) {
        int64_t from = cache->slot[i].id * cache->d.block, end = from + cache->d.block;
        info->n_held += lctx__min(end, cache->n) - lctx__max(from, cache->cut);
        lctx__add_bytes(info, cache->slot[i].block);
        lctx__add_bytes(info, cache->slot[i].open);
    }
    info->n_dropped = cache->n - info->n_held;
    info->rewind_min = lctx__max(lctx__window_min(cache), lctx__open_min(cache));
    return LCTX_OK;
}

/* ---- save and restore: 64-bit words, raw blocks, and their checksum (FNV-1a over words) */
#define LCTX__FNV   0xcbf29ce484222325u       /* what sums begin with */

typedef struct lctx__stream {
    lctx_write write;
    lctx_read  read;
    void      *user;
    uint64_t   sum;
} lctx__stream;

/* Writes or reads n bytes, a multiple of 8 everywhere, whichever way the stream goes. */
static lctx_status lctx__carry(lctx__stream *s, void *data, int64_t n)
{
    uint64_t word;
    int64_t i;
    if (n && (s->write ? s->write(s->user, data, (size_t)n) : s->read(s->user, data, (size_t)n)))
        return LCTX_E_IO;
    for (i = 0; i < n; i += 8) {
        memcpy(&word, (const char *)data + i, 8);
        s->sum = (s->sum ^ word) * 0x100000001b3u;
        s->sum ^= s->sum >> 29;      /* so that high bits reach low ones */
    }
    return LCTX_OK;
}
static lctx_status lctx__carry_sum(lctx__stream *s)
{
    const uint64_t want = s->sum;
    uint64_t sum = want;
    if (lctx__carry(s, &sum, sizeof sum)) return LCTX_E_IO;
    return sum == want ? LCTX_OK : LCTX_E_FORMAT;
}
/* A head of n words, of which the first `fixed` are as one's own: format, then shape. */
static lctx_status lctx__carry_head(lctx__stream *s, int64_t *head, const int64_t *own, int n,
                                   int fixed)
{
    LCTX__TRY(lctx__carry(s, head, (int64_t)n * 8));
    if (memcmp(head, own, 2 * 8)) return LCTX_E_FORMAT;
    LCTX__TRY(lctx__carry_sum(s));
    return memcmp(head, own, (size_t)fixed * 8) ? LCTX_E_MISMATCH : LCTX_OK;
}

enum { LCTX__PIECE = 65536 };

/* The accounts of mass, now and before the last append; rows are even in floats, what is too much
   is zero. They come last, when what they belong to has come. */
static lctx_status lctx__carry_mass(const lctx_cache *c, lctx__stream *s)
{
    const int64_t n = c->mass ? lctx__held(c) : 0;
    int64_t row;
    for (row = 0; n && row < 2 * c->d.n_head_kv; row++) {
        float *mass = c->mass + row * c->cap_mass;
        if (n % 2) mass[n] = 0;
        LCTX__TRY(lctx__carry(s, mass, (n + n % 2) * 4));
    }
    return LCTX_OK;
}

static lctx_status lctx__carry_block(lctx__stream *s, lctx__block *b)
{
    return b ? lctx__carry(s, lctx__contents(b), b->bytes - LCTX__ALIGN) : LCTX_OK;
}
/* Of a slot all but its summaries. */
static lctx_status lctx__carry_slot(const lctx_cache *c, lctx__stream *s, const lctx__slot *slot)
{
    LCTX__TRY(lctx__carry(s, lctx__contents(slot->block), lctx__tiles_bytes(&c->tiles)));
    return lctx__carry_block(s, slot->open);
}

LCTX_API lctx_status lctx_cache_save(const lctx_cache *cache, lctx_write write, void *user)
{
    lctx__stream s = { write, NULL, user, LCTX__FNV };
    int64_t head[LCTX__HEAD_WORDS], i;
    if (!cache || !write) return LCTX_E_NULL;
    lctx__cache_head(cache, head);
    LCTX__TRY(lctx__carry_head(&s, head, head, LCTX__HEAD_WORDS, 0));
    LCTX__TRY(lctx__carry_block(&s, cache->kept));
    for (i = 0; i < cache->n_slot; i++) {
        const lctx__slot *slot = &cache->slot[i];
        int64_t words[2] = { slot->id, slot->open ? slot->open_from : -1 };
        LCTX__TRY(lctx__carry(&s, words, sizeof words));
        LCTX__TRY(lctx__carry_slot(cache, &s, slot));
    }
    LCTX__TRY(lctx__carry_mass(cache, &s));
    return lctx__carry_sum(&s);
}

/* A block of so many bytes, which grows as they arrive: a head may promise anything. */
static lctx_status lctx__load_block(const lctx_cache *c, lctx__stream *s, int64_t bytes,
                                    lctx__block **block)
{
    lctx__block *b = lctx__block_new(c, LCTX__ALIGN, NULL), *grown;
    lctx_status st = b ? LCTX_OK : LCTX_E_MEMORY;
    for (; !st && b->bytes < bytes; b = grown) {
        const int64_t have = b->bytes, cap = lctx__min(bytes, have + lctx__max(have, LCTX__PIECE));
        grown = lctx__block_new(c, cap, b);
        st = grown ? lctx__carry(s, (char *)grown + have, cap - have) : LCTX_E_MEMORY;
        lctx__block_drop(c, b);
    }
    if (st) lctx__block_drop(c, b);
    else *block = b;
    return st;
}

/* What a selection kept, into an empty cache. */
static lctx_status lctx__load_kept(lctx_cache *c, lctx__stream *s, int64_t cut, int64_t n_kept)
{
    int64_t g, i, *pos;
    if (!cut) return LCTX_OK;
    LCTX__TRY(lctx__load_block(c, s, lctx__kept_bytes(c, n_kept), &c->kept));
    c->n_kept = n_kept, c->cut = c->n = cut;
    pos = lctx__kept_pos(c, c->kept, n_kept);
    for (g = 0; g < c->d.n_head_kv; g++, pos += n_kept)
        for (i = 0; i < n_kept; i++)
            if (pos[i] < (i ? pos[i - 1] + 1 : 0) || pos[i] >= cut) return LCTX_E_FORMAT;
    return LCTX_OK;
}

/* A block, number id of a cache that is to hold n tokens, and its open keys. */
static lctx_status lctx__load_slot(lctx_cache *c, lctx__stream *s, int64_t id, int64_t n)
{
    const int64_t end = (id + 1) * c->d.block;
    int64_t words[2];
    lctx__slot *slot;
    LCTX__TRY(lctx__carry(s, words, sizeof words));
    if (words[0] != id || (words[1] != -1 && (!lctx__opens(c) || words[1] % LCTX_TILE ||
        words[1] < id * c->d.block || words[1] >= lctx__min(end, n))))
        return LCTX_E_FORMAT;
    LCTX__TRY(lctx__slots_reserve(c, c->n_slot + 1));
    LCTX__TRY(lctx__slot_new(c, id));
    slot = &c->slot[c->n_slot - 1];
    if (words[1] == -1) lctx__close(c, slot);
    else slot->open_from = words[1];
    LCTX__TRY(lctx__carry_slot(c, s, slot));
    if (end <= n) lctx__summarise(c, slot->block);
    return LCTX_OK;
}

/* The blocks of a stream: those of the sinks, then the last ones, without a gap. Without a window
   they are all from the cut on, or none where it ends there. */
static lctx_status lctx__load_blocks(lctx_cache *c, lctx__stream *s, int64_t n, int64_t n_slot)
{
    const int windowed = lctx__windowed(c);
    const int64_t all = lctx__n_blocks(c, n), most = all - c->cut / c->d.block;
    const int64_t lead = windowed ? lctx__min(lctx__n_blocks(c, c->d.n_sink), all) : 0;
    int64_t i;
    if (n_slot < lead || n_slot > most) return LCTX_E_FORMAT;
    if (!windowed && n_slot < most && (n_slot || n > c->cut)) return LCTX_E_FORMAT;
    for (i = 0; i < n_slot; i++)
        LCTX__TRY(lctx__load_slot(c, s, i < lead ? i : all - n_slot + i, n));
    c->n = n;
    return lctx__can_rewind(c, n) ? LCTX_OK : LCTX_E_FORMAT;
}

LCTX_API lctx_status lctx_cache_restore(lctx_cache *cache, lctx_read read, void *user)
{
    lctx__stream s = { NULL, read, user, LCTX__FNV };
    int64_t head[LCTX__HEAD_WORDS], mine[LCTX__HEAD_WORDS], n, cut, n_kept, n_before;
    lctx_cache fresh, old;
    lctx_status st;
    if (!cache || !read) return LCTX_E_NULL;
    lctx__cache_head(cache, mine);
    LCTX__TRY(lctx__carry_head(&s, head, mine, LCTX__HEAD_WORDS, LCTX__HEAD_SAME));
    n = head[12], cut = head[14], n_kept = head[15], n_before = head[16];
    if (n < 0 || n > LCTX__MAX_POS || cut < 0 || cut > n || n_kept < 0 || n_kept > cut ||
        n_before < 0 || n_before > n || (cut && lctx__windowed(cache)) ||
        (n_before && cache->d.policy != LCTX_HEAVY))
        return LCTX_E_FORMAT;
    if (n > lctx__room(cache)) return LCTX_E_FULL;
    memset(&fresh, 0, sizeof fresh);
    fresh.d = cache->d, fresh.alloc = cache->alloc, fresh.tiles = cache->tiles;
    fresh.part = cache->part, fresh.others = cache->others, fresh.n_before = n_before;
    st = lctx__load_kept(&fresh, &s, cut, n_kept);
    if (!st) st = lctx__load_blocks(&fresh, &s, n, head[13]);
    if (!st) st = lctx__mass_reserve(&fresh, 0);
    if (!st) st = lctx__carry_mass(&fresh, &s);
    if (!st) st = lctx__carry_sum(&s);
    old = *cache;
    if (!st) *cache = fresh;
    else old = fresh;
    lctx__contents_free(&old);
    return st;
}

#ifndef LCTX_NO_MODEL
/* ============================================================================ >>model */
/* Of a sequence's first n tokens, how many a cache of one part keeps. */
static int64_t lctx__share(const lctx_cache *c, int64_t n)
{
    const int64_t b = c->d.block, round = (c->others + 1) * b;
    return n / round * b + lctx__clip(n % round - c->part * b, b);
}
/* Appends those of the rows, of tokens from n on, that it keeps: all, or a block at a time. */
static lctx_status lctx__append_share(lctx_cache *c, int64_t n, const lctx_rows *rows)
{
    const int64_t b = c->d.block;
    lctx_rows r = *rows;
    int64_t at;
    for (at = 0; at < rows->n; at += r.n) {
        r.n = c->others ? lctx__min(rows->n - at, b - (n + at) % b) : rows->n;
        r.k = rows->k + at * rows->k_token / 4, r.v = rows->v + at * rows->v_token / 4;
        if (!c->others || (n + at) / b % (c->others + 1) == c->part)
            LCTX__TRY(lctx__append(c, &r));
    }
    return LCTX_OK;
}

/* What a feed that fails does in the caches that it got to: all is as before their append. */
static void lctx__undo(lctx_cache *c, int64_t n)
{
    const int64_t one = c->d.n_head_kv * c->cap_mass, own = lctx__share(c, n);
    if (c->n == own) return;
    (void)lctx_cache_rewind(c, own);
    if (c->mass) memmove(c->mass, c->mass + one, 2 * (size_t)one * sizeof *c->mass);
    c->n_before = c->n_older;
}

struct lctx_session {
    lctx_model     m;            /* with the defaults filled in */
    lctx_session_desc d;         /* its pointers null, but for what follows */
    lctx_allocator alloc;
    lctx_parallel  par;
    int            raw, live;    /* raw keys; a schedule for each token, from: */
    lctx_rope_desc rope;
    lctx_far_rule  far_rule;
    int32_t        n_cache;      /* layers that attend */
    lctx_cache   **cache;        /* [n_cache] */
    float         *state;        /* mixers' (see lctx__states), so many floats */
    int64_t        state_floats;
    int            now;          /* which of two buffers holds states; the other is fed into */
    int64_t        newest, oldest;    /* snapshots: tokens so far; from where on they hold */
    lctx_refusal   refused;
    int64_t        n;            /* tokens fed */
    char          *work;         /* activations, as lctx__acts carves them */
    int64_t        work_bytes;
    lctx__runs    *rounded;      /* activations of a product, in there; null where it is precise */
    char          *scratch;      /* attention's */
    int64_t        scratch_bytes;
};

/* A session that is fed, maybe one of many over the same weights, and which rows are its own. */
typedef struct lctx__feeding {
    lctx_session *s;
    const int32_t *tokens;
    int64_t n, n0;               /* tokens in all; in the session before */
    int64_t done;                /* tokens fed */
    int64_t row, rows;           /* of this round; and how many of the last round with any: */
    int64_t last;
    lctx_cache **before;         /* the caches' forks, if it takes more than one chunk */
} lctx__feeding;

/* Activations of one chunk; rows are padded to 16 floats, the padding zero. */
typedef struct lctx__acts {
    lctx_session *s;             /* the first that is fed, or whose own rows these are */
    const lctx__feeding *feeds;  /* [n_feed] */
    int64_t n_feed, n;           /* rows */
    int64_t ld_x, ld_q, ld_k;            /* floats a row: d_model, heads, KV heads */
    int64_t ld_f, ld_e;                  /* the widest layer's d_ff, experts */
    float *x, *h;                /* [chunk][ld_x] */
    float *q, *far, *att;        /* [chunk][ld_q] */
    float *lse;                  /* [chunk][n_head] to be joined; packed rows are in far */
    float *k, *v;                /* [chunk][ld_k] */
    float *sum;                  /* [chunk][ld_x] what is normed before it is added to x */
    float *gate, *up;            /* [LCTX__TOKENS][ld_f]: the FFN goes in smaller blocks */
    float *route;                /* [chunk][ld_e] the experts' logits, then weights */
    uint32_t *rank;              /* [ld_e] */
    int64_t *chosen;             /* [ld_e] */
    float *in, *out;             /* [LCTX__TOKENS][ld_x] of experts */
    float *vec;                  /* [widest] a norm or bias that is not stored as f32 */
    int64_t *pos;                /* [chunk] far positions */
    int64_t ld_c, ld_z, ld_g;    /* mixers' channels, values, heads */
    float *raw, *mixed;          /* [chunk][ld_c] before and after a convolution */
    float *z, *y;                /* [chunk][ld_z] */
    float *beta, *dt;            /* [chunk][ld_g] */
    int64_t shifting;            /* rows of RWKV-7's: chunk, or 0 */
    float *apart, *shifted;      /* [shifting][ld_x] from the token before, and shifted */
    float *first;                /* [shifting][ld_z] */
    lctx__runs *rounded;         /* of chunk rows of x, or of as many as the FFN takes of d_ff */
} lctx__acts;

/* ---- checks */
/* Of a matrix of so many columns, or, 0, of a norm or bias. */
static lctx_status lctx__weight(const lctx_tensor *t, int needed, int64_t cols)
{
    const int rows = cols && lctx__in_blocks(t->type);
    if (!t->data) return needed ? LCTX_E_WEIGHT : LCTX_OK;
    if (!(rows || lctx__type_ok(t->type)) || (!cols && t->type == LCTX_I8)) return LCTX_E_TYPE;
    if (rows && cols % lctx__block_of(t->type)) return LCTX_E_SHAPE;
    return t->type == LCTX_I8 && !t->scale ? LCTX_E_SCALE : LCTX_OK;
}
#define LCTX__WEIGHT(s, field, needed, cols) do { \
        const lctx_status bad = lctx__weight(&(s)->field, needed, cols); \
        LCTX__NOT(bad, #field, bad); } while (0)

static int lctx__attends(const lctx_layer *l) { return !l->mixer || l->beside; }
static const lctx_rope *lctx__layer_rope(const lctx_layer *l, const lctx_model *m)
{
    return l->no_rope || !lctx__attends(l) ? NULL : l->rope ? l->rope : m->rope;
}
/* Of layer i, or of the model. */
static lctx__site lctx__layer_rope_site(lctx_refusal *to, const lctx_model *m, int32_t i)
{
    return lctx__site_of(to, "lctx_rope", m->layers[i].rope ? i : -1);
}

static int32_t lctx__layer_ff(const lctx_layer *l, const lctx_model *m)
{
    return l->d_ff ? l->d_ff : m->d_ff;
}
/* Mixers: keys, values, channels of the convolution. */
static int64_t lctx__keys(const lctx_mixer *x) { return (int64_t)x->n_head_k * x->d_k; }
static int64_t lctx__values(const lctx_mixer *x) { return (int64_t)x->n_head * x->d_v; }
static int64_t lctx__channels(const lctx_mixer *x)
{
    return (x->kind == LCTX_MIXER_RWKV7 ? 3 : 2) * lctx__keys(x) + lctx__values(x);
}
/* Floats a row of n activations: an odd number of lines, so that columns do not meet in one set of
   a cache. */
static int64_t lctx__wide(int64_t n) { return lctx__round_up(n, 16) | 16; }
static void lctx__widen(int64_t *ld, int64_t n) { *ld = lctx__max(*ld, lctx__wide(n)); }
/* Of what all layers have the most. */
static void lctx__widest(const lctx_model *m, lctx__acts *a, int64_t *n_expert, int64_t *d_k)
{
    int32_t i;
    a->ld_f = a->ld_c = a->ld_z = a->ld_g = a->shifting = *n_expert = *d_k = 0;
    for (i = 0; i < m->n_layer; i++) {
        const lctx_layer *l = &m->layers[i];
        const lctx_mixer *x = l->mixer;
        lctx__widen(&a->ld_f, lctx__max(lctx__layer_ff(l, m), l->d_ff_shared));
        *n_expert = lctx__max(*n_expert, l->n_expert);
        if (!x) continue;
        lctx__widen(&a->ld_c, lctx__channels(x)), lctx__widen(&a->ld_z, lctx__values(x));
        lctx__widen(&a->ld_g, x->n_head), *d_k = lctx__max(*d_k, x->d_k);
        if (x->kind != LCTX_MIXER_RWKV7) continue;
        lctx__widen(&a->ld_z, lctx__max(lctx__max(x->w.rank, x->v.rank),
                                        lctx__max(x->rate.rank, x->g.rank)));
        a->shifting = 1;
    }
}
#define LCTX__LOW_RANK(s, rank, down, up, needed, cols) \
    LCTX__FROM(s, rank, needed, SHAPE); \
    LCTX__WEIGHT(s, down, (s)->rank, cols); LCTX__WEIGHT(s, up, (s)->rank, (s)->rank)
static lctx_status lctx__mixer_check(const lctx_model *m, int32_t i)
{
    const lctx_mixer *x = m->layers[i].mixer;
    const lctx__site at = lctx__site_of(m->refused, "lctx_mixer", i);
    const int64_t d = m->d_model;
    LCTX__FROM(x, n_head, 1, SHAPE); LCTX__FROM(x, n_head_k, 1, SHAPE);
    LCTX__IS(n_head, x->n_head % x->n_head_k == 0, HEADS);
    LCTX__IS(d_k, lctx__dim_ok(x->d_k), HEAD_DIM); LCTX__IS(d_v, lctx__dim_ok(x->d_v), HEAD_DIM);
    LCTX__IS(n_head, lctx__channels(x) <= INT32_MAX, SHAPE);
    LCTX__IN(x, kind, 0, LCTX_MIXER_COUNT - 1, ENUM);
    LCTX__WEIGHT(x, w_out, 1, lctx__values(x));
    LCTX__IS(norm, x->norm || x->kind == LCTX_MIXER_MAMBA2, WEIGHT);
    if (x->kind == LCTX_MIXER_RWKV7) {
        LCTX__IS(n_head_k, x->n_head_k == x->n_head, HEADS);
        LCTX__WEIGHT(x, w_r, 1, d); LCTX__WEIGHT(x, w_k, 1, d); LCTX__WEIGHT(x, w_v, 1, d);
        LCTX__LOW_RANK(x, w.rank, w.down, w.up, 1, d);
        LCTX__LOW_RANK(x, v.rank, v.down, v.up, 0, d);
        LCTX__LOW_RANK(x, rate.rank, rate.down, rate.up, 1, d);
        LCTX__LOW_RANK(x, g.rank, g.down, g.up, 1, d);
        LCTX__IS(shift, x->shift, WEIGHT); LCTX__IS(norm_bias, x->norm_bias, WEIGHT);
        LCTX__IS(k_k, x->k_k, WEIGHT); LCTX__IS(k_a, x->k_a, WEIGHT); LCTX__IS(r_k, x->r_k, WEIGHT);
        return LCTX_OK;
    }
    LCTX__IN(x, taps, 1, LCTX_MAX_TAPS, TAPS);
    LCTX__WEIGHT(x, w_beta, x->kind == LCTX_MIXER_DELTA, d);
    LCTX__WEIGHT(x, w_in, 1, d); LCTX__WEIGHT(x, w_z, 1, d);
    LCTX__WEIGHT(x, w_dt, 1, d); LCTX__IS(conv, x->conv, WEIGHT);
    LCTX__IS(a, x->a, WEIGHT); LCTX__IS(dt_bias, x->dt_bias, WEIGHT);
    return LCTX_OK;
}

static lctx_status lctx__ffn_check(const lctx_model *m, int32_t i)
{
    const lctx_layer *l = &m->layers[i];
    const lctx__site at = lctx__site_of(m->refused, "lctx_layer", i);
    const int shared = l->d_ff_shared != 0;
    const int64_t d = m->d_model, ff = lctx__layer_ff(l, m);
    const int64_t ff_shared = lctx__max(1, l->d_ff_shared);
    if (l->mixer && !l->ffn_norm.data) return LCTX_OK;
    LCTX__IN(l, activation, 0, LCTX_ACTIVATION_COUNT - 1, ENUM);
    LCTX__IN(l, routing, 0, LCTX_ROUTING_COUNT - 1, ENUM);
    LCTX__FROM(l, d_ff, 0, SHAPE); LCTX__FROM(l, d_ff_shared, 0, SHAPE);
    LCTX__FROM(l, n_expert, 0, SHAPE);
    LCTX__IN(l, n_expert_used, l->n_expert > 0, l->n_expert, SHAPE);
    LCTX__IS(n_expert, lctx__mul(l->n_expert, lctx__max(d, ff)) <= INT32_MAX, SHAPE);
    LCTX__WEIGHT(l, ffn_norm, 1, 0); LCTX__WEIGHT(l, ffn_post_norm, 0, 0);
    LCTX__WEIGHT(l, w_gate, 1, d); LCTX__WEIGHT(l, w_up, l->activation != LCTX_RELU, d);
    LCTX__WEIGHT(l, w_down, 1, ff);
    LCTX__WEIGHT(l, b_gate, 0, 0); LCTX__WEIGHT(l, b_up, 0, 0); LCTX__WEIGHT(l, b_down, 0, 0);
    LCTX__WEIGHT(l, router, l->n_expert > 0, d); LCTX__WEIGHT(l, b_router, 0, 0);
    LCTX__WEIGHT(l, shared_gate, shared, d); LCTX__WEIGHT(l, shared_up, shared, d);
    LCTX__WEIGHT(l, shared_down, shared, ff_shared); LCTX__WEIGHT(l, shared_router, 0, d);
    return LCTX_OK;
}

static lctx_status lctx__layer_check(const lctx_model *m, int32_t i)
{
    const lctx_layer *l = &m->layers[i];
    const lctx__site at = lctx__site_of(m->refused, "lctx_layer", i);
    const lctx_rope *rope = lctx__layer_rope(l, m);
    const int64_t d = m->d_model, nq = (int64_t)m->n_head * m->head_dim;
    LCTX__WEIGHT(l, attn_norm, 1, 0); LCTX__WEIGHT(l, attn_post_norm, 0, 0);
    LCTX__TRY(lctx__ffn_check(m, i));
    if (l->mixer) LCTX__TRY(lctx__mixer_check(m, i));
    if (!lctx__attends(l)) return LCTX_OK;
    LCTX__WEIGHT(l, wq, 1, d); LCTX__WEIGHT(l, wk, 1, d);
    LCTX__WEIGHT(l, wv, 1, d); LCTX__WEIGHT(l, wo, 1, nq); LCTX__WEIGHT(l, bq, 0, 0);
    LCTX__WEIGHT(l, bk, 0, 0); LCTX__WEIGHT(l, bv, 0, 0); LCTX__WEIGHT(l, bo, 0, 0);
    LCTX__WEIGHT(l, q_norm, 0, 0); LCTX__WEIGHT(l, k_norm, 0, 0); LCTX__WEIGHT(l, attn_gate, 0, d);
    LCTX__FROM(l, window, 0, WINDOW);
    LCTX__FROM(l, q_scale_length, 0, SHAPE); LCTX__REAL(l, q_scale, SHAPE);
    LCTX__REAL(l, q_scale_offset, SHAPE);
    if (l->pattern) LCTX__TRY(lctx__pattern_check(m->refused, l->pattern, i));
    if (!rope) return LCTX_OK;
    return lctx__rope_fits(lctx__layer_rope_site(m->refused, m, i), rope, m->head_dim, 0);
}

static lctx_model lctx__model(const lctx_model *model)
{
    lctx_model m = *model;
    if (!m.head_dim && m.n_head > 0) m.head_dim = m.d_model / m.n_head;
    if (m.norm_eps == 0) m.norm_eps = 1e-5f;
    if (m.embd_scale == 0) m.embd_scale = 1;
    if (!m.output.data) m.output = m.tok_embd;
    return m;
}

static lctx_status lctx__model_check(const lctx_model *m)
{
    const lctx__site at = LCTX__SITE(m, lctx_model);
    int32_t i;
    LCTX__IS(layers, m->layers, NULL);
    LCTX__FROM(m, n_layer, 1, SHAPE); LCTX__FROM(m, n_head, 1, SHAPE);
    LCTX__FROM(m, n_head_kv, 1, SHAPE); LCTX__FROM(m, d_model, 1, SHAPE);
    LCTX__FROM(m, d_ff, 1, SHAPE); LCTX__FROM(m, n_vocab, 1, SHAPE);
    LCTX__IS(norm_eps, lctx__above(m->norm_eps, 0), SHAPE);
    LCTX__IS(embd_scale, lctx__finite(m->embd_scale), SHAPE);
    LCTX__IS(n_head, m->n_head % m->n_head_kv == 0, HEADS);
    LCTX__IS(head_dim, lctx__dim_ok(m->head_dim), HEAD_DIM);
    LCTX__IS(head_dim, lctx__mul(m->n_head, m->head_dim) <= INT32_MAX, SHAPE);
    LCTX__REAL(m, softcap, SOFTCAP); LCTX__REAL(m, logit_softcap, SOFTCAP);
    LCTX__REAL(m, attn_scale, SOFTCAP);
    LCTX__WEIGHT(m, tok_embd, 1, m->d_model); LCTX__WEIGHT(m, output, 1, m->d_model);
    LCTX__WEIGHT(m, output_norm, 1, 0); LCTX__WEIGHT(m, embd_norm, 0, 0);
    for (i = 0; i < m->n_layer; i++) LCTX__TRY(lctx__layer_check(m, i));
    return LCTX_OK;
}

LCTX_API lctx_status lctx_model_check(const lctx_model *model)
{
    lctx_model m;
    if (!model || lctx__begin(model->refused, NULL)) return LCTX_E_NULL;
    m = lctx__model(model);
    return lctx__model_check(&m);
}

/* ---- creation */
/* Where a layer's cache is; null where it does not attend. */
static lctx_cache **lctx__cache_of(const lctx_session *s, int32_t layer)
{
    int32_t i, at = 0;
    for (i = 0; i < layer; i++) at += lctx__attends(&s->m.layers[i]);
    return lctx__attends(&s->m.layers[layer]) ? &s->cache[at] : NULL;
}

/* The cache of a layer: the session's policy, narrowed by the layer's own window. */
static lctx_cache_desc lctx__layer_cache(const lctx_session *s, int32_t layer)
{
    lctx_cache_desc c;
    int64_t window = s->m.layers[layer].window;
    memset(&c, 0, sizeof c);
    c.n_head_kv = s->m.n_head_kv, c.d_k = c.d_v = s->m.head_dim;
    c.k_type = s->d.k_type, c.v_type = s->d.v_type;
    c.policy = s->d.policy, c.window = s->d.window, c.n_sink = s->d.n_sink;
    c.n_heavy = s->d.n_heavy;
    c.block = s->d.block, c.max_tokens = s->d.max_tokens, c.alloc = &s->alloc;
    if (s->d.n_read && !c.block) c.block = LCTX_TILE;
    if (s->d.n_read && !window) c.window = c.n_sink = 0, c.summaries = 1;
    if (!window) return c;
    if (c.policy == LCTX_FULL || c.policy == LCTX_HEAVY)
        c.policy = LCTX_WINDOW, c.window = window, c.n_sink = 0, c.n_heavy = 0;
    else c.window = lctx__min(c.window, window);
    return c;
}

/* Carves the activations out of `at` (null: only measures); returns the bytes. */
#define LCTX__ACTS(field, n, ld) LCTX__FLOATS(&r, a->field, n, ld)
static int64_t lctx__acts_carve(const lctx_session *s, void *at, lctx__acts *a)
{
    const lctx_model *m = &s->m;
    const int64_t n = s->d.chunk;
    int64_t n_expert, pairs, runs, d_k;
    lctx__carver r = lctx__carver_of(at);
    lctx__widest(m, a, &n_expert, &d_k), pairs = n_expert ? LCTX__TOKENS : 0;
    a->ld_x = lctx__wide(m->d_model), a->ld_e = lctx__wide(n_expert);
    a->ld_q = lctx__wide((int64_t)m->n_head * m->head_dim);
    a->ld_k = lctx__wide((int64_t)m->n_head_kv * m->head_dim);
    runs = lctx__max(lctx__mul(n, (lctx__max(a->ld_x, lctx__max(a->ld_q, a->ld_z)) + 255) / 256),
                     lctx__mul(LCTX__TOKENS, (a->ld_f + 255) / 256));
    LCTX__ACTS(x, n, a->ld_x); LCTX__ACTS(h, n, a->ld_x); LCTX__ACTS(sum, n, a->ld_x);
    LCTX__ACTS(q, n, a->ld_q); LCTX__ACTS(far, n, a->ld_q); LCTX__ACTS(att, n, a->ld_q);
    LCTX__ACTS(lse, n, m->n_head);
    LCTX__ACTS(k, n, a->ld_k); LCTX__ACTS(v, n, a->ld_k);
    LCTX__ACTS(gate, LCTX__TOKENS, a->ld_f); LCTX__ACTS(up, LCTX__TOKENS, a->ld_f);
    LCTX__ACTS(route, n, a->ld_e);
    LCTX__ACTS(in, pairs, a->ld_x); LCTX__ACTS(out, pairs, a->ld_x);
    LCTX__ACTS(vec, lctx__max(1, n_expert),
               lctx__max(lctx__max(d_k, a->ld_f), lctx__max(a->ld_x, a->ld_q)));
    LCTX__ACTS(raw, n, a->ld_c); LCTX__ACTS(mixed, n, a->ld_c);
    LCTX__ACTS(z, n, a->ld_z); LCTX__ACTS(y, n, a->ld_z);
    LCTX__ACTS(beta, n, a->ld_g); LCTX__ACTS(dt, n, a->ld_g);
    a->shifting *= n;
    LCTX__ACTS(apart, a->shifting, a->ld_x); LCTX__ACTS(shifted, a->shifting, a->ld_x);
    LCTX__ACTS(first, a->shifting, a->ld_z);
    a->rank = (uint32_t *)lctx__carve(&r, a->ld_e, 4);
    a->chosen = (int64_t *)lctx__carve(&r, a->ld_e, 8);
    a->pos = (int64_t *)lctx__carve(&r, n, 8);
    if (s->d.precise) runs = 0;
    a->rounded = (lctx__runs *)lctx__carve(&r, runs, (int64_t)sizeof *a->rounded);
    if (!runs) a->rounded = NULL;
    return r.used;
}

static void lctx__caches_free(const lctx_session *s, lctx_cache **caches)
{
    int32_t i;
    for (i = 0; caches && i < s->n_cache; i++) lctx_cache_free(caches[i]);
    lctx__delete(&s->alloc, caches, lctx__max(1, s->n_cache) * (int64_t)sizeof *caches);
}
/* Forks of the session's caches, or places for them if it has none yet; null without memory. */
static lctx_cache **lctx__caches_fork(const lctx_session *s)
{
    const int64_t bytes = lctx__max(1, s->n_cache) * (int64_t)sizeof *s->cache;
    lctx_cache **forks = (lctx_cache **)lctx__new(&s->alloc, bytes);
    int32_t i;
    for (i = 0; forks && s->cache && i < s->n_cache; i++)
        if (lctx_cache_fork(s->cache[i], &forks[i])) {
            lctx__caches_free(s, forks);
            return NULL;
        }
    return forks;
}

/* A mixer's states, the convolution's (RWKV-7's: the last token's h, its own and its FFN's) and the
   recurrence's: two buffers of n floats, as they are and as fed next, then snapshots. */
typedef struct lctx__states { int64_t n[2], n_each; float *at[2]; } lctx__states;
static lctx__states lctx__states_of(const lctx_session *s, int32_t layer)
{
    const int64_t slots = s->d.state_every ? s->d.state_slots : 0;
    lctx__states x;
    int32_t i;
    memset(&x, 0, sizeof x);
    x.n_each = 2 + slots;
    for (i = 0, x.at[0] = s->state; i <= layer; i++) {
        const lctx_mixer *m = s->m.layers[i].mixer;
        if (x.at[0]) x.at[0] += x.n_each * (x.n[0] + x.n[1]);
        x.n[0] = !m ? 0 : lctx__round_up(m->kind == LCTX_MIXER_RWKV7 ? 2 * (int64_t)s->m.d_model
                                         : (m->taps - 1) * lctx__channels(m), 16);
        x.n[1] = m ? lctx__round_up(lctx__mul((int64_t)m->n_head * m->d_k, m->d_v), 16) : 0;
    }
    x.at[1] = x.at[0] ? x.at[0] + x.n_each * x.n[0] : NULL;
    return x;
}
/* The oldest snapshot that is there, if it is not beyond n. */
static int64_t lctx__oldest_state(const lctx_session *s)
{
    const int64_t e = s->d.state_every;
    if (!e) return LCTX__HUGE;
    return lctx__max(lctx__max(s->newest / e - s->d.state_slots + 1, 1) * e,
                     lctx__round_up(s->oldest, e));
}
/* n tokens are left, after snapshots up to `reached`: those that these replaced are lost. */
static void lctx__states_back(lctx_session *s, int64_t n, int64_t reached)
{
    s->newest = reached;
    s->oldest = n ? lctx__oldest_state(s) : 0;
    s->newest = n;
}
/* Takes states back to n tokens, if there is a snapshot of that; else returns 0. */
static int lctx__states_rewind(lctx_session *s, int64_t n)
{
    const int64_t every = s->d.state_every;
    int32_t i, half;
    if (!s->state || n == s->n) return 1;
    if (n && (!every || n % every || n < lctx__oldest_state(s))) return 0;
    if (n == 0) memset(s->state, 0, (size_t)s->state_floats * sizeof *s->state);
    for (i = 0; n && i < s->m.n_layer; i++) {
        const int64_t from = 2 + (n / every - 1) % s->d.state_slots;
        const lctx__states x = lctx__states_of(s, i);
        for (half = 0; half < 2; half++)
            memcpy(x.at[half] + s->now * x.n[half], x.at[half] + from * x.n[half],
                   (size_t)x.n[half] * sizeof(float));
    }
    lctx__states_back(s, n, s->n);
    return 1;
}

LCTX_API void lctx_session_free(lctx_session *session)
{
    if (!session) return;
    lctx__caches_free(session, session->cache);
    lctx__delete(&session->alloc, session->state, session->state_floats * 4);
    lctx__delete(&session->alloc, session->work, session->work_bytes);
    lctx__delete(&session->alloc, session->scratch, session->scratch_bytes);
    lctx__delete(&session->alloc, session, (int64_t)sizeof *session);
}

/* A session like `like`, with activations of its own; null without memory. */
static lctx_session *lctx__session_new(const lctx_session *like)
{
    lctx_session *s = (lctx_session *)lctx__new(&like->alloc, (int64_t)sizeof *s);
    lctx__acts acts;
    if (!s) return NULL;
    *s = *like;
    (void)lctx__begin(&s->refused, NULL);
    s->work = s->scratch = NULL, s->scratch_bytes = 0;
    s->work_bytes = lctx__acts_carve(s, NULL, &acts);
    s->cache = lctx__caches_fork(like), s->state = NULL;
    if (s->state_floats) s->state = (float *)lctx__new(&s->alloc, lctx__mul(s->state_floats, 4));
    if (s->cache && (s->state || !s->state_floats))
        s->work = (char *)lctx__new(&s->alloc, s->work_bytes);
    if (s->work && like->state)
        memcpy(s->state, like->state, (size_t)s->state_floats * sizeof *s->state);
    if (s->work) {
        lctx__acts_carve(s, s->work, &acts);
        s->rounded = acts.rounded;
        return s;
    }
    lctx_session_free(s);
    return NULL;
}

/* What raw keys are asked for; every layer's schedule is checked to go with that and the policy. */
static lctx_status lctx__raw_begin(lctx_session *s, const lctx_session_desc *d)
{
    const lctx__site at = LCTX__SITE(d, lctx_session_desc);
    const lctx__site live_at = LCTX__SITE(d, lctx_rope_desc);
    int64_t most = LCTX__MAX_POS;    /* n_hat: keys moved closer would have turned otherwise */
    lctx_rope rope;
    int32_t i, turning = 0;
    s->raw = d->raw_keys || d->rope || d->far_rule, s->live = d->rope != NULL;
    if (d->rope) s->rope = *d->rope, s->rope.ctx = 1, s->rope.refused = d->refused;
    if (d->far_rule) s->far_rule = *d->far_rule;
    s->d.rope = NULL, s->d.far_rule = NULL;
    if (d->policy == LCTX_SINKS) most = lctx__max(d->n_sink, 0);
    if (d->policy == LCTX_HEAVY && s->raw) most = 0;
    if (s->live) LCTX__TRY(lctx_rope_init(&rope, &s->rope));
    s->rope.refused = NULL;
    if (s->live && rope.n_rot > s->m.head_dim) return lctx__refuse(live_at, LCTX_E_N_ROT, "n_rot");
    for (i = 0; i < s->m.n_layer; i++) {
        const lctx_layer *l = &s->m.layers[i];
        const int live = s->live && !l->rope;
        const lctx_rope *turns = live ? &rope : lctx__layer_rope(l, &s->m);
        const lctx__site rope_at = live ? live_at : lctx__layer_rope_site(d->refused, &s->m, i);
        if (!turns || l->no_rope || !lctx__attends(l)) continue;
        LCTX__TRY(lctx__far_check(&s->far_rule, turns, rope_at));
        if (turns->n_hat > most) return lctx__refuse(rope_at, LCTX_E_N_HAT, "n_hat");
        turning++;
    }
    LCTX__IS(far_rule, !s->far_rule.kind || turning, NULL);
    LCTX__IS(n_read, !s->raw || !d->n_read, POLICY);
    return LCTX_OK;
}

static lctx_status lctx__session_check(const lctx_session_desc *d)
{
    const lctx__site at = LCTX__SITE(d, lctx_session_desc);
    const int whole = d->parts < 2, full = d->policy == LCTX_FULL;
    LCTX__IN(d, chunk, 0, 1 << 20, COUNT);
    LCTX__TRY(lctx__parallel_check(d->refused, d->par));
    LCTX__FROM(d, parts, 0, COUNT); LCTX__IN(d, part, 0, whole ? 0 : d->parts - 1, COUNT);
    LCTX__IS(join, whole || d->join, NULL); LCTX__IS(policy, whole || full, POLICY);
    LCTX__IS(k_type, whole || d->k_type != LCTX_I4, TYPE);
    LCTX__IN(d, state_every, 0, LCTX__MAX_POS, COUNT); LCTX__FROM(d, state_slots, 0, COUNT);
    LCTX__IN(d, n_read, 0, LCTX__MAX_POS, WINDOW);
    LCTX__IS(n_read, !d->n_read || (whole && full), POLICY);
    if (d->n_read) { LCTX__FROM(d, window, 1, WINDOW); LCTX__FROM(d, n_sink, 0, WINDOW); }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_session_create(const lctx_model *model, const lctx_session_desc *desc,
                                         lctx_session **session)
{
    lctx_session like, *s;
    lctx__site at;
    lctx_status st = LCTX_OK;
    int32_t i;
    if (model) (void)lctx__begin(model->refused, desc ? NULL : "desc");
    if (!desc || lctx__begin(desc->refused, !model ? "model" : !session ? "session" : NULL))
        return LCTX_E_NULL;
    at = LCTX__SITE(desc, lctx_session_desc);
    LCTX__TRY(lctx_model_check(model));
    LCTX__TRY(lctx__session_check(desc));
    memset(&like, 0, sizeof like);
    like.m = lctx__model(model), like.d = *desc, like.alloc = lctx__allocator(desc->alloc);
    if (desc->par) like.par = *desc->par;
    LCTX__DEFAULT(like.d.chunk, 256); LCTX__DEFAULT(like.d.state_slots, 4);
    for (i = 0; i < model->n_layer; i++) {
        const lctx__states x = lctx__states_of(&like, i);
        like.n_cache += lctx__attends(&model->layers[i]);
        like.state_floats = lctx__add(like.state_floats, lctx__mul(x.n_each, x.n[0] + x.n[1]));
    }
    like.d.alloc = NULL, like.d.par = NULL, like.d.refused = like.m.refused = NULL;
    LCTX__TRY(lctx__raw_begin(&like, desc));
    if (!(s = lctx__session_new(&like))) return lctx__tell(at.to, LCTX_E_MEMORY, NULL);
    for (i = 0; !st && i < s->m.n_layer; i++) {
        const lctx_pattern *p = s->m.layers[i].pattern;
        lctx_cache_desc c = lctx__layer_cache(s, i);
        lctx_cache **cache = lctx__cache_of(s, i);
        if (!cache) continue;
        if (p && p->n_global && c.policy != LCTX_FULL)
            st = lctx__refuse(lctx__site_of(at.to, "lctx_pattern", i), LCTX_E_GLOBAL, "n_global");
        else st = lctx__cache_new(at, &c, cache);
        if (!st && desc->parts > 1 && c.policy == LCTX_FULL)
            (*cache)->part = desc->part, (*cache)->others = desc->parts - 1;
    }
    if (st) lctx_session_free(s);
    else *session = s;
    return st;
}

/* ---- the step */
/* A norm's or bias's values as f32: where they stand, or converted to buf. */
static const float *lctx__vector(const lctx_tensor *t, int64_t n, float *buf)
{
    if (!t->data || t->type == LCTX_F32) return (const float *)t->data;
    lctx__use()->to_f32(t->type, n, t->data, buf);
    return buf;
}

static void lctx__product_task(void *arg, int64_t i, int32_t thread)
{
    lctx__product p = *(const lctx__product *)arg;
    const int64_t rows = p.row1, blocks = (rows + p.step - 1) / p.step;
    const lctx__group *g = &p.groups[i / blocks];
    const int64_t before = g->which * rows;
    (void)thread;
    p.w = (const char *)p.w + before * lctx__row_bytes(p.type, p.cols);
    if (p.w_scale) p.w_scale += before;
    if (p.bias) p.bias += before;
    p.n = g->n, p.x += g->at * p.ldx, p.y += g->at * p.ldy;
    p.row0 = i % blocks * p.step, p.row1 = lctx__min(p.row0 + p.step, rows);
    if (!p.rounded) lctx__use()->product(&p);
    else p.rounded += g->at, lctx__use()->product_ints(&p);
}
static void lctx__round_task(void *arg, int64_t i, int32_t thread)
{
    (void)thread;
    lctx__use()->round((const lctx__product *)arg, i);
}

/* y[n][ldy] (+)= W x (+ bias), n rows in groups. Tasks are of rows of W, fewer with many tokens. */
static void lctx__matmul_groups(const lctx__acts *a, const lctx_tensor *w, int64_t rows,
                                int64_t cols, const lctx__group *groups, int64_t n_group, int64_t n,
                                const float *x, int64_t ldx, const float *bias, int add, float *y,
                                int64_t ldy)
{
    const lctx_session *s = a->s;
    lctx__product p;
    p.w = w->data, p.w_scale = w->type == LCTX_I8 ? w->scale : NULL, p.type = w->type;
    p.bias = bias, p.x = x, p.y = y, p.cols = cols, p.ldx = ldx, p.ldy = ldy;
    p.row0 = 0, p.row1 = rows, p.add = add, p.groups = groups, p.alone = n == n_group;
    p.rounded = lctx__in_blocks(p.type) && lctx__use()->round ? s->rounded : NULL, p.n_rounded = n;
    if (p.rounded) lctx__for(&s->par, lctx__mul(cols, n), n, lctx__round_task, &p);
    p.step = lctx__clip(rows / (4 * lctx__threads(&s->par)) / 8 * 8, n < 48 ? 512 : 128);
    p.step = lctx__max(p.step, 32);
    lctx__for(&s->par, lctx__mul(rows, lctx__mul(cols, n)),
              n_group * ((rows + p.step - 1) / p.step), lctx__product_task, &p);
}
static void lctx__matmul(const lctx__acts *a, const lctx_tensor *w, int64_t rows, int64_t cols,
                         int64_t n, const float *x, int64_t ldx, const float *bias, int add,
                         float *y, int64_t ldy)
{
    lctx__group all;
    all.which = all.at = 0, all.n = n;
    lctx__matmul_groups(a, w, rows, cols, &all, 1, n, x, ldx, bias, add, y, ldy);
}

/* out = rmsnorm(x) w or, with a bias, layernorm(x) w + bias */
static void lctx__norm(int64_t n, const float *x, const float *w, const float *bias, float eps,
                       float *out)
{
    double sum = 0;
    int64_t i;
    for (i = 0; bias && i < n; i++) sum += (double)x[i];
    for (i = 0; bias && i < n; i++) out[i] = (float)((double)x[i] - sum / (double)n);
    lctx__use()->rmsnorm(n, bias ? out : x, w, eps, out);
    if (bias) lctx__use()->blend(n, 1, bias, out);
}
static void lctx__norm_rows(const lctx__acts *a, const lctx_tensor *w, const float *bias,
                            int64_t n_row, int64_t n, const float *x, int64_t ldx, float *out)
{
    const float *weights = lctx__vector(w, n, a->vec);
    int64_t t;
    for (t = 0; t < n_row; t++)
        lctx__norm(n, x + t * ldx, weights, bias, a->s->m.norm_eps, out + t * ldx);
}

/* Turns keys, or queries: in place, or to other positions, as far ones. */
static lctx_status lctx__rotate(const lctx__acts *a, const lctx_rope *rope, lctx_rope_side side,
                                const int64_t *pos)
{
    const lctx_session *s = a->s;
    const int keys = side == LCTX_ROPE_KEY;
    lctx_rope_job j;
    memset(&j, 0, sizeof j);
    j.n_tok = a->n, j.n_head = keys ? s->m.n_head_kv : s->m.n_head, j.head_dim = s->m.head_dim;
    j.x = keys ? a->k : a->q, j.out = keys ? a->k : pos ? a->far : a->q;
    j.x_token = j.out_token = (keys ? a->ld_k : a->ld_q) * 4;
    j.pos = pos, j.pos0 = s->n, j.par = &s->par, j.side = (int32_t)side;
    return lctx_rope_apply(rope, &j);      /* which xPos refuses far from its centre */
}

static lctx_status lctx__scratch_for(lctx_session *s, int64_t bytes)
{
    char *grown;
    if (bytes <= s->scratch_bytes) return LCTX_OK;
    if (!(grown = (char *)lctx__new(&s->alloc, bytes))) return LCTX_E_MEMORY;
    lctx__delete(&s->alloc, s->scratch, s->scratch_bytes);
    s->scratch = grown, s->scratch_bytes = bytes;
    return LCTX_OK;
}

/* Attention of tokens at .. at+n-1 of the chunk over the layer's cache. */
static lctx_status lctx__attend_layer(const lctx__acts *a, int32_t layer, int64_t at, int64_t n,
                                      const lctx_rope *rope, const float *far)
{
    lctx_session *s = a->s;
    const int64_t row = s->m.n_head * (int64_t)s->m.head_dim;
    lctx_cache *c = *lctx__cache_of(s, layer);
    const int joins = s->d.join && c->d.policy == LCTX_FULL;
    lctx_attn t;
    lctx_retrieve r;
    size_t bytes;
    memset(&t, 0, sizeof t);
    t.n_q = n, t.n_head = s->m.n_head, t.q = a->q + at * a->ld_q, t.q_token = a->ld_q * 4;
    t.n_head_kv = s->m.n_head_kv, t.d_k = t.d_v = s->m.head_dim;
    t.q_far = far ? far + at * a->ld_q : NULL;
    t.q_pos0 = s->n + at, t.out = a->att + at * a->ld_q, t.out_token = a->ld_q * 4;
    t.softcap = s->m.softcap;
    t.scale = s->m.attn_scale > 0 ? s->m.attn_scale : (float)(1 / sqrt((double)s->m.head_dim));
    if (rope) t.scale = (float)(t.scale * rope->scale_mul);
    if (rope && s->raw) t.rope = rope, t.far_rule = &s->far_rule;
    t.pattern = s->m.layers[layer].pattern, t.sink_logit = s->m.layers[layer].sink_logit;
    t.par = &s->par, t.precise = s->d.precise;
    if (joins) t.out = a->far, t.out_token = 0, t.lse = a->lse;
    if (c->part) t.sink_logit = NULL;
    memset(&r, 0, sizeof r);
    r.n_top = (s->d.n_read + c->d.block - 1) / c->d.block;
    r.window = s->d.window, r.n_sink = s->d.n_sink, r.queries = 1;
    if (s->d.read) r.read = s->d.read[layer];
    LCTX__TRY(c->d.summaries ? lctx_cache_retrieve_size(c, &t, &r, &bytes)
                             : lctx_cache_attend_size(c, &t, &bytes));
    LCTX__TRY(lctx__scratch_for(s, (int64_t)bytes));
    bytes = (size_t)s->scratch_bytes;
    LCTX__TRY(c->d.summaries ? lctx_cache_retrieve(c, &t, &r, s->scratch, bytes)
                             : lctx_cache_attend(c, &t, s->scratch, bytes));
    if (!joins) return LCTX_OK;
    if (s->d.join(s->d.join_user, layer, &t)) return LCTX_E_IO;
    while (n-- > 0) memcpy(a->att + (at + n) * a->ld_q, a->far + n * row, (size_t)row * 4);
    return LCTX_OK;
}

/* How many of n tokens from position pos on turn by one schedule that follows the length: those
   within orig_ctx, and beyond it all under LONGROPE, one under DYNAMIC. */
static int64_t lctx__one_schedule(const lctx_rope_desc *r, int64_t pos, int64_t n)
{
    const int follows = r->scheme == LCTX_ROPE_DYNAMIC || r->scheme == LCTX_ROPE_LONGROPE;
    if (!follows || (double)(pos + n) <= r->orig_ctx) return n;
    if ((double)(pos + 1) <= r->orig_ctx) return (int64_t)r->orig_ctx - pos;
    return r->scheme == LCTX_ROPE_DYNAMIC ? 1 : n;
}

/* Attention of the chunk where each token turns by the schedule of its own length. */
static lctx_status lctx__attend_live(const lctx__acts *a, int32_t layer)
{
    lctx_rope_desc desc = a->s->rope;
    lctx_rope rope;
    int64_t at, run;
    for (at = 0; at < a->n; at += run) {
        run = lctx__one_schedule(&desc, a->s->n + at, a->n - at);
        desc.ctx = (double)(a->s->n + at + 1);
        LCTX__TRY(lctx_rope_init(&rope, &desc));
        LCTX__TRY(lctx__attend_layer(a, layer, at, run, &rope, NULL));
    }
    return LCTX_OK;
}

/* Where a part of a layer adds up its results: in x, or, to be normed before they join x, apart. */
static float *lctx__sum_begin(const lctx__acts *a, const lctx_tensor *norm)
{
    if (!norm->data) return a->x;
    memset(a->sum, 0, (size_t)(a->n * a->ld_x) * sizeof *a->sum);
    return a->sum;
}
static void lctx__sum_end(const lctx__acts *a, const lctx_tensor *norm)
{
    if (!norm->data) return;
    lctx__norm_rows(a, norm, NULL, a->n, a->s->m.d_model, a->sum, a->ld_x, a->sum);
    lctx__use()->blend(a->n * a->ld_x, 1, a->sum, a->x);
}

/* One of q, k and v: the projection, and a norm of each head. */
static void lctx__heads(const lctx__acts *a, int32_t n_head, const lctx_tensor *w,
                        const lctx_tensor *bias, const lctx_tensor *norm, float *out, int64_t ld)
{
    const int64_t d = a->s->m.head_dim, rows = n_head * d;
    int64_t t;
    lctx__matmul(a, w, rows, a->s->m.d_model, a->n, a->h, a->ld_x,
                 lctx__vector(bias, rows, a->vec), 0, out, ld);
    for (t = 0; norm && norm->data && t < a->n; t++)
        lctx__norm_rows(a, norm, NULL, n_head, d, out + t * ld, d, out + t * ld);
}

/* Scales queries by the positions from the session's end on. */
static void lctx__scale_queries(const lctx__acts *a, const lctx_layer *l)
{
    int64_t t, i;
    for (t = 0; l->q_scale_length && t < a->n; t++) {
        const double periods = floor(((double)(a->s->n + t) + (double)l->q_scale_offset)
                                     / (double)l->q_scale_length);
        const float scale = (float)(1 + (double)l->q_scale * log(1 + periods));
        for (i = 0; i < a->ld_q; i++) a->q[t * a->ld_q + i] *= scale;
    }
}

/* What a layer does in one session, once q, k and v are there: rotation; append; attention */
static lctx_status lctx__attend_session(const lctx__acts *a, int32_t i)
{
    const lctx_session *s = a->s;
    const lctx_layer *l = &s->m.layers[i];
    const lctx_rope *rope = lctx__layer_rope(l, &s->m);
    const int live = s->live && !l->no_rope && !l->rope;
    const int raw = s->raw && (rope || live), sinks = s->d.policy == LCTX_SINKS && !raw;
    const float *far = sinks ? a->q : NULL;
    lctx_cache *cache = *lctx__cache_of(s, i);
    lctx_rows rows;
    int64_t t;
    lctx__scale_queries(a, l);
    if (rope && !raw) {
        for (t = 0; sinks && t < a->n; t++) a->pos[t] = lctx_cache_far_pos(cache, s->n + t);
        if (sinks) LCTX__TRY(lctx__rotate(a, rope, LCTX_ROPE_QUERY, a->pos));
        LCTX__TRY(lctx__rotate(a, rope, LCTX_ROPE_QUERY, NULL));
        LCTX__TRY(lctx__rotate(a, rope, LCTX_ROPE_KEY, NULL));
        if (sinks) far = a->far;
    }
    memset(&rows, 0, sizeof rows);
    rows.n = a->n, rows.k = a->k, rows.v = a->v;
    rows.k_token = rows.v_token = a->ld_k * 4;
    LCTX__TRY(lctx__append_share(cache, s->n, &rows));
    return live ? lctx__attend_live(a, i) : lctx__attend_layer(a, i, 0, a->n, rope, far);
}

static lctx__acts lctx__acts_of(const lctx__acts *a, const lctx__feeding *f)
{
    const int64_t row = f->row;
    lctx__acts b = *a;
    b.s = f->s, b.feeds = f, b.n_feed = 1, b.n = f->rows;
    b.x += row * a->ld_x, b.h += row * a->ld_x, b.q += row * a->ld_q, b.far += row * a->ld_q;
    b.att += row * a->ld_q, b.k += row * a->ld_k, b.v += row * a->ld_k, b.pos += row;
    b.raw += row * a->ld_c, b.mixed += row * a->ld_c, b.y += row * a->ld_z;
    b.beta += row * a->ld_g, b.dt += row * a->ld_g;
    return b;
}

/* sum += wo attention(...) of n rows of h, those of all feeds; the gate comes where queries were */
static lctx_status lctx__layer_attention(const lctx__acts *a, int32_t i, float *sum)
{
    const lctx_model *m = &a->s->m;
    const lctx_layer *l = &m->layers[i];
    const int64_t nq = (int64_t)m->n_head * m->head_dim, n = a->n;
    int64_t j;
    lctx__heads(a, m->n_head, &l->wq, &l->bq, &l->q_norm, a->q, a->ld_q);
    lctx__heads(a, m->n_head_kv, &l->wk, &l->bk, &l->k_norm, a->k, a->ld_k);
    lctx__heads(a, m->n_head_kv, &l->wv, &l->bv, NULL, a->v, a->ld_k);
    for (j = 0; j < a->n_feed; j++) {
        const lctx__acts own = lctx__acts_of(a, &a->feeds[j]);
        if (own.n) LCTX__TRY(lctx__attend_session(&own, i));
    }
    if (l->attn_gate.data) {
        lctx__matmul(a, &l->attn_gate, nq, m->d_model, n, a->h, a->ld_x, NULL, 0, a->q, a->ld_q);
        lctx__use()->activate(LCTX_SIGMOID, n * a->ld_q, a->q, a->att, a->att);
    }
    lctx__matmul(a, &l->wo, m->d_model, nq, n, a->att, a->ld_q,
                 lctx__vector(&l->bo, m->d_model, a->vec), 1, sum, a->ld_x);
    return LCTX_OK;
}

/* ---- mixers */
static float lctx__sigmoid(float z) { return 1 / (1 + expf(-z)); }
/* beta, or dt in its place, and decays out of what the projections gave. */
static void lctx__gates(const lctx__acts *a, const lctx_mixer *x)
{
    int64_t t, h;
    for (t = 0; t < a->n; t++)
        for (h = 0; h < x->n_head; h++) {
            float *beta = &a->beta[t * a->ld_g + h], *dt = &a->dt[t * a->ld_g + h];
            const float z = *dt + x->dt_bias[h], soft = z > 20 ? z : log1pf(expf(z));
            *beta = x->kind == LCTX_MIXER_DELTA ? lctx__sigmoid(*beta) : soft;
            *dt = expf(x->a[h] * soft);
        }
}
/* Rows of q and k to length 1. */
static void lctx__lengths(const lctx__acts *a, const lctx_mixer *x)
{
    int64_t t, h;
    for (t = 0; t < x->d_k; t++) a->vec[t] = 1 / sqrtf((float)x->d_k);
    for (t = 0; t < a->n; t++)
        for (h = 0; h < 2 * x->n_head_k; h++) {
            float *row = a->mixed + t * a->ld_c + h * x->d_k;
            lctx__use()->rmsnorm(x->d_k, row, a->vec, 1e-6f / (float)x->d_k, row);
        }
}
/* to += v, head by head times what a token or, ld 0, all have for it. */
static void lctx__blend_heads(const lctx__acts *a, const lctx_mixer *x, const float *by, int64_t ld,
                              float *to, int64_t to_ld)
{
    int64_t t, h;
    for (t = 0; t < a->n; t++)
        for (h = 0; h < x->n_head; h++)
            lctx__use()->blend(x->d_v, by[t * ld + h], a->mixed + t * a->ld_c + h * x->d_v,
                               to + t * to_ld + h * x->d_v);
}
/* The recurrence's operands, in the order that the kind has. */
static void lctx__mixer_operands(const lctx__acts *a, const lctx_mixer *x, lctx_recurrence *r)
{
    const int64_t keys = lctx__keys(x), values = lctx__values(x);
    r->n_head = x->n_head, r->n_head_k = x->n_head_k, r->d_k = x->d_k, r->d_v = x->d_v;
    r->q_token = r->k_token = r->v_token = a->ld_c * 4, r->y = a->y, r->y_token = a->ld_z * 4;
    r->decay_kind = LCTX_DECAY_HEAD, r->decay = a->dt, r->decay_token = a->ld_g * 4;
    if (x->kind == LCTX_MIXER_RWKV7) {
        r->q = a->mixed, r->k = r->q + keys, r->a = r->k + keys, r->v = r->a + keys;
        r->decay_kind = LCTX_DECAY_DIM, r->decay = a->raw, r->b = a->raw + keys;
        r->decay_token = r->a_token = r->b_token = a->ld_c * 4;
    } else if (x->kind == LCTX_MIXER_DELTA) {
        lctx__lengths(a, x);
        r->q = a->mixed, r->k = a->mixed + keys, r->v = a->mixed + 2 * keys;
        r->beta = a->beta, r->beta_token = a->ld_g * 4;
        r->scale = (float)(1 / sqrt((double)x->d_k));
    } else {
        int64_t t;
        for (t = 0; t < r->n; t++) memset(a->raw + t * a->ld_c, 0, (size_t)values * 4);
        lctx__blend_heads(a, x, a->beta, a->ld_g, a->raw, a->ld_c);
        r->v = a->raw, r->k = a->mixed + values, r->q = r->k + keys;
    }
}
/* What a feed goes on from in one half of layer i's states, leaves there, and keeps of it. */
typedef struct lctx__relay { const float *from; float *to; lctx_snapshots kept; } lctx__relay;
static lctx__relay lctx__relay_of(const lctx__feeding *f, int32_t i, int half)
{
    const lctx_session *s = f->s;
    const lctx__states x = lctx__states_of(s, i);
    const int64_t n = x.n[half], next = !s->now;
    lctx__relay relay;
    relay.from = x.at[half] + (f->done ? next : s->now) * n, relay.to = x.at[half] + next * n;
    relay.kept.before = s->n, relay.kept.every = s->d.state_every, relay.kept.n = x.n_each - 2;
    relay.kept.slots = x.at[half] + 2 * n, relay.kept.slot = n * 4;
    return relay;
}
/* Convolution and recurrence in one session, out of one buffer of states into the other. */
static lctx_status lctx__mix_session(const lctx__acts *a, int32_t i)
{
    lctx_session *s = a->s;
    const lctx_mixer *x = s->m.layers[i].mixer;
    const lctx__relay before = lctx__relay_of(a->feeds, i, 0);
    const lctx__relay relay = lctx__relay_of(a->feeds, i, 1);
    lctx_convolution c;
    lctx_recurrence r;
    size_t bytes;
    memset(&c, 0, sizeof c), memset(&r, 0, sizeof r);
    c.n = r.n = a->n, c.par = r.par = &s->par;
    c.from = before.from, c.state = before.to, r.from = relay.from, r.state = relay.to;
    if (relay.kept.every) c.snapshots = &before.kept, r.snapshots = &relay.kept;
    c.n_channel = (int32_t)lctx__channels(x), c.taps = x->taps, c.weight = x->conv, c.silu = 1;
    c.x = a->raw, c.y = a->mixed, c.x_token = c.y_token = a->ld_c * 4, c.bias = x->conv_bias;
    if (x->kind != LCTX_MIXER_RWKV7) LCTX__TRY(lctx_convolve(&c));
    lctx__mixer_operands(a, x, &r);
    LCTX__TRY(lctx_recur_size(&r, &bytes));
    LCTX__TRY(lctx__scratch_for(s, (int64_t)bytes));
    LCTX__TRY(lctx_recur(&r, s->scratch, (size_t)s->scratch_bytes));
    if (x->skip) lctx__blend_heads(a, x, x->skip, 0, a->y, a->ld_z);
    return LCTX_OK;
}

/* ---- RWKV-7 */
/* How far each row of h is from that of the token before, in one session: a convolution's input. */
static void lctx__shift(const lctx__acts *a, const lctx__feeding *f, int32_t i, int ffn)
{
    const int64_t d = f->s->m.d_model;
    lctx__relay relay = lctx__relay_of(f, i, 0);
    lctx_convolution c;
    int64_t t, j;
    memset(&c, 0, sizeof c);
    c.taps = 2, c.x = a->h + f->row * a->ld_x, c.x_token = a->ld_x * 4;
    c.from = relay.from + ffn * d, c.state = relay.to + ffn * d, relay.kept.slots += ffn * d;
    for (t = 0; t < f->rows; t++) {
        const float *before = lctx__input(&c, t - 1, 0), *own = lctx__input(&c, t, 0);
        float *apart = a->apart + (f->row + t) * a->ld_x;
        for (j = 0; j < d; j++) apart[j] = before[j] - own[j];
        lctx__inputs_keep(&c, t + 1, 0, d,
                          lctx__snapshot(relay.kept.every ? &relay.kept : NULL, t, 0));
    }
    if (f->rows) lctx__inputs_keep(&c, f->rows, 0, d, c.state);
}
/* out = h + shift times that */
static void lctx__shifted(const lctx__acts *a, const float *shift, float *out)
{
    int64_t t, j;
    for (t = 0; t < a->n * a->ld_x; t += a->ld_x)
        for (j = 0; j < a->s->m.d_model; j++) out[t + j] = a->h[t + j] + shift[j] * a->apart[t + j];
}
/* By way of a->y, which is left zero: what pads its rows must be. */
static void lctx__low_rank(const lctx__acts *a, const float *shift, const lctx_low_rank *w,
                           float (*f)(float), int64_t rows, float *out, int64_t ld)
{
    const int64_t n = a->n, d = a->s->m.d_model;
    const size_t bytes = (size_t)(n * a->ld_z) * sizeof *a->y;
    int64_t t, i;
    if (!w->rank) return;
    lctx__shifted(a, shift, a->shifted);
    memset(a->y, 0, bytes);
    lctx__matmul(a, &w->down, w->rank, d, n, a->shifted, a->ld_x, NULL, 0, a->y, a->ld_z);
    for (t = 0; f && t < n * a->ld_z; t += a->ld_z)
        for (i = 0; i < w->rank; i++) a->y[t + i] = f(a->y[t + i]);
    lctx__matmul(a, &w->up, rows, w->rank, n, a->y, a->ld_z, w->bias, 0, out, ld);
    memset(a->y, 0, bytes);
}
/* Out of q, k, -, v (a->mixed) and w, rate, v (a->raw) the recurrence's q, k, a, v and decay, b. */
static void lctx__rwkv_gates(const lctx__acts *a, const lctx_mixer *x, int64_t t)
{
    const int64_t keys = lctx__keys(x), values = lctx__values(x);
    float *k = a->mixed + t * a->ld_c + keys, *away = k + keys, *v = away + keys;
    float *w = a->raw + t * a->ld_c, *b = w + keys, *back = a->first + t * a->ld_z;
    int64_t i, h;
    for (h = 0; h < keys; h += x->d_k) {
        double sum = 0;
        for (i = h; i < h + x->d_k; i++)
            away[i] = x->k_k[i] * k[i], sum += (double)away[i] * (double)away[i];
        for (i = h; i < h + x->d_k; i++) away[i] *= (float)(-1 / fmax(sqrt(sum), 1e-12));
    }
    for (i = 0; i < keys; i++) {
        const float rate = lctx__sigmoid(b[i]);
        w[i] = expf(-0.60653066f * lctx__sigmoid(w[i]));
        b[i] = -rate * away[i], k[i] *= 1 + x->k_a[i] * (rate - 1);
    }
    if (!x->v.rank) memcpy(back, v, (size_t)values * sizeof *v);
    for (i = 0; x->v.rank && i < values; i++)
        v[i] += (back[i] - v[i]) * lctx__sigmoid(b[keys + i]);
}
static void lctx__project_rwkv(const lctx__acts *a, const lctx_mixer *x)
{
    const int64_t n = a->n, d = a->s->m.d_model, keys = lctx__keys(x), values = lctx__values(x);
    const float *r = x->shift, *w = r + d, *k = w + d, *v = k + d, *rate = v + d, *g = rate + d;
    const int64_t ld = a->ld_c;
    int64_t t;
    lctx__shifted(a, r, a->shifted);
    lctx__matmul(a, &x->w_r, keys, d, n, a->shifted, a->ld_x, NULL, 0, a->mixed, ld);
    lctx__shifted(a, k, a->shifted);
    lctx__matmul(a, &x->w_k, keys, d, n, a->shifted, a->ld_x, NULL, 0, a->mixed + keys, ld);
    lctx__shifted(a, v, a->shifted);
    lctx__matmul(a, &x->w_v, values, d, n, a->shifted, a->ld_x, NULL, 0, a->mixed + 3 * keys, ld);
    lctx__low_rank(a, w, &x->w, tanhf, keys, a->raw, ld);
    lctx__low_rank(a, rate, &x->rate, NULL, keys, a->raw + keys, ld);
    lctx__low_rank(a, v, &x->v, NULL, values, a->raw + 2 * keys, ld);
    lctx__low_rank(a, g, &x->g, lctx__sigmoid, values, a->z, a->ld_z);
    for (t = 0; t < n; t++) lctx__rwkv_gates(a, x, t);
}
static void lctx__rwkv_out(const lctx__acts *a, const lctx_mixer *x, int64_t t)
{
    const int64_t keys = lctx__keys(x);
    const float *q = a->mixed + t * a->ld_c, *k = q + keys, *v = k + 2 * keys;
    const float *g = a->z + t * a->ld_z;
    float *y = a->y + t * a->ld_z;
    int64_t h, i;
    for (h = 0; h < x->n_head; h++) {
        const int64_t at = h * x->d_v;
        double bonus = 0;
        for (i = h * x->d_k; i < (h + 1) * x->d_k; i++)
            bonus += (double)x->r_k[i] * (double)k[i] * (double)q[i];
        lctx__norm(x->d_v, y + at, x->norm + at, x->norm_bias + at, 64e-5f, y + at);
        lctx__use()->blend(x->d_v, (float)bonus, v + at, y + at);
        for (i = at; i < at + x->d_v; i++) y[i] *= g[i];
    }
}

/* Of a token's y what its gate lets through, normed. */
static void lctx__mixer_out(const lctx__acts *a, const lctx_mixer *x, int64_t t)
{
    const int delta = x->kind == LCTX_MIXER_DELTA;
    const int64_t d = lctx__values(x), each = delta ? x->d_v : d / x->n_head_k;
    const float *z = a->z + t * a->ld_z;
    float *y = a->y + t * a->ld_z;
    int64_t h;
    if (x->kind == LCTX_MIXER_RWKV7) { lctx__rwkv_out(a, x, t); return; }
    if (!delta) lctx__use()->activate(LCTX_SILU, a->ld_z, z, y, y);
    for (h = 0; x->norm && h < d; h += each)
        lctx__use()->rmsnorm(each, y + h, x->norm + (delta ? 0 : h), a->s->m.norm_eps, y + h);
    if (delta) lctx__use()->activate(LCTX_SILU, a->ld_z, z, y, y);
}

static lctx_status lctx__layer_mixer(const lctx__acts *a, int32_t i, float *sum)
{
    const lctx_mixer *x = a->s->m.layers[i].mixer;
    const int64_t n = a->n, d = a->s->m.d_model, d_z = lctx__values(x);
    int64_t j;
    if (x->kind == LCTX_MIXER_RWKV7) {
        for (j = 0; j < a->n_feed; j++) lctx__shift(a, &a->feeds[j], i, 0);
        lctx__project_rwkv(a, x);
    } else {
        lctx__matmul(a, &x->w_in, lctx__channels(x), d, n, a->h, a->ld_x, NULL, 0, a->raw, a->ld_c);
        lctx__matmul(a, &x->w_z, d_z, d, n, a->h, a->ld_x, NULL, 0, a->z, a->ld_z);
        if (x->kind == LCTX_MIXER_DELTA)
            lctx__matmul(a, &x->w_beta, x->n_head, d, n, a->h, a->ld_x, NULL, 0, a->beta, a->ld_g);
        lctx__matmul(a, &x->w_dt, x->n_head, d, n, a->h, a->ld_x, NULL, 0, a->dt, a->ld_g);
        lctx__gates(a, x);
    }
    for (j = 0; j < a->n_feed; j++) {
        const lctx__acts own = lctx__acts_of(a, &a->feeds[j]);
        if (own.n) LCTX__TRY(lctx__mix_session(&own, i));
    }
    for (j = 0; j < n; j++) lctx__mixer_out(a, x, j);
    lctx__matmul(a, &x->w_out, d, d_z, n, a->y, a->ld_z, NULL, 1, sum, a->ld_x);
    return LCTX_OK;
}

/* The weights of a layer's FFN, or of the one that all tokens share beside the experts. */
typedef struct lctx__ffn {
    const lctx_tensor *gate, *up, *down, *b_gate, *b_up, *b_down;    /* biases: data null = none */
    const lctx_tensor *router;           /* of the shared one; data null = none */
    int64_t d_ff, n_matrix;
    int activation;
} lctx__ffn;

/* What a token's sigmoid lets through of an FFN that is gated. */
static void lctx__let_through(const lctx__acts *a, const lctx__ffn *f, int64_t n, const float *x)
{
    float by[LCTX__TOKENS];
    int64_t t, i;
    lctx__matmul(a, f->router, 1, a->s->m.d_model, n, x, a->ld_x, NULL, 0, by, 1);
    for (t = 0; t < n; t++) {
        by[t] = lctx__sigmoid(by[t]);
        for (i = 0; i < f->d_ff; i++) a->gate[t * a->ld_f + i] *= by[t];   /* a NaN stays there */
    }
}

/* y = ffn(x), or y += ffn(x), of n rows in groups; at most LCTX__TOKENS. */
static void lctx__ffn_rows(const lctx__acts *a, const lctx__ffn *f, const lctx__group *groups,
                           int64_t n_group, int64_t n, const float *x, int add, float *y)
{
    const int64_t d = a->s->m.d_model, ff = f->d_ff, all_ff = f->n_matrix * ff;
    lctx__matmul_groups(a, f->gate, ff, d, groups, n_group, n, x, a->ld_x,
                        lctx__vector(f->b_gate, all_ff, a->vec), 0, a->gate, a->ld_f);
    if (f->up->data)
        lctx__matmul_groups(a, f->up, ff, d, groups, n_group, n, x, a->ld_x,
                            lctx__vector(f->b_up, all_ff, a->vec), 0, a->up, a->ld_f);
    lctx__use()->activate(f->activation, n * a->ld_f, a->gate, f->up->data ? a->up : a->gate,
                          a->gate);
    if (f->router->data) lctx__let_through(a, f, n, x);
    lctx__matmul_groups(a, f->down, d, ff, groups, n_group, n, a->gate, a->ld_f,
                        lctx__vector(f->b_down, f->n_matrix * d, a->vec), add, y, a->ld_x);
}

/* sum += ffn(h), a block of tokens at a time */
static void lctx__ffn_all(const lctx__acts *a, const lctx__ffn *f, float *sum)
{
    const int64_t most = lctx__in_blocks(f->down->type) ? LCTX__INT_TOKENS : LCTX__TOKENS;
    lctx__group all;
    int64_t t;
    for (t = 0; t < a->n; t += all.n) {
        all.which = all.at = 0, all.n = lctx__min(a->n - t, most);
        lctx__ffn_rows(a, f, &all, 1, all.n, a->h + t * a->ld_x, 1, sum + t * a->ld_x);
    }
}

/* Turns a token's logits r [n_expert] into weights, 0 if not chosen. A NaN is chosen, and shows. */
static void lctx__route(const lctx__acts *a, const lctx_layer *l, float *r)
{
    const int all = l->routing == LCTX_ROUTE_SOFTMAX, sigmoid = l->routing == LCTX_ROUTE_SIGMOID;
    double sum = 0, top = -(double)INFINITY;
    int64_t e, i;
    for (e = 0; e < l->n_expert; e++) a->rank[e] = lctx__order(r[e]);
    lctx__best(a->rank, l->n_expert, l->n_expert_used, a->chosen);
    for (i = 0; i < l->n_expert_used; i++) top = fmax(top, (double)r[a->chosen[i]]);
    for (e = i = 0; e < l->n_expert; e++) {
        const int chosen = i < l->n_expert_used && a->chosen[i] == e;
        const double w = exp((double)r[e] - top);
        if (chosen || all) sum += w;
        r[e] = !chosen ? 0 : sigmoid ? (float)(1 / (1 + exp(-(double)r[e]))) : (float)w;
        i += chosen;
    }
    for (e = 0; !sigmoid && e < l->n_expert; e++) r[e] = (float)((double)r[e] / sum);
}

/* The next pairs of an expert and a token that chose it, by experts, after (*expert, *token): the
   rows of h to a->in, the tokens to `of`, the groups to `groups`. Returns how many pairs. */
static int64_t lctx__gather(const lctx__acts *a, const lctx_layer *l, int32_t *expert,
                            int64_t *token, int64_t *of, lctx__group *groups, int64_t *n_group)
{
    const int inside = l->routing == LCTX_ROUTE_SIGMOID;
    int64_t got = 0, i;
    for (*n_group = 0; *expert < l->n_expert; ++*expert, *token = 0)
        for (; *token < a->n; ++*token) {
            const float w = a->route[*token * a->ld_e + *expert];
            const float *h = a->h + *token * a->ld_x;
            float *in = a->in + got * a->ld_x;
            if (w == 0) continue;
            if (got == LCTX__TOKENS) return got;
            for (i = 0; i < a->s->m.d_model; i++) in[i] = inside ? h[i] * w : h[i];
            if (!*n_group || groups[*n_group - 1].which != *expert) {
                lctx__group *g = &groups[(*n_group)++];
                g->which = *expert, g->at = got, g->n = 0;
            }
            groups[*n_group - 1].n++;
            of[got++] = *token;
        }
    return got;
}

/* sum += the chosen experts' ffn(h), each token's in the order of the experts */
static void lctx__experts(const lctx__acts *a, const lctx_layer *l, const lctx__ffn *f, float *sum)
{
    const int inside = l->routing == LCTX_ROUTE_SIGMOID;
    const int64_t d = a->s->m.d_model;
    lctx__group groups[LCTX__TOKENS];
    int64_t of[LCTX__TOKENS], token = 0, got, n_group, i, g;
    int32_t expert = 0;
    lctx__matmul(a, &l->router, l->n_expert, d, a->n, a->h, a->ld_x,
                 lctx__vector(&l->b_router, l->n_expert, a->vec), 0, a->route, a->ld_e);
    for (i = 0; i < a->n; i++) lctx__route(a, l, a->route + i * a->ld_e);
    while ((got = lctx__gather(a, l, &expert, &token, of, groups, &n_group)) > 0) {
        lctx__ffn_rows(a, f, groups, n_group, got, a->in, 0, a->out);
        for (g = 0; g < n_group; g++)
            for (i = groups[g].at; i < groups[g].at + groups[g].n; i++) {
                const float w = inside ? 1 : a->route[of[i] * a->ld_e + groups[g].which];
                lctx__use()->blend(d, w, a->out + i * a->ld_x, sum + of[i] * a->ld_x);
            }
    }
}

static void lctx__layer_ffn(const lctx__acts *a, int32_t i)
{
    const lctx_model *m = &a->s->m;
    const lctx_layer *l = &m->layers[i];
    const lctx_tensor none = { NULL, NULL, 0, 0 };
    const lctx__ffn own = { &l->w_gate, &l->w_up, &l->w_down, &l->b_gate, &l->b_up, &l->b_down,
                            &none, lctx__layer_ff(l, m), lctx__max(1, l->n_expert), l->activation };
    const lctx__ffn shared = { &l->shared_gate, &l->shared_up, &l->shared_down, &none, &none, &none,
                               &l->shared_router, l->d_ff_shared, 1, l->activation };
    int64_t j;
    float *sum;
    if (!l->ffn_norm.data) return;
    lctx__norm_rows(a, &l->ffn_norm, l->ffn_norm_bias, a->n, m->d_model, a->x, a->ld_x, a->h);
    if (l->mixer && l->mixer->kind == LCTX_MIXER_RWKV7 && l->mixer->ffn_shift) {
        for (j = 0; j < a->n_feed; j++) lctx__shift(a, &a->feeds[j], i, 1);
        lctx__shifted(a, l->mixer->ffn_shift, a->h);
    }
    sum = lctx__sum_begin(a, &l->ffn_post_norm);
    if (l->n_expert) lctx__experts(a, l, &own, sum);
    else lctx__ffn_all(a, &own, sum);
    if (l->d_ff_shared) lctx__ffn_all(a, &shared, sum);
    lctx__sum_end(a, &l->ffn_post_norm);
}

static void lctx__embed(const lctx__acts *a, const lctx__feeding *f)
{
    const lctx_model *m = &f->s->m;
    const lctx_tensor *e = &m->tok_embd;
    const int32_t *tokens = f->tokens + f->done;
    const int64_t d = m->d_model;
    int64_t t, i;
    for (t = 0; t < f->rows; t++) {
        float *x = a->x + (f->row + t) * a->ld_x, mul = m->embd_scale;
        const char *row = (const char *)e->data + tokens[t] * lctx__row_bytes(e->type, d);
        lctx__use()->to_f32(e->type, d, row, x);
        if (e->type == LCTX_I8) mul *= e->scale[tokens[t]];
        for (i = 0; mul != 1 && i < d; i++) x[i] *= mul;
    }
}

static int lctx__rows_finite(const float *x, int64_t n_row, int64_t n, int64_t ld)
{
    int64_t t = 0;
    while (t < n_row && lctx__top_bits(n, x + t * ld) < 0x7f800000u) t++;
    return t == n_row;
}

/* Logits of those rows in hand that are asked for, all or those that end a feed. How many? */
static int64_t lctx__logits_of(const lctx__acts *a, lctx_logits which, float *logits)
{
    const lctx_model *m = &a->s->m;
    const int64_t v = m->n_vocab, d = m->d_model;
    int64_t n = 0, j, t;
    if (which == LCTX_LOGITS_NONE) return 0;
    for (j = 0; j < a->n_feed; j++)
        for (t = 0; t < a->feeds[j].rows; t++) {
            const lctx__feeding *f = &a->feeds[j];
            if (which == LCTX_LOGITS_LAST && f->done + t + 1 < f->n) continue;
            lctx__norm_rows(a, &m->output_norm, m->output_norm_bias, 1, d,
                            a->x + (f->row + t) * a->ld_x, a->ld_x, a->h + n++ * a->ld_x);
        }
    if (!n) return 0;
    lctx__matmul(a, &m->output, v, d, n, a->h, a->ld_x, NULL, 0, logits, v);
    for (t = 0; m->logit_softcap > 0 && t < n; t++)
        lctx__use()->tanh(v, m->logit_softcap, logits + t * v);
    return n;
}

static lctx_status lctx__feed_chunk(const lctx__acts *a)
{
    const lctx_model *m = &a->s->m;
    const int64_t d = m->d_model;
    int64_t j;
    int32_t i;
    for (j = 0; j < a->n_feed; j++) lctx__embed(a, &a->feeds[j]);
    memset(a->first, 0, (size_t)(a->shifting * a->ld_z) * sizeof *a->first);
    if (m->embd_norm.data)
        lctx__norm_rows(a, &m->embd_norm, m->embd_norm_bias, a->n, d, a->x, a->ld_x, a->x);
    for (i = 0; i < m->n_layer; i++) {
        const lctx_layer *l = &m->layers[i];
        float *sum = lctx__sum_begin(a, &l->attn_post_norm);
        lctx__norm_rows(a, &l->attn_norm, l->attn_norm_bias, a->n, d, a->x, a->ld_x, a->h);
        if (lctx__attends(l)) LCTX__TRY(lctx__layer_attention(a, i, sum));
        if (l->mixer) LCTX__TRY(lctx__layer_mixer(a, i, sum));
        lctx__sum_end(a, &l->attn_post_norm);
        lctx__layer_ffn(a, i);
    }
    return lctx__rows_finite(a->x, a->n, d, a->ld_x) ? LCTX_OK : LCTX_E_NAN;
}

static void lctx__evict_all(lctx_session *s, int64_t pos)
{
    int32_t i;
    for (i = 0; i < s->n_cache; i++) lctx__evict(s->cache[i], pos);
}

/* Seats the next rows of the feeds, the first ones first, a chunk's worth; returns how many. */
static int64_t lctx__seat(lctx__feeding *feeds, int64_t n_feed)
{
    int64_t j, row = 0;
    for (j = 0; j < n_feed; j++) {
        lctx__feeding *f = &feeds[j];
        f->row = row, f->rows = lctx__min(f->n - f->done, feeds->s->d.chunk - row);
        if (f->rows && f->done) lctx__evict_all(f->s, f->s->n);
        if (f->rows) f->last = f->rows;
        row += f->rows;
    }
    return row;
}

/* All chunks; on an error the caches stand where they got to. The last chunk evicts nothing yet. */
static lctx_status lctx__feed(lctx__feeding *feeds, int64_t n_feed, int64_t n, lctx_logits which,
                              float *logits)
{
    lctx_session *s = feeds->s;
    const int64_t v = s->m.n_vocab;
    int64_t at, j, got;
    lctx__acts a;
    lctx__acts_carve(s, s->work, &a);
    a.s = s, a.feeds = feeds, a.n_feed = n_feed;
    for (at = 0; at < n; at += a.n) {
        a.n = lctx__seat(feeds, n_feed);
        LCTX__TRY(lctx__feed_chunk(&a));
        got = lctx__logits_of(&a, which, logits);
        if (got && !lctx__rows_finite(logits, got, v, v)) return LCTX_E_NAN;
        if (got) logits += got * v;
        for (j = 0; j < n_feed; j++)
            feeds[j].done += feeds[j].rows, feeds[j].s->n += feeds[j].rows;
        if (s->d.progress && s->d.progress(s->d.progress_user, at + a.n, n))
            return LCTX_E_CANCELLED;
    }
    return LCTX_OK;
}

static lctx_status lctx__feed_check(lctx_session *s, const int32_t *tokens, int64_t n,
                                    lctx_logits which, const float *logits)
{
    const int64_t room = s->d.policy == LCTX_FULL && s->d.max_tokens ? s->d.max_tokens - s->n : n;
    const lctx__site at = lctx__site_of(&s->refused, NULL, -1);
    int64_t i;
    LCTX__IS(tokens, tokens, NULL);
    LCTX__IS(which, (unsigned)which < LCTX_LOGITS_COUNT, ENUM);
    LCTX__IS(logits, logits || which == LCTX_LOGITS_NONE, NULL);
    LCTX__IS(n, n >= 1, COUNT);
    for (i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= s->m.n_vocab)
            return lctx__refuse_element(at, LCTX_E_TOKEN, "tokens", i);
    LCTX__IS(n, n <= LCTX__MAX_POS - s->n, POS); LCTX__IS(n, n <= room, FULL);
    return LCTX_OK;
}

/* A feed that fails leaves the sessions as they were. One chunk is undone by a rewind; before
   several, the caches are forked, which copies only the last block of each layer. */
static lctx_status lctx__feed_all(lctx__feeding *feeds, int64_t n_feed, lctx_logits which,
                                  float *logits)
{
    const int64_t chunk = feeds->s->d.chunk;
    lctx_status st = LCTX_OK;
    int64_t i, j, n = 0;
    for (j = 0; j < n_feed; j++) n = lctx__add(n, feeds[j].n), feeds[j].n0 = feeds[j].s->n;
    for (j = 0; !st && n > chunk && j < n_feed; j++)
        if (!(feeds[j].before = lctx__caches_fork(feeds[j].s))) st = LCTX_E_MEMORY;
    if (!st) st = lctx__feed(feeds, n_feed, n, which, logits);
    for (j = 0; j < n_feed; j++) {
        lctx__feeding *f = &feeds[j];
        lctx_cache **fed = f->s->cache;
        for (i = 0; st && !f->before && i < f->s->n_cache; i++) lctx__undo(fed[i], f->n0);
        if (st && f->before) f->s->cache = f->before, f->before = fed;
        lctx__caches_free(f->s, f->before);
        if (st) lctx__states_back(f->s, f->n0, f->n0 + f->n), f->s->n = f->n0;
        else {
            f->s->now = !f->s->now, f->s->newest = f->s->n;
            lctx__evict_all(f->s, f->s->n - f->last);
        }
        (void)lctx__tell(&f->s->refused, LCTX_OK, NULL);
    }
    return lctx__tell(&feeds->s->refused, st, NULL);
}

LCTX_API lctx_status lctx_session_feed(lctx_session *session, const int32_t *tokens, int64_t n,
                                       lctx_logits which, float *logits)
{
    lctx__feeding feed = { session, tokens, n, 0, 0, 0, 0, 0, NULL };
    if (!session) return LCTX_E_NULL;
    LCTX__TRY(lctx__feed_check(session, tokens, n, which, logits));
    return lctx__feed_all(&feed, 1, which, logits);
}

/* May these be fed together? Each alone, first; and no session twice. */
static lctx_status lctx__many_check(const lctx__feeding *feeds, int64_t n_feed, lctx_logits which,
                                    const float *logits)
{
    const lctx_session *first = feeds->s;
    int64_t i, j;
    for (j = 0; j < n_feed; j++) {
        lctx_session *s = feeds[j].s;
        int fits = s && s->m.layers == first->m.layers && !s->d.precise == !first->d.precise &&
                   s->m.tok_embd.data == first->m.tok_embd.data;
        if (!s) return LCTX_E_NULL;
        LCTX__TRY(lctx__feed_check(s, feeds[j].tokens, feeds[j].n, which, logits));
        for (i = 0; i < j; i++) fits &= feeds[i].s != s;
        if (!fits) return lctx__tell(&s->refused, LCTX_E_MISMATCH, "sessions");
    }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_session_feed_many(lctx_session *const *sessions, int64_t n_session,
                                            const int32_t *const *tokens, const int64_t *n,
                                            lctx_logits which, float *logits)
{
    const int64_t bytes = lctx__mul(n_session, (int64_t)sizeof(lctx__feeding));
    lctx_allocator alloc;
    lctx__feeding *feeds;
    lctx_status st;
    int64_t j;
    if (!sessions || !tokens || !n || n_session < 1 || !*sessions)
        return n_session < 1 ? LCTX_E_COUNT : LCTX_E_NULL;
    alloc = (*sessions)->alloc;
    if (!(feeds = (lctx__feeding *)lctx__new(&alloc, bytes))) return LCTX_E_MEMORY;
    for (j = 0; j < n_session; j++)
        feeds[j].s = sessions[j], feeds[j].tokens = tokens[j], feeds[j].n = n[j];
    st = lctx__many_check(feeds, n_session, which, logits);
    if (!st) st = lctx__feed_all(feeds, n_session, which, logits);
    lctx__delete(&alloc, feeds, bytes);
    return st;
}

/* ---- rewind, fork, info, save, restore */
LCTX_API lctx_status lctx_session_rewind(lctx_session *session, int64_t n)
{
    int32_t i;
    if (!session) return LCTX_E_NULL;
    if (n < 0 || n > session->n) return lctx__tell(&session->refused, LCTX_E_POS, "n");
    for (i = 0; i < session->n_cache; i++)
        if (!lctx__can_rewind(session->cache[i], lctx__share(session->cache[i], n)))
            return lctx__tell(&session->refused, LCTX_E_EVICTED, "n");
    if (!lctx__states_rewind(session, n)) return lctx__tell(&session->refused, LCTX_E_EVICTED, "n");
    for (i = 0; i < session->n_cache; i++)
        (void)lctx_cache_rewind(session->cache[i], lctx__share(session->cache[i], n));
    session->n = n;
    return lctx__tell(&session->refused, LCTX_OK, NULL);
}

LCTX_API lctx_status lctx_session_fork(const lctx_session *session, lctx_session **fork)
{
    lctx_session *s;
    if (!session || !fork) return LCTX_E_NULL;
    if (!(s = lctx__session_new(session))) return LCTX_E_MEMORY;
    *fork = s;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_session_get_info(const lctx_session *session, lctx_session_info *info)
{
    int32_t i;
    if (!session || !info) return LCTX_E_NULL;
    memset(info, 0, sizeof *info);
    info->n = session->n, info->refused = session->refused;
    info->scratch_bytes = session->work_bytes + session->scratch_bytes;
    info->state_bytes = session->state_floats * 4;
    if (session->state) info->rewind_min = lctx__min(lctx__oldest_state(session), session->n);
    for (i = 0; i < session->n_cache; i++) {
        lctx_cache_info c;
        if (lctx_cache_get_info(session->cache[i], &c)) continue;
        info->n_dropped = lctx__max(info->n_dropped, c.n_dropped);
        info->rewind_min = lctx__max(info->rewind_min, c.rewind_min);
        info->cache_bytes += c.bytes;
    }
    return LCTX_OK;
}

LCTX_API lctx_status lctx_session_cache(const lctx_session *session, int32_t layer,
                                        const lctx_cache **cache)
{
    lctx_cache *const *c;
    if (!session || !cache) return LCTX_E_NULL;
    if (layer < 0 || layer >= session->m.n_layer) return LCTX_E_COUNT;
    c = lctx__cache_of(session, layer), *cache = c ? *c : NULL;
    return LCTX_OK;
}

/* A session is its layers' caches, one after the other, behind a head with the model's shape. */
enum { LCTX__SESSION_WORDS = 9 };
static void lctx__session_head(const lctx_session *s, int64_t head[LCTX__SESSION_WORDS])
{
    const int64_t h[LCTX__SESSION_WORDS] = {
        LCTX__MAGIC + 1, 3, s->m.n_layer, s->m.n_head, s->m.d_model, s->m.d_ff, s->m.n_vocab,
        s->raw | (int64_t)s->d.part << 1 | lctx__max(s->d.parts - 1, 0) << 32, s->n
    };
    memcpy(head, h, sizeof h);
}

/* Behind the caches the mixers' shapes and states: those that hold or, read, that a feed makes */
static lctx_status lctx__carry_states(const lctx_session *x, lctx__stream *s)
{
    const int64_t buffer = s->write ? x->now : !x->now;
    int64_t head[8];
    int32_t i, half;
    if (!x->state) return LCTX_OK;
    for (i = 0; i < x->m.n_layer; i++) {
        const lctx__states states = lctx__states_of(x, i);
        const lctx_mixer *l = x->m.layers[i].mixer;
        if (l) {
            const int64_t mine[8] = { LCTX__MAGIC + 2, 2, l->kind, l->n_head, l->n_head_k, l->d_k,
                                      l->d_v, l->kind == LCTX_MIXER_RWKV7 ? 0 : l->taps };
            memcpy(head, mine, sizeof head);
            LCTX__TRY(lctx__carry_head(s, head, mine, 8, 8));
        }
        for (half = 0; half < 2; half++)
            LCTX__TRY(lctx__carry(s, states.at[half] + buffer * states.n[half],
                                  states.n[half] * 4));
    }
    return lctx__carry_sum(s);
}

LCTX_API lctx_status lctx_session_save(const lctx_session *session, lctx_write write, void *user)
{
    lctx__stream s = { write, NULL, user, LCTX__FNV };
    int64_t head[LCTX__SESSION_WORDS];
    int32_t i;
    if (!session || !write) return LCTX_E_NULL;
    lctx__session_head(session, head);
    LCTX__TRY(lctx__carry_head(&s, head, head, LCTX__SESSION_WORDS, 0));
    for (i = 0; i < session->n_cache; i++)
        LCTX__TRY(lctx_cache_save(session->cache[i], write, user));
    return lctx__carry_states(session, &s);
}

/* Names the first word of a head that is not as in one's own. */
static lctx_status lctx__session_refused(lctx_session *s, lctx_status st, const int64_t *head,
                                         const int64_t *mine)
{
    static const char *const field[] = { "n_layer", "n_head", "d_model", "d_ff", "n_vocab",
                                         "raw_keys" };
    int i = 0;
    if (st != LCTX_E_MISMATCH) return lctx__tell(&s->refused, st, NULL);
    while (i < 5 && head[2 + i] == mine[2 + i]) i++;
    return lctx__refuse(lctx__site_of(&s->refused, i < 5 ? "lctx_model" : "lctx_session_desc", -1),
                        st, field[i]);
}
LCTX_API lctx_status lctx_session_restore(lctx_session *session, lctx_read read, void *user)
{
    lctx__stream s = { NULL, read, user, LCTX__FNV };
    int64_t head[LCTX__SESSION_WORDS], mine[LCTX__SESSION_WORDS];
    lctx_cache **old = session ? session->cache : NULL, **fresh;
    lctx_status st;
    int32_t i;
    if (!session || lctx__begin(&session->refused, read ? NULL : "read")) return LCTX_E_NULL;
    lctx__session_head(session, mine);
    if ((st = lctx__carry_head(&s, head, mine, LCTX__SESSION_WORDS, 8)) != LCTX_OK)
        return lctx__session_refused(session, st, head, mine);
    if (!(fresh = lctx__caches_fork(session)))
        return lctx__tell(&session->refused, LCTX_E_MEMORY, NULL);
    for (i = 0; !st && i < session->n_cache; i++) {
        st = lctx_cache_restore(fresh[i], read, user);
        if (!st && fresh[i]->n != lctx__share(fresh[i], head[8])) st = LCTX_E_FORMAT;
    }
    if (!st) st = lctx__carry_states(session, &s);
    if (st) (void)lctx__refuse(lctx__site_of(&session->refused, "lctx_model", -1), st, "layers");
    if (!st) {
        session->cache = fresh, session->n = session->newest = head[8], fresh = old;
        session->now = !session->now, session->oldest = head[8] + 1;
    }
    lctx__caches_free(session, fresh);
    return st;
}

/* ---- pages: block number p of each layer, one behind the other */
LCTX_API lctx_status lctx_session_page_size(const lctx_session *session, size_t *bytes)
{
    int64_t n = 0;
    int32_t i;
    if (!session || !bytes) return LCTX_E_NULL;
    if (session->state) return LCTX_E_POLICY;
    for (i = 0; i < session->n_cache; i++) {
        if (session->cache[i]->d.policy == LCTX_HEAVY || session->d.parts > 1) return LCTX_E_POLICY;
        n += lctx__round_up(lctx__block_bytes(session->cache[i]), LCTX__ALIGN);
    }
    *bytes = (size_t)n;
    return LCTX_OK;
}

LCTX_API lctx_status lctx_session_page_save(const lctx_session *session, int64_t page, void *to)
{
    char *at = (char *)to;
    size_t bytes;
    int32_t i;
    if (!session || !to) return LCTX_E_NULL;
    LCTX__TRY(lctx_session_page_size(session, &bytes));
    if (page < 0 || page >= session->n / session->cache[0]->d.block) return LCTX_E_POS;
    memset(to, 0, bytes);
    for (i = 0; i < session->n_cache; i++) {
        const lctx_cache *c = session->cache[i];
        const lctx__slot *s = c->slot, *end = s + c->n_slot;
        while (s < end && s->id < page) s++;
        if (s == end || s->id != page) return LCTX_E_EVICTED;
        memcpy(at + LCTX__ALIGN, lctx__contents(s->block), (size_t)(s->block->bytes - LCTX__ALIGN));
        at += lctx__round_up(s->block->bytes, LCTX__ALIGN);
    }
    return LCTX_OK;
}

#define LCTX__LENT ((int64_t)1 << 40)    /* shared by so many that none writes to it or frees it */
LCTX_API lctx_status lctx_session_page_restore(lctx_session *session, int64_t page, void *from)
{
    char *at = (char *)from;
    int64_t block;
    size_t bytes;
    lctx_status st;
    int32_t i;
    if (!session || lctx__begin(&session->refused, from ? NULL : "from")) return LCTX_E_NULL;
    if ((st = lctx_session_page_size(session, &bytes)) != LCTX_OK)
        return lctx__tell(&session->refused, st, NULL);
    block = session->cache[0]->d.block;
    if (page < 0 || page > LCTX__MAX_POS / block - 1 || session->n != page * block)
        return lctx__tell(&session->refused, LCTX_E_POS, "page");
    if ((uintptr_t)from % LCTX__ALIGN) return lctx__tell(&session->refused, LCTX_E_FORMAT, "from");
    for (i = 0; !st && i < session->n_cache; i++)
        st = session->n + block > lctx__room(session->cache[i]) ? LCTX_E_FULL
             : lctx__slots_reserve(session->cache[i], session->cache[i]->n_slot + 1);
    for (i = 0; !st && i < session->n_cache; i++) {
        lctx_cache *c = session->cache[i];
        lctx__slot s = { page, (lctx__block *)(void *)at, NULL, session->n };
        s.block->refs = LCTX__LENT, s.block->bytes = lctx__block_bytes(c);
        c->slot[c->n_slot++] = s, c->n += block;
        lctx__evict(c, c->n);
        at += lctx__round_up(lctx__block_bytes(c), LCTX__ALIGN);
    }
    if (!st) session->n += block;
    return lctx__tell(&session->refused, st, st == LCTX_E_FULL ? "page" : NULL);
}
#endif /* LCTX_NO_MODEL */
#endif /* LCTX_IMPLEMENTATION */

#else  /* LCTX__ISA */
/* ============================================================================ >>kernels
   Included once per instruction set. First the vector operations, then every kernel, written once
   on top of them. Rules: what the table points at is noinline, helpers are always_inline; fma is
   written out wherever a product is added; no OpenMP and no #include in here.

       VL                  floats in a vector; divides 16
       vf_fma(a, b, c)     a * b + c, rounded once where the instruction set can, else twice; one
                           way throughout a set
       vf_max(a, b)        a > b ? a : b, so b where either is NaN
       vf_lt(a, b, x, y)   a < b ? x : y
       vf_keep(bits, x, y) lane i: x if bit i of bits, else y
       vf_scale(x, n)      x 2^n for whole n in -126 .. 127
       vf_even/odd(p)      VL pairs of bf16 at p: the first, the second of each
       vf_quad(p, e)       VL quads of int8 at p: number e of each
       vf_four(p, n, s, b) VL words of eight 4-bit codes at p: number n of each, as code * s + b
       These not with VL 1:
       vf_swap(x)          neighbours exchanged
       vf_zip1/zip2(a, b)  within each 128 bits: a0 b0 a1 b1, and a2 b2 a3 b3; zip1d/zip2d pairs of
                           words
       vf_lows/highs(a, b) the low, the high halves of a's words, each with that of b's behind it
       vf_lanes(x)         x[VL] seen as a matrix of 4x4 blocks, transposed block by block
       vf_put_columns(p, s, a, b)  128 bits number i of a, and behind them of b, to p + i * s
       MAX_R, WIDE_R       rows of a register tile of two vectors, of four
       vf_add4(y, k, x)    y[4] += the sums of x's lanes four apart times k[4]
       W_R, W_N            rows (4 or 8) and tokens of a product's register tile
   Where there are dot products (DOTS says of which types), vw is a vector of VL 32-bit words:
       vw_bytes/halves(p)  VL bytes, VL halves at p, zero-extended to words
       vw_put_bf16(p, x)   VL floats to bf16, to nearest even, subnormals to zero
       FN(split)(x, p, q, bits, four)  of x[4], whole numbers of 2 bits bits, signed below 8, the
                           parts above and below `bits` bits to p and q, as bytes; each eight in
                           the order of a word's nibbles if four
       vw_dot_bf16(s, a, b)   s + a0 b0 + a1 b1 in each word, s in f32
       vw_dot_key(s, a, b)    s + four products of int8 keys a, queries b; sums begin at KEY_START
                              times the sum of the row's b
       vw_dot_value(s, a, b)  the same of WEIGHT_BITS-bit weights or codes a of at most 63, int8 b
   Where weights in blocks are multiplied as integers (INTS), these two as well; everywhere
       vf_half(p)          the half at p, in all lanes
       vw_pieces(p, a, b, g)  VL words of the 16 bytes each at p, p + a, p + b and p + a + b, from
                           number VL g on; a is 16 or 0
       vw_table(t, x)      t[each byte of x] */
#if LCTX__SETS >> LCTX__ISA & 1
#if LCTX__ISA == 0
#  define FN(f)            lctx__##f##_scalar
#  define VL               1
#  define MAX_R            1
#  define WIDE_R           1
#  define W_R              4
#  define W_N              2
#  define vf               float
#  define vf_load(p)       FN(load)(p)
#  define vf_store(p, x)   FN(store)(p, x)
#  define vf_set1(s)       (s)    /* what follows is rounded where floats are computed wider */
#  define vf_add(a, b)     ((float)((a) + (b)))
#  define vf_sub(a, b)     ((float)((a) - (b)))
#  define vf_mul(a, b)     ((float)((a) * (b)))
#  define vf_div(a, b)     ((float)((a) / (b)))
#  ifdef __FP_FAST_FMAF    /* in hardware: then the compiler may not contract as it likes either */
#    define vf_fma(a, b, c) __builtin_fmaf(a, b, c)
#  else
#    define vf_fma(a, b, c) ((float)((a) * (b) + (c)))
#  endif
#  define vf_max(a, b)     ((a) > (b) ? (a) : (b))
#  define vf_lt(a, b, x, y) ((a) < (b) ? (x) : (y))
#  define vf_keep(m, x, y) ((m) & 1u ? (x) : (y))
#  define vf_round(x)      FN(round)(x)
#  define vf_scale(x, n)   vf_mul(x, lctx__float((uint32_t)((int32_t)(n) + 127) << 23))
#  define vf_hsum(x)       (x)
#  define vf_hmax(x)       (x)
#  define vf_first(x)      (x)
#  define vf_swap(x)       (x)
#  define vf_f16(p)        lctx__from_f16(FN(half)(p))
#  define vf_bf16(p)       lctx__float((uint32_t)FN(half)(p) << 16)
#  define vf_even(p)       vf_bf16(p)
#  define vf_odd(p)        vf_bf16((const char *)(p) + 2)
#  define vf_i8(p)         ((float)*(const int8_t *)(p))
#  define vf_quad(p, e)    ((float)((const int8_t *)(p))[e])
#  define vf_four(p, n, s, b) vf_fma((float)(FN(word)(p) >> 4 * (n) & 15), s, b)
#  define vf_put_f16(p, x) (*(p) = lctx__to_f16(x))
#  define vf_half(p)       lctx__from_f16(lctx__half_at(p))
#  define vw               uint32_t
#  define vw_load(p)       FN(word)(p)
#  define vw_store(p, x)   FN(put_word)(p, x)
#  define vw_set1(s)       ((uint32_t)(s))
#  define vw_pieces(p, a, b, g) vw_load((p) + (g) / 4 % 2 * (a) + (g) / 8 * (b) + (g) % 4 * 4)
#  define vw_table(t, x)   FN(table)(t, x)
LCTX__INLINE float FN(load)(const void *p) { float x; memcpy(&x, p, 4); return x; }
LCTX__INLINE void FN(store)(void *p, float x) { memcpy(p, &x, 4); }
LCTX__INLINE uint16_t FN(half)(const void *p) { uint16_t x; memcpy(&x, p, 2); return x; }
LCTX__INLINE uint32_t FN(word)(const void *p) { uint32_t x; memcpy(&x, p, 4); return x; }
LCTX__INLINE void FN(put_word)(void *p, uint32_t x) { memcpy(p, &x, 4); }
LCTX__INLINE uint32_t FN(table)(const int8_t *t, uint32_t x)
{
    return (uint32_t)(uint8_t)t[x & 255] | (uint32_t)(uint8_t)t[x >> 8 & 255] << 8 |
           (uint32_t)(uint8_t)t[x >> 16 & 255] << 16 | (uint32_t)(uint8_t)t[x >> 24] << 24;
}
/* nearest even for |x| < 2^22; NaN gives 0, which scaling can take (the NaN lives on in the rest).
   Through integers, so that -ffast-math cannot fold it away. */
LCTX__INLINE float FN(round)(float x)
{
    int32_t i;
    float t;
    if (!(x > -4194304.0f && x < 4194304.0f)) return 0.0f;
    i = (int32_t)x;
    t = x - (float)i;
    if (t > 0.5f || (t == 0.5f && (i & 1))) i++;
    if (t < -0.5f || (t == -0.5f && (i & 1))) i--;
    return (float)i;
}

#elif LCTX__ISA == 1
#  ifdef __clang__
#    pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#  else
#    pragma GCC push_options
#    pragma GCC target("avx2,fma,f16c")
#  endif
#  define FN(f)            lctx__##f##_avx2
#  define VL               8
#  define MAX_R            6
#  define WIDE_R           2
#  define W_R              4
#  define W_N              2
#  define MM(f)            _mm256_##f
#  define vf               __m256
#  define vi               __m256i
#  define vf_lt(a, b, x, y) _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
#  define vf_keep(m, x, y) FN(keep)((int)((m) & 255u), x, y)
#  define vf_round(x)      _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#  define vf_scale(x, n)   _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32( \
                               _mm256_cvtps_epi32(_mm256_add_ps(n, _mm256_set1_ps(127))), 23)))
#  define vf_hsum(x)       FN(hsum)(x)
#  define vf_add4(y, k, x) FN(add4)(y, k, x)
#  define vf_hmax(x)       FN(hmax)(x)
#  define vf_lows(a, b)    _mm256_castsi256_ps(_mm256_blend_epi16(_mm256_castps_si256(a), \
                               _mm256_slli_epi32(_mm256_castps_si256(b), 16), 0xaa))
#  define vf_highs(a, b)   _mm256_castsi256_ps(_mm256_blend_epi16(_mm256_srli_epi32( \
                               _mm256_castps_si256(a), 16), _mm256_castps_si256(b), 0xaa))
#  define vf_f16(p)        _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
#  define vf_bf16(p)       _mm256_castsi256_ps(_mm256_slli_epi32( \
                               _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p))), 16))
#  define vf_i8(p)         _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32( \
                               _mm_loadl_epi64((const __m128i *)(p))))
#  define vf_put_f16(p, x) _mm_storeu_si128((__m128i *)(p), _mm256_cvtps_ph(x, 0))
#  define vw               lctx__i32x8
#  define vw_load(p)       ((vw)_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#  define vw_store(p, x)   _mm256_storeu_si256((__m256i *)(void *)(p), (__m256i)(x))
#  define vw_pieces(p, a, b, g) ((a) != 0 ? vw_load((p) + (g) * (b)) : \
                               (vw)_mm256_broadcastsi128_si256(_mm_loadu_si128( \
                               (const __m128i *)(const void *)((p) + (g) * (b)))))
#  define vw_table(t, x)   ((vw)_mm256_shuffle_epi8(_mm256_broadcastsi128_si256( \
                               _mm_loadu_si128((const __m128i *)(const void *)(t))), (__m256i)(x)))
#  define vf_half(p)       _mm256_cvtph_ps(_mm_set1_epi16((short)lctx__half_at(p)))
#  define vw_dot_key(s, a, b) vw_dot_value(s, _mm256_abs_epi8((__m256i)(a)), \
                               _mm256_sign_epi8((__m256i)(b), (__m256i)(a)))
LCTX__INLINE vf FN(keep)(int bits, vf x, vf y)
{
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i on = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits), lane), lane);
    return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(on));
}
LCTX__INLINE float FN(hsum)(vf v)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
LCTX__INLINE float FN(hmax)(vf v)
{
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
LCTX__INLINE void FN(put_columns)(char *p, int64_t step, vf a, vf b)
{
    _mm256_storeu_ps((float *)(void *)p, _mm256_permute2f128_ps(a, b, 0x20));
    _mm256_storeu_ps((float *)(void *)(p + step), _mm256_permute2f128_ps(a, b, 0x31));
}
LCTX__INLINE void FN(lanes)(vf x[8])
{
    int i;
    LCTX__EACH(i, 4) {
        vf a = x[i], b = x[i + 4];
        x[i] = _mm256_permute2f128_ps(a, b, 0x20);
        x[i + 4] = _mm256_permute2f128_ps(a, b, 0x31);
    }
}

#elif LCTX__ISA == 2 || LCTX__ISA == 3
#  if defined(__clang__) && LCTX__ISA == 3
#    pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw," \
         "avx512dq,avx512vl,avx512vnni,avx512bf16"))), apply_to = function)
#  elif defined(__clang__)
#    pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw," \
         "avx512dq,avx512vl"))), apply_to = function)
#  else
#    pragma GCC diagnostic push      /* GCC bug 105593: g++ 12 warns about its own headers */
#    pragma GCC diagnostic ignored "-Wuninitialized"
#    pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#    pragma GCC push_options
#    pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")
#    if LCTX__ISA == 3
#      pragma GCC target("avx512vnni,avx512bf16")
#    endif
#  endif
#  if LCTX__ISA == 3
#    define FN(f)          lctx__##f##_avx512dot
#    define PLAIN(f)       lctx__##f##_avx512
#    define DOTS           (1u << LCTX_BF16 | 1u << LCTX_I8 | 1u << LCTX_I4)
#    define vw_dot_bf16(s, a, b) _mm512_dpbf16_ps(s, (__m512bh)(a), (__m512bh)(b))
#  else
#    define FN(f)          lctx__##f##_avx512
#  endif
#  define VL               16
#  define MAX_R            8
#  define WIDE_R           4
#  define W_R              8
#  define W_N              3
#  define MM(f)            _mm512_##f
#  define vf               __m512
#  define vi               __m512i
#  define vf_lt(a, b, x, y) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x)
#  define vf_keep(m, x, y) _mm512_mask_blend_ps((__mmask16)(m), y, x)
#  define vf_round(x)      _mm512_roundscale_ps(x, 0x08)
#  define vf_scale(x, n)   _mm512_scalef_ps(x, n)
#  define vf_scale_in(m, x, lo, p, n) _mm512_maskz_scalef_ps( \
                               _mm512_mask_cmp_ps_mask((__mmask16)(m), x, lo, _CMP_NLT_UQ), p, n)
#  define vf_hsum(x)       _mm512_reduce_add_ps(x)
#  define vf_add4(y, k, x) FN(add4)(y, k, _mm256_add_ps(_mm512_castps512_ps256(x), \
                               _mm512_extractf32x8_ps(x, 1)))
#  define vf_hmax(x)       _mm512_reduce_max_ps(x)
#  define vf_pin(x)        __asm__("" : "+v"(x))
#  define vf_lows(a, b)    _mm512_castsi512_ps(_mm512_mask_blend_epi16((__mmask32)0xaaaaaaaau, \
                               _mm512_castps_si512(a), \
                               _mm512_slli_epi32(_mm512_castps_si512(b), 16)))
#  define vf_highs(a, b)   _mm512_castsi512_ps(_mm512_mask_blend_epi16((__mmask32)0xaaaaaaaau, \
                               _mm512_srli_epi32(_mm512_castps_si512(a), 16), \
                               _mm512_castps_si512(b)))
#  define vf_f16(p)        _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#  define vf_bf16(p)       _mm512_castsi512_ps(_mm512_slli_epi32( \
                               _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p))), 16))
#  define vf_i8(p)         _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32( \
                               _mm_loadu_si128((const __m128i *)(p))))
#  define vf_four(p, n, s, b) _mm512_permutexvar_ps(      /* of the sixteen values, by 4 bits */ \
                               _mm512_srlv_epi32(_mm512_loadu_si512(p), \
                               _mm512_set1_epi32(4 * (n))), \
                               _mm512_fmadd_ps(_mm512_loadu_ps(lctx__lane), s, b))
#  define vf_put_f16(p, x) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtps_ph(x, 0))
#  define vw               lctx__i32x16
#  define vw_load(p)       ((vw)_mm512_loadu_si512(p))
#  define vw_store(p, x)   _mm512_storeu_si512(p, (__m512i)(x))
#  define vw_bytes(p)      ((vw)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p))))
#  define vw_halves(p)     ((vw)_mm512_cvtepu16_epi32( \
                               _mm256_loadu_si256((const __m256i *)(p))))
#  define vw_put_bf16(p, x) _mm256_storeu_si256((__m256i *)(p), (__m256i)_mm512_cvtneps_pbh(x))
#  define vw_pieces(p, a, b, g) FN(pieces)(p, a, b)
#  define vw_table(t, x)   ((vw)_mm512_shuffle_epi8(_mm512_broadcast_i32x4( \
                               _mm_loadu_si128((const __m128i *)(const void *)(t))), (__m512i)(x)))
#  define vf_half(p)       _mm512_cvtph_ps(_mm256_set1_epi16((short)lctx__half_at(p)))
#  if LCTX__ISA == 3
#    define vw_dot_key(s, a, b) ((vw)_mm512_dpbusd_epi32((__m512i)(s), /* a + 128 */ \
                               _mm512_xor_si512((__m512i)(a), _mm512_set1_epi8(-128)), \
                               (__m512i)(b)))
#    define vw_dot_value(s, a, b) ((vw)_mm512_dpbusd_epi32((__m512i)(s), (__m512i)(a), \
                               (__m512i)(b)))
#    define KEY_START      (-128)
#  else
#    define vw_dot_key(s, a, b) vw_dot_value(s, _mm512_abs_epi8((__m512i)(a)), \
                               _mm512_mask_sub_epi8((__m512i)(b), _mm512_movepi8_mask( \
                               (__m512i)(a)), _mm512_setzero_si512(), (__m512i)(b)))
#  endif
#  define WEIGHT_BITS      8
LCTX__INLINE vw FN(pieces)(const char *p, const int64_t a, const int64_t b)
{
    const __m128i *const x = (const __m128i *)(const void *)p;
    const __m128i *const y = (const __m128i *)(const void *)(p + b);
    if (a)
        return (vw)_mm512_inserti64x4(_mm512_castsi256_si512(
            _mm256_loadu_si256((const __m256i *)x)), _mm256_loadu_si256((const __m256i *)y), 1);
    return (vw)_mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(_mm_loadu_si128(x)), 0xff00,
                                           _mm_loadu_si128(y));
}
/* Packing works within each 128 bits: words c0 c1 c2 c3 of all four come out in every fourth. */
LCTX__INLINE void FN(split)(const vw x[4], char *p, char *q, const int bits, const int four)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i nibbles = _mm512_set4_epi32(0x0f0d0b09, 0x0e0c0a08, 0x07050301, 0x06040200);
    const __m512i low = _mm512_set1_epi16((short)((1 << bits) - 1));
    const __m128i by = _mm_cvtsi32_si128(bits);
    const __m512i a = bits < 8 ? _mm512_packs_epi32((__m512i)x[0], (__m512i)x[1])
                               : _mm512_packus_epi32((__m512i)x[0], (__m512i)x[1]);
    const __m512i b = bits < 8 ? _mm512_packs_epi32((__m512i)x[2], (__m512i)x[3])
                               : _mm512_packus_epi32((__m512i)x[2], (__m512i)x[3]);
    __m512i h = _mm512_packs_epi16(_mm512_sra_epi16(a, by), _mm512_sra_epi16(b, by));
    __m512i l = _mm512_packus_epi16(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
    h = _mm512_permutexvar_epi32(order, h), l = _mm512_permutexvar_epi32(order, l);
    if (four) h = _mm512_shuffle_epi8(h, nibbles), l = _mm512_shuffle_epi8(l, nibbles);
    _mm512_storeu_si512(p, h), _mm512_storeu_si512(q, l);
}
LCTX__INLINE void FN(put_columns)(char *p, int64_t step, vf a, vf b)
{
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    const __m512i x = _mm512_permutex2var_epi64((__m512i)a, even, (__m512i)b);
    const __m512i y = _mm512_permutex2var_epi64((__m512i)a, odd, (__m512i)b);
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_castsi512_si256(x));
    _mm256_storeu_si256((__m256i *)(void *)(p + step), _mm512_castsi512_si256(y));
    _mm256_storeu_si256((__m256i *)(void *)(p + 2 * step), _mm512_extracti64x4_epi64(x, 1));
    _mm256_storeu_si256((__m256i *)(void *)(p + 3 * step), _mm512_extracti64x4_epi64(y, 1));
}
LCTX__INLINE void FN(lanes)(vf x[16])
{
    int i;
    LCTX__EACH(i, 4) {
        vf a = _mm512_shuffle_f32x4(x[i], x[i + 4], 0x88);            /* lanes 0, 2 of both */
        vf b = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0x88);
        vf c = _mm512_shuffle_f32x4(x[i], x[i + 4], 0xdd);            /* lanes 1, 3 */
        vf d = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0xdd);
        x[i] = _mm512_shuffle_f32x4(a, b, 0x88), x[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        x[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88), x[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
}

#elif LCTX__ISA == 4 || LCTX__ISA == 5
#  if LCTX__ISA == 5
#    ifdef __clang__
#      pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#    else
#      pragma GCC push_options
#      pragma GCC target("arch=armv8.2-a+dotprod")
#    endif
#    define FN(f)          lctx__##f##_neondot
#    define PLAIN(f)       lctx__##f##_neon
#    define DOTS           (1u << LCTX_I8 | 1u << LCTX_I4)
#    define vw_halves(p)   vw_set1(0)       /* which dot products of bf16 alone would take */
#    define vw_put_bf16(p, x) ((void)(p), (void)(x))
#  else
#    define FN(f)          lctx__##f##_neon
#  endif
#  define VL               4
#  define MAX_R            8
#  define WIDE_R           4
#  define W_R              4
#  define W_N              4
#  define vf               float32x4_t
#  define vf_load(p)       vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)(p)))
#  define vf_store(p, x)   vst1q_f32(p, x)
#  define vf_set1(s)       vdupq_n_f32(s)
#  define vf_add(a, b)     vaddq_f32(a, b)
#  define vf_sub(a, b)     vsubq_f32(a, b)
#  define vf_mul(a, b)     vmulq_f32(a, b)
#  define vf_div(a, b)     vdivq_f32(a, b)
#  define vf_fma(a, b, c)  vfmaq_f32(c, a, b)
#  define vf_max(a, b)     FN(max)(a, b)
#  define vf_lt(a, b, x, y) vbslq_f32(vcltq_f32(a, b), x, y)
#  define vf_keep(m, x, y) FN(keep)((uint32_t)((m) & 15u), x, y)
#  define vf_round(x)      vrndnq_f32(x)
#  define vf_scale(x, n)   vmulq_f32(x, vreinterpretq_f32_s32(vshlq_n_s32( \
                               vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23)))
#  define vf_hsum(x)       vaddvq_f32(x)
#  define vf_hmax(x)       vmaxvq_f32(x)
#  define vf_first(x)      vgetq_lane_f32(x, 0)
#  define vf_swap(x)       vrev64q_f32(x)
#  define vf_zip1(a, b)    vzip1q_f32(a, b)
#  define vf_zip2(a, b)    vzip2q_f32(a, b)
#  define vf_zip1d(a, b)   vcombine_f32(vget_low_f32(a), vget_low_f32(b))
#  define vf_zip2d(a, b)   vcombine_f32(vget_high_f32(a), vget_high_f32(b))
#  define vf_lows(a, b)    vreinterpretq_f32_u32(vsliq_n_u32(vreinterpretq_u32_f32(a), \
                               vreinterpretq_u32_f32(b), 16))
#  define vf_highs(a, b)   vreinterpretq_f32_u32(vsriq_n_u32(vreinterpretq_u32_f32(b), \
                               vreinterpretq_u32_f32(a), 16))
#  define vf_lanes(x)      ((void)(x))
#  define vf_f16(p)        vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)(p))))
#  define vf_bf16(p)       vreinterpretq_f32_u32(vshll_n_u16( \
                               vreinterpret_u16_u8(vld1_u8((const uint8_t *)(p))), 16))
#  define vf_i8(p)         FN(i8)((const int8_t *)(p))
#  define vf_put_f16(p, x) vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x)))
#  define vw               int32x4_t
#  define vw_load(p)       vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)(p)))
#  define vw_store(p, x)   vst1q_s32((int32_t *)(p), x)
#  define vw_set1(s)       vdupq_n_s32((int32_t)(s))
#  define vw_bytes(p)      FN(bytes)(p)
#  define vw_float(x)      vcvtq_f32_s32(x)
#  define vw_int(x)        vcvtnq_s32_f32(x)
#  define INTS             1
#  define vw_pieces(p, a, b, g) vw_load((p) + ((g) & 1) * (a) + ((g) >> 1) * (b))
#  define vw_table(t, x)   vreinterpretq_s32_s8(vqtbl1q_s8(vld1q_s8(t), vreinterpretq_u8_s32(x)))
#  define vf_half(p)       vcvt_f32_f16(vreinterpret_f16_u16(vld1_dup_u16( \
                               (const uint16_t *)(const void *)(p))))
#  if LCTX__ISA == 5
#    define vw_dot_key(s, a, b) vdotq_s32(s, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
#  else
#    define vw_dot_key(s, a, b) FN(dot)(s, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
#  endif
#  define vw_dot_value(s, a, b) vw_dot_key(s, a, b)
#  define KEY_START        0
#  define WEIGHT_BITS      7
LCTX__INLINE vf FN(max)(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LCTX__INLINE vf FN(keep)(uint32_t bits, vf x, vf y)
{
    static const uint32_t lane[4] = { 1, 2, 4, 8 };
    return vbslq_f32(vtstq_u32(vdupq_n_u32(bits), vld1q_u32(lane)), x, y);
}
LCTX__INLINE vf FN(i8)(const int8_t *p)
{
    int32_t word;
    memcpy(&word, p, 4);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(
        vreinterpret_s8_s32(vdup_n_s32(word))))));
}
LCTX__INLINE int32x4_t FN(dot)(int32x4_t s, int8x16_t a, int8x16_t b)
{
    return vpadalq_s16(s, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)),
                                     vmull_high_s8(a, b)));
}
LCTX__INLINE int32x4_t FN(bytes)(const void *p)
{
    uint32_t word;
    memcpy(&word, p, 4);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(
        vreinterpret_u8_u32(vdup_n_u32(word))))));
}
LCTX__INLINE void FN(split)(const int32x4_t x[4], char *p, char *q, const int bits, const int four)
{
    static const uint8_t nibbles[16] = { 0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15 };
    const uint8x16_t low = vdupq_n_u8((uint8_t)((1 << bits) - 1));
    const int16x8_t a = vuzp1q_s16(vreinterpretq_s16_s32(x[0]), vreinterpretq_s16_s32(x[1]));
    const int16x8_t b = vuzp1q_s16(vreinterpretq_s16_s32(x[2]), vreinterpretq_s16_s32(x[3]));
    const int16x8_t down = vdupq_n_s16((int16_t)-bits);
    uint8x16_t h = vuzp1q_u8(vreinterpretq_u8_s16(vshlq_s16(a, down)),
                             vreinterpretq_u8_s16(vshlq_s16(b, down)));
    uint8x16_t l = vandq_u8(vuzp1q_u8(vreinterpretq_u8_s16(a), vreinterpretq_u8_s16(b)), low);
    if (four) h = vqtbl1q_u8(h, vld1q_u8(nibbles)), l = vqtbl1q_u8(l, vld1q_u8(nibbles));
    vst1q_u8((uint8_t *)p, h), vst1q_u8((uint8_t *)q, l);
}

#else
#  define FN(f)            lctx__##f##_wasm
#  define VL               4
#  define MAX_R            4
#  define WIDE_R           2
#  define W_R              4
#  define W_N              2
#  define vf               v128_t
#  define vf_load(p)       wasm_v128_load(p)
#  define vf_store(p, x)   wasm_v128_store(p, x)
#  define vf_set1(s)       wasm_f32x4_splat(s)
#  define vf_add(a, b)     wasm_f32x4_add(a, b)
#  define vf_sub(a, b)     wasm_f32x4_sub(a, b)
#  define vf_mul(a, b)     wasm_f32x4_mul(a, b)
#  define vf_div(a, b)     wasm_f32x4_div(a, b)
/* Rounded twice: relaxed SIMD's madd rounds once or twice as the engine likes, and the same module
   would give other bits on another machine. */
#  define vf_fma(a, b, c)  wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#  define vf_max(a, b)     wasm_f32x4_pmax(b, a)      /* pmax(b, a): b < a ? a : b */
#  define vf_lt(a, b, x, y) wasm_v128_bitselect(x, y, wasm_f32x4_lt(a, b))
#  define vf_keep(m, x, y) FN(keep)((int32_t)((m) & 15u), x, y)
#  define vf_round(x)      wasm_f32x4_nearest(x)
#  define vf_scale(x, n)   wasm_f32x4_mul(x, wasm_i32x4_shl(wasm_i32x4_add( \
                               wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23))
#  define vf_hsum(x)       FN(hsum)(x)
#  define vf_hmax(x)       FN(hmax)(x)
#  define vf_first(x)      wasm_f32x4_extract_lane(x, 0)
#  define vf_swap(x)       wasm_i32x4_shuffle(x, x, 1, 0, 3, 2)
#  define vf_zip1(a, b)    wasm_i32x4_shuffle(a, b, 0, 4, 1, 5)
#  define vf_zip2(a, b)    wasm_i32x4_shuffle(a, b, 2, 6, 3, 7)
#  define vf_zip1d(a, b)   wasm_i64x2_shuffle(a, b, 0, 2)
#  define vf_zip2d(a, b)   wasm_i64x2_shuffle(a, b, 1, 3)
#  define vf_lows(a, b)    wasm_i16x8_shuffle(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#  define vf_highs(a, b)   wasm_i16x8_shuffle(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#  define vf_f16(p)        FN(from_half)(wasm_i32x4_load16x4(p))
#  define vf_bf16(p)       wasm_i32x4_shl(wasm_u32x4_load16x4(p), 16)
#  define vf_i8(p)         FN(from_bytes)(wasm_v128_load32_splat(p))
#  define vf_put_f16(p, x) FN(put_half)(p, x)
#  define vf_half(p)       FN(from_half)(wasm_i32x4_extend_low_i16x8(wasm_v128_load16_splat(p)))
#  define vw               v128_t
#  define vw_load(p)       wasm_v128_load(p)
#  define vw_store(p, x)   wasm_v128_store(p, x)
#  define vw_set1(s)       wasm_i32x4_splat((int32_t)(s))
#  define vw_float(x)      wasm_f32x4_convert_i32x4(x)
#  define vw_pieces(p, a, b, g) vw_load((p) + ((g) & 1) * (a) + ((g) >> 1) * (b))
#  define vw_table(t, x)   wasm_i8x16_swizzle(wasm_v128_load(t), x)
LCTX__INLINE vf FN(keep)(int32_t bits, vf x, vf y)
{
    const vf lane = wasm_i32x4_make(1, 2, 4, 8);
    vf on = wasm_v128_and(wasm_i32x4_splat(bits), lane);
    return wasm_v128_bitselect(x, y, wasm_i32x4_eq(on, lane));
}
LCTX__INLINE float FN(hsum)(vf x)
{
    x = wasm_f32x4_add(x, wasm_i64x2_shuffle(x, x, 1, 0));
    return vf_first(wasm_f32x4_add(x, vf_swap(x)));
}
LCTX__INLINE float FN(hmax)(vf x)
{
    x = vf_max(x, wasm_i64x2_shuffle(x, x, 1, 0));
    return vf_first(vf_max(x, vf_swap(x)));
}
/* Byte i goes to the top of word i (clang takes the lanes of a plain extension apart). */
LCTX__INLINE vf FN(from_bytes)(vf b)
{
    b = wasm_i8x16_shuffle(b, b, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return wasm_f32x4_convert_i32x4(wasm_i32x4_shr(b, 24));
}
/* Four f16 with their signs extended. The magnitude becomes an f32 2^112 times too small,
   subnormals included; the exponent of infinities and NaN (2^-96 and above) is filled up. The
   product is exact, and quiets. */
LCTX__INLINE vf FN(from_half)(vf h)
{
    const vf sign = wasm_v128_and(h, wasm_i32x4_splat(INT32_MIN));
    vf x = wasm_v128_and(wasm_i32x4_shl(h, 13), wasm_i32x4_splat(0x0fffe000));
    vf top = wasm_f32x4_ge(x, vf_set1(1.262177448e-29f));
    x = wasm_v128_or(x, wasm_v128_and(top, wasm_i32x4_splat(0x70000000)));
    return wasm_v128_or(wasm_f32x4_mul(x, vf_set1(5.192296858534828e33f)), sign);
}
/* As lctx__to_f16. Subnormals: to x + 0.5 the bits of 0.5 are what 2^-24 is to x, so that the sum
   rounds to them. */
LCTX__INLINE void FN(put_half)(uint16_t *p, vf x)
{
    const vf a = wasm_v128_and(x, wasm_i32x4_splat(0x7fffffff)), m = wasm_u32x4_shr(a, 13);
    vf odd = wasm_v128_and(m, wasm_i32x4_splat(1));
    vf h = wasm_u32x4_shr(wasm_i32x4_add(wasm_i32x4_add(a, odd),
                                         wasm_i32x4_splat(0xfff - 0x38000000)), 13);
    vf tiny = wasm_i32x4_sub(wasm_f32x4_add(a, vf_set1(0.5f)), vf_set1(0.5f));
    vf quiet = wasm_v128_or(wasm_v128_and(m, wasm_i32x4_splat(0x1ff)), wasm_i32x4_splat(0x7e00));
    h = wasm_v128_bitselect(tiny, h, wasm_i32x4_lt(a, wasm_i32x4_splat(0x38800000)));
    h = wasm_v128_bitselect(wasm_i32x4_splat(0x7c00), h,
                            wasm_i32x4_gt(a, wasm_i32x4_splat(0x477fefff)));
    h = wasm_v128_bitselect(quiet, h, wasm_i32x4_gt(a, wasm_i32x4_splat(0x7f800000)));
    h = wasm_v128_or(h, wasm_u32x4_shr(wasm_v128_andnot(x, wasm_i32x4_splat(0x7fffffff)), 16));
    wasm_v128_store64_lane(p, wasm_u16x8_narrow_i32x4(h, h), 0);
}
#endif

/* What the sets of x86 share: MM names an operation of theirs, vi is a vector of integers. */
#ifdef MM
#  define vf_load(p)       MM(loadu_ps)((const float *)(p))
#  define vf_store(p, x)   MM(storeu_ps)((float *)(p), x)
#  define vf_set1(s)       MM(set1_ps)(s)
#  define vf_add(a, b)     MM(add_ps)(a, b)
#  define vf_sub(a, b)     MM(sub_ps)(a, b)
#  define vf_mul(a, b)     MM(mul_ps)(a, b)
#  define vf_div(a, b)     MM(div_ps)(a, b)
#  define vf_fma(a, b, c)  MM(fmadd_ps)(a, b, c)
#  define vf_max(a, b)     MM(max_ps)(a, b)
#  define vf_first(x)      MM(cvtss_f32)(x)
#  define vf_swap(x)       MM(permute_ps)(x, 0xb1)
#  define vf_zip1(a, b)    MM(unpacklo_ps)(a, b)
#  define vf_zip2(a, b)    MM(unpackhi_ps)(a, b)
#  define vf_zip1d(a, b)   MM(shuffle_ps)(a, b, 0x44)
#  define vf_zip2d(a, b)   MM(shuffle_ps)(a, b, 0xee)
#  define vf_lanes(x)      FN(lanes)(x)
#  define vf_put_columns(p, s, a, b) FN(put_columns)(p, s, a, b)
#  define vw_set1(s)       ((vw)MM(set1_epi32)((int)(s)))
#  define vw_float(x)      MM(cvtepi32_ps)((vi)(x))
#  define vw_int(x)        ((vw)MM(cvtps_epi32)(x))
#  define vp_pin(x)        __asm__("" : "+r"(x))
#  define INTS             1
#  ifndef KEY_START        /* no dot products in hardware */
#    define vw_dot_value(s, a, b) ((vw)MM(add_epi32)((vi)(s), MM(madd_epi16)( \
                               MM(maddubs_epi16)((vi)(a), (vi)(b)), MM(set1_epi16)(1))))
#    define KEY_START      0
#  endif
LCTX__INLINE void FN(add4)(float *y, const float *k, __m256 x)
{
    const __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    _mm_storeu_ps(y, _mm_fmadd_ps(s, _mm_loadu_ps(k), _mm_loadu_ps(y)));
}
#endif
#ifndef vf_add4            /* vectors of four */
#  define vf_add4(y, k, x) vf_store(y, vf_fma(x, vf_load(k), vf_load(y)))
#endif
#ifndef PLAIN
#  define PLAIN(f)         FN(f)
#endif
#ifndef vf_even            /* words are signed, so that what is shifted down keeps its sign */
#  define vf_even(p)       ((vf)(vw_load(p) << 16))
#  define vf_odd(p)        ((vf)(vw_load(p) & vw_set1(0xffff0000u)))
#  define vf_quad(p, e)    vw_float(vw_load(p) << (24 - 8 * (e)) >> 24)
#endif
#ifndef vf_four
#  define vf_four(p, n, s, b) vf_fma(vw_float(vw_load(p) >> 4 * (n) & vw_set1(15)), s, b)
#endif

#ifndef vf_put_columns     /* of one 128 bits a vector */
#  define vf_put_columns(p, s, a, b) (vf_store((float *)(void *)(p), a), \
                               vf_store((float *)(void *)(p) + 4, b))
#endif
#ifndef vf_pin             /* x is in a register: loaded once, not by each that uses it */
#  define vf_pin(x)        ((void)(x))
#endif
#ifndef vp_pin             /* pointer x is in a register: others are counted from it */
#  define vp_pin(x)        ((void)(x))
#endif
#ifndef vf_scale_in        /* vf_scale where the mask has a lane and x is not below lo, else 0 */
#  define vf_scale_in(m, x, lo, p, n) \
    vf_keep(m, vf_lt(x, lo, vf_set1(0.0f), vf_scale(p, n)), vf_set1(0.0f))
#endif

/* e^x for x <= 0 in the lanes seen, else 0: Cody and Waite's reduction, Cephes' polynomial, about
   1 ulp; 0 below -87.33; NaN stays. */
LCTX__INLINE vf FN(exp_seen)(vf x, uint64_t see)
{
    const vf lo = vf_set1(-87.33f);
    vf y = vf_max(lo, x), n, r, p;
    if (VL == 1 && !(see & 1)) return vf_set1(0.0f);
    n = vf_round(vf_mul(y, vf_set1(1.44269504f)));
    r = vf_fma(n, vf_set1(-0.693359375f), y);
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    p = vf_fma(vf_set1(1.9875691500e-4f), r, vf_set1(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
    p = vf_fma(vf_mul(p, r), r, vf_add(r, vf_set1(1.0f)));
    return vf_scale_in(see, x, lo, p, n);
}
LCTX__INLINE vf FN(exp_down)(vf x) { return FN(exp_seen)(x, ~(uint64_t)0); }
/* e^x for any x; e^88.37 above that. */
LCTX__INLINE vf FN(exp)(vf x)
{
    const vf hi = vf_set1(88.37f);
    return FN(exp_down)(vf_lt(hi, x, hi, x));
}

/* tanh: 1 - 2/(e^2|x| + 1) with the sign of x; near 0 Cephes' odd polynomial. */
LCTX__INLINE vf FN(tanh1)(vf x)
{
    const vf zero = vf_set1(0.0f), one = vf_set1(1.0f), two = vf_set1(2.0f);
    vf a = vf_max(vf_sub(zero, x), x), z = vf_mul(x, x), t, p;
    t = vf_sub(one, vf_div(two, vf_add(FN(exp)(vf_mul(two, a)), one)));
    t = vf_lt(x, zero, vf_sub(zero, t), t);
    p = vf_fma(vf_set1(-5.70498872745e-3f), z, vf_set1(2.06390887954e-2f));
    p = vf_fma(p, z, vf_set1(-5.37397155531e-2f));
    p = vf_fma(p, z, vf_set1(1.33314422036e-1f));
    p = vf_fma(p, z, vf_set1(-3.33332819422e-1f));
    p = vf_fma(vf_mul(p, z), x, x);
    return vf_lt(a, vf_set1(0.625f), p, t);
}

/* Codes number n of the words at p, over the range at `range`. */
LCTX__INLINE vf FN(four)(const char *p, int n, const char *range)
{
    uint32_t word;
    memcpy(&word, range, 4);
    return vf_four(p, n, vf_set1(lctx__step(word)), vf_set1(lctx__low(word)));
}
/* Elements i .. i+VL-1 of a row. */
LCTX__INLINE vf FN(row)(const int type, const void *p, int64_t i)
{
    switch (type) {
    case LCTX_F32:  return vf_load((const char *)p + 4 * i);
    case LCTX_F16:  return vf_f16((const char *)p + 2 * i);
    case LCTX_BF16: return vf_bf16((const char *)p + 2 * i);
    default:        return vf_i8((const char *)p + i);
    }
}
/* Columns c .. c+VL-1 of term e of the group at x, of a native tile: of a dimension's keys or a
   token's values. 4-bit terms have ranges. */
LCTX__INLINE vf FN(term)(const int type, const char *x, const char *ranges, int e, int64_t c)
{
    switch (type) {
    case LCTX_BF16: return e ? vf_odd(x + 4 * c) : vf_even(x + 4 * c);
    case LCTX_I8:   return vf_quad(x + 4 * c, e);
    case LCTX_I4:   return FN(four)(x + 4 * c, e, ranges + 4 * e);
    default:        return FN(row)(type, x, c);      /* its group's only one */
    }
}
/* The last n < VL elements of a row, zeros after them. */
LCTX__COLD vf FN(row_end)(int type, const void *p, int64_t i, int64_t n)
{
    char buf[64] = { 0 };
    memcpy(buf, (const char *)p + lctx__row_bytes(type, i), (size_t)lctx__row_bytes(type, n & 15));
    return FN(row)(type, buf, 0);
}

/* Elements i .. i+VL-1 of a row of which n are left. */
LCTX__INLINE vf FN(row_from)(const int type, const void *p, int64_t i, int64_t n)
{
    return n >= VL ? FN(row)(type, p, i) : FN(row_end)(type, p, i, n);
}

#if VL > 1
/* x[4] as 4x4 blocks, each transposed. */
LCTX__INLINE void FN(transpose4)(vf x[4])
{
    const vf a = vf_zip1(x[0], x[1]), b = vf_zip2(x[0], x[1]);
    const vf c = vf_zip1(x[2], x[3]), d = vf_zip2(x[2], x[3]);
    x[0] = vf_zip1d(a, c), x[1] = vf_zip2d(a, c);
    x[2] = vf_zip1d(b, d), x[3] = vf_zip2d(b, d);
}
#endif
/* Asks for the next pairs of lines of what is read soon, without a loop if a row has them. Inline:
   a call would cost the registers. */
LCTX__INLINE void FN(fetch)(lctx__soon *soon, int64_t pairs)
{
    const char *at = soon->at, *const to = at + 128 * pairs;
    int i;
    if (LCTX__RARELY(to > soon->end)) {
        for (i = 0; i < 2 * pairs; i++) {
            LCTX__FETCH(at, 1);
            soon->left--;
            if ((at += 64) >= soon->end) at = lctx__soon_next(soon);
        }
        soon->at = at;
        return;
    }
    soon->at = to, soon->left -= 2 * pairs;
    LCTX__EACH(i, LCTX__ASK) {
        if (i >= pairs) break;
        LCTX__FETCH(at + 128 * i, 1);
        LCTX__FETCH(at + 128 * i + 64, 1);
    }
}

/* f(type, ...), or f(type, R, ...) of register tiles, with these constant: chosen once per block of
   rows. */
#define LCTX__BY_TYPE(type, f, ...)                         \
    switch (type) {                                         \
    case LCTX_F32:  f(LCTX_F32, __VA_ARGS__); break;        \
    case LCTX_F16:  f(LCTX_F16, __VA_ARGS__); break;        \
    case LCTX_BF16: f(LCTX_BF16, __VA_ARGS__); break;       \
    default:        f(LCTX_I8, __VA_ARGS__); break;         \
    }
#ifndef DOTS
#  define LCTX__BY_TERM     LCTX__BY_TYPE
#else
#  define LCTX__BY_TERM(type, f, ...) f(LCTX_BF16, __VA_ARGS__);
#  define LCTX__BY_INT(type, f, R, ...)                             \
    if ((R) <= 4 && (type) == LCTX_I4) f(LCTX_I4, R, __VA_ARGS__);  \
    else f(LCTX_I8, R, __VA_ARGS__);
#endif
#define LCTX__BY_ROWS(by, n, type, f, ...)                               \
    if ((n) == MAX_R)               { by(type, f, MAX_R, __VA_ARGS__) }  \
    else if (MAX_R > 4 && (n) == 4) { by(type, f, 4, __VA_ARGS__) }      \
    else if (MAX_R > 2 && (n) == 2) { by(type, f, 2, __VA_ARGS__) }      \
    else                            { by(type, f, 1, __VA_ARGS__) }
/* How many of n rows the next block takes, `most` at most. */
LCTX__INLINE int64_t FN(block)(int64_t n, int64_t most)
{
    return n >= most ? most : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

#ifdef DOTS
/* ---- dot products. Queries are rounded to the keys' type once; a weight to bf16, or, for int8
   values, to a whole number of 2 WEIGHT_BITS bits (see FN(shares)), in two parts. Sums of int8
   products are exact. */

/* Words of keys or values; of 4 bits the even nibbles or the odd ones. */
LCTX__INLINE vw FN(word_of)(const int type, const char *p, const int e)
{
    vw x = vw_load(p);
    if (type == LCTX_I4) x = (e ? x >> 4 : x) & vw_set1(0x0f0f0f0f);
    return x;
}
/* Queries for the tile's 4-bit keys: a dimension's step times them, rounded to whole numbers of 14
   bits in two parts; its low times them into the base. */
LCTX__INLINE void FN(queries_i4)(const lctx__tile *t, int64_t row, const int R)
{
    const int64_t d = t->d_k, r0 = t->row0 + row;
    const char *range = (const char *)t->k + (d + 15) / 16 * (8 * LCTX_TILE);
    const float *q = t->q + row * LCTX_TILE;
    char *to = (char *)(t->q_dot->words + r0 * LCTX__WORDS);
    vf top[4], base[4], inv[4];
    int64_t c;
    int r, i;
    for (r = 0; r < R; r++) top[r] = base[r] = vf_set1(0.0f);
    for (c = 0; c < d; c += VL) {
        const vf step = vf_odd(range + 4 * c), low = vf_even(range + 4 * c);
        LCTX__EACH(r, R) {
            const float *p = q + c / LCTX_TILE * t->q_step + r * LCTX_TILE + c % LCTX_TILE;
            vf x = vf_load(p), y = vf_mul(x, step);
            top[r] = vf_max(vf_max(y, vf_sub(vf_set1(0.0f), y)), top[r]);
            base[r] = vf_fma(x, low, base[r]);
        }
    }
    LCTX__EACH(r, R) {
        const float max = vf_hmax(top[r]);
        inv[r] = vf_set1(max > 1e-30f ? 8191 / max : 0);
        t->q_dot->scale[r0 + r] = max / 8191, t->q_dot->base[r0 + r] = vf_hsum(base[r]);
    }
    for (c = 0; c < lctx__round_up(d, LCTX_TILE); c += 4 * VL)
        LCTX__EACH(r, R) {
            const int64_t at = c / LCTX_TILE * t->q_step + r * LCTX_TILE;
            char *p = to + 2 * at + c % LCTX_TILE;
            vw x[4];
            LCTX__EACH(i, 4) {
                x[i] = vw_set1(0);
                if (c + i * VL < d)
                    x[i] = vw_int(vf_mul(vf_mul(vf_load(q + at + c % LCTX_TILE + i * VL),
                                                vf_odd(range + 4 * (c + i * VL))), inv[r]));
            }
            FN(split)(x, p, p + LCTX_TILE, 7, 1);
        }
}
/* Scores of integers: R rows from row on, C vectors of keys at a time. Of 4 bits a word has even
   nibbles and odd ones (E), a query two parts (P), so that four rows fill the registers. */
LCTX__INLINE void FN(scores_of)(const int type, const int R, const lctx__tile *t, int64_t row)
{
    const int P = type == LCTX_I4 ? 2 : 1, E = P, C = R * P <= WIDE_R ? 4 : 2, W = 16 / E;
    const int64_t words = (t->d_k + LCTX__GROUP(type) - 1) / LCTX__GROUP(type);
    const int64_t q_step = t->q_step * P / 4, r0 = t->row0 + row;
    const int64_t rate = lctx__pace(&t->soon[LCTX__SCORES], R, t->rows - row,
                                    words * (LCTX_TILE / (C * VL)));
    int64_t c, n, w;
    int r, e, p, i;
    for (c = 0; c < LCTX_TILE; c += C * VL) {
        float *to = t->s + row * LCTX_TILE + c;
        const char *from = (const char *)t->k + 4 * c;
        const uint32_t *q = t->q_dot->words + r0 * (P * 16);
        vw s[MAX_R][2][4], k[4];
        LCTX__EACH(r, R)
            LCTX__EACH(i, C)
                s[r][0][i] = s[r][1][i] = vw_set1(type == LCTX_I8 ? t->q_dot->start[r0 + r] : 0);
        for (n = words; n > 0; n -= W, q += q_step)
            for (w = 0; w < lctx__min(n, W); w++, from += 4 * LCTX_TILE) {
                if (LCTX__RARELY(rate)) FN(fetch)(&t->soon[LCTX__SCORES], rate);
                LCTX__EACH(e, E) {
                    LCTX__EACH(i, C) k[i] = FN(word_of)(type, from + 4 * i * VL, e);
                    LCTX__EACH(r, R)
                        LCTX__EACH(p, P) {
                            const vw x = vw_set1(q[(r * P + p) * 16 + w * E + e]);
                            LCTX__EACH(i, C) {
                                vw *sum = &s[r][p][i];
                                if (type == LCTX_I8) *sum = vw_dot_key(*sum, k[i], x);
                                else *sum = vw_dot_value(*sum, k[i], x);
                            }
                        }
                }
            }
        LCTX__EACH(r, R)
            LCTX__EACH(i, C) {
                vf x = vw_float(s[r][0][i]);
                if (type == LCTX_I4) x = vf_fma(x, vf_set1(128.0f), vw_float(s[r][1][i]));
                if (type == LCTX_I8) x = vf_mul(x, vf_set1(t->q_dot->scale[r0 + r]));
                if (type == LCTX_I4)
                    x = vf_fma(x, vf_set1(t->q_dot->scale[r0 + r]),
                               vf_set1(t->q_dot->base[r0 + r]));
                vf_store(to + r * LCTX_TILE + i * VL, x);
            }
    }
}
LCTX__INLINE void FN(scores_ints)(const lctx__tile *t)
{
    const int four = t->k_type == LCTX_I4;
    int64_t row, n;
    for (row = 0; four && row + 4 <= t->rows; row += 4) FN(queries_i4)(t, row, 4);
    for (; four && row < t->rows; row++) FN(queries_i4)(t, row, 1);
    for (row = 0; row < t->rows; row += n) {
        n = FN(block)(t->rows - row, four ? 4 : MAX_R);
        LCTX__BY_ROWS(LCTX__BY_INT, n, t->k_type, FN(scores_of), t, row)
    }
}
/* Weights of tokens c .. c+4VL-1 stored as they will be multiplied, and what is left of them: bf16,
   two a word; or, for integers, whole numbers, the high parts of all and then the low ones. */
LCTX__INLINE void FN(weigh)(const lctx__tile *t, int64_t row, int64_t c, vf p[4])
{
    char *to = (char *)(t->w + row * LCTX__WORDS) + c;
    vw x[4];
    int i;
    if (t->v_type == LCTX_BF16) {
        LCTX__EACH(i, 4) {
            char *pairs = to + c + 2 * i * VL;
            vw_put_bf16(pairs, p[i]);
            p[i] = vf_bf16(pairs);
        }
        return;
    }
    LCTX__EACH(i, 4) x[i] = vw_int(vf_mul(p[i], vf_load(t->share + c + i * VL)));
    if (t->v_type == LCTX_I4) FN(split)(x, to, to + LCTX_TILE, WEIGHT_BITS, 1);
    else FN(split)(x, to, to + LCTX_TILE, WEIGHT_BITS, 0);
}

/* What a weight of 1 is as a whole number, for each token in see: its value's scale or step over
   the largest of them, times the most that 2 WEIGHT_BITS hold. Returns what a whole 1 is worth; NaN
   where a scale is; -1 where an int8's scale is negative or all are too small for that. */
LCTX__INLINE float FN(shares)(const lctx__tile *t, uint64_t see)
{
    const float most = (float)((1 << 2 * WEIGHT_BITS) - 1);
    const char *ranges = (const char *)t->v + LCTX_TILE * t->v_stride;      /* of 4 bits */
    const vf zero = vf_set1(0.0f);
    vf top = zero, low = zero, bad = zero, inv;
    float max;
    int64_t c;
    for (c = 0; c < LCTX_TILE; c += VL) {
        vf x = t->v_type == LCTX_I4 ? vf_odd(ranges + 4 * c) : vf_load(t->v_scale + c);
        x = vf_keep(see >> c, x, zero);
        top = vf_max(x, top), low = vf_max(vf_sub(zero, x), low), bad = vf_fma(x, zero, bad);
        vf_store(t->share + c, x);
    }
    max = vf_hmax(top);
    if (t->v_type == LCTX_I8 && (vf_hmax(low) > 0 || (max > 0 && max <= 1e-30f))) return -1.0f;
    inv = vf_set1(max > 1e-30f ? most / max : 0.0f);      /* finite */
    for (c = 0; c < LCTX_TILE; c += VL)
        vf_store(t->share + c, vf_mul(vf_load(t->share + c), inv));
    return max / most + vf_hsum(bad);
}
/* Are a row's values multiplied by dot products? Int8 whose scales do not suit them are not. */
LCTX__INLINE int FN(by_dots)(const lctx__tile *t, int64_t row)
{
    return t->v_dot && (t->v_type == LCTX_BF16 || !(t->w_scale[row] < 0));
}

/* The tile's integers in one go; masked ones have weight 0, and no integer is NaN. */
LCTX__INLINE void FN(values_int)(const lctx__tile *t, int64_t row, int64_t c, const int R,
                                 const int C, const int type, int64_t rate)
{
    const uint32_t *p = t->w + row * LCTX__WORDS;
    const char *v = (const char *)t->v + 4 * c;
    vw hi[4][8], lo[4][8], x[8];
    int64_t j;
    int r, e, i;
    LCTX__EACH(r, R)
        LCTX__EACH(i, C) hi[r][i] = lo[r][i] = vw_set1(0);
    for (j = 0; j < LCTX_TILE / 4; j += 2) {
        if (LCTX__RARELY(rate)) FN(fetch)(&t->soon[LCTX__VALUES], rate);
        LCTX__EACH(e, 2) {
            LCTX__EACH(i, C) {
                const int64_t at = (type == LCTX_I4 ? j : j + e) * 4 * t->v_stride + 4 * i * VL;
                x[i] = FN(word_of)(type, v + at, e);
            }
            LCTX__EACH(r, R) {
                vw h = vw_set1(p[r * LCTX__WORDS + j + e]);
                vw l = vw_set1(p[r * LCTX__WORDS + LCTX_TILE / 4 + j + e]);
                LCTX__EACH(i, C) {
                    hi[r][i] = vw_dot_value(hi[r][i], h, x[i]);
                    lo[r][i] = vw_dot_value(lo[r][i], l, x[i]);
                }
            }
        }
    }
    LCTX__EACH(r, R) {
        const vf scale = vf_set1(t->w_scale[row + r]);
        const vf low = vf_set1(type == LCTX_I4 ? t->w_low[row + r] : 0.0f);
        LCTX__EACH(i, C) {
            float *acc = t->acc + (row + r) * t->d_v + c + i * VL;
            vf sum = vw_float((hi[r][i] << WEIGHT_BITS) + lo[r][i]), to = vf_load(acc);
            if (type == LCTX_I4) to = vf_add(to, low);
            vf_store(acc, vf_fma(sum, scale, to));
        }
    }
}
/* One row and many columns, so that memory is read in order; of 4 bits up to four rows, which share
   the work of taking codes apart. */
LCTX__INLINE void FN(values_block)(const lctx__tile *t, int64_t row, const int R, const int type)
{
    const int C = 8 / R;
    const int64_t passes = (t->d_v + C * VL - 1) / (C * VL);
    const int64_t rate = lctx__pace(&t->soon[LCTX__VALUES], R, t->rows - row,
                                    passes * (LCTX_TILE / 8));
    int64_t c;
    for (c = 0; c + C * VL <= t->d_v; c += C * VL) FN(values_int)(t, row, c, R, C, type, rate);
    for (; R == 1 && c + 4 * VL <= t->d_v; c += 4 * VL)
        FN(values_int)(t, row, c, 1, 4, type, rate);
    for (; c < t->d_v; c += VL) FN(values_int)(t, row, c, R, 1, type, rate);
}
LCTX__INLINE void FN(values_ints)(const lctx__tile *t, int64_t row, int64_t end)
{
    int64_t n;
    for (; row < end; row += n) {
        n = t->v_type == LCTX_I8 ? 1 : FN(block)(end - row, 4);
        if (t->v_type == LCTX_I8) FN(values_block)(t, row, 1, LCTX_I8);
        else if (n == 4) FN(values_block)(t, row, 4, LCTX_I4);
        else if (n == 2) FN(values_block)(t, row, 2, LCTX_I4);
        else FN(values_block)(t, row, 1, LCTX_I4);
    }
}

/* Rows rounded for dot products, with what int8 needs; q as in lctx__tile. */
LCTX__ENTRY void FN(queries)(int64_t rows, int64_t d, const float *q, lctx__dots *out)
{
    const int64_t step = rows * LCTX_TILE, end = lctx__round_up(d, LCTX_TILE) * rows;
    int64_t r, i, j;
    for (r = 0; r < rows; r++) {
        uint32_t top = 0;
        int32_t sum = 0;
        for (i = r * LCTX_TILE; i < end; i += step)
            top = (uint32_t)lctx__max(lctx__top_bits(LCTX_TILE, q + i), top);
        out->scale[r] = lctx__i8_scale(top);
        for (i = r * LCTX_TILE; i < end; i += step) {
            int8_t *to = (int8_t *)(void *)out->words + i;
            if (out->type == LCTX_I8) PLAIN(to_i8)(LCTX_TILE, q + i, out->scale[r], to);
            for (j = 0; j < LCTX_TILE && out->type == LCTX_I8; j++) sum += to[j];
            for (j = 0; j < LCTX_TILE && out->type == LCTX_BF16; j += VL)
                vw_put_bf16((uint16_t *)(void *)out->words + i + j, vf_load(q + i + j));
        }
        out->start[r] = KEY_START * sum;
    }
}

/* n rows of d values, d a multiple of 16, to a native value tile; the last one stands for more. */
LCTX__ENTRY void FN(weave)(int type, int64_t n, int64_t d, const char *rows, int64_t stride,
                           void *out)
{
    uint32_t *to = (uint32_t *)out;
    const char *p[4];
    int64_t j, c;
    int e;
    for (j = 0; j < LCTX_TILE; j += LCTX__GROUP(type)) {
        LCTX__EACH(e, 4) p[e] = rows + lctx__min(j + e, n - 1) * stride;
        for (c = 0; c < d; c += VL, to += VL) {
            vw x = vw_set1(0);
            if (type == LCTX_BF16) x = vw_halves(p[0] + 2 * c) | vw_halves(p[1] + 2 * c) << 16;
            else
                LCTX__EACH(e, 4) x |= vw_bytes(p[e] + c) << 8 * e;
            vw_store(to, x);
        }
    }
}
#endif /* DOTS */

/* One row's scores capped, and biased. */
LCTX__ENTRY void FN(bend)(const lctx__tile *t, int64_t row)
{
    float *s = t->s + row * LCTX_TILE;
    int64_t c;
    for (c = 0; c < LCTX_TILE; c += VL) {
        vf x = vf_load(s + c);
        if (t->softcap > 0)
            x = vf_mul(FN(tanh1)(vf_div(x, vf_set1(t->softcap))), vf_set1(t->softcap));
        if (t->slope) {
            vf far = vf_sub(vf_set1(t->dist[row]), vf_load(lctx__lane + c));
            x = vf_fma(vf_set1(-t->slope[row]), vf_max(far, vf_sub(vf_set1(0.0f), far)), x);
        }
        if (t->bias) x = vf_add(x, vf_load(t->bias + row * LCTX_TILE + c));
        vf_store(s + c, x);
    }
}
/* One row's scores to logits: int8's scales, cap, biases. Returns the greatest in see. */
LCTX__INLINE float FN(logits)(const lctx__tile *t, int64_t row, uint64_t see)
{
    float *s = t->s + row * LCTX_TILE;
    vf top = vf_set1(-FLT_MAX);
    int64_t c;
    if (t->k_scale)
        for (c = 0; c < LCTX_TILE; c += VL)
            vf_store(s + c, vf_mul(vf_load(s + c), vf_load(t->k_scale + c)));
    if (t->softcap > 0 || t->slope || t->bias) FN(bend)(t, row);
    for (c = 0; c < LCTX_TILE; c += VL)                                /* a NaN does not enter */
        top = vf_max(vf_keep(see >> c, vf_load(s + c), vf_set1(-FLT_MAX)), top);
    return vf_hmax(top);
}

/* A row's greatest logit becomes m, and what there is is rescaled, only if it is greater by
   LCTX__SLACK. */
LCTX__INLINE void FN(raise)(const lctx__tile *t, int64_t row, float top)
{
    const int first = t->l[row] == 0;
    float *acc = t->acc + row * t->d_v;
    int64_t c;
    vf w;
    if (first) memset(acc, 0, (size_t)t->d_v * sizeof *acc);
    if (!LCTX__RARELY(top > t->m[row] + (first ? 0 : LCTX__SLACK))) return;
    w = FN(exp_down)(vf_set1(t->m[row] - top));
    for (c = 0; c < t->d_v; c += VL) vf_store(acc + c, vf_mul(vf_load(acc + c), w));
    t->l[row] *= vf_first(w), t->m[row] = top;
}
/* One row's logits, of which top is the greatest, to weights, and their sum to l. Weights that
   become whole numbers are taken from the tile's own greatest, so that they are 1 at most, and
   rescaled as they join. */
LCTX__INLINE void FN(softmax)(const lctx__tile *t, int64_t row, uint64_t see, float top)
{
    float *s = t->s + row * LCTX_TILE, scale = 1;
    vf sum = vf_set1(0.0f), m;
#ifdef DOTS
    const int dots = FN(by_dots)(t, row), four = dots && t->v_type == LCTX_I4;
    const int whole = dots && t->v_type != LCTX_BF16;
    const char *ranges = (const char *)t->v + LCTX_TILE * t->v_stride;
    vf low = sum;
#else
    const int dots = 0, whole = 0;
#endif
    int64_t c;
    int i;
    if (whole) scale = vf_first(FN(exp_down)(vf_set1(top - t->m[row])));
    m = vf_set1(whole ? top : t->m[row]);
    for (c = 0; c < LCTX_TILE; c += 4 * VL) {
        vf p[4];
        LCTX__EACH(i, 4)
            p[i] = FN(exp_seen)(vf_sub(vf_load(s + c + i * VL), m), see >> (c + i * VL));
#ifdef DOTS
        if (four)
            LCTX__EACH(i, 4)
                low = vf_fma(p[i], vf_keep(see >> (c + i * VL), vf_even(ranges + 4 * (c + i * VL)),
                                           vf_set1(0.0f)), low);
        if (dots) FN(weigh)(t, row, c, p);
#endif
        LCTX__EACH(i, 4) {
            sum = vf_add(sum, p[i]);
            if (dots) continue;
            if (t->v_scale) p[i] = vf_mul(p[i], vf_load(t->v_scale + c + i * VL));
            vf_store(s + c + i * VL, p[i]);
        }
    }
    t->l[row] += scale * vf_hsum(sum);
#ifdef DOTS
    if (four) t->w_low[row] = scale * vf_hsum(low);
    if (whole) t->w_scale[row] *= scale;
#endif
}

#if LCTX__ISA != 5     /* whose dot products are of integers alone */
/* a[R rows][C vectors] += factors w times term e, of the group at x, if it is seen. Dot products
   take it and the next, those seen, if e is even. */
LCTX__INLINE void FN(sums_step)(const int type, const int R, const int C, const char *x,
                                const void *w, int e, uint64_t see, vf a[MAX_R][4])
{
    int r, i;
#ifdef DOTS
    const uint64_t both = see >> e & 3;
    vw y[4];
    if (e % 2 || !both) return;
    LCTX__EACH(i, C) y[i] = FN(word_of)(type, x + 4 * i * VL, 0);
    if (both != 3)                     /* a masked NaN times zero would be NaN */
        LCTX__EACH(i, C) y[i] &= vw_set1(both == 1 ? 0xffff : 0xffff0000u);
    LCTX__EACH(r, R) {
        const vw f = vw_set1(((const uint32_t *)w)[(r * LCTX_TILE + e) / 2]);
        LCTX__EACH(i, C) a[r][i] = vw_dot_bf16(a[r][i], y[i], f);
    }
#else
    vf y[4];
    if (!(see >> e & 1)) return;
    LCTX__EACH(i, C) y[i] = FN(term)(type, x, NULL, e % LCTX__GROUP(type), i * VL);
    LCTX__EACH(r, R) {
        const vf f = vf_set1(((const float *)w)[r * LCTX_TILE + e]);
        LCTX__EACH(i, C) a[r][i] = vf_fma(f, y[i], a[r][i]);
    }
#endif
}
/* R rows' sums, C vectors from column c on: one chain each, over all terms, of so many bytes, in
   order; N at a time. */
LCTX__INLINE void FN(sums_at)(const int type, const int R, const int C, const lctx__sums *u,
                              int64_t row, int64_t c, int64_t bytes, uint64_t see, int64_t rate)
{
    const int G = LCTX__GROUP(type), N = VL > 1 && C > 1 ? 4 : G;
    const uint64_t all = ~(uint64_t)0;
    const float *from = u->from + row * u->from_ld + c;
    const char *x = u->x + lctx__row_bytes(type, G * c);
    float *to = u->to + row * u->cols + c;
#ifdef DOTS
    const uint32_t *w = (const uint32_t *)u->w + row * LCTX__WORDS;
    const int each = 2;                /* terms a word */
#else
    const float *w = (const float *)u->w + row * LCTX_TILE;
    const int each = 1;
#endif
    vf a[MAX_R][4];
    int64_t n, j;
    int r, i, e;
    LCTX__EACH(r, R)
        LCTX__EACH(i, C) a[r][i] = vf_load(from + r * u->from_ld + i * VL);
    for (n = u->terms; n > 0; n -= LCTX_TILE, w += u->w_step)
        for (j = 0; j < lctx__min(n, LCTX_TILE); j += N) {
            if (LCTX__RARELY(rate) && j % LCTX__EVERY == 0) FN(fetch)(u->soon, rate);
            if (LCTX__RARELY(see != all)) {
                LCTX__ROLLED
                for (e = 0; e < N; e++)
                    FN(sums_step)(type, R, C, x + (e - e % G) * bytes, w + j / each, e,
                                  see >> j, a);
                x += N * bytes;
            } else LCTX__EACH(e, N) {
                FN(sums_step)(type, R, C, x, w + j / each, e, all, a);
                if (e % G == G - 1) x += G * bytes;
                vp_pin(x);
            }
        }
    LCTX__EACH(r, R)
        LCTX__EACH(i, C) vf_store(to + r * u->cols + i * VL, a[r][i]);
}
/* Columns from c on, too few for a register tile of n rows: sixteen at a time. */
LCTX__ENTRY void FN(sums_rest)(const lctx__sums *u, int64_t row, int64_t n, int64_t c)
{
    const int64_t steps = (n + 3) / 4 * (u->cols / 16) * (u->terms / LCTX__EVERY);
    const int64_t rate = c ? 0 : lctx__pace(u->soon, n, u->rows - row, steps);
    int64_t i;
#define LCTX__CALL(T, R) FN(sums_at)(T, R, 16 / VL, u, row + n - i, c, u->stride, u->see, rate)
    for (; c < u->cols; c += 16) {
        for (i = n; WIDE_R >= 4 && i >= 4; i -= 4) { LCTX__BY_TERM(u->type, LCTX__CALL, 4) }
        for (; i > 0; i--) { LCTX__BY_TERM(u->type, LCTX__CALL, 1) }
    }
#undef LCTX__CALL
}
LCTX__INLINE void FN(sums_of)(const int type, const int R, const lctx__sums *u, int64_t row,
                              int64_t bytes, uint64_t see)
{
    const int C = R <= WIDE_R ? 4 : 2;
    const int64_t steps = u->cols / (C * VL) * (u->terms / LCTX__EVERY);
    const int64_t rate = lctx__pace(u->soon, R, u->rows - row, steps);
    int64_t c;
    for (c = 0; c + C * VL <= u->cols; c += C * VL)
        FN(sums_at)(type, R, C, u, row, c, bytes, see, rate);
    if (C * VL > 16 && c < u->cols) FN(sums_rest)(u, row, R, c);
}
LCTX__ENTRY void FN(sums)(const lctx__sums *u, int64_t row, int64_t n)
{
    LCTX__BY_ROWS(LCTX__BY_TERM, n, u->type, FN(sums_of), u, row, u->stride, u->see)
}
/* A stage's sums. Processors foresee addresses by the place in the code that asks for them, and
   would foresee neither keys nor values in a loop that takes both by turns: what waits for memory
   most has loops of its own for keys. */
LCTX__INLINE void FN(sum)(const lctx__tile *t, const int stage, int64_t row, int64_t end,
                          uint64_t see)
{
#ifdef DOTS
    const int often = LCTX_BF16;
    const lctx__sums u = lctx__sums_of(t, stage, see, stage == LCTX__VALUES ? t->w :
                                       t->q_dot->words + t->row0 * LCTX__WORDS, t->q_step / 2);
#else
    const int often = LCTX_F16;
    const lctx__sums u = lctx__sums_of(t, stage, see, stage == LCTX__VALUES ? t->s : t->q,
                                       t->q_step);
#endif
    const int own = VL > 1 && stage == LCTX__SCORES && u.type == often;
    const int64_t bytes = lctx__row_bytes(often, LCTX_TILE);
    int64_t n;
    for (; row < end; row += n) {
        n = FN(block)(end - row, MAX_R);
        if (own && n == 1) FN(sums_of)(often, 1, &u, row, bytes, ~(uint64_t)0);
        else if (own && n == 4) FN(sums_of)(often, 4, &u, row, bytes, ~(uint64_t)0);
        else FN(sums)(&u, row, n);
    }
}
#endif

LCTX__ENTRY void FN(scores)(const lctx__tile *t)
{
#ifdef DOTS
    if (!t->q_dot || t->k_type != LCTX_BF16) {
        if (t->q_dot) FN(scores_ints)(t);
        else PLAIN(scores)(t);
        return;
    }
#endif
#if LCTX__ISA != 5
    FN(sum)(t, LCTX__SCORES, 0, t->rows, ~(uint64_t)0);
#endif
}
LCTX__ENTRY void FN(values)(const lctx__tile *t, int64_t row, int64_t end, uint64_t see)
{
#ifdef DOTS
    const int dots = FN(by_dots)(t, row);
    if (!dots || t->v_type != LCTX_BF16) {
        if (dots) FN(values_ints)(t, row, end);
        else PLAIN(values)(t, row, end, see);
        return;
    }
#endif
#if LCTX__ISA != 5
    FN(sum)(t, LCTX__VALUES, row, end, see);
#endif
}

/* n rows' scores, LCTX__TOPS at most, to weights: first the greatest, which take a while. */
LCTX__INLINE void FN(weights)(const lctx__tile *t, int64_t row, int64_t n)
{
    lctx__soon *const keys = &t->soon[LCTX__VALUES];      /* for which the softmax, too, has time */
    uint64_t see[LCTX__TOPS];
    float top[LCTX__TOPS];
    int64_t i;
#ifdef DOTS
    float worth = 0;
#endif
    for (i = 0; i < n; i++) {
        see[i] = t->see ? t->see[row + i] : ~(uint64_t)0;
        if (see[i]) top[i] = FN(logits)(t, row + i, see[i]);
    }
    for (i = 0; i < n; i++) {
        if (keys->left > 0) FN(fetch)(keys, LCTX__ASK);
        if (keys->left > 0) FN(fetch)(keys, LCTX__ASK);
        if (!see[i]) continue;
#ifdef DOTS
        if (t->v_dot && t->v_type != LCTX_BF16) {
            if (!i || see[i] != see[i - 1]) worth = FN(shares)(t, see[i]);
            t->w_scale[row + i] = worth;
        }
#endif
        FN(raise)(t, row + i, top[i]);
        FN(softmax)(t, row + i, see[i], top[i]);
    }
}

/* One tile. Where masks differ between rows, values go by runs of rows that see the same keys, so
   that a masked value is never multiplied by a zero weight (0 * NaN is NaN). */
LCTX__INLINE void FN(one)(const lctx__tile *t)
{
    int64_t row, end;
    FN(scores)(t);
    for (row = 0; row < t->rows; row += LCTX__TOPS)
        FN(weights)(t, row, lctx__min(t->rows - row, LCTX__TOPS));
    if (!t->see) FN(values)(t, 0, t->rows, ~(uint64_t)0);
    for (row = 0; t->see && row < t->rows; row = end) {
        for (end = row + 1; end < t->rows && t->see[end] == t->see[row]; end++) {}
        if (t->see[row]) FN(values)(t, row, end, t->see[row]);
    }
}
LCTX__ENTRY void FN(tile)(lctx__tile *t)
{
    do FN(one)(t);
    while (lctx__tile_next(t));
}

/* mass[key] += exp(logit - lse), row by row: the weights of a tile whose rows' sums are known. */
LCTX__ENTRY void FN(mass)(lctx__tile *t)
{
    int64_t row, c;
    FN(scores)(t);
    for (row = 0; row < t->rows; row++) {
        const uint64_t see = t->see ? t->see[row] : ~(uint64_t)0;
        const float *s = t->s + row * LCTX_TILE;
        (void)FN(logits)(t, row, see);
        for (c = 0; c < LCTX_TILE; c += VL) {
            vf p = FN(exp)(vf_sub(vf_load(s + c), vf_set1(t->m[row])));
            vf_store(t->mass + c, vf_add(vf_load(t->mass + c),
                                         vf_keep(see >> c, p, vf_set1(0.0f))));
        }
    }
}

/* ---- weights in blocks. Words j of a group: bytes 64 j .. 64 j + 63 of lctx__runs, VL words of
   them from number g VL on. */
LCTX__INLINE vw FN(codes)(const int type, const char *p, const int j, const int g)
{
    static const int32_t odd[16] = { 0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4 };
    static const int32_t late[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4 };
    static const int8_t e2m1[16] = { 12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0 };
    const vw low = vw_set1(0x0f0f0f0f);
    vw x, h;
    switch (type) {
    case LCTX_Q8_0:  return vw_pieces(p + 2 + 34 * j, 16, 136, g);
    case LCTX_Q4_0:  return vw_pieces(p + 2 + 18 * j, 0, 72, g) >> vw_load(odd + g * VL) & low;
    case LCTX_MXFP4: x = vw_pieces(p + 1 + 17 * j, 0, 68, g) >> vw_load(odd + g * VL) & low;
                     return vw_table(e2m1, x);
    case LCTX_Q4_K:  return vw_pieces(p + 16 + j / 2 * 32, 16, 64, g) >> j % 2 * 4 & low;
    case LCTX_Q5_K:  x = vw_pieces(p + 48 + j / 2 * 32, 16, 64, g) >> j % 2 * 4 & low;
                     h = vw_pieces(p + 16, 16, 0, g) >> vw_load(late + g * VL);
                     return x | (h << (4 - j) & vw_set1(0x10101010));
    default:         x = vw_pieces(p + j % 2 * 32, 16, 64, g) >> j / 2 * 4 & low;
                     h = vw_pieces(p + 128, 16, 32, g);
                     return x | ((j < 3 ? h << (4 - j * 2 % 6) : h >> 2) & vw_set1(0x30303030));
    }
}
/* a and b of the runs. */
LCTX__INLINE void FN(scales)(const int type, const char *p, vf a[16 / VL], vf b[16 / VL])
{
    const int64_t bytes = lctx__row_bytes(type, 32);
    const int in_k = type == LCTX_Q4_K || type == LCTX_Q5_K;
    uint32_t s[3], by[4], less[4];
    uint16_t half[16];
    int k;
    if (in_k) {
        memcpy(s, p + 4, sizeof s);
        by[0] = by[1] = s[0] & 0x3f3f3f3fu, less[0] = less[1] = s[1] & 0x3f3f3f3fu;
        by[2] = by[3] = (s[2] & 0x0f0f0f0fu) | (s[0] >> 2 & 0x30303030u);
        less[2] = less[3] = (s[2] >> 4 & 0x0f0f0f0fu) | (s[1] >> 2 & 0x30303030u);
    } else LCTX__EACH(k, 16) {
        const char *at = p + bytes * (k / 8 * 4 + k % 4);
        if (type == LCTX_Q6_K) ((char *)by)[k] = p[192 + lctx__run_at(k) / 16];
        else if (type != LCTX_MXFP4) half[k] = lctx__half_at(at);
        else half[k] = (uint16_t)((uint8_t)*at << 7 | !*at << 6);      /* 2^(e - 127) in bf16 */
    }
    for (k = 0; k < 16 / VL; k++) {
        b[k] = vf_set1(0.0f);
        if (in_k) b[k] = vf_mul(vf_i8((char *)less + k * VL), vf_sub(b[k], vf_half(p + 2)));
        if (type == LCTX_MXFP4) a[k] = vf_mul(vf_bf16(half + k * VL), vf_set1(0.5f));
        else if (type == LCTX_Q8_0 || type == LCTX_Q4_0) a[k] = vf_f16(half + k * VL);
        else a[k] = vf_mul(vf_i8((char *)by + k * VL), vf_half(p + (in_k ? 0 : 208)));
    }
}
/* The last n < 256 weights of a row as the first of 256, the others 0: rest[8 * 34]. */
LCTX__INLINE const char *FN(rest_of)(int type, const char *p, int64_t n, char *rest)
{
    memset(rest, 0, 8 * 34);
    memcpy(rest, p, (size_t)lctx__row_bytes(type, n));
    return rest;
}
#define LCTX__BY_BLOCK(type, f, ...)                    \
    switch (type) {                                     \
    case LCTX_Q8_0: f(LCTX_Q8_0, __VA_ARGS__); break;   \
    case LCTX_Q4_0: f(LCTX_Q4_0, __VA_ARGS__); break;   \
    case LCTX_Q4_K: f(LCTX_Q4_K, __VA_ARGS__); break;   \
    case LCTX_Q5_K: f(LCTX_Q5_K, __VA_ARGS__); break;   \
    case LCTX_Q6_K: f(LCTX_Q6_K, __VA_ARGS__); break;   \
    default:        f(LCTX_MXFP4, __VA_ARGS__); break;  \
    }
#ifndef DOTS    /* what a set with dot products takes from the set that it is built on */
/* a = a and b together, row by row; what saw nothing (l = 0) is the identity, to the bit. */
LCTX__ENTRY void FN(fold)(int64_t rows, int64_t d, float *const a[3], float *const b[3])
{
    int64_t r, c;
    for (r = 0; r < rows; r++) {
        float *x = a[2] + r * d, *y = b[2] + r * d, m = a[0][r] > b[0][r] ? a[0][r] : b[0][r];
        vf wa, wb;
        if (b[1][r] == 0) continue;
        if (a[1][r] == 0) {
            a[0][r] = b[0][r], a[1][r] = b[1][r];
            memcpy(x, y, (size_t)d * sizeof *x);
            continue;
        }
        wa = FN(exp_down)(vf_set1(a[0][r] - m));
        wb = FN(exp_down)(vf_set1(b[0][r] - m));
        a[0][r] = m;
        a[1][r] = vf_first(vf_fma(vf_set1(b[1][r]), wb, vf_mul(vf_set1(a[1][r]), wa)));
        for (c = 0; c < d; c += VL)
            vf_store(x + c, vf_fma(vf_load(y + c), wb, vf_mul(vf_load(x + c), wa)));
    }
}

/* out[d] = acc[d] / l; d need not be a multiple of VL, out need not be aligned */
LCTX__ENTRY void FN(finish)(int64_t d, float l, const float *acc, float *out)
{
    int64_t c = 0;
    for (; c + VL <= d; c += VL) vf_store(out + c, vf_div(vf_load(acc + c), vf_set1(l)));
    for (; c < d; c++) out[c] = acc[c] / l;
}

LCTX__ENTRY void FN(blend)(int64_t d, float w, const float *x, float *out)
{
    int64_t c = 0;
    for (; c + VL <= d; c += VL)
        vf_store(out + c, vf_fma(vf_set1(w), vf_load(x + c), vf_load(out + c)));
    for (; c < d; c++)
        out[c] = vf_first(vf_fma(vf_set1(w), vf_set1(x[c]), vf_set1(out[c])));
}

LCTX__INLINE void FN(unpack_of)(const int type, int64_t terms, int64_t cols, const char *tile,
                                float *out)
{
    const int64_t bytes = lctx__row_bytes(type, cols);
    const char *ranges = tile + lctx__round_up(terms, 16) * bytes;
    int64_t j, c;
    int e;
    for (j = 0; j < terms; j += LCTX__GROUP(type))
        for (e = 0; e < LCTX__GROUP(type) && j + e < terms; e++)
            for (c = 0; c < cols; c += VL)
                vf_store(out + (j + e) * cols + c,
                         FN(term)(type, tile + j * bytes, ranges + 4 * j, e, c));
}
LCTX__ENTRY void FN(unpack)(int type, int64_t terms, int64_t cols, const void *tile, float *out)
{
    if (type == LCTX_I4) FN(unpack_of)(LCTX_I4, terms, cols, (const char *)tile, out);
    else if (type != LCTX_F32)
        LCTX__BY_TYPE(type, FN(unpack_of), terms, cols, (const char *)tile, out)
}

#if VL == 1
LCTX__ENTRY void FN(pack)(const lctx__pack *t)
{
    char words[64];
    int64_t i, c, j;
    for (i = 0; i < LCTX_TILE; i += 16)
        for (c = 0; c < t->words; c++) {
            char *out = t->out + c * (4 * LCTX_TILE);
            lctx__pack_edge(t, i, 4 * c, 4, words);
            if (!t->halves) memcpy(out + 4 * i, words, 64);
            for (j = 0; t->halves && j < 32; j++)
                memcpy(out + j % 2 * (2 * LCTX_TILE) + 2 * i + j / 2 * 2, words + 2 * j, 2);
        }
}
LCTX__INLINE void FN(columns)(vf x[8], char *out, int64_t step) { memcpy(out, x, 32); (void)step; }
#else
/* Words of x[8], number e of each side by side at out + e * step. */
LCTX__INLINE void FN(columns)(vf x[8], char *out, int64_t step)
{
    int e;
    FN(transpose4)(x);
    FN(transpose4)(x + 4);
    LCTX__EACH(e, 4) vf_put_columns(out + e * step, 4 * step, x[e], x[4 + e]);
}
/* Eight rows, or of halves eight even and eight odd ones, VL words at a time, the last VL whatever
   was before them. What is not there in full is taken from a copy. */
LCTX__INLINE void FN(pack_rows)(const lctx__pack *t, char *out, const int halves)
{
    const int64_t M = halves ? 16 : 8, line = 4 * VL;
    char edge[16 * 4 * VL];
    int64_t i, c;
    int j;
    for (i = 0; i < LCTX_TILE; i += M)
        for (c = 0; c < t->words; c += VL) {
            const int64_t at = 4 * lctx__max(lctx__min(c, t->words - VL), 0);
            const char *p = t->src + lctx__min(i, t->n - 1) * t->stride + at;
            char *to = out + at * LCTX_TILE + i * (32 / M);
            int64_t step = i < t->n ? t->stride : 0;
            vf x[8], y[8];
            if ((step && t->n < i + M) || t->bytes < at + line) {
                lctx__pack_edge(t, i, at, line, edge);
                p = edge, step = line;
            }
            LCTX__EACH(j, 8) {
                const vf a = vf_load(p + j * (M / 8) * step);
                const vf b = halves ? vf_load(p + (2 * j + 1) * step) : a;
                x[j] = halves ? vf_lows(a, b) : a, y[j] = vf_highs(a, b);
            }
            FN(columns)(x, to, 4 * LCTX_TILE);
            if (halves) FN(columns)(y, to + 2 * LCTX_TILE, 4 * LCTX_TILE);
        }
}
LCTX__ENTRY void FN(pack)(const lctx__pack *t)
{
    float part[VL * LCTX_TILE];
    char *out = t->words < VL ? (char *)part : t->out;
    if (t->halves) FN(pack_rows)(t, out, 1);
    else FN(pack_rows)(t, out, 0);
    if (t->words < VL) memcpy(t->out, part, (size_t)t->words * 4 * LCTX_TILE);
}
#endif

/* Words of a native key tile to rows, whose stride has room for a multiple of eight. */
LCTX__ENTRY void FN(rows)(int64_t words, const void *tile, int64_t stride, void *out)
{
    int64_t c, i;
    int j;
    for (i = 0; i < LCTX_TILE; i += VL)
        for (c = 0; c < words; c += 8) {
            vf x[8];
            LCTX__EACH(j, 8)
                x[j] = vf_load((const float *)tile + lctx__min(c + j, words - 1) * LCTX_TILE + i);
            FN(columns)(x, (char *)out + i * stride + 4 * c, stride);
        }
}

/* s and the product of q with row i of head g in n dimensions from c on; of bounds the greater one
   in each. */
LCTX__INLINE vf FN(rate_row)(const lctx__rated *t, int64_t g, const char *q, int64_t c, int64_t n,
                             int i, vf s)
{
    const vf x = FN(row_from)(LCTX_F32, q, c, n);
    const vf k = FN(row_from)(LCTX_F32, t->at[0][i] + g * t->head[0], c, n);
    if (!t->bound) return vf_fma(x, k, s);
    return vf_add(s, vf_max(vf_mul(x, k), vf_mul(x, FN(row_from)(
        LCTX_F32, t->at[1][i] + g * t->head[1], c, n))));
}
/* to[i] becomes the greater of it and what q scores row i of head g; or, with weight, gets that
   many times what is above 0. */
LCTX__ENTRY void FN(rate)(const lctx__rated *t, int64_t g, const char *q, const float *weight,
                          float *to)
{
    float sum[LCTX__RATED];
    vf s[LCTX__RATED];
    int64_t c = 0;
    int i;
    LCTX__EACH(i, LCTX__RATED) s[i] = vf_set1(0.0f);
    for (; c + VL <= t->d; c += VL)
        LCTX__EACH(i, LCTX__RATED) s[i] = FN(rate_row)(t, g, q, c, VL, i, s[i]);
    LCTX__EACH(i, LCTX__RATED) sum[i] = vf_hsum(s[i]);
    for (i = 0; c < t->d && i < LCTX__RATED; i++)
        sum[i] += vf_hsum(FN(rate_row)(t, g, q, c, t->d - c, i, vf_set1(0.0f)));
    for (i = 0; i < LCTX__RATED; i += VL) {
        const vf f = vf_load(sum + i), had = vf_load(to + i);
        if (weight) vf_store(to + i, vf_fma(vf_max(f, vf_set1(0.0f)), vf_set1(*weight), had));
        else vf_store(to + i, vf_max(f, had));
    }
}

LCTX__INLINE void FN(to_f32_of)(const int type, int64_t n, const void *src, float *out)
{
    int64_t i = 0;
    float end[16];
    for (; i + VL <= n; i += VL) vf_store(out + i, FN(row)(type, src, i));
    if (i == n) return;
    vf_store(end, FN(row_end)(type, src, i, n - i));
    memcpy(out + i, end, (size_t)(n - i) * sizeof *out);
}
LCTX__INLINE void FN(unblock_of)(const int type, const char *p, lctx__runs *out)
{
    vf a[16 / VL], b[16 / VL];
    int g, j;
    FN(scales)(type, p, a, b);
    for (g = 0; g < 16 / VL; g++) {
        LCTX__EACH(j, 4) vw_store(out->code + 64 * j + 4 * VL * g, FN(codes)(type, p, j, g));
        vf_store(out->a + g * VL, a[g]), vf_store(out->b + g * VL, b[g]);
    }
}
/* 256 weights, the last of them 0 if there are only n. */
LCTX__ENTRY void FN(unblock)(int type, const char *p, int64_t n, lctx__runs *out)
{
    char rest[8 * 34];
    if (n < 256) p = FN(rest_of)(type, p, n, rest);
    LCTX__BY_BLOCK(type, FN(unblock_of), p, out)
}
LCTX__INLINE void FN(blocks_to_f32)(int type, int64_t n, const char *p, float *out)
{
    const vf zero = vf_set1(lctx__zero_of(type, 0));
    lctx__runs w;
    int64_t k, i, at;
    for (; n > 0; n -= 256, p += lctx__row_bytes(type, 256), out += 256) {
        FN(unblock)(type, p, n, &w);
        for (k = 0; k < 16; k++) {
            const int8_t *code = w.code + k % 4 * 64 + k / 4 * 16;
            at = lctx__run_at(k);
            for (i = 0; at < n && i < 16; i += VL)
                vf_store(out + at + i, vf_fma(vf_sub(vf_i8(code + i), zero), vf_set1(w.a[k]),
                                              vf_set1(w.b[k])));
        }
    }
}
LCTX__ENTRY void FN(to_f32)(int type, int64_t n, const void *src, float *out)
{
    if (lctx__in_blocks(type)) {
        FN(blocks_to_f32)(type, n, (const char *)src, out);
        return;
    }
    LCTX__BY_TYPE(type, FN(to_f32_of), n, src, out)
}

LCTX__ENTRY void FN(to_f16)(int64_t n, const float *src, uint16_t *out)
{
    uint16_t end[16];
    int64_t i = 0;
    for (; i + VL <= n; i += VL) vf_put_f16(out + i, vf_load(src + i));
    if (i == n) return;
    vf_put_f16(end, FN(row_end)(LCTX_F32, src, i, n - i));
    memcpy(out + i, end, (size_t)(n - i) * sizeof *out);
}

/* round(x / scale), at most 127, which a subnormal scale, rounded itself, would pass; a zero or NaN
   scale gives zeros, which times the scale is right again */
LCTX__ENTRY void FN(to_i8)(int64_t n, const float *src, float scale, int8_t *out)
{
    const vf w = vf_set1(scale > 0 ? scale : 1.0f), most = vf_set1(127.0f);
    float buf[16];
    int64_t i, j;
    memset(out, 0, (size_t)n);
    if (!(scale > 0)) return;
    for (i = 0; i < n; i += VL) {
        int64_t m = n - i < VL ? n - i : VL;
        vf x = FN(row_from)(LCTX_F32, src, i, m);
        x = vf_max(vf_set1(-127.0f), vf_round(vf_div(x, w)));
        vf_store(buf, vf_lt(x, most, x, most));
        for (j = 0; j < m; j++) out[i + j] = (int8_t)buf[j];
    }
}

/* (a, b) turned; also how the rests that fill no vector are turned, with the same bits. */
LCTX__INLINE void FN(turn_pair)(vf *a, vf *b, vf c, vf s)
{
    vf x = *a;
    *a = vf_fma(x, c, vf_sub(vf_set1(0.0f), vf_mul(*b, s)));
    *b = vf_fma(*b, c, vf_mul(x, s));
}
LCTX__INLINE void FN(turn_one)(const float *x, float *out, int64_t i, int64_t j, float c, float s)
{
    vf a = vf_set1(x[i]), b = vf_set1(x[j]);
    FN(turn_pair)(&a, &b, vf_set1(c), vf_set1(s));
    out[i] = vf_first(a), out[j] = vf_first(b);
}
/* Pairs (i, i + n_rot/2). In place is fine: read before written. */
LCTX__INLINE void FN(turn_half)(const lctx__turn *t, const float *x, float *out)
{
    const int64_t h = t->n_rot / 2;
    int64_t i = 0;
    for (; i + VL <= h; i += VL) {
        vf a = vf_load(x + i), b = vf_load(x + h + i);
        FN(turn_pair)(&a, &b, vf_load(t->cos + i), vf_load(t->sin + i));
        vf_store(out + i, a);
        vf_store(out + h + i, b);
    }
    for (; i < h; i++) FN(turn_one)(x, out, i, h + i, t->cos[i], t->sin[i]);
}
/* Pairs (2i, 2i + 1); cos holds every cosine twice, sin every sine as (-sin, sin). */
LCTX__INLINE void FN(turn_interleaved)(const lctx__turn *t, const float *x, float *out)
{
    int64_t i = 0;
    for (; VL > 1 && i + VL <= t->n_rot; i += VL) {
        vf a = vf_load(x + i);
        vf_store(out + i, vf_fma(a, vf_load(t->cos + i), vf_mul(vf_swap(a), vf_load(t->sin + i))));
    }
    for (; i < t->n_rot; i += 2) FN(turn_one)(x, out, i, i + 1, t->cos[i], t->sin[i + 1]);
}
/* Lanes of dimension i from c on, where they are asked for. */
LCTX__INLINE void FN(spin_put)(const lctx__spin *t, const int all, int64_t i, int64_t c, vf x)
{
    float *out = t->out + i * LCTX_TILE + c;
    vf_store(out, all ? x : vf_keep(t->lanes >> c, x, vf_load(out)));
}
LCTX__INLINE void FN(spin_of)(const lctx__spin *t, const int all)
{
    const int64_t h = t->n_rot / 2, half = t->pairing == LCTX_ROPE_HALF;
    int64_t i, c;
    for (i = 0; i < h; i++) {
        const int64_t a = half ? i : 2 * i, b = half ? h + i : 2 * i + 1;
        const vf c0 = vf_set1(t->c[i]), s0 = vf_set1(t->s[i]), minus = vf_set1(-t->s[i]);
        LCTX__UNROLL4
        for (c = 0; c < LCTX_TILE; c += VL) {
            vf c1 = vf_load(t->cos + i * 2 * LCTX_TILE + c);
            vf s1 = vf_load(t->sin + i * 2 * LCTX_TILE + c);
            vf x = vf_load(t->k + a * LCTX_TILE + c), y = vf_load(t->k + b * LCTX_TILE + c);
            vf turn_c = vf_fma(c0, c1, vf_mul(minus, s1)), turn_s = vf_fma(s0, c1, vf_mul(c0, s1));
            FN(turn_pair)(&x, &y, turn_c, turn_s);
            FN(spin_put)(t, all, a, c, x);
            FN(spin_put)(t, all, b, c, y);
        }
    }
    for (i = t->n_rot; i < t->d_k; i++)
        for (c = 0; c < LCTX_TILE; c += VL)
            FN(spin_put)(t, all, i, c, vf_load(t->k + i * LCTX_TILE + c));
}
LCTX__ENTRY void FN(spin)(const lctx__spin *t)
{
    if (t->lanes == ~(uint64_t)0) FN(spin_of)(t, 1);
    else FN(spin_of)(t, 0);
}
LCTX__ENTRY void FN(turn)(const lctx__turn *t)
{
    const size_t rest = (size_t)(t->head_dim - t->n_rot) * sizeof(float);
    int32_t h;
    for (h = 0; h < t->n_head; h++) {
        const float *x = (const float *)(const void *)(t->x + h * t->x_head);
        float *out = (float *)(void *)(t->out + h * t->out_head);
        if (t->pairing == LCTX_ROPE_HALF) FN(turn_half)(t, x, out);
        else FN(turn_interleaved)(t, x, out);
        if (out != x) memcpy(out + t->n_rot, x + t->n_rot, rest);
    }
}

/* The first n of x. */
LCTX__COLD void FN(put_end)(float *p, vf x, int64_t n)
{
    float end[16];
    vf_store(end, x);
    memcpy(p, end, (size_t)n * sizeof *p);
}
LCTX__INLINE void FN(put)(float *p, vf x, int64_t n)
{
    if (n >= VL) vf_store(p, x);
    else FN(put_end)(p, x, n);
}
/* e = S a of R vectors of rows from i on, by two chains over the dimensions. */
LCTX__INLINE void FN(erase)(const lctx__recur *t, int64_t i, const int R, vf *e)
{
    const int64_t n = t->r.d_k, ld = t->s_ld;
    const float *s = t->s + i, *const a = t->a;
    vf odd[4];
    int64_t d;
    int r;
    LCTX__EACH(r, R) e[r] = odd[r] = vf_set1(0.0f);
    for (d = 0; d + 1 < n; d += 2, s += 2 * ld)
        LCTX__EACH(r, R) {
            e[r] = vf_fma(vf_load(s + r * VL), vf_set1(a[d]), e[r]);
            odd[r] = vf_fma(vf_load(s + ld + r * VL), vf_set1(a[d + 1]), odd[r]);
        }
    LCTX__EACH(r, R) {
        if (d < n) e[r] = vf_fma(vf_load(s + r * VL), vf_set1(a[d]), e[r]);
        e[r] = vf_add(e[r], odd[r]);
    }
}
/* The sum of bonus, k and q. */
LCTX__INLINE vf FN(bonus)(const lctx__recur *t)
{
    const int64_t n = t->r.d_k;
    vf sum = vf_set1(0.0f);
    int64_t d;
    for (d = 0; d < n; d += VL) {
        const vf k = FN(row_from)(LCTX_F32, t->k, d, n - d);
        const vf q = FN(row_from)(LCTX_F32, t->q, d, n - d);
        sum = vf_fma(vf_mul(FN(row_from)(LCTX_F32, t->bonus, d, n - d), k), q, sum);
    }
    return vf_set1(vf_hsum(sum));
}
/* R vectors of rows from i on, lane by lane: no sum runs across a vector. */
LCTX__INLINE void FN(recur_rows)(const lctx__recur *t, int64_t i, const int R, const int kind)
{
    const float *const k = t->k, *const q = t->q, *const w = t->w, *const b = t->b;
    const int64_t d_k = t->r.d_k, s_ld = t->s_ld, to_ld = t->to_ld, rate_ld = t->rate_ld;
    const float *from = t->s + i, *rate = kind == LCTX__ELEMENT ? t->rate + i : NULL;
    const vf beta = vf_set1(t->beta ? *t->beta : 1.0f), scale = vf_set1(t->r.scale);
    float *to = t->to + i;
    vf v[4], e[4], y[4], step[4];
    const vf own = kind == LCTX__BONUS ? FN(bonus)(t) : beta;
    const int64_t left = R > 1 ? R * VL : t->rows - i;      /* several are whole */
    int64_t d;
    int r;
    LCTX__EACH(r, R) e[r] = step[r] = vf_set1(0.0f);      /* not every kind has them */
    if (kind == LCTX__JOIN || kind == LCTX__APART) FN(erase)(t, i, R, e);
    LCTX__EACH(r, R) {
        v[r] = FN(row_from)(LCTX_F32, t->v + i, r * VL, left - r * VL), y[r] = vf_set1(0.0f);
        if (kind == LCTX__JOIN) v[r] = vf_fma(v[r], beta, e[r]);
        if (kind == LCTX__ELEMENT)
            step[r] = FN(row_from)(LCTX_F32, w + i, r * VL, left - r * VL),
            v[r] = vf_mul(v[r], step[r]);
    }
    for (d = 0; d < d_k; d++, from += s_ld, to += to_ld) {
        const vf kd = vf_set1(k[d]), qd = vf_set1(q[d]);
        const vf bd = vf_set1(kind == LCTX__APART ? b[d] : 0.0f);
        vf wd = vf_set1(kind == LCTX__ELEMENT ? 0.0f : w[d]);
        LCTX__EACH(r, R) {
            vf s = vf_load(from + r * VL), x = vf_mul(v[r], kd);
            if (kind == LCTX__ELEMENT)
                wd = FN(exp)(vf_mul(step[r], vf_load(rate + d * rate_ld + r * VL)));
            if (kind == LCTX__APART) x = vf_fma(e[r], bd, x);
            if (kind == LCTX__BONUS) y[r] = vf_fma(s, qd, y[r]);
            s = vf_fma(s, wd, x);
            if (kind != LCTX__BONUS) y[r] = vf_fma(s, qd, y[r]);
            vf_store(to + r * VL, s);
        }
    }
    LCTX__EACH(r, R) {
        if (kind == LCTX__BONUS) y[r] = vf_fma(v[r], own, y[r]);
        FN(put)(t->y + i + r * VL, vf_mul(y[r], scale), left - r * VL);
    }
}
LCTX__ENTRY void FN(recur_rest)(const lctx__recur *t, int64_t i)
{
    for (; i < t->rows; i += VL) FN(recur_rows)(t, i, 1, t->kind);
}
LCTX__INLINE void FN(recur_of)(const lctx__recur *t, const int kind)
{
    int64_t i = 0;
    for (; i + 4 * VL <= t->rows; i += 4 * VL) FN(recur_rows)(t, i, 4, kind);
    if (i < t->rows) FN(recur_rest)(t, i);
}
LCTX__ENTRY void FN(recur)(const lctx__recur *t)
{
    const int64_t n = t->r.d_k;
    int64_t d;
    for (d = 0; t->number && d < n; d += VL) vf_store(t->w_own + d, vf_set1(*t->number));
    for (d = 0; t->beta && d < n; d += VL) {
        const vf w = FN(row_from)(LCTX_F32, t->w, d, n - d);
        const vf k = FN(row_from)(LCTX_F32, t->k, d, n - d);
        vf_store(t->a_own + d, vf_mul(vf_mul(vf_set1(-*t->beta), w), k));
    }
    switch (t->kind) {
    case LCTX__ADD:   FN(recur_of)(t, LCTX__ADD); break;
    case LCTX__JOIN:  FN(recur_of)(t, LCTX__JOIN); break;
    case LCTX__APART: FN(recur_of)(t, LCTX__APART); break;
    case LCTX__BONUS: FN(recur_of)(t, LCTX__BONUS); break;
    default:          FN(recur_of)(t, LCTX__ELEMENT); break;
    }
}

LCTX__ENTRY void FN(convolve)(const lctx_convolution *c, int64_t n, const float *const x[],
                              const float *const w[], const float *bias, float *out)
{
    const vf zero = vf_set1(0.0f), one = vf_set1(1.0f);
    int64_t i;
    int j;
    for (i = 0; i < n; i += VL) {
        vf y = bias ? FN(row_from)(LCTX_F32, bias, i, n - i) : zero;
        for (j = 0; j < c->taps; j++)
            y = vf_fma(FN(row_from)(LCTX_F32, x[j], i, n - i), vf_load(w[j] + i), y);
        if (c->silu) y = vf_div(y, vf_add(FN(exp)(vf_sub(zero, y)), one));
        FN(put)(out + i, y, n - i);
    }
}

#ifndef LCTX_NO_MODEL
/* out = x / sqrt(mean(x^2) + eps) * w */
LCTX__ENTRY void FN(rmsnorm)(int64_t n, const float *x, const float *w, float eps, float *out)
{
    vf sum = vf_set1(0.0f), r;
    int64_t i = 0;
    for (; i < n; i += VL) {
        r = FN(row_from)(LCTX_F32, x, i, n - i);
        sum = vf_fma(r, r, sum);
    }
    r = vf_set1(1.0f / sqrtf(vf_hsum(sum) / (float)n + eps));
    for (i = 0; i + VL <= n; i += VL)
        vf_store(out + i, vf_mul(vf_mul(vf_load(x + i), r), vf_load(w + i)));
    for (; i < n; i++) out[i] = x[i] * vf_first(r) * w[i];
}

/* out = gate / (1 + e^-a) * up, as lctx_activation has it: (1 + tanh x) / 2 is 1 / (1 + e^-2x). All
   padded to a multiple of 16. */
LCTX__ENTRY void FN(activate)(int kind, int64_t n, const float *gate, const float *up, float *out)
{
    const vf zero = vf_set1(0.0f), one = vf_set1(1.0f), hi = vf_set1(7.0f), lo = vf_sub(zero, hi);
    int64_t i;
    for (i = 0; i < n; i += VL) {
        vf g = vf_load(gate + i), u = vf_load(up + i), a = g;
        if (kind == LCTX_GELU)
            a = vf_mul(vf_mul(g, vf_set1(1.5957691216f)),
                       vf_fma(vf_mul(g, g), vf_set1(0.044715f), one));
        if (kind == LCTX_SIGMOID) g = one;
        if (kind == LCTX_SWIGLU_CAPPED) {
            g = vf_lt(hi, g, hi, g), a = vf_mul(g, vf_set1(1.702f));
            u = vf_lt(hi, u, hi, u), u = vf_add(vf_lt(u, lo, lo, u), one);
        }
        g = kind == LCTX_RELU ? vf_max(g, zero)
                              : vf_div(g, vf_add(FN(exp)(vf_sub(zero, a)), one));
        vf_store(out + i, vf_mul(g, u));
    }
}

LCTX__ENTRY void FN(tanh)(int64_t n, float cap, float *x)
{
    int64_t i;
    for (i = 0; i < n; i++)
        x[i] = vf_first(FN(tanh1)(vf_set1(x[i] / cap))) * cap;
}

/* to[4] += four rows' sums, which are spread over vectors s[4], times their scales. */
LCTX__INLINE void FN(add)(float *to, const float *scale, const vf *s)
{
#if VL > 1
    const vf a = vf_add(vf_zip1(s[0], s[1]), vf_zip2(s[0], s[1]));
    const vf b = vf_add(vf_zip1(s[2], s[3]), vf_zip2(s[2], s[3]));
    vf_add4(to, scale, vf_add(vf_zip1d(a, b), vf_zip2d(a, b)));
#else
    int i;
    LCTX__EACH(i, 4) to[i] = vf_fma(s[i], scale[i], to[i]);
#endif
}
/* What n <= 4 rows' sums with a token are added to, if `first` the bias; and their scales. */
LCTX__ENTRY void FN(begin)(const lctx__product *p, int64_t row, int64_t n, int64_t tok, int first,
                           float *to, float *scale)
{
    const float *y = p->y + tok * p->ldy + row;
    int64_t i;
    for (i = 0; i < 4; i++) {
        to[i] = i < n && (!first || p->add) ? y[i] : 0.0f;
        if (i < n && first && p->bias) to[i] += p->bias[row + i];
        scale[i] = i < n && p->w_scale ? p->w_scale[row + i] : 1.0f;
    }
}
LCTX__ENTRY void FN(summed)(const lctx__product *p, int64_t row, int64_t n, int64_t tok, int first,
                            const vf *s)
{
    float to[4], scale[4];
    int64_t i;
    FN(begin)(p, row, n, tok, first, to, scale);
    FN(add)(to, scale, s);
    for (i = 0; i < n; i++) p->y[tok * p->ldy + row + i] = to[i];
}
/* A token with four rows of W, or one four times where there are fewer: a chain a row and lane
   along the columns that are converted and summed at a time. It waits for memory: what comes a
   little later is asked for, at the rows' ends that of the next rows. */
LCTX__INLINE void FN(product_one)(const int type, const lctx__product *p, int64_t row, int64_t tok)
{
    const int64_t size = type == LCTX_F32 ? 4 : type == LCTX_I8 ? 1 : 2;
    const int64_t rows = p->row1 - row < 4 ? 1 : 4, whole = lctx__row_bytes(p->type, p->cols);
    const int64_t stride = rows == 4 ? whole : 0;
    const char *w = (const char *)p->w + row * whole;
    const float *x = p->x + tok * p->ldx;
    float buf[4][LCTX__COLS], sum[4], scale[4];
    vf s[4];
    int64_t c0, c, c1;
    int r;
    FN(begin)(p, row, rows, tok, 1, sum, scale);
    for (c0 = 0; c0 < p->cols; c0 = c1) {
        c1 = lctx__min(p->cols, c0 + LCTX__COLS);
        for (r = 0; type == LCTX_Q8_0 && r < 4; r++)
            FN(to_f32)(p->type, c1 - c0, w + r * stride + lctx__row_bytes(p->type, c0), buf[r]);
        LCTX__EACH(r, 4) s[r] = vf_set1(0.0f);
        for (c = c0; c + VL <= c1; c += VL) {
            const vf b = vf_load(x + c);
            const int64_t at = c * size, ahead = at + LCTX__W_AHEAD;
            const char *soon = w + ahead + (ahead < stride ? 0 : 3 * stride);
            LCTX__EACH(r, 4) {
                s[r] = vf_fma(type == LCTX_Q8_0 ? vf_load(buf[r] + c - c0)
                                                : FN(row)(type, w + r * stride, c), b, s[r]);
                if (at % 64 == 0 && type != LCTX_Q8_0) LCTX__FETCH(soon + r * stride, 1);
            }
        }
        for (r = 0; c < c1 && r < 4; r++)
            s[r] = vf_fma(FN(row_end)(type, w + r * stride, c, c1 - c), vf_load(x + c), s[r]);
        FN(add)(sum, scale, s);
    }
    memcpy(p->y + tok * p->ldy + row, sum, (size_t)rows * sizeof *sum);
}
/* W_R rows from column c0 on with tokens t0 .. t0+n-1, by register tiles of W_R * W_N chains.
   Weights are converted once and stay in the first cache; the next ones, at `next`, are asked for.
   Where rows or tokens lack, the last one is taken again, and left out of the sums. */
LCTX__ENTRY void FN(product_tiles)(const lctx__product *p, int64_t row, int64_t c0, int64_t t0,
                                   int64_t n, const char *next)
{
    static const float ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const int64_t stride = lctx__row_bytes(p->type, p->cols), rows = lctx__min(p->row1 - row, W_R);
    const int64_t m = lctx__min(p->cols - c0, LCTX__COLS), bytes = lctx__row_bytes(p->type, m);
    const char *w = (const char *)p->w + row * stride + lctx__row_bytes(p->type, c0);
    const float *scale = p->w_scale ? p->w_scale + row : ones, *x[W_N];
    vf s[W_N][W_R], end[W_N][W_R], a[W_R][LCTX__COLS / VL], b[W_N];
    int64_t soon = 0, tok, c;
    int r, t;
    for (r = 0; r < W_R; r++) {
        a[r][(m - 1) / VL] = vf_set1(0.0f);
        FN(to_f32)(p->type, m, w + lctx__min(r, rows - 1) * stride, (float *)a[r]);
    }
    for (tok = 0; tok < n; tok += W_N) {
        for (; soon * n < bytes * (tok + W_N); soon += 64)
            LCTX__EACH(r, W_R) LCTX__FETCH(next + r * stride + soon, 0);
        LCTX__EACH(t, W_N) x[t] = p->x + (t0 + lctx__min(tok + t, n - 1)) * p->ldx + c0;
        LCTX__EACH(t, W_N) LCTX__EACH(r, W_R) s[t][r] = vf_set1(0.0f);
        for (c = 0; c < m; c += VL) {
            LCTX__EACH(t, W_N) b[t] = vf_load(x[t] + c);
            LCTX__EACH(r, W_R) {
                vf w0 = vf_load((const float *)a[r] + c);
                vf_pin(w0);
                LCTX__EACH(t, W_N) s[t][r] = vf_fma(w0, b[t], s[t][r]);
            }
        }
        if (tok + W_N <= n && rows == W_R) {
            float *y = p->y + (t0 + tok) * p->ldy + row;
            LCTX__EACH(t, W_N) LCTX__EACH(r, W_R / 4)
                FN(add)(y + t * p->ldy + 4 * r, scale + 4 * r, s[t] + 4 * r);
            continue;
        }
        LCTX__EACH(t, W_N) LCTX__EACH(r, W_R) end[t][r] = s[t][r];
        for (t = 0; t < W_N && tok + t < n; t++)
            for (r = 0; r < rows; r += 4)
                FN(summed)(p, row + r, lctx__min(rows - r, 4), t0 + tok + t, 0, end[t] + r);
    }
}
/* Of many tokens some columns at a time, which stay in the cache while rows pass. Q8_0 stands for
   all types of blocks. */
LCTX__ENTRY void FN(product)(const lctx__product *p)
{
    const int64_t stride = lctx__row_bytes(p->type, p->cols), rows = p->row1 - p->row0;
    int64_t t, n, c, row;
    for (t = 0; p->n >= W_N && t < p->n; t++) {
        float *y = p->y + t * p->ldy + p->row0;
        if (!p->add) memset(y, 0, (size_t)rows * sizeof *y);
        if (p->bias) FN(blend)(rows, 1, p->bias + p->row0, y);
    }
    for (t = 0; p->n >= W_N && t < p->n; t += n)
        for (n = lctx__min(p->n - t, LCTX__TOKENS), c = 0; c < p->cols; c += LCTX__COLS)
            for (row = p->row0; row < p->row1; row += W_R) {
                const int last = row + W_R >= p->row1;
                FN(product_tiles)(p, row, c, t, n, (const char *)p->w + lctx__row_bytes(p->type,
                    c + last * LCTX__COLS) + (last ? p->row0 : row + W_R) * stride);
            }
    for (row = p->row0; p->n < W_N && row < p->row1; row += p->row1 - row < 4 ? 1 : 4)
        for (t = 0; t < p->n; t++)
            if (lctx__in_blocks(p->type)) FN(product_one)(LCTX_Q8_0, p, row, t);
            else LCTX__BY_TYPE(p->type, FN(product_one), p, row, t)
}
#endif /* LCTX_NO_MODEL */

#endif /* DOTS */

#if defined(INTS) && !defined(LCTX_NO_MODEL)
/* ---- weights in blocks, by products of integers */
#ifndef DOTS
/* x[VL] as a square matrix, transposed: first within 4x4 blocks, then the blocks. */
LCTX__INLINE void FN(transpose)(vf x[VL])
{
    int i;
    LCTX__EACH(i, VL / 4) FN(transpose4)(x + 4 * i);
    vf_lanes(x);
}
/* A token's activations to bytes, VL runs side by side; what has a NaN or infinity stays one. */
LCTX__ENTRY void FN(round_row)(const lctx__product *p, int64_t tok)
{
    static const float zero[16] = { 0 };
    const vf none = vf_set1(0.0f), least = vf_set1(1e-30f), most = vf_set1(127.0f);
    const float *x = p->x + tok * p->ldx;
    lctx__runs *out = p->rounded + tok;
    int64_t c, run, g;
    int i, j;
    for (c = 0; c < p->cols; c += 256, out += p->n_rounded)
        for (g = 0; g < 16; g += VL) {
            vf y[16], codes[4], top = none, sum = none, bad = none, by;
            for (i = 0; i < VL; i++) {
                const float *from = zero;
                run = c + lctx__run_at(g + i);
                if (run < p->cols) from = x + run;
                for (j = 0; j < 16; j += VL) y[j + i] = vf_load(from + j);
            }
            for (j = 0; j < 16; j += VL) FN(transpose)(y + j);
            for (i = 0; i < 16; i++) {
                top = vf_max(vf_max(y[i], vf_sub(none, y[i])), top);
                bad = vf_add(bad, vf_sub(y[i], y[i]));
            }
            top = vf_lt(least, top, top, none);      /* subnormal sums are slow */
            by = vf_lt(none, top, vf_div(most, top), none);
            for (i = 0; i < 16; i += 4) {
                vw word = vw_set1(0);
                for (j = 0; j < 4; j++) {
                    const vf whole = vf_round(vf_mul(y[i + j], by));
                    sum = vf_add(sum, whole);
                    word |= (vw_int(whole) & vw_set1(255)) << 8 * j;
                }
                codes[i / 4] = (vf)word;
            }
            if (p->alone) FN(transpose4)(codes);
            for (i = 0; i < 4; i++)
                vf_store((float *)(void *)(out->code + (p->alone ? 64 * i + 4 * g
                                                                : 16 * g + 4 * VL * i)), codes[i]);
            top = vf_add(vf_div(top, most), bad);
            vf_store(out->a + g, top), vf_store(out->b + g, vf_mul(top, sum));
        }
}
#endif

/* Sums of bytes' products are exact. */
LCTX__INLINE vw FN(dot_codes)(const int type, vw s, vw w, const int8_t *x)
{
    const vw y = vw_load(x);
    return type == LCTX_Q8_0 ? vw_dot_key(s, w, y) : vw_dot_value(s, w, y);
}
/* sum + VL runs of weights times activations, whose codes give s. */
LCTX__INLINE vf FN(add_runs)(const int type, vw s, vf a, vf b, const lctx__runs *x, int64_t g,
                             vf sum)
{
    sum = vf_fma(vf_mul(a, vf_load(x->a + g * VL)), vw_float(s), sum);
    return type == LCTX_Q8_0 && !KEY_START ? sum : vf_fma(b, vf_load(x->b + g * VL), sum);
}
/* A row at a time, in memory's order, of which the next kilobytes are asked for. */
LCTX__INLINE void FN(ints_one)(const int type, const lctx__product *p)
{
    const int64_t bytes = lctx__row_bytes(type, 256), stride = lctx__row_bytes(type, p->cols);
    const float zero = lctx__zero_of(type, -KEY_START);
    const char *w = (const char *)p->w + p->row0 * stride;
    char rest[8 * 34];
    vf all[4];
    int64_t row, c, n = 0;
    int g, j;
    LCTX__EACH(j, 4) all[j] = vf_set1(0.0f);
    for (row = p->row0; row < p->row1; row++, w += stride) {
        const lctx__runs *x = p->rounded;
        const char *at = w;
        vf sum = vf_set1(0.0f);
        for (c = 0; c < p->cols; c += 256, at += bytes, x += p->n_rounded) {
            vf a[16 / VL], b[16 / VL];
            LCTX__EACH(j, (int)(bytes + 63) / 64) LCTX__FETCH(at + 2 * LCTX__W_AHEAD + 64 * j, 1);
            if (p->cols - c < 256) at = FN(rest_of)(type, at, p->cols - c, rest);
            FN(scales)(type, at, a, b);
            LCTX__EACH(g, 16 / VL) {
                vf s[4];
                LCTX__EACH(j, 4)
                    s[j] = (vf)FN(dot_codes)(type, vw_set1(0), FN(codes)(type, at, j, g),
                                             x->code + 64 * j + 4 * VL * g);
                s[0] = (vf)((vw)vf_zip1(s[0], s[1]) + (vw)vf_zip2(s[0], s[1]));
                s[2] = (vf)((vw)vf_zip1(s[2], s[3]) + (vw)vf_zip2(s[2], s[3]));
                if (zero != 0) b[g] = vf_mul(a[g], vf_set1(-zero));
                sum = FN(add_runs)(type, (vw)vf_zip1d(s[0], s[2]) + (vw)vf_zip2d(s[0], s[2]),
                                   a[g], b[g], x, g, sum);
            }
        }
        all[n++] = sum;
        if (n == 4 || row + 1 == p->row1) PLAIN(summed)(p, row + 1 - n, n, 0, 1, all), n = 0;
    }
}
/* A group of runs of each of four rows, while n tokens pass it. */
LCTX__INLINE void FN(pass)(const int type, float zero, const lctx__runs *w, const lctx__runs *x,
                           int64_t n, int64_t g, vf *sum)
{
    vf codes[4][4], a[4], b[4], to[4];
    int64_t t;
    int r, j;
    LCTX__EACH(r, 4) {
        LCTX__EACH(j, 4) codes[r][j] = vf_load(w[r].code + 64 * j + 4 * VL * g);
        FN(transpose4)(codes[r]);
        a[r] = vf_load(w[r].a + g * VL);
        b[r] = vf_fma(a[r], vf_set1(-zero), vf_load(w[r].b + g * VL));
    }
    for (t = 0; t < n; t++, sum += 4) {
        LCTX__EACH(r, 4) {
            vw s = vw_set1(0);
            LCTX__EACH(j, 4)
                s = FN(dot_codes)(type, s, (vw)codes[r][j], x[t].code + 4 * VL * (4 * g + j));
            to[r] = FN(add_runs)(type, s, a[r], b[r], x + t, g, sum[r]);
        }
        LCTX__EACH(r, 4) sum[r] = to[r];
    }
}
/* Some tokens: four rows in step, 256 weights of each at a time. */
LCTX__ENTRY void FN(ints_many)(const lctx__product *p, int64_t t0, int64_t n)
{
    const int64_t bytes = lctx__row_bytes(p->type, 256);
    const int64_t stride = lctx__row_bytes(p->type, p->cols);
    const float zero = lctx__zero_of(p->type, -KEY_START);
    vf sum[4 * LCTX__INT_TOKENS];
    lctx__runs held[4];
    int64_t row, rows, r, c, t, i, g;
    memset(held, 0, sizeof held);
    for (row = p->row0; row < p->row1; row += rows) {
        const char *w = (const char *)p->w + row * stride;
        const lctx__runs *x = p->rounded + t0;
        rows = lctx__min(p->row1 - row, 4);
        for (i = 0; i < 4 * n; i++) sum[i] = vf_set1(0.0f);
        for (c = 0; c < p->cols; c += 256, w += bytes, x += p->n_rounded) {
            const int64_t ahead = (c >> 8) * bytes + 2 * LCTX__W_AHEAD;
            const int64_t soon = 2 * LCTX__W_AHEAD + (ahead < stride ? 0 : (rows - 1) * stride);
            for (r = 0; r < rows; r++) {
                const char *at = w + r * stride;
                for (i = 0; i < bytes; i += 64) LCTX__FETCH(at + soon + i, 1);
                PLAIN(unblock)(p->type, at, p->cols - c, &held[r]);
            }
            for (g = 0; g < 16 / VL; g++)
                if (p->type == LCTX_Q8_0) FN(pass)(LCTX_Q8_0, zero, held, x, n, g, sum);
                else FN(pass)(LCTX_Q4_0, zero, held, x, n, g, sum);
        }
        for (t = 0; t < n; t++) PLAIN(summed)(p, row, rows, t0 + t, 1, sum + 4 * t);
    }
}
LCTX__ENTRY void FN(product_ints)(const lctx__product *p)
{
    int64_t t;
    if (p->alone) LCTX__BY_BLOCK(p->type, FN(ints_one), p)
    else for (t = 0; t < p->n; t += LCTX__INT_TOKENS)
        FN(ints_many)(p, t, lctx__min(p->n - t, LCTX__INT_TOKENS));
}
#endif

static const lctx__ops FN(ops) = {
    VL > 1 ? 64 : 1, FN(tile), FN(mass), PLAIN(fold), PLAIN(finish), PLAIN(blend), PLAIN(rate),
#ifdef DOTS
    DOTS, FN(queries), FN(weave),
#else
    0, NULL, NULL,
#endif
    PLAIN(unpack), PLAIN(pack), PLAIN(rows), PLAIN(to_f32), PLAIN(to_f16),
    PLAIN(to_i8), PLAIN(turn), PLAIN(spin), PLAIN(recur), PLAIN(convolve),
#ifndef LCTX_NO_MODEL
    PLAIN(rmsnorm), PLAIN(activate), PLAIN(tanh), PLAIN(product),
#  ifdef INTS
    PLAIN(round_row), FN(product_ints)
#  else
    NULL, NULL
#  endif
#endif
};
static const lctx__ops *const LCTX__SET(LCTX__ISA) = &FN(ops);

#if LCTX__ISA == 1 || LCTX__ISA == 2 || LCTX__ISA == 3 || LCTX__ISA == 5
#  ifdef __clang__
#    pragma clang attribute pop
#  else
#    pragma GCC pop_options
#    if LCTX__ISA == 2 || LCTX__ISA == 3
#      pragma GCC diagnostic pop
#    endif
#  endif
#endif
#undef FN
#undef PLAIN
#undef MM
#undef vi
#undef VL
#undef MAX_R
#undef W_R
#undef W_N
#undef WIDE_R
#undef vf
#undef vf_load
#undef vf_store
#undef vf_set1
#undef vf_add
#undef vf_sub
#undef vf_mul
#undef vf_div
#undef vf_fma
#undef vf_max
#undef vf_lt
#undef vf_keep
#undef vf_round
#undef vf_scale
#undef vf_scale_in
#undef vf_pin
#undef vp_pin
#undef vf_hsum
#undef vf_add4
#undef vf_hmax
#undef vf_first
#undef vf_swap
#undef vf_zip1
#undef vf_zip2
#undef vf_zip1d
#undef vf_zip2d
#undef vf_lows
#undef vf_highs
#undef vf_lanes
#undef vf_put_columns
#undef vf_f16
#undef vf_bf16
#undef vf_even
#undef vf_odd
#undef vf_i8
#undef vf_quad
#undef vf_four
#undef vf_put_f16
#undef vw
#undef vw_load
#undef vw_store
#undef vw_set1
#undef vw_bytes
#undef vw_halves
#undef vw_float
#undef vw_int
#undef vw_put_bf16
#undef vw_dot_bf16
#undef vw_dot_key
#undef vw_dot_value
#undef vw_pieces
#undef vw_table
#undef vf_half
#undef INTS
#undef KEY_START
#undef WEIGHT_BITS
#undef DOTS
#undef LCTX__BY_INT
#undef LCTX__BY_TERM
#undef LCTX__BY_TYPE
#undef LCTX__BY_BLOCK
#undef LCTX__BY_ROWS
#else
static const lctx__ops *const LCTX__SET(LCTX__ISA) = NULL;
#endif
#undef LCTX__ISA
#endif /* LCTX__ISA */

/* ============================================================================ >>licence
   MIT License

   Copyright (c) 2026 The lctx authors

   Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
   associated documentation files (the "Software"), to deal in the Software without restriction,
   including without limitation the rights to use, copy, modify, merge, publish, distribute,
   sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
   furnished to do so, subject to the following conditions:

   The above copyright notice and this permission notice shall be included in all copies or
   substantial portions of the Software.

   THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
   NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
   NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
   DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
   OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
