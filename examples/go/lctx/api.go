// Written by examples/bindings/generate.py from lctx.h; make bindings writes it anew.

package lctx

import "unsafe"

// 0xMMmmpp
const Version = 0x100
// n_threads at most
const MaxThreads = 1024
const MaxRot = 512
// xPos holds up to this many xpos_base away from the centre
const XposReach = 64
const Tile = 64
const MaxTaps = 16

type Status int32

const (
	// ok
	StatusOk Status = 0
	// a required pointer is null
	StatusENull Status = 1
	// a count is negative or zero where it may not be
	StatusECount Status = 2
	// a size or an offset overflows
	StatusEOverflow Status = 3
	// a mask, pattern, rule, policy, scheme, pairing, layout ... is unknown
	StatusEEnum Status = 4
	// an element type is unknown or not allowed here
	StatusEType Status = 5
	// n_head is not a multiple of n_head_kv
	StatusEHeads Status = 6
	// a head dimension is out of range
	StatusEHeadDim Status = 7
	// a stride is shorter than what it steps over, or no multiple of 4 or 8
	StatusEStride Status = 8
	// int8 rows come without their scales
	StatusEScale Status = 9
	// a span's range, order or query copy is invalid
	StatusESpan Status = 10
	// window, n_sink, n_heavy or pool is out of range
	StatusEWindow Status = 11
	// a pattern's length (stride, segment or block) is out of range
	StatusELength Status = 12
	// a pattern's dilation is not in 1 .. length
	StatusEDilation Status = 13
	// a pattern's local, summary or back is out of range
	StatusELocal Status = 14
	// a pattern's global positions are bad, unsorted or not kept
	StatusEGlobal Status = 15
	// the group of a span or of a query is negative
	StatusEGroup Status = 16
	// a list of keys has no valid shape, or names what is not there
	StatusEList Status = 17
	// a far_rule's window, group or leak is below 1, or rope forbids one
	StatusEFarRule Status = 18
	// softcap or scale is negative or not finite
	StatusESoftcap Status = 19
	// scratch is null or too small
	StatusEScratch Status = 20
	// n_threads is out of range
	StatusEThreads Status = 21
	StatusENRot Status = 22
	// theta (the RoPE base) must be above 1 and finite
	StatusETheta Status = 23
	// factor must be at least 1 and finite, the base it gives finite
	StatusEFactor Status = 24
	// orig_ctx is missing or invalid for this scheme
	StatusEOrigCtx Status = 25
	// ctx is not positive and finite, or a plan's is below orig_ctx
	StatusECtx Status = 26
	// beta_fast must be above beta_slow, both positive
	StatusEBeta Status = 27
	// high_freq must be above low_freq, both positive
	StatusEFreqFactor Status = 28
	// attn_factor, scale_mul or an mscale is out of range or not finite
	StatusEMscale Status = 29
	// freq, plain, short_factor or long_factor is missing or has bad values
	StatusETable Status = 30
	// n_freq, n_short or n_long is not n_rot / 2
	StatusETableSize Status = 31
	// n_hat is negative, too large, or more than stay in place
	StatusENHat Status = 32
	// xpos_base or xpos_center is invalid
	StatusEXpos Status = 33
	// a position is too far from xpos_center for f32
	StatusEXposFar Status = 34
	// a position is negative, too large or goes back
	StatusEPos Status = 35
	// the allocator gave no memory
	StatusEMemory Status = 36
	// the cache has no room for these tokens
	StatusEFull Status = 37
	// the tokens needed for that were evicted
	StatusEEvicted Status = 38
	// the cache's policy does not allow that
	StatusEPolicy Status = 39
	// a weight tensor is missing
	StatusEWeight Status = 40
	// a model dimension is invalid
	StatusEShape Status = 41
	// a token is outside the vocabulary
	StatusEToken Status = 42
	// the model gave a value that is not finite
	StatusENan Status = 43
	// a read, write or join callback failed or ended early
	StatusEIo Status = 44
	// saved data is not of this format or is damaged
	StatusEFormat Status = 45
	// saved data, a cache or a session does not go with the other
	StatusEMismatch Status = 46
	// the progress callback asked to stop
	StatusECancelled Status = 47
	// this CPU or this build lacks that instruction set
	StatusEIsa Status = 48
	// memory of the pool is still in use
	StatusEInUse Status = 49
	// a decay is unknown, not in 0 .. 1, or not for what is given
	StatusEDecay Status = 50
	StatusETaps Status = 51
)

var namesStatus = map[Status]string{
	0: "OK",
	1: "E_NULL",
	2: "E_COUNT",
	3: "E_OVERFLOW",
	4: "E_ENUM",
	5: "E_TYPE",
	6: "E_HEADS",
	7: "E_HEAD_DIM",
	8: "E_STRIDE",
	9: "E_SCALE",
	10: "E_SPAN",
	11: "E_WINDOW",
	12: "E_LENGTH",
	13: "E_DILATION",
	14: "E_LOCAL",
	15: "E_GLOBAL",
	16: "E_GROUP",
	17: "E_LIST",
	18: "E_FAR_RULE",
	19: "E_SOFTCAP",
	20: "E_SCRATCH",
	21: "E_THREADS",
	22: "E_N_ROT",
	23: "E_THETA",
	24: "E_FACTOR",
	25: "E_ORIG_CTX",
	26: "E_CTX",
	27: "E_BETA",
	28: "E_FREQ_FACTOR",
	29: "E_MSCALE",
	30: "E_TABLE",
	31: "E_TABLE_SIZE",
	32: "E_N_HAT",
	33: "E_XPOS",
	34: "E_XPOS_FAR",
	35: "E_POS",
	36: "E_MEMORY",
	37: "E_FULL",
	38: "E_EVICTED",
	39: "E_POLICY",
	40: "E_WEIGHT",
	41: "E_SHAPE",
	42: "E_TOKEN",
	43: "E_NAN",
	44: "E_IO",
	45: "E_FORMAT",
	46: "E_MISMATCH",
	47: "E_CANCELLED",
	48: "E_ISA",
	49: "E_IN_USE",
	50: "E_DECAY",
	51: "E_TAPS",
}

func (x Status) String() string { return namesStatus[x] }

// Element types (see MEMORY). LCTX_I4 is for keys and values in native tiles alone; what follows it
// for matrices of weights alone, in blocks of 32 or (_K) 256 neighbours of a row, byte by byte as
// GGUF files have them, on machines of either order of bytes.
type Type int32

const (
	TypeF32 Type = 0
	TypeF16 Type = 1
	TypeBf16 Type = 2
	TypeI8 Type = 3
	TypeI4 Type = 4
	TypeQ80 Type = 5
	TypeQ40 Type = 6
	TypeQ4K Type = 7
	TypeQ5K Type = 8
	TypeQ6K Type = 9
	TypeMxfp4 Type = 10
)

var namesType = map[Type]string{
	0: "F32",
	1: "F16",
	2: "BF16",
	3: "I8",
	4: "I4",
	5: "Q8_0",
	6: "Q4_0",
	7: "Q4_K",
	8: "Q5_K",
	9: "Q6_K",
	10: "MXFP4",
}

func (x Type) String() string { return namesType[x] }

type Isa int32

const (
	IsaScalar Isa = 0
	// with FMA and F16C
	IsaAvx2 Isa = 1
	// F, BW, DQ, VL
	IsaAvx512 Isa = 2
	// and the dot products of BF16 and VNNI
	IsaAvx512Dot Isa = 3
	IsaNeon Isa = 4
	// and int8 dot products
	IsaNeonDot Isa = 5
	// WebAssembly's 128 bits, where the build has them (-msimd128)
	IsaWasm Isa = 6
)

var namesIsa = map[Isa]string{
	0: "SCALAR",
	1: "AVX2",
	2: "AVX512",
	3: "AVX512_DOT",
	4: "NEON",
	5: "NEON_DOT",
	6: "WASM",
}

func (x Isa) String() string { return namesIsa[x] }

type RopeScheme int32

const (
	RopeSchemePlain RopeScheme = 0
	RopeSchemeLinear RopeScheme = 1
	RopeSchemeNtk RopeScheme = 2
	RopeSchemeDynamic RopeScheme = 3
	RopeSchemeByParts RopeScheme = 4
	RopeSchemeYarn RopeScheme = 5
	RopeSchemeLlama3 RopeScheme = 6
	RopeSchemeRaw RopeScheme = 7
	RopeSchemeLongrope RopeScheme = 8
)

var namesRopeScheme = map[RopeScheme]string{
	0: "PLAIN",
	1: "LINEAR",
	2: "NTK",
	3: "DYNAMIC",
	4: "BY_PARTS",
	5: "YARN",
	6: "LLAMA3",
	7: "RAW",
	8: "LONGROPE",
}

func (x RopeScheme) String() string { return namesRopeScheme[x] }

type RopePairing int32

const (
	// (i, i + n_rot/2): NeoX, Hugging Face
	RopePairingHalf RopePairing = 0
	// (2i, 2i + 1): GPT-J, llama2.c, GGUF's llama
	RopePairingInterleaved RopePairing = 1
)

var namesRopePairing = map[RopePairing]string{
	0: "HALF",
	1: "INTERLEAVED",
}

func (x RopePairing) String() string { return namesRopePairing[x] }

type RopeSide int32

const (
	RopeSideQuery RopeSide = 0
	RopeSideKey RopeSide = 1
)

var namesRopeSide = map[RopeSide]string{
	0: "QUERY",
	1: "KEY",
}

func (x RopeSide) String() string { return namesRopeSide[x] }

// A run of n keys and values, all heads. Layouts:
// LCTX_ROWS   key j of head g stands at k + j*k_token + g*k_head, d_k elements in a row; values
//             likewise; they may be a part of the keys (v = k, its strides: latent attention, MLA).
//             Any alignment. Strides 0: [token][n_head_kv][dim] packed. int8: k_scale at
//             k_scale + j*k_scale_token + g*k_scale_head (f32; strides 0: [token][n_head_kv]).
// LCTX_TILES  the native layout (lctx_tiles below); skip of the first tile's 64 keys are before the
//             span (0 .. 63). v = k: latent tiles, which hold keys alone; the values are the first
//             d_v dimensions of them, of the keys' type (not 4 bits), d_v <= d_k.
type Layout int32

const (
	LayoutRows Layout = 0
	LayoutTiles Layout = 1
)

var namesLayout = map[Layout]string{
	0: "ROWS",
	1: "TILES",
}

func (x Layout) String() string { return namesLayout[x] }

type Mask int32

const (
	MaskCausal Mask = 0
	MaskNone Mask = 1
)

var namesMask = map[Mask]string{
	0: "CAUSAL",
	1: "NONE",
}

func (x Mask) String() string { return namesMask[x] }

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
type PatternKind int32

const (
	PatternKindAll PatternKind = 0
	PatternKindStrided PatternKind = 1
	PatternKindFixed PatternKind = 2
	PatternKindDilated PatternKind = 3
	PatternKindBlocks PatternKind = 4
)

var namesPatternKind = map[PatternKind]string{
	0: "ALL",
	1: "STRIDED",
	2: "FIXED",
	3: "DILATED",
	4: "BLOCKS",
}

func (x PatternKind) String() string { return namesPatternKind[x] }

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
type FarKind int32

const (
	FarKindNone FarKind = 0
	FarKindClamp FarKind = 1
	FarKindLeaky FarKind = 2
	FarKindGroup FarKind = 3
)

var namesFarKind = map[FarKind]string{
	0: "NONE",
	1: "CLAMP",
	2: "LEAKY",
	3: "GROUP",
}

func (x FarKind) String() string { return namesFarKind[x] }

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
type Score int32

const (
	ScoreGiven Score = 0
	ScoreBound Score = 1
	ScoreProduct Score = 2
	ScoreRelu Score = 3
)

