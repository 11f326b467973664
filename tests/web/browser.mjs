// browser.mjs - a headless Chromium, driven over a pipe by its DevTools protocol, and a server of
// one folder. Nothing beyond node is needed.
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript' };

// Serves a folder on a free port; isolated: with the two headers that let pages share memory.
export function serve(folder, isolated) {
    const headers = isolated ? { 'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'require-corp' } : {};
    const server = createServer((request, response) => {
        const { pathname } = new URL(request.url, 'http://x');
        const file = join(folder, normalize(pathname).replace(/\/$/, '/index.html'));
        const type = TYPES[extname(file)] ?? 'text/plain';
        if (!existsSync(file)) return response.writeHead(404).end();
        response.writeHead(200, { ...headers, 'Content-Type': type });
        return createReadStream(file).pipe(response);
    });
    const close = () => server.close();
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () =>
        resolve({ url: `http://127.0.0.1:${server.address().port}/`, close })));
}

export class Browser {
    constructor(program) {
        this.profile = mkdtempSync(join(tmpdir(), 'lctx-web-'));
        this.process = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu',
            '--no-first-run', '--disable-dev-shm-usage', '--disable-background-networking',
            '--remote-debugging-pipe', `--user-data-dir=${this.profile}`, 'about:blank'],
        { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
        this.calls = new Map(), this.pages = new Map(), this.n = 0;
        let rest = '';
        this.process.stdio[4].setEncoding('utf8').on('data', (data) => {
            const messages = (rest + data).split('\0');
            rest = messages.pop();
            messages.forEach((text) => this.take(JSON.parse(text)));
        });
        this.process.on('exit', () =>
            this.calls.forEach(({ reject }) => reject(new Error('Chromium ended'))));
    }
    take({ id, result, error, method, params, sessionId }) {
        const call = this.calls.get(id);
        this.calls.delete(id);
        if (call && error) call.reject(new Error(`${call.method}: ${error.message}`));
        else if (call) call.resolve(result);
        else if (method) this.pages.get(sessionId)?.heard(method, params);
    }
    send(method, params = {}, sessionId = undefined) {
        const id = ++this.n;
        this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
        return new Promise((resolve, reject) => this.calls.set(id, { method, resolve, reject }));
    }
    async close() {
        const ended = new Promise((resolve) => this.process.once('exit', resolve));
        await this.send('Browser.close').catch(() => {});
        await ended;
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
    // A page in a profile of its own; `before` is run ahead of the page's own scripts.
    async open(url, { before, width = 1200, height = 1000, dark = false } = {}) {
        const { browserContextId } = await this.send('Target.createBrowserContext');
        const { targetId } = await this.send('Target.createTarget',
            { url: 'about:blank', browserContextId });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        const page = new Page(this, sessionId, browserContextId);
        this.pages.set(sessionId, page);
        for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await page.send(`${domain}.enable`);
        if (before) await page.send('Page.addScriptToEvaluateOnNewDocument', { source: before });
        await page.shape({ width, height, dark });
        await page.send('Page.navigate', { url });
        return page;
    }
}

const thrown = ({ exception, text }) => exception?.description ?? text;
const KEYS = { Enter: 13, Escape: 27, Tab: 9, ArrowDown: 40 };

class Page {
    constructor(browser, session, context) {
        Object.assign(this, { browser, session, context, complaints: [] });
    }
    send(method, params) { return this.browser.send(method, params, this.session); }
    heard(method, params) {
        if (method === 'Runtime.exceptionThrown')
            this.complaints.push(thrown(params.exceptionDetails));
        if (method === 'Runtime.consoleAPICalled' && /error|warning|assert/.test(params.type))
            this.complaints.push(params.args.map((arg) => arg.value ?? arg.description).join(' '));
        if (method === 'Log.entryAdded' && /error|warning/.test(params.entry.level))
            this.complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    }
    async shape(form) {
        const { width, height, dark } = this.form = form;
        await this.send('Emulation.setDeviceMetricsOverride',
            { width, height, deviceScaleFactor: 1, mobile: width < 600 });
        await this.send('Emulation.setEmulatedMedia', { features: [
            { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    }
    async eval(expression) {
        const { result, exceptionDetails } = await this.send('Runtime.evaluate',
            { expression, awaitPromise: true, returnByValue: true });
        if (exceptionDetails) throw new Error(thrown(exceptionDetails));
        return result.value;
    }
    // Waits until an expression is true; returns whether it came to be.
    async until(expression, seconds = 180) {
        for (let i = 0; i < seconds * 20; i++) {
            if (await this.eval(`Boolean(${expression})`).catch(() => false)) return true;
            await sleep(50);
        }
        return false;
    }
    async key(key, { modifiers = 0, text } = {}) {
        const event = { key, code: key, windowsVirtualKeyCode: KEYS[key], modifiers, text };
        const down = text ? 'keyDown' : 'rawKeyDown';
        await this.send('Input.dispatchKeyEvent', { type: down, ...event });
        await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
    }
    async files(selector, ...paths) {
        const { root } = await this.send('DOM.getDocument');
        const { nodeId } = await this.send('DOM.querySelector', { nodeId: root.nodeId, selector });
        await this.send('DOM.setFileInputFiles', { nodeId, files: paths });
    }
    // All of the page, in a window as high as it is.
    async picture() {
        const { cssContentSize } = await this.send('Page.getLayoutMetrics');
        const { form } = this;
        await this.shape({ ...form, height: Math.ceil(cssContentSize.height) });
        await sleep(300);
        const { data } = await this.send('Page.captureScreenshot');
        await this.shape(form);
        return Buffer.from(data, 'base64');
    }
    async close() {
        this.browser.pages.delete(this.session);
        await this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context });
    }
}
