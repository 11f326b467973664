// The page: what is asked, two settings in a worker each, and what they answer as it comes.
'use strict';
const SCHEMES = [[-1, 'as the file has it'], [0, 'plain'], [1, 'linear (PI)'], [2, 'NTK'], [3, 'dynamic NTK'],
    [4, 'by parts'], [5, 'YaRN'], [6, 'Llama 3']];
const POLICIES = [[0, 'keep all'], [1, 'window'], [2, 'sinks and window'], [3, 'heavy hitters'],
    [4, 'keep all, read some']];
const TYPES = [[0, 'f32'], [1, 'f16'], [2, 'bf16'], [3, 'int8'], [4, 'int4']];
const DEFAULTS = { a: { scheme: 5, policy: 0, type: 1 }, b: { scheme: -1, policy: 2, type: 1 } };
const TILE = 64, ROWS = 512, TEXT_MOST = 2 ** 20, FILE_MOST = 1.5 * 2 ** 30, CREW_MOST = 4;
// A function of no arguments that gives a vector of 128 bits.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
    253, 98, 11];
const $ = (id) => document.getElementById(id);
const count = (n) => Math.round(n).toLocaleString('en');
const kib = (n) => (n < 2 ** 20 ? `${count(n / 1024)} KiB` : `${(n / 2 ** 20).toFixed(1)} MiB`);

function fault(text) {
    $('fault').textContent = text;
    $('fault').hidden = !text;
    if (text) $('fault').scrollIntoView({ block: 'nearest' });
}
const status = (text) => { $('status').textContent = text; };

// ---- what stands beside the page: a script each, so that it may also be opened from a disk
const assets = {};
function asset(name) {
    return new Promise((resolve, reject) => {
        const script = document.createElement('script');
        script.src = `${name}.js`;
        script.onload = () => resolve(Uint8Array.from(atob(assets[name]), (c) => c.charCodeAt(0)));
        script.onerror = () => reject(new Error(`${name}.js is missing beside this page.`));
        document.head.append(script);
    });
}

