"""test_python.py DIRECTORY - examples/python/lctx.py against numpy, and what it must refuse without
a crash. The directory has libraries that do not fit: version.so, order.so, size.so, bare.so,
text.so."""
import gc
import os
import sys
import threading

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "..", "examples", "python"), HERE]
import lctx                                              # noqa: E402
from attention import plain_attend                       # noqa: E402
from check import check, close, raises                   # noqa: E402

noise = np.random.default_rng(5)


def normal(*shape):
    return noise.standard_normal(shape, np.float32)


# ---------------------------------------------------------------- the library
def test_load(folder):
    for name, words, what in (
            ("none.so", ["none.so", "make lib"], "a missing library is named"),
            ("text.so", ["text.so"], "what is no library is refused"),
            ("bare.so", ["bare.so", "lctx_offsetof"], "a library without offsets is refused"),
            ("version.so", ["version.so", "0.2.0", "0.1.0"], "another version is named"),
            ("size.so", ["size.so", "lctx_rows", "bytes"], "a struct of another size is named"),
            ("order.so", ["order.so", "lctx_span.k_type"], "a field elsewhere is named")):
        path = os.path.join(folder, name)
        raises(lctx.LibraryError, words, lambda: lctx.load(path), what)
    check(lctx.isa() in lctx.Isa, "after all that the library that fits is used")
    check(lctx.Status.E_CANCELLED.name == "E_CANCELLED", "statuses have names")


# ---------------------------------------------------------------- attention
def near(a, b, most=1e-5):
    return a.shape == b.shape and float(np.abs(a - b).max(initial=0)) < most


def bf16(x):
    return (x.view(np.uint32) + 0x8000 >> 16).astype(np.uint16)


def int8(x):
    scale = np.abs(x).max(-1) / 127
    return np.rint(x / scale[..., None]).astype(np.int8), scale.astype(np.float32)


def test_attend():
    q, k, v = normal(3, 8, 64), normal(200, 2, 64), normal(200, 2, 48)
    plain = plain_attend(q, k, v)
    out = lctx.attend(q, k, v)
    check(near(out, plain), "attention is numpy's")
    halves = [x.astype(np.float16) for x in (k, v)]
    check(near(lctx.attend(q, *halves), plain, 1e-2), "of float16")
    check(near(lctx.attend(q, bf16(k), bf16(v)), plain, 5e-2), "of bf16's bits")
    (k8, ks), (v8, vs) = int8(k), int8(v)
    check(near(lctx.attend(q, k8, v8, k_scale=ks, v_scale=vs), plain, 5e-2), "of int8 with scales")
    turned = np.ascontiguousarray(k.transpose(1, 0, 2)).transpose(1, 0, 2)
    check((lctx.attend(q, turned, v) == out).all(), "of rows by heads, the same bits")
    second = q[:, ::2]
    check((lctx.attend(second, k, v) == lctx.attend(second.copy(), k, v)).all(),
          "of every second head, the same bits")
    spans = [lctx.span(k[:128], v[:128]), lctx.span(k[128:], v[128:], pos=128)]
    check((lctx.Attention(q, spans)() == out).all(), "of two spans, the same bits")
    again, lse = lctx.attend(q, k, v, lse=True)
    check((again == out).all() and lse.shape == (3, 8), "lse comes with the same bits")
    bias = np.zeros((8, 3, 200), np.float32)
    check(near(lctx.attend(q, k, v, bias=bias), plain), "a bias of zeros changes nothing")
    mass = np.zeros((2, 200), np.float32)
    lctx.attend(q, k, v, mass=mass)
    check(abs(mass.sum() - 24) < 1e-3, "mass is 1 a row")
    windowed = lctx.attend(q[-1:], k, v, window=10)
    check(near(windowed, plain_attend(q[-1:], k[-10:], v[-10:])), "a window is that of numpy")
    pattern = {"kind": lctx.PatternKind.BLOCKS, "length": 50}
    check(near(lctx.attend(q[-1:], k, v, pattern=pattern), plain_attend(q[-1:], k[150:], v[150:])),
          "a pattern is given as a dict")
    some = np.array([[[0, 3]], [[1, 3]], [[2, 3]]], np.int32)
    listed = lctx.attend(q, k, v, list=some, list_queries=1)
    check(near(listed[2:], plain_attend(q[2:], k[128:], v[128:])), "a list names blocks of keys")
    bits = np.zeros((8, 3, 4), np.uint64)
    bits[:, :, 2:] = ~np.uint64(0)
    check(near(lctx.attend(q, k, v, mask_bits=bits)[2:], listed[2:]), "a mask of bits hides them")
    raises(ValueError, ["lctx_attn.list", "2 rows"], lambda: lctx.attend(
        q, k, v, list=some[:2], list_queries=1), "a list of too few rows")
    raises(ValueError, ["lctx_attn.mask_bits", "[8][3][4]"], lambda: lctx.attend(
        q, k, v, mask_bits=bits[:, :, :3].copy()), "a mask of fewer keys")
    raises(lctx.Error, ["E_LIST", "list[1]"], lambda: lctx.attend(
        q, k, v, list=some + np.int32(1), list_queries=1), "a block that is not there")
    pos = np.array([10, 20, 199])
    check(near(lctx.attend(q, k, v, q_pos=pos)[0], plain_attend(q[:1], k[:11], v[:11])[0]),
          "queries have positions")
    check(lctx.attend(q[:0], k, v).shape == (0, 8, 48), "no query gives no row")
    with lctx.Threads(2) as threads:
        step = lctx.Attention(q, [lctx.span(k, v)], par=threads)
        check((step() == out).all() and (step() == out).all(), "threads keep the bits, twice")
    raises(ValueError, "threads is closed", step, "threads that are closed are not used")


