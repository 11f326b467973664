// lctx from JavaScript under node, by koffi, on typed arrays with shapes:
//
//     import * as lctx from './lctx.mjs';
//     const q = lctx.tensor(floats, [n_q, n_head, d]);
//     const { out } = lctx.attend(q, k, v);      // k and v [n][n_head_kv][d]; out a Float32Array
//     const session = new lctx.Session(model);
//     try { for (const token of session.generate(prompt, 100)) ... } finally { session.close(); }
//
// Fields of the header's descriptors are an object's, and what is left out is their default. What
// the library refuses is thrown as an LctxError with the status's name and the place; arrays are
// checked for type and shape before. Objects are closed by close(), and by `using` where there is
// one.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as api from './lctx_api.mjs';
import { checkLayouts, get, layouts, put } from './layout.mjs';

export {
    Activation, Decay, FarKind, Isa, Mask, MixerKind, PatternKind, Policy, RopePairing,
    RopeScheme, Routing, Status, Type,
} from './lctx_api.mjs';

const koffi = createRequire(import.meta.url)('koffi');    // of node_modules, or NODE_PATH's
const STRUCTS = layouts(8);
const STATUS_NAMES = Object.fromEntries(Object.entries(api.Status).map(([name, x]) => [x, name]));

// The library is missing, or is not of the version and layout that this module has.
export class LibraryError extends Error {
    get name() { return 'LibraryError'; }
}

// A call was refused; status is its name, E_TYPE, the message also says where.
export class LctxError extends Error {
    constructor(status, text) {
        super(`${STATUS_NAMES[status]}: ${text}`);
        this.status = STATUS_NAMES[status];
    }
    get name() { return 'LctxError'; }
}

// ---------------------------------------------------------------- the library
let lib = null;
const prototypes = Object.fromEntries(Object.entries(api.callbacks).map(
    ([name, text]) => [name, koffi.pointer(koffi.proto(text))]));
const dotted = (v) => `${v >> 16}.${v >> 8 & 255}.${v & 255}`;

function find() {
    const built = fileURLToPath(new URL('../../build/liblctx.so', import.meta.url));
    return process.env.LCTX_LIBRARY || (existsSync(built) ? built : 'liblctx.so');
}

// Opens the library by its path, or else LCTX_LIBRARY's, build/liblctx.so, or the system's; later
// calls go to it. Without a call the first use does so.
export function load(path = find()) {
    const c = {};
    try {
        const file = koffi.load(path);
        c.lctx_offsetof = file.func('lctx_offsetof', 'size_t', ['const char *']);
        for (const [name, [result, ...types]] of Object.entries(api.functions)) {
            c[name] = file.func(name, result, types);
        }
        if (c.lctx_version() !== api.VERSION) {
            throw new Error(`it is of version ${dotted(c.lctx_version())}, this module of `
                + dotted(api.VERSION));
        }
        checkLayouts(STRUCTS, c.lctx_sizeof, c.lctx_offsetof);
    } catch (error) {
        throw new LibraryError(`${path}: ${error.message} (make lib builds it)`);
    }
    return lib = c;
}
const library = () => lib ?? load();

function refuse(status, refused) {
    if (refused?.get('status') !== status)
        throw new LctxError(status, lib.lctx_status_text(status));
    const text = Buffer.alloc(300);
    lib.lctx_refusal_text(refused.bytes, text, text.length);
    throw new LctxError(status, text.toString('latin1', 0, text.indexOf(0)));
}

// Calls a function that returns a status; desc has the report.
function call(name, desc, ...args) {
    const status = library()[name](...args.map((a) => (a instanceof Struct ? a.bytes : a)));
    if (status) refuse(status, desc?.refused);
}

export const isa = () => library().lctx_isa_name(library().lctx_isa_get());

