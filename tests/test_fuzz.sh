#!/bin/sh
# test_fuzz.sh [build-directory] - replays the kept inputs of the fuzzers (tests/fuzz/corpus/).
build=${1:-build}
here=$(dirname "$0")
passed=0 failed=0
for replay in "$build"/replay_*; do
    [ -x "$replay" ] || continue
    corpus=$here/fuzz/corpus/${replay##*/replay_}
    if out=$("$replay" "$corpus" 2>&1); then passed=$((passed + 1))
    else echo "  FAIL: $replay $corpus: $out"; failed=$((failed + 1)); fi
done
echo "fuzz [any]: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
