//! Messages of the readers while images are loaded.

/// A message while images are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Progress through the files of a folder.
    Files {
        /// Files read.
        done: usize,
        /// Files in all.
        total: usize,
    },
    /// Something the user should know, in a sentence.
    Warning(String),
    /// A line that says how a folder was understood: halves, classes, counts, and the files that are not used.
    Summary(String),
}
