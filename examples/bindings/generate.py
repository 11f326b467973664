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


def raw(struct, field):
    """Fields that only who lays out memory may set: strides, and whether rows are rows."""
    stride = field.type.name == "int64_t" and re.search("_(token|head|query|tap)$|^state_[kv]$",
                                                             field.name)
    return stride or f"{struct.name}.{field.name}" in ("lctx_span.layout", "lctx_span.skip")


def raw_fields(of):
    return [f"{s.name}.{f.name}" for s in structs(of) for f in s.fields if raw(s, f)]


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


def filled(code, indent=""):
    return textwrap.fill(code, 100, initial_indent=indent, subsequent_indent=indent + "    ") + "\n"


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
    out.append("}\n\n# Fields that tell how memory is laid out.\nRAW = {\n")
    out += [f'    "{path}",\n' for path in raw_fields(of)]
    out.append("}\n\n# What each function returns, and its arguments.\nFUNCTIONS = {\n")
    for f in of.functions:
        out.append(comment(f.doc, "# ", "    "))
        args = ", ".join(python_type(p.type) for p in f.params)
        out.append(filled(f'"{f.name}": ({python_type(f.result)}, [{args}]),', "    "))
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


# ---------------------------------------------------------------- Rust
RUST = {"int": "i32", "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
        "uint8_t": "u8", "uint16_t": "u16", "size_t": "usize", "float": "f32", "double": "f64",
        "char": "c_char", "void": "c_void"}


def rust_type(t):
    if t.kind == "pointer":
        return f"*{'const' if t.const else 'mut'} {rust_type(t.name)}"
    return {"void": lambda: "c_void", "number": lambda: RUST[t.name], "enum": lambda: camel(t.name),
            "struct": lambda: camel(t.name), "callback": lambda: camel(t.name),
            "array": lambda: f"[{rust_type(t.name)}; {t.length}]",
            "function": lambda: rust_call(t.name, [f"_: {rust_type(p)}" for p in t.params])}[t.kind]()


def rust_call(result, params):
    back = "" if result.kind == "void" else f" -> {rust_type(result)}"
    return f"Option<unsafe extern \"C\" fn({', '.join(params)}){back}>"


def rust_params(f):
    return [f"{rust_name(p.name)}: {rust_type(p.type)}" for p in f.params]


def rust_name(name):
    return f"r#{name}" if name in ("type", "where", "ref", "move", "match", "in") else name


def rust_enum(e):
    name, values = camel(e.name), members(e)
    out = ["\n" + comment(e.doc, "/// ") + "#[repr(transparent)]\n"
           "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n" + f"pub struct {name}(pub i32);\n",
           f"impl {name} {{\n"]
    for v in values:
        out.append(comment(v.doc, "/// ", "    "))
        out.append(f"    pub const {short(e, v)}: {name} = {name}({v.value});\n")
    names = "".join(f'            {v.value} => "{short(e, v)}",\n' for v in values)
    return "".join(out) + ("    pub fn name(self) -> &'static str {\n        match self.0 {\n" + names
                           + '            _ => "unknown",\n        }\n    }\n}\n')


def rust_struct(s):
    name = camel(s.name)
    if not s.fields:
        return f"\n#[repr(C)]\npub struct {name} {{\n    _private: [u8; 0],\n}}\n"
    out = ["\n" + comment(s.doc, "/// ") + "#[repr(C)]\n#[derive(Clone, Copy, Debug)]\n"
           f"pub struct {name} {{\n"]
    for f in s.fields:
        out.append(comment(f.doc, "/// ", "    "))
        out.append(f"    pub {rust_name(f.name)}: {rust_type(f.type)},\n")
    out.append("}\nimpl Default for " + name + " {\n    fn default() -> Self {\n"
               "        unsafe { std::mem::zeroed() }\n    }\n}\n")
    return "".join(out) + rust_fields(s, name)


def rust_fields(s, name):
    """What a safe layer asks of a descriptor's fields, as there is no asking by name in Rust."""
    checks = [(f.name, f"!self.{rust_name(f.name)}.is_null()") for f in s.fields
              if f.type.kind == "pointer"]
    checks += [(f.name, f"self.{f.name}.is_some()") for f in s.fields
               if f.type.kind in ("callback", "function")]
    checks += [(f.name, f"self.{f.name} != 0") for f in s.fields if raw(s, f)]
    tensors = [f.name for f in s.fields if f.type.name == "lctx_tensor"]
    checks += [(t, f"!self.{t}.data.is_null()") for t in tensors]
    numbers = [f.name for f in s.fields if f.type.name in ("int32_t", "int64_t")]
    out = f"impl {name} {{\n    /// The first field that points to something, or is a stride.\n"
    out += "    pub fn raw(&self) -> Option<&'static str> {\n"
    out += "".join(f"        if {test} {{\n            return Some(\"{field}\");\n        }}\n"
                   for field, test in checks) + "        None\n    }\n"
    if tensors:
        out += "    /// A weight by its name.\n"
        out += "    pub fn tensor(&mut self, name: &str) -> Option<&mut Tensor> {\n"
        out += "        match name {\n"
        out += "".join(f'            "{t}" => Some(&mut self.{t}),\n' for t in tensors)
        out += "            _ => None,\n        }\n    }\n    /// A number by its name.\n"
        out += "    pub fn number(&self, name: &str) -> Option<i64> {\n        match name {\n"
        out += "".join(f'            "{n}" => Some(i64::from(self.{n})),\n' for n in numbers)
        out += "            _ => None,\n        }\n    }\n"
    return out + "}\n" if checks or tensors else ""


