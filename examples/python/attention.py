#!/usr/bin/env python3
"""Demonstrates attention on numpy arrays, a plain one and lctx side by side; and what is refused.

Exit codes: 0 ok, 2 the library is missing or does not fit, 3 a result is wrong."""
import sys

import numpy as np

import lctx


def plain_attend(q, k, v):
    n_q, n_head, dim = q.shape
    k, v = (np.repeat(x, n_head // x.shape[1], 1) for x in (k, v))    # a KV head for each head
    scores = np.einsum("thd,jhd->htj", q, k) / np.sqrt(dim)
    scores[:, np.arange(len(k)) > np.arange(len(k) - n_q, len(k))[:, None]] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("htj,jhd->thd", weights / weights.sum(-1, keepdims=True), v)


def main():
    noise = np.random.default_rng(1)
    q = noise.standard_normal((3, 8, 64), np.float32)
    k, v = noise.standard_normal((2, 1000, 2, 64), np.float32)

    ours, plain = lctx.attend(q, k, v), plain_attend(q, k, v)

    worst = np.abs(ours - plain).max()
    print(f"3 queries over 1000 tokens ({lctx.isa().name}): "
          f"largest difference to numpy {worst:.1e}")
    half = lctx.attend(q, k.astype(np.float16), v.astype(np.float16))
    print(f"with keys and values of float16 {np.abs(half - plain).max():.1e}")
    with lctx.Threads() as threads, lctx.Cache(2, 64) as cache:
        cache.append(k, v)
        same = (cache.attend(q, par=threads) == half).all()
    print(f"out of a cache, with threads, {'the same bits' if same else 'other bits'}")

    yarn = lctx.Rope(64, scheme=lctx.RopeScheme.YARN, factor=4, orig_ctx=4096)
    print(f"yarn x4: attention factor {yarn.attn_factor:.6f}, slowest {yarn.freq[-1]:.3e}")
    for wrong in (lambda: lctx.Rope(63), lambda: lctx.attend(q, k.astype(float), v)):
        try:
            wrong()
        except (lctx.Error, TypeError) as refusal:
            print(f"{type(refusal).__name__}: {refusal}")
    return 0 if worst < 1e-5 and same and abs(yarn.attn_factor - 0.1 * np.log(4) - 1) < 1e-12 else 3


if __name__ == "__main__":
    try:
        sys.exit(main())
    except lctx.LibraryError as error:
        sys.exit(print(f"attention.py: {error}", file=sys.stderr) or 2)
