//! Colour jitter: brightness, contrast, saturation and hue in a random order for each image, clipped to 0 to 1 after each step.

use burn::tensor::Tensor;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::colour::{ColourChange, change_colours, clipped};
use super::crop::between;
use super::fused::ColourStep;
use super::hue::adjust_hue;
use crate::rng::Rng;

/// Strengths of colour jitter, and the variant of brightness and contrast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Probability that an image is changed at all.
    pub p: f64,
    /// Strength b: factors from U(max(0, 1 - b), 1 + b), or shifts from U(-b, b), depending on `light`.
    pub brightness: f64,
    /// Strength c: factors from U(max(0, 1 - c), 1 + c).
    pub contrast: f64,
    /// Strength s: factors from U(max(0, 1 - s), 1 + s).
    pub saturation: f64,
    /// Strength h, at most 1/2: shifts from U(-h, h), in turns of the colour circle.
    pub hue: f64,
    /// Variant of brightness.
    pub light: BrightnessMode,
    /// Centre that contrast is measured from.
    pub about: ContrastCentre,
}

/// Variant of brightness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrightnessMode {
    /// Factor (torchvision; SimCLR's second version).
    Multiplied,
    /// Shift (BYOL; SimCLR's first version).
    Added,
}

/// Centre that contrast is measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastCentre {
    /// Gray of the mean pixel (torchvision).
    Gray,
    /// Mean pixel, channel by channel (BYOL, TensorFlow).
    Colour,
}

/// One of the four steps, with its drawn numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum JitterStep {
    Linear(ColourChange),
    Hue(f32),
}

impl Jitter {
    /// torchvision's `ColorJitter(brightness, contrast, saturation, hue)`, applied with probability `p`.
    pub const fn torchvision([brightness, contrast, saturation, hue]: [f64; 4], p: f64) -> Self {
        Self {
            p,
            brightness,
            contrast,
            saturation,
            hue,
            light: BrightnessMode::Multiplied,
            about: ContrastCentre::Gray,
        }
    }

    /// Jitters each image: `[n, c, h, w]`, c = 1 or 3 -> the same shape. The random draws do not depend on the channels.
    pub fn apply(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, channels, ..] = images.dims();
        let drawn: Vec<_> = (0..n).map(|_| self.draw(rng)).collect();
        run(images, drawn.iter().map(|steps| relevant(steps, channels)).collect())
    }

    /// Number of steps of each image in [`Jitter::colour_steps`].
    pub(super) const STEPS: usize = 4;

    /// The drawn steps of `n` images, [`Jitter::STEPS`] each, for one pass over all of them. Draws what [`Jitter::apply`] draws.
    pub(super) fn colour_steps(&self, n: usize, rng: &mut Rng) -> Vec<[ColourStep; Self::STEPS]> {
        (0..n)
            .map(|_| {
                let mut steps = [ColourStep::NONE; Self::STEPS];
                for (step, drawn) in steps.iter_mut().zip(self.draw(rng)) {
                    *step = match drawn {
                        JitterStep::Linear(change) => ColourStep { change, is_clipped: true, ..ColourStep::NONE },
                        JitterStep::Hue(turn) => ColourStep { turn, ..ColourStep::NONE },
                    };
                }
                steps
            })
            .collect()
    }

    /// Steps of an image in their random order, none if it is not changed. Every number is drawn in either case, so that the
    /// random generator advances by the same amount.
    fn draw(&self, rng: &mut Rng) -> Vec<JitterStep> {
        let active = rng.random::<f64>() < self.p;
        let mut steps = self.steps(rng);
        steps.shuffle(rng);
        if active { steps.to_vec() } else { Vec::new() }
    }

    /// Steps in the order brightness, contrast, saturation, hue.
    fn steps(&self, rng: &mut Rng) -> [JitterStep; 4] {
        let mut factor = |amount: f64| between([(1.0 - amount).max(0.0), 1.0 + amount], rng) as f32;
        let contrast = factor(self.contrast);
        let saturation = factor(self.saturation);
        let light = match self.light {
            BrightnessMode::Multiplied => ColourChange::brightness(factor(self.brightness)),
            BrightnessMode::Added => ColourChange::lift(between([-self.brightness, self.brightness], rng) as f32),
        };
        let hue = between([-self.hue, self.hue], rng) as f32;
        let contrast = match self.about {
            ContrastCentre::Gray => ColourChange::contrast(contrast),
            ContrastCentre::Colour => ColourChange::contrast_about_colour(contrast),
        };
        let saturation = ColourChange::saturation(saturation);
        [JitterStep::Linear(light), JitterStep::Linear(contrast), JitterStep::Linear(saturation), JitterStep::Hue(hue)]
    }
}

