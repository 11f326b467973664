#!/usr/bin/env python3
"""gen_attention.py - reference vectors of attention: published masks, biases and distances, and
what the formulas make of them.

    python3 tests/vectors/gen_attention.py            writes the .txt files beside this one
    python3 tests/vectors/gen_attention.py --check    writes nothing; exits 1 and names what differs

Arithmetic and RoPE are gen_rope.py's. Here, too, everything is written from the papers' formulas
and apart from the C code: queries and keys are put where the paper puts them and then multiplied.
tests/test_attention.c reads the files. A line is one fact:

    set NAME VALUE        a field of lctx_attn, lctx_rope_desc or lctx_far_rule; gain; policy: the
                          keys are all there are, and may go through a cache
    keys FROM N           keys at FROM .. FROM + N - 1, after those of earlier lines
    query M               a query at M
    slope H VALUE         of head H's ALiBi
    logit M H N VALUE     of the query at M and the key at N in head H, as it enters the softmax:
                          scaled, capped, biased
    hidden M N            the query at M does not see the key at N
    lse M H VALUE         log of the softmax denominator
    out M H I VALUE       element I of the output

With m, n positions, h a query head, g the KV head that it reads, a thing's dimension j is
    query   (((j + 37 + m + h) j + 41 m + 23 h + 11) mod 101 - 50) / 64 * gain
    key     (((j + 53 + n + g) j + 31 n + 43 g + 29) mod 97 - 48) / 64
    value   (((j + 61 + n + g) j + 19 n + 71 g + 7) mod 89 - 44) / 64
and a sink logit ((29 h + 5) mod 23 - 6) / 2: exact in binary floats.
"""
from functools import lru_cache
from gen_rope import D, Schedule, digits, power, write


def slopes(n):
    """As the ALiBi paper has them, where n is no power of two by its authors' interpolation."""
    near = 2 ** (n.bit_length() - 1)
    if near == n:
        return [power(2, D(-8 * (h + 1)) / n) for h in range(n)]
    return slopes(near) + slopes(2 * near)[::2][:n - near]


def tanh(x):
    return 1 - 2 / ((2 * x).exp() + 1)