var namesScore = map[Score]string{
	0: "GIVEN",
	1: "BOUND",
	2: "PRODUCT",
	3: "RELU",
}

func (x Score) String() string { return namesScore[x] }

type Decay int32

const (
	// w = 1
	DecayNone Decay = 0
	// decay[n][n_head]
	DecayHead Decay = 1
	// decay[n][n_head][d_k]
	DecayDim Decay = 2
	// decay[n][n_head][d_v] = dt: w = exp(dt rate) by element, v times dt (Mamba: rate = A, n_head =
	// 1, d_v = d_inner)
	DecayElement Decay = 3
)

var namesDecay = map[Decay]string{
	0: "NONE",
	1: "HEAD",
	2: "DIM",
	3: "ELEMENT",
}

func (x Decay) String() string { return namesDecay[x] }

type Policy int32

const (
	PolicyFull Policy = 0
	PolicyWindow Policy = 1
	PolicySinks Policy = 2
	PolicyHeavy Policy = 3
)

var namesPolicy = map[Policy]string{
	0: "FULL",
	1: "WINDOW",
	2: "SINKS",
	3: "HEAVY",
}

func (x Policy) String() string { return namesPolicy[x] }

// act(g, u), element by element
type Activation int32

const (
	// g / (1 + e^-g) u
	ActivationSilu Activation = 0
	// g (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3))) / 2 u
	ActivationGelu Activation = 1
	// g / (1 + e^(-1.702 g)) (u + 1), g capped at 7, u clipped to +-7
	ActivationSwigluCapped Activation = 2
	// max(g, 0) u; without w_up u = g: squared
	ActivationRelu Activation = 3
	// 1 / (1 + e^-g) u
	ActivationSigmoid Activation = 4
)

var namesActivation = map[Activation]string{
	0: "SILU",
	1: "GELU",
	2: "SWIGLU_CAPPED",
	3: "RELU",
	4: "SIGMOID",
}

func (x Activation) String() string { return namesActivation[x] }

// Weights of the n_expert_used experts of greatest r = router h + b_router, of equals the last
type Routing int32

const (
	// softmax over the chosen: as over all, made to sum to 1
	RoutingTopSoftmax Routing = 0
	// softmax over all
	RoutingSoftmax Routing = 1
	// 1 / (1 + e^-r), multiplied into the expert's h (Llama 4)
	RoutingSigmoid Routing = 2
)

var namesRouting = map[Routing]string{
	0: "TOP_SOFTMAX",
	1: "SOFTMAX",
	2: "SIGMOID",
}

func (x Routing) String() string { return namesRouting[x] }

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
type MixerKind int32

const (
	// gated delta, Qwen3-Next's
	MixerKindDelta MixerKind = 0
	// Mamba-2's, of Granite 4, Bamba ...
	MixerKindMamba2 MixerKind = 1
	// n_head_k = n_head; of what follows w_out and norm, and its own
	MixerKindRwkv7 MixerKind = 2
)

var namesMixerKind = map[MixerKind]string{
	0: "DELTA",
	1: "MAMBA2",
	2: "RWKV7",
}

func (x MixerKind) String() string { return namesMixerKind[x] }

type Logits int32

const (
	LogitsLast Logits = 0
	LogitsAll Logits = 1
	LogitsNone Logits = 2
)

var namesLogits = map[Logits]string{
	0: "LAST",
	1: "ALL",
	2: "NONE",
}

func (x Logits) String() string { return namesLogits[x] }

// What a call refused, and where it stands. A descriptor lends one (its last field, refused; null =
// none), and calls that take it fill it in: with what they refused of it or of what it points to,
// with an argument, or with a failure that no field is to blame for; else with LCTX_OK. Of two
// descriptors each tells of its own; lend both the same to look in one place. Texts are static.
// A report is for one thread at a time, and so is a descriptor that has one.
type Refusal struct {
	// lctx_status
	Status int32
	Reserved int32
	// "lctx_span": the struct; null = the call itself
	kind unsafe.Pointer
	// "k_pos": its field, or the call's argument; null = none
	field unsafe.Pointer
	// of the struct in an array, or of its layer: span 3; else -1
	Index int64
	// of the field where it is an array: position 5; else -1
	Element int64
}

// Memory for objects. alloc returns size bytes aligned to align (a power of two), or null.
// free gets what alloc gave, with its size. Both null: malloc and free. Must be thread-safe if
// objects that share memory (forks) live on several threads.
type Allocator struct {
	alloc unsafe.Pointer
	free unsafe.Pointer
	user unsafe.Pointer
}

// A pool: an allocator for many objects, the caches and sessions of many sequences, which takes at
// most max_bytes from another one for all of them. Sizes count rounded up to 64 bytes. What is
// freed stays, spare, and serves requests of its size: the blocks of caches of one shape are of one
// size, so that any spare one will do. Where a request would pass the bound, and where the other
// allocator has no more, spare memory of other sizes is given back to that one first. Only where
// that is not enough the call ends with LCTX_E_MEMORY.
// Objects of one pool may live on several threads, if the other allocator is thread-safe (which
// malloc is) and the compiler gcc or clang. The other allocator is called with no lock held.
type PoolDesc struct {
	// the bound; 0 = none
	MaxBytes int64
	// copied: where memory comes from; null = malloc
	alloc unsafe.Pointer
	// null = none, here and below
	refused unsafe.Pointer
}

type PoolInfo struct {
	// as described
	MaxBytes int64
	// in use
	BytesUsed int64
	// not in use and not given back; with bytes_used at most max_bytes
	BytesSpare int64
	// the most that was in use so far
	BytesPeak int64
	// pieces in use
	NUsed int64
}

type Parallel struct {
	run unsafe.Pointer
	user unsafe.Pointer
	NThreads int32
	Reserved int32
}

// Threads of the library's own, where it was compiled with LCTX_PTHREADS. A loop's caller is number
// 0 of them. The others look for a loop for some tens of microseconds after the last, then sleep; a
// loop wakes as many as it can use and gives its tasks one by one to those who have come. Several
// host threads may share them: while they are in a loop, one from elsewhere, or from inside a task,
// is its caller's alone. After fork() the child must neither use nor free them.
type ThreadsDesc struct {
	// the caller's counted; 0 = processors, of those it may use where compiled with _GNU_SOURCE; at
	// most LCTX_MAX_THREADS
	NThreads int32
	// looks before sleeping, 10 to 50 ns each; 0 = 3000, -1 = none
	Spin int32
	// copied; null = malloc
	alloc unsafe.Pointer
	refused unsafe.Pointer
}

// Where implementations disagree, the comment says what ours does and how to get the other.
type RopeDesc struct {
	// lctx_rope_scheme
	Scheme int32
	// lctx_rope_pairing
	Pairing int32
	// dimensions that turn, even; the rest of the head passes through
	NRot int32
	// YARN: nonzero = no floor and ceil (HF truncate: false); ggml: 0
	NoTruncate int32
	// base; 0 = 10000
	Theta float64
	// s >= 1; 0 = 1. HF's ctx / orig_ctx, which replaces a factor where a config gives the original
	// context, is yours to compute
	Factor float64
	// L, trained context; needed by DYNAMIC, BY_PARTS, YARN, LLAMA3, LONGROPE (there above 1)
	OrigCtx float64
	// DYNAMIC, LONGROPE: the length l to settle on; 0 = factor * L
	Ctx float64
	// BY_PARTS, YARN; 0 = 32
	BetaFast float64
	// 0 = 1. Where all of YaRN's ramp lies behind the last pair, all are kept, as in ggml; HF, which
	// clamps low from below and high from above only, interpolates all of them: LINEAR
	BetaSlow float64
	// any scheme's attention factor; 0 = computed. It stands alone: ggml takes its own times 0.1 ln s
	// + 1, so multiply GGUF's by that
	AttnFactor float64
	// YARN; 0 = not given. Alone it changes nothing, as in HF; DeepSeek's own code then has
	// attn_factor = 0.1 mscale ln s + 1
	Mscale float64
	// YARN; 0 = not given. Equal to mscale, the attention factor is 1 and the whole effect is
	// scale_mul. Where that was left out (some versions of HF, exllamav3), ignore scale_mul
	MscaleAllDim float64
	// LLAMA3 low_freq_factor; 0 = 1
	LowFreq float64
	// LLAMA3 high_freq_factor; 0 = 4
	HighFreq float64
	// RAW: [n_rot/2] radians per position, at most 2^512 in size
	freq unsafe.Pointer
	// LONGROPE: [n_rot/2] divisors up to orig_ctx, from 2^-512
	shortFactor unsafe.Pointer
	// LONGROPE: [n_rot/2] divisors beyond it, from 2^-512
	longFactor unsafe.Pointer
	// of these lists: n_rot/2; 0 = not checked
	NFreq int32
	// of these lists: n_rot/2; 0 = not checked
	NShort int32
	// of these lists: n_rot/2; 0 = not checked
	NLong int32
	Reserved int32
	// LONGROPE: attention factor with the short list (Phi-3.5-MoE)
	ShortMscale float64
	// ... with the long list; 0 = computed
	LongMscale float64
	// positions below it turn by f_i: LONGROPE's first tokens, of any scheme; 0 = none, as in HF.
	// Under LCTX_SINKS at most n_sink
	NHat int64
	// xPos: 512 in the paper; 0 = no xPos
	XposBase float64
	// xPos: the position c that is not scaled
	XposCenter int64
	refused unsafe.Pointer
}

// A schedule: plain data, of lctx_rope_init or filled by hand, which all that take one check. A
// schedule's errors are LCTX_E_N_ROT, _ENUM (the pairing), _TABLE, _MSCALE, _N_HAT and _XPOS.
type Rope struct {
	NRot int32
	Pairing int32
	// multiplied into cos and sin; above 0
	AttnFactor float64
	// yours to multiply into the softmax scale; above 0
	ScaleMul float64
	// [n_rot/2] radians per position
	Freq [256]float64
	// [n_rot/2] f_i, in their place at positions below n_hat
	Plain [256]float64
	NHat int64
	// 0 = no xPos
	XposBase float64
	XposCenter int64
}

// Rotates x[n_tok][n_head][head_dim] (f32) to out, of the same shape; out may be x (in place), and
// may not overlap it otherwise. Token t stands at position pos[t], in any order, or pos0 + t where
// pos is null. Dimensions n_rot .. head_dim-1 are copied. With tables of your own (several axes,
// learned angles), cos and sin [n_tok][n_rot/2], those turn token t as they are: of the schedule
// only n_rot and pairing are read, of the job no position. Errors: LCTX_E_COUNT, _ENUM, _N_ROT,
// _STRIDE, _OVERFLOW, _POS, _XPOS_FAR, _THREADS, a schedule's; nothing is written then.
type RopeJob struct {
	NTok int64
	NHead int32
	HeadDim int32
	x unsafe.Pointer
	// strides
	xToken int64
	// strides
	xHead int64
	out unsafe.Pointer
	// strides
	outToken int64
	// strides
	outHead int64
	// [n_tok] or null
	pos unsafe.Pointer
	Pos0 int64
	// null = default
	par unsafe.Pointer
	cos unsafe.Pointer
	// both or neither; strides
	cosToken int64
	sin unsafe.Pointer
	sinToken int64
	// lctx_rope_side, for xPos
	Side int32
	Reserved int32
	refused unsafe.Pointer
}

