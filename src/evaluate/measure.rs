//! The measurement: every probe of the encoder, and the same of its controls.

use super::controls::Controls;
use super::cost;
use super::request::{EvalRequest, SupervisedControl};
use super::subject::{EncoderUnderTest, Tell};
use crate::error::Result;
use crate::probe::confusion::Confusion;
use crate::probe::cost::{Cost, Workload};
use crate::probe::few::{Draws, FewLabels};
use crate::probe::labelled::Labelled;
use crate::probe::{ProbeRow, Probing, Reading, Sample, Source, best_control};
use crate::session::folder::{Details, Tuned};

/// Most classes for which a confusion matrix is computed: a larger table of pairs cannot be read.
const MOST_CLASSES: usize = 200;

/// The numbers of an encoder and of its controls.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// One row for each source, layer and probe.
    pub rows: Vec<ProbeRow>,
    /// Whatever was asked for beyond the rows.
    pub details: Details,
}

impl Measurement {
    /// The best layer of `source` under `probe` (`linear`, `knn`, ..), by validation accuracy.
    pub fn best(&self, source: Source, probe: &str) -> Option<&ProbeRow> {
        ProbeRow::best(&self.rows, source, probe)
    }

    /// The control with the highest accuracy at its own best layer; see [`best_control`].
    pub fn best_control(&self, probe: &str) -> Option<&ProbeRow> {
        best_control(&self.rows, probe)
    }
}