@writes("examples/rust/lctx-sys/src/lib.rs")
def rust(of):
    out = [f"//! {MADE}\n//!\n//! The structs, enums and functions of lctx.h, unchecked; the crate "
           "lctx is built on it.\n#![allow(non_camel_case_types)]\n"
           "use std::mem::{size_of, MaybeUninit};\nuse std::os::raw::{c_char, c_void};\n"
           "use std::ptr::addr_of;\n\n"]
    for k in of.constants:
        out.append(comment(k.doc, "/// "))
        value = hex(k.value) if k.name == "VERSION" else k.value
        out.append(f"pub const {k.name}: u32 = {value};\n")
    out += map(rust_enum, of.enums)
    for f in of.callbacks:
        out.append("\n" + comment(f.doc, "/// "))
        out.append(filled(f"pub type {camel(f.name)} = {rust_call(f.result, rust_params(f))};"))
    out += map(rust_struct, of.structs)
    out.append("\n/// Arrays that fields point to: elements, and sizes from outside in. n_expert? "
               "counts where there\n/// are experts; / rounds up.\n"
               "pub const ARRAYS: &[(&str, &str, &str)] = &[\n")
    out += [f'    ("{path}", "{kind}", "{shape}"),\n' for path, kind, shape in arrays(of)]
    out.append("];\n\nextern \"C\" {\n")
    for f in of.functions:
        back = "" if f.result.kind == "void" else f" -> {rust_type(f.result)}"
        out.append(comment(f.doc, "/// ", "    "))
        out.append(filled(f"pub fn {f.name}({', '.join(rust_params(f))}){back};", "    "))
    out.append("    pub fn lctx_offsetof(field: *const c_char) -> usize;\n}\n")
    return "".join(out) + rust_check(of)


def rust_check(of):
    """A function that compares the library with all this."""
    rows = "".join(f"    fields!({camel(s.name)}, \"{s.name}\": "
                   f"{', '.join(rust_name(f.name) for f in s.fields)});\n" for s in structs(of))
    return """
fn dotted(v: u32) -> String {
    format!("{}.{}.{}", v >> 16, v >> 8 & 255, v & 255)
}

fn ask(call: unsafe extern "C" fn(*const c_char) -> usize, name: String) -> usize {
    let words = std::ffi::CString::new(name).unwrap();
    unsafe { call(words.as_ptr()) }
}

macro_rules! fields {
    ($t:ident, $name:literal: $($f:ident),*) => {
        let theirs = ask(lctx_sizeof, $name.to_string());
        if theirs != size_of::<$t>() {
            return Err(format!("{} has {} bytes there, {} here", $name, theirs, size_of::<$t>()));
        }
        let memory = MaybeUninit::<$t>::uninit();
        let base = memory.as_ptr();
        $(
            let field = concat!($name, ".", stringify!($f)).replace("r#", "");
            let ours = unsafe { addr_of!((*base).$f) as usize } - base as usize;
            let theirs = ask(lctx_offsetof, field.clone());
            if theirs != ours {
                return Err(format!("{} stands at {} there, {} here", field, theirs, ours));
            }
        )*
    };
}

/// Says what the library that was found has otherwise: its version, a size or an offset.
pub fn check() -> Result<(), String> {
    let version = unsafe { lctx_version() };
    if version != VERSION {
        let (theirs, ours) = (dotted(version), dotted(VERSION));
        return Err(format!("the library is of version {}, this crate of {}", theirs, ours));
    }
""" + rows + "    Ok(())\n}\n"


# ---------------------------------------------------------------- Go
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
        out.append(f"\t}}\n\treturn nil\n}}\n\nfunc (s *{name}) number(name string) (int64, bool) {{"
                   "\n\tswitch name {\n")
        out += [f'\tcase "{f.name}":\n\t\treturn int64(s.{go_field(s, f)}), true\n' for f in numbers]
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
    out.append("\n// Arrays that fields point to: sizes from outside in. n_expert? counts where there "
               "are\n// experts; / rounds up.\nvar arrays = map[string]string{\n")
    out += [f'\t"{path}": "{shape}",\n' for path, _, shape in arrays(of)]
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
