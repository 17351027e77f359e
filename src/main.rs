//! The command line's program.

/// A training step asks for the same hundreds of megabytes again and again. The system's allocator hands such blocks back to
/// the system each time, and half of a step goes by until they are there again.
#[cfg(not(target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    nolabel::cli::main()
}

/// In a browser the programs are `page` and `worker`.
#[cfg(target_family = "wasm")]
fn main() {}
