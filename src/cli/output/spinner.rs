//! Progress of measurements, which have no steps to count.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::format;
use crate::platform;

/// A spinner with a text on a terminal, one line for each text elsewhere. Dropping it clears the line.
pub(crate) struct Spinner {
    bar: Option<ProgressBar>,
    start: f64,
}

impl Spinner {
    /// A spinner; with `quiet` it prints nothing.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = (!quiet).then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is right");
            let bar = ProgressBar::no_length().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, start: platform::now() }
    }

    /// Shows the task that begins now.
    pub(crate) fn tell(&self, text: &str) {
        let Some(bar) = &self.bar else { return };
        let since = format::duration(platform::now() - self.start);
        if bar.is_hidden() {
            print::err(&format!("probing {text} ({since})"));
        } else {
            bar.set_message(format!("probing {text}"));
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