/// Steps that change an image of `channels` channels.
fn relevant(steps: &[JitterStep], channels: usize) -> Vec<JitterStep> {
    let works = |step: &JitterStep| match step {
        JitterStep::Linear(change) => *change != ColourChange::NONE && (channels > 1 || change.gray == 0.0),
        JitterStep::Hue(turn) => *turn != 0.0 && channels > 1,
    };
    steps.iter().copied().filter(works).collect()
}

/// Applies each image's steps in its own order.
///
/// The batch is processed together: linear steps of different kinds share a pass, in which images without a step get the identity.
/// The hue, which is the expensive step, is shifted once for the whole batch, between the passes of the steps before and after it.
fn run(mut images: Tensor<4>, steps: Vec<Vec<JitterStep>>) -> Tensor<4> {
    let is_hue = |step: &JitterStep| matches!(step, JitterStep::Hue(_));
    let linear = |steps: &[JitterStep]| {
        let change = |step: &JitterStep| if let JitterStep::Linear(change) = step { Some(*change) } else { None };
        steps.iter().filter_map(change).collect()
    };
    let mut before = Vec::new();
    let mut turns = Vec::new();
    let mut after = Vec::new();
    for steps in &steps {
        let hue = steps.iter().position(is_hue).unwrap_or(steps.len());
        before.push(linear(&steps[..hue]));
        turns.push(if let Some(JitterStep::Hue(turn)) = steps.get(hue) { *turn } else { 0.0 });
        after.push(linear(&steps[hue..]));
    }
    images = passes(images, &before);
    images = adjust_hue(images, &turns);
    passes(images, &after)
}

fn passes(images: Tensor<4>, changes: &[Vec<ColourChange>]) -> Tensor<4> {
    let longest = changes.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).fold(images, |images, pass| {
        let row: Vec<_> = changes.iter().map(|own| own.get(pass).copied().unwrap_or(ColourChange::NONE)).collect();
        clipped(change_colours(images, &row))
    })
}

#[cfg(test)]
mod tests {
    use super::super::colour::gray;
    use super::super::fixture::{Fixture, assert_close, values};
    use super::*;
    use crate::net::Pixels;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    #[derive(Deserialize)]
    struct Case {
        ops: Vec<(String, f32)>,
        expected: Vec<f32>,
    }

    fn step((name, value): &(String, f32)) -> JitterStep {
        match name.as_str() {
            "brightness" => JitterStep::Linear(ColourChange::brightness(*value)),
            "brightness-added" => JitterStep::Linear(ColourChange::lift(*value)),
            "contrast" => JitterStep::Linear(ColourChange::contrast(*value)),
            "contrast-colour" => JitterStep::Linear(ColourChange::contrast_about_colour(*value)),
            "saturation" => JitterStep::Linear(ColourChange::saturation(*value)),
            "hue" => JitterStep::Hue(*value),
            _ => panic!("no step `{name}`"),
        }
    }

    fn fixture() -> Fixture<Case> {
        Fixture::read(include_str!("../../tests/fixtures/views/colour.json"))
    }

