//! The command line's program.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    nolabel::cli::main()
}

/// In a browser the programs are `page` and `worker`.
#[cfg(target_family = "wasm")]
fn main() {}
