//! Probe results as a table and in sentences.

use super::table::Table;
use crate::evaluate::{Standing, best_control};
use crate::format;
use crate::report::standing::against;
use crate::session::event::{ProbeRow, Source};
use crate::session::folder::Untrained;

/// Sources in the order of tables.
const SOURCES: [Source; 5] = [Source::Trained, Source::Untrained, Source::RawPixels, Source::Pca, Source::Supervised];
/// Probes of layers with their names for people.
const KINDS: [(&str, &str); 6] = [
    ("linear", "linear"),
    ("knn", "kNN"),
    ("precision@1", "P@1"),
    ("precision@5", "P@5"),
    ("precision@10", "P@10"),
    ("map", "mAP"),
];
/// Probes that are summed up in a sentence.
const JUDGED: [&str; 3] = ["linear", "knn", "map"];

/// One row for each layer: source, name, width and accuracies. A star marks the best layer of each source.
pub(crate) fn table(rows: &[ProbeRow]) -> String {
    let kinds: Vec<_> = KINDS.iter().filter(|(kind, _)| rows.iter().any(|row| row.probe == *kind)).collect();
    let heads = ["features of", "layer", "width"].into_iter().chain(kinds.iter().map(|(_, title)| *title));
    let mut table = Table::new(heads, 2);
    for source in SOURCES {
        let mut title = source.words();
        for row in layers(rows, source) {
            let mut cells = vec![title.into(), row.layer.clone(), row.width.to_string()];
            cells.extend(kinds.iter().map(|(kind, _)| cell(rows, source, &row.layer, kind)));
            table.row(cells);
            title = "";
        }
    }
    table.to_string()
}

/// The first row of each layer of a source.
fn layers(rows: &[ProbeRow], source: Source) -> Vec<&ProbeRow> {
    let mut found: Vec<&ProbeRow> = Vec::new();
    let read = |row: &&ProbeRow| row.source == source && KINDS.iter().any(|(kind, _)| row.probe == *kind);
    for row in rows.iter().filter(read) {
        if found.iter().all(|known| known.layer != row.layer) {
            found.push(row);
        }
    }
    found
}

fn cell(rows: &[ProbeRow], source: Source, layer: &str, kind: &str) -> String {
    let found = rows.iter().find(|row| row.source == source && row.layer == layer && row.probe == kind);
    let Some(row) = found else { return "-".into() };
    let best = ProbeRow::best(rows, source, kind).is_some_and(|best| best.layer == layer);
    format!("{}{}", format::percent(row.accuracy), if best { " *" } else { "  " })
}

/// The best layer compared with the best control on this number of test images, one sentence for each probe. Mean average
/// precision is judged as a share is: no values between 0 and 1 vary more than zeros and ones of the same mean.
pub(crate) fn verdict(rows: &[ProbeRow], images: usize) -> Vec<String> {
    judged().filter_map(|(kind, title)| sentence(rows, images, kind, title)).collect()
}

fn judged() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    KINDS.iter().filter(|(kind, _)| JUDGED.contains(kind))
}

fn sentence(rows: &[ProbeRow], images: usize, kind: &str, title: &str) -> Option<String> {
    let best = |source| ProbeRow::best(rows, source, kind);
    let trained = best(Source::Trained)?;
    let untrained = best(Source::Untrained)?;
    let pixels = best(Source::RawPixels)?;
    let and = |row: Option<&ProbeRow>, place: &str| {
        row.map_or(String::new(), |row| format!(", {} {place}", format::percent(row.accuracy)))
    };
    let control = best_control(rows, kind)?.accuracy;
    let mut judged = against(trained.accuracy, control, images, "the better control");
    if Standing::of(trained.accuracy, control, images) == Standing::Below {
        judged.push_str(": this probe finds nothing useful in what was learned");
    }
    Some(format!(
        "Best with best (*), {title}: {} at {} after training, {} at {} before it, {} on raw pixels{}{}: {judged}.",
        format::percent(trained.accuracy),
        trained.layer,
        format::percent(untrained.accuracy),
        untrained.layer,
        format::percent(pixels.accuracy),
        and(best(Source::Pca), "on their PCA"),
        and(best(Source::Supervised), "after training with labels"),
    ))
}

/// The 95 % intervals of the trained encoder's best layers.
pub(crate) fn intervals(rows: &[ProbeRow]) -> Option<String> {
    let interval = |(kind, title): &(&str, &str)| {
        let [low, high] = ProbeRow::best(rows, Source::Trained, kind)?.interval;
        Some(format!("{title} {:.1} to {}", 100.0 * low, format::percent(high)))
    };
    let told: Vec<String> = KINDS.iter().filter_map(interval).collect();
    let told = (!told.is_empty()).then(|| told.join(", "))?;
    Some(format!("95 % intervals of the best after training, for this number of test images: {told}."))
}

