#!/bin/sh
# run.sh [build-directory [judge ...]] - asks other implementations: every judge beside this script
# (*.sh) is given the build directory and a folder in which npm has installed node-llama-cpp, which
# brings llama.cpp along, compiled. Each closes with "NAME: N passed, N failed", and all with
# "N passed, N failed". What is not here, or cannot be had, is named as skipped.
build=${1:-build}
[ $# -gt 0 ] && shift
here=$(dirname "$0")
node=$build/peers
version=3.22.1
mkdir -p "$node" || exit 1

skip() {
    echo "SKIPPED peers: $1"
    echo "0 passed, 0 failed"
    exit 0
}

for tool in node npm python3; do
    command -v $tool > /dev/null || skip "no $tool"
done
if [ ! -d "$node/node_modules/node-llama-cpp" ]; then
    platform=@node-llama-cpp/$(node -p 'process.platform + "-" + process.arch')
    echo '{ "private": true }' > "$node/package.json"
    (cd "$node" && npm install --ignore-scripts --omit=optional --no-audit --no-fund \
        "node-llama-cpp@$version" "$platform@$version") > "$node/npm.log" 2>&1 ||
        { rm -rf "$node/node_modules"; skip "npm has no node-llama-cpp $version for $platform"; }
fi

[ $# -gt 0 ] || set -- "$here"/*.sh
for judge in "$@"; do                 # side by side
    name=$(basename "$judge" .sh)
    [ "$name" = run ] || sh "$judge" "$build" "$node" > "$node/$name.log" &
done
wait
: > "$node/log"
for judge in "$@"; do
    name=$(basename "$judge" .sh)
    [ "$name" = run ] || cat "$node/$name.log" >> "$node/log"
done
cat "$node/log"
sed -n 's/^[a-z]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$node/log" |
    awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
