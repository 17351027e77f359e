//! Probing an encoder beside its controls.

use futures_lite::future::block_on;

use super::controls::Controls;
use super::output::exit::{Failure, Outcome};
use super::output::spinner::Spinner;
use crate::data::Dataset;
use crate::device::Selected;
use crate::net::{Encoder, EncoderConfig};
use crate::probe::confusion::Confusion;
use crate::probe::few::{Draws, FewLabels, FewSettings};
use crate::probe::labelled::{Labelled, Plan};
use crate::probe::{self, ProbeSettings, Reading};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{Details, Tuned};

/// Beyond so many classes a table of all pairs tells nobody anything.
const MOST_CLASSES: usize = 200;

/// What is measured and how.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) settings: ProbeSettings,
    /// With few labels, too.
    pub(super) few: Option<FewSettings>,
    /// Train a linear layer on the encoder and on its controls.
    pub(super) sgd: Option<Plan>,
    /// Train the encoder, and the untrained one, with labels.
    pub(super) finetune: Option<Plan>,
    /// The untrained encoder trained with labels, its layers read.
    pub(super) supervised: Supervised,
    /// Untrained encoders, the subject's own and those of the seeds after it.
    pub(super) untrained: usize,
    /// Controls are measured anew, whatever is known of them.
    pub(super) fresh: bool,
}

/// Untrained encoders that a result is measured beside where nobody says how many: one alone may be a lucky one.
const UNTRAINED: usize = 3;

/// A run that took longer than this is measured beside the control that takes as long only where that is asked for.
const UNASKED_SECONDS: f64 = 30.0 * 60.0;

/// How far a measurement of a run goes that nobody asked to go further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlBudget {
    /// Every control is measured.
    Whole,
    /// What is dear is shown where it is known: several untrained encoders, the supervised one.
    Cheap,
}

impl ControlBudget {
    /// All the way where that is over within minutes: a run that took so many seconds was, on the same device.
    pub(super) fn of(seconds: f64, same_device: bool) -> Self {
        if same_device && seconds <= UNASKED_SECONDS { ControlBudget::Whole } else { ControlBudget::Cheap }
    }

    /// Untrained encoders that are probed.
    pub(super) fn untrained(self) -> usize {
        match self {
            ControlBudget::Whole => UNTRAINED,
            ControlBudget::Cheap => 1,
        }
    }

    /// What becomes of the supervised control.
    pub(super) fn supervised(self, plan: Plan) -> Supervised {
        match self {
            ControlBudget::Whole => Supervised::Measured(plan),
            ControlBudget::Cheap => Supervised::Known(plan),
        }
    }
}

/// The control that takes training to know: as long as the run itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Supervised {
    /// Left out.
    #[default]
    No,
    /// Shown where it was measured before.
    Known(Plan),
    /// Measured where it is not known.
    Measured(Plan),
}

impl From<ProbeSettings> for Question {
    fn from(settings: ProbeSettings) -> Self {
        Self { settings, few: None, sgd: None, finetune: None, supervised: Supervised::No, untrained: 1, fresh: false }
    }
}

impl Question {
    /// Refuses what cannot be done: it is better known before minutes have passed.
    fn check(&self) -> Outcome {
        let wrong = |what: &str| Err(Failure::Usage(format!("{what}; name it with --probe")));
        if self.few.is_some() && !self.settings.linear {
            return wrong("few labels are read by the linear probe");
        }
        let supervised = match &self.supervised {
            Supervised::Measured(plan) => Some(plan),
            Supervised::Known(_) | Supervised::No => None,
        };
        if (supervised.is_some() || self.untrained > 1) && !self.settings.reads() {
            return wrong("supervised encoders and untrained ones of other seeds are read by linear, knn or retrieval");
        }
        let plans = [self.sgd.as_ref(), self.finetune.as_ref(), supervised];
        plans.into_iter().flatten().try_for_each(Plan::check).map_err(Failure::from)
    }
}

/// What is probed, with what.
#[derive(Clone, Copy)]
pub(super) struct EncoderUnderTest<'a> {
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
#[derive(Clone)]
pub(super) struct Measured {
    pub(super) rows: Vec<ProbeRow>,
    pub(super) details: Details,
}

impl<'a> EncoderUnderTest<'a> {
    /// Probes the trained encoder, the untrained one, raw pixels and their principal components, all alike; then whatever
    /// else was asked for. `keep` hears of all the rest before the control begins that takes as long as a run.
    pub(super) fn measure(
        &self,
        question: &Question,
        quiet: bool,
        keep: &mut dyn FnMut(&Measured),
    ) -> Outcome<Measured> {
        question.check()?;
        let (spinner, settings) = (Spinner::new(quiet), &question.settings);
        let draws = question.few.as_ref().map(|few| Draws::new(self.data, settings, few)).transpose()?;
        let mut controls = Controls::new(*self, settings, question.fresh, &spinner);
        let (mut rows, mut details) = (Vec::new(), Details::default());
        if settings.reads() {
            (rows, details.confusion) = self.read(settings, &mut controls, &spinner)?;
            details.untrained = controls.others(question.untrained - 1)?;
        }
        details.few_labels = draws.map(|draws| self.few(&draws, &rows, &mut controls, &spinner)).transpose()?;
        let tuned = |plan: &Option<Plan>, of: &mut dyn FnMut(&Plan) -> Outcome<Vec<ProbeRow>>| {
            let one = |plan: &Plan| Ok::<_, Failure>(Tuned { plan: plan.clone(), rows: of(plan)? });
            plan.as_ref().map(one).transpose()
        };
        details.sgd = tuned(&question.sgd, &mut |plan| self.on_still(plan, settings, &mut controls, &spinner))?;
        details.finetune = tuned(&question.finetune, &mut |plan| self.tuned(plan, settings, &mut controls, &spinner))?;
        details.from_cache.clone_from(&controls.known);
        let mut measured = Measured { rows, details };
        let supervised = match &question.supervised {
            Supervised::Measured(plan) => {
                keep(&measured);
                Some((plan, controls.supervised(plan, true)?))
            }
            Supervised::Known(plan) if settings.reads() => controls.supervised_if_known(plan)?.map(|rows| (plan, rows)),
            Supervised::Known(_) | Supervised::No => None,
        };
        measured.details.supervised = supervised.map(|(plan, rows)| Tuned { plan: plan.clone(), rows });
        measured.details.from_cache = controls.known;
        Ok(measured)
    }

