//! What the methods that compare views of one image share: the recipe of their views, and how the views are drawn.

use burn::tensor::{Int, Tensor, TensorData};
use serde_json::Value;

use super::crop::side;
use super::fc_head::last_map;
use crate::config::{Preset, RunConfig};
use crate::data::catalogue;
use crate::error::{Error, Result};
use crate::method::{Batch, DataInfo, Views};
use crate::net::{Encoder, EncoderConfig};
use crate::optim::{OptimizerConfig, Schedule};
use crate::rng::Rng;
use crate::view::recipe::{self, Recipe};

/// The options `recipe`, `size` and `min_area` with their values.
pub(crate) type Options = [(&'static str, Value); 3];

/// The views of a method, as its options `recipe`, `size` and `min_area` say.
#[derive(Clone, Debug)]
pub(crate) struct Augment {
    recipe: Recipe,
}

impl Augment {
    /// The options for a published recipe: `size` pixels to a side, crops as it has them.
    pub(crate) fn published(recipe: &str, size: usize) -> Options {
        [("recipe", recipe.into()), ("size", size.into()), ("min_area", 0.0.into())]
    }

    /// The options of the small presets: the recipe for gray or for colour images at their own size.
    pub(crate) fn small(data: &str) -> Options {
        [("recipe", small_recipe(data).into()), ("size", 0.into()), ("min_area", 0.3.into())]
    }

    /// Takes the options up.
    ///
    /// # Errors
    /// When the recipe does not exist or is impossible.
    pub(crate) fn of(config: &RunConfig, data_info: &DataInfo) -> Result<Self> {
        Self::named(["recipe", "size"], config, data_info)
    }

    /// As [`Augment::of`], with the recipe and its size taken from options of other names.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn named([recipe, size]: [&str; 2], config: &RunConfig, data_info: &DataInfo) -> Result<Self> {
        let (height, width) = (data_info.size.height, data_info.size.width);
        let size = match side(config, size)? {
            0 => height.max(width),
            size => size,
        };
        let min_area: f64 = config.option("min_area")?;
        if !(0.0..=1.0).contains(&min_area) {
            return Err(Error::Config("min_area must lie in 0 to 1; 0 keeps the recipe's own".into()));
        }
        let recipe = recipe::find(&config.option::<String>(recipe)?)?.scaled_to(size);
        let recipe = if min_area > 0.0 { recipe.with_min_area(min_area) } else { recipe };
        recipe.check()?;
        Ok(Self { recipe })
    }

    /// Tiles of an image, where the recipe cuts it into some.
    pub(crate) fn parts(&self) -> Option<usize> {
        self.recipe.tiles()
    }

    /// Views of an image.
    pub(crate) fn count(&self) -> usize {
        self.recipe.count()
    }

    /// Refuses recipes without exactly two views, which a loss over a pair needs.
    pub(crate) fn of_two(config: &RunConfig, data_info: &DataInfo) -> Result<Self> {
        let augment = Self::of(config, data_info)?;
        match augment.count() {
            2 => Ok(augment),
            count => {
                let (name, method) = (&augment.recipe.name, &config.method);
                Err(Error::Config(format!("{method} compares two views of an image, but recipe {name} makes {count}")))
            }
        }
    }

    /// Refuses an encoder that leaves nothing of a view.
    ///
    /// # Errors
    /// When there is such a view.
    pub(crate) fn fit(&self, encoder: &Encoder, config: &RunConfig) -> Result<()> {
        self.recipe.sides().try_for_each(|side| last_map(encoder, [side; 2], config).map(drop))
    }

    /// Every view of every image.
    pub(crate) fn views(&self, batch: &Batch, rng: &mut Rng) -> Views {
        Views { images: self.recipe.views(&batch.images, rng), ..Views::default() }
    }
}

/// The recipe for images of about 30 px, gray or colour.
pub(crate) fn small_recipe(data: &str) -> &'static str {
    let gray = catalogue::find(data).is_ok_and(|entry| entry.size.channels == 1);
    if gray { "small-gray" } else { "small-colour" }
}

/// What the small presets start from: the four-block encoder and 10 epochs of 256 images a step, minutes on two CPU cores.
/// AdamW with a rate that rises over half an epoch, for the papers' LARS and LARC are made for batches of thousands and their
/// SGD for hundreds of epochs. Both views are drawn alike, without blur and without solarising, which leave little of an
/// image of 28 px: where a paper's two views differ, these do not.
pub(crate) fn small_run(method: &str, data: &str) -> RunConfig {
    let (encoder, optimizer) = (EncoderConfig::small(32), OptimizerConfig::adamw(1e-3, 1e-4));
    let base = RunConfig::of(method, Preset::Small, data, encoder, optimizer, Schedule::cosine(0.5));
    RunConfig { batch: 256, epochs: 10, ..base }
}

/// An option that is a share.
///
/// # Errors
/// When it leaves 0 to 1.
pub(crate) fn share(config: &RunConfig, name: &str) -> Result<f64> {
    let value: f64 = config.option(name)?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(Error::Config(format!("{name} must lie in 0 to 1"))) }
}

/// The option `layers`: how many a projector has.
///
/// # Errors
/// When it has none.
pub(crate) fn layers(config: &RunConfig) -> Result<usize> {
    match config.option("layers")? {
        0 => Err(Error::Config("layers must be at least 1: the projector needs a layer".into())),
        layers => Ok(layers),
    }
}

/// The option `tau`, which divides cosines.
///
/// # Errors
/// When it is not positive.
pub(crate) fn temperature(config: &RunConfig) -> Result<f64> {
    let tau: f64 = config.option("tau")?;
    if tau > 0.0 { Ok(tau) } else { Err(Error::Config("tau must be positive".into())) }
}

/// The sentence for a set of negatives that is larger than the data set: each image is then among its own negatives, several
/// times over.
pub(crate) fn advice_on_repeats(option: &str, size: usize, data_info: &DataInfo) -> Option<String> {
    let images = data_info.images;
    (size > images).then(|| {
        format!(
            "{option} is {size}, but there are {images} training images: each is compared with itself about {} times; set \
             {option} below {images}",
            size.div_ceil(images.max(1))
        )
    })
}

/// The images of the first two views.
pub(crate) fn both(views: &Views) -> [Tensor<4>; 2] {
    [views.images[0].clone(), views.images[1].clone()]
}

/// Whole numbers on the device of `like`.
pub(crate) fn numbers(values: Vec<i32>, like: &Tensor<4>) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &like.device())
}

/// The rows of a picture of two views.
pub(crate) fn rows(views: &Views) -> Vec<(String, Tensor<4>)> {
    let names = views
        .images
        .iter()
        .enumerate()
        .map(|(index, images)| (format!("View {} of each image", index + 1), images.clone()));
    names.collect()
}
