#!/usr/bin/env bash
# Serves a folder on 127.0.0.1 by Python. `nolabel serve` does the same without Python.
set -euo pipefail
exec python3 -m http.server --bind 127.0.0.1 --directory "${1:?usage: serve.sh DIR PORT}" "${2:?usage: serve.sh DIR PORT}"