// ---------------------------------------------------------------- arrays and descriptors
const ELEMENTS = {
    float: Float32Array, double: Float64Array, int32_t: Int32Array, int64_t: BigInt64Array,
    uint64_t: BigUint64Array, uint8_t: Uint8Array,
};
const TYPES = [
    [Float32Array, 'F32'], [Int8Array, 'I8'], [Uint16Array, 'F16'], [Uint16Array, 'BF16'],
];

const brackets = (shape) => shape.map((n) => `[${n ?? 'n'}]`).join('');

// A packed array with a shape; bits in a Uint16Array are 'f16' unless `type` says 'bf16'. scale: of
// an Int8Array, a Float32Array with one for each row.
export function tensor(data, shape, { type = 'f16', scale } = {}) {
    const found = TYPES.find(([kind, name]) => data instanceof kind
        && (kind !== Uint16Array || name === type.toUpperCase()));
    if (!found) {
        throw new TypeError('tensor: a Float32Array, an Int8Array or a Uint16Array of f16 or bf16 '
            + `is wanted, not ${data?.constructor?.name} (${type})`);
    }
    const size = shape.reduce((a, b) => a * b, 1);
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0))
        throw new RangeError(`tensor: ${brackets(shape)} is no shape`);
    if (size !== data.length)
        throw new RangeError(`tensor: ${brackets(shape)} has ${size} elements, not ${data.length}`);
    if (data instanceof Int8Array) {
        const rows = size / (shape.at(-1) || 1);
        if (!(scale instanceof Float32Array) || scale.length !== rows)
            throw new TypeError(`tensor: a Float32Array of ${rows} scales is wanted with int8`);
    }
    return { data, shape, scale, type: api.Type[found[1]] };
}

function checkTensor(name, t, shape, types) {
    if (!t?.shape || !ArrayBuffer.isView(t.data))
        throw new TypeError(`${name}: a tensor is wanted, not ${t?.constructor?.name ?? t}`);
    if (types && !types.includes(t.type)) throw new TypeError(`${name}: float32 is wanted`);
    if (t.shape.length !== shape.length || shape.some((n, i) => n !== null && n !== t.shape[i])) {
        throw new RangeError(`${name}: the shape ${brackets(shape)} is wanted, not `
            + brackets(t.shape));
    }
    return t.data;
}

// The numbers of a shape "n_expert? n_head*head_dim n_kv/64 taps-1"; null is not known.
function sizes(shape, dims) {
    return shape.split(' ').filter((word) => !word.endsWith('?') || dims[word.slice(0, -1)])
        .map((word) => {
            const [, terms, by, less] = word.match(/^([\w.*+]+)(?:\/(\d+)|-(\d+))?/);
            const product = (term) => term.split('*').reduce(
                (a, part) => a * Number(/^\d+$/.test(part) ? part : dims[part] ?? NaN), 1);
            const n = terms.split('+').reduce((a, term) => a + product(term), 0);
            return Number.isNaN(n) ? null : Math.max(Math.ceil(n / (by ?? 1)) - (less ?? 0), 0);
        });
}