def test_bad_arrays():
    q, k, v = normal(3, 8, 64), normal(200, 2, 64), normal(200, 2, 64)
    wide = normal(200, 2, 128)

    def refused(kind, words, what, *args, **fields):
        raises(kind, words, lambda: lctx.attend(*args, **fields), what)
    refused(TypeError, ["q:", "float64"], "q of float64", q.astype(float), k, v)
    refused(TypeError, ["k:", "int32"], "k of int32", q, k.astype(np.int32), v)
    refused(TypeError, ["q:", "list"], "a list", q.tolist(), k, v)
    refused(TypeError, ["k:", ">f4"], "the other order of bytes", q, k.astype(">f4"), v)
    refused(ValueError, ["q:", "[n][n][64]"], "a flat q", q.ravel(), k, v)
    refused(ValueError, ["q:", "[64]", "32"], "heads of another size", q[:, :, :32].copy(), k, v)
    refused(ValueError, ["v:", "[200][2]"], "fewer values than keys", q, k, v[:100])
    refused(ValueError, ["k:", "packed along"], "every second dimension", q, wide[:, :, ::2], v)
    refused(ValueError, ["k:", "packed along"], "tokens backwards", q, k[::-1], v)
    refused(ValueError, ["k:", "packed along"], "one key as many", q,
            np.broadcast_to(k[:1], k.shape), v)
    refused(ValueError, ["k:", "aligned"], "an odd address", q,
            np.frombuffer(bytes(4 * k.size + 1), np.uint8)[1:].view(np.float32).reshape(k.shape), v)
    (k8, _), (v8, vs) = int8(k), int8(v)
    refused(TypeError, ["k_scale:", "NoneType"], "int8 without scales", q, k8, v8)
    refused(ValueError, ["k_scale:", "[200][2]"], "scales of another shape", q, k8, v8,
            k_scale=np.ones(200, np.float32), v_scale=vs)
    refused(ValueError, ["lctx_attn.q_pos:", "[3]"], "positions of too few queries", q, k, v,
            q_pos=np.arange(2))
    refused(TypeError, ["lctx_attn.q_pos:", "int64", "int32"], "positions of int32", q, k, v,
            q_pos=np.arange(3, dtype=np.int32))
    refused(ValueError, ["lctx_attn.bias:", "[8][3][200]"], "a bias of another shape", q, k, v,
            bias=np.zeros((3, 200), np.float32))
    refused(ValueError, ["lctx_attn.bias:", "packed"], "a bias that is not packed", q, k, v,
            bias=np.zeros((8, 3, 400), np.float32)[:, :, ::2])
    refused(ValueError, ["lctx_attn.alibi:", "[8]"], "slopes of other heads", q, k, v,
            alibi=np.ones(4, np.float32))
    frozen = np.zeros((2, 200), np.float32)
    frozen.flags.writeable = False
    refused(ValueError, ["lctx_attn.mass:", "read-only"], "mass that is read-only", q, k, v,
            mass=frozen)
    refused(ValueError, ["q_far:", "strides"], "q_far with other strides", q[:, ::2], k, v,
            q_far=q[:, ::2].copy())


