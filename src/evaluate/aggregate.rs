//! From single runs to lines of a table: seeds of one setting together, runs on the same images below one another.

use std::path::PathBuf;

use serde::Serialize;

use crate::cli::output::probe_table::Standing;
use crate::config::RunConfig;
use crate::method::Unit;
use crate::methods::METHODS;
use crate::session::event::{Pretext, ProbeRow, Source};
use crate::session::folder::{Evaluation, Record};

/// Probes with their names among people.
pub(super) const PROBES: [(&str, &str); 4] =
    [("linear", "linear"), ("knn", "kNN"), ("precision@1", "P@1"), ("map", "mAP")];

/// One run and what was measured of it.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) path: PathBuf,
    pub(super) record: Record,
    pub(super) evaluation: Evaluation,
    /// How the run did, after as many steps, what it was asked to learn.
    pub(super) pretext: Option<Pretext>,
}

/// Runs on the same images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Section {
    pub(super) data: String,
    pub(super) sha256: String,
    pub(super) train_images: usize,
    pub(super) test_images: usize,
    pub(super) lines: Vec<Line>,
}

/// One setting of one method: a run a seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) method: String,
    pub(super) preset: String,
    /// What sets it apart from other lines of the method, where there are any: `epochs=4`.
    pub(super) settings: String,
    pub(super) seeds: Vec<u64>,
    pub(super) steps: usize,
    pub(super) total_steps: usize,
    pub(super) minutes: Spread,
    /// The device the runs were started on.
    pub(super) device: String,
    /// What all runs of the line say of it.
    pub(super) task: Option<Task>,
    pub(super) probes: Vec<Reading>,
    pub(super) runs: Vec<PathBuf>,
}

/// How well images that were never trained on are given the answer the method asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) value: Spread,
    /// What guessing gives, where that is defined.
    pub(super) chance: Option<f64>,
}

/// What one probe says, best layer compared with best layer. Accuracies lie in 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Reading {
    pub(super) probe: String,
    pub(super) trained: Score,
    pub(super) untrained: Score,
    pub(super) pixels: Score,
    pub(super) pca: Score,
    /// The same encoder trained with labels for as long, where all runs of the line have that.
    pub(super) supervised: Option<Score>,
    /// Percentage points over the best control.
    pub(super) points: Spread,
    pub(super) standing: Standing,
}

/// An accuracy at the layer that was chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Score {
    pub(super) layer: String,
    pub(super) accuracy: Spread,
}

/// A mean and, of several, the sample's standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) deviation: Option<f64>,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    }
}

