#!/usr/bin/env python3
"""Trains the toy model and writes toy.gguf and toy-yarn.gguf, both in one run, or toy-hybrid.gguf.

The model is a byte-level Llama with 820 K parameters and a trained context of only 256 tokens, so
that long context can be watched on a laptop: 4096 bytes are sixteen times what it has seen.

    train.py [--text FOLDER] [--out FOLDER] [--hybrid [--seconds N]]

The folder of texts holds the four books named in BOOKS (Project Gutenberg, licence text cut off).
What a document looks like, see class Data:
    text      a crop of a book
    passkey   a five-digit key hidden in a book, asked for later
    ledger    "Tolvik has 482." and the like, restated later
    repeat    a random string again and again; this is what forms the copying heads

Phase 1 trains at 256 tokens with plain RoPE. Phase 2 fine-tunes at 1024 and 2048 tokens with YaRN.
So small a model grows no attention sink by itself; a small auxiliary loss (SINK) teaches it to rest
attention on the first token, as large models do unasked. Near the end of each phase some weights
are kept, and the best of them by retrieval beyond the trained length is exported. Seeds are fixed and
schedules count steps; another CPU or another PyTorch still gives other weights.

The hybrid carries a state by the gated delta rule in three layers of four and attends to 64 tokens
in the fourth. It has phase 1 alone, with half as many tokens a step, and no sink; its states begin
as induction heads (induction_taps).

Needs numpy and PyTorch with a fast BLAS (OpenBLAS; the reference BLAS is several times slower), no
GPU. Each of the two runs takes under an hour on two cores.
"""
import argparse
import copy
import math
import os
import struct
import time

import numpy as np
import torch
import torch.nn.functional as F

BOOKS = ['war_and_peace_pg2600', 'moby_dick_pg2701', 'pride_and_prejudice_pg1342', 'alice_pg11']
HELD_OUT = 0.05                     # the last part of each book is never trained on

BOS, EOS, BYTE0, VOCAB = 1, 2, 3, 259   # <unk> <s> </s>, then byte b is token 3 + b
D, LAYERS, HEADS, KV_HEADS, HEAD, FF = 128, 4, 4, 2, 32, 384
BASE, CTX, EPS = 500.0, 256, 1e-5   # base 500: 10 of 16 pairs complete a turn within 256 tokens
BETA_FAST, BETA_SLOW = 8.0, 1.0     # YaRN's ramp, in proportion to so short a context
FACTOR = 4.0                        # what toy-yarn.gguf declares

EVERY, WINDOW, TAPS = 4, 64, 4      # hybrid: each fourth layer attends, to 64 tokens; the others
                                    # hold a state of HEADS x HEAD x HEAD, behind a convolution
TOKENS = 4096                       # per step
SINK = 0.05                         # weight of the sink loss at the start; half of it at the end


# ------------------------------------------------------------------------------------ the model

