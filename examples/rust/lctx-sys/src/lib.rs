//! Written by examples/bindings/generate.py from lctx.h; make bindings writes it anew.
//!
//! The structs, enums and functions of lctx.h, unchecked; the crate lctx is built on it.
#![allow(non_camel_case_types)]
use std::mem::{size_of, MaybeUninit};
use std::os::raw::{c_char, c_void};
use std::ptr::addr_of;

/// 0xMMmmpp
pub const VERSION: u32 = 0x100;
/// n_threads at most
pub const MAX_THREADS: u32 = 1024;
pub const MAX_ROT: u32 = 512;
/// xPos holds up to this many xpos_base away from the centre
pub const XPOS_REACH: u32 = 64;
pub const TILE: u32 = 64;
pub const MAX_TAPS: u32 = 16;

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);
impl Status {
    /// ok
    pub const OK: Status = Status(0);
    /// a required pointer is null
    pub const E_NULL: Status = Status(1);
    /// a count is negative or zero where it may not be
    pub const E_COUNT: Status = Status(2);
    /// a size or an offset overflows
    pub const E_OVERFLOW: Status = Status(3);
    /// a mask, pattern, rule, policy, scheme, pairing, layout ... is unknown
    pub const E_ENUM: Status = Status(4);
    /// an element type is unknown or not allowed here
    pub const E_TYPE: Status = Status(5);
    /// n_head is not a multiple of n_head_kv
    pub const E_HEADS: Status = Status(6);
    /// a head dimension is out of range
    pub const E_HEAD_DIM: Status = Status(7);
    /// a stride is shorter than what it steps over, or no multiple of 4 or 8
    pub const E_STRIDE: Status = Status(8);
    /// int8 rows come without their scales
    pub const E_SCALE: Status = Status(9);
    /// a span's range, order or query copy is invalid
    pub const E_SPAN: Status = Status(10);
    /// window, n_sink, n_heavy or pool is out of range
    pub const E_WINDOW: Status = Status(11);
    /// a pattern's length (stride, segment or block) is out of range
    pub const E_LENGTH: Status = Status(12);
    /// a pattern's dilation is not in 1 .. length
    pub const E_DILATION: Status = Status(13);
    /// a pattern's local, summary or back is out of range
    pub const E_LOCAL: Status = Status(14);
    /// a pattern's global positions are bad, unsorted or not kept
    pub const E_GLOBAL: Status = Status(15);
    /// the group of a span or of a query is negative
    pub const E_GROUP: Status = Status(16);
    /// a list of keys has no valid shape, or names what is not there
    pub const E_LIST: Status = Status(17);
    /// a far_rule's window, group or leak is below 1, or rope forbids one
    pub const E_FAR_RULE: Status = Status(18);
    /// softcap or scale is negative or not finite
    pub const E_SOFTCAP: Status = Status(19);
    /// scratch is null or too small
    pub const E_SCRATCH: Status = Status(20);
    /// n_threads is out of range
    pub const E_THREADS: Status = Status(21);
    pub const E_N_ROT: Status = Status(22);
    /// theta (the RoPE base) must be above 1 and finite
    pub const E_THETA: Status = Status(23);
    /// factor must be at least 1 and finite, the base it gives finite
    pub const E_FACTOR: Status = Status(24);
    /// orig_ctx is missing or invalid for this scheme
    pub const E_ORIG_CTX: Status = Status(25);
    /// ctx is not positive and finite, or a plan's is below orig_ctx
    pub const E_CTX: Status = Status(26);
    /// beta_fast must be above beta_slow, both positive
    pub const E_BETA: Status = Status(27);
    /// high_freq must be above low_freq, both positive
    pub const E_FREQ_FACTOR: Status = Status(28);
    /// attn_factor, scale_mul or an mscale is out of range or not finite
    pub const E_MSCALE: Status = Status(29);
    /// freq, plain, short_factor or long_factor is missing or has bad values
    pub const E_TABLE: Status = Status(30);
    /// n_freq, n_short or n_long is not n_rot / 2
    pub const E_TABLE_SIZE: Status = Status(31);
    /// n_hat is negative, too large, or more than stay in place
    pub const E_N_HAT: Status = Status(32);
    /// xpos_base or xpos_center is invalid
    pub const E_XPOS: Status = Status(33);
    /// a position is too far from xpos_center for f32
    pub const E_XPOS_FAR: Status = Status(34);
    /// a position is negative, too large or goes back
    pub const E_POS: Status = Status(35);
    /// the allocator gave no memory
    pub const E_MEMORY: Status = Status(36);
    /// the cache has no room for these tokens
    pub const E_FULL: Status = Status(37);
    /// the tokens needed for that were evicted
    pub const E_EVICTED: Status = Status(38);
    /// the cache's policy does not allow that
    pub const E_POLICY: Status = Status(39);
    /// a weight tensor is missing
    pub const E_WEIGHT: Status = Status(40);
    /// a model dimension is invalid
    pub const E_SHAPE: Status = Status(41);
    /// a token is outside the vocabulary
    pub const E_TOKEN: Status = Status(42);
    /// the model gave a value that is not finite
    pub const E_NAN: Status = Status(43);
    /// a read, write or join callback failed or ended early
    pub const E_IO: Status = Status(44);
    /// saved data is not of this format or is damaged
    pub const E_FORMAT: Status = Status(45);
    /// saved data, a cache or a session does not go with the other
    pub const E_MISMATCH: Status = Status(46);
    /// the progress callback asked to stop
    pub const E_CANCELLED: Status = Status(47);
    /// this CPU or this build lacks that instruction set
    pub const E_ISA: Status = Status(48);
    /// memory of the pool is still in use
    pub const E_IN_USE: Status = Status(49);
    /// a decay is unknown, not in 0 .. 1, or not for what is given
    pub const E_DECAY: Status = Status(50);
    pub const E_TAPS: Status = Status(51);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "OK",
            1 => "E_NULL",
            2 => "E_COUNT",
            3 => "E_OVERFLOW",
            4 => "E_ENUM",
            5 => "E_TYPE",
            6 => "E_HEADS",
            7 => "E_HEAD_DIM",
            8 => "E_STRIDE",
            9 => "E_SCALE",
            10 => "E_SPAN",
            11 => "E_WINDOW",
            12 => "E_LENGTH",
            13 => "E_DILATION",
            14 => "E_LOCAL",
            15 => "E_GLOBAL",
            16 => "E_GROUP",
            17 => "E_LIST",
            18 => "E_FAR_RULE",
            19 => "E_SOFTCAP",
            20 => "E_SCRATCH",
            21 => "E_THREADS",
            22 => "E_N_ROT",
            23 => "E_THETA",
            24 => "E_FACTOR",
            25 => "E_ORIG_CTX",
            26 => "E_CTX",
            27 => "E_BETA",
            28 => "E_FREQ_FACTOR",
            29 => "E_MSCALE",
            30 => "E_TABLE",
            31 => "E_TABLE_SIZE",
            32 => "E_N_HAT",
            33 => "E_XPOS",
            34 => "E_XPOS_FAR",
            35 => "E_POS",
            36 => "E_MEMORY",
            37 => "E_FULL",
            38 => "E_EVICTED",
            39 => "E_POLICY",
            40 => "E_WEIGHT",
            41 => "E_SHAPE",
            42 => "E_TOKEN",
            43 => "E_NAN",
            44 => "E_IO",
            45 => "E_FORMAT",
            46 => "E_MISMATCH",
            47 => "E_CANCELLED",
            48 => "E_ISA",
            49 => "E_IN_USE",
            50 => "E_DECAY",
            51 => "E_TAPS",
            _ => "unknown",
        }
    }
}

/// Element types (see MEMORY). LCTX_I4 is for keys and values in native tiles alone; what follows it
/// for matrices of weights alone, in blocks of 32 or (_K) 256 neighbours of a row, byte by byte as
/// GGUF files have them, on machines of either order of bytes.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub i32);
impl Type {
    pub const F32: Type = Type(0);
    pub const F16: Type = Type(1);
    pub const BF16: Type = Type(2);
    pub const I8: Type = Type(3);
    pub const I4: Type = Type(4);
    pub const Q8_0: Type = Type(5);
    pub const Q4_0: Type = Type(6);
    pub const Q4_K: Type = Type(7);
    pub const Q5_K: Type = Type(8);
    pub const Q6_K: Type = Type(9);
    pub const MXFP4: Type = Type(10);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "F32",
            1 => "F16",
            2 => "BF16",
            3 => "I8",
            4 => "I4",
            5 => "Q8_0",
            6 => "Q4_0",
            7 => "Q4_K",
            8 => "Q5_K",
            9 => "Q6_K",
            10 => "MXFP4",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub i32);
impl Isa {
    pub const SCALAR: Isa = Isa(0);
    /// with FMA and F16C
    pub const AVX2: Isa = Isa(1);
    /// F, BW, DQ, VL
    pub const AVX512: Isa = Isa(2);
    /// and the dot products of BF16 and VNNI
    pub const AVX512_DOT: Isa = Isa(3);
    pub const NEON: Isa = Isa(4);
    /// and int8 dot products
    pub const NEON_DOT: Isa = Isa(5);
    /// WebAssembly's 128 bits, where the build has them (-msimd128)
    pub const WASM: Isa = Isa(6);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "SCALAR",
            1 => "AVX2",
            2 => "AVX512",
            3 => "AVX512_DOT",
            4 => "NEON",
            5 => "NEON_DOT",
            6 => "WASM",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RopeScheme(pub i32);
impl RopeScheme {
    pub const PLAIN: RopeScheme = RopeScheme(0);
    pub const LINEAR: RopeScheme = RopeScheme(1);
    pub const NTK: RopeScheme = RopeScheme(2);
    pub const DYNAMIC: RopeScheme = RopeScheme(3);
    pub const BY_PARTS: RopeScheme = RopeScheme(4);
    pub const YARN: RopeScheme = RopeScheme(5);
    pub const LLAMA3: RopeScheme = RopeScheme(6);
    pub const RAW: RopeScheme = RopeScheme(7);
    pub const LONGROPE: RopeScheme = RopeScheme(8);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "PLAIN",
            1 => "LINEAR",
            2 => "NTK",
            3 => "DYNAMIC",
            4 => "BY_PARTS",
            5 => "YARN",
            6 => "LLAMA3",
            7 => "RAW",
            8 => "LONGROPE",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RopePairing(pub i32);
impl RopePairing {
    /// (i, i + n_rot/2): NeoX, Hugging Face
    pub const HALF: RopePairing = RopePairing(0);
    /// (2i, 2i + 1): GPT-J, llama2.c, GGUF's llama
    pub const INTERLEAVED: RopePairing = RopePairing(1);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "HALF",
            1 => "INTERLEAVED",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RopeSide(pub i32);
impl RopeSide {
    pub const QUERY: RopeSide = RopeSide(0);
    pub const KEY: RopeSide = RopeSide(1);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "QUERY",
            1 => "KEY",
            _ => "unknown",
        }
    }
}

/// A run of n keys and values, all heads. Layouts:
/// LCTX_ROWS   key j of head g stands at k + j*k_token + g*k_head, d_k elements in a row; values
///             likewise; they may be a part of the keys (v = k, its strides: latent attention, MLA).
///             Any alignment. Strides 0: [token][n_head_kv][dim] packed. int8: k_scale at
///             k_scale + j*k_scale_token + g*k_scale_head (f32; strides 0: [token][n_head_kv]).
/// LCTX_TILES  the native layout (lctx_tiles below); skip of the first tile's 64 keys are before the
///             span (0 .. 63). v = k: latent tiles, which hold keys alone; the values are the first
///             d_v dimensions of them, of the keys' type (not 4 bits), d_v <= d_k.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout(pub i32);
impl Layout {
    pub const ROWS: Layout = Layout(0);
    pub const TILES: Layout = Layout(1);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "ROWS",
            1 => "TILES",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(pub i32);
impl Mask {
    pub const CAUSAL: Mask = Mask(0);
    pub const NONE: Mask = Mask(1);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "CAUSAL",
            1 => "NONE",
            _ => "unknown",
        }
    }
}

/// Block patterns: which keys (at position n) a query (at m, head h) sees, from positions alone; "/"
/// rounds down. A pattern narrows the mask and the window, which hold beside it; sinks and global
/// positions are seen whatever it says. Tiles that no query of a task sees are never read, and rows
/// that see nothing of a tile not computed; within a tile keys cost the same seen or not, so that
/// strides and dilations below 64 save time by their queries only.
///     ALL      every key; for global positions alone (with a window: Longformer)
///     STRIDED  |m - n| < local or (m - n) % length = 0            Sparse Transformer 1904.10509
///     FIXED    m / length = n / length or n % length >= length - summary            its "fixed"
///     DILATED  m / length = n / length and m % length % dilation = n % length % dilation
///              = h % dilation: one segment length and dilation of LongNet 2307.02486. Queries
///              that a head leaves out get zeros and lse = -inf, so that lctx_merge over several
///              calls, one per pair of length and dilation, weighs them as the paper does. (The
///              authors' code gives blocks of neighbouring heads one offset, the paper h % r.)
///     BLOCKS   m / length - back <= n / length <= m / length. With back = 1 and length half of the
///              trained context that is blockwise causal attention, BCA (2212.10554, sec. 3.3; what
///              LongNet calls BCA); with LCTX_MASK_NONE a query sees its own block to the end, too.
/// Parallel context windows (2212.10947) are groups: the spans of context c, at positions that begin
/// again, are of group c, so are its queries; what all share is of 0. With a cache a context, set
/// the group in what lctx_cache_spans gives. So is chunked cross attention (RETRO 2112.04426).
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternKind(pub i32);
impl PatternKind {
    pub const ALL: PatternKind = PatternKind(0);
    pub const STRIDED: PatternKind = PatternKind(1);
    pub const FIXED: PatternKind = PatternKind(2);
    pub const DILATED: PatternKind = PatternKind(3);
    pub const BLOCKS: PatternKind = PatternKind(4);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "ALL",
            1 => "STRIDED",
            2 => "FIXED",
            3 => "DILATED",
            4 => "BLOCKS",
            _ => "unknown",
        }
    }
}

/// Raw keys: with rope, queries and keys come without rotation and are rotated by their positions as
/// they are read; one schedule holds for all of them, whatever held when the keys were stored. A
/// rule says at which distance a pair counts whose own, m - n, is `window` or more:
///     window + g(m) - g(window) - g(n)
///     CLAMP   g(x) = 0              min(m - n, window): ReRoPE (Su, kexue.fm 9708); with a window
///                                   and sinks LM-Infinite's cap (2308.16137)
///     LEAKY   g(x) = x / leak       leaky ReRoPE: window + (m - n - window) / leak
///     GROUP   g(x) = floor(x / group)                               Self-Extend, 2401.01325
/// A tile with near and far pairs costs two passes, others one. Under CLAMP far keys are used as
/// stored. Angles are in double; a key's cos and sin are products of two floats, within 2^-22.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarKind(pub i32);
impl FarKind {
    pub const NONE: FarKind = FarKind(0);
    pub const CLAMP: FarKind = FarKind(1);
    pub const LEAKY: FarKind = FarKind(2);
    pub const GROUP: FarKind = FarKind(3);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "NONE",
            1 => "CLAMP",
            2 => "LEAKY",
            3 => "GROUP",
            _ => "unknown",
        }
    }
}

