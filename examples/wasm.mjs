// Demonstrates the library in JavaScript, as WebAssembly: version and structs checked at load time,
// and attention on typed arrays, compared with the same in plain JavaScript, in double.
//
// `make wasm` builds build/lctx.wasm; --lib PATH names another. All but the reading of that file
// and the command line runs in a browser as well.
// Exit codes: 0 ok, 1 usage, 2 the library is missing or does not fit, 3 a result is wrong.
import { readFileSync } from 'node:fs';
import { VERSION } from './node/lctx_api.mjs';
import { checkLayouts, layouts, put } from './node/layout.mjs';

const STRUCTS = layouts(4);

// The module with its memory. Views of that memory end when it grows, so they are made afresh.
class Library {
    constructor(bytes) {
        const wasi = {    // all that the C library asks for: an environment, empty here
            environ_sizes_get: (n, size) => {
                this.view.setUint32(n, 0, true);
                this.view.setUint32(size, 0, true);
                return 0;
            },
            environ_get: () => 0,
            proc_exit: (code) => { throw new Error(`exit ${code}`); },
        };
        const module = new WebAssembly.Module(bytes);
        this.c = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi }).exports;
        this.c._initialize();
        if (this.c.lctx_version() !== VERSION) throw new Error('another version of the library');
        checkLayouts(STRUCTS, (name) => this.ask(this.c.lctx_sizeof, name),
            (name) => this.ask(this.c.lctx_offsetof, name));
    }
    ask(call, name) {
        const word = this.put(new TextEncoder().encode(`${name}\0`)), answer = call(word);
        this.c.free(word);
        return answer;
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
    struct(name, values) {
        const { size, fields } = STRUCTS[name], all = this.put(new Uint8Array(size));
        for (const [field, x] of Object.entries(values)) put(this.view, all, fields[field], x);
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
        const span = keep(lib.struct('lctx_span', { k: keep(lib.put(k)), v: keep(lib.put(v)), n }));
        const out = keep(lib.alloc(q.byteLength)), size = keep(lib.alloc(4));
        const attn = keep(lib.struct('lctx_attn', {
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