// A struct of the library's, with what it points to.
class Struct {
    constructor(name, fields = {}, dims = {}) {
        this.name = name;
        this.layout = STRUCTS[name];
        this.bytes = new Uint8Array(new ArrayBuffer(this.layout.size));
        this.view = new DataView(this.bytes.buffer);
        this.held = [];
        if (this.layout.fields.refused?.type.endsWith('*')) {
            this.refused = new Struct('lctx_refusal');
            this.point('refused', this.refused.bytes);
        }
        this.dims = { ...dims };
        for (const [field, value] of Object.entries(fields))
            if (typeof value === 'number') this.dims[field] = value;
        for (const [field, value] of Object.entries(fields))
            if (value !== undefined && value !== null) this.set(field, value);
    }
    get(field, i = 0) { return get(this.view, 0, this.layout.fields[field], i); }
    // Points a field to bytes, which are held.
    point(field, array) {
        this.held.push(array);
        put(this.view, 0, this.layout.fields[field], array.byteLength ? koffi.address(array) : 0n);
    }
    set(field, value) {
        const to = this.layout.fields[field], where = `${this.name}.${field}`;
        if (!to) throw new TypeError(`${this.name} has no field '${field}'`);
        if (api.raw.has(where)) throw new TypeError(`${where} follows from the arrays`);
        if (to.type === 'lctx_tensor') this.setTensor(where, to, value);
        else if (!to.type.endsWith('*')) put(this.view, 0, to, this.number(where, to, value));
        else if (value instanceof Owned) this.set(field, value.hook());
        else if (value instanceof Rope) this.set(field, value.schedule);
        else if (value instanceof Struct) this.held.push(value), this.point(field, value.bytes);
        else if (value instanceof Callback) put(this.view, 0, to, value.address);
        else if (to.type !== 'void *' && value.constructor === Object) {
            const { d_model } = this.dims, { kind, n_head, d_v } = value;
            const n_norm = kind === api.MixerKind.MAMBA2 ? n_head * d_v : d_v;    // a mixer's
            this.set(field, new Struct(to.type.slice(0, -2), value, { d_model, n_norm }));
        }
        else this.point(field, this.array(where, value));
    }
    number(where, to, value) {
        const bits = { int32_t: 32, int64_t: 64 }[to.type];
        const real = to.type === 'float' || to.type === 'double';
        if (typeof value !== 'number' && typeof value !== 'bigint')
            throw new TypeError(`${where}: a number is wanted, not ${value}`);
        if (real) return Number(value);
        if (typeof value === 'number' && !Number.isSafeInteger(value))
            throw new RangeError(`${where}: ${value} is no whole number`);
        if (bits && BigInt.asIntN(bits, BigInt(value)) !== BigInt(value))
            throw new RangeError(`${where}: ${value} is no int${bits}`);
        return to.type.endsWith('64_t') ? BigInt(value) : Number(value);
    }
    array(where, value) {
        const [element, shape] = api.arrays[where] ?? [];
        if (!shape) throw new TypeError(`${where} takes no array`);
        const data = value?.data ?? value, kind = ELEMENTS[element];
        if (!(data instanceof kind)) {
            throw new TypeError(`${where}: a ${kind.name} is wanted, not `
                + (data?.constructor?.name ?? data));
        }
        const wanted = sizes(shape, this.dims);
        if (wanted.includes(null))
            throw new TypeError(`${where}: ${brackets(wanted)} is not known`);
        if (data.length !== wanted.reduce((a, b) => a * b, 1)) {
            throw new RangeError(`${where}: ${brackets(wanted)} elements are wanted, not `
                + data.length);
        }
        return data;
    }
    setTensor(where, to, t) {
        const inner = STRUCTS.lctx_tensor.fields;
        const data = checkTensor(where, t, sizes(api.arrays[where][1], this.dims));
        this.held.push(data, t.scale);
        put(this.view, to.at, inner.data, koffi.address(data));
        put(this.view, to.at, inner.type, t.type);
        if (t.scale) put(this.view, to.at, inner.scale, koffi.address(t.scale));
    }
}

// Structs side by side, as the library takes lists of them.
function list(structs) {
    const size = structs[0].bytes.length;
    const all = new Uint8Array(new ArrayBuffer(size * structs.length));
    structs.forEach((s, i) => all.set(s.bytes, i * size));
    return all;
}

// ---------------------------------------------------------------- objects
// A function that the library calls. What it throws ends the call, which throws it.
class Callback {
    constructor(type, call) {
        this.error = null;
        this.users = 1;                 // forks share theirs
        this.address = koffi.register((...args) => {
            try {
                return call(...args) ? 1 : 0;
            } catch (error) {
                this.error = error;
                return 1;
            }
        }, prototypes[type]);
    }
    close() {
        if (--this.users === 0) koffi.unregister(this.address);
    }
    // Runs what calls it; its error comes first.
    watch(run) {
        this.error = null;
        try {
            return run();
        } catch (error) {
            throw this.error ?? error;
        }
    }
}

const progressOf = (told) => told && new Callback('lctx_progress',
    (user, done, total) => told(Number(done), Number(total)));

