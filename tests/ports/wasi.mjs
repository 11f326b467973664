// wasi.mjs MODULE [argument ...] - runs a WASI program under Node as if it stood on the disk: the
// environment, the arguments, the current folder and the exit code are those of this process.
// Node 18 wants --experimental-wasi-unstable-preview1; later ones allow it.
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const wasi = new WASI({
    version: 'preview1', args: process.argv.slice(2), env: process.env,
    preopens: { '.': process.cwd() }, returnOnExit: true,
});
// Through functions of our own: Node 20 may crash where WebAssembly calls its WASI directly
// (nodejs/node issues 46777 and 53087).
const imports = Object.fromEntries(Object.entries(wasi.wasiImport).map(
    ([name, call]) => [name, (...args) => call(...args)]));
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
process.exitCode = wasi.start(
    new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports }));
