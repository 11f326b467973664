#!/bin/sh
# Compares choosers of keys on a layer's queries, as `sparse` prints them, beside full attention:
# choosers.sh [build [bench/plots [longest]]]. A table, and a picture of how much faster a prompt's
# attention gets, the choosing included.
set -e
build=${1:-build} out=${2:-bench/plots} longest=${3:-8192}
here=$(dirname "$0")
toy=$here/../examples/toy
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"

n=1024
while [ "$n" -le "$longest" ]; do
    "$build/sparse" "$toy/toy-yarn.gguf" "$toy/held-out.txt" --tokens "$n" > "$tmp/$n"
    cat "$tmp/$n"
    # A name is what stands before the first run of blanks; the last column is time, full's = 1.
    sed '1,2d; s/   */\t/' "$tmp/$n" | awk -F '\t' -v n="$n" -v tmp="$tmp" '
        { k = split($2, x, " "); print n, 1 / x[k] >> (tmp "/curve " $1) }'
    n=$((2 * n))
done > "$out/compare-choosers.txt"
cat "$out/compare-choosers.txt"

command -v gnuplot > /dev/null || { echo 'SKIPPED picture of choosers: no gnuplot'; exit 0; }
curves=
for name in full Quest MoBA 'XAttention, stride 8' 'XAttention, stride 16' vertical-slash \
            HyperAttention; do
    curves="$curves${curves:+, }'$tmp/curve $name' with linespoints pt 7 ps 0.6 lw 2 title '$name'"
done
gnuplot <<END
set terminal svg size 760,520 font 'sans-serif,14' background rgb 'white'
set output '$out/compare-choosers.svg'
set title 'Attention of a prompt by chosen keys (toy-yarn, one layer)'
set grid lc rgb '#dddddd'
set key below maxcols 4
set logscale x 2
set xlabel 'tokens'
set ylabel 'times as fast as full attention, choosing included'
set yrange [0:*]
plot $curves
END
echo "$out/compare-choosers.svg"
