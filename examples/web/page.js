// The page: what is asked, and two settings that answer.
'use strict';
const TEXT_MOST = 2 ** 20, FILE_MOST = 1.5 * 2 ** 30, CREW_MOST = 4;
// A function of no arguments that gives a vector of 128 bits.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65,
    0, 253, 15, 253, 98, 11];

// ---- what is asked
const sides = {};                              // a and b
let busy = '', key = '';                       // the pass key, where one is hidden
let trained = 0, ofBytes = false;              // of the model
function setBusy(what) {
    busy = what;
    $('run').disabled = Boolean(what);
    $('stop').disabled = what !== 'run' && what !== 'model';
    for (const id of ['fresh', 'model', 'model-file']) $(id).disabled = Boolean(what);
}

function setText(text, hidden = '') {
    $('input').value = text;
    key = hidden;
    $('text-note').textContent = `${count(bytesOf(text))} bytes.`
        + (hidden && ` The pass key ${hidden} is hidden in them.`);
}

async function freshText() {
    if (busy) return;
    setBusy('text');
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    const asked = { length: Number($('length').value) - 1, depth: Number($('depth').value), seed,
        filler: await asset('held-out.txt') };
    const made = await sides.a.ask({ passkey: asked }, 'passkey');
    setText(made.text, made.key);
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
    $('layer').innerHTML = Array.from({ length: opened.layers }, (_, i) => option([i, i + 1]))
        .join('');
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

// The tile in which the pass key stands: known where bytes are tokens, the first of which begins
// the text.
function keyTile() {
    const text = $('input').value, at = key && ofBytes ? text.indexOf(key) : -1;
    return at < 0 ? -1 : Math.floor((bytesOf(text.slice(0, at)) + 1) / TILE);
}

// Why a run cannot be, as a sentence, or nothing.
function hindrance() {
    const bytes = bytesOf($('input').value);
    const bad = document.querySelector('input[type=number]:invalid');
    if (bad) bad.reportValidity();
    if (bad) return `“${bad.labels[0].textContent.trim()}” has no value that can be.`;
    return bytes <= TEXT_MOST ? ''
        : `The text has ${kib(bytes)}; it may have ${kib(TEXT_MOST)} here.`;
}

async function run() {
    if (busy) return;
    fault(hindrance());
    if (!$('fault').hidden) return;
    setBusy('run');
    status('Reading and writing.');
    const n = Number($('count').value), layer = Number($('layer').value), text = $('input').value;
    const both = Object.values(sides);
    const results = await Promise.allSettled(both.map((side) =>
        side.run(text, n, layer, key, keyTile())));
    const failed = results.map(({ reason }, i) => reason && `${'AB'[i]}: ${reason.message}`)
        .filter(Boolean);
    fault(failed.join(' '));
    status(failed.length ? 'It failed.'
        : both.some((side) => side.end === 'Stopped.') ? 'Stopped.' : 'Done.');
    $('progress').value = 0;
    if (both.some((side) => side.broken)) await chooseModel($('model').value);
    setBusy('');
}
function stop() {
    if (!$('stop').disabled) Object.values(sides).forEach((side) => side.stop());
}

// ---- the beginning
function listen() {
    const guard = (act) => () => act().catch((error) => {
        fault(error.message);
        setBusy('');
    });
    $('example').onclick = guard(example);
    $('fresh').onclick = guard(freshText);
    $('text-file').onchange = guard(textFile);
    $('model').onchange = guard(async () => {
        fault('');
        await chooseModel($('model').value);
    });
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
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
        charts.forget();
        redraw();
    });
    addEventListener('resize', redraw);
}

// Two workers over one module, each with as many threads as there are for it.
async function startSides() {
    const threads = crossOriginIsolated
        ? Math.min(CREW_MOST, Math.ceil(navigator.hardwareConcurrency / 2) + 1) : 1;
    const code = await asset(threads > 1 ? 'lctx-threads.wasm' : 'lctx.wasm');
    const script = new Blob([await asset('worker.js')], { type: 'text/javascript' });
    const module = await WebAssembly.compile(code), source = URL.createObjectURL(script);
    for (const name of ['a', 'b']) sides[name] = new Side(name, { module, threads, source });
    await Promise.all(Object.values(sides).map((side) => side.start()));
    $('how').textContent = 'It computes as WebAssembly with SIMD, each setting in its own worker, '
        + (sides.a.threads > 1 ? `with ${sides.a.threads} threads over one memory.`
            : 'on one thread.')
        + (crossOriginIsolated ? '' : ' More need a page that is cross-origin isolated.');
}

async function begin() {
    ['a', 'b'].forEach((name) => {
        settingsCard(name);
        resultCard(name);
    });
    CHARTS.forEach(chartFigure);
    setBusy('start');
    if (!WebAssembly.validate(new Uint8Array(SIMD)))
        throw new Error('This browser has no WebAssembly SIMD, which the page computes with.');
    await startSides();
    listen();
    await example();
    await chooseModel('toy-yarn');
    redraw();
}

begin().catch((error) => {
    fault(error.message);
    status('The page cannot run here.');
});
