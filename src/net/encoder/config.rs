//! Configuration of an encoder.

use serde::{Deserialize, Serialize};

use super::input::Input;
use super::pixels::Pixels;
use crate::error::{Error, Result};
use crate::options::{Options, above, options, words};

options! {
    /// Architecture of an encoder and the normalisation of its input.
    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct EncoderConfig {
        /// Architecture of the encoder.
        kind: EncoderKind = EncoderKind::Small;
        /// Width of the encoder: channels of its first stage; the other stages are in proportion. The published width is that
        /// of the `full` preset.
        width: usize = 32, in 1..=4096, unit "channels", tiny = 4;
        /// Start residual blocks as the identity, with a scale of 0 in their last batch norm (Goyal et al. 2017).
        #[serde(default)]
        zero_init_residual: bool = false;
        /// Groups of a batch with batch statistics of their own, as if each group were on a device of its own.
        #[serde(default = "one")]
        norm_groups: usize = 1, in 1..;
        /// Input of the encoder, the channels that it reads of an image.
        #[serde(default)]
        input: Input = Input::Pixels;
        /// Mean subtracted from the input (pixels are in 0 to 1): one value a channel, or one for all.
        input_mean: Vec<f64> = vec![0.0];
        /// Standard deviation that the input is divided by: one value a channel, or one for all.
        input_std: Vec<f64> = vec![1.0], in above(0.0);
    }
}

fn one() -> usize {
    1
}

words! {
    /// Architecture of an encoder.
    pub enum EncoderKind {
        /// Four 3x3 convolutions of w, 2w, 4w, 4w channels, each with batch norm and ReLU; 2x2 max-pooling after the first
        /// three.
        Small = "small",
        /// Network in Network with four blocks, as in RotNet's CIFAR code (192-160-96, then 192; width 192).
        Nin = "nin",
        /// AlexNet as context prediction has it: one group, local response normalisation after the first two layers, batch
        /// norm without scale and shift in the last three (width 96).
        OneGroupAlexnet = "context-alexnet",
        /// Context-free network of jigsaw puzzles: AlexNet in two groups with local response normalisation and a first layer
        /// of stride 2 (width 96).
        Cfn = "cfn",
        /// AlexNet with batch norm, as in RotNet's ImageNet code (width 64).
        AlexnetBn = "alexnet-bn",
        /// Exemplar-CNN's small net: two 5x5 convolutions of 64 channels, no norm (width 64).
        PlainSmall = "exemplar-small",
        /// Exemplar-CNN's medium net: 64, 128, 256 channels (width 64).
        PlainMedium = "exemplar-medium",
        /// Exemplar-CNN's large net: 92, 256, 512 channels (width 92).
        PlainLarge = "exemplar-large",
        /// ResNet-18 with the stem for large images: a 7x7 convolution of stride 2, then 3x3 max pooling of
        /// stride 2.
        Resnet18 = "resnet18",
        /// ResNet-18 with the stem for images of about 32 px: a 3x3 convolution of stride 1, no pooling.
        Resnet18Cifar = "resnet18-cifar",
        /// ResNet-50 with the stem for large images.
        Resnet50 = "resnet50",
        /// ResNet-50 with the stem for images of about 32 px.
        Resnet50Cifar = "resnet50-cifar",
        /// Colorization's seven blocks of 3x3 convolutions, some of them dilated (width 64).
        ColourVgg = "colour-vgg",
        /// AlexNet with dilation, whose maps keep a sixteenth of the image's side, fully connected layers included (width
        /// 96).
        DilatedAlexnet = "dilated-alexnet",
        /// The context encoders' five 4x4 convolutions, for images of 128 px (width 64).
        Dcgan = "dcgan",
        /// The first three of them, for images of about 32 px (width 64).
        DcganCifar = "dcgan-cifar",
    }
}

impl EncoderKind {
    /// True if it is made of residual blocks.
    pub fn is_residual(self) -> bool {
        use EncoderKind::{Resnet18, Resnet18Cifar, Resnet50, Resnet50Cifar};
        matches!(self, Resnet18 | Resnet18Cifar | Resnet50 | Resnet50Cifar)
    }
}