type Span struct {
	k unsafe.Pointer
	v unsafe.Pointer
	// lctx_type
	KType int32
	// lctx_type
	VType int32
	// lctx_layout
	layout int32
	// TILES: keys of the first tile before the span
	skip int32
	// keys; 0 is allowed
	N int64
	// the first key's position, the next follow by one; 0 is 0 in every span, not "after the span
	// before"
	Pos int64
	// number of the first key in the sequence, which fixes its leaf and so the bits. 0 = right after
	// the span before
	Index int64
	// 0: scored with q, 1: with q_far
	Query int32
	// seen by queries of this group and of 0; 0: by all
	Group int32
	// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
	// k_head
	kToken int64
	// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
	// k_head
	kHead int64
	// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
	// k_head
	vToken int64
	// strides, bytes; TILES: tokens' from tile to tile; 0 = packed, keys with values; v_head as
	// k_head
	vHead int64
	// ROWS of int8
	kScale unsafe.Pointer
	// ROWS of int8
	vScale unsafe.Pointer
	kScaleToken int64
	kScaleHead int64
	vScaleToken int64
	vScaleHead int64
	// [n_head_kv][n] for pos + j, not going back; or null
	kPos unsafe.Pointer
	// stride, bytes; 0 = packed, -1 = the same for all
	kPosHead int64
}

type Pattern struct {
	// lctx_pattern_kind
	Kind int32
	// DILATED: 1 .. length
	Dilation int32
	// the stride, segment or block; >= 1 but for ALL
	Length int64
	// STRIDED: keys nearer than this; 0 = length, 1 = own key
	Local int64
	// FIXED: keys at each stride's end; 0 = 1, at most length
	Summary int64
	// BLOCKS: earlier blocks that are seen, >= 0
	Back int64
	// [n_global] rising positions, or null: those from global0 on
	global unsafe.Pointer
	// keys there are seen by all, queries there see all, as far as causality and groups allow
	// (Longformer 2004.05150)
	NGlobal int64
	// keys there are seen by all, queries there see all, as far as causality and groups allow
	// (Longformer 2004.05150)
	Global0 int64
}

type FarRule struct {
	// lctx_far_kind
	Kind int32
	// GROUP: positions that count as one, >= 1
	Group int32
	// pairs nearer than this keep their distance, >= 1
	Window int64
	// LEAKY: k >= 1
	Leak float64
}

type Attn struct {
	// queries, >= 0
	NQ int64
	NHead int32
	NHeadKv int32
	// d_v 0 = d_k
	DK int32
	// d_v 0 = d_k
	DV int32
	// [n_q][n_head][d_k], rotated already unless rope is given
	q unsafe.Pointer
	// the same rotated otherwise, for spans with query 1; or null
	qFar unsafe.Pointer
	// strides of q and q_far, bytes; 0 = packed
	qToken int64
	// strides of q and q_far, bytes; 0 = packed
	qHead int64
	// [n_q] positions, or null: q_pos0 + t. Causal ones without rope may be negative: before all keys
	// a query sees nothing
	qPos unsafe.Pointer
	QPos0 int64
	// [n_q] groups seen, cheapest side by side; null or 0: all
	qGroup unsafe.Pointer
	// given: keys and queries are raw; null: rotated already
	rope unsafe.Pointer
	// with rope, one without n_hat and xPos; null = no rule
	farRule unsafe.Pointer
	// with rope: for spans of query 1 queries stand at far_pos at most, and q_far is not read; 0 = no
	// bound
	FarPos int64
	// [n_spans]
	spans unsafe.Pointer
	NSpans int64
	// [n_q][n_head][d_v]
	out unsafe.Pointer
	// strides, bytes; 0 = packed
	outToken int64
	// strides, bytes; 0 = packed
	outHead int64
	// [n_q][n_head] or null
	lse unsafe.Pointer
	// stride, bytes; 0 = packed
	lseToken int64
	// 0 = 1/sqrt(d_k), with rope times its scale_mul
	Scale float32
	// 0 = none
	Softcap float32
	// lctx_mask
	Mask int32
	// with a window: keys at positions below stay visible
	NSink int32
	// keys a query sees, its own counted; 0 = all
	Window int64
	// LCTX_MASK_NONE: keys after its own; 0 = all, -1 = none
	WindowRight int64
	// null = none
	pattern unsafe.Pointer
	// [n_list][list_heads][list_len] blocks of keys, or null
	list unsafe.Pointer
	ListLen int64
	ListQueries int64
	ListFirst int64
	ListHeads int32
	ListKeys int32
	// [n_head][n_q][n_kv] bits, rows of whole words: key j is bit j % 64 of word j / 64, 1 where it
	// may be seen; or null
	maskBits unsafe.Pointer
	// strides, bytes; 0 = packed, -1 = the same for all
	maskHead int64
	// strides, bytes; 0 = packed, -1 = the same for all
	maskQuery int64
	// [n_head] slopes or null
	alibi unsafe.Pointer
	// [n_head] or null
	sinkLogit unsafe.Pointer
	// [n_head][n_q][n_kv], added; -inf masks, and tiles all masked are not read; or null. n_kv: keys
	// of all spans in order
	bias unsafe.Pointer
	// strides, bytes; 0 = packed, -1 = the same for all
	biasHead int64
	// strides, bytes; 0 = packed, -1 = the same for all
	biasQuery int64
	// nonzero: f32 arithmetic for all types (ARITHMETIC)
	Precise int32
	Reserved int32
	// [n_head_kv][n_kv], added to; wants lse. Or null (see below)
	mass unsafe.Pointer
	// stride, bytes; 0 = packed
	massHead int64
	// only the last so many queries count, <= n_q; 0 = all
	MassQueries int64
	// null = default
	par unsafe.Pointer
	// or null; on cancelling out, lse and mass are unspecified
	progress unsafe.Pointer
	progressUser unsafe.Pointer
	refused unsafe.Pointer
}

type Choice struct {
	// lctx_score
	Kind int32
	// of spans; 0 = 1; where these are the keys, list_keys
	BlockRows int32
	// 0 = as list_len has room, -1 = none
	NTop int64
	// >= 0; window 0 = 1
	NSink int64
	// >= 0; window 0 = 1
	Window int64
	// 0 .. 1; 0 = by n_top alone
	Share float32
	Reserved int32
	// RELU: [n_q][n_head]; null = 1
	weight unsafe.Pointer
	// [n_list][list_heads][n_block], up to the last row's block: of GIVEN; else gets what was scored,
	// null = nowhere
	score unsafe.Pointer
	refused unsafe.Pointer
}

type Tiles struct {
	// d_v 0 = d_k
	NHeadKv int32
	// d_v 0 = d_k
	DK int32
	// d_v 0 = d_k
	DV int32
	// lctx_type
	KType int32
	// lctx_type
	VType int32
	// nonzero: values are the keys' first d_v dimensions, not stored; d_v <= d_k, v_type = k_type,
	// not of 4 bits
	Latent int32
	// tokens, a multiple of LCTX_TILE
	Cap int64
	// lctx_tiles_size bytes
	mem unsafe.Pointer
	refused unsafe.Pointer
}

// Rows of f32: keys [n][n_head_kv][d_k], values [n][n_head_kv][d_v], null for latent ones.
type Rows struct {
	N int64
	k unsafe.Pointer
	v unsafe.Pointer
	kToken int64
	kHead int64
	vToken int64
	vHead int64
	refused unsafe.Pointer
}

// For going back: after every `every` tokens, counted from the sequence's first however calls cut
// it, slot (tokens / every - 1) % n gets a copy of the state, to be handed in again as `from`.
type Snapshots struct {
	// tokens of the sequence before this call
	Before int64
	// >= 1
	Every int64
	// >= 1
	N int64
	// [n] states, in their strides
	slots unsafe.Pointer
	// stride, bytes; 0 = packed
	Slot int64
}

type Recurrence struct {
	// tokens, >= 0; of 0 nothing is touched
	N int64
	// states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
	NHead int32
	// states; heads of q, k, b, of n_head / n_head_k each; 0 = n_head
	NHeadK int32
	// d_v 0 = d_k
	DK int32
	// d_v 0 = d_k
	DV int32
	// lctx_decay
	DecayKind int32
	// nonzero: HEAD, DIM refuse decays outside 0 .. 1
	Bounded int32
	// [n][n_head_k][d_k] twice, [n][n_head][d_v]
	q unsafe.Pointer
	// [n][n_head_k][d_k] twice, [n][n_head][d_v]
	k unsafe.Pointer
	// [n][n_head_k][d_k] twice, [n][n_head][d_v]
	v unsafe.Pointer
	// by its kind
	decay unsafe.Pointer
	// ELEMENT: in the strides of the state
	rate unsafe.Pointer
	// [n][n_head], the delta rule: a = -beta w k, b = k, v times beta
	beta unsafe.Pointer
	// [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
	a unsafe.Pointer
	// [n][n_head][d_k], [n][n_head_k][d_k]; b null = k
	b unsafe.Pointer
	// u[n_head][d_k], without a, beta and ELEMENT: y_t = scale (S_{t-1} q_t + v_t sum of u k_t q_t)
	bonus unsafe.Pointer
	// [n][n_head][d_v]
	y unsafe.Pointer
	// [n_head][d_k][d_v], values innermost; gets the last S
	state unsafe.Pointer
	// the first S; null = state
	from unsafe.Pointer
	// strides, bytes; 0 = packed
	qToken int64
	// strides, bytes; 0 = packed
	qHead int64
	// strides, bytes; 0 = packed
	kToken int64
	// strides, bytes; 0 = packed
	kHead int64
	// strides, bytes; 0 = packed
	vToken int64
	// strides, bytes; 0 = packed
	vHead int64
	// decay_token -1: the same for all tokens
	decayToken int64
	// decay_token -1: the same for all tokens
	decayHead int64
	betaToken int64
	betaHead int64
	aToken int64
	aHead int64
	bToken int64
	bHead int64
	bonusHead int64
	yToken int64
	yHead int64
	// [d_v][d_k] takes longer, by transpositions
	stateHead int64
	// [d_v][d_k] takes longer, by transpositions
	stateK int64
	// [d_v][d_k] takes longer, by transpositions
	stateV int64
	// 0 = 1
	Scale float32
	Reserved int32
	// null = none
	snapshots unsafe.Pointer
	// null = default
	par unsafe.Pointer
	refused unsafe.Pointer
}

type Convolution struct {
	// tokens
	N int64
	NChannel int32
	Taps int32
	// [n][n_channel]
	x unsafe.Pointer
	// [n_channel][taps], the last one the token's own
	weight unsafe.Pointer
	// [n_channel] or null
	bias unsafe.Pointer
	// [n][n_channel], not x
	y unsafe.Pointer
	// [taps - 1][n_channel], the last inputs, the oldest first
	state unsafe.Pointer
	// null = state
	from unsafe.Pointer
	// strides, bytes; 0 = packed
	xToken int64
	// strides, bytes; 0 = packed
	yToken int64
	// strides, bytes; 0 = packed
	stateTap int64
	// nonzero: act(z) = z / (1 + e^-z)
	Silu int32
	Reserved int32
	snapshots unsafe.Pointer
	par unsafe.Pointer
	refused unsafe.Pointer
}

type CacheDesc struct {
	// d_v 0 = d_k
	NHeadKv int32
	// d_v 0 = d_k
	DK int32
	// d_v 0 = d_k
	DV int32
	// lctx_type
	KType int32
	// lctx_type
	VType int32
	// lctx_policy
	Policy int32
	// SINKS: >= 1; HEAVY
	NSink int32
	// tokens a block, a multiple of LCTX_TILE; 0 = 256
	Block int32
	// all but FULL: >= 1, the query's own key counted
	Window int64
	// HEAVY: >= 1, in tokens; see lctx_cache_tokens
	NHeavy int64
	// nonzero: full blocks keep the least and the greatest of each dimension of their keys, for
	// lctx_cache_retrieve
	Summaries int32
	// nonzero: as in lctx_tiles (see LATENT KEYS)
	Latent int32
	// FULL: appending beyond gives LCTX_E_FULL; 0 = no limit
	MaxTokens int64
	// copied; null = malloc
	alloc unsafe.Pointer
	// of create and tokens alone
	refused unsafe.Pointer
}

