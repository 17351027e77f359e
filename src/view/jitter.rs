//! Colour jitter: brightness, contrast, saturation and hue, each image by its own numbers and in its own order, pixels cut
//! to 0 to 1 after each of the four.

use burn::tensor::Tensor;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::colour::{Change, change, clipped};
use super::crop::between;
use super::hue::turn_hue;
use crate::rng::Rng;

/// How strongly colours vary, and whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Probability that an image is changed at all.
    pub p: f64,
    /// Factors from max(0, 1 - this) to 1 + this; shifts from minus to plus this.
    pub brightness: f64,
    /// Factors from max(0, 1 - this) to 1 + this.
    pub contrast: f64,
    /// Factors from max(0, 1 - this) to 1 + this.
    pub saturation: f64,
    /// Turns of the colour circle from minus to plus this, at most 1/2.
    pub hue: f64,
    /// What brightness does.
    pub light: Light,
    /// What contrast is measured about.
    pub about: About,
}

/// What brightness does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// It is a factor (torchvision; SimCLR's second version).
    Multiplied,
    /// It is added (BYOL; SimCLR's first version).
    Added,
}

/// What contrast is measured about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// The gray of the mean pixel (torchvision).
    Gray,
    /// The mean pixel, channel by channel (BYOL, TensorFlow).
    Colour,
}

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Linear(Change),
    Hue(f32),
}

impl Jitter {
    /// Torchvision's `ColorJitter(brightness, contrast, saturation, hue)`.
    pub const fn torchvision([brightness, contrast, saturation, hue]: [f64; 4], p: f64) -> Self {
        Self { p, brightness, contrast, saturation, hue, light: Light::Multiplied, about: About::Gray }
    }

    /// `[n, c, h, w]`, c = 1 or 3 -> the same. The draws do not depend on the channels.
    pub fn apply(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [n, channels, ..] = images.dims();
        let drawn: Vec<_> = (0..n).map(|_| self.draw(rng)).collect();
        run(images, drawn.iter().map(|steps| relevant(steps, channels)).collect())
    }

    /// The four steps of one image in their order; every number is drawn whether it is used or not.
    fn draw(&self, rng: &mut Rng) -> Vec<Step> {
        let active = rng.random::<f64>() < self.p;
        let mut steps = self.steps(rng);
        steps.shuffle(rng);
        if active { steps.to_vec() } else { Vec::new() }
    }

    /// Brightness, contrast, saturation, hue.
    fn steps(&self, rng: &mut Rng) -> [Step; 4] {
        let mut factor = |amount: f64| between([(1.0 - amount).max(0.0), 1.0 + amount], rng) as f32;
        let (contrast, saturation) = (factor(self.contrast), factor(self.saturation));
        let light = match self.light {
            Light::Multiplied => Change::brightness(factor(self.brightness)),
            Light::Added => Change::lift(between([-self.brightness, self.brightness], rng) as f32),
        };
        let hue = between([-self.hue, self.hue], rng) as f32;
        let contrast = match self.about {
            About::Gray => Change::contrast(contrast),
            About::Colour => Change::contrast_about_colour(contrast),
        };
        let saturation = Change::saturation(saturation);
        [Step::Linear(light), Step::Linear(contrast), Step::Linear(saturation), Step::Hue(hue)]
    }
}

/// The steps that do something to an image of so many channels.
fn relevant(steps: &[Step], channels: usize) -> Vec<Step> {
    let works = |step: &Step| match step {
        Step::Linear(change) => *change != Change::NONE && (channels > 1 || change.gray == 0.0),
        Step::Hue(turn) => *turn != 0.0 && channels > 1,
    };
    steps.iter().copied().filter(works).collect()
}

