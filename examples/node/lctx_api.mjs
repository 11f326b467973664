// Written by examples/bindings/generate.py from lctx.h; make bindings writes it anew.
//
// The structs, enums and functions of lctx.h as plain data, types as C has them; lctx.mjs is
// built on it. A pointer is an address.
// 0xMMmmpp
export const VERSION = 0x100;
// n_threads at most
export const MAX_THREADS = 1024;
export const MAX_ROT = 512;
// xPos holds up to this many xpos_base away from the centre
export const XPOS_REACH = 64;
export const TILE = 64;
export const MAX_TAPS = 16;

export const Status = Object.freeze({
    // ok
    OK: 0,
    // a required pointer is null
    E_NULL: 1,
    // a count is negative or zero where it may not be
    E_COUNT: 2,
    // a size or an offset overflows
    E_OVERFLOW: 3,
    // a mask, pattern, rule, policy, scheme, pairing, layout ... is unknown
    E_ENUM: 4,
    // an element type is unknown or not allowed here
    E_TYPE: 5,
    // n_head is not a multiple of n_head_kv
    E_HEADS: 6,
    // a head dimension is out of range
    E_HEAD_DIM: 7,
    // a stride is shorter than what it steps over, or no multiple of 4 or 8
    E_STRIDE: 8,
    // int8 rows come without their scales
    E_SCALE: 9,
    // a span's range, order or query copy is invalid
    E_SPAN: 10,
    // window, n_sink, n_heavy or pool is out of range
    E_WINDOW: 11,
    // a pattern's length (stride, segment or block) is out of range
    E_LENGTH: 12,
    // a pattern's dilation is not in 1 .. length
    E_DILATION: 13,
    // a pattern's local, summary or back is out of range
    E_LOCAL: 14,
    // a pattern's global positions are bad, unsorted or not kept
    E_GLOBAL: 15,
    // the group of a span or of a query is negative
    E_GROUP: 16,
    // a list of keys has no valid shape, or names what is not there
    E_LIST: 17,
    // a far_rule's window, group or leak is below 1, or rope forbids one
    E_FAR_RULE: 18,
    // softcap or scale is negative or not finite
    E_SOFTCAP: 19,
    // scratch is null or too small
    E_SCRATCH: 20,
    // n_threads is out of range
    E_THREADS: 21,
    E_N_ROT: 22,
    // theta (the RoPE base) must be above 1 and finite
    E_THETA: 23,
    // factor must be at least 1 and finite, the base it gives finite
    E_FACTOR: 24,
    // orig_ctx is missing or invalid for this scheme
    E_ORIG_CTX: 25,
    // ctx is not positive and finite, or a plan's is below orig_ctx
    E_CTX: 26,
    // beta_fast must be above beta_slow, both positive
    E_BETA: 27,
    // high_freq must be above low_freq, both positive
    E_FREQ_FACTOR: 28,
    // attn_factor, scale_mul or an mscale is out of range or not finite
    E_MSCALE: 29,
    // freq, plain, short_factor or long_factor is missing or has bad values
    E_TABLE: 30,
    // n_freq, n_short or n_long is not n_rot / 2
    E_TABLE_SIZE: 31,
    // n_hat is negative, too large, or more than stay in place
    E_N_HAT: 32,
    // xpos_base or xpos_center is invalid
    E_XPOS: 33,
    // a position is too far from xpos_center for f32
    E_XPOS_FAR: 34,
    // a position is negative, too large or goes back
    E_POS: 35,
    // the allocator gave no memory
    E_MEMORY: 36,
    // the cache has no room for these tokens
    E_FULL: 37,
    // the tokens needed for that were evicted
    E_EVICTED: 38,
    // the cache's policy does not allow that
    E_POLICY: 39,
    // a weight tensor is missing
    E_WEIGHT: 40,
    // a model dimension is invalid
    E_SHAPE: 41,
    // a token is outside the vocabulary
    E_TOKEN: 42,
    // the model gave a value that is not finite
    E_NAN: 43,
    // a read, write or join callback failed or ended early
    E_IO: 44,
    // saved data is not of this format or is damaged
    E_FORMAT: 45,
    // saved data, a cache or a session does not go with the other
    E_MISMATCH: 46,
    // the progress callback asked to stop
    E_CANCELLED: 47,
    // this CPU or this build lacks that instruction set
    E_ISA: 48,
    // memory of the pool is still in use
    E_IN_USE: 49,
    // a decay is unknown, not in 0 .. 1, or not for what is given
    E_DECAY: 50,
    E_TAPS: 51,
});

// Element types (see MEMORY). LCTX_I4 is for keys and values in native tiles alone; what follows it
// for matrices of weights alone, in blocks of 32 or (_K) 256 neighbours of a row, byte by byte as
// GGUF files have them, on machines of either order of bytes.
export const Type = Object.freeze({
    F32: 0,
    F16: 1,
    BF16: 2,
    I8: 3,
    I4: 4,
    Q8_0: 5,
    Q4_0: 6,
    Q4_K: 7,
    Q5_K: 8,
    Q6_K: 9,
    MXFP4: 10,
});

export const Isa = Object.freeze({
    SCALAR: 0,
    // with FMA and F16C
    AVX2: 1,
    // F, BW, DQ, VL
    AVX512: 2,
    // and the dot products of BF16 and VNNI
    AVX512_DOT: 3,
    NEON: 4,
    // and int8 dot products
    NEON_DOT: 5,
    // WebAssembly's 128 bits, where the build has them (-msimd128)
    WASM: 6,
});

export const RopeScheme = Object.freeze({
    PLAIN: 0,
    LINEAR: 1,
    NTK: 2,
    DYNAMIC: 3,
    BY_PARTS: 4,
    YARN: 5,
    LLAMA3: 6,
    RAW: 7,
    LONGROPE: 8,
});

export const RopePairing = Object.freeze({
    // (i, i + n_rot/2): NeoX, Hugging Face
    HALF: 0,
    // (2i, 2i + 1): GPT-J, llama2.c, GGUF's llama
    INTERLEAVED: 1,
});

export const RopeSide = Object.freeze({
    QUERY: 0,
    KEY: 1,
});

// A run of n keys and values, all heads. Layouts:
// LCTX_ROWS   key j of head g stands at k + j*k_token + g*k_head, d_k elements in a row; values
//             likewise; they may be a part of the keys (v = k, its strides: latent attention, MLA).
//             Any alignment. Strides 0: [token][n_head_kv][dim] packed. int8: k_scale at
//             k_scale + j*k_scale_token + g*k_scale_head (f32; strides 0: [token][n_head_kv]).
// LCTX_TILES  the native layout (lctx_tiles below); skip of the first tile's 64 keys are before the
//             span (0 .. 63). v = k: latent tiles, which hold keys alone; the values are the first
//             d_v dimensions of them, of the keys' type (not 4 bits), d_v <= d_k.
export const Layout = Object.freeze({
    ROWS: 0,
    TILES: 1,
});

export const Mask = Object.freeze({
    CAUSAL: 0,
    NONE: 1,
});

// Block patterns: which keys (at position n) a query (at m, head h) sees, from positions alone; "/"
// rounds down. A pattern narrows the mask and the window, which hold beside it; sinks and global
// positions are seen whatever it says. Tiles that no query of a task sees are never read, and rows
// that see nothing of a tile not computed; within a tile keys cost the same seen or not, so that
// strides and dilations below 64 save time by their queries only.
//     ALL      every key; for global positions alone (with a window: Longformer)
//     STRIDED  |m - n| < local or (m - n) % length = 0            Sparse Transformer 1904.10509
//     FIXED    m / length = n / length or n % length >= length - summary            its "fixed"
//     DILATED  m / length = n / length and m % length % dilation = n % length % dilation
//              = h % dilation: one segment length and dilation of LongNet 2307.02486. Queries
//              that a head leaves out get zeros and lse = -inf, so that lctx_merge over several
//              calls, one per pair of length and dilation, weighs them as the paper does. (The
//              authors' code gives blocks of neighbouring heads one offset, the paper h % r.)
//     BLOCKS   m / length - back <= n / length <= m / length. With back = 1 and length half of the
//              trained context that is blockwise causal attention, BCA (2212.10554, sec. 3.3; what
//              LongNet calls BCA); with LCTX_MASK_NONE a query sees its own block to the end, too.
// Parallel context windows (2212.10947) are groups: the spans of context c, at positions that begin
// again, are of group c, so are its queries; what all share is of 0. With a cache a context, set
// the group in what lctx_cache_spans gives. So is chunked cross attention (RETRO 2112.04426).
export const PatternKind = Object.freeze({
    ALL: 0,
    STRIDED: 1,
    FIXED: 2,
    DILATED: 3,
    BLOCKS: 4,
});

// Raw keys: with rope, queries and keys come without rotation and are rotated by their positions as
// they are read; one schedule holds for all of them, whatever held when the keys were stored. A
// rule says at which distance a pair counts whose own, m - n, is `window` or more:
//     window + g(m) - g(window) - g(n)
//     CLAMP   g(x) = 0              min(m - n, window): ReRoPE (Su, kexue.fm 9708); with a window
//                                   and sinks LM-Infinite's cap (2308.16137)
//     LEAKY   g(x) = x / leak       leaky ReRoPE: window + (m - n - window) / leak
//     GROUP   g(x) = floor(x / group)                               Self-Extend, 2401.01325
// A tile with near and far pairs costs two passes, others one. Under CLAMP far keys are used as
// stored. Angles are in double; a key's cos and sin are products of two floats, within 2^-22.
export const FarKind = Object.freeze({
    NONE: 0,
    CLAMP: 1,
    LEAKY: 2,
    GROUP: 3,
});

// Choosing: lists for a call, out of scores of blocks, a list's at a time. Of the call n_q, heads,
// d_k, queries, their positions, mask and the shape of lists count; its spans are what is scored:
// rows of f32, block_rows a block, numbered as keys are (lctx_span.index). Block b stands at
// positions b * list_keys and on, and under LCTX_CAUSAL queries see rows up to their own. Over a
// list's queries t and heads h, a row's score is
//     BOUND     max over t, h of sum over d of max(q_d k_d, q_d v_d), k the least and v the
//               greatest of each dimension of a block's keys                    Quest 2406.10774
//     PRODUCT   max over t, h of q . k, k means of keys (MoBA 2502.13189), some that stand for a
//               block (InfLLM 2402.04617), or the keys
//     RELU      max over t of sum over h of weight max(q . k, 0): DSA (DeepSeek V3.2), whose
//               indexer has queries and keys of its own
// and a block's that of its greatest row, -FLT_MAX where there is none; GIVEN are scores of one's
// own, as sums of mass (lctx_attn.mass; XAttention 2503.16428: of a call on every so many queries
// and keys put together as one, last with first). A list names, in order, the blocks of the first
// n_sink tokens and of the last `window` that there are up to any of its queries (of one behind all
// keys, however far, the last; without causality all after, too); of the others the n_top best, of
// equals the later, if list_len has room; with share the fewest of these that, with what is always
// read, have so much of all positive scores; then -1. NaN in queries and rows is passed over, given
// it counts most. Bits do not depend on threads, nor on chunks that end between lists.
export const Score = Object.freeze({
    GIVEN: 0,
    BOUND: 1,
    PRODUCT: 2,
    RELU: 3,
});

