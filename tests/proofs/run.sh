#!/bin/sh
# run.sh [--mutate] [directory] - proves what tests/proofs states about sizes (Frama-C's WP, with Z3
# and CVC4) and about the GGUF reader (CBMC), and names what it skips for want of a tool. $CBMC is
# how to call CBMC. With --mutate everything is proved about copies that have a fault: each must be
# refused. What is made goes to the directory, build/proofs.
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
mutate=
[ "$1" = --mutate ] && mutate=1 && shift
dir=${1:-build/proofs} here=tests/proofs passed=0 failed=0
cbmc=${CBMC:-cbmc}
mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || exit 1

say() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "  FAIL: $2"
    fi
}

# What sizes.c has a contract for.
functions() { sed -n 's/^\(static \)*[a-z0-9_]* \**\(lctx[a-z0-9_]*\)(.*);$/\2/p' $here/sizes.c; }

# wp FOLDER SECONDS FUNCTIONS: all goals, proved about the folder's lctx.h
wp() {
    rm -f "$dir/goals"
    (cd "$1" && frama-c -wp -wp-rte -warn-signed-downcast -wp-prover z3,cvc4 -wp-timeout "$2" \
        -wp-par 2 -cpp-extra-args="-I. -U__GNUC__" -wp-fct "$3" "$top/$here/sizes.c") \
        > "$dir/wp" 2>&1 || return 1
    sed -n 's/^\[wp\] Proved goals: *\([0-9]*\) *\/ *\([0-9]*\).*/\1 \2/p' "$dir/wp" > "$dir/goals"
    read -r proved goals < "$dir/goals" && [ "$proved" -eq "$goals" ] && [ "$goals" -gt 0 ]
}

# step INCLUDE NAME: CBMC finds no way to break it; a tensor's description needs the longest file
step() {
    bytes=32
    [ "$2" = tensor ] && bytes=64
    $cbmc -I"$1" -DBYTES=$bytes --function "prove_$2" --unwind 10 --unwindset gguf_show.0:66 \
        --unwinding-assertions --pointer-check --bounds-check --signed-overflow-check \
        --div-by-zero-check --undefined-shift-check $here/gguf.c > "$dir/cbmc" 2>&1 &&
        grep -q '^VERIFICATION SUCCESSFUL' "$dir/cbmc"
}

# fault FILE SED [wp FUNCTION | step NAME]: a copy with the fault is refused
fault() {
    mkdir -p "$dir/fault/shared" && cp examples/shared/*.h "$dir/fault/shared/" || return 1
    file=$1 from=$1 edit=$2 how=$3 name=$4
    [ "$file" = lctx.h ] || from=examples/$file
    sed "$edit" "$from" > "$dir/fault/$file"
    if cmp -s "$from" "$dir/fault/$file"; then say 1 "no place for the fault $edit"; return; fi
    case $how in
    wp)   ! wp "$dir/fault" 3 "$name" && [ -s "$dir/goals" ] ;;
    step) ! step "$dir/fault" "$name" && grep -q '^VERIFICATION FAILED' "$dir/cbmc" ;;
    esac
    say $? "$name is not refused although $edit"
}

if command -v frama-c > /dev/null && command -v why3 > /dev/null && command -v z3 > /dev/null &&
   command -v cvc4 > /dev/null; then
    WHY3CONFIG=$dir/why3.conf
    export WHY3CONFIG
    why3 config detect > "$dir/why3" 2>&1
    if [ "$mutate" ]; then
        fault lctx.h 's/b && a > LCTX__HUGE \/ b ?/b \&\& a >= LCTX__HUGE \/ b ?/' wp lctx__mul
        fault lctx.h 's/a > LCTX__HUGE - b ?/a > LCTX__HUGE ?/' wp lctx__add
        fault lctx.h 's/lctx__add(a, to - 1) \/ to/lctx__add(a, to) \/ to/' wp lctx__round_up
        fault lctx.h 's/return a <= LCTX__MOST;/return a <= LCTX__MOST + 1;/' wp lctx__fits
        fault lctx.h 's/a < 0 ? 0 : a > top ? top : a/a > top ? top : a/' wp lctx__clip
        fault lctx.h 's/return n > SIZE_MAX \/ 2 ? LCTX__HUGE/return n >= SIZE_MAX ? LCTX__HUGE/' \
            wp lctx__pool_bytes
        fault lctx.h 's/= lctx__mul(c->tiles.cap \/ LCTX_TILE, c/= (c->tiles.cap \/ LCTX_TILE) * (c/' \
            wp lctx__open_bytes
        fault lctx.h 's/(LCTX_TILE \/ 2 + 4) \* lctx__round_up/LCTX_TILE \/ 2 * lctx__round_up/' \
            wp lctx__key_bytes
    else
        wp . 60 "$(functions | paste -sd, -)"
        say $? "sizes: $proved of $goals goals ($dir/wp)"
        for name in $(functions); do
            grep -qE "annotating function $name\$" "$dir/wp"
            say $? "$name has a contract that was not looked at"
        done
        echo "  proofs: ${proved:-0} of ${goals:-0} goals about sizes"
    fi
else
    echo "  SKIPPED: proofs of sizes (frama-c, why3, z3 or cvc4 is not here)"
fi

if command -v "${cbmc%% *}" > /dev/null && $cbmc --version > /dev/null 2>&1; then
    if [ "$mutate" ]; then
        fault shared/gguf.c 's/n > r->size - r->at/n > r->size/' step key
        fault shared/gguf.c 's/t->n_dims > 4)/t->n_dims > 5)/' step tensor
        fault shared/gguf.c 's/n_keys > r->size \/ 13/n_keys > r->size/' step header
        fault shared/gguf.c 's/|| bytes > g->size - start - offset/|| bytes > g->size - start/' \
            step place
    else
        for name in $(sed -n 's/^void prove_\([a-z]*\)(void)$/\1/p' $here/gguf.c); do
            step examples "$name"
            say $? "gguf, $name ($dir/cbmc)"
        done
    fi
else
    echo "  SKIPPED: proofs of the GGUF reader (cbmc is not here)"
fi
echo "proofs [${mutate:+faults}]: $passed passed, $failed failed"
[ $failed -eq 0 ]
