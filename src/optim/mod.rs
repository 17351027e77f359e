//! Optimisers, whose state can be saved on any device, and learning-rate schedules.

mod config;
mod gradients;
mod group;
mod in_place;
mod optimizer;
mod schedule;
mod trust;
mod update;

pub use config::{OptimizerConfig, OptimizerKind};
pub use group::{ParamGroup, Rate};
pub use optimizer::Optimizer;
pub use schedule::{Cosine, Schedule, ScheduleKind, Steps, StepsThenLine, scaled_rate};
