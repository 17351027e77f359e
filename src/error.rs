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
    /// A buffer of this many bytes that the device refused.
    #[error(
        "the GPU gives no buffer of {:.0} MB, which this takes; use smaller batches: lower `batch`, or split it with `micro_batches`",
        *.0 as f64 / 1e6
    )]
    DeviceMemory(u64),
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

    /// The error behind a failed read from a device: [`Error::DeviceMemory`] if it refused a buffer, else [`Error::DeviceLost`].
    pub fn read(error: impl std::fmt::Display) -> Self {
        let message = error.to_string();
        match refused_buffer(&message) {
            Some(bytes) => Error::DeviceMemory(bytes),
            None => Error::DeviceLost(causes(&message)),
        }
    }
}

/// Size of the buffer that the engine could not create, if that is what its message says.
fn refused_buffer(message: &str) -> Option<u64> {
    let (_, size) = message.split_once("can't allocate buffer of size: ")?;
    let digits = size.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The engine's message in one line, without the headings of its chain of causes.
fn causes(message: &str) -> String {
    const HEADINGS: [&str; 3] = ["Caused by:", "Asked at:", "No backtrace available"];
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && !HEADINGS.contains(line));
    lines.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_buffer_is_not_a_lost_device() {
        let refused = "An error happened during execution\nCaused by:\n  can't allocate buffer of size: 150994944\n";
        assert!(matches!(Error::read(refused), Error::DeviceMemory(150_994_944)));
        let message = Error::read(refused).to_string();
        assert!(message.contains("151 MB") && message.contains("micro_batches"), "{message}");
        let lost = "An error happened\nCaused by:\n  the device is gone\nNo backtrace available\n";
        assert_eq!(Error::read(lost).to_string(), "the GPU stopped answering: An error happened: the device is gone");
    }
}