impl EncoderConfig {
    /// Small encoder of four blocks without input normalisation: black stays 0, so zero padding looks like a black border.
    pub fn small(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Architecture at its published width, normalised with mean and standard deviation of the data set of this name.
    pub fn published(kind: EncoderKind, data: &str) -> Self {
        let width = match kind {
            EncoderKind::Small => 32,
            EncoderKind::Nin => 192,
            EncoderKind::OneGroupAlexnet | EncoderKind::Cfn | EncoderKind::DilatedAlexnet => 96,
            EncoderKind::PlainLarge => 92,
            _ => 64,
        };
        Self { kind, ..Self::small(width) }.normalised_for(data)
    }

    /// Normalised with mean and standard deviation of the data set of this name, see [`Pixels::of`].
    pub fn normalised_for(self, data: &str) -> Self {
        let Pixels { mean, std } = Pixels::of(data);
        Self { input_mean: mean, input_std: std, ..self }
    }

    /// Reading another `input`, normalised with its `mean` and `std`.
    pub fn reading(self, input: Input, mean: &[f64], std: &[f64]) -> Self {
        Self { input, input_mean: mean.to_vec(), input_std: std.to_vec(), ..self }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting, if the encoder cannot be built.
    pub fn check(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::Config(message.to_string()));
        self.check_ranges("encoder.")?;
        if self.zero_init_residual && !self.kind.is_residual() {
            return wrong("encoder.zero_init_residual needs an encoder with residual blocks, for example resnet18");
        }
        if self.input.is_split() && !self.width.is_multiple_of(2) {
            return wrong("encoder.width must be even where encoder.input splits images: each half gets half of it");
        }
        self.pixels().check()
    }

    /// Checks the settings for images of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Data`] that names the setting, if the encoder cannot be built for them.
    pub fn check_for(&self, channels: usize) -> Result<()> {
        self.check()?;
        self.pixels().check_for(self.input.split_channels(channels)?.iter().sum())
    }

    pub(super) fn pixels(&self) -> Pixels {
        Pixels { mean: self.input_mean.clone(), std: self.input_std.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_setting() {
        let fine = EncoderConfig::small(8);
        fine.check_for(3).expect("one value serves any number of channels");
        let cases = [
            (EncoderConfig { width: 0, ..fine.clone() }, "encoder.width"),
            (EncoderConfig { zero_init_residual: true, ..fine.clone() }, "encoder.zero_init_residual"),
            (EncoderConfig { norm_groups: 0, ..fine.clone() }, "encoder.norm_groups"),
            (EncoderConfig { width: 7, input: Input::Lab, ..fine.clone() }, "encoder.width"),
            (EncoderConfig { input: Input::Sides, ..fine.clone() }, "encoder.input"),
            (EncoderConfig { input_std: vec![0.0], ..fine.clone() }, "encoder.input_std"),
            (EncoderConfig { input_std: vec![0.2, 0.2], ..fine.clone() }, "encoder.input_std"),
            (EncoderConfig { input_mean: Vec::new(), ..fine.clone() }, "encoder.input_mean"),
            (EncoderConfig { input_mean: vec![f64::NAN], ..fine.clone() }, "encoder.input_mean"),
        ];
        for (config, name) in cases {
            let message = config.check_for(3).expect_err("a wrong setting").to_string();
            assert!(message.contains(name), "{message}");
        }
        let three = fine.normalised_for("cifar-10");
        three.check_for(3).expect("three values for three channels");
        assert!(three.check_for(1).is_err());
    }

    #[test]
    fn files_without_newer_settings_still_load() {
        let text = r#"{"kind": "resnet18-cifar", "width": 64, "input_mean": [0.5], "input_std": [0.25]}"#;
        let config: EncoderConfig = serde_json::from_str(text).expect("readable");
        assert_eq!((config.kind, config.norm_groups), (EncoderKind::Resnet18Cifar, 1));
    }
}
