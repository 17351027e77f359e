//! What moves: dense optical flow between two frames, and which pixels move differently from the rest.

mod bands;
mod flow;
mod foreground;

pub use flow::{FlowPlan, flow};
pub use foreground::{Foreground, dominant, foreground};
