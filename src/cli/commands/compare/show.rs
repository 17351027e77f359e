//! The table of a comparison as text, CSV and Markdown.

use super::{PROBES, Table};
use crate::cli::output::table;
use crate::evaluate::aggregate::{Line, ProbeSummary, Score, Section, Spread, Task};
use crate::format;
use crate::method::Unit;
use crate::session::event::Source;

/// Heading of the method's own metric.
const ASKED: &str = "its own task on test images";
/// Columns before those of the probes: method, seeds, minutes.
const SHARED: usize = 3;
/// Characters of a line of running text.
const TEXT_WIDTH: usize = 96;

/// Text in columns, one table for each data set.
pub(super) fn text(table: &Table) -> String {
    let mut parts = Vec::new();
    for section in &table.sections {
        let mut columns = table::Table::bare();
        cells(section, &table.probes).into_iter().for_each(|row| columns.row(row));
        parts.push(format!("{}\n\n{columns}\n", title(section)));
        parts.extend(asked(section));
    }
    parts.push(format::wrap(&table.how, TEXT_WIDTH));
    parts.join("\n")
}

/// One Markdown table for each data set.
pub(super) fn markdown(table: &Table) -> String {
    let mut lines = Vec::new();
    for section in &table.sections {
        lines.push(format!("**{}**\n", title(section)));
        for (number, row) in with_tasks(section, cells(section, &table.probes)).into_iter().enumerate() {
            let row: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            lines.push(format!("| {} |", row.join(" | ")));
            if number == 0 {
                lines.push(format!("|{}", " --- |".repeat(row.len())));
            }
        }
        lines.push(String::new());
    }
    lines.push(table.how.clone());
    lines.join("\n")
}

/// The methods' own metrics, one line each: as a column they would make the table too wide for a terminal.
fn asked(section: &Section) -> Option<String> {
    let mut columns = table::Table::bare();
    let told = section.lines.iter().filter_map(|line| Some([name(line), task(line.task.as_ref()?)]));
    let told: Vec<_> = told.collect();
    told.iter().for_each(|row| columns.row(row.to_vec()));
    (!told.is_empty()).then(|| format!("{ASKED}:\n\n{columns}\n"))
}

/// The rows with a column for the methods' own metrics, before those of the probes.
fn with_tasks(section: &Section, mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    if section.lines.iter().all(|line| line.task.is_none()) {
        return rows;
    }
    let told = section.lines.iter().map(|line| line.task.as_ref().map(task).unwrap_or_default());
    let column = std::iter::once(ASKED.to_string()).chain(told).chain(std::iter::repeat(String::new()));
    rows.iter_mut().zip(column).for_each(|(row, cell)| row.insert(SHARED, cell));
    rows
}

/// `places found 91.1 % (guessing gives 12.5 %)`. Guessing is left out where it is trivially 0 or 1.
pub(super) fn task(task: &Task) -> String {
    let chance = task.chance.filter(|chance| ![0.0, 1.0].contains(chance));
    let chance = chance.map(|chance| format!(" (guessing gives {})", format::measured(task.unit, chance)));
    let value = match (task.unit, task.value.deviation) {
        (unit, None) => format::measured(unit, task.value.mean),
        (Unit::Share, Some(_)) => format!("{} %", share(task.value)),
        (Unit::Number, Some(_)) => spread(task.value, 4, false),
    };
    format!("{} {value}{}", task.name, chance.unwrap_or_default())
}

pub(super) fn title(section: &Section) -> String {
    let [train, test] = [section.train_images, section.test_images].map(format::thousands);
    let devices: Vec<&str> = section.lines.iter().map(|line| line.device.as_str()).collect();
    let one = devices.windows(2).all(|pair| pair[0] == pair[1]);
    let trained = if one { format!("; trained on {}", devices[0]) } else { String::new() };
    format!("{}: probed with {train} training and {test} test images{trained}", section.data)
}

