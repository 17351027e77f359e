//! Accuracy with few labels, as a table.

use crate::cli::output::table::Table;
use crate::format;
use crate::probe::few::{Curve, FewLabels, FewSettings, Point};

/// One row for each number of labels, one column for each source, and the protocol.
pub(super) fn text(few: &FewLabels, width: usize) -> String {
    let mut heads = vec!["labels a class".to_string()];
    heads.extend(few.curves.iter().map(head));
    let mut table = Table::bare();
    table.row(heads);
    for (place, labels) in few.settings.labels.iter().enumerate() {
        let mut row = vec![format::thousands(*labels)];
        row.extend(few.curves.iter().map(|curve| curve.points.get(place).map_or("-".into(), cell)));
        table.row(row);
    }
    format!("{table}\n\n{}", format::wrap(&how(few), width))
}

/// Source and layer of a curve.
pub(in crate::cli) fn head(curve: &Curve) -> String {
    match curve.layer.as_str() {
        "pixels" => curve.source.words().to_string(),
        layer => format!("{}, {layer}", curve.source.words()),
    }
}

/// `71.3 % (69.8 to 72.8)`.
fn cell(point: &Point) -> String {
    let mean = format::percent(point.mean);
    let [low, high] = match point.interval {
        Some(interval) => interval.map(|share| format!("{:.1}", 100.0 * share)),
        None => return mean,
    };
    format!("{mean} ({low} to {high})")
}

/// The protocol in words.
pub(in crate::cli) fn how(few: &FewLabels) -> String {
    let FewSettings { draws, seed, .. } = few.settings;
    let drawn = match draws {
        1 => "One draw".to_string(),
        _ => format!("Mean of {draws} draws and its 95 % interval (Student's t over the draws)"),
    };
    format!(
        "The linear probe with this number of labelled training images of each class. {drawn}; the draws of seed {seed} are \
         the same for all. Features are standardised by training images without their labels. L2 is chosen by the labelled \
         images alone: from 5 a class on by cross-validation, from 100 on by a fifth set aside, below that 1 / (labelled \
         images). Layers are those that are best with all labels."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Source;

    #[test]
    fn the_few_label_table_has_a_row_for_each_count() {
        let point = |mean, interval| Point { labels: 1, mean, interval, accuracies: vec![mean], penalties: vec![0.1] };
        let curve = |source, layer: &str, mean| {
            let points = vec![point(mean, Some([mean - 0.1, mean + 0.1])), point(mean + 0.2, None)];
            Curve { source, layer: layer.into(), points }
        };
        let settings = FewSettings { labels: vec![1, 1000], draws: 5, seed: 0 };
        let curves = vec![curve(Source::Trained, "block2", 0.5), curve(Source::RawPixels, "pixels", 0.25)];
        let text = text(&FewLabels { settings, curves }, 80);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "labels a class  trained encoder, block2  raw pixels");
        assert_eq!(lines[1], "1               50.0 % (40.0 to 60.0)    25.0 % (15.0 to 35.0)");
        assert_eq!(lines[2], "1,000           70.0 %                   45.0 %");
        assert!(text.contains("Mean of 5 draws"));
    }
}
