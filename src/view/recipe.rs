//! Augmentation recipes: the views of an image that a method trains on, as data.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::op::{Op, run};
use super::published::RECIPES;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Named list of views, with a `Display` in plain words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name, for example `simclr`.
    pub name: String,
    /// Paper or code it is taken from, and deviations from it.
    pub source: String,
    /// Kinds of views, in the order of the views.
    pub kinds: Vec<ViewKind>,
}

/// Views drawn by the same ops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewKind {
    /// Number of views.
    pub count: usize,
    /// Pixels a side after the crop.
    pub size: usize,
    /// Ops in the order of their application.
    pub ops: Vec<Op>,
}

/// Names of all recipes.
pub fn names() -> impl Iterator<Item = &'static str> {
    RECIPES.iter().map(|(name, ..)| *name)
}

/// Looks up a recipe by name.
///
/// # Errors
/// [`Error::Config`] that lists all names, if there is no such recipe.
pub fn find(name: &str) -> Result<Recipe> {
    let row = RECIPES.iter().find(|(known, ..)| *known == name);
    let (name, source, kinds) = row.ok_or_else(|| {
        let known: Vec<_> = names().collect();
        Error::Config(format!("there is no recipe `{name}`; there are: {}", known.join(", ")))
    })?;
    Ok(Recipe { name: name.to_string(), source: source.to_string(), kinds: kinds() })
}

impl Recipe {
    /// Scaled to another image size: the largest view gets `size` pixels a side, smaller views and tiles in proportion. Blurs in
    /// pixels stay.
    pub fn scaled_to(mut self, size: usize) -> Self {
        let largest = self.kinds.iter().map(|kind| kind.size).max().unwrap_or(size);
        let scaled = |pixels: usize| ((pixels * size) as f64 / largest as f64).round().max(1.0) as usize;
        for kind in &mut self.kinds {
            kind.size = scaled(kind.size);
            for op in &mut kind.ops {
                if let Op::Tiles { grid, tile, .. } = op {
                    *tile = scaled(*tile).min(kind.size / *grid).max(1);
                }
            }
        }
        self
    }

    /// With crops of at least this share of the image's area.
    pub fn with_min_area(mut self, share: f64) -> Self {
        for op in self.kinds.iter_mut().flat_map(|kind| &mut kind.ops) {
            if let Op::Crop { area, .. } = op {
                area[0] = share;
            }
        }
        self
    }

    /// Number of views of an image.
    pub fn count(&self) -> usize {
        self.kinds.iter().map(|kind| kind.count).sum()
    }

    /// Number of tiles of an image, if its first views are cut into tiles.
    pub fn tiles(&self) -> Option<usize> {
        let cut = |op: &Op| if let Op::Tiles { grid, .. } = op { Some(grid * grid) } else { None };
        self.kinds.first()?.ops.iter().find_map(cut)
    }

    /// Pixels a side of the images that an encoder reads: of each kind of views, or of the tiles they are cut into.
    pub fn sides(&self) -> impl Iterator<Item = usize> {
        let tile = |op: &Op| if let Op::Tiles { tile, .. } = op { Some(*tile) } else { None };
        self.kinds.iter().map(move |kind| kind.ops.iter().find_map(tile).unwrap_or(kind.size))
    }

    /// Checks all parameters.
    ///
    /// # Errors
    /// [`Error::Config`] if a range or a probability is impossible.
    pub fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::Config(format!("recipe {}: {message}", self.name)));
        if self.count() == 0 {
            return wrong("it needs at least one view".into());
        }
        for kind in &self.kinds {
            if kind.size == 0 {
                return wrong("a view needs at least one pixel".into());
            }
            for op in &kind.ops {
                if let Some(message) = op.fault(kind.size) {
                    return wrong(message);
                }
            }
        }
        Ok(())
    }

    /// Draws all views of a batch, one tensor for each view.
    ///
    /// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3, on a device without autodiff -> each `[n, c, size, size]`, or `[n grid^2, c,
    /// tile, tile]` for views cut into tiles.
    pub fn views(&self, images: &Tensor<4>, rng: &mut Rng) -> Vec<Tensor<4>> {
        let all = self.kinds.iter().flat_map(|kind| std::iter::repeat_n(kind, kind.count));
        all.map(|kind| run(&kind.ops, images.clone(), kind.size, rng)).collect()
    }
}

