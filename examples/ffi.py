#!/usr/bin/env python3
"""Demonstrates the library from Python by ctypes alone: struct sizes checked at load time, a RoPE
schedule, threads, and attention on arrays, compared with the same in plain Python; and what a
call refused.

Arrays are anything with a writable buffer of floats: array.array here, numpy arrays as well.
Exit codes: 0 ok, 1 usage, 2 the library is missing or does not fit, 3 a result is wrong."""
import argparse
import ctypes as c
import math
import os
import random
import sys
from array import array

P, I32, I64, F32, F64 = c.c_void_p, c.c_int32, c.c_int64, c.c_float, c.c_double


def struct(name, **fields):
    """A ctypes structure; a list as a field's type stands for an array, [type, length]."""
    fields = [(n, t[0] * t[1] if isinstance(t, list) else t) for n, t in fields.items()]
    return type(name, (c.Structure,), {"_fields_": fields})


Refusal = struct(
    "lctx_refusal", status=I32, reserved=I32, type=c.c_char_p, field=c.c_char_p, index=I64,
    element=I64)
RopeDesc = struct(
    "lctx_rope_desc", scheme=I32, pairing=I32, n_rot=I32, no_truncate=I32, theta=F64, factor=F64,
    orig_ctx=F64, ctx=F64, beta_fast=F64, beta_slow=F64, attn_factor=F64, mscale=F64,
    mscale_all_dim=F64, low_freq=F64, high_freq=F64, freq=P, short_factor=P, long_factor=P,
    n_freq=I32, n_short=I32, n_long=I32, reserved=I32, short_mscale=F64, long_mscale=F64, n_hat=I64,
    xpos_base=F64, xpos_center=I64, refused=c.POINTER(Refusal))
Rope = struct(
    "lctx_rope", n_rot=I32, pairing=I32, attn_factor=F64, scale_mul=F64, freq=[F64, 256],
    plain=[F64, 256], n_hat=I64, xpos_base=F64, xpos_center=I64)
Span = struct(
    "lctx_span", k=P, v=P, k_type=I32, v_type=I32, layout=I32, skip=I32, n=I64, pos=I64, index=I64,
    query=I32, group=I32, k_token=I64, k_head=I64, v_token=I64, v_head=I64, k_scale=P,
    v_scale=P, k_scale_token=I64, k_scale_head=I64, v_scale_token=I64, v_scale_head=I64, k_pos=P,
    k_pos_head=I64)
Attn = struct(
    "lctx_attn", n_q=I64, n_head=I32, n_head_kv=I32, d_k=I32, d_v=I32, q=P, q_far=P, q_token=I64,
    q_head=I64, q_pos=P, q_pos0=I64, q_group=P, rope=P, far_rule=P, far_pos=I64,
    spans=c.POINTER(Span), n_spans=I64, out=P, out_token=I64, out_head=I64, lse=P, lse_token=I64,
    scale=F32, softcap=F32, mask=I32, n_sink=I32, window=I64, window_right=I64, pattern=P, list=P,
    list_len=I64, list_queries=I64, list_first=I64, list_heads=I32, list_keys=I32, mask_bits=P,
    mask_head=I64, mask_query=I64, alibi=P, sink_logit=P, bias=P, bias_head=I64, bias_query=I64,
    precise=I32, reserved=I32, mass=P, mass_head=I64, mass_queries=I64, par=P, progress=P,
    progress_user=P, refused=c.POINTER(Refusal))
Parallel = struct("lctx_parallel", run=P, user=P, n_threads=I32, reserved=I32)
ThreadsDesc = struct(
    "lctx_threads_desc", n_threads=I32, spin=I32, alloc=P, refused=c.POINTER(Refusal))
YARN = 5


def load(path):
    """Loads the library and refuses it if its structs are not ours."""
    lib = c.CDLL(path)
    lib.lctx_sizeof.restype = c.c_size_t
    lib.lctx_sizeof.argtypes = [c.c_char_p]
    lib.lctx_refusal_text.argtypes = [P, P, c.c_size_t]
    lib.lctx_attend.argtypes = [P, P, c.c_size_t]
    lib.lctx_threads_free.argtypes = [P]
    lib.lctx_threads_free.restype = None
    for s in (Refusal, RopeDesc, Rope, Span, Attn, Parallel, ThreadsDesc):
        theirs = lib.lctx_sizeof(s.__name__.encode())
        if theirs != c.sizeof(s):
            raise OSError(f"{s.__name__} has {theirs} bytes in {path}, {c.sizeof(s)} here")
    return lib


