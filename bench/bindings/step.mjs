// step.mjs KEYS - step.c from JavaScript
import * as lctx from '../../examples/node/lctx.mjs';

const n = Number(process.argv[2]), calls = n > 1000 ? 20 : 200;
const zeros = (...shape) => lctx.tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
const q = zeros(1, 8, 64), k = zeros(n, 2, 64), v = zeros(n, 2, 64);
const again = new lctx.Attention(q, [lctx.span(k, v)]);
const rounds = [[], []];
for (let i = 0; i < 31; i++) {
    [() => lctx.attend(q, k, v), () => again.run()].forEach((call, which) => {
        const start = process.hrtime.bigint();
        for (let j = 0; j < calls; j++) call();
        rounds[which].push(Number(process.hrtime.bigint() - start) / calls / 1e3);
    });
}
console.log(rounds.map((times) => times.sort((a, b) => a - b)[15].toFixed(2)).join(' '));
