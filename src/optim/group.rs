//! Parameters that learn differently from the rest.

/// Parameters that learn differently from the rest.
#[derive(Clone, Copy, Debug)]
pub struct ParamGroup {
    /// Whether the parameter of this name with so many dimensions belongs to the group; biases and the scales and shifts
    /// of batch norms have one dimension.
    pub matches: fn(&str, usize) -> bool,
    /// Their learning rate.
    pub rate: Rate,
    /// Their weight decay, if not that of the others.
    pub weight_decay: Option<f64>,
    /// The first step (from 0) at which they move at all. Until then neither decay nor momentum acts on them.
    pub from_step: usize,
}

/// The learning rate of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// That of the schedule, times this.
    Factor(f64),
    /// This, whatever the schedule says.
    Fixed(f64),
}

impl ParamGroup {
    /// Parameters that learn like the rest until one of the fields is changed.
    pub fn of(matches: fn(&str, usize) -> bool) -> Self {
        Self { matches, rate: Rate::Factor(1.0), weight_decay: None, from_step: 0 }
    }

    /// All biases and batch-norm scales and shifts.
    pub fn vectors() -> Self {
        Self::of(|_, dimensions| dimensions == 1)
    }
}