type CacheInfo struct {
	// tokens appended, less those rewound: the next position
	N int64
	// tokens in memory, of each KV head
	NHeld int64
	// tokens no longer in memory
	NDropped int64
	// lctx_cache_rewind can go back to any n from here on; and to 0
	RewindMin int64
	// blocks held, shared ones included
	NBlock int64
	// of those blocks, of open keys and of what was kept
	Bytes int64
	// of these, in memory that forks share
	BytesShared int64
	// tokens that a selection kept: the first of the spans lists them
	NKept int64
}

// Of the tokens before info.n - window, each KV head keeps n_sink + n_heavy, or all if fewer:
// those at positions below n_sink, then those of the greatest mass, of equal ones the later.
// Kept keys and values keep their positions and bits (4-bit keys leave their tile's ranges, and are
// rounded to f16 once); they are compacted into tiles of their own, whole blocks are freed. One can
// rewind to info.n - window then. At a prompt's end, with its last queries' mass (mass_queries) and
// neighbours pooled, that is SnapKV (2404.14469). LCTX_FULL and LCTX_HEAVY. Errors: LCTX_E_POLICY,
// _WINDOW, _STRIDE, _OVERFLOW, _MEMORY.
type Select struct {
	// [n_head_kv][info.n_held], span by span, as of attention; a NaN counts most. null = the cache's
	// own account (HEAVY)
	mass unsafe.Pointer
	// stride, bytes; 0 = packed
	massHead int64
	// >= 0
	NHeavy int64
	// >= 0
	Window int64
	// >= 0
	NSink int32
	// odd: tokens count with the greatest mass of so many around them, themselves included; 0 = 1.
	// SnapKV: 7
	Pool int32
	refused unsafe.Pointer
}

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
type Retrieve struct {
	// >= 0
	NTop int64
	// >= 1
	Window int64
	// >= 0
	NSink int32
	// that share a choice; 0 = all of a call
	Queries int32
	// [n_head_kv][info.n_block]: 1 where any reads, else 0; or null
	read unsafe.Pointer
	refused unsafe.Pointer
}

// A weight. [rows][cols] row-major as named beside each; a matrix computes y[rows] = W x[cols].
type Tensor struct {
	data unsafe.Pointer
	// LCTX_I8: [rows]
	scale unsafe.Pointer
	// lctx_type
	Type int32
	Reserved int32
}

// bias + up f(down x), f as its place has it
type LowRank struct {
	// [rank][columns], [rows][rank]
	Down Tensor
	// [rank][columns], [rows][rank]
	Up Tensor
	// [rows] or null
	bias unsafe.Pointer
	Rank int32
	Reserved int32
}

func (s *LowRank) tensor(name string) *Tensor {
	switch name {
	case "down":
		return &s.Down
	case "up":
		return &s.Up
	}
	return nil
}

func (s *LowRank) number(name string) (int64, bool) {
	switch name {
	case "rank":
		return int64(s.Rank), true
	case "reserved":
		return int64(s.Reserved), true
	}
	return 0, false
}

type Mixer struct {
	// lctx_mixer_kind
	Kind int32
	// of v; groups: of q and k, each for n_head / n_head_k neighbours
	NHead int32
	// of v; groups: of q and k, each for n_head / n_head_k neighbours
	NHeadK int32
	DK int32
	DV int32
	Taps int32
	// [2*n_head_k*d_k + n_head*d_v][d_model]
	WIn Tensor
	// [n_head*d_v][d_model]
	WZ Tensor
	// [n_head][d_model]; w_beta of DELTA
	WBeta Tensor
	// [n_head][d_model]; w_beta of DELTA
	WDt Tensor
	// [d_model][n_head*d_v]
	WOut Tensor
	// [rows of w_in][taps], and without taps or null
	conv unsafe.Pointer
	// [rows of w_in][taps], and without taps or null
	convBias unsafe.Pointer
	// [n_head]; a below 0
	a unsafe.Pointer
	// [n_head]; a below 0
	dtBias unsafe.Pointer
	// [d_v]; MAMBA2, RWKV7: [n_head*d_v], MAMBA2 or null
	norm unsafe.Pointer
	// MAMBA2: [n_head] or null
	skip unsafe.Pointer
	// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
	WR Tensor
	// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
	WK Tensor
	// [n_head*d_k][d_model] twice, [n_head*d_v][d_model]
	WV Tensor
	// to n_head*d_k, n_head*d_v, and again
	W LowRank
	// to n_head*d_k, n_head*d_v, and again
	V LowRank
	// to n_head*d_k, n_head*d_v, and again
	Rate LowRank
	// to n_head*d_k, n_head*d_v, and again
	G LowRank
	// [6][d_model]: of r, w, k, v, a, g
	shift unsafe.Pointer
	// [d_model] or null
	ffnShift unsafe.Pointer
	// [n_head*d_k]
	kK unsafe.Pointer
	// [n_head*d_k]
	kA unsafe.Pointer
	// [n_head*d_k]
	rK unsafe.Pointer
	// [n_head*d_v]
	normBias unsafe.Pointer
}

func (s *Mixer) tensor(name string) *Tensor {
	switch name {
	case "w_in":
		return &s.WIn
	case "w_z":
		return &s.WZ
	case "w_beta":
		return &s.WBeta
	case "w_dt":
		return &s.WDt
	case "w_out":
		return &s.WOut
	case "w_r":
		return &s.WR
	case "w_k":
		return &s.WK
	case "w_v":
		return &s.WV
	}
	return nil
}

func (s *Mixer) number(name string) (int64, bool) {
	switch name {
	case "kind":
		return int64(s.Kind), true
	case "n_head":
		return int64(s.NHead), true
	case "n_head_k":
		return int64(s.NHeadK), true
	case "d_k":
		return int64(s.DK), true
	case "d_v":
		return int64(s.DV), true
	case "taps":
		return int64(s.Taps), true
	}
	return 0, false
}

type Layer struct {
	// [d_model]
	AttnNorm Tensor
	// [n_head*head_dim][d_model]
	Wq Tensor
	// [n_head_kv*head_dim][d_model]
	Wk Tensor
	// [n_head_kv*head_dim][d_model]
	Wv Tensor
	// [d_model][n_head*head_dim]
	Wo Tensor
	// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
	Bq Tensor
	// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
	Bk Tensor
	// [n_head*head_dim], [n_head_kv*head_dim] twice; data null = none
	Bv Tensor
	// [d_model]; data null = none
	Bo Tensor
	// [n_head*head_dim][d_model]; data null = none
	AttnGate Tensor
	// [head_dim]; data null = none
	QNorm Tensor
	// [head_dim]; data null = none
	KNorm Tensor
	// [d_model]; with a mixer data null = no FFN
	FfnNorm Tensor
	// [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
	WGate Tensor
	// [d_ff][d_model]; with experts [n_expert][d_ff][d_model]
	WUp Tensor
	// [d_model][d_ff]; with experts [n_expert][d_model][d_ff]
	WDown Tensor
	// likewise without their last dimension; or null
	BGate Tensor
	// likewise without their last dimension; or null
	BUp Tensor
	// likewise without their last dimension; or null
	BDown Tensor
	// [d_model]; data null = none
	AttnPostNorm Tensor
	// [d_model]; data null = none
	FfnPostNorm Tensor
	// with experts: [n_expert][d_model], [n_expert] or null
	Router Tensor
	// with experts: [n_expert][d_model], [n_expert] or null
	BRouter Tensor
	// [d_ff_shared][d_model]; data null = none
	SharedGate Tensor
	// [d_ff_shared][d_model]; data null = none
	SharedUp Tensor
	// [d_model][d_ff_shared]
	SharedDown Tensor
	// [d_model]; data null = none
	SharedRouter Tensor
	// 0 = no experts
	NExpert int32
	// 0 = no experts
	NExpertUsed int32
	// lctx_routing, lctx_activation
	Routing int32
	// lctx_routing, lctx_activation
	Activation int32
	// d_ff 0 = the model's
	DFf int32
	// d_ff 0 = the model's
	DFfShared int32
	// q *= 1 + q_scale ln(1 + floor((position +
	QScale float32
	// q *= 1 + q_scale ln(1 + floor((position +
	QScaleOffset float32
	// q_scale_offset) / q_scale_length)); 0 = none
	QScaleLength int64
	// null = the model's
	rope unsafe.Pointer
	// this layer's sliding window; 0 = none
	Window int64
	// nonzero: this layer has no rotation
	NoRope int32
	// nonzero: the mixer adds to attention, of the same h
	Beside int32
	// which keys this layer's queries see; null = all
	pattern unsafe.Pointer
	// [n_head], as in lctx_attn (gpt-oss); null = none
	sinkLogit unsafe.Pointer
	// in place of attention, unless it is beside; null = none
	mixer unsafe.Pointer
	// [d_model] or null
	attnNormBias unsafe.Pointer
	// [d_model] or null
	ffnNormBias unsafe.Pointer
}

func (s *Layer) tensor(name string) *Tensor {
	switch name {
	case "attn_norm":
		return &s.AttnNorm
	case "wq":
		return &s.Wq
	case "wk":
		return &s.Wk
	case "wv":
		return &s.Wv
	case "wo":
		return &s.Wo
	case "bq":
		return &s.Bq
	case "bk":
		return &s.Bk
	case "bv":
		return &s.Bv
	case "bo":
		return &s.Bo
	case "attn_gate":
		return &s.AttnGate
	case "q_norm":
		return &s.QNorm
	case "k_norm":
		return &s.KNorm
	case "ffn_norm":
		return &s.FfnNorm
	case "w_gate":
		return &s.WGate
	case "w_up":
		return &s.WUp
	case "w_down":
		return &s.WDown
	case "b_gate":
		return &s.BGate
	case "b_up":
		return &s.BUp
	case "b_down":
		return &s.BDown
	case "attn_post_norm":
		return &s.AttnPostNorm
	case "ffn_post_norm":
		return &s.FfnPostNorm
	case "router":
		return &s.Router
	case "b_router":
		return &s.BRouter
	case "shared_gate":
		return &s.SharedGate
	case "shared_up":
		return &s.SharedUp
	case "shared_down":
		return &s.SharedDown
	case "shared_router":
		return &s.SharedRouter
	}
	return nil
}

func (s *Layer) number(name string) (int64, bool) {
	switch name {
	case "n_expert":
		return int64(s.NExpert), true
	case "n_expert_used":
		return int64(s.NExpertUsed), true
	case "routing":
		return int64(s.Routing), true
	case "activation":
		return int64(s.Activation), true
	case "d_ff":
		return int64(s.DFf), true
	case "d_ff_shared":
		return int64(s.DFfShared), true
	case "q_scale_length":
		return int64(s.QScaleLength), true
	case "window":
		return int64(s.Window), true
	case "no_rope":
		return int64(s.NoRope), true
	case "beside":
		return int64(s.Beside), true
	}
	return 0, false
}

type Model struct {
	// head_dim 0 = d_model / n_head
	NLayer int32
	// head_dim 0 = d_model / n_head
	NHead int32
	// head_dim 0 = d_model / n_head
	NHeadKv int32
	// head_dim 0 = d_model / n_head
	HeadDim int32
	DModel int32
	DFf int32
	NVocab int32
	// 0 = 1e-5
	NormEps float32
	// 0 = 1
	EmbdScale float32
	// softmax scale before rope.scale_mul; 0 = 1/sqrt(head_dim)
	AttnScale float32
	// attention softcap; 0 = none
	Softcap float32
	// 0 = none
	LogitSoftcap float32
	// [n_vocab][d_model]
	TokEmbd Tensor
	// [d_model]
	OutputNorm Tensor
	// [n_vocab][d_model]; data null = tok_embd
	Output Tensor
	// [n_layer]
	layers unsafe.Pointer
	// null = no rotation
	rope unsafe.Pointer
	// of check and create alone
	refused unsafe.Pointer
	// [d_model], of x before the layers; data null = none
	EmbdNorm Tensor
	// [d_model] or null
	embdNormBias unsafe.Pointer
	// [d_model] or null
	outputNormBias unsafe.Pointer
}

