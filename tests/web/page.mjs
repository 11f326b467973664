// page.mjs CHROMIUM BUILD - what the page promises, tried out in a browser.
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser, serve, sleep } from './browser.mjs';

const [program, build] = process.argv.slice(2);
const site = resolve(build, 'web'), toys = resolve('examples/toy');
const work = mkdtempSync(join(tmpdir(), 'lctx-web-files-'));
const PROCESSORS = (n) => `Object.defineProperty(Navigator.prototype, 'hardwareConcurrency', { get: () => ${n} });`;
let passed = 0, failed = 0;

function check(what, good, seen = '') {
    if (good) passed++;
    else failed++, console.log(`FAIL ${what}${seen === '' ? '' : `: ${JSON.stringify(seen)}`}`);
}

// ---- what the tests do to a page
const text = (page, id) => page.eval(`document.getElementById('${id}').textContent`);
const set = (page, id, value) => page.eval(`{ const field = document.getElementById('${id}');
    field.value = '${value}'; field.dispatchEvent(new Event('change', { bubbles: true })); }`);
const click = (page, id) => page.eval(`document.getElementById('${id}').click()`);
const status = (page, words, seconds) => page.until(`document.getElementById('status').textContent === '${words}'`, seconds);
const ready = (page) => status(page, 'Ready.');
const series = (page, side, name) => page.eval(`JSON.stringify(sides.${side}.series('${name}'))`);
const last = (page, side) => page.eval(`(({ seen, held }) => ({ seen: [...seen], held: [...held] }))(sides.${side}.last)`);

// Done, and drawn.
const done = async (page, seconds = 120) => await status(page, 'Done.', seconds)
    && page.eval('new Promise((drawn) => requestAnimationFrame(() => drawn(true)))');
async function run(page) {
    await page.eval(`document.getElementById('status').textContent = ''`);
    await click(page, 'run');
    return done(page);
}
async function fresh(page, length) {
    await set(page, 'length', length);
    await click(page, 'fresh');
    return page.until(`!busy && document.getElementById('input').value.length > ${length} - 100
        && document.getElementById('input').value.length <= ${length}`, 20);
}
// A page that is ready, given to a function; afterwards it must not have complained.
async function visit(browser, name, url, options, act) {
    const page = await browser.open(url, options);
    try {
        await act(page);
        check(`${name}: no errors on the console`, !page.complaints.length, page.complaints);
    } catch (error) {
        check(`${name}: ${error.stack}`, false);
    }
    await page.close();
}
const keep = async (page, name) => writeFileSync(join(build, `web.${name}.png`), await page.picture());

// ---- what is promised
async function answers(page) {
    check('the page gets ready', await ready(page), await text(page, 'fault'));
    check('both settings run', await run(page), await text(page, 'fault'));
    check('YaRN over all keys gives the pass key', /is 62379\./.test(await text(page, 'a-answer')), await text(page, 'a-answer'));
    check('and the page says so', await text(page, 'a-what') === 'Found the key 62379.', await text(page, 'a-what'));
    check('sinks and a window do not', await text(page, 'b-what') === 'Did not find 62379.', await text(page, 'b-what'));
    check('all keys are read', /^([\d,]+) of \1$/.test(await text(page, 'a-fact-read')), await text(page, 'a-fact-read'));
    check('a window reads as many as it keeps', /^256 of 4,/.test(await text(page, 'b-fact-read')), await text(page, 'b-fact-read'));
    check('bytes, times and bits stand there', await page.eval(
        `[...document.querySelectorAll('#results dd')].every((dd) => /^[0-9]/.test(dd.textContent))`));
    check('charts have lines and labelled axes', await page.eval(`[...document.querySelectorAll('#charts svg')].every((svg) =>
        svg.querySelectorAll('polyline').length === 2 && /position in the text/.test(svg.textContent)
        && svg.querySelector('polyline.a').getAttribute('points').split(' ').length > 40)`));
}

async function map(page) {
    const a = await last(page, 'a'), b = await last(page, 'b'), n = b.seen.length;
    check('the map has every tile read', a.seen.every((x) => x === 255) && a.held.every((x) => x === 255));
    check('of a window the sinks, in part', b.seen[0] === Math.ceil(255 * 4 / 64), b.seen[0]);
    check('and the last tiles', b.seen[n - 1] === 255 && b.seen.slice(1, n - 6).every((x) => x === 0), b.seen);
    check('the rest is evicted', b.held.slice(1, n - 6).every((x) => x === 0), b.held);
    check('it has colours', await page.eval(`['a', 'b'].every((n) => { const c = document.getElementById(n + '-history');
        return new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size > 1; })`));
}

