#!/usr/bin/env bash
# Copies CIFAR-10 into a built page if `make data` has fetched it. Fashion-MNIST is part of every page.
set -euo pipefail
cd "$(dirname "$0")/.."

page=${1:?usage: page_data.sh DIR}
if [ -f data/cifar-10/test_batch.bin ]; then
    mkdir -p "$page/data/cifar-10"
    # a hard link takes no space; across file systems only a copy works
    cp -lf data/cifar-10/*.bin "$page/data/cifar-10/" 2> /dev/null || cp -f data/cifar-10/*.bin "$page/data/cifar-10/"
fi
