//! Program of the command line.

#[cfg(not(target_family = "wasm"))]
use nolabel::platform::{display, memory};

#[cfg(not(target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    memory::keep();
    display::silence_wayland();
    nolabel::cli::main()
}

/// In a browser the programs are `page` and `worker`.
#[cfg(target_family = "wasm")]
fn main() {}