    fn imagenet() -> Pixels {
        Pixels { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
    }

    #[test]
    fn steps_agree_with_torchvision_alone_and_in_sequence() {
        let fixture = fixture();
        for case in &fixture.cases {
            let found = match case.ops[0].0.as_str() {
                "gray" => gray(fixture.image(), &[true]),
                "normalise" => imagenet().normalise(fixture.image()),
                _ => run(fixture.image(), vec![case.ops.iter().map(step).collect()]),
            };
            // the two steps of TensorFlow, which torchvision does not have, are stored before clipping
            let own = case.ops[0].0.contains('-');
            let cut = |x: &f32| if own { x.clamp(0.0, 1.0) } else { *x };
            assert_close(&values(found), &case.expected.iter().map(cut).collect::<Vec<_>>(), 1e-5);
        }
    }

    #[test]
    fn each_image_of_a_batch_has_its_own_order() {
        let fixture = fixture();
        let chains: Vec<_> = fixture.cases.iter().filter(|case| case.ops.len() == 4).collect();
        assert_eq!(chains.len(), 3);
        let images = Tensor::cat(vec![fixture.image(); 4], 0);
        let mut steps: Vec<Vec<JitterStep>> = chains.iter().map(|case| case.ops.iter().map(step).collect()).collect();
        steps.push(Vec::new());
        let mut expected: Vec<f32> = chains.iter().flat_map(|case| case.expected.clone()).collect();
        expected.extend(values(fixture.image()));
        assert_close(&values(run(images, steps)), &expected, 1e-5);
    }

    fn noise(n: usize, channels: usize) -> Tensor<4> {
        Tensor::random([n, channels, 6, 6], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn images_change_independently_with_probability_p() {
        let x = noise(200, 3);
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 0.8);
        let before = values(x.clone());
        let after = values(jitter.apply(x, &mut stream(1, Purpose::Views, 0)));
        assert!(after.iter().all(|value| (0.0..=1.0).contains(value)));
        let same = |(a, b): (&[f32], &[f32])| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        let unchanged = before.chunks(108).zip(after.chunks(108)).filter(|&pair| same(pair)).count();
        assert!((20..=60).contains(&unchanged), "{unchanged} of 200 unchanged at p = 0.8");
    }

    #[test]
    fn each_image_has_a_random_order() {
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 1.0);
        let mut rng = stream(1, Purpose::Views, 0);
        let is_hue = |step: &JitterStep| matches!(step, JitterStep::Hue(_));
        let position = |steps: Vec<JitterStep>| steps.iter().position(is_hue).expect("a hue");
        let mut counts = [0; 4];
        (0..400).for_each(|_| counts[position(jitter.draw(&mut rng))] += 1);
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "positions of hue: {counts:?}");
    }

    #[test]
    fn factors_stay_in_their_ranges() {
        let jitter = Jitter::torchvision([0.4, 1.5, 0.2, 0.1], 1.0);
        let mut rng = stream(2, Purpose::Views, 0);
        for _ in 0..500 {
            let steps = jitter.steps(&mut rng);
            let [JitterStep::Linear(b), JitterStep::Linear(c), JitterStep::Linear(s), JitterStep::Hue(h)] = steps
            else {
                panic!("{steps:?}")
            };
            assert!((0.6..=1.4).contains(&b.factor) && (0.0..=2.5).contains(&c.factor));
            assert!((0.8..=1.2).contains(&s.factor) && (-0.1..=0.1).contains(&h));
        }
    }

    #[test]
    fn the_random_draws_do_not_depend_on_the_channels() {
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 0.8);
        let next = |channels: usize| {
            let mut rng = stream(5, Purpose::Views, 0);
            jitter.apply(noise(7, channels), &mut rng);
            rng.random::<u64>()
        };
        assert_eq!(next(1), next(3));
    }

    #[test]
    fn strengths_of_0_are_the_identity() {
        for channels in [1, 3] {
            let x = noise(5, channels);
            let y = Jitter::torchvision([0.0; 4], 1.0).apply(x.clone(), &mut stream(1, Purpose::Views, 0));
            assert_eq!(values(y), values(x));
        }
    }
}
