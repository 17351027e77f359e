//! Networks, built from thin layer types of our own so that weight names stay stable and faster kernels can go under all
//! of them at once.

pub mod chain;
mod channelwise;
mod conv;
mod decoder;
mod deconv;
mod discriminator;
mod dropout;
mod encoder;
mod init;
mod inpainter;
mod linear;
mod mask;
pub mod memory;
mod mlp;
pub mod momentum;
mod norm;
pub mod outline;
mod pool;
mod redraw;
mod response;
mod shuffle;
pub mod tensors;

pub use channelwise::ChannelWise;
pub use conv::Conv2d;
pub use decoder::PixelHead;
pub use deconv::Deconv2d;
pub use discriminator::Discriminator;
pub use dropout::{dropout, dropout_mask};
#[cfg(test)]
pub(crate) use encoder::tests::{KINDS as ENCODER_KINDS, build as encoder_for_tests, lived_in as encoder_lived_in};
pub use encoder::{Encoder, EncoderConfig, EncoderKind, GAP, Input, Pixels, parse_state};
pub use init::{Init, Start};
pub use inpainter::{Inpainter, InpainterPlan};
pub use linear::Linear;
pub use mask::{MaskHead, MaskPlan};
pub use mlp::{Mlp, MlpPlan, Norm};
pub use norm::BatchNorm;
pub use pool::Pool;
pub use redraw::Redraw;
pub use response::{RESPONSE_ALPHA, RESPONSE_BETA, RESPONSE_CHANNELS, local_response};
pub use shuffle::Shuffle;
