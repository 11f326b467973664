#!/bin/sh
# run.sh [build-directory [language ...]] - the examples and tests of the bindings, in python, node,
# rust and go, with build-directory/liblctx.so; closes with "N passed, N failed". A language that is
# not here is named as skipped.
build=${1:-build}
[ $# -gt 0 ] && shift
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$(cd "$build" && pwd) || exit 1
odd=$build/bindings
export LCTX_LIBRARY="$build/liblctx.so"
mkdir -p "$odd" || exit 1
[ $# -gt 0 ] || set -- python node

# A library that does not fit, from a header edited by sed.
odd_library() {
    mkdir -p "$odd/$1"
    sed "$2" "$top/lctx.h" > "$odd/$1/lctx.h"
    ! cmp -s "$top/lctx.h" "$odd/$1/lctx.h" || { echo "  FAIL: $1 edits nothing"; return 1; }
    [ "$odd/$1.so" -nt "$top/lctx.h" ] && [ "$odd/$1.so" -nt "$here/run.sh" ] ||
        { ${CC:-cc} -std=c99 -fPIC -DLCTX_NO_SIMD -DLCTX_IMPLEMENTATION -x c -c "$odd/$1/lctx.h" \
              -I"$odd/$1" -o "$odd/$1/lctx.o" &&
          ${CC:-cc} -std=c99 -fPIC -I"$odd/$1" -shared "$top/examples/bindings/layout.c" \
              "$odd/$1/lctx.o" -o "$odd/$1.so" -lm; }
}
odd_library version 's/\(define LCTX_VERSION 0x\)....../\1000200/'
odd_library order '/^typedef struct lctx_span/,/^} lctx_span/ s/k_type, v_type;/v_type, k_type;/'
odd_library size 's/^} lctx_rows;/int64_t more; } lctx_rows;/'
${CC:-cc} -shared "$build/lctx.o" -o "$odd/bare.so" -lm
echo 'no library' > "$odd/text.so"

# suite NAME command ... : a suite's closing line, or its failure
suite() {
    name=$1
    shift
    "$@" > "$odd/$name.out" 2>&1
    status=$?
    cat "$odd/$name.out"
    tail -n 1 "$odd/$name.out" | grep -q "^$name: [0-9]* passed, [0-9]* failed$" ||
        echo "$name: 0 passed, 1 failed (ended early, status $status)"
}

# example NAME "what it must print" command ... : one more check of that language
example() {
    name=$1 words=$2
    shift 2
    if "$@" > "$odd/example" 2>&1 && grep -q "$words" "$odd/example"; then
        echo "$name: 1 passed, 0 failed"
    else
        echo "  FAIL: $*"
        sed 's/^/        /' "$odd/example"
        echo "$name: 0 passed, 1 failed"
    fi
}

toy=$top/examples/toy
run_python() {
    for p in ${PYTHON:-python3 /usr/bin/python3}; do
        "$p" -c 'import numpy' 2> /dev/null && break
        p=
    done
    [ "$p" ] || { echo "SKIPPED python: no python3 with numpy"; return; }
    example python 'difference to numpy' "$p" "$top/examples/python/attention.py"
    example python 62379 "$p" "$top/examples/python/generate.py" "$toy/toy-yarn.gguf" \
        "$toy/passkey.txt" -n 6 --factor 20
    suite python "$p" "$here/test_python.py" "$odd"
}

run_node() {
    for tool in node npm; do
        command -v $tool > /dev/null || { echo "SKIPPED node: no $tool"; return; }
    done
    mkdir -p "$odd/node"
    if [ ! -d "$odd/node/node_modules/koffi" ]; then
        cp "$top/examples/node/package.json" "$odd/node"
        (cd "$odd/node" && npm install --ignore-scripts --no-audit --no-fund) > "$odd/npm.log" 2>&1
    fi
    export NODE_PATH="$odd/node/node_modules"
    node -e 'require("koffi")' 2> /dev/null ||
        { rm -rf "$odd/node"; echo "SKIPPED node: npm has no koffi for it"; return; }
    example node 'difference to plain JavaScript' node "$top/examples/node/attention.mjs"
    example node 62379 node "$top/examples/node/generate.mjs" "$toy/toy-yarn.gguf" \
        "$toy/passkey.txt" 6 20
    suite node node "$here/test_node.mjs" "$odd"
}

for language in "$@"; do run_$language; done > "$odd/log"
cat "$odd/log"
sed -n 's/^[a-z]*: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$odd/log" |
    awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 }'