export const Decay = Object.freeze({
    // w = 1
    NONE: 0,
    // decay[n][n_head]
    HEAD: 1,
    // decay[n][n_head][d_k]
    DIM: 2,
    // decay[n][n_head][d_v] = dt: w = exp(dt rate) by element, v times dt (Mamba: rate = A, n_head
    // = 1, d_v = d_inner)
    ELEMENT: 3,
});

export const Policy = Object.freeze({
    FULL: 0,
    WINDOW: 1,
    SINKS: 2,
    HEAVY: 3,
});

// act(g, u), element by element
export const Activation = Object.freeze({
    // g / (1 + e^-g) u
    SILU: 0,
    // g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2 u
    GELU: 1,
    // g / (1 + e^(-1.702 g)) (u + 1), g capped at 7, u clipped to +-7
    SWIGLU_CAPPED: 2,
    // max(g, 0) u; without w_up u = g: squared
    RELU: 3,
    // 1 / (1 + e^-g) u
    SIGMOID: 4,
});

// Weights of the n_expert_used experts of greatest r = router h + b_router, of equals the last
export const Routing = Object.freeze({
    // softmax over the chosen: as over all, made to sum to 1
    TOP_SOFTMAX: 0,
    // softmax over all
    SOFTMAX: 1,
    // 1 / (1 + e^-r), multiplied into the expert's h (Llama 4)
    SIGMOID: 2,
});

// A layer that carries a state where others attend. With u = silu(conv(w_in h) + conv_bias), head
// by head or, of q and k, by groups of them, and y as lctx_recur has it:
//     DELTA    u = q, k, v; q, k /= their lengths; beta = sigmoid(w_beta h); scale 1/sqrt(d_k)
//              decay = exp(a softplus(w_dt h + dt_bias));  out = rmsnorm(y) * norm * silu(w_z h)
//     MAMBA2   u = v, k, q (x, B, C); dt = softplus(w_dt h + dt_bias); decay = exp(a dt); v dt
//              for v; y += skip v;  out = rmsnorm(y * silu(w_z h)) * norm, over each group's heads
//     RWKV7    x_i = h + shift_i (h' - h), h' of the token before, 0 of none; q, k, v = w_r x_r,
//              w_k x_k, w_v x_v; v += sigmoid(v(x_v)) (v of the last layer without v.rank - v);
//              decay = exp(-e^(-1/2) sigmoid(w(x_w))); rate = sigmoid(rate(x_a)); b = k_k k / its
//              length; k *= 1 + k_a (rate - 1); a = -b; b *= rate;  out = (layernorm(y) * norm +
//              norm_bias + v sum of r_k k q) g(x_g), head by head. f is in w tanh, in g sigmoid, in
//              v and rate nothing; epsilon 64e-5. The FFN takes h + ffn_shift (h' - h)
//     x += post(w_out out, attn_post_norm)
export const MixerKind = Object.freeze({
    // gated delta, Qwen3-Next's
    DELTA: 0,
    // Mamba-2's, of Granite 4, Bamba ...
    MAMBA2: 1,
    // n_head_k = n_head; of what follows w_out and norm, and its own
    RWKV7: 2,
});

export const Logits = Object.freeze({
    LAST: 0,
    ALL: 1,
    NONE: 2,
});

// Callbacks as prototypes.
export const callbacks = {
    // Threads. run must call task(arg, i, thread) once for each i in 0 .. n-1, in any order, thread in
    // 0 .. n_threads-1 and never the same thread number twice at a time, and return when all are done.
    // run null: OpenMP if compiled with it, else serial. n_threads 0: what OpenMP says, else 1.
    lctx_task: 'void lctx_task(void * arg, int64_t i, int32_t thread)',
    // Called now and then during a long call and at its end, by thread 0 of the loop; done rises to
    // total, in units of that call. Return nonzero to end the call with LCTX_E_CANCELLED.
    lctx_progress: 'int lctx_progress(void * user, int64_t done, int64_t total)',
    // Stream callbacks for save and restore: move exactly n bytes, return 0; nonzero is a failure.
    lctx_write: 'int lctx_write(void * user, void * data, size_t n)',
    // Stream callbacks for save and restore: move exactly n bytes, return 0; nonzero is a failure.
    lctx_read: 'int lctx_read(void * user, void * data, size_t n)',
    // A session in parts, in as many processes or machines, over any transport: all are fed the same
    // tokens and compute the model, but of a layer without a window each keeps every parts-th block
    // alone, 1/parts of the memory. join gets what a layer's queries have of the keys here, attn->out
    // [n_q * n_head][d_v] and lse[n_q * n_head], as lctx_merge takes them, and leaves there what all
    // parts' merge to, the same bits in each; all call it in the same order. Nonzero ends the feed
    // with LCTX_E_IO: so it should be in all parts where one has failed and does not come. Merged row
    // by row in a fixed order, parts keep their bits in any chunking; a whole session's are others.
    // LCTX_FULL, keys not of 4 bits, no pages; what is saved is that part's.
    // A whole session, too, calls a join that it is given, under LCTX_FULL: memories of other texts may
    // so be merged in, by lctx_cache_retrieve over the caches of a session that holds them (Memorizing
    // Transformers 2203.08913, LongMem 2306.07174; examples/remember.c): attn->q is rotated, or raw.
    lctx_join: 'int lctx_join(void * user, int32_t layer, void * attn)',
};

