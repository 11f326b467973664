#!/usr/bin/env python3
"""gen_rope.py - reference vectors of RoPE: published settings, and what the formulas make of them.

    python3 tests/vectors/gen_rope.py            writes the .txt files beside this one
    python3 tests/vectors/gen_rope.py --check    writes nothing; exits 1 and names what differs

Needs Python 3 and nothing else: decimal arithmetic of 60 digits, written from the papers' formulas
and apart from the C code. tests/test_rope.c reads the files. A line is one fact:

    set NAME VALUE        a field of lctx_rope_desc, or head_dim
    list NAME I VALUE     an element of one of its lists
    factor ATTN SCALE     the attention factor, and what multiplies the softmax scale
    freq I VALUE          radians per position of pair I
    turn POS I COS SIN    of pair I at POS, attention factor included, xPos not
    grow POS I VALUE      xPos of a query's pair I at POS; a key's is its inverse
    logit M N VALUE       of the query below at M and the key below at N: q.k after rotation,
                          times SCALE / sqrt(head_dim)

Dimension j of the query is ((37 j + 11) mod 101 - 50) / 64, of the key ((53 j + 29) mod 97 - 48) /
64: exact in binary floats.
"""
import sys
from decimal import Decimal, getcontext, ROUND_CEILING, ROUND_FLOOR
from functools import lru_cache
from pathlib import Path

getcontext().prec = 60
D = Decimal
EPS = D(10) ** -58


def arctan_inverse(n):
    """arctan(1/n) by its series."""
    term, total, k = D(1) / n, D(0), 0
    while abs(term) > EPS:
        total += term / (2 * k + 1) * (-1) ** k
        term /= n * n
        k += 1
    return total


PI = 4 * (4 * arctan_inverse(5) - arctan_inverse(239))      # Machin


@lru_cache(None)
def cos_sin(angle):
    angle -= 2 * PI * (angle / (2 * PI)).to_integral_value()
    total, term, k = [D(1), D(0)], D(1), 0
    while abs(term) > EPS:
        k += 1
        term *= angle / k
        total[k % 2] += term if k % 4 < 2 else -term
    return total


def power(base, exponent):
    return (D(exponent) * D(base).ln()).exp()


def clamp(x, low, high):
    return min(max(x, D(low)), D(high))


