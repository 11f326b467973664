// One setting: a module with its own memory, a model, a session. The page posts { start },
// { open }, { passkey }, { run }, { layer } and { stop }; answers are { type, ... }. With shared
// memory, workers that are nested in this one (the same text, started with { crew }) take part in
// the library's loops.
'use strict';
const TILE = 64;
const PAGE = 65536, GIB = 2 ** 30;
const MOST = [32768, 16384, 8192];     // pages of shared memory, at most: 2 GiB, or what is given
let wasm, memory, isShared, layer = 0, stopped = false;

// ---- the module
const bytes = (at, n) => new Uint8Array(memory.buffer, at, n);
const text = (at) => {
    const all = new Uint8Array(memory.buffer);
    return new TextDecoder().decode(all.slice(at, all.indexOf(0, at)));
};

// What the C library asks of a system: an environment, which is empty; all else is not there (52,
// ENOSYS).
function imports(shared) {
    const wasi = new Proxy({
        environ_sizes_get(n, size) {
            const view = new DataView(memory.buffer);
            view.setUint32(n, 0, true);
            view.setUint32(size, 0, true);
            return 0;
        },
        environ_get: () => 0,
        proc_exit: (code) => { throw new Error(`the program ended (${code})`); },
    }, { get: (calls, name) => calls[name] ?? (() => 52) });
    return { wasi_snapshot_preview1: wasi, env: shared ? { memory: shared } : {} };
}

function sharedMemory(initial) {
    for (const maximum of MOST) {
        try {
            return new WebAssembly.Memory({ initial, maximum, shared: true });
        } catch { /* a smaller one, then */ }
    }
    return null;
}

async function start({ module, threads, source }) {
    const shared = threads > 1 ? sharedMemory(64) : null;
    const instance = await WebAssembly.instantiate(module, imports(shared));
    wasm = instance.exports;
    memory = shared ?? wasm.memory;
    isShared = Boolean(shared);
    wasm._initialize();
    wasm.threads(shared ? threads : 1);
    if (!shared) return;
    for (let thread = 1; thread < threads; thread++) {
        const stack = wasm.malloc(4 * PAGE) + 4 * PAGE & -16;
        new Worker(source).postMessage({ crew: { module, memory, stack, thread } });
    }
}

async function joinCrew({ module, memory: shared, stack, thread }) {
    const instance = await WebAssembly.instantiate(module, imports(shared));
    instance.exports.__stack_pointer.value = stack;
    instance.exports.work(thread);
}

// ---- the model
const size = (n) => (n < 2 ** 20 ? `${Math.ceil(n / 1024)} KiB`
    : n < GIB ? `${(n / 2 ** 20).toFixed(1)} MiB` : `${(n / GIB).toFixed(1)} GiB`);

// Reads a file into the module's memory, a piece at a time.
async function open({ blob, name, most }) {
    const magic = await blob.slice(0, 4).text();
    if (magic !== 'GGUF') throw new Error(`${name} is no GGUF file.`);
    if (blob.size > most)
        throw new Error(`${name} has ${size(blob.size)}; this page takes ${size(most)} at most.`);
    stopped = false;
    wasm.close();
    const at = wasm.malloc(blob.size) >>> 0;
    if (!at) throw new Error(`The browser gives no memory for the ${size(blob.size)} of ${name}.`);
    for (let from = 0; from < blob.size; from += 2 ** 22) {
        const part = new Uint8Array(await blob.slice(from, from + 2 ** 22).arrayBuffer());
        bytes(at + from, part.length).set(part);
        postMessage({ type: 'loading', done: from + part.length, total: blob.size });
        if (!stopped) continue;
        wasm.free(at);
        throw new Error('Loading was stopped.');
    }
    if (wasm.open(at, blob.size)) throw new Error(`${name} cannot be used: ${text(wasm.error())}.`);
    postMessage({ type: 'opened', layers: wasm.layers(), trained: wasm.trained(),
        ofBytes: wasm.of_bytes() });
}

