//! An encoder measured beside its controls by the library alone, without the command line.

use std::collections::BTreeSet;

use futures_lite::future::block_on;
use nolabel::data::{Dataset, Size, Split, store};
use nolabel::device::{self, DeviceChoice, Selected};
use nolabel::evaluate::{self, Cache, EncoderUnderTest, EvalRequest, Measurement, SupervisedControl};
use nolabel::net::{Encoder, EncoderConfig};
use nolabel::probe::labelled::{LabelledPlan, Length};
use nolabel::probe::{ProbeRow, ProbeSettings, Source};

const SIDE: usize = 12;

/// Bright bars in noise, horizontal or vertical: two classes with the same mean of every pixel.
fn bars(count: usize, seed: u64) -> Split {
    let mut noise = seed;
    let mut random = move |below: u64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) % below
    };
    let mut pixels = Vec::new();
    for image in 0..count {
        let at = 2 + random(SIDE as u64 - 4) as usize;
        for place in 0..SIDE * SIDE {
            let along = if image % 2 == 0 { place / SIDE } else { place % SIDE };
            pixels.push(random(60) as u8 + if along == at { 180 } else { 0 });
        }
    }
    let labels = (0..count).map(|image| (image % 2) as u16).collect();
    Split::new(Size { channels: 1, height: SIDE, width: SIDE }, pixels, labels).expect("a label for each image")
}

/// Images, two encoders and a device, for [`EncoderUnderTest`] to borrow.
struct Setup {
    data: Dataset,
    sha256: String,
    config: EncoderConfig,
    selected: Selected,
    trained: Encoder,
    untrained: Encoder,
}

impl Setup {
    fn new() -> Self {
        let classes = ["lying", "upright"].map(str::to_string).to_vec();
        let (train, test) = (bars(120, 1), bars(60, 2));
        let data = Dataset { name: "bars".into(), classes, train, validation: None, test };
        let config = EncoderConfig::small(4);
        let selected = block_on(device::select(DeviceChoice::Cpu)).expect("there is always a CPU");
        let encoder = |seed| evaluate::untrained(&config, seed, &data, &selected).expect("an encoder");
        let trained = encoder(9);
        let untrained = encoder(1);
        Self { sha256: store::digest(&data), trained, untrained, data, config, selected }
    }

    fn measure(&self, trained: &Encoder, request: &EvalRequest) -> Measurement {
        let subject = EncoderUnderTest {
            trained,
            untrained: &self.untrained,
            config: &self.config,
            seed: 1,
            data: &self.data,
            images_sha256: &self.sha256,
            selected: &self.selected,
        };
        block_on(subject.measure(request, &mut |_| ())).expect("a measurement")
    }
}

fn knn() -> ProbeSettings {
    ProbeSettings { linear: false, k: 5, ..ProbeSettings::default() }
}

fn rows(measured: &Measurement, source: Source) -> Vec<&ProbeRow> {
    measured.rows.iter().filter(|row| row.source == source).collect()
}

