"""lctx from Python, on numpy arrays:

    import lctx
    out = lctx.attend(q, k, v)                   # q [n_q][n_head][d], k and v [n][n_head_kv][d]
    with lctx.Cache(8, 128, policy=lctx.Policy.SINKS, window=4092, n_sink=4) as cache: ...
    with lctx.Session(model) as session:
        for token in session.generate(prompt, 100): ...

Fields of the header's descriptors are keyword arguments, and 0 or None is their default. What the
library refuses is raised as lctx.Error with the status and the place; arrays are checked for type,
shape and order before; what was opened is closed by `with`, close() or the last reference. An
object is for one thread at a time, which is checked. bf16 is ml_dtypes' or the bits as uint16."""
import ctypes as c
import ctypes.util
import io
import math
import os
import re
import threading
from contextlib import ExitStack, contextmanager, nullcontext

import numpy as np

import lctx_api as api
from lctx_api import (  # noqa: F401: handed on
    Activation, Decay, FarKind, Isa, Mask, MixerKind, PatternKind, Policy, RopePairing,
    RopeScheme, Routing, Status, Type)


class LibraryError(OSError):
    """The library is missing, or is not of the version and layout that this module has."""


class Error(Exception):
    """A call was refused; status says why, the text also where."""

    def __init__(self, status, text):
        super().__init__(f"{status.name}: {text}")
        self.status = status


# ---------------------------------------------------------------- the library
def _find():
    here = os.path.dirname(os.path.abspath(__file__))
    built = os.path.join(here, "..", "..", "build", "liblctx.so")
    return os.environ.get("LCTX_LIBRARY") or (built if os.path.exists(built) else None) or \
        ctypes.util.find_library("lctx") or built


def _dotted(version):
    return f"{version >> 16}.{version >> 8 & 255}.{version & 255}"


def _check_layout(lib, path):
    """Sizes and offsets as this module has them, which other headers would not give."""
    for name, struct in api.STRUCTS.items():
        theirs, ours = lib.lctx_sizeof(name.encode()), c.sizeof(struct)
        if theirs != ours:
            raise LibraryError(f"{path}: {name} has {theirs} bytes there, {ours} here")
        for field, *_ in struct._fields_:
            theirs = lib.lctx_offsetof(f"{name}.{field}".encode())
            ours = getattr(struct, field).offset
            if theirs != ours:
                raise LibraryError(f"{path}: {name}.{field} stands at {theirs} there, {ours} here")


def load(path=None):
    """Opens the library by its path, or else LCTX_LIBRARY's, build/liblctx.so, or the system's;
    later calls go to it. Without a call the first use does so."""
    global _lib
    path = path or _find()
    try:
        lib = c.CDLL(path)
        calls = dict(api.FUNCTIONS, lctx_offsetof=(c.c_size_t, [c.c_char_p]))
        for name, (result, arguments) in calls.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        what = str(error).replace(f"{path}: ", "")
        raise LibraryError(f"{path}: {what} (make lib builds it)") from None
    if lib.lctx_version() != api.VERSION:
        raise LibraryError(f"{path} is of version {_dotted(lib.lctx_version())}, this module of "
                           f"{_dotted(api.VERSION)}")
    _check_layout(lib, path)
    _lib = lib
    return lib


_lib = None


def _call(name, *arguments, refused=None):
    """Calls a function that returns a status."""
    status = getattr(_lib or load(), name)(*arguments)
    if status:
        _refuse(Status(status), refused)


def _refuse(status, refused):
    """Raises what one of the reports says of it."""
    for report in refused if isinstance(refused, list) else [refused]:
        if report is not None and report.status == status:
            text = c.create_string_buffer(300)
            _lib.lctx_refusal_text(report, text, len(text))
            raise Error(status, text.value.decode())
    raise Error(status, _lib.lctx_status_text(status).decode())


def isa():
    """The instruction set in use"""
    return Isa((_lib or load()).lctx_isa_get())


