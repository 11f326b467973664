// What is drawn for the settings and their results.
'use strict';
const SCHEMES = [[-1, 'as the file has it'], [0, 'plain'], [1, 'linear (PI)'], [2, 'NTK'],
    [3, 'dynamic NTK'], [4, 'by parts'], [5, 'YaRN'], [6, 'Llama 3']];
const POLICIES = [[0, 'keep all'], [1, 'window'], [2, 'sinks and window'], [3, 'heavy hitters'],
    [4, 'keep all, read some']];
const FAR = [[0, 'as they are'], [1, 'clamped (ReRoPE)'], [2, 'slowed (leaky ReRoPE)'],
    [3, 'grouped (Self-Extend)']];
const TYPES = [[0, 'f32'], [1, 'f16'], [2, 'bf16'], [3, 'int8'], [4, 'int4']];
const DEFAULTS = { a: { scheme: 5, policy: 4, keep: 512, type: 1 },
    b: { scheme: -1, policy: 2, keep: 256, type: 1 } };

// ---- the form
const option = ([value, text]) => `<option value="${value}">${text}</option>`;
function settingsCard(name) {
    const card = document.createElement('fieldset');
    const select = (id, label, list) => `<label for="${name}-${id}">${label}
        <select id="${name}-${id}">${list.map(option).join('')}</select></label>`;
    const number = (id, label, rest) => `<label for="${name}-${id}">${label}
        <input id="${name}-${id}" type="number" ${rest}></label>`;
    card.className = `card ${name}`;
    card.innerHTML = `<legend>${name.toUpperCase()}</legend><div class="fields">
        ${select('scheme', 'RoPE scheme', SCHEMES)}
        ${number('factor', 'Factor', 'min="1" max="1000000" step="any" placeholder="by length"')}
        ${select('far', 'Far distances', FAR)}
        ${select('type', 'Type of keys and values', TYPES)}
        ${select('policy', 'Cache policy', POLICIES)}
        ${number('keep', 'Tokens kept or read', 'min="16" max="1048576"')}</div>`;
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

const FACTS = [['bits', 'Bits per token'], ['cache', 'Bytes held'],
    ['read', 'Tokens a query reads'], ['reading', 'Reading, per token'],
    ['writing', 'Writing, per token'], ['factor', 'RoPE factor']];
function resultCard(name) {
    const card = document.createElement('article'), title = name.toUpperCase();
    const facts = FACTS.map(([id, text]) =>
        `<div><dt>${text}</dt><dd id="${name}-fact-${id}">–</dd></div>`);
    card.className = `card ${name}`;
    card.setAttribute('aria-labelledby', `${name}-title`);
    card.innerHTML = `<div class="head">
        <h3 id="${name}-title"><span class="badge">${title}</span></h3>
        <span class="what" id="${name}-what"></span></div>
        <div class="answer" id="${name}-answer" tabindex="0" role="region"
            aria-label="What ${title} writes"></div>
        <dl class="facts">${facts.join('')}</dl>
        <p class="caption">The last query, in layer <span id="${name}-layer">–</span>: a square is
            <span id="${name}-square">${TILE}</span> tokens of the text</p>
        <canvas id="${name}-strip" role="img"></canvas>
        <p class="caption">Queries so far, newest below: every ${TILE}th as it reads, then each as it
            writes</p>
        <canvas id="${name}-history" role="img"></canvas>
        <div class="ends" aria-hidden="true"><span>0</span>
        <span>position in the text, tokens</span><span id="${name}-tokens"></span></div>`;
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
function draw() {
    const begun = performance.now(), parts = Object.values(sides).map((side) => side.part());
    Object.values(sides).forEach(drawSide);
    drawCharts();
    if (busy === 'run') $('progress').value = parts.reduce((a, b) => a + b, 0) / parts.length;
    return performance.now() - begun;
}

// Soon, but with time for other work: four times what drawing took.
let drawing = false, again = false;
function redraw() {
    again = true;
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
        again = false;
        setTimeout(() => {
            drawing = false;
            if (again) redraw();
        }, 4 * draw());
    });
}

function verdict(side) {
    const { key, end } = side;
    if (!key || !end || end === 'Stopped.') return end;
    return side.written().includes(key) ? `Found the key ${key}.` : `Did not find ${key}.`;
}

function drawAnswer(side) {
    const answer = $(`${side.name}-answer`), asked = document.createElement('span');
    const written = document.createElement('span');
    asked.className = 'asked', written.className = 'written';
    asked.textContent = side.fed ? `… ${side.tail}` : '';
    written.textContent = side.written();
    answer.replaceChildren(asked, written);
}

function drawFacts(side) {
    const set = (id, text) => { $(`${side.name}-fact-${id}`).textContent = text; };
    const written = side.fed - side.tokens;
    const per = (ms, n) => (n > 0 ? `${(ms / n).toFixed(2)} ms` : '–');
    const read = side.last.seen.reduce((sum, x, i) =>
        sum + x / 255 * Math.min(TILE, side.fed - i * TILE), 0);
    $(`${side.name}-what`).textContent = verdict(side);
    set('bits', side.tally.n ? (side.tally.bits / side.tally.n).toFixed(2) : '–');
    set('cache', side.fed ? kib(side.cache) : '–');
    set('read', side.fed ? `${count(read)} of ${count(side.fed)}` : '–');
    set('reading', per(side.spent.reading, Math.min(side.fed, side.tokens)));
    set('writing', per(side.spent.writing, written));
    set('factor', side.fed ? `${+side.factor.toFixed(2)}` : '–');
}

function drawMaps(side) {
    const { name, last } = side, strip = $(`${name}-strip`), history = $(`${name}-history`);
    const total = side.end ? side.fed : side.tokens + side.n;
    const tiles = Math.max(1, Math.ceil(total / TILE)), mark = side.keyTile;
    const some = (array) => [...array].filter(Boolean).length;
    $(`${name}-square`).textContent = TILE * charts.strip(strip, last, tiles, mark);
    charts.history(history, side.rows, tiles, side.rowsMost(), mark);
    $(`${name}-layer`).textContent = last.layer === undefined ? '–' : last.layer + 1;
    $(`${name}-tokens`).textContent = count(total);
    strip.setAttribute('aria-label', `Of ${last.seen.length} tiles the last query reads `
        + `${some(last.seen)}; ${some(last.held)} are in memory.`);
    history.setAttribute('aria-label', `Which tiles each of ${side.steps} steps read.`);
}

function drawSide(side) {
    drawAnswer(side);
    drawFacts(side);
    drawMaps(side);
}

function drawCharts() {
    const { a, b } = sides;
    if (!a || !b) return;
    const xMost = Math.max(TILE, a.tokens + a.n, b.tokens + b.n);
    for (const [id, title, unit, more] of CHARTS) {
        const svg = $(`chart-${id}`), series = { a: a.series(id), b: b.series(id) };
        const format = more.format ?? ((y) => y.toFixed(2));
        const ends = Object.entries(series).map(([name, points]) =>
            `${name.toUpperCase()} ${points.length ? format(points.at(-1)[1]) : 'nothing yet'}`);
        charts.line(svg, { series, xMost, mark: id === 'bits' && trained, ...more });
        svg.setAttribute('aria-label', `${title}, ${unit}: at the end ${ends.join(', ')}.`);
    }
}
