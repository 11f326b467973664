"""What the writers of all languages share: names, comments, which fields are what."""
import os
import re
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MADE = "Written by examples/bindings/generate.py from lctx.h; make bindings writes it anew."
WRITERS = {}


def writes(path):
    """Marks what makes the text of a file, out of the API."""
    return lambda write: WRITERS.setdefault(path, write)


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
    """Of all structs: path, elements, shape, and whether calls write there."""
    return [(f"{s.name}.{f.name}", element(f.type), f.shape,
             f.type.kind == "pointer" and not f.type.const)
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


def filled(code, indent=""):
    return textwrap.fill(code, 100, initial_indent=indent, subsequent_indent=indent + "    ") + "\n"
