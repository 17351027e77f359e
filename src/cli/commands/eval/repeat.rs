//! Measuring again what an evaluation card says.

use std::path::Path;

use futures_lite::future::block_on;
use serde::Serialize;

use super::card::{Card, RunCard, WeightsCard};
use super::{TEXT_WIDTH, subject};
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::input::foreign_weights::{self, Foreign};
use crate::cli::input::load_images;
use crate::cli::measure::{Measured, Question};
use crate::cli::run::open_run::Opened;
use crate::cli::output::print;
use crate::cli::suited::suited;
use crate::cli::output::table::Table;
use crate::format;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice};
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::{DataRecord, Details, Place, Untrained, place};

/// Percentage points that a number may differ by: a hundredth of what readers look at, and ten test images of ten thousand.
const ALLOWED: f64 = 0.1;
/// Characters of a digest that are shown.
const SHOWN: usize = 12;

/// What is asked for beside the card.
pub(super) struct Repeat<'a> {
    pub(super) card: &'a Path,
    /// Where the run or the file has moved to.
    pub(super) moved: Option<&'a Path>,
    /// Where the images have moved to.
    pub(super) data: Option<&'a Spec>,
    pub(super) device: DeviceChoice,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

/// What was measured now.
struct Now {
    by: String,
    measured: Measured,
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    then: String,
    now: String,
    numbers: Vec<Number>,
    /// In percentage points.
    largest_difference: f64,
    reproduced: bool,
}

/// One accuracy.
#[derive(Clone, Debug)]
struct Figure {
    source: Source,
    layer: String,
    probe: String,
    accuracy: f64,
}

/// The same then and now.
#[derive(Serialize)]
struct Number {
    source: Source,
    layer: String,
    probe: String,
    then: f64,
    now: f64,
}

impl Repeat<'_> {
    /// Measures and compares. A difference beyond what is allowed is a failure.
    pub(super) fn run(&self) -> Outcome {
        let card = Card::read(self.card)?;
        let path = card.place(self.card, self.moved);
        let question = card.question();
        let now = match &card {
            Card::Run(card) => self.of_run(card, &path, &question)?,
            Card::Weights(card) => self.of_weights(card, &path, &question)?,
        };
        let numbers =
            compare(&figures(card.rows(), card.details()), &figures(&now.measured.rows, &now.measured.details))?;
        let largest = numbers.iter().max_by(|a, b| a.points().total_cmp(&b.points()));
        let largest_difference = largest.map_or(0.0, Number::points);
        let verdict = verdict(&numbers, largest);
        let (then, now) = (card.by(), now.by);
        if self.json {
            let reproduced = verdict.is_ok();
            print::json(&Report { then, now, numbers, largest_difference, reproduced })?;
        } else {
            let heading = format!("{} against {}", path.display(), self.card.display());
            print::out(&format!("{heading}\nthen: {then}\nnow:  {now}\n\n{}\n", table(&numbers)))?;
            if let Ok(sentence) = &verdict {
                print::out(&format::wrap(sentence, TEXT_WIDTH))?;
            }
        }
        verdict.map(|_| ()).map_err(Failure::Failed)
    }

    fn of_run(&self, card: &RunCard, path: &Path, question: &Question) -> Outcome<Now> {
        let (known, name) = (&card.evaluation, self.card.display());
        if place(path) != Place::Run && !path.is_file() {
            let path = path.display();
            return Err(Failure::Failed(format!(
                "there is no run in {path}, where the card has it; name its folder: `nolabel eval --card {name} RUN`"
            )));
        }
        let sha256 = &known.checkpoint;
        let opened = Opened::with_digest(path, sha256)?.ok_or_else(|| {
            Failure::Failed(format!(
                "{} has no checkpoint with the digest in the card ({} after {}): it is another run, or one that was trained \
                 on since; name the run that was measured",
                path.display(),
                shown(sha256),
                format::count(known.step, "step")
            ))
        })?;
        let images = self.images(&known.data)?;
        let loaded = opened.probed_with(images, known.data.clone(), self.device)?;
        Ok(Now { by: by(&loaded.selected.readout.name), measured: loaded.measure(question, self.quiet, &mut |_| ())? })
    }

    fn of_weights(&self, card: &WeightsCard, path: &Path, question: &Question) -> Outcome<Now> {
        let selected = block_on(device::select(self.device))?;
        let Foreign { imported, sha256 } = foreign_weights::read(path, &card.asked, card.seed, &selected.device)?;
        if sha256 != card.sha256 {
            return Err(Failure::Failed(format!(
                "{} is not the file that was measured: its digest is {}, the card's is {}; name that file behind --card {}",
                path.display(),
                shown(&sha256),
                shown(&card.sha256),
                self.card.display()
            )));
        }
        let images = suited(self.images(&card.data)?, imported.channels, None)?.images;
        let subject = subject(&imported, card.seed, &images, &card.data.sha256, &selected);
        Ok(Now { by: by(&selected.readout.name), measured: subject.measure(question, self.quiet, &mut |_| ())? })
    }

    /// The images of the card and no others.
    fn images(&self, known: &DataRecord) -> Outcome<Dataset> {
        let spec = self.data.map_or(known.spec(), |data| known.moved(data.clone()));
        let images = load_images::load(&spec, self.quiet)?;
        let found = DataRecord::of(&images, &spec).sha256;
        if found != known.sha256 {
            return Err(Failure::Failed(format!(
                "these are not the images of the card: their digest is {}, the card's is {}; name those with --data \
                 NAME:DIR",
                shown(&found),
                shown(&known.sha256)
            )));
        }
        load_images::refuse_unlabelled(&images, "name others with --data")?;
        Ok(images)
    }
}

