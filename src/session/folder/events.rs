//! `events.jsonl`: every event of a run as one line of JSON.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Folder;
use crate::error::{Error, Result};
use crate::session::event::Event;

pub(super) const FILE: &str = "events.jsonl";

/// The file, open at its end.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let mut open = OpenOptions::new();
        let file = open.create(true).truncate(false).write(true).open(&path).map_err(Error::file(&path))?;
        let mut log = Self { path, file };
        log.seek_end()?;
        Ok(log)
    }

    /// Appends an event. A line is written in one piece, so that readers never see half of one.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn append(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_string(event).expect("events have only string keys");
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(Error::file(&self.path))
    }

    /// Flushes the file to disk. Called before a checkpoint is written: the steps that led to it must not be lost.
    ///
    /// # Errors
    /// When the disk is gone.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::file(&self.path))
    }

    /// Cuts off the events after step `step`, and with `measured` the probes at that step: a run resumed from there gives them
    /// again.
    ///
    /// # Errors
    /// When the file cannot be read or cut.
    pub fn rewind(&mut self, step: usize, measured: bool) -> Result<()> {
        let end = self.lines(|event| !event.is_beyond(step, measured))?;
        self.file.set_len(end).and_then(|()| self.file.sync_all()).map_err(Error::file(&self.path))?;
        self.seek_end()
    }

    fn seek_end(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::End(0)).map(|_| ()).map_err(Error::file(&self.path))
    }

    /// Hands every event to `hear`; lines that are no event are skipped.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, mut hear: impl FnMut(&Event)) -> Result<()> {
        let all = |event: &Event| {
            hear(event);
            true
        };
        self.lines(all).map(|_| ())
    }

    fn lines(&self, keep: impl FnMut(&Event) -> bool) -> Result<u64> {
        lines(&self.path, 0, keep)
    }
}

impl Folder {
    /// All events of the run.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn events(&self) -> Result<Vec<Event>> {
        let path = self.path().join(FILE);
        let mut events = Vec::new();
        if path.exists() {
            lines(&path, 0, |event| {
                events.push(event.clone());
                true
            })?;
        }
        Ok(events)
    }

    /// The number of whole lines of the events that are damaged or of another version; they are not among [`Folder::events`].
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn unknown_events(&self) -> Result<usize> {
        let path = self.path().join(FILE);
        if !path.exists() {
            return Ok(0);
        }
        let bytes = std::fs::read(&path).map_err(Error::file(&path))?;
        let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        Ok(whole.filter(|line| serde_json::from_slice::<Event>(line).is_err()).count())
    }
}

/// Reads line by line from the offset `start` until `keep` returns false; returns the offset at which the last kept line ends. Lines
/// that are no event are skipped; a last line without a line break, as a killed process leaves it, is not kept.
pub(super) fn lines(path: &Path, start: u64, mut keep: impl FnMut(&Event) -> bool) -> Result<u64> {
    let mut file = BufReader::new(File::open(path).map_err(Error::file(path))?);
    file.seek(SeekFrom::Start(start)).map_err(Error::file(path))?;
    let mut line = Vec::new();
    let mut end = start;
    loop {
        line.clear();
        let count = file.read_until(b'\n', &mut line).map_err(Error::file(path))?;
        if line.last() != Some(&b'\n') {
            return Ok(end);
        }
        if serde_json::from_slice(&line).is_ok_and(|event| !keep(&event)) {
            return Ok(end);
        }
        end += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{Done, Probe, Step};
    use std::fs;

    fn step(step: usize) -> Event {
        Event::Step(Step { step, loss: 1.0 / step as f64, elapsed_seconds: 1.0, ..Step::default() })
    }

    fn probe(step: usize) -> Event {
        Event::Probe(Probe { step, epoch: 0.1, train_images: 1, test_images: 1, rows: Vec::new(), gains: Vec::new() })
    }

    fn saved(step: usize) -> Event {
        Event::Saved { step, path: "here".into() }
    }

    fn done(step: usize) -> Event {
        Event::Done(Done { step, elapsed_seconds: 1.0, finished: false })
    }

    fn all(log: &Log) -> Vec<Event> {
        let mut events = Vec::new();
        log.read(|event| events.push(event.clone())).expect("readable");
        events
    }

    #[test]
    fn rewinding_keeps_what_led_to_the_step() {
        let here = tempfile::tempdir().expect("a folder");
        let told = [step(1), step(2), saved(2), probe(2), step(3), saved(3), done(3)];
        let rewound = |to, measured| {
            let _ = fs::remove_file(here.path().join(FILE));
            let mut log = Log::open(here.path()).expect("a log");
            told.iter().for_each(|event| log.append(event).expect("written"));
            log.rewind(to, measured).expect("cut");
            log.append(&done(0)).expect("the file stays open at its end");
            let mut events = all(&log);
            assert_eq!(events.pop(), Some(done(0)));
            events
        };
        assert_eq!(rewound(3, false), told[..6]);
        assert_eq!(rewound(2, false), told[..4]);
        assert_eq!(rewound(2, true), told[..3]);
        assert_eq!(rewound(0, false), []);
    }

    #[test]
    fn a_line_cut_short_is_dropped_an_unknown_one_skipped() {
        let here = tempfile::tempdir().expect("a folder");
        let mut log = Log::open(here.path()).expect("a log");
        log.append(&step(1)).expect("written");
        log.file.write_all(b"\xff not ours\n").expect("written");
        log.append(&step(2)).expect("written");
        log.file.write_all(b"{\"event\":\"step\",\"st").expect("written");
        log.rewind(2, true).expect("cut");
        log.append(&step(3)).expect("written");
        assert_eq!(all(&log), [step(1), step(2), step(3)]);
    }
}