/// The header, one row for each line, and the controls that all lines share.
fn cells(section: &Section, probes: &[&str]) -> Vec<Vec<String>> {
    let kinds = PROBES.iter().filter(|(probe, _)| probes.contains(probe));
    let layout = Layout::of(section, probes);
    let mut heads: Vec<String> = ["method", "seeds", "minutes"].map(String::from).to_vec();
    heads.extend(layout.device.then(|| "trained on".to_string()));
    for (_, title) in kinds {
        heads.extend([title.to_string(), "untrained".into()]);
        heads.extend(layout.supervised.then(|| "with labels".to_string()));
        heads.push("over controls".into());
    }
    heads.push("verdict".into());
    let mut rows = vec![heads];
    rows.extend(section.lines.iter().map(|line| row(line, probes, layout)));
    rows.extend(controls().into_iter().map(|(title, of)| {
        let mut row = vec![title.to_string(), String::new(), String::new()];
        row.extend(layout.device.then(String::new));
        for probe in probes {
            row.push(control(section, probe, of).unwrap_or_default());
            row.extend(std::iter::repeat_n(String::new(), if layout.supervised { 3 } else { 2 }));
        }
        row.push(String::new());
        row
    }));
    rows
}

/// Optional columns.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// The device, where the runs were trained on several.
    device: bool,
    /// The supervised control, where some line has it.
    pub(super) supervised: bool,
}

impl Layout {
    pub(super) fn of(section: &Section, probes: &[&str]) -> Self {
        let known =
            |line: &Line| probes.iter().any(|probe| reading(line, probe).is_some_and(|own| own.supervised.is_some()));
        Self {
            device: section.lines.windows(2).any(|pair| pair[0].device != pair[1].device),
            supervised: section.lines.iter().any(known),
        }
    }
}

/// The score of a control in a summary.
pub(super) type Control = fn(&ProbeSummary) -> &Score;

/// The controls that all lines share, with their names: raw pixels and their principal components.
pub(super) fn controls() -> [(&'static str, Control); 2] {
    [(Source::RawPixels.words(), |reading| &reading.pixels), (Source::Pca.words(), |reading| &reading.pca)]
}

/// Its accuracy in one probe.
pub(super) fn control(section: &Section, probe: &str, of: Control) -> Option<String> {
    let found = section.lines.iter().find_map(|line| reading(line, probe)).map(of);
    found.map(|score| share(score.accuracy))
}

fn row(line: &Line, probes: &[&str], layout: Layout) -> Vec<String> {
    let mut row = vec![name(line), line.seeds.len().to_string(), spread(line.minutes, 1, false)];
    row.extend(layout.device.then(|| line.device.clone()));
    for probe in probes {
        let found = reading(line, probe);
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_string());
        row.push(or_none(found.map(|reading| score(&reading.trained))));
        row.push(or_none(found.map(|reading| score(&reading.untrained))));
        let supervised = found.and_then(|reading| reading.supervised.as_ref()).map(score);
        row.extend(layout.supervised.then(|| or_none(supervised)));
        row.push(or_none(found.map(|reading| spread(reading.points, 1, true))));
    }
    row.push(verdict(line));
    row
}

/// `rotation`, `rotation full`, `rotation (epochs=4), 20 of 40 steps`.
pub(super) fn name(line: &Line) -> String {
    let mut name = line.method.clone();
    if line.preset != "small" {
        name.push_str(&format!(" {}", line.preset));
    }
    if !line.settings.is_empty() {
        name.push_str(&format!(" ({})", line.settings));
    }
    if line.steps < line.total_steps {
        name.push_str(&format!(", {} of {} steps", line.steps, line.total_steps));
    }
    name
}

pub(super) fn reading<'a>(line: &'a Line, probe: &str) -> Option<&'a ProbeSummary> {
    line.probes.iter().find(|reading| reading.probe == probe)
}