// Structs: the type of each field, in order.
export const structs = {
    // What a call refused, and where it stands. A descriptor lends one (its last field, refused; null =
    // none), and calls that take it fill it in: with what they refused of it or of what it points to,
    // with an argument, or with a failure that no field is to blame for; else with LCTX_OK. Of two
    // descriptors each tells of its own; lend both the same to look in one place. Texts are static.
    // A report is for one thread at a time, and so is a descriptor that has one.
    lctx_refusal: {
        // lctx_status
        status: 'int32_t',
        reserved: 'int32_t',
        // "lctx_span": the struct; null = the call itself
        type: 'const char *',
        // "k_pos": its field, or the call's argument; null = none
        field: 'const char *',
        // of the struct in an array, or of its layer: span 3; else -1
        index: 'int64_t',
        // of the field where it is an array: position 5; else -1
        element: 'int64_t',
    },
    // Memory for objects. alloc returns size bytes aligned to align (a power of two), or null.
    // free gets what alloc gave, with its size. Both null: malloc and free. Must be thread-safe if
    // objects that share memory (forks) live on several threads.
    lctx_allocator: {
        alloc: 'void *',
        free: 'void *',
        user: 'void *',
    },
    // A pool: an allocator for many objects, the caches and sessions of many sequences, which takes at
    // most max_bytes from another one for all of them. Sizes count rounded up to 64 bytes. What is
    // freed stays, spare, and serves requests of its size: the blocks of caches of one shape are of one
    // size, so that any spare one will do. Where a request would pass the bound, and where the other
    // allocator has no more, spare memory of other sizes is given back to that one first. Only where
    // that is not enough the call ends with LCTX_E_MEMORY.
    // Objects of one pool may live on several threads, if the other allocator is thread-safe (which
    // malloc is) and the compiler gcc or clang. The other allocator is called with no lock held.
    lctx_pool_desc: {
        // the bound; 0 = none
        max_bytes: 'int64_t',
        // copied: where memory comes from; null = malloc
        alloc: 'lctx_allocator *',
        // null = none, here and below
        refused: 'lctx_refusal *',
    },
    lctx_pool_info: {
        // as described
        max_bytes: 'int64_t',
        // in use
        bytes_used: 'int64_t',
        // not in use and not given back; with bytes_used at most max_bytes
        bytes_spare: 'int64_t',
        // the most that was in use so far
        bytes_peak: 'int64_t',
        // pieces in use
        n_used: 'int64_t',
    },
    lctx_parallel: {
        run: 'void *',
        user: 'void *',
        n_threads: 'int32_t',
        reserved: 'int32_t',
    },
    // Threads of the library's own, where it was compiled with LCTX_PTHREADS. A loop's caller is number
    // 0 of them. The others look for a loop for some tens of microseconds after the last, then sleep; a
    // loop wakes as many as it can use and gives its tasks one by one to those who have come. Several
    // host threads may share them: while they are in a loop, one from elsewhere, or from inside a task,
    // is its caller's alone. After fork() the child must neither use nor free them.
    lctx_threads_desc: {
        // the caller's counted; 0 = processors, of those it may use where compiled with
        // _GNU_SOURCE; at most LCTX_MAX_THREADS
        n_threads: 'int32_t',
        // looks before sleeping, 10 to 50 ns each; 0 = 3000, -1 = none
        spin: 'int32_t',
        // copied; null = malloc
        alloc: 'lctx_allocator *',
        refused: 'lctx_refusal *',
    },
    // Where implementations disagree, the comment says what ours does and how to get the other.
    lctx_rope_desc: {
        // lctx_rope_scheme
        scheme: 'int32_t',
        // lctx_rope_pairing
        pairing: 'int32_t',
        // dimensions that turn, even; the rest of the head passes through
        n_rot: 'int32_t',
        // YARN: nonzero = no floor and ceil (HF truncate: false); ggml: 0
        no_truncate: 'int32_t',
        // base; 0 = 10000
        theta: 'double',
        // s >= 1; 0 = 1. HF's ctx / orig_ctx, which replaces a factor where a config gives the
        // original context, is yours to compute
        factor: 'double',
        // L, trained context; needed by DYNAMIC, BY_PARTS, YARN, LLAMA3, LONGROPE (there above 1)
        orig_ctx: 'double',
        // DYNAMIC, LONGROPE: the length l to settle on; 0 = factor * L
        ctx: 'double',
        // BY_PARTS, YARN; 0 = 32
        beta_fast: 'double',
        // 0 = 1. Where all of YaRN's ramp lies behind the last pair, all are kept, as in ggml; HF,
        // which clamps low from below and high from above only, interpolates all of them: LINEAR
        beta_slow: 'double',
        // any scheme's attention factor; 0 = computed. It stands alone: ggml takes its own times
        // 0.1 ln s + 1, so multiply GGUF's by that
        attn_factor: 'double',
        // YARN; 0 = not given. Alone it changes nothing, as in HF; DeepSeek's own code then has
        // attn_factor = 0.1 mscale ln s + 1
        mscale: 'double',
        // YARN; 0 = not given. Equal to mscale, the attention factor is 1 and the whole effect is
        // scale_mul. Where that was left out (some versions of HF, exllamav3), ignore scale_mul
        mscale_all_dim: 'double',
        // LLAMA3 low_freq_factor; 0 = 1
        low_freq: 'double',
        // LLAMA3 high_freq_factor; 0 = 4
        high_freq: 'double',
        // RAW: [n_rot/2] radians per position, at most 2^512 in size
        freq: 'void *',
        // LONGROPE: [n_rot/2] divisors up to orig_ctx, from 2^-512
        short_factor: 'void *',
        // LONGROPE: [n_rot/2] divisors beyond it, from 2^-512
        long_factor: 'void *',
        // of these lists: n_rot/2; 0 = not checked
        n_freq: 'int32_t',
        // of these lists: n_rot/2; 0 = not checked
        n_short: 'int32_t',
        // of these lists: n_rot/2; 0 = not checked
        n_long: 'int32_t',
        reserved: 'int32_t',
        // LONGROPE: attention factor with the short list (Phi-3.5-MoE)
        short_mscale: 'double',
        // ... with the long list; 0 = computed
        long_mscale: 'double',
        // positions below it turn by f_i: LONGROPE's first tokens, of any scheme; 0 = none, as in
        // HF. Under LCTX_SINKS at most n_sink
        n_hat: 'int64_t',
        // xPos: 512 in the paper; 0 = no xPos
        xpos_base: 'double',
        // xPos: the position c that is not scaled
        xpos_center: 'int64_t',
        refused: 'lctx_refusal *',
    },
    // A schedule: plain data, of lctx_rope_init or filled by hand, which all that take one check. A
    // schedule's errors are LCTX_E_N_ROT, _ENUM (the pairing), _TABLE, _MSCALE, _N_HAT and _XPOS.
    lctx_rope: {
        n_rot: 'int32_t',
        pairing: 'int32_t',
        // multiplied into cos and sin; above 0
        attn_factor: 'double',
        // yours to multiply into the softmax scale; above 0
        scale_mul: 'double',
        // [n_rot/2] radians per position
        freq: 'double[256]',
        // [n_rot/2] f_i, in their place at positions below n_hat
        plain: 'double[256]',
        n_hat: 'int64_t',
        // 0 = no xPos
        xpos_base: 'double',
        xpos_center: 'int64_t',
    },
    // Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
    // may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
    // pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
    // learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
    // only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
    // _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then.
    lctx_rope_job: {
        n_tok: 'int64_t',
        n_head: 'int32_t',
        head_dim: 'int32_t',
        x: 'void *',
        // strides
        x_token: 'int64_t',
        // strides
        x_head: 'int64_t',
        out: 'void *',
        // strides
        out_token: 'int64_t',
        // strides
        out_head: 'int64_t',
        // [n_tok] or null
        pos: 'void *',
        pos0: 'int64_t',
        // null = default
        par: 'lctx_parallel *',
        cos: 'void *',
        // both or neither; strides
        cos_token: 'int64_t',
        sin: 'void *',
        sin_token: 'int64_t',
        // lctx_rope_side, for xPos
        side: 'int32_t',
        reserved: 'int32_t',
        refused: 'lctx_refusal *',
    },
    lctx_span: {
        k: 'void *',
        v: 'void *',
        // lctx_type
        k_type: 'int32_t',
        // lctx_type
        v_type: 'int32_t',
        // lctx_layout
        layout: 'int32_t',
        // TILES: keys of the first tile before the span
        skip: 'int32_t',
        // keys; 0 is allowed
        n: 'int64_t',
        // the first key's position, the next follow by one; 0 is 0 in every span, not "after the
        // span before"
        pos: 'int64_t',
        // number of the first key in the sequence, which fixes its leaf and so the bits. 0 = right
        // after the span before
        index: 'int64_t',
        // 0: scored with q, 1: with q_far
        query: 'int32_t',
        // seen by queries of this group and of 0; 0: by all
        group: 'int32_t',
        // strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head
        // as k_head
        k_token: 'int64_t',
        // strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head
        // as k_head
        k_head: 'int64_t',
        // strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head
        // as k_head
        v_token: 'int64_t',
        // strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head
        // as k_head
        v_head: 'int64_t',
        // ROWS of int8
        k_scale: 'void *',
        // ROWS of int8
        v_scale: 'void *',
        k_scale_token: 'int64_t',
        k_scale_head: 'int64_t',
        v_scale_token: 'int64_t',
        v_scale_head: 'int64_t',
        // [n_head_kv][n] for pos + j, not going back; or null
        k_pos: 'void *',
        // stride, bytes; 0 = packed, -1 = the same for all
        k_pos_head: 'int64_t',
    },
    lctx_pattern: {
        // lctx_pattern_kind
        kind: 'int32_t',
        // DILATED: 1 .. length
        dilation: 'int32_t',
        // the stride, segment or block; >= 1 but for ALL
        length: 'int64_t',
        // STRIDED: keys nearer than this; 0 = length, 1 = own key
        local: 'int64_t',
        // FIXED: keys at each stride's end; 0 = 1, at most length
        summary: 'int64_t',
        // BLOCKS: earlier blocks that are seen, >= 0
        back: 'int64_t',
        // [n_global] rising positions, or null: those from global0 on
        global: 'void *',
        // keys there are seen by all, queries there see all, as far as causality and groups allow
        // (Longformer 2004.05150)
        n_global: 'int64_t',
        // keys there are seen by all, queries there see all, as far as causality and groups allow
        // (Longformer 2004.05150)
        global0: 'int64_t',
    },
    lctx_far_rule: {
        // lctx_far_kind
        kind: 'int32_t',
        // GROUP: positions that count as one, >= 1
        group: 'int32_t',
        // pairs nearer than this keep their distance, >= 1
        window: 'int64_t',
        // LEAKY: k >= 1
        leak: 'double',
    },
    lctx_attn: {
        // queries, >= 0
        n_q: 'int64_t',
        n_head: 'int32_t',
        n_head_kv: 'int32_t',
        // d_v 0 = d_k
        d_k: 'int32_t',
        // d_v 0 = d_k
        d_v: 'int32_t',
        // [n_q][n_head][d_k], rotated already unless rope is given
        q: 'void *',
        // the same rotated otherwise, for spans with query 1; or null
        q_far: 'void *',
        // strides of q and q_far, bytes; 0 = packed
        q_token: 'int64_t',
        // strides of q and q_far, bytes; 0 = packed
        q_head: 'int64_t',
        // [n_q] positions, or null: q_pos0 + t. Causal ones without rope may be negative: before
        // all keys a query sees nothing
        q_pos: 'void *',
        q_pos0: 'int64_t',
        // [n_q] groups seen, cheapest side by side; null or 0: all
        q_group: 'void *',
        // given: keys and queries are raw; null: rotated already
        rope: 'lctx_rope *',
        // with rope, one without n_hat and xPos; null = no rule
        far_rule: 'lctx_far_rule *',
        // with rope: for spans of query 1 queries stand at far_pos at most, and q_far is not read;
        // 0 = no bound
        far_pos: 'int64_t',
        // [n_spans]
        spans: 'lctx_span *',
        n_spans: 'int64_t',
        // [n_q][n_head][d_v]
        out: 'void *',
        // strides, bytes; 0 = packed
        out_token: 'int64_t',
        // strides, bytes; 0 = packed
        out_head: 'int64_t',
        // [n_q][n_head] or null
        lse: 'void *',
        // stride, bytes; 0 = packed
        lse_token: 'int64_t',
        // 0 = 1/sqrt(d_k), with rope times its scale_mul
        scale: 'float',
        // 0 = none
        softcap: 'float',
        // lctx_mask
        mask: 'int32_t',
        // with a window: keys at positions below stay visible
        n_sink: 'int32_t',
        // keys a query sees, its own counted; 0 = all
        window: 'int64_t',
        // LCTX_MASK_NONE: keys after its own; 0 = all, -1 = none
        window_right: 'int64_t',
        // null = none
        pattern: 'lctx_pattern *',
        // [n_list][list_heads][list_len] blocks of keys, or null
        list: 'void *',
        list_len: 'int64_t',
        list_queries: 'int64_t',
        list_first: 'int64_t',
        list_heads: 'int32_t',
        list_keys: 'int32_t',
        // [n_head][n_q][n_kv] bits, rows of whole words: key j is bit j % 64 of word j / 64, 1
        // where it may be seen; or null
        mask_bits: 'void *',
        // strides, bytes; 0 = packed, -1 = the same for all
        mask_head: 'int64_t',
        // strides, bytes; 0 = packed, -1 = the same for all
        mask_query: 'int64_t',
        // [n_head] slopes or null
        alibi: 'void *',
        // [n_head] or null
        sink_logit: 'void *',
        // [n_head][n_q][n_kv], added; -inf masks, and tiles all masked are not read; or null.
        // n_kv: keys of all spans in order
        bias: 'void *',
        // strides, bytes; 0 = packed, -1 = the same for all
        bias_head: 'int64_t',
        // strides, bytes; 0 = packed, -1 = the same for all
        bias_query: 'int64_t',
        // nonzero: f32 arithmetic for all types (ARITHMETIC)
        precise: 'int32_t',
        reserved: 'int32_t',
        // [n_head_kv][n_kv], added to; wants lse. Or null (see below)
        mass: 'void *',
        // stride, bytes; 0 = packed
        mass_head: 'int64_t',
        // only the last so many queries count, <= n_q; 0 = all
        mass_queries: 'int64_t',
        // null = default
        par: 'lctx_parallel *',
        // or null; on cancelling out, lse and mass are unspecified
        progress: 'void *',
        progress_user: 'void *',
        refused: 'lctx_refusal *',
    },
    lctx_choice: {
        // lctx_score
        kind: 'int32_t',
        // of spans; 0 = 1; where these are the keys, list_keys
        block_rows: 'int32_t',
        // 0 = as list_len has room, -1 = none
        n_top: 'int64_t',
        // >= 0; window 0 = 1
        n_sink: 'int64_t',
        // >= 0; window 0 = 1
        window: 'int64_t',
        // 0 .. 1; 0 = by n_top alone
        share: 'float',
        reserved: 'int32_t',
        // RELU: [n_q][n_head]; null = 1
        weight: 'void *',
        // [n_list][list_heads][n_block], up to the last row's block: of GIVEN; else gets what was
        // scored, null = nowhere
        score: 'void *',
        refused: 'lctx_refusal *',
    },
    lctx_tiles: {
        // d_v 0 = d_k
        n_head_kv: 'int32_t',
        // d_v 0 = d_k
        d_k: 'int32_t',
        // d_v 0 = d_k
        d_v: 'int32_t',
        // lctx_type
        k_type: 'int32_t',
        // lctx_type
        v_type: 'int32_t',
        // nonzero: values are the keys' first d_v dimensions, not stored; d_v <= d_k, v_type =
        // k_type, not of 4 bits
        latent: 'int32_t',
        // tokens, a multiple of LCTX_TILE
        cap: 'int64_t',
        // lctx_tiles_size bytes
        mem: 'void *',
        refused: 'lctx_refusal *',
    },
    // Rows of f32: keys [n][n_head_kv][d_k], values [n][n_head_kv][d_v], null for latent ones.
    lctx_rows: {
        n: 'int64_t',
        k: 'void *',
        v: 'void *',
        k_token: 'int64_t',
        k_head: 'int64_t',
        v_token: 'int64_t',
        v_head: 'int64_t',
        refused: 'lctx_refusal *',
    },
    // For going back: after every `every` tokens, counted from the sequence's first however calls cut
    // it, slot (tokens / every - 1) % n gets a copy of the state, to be handed in again as `from`.
    lctx_snapshots: {
        // tokens of the sequence before this call
        before: 'int64_t',
        // >= 1
        every: 'int64_t',
        // >= 1
        n: 'int64_t',
        // [n] states, in their strides
        slots: 'void *',
        // stride, bytes; 0 = packed
        slot: 'int64_t',
    },
    lctx_recurrence: {
        // tokens, >= 0; of 0 nothing is touched
        n: 'int64_t',
        // states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
        n_head: 'int32_t',
        // states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
        n_head_k: 'int32_t',
        // d_v 0 = d_k
        d_k: 'int32_t',
        // d_v 0 = d_k
        d_v: 'int32_t',
        // lctx_decay
        decay_kind: 'int32_t',
        // nonzero: HEAD, DIM refuse decays outside 0 .. 1
        bounded: 'int32_t',
        // [n][n_head_k][d_k] twice, [n][n_head][d_v]
        q: 'void *',
        // [n][n_head_k][d_k] twice, [n][n_head][d_v]
        k: 'void *',
        // [n][n_head_k][d_k] twice, [n][n_head][d_v]
        v: 'void *',
        // by its kind
        decay: 'void *',
        // ELEMENT: in the strides of the state
        rate: 'void *',
        // [n][n_head], the delta rule: a = -beta w k, b = k, v times beta
        beta: 'void *',
        // [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
        a: 'void *',
        // [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
        b: 'void *',
        // u[n_head][d_k], without a, beta and ELEMENT: y_t = scale (S_{t-1} q_t + v_t sum of u k_t
        // q_t)
        bonus: 'void *',
        // [n][n_head][d_v]
        y: 'void *',
        // [n_head][d_k][d_v], values innermost; gets the last S
        state: 'void *',
        // the first S; null = state
        from: 'void *',
        // strides, bytes; 0 = packed
        q_token: 'int64_t',
        // strides, bytes; 0 = packed
        q_head: 'int64_t',
        // strides, bytes; 0 = packed
        k_token: 'int64_t',
        // strides, bytes; 0 = packed
        k_head: 'int64_t',
        // strides, bytes; 0 = packed
        v_token: 'int64_t',
        // strides, bytes; 0 = packed
        v_head: 'int64_t',
        // decay_token -1: the same for all tokens
        decay_token: 'int64_t',
        // decay_token -1: the same for all tokens
        decay_head: 'int64_t',
        beta_token: 'int64_t',
        beta_head: 'int64_t',
        a_token: 'int64_t',
        a_head: 'int64_t',
        b_token: 'int64_t',
        b_head: 'int64_t',
        bonus_head: 'int64_t',
        y_token: 'int64_t',
        y_head: 'int64_t',
        // [d_v][d_k] takes longer, by transpositions
        state_head: 'int64_t',
        // [d_v][d_k] takes longer, by transpositions
        state_k: 'int64_t',
        // [d_v][d_k] takes longer, by transpositions
        state_v: 'int64_t',
        // 0 = 1
        scale: 'float',
        reserved: 'int32_t',
        // null = none
        snapshots: 'lctx_snapshots *',
        // null = default
        par: 'lctx_parallel *',
        refused: 'lctx_refusal *',
    },
    lctx_convolution: {
        // tokens
        n: 'int64_t',
        n_channel: 'int32_t',
        taps: 'int32_t',
        // [n][n_channel]
        x: 'void *',
        // [n_channel][taps], the last one the token's own
        weight: 'void *',
        // [n_channel] or null
        bias: 'void *',
        // [n][n_channel], not x
        y: 'void *',
        // [taps - 1][n_channel], the last inputs, the oldest first
        state: 'void *',
        // null = state
        from: 'void *',
        // strides, bytes; 0 = packed
        x_token: 'int64_t',
        // strides, bytes; 0 = packed
        y_token: 'int64_t',
        // strides, bytes; 0 = packed
        state_tap: 'int64_t',
        // nonzero: act(z) = z / (1 + e^-z)
        silu: 'int32_t',
        reserved: 'int32_t',
        snapshots: 'lctx_snapshots *',
        par: 'lctx_parallel *',
        refused: 'lctx_refusal *',
    },
    lctx_cache_desc: {
        // d_v 0 = d_k
        n_head_kv: 'int32_t',
        // d_v 0 = d_k
        d_k: 'int32_t',
        // d_v 0 = d_k
        d_v: 'int32_t',
        // lctx_type
        k_type: 'int32_t',
        // lctx_type
        v_type: 'int32_t',
        // lctx_policy
        policy: 'int32_t',
        // SINKS: >= 1; HEAVY
        n_sink: 'int32_t',
        // tokens a block, a multiple of LCTX_TILE; 0 = 256
        block: 'int32_t',
        // all but FULL: >= 1, the query's own key counted
        window: 'int64_t',
        // HEAVY: >= 1, in tokens; see lctx_cache_tokens
        n_heavy: 'int64_t',
        // nonzero: full blocks keep the least and the greatest of each dimension of their keys,
        // for lctx_cache_retrieve
        summaries: 'int32_t',
        // nonzero: as in lctx_tiles (see LATENT KEYS)
        latent: 'int32_t',
        // FULL: appending beyond gives LCTX_E_FULL; 0 = no limit
        max_tokens: 'int64_t',
        // copied; null = malloc
        alloc: 'lctx_allocator *',
        // of create and tokens alone
        refused: 'lctx_refusal *',
    },
    lctx_cache_info: {
        // tokens appended, less those rewound: the next position
        n: 'int64_t',
        // tokens in memory, of each KV head
        n_held: 'int64_t',
        // tokens no longer in memory
        n_dropped: 'int64_t',
        // lctx_cache_rewind can go back to any n from here on; and to 0
        rewind_min: 'int64_t',
        // blocks held, shared ones included
        n_block: 'int64_t',
        // of those blocks, of open keys and of what was kept
        bytes: 'int64_t',
        // of these, in memory that forks share
        bytes_shared: 'int64_t',
        // tokens that a selection kept: the first of the spans lists them
        n_kept: 'int64_t',
    },
    // Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
    // those at positions below n_sink, then those of the greatest mass, of equal ones the later.
    // Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
    // rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
    // rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
    // neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
    // _WINDOW, _STRIDE, _OVERFLOW, _MEMORY.
    lctx_select: {
        // [n_head_kv][info.n_held], span by span, as of attention; a NaN counts most. null = the
        // cache's own account (HEAVY)
        mass: 'void *',
        // stride, bytes; 0 = packed
        mass_head: 'int64_t',
        // >= 0
        n_heavy: 'int64_t',
        // >= 0
        window: 'int64_t',
        // >= 0
        n_sink: 'int32_t',
        // odd: tokens count with the greatest mass of so many around them, themselves included; 0
        // = 1. SnapKV: 7
        pool: 'int32_t',
        refused: 'lctx_refusal *',
    },
    // Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
    // Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
    // a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
    // of the first n_sink tokens and of the last `window` that there are up to the query; of those
    // between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
    // with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
    // touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
    // agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
    // what one reads, and its bits, do not depend on the others in the call. attn and errors: as
    // lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
    // _LIST (attn has one).
    lctx_retrieve: {
        // >= 0
        n_top: 'int64_t',
        // >= 1
        window: 'int64_t',
        // >= 0
        n_sink: 'int32_t',
        // that share a choice; 0 = all of a call
        queries: 'int32_t',
        // [n_head_kv][info.n_block]: 1 where any reads, else 0; or null
        read: 'void *',
        refused: 'lctx_refusal *',
    },
    // A weight. [rows][cols] row-major as named beside each; a matrix computes y[rows] = W
    // x[cols].
    lctx_tensor: {
        data: 'void *',
        // LCTX_I8: [rows]
        scale: 'void *',
        // lctx_type
        type: 'int32_t',
        reserved: 'int32_t',
    },
    // bias + up f(down x), f as its place has it
    lctx_low_rank: {
        // [rank][columns], [rows][rank]
        down: 'lctx_tensor',
        // [rank][columns], [rows][rank]
        up: 'lctx_tensor',
        // [rows] or null
        bias: 'void *',
        rank: 'int32_t',
        reserved: 'int32_t',
    },
    lctx_mixer: {
        // lctx_mixer_kind
        kind: 'int32_t',
        // of v; groups: of q and k, each for n_head / n_head_k neighbours
        n_head: 'int32_t',
        // of v; groups: of q and k, each for n_head / n_head_k neighbours
        n_head_k: 'int32_t',
        d_k: 'int32_t',
        d_v: 'int32_t',
        taps: 'int32_t',
        // [2*n_head_k*d_k + n_head*d_v][d_model]
        w_in: 'lctx_tensor',
        // [n_head*d_v][d_model]
        w_z: 'lctx_tensor',
        // [n_head][d_model]; w_beta of DELTA
        w_beta: 'lctx_tensor',
        // [n_head][d_model]; w_beta of DELTA
        w_dt: 'lctx_tensor',
        // [d_model][n_head*d_v]
        w_out: 'lctx_tensor',
        // [rows of w_in][taps], and without taps or null
        conv: 'void *',
        // [rows of w_in][taps], and without taps or null
        conv_bias: 'void *',
        // [n_head]; a below 0
        a: 'void *',
        // [n_head]; a below 0
        dt_bias: 'void *',
        // [d_v]; MAMBA2, RWKV7: [n_head*d_v], MAMBA2 or null
        norm: 'void *',
        // MAMBA2: [n_head] or null
        skip: 'void *',
        // [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
        w_r: 'lctx_tensor',
        // [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
        w_k: 'lctx_tensor',
        // [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
        w_v: 'lctx_tensor',
        // to n_head*d_k, n_head*d_v, and again
        w: 'lctx_low_rank',
        // to n_head*d_k, n_head*d_v, and again
        v: 'lctx_low_rank',
        // to n_head*d_k, n_head*d_v, and again
        rate: 'lctx_low_rank',
        // to n_head*d_k, n_head*d_v, and again
        g: 'lctx_low_rank',
        // [6][d_model]: of r, w, k, v, a, g
        shift: 'void *',
        // [d_model] or null
        ffn_shift: 'void *',
        // [n_head*d_k]
        k_k: 'void *',
        // [n_head*d_k]
        k_a: 'void *',
        // [n_head*d_k]
        r_k: 'void *',
        // [n_head*d_v]
        norm_bias: 'void *',
    },
    lctx_layer: {
        // [d_model]
        attn_norm: 'lctx_tensor',
        // [n_head*head_dim][d_model]
        wq: 'lctx_tensor',
        // [n_head_kv*head_dim][d_model]
        wk: 'lctx_tensor',
        // [n_head_kv*head_dim][d_model]
        wv: 'lctx_tensor',
        // [d_model][n_head*head_dim]
        wo: 'lctx_tensor',
        // [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
        bq: 'lctx_tensor',
        // [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
        bk: 'lctx_tensor',
        // [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
        bv: 'lctx_tensor',
        // [d_model]; data null = none
        bo: 'lctx_tensor',
        // [n_head*head_dim][d_model]; data null = none
        attn_gate: 'lctx_tensor',
        // [head_dim]; data null = none
        q_norm: 'lctx_tensor',
        // [head_dim]; data null = none
        k_norm: 'lctx_tensor',
        // [d_model]; with a mixer data null = no FFN
        ffn_norm: 'lctx_tensor',
        // [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
        w_gate: 'lctx_tensor',
        // [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
        w_up: 'lctx_tensor',
        // [d_model][d_ff]; with experts [n_expert][d_model][d_ff]
        w_down: 'lctx_tensor',
        // likewise without their last dimension; or null
        b_gate: 'lctx_tensor',
        // likewise without their last dimension; or null
        b_up: 'lctx_tensor',
        // likewise without their last dimension; or null
        b_down: 'lctx_tensor',
        // [d_model]; data null = none
        attn_post_norm: 'lctx_tensor',
        // [d_model]; data null = none
        ffn_post_norm: 'lctx_tensor',
        // with experts: [n_expert][d_model], [n_expert] or null
        router: 'lctx_tensor',
        // with experts: [n_expert][d_model], [n_expert] or null
        b_router: 'lctx_tensor',
        // [d_ff_shared][d_model]; data null = none
        shared_gate: 'lctx_tensor',
        // [d_ff_shared][d_model]; data null = none
        shared_up: 'lctx_tensor',
        // [d_model][d_ff_shared]
        shared_down: 'lctx_tensor',
        // [d_model]; data null = none
        shared_router: 'lctx_tensor',
        // 0 = no experts
        n_expert: 'int32_t',
        // 0 = no experts
        n_expert_used: 'int32_t',
        // lctx_routing, lctx_activation
        routing: 'int32_t',
        // lctx_routing, lctx_activation
        activation: 'int32_t',
        // d_ff 0 = the model's
        d_ff: 'int32_t',
        // d_ff 0 = the model's
        d_ff_shared: 'int32_t',
        // q *= 1 + q_scale ln(1 + floor((position +
        q_scale: 'float',
        // q *= 1 + q_scale ln(1 + floor((position +
        q_scale_offset: 'float',
        // q_scale_offset) / q_scale_length)); 0 = none
        q_scale_length: 'int64_t',
        // null = the model's
        rope: 'lctx_rope *',
        // this layer's sliding window; 0 = none
        window: 'int64_t',
        // nonzero: this layer has no rotation
        no_rope: 'int32_t',
        // nonzero: the mixer adds to attention, of the same h
        beside: 'int32_t',
        // which keys this layer's queries see; null = all
        pattern: 'lctx_pattern *',
        // [n_head], as in lctx_attn (gpt-oss); null = none
        sink_logit: 'void *',
        // in place of attention, unless it is beside; null = none
        mixer: 'lctx_mixer *',
        // [d_model] or null
        attn_norm_bias: 'void *',
        // [d_model] or null
        ffn_norm_bias: 'void *',
    },
    lctx_model: {
        // head_dim 0 = d_model / n_head
        n_layer: 'int32_t',
        // head_dim 0 = d_model / n_head
        n_head: 'int32_t',
        // head_dim 0 = d_model / n_head
        n_head_kv: 'int32_t',
        // head_dim 0 = d_model / n_head
        head_dim: 'int32_t',
        d_model: 'int32_t',
        d_ff: 'int32_t',
        n_vocab: 'int32_t',
        // 0 = 1e-5
        norm_eps: 'float',
        // 0 = 1
        embd_scale: 'float',
        // softmax scale before rope.scale_mul; 0 = 1/sqrt(head_dim)
        attn_scale: 'float',
        // attention softcap; 0 = none
        softcap: 'float',
        // 0 = none
        logit_softcap: 'float',
        // [n_vocab][d_model]
        tok_embd: 'lctx_tensor',
        // [d_model]
        output_norm: 'lctx_tensor',
        // [n_vocab][d_model]; data null = tok_embd
        output: 'lctx_tensor',
        // [n_layer]
        layers: 'lctx_layer *',
        // null = no rotation
        rope: 'lctx_rope *',
        // of check and create alone
        refused: 'lctx_refusal *',
        // [d_model], of x before the layers; data null = none
        embd_norm: 'lctx_tensor',
        // [d_model] or null
        embd_norm_bias: 'void *',
        // [d_model] or null
        output_norm_bias: 'void *',
    },
    // With raw_keys the caches hold keys before rotation, and these two may be given, which imply it:
    //     rope      in place of the model's schedule (not of those that layers have of their own): the
    //               query at position m turns, with all keys that it sees, by the schedule for ctx =
    //               m + 1, whatever the keys before it were scored by. So DYNAMIC and LONGROPE follow
    //               the text exactly, in any chunking; the hidden states that gave the keys stay.
    //               Past orig_ctx DYNAMIC has a schedule for each token: prompts run at decode's pace.
    //     far_rule  how far pairs count their distance
    lctx_session_desc: {
        // of the caches, lctx_type
        k_type: 'int32_t',
        // of the caches, lctx_type
        v_type: 'int32_t',
        // lctx_policy of layers without a narrower (HEAVY: any) window
        policy: 'int32_t',
        n_sink: 'int32_t',
        window: 'int64_t',
        // HEAVY: tokens of each KV head and layer, kept by their mass
        n_heavy: 'int64_t',
        // FULL, in layers without windows: of all that is kept a query reads so many tokens, in
        // blocks a KV head (lctx_retrieve), and the first n_sink and the last `window`; 0 = all
        n_read: 'int64_t',
        // with n_read: of each layer null, or bytes as lctx_retrieve has them, with room for the
        // next feed's tokens: what its last chunk's queries read. Borrowed, by forks, too; or null
        read: 'void *',
        // FULL; 0 = no limit
        max_tokens: 'int64_t',
        // tokens a cache block; 0 = 256, or 64 with n_read
        block: 'int32_t',
        // tokens computed at once; bounds memory, not bits; 0 = 256
        chunk: 'int32_t',
        // as in lctx_attn; products with weights are in f32, too
        precise: 'int32_t',
        // nonzero: as above
        raw_keys: 'int32_t',
        // mixers: a snapshot of states after every so many tokens, the
        state_every: 'int64_t',
        // last so many of them, to be rewound to; 0 = none, and 4
        state_slots: 'int32_t',
        reserved: 'int32_t',
        // 0 .. parts-1, of a session in so many; parts 0 = 1: whole
        part: 'int32_t',
        // 0 .. parts-1, of a session in so many; parts 0 = 1: whole
        parts: 'int32_t',
        // needed with parts above 1; or null
        join: 'void *',
        join_user: 'void *',
        // copied; null = malloc
        alloc: 'lctx_allocator *',
        // copied; null = default
        par: 'lctx_parallel *',
        // after each chunk of a feed: tokens done, tokens in all
        progress: 'void *',
        progress_user: 'void *',
        // copied, its lists borrowed; ctx is not read; or null
        rope: 'lctx_rope_desc *',
        // copied; null = distances as they are
        far_rule: 'lctx_far_rule *',
        // of create alone; then see lctx_session_info
        refused: 'lctx_refusal *',
    },
    lctx_session_info: {
        // tokens fed: the next position
        n: 'int64_t',
        // tokens that some layer no longer holds
        n_dropped: 'int64_t',
        // from here on lctx_session_rewind can go back to any n; and to 0. With mixers to
        // multiples of state_every alone
        rewind_min: 'int64_t',
        // all layers' blocks
        cache_bytes: 'int64_t',
        // mixers': before and after a feed, and snapshots
        state_bytes: 'int64_t',
        // activations and attention scratch
        scratch_bytes: 'int64_t',
        // by the last feed, rewind or restore
        refused: 'lctx_refusal',
    },
};

