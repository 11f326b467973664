// test_node.mjs DIRECTORY - examples/node/lctx.mjs against plain JavaScript, and what it must
// refuse without a crash. The directory has libraries that do not fit (see run.sh).
import { join } from 'node:path';
import * as lctx from '../../examples/node/lctx.mjs';
import { farthest, noise, plainAttend } from '../../examples/node/attention.mjs';

let passed = 0, failed = 0;

function check(ok, what) {
    if (ok) passed++;
    else failed++, console.log(`  FAIL: ${what}`);
}

// call() must throw `kind` with all words in its message.
function throws(kind, words, call, what) {
    try {
        call();
    } catch (error) {
        const missing = words.filter((word) => !error.message.includes(word));
        check(error instanceof kind && !missing.length,
            `${what}: ${error.stack} without ${missing}`);
        return;
    }
    check(false, `${what}: nothing was thrown`);
}

const same = (a, b) => a.length === b.length && farthest(a, b) === 0;
const part = (t, from, to) => {
    const row = t.data.length / t.shape[0];
    return lctx.tensor(t.data.slice(from * row, to * row), [to - from, ...t.shape.slice(1)]);
};

// ---------------------------------------------------------------- the library
function testLoad(folder) {
    const wanted = [
        ['none.so', ['none.so', 'make lib'], 'a missing library is named'],
        ['text.so', ['text.so'], 'what is no library is refused'],
        ['bare.so', ['bare.so', 'lctx_offsetof'], 'a library without offsets is refused'],
        ['version.so', ['version.so', '0.2.0', '0.1.0'], 'another version is named'],
        ['size.so', ['size.so', 'lctx_rows', 'bytes'], 'a struct of another size is named'],
        ['order.so', ['order.so', 'lctx_span.k_type'], 'a field elsewhere is named'],
    ];
    for (const [name, words, what] of wanted)
        throws(lctx.LibraryError, words, () => lctx.load(join(folder, name)), what);
    check(lctx.isa().length > 3, 'after all that the library that fits is used');
}

// ---------------------------------------------------------------- attention
function toInt8(t) {
    const dim = t.shape.at(-1), rows = t.data.length / dim, scale = new Float32Array(rows);
    const data = new Int8Array(t.data.length);
    for (let r = 0; r < rows; r++) {
        const row = t.data.subarray(r * dim, (r + 1) * dim);
        scale[r] = row.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127;
        row.forEach((x, i) => { data[r * dim + i] = Math.round(x / scale[r]); });
    }
    return lctx.tensor(data, t.shape, { scale });
}
const toBf16 = (t) => lctx.tensor(Uint16Array.from(new Uint32Array(t.data.buffer), (x) => x >>> 16),
    t.shape, { type: 'bf16' });

function testAttend() {
    const q = noise(3, 8, 64), k = noise(200, 2, 64), v = noise(200, 2, 64);
    const plain = plainAttend(q, k, v), { out } = lctx.attend(q, k, v);
    check(farthest(out.data, plain) < 1e-5, 'attention is plain JavaScript\'s');
    check(farthest(lctx.attend(q, toInt8(k), toInt8(v)).out.data, plain) < 1e-2,
        'of int8 with scales');
    check(farthest(lctx.attend(q, toBf16(k), toBf16(v)).out.data, plain) < 1e-2, 'of bf16');
    const spans = [lctx.span(part(k, 0, 128), part(v, 0, 128)),
        lctx.span(part(k, 128, 200), part(v, 128, 200), { pos: 128 })];
    const attention = new lctx.Attention(q, spans);
    check(same(attention.run().out.data, out.data), 'of two spans, the same bits');
    check(same(attention.run().out.data, out.data), 'and again');
    const mass = new Float32Array(400);
    check(lctx.attend(q, k, v, { mass }).lse.data.length === 24, 'lse comes with mass');
    check(Math.abs(mass.reduce((a, b) => a + b) - 24) < 1e-3, 'mass is 1 a row');
    const last = part(q, 2, 3), near = plainAttend(last, part(k, 190, 200), part(v, 190, 200));
    check(farthest(lctx.attend(last, k, v, { window: 10 }).out.data, near) < 1e-5, 'a window');
    const some = { data: Int32Array.of(0, 3, 1, 3, 2, 3), shape: [3, 1, 2] };
    const listed = lctx.attend(q, k, v, { list: some, list_queries: 1 }).out.data.slice(-512);
    check(farthest(listed, plainAttend(last, part(k, 128, 200), part(v, 128, 200))) < 1e-5,
        'a list');
    const pattern = { kind: lctx.PatternKind.BLOCKS, length: 128 };
    const blocks = lctx.attend(last, k, v, { pattern }).out.data;
    check(farthest(blocks, plainAttend(last, part(k, 128, 200), part(v, 128, 200))) < 1e-5,
        'a pattern is given as an object');
    throws(lctx.LctxError, ['E_DILATION', 'lctx_pattern.dilation'], () => lctx.attend(q, k, v, {
        pattern: { kind: lctx.PatternKind.DILATED, length: 4, dilation: 9 } }), 'a wrong one');
    const threads = new lctx.Threads(2);
    const step = new lctx.Attention(q, [lctx.span(k, v)], { par: threads });
    check(same(step.run().out.data, out.data), 'threads keep the bits');
    threads.close();
    throws(Error, ['the threads is closed'], () => step.run(), 'threads that are closed');
}

