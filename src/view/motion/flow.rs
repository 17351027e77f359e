//! Dense optical flow by Horn and Schunck's method, coarse to fine.

use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{Device, Tensor, TensorData};

use super::super::resize::resize;
use super::filter::{GradientFilter, SeparableFilter};

/// Least side of a pyramid level, in pixels.
const COARSEST: usize = 16;
/// Standard deviation of the smoothing before gradients, in pixels.
const BEFORE: f64 = 0.7;
/// Gradient below which brightness is noise, in brightness a pixel.
const NOISE: f64 = 0.02;
/// Largest correction of a warp in pixels, since brightness is not linear over longer distances.
const STRIDE: f64 = 1.0;

/// Settings of optical flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowSettings {
    /// Number of warps of the second frame at each pyramid level.
    pub warps: usize,
    /// Number of iterations after each warp.
    pub rounds: usize,
    /// Weight a of the smoothness term; the data term is between 0 and 1.
    pub smoothness: f64,
    /// Standard deviation of the Gaussian over neighbours in the smoothness term, in pixels.
    pub reach: f64,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { warps: 3, rounds: 6, smoothness: 0.3, reach: 2.0 }
    }
}

/// Optical flow u from the first frame to the second: `x2(p + u(p)) = x1(p)`.
///
/// At each level of a pyramid, from coarse to fine, the second frame is warped back by the current u, and `sum_p J(u)(p) + a |u - G
/// u|^2` is minimised by the iteration of Horn and Schunck (1981), `u' = argmin J(u') + a |u' - G u|^2` pixel by pixel. J is the
/// squared linearised change of brightness over the squared gradient (Zimmer, Bruhn and Weickert 2011), averaged over a
/// neighbourhood as in Bruhn, Weickert and Schnoerr 2005. G is the Gaussian mean over neighbours, which converges faster than the
/// usual mean of four. Pixels that leave the frame have no J.
///
/// `first`, `second`: `[n, c, h, w]` -> `[n, 2, h, w]`, in pixels to the right and down.
pub fn flow(first: Tensor<4>, second: Tensor<4>, plan: &FlowSettings) -> Tensor<4> {
    let [n, _, h, w] = first.dims();
    assert_eq!(first.dims(), second.dims(), "flow: both frames have one size");
    let frames = Tensor::cat(vec![first.mean_dim(1), second.mean_dim(1)], 1); // [n, 2, h, w]
    let mut sizes = vec![[h, w]];
    while let Some([h, w]) = sizes.last().map(|size| size.map(|side| side / 2)).filter(|[h, w]| *h.min(w) >= COARSEST) {
        sizes.push([h, w]);
    }
    let mut found: Option<Tensor<4>> = None;
    for size in sizes.into_iter().rev() {
        let frames = if size == [h, w] { frames.clone() } else { resize(frames.clone(), size) };
        let begin = match found {
            Some(coarse) => enlarged(coarse, size),
            None => Tensor::zeros([n, 2, size[0], size[1]], &frames.device()),
        };
        found = Some(Level::new(&frames, plan).refined(begin));
    }
    found.expect("there is at least one size")
}

/// Flow of a coarser level resized to `h` x `w` pixels, and scaled with them.
fn enlarged(coarse: Tensor<4>, [h, w]: [usize; 2]) -> Tensor<4> {
    let [_, _, rows, columns] = coarse.dims();
    let scale = [w as f32 / columns as f32, h as f32 / rows as f32];
    let scale = Tensor::<4>::from_data(TensorData::new(scale.to_vec(), [1, 2, 1, 1]), &coarse.device());
    resize(coarse, [h, w]) * scale
}

/// Level of the pyramid: both frames at one size.
struct Level<'a> {
    plan: &'a FlowSettings,
    first: Tensor<4>,
    second: Tensor<4>,
    /// Gradient of the first frame.
    gradient: [Tensor<4>; 2],
    gradient_filter: GradientFilter,
    /// Mean over neighbours in the smoothness term (G).
    mean: SeparableFilter,
    /// Mean over a pixel's neighbourhood in the data term (J).
    around: SeparableFilter,
    positions: Tensor<4>,
}