// Something of the library's: closed once, not within its own calls, and not while what was made
// with it is open.
class Owned {
    constructor(kind, handle, held = [], fields = {}) {
        const uses = Object.values(fields).filter(
            (x) => x instanceof Owned || x instanceof Callback);
        Object.assign(this, { kind, handle, held, uses, busy: false, users: 0 });
        uses.forEach((other) => { if (other instanceof Owned) other.users += 1; });
    }
    // Calls run(handle) with it in use.
    use(run) {
        if (this.busy) throw new Error(`the ${this.kind} is in use by another call`);
        if (this.handle === null) throw new Error(`the ${this.kind} is closed`);
        this.busy = true;
        try {
            return run(this.handle);
        } finally {
            this.busy = false;
        }
    }
    close() {
        if (this.handle === null) return;
        if (this.users)
            throw new Error(`the ${this.kind} is in use by ${this.users} that are open`);
        this.use((handle) => lib[`lctx_${this.kind}_free`](handle));
        this.handle = null;
        for (const other of this.uses) {
            if (other instanceof Callback) other.close();
            else other.users -= 1;
        }
    }
    [Symbol.dispose ?? Symbol.for('dispose')]() { this.close(); }
}

// What a constructor hands to Owned's: an object made by a descriptor, which may use Threads, a
// Pool and a Callback.
function create(kind, fields, ...before) {
    const desc = new Struct(`lctx_${kind}_desc`, fields), handle = new BigUint64Array(1);
    call(`lctx_${kind}_create`, desc, ...before, desc, handle);
    return [kind, handle[0], [desc], fields];
}

// Threads of the library's own; 0 is one a processor. { par: threads } lends them.
export class Threads extends Owned {
    constructor(n_threads = 0) { super(...create('threads', { n_threads })); }
    hook() {
        const par = new Struct('lctx_parallel');
        this.use((handle) => call('lctx_threads_parallel', null, handle, par));
        return par;
    }
}

// Memory of at most max_bytes for many caches and sessions: { alloc: pool }.
export class Pool extends Owned {
    constructor(max_bytes = 0) { super(...create('pool', { max_bytes })); }
    hook() {
        const alloc = new Struct('lctx_allocator');
        this.use((handle) => call('lctx_pool_allocator', null, handle, alloc));
        return alloc;
    }
    get info() { return info(this, 'lctx_pool_info'); }
}

function info(object, name) {
    const s = new Struct(name);
    object.use((handle) => call(`lctx_${object.kind}_get_info`, null, handle, s));
    const numbers = Object.keys(s.layout.fields).filter(
        (f) => !(s.layout.fields[f].type in STRUCTS));
    return Object.fromEntries(numbers.map((f) => [f, Number(s.get(f))]));
}

// What caches and sessions have in common.
class Saved extends Owned {
    get info() { return info(this, `lctx_${this.kind}_info`); }
    // Forgets the tokens n and after.
    rewind(n) {
        if (!Number.isSafeInteger(n)) throw new RangeError(`rewind: ${n} is no whole number`);
        this.use((handle) => call(`lctx_${this.kind}_rewind`, null, handle, n));
    }
    // A second one with the same contents.
    fork() {
        const handle = new BigUint64Array(1), other = Object.create(this.constructor.prototype);
        this.use((mine) => call(`lctx_${this.kind}_fork`, null, mine, handle));
        this.uses.forEach((used) => { used.users += 1; });
        return Object.assign(other, this, { handle: handle[0], busy: false, users: 0 });
    }
    // Its contents as bytes, for restore.
    save() {
        const parts = [];
        const write = new Callback('lctx_write', (user, data, n) => {
            parts.push(Buffer.from(koffi.view(data, Number(n)).slice(0)));
        });
        try {
            write.watch(() => this.use((handle) => call(
                `lctx_${this.kind}_save`, null, handle, write.address, null)));
        } finally {
            write.close();
        }
        return Buffer.concat(parts);
    }
    // Replaces its contents by what one of the same description saved.
    restore(saved) {
        let at = 0;
        const read = new Callback('lctx_read', (user, data, n) => {
            const piece = saved.subarray(at, at += Number(n));
            if (piece.length) new Uint8Array(koffi.view(data, piece.length)).set(piece);
            return piece.length !== Number(n);
        });
        try {
            read.watch(() => this.use((handle) => call(
                `lctx_${this.kind}_restore`, null, handle, read.address, null)));
        } finally {
            read.close();
        }
    }
}

