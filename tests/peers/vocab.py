#!/usr/bin/env python3
"""Trains small vocabularies and writes them as GGUF files without tensors.

    python3 vocab.py OUT [--merges N] [TEXT ...]

Four kinds: bpe (byte-level), spm (SentencePiece's BPE with scores), gemma4 (merges of characters)
and pairs (any two bytes merge). They are trained across spaces, digits, punctuation and line ends, on the nasty texts
too, so that wherever a pre-tokenizer cuts or does not, ids tell. Standard library only."""
import argparse
import heapq
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
TOY = os.path.join(HERE, '../../examples/toy')
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9                   # GGUF's types of values
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6         # types of tokens
SPACE = '\u2581'

# Found by their names: control tokens, some of which begin or hold others, and user-defined ones.
CONTROLS = ['<|im_start|>', '<|im_end|>', '<|end|>', '<|x|>', '<|x|><|x|>', '<|x', '|><|im', '<mask>',
            '<|endoftext|>']
USERS = ['[[U]]', '[[U', '   ', 'the user', '\u00fcser']
NAMED = CONTROLS + USERS + ['<unk>', '<s>', '</s>']


def nasty():
    """Texts where tokenizers go wrong."""
    spaces = ' \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\u200b\ufeff'
    out = ['', ' ', '  ', '   ', '\n', '\r\n', '\t', 'a', ' a', 'a ', '  a  b   c    d', '\n\n a\n \n b',
           'Hello, world!', "I'm you're he'll she'd we've it's don't I'M YOU'RE HE'LL SHE'D WE'VE DON'T",
           "'s't're've'm'll'd 'S'T'RE'VE'M'LL'D 'sa 'x ' s '' l'l 'l r'e",
           "\u2019s don\u2019t", "'\u017f '\u212a", '0 1 12 123 1234 12345 123456 1234567 3.14 1,000,000',
           'a1b22c333d4444 x1y 1x \u0661\u0662\u0663\u0664 \u00b2\u00b3\u00bc \u2167\u2160 \u0e53\u0e54',
           'line\r\nline\r\n\r\nline\rline\n\r', 'tab\tand  two\t\ttabs \t mixed \n\t\n  x',
           'trailing   ', 'trailing\n', 'trailing \n ', '   leading', '!?!? ... --- ,,, "quoted" (x)[y]{z}',
           'a+b=c x<y>z $5 ^2 ~a `q` |p| \\n #h @me %d &c *s _u', '!\n\n?\r\n;/\n//\n/ /\n', 'a/b//c \n/ x',
           'CamelCaseWord XMLHttpRequest fooBAR ABCdef iPhone HTTPServer2Go',
           '\u00c9COLE \u00e9cole \u00c9cole \u0416\u0423\u041a \u0436\u0443\u043a \u0416\u0443\u043a \u01c5abc \u00aa\u00ba',
           '\u4f60\u597d\u4e16\u754c \u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \ud55c\uad6d\uc5b4 \u9fa5\u9fa6',
           'e\u0301a\u0300 n\u0303 \u0301 \u0301x x\u0301\u0302\u0303y \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22',
           '\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f3f4\U000e0067\U000e007f',
           '\u2581 a\u2581b \u2581\u2581 \u2581', '\u0120 \u010a \u00c4\u00a0 \u0100', 'x\x00y \x01\x02\x7f \x80\x9f\xad',
           '\ud7ff \ue000 \ufffd \uffff \U0010ffff \U000e0001', '\uff01\uff1a\uff5e \u3001\u3002 \u2018\u201c\u201f \u2026 \u2014',
           '<|im_start|>user\nhi<|im_end|>', 'a<|x|>b', '<|x|><|x|>', '<|x|><|x', '<|x|> <|x|>  x', '<|<|x|>|>',
           '<|im_start|><|im_start|>', '</s>', 'x</s>y<s>z<unk>', '[[U]] [[U]x [[U', '[[U]]  [[U]]',
           'the user is the username', 'a   b      c', 'gro\u00fcser', '<mask> <mask>', '<0x41><0x0A>',
           ' \u2581 <|x|>\u2581', 'x ' + spaces + ' y', spaces, ' '.join(spaces), spaces[::-1] + 'x',
           ''.join(f'{s}a{s}1{s}.{s}{s}b' for s in spaces), 'a' * 100, ' ' * 100 + 'x', '\n' * 50 + ' ' * 20,
           '1' * 40, 'ab' * 50, "'" * 10 + 's', 'abcdefghijklmnopqrstuvwxyz' * 3]
    return out


