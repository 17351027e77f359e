//! The request: probes, controls and the time they may take.

use super::cache::Cache;
use crate::error::{Error, Result};
use crate::probe::ProbeSettings;
use crate::probe::few::FewSettings;
use crate::probe::labelled::LabelledPlan;

/// Untrained encoders that a result is compared with by default: a single one may have lucky weights.
const UNTRAINED: usize = 3;

/// Seconds of training up to which a run is compared with the supervised control without being asked to: that control takes
/// about as long as the run.
const UNASKED_SECONDS: f64 = 30.0 * 60.0;

/// Everything that is to be measured of an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalRequest {
    /// Probes, layers and numbers of images.
    pub settings: ProbeSettings,
    /// The linear probe with few labels a class, too.
    pub few: Option<FewSettings>,
    /// Train a linear layer by SGD on the frozen encoder and on its controls.
    pub sgd: Option<LabelledPlan>,
    /// Train the whole encoder, and the untrained one, with labels.
    pub finetune: Option<LabelledPlan>,
    /// The untrained encoder trained with labels, its layers probed.
    pub supervised: SupervisedControl,
    /// Number of untrained encoders: the subject's own, and those of the seeds after it.
    pub untrained: usize,
    /// Cache of the controls.
    pub cache: Cache,
}

/// The supervised control: the untrained encoder trained with labels. It takes about as long as a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SupervisedControl {
    /// Left out.
    #[default]
    No,
    /// Shown where the cache has it.
    Known(LabelledPlan),
    /// Measured if the cache lacks it.
    Measured(LabelledPlan),
}

/// Controls that are measured without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlBudget {
    /// Every control.
    Whole,
    /// One untrained encoder; the supervised control only where the cache has it.
    Cheap,
}

impl ControlBudget {
    /// The whole budget where a run took at most half an hour on the device that measures.
    pub fn of(seconds: f64, same_device: bool) -> Self {
        if same_device && seconds <= UNASKED_SECONDS { ControlBudget::Whole } else { ControlBudget::Cheap }
    }

    /// Number of untrained encoders.
    pub fn untrained(self) -> usize {
        match self {
            ControlBudget::Whole => UNTRAINED,
            ControlBudget::Cheap => 1,
        }
    }

    /// The supervised control under this budget.
    pub fn supervised(self, plan: LabelledPlan) -> SupervisedControl {
        match self {
            ControlBudget::Whole => SupervisedControl::Measured(plan),
            ControlBudget::Cheap => SupervisedControl::Known(plan),
        }
    }
}

/// The probes of `settings` beside one untrained encoder, pixels and their principal components, without a cache.
impl From<ProbeSettings> for EvalRequest {
    fn from(settings: ProbeSettings) -> Self {
        Self {
            settings,
            few: None,
            sgd: None,
            finetune: None,
            supervised: SupervisedControl::No,
            untrained: 1,
            cache: Cache::none(),
        }
    }
}

impl EvalRequest {
    /// Refuses a request that contradicts itself before minutes are spent on it.
    ///
    /// # Errors
    /// When few labels or further controls are asked for without the probe that they need, or a plan is impossible.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Config(what.to_string()));
        self.settings.check()?;
        if self.few.is_some() && !self.settings.linear {
            return wrong("few labels need the linear probe, which was not asked for");
        }
        let supervised = match &self.supervised {
            SupervisedControl::Measured(plan) => Some(plan),
            SupervisedControl::Known(_) | SupervisedControl::No => None,
        };
        if (supervised.is_some() || self.untrained > 1) && !self.settings.reads() {
            return wrong(
                "the supervised control and untrained encoders of other seeds need linear, knn or retrieval, none of \
                 which was asked for",
            );
        }
        let plans = [self.sgd.as_ref(), self.finetune.as_ref(), supervised];
        plans.into_iter().flatten().try_for_each(LabelledPlan::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_is_measured_unasked_where_that_takes_minutes() {
        assert_eq!(ControlBudget::of(1800.0, true), ControlBudget::Whole);
        assert_eq!(ControlBudget::of(1801.0, true), ControlBudget::Cheap, "it takes too long");
        assert_eq!(ControlBudget::of(1.0, false), ControlBudget::Cheap, "nobody knows how long it takes here");
        let plan = LabelledPlan::as_long(28, 7, 8);
        assert_eq!(ControlBudget::Whole.supervised(plan.clone()), SupervisedControl::Measured(plan.clone()));
        assert_eq!(ControlBudget::Cheap.supervised(plan.clone()), SupervisedControl::Known(plan));
        assert!(ControlBudget::Whole.untrained() > ControlBudget::Cheap.untrained());
    }

    #[test]
    fn requests_without_the_probe_they_need_are_refused() {
        let knn = ProbeSettings { linear: false, ..ProbeSettings::default() };
        let none = ProbeSettings { knn: false, ..knn.clone() };
        let few = Some(FewSettings { labels: vec![1], draws: 1, seed: 0 });
        let plan = LabelledPlan::network(28);
        let refused = [
            EvalRequest { few, ..knn.clone().into() },
            EvalRequest { untrained: 2, ..none.clone().into() },
            EvalRequest { supervised: SupervisedControl::Measured(plan.clone()), ..none.clone().into() },
            EvalRequest { sgd: Some(LabelledPlan { batch: 0, ..plan.clone() }), ..knn.clone().into() },
            ProbeSettings { grid: 0, ..knn.clone() }.into(),
        ];
        for request in refused {
            assert!(matches!(request.check(), Err(Error::Config(_))), "{request:?}");
        }
        assert!(EvalRequest { sgd: Some(plan), untrained: 3, ..knn.into() }.check().is_ok());
        assert!(EvalRequest::from(none).check().is_ok());
    }
}