impl EncoderUnderTest<'_> {
    /// Measures the encoder and its controls alike: the same images, layers, probes and settings. `tell` receives the name of
    /// each part as it begins.
    ///
    /// # Errors
    /// When the request contradicts itself, a layer does not exist, labels are missing, or the device is lost.
    pub async fn measure(&self, request: &EvalRequest, tell: &mut Tell<'_>) -> Result<Measurement> {
        self.measure_in_stages(request, tell, &mut |_| ()).await
    }

    /// The same as [`measure`](Self::measure), with what is known so far handed to `keep` before the supervised control, which
    /// may take as long as a run, begins.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub async fn measure_in_stages(
        &self,
        request: &EvalRequest,
        tell: &mut Tell<'_>,
        keep: &mut dyn FnMut(&Measurement),
    ) -> Result<Measurement> {
        request.check()?;
        let settings = &request.settings;
        let sample = Sample::of(self.data, settings)?;
        let probing = Probing { data: self.data, settings, sample: &sample, device: &self.selected.device };
        let draws = request.few.as_ref().map(|few| Draws::new(probing, few)).transpose()?;
        let mut controls = Controls::new(*self, probing, request.cache.clone());
        let mut rows = Vec::new();
        let mut details = Details::default();
        if settings.reads() {
            (rows, details.confusion) = self.read(probing, &mut controls, tell).await?;
            details.untrained = controls.other_seeds(request.untrained.saturating_sub(1), tell).await?;
        }
        if let Some(draws) = &draws {
            details.few_labels = Some(self.few_labels(draws, &rows, &mut controls, tell).await?);
        }
        if let Some(plan) = &request.sgd {
            let rows = self.linear_sgd(Labelled { probing, plan }, &mut controls, tell).await?;
            details.sgd = Some(Tuned { plan: plan.clone(), rows });
        }
        if let Some(plan) = &request.finetune {
            let rows = self.finetune(Labelled { probing, plan }, &mut controls, tell).await?;
            details.finetune = Some(Tuned { plan: plan.clone(), rows });
        }
        details.from_cache.clone_from(&controls.from_cache);
        let mut measured = Measurement { rows, details };
        let supervised = match &request.supervised {
            SupervisedControl::Measured(plan) => {
                keep(&measured);
                Some((plan, controls.supervised(plan, true, tell).await?))
            }
            SupervisedControl::Known(plan) if settings.reads() => {
                controls.supervised_if_known(plan).await?.map(|rows| (plan, rows))
            }
            SupervisedControl::Known(_) | SupervisedControl::No => None,
        };
        measured.details.supervised = supervised.map(|(plan, rows)| Tuned { plan: plan.clone(), rows });
        measured.details.from_cache = controls.from_cache;
        Ok(measured)
    }

    /// The expected time and memory of a measurement; nothing where it is too small to matter.
    ///
    /// # Errors
    /// When images are missing or the device is lost.
    pub async fn cost(&self, request: &EvalRequest) -> Result<Cost> {
        let settings = &request.settings;
        let sample = Sample::drawn(self.data, settings)?;
        let device = &self.selected.device;
        let work = Workload {
            train: sample.train.len(),
            test: sample.test.len(),
            size: self.data.train.size(),
            classes: self.data.classes.len(),
            settings,
        };
        let probing = Probing { data: self.data, settings, sample: &sample, device };
        let controls = Controls::new(*self, probing, request.cache.clone());
        let plan = match &request.supervised {
            SupervisedControl::Measured(plan) => Some(plan),
            SupervisedControl::Known(_) | SupervisedControl::No => None,
        };
        let known = controls.known(self.trained.width(), plan).await?;
        cost::expected(self.trained, request, &work, known, device).await
    }

    /// Probes every layer beside its controls; the confusion matrix is that of the best layer.
    async fn read(
        &self,
        probing: Probing<'_>,
        controls: &mut Controls<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<(Vec<ProbeRow>, Option<Confusion>)> {
        let trained = probing.readings(self.trained, Source::Trained, tell).await?;
        let mut rows: Vec<ProbeRow> = trained.iter().map(|reading| reading.row.clone()).collect();
        let confusion = confusion(&trained, &rows, probing);
        let width = rows.last().map_or(1, |row| row.width);
        rows.extend(controls.untrained(tell).await?);
        rows.extend(controls.pixels(width, tell).await?);
        Ok((rows, confusion))
    }

    /// A linear layer trained by SGD on frozen encoders and on raw pixels.
    async fn linear_sgd(
        &self,
        training: Labelled<'_>,
        controls: &mut Controls<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<ProbeRow>> {
        let mut rows = vec![training.on_encoder(self.trained, Source::Trained, tell).await?];
        rows.extend(controls.linear_sgd(training.plan, tell).await?);
        Ok(rows)
    }

    /// The whole encoder trained with labels, from its own weights and from those before training.
    async fn finetune(
        &self,
        training: Labelled<'_>,
        controls: &mut Controls<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<ProbeRow>> {
        let (row, _) = training.network(self.trained, self.config, Source::Trained, tell).await?;
        let mut rows = vec![row];
        rows.extend(controls.supervised(training.plan, false, tell).await?);
        Ok(rows)
    }

    /// Accuracy over the number of labels, at the layers that are best with all labels.
    async fn few_labels(
        &self,
        draws: &Draws<'_>,
        rows: &[ProbeRow],
        controls: &mut Controls<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<FewLabels> {
        let best = |source| ProbeRow::best(rows, source, "linear").expect("the linear probe was asked").layer.clone();
        let trained = draws.encoder(self.trained, Source::Trained, &best(Source::Trained), tell).await?;
        let untrained = controls.few_of_encoder(draws, &best(Source::Untrained), tell).await?;
        let curves = vec![trained, untrained, controls.few_of_pixels(draws, tell).await?];
        Ok(FewLabels { settings: draws.settings().clone(), curves })
    }
}

/// The confusion matrix at the best layer; `None` where there are too many classes to look at.
fn confusion(trained: &[Reading], rows: &[ProbeRow], Probing { data, sample, .. }: Probing<'_>) -> Option<Confusion> {
    let best = ["linear", "knn"].iter().find_map(|probe| ProbeRow::best(rows, Source::Trained, probe))?;
    let reading = trained.iter().find(|reading| reading.row == *best)?;
    let classes = &data.classes;
    (classes.len() <= MOST_CLASSES).then(|| Confusion::of(best, &reading.named, &sample.test_labels(data), classes))
}
