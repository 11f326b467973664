"""Go: structs as cgo is handed them."""
import api
from common import MADE, arrays, camel, comment, members, raw, short, structs, writes

GO = {"int": "int32", "int32_t": "int32", "uint32_t": "uint32", "int64_t": "int64",
      "uint64_t": "uint64", "uint8_t": "uint8", "uint16_t": "uint16", "size_t": "uintptr",
      "float": "float32", "double": "float64"}


def go_name(name):
    """QPos0 of q_pos0"""
    return "".join(w[:1].upper() + w[1:].lower() for w in name.split("_"))


def go_field(s, f):
    """What points to memory, or tells how it is laid out, is the package's own affair."""
    name = go_name(f.name)
    hidden = f.type.kind in ("pointer", "callback", "function") or raw(s, f)
    return {"type": "kind"}.get(f.name, name[0].lower() + name[1:]) if hidden else name


def go_type(t):
    if t.kind in ("pointer", "callback", "function"):
        return "unsafe.Pointer"
    if t.kind == "array":
        return f"[{t.length}]{go_type(t.name)}"
    return GO[t.name] if t.kind == "number" else camel(t.name)


def go_enum(e):
    name, values = camel(e.name), members(e)
    out = [f"\n{comment(e.doc, '// ')}type {name} int32\n\nconst (\n"]
    for v in values:
        out.append(comment(v.doc, "// ", "\t"))
        out.append(f"\t{name}{go_name(short(e, v))} {name} = {v.value}\n")
    names = "".join(f'\t{v.value}: "{short(e, v)}",\n' for v in values)
    return "".join(out) + (f")\n\nvar names{name} = map[{name}]string{{\n{names}}}\n\n"
                           f"func (x {name}) String() string {{ return names{name}[x] }}\n")


def go_struct(s):
    name = camel(s.name)
    out = [f"\n{comment(s.doc, '// ')}type {name} struct {{\n"]
    for f in s.fields:
        out.append(comment(f.doc, "// ", "\t"))
        out.append(f"\t{go_field(s, f)} {go_type(f.type)}\n")
    out.append("}\n")
    tensors = [f for f in s.fields if f.type.name == "lctx_tensor"]
    numbers = [f for f in s.fields if f.type.name in ("int32_t", "int64_t")]
    if tensors:
        out.append(f"\nfunc (s *{name}) tensor(name string) *Tensor {{\n\tswitch name {{\n")
        out += [f'\tcase "{f.name}":\n\t\treturn &s.{go_field(s, f)}\n' for f in tensors]
        out.append(f"\t}}\n\treturn nil\n}}\n\nfunc (s *{name}) number(name string) (int64, bool) "
                   "{\n\tswitch name {\n")
        out += [f'\tcase "{f.name}":\n\t\treturn int64(s.{go_field(s, f)}), true\n'
                for f in numbers]
        out.append("\t}\n\treturn 0, false\n}\n")
    return "".join(out)


@writes("examples/go/lctx/api.go")
def go(of):
    out = [f"// {MADE}\n\npackage lctx\n\nimport \"unsafe\"\n\n"]
    for k in of.constants:
        out.append(comment(k.doc, "// "))
        value = hex(k.value) if k.name == "VERSION" else k.value
        out.append(f"const {go_name(k.name)} = {value}\n")
    out += map(go_enum, of.enums)
    out += map(go_struct, structs(of))
    out.append("\n// Arrays that fields point to: sizes from outside in. n_expert? counts where "
               "there are\n// experts; / rounds up.\nvar arrays = map[string]string{\n")
    out += [f'\t"{path}": "{shape}",\n' for path, _, shape, _ in arrays(of)]
    out.append("}\n\ntype offset struct {\n\tfield string\n\tat    uintptr\n}\n\n"
               "type layout struct {\n\tname   string\n\tsize   uintptr\n\tfields []offset\n}\n\n"
               "// Sizes and offsets as they are here.\nvar layouts = []layout{\n")
    for s in structs(of):
        name = camel(s.name)
        out.append(f'\t{{"{s.name}", unsafe.Sizeof({name}{{}}), []offset{{\n')
        out += [f'\t\t{{"{f.name}", unsafe.Offsetof({name}{{}}.{go_field(s, f)})}},\n'
                for f in s.fields]
        out.append("\t}},\n")
    return "".join(out) + "}\n"