impl Op {
    /// Error message if a parameter of the op is impossible.
    fn fault(&self, size: usize) -> Option<String> {
        let share =
            |name: &str, p: f64| (!(0.0..=1.0).contains(&p)).then(|| format!("{name} must lie in 0 to 1, not {p}"));
        let rising = |name: &str, [low, high]: [f64; 2]| {
            (!(low >= 0.0 && low <= high && high.is_finite()))
                .then(|| format!("{name} must rise from 0 or more, not {low} to {high}"))
        };
        match self {
            Op::Crop { area, aspect, .. } => {
                let empty = |range: &[f64; 2]| {
                    (range[0] <= 0.0).then(|| "a crop's area and aspect must be above 0".to_string())
                };
                let large = (area[1] > 1.0).then(|| "a crop's area must not exceed 1".to_string());
                rising("a crop's area", *area)
                    .or(large)
                    .or(rising("a crop's aspect", *aspect))
                    .or(empty(area))
                    .or(empty(aspect))
            }
            Op::Tiles { grid, tile, .. } => {
                let fits = *grid > 0 && *tile > 0 && grid.saturating_mul(*tile) <= size;
                (!fits).then(|| format!("{grid} tiles of {tile} px do not fit side by side into {size} px"))
            }
            Op::Flip { p } | Op::Gray { p } | Op::Solarise { p, .. } => share("a probability", *p),
            Op::Photometric { p, bits, sharpness, threshold } => {
                let falls = bits[0] > bits[1] || bits[1] > 16 || bits[0] == 0 || threshold[0] > threshold[1];
                let falls =
                    falls.then(|| "ranges of the photometric group must rise and keep 1 to 16 bits".to_string());
                share("a probability", *p).or(rising("sharpness", *sharpness)).or(falls)
            }
            Op::Blur { p, sigma, .. } => share("a probability", *p).or(rising("a blur's sigma", *sigma)),
            Op::Jitter(jitter) => {
                let [b, c, s, h] = [jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue];
                let strength = [b, c, s].into_iter().find_map(|x| rising("a jitter", [0.0, x]));
                share("a probability", jitter.p)
                    .or(strength)
                    .or((!(0.0..=0.5).contains(&h)).then(|| "a hue turns by 0 to 0.5".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::values;
    use super::super::resample::Filter;
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::{Device, Distribution};
    use rand::RngExt;

    fn noise(n: usize, channels: usize, side: usize) -> Tensor<4> {
        Tensor::random([n, channels, side, side], Distribution::Uniform(0.0, 1.0), &Device::flex())
    }

    #[test]
    fn views_of_every_recipe_stay_in_0_to_1() {
        for name in names() {
            let recipe = find(name).expect("a listed recipe").scaled_to(30);
            recipe.check().expect("a possible recipe");
            for channels in [1, 3] {
                let views = recipe.views(&noise(4, channels, 40), &mut stream(1, Purpose::Views, 0));
                assert_eq!(views.len(), recipe.count());
                for view in views {
                    let [m, c, h, w] = view.dims();
                    assert!(m % 4 == 0 && c == channels && h == w, "{name}: {:?}", view.dims());
                    let inside = |x: &f32| (-1e-5..=1.0 + 1e-5).contains(x);
                    assert!(values(view).iter().all(inside), "{name} leaves 0 to 1");
                }
            }
        }
    }

    #[test]
    fn the_seed_determines_the_views_for_any_channels() {
        for name in names() {
            let recipe = find(name).expect("a listed recipe").scaled_to(24);
            let next = |channels: usize| {
                let mut rng = stream(9, Purpose::Views, 3);
                recipe.views(&noise(3, channels, 24), &mut rng);
                rng.random::<u64>()
            };
            assert_eq!(next(1), next(3), "{name}");
            let x = noise(3, 3, 24);
            let draw = |seed| {
                recipe.views(&x, &mut stream(seed, Purpose::Views, 0)).into_iter().map(values).collect::<Vec<_>>()
            };
            assert_eq!(draw(1), draw(1));
            assert_ne!(draw(1), draw(2));
        }
    }

    #[test]
    fn each_view_of_each_image_is_different() {
        let one = noise(1, 3, 32);
        let same = Tensor::cat(vec![one; 16], 0);
        let views = find("simsiam").expect("a recipe").scaled_to(32).views(&same, &mut stream(1, Purpose::Views, 0));
        let mut images: Vec<Vec<u32>> = Vec::new();
        for view in views {
            images.extend(values(view).chunks(3 * 32 * 32).map(|image| image.iter().map(|x| x.to_bits()).collect()));
        }
        images.sort();
        images.dedup();
        assert_eq!(images.len(), 32, "two views of sixteen copies are 32 different images");
    }

    #[test]
    fn all_sizes_scale_in_proportion() {
        let sizes = |recipe: &Recipe| recipe.kinds.iter().map(|kind| (kind.count, kind.size)).collect::<Vec<_>>();
        let swav = find("swav").expect("a recipe");
        assert_eq!(sizes(&swav), [(2, 224), (6, 96)]);
        assert_eq!(sizes(&swav.scaled_to(32)), [(2, 32), (6, 14)]);
        let tile = |size: usize| {
            let ops = find("pirl-patch").expect("a recipe").scaled_to(size).kinds.remove(0).ops;
            ops.into_iter().find_map(|op| if let Op::Tiles { tile, .. } = op { Some(tile) } else { None })
        };
        assert_eq!((tile(255), tile(30)), (Some(64), Some(8)));
    }

    #[test]
    fn a_flip_gives_the_same_view_at_any_position_after_the_crop() {
        // with a flip of probability 1 and a crop of the whole image, the view is the mirror image
        let crop = Op::Crop { area: [1.0, 1.0], aspect: [1.0, 1.0], filter: Filter::Bilinear };
        let x = noise(3, 1, 12);
        let gray = Op::Gray { p: 1.0 };
        for ops in [vec![crop.clone(), Op::Flip { p: 1.0 }, gray.clone()], vec![crop, gray, Op::Flip { p: 1.0 }]] {
            let recipe = Recipe {
                name: "test".into(),
                source: String::new(),
                kinds: vec![ViewKind { count: 1, size: 12, ops }],
            };
            let view = recipe.views(&x, &mut stream(1, Purpose::Views, 0)).remove(0);
            assert_eq!(values(view), values(x.clone().flip([3])));
        }
    }

    #[test]
    fn with_min_area_sets_the_least_area_of_crops() {
        let recipe = find("small-gray").expect("a recipe").with_min_area(1.0);
        assert!(recipe.check().is_ok());
        assert!(recipe.kinds.iter().all(|kind| matches!(kind.ops[0], Op::Crop { area: [1.0, 1.0], .. })));
    }

    #[test]
    fn recipes_go_through_json_and_print_in_words() {
        for name in names() {
            let recipe = find(name).expect("a listed recipe");
            let json = serde_json::to_string(&recipe).expect("plain data");
            assert_eq!(serde_json::from_str::<Recipe>(&json).expect("the same data"), recipe);
        }
        let words = find("byol").expect("a recipe").to_string();
        let expected = [
            "view 1, 224 px",
            "  crop: 8 % to 100 % of the area, width 0.75 to 1.33 of the height, bicubic",
            "  mirror left to right: 50 %",
            "brightness plus -0.4 to 0.4, contrast times 0.6 to 1.4 about the mean colour, ",
            "saturation times 0.8 to 1.2, hue turned by up to 36°, in an order drawn for each image, clipped each time",
            "  blur: 10 %, sigma 0.1 to 2 px, kernel 1/10 of the side wide",
            "  solarise: 20 %, inverts from 0.500 up",
        ];
        for line in expected {
            assert!(words.contains(line), "`{line}` is missing in\n{words}");
        }
        assert!(find("swav").expect("a recipe").to_string().contains("views 3 to 8, 96 px"));
    }

    #[test]
    fn impossible_parameters_are_errors() {
        let unknown = find("mocov4").expect_err("no such recipe").to_string();
        assert!(
            unknown.contains("`mocov4`") && unknown.contains("simsiam") && unknown.contains("small-gray"),
            "{unknown}"
        );
        let with = |op: Op| {
            let kinds = vec![ViewKind { count: 1, size: 30, ops: vec![op] }];
            Recipe { name: "test".into(), source: String::new(), kinds }.check().is_err()
        };
        let crop = |area: [f64; 2]| Op::Crop { area, aspect: [0.75, 1.33], filter: Filter::Bilinear };
        assert!(!with(crop([0.2, 1.0])));
        assert!(
            with(crop([0.0, 1.0])) && with(crop([0.5, 0.2])) && with(crop([0.5, 2.0])) && with(crop([f64::NAN, 1.0]))
        );
        assert!(with(Op::Gray { p: 1.5 }) && with(Op::Flip { p: f64::NAN }));
        assert!(
            with(Op::Tiles { grid: 4, tile: 8, shuffle: true })
                && !with(Op::Tiles { grid: 3, tile: 10, shuffle: true })
        );
        assert!(find("simclr").expect("a recipe").with_min_area(-1.0).check().is_err());
    }
}
