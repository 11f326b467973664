#!/bin/sh
# run.sh [build-directory] - runs the examples over MPI with 1 to 4 ranks, and ranks that fail;
# closes with "N passed, N failed". Without mpirun all of it is named as skipped.
build=${1:-build}
log=$build/mpi.log
passed=0 failed=0
: > "$log"
if ! command -v mpirun > /dev/null || [ ! -x "$build/mpi_decode" ]; then
    echo 'SKIPPED mpi: no mpirun, or no compiler of its'
    echo '0 passed, 0 failed'
    exit 0
fi

. "$(dirname "$0")/environment.sh"

# result STATUS SENTENCE: 0 is a pass
result() {
    if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "  FAIL: $2"
        tail -n 5 "$build/mpi.text" "$build/mpi.out"
    fi
    cat "$build/mpi.text" "$build/mpi.out" >> "$log"
}

# ranks N PROGRAM ...: under a minute, or it hangs (124)
ranks() {
    n=$1
    shift
    timeout 60 mpirun -n "$n" "$@" > "$build/mpi.text" 2> "$build/mpi.out" < /dev/null
}

for n in 1 2 3 4; do
    ranks $n "$build/mpi_decode" --tokens 4000 --steps 8
    result $? "decoding on $n ranks is as on one, and has the same bits on all"
    [ $n = 4 ] && cat "$build/mpi.text"
    ranks $n "$build/mpi_prompt" --tokens 1536 --rounds 1
    result $? "each method reads a prompt on $n ranks as on one"
    [ $n = 4 ] && cat "$build/mpi.text"
done
ranks 5 "$build/mpi_prompt" --tokens 1520 --rounds 1 --only ulysses
result $? "ranks into which KV heads do not go are told so"
grep -q SKIPPED "$build/mpi.text"
result $? "and by what is skipped"
ranks 3 "$build/mpi_prompt" --tokens 1536 --rounds 1 --only ring --blocking
result $? "a ring that sends first is as one process"

# One text: a prompt with a pass key, 16 times what the model was trained on.
toy=examples/toy
for kv in f16 int8; do
    set -- $toy/toy-yarn.gguf --rope yarn --factor 20 --orig-ctx 256 --kv $kv -n 16
    "$build/generate" "$@" --file $toy/passkey.txt > "$build/mpi.want" 2> /dev/null
    for n in 1 2 3 4; do
        [ $n$kv = 1int8 ] || [ $n$kv = 2int8 ] && continue
        ranks $n "$build/mpi_generate" "$@" --file $toy/passkey.txt
        cmp -s "$build/mpi.text" "$build/mpi.want"
        result $? "$n ranks with a cache of $kv print the text of one process"
    done
done
cat "$build/mpi.out"

ranks 2 "$build/mpi_network"
result $? "a network is measured"
ranks 3 "$build/mpi_faults" none
result $? "ranks without fault end well"
for fault in killed exits fails stalls short long rows shape; do
    ranks 3 "$build/mpi_faults" $fault --limit 2
    status=$?
    [ $status -ne 0 ] && [ $status -ne 124 ]
    result $? "a rank that is at fault ($fault) ends all, with an error (status $status)"
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