function testBadArrays() {
    const q = noise(3, 8, 64), k = noise(200, 2, 64), v = noise(200, 2, 64);
    const refused = (kind, words, what, fields, keys = [k, v]) =>
        throws(kind, words, () => lctx.attend(q, ...keys, fields), what);
    throws(TypeError, ['tensor:', 'Float64Array'], () => lctx.tensor(new Float64Array(8), [8]),
        'doubles');
    throws(TypeError, ['tensor:', 'Array'], () => lctx.tensor([1, 2], [2]), 'a list');
    throws(RangeError, ['tensor:', '[2][3]', '6'], () => lctx.tensor(new Float32Array(5), [2, 3]),
        'few');
    throws(RangeError, ['tensor:', '[-2][-3]'], () => lctx.tensor(new Float32Array(6), [-2, -3]),
        'negative sizes');
    throws(TypeError, ['tensor:', '2 scales'], () => lctx.tensor(new Int8Array(6), [2, 3]),
        'no scales');
    throws(TypeError, ['q:', 'tensor'], () => lctx.attend(q.data, k, v), 'a bare array');
    throws(TypeError, ['q:', 'float32'], () => lctx.attend(toBf16(q), k, v), 'q of bf16');
    throws(RangeError, ['q:', '[n][n][64]'], () => lctx.attend(noise(3, 512), k, v), 'a flat q');
    refused(RangeError, ['v:', '[200][2]'], 'fewer values than keys', {}, [k, part(v, 0, 100)]);
    refused(TypeError, ['lctx_attn.q_pos', 'BigInt64Array', 'Int32Array'], 'positions of int32',
        { q_pos: new Int32Array(3) });
    refused(RangeError, ['lctx_attn.q_pos', '[3]'], 'too few positions',
        { q_pos: new BigInt64Array(2) });
    refused(RangeError, ['lctx_attn.bias', '[8][3][200]'], 'a bias of another shape',
        { bias: new Float32Array(600) });
    refused(RangeError, ['lctx_attn.mask_bits', '[8][3][4]'], 'a mask of another shape',
        { mask_bits: new BigUint64Array(3) });
    refused(RangeError, ['lctx_attn.list', '1 rows'], 'a list of too few rows',
        { list: { data: new Int32Array(2), shape: [1, 1, 2] }, list_queries: 1 });
    refused(TypeError, ['lctx_attn.bias', 'Number'], 'a number as an array', { bias: 12345 });
    refused(TypeError, ['lctx_attn', 'windo'], 'a field that is none', { windo: 3 });
    refused(TypeError, ['lctx_attn.out_token', 'follows'], 'a stride', { out_token: 2 ** 30 });
    throws(TypeError, ['lctx_span.layout'], () => lctx.span(k, v, { layout: 1 }), 'rows as tiles');
    refused(TypeError, ['lctx_attn.window', 'ten'], 'a word as a number', { window: 'ten' });
    refused(RangeError, ['lctx_attn.n_sink', 'int32'], '2^32 sinks', { n_sink: 2 ** 32 });
    refused(RangeError, ['lctx_attn.window', '1.5'], 'half a token', { window: 1.5 });
    refused(lctx.LctxError, ['E_WINDOW', 'lctx_attn.window'], 'a negative window', { window: -1 });
    refused(lctx.LctxError, ['E_ENUM', 'lctx_attn.mask'], 'an unknown mask', { mask: 9 });
    throws(lctx.LctxError, ['E_HEADS'], () => lctx.attend(noise(3, 3, 64), k, v), '3 heads over 2');
    throws(RangeError, ['spans'], () => new lctx.Attention(q, []), 'no span');
}

