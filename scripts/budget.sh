#!/usr/bin/env bash
# Prints the download size of a built page in bytes, uncompressed and compressed by gzip and Brotli. Fails if the Brotli size,
# which static hosts send, is over its budget.
set -euo pipefail

dist=${1:?usage: budget.sh DIR}

packed() {
    node -e '
        const { gzipSync, brotliCompressSync } = require("zlib");
        const bytes = Buffer.concat(process.argv.slice(1).map((file) => require("fs").readFileSync(file)));
        console.log(bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length);' "$@"
}

failed=0
check() {
    local what=$1 limit=$2 raw gzip brotli
    shift 2
    read -r raw gzip brotli < <(packed "$@")
    printf '%-20s raw %9d  gzip %8d  Brotli %8d  limit %8d\n' "$what" "$raw" "$gzip" "$brotli" "$limit"
    [ "$brotli" -le "$limit" ] || { echo "$what is over its budget" >&2; failed=1; }
}

check "page program" 340000 "$dist"/page*.wasm
check "engine program" 3500000 "$dist"/worker*.wasm
check "html, css, scripts" 60000 "$dist"/index.html "$dist"/*.js
exit $failed
