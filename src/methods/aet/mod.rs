//! AET: from an image and its transformed version the network predicts the parameters of the transformation.
//!
//! `L = |h(E(x), E(t(x))) - theta|^2`, the mean over parameters and images: the transformation is autoencoded, not the data.
//! Zhang, Qi, Wang and Luo 2019. Its counterpart AED, `target = data`, decodes the image from E(x). Pixels outside the
//! transformed image have the value `fill`; unless that is the background's, the corners reveal the transformation.

mod options;
mod transform;

use burn::module::Module;
use burn::tensor::activation::tanh;
use burn::tensor::{Tensor, TensorData};

use super::shared::augmented_views;
use super::shared::fc_head::{FcHead, alexnet_layers};
use super::shared::options::{FcOptions, ShiftFlip};
use crate::config::{Preset, RunConfig};
use crate::data::catalogue;
use crate::error::{Error, Result};
use crate::loss::{explained_variance, squared_error};
use crate::method::presets::is_small;
use crate::method::{
    Batch, Better, DataInfo, Experiment, Group, Info, LossOutput, Method, Metric, Needs, Presets, StepDisplay,
    StepPosition, Unit, Views,
};
use crate::net::{Encoder, EncoderConfig, EncoderKind, ImageDecoder, Init, Linear};
use crate::optim::{OptimizerConfig, Schedule, Steps, StepsThenLine};
use crate::rng::Rng;
use crate::view::{Fill, Frames, Homography, draw_frames, inverses, random_crop, random_flip, random_shift, warp};
use options::{AetOptions, Branches, GRAY, Target, Transformation};
use transform::{Drawn, Family, Scaling};

/// Encoder with fully connected layers, and either a linear layer to the parameters or a decoder of the image.
#[derive(Module, Debug)]
pub struct Aet {
    encoder: Encoder,
    neck: FcHead,
    numbers: Option<Linear>,
    image: Option<ImageDecoder>,
    #[module(skip)]
    options: AetOptions,
    #[module(skip)]
    family: Family,
    /// Side of the network's input, in pixels.
    #[module(skip)]
    side: usize,
}

/// Smallest side of images, in pixels, in which a transformation can be seen.
const LEAST: usize = 8;

