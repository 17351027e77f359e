//! Parameter groups.

/// Parameter group: parameters with their own learning rate, weight decay or start.
#[derive(Clone, Copy, Debug)]
pub struct ParamGroup {
    /// True if a parameter, by its name and number of dimensions, belongs to the group. Biases and the scales and shifts of batch
    /// norms have one dimension.
    pub matches: fn(&str, usize) -> bool,
    /// Learning rate of the group.
    pub rate: Rate,
    /// Weight decay of the group, if it differs from that of the optimiser.
    pub weight_decay: Option<f64>,
    /// First step (from 0) at which the group is updated; until then its parameters are frozen, without decay and momentum.
    pub from_step: usize,
}

/// Learning rate of a parameter group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Factor of the schedule's learning rate.
    Factor(f64),
    /// Fixed learning rate, without the schedule.
    Fixed(f64),
}

impl ParamGroup {
    /// Group without any difference from the rest, for struct update syntax.
    pub fn of(matches: fn(&str, usize) -> bool) -> Self {
        Self { matches, rate: Rate::Factor(1.0), weight_decay: None, from_step: 0 }
    }

    /// All biases and batch-norm scales and shifts.
    pub fn vectors() -> Self {
        Self::of(|_, dimensions| dimensions == 1)
    }
}
