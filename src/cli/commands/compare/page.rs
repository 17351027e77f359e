//! A comparison as a self-contained page.

use super::show::{Layout, control, controls, name, reading, share, spread, task, title, verdict};
use super::{PROBES, Table, dots};
use crate::evaluate::Standing;
use crate::evaluate::aggregate::{Line, Score, Section};
use crate::format;
use crate::report::{document, escape, section as part};

const STYLE: &str = include_str!("style.css");
/// An empty cell.
const NOTHING: &str = "<td class=\"none\"></td>";

/// The whole page; `command` reproduces it.
pub(super) fn html(table: &Table, command: &str) -> String {
    let runs = table.sections.iter().flat_map(|section| &section.lines).map(|line| line.runs.len()).sum();
    let mut sets: Vec<&str> = table.sections.iter().map(|section| section.data.as_str()).collect();
    sets.dedup();
    let heading = format!("{} on {}", format::count(runs, "run"), sets.join(", "));
    let mut body = format!(
        "<header><p class=\"name\">nolabel · runs compared</p><h1>{}</h1><p class=\"lead\">Encoders trained without \
         labels. Each is compared with itself before training and with raw pixels, best layer with best layer: an encoder \
         that does not beat those has learned nothing that these probes can see.</p></header>\n",
        escape(&heading)
    );
    body.extend(table.sections.iter().map(|section| one(section, &table.probes)));
    body.push_str(&part("How it was measured", &how(table, command)));
    document(&heading, STYLE, &body)
}

fn one(section: &Section, probes: &[&str]) -> String {
    let figures = dots::figures(section, probes);
    let heading = title(section);
    let (name, rest) = heading.split_once(": ").unwrap_or((&heading, ""));
    let body = format!(
        "<p class=\"quiet\">{}</p>{figures}<div class=\"scroll\">{}</div>",
        escape(&format::title(rest)),
        rows(section, probes)
    );
    part(name, &body)
}

/// The table: one row for each line of the comparison, the probes side by side.
fn rows(section: &Section, probes: &[&str]) -> String {
    let kinds: Vec<_> = PROBES.iter().filter(|(probe, _)| probes.contains(probe)).collect();
    let with_labels = Layout::of(section, probes).supervised;
    let columns = if with_labels { 4 } else { 3 };
    let mut heads = String::from("<tr><th rowspan=\"2\">method</th><th rowspan=\"2\" class=\"number\">seeds</th>");
    heads.push_str("<th rowspan=\"2\" class=\"number\">minutes</th>");
    let groups = kinds.iter().map(|(_, title)| format!("<th colspan=\"{columns}\" class=\"group\">{title}</th>"));
    heads.extend(groups);
    heads.push_str("<th rowspan=\"2\">verdict</th></tr><tr>");
    for _ in &kinds {
        let named = ["trained", "untrained", "with labels", "over controls"].into_iter();
        let named = named.filter(|head| with_labels || *head != "with labels");
        heads.extend(named.map(|head| format!("<th class=\"number\">{head}</th>")));
    }
    let lines: String = section.lines.iter().map(|line| row(line, &kinds, with_labels)).collect();
    let controls: String = controls()
        .into_iter()
        .map(|(name, of)| {
            let cells = kinds.iter().map(|(probe, title)| {
                let value = control(section, probe, of).unwrap_or("–".into());
                let empty = NOTHING.repeat(columns - 1);
                format!("<td class=\"number\" data-of=\"{title}\">{value}</td>{empty}")
            });
            let cells = cells.collect::<String>();
            format!("<tr class=\"pixels\"><th>{name}</th>{NOTHING}{NOTHING}{cells}{NOTHING}</tr>")
        })
        .collect();
    format!("<table class=\"compared\"><thead>{heads}</tr></thead><tbody>{lines}{controls}</tbody></table>")
}

fn row(line: &Line, kinds: &[&(&str, &str)], with_labels: bool) -> String {
    let asked = line.task.as_ref().map(|own| format!("<small>{}</small>", escape(&task(own))));
    let mut html = format!(
        "<tr><th>{}{}</th><td class=\"number\" data-of=\"seeds\">{}</td><td class=\"number\" data-of=\"minutes\">{}</td>",
        escape(&name(line)),
        asked.unwrap_or_default(),
        line.seeds.len(),
        spread(line.minutes, 1, false)
    );
    for (probe, title) in kinds {
        let Some(reading) = reading(line, probe) else {
            html.push_str(&NOTHING.repeat(if with_labels { 4 } else { 3 }));
            continue;
        };
        html.push_str(&score(&reading.trained, title, "own"));
        html.push_str(&score(&reading.untrained, &format!("{title}, untrained"), ""));
        if with_labels {
            let supervised = reading.supervised.as_ref();
            let cell = supervised.map(|own| score(own, &format!("{title}, with labels"), ""));
            html.push_str(&cell.unwrap_or_else(|| NOTHING.to_string()));
        }
        let class = reading.standing.word();
        let points = spread(reading.points, 1, true);
        html.push_str(&format!("<td class=\"number {class}\" data-of=\"{title}, over controls\">{points}</td>"));
    }
    let worst = |of: Standing| line.probes.iter().all(|reading| reading.standing == of);
    let class = [Standing::Above, Standing::Below].into_iter().find(|of| worst(*of)).map_or("level", Standing::word);
    html.push_str(&format!("<td class=\"verdict {class}\" data-of=\"verdict\">{}</td></tr>", verdict(line)));
    html
}

fn score(score: &Score, of: &str, class: &str) -> String {
    let value = share(score.accuracy);
    let layer = escape(&score.layer);
    format!("<td class=\"number {class}\" data-of=\"{of}\"><span>{value} <small>{layer}</small></span></td>")
}

fn how(table: &Table, command: &str) -> String {
    let lines: Vec<&Line> = table.sections.iter().flat_map(|section| &section.lines).collect();
    let differing = lines.windows(2).any(|pair| pair[0].device != pair[1].device);
    let mut runs = String::new();
    for line in lines {
        let device = if differing { format!(", {}", escape(&line.device)) } else { String::new() };
        for (seed, path) in line.seeds.iter().zip(&line.runs) {
            let path = escape(&path.display().to_string());
            let steps = format::count(line.steps, "step");
            runs.push_str(&format!("<div><dt>{path}</dt><dd>seed {seed}, {steps}{device}</dd></div>"));
        }
    }
    format!(
        "<p>{}</p><p>This command reproduces the page:</p><pre>{}</pre><h3>The runs</h3><dl class=\"settings runs\">{runs}</dl>",
        escape(&table.how),
        escape(command)
    )
}