// Arrays that fields point to: elements, and sizes from outside in. n_expert? counts where
// there are experts; / rounds up.
export const arrays = {
    'lctx_rope_desc.freq': ['double', 'n_rot/2'],
    'lctx_rope_desc.short_factor': ['double', 'n_rot/2'],
    'lctx_rope_desc.long_factor': ['double', 'n_rot/2'],
    'lctx_rope_job.pos': ['int64_t', 'n_tok'],
    'lctx_span.k_pos': ['int64_t', 'n_head_kv n'],
    'lctx_pattern.global': ['int64_t', 'n_global'],
    'lctx_attn.q': ['float', 'n_q n_head d_k'],
    'lctx_attn.q_far': ['float', 'n_q n_head d_k'],
    'lctx_attn.q_pos': ['int64_t', 'n_q'],
    'lctx_attn.q_group': ['int32_t', 'n_q'],
    'lctx_attn.spans': ['lctx_span', 'n_spans'],
    'lctx_attn.out': ['float', 'n_q n_head d_v'],
    'lctx_attn.lse': ['float', 'n_q n_head'],
    'lctx_attn.list': ['int32_t', 'n_list list_heads list_len'],
    'lctx_attn.mask_bits': ['uint64_t', 'n_head n_q n_kv/64'],
    'lctx_attn.alibi': ['float', 'n_head'],
    'lctx_attn.sink_logit': ['float', 'n_head'],
    'lctx_attn.bias': ['float', 'n_head n_q n_kv'],
    'lctx_attn.mass': ['float', 'n_head_kv n_kv'],
    'lctx_choice.weight': ['float', 'n_q n_head'],
    'lctx_choice.score': ['float', 'n_list list_heads n_block'],
    'lctx_recurrence.q': ['float', 'n n_head_k d_k'],
    'lctx_recurrence.k': ['float', 'n n_head_k d_k'],
    'lctx_recurrence.v': ['float', 'n n_head d_v'],
    'lctx_recurrence.rate': ['float', 'n_head d_k d_v'],
    'lctx_recurrence.beta': ['float', 'n n_head'],
    'lctx_recurrence.a': ['float', 'n n_head d_k'],
    'lctx_recurrence.b': ['float', 'n n_head_k d_k'],
    'lctx_recurrence.bonus': ['float', 'n_head d_k'],
    'lctx_recurrence.y': ['float', 'n n_head d_v'],
    'lctx_recurrence.state': ['float', 'n_head d_k d_v'],
    'lctx_recurrence.from': ['float', 'n_head d_k d_v'],
    'lctx_convolution.x': ['float', 'n n_channel'],
    'lctx_convolution.weight': ['float', 'n_channel taps'],
    'lctx_convolution.bias': ['float', 'n_channel'],
    'lctx_convolution.y': ['float', 'n n_channel'],
    'lctx_convolution.state': ['float', 'taps-1 n_channel'],
    'lctx_convolution.from': ['float', 'taps-1 n_channel'],
    'lctx_select.mass': ['float', 'n_head_kv info.n_held'],
    'lctx_retrieve.read': ['uint8_t', 'n_head_kv info.n_block'],
    'lctx_tensor.scale': ['float', 'rows'],
    'lctx_low_rank.down': ['any', 'rank columns'],
    'lctx_low_rank.up': ['any', 'rank columns'],
    'lctx_low_rank.bias': ['float', 'rows'],
    'lctx_mixer.w_in': ['any', '2*n_head_k*d_k+n_head*d_v d_model'],
    'lctx_mixer.w_z': ['any', 'n_head*d_v d_model'],
    'lctx_mixer.w_beta': ['any', 'n_head d_model'],
    'lctx_mixer.w_dt': ['any', 'n_head d_model'],
    'lctx_mixer.w_out': ['any', 'd_model n_head*d_v'],
    'lctx_mixer.conv': ['float', '2*n_head_k*d_k+n_head*d_v taps'],
    'lctx_mixer.conv_bias': ['float', '2*n_head_k*d_k+n_head*d_v'],
    'lctx_mixer.a': ['float', 'n_head'],
    'lctx_mixer.dt_bias': ['float', 'n_head'],
    'lctx_mixer.norm': ['float', 'n_norm'],
    'lctx_mixer.skip': ['float', 'n_head'],
    'lctx_mixer.w_r': ['any', 'n_head*d_k d_model'],
    'lctx_mixer.w_k': ['any', 'n_head*d_k d_model'],
    'lctx_mixer.w_v': ['any', 'n_head*d_k d_model'],
    'lctx_mixer.shift': ['float', '6 d_model'],
    'lctx_mixer.ffn_shift': ['float', 'd_model'],
    'lctx_mixer.k_k': ['float', 'n_head*d_k'],
    'lctx_mixer.k_a': ['float', 'n_head*d_k'],
    'lctx_mixer.r_k': ['float', 'n_head*d_k'],
    'lctx_mixer.norm_bias': ['float', 'n_head*d_v'],
    'lctx_layer.attn_norm': ['any', 'd_model'],
    'lctx_layer.wq': ['any', 'n_head*head_dim d_model'],
    'lctx_layer.wk': ['any', 'n_head_kv*head_dim d_model'],
    'lctx_layer.wv': ['any', 'n_head_kv*head_dim d_model'],
    'lctx_layer.wo': ['any', 'd_model n_head*head_dim'],
    'lctx_layer.bq': ['any', 'n_head*head_dim'],
    'lctx_layer.bk': ['any', 'n_head_kv*head_dim'],
    'lctx_layer.bv': ['any', 'n_head_kv*head_dim'],
    'lctx_layer.bo': ['any', 'd_model'],
    'lctx_layer.attn_gate': ['any', 'n_head*head_dim d_model'],
    'lctx_layer.q_norm': ['any', 'head_dim'],
    'lctx_layer.k_norm': ['any', 'head_dim'],
    'lctx_layer.ffn_norm': ['any', 'd_model'],
    'lctx_layer.w_gate': ['any', 'n_expert? d_ff d_model'],
    'lctx_layer.w_up': ['any', 'n_expert? d_ff d_model'],
    'lctx_layer.w_down': ['any', 'n_expert? d_model d_ff'],
    'lctx_layer.b_gate': ['any', 'n_expert? d_ff'],
    'lctx_layer.b_up': ['any', 'n_expert? d_ff'],
    'lctx_layer.b_down': ['any', 'n_expert? d_model'],
    'lctx_layer.attn_post_norm': ['any', 'd_model'],
    'lctx_layer.ffn_post_norm': ['any', 'd_model'],
    'lctx_layer.router': ['any', 'n_expert d_model'],
    'lctx_layer.b_router': ['any', 'n_expert'],
    'lctx_layer.shared_gate': ['any', 'd_ff_shared d_model'],
    'lctx_layer.shared_up': ['any', 'd_ff_shared d_model'],
    'lctx_layer.shared_down': ['any', 'd_model d_ff_shared'],
    'lctx_layer.shared_router': ['any', 'd_model'],
    'lctx_layer.sink_logit': ['float', 'n_head'],
    'lctx_layer.attn_norm_bias': ['float', 'd_model'],
    'lctx_layer.ffn_norm_bias': ['float', 'd_model'],
    'lctx_model.tok_embd': ['any', 'n_vocab d_model'],
    'lctx_model.output_norm': ['any', 'd_model'],
    'lctx_model.output': ['any', 'n_vocab d_model'],
    'lctx_model.layers': ['lctx_layer', 'n_layer'],
    'lctx_model.embd_norm': ['any', 'd_model'],
    'lctx_model.embd_norm_bias': ['float', 'd_model'],
    'lctx_model.output_norm_bias': ['float', 'd_model'],
};

