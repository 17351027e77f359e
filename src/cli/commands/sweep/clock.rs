//! Time left of a sweep, estimated from the runs that are done.

use super::plan::{Member, State};

/// Durations of the runs that are done.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Methods with the seconds of training a whole run.
    trained: Vec<(String, f64)>,
    /// Seconds of measuring a run.
    measured: Vec<f64>,
}

impl Clock {
    /// Starts from the members that were done before.
    pub(super) fn of(members: &[Member]) -> Self {
        let done = members.iter().filter_map(|member| match member.state {
            State::Done { seconds } => Some((member.config.method.clone(), seconds)),
            _ => None,
        });
        Self { trained: done.collect(), measured: Vec::new() }
    }

    /// Adds the seconds of a run.
    pub(super) fn hear(&mut self, member: &Member, training: f64, measuring: f64) {
        let share = member.share_left();
        if share > 0.0 {
            self.trained.push((member.config.method.clone(), training / share));
        }
        self.measured.push(measuring);
    }

    /// Estimated seconds for these runs: the mean over runs of the same method, or else over all. `None` where no run is done.
    pub(super) fn left<'a>(&self, members: impl IntoIterator<Item = &'a Member>) -> Option<f64> {
        let mut seconds = 0.0;
        for member in members.into_iter().filter(|member| !member.is_done()) {
            let of_method = self.trained.iter().filter(|(method, _)| *method == member.config.method);
            let whole = mean(of_method.map(|(_, seconds)| *seconds))
                .or_else(|| mean(self.trained.iter().map(|(_, seconds)| *seconds)))?;
            seconds += member.share_left() * whole + mean(self.measured.iter().copied()).unwrap_or(0.0);
        }
        Some(seconds)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}
