#!/usr/bin/env bash
# Optimises every wasm file of a built page in place.
set -euo pipefail
for file in "${1:?usage: shrink.sh DIR}"/*.wasm; do
    wasm-opt -O3 --all-features "$file" -o "$file.small"
    mv "$file.small" "$file"
done
