#!/usr/bin/env python3
"""Makes unicode_table.h beside it: the classes that tokenizers tell apart, of every code point.

    python3 unicode_table.py            writes it
    python3 unicode_table.py --check    says whether it is what would be written

A class is the first letter of the general category, but white space is one of its own, and all of
Z and C that is not white space is "other". The table is of the Unicode version that llama.cpp goes
by. A Python of an older one checks the code points that it knows, of a newer one nothing."""
import os
import re
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, 'unicode_table.h')
VERSION = '15.1.0'
CLASSES = 'OLNMPSW'             # other, letter, number, mark, punctuation, symbol, white space
SPACES = [*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
          0x202F, 0x205F, 0x3000]                       # the property White_Space


def classes():
    """Of each code point; None: this Python does not know it."""
    out = []
    for c in range(0x110000):
        category = unicodedata.category(chr(c))
        k = 'W' if c in SPACES else category[0] if category[0] in CLASSES else 'O'
        out.append(None if category == 'Cn' and not current() else CLASSES.index(k))
    return out


def current():
    return unicodedata.unidata_version == VERSION


def older():
    return [int(x) for x in unicodedata.unidata_version.split('.')] < [15, 1, 0]


def text(of):
    """The file for classes `of`."""
    words = [f'0x{c << 3 | k:x}' for c, k in enumerate(of) if not c or k != of[c - 1]]
    lines, line = [], '   '
    for w in words:
        if len(line) + len(w) + 2 > 100:
            lines.append(line)
            line = '   '
        line += f' {w},'
    lines.append(line)
    head = (f'/* Made by unicode_table.py from Unicode {VERSION}: where a run of one class begins, '
            'times 8,\n   plus the class. */\n'
            f'static const uint32_t unicode_table[{len(words)}] = {{\n')
    return head + '\n'.join(lines) + '\n};\n'


def read(have):
    """The classes in a file."""
    of = []
    for word in re.findall(r'0x[0-9a-f]+(?=,)', have):
        of += of[-1:] * ((int(word, 16) >> 3) - len(of)) + [int(word, 16) & 7]
    return of + of[-1:] * (0x110000 - len(of))


def main():
    if '--check' not in sys.argv and not current():
        sys.exit(f'this Python has Unicode {unicodedata.unidata_version}, the table {VERSION}')
    if '--check' not in sys.argv:
        open(FILE, 'w').write(text(classes()))
        return 0
    if not current() and not older():
        print(f'  SKIPPED: unicode_table.h (this Python has Unicode {unicodedata.unidata_version})')
        return 0
    have = open(FILE).read()
    return have != text([k if k is not None else was for k, was in zip(classes(), read(have))])


if __name__ == '__main__':
    sys.exit(main())