def rope_table(n, factor=1.0, dtype=torch.float32):
    """cos and sin [n][HEAD/2] for positions 0..n-1: plain RoPE, or YaRN where factor > 1."""
    freq = BASE ** (-torch.arange(0, HEAD, 2).double() / HEAD)
    mscale = 1.0
    if factor > 1:
        pair = lambda turns: HEAD * math.log(CTX / (turns * 2 * math.pi)) / (2 * math.log(BASE))
        lo = max(math.floor(pair(BETA_FAST)), 0)
        hi = min(math.ceil(pair(BETA_SLOW)), HEAD // 2 - 1)
        ramp = ((torch.arange(HEAD // 2).double() - lo) / max(hi - lo, 1e-3)).clamp(0, 1)
        freq = freq / factor * ramp + freq * (1 - ramp)
        mscale = 0.1 * math.log(factor) + 1
    angle = torch.arange(n).double()[:, None] * freq
    return (angle.cos() * mscale).to(dtype), (angle.sin() * mscale).to(dtype)


def rope(x, table):
    """Rotates the pairs (i, i + HEAD/2) of x [..., n, HEAD]."""
    cos, sin = table
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def deinterleave(w):
    """Rows 0 2 4 .. 1 3 5 .. of each head. GGUF llama weights rotate the pairs (2i, 2i + 1), and so
    do ours; scores do not change if Q and K are permuted alike, and rope() on halves is faster."""
    return w.view(-1, HEAD // 2, 2, D).transpose(1, 2).reshape(w.shape)


def rms(x, weight):
    return x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + EPS) * weight


def taps(x, weight):
    """silu of the causal convolution of x [batch][n][channels], channel by channel."""
    n, padded = x.shape[1], F.pad(x, (0, 0, TAPS - 1, 0))
    return F.silu(sum(padded[:, j:j + n] * weight[:, j] for j in range(TAPS)))


def induction_taps():
    """Weights of a state layer's convolution to begin with. Queries and keys begin with the same
    matrix, and keys look one token further back, so that a state answers what came after tokens
    like the last three, as induction heads do. Values are their token's."""
    back = torch.randn(HEADS * HEAD, TAPS - 1) * 0.6
    value = torch.randn(HEADS * HEAD, TAPS) * 0.1
    value[:, -1] += 1
    return torch.cat((F.pad(back, (1, 0)), F.pad(back, (0, 1)), value))


def delta_loop(q, k, v, beta, g):
    """What delta_rule computes, token by token."""
    s, out = torch.zeros(*k.shape[:2], HEAD, HEAD, dtype=k.dtype), []
    for t in range(k.shape[2]):
        kt = k[:, :, t, :, None]
        s = s * g[:, :, t, None, None].exp()
        s = s + kt @ (beta[:, :, t, None, None] * (v[:, :, t, None] - kt.transpose(2, 3) @ s))
        out.append(q[:, :, t, None] @ s)
    return torch.cat(out, 2) / math.sqrt(HEAD)


def delta_rule(q, k, v, beta, g, chunk=64):
    """The gated delta rule, over [batch][heads][n][HEAD], beta and log decays g [batch][heads][n]:
    with S' = e^g S, S = S' + beta k (v - S' k), out = S q / sqrt(HEAD). By chunks: of each, the
    updates u solve (1 + A) u = beta (v - e^G k S), G the sum of g from the chunk's start and A
    strictly lower triangular."""
    batch, heads, n = beta.shape
    chunk = min(chunk, n)
    pad = -n % chunk
    cut = lambda x, *d: F.pad(x, (0, 0) * len(d) + (0, pad)).reshape(-1, (n + pad) // chunk, chunk,
                                                                     *d)
    q, k, v = cut(q, HEAD) / math.sqrt(HEAD), cut(k, HEAD), cut(v, HEAD)
    beta, g = cut(beta)[..., None], cut(g).cumsum(-1)[..., None]
    since = torch.exp((g - g.transpose(2, 3)).clamp(max=0))
    kt = k.transpose(2, 3)
    a = (beta * (k @ kt) * since).tril(-1) + torch.eye(chunk)
    u, w = torch.linalg.solve_triangular(a, torch.cat((beta * v, beta * g.exp() * k), -1),
                                         upper=False, unitriangular=True).chunk(2, -1)
    score = ((q @ kt) * since).tril()
    q, last = q * g.exp(), g[:, :, -1:]
    kt = (k * (last - g).exp()).transpose(2, 3)
    s, out = torch.zeros(batch * heads, HEAD, HEAD), []
    for q, kt, u, w, score, keep in zip(*(x.unbind(1) for x in (q, kt, u, w, score, last.exp()))):
        x = u - w @ s
        out.append(q @ s + score @ x)
        s = s * keep + kt @ x
    return torch.cat(out, 1).view(batch, heads, n + pad, HEAD)[:, :, :n]


def check_delta_rule():
    """The chunked form gives what the loop gives, in double, of keys that resemble each other."""
    unit = lambda y: y / y.norm(dim=-1, keepdim=True)
    q, k, v = (torch.randn(2, HEADS, 150, HEAD) + x for x in (0, 0.5, 0))
    beta, g = torch.rand(2, HEADS, 150), -torch.rand(2, HEADS, 150) * 10 ** -torch.rand(HEADS, 1)
    x = (unit(q), unit(k), v, beta, g)
    worst = (delta_rule(*x) - delta_loop(*(y.double() for y in x))).abs().max()
    assert worst < 1e-5, worst


class Model:
    """Parameters under their GGUF names, in self.w."""

    def __init__(self, hybrid=False):
        self.hybrid = hybrid
        normal = lambda out, inp, gain=1.0: torch.randn(out, inp) * gain / math.sqrt(inp)
        small = 1 / math.sqrt(2 * LAYERS)
        w = self.w = {'token_embd.weight': torch.randn(VOCAB, D) * 0.05}
        for i in range(LAYERS):
            b = f'blk.{i}.'
            w[b + 'attn_norm.weight'] = torch.ones(D)
            if self.has_state(i):
                qk = normal(HEADS * HEAD, D)
                w[b + 'attn_qkv.weight'] = torch.cat((qk, qk, normal(HEADS * HEAD, D)))
                w[b + 'attn_gate.weight'] = normal(HEADS * HEAD, D)
                w[b + 'ssm_ba.weight'] = normal(2 * HEADS, D, 0.1)
                w[b + 'ssm_conv1d.weight'] = induction_taps()
                w[b + 'ssm_dt.bias'] = torch.tensor([-2.0, -4.0, -6.0, -8.0])  # 7 .. 3000 tokens
                w[b + 'ssm_a'] = torch.zeros(HEADS)             # the logarithm of -a, in training
                w[b + 'ssm_norm.weight'] = torch.ones(HEAD)
                w[b + 'ssm_out.weight'] = normal(D, HEADS * HEAD, small)
            else:
                w[b + 'attn_q.weight'] = normal(HEADS * HEAD, D)
                w[b + 'attn_k.weight'] = normal(KV_HEADS * HEAD, D)
                w[b + 'attn_v.weight'] = normal(KV_HEADS * HEAD, D)
                w[b + 'attn_output.weight'] = normal(D, HEADS * HEAD, small)
            w[b + 'ffn_norm.weight'] = torch.ones(D)
            w[b + 'ffn_gate.weight'] = normal(FF, D)
            w[b + 'ffn_up.weight'] = normal(FF, D)
            w[b + 'ffn_down.weight'] = normal(D, FF, small)
        w['output_norm.weight'] = torch.ones(D)
        for p in w.values():
            p.requires_grad_(True)

    def has_state(self, i):
        return self.hybrid and (i + 1) % EVERY != 0

    def attention(self, b, h, c, table, sink):
        qkv = torch.cat((deinterleave(c(b + 'attn_q.weight')),
                         deinterleave(c(b + 'attn_k.weight')), c(b + 'attn_v.weight')))
        q, k, v = F.linear(h, qkv).split([HEADS * HEAD, KV_HEADS * HEAD, KV_HEADS * HEAD], -1)
        return F.linear(attend(q, k, v, table, sink, WINDOW if self.hybrid else 0),
                        c(b + 'attn_output.weight'))

    def state(self, b, h, c):
        """A gated-delta layer, as lctx_mixer has it."""
        x = taps(F.linear(h, c(b + 'attn_qkv.weight')).float(), self.w[b + 'ssm_conv1d.weight'])
        z = F.linear(h, c(b + 'attn_gate.weight')).float()
        beta, dt = F.linear(h, c(b + 'ssm_ba.weight')).float().transpose(1, 2).chunk(2, 1)
        q, k, v = (y.transpose(1, 2) for y in x.view(*x.shape[:2], 3, HEADS, HEAD).unbind(2))
        unit = lambda y: y * torch.rsqrt(y.pow(2).sum(-1, keepdim=True) + 1e-6)
        a = -self.w[b + 'ssm_a'].exp()
        g = F.softplus(dt + self.w[b + 'ssm_dt.bias'][:, None]) * a[:, None]
        o = rms(delta_rule(unit(q), unit(k), v, beta.sigmoid(), g), self.w[b + 'ssm_norm.weight'])
        o = o.transpose(1, 2).flatten(2) * F.silu(z)
        return F.linear(o.to(h.dtype), c(b + 'ssm_out.weight'))

    def forward(self, ids, table, sink=None):
        """Logits [batch][n][VOCAB] of ids [batch][n]. `sink`, if a list, collects sink losses."""
        dtype = table[0].dtype
        c = lambda name: self.w[name].to(dtype)
        x = F.embedding(ids, self.w['token_embd.weight'])
        for i in range(LAYERS):
            b = f'blk.{i}.'
            h = rms(x, self.w[b + 'attn_norm.weight']).to(dtype)
            x = x + (self.state(b, h, c) if self.has_state(i) else
                     self.attention(b, h, c, table, sink if i > 0 and not self.hybrid else None))
            h = rms(x, self.w[b + 'ffn_norm.weight']).to(dtype)
            gate, up = F.linear(h, torch.cat((c(b + 'ffn_gate.weight'),
                                              c(b + 'ffn_up.weight')))).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, c(b + 'ffn_down.weight'))
        return F.linear(rms(x, self.w['output_norm.weight']).to(dtype), c('token_embd.weight'))


MASKS = {}


def causal(n, start, group, dtype, window):
    """Mask [1][group * n][start + n] for queries start..start+n-1; window 0 is none."""
    key = (n, start, group, dtype, window)
    if key not in MASKS:
        ahead = torch.arange(start + n)[None] - torch.arange(start, start + n)[:, None]
        hidden = (ahead > 0) | (ahead <= -window if window else False)
        MASKS[key] = (hidden * -1e4).repeat(group, 1).to(dtype)[None]
    return MASKS[key]


def attend(q, k, v, table, sink, window=0, chunk=128):
    """Causal attention, a chunk of queries at a time so that the upper triangle is not computed."""
    batch, n = q.shape[:2]
    group = HEADS // KV_HEADS
    heads = lambda x: x.view(batch, n, -1, HEAD).transpose(1, 2)
    q = (rope(heads(q), table) / math.sqrt(HEAD)).reshape(batch * KV_HEADS, group, n, HEAD)
    k = rope(heads(k), table).reshape(batch * KV_HEADS, n, HEAD)
    v = heads(v).reshape(batch * KV_HEADS, n, HEAD)
    out = []
    for a in range(0, n, chunk):
        b = min(n, a + chunk)
        rows = q[:, :, a:b].reshape(batch * KV_HEADS, group * (b - a), HEAD)
        p = torch.softmax(torch.baddbmm(causal(b - a, a, group, q.dtype, window), rows,
                                        k[:, :b].transpose(1, 2)), -1)
        if sink is not None:        # less than 0.9 of the attention on the first token costs
            short = F.relu(math.log(0.9) - torch.log(p[:, :, 0].float() + 1e-3))
            sink.append(short.mean() * ((b - a) / n / (LAYERS - 1)))
        out.append(torch.bmm(p, v[:, :b]).view(batch, HEADS, b - a, HEAD))
    return torch.cat(out, 2).transpose(1, 2).reshape(batch, n, HEADS * HEAD)


# -------------------------------------------------------------------------------------- the data

def load_books(folder):
    """([training part], [held-out part]) of each book, as bytes."""
    train, held = [], []
    for name in BOOKS:
        with open(os.path.join(folder, name + '.txt'), 'rb') as f:
            b = f.read()
        cut = int(len(b) * (1 - HELD_OUT))
        train.append(b[:cut])
        held.append(b[cut:])
    return train, held


class Data:
    """Random documents. Each kind returns tokens without BOS and a weight for every token."""
    SYLLABLES = [a + b for a in 'bdfgklmnprstvz' for b in 'aeiou']
    QUESTION = b'\nWhat is the pass key? The pass key is '
    KEY_WEIGHT, LEDGER_WEIGHT = 8.0, 4.0

    def __init__(self, books, seed):
        self.rng = np.random.default_rng(seed)
        self.books = books
        self.share = np.cumsum([len(b) for b in books]) / sum(len(b) for b in books)

    def upto(self, n):
        """A whole number 0..n."""
        return int(self.rng.random() * (n + 1))

    def digits(self, n):
        return bytes(48 + self.upto(9) for _ in range(n))

    def crop(self, n):
        b = self.books[int(np.searchsorted(self.share[:-1], self.rng.random()))]
        if len(b) < n:
            b = self.books[0]
        i = self.upto(len(b) - n)
        return b[i:i + n]

    @staticmethod
    def needle(key):
        return b'\nThe pass key is ' + key + b'. Remember it. ' + key + b' is the pass key.\n'

    def passkey(self, n, depth=None, asks=1, end=True):
        """Needle at a depth (0 to 1) and the question with its answer "12345." at the end; or, with
        end=False, up to `asks` questions anywhere behind the needle."""
        key = self.digits(5)
        nd, tail = self.needle(key), self.QUESTION + key + b'.'
        asks = min(asks, (n - len(nd)) // len(tail))
        fill = n - len(nd) - asks * len(tail)
        if end:
            cuts = [self.upto(fill) if depth is None else round(depth * fill), fill]
        else:
            cuts = sorted(self.upto(fill) for _ in range(asks + 1))
        t, w = self.crop(fill), np.ones(n, np.float32)
        doc = t[:cuts[0]] + nd
        for a, b in zip(cuts, cuts[1:]):
            doc += t[a:b] + tail
            w[len(doc) - 6:len(doc) - 1] = self.KEY_WEIGHT
        return doc + t[cuts[-1]:], w

    def ledger(self, n, dense=False, names=None):
        """Records of a few names, in random order, restated; book text between them."""
        if names is None:
            names = 1 + self.upto((8 if dense else 3) * max(n // 256, 1) - 1)
        last = len(self.SYLLABLES) - 1
        who = [''.join(self.SYLLABLES[self.upto(last)] for _ in range(3)).capitalize().encode()
               for _ in range(names)]
        has = [self.digits(3) for _ in who]
        t, at, doc, w, seen = self.crop(n), 0, b'', [], set()
        while len(doc) < n:
            if not dense or self.rng.random() < 0.1:
                m = 1 + self.upto(48)
                doc += t[at:at + m] + b'\n'
                w += [1.0] * (len(t[at:at + m]) + 1)
                at += m
            i = self.upto(names - 1)
            record = who[i] + b' has '
            doc += record + has[i] + b'.\n'
            w += [1.0] * len(record) + [self.LEDGER_WEIGHT if i in seen else 0.3] * 3 + [1.0, 1.0]
            seen.add(i)
        return doc[:n], np.array(w[:n], np.float32)

    def repeat(self, n):
        """A random string of 4 to 59 characters, repeated with book text between the copies."""
        letters = b'0123456789abcdefghijklmnopqrstuvwxyz'[:10 if self.rng.random() < 0.6 else 36]
        s = bytes(letters[self.upto(len(letters) - 1)] for _ in range(4 + self.upto(55)))
        t, at, doc, w, gap = self.crop(n), 0, b'', [], self.upto(48)
        while len(doc) < n:
            m = self.upto(gap) if self.rng.random() < 0.7 else 0
            doc += t[at:at + m] + b' ' + s
            w += [1.0] * (len(t[at:at + m]) + 1) + [1.0 if w else 0.05] * len(s)
            at += m
        return doc[:n], np.array(w[:n], np.float32)

    def batch(self, size, n, text, passkey, ledger):
        """Tokens [size][n + 1], BOS first, and weights [size][n]; repeats are the rest of the mix.
        EOS follows an answer that ends its document."""
        ids = np.full((size, n + 1), EOS, np.int64)
        weight = np.zeros((size, n), np.float32)
        ids[:, 0] = BOS
        for i in range(size):
            u, end = self.rng.random(), False
            if u < text:
                doc, w = self.crop(n), 1.0
            elif u < text + passkey:
                end = self.rng.random() < 0.6
                m = n - 1 if n <= 128 or self.rng.random() < 0.5 else 127 + self.upto(n - 128)
                doc, w = self.passkey(m) if end else self.passkey(n, None, 1 + self.upto(2), False)
            elif u < text + passkey + ledger:
                doc, w = self.ledger(n, self.rng.random() < 0.5)
            else:
                doc, w = self.repeat(n)
            ids[i, 1:len(doc) + 1] = np.frombuffer(doc, np.uint8) + np.int64(BYTE0)
            weight[i, :len(doc)] = w
            weight[i, len(doc):len(doc) + 1] = 4.0 if end else 0.0
        return torch.from_numpy(ids), torch.from_numpy(weight)


# ------------------------------------------------------------------------------------- training

@torch.no_grad()
def retrieval(model, books, n, factor, trials):
    """(share of keys answered right, mean -log p of their digits) in documents of n tokens with the
    needle at evenly spread depths."""
    data, table = Data(books, 7), rope_table(n, factor)
    right, nll = [], []
    for i in range(trials):
        doc = data.passkey(n, i / max(trials - 1, 1))[0]
        ids = torch.tensor([[BOS] + [BYTE0 + b for b in doc]])
        logits = model.forward(ids[:, :n], table)[0, n - 6:n - 1]
        answer = ids[0, n - 5:n]
        right.append(bool((logits.argmax(-1) == answer).all()))
        nll.append(F.cross_entropy(logits, answer).item())
    return float(np.mean(right)), float(np.mean(nll))


def rounded(model):
    """A copy with the matrices rounded to f16, as they are stored."""
    m = copy.deepcopy(model)
    for k, p in m.w.items():
        m.w[k] = (p.half().float() if p.dim() > 1 else p.clone()).detach()
    return m


def train(model, books, steps, seed, peak, warmup, plan, keep, cells, trials, tokens=TOKENS,
          seconds=math.inf):
    """Trains for `steps` steps. plan(fraction, rng) gives length, YaRN factor and mix of a step.
    From fraction `keep` on, five candidates are kept, and the running average of the weights is a
    sixth; returns the best, scored over `cells` of (length, factor). With `seconds` the schedule
    follows the clock where that is ahead of the steps."""
    data, plan_rng = Data(books, seed), np.random.default_rng(seed + 1)
    matrices = [p for p in model.w.values() if p.dim() > 1]
    vectors = [p for p in model.w.values() if p.dim() == 1]
    opt = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1),
                             dict(params=vectors, weight_decay=0.0)], betas=(0.9, 0.95))
    average = [p.detach().clone() for p in model.w.values()]
    tables, kept, t0 = {}, [], time.time()
    marks = [keep + (1 - keep) * i / 4 for i in range(5)]
    for step in range(1, steps + 1):
        frac = min(1.0, max((step - 1) / steps, (time.time() - t0) / seconds))
        n, factor, mix = plan(frac, plan_rng)
        if (n, factor) not in tables:
            tables[n, factor] = rope_table(n, factor, torch.bfloat16)
        ids, weight = data.batch(tokens // n, n, *mix)
        sink = []
        logits = model.forward(ids[:, :-1], tables[n, factor], sink)
        loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction='none')
        loss = (loss * weight.flatten()).sum() / weight.sum()
        for g in opt.param_groups:
            g['lr'] = peak * min(1, step / warmup) * (0.515 + 0.485 * math.cos(math.pi * frac))
        opt.zero_grad(set_to_none=True)
        (loss + SINK * (1 - frac / 2) * sum(sink)).backward()
        torch.nn.utils.clip_grad_norm_(matrices + vectors, 1.0)
        opt.step()
        with torch.no_grad():
            for m, p in zip(average, model.w.values()):
                m.lerp_(p, 5 / steps if step > 10 else 1.0)
        if frac + 1 / steps >= marks[len(kept)]:
            kept.append((f'step {step}', rounded(model)))
        if step % 100 == 0:
            print(f'step {step}/{steps}  {time.time() - t0:.0f} s  n {n}  loss {loss.item():.3f}  '
                  f'sink {float(sum(sink)):.3f}', flush=True)
        if step % 1000 == 0:
            print('passkey:', retrieval(model, books, *cells[0], 32), flush=True)
        if len(kept) == len(marks):
            break
    mean = rounded(model)
    for p, a in zip(mean.w.values(), average):
        p.copy_(a.half().float() if a.dim() > 1 else a)
    best = None
    for name, m in kept + [('average', mean)]:
        scores = [retrieval(m, books, *cell, trials) for cell in cells]
        score = sum(right - 0.1 * nll for right, nll in scores)
        print(name, ' '.join(f'{n}: {r:.3f} {l:.3f}' for (n, _), (r, l) in zip(cells, scores)),
              f'score {score:.3f}', flush=True)
        if best is None or score > best[0]:
            best = (score, name, m)
    print('chosen:', best[1], flush=True)
    return best[2]


def plan_base(frac, rng):
    """Short documents first; more book text towards the end, so that free samples stay in it."""
    n = 128 if frac < 0.15 else CTX
    return n, 1.0, (0.48, 0.24, 0.13) if frac < 0.7 else (0.62, 0.20, 0.10)


def plan_tune(frac, rng):
    """1024 tokens at factor 4 and 5, and a third of the steps 2048 at 8 and 10."""
    more = 1.0 if rng.random() < 0.5 else 1.25
    n = 1024 if rng.random() < 2 / 3 else 2048
    return n, n / CTX * more, (0.42, 0.30, 0.18)


# ----------------------------------------------------------------------------------------- GGUF

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9   # value types
GGML_F32, GGML_F16 = 0, 1                               # tensor types


def gguf_string(s):
    return struct.pack('<Q', len(s.encode())) + s.encode()


def gguf_value(kind, v):
    pack = {U32: '<I', I32: '<i', F32: '<f', BOOL: '<?'}
    return gguf_string(v) if kind == STRING else struct.pack(pack[kind], v)


def gguf_write(path, meta, tensors):
    """A GGUF file, version 3. meta: (key, type, value), a list is an array of that type. tensors:
    name -> array; a matrix is stored as f16, a vector and a convolution as f32."""
    half = lambda name: tensors[name].ndim > 1 and 'conv' not in name
    out = [b'GGUF', struct.pack('<IQQ', 3, len(tensors), len(meta))]
    for key, kind, v in meta:
        out.append(gguf_string(key))
        if isinstance(v, list):
            out.append(struct.pack('<IIQ', ARRAY, kind, len(v)))
            out += [gguf_value(kind, x) for x in v]
        else:
            out += [struct.pack('<I', kind), gguf_value(kind, v)]
    pad = lambda n: b'\0' * (-n % 32)
    blobs, at = [], 0
    for name, a in tensors.items():
        blob = a.astype('<f2' if half(name) else '<f4').tobytes()
        out.append(gguf_string(name) + struct.pack('<I', a.ndim))
        out += [struct.pack('<Q', d) for d in reversed(a.shape)]
        out.append(struct.pack('<IQ', GGML_F16 if half(name) else GGML_F32, at))
        blobs.append(blob + pad(len(blob)))
        at += len(blobs[-1])
    head = b''.join(out)
    with open(path, 'wb') as f:
        f.write(head + pad(len(head)) + b''.join(blobs))


def stored(model):
    """Weights as files of gated-delta models have them: a itself; a row of beta and one of dt for
    head after head."""
    for k, p in model.w.items():
        a = p.detach().numpy()
        if k.endswith('ssm_a'):
            a = -np.exp(a)
        elif k.endswith('ssm_ba.weight'):
            a = a.reshape(2, HEADS, D).swapaxes(0, 1).reshape(a.shape)
        yield k, a


def export(path, model, name, factor):
    # A byte-fallback vocabulary without words; loaders turn a space into U+2581 before the look-up.
    tokens = ['<unk>', '<s>', '</s>'] + [f'<0x{b:02X}>' for b in range(256)]
    types = [2, 3, 3] + [6] * 256
    tokens[BYTE0 + 32], types[BYTE0 + 32] = '\u2581', 1
    arch = 'lctx-hybrid' if model.hybrid else 'llama'
    meta = [
        ('general.architecture', STRING, arch),
        ('general.name', STRING, name),
        ('general.license', STRING, 'mit'),
        ('general.file_type', U32, 1),
        ('general.alignment', U32, 32),
        (arch + '.vocab_size', U32, VOCAB),
        (arch + '.context_length', U32, int(CTX * factor)),
        (arch + '.embedding_length', U32, D),
        (arch + '.block_count', U32, LAYERS),
        (arch + '.feed_forward_length', U32, FF),
        (arch + '.attention.head_count', U32, HEADS),
        (arch + '.attention.head_count_kv', U32, KV_HEADS),
        (arch + '.attention.key_length', U32, HEAD),
        (arch + '.attention.value_length', U32, HEAD),
        (arch + '.attention.layer_norm_rms_epsilon', F32, EPS),
        (arch + '.rope.dimension_count', U32, HEAD),
        (arch + '.rope.freq_base', F32, BASE)]
    if model.hybrid:
        meta += [
            (arch + '.attention.sliding_window', U32, WINDOW),
            (arch + '.full_attention_interval', U32, EVERY),
            (arch + '.ssm.conv_kernel', U32, TAPS),
            (arch + '.ssm.inner_size', U32, HEADS * HEAD),
            (arch + '.ssm.state_size', U32, HEAD),
            (arch + '.ssm.time_step_rank', U32, HEADS),
            (arch + '.ssm.group_count', U32, HEADS)]
    if factor > 1:
        meta += [
            ('llama.rope.scaling.type', STRING, 'yarn'),
            ('llama.rope.scaling.factor', F32, factor),
            ('llama.rope.scaling.original_context_length', U32, CTX),
            ('llama.rope.scaling.finetuned', BOOL, True),
            ('llama.rope.scaling.yarn_beta_fast', F32, BETA_FAST),
            ('llama.rope.scaling.yarn_beta_slow', F32, BETA_SLOW)]
    meta += [
        ('tokenizer.ggml.model', STRING, 'llama'),
        ('tokenizer.ggml.tokens', STRING, tokens),
        ('tokenizer.ggml.scores', F32, [0.0] * VOCAB),
        ('tokenizer.ggml.token_type', I32, types),
        ('tokenizer.ggml.bos_token_id', U32, BOS),
        ('tokenizer.ggml.eos_token_id', U32, EOS),
        ('tokenizer.ggml.unknown_token_id', U32, 0),
        ('tokenizer.ggml.add_bos_token', BOOL, True),
        ('tokenizer.ggml.add_eos_token', BOOL, False),
        ('tokenizer.ggml.add_space_prefix', BOOL, False),
        ('tokenizer.ggml.remove_extra_whitespaces', BOOL, False)]
    gguf_write(path, meta, dict(stored(model)))
    print(path, os.path.getsize(path), 'bytes', flush=True)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--text', default=os.path.join(here, '../../../shared/data/text'))
    ap.add_argument('--out', default=here)
    ap.add_argument('--steps', type=int, default=11000)
    ap.add_argument('--tune-steps', type=int, default=1500)
    ap.add_argument('--threads', type=int, default=2)
    ap.add_argument('--tune-threads', type=int, default=1)
    ap.add_argument('--hybrid', action='store_true')
    ap.add_argument('--seconds', type=float, default=math.inf, help='of the hybrid, at most')
    a = ap.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    books = load_books(a.text)[0]
    if a.hybrid:
        check_delta_rule()
    model = Model(a.hybrid)
    print('parameters:', sum(p.numel() for p in model.w.values()), flush=True)
    if a.hybrid:
        best = train(model, books, 8600, seed=1, peak=3e-3, warmup=150, plan=plan_base, keep=0.85,
                     cells=[(256, 1.0), (512, 1.0), (1024, 1.0)], trials=16, tokens=TOKENS // 2,
                     seconds=a.seconds)
        export(os.path.join(a.out, 'toy-hybrid.gguf'), best, 'lctx toy hybrid 256', 1.0)
        return
    base = train(model, books, a.steps, seed=1, peak=3e-3, warmup=150, plan=plan_base, keep=0.85,
                 cells=[(256, 1.0), (512, 2.5), (1024, 5.0)], trials=100)
    export(os.path.join(a.out, 'toy.gguf'), base, 'lctx toy 256', 1.0)

    torch.set_num_threads(a.tune_threads)
    model = copy.deepcopy(base)
    for p in model.w.values():
        p.requires_grad_(True)
    tuned = train(model, books, a.tune_steps, seed=101, peak=6e-4, warmup=20, plan=plan_tune,
                  keep=0.6, cells=[(1024, 4.0), (2048, 10.0), (4096, 20.0)], trials=24)
    export(os.path.join(a.out, 'toy-yarn.gguf'), tuned, 'lctx toy 256 YaRN', FACTOR)


if __name__ == '__main__':
    main()
