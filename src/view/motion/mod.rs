//! Motion: optical flow between two frames, motion segmentation, and crops around moving objects.

mod filter;
mod flow;
mod foreground;
mod zoom;

pub use flow::{FlowSettings, flow};
pub use foreground::{ForegroundSettings, dominant_motion, motion_saliency};
pub use zoom::{Zoom, zoom_to_motion};
