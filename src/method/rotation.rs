//! Rotation prediction (RotNet): the network is shown images turned by 0, 90, 180 or 270 degrees and says by how much.
//!
//! `L = -1/4n sum_i sum_r log softmax(h(f(rot_r(x_i))))[r]`, Gidaris, Singh and Komodakis 2018, equations 2 and 3.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::{Batch, Facts, Info, Method, Metric, Moment, Needs, Outcome, Shown, Unit, Verdicts, Views};
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::loss::{accuracy, cross_entropy};
use crate::net::{Encoder, EncoderConfig, EncoderKind, Init, Linear};
use crate::optim::{OptimizerConfig, Schedule};
use crate::rng::Rng;
use crate::view::{all_rotations, crop_shifted, flip_some};

const ANGLES: [&str; 4] = ["0°", "90°", "180°", "270°"];

/// Encoder, mean over positions, linear layer to four angles.
#[derive(Module, Debug)]
pub struct Rotation {
    encoder: Encoder,
    head: Linear,
    #[module(skip)]
    flip: bool,
    #[module(skip)]
    crop_padding: usize,
}

impl Method for Rotation {
    const INFO: Info = Info {
        id: "rotation",
        title: "Rotation prediction (RotNet)",
        year: 2018,
        paper: "Gidaris, Singh, Komodakis: Unsupervised Representation Learning by Predicting Image Rotations",
        url: "https://arxiv.org/abs/1803.07728",
        task: "Each image is turned by 0, 90, 180 or 270 degrees; the network says by how much.",
        lesson: "We turned the image ourselves, so the right answer is known and nobody has to label anything. To see that \
                 a shoe lies on its side, the network has to find out what a shoe is and which way up it stands. What it \
                 builds inside to do so is what we want; the answer itself is thrown away.",
        metric: Metric { name: "rotation accuracy", chance: Some(0.25), unit: Unit::Share },
        needs: Needs { colour: false, clips: false },
    };

    fn preset(preset: Preset, data: &str) -> RunConfig {
        match preset {
            Preset::Small => small(data),
            Preset::Full => full(data),
        }
    }

    fn init(config: &RunConfig, facts: &Facts, init: &mut Init) -> Result<Self> {
        if facts.size.height != facts.size.width {
            return Err(Error::Data(
                "rotation needs square images: the shape of others would give the turn away".into(),
            ));
        }
        let encoder = Encoder::init(&config.encoder, facts.size.channels, init)?;
        let head = Linear::init(encoder.width(), ANGLES.len(), true, init);
        let (flip, crop_padding) = (config.option("flip")?, config.option("crop_padding")?);
        if crop_padding >= facts.size.height {
            return Err(Error::Config("crop_padding must be smaller than the image".into()));
        }
        Ok(Self { encoder, head, flip, crop_padding })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Crops and mirrors first and turns last: a turned image that is cropped afterwards shows its turn at the border.
    fn views(&self, batch: &Batch, _moment: &Moment, rng: &mut Rng) -> Views {
        let [n, ..] = batch.images.dims();
        let mut x = crop_shifted(batch.images.clone(), self.crop_padding, rng);
        if self.flip {
            x = flip_some(x, rng);
        }
        let labels: Vec<i32> = (0..4).flat_map(|quarters| std::iter::repeat_n(quarters, n)).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [4 * n]), &x.device());
        Views { images: vec![all_rotations(x)], labels: Some(labels), ..Views::default() }
    }

    fn loss(&self, views: &Views, _moment: &Moment) -> Outcome {
        let labels = views.labels.clone().expect("rotation draws a label for every view");
        let logits = self.head.forward(self.encoder.forward(views.images[0].clone())); // [4n, 4]
        Outcome {
            metric: Some(accuracy(logits.clone().detach(), labels.clone())),
            answers: Some(logits.clone().detach()),
            ..Outcome::of(cross_entropy(logits, labels))
        }
    }

    fn show(&self, views: &Views, outcome: &Outcome, _moment: &Moment) -> Shown {
        let verdicts = views.labels.clone().zip(outcome.answers.clone());
        Shown {
            rows: vec![("What the network was given".to_string(), views.images[0].clone())],
            verdicts: verdicts.map(|(truth, answers)| Verdicts {
                names: ANGLES.map(str::to_string).to_vec(),
                truth,
                answers: answers.inner(),
            }),
            ..Shown::default()
        }
    }
}

