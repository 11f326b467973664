// page.mjs CHROMIUM BUILD - what the page promises, tried out in a browser.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Browser, serve } from './browser.mjs';
import { files, lost, noSimd } from './files.mjs';
import { check, click, fresh, idle, last, picture, ready, run, says, sentence, series, set, status,
    tally, text, visit } from './hands.mjs';
import { keyboard, looks } from './looks.mjs';

const [program, build] = process.argv.slice(2);
const site = resolve(build, 'web');
const processors = (n) => ({ before: `Object.defineProperty(Navigator.prototype,
    'hardwareConcurrency', { get: () => ${n} });` });
const NO_SIMD = { before: 'WebAssembly.validate = () => false;' };

// All keys against a window.
async function answers(page) {
    check('the page gets ready', await ready(page), await text(page, 'fault'));
    await set(page, 'a-policy', 0);
    await run(page, 'both settings run');
    await says(page, 'a-answer', /is 62379\./, 'YaRN over all keys gives the pass key');
    await says(page, 'a-what', /^Found the key 62379\.$/, 'and the page says so');
    await says(page, 'b-what', /^Did not find 62379\.$/, 'sinks and a window do not');
    await says(page, 'a-fact-read', /^([\d,]+) of \1$/, 'all keys are read');
    await says(page, 'b-fact-read', /^256 of 4,/, 'a window reads as many as it keeps');
    check('bytes, times and bits stand there', await page.eval(
        `[...document.querySelectorAll('#results dd')].every((e) => /^\\d/.test(e.textContent))`));
    check('charts have lines and labelled axes', await page.eval(
        `[...document.querySelectorAll('#charts svg')].every((svg) =>
            svg.querySelectorAll('polyline').length === 2 && /position in/.test(svg.textContent)
            && svg.querySelector('.line.a').getAttribute('points').split(' ').length > 40)`));
}

async function map(page) {
    const a = await last(page, 'a'), b = await last(page, 'b'), n = b.seen.length;
    const between = (tiles) => tiles.slice(1, n - 6);
    check('the map has every tile read', [...a.seen, ...a.held].every((x) => x === 255), a);
    check('of a window the sinks, in part', b.seen[0] === Math.ceil(255 * 4 / 64), b.seen[0]);
    check('and the last tiles', b.seen[n - 1] === 255 && !between(b.seen).some(Boolean), b.seen);
    check('the rest is evicted', !between(b.held).some(Boolean), b.held);
    check('it has colours', await page.eval(`['a', 'b'].every((name) => {
        const c = $(name + '-history'), { width, height } = c;
        const { data } = c.getContext('2d').getImageData(0, 0, width, height);
        return new Set(new Uint32Array(data.buffer)).size > 1;
    })`));
}

async function heavy(page) {
    await fresh(page, 1024);
    await page.eval('redraw()');
    await page.until('!drawing');
    await says(page, 'a-what', /62379/, 'results stay those of the text that was read');
    await set(page, 'layer', 2);
    await set(page, 'a-policy', 3), await set(page, 'a-keep', 128);
    await set(page, 'b-policy', 1), await set(page, 'b-keep', 128);
    await run(page, 'heavy hitters run');
    const { seen, held, layer } = await last(page, 'a'), old = seen.slice(0, -4);
    check('they are kept in part, in many places', old.filter((x) => x % 255).length > 3, seen);
    check('and all read', `${seen}` === `${held}`, [seen, held]);
    check('the layer chosen is shown', layer === 2, layer);
    await picture(page, join(build, 'web.heavy.png'));
}

// All keys kept, some read.
async function chooses(page) {
    const maps = [];
    await ready(page);
    await run(page, 'keeping all and reading some runs');
    await says(page, 'a-what', /^Found the key 62379\.$/, 'it finds the key');
    await says(page, 'a-fact-read', /^5\d\d of 4,/, 'it reads as much as it may');
    check('the key is read where it is copied', await page.eval(
        `sides.a.rows.slice(-6).filter(({ seen }) => seen[sides.a.keyTile]).length > 3`));
    const { seen, held } = await last(page, 'a');
    check('all is in memory', held.every((x) => x === 255), held);
    check('sinks and the last tiles are read', [seen[0], seen.at(-1), seen.at(-2)]
        .every((x) => x === 255), seen);
    for (const layer of [0, 1, 2, 3]) {
        await set(page, 'layer', layer);
        check(`layer ${layer} is shown`, await page.until(`sides.a.last.layer === ${layer}`));
        maps.push(`${(await last(page, 'a')).seen}`);
    }
    check('layers choose for themselves', new Set(maps).size === 4 && maps[1] === `${seen}`, maps);
}

