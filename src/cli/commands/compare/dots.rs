//! Dot plots of accuracies beside those of the controls.

use std::fmt::Write as _;

use super::PROBES;
use super::show::{name, reading, share};
use crate::evaluate::aggregate::{Line, ProbeSummary, Section, Spread};
use crate::report::chart::{Axis, short};
use crate::report::escape;

const WIDTH: f64 = 440.0;
/// Margin at the sides for the labels of the outermost ticks.
const SIDE: f64 = 22.0;
/// Height of a row: a name, and its dots below.
const ROW: f64 = 42.0;
const BOTTOM: f64 = 24.0;

/// One figure for each probe, and a common legend.
pub(super) fn figures(section: &Section, probes: &[&str]) -> String {
    let supervised = section.lines.iter().flat_map(|line| &line.probes).any(|reading| reading.supervised.is_some());
    let supervised =
        if supervised { "<li class=\"supervised\"><span></span>the same encoder trained with labels</li>" } else { "" };
    let key = "<ul class=\"key dots\"><li class=\"trained\"><span></span>after training, ± deviation over seeds</li>\
               <li class=\"untrained\"><span></span>the same encoder before training</li>\
               <li class=\"pixels\"><span></span>raw pixels</li><li class=\"pca\"><span></span>their principal components</li>";
    let kinds = PROBES.iter().filter(|(probe, _)| probes.contains(probe));
    let figures: String = kinds.map(|(probe, title)| figure(section, probe, title)).collect();
    format!("{key}{supervised}</ul><div class=\"charts\">{figures}</div>")
}

fn figure(section: &Section, probe: &str, title: &str) -> String {
    let rows: Vec<(&Line, &ProbeSummary)> =
        section.lines.iter().filter_map(|line| Some((line, reading(line, probe)?))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let height = ROW * rows.len() as f64 + BOTTOM;
    let x = Axis::around(rows.iter().flat_map(|(_, reading)| reach(reading)), 0.05, SIDE, WIDTH - SIDE);
    let mut body = grid(&x, height - BOTTOM);
    if let Some((_, first)) = rows.first() {
        for (class, score) in [("pixels", &first.pixels), ("pca", &first.pca)] {
            let at = x.at(score.accuracy.mean);
            let _ = write!(body, "<path class=\"level {class}\" d=\"M{at:.1} 0V{:.1}\"/>", height - BOTTOM);
        }
    }
    for (place, (line, reading)) in rows.iter().enumerate() {
        row(&mut body, ROW * place as f64, line, reading, &x);
    }
    let words = rows.iter().map(|(line, reading)| {
        let [own, control] = [&reading.trained, &reading.untrained].map(|score| share(score.accuracy));
        format!("{}: {own} after training, {control} before", name(line))
    });
    let words = escape(&words.collect::<Vec<_>>().join("; "));
    let heading = if probe == "linear" { "Linear probe" } else { title };
    format!(
        "<figure class=\"chart\"><figcaption>{heading}, accuracy in percent</figcaption><svg viewBox=\"0 0 {WIDTH} \
         {height}\" role=\"img\" aria-label=\"{words}\">{body}</svg></figure>\n"
    )
}

/// The values that the axis has to reach.
fn reach(reading: &ProbeSummary) -> Vec<f64> {
    let ends = |Spread { mean, deviation }: Spread| [mean - deviation.unwrap_or(0.0), mean + deviation.unwrap_or(0.0)];
    let mut values = [ends(reading.trained.accuracy), ends(reading.untrained.accuracy)].concat();
    values.extend([reading.pixels.accuracy.mean, reading.pca.accuracy.mean]);
    values.extend(reading.supervised.as_ref().map(|score| score.accuracy.mean));
    values
}

fn grid(x: &Axis, bottom: f64) -> String {
    let ticks = x.ticks(6.0);
    let step = ticks.get(1).zip(ticks.first()).map_or(1.0, |(b, a)| b - a);
    let mut body = String::new();
    for value in ticks {
        let at = x.at(value);
        let text = short(100.0 * value, 100.0 * step);
        let _ = write!(body, "<path class=\"grid\" d=\"M{at:.1} 0V{bottom:.1}\"/>");
        let _ = write!(body, "<text class=\"x\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>", bottom + 17.0);
    }
    body
}

fn row(body: &mut String, top: f64, line: &Line, reading: &ProbeSummary, x: &Axis) {
    let text = escape(&name(line));
    let at = top + 29.0;
    let _ = write!(body, "<text class=\"row\" x=\"0\" y=\"{:.1}\">{text}</text>", top + 15.0);
    let Spread { mean, deviation } = reading.trained.accuracy;
    if let Some(deviation) = deviation {
        let [from, to] = [x.at(mean - deviation), x.at(mean + deviation)];
        let _ = write!(body, "<path class=\"trained line\" d=\"M{from:.1} {at:.1}H{to:.1}\"/>");
    }
    let _ = write!(body, "<circle class=\"dot trained\" cx=\"{:.1}\" cy=\"{at:.1}\" r=\"4.5\"/>", x.at(mean));
    // a ring, which is visible around the dot where both are equal
    let untrained = x.at(reading.untrained.accuracy.mean);
    let _ = write!(body, "<path class=\"ring\" d=\"M{untrained:.1} {:.1}l7 7-7 7-7-7z\"/>", at - 7.0);
    if let Some(supervised) = &reading.supervised {
        let supervised = x.at(supervised.accuracy.mean);
        let _ = write!(body, "<path class=\"labels\" d=\"M{supervised:.1} {:.1}v16\"/>", at - 8.0);
    }
}
