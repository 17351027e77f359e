//! Networks, built from thin layer types of our own so that weight names stay stable and faster kernels can go under all
//! of them at once.

mod conv;
mod encoder;
mod init;
mod linear;
pub mod memory;
mod mlp;
pub mod momentum;
mod norm;
mod pool;
mod shuffle;
pub mod tensors;

pub use conv::Conv2d;
pub use encoder::{Encoder, EncoderConfig, EncoderKind, GAP, Pixels, parse_state};
pub use init::Init;
pub use linear::Linear;
pub use mlp::{Mlp, MlpPlan, Norm};
pub use norm::BatchNorm;
pub use pool::Pool;
pub use shuffle::Shuffle;
