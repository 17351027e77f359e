//! Preprocessing of patches: lower resolution, colours, contrast.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::net::Pixels;
use crate::options::{options, words};
use crate::rng::{self, Rng};
use crate::view::{PatchNormalisation, coarsen, drop_colours, normalise_patches, project_colours};

words! {
    /// Remedy against chromatic aberration.
    pub enum Colours {
        /// None.
        Keep = "keep",
        /// One channel is kept; noise replaces the others.
        Drop = "drop",
        /// The axis between green and magenta is projected out.
        Project = "project",
    }
}

options! {
    /// Preprocessing of each patch.
    #[derive(Copy)]
    pub struct PatchOptions {
        /// Share of patches with a lower resolution.
        coarse: f64 = 1.0 / 3.0, in 0.0..=1.0;
        /// Lowest resolution of such a patch, as its side.
        coarsest: usize = 5, in 1..=2048, unit "px";
        /// Remedy against chromatic aberration, which reveals the position of a patch in the picture.
        colours: Colours = Colours::Drop;
    }
}

/// Preprocessing of patches, with the normalisation of the data.
#[derive(Clone, Debug)]
pub(crate) struct PatchPreprocess {
    options: PatchOptions,
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl PatchPreprocess {
    /// Preprocessing of patches of `patch` pixels.
    ///
    /// # Errors
    /// If the lowest resolution is above that of the patches.
    pub(crate) fn of(config: &RunConfig, options: PatchOptions, patch: usize) -> Result<Self> {
        if options.coarsest > patch {
            return Err(Error::Config(format!("coarsest must be at most patch, which is {patch} px")));
        }
        let mean = config.encoder.input_mean.clone();
        let std = Pixels::of(&config.data).std;
        Ok(Self { options, mean, std })
    }

    /// Lowers the resolution of some patches, changes colours, and gives all patches one contrast, so that shading does not reveal
    /// their position either.
    pub(crate) fn apply(&self, patches: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        let [m, c, side, _] = patches.dims();
        let PatchOptions { coarse, coarsest, colours } = self.options;
        let least = (coarsest * coarsest) as f64;
        let sides: Vec<usize> = (0..m)
            .map(|_| {
                let (chance, share): (f64, f64) = (rng.random(), rng.random());
                let area = least + share * ((side * side) as f64 - least);
                if chance < coarse { area.sqrt() as usize } else { side }
            })
            .collect();
        let patches = coarsen(patches, &sides);
        match colours {
            Colours::Keep => normalise_patches(patches, PatchNormalisation::Deviation, &self.mean, &self.std),
            Colours::Project => normalise_patches(
                project_colours(patches, &vec![true; m]),
                PatchNormalisation::Deviation,
                &self.mean,
                &self.std,
            ),
            Colours::Drop => {
                let kept: Vec<usize> = (0..m).map(|_| rng.random_range(0..c)).collect();
                let noise = (c > 1).then(|| noise(patches.dims(), rng, &patches));
                normalise_patches(drop_colours(patches, &kept, noise), PatchNormalisation::Power, &self.mean, &self.std)
            }
        }
    }
}

fn noise(shape: [usize; 4], rng: &mut Rng, like: &Tensor<4>) -> Tensor<4> {
    let values = rng::uniform(rng, shape.iter().product(), -0.5, 0.5);
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::method::Method;
    use crate::methods::context_prediction::{ContextPrediction, ContextPredictionOptions};
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};

    fn preprocess(changes: &[(&str, &str)]) -> PatchPreprocess {
        let mut config = ContextPrediction::PRESETS.of(Preset::Full, "imagenet");
        changes.iter().for_each(|(key, value)| config.set(key, value).expect("an option"));
        let options = config.read_options::<ContextPredictionOptions>().expect("possible options");
        PatchPreprocess::of(&config, options.patches, options.grid.patch).expect("possible options")
    }

    fn apply(changes: &[(&str, &str)], patches: &Tensor<4>) -> Vec<f32> {
        let preprocess = PatchPreprocess { mean: vec![0.0], std: vec![1.0], ..preprocess(changes) };
        preprocess.apply(patches.clone(), &mut stream(1, Purpose::Views, 0)).into_data().try_to_vec().expect("floats")
    }

    fn patches() -> Tensor<4> {
        Tensor::random([60, 3, 24, 24], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn a_patch_keeps_one_channel_and_one_contrast() {
        let mut kept = [0; 3];
        for patch in apply(&[("coarse", "0")], &patches()).chunks(3 * 576) {
            let power = |pixels: &[f32]| pixels.iter().map(|x| x * x).sum::<f32>() / pixels.len() as f32;
            assert!((power(patch) - 1.0).abs() < 1e-4);
            let loud: Vec<usize> = (0..3).filter(|c| power(&patch[576 * c..576 * (c + 1)]) > 1.0).collect();
            assert_eq!(loud.len(), 1, "the two others hold faint noise");
            kept[loud[0]] += 1;
        }
        assert!(kept.iter().all(|&count| count > 10), "{kept:?}");
    }

    #[test]
    fn a_third_of_the_patches_has_a_lower_resolution() {
        let x = patches();
        let plain = apply(&[("coarse", "0"), ("colours", "keep")], &x);
        let mixed = apply(&[("coarse", "0.333"), ("colours", "keep")], &x);
        let changed = plain.chunks(3 * 576).zip(mixed.chunks(3 * 576)).filter(|(a, b)| a != b).count();
        assert!((10..=30).contains(&changed), "{changed} of 60");
    }

    #[test]
    fn projected_patches_have_no_green_magenta_fringes() {
        let x = patches();
        let strength = Tensor::<4>::random([60, 1, 24, 24], Distribution::Uniform(-0.2, 0.2), &Device::flex());
        let fringes = strength * Tensor::<1>::from_floats([-1.0, 2.0, -1.0], &Device::flex()).reshape([1, 3, 1, 1]);
        let furthest = |colours: &str| {
            let changes = [("coarse", "0"), ("colours", colours)];
            let clean = apply(&changes, &x);
            let fringed = apply(&changes, &(x.clone() + fringes.clone()));
            clean.iter().zip(&fringed).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(furthest("project") < 1e-4 && furthest("keep") > 0.5);
    }

    #[test]
    fn unknown_remedies_are_refused() {
        let mut wrong = ContextPrediction::PRESETS.of(Preset::Full, "imagenet");
        wrong.set("colours", "green").expect("a text");
        let said = wrong.read_options::<ContextPredictionOptions>().expect_err("no such way").to_string();
        assert!(said.contains("project"), "{said}");
    }
}
