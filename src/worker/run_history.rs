//! Pace and events of a run, saved next to its checkpoint.

use serde::{Deserialize, Serialize};

use super::protocol::ReadbackPace;
use crate::session::event::Event;

/// Pace and events of a run: what the page shows of it and a checkpoint does not hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunHistory {
    /// Intervals of readback and probes.
    pub pace: ReadbackPace,
    /// Events so far, as far as they are known.
    pub events: Vec<Event>,
}

impl RunHistory {
    /// A line of JSON for the pace, and one for each event as in `events.jsonl`.
    pub fn to_lines(&self) -> Vec<u8> {
        let mut lines = serde_json::to_vec(&self.pace).expect("a pace holds numbers");
        for event in &self.events {
            lines.push(b'\n');
            serde_json::to_writer(&mut lines, event).expect("events have only string keys");
        }
        lines
    }

    /// Reads the lines back; unreadable ones are skipped.
    pub fn from_lines(lines: &[u8]) -> Self {
        let mut lines = lines.split(|byte| *byte == b'\n');
        let pace = lines.next().and_then(|line| serde_json::from_slice(line).ok()).unwrap_or_default();
        Self { pace, events: lines.filter_map(|line| serde_json::from_slice(line).ok()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Done;

    #[test]
    fn a_damaged_history_reads_back_as_far_as_it_is_whole() {
        let pace = ReadbackPace { read_every: None, probe_every: Some(0) };
        let warning = Event::Warning { message: "two\nlines".into() };
        let done = Event::Done(Done { step: 3, elapsed_seconds: 0.5, finished: true });
        let history = RunHistory { pace, events: vec![warning.clone(), done] };
        let lines = history.to_lines();
        assert_eq!(RunHistory::from_lines(&lines), history);
        assert_eq!(RunHistory::from_lines(&lines[..lines.len() - 1]), RunHistory { pace, events: vec![warning] });
        assert_eq!(RunHistory::from_lines(b"\xff"), RunHistory::default());
    }
}
