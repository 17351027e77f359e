//! Dense optical flow by Horn and Schunck's method, from coarse to fine.

use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{Device, Tensor, TensorData};

use super::super::cut::resized;
use super::bands::{Band, Slopes};

/// Fewest pixels of a side that are looked at.
const COARSEST: usize = 16;
/// Deviation of the smoothing before slopes are taken, in pixels.
const BEFORE: f64 = 0.7;
/// Slopes of about this size or less are taken for noise, in brightness a pixel.
const NOISE: f64 = 0.02;
/// Pixels that a warp is corrected by at most: brightness is not linear over more.
const STRIDE: f64 = 1.0;

/// How flow is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowPlan {
    /// How often the second frame is warped back at each size.
    pub warps: usize,
    /// Rounds of the iteration after each of these.
    pub rounds: usize,
    /// Weight of smoothness beside that of brightness, which lies between 0 and 1.
    pub smoothness: f64,
    /// Deviation of the Gaussian that neighbours are weighted by, in pixels.
    pub reach: f64,
}

impl Default for FlowPlan {
    fn default() -> Self {
        Self { warps: 3, rounds: 6, smoothness: 0.3, reach: 2.0 }
    }
}

/// How far each pixel of the first frame has moved in the second: `u` with `x2(p + u(p)) = x1(p)`.
///
/// At each size of a pyramid, from coarse to fine, the second frame is warped back by what is known of u, and
/// `sum_p J(u)(p) + a |u - G u|^2` is brought down by the iteration of Horn and Schunck (1981), `u' = argmin J(u') + a |u' - G
/// u|^2` pixel by pixel: J is the squared linearised change of brightness over the squared slope (Zimmer, Bruhn and Weickert
/// 2011), averaged over a pixel's surroundings as in Bruhn, Weickert and Schnoerr 2005, G the mean over neighbours, here under
/// a Gaussian, which spreads what is known faster than four neighbours do. Pixels that leave the frame have no J.
///
/// `first`, `second`: `[n, c, h, w]` -> `[n, 2, h, w]`, pixels to the right and down.
pub fn flow(first: Tensor<4>, second: Tensor<4>, plan: &FlowPlan) -> Tensor<4> {
    let [n, _, h, w] = first.dims();
    assert_eq!(first.dims(), second.dims(), "flow: both frames have one size");
    let frames = Tensor::cat(vec![first.mean_dim(1), second.mean_dim(1)], 1); // [n, 2, h, w]
    let mut sizes = vec![[h, w]];
    while let Some([h, w]) = sizes.last().map(|size| size.map(|side| side / 2)).filter(|[h, w]| *h.min(w) >= COARSEST) {
        sizes.push([h, w]);
    }
    let mut found: Option<Tensor<4>> = None;
    for size in sizes.into_iter().rev() {
        let frames = if size == [h, w] { frames.clone() } else { resized(frames.clone(), size) };
        let begin = match found {
            Some(coarse) => enlarged(coarse, size),
            None => Tensor::zeros([n, 2, size[0], size[1]], &frames.device()),
        };
        found = Some(Level::new(&frames, plan).refined(begin));
    }
    found.expect("there is at least one size")
}

/// Flow of a smaller picture, in the pixels of a larger one.
fn enlarged(coarse: Tensor<4>, [h, w]: [usize; 2]) -> Tensor<4> {
    let [_, _, rows, columns] = coarse.dims();
    let scale = [w as f32 / columns as f32, h as f32 / rows as f32];
    let scale = Tensor::<4>::from_data(TensorData::new(scale.to_vec(), [1, 2, 1, 1]), &coarse.device());
    resized(coarse, [h, w]) * scale
}

/// Both frames at one size.
struct Level<'a> {
    plan: &'a FlowPlan,
    first: Tensor<4>,
    second: Tensor<4>,
    /// Slopes of the first frame.
    slopes: [Tensor<4>; 2],
    take: Slopes,
    /// For what is known of the surroundings.
    mean: Band,
    /// For what is asked of a pixel.
    around: Band,
    places: Tensor<4>,
}

