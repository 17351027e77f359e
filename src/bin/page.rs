//! The page's program for the browser, built without the engine: `--no-default-features --features page`.

#[cfg(target_family = "wasm")]
fn main() {
    nolabel::page::run();
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    eprintln!("the page runs in a browser only; `make demo` builds and serves it");
    std::process::exit(2);
}
