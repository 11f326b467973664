#!/bin/sh
# run.sh [build-directory] - what a call costs from each language: one decode step, over few keys,
# which is nearly all overhead, and over many. Wants `make test-bindings` done, whose builds it
# uses; what is not here is left out.
build=$(cd "${1:-build}" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
odd=$build/bindings
export LCTX_LIBRARY="$build/liblctx.so" LD_LIBRARY_PATH="$build"

# row NAME command ...
row() {
    name=$1
    shift
    few=$("$@" 64 2> /dev/null) && many=$("$@" 4096 2> /dev/null) &&
        printf '%-12s %8s %8s %12s %8s\n' "$name" $few $many
}
printf '%-12s %17s %21s\n' '' '64 keys, us' '4096 keys, us'
printf '%-12s %8s %8s %12s %8s\n' '' fresh again fresh again
${CC:-cc} -std=c99 -O2 -I"$top" "$here/step.c" -o "$odd/step" -L"$build" -llctx && row C "$odd/step"
for p in ${PYTHON:-python3 /usr/bin/python3}; do
    "$p" -c 'import numpy' 2> /dev/null && { row Python "$p" "$here/step.py"; break; }
done
NODE_PATH=$odd/node/node_modules row JavaScript node "$here/step.mjs"
(cd "$top/examples/rust" && LCTX_LIB_DIR=$build CARGO_TARGET_DIR=$odd/cargo \
    cargo build -q --release --offline --locked --example step) 2> /dev/null &&
    row Rust "$odd/cargo/release/examples/step"
mkdir -p "$odd/step_go" && cp "$here/step.go" "$odd/go/go.mod" "$odd/step_go" &&
    (cd "$odd/step_go" && CGO_LDFLAGS=-L$build GOCACHE=$odd/gocache GOFLAGS=-mod=mod GOPROXY=off \
        go build -o "$odd/step_of_go" .) 2> /dev/null && row Go "$odd/step_of_go"
exit 0
