//! What the methods that compare views of one image share: the recipe of their views, and how the views are drawn.

use burn::tensor::Tensor;

use super::fc_head::last_map;
use super::options::ViewOptions;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::method::{Batch, DataInfo, Views};
use crate::net::{Encoder, EncoderConfig};
use crate::optim::{OptimizerConfig, Schedule};
use crate::rng::Rng;
use crate::view::recipe::{self, Recipe};

/// The views of a method, as its [`ViewOptions`] say.
#[derive(Clone, Debug)]
pub(crate) struct Augment {
    recipe: Recipe,
}

impl Augment {
    /// Takes the options up.
    ///
    /// # Errors
    /// When the recipe does not exist or is impossible.
    pub(crate) fn of(options: &ViewOptions, data_info: &DataInfo) -> Result<Self> {
        let size = match options.size {
            0 => data_info.size.height.max(data_info.size.width),
            size => size,
        };
        let recipe = recipe::find(&options.recipe)?.scaled_to(size);
        let recipe = if options.min_area > 0.0 { recipe.with_min_area(options.min_area) } else { recipe };
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
    pub(crate) fn of_two(options: &ViewOptions, data_info: &DataInfo) -> Result<Self> {
        let augment = Self::of(options, data_info)?;
        match augment.count() {
            2 => Ok(augment),
            count => Err(Error::Config(format!(
                "the method compares two views of an image, but recipe {} makes {count}",
                augment.recipe.name
            ))),
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

/// What the small presets start from: the four-block encoder and 10 epochs of 256 images a step, minutes on two CPU cores.
/// AdamW with a rate that rises over half an epoch, for the papers' LARS and LARC are made for batches of thousands and their
/// SGD for hundreds of epochs. Both views are drawn alike, without blur and without solarising, which leave little of an
/// image of 28 px: where a paper's two views differ, these do not.
pub(crate) fn small_run(method: &str, data: &str) -> RunConfig {
    RunConfig {
        method: method.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 256,
        epochs: 10,
        encoder: EncoderConfig::small(32),
        optimizer: OptimizerConfig::adamw(1e-3, 1e-4),
        schedule: Schedule::cosine(0.5),
        ..RunConfig::default()
    }
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

/// The rows of a picture of two views.
pub(crate) fn rows(views: &Views) -> Vec<(String, Tensor<4>)> {
    let names = views
        .images
        .iter()
        .enumerate()
        .map(|(index, images)| (format!("View {} of each image", index + 1), images.clone()));
    names.collect()
}
