// Demonstrates a model from JavaScript: the weights of a GGUF file (llama, F16 and F32, a
// vocabulary of bytes), and a session that continues a text, token by token.
//
//     node generate.mjs ../toy/toy-yarn.gguf ../toy/passkey.txt 6 20      # 6 tokens, YaRN's factor
//
// Exit codes: 0 ok, 1 usage, 2 the library or a file is missing or does not fit.
import { readFileSync } from 'node:fs';
import * as lctx from './lctx.mjs';

const NUMBERS = {
    0: ['getUint8', 1], 1: ['getInt8', 1], 2: ['getUint16', 2], 3: ['getInt16', 2],
    4: ['getUint32', 4], 5: ['getInt32', 4], 6: ['getFloat32', 4], 7: ['getUint8', 1],
    10: ['getBigUint64', 8], 11: ['getBigInt64', 8], 12: ['getFloat64', 8],
};
const LAYER = {
    attn_norm: 'attn_norm', wq: 'attn_q', wk: 'attn_k', wv: 'attn_v', wo: 'attn_output',
    ffn_norm: 'ffn_norm', w_gate: 'ffn_gate', w_up: 'ffn_up', w_down: 'ffn_down',
};

// A file's keys without the architecture before them, and its tensors.
function readGguf(path) {
    const file = readFileSync(path), data = new Uint8Array(file).buffer, view = new DataView(data);
    let at = 8;
    const number = (type) => {
        const [name, size] = NUMBERS[type];
        at += size;
        return Number(view[name](at - size, true));
    };
    const text = () => {
        const n = number(10);
        at += n;
        return Buffer.from(data, at - n, n).toString();
    };
    const value = (type) => {
        if (type !== 9) return type === 8 ? text() : number(type);
        const of = number(4);
        return Array.from({ length: number(10) }, () => value(of));
    };
    if (file.toString('latin1', 0, 4) !== 'GGUF') throw new Error(`${path} is no GGUF file`);
    const n_tensors = number(10), n_keys = number(10), keys = {}, tensors = {};
    for (let i = 0; i < n_keys; i++) keys[text().replace(/^[^.]*\./, '')] = value(number(4));
    const found = Array.from({ length: n_tensors }, () => ({
        name: text(), shape: Array.from({ length: number(4) }, () => number(10)).reverse(),
        type: number(4), offset: number(10),
    }));
    const start = Math.ceil(at / 32) * 32;
    for (const { name, shape, type, offset } of found) {
        const kind = [Float32Array, Uint16Array][type], size = shape.reduce((a, b) => a * b, 1);
        if (!kind) throw new Error(`${path}: ${name} is of type ${type}, neither F32 nor F16`);
        tensors[name] = lctx.tensor(new kind(data, start + offset, size), shape);
    }
    return { keys, tensors };
}

function openModel(path, factor) {
    const { keys, tensors } = readGguf(path);
    const rope = new lctx.Rope(keys['rope.dimension_count'], {
        pairing: lctx.RopePairing.INTERLEAVED, theta: keys['rope.freq_base'], factor,
        scheme: lctx.RopeScheme.YARN, beta_fast: keys['rope.scaling.yarn_beta_fast'],
        orig_ctx: keys['rope.scaling.original_context_length'] ?? keys.context_length,
    });
    const layers = Array.from({ length: keys.block_count }, (_, i) => Object.fromEntries(
        Object.entries(LAYER).map(([field, name]) => [field, tensors[`blk.${i}.${name}.weight`]])));
    return new lctx.Model(layers, {
        n_head: keys['attention.head_count'], n_head_kv: keys['attention.head_count_kv'],
        d_model: keys.embedding_length, d_ff: keys.feed_forward_length,
        n_vocab: tensors['token_embd.weight'].shape[0],
        norm_eps: keys['attention.layer_norm_rms_epsilon'], rope,
        tok_embd: tensors['token_embd.weight'], output_norm: tensors['output_norm.weight'],
        output: tensors['output.weight'],
    });
}

function main([path, textPath, n = '20', factor = '1']) {
    if (!textPath) {
        console.error('usage: generate.mjs MODEL TEXT [TOKENS [FACTOR]]');
        return 1;
    }
    try {
        const prompt = [1, ...readFileSync(textPath).map((byte) => byte)]
            .map((token, i) => (i ? token + 3 : token));             // <s>, then bytes from 3 on
        const threads = new lctx.Threads();
        const session = new lctx.Session(openModel(path, Number(factor)), { par: threads });
        try {
            for (const token of session.generate(prompt, Number(n), { stop: [2] }))
                process.stdout.write(String.fromCharCode(token - 3));
            console.error(`\n${session.info.n} tokens, ${session.info.cache_bytes} bytes of cache`);
        } finally {
            session.close();
            threads.close();
        }
        return 0;
    } catch (error) {
        console.error(`generate.mjs: ${error.message}`);
        return 2;
    }
}

process.exitCode = main(process.argv.slice(2));