// Every scheme, policy and type, on short texts.
async function choices(page) {
    await fresh(page, 512);
    for (let i = 0; i < 8; i++) {
        const values = { 'a-scheme': i - 1, 'a-factor': '', 'a-policy': i % 5,
            'a-type': (i + 3) % 5, 'b-scheme': 5, 'b-factor': i + 1, 'b-policy': (i + 1) % 5,
            'b-type': (i + 2) % 5 };
        for (const [id, value] of Object.entries(values)) await set(page, id, value);
        await run(page, `choices ${i} run`);
        const bits = JSON.parse(await series(page, 'a', 'bits'));
        check(`choices ${i}: bits are numbers`, bits.length > 6
            && bits.every(([, y]) => y >= 0 && y < 20), bits);
    }
}

async function stops(page, name) {
    await fresh(page, 16384);
    await click(page, 'run');
    check(`${name}: a long run begins`, await page.until('sides.a.fed > 0'));
    check(`${name}: progress shows`, await page.until(`$('progress').value > 0`));
    await click(page, 'stop');
    check(`${name}: it stops`, await status(page, 'Stopped.'), await text(page, 'status'));
    check(`${name}: before the end`, await page.eval('sides.a.fed < sides.a.tokens'));
    await fresh(page, 512);
    await run(page, `${name}: it runs again`);
}

// Far distances, on raw keys; settings that exclude each other give a sentence.
async function far(page) {
    await fresh(page, 2048);
    await set(page, 'a-scheme', -1), await set(page, 'a-policy', 0);
    await set(page, 'b-scheme', 0), await set(page, 'b-policy', 0);
    for (const kind of [1, 2, 3]) {
        await set(page, 'a-far', kind);
        await run(page, `far distances ${kind} run`);
        const bits = await page.eval('[sides.a, sides.b].map(({ tally }) => tally.bits / tally.n)');
        check(`far distances ${kind} keep the likelihood`, bits[0] < bits[1] - 0.5, bits);
    }
    await set(page, 'a-policy', 4);
    await click(page, 'run');
    await sentence(page, /^A: These settings do not work: .*n_read.*\.$/,
        'a sentence refuses settings that exclude each other');
    await idle(page);
    await set(page, 'a-far', 0), await set(page, 'a-policy', 4);
}

// Through shared memory alone, as where a feed is long.
async function cancels(page) {
    await fresh(page, 16384);
    await click(page, 'run');
    await page.until('sides.a.fed > 0');
    await page.eval('Atomics.store(sides.a.flag, 0, 1)');
    check('a feed is cancelled', await page.until(`sides.a.end === 'Stopped.'`));
    await click(page, 'stop');
    await idle(page);
}

async function all(browser) {
    const plain = await serve(site, false), isolated = await serve(site, true);
    const disk = pathToFileURL(join(site, 'index.html')).href;
    let bits = '';
    await visit(browser, 'one thread', plain.url, {}, async (page) => {
        await answers(page);
        await map(page);
        bits = await series(page, 'a', 'bits');
        await says(page, 'how', /on one thread/, 'the page says that it has one thread');
        await heavy(page);
        await choices(page);
        await far(page);
        await stops(page, 'one thread');
    });
    await visit(browser, 'threads', isolated.url, processors(4), async (page) => {
        await answers(page);
        await says(page, 'how', /with 3 threads/, 'the page says that it has threads');
        check('threads change no bit', await series(page, 'a', 'bits') === bits);
        await stops(page, 'threads');
        await cancels(page);
    });
    await visit(browser, 'reading some', isolated.url, processors(2), chooses);
    await visit(browser, 'from the disk', disk, {}, async (page) => {
        await ready(page);
        await fresh(page, 512);
        await run(page, 'a page from the disk runs');
    });
    await visit(browser, 'files', plain.url, {}, files);
    await visit(browser, 'a lost worker', plain.url, {}, lost);
    await visit(browser, 'no SIMD', plain.url, NO_SIMD, noSimd);
    await visit(browser, 'keys', plain.url, {}, keyboard);
    await visit(browser, 'looks', plain.url, {}, (page) => looks(page, build));
    plain.close();
    isolated.close();
}

const browser = new Browser(program);
setTimeout(() => {
    console.log('FAIL the page hangs');
    process.exit(1);
}, 1200e3).unref();
try {
    await all(browser);
} catch (error) {
    check(`the browser: ${error.stack}`, false);
}
await browser.close();
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed ? 1 : 0;
