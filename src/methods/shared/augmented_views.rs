//! Augmented views of an image, for methods that compare them.

use burn::tensor::Tensor;

use super::fc_head::last_map;
use super::options::ViewOptions;
use crate::config::{Preset, RunConfig};
use crate::error::{Error, Result};
use crate::method::{Batch, DataInfo, Views};
use crate::net::{Encoder, EncoderConfig};
use crate::optim::{OptimizerConfig, Schedule};
use crate::rng::Rng;
use crate::view::{
    self,
    recipe::{self, Recipe},
};

/// Augmentation of a method, by its [`ViewOptions`].
#[derive(Clone, Debug)]
pub(crate) struct Augment {
    recipe: Recipe,
}

impl Augment {
    /// Augmentation for these data.
    ///
    /// # Errors
    /// If the recipe is unknown or impossible.
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

    /// Number of tiles of an image, if the recipe cuts tiles.
    pub(crate) fn parts(&self) -> Option<usize> {
        self.recipe.tiles()
    }

    /// Number of views of an image.
    pub(crate) fn count(&self) -> usize {
        self.recipe.count()
    }

    /// Augmentation with exactly two views.
    ///
    /// # Errors
    /// As [`Augment::of`], and if the recipe makes another number of views.
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

    /// Checks that the encoder's last map of each view has at least one position.
    ///
    /// # Errors
    /// If a view is too small for the encoder.
    pub(crate) fn fit(&self, encoder: &Encoder, config: &RunConfig) -> Result<()> {
        self.recipe.sides().try_for_each(|side| last_map(encoder, [side; 2], config).map(drop))
    }

    /// Draws all views of a batch.
    pub(crate) fn views(&self, batch: &Batch, rng: &mut Rng) -> Views {
        Views { images: self.recipe.views(&batch.images, rng), ..Views::default() }
    }
}

/// Base of the small presets: the four-block encoder and 10 epochs of 256 images a step, minutes on two CPU cores. AdamW with a
/// warm-up of half an epoch, because the papers' LARS and LARC are made for batches of thousands and their SGD for hundreds of
/// epochs. Both views use the same augmentations, without blur and solarisation, which would leave little of an image of
/// 28 px.
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

/// Warning about a set of negatives that is larger than the data set: it contains each image several times, so each is among
/// its own negatives.
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

/// Images of the first two views in turn, for a network that is built with [`Init::set_views`](crate::net::Init::set_views):
/// `[2n, c, h, w]`, view 1 of the first image, view 2 of the first image, view 1 of the second image, ...
pub(crate) fn in_turn(views: &Views) -> Tensor<4> {
    view::alternate(views.images[0].clone(), views.images[1].clone())
}

/// Each row's other view: `[2n, d]`, rows of two views in turn -> the same shape.
pub(crate) fn crossed(z: Tensor<2>) -> Tensor<2> {
    let [rows, d] = z.dims();
    z.reshape([rows / 2, 2, d]).flip([1]).reshape([rows, d])
}

/// Images of the first two views.
pub(crate) fn both(views: &Views) -> [Tensor<4>; 2] {
    [views.images[0].clone(), views.images[1].clone()]
}

/// Rows of a drawing, one for each view.
pub(crate) fn rows(views: &Views) -> Vec<(String, Tensor<4>)> {
    let names = views
        .images
        .iter()
        .enumerate()
        .map(|(index, images)| (format!("View {} of each image", index + 1), images.clone()));
    names.collect()
}
