//! `events.jsonl` read while another process writes it.

use std::path::PathBuf;
use std::{fs, io};

use super::Folder;
use super::events::{FILE, lines};
use crate::error::{Error, Result};
use crate::session::event::Event;

/// The events of a run from its first one on, as far as they have been written.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// Bytes read so far; they end with a line.
    read: u64,
}

/// The events since the last look.
#[derive(Debug, Default, PartialEq)]
pub struct News {
    /// True if the file was cut since then, as it is when a run is resumed: the events begin with the run's first again.
    pub from_start: bool,
    /// The events in order.
    pub events: Vec<Event>,
}

impl Folder {
    /// Reads the run's events from the first one on, and later those that follow.
    pub fn tail(&self) -> Tail {
        Tail { path: self.path().join(FILE), read: 0 }
    }
}

impl Tail {
    /// The events written since the last call; none where the file is not there yet. Lines that are no event are skipped, and the
    /// start of a line waits for its end.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn news(&mut self) -> Result<News> {
        let length = match fs::metadata(&self.path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(News::default()),
            Err(error) => return Err(Error::file(&self.path)(error)),
        };
        let from_start = length < self.read;
        let mut events = Vec::new();
        self.read = lines(&self.path, if from_start { 0 } else { self.read }, |event| {
            events.push(event.clone());
            true
        })?;
        Ok(News { from_start, events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Step;
    use std::fs::OpenOptions;
    use std::io::Write;

    fn step(step: usize) -> Event {
        Event::Step(Step { step, loss: 1.0, ..Step::default() })
    }

    #[test]
    fn events_are_read_once_and_as_whole_lines() {
        let here = tempfile::tempdir().expect("a folder");
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        let mut tail = folder.tail();
        assert_eq!(tail.news().expect("none is no error"), News::default());
        let mut log = folder.log().expect("a log");
        let mut write = |events: &[Event]| events.iter().for_each(|event| log.append(event).expect("written"));
        write(&[step(1), step(2)]);
        assert_eq!(tail.news().expect("readable").events, [step(1), step(2)]);
        write(&[step(3)]);
        assert_eq!(tail.news().expect("readable"), News { from_start: false, events: vec![step(3)] });
        let path = here.path().join(FILE);
        let line = serde_json::to_string(&step(4)).expect("JSON");
        let (start, end) = line.split_at(9);
        let append = |text: &str| {
            let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
            file.write_all(text.as_bytes()).expect("written");
        };
        append(&format!("no event\n{start}"));
        assert_eq!(tail.news().expect("readable").events, [], "half a line");
        append(&format!("{end}\n"));
        assert_eq!(tail.news().expect("readable").events, [step(4)]);
    }

    #[test]
    fn a_file_that_was_cut_is_read_again() {
        let here = tempfile::tempdir().expect("a folder");
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        let mut log = folder.log().expect("a log");
        (1..=3).for_each(|at| log.append(&step(at)).expect("written"));
        let mut tail = folder.tail();
        assert_eq!(tail.news().expect("readable").events.len(), 3);
        log.rewind(1, true).expect("cut");
        assert_eq!(tail.news().expect("readable"), News { from_start: true, events: vec![step(1)] });
        assert_eq!(fs::read_to_string(here.path().join(FILE)).expect("a file").lines().count(), 1);
    }
}