/// `above in both`, `above in linear, level in kNN`.
pub(super) fn verdict(line: &Line) -> String {
    match line.probes.as_slice() {
        [a, b] if a.standing == b.standing => format!("{} in both", a.standing.word()),
        readings => {
            let titled = |reading: &ProbeSummary| {
                let title = PROBES.iter().find(|(probe, _)| *probe == reading.probe).map_or("", |(_, title)| title);
                format!("{} in {title}", reading.standing.word())
            };
            readings.iter().map(titled).collect::<Vec<_>>().join(", ")
        }
    }
}

fn score(score: &Score) -> String {
    format!("{} {}", share(score.accuracy), score.layer)
}

/// `88.2`, `88.2 ±0.3`: in percent.
pub(super) fn share(accuracy: Spread) -> String {
    let hundredfold = |value: f64| 100.0 * value;
    spread(Spread { mean: hundredfold(accuracy.mean), deviation: accuracy.deviation.map(hundredfold) }, 1, false)
}

pub(super) fn spread(Spread { mean, deviation }: Spread, digits: usize, signed: bool) -> String {
    let mean = if signed { format!("{mean:+.digits$}") } else { format!("{mean:.digits$}") };
    deviation.map_or(mean.clone(), |deviation| format!("{mean} ±{deviation:.digits$}"))
}

/// CSV: one line for each setting, every number in a column of its own; shares in 0 to 1.
pub(super) fn csv(table: &Table) -> String {
    let Table { sections, probes, .. } = table;
    let mut heads: Vec<String> = [
        "data",
        "train_images",
        "test_images",
        "method",
        "preset",
        "settings",
        "seeds",
        "steps",
        "total_steps",
        "minutes",
        "device",
        "task",
        "task_value",
        "task_guessing",
    ]
    .map(String::from)
    .to_vec();
    let parts = [
        "",
        "_deviation",
        "_layer",
        "_untrained",
        "_untrained_layer",
        "_pixels",
        "_pca",
        "_supervised",
        "_supervised_layer",
        "_points",
        "_points_deviation",
    ];
    heads.extend(probes.iter().flat_map(|probe| parts.map(|part| format!("{probe}{part}"))));
    heads.push("verdict".into());
    let lines = sections.iter().flat_map(|section| section.lines.iter().map(|line| record(section, line, probes)));
    let rows = std::iter::once(heads).chain(lines);
    rows.map(|row| row.iter().map(|cell| format::csv_field(cell)).collect::<Vec<_>>().join(","))
        .collect::<Vec<_>>()
        .join("\n")
}

fn record(section: &Section, line: &Line, probes: &[&str]) -> Vec<String> {
    let optional = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let seeds: Vec<String> = line.seeds.iter().map(u64::to_string).collect();
    let mut row = vec![
        section.data.clone(),
        section.train_images.to_string(),
        section.test_images.to_string(),
        line.method.clone(),
        line.preset.clone(),
        line.settings.clone(),
        seeds.join(" "),
        line.steps.to_string(),
        line.total_steps.to_string(),
        format!("{:.2}", line.minutes.mean),
        line.device.clone(),
    ];
    row.extend(match &line.task {
        Some(task) => [task.name.clone(), task.value.mean.to_string(), optional(task.chance)],
        None => [const { String::new() }; 3],
    });
    for probe in probes {
        match reading(line, probe) {
            Some(ProbeSummary { trained, untrained, pixels, pca, supervised, points, .. }) => row.extend([
                trained.accuracy.mean.to_string(),
                optional(trained.accuracy.deviation),
                trained.layer.clone(),
                untrained.accuracy.mean.to_string(),
                untrained.layer.clone(),
                pixels.accuracy.mean.to_string(),
                pca.accuracy.mean.to_string(),
                optional(supervised.as_ref().map(|score| score.accuracy.mean)),
                supervised.as_ref().map_or(String::new(), |score| score.layer.clone()),
                format!("{:.3}", points.mean),
                points.deviation.map_or(String::new(), |deviation| format!("{deviation:.3}")),
            ]),
            None => row.extend(std::iter::repeat_n(String::new(), 11)),
        }
    }
    row.push(verdict(line));
    row
}
