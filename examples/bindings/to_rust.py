"""Rust: a crate of declarations."""
from common import MADE, arrays, camel, comment, filled, members, raw, short, structs, writes

RUST = {"int": "i32", "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
        "uint8_t": "u8", "uint16_t": "u16", "size_t": "usize", "float": "f32", "double": "f64",
        "char": "c_char", "void": "c_void"}


def rust_type(t):
    if t.kind == "pointer":
        return f"*{'const' if t.const else 'mut'} {rust_type(t.name)}"
    return {"void": lambda: "c_void", "number": lambda: RUST[t.name], "enum": lambda: camel(t.name),
            "struct": lambda: camel(t.name), "callback": lambda: camel(t.name),
            "array": lambda: f"[{rust_type(t.name)}; {t.length}]",
            "function": lambda: rust_call(t.name, [f"_: {rust_type(p)}" for p in t.params]),
            }[t.kind]()


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
    return "".join(out) + ("    pub fn name(self) -> &'static str {\n"
                           "        match self.0 {\n" + names +
                           '            _ => "unknown",\n        }\n    }\n}\n')


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
    numbers = [(f.name, f"self.{f.name}" if f.type.name == "int64_t" else f"self.{f.name}.into()")
               for f in s.fields if f.type.name in ("int32_t", "int64_t")]
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
        out += "".join(f'            "{n}" => Some({number}),\n' for n, number in numbers)
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
    out += [f'    ("{path}", "{kind}", "{shape}"),\n' for path, kind, shape, _ in arrays(of)]
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
