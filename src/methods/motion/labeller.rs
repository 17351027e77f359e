//! Labels made from motion: which pixels of a frame move on their own until the next one.

use std::ops::Bound;

use burn::tensor::{Tensor, TensorData};

use crate::data::CLIPS;
use crate::error::{Error, Result};
use crate::method::Batch;
use crate::methods::shared::crop::CropFlip;
use crate::options::{above, options};
use crate::rng::Rng;
use crate::view::motion::{FlowSettings, ForegroundSettings, Zoom, flow, motion_saliency, zoom_to_motion};
use crate::view::resize;

/// The smallest window in films.
const FILMED: f64 = 0.15;
/// Pixels of motion that are drawn in full colour at least.
const FAINT: f64 = 0.5;

options! {
    /// Options of finding what moves in two frames.
    #[derive(Copy)]
    pub struct MotionMaskOptions {
        /// Side of the masks.
        mask_side: usize = 24, in 4..=256, unit "px", tiny = 12;
        /// Smallest window around what moves, as a share of the frame's side; 1 takes frames whole.
        least_window: f64 = 1.0, in (Bound::Excluded(0.0), Bound::Included(1.0));
        /// Warps of the second frame at each size, on the way to the optical flow.
        warps: usize = FlowSettings::default().warps, in 1..=1000;
        /// Rounds of the flow's iteration after each warp.
        rounds: usize = FlowSettings::default().rounds, in 1..=1000;
        /// Smoothness of the flow; its weight beside that of brightness.
        smoothness: f64 = FlowSettings::default().smoothness, in above(0.0);
        /// Reach of the flow's neighbourhood, the deviation of a Gaussian.
        reach: f64 = FlowSettings::default().reach, in 0.3..=20.0, unit "px";
        /// Least motion of its own that counts, whatever the noise.
        least_motion: f64 = 0.4, in above(0.0), unit "px";
        /// Least motion as a multiple of the deviation of the background's motion.
        deviations: f64 = 3.0, in 0.0..;
        /// Background; soft masks below this value.
        low: f64 = 0.4, in (Bound::Excluded(0.0), Bound::Excluded(1.0));
        /// Foreground; soft masks above this value. Pixels between the two are not asked for.
        high: f64 = 0.7, in (Bound::Excluded(0.0), Bound::Excluded(1.0));
        /// Least share of foreground in a frame that is used.
        least_share: f64 = 0.1, in 0.0..=1.0;
        /// Largest share of foreground in a frame that is used.
        most_share: f64 = 0.8, in 0.0..=1.0;
        /// Largest share of foreground along the border of a frame that is used.
        border_share: f64 = 0.1, in 0.0..=1.0;
    }
}

/// Finds in two frames what moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MotionLabeller {
    pub(super) plan: FlowSettings,
    pub(super) foreground: ForegroundSettings,
    /// The smallest window around what moves, as a share of the frame's side; 1 takes frames whole.
    least_window: f64,
    /// Rows and columns of masks.
    pub(crate) mask: usize,
}

/// Frames, and what is known of their pixels.
pub(crate) struct Seen {
    /// `[n, c, h, w]`.
    pub(crate) frames: Tensor<4>,
    /// What moved on its own and where that is known `[n, 1, mask, mask]`, and all motion as colours `[n, 3, h, w]`.
    pub(crate) targets: [Tensor<4>; 3],
}

impl Seen {
    /// For drawing, with what a network says of each pixel in 0 to 1, if it has said anything.
    pub(crate) fn rows(self, said: Option<&Tensor<4>>) -> Vec<(String, Tensor<4>)> {
        let ([_, _, h, w], [on, known, colours]) = (self.frames.dims(), self.targets);
        let masks = on * known.clone() + (known.neg() + 1.0) * 0.5;
        let mut rows = vec![
            ("What the network was given".to_string(), self.frames),
            ("How it moved until the next frame, by colour; gray stood still".to_string(), colours),
            (
                "What moved on its own: white did, black did not, gray is not asked for".to_string(),
                large(masks, [h, w]),
            ),
        ];
        rows.extend(said.map(|said| ("What it says moves".to_string(), large(said.clone(), [h, w]))));
        rows
    }
}