# ---------------------------------------------------------------- arrays and descriptors
_TYPES = {"float32": Type.F32, "float16": Type.F16, "bfloat16": Type.BF16, "uint16": Type.BF16,
          "int8": Type.I8}
_NAMES = {"float": "float32", "double": "float64", "int32_t": "int32", "int64_t": "int64",
          "uint8_t": "uint8", "uint64_t": "uint64",
          "any": ("float32", "float16", "bfloat16", "uint16", "int8")}
_BITS = {c.c_int: 32, c.c_int32: 32, c.c_int64: 64}


def _sizes(shape, dims):
    """The numbers of a shape "n_expert? n_head*head_dim n_kv/64 taps-1"; None is not known."""
    return [_size(word.rstrip("?"), dims) for word in shape.split()
            if not word.endswith("?") or dims.get(word[:-1])]


def _size(word, dims):
    """A sum of products of names and numbers, divided and rounded up, or made less."""
    terms, by, less = re.match(r"([\w.*+]+)(?:/(\d+)|-(\d+))?$", word).groups()
    total = 0
    for term in terms.split("+"):
        parts = [int(part) if part.isdigit() else dims.get(part) for part in term.split("*")]
        if None in parts:
            return None
        total += math.prod(parts)
    return max(-(-total // int(by or 1)) - int(less or 0), 0)


def _array(name, array, types, sizes, rows=False):
    """Checks an array: element types, sizes (None: any), order. Rows may lie at any strides."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: a numpy array is wanted, not {type(array).__name__}")
    types = (types,) if isinstance(types, str) else types
    if array.dtype.name not in types or not array.dtype.isnative:
        raise TypeError(f"{name}: {' or '.join(types)} is wanted, not {array.dtype}")
    fits = len(sizes) == array.ndim and \
        all(size in (None, n) for size, n in zip(sizes, array.shape))
    if not fits:
        wanted = "".join(f"[{'n' if size is None else size}]" for size in sizes)
        raise ValueError(f"{name}: the shape {wanted} is wanted, not {array.shape}")
    steps = [s for s, n in zip(array.strides, array.shape) if n > 1]
    packed = array.shape[-1] < 2 or array.strides[-1] == array.itemsize
    if not array.flags.c_contiguous and (not rows or not packed or min(steps) <= 0):
        raise ValueError(f"{name}: the array is not {'packed along its rows' if rows else 'packed'}"
                         f" in C's order: strides {array.strides}")
    if not array.flags.aligned:
        raise ValueError(f"{name}: the array is not aligned")
    return array.ctypes.data


def _number(name, kind, value):
    """A number that fits, where ctypes would cut it."""
    bits = _BITS.get(kind)
    if bits and not -1 << bits - 1 <= value < 1 << bits - 1:
        raise OverflowError(f"{name}: {value} is no int{bits}")
    return value


def describe(struct, fields, dims=(), **more):
    """A descriptor with its fields checked, and a report that calls fill in. What it points to
    lives as long as it does: arrays, other descriptors (or their fields, as a dict), Threads and
    Pools. dims: sizes of arrays that no field tells."""
    desc, given = struct(), {**fields, **more}
    name, kinds, desc.held = f"lctx_{_c_name(struct)}", dict(struct._fields_), [given]
    dims = {**{k: v for k, v in given.items() if isinstance(v, int)}, **dict(dims)}
    if "refused" in kinds:
        desc.report = api.Refusal()
        desc.refused = c.pointer(desc.report)
    for field, value in given.items():
        if field not in kinds:
            raise TypeError(f"{name} has no field '{field}'")
        if f"{name}.{field}" in api.RAW and field not in more:
            raise TypeError(f"{name}.{field} follows from the arrays")
        if value is not None:
            _set(desc, field, kinds[field], value, f"{name}.{field}", dims)
    return desc


def _set(desc, field, kind, value, where, dims):
    """Sets a field to a number, or to point to what it is given."""
    pointer = kind is c.c_void_p or hasattr(kind, "contents")
    if isinstance(value, dict) and hasattr(kind, "contents"):
        value = describe(kind._type_, value, _inner(kind._type_, value, dims))
    if kind is api.Tensor:
        value = _tensor(where, value, dims, desc.held)
    if isinstance(value, _Object):
        value = value.hook()
    value = getattr(value, "schedule", value)
    desc.held.append(value)
    if pointer and isinstance(value, np.ndarray):
        value = _pointer(where, value, dims)
    elif pointer and isinstance(value, c.Structure):
        value = c.pointer(value)
    elif pointer:
        raise TypeError(f"{where}: an array or a descriptor is wanted, not {value!r:.60}")
    elif isinstance(value, (int, np.integer)):
        value = _number(where, kind, int(value))
    try:
        setattr(desc, field, value)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None


def _inner(struct, fields, dims):
    """Sizes that a descriptor within another has from outside, or that hang on its kind."""
    inner = {k: v for k, v in dims.items() if k == "d_model"}
    if struct is api.Mixer:
        each = fields.get("n_head", 0) if fields.get("kind") == MixerKind.MAMBA2 else 1
        inner["n_norm"] = fields.get("d_v", 0) * each
    return inner


def _tensor(where, weights, dims, held):
    """A weight: an array, or one of int8 with its scales."""
    data, scale = weights if isinstance(weights, tuple) else (weights, None)
    address = _pointer(where, data, dims)
    if data.dtype == np.int8:
        _array(f"{where} scale", scale, "float32", [int(np.prod(data.shape[:-1]))])
    held += [data, scale]
    return api.Tensor(address, scale.ctypes.data if data.dtype == np.int8 else None,
                      _TYPES[data.dtype.name])


def _c_name(struct):
    return "".join(f"_{x.lower()}" if x.isupper() else x for x in struct.__name__)[1:]


def _pointer(where, array, dims):
    if where not in api.ARRAYS:
        raise TypeError(f"{where} takes no array")
    element, shape, written = api.ARRAYS[where]
    sizes = _sizes(shape, dims)
    if None in sizes:
        raise TypeError(f"{where}: [{shape.replace(' ', '][')}] is not known")
    if written and isinstance(array, np.ndarray) and not array.flags.writeable:
        raise ValueError(f"{where}: the array is read-only")
    return _array(where, array, _NAMES[element], sizes)


# ---------------------------------------------------------------- objects
class _Object:
    """Something of the library's: closed once, used by one thread at a time, and not closed while
    what was made with it is open."""

    def __init__(self, kind, handle, uses=()):
        self._kind, self._handle, self._uses, self._users = kind, handle, uses, 0
        self._lock = threading.Lock()
        for other in uses:
            other._users += 1

    @contextmanager
    def _use(self):
        """Its handle, for a call."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(f"the {self._kind} is in use by another call")
        try:
            if self._handle is None:
                raise ValueError(f"the {self._kind} is closed")
            yield self._handle
        finally:
            self._lock.release()

    @contextmanager
    def _lend(self):
        """Keeps it open during a call that uses it beside others."""
        if self._handle is None:
            raise ValueError(f"the {self._kind} is closed")
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def close(self):
        """Frees it; a second time does nothing."""
        if getattr(self, "_handle", None) is None:
            return
        if self._users:
            raise RuntimeError(f"the {self._kind} is in use by {self._users} that are open")
        with self._use() as handle:
            getattr(_lib, f"lctx_{self._kind}_free")(handle)
            self._handle = None
        for other in self._uses:
            other._users -= 1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __del__(self):
        if _lib:
            self.close()


def _create(kind, struct, fields, *before, dims=()):
    """Makes an object of a descriptor, which may use Threads and a Pool."""
    uses = [value for value in fields.values() if isinstance(value, _Object)]
    desc, handle = describe(struct, fields, dims), c.c_void_p()
    _call(f"lctx_{kind}_create", *before, desc, c.byref(handle), refused=desc.report)
    return desc, c.cast(handle, c.POINTER(getattr(api, kind.capitalize()))), uses


class Threads(_Object):
    """Threads of the library's own; n_threads 0 is one a processor. par=threads lends them."""

    def __init__(self, n_threads=0, **fields):
        fields["n_threads"] = n_threads
        super().__init__("threads", *_create("threads", api.ThreadsDesc, fields)[1:])

    def hook(self):
        par = api.Parallel()
        with self._use() as handle:
            _call("lctx_threads_parallel", handle, par)
        return par


class Pool(_Object):
    """Memory of at most max_bytes for many caches and sessions: alloc=pool."""

    def __init__(self, max_bytes=0):
        super().__init__("pool", *_create("pool", api.PoolDesc, {"max_bytes": max_bytes})[1:])

    def hook(self):
        alloc = api.Allocator()
        with self._use() as handle:
            _call("lctx_pool_allocator", handle, alloc)
        return alloc

    @property
    def info(self):
        return _info(self, api.PoolInfo)


def _info(obj, struct):
    info = struct()
    with obj._use() as handle:
        _call(f"lctx_{obj._kind}_get_info", handle, info)
    return info


class _Saved(_Object):
    """What caches and sessions have in common."""

    @property
    def info(self):
        return _info(self, getattr(api, f"{self._kind.capitalize()}Info"))

    def rewind(self, n):
        """Forgets the tokens n and after."""
        with self._use() as handle:
            _call(f"lctx_{self._kind}_rewind", handle, _number("n", c.c_int64, n))

    def fork(self):
        """A second one with the same contents."""
        fork, handle = object.__new__(type(self)), c.c_void_p()
        with self._use() as mine:
            _call(f"lctx_{self._kind}_fork", mine, c.byref(handle))
        fork.__dict__.update(self.__dict__)
        _Object.__init__(fork, self._kind, c.cast(handle, type(self._handle)), self._uses)
        return fork

    def save(self):
        """Its contents as bytes, for restore."""
        out = io.BytesIO()
        write = api.Write(lambda user, data, n: out.write(c.string_at(data, n)) != n)
        with self._use() as handle:
            _call(f"lctx_{self._kind}_save", handle, write, None)
        return out.getvalue()

    def restore(self, saved):
        """Replaces its contents by what one of the same description saved."""
        view = io.BytesIO(saved)

        def read(user, data, n):
            piece = view.read(n)
            c.memmove(data, piece, len(piece))
            return len(piece) != n
        with self._use() as handle:
            _call(f"lctx_{self._kind}_restore", handle, api.Read(read), None)


class _Progress:
    """progress=f is called as f(done, total); true ends the call. What f raises ends it too, and
    is raised by the call."""

    def __init__(self, function):
        self.function, self.error = function, None
        self.c = api.Progress(self.step)

    def step(self, user, done, total):
        try:
            return bool(self.function(done, total))
        except BaseException as error:     # a callback may raise nothing into C
            self.error = error
            return 1

    def raised(self):
        error, self.error = self.error, None
        return error


@contextmanager
def _watched(progress):
    try:
        yield
    except Error as error:
        raised = progress and error.status == Status.E_CANCELLED and progress.raised()
        if not raised:
            raise
        raise raised from None


def _progress_of(fields):
    """Puts the C callback into fields; returns what raises for it."""
    progress = _Progress(fields["progress"]) if fields.get("progress") else None
    if progress:
        fields["progress"] = progress.c
    return progress


# ---------------------------------------------------------------- floor 1: RoPE
class Rope:
    """A schedule: Rope(128, scheme=RopeScheme.YARN, factor=4, orig_ctx=4096)"""

    def __init__(self, n_rot, **fields):
        fields["n_rot"] = n_rot
        desc = describe(api.RopeDesc, fields)
        self.schedule = api.Rope()
        _call("lctx_rope_init", self.schedule, desc, refused=desc.report)

    def __getattr__(self, name):
        value = getattr(self.__dict__["schedule"], name)
        return np.array(value[:self.schedule.n_rot // 2]) if name in ("freq", "plain") else value

    def apply(self, x, pos0=0, **fields):
        """x [n_tok][n_head][head_dim] rotated to positions pos0 and after, or pos [n_tok]"""
        address = _array("x", x, "float32", [None] * 3, rows=True)
        out = np.empty(x.shape, np.float32)
        job = describe(api.RopeJob, fields, n_tok=x.shape[0], n_head=x.shape[1],
                       head_dim=x.shape[2], x_token=x.strides[0], x_head=x.strides[1], pos0=pos0)
        job.x, job.out = address, out.ctypes.data
        _call("lctx_rope_apply", self.schedule, job, refused=job.report)
        return out


# ---------------------------------------------------------------- floor 2: attention
def span(k, v, k_scale=None, v_scale=None, **fields):
    """Keys and values [n][n_head_kv][d]: float32, float16, bf16, or int8 with scales
    [n][n_head_kv]; rows may lie at any strides, so that k.transpose(1, 0, 2) is [head][token]."""
    types = _NAMES["any"]
    _array("k", k, types, [None] * 3, rows=True)
    _array("v", v, types, [*k.shape[:2], None], rows=True)
    s = describe(api.Span, fields, {"n_head_kv": k.shape[1]}, n=k.shape[0])
    s.shape = k.shape[:2] + (k.shape[2], v.shape[2])
    for name, a, scale in (("k", k, k_scale), ("v", v, v_scale)):
        setattr(s, name, a.ctypes.data)
        setattr(s, f"{name}_type", _TYPES[a.dtype.name])
        setattr(s, f"{name}_token", a.strides[0])
        setattr(s, f"{name}_head", a.strides[1])
        if a.dtype == np.int8:
            _array(f"{name}_scale", scale, "float32", k.shape[:2])
            setattr(s, f"{name}_scale", scale.ctypes.data)
    s.held += [k, v, k_scale, v_scale]
    return s


class Attention:
    """One attention over spans or a cache, ready to be called again and again, which costs less
    than attend: what its arrays and the cache hold may change in between. The result is `out`, and
    `lse` where it is asked for. Causal queries are the last of all keys unless q_pos0 or q_pos says
    otherwise."""

    def __init__(self, q, spans=(), cache=None, lse=False, retrieve=None, **fields):
        heads, d_k, d_v, n_kv = self._keys(spans, cache)
        address = _array("q", q, "float32", [None, None, d_k], rows=True)
        if fields.get("q_far") is not None and fields["q_far"].strides != q.strides:
            raise ValueError(f"q_far: its strides are q's, {q.strides}")
        self.out = np.empty((*q.shape[:2], d_v), np.float32)
        self.lse = np.empty(q.shape[:2], np.float32) if lse or "mass" in fields else None
        self._cache, self._n_kv, self._progress = cache, n_kv, _progress_of(fields)
        self._par = fields.get("par")
        self._last = "q_pos" not in fields and "q_pos0" not in fields
        dims = {"n_head_kv": heads, "n_kv": n_kv, "d_k": d_k, "n_list": len(fields.get("list", []))}
        if fields.get("list") is not None:
            fields = self._list(dict(fields), len(q))
        own = {} if cache else {"n_head_kv": heads, "d_k": d_k, "d_v": d_v}
        self.desc = d = describe(api.Attn, fields, dims, n_q=q.shape[0], n_head=q.shape[1],
                                 q_token=q.strides[0], q_head=q.strides[1], **own)
        d.q, d.out = address, self.out.ctypes.data
        d.lse = self.lse.ctypes.data if self.lse is not None else None
        d.held += [q, spans]
        if spans:
            d.spans, d.n_spans = (api.Span * len(spans))(*spans), len(spans)
        self._retrieve = retrieve and describe(api.Retrieve, retrieve, {
            "n_head_kv": heads, "info.n_block": cache.info.n_block})
        self._scratch = np.empty(0, np.uint8)

    @staticmethod
    def _list(fields, n_q):
        """Of a list of blocks, which has its sizes and a row for each query."""
        blocks, first = fields["list"], fields.get("list_first", 0)
        _array("lctx_attn.list", blocks, "int32", [None] * 3)
        rows = (first + n_q - 1) // fields["list_queries"] + 1 if fields.get("list_queries") else 1
        if first < 0 or n_q and len(blocks) < rows:
            raise ValueError(f"lctx_attn.list: {len(blocks)} rows for queries of {rows}")
        fields.update(list_heads=blocks.shape[1], list_len=blocks.shape[2])
        return fields

    @staticmethod
    def _keys(spans, cache):
        if cache:
            d = cache.desc
            return d.n_head_kv, d.d_k, d.d_v or d.d_k, cache.info.n_held
        if not spans:
            raise ValueError("spans: at least one is wanted")
        for s in spans[1:]:
            if s.shape[1:] != spans[0].shape[1:]:
                raise ValueError(f"spans: heads and dimensions {s.shape[1:]} beside "
                                 f"{spans[0].shape[1:]}")
        return (*spans[0].shape[1:], sum(s.shape[0] for s in spans))

    def __call__(self):
        by_key = self.desc.bias or self.desc.mass or self.desc.mask_bits or \
            self._retrieve and self._retrieve.read
        if self._cache and by_key and self._cache.info.n_held != self._n_kv:
            raise ValueError("bias, mask, mass and read are of the keys that the cache held before")
        if self._last:
            end = self._cache.info.n if self._cache else self._n_kv
            self.desc.q_pos0 = end - self.desc.n_q
        par = self._par._lend() if isinstance(self._par, Threads) else nullcontext()
        with par, (self._cache._use() if self._cache else nullcontext()) as handle:
            what, before, more = "attend", (), ()
            if self._cache:
                what, before = "cache_attend", (handle,)
            if self._retrieve:
                what, more = "cache_retrieve", (self._retrieve,)
            size = c.c_size_t()
            refused = [self.desc.report, *(r.report for r in more)]
            _call(f"lctx_{what}_size", *before, self.desc, *more, c.byref(size), refused=refused)
            if size.value > len(self._scratch):
                self._scratch = np.empty(size.value, np.uint8)
            with _watched(self._progress):
                _call(f"lctx_{what}", *before, self.desc, *more, self._scratch.ctypes.data, size,
                      refused=refused)
        return self.out if self.lse is None else (self.out, self.lse)


def attend(q, k, v, **fields):
    """Attention of q [n_q][n_head][d] over k and v [n][n_head_kv][d] (see span); causal, queries
    last, unless said otherwise. lse=True gives (out, lse)."""
    scales = {f: fields.pop(f) for f in ("k_scale", "v_scale") if f in fields}
    return Attention(q, [span(k, v, **scales)], **fields)()


# ---------------------------------------------------------------- beside it: recurrences
def recur(q, k, v, state=None, decay=None, **fields):
    """States in place of keys: q, k [n][n_head_k][d_k], v [n][n_head][d_v]; y and the new state
    [n_head][d_k][d_v]. decay is [n][n_head], with d_k or d_v behind it, as decay_kind says."""
    _array("v", v, "float32", [len(q), None, None])
    n, n_head, d_v = v.shape
    _array("q", q, "float32", [n, None, None])
    _, n_head_k, d_k = q.shape
    y = np.empty(v.shape, np.float32)
    state = np.zeros((n_head, d_k, d_v), np.float32) if state is None else state.copy()
    arrays = dict(q=q, k=k, v=v, y=y, state=state)
    r = describe(api.Recurrence, {**fields, **arrays}, n=n, n_head=n_head, n_head_k=n_head_k,
                 d_k=d_k, d_v=d_v)
    if decay is not None:
        more = {Decay.DIM: [d_k], Decay.ELEMENT: [d_v]}.get(r.decay_kind, [])
        r.decay = _array("decay", decay, "float32", [n, n_head, *more])
    size = c.c_size_t()
    _call("lctx_recur_size", r, c.byref(size), refused=r.report)
    scratch = np.empty(size.value, np.uint8)
    _call("lctx_recur", r, scratch.ctypes.data, size, refused=r.report)
    return y, state


def convolve(x, weight, bias=None, state=None, silu=False):
    """The causal convolution of x [n][n_channel] with weight [n_channel][taps]; y, and the last
    inputs [taps - 1][n_channel]."""
    _array("x", x, "float32", [None, None])
    _array("weight", weight, "float32", [x.shape[1], None])
    y, taps = np.empty(x.shape, np.float32), weight.shape[1]
    zeros = (max(taps - 1, 0), x.shape[1])
    state = np.zeros(zeros, np.float32) if state is None else state.copy()
    fields = dict(x=x, weight=weight, bias=bias, y=y, state=state, silu=int(silu))
    r = describe(api.Convolution, fields, n=len(x), n_channel=x.shape[1], taps=taps)
    _call("lctx_convolve", r, refused=r.report)
    return y, state


# ---------------------------------------------------------------- floor 3: the cache
class Cache(_Saved):
    """Keys and values of one sequence in one layer, float16 unless k_type and v_type say so."""

    def __init__(self, n_head_kv, d_k, **fields):
        fields = {"k_type": Type.F16, "v_type": Type.F16, **fields}
        fields.update(n_head_kv=n_head_kv, d_k=d_k)
        self.desc, *rest = _create("cache", api.CacheDesc, fields)
        super().__init__("cache", *rest)

    def append(self, k, v=None):
        """float32 rows [n][n_head_kv][d], keys rotated already; without v if the cache is latent"""
        d = self.desc
        _array("k", k, "float32", [None, d.n_head_kv, d.d_k], rows=True)
        rows = describe(api.Rows, {}, n=len(k), k_token=k.strides[0], k_head=k.strides[1])
        rows.k = k.ctypes.data
        if v is not None or not d.latent:
            _array("v", v, "float32", [len(k), d.n_head_kv, d.d_v or d.d_k], rows=True)
            rows.v, rows.v_token, rows.v_head = v.ctypes.data, v.strides[0], v.strides[1]
        with self._use() as handle:
            _call("lctx_cache_append", handle, rows, refused=rows.report)

    def attend(self, q, **fields):
        """Attention of q over the cache; queries are the last that were appended. With retrieve,
        lctx_retrieve's fields as a dict, few blocks are read."""
        return Attention(q, cache=self, **fields)()

    def far_pos(self, pos):
        with self._use() as handle:
            return _lib.lctx_cache_far_pos(handle, pos)

    def select(self, **fields):
        """Keeps the tokens of the greatest mass [n_head_kv][info.n_held]; lctx_select's fields."""
        dims = {"n_head_kv": self.desc.n_head_kv, "info.n_held": self.info.n_held}
        select = describe(api.Select, fields, dims)
        with self._use() as handle:
            _call("lctx_cache_select", handle, select, refused=select.report)

    def drop(self, first, end):
        """Drops the tokens at positions first .. end-1."""
        with self._use() as handle:
            _call("lctx_cache_drop", handle, _number("first", c.c_int64, first),
                  _number("end", c.c_int64, end))

    def begin(self, pos):
        """Lets an empty cache begin at a position."""
        with self._use() as handle:
            _call("lctx_cache_begin", handle, _number("pos", c.c_int64, pos))

    def join(self, other):
        """Appends what another cache holds, which begins where this one ends."""
        with self._use() as handle, other._use() as its:
            _call("lctx_cache_join", handle, its)


# ---------------------------------------------------------------- floor 4: the model
class Model:
    """Weights: arrays, by the names of lctx_layer's and lctx_model's tensors; int8 as a pair with
    its scales. layers is a list of dicts; numbers (n_head, d_ff, ...) and a Rope as keywords."""

    def __init__(self, layers, **fields):
        dims = {"n_layer": len(layers), **fields}
        if not dims.get("head_dim") and dims.get("n_head"):
            dims["head_dim"] = dims.get("d_model", 0) // dims["n_head"]
        numbers = [{k: v for k, v in layer.items() if isinstance(v, int)} for layer in layers]
        rows = [describe(api.Layer, layer, {**dims, **own}) for layer, own in zip(layers, numbers)]
        self.desc = describe(api.Model, fields, dims, n_layer=len(layers))
        self.desc.layers = (api.Layer * len(rows))(*rows)
        self.desc.held.append(rows)
        _call("lctx_model_check", self.desc, refused=self.desc.report)


class Session(_Saved):
    """One sequence over a model, whose caches are float16 unless k_type and v_type say so."""

    def __init__(self, model, **fields):
        fields = {"k_type": Type.F16, "v_type": Type.F16, **fields}
        self.model, self._progress = model, _progress_of(fields)
        self.desc, *rest = _create("session", api.SessionDesc, fields, model.desc)
        super().__init__("session", *rest)

    def feed(self, tokens, logits="last"):
        """Feeds tokens (int32, or any list of numbers); returns the logits after the "last"
        [n_vocab], after "all" [n][n_vocab], or None."""
        which = {"last": 0, "all": 1, None: 2}.get(logits)
        if which is None:
            raise ValueError(f"logits: 'last', 'all' or None is wanted, not {logits!r}")
        if not isinstance(tokens, np.ndarray):
            tokens = np.array([_number("tokens", c.c_int32, t) for t in tokens], np.int32)
        _array("tokens", tokens, "int32", [None])
        n_vocab = self.model.desc.n_vocab
        out = [lambda: np.empty(n_vocab, np.float32),
               lambda: np.empty((len(tokens), n_vocab), np.float32), lambda: None][which]()
        with self._use() as handle, _watched(self._progress):
            status = _lib.lctx_session_feed(handle, tokens.ctypes.data, len(tokens), which,
                                            None if out is None else out.ctypes.data)
            if status:
                info = api.SessionInfo()
                _lib.lctx_session_get_info(handle, info)
                _refuse(Status(status), info.refused)
        return out

    def generate(self, tokens, n, pick=np.argmax, stop=()):
        """Feeds a prompt and yields up to n tokens after it, each picked from the logits and fed
        when the next is asked for; one of `stop` ends the text and is not given."""
        for _ in range(n):
            token = int(pick(self.feed(tokens)))
            if token in stop:
                return
            yield token
            tokens = [token]


def feed_many(sessions, tokens):
    """Feeds sessions over one model a list of tokens each, weights being read once for all; the
    logits after the last of each, [n_session][n_vocab]."""
    lists = [np.array([_number("tokens", c.c_int32, t) for t in row], np.int32) for row in tokens]
    if not sessions or len(lists) != len(sessions):
        raise ValueError(f"tokens: {len(lists)} lists for {len(sessions)} sessions")
    out = np.empty((len(sessions), sessions[0].model.desc.n_vocab), np.float32)
    with ExitStack() as used:
        handles = [used.enter_context(s._use()) for s in sessions]
        status = _lib.lctx_session_feed_many(
            (c.c_void_p * len(lists))(*(c.cast(h, c.c_void_p).value for h in handles)), len(lists),
            (c.c_void_p * len(lists))(*(row.ctypes.data for row in lists)),
            (c.c_int64 * len(lists))(*map(len, lists)), 0, out.ctypes.data)
        infos = [api.SessionInfo() for _ in sessions]
        for handle, info in zip(handles, infos):
            _lib.lctx_session_get_info(handle, info)
    if status:
        _refuse(Status(status), [info.refused for info in infos])
    return out
