// Line charts as SVG, and maps of tiles on canvases. Colours are the page's own, of either scheme;
// charts are drawn anew as data come.
'use strict';
const charts = (() => {
    const W = 340, H = 190, LEFT = 44, BOTTOM = 34, TOP = 8, RIGHT = 18, STRIP_ROWS = 12;
    const svg = (name, attributes, text) => {
        const node = document.createElementNS('http://www.w3.org/2000/svg', name);
        for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
        if (text !== undefined) node.textContent = text;
        return node;
    };

    // The step of about `n` round ticks up to most: 1, 2 or 5 times a power of ten.
    function tickStep(most, n) {
        const raw = most / n, power = 10 ** Math.floor(Math.log10(raw));
        return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= raw * 0.999);
    }

    // Tokens and bytes stand on powers of two.
    const binaryStep = (most) => 2 ** Math.max(0, Math.ceil(Math.log2(most / 4.5)));

    function axes(chart, { xMost, yMost, xAt, yAt, format, binary }) {
        const yStep = binary ? binaryStep(yMost) : tickStep(yMost, 4), xStep = binaryStep(xMost);
        for (let y = 0; y <= yMost * 1.0001; y += yStep) {
            const at = { y1: yAt(y), y2: yAt(y) };
            chart.append(svg('line', { class: 'axis', x1: LEFT, x2: W - RIGHT, ...at }),
                svg('text', { x: LEFT - 6, y: yAt(y) + 4, 'text-anchor': 'end' }, format(y)));
        }
        for (let x = 0; x <= xMost; x += xStep)
            chart.append(svg('text', { x: xAt(x), y: H - BOTTOM + 16, 'text-anchor': 'middle' },
                x.toLocaleString('en')));
        chart.append(svg('text', { x: (LEFT + W - RIGHT) / 2, y: H - 2, 'text-anchor': 'middle' },
            'position in the text, tokens'));
    }

    // The greatest value; with cut, at most so many times that which nine tenths stay below.
    function greatest(values, cut) {
        const sorted = [...values].sort((a, b) => a - b), most = sorted.at(-1) ?? 0;
        return cut ? Math.min(most, cut * sorted[Math.floor(sorted.length * 0.9)] || most) : most;
    }

    // series: { a: [[x, y], ...], b: ... }; mark: an x to be marked; least: a value to be shown.
    function line(chart, { series, xMost, mark, binary, cut,
        format = (y) => `${+y.toFixed(2)}`, least = 0 }) {
        const all = Object.values(series).flat();
        const yMost = Math.max(least, greatest(all.map(([, y]) => y), cut)) * 1.05 || 1;
        const xAt = (x) => LEFT + x / xMost * (W - LEFT - RIGHT);
        const yAt = (y) => H - BOTTOM - Math.min(y / yMost, 1) * (H - BOTTOM - TOP);
        chart.replaceChildren();
        chart.setAttribute('viewBox', `0 0 ${W} ${H}`);
        axes(chart, { xMost, yMost, xAt, yAt, format, binary });
        if (mark && mark < xMost)
            chart.append(svg('line', { class: 'mark', x1: xAt(mark), x2: xAt(mark), y1: TOP,
                y2: H - BOTTOM }));
        for (const [name, points] of Object.entries(series).reverse())
            chart.append(svg('polyline', { class: `line ${name}`, points: points.map(([x, y]) =>
                `${xAt(x).toFixed(1)},${yAt(y).toFixed(1)}`).join(' ') }));
    }

    // ---- maps
    function color(name) {
        const probe = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
        probe.fillRect(0, 0, 1, 1);
        return probe.getImageData(0, 0, 1, 1).data;
    }
    let palette = null;
    const forget = () => { palette = null; };
    const colors = () => palette ??= Object.fromEntries(['accent', 'held', 'gone', 'ink'].map(
        (name) => [name, color(`--${name}`)]));

    const css = (color) => `rgb(${[...color].slice(0, 3)})`;

    // The colour of a tile: read (the more of it, the stronger), in memory, or gone.
    function tileColor(seen, held) {
        const { accent, held: grey, gone } = colors();
        if (!seen) return held ? grey : gone;
        const weight = seen === 255 ? 1 : 0.2 + 0.6 * Math.sqrt(seen / 255);
        return [0, 1, 2].map((i) => gone[i] + (accent[i] - gone[i]) * weight);
    }

    function sized(canvas, height) {
        const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
        canvas.style.height = `${height}px`;
        canvas.width = Math.round(width * ratio), canvas.height = Math.round(height * ratio);
        const context = canvas.getContext('2d');
        context.scale(ratio, ratio);
        return { context, width };
    }

    // What several tiles are together.
    function mean(array, from, n) {
        const part = array.slice(from, from + n);
        return Math.ceil(part.reduce((a, b) => a + b, 0) / part.length);
    }

    // One query: a square a tile, in rows as lines of text; or several tiles, where there are too
    // many. Returns how many.
    function strip(canvas, { seen, held }, tiles, mark) {
        const pitch = tiles > 400 ? 7 : tiles > 150 ? 10 : 14, side = pitch > 7 ? pitch - 2 : 6;
        const columns = Math.max(1, Math.floor(canvas.clientWidth / pitch));
        const each = Math.ceil(tiles / (columns * STRIP_ROWS)), squares = Math.ceil(tiles / each);
        const { context } = sized(canvas, Math.ceil(squares / columns) * pitch + 2);
        const known = Math.ceil(seen.length / each);
        for (let i = 0; i < squares; i++) {
            const of = (array) => mean(array, i * each, each);
            const tile = i < known && tileColor(of(seen), of(held));
            const x = i % columns * pitch + 1, y = Math.floor(i / columns) * pitch + 1;
            context.fillStyle = css(tile || colors().gone);
            context.globalAlpha = tile ? 1 : 0.45;
            context.fillRect(x, y, side, side);
            if (mark < 0 || i !== Math.floor(mark / each)) continue;
            context.globalAlpha = 1, context.lineWidth = 2, context.strokeStyle = css(colors().ink);
            context.strokeRect(x, y, side, side);
        }
        return each;
    }

    // All queries so far: a row each, a column a tile, or several where there are many.
    function history(canvas, rows, tiles, rowsMost, mark) {
        const height = Math.min(220, Math.max(120, 2 * rowsMost));
        const { context, width } = sized(canvas, height);
        const columns = Math.min(tiles, 1024), image = new ImageData(columns, rowsMost);
        rows.slice(0, rowsMost).forEach(({ seen, held }, y) => {
            for (let x = 0; x < columns; x++) {
                const tile = Math.floor(x * tiles / columns);
                if (tile >= seen.length) break;
                const [r, g, b] = tileColor(seen[tile], held[tile]);
                image.data.set([r, g, b, 255], 4 * (y * columns + x));
            }
        });
        const small = new OffscreenCanvas(columns, rowsMost);
        small.getContext('2d').putImageData(image, 0, 0);
        context.imageSmoothingEnabled = false;
        context.drawImage(small, 0, 0, width, height);
        if (mark < 0) return;
        context.fillStyle = css(colors().ink);
        context.fillRect((mark + 0.5) / tiles * width - 0.5, 0, 1, height);
    }
    return { line, strip, history, forget };
})();