def every_class():
    """Code points of all general categories, beside a letter, a digit and a space."""
    import unicodedata
    seen, out = {}, []
    for c in [*range(0x3000), *range(0xa000, 0x11000, 7), *range(0x1d000, 0x1f000, 5)]:
        k = unicodedata.category(chr(c))
        if k != 'Cs' and seen.get(k, 0) < 24 and (c * 2654435761 >> 7) % 8 == 0:
            seen[k] = seen.get(k, 0) + 1
            out.append(chr(c))
    return [f'{c}a{c}1{c}{c} {c}.{c}\n{c}' for c in out] + [''.join(out), ' '.join(out)]


def all_of_them():
    """Every eleventh code point and all of the first thousands, each beside a letter and a digit."""
    known = [c for c in [*range(0x800), *range(0x800, 0x33000, 11), *range(0xe0000, 0xe0200)]
             if not 0xd800 <= c < 0xe000]
    return [''.join(f'a{chr(c)}b1{chr(c)}2 {chr(c)}.{chr(c)} ' for c in known[i:i + 80])
            for i in range(0, len(known), 80)]


# ------------------------------------------------------------------------------------ training
def train(symbols, n, allowed):
    """The n merges (left, right) of greatest count, one after the other; the first of equals by
    name. Never across None."""
    left = [i - 1 for i in range(len(symbols))]
    right = [i + 1 for i in range(len(symbols))]
    where = {}
    for i in range(len(symbols) - 1):
        if symbols[i] is not None and symbols[i + 1] is not None:
            where.setdefault((symbols[i], symbols[i + 1]), set()).add(i)
    heap = [(-len(at), pair) for pair, at in where.items()]
    heapq.heapify(heap)
    merges, names = [], set()

    def pair_at(i):
        j = right[i] if i >= 0 else len(symbols)
        ok = i >= 0 and j < len(symbols) and symbols[i] is not None and symbols[j] is not None
        return (symbols[i], symbols[j]) if ok else None

    def change(i, add):
        pair = pair_at(i)
        if pair:
            at = where.setdefault(pair, set())
            (at.add if add else at.discard)(i)
            heapq.heappush(heap, (-len(at), pair))

    while heap and len(merges) < n:
        count, pair = heapq.heappop(heap)
        at = where.get(pair, ())
        if -count != len(at) or not at:
            continue
        joined = pair[0] + pair[1]
        if len(at) < 2 or joined in names or not allowed(joined):
            where.pop(pair)
            continue
        merges.append(pair)
        names.add(joined)
        for i in sorted(at):
            if pair_at(i) != pair:
                continue
            j = right[i]
            change(left[i], False)
            change(j, False)
            symbols[i], symbols[j] = joined, None
            right[i] = right[j]
            if right[j] < len(symbols):
                left[right[j]] = i
            change(left[i], True)
            change(i, True)
        where.pop(pair, None)
    return merges


def byte_letters():
    """The character that byte-level vocabularies write for each byte."""
    keep = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in keep]
    return {b: chr(b) for b in keep} | {b: chr(256 + i) for i, b in enumerate(others)}


def apart(texts):
    """The texts' symbols, a None between two."""
    out = []
    for t in texts:
        out += [*t, None]
    return out


# ---------------------------------------------------------------------------------------- GGUF
def string(s):
    return struct.pack('<Q', len(s.encode())) + s.encode()


def value(kind, v):
    pack = {U32: '<I', I32: '<i', F32: '<f', BOOL: '<?'}
    return string(v) if kind == STRING else struct.pack(pack[kind], v)


