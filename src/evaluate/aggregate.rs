//! Runs aggregated over seeds: one row for each method and setting, in one section for each data set.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::RunConfig;
use crate::method::Unit;
use crate::methods::METHODS;
use crate::probe::{ProbeRow, Source, Standing};
use crate::session::event::Pretext;
use crate::session::folder::{Evaluation, Record};

/// A run and its measurement.
#[derive(Clone, Debug)]
pub struct MeasuredRun {
    /// The run's folder.
    pub path: PathBuf,
    /// The record of its start.
    pub record: Record,
    /// Its evaluation.
    pub evaluation: Evaluation,
    /// The method's own metric on test images after as many steps, where the run has it.
    pub pretext: Option<Pretext>,
}

/// Runs on the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// The name of the data set.
    pub data: String,
    /// SHA-256 of the images.
    pub sha256: String,
    /// Training images that were probed with.
    pub train_images: usize,
    /// Test images that were probed with.
    pub test_images: usize,
    /// One line for each method and setting.
    pub lines: Vec<Line>,
}

/// A method with one setting, over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The method's id.
    pub method: String,
    /// The preset.
    pub preset: String,
    /// The settings in which it differs from other lines of the method: `epochs=4`.
    pub settings: String,
    /// The seeds, one for each run.
    pub seeds: Vec<u64>,
    /// Steps taken.
    pub steps: usize,
    /// Steps planned.
    pub total_steps: usize,
    /// Minutes of training.
    pub minutes: Spread,
    /// The device the runs were started on.
    pub device: String,
    /// The pretext task, where all runs of the line report it.
    pub task: Option<Task>,
    /// One comparison for each probe.
    pub probes: Vec<ProbeSummary>,
    /// The runs' folders.
    pub runs: Vec<PathBuf>,
}

/// The method's own metric on images it was not trained on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    /// The metric's name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Mean and deviation over the seeds.
    pub value: Spread,
    /// The value of guessing, where that is defined.
    pub chance: Option<f64>,
}

/// One probe of the trained encoder and its controls, each at its own best layer. Accuracies lie in 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbeSummary {
    /// `linear`, `knn`, ..
    pub probe: String,
    /// The trained encoder.
    pub trained: Score,
    /// The untrained encoder.
    pub untrained: Score,
    /// Raw pixels.
    pub pixels: Score,
    /// Principal components of raw pixels.
    pub pca: Score,
    /// The same encoder trained with labels for as long, where all runs of the line have that.
    pub supervised: Option<Score>,
    /// Percentage points over the best control.
    pub points: Spread,
    /// The same as a verdict.
    pub standing: Standing,
}

/// An accuracy at the layer that was chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// The layer.
    pub layer: String,
    /// Mean and deviation over the seeds.
    pub accuracy: Spread,
}

/// Mean and standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample's standard deviation, with n - 1; `None` for a single value.
    pub deviation: Option<f64>,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    }
}

/// Aggregates runs: those on the same images share a section, those that differ in nothing but the seed share a line.
/// Methods stand in the order of [`METHODS`]. One layer is chosen for all seeds of a line, by the sum of their validation
/// accuracies.
pub fn aggregate(mut runs: Vec<MeasuredRun>, probes: &[&str]) -> Vec<Section> {
    let place = |run: &MeasuredRun| METHODS.iter().position(|entry| entry.info().id == run.record.config.method);
    runs.sort_by_key(|run| (place(run), run.record.config.preset.to_string(), run.record.config.seed));
    let mut sections: Vec<Vec<Vec<MeasuredRun>>> = Vec::new();
    for run in runs {
        let images = |other: &MeasuredRun| (other.evaluation.data.sha256.clone(), other.evaluation.images());
        let Some(section) = sections.iter_mut().find(|section| images(&section[0][0]) == images(&run)) else {
            sections.push(vec![vec![run]]);
            continue;
        };
        match section.iter_mut().find(|line| belong_together(&line[0], &run)) {
            Some(line) => line.push(run),
            None => section.push(vec![run]),
        }
    }
    sections.iter().map(|lines| section(lines, probes)).collect()
}

