#!/bin/sh
# tokens.sh BUILD NODE - token ids beside llama.cpp's: vocabularies trained for it (vocab.py) on the
# toy's text, or on the files in TEXTS, of every kind and pre-tokenizer, over texts that are hard to
# get right. Each text, with control tokens as plain text and found by name, is one check.
build=$1
node=$2
here=$(dirname "$0")
passed=0 failed=0
cp "$here/tokens.mjs" "$node" && rm -f "$node"/*.gguf || exit 1
python3 "$here/vocab.py" "$node" ${TEXTS:-} || { echo "tokens: 0 passed, 1 failed"; exit 1; }
for vocab in "$node"/*.gguf; do
    name=$(basename "$vocab" .gguf)
    "$build/peer_tokens" "$vocab" "$node/texts.hex" > "$node/ours" 2> "$node/words" ||
        echo "  FAIL: $name: $(head -c 300 "$node/words")"
    node "$node/tokens.mjs" "$vocab" "$node/texts.hex" > "$node/theirs" 2> "$node/words" ||
        echo "  FAIL: $name, llama.cpp: $(tail -n 3 "$node/words")"
    lines=$(wc -l < "$node/theirs")
    differ=$(diff "$node/ours" "$node/theirs" | grep -c '^>')
    [ "$lines" -gt 0 ] || differ=1 lines=1
    [ "$differ" -eq 0 ] || {
        echo "  FAIL: $name: $differ of $lines lines differ, the first:"
        diff "$node/ours" "$node/theirs" | head -n 4 | cut -c 1-200
    }
    passed=$((passed + lines - differ)) failed=$((failed + differ))
done
echo "tokens: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
