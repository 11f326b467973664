// One setting: its worker, and what has come of its run.
'use strict';
const ROWS = 512, POINTS = 160;      // of its history and of a line, at most

class Side {
    constructor(name, program) {
        this.name = name;
        this.program = program;
        this.waiting = null;
        this.clear();
        this.worker = new Worker(program.source);
        this.worker.onmessage = ({ data }) => this.take(data);
        this.worker.onerror = ({ message }) =>
            this.take({ type: 'failed', text: message, broken: true });
    }
    clear() {
        this.last = { seen: [], held: [] };      // the map of the last query
        this.rows = [], this.stride = 1, this.steps = 0;      // of every stride-th, at most ROWS
        this.points = { bits: [], bytes: [], ms: [] };
        this.bytes = [], this.tokens = 0, this.n = 0, this.fed = 0, this.tally = { bits: 0, n: 0 };
        this.end = '', this.spent = { reading: 0, writing: 0 };
        this.tail = '', this.key = '', this.keyTile = -1;     // of the text that was read
    }
    // Posts a message and waits for an answer of that type.
    ask(message, type) {
        return new Promise((resolve, reject) => {
            this.waiting = { type, resolve, reject };
            this.worker.postMessage(message);
        });
    }
    take(message) {
        const { waiting } = this;
        if (message.type === 'failed') {
            this.waiting = null;
            this.broken = message.broken;
            if (waiting) waiting.reject(new Error(message.text));
            else fault(message.text);
        } else if (waiting && message.type === waiting.type) {
            this.waiting = null;
            waiting.resolve(message);
        } else if (message.type === 'step') this.step(message);
        else if (message.type === 'map' && message.seen) this.last = message, redraw();
        else if (message.type === 'begun') Object.assign(this, message);
        else if (message.type === 'loading') loading(this.name, message);
    }
    async start() {
        const { module, threads, source } = this.program;
        const started = await this.ask({ start: { module, threads, source } }, 'started');
        this.threads = started.threads;
        this.flag = started.shared && new Int32Array(started.shared, started.flag, 1);
    }
    settings() {
        const number = (id) => Number($(`${this.name}-${id}`).value);
        return Object.fromEntries(['scheme', 'factor', 'far', 'policy', 'keep', 'type'].map(
            (id) => [id, number(id)]));
    }
    async run(input, n, layer, key, keyTile) {
        this.clear();
        this.tail = input.slice(-60).trimStart(), this.key = key, this.keyTile = keyTile;
        try {
            const settings = { input, n, layer, ...this.settings() };
            this.end = (await this.ask({ run: settings }, 'done')).end;
        } finally {
            redraw();
        }
    }
    stop() {
        if (this.flag) Atomics.store(this.flag, 0, 1);
        this.worker.postMessage({ stop: {} });
    }
    step({ at, n, ms, cache, bits, written, seen, held, layer }) {
        const known = bits.filter((x, i) => at + i > 0);
        const sum = known.reduce((a, b) => a + b, 0);
        this.fed = at + n;
        if (seen) this.row({ seen, held, layer });
        this.tally.bits += sum, this.tally.n += known.length;
        this.cache = cache;
        this.spent[written ? 'writing' : 'reading'] += ms * n;
        if (written) this.bytes.push(...written);
        this.point('bits', sum, known.length);
        this.point('bytes', cache * n, n);
        this.point('ms', ms * n, n);
        redraw();
    }
    row(map) {
        this.last = map;
        if (this.steps++ % this.stride) return;
        this.rows.push(map);
        if (this.rows.length < ROWS) return;
        this.rows = this.rows.filter((row, i) => i % 2 === 0);
        this.stride *= 2;
    }
    rowsMost() {
        const most = Math.ceil((this.tokens / TILE + this.n) / this.stride);
        return Math.max(1, this.end ? this.rows.length : most);
    }
    // Points are means of a tile's tokens, or of several tiles': at most POINTS of them.
    point(name, sum, n) {
        const points = this.points[name], last = points.at(-1);
        if (last && last.n < TILE - 1) last.sum += sum, last.n += n, last.at = this.fed;
        else points.push({ sum, n, at: this.fed });
    }
    series(name) {
        const points = this.points[name].filter((p) => p.n), means = [];
        const each = Math.ceil(points.length / POINTS);
        for (let i = 0; i < points.length; i += each) {
            const some = points.slice(i, i + each), of = some.reduce((all, p) => all + p.n, 0);
            means.push([some.at(-1).at, some.reduce((all, p) => all + p.sum, 0) / of]);
        }
        return means;
    }
    written() { return new TextDecoder().decode(Uint8Array.from(this.bytes)); }
    part() { return this.tokens ? Math.min(1, this.fed / (this.tokens + this.n)) : 0; }
}

