#!/usr/bin/env bash
# Optimises every wasm file of a built page in place for size, with wasm-opt.
set -euo pipefail

# the wasm features that rustc and wasm-bindgen use; with more, wasm-opt may emit instructions that browsers lack
FEATURES=(--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
    --enable-reference-types --enable-sign-ext --enable-simd)

# Binaryen 108, which Debian 12 has, exports the wrong table, and the page stops at its first line.
recent() {
    local version
    version=$(wasm-opt --version 2> /dev/null | grep -oE '[0-9]+' | head -n 1)
    [ "${version:-0}" -ge 116 ]
}

optimise() {
    if recent; then wasm-opt "$@"; else npm exec --yes --package=binaryen@132.0.0 -- wasm-opt "$@"; fi
}

for file in "${1:?usage: shrink.sh DIR}"/*.wasm; do
    # the second round finds what the first laid bare
    optimise -O2 -O2 "${FEATURES[@]}" "$file" -o "$file.small"
    mv "$file.small" "$file"
done
