//! Errors caused by the environment or the user. Bugs of the program are assertions instead.

use std::path::PathBuf;

/// The result of everything that reads files, settings or devices.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, which prints as one sentence: the fault, and the remedy where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that does not exist or has an impossible value.
    #[error("{0}")]
    Config(String),
    /// Data that is missing or not of its format.
    #[error("{0}")]
    Data(String),
    /// A device that cannot be used.
    #[error("{0}")]
    Device(String),
    /// The device stopped answering while in use.
    #[error("the GPU stopped answering: {0}")]
    DeviceLost(String),
    /// A checkpoint that cannot be used.
    #[error("{0}")]
    Checkpoint(String),
    /// An intact checkpoint of another version of nolabel.
    #[error("{0}")]
    Version(String),
    /// A file of weights that cannot be used.
    #[error("{0}")]
    Weights(String),
    /// A run folder that cannot be used.
    #[error("{0}")]
    Run(String),
    /// A file that could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Error {
    /// Adds the path to an error of the system: `.map_err(Error::file(path))`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
