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
[ $# -gt 0 ] || set -- python node rust go

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
        (cd "$odd/node" && npm install --ignore-scripts --no-audit --no-fund --fetch-retries=1) \
            > "$odd/npm.log" 2>&1
    fi
    export NODE_PATH="$odd/node/node_modules"
    node -e 'require("koffi")' 2> /dev/null ||
        { rm -rf "$odd/node"; echo "SKIPPED node: npm has no koffi for it"; return; }
    example node 'difference to plain JavaScript' node "$top/examples/node/attention.mjs"
    example node 62379 node "$top/examples/node/generate.mjs" "$toy/toy-yarn.gguf" \
        "$toy/passkey.txt" 6 20
    suite node node "$here/test_node.mjs" "$odd"
}

# refusal NAME "what it must print" command ... : it must end badly, and say so without a crash
refusal() {
    name=$1 words=$2
    shift 2
    "$@" > "$odd/example" 2>&1
    status=$?
    if [ $status -gt 0 ] && [ $status -lt 128 ] && grep -q "$words" "$odd/example"; then
        echo "$name: 1 passed, 0 failed"
    else
        echo "  FAIL: status $status without '$words': $*"
        tail -n 20 "$odd/example" | sed 's/^/        /'
        echo "$name: 0 passed, 1 failed"
    fi
}

# Folders in which the library that does not fit has the name that programs were linked with.
for name in version order size; do
    mkdir -p "$odd/in/$name"
    for link in "$build"/liblctx.so*; do
        cp "$odd/$name.so" "$odd/in/$name/$(basename "$link")"
    done
done
linked() {
    refusal "$1" 'version 0.2.0, .* 0.1.0' env LD_LIBRARY_PATH="$odd/in/version" "$2"
    refusal "$1" 'lctx_rows has .* bytes' env LD_LIBRARY_PATH="$odd/in/size" "$2"
    refusal "$1" 'lctx_span.k_type stands at' env LD_LIBRARY_PATH="$odd/in/order" "$2"
    refusal "$1" 'liblctx.so' env LD_LIBRARY_PATH="$odd" "$2"
}

run_rust() {
    command -v cargo > /dev/null || { echo "SKIPPED rust: no cargo"; return; }
    rust() {
        (cd "$top/examples/rust" && env LCTX_LIB_DIR="${dir:-$build}" LD_LIBRARY_PATH="$build" \
            CARGO_TARGET_DIR="$odd/cargo" cargo "$@" --offline --locked)
    }
    example rust 'difference to plain Rust' rust run --example attention
    linked rust "$odd/cargo/debug/examples/attention"
    dir=$odd/none refusal rust 'liblctx.so is not there' rust build
    rust test > "$odd/rust.out" 2>&1 || true
    grep -q '^test result' "$odd/rust.out" ||
        { tail -n 30 "$odd/rust.out"; echo 'rust: 0 passed, 1 failed (no test ran)'; }
    grep -A 20 '^failures:' "$odd/rust.out"
    sed -n 's/^test result: .*\. \([0-9]* passed\); \([0-9]* failed\);.*/rust: \1, \2/p' \
        "$odd/rust.out" | grep -v ': 0 passed, 0 failed'
}

run_go() {
    command -v go > /dev/null || { echo "SKIPPED go: no go"; return; }
    export CGO_ENABLED=1 CGO_LDFLAGS="-L$build" GOCACHE="$odd/gocache" GOFLAGS=-mod=mod GOPROXY=off
    mkdir -p "$odd/go"
    cp "$here/test_go.go" "$odd/go"
    cat > "$odd/go/go.mod" <<END
module lctx.test
go 1.18
require lctx.example v0.0.0
replace lctx.example => $top/examples/go
END
    (cd "$top/examples/go" && go build -o "$odd/attention" ./attention) > "$odd/go.out" 2>&1 &&
        (cd "$odd/go" && go build -o "$odd/test_go" .) >> "$odd/go.out" 2>&1 ||
        { tail -n 30 "$odd/go.out"; echo 'go: 0 passed, 1 failed (it does not compile)'; return; }
    example go 'difference to plain Go' env LD_LIBRARY_PATH="$build" "$odd/attention"
    linked go "$odd/attention"
    suite go env LD_LIBRARY_PATH="$build" "$odd/test_go"
}

for language in "$@"; do run_$language; done > "$odd/log"
cat "$odd/log"
sed -n 's/^[a-z]*: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$odd/log" |
    awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 }'
