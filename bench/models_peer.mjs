// Times llama.cpp, as npm's node-llama-cpp ships it, for build/models:
//     build/models --peer "node bench/models_peer.mjs"      (NODE_PATH or node_modules/ has the package)
// Arguments: FILE N_PROMPT N_NEW THREADS. Prints tokens a second of the prompt and of what follows.
import {createRequire} from "module";
import {pathToFileURL} from "url";

const require = createRequire(process.env.NODE_LLAMA_CPP || import.meta.url);
const {getLlama} = await import(pathToFileURL(require.resolve("node-llama-cpp")).href);
const [file, prompt, fresh, threads] = process.argv.slice(2);
const n = Number(prompt), more = Number(fresh);
const llama = await getLlama({gpu: false, build: "never", logLevel: "error",
                              maxThreads: Number(threads)});
const model = await llama.loadModel({modelPath: file, gpuLayers: 0});
const context = await model.createContext({contextSize: n + more + 8, batchSize: 512,
                                           threads: Number(threads), flashAttention: true});
const sequence = context.getSequence();
const token = i => 3 + Number(BigInt(i) * 2654435761n % 256n);
const seconds = async work => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
};
const text = Array.from({length: n}, (_, i) => token(i));
const read = await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(text));
const wrote = await seconds(async () => {
    for (let i = 0; i < more; i++)
        await sequence.controlledEvaluate([[text[i], {generateNext: {token: true}}]]);
});
console.log((n / read).toFixed(3), (more / wrote).toFixed(3));
process.exit(0);
