//! A measurement compared with an earlier one of the same encoder, number by number.

use serde::Serialize;

use super::measure::Measurement;
use crate::error::{Error, Result};
use crate::format;
use crate::probe::{ProbeRow, Source};
use crate::session::folder::Untrained;

/// Percentage points that a number may differ by: a hundredth of what tables show, and ten test images of ten thousand.
pub const TOLERANCE: f64 = 0.1;

/// Two measurements of one encoder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Every number of the earlier measurement beside the new one.
    pub numbers: Vec<Number>,
}

/// One accuracy, in 0 to 1, of both measurements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Number {
    /// The source of the features.
    pub source: Source,
    /// The layer.
    pub layer: String,
    /// The probe, with the number of labels or the seed where there are several.
    pub probe: String,
    /// The earlier accuracy.
    pub then: f64,
    /// The new accuracy.
    pub now: f64,
}

impl Number {
    /// The difference in percentage points, without its sign.
    pub fn points(&self) -> f64 {
        100.0 * (self.now - self.then).abs()
    }
}

impl Comparison {
    /// Compares all accuracies of two measurements: those of the rows, of classifiers trained with labels, of untrained
    /// encoders, and the means over draws of few labels.
    ///
    /// # Errors
    /// When the new measurement lacks one of the earlier numbers.
    pub fn of(then: &Measurement, now: &Measurement) -> Result<Self> {
        let now = figures(now);
        let both = |figure: Figure| {
            let Figure { source, layer, probe, accuracy } = figure;
            let same = |other: &&Figure| (other.source, &other.layer, &other.probe) == (source, &layer, &probe);
            match now.iter().find(same).map(|other| other.accuracy) {
                Some(now) => Ok(Number { source, layer, probe, then: accuracy, now }),
                None => Err(Error::Data(format!(
                    "the earlier measurement has {probe} of {layer}, which this version of nolabel does not measure"
                ))),
            }
        };
        let numbers = figures(then).into_iter().map(both).collect::<Result<_>>()?;
        Ok(Self { numbers })
    }

    /// The number that differs most; `None` where there are no numbers.
    pub fn largest(&self) -> Option<&Number> {
        self.numbers.iter().max_by(|a, b| a.points().total_cmp(&b.points()))
    }

    /// True if there are numbers and none differs by more than [`TOLERANCE`].
    pub fn is_reproduced(&self) -> bool {
        self.largest().is_some_and(|largest| largest.points() <= TOLERANCE)
    }
}

/// One accuracy of a measurement.
struct Figure {
    source: Source,
    layer: String,
    probe: String,
    accuracy: f64,
}

impl Figure {
    fn of(row: &ProbeRow) -> Self {
        let ProbeRow { source, layer, probe, accuracy, .. } = row.clone();
        Self { source, layer, probe, accuracy }
    }
}

fn figures(measured: &Measurement) -> Vec<Figure> {
    let details = &measured.details;
    let mut figures: Vec<Figure> = measured.rows.iter().map(Figure::of).collect();
    let tuned = [&details.sgd, &details.finetune].into_iter().flatten();
    figures.extend(tuned.flat_map(|tuned| &tuned.rows).map(Figure::of));
    // the control of fine-tuning may have taken another number of steps
    let supervised = details.supervised.iter().flat_map(|tuned| &tuned.rows);
    figures.extend(supervised.map(|row| Figure { probe: format!("{}, supervised", row.probe), ..Figure::of(row) }));
    figures.extend(details.untrained.iter().flat_map(of_seed));
    for curve in details.few_labels.iter().flat_map(|few| &few.curves) {
        figures.extend(curve.points.iter().map(|point| Figure {
            source: curve.source,
            layer: curve.layer.clone(),
            probe: format!("linear, {} a class", format::count(point.labels, "label")),
            accuracy: point.mean,
        }));
    }
    figures
}

/// The accuracies of an untrained encoder, named by its seed.
fn of_seed(untrained: &Untrained) -> impl Iterator<Item = Figure> + '_ {
    let seed = untrained.seed;
    untrained.rows.iter().map(move |row| Figure { probe: format!("{}, seed {seed}", row.probe), ..Figure::of(row) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::folder::Details;

    fn measured(rows: &[(&str, f64)]) -> Measurement {
        let row = |(layer, accuracy): &(&str, f64)| ProbeRow {
            source: Source::Trained,
            layer: layer.to_string(),
            width: 8,
            probe: "knn".into(),
            accuracy: *accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: None,
        };
        Measurement { rows: rows.iter().map(row).collect(), details: Details::default() }
    }

    fn compared(now: [f64; 2]) -> Comparison {
        let then = measured(&[("block1", 0.5), ("block2", 0.75)]);
        let now = measured(&[("gap", 0.9), ("block2", now[1]), ("block1", now[0])]);
        Comparison::of(&then, &now).expect("both are there")
    }

    #[test]
    fn a_tenth_of_a_point_is_allowed_and_more_is_not() {
        assert!(compared([0.5, 0.75]).is_reproduced());
        assert!(compared([0.5, 0.7509]).is_reproduced(), "0.09 points");
        let off = compared([0.4985, 0.75]);
        assert!(!off.is_reproduced() && off.largest().is_some_and(|number| number.layer == "block1"), "0.15 points");
        assert!(!compared([f64::NAN, 0.75]).is_reproduced());
    }

    #[test]
    fn no_number_is_no_reproduction() {
        let nothing = Comparison::of(&measured(&[]), &measured(&[("block1", 0.5)])).expect("nothing is missing");
        assert!(!nothing.is_reproduced());
    }

    #[test]
    fn a_number_that_is_not_measured_again_is_named() {
        let missing = Comparison::of(&measured(&[("block9", 0.5)]), &measured(&[("block1", 0.5)]));
        assert!(matches!(missing, Err(Error::Data(sentence)) if sentence.contains("block9")));
    }

    #[test]
    fn seeds_and_supervised_rows_are_compared_with_their_own() {
        let mut then = measured(&[("gap", 0.5)]);
        then.details.untrained = vec![
            Untrained { seed: 2, rows: measured(&[("gap", 0.2)]).rows },
            Untrained { seed: 3, rows: measured(&[("gap", 0.3)]).rows },
        ];
        let mut now = then.clone();
        now.details.untrained[1].rows[0].accuracy = 0.31;
        let compared = Comparison::of(&then, &now).expect("the same rows");
        assert_eq!(compared.numbers.len(), 3);
        assert_eq!(compared.largest().map(|number| number.probe.as_str()), Some("knn, seed 3"));
    }
}