def data(meta):
    """A file without tensors. meta: (key, type, value); a list is an array of that type."""
    out = [b'GGUF', struct.pack('<IQQ', 3, 0, len(meta))]
    for key, kind, v in meta:
        out.append(string(key))
        if isinstance(v, list):
            out.append(struct.pack('<IIQ', ARRAY, kind, len(v)) + b''.join(value(kind, x) for x in v))
        else:
            out.append(struct.pack('<I', kind) + value(kind, v))
    whole = b''.join(out)
    return whole + bytes(-len(whole) % 32)


def write(path, meta):
    with open(path, 'wb') as f:
        f.write(data(meta))


def head(name):
    return [('general.architecture', STRING, 'llama'), ('general.name', STRING, name),
            ('llama.context_length', U32, 512), ('llama.embedding_length', U32, 32),
            ('llama.block_count', U32, 1), ('llama.feed_forward_length', U32, 32),
            ('llama.attention.head_count', U32, 1),
            ('llama.attention.layer_norm_rms_epsilon', F32, 1e-5)]


def tokenizer(model, tokens, types, more):
    meta = [('tokenizer.ggml.model', STRING, model), ('tokenizer.ggml.tokens', STRING, tokens),
            ('tokenizer.ggml.token_type', I32, types)]
    ids = {t: i for i, t in enumerate(tokens)}
    eos = '<eos>' if '<eos>' in ids else '</s>'
    for key, name in (('bos', '<s>'), ('eos', eos), ('unknown', '<unk>'), ('eot', '<|im_end|>')):
        if name in ids:
            meta.append((f'tokenizer.ggml.{key}_token_id', U32, ids[name]))
    return meta + more


def bpe(texts, n):
    """A byte-level vocabulary; returns a function of the pre-tokenizer."""
    letter = byte_letters()
    spelt = [[letter[b] for b in t.encode('utf-8', 'surrogatepass')] for t in texts]
    merges = train(apart(spelt), n, lambda s: len(s) <= 16 and s not in NAMED)
    normal = [letter[b] for b in range(256)] + [a + b for a, b in merges]
    tokens = normal + CONTROLS + USERS + ['<unk>', '<s>', '</s>']
    types = [NORMAL] * len(normal) + [CONTROL] * len(CONTROLS) + [USER] * len(USERS) + [CONTROL] * 3
    more = [('tokenizer.ggml.merges', STRING, [f'{a} {b}' for a, b in merges])]
    return lambda pre: head('bpe') + tokenizer('gpt2', tokens, types, more + [
        ('tokenizer.ggml.pre', STRING, pre)])


def pairs(pre):
    """A byte-level vocabulary in which any two bytes merge, so that every cut shows."""
    letter = byte_letters()
    tokens = [letter[b] for b in range(256)] + [letter[a] + letter[b] for a in range(256)
                                                for b in range(256)] + ['<s>', '</s>']
    merges = [f'{letter[a]} {letter[b]}' for a in range(256) for b in range(256)]
    return head('pairs') + tokenizer('gpt2', tokens, [NORMAL] * (len(tokens) - 2) + [CONTROL] * 2, [
        ('tokenizer.ggml.merges', STRING, merges), ('tokenizer.ggml.pre', STRING, pre)])


# Names that end generation, or do not where others are there too.
ENDS = {
    'usual': ['<|eot_id|>', '<|im_end|>', '<|end|>', '<|endoftext|>', '<|end_of_text|>', '<|eom_id|>',
              '<end_of_turn>', '<EOT>', '_<EOT>', '[EOT]', '[EOS]', '<end_of_utterance>', '[e~[',
              '<\uff5cend\u2581of\u2581sentence\uff5c>', '<|file_sep|>', '<|start|>', '<pad>'],
    'fill': ['<|fim_pad|>', '<|repo_name|>', '<|fim_prefix|>', '<|im_end|>'],
    'harmony': ['<|start|>', '<|channel|>', '<|message|>', '<|end|>', '<|return|>', '<|call|>'],
    'gemma4': ['<eos>', '<turn|>', '<|turn>', '<|tool_response>']}


def ends(names):
    """A vocabulary of bytes with these control tokens."""
    tokens = list(byte_letters().values()) + ['<s>', '</s>'] + names
    return head('ends') + tokenizer('gpt2', tokens, [NORMAL] * 256 + [CONTROL] * (2 + len(names)), [
        ('tokenizer.ggml.merges', STRING, ['a b'][:0]), ('tokenizer.ggml.pre', STRING, 'qwen2')])


