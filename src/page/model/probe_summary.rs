//! A round of probes as the page shows it: the best layer of each kind of features, and the table layer by layer.

use super::exam_text::interval;
use super::run_state::RunState;
use crate::format;
use crate::probe::Standing;
use crate::session::event::{Probe, ProbeRow, Source};

/// Kinds of probe in a round, in the order of its rows.
pub fn kinds(probe: &Probe) -> Vec<String> {
    distinct(probe.rows.iter().map(|row| &row.probe))
}

/// The best layer of `source` under the probe `kind`, by validation accuracy; see [`ProbeRow::best`].
pub fn best<'a>(probe: &'a Probe, source: Source, kind: &str) -> Option<&'a ProbeRow> {
    ProbeRow::best(&probe.rows, source, kind)
}

/// A row of the table: one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name of the layer.
    pub name: String,
    /// Accuracy of the trained encoder.
    pub trained: f64,
    /// Accuracy of the same encoder before its first step.
    pub untrained: Option<f64>,
}

/// The latest round for each kind of probe: the examination, unless a round after more steps has that kind.
pub fn latest(run: &RunState) -> Vec<(Probe, String)> {
    let Some(last) = run.probes.last().or(run.exam.as_ref().map(|exam| &exam.probe)) else { return Vec::new() };
    let of = |kind: String| {
        let exam = run.exam.as_ref().map(|exam| &exam.probe);
        let exam = exam.filter(|exam| exam.step >= last.step && kinds(exam).contains(&kind));
        (exam.unwrap_or(last).clone(), kind)
    };
    kinds(last).into_iter().map(of).collect()
}

/// All layers from pixels to head under the probe `kind`.
pub fn layers(probe: &Probe, kind: &str) -> Vec<Layer> {
    let of = |source| probe.rows.iter().filter(move |row| row.source == source && row.probe == kind);
    let row = |name: &String, source| of(source).find(|row| row.layer == *name).map(|row| row.accuracy);
    let names = distinct(of(Source::Trained).map(|row| &row.layer));
    names
        .into_iter()
        .filter_map(|name| {
            Some(Layer { trained: row(&name, Source::Trained)?, untrained: row(&name, Source::Untrained), name })
        })
        .collect()
}

/// Largest distance of an accuracy from the ends of its 95 % interval, 0 to 1. The interval is wider on the side of 0.5, so
/// this is no less than half its width.
pub fn margin(row: &ProbeRow) -> f64 {
    let [low, high] = row.interval;
    (row.accuracy - low).max(high - row.accuracy)
}

/// The trained features against the best control, as a sentence with the interval of the gain.
pub fn standing(probe: &Probe, kind: &str) -> Option<String> {
    let gain = probe.gains.iter().find(|gain| gain.probe == kind)?;
    let verdict = match gain.standing {
        Standing::Above => "the network has learned something about the pictures",
        Standing::Level => "too close to call with so few test images",
        Standing::Below => "no better than without learning",
    };
    let points = format::points(gain.difference());
    Some(format!("{points} points from the highest dashed line ({}): {verdict}.", interval(gain)))
}

/// Sample sizes of a round and the margin of its best accuracy, in two sentences.
pub fn precision_text(probe: &Probe) -> Option<String> {
    let best = best(probe, Source::Trained, kinds(probe).first()?)?;
    Some(format!(
        "This test is small, so that the run goes on soon: the classifier saw {} labelled images and was tested on {} others, and \
         each accuracy is good to about ±{:.0} points. The lines are measured on the same images and move together, so that their \
         distance is known better.",
        format::thousands(probe.train_images),
        format::thousands(probe.test_images),
        (margin(best) * 100.0).ceil(),
    ))
}

/// Display name of a probe.
pub fn probe_name(kind: &str) -> String {
    match kind {
        "knn" => "Nearest neighbours (kNN)".into(),
        "linear" => "Linear probe".into(),
        other => format::title(other),
    }
}