// ---------------------------------------------------------------- caches
function testCache() {
    const q = noise(3, 8, 64), k = noise(200, 2, 64), v = noise(200, 2, 64);
    const cache = new lctx.Cache(2, 64, { k_type: lctx.Type.F32, v_type: lctx.Type.F32 });
    cache.append(part(k, 0, 150), part(v, 0, 150));
    const fork = cache.fork(), again = new lctx.Attention(q, cache);
    again.run();
    cache.append(part(k, 150, 200), part(v, 150, 200));
    const { out } = cache.attend(q);
    check(same(out.data, lctx.attend(q, k, v).out.data), 'a cache gives the bits of its rows');
    check(same(again.run().out.data, out.data), 'an attention follows its cache');
    check(cache.info.n === 200 && fork.info.n === 150, 'a fork goes its own way');
    const saved = cache.save();
    fork.restore(saved);
    check(same(fork.attend(q).out.data, out.data), 'what was saved is restored');
    throws(lctx.LctxError, ['E_IO'], () => fork.restore(saved.subarray(0, -9)),
        'half of it is refused');
    const damaged = Buffer.from(saved);
    damaged[damaged.length >> 1] ^= 1;
    throws(lctx.LctxError, ['E_FORMAT'], () => fork.restore(damaged), 'a wrong bit is refused');
    throws(lctx.LctxError, ['E_POS'], () => cache.rewind(500), 'no way forward');
    throws(RangeError, ['1.5'], () => cache.rewind(1.5), 'nor to half a token');
    throws(RangeError, ['k:', '[2][64]'], () => cache.append(noise(9, 1, 64), v), 'other heads');
    throws(TypeError, ['k:', 'float32'], () => cache.append(toBf16(k), v), 'other rows');
    cache.close();
    cache.close();
    for (const run of [() => cache.append(k, v), () => cache.attend(q), () => cache.info,
        () => cache.fork(), () => cache.save(), () => cache.rewind(0)])
        throws(Error, ['the cache is closed'], run, `a closed cache: ${run}`);
    fork.close();
    throws(lctx.LctxError, ['E_WINDOW', 'lctx_cache_desc.window'], () => new lctx.Cache(2, 64, {
        policy: lctx.Policy.SINKS }), 'sinks without a window');
    const latent = new lctx.Cache(2, 64, { latent: 1, k_type: lctx.Type.F32,
        v_type: lctx.Type.F32 });
    latent.append(k);
    check(same(latent.attend(q).out.data, lctx.attend(q, k, k).out.data), 'latent keys are values');
    throws(lctx.LctxError, ['E_SPAN', 'lctx_rows.v'], () => latent.append(k, v),
        'values for a latent cache');
    latent.close();
    const pool = new lctx.Pool(300 << 10), held = new lctx.Cache(2, 64, { alloc: pool });
    throws(lctx.LctxError, ['E_MEMORY'], () => { for (;;) held.append(k, v); }, 'a pool\'s bound');
    throws(Error, ['in use by 1'], () => pool.close(), 'a pool that is in use');
    held.close();
    pool.close();
    throws(Error, ['the pool is closed'], () => new lctx.Cache(2, 64, { alloc: pool }),
        'a closed pool');
}

// ---------------------------------------------------------------- sessions
const ones = (n) => lctx.tensor(new Float32Array(n).fill(1), [n]);
const layer = (other) => ({
    attn_norm: ones(32), ffn_norm: ones(32), wq: noise(32, 32), wk: noise(16, 32),
    wv: noise(16, 32), wo: noise(32, 32), w_gate: noise(48, 32), w_up: toInt8(noise(48, 32)),
    w_down: noise(32, 48),
    ...other,
});
const model = (layers = [layer(), layer()], other = {}) => new lctx.Model(layers, {
    n_head: 4, n_head_kv: 2, d_model: 32, d_ff: 48, n_vocab: 50, tok_embd: noise(50, 32),
    output_norm: ones(32), rope: new lctx.Rope(8), ...other,
});

function testSession() {
    const m = model(), s = new lctx.Session(m), t = new lctx.Session(m), prompt = [1, 2, 3, 4, 5];
    const whole = s.feed(prompt, 'all'), parts = prompt.flatMap((token) => [...t.feed([token])]);
    check(same(whole, parts), 'a prompt at once and token by token, the same bits');
    check(s.feed([6], 'none') === null && s.info.n === 6, 'no logits where none are wanted');
    s.rewind(5);
    const fork = s.fork(), given = [...s.generate([6], 4)];
    check(`${given}` === `${[...fork.generate([6], 4)]}`, 'a fork goes on with the same tokens');
    let token = 6;
    const byHand = given.map(() => (token = lctx.likeliest(t.feed([token]))));
    check(`${given}` === `${byHand}`, 'generate gives the likeliest tokens');
    check([...t.generate([1], 4, { pick: () => 7, stop: [7] })].length === 0,
        'a stop ends the text');
    fork.restore(t.save());
    check(same(fork.feed([1]), t.feed([1])), 'what was saved is restored');
    throws(lctx.LctxError, ['E_TOKEN', 'tokens[1]'], () => s.feed([1, 50]),
        'a token beyond the last');
    throws(lctx.LctxError, ['tokens'], () => s.feed([]), 'no token');
    throws(RangeError, ['tokens', '1.5'], () => s.feed([1.5]), 'half a token');
    throws(RangeError, ['tokens', '2147483648'], () => s.feed([2 ** 31]), '2^31 as a token');
    throws(RangeError, ['logits'], () => s.feed([1], 'first'), 'logits of the first');
    const tokens = t.generate([1], 4);
    tokens.next();
    [s, t, fork].forEach((x) => x.close());
    throws(Error, ['the session is closed'], () => tokens.next(), 'tokens of a closed session');
    throws(Error, ['the session is closed'], () => s.feed([1]), 'a closed session');
}