/// Sorts runs into sections and lines, methods in the order of menus.
pub(super) fn sections(mut runs: Vec<Measured>, probes: &[&str]) -> Vec<Section> {
    let place = |run: &Measured| METHODS.iter().position(|entry| entry.info().id == run.record.config.method);
    runs.sort_by_key(|run| (place(run), run.record.config.preset.to_string(), run.record.config.seed));
    let mut sections: Vec<Vec<Vec<Measured>>> = Vec::new();
    for run in runs {
        let images = |other: &Measured| (other.evaluation.data.sha256.clone(), other.evaluation.images());
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

/// Whether two runs differ in nothing but the seed.
fn belong_together(a: &Measured, b: &Measured) -> bool {
    let seedless = |run: &Measured| RunConfig { seed: 0, ..run.record.config.clone() };
    seedless(a) == seedless(b) && a.evaluation.step == b.evaluation.step
}

fn section(lines: &[Vec<Measured>], probes: &[&str]) -> Section {
    let first = &lines[0][0].evaluation;
    let [train_images, test_images] = first.images();
    let of_line = |runs: &Vec<Measured>| {
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

/// The settings that `own` has and not all of `others`.
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

fn line(runs: &[Measured], settings: &str, probes: &[&str]) -> Line {
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
        probes: probes.iter().filter_map(|probe| reading(runs, probe)).collect(),
        runs: runs.iter().map(|run| run.path.clone()).collect(),
    }
}

fn task(runs: &[Measured]) -> Option<Task> {
    let said: Option<Vec<&Pretext>> = runs.iter().map(|run| run.pretext.as_ref()).collect();
    let said = said?;
    let values: Vec<f64> = said.iter().map(|pretext| pretext.value).collect();
    let Pretext { name, unit, chance, .. } = said.first()?;
    Some(Task { name: name.clone(), unit: *unit, value: Spread::of(&values), chance: *chance })
}

fn reading(runs: &[Measured], probe: &str) -> Option<Reading> {
    let best = |source| best(runs, source, probe);
    let trained = best(Source::Trained)?;
    let controls = [best(Source::Untrained)?, best(Source::RawPixels)?, best(Source::Pca)?];
    let control = |place: usize| controls.iter().map(|(_, values)| values[place]).fold(0.0, f64::max);
    let points: Vec<f64> = trained.1.iter().enumerate().map(|(place, own)| 100.0 * (own - control(place))).collect();
    let [_, test_images] = runs[0].evaluation.images();
    let points = Spread::of(&points);
    let score = |(layer, values): (String, Vec<f64>)| Score { layer, accuracy: Spread::of(&values) };
    let supervised = best(Source::Supervised).map(score);
    let (trained, [untrained, pixels, pca]) = (score(trained), controls.map(score));
    let own = trained.accuracy.mean;
    let standing = Standing::of(own, own - points.mean / 100.0, test_images);
    Some(Reading { probe: probe.to_string(), trained, untrained, pixels, pca, supervised, points, standing })
}

/// The layer that is best over all runs together, and the accuracy there of each of them.
fn best(runs: &[Measured], source: Source, probe: &str) -> Option<(String, Vec<f64>)> {
    let rows = |run: &Measured| {
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
    use crate::probe::labelled::Plan;
    use crate::session::folder::{DataRecord, Details, Tuned};

    /// A run whose accuracies at two layers are given, trained and untrained, and that of raw pixels.
    fn run(method: &str, seed: u64, trained: [f64; 2], untrained: [f64; 2], pixels: f64) -> Measured {
        let mut config = find(method).expect("a method").config(Preset::Small, "fashion-mnist");
        config.seed = seed;
        let (name, sha256) = ("fashion-mnist".to_string(), "00".to_string());
        let data = DataRecord {
            name,
            folder: None,
            size: None,
            image: Size { channels: 1, height: 28, width: 28 },
            train_images: 60_000,
            test_images: 10_000,
            sha256,
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
        let (path, record) = (format!("runs/{method}-{seed}").into(), Record::new(config, data, device));
        Measured { path, record, evaluation, pretext: Some(pretext) }
    }

    #[test]
    fn seeds_of_one_setting_share_a_line_and_one_layer() {
        let runs = vec![
            run("simsiam", 2, [0.90, 0.87], [0.8, 0.7], 0.75),
            run("rotation", 1, [0.70, 0.60], [0.8, 0.7], 0.75),
            run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75),
        ];
        let sections = sections(runs, &["linear", "knn"]);
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
    fn the_task_is_told_where_all_seeds_tell_of_it() {
        let [one, two] = [1, 2].map(|seed| run("rotation", seed, [0.7, 0.6], [0.8, 0.7], 0.75));
        let task = |runs| sections(runs, &["knn"])[0].lines[0].task.clone();
        let both = task(vec![one.clone(), two.clone()]).expect("both tell");
        assert!((both.value.mean - 0.65).abs() < 1e-9 && both.value.deviation.is_some(), "{both:?}");
        assert_eq!((both.name.as_str(), both.chance), ("answers found", Some(0.25)));
        assert_eq!(task(vec![one, Measured { pretext: None, ..two }]), None);
    }

    #[test]
    fn principal_components_are_a_control_like_the_others() {
        let mut known = run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75);
        known.evaluation.rows[5].accuracy = 0.89;
        let sections = sections(vec![known], &["knn"]);
        let [knn] = sections[0].lines[0].probes.as_slice() else { panic!("neighbours alone: {sections:?}") };
        assert!((knn.points.mean + 1.0).abs() < 1e-9 && knn.standing == Standing::Below, "{knn:?}");
        assert_eq!(knn.pca.accuracy.mean, 0.89);
    }

    #[test]
    fn the_encoder_with_labels_is_shown_where_all_seeds_have_it_and_is_no_control_to_beat() {
        let supervised = |mut run: Measured, accuracy: f64| {
            let rows = vec![ProbeRow { source: Source::Supervised, accuracy, ..run.evaluation.rows[0].clone() }];
            run.evaluation.details.supervised = Some(Tuned { plan: Plan::as_long(28, 9, 8), rows });
            run
        };
        let one = supervised(run("simsiam", 1, [0.86, 0.88], [0.7, 0.7], 0.75), 0.95);
        let two = run("simsiam", 2, [0.86, 0.88], [0.7, 0.7], 0.75);
        let reading = |runs| sections(runs, &["knn"])[0].lines[0].probes[0].clone();
        assert_eq!(reading(vec![one.clone(), two.clone()]).supervised, None, "it would not be the mean of both");
        let both = reading(vec![one, supervised(two, 0.93)]);
        let score = both.supervised.expect("both have it");
        assert!((score.accuracy.mean - 0.94).abs() < 1e-9 && score.layer == "block1", "{score:?}");
        assert_eq!(both.standing, Standing::Above);
    }

    #[test]
    fn what_differs_in_more_than_the_seed_is_kept_apart_and_named() {
        let mut longer = run("rotation", 2, [0.7, 0.6], [0.8, 0.7], 0.75);
        longer.record.config.epochs = 77;
        let mut elsewhere = run("rotation", 1, [0.7, 0.6], [0.8, 0.7], 0.75);
        elsewhere.evaluation.data.sha256 = "11".into();
        let runs = vec![run("rotation", 1, [0.7, 0.6], [0.8, 0.7], 0.75), longer, elsewhere];
        let sections = sections(runs, &["knn"]);
        let settings = |section: &Section| section.lines.iter().map(|line| line.settings.clone()).collect::<Vec<_>>();
        assert_eq!(sections.len(), 2);
        assert_eq!(settings(&sections[0])[1], "epochs=77");
        assert_eq!(settings(&sections[1]), [""]);
    }
}
