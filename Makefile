# Start with `make help`. On a Debian-like machine, targets install the tools they need.

# The target folder is outside the checkout, so that a fresh clone does not build Burn again.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nolabel
export CARGO_TARGET_DIR ?= $(CACHE)/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
SHELL := bash
PORT ?= 8080
SETS ?= fashion-mnist
DENY ?= licenses bans sources
ADAPTER ?= swiftshader
BATCH ?= 64,128
TIMES ?= 5
JAX_JS := @jax-js/jax@0.1.25
AXE := axe-core@4.14.1
WASM := --target wasm32-unknown-unknown --profile web
PAGE := --target wasm32-unknown-unknown --profile page --no-default-features --features page
# the packages of the program, without those of benches and browser tests, which would add features to their dependencies
OURS := --package nolabel --package nolabel-cpu-kernels

.DEFAULT_GOAL := help
.PHONY: help demo build data dist page test lint docs unit examples browser budget bench bench-web page-speed calm screenshot deny crosscheck fuzz clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: page ## Build the page and serve it on 127.0.0.1 (PORT=8080)
	@echo; echo "nolabel is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)"; echo
	@scripts/serve.sh dist $(PORT)

build: ## Build the command line
	cargo build --release --locked --bin nolabel
	@echo "built: $(CARGO_TARGET_DIR)/release/nolabel"

data: ## Fetch Fashion-MNIST into data/ (SETS="mnist cifar-10 cifar-100 film" for others)
	@scripts/data.sh $(SETS)

page: data ## Build the page into dist/, quickly (SETS="fashion-mnist cifar-10" for colour photographs too)
	@scripts/setup.sh wasm trunk bindgen python
	trunk build --locked
	@scripts/page_data.sh dist
	@scripts/seal.py dist $(ADDRESS)

dist: page ## Build the page into dist/, small enough to deploy (ADDRESS=https://... for the picture of a link)
	@scripts/setup.sh npm
	scripts/shrink.sh dist
	scripts/seal.py dist $(ADDRESS)

test: lint docs unit examples dist browser budget ## Run all checks but bench, deny, crosscheck and fuzz

lint: ## Check format and lints, native and wasm
	@scripts/setup.sh wasm
	cargo fmt --check
	rustfmt --check --edition 2024 src/methods/*.rs src/methods/*/*.rs src/cli/commands/*.rs src/cli/commands/*/*.rs
	cargo clippy --release --locked $(OURS) --all-targets -- -D warnings
	CLIPPY_CONF_DIR=scripts/lints/wasm cargo clippy $(WASM) --locked $(OURS) --lib --bins -- -D warnings
	CLIPPY_CONF_DIR=scripts/lints/wasm cargo clippy $(PAGE) --locked --lib --bins -- -D warnings

docs: ## Build the API documentation
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked $(OURS) --no-deps --document-private-items

unit: data ## Run all tests but those in the browser
	@scripts/data.sh film
	@scripts/setup.sh ffmpeg mesa
	cargo test --release --locked $(OURS)

examples: ## Run the examples, each in seconds on images they draw themselves
	cargo run --release --locked --example train_encoder -- $(CARGO_TARGET_DIR)/example.safetensors
	cargo run --release --locked --example embed_folder
	cargo run --release --locked --example own_method

browser: build ## Test the page in headless Chromium, Firefox and WebKit (needs dist/)
	@scripts/setup.sh chromium firefox webkit npm
	npm install --silent --no-save --prefix $(CACHE)/axe $(AXE)
	NOLABEL_AXE=$(CACHE)/axe/node_modules/axe-core/axe.min.js cargo test --release --locked --package browser-tests

page-speed: ## Time the page on the CPU: navigation to ready, start to the first step, the large test (needs dist/; TIMES=5)
	@scripts/setup.sh chromium
	cargo run --release --locked --package browser-tests --bin page_speed -- $(TIMES)

screenshot: ## Take the README's screenshot of the page (needs dist/)
	@scripts/setup.sh chromium
	cargo run --release --locked --package browser-tests --bin screenshot -- docs/page.png

calm: ## Measure how calm the page stays while it trains: tasks, memory, hidden tab (needs dist/)
	@scripts/setup.sh chromium
	cargo run --release --locked --package browser-tests --bin calm

deny: ## Check licences and sources of dependencies (DENY="advisories licenses bans sources" for vulnerabilities too)
	@scripts/setup.sh deny
	cargo deny --all-features check $(DENY)

crosscheck: build data ## Compare with PyTorch, torchvision, scikit-learn and onnxruntime, in a virtual environment
	@scripts/setup.sh reference
	@PYTHONDONTWRITEBYTECODE=1 $(CACHE)/reference/bin/python tests/reference/crosscheck.py $(CARGO_TARGET_DIR)/release/nolabel

budget: ## Print what a visitor of the page downloads; fails above the budget (needs dist/)
	scripts/budget.sh dist

bench: ## Time a training step of every method, three of them beside PyTorch, and the probes
	@scripts/setup.sh reference
	cargo bench --locked --bench step | tee $(CARGO_TARGET_DIR)/step.txt
	@$(CACHE)/reference/bin/python benches/step_pytorch.py $(CARGO_TARGET_DIR)/step.txt
	cargo bench --locked --bench probe

bench-web: ## Time a small network on WebGPU beside jax-js in headless Chromium (ADAPTER=default for this machine's GPU, BATCH=64,128)
	@scripts/setup.sh wasm bindgen npm chromium
	cargo build --locked $(WASM) --package bench-web
	wasm-bindgen --target web --no-typescript --out-dir $(CARGO_TARGET_DIR)/bench-web $(CARGO_TARGET_DIR)/wasm32-unknown-unknown/web/bench_web.wasm
	npm install --silent --no-save --prefix $(CACHE)/jax-js $(JAX_JS)
	cargo run --release --locked --package browser-tests --bin bench_web -- --wasm $(CARGO_TARGET_DIR)/bench-web \
	  --jax-js $(CACHE)/jax-js/node_modules/@jax-js/jax/dist --adapter $(ADAPTER) --batch $(BATCH)

fuzz: ## Run the program on damaged files, minutes (SEED=1 COPIES=200 FORMATS="png pth" for others)
	NOLABEL_FUZZ_SEED=$(SEED) NOLABEL_FUZZ_COPIES=$(COPIES) NOLABEL_FUZZ_FORMATS="$(FORMATS)" \
	  cargo test --release --locked --package nolabel --test fuzz

clean: ## Remove dist/ and the target folder
	rm -rf dist $(CARGO_TARGET_DIR)