def test_bad_fields():
    q, k, v = normal(3, 8, 64), normal(200, 2, 64), normal(200, 2, 64)

    def refused(kind, words, what, **fields):
        raises(kind, words, lambda: lctx.attend(q, k, v, **fields), what)
    refused(TypeError, ["lctx_attn", "windo"], "a field that is none", windo=3)
    refused(TypeError, ["lctx_attn.bias", "12345"], "a number as an array", bias=12345)
    refused(TypeError, ["lctx_attn.q_pos", "b'"], "bytes as an array", q_pos=b"12345678")
    refused(TypeError, ["lctx_attn.q_pos", "[1, 2, 3]"], "a list as an array", q_pos=[1, 2, 3])
    refused(TypeError, ["lctx_attn.window"], "a word as a number", window="ten")
    refused(TypeError, ["lctx_attn.out_token", "follows"], "a stride", out_token=1 << 30)
    raises(TypeError, ["lctx_span.layout"], lambda: lctx.span(k, v, layout=1), "rows as tiles")
    refused(TypeError, ["lctx_attn.rope"], "another descriptor", rope=lctx.span(k, v))
    refused(OverflowError, ["lctx_attn.n_sink", "4294967296", "int32"], "2^32 sinks",
            n_sink=1 << 32)
    refused(lctx.Error, ["E_WINDOW", "lctx_attn.window"], "a negative window", window=-1)
    refused(lctx.Error, ["E_ENUM", "lctx_attn.mask"], "an unknown mask", mask=9)
    raises(lctx.Error, ["E_HEADS", "n_head"], lambda: lctx.attend(q[:, :3], k, v), "3 heads over 2")
    refused(lctx.Error, ["E_DILATION", "lctx_pattern.dilation"], "a pattern's",
            pattern={"kind": lctx.PatternKind.DILATED, "length": 4, "dilation": 9})
    try:
        lctx.attend(q, k, v, softcap=-1)
    except lctx.Error as error:
        check(error.status is lctx.Status.E_SOFTCAP, "the status is in the exception")
    raises(ValueError, "spans", lambda: lctx.Attention(q), "no span")
    raises(ValueError, "spans", lambda: lctx.Attention(
        q, [lctx.span(k, v), lctx.span(k[:, :1], v[:, :1])]), "spans of unlike heads")


def test_recur():
    q, k, v = normal(9, 2, 16), normal(9, 2, 16), normal(9, 4, 8)
    decay = 1 / (1 + np.exp(-normal(9, 4)))
    state, plain = np.zeros((4, 16, 8)), []
    for t in range(9):
        keys, queries = np.repeat(k[t], 2, 0), np.repeat(q[t], 2, 0)
        state = state * decay[t][:, None, None] + keys[:, :, None] * v[t][:, None]
        plain.append(np.einsum("hk,hkv->hv", queries, state))
    head = dict(decay_kind=lctx.Decay.HEAD)
    y, last = lctx.recur(q, k, v, decay=decay, **head)
    check(near(y, np.stack(plain)) and near(last, state), "a recurrence is numpy's")
    first = lctx.recur(q[:4], k[:4], v[:4], decay=decay[:4], **head)
    rest = lctx.recur(q[4:], k[4:], v[4:], state=first[1], decay=decay[4:], **head)
    check((np.concatenate([first[0], rest[0]]) == y).all(), "in two calls, the same bits")
    raises(ValueError, ["decay:", "[9][4]"], lambda: lctx.recur(q, k, v, decay=decay[:, :2].copy(),
                                                                **head), "decays of fewer heads")
    raises(ValueError, ["lctx_recurrence.state", "[4][16][8]"], lambda: lctx.recur(
        q, k, v, state=np.zeros((4, 8, 16), np.float32)), "a state turned over")
    raises(ValueError, ["lctx_recurrence.k", "[9][2][16]"], lambda: lctx.recur(q, k[:8], v), "keys")
    raises(TypeError, ["lctx_snapshots.slots"], lambda: lctx.recur(
        q, k, v, snapshots={"every": 1, "n": 1, "slots": normal(1)}), "slots of a length unknown")
    x, weight = normal(9, 6), normal(6, 4)
    padded = np.concatenate([np.zeros((3, 6), np.float32), x])
    plain = np.stack([(padded[t:t + 4] * weight.T).sum(0) for t in range(9)])
    y, last = lctx.convolve(x, weight)
    check(near(y, plain) and (last == x[-3:]).all(), "a convolution is numpy's")
    raises(ValueError, ["lctx_convolution.state", "[3][6]"], lambda: lctx.convolve(
        x, weight, state=np.zeros((4, 6), np.float32)), "a state of more inputs")