// ---------------------------------------------------------------- floor 1: RoPE
// A schedule: new Rope(128, { scheme: RopeScheme.YARN, factor: 4, orig_ctx: 4096 })
export class Rope {
    constructor(n_rot, fields = {}) {
        const desc = new Struct('lctx_rope_desc', { ...fields, n_rot });
        this.schedule = new Struct('lctx_rope');
        call('lctx_rope_init', desc, this.schedule, desc);
    }
    get attn_factor() { return this.schedule.get('attn_factor'); }
    get freq() {
        return Float64Array.from({ length: this.schedule.get('n_rot') / 2 },
            (_, i) => this.schedule.get('freq', i));
    }
    // x [n_tok][n_head][head_dim] of float32 rotated to positions pos0 and after, or { pos }
    apply(x, pos0 = 0, fields = {}) {
        checkTensor('x', x, [null, null, null], [api.Type.F32]);
        const [n_tok, n_head, head_dim] = x.shape, out = new Float32Array(x.data.length);
        const job = new Struct('lctx_rope_job', { ...fields, n_tok, n_head, head_dim, pos0 });
        job.point('x', x.data), job.point('out', out);
        call('lctx_rope_apply', job, this.schedule, job);
        return tensor(out, x.shape);
    }
}

// ---------------------------------------------------------------- floor 2: attention
// Keys and values: tensors [n][n_head_kv][d]
export function span(k, v, fields = {}) {
    checkTensor('k', k, [null, null, null]);
    checkTensor('v', v, [k.shape[0], k.shape[1], null]);
    const s = new Struct('lctx_span', {
        ...fields, n: k.shape[0], k_type: k.type, v_type: v.type,
    }, { n_head_kv: k.shape[1] });
    s.point('k', k.data), s.point('v', v.data);
    if (k.scale) s.point('k_scale', k.scale);
    if (v.scale) s.point('v_scale', v.scale);
    s.shape = [...k.shape, v.shape[2]];
    return s;
}

