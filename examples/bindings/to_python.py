"""Python: ctypes."""
import api
from common import (MADE, arrays, camel, comment, filled, members, raw, raw_fields, short,
                    structs, writes)

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
    """Structs come after callbacks."""
    types = ["c.c_void_p" if t.kind == "pointer" and t.name.kind == "struct" else python_type(t)
             for t in (result, *params)]
    return f"c.CFUNCTYPE({', '.join(types)})"


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
    out.append("}\n\n# Arrays that fields point to: elements, sizes from outside in, written to. n_expert? "
               "counts where\n# there are experts; / rounds up.\nARRAYS = {\n")
    out += [f'    "{path}": ("{kind}", "{shape}", {written}),\n'
            for path, kind, shape, written in arrays(of)]
    out.append("}\n\n# Fields that tell how memory is laid out.\nRAW = {\n")
    out += [f'    "{path}",\n' for path in raw_fields(of)]
    out.append("}\n\n# What each function returns, and its arguments.\nFUNCTIONS = {\n")
    for f in of.functions:
        out.append(comment(f.doc, "# ", "    "))
        args = ", ".join(python_type(p.type) for p in f.params)
        out.append(filled(f'"{f.name}": ({python_type(f.result)}, [{args}]),', "    "))
    return "".join(out) + "}\n"