// ---- one setting
class Side {
    constructor(name, program) {
        this.name = name;
        this.program = program;
        this.waiting = null;
        this.clear();
        this.worker = new Worker(program.source);
        this.worker.onmessage = ({ data }) => this.take(data);
        this.worker.onerror = (event) => this.take({ type: 'failed', text: event.message, broken: true });
    }
    clear() {
        this.last = { seen: [], held: [] };      // the map of the last query
        this.rows = [], this.stride = 1, this.steps = 0;      // of every stride-th, at most ROWS
        this.points = { bits: [], bytes: [], ms: [] };
        this.bytes = [], this.tokens = 0, this.n = 0, this.fed = 0, this.tally = { bits: 0, n: 0 };
        this.end = '', this.spent = { reading: 0, writing: 0 };
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
        const { shared, flag, threads: n } = await this.ask({ start: { module, threads, source } }, 'started');
        this.threads = n;
        this.flag = shared && new Int32Array(shared, flag, 1);
    }
    settings() {
        const number = (id) => Number($(`${this.name}-${id}`).value);
        return { scheme: number('scheme'), factor: number('factor'), policy: number('policy'),
            keep: number('keep'), type: number('type') };
    }
    async run(input, n, layer) {
        this.clear();
        this.running = true;
        try {
            const { end } = await this.ask({ run: { input, n, layer, ...this.settings() } }, 'done');
            this.end = end;
        } finally {
            this.running = false;
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
        return Math.max(1, this.end ? this.rows.length : Math.ceil((this.tokens / TILE + this.n) / this.stride));
    }
    // Points are means of at least a tile's tokens.
    point(name, sum, n) {
        const points = this.points[name], last = points.at(-1);
        if (last && last.n < TILE - 1) last.sum += sum, last.n += n, last.at = this.fed;
        else points.push({ sum, n, at: this.fed });
    }
    series(name) {
        return this.points[name].filter((p) => p.n).map((p) => [p.at, p.sum / p.n]);
    }
    written() { return new TextDecoder().decode(Uint8Array.from(this.bytes)); }
    part() { return this.tokens ? Math.min(1, this.fed / (this.tokens + this.n)) : 0; }
}

// ---- the form
const option = ([value, text]) => `<option value="${value}">${text}</option>`;
function settingsCard(name) {
    const card = document.createElement('fieldset');
    const select = (id, label, list) => `<label for="${name}-${id}">${label}
        <select id="${name}-${id}">${list.map(option).join('')}</select></label>`;
    card.className = `card ${name}`;
    card.innerHTML = `<legend>${name.toUpperCase()}</legend><div class="fields">
        ${select('scheme', 'RoPE scheme', SCHEMES)}
        <label for="${name}-factor">Factor <input id="${name}-factor" type="number" min="1" max="1000000"
            step="any" placeholder="by length"></label>
        ${select('policy', 'Cache policy', POLICIES)}
        <label for="${name}-keep">Tokens kept or read <input id="${name}-keep" type="number" min="16" max="1048576"
            value="256"></label>
        ${select('type', 'Type of keys and values', TYPES)}</div>`;
    $('settings').append(card);
    for (const [id, value] of Object.entries(DEFAULTS[name])) $(`${name}-${id}`).value = value;
    card.addEventListener('change', () => follow(name));
    follow(name);
}
// Fields that say nothing under the others are off.
function follow(name) {
    $(`${name}-factor`).disabled = $(`${name}-scheme`).value === '0';
    $(`${name}-keep`).disabled = $(`${name}-policy`).value === '0';
}

const FACTS = [['bits', 'Bits per token'], ['cache', 'Bytes held'], ['read', 'Tokens a query reads'],
    ['reading', 'Reading, per token'], ['writing', 'Writing, per token'], ['factor', 'RoPE factor']];
function resultCard(name) {
    const card = document.createElement('article');
    card.className = `card ${name}`;
    card.setAttribute('aria-labelledby', `${name}-title`);
    card.innerHTML = `<div class="head"><h3 id="${name}-title"><span class="badge">${name.toUpperCase()}</span></h3>
        <span class="what" id="${name}-what"></span></div>
        <div class="answer" id="${name}-answer" tabindex="0" role="region" aria-label="What ${name.toUpperCase()} writes"></div>
        <dl class="facts">${FACTS.map(([id, text]) => `<div><dt>${text}</dt><dd id="${name}-fact-${id}">–</dd></div>`).join('')}</dl>
        <p class="caption">The last query, in layer <span id="${name}-layer">–</span>: a square is ${TILE} tokens of the text</p>
        <canvas id="${name}-strip" role="img"></canvas>
        <p class="caption">All queries so far, newest below: a row for ${TILE} that read, then for each that writes</p>
        <canvas id="${name}-history" role="img"></canvas>
        <div class="ends" aria-hidden="true"><span>0</span><span>position in the text, tokens</span>
        <span id="${name}-tokens"></span></div>`;
    $('results').append(card);
}

const CHARTS = [['bits', 'Likelihood', 'bits per token: less is better', { least: 2 }],
    ['bytes', 'Memory', 'bytes held by the cache', { format: kib, binary: true }],
    ['ms', 'Time', 'milliseconds per token; far outliers are cut off', { cut: 4 }]];
function chartFigure([id, title, unit]) {
    const figure = document.createElement('figure');
    figure.innerHTML = `<figcaption>${title} <small>${unit}</small></figcaption>
        <svg id="chart-${id}" role="img" viewBox="0 0 340 190"></svg>`;
    $('charts').append(figure);
}

// ---- drawing
let sides = {}, key = '', trained = 0, ofBytes = false, drawing = false;
function redraw() {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
        drawing = false;
        Object.values(sides).forEach(drawSide);
        drawCharts();
        const parts = Object.values(sides).map((side) => side.part());
        if (busy === 'run') $('progress').value = parts.reduce((a, b) => a + b, 0) / parts.length;
    });
}

function verdict(side) {
    if (side.running || !side.end) return '';
    if (!key) return side.end;
    return side.written().includes(key) ? `Found the key ${key}.` : `Did not find ${key}.`;
}

function drawAnswer(side) {
    const answer = $(`${side.name}-answer`), asked = document.createElement('span');
    const written = document.createElement('span');
    asked.className = 'asked', written.className = 'written';
    asked.textContent = side.fed ? `… ${$('input').value.slice(-60).trimStart()}` : '';
    written.textContent = side.written();
    answer.replaceChildren(asked, written);
}

function drawFacts(side) {
    const set = (id, text) => { $(`${side.name}-fact-${id}`).textContent = text; };
    const written = side.fed - side.tokens;
    const per = (ms, n) => (n > 0 ? `${(ms / n).toFixed(2)} ms` : '–');
    const read = side.last.seen.reduce((sum, x, i) => sum + x / 255 * Math.min(TILE, side.fed - i * TILE), 0);
    $(`${side.name}-what`).textContent = verdict(side);
    set('bits', side.tally.n ? (side.tally.bits / side.tally.n).toFixed(2) : '–');
    set('cache', side.fed ? kib(side.cache) : '–');
    set('read', side.fed ? `${count(read)} of ${count(side.fed)}` : '–');
    set('reading', per(side.spent.reading, Math.min(side.fed, side.tokens)));
    set('writing', per(side.spent.writing, written));
    set('factor', side.fed ? `${+side.factor.toFixed(2)}` : '–');
}

