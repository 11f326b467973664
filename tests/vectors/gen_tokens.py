#!/usr/bin/env python3
"""Makes the vocabularies bpe.gguf, spm.gguf and gemma4.gguf, and tokens.txt: nasty texts and what
llama.cpp's tokenizers make of them.

    python3 gen_tokens.py NODE      writes all; NODE: a folder in which npm installed node-llama-cpp
    python3 gen_tokens.py --check   says whether vocabularies and texts are what would be written

A line "text HEX" is a text. A line "NAME I PLAIN FOUND" has the answers for text I by a vocabulary
(bpe-PRE: bpe.gguf under that pre-tokenizer), control tokens as plain text and found by name: the
number of ids, and FNV-1a of them in decimal with spaces between."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../peers'))
import vocab                                                          # noqa: E402

MERGES = 500
OUT = os.path.join(HERE, 'tokens.txt')
JUDGE = os.path.join(HERE, '../peers/tokens.mjs')


def kinds():
    text = open(os.path.join(vocab.TOY, 'held-out.txt'), encoding='utf-8').read()
    return vocab.all_kinds([text[:30000]] + vocab.nasty() * 3, MERGES)


def files():
    """Name to bytes of what is kept."""
    names = {'bpe-gpt-2': 'bpe.gguf', 'spm': 'spm.gguf', 'gemma4': 'gemma4.gguf'}
    return {names[name]: vocab.data(meta) for name, meta in kinds() if name in names}


def texts():
    return [f'text {t.encode().hex()}\n' for t in vocab.nasty()]


def mark(ids):
    h = 0xcbf29ce484222325
    for c in ids.encode():
        h = (h ^ c) * 0x100000001b3 & 0xffffffffffffffff
    return f'{len(ids.split())} {h:016x}'


def answers(node):
    """The judge's lines."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        hexes = os.path.join(folder, 'texts')
        open(hexes, 'w').write(''.join(line[5:] for line in texts()))
        judge = shutil.copy(JUDGE, node)
        for name, meta in kinds():
            path = os.path.join(folder, 'vocab.gguf')
            vocab.write(path, meta)
            got = subprocess.run(['node', judge, path, hexes], capture_output=True, text=True,
                                 check=True).stdout.split('\n')[1:-1]
            out += [f'{name} {i} {mark(got[2 * i])} {mark(got[2 * i + 1])}\n'
                    for i in range(len(got) // 2)]
    return out


def main():
    if sys.argv[1] == '--check':
        same = all(open(os.path.join(HERE, name), 'rb').read() == data
                   for name, data in files().items())
        kept = [line for line in open(OUT) if line.startswith('text')]
        return not (same and kept == texts())
    for name, data in files().items():
        open(os.path.join(HERE, name), 'wb').write(data)
    open(OUT, 'w').write(''.join(texts() + answers(sys.argv[1])))
    return 0


if __name__ == '__main__':
    sys.exit(main())
