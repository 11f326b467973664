// tokens.mjs VOCAB TEXTS - what llama.cpp (node-llama-cpp) makes of texts, a line each of hex digits:
// the special tokens and those that end generation, then for each text two lines of ids, control
// tokens as plain text and found by name. Its own calls add no BOS and no EOS.
import { readFileSync } from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const [path, texts] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.disabled,
                               progressLogs: false });
const model = await llama.loadModel({ modelPath: path, vocabOnly: true, gpuLayers: 0 });
const n = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const ends = [];
for (let id = 0; id < n; id++)
    if (model._model.isEogToken(id)) ends.push(id);      // its own isEogToken adds what it calls EOT
const t = model.tokens;
const lines = [`bos ${t.bos ?? -1} eos ${t.eos ?? -1} add ${+t.shouldPrependBosToken} ${
    +t.shouldAppendEosToken} ends ${ends.join(' ')}`];
for (const line of readFileSync(texts, 'latin1').split('\n').slice(0, -1)) {
    const text = Buffer.from(line, 'hex').toString('utf8');
    for (const parse of [false, true]) lines.push(model.tokenize(text, parse).join(' '));
}
process.stdout.write(lines.join('\n') + '\n');
process.exit(0);