// The tile in which the pass key stands: known where bytes are tokens, the first of which begins the text.
function keyTile() {
    const at = key && ofBytes ? $('input').value.indexOf(key) : -1;
    return at < 0 ? -1 : Math.floor((new TextEncoder().encode($('input').value.slice(0, at)).length + 1) / TILE);
}

function drawSide(side) {
    const { name, last, rows } = side, strip = $(`${name}-strip`), history = $(`${name}-history`);
    const total = side.end ? side.fed : side.tokens + side.n, tiles = Math.max(1, Math.ceil(total / TILE));
    const is = (array) => array.filter(Boolean).length, mark = side.fed ? keyTile() : -1;
    drawAnswer(side);
    drawFacts(side);
    charts.strip(strip, last, tiles, mark);
    charts.history(history, rows, tiles, side.rowsMost(), mark);
    $(`${name}-layer`).textContent = last.layer === undefined ? '–' : last.layer + 1;
    $(`${name}-tokens`).textContent = count(total);
    strip.setAttribute('aria-label', `Of ${last.seen.length} tiles the last query reads ${is([...last.seen])}; `
        + `${is([...last.held])} are in memory.`);
    history.setAttribute('aria-label', `Which tiles each of ${side.steps} steps read.`);
}

function drawCharts() {
    const { a, b } = sides;
    if (!a || !b) return;
    const xMost = Math.max(TILE, a.tokens + a.n, b.tokens + b.n);
    for (const [id, title, unit, more] of CHARTS) {
        const series = { a: a.series(id), b: b.series(id) };
        charts.line($(`chart-${id}`), { series, xMost, mark: id === 'bits' && trained, ...more });
        const ends = Object.entries(series).map(([n, s]) => `${n.toUpperCase()} ${s.length
            ? (more.format ?? ((y) => y.toFixed(2)))(s.at(-1)[1]) : 'nothing yet'}`);
        $(`chart-${id}`).setAttribute('aria-label', `${title}, ${unit}: at the end ${ends.join(', ')}.`);
    }
}

// ---- what is asked
let busy = '';
function setBusy(what) {
    busy = what;
    $('run').disabled = Boolean(what);
    $('stop').disabled = what !== 'run' && what !== 'model';
    for (const id of ['fresh', 'model', 'model-file']) $(id).disabled = Boolean(what);
}

function setText(text, hidden = '') {
    const bytes = new TextEncoder().encode(text).length;
    $('input').value = text;
    key = hidden;
    $('text-note').textContent = `${count(bytes)} bytes.${hidden ? ` The pass key ${hidden} is hidden in them.` : ''}`;
}

async function freshText() {
    if (busy) return;
    setBusy('text');
    const length = Number($('length').value) - 1, filler = await asset('held-out.txt');
    const { text, key: hidden } = await sides.a.ask({ passkey: { length, depth: Number($('depth').value),
        filler, seed: crypto.getRandomValues(new Uint32Array(1))[0] } }, 'passkey');
    setText(text, hidden);
    setBusy('');
}

async function example() {
    setText(new TextDecoder().decode(await asset('passkey.txt')), '62379');
}

async function textFile() {
    const [file] = $('text-file').files;
    if (!file) return;
    if (file.size > TEXT_MOST)
        return fault(`${file.name} has ${kib(file.size)}; a text may have ${kib(TEXT_MOST)} here.`);
    fault('');
    setText(await file.text());
}

function loading(name, { done, total }) {
    $('progress').value = (name === 'b' ? 0.5 : 0) + done / total / 2;
}

async function restart(side) {
    side.worker.terminate();
    sides[side.name] = new Side(side.name, side.program);
    await sides[side.name].start();
}

// Both settings open the same file.
async function openModel(blob, name) {
    let opened;
    for (const id of ['a', 'b']) {
        if (sides[id].broken) await restart(sides[id]);
        opened = await sides[id].ask({ open: { blob, name, most: FILE_MOST } }, 'opened');
    }
    trained = opened.trained, ofBytes = Boolean(opened.ofBytes);
    $('layer').innerHTML = Array.from({ length: opened.layers }, (_, i) => option([i, i + 1])).join('');
    $('layer').value = Math.min(opened.layers - 1, 1);
    $('model-note').textContent = `${opened.layers} layers, trained on ${count(trained)} tokens. `
        + `The dotted line below is where its training ended.`;
}

