// files.mjs - files that are no models or too large, those that are taken, and lost workers.
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync }
    from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { check, click, fresh, idle, ready, run, says, sentence, set } from './hands.mjs';

const toy = resolve('examples/toy/toy.gguf'), GIB = 2 ** 30;

// A file of that content, drawn out to a size by nothing on the disk.
function file(folder, name, content, size = 0) {
    const path = join(folder, name), f = openSync(path, 'w');
    writeSync(f, content);
    if (size) ftruncateSync(f, size);
    closeSync(f);
    return path;
}

function bad(folder) {
    const bytes = readFileSync(toy), noise = Buffer.alloc(5000, 0xA7);
    const cut = bytes.subarray(0, 300000), mixed = Buffer.concat([bytes.subarray(0, 8), noise]);
    return [
        [file(folder, 'notes.txt', 'A note.'), /^notes\.txt is no GGUF file\.$/],
        [file(folder, 'empty.gguf', ''), /^empty\.gguf is no GGUF file\.$/],
        [file(folder, 'huge.gguf', 'GGUF', 3 * GIB),
            /^huge\.gguf has 3\.0 GiB; this page takes 1\.5 GiB at most\.$/],
        [file(folder, 'cut.gguf', cut), /^cut\.gguf cannot be used: .+\.$/],
        [file(folder, 'noise.gguf', mixed), /^noise\.gguf cannot be used: .+\.$/],
    ];
}

async function refuses(page, folder) {
    for (const [path, words] of bad(folder)) {
        await page.files('#model-file', path);
        await sentence(page, words, `a sentence refuses ${path}`);
        check(`the toy is back after ${path}`, await ready(page) && await idle(page));
        await page.eval(`fault('')`);
    }
}

async function stopsLoading(page, folder) {
    const stopped = page.eval(`new Promise((resolve) => {      // as soon as there is progress
        const end = performance.now() + 180e3;
        const look = () => ($('progress').value || performance.now() > end
            ? resolve($('progress').value) : requestAnimationFrame(look));
        look();
    }).then((progress) => ($('stop').click(), progress > 0))`);
    await page.files('#model-file', file(folder, 'large.gguf', 'GGUF', GIB / 4));
    check('loading shows progress', await stopped);
    await sentence(page, /^Loading was stopped\.$/, 'and can be stopped');
    check('the toy is back then', await ready(page) && await idle(page));
}

async function takes(page, folder) {
    await page.files('#text-file', file(folder, 'long.txt', 'x', 2 ** 21));
    await sentence(page, /^long\.txt has 2\.0 MiB; a text may have 1\.0 MiB here\.$/,
        'a sentence refuses a text that is too long');
    await page.files('#text-file', file(folder, 'short.txt', 'Call me Ishmael.'));
    check('a text of one\'s own is taken',
        await page.until(`$('input').value === 'Call me Ishmael.'`));
    await page.files('#model-file', toy);
    check('a model of one\'s own is taken',
        await page.until(`!busy && $('model').value === 'file'`));
    await run(page, 'and runs');
    await set(page, 'input', '');
    await run(page, 'an empty text is its first token');
    await set(page, 'a-keep', 1);
    await click(page, 'run');
    await sentence(page, /^“Tokens kept or read” has no value that can be\.$/,
        'a sentence refuses a number out of range');
}

export async function files(page) {
    const folder = mkdtempSync(join(tmpdir(), 'lctx-web-files-'));
    await ready(page);
    try {
        await refuses(page, folder);
        await stopsLoading(page, folder);
        await takes(page, folder);
    } finally {
        rmSync(folder, { recursive: true });
    }
}

// A worker that is lost is replaced when a model is opened.
export async function lost(page) {
    await ready(page);
    await page.eval('sides.b.worker.terminate(); sides.b.broken = true');
    await set(page, 'model', 'toy');
    check('a lost worker is replaced', await page.until('!busy && !sides.b.broken'));
    await fresh(page, 512);
    await run(page, 'and runs');
}

// Where the page must say that it cannot run, and why.
export async function noSimd(page) {
    await sentence(page, /^This browser has no WebAssembly SIMD, .+\.$/,
        'a browser without SIMD gets a sentence');
    await says(page, 'status', /^The page cannot run here\.$/, 'and the status says so');
}
