//! Accuracy with few labels.

use crate::cli::commands::eval::few::{head, how};
use crate::format;
use crate::probe::Source;
use crate::probe::few::{Curve, FewLabels};
use crate::report::chart::{Across, Chart, Line};
use crate::report::{escape, small};

/// The curves, their numbers, and the protocol.
pub(super) fn html(few: &FewLabels) -> String {
    format!(
        "<p>{}</p><div class=\"charts\">{}</div><div class=\"scroll\">{}</div>",
        escape(&how(few)),
        chart(few).html(),
        table(few)
    )
}

/// The curves in numbers, one row for each number of labels.
fn table(few: &FewLabels) -> String {
    let heads = few.curves.iter().map(|curve| format!("<th class=\"number\">{}</th>", escape(&head(curve))));
    let mut html =
        format!("<table><thead><tr><th>labels a class</th>{}</tr></thead><tbody>", heads.collect::<String>());
    for (place, labels) in few.settings.labels.iter().enumerate() {
        html.push_str(&format!("<tr><td>{}</td>", format::thousands(*labels)));
        for point in few.curves.iter().filter_map(|curve| curve.points.get(place)) {
            let mean = format::percent(point.mean);
            let interval = point.interval.map_or(String::new(), small);
            html.push_str(&format!("<td class=\"number\">{mean}{interval}</td>"));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table>"
}

/// One line for each source over the numbers of labels, at equal distances.
fn chart(few: &FewLabels) -> Chart {
    let line = |curve: &Curve| {
        let (name, class) = match curve.source {
            Source::Trained => (format!("after training, {}", curve.layer), "trained"),
            Source::Untrained => (format!("before training, {}", curve.layer), "untrained"),
            other => (other.words().to_string(), "pixels"),
        };
        let points = curve.points.iter().enumerate().map(|(place, point)| (place as f64, point.mean)).collect();
        Line { name, class, points }
    };
    let names = few.settings.labels.iter().map(|&labels| format::thousands(labels)).collect();
    Chart {
        title: "Linear probe, by labels a class".into(),
        x: Across::Names(names),
        percent: true,
        lines: few.curves.iter().map(line).collect(),
        levels: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::few::{FewSettings, Point};

    #[test]
    fn every_mean_has_its_interval_in_chart_and_table() {
        let point = |mean, interval| Point { labels: 1, mean, interval, accuracies: vec![mean], penalties: vec![0.1] };
        let points = vec![point(0.5, Some([0.45, 0.55])), point(0.75, None)];
        let curves = vec![Curve { source: Source::Trained, layer: "<block2>".into(), points }];
        let settings = FewSettings { labels: vec![1, 1000], draws: 5, seed: 0 };
        let html = html(&FewLabels { settings, curves });
        assert!(html.contains("<td>1</td><td class=\"number\">50.0 %<small>45.0 to 55.0</small></td>"), "{html}");
        assert!(html.contains("<td>1,000</td><td class=\"number\">75.0 %</td>"), "{html}");
        assert!(html.contains("from 50.0 % to 75.0 %") && !html.contains("<block2>"), "{html}");
    }
}