/// Maps in the size of the frames, for drawing.
fn large(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    resize(maps, size).clamp(0.0, 1.0)
}

/// Flow as colours: each of red, green and blue stands for a direction, at angles of 120 degrees; the fastest pixel of each
/// frame has full colour. `[n, 2, h, w]` -> `[n, 3, h, w]` in 0 to 1.
fn colours(flow: Tensor<4>) -> Tensor<4> {
    let half = 3f32.sqrt() / 2.0;
    let directions = TensorData::new(vec![1.0f32, 0.0, -0.5, half, -0.5, -half], [3, 2]);
    let ([n, _, h, w], directions) = (flow.dims(), Tensor::<2>::from_data(directions, &flow.device()));
    let fastest = flow.clone().square().sum_dim(1).max_dim(2).max_dim(3).sqrt().clamp_min(FAINT); // [n, 1, 1, 1]
    let along = directions.unsqueeze::<3>().expand([n, 3, 2]).matmul(flow.reshape([n, 2, h * w]));
    along.reshape([n, 3, h, w]) / fastest * 0.5 + 0.5
}

impl MotionLabeller {
    /// Single frames, or windows of them, with their masks. What moves is found in the whole frame and cut and mirrored with
    /// it; nothing that is asked for is computed from how the frame looks.
    pub(crate) fn watch(&self, batch: &Batch, crop: CropFlip, rng: &mut Rng) -> Seen {
        let images = batch.images.clone();
        let [n, channels, h, w] = images.dims();
        let next = batch.next.clone().expect("a batch of clips has the next frames");
        let flow = flow(images.clone(), next, &self.plan);
        let soft = motion_saliency(flow.clone(), &self.foreground); // [n, 1, h, w]
        let mut all = Tensor::cat(vec![images, soft.clone(), colours(flow)], 1);
        if self.least_window < 1.0 {
            let moves = soft.greater_equal_elem(self.foreground.high).float();
            all = zoom_to_motion(all, moves, &Zoom::draw(n, rng), self.least_window, crop.sides([h, w]));
        }
        let all = crop.images(&Batch { images: all, ..batch.clone() }, rng);
        let [frames, soft, colours] =
            [(0, channels), (channels, 1), (channels + 1, 3)].map(|(first, count)| all.clone().narrow(1, first, count));
        let [on, known] = self.foreground.trimap(resize(soft, [self.mask; 2]));
        Seen { frames, targets: [on, known, colours] }
    }

    /// Takes the options up.
    ///
    /// # Errors
    /// When bounds are out of order.
    pub(crate) fn of(options: &MotionMaskOptions) -> Result<Self> {
        if options.low > options.high || options.least_share > options.most_share {
            return Err(Error::Config("low must be at most high, and least_share at most most_share".into()));
        }
        let plan = FlowSettings {
            warps: options.warps,
            rounds: options.rounds,
            smoothness: options.smoothness,
            reach: options.reach,
        };
        let foreground = ForegroundSettings {
            least: options.least_motion,
            deviations: options.deviations,
            low: options.low,
            high: options.high,
            shares: [options.least_share, options.most_share],
            border: options.border_share,
        };
        Ok(Self { plan, foreground, least_window: options.least_window, mask: options.mask_side })
    }
}

impl MotionMaskOptions {
    /// For masks of so many pixels a side of this data. The shapes that are made fill much of their frames; of what people
    /// film, little moves.
    pub(crate) fn suited(mask_side: usize, data: &str) -> Self {
        let least_window = if data == CLIPS { FILMED } else { 1.0 };
        Self { mask_side, least_window, ..Self::default() }
    }
}