/// Runs each image's steps in its own order.
///
/// The batch goes through together: linear changes of any kind share one pass, an image that has nothing to do in it
/// gets the identity. Hue, the dear one, is turned once, after the passes of what stands before it in each image's
/// order.
fn run(mut images: Tensor<4>, steps: Vec<Vec<Step>>) -> Tensor<4> {
    let is_hue = |step: &Step| matches!(step, Step::Hue(_));
    let linear = |part: &[Step]| {
        part.iter().filter_map(|step| if let Step::Linear(change) = step { Some(*change) } else { None }).collect()
    };
    let (mut before, mut turns, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for steps in &steps {
        let place = steps.iter().position(is_hue).unwrap_or(steps.len());
        before.push(linear(&steps[..place]));
        turns.push(if let Some(Step::Hue(turn)) = steps.get(place) { *turn } else { 0.0 });
        after.push(linear(&steps[place..]));
    }
    images = passes(images, &before);
    images = turn_hue(images, &turns);
    passes(images, &after)
}

fn passes(images: Tensor<4>, changes: &[Vec<Change>]) -> Tensor<4> {
    let longest = changes.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).fold(images, |images, pass| {
        let row: Vec<_> = changes.iter().map(|own| own.get(pass).copied().unwrap_or(Change::NONE)).collect();
        clipped(change(images, &row))
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

    fn step((name, value): &(String, f32)) -> Step {
        match name.as_str() {
            "brightness" => Step::Linear(Change::brightness(*value)),
            "brightness-added" => Step::Linear(Change::lift(*value)),
            "contrast" => Step::Linear(Change::contrast(*value)),
            "contrast-colour" => Step::Linear(Change::contrast_about_colour(*value)),
            "saturation" => Step::Linear(Change::saturation(*value)),
            "hue" => Step::Hue(*value),
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
    fn agrees_with_torchvision_one_by_one_and_in_chains() {
        let fixture = fixture();
        for case in &fixture.cases {
            let found = match case.ops[0].0.as_str() {
                "gray" => gray(fixture.image(), &[true]),
                "normalise" => imagenet().normalise(fixture.image()),
                _ => run(fixture.image(), vec![case.ops.iter().map(step).collect()]),
            };
            // TensorFlow's two, which torchvision does not have, are stored as they are before they are cut
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
        let mut steps: Vec<Vec<Step>> = chains.iter().map(|case| case.ops.iter().map(step).collect()).collect();
        steps.push(Vec::new());
        let mut expected: Vec<f32> = chains.iter().flat_map(|case| case.expected.clone()).collect();
        expected.extend(values(fixture.image()));
        assert_close(&values(run(images, steps)), &expected, 1e-5);
    }

    fn noise(n: usize, channels: usize) -> Tensor<4> {
        Tensor::random([n, channels, 6, 6], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn images_change_independently_with_the_asked_probability_and_within_range() {
        let x = noise(200, 3);
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 0.8);
        let (before, after) = (values(x.clone()), values(jitter.apply(x, &mut stream(1, Purpose::Views, 0))));
        assert!(after.iter().all(|value| (0.0..=1.0).contains(value)));
        let same = |(a, b): (&[f32], &[f32])| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        let unchanged = before.chunks(108).zip(after.chunks(108)).filter(|&pair| same(pair)).count();
        assert!((20..=60).contains(&unchanged), "{unchanged} of 200 unchanged at p = 0.8");
    }

    #[test]
    fn orders_are_drawn() {
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 1.0);
        let mut rng = stream(1, Purpose::Views, 0);
        let place = |steps: Vec<Step>| steps.iter().position(|step| matches!(step, Step::Hue(_))).expect("a hue");
        let mut counts = [0; 4];
        (0..400).for_each(|_| counts[place(jitter.draw(&mut rng))] += 1);
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "places of hue: {counts:?}");
    }

    #[test]
    fn factors_keep_their_ranges() {
        let jitter = Jitter::torchvision([0.4, 1.5, 0.2, 0.1], 1.0);
        let mut rng = stream(2, Purpose::Views, 0);
        for _ in 0..500 {
            let steps = jitter.steps(&mut rng);
            let [Step::Linear(b), Step::Linear(c), Step::Linear(s), Step::Hue(h)] = steps else { panic!("{steps:?}") };
            assert!((0.6..=1.4).contains(&b.factor) && (0.0..=2.5).contains(&c.factor));
            assert!((0.8..=1.2).contains(&s.factor) && (-0.1..=0.1).contains(&h));
        }
    }

    #[test]
    fn one_channel_draws_as_many_numbers_as_three() {
        let jitter = Jitter::torchvision([0.4, 0.4, 0.4, 0.1], 0.8);
        let next = |channels: usize| {
            let mut rng = stream(5, Purpose::Views, 0);
            jitter.apply(noise(7, channels), &mut rng);
            rng.random::<u64>()
        };
        assert_eq!(next(1), next(3));
    }

    #[test]
    fn no_strength_changes_nothing() {
        for channels in [1, 3] {
            let x = noise(5, channels);
            let y = Jitter::torchvision([0.0; 4], 1.0).apply(x.clone(), &mut stream(1, Purpose::Views, 0));
            assert_eq!(values(y), values(x));
        }
    }
}
