//! Probing an encoder beside its controls.

use futures_lite::future::block_on;

use super::controls::Controls;
use super::failure::{Failure, Outcome};
use super::progress::best_of;
use super::spinner::Spinner;
use crate::data::Dataset;
use crate::device::Selected;
use crate::net::{Encoder, EncoderConfig};
use crate::probe::confusion::Confusion;
use crate::probe::few::{Draws, FewLabels, FewSettings};
use crate::probe::{self, ProbeSettings, Reading};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::Details;

/// Beyond so many classes a table of all pairs tells nobody anything.
const MOST_CLASSES: usize = 200;

/// What is measured and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) settings: ProbeSettings,
    /// With few labels, too.
    pub(super) few: Option<FewSettings>,
    /// Untrained encoders beside the subject's own.
    pub(super) untrained: usize,
    /// Controls are measured anew, whatever is known of them.
    pub(super) fresh: bool,
}

impl From<ProbeSettings> for Question {
    fn from(settings: ProbeSettings) -> Self {
        Self { settings, few: None, untrained: 0, fresh: false }
    }
}

/// What is probed, with what.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) trained: &'a Encoder,
    /// The same as it was before training, or could have been.
    pub(super) untrained: &'a Encoder,
    /// What both are, and the seed of the untrained one.
    pub(super) config: &'a EncoderConfig,
    pub(super) seed: u64,
    pub(super) data: &'a Dataset,
    /// The digest of the images.
    pub(super) images: &'a str,
    pub(super) selected: &'a Selected,
}

/// What came of it.
pub(super) struct Measured {
    pub(super) rows: Vec<ProbeRow>,
    pub(super) details: Details,
}

impl Subject<'_> {
    /// Probes the trained encoder, the untrained one, raw pixels and their principal components, all alike.
    pub(super) fn measure(&self, question: &Question, quiet: bool) -> Outcome<Measured> {
        let spinner = Spinner::new(quiet);
        let (data, device, settings) = (self.data, &self.selected.device, &question.settings);
        // what cannot be done is better known before minutes have passed
        if question.few.is_some() && !settings.linear {
            return Err(Failure::Usage("few labels are read by the linear probe; name it with --probe".into()));
        }
        let draws = question.few.as_ref().map(|few| Draws::new(data, settings, few)).transpose()?;
        let mut tell = |text: &str| spinner.tell(text);
        let trained = block_on(probe::readings(self.trained, Source::Trained, data, settings, device, &mut tell))?;
        let mut rows: Vec<ProbeRow> = trained.iter().map(|reading| reading.row.clone()).collect();
        let confusion = self.confusion(&trained, &rows);
        let width = rows.last().map_or(1, |row| row.width);
        let mut controls = Controls::new(*self, settings, question.fresh, &spinner);
        rows.extend(controls.untrained()?);
        rows.extend(controls.pixels(width)?);
        let untrained = controls.others(question.untrained)?;
        let few_labels = draws.map(|draws| self.few(&draws, &rows, &mut controls, &spinner)).transpose()?;
        let from_cache = controls.known;
        Ok(Measured { rows, details: Details { confusion, few_labels, untrained, from_cache } })
    }

    /// What the best layer's reader takes for what; nothing where there are too many classes to look at.
    fn confusion(&self, trained: &[Reading], rows: &[ProbeRow]) -> Option<Confusion> {
        let best = ["linear", "knn"].iter().find_map(|probe| best_of(rows, Source::Trained, probe))?;
        let reading = trained.iter().find(|reading| reading.row == *best)?;
        let (labels, classes) = (self.data.test.labels(), &self.data.classes);
        (classes.len() <= MOST_CLASSES).then(|| Confusion::of(best, &reading.named, labels, classes))
    }

    /// The curves at the layers that are best with all labels.
    fn few(&self, draws: &Draws, rows: &[ProbeRow], controls: &mut Controls, spinner: &Spinner) -> Outcome<FewLabels> {
        let mut tell = |text: &str| spinner.tell(text);
        let best = |source| best_of(rows, source, "linear").expect("the linear probe was asked").layer.clone();
        let (layer, device) = (best(Source::Trained), &self.selected.device);
        let trained = block_on(draws.encoder(self.trained, Source::Trained, &layer, device, &mut tell))?;
        let untrained = controls.few_of_encoder(draws, &best(Source::Untrained))?;
        let curves = vec![trained, untrained, controls.few_of_pixels(draws)?];
        Ok(FewLabels { settings: draws.settings().clone(), curves })
    }
}
