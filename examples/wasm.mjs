// Demonstrates the library in JavaScript, as WebAssembly: version and struct sizes checked at load
// time, and attention on typed arrays, compared with the same in plain JavaScript, in double.
//
// `make wasm` builds build/lctx.wasm; --lib PATH names another. All but the reading of that file
// and the command line runs in a browser as well.
// Exit codes: 0 ok, 1 usage, 2 the library is missing or does not fit, 3 a result is wrong.
import { readFileSync } from 'node:fs';

const VERSION = 0x000100;

// Fields of the structs with their types: p pointer or size_t, i int32, l int64, f float.
const SPAN = ['lctx_span', {
    k: 'p', v: 'p', k_type: 'i', v_type: 'i', layout: 'i', skip: 'i', n: 'l', pos: 'l', index: 'l',
    query: 'i', group: 'i', k_token: 'l', k_head: 'l', v_token: 'l', v_head: 'l', k_scale: 'p',
    v_scale: 'p', k_scale_token: 'l', k_scale_head: 'l', v_scale_token: 'l', v_scale_head: 'l',
    k_pos: 'p', k_pos_head: 'l',
}];
const ATTN = ['lctx_attn', {
    n_q: 'l', n_head: 'i', n_head_kv: 'i', d_k: 'i', d_v: 'i', q: 'p', q_far: 'p', q_token: 'l',
    q_head: 'l', q_pos: 'p', q_pos0: 'l', q_group: 'p', rope: 'p', far_rule: 'p', far_pos: 'l',
    spans: 'p', n_spans: 'l', out: 'p', out_token: 'l', out_head: 'l', lse: 'p', lse_token: 'l',
    scale: 'f', softcap: 'f', mask: 'i', n_sink: 'i', window: 'l', window_right: 'l', pattern: 'p',
    list: 'p', list_len: 'l', list_queries: 'l', list_first: 'l', list_heads: 'i', list_keys: 'i',
    mask_bits: 'p', mask_head: 'l', mask_query: 'l', alibi: 'p', sink_logit: 'p', bias: 'p', bias_head: 'l', bias_query: 'l', precise: 'i', reserved: 'i',
    mass: 'p', mass_head: 'l', mass_queries: 'l', par: 'p', progress: 'p', progress_user: 'p',
    refused: 'p',
}];
const BYTES = { p: 4, i: 4, l: 8, f: 4 };
const PUT = {
    p: (view, at, x) => view.setUint32(at, x, true),
    i: (view, at, x) => view.setInt32(at, x, true),
    l: (view, at, x) => view.setBigInt64(at, BigInt(x), true),
    f: (view, at, x) => view.setFloat32(at, x, true),
};

// Where each field stands, and the size of all, as C on wasm32 lays them out.
function layout(fields) {
    const at = {};
    let end = 0;
    for (const [name, type] of Object.entries(fields)) {
        at[name] = Math.ceil(end / BYTES[type]) * BYTES[type];
        end = at[name] + BYTES[type];
    }
    return { at, size: Math.ceil(end / 8) * 8 };
}

// The module with its memory. Views of that memory end when it grows, so they are made afresh.
class Library {
    constructor(bytes) {
        const wasi = {    // all that the C library asks for: an environment, empty here
            environ_sizes_get: (n, size) => (PUT.p(this.view, n, 0), PUT.p(this.view, size, 0), 0),
            environ_get: () => 0,
            proc_exit: (code) => { throw new Error(`exit ${code}`); },
        };
        const module = new WebAssembly.Module(bytes);
        this.c = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi }).exports;
        this.c._initialize();
        if (this.c.lctx_version() !== VERSION) throw new Error('another version of the library');
        for (const [name, fields] of [SPAN, ATTN]) {
            const word = this.put(new TextEncoder().encode(`${name}\0`));
            const theirs = this.c.lctx_sizeof(word), ours = layout(fields).size;
            this.c.free(word);
            if (theirs !== ours) throw new Error(`${name} has ${theirs} bytes, ${ours} here`);
        }
    }
    get view() { return new DataView(this.c.memory.buffer); }
    alloc(size) {
        const at = this.c.malloc(size);
        if (!at) throw new Error('no memory');
        return at;
    }
    put(array) {
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
        const at = this.alloc(bytes.length);
        new Uint8Array(this.c.memory.buffer).set(bytes, at);
        return at;
    }
    struct([, fields], values) {
        const { at, size } = layout(fields), all = this.put(new Uint8Array(size));
        for (const [name, x] of Object.entries(values))
            PUT[fields[name]](this.view, all + at[name], x);
        return all;
    }
    text(at) {
        const bytes = new Uint8Array(this.c.memory.buffer, at);
        return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
    }
    check(status) { if (status) throw new Error(this.text(this.c.lctx_status_text(status))); }
}