func (s *Model) tensor(name string) *Tensor {
	switch name {
	case "tok_embd":
		return &s.TokEmbd
	case "output_norm":
		return &s.OutputNorm
	case "output":
		return &s.Output
	case "embd_norm":
		return &s.EmbdNorm
	}
	return nil
}

func (s *Model) number(name string) (int64, bool) {
	switch name {
	case "n_layer":
		return int64(s.NLayer), true
	case "n_head":
		return int64(s.NHead), true
	case "n_head_kv":
		return int64(s.NHeadKv), true
	case "head_dim":
		return int64(s.HeadDim), true
	case "d_model":
		return int64(s.DModel), true
	case "d_ff":
		return int64(s.DFf), true
	case "n_vocab":
		return int64(s.NVocab), true
	}
	return 0, false
}

// With raw_keys the caches hold keys before rotation, and these two may be given, which imply it:
//     rope      in place of the model's schedule (not of those that layers have of their own): the
//               query at position m turns, with all keys that it sees, by the schedule for ctx =
//               m + 1, whatever the keys before it were scored by. So DYNAMIC and LONGROPE follow
//               the text exactly, in any chunking; the hidden states that gave the keys stay.
//               Past orig_ctx DYNAMIC has a schedule for each token: prompts run at decode's pace.
//     far_rule  how far pairs count their distance
type SessionDesc struct {
	// of the caches, lctx_type
	KType int32
	// of the caches, lctx_type
	VType int32
	// lctx_policy of layers without a narrower (HEAVY: any) window
	Policy int32
	NSink int32
	Window int64
	// HEAVY: tokens of each KV head and layer, kept by their mass
	NHeavy int64
	// FULL, in layers without windows: of all that is kept a query reads so many tokens, in blocks a
	// KV head (lctx_retrieve), and the first n_sink and the last `window`; 0 = all
	NRead int64
	// with n_read: of each layer null, or bytes as lctx_retrieve has them, with room for the next
	// feed's tokens: what its last chunk's queries read. Borrowed, by forks, too; or null
	read unsafe.Pointer
	// FULL; 0 = no limit
	MaxTokens int64
	// tokens a cache block; 0 = 256, or 64 with n_read
	Block int32
	// tokens computed at once; bounds memory, not bits; 0 = 256
	Chunk int32
	// as in lctx_attn; products with weights are in f32, too
	Precise int32
	// nonzero: as above
	RawKeys int32
	// mixers: a snapshot of states after every so many tokens, the
	StateEvery int64
	// last so many of them, to be rewound to; 0 = none, and 4
	StateSlots int32
	Reserved int32
	// 0 .. parts-1, of a session in so many; parts 0 = 1: whole
	Part int32
	// 0 .. parts-1, of a session in so many; parts 0 = 1: whole
	Parts int32
	// needed with parts above 1; or null
	join unsafe.Pointer
	joinUser unsafe.Pointer
	// copied; null = malloc
	alloc unsafe.Pointer
	// copied; null = default
	par unsafe.Pointer
	// after each chunk of a feed: tokens done, tokens in all
	progress unsafe.Pointer
	progressUser unsafe.Pointer
	// copied, its lists borrowed; ctx is not read; or null
	rope unsafe.Pointer
	// copied; null = distances as they are
	farRule unsafe.Pointer
	// of create alone; then see lctx_session_info
	refused unsafe.Pointer
}

type SessionInfo struct {
	// tokens fed: the next position
	N int64
	// tokens that some layer no longer holds
	NDropped int64
	// from here on lctx_session_rewind can go back to any n; and to 0. With mixers to multiples of
	// state_every alone
	RewindMin int64
	// all layers' blocks
	CacheBytes int64
	// mixers': before and after a feed, and snapshots
	StateBytes int64
	// activations and attention scratch
	ScratchBytes int64
	// by the last feed, rewind or restore
	Refused Refusal
}

// Arrays that fields point to: sizes from outside in. n_expert? counts where there are
// experts; / rounds up.
var arrays = map[string]string{
	"lctx_rope_desc.freq": "n_rot/2",
	"lctx_rope_desc.short_factor": "n_rot/2",
	"lctx_rope_desc.long_factor": "n_rot/2",
	"lctx_rope_job.pos": "n_tok",
	"lctx_span.k_pos": "n_head_kv n",
	"lctx_pattern.global": "n_global",
	"lctx_attn.q": "n_q n_head d_k",
	"lctx_attn.q_far": "n_q n_head d_k",
	"lctx_attn.q_pos": "n_q",
	"lctx_attn.q_group": "n_q",
	"lctx_attn.spans": "n_spans",
	"lctx_attn.out": "n_q n_head d_v",
	"lctx_attn.lse": "n_q n_head",
	"lctx_attn.list": "n_list list_heads list_len",
	"lctx_attn.mask_bits": "n_head n_q n_kv/64",
	"lctx_attn.alibi": "n_head",
	"lctx_attn.sink_logit": "n_head",
	"lctx_attn.bias": "n_head n_q n_kv",
	"lctx_attn.mass": "n_head_kv n_kv",
	"lctx_choice.weight": "n_q n_head",
	"lctx_choice.score": "n_list list_heads n_block",
	"lctx_recurrence.q": "n n_head_k d_k",
	"lctx_recurrence.k": "n n_head_k d_k",
	"lctx_recurrence.v": "n n_head d_v",
	"lctx_recurrence.rate": "n_head d_k d_v",
	"lctx_recurrence.beta": "n n_head",
	"lctx_recurrence.a": "n n_head d_k",
	"lctx_recurrence.b": "n n_head_k d_k",
	"lctx_recurrence.bonus": "n_head d_k",
	"lctx_recurrence.y": "n n_head d_v",
	"lctx_recurrence.state": "n_head d_k d_v",
	"lctx_recurrence.from": "n_head d_k d_v",
	"lctx_convolution.x": "n n_channel",
	"lctx_convolution.weight": "n_channel taps",
	"lctx_convolution.bias": "n_channel",
	"lctx_convolution.y": "n n_channel",
	"lctx_convolution.state": "taps-1 n_channel",
	"lctx_convolution.from": "taps-1 n_channel",
	"lctx_select.mass": "n_head_kv info.n_held",
	"lctx_retrieve.read": "n_head_kv info.n_block",
	"lctx_tensor.scale": "rows",
	"lctx_low_rank.down": "rank columns",
	"lctx_low_rank.up": "rank columns",
	"lctx_low_rank.bias": "rows",
	"lctx_mixer.w_in": "2*n_head_k*d_k+n_head*d_v d_model",
	"lctx_mixer.w_z": "n_head*d_v d_model",
	"lctx_mixer.w_beta": "n_head d_model",
	"lctx_mixer.w_dt": "n_head d_model",
	"lctx_mixer.w_out": "d_model n_head*d_v",
	"lctx_mixer.conv": "2*n_head_k*d_k+n_head*d_v taps",
	"lctx_mixer.conv_bias": "2*n_head_k*d_k+n_head*d_v",
	"lctx_mixer.a": "n_head",
	"lctx_mixer.dt_bias": "n_head",
	"lctx_mixer.norm": "n_norm",
	"lctx_mixer.skip": "n_head",
	"lctx_mixer.w_r": "n_head*d_k d_model",
	"lctx_mixer.w_k": "n_head*d_k d_model",
	"lctx_mixer.w_v": "n_head*d_k d_model",
	"lctx_mixer.shift": "6 d_model",
	"lctx_mixer.ffn_shift": "d_model",
	"lctx_mixer.k_k": "n_head*d_k",
	"lctx_mixer.k_a": "n_head*d_k",
	"lctx_mixer.r_k": "n_head*d_k",
	"lctx_mixer.norm_bias": "n_head*d_v",
	"lctx_layer.attn_norm": "d_model",
	"lctx_layer.wq": "n_head*head_dim d_model",
	"lctx_layer.wk": "n_head_kv*head_dim d_model",
	"lctx_layer.wv": "n_head_kv*head_dim d_model",
	"lctx_layer.wo": "d_model n_head*head_dim",
	"lctx_layer.bq": "n_head*head_dim",
	"lctx_layer.bk": "n_head_kv*head_dim",
	"lctx_layer.bv": "n_head_kv*head_dim",
	"lctx_layer.bo": "d_model",
	"lctx_layer.attn_gate": "n_head*head_dim d_model",
	"lctx_layer.q_norm": "head_dim",
	"lctx_layer.k_norm": "head_dim",
	"lctx_layer.ffn_norm": "d_model",
	"lctx_layer.w_gate": "n_expert? d_ff d_model",
	"lctx_layer.w_up": "n_expert? d_ff d_model",
	"lctx_layer.w_down": "n_expert? d_model d_ff",
	"lctx_layer.b_gate": "n_expert? d_ff",
	"lctx_layer.b_up": "n_expert? d_ff",
	"lctx_layer.b_down": "n_expert? d_model",
	"lctx_layer.attn_post_norm": "d_model",
	"lctx_layer.ffn_post_norm": "d_model",
	"lctx_layer.router": "n_expert d_model",
	"lctx_layer.b_router": "n_expert",
	"lctx_layer.shared_gate": "d_ff_shared d_model",
	"lctx_layer.shared_up": "d_ff_shared d_model",
	"lctx_layer.shared_down": "d_model d_ff_shared",
	"lctx_layer.shared_router": "d_model",
	"lctx_layer.sink_logit": "n_head",
	"lctx_layer.attn_norm_bias": "d_model",
	"lctx_layer.ffn_norm_bias": "d_model",
	"lctx_model.tok_embd": "n_vocab d_model",
	"lctx_model.output_norm": "d_model",
	"lctx_model.output": "n_vocab d_model",
	"lctx_model.layers": "n_layer",
	"lctx_model.embd_norm": "d_model",
	"lctx_model.embd_norm_bias": "d_model",
	"lctx_model.output_norm_bias": "d_model",
}

type offset struct {
	field string
	at    uintptr
}

type layout struct {
	name   string
	size   uintptr
	fields []offset
}

