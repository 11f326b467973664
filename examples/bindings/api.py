"""The API of lctx.h as data: constants, enums, callbacks, structs and functions with their types
and comments, from clang's syntax tree and the text that it points into."""
import json
import re
import subprocess
from collections import namedtuple

Constant = namedtuple("Constant", "name value doc")
Enum = namedtuple("Enum", "name values doc")                  # values: Constants
Field = namedtuple("Field", "name type doc shape", defaults=("",))    # shape: "n_q n_head d_k"
Struct = namedtuple("Struct", "name fields doc")              # fields empty: an opaque object
Function = namedtuple("Function", "name result params doc")   # params: Fields; a callback alike
Api = namedtuple("Api", "constants enums callbacks structs functions")


class Type(namedtuple("Type", "kind name const length params", defaults=(False, 0, ()))):
    """kind: void, number (name as in C), enum, struct, pointer (name: the Type that it points to,
    const: to what is not written), array (of `length` Types `name`), callback (named), function
    (a pointer without a name, name: the Type of its result)."""


# Shapes that comments do not say alone; n_expert? counts where there are experts, / rounds up.
SHAPES = {
    "lctx_attn.q_far": "n_q n_head d_k", "lctx_attn.mask_bits": "n_head n_q n_kv/64",
    "lctx_layer.bq": "n_head*head_dim", "lctx_layer.bk": "n_head_kv*head_dim",
    "lctx_layer.bv": "n_head_kv*head_dim",
    "lctx_layer.w_gate": "n_expert? d_ff d_model", "lctx_layer.w_up": "n_expert? d_ff d_model",
    "lctx_layer.w_down": "n_expert? d_model d_ff", "lctx_layer.b_gate": "n_expert? d_ff",
    "lctx_layer.b_up": "n_expert? d_ff", "lctx_layer.b_down": "n_expert? d_model",
    "lctx_layer.b_router": "n_expert",
    "lctx_recurrence.v": "n n_head d_v", "lctx_recurrence.b": "n n_head_k d_k",
    "lctx_recurrence.rate": "n_head d_k d_v", "lctx_recurrence.from": "n_head d_k d_v",
    "lctx_convolution.from": "taps-1 n_channel",
    "lctx_snapshots.slots": "",
    "lctx_mixer.conv": "2*n_head_k*d_k+n_head*d_v taps",
    "lctx_mixer.conv_bias": "2*n_head_k*d_k+n_head*d_v", "lctx_mixer.norm": "n_norm",
}

NUMBERS = {"int", "int32_t", "uint32_t", "int64_t", "uint64_t", "uint8_t", "uint16_t", "size_t",
           "float", "double", "char"}


