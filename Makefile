# Everything a newcomer needs: `make help`. What is missing on a Debian-like machine is installed on the way.

# Outside the checkout, so that a fresh clone does not build Burn again.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nolabel/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
SHELL := bash
PORT ?= 8080
SETS ?= fashion-mnist
WASM := --target wasm32-unknown-unknown --profile web

.DEFAULT_GOAL := help
.PHONY: help demo build data dist page test lint docs unit browser clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: page ## Build the page and serve it on 127.0.0.1 (PORT=8080)
	@echo; echo "nolabel is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)"; echo
	@scripts/serve.sh dist $(PORT)

build: ## Build the command line
	cargo build --release --locked --bin nolabel
	@echo "built: $(CARGO_TARGET_DIR)/release/nolabel"

data: ## Fetch Fashion-MNIST into data/ (SETS="mnist cifar-10 cifar-100 film" for others)
	@scripts/data.sh $(SETS)

page: data ## Build the page into dist/, quickly (SETS="fashion-mnist cifar-10" for colour photographs too)
	@scripts/setup.sh wasm trunk bindgen
	trunk build --locked
	@scripts/page_data.sh dist

dist: page ## Build the page into dist/, small enough to deploy
	@scripts/setup.sh npm
	scripts/shrink.sh dist

test: lint docs unit dist browser ## Run everything that CI runs
	scripts/budget.sh dist

lint: ## Check format and lints for desktop and browser
	@scripts/setup.sh wasm
	cargo fmt --check
	rustfmt --check --edition 2024 src/methods/*.rs src/methods/*/*.rs src/cli/commands/*.rs src/cli/commands/*/*.rs
	cargo clippy --release --locked --all-targets -- -D warnings
	cargo clippy $(WASM) --locked --lib --bins -- -D warnings

docs: ## Build the documentation of the code
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --document-private-items

unit: data ## Run the tests that need no browser
	@scripts/data.sh film
	@scripts/setup.sh ffmpeg
	cargo test --release --locked --package nolabel

browser: build ## Run the page in headless Chromium (needs dist/)
	@scripts/setup.sh chromium
	cargo test --release --locked --package browser-tests

clean: ## Remove what was built
	rm -rf dist $(CARGO_TARGET_DIR)