// One attention over spans or a cache, ready to be run() again and again, which costs less than
// attend: what its arrays and the cache hold may change in between. Causal queries are the last of
// all keys unless q_pos0 or q_pos says otherwise. The results are in `out` and, where it is asked
// for, in `lse`.
export class Attention {
    constructor(q, spans, fields = {}) {
        this.start(q, spans instanceof Cache ? { cache: spans } : { spans }, fields);
    }
    start(q, { spans = [], cache }, { lse, progress, ...fields }) {
        const [n_kv, n_head_kv, d_k, d_v] = cache ? cache.shape : Attention.keys(spans);
        checkTensor('q', q, [null, null, d_k], [api.Type.F32]);
        const [n_q, n_head] = q.shape;
        this.cache = cache, this.n_kv = n_kv, this.par = fields.par;
        this.out = tensor(new Float32Array(n_q * n_head * d_v), [n_q, n_head, d_v]);
        this.lse = lse || fields.mass
            ? tensor(new Float32Array(n_q * n_head), [n_q, n_head]) : null;
        this.progress = progressOf(progress);
        this.last = fields.q_pos0 === undefined && !fields.q_pos;
        if (fields.list) Attention.list(fields, n_q);
        const heads = cache ? {} : { n_head_kv, d_k, d_v };
        const dims = { n_kv, n_head_kv, d_k, d_v, n_list: fields.list?.shape[0] };
        const all = { ...fields, ...heads, n_q, n_head, progress: this.progress };
        this.desc = new Struct('lctx_attn', all, dims);
        this.desc.point('q', q.data), this.desc.point('out', this.out.data);
        if (this.lse) this.desc.point('lse', this.lse.data);
        if (spans.length) {
            this.desc.held.push(spans);
            this.desc.point('spans', list(spans));
            this.desc.set('n_spans', spans.length);
        }
        this.size = new BigUint64Array(1), this.scratch = new Uint8Array(0);
        return this;
    }
    static keys(spans) {
        if (!spans.length) throw new RangeError('spans: at least one is wanted');
        const first = spans[0].shape.slice(1);
        for (const s of spans) {
            if (`${s.shape.slice(1)}` !== `${first}`)
                throw new RangeError(`spans: heads of ${s.shape.slice(1)} beside ${first}`);
        }
        return [spans.reduce((n, s) => n + s.shape[0], 0), ...first];
    }
    // Of a list of blocks, which has its sizes and a row for each query.
    static list(fields, n_q) {
        const { list: blocks, list_first = 0, list_queries } = fields;
        if (blocks.shape?.length !== 3)
            throw new RangeError('lctx_attn.list: { data, shape: [n_list, list_heads, list_len] }');
        const rows = list_queries ? Math.floor((list_first + n_q - 1) / list_queries) + 1 : 1;
        if (list_first < 0 || (n_q && blocks.shape[0] < rows)) {
            throw new RangeError(`lctx_attn.list: ${blocks.shape[0]} rows for queries of ${rows}`);
        }
        const [n_list, list_heads, list_len] = blocks.shape;
        if (blocks.data.length !== n_list * list_heads * list_len)
            throw new RangeError(`lctx_attn.list: ${blocks.data.length} elements`);
        Object.assign(fields, { list_heads, list_len });
    }
    run() {
        const { desc, cache, par } = this, name = cache ? 'lctx_cache_attend' : 'lctx_attend';
        if (par instanceof Owned && par.handle === null)
            throw new Error(`the ${par.kind} is closed`);
        if (cache && cache.shape[0] !== this.n_kv && (desc.get('bias') || desc.get('mass')))
            throw new Error('bias and mass are of the keys that the cache held before');
        if (this.last) {
            const end = cache ? cache.info.n : this.n_kv;
            desc.set('q_pos0', end - Number(desc.get('n_q')));
        }
        const run = (...before) => {
            call(`${name}_size`, desc, ...before, desc, this.size);
            const bytes = Number(this.size[0]);
            if (bytes > this.scratch.length) this.scratch = new Uint8Array(bytes);
            call(name, desc, ...before, desc, this.scratch, bytes);
        };
        const watched = () => (cache ? cache.use(run) : run());
        if (par instanceof Owned) par.users += 1;
        try {
            if (this.progress) this.progress.watch(watched);
            else watched();
        } finally {
            if (par instanceof Owned) par.users -= 1;
        }
        return { out: this.out, lse: this.lse };
    }
    close() { this.progress?.close(); }
}

function attendOnce(q, keys, fields) {
    const attention = Object.create(Attention.prototype).start(q, keys, { ...fields });
    try {
        return attention.run();
    } finally {
        attention.close();
    }
}

// Attention of q [n_q][n_head][d] over tensors k and v [n][n_head_kv][d]; causal, queries last,
// unless said otherwise.
export const attend = (q, k, v, fields = {}) => attendOnce(q, { spans: [span(k, v)] }, fields);

// ---------------------------------------------------------------- floor 3: the cache
const half = { k_type: api.Type.F16, v_type: api.Type.F16 };

