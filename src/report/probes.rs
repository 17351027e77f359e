//! Accuracies of frozen features beside their controls: verdicts, charts and a table.

use super::chart::{Across, Chart, Line};
use super::standing::against;
use super::{escape, section, small};
use crate::format;
use crate::probe::{ProbeRow, Source, Standing, best_control};

const PROBES: [(&str, &str); 2] = [("linear", "Linear probe"), ("knn", "Nearest neighbours (kNN)")];
const HEADING: &str = "What it learned";

/// A list of verdicts: each probe's best layer against the better control on `images` test images.
pub fn verdicts(rows: &[ProbeRow], images: usize) -> String {
    let entries: String = PROBES.iter().filter_map(|(kind, title)| verdict(rows, images, kind, title)).collect();
    if entries.is_empty() { entries } else { format!("<ul class=\"verdicts\">{entries}</ul>") }
}

fn verdict(rows: &[ProbeRow], images: usize, kind: &str, title: &str) -> Option<String> {
    let own = ProbeRow::best(rows, Source::Trained, kind)?;
    let control = best_control(rows, kind)?.accuracy;
    let words = against(own.accuracy, control, images, "the better control");
    let class = Standing::of(own.accuracy, control, images).word();
    let share = format::percent(own.accuracy);
    Some(format!("<li class=\"{class}\"><span>{title}, {}</span><b>{share}</b><span>{words}</span></li>", own.layer))
}

/// The section on what was learned: `findings` in sentences, charts, the table, and `how` it was measured.
pub fn learned(rows: &[ProbeRow], findings: &str, how: &str) -> String {
    let body = format!(
        "<p>Simple probes classify frozen features. An encoder that does not beat the same encoder before training and the raw \
         pixels has learned nothing. Small numbers are 95 % intervals for this number of test images (Wilson). {}</p>{}\
         <div class=\"scroll\">{}</div><p class=\"quiet\">{}</p>",
        escape(findings),
        charts(rows),
        table(rows),
        escape(how)
    );
    section(HEADING, &body)
}

/// The section in place of [`learned`] where nothing was measured, and why.
pub fn nothing_learned(why: &str) -> String {
    section(HEADING, &format!("<p>{}</p>", escape(why)))
}

/// The probes that measured some of these rows.
fn kinds(rows: &[ProbeRow]) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    PROBES.iter().filter(|(kind, _)| rows.iter().any(|row| row.probe == *kind))
}

/// The accuracy at every layer, a chart for each probe.
fn charts(rows: &[ProbeRow]) -> String {
    let drawn: String = kinds(rows).map(|(kind, title)| layers_chart(rows, kind, title).html()).collect();
    format!("<div class=\"charts\">{drawn}</div>")
}

/// The accuracy of one probe at every layer, trained and untrained, and of raw pixels.
fn layers_chart(rows: &[ProbeRow], kind: &str, title: &str) -> Chart {
    let of = |source| rows.iter().filter(move |row| row.source == source && row.probe == kind);
    let line = |name: &str, class, source| Line {
        name: name.into(),
        class,
        points: of(source).enumerate().map(|(place, row)| (place as f64, row.accuracy)).collect(),
    };
    let names = of(Source::Trained).map(|row| row.layer.clone()).collect();
    let lines = vec![
        line("before training", "untrained", Source::Untrained),
        line("after training", "trained", Source::Trained),
    ];
    let level = |(source, class): (Source, &'static str)| {
        of(source).map(move |row| (source.words().to_string(), class, row.accuracy)).next()
    };
    let levels = [(Source::RawPixels, "pixels"), (Source::Pca, "pca")].into_iter().filter_map(level).collect();
    Chart { title: format!("{title}, layer by layer"), x: Across::Names(names), percent: true, lines, levels }
}

/// One row for each layer.
fn table(rows: &[ProbeRow]) -> String {
    let mut html =
        String::from("<table><thead><tr><th>features of</th><th>layer</th><th class=\"number width\">width</th>");
    let kinds: Vec<_> = kinds(rows).collect();
    for (kind, _) in &kinds {
        html.push_str(&format!("<th class=\"number\">{}</th>", if *kind == "knn" { "kNN" } else { "linear" }));
    }
    html.push_str("</tr></thead><tbody>");
    for source in [Source::Trained, Source::Untrained, Source::RawPixels, Source::Pca, Source::Supervised] {
        let first = kinds.first().map_or("", |(kind, _)| kind);
        for row in rows.iter().filter(|row| row.source == source && row.probe == first) {
            let layer = escape(&row.layer);
            let width = format::thousands(row.width);
            html.push_str(&format!(
                "<tr><td>{}</td><td>{layer}</td><td class=\"number width\">{width}</td>",
                source.words()
            ));
            for (kind, _) in &kinds {
                html.push_str(&cell(rows, row, kind));
            }
            html.push_str("</tr>");
        }
    }
    html + "</tbody></table>"
}

fn cell(rows: &[ProbeRow], of: &ProbeRow, kind: &str) -> String {
    let same = |row: &&ProbeRow| row.source == of.source && row.layer == of.layer && row.probe == kind;
    let Some(row) = rows.iter().find(same) else { return "<td class=\"number\">–</td>".into() };
    let best = ProbeRow::best(rows, of.source, kind).is_some_and(|best| best.layer == of.layer);
    let class = if best { "number best" } else { "number" };
    let interval = small(row.interval);
    format!("<td class=\"{class}\">{}{interval}</td>", format::percent(row.accuracy))
}
