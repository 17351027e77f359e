#!/usr/bin/env bash
# Installs the named tools if they are missing: wasm trunk bindgen python npm chromium firefox webkit ffmpeg mesa deny reference.
set -euo pipefail
cd "$(dirname "$0")/.."

TRUNK=0.21.14
DENY=0.20.2
GECKODRIVER=0.37.1
# wasm-bindgen's tool must have the version of the crate
BINDGEN=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)

# Tools run for seconds, so a low optimisation level saves minutes. If a tool's lock file names a yanked crate, its dependencies
# are resolved again.
install_tool() {
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    local target=${CARGO_TARGET_DIR:-target}/tools
    cargo install --locked --target-dir "$target" "$1" --version "$2" || cargo install --target-dir "$target" "$1" --version "$2"
}

# Installs Debian packages; on other systems asks the user to install them.
packages() {
    if ! command -v apt-get > /dev/null; then
        echo "please install: $*" >&2
        exit 1
    fi
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" > /dev/null
}

# Virtual environment in the user's cache folder, with the libraries that the reference scripts compare with.
reference() {
    local wanted=tests/reference/requirements.txt folder=${XDG_CACHE_HOME:-$HOME/.cache}/nolabel/reference
    cmp -s "$wanted" "$folder/installed.txt" && return
    python3 -c 'import venv, ensurepip' 2> /dev/null || packages python3 python3-venv
    python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --requirement "$wanted"
    cp "$wanted" "$folder/installed.txt"
}

for part in "$@"; do
    case $part in
        wasm) rustc --print target-libdir --target wasm32-unknown-unknown | xargs test -d || rustup target add wasm32-unknown-unknown ;;
        trunk) [ "$(trunk --version 2> /dev/null)" = "trunk $TRUNK" ] || install_tool trunk "$TRUNK" ;;
        bindgen) [ "$(wasm-bindgen --version 2> /dev/null)" = "wasm-bindgen $BINDGEN" ] || install_tool wasm-bindgen-cli "$BINDGEN" ;;
        python) command -v python3 > /dev/null || packages python3 ;;
        npm) command -v npm > /dev/null || packages nodejs npm ;;
        chromium) { { command -v chromium || command -v google-chrome; } && command -v chromedriver; } > /dev/null || packages chromium chromium-driver ;;
        firefox)
            { command -v firefox || command -v firefox-esr; } > /dev/null || packages firefox-esr
            command -v geckodriver > /dev/null || install_tool geckodriver "$GECKODRIVER"
            ;;
        # only Linux has a WebKit whose driver needs no permission of the user
        webkit)
            { command -v WebKitWebDriver && command -v Xvfb; } > /dev/null || [ "$(uname)" != Linux ] ||
                packages webkit2gtk-driver xvfb
            ;;
        # plays a GPU for the tests where there is none
        mesa) ldconfig -p 2> /dev/null | grep libEGL_mesa > /dev/null || [ "$(uname)" != Linux ] || packages libegl1 libgl1-mesa-dri ;;
        ffmpeg) command -v ffmpeg > /dev/null || packages ffmpeg ;;
        deny) [ "$(cargo deny --version 2> /dev/null)" = "cargo-deny $DENY" ] || install_tool cargo-deny "$DENY" ;;
        reference) reference ;;
        *) echo "setup.sh: there is no tool '$part'" >&2; exit 2 ;;
    esac
done
