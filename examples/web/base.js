// What the page's other scripts share.
'use strict';
const TILE = 64;       // tokens
const $ = (id) => document.getElementById(id);
const count = (n) => Math.round(n).toLocaleString('en');
const bytesOf = (text) => new TextEncoder().encode(text).length;
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
        const decode = () => resolve(Uint8Array.from(atob(assets[name]), (c) => c.charCodeAt(0)));
        if (assets[name]) return decode();
        script.src = `${name}.js`;
        script.onload = decode;
        script.onerror = () => reject(new Error(`${name}.js is missing beside this page.`));
        return document.head.append(script);
    });
}
