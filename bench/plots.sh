#!/bin/sh
# Draws the curves of a run with --scaling as SVG: plots.sh [build/bench.json [bench/plots]].
set -e
json=${1:-build/bench.json}
out=${2:-bench/plots}
command -v gnuplot >/dev/null || { echo 'SKIPPED plots: no gnuplot'; exit 0; }
grep -q '"scale-decode"' "$json" ||
    { echo "plots.sh: $json holds no curves: run bench --scaling" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"

# pick NAME LAYOUT FIELD...: those fields of the results of that name and layout (any: -), a line
# each. The limit's time, limit_ms, is that of the same work at the limit.
pick() {
    name=$1 layout=$2
    shift 2
    awk -v name="$name" -v layout="$layout" -v fields="$*" '
        function field(key,    at, rest) {
            at = index($0, "\"" key "\": ")
            if (!at) return ""
            rest = substr($0, at + length(key) + 4)
            sub(/(, "| }).*/, "", rest)
            gsub(/"/, "", rest)
            return rest
        }
        field("name") == name && (layout == "-" || field("layout") == layout) {
            line = ""
            n = split(fields, want, " ")
            for (i = 1; i <= n; i++)
                line = line (i > 1 ? " " : "") \
                       (want[i] == "limit_ms" ? field("ms") * field("of_limit") : field(want[i]))
            print line
        }' "$json"
}

pick scale-decode tiles n_kv ms limit_ms bytes        > "$tmp/decode"
pick scale-sinks - n_kv ms bytes                      > "$tmp/sinks"
pick scale-plain - n_kv ms                            > "$tmp/plain"
pick scale-openblas - n_kv ms                         > "$tmp/openblas"
pick scale-ggml token-major n_kv ms                   > "$tmp/ggml-token-major"
pick scale-ggml head-major n_kv ms                    > "$tmp/ggml-head-major"
pick scale-prefill - n_kv ms limit_ms                 > "$tmp/prefill"
pick scale-threads-decode - threads achieved limit    > "$tmp/threads-decode"
pick scale-threads-prefill - threads achieved limit   > "$tmp/threads-prefill"

# curve FILE COLUMNS COLOUR WIDTH TITLE: an element of a plot command, or nothing if the file is
# empty
curve() {
    [ -s "$tmp/$1" ] || return 0
    printf "'%s' using %s with linespoints pt 7 ps 0.6 " "$tmp/$1" "$2"
    printf "lc rgb '%s' lw %s title '%s', " "$3" "$4" "$5"
}

# draw FILE TITLE AXES: the elements of its plot command come on standard input
draw() {
    elements=$(sed 's/, $//')
    [ -n "$elements" ] || { echo "SKIPPED $1: no such results"; return 0; }
    gnuplot <<END
set terminal svg size 760,520 font 'sans-serif,14' background rgb 'white'
set output '$out/$1.svg'
set title '$2'
set grid lc rgb '#dddddd'
set key below maxcols 3
$3
plot $elements
END
    echo "$out/$1.svg"
}

red='#d55e00' blue='#0072b2' grey='#999999' yellow='#e69f00'
green='#009e73' sky='#56b4e9' black='#000000'
tokens="set logscale x 2; set format x '%.0f'; set xlabel 'tokens'
set xtics ('1 K' 1024, '4 K' 4096, '16 K' 16384, '64 K' 65536, '256 K' 262144, '1 M' 1048576)"

{   curve plain            1:2 $grey 2 'plain C'
    curve openblas         1:2 $yellow 2 'OpenBLAS'
    curve ggml-token-major 1:2 $green 2 'ggml, token-major'
    curve ggml-head-major  1:2 $sky 2 'ggml, head-major'
    curve decode           1:2 $red 3 'lctx, all keys'
    curve sinks            1:2 $blue 3 'lctx, sinks + window'
    curve decode           1:3 $black 1 'all keys at read bandwidth'
} | draw decode-time 'One decode step of one layer (32/8 heads of 128, f16)' \
    "$tokens; set logscale y; set ylabel 'ms'"

{   curve decode '1:($4/1048576)' $red 3 'all keys'
    curve sinks  '1:($3/1048576)' $blue 3 'sinks + window of 4092'
} | draw decode-memory 'Keys and values of one layer (32/8 heads of 128, f16)' \
    "$tokens; set logscale y; set ylabel 'MiB'"

{   curve prefill 1:2 $red 3 'lctx'
    curve prefill 1:3 $black 1 'visible pairs at FMA peak'
} | draw prefill-time 'Causal attention over a prompt, one layer (32/8 heads of 128, f16)' \
    "set logscale x 2; set xlabel 'tokens'; set logscale y; set ylabel 'ms'"

{   curve threads-decode 1:2 $red 3 'decode, 32 K keys'
    curve threads-decode 1:3 $black 1 'read bandwidth'
} | draw threads-decode 'Decode against threads' \
    "set yrange [0:*]; set xtics 1; set xlabel 'threads'; set ylabel 'GB/s'"

{   curve threads-prefill 1:2 $red 3 'causal square of 1024'
    curve threads-prefill 1:3 $black 1 'FMA peak'
} | draw threads-prefill 'Prefill against threads' \
    "set yrange [0:*]; set xtics 1; set xlabel 'threads'; set ylabel 'GFLOP/s'"