impl<'a> Level<'a> {
    fn new(frames: &Tensor<4>, plan: &'a FlowPlan) -> Self {
        let ([_, _, h, w], device) = (frames.dims(), frames.device());
        let (first, second) = (frames.clone().narrow(1, 0, 1), frames.clone().narrow(1, 1, 1));
        let take = Slopes::new([h, w], BEFORE, &device);
        Self {
            plan,
            slopes: take.apply(first.clone()),
            first,
            second,
            take,
            mean: Band::smooth([h, w], plan.reach, &device),
            around: Band::smooth([h, w], 1.0, &device),
            places: places([h, w], &device),
        }
    }

    fn refined(&self, begin: Tensor<4>) -> Tensor<4> {
        (0..self.plan.warps).fold(begin, |known, _| self.pass(known))
    }

    /// One warp and the rounds after it.
    fn pass(&self, known: Tensor<4>) -> Tensor<4> {
        let a = self.plan.smoothness;
        let [xx, xy, yy, xt, yt] = self.asked(&known);
        let (u, v) = (known.clone().narrow(1, 0, 1), known.clone().narrow(1, 1, 1));
        // the linearised change at u is that at what is known plus the slope times the difference
        let right = Tensor::cat(
            vec![xx.clone() * u.clone() + xy.clone() * v.clone() - xt, xy.clone() * u + yy.clone() * v - yt],
            1,
        );
        let (xx, yy) = (xx + a, yy + a);
        let share = (xx.clone() * yy.clone() - xy.clone().square()).recip();
        let own = Tensor::cat(vec![yy, xx], 1) * share.clone();
        let other = xy * share;
        let found = (0..self.plan.rounds).fold(known.clone(), |flow, _| {
            let wanted = self.mean.apply(flow) * a + right.clone();
            own.clone() * wanted.clone() - other.clone() * wanted.flip([1])
        });
        known.clone() + (found - known).clamp(-STRIDE, STRIDE)
    }

    /// The entries of J around what is known: products of the slopes with each other and with the change in time.
    fn asked(&self, known: &Tensor<4>) -> [Tensor<4>; 5] {
        let (warped, inside) = self.warped(known);
        let [x, y] = self.take.apply(warped.clone());
        let [x, y] = [(x + self.slopes[0].clone()) * 0.5, (y + self.slopes[1].clone()) * 0.5];
        let t = warped - self.first.clone();
        let weight = inside / (x.clone().square() + y.clone().square() + NOISE * NOISE);
        let products = Tensor::cat(
            vec![
                x.clone().square() * weight.clone(),
                x.clone() * y.clone() * weight.clone(),
                y.clone().square() * weight.clone(),
                x * t.clone() * weight.clone(),
                y * t * weight,
            ],
            1,
        );
        let products = self.around.apply(products); // [n, 5, h, w]
        [0, 1, 2, 3, 4].map(|index| products.clone().narrow(1, index, 1))
    }

    /// The second frame as it was seen from the first, and 1 where there is anything to see.
    fn warped(&self, flow: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [n, _, h, w] = flow.dims();
        let goal = flow.clone() + self.places.clone(); // [n, 2, h, w]
        // in the op's own units, -1 to 1 from border to border
        let unit = |index: usize, side: usize| (goal.clone().narrow(1, index, 1) + 0.5) * (2.0 / side as f64) - 1.0;
        let (x, y) = (unit(0, w), unit(1, h));
        let inside = x.clone().abs().lower_elem(1.0).float() * y.clone().abs().lower_elem(1.0).float();
        let grid = [x, y].map(|part| part.clamp(-3.0, 3.0).reshape([n, h, w, 1])).to_vec();
        let grid = Tensor::cat(grid, 3); // [n, h, w, 2]
        let options =
            GridSampleOptions::new(InterpolateMode::Bilinear).with_padding_mode(GridSamplePaddingMode::Border);
        (self.second.clone().grid_sample_2d(grid, options), inside)
    }
}

