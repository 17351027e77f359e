//! Loading images: progress, warnings, and a line about how a folder was understood.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::data::{Dataset, Reading, Spec, store};
use crate::error::Error;
use crate::evaluate::{AdaptedImages, adapt_images};
use crate::format;
use crate::platform;

/// Seconds between two plain lines.
const LINE_EVERY: f64 = 5.0;

/// Loads images. Progress goes to stderr unless `quiet`; warnings always do.
pub(crate) fn load(spec: &Spec, quiet: bool) -> Outcome<Dataset> {
    let style = ProgressStyle::with_template("reading images {bar:20} {human_pos}/{human_len}, {eta} left");
    let bar = ProgressBar::no_length().with_style(style.expect("the template is right").progress_chars("━╸─"));
    let mut said = platform::now();
    let loaded = store::load(spec, &mut |news| match news {
        Reading::Warning(sentence) => bar.suspend(|| print::err(&format!("warning: {sentence}"))),
        Reading::Summary(sentence) => bar.suspend(|| print::err(&sentence)),
        Reading::Files { .. } if quiet => {}
        Reading::Files { done, total } if bar.is_hidden() => {
            if platform::now() - said >= LINE_EVERY {
                said = platform::now();
                print::err(&format!("read {} of {} images", format::thousands(done), format::thousands(total)));
            }
        }
        Reading::Files { done, total } => {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
    });
    bar.finish_and_clear();
    Ok(loaded?)
}

/// Brings images to what an encoder reads; see [`adapt_images`].
pub(crate) fn adapted(images: Dataset, channels: usize, size: Option<[usize; 2]>) -> Outcome<AdaptedImages> {
    adapt_images(images, channels, size).map_err(|error| match error {
        Error::Data(sentence) => Failure::Failed(format!("{sentence}; name others with --data")),
        other => other.into(),
    })
}

/// Refuses images without classes, which cannot be probed with.
pub(crate) fn refuse_unlabelled(images: &Dataset, remedy: &str) -> Outcome {
    if !images.classes.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "these images have no classes, so features cannot be probed with them; sort them into one folder for each class, or \
         {remedy}"
    )))
}