def test_rope():
    rope = lctx.Rope(8, scheme=lctx.RopeScheme.LINEAR, factor=2)
    x = normal(5, 2, 12)
    angle = (np.arange(3, 8)[:, None] * rope.freq)[:, None]
    a, b = x[..., :4], x[..., 4:8]
    turned = np.concatenate([a * np.cos(angle) - b * np.sin(angle),
                             a * np.sin(angle) + b * np.cos(angle), x[..., 8:]], -1)
    check(near(rope.apply(x, 3), turned.astype(np.float32), 1e-6), "rotation is numpy's")
    check((rope.apply(x, pos=np.arange(3, 8)) == rope.apply(x, 3)).all(), "positions as an array")
    raises(ValueError, ["lctx_rope_job.pos", "[5]"], lambda: rope.apply(x, pos=np.arange(4)),
           "positions of too few tokens")
    raises(lctx.Error, ["E_FACTOR", "lctx_rope_desc.factor"], lambda: lctx.Rope(8, factor=.5),
           "a factor")
    raises(ValueError, ["lctx_rope_desc.freq", "[4]"], lambda: lctx.Rope(
        8, scheme=lctx.RopeScheme.RAW, freq=np.ones(3)), "frequencies of other pairs")
    raises(lctx.Error, "E_N_ROT", lambda: rope.apply(normal(1, 1, 4)), "heads below n_rot")