impl<'a> Level<'a> {
    fn new(frames: &Tensor<4>, plan: &'a FlowSettings) -> Self {
        let [_, _, h, w] = frames.dims();
        let device = frames.device();
        let [first, second] = [0, 1].map(|frame| frames.clone().narrow(1, frame, 1));
        let gradient_filter = GradientFilter::new([h, w], BEFORE, &device);
        Self {
            plan,
            gradient: gradient_filter.apply(first.clone()),
            first,
            second,
            gradient_filter,
            mean: SeparableFilter::smooth([h, w], plan.reach, &device),
            around: SeparableFilter::smooth([h, w], 1.0, &device),
            positions: positions([h, w], &device),
        }
    }

    fn refined(&self, begin: Tensor<4>) -> Tensor<4> {
        (0..self.plan.warps).fold(begin, |known, _| self.pass(known))
    }

    /// One warp by the known flow, and the iterations after it.
    fn pass(&self, known: Tensor<4>) -> Tensor<4> {
        let a = self.plan.smoothness;
        let [xx, xy, yy, xt, yt] = self.data_term(&known);
        let [u, v] = [0, 1].map(|axis| known.clone().narrow(1, axis, 1));
        // the linearised change of brightness at u is that at the known flow plus the gradient times the difference
        let right = Tensor::cat(
            vec![xx.clone() * u.clone() + xy.clone() * v.clone() - xt, xy.clone() * u + yy.clone() * v - yt],
            1,
        );
        let [xx, yy] = [xx + a, yy + a];
        let share = (xx.clone() * yy.clone() - xy.clone().square()).recip();
        let own = Tensor::cat(vec![yy, xx], 1) * share.clone();
        let other = xy * share;
        let found = (0..self.plan.rounds).fold(known.clone(), |flow, _| {
            let wanted = self.mean.apply(flow) * a + right.clone();
            own.clone() * wanted.clone() - other.clone() * wanted.flip([1])
        });
        known.clone() + (found - known).clamp(-STRIDE, STRIDE)
    }

