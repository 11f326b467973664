#!/bin/sh
# test_vectors.sh - the files in tests/vectors and the examples' tables are what the generators beside
# them make. Wants python3; without it each generator is named as skipped.
here=$(dirname "$0")
passed=0 failed=0
for generator in "$here"/vectors/gen_*.py "$here"/../examples/shared/*_table.py; do
    name=$(basename "$generator")
    if ! command -v python3 > /dev/null; then
        echo "  SKIPPED: $name (python3 is not here)"
    elif python3 "$generator" --check; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  FAIL: $name makes the vectors that the tests read"
    fi
done
echo "vectors [python3]: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
