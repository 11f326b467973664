#!/usr/bin/env python3
"""Demonstrates a model from Python: the weights of a GGUF file (llama, F16 and F32, a vocabulary of
bytes) stay where they are mapped, and a session continues a text, token by token.

    generate.py examples/toy/toy-yarn.gguf examples/toy/passkey.txt -n 6 --factor 20

Exit codes: 0 ok, 1 usage, 2 the library or a file is missing or does not fit."""
import argparse
import mmap
import struct
import sys

import numpy as np

import lctx

NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q",
           11: "<q", 12: "<d"}
TYPES = {0: np.float32, 1: np.float16}
LAYER = {"attn_norm": "attn_norm", "wq": "attn_q", "wk": "attn_k", "wv": "attn_v",
         "wo": "attn_output", "ffn_norm": "ffn_norm", "w_gate": "ffn_gate", "w_up": "ffn_up",
         "w_down": "ffn_down"}


class Gguf:
    """A file's keys, and its tensors as arrays that lie in the file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.data[:4] != b"GGUF":
            raise ValueError(f"{path} is no GGUF file")
        self.at, self.keys, self.tensors = 8, {}, {}
        n_tensors, n_keys = self.number("<Q"), self.number("<Q")
        for _ in range(n_keys):
            key = self.text()
            self.keys[key] = self.value(self.number("<I"))
        found = [(self.text(), [self.number("<Q") for _ in range(self.number("<I"))],
                  self.number("<I"), self.number("<Q")) for _ in range(n_tensors)]
        start = -(-self.at // 32) * 32
        for name, shape, kind, offset in found:
            if kind not in TYPES:
                raise ValueError(f"{path}: {name} is of type {kind}, neither F32 nor F16")
            count = int(np.prod(shape))
            array = np.frombuffer(self.data, TYPES[kind], count, start + offset)
            self.tensors[name] = array.reshape(shape[::-1])

    def number(self, kind):
        self.at += struct.calcsize(kind)
        return struct.unpack_from(kind, self.data, self.at - struct.calcsize(kind))[0]

    def text(self):
        n = self.number("<Q")
        self.at += n
        return self.data[self.at - n:self.at].decode("utf-8", "replace")

    def value(self, kind):
        if kind == 9:
            kind, n = self.number("<I"), self.number("<Q")
            return [self.value(kind) for _ in range(n)]
        return self.text() if kind == 8 else self.number(NUMBERS[kind])


def model(path, factor):
    file = Gguf(path)
    key = {k.partition(".")[2]: v for k, v in file.keys.items()}
    tensors = file.tensors
    scaling = {k.rpartition(".")[2]: v for k, v in key.items() if k.startswith("rope.scaling.")}
    rope = lctx.Rope(key["rope.dimension_count"], pairing=lctx.RopePairing.INTERLEAVED,
                     theta=key["rope.freq_base"], scheme=lctx.RopeScheme.YARN, factor=factor,
                     orig_ctx=scaling.get("original_context_length", key["context_length"]),
                     beta_fast=scaling.get("yarn_beta_fast", 0))
    layers = [{field: tensors[f"blk.{i}.{name}.weight"] for field, name in LAYER.items()}
              for i in range(key["block_count"])]
    return lctx.Model(
        layers, n_head=key["attention.head_count"], n_head_kv=key["attention.head_count_kv"],
        d_model=key["embedding_length"], d_ff=key["feed_forward_length"],
        n_vocab=len(tensors["token_embd.weight"]), norm_eps=key["attention.layer_norm_rms_epsilon"],
        tok_embd=tensors["token_embd.weight"], output_norm=tensors["output_norm.weight"],
        output=tensors.get("output.weight"), rope=rope)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("-n", type=int, default=20, help="tokens to generate")
    parser.add_argument("--factor", type=float, default=1, help="YaRN's")
    args = parser.parse_args()
    with open(args.text, "rb") as file:
        prompt = [1, *(3 + byte for byte in file.read())]        # <s>, then bytes from 3 on
    with lctx.Threads() as threads, lctx.Session(model(args.model, args.factor),
                                                 par=threads) as session:
        for token in session.generate(prompt, args.n, stop={2}):
            print(chr(token - 3), end="", flush=True)
        print(f"\n{session.info.n} tokens, {session.info.cache_bytes} bytes of cache",
              file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, lctx.Error) as error:
        sys.exit(print(f"generate.py: {error}", file=sys.stderr) or 2)
