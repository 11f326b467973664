#!/bin/sh
# Draws time against ranks, by a model of two networks beside what this machine measures:
# mpi.sh [build [bench/plots]]. Ranks beyond its cores share these.
set -e
build=${1:-build}
out=${2:-bench/plots}
command -v gnuplot > /dev/null || { echo 'SKIPPED plots: no gnuplot'; exit 0; }
command -v mpirun > /dev/null || { echo 'SKIPPED plots: no mpirun'; exit 0; }
. tests/mpi/environment.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tokens=3072

# Measured: "ranks seconds" of each method.
for n in 1 2 3 4; do
    for only in ring ulysses; do
        mpirun -n $n "$build/mpi_prompt" --tokens $tokens --rounds 5 --only $only < /dev/null
    done > "$tmp/prompt.$n"
    mpirun -n $n "$build/mpi_decode" --tokens 65536 --steps 24 < /dev/null > "$tmp/decode.$n"
    cat "$tmp/prompt.$n" "$tmp/decode.$n"
    for name in 'ring' 'ring, zigzag' 'ulysses'; do
        awk -v name="$name" 'substr($0, 1, 15) == sprintf("%-15s", name) {
            $0 = substr($0, 16); print $1, $4 }' "$tmp/prompt.$n" \
            >> "$tmp/$(echo "$name" | tr -d ' ,')"
    done
    awk 'NR == 2 { print $1, $6 + $8 }' "$tmp/decode.$n" >> "$tmp/decode"
done
one=$(awk 'NR == 1 { print $2 }' "$tmp/ring") step=$(awk 'NR == 1 { print $2 }' "$tmp/decode")

# Modelled: columns as mpi_network prints them.
model() {
    mpirun -n 1 "$build/mpi_network" --latency $2 --bandwidth $3 --tokens $tokens --prompt "$one" \
        --decode "$step" < /dev/null > "$tmp/$1"
}
model ethernet 30 1.25
model infiniband 2 25
mpirun -n 2 "$build/mpi_network" --tokens $tokens --prompt "$one" --decode "$step" --ranks 4 \
    < /dev/null > "$tmp/here"
head -n 1 "$tmp/here"

red='#d55e00' blue='#0072b2' green='#009e73' grey='#999999'
# draw FILE TITLE YLABEL: the elements of its plot command come on standard input
draw() {
    gnuplot <<END
set terminal svg size 760,520 font 'sans-serif,14' background rgb 'white'
set output '$out/$1.svg'
set title '$2'
set grid lc rgb '#dddddd'
set key below maxcols 3
set datafile missing '?'
set logscale xy
set xrange [0.9:70]
set xtics (1, 2, 3, 4, 8, 16, 32, 64)
set xlabel 'ranks'
set ylabel '$3'
plot $(tr '\n' ' ')
END
    echo "$out/$1.svg"
}

draw mpi-prompt "Causal attention over $tokens tokens (24/12 heads of 64, f16)" seconds <<END
    '$tmp/ethernet' using 1:2 with lines lc rgb '$grey' lw 2 dt 2 title 'ring, 10 Gbit/s',
    '$tmp/ethernet' using 1:3 with lines lc rgb '$red' lw 2 dt 2 title 'zigzag, 10 Gbit/s',
    '$tmp/ethernet' using 1:5 with lines lc rgb '$blue' lw 2 dt 2 title 'Ulysses, 10 Gbit/s',
    '$tmp/infiniband' using 1:2 with lines lc rgb '$grey' lw 2 title 'ring, 200 Gbit/s',
    '$tmp/infiniband' using 1:3 with lines lc rgb '$red' lw 2 title 'zigzag, 200 Gbit/s',
    '$tmp/infiniband' using 1:5 with lines lc rgb '$blue' lw 2 title 'Ulysses, 200 Gbit/s',
    '$tmp/here' using 1:3 with lines lc rgb '$green' lw 2 dt 3 title 'zigzag, by memory here',
    '$tmp/ring' using 1:2 with points pt 7 lc rgb '$grey' title 'ring, measured here',
    '$tmp/ringzigzag' using 1:2 with points pt 7 lc rgb '$red' title 'zigzag, measured here',
    '$tmp/ulysses' using 1:2 with points pt 7 lc rgb '$blue' title 'Ulysses, measured here'
END
draw mpi-decode 'One decode step over 64 K tokens (24/12 heads of 64, f16)' seconds <<END
    '$tmp/ethernet' using 1:6 with lines lc rgb '$red' lw 2 dt 2 title '10 Gbit/s, 30 us',
    '$tmp/infiniband' using 1:6 with lines lc rgb '$red' lw 2 title '200 Gbit/s, 2 us',
    '$tmp/here' using 1:6 with lines lc rgb '$green' lw 2 dt 3 title 'by memory here',
    '$tmp/decode' using 1:2 with points pt 7 lc rgb '$red' title 'measured here'
END
