//! What can go wrong because of the world or the user. Our own bugs are assertions, not errors.

use std::path::PathBuf;

/// The result of everything that reads files, settings or devices.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Each variant prints as one sentence that says what is wrong and, where we know it, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that does not exist or has an impossible value.
    #[error("{0}")]
    Config(String),
    /// Data that is not there or not what it says it is.
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
    /// A whole checkpoint, written by a nolabel of another age.
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
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// Binds the system's word to the path it was said of: `.map_err(Error::file(path))`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
