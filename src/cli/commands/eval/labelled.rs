//! Classifiers trained with labels, as tables and in words.

use crate::cli::output::table::Table;
use crate::format;
use crate::probe::labelled::{FINETUNE, LabelledPlan, Length, SGD};
use crate::probe::{ProbeRow, Source};
use crate::report::standing::against;
use crate::session::folder::{Details, Tuned};

/// The sentence on the batch norm between features and linear layer.
const NORMED: &str = "The encoder is frozen; its features go through a batch norm without scale and shift, so that their size does \
                      not matter.";

/// A table and sentences for each training that was asked for; `images` are the numbers of training and of test images.
pub(in crate::cli) fn text(details: &Details, images: [usize; 2], width: usize) -> Vec<String> {
    let [train_images, test_images] = images;
    let parts = [
        details.sgd.as_ref().map(|tuned| (tuned, "linear layer on", still(tuned, test_images))),
        details.finetune.as_ref().map(|tuned| (tuned, "fine-tuned from", from_weights(tuned, test_images))),
        details.supervised.as_ref().map(|tuned| (tuned, "trained from", supervised(tuned))),
    ];
    let part = |(tuned, head, verdict): (&Tuned, &str, Vec<String>)| {
        let mut sentences = verdict;
        sentences.push(how(&tuned.plan, train_images));
        let prose: Vec<String> = sentences.iter().map(|sentence| format::wrap(sentence, width)).collect();
        format!("{}\n\n{}", table(&tuned.rows, head), prose.join("\n"))
    };
    parts.into_iter().flatten().map(part).collect()
}

/// One row for each classifier.
fn table(rows: &[ProbeRow], head: &str) -> Table {
    let mut table = Table::new([head, "layer", "width", "accuracy", "95 % interval", "rate"], 2);
    for row in rows.iter().filter(|row| [SGD, FINETUNE].contains(&row.probe.as_str())) {
        let [low, high] = row.interval.map(|share| format!("{:.1}", 100.0 * share));
        table.row([
            title(row).to_string(),
            row.layer.clone(),
            row.width.to_string(),
            format::percent(row.accuracy),
            format!("{low} to {high}"),
            row.lr.map_or("-".into(), |lr| lr.to_string()),
        ]);
    }
    table
}

fn title(row: &ProbeRow) -> &'static str {
    match (row.probe.as_str(), row.source) {
        (FINETUNE, Source::Trained) => "the trained encoder",
        (FINETUNE, _) => "untrained weights (supervised)",
        (_, source) => source.words(),
    }
}

fn of(tuned: &Tuned, source: Source) -> Option<f64> {
    let mut rows = tuned.rows.iter();
    rows.find(|row| row.source == source && [SGD, FINETUNE].contains(&row.probe.as_str())).map(|row| row.accuracy)
}

/// The linear layer on the trained encoder compared with the better control, on this number of test images.
fn still(tuned: &Tuned, images: usize) -> Vec<String> {
    let controls = [Source::Untrained, Source::RawPixels].into_iter().filter_map(|source| of(tuned, source));
    let apart = of(tuned, Source::Trained).zip(controls.reduce(f64::max));
    let said = apart.map(|(own, control)| {
        format!("SGD, trained encoder: {}.", against(own, control, images, "the better control"))
    });
    said.into_iter().chain([NORMED.to_string()]).collect()
}

/// Fine-tuning compared with the supervised control, on this number of test images.
fn from_weights(tuned: &Tuned, images: usize) -> Vec<String> {
    let apart = of(tuned, Source::Trained).zip(of(tuned, Source::Supervised));
    let said = apart.map(|(own, control)| {
        format!(
            "Fine-tuned: {}, which took the same steps on the same views.",
            against(own, control, images, "the supervised control")
        )
    });
    said.into_iter().collect()
}

fn supervised(tuned: &Tuned) -> Vec<String> {
    let said = of(tuned, Source::Supervised).map(|own| {
        format!(
            "Its own linear layer classifies {} correctly; its layers are in the table above.",
            format::percent(own)
        )
    });
    said.into_iter().collect()
}

/// The training in words, for this number of images.
fn how(plan: &LabelledPlan, images: usize) -> String {
    let steps = plan.steps(images);
    let batch = plan.batch_of(images);
    let length = match plan.length {
        Length::Steps(_) => format!("{:.1} epochs", (steps * batch) as f64 / images.max(1) as f64),
        Length::Epochs(epochs) => format::count(epochs, "epoch"),
    };
    let decay =
        if plan.weight_decay > 0.0 { format!("weight decay {}", plan.weight_decay) } else { "no weight decay".into() };
    let rate = match plan.rates.as_slice() {
        [only] => only.to_string(),
        several => {
            let rates: Vec<String> = several.iter().map(f64::to_string).collect();
            format!("the best of {} (chosen on validation images, then trained on all)", rates.join(", "))
        }
    };
    format!(
        "{} of {batch} views ({length}): crops of {} to 100 % of the area, half of them mirrored; SGD, momentum 0.9, {decay}; \
         a cosine schedule to 0 from the learning rate {rate}. Tested on whole images.",
        format::count(steps, "step"),
        100.0 * plan.min_area,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(source: Source, probe: &str, accuracy: f64) -> ProbeRow {
        ProbeRow {
            source,
            layer: "gap".into(),
            width: 16,
            probe: probe.into(),
            accuracy,
            interval: [accuracy - 0.05, accuracy + 0.05],
            l2: None,
            lr: Some(0.1),
            validation: None,
        }
    }

    #[test]
    fn each_protocol_prints_its_result_and_its_control() {
        let sgd = [(Source::Trained, 0.75), (Source::Untrained, 0.6), (Source::RawPixels, 0.7)];
        let sgd = sgd.map(|(source, accuracy)| row(source, SGD, accuracy)).to_vec();
        let finetune = [(Source::Trained, 0.8), (Source::Supervised, 0.82)]
            .map(|(source, accuracy)| row(source, FINETUNE, accuracy));
        let details = Details {
            sgd: Some(Tuned { plan: LabelledPlan::linear(28), rows: sgd }),
            finetune: Some(Tuned { plan: LabelledPlan::network(28), rows: finetune.to_vec() }),
            ..Details::default()
        };
        let parts = text(&details, [6400, 10_000], 200);
        let flat = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<&str> = parts[0].lines().collect();
        assert_eq!(lines[0], "linear layer on    layer  width  accuracy  95 % interval  rate");
        assert_eq!(lines[1], "trained encoder    gap       16    75.0 %   70.0 to 80.0   0.1");
        for words in [
            "5.0 points above the better control",
            "1,000 steps of 128 views (20.0 epochs)",
            "30 to 100 %",
            "0.01, 0.03, 0.1, 0.3",
            "chosen on validation images",
        ] {
            assert!(flat(&parts[0]).contains(words), "no `{words}` in\n{}", parts[0]);
        }
        for words in [
            "the trained encoder",
            "untrained weights (supervised)",
            "2.0 points below the supervised control",
            "the learning rate 0.05. Tested",
            "weight decay 0.0001",
        ] {
            assert!(flat(&parts[1]).contains(words), "no `{words}` in\n{}", parts[1]);
        }
        assert_eq!(parts.len(), 2, "what was not asked for is not told");
        let few = text(&details, [6400, 60], 200);
        assert!(few[0].contains("+5.0 points, too close to the better control"), "{}", few[0]);
        assert!(few[1].contains("-2.0 points, too close to the supervised control"), "{}", few[1]);
    }
}
