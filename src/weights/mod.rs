//! Weights that travel: encoders as files that PyTorch and ONNX runtimes read, and files of other projects as encoders.
//!
//! Files that come in are not trusted. Nothing in them is executed, no size they claim is believed before it is compared
//! with the bytes that are there, and the memory they can make the program take is a few times their own size, with some
//! hundred megabytes at most for small ones.

mod array;
mod export;
mod file;
mod import;
mod layout;
mod naming;
mod network;
mod onnx;
mod pickle;
mod torch;
mod unused;
mod zip;

pub use export::{About, safetensors};
pub use import::{ImportOptions, Imported, import};
pub use onnx::onnx;

#[cfg(test)]
mod damage;
