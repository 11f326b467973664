#!/bin/sh
# threads.sh POOL OPENMP - two builds of generate, with the library's threads and with OpenMP's:
# tokens a second of the toy model, in turn, on a quiet machine and beside one busy process. Medians
# of ROUNDS (9), each over OpenMP's with its default of waiting awake.
pool=$1 openmp=$2
log=$(mktemp) || exit 1
trap 'rm -f "$log"; [ -z "${busy:-}" ] || kill "$busy"' EXIT
trap 'exit 1' INT TERM

# once NAME command...: its tokens a second, noted under the name
once() {
    name=$1
    shift
    rate=$("$@" examples/toy/toy.gguf Once -n 1500 --cache sinks 2>&1 > /dev/null |
        sed -n 's|.* generated, \([0-9]*\)/s;.*|\1|p')
    echo "$name ${rate:?$name gave no figure}" >> "$log"
}

rounds() {
    : > "$log"
    i=${ROUNDS:-9}
    while [ $((i -= 1)) -ge 0 ]; do
        once one-thread "$pool" --threads 1
        once pool "$pool"
        once openmp "$openmp"
        once openmp-passive env OMP_WAIT_POLICY=passive "$openmp"
    done
    for name in one-thread pool openmp openmp-passive; do
        grep "^$name " "$log" | sort -k2n |
            awk '{ x[NR] = $2 } END { print $1, x[int((NR + 1) / 2)] }'
    done | awk -v where="$1" '{ name[NR] = $1; x[NR] = $2 }
        END { for (i = 1; i <= NR; i++)
                  printf "%-24s %-16s %7d tokens/s %6.2f x openmp\n", where, name[i], x[i],
                         x[i] / x[3] }'
}

rounds quiet
sh -c 'while :; do :; done' &
busy=$!
rounds 'beside a busy process'
