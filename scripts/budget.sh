#!/usr/bin/env bash
# Prints what a visitor downloads and fails where it has grown too large. Sizes in bytes.
set -euo pipefail

dist=${1:?usage: budget.sh DIR}
failed=0

check() {
    local what=$1 limit=$2 packed
    shift 2
    packed=$(cat "$@" | gzip -9 | wc -c)
    printf '%-24s raw %9d  gzip %8d  limit %8d\n' "$what" "$(cat "$@" | wc -c)" "$packed" "$limit"
    [ "$packed" -le "$limit" ] || { echo "$what is over its budget" >&2; failed=1; }
}

check "page program" 400000 "$dist"/page*.wasm
check "engine program" 3500000 "$dist"/worker*.wasm
check "html, css, scripts" 60000 "$dist"/index.html "$dist"/*.js
exit $failed