def check(lib, status, desc):
    """Raises what a call refused of the descriptor that it was given."""
    if status:
        text = c.create_string_buffer(200)
        lib.lctx_refusal_text(desc.refused, text, len(text))
        raise ValueError(text.value.decode())


def address(floats):
    return c.addressof(F32.from_buffer(floats))


def rope(lib, **settings):
    schedule = Rope()
    desc = RopeDesc(refused=c.pointer(Refusal()), **settings)
    check(lib, lib.lctx_rope_init(c.byref(schedule), c.byref(desc)), desc)
    return schedule


def start_threads(lib, n=0):
    """n threads, 0 for one a processor, until lctx_threads_free; and the hook to hand to calls."""
    threads, par = P(), Parallel()
    desc = ThreadsDesc(n_threads=n, refused=c.pointer(Refusal()))
    check(lib, lib.lctx_threads_create(c.byref(desc), c.byref(threads)), desc)
    lib.lctx_threads_parallel(threads, c.byref(par))
    return threads, par


def attend(lib, par, q, k, v, n_q, n_head, n_head_kv, dim):
    """Causal attention of the last n_q tokens: q [n_q][n_head][dim], k, v [n][n_head_kv][dim]."""
    n = len(k) // (n_head_kv * dim)
    out = array("f", bytes(4 * len(q)))
    span = Span(k=address(k), v=address(v), n=n)
    a = Attn(n_q=n_q, n_head=n_head, n_head_kv=n_head_kv, d_k=dim, q=address(q), q_pos0=n - n_q,
             spans=c.pointer(span), n_spans=1, out=address(out), par=c.addressof(par),
             refused=c.pointer(Refusal()))
    size = c.c_size_t()
    check(lib, lib.lctx_attend_size(c.byref(a), c.byref(size)), a)
    scratch = c.create_string_buffer(size.value)
    check(lib, lib.lctx_attend(c.byref(a), scratch, size), a)
    return out


def plain_attend(q, k, v, n_q, n_head, n_head_kv, dim):
    n, out = len(k) // (n_head_kv * dim), []
    for row in range(n_q * n_head):
        token, head = divmod(row, n_head)
        first = head // (n_head // n_head_kv) * dim
        seen = [first + j * n_head_kv * dim for j in range(n - n_q + token + 1)]
        query = q[row * dim:(row + 1) * dim]
        scores = [sum(x * y for x, y in zip(query, k[j:j + dim])) / math.sqrt(dim) for j in seen]
        top = max(scores)
        p = [math.exp(s - top) for s in scores]
        out += [sum(w * v[j + d] for w, j in zip(p, seen)) / sum(p) for d in range(dim)]
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lib", default=os.path.join(here, "..", "build", "liblctx.so"))
    args = parser.parse_args()
    try:
        lib = load(args.lib)
    except (OSError, AttributeError) as error:
        sys.exit(print(f"ffi.py: {error} (make lib builds it)", file=sys.stderr) or 2)

    schedule = rope(lib, n_rot=64, scheme=YARN, factor=4.0, orig_ctx=4096.0)
    expected = 0.1 * math.log(4) + 1
    print(f"yarn x4: attention factor {schedule.attn_factor:.6f}, slowest {schedule.freq[31]:.3e}")

    try:
        rope(lib, n_rot=63)
        sys.exit(print("ffi.py: an odd n_rot was not refused", file=sys.stderr) or 3)
    except ValueError as refusal:
        print(f"63 dimensions: {refusal}")

    shape = dict(n_q=3, n_head=4, n_head_kv=2, dim=16)
    noise = random.Random(1)
    q = array("f", (noise.gauss(0, 1) for _ in range(3 * 4 * 16)))
    k = array("f", (noise.gauss(0, 1) for _ in range(100 * 2 * 16)))
    v = array("f", (noise.gauss(0, 1) for _ in range(100 * 2 * 16)))
    threads, par = start_threads(lib)
    print(f"{par.n_threads} threads")
    ours, plain = attend(lib, par, q, k, v, **shape), plain_attend(q, k, v, **shape)
    lib.lctx_threads_free(threads)
    worst = max(abs(a - b) for a, b in zip(ours, plain))
    print(f"3 queries over 100 tokens: largest difference to plain Python {worst:.1e}")
    if not worst < 1e-5 or abs(schedule.attn_factor - expected) > 1e-12:
        sys.exit(print("ffi.py: a result is wrong", file=sys.stderr) or 3)
    print("ok")


if __name__ == "__main__":
    main()
