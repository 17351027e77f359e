//! What moves: dense optical flow between two frames, which pixels move differently from the rest, and windows around them.

mod bands;
mod closer;
mod flow;
mod foreground;

pub use closer::{Look, closer};
pub use flow::{FlowPlan, flow};
pub use foreground::{Foreground, dominant, foreground};
