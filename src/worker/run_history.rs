//! What a run goes on with beside its checkpoint, and the same as a file of lines.

use serde::{Deserialize, Serialize};

use super::protocol::ReadbackPace;
use crate::session::event::Event;

/// How a run looks at itself, and what it has said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// How often it looks at itself.
    pub looks: ReadbackPace,
    /// What it has said, as far as that is known.
    pub events: Vec<Event>,
}

impl Story {
    /// A line of JSON for the looks, and one for each event, as in the command line's `events.jsonl`.
    pub fn to_lines(&self) -> Vec<u8> {
        let mut lines = serde_json::to_vec(&self.looks).expect("looks are numbers");
        for event in &self.events {
            lines.push(b'\n');
            serde_json::to_writer(&mut lines, event).expect("events have only string keys");
        }
        lines
    }

    /// Reads the lines back; those that cannot be read are passed over.
    pub fn from_lines(lines: &[u8]) -> Self {
        let mut lines = lines.split(|byte| *byte == b'\n');
        let looks = lines.next().and_then(|line| serde_json::from_slice(line).ok()).unwrap_or_default();
        Self { looks, events: lines.filter_map(|line| serde_json::from_slice(line).ok()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Done;

    #[test]
    fn it_reads_back_as_written_as_far_as_it_is_whole() {
        let looks = ReadbackPace { read_every: None, probe_every: Some(0) };
        let warning = Event::Warning { message: "two\nlines".into() };
        let done = Event::Done(Done { step: 3, elapsed_seconds: 0.5, finished: true });
        let story = Story { looks, events: vec![warning.clone(), done] };
        let lines = story.to_lines();
        assert_eq!(Story::from_lines(&lines), story);
        assert_eq!(Story::from_lines(&lines[..lines.len() - 1]), Story { looks, events: vec![warning] });
        assert_eq!(Story::from_lines(b"\xff"), Story::default());
    }
}
