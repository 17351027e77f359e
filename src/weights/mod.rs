//! Import and export of weights: encoders as files for PyTorch and ONNX runtimes, and files of other projects as encoders.
//!
//! Imported files are not trusted. Nothing in them is executed, and every size is compared with the bytes that are there. The
//! memory that a file can make the program take is a few times its own size; for small files it is some hundred megabytes at
//! most.

mod array;
mod export;
mod file;
mod import;
mod layout;
mod naming;
mod network;
mod onnx;
mod torch;
mod unused;
mod zip;

pub use export::{About, safetensors};
pub use import::{ImportOptions, Imported, import};
pub use onnx::onnx;

#[cfg(test)]
mod damage;
#[cfg(test)]
mod foreign_tests;