/// Display name of a layer: `block 3` for `block3`, `last layer` for `gap`, the mean over the last map.
pub fn layer_name(layer: &str) -> String {
    let digits = layer.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    match layer.strip_suffix(digits) {
        _ if layer == "gap" => "last layer".into(),
        Some(word) if !digits.is_empty() && !word.is_empty() => format!("{word} {digits}"),
        _ => layer.to_string(),
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    names.for_each(|name| {
        if !found.contains(name) {
            found.push(name.clone());
        }
    });
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::probe::Gain;
    use crate::session::event::{Event, ProbeRow};

    fn row(source: Source, layer: &str, probe: &str, accuracy: f64) -> ProbeRow {
        ProbeRow {
            source,
            layer: layer.into(),
            width: 9,
            probe: probe.into(),
            accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: None,
        }
    }

    /// A round in which block 2 is the best trained layer.
    pub fn round(step: usize, rise: f64) -> Probe {
        let mut rows = Vec::new();
        for (layer, linear, knn) in [("block1", 0.70, 0.68), ("block2", 0.74, 0.72), ("gap", 0.66, 0.60)] {
            for (source, rise) in [(Source::Trained, rise), (Source::Untrained, 0.0)] {
                rows.extend([row(source, layer, "linear", linear + rise), row(source, layer, "knn", knn + rise)]);
            }
        }
        rows.extend([row(Source::RawPixels, "pixels", "linear", 0.69), row(Source::RawPixels, "pixels", "knn", 0.71)]);
        rows.extend([row(Source::Pca, "pca", "linear", 0.67), row(Source::Pca, "pca", "knn", 0.70)]);
        let gains = match step {
            0 => Vec::new(),
            _ => ["linear", "knn"].map(|kind| gain(kind, 40, 30, 500)).to_vec(),
        };
        Probe { step, epoch: 0.1, train_images: 1000, test_images: 500, rows, gains }
    }

    /// The gain of block 2 over the untrained block 2.
    pub fn gain(kind: &str, gained: usize, lost: usize, images: usize) -> Gain {
        Gain {
            probe: kind.into(),
            layer: "block2".into(),
            control: Source::Untrained,
            control_layer: "block2".into(),
            images,
            gained,
            lost,
            interval: crate::probe::interval::paired(gained, lost, images),
            standing: Standing::paired(gained, lost, images),
        }
    }

    #[test]
    fn best_is_compared_with_best() {
        let probe = round(10, 0.02);
        assert_eq!(kinds(&probe), ["linear", "knn"]);
        let found = best(&probe, Source::Trained, "linear").expect("trained rows");
        assert_eq!((found.layer.as_str(), (found.accuracy * 100.0).round()), ("block2", 76.0));
        assert_eq!(best(&probe, Source::RawPixels, "knn").expect("pixels").accuracy, 0.71);
        assert_eq!(best(&probe, Source::Trained, "fine-tuned"), None);
    }

    #[test]
    fn the_best_layer_is_chosen_by_validation() {
        let mut probe = round(10, 0.02);
        let trained = |row: &&mut ProbeRow| row.source == Source::Trained && row.probe == "linear";
        probe.rows.iter_mut().filter(trained).for_each(|row| row.validation = Some(1.0 - row.accuracy));
        assert_eq!(best(&probe, Source::Trained, "linear").expect("trained rows").layer, "gap");
    }

    #[test]
    fn the_table_has_a_row_a_layer_with_its_own_control() {
        let table = layers(&round(10, 0.02), "knn");
        assert_eq!(table.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>(), ["block1", "block2", "gap"]);
        assert_eq!(table[2].untrained, Some(0.60));
    }

    #[test]
    fn a_gain_is_told_with_its_interval() {
        let said = |gained, lost| {
            let gains = vec![gain("linear", gained, lost, 500)];
            standing(&Probe { gains, ..round(10, 0.02) }, "linear").expect("a gain")
        };
        assert_eq!(
            said(40, 15),
            "+5.0 points from the highest dashed line (95 % interval +2.1 to +7.9): the network has learned something about the \
             pictures."
        );
        assert!(said(40, 30).contains("+2.0 points") && said(40, 30).contains("too close to call"));
        assert!(said(15, 40).contains("no better than without learning"));
        assert_eq!(standing(&round(0, 0.05), "linear"), None, "nothing can be learned before the first step");
    }

    #[test]
    fn the_examination_is_the_latest_of_its_kind() {
        let mut run = RunState::default();
        assert_eq!(latest(&run), []);
        run.apply(Event::Probe(round(40, 0.02)));
        let mut exam = super::super::exam_text::tests::exam(300, 200);
        exam.probe.rows.retain(|row| row.probe == "linear");
        run.apply(Event::Exam(exam));
        let shown =
            |run: &RunState| latest(run).into_iter().map(|(probe, kind)| (kind, probe.test_images)).collect::<Vec<_>>();
        assert_eq!(shown(&run), [("linear".to_string(), 5000), ("knn".to_string(), 500)]);
        run.apply(Event::Probe(round(50, 0.02)));
        assert_eq!(shown(&run), [("linear".to_string(), 500), ("knn".to_string(), 500)]);
    }

    #[test]
    fn a_perfect_accuracy_keeps_a_margin() {
        let with = |accuracy, interval| ProbeRow { interval, ..row(Source::Trained, "gap", "knn", accuracy) };
        // Wilson's interval of 10 right answers out of 10
        assert!((margin(&with(1.0, [0.7225, 1.0])) - 0.2775).abs() < 1e-12);
        assert!((margin(&with(0.5, [0.4, 0.6])) - 0.1).abs() < 1e-12);
        let mut probe = round(0, 0.0);
        probe.rows.iter_mut().for_each(|row| row.interval = [row.accuracy - 0.031, row.accuracy + 0.024]);
        let text = precision_text(&probe).expect("trained rows");
        assert!(text.contains("saw 1,000 labelled images and was tested on 500 others"), "{text}");
        assert!(text.contains("about ±4 points"), "{text}");
    }

    #[test]
    fn layers_have_names_for_people() {
        assert_eq!(
            [layer_name("block3"), layer_name("gap"), layer_name("pixels")],
            ["block 3", "last layer", "pixels"]
        );
    }
}