/// Choosing: lists for a call, out of scores of blocks, a list's at a time. Of the call n_q, heads,
/// d_k, queries, their positions, mask and the shape of lists count; its spans are what is scored:
/// rows of f32, block_rows a block, numbered as keys are (lctx_span.index). Block b stands at
/// positions b * list_keys and on, and under LCTX_CAUSAL queries see rows up to their own. Over a
/// list's queries t and heads h, a row's score is
///     BOUND     max over t, h of sum over d of max(q_d k_d, q_d v_d), k the least and v the
///               greatest of each dimension of a block's keys                    Quest 2406.10774
///     PRODUCT   max over t, h of q . k, k means of keys (MoBA 2502.13189), some that stand for a
///               block (InfLLM 2402.04617), or the keys
///     RELU      max over t of sum over h of weight max(q . k, 0): DSA (DeepSeek V3.2), whose
///               indexer has queries and keys of its own
/// and a block's that of its greatest row, -FLT_MAX where there is none; GIVEN are scores of one's
/// own, as sums of mass (lctx_attn.mass; XAttention 2503.16428: of a call on every so many queries
/// and keys put together as one, last with first). A list names, in order, the blocks of the first
/// n_sink tokens and of the last `window` that there are up to any of its queries (of one behind all
/// keys, however far, the last; without causality all after, too); of the others the n_top best, of
/// equals the later, if list_len has room; with share the fewest of these that, with what is always
/// read, have so much of all positive scores; then -1. NaN in queries and rows is passed over, given
/// it counts most. Bits do not depend on threads, nor on chunks that end between lists.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score(pub i32);
impl Score {
    pub const GIVEN: Score = Score(0);
    pub const BOUND: Score = Score(1);
    pub const PRODUCT: Score = Score(2);
    pub const RELU: Score = Score(3);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "GIVEN",
            1 => "BOUND",
            2 => "PRODUCT",
            3 => "RELU",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decay(pub i32);
impl Decay {
    /// w = 1
    pub const NONE: Decay = Decay(0);
    /// decay[n][n_head]
    pub const HEAD: Decay = Decay(1);
    /// decay[n][n_head][d_k]
    pub const DIM: Decay = Decay(2);
    /// decay[n][n_head][d_v] = dt: w = exp(dt rate) by element, v times dt (Mamba: rate = A,
    /// n_head = 1, d_v = d_inner)
    pub const ELEMENT: Decay = Decay(3);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "NONE",
            1 => "HEAD",
            2 => "DIM",
            3 => "ELEMENT",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy(pub i32);
impl Policy {
    pub const FULL: Policy = Policy(0);
    pub const WINDOW: Policy = Policy(1);
    pub const SINKS: Policy = Policy(2);
    pub const HEAVY: Policy = Policy(3);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "FULL",
            1 => "WINDOW",
            2 => "SINKS",
            3 => "HEAVY",
            _ => "unknown",
        }
    }
}

/// act(g, u), element by element
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation(pub i32);
impl Activation {
    /// g / (1 + e^-g) u
    pub const SILU: Activation = Activation(0);
    /// g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2 u
    pub const GELU: Activation = Activation(1);
    /// g / (1 + e^(-1.702 g)) (u + 1), g capped at 7, u clipped to +-7
    pub const SWIGLU_CAPPED: Activation = Activation(2);
    /// max(g, 0) u; without w_up u = g: squared
    pub const RELU: Activation = Activation(3);
    /// 1 / (1 + e^-g) u
    pub const SIGMOID: Activation = Activation(4);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "SILU",
            1 => "GELU",
            2 => "SWIGLU_CAPPED",
            3 => "RELU",
            4 => "SIGMOID",
            _ => "unknown",
        }
    }
}

/// Weights of the n_expert_used experts of greatest r = router h + b_router, of equals the last
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing(pub i32);
impl Routing {
    /// softmax over the chosen: as over all, made to sum to 1
    pub const TOP_SOFTMAX: Routing = Routing(0);
    /// softmax over all
    pub const SOFTMAX: Routing = Routing(1);
    /// 1 / (1 + e^-r), multiplied into the expert's h (Llama 4)
    pub const SIGMOID: Routing = Routing(2);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "TOP_SOFTMAX",
            1 => "SOFTMAX",
            2 => "SIGMOID",
            _ => "unknown",
        }
    }
}

/// A layer that carries a state where others attend. With u = silu(conv(w_in h) + conv_bias), head
/// by head or, of q and k, by groups of them, and y as lctx_recur has it:
///     DELTA    u = q, k, v; q, k /= their lengths; beta = sigmoid(w_beta h); scale 1/sqrt(d_k)
///              decay = exp(a softplus(w_dt h + dt_bias));  out = rmsnorm(y) * norm * silu(w_z h)
///     MAMBA2   u = v, k, q (x, B, C); dt = softplus(w_dt h + dt_bias); decay = exp(a dt); v dt
///              for v; y += skip v;  out = rmsnorm(y * silu(w_z h)) * norm, over each group's heads
///     RWKV7    x_i = h + shift_i (h' - h), h' of the token before, 0 of none; q, k, v = w_r x_r,
///              w_k x_k, w_v x_v; v += sigmoid(v(x_v)) (v of the last layer without v.rank - v);
///              decay = exp(-e^(-1/2) sigmoid(w(x_w))); rate = sigmoid(rate(x_a)); b = k_k k / its
///              length; k *= 1 + k_a (rate - 1); a = -b; b *= rate;  out = (layernorm(y) * norm +
///              norm_bias + v sum of r_k k q) g(x_g), head by head. f is in w tanh, in g sigmoid, in
///              v and rate nothing; epsilon 64e-5. The FFN takes h + ffn_shift (h' - h)
///     x += post(w_out out, attn_post_norm)
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixerKind(pub i32);
impl MixerKind {
    /// gated delta, Qwen3-Next's
    pub const DELTA: MixerKind = MixerKind(0);
    /// Mamba-2's, of Granite 4, Bamba ...
    pub const MAMBA2: MixerKind = MixerKind(1);
    /// n_head_k = n_head; of what follows w_out and norm, and its own
    pub const RWKV7: MixerKind = MixerKind(2);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "DELTA",
            1 => "MAMBA2",
            2 => "RWKV7",
            _ => "unknown",
        }
    }
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logits(pub i32);
impl Logits {
    pub const LAST: Logits = Logits(0);
    pub const ALL: Logits = Logits(1);
    pub const NONE: Logits = Logits(2);
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "LAST",
            1 => "ALL",
            2 => "NONE",
            _ => "unknown",
        }
    }
}

/// Threads. run must call task(arg, i, thread) once for each i in 0 .. n-1, in any order, thread in
/// 0 .. n_threads-1 and never the same thread number twice at a time, and return when all are done.
/// run null: OpenMP if compiled with it, else serial. n_threads 0: what OpenMP says, else 1.
pub type Task = Option<unsafe extern "C" fn(arg: *mut c_void, i: i64, thread: i32)>;

/// Called now and then during a long call and at its end, by thread 0 of the loop; done rises to
/// total, in units of that call. Return nonzero to end the call with LCTX_E_CANCELLED.
pub type Progress = Option<unsafe extern "C" fn(user: *mut c_void, done: i64, total: i64) -> i32>;

/// Stream callbacks for save and restore: move exactly n bytes, return 0; nonzero is a failure.
pub type Write = Option<unsafe extern "C" fn(user: *mut c_void, data: *const c_void, n: usize) ->
    i32>;

/// Stream callbacks for save and restore: move exactly n bytes, return 0; nonzero is a failure.
pub type Read = Option<unsafe extern "C" fn(user: *mut c_void, data: *mut c_void, n: usize) -> i32>;

/// A session in parts, in as many processes or machines, over any transport: all are fed the same
/// tokens and compute the model, but of a layer without a window each keeps every parts-th block
/// alone, 1/parts of the memory. join gets what a layer's queries have of the keys here, attn->out
/// [n_q * n_head][d_v] and lse[n_q * n_head], as lctx_merge takes them, and leaves there what all
/// parts' merge to, the same bits in each; all call it in the same order. Nonzero ends the feed
/// with LCTX_E_IO: so it should be in all parts where one has failed and does not come. Merged row
/// by row in a fixed order, parts keep their bits in any chunking; a whole session's are others.
/// LCTX_FULL, keys not of 4 bits, no pages; what is saved is that part's.
/// A whole session, too, calls a join that it is given, under LCTX_FULL: memories of other texts may
/// so be merged in, by lctx_cache_retrieve over the caches of a session that holds them (Memorizing
/// Transformers 2203.08913, LongMem 2306.07174; examples/remember.c): attn->q is rotated, or raw.
pub type Join = Option<unsafe extern "C" fn(user: *mut c_void, layer: i32, attn: *const Attn) ->
    i32>;

/// What a call refused, and where it stands. A descriptor lends one (its last field, refused; null =
/// none), and calls that take it fill it in: with what they refused of it or of what it points to,
/// with an argument, or with a failure that no field is to blame for; else with LCTX_OK. Of two
/// descriptors each tells of its own; lend both the same to look in one place. Texts are static.
/// A report is for one thread at a time, and so is a descriptor that has one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// lctx_status
    pub status: i32,
    pub reserved: i32,
    /// "lctx_span": the struct; null = the call itself
    pub r#type: *const c_char,
    /// "k_pos": its field, or the call's argument; null = none
    pub field: *const c_char,
    /// of the struct in an array, or of its layer: span 3; else -1
    pub index: i64,
    /// of the field where it is an array: position 5; else -1
    pub element: i64,
}
impl Default for Refusal {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Refusal {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.r#type.is_null() {
            return Some("type");
        }
        if !self.field.is_null() {
            return Some("field");
        }
        None
    }
}

/// Memory for objects. alloc returns size bytes aligned to align (a power of two), or null.
/// free gets what alloc gave, with its size. Both null: malloc and free. Must be thread-safe if
/// objects that share memory (forks) live on several threads.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Allocator {
    pub alloc: Option<unsafe extern "C" fn(_: *mut c_void, _: usize, _: usize) -> *mut c_void>,
    pub free: Option<unsafe extern "C" fn(_: *mut c_void, _: *mut c_void, _: usize)>,
    pub user: *mut c_void,
}
impl Default for Allocator {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Allocator {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.user.is_null() {
            return Some("user");
        }
        if self.alloc.is_some() {
            return Some("alloc");
        }
        if self.free.is_some() {
            return Some("free");
        }
        None
    }
}

