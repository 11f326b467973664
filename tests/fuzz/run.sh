#!/bin/sh
# run.sh FOLDER SECONDS fuzzer ... - runs the fuzzers built in FOLDER, two at a time, from the kept
# corpus, and closes each with a line, and all with "N passed, N failed". What they find goes to
# FOLDER/found/, new inputs of theirs to FOLDER/corpus/, their words to FOLDER/NAME.log.
folder=$1
seconds=$2
shift 2
here=$(dirname "$0")
mkdir -p "$folder/found"
export folder seconds here
export ASAN_OPTIONS=detect_leaks=1 TSAN_OPTIONS=halt_on_error=1

# One without libFuzzer (driver.c) does not know its options; it counts executions alone.
printf '%s\n' "$@" | xargs -P 2 -n 1 sh -c '
    log=$folder/$0.log
    mkdir -p "$folder/corpus/$0"
    case $0 in
    threads) set -- --seconds "$seconds" ;;
    *) set -- -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=1024 \
           -len_control=0 -print_final_stats=1 -artifact_prefix="$folder/found/$0-" \
           "$folder/corpus/$0" "$here/corpus/$0" ;;
    esac
    nice -n 19 "$folder/$0" "$@" > "$log" 2>&1
    status=$?
    runs=$(sed -n "s/^stat::number_of_executed_units: *//p; s/.*: \([0-9]*\) passed.*/\1/p" "$log")
    edges=$(sed -n "s/.* cov: \([0-9]*\) .*/\1/p" "$log" | tail -n 1)
    finds=0
    if [ $status -ne 0 ]; then
        finds=1
        tr "\r" "\n" < "$log" |
            grep -E "^FAIL|ERROR: |WARNING: Thread|runtime error|Test unit written" | head -n 4
        tr "\r" "\n" < "$log" | grep -e "^--random" | tail -n 1
    fi
    echo "fuzz $0: ${runs:-some} executions, ${edges:-uncounted} edges, $finds findings"
' | tee "$folder/closing"
awk '/^fuzz .* 0 findings$/ { p++ } /^fuzz .* [1-9][0-9]* findings$/ { f++ }
     END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }' "$folder/closing"