/// True if two runs differ in nothing but the seed.
fn belong_together(a: &MeasuredRun, b: &MeasuredRun) -> bool {
    let seedless = |run: &MeasuredRun| RunConfig { seed: 0, ..run.record.config.clone() };
    seedless(a) == seedless(b) && a.evaluation.step == b.evaluation.step
}

fn section(lines: &[Vec<MeasuredRun>], probes: &[&str]) -> Section {
    let first = &lines[0][0].evaluation;
    let [train_images, test_images] = first.images();
    let of_line = |runs: &Vec<MeasuredRun>| {
        let rivals = lines.iter().map(|other| &other[0].record.config).filter(|config| {
            let own = &runs[0].record.config;
            (&config.method, config.preset) == (&own.method, own.preset)
        });
        line(runs, &apart(&runs[0].record.config, rivals), probes)
    };
    Section {
        data: first.data.name.clone(),
        sha256: first.data.sha256.clone(),
        train_images,
        test_images,
        lines: lines.iter().map(of_line).collect(),
    }
}

/// The settings in which `own` differs from any of `others`.
fn apart<'a>(own: &RunConfig, others: impl Iterator<Item = &'a RunConfig>) -> String {
    let others: Vec<_> = others.map(RunConfig::settings).collect();
    let differs = |setting: &(String, serde_json::Value)| {
        setting.0 != "seed" && others.iter().any(|other| !other.contains(setting))
    };
    let words = own.settings().into_iter().filter(differs).map(|(key, value)| {
        let short = key.strip_prefix("options.").unwrap_or(&key).to_string();
        format!("{short}={}", value.as_str().map_or_else(|| value.to_string(), str::to_string))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn line(runs: &[MeasuredRun], settings: &str, probes: &[&str]) -> Line {
    let config = &runs[0].record.config;
    let minutes: Vec<f64> = runs.iter().map(|run| run.evaluation.elapsed_seconds / 60.0).collect();
    let mut devices: Vec<&str> = runs.iter().map(|run| run.record.device.name.as_str()).collect();
    devices.dedup();
    Line {
        method: config.method.clone(),
        preset: config.preset.to_string(),
        settings: settings.to_string(),
        seeds: runs.iter().map(|run| run.record.config.seed).collect(),
        steps: runs[0].evaluation.step,
        total_steps: runs[0].evaluation.total_steps,
        minutes: Spread::of(&minutes),
        device: devices.join(", "),
        task: task(runs),
        probes: probes.iter().filter_map(|probe| summary(runs, probe)).collect(),
        runs: runs.iter().map(|run| run.path.clone()).collect(),
    }
}

fn task(runs: &[MeasuredRun]) -> Option<Task> {
    let said: Option<Vec<&Pretext>> = runs.iter().map(|run| run.pretext.as_ref()).collect();
    let said = said?;
    let values: Vec<f64> = said.iter().map(|pretext| pretext.value).collect();
    let Pretext { name, unit, chance, .. } = said.first()?;
    Some(Task { name: name.clone(), unit: *unit, value: Spread::of(&values), chance: *chance })
}

fn summary(runs: &[MeasuredRun], probe: &str) -> Option<ProbeSummary> {
    let best = |source| best(runs, source, probe);
    let trained = best(Source::Trained)?;
    let controls = [best(Source::Untrained)?, best(Source::RawPixels)?, best(Source::Pca)?];
    let control = |place: usize| controls.iter().map(|(_, values)| values[place]).fold(0.0, f64::max);
    let points: Vec<f64> = trained.1.iter().enumerate().map(|(place, own)| 100.0 * (own - control(place))).collect();
    let [_, test_images] = runs[0].evaluation.images();
    let points = Spread::of(&points);
    let score = |(layer, values): (String, Vec<f64>)| Score { layer, accuracy: Spread::of(&values) };
    let supervised = best(Source::Supervised).map(score);
    let trained = score(trained);
    let [untrained, pixels, pca] = controls.map(score);
    let own = trained.accuracy.mean;
    let standing = Standing::of(own, own - points.mean / 100.0, test_images);
    Some(ProbeSummary { probe: probe.to_string(), trained, untrained, pixels, pca, supervised, points, standing })
}

/// The layer that is best over all runs together, and each run's accuracy there.
fn best(runs: &[MeasuredRun], source: Source, probe: &str) -> Option<(String, Vec<f64>)> {
    let rows = |run: &MeasuredRun| {
        let all = run.evaluation.details.with_supervised(&run.evaluation.rows).into_iter();
        all.filter(|row| row.source == source && row.probe == probe).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<ProbeRow>> = runs.iter().map(rows).collect();
    let whole = rows[0].iter().filter_map(|row| {
        let of = |own: &Vec<ProbeRow>| own.iter().find(|own| own.layer == row.layer).cloned();
        let rows: Option<Vec<_>> = rows.iter().map(of).collect();
        let rows = rows?;
        let merit: f64 = rows.iter().map(|row| row.merit()).sum();
        Some((merit, row.layer.clone(), rows.iter().map(|row| row.accuracy).collect::<Vec<_>>()))
    });
    let best = whole.reduce(|best, layer| if layer.0 > best.0 { layer } else { best });
    best.map(|(_, layer, accuracies)| (layer, accuracies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::data::Size;
    use crate::device::{Kind, Readout};
    use crate::methods::find;
    use crate::probe::ProbeSettings;
    use crate::probe::labelled::LabelledPlan;
    use crate::session::folder::{DataRecord, Details, Tuned};

    /// A run whose accuracies at two layers are given, trained and untrained, and that of raw pixels.
    fn run(method: &str, seed: u64, trained: [f64; 2], untrained: [f64; 2], pixels: f64) -> MeasuredRun {
        let mut config = find(method).expect("a method").config(Preset::Small, "fashion-mnist");
        config.seed = seed;
        let data = DataRecord {
            name: "fashion-mnist".into(),
            folder: None,
            size: None,
            image: Size { channels: 1, height: 28, width: 28 },
            train_images: 60_000,
            validation_images: 0,
            test_images: 10_000,
            sha256: "00".into(),
        };
        let device = Readout { kind: Kind::Cpu, name: "CPU".into(), why: "so".into(), gpu_available: false };
        let row = |source, layer: &str, accuracy: f64| ProbeRow {
            source,
            layer: layer.into(),
            width: 8,
            probe: "knn".into(),
            accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: None,
        };
        let rows = vec![
            row(Source::Trained, "block1", trained[0]),
            row(Source::Trained, "block2", trained[1]),
            row(Source::Untrained, "block1", untrained[0]),
            row(Source::Untrained, "block2", untrained[1]),
            row(Source::RawPixels, "pixels", pixels),
            row(Source::Pca, "pca", 0.0),
        ];
        let evaluation = Evaluation {
            nolabel: "0.1.0".into(),
            method: method.into(),
            seed,
            step: 9,
            total_steps: 9,
            elapsed_seconds: 60.0 * seed as f64,
            checkpoint: "22".into(),
            data: data.clone(),
            device: device.clone(),
            settings: ProbeSettings::default(),
            rows,
            details: Details::default(),
        };
        let name = "answers found".to_string();
        let value = 0.5 + 0.1 * seed as f64;
        let pretext = Pretext { step: 9, images: 10_000, name, value, chance: Some(0.25), unit: Unit::Share };
        let record = Record::new(config, data, device);
        MeasuredRun { path: format!("runs/{method}-{seed}").into(), record, evaluation, pretext: Some(pretext) }
    }

    #[test]
    fn seeds_of_one_setting_share_a_line_and_one_layer() {
        let runs = vec![
            run("simsiam", 2, [0.90, 0.87], [0.8, 0.7], 0.75),
            run("rotation", 1, [0.70, 0.60], [0.8, 0.7], 0.75),
            run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75),
        ];
        let sections = aggregate(runs, &["linear", "knn"]);
        assert_eq!(sections.len(), 1);
        let [rotation, simsiam] = sections[0].lines.as_slice() else { panic!("two methods: {sections:?}") };
        assert_eq!((rotation.method.as_str(), simsiam.seeds.as_slice()), ("rotation", [1, 2].as_slice()));
        assert_eq!((simsiam.minutes.mean, simsiam.settings.as_str()), (1.5, ""));
        let [knn] = simsiam.probes.as_slice() else { panic!("only neighbours were asked: {simsiam:?}") };
        assert_eq!(knn.trained.layer, "block1", "0.88 is better on average than 0.875");
        let near = |value: f64, expected: f64| (value - expected).abs() < 1e-9;
        // 0.86 - 0.75 and 0.90 - 0.80
        assert!(near(knn.points.mean, 10.5), "{knn:?}");
        assert!(near(knn.points.deviation.expect("two seeds"), 0.5f64.sqrt()), "{knn:?}");
        assert_eq!((knn.standing, rotation.probes[0].standing), (Standing::Above, Standing::Below));
    }

    #[test]
    fn the_task_is_reported_where_all_seeds_report_it() {
        let [one, two] = [1, 2].map(|seed| run("rotation", seed, [0.7, 0.6], [0.8, 0.7], 0.75));
        let task = |runs| aggregate(runs, &["knn"])[0].lines[0].task.clone();
        let both = task(vec![one.clone(), two.clone()]).expect("both tell");
        assert!((both.value.mean - 0.65).abs() < 1e-9 && both.value.deviation.is_some(), "{both:?}");
        assert_eq!((both.name.as_str(), both.chance), ("answers found", Some(0.25)));
        assert_eq!(task(vec![one, MeasuredRun { pretext: None, ..two }]), None);
    }

    #[test]
    fn principal_components_are_a_control_like_the_others() {
        let mut known = run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75);
        known.evaluation.rows[5].accuracy = 0.89;
        let sections = aggregate(vec![known], &["knn"]);
        let [knn] = sections[0].lines[0].probes.as_slice() else { panic!("neighbours alone: {sections:?}") };
        assert!((knn.points.mean + 1.0).abs() < 1e-9 && knn.standing == Standing::Below, "{knn:?}");
        assert_eq!(knn.pca.accuracy.mean, 0.89);
    }

    #[test]
    fn the_supervised_encoder_is_no_control_to_beat() {
        let supervised = |mut run: MeasuredRun, accuracy: f64| {
            let rows = vec![ProbeRow { source: Source::Supervised, accuracy, ..run.evaluation.rows[0].clone() }];
            run.evaluation.details.supervised = Some(Tuned { plan: LabelledPlan::as_long(28, 9, 8), rows });
            run
        };
        let one = supervised(run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75), 0.95);
        let two = run("simsiam", 2, [0.86, 0.88], [0.7, 0.7], 0.75);
        let reading = |runs| aggregate(runs, &["knn"])[0].lines[0].probes[0].clone();
        assert_eq!(reading(vec![one.clone(), two.clone()]).supervised, None, "it would not be the mean of both");
        let both = reading(vec![one, supervised(two, 0.93)]);
        let score = both.supervised.expect("both have it");
        assert!((score.accuracy.mean - 0.94).abs() < 1e-9 && score.layer == "block1", "{score:?}");
        assert_eq!(both.standing, Standing::Above);
    }

    #[test]
    fn runs_that_differ_in_more_than_the_seed_are_kept_apart() {
        let mut longer = run("rotation", 2, [0.7, 0.6], [0.8, 0.7], 0.75);
        longer.record.config.epochs = 77;
        let mut elsewhere = run("rotation", 1, [0.7, 0.6], [0.8, 0.7], 0.75);
        elsewhere.evaluation.data.sha256 = "11".into();
        let runs = vec![run("rotation", 1, [0.7, 0.6], [0.8, 0.7], 0.75), longer, elsewhere];
        let sections = aggregate(runs, &["knn"]);
        let settings = |section: &Section| section.lines.iter().map(|line| line.settings.clone()).collect::<Vec<_>>();
        assert_eq!(sections.len(), 2);
        assert_eq!(settings(&sections[0])[1], "epochs=77");
        assert_eq!(settings(&sections[1]), [""]);
    }
}
