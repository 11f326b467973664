#!/usr/bin/env python3
"""Writes what other languages need to know of lctx.h: constants, numbered enums, structs, callbacks
and functions, with the header's comments; and layout.c, by which they see when they load a library
whether each field is where they have it.

    python3 generate.py            writes the files
    python3 generate.py --check    says whether they are what would be written

Wants clang (CLANG names it), whose syntax tree is read. What is written is kept in the tree, so
that only who changes the API needs this: make bindings."""
import os
import re
import sys
import textwrap

import api

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MADE = "Written by examples/bindings/generate.py from lctx.h; make bindings writes it anew."
WRITERS = {}


def writes(path):
    """Marks what makes the text of a file, out of the API."""
    return lambda write: WRITERS.setdefault(path, write)


# ---------------------------------------------------------------- names and comments
def camel(name):
    """RopeDesc of lctx_rope_desc"""
    return "".join(word.capitalize() for word in name.split("_")[1:])


def prefix(enum):
    """What an enum's values begin with: LCTX_ROPE_ of LCTX_ROPE_YARN"""
    names = [v.name for v in members(enum)]
    return re.match(r"(.*_)?", os.path.commonprefix(names))[0]


def members(enum):
    """Without the number of them, which stands last"""
    return [v for v in enum.values if v is not enum.values[-1] or not v.name.endswith("_COUNT")]


def short(enum, value):
    """YARN of LCTX_ROPE_YARN, NONE of lctx_mask's LCTX_MASK_NONE"""
    name = value.name[len(prefix(enum)):]
    return re.sub(f"^{enum.name[5:].upper()}_", "", name)


def structs(of):
    return [s for s in of.structs if s.fields]


def element(t):
    """What an array holds: a number's name in C, or a struct's; a tensor's is any."""
    return "any" if t.name == "lctx_tensor" or t.name.kind == "void" else t.name.name


def arrays(of):
    return [(f"{s.name}.{f.name}", element(f.type), f.shape)
            for s in structs(of) for f in s.fields if f.shape]


def comment(doc, before, indent=""):
    """A comment's lines behind a mark; what was one line is wrapped."""
    rows = doc.split("\n") if "\n" in doc else textwrap.wrap(doc, 99 - len(indent + before))
    return "".join(f"{indent}{before}{row}".rstrip() + "\n" for row in rows) if doc else ""


# ---------------------------------------------------------------- C
@writes("examples/bindings/layout.c")
def layout(of):
    rows = "\n".join(
        textwrap.fill(" ".join(f"AT({s.name},{f.name})" for f in s.fields), 96,
                      initial_indent="    ", subsequent_indent="    ").replace(",", ", ")
        for s in structs(of))
    return f"""/* {MADE}

   Where fields stand in the structs of lctx.h, as a library was compiled: part of liblctx, for
   bindings, which lay structs out by themselves. lctx_sizeof is in the header. */
#include "lctx.h"
#include <string.h>

/* offsetof a field by its name, "lctx_attn.q_pos"; SIZE_MAX for an unknown one. */
LCTX_API size_t lctx_offsetof(const char *field);

#define AT(type, field) {{ #type "." #field, offsetof(type, field) }},
static const struct {{ const char *name; size_t at; }} all[] = {{
{rows}
}};

LCTX_API size_t lctx_offsetof(const char *field)
{{
    size_t i;
    for (i = 0; field && i < sizeof all / sizeof *all; i++)
        if (!strcmp(field, all[i].name)) return all[i].at;
    return SIZE_MAX;
}}
"""


# ---------------------------------------------------------------- Python
PYTHON = {name: f"c.c_{name.replace('_t', '')}" for name in api.NUMBERS} | {"size_t": "c.c_size_t"}


def python_type(t):
    if t.kind == "pointer":
        inner = t.name
        if inner.kind == "number" and inner.name == "char" and t.const:
            return "c.c_char_p"
        return f"c.POINTER({camel(inner.name)})" if inner.kind == "struct" else "c.c_void_p"
    return {"void": lambda: "None", "number": lambda: PYTHON[t.name], "enum": lambda: "c.c_int",
            "struct": lambda: camel(t.name), "callback": lambda: camel(t.name),
            "array": lambda: f"{python_type(t.name)} * {t.length}",
            "function": lambda: python_call(t.name, t.params)}[t.kind]()


def python_call(result, params):
    return f"c.CFUNCTYPE({', '.join(python_type(t) for t in (result, *params))})"


def docstring(doc):
    """Of a class; raw where it has backslashes."""
    raw = "r" if "\\" in doc else ""
    return comment(f'{raw}"""{doc}"""', "", "    ") if doc else ""