impl Method for Aet {
    const INFO: Info = Info {
        id: "aet",
        title: "Autoencoding transformations (AET)",
        year: 2019,
        paper: "Zhang, Qi, Wang, Luo: AET vs. AED: Unsupervised Representation Learning by Auto-Encoding Transformations \
                rather than Data",
        url: "https://arxiv.org/abs/1901.04596",
        group: Group::Undo,
        task: "Each image is given twice, as it is and turned, zoomed and tilted; the network predicts by how much.",
        lesson: "Rotation prediction has four classes; here the targets are numbers. To tell how a thing was turned and \
                 tilted, the network has to find the same parts of it in both pictures.",
        loss: "0 would mean that every change is told exactly.",
        metric: Metric {
            name: "variance explained",
            better: Better::Higher,
            baseline: "always giving the same answer",
            chance: Some(0.0),
            unit: Unit::Share,
        },
        experiment: Some(Experiment {
            label: "Try it with redrawing instead",
            key: "target",
            value: "data",
            watch: "Watch the network redraw each image from its features: an autoencoder, with which the paper compares.",
        }),
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(small, cifar, imagenet);

    type Options = AetOptions;

    fn init(config: &RunConfig, options: &AetOptions, data_info: &DataInfo, init: &mut Init) -> Result<Self> {
        let side = seen_side(options, data_info)?;
        let family = match options.transformation {
            Transformation::Affine => Family::Affine,
            Transformation::Projective if is_small(&config.data) || side <= 64 => {
                Family::Projective(Scaling::small(side))
            }
            Transformation::Projective => Family::Projective(Scaling::large(side)),
        };
        let channels = data_info.size.channels;
        let encoder = Encoder::init(&config.encoder, channels, init)?;
        let neck = FcHead::init(alexnet_layers(options.layers.hidden), &encoder, [side; 2], config, init)?;
        let width = neck.width(&encoder);
        let (numbers, image) = match options.target {
            Target::Transformation => (Some(Linear::init(2 * width, family.width(), true, init)), None),
            Target::Data => (None, Some(ImageDecoder::init(width, channels, [side; 2], init))),
        };
        Ok(Self { encoder, neck, numbers, image, options: options.clone(), family, side })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The image, cropped and mirrored, its transformed version, and the parameters.
    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let side = self.side;
        let [n, ..] = batch.images.dims();
        let device = batch.images.device();
        let shift = &self.options.shift;
        let mut x = random_shift(random_crop(batch.images.clone(), self.options.size, rng), shift.crop_padding, rng);
        if shift.flip {
            x = random_flip(x, rng);
        }
        let drawn: Vec<Drawn> = (0..n).map(|_| self.family.draw(side, rng)).collect();
        let maps: Vec<Homography> = drawn.iter().map(|one| one.map).collect();
        let transformed = warp(x.clone(), Homography::tensor(&maps, &device), [side; 2], self.fill());
        let theta: Vec<f32> = drawn.iter().flat_map(|one| one.target.iter().map(|&x| x as f32)).collect();
        let theta = Tensor::from_data(TensorData::new(theta, [n, self.family.width()]), &device);
        Views { images: vec![x, transformed], tables: vec![theta], ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let [x, transformed] = augmented_views::both(views);
        let (said, truth) = match (&self.numbers, &self.image) {
            (Some(numbers), _) => {
                let said = numbers.forward(Tensor::cat(self.codes(x, transformed).to_vec(), 1));
                (self.bounded(said), views.tables[0].clone())
            }
            (_, Some(image)) => {
                let code = self.neck.forward(&self.encoder, x.clone());
                (image.forward(code).flatten(1, 3), x.flatten(1, 3))
            }
            _ => unreachable!("one of the two is built"),
        };
        LossOutput {
            metric: Some(explained_variance(said.clone().detach(), truth.clone())),
            figures: vec![said.clone().detach()],
            ..LossOutput::of(squared_error(said, truth))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let [x, transformed] = augmented_views::both(views);
        let said = outcome.figures[0].clone().inner();
        let mut rows = vec![("The image".to_string(), x.clone())];
        if self.image.is_some() {
            rows.push(("As the network redraws it".to_string(), said.reshape(x.dims())));
        } else {
            let [said, truth] = [said, views.tables[0].clone()].map(|answers| self.family.maps(answers, self.side));
            let back = |maps: &Tensor<3>| {
                warp(transformed.clone(), inverses(maps.clone()), [self.side; 2], self.fill()).clamp(0.0, 1.0)
            };
            let back = [
                ("Put back by what the network says; black where that squeezes the image into a point", back(&said)),
                ("Put back by the truth", back(&truth)),
            ];
            rows.push(("The same, transformed".to_string(), transformed.clone()));
            rows.extend(back.map(|(title, images)| (title.to_string(), images)));
            let title = "Its frame in the image, the thick side its top: green the truth, red what the network says";
            let frames = [Frames { colour: GREEN, maps: truth }, Frames { colour: RED, maps: said }];
            rows.push((title.to_string(), draw_frames(x, &frames)));
        }
        StepDisplay { rows, ..StepDisplay::default() }
    }
}

impl Aet {
    /// E(x) and E(t(x)): `[n, d]` each. Apart, batch norm normalises each by its own statistics in training, and its running
    /// statistics are means of both.
    fn codes(&self, x: Tensor<4>, transformed: Tensor<4>) -> [Tensor<2>; 2] {
        let code = |images| self.neck.forward(&self.encoder, images);
        if self.options.branches == Branches::Apart {
            return [code(x), code(transformed)];
        }
        let [n, ..] = x.dims();
        let both = code(Tensor::cat(vec![x, transformed], 0));
        [both.clone().narrow(0, 0, n), both.narrow(0, n, n)]
    }

    fn fill(&self) -> Fill {
        Fill::Value(self.options.fill as f32)
    }

    /// Affine parameters lie in -1 to 1, projective ones are unbounded.
    fn bounded(&self, said: Tensor<2>) -> Tensor<2> {
        if self.family == Family::Affine { tanh(said) } else { said }
    }
}

/// Side of the network's input.
///
/// # Errors
/// If images are too small, or not square.
fn seen_side(options: &AetOptions, data_info: &DataInfo) -> Result<usize> {
    if options.size == 0 && data_info.size.height != data_info.size.width {
        return Err(Error::Data(
            "aet needs square images, for the shape of others would show a turn; or a `size` to cut out of each".into(),
        ));
    }
    let side = if options.size > 0 { options.size } else { data_info.size.height };
    if side < LEAST {
        return Err(Error::Config(format!("aet needs images of {LEAST} px a side or more")));
    }
    if options.shift.crop_padding >= side {
        return Err(Error::Config("crop_padding must be smaller than the image".into()));
    }
    Ok(side)
}

/// Colours of frames.
const GREEN: [f32; 3] = [0.1, 0.8, 0.2];
const RED: [f32; 3] = [0.9, 0.15, 0.1];

/// The four-block encoder, AdamW instead of 1500 epochs of SGD, and projective transformations, the better of the paper's
/// settings; minutes on two CPU cores. Gray data sets show objects on black, so the fill is black; the mid-gray that suits
/// photographs would frame every transformed image.
fn small(data: &str) -> RunConfig {
    let on_black = catalogue::find(data).is_ok_and(|entry| entry.size.channels == 1);
    RunConfig {
        method: Aet::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 128,
        epochs: 5,
        encoder: EncoderConfig::small(32),
        optimizer: OptimizerConfig::adamw(1e-3, 1e-4),
        schedule: Schedule::cosine(0.1),
        ..RunConfig::default()
    }
    .with_options(&AetOptions {
        branches: Branches::Together,
        fill: if on_black { 0.0 } else { GRAY },
        ..Default::default()
    })
}

/// The authors' code for CIFAR-10: NIN, batches of 512, SGD with Nesterov's momentum at 0.1, divided by 5 at epochs 240,
/// 480, 640 and 800, and linear decay from epoch 1000 to 1500. Published: 92.18 % with a convolutional classifier on block 2.
fn cifar(data: &str) -> RunConfig {
    let at_epochs = vec![240.0, 480.0, 640.0, 800.0];
    let steps = StepsThenLine { at_epochs, factor: 0.2, from_epoch: 1000.0, end_factor: 1e-4 };
    RunConfig {
        method: Aet::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 512,
        epochs: 1500,
        encoder: EncoderConfig::published(EncoderKind::Nin, data),
        optimizer: OptimizerConfig::nesterov(0.1, 5e-4),
        schedule: Schedule::StepsThenLine(steps),
        ..RunConfig::default()
    }
    .with_options(&AetOptions { shift: ShiftFlip { crop_padding: 4, flip: true }, ..Default::default() })
}

/// The authors' code for ImageNet: squares of 224 px out of images of 256, AlexNet with batch norm and two layers of 4096
/// for each image, batches of 768, rate 0.01, divided by 10 at epochs 100 and 150 of 200. Transformations are drawn at
/// every step, not taken from a list of 500,000. Published: 40.6 % linear on the best layer.
fn imagenet(data: &str) -> RunConfig {
    RunConfig {
        method: Aet::INFO.id.into(),
        preset: Preset::Full,
        data: data.into(),
        batch: 768,
        epochs: 200,
        encoder: EncoderConfig::published(EncoderKind::AlexnetBn, data),
        optimizer: OptimizerConfig::nesterov(0.01, 5e-4),
        schedule: Schedule::Steps(Steps { at_epochs: vec![100.0, 150.0], factor: 0.1 }),
        ..RunConfig::default()
    }
    .with_options(&AetOptions {
        shift: ShiftFlip { crop_padding: 0, flip: true },
        layers: FcOptions { hidden: 4096 },
        size: 224,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::methods::test_support::{self, POSITION, build, gradient_of, model, tiny, views, zeroed};
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn with(changes: &[(&str, &str)]) -> RunConfig {
        let mut config = tiny(Aet::INFO.id);
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        config
    }

    #[test]
    fn both_families_learn_from_both_images() {
        for transformation in ["affine", "projective"] {
            let model = model::<Aet>(&with(&[("transformation", transformation)]));
            assert!(gradient_of(&model, |name| name.starts_with("encoder.")) > 0.0);
            let said = model.loss(&views(&model), &POSITION).figures[0].clone();
            let most: f32 = said.clone().abs().max().into_scalar();
            assert!(said.dims()[1] == model.family.width() && (transformation == "projective" || most <= 1.0));
            // a prediction of 0 has the mean square of the target as its loss
            let mute = zeroed(model, |name| name.starts_with("numbers."));
            let views = views(&mute);
            let loss: f32 = mute.loss(&views, &POSITION).loss.into_scalar();
            let truth: f32 = views.tables[0].clone().square().mean().into_scalar();
            assert!((loss - truth).abs() < 1e-5);
        }
    }

    #[test]
    fn branches_differ_in_batch_statistics_only() {
        let loss = |branches: &str, learning: bool| -> f32 {
            let model = model::<Aet>(&with(&[("branches", branches)]));
            let views = views(&model);
            if learning {
                return model.loss(&views, &POSITION).loss.into_scalar();
            }
            model.valid().loss(&plain(&views), &POSITION).loss.into_scalar()
        };
        assert!((loss("together", false) - loss("apart", false)).abs() < 1e-6);
        assert!((loss("together", true) - loss("apart", true)).abs() > 1e-5);
        assert!(build::<Aet>(&with(&[("branches", "both")])).is_err());
    }

    #[test]
    fn aed_decodes_the_image_without_the_transformed_one() {
        let model = model::<Aet>(&with(&[("target", "data")]));
        let mut views = views(&model);
        let loss = |views: &Views| model.valid().loss(&plain(views), &POSITION).loss.into_scalar::<f32>();
        assert_eq!(model.loss(&views, &POSITION).figures[0].dims(), [8, 784]);
        let before = loss(&views);
        views.images[1] = views.images[1].clone() * 0.0;
        assert_eq!(loss(&views), before);
        assert!(gradient_of(&model, |name| name.starts_with("encoder.")) > 0.0);
        let wrong = build::<Aet>(&with(&[("target", "both")])).expect_err("no such target").to_string();
        assert!(wrong.contains("transformation or data"), "{wrong}");
    }

    fn plain(views: &Views) -> Views {
        Views { images: views.images.iter().map(|images| images.clone().inner()).collect(), ..views.clone() }
    }

    /// Largest difference between uniform images and their transformed versions.
    fn revealed_by_a_uniform_image(level: f32, fill: &str) -> f32 {
        let model = model::<Aet>(&with(&[("fill", fill)]));
        let images = Tensor::<4>::ones([8, 1, 28, 28], &Device::flex()) * level;
        let batch = Batch::of(images, (0..8).collect());
        let views = model.views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0));
        let [x, transformed] = augmented_views::both(&views);
        (x - transformed).abs().max().into_scalar()
    }

    #[test]
    fn corners_reveal_the_transformation_by_another_fill() {
        assert!(revealed_by_a_uniform_image(0.5, "0.5") < 1e-6 && revealed_by_a_uniform_image(0.0, "0") < 1e-6);
        assert!(revealed_by_a_uniform_image(0.5, "0") > 0.4, "black corners on a mid-gray image");
        assert!(revealed_by_a_uniform_image(0.0, "0.5") > 0.4, "mid-gray corners on a black one");
    }

    #[test]
    fn the_true_parameters_undo_the_transformation() {
        for transformation in ["affine", "projective"] {
            let model = model::<Aet>(&with(&[("transformation", transformation)]));
            let views = views(&model);
            let outcome = LossOutput { figures: views.tables.clone(), ..model.loss(&views, &POSITION) };
            let rows = model.show(&plain(&views), &outcome, &POSITION).rows;
            assert_eq!(rows.len(), 5);
            // both contain the middle of the image
            let middle = |index: usize| rows[index].1.clone().slice([0..8, 0..1, 12..16, 12..16]);
            let away = |other: usize| (middle(0) - middle(other)).abs().mean().into_scalar::<f32>();
            assert!(away(3) < 0.5 * away(1), "{transformation}: {} against {}", away(3), away(1));
            // the red frame of the same parameters covers the green one
            let frames = rows[4].1.clone();
            let like = |[r, g, _]: [f32; 3]| -> f32 {
                let near = |channel: usize, value: f32| {
                    (frames.clone().narrow(1, channel, 1) - value).abs().lower_elem(1e-3).float()
                };
                (near(0, r) * near(1, g)).sum().into_scalar()
            };
            assert_eq!(frames.dims(), [8, 3, 42, 42]);
            assert!(like(GREEN) == 0.0 && like(RED) > 8.0 * 40.0);
        }
    }

    #[test]
    fn crops_are_square_for_images_of_any_shape() {
        let init = |size: &str| {
            let data_info = DataInfo::of(Size { channels: 1, height: 20, width: 28 }, 8);
            test_support::init::<Aet>(&with(&[("size", size)]), &data_info, &Device::flex())
        };
        let batch = Batch::of(Tensor::zeros([2, 1, 20, 28], &Device::flex()), vec![0, 1]);
        let views = init("16").expect("a model").views(&batch, &POSITION, &mut stream(1, Purpose::Views, 0));
        assert!(views.images.iter().all(|images| images.dims() == [2, 1, 16, 16]));
        assert!(init("0").expect_err("not square").to_string().contains("square"));
        assert!(init("7").expect_err("too small").to_string().contains("8 to 2048 px"));
    }

    #[test]
    fn the_published_settings_learn_at_reduced_width() {
        for (mut config, shape) in [(cifar("cifar-10"), [3, 32, 32]), (imagenet("imagenet"), [3, 96, 96])] {
            config.encoder.width = 8;
            config.optimizer.lr = 0.01;
            if config.options["hidden"] != 0 {
                config.set("hidden", "32").expect("an option");
                config.set("size", "64").expect("an option");
            }
            let losses = test_support::losses(&config, shape, 4, 5);
            assert!(losses.iter().all(|loss| loss.is_finite()) && losses[4] < losses[0], "{losses:?}");
        }
    }
}
