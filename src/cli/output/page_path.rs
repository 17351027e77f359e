//! Paths of the pages that commands write.

use std::path::{Path, PathBuf};

/// The default path of a page: in a run's folder, or next to a single checkpoint and named after it.
pub(in crate::cli) fn beside(run: &Path, page: &str) -> PathBuf {
    if run.is_file() { run.with_extension(page) } else { run.join(page) }
}