async function chooseModel(choice) {
    const [file] = $('model-file').files;
    setBusy('model');
    status('Loading the model.');
    try {
        if (choice === 'file') await openModel(file, file.name);
        else await openModel(new Blob([await asset(`${choice}.gguf`)]), choice);
        status('Ready.');
    } finally {
        $('progress').value = 0;
        setBusy('');
    }
}

async function modelFile() {
    if (!$('model-file').files.length) return;
    const mine = $('model').querySelector('[value=file]');
    fault('');
    try {
        await chooseModel('file');
        mine.hidden = false;
        $('model').value = 'file';
    } catch (error) {
        fault(error.message);
        mine.hidden = true;
        $('model').value = 'toy-yarn';
        $('model-file').value = '';
        await chooseModel('toy-yarn');
    }
}

async function run() {
    if (busy) return;
    fault('');
    const bytes = new TextEncoder().encode($('input').value).length;
    if (bytes > TEXT_MOST) return fault(`The text has ${kib(bytes)}; it may have ${kib(TEXT_MOST)} here.`);
    const bad = document.querySelector('input[type=number]:invalid');
    if (bad) return bad.reportValidity();
    setBusy('run');
    status('Reading and writing.');
    const n = Number($('count').value), layer = Number($('layer').value), text = $('input').value;
    const results = await Promise.allSettled(Object.values(sides).map((side) => side.run(text, n, layer)));
    const failed = results.map((result, i) => result.status === 'rejected'
        && `${'AB'[i]}: ${result.reason.message}`).filter(Boolean);
    if (failed.length) fault(failed.join(' '));
    status(failed.length ? 'It failed.' : Object.values(sides).some((side) => side.end === 'Stopped.') ? 'Stopped.' : 'Done.');
    $('progress').value = 0;
    if (Object.values(sides).some((side) => side.broken)) await chooseModel($('model').value);
    setBusy('');
}
function stop() { if (!$('stop').disabled) Object.values(sides).forEach((side) => side.stop()); }

// ---- the beginning
function listen() {
    const guard = (act) => (event) => Promise.resolve(act(event)).catch((error) => { fault(error.message); setBusy(''); });
    $('example').onclick = guard(example);
    $('fresh').onclick = guard(freshText);
    $('text-file').onchange = guard(textFile);
    $('model').onchange = guard(() => { fault(''); return chooseModel($('model').value); });
    $('model-file').onchange = guard(modelFile);
    $('input').oninput = () => setText($('input').value);
    $('run').onclick = guard(run);
    $('stop').onclick = stop;
    $('layer').onchange = () => Object.values(sides).forEach((side) =>
        side.worker.postMessage({ layer: Number($('layer').value) }));
    document.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) guard(run)();
        if (event.key === 'Escape') stop();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { charts.forget(); redraw(); });
    addEventListener('resize', redraw);
}

async function begin() {
    ['a', 'b'].forEach((name) => { settingsCard(name); resultCard(name); });
    CHARTS.forEach(chartFigure);
    setBusy('start');
    if (!WebAssembly.validate(new Uint8Array(SIMD)))
        throw new Error('This browser has no WebAssembly SIMD, which the page computes with.');
    const threads = crossOriginIsolated
        ? Math.min(CREW_MOST, Math.ceil(navigator.hardwareConcurrency / 2) + 1) : 1;
    const module = await WebAssembly.compile(await asset(threads > 1 ? 'lctx-threads.wasm' : 'lctx.wasm'));
    const source = URL.createObjectURL(new Blob([await asset('worker.js')], { type: 'text/javascript' }));
    for (const name of ['a', 'b']) sides[name] = new Side(name, { module, threads, source });
    await Promise.all(Object.values(sides).map((side) => side.start()));
    $('how').textContent = `Each setting runs in a worker of its own, ${sides.a.threads > 1
        ? `with ${sides.a.threads} threads over one memory` : 'on one thread'}${crossOriginIsolated ? ''
        : ' (more need a page that is cross-origin isolated)'}, as WebAssembly with SIMD.`;
    listen();
    await example();
    await chooseModel('toy-yarn');
    redraw();
}
begin().catch((error) => { fault(error.message); status('The page cannot run here.'); });
