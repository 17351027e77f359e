//! What a run has said so far, in memory: never more than fits, however long the run.

use super::event::Event;

/// Events kept at most.
pub const LIMIT: usize = 8192;

/// Events in the order in which they were said. When there are too many, every second of the older steps and looks at the
/// run's health is forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    events: Vec<Event>,
}

impl Past {
    /// Takes in the newest event.
    pub fn hear(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() > LIMIT {
            thin(&mut self.events, |event| matches!(event, Event::Step(_) | Event::Health(_)));
        }
    }

    /// Forgets what was said after step `step` was taken, and at it if it is `measured` again: see [`Event::is_beyond`].
    pub fn rewind(&mut self, step: usize, measured: bool) {
        self.events.retain(|event| !event.is_beyond(step, measured));
    }

    /// All of them.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Drops every second of those of the older three quarters that `may_go`.
pub fn thin<T>(items: &mut Vec<T>, may_go: impl Fn(&T) -> bool) {
    let newest = items.len() - items.len() / 4;
    let (mut place, mut odd) = (0, false);
    items.retain(|item| {
        place += 1;
        if place > newest || !may_go(item) {
            return true;
        }
        odd = !odd;
        odd
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{Done, Step};

    fn step(step: usize) -> Event {
        let (epoch, elapsed_seconds) = (0.0, step as f64);
        Event::Step(Step {
            step,
            epoch,
            loss: 1.0,
            metric: None,
            learning_rate: 0.1,
            images_per_second: 1.0,
            elapsed_seconds,
        })
    }

    #[test]
    fn a_very_long_log_loses_older_steps_only() {
        let mut past = Past::default();
        past.hear(Event::Warning { message: "mind".into() });
        (1..=3 * LIMIT).for_each(|at| past.hear(step(at)));
        assert!(past.events().len() <= LIMIT);
        assert!(matches!(past.events()[0], Event::Warning { .. }));
        let newest: Vec<Event> = (3 * LIMIT - 9..=3 * LIMIT).map(step).collect();
        assert_eq!(past.events()[past.events().len() - 10..], newest);
    }

    #[test]
    fn a_rewound_log_ends_where_the_run_resumes() {
        let mut past = Past::default();
        (1..=5).for_each(|at| past.hear(step(at)));
        past.hear(Event::Done(Done { step: 5, elapsed_seconds: 1.0, finished: true }));
        past.rewind(3, true);
        assert_eq!(past.events(), [step(1), step(2), step(3)]);
    }

    #[test]
    fn milestones_survive_thinning() {
        let mut items: Vec<usize> = (0..100).collect();
        thin(&mut items, |item| item % 10 != 0);
        assert!((0..10).all(|ten| items.contains(&(ten * 10))));
        assert!(items.len() < 75 && items.contains(&99) && items.contains(&76));
    }
}
