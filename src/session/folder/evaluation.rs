//! `eval.json`: the evaluations of a run, each with everything needed to repeat it.

use std::fs::{self, File};
use std::io;

use serde::{Deserialize, Serialize};

use super::{DataRecord, Folder, write};
use crate::device::Readout;
use crate::error::{Error, Result};
use crate::probe::confusion::Confusion;
use crate::probe::few::FewLabels;
use crate::probe::labelled::LabelledPlan;
use crate::probe::{ProbeRow, ProbeSettings};

const FILE: &str = "eval.json";
/// The lock file, held while an evaluation is added.
const LOCK: &str = "eval.lock";

/// One evaluation of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The version of nolabel that measured.
    pub nolabel: String,
    /// The method's id.
    pub method: String,
    /// The run's seed.
    pub seed: u64,
    /// Steps the run had taken.
    pub step: usize,
    /// Steps the run was planned to take.
    pub total_steps: usize,
    /// Seconds of training up to that step.
    pub elapsed_seconds: f64,
    /// SHA-256 of the checkpoint's file.
    pub checkpoint: String,
    /// The images the features were probed with.
    pub data: DataRecord,
    /// The device that measured.
    pub device: Readout,
    /// Probes, layers and images.
    pub settings: ProbeSettings,
    /// One row for each source, layer and probe.
    pub rows: Vec<ProbeRow>,
    /// Further measurements, where they were asked for.
    #[serde(flatten)]
    pub details: Details,
}

/// Measurements beside the rows, where they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Confusion matrix of the linear probe (of kNN, where that was not asked for) at the trained encoder's best layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// The linear probe with few labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_labels: Option<FewLabels>,
    /// Untrained encoders with the weights of other seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrained: Vec<Untrained>,
    /// A linear layer trained by SGD on frozen encoders and on raw pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sgd: Option<Tuned>,
    /// The whole encoder trained with labels, from its trained weights and from those before its first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finetune: Option<Tuned>,
    /// The supervised control: the layers of the same encoder trained with labels alone, under the same probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervised: Option<Tuned>,
    /// Names of the controls that came from the cache: measured before on the same device, images and settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_cache: Vec<String>,
}

/// Rows of encoders or layers trained with labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The training.
    pub plan: LabelledPlan,
    /// One row for each source, layer and probe.
    pub rows: Vec<ProbeRow>,
}

/// An untrained encoder with the weights of a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Untrained {
    /// The seed.
    pub seed: u64,
    /// One row for each layer and probe.
    pub rows: Vec<ProbeRow>,
}

impl Details {
    /// The given rows of an encoder and its controls, with those of the supervised control where there are any.
    pub fn with_supervised(&self, rows: &[ProbeRow]) -> Vec<ProbeRow> {
        let supervised = self.supervised.iter().flat_map(|tuned| &tuned.rows);
        rows.iter().chain(supervised).cloned().collect()
    }

    /// True if the supervised control was trained by this plan.
    pub fn has_supervised(&self, plan: &LabelledPlan) -> bool {
        self.supervised.as_ref().is_some_and(|tuned| tuned.plan == *plan)
    }

    /// Takes over the measurements of an earlier evaluation that this one lacks.
    fn inherit(&mut self, earlier: &Self) {
        if self.few_labels.is_none() {
            self.few_labels = earlier.few_labels.clone();
        }
        if self.untrained.is_empty() {
            self.untrained = earlier.untrained.clone();
        }
        let tuned = [&mut self.sgd, &mut self.finetune, &mut self.supervised];
        for (own, known) in tuned.into_iter().zip([&earlier.sgd, &earlier.finetune, &earlier.supervised]) {
            if own.is_none() {
                own.clone_from(known);
            }
        }
    }
}

impl Evaluation {
    /// True if it has everything that `wanted` asks for of the run after `step` steps, with the same images.
    pub fn answers(&self, step: usize, data: &DataRecord, wanted: &ProbeSettings) -> bool {
        let alike = |settings: &ProbeSettings| ProbeSettings {
            train_images: used(settings.train_images, data.train_images),
            test_images: used(settings.test_images, data.test_images),
            linear: true,
            knn: true,
            retrieval: true,
            ..settings.clone()
        };
        let has = self.settings.probes();
        let all_there = wanted.probes().iter().all(|probe| has.contains(probe));
        self.step == step && self.data.sha256 == data.sha256 && all_there && alike(&self.settings) == alike(wanted)
    }

    /// Training and test images the probes used.
    pub fn images(&self) -> [usize; 2] {
        let Self { settings, data, .. } = self;
        [used(settings.train_images, data.train_images), used(settings.test_images, data.test_images)]
    }
}

/// Number of images used where `wanted` (0: all) of `there` are asked for.
fn used(wanted: usize, there: usize) -> usize {
    if wanted == 0 { there } else { wanted.min(there) }
}