// Sizes and offsets as they are here.
var layouts = []layout{
	{"lctx_refusal", unsafe.Sizeof(Refusal{}), []offset{
		{"status", unsafe.Offsetof(Refusal{}.Status)},
		{"reserved", unsafe.Offsetof(Refusal{}.Reserved)},
		{"type", unsafe.Offsetof(Refusal{}.kind)},
		{"field", unsafe.Offsetof(Refusal{}.field)},
		{"index", unsafe.Offsetof(Refusal{}.Index)},
		{"element", unsafe.Offsetof(Refusal{}.Element)},
	}},
	{"lctx_allocator", unsafe.Sizeof(Allocator{}), []offset{
		{"alloc", unsafe.Offsetof(Allocator{}.alloc)},
		{"free", unsafe.Offsetof(Allocator{}.free)},
		{"user", unsafe.Offsetof(Allocator{}.user)},
	}},
	{"lctx_pool_desc", unsafe.Sizeof(PoolDesc{}), []offset{
		{"max_bytes", unsafe.Offsetof(PoolDesc{}.MaxBytes)},
		{"alloc", unsafe.Offsetof(PoolDesc{}.alloc)},
		{"refused", unsafe.Offsetof(PoolDesc{}.refused)},
	}},
	{"lctx_pool_info", unsafe.Sizeof(PoolInfo{}), []offset{
		{"max_bytes", unsafe.Offsetof(PoolInfo{}.MaxBytes)},
		{"bytes_used", unsafe.Offsetof(PoolInfo{}.BytesUsed)},
		{"bytes_spare", unsafe.Offsetof(PoolInfo{}.BytesSpare)},
		{"bytes_peak", unsafe.Offsetof(PoolInfo{}.BytesPeak)},
		{"n_used", unsafe.Offsetof(PoolInfo{}.NUsed)},
	}},
	{"lctx_parallel", unsafe.Sizeof(Parallel{}), []offset{
		{"run", unsafe.Offsetof(Parallel{}.run)},
		{"user", unsafe.Offsetof(Parallel{}.user)},
		{"n_threads", unsafe.Offsetof(Parallel{}.NThreads)},
		{"reserved", unsafe.Offsetof(Parallel{}.Reserved)},
	}},
	{"lctx_threads_desc", unsafe.Sizeof(ThreadsDesc{}), []offset{
		{"n_threads", unsafe.Offsetof(ThreadsDesc{}.NThreads)},
		{"spin", unsafe.Offsetof(ThreadsDesc{}.Spin)},
		{"alloc", unsafe.Offsetof(ThreadsDesc{}.alloc)},
		{"refused", unsafe.Offsetof(ThreadsDesc{}.refused)},
	}},
	{"lctx_rope_desc", unsafe.Sizeof(RopeDesc{}), []offset{
		{"scheme", unsafe.Offsetof(RopeDesc{}.Scheme)},
		{"pairing", unsafe.Offsetof(RopeDesc{}.Pairing)},
		{"n_rot", unsafe.Offsetof(RopeDesc{}.NRot)},
		{"no_truncate", unsafe.Offsetof(RopeDesc{}.NoTruncate)},
		{"theta", unsafe.Offsetof(RopeDesc{}.Theta)},
		{"factor", unsafe.Offsetof(RopeDesc{}.Factor)},
		{"orig_ctx", unsafe.Offsetof(RopeDesc{}.OrigCtx)},
		{"ctx", unsafe.Offsetof(RopeDesc{}.Ctx)},
		{"beta_fast", unsafe.Offsetof(RopeDesc{}.BetaFast)},
		{"beta_slow", unsafe.Offsetof(RopeDesc{}.BetaSlow)},
		{"attn_factor", unsafe.Offsetof(RopeDesc{}.AttnFactor)},
		{"mscale", unsafe.Offsetof(RopeDesc{}.Mscale)},
		{"mscale_all_dim", unsafe.Offsetof(RopeDesc{}.MscaleAllDim)},
		{"low_freq", unsafe.Offsetof(RopeDesc{}.LowFreq)},
		{"high_freq", unsafe.Offsetof(RopeDesc{}.HighFreq)},
		{"freq", unsafe.Offsetof(RopeDesc{}.freq)},
		{"short_factor", unsafe.Offsetof(RopeDesc{}.shortFactor)},
		{"long_factor", unsafe.Offsetof(RopeDesc{}.longFactor)},
		{"n_freq", unsafe.Offsetof(RopeDesc{}.NFreq)},
		{"n_short", unsafe.Offsetof(RopeDesc{}.NShort)},
		{"n_long", unsafe.Offsetof(RopeDesc{}.NLong)},
		{"reserved", unsafe.Offsetof(RopeDesc{}.Reserved)},
		{"short_mscale", unsafe.Offsetof(RopeDesc{}.ShortMscale)},
		{"long_mscale", unsafe.Offsetof(RopeDesc{}.LongMscale)},
		{"n_hat", unsafe.Offsetof(RopeDesc{}.NHat)},
		{"xpos_base", unsafe.Offsetof(RopeDesc{}.XposBase)},
		{"xpos_center", unsafe.Offsetof(RopeDesc{}.XposCenter)},
		{"refused", unsafe.Offsetof(RopeDesc{}.refused)},
	}},
	{"lctx_rope", unsafe.Sizeof(Rope{}), []offset{
		{"n_rot", unsafe.Offsetof(Rope{}.NRot)},
		{"pairing", unsafe.Offsetof(Rope{}.Pairing)},
		{"attn_factor", unsafe.Offsetof(Rope{}.AttnFactor)},
		{"scale_mul", unsafe.Offsetof(Rope{}.ScaleMul)},
		{"freq", unsafe.Offsetof(Rope{}.Freq)},
		{"plain", unsafe.Offsetof(Rope{}.Plain)},
		{"n_hat", unsafe.Offsetof(Rope{}.NHat)},
		{"xpos_base", unsafe.Offsetof(Rope{}.XposBase)},
		{"xpos_center", unsafe.Offsetof(Rope{}.XposCenter)},
	}},
	{"lctx_rope_job", unsafe.Sizeof(RopeJob{}), []offset{
		{"n_tok", unsafe.Offsetof(RopeJob{}.NTok)},
		{"n_head", unsafe.Offsetof(RopeJob{}.NHead)},
		{"head_dim", unsafe.Offsetof(RopeJob{}.HeadDim)},
		{"x", unsafe.Offsetof(RopeJob{}.x)},
		{"x_token", unsafe.Offsetof(RopeJob{}.xToken)},
		{"x_head", unsafe.Offsetof(RopeJob{}.xHead)},
		{"out", unsafe.Offsetof(RopeJob{}.out)},
		{"out_token", unsafe.Offsetof(RopeJob{}.outToken)},
		{"out_head", unsafe.Offsetof(RopeJob{}.outHead)},
		{"pos", unsafe.Offsetof(RopeJob{}.pos)},
		{"pos0", unsafe.Offsetof(RopeJob{}.Pos0)},
		{"par", unsafe.Offsetof(RopeJob{}.par)},
		{"cos", unsafe.Offsetof(RopeJob{}.cos)},
		{"cos_token", unsafe.Offsetof(RopeJob{}.cosToken)},
		{"sin", unsafe.Offsetof(RopeJob{}.sin)},
		{"sin_token", unsafe.Offsetof(RopeJob{}.sinToken)},
		{"side", unsafe.Offsetof(RopeJob{}.Side)},
		{"reserved", unsafe.Offsetof(RopeJob{}.Reserved)},
		{"refused", unsafe.Offsetof(RopeJob{}.refused)},
	}},
	{"lctx_span", unsafe.Sizeof(Span{}), []offset{
		{"k", unsafe.Offsetof(Span{}.k)},
		{"v", unsafe.Offsetof(Span{}.v)},
		{"k_type", unsafe.Offsetof(Span{}.KType)},
		{"v_type", unsafe.Offsetof(Span{}.VType)},
		{"layout", unsafe.Offsetof(Span{}.layout)},
		{"skip", unsafe.Offsetof(Span{}.skip)},
		{"n", unsafe.Offsetof(Span{}.N)},
		{"pos", unsafe.Offsetof(Span{}.Pos)},
		{"index", unsafe.Offsetof(Span{}.Index)},
		{"query", unsafe.Offsetof(Span{}.Query)},
		{"group", unsafe.Offsetof(Span{}.Group)},
		{"k_token", unsafe.Offsetof(Span{}.kToken)},
		{"k_head", unsafe.Offsetof(Span{}.kHead)},
		{"v_token", unsafe.Offsetof(Span{}.vToken)},
		{"v_head", unsafe.Offsetof(Span{}.vHead)},
		{"k_scale", unsafe.Offsetof(Span{}.kScale)},
		{"v_scale", unsafe.Offsetof(Span{}.vScale)},
		{"k_scale_token", unsafe.Offsetof(Span{}.kScaleToken)},
		{"k_scale_head", unsafe.Offsetof(Span{}.kScaleHead)},
		{"v_scale_token", unsafe.Offsetof(Span{}.vScaleToken)},
		{"v_scale_head", unsafe.Offsetof(Span{}.vScaleHead)},
		{"k_pos", unsafe.Offsetof(Span{}.kPos)},
		{"k_pos_head", unsafe.Offsetof(Span{}.kPosHead)},
	}},
	{"lctx_pattern", unsafe.Sizeof(Pattern{}), []offset{
		{"kind", unsafe.Offsetof(Pattern{}.Kind)},
		{"dilation", unsafe.Offsetof(Pattern{}.Dilation)},
		{"length", unsafe.Offsetof(Pattern{}.Length)},
		{"local", unsafe.Offsetof(Pattern{}.Local)},
		{"summary", unsafe.Offsetof(Pattern{}.Summary)},
		{"back", unsafe.Offsetof(Pattern{}.Back)},
		{"global", unsafe.Offsetof(Pattern{}.global)},
		{"n_global", unsafe.Offsetof(Pattern{}.NGlobal)},
		{"global0", unsafe.Offsetof(Pattern{}.Global0)},
	}},
	{"lctx_far_rule", unsafe.Sizeof(FarRule{}), []offset{
		{"kind", unsafe.Offsetof(FarRule{}.Kind)},
		{"group", unsafe.Offsetof(FarRule{}.Group)},
		{"window", unsafe.Offsetof(FarRule{}.Window)},
		{"leak", unsafe.Offsetof(FarRule{}.Leak)},
	}},
	{"lctx_attn", unsafe.Sizeof(Attn{}), []offset{
		{"n_q", unsafe.Offsetof(Attn{}.NQ)},
		{"n_head", unsafe.Offsetof(Attn{}.NHead)},
		{"n_head_kv", unsafe.Offsetof(Attn{}.NHeadKv)},
		{"d_k", unsafe.Offsetof(Attn{}.DK)},
		{"d_v", unsafe.Offsetof(Attn{}.DV)},
		{"q", unsafe.Offsetof(Attn{}.q)},
		{"q_far", unsafe.Offsetof(Attn{}.qFar)},
		{"q_token", unsafe.Offsetof(Attn{}.qToken)},
		{"q_head", unsafe.Offsetof(Attn{}.qHead)},
		{"q_pos", unsafe.Offsetof(Attn{}.qPos)},
		{"q_pos0", unsafe.Offsetof(Attn{}.QPos0)},
		{"q_group", unsafe.Offsetof(Attn{}.qGroup)},
		{"rope", unsafe.Offsetof(Attn{}.rope)},
		{"far_rule", unsafe.Offsetof(Attn{}.farRule)},
		{"far_pos", unsafe.Offsetof(Attn{}.FarPos)},
		{"spans", unsafe.Offsetof(Attn{}.spans)},
		{"n_spans", unsafe.Offsetof(Attn{}.NSpans)},
		{"out", unsafe.Offsetof(Attn{}.out)},
		{"out_token", unsafe.Offsetof(Attn{}.outToken)},
		{"out_head", unsafe.Offsetof(Attn{}.outHead)},
		{"lse", unsafe.Offsetof(Attn{}.lse)},
		{"lse_token", unsafe.Offsetof(Attn{}.lseToken)},
		{"scale", unsafe.Offsetof(Attn{}.Scale)},
		{"softcap", unsafe.Offsetof(Attn{}.Softcap)},
		{"mask", unsafe.Offsetof(Attn{}.Mask)},
		{"n_sink", unsafe.Offsetof(Attn{}.NSink)},
		{"window", unsafe.Offsetof(Attn{}.Window)},
		{"window_right", unsafe.Offsetof(Attn{}.WindowRight)},
		{"pattern", unsafe.Offsetof(Attn{}.pattern)},
		{"list", unsafe.Offsetof(Attn{}.list)},
		{"list_len", unsafe.Offsetof(Attn{}.ListLen)},
		{"list_queries", unsafe.Offsetof(Attn{}.ListQueries)},
		{"list_first", unsafe.Offsetof(Attn{}.ListFirst)},
		{"list_heads", unsafe.Offsetof(Attn{}.ListHeads)},
		{"list_keys", unsafe.Offsetof(Attn{}.ListKeys)},
		{"mask_bits", unsafe.Offsetof(Attn{}.maskBits)},
		{"mask_head", unsafe.Offsetof(Attn{}.maskHead)},
		{"mask_query", unsafe.Offsetof(Attn{}.maskQuery)},
		{"alibi", unsafe.Offsetof(Attn{}.alibi)},
		{"sink_logit", unsafe.Offsetof(Attn{}.sinkLogit)},
		{"bias", unsafe.Offsetof(Attn{}.bias)},
		{"bias_head", unsafe.Offsetof(Attn{}.biasHead)},
		{"bias_query", unsafe.Offsetof(Attn{}.biasQuery)},
		{"precise", unsafe.Offsetof(Attn{}.Precise)},
		{"reserved", unsafe.Offsetof(Attn{}.Reserved)},
		{"mass", unsafe.Offsetof(Attn{}.mass)},
		{"mass_head", unsafe.Offsetof(Attn{}.massHead)},
		{"mass_queries", unsafe.Offsetof(Attn{}.MassQueries)},
		{"par", unsafe.Offsetof(Attn{}.par)},
		{"progress", unsafe.Offsetof(Attn{}.progress)},
		{"progress_user", unsafe.Offsetof(Attn{}.progressUser)},
		{"refused", unsafe.Offsetof(Attn{}.refused)},
	}},
	{"lctx_choice", unsafe.Sizeof(Choice{}), []offset{
		{"kind", unsafe.Offsetof(Choice{}.Kind)},
		{"block_rows", unsafe.Offsetof(Choice{}.BlockRows)},
		{"n_top", unsafe.Offsetof(Choice{}.NTop)},
		{"n_sink", unsafe.Offsetof(Choice{}.NSink)},
		{"window", unsafe.Offsetof(Choice{}.Window)},
		{"share", unsafe.Offsetof(Choice{}.Share)},
		{"reserved", unsafe.Offsetof(Choice{}.Reserved)},
		{"weight", unsafe.Offsetof(Choice{}.weight)},
		{"score", unsafe.Offsetof(Choice{}.score)},
		{"refused", unsafe.Offsetof(Choice{}.refused)},
	}},
	{"lctx_tiles", unsafe.Sizeof(Tiles{}), []offset{
		{"n_head_kv", unsafe.Offsetof(Tiles{}.NHeadKv)},
		{"d_k", unsafe.Offsetof(Tiles{}.DK)},
		{"d_v", unsafe.Offsetof(Tiles{}.DV)},
		{"k_type", unsafe.Offsetof(Tiles{}.KType)},
		{"v_type", unsafe.Offsetof(Tiles{}.VType)},
		{"latent", unsafe.Offsetof(Tiles{}.Latent)},
		{"cap", unsafe.Offsetof(Tiles{}.Cap)},
		{"mem", unsafe.Offsetof(Tiles{}.mem)},
		{"refused", unsafe.Offsetof(Tiles{}.refused)},
	}},
	{"lctx_rows", unsafe.Sizeof(Rows{}), []offset{
		{"n", unsafe.Offsetof(Rows{}.N)},
		{"k", unsafe.Offsetof(Rows{}.k)},
		{"v", unsafe.Offsetof(Rows{}.v)},
		{"k_token", unsafe.Offsetof(Rows{}.kToken)},
		{"k_head", unsafe.Offsetof(Rows{}.kHead)},
		{"v_token", unsafe.Offsetof(Rows{}.vToken)},
		{"v_head", unsafe.Offsetof(Rows{}.vHead)},
		{"refused", unsafe.Offsetof(Rows{}.refused)},
	}},
	{"lctx_snapshots", unsafe.Sizeof(Snapshots{}), []offset{
		{"before", unsafe.Offsetof(Snapshots{}.Before)},
		{"every", unsafe.Offsetof(Snapshots{}.Every)},
		{"n", unsafe.Offsetof(Snapshots{}.N)},
		{"slots", unsafe.Offsetof(Snapshots{}.slots)},
		{"slot", unsafe.Offsetof(Snapshots{}.Slot)},
	}},
	{"lctx_recurrence", unsafe.Sizeof(Recurrence{}), []offset{
		{"n", unsafe.Offsetof(Recurrence{}.N)},
		{"n_head", unsafe.Offsetof(Recurrence{}.NHead)},
		{"n_head_k", unsafe.Offsetof(Recurrence{}.NHeadK)},
		{"d_k", unsafe.Offsetof(Recurrence{}.DK)},
		{"d_v", unsafe.Offsetof(Recurrence{}.DV)},
		{"decay_kind", unsafe.Offsetof(Recurrence{}.DecayKind)},
		{"bounded", unsafe.Offsetof(Recurrence{}.Bounded)},
		{"q", unsafe.Offsetof(Recurrence{}.q)},
		{"k", unsafe.Offsetof(Recurrence{}.k)},
		{"v", unsafe.Offsetof(Recurrence{}.v)},
		{"decay", unsafe.Offsetof(Recurrence{}.decay)},
		{"rate", unsafe.Offsetof(Recurrence{}.rate)},
		{"beta", unsafe.Offsetof(Recurrence{}.beta)},
		{"a", unsafe.Offsetof(Recurrence{}.a)},
		{"b", unsafe.Offsetof(Recurrence{}.b)},
		{"bonus", unsafe.Offsetof(Recurrence{}.bonus)},
		{"y", unsafe.Offsetof(Recurrence{}.y)},
		{"state", unsafe.Offsetof(Recurrence{}.state)},
		{"from", unsafe.Offsetof(Recurrence{}.from)},
		{"q_token", unsafe.Offsetof(Recurrence{}.qToken)},
		{"q_head", unsafe.Offsetof(Recurrence{}.qHead)},
		{"k_token", unsafe.Offsetof(Recurrence{}.kToken)},
		{"k_head", unsafe.Offsetof(Recurrence{}.kHead)},
		{"v_token", unsafe.Offsetof(Recurrence{}.vToken)},
		{"v_head", unsafe.Offsetof(Recurrence{}.vHead)},
		{"decay_token", unsafe.Offsetof(Recurrence{}.decayToken)},
		{"decay_head", unsafe.Offsetof(Recurrence{}.decayHead)},
		{"beta_token", unsafe.Offsetof(Recurrence{}.betaToken)},
		{"beta_head", unsafe.Offsetof(Recurrence{}.betaHead)},
		{"a_token", unsafe.Offsetof(Recurrence{}.aToken)},
		{"a_head", unsafe.Offsetof(Recurrence{}.aHead)},
		{"b_token", unsafe.Offsetof(Recurrence{}.bToken)},
		{"b_head", unsafe.Offsetof(Recurrence{}.bHead)},
		{"bonus_head", unsafe.Offsetof(Recurrence{}.bonusHead)},
		{"y_token", unsafe.Offsetof(Recurrence{}.yToken)},
		{"y_head", unsafe.Offsetof(Recurrence{}.yHead)},
		{"state_head", unsafe.Offsetof(Recurrence{}.stateHead)},
		{"state_k", unsafe.Offsetof(Recurrence{}.stateK)},
		{"state_v", unsafe.Offsetof(Recurrence{}.stateV)},
		{"scale", unsafe.Offsetof(Recurrence{}.Scale)},
		{"reserved", unsafe.Offsetof(Recurrence{}.Reserved)},
		{"snapshots", unsafe.Offsetof(Recurrence{}.snapshots)},
		{"par", unsafe.Offsetof(Recurrence{}.par)},
		{"refused", unsafe.Offsetof(Recurrence{}.refused)},
	}},
	{"lctx_convolution", unsafe.Sizeof(Convolution{}), []offset{
		{"n", unsafe.Offsetof(Convolution{}.N)},
		{"n_channel", unsafe.Offsetof(Convolution{}.NChannel)},
		{"taps", unsafe.Offsetof(Convolution{}.Taps)},
		{"x", unsafe.Offsetof(Convolution{}.x)},
		{"weight", unsafe.Offsetof(Convolution{}.weight)},
		{"bias", unsafe.Offsetof(Convolution{}.bias)},
		{"y", unsafe.Offsetof(Convolution{}.y)},
		{"state", unsafe.Offsetof(Convolution{}.state)},
		{"from", unsafe.Offsetof(Convolution{}.from)},
		{"x_token", unsafe.Offsetof(Convolution{}.xToken)},
		{"y_token", unsafe.Offsetof(Convolution{}.yToken)},
		{"state_tap", unsafe.Offsetof(Convolution{}.stateTap)},
		{"silu", unsafe.Offsetof(Convolution{}.Silu)},
		{"reserved", unsafe.Offsetof(Convolution{}.Reserved)},
		{"snapshots", unsafe.Offsetof(Convolution{}.snapshots)},
		{"par", unsafe.Offsetof(Convolution{}.par)},
		{"refused", unsafe.Offsetof(Convolution{}.refused)},
	}},
	{"lctx_cache_desc", unsafe.Sizeof(CacheDesc{}), []offset{
		{"n_head_kv", unsafe.Offsetof(CacheDesc{}.NHeadKv)},
		{"d_k", unsafe.Offsetof(CacheDesc{}.DK)},
		{"d_v", unsafe.Offsetof(CacheDesc{}.DV)},
		{"k_type", unsafe.Offsetof(CacheDesc{}.KType)},
		{"v_type", unsafe.Offsetof(CacheDesc{}.VType)},
		{"policy", unsafe.Offsetof(CacheDesc{}.Policy)},
		{"n_sink", unsafe.Offsetof(CacheDesc{}.NSink)},
		{"block", unsafe.Offsetof(CacheDesc{}.Block)},
		{"window", unsafe.Offsetof(CacheDesc{}.Window)},
		{"n_heavy", unsafe.Offsetof(CacheDesc{}.NHeavy)},
		{"summaries", unsafe.Offsetof(CacheDesc{}.Summaries)},
		{"latent", unsafe.Offsetof(CacheDesc{}.Latent)},
		{"max_tokens", unsafe.Offsetof(CacheDesc{}.MaxTokens)},
		{"alloc", unsafe.Offsetof(CacheDesc{}.alloc)},
		{"refused", unsafe.Offsetof(CacheDesc{}.refused)},
	}},
	{"lctx_cache_info", unsafe.Sizeof(CacheInfo{}), []offset{
		{"n", unsafe.Offsetof(CacheInfo{}.N)},
		{"n_held", unsafe.Offsetof(CacheInfo{}.NHeld)},
		{"n_dropped", unsafe.Offsetof(CacheInfo{}.NDropped)},
		{"rewind_min", unsafe.Offsetof(CacheInfo{}.RewindMin)},
		{"n_block", unsafe.Offsetof(CacheInfo{}.NBlock)},
		{"bytes", unsafe.Offsetof(CacheInfo{}.Bytes)},
		{"bytes_shared", unsafe.Offsetof(CacheInfo{}.BytesShared)},
		{"n_kept", unsafe.Offsetof(CacheInfo{}.NKept)},
	}},
	{"lctx_select", unsafe.Sizeof(Select{}), []offset{
		{"mass", unsafe.Offsetof(Select{}.mass)},
		{"mass_head", unsafe.Offsetof(Select{}.massHead)},
		{"n_heavy", unsafe.Offsetof(Select{}.NHeavy)},
		{"window", unsafe.Offsetof(Select{}.Window)},
		{"n_sink", unsafe.Offsetof(Select{}.NSink)},
		{"pool", unsafe.Offsetof(Select{}.Pool)},
		{"refused", unsafe.Offsetof(Select{}.refused)},
	}},
	{"lctx_retrieve", unsafe.Sizeof(Retrieve{}), []offset{
		{"n_top", unsafe.Offsetof(Retrieve{}.NTop)},
		{"window", unsafe.Offsetof(Retrieve{}.Window)},
		{"n_sink", unsafe.Offsetof(Retrieve{}.NSink)},
		{"queries", unsafe.Offsetof(Retrieve{}.Queries)},
		{"read", unsafe.Offsetof(Retrieve{}.read)},
		{"refused", unsafe.Offsetof(Retrieve{}.refused)},
	}},
	{"lctx_tensor", unsafe.Sizeof(Tensor{}), []offset{
		{"data", unsafe.Offsetof(Tensor{}.data)},
		{"scale", unsafe.Offsetof(Tensor{}.scale)},
		{"type", unsafe.Offsetof(Tensor{}.Type)},
		{"reserved", unsafe.Offsetof(Tensor{}.Reserved)},
	}},
	{"lctx_low_rank", unsafe.Sizeof(LowRank{}), []offset{
		{"down", unsafe.Offsetof(LowRank{}.Down)},
		{"up", unsafe.Offsetof(LowRank{}.Up)},
		{"bias", unsafe.Offsetof(LowRank{}.bias)},
		{"rank", unsafe.Offsetof(LowRank{}.Rank)},
		{"reserved", unsafe.Offsetof(LowRank{}.Reserved)},
	}},
	{"lctx_mixer", unsafe.Sizeof(Mixer{}), []offset{
		{"kind", unsafe.Offsetof(Mixer{}.Kind)},
		{"n_head", unsafe.Offsetof(Mixer{}.NHead)},
		{"n_head_k", unsafe.Offsetof(Mixer{}.NHeadK)},
		{"d_k", unsafe.Offsetof(Mixer{}.DK)},
		{"d_v", unsafe.Offsetof(Mixer{}.DV)},
		{"taps", unsafe.Offsetof(Mixer{}.Taps)},
		{"w_in", unsafe.Offsetof(Mixer{}.WIn)},
		{"w_z", unsafe.Offsetof(Mixer{}.WZ)},
		{"w_beta", unsafe.Offsetof(Mixer{}.WBeta)},
		{"w_dt", unsafe.Offsetof(Mixer{}.WDt)},
		{"w_out", unsafe.Offsetof(Mixer{}.WOut)},
		{"conv", unsafe.Offsetof(Mixer{}.conv)},
		{"conv_bias", unsafe.Offsetof(Mixer{}.convBias)},
		{"a", unsafe.Offsetof(Mixer{}.a)},
		{"dt_bias", unsafe.Offsetof(Mixer{}.dtBias)},
		{"norm", unsafe.Offsetof(Mixer{}.norm)},
		{"skip", unsafe.Offsetof(Mixer{}.skip)},
		{"w_r", unsafe.Offsetof(Mixer{}.WR)},
		{"w_k", unsafe.Offsetof(Mixer{}.WK)},
		{"w_v", unsafe.Offsetof(Mixer{}.WV)},
		{"w", unsafe.Offsetof(Mixer{}.W)},
		{"v", unsafe.Offsetof(Mixer{}.V)},
		{"rate", unsafe.Offsetof(Mixer{}.Rate)},
		{"g", unsafe.Offsetof(Mixer{}.G)},
		{"shift", unsafe.Offsetof(Mixer{}.shift)},
		{"ffn_shift", unsafe.Offsetof(Mixer{}.ffnShift)},
		{"k_k", unsafe.Offsetof(Mixer{}.kK)},
		{"k_a", unsafe.Offsetof(Mixer{}.kA)},
		{"r_k", unsafe.Offsetof(Mixer{}.rK)},
		{"norm_bias", unsafe.Offsetof(Mixer{}.normBias)},
	}},
	{"lctx_layer", unsafe.Sizeof(Layer{}), []offset{
		{"attn_norm", unsafe.Offsetof(Layer{}.AttnNorm)},
		{"wq", unsafe.Offsetof(Layer{}.Wq)},
		{"wk", unsafe.Offsetof(Layer{}.Wk)},
		{"wv", unsafe.Offsetof(Layer{}.Wv)},
		{"wo", unsafe.Offsetof(Layer{}.Wo)},
		{"bq", unsafe.Offsetof(Layer{}.Bq)},
		{"bk", unsafe.Offsetof(Layer{}.Bk)},
		{"bv", unsafe.Offsetof(Layer{}.Bv)},
		{"bo", unsafe.Offsetof(Layer{}.Bo)},
		{"attn_gate", unsafe.Offsetof(Layer{}.AttnGate)},
		{"q_norm", unsafe.Offsetof(Layer{}.QNorm)},
		{"k_norm", unsafe.Offsetof(Layer{}.KNorm)},
		{"ffn_norm", unsafe.Offsetof(Layer{}.FfnNorm)},
		{"w_gate", unsafe.Offsetof(Layer{}.WGate)},
		{"w_up", unsafe.Offsetof(Layer{}.WUp)},
		{"w_down", unsafe.Offsetof(Layer{}.WDown)},
		{"b_gate", unsafe.Offsetof(Layer{}.BGate)},
		{"b_up", unsafe.Offsetof(Layer{}.BUp)},
		{"b_down", unsafe.Offsetof(Layer{}.BDown)},
		{"attn_post_norm", unsafe.Offsetof(Layer{}.AttnPostNorm)},
		{"ffn_post_norm", unsafe.Offsetof(Layer{}.FfnPostNorm)},
		{"router", unsafe.Offsetof(Layer{}.Router)},
		{"b_router", unsafe.Offsetof(Layer{}.BRouter)},
		{"shared_gate", unsafe.Offsetof(Layer{}.SharedGate)},
		{"shared_up", unsafe.Offsetof(Layer{}.SharedUp)},
		{"shared_down", unsafe.Offsetof(Layer{}.SharedDown)},
		{"shared_router", unsafe.Offsetof(Layer{}.SharedRouter)},
		{"n_expert", unsafe.Offsetof(Layer{}.NExpert)},
		{"n_expert_used", unsafe.Offsetof(Layer{}.NExpertUsed)},
		{"routing", unsafe.Offsetof(Layer{}.Routing)},
		{"activation", unsafe.Offsetof(Layer{}.Activation)},
		{"d_ff", unsafe.Offsetof(Layer{}.DFf)},
		{"d_ff_shared", unsafe.Offsetof(Layer{}.DFfShared)},
		{"q_scale", unsafe.Offsetof(Layer{}.QScale)},
		{"q_scale_offset", unsafe.Offsetof(Layer{}.QScaleOffset)},
		{"q_scale_length", unsafe.Offsetof(Layer{}.QScaleLength)},
		{"rope", unsafe.Offsetof(Layer{}.rope)},
		{"window", unsafe.Offsetof(Layer{}.Window)},
		{"no_rope", unsafe.Offsetof(Layer{}.NoRope)},
		{"beside", unsafe.Offsetof(Layer{}.Beside)},
		{"pattern", unsafe.Offsetof(Layer{}.pattern)},
		{"sink_logit", unsafe.Offsetof(Layer{}.sinkLogit)},
		{"mixer", unsafe.Offsetof(Layer{}.mixer)},
		{"attn_norm_bias", unsafe.Offsetof(Layer{}.attnNormBias)},
		{"ffn_norm_bias", unsafe.Offsetof(Layer{}.ffnNormBias)},
	}},
	{"lctx_model", unsafe.Sizeof(Model{}), []offset{
		{"n_layer", unsafe.Offsetof(Model{}.NLayer)},
		{"n_head", unsafe.Offsetof(Model{}.NHead)},
		{"n_head_kv", unsafe.Offsetof(Model{}.NHeadKv)},
		{"head_dim", unsafe.Offsetof(Model{}.HeadDim)},
		{"d_model", unsafe.Offsetof(Model{}.DModel)},
		{"d_ff", unsafe.Offsetof(Model{}.DFf)},
		{"n_vocab", unsafe.Offsetof(Model{}.NVocab)},
		{"norm_eps", unsafe.Offsetof(Model{}.NormEps)},
		{"embd_scale", unsafe.Offsetof(Model{}.EmbdScale)},
		{"attn_scale", unsafe.Offsetof(Model{}.AttnScale)},
		{"softcap", unsafe.Offsetof(Model{}.Softcap)},
		{"logit_softcap", unsafe.Offsetof(Model{}.LogitSoftcap)},
		{"tok_embd", unsafe.Offsetof(Model{}.TokEmbd)},
		{"output_norm", unsafe.Offsetof(Model{}.OutputNorm)},
		{"output", unsafe.Offsetof(Model{}.Output)},
		{"layers", unsafe.Offsetof(Model{}.layers)},
		{"rope", unsafe.Offsetof(Model{}.rope)},
		{"refused", unsafe.Offsetof(Model{}.refused)},
		{"embd_norm", unsafe.Offsetof(Model{}.EmbdNorm)},
		{"embd_norm_bias", unsafe.Offsetof(Model{}.embdNormBias)},
		{"output_norm_bias", unsafe.Offsetof(Model{}.outputNormBias)},
	}},
	{"lctx_session_desc", unsafe.Sizeof(SessionDesc{}), []offset{
		{"k_type", unsafe.Offsetof(SessionDesc{}.KType)},
		{"v_type", unsafe.Offsetof(SessionDesc{}.VType)},
		{"policy", unsafe.Offsetof(SessionDesc{}.Policy)},
		{"n_sink", unsafe.Offsetof(SessionDesc{}.NSink)},
		{"window", unsafe.Offsetof(SessionDesc{}.Window)},
		{"n_heavy", unsafe.Offsetof(SessionDesc{}.NHeavy)},
		{"n_read", unsafe.Offsetof(SessionDesc{}.NRead)},
		{"read", unsafe.Offsetof(SessionDesc{}.read)},
		{"max_tokens", unsafe.Offsetof(SessionDesc{}.MaxTokens)},
		{"block", unsafe.Offsetof(SessionDesc{}.Block)},
		{"chunk", unsafe.Offsetof(SessionDesc{}.Chunk)},
		{"precise", unsafe.Offsetof(SessionDesc{}.Precise)},
		{"raw_keys", unsafe.Offsetof(SessionDesc{}.RawKeys)},
		{"state_every", unsafe.Offsetof(SessionDesc{}.StateEvery)},
		{"state_slots", unsafe.Offsetof(SessionDesc{}.StateSlots)},
		{"reserved", unsafe.Offsetof(SessionDesc{}.Reserved)},
		{"part", unsafe.Offsetof(SessionDesc{}.Part)},
		{"parts", unsafe.Offsetof(SessionDesc{}.Parts)},
		{"join", unsafe.Offsetof(SessionDesc{}.join)},
		{"join_user", unsafe.Offsetof(SessionDesc{}.joinUser)},
		{"alloc", unsafe.Offsetof(SessionDesc{}.alloc)},
		{"par", unsafe.Offsetof(SessionDesc{}.par)},
		{"progress", unsafe.Offsetof(SessionDesc{}.progress)},
		{"progress_user", unsafe.Offsetof(SessionDesc{}.progressUser)},
		{"rope", unsafe.Offsetof(SessionDesc{}.rope)},
		{"far_rule", unsafe.Offsetof(SessionDesc{}.farRule)},
		{"refused", unsafe.Offsetof(SessionDesc{}.refused)},
	}},
	{"lctx_session_info", unsafe.Sizeof(SessionInfo{}), []offset{
		{"n", unsafe.Offsetof(SessionInfo{}.N)},
		{"n_dropped", unsafe.Offsetof(SessionInfo{}.NDropped)},
		{"rewind_min", unsafe.Offsetof(SessionInfo{}.RewindMin)},
		{"cache_bytes", unsafe.Offsetof(SessionInfo{}.CacheBytes)},
		{"state_bytes", unsafe.Offsetof(SessionInfo{}.StateBytes)},
		{"scratch_bytes", unsafe.Offsetof(SessionInfo{}.ScratchBytes)},
		{"refused", unsafe.Offsetof(SessionInfo{}.Refused)},
	}},
}
