#!/usr/bin/env python3
"""Writes what other languages need to know of lctx.h: constants, numbered enums, structs, callbacks
and functions, with the header's comments; and layout.c, by which they see when they load a library
whether each field is where they have it.

    python3 generate.py            writes the files
    python3 generate.py --check    says whether they are what would be written

Wants clang (CLANG names it), whose syntax tree is read. What is written is kept in the tree, so
that only who changes the API needs this: make bindings."""
import os
import sys

import api
import to_c
import to_go
import to_javascript
import to_python
import to_rust
from common import TOP, WRITERS

WRITING = (to_c, to_python, to_javascript, to_rust, to_go)    # each has marked what it writes


def main():
    of = api.read(os.path.join(TOP, "lctx.h"), os.environ.get("CLANG", "clang"))
    stale = []
    for path, write in WRITERS.items():
        text = "".join(row.rstrip() + "\n" for row in write(of).split("\n")).rstrip() + "\n"
        path = os.path.join(TOP, path)
        if os.path.exists(path) and open(path).read() == text:
            continue
        stale.append(os.path.relpath(path, TOP))
        if "--check" not in sys.argv:
            open(path, "w").write(text)
    for path in stale:
        print(path, "is not what lctx.h says: make bindings" if "--check" in sys.argv else "is new")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
