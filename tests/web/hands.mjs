// hands.mjs - what the tests do to a page, and how they count.
import { writeFileSync } from 'node:fs';

export const tally = { passed: 0, failed: 0 };
export function check(what, good, seen = '') {
    tally[good ? 'passed' : 'failed']++;
    if (!good) console.log(`FAIL ${what}${seen === '' ? '' : `: ${JSON.stringify(seen)}`}`);
}

export const text = (page, id) => page.eval(`$('${id}').textContent`);
export const click = (page, id) => page.eval(`$('${id}').click()`);
export const set = (page, id, value) => page.eval(`$('${id}').value = '${value}';
    $('${id}').dispatchEvent(new Event('change', { bubbles: true }))`);
export const idle = (page) => page.until('!busy');

// Checks a text of the page, and shows it where it is another one.
export async function says(page, id, words, what) {
    const found = await text(page, id);
    check(what, words.test(found), found);
}

// What the page says of what it does.
export const status = (page, words) => page.until(`$('status').textContent === '${words}'`);
export const ready = (page) => status(page, 'Ready.');
// Done, and drawn.
export const done = async (page) => await status(page, 'Done.')
    && page.until('!drawing');

export async function run(page, what) {
    await page.eval(`status('')`);
    await click(page, 'run');
    check(what, await done(page), await text(page, 'fault'));
}

// A new text with a pass key, of so many tokens.
export async function fresh(page, length) {
    await set(page, 'length', length);
    await page.eval(`$('input').value = ''`);
    await click(page, 'fresh');
    const made = await page.until(`!busy && $('input').value.length > ${length} - 100
        && $('input').value.length <= ${length}`);
    check(`a text of ${length} tokens is made`, made);
}

// A fault is told in a sentence.
export async function sentence(page, words, what) {
    await page.until(`!$('fault').hidden`);
    await says(page, 'fault', words, what);
}

// What the charts of a setting have, and its last map.
export const series = (page, side, name) =>
    page.eval(`JSON.stringify(sides.${side}.series('${name}'))`);
export const last = (page, side) => page.eval(`(({ seen, held, layer }) =>
    ({ seen: [...seen], held: [...held], layer }))(sides.${side}.last)`);

// A page given to a function; afterwards it must not have complained.
export async function visit(browser, name, url, options, act) {
    const page = await browser.open(url, options);
    try {
        await act(page);
        check(`${name}: no errors on the console`, !page.complaints.length, page.complaints);
    } catch (error) {
        check(`${name}: ${error.stack}`, false);
    }
    await page.close();
}

export const picture = async (page, path) => writeFileSync(path, await page.picture());