    /// Entries of J at the known flow: products of the gradient with itself and with the derivative in time.
    fn data_term(&self, known: &Tensor<4>) -> [Tensor<4>; 5] {
        let (warped, inside) = self.warped(known);
        let [x, y] = self.gradient_filter.apply(warped.clone());
        let [x, y] = [(x + self.gradient[0].clone()) * 0.5, (y + self.gradient[1].clone()) * 0.5];
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

    /// Second frame warped to the first by `flow`, and a mask that is 1 where the source is inside the frame.
    fn warped(&self, flow: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [n, _, h, w] = flow.dims();
        let target = flow.clone() + self.positions.clone(); // [n, 2, h, w]
        // grid_sample_2d takes coordinates in -1 to 1 from border to border
        let unit = |index: usize, side: usize| (target.clone().narrow(1, index, 1) + 0.5) * (2.0 / side as f64) - 1.0;
        let [x, y] = [unit(0, w), unit(1, h)];
        let inside = x.clone().abs().lower_elem(1.0).float() * y.clone().abs().lower_elem(1.0).float();
        let grid = [x, y].map(|axis| axis.clamp(-3.0, 3.0).reshape([n, h, w, 1])).to_vec();
        let grid = Tensor::cat(grid, 3); // [n, h, w, 2]
        let options =
            GridSampleOptions::new(InterpolateMode::Bilinear).with_padding_mode(GridSamplePaddingMode::Border);
        (self.second.clone().grid_sample_2d(grid, options), inside)
    }
}

/// Column and row of each pixel: `[1, 2, h, w]`.
fn positions([h, w]: [usize; 2], device: &Device) -> Tensor<4> {
    let columns = (0..h * w).map(|index| (index % w) as f32);
    let rows = (0..h * w).map(|index| (index / w) as f32);
    Tensor::from_data(TensorData::new(columns.chain(rows).collect::<Vec<_>>(), [1, 2, h, w]), device)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::fixture::values;
    use super::*;

    /// Pattern of waves, sampled at the positions that `source` gives for each pixel.
    pub(in super::super) fn scene([h, w]: [usize; 2], source: impl Fn(f32, f32) -> [f32; 2]) -> Tensor<4> {
        let pixel = |index: usize| {
            let [x, y] = source((index % w) as f32, (index / w) as f32);
            let waves = (0.45 * x + 0.2 * y).sin() + (0.5 * y - 0.13 * x).cos() + (0.23 * x + 0.31 * y + 1.0).sin();
            0.5 + 0.13 * waves
        };
        let pixels: Vec<f32> = (0..h * w).map(pixel).collect();
        Tensor::from_data(TensorData::new(pixels, [1, 1, h, w]), &Device::flex())
    }

    /// Mean endpoint error, without a border of four pixels.
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
    fn flow_finds_known_displacements() {
        for [u, v] in [[0.3f32, -0.2], [1.5, 0.0], [-2.5, 1.75], [0.0, 5.0], [4.0, -4.0]] {
            let first = scene([48, 40], |x, y| [x, y]);
            let second = scene([48, 40], |x, y| [x - u, y - v]);
            let error = error(flow(first, second, &FlowSettings::default()), |_, _| [u, v]);
            assert!(error < 0.1, "({u}, {v}): off by {error} pixels");
        }
    }

    #[test]
    fn flow_follows_rotation_and_scaling() {
        // about the centre: a rotation by 3 degrees and a scale of 1.05
        let [sin, cos, grown] = [0.05234f32, 0.99863, 1.05];
        let moved = |x: f32, y: f32| {
            let [x, y] = [x - 23.5, y - 23.5];
            [grown * (cos * x - sin * y) + 23.5, grown * (sin * x + cos * y) + 23.5]
        };
        let back = |x: f32, y: f32| {
            let [x, y] = [x, y].map(|position| (position - 23.5) / grown);
            [cos * x + sin * y + 23.5, cos * y - sin * x + 23.5]
        };
        let found = flow(scene([48, 48], |x, y| [x, y]), scene([48, 48], back), &FlowSettings::default());
        let error = error(found, |x, y| [moved(x, y)[0] - x, moved(x, y)[1] - y]);
        assert!(error < 0.1, "off by {error} pixels");
    }

    #[test]
    fn still_and_flat_scenes_have_no_flow() {
        let still = scene([32, 32], |x, y| [x, y]);
        let moved: f32 = flow(still.clone(), still.clone(), &FlowSettings::default()).abs().max().into_scalar();
        assert!(moved < 1e-5, "{moved}");
        let empty = still.ones_like() * 0.4;
        let moved: f32 = flow(empty.clone(), empty, &FlowSettings::default()).abs().max().into_scalar();
        assert!(moved < 1e-5, "{moved}");
    }

    #[test]
    fn each_pair_of_a_batch_has_its_own_flow() {
        let first = scene([32, 32], |x, y| [x, y]);
        let seconds = [scene([32, 32], |x, y| [x - 1.0, y]), scene([32, 32], |x, y| [x, y + 2.0])];
        let both = flow(
            Tensor::cat(vec![first.clone(), first.clone()], 0),
            Tensor::cat(seconds.to_vec(), 0),
            &FlowSettings::default(),
        );
        for (index, second) in seconds.into_iter().enumerate() {
            let alone = flow(first.clone(), second, &FlowSettings::default());
            let off: f32 = (both.clone().narrow(0, index, 1) - alone).abs().max().into_scalar();
            assert!(off < 1e-4, "{off}");
        }
    }
}
