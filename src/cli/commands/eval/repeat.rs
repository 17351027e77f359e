//! An evaluation card measured again.

use std::path::Path;

use futures_lite::future::block_on;
use serde::Serialize;

use super::card::{Card, RunCard, WeightsCard};
use super::{TEXT_WIDTH, subject};
use crate::cli::expected;
use crate::cli::input::foreign_weights::{self, Foreign};
use crate::cli::input::load_images;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::spinner::Spinner;
use crate::cli::output::table::Table;
use crate::cli::run::open_run::Opened;
use crate::data::{Dataset, Spec};
use crate::device::{self, DeviceChoice};
use crate::evaluate::repeat::{Comparison, Number, TOLERANCE};
use crate::evaluate::{EvalRequest, Measurement};
use crate::format;
use crate::session::folder::{DataRecord, Place, place};

/// Characters of a digest that are shown.
const SHOWN: usize = 12;

/// The card and what is said beside it.
pub(super) struct Repeat<'a> {
    pub(super) card: &'a Path,
    /// The run or the file of weights, where it has moved.
    pub(super) moved: Option<&'a Path>,
    /// The images, where they have moved.
    pub(super) data: Option<&'a Spec>,
    pub(super) device: DeviceChoice,
    pub(super) json: bool,
    pub(super) quiet: bool,
}

/// The new measurement, and the program and device that made it.
struct Now {
    by: String,
    measured: Measurement,
}

/// The result as JSON.
#[derive(Serialize)]
struct Report<'a> {
    then: String,
    now: String,
    numbers: &'a [Number],
    /// In percentage points.
    largest_difference: f64,
    reproduced: bool,
}

impl Repeat<'_> {
    /// Measures and compares. A difference beyond what is allowed is a failure.
    pub(super) fn run(&self) -> Outcome {
        let card = Card::read(self.card)?;
        let path = card.place(self.card, self.moved);
        let request = card.request();
        let now = match &card {
            Card::Run(card) => self.of_run(card, &path, &request)?,
            Card::Weights(card) => self.of_weights(card, &path, &request)?,
        };
        let compared = Comparison::of(&card.measurement(), &now.measured)?;
        let then = card.by();
        if self.json {
            print::json(&Report {
                then,
                now: now.by,
                numbers: &compared.numbers,
                largest_difference: compared.largest().map_or(0.0, Number::points),
                reproduced: compared.is_reproduced(),
            })?;
        } else {
            let heading = format!("{} against {}", path.display(), self.card.display());
            let table = table(&compared.numbers);
            print::out(&format!("{heading}\nthen: {then}\nnow:  {}\n\n{table}\n", now.by))?;
        }
        let sentence = verdict(&compared).map_err(Failure::Failed)?;
        if self.json { Ok(()) } else { print::out(&format::wrap(&sentence, TEXT_WIDTH)) }
    }

    fn of_run(&self, card: &RunCard, path: &Path, request: &EvalRequest) -> Outcome<Now> {
        let known = &card.evaluation;
        let name = self.card.display();
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
        Ok(Now { by: by(&loaded.selected.readout.name), measured: loaded.measure(request, self.quiet, &mut |_| ())? })
    }

    fn of_weights(&self, card: &WeightsCard, path: &Path, request: &EvalRequest) -> Outcome<Now> {
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
        let images = load_images::adapted(self.images(&card.data)?, imported.channels, None)?.images;
        let subject = subject(&imported, card.seed, &images, &card.data.sha256, &selected);
        expected::tell(block_on(subject.cost(request))?, self.quiet, expected::OF_EVAL)?;
        let spinner = Spinner::new(self.quiet);
        let measured = block_on(subject.measure(request, &mut |task| spinner.tell(task)))?;
        Ok(Now { by: by(&selected.readout.name), measured })
    }

    /// The images of the card; others are refused.
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

fn by(device: &str) -> String {
    format!("nolabel {} on {device}", env!("CARGO_PKG_VERSION"))
}

fn shown(digest: &str) -> String {
    digest.chars().take(SHOWN).collect()
}

/// The result in one sentence: `Err` where the numbers were not reproduced.
fn verdict(compared: &Comparison) -> Result<String, String> {
    let Some(largest) = compared.largest() else {
        return Err("the card holds no number, so nothing was measured again".into());
    };
    let Number { source, layer, probe, .. } = largest;
    let points = largest.points();
    let name = format!("{probe} of {layer}, {}", source.words());
    if !compared.is_reproduced() {
        return Err(format!(
            "the card's numbers were not reproduced: {name}, differs by {points:.2} points, and {TOLERANCE} are allowed"
        ));
    }
    let all = format::count(compared.numbers.len(), "number");
    Ok(format!(
        "All {all} were reproduced. The largest difference is {points:.2} points ({name}); {TOLERANCE} are allowed."
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
    use crate::probe::Source;

    fn compared(numbers: &[(f64, f64)]) -> Comparison {
        let number = |&(then, now): &(f64, f64)| Number {
            source: Source::Trained,
            layer: "block1".into(),
            probe: "knn".into(),
            then,
            now,
        };
        Comparison { numbers: numbers.iter().map(number).collect() }
    }

    #[test]
    fn the_verdict_names_the_largest_difference() {
        let fine = verdict(&compared(&[(0.5, 0.5), (0.75, 0.7509)])).expect("nearly the same");
        assert!(
            fine.contains("All 2 numbers were reproduced") && fine.contains("0.09 points (knn of block1"),
            "{fine}"
        );
        let off = verdict(&compared(&[(0.5, 0.4985), (0.75, 0.75)])).expect_err("0.15 points");
        assert!(off.contains("knn of block1, trained encoder, differs by 0.15 points"), "{off}");
        assert!(verdict(&compared(&[])).is_err_and(|sentence| sentence.contains("no number")));
    }
}
