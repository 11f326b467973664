#!/bin/sh
# run.sh [build-directory [suite ...]] - runs every built suite under every instruction set that
# this machine has, and every test_*.sh once, two at a time, and closes with "N passed, N failed".
# A suite that ends without its closing line, or badly after it, counts as one failure.
# TEST_FULL=1 takes the long grids; and the examples and their files of pages, whose kernels other
# suites try in every set, under all of them too rather than under the best; and the generators of
# what stands in tests/vectors. What is left to it is named as skipped.
build=${1:-build}
[ $# -gt 0 ] && shift
here=$(dirname "$0")
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
trap 'exit 1' INT TERM

if [ $# -eq 0 ]; then
    [ -n "${TEST_FULL:-}" ] || echo "  SKIPPED: long grids, examples and their files of pages under" \
        "all sets but the best, the generators of tests/vectors (make test-full)"
    for script in "$here"/test_*.sh; do
        suite=$(basename "$script")
        [ "$suite" = test_vectors.sh ] && [ -z "${TEST_FULL:-}" ] && continue
        [ -f "$script" ] && set -- "$@" "${suite#test_}"
    done
    for source in "$here"/test_*.c; do
        suite=$(basename "$source" .c)
        [ -x "$build/$suite" ] && set -- "$@" "${suite#test_}"
    done
fi
isas=$("$build/test_ground" --isas) || isas=scalar
most=$isas
[ -n "${TEST_FULL:-}" ] || most=${isas##*[!a-z0-9]}
for suite in "$@"; do
    case $suite in
    *.sh | tokens | lookup) echo "any $suite" ;;      # have no kernels
    families) echo "${isas##*[!a-z0-9]} $suite" ;;     # goes through the sets itself
    examples | prefix) for isa in $most; do echo "$isa $suite"; done ;;
    *)    for isa in $isas; do echo "$isa $suite"; done ;;
    esac
done > "$log/jobs"

# Memory that suites free they take again: asking the kernel for it costs glibc a sixth of their time.
export MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TOP_PAD_=16777216
# Suites share some work between sets: see test_next_set in tests/test.h.
export TEST_SETS=1
export build here log
xargs -P 2 -n 2 sh -c '
    case $1 in
    *.sh) sh "$here/test_$1" "$build" ;;
    *)    LCTX_ISA=$0 "$build/test_$1" ;;
    esac > "$log/$1.$0" 2>&1
    status=$?
    closing=$(tail -n 1 "$log/$1.$0")
    case "$status $closing" in
    "0 "*" passed, 0 failed") ;;
    *" passed, 0 failed") closing="${closing% 0 failed} 1 failed (status $status)" ;;
    *" passed, "*" failed") ;;
    *) echo "$closing"; closing="$1 [$0]: 0 passed, 1 failed (ended early, status $status)" ;;
    esac
    grep -v " passed, .* failed$" "$log/$1.$0"
    echo "$closing" | tee "$log/$1.$0.closing"
    exit 0
' < "$log/jobs"

cat "$log"/*.closing | sed -n 's/.*: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' |
    awk '{ p += $1; f += $2 }
         END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
