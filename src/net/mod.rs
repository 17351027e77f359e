//! Networks, built from thin layer types of our own: weight names stay stable, and one change puts a faster kernel under all of
//! them.

mod activation;
mod batch_shuffle;
pub mod chain;
mod channelwise_fc;
pub mod computation_graph;
mod conv;
mod conv_transpose;
mod discriminator;
mod dropout;
pub mod ema;
mod encoder;
mod image_decoder;
pub mod in_place;
mod init;
mod inpainting_decoder;
mod linear;
mod lrn;
mod mask_head;
pub mod memory;
mod mlp;
pub mod named;
mod norm;
mod pixel_head;
mod pool;
mod running;
pub mod tensors;

pub use activation::Activation;
pub use batch_shuffle::BatchShuffle;
pub use channelwise_fc::ChannelwiseFc;
pub use conv::Conv2d;
pub use conv_transpose::ConvTranspose2d;
pub use discriminator::Discriminator;
pub use dropout::{dropout, dropout_mask};
#[cfg(test)]
pub(crate) use encoder::tests::{
    KINDS as ENCODER_KINDS, build as encoder_for_tests, with_random_vectors as encoder_with_random_vectors,
};
pub use encoder::{Encoder, EncoderConfig, EncoderKind, GAP, Input, Pixels, parse_state};
pub use image_decoder::ImageDecoder;
pub use init::{Init, WeightInit};
pub use inpainting_decoder::{InpaintingDecoder, InpaintingDecoderConfig};
pub use linear::Linear;
pub use lrn::{LRN_ALPHA, LRN_BETA, LRN_SIZE, local_response_norm};
pub use mask_head::{MaskHead, MaskHeadConfig};
pub use mlp::{Mlp, MlpPlan, Norm};
pub use norm::BatchNorm;
pub use pixel_head::PixelHead;
pub use pool::Pool;
pub use running::Running;