async function heavy(page) {
    check('a text is made', await fresh(page, 1024));
    await set(page, 'a-policy', 3), await set(page, 'a-keep', 128), await set(page, 'layer', 2);
    await set(page, 'b-policy', 1), await set(page, 'b-keep', 128);
    check('heavy hitters run', await run(page), await text(page, 'fault'));
    const { seen, held } = await last(page, 'a'), old = seen.slice(0, -4);
    check('they are kept in part, in many places', old.filter((x) => x > 0 && x < 255).length > 3, seen);
    check('and all read', seen.every((x, i) => x === held[i]));
    check('the layer chosen is shown', await page.eval('sides.a.last.layer') === 2);
    await keep(page, 'heavy');
    await set(page, 'layer', 0);
    check('another can be, afterwards', await page.until('sides.a.last.layer === 0')
        && `${(await last(page, 'a')).seen}` !== `${seen}`);
}

async function chosen(page) {
    await ready(page);
    await set(page, 'b-scheme', 5), await set(page, 'b-policy', 4), await set(page, 'b-keep', 512);
    check('keeping all and reading some runs', await run(page), await text(page, 'fault'));
    check('it finds the key', await text(page, 'b-what') === 'Found the key 62379.', await text(page, 'b-what'));
    check('it reads as much as it may', /^5\d\d of 4,/.test(await text(page, 'b-fact-read')), await text(page, 'b-fact-read'));
    const { seen, held } = await last(page, 'b');
    check('all is in memory', held.every((x) => x === 255), held);
    check('sinks and the last tiles are read', seen[0] === 255 && seen.at(-1) === 255 && seen.at(-2) === 255, seen);
    const map = `${seen}`, layers = [];
    for (const layer of [0, 1, 2, 3]) {
        await set(page, 'layer', layer);
        check(`layer ${layer} is shown`, await page.until(`sides.b.last.layer === ${layer}`));
        layers.push(`${(await last(page, 'b')).seen}`);
    }
    check('layers choose for themselves', new Set(layers).size === 4 && layers[1] === map, layers);
    await set(page, 'layer', 1), await run(page);
    check('the key is read where it is copied', await page.eval(
        `sides.b.rows.slice(-6).filter(({ seen }) => seen[keyTile()]).length > 3`));
    await keep(page, 'chosen');
}

// Every scheme, policy and type, on short texts.
async function choices(page) {
    check('a short text is made', await fresh(page, 512));
    for (let i = 0; i < 8; i++) {
        for (const side of ['a', 'b']) {
            await set(page, `${side}-scheme`, side === 'a' ? i - 1 : 5);
            await set(page, `${side}-factor`, side === 'a' ? '' : i + 1);
            await set(page, `${side}-policy`, side === 'a' ? i % 5 : (i + 1) % 5);
            await set(page, `${side}-type`, side === 'a' ? (i + 3) % 5 : (i + 2) % 5);
        }
        const done = await run(page), bits = JSON.parse(await series(page, 'a', 'bits'));
        check(`choices ${i}: run`, done, await text(page, 'fault'));
        check(`choices ${i}: bits are numbers`, bits.length > 6 && bits.every(([, y]) => y >= 0 && y < 20), bits);
    }
}

async function stops(page, name) {
    await fresh(page, 16384);
    await click(page, 'run');
    check(`${name}: a long run begins`, await page.until('sides.a.fed > 0'));
    check(`${name}: progress shows`, await page.until(`document.getElementById('progress').value > 0`));
    await click(page, 'stop');
    check(`${name}: it stops`, await status(page, 'Stopped.', 10), await text(page, 'status'));
    check(`${name}: before the end`, await page.eval('sides.a.fed < sides.a.tokens'));
    await fresh(page, 512);
    check(`${name}: and runs again`, await run(page), await text(page, 'fault'));
}

// Through shared memory alone, as where a feed is long.
async function cancels(page) {
    await fresh(page, 16384);
    await click(page, 'run');
    await page.until('sides.a.fed > 0');
    await page.eval('Atomics.store(sides.a.flag, 0, 1)');
    check('a feed is cancelled', await page.until(`sides.a.end === 'Stopped.'`, 10));
    await click(page, 'stop');
    await page.until('!busy', 10);
}

