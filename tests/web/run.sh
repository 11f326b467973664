#!/bin/sh
# run.sh [build-directory] - tests the page that `make web` made, in a headless Chromium, and keeps
# pictures of it in build/web.*.png. Closes with "N passed, N failed"; what is not here is named as
# skipped.
build=${1:-build}
here=$(dirname "$0")
chromium=${CHROMIUM:-$(command -v chromium || command -v google-chrome)}

skip() {
    echo "SKIPPED web: $1"
    echo "0 passed, 0 failed"
    exit 0
}

command -v node > /dev/null || skip "no node"
[ -n "$chromium" ] || skip "no chromium"
[ -f "$build/web/index.html" ] || skip "no page (make web says why)"
exec node "$here/page.mjs" "$chromium" "$build"