def characters(texts, n):
    """(pieces, merges) of characters, a space as U+2581. None of several characters holds <, > or |:
    llama.cpp takes merged text for the control token of that name."""
    spelt = apart(t.replace(' ', SPACE) for t in texts)
    count = {}
    for c in spelt:
        if c is not None:
            count[c] = count.get(c, 0) + 1
    known = sorted((c for c, k in count.items() if k > 1 and c != '\0'), key=lambda c: (-count[c], c))
    merges = train([c if c in known else None for c in spelt], n,
                   lambda s: len(s) <= 16 and s not in NAMED and not set(s) & set('<>|'))
    return known, merges


def marked(pieces, unknown=UNKNOWN):
    """Tokens and types around the pieces."""
    byte = [f'<0x{b:02X}>' for b in range(256)]
    tokens = ['<unk>', '<s>', '</s>'] + byte + CONTROLS + USERS + pieces
    types = ([unknown, CONTROL, CONTROL] + [BYTE] * 256 + [CONTROL] * len(CONTROLS)
             + [USER] * len(USERS) + [NORMAL] * len(pieces))
    return tokens, types


def spm(texts, n, more, name='spm'):
    known, merges = characters(texts, n)
    pieces = [a + b for a, b in merges] + known
    tokens, types = marked(pieces)
    scores = [0.0] * (len(tokens) - len(pieces)) + [-float(i) for i in range(len(pieces))]
    return head(name) + tokenizer('llama', tokens, types,
                                   [('tokenizer.ggml.scores', F32, scores)] + more)


def gemma4(texts, n):
    known, merges = characters([t for t in texts], n)
    merges = [m for m in merges if '\n' not in m[0] + m[1]]
    names = {a + b for a, b in merges} | set(known)
    merges = [(a, b) for a, b in merges if a in names and b in names]
    pieces = known + [a + b for a, b in merges] + ['\n\n', '\n\n\n']
    tokens, types = marked(pieces)
    return head('gemma4') + tokenizer('gemma4', tokens, types, [
        ('tokenizer.ggml.merges', STRING, [f'{a} {b}' for a, b in merges])])


PRES = ['default', 'gpt-2', 'llama-bpe', 'smaug-bpe', 'qwen2', 'qwen35', 'gpt-4o', 'tekken', 'smollm',
        'starcoder', 'refact', 'falcon', 'deepseek-llm', 'deepseek-coder', 'deepseek-v3']


def all_kinds(texts, n):
    """(name, file) of each kind and each pre-tokenizer."""
    byte_level = bpe(texts, n)
    flag = lambda key, v: (f'tokenizer.ggml.{key}', BOOL, v)
    return [(f'bpe-{pre}', byte_level(pre)) for pre in PRES] + [
        ('spm', spm(texts, n, [])),
        ('spm-bare', spm(texts, n, [flag('add_space_prefix', False), flag('add_bos_token', False),
                                    flag('add_eos_token', True)])),
        ('spm-phi-3', spm(texts, n, [], 'a Phi-3 tune')),
        ('gemma4', gemma4(texts, n))]


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('out')
    ap.add_argument('--merges', type=int, default=2000)
    ap.add_argument('text', nargs='*', default=[os.path.join(TOY, 'held-out.txt')])
    a = ap.parse_args()
    texts = [open(t, encoding='utf-8').read() for t in a.text] + nasty() * 3 + every_class() * 2
    for name, meta in all_kinds(texts, a.merges):
        write(os.path.join(a.out, f'{name}.gguf'), meta)
    for pre in PRES:
        write(os.path.join(a.out, f'pairs-{pre}.gguf'), pairs(pre))
    for name, names in ENDS.items():
        write(os.path.join(a.out, f'ends-{name}.gguf'), ends(names))
    with open(os.path.join(a.out, 'texts.hex'), 'w') as f:
        for t in nasty() + every_class() + [t[:20000] for t in texts[:len(a.text)]] + all_of_them():
            f.write(t.encode('utf-8').hex() + '\n')


if __name__ == '__main__':
    main()