// Fields that tell how memory is laid out.
export const raw = new Set([
    'lctx_rope_job.x_token',
    'lctx_rope_job.x_head',
    'lctx_rope_job.out_token',
    'lctx_rope_job.out_head',
    'lctx_rope_job.cos_token',
    'lctx_rope_job.sin_token',
    'lctx_span.layout',
    'lctx_span.skip',
    'lctx_span.k_token',
    'lctx_span.k_head',
    'lctx_span.v_token',
    'lctx_span.v_head',
    'lctx_span.k_scale_token',
    'lctx_span.k_scale_head',
    'lctx_span.v_scale_token',
    'lctx_span.v_scale_head',
    'lctx_span.k_pos_head',
    'lctx_attn.q_token',
    'lctx_attn.q_head',
    'lctx_attn.out_token',
    'lctx_attn.out_head',
    'lctx_attn.lse_token',
    'lctx_attn.mask_head',
    'lctx_attn.mask_query',
    'lctx_attn.bias_head',
    'lctx_attn.bias_query',
    'lctx_attn.mass_head',
    'lctx_rows.k_token',
    'lctx_rows.k_head',
    'lctx_rows.v_token',
    'lctx_rows.v_head',
    'lctx_recurrence.q_token',
    'lctx_recurrence.q_head',
    'lctx_recurrence.k_token',
    'lctx_recurrence.k_head',
    'lctx_recurrence.v_token',
    'lctx_recurrence.v_head',
    'lctx_recurrence.decay_token',
    'lctx_recurrence.decay_head',
    'lctx_recurrence.beta_token',
    'lctx_recurrence.beta_head',
    'lctx_recurrence.a_token',
    'lctx_recurrence.a_head',
    'lctx_recurrence.b_token',
    'lctx_recurrence.b_head',
    'lctx_recurrence.bonus_head',
    'lctx_recurrence.y_token',
    'lctx_recurrence.y_head',
    'lctx_recurrence.state_head',
    'lctx_recurrence.state_k',
    'lctx_recurrence.state_v',
    'lctx_convolution.x_token',
    'lctx_convolution.y_token',
    'lctx_convolution.state_tap',
    'lctx_select.mass_head',
]);