/// The toy: the four-block encoder, minutes on two CPU cores.
fn small(data: &str) -> RunConfig {
    let (optimizer, schedule) = (OptimizerConfig::nesterov(0.05, 5e-4), Schedule::cosine(0.1));
    let base = RunConfig::of(Rotation::INFO.id, Preset::Small, data, EncoderConfig::small(32), optimizer, schedule);
    RunConfig { epochs: 5, ..base }.with_options([("flip", false.into()), ("crop_padding", 0.into())])
}

/// RotNet's CIFAR-10 setting from its code: NIN, 128 images and their turns a step, SGD with Nesterov's momentum, rate
/// 0.1 falling to a fifth at epochs 60, 120 and 160 of 200, crops out of 4 px of padding and mirroring before the turn.
/// Published for CIFAR-10: 91.16 % with a convolutional classifier on block 2, 89.06 % with a fully connected one.
fn full(data: &str) -> RunConfig {
    let encoder = EncoderConfig::published(EncoderKind::Nin, data);
    let schedule = Schedule::Steps { at_epochs: vec![60.0, 120.0, 160.0], factor: 0.2 };
    let base =
        RunConfig::of(Rotation::INFO.id, Preset::Full, data, encoder, OptimizerConfig::nesterov(0.1, 5e-4), schedule);
    RunConfig { batch: 128, epochs: 200, ..base }.with_options([("flip", true.into()), ("crop_padding", 4.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn build(device: &Device) -> Rotation {
        let mut config = small("test");
        config.encoder = EncoderConfig::small(2);
        let facts = Facts { size: Size { channels: 1, height: 28, width: 28 }, images: 8 };
        Rotation::init(&config, &facts, &mut Init::new(stream(1, Purpose::Weights, 0), device)).expect("a model")
    }

    const MOMENT: Moment = Moment { step: 0, total: 1, steps_per_epoch: 1 };

    #[test]
    fn every_image_comes_in_all_four_turns_with_balanced_labels() {
        let device = Device::flex();
        let images = Tensor::<4>::random([3, 1, 28, 28], burn::tensor::Distribution::Uniform(0.0, 1.0), &device);
        let batch = Batch { images: images.clone(), indices: vec![0, 1, 2] };
        let views = build(&device).views(&batch, &MOMENT, &mut stream(1, Purpose::Views, 0));
        let labels: Vec<i64> =
            views.labels.expect("labels").into_data().convert::<i64>().try_to_vec().expect("integers");
        assert_eq!(labels, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        assert_eq!(views.images[0].dims(), [12, 1, 28, 28]);
        // the third block is the batch upside down: label and turn belong together
        let third = views.images[0].clone().slice([6..9, 0..1, 0..28, 0..28]);
        assert_eq!(third.into_data(), images.flip([2, 3]).into_data());
    }

    #[test]
    fn an_image_without_content_cannot_be_told_apart() {
        let device = Device::flex();
        let model = build(&device);
        let batch = Batch { images: Tensor::zeros([2, 1, 28, 28], &device), indices: vec![0, 1] };
        let views = model.views(&batch, &MOMENT, &mut stream(1, Purpose::Views, 0));
        let loss: f32 = model.loss(&views, &MOMENT).loss.into_scalar();
        assert!(loss >= 4f32.ln() - 1e-5, "{loss} is below ln 4: the turn leaks");
    }
}