/// kNN on raw pixels in a plain loop: the `k` most similar training images by cosine vote with weight exp(cosine / T).
fn knn_of_pixels(data: &Dataset, k: usize, temperature: f64) -> f64 {
    let cosine = |a: &[u8], b: &[u8]| {
        let dot = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let right = |index: usize| {
        let mut similar: Vec<(f64, u16)> = (0..data.train.len())
            .map(|other| (cosine(data.test.image(index), data.train.image(other)), data.train.labels()[other]))
            .collect();
        similar.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut votes = [0.0; 2];
        similar[..k].iter().for_each(|(cosine, label)| votes[*label as usize] += (cosine / temperature).exp());
        u16::from(votes[1] > votes[0]) == data.test.labels()[index]
    };
    (0..data.test.len()).filter(|index| right(*index)).count() as f64 / data.test.len() as f64
}

#[test]
fn every_control_is_measured_beside_the_encoder() {
    let setup = Setup::new();
    let plan = LabelledPlan { length: Length::Steps(60), batch: 32, rates: vec![0.1], ..LabelledPlan::network(SIDE) };
    let request = EvalRequest { supervised: SupervisedControl::Measured(plan.clone()), untrained: 3, ..knn().into() };
    let measured = setup.measure(&setup.trained, &request);

    let layers: Vec<&str> = rows(&measured, Source::Trained).iter().map(|row| row.layer.as_str()).collect();
    assert_eq!(layers, ["block1", "block2", "block3", "block4", "gap"]);
    assert_eq!(rows(&measured, Source::Untrained).len(), layers.len());
    let pixels = measured.best(Source::RawPixels, "knn").expect("raw pixels");
    assert!((pixels.accuracy - knn_of_pixels(&setup.data, 5, 0.07)).abs() < 1e-9, "{pixels:?}");
    assert_eq!(measured.best(Source::Pca, "knn").map(|row| row.layer.as_str()), Some("pca"));

    let seeds: Vec<u64> = measured.details.untrained.iter().map(|other| other.seed).collect();
    assert_eq!(seeds, [2, 3], "the seeds after the subject's own");
    assert!(measured.details.untrained[0].rows != measured.details.untrained[1].rows);

    let supervised = measured.details.supervised.as_ref().expect("it was asked for");
    assert_eq!(supervised.plan, plan);
    let read: Vec<&str> =
        supervised.rows.iter().filter(|row| row.probe == "knn").map(|row| row.layer.as_str()).collect();
    assert_eq!(read, layers, "its layers are probed like those of the others");
    let own = supervised.rows.iter().find(|row| row.probe == "finetune").expect("its own classifier");
    assert!(own.accuracy > 0.8, "labels tell bars apart: {own:?}");

    let best: Vec<f64> =
        evaluate::CONTROLS.iter().map(|source| measured.best(*source, "knn").expect("a control").accuracy).collect();
    let control = measured.best_control("knn").expect("three controls");
    assert_eq!(control.accuracy, best.iter().copied().fold(0.0, f64::max));
}

#[test]
fn an_encoder_equal_to_its_control_scores_the_same() {
    let setup = Setup::new();
    let measured = setup.measure(&setup.untrained, &knn().into());
    let accuracies = |source| rows(&measured, source).iter().map(|row| row.accuracy).collect::<Vec<_>>();
    assert_eq!(accuracies(Source::Trained), accuracies(Source::Untrained));
}

#[test]
fn controls_are_measured_once_for_all_encoders() {
    let setup = Setup::new();
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::in_folder(folder.path());
    let request = EvalRequest { cache: cache.clone(), ..knn().into() };
    let first = setup.measure(&setup.trained, &request);
    assert_eq!(first.details.from_cache, [] as [String; 0]);
    let second = setup.measure(&setup.untrained, &request);
    let known: BTreeSet<&str> = second.details.from_cache.iter().map(String::as_str).collect();
    assert_eq!(known, ["PCA of raw pixels", "raw pixels", "untrained encoder"].into());
    for source in evaluate::CONTROLS {
        assert_eq!(rows(&first, source), rows(&second, source));
    }
    let fresh = EvalRequest { cache: cache.fresh(true), ..request };
    assert_eq!(setup.measure(&setup.trained, &fresh), first, "a fresh cache is not read");
}

#[test]
fn known_numbers_are_kept_before_the_long_control() {
    let setup = Setup::new();
    let plan = LabelledPlan { length: Length::Steps(2), batch: 8, rates: vec![0.1], ..LabelledPlan::network(SIDE) };
    let request = EvalRequest { supervised: SupervisedControl::Measured(plan), ..knn().into() };
    let subject = EncoderUnderTest {
        trained: &setup.trained,
        untrained: &setup.untrained,
        config: &setup.config,
        seed: 1,
        data: &setup.data,
        images_sha256: &setup.sha256,
        selected: &setup.selected,
    };
    let mut kept = Vec::new();
    let mut keep = |known: &Measurement| kept.push(known.clone());
    let measured = block_on(subject.measure_in_stages(&request, &mut |_| (), &mut keep)).expect("a measurement");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].rows, measured.rows);
    assert!(kept[0].details.supervised.is_none() && measured.details.supervised.is_some());
}
