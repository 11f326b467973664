// Where fields stand in the structs of lctx_api.mjs, as C lays them out for pointers of 8 or 4
// bytes (WebAssembly), and structs in memory of JavaScript's.
import { structs } from './lctx_api.mjs';

const SIZES = {
    int: 4, int32_t: 4, uint32_t: 4, float: 4, int64_t: 8, uint64_t: 8, double: 8, uint8_t: 1,
    uint16_t: 2, char: 1,
};
const PUT = {
    float: 'setFloat32', double: 'setFloat64', int64_t: 'setBigInt64', uint64_t: 'setBigUint64',
    uint8_t: 'setUint8', uint16_t: 'setUint16', uint32_t: 'setUint32',
};
const up = (n, to) => Math.ceil(n / to) * to;

// name: { size, align, fields: { field: { at, type, count, size } } } of all structs.
export function layouts(pointer) {
    const all = {};
    const measure = (type) => {
        const size = type === 'size_t' || type.endsWith('*') ? pointer : SIZES[type];
        return all[type] ?? { size, align: size };
    };
    for (const [name, types] of Object.entries(structs)) {
        const fields = {};
        let end = 0, align = 1;
        for (const [field, declared] of Object.entries(types)) {
            const [, type, count] = declared.match(/^(.*?)(?:\[(\d+)\])?$/);
            const of = measure(type), n = Number(count ?? 1);
            fields[field] = { at: up(end, of.align), type, count: n, size: of.size };
            end = fields[field].at + n * of.size;
            align = Math.max(align, of.align);
        }
        all[name] = { size: up(end, align), align, fields };
    }
    return all;
}

// A field of a struct at `base` of a DataView; i of an array. Pointers and 64-bit numbers are given
// as a number or a BigInt, and got as a BigInt where they have 64 bits.
export function put(view, base, field, value, i = 0) {
    const at = base + field.at + i * field.size;
    if (field.type.endsWith('*') || field.type === 'size_t') {
        if (field.size === 8) view.setBigUint64(at, BigInt(value), true);
        else view.setUint32(at, Number(value), true);
    } else {
        const big = field.type.endsWith('64_t');
        view[PUT[field.type] ?? 'setInt32'](at, big ? BigInt(value) : value, true);
    }
}
export function get(view, base, field, i = 0) {
    const at = base + field.at + i * field.size;
    const wide = field.type.endsWith('*') || field.type === 'size_t';
    const name = wide ? `set${field.size === 8 ? 'BigUint64' : 'Uint32'}`
        : PUT[field.type] ?? 'setInt32';
    return view[name.replace('set', 'get')](at, true);
}

// Throws where a library has other sizes or offsets; ask(name) is its lctx_sizeof, where(name) its
// lctx_offsetof.
export function checkLayouts(all, ask, where) {
    for (const [name, { size, fields }] of Object.entries(all)) {
        if (Number(ask(name)) !== size)
            throw new Error(`${name} has ${ask(name)} bytes there, ${size} here`);
        for (const [field, { at }] of Object.entries(fields)) {
            const theirs = Number(where(`${name}.${field}`));
            if (theirs !== at)
                throw new Error(`${name}.${field} stands at ${theirs} there, ${at} here`);
        }
    }
}