/// Column and row of each pixel: `[1, 2, h, w]`.
fn places([h, w]: [usize; 2], device: &Device) -> Tensor<4> {
    let columns = (0..h * w).map(|place| (place % w) as f32);
    let rows = (0..h * w).map(|place| (place / w) as f32);
    Tensor::from_data(TensorData::new(columns.chain(rows).collect::<Vec<_>>(), [1, 2, h, w]), device)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::fixture::values;
    use super::*;

    /// A pattern of waves, seen through a map of places.
    pub(in super::super) fn scene([h, w]: [usize; 2], seen: impl Fn(f32, f32) -> [f32; 2]) -> Tensor<4> {
        let pixel = |place: usize| {
            let [x, y] = seen((place % w) as f32, (place / w) as f32);
            let waves = (0.45 * x + 0.2 * y).sin() + (0.5 * y - 0.13 * x).cos() + (0.23 * x + 0.31 * y + 1.0).sin();
            0.5 + 0.13 * waves
        };
        let pixels: Vec<f32> = (0..h * w).map(pixel).collect();
        Tensor::from_data(TensorData::new(pixels, [1, 1, h, w]), &Device::flex())
    }

    /// The mean distance to the true flow, at least four pixels away from the border.
    fn error(found: Tensor<4>, truth: impl Fn(f32, f32) -> [f32; 2]) -> f32 {
        let [_, _, h, w] = found.dims();
        let found = values(found);
        let mut errors = Vec::new();
        for (row, column) in (4..h - 4).flat_map(|row| (4..w - 4).map(move |column| (row, column))) {
            let [u, v] = truth(column as f32, row as f32);
            let place = row * w + column;
            errors.push((found[place] - u).hypot(found[h * w + place] - v));
        }
        errors.iter().sum::<f32>() / errors.len() as f32
    }

    #[test]
    fn known_displacements_are_found() {
        for [u, v] in [[0.3f32, -0.2], [1.5, 0.0], [-2.5, 1.75], [0.0, 5.0], [4.0, -4.0]] {
            let (first, second) = (scene([48, 40], |x, y| [x, y]), scene([48, 40], |x, y| [x - u, y - v]));
            let off = error(flow(first, second, &FlowPlan::default()), |_, _| [u, v]);
            assert!(off < 0.1, "({u}, {v}): off by {off} pixels");
        }
    }

    #[test]
    fn turning_and_growing_scenes_are_followed() {
        // about the middle: by 3 degrees, and by a twentieth
        let (sin, cos, grown) = (0.05234f32, 0.99863f32, 1.05f32);
        let moved = |x: f32, y: f32| {
            let (x, y) = (x - 23.5, y - 23.5);
            [grown * (cos * x - sin * y) + 23.5, grown * (sin * x + cos * y) + 23.5]
        };
        let back = |x: f32, y: f32| {
            let (x, y) = ((x - 23.5) / grown, (y - 23.5) / grown);
            [cos * x + sin * y + 23.5, cos * y - sin * x + 23.5]
        };
        let found = flow(scene([48, 48], |x, y| [x, y]), scene([48, 48], back), &FlowPlan::default());
        let off = error(found, |x, y| [moved(x, y)[0] - x, moved(x, y)[1] - y]);
        assert!(off < 0.1, "off by {off} pixels");
    }

    #[test]
    fn what_stands_still_has_no_flow_and_an_empty_picture_has_none_either() {
        let still = scene([32, 32], |x, y| [x, y]);
        let moved: f32 = flow(still.clone(), still.clone(), &FlowPlan::default()).abs().max().into_scalar();
        assert!(moved < 1e-5, "{moved}");
        let empty = still.ones_like() * 0.4;
        let moved: f32 = flow(empty.clone(), empty, &FlowPlan::default()).abs().max().into_scalar();
        assert!(moved < 1e-5, "{moved}");
    }

    #[test]
    fn pairs_of_a_batch_are_looked_at_apart() {
        let first = scene([32, 32], |x, y| [x, y]);
        let seconds = [scene([32, 32], |x, y| [x - 1.0, y]), scene([32, 32], |x, y| [x, y + 2.0])];
        let both = flow(
            Tensor::cat(vec![first.clone(), first.clone()], 0),
            Tensor::cat(seconds.to_vec(), 0),
            &FlowPlan::default(),
        );
        for (index, second) in seconds.into_iter().enumerate() {
            let alone = flow(first.clone(), second, &FlowPlan::default());
            let off: f32 = (both.clone().narrow(0, index, 1) - alone).abs().max().into_scalar();
            assert!(off < 1e-4, "{off}");
        }
    }
}