class Attention:
    defaults = dict(n_head=0, n_head_kv=0, d_k=0, d_v=0, gain=1, scale=0, softcap=0, window=0,
                    n_sink=0, far_pos=0, far_kind="none", far_window=0, far_leak=0, far_group=0,
                    alibi=0, sink_logit=0, policy=None)

    def __init__(self, settings):
        for name, value in {**self.defaults, **settings}.items():
            if name in self.defaults:
                setattr(self, name, value)
        rope = {k: v for k, v in settings.items() if k not in self.defaults}
        self.rope = Schedule(**rope) if rope else None
        self.d_v = self.d_v or self.d_k
        self.scale = D(self.scale) or 1 / D(self.d_k).sqrt()
        if self.rope:
            self.scale *= self.rope.scale_mul
        self.slopes = slopes(self.n_head) if self.alibi else None

    def query(self, m, h):
        return [D(((j + 37 + m + h) * j + 41 * m + 23 * h + 11) % 101 - 50) / 64 * self.gain
                for j in range(self.d_k)]

    def key(self, n, g):
        return [D(((j + 53 + n + g) * j + 31 * n + 43 * g + 29) % 97 - 48) / 64
                for j in range(self.d_k)]

    def value(self, n, g, j):
        return D(((j + 61 + n + g) * j + 19 * n + 71 * g + 7) % 89 - 44) / 64

    def sees(self, m, n):
        return n <= m and (not self.window or m - n < self.window or n < self.n_sink)

    @lru_cache(None)
    def places(self, m, n):
        """Where the query at m and the key at n are put before they are multiplied."""
        if self.far_pos:                # StreamingLLM: tokens are numbered as they lie in the cache
            lie = [self.sees(m, i) for i in range(m + 1)]
            return sum(lie[:m]), sum(lie[:n])
        w, k, group = self.far_window, self.far_leak, self.far_group
        if self.far_kind == "none" or m - n < w:
            return m, n
        if self.far_kind == "clamp":    # ReRoPE, LM-Infinite: the query at w, the key not turned
            return w, 0
        if self.far_kind == "leaky":    # both by k slower, the query ahead by w (k - 1)
            return D(m + w * (k - 1)) / k, D(n) / k
        return m // group + w - w // group, n // group      # Self-Extend

    @lru_cache(None)
    def turned(self, x, place, key):
        """Of x, a query's (m, h) or a key's (n, g)."""
        values = (self.key if key else self.query)(*x)
        return self.rope.rotate(values, place, key) if self.rope else values

    @lru_cache(None)
    def logit(self, m, h, n):
        at, to = self.places(m, n)
        group = self.n_head // self.n_head_kv
        s = self.scale * sum(a * b for a, b in zip(self.turned((m, h), at, False),
                                                   self.turned((n, h // group), to, True)))
        if self.softcap:
            s = self.softcap * tanh(s / self.softcap)
        return s - self.slopes[h] * (m - n) if self.alibi else s

    def row(self, m, h, keys, elements):
        """The log-sum-exp and elements of the output."""
        weights = [(n, self.logit(m, h, n).exp()) for n in keys if self.sees(m, n)]
        total = sum(w for n, w in weights)
        if self.sink_logit:
            total += ((D(29 * h + 5) % 23 - 6) / 2).exp()
        g = h // (self.n_head // self.n_head_kv)
        return total.ln(), {i: sum(w * self.value(n, g, i) for n, w in weights) / total
                            for i in elements}


def chosen(a, m, keys):
    """Keys of query m whose logits are written down: every 16th, and the edges of what is seen, of
    sinks and of what counts as far, both sides of each."""
    some = {n for n in keys[::16] if n <= m} | {max(n for n in keys if n <= m)}
    for x, y in zip(keys, keys[1:]):
        far = [a.far_kind != "none" and m - n >= a.far_window for n in (x, y)]
        sink = [a.n_sink > 0 and n < a.n_sink for n in (x, y)]
        if y <= m + 1 and (a.sees(m, x) != a.sees(m, y) or far[0] != far[1] or sink[0] != sink[1]):
            some |= {x, y}
    return sorted(some)


def text(title, settings, spans, queries, heads):
    a = Attention(settings)
    keys = [n for first, count in spans for n in range(first, first + count)]
    lines = [f"# {line}" for line in title.splitlines()]
    lines += [f"set {k} {digits(v, 20) if isinstance(v, D) else v}" for k, v in settings.items()]
    lines += [f"keys {first} {count}" for first, count in spans]
    lines += [f"query {m}" for m in queries]
    if a.alibi:
        lines += [f"slope {h} {digits(x, 20)}" for h, x in enumerate(a.slopes)
                  if h in heads or h % 9 == 0]
    for m in queries:
        some = chosen(a, m, keys)
        lines += [f"hidden {m} {n}" for n in some if not a.sees(m, n)]
        for h in heads:
            lines += [f"logit {m} {h} {n} {digits(a.logit(m, h, n), 20)}" for n in some
                      if a.sees(m, n)]
            lse, out = a.row(m, h, keys, (0, a.d_v // 2 + h % 7, a.d_v - 1))
            lines += [f"lse {m} {h} {digits(lse, 20)}"]
            lines += [f"out {m} {h} {i} {digits(x, 20)}" for i, x in out.items()]
    return "\n".join(lines) + "\n"


LLAMA2 = dict(n_head=32, n_head_kv=32, d_k=128, gain=8, scheme="plain", n_rot=128, theta=10000)
FILES = {
    "alibi_mpt_7b":
        ("MPT-7B: ALiBi over 32 heads of 128. Published: heads, their size, bias at most 8;\n"
         "reduced: the keys, to 140 of 2048.",
         dict(n_head=32, n_head_kv=32, d_k=128, gain=8, alibi=1, policy="full"),
         [(0, 140)], [0, 63, 64, 139], [0, 17, 31]),
    "alibi_bloom_176b":
        ("BLOOM 176B: ALiBi over 112 heads of 128, no power of two, so that heads 64 and after\n"
         "take every second slope of 128 heads'. Published: heads and their size; reduced: the\n"
         "keys, to 100 of 2048. (BLOOM adds slope * n, which the softmax makes the same.)",
         dict(n_head=112, n_head_kv=112, d_k=128, gain=8, alibi=1, policy="full"),
         [(0, 100)], [1, 64, 99], [0, 63, 64, 111]),
    "window_mistral_7b":
        ("Mistral 7B v0.1: sliding window. Published: 32 query heads and 8 of keys, of 128,\n"
         "window 4096, base 10000; reduced: the keys, to those around the window's edges.",
         dict(n_head=32, n_head_kv=8, d_k=128, gain=8, window=4096, scheme="plain", n_rot=128,
              theta=10000),
         [(0, 12), (4060, 64), (8180, 24)], [11, 4095, 4096, 4100, 8203], [0, 13, 31]),
    "sink_logits_gpt_oss":
        ("gpt-oss: the layers with a window, and a learned logit per head in the denominator.\n"
         "Published: 64 query heads and 8 of keys, of 64, window 128, YaRN by 32 not truncated;\n"
         "reduced: the keys, to 300; ours: the logits that it learned.",
         dict(n_head=64, n_head_kv=8, d_k=64, gain=8, window=128, sink_logit=1, policy="window",
              scheme="yarn", n_rot=64, theta=150000, factor=32, orig_ctx=4096, beta_fast=32,
              beta_slow=1, no_truncate=1),
         [(0, 300)], [0, 127, 128, 129, 255, 299], [0, 20, 63]),
    "softcap_gemma2_27b":
        ("Gemma 2 27B: the layers with a window, logits capped. Published: 32 query heads and 16\n"
         "of keys, of 128, scale 144^-0.5, softcap 50, window 4096, base 10000; reduced: the\n"
         "keys, to those around the window's edges. Queries are long, for the cap to be felt.",
         dict(n_head=32, n_head_kv=16, d_k=128, gain=256, scale=1 / D(12), softcap=50, window=4096,
              scheme="plain", n_rot=128, theta=10000),
         [(0, 16), (4090, 40), (8180, 16)], [15, 4095, 4096, 4097, 8190], [0, 9, 31]),
    "scale_deepseek_v3":
        ("DeepSeek-V3: mscale squared in the softmax scale. Published: 128 heads, keys of 192, 64\n"
         "of which turn (here the first), values of 128, YaRN by 40; reduced: the keys, to 90.",
         dict(n_head=128, n_head_kv=128, d_k=192, d_v=128, gain=8, policy="full", scheme="yarn",
              pairing="interleaved", n_rot=64, theta=10000, factor=40, orig_ctx=4096, beta_fast=32,
              beta_slow=1, mscale=1, mscale_all_dim=1),
         [(0, 90)], [0, 64, 89], [0, 77, 127]),
    "rerope_llama2":
        ("Llama 2 7B under ReRoPE, its author's patch but for the query's factor\n"
         "log m / log 4096. Published: heads, base, window 512; reduced: the keys.",
         dict(LLAMA2, far_kind="clamp", far_window=512),
         [(0, 40), (480, 64), (3580, 16), (4080, 20)], [511, 512, 513, 543, 4099], [0, 31]),
    "leaky_rerope_llama2":
        ("Llama 2 7B under leaky ReRoPE, its author's patch but for the query's factor\n"
         "log m / log 4096. Published: heads, base, window 512, k 16; reduced: the keys.",
         dict(LLAMA2, far_kind="leaky", far_window=512, far_leak=16),
         [(0, 40), (480, 64), (3580, 16), (4080, 20)], [511, 512, 513, 543, 4099], [0, 31]),
    "self_extend_llama2":
        ("Llama 2 7B under Self-Extend, as its authors' README extends it to 15800 tokens.\n"
         "Published: heads, base, neighbours 1024, groups of 5; reduced: the keys.",
         dict(LLAMA2, far_kind="group", far_window=1024, far_group=5),
         [(0, 24), (1000, 48), (5100, 32), (6120, 12)], [1023, 1024, 1025, 1032, 6130], [0, 31]),
    "lm_infinite_llama2":
        ("Llama 2 7B under LM-Infinite, as its authors' README converts it. Published: heads,\n"
         "base, 10 first tokens and the last 4096, distances up to 4096; reduced: the keys.",
         dict(LLAMA2, window=4096, n_sink=10, far_kind="clamp", far_window=4096),
         [(0, 16), (4080, 40), (8190, 20)], [9, 4095, 4096, 4101, 8200], [0, 31]),
    "streaming_llama2":
        ("Llama 2 7B under StreamingLLM: positions are those in the cache. Published: heads,\n"
         "base, 4 first tokens and the last 1020; reduced: the keys, to those around the edges.",
         dict(LLAMA2, window=1020, n_sink=4, far_pos=1023),
         [(0, 4), (4, 12), (1010, 40), (1970, 24), (2980, 21)], [15, 1022, 1023, 1024, 1032, 3000],
         [0, 31]),
    "streaming_reduced":
        ("Llama 2 7B under StreamingLLM, every token there. Published: heads, base, 4 first\n"
         "tokens; reduced: the window, to 60 tokens.",
         dict(LLAMA2, window=60, n_sink=4, far_pos=63, policy="sinks"),
         [(0, 4), (4, 246)], [3, 62, 63, 64, 130, 249], [0, 31]),
}


if __name__ == "__main__":
    write({f"attn_{name}.txt": text(*facts) for name, facts in FILES.items()})
