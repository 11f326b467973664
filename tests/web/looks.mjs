// looks.mjs - the page by keyboard alone, in both schemes and at several widths.
import { join } from 'node:path';
import { sleep } from './browser.mjs';
import { check, click, done, fresh, idle, picture, ready, run, says, set, status, text }
    from './hands.mjs';

const CONTROLS = 'button, select, input, textarea';
const every = (selector, test) =>
    `[...document.querySelectorAll('${selector}')].every((e) => ${test})`;

export async function keyboard(page) {
    const reached = new Set();
    await ready(page);
    const wanted = await page.eval(`[...document.querySelectorAll('${CONTROLS}')]
        .filter((e) => !e.disabled && !e.hidden).map((e) => e.id)`);
    for (let i = 0; i < 40; i++) {
        await page.key('Tab');
        reached.add(await page.eval('document.activeElement.id'));
    }
    const missed = wanted.filter((id) => !reached.has(id));
    check('Tab reaches every control', !missed.length, missed);
    check('what has the focus is outlined', await page.eval(`$('fresh').focus(),
        getComputedStyle($('fresh')).outlineStyle === 'solid'`));
    await page.eval(`$('a-scheme').focus()`);
    await page.key('ArrowDown');
    check('arrows choose', await page.eval(`$('a-scheme').value`) === '6');
    await set(page, 'a-scheme', 5);
    await fresh(page, 16384);
    await page.eval(`$('run').focus()`);
    await page.key('Enter', { text: '\r' });
    check('Enter on the button runs', await page.until(`busy === 'run' && sides.a.fed > 0`));
    await page.key('Escape');
    check('Escape stops', await status(page, 'Stopped.'), await text(page, 'status'));
    await click(page, 'example');
    await idle(page);
    await page.eval(`status(''), $('input').focus()`);
    await page.key('Enter', { modifiers: 2 });
    check('Ctrl Enter runs from the text', await done(page));
    await says(page, 'a-what', /^Found the key 62379\.$/, 'to the key');
    check('every control has a name', await page.eval(every('select, input, textarea',
        'e.labels.length && e.labels[0].textContent.trim()')));
    check('every picture has one',
        await page.eval(every('[role=img]', `e.getAttribute('aria-label')`)));
}

// The least contrast of text against what it stands on, as WCAG counts it.
const CONTRAST = `(() => {
    const style = getComputedStyle(document.documentElement);
    const linear = (x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    const light = (name) => {
        const c = new OffscreenCanvas(1, 1).getContext('2d');
        c.fillStyle = style.getPropertyValue('--' + name);
        c.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...c.getImageData(0, 0, 1, 1).data].map((x) => linear(x / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (x, y) => {
        const lights = [light(x) + 0.05, light(y) + 0.05];
        return Math.max(...lights) / Math.min(...lights);
    };
    const pairs = ['ink', 'soft', 'accent', 'fault'].flatMap((x) => [[x, 'paper'], [x, 'card']]);
    pairs.push(['on-accent', 'accent'], ['soft', 'gone'], ['accent', 'gone']);
    return Math.min(...pairs.map(([x, y]) => ratio(x, y)));
})()`;
const WIDE = `[...document.querySelectorAll('*')].filter((e) =>
    e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.id || e.className || e.tagName)`;

async function oneScheme(page, dark, build) {
    const name = dark ? 'dark' : 'light';
    await page.shape({ width: 1200, height: 1000, dark });
    await sleep(200);
    const contrast = await page.eval(CONTRAST);
    check(`${name}: text has contrast`, contrast >= 4.5, contrast);
    await picture(page, join(build, `web.${name}.png`));
    for (const width of [320, 390, 768]) {
        await page.shape({ width, height: 844, dark });
        await sleep(200);
        const fits = await page.eval('document.documentElement.scrollWidth <= innerWidth');
        check(`${name}, ${width} wide: nothing scrolls sideways`, fits, await page.eval(WIDE));
        if (width === 390) await picture(page, join(build, `web.phone-${name}.png`));
    }
    return page.eval('getComputedStyle(document.body).backgroundColor');
}

export async function looks(page, build) {
    await ready(page);
    await run(page, 'it runs as it is opened');
    const light = await oneScheme(page, false, build), dark = await oneScheme(page, true, build);
    check('the schemes differ', light !== dark, [light, dark]);
}