    /// All layers beside their controls, and the mistakes at the best one.
    fn read(
        &self,
        settings: &ProbeSettings,
        controls: &mut Controls,
        spinner: &Spinner,
    ) -> Outcome<(Vec<ProbeRow>, Option<Confusion>)> {
        let (data, device) = (self.data, &self.selected.device);
        let mut tell = |text: &str| spinner.tell(text);
        let trained = block_on(probe::readings(self.trained, Source::Trained, data, settings, device, &mut tell))?;
        let mut rows: Vec<ProbeRow> = trained.iter().map(|reading| reading.row.clone()).collect();
        let confusion = self.confusion(&trained, &rows);
        let width = rows.last().map_or(1, |row| row.width);
        rows.extend(controls.untrained()?);
        rows.extend(controls.pixels(width)?);
        Ok((rows, confusion))
    }

    /// Training with labels on the same images.
    pub(super) fn labelled(self, settings: &'a ProbeSettings, plan: &'a Plan) -> Labelled<'a> {
        Labelled { data: self.data, settings, plan, device: &self.selected.device }
    }

    /// A linear layer on encoders that stand still, and on raw pixels.
    fn on_still(
        &self,
        plan: &Plan,
        settings: &ProbeSettings,
        controls: &mut Controls,
        spinner: &Spinner,
    ) -> Outcome<Vec<ProbeRow>> {
        let (on, mut tell) = (self.labelled(settings, plan), |text: &str| spinner.tell(text));
        let mut rows = vec![block_on(on.on_encoder(self.trained, Source::Trained, &mut tell))?];
        rows.extend(controls.on_still(plan)?);
        Ok(rows)
    }

    /// The whole encoder trained with labels, from its own weights and from those before training.
    fn tuned(
        &self,
        plan: &Plan,
        settings: &ProbeSettings,
        controls: &mut Controls,
        spinner: &Spinner,
    ) -> Outcome<Vec<ProbeRow>> {
        let (on, mut tell) = (self.labelled(settings, plan), |text: &str| spinner.tell(text));
        let (row, _) = block_on(on.network(self.trained, self.config, Source::Trained, &mut tell))?;
        let mut rows = vec![row];
        rows.extend(controls.supervised(plan, false)?);
        Ok(rows)
    }

    /// What the best layer's reader takes for what; nothing where there are too many classes to look at.
    fn confusion(&self, trained: &[Reading], rows: &[ProbeRow]) -> Option<Confusion> {
        let best = ["linear", "knn"].iter().find_map(|probe| ProbeRow::best(rows, Source::Trained, probe))?;
        let reading = trained.iter().find(|reading| reading.row == *best)?;
        let (labels, classes) = (self.data.test.labels(), &self.data.classes);
        (classes.len() <= MOST_CLASSES).then(|| Confusion::of(best, &reading.named, labels, classes))
    }

    /// The curves at the layers that are best with all labels.
    fn few(&self, draws: &Draws, rows: &[ProbeRow], controls: &mut Controls, spinner: &Spinner) -> Outcome<FewLabels> {
        let mut tell = |text: &str| spinner.tell(text);
        let best = |source| ProbeRow::best(rows, source, "linear").expect("the linear probe was asked").layer.clone();
        let (layer, device) = (best(Source::Trained), &self.selected.device);
        let trained = block_on(draws.encoder(self.trained, Source::Trained, &layer, device, &mut tell))?;
        let untrained = controls.few_of_encoder(draws, &best(Source::Untrained))?;
        let curves = vec![trained, untrained, controls.few_of_pixels(draws)?];
        Ok(FewLabels { settings: draws.settings().clone(), curves })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_run_is_measured_unasked_where_that_is_minutes() {
        assert_eq!(ControlBudget::of(1800.0, true), ControlBudget::Whole);
        assert_eq!(ControlBudget::of(1801.0, true), ControlBudget::Cheap, "it takes too long");
        assert_eq!(ControlBudget::of(1.0, false), ControlBudget::Cheap, "who knows how long it takes here");
        let plan = Plan::as_long(28, 7, 8);
        assert_eq!(ControlBudget::Whole.supervised(plan.clone()), Supervised::Measured(plan.clone()));
        assert_eq!(ControlBudget::Cheap.supervised(plan.clone()), Supervised::Known(plan));
        assert!(ControlBudget::Whole.untrained() > ControlBudget::Cheap.untrained());
    }
}
