//! Networks, built from thin layer types of our own so that weight names stay stable and faster kernels can go under all
//! of them at once.

mod conv;
mod encoder;
mod init;
mod linear;
mod norm;
mod pool;
pub mod tensors;

pub use conv::Conv2d;
pub use encoder::{Encoder, EncoderConfig, EncoderKind, GAP, Pixels, parse_state};
pub use init::Init;
pub use linear::Linear;
pub use norm::BatchNorm;
pub use pool::Pool;