// Functions: what each returns, and its arguments.
export const functions = {
    // Creates an empty pool; its own bytes do not count. Errors: LCTX_E_COUNT, _MEMORY.
    lctx_pool_create: ['int', 'void *', 'void *'],
    // Frees a pool and gives its memory back; null is fine. No other call may use it meanwhile. Errors:
    // LCTX_E_IN_USE: an object that it serves is still there; the pool is as before then.
    lctx_pool_free: ['int', 'void *'],
    // The allocator for objects and data of yours; the pool must outlive them.
    lctx_pool_allocator: ['int', 'void *', 'void *'],
    // Gives all spare memory back to the allocator that it came from.
    lctx_pool_trim: ['int', 'void *'],
    lctx_pool_get_info: ['int', 'void *', 'void *'],
    // Starts n_threads - 1 threads, or as many as the system gives; without LCTX_PTHREADS none: loops
    // are OpenMP's then, or their caller's. Errors: LCTX_E_THREADS, _COUNT (spin below -1), _MEMORY.
    lctx_threads_create: ['int', 'void *', 'void *'],
    // Ends and joins them; null is fine. No loop may be running.
    lctx_threads_free: ['void', 'void *'],
    // The hook to lend to calls, which the threads must outlive; its n_threads may be lowered.
    lctx_threads_parallel: ['int', 'void *', 'void *'],
    lctx_version: ['uint32_t'],
    lctx_status_text: ['const char *', 'int'],
    // "lctx_span[3].k_type: an element type ...", cut to size bytes, 0 at the end; its whole
    // length.
    lctx_refusal_text: ['size_t', 'void *', 'void *', 'size_t'],
    // sizeof a public struct by its name, e.g. "lctx_attn", as the implementation was compiled; 0 for
    // an unknown name. Bindings compare it with their own at load time.
    lctx_sizeof: ['size_t', 'const char *'],
    // The instruction set in use. The best that the CPU has is taken at first use, capped by the
    // environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    // Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    lctx_isa_get: ['int'],
    // The instruction set in use. The best that the CPU has is taken at first use, capped by the
    // environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    // Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    lctx_isa_set: ['int', 'int'],
    // The instruction set in use. The best that the CPU has is taken at first use, capped by the
    // environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    // Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    lctx_isa_name: ['const char *', 'int'],
    // Bytes of one element; 0 for types of blocks, for LCTX_I4 (half a byte) and unknown types.
    lctx_type_size: ['size_t', 'int'],
    // "f32", "f16", "bf16", "int8", "int4", "q8_0", "q4_0", "q4_k", ...; null for an unknown type.
    lctx_type_name: ['const char *', 'int'],
    // n elements from f32 to type and back. Rounding is to nearest even; f16 overflow gives infinity,
    // NaN stays NaN. For LCTX_I8 the n elements are one row: *scale = max|src| / 127 is written (read
    // by to_f32), and dst = round(src / scale); otherwise scale may be null. A row with a NaN or
    // infinity gets a NaN scale, one of which all is below 2^-143 scale 0. Of blocks there is only the
    // way back, of n elements that are whole blocks. src and dst must not overlap. Errors:
    // LCTX_E_COUNT, _TYPE.
    lctx_from_f32: ['int', 'int', 'int64_t', 'void *', 'void *', 'void *'],
    // n elements from f32 to type and back. Rounding is to nearest even; f16 overflow gives infinity,
    // NaN stays NaN. For LCTX_I8 the n elements are one row: *scale = max|src| / 127 is written (read
    // by to_f32), and dst = round(src / scale); otherwise scale may be null. A row with a NaN or
    // infinity gets a NaN scale, one of which all is below 2^-143 scale 0. Of blocks there is only the
    // way back, of n elements that are whole blocks. src and dst must not overlap. Errors:
    // LCTX_E_COUNT, _TYPE.
    lctx_to_f32: ['int', 'int', 'int64_t', 'void *', 'void *', 'void *'],
    // Computes a schedule, in double: each frequency within 5e-15 of the formula's, relatively. Errors:
    // LCTX_E_ENUM, _N_ROT, _THETA, _FACTOR, _ORIG_CTX, _CTX, _BETA, _FREQ_FACTOR, _MSCALE,
    // _TABLE, _TABLE_SIZE, _N_HAT, _XPOS; *rope is untouched then. Nothing is clamped silently.
    lctx_rope_init: ['int', 'void *', 'void *'],
    // cos[n_rot/2] and sin[n_rot/2] of one position, 0 <= pos < 2^48, attention factor included, xPos
    // not: right to float rounding up to 2^24; beyond, the angle is off by up to its 2^-53 and what the
    // frequency is off, at 2^40 by 0.005 radians at most. Errors: LCTX_E_POS, a schedule's.
    lctx_rope_cos_sin: ['int', 'void *', 'int64_t', 'void *', 'void *'],
    // xPos of one position: growth[n_rot/2], zeta_i^((pos - c)/xpos_base) of a query's pairs and its
    // inverse of a key's; all 1 without xPos. They stay within 2^+-116 up to LCTX_XPOS_REACH *
    // xpos_base positions from the centre (32768 for 512), so that elements of size 5000 do not
    // overflow in f32; positions farther out are refused. Keep keys as f32 or bf16: with base 512, f16
    // overflows from 4500 positions off the centre on, and int8 has one scale for a row whose pairs
    // grow apart. Errors: LCTX_E_ENUM, _POS, _XPOS_FAR, a schedule's.
    lctx_rope_xpos: ['int', 'void *', 'int', 'int64_t', 'void *'],
    // Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
    // may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
    // pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
    // learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
    // only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
    // _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then.
    lctx_rope_apply: ['int', 'void *', 'void *'],
    // Critical dimension: the first dim of n_rot dimensions have turned once within L,
    //     dim = 2 ceil(d/2 log_b(L / 2pi)), and n_rot where that is larger: all have.
    lctx_rope_critical_dim: ['int', 'int32_t', 'double', 'double', 'void *'],
    // The context that a larger base can carry after tuning, the period of the last dimension that had
    // turned once: ctx = 2pi new_theta^(dim/n_rot), dim as above; infinite where dim is n_rot: no pair
    // sets a bound then. new_theta 0 = theta, the model as it is: a little above L.
    // Errors also: LCTX_E_THETA where new_theta is below theta.
    lctx_rope_reach: ['int', 'int32_t', 'double', 'double', 'double', 'void *'],
    // What to change for a context of ctx >= L tokens. new_theta: the base to tune with (ABF),
    // b^(log(ctx/2pi) / log(L/2pi)); lctx_rope_reach of it is at least ctx. factor: ctx / L, for the
    // schemes that interpolate; ntk_factor: the factor that gives NTK that base. Outputs may be null.
    // Errors also: LCTX_E_CTX, LCTX_E_N_ROT (ntk_factor needs a second pair).
    lctx_rope_advise: ['int', 'int32_t', 'double', 'double', 'double', 'void *', 'void *', 'void *'],
    // Smaller bases extrapolate too, without a sharp bound, the better the more of a turn every pair
    // makes within the L tokens of tuning: theta[0] = 2L/pi a quarter, theta[1] = L/pi half,
    // theta[2] = L/2pi a whole one. Errors: LCTX_E_ORIG_CTX.
    lctx_rope_small_thetas: ['int', 'double', 'void *'],
    // How many pairs are incomplete within ctx positions: those of a wavelength 2pi/|freq| above it.
    // wavelength[n_rot/2] (infinite where freq is 0) may be null. Errors: LCTX_E_CTX, a schedule's.
    lctx_rope_incomplete: ['int', 'void *', 'double', 'void *', 'void *'],
    // Bytes of scratch that lctx_attend needs for this descriptor; q, out, lse and the spans' k and v
    // may still be null. Independent of the number of keys but for a logarithm, and the bits of lists.
    // Reads the descriptor, its spans, rule, schedule and pattern, in time by their number, but none of
    // q_pos, q_group, k_pos and list: what is wrong there, lctx_attend says. Errors: as lctx_attend.
    lctx_attend_size: ['int', 'void *', 'void *'],
    // Attention. scratch: at least lctx_attend_size bytes, any alignment; not shared between calls that
    // run at once.
    // Mass is the weight that each key received: a second pass over the keys, once all lse are known,
    // that costs what the scores did. Weights are added one by one, in the order of queries and within
    // each of heads: the same bits for any threads, splits and chunks of queries in order. Right to
    // about 2^-23 (1 + |lse|) of each weight. Masked keys get nothing; sink logits their share.
    // Errors: LCTX_E_COUNT, _OVERFLOW, _ENUM, _TYPE, _HEADS, _HEAD_DIM, _STRIDE, _SCALE, _SPAN,
    // _WINDOW, _LENGTH, _DILATION, _LOCAL, _GLOBAL, _GROUP, _LIST, _FAR_RULE, _XPOS_FAR, _SOFTCAP,
    // _POS, _THREADS, _SCRATCH, _CANCELLED, a schedule's.
    lctx_attend: ['int', 'void *', 'void *', 'size_t'],
    // list: [n_list][list_heads][list_len], to be handed to the call. Scratch is O(threads x blocks);
    // size needs neither queries nor rows nor scores. Errors: those of lctx_attend_size, LCTX_E_ENUM,
    // _COUNT, _WINDOW, _TYPE (of a span), _POLICY (raw keys), _LIST (list_len has no room for what is
    // always read), _SCRATCH.
    lctx_choose_size: ['int', 'void *', 'void *', 'void *'],
    // list: [n_list][list_heads][list_len], to be handed to the call. Scratch is O(threads x blocks);
    // size needs neither queries nor rows nor scores. Errors: those of lctx_attend_size, LCTX_E_ENUM,
    // _COUNT, _WINDOW, _TYPE (of a span), _POLICY (raw keys), _LIST (list_len has no room for what is
    // always read), _SCRATCH.
    lctx_choose: ['int', 'void *', 'void *', 'void *', 'void *', 'size_t'],
    // Merges partial results over disjoint sets of keys: rows of d_v values, normalised, and their lse.
    //     m = max_p lse_p;  w_p = exp(lse_p - m);  out = sum w_p out_p / sum w_p;  lse = m + ln sum w_p
    // out and lse_out may be those of a part (in place); lse_out may be null. Parts with lse = -inf
    // count nothing. Use sink_logit in one part only. Errors: LCTX_E_COUNT, _HEAD_DIM.
    lctx_merge: ['int', 'int64_t', 'int32_t', 'int32_t', 'void *', 'void *', 'void *', 'void *'],
    // ALiBi slopes: 2^(-8(h+1)/n) for n a power of two; else those of the power of two below, then
    // every second one of twice that power (2108.12409, authors' code). Errors: LCTX_E_HEADS.
    lctx_alibi_slopes: ['int', 'int32_t', 'void *'],
    // Bytes of a store; mem may be null. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    lctx_tiles_size: ['int', 'void *', 'void *'],
    // Packs rows as tokens first .. first+n-1; others are untouched. LCTX_I4 keys go by whole tiles:
    // first % LCTX_TILE = 0, and what the last held beyond is lost. Errors: as size, _SPAN, _STRIDE.
    lctx_tiles_write: ['int', 'void *', 'int64_t', 'void *'],
    // Unpacks n tokens into k[n][n_head_kv][d_k] and v[n][n_head_kv][d_v], either may be null.
    lctx_tiles_read: ['int', 'void *', 'int64_t', 'int64_t', 'void *', 'void *'],
    // A span over tokens first .. first+n-1 of a store, at position pos. Errors: as above.
    lctx_tiles_span: ['int', 'void *', 'int64_t', 'int64_t', 'int64_t', 'void *'],
    // Takes n tokens; size says with how much scratch, by d_k and threads alone, where arrays may still
    // be null. None may overlap but state and from. Errors: LCTX_E_COUNT, _HEADS, _HEAD_DIM,
    // _DECAY, _SOFTCAP (scale), _STRIDE, _OVERFLOW, _POS, _THREADS, _SCRATCH; nothing is touched.
    lctx_recur_size: ['int', 'void *', 'void *'],
    // Takes n tokens; size says with how much scratch, by d_k and threads alone, where arrays may still
    // be null. None may overlap but state and from. Errors: LCTX_E_COUNT, _HEADS, _HEAD_DIM,
    // _DECAY, _SOFTCAP (scale), _STRIDE, _OVERFLOW, _POS, _THREADS, _SCRATCH; nothing is touched.
    lctx_recur: ['int', 'void *', 'void *', 'size_t'],
    // The causal convolution before most of these, channel by channel, with the same promises:
    //     y_t = act(bias + sum over j of weight[j] x_{t - taps + 1 + j}),  act(z) = z or z / (1 + e^-z)
    // Errors: LCTX_E_COUNT, _TAPS, _STRIDE, _OVERFLOW, _POS, _THREADS.
    lctx_convolve: ['int', 'void *'],
    // Creates an empty cache; free takes null too. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM,
    // _ENUM, _WINDOW, _OVERFLOW, _MEMORY.
    lctx_cache_create: ['int', 'void *', 'void *'],
    // How many tokens, by whole tiles, fit into so many bytes (summaries, accounts of mass and open
    // keys apart). Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    lctx_cache_tokens: ['int', 'void *', 'int64_t', 'void *'],
    // How many tokens, by whole tiles, fit into so many bytes (summaries, accounts of mass and open
    // keys apart). Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    lctx_cache_free: ['void', 'void *'],
    // Appends rows at positions info.n .. info.n + rows->n - 1, keys already rotated to them, or raw if
    // every attention over this cache is to be given lctx_attn.rope. Blocks that no query at or after
    // info.n can see are dropped. (Under LCTX_HEAVY that takes memory, or waits for the next append.)
    // Errors: LCTX_E_COUNT, _STRIDE, _SPAN (values for a latent cache), _FULL, _POS, _MEMORY.
    lctx_cache_append: ['int', 'void *', 'void *'],
    // Attention of attn's queries over the cache: fills in n_head_kv, d_k, d_v, spans, window, n_sink
    // (which must be unset or agree) and calls lctx_attend. Under LCTX_WINDOW and LCTX_SINKS, queries
    // must stand at or after the last append's first token (older windows may be gone: LCTX_E_EVICTED),
    // and a pattern may have no global positions, which these would evict (LCTX_E_GLOBAL). Under
    // LCTX_SINKS q_far is needed; with rope, and raw keys, it is not, for far_pos is filled in, and
    // positions are those inside the cache. So are they of what a selection kept, by its number in its
    // head: its last stands right before the tokens that follow (no n_hat then: LCTX_E_N_HAT). Under
    // LCTX_HEAVY, mass goes to the cache's own account unless attn.mass is given; a query is to be
    // attended once. With 4-bit keys queries are attended tile by tile, and progress is told of these;
    // there the size reads q_pos. Errors: those of lctx_attend, and LCTX_E_EVICTED.
    lctx_cache_attend_size: ['int', 'void *', 'void *', 'void *'],
    // Attention of attn's queries over the cache: fills in n_head_kv, d_k, d_v, spans, window, n_sink
    // (which must be unset or agree) and calls lctx_attend. Under LCTX_WINDOW and LCTX_SINKS, queries
    // must stand at or after the last append's first token (older windows may be gone: LCTX_E_EVICTED),
    // and a pattern may have no global positions, which these would evict (LCTX_E_GLOBAL). Under
    // LCTX_SINKS q_far is needed; with rope, and raw keys, it is not, for far_pos is filled in, and
    // positions are those inside the cache. So are they of what a selection kept, by its number in its
    // head: its last stands right before the tokens that follow (no n_hat then: LCTX_E_N_HAT). Under
    // LCTX_HEAVY, mass goes to the cache's own account unless attn.mass is given; a query is to be
    // attended once. With 4-bit keys queries are attended tile by tile, and progress is told of these;
    // there the size reads q_pos. Errors: those of lctx_attend, and LCTX_E_EVICTED.
    lctx_cache_attend: ['int', 'void *', 'void *', 'void *', 'size_t'],
    // Where q_far is rotated to: min(pos, n_sink + window - 1) under LCTX_SINKS, else pos.
    lctx_cache_far_pos: ['int64_t', 'void *', 'int64_t'],
    // The spans that attention of the next token sees, in order; *n gets their number (at most that
    // many are written, cap allows). Valid until the cache changes. Errors: LCTX_E_COUNT.
    lctx_cache_spans: ['int', 'void *', 'void *', 'int64_t', 'void *'],
    // Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
    // those at positions below n_sink, then those of the greatest mass, of equal ones the later.
    // Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
    // rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
    // rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
    // neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
    // _WINDOW, _STRIDE, _OVERFLOW, _MEMORY.
    lctx_cache_select: ['int', 'void *', 'void *'],
    // Drops the tokens at positions from .. to-1 of all heads; the others keep their positions and
    // bits. Those before the range are compacted, so it takes time by their number, and afterwards one
    // can rewind to `to`. lctx_cache_spans tells what is left. LCTX_FULL and LCTX_HEAVY.
    // Errors: LCTX_E_POLICY, _POS, _EVICTED (heads hold more and less of it), _MEMORY.
    lctx_cache_drop: ['int', 'void *', 'int64_t', 'int64_t'],
    // Lets an empty cache begin at pos, as if the tokens before had been dropped; with 4-bit keys pos %
    // LCTX_TILE = 0. Errors: LCTX_E_POLICY (a window's), _POS (also: not empty), _FULL, _MEMORY.
    lctx_cache_begin: ['int', 'void *', 'int64_t'],
    // Appends what another cache of the same allocator and description, but for max_tokens, holds,
    // which must begin where this one ends (lctx_cache_begin, or lctx_cache_drop in a fork): so parts
    // of a sequence may be computed apart. Blocks are shared, but for one that both hold part of, and
    // mass is taken over. 4-bit keys are joined between tiles (else _POS). Errors: LCTX_E_POLICY (a
    // window's), _MISMATCH, _POS, _EVICTED (a selection was made from the other), _FULL, _MEMORY.
    lctx_cache_join: ['int', 'void *', 'void *'],
    // Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
    // Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
    // a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
    // of the first n_sink tokens and of the last `window` that there are up to the query; of those
    // between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
    // with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
    // touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
    // agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
    // what one reads, and its bits, do not depend on the others in the call. attn and errors: as
    // lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
    // _LIST (attn has one).
    lctx_cache_retrieve_size: ['int', 'void *', 'void *', 'void *', 'void *'],
    // Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
    // Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
    // a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
    // of the first n_sink tokens and of the last `window` that there are up to the query; of those
    // between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
    // with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
    // touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
    // agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
    // what one reads, and its bits, do not depend on the others in the call. attn and errors: as
    // lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
    // _LIST (attn has one).
    lctx_cache_retrieve: ['int', 'void *', 'void *', 'void *', 'void *', 'size_t'],
    // What it goes by, for choices of one's own (lctx_choose by LCTX_SCORE_BOUND): full blocks' least
    // (k) and greatest (v) of each dimension of their keys, a span of one row a block, whose number is
    // its index. As lctx_cache_spans. Errors: LCTX_E_COUNT, _POLICY.
    lctx_cache_summaries: ['int', 'void *', 'void *', 'int64_t', 'void *'],
    // Forgets the tokens n and after. Under LCTX_HEAVY, what their queries gave stays on the account of
    // mass, but for those of the last append. 4-bit keys can be cut within a tile from info.rewind_min
    // on; before, n is a multiple of LCTX_TILE. Errors: LCTX_E_POS (n beyond the end), _EVICTED
    // (n below info.rewind_min: a window that ends there is gone, or the keys of its tile are).
    lctx_cache_rewind: ['int', 'void *', 'int64_t'],
    // A second cache with the same contents: blocks are shared until written. Errors:
    // LCTX_E_MEMORY.
    lctx_cache_fork: ['int', 'void *', 'void *'],
    lctx_cache_get_info: ['int', 'void *', 'void *'],
    // Writes the cache to a stream, and reads it back into one of the same description, but for
    // max_tokens and summaries. The format is versioned and checksummed, native layout, in the order of
    // bytes that the machine has (_FORMAT elsewhere). restore replaces the contents. Errors: LCTX_E_IO,
    // _FORMAT, _MISMATCH, _FULL, _MEMORY.
    lctx_cache_save: ['int', 'void *', 'void *', 'void *'],
    // Writes the cache to a stream, and reads it back into one of the same description, but for
    // max_tokens and summaries. The format is versioned and checksummed, native layout, in the order of
    // bytes that the machine has (_FORMAT elsewhere). restore replaces the contents. Errors: LCTX_E_IO,
    // _FORMAT, _MISMATCH, _FULL, _MEMORY.
    lctx_cache_restore: ['int', 'void *', 'void *', 'void *'],
    // Checks a model, but no values. Errors: LCTX_E_SHAPE, _HEADS, _HEAD_DIM, _WEIGHT, _TYPE, _SCALE,
    // _WINDOW, _SOFTCAP, a schedule's, a pattern's (_ENUM, _LENGTH, _DILATION, _LOCAL, _GLOBAL).
    lctx_model_check: ['int', 'void *'],
    // Creates a session. The model struct is copied; its layers, ropes and weights are borrowed and
    // must outlive the session; many sessions may share them. Errors: those of lctx_model_check,
    // lctx_rope_init and lctx_cache_create, LCTX_E_THREADS, _COUNT, _N_HAT, _FAR_RULE, _POLICY (raw
    // keys with n_read, parts or n_read not under LCTX_FULL), _WINDOW, _TYPE (parts with 4-bit keys),
    // _GLOBAL (a pattern's, in a layer that evicts). free takes null too.
    lctx_session_create: ['int', 'void *', 'void *', 'void *'],
    // Creates a session. The model struct is copied; its layers, ropes and weights are borrowed and
    // must outlive the session; many sessions may share them. Errors: those of lctx_model_check,
    // lctx_rope_init and lctx_cache_create, LCTX_E_THREADS, _COUNT, _N_HAT, _FAR_RULE, _POLICY (raw
    // keys with n_read, parts or n_read not under LCTX_FULL), _WINDOW, _TYPE (parts with 4-bit keys),
    // _GLOBAL (a pattern's, in a layer that evicts). free takes null too.
    lctx_session_free: ['void', 'void *'],
    // Feeds n >= 1 tokens: prompt, part of a prompt or the next token, all the same. logits:
    // LAST [n_vocab], ALL [n][n_vocab], NONE may be null. Errors: LCTX_E_COUNT, _ENUM, _TOKEN,
    // _FULL, _POS, _XPOS_FAR, _MEMORY, _NAN, _IO (join), _CANCELLED; logits are unspecified then.
    lctx_session_feed: ['int', 'void *', 'void *', 'int64_t', 'int', 'void *'],
    // Feeds n_session sessions over one model n[i] >= 1 tokens each, tokens[i][n[i]]: to the same bits
    // as one by one, but the weights are read once for all. logits are those of the feeds, one behind
    // the other: LAST [n_session][n_vocab], ALL [n[0] + n[1] + ...][n_vocab]. The first session's
    // chunk, threads and progress hold; on an error all sessions are as before, and the one at fault,
    // or else the first, has the refusal. No other call may use any of them meanwhile. Errors: those of
    // lctx_session_feed; LCTX_E_MISMATCH: over another model, with another precise, or twice.
    lctx_session_feed_many: ['int', 'void *', 'int64_t', 'void *', 'void *', 'int', 'void *'],
    // Forgets the tokens n and after, in all layers. Errors: LCTX_E_POS (beyond the end),
    // _EVICTED (below info.rewind_min: see lctx_cache_rewind, of any layer; of mixers there is no
    // snapshot of n, as none survives that a later one replaced, in a feed that failed, too).
    lctx_session_rewind: ['int', 'void *', 'int64_t'],
    // A second session with the same contents over the same model; cached blocks are shared until one
    // side writes into them. It may live on another thread. Errors: LCTX_E_MEMORY.
    lctx_session_fork: ['int', 'void *', 'void *'],
    lctx_session_get_info: ['int', 'void *', 'void *'],
    // What a layer holds, until the session changes; null of a mixer. Errors: LCTX_E_COUNT
    // (layer).
    lctx_session_cache: ['int', 'void *', 'int32_t', 'void *'],
    // Writes what the session has cached to a stream (no weights), and reads it back into a session
    // over a model of the same shape with the same cache settings: it then goes on with the same bits.
    // Errors: LCTX_E_IO, _FORMAT, _MISMATCH, _FULL, _MEMORY.
    lctx_session_save: ['int', 'void *', 'void *', 'void *'],
    // Writes what the session has cached to a stream (no weights), and reads it back into a session
    // over a model of the same shape with the same cache settings: it then goes on with the same bits.
    // Errors: LCTX_E_IO, _FORMAT, _MISMATCH, _FULL, _MEMORY.
    lctx_session_restore: ['int', 'void *', 'void *', 'void *'],
    // Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    // after them, which lctx_session_desc has; it does not change any more once the session has passed
    // them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    // save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    // they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    // is a page saved from a session over the same model with the same types and block, at a multiple
    // of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    // rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    // a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    // a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    // mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    // _FORMAT (`from` is no multiple of 64).
    lctx_session_page_size: ['int', 'void *', 'void *'],
    // Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    // after them, which lctx_session_desc has; it does not change any more once the session has passed
    // them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    // save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    // they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    // is a page saved from a session over the same model with the same types and block, at a multiple
    // of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    // rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    // a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    // a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    // mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    // _FORMAT (`from` is no multiple of 64).
    lctx_session_page_save: ['int', 'void *', 'int64_t', 'void *'],
    // Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    // after them, which lctx_session_desc has; it does not change any more once the session has passed
    // them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    // save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    // they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    // is a page saved from a session over the same model with the same types and block, at a multiple
    // of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    // rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    // a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    // a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    // mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    // _FORMAT (`from` is no multiple of 64).
    lctx_session_page_restore: ['int', 'void *', 'int64_t', 'void *'],
};