// Keys and values of one sequence in one layer, f16 unless k_type and v_type say so.
export class Cache extends Saved {
    constructor(n_head_kv, d_k, fields = {}) {
        const all = { ...half, ...fields, n_head_kv, d_k };
        super(...create('cache', all));
        this.heads = [n_head_kv, d_k, fields.d_v || d_k], this.latent = fields.latent;
    }
    // Float32 tensors [n][n_head_kv][d], keys rotated already; without v if the cache is latent
    append(k, v) {
        const [n_head_kv, d_k, d_v] = this.heads;
        checkTensor('k', k, [null, n_head_kv, d_k], [api.Type.F32]);
        if (v || !this.latent) checkTensor('v', v, [k.shape[0], n_head_kv, d_v], [api.Type.F32]);
        const rows = new Struct('lctx_rows', { n: k.shape[0] });
        rows.point('k', k.data);
        if (v) rows.point('v', v.data);
        this.use((handle) => call('lctx_cache_append', rows, handle, rows));
    }
    // Of queries that were appended last; fields are lctx_attn's.
    attend(q, fields = {}) { return attendOnce(q, { cache: this }, fields); }
    get shape() { return [this.info.n_held, ...this.heads]; }
    far_pos(pos) { return this.use((handle) => Number(lib.lctx_cache_far_pos(handle, pos))); }
}

// ---------------------------------------------------------------- floor 4: the model
// Weights: tensors by the names of lctx_layer's and lctx_model's; numbers (n_head, d_ff, ...) and a
// Rope as further fields. layers is a list of such objects.
export class Model {
    constructor(layers, fields) {
        const dims = { ...fields };
        if (!dims.head_dim && dims.n_head) dims.head_dim = Math.floor(dims.d_model / dims.n_head);
        delete dims.rope;
        const rows = layers.map((layer) => new Struct('lctx_layer', layer, dims));
        this.desc = new Struct('lctx_model', { ...fields, n_layer: layers.length }, dims);
        this.desc.held.push(rows);
        if (rows.length) this.desc.point('layers', list(rows));
        this.n_vocab = fields.n_vocab;
        call('lctx_model_check', this.desc, this.desc);
    }
}

// One sequence over a model, whose caches are f16 unless k_type and v_type say so.
export class Session extends Saved {
    constructor(model, { progress, ...fields } = {}) {
        const told = progressOf(progress);
        const all = { ...half, ...fields, ...(told && { progress: told }) };
        try {
            super(...create('session', all, model.desc));
        } catch (error) {
            told?.close();
            throw error;
        }
        Object.assign(this, { model, told });
    }
    // Feeds tokens (an Int32Array, or any list of numbers); gives the logits after the 'last',
    // after 'all', [n][n_vocab], or null.
    feed(tokens, logits = 'last') {
        const which = { last: 0, all: 1, none: 2 }[logits];
        if (which === undefined)
            throw new RangeError(`logits: 'last', 'all' or 'none' is wanted, not ${logits}`);
        const wrong = Array.from(tokens).find((t) => !Number.isInteger(t) || t !== (t | 0));
        if (wrong !== undefined) throw new RangeError(`tokens: ${wrong} is no int32`);
        const ids = Int32Array.from(tokens), rows = [1, ids.length, 0][which];
        const out = new Float32Array(rows * this.model.n_vocab);
        const run = () => this.use((handle) => {
            const status = lib.lctx_session_feed(handle, ids, ids.length, which, out);
            if (status) this.refuse(handle, status);
        });
        if (this.told) this.told.watch(run);
        else run();
        return which === 2 ? null : out;
    }
    refuse(handle, status) {
        const state = new Struct('lctx_session_info'), refused = new Struct('lctx_refusal');
        lib.lctx_session_get_info(handle, state.bytes);
        const { at } = state.layout.fields.refused;
        refused.bytes.set(state.bytes.subarray(at, at + refused.bytes.length));
        refuse(status, refused);
    }
    // Feeds a prompt and yields up to n tokens after it, each picked from the logits and fed when
    // the next is asked for; one of `stop` ends the text and is not given.
    * generate(tokens, n, { pick = likeliest, stop = [] } = {}) {
        for (let i = 0, next = tokens; i < n; i++) {
            const token = pick(this.feed(next));
            if (stop.includes(token)) return;
            yield token;
            next = [token];
        }
    }
}

export function likeliest(logits) {
    let best = 0;
    for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
    return best;
}
