//! How weights move: optimisers whose state can be saved anywhere, and learning-rate schedules.

mod optimizer;
mod schedule;
mod update;

pub use optimizer::{Optimizer, ParamGroup, Rate};
pub use schedule::Schedule;
pub use update::{OptimizerConfig, OptimizerKind};
