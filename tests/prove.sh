# prove.sh - for scripts that prove one sentence after another: to be sourced where $dir is a folder
# for what commands print. They close with "$passed passed, $failed failed".
passed=0 failed=0

# prove "a sentence" command ... : the command must succeed
prove() {
    proves=$1
    shift
    if "$@" > "$dir/log" 2>&1; then
        passed=$((passed + 1))
        [ -z "${TEST_VERBOSE:-}" ] || echo "  ok: $proves"
    else
        failed=$((failed + 1))
        echo "  FAIL: $proves"
        head -n 20 "$dir/log" | sed 's/^/        /'
    fi
}
