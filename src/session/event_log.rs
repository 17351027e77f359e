//! The events of a run in memory, bounded however long the run is.

use super::event::Event;

/// Number of events kept at most.
pub const LIMIT: usize = 8192;

/// Events in order. When there are too many, every second one of the older step and health events is dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventLog {
    events: Vec<Event>,
}

impl EventLog {
    /// Adds an event.
    pub fn hear(&mut self, event: Event) {
        self.events.push(event);
        if self.events.len() > LIMIT {
            thin(&mut self.events, |event| matches!(event, Event::Step(_) | Event::Health(_)));
        }
    }

    /// Drops the events after step `step`, and with `measured` the probes at that step; see [`Event::is_beyond`].
    pub fn rewind(&mut self, step: usize, measured: bool) {
        self.events.retain(|event| !event.is_beyond(step, measured));
    }

    /// All events that are kept.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Drops every second item of those in the older three quarters for which `may_go` is true.
pub fn thin<T>(items: &mut Vec<T>, may_go: impl Fn(&T) -> bool) {
    let newest = items.len() - items.len() / 4;
    let mut place = 0;
    let mut odd = false;
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
        Event::Step(Step { step, loss: 1.0, elapsed_seconds: step as f64, ..Step::default() })
    }

    #[test]
    fn a_very_long_log_loses_older_steps_only() {
        let mut log = EventLog::default();
        log.hear(Event::Warning { message: "mind".into() });
        (1..=3 * LIMIT).for_each(|at| log.hear(step(at)));
        assert!(log.events().len() <= LIMIT);
        assert!(matches!(log.events()[0], Event::Warning { .. }));
        let newest: Vec<Event> = (3 * LIMIT - 9..=3 * LIMIT).map(step).collect();
        assert_eq!(log.events()[log.events().len() - 10..], newest);
    }

    #[test]
    fn a_rewound_log_ends_where_the_run_resumes() {
        let mut log = EventLog::default();
        (1..=5).for_each(|at| log.hear(step(at)));
        log.hear(Event::Done(Done { step: 5, elapsed_seconds: 1.0, finished: true }));
        log.rewind(3, true);
        assert_eq!(log.events(), [step(1), step(2), step(3)]);
    }

    #[test]
    fn milestones_survive_thinning() {
        let mut items: Vec<usize> = (0..100).collect();
        thin(&mut items, |item| item % 10 != 0);
        assert!((0..10).all(|ten| items.contains(&(ten * 10))));
        assert!(items.len() < 75 && items.contains(&99) && items.contains(&76));
    }
}