// ---- texts
function put(array) {
    const at = wasm.malloc(array.length + 1) >>> 0;
    if (!at) throw new Error('There is no memory for so long a text.');
    bytes(at, array.length).set(array);
    return at;
}

function passkey({ length, depth, filler, seed }) {
    const from = put(filler), to = put(new Uint8Array(length)), key = put(new Uint8Array(8));
    wasm.passkey(to, length, depth, key, from, filler.length, seed);
    const made = new TextDecoder().decode(bytes(to, length).slice());
    postMessage({ type: 'passkey', text: made, key: text(key) });
    [from, to, key].forEach((at) => wasm.free(at));
}

// ---- a run
const channel = new MessageChannel();
let wake;
channel.port1.onmessage = () => wake();
const breathe = () => new Promise((resolve) => {     // lets a { stop } in
    wake = resolve;
    channel.port2.postMessage(0);
});

// Of each tile, what the layer's cache holds and what the last query read.
function map() {
    const tiles = wasm.map(layer);
    const copy = (at) => bytes(at, tiles).slice();
    return tiles ? { layer, seen: copy(wasm.seen()), held: copy(wasm.held()) } : {};
}

// Feeds tokens and posts what came of it, with a map at the end of tiles and of the text. Returns
// false where it was stopped.
function step(from, n, of, more) {
    const begun = performance.now(), status = wasm.feed(from, n);
    const ms = (performance.now() - begun) / n;
    if (status > 0) throw new Error(`${text(wasm.error())}.`);
    if (status < 0 || stopped) return false;
    postMessage({
        type: 'step', at: from, n, ms, cache: wasm.cache_bytes(), ...more,
        bits: new Float32Array(memory.buffer, wasm.bits() + 4 * from, n).slice(),
        ...((from + n) % TILE && from + n < of ? {} : map()),
    });
    return true;
}

async function decode(n, tokens) {
    for (let i = 0; i < n; i++) {
        const token = wasm.draw();
        if (token < 0) return 'The answer ends here.';
        const written = bytes(wasm.piece(token), wasm.piece_bytes(token)).slice();
        if (!step(tokens + i, 1, 0, { written })) return null;
        await breathe();
    }
    return 'That is as many tokens as were asked for.';
}

async function run({ input, n, scheme, factor, far, policy, keep, type }) {
    stopped = false;
    const source = new TextEncoder().encode(input), at = put(source);
    const tokens = wasm.encode(at, source.length, n);
    wasm.free(at);
    if (tokens < 0 || wasm.begin(scheme, factor, far, policy, keep, type))
        throw new Error(`These settings do not work: ${text(wasm.error())}.`);
    postMessage({ type: 'begun', tokens, n, factor: wasm.factor() });
    // The page stops a feed through shared memory; without, between two, which end with chunks.
    const piece = isShared ? TILE : wasm.chunk();
    for (let from = 0; from < tokens; from += piece) {
        if (!step(from, Math.min(piece, tokens - from), tokens)) return null;
        await breathe();
        if (stopped) return null;
    }
    return decode(n, tokens);
}

// ---- messages
const actions = {
    crew: joinCrew,
    async start(m) {
        await start(m);
        postMessage({ type: 'started', threads: isShared ? m.threads : 1,
            shared: isShared && memory.buffer, flag: wasm.stop_flag() });
    },
    open,
    passkey,
    layer(m) {
        layer = m;
        postMessage({ type: 'map', ...map() });
    },
    stop() { stopped = true; },
    async run(m) {
        layer = m.layer;
        const end = await run(m);
        postMessage({ type: 'done', end: end ?? 'Stopped.', stopped: end === null });
    },
};
onmessage = async ({ data }) => {
    const [name, value] = Object.entries(data)[0];
    try {
        await actions[name](value);
    } catch (error) {
        const broken = error instanceof WebAssembly.RuntimeError;
        postMessage({ type: 'failed', during: name, broken,
            text: broken ? `The module failed: ${error.message}.` : error.message });
    }
};