class Schedule:
    """Frequencies and factors of one set of settings."""
    defaults = dict(scheme="plain", pairing="half", theta=10000, factor=1, orig_ctx=0, ctx=0,
                    beta_fast=32, beta_slow=1, low_freq=1, high_freq=4, attn_factor=0, mscale=0,
                    mscale_all_dim=0, short_mscale=0, long_mscale=0, no_truncate=0, n_hat=0,
                    xpos_base=0, xpos_center=0)

    def __init__(self, lists=None, **settings):
        for name, value in {**self.defaults, **settings}.items():
            setattr(self, name, value if name in ("scheme", "pairing", "n_rot") else D(value))
        self.lists = {name: [D(x) for x in values] for name, values in (lists or {}).items()}
        self.ctx = self.ctx or self.factor * self.orig_ctx
        self.unscaled = [power(self.theta, D(-2 * i) / self.n_rot) for i in range(self.n_rot // 2)]
        self.freq = [getattr(self, self.scheme)(i, f) for i, f in enumerate(self.unscaled)]
        self.attention()

    def plain(self, i, f):
        return f

    def linear(self, i, f):
        return f / self.factor

    def based(self, i, grow):
        return power(self.theta * power(grow, D(self.n_rot) / (self.n_rot - 2)),
                     D(-2 * i) / self.n_rot)

    def ntk(self, i, f):
        return self.based(i, self.factor)

    def dynamic(self, i, f):
        if self.ctx <= self.orig_ctx:
            return f
        return self.based(i, self.factor * self.ctx / self.orig_ctx - (self.factor - 1))

    def mix(self, keep, f):
        return keep * f + (1 - keep) * f / self.factor

    def by_parts(self, i, f):
        turns = self.orig_ctx * f / (2 * PI)
        return self.mix(clamp((turns - self.beta_slow) / (self.beta_fast - self.beta_slow), 0, 1),
                        f)

    def yarn(self, i, f):
        def dim(turns):
            return self.n_rot * (self.orig_ctx / (2 * PI * turns)).ln() / (2 * self.theta.ln())
        low, high = dim(self.beta_fast), dim(self.beta_slow)
        if not self.no_truncate:
            low, high = low.to_integral_value(ROUND_FLOOR), high.to_integral_value(ROUND_CEILING)
        low, high = clamp(low, 0, self.n_rot - 1), clamp(high, 0, self.n_rot - 1)
        if low == high:
            high += D("0.001")
        return self.mix(1 - clamp((i - low) / (high - low), 0, 1), f)

    def llama3(self, i, f):
        length = 2 * PI / f
        if length < self.orig_ctx / self.high_freq:
            return f
        if length > self.orig_ctx / self.low_freq:
            return f / self.factor
        return self.mix((self.orig_ctx / length - self.low_freq) / (self.high_freq - self.low_freq),
                        f)

    def longrope(self, i, f):
        return f / self.lists["long_factor" if self.ctx > self.orig_ctx else "short_factor"][i]

    def attention(self):
        def m(a):
            return D("0.1") * a * self.factor.ln() + 1 if self.factor > 1 else D(1)
        attn, self.scale_mul = D(1), D(1)
        if self.scheme in ("yarn", "by_parts"):
            attn = m(1)
            if self.mscale and self.mscale_all_dim:
                attn = m(self.mscale) / m(self.mscale_all_dim)
        if self.scheme == "yarn" and self.mscale_all_dim:
            self.scale_mul = m(self.mscale_all_dim) ** 2
        if self.scheme == "longrope":
            given = self.long_mscale if self.ctx > self.orig_ctx else self.short_mscale
            attn = given or (1 + self.factor.ln() / self.orig_ctx.ln()).sqrt()
        self.attn = self.attn_factor or attn

    def turn(self, pos, i):
        c, s = cos_sin(pos * (self.unscaled if pos < self.n_hat else self.freq)[i])
        return c * self.attn, s * self.attn

    def grow(self, pos, i):
        if not self.xpos_base:
            return D(1)
        return power((D(2 * i) / self.n_rot + D("0.4")) / D("1.4"),
                     (pos - self.xpos_center) / self.xpos_base)

    def rotate(self, x, pos, key):
        """x turned to pos, and scaled as xPos has it for a query or a key."""
        out, half = list(x), self.n_rot // 2
        for i in range(half):
            a, b = (i, i + half) if self.pairing == "half" else (2 * i, 2 * i + 1)
            c, s = self.turn(pos, i)
            g = 1 / self.grow(pos, i) if key else self.grow(pos, i)
            out[a], out[b] = (x[a] * c - x[b] * s) * g, (x[a] * s + x[b] * c) * g
        return out


def digits(x, n):
    return f"{+x:.{n}e}" if x else "0"


def text(title, settings, lists, places, pairs_of_places):
    s = Schedule(lists, **{k: v for k, v in settings.items() if k != "head_dim"})
    head = settings["head_dim"]
    shown = sorted(set(range(0, s.n_rot // 2, 7)) | {s.n_rot // 2 - 1})
    query = [(D(37 * j + 11) % 101 - 50) / 64 for j in range(head)]
    key = [(D(53 * j + 29) % 97 - 48) / 64 for j in range(head)]
    lines = [f"# {line}" for line in title.splitlines()]
    lines += [f"set {k} {v}" for k, v in settings.items()]
    lines += [f"list {k} {i} {x}" for k, v in lists.items() for i, x in enumerate(v)]
    lines += [f"factor {digits(s.attn, 20)} {digits(s.scale_mul, 20)}"]
    lines += [f"freq {i} {digits(f, 20)}" for i, f in enumerate(s.freq)]
    for pos in places:
        for i in shown:
            c, n = s.turn(pos, i)
            lines += [f"turn {pos} {i} {digits(c, 12)} {digits(n, 12)}"]
            if s.xpos_base:
                lines += [f"grow {pos} {i} {digits(s.grow(pos, i), 12)}"]
    for m, n in pairs_of_places:
        dot = sum(a * b for a, b in zip(s.rotate(query, m, False), s.rotate(key, n, True)))
        lines += [f"logit {m} {n} {digits(dot * s.scale_mul / D(head).sqrt(), 12)}"]
    return "\n".join(lines) + "\n"


PLACES = [0, 1, 4095, 4096, 131071, 2 ** 24, 2 ** 24 + 1, 2 ** 40]
PAIRS = [(0, 0), (1, 0), (4096, 4095), (131071, 0), (131071, 131000), (2 ** 24 + 1, 2 ** 24 - 37),
         (2 ** 40, 2 ** 40 - 4096)]
NEAR = [0, 1, 4095, 4096, 16384, 32768]         # what xPos reaches from its centre

# rope_scaling of Phi-3.5-mini-instruct's config.json, floats of 32 bits as it prints them.
SHORT = """1.0 1.0199999809265137 1.0299999713897705 1.0299999713897705 1.0499999523162842
1.0499999523162842 1.0499999523162842 1.0499999523162842 1.0499999523162842 1.0699999332427979
1.0999999046325684 1.1099998950958252 1.1599998474121094 1.1599998474121094 1.1699998378753662
1.2899998426437378 1.339999794960022 1.679999828338623 1.7899998426437378 1.8199998140335083
1.8499997854232788 1.8799997568130493 1.9099997282028198 1.9399996995925903 1.9899996519088745
2.0199997425079346 2.0199997425079346 2.0199997425079346 2.0199997425079346 2.0199997425079346
2.0199997425079346 2.0299997329711914 2.0299997329711914 2.0299997329711914 2.0299997329711914
2.0299997329711914 2.0299997329711914 2.0299997329711914 2.0299997329711914 2.0299997329711914
2.0799996852874756 2.0899996757507324 2.189999580383301 2.2199995517730713 2.5899994373321533
2.729999542236328 2.749999523162842 2.8399994373321533""".split()
LONG = """1.0800000429153442 1.1100000143051147 1.1399999856948853 1.340000033378601
1.5899999141693115 1.600000023841858 1.6200000047683716 2.620000123977661 3.2300000190734863
3.2300000190734863 4.789999961853027 7.400000095367432 7.700000286102295 9.09000015258789
12.199999809265137 17.670000076293945 24.46000099182129 28.57000160217285 30.420001983642578
30.840002059936523 32.590003967285156 32.93000411987305 42.320003509521484 44.96000289916992
50.340003967285156 50.45000457763672 57.55000305175781 57.93000411987305 58.21000289916992
60.1400032043457 62.61000442504883 62.62000274658203 62.71000289916992 63.1400032043457
63.1400032043457 63.77000427246094 63.93000411987305 63.96000289916992 63.970001220703125
64.02999877929688 64.06999969482422 64.08000183105469 64.12000274658203 64.41000366210938
64.4800033569336 64.51000213623047 64.52999877929688 64.83999633789062""".split()
PHI = dict(scheme="longrope", head_dim=96, n_rot=96, theta=10000, factor=32, orig_ctx=4096)
PHI_LISTS = dict(short_factor=SHORT, long_factor=LONG)

FILES = {
    "plain_gptj": ("GPT-J 6B: plain, interleaved, 64 of 256 dimensions.",
                   dict(scheme="plain", pairing="interleaved", head_dim=256, n_rot=64,
                        theta=10000)),
    "plain_codellama": ("Code Llama: a larger base (ABF).",
                        dict(scheme="plain", head_dim=128, n_rot=128, theta=1000000)),
    "linear_llama2": ("Llama 2 with position interpolation by 4.",
                      dict(scheme="linear", head_dim=128, n_rot=128, theta=10000, factor=4,
                           orig_ctx=4096)),
    "ntk_llama2": ("Llama 2, NTK-aware by 8.",
                   dict(scheme="ntk", head_dim=128, n_rot=128, theta=10000, factor=8,
                        orig_ctx=4096)),
    "dynamic_llama2": ("Llama 2, dynamic NTK of factor 2 at 16384 tokens.",
                       dict(scheme="dynamic", head_dim=128, n_rot=128, theta=10000, factor=2,
                            orig_ctx=4096, ctx=16384)),
    "by_parts_llama2": ("Llama 2, NTK-by-parts by 16: the YaRN paper's ramp over rotations.",
                        dict(scheme="by_parts", head_dim=128, n_rot=128, theta=10000, factor=16,
                             orig_ctx=4096)),
    "yarn_qwen25": ("Qwen2.5 as its model card extends it.",
                    dict(scheme="yarn", head_dim=128, n_rot=128, theta=1000000, factor=4,
                         orig_ctx=32768)),
    "yarn_deepseek_v3": ("DeepSeek-V3: both mscales; the 64 dimensions of a head that turn.",
                         dict(scheme="yarn", pairing="interleaved", head_dim=64, n_rot=64,
                              theta=10000, factor=40, orig_ctx=4096, beta_fast=32, beta_slow=1,
                              mscale=1, mscale_all_dim=1)),
    "yarn_gpt_oss": ("gpt-oss: truncate false.",
                     dict(scheme="yarn", head_dim=64, n_rot=64, theta=150000, factor=32,
                          orig_ctx=4096, beta_fast=32, beta_slow=1, no_truncate=1)),
    "llama3_llama31": ("Llama 3.1.",
                       dict(scheme="llama3", head_dim=128, n_rot=128, theta=500000, factor=8,
                            orig_ctx=8192, low_freq=1, high_freq=4)),
    "longrope_phi35_long": ("Phi-3.5-mini-instruct beyond 4096 tokens.", dict(PHI, ctx=131072),
                            PHI_LISTS),
    "longrope_phi35_short": ("Phi-3.5-mini-instruct at 4096 tokens: still the short list.",
                             dict(PHI, ctx=4096), PHI_LISTS),
    "longrope_mscales": ("Phi-3.5-mini's lists with an mscale each, and 4 first positions as the\n"
                         "paper has them. Phi-3.5-MoE sets mscales so, both to 1.243163121016122;"
                         "\nno known config sets n_hat.",
                         dict(PHI, ctx=131072, short_mscale="1.1", long_mscale="1.243163121016122",
                              n_hat=4), PHI_LISTS, [0, 1, 3, 4, 4095, 131071], [(3, 0), (4, 3),
                                                                               (131071, 2)]),
    "xpos": ("xPos as its paper has it, around position 16384, over 64 of 80 dimensions.",
             dict(scheme="plain", pairing="interleaved", head_dim=80, n_rot=64, theta=10000,
                  xpos_base=512, xpos_center=16384), {}, NEAR,
             [(0, 0), (1, 0), (4096, 4095), (16400, 16384), (32768, 32000), (32768, 0)]),
}


def write(files):
    """Writes {name: text} beside this file, or with --check says which differ."""
    here, differ = Path(__file__).resolve().parent, []
    for name, wanted in files.items():
        path = here / name
        if "--check" not in sys.argv[1:]:
            path.write_text(wanted)
        elif not path.is_file() or path.read_text() != wanted:
            differ.append(name)
    if differ:
        sys.exit("these differ from what is generated: " + " ".join(differ))


def main():
    files = {}
    for name, (title, settings, *rest) in FILES.items():
        lists, places, pairs = (rest + [{}, PLACES, PAIRS][len(rest):])
        files[f"rope_{name}.txt"] = text(title, settings, lists, places, pairs)
    write(files)


if __name__ == "__main__":
    main()