function testProgress() {
    const m = model(), seen = [];
    const s = new lctx.Session(m, { chunk: 2, progress: (...at) => { seen.push(at); } });
    s.feed([1, 2, 3, 4, 5]);
    check(`${seen.at(-1)}` === '5,5' && seen.length >= 3, 'progress is told');
    const fork = s.fork();
    s.close();
    check(fork.feed([1]).length === 50, 'a fork keeps the callback');
    fork.close();
    const stopped = new lctx.Session(m, { chunk: 2, progress: (done) => done > 2 });
    throws(lctx.LctxError, ['E_CANCELLED'], () => stopped.feed(Array(9).fill(1)), 'it ends a call');
    check(stopped.info.n === 0, 'and nothing was fed');
    stopped.close();
    const throwing = new lctx.Session(m, { progress: () => { throw new SyntaxError('mine'); } });
    throws(SyntaxError, ['mine'], () => throwing.feed([1]), 'what progress throws, the call does');
    throwing.close();
    const closing = new lctx.Session(m, { progress: () => closing.close() });
    throws(Error, ['in use by another call'], () => closing.feed([1]),
        'closed within its own call');
    closing.close();
}

function testBadModel() {
    const refused = (kind, words, what, layers, other) =>
        throws(kind, words, () => model(layers, other), what);
    refused(RangeError, ['lctx_layer.wq', '[32][32]'], 'another shape',
        [layer({ wq: noise(32, 31) })]);
    refused(RangeError, ['lctx_layer.w_down', '[32][48]'], 'turned',
        [layer({ w_down: noise(48, 32) })]);
    refused(TypeError, ['lctx_layer.wq', 'tensor'], 'a bare array',
        [layer({ wq: new Float32Array(9) })]);
    refused(TypeError, ['lctx_layer', 'wx'], 'a weight that is none',
        [layer({ wx: noise(32, 32) })]);
    refused(lctx.LctxError, ['E_WEIGHT', 'lctx_layer[1].wo'], 'none',
        [layer(), layer({ wo: null })]);
    refused(RangeError, ['lctx_model.tok_embd', '[50][32]'], 'few', undefined,
        { tok_embd: noise(9, 32) });
    const threads = new lctx.Threads(1), s = new lctx.Session(model(), { par: threads });
    throws(Error, ['in use by 1'], () => threads.close(), 'threads of an open session');
    s.close();
    threads.close();
    throws(lctx.LctxError, ['E_ENUM', 'lctx_session_desc.policy'], () => new lctx.Session(model(), {
        policy: 7 }), 'a policy');
}

function testRope() {
    const rope = new lctx.Rope(8, { scheme: lctx.RopeScheme.LINEAR, factor: 2 });
    const x = noise(5, 2, 12);
    const turned = rope.apply(x, 3).data, angle = 3 * rope.freq[1];
    const [a, b] = [x.data[1], x.data[5]];
    check(Math.abs(turned[1] - (a * Math.cos(angle) - b * Math.sin(angle))) < 1e-6, 'rotation');
    check(same(rope.apply(x, 0, { pos: BigInt64Array.of(3n, 4n, 5n, 6n, 7n) }).data, turned),
        'by list');
    throws(RangeError, ['lctx_rope_job.pos', '[5]'], () => rope.apply(x, 0, {
        pos: new BigInt64Array(4) }), 'positions of too few tokens');
    throws(lctx.LctxError, ['E_FACTOR'], () => new lctx.Rope(8, { factor: 0.5 }), 'a factor');
    throws(RangeError, ['lctx_rope_desc.freq', '[4]'], () => new lctx.Rope(8, {
        scheme: lctx.RopeScheme.RAW, freq: new Float64Array(3) }), 'frequencies of other pairs');
}

testLoad(process.argv[2]);
for (const test of [testAttend, testBadArrays, testCache, testSession, testProgress, testBadModel,
    testRope]) test();
console.log(`node: ${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
