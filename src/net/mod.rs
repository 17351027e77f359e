//! Networks, built from thin layer types of our own so that weight names stay stable and faster kernels can go under all
//! of them at once.

mod batch_shuffle;
pub mod chain;
mod channelwise_fc;
pub mod computation_graph;
mod conv;
mod deconv;
mod discriminator;
mod dropout;
pub mod ema;
mod encoder;
mod image_decoder;
mod init;
mod inpainting_decoder;
mod linear;
mod lrn;
mod mask_head;
pub mod memory;
mod mlp;
mod norm;
mod pixel_head;
mod pool;
pub mod tensors;

pub use batch_shuffle::Shuffle;
pub use channelwise_fc::ChannelWise;
pub use conv::Conv2d;
pub use deconv::Deconv2d;
pub use discriminator::Discriminator;
pub use dropout::{dropout, dropout_mask};
#[cfg(test)]
pub(crate) use encoder::tests::{KINDS as ENCODER_KINDS, build as encoder_for_tests, lived_in as encoder_lived_in};
pub use encoder::{Encoder, EncoderConfig, EncoderKind, GAP, Input, Pixels, parse_state};
pub use image_decoder::Redraw;
pub use init::{Init, Start};
pub use inpainting_decoder::{Inpainter, InpainterPlan};
pub use linear::Linear;
pub use lrn::{RESPONSE_ALPHA, RESPONSE_BETA, RESPONSE_CHANNELS, local_response};
pub use mask_head::{MaskHead, MaskPlan};
pub use mlp::{Mlp, MlpPlan, Norm};
pub use norm::BatchNorm;
pub use pixel_head::PixelHead;
pub use pool::Pool;
