#!/bin/sh
# Draws a comparison's pictures as SVG: compare.sh [build/compare.json [bench/plots]].
set -e
json=${1:-build/compare.json}
out=${2:-bench/plots}
command -v gnuplot >/dev/null || { echo 'SKIPPED pictures of the comparison: no gnuplot'; exit 0; }
grep -q '"figure": "position"' "$json" ||
    { echo "compare.sh: $json holds no comparison" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"

# One file a curve, FILE.METHOD.TYPE.FIGURE, with a line "at value" for each figure.
awk -v tmp="$tmp" '
    function field(key,    at, rest) {
        at = index($0, "\"" key "\": ")
        rest = substr($0, at + length(key) + 4)
        sub(/(, "| }).*/, "", rest)
        gsub(/"/, "", rest)
        return rest
    }
    /"figure"/ {
        print field("at"), field("value") \
            > (tmp "/" field("file") "." field("method") "." field("type") "." field("figure"))
    }' "$json"

# look METHOD: the same in every picture; scalings have circles, far rules triangles, what the cache
# forgets squares
look() {
    case $1 in
    plain) echo 7 '#888888' ;;          model) echo 7 '#000000' ;;
    pi) echo 7 '#e69f00' ;;             ntk) echo 7 '#e377c2' ;;
    abf) echo 7 '#8c564b' ;;            dynamic) echo 7 '#9467bd' ;;
    dynamic-exact) echo 6 '#9467bd' ;;  by-parts) echo 6 '#d55e00' ;;
    yarn) echo 7 '#d55e00' ;;           llama3) echo 7 '#bcbd22' ;;
    rerope) echo 9 '#009e73' ;;         leaky) echo 9 '#7fc97f' ;;
    self-extend) echo 8 '#2a6f4f' ;;    window) echo 5 '#aaaaaa' ;;
    sinks) echo 5 '#0072b2' ;;          lm-infinite) echo 4 '#56b4e9' ;;
    heavy) echo 4 '#a6761d' ;;          yarn-heavy) echo 5 '#e7298a' ;;
    heavy-inside) echo 4 '#e7298a' ;;   quest) echo 11 '#999933' ;;
    yarn-quest) echo 13 '#117733' ;;
    *) echo 3 '#000000' ;;
    esac
}

# curves FILE FIGURE COLUMNS METHOD...: elements of a plot command, of those that were measured
curves() {
    file=$1 what=$2 columns=$3
    shift 3
    for method; do
        data=$tmp/$file.$method.f32.$what
        [ -s "$data" ] || continue
        set -- $(look "$method")
        printf "'%s' using %s with linespoints pt %s ps 0.6 lw 2 lc rgb '%s' title '%s', " \
            "$data" "$columns" "$1" "$2" "$method"
    done
}

# draw NAME TITLE AXES: the elements of its plot command come on standard input
draw() {
    elements=$(sed 's/, $//')
    [ -n "$elements" ] || { echo "SKIPPED $1: no such results"; return 0; }
    gnuplot <<END
set terminal svg size 760,520 font 'sans-serif,14' background rgb 'white'
set output '$out/compare-$1.svg'
set title '$2'
set grid lc rgb '#dddddd'
set key below maxcols 5
$3
plot $elements
END
    echo "$out/compare-$1.svg"
}

lengths="set logscale x 2; set xlabel 'tokens (trained: 256)'"

# A hybrid's run has pictures of its own.
if [ -s "$tmp/hybrid.model.f32.key" ]; then
    beside() {
        curves hybrid "$1" "$2" model | sed "s/title 'model'/title 'hybrid'/"
        curves toy "$1" "$2" sinks yarn rerope
    }
    beside position 1:2 |
        draw hybrid-position 'Text by position, hybrid and attention (bits per byte)' \
            "$lengths; set ylabel 'bits per byte at positions up to'; set yrange [1.5:3.5]"
    beside key 1:2 |
        draw hybrid-key 'Pass keys found, hybrid and attention (100 trials each)' \
            "$lengths; set ylabel 'share found'; set yrange [0:1.02]"
    beside bytes '1:($2/1024)' |
        draw hybrid-bytes 'Caches and states, f32' \
            "$lengths; set logscale y; set ylabel 'KiB'"
    exit 0
fi

methods="plain abf pi ntk dynamic dynamic-exact by-parts yarn llama3 rerope leaky self-extend window
         sinks lm-infinite heavy heavy-inside yarn-heavy quest yarn-quest"

for file in toy toy-yarn; do
    case $file in
    toy) name='toy model as trained' suffix='' more='' ;;
    *)   name='toy model fine-tuned with YaRN' suffix=-tuned more=model ;;
    esac
    curves $file position 1:2 $more $methods |
        draw position$suffix "Text by position, $name (bits per byte)" \
            "$lengths; set ylabel 'bits per byte at positions up to'; set yrange [1.5:6]"
    curves $file last 1:2 $more $methods |
        draw last$suffix "Restated digits in a fixed last segment, $name" \
            "$lengths; set xlabel 'tokens of context, the last 256 included'
             set ylabel 'bits per digit'; set yrange [0:9]"
    curves $file key 1:2 $more $methods |
        draw key$suffix "Pass keys found by length, $name (100 trials each)" \
            "$lengths; set ylabel 'share found'; set yrange [0:1.02]"
    curves $file depth 1:2 $more $methods |
        draw depth$suffix "Pass keys by depth in 1024 tokens, $name (100 trials each)" \
            "set xlabel 'depth of the key'; set ylabel 'share found'; set yrange [0:1.02]"
    curves $file decode 1:2 plain yarn dynamic-exact rerope leaky window sinks lm-infinite heavy \
        heavy-inside yarn-quest |
        draw time$suffix "Decoding, $name (CPU time of one thread, f32 cache)" \
            "$lengths; set ylabel 'us a token'; set yrange [0:*]"
done

{   curves toy bytes '1:($2/1048576)' plain sinks
    for type in f16 bf16 int8; do
        data=$tmp/toy.yarn.$type.bytes
        [ -s "$data" ] || continue
        printf "'%s' using 1:(\$2/1048576) with linespoints pt 7 ps 0.6 lw 2 " "$data"
        printf "title 'full, %s', " "$type"
    done
} | sed "s/title 'plain'/title 'full, f32'/; s/title 'sinks'/title 'sinks + window, f32'/" |
    draw bytes 'Cache of the toy model' "$lengths; set logscale y; set ylabel 'MiB'"
