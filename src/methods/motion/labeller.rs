//! Masks of moving objects, from optical flow between two frames.

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

/// Smallest window in films.
const FILMED: f64 = 0.15;
/// Motion in pixels that is drawn in full colour, if no pixel of the frame is faster.
const FAINT: f64 = 0.5;

options! {
    /// Options of the masks of moving objects.
    #[derive(Copy)]
    pub struct MotionMaskOptions {
        /// Side of the masks.
        mask_side: usize = 24, in 4..=256, unit "px", tiny = 12;
        /// Smallest window around the moving pixels, as a share of the frame's side; 1 takes whole frames.
        least_window: f64 = 1.0, in (Bound::Excluded(0.0), Bound::Included(1.0));
        /// Warps of the second frame at each scale of the optical flow.
        warps: usize = FlowSettings::default().warps, in 1..=1000;
        /// Iterations of the optical flow after each warp.
        rounds: usize = FlowSettings::default().rounds, in 1..=1000;
        /// Smoothness of the optical flow, the weight of its smoothness term.
        smoothness: f64 = FlowSettings::default().smoothness, in above(0.0);
        /// Radius of the optical flow's neighbourhood, the standard deviation of a Gaussian.
        reach: f64 = FlowSettings::default().reach, in 0.3..=20.0, unit "px";
        /// Smallest motion relative to the background that counts.
        least_motion: f64 = 0.4, in above(0.0), unit "px";
        /// Smallest motion relative to the background, in standard deviations of the background's motion.
        deviations: f64 = 3.0, in 0.0..;
        /// Upper threshold of background, a value of the soft mask.
        low: f64 = 0.4, in (Bound::Excluded(0.0), Bound::Excluded(1.0));
        /// Lower threshold of foreground, a value of the soft mask. Pixels between the two have no label.
        high: f64 = 0.7, in (Bound::Excluded(0.0), Bound::Excluded(1.0));
        /// Smallest share of foreground in a labelled frame.
        least_share: f64 = 0.1, in 0.0..=1.0;
        /// Largest share of foreground in a labelled frame.
        most_share: f64 = 0.8, in 0.0..=1.0;
        /// Largest share of foreground on a labelled frame's border.
        border_share: f64 = 0.1, in 0.0..=1.0;
    }
}

/// Labels the moving pixels of a frame by its next frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MotionLabeller {
    pub(super) plan: FlowSettings,
    pub(super) foreground: ForegroundSettings,
    /// Smallest window around the moving pixels, as a share of the frame's side; 1 takes whole frames.
    least_window: f64,
    /// Side of the masks, in pixels.
    pub(crate) mask: usize,
}

/// Frames with the labels of their pixels.
pub(crate) struct Seen {
    /// Frames `[n, c, h, w]`.
    pub(crate) frames: Tensor<4>,
    /// Foreground and validity of the labels `[n, 1, mask, mask]`, and the optical flow as colours `[n, 3, h, w]`.
    pub(crate) targets: [Tensor<4>; 3],
}

impl Seen {
    /// Rows of a drawing, with the predicted foreground in 0 to 1, if there is one.
    pub(crate) fn rows(self, said: Option<&Tensor<4>>) -> Vec<(String, Tensor<4>)> {
        let [_, _, h, w] = self.frames.dims();
        let [on, known, colours] = self.targets;
        let masks = on * known.clone() + (known.neg() + 1.0) * 0.5;
        let mut rows = vec![
            ("Input of the network".to_string(), self.frames),
            ("Motion to the next frame, by colour; gray is still".to_string(), colours),
            ("Moving objects: white moves, black does not, gray has no label".to_string(), large(masks, [h, w])),
        ];
        rows.extend(said.map(|said| ("Predicted moving objects".to_string(), large(said.clone(), [h, w]))));
        rows
    }
}

/// Resizes maps to the frames, for drawing.
fn large(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    resize(maps, size).clamp(0.0, 1.0)
}

/// Optical flow as colours: red, green and blue are directions at angles of 120 degrees, and the fastest pixel of each frame has full
/// colour. `[n, 2, h, w]` -> `[n, 3, h, w]` in 0 to 1.
fn colours(flow: Tensor<4>) -> Tensor<4> {
    let half = 3f32.sqrt() / 2.0;
    let directions = TensorData::new(vec![1.0f32, 0.0, -0.5, half, -0.5, -half], [3, 2]);
    let [n, _, h, w] = flow.dims();
    let directions = Tensor::<2>::from_data(directions, &flow.device());
    let fastest = flow.clone().square().sum_dim(1).max_dim(2).max_dim(3).sqrt().clamp_min(FAINT); // [n, 1, 1, 1]
    let along = directions.unsqueeze::<3>().expand([n, 3, 2]).matmul(flow.reshape([n, 2, h * w]));
    along.reshape([n, 3, h, w]) / fastest * 0.5 + 0.5
}

impl MotionLabeller {
    /// Frames, or windows of them, with their masks. Masks are computed on whole frames and cropped and mirrored with them; they
    /// depend on motion, not on the appearance of the frame.
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

    /// Labeller with these options.
    ///
    /// # Errors
    /// If a lower bound is above its upper bound.
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
    /// Options for masks of `mask_side` pixels. The drawn shapes fill much of their frames; in films little moves, so that windows
    /// around it are cut.
    pub(crate) fn suited(mask_side: usize, data: &str) -> Self {
        let least_window = if data == CLIPS { FILMED } else { 1.0 };
        Self { mask_side, least_window, ..Self::default() }
    }
}