@writes("examples/python/lctx_api.py")
def python(of):
    out = [f'"""{MADE}\n\nThe structs, enums and functions of lctx.h for ctypes, unchecked; '
           'lctx.py is built on it."""\nimport ctypes as c\nfrom enum import IntEnum\n\n']
    for k in of.constants:
        out.append(f"{k.name} = {hex(k.value) if k.name == 'VERSION' else k.value}"
                   + (f"    # {k.doc}" if k.doc else "") + "\n")
    for e in of.enums:
        out.append(f"\n\nclass {camel(e.name)}(IntEnum):\n{docstring(e.doc)}")
        for v in members(e):
            out.append(comment(v.doc, "# ", "    "))
            out.append(f"    {short(e, v)} = {v.value}\n")
    out.append("\n\n")
    for f in of.callbacks:
        out.append(comment(f.doc, "# "))
        out.append(f"{camel(f.name)} = {python_call(f.result, [p.type for p in f.params])}\n")
    for s in of.structs:
        out.append(f"\n\nclass {camel(s.name)}(c.Structure):\n{docstring(s.doc)}")
        out.append("    _fields_ = [\n" if s.fields else '    """Seen by pointer alone."""\n')
        for f in s.fields:
            out.append(comment(f.doc, "# ", "        "))
            out.append(f'        ("{f.name}", {python_type(f.type)}),\n')
        out.append("    ]\n" if s.fields else "")
    out.append("\n\nSTRUCTS = {\n")
    out += [f'    "{s.name}": {camel(s.name)},\n' for s in structs(of)]
    out.append("}\n\n# Arrays that fields point to: elements, and sizes from outside in. n_expert? "
               "counts where\n# there are experts; / rounds up.\nARRAYS = {\n")
    out += [f'    "{path}": ("{kind}", "{shape}"),\n' for path, kind, shape in arrays(of)]
    out.append("}\n\n# What each function returns, and its arguments.\nFUNCTIONS = {\n")
    for f in of.functions:
        out.append(comment(f.doc, "# ", "    "))
        args = ", ".join(python_type(p.type) for p in f.params)
        out.append(textwrap.fill(f'"{f.name}": ({python_type(f.result)}, [{args}]),', 100,
                                 initial_indent="    ", subsequent_indent="        ") + "\n")
    return "".join(out) + "}\n"


# ---------------------------------------------------------------- JavaScript
def c_type(t, name=""):
    """A declaration as C has it."""
    if t.kind == "pointer":
        const = "const " if t.const and t.name.kind != "pointer" else ""
        return f"{const}{c_type(t.name)} *{name}".replace("* *", "**")
    return f"{t.name} {name}".rstrip()


def js_type(t):
    """As koffi reads it; pointers are addresses, but for words."""
    if t.kind == "pointer" and t.const and t.name.name == "char":
        return "const char *"
    if t.kind == "array":
        return f"{js_type(t.name)}[{t.length}]"
    if t.kind in ("function", "callback"):
        return "void *"
    return c_type(t) if t.kind in ("number", "struct") else "void *"


@writes("examples/node/lctx_api.mjs")
def javascript(of):
    out = [f"// {MADE}\n//\n// The structs, enums and functions of lctx.h as plain data, types as "
           "C has them; lctx.mjs is\n// built on it. A pointer is an address.\n"]
    for k in of.constants:
        out.append(comment(k.doc, "// "))
        out.append(f"export const {k.name} = {hex(k.value) if k.name == 'VERSION' else k.value};\n")
    for e in of.enums:
        out.append("\n" + comment(e.doc, "// "))
        out.append(f"export const {camel(e.name)} = Object.freeze({{\n")
        for v in members(e):
            out.append(comment(v.doc, "// ", "    "))
            out.append(f"    {short(e, v)}: {v.value},\n")
        out.append("});\n")
    out.append("\n// Callbacks as prototypes.\nexport const callbacks = {\n")
    for f in of.callbacks:
        out.append(comment(f.doc, "// ", "    "))
        args = ", ".join(f"{js_type(p.type)} {p.name}" for p in f.params)
        out.append(f"    {f.name}: '{c_type(f.result)} {f.name}({args})',\n")
    out.append("};\n\n// Structs: the type of each field, in order.\nexport const structs = {\n")
    for s in structs(of):
        out.append(comment(s.doc, "// ", "    "))
        out.append(f"    {s.name}: {{\n")
        for f in s.fields:
            out.append(comment(f.doc, "// ", "        "))
            out.append(f"        {f.name}: '{js_type(f.type)}',\n")
        out.append("    },\n")
    out.append("};\n\n// Arrays that fields point to: elements, and sizes from outside in. n_expert? "
               "counts where\n// there are experts; / rounds up.\nexport const arrays = {\n")
    out += [f"    '{path}': ['{kind}', '{shape}'],\n" for path, kind, shape in arrays(of)]
    out.append("};\n\n// Functions: what each returns, and its arguments.\n"
               "export const functions = {\n")
    for f in of.functions:
        out.append(comment(f.doc, "// ", "    "))
        types = ["int" if t.kind == "enum" else "void" if t.kind == "void" else js_type(t)
                 for t in (f.result, *(p.type for p in f.params))]
        out.append(f"    {f.name}: {types},\n")
    return "".join(out) + "};\n"


# ---------------------------------------------------------------- files
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
