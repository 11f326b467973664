// Demonstrates attention on typed arrays under node, a plain one and lctx side by side; and what is
// refused. Wants koffi: `npm install --ignore-scripts` in this folder, or NODE_PATH where it is.
// Exit codes: 0 ok, 2 the library is missing or does not fit, 3 a result is wrong.
import * as lctx from './lctx.mjs';

export function plainAttend(q, k, v) {
    const [n_q, n_head, dim] = q.shape, [n, n_head_kv] = k.shape;
    const out = new Float64Array(q.data.length);
    for (let row = 0; row < n_q * n_head; row++) {
        const group = Math.floor(row % n_head / (n_head / n_head_kv));
        const seen = n - n_q + Math.floor(row / n_head) + 1;
        const starts = Array.from({ length: seen }, (_, j) => (j * n_head_kv + group) * dim);
        const query = q.data.subarray(row * dim, (row + 1) * dim);
        const dot = (at) => query.reduce((s, x, d) => s + x * k.data[at + d], 0);
        const scores = starts.map((at) => dot(at) / Math.sqrt(dim));
        const top = Math.max(...scores), p = scores.map((s) => Math.exp(s - top));
        const sum = p.reduce((a, b) => a + b);
        for (let d = 0; d < dim; d++)
            out[row * dim + d] = starts.reduce((s, at, j) => s + p[j] * v.data[at + d], 0) / sum;
    }
    return out;
}

export function noise(...shape) {
    const size = shape.reduce((a, b) => a * b, 1);
    return lctx.tensor(Float32Array.from({ length: size }, () => Math.random() * 2 - 1), shape);
}

export const farthest = (a, b) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

function main() {
    const q = noise(3, 8, 64), k = noise(1000, 2, 64), v = noise(1000, 2, 64);

    const { out } = lctx.attend(q, k, v), plain = plainAttend(q, k, v);

    const worst = farthest(out.data, plain);
    console.log(`3 queries over 1000 tokens (${lctx.isa()}): largest difference to plain `
        + `JavaScript ${worst.toExponential(1)}`);
    const threads = new lctx.Threads(), cache = new lctx.Cache(2, 64, { k_type: 0, v_type: 0 });
    try {
        cache.append(k, v);
        const same = farthest(cache.attend(q, { par: threads }).out.data, out.data) === 0;
        console.log(`out of a cache, with threads, ${same ? 'the same' : 'other'} bits`);
        if (!same) return 3;
    } finally {
        cache.close();
        threads.close();
    }
    for (const wrong of [() => new lctx.Rope(63), () => lctx.attend(q, noise(1000, 2, 32), v)]) {
        try {
            wrong();
        } catch (error) {
            console.log(`${error.constructor.name}: ${error.message}`);
        }
    }
    return worst < 1e-5 ? 0 : 3;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
    try {
        process.exitCode = main();
    } catch (error) {
        if (!(error instanceof lctx.LibraryError)) throw error;
        console.error(`attention.mjs: ${error.message}`);
        process.exitCode = 2;
    }
}