# ---------------------------------------------------------------- caches
def test_cache():
    q, k, v = normal(3, 8, 64), normal(200, 2, 64), normal(200, 2, 64)
    with lctx.Cache(2, 64, k_type=lctx.Type.F32, v_type=lctx.Type.F32) as cache:
        cache.append(k[:150], v[:150])
        fork = cache.fork()
        cache.append(k[150:], v[150:])
        out = cache.attend(q)
        check((out == lctx.attend(q, k, v)).all(), "a cache gives the bits of its rows")
        check((cache.info.n, fork.info.n) == (200, 150), "a fork goes its own way")
        saved = cache.save()
        fork.restore(saved)
        check((fork.attend(q) == out).all(), "what was saved is restored")
        raises(lctx.Error, "E_IO", lambda: fork.restore(saved[:-9]), "half of it is refused")
        damaged = bytearray(saved)
        damaged[len(saved) // 2] ^= 1
        raises(lctx.Error, "E_FORMAT", lambda: fork.restore(bytes(damaged)),
               "a wrong bit is refused")
        cache.rewind(150)
        raises(lctx.Error, "E_POS", lambda: cache.rewind(500), "no way forward")
        raises(OverflowError, "int64", lambda: cache.rewind(1 << 70), "nor to 2^70")
        raises(ValueError, ["k:", "[2][64]"], lambda: cache.append(k[:, :1], v[:, :1]),
               "other heads")
        raises(ValueError, ["v:", "[9]"], lambda: cache.append(k[:9], v[:8]),
               "fewer values than keys")
        raises(TypeError, ["k:", "float16"], lambda: cache.append(k.astype(np.float16), v),
               "other rows")
        mass = np.zeros((2, 150), np.float32)
        step = lctx.Attention(q, cache=cache, mass=mass)
        step()
        again = lctx.Attention(q, cache=cache)
        again()
        cache.append(k[150:], v[150:])
        check((again() == out).all(), "an attention follows its cache")
        raises(ValueError, "held before", step, "mass of fewer keys than there are now")
    for name, call in (("append", lambda: cache.append(k, v)), ("attend", lambda: cache.attend(q)),
                       ("info", lambda: cache.info), ("fork", cache.fork), ("save", cache.save),
                       ("rewind", lambda: cache.rewind(0))):
        raises(ValueError, "the cache is closed", call, f"{name} of a closed cache")
    cache.close()
    fork.close()
    raises(lctx.Error, ["E_WINDOW", "lctx_cache_desc.window"], lambda: lctx.Cache(
        2, 64, policy=lctx.Policy.SINKS), "sinks without a window")
    raises(lctx.Error, "E_TYPE", lambda: lctx.Cache(2, 64, k_type=99), "a type of keys")
    types = dict(k_type=lctx.Type.F32, v_type=lctx.Type.F32)
    with lctx.Cache(2, 64, d_v=48, latent=1, **types) as cache:
        cache.append(k)
        check((cache.attend(q) == lctx.attend(q, k, k[..., :48])).all(), "latent keys are values")
        raises(lctx.Error, ["E_SPAN", "lctx_rows.v"], lambda: cache.append(k, v[..., :48]),
               "values for a latent cache")


def test_parts_of_caches():
    q, k, v = normal(1, 8, 64), normal(512, 2, 64), normal(512, 2, 64)
    types = dict(k_type=lctx.Type.F32, v_type=lctx.Type.F32, block=64, summaries=1)
    whole, tail = lctx.Cache(2, 64, **types), lctx.Cache(2, 64, **types)
    whole.append(k[:256], v[:256])
    tail.begin(256)
    tail.append(k[256:], v[256:])
    whole.join(tail)
    out = lctx.attend(q, k, v)
    check((whole.attend(q) == out).all(), "parts are joined to the same bits")
    read = np.zeros((2, whole.info.n_block), np.uint8)
    all_of_it = whole.attend(q, retrieve={"n_top": 8, "window": 64, "read": read})
    check((all_of_it == out).all() and read.all(), "retrieving every block gives the same bits")
    whole.attend(q, retrieve={"n_top": 1, "window": 64, "read": read})
    check((read.sum(1) == 2).all(), "or one of them and the window")
    raises(lctx.Error, ["E_WINDOW", "lctx_retrieve.window"], lambda: whole.attend(
        q, retrieve={"n_top": 1}), "retrieving without a window")
    raises(ValueError, ["lctx_retrieve.read", "[2][8]"], lambda: whole.attend(
        q, retrieve={"n_top": 1, "window": 64, "read": read[:1]}), "a list of fewer heads")
    mass = np.zeros((2, 512), np.float32)
    whole.attend(q, mass=mass)
    raises(ValueError, ["lctx_select.mass", "[2][512]"], lambda: whole.select(
        mass=mass[:1], n_heavy=9, window=8), "mass of fewer heads")
    whole.select(mass=mass, n_heavy=64, window=64)
    check(whole.info.n_kept == 64, "what has the greatest mass is kept")
    tail.drop(300, 400)
    check(tail.info.n_held == 156, "a range is dropped")
    raises(lctx.Error, "E_POS", lambda: tail.begin(0), "what is not empty does not begin")
    raises(RuntimeError, "in use", lambda: whole.join(whole), "a cache is not joined to itself")
    tail.close()
    raises(ValueError, "the cache is closed", lambda: whole.join(tail), "nor to a closed one")


def test_pool():
    k = normal(256, 2, 64)
    pool = lctx.Pool(300 << 10)
    cache = lctx.Cache(2, 64, alloc=pool)
    cache.append(k, k)
    raises(lctx.Error, "E_MEMORY", lambda: [cache.append(k, k) for _ in range(9)], "a pool's bound")
    check(pool.info.bytes_used > 0, "a pool counts")
    raises(RuntimeError, "in use by 1", pool.close, "a pool that is in use")
    del cache
    gc.collect()
    pool.close()
    raises(ValueError, "the pool is closed", lambda: lctx.Cache(2, 64, alloc=pool), "a closed pool")


# ---------------------------------------------------------------- sessions
DIMS = dict(n_head=4, n_head_kv=2, d_model=32, d_ff=48, n_vocab=50)


def layer(**other):
    w = dict(attn_norm=np.ones(32, np.float32), ffn_norm=np.ones(32, np.float32), wq=normal(32, 32),
             wk=normal(16, 32), wv=normal(16, 32).astype(np.float16), wo=normal(32, 32),
             w_gate=normal(48, 32), w_up=int8_tensor(normal(48, 32)), w_down=normal(32, 48))
    return {**w, **other}


def int8_tensor(x):
    return int8(x)


def model(*layers, **other):
    return lctx.Model(list(layers) or [layer(), layer()], **{
        **DIMS, "tok_embd": normal(50, 32), "output_norm": np.ones(32, np.float32),
        "rope": lctx.Rope(8), **other})


def test_session():
    m, prompt = model(), [1, 2, 3, 4, 5]
    with lctx.Session(m) as s, lctx.Session(m) as t:
        whole = s.feed(prompt, "all")
        parts = np.stack([t.feed([token]) for token in prompt])
        check((whole == parts).all(), "a prompt at once and token by token, the same bits")
        check(s.feed(np.array([6], np.int32), None) is None and s.info.n == 6, "tokens as an array")
        s.rewind(5)
        fork = s.fork()
        given = list(s.generate([6], 4))
        check(given == list(fork.generate([6], 4)), "a fork goes on with the same tokens")
        t.feed([6]), t.rewind(5)
        token, by_hand = [6], []
        for _ in range(4):
            token = [int(np.argmax(t.feed(token)))]
            by_hand += token
        check(given == by_hand, "generate gives the likeliest tokens")
        check(list(t.generate([1], 4, pick=lambda x: 7, stop={7})) == [], "a stop ends the text")
        saved = t.save()
        fork.restore(saved)
        check((fork.feed([1]) == t.feed([1])).all(), "what was saved is restored")
        raises(lctx.Error, ["E_TOKEN", "tokens[1]"], lambda: s.feed([1, 50]),
               "a token beyond the last")
        raises(lctx.Error, "E_COUNT", lambda: s.feed([]), "no token")
        raises(TypeError, ["tokens:", "float64"], lambda: s.feed(np.ones(3)), "tokens of float64")
        raises(OverflowError, "tokens", lambda: s.feed([1 << 40]), "2^40 as a token")
        raises(ValueError, "logits", lambda: s.feed([1], "first"), "logits of the first")
        it = t.generate([1], 4)
        next(it)
    raises(ValueError, "the session is closed", lambda: next(it), "tokens of a closed session")
    raises(ValueError, "the session is closed", lambda: s.feed([1]), "a closed session")
    fork.close()


def test_mixer():
    def f(*shape):
        return normal(*shape) * np.float32(0.2)

    sizes = dict(n_head=4, n_head_k=2, d_k=8, d_v=8, taps=4)
    weights = dict(w_in=f(64, 32), w_z=f(32, 32), w_dt=f(4, 32), w_out=f(32, 32), conv=f(64, 4),
                   a=-abs(f(4)), dt_bias=f(4), conv_bias=f(64))
    mixers = [dict(kind=lctx.MixerKind.DELTA, w_beta=f(4, 32), norm=f(8), **sizes, **weights),
              dict(kind=lctx.MixerKind.MAMBA2, norm=f(32), **sizes, **weights)]
    for mixer in mixers:
        m = model(layer(mixer=mixer), layer())
        with lctx.Session(m) as s, lctx.Session(m) as t:
            whole, parts = s.feed([1, 2, 3], "all"), [t.feed([token]) for token in [1, 2, 3]]
            check((whole == np.stack(parts)).all(), "a layer with a state, the same bits in pieces")
    for name, wrong, kind in (("w_in", f(63, 32), 0), ("conv", f(64, 3), 0), ("norm", f(8), 1),
                              ("conv_bias", f(63), 1), ("norm", f(32), 0)):
        broken = {**mixers[kind], name: wrong}
        raises(ValueError, f"lctx_mixer.{name}", lambda: model(layer(mixer=broken)),
               "another shape")


def test_many():
    m = model()
    apart, together = [lctx.Session(m) for _ in range(3)], [lctx.Session(m) for _ in range(3)]
    tokens = [[1, 2, 3], [4], [5, 6]]
    alone = np.stack([s.feed(row) for s, row in zip(apart, tokens)])
    check((lctx.feed_many(together, tokens) == alone).all(), "many are fed to the same bits")
    raises(ValueError, "2 lists for 3", lambda: lctx.feed_many(together, tokens[:2]), "fewer lists")
    wrong = [[1], [2], [3, 99]]
    raises(lctx.Error, ["E_TOKEN", "tokens[1]"], lambda: lctx.feed_many(together, wrong),
           "a token of the third")
    raises(RuntimeError, "in use", lambda: lctx.feed_many([apart[0]] * 2, tokens[:2]), "one twice")
    together[1].close()
    raises(ValueError, "closed", lambda: lctx.feed_many(together, tokens), "one that is closed")


def test_progress():
    m, seen = model(), []
    with lctx.Session(m, progress=lambda done, total: seen.append((done, total)), chunk=2) as s:
        s.feed([1, 2, 3, 4, 5])
        check(seen[-1] == (5, 5) and len(seen) >= 3, "progress is told")
    with lctx.Session(m, progress=lambda done, total: done > 2, chunk=2) as s:
        raises(lctx.Error, "E_CANCELLED", lambda: s.feed([1] * 9), "progress ends a call")
        check(s.info.n == 0, "and nothing was fed")
    with lctx.Session(m, progress=lambda done, total: 1 / 0) as s:
        raises(ZeroDivisionError, "division", lambda: s.feed([1]),
               "what progress raises, the call does")
    s = lctx.Session(m, progress=lambda done, total: s.close())
    raises(RuntimeError, "in use", lambda: s.feed([1]), "closed within its own call")
    s.close()
    held, go = threading.Event(), threading.Event()
    s = lctx.Session(m, progress=lambda done, total: held.set() or go.wait(20) and False)
    other = threading.Thread(target=lambda: s.feed([1]))
    other.start()
    held.wait(20)
    raises(RuntimeError, "in use by another call", lambda: s.feed([1]), "a second thread")
    go.set()
    other.join()
    s.close()


def test_bad_model():
    def refused(kind, words, what, *layers, **other):
        raises(kind, words, lambda: model(*layers, **other), what)
    refused(ValueError, ["lctx_layer.wq", "[32][32]"], "a weight of another shape",
            layer(wq=normal(32, 31)))
    refused(ValueError, ["lctx_layer.w_down", "[32][48]"], "a weight turned over",
            layer(w_down=normal(48, 32)))
    refused(TypeError, ["lctx_layer.wq", "float64"], "a weight of float64",
            layer(wq=np.ones((32, 32))))
    refused(ValueError, ["lctx_layer.wq", "packed"], "a weight that is not packed",
            layer(wq=normal(32, 32).T))
    refused(ValueError, ["lctx_layer.w_up scale", "[48]"], "scales of other rows",
            layer(w_up=(np.ones((48, 32), np.int8), np.ones(32, np.float32))))
    refused(TypeError, ["lctx_layer", "wx"], "a weight that is none", layer(wx=normal(32, 32)))
    refused(lctx.Error, ["E_WEIGHT", "lctx_layer[1].wo"], "a weight that is missing",
            layer(), layer(wo=None))
    refused(ValueError, ["lctx_model.tok_embd", "[50][32]"], "embeddings of other tokens",
            tok_embd=normal(49, 32))
    with lctx.Threads(1) as threads:
        s = lctx.Session(model(), par=threads)
        raises(RuntimeError, "in use by 1", threads.close, "threads of an open session")
        s.close()
    m = model()
    raises(lctx.Error, ["E_ENUM", "lctx_session_desc.policy"], lambda: lctx.Session(m, policy=7),
           "a policy")
    s = lctx.Session(m)
    del m
    gc.collect()
    check(np.isfinite(s.feed([1, 2])).all(), "a session keeps its model")


def main():
    test_load(sys.argv[1])
    for name, test in list(globals().items()):
        if name.startswith("test_") and name != "test_load":
            test()
    return close("python")


if __name__ == "__main__":
    sys.exit(main())
