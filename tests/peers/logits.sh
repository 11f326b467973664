#!/bin/sh
# logits.sh BUILD NODE - logits beside llama.cpp's: of every family that the examples load a tiny
# random file, written with our logits by test_families. Each file is one check.
build=$1
node=$2
here=$(dirname "$0")
files=$node/families
rm -rf "$files" && mkdir "$files" && cp "$here/logits.mjs" "$node" || exit 1
if "$build/test_families" "$files" > "$files.words" 2>&1; then
    node "$node/logits.mjs" "$files" > "$node/lines" 2> "$files.words" ||
        echo "FAIL llama.cpp: $(tail -n 3 "$files.words")" >> "$node/lines"
else
    echo "FAIL test_families: $(tail -n 3 "$files.words")" > "$node/lines"
fi
grep -v '^ok' "$node/lines" | sed 's/^/  /'
passed=$(grep -c '^ok' "$node/lines")
failed=$(grep -vc '^ok' "$node/lines")
[ "$passed" -gt 0 ] || failed=$((failed + 1))
rm -rf "$files"
echo "logits: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
