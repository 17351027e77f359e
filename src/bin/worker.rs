//! The engine's program for the browser, in a dedicated worker.

#[cfg(target_family = "wasm")]
fn main() {
    nolabel::worker::run();
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("the worker runs in a browser only; `make demo` builds and serves the page");
    std::process::exit(2);
}