/// Mean and range over untrained encoders, one sentence for each probe.
pub(crate) fn seeds(rows: &[ProbeRow], others: &[Untrained]) -> Vec<String> {
    if others.is_empty() {
        return Vec::new();
    }
    let sentence = |(kind, title): &(&str, &str)| {
        let all = std::iter::once(rows).chain(others.iter().map(|other| other.rows.as_slice()));
        let best: Option<Vec<f64>> =
            all.map(|rows| ProbeRow::best(rows, Source::Untrained, kind).map(|row| row.accuracy)).collect();
        let best = best?;
        let mean = best.iter().sum::<f64>() / best.len() as f64;
        let [low, high] = [f64::min as fn(f64, f64) -> f64, f64::max].map(|of| best.iter().copied().reduce(of));
        Some(format!(
            "Untrained encoders of {} seeds, each at its best layer, {title}: {} on average, from {} to {}.",
            best.len(),
            format::percent(mean),
            format::percent(low?),
            format::percent(high?)
        ))
    };
    judged().filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test images on which five points are a difference.
    const IMAGES: usize = 10_000;

    fn rows(trained: [f64; 2], untrained: f64, pixels: f64) -> Vec<ProbeRow> {
        let row = |source, layer: &str, probe: &str, accuracy| ProbeRow {
            source,
            layer: layer.into(),
            width: 8,
            probe: probe.into(),
            accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: None,
        };
        vec![
            row(Source::Trained, "block1", "knn", trained[0]),
            row(Source::Trained, "block2", "knn", trained[1]),
            row(Source::Untrained, "block1", "knn", untrained),
            row(Source::RawPixels, "pixels", "knn", pixels),
        ]
    }

    #[test]
    fn the_table_has_a_row_for_each_layer_and_stars_the_best() {
        let text = table(&rows([0.5, 0.75], 0.6, 0.7));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "features of        layer   width       kNN");
        assert_eq!(lines[1], "trained encoder    block1      8  50.0 %");
        assert_eq!(lines[2], "                   block2      8  75.0 % *");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_supervised_row_is_shown_and_is_no_control() {
        let mut rows = rows([0.5, 0.75], 0.6, 0.7);
        let supervised = ProbeRow { source: Source::Supervised, accuracy: 0.9, ..rows[1].clone() };
        let own = ProbeRow { probe: "finetune".into(), layer: "gap".into(), ..supervised.clone() };
        rows.extend([supervised, own]);
        assert!(
            table(&rows)
                .lines()
                .last()
                .is_some_and(|line| line.contains("supervised encoder") && line.contains("90.0 % *"))
        );
        assert!(!table(&rows).contains("gap"), "what the encoder's own layer names is no layer that was read");
        let said = verdict(&rows, IMAGES).join(" ");
        assert!(said.contains("90.0 % after training with labels: 5.0 points above"), "{said}");
    }

    #[test]
    fn the_better_control_is_the_one_to_beat() {
        let judged = |trained, untrained, pixels| verdict(&rows(trained, untrained, pixels), IMAGES).join(" ");
        assert!(judged([0.5, 0.75], 0.6, 0.7).contains("75.0 % at block2 after training"));
        assert!(judged([0.5, 0.75], 0.6, 0.7).contains("5.0 points above"));
        assert!(judged([0.65, 0.5], 0.7, 0.6).contains("5.0 points below"));
        assert!(judged([0.7, 0.5], 0.7, 0.6).contains("no better and no worse"));
        assert_eq!(verdict(&rows([0.7, 0.5], 0.7, 0.6), IMAGES).len(), 1, "what was not measured is not judged");
        let mut rows = rows([0.5, 0.75], 0.6, 0.7);
        rows.push(ProbeRow { source: Source::Pca, accuracy: 0.74, ..rows[3].clone() });
        let said = verdict(&rows, 100_000);
        assert!(said[0].contains("74.0 % on their PCA: 1.0 points above"), "{said:?}");
        let said = verdict(&rows, 100);
        assert!(said[0].contains("74.0 % on their PCA: +1.0 points, too close to the better control"), "{said:?}");
        let said = verdict(&self::rows([0.69, 0.5], 0.7, 0.6), 100);
        assert!(!said[0].contains("nothing useful"), "{said:?}");
    }

    #[test]
    fn intervals_are_those_of_the_best_layer() {
        let mut rows = rows([0.5, 0.75], 0.6, 0.7);
        rows.iter_mut().for_each(|row| row.interval = [row.accuracy - 0.1, row.accuracy + 0.1]);
        assert!(intervals(&rows).is_some_and(|said| said.contains("kNN 65.0 to 85.0 %.")), "{:?}", intervals(&rows));
    }

    #[test]
    fn seeds_are_reported_by_mean_and_range() {
        let own = rows([0.5, 0.75], 0.6, 0.7);
        assert!(seeds(&own, &[]).is_empty());
        let other = |seed, accuracy| {
            let row = ProbeRow { accuracy, ..own[2].clone() };
            Untrained { seed, rows: vec![ProbeRow { accuracy: 0.1, ..row.clone() }, row] }
        };
        let said = seeds(&own, &[other(2, 0.7), other(3, 0.5)]);
        assert_eq!(
            said,
            ["Untrained encoders of 3 seeds, each at its best layer, kNN: 60.0 % on average, from 50.0 % to 70.0 %."]
        );
    }
}
