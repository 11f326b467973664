// logits.mjs FOLDER - of each NAME.gguf there, feeds NAME.tokens (int32) to llama.cpp (node-llama-cpp)
// and compares the log-probabilities of every next token with those of NAME.logits (float32, ours).
// Prints a line a file: "ok NAME ..." or "FAIL NAME ...". llama.cpp keeps its cache in f16, and
// rounds the other side of a product to bf16 where the weights are, and to int8 where they are blocks,
// which random weights pass on from layer to layer and which may send a token to another expert: those
// are held to the root of the mean square.
import { readFileSync, readdirSync } from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const folder = process.argv[2];
const good = (name, worst, usual) => /-(f32|f16)$/.test(name) ? worst <= 0.03
                                   : usual <= (/-bf16$/.test(name) ? 0.1 : 0.8);
const bytes = path => {
    const b = readFileSync(path);
    return b.buffer.slice(b.byteOffset, b.byteOffset + b.length);
};
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error,
                               progressLogs: false });

// The worst difference, the root of the mean square, and how many were compared: what is likelier than 1e-9.
async function compare(base) {
    const tokens = new Int32Array(bytes(base + '.tokens'));
    const logits = new Float32Array(bytes(base + '.logits'));
    const model = await llama.loadModel({ modelPath: base + '.gguf', gpuLayers: 0 });
    const context = await model.createContext({ contextSize: 64, batchSize: 64 });
    const every = { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } };
    const out = await context.getSequence().controlledEvaluate(
        [...tokens].map(t => [t, { generateNext: every }]));
    const n = logits.length / tokens.length;
    let worst = 0, square = 0, count = 0;
    tokens.forEach((_, i) => {
        const row = logits.subarray(i * n, (i + 1) * n), top = Math.max(...row);
        const all = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
        for (const [token, p] of out[i].next.probabilities) {
            if (p < 1e-9) continue;
            const off = Math.abs(Math.log(p) - (row[token] - all));
            worst = off > worst || Number.isNaN(off) ? off : worst;
            square += off * off, count++;
        }
    });
    await context.dispose();
    await model.dispose();
    return { worst, usual: Math.sqrt(square / count), count };
}

// Architectures of this repository's own are for its own programs alone.
const files = readdirSync(folder).filter(f => f.endsWith('.gguf') && !f.startsWith('lctx-'));
for (const file of files.sort()) {
    const name = file.slice(0, -5);
    try {
        const { worst, usual, count } = await compare(`${folder}/${name}`);
        const ok = good(name, worst, usual) && count > 100;
        console.log(`${ok ? 'ok' : 'FAIL'} ${name}: ${count} log-probabilities differ by at most ` +
                    `${worst.toExponential(1)}, mostly ${usual.toExponential(1)}`);
    } catch (error) {
        console.log(`FAIL ${name}: ${String(error.message).split('\n')[0]}`);
    }
}
process.exit(0);