async function sentence(page, what, words) {
    check(what, await page.until(`!document.getElementById('fault').hidden`, 30)
        && words.test(await text(page, 'fault')), await text(page, 'fault'));
}

function file(name, content, size = 0) {
    const path = join(work, name), f = openSync(path, 'w');
    writeSync(f, content);
    if (size) ftruncateSync(f, size);
    closeSync(f);
    return path;
}

async function badFiles(page) {
    const toy = readFileSync(join(toys, 'toy.gguf'));
    const cases = [
        ['a file that is no GGUF', file('notes.txt', 'A note.'), /^notes\.txt is no GGUF file\.$/],
        ['an empty one', file('empty.gguf', ''), /^empty\.gguf is no GGUF file\.$/],
        ['a huge one', file('huge.gguf', 'GGUF', 3 * 2 ** 30), /^huge\.gguf has 3\.0 GiB; this page takes 1\.5 GiB at most\.$/],
        ['one cut off', file('cut.gguf', toy.subarray(0, 300000)), /^cut\.gguf cannot be used: .*\.$/],
        ['one of noise', file('noise.gguf', Buffer.concat([toy.subarray(0, 8), Buffer.alloc(5000, 0xA7)])), /^noise\.gguf cannot be used: .*\.$/],
    ];
    for (const [what, path, words] of cases) {
        await page.files('#model-file', path);
        await sentence(page, `${what} is refused in a sentence`, words);
        check(`${what}: the toy is back`, await ready(page) && await page.until('!busy'));
        await page.eval(`fault('')`);
    }
    await page.files('#model-file', file('large.gguf', 'GGUF', 2 ** 28));
    check('loading shows progress', await page.until(`document.getElementById('progress').value > 0`));
    await click(page, 'stop');
    await sentence(page, 'and can be stopped', /^Loading was stopped\.$/);
    check('the toy is back then', await ready(page) && await page.until('!busy'));
    await page.files('#text-file', file('long.txt', 'x', 2 ** 21));
    await sentence(page, 'a text too long is refused in a sentence', /^long\.txt has 2\.0 MiB; a text may have 1\.0 MiB here\.$/);
    await page.files('#text-file', file('short.txt', 'Call me Ishmael.'));
    check('a text of one\'s own is taken', await page.until(`document.getElementById('input').value === 'Call me Ishmael.'`));
    await page.files('#model-file', join(toys, 'toy.gguf'));
    check('a model of one\'s own is taken', await page.until(`!busy && document.getElementById('model').value === 'file'`));
    check('and runs', await run(page), await text(page, 'fault'));
    await set(page, 'input', '');
    await click(page, 'run');
    check('an empty text is one token, or a sentence', await page.until('!busy', 20));
}

// A worker that is lost is replaced when a model is opened.
async function lost(page) {
    await ready(page);
    await page.eval('sides.b.worker.terminate(); sides.b.broken = true');
    await set(page, 'model', 'toy');
    check('a lost worker is replaced', await page.until('!busy && !sides.b.broken', 20));
    await fresh(page, 512);
    check('and runs', await run(page), await text(page, 'fault'));
}

// Only keys: to every control and through a run.
async function keyboard(page) {
    const reached = new Set();
    await ready(page);
    const wanted = await page.eval(`[...document.querySelectorAll('button, select, input, textarea')]
        .filter((e) => !e.disabled && !e.hidden).map((e) => e.id)`);
    for (let i = 0; i < 40; i++) {
        await page.key('Tab');
        reached.add(await page.eval('document.activeElement.id'));
    }
    check('Tab reaches every control', wanted.every((id) => reached.has(id)), wanted.filter((id) => !reached.has(id)));
    check('what has the focus is outlined', await page.eval(`{ document.getElementById('fresh').focus();
        getComputedStyle(document.getElementById('fresh')).outlineStyle === 'solid' }`));
    await page.eval(`document.getElementById('a-scheme').focus()`);
    await page.key('ArrowDown');
    check('arrows choose', await page.eval(`document.getElementById('a-scheme').value`) === '6');
    await set(page, 'a-scheme', 5);
    await page.eval(`document.getElementById('run').focus()`);
    await page.key('Enter', { text: '\r' });
    check('Enter on the button runs', await page.until(`busy === 'run' && sides.a.fed > 0`, 20));
    await page.key('Escape');
    check('Escape stops', await status(page, 'Stopped.', 20), await text(page, 'status'));
    await page.eval(`document.getElementById('input').focus()`);
    await page.key('Enter', { modifiers: 2 });
    check('Ctrl Enter runs from the text', await page.until(`busy === 'run'`, 20));
    check('to the key', await done(page) && await text(page, 'a-what') === 'Found the key 62379.', await text(page, 'a-what'));
    check('every control has a name', await page.eval(`[...document.querySelectorAll('select, input, textarea')]
        .every((e) => e.labels.length && e.labels[0].textContent.trim())`));
    check('every picture has one', await page.eval(`[...document.querySelectorAll('[role=img]')].every((e) => e.getAttribute('aria-label'))`));
}

