#!/usr/bin/env bash
# Puts a data set into data/NAME: from the system, else out of Debian's package, else from its makers. Nothing is kept
# whose unpacked bytes do not have the digests listed beside the source code.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:?usage: data.sh NAME}
list=src/data/$name.sha256
folder=data/$name
[ -f "$list" ] || { echo "there is no data set '$name'" >&2; exit 2; }
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# Whether folder $1 holds every file, packed or not, with the right content.
whole() {
    local digest file
    while read -r digest file; do
        if [ -f "$1/$file.gz" ]; then
            [ "$(gzip -dc "$1/$file.gz" 2> /dev/null | sha256sum | cut -d' ' -f1)" = "$digest" ] || return 1
        else
            [ -f "$1/$file" ] && [ "$(sha256sum < "$1/$file" | cut -d' ' -f1)" = "$digest" ] || return 1
        fi
    done < "$list"
}

# Takes the files over from folder $1 if all of them are right.
adopt() {
    local digest file
    whole "$1" || return 1
    mkdir -p "$folder"
    while read -r digest file; do
        if [ -f "$1/$file.gz" ]; then
            cp "$1/$file.gz" "$folder/$file.gz"
        else
            gzip -c "$1/$file" > "$folder/$file.gz"
        fi
    done < "$list"
    echo "$name: $(du -shL "$folder" | cut -f1) in $folder, from $2"
}

from_debian() {
    command -v apt-get dpkg-deb > /dev/null || return 1
    (cd "$temporary" && { apt-get download "dataset-$name" || { apt-get update -qq && apt-get download "dataset-$name"; } }) > /dev/null 2>&1 || return 1
    dpkg-deb -x "$temporary"/dataset-"$name"_*.deb "$temporary/package"
    adopt "$temporary/package/usr/share/datasets/$name" "Debian's package dataset-$name"
}

from_makers() {
    local address digest file
    address=$(sed -n "/name: \"$name\"/,/^};/ s/.*official: \"\(.*\)\",/\1/p" src/data/catalogue.rs)
    mkdir -p "$temporary/makers"
    while read -r digest file; do
        curl --fail --silent --show-error --location --max-time 600 -o "$temporary/makers/$file.gz" "$address$file.gz" || return 1
    done < "$list"
    adopt "$temporary/makers" "$address"
}

if whole "$folder"; then
    exit 0
fi
adopt "/usr/share/datasets/$name" "the system" || from_debian || from_makers || {
    echo "$name could not be fetched: connect to the internet and try again, or put its files into $folder" >&2
    exit 1
}
