"""JavaScript: plain data, for koffi and WebAssembly."""
from common import MADE, arrays, camel, comment, members, raw, raw_fields, short, structs, writes


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
            named = f.type.kind == "pointer" and f.type.name.kind == "struct"
            kind = f"{f.type.name.name} *" if named else js_type(f.type)
            out.append(f"        {f.name}: '{kind}',\n")
        out.append("    },\n")
    out.append("};\n\n// Arrays that fields point to: elements, and sizes from outside in. "
               "n_expert? counts where\n// there are experts; / rounds up.\nexport const arrays = {\n")
    out += [f"    '{path}': ['{kind}', '{shape}'],\n" for path, kind, shape, _ in arrays(of)]
    out.append("};\n\n// Fields that tell how memory is laid out.\nexport const raw = new Set([\n")
    out += [f"    '{path}',\n" for path in raw_fields(of)]
    out.append("]);\n\n// Functions: what each returns, and its arguments.\n"
               "export const functions = {\n")
    for f in of.functions:
        out.append(comment(f.doc, "// ", "    "))
        types = ["int" if t.kind == "enum" else "void" if t.kind == "void" else js_type(t)
                 for t in (f.result, *(p.type for p in f.params))]
        out.append(f"    {f.name}: {types},\n")
    return "".join(out) + "};\n"