class Reader:
    """One pass over the declarations; later ones refer to the names of earlier ones."""

    def __init__(self, header, clang):
        self.text = open(header, "rb").read().decode("ascii")     # offsets are in bytes
        tree = subprocess.run(
            [clang, "-fsyntax-only", "-x", "c", "-Xclang", "-ast-dump=json", header],
            check=True, stdout=subprocess.PIPE).stdout
        self.api = Api(self.constants(), [], [], [], [])
        self.kinds = {}
        for node in json.loads(tree)["inner"]:
            if re.match(r"lctx_[a-z]", node.get("name", "")):
                getattr(self, node["kind"], lambda node: None)(node)

    def constants(self):
        found = re.findall(r"^#define LCTX_([A-Z]\w+) +(0x[0-9a-f]+|\d+)u?\b(?: +/\* (.*?) \*/)?",
                           self.text, re.M)
        return [Constant(name, int(value, 0), doc) for name, value, doc in found]

    def EnumDecl(self, node):
        names = [n["name"] for n in node["inner"] if n["kind"] == "EnumConstantDecl"]
        values = [Constant(n, i, self.value_doc(n)) for i, n in enumerate(names)]
        self.api.enums.append(Enum(node["name"], values, self.doc_before(node)))
        self.kinds[node["name"]] = "enum"

    def RecordDecl(self, node):
        fields = [self.field(node["name"], n)
                  for n in node.get("inner", []) if n["kind"] == "FieldDecl"]
        self.kinds[node["name"]] = "struct"
        self.api.structs.append(Struct(node["name"], fields, self.doc_before(node)))

    def field(self, struct, node):
        """With the shape of what a pointer or a tensor points to, as its comment says."""
        kind, doc = self.type(node["type"]["qualType"]), self.doc_after(node)
        first = re.search(r"(?:\[[^]]+\])+", doc)
        shape = SHAPES.get(f"{struct}.{node['name']}")
        if shape is None:
            shape = first[0][1:-1].replace(" ", "").replace("][", " ") if first else ""
        array = kind.kind == "pointer" or kind.name == "lctx_tensor"
        return Field(node["name"], kind, doc, shape if array else "")

    def TypedefDecl(self, node):
        if "(*)" in node["type"]["qualType"]:
            kind = self.type(node["type"]["qualType"])
            line = self.text[node["range"]["begin"]["offset"]:node["range"]["end"]["offset"]]
            words = re.findall(r"(\w+)\s*(?:,|$)", line[line.index(")") + 2:])
            params = [Field(w, t, "") for w, t in zip(words, kind.params)]
            self.api.callbacks.append(
                Function(node["name"], kind.name, params, self.doc_before(node)))
            self.kinds[node["name"]] = "callback"

    def FunctionDecl(self, node):
        params = [Field(n["name"], self.type(n["type"]["qualType"]), "")
                  for n in node.get("inner", []) if n["kind"] == "ParmVarDecl"]
        result = self.type(re.sub(r" ?\(.*", "", node["type"]["qualType"]))
        self.api.functions.append(Function(node["name"], result, params, self.doc_before(node)))

    def type(self, text):
        """A type as clang prints it."""
        text = re.sub(r"\bstruct |\benum ", "", text).strip()
        call = re.match(r"(.*)\(\*\)\((.*)\)$", text)
        array = re.match(r"(.*?) ?\[(\d+)\]$", text)
        pointer = re.match(r"(.*?) ?\* ?(const)?$", text)
        if call:
            return Type("function", self.type(call[1]), False, 0,
                        tuple(self.type(t) for t in call[2].split(", ")))
        if array:
            return Type("array", self.type(array[1]), False, int(array[2]))
        if pointer:
            inner = pointer[1]
            const = inner.startswith("const ") if not inner.endswith("*") else False
            const = const or inner.endswith("*const")
            return Type("pointer", self.type(re.sub(r"const$", "", inner)), const)
        name = text.replace("const ", "")
        if name in NUMBERS or name == "void":
            return Type("number" if name in NUMBERS else "void", name)
        return Type(self.kinds[name], name)

    def value_doc(self, name):
        """Of an enum's value: the comment behind it, or a status's text."""
        found = re.search(rf"\b{name},? +/\* (.*?) ?\*/|X\({name}, +\"(.*?)\"\)", self.text, re.S)
        return plain(found[1] or found[2]) if found and "LCTX_" not in found[0][len(name):] else ""

    def doc_after(self, node):
        """The comment that follows a field's declaration."""
        end = self.text.index(";", node["range"]["end"]["offset"])
        found = re.match(r";\s*/\*\s*(.*?)\s*\*/", self.text[end:], re.S)
        return plain(found[1]) if found else ""

    def doc_before(self, node):
        """The comment right before a declaration; of a call, before those that it stands among."""
        line = self.text.rindex("\n", 0, node["loc"]["offset"]) + 1
        above = self.text[:line].rsplit("\n\n", 1)[-1]
        calls = node["kind"] in ("FunctionDecl", "TypedefDecl")
        found = re.findall(r"^/\* (?!-)(.*?) ?\*/\n" + ("" if calls else r"\Z"), above, re.S | re.M)
        return "\n".join(re.sub(r"^   ", "", row) for row in found[-1].split("\n")) if found else ""


def plain(comment):
    """A comment as one line."""
    return re.sub(r"\s+", " ", comment).strip()


def read(header, clang="clang"):
    return Reader(header, clang).api