/// A pool: an allocator for many objects, the caches and sessions of many sequences, which takes at
/// most max_bytes from another one for all of them. Sizes count rounded up to 64 bytes. What is
/// freed stays, spare, and serves requests of its size: the blocks of caches of one shape are of one
/// size, so that any spare one will do. Where a request would pass the bound, and where the other
/// allocator has no more, spare memory of other sizes is given back to that one first. Only where
/// that is not enough the call ends with LCTX_E_MEMORY.
/// Objects of one pool may live on several threads, if the other allocator is thread-safe (which
/// malloc is) and the compiler gcc or clang. The other allocator is called with no lock held.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PoolDesc {
    /// the bound; 0 = none
    pub max_bytes: i64,
    /// copied: where memory comes from; null = malloc
    pub alloc: *const Allocator,
    /// null = none, here and below
    pub refused: *mut Refusal,
}
impl Default for PoolDesc {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl PoolDesc {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.alloc.is_null() {
            return Some("alloc");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

#[repr(C)]
pub struct Pool {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PoolInfo {
    /// as described
    pub max_bytes: i64,
    /// in use
    pub bytes_used: i64,
    /// not in use and not given back; with bytes_used at most max_bytes
    pub bytes_spare: i64,
    /// the most that was in use so far
    pub bytes_peak: i64,
    /// pieces in use
    pub n_used: i64,
}
impl Default for PoolInfo {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Parallel {
    pub run: Option<unsafe extern "C" fn(_: *mut c_void, _: i32, _: i64, _: Task, _: *mut c_void)>,
    pub user: *mut c_void,
    pub n_threads: i32,
    pub reserved: i32,
}
impl Default for Parallel {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Parallel {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.user.is_null() {
            return Some("user");
        }
        if self.run.is_some() {
            return Some("run");
        }
        None
    }
}

/// Threads of the library's own, where it was compiled with LCTX_PTHREADS. A loop's caller is number
/// 0 of them. The others look for a loop for some tens of microseconds after the last, then sleep; a
/// loop wakes as many as it can use and gives its tasks one by one to those who have come. Several
/// host threads may share them: while they are in a loop, one from elsewhere, or from inside a task,
/// is its caller's alone. After fork() the child must neither use nor free them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThreadsDesc {
    /// the caller's counted; 0 = processors, of those it may use where compiled with _GNU_SOURCE;
    /// at most LCTX_MAX_THREADS
    pub n_threads: i32,
    /// looks before sleeping, 10 to 50 ns each; 0 = 3000, -1 = none
    pub spin: i32,
    /// copied; null = malloc
    pub alloc: *const Allocator,
    pub refused: *mut Refusal,
}
impl Default for ThreadsDesc {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl ThreadsDesc {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.alloc.is_null() {
            return Some("alloc");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

#[repr(C)]
pub struct Threads {
    _private: [u8; 0],
}

/// Where implementations disagree, the comment says what ours does and how to get the other.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RopeDesc {
    /// lctx_rope_scheme
    pub scheme: i32,
    /// lctx_rope_pairing
    pub pairing: i32,
    /// dimensions that turn, even; the rest of the head passes through
    pub n_rot: i32,
    /// YARN: nonzero = no floor and ceil (HF truncate: false); ggml: 0
    pub no_truncate: i32,
    /// base; 0 = 10000
    pub theta: f64,
    /// s >= 1; 0 = 1. HF's ctx / orig_ctx, which replaces a factor where a config gives the
    /// original context, is yours to compute
    pub factor: f64,
    /// L, trained context; needed by DYNAMIC, BY_PARTS, YARN, LLAMA3, LONGROPE (there above 1)
    pub orig_ctx: f64,
    /// DYNAMIC, LONGROPE: the length l to settle on; 0 = factor * L
    pub ctx: f64,
    /// BY_PARTS, YARN; 0 = 32
    pub beta_fast: f64,
    /// 0 = 1. Where all of YaRN's ramp lies behind the last pair, all are kept, as in ggml; HF,
    /// which clamps low from below and high from above only, interpolates all of them: LINEAR
    pub beta_slow: f64,
    /// any scheme's attention factor; 0 = computed. It stands alone: ggml takes its own times 0.1
    /// ln s + 1, so multiply GGUF's by that
    pub attn_factor: f64,
    /// YARN; 0 = not given. Alone it changes nothing, as in HF; DeepSeek's own code then has
    /// attn_factor = 0.1 mscale ln s + 1
    pub mscale: f64,
    /// YARN; 0 = not given. Equal to mscale, the attention factor is 1 and the whole effect is
    /// scale_mul. Where that was left out (some versions of HF, exllamav3), ignore scale_mul
    pub mscale_all_dim: f64,
    /// LLAMA3 low_freq_factor; 0 = 1
    pub low_freq: f64,
    /// LLAMA3 high_freq_factor; 0 = 4
    pub high_freq: f64,
    /// RAW: [n_rot/2] radians per position, at most 2^512 in size
    pub freq: *const f64,
    /// LONGROPE: [n_rot/2] divisors up to orig_ctx, from 2^-512
    pub short_factor: *const f64,
    /// LONGROPE: [n_rot/2] divisors beyond it, from 2^-512
    pub long_factor: *const f64,
    /// of these lists: n_rot/2; 0 = not checked
    pub n_freq: i32,
    /// of these lists: n_rot/2; 0 = not checked
    pub n_short: i32,
    /// of these lists: n_rot/2; 0 = not checked
    pub n_long: i32,
    pub reserved: i32,
    /// LONGROPE: attention factor with the short list (Phi-3.5-MoE)
    pub short_mscale: f64,
    /// ... with the long list; 0 = computed
    pub long_mscale: f64,
    /// positions below it turn by f_i: LONGROPE's first tokens, of any scheme; 0 = none, as in HF.
    /// Under LCTX_SINKS at most n_sink
    pub n_hat: i64,
    /// xPos: 512 in the paper; 0 = no xPos
    pub xpos_base: f64,
    /// xPos: the position c that is not scaled
    pub xpos_center: i64,
    pub refused: *mut Refusal,
}
impl Default for RopeDesc {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl RopeDesc {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.freq.is_null() {
            return Some("freq");
        }
        if !self.short_factor.is_null() {
            return Some("short_factor");
        }
        if !self.long_factor.is_null() {
            return Some("long_factor");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

/// A schedule: plain data, of lctx_rope_init or filled by hand, which all that take one check. A
/// schedule's errors are LCTX_E_N_ROT, _ENUM (the pairing), _TABLE, _MSCALE, _N_HAT and _XPOS.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Rope {
    pub n_rot: i32,
    pub pairing: i32,
    /// multiplied into cos and sin; above 0
    pub attn_factor: f64,
    /// yours to multiply into the softmax scale; above 0
    pub scale_mul: f64,
    /// [n_rot/2] radians per position
    pub freq: [f64; 256],
    /// [n_rot/2] f_i, in their place at positions below n_hat
    pub plain: [f64; 256],
    pub n_hat: i64,
    /// 0 = no xPos
    pub xpos_base: f64,
    pub xpos_center: i64,
}
impl Default for Rope {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}

/// Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
/// may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
/// pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
/// learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
/// only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
/// _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RopeJob {
    pub n_tok: i64,
    pub n_head: i32,
    pub head_dim: i32,
    pub x: *const f32,
    /// strides
    pub x_token: i64,
    /// strides
    pub x_head: i64,
    pub out: *mut f32,
    /// strides
    pub out_token: i64,
    /// strides
    pub out_head: i64,
    /// [n_tok] or null
    pub pos: *const i64,
    pub pos0: i64,
    /// null = default
    pub par: *const Parallel,
    pub cos: *const f32,
    /// both or neither; strides
    pub cos_token: i64,
    pub sin: *const f32,
    pub sin_token: i64,
    /// lctx_rope_side, for xPos
    pub side: i32,
    pub reserved: i32,
    pub refused: *mut Refusal,
}
impl Default for RopeJob {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl RopeJob {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.x.is_null() {
            return Some("x");
        }
        if !self.out.is_null() {
            return Some("out");
        }
        if !self.pos.is_null() {
            return Some("pos");
        }
        if !self.par.is_null() {
            return Some("par");
        }
        if !self.cos.is_null() {
            return Some("cos");
        }
        if !self.sin.is_null() {
            return Some("sin");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.x_token != 0 {
            return Some("x_token");
        }
        if self.x_head != 0 {
            return Some("x_head");
        }
        if self.out_token != 0 {
            return Some("out_token");
        }
        if self.out_head != 0 {
            return Some("out_head");
        }
        if self.cos_token != 0 {
            return Some("cos_token");
        }
        if self.sin_token != 0 {
            return Some("sin_token");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub k: *const c_void,
    pub v: *const c_void,
    /// lctx_type
    pub k_type: i32,
    /// lctx_type
    pub v_type: i32,
    /// lctx_layout
    pub layout: i32,
    /// TILES: keys of the first tile before the span
    pub skip: i32,
    /// keys; 0 is allowed
    pub n: i64,
    /// the first key's position, the next follow by one; 0 is 0 in every span, not "after the span
    /// before"
    pub pos: i64,
    /// number of the first key in the sequence, which fixes its leaf and so the bits. 0 = right
    /// after the span before
    pub index: i64,
    /// 0: scored with q, 1: with q_far
    pub query: i32,
    /// seen by queries of this group and of 0; 0: by all
    pub group: i32,
    /// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
    /// k_head
    pub k_token: i64,
    /// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
    /// k_head
    pub k_head: i64,
    /// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
    /// k_head
    pub v_token: i64,
    /// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
    /// k_head
    pub v_head: i64,
    /// ROWS of int8
    pub k_scale: *const f32,
    /// ROWS of int8
    pub v_scale: *const f32,
    pub k_scale_token: i64,
    pub k_scale_head: i64,
    pub v_scale_token: i64,
    pub v_scale_head: i64,
    /// [n_head_kv][n] for pos + j, not going back; or null
    pub k_pos: *const i64,
    /// stride, bytes; 0 = packed, -1 = the same for all
    pub k_pos_head: i64,
}
impl Default for Span {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Span {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.k.is_null() {
            return Some("k");
        }
        if !self.v.is_null() {
            return Some("v");
        }
        if !self.k_scale.is_null() {
            return Some("k_scale");
        }
        if !self.v_scale.is_null() {
            return Some("v_scale");
        }
        if !self.k_pos.is_null() {
            return Some("k_pos");
        }
        if self.layout != 0 {
            return Some("layout");
        }
        if self.skip != 0 {
            return Some("skip");
        }
        if self.k_token != 0 {
            return Some("k_token");
        }
        if self.k_head != 0 {
            return Some("k_head");
        }
        if self.v_token != 0 {
            return Some("v_token");
        }
        if self.v_head != 0 {
            return Some("v_head");
        }
        if self.k_scale_token != 0 {
            return Some("k_scale_token");
        }
        if self.k_scale_head != 0 {
            return Some("k_scale_head");
        }
        if self.v_scale_token != 0 {
            return Some("v_scale_token");
        }
        if self.v_scale_head != 0 {
            return Some("v_scale_head");
        }
        if self.k_pos_head != 0 {
            return Some("k_pos_head");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// lctx_pattern_kind
    pub kind: i32,
    /// DILATED: 1 .. length
    pub dilation: i32,
    /// the stride, segment or block; >= 1 but for ALL
    pub length: i64,
    /// STRIDED: keys nearer than this; 0 = length, 1 = own key
    pub local: i64,
    /// FIXED: keys at each stride's end; 0 = 1, at most length
    pub summary: i64,
    /// BLOCKS: earlier blocks that are seen, >= 0
    pub back: i64,
    /// [n_global] rising positions, or null: those from global0 on
    pub global: *const i64,
    /// keys there are seen by all, queries there see all, as far as causality and groups allow
    /// (Longformer 2004.05150)
    pub n_global: i64,
    /// keys there are seen by all, queries there see all, as far as causality and groups allow
    /// (Longformer 2004.05150)
    pub global0: i64,
}
impl Default for Pattern {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Pattern {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.global.is_null() {
            return Some("global");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FarRule {
    /// lctx_far_kind
    pub kind: i32,
    /// GROUP: positions that count as one, >= 1
    pub group: i32,
    /// pairs nearer than this keep their distance, >= 1
    pub window: i64,
    /// LEAKY: k >= 1
    pub leak: f64,
}
impl Default for FarRule {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Attn {
    /// queries, >= 0
    pub n_q: i64,
    pub n_head: i32,
    pub n_head_kv: i32,
    /// d_v 0 = d_k
    pub d_k: i32,
    /// d_v 0 = d_k
    pub d_v: i32,
    /// [n_q][n_head][d_k], rotated already unless rope is given
    pub q: *const f32,
    /// the same rotated otherwise, for spans with query 1; or null
    pub q_far: *const f32,
    /// strides of q and q_far, bytes; 0 = packed
    pub q_token: i64,
    /// strides of q and q_far, bytes; 0 = packed
    pub q_head: i64,
    /// [n_q] positions, or null: q_pos0 + t. Causal ones without rope may be negative: before all
    /// keys a query sees nothing
    pub q_pos: *const i64,
    pub q_pos0: i64,
    /// [n_q] groups seen, cheapest side by side; null or 0: all
    pub q_group: *const i32,
    /// given: keys and queries are raw; null: rotated already
    pub rope: *const Rope,
    /// with rope, one without n_hat and xPos; null = no rule
    pub far_rule: *const FarRule,
    /// with rope: for spans of query 1 queries stand at far_pos at most, and q_far is not read; 0
    /// = no bound
    pub far_pos: i64,
    /// [n_spans]
    pub spans: *const Span,
    pub n_spans: i64,
    /// [n_q][n_head][d_v]
    pub out: *mut f32,
    /// strides, bytes; 0 = packed
    pub out_token: i64,
    /// strides, bytes; 0 = packed
    pub out_head: i64,
    /// [n_q][n_head] or null
    pub lse: *mut f32,
    /// stride, bytes; 0 = packed
    pub lse_token: i64,
    /// 0 = 1/sqrt(d_k), with rope times its scale_mul
    pub scale: f32,
    /// 0 = none
    pub softcap: f32,
    /// lctx_mask
    pub mask: i32,
    /// with a window: keys at positions below stay visible
    pub n_sink: i32,
    /// keys a query sees, its own counted; 0 = all
    pub window: i64,
    /// LCTX_MASK_NONE: keys after its own; 0 = all, -1 = none
    pub window_right: i64,
    /// null = none
    pub pattern: *const Pattern,
    /// [n_list][list_heads][list_len] blocks of keys, or null
    pub list: *const i32,
    pub list_len: i64,
    pub list_queries: i64,
    pub list_first: i64,
    pub list_heads: i32,
    pub list_keys: i32,
    /// [n_head][n_q][n_kv] bits, rows of whole words: key j is bit j % 64 of word j / 64, 1 where
    /// it may be seen; or null
    pub mask_bits: *const u64,
    /// strides, bytes; 0 = packed, -1 = the same for all
    pub mask_head: i64,
    /// strides, bytes; 0 = packed, -1 = the same for all
    pub mask_query: i64,
    /// [n_head] slopes or null
    pub alibi: *const f32,
    /// [n_head] or null
    pub sink_logit: *const f32,
    /// [n_head][n_q][n_kv], added; -inf masks, and tiles all masked are not read; or null. n_kv:
    /// keys of all spans in order
    pub bias: *const f32,
    /// strides, bytes; 0 = packed, -1 = the same for all
    pub bias_head: i64,
    /// strides, bytes; 0 = packed, -1 = the same for all
    pub bias_query: i64,
    /// nonzero: f32 arithmetic for all types (ARITHMETIC)
    pub precise: i32,
    pub reserved: i32,
    /// [n_head_kv][n_kv], added to; wants lse. Or null (see below)
    pub mass: *mut f32,
    /// stride, bytes; 0 = packed
    pub mass_head: i64,
    /// only the last so many queries count, <= n_q; 0 = all
    pub mass_queries: i64,
    /// null = default
    pub par: *const Parallel,
    /// or null; on cancelling out, lse and mass are unspecified
    pub progress: Progress,
    pub progress_user: *mut c_void,
    pub refused: *mut Refusal,
}
impl Default for Attn {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Attn {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.q.is_null() {
            return Some("q");
        }
        if !self.q_far.is_null() {
            return Some("q_far");
        }
        if !self.q_pos.is_null() {
            return Some("q_pos");
        }
        if !self.q_group.is_null() {
            return Some("q_group");
        }
        if !self.rope.is_null() {
            return Some("rope");
        }
        if !self.far_rule.is_null() {
            return Some("far_rule");
        }
        if !self.spans.is_null() {
            return Some("spans");
        }
        if !self.out.is_null() {
            return Some("out");
        }
        if !self.lse.is_null() {
            return Some("lse");
        }
        if !self.pattern.is_null() {
            return Some("pattern");
        }
        if !self.list.is_null() {
            return Some("list");
        }
        if !self.mask_bits.is_null() {
            return Some("mask_bits");
        }
        if !self.alibi.is_null() {
            return Some("alibi");
        }
        if !self.sink_logit.is_null() {
            return Some("sink_logit");
        }
        if !self.bias.is_null() {
            return Some("bias");
        }
        if !self.mass.is_null() {
            return Some("mass");
        }
        if !self.par.is_null() {
            return Some("par");
        }
        if !self.progress_user.is_null() {
            return Some("progress_user");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.progress.is_some() {
            return Some("progress");
        }
        if self.q_token != 0 {
            return Some("q_token");
        }
        if self.q_head != 0 {
            return Some("q_head");
        }
        if self.out_token != 0 {
            return Some("out_token");
        }
        if self.out_head != 0 {
            return Some("out_head");
        }
        if self.lse_token != 0 {
            return Some("lse_token");
        }
        if self.mask_head != 0 {
            return Some("mask_head");
        }
        if self.mask_query != 0 {
            return Some("mask_query");
        }
        if self.bias_head != 0 {
            return Some("bias_head");
        }
        if self.bias_query != 0 {
            return Some("bias_query");
        }
        if self.mass_head != 0 {
            return Some("mass_head");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// lctx_score
    pub kind: i32,
    /// of spans; 0 = 1; where these are the keys, list_keys
    pub block_rows: i32,
    /// 0 = as list_len has room, -1 = none
    pub n_top: i64,
    /// >= 0; window 0 = 1
    pub n_sink: i64,
    /// >= 0; window 0 = 1
    pub window: i64,
    /// 0 .. 1; 0 = by n_top alone
    pub share: f32,
    pub reserved: i32,
    /// RELU: [n_q][n_head]; null = 1
    pub weight: *const f32,
    /// [n_list][list_heads][n_block], up to the last row's block: of GIVEN; else gets what was
    /// scored, null = nowhere
    pub score: *mut f32,
    pub refused: *mut Refusal,
}
impl Default for Choice {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Choice {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.weight.is_null() {
            return Some("weight");
        }
        if !self.score.is_null() {
            return Some("score");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tiles {
    /// d_v 0 = d_k
    pub n_head_kv: i32,
    /// d_v 0 = d_k
    pub d_k: i32,
    /// d_v 0 = d_k
    pub d_v: i32,
    /// lctx_type
    pub k_type: i32,
    /// lctx_type
    pub v_type: i32,
    /// nonzero: values are the keys' first d_v dimensions, not stored; d_v <= d_k, v_type =
    /// k_type, not of 4 bits
    pub latent: i32,
    /// tokens, a multiple of LCTX_TILE
    pub cap: i64,
    /// lctx_tiles_size bytes
    pub mem: *mut c_void,
    pub refused: *mut Refusal,
}
impl Default for Tiles {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Tiles {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.mem.is_null() {
            return Some("mem");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

/// Rows of f32: keys [n][n_head_kv][d_k], values [n][n_head_kv][d_v], null for latent ones.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub n: i64,
    pub k: *const f32,
    pub v: *const f32,
    pub k_token: i64,
    pub k_head: i64,
    pub v_token: i64,
    pub v_head: i64,
    pub refused: *mut Refusal,
}
impl Default for Rows {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Rows {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.k.is_null() {
            return Some("k");
        }
        if !self.v.is_null() {
            return Some("v");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.k_token != 0 {
            return Some("k_token");
        }
        if self.k_head != 0 {
            return Some("k_head");
        }
        if self.v_token != 0 {
            return Some("v_token");
        }
        if self.v_head != 0 {
            return Some("v_head");
        }
        None
    }
}

/// For going back: after every `every` tokens, counted from the sequence's first however calls cut
/// it, slot (tokens / every - 1) % n gets a copy of the state, to be handed in again as `from`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Snapshots {
    /// tokens of the sequence before this call
    pub before: i64,
    /// >= 1
    pub every: i64,
    /// >= 1
    pub n: i64,
    /// [n] states, in their strides
    pub slots: *mut f32,
    /// stride, bytes; 0 = packed
    pub slot: i64,
}
impl Default for Snapshots {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Snapshots {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.slots.is_null() {
            return Some("slots");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Recurrence {
    /// tokens, >= 0; of 0 nothing is touched
    pub n: i64,
    /// states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
    pub n_head: i32,
    /// states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
    pub n_head_k: i32,
    /// d_v 0 = d_k
    pub d_k: i32,
    /// d_v 0 = d_k
    pub d_v: i32,
    /// lctx_decay
    pub decay_kind: i32,
    /// nonzero: HEAD, DIM refuse decays outside 0 .. 1
    pub bounded: i32,
    /// [n][n_head_k][d_k] twice, [n][n_head][d_v]
    pub q: *const f32,
    /// [n][n_head_k][d_k] twice, [n][n_head][d_v]
    pub k: *const f32,
    /// [n][n_head_k][d_k] twice, [n][n_head][d_v]
    pub v: *const f32,
    /// by its kind
    pub decay: *const f32,
    /// ELEMENT: in the strides of the state
    pub rate: *const f32,
    /// [n][n_head], the delta rule: a = -beta w k, b = k, v times beta
    pub beta: *const f32,
    /// [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
    pub a: *const f32,
    /// [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
    pub b: *const f32,
    /// u[n_head][d_k], without a, beta and ELEMENT: y_t = scale (S_{t-1} q_t + v_t sum of u k_t
    /// q_t)
    pub bonus: *const f32,
    /// [n][n_head][d_v]
    pub y: *mut f32,
    /// [n_head][d_k][d_v], values innermost; gets the last S
    pub state: *mut f32,
    /// the first S; null = state
    pub from: *const f32,
    /// strides, bytes; 0 = packed
    pub q_token: i64,
    /// strides, bytes; 0 = packed
    pub q_head: i64,
    /// strides, bytes; 0 = packed
    pub k_token: i64,
    /// strides, bytes; 0 = packed
    pub k_head: i64,
    /// strides, bytes; 0 = packed
    pub v_token: i64,
    /// strides, bytes; 0 = packed
    pub v_head: i64,
    /// decay_token -1: the same for all tokens
    pub decay_token: i64,
    /// decay_token -1: the same for all tokens
    pub decay_head: i64,
    pub beta_token: i64,
    pub beta_head: i64,
    pub a_token: i64,
    pub a_head: i64,
    pub b_token: i64,
    pub b_head: i64,
    pub bonus_head: i64,
    pub y_token: i64,
    pub y_head: i64,
    /// [d_v][d_k] takes longer, by transpositions
    pub state_head: i64,
    /// [d_v][d_k] takes longer, by transpositions
    pub state_k: i64,
    /// [d_v][d_k] takes longer, by transpositions
    pub state_v: i64,
    /// 0 = 1
    pub scale: f32,
    pub reserved: i32,
    /// null = none
    pub snapshots: *const Snapshots,
    /// null = default
    pub par: *const Parallel,
    pub refused: *mut Refusal,
}
impl Default for Recurrence {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Recurrence {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.q.is_null() {
            return Some("q");
        }
        if !self.k.is_null() {
            return Some("k");
        }
        if !self.v.is_null() {
            return Some("v");
        }
        if !self.decay.is_null() {
            return Some("decay");
        }
        if !self.rate.is_null() {
            return Some("rate");
        }
        if !self.beta.is_null() {
            return Some("beta");
        }
        if !self.a.is_null() {
            return Some("a");
        }
        if !self.b.is_null() {
            return Some("b");
        }
        if !self.bonus.is_null() {
            return Some("bonus");
        }
        if !self.y.is_null() {
            return Some("y");
        }
        if !self.state.is_null() {
            return Some("state");
        }
        if !self.from.is_null() {
            return Some("from");
        }
        if !self.snapshots.is_null() {
            return Some("snapshots");
        }
        if !self.par.is_null() {
            return Some("par");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.q_token != 0 {
            return Some("q_token");
        }
        if self.q_head != 0 {
            return Some("q_head");
        }
        if self.k_token != 0 {
            return Some("k_token");
        }
        if self.k_head != 0 {
            return Some("k_head");
        }
        if self.v_token != 0 {
            return Some("v_token");
        }
        if self.v_head != 0 {
            return Some("v_head");
        }
        if self.decay_token != 0 {
            return Some("decay_token");
        }
        if self.decay_head != 0 {
            return Some("decay_head");
        }
        if self.beta_token != 0 {
            return Some("beta_token");
        }
        if self.beta_head != 0 {
            return Some("beta_head");
        }
        if self.a_token != 0 {
            return Some("a_token");
        }
        if self.a_head != 0 {
            return Some("a_head");
        }
        if self.b_token != 0 {
            return Some("b_token");
        }
        if self.b_head != 0 {
            return Some("b_head");
        }
        if self.bonus_head != 0 {
            return Some("bonus_head");
        }
        if self.y_token != 0 {
            return Some("y_token");
        }
        if self.y_head != 0 {
            return Some("y_head");
        }
        if self.state_head != 0 {
            return Some("state_head");
        }
        if self.state_k != 0 {
            return Some("state_k");
        }
        if self.state_v != 0 {
            return Some("state_v");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// tokens
    pub n: i64,
    pub n_channel: i32,
    pub taps: i32,
    /// [n][n_channel]
    pub x: *const f32,
    /// [n_channel][taps], the last one the token's own
    pub weight: *const f32,
    /// [n_channel] or null
    pub bias: *const f32,
    /// [n][n_channel], not x
    pub y: *mut f32,
    /// [taps - 1][n_channel], the last inputs, the oldest first
    pub state: *mut f32,
    /// null = state
    pub from: *const f32,
    /// strides, bytes; 0 = packed
    pub x_token: i64,
    /// strides, bytes; 0 = packed
    pub y_token: i64,
    /// strides, bytes; 0 = packed
    pub state_tap: i64,
    /// nonzero: act(z) = z / (1 + e^-z)
    pub silu: i32,
    pub reserved: i32,
    pub snapshots: *const Snapshots,
    pub par: *const Parallel,
    pub refused: *mut Refusal,
}
impl Default for Convolution {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Convolution {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.x.is_null() {
            return Some("x");
        }
        if !self.weight.is_null() {
            return Some("weight");
        }
        if !self.bias.is_null() {
            return Some("bias");
        }
        if !self.y.is_null() {
            return Some("y");
        }
        if !self.state.is_null() {
            return Some("state");
        }
        if !self.from.is_null() {
            return Some("from");
        }
        if !self.snapshots.is_null() {
            return Some("snapshots");
        }
        if !self.par.is_null() {
            return Some("par");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.x_token != 0 {
            return Some("x_token");
        }
        if self.y_token != 0 {
            return Some("y_token");
        }
        if self.state_tap != 0 {
            return Some("state_tap");
        }
        None
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CacheDesc {
    /// d_v 0 = d_k
    pub n_head_kv: i32,
    /// d_v 0 = d_k
    pub d_k: i32,
    /// d_v 0 = d_k
    pub d_v: i32,
    /// lctx_type
    pub k_type: i32,
    /// lctx_type
    pub v_type: i32,
    /// lctx_policy
    pub policy: i32,
    /// SINKS: >= 1; HEAVY
    pub n_sink: i32,
    /// tokens a block, a multiple of LCTX_TILE; 0 = 256
    pub block: i32,
    /// all but FULL: >= 1, the query's own key counted
    pub window: i64,
    /// HEAVY: >= 1, in tokens; see lctx_cache_tokens
    pub n_heavy: i64,
    /// nonzero: full blocks keep the least and the greatest of each dimension of their keys, for
    /// lctx_cache_retrieve
    pub summaries: i32,
    /// nonzero: as in lctx_tiles (see LATENT KEYS)
    pub latent: i32,
    /// FULL: appending beyond gives LCTX_E_FULL; 0 = no limit
    pub max_tokens: i64,
    /// copied; null = malloc
    pub alloc: *const Allocator,
    /// of create and tokens alone
    pub refused: *mut Refusal,
}
impl Default for CacheDesc {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl CacheDesc {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.alloc.is_null() {
            return Some("alloc");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

#[repr(C)]
pub struct Cache {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CacheInfo {
    /// tokens appended, less those rewound: the next position
    pub n: i64,
    /// tokens in memory, of each KV head
    pub n_held: i64,
    /// tokens no longer in memory
    pub n_dropped: i64,
    /// lctx_cache_rewind can go back to any n from here on; and to 0
    pub rewind_min: i64,
    /// blocks held, shared ones included
    pub n_block: i64,
    /// of those blocks, of open keys and of what was kept
    pub bytes: i64,
    /// of these, in memory that forks share
    pub bytes_shared: i64,
    /// tokens that a selection kept: the first of the spans lists them
    pub n_kept: i64,
}
impl Default for CacheInfo {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}

/// Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
/// those at positions below n_sink, then those of the greatest mass, of equal ones the later.
/// Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
/// rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
/// rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
/// neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
/// _WINDOW, _STRIDE, _OVERFLOW, _MEMORY.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Select {
    /// [n_head_kv][info.n_held], span by span, as of attention; a NaN counts most. null = the
    /// cache's own account (HEAVY)
    pub mass: *const f32,
    /// stride, bytes; 0 = packed
    pub mass_head: i64,
    /// >= 0
    pub n_heavy: i64,
    /// >= 0
    pub window: i64,
    /// >= 0
    pub n_sink: i32,
    /// odd: tokens count with the greatest mass of so many around them, themselves included; 0 =
    /// 1. SnapKV: 7
    pub pool: i32,
    pub refused: *mut Refusal,
}
impl Default for Select {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Select {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.mass.is_null() {
            return Some("mass");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.mass_head != 0 {
            return Some("mass_head");
        }
        None
    }
}

/// Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
/// Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
/// a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
/// of the first n_sink tokens and of the last `window` that there are up to the query; of those
/// between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
/// with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
/// touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
/// agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
/// what one reads, and its bits, do not depend on the others in the call. attn and errors: as
/// lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
/// _LIST (attn has one).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Retrieve {
    /// >= 0
    pub n_top: i64,
    /// >= 1
    pub window: i64,
    /// >= 0
    pub n_sink: i32,
    /// that share a choice; 0 = all of a call
    pub queries: i32,
    /// [n_head_kv][info.n_block]: 1 where any reads, else 0; or null
    pub read: *mut u8,
    pub refused: *mut Refusal,
}
impl Default for Retrieve {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Retrieve {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.read.is_null() {
            return Some("read");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        None
    }
}

/// A weight. [rows][cols] row-major as named beside each; a matrix computes y[rows] = W x[cols].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    pub data: *const c_void,
    /// LCTX_I8: [rows]
    pub scale: *const f32,
    /// lctx_type
    pub r#type: i32,
    pub reserved: i32,
}
impl Default for Tensor {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Tensor {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.data.is_null() {
            return Some("data");
        }
        if !self.scale.is_null() {
            return Some("scale");
        }
        None
    }
}

/// bias + up f(down x), f as its place has it
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LowRank {
    /// [rank][columns], [rows][rank]
    pub down: Tensor,
    /// [rank][columns], [rows][rank]
    pub up: Tensor,
    /// [rows] or null
    pub bias: *const f32,
    pub rank: i32,
    pub reserved: i32,
}
impl Default for LowRank {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl LowRank {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.bias.is_null() {
            return Some("bias");
        }
        if !self.down.data.is_null() {
            return Some("down");
        }
        if !self.up.data.is_null() {
            return Some("up");
        }
        None
    }
    /// A weight by its name.
    pub fn tensor(&mut self, name: &str) -> Option<&mut Tensor> {
        match name {
            "down" => Some(&mut self.down),
            "up" => Some(&mut self.up),
            _ => None,
        }
    }
    /// A number by its name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match name {
            "rank" => Some(self.rank.into()),
            "reserved" => Some(self.reserved.into()),
            _ => None,
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    /// lctx_mixer_kind
    pub kind: i32,
    /// of v; groups: of q and k, each for n_head / n_head_k neighbours
    pub n_head: i32,
    /// of v; groups: of q and k, each for n_head / n_head_k neighbours
    pub n_head_k: i32,
    pub d_k: i32,
    pub d_v: i32,
    pub taps: i32,
    /// [2*n_head_k*d_k + n_head*d_v][d_model]
    pub w_in: Tensor,
    /// [n_head*d_v][d_model]
    pub w_z: Tensor,
    /// [n_head][d_model]; w_beta of DELTA
    pub w_beta: Tensor,
    /// [n_head][d_model]; w_beta of DELTA
    pub w_dt: Tensor,
    /// [d_model][n_head*d_v]
    pub w_out: Tensor,
    /// [rows of w_in][taps], and without taps or null
    pub conv: *const f32,
    /// [rows of w_in][taps], and without taps or null
    pub conv_bias: *const f32,
    /// [n_head]; a below 0
    pub a: *const f32,
    /// [n_head]; a below 0
    pub dt_bias: *const f32,
    /// [d_v]; MAMBA2, RWKV7: [n_head*d_v], MAMBA2 or null
    pub norm: *const f32,
    /// MAMBA2: [n_head] or null
    pub skip: *const f32,
    /// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
    pub w_r: Tensor,
    /// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
    pub w_k: Tensor,
    /// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
    pub w_v: Tensor,
    /// to n_head*d_k, n_head*d_v, and again
    pub w: LowRank,
    /// to n_head*d_k, n_head*d_v, and again
    pub v: LowRank,
    /// to n_head*d_k, n_head*d_v, and again
    pub rate: LowRank,
    /// to n_head*d_k, n_head*d_v, and again
    pub g: LowRank,
    /// [6][d_model]: of r, w, k, v, a, g
    pub shift: *const f32,
    /// [d_model] or null
    pub ffn_shift: *const f32,
    /// [n_head*d_k]
    pub k_k: *const f32,
    /// [n_head*d_k]
    pub k_a: *const f32,
    /// [n_head*d_k]
    pub r_k: *const f32,
    /// [n_head*d_v]
    pub norm_bias: *const f32,
}
impl Default for Mixer {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Mixer {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.conv.is_null() {
            return Some("conv");
        }
        if !self.conv_bias.is_null() {
            return Some("conv_bias");
        }
        if !self.a.is_null() {
            return Some("a");
        }
        if !self.dt_bias.is_null() {
            return Some("dt_bias");
        }
        if !self.norm.is_null() {
            return Some("norm");
        }
        if !self.skip.is_null() {
            return Some("skip");
        }
        if !self.shift.is_null() {
            return Some("shift");
        }
        if !self.ffn_shift.is_null() {
            return Some("ffn_shift");
        }
        if !self.k_k.is_null() {
            return Some("k_k");
        }
        if !self.k_a.is_null() {
            return Some("k_a");
        }
        if !self.r_k.is_null() {
            return Some("r_k");
        }
        if !self.norm_bias.is_null() {
            return Some("norm_bias");
        }
        if !self.w_in.data.is_null() {
            return Some("w_in");
        }
        if !self.w_z.data.is_null() {
            return Some("w_z");
        }
        if !self.w_beta.data.is_null() {
            return Some("w_beta");
        }
        if !self.w_dt.data.is_null() {
            return Some("w_dt");
        }
        if !self.w_out.data.is_null() {
            return Some("w_out");
        }
        if !self.w_r.data.is_null() {
            return Some("w_r");
        }
        if !self.w_k.data.is_null() {
            return Some("w_k");
        }
        if !self.w_v.data.is_null() {
            return Some("w_v");
        }
        None
    }
    /// A weight by its name.
    pub fn tensor(&mut self, name: &str) -> Option<&mut Tensor> {
        match name {
            "w_in" => Some(&mut self.w_in),
            "w_z" => Some(&mut self.w_z),
            "w_beta" => Some(&mut self.w_beta),
            "w_dt" => Some(&mut self.w_dt),
            "w_out" => Some(&mut self.w_out),
            "w_r" => Some(&mut self.w_r),
            "w_k" => Some(&mut self.w_k),
            "w_v" => Some(&mut self.w_v),
            _ => None,
        }
    }
    /// A number by its name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match name {
            "kind" => Some(self.kind.into()),
            "n_head" => Some(self.n_head.into()),
            "n_head_k" => Some(self.n_head_k.into()),
            "d_k" => Some(self.d_k.into()),
            "d_v" => Some(self.d_v.into()),
            "taps" => Some(self.taps.into()),
            _ => None,
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// [d_model]
    pub attn_norm: Tensor,
    /// [n_head*head_dim][d_model]
    pub wq: Tensor,
    /// [n_head_kv*head_dim][d_model]
    pub wk: Tensor,
    /// [n_head_kv*head_dim][d_model]
    pub wv: Tensor,
    /// [d_model][n_head*head_dim]
    pub wo: Tensor,
    /// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
    pub bq: Tensor,
    /// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
    pub bk: Tensor,
    /// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
    pub bv: Tensor,
    /// [d_model]; data null = none
    pub bo: Tensor,
    /// [n_head*head_dim][d_model]; data null = none
    pub attn_gate: Tensor,
    /// [head_dim]; data null = none
    pub q_norm: Tensor,
    /// [head_dim]; data null = none
    pub k_norm: Tensor,
    /// [d_model]; with a mixer data null = no FFN
    pub ffn_norm: Tensor,
    /// [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
    pub w_gate: Tensor,
    /// [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
    pub w_up: Tensor,
    /// [d_model][d_ff]; with experts [n_expert][d_model][d_ff]
    pub w_down: Tensor,
    /// likewise without their last dimension; or null
    pub b_gate: Tensor,
    /// likewise without their last dimension; or null
    pub b_up: Tensor,
    /// likewise without their last dimension; or null
    pub b_down: Tensor,
    /// [d_model]; data null = none
    pub attn_post_norm: Tensor,
    /// [d_model]; data null = none
    pub ffn_post_norm: Tensor,
    /// with experts: [n_expert][d_model], [n_expert] or null
    pub router: Tensor,
    /// with experts: [n_expert][d_model], [n_expert] or null
    pub b_router: Tensor,
    /// [d_ff_shared][d_model]; data null = none
    pub shared_gate: Tensor,
    /// [d_ff_shared][d_model]; data null = none
    pub shared_up: Tensor,
    /// [d_model][d_ff_shared]
    pub shared_down: Tensor,
    /// [d_model]; data null = none
    pub shared_router: Tensor,
    /// 0 = no experts
    pub n_expert: i32,
    /// 0 = no experts
    pub n_expert_used: i32,
    /// lctx_routing, lctx_activation
    pub routing: i32,
    /// lctx_routing, lctx_activation
    pub activation: i32,
    /// d_ff 0 = the model's
    pub d_ff: i32,
    /// d_ff 0 = the model's
    pub d_ff_shared: i32,
    /// q *= 1 + q_scale ln(1 + floor((position +
    pub q_scale: f32,
    /// q *= 1 + q_scale ln(1 + floor((position +
    pub q_scale_offset: f32,
    /// q_scale_offset) / q_scale_length)); 0 = none
    pub q_scale_length: i64,
    /// null = the model's
    pub rope: *const Rope,
    /// this layer's sliding window; 0 = none
    pub window: i64,
    /// nonzero: this layer has no rotation
    pub no_rope: i32,
    /// nonzero: the mixer adds to attention, of the same h
    pub beside: i32,
    /// which keys this layer's queries see; null = all
    pub pattern: *const Pattern,
    /// [n_head], as in lctx_attn (gpt-oss); null = none
    pub sink_logit: *const f32,
    /// in place of attention, unless it is beside; null = none
    pub mixer: *const Mixer,
    /// [d_model] or null
    pub attn_norm_bias: *const f32,
    /// [d_model] or null
    pub ffn_norm_bias: *const f32,
}
impl Default for Layer {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Layer {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.rope.is_null() {
            return Some("rope");
        }
        if !self.pattern.is_null() {
            return Some("pattern");
        }
        if !self.sink_logit.is_null() {
            return Some("sink_logit");
        }
        if !self.mixer.is_null() {
            return Some("mixer");
        }
        if !self.attn_norm_bias.is_null() {
            return Some("attn_norm_bias");
        }
        if !self.ffn_norm_bias.is_null() {
            return Some("ffn_norm_bias");
        }
        if !self.attn_norm.data.is_null() {
            return Some("attn_norm");
        }
        if !self.wq.data.is_null() {
            return Some("wq");
        }
        if !self.wk.data.is_null() {
            return Some("wk");
        }
        if !self.wv.data.is_null() {
            return Some("wv");
        }
        if !self.wo.data.is_null() {
            return Some("wo");
        }
        if !self.bq.data.is_null() {
            return Some("bq");
        }
        if !self.bk.data.is_null() {
            return Some("bk");
        }
        if !self.bv.data.is_null() {
            return Some("bv");
        }
        if !self.bo.data.is_null() {
            return Some("bo");
        }
        if !self.attn_gate.data.is_null() {
            return Some("attn_gate");
        }
        if !self.q_norm.data.is_null() {
            return Some("q_norm");
        }
        if !self.k_norm.data.is_null() {
            return Some("k_norm");
        }
        if !self.ffn_norm.data.is_null() {
            return Some("ffn_norm");
        }
        if !self.w_gate.data.is_null() {
            return Some("w_gate");
        }
        if !self.w_up.data.is_null() {
            return Some("w_up");
        }
        if !self.w_down.data.is_null() {
            return Some("w_down");
        }
        if !self.b_gate.data.is_null() {
            return Some("b_gate");
        }
        if !self.b_up.data.is_null() {
            return Some("b_up");
        }
        if !self.b_down.data.is_null() {
            return Some("b_down");
        }
        if !self.attn_post_norm.data.is_null() {
            return Some("attn_post_norm");
        }
        if !self.ffn_post_norm.data.is_null() {
            return Some("ffn_post_norm");
        }
        if !self.router.data.is_null() {
            return Some("router");
        }
        if !self.b_router.data.is_null() {
            return Some("b_router");
        }
        if !self.shared_gate.data.is_null() {
            return Some("shared_gate");
        }
        if !self.shared_up.data.is_null() {
            return Some("shared_up");
        }
        if !self.shared_down.data.is_null() {
            return Some("shared_down");
        }
        if !self.shared_router.data.is_null() {
            return Some("shared_router");
        }
        None
    }
    /// A weight by its name.
    pub fn tensor(&mut self, name: &str) -> Option<&mut Tensor> {
        match name {
            "attn_norm" => Some(&mut self.attn_norm),
            "wq" => Some(&mut self.wq),
            "wk" => Some(&mut self.wk),
            "wv" => Some(&mut self.wv),
            "wo" => Some(&mut self.wo),
            "bq" => Some(&mut self.bq),
            "bk" => Some(&mut self.bk),
            "bv" => Some(&mut self.bv),
            "bo" => Some(&mut self.bo),
            "attn_gate" => Some(&mut self.attn_gate),
            "q_norm" => Some(&mut self.q_norm),
            "k_norm" => Some(&mut self.k_norm),
            "ffn_norm" => Some(&mut self.ffn_norm),
            "w_gate" => Some(&mut self.w_gate),
            "w_up" => Some(&mut self.w_up),
            "w_down" => Some(&mut self.w_down),
            "b_gate" => Some(&mut self.b_gate),
            "b_up" => Some(&mut self.b_up),
            "b_down" => Some(&mut self.b_down),
            "attn_post_norm" => Some(&mut self.attn_post_norm),
            "ffn_post_norm" => Some(&mut self.ffn_post_norm),
            "router" => Some(&mut self.router),
            "b_router" => Some(&mut self.b_router),
            "shared_gate" => Some(&mut self.shared_gate),
            "shared_up" => Some(&mut self.shared_up),
            "shared_down" => Some(&mut self.shared_down),
            "shared_router" => Some(&mut self.shared_router),
            _ => None,
        }
    }
    /// A number by its name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match name {
            "n_expert" => Some(self.n_expert.into()),
            "n_expert_used" => Some(self.n_expert_used.into()),
            "routing" => Some(self.routing.into()),
            "activation" => Some(self.activation.into()),
            "d_ff" => Some(self.d_ff.into()),
            "d_ff_shared" => Some(self.d_ff_shared.into()),
            "q_scale_length" => Some(self.q_scale_length),
            "window" => Some(self.window),
            "no_rope" => Some(self.no_rope.into()),
            "beside" => Some(self.beside.into()),
            _ => None,
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// head_dim 0 = d_model / n_head
    pub n_layer: i32,
    /// head_dim 0 = d_model / n_head
    pub n_head: i32,
    /// head_dim 0 = d_model / n_head
    pub n_head_kv: i32,
    /// head_dim 0 = d_model / n_head
    pub head_dim: i32,
    pub d_model: i32,
    pub d_ff: i32,
    pub n_vocab: i32,
    /// 0 = 1e-5
    pub norm_eps: f32,
    /// 0 = 1
    pub embd_scale: f32,
    /// softmax scale before rope.scale_mul; 0 = 1/sqrt(head_dim)
    pub attn_scale: f32,
    /// attention softcap; 0 = none
    pub softcap: f32,
    /// 0 = none
    pub logit_softcap: f32,
    /// [n_vocab][d_model]
    pub tok_embd: Tensor,
    /// [d_model]
    pub output_norm: Tensor,
    /// [n_vocab][d_model]; data null = tok_embd
    pub output: Tensor,
    /// [n_layer]
    pub layers: *const Layer,
    /// null = no rotation
    pub rope: *const Rope,
    /// of check and create alone
    pub refused: *mut Refusal,
    /// [d_model], of x before the layers; data null = none
    pub embd_norm: Tensor,
    /// [d_model] or null
    pub embd_norm_bias: *const f32,
    /// [d_model] or null
    pub output_norm_bias: *const f32,
}
impl Default for Model {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl Model {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.layers.is_null() {
            return Some("layers");
        }
        if !self.rope.is_null() {
            return Some("rope");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if !self.embd_norm_bias.is_null() {
            return Some("embd_norm_bias");
        }
        if !self.output_norm_bias.is_null() {
            return Some("output_norm_bias");
        }
        if !self.tok_embd.data.is_null() {
            return Some("tok_embd");
        }
        if !self.output_norm.data.is_null() {
            return Some("output_norm");
        }
        if !self.output.data.is_null() {
            return Some("output");
        }
        if !self.embd_norm.data.is_null() {
            return Some("embd_norm");
        }
        None
    }
    /// A weight by its name.
    pub fn tensor(&mut self, name: &str) -> Option<&mut Tensor> {
        match name {
            "tok_embd" => Some(&mut self.tok_embd),
            "output_norm" => Some(&mut self.output_norm),
            "output" => Some(&mut self.output),
            "embd_norm" => Some(&mut self.embd_norm),
            _ => None,
        }
    }
    /// A number by its name.
    pub fn number(&self, name: &str) -> Option<i64> {
        match name {
            "n_layer" => Some(self.n_layer.into()),
            "n_head" => Some(self.n_head.into()),
            "n_head_kv" => Some(self.n_head_kv.into()),
            "head_dim" => Some(self.head_dim.into()),
            "d_model" => Some(self.d_model.into()),
            "d_ff" => Some(self.d_ff.into()),
            "n_vocab" => Some(self.n_vocab.into()),
            _ => None,
        }
    }
}

/// With raw_keys the caches hold keys before rotation, and these two may be given, which imply it:
///     rope      in place of the model's schedule (not of those that layers have of their own): the
///               query at position m turns, with all keys that it sees, by the schedule for ctx =
///               m + 1, whatever the keys before it were scored by. So DYNAMIC and LONGROPE follow
///               the text exactly, in any chunking; the hidden states that gave the keys stay.
///               Past orig_ctx DYNAMIC has a schedule for each token: prompts run at decode's pace.
///     far_rule  how far pairs count their distance
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SessionDesc {
    /// of the caches, lctx_type
    pub k_type: i32,
    /// of the caches, lctx_type
    pub v_type: i32,
    /// lctx_policy of layers without a narrower (HEAVY: any) window
    pub policy: i32,
    pub n_sink: i32,
    pub window: i64,
    /// HEAVY: tokens of each KV head and layer, kept by their mass
    pub n_heavy: i64,
    /// FULL, in layers without windows: of all that is kept a query reads so many tokens, in
    /// blocks a KV head (lctx_retrieve), and the first n_sink and the last `window`; 0 = all
    pub n_read: i64,
    /// with n_read: of each layer null, or bytes as lctx_retrieve has them, with room for the next
    /// feed's tokens: what its last chunk's queries read. Borrowed, by forks, too; or null
    pub read: *const *mut u8,
    /// FULL; 0 = no limit
    pub max_tokens: i64,
    /// tokens a cache block; 0 = 256, or 64 with n_read
    pub block: i32,
    /// tokens computed at once; bounds memory, not bits; 0 = 256
    pub chunk: i32,
    /// as in lctx_attn; products with weights are in f32, too
    pub precise: i32,
    /// nonzero: as above
    pub raw_keys: i32,
    /// mixers: a snapshot of states after every so many tokens, the
    pub state_every: i64,
    /// last so many of them, to be rewound to; 0 = none, and 4
    pub state_slots: i32,
    pub reserved: i32,
    /// 0 .. parts-1, of a session in so many; parts 0 = 1: whole
    pub part: i32,
    /// 0 .. parts-1, of a session in so many; parts 0 = 1: whole
    pub parts: i32,
    /// needed with parts above 1; or null
    pub join: Join,
    pub join_user: *mut c_void,
    /// copied; null = malloc
    pub alloc: *const Allocator,
    /// copied; null = default
    pub par: *const Parallel,
    /// after each chunk of a feed: tokens done, tokens in all
    pub progress: Progress,
    pub progress_user: *mut c_void,
    /// copied, its lists borrowed; ctx is not read; or null
    pub rope: *const RopeDesc,
    /// copied; null = distances as they are
    pub far_rule: *const FarRule,
    /// of create alone; then see lctx_session_info
    pub refused: *mut Refusal,
}
impl Default for SessionDesc {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}
impl SessionDesc {
    /// The first field that points to something, or is a stride.
    pub fn raw(&self) -> Option<&'static str> {
        if !self.read.is_null() {
            return Some("read");
        }
        if !self.join_user.is_null() {
            return Some("join_user");
        }
        if !self.alloc.is_null() {
            return Some("alloc");
        }
        if !self.par.is_null() {
            return Some("par");
        }
        if !self.progress_user.is_null() {
            return Some("progress_user");
        }
        if !self.rope.is_null() {
            return Some("rope");
        }
        if !self.far_rule.is_null() {
            return Some("far_rule");
        }
        if !self.refused.is_null() {
            return Some("refused");
        }
        if self.join.is_some() {
            return Some("join");
        }
        if self.progress.is_some() {
            return Some("progress");
        }
        None
    }
}

#[repr(C)]
pub struct Session {
    _private: [u8; 0],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SessionInfo {
    /// tokens fed: the next position
    pub n: i64,
    /// tokens that some layer no longer holds
    pub n_dropped: i64,
    /// from here on lctx_session_rewind can go back to any n; and to 0. With mixers to multiples
    /// of state_every alone
    pub rewind_min: i64,
    /// all layers' blocks
    pub cache_bytes: i64,
    /// mixers': before and after a feed, and snapshots
    pub state_bytes: i64,
    /// activations and attention scratch
    pub scratch_bytes: i64,
    /// by the last feed, rewind or restore
    pub refused: Refusal,
}
impl Default for SessionInfo {
    fn default() -> Self {
        unsafe { std::mem::zeroed() }
    }
}

/// Arrays that fields point to: elements, and sizes from outside in. n_expert? counts where there
/// are experts; / rounds up.
pub const ARRAYS: &[(&str, &str, &str)] = &[
    ("lctx_rope_desc.freq", "double", "n_rot/2"),
    ("lctx_rope_desc.short_factor", "double", "n_rot/2"),
    ("lctx_rope_desc.long_factor", "double", "n_rot/2"),
    ("lctx_rope_job.pos", "int64_t", "n_tok"),
    ("lctx_span.k_pos", "int64_t", "n_head_kv n"),
    ("lctx_pattern.global", "int64_t", "n_global"),
    ("lctx_attn.q", "float", "n_q n_head d_k"),
    ("lctx_attn.q_far", "float", "n_q n_head d_k"),
    ("lctx_attn.q_pos", "int64_t", "n_q"),
    ("lctx_attn.q_group", "int32_t", "n_q"),
    ("lctx_attn.spans", "lctx_span", "n_spans"),
    ("lctx_attn.out", "float", "n_q n_head d_v"),
    ("lctx_attn.lse", "float", "n_q n_head"),
    ("lctx_attn.list", "int32_t", "n_list list_heads list_len"),
    ("lctx_attn.mask_bits", "uint64_t", "n_head n_q n_kv/64"),
    ("lctx_attn.alibi", "float", "n_head"),
    ("lctx_attn.sink_logit", "float", "n_head"),
    ("lctx_attn.bias", "float", "n_head n_q n_kv"),
    ("lctx_attn.mass", "float", "n_head_kv n_kv"),
    ("lctx_choice.weight", "float", "n_q n_head"),
    ("lctx_choice.score", "float", "n_list list_heads n_block"),
    ("lctx_recurrence.q", "float", "n n_head_k d_k"),
    ("lctx_recurrence.k", "float", "n n_head_k d_k"),
    ("lctx_recurrence.v", "float", "n n_head d_v"),
    ("lctx_recurrence.rate", "float", "n_head d_k d_v"),
    ("lctx_recurrence.beta", "float", "n n_head"),
    ("lctx_recurrence.a", "float", "n n_head d_k"),
    ("lctx_recurrence.b", "float", "n n_head_k d_k"),
    ("lctx_recurrence.bonus", "float", "n_head d_k"),
    ("lctx_recurrence.y", "float", "n n_head d_v"),
    ("lctx_recurrence.state", "float", "n_head d_k d_v"),
    ("lctx_recurrence.from", "float", "n_head d_k d_v"),
    ("lctx_convolution.x", "float", "n n_channel"),
    ("lctx_convolution.weight", "float", "n_channel taps"),
    ("lctx_convolution.bias", "float", "n_channel"),
    ("lctx_convolution.y", "float", "n n_channel"),
    ("lctx_convolution.state", "float", "taps-1 n_channel"),
    ("lctx_convolution.from", "float", "taps-1 n_channel"),
    ("lctx_select.mass", "float", "n_head_kv info.n_held"),
    ("lctx_retrieve.read", "uint8_t", "n_head_kv info.n_block"),
    ("lctx_tensor.scale", "float", "rows"),
    ("lctx_low_rank.down", "any", "rank columns"),
    ("lctx_low_rank.up", "any", "rank columns"),
    ("lctx_low_rank.bias", "float", "rows"),
    ("lctx_mixer.w_in", "any", "2*n_head_k*d_k+n_head*d_v d_model"),
    ("lctx_mixer.w_z", "any", "n_head*d_v d_model"),
    ("lctx_mixer.w_beta", "any", "n_head d_model"),
    ("lctx_mixer.w_dt", "any", "n_head d_model"),
    ("lctx_mixer.w_out", "any", "d_model n_head*d_v"),
    ("lctx_mixer.conv", "float", "2*n_head_k*d_k+n_head*d_v taps"),
    ("lctx_mixer.conv_bias", "float", "2*n_head_k*d_k+n_head*d_v"),
    ("lctx_mixer.a", "float", "n_head"),
    ("lctx_mixer.dt_bias", "float", "n_head"),
    ("lctx_mixer.norm", "float", "n_norm"),
    ("lctx_mixer.skip", "float", "n_head"),
    ("lctx_mixer.w_r", "any", "n_head*d_k d_model"),
    ("lctx_mixer.w_k", "any", "n_head*d_k d_model"),
    ("lctx_mixer.w_v", "any", "n_head*d_k d_model"),
    ("lctx_mixer.shift", "float", "6 d_model"),
    ("lctx_mixer.ffn_shift", "float", "d_model"),
    ("lctx_mixer.k_k", "float", "n_head*d_k"),
    ("lctx_mixer.k_a", "float", "n_head*d_k"),
    ("lctx_mixer.r_k", "float", "n_head*d_k"),
    ("lctx_mixer.norm_bias", "float", "n_head*d_v"),
    ("lctx_layer.attn_norm", "any", "d_model"),
    ("lctx_layer.wq", "any", "n_head*head_dim d_model"),
    ("lctx_layer.wk", "any", "n_head_kv*head_dim d_model"),
    ("lctx_layer.wv", "any", "n_head_kv*head_dim d_model"),
    ("lctx_layer.wo", "any", "d_model n_head*head_dim"),
    ("lctx_layer.bq", "any", "n_head*head_dim"),
    ("lctx_layer.bk", "any", "n_head_kv*head_dim"),
    ("lctx_layer.bv", "any", "n_head_kv*head_dim"),
    ("lctx_layer.bo", "any", "d_model"),
    ("lctx_layer.attn_gate", "any", "n_head*head_dim d_model"),
    ("lctx_layer.q_norm", "any", "head_dim"),
    ("lctx_layer.k_norm", "any", "head_dim"),
    ("lctx_layer.ffn_norm", "any", "d_model"),
    ("lctx_layer.w_gate", "any", "n_expert? d_ff d_model"),
    ("lctx_layer.w_up", "any", "n_expert? d_ff d_model"),
    ("lctx_layer.w_down", "any", "n_expert? d_model d_ff"),
    ("lctx_layer.b_gate", "any", "n_expert? d_ff"),
    ("lctx_layer.b_up", "any", "n_expert? d_ff"),
    ("lctx_layer.b_down", "any", "n_expert? d_model"),
    ("lctx_layer.attn_post_norm", "any", "d_model"),
    ("lctx_layer.ffn_post_norm", "any", "d_model"),
    ("lctx_layer.router", "any", "n_expert d_model"),
    ("lctx_layer.b_router", "any", "n_expert"),
    ("lctx_layer.shared_gate", "any", "d_ff_shared d_model"),
    ("lctx_layer.shared_up", "any", "d_ff_shared d_model"),
    ("lctx_layer.shared_down", "any", "d_model d_ff_shared"),
    ("lctx_layer.shared_router", "any", "d_model"),
    ("lctx_layer.sink_logit", "float", "n_head"),
    ("lctx_layer.attn_norm_bias", "float", "d_model"),
    ("lctx_layer.ffn_norm_bias", "float", "d_model"),
    ("lctx_model.tok_embd", "any", "n_vocab d_model"),
    ("lctx_model.output_norm", "any", "d_model"),
    ("lctx_model.output", "any", "n_vocab d_model"),
    ("lctx_model.layers", "lctx_layer", "n_layer"),
    ("lctx_model.embd_norm", "any", "d_model"),
    ("lctx_model.embd_norm_bias", "float", "d_model"),
    ("lctx_model.output_norm_bias", "float", "d_model"),
];

extern "C" {
    /// Creates an empty pool; its own bytes do not count. Errors: LCTX_E_COUNT, _MEMORY.
    pub fn lctx_pool_create(desc: *const PoolDesc, pool: *mut *mut Pool) -> Status;
    /// Frees a pool and gives its memory back; null is fine. No other call may use it meanwhile. Errors:
    /// LCTX_E_IN_USE: an object that it serves is still there; the pool is as before then.
    pub fn lctx_pool_free(pool: *mut Pool) -> Status;
    /// The allocator for objects and data of yours; the pool must outlive them.
    pub fn lctx_pool_allocator(pool: *mut Pool, alloc: *mut Allocator) -> Status;
    /// Gives all spare memory back to the allocator that it came from.
    pub fn lctx_pool_trim(pool: *mut Pool) -> Status;
    pub fn lctx_pool_get_info(pool: *mut Pool, info: *mut PoolInfo) -> Status;
    /// Starts n_threads - 1 threads, or as many as the system gives; without LCTX_PTHREADS none: loops
    /// are OpenMP's then, or their caller's. Errors: LCTX_E_THREADS, _COUNT (spin below -1), _MEMORY.
    pub fn lctx_threads_create(desc: *const ThreadsDesc, threads: *mut *mut Threads) -> Status;
    /// Ends and joins them; null is fine. No loop may be running.
    pub fn lctx_threads_free(threads: *mut Threads);
    /// The hook to lend to calls, which the threads must outlive; its n_threads may be lowered.
    pub fn lctx_threads_parallel(threads: *mut Threads, par: *mut Parallel) -> Status;
    pub fn lctx_version() -> u32;
    pub fn lctx_status_text(status: Status) -> *const c_char;
    /// "lctx_span[3].k_type: an element type ...", cut to size bytes, 0 at the end; its whole
    /// length.
    pub fn lctx_refusal_text(refused: *const Refusal, text: *mut c_char, size: usize) -> usize;
    /// sizeof a public struct by its name, e.g. "lctx_attn", as the implementation was compiled; 0 for
    /// an unknown name. Bindings compare it with their own at load time.
    pub fn lctx_sizeof(name: *const c_char) -> usize;
    /// The instruction set in use. The best that the CPU has is taken at first use, capped by the
    /// environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    /// Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    pub fn lctx_isa_get() -> Isa;
    /// The instruction set in use. The best that the CPU has is taken at first use, capped by the
    /// environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    /// Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    pub fn lctx_isa_set(isa: Isa) -> Status;
    /// The instruction set in use. The best that the CPU has is taken at first use, capped by the
    /// environment's LCTX_ISA. set is for tests and comparisons; not while other calls run.
    /// Errors: LCTX_E_ISA. name gives "scalar", "avx2", ...; null for an unknown value.
    pub fn lctx_isa_name(isa: Isa) -> *const c_char;
    /// Bytes of one element; 0 for types of blocks, for LCTX_I4 (half a byte) and unknown types.
    pub fn lctx_type_size(r#type: Type) -> usize;
    /// "f32", "f16", "bf16", "int8", "int4", "q8_0", "q4_0", "q4_k", ...; null for an unknown
    /// type.
    pub fn lctx_type_name(r#type: Type) -> *const c_char;
    /// n elements from f32 to type and back. Rounding is to nearest even; f16 overflow gives infinity,
    /// NaN stays NaN. For LCTX_I8 the n elements are one row: *scale = max|src| / 127 is written (read
    /// by to_f32), and dst = round(src / scale); otherwise scale may be null. A row with a NaN or
    /// infinity gets a NaN scale, one of which all is below 2^-143 scale 0. Of blocks there is only the
    /// way back, of n elements that are whole blocks. src and dst must not overlap. Errors:
    /// LCTX_E_COUNT, _TYPE.
    pub fn lctx_from_f32(r#type: Type, n: i64, src: *const f32, dst: *mut c_void, scale: *mut f32)
        -> Status;
    /// n elements from f32 to type and back. Rounding is to nearest even; f16 overflow gives infinity,
    /// NaN stays NaN. For LCTX_I8 the n elements are one row: *scale = max|src| / 127 is written (read
    /// by to_f32), and dst = round(src / scale); otherwise scale may be null. A row with a NaN or
    /// infinity gets a NaN scale, one of which all is below 2^-143 scale 0. Of blocks there is only the
    /// way back, of n elements that are whole blocks. src and dst must not overlap. Errors:
    /// LCTX_E_COUNT, _TYPE.
    pub fn lctx_to_f32(r#type: Type, n: i64, src: *const c_void, scale: *const f32, dst: *mut f32)
        -> Status;
    /// Computes a schedule, in double: each frequency within 5e-15 of the formula's, relatively. Errors:
    /// LCTX_E_ENUM, _N_ROT, _THETA, _FACTOR, _ORIG_CTX, _CTX, _BETA, _FREQ_FACTOR, _MSCALE,
    /// _TABLE, _TABLE_SIZE, _N_HAT, _XPOS; *rope is untouched then. Nothing is clamped silently.
    pub fn lctx_rope_init(rope: *mut Rope, desc: *const RopeDesc) -> Status;
    /// cos[n_rot/2] and sin[n_rot/2] of one position, 0 <= pos < 2^48, attention factor included, xPos
    /// not: right to float rounding up to 2^24; beyond, the angle is off by up to its 2^-53 and what the
    /// frequency is off, at 2^40 by 0.005 radians at most. Errors: LCTX_E_POS, a schedule's.
    pub fn lctx_rope_cos_sin(rope: *const Rope, pos: i64, cos: *mut f32, sin: *mut f32) -> Status;
    /// xPos of one position: growth[n_rot/2], zeta_i^((pos - c)/xpos_base) of a query's pairs and its
    /// inverse of a key's; all 1 without xPos. They stay within 2^+-116 up to LCTX_XPOS_REACH *
    /// xpos_base positions from the centre (32768 for 512), so that elements of size 5000 do not
    /// overflow in f32; positions farther out are refused. Keep keys as f32 or bf16: with base 512, f16
    /// overflows from 4500 positions off the centre on, and int8 has one scale for a row whose pairs
    /// grow apart. Errors: LCTX_E_ENUM, _POS, _XPOS_FAR, a schedule's.
    pub fn lctx_rope_xpos(rope: *const Rope, side: RopeSide, pos: i64, growth: *mut f32) -> Status;
    /// Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
    /// may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
    /// pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
    /// learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
    /// only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
    /// _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then.
    pub fn lctx_rope_apply(rope: *const Rope, job: *const RopeJob) -> Status;
    /// Critical dimension: the first dim of n_rot dimensions have turned once within L,
    ///     dim = 2 ceil(d/2 log_b(L / 2pi)), and n_rot where that is larger: all have.
    pub fn lctx_rope_critical_dim(n_rot: i32, theta: f64, orig_ctx: f64, dim: *mut i32) -> Status;
    /// The context that a larger base can carry after tuning, the period of the last dimension that had
    /// turned once: ctx = 2pi new_theta^(dim/n_rot), dim as above; infinite where dim is n_rot: no pair
    /// sets a bound then. new_theta 0 = theta, the model as it is: a little above L.
    /// Errors also: LCTX_E_THETA where new_theta is below theta.
    pub fn lctx_rope_reach(n_rot: i32, theta: f64, orig_ctx: f64, new_theta: f64, ctx: *mut f64) ->
        Status;
    /// What to change for a context of ctx >= L tokens. new_theta: the base to tune with (ABF),
    /// b^(log(ctx/2pi) / log(L/2pi)); lctx_rope_reach of it is at least ctx. factor: ctx / L, for the
    /// schemes that interpolate; ntk_factor: the factor that gives NTK that base. Outputs may be null.
    /// Errors also: LCTX_E_CTX, LCTX_E_N_ROT (ntk_factor needs a second pair).
    pub fn lctx_rope_advise(n_rot: i32, theta: f64, orig_ctx: f64, ctx: f64, new_theta: *mut f64,
        factor: *mut f64, ntk_factor: *mut f64) -> Status;
    /// Smaller bases extrapolate too, without a sharp bound, the better the more of a turn every pair
    /// makes within the L tokens of tuning: theta[0] = 2L/pi a quarter, theta[1] = L/pi half,
    /// theta[2] = L/2pi a whole one. Errors: LCTX_E_ORIG_CTX.
    pub fn lctx_rope_small_thetas(orig_ctx: f64, theta: *mut f64) -> Status;
    /// How many pairs are incomplete within ctx positions: those of a wavelength 2pi/|freq| above it.
    /// wavelength[n_rot/2] (infinite where freq is 0) may be null. Errors: LCTX_E_CTX, a schedule's.
    pub fn lctx_rope_incomplete(rope: *const Rope, ctx: f64, n_pairs: *mut i32, wavelength: *mut
        f64) -> Status;
    /// Bytes of scratch that lctx_attend needs for this descriptor; q, out, lse and the spans' k and v
    /// may still be null. Independent of the number of keys but for a logarithm, and the bits of lists.
    /// Reads the descriptor, its spans, rule, schedule and pattern, in time by their number, but none of
    /// q_pos, q_group, k_pos and list: what is wrong there, lctx_attend says. Errors: as lctx_attend.
    pub fn lctx_attend_size(attn: *const Attn, bytes: *mut usize) -> Status;
    /// Attention. scratch: at least lctx_attend_size bytes, any alignment; not shared between calls that
    /// run at once.
    /// Mass is the weight that each key received: a second pass over the keys, once all lse are known,
    /// that costs what the scores did. Weights are added one by one, in the order of queries and within
    /// each of heads: the same bits for any threads, splits and chunks of queries in order. Right to
    /// about 2^-23 (1 + |lse|) of each weight. Masked keys get nothing; sink logits their share.
    /// Errors: LCTX_E_COUNT, _OVERFLOW, _ENUM, _TYPE, _HEADS, _HEAD_DIM, _STRIDE, _SCALE, _SPAN,
    /// _WINDOW, _LENGTH, _DILATION, _LOCAL, _GLOBAL, _GROUP, _LIST, _FAR_RULE, _XPOS_FAR, _SOFTCAP,
    /// _POS, _THREADS, _SCRATCH, _CANCELLED, a schedule's.
    pub fn lctx_attend(attn: *const Attn, scratch: *mut c_void, scratch_bytes: usize) -> Status;
    /// list: [n_list][list_heads][list_len], to be handed to the call. Scratch is O(threads x blocks);
    /// size needs neither queries nor rows nor scores. Errors: those of lctx_attend_size, LCTX_E_ENUM,
    /// _COUNT, _WINDOW, _TYPE (of a span), _POLICY (raw keys), _LIST (list_len has no room for what is
    /// always read), _SCRATCH.
    pub fn lctx_choose_size(attn: *const Attn, choice: *const Choice, bytes: *mut usize) -> Status;
    /// list: [n_list][list_heads][list_len], to be handed to the call. Scratch is O(threads x blocks);
    /// size needs neither queries nor rows nor scores. Errors: those of lctx_attend_size, LCTX_E_ENUM,
    /// _COUNT, _WINDOW, _TYPE (of a span), _POLICY (raw keys), _LIST (list_len has no room for what is
    /// always read), _SCRATCH.
    pub fn lctx_choose(attn: *const Attn, choice: *const Choice, list: *mut i32, scratch: *mut
        c_void, scratch_bytes: usize) -> Status;
    /// Merges partial results over disjoint sets of keys: rows of d_v values, normalised, and their lse.
    ///     m = max_p lse_p;  w_p = exp(lse_p - m);  out = sum w_p out_p / sum w_p;  lse = m + ln sum w_p
    /// out and lse_out may be those of a part (in place); lse_out may be null. Parts with lse = -inf
    /// count nothing. Use sink_logit in one part only. Errors: LCTX_E_COUNT, _HEAD_DIM.
    pub fn lctx_merge(n_rows: i64, d_v: i32, n_parts: i32, out_parts: *const *const f32, lse_parts:
        *const *const f32, out: *mut f32, lse_out: *mut f32) -> Status;
    /// ALiBi slopes: 2^(-8(h+1)/n) for n a power of two; else those of the power of two below, then
    /// every second one of twice that power (2108.12409, authors' code). Errors: LCTX_E_HEADS.
    pub fn lctx_alibi_slopes(n_head: i32, slopes: *mut f32) -> Status;
    /// Bytes of a store; mem may be null. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    pub fn lctx_tiles_size(tiles: *const Tiles, bytes: *mut usize) -> Status;
    /// Packs rows as tokens first .. first+n-1; others are untouched. LCTX_I4 keys go by whole tiles:
    /// first % LCTX_TILE = 0, and what the last held beyond is lost. Errors: as size, _SPAN, _STRIDE.
    pub fn lctx_tiles_write(tiles: *const Tiles, first: i64, rows: *const Rows) -> Status;
    /// Unpacks n tokens into k[n][n_head_kv][d_k] and v[n][n_head_kv][d_v], either may be null.
    pub fn lctx_tiles_read(tiles: *const Tiles, first: i64, n: i64, k: *mut f32, v: *mut f32) ->
        Status;
    /// A span over tokens first .. first+n-1 of a store, at position pos. Errors: as above.
    pub fn lctx_tiles_span(tiles: *const Tiles, first: i64, n: i64, pos: i64, span: *mut Span) ->
        Status;
    /// Takes n tokens; size says with how much scratch, by d_k and threads alone, where arrays may still
    /// be null. None may overlap but state and from. Errors: LCTX_E_COUNT, _HEADS, _HEAD_DIM,
    /// _DECAY, _SOFTCAP (scale), _STRIDE, _OVERFLOW, _POS, _THREADS, _SCRATCH; nothing is touched.
    pub fn lctx_recur_size(r: *const Recurrence, bytes: *mut usize) -> Status;
    /// Takes n tokens; size says with how much scratch, by d_k and threads alone, where arrays may still
    /// be null. None may overlap but state and from. Errors: LCTX_E_COUNT, _HEADS, _HEAD_DIM,
    /// _DECAY, _SOFTCAP (scale), _STRIDE, _OVERFLOW, _POS, _THREADS, _SCRATCH; nothing is touched.
    pub fn lctx_recur(r: *const Recurrence, scratch: *mut c_void, scratch_bytes: usize) -> Status;
    /// The causal convolution before most of these, channel by channel, with the same promises:
    ///     y_t = act(bias + sum over j of weight[j] x_{t - taps + 1 + j}),  act(z) = z or z / (1 + e^-z)
    /// Errors: LCTX_E_COUNT, _TAPS, _STRIDE, _OVERFLOW, _POS, _THREADS.
    pub fn lctx_convolve(c: *const Convolution) -> Status;
    /// Creates an empty cache; free takes null too. Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM,
    /// _ENUM, _WINDOW, _OVERFLOW, _MEMORY.
    pub fn lctx_cache_create(desc: *const CacheDesc, cache: *mut *mut Cache) -> Status;
    /// How many tokens, by whole tiles, fit into so many bytes (summaries, accounts of mass and open
    /// keys apart). Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    pub fn lctx_cache_tokens(desc: *const CacheDesc, bytes: i64, tokens: *mut i64) -> Status;
    /// How many tokens, by whole tiles, fit into so many bytes (summaries, accounts of mass and open
    /// keys apart). Errors: LCTX_E_COUNT, _TYPE, _HEAD_DIM, _OVERFLOW.
    pub fn lctx_cache_free(cache: *mut Cache);
    /// Appends rows at positions info.n .. info.n + rows->n - 1, keys already rotated to them, or raw if
    /// every attention over this cache is to be given lctx_attn.rope. Blocks that no query at or after
    /// info.n can see are dropped. (Under LCTX_HEAVY that takes memory, or waits for the next append.)
    /// Errors: LCTX_E_COUNT, _STRIDE, _SPAN (values for a latent cache), _FULL, _POS, _MEMORY.
    pub fn lctx_cache_append(cache: *mut Cache, rows: *const Rows) -> Status;
    /// Attention of attn's queries over the cache: fills in n_head_kv, d_k, d_v, spans, window, n_sink
    /// (which must be unset or agree) and calls lctx_attend. Under LCTX_WINDOW and LCTX_SINKS, queries
    /// must stand at or after the last append's first token (older windows may be gone: LCTX_E_EVICTED),
    /// and a pattern may have no global positions, which these would evict (LCTX_E_GLOBAL). Under
    /// LCTX_SINKS q_far is needed; with rope, and raw keys, it is not, for far_pos is filled in, and
    /// positions are those inside the cache. So are they of what a selection kept, by its number in its
    /// head: its last stands right before the tokens that follow (no n_hat then: LCTX_E_N_HAT). Under
    /// LCTX_HEAVY, mass goes to the cache's own account unless attn.mass is given; a query is to be
    /// attended once. With 4-bit keys queries are attended tile by tile, and progress is told of these;
    /// there the size reads q_pos. Errors: those of lctx_attend, and LCTX_E_EVICTED.
    pub fn lctx_cache_attend_size(cache: *const Cache, attn: *const Attn, bytes: *mut usize) ->
        Status;
    /// Attention of attn's queries over the cache: fills in n_head_kv, d_k, d_v, spans, window, n_sink
    /// (which must be unset or agree) and calls lctx_attend. Under LCTX_WINDOW and LCTX_SINKS, queries
    /// must stand at or after the last append's first token (older windows may be gone: LCTX_E_EVICTED),
    /// and a pattern may have no global positions, which these would evict (LCTX_E_GLOBAL). Under
    /// LCTX_SINKS q_far is needed; with rope, and raw keys, it is not, for far_pos is filled in, and
    /// positions are those inside the cache. So are they of what a selection kept, by its number in its
    /// head: its last stands right before the tokens that follow (no n_hat then: LCTX_E_N_HAT). Under
    /// LCTX_HEAVY, mass goes to the cache's own account unless attn.mass is given; a query is to be
    /// attended once. With 4-bit keys queries are attended tile by tile, and progress is told of these;
    /// there the size reads q_pos. Errors: those of lctx_attend, and LCTX_E_EVICTED.
    pub fn lctx_cache_attend(cache: *mut Cache, attn: *const Attn, scratch: *mut c_void,
        scratch_bytes: usize) -> Status;
    /// Where q_far is rotated to: min(pos, n_sink + window - 1) under LCTX_SINKS, else pos.
    pub fn lctx_cache_far_pos(cache: *const Cache, pos: i64) -> i64;
    /// The spans that attention of the next token sees, in order; *n gets their number (at most that
    /// many are written, cap allows). Valid until the cache changes. Errors: LCTX_E_COUNT.
    pub fn lctx_cache_spans(cache: *const Cache, spans: *mut Span, cap: i64, n: *mut i64) -> Status;
    /// Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
    /// those at positions below n_sink, then those of the greatest mass, of equal ones the later.
    /// Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
    /// rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
    /// rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
    /// neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
    /// _WINDOW, _STRIDE, _OVERFLOW, _MEMORY.
    pub fn lctx_cache_select(cache: *mut Cache, select: *const Select) -> Status;
    /// Drops the tokens at positions from .. to-1 of all heads; the others keep their positions and
    /// bits. Those before the range are compacted, so it takes time by their number, and afterwards one
    /// can rewind to `to`. lctx_cache_spans tells what is left. LCTX_FULL and LCTX_HEAVY.
    /// Errors: LCTX_E_POLICY, _POS, _EVICTED (heads hold more and less of it), _MEMORY.
    pub fn lctx_cache_drop(cache: *mut Cache, from: i64, to: i64) -> Status;
    /// Lets an empty cache begin at pos, as if the tokens before had been dropped; with 4-bit keys pos %
    /// LCTX_TILE = 0. Errors: LCTX_E_POLICY (a window's), _POS (also: not empty), _FULL, _MEMORY.
    pub fn lctx_cache_begin(cache: *mut Cache, pos: i64) -> Status;
    /// Appends what another cache of the same allocator and description, but for max_tokens, holds,
    /// which must begin where this one ends (lctx_cache_begin, or lctx_cache_drop in a fork): so parts
    /// of a sequence may be computed apart. Blocks are shared, but for one that both hold part of, and
    /// mass is taken over. 4-bit keys are joined between tiles (else _POS). Errors: LCTX_E_POLICY (a
    /// window's), _MISMATCH, _POS, _EVICTED (a selection was made from the other), _FULL, _MEMORY.
    pub fn lctx_cache_join(cache: *mut Cache, other: *const Cache) -> Status;
    /// Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
    /// Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
    /// a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
    /// of the first n_sink tokens and of the last `window` that there are up to the query; of those
    /// between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
    /// with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
    /// touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
    /// agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
    /// what one reads, and its bits, do not depend on the others in the call. attn and errors: as
    /// lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
    /// _LIST (attn has one).
    pub fn lctx_cache_retrieve_size(cache: *const Cache, attn: *const Attn, retrieve: *const
        Retrieve, bytes: *mut usize) -> Status;
    /// Attention that reads only those blocks whose keys may score highest (Quest 2406.10774; kNN of
    /// Memorizing Transformers 2203.08913, by blocks), out of a cache LCTX_FULL with summaries: all that
    /// a selection or drop kept, with a block that it cut into as far as they share numbers; the blocks
    /// of the first n_sink tokens and of the last `window` that there are up to the query; of those
    /// between, in each KV head the n_top with the greatest bound. Over what is read attention is exact:
    /// with every block, the bits of lctx_cache_attend. Of what is not read the summary alone is
    /// touched: blocks may lie in a mapped file, by the cache's allocator. Queries at positions that
    /// agree in position / queries (with q_pos, so many in order) share their blocks; by `queries` 1
    /// what one reads, and its bits, do not depend on the others in the call. attn and errors: as
    /// lctx_cache_attend's, and LCTX_E_POLICY (not LCTX_FULL with summaries; raw keys), _WINDOW, _COUNT,
    /// _LIST (attn has one).
    pub fn lctx_cache_retrieve(cache: *const Cache, attn: *const Attn, retrieve: *const Retrieve,
        scratch: *mut c_void, scratch_bytes: usize) -> Status;
    /// What it goes by, for choices of one's own (lctx_choose by LCTX_SCORE_BOUND): full blocks' least
    /// (k) and greatest (v) of each dimension of their keys, a span of one row a block, whose number is
    /// its index. As lctx_cache_spans. Errors: LCTX_E_COUNT, _POLICY.
    pub fn lctx_cache_summaries(cache: *const Cache, spans: *mut Span, cap: i64, n: *mut i64) ->
        Status;
    /// Forgets the tokens n and after. Under LCTX_HEAVY, what their queries gave stays on the account of
    /// mass, but for those of the last append. 4-bit keys can be cut within a tile from info.rewind_min
    /// on; before, n is a multiple of LCTX_TILE. Errors: LCTX_E_POS (n beyond the end), _EVICTED
    /// (n below info.rewind_min: a window that ends there is gone, or the keys of its tile are).
    pub fn lctx_cache_rewind(cache: *mut Cache, n: i64) -> Status;
    /// A second cache with the same contents: blocks are shared until written. Errors:
    /// LCTX_E_MEMORY.
    pub fn lctx_cache_fork(cache: *const Cache, fork: *mut *mut Cache) -> Status;
    pub fn lctx_cache_get_info(cache: *const Cache, info: *mut CacheInfo) -> Status;
    /// Writes the cache to a stream, and reads it back into one of the same description, but for
    /// max_tokens and summaries. The format is versioned and checksummed, native layout, in the order of
    /// bytes that the machine has (_FORMAT elsewhere). restore replaces the contents. Errors: LCTX_E_IO,
    /// _FORMAT, _MISMATCH, _FULL, _MEMORY.
    pub fn lctx_cache_save(cache: *const Cache, write: Write, user: *mut c_void) -> Status;
    /// Writes the cache to a stream, and reads it back into one of the same description, but for
    /// max_tokens and summaries. The format is versioned and checksummed, native layout, in the order of
    /// bytes that the machine has (_FORMAT elsewhere). restore replaces the contents. Errors: LCTX_E_IO,
    /// _FORMAT, _MISMATCH, _FULL, _MEMORY.
    pub fn lctx_cache_restore(cache: *mut Cache, read: Read, user: *mut c_void) -> Status;
    /// Checks a model, but no values. Errors: LCTX_E_SHAPE, _HEADS, _HEAD_DIM, _WEIGHT, _TYPE, _SCALE,
    /// _WINDOW, _SOFTCAP, a schedule's, a pattern's (_ENUM, _LENGTH, _DILATION, _LOCAL, _GLOBAL).
    pub fn lctx_model_check(model: *const Model) -> Status;
    /// Creates a session. The model struct is copied; its layers, ropes and weights are borrowed and
    /// must outlive the session; many sessions may share them. Errors: those of lctx_model_check,
    /// lctx_rope_init and lctx_cache_create, LCTX_E_THREADS, _COUNT, _N_HAT, _FAR_RULE, _POLICY (raw
    /// keys with n_read, parts or n_read not under LCTX_FULL), _WINDOW, _TYPE (parts with 4-bit keys),
    /// _GLOBAL (a pattern's, in a layer that evicts). free takes null too.
    pub fn lctx_session_create(model: *const Model, desc: *const SessionDesc, session: *mut *mut
        Session) -> Status;
    /// Creates a session. The model struct is copied; its layers, ropes and weights are borrowed and
    /// must outlive the session; many sessions may share them. Errors: those of lctx_model_check,
    /// lctx_rope_init and lctx_cache_create, LCTX_E_THREADS, _COUNT, _N_HAT, _FAR_RULE, _POLICY (raw
    /// keys with n_read, parts or n_read not under LCTX_FULL), _WINDOW, _TYPE (parts with 4-bit keys),
    /// _GLOBAL (a pattern's, in a layer that evicts). free takes null too.
    pub fn lctx_session_free(session: *mut Session);
    /// Feeds n >= 1 tokens: prompt, part of a prompt or the next token, all the same. logits:
    /// LAST [n_vocab], ALL [n][n_vocab], NONE may be null. Errors: LCTX_E_COUNT, _ENUM, _TOKEN,
    /// _FULL, _POS, _XPOS_FAR, _MEMORY, _NAN, _IO (join), _CANCELLED; logits are unspecified then.
    pub fn lctx_session_feed(session: *mut Session, tokens: *const i32, n: i64, which: Logits,
        logits: *mut f32) -> Status;
    /// Feeds n_session sessions over one model n[i] >= 1 tokens each, tokens[i][n[i]]: to the same bits
    /// as one by one, but the weights are read once for all. logits are those of the feeds, one behind
    /// the other: LAST [n_session][n_vocab], ALL [n[0] + n[1] + ...][n_vocab]. The first session's
    /// chunk, threads and progress hold; on an error all sessions are as before, and the one at fault,
    /// or else the first, has the refusal. No other call may use any of them meanwhile. Errors: those of
    /// lctx_session_feed; LCTX_E_MISMATCH: over another model, with another precise, or twice.
    pub fn lctx_session_feed_many(sessions: *const *mut Session, n_session: i64, tokens: *const
        *const i32, n: *const i64, which: Logits, logits: *mut f32) -> Status;
    /// Forgets the tokens n and after, in all layers. Errors: LCTX_E_POS (beyond the end),
    /// _EVICTED (below info.rewind_min: see lctx_cache_rewind, of any layer; of mixers there is no
    /// snapshot of n, as none survives that a later one replaced, in a feed that failed, too).
    pub fn lctx_session_rewind(session: *mut Session, n: i64) -> Status;
    /// A second session with the same contents over the same model; cached blocks are shared until one
    /// side writes into them. It may live on another thread. Errors: LCTX_E_MEMORY.
    pub fn lctx_session_fork(session: *const Session, fork: *mut *mut Session) -> Status;
    pub fn lctx_session_get_info(session: *const Session, info: *mut SessionInfo) -> Status;
    /// What a layer holds, until the session changes; null of a mixer. Errors: LCTX_E_COUNT
    /// (layer).
    pub fn lctx_session_cache(session: *const Session, layer: i32, cache: *mut *const Cache) ->
        Status;
    /// Writes what the session has cached to a stream (no weights), and reads it back into a session
    /// over a model of the same shape with the same cache settings: it then goes on with the same bits.
    /// Errors: LCTX_E_IO, _FORMAT, _MISMATCH, _FULL, _MEMORY.
    pub fn lctx_session_save(session: *const Session, write: Write, user: *mut c_void) -> Status;
    /// Writes what the session has cached to a stream (no weights), and reads it back into a session
    /// over a model of the same shape with the same cache settings: it then goes on with the same bits.
    /// Errors: LCTX_E_IO, _FORMAT, _MISMATCH, _FULL, _MEMORY.
    pub fn lctx_session_restore(session: *mut Session, read: Read, user: *mut c_void) -> Status;
    /// Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    /// after them, which lctx_session_desc has; it does not change any more once the session has passed
    /// them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    /// save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    /// they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    /// is a page saved from a session over the same model with the same types and block, at a multiple
    /// of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    /// rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    /// a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    /// a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    /// mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    /// _FORMAT (`from` is no multiple of 64).
    pub fn lctx_session_page_size(session: *const Session, bytes: *mut usize) -> Status;
    /// Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    /// after them, which lctx_session_desc has; it does not change any more once the session has passed
    /// them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    /// save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    /// they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    /// is a page saved from a session over the same model with the same types and block, at a multiple
    /// of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    /// rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    /// a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    /// a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    /// mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    /// _FORMAT (`from` is no multiple of 64).
    pub fn lctx_session_page_save(session: *const Session, page: i64, to: *mut c_void) -> Status;
    /// Saving by pages: page p holds what all layers have cached of the tokens p * block and the `block`
    /// after them, which lctx_session_desc has; it does not change any more once the session has passed
    /// them, so saving a longer text writes only the pages that are new. page_size gives a page's bytes;
    /// save copies page p to `to`; where layers have windows, after each feed, of a chunk at most, or
    /// they may have left it. restore gives a session of p * block tokens page p, in place: `from`
    /// is a page saved from a session over the same model with the same types and block, at a multiple
    /// of 64, say in a file that is mapped private and writable (64 bytes a layer are written; what is
    /// rewound goes elsewhere). It is borrowed until the session and its forks are freed. One thread at
    /// a time may restore from a page, and nobody who uses it meanwhile. Its bytes are not checked: from
    /// a stranger's file they may be any numbers, and no more. Errors: LCTX_E_POLICY (heavy hitters, a
    /// mixer, a part), _POS (tokens that are not all there, or not the next), _EVICTED, _FULL, _MEMORY,
    /// _FORMAT (`from` is no multiple of 64).
    pub fn lctx_session_page_restore(session: *mut Session, page: i64, from: *mut c_void) -> Status;
    pub fn lctx_offsetof(field: *const c_char) -> usize;
}

fn dotted(v: u32) -> String {
    format!("{}.{}.{}", v >> 16, v >> 8 & 255, v & 255)
}

fn ask(call: unsafe extern "C" fn(*const c_char) -> usize, name: String) -> usize {
    let words = std::ffi::CString::new(name).unwrap();
    unsafe { call(words.as_ptr()) }
}

macro_rules! fields {
    ($t:ident, $name:literal: $($f:ident),*) => {
        let theirs = ask(lctx_sizeof, $name.to_string());
        if theirs != size_of::<$t>() {
            return Err(format!("{} has {} bytes there, {} here", $name, theirs, size_of::<$t>()));
        }
        let memory = MaybeUninit::<$t>::uninit();
        let base = memory.as_ptr();
        $(
            let field = concat!($name, ".", stringify!($f)).replace("r#", "");
            let ours = unsafe { addr_of!((*base).$f) as usize } - base as usize;
            let theirs = ask(lctx_offsetof, field.clone());
            if theirs != ours {
                return Err(format!("{} stands at {} there, {} here", field, theirs, ours));
            }
        )*
    };
}

/// Says what the library that was found has otherwise: its version, a size or an offset.
pub fn check() -> Result<(), String> {
    let version = unsafe { lctx_version() };
    if version != VERSION {
        let (theirs, ours) = (dotted(version), dotted(VERSION));
        return Err(format!("the library is of version {}, this crate of {}", theirs, ours));
    }
    fields!(Refusal, "lctx_refusal": status, reserved, r#type, field, index, element);
    fields!(Allocator, "lctx_allocator": alloc, free, user);
    fields!(PoolDesc, "lctx_pool_desc": max_bytes, alloc, refused);
    fields!(PoolInfo, "lctx_pool_info": max_bytes, bytes_used, bytes_spare, bytes_peak, n_used);
    fields!(Parallel, "lctx_parallel": run, user, n_threads, reserved);
    fields!(ThreadsDesc, "lctx_threads_desc": n_threads, spin, alloc, refused);
    fields!(RopeDesc, "lctx_rope_desc": scheme, pairing, n_rot, no_truncate, theta, factor, orig_ctx, ctx, beta_fast, beta_slow, attn_factor, mscale, mscale_all_dim, low_freq, high_freq, freq, short_factor, long_factor, n_freq, n_short, n_long, reserved, short_mscale, long_mscale, n_hat, xpos_base, xpos_center, refused);
    fields!(Rope, "lctx_rope": n_rot, pairing, attn_factor, scale_mul, freq, plain, n_hat, xpos_base, xpos_center);
    fields!(RopeJob, "lctx_rope_job": n_tok, n_head, head_dim, x, x_token, x_head, out, out_token, out_head, pos, pos0, par, cos, cos_token, sin, sin_token, side, reserved, refused);
    fields!(Span, "lctx_span": k, v, k_type, v_type, layout, skip, n, pos, index, query, group, k_token, k_head, v_token, v_head, k_scale, v_scale, k_scale_token, k_scale_head, v_scale_token, v_scale_head, k_pos, k_pos_head);
    fields!(Pattern, "lctx_pattern": kind, dilation, length, local, summary, back, global, n_global, global0);
    fields!(FarRule, "lctx_far_rule": kind, group, window, leak);
    fields!(Attn, "lctx_attn": n_q, n_head, n_head_kv, d_k, d_v, q, q_far, q_token, q_head, q_pos, q_pos0, q_group, rope, far_rule, far_pos, spans, n_spans, out, out_token, out_head, lse, lse_token, scale, softcap, mask, n_sink, window, window_right, pattern, list, list_len, list_queries, list_first, list_heads, list_keys, mask_bits, mask_head, mask_query, alibi, sink_logit, bias, bias_head, bias_query, precise, reserved, mass, mass_head, mass_queries, par, progress, progress_user, refused);
    fields!(Choice, "lctx_choice": kind, block_rows, n_top, n_sink, window, share, reserved, weight, score, refused);
    fields!(Tiles, "lctx_tiles": n_head_kv, d_k, d_v, k_type, v_type, latent, cap, mem, refused);
    fields!(Rows, "lctx_rows": n, k, v, k_token, k_head, v_token, v_head, refused);
    fields!(Snapshots, "lctx_snapshots": before, every, n, slots, slot);
    fields!(Recurrence, "lctx_recurrence": n, n_head, n_head_k, d_k, d_v, decay_kind, bounded, q, k, v, decay, rate, beta, a, b, bonus, y, state, from, q_token, q_head, k_token, k_head, v_token, v_head, decay_token, decay_head, beta_token, beta_head, a_token, a_head, b_token, b_head, bonus_head, y_token, y_head, state_head, state_k, state_v, scale, reserved, snapshots, par, refused);
    fields!(Convolution, "lctx_convolution": n, n_channel, taps, x, weight, bias, y, state, from, x_token, y_token, state_tap, silu, reserved, snapshots, par, refused);
    fields!(CacheDesc, "lctx_cache_desc": n_head_kv, d_k, d_v, k_type, v_type, policy, n_sink, block, window, n_heavy, summaries, latent, max_tokens, alloc, refused);
    fields!(CacheInfo, "lctx_cache_info": n, n_held, n_dropped, rewind_min, n_block, bytes, bytes_shared, n_kept);
    fields!(Select, "lctx_select": mass, mass_head, n_heavy, window, n_sink, pool, refused);
    fields!(Retrieve, "lctx_retrieve": n_top, window, n_sink, queries, read, refused);
    fields!(Tensor, "lctx_tensor": data, scale, r#type, reserved);
    fields!(LowRank, "lctx_low_rank": down, up, bias, rank, reserved);
    fields!(Mixer, "lctx_mixer": kind, n_head, n_head_k, d_k, d_v, taps, w_in, w_z, w_beta, w_dt, w_out, conv, conv_bias, a, dt_bias, norm, skip, w_r, w_k, w_v, w, v, rate, g, shift, ffn_shift, k_k, k_a, r_k, norm_bias);
    fields!(Layer, "lctx_layer": attn_norm, wq, wk, wv, wo, bq, bk, bv, bo, attn_gate, q_norm, k_norm, ffn_norm, w_gate, w_up, w_down, b_gate, b_up, b_down, attn_post_norm, ffn_post_norm, router, b_router, shared_gate, shared_up, shared_down, shared_router, n_expert, n_expert_used, routing, activation, d_ff, d_ff_shared, q_scale, q_scale_offset, q_scale_length, rope, window, no_rope, beside, pattern, sink_logit, mixer, attn_norm_bias, ffn_norm_bias);
    fields!(Model, "lctx_model": n_layer, n_head, n_head_kv, head_dim, d_model, d_ff, n_vocab, norm_eps, embd_scale, attn_scale, softcap, logit_softcap, tok_embd, output_norm, output, layers, rope, refused, embd_norm, embd_norm_bias, output_norm_bias);
    fields!(SessionDesc, "lctx_session_desc": k_type, v_type, policy, n_sink, window, n_heavy, n_read, read, max_tokens, block, chunk, precise, raw_keys, state_every, state_slots, reserved, part, parts, join, join_user, alloc, par, progress, progress_user, rope, far_rule, refused);
    fields!(SessionInfo, "lctx_session_info": n, n_dropped, rewind_min, cache_bytes, state_bytes, scratch_bytes, refused);
    Ok(())
}