// Causal attention of the last n_q tokens: q [n_q][n_head][dim], k and v [n][n_head_kv][dim].
function attend(lib, q, k, v, { n_q, n_head, n_head_kv, dim }) {
    const n = k.length / (n_head_kv * dim), held = [];
    const keep = (at) => (held.push(at), at);
    try {
        const span = keep(lib.struct(SPAN, { k: keep(lib.put(k)), v: keep(lib.put(v)), n }));
        const out = keep(lib.alloc(q.byteLength)), size = keep(lib.alloc(4));
        const attn = keep(lib.struct(ATTN, {
            n_q, n_head, n_head_kv, d_k: dim, q: keep(lib.put(q)), q_pos0: n - n_q, spans: span,
            n_spans: 1, out,
        }));
        lib.check(lib.c.lctx_attend_size(attn, size));
        const bytes = lib.view.getUint32(size, true);
        lib.check(lib.c.lctx_attend(attn, keep(lib.alloc(bytes)), bytes));
        return new Float32Array(lib.c.memory.buffer, out, q.length).slice();
    } finally {
        held.forEach((at) => lib.c.free(at));
    }
}

function plainAttend(q, k, v, { n_q, n_head, n_head_kv, dim }) {
    const n = k.length / (n_head_kv * dim), out = new Float64Array(q.length);
    for (let row = 0; row < n_q * n_head; row++) {
        const group = Math.floor(row % n_head / (n_head / n_head_kv));
        const seen = n - n_q + Math.floor(row / n_head) + 1;
        const starts = Array.from({ length: seen }, (_, j) => (j * n_head_kv + group) * dim);
        const query = q.subarray(row * dim, (row + 1) * dim);
        const dot = (at) => query.reduce((s, x, d) => s + x * k[at + d], 0);
        const scores = starts.map((at) => dot(at) / Math.sqrt(dim));
        const top = Math.max(...scores), p = scores.map((s) => Math.exp(s - top));
        const sum = p.reduce((a, b) => a + b);
        for (let d = 0; d < dim; d++)
            out[row * dim + d] = starts.reduce((s, at, j) => s + p[j] * v[at + d], 0) / sum;
    }
    return out;
}

function main(args) {
    const fail = (code, text) => (console.error(`wasm.mjs: ${text}`), code);
    if (args.length && (args.length !== 2 || args[0] !== '--lib'))
        return fail(1, 'usage: wasm.mjs [--lib PATH]');
    let lib, seed = 1;
    try {
        lib = new Library(readFileSync(args[1] ?? new URL('../build/lctx.wasm', import.meta.url)));
    } catch (error) {
        return fail(2, `${error.message} (make wasm builds it)`);
    }
    const noise = () => (seed = Math.imul(seed, 1664525) + 1013904223 | 0) / 2 ** 31;
    const array = (n) => Float32Array.from({ length: n }, noise);
    const shape = { n_q: 3, n_head: 4, n_head_kv: 2, dim: 20 };
    const q = array(3 * 4 * 20), k = array(1000 * 2 * 20), v = array(1000 * 2 * 20);
    const ours = attend(lib, q, k, v, shape), plain = plainAttend(q, k, v, shape);
    const worst = ours.reduce((most, x, i) => Math.max(most, Math.abs(x - plain[i])), 0);
    const isa = lib.text(lib.c.lctx_isa_name(lib.c.lctx_isa_get()));
    console.log(`3 queries over 1000 tokens (${isa}): largest difference to plain JavaScript `
        + worst.toExponential(1));
    if (!(worst < 1e-6)) return fail(3, 'a result is wrong');
    console.log('ok');
    return 0;
}

process.exitCode = main(process.argv.slice(2));