// Contrast of text against what it stands on, as WCAG counts it.
const CONTRAST = `(() => {
    const rgb = (color) => { const c = document.createElement('canvas').getContext('2d');
        c.fillStyle = color; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); };
    const light = (color) => { const [r, g, b] = rgb(color).map((x) => x / 255)
        .map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const style = getComputedStyle(document.documentElement), of = (name) => light(style.getPropertyValue('--' + name));
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return Math.min(...['ink', 'soft', 'accent', 'fault'].flatMap((t) => ['paper', 'card'].map((p) => ratio(of(t), of(p)))),
        ratio(of('on-accent'), of('accent')), ratio(of('soft'), of('gone')));
})()`;
async function looks(page) {
    const paper = [];
    await ready(page);
    await set(page, 'count', 8);
    await run(page);
    for (const dark of [false, true]) {
        const name = dark ? 'dark' : 'light';
        await page.shape({ width: 1200, height: 1000, dark });
        paper.push(await page.eval('getComputedStyle(document.body).backgroundColor'));
        check(`${name}: text has contrast`, await page.eval(CONTRAST) >= 4.5, await page.eval(CONTRAST));
        await sleep(200);
        await keep(page, name);
        for (const width of [320, 390, 768]) {
            await page.shape({ width, height: 844, dark });
            await sleep(200);
            check(`${name}, ${width} wide: nothing scrolls sideways`, await page.eval(
                'document.documentElement.scrollWidth <= innerWidth'), await page.eval(`[...document.querySelectorAll('*')]
                .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.id || e.className || e.tagName).slice(0, 5)`));
            if (width === 390) await keep(page, `phone-${name}`);
        }
    }
    check('the schemes differ', paper[0] !== paper[1], paper);
}

async function all(browser) {
    const plain = await serve(site, false), isolated = await serve(site, true), tall = { height: 2400 };
    let bits = '';
    await visit(browser, 'one thread', plain.url, tall, async (page) => {
        await answers(page);
        await map(page);
        bits = await series(page, 'a', 'bits');
        check('the page says that it has one thread', /on one thread/.test(await text(page, 'how')), await text(page, 'how'));
        await heavy(page);
        await choices(page);
        await stops(page, 'one thread');
    });
    await visit(browser, 'threads', isolated.url, { before: PROCESSORS(4) }, async (page) => {
        await answers(page);
        check('the page says that it has threads', /with 3 threads/.test(await text(page, 'how')), await text(page, 'how'));
        check('threads change no bit', await series(page, 'a', 'bits') === bits);
        await stops(page, 'threads');
        await cancels(page);
    });
    await visit(browser, 'reading some', isolated.url, { before: PROCESSORS(2) }, chosen);
    await visit(browser, 'from the disk', pathToFileURL(join(site, 'index.html')).href, {}, async (page) => {
        await ready(page);
        await fresh(page, 512);
        check('a page from the disk runs', await run(page), await text(page, 'fault'));
    });
    await visit(browser, 'bad files', plain.url, {}, async (page) => { await ready(page); await badFiles(page); });
    await visit(browser, 'a lost worker', plain.url, {}, lost);
    await visit(browser, 'no SIMD', plain.url, { before: 'WebAssembly.validate = () => false;' }, (page) =>
        sentence(page, 'a browser without SIMD gets a sentence', /^This browser has no WebAssembly SIMD/));
    await visit(browser, 'keys', plain.url, {}, keyboard);
    await visit(browser, 'looks', plain.url, {}, looks);
    plain.close(), isolated.close();
}

const browser = new Browser(program);
try {
    await all(browser);
} catch (error) {
    check(`the browser: ${error.stack}`, false);
}
await browser.close();
rmSync(work, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