impl Number {
    /// How far then and now lie apart, in percentage points.
    fn points(&self) -> f64 {
        100.0 * (self.now - self.then).abs()
    }
}

fn by(device: &str) -> String {
    format!("nolabel {} on {device}", env!("CARGO_PKG_VERSION"))
}

fn shown(digest: &str) -> String {
    digest.chars().take(SHOWN).collect()
}

/// All accuracies: those of the rows, of what was trained with labels, and the means over draws.
fn figures(rows: &[ProbeRow], details: &Details) -> Vec<Figure> {
    let row = |row: &ProbeRow| {
        let ProbeRow { source, layer, probe, accuracy, .. } = row.clone();
        Figure { source, layer, probe, accuracy }
    };
    let other = |untrained: &Untrained| {
        let named = |row_of: &ProbeRow| {
            let figure = row(row_of);
            Figure { probe: format!("{}, seed {}", figure.probe, untrained.seed), ..figure }
        };
        untrained.rows.iter().map(named).collect::<Vec<_>>()
    };
    let curves = details.few_labels.iter().flat_map(|few| &few.curves);
    let means = curves.flat_map(|curve| {
        curve.points.iter().map(|point| Figure {
            source: curve.source,
            layer: curve.layer.clone(),
            probe: format!("linear, {} a class", format::count(point.labels, "label")),
            accuracy: point.mean,
        })
    });
    let tuned = [&details.sgd, &details.finetune].into_iter().flatten().flat_map(|tuned| tuned.rows.iter().map(row));
    // the control of fine-tuning may have taken another number of steps
    let supervised = details.supervised.iter().flat_map(|tuned| tuned.rows.iter().map(row));
    let supervised = supervised.map(|figure| Figure { probe: format!("{}, supervised", figure.probe), ..figure });
    let others = details.untrained.iter().flat_map(other);
    rows.iter().map(row).chain(tuned).chain(supervised).chain(others).chain(means).collect()
}

/// Every number of the card beside the new one.
fn compare(then: &[Figure], now: &[Figure]) -> Outcome<Vec<Number>> {
    let beside = |figure: &Figure| {
        let same = |other: &&Figure| {
            (other.source, &other.layer, &other.probe) == (figure.source, &figure.layer, &figure.probe)
        };
        let Figure { source, layer, probe, accuracy: then } = figure.clone();
        let missing =
            || Failure::Failed(format!("the card has {probe} of {layer}, which this nolabel does not measure"));
        let now = now.iter().find(same).ok_or_else(missing)?.accuracy;
        Ok(Number { source, layer, probe, then, now })
    };
    then.iter().map(beside).collect()
}

/// One sentence, for good or ill.
fn verdict(numbers: &[Number], largest: Option<&Number>) -> Result<String, String> {
    let Some(largest) = largest else { return Err("the card holds no number, so nothing was measured again".into()) };
    let Number { source, layer, probe, .. } = largest;
    let (points, place) = (largest.points(), format!("{probe} of {layer}, {}", source.words()));
    if points > ALLOWED || points.is_nan() {
        return Err(format!(
            "the card's numbers were not found again: {place}, differs by {points:.2} points, and {ALLOWED} are allowed"
        ));
    }
    let all = format::count(numbers.len(), "number");
    Ok(format!(
        "All {all} were found again. The largest difference is {points:.2} points ({place}); {ALLOWED} are allowed."
    ))
}

fn table(numbers: &[Number]) -> Table {
    let mut table = Table::new(["features of", "layer", "probe", "then", "now", "points"], 3);
    let mut title = "";
    for number in numbers {
        let source = number.source.words();
        let first = if source == title { "" } else { source };
        title = source;
        let share = |value: f64| format!("{:.2} %", 100.0 * value);
        table.row([
            first.into(),
            number.layer.clone(),
            number.probe.clone(),
            share(number.then),
            share(number.now),
            format!("{:+.2}", 100.0 * (number.now - number.then)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(layer: &str, accuracy: f64) -> Figure {
        Figure { source: Source::Trained, layer: layer.into(), probe: "knn".into(), accuracy }
    }

    fn judged(now: [f64; 2]) -> Result<String, String> {
        let then = [row("block1", 0.5), row("block2", 0.75)];
        let numbers =
            compare(&then, &[row("gap", 0.9), row("block2", now[1]), row("block1", now[0])]).expect("both are there");
        verdict(&numbers, numbers.iter().max_by(|a, b| a.points().total_cmp(&b.points())))
    }

    #[test]
    fn a_tenth_of_a_point_is_allowed_and_more_is_not() {
        assert!(judged([0.5, 0.75]).expect("the same").contains("All 2 numbers were found again"));
        assert!(judged([0.5, 0.7509]).expect("nearly the same").contains("0.09 points (knn of block2"));
        let sentence = judged([0.4985, 0.75]).expect_err("0.15 points");
        assert!(sentence.contains("knn of block1, trained encoder, differs by 0.15 points"), "{sentence}");
        assert!(judged([f64::NAN, 0.75]).is_err());
        assert!(verdict(&[], None).is_err(), "nothing is no proof");
        let missing = compare(&[row("block9", 0.5)], &[row("block1", 0.5)]);
        assert!(matches!(missing, Err(Failure::Failed(sentence)) if sentence.contains("block9")));
    }
}