impl Folder {
    /// All evaluations of the run; empty where there are none.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn evaluations(&self) -> Result<Vec<Evaluation>> {
        let path = self.path().join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file(&path)(error)),
        };
        serde_json::from_str(&text).map_err(|error| {
            Error::Run(format!("{} cannot be read ({error}); delete it to measure again", path.display()))
        })
    }

    /// Adds an evaluation in place of an earlier one with the same settings. Details of the earlier one are kept where they were
    /// not measured again.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep(&self, mut evaluation: Evaluation) -> Result<()> {
        let path = self.path().join(LOCK);
        let lock = File::create(&path).map_err(Error::file(&path))?;
        // some file systems have no locks; two evaluations that end at the same moment are unlikely there
        let _ = lock.lock();
        let mut all = self.evaluations()?;
        let same = |known: &Evaluation| {
            (known.step, &known.data.sha256, &known.settings)
                == (evaluation.step, &evaluation.data.sha256, &evaluation.settings)
        };
        let earlier = all.iter().find(|known| same(known) && known.checkpoint == evaluation.checkpoint);
        earlier.iter().for_each(|earlier| evaluation.details.inherit(&earlier.details));
        all.retain(|known| !same(known));
        all.push(evaluation);
        let text = serde_json::to_string_pretty(&all).expect("evaluations have only string keys");
        write::whole(self.path(), FILE, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;
    use crate::device::Kind;
    use crate::probe::Source;
    use crate::probe::few::FewSettings;

    fn evaluation(step: usize, settings: ProbeSettings) -> Evaluation {
        let data = DataRecord {
            name: "fashion-mnist".into(),
            folder: None,
            size: None,
            image: Size { channels: 1, height: 28, width: 28 },
            train_images: 600,
            validation_images: 0,
            test_images: 100,
            sha256: "00".into(),
        };
        let device =
            Readout { kind: Kind::Cpu, name: "CPU".into(), why: "no GPU was found".into(), gpu_available: false };
        let row = ProbeRow {
            source: Source::Trained,
            layer: "gap".into(),
            width: 8,
            probe: "knn".into(),
            accuracy: 0.5,
            interval: [0.25, 0.75],
            l2: None,
            lr: None,
            validation: Some(0.25),
        };
        Evaluation {
            nolabel: "0.1.0".into(),
            method: "rotation".into(),
            seed: 1,
            step,
            total_steps: 9,
            elapsed_seconds: 1.5,
            checkpoint: "22".into(),
            data,
            device,
            settings,
            rows: vec![row],
            details: Details::default(),
        }
    }

    #[test]
    fn evaluations_read_back_and_replace_the_same_request() {
        let here = tempfile::tempdir().expect("a folder");
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        assert_eq!(folder.evaluations().expect("none is no error"), []);
        let few = ProbeSettings { train_images: 50, ..ProbeSettings::default() };
        let told =
            [evaluation(9, ProbeSettings::default()), evaluation(9, few), evaluation(5, ProbeSettings::default())];
        told.iter().for_each(|evaluation| folder.keep(evaluation.clone()).expect("kept"));
        let again = Evaluation { elapsed_seconds: 2.0, ..told[1].clone() };
        folder.keep(again.clone()).expect("kept");
        assert_eq!(folder.evaluations().expect("readable"), [told[0].clone(), told[2].clone(), again]);
        let settings = FewSettings { labels: vec![1, 5], draws: 3, seed: 0 };
        let few_labels = Some(FewLabels { settings, curves: Vec::new() });
        let tuned = Tuned { plan: LabelledPlan::linear(28), rows: Vec::new() };
        let details = Details { few_labels, finetune: Some(tuned), ..Details::default() };
        let with_curves = Evaluation { details, ..told[0].clone() };
        for evaluation in [&with_curves, &told[0]] {
            folder.keep(evaluation.clone()).expect("kept");
        }
        let kept = folder.evaluations().expect("readable").pop().expect("the last");
        assert_eq!(kept, with_curves, "curves stay where they were not asked for again");
        folder.keep(Evaluation { checkpoint: "33".into(), ..told[0].clone() }).expect("kept");
        let kept = folder.evaluations().expect("readable").pop().expect("the last");
        assert_eq!(kept.details, Details::default(), "they were of another checkpoint");
        fs::write(here.path().join(FILE), "[{").expect("a file");
        let refused = folder.evaluations().expect_err("half a file").to_string();
        assert!(refused.contains("eval.json cannot be read") && refused.contains("delete it"), "{refused}");
    }

    #[test]
    fn many_at_once_are_all_kept() {
        let here = tempfile::tempdir().expect("a folder");
        let keep = |step: usize| {
            let folder = Folder { path: here.path().to_path_buf(), lock: None };
            folder.keep(evaluation(step, ProbeSettings::default())).expect("kept");
        };
        std::thread::scope(|scope| (0..16).for_each(|step| drop(scope.spawn(move || keep(step)))));
        let folder = Folder { path: here.path().to_path_buf(), lock: None };
        let mut steps: Vec<_> = folder.evaluations().expect("readable").iter().map(|known| known.step).collect();
        steps.sort_unstable();
        assert_eq!(steps, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_is_taken_only_for_the_question_it_answers() {
        let all = ProbeSettings::default();
        let known = evaluation(9, all.clone());
        let answers = |step, settings: ProbeSettings| known.answers(step, &known.data, &settings);
        assert!(answers(9, all.clone()) && !answers(8, all.clone()));
        assert!(answers(9, ProbeSettings { train_images: 600, linear: false, ..all.clone() }), "600 are all");
        assert!(!answers(9, ProbeSettings { train_images: 500, ..all.clone() }));
        assert!(!answers(9, ProbeSettings { grid: 2, ..all.clone() }));
        assert!(!answers(9, ProbeSettings { layer: Some("gap".into()), ..all.clone() }));
        let only = evaluation(9, ProbeSettings { knn: false, ..all.clone() });
        assert!(!only.answers(9, &only.data, &all), "the neighbours were not asked");
        let retrieval = ProbeSettings { retrieval: true, ..all.clone() };
        assert!(!answers(9, retrieval.clone()), "nothing was ranked");
        assert!(evaluation(9, retrieval).answers(9, &known.data, &all), "more than was asked is an answer too");
        let other = DataRecord { sha256: "11".into(), ..known.data.clone() };
        assert!(!known.answers(9, &other, &all));
    }
}
