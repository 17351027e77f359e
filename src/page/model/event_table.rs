//! The events of runs as files for other programs.

use serde_json::{Map, Value};

use super::run_list::RunLog;
use crate::session::event::Event;

/// Columns that come first, whatever the first event is. The first two name the run.
const FIRST: [&str; 4] = ["run", "run_name", "event", "step"];

/// The events as a table in CSV: a line for each event of each run, a column for each field of any. A nested field is named by its
/// path, `config.encoder.width`; a list is JSON text. What an event lacks is empty.
pub fn csv(runs: &[RunLog<'_>]) -> String {
    let of_run = |run: &RunLog<'_>| run.events.iter().map(|event| row(run, event)).collect::<Vec<_>>();
    let rows: Vec<Map<String, Value>> = runs.iter().flat_map(of_run).collect();
    let mut columns: Vec<&str> = FIRST.to_vec();
    for name in rows.iter().flat_map(Map::keys) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut text = line(columns.iter().map(ToString::to_string));
    for row in &rows {
        text += &line(columns.iter().map(|column| row.get(*column).map(cell).unwrap_or_default()));
    }
    text
}

/// The fields of an event and of its run.
fn row(run: &RunLog<'_>, event: &Event) -> Map<String, Value> {
    let mut fields = fields(event);
    fields.insert("run".into(), run.tag.number.into());
    fields.insert("run_name".into(), run.tag.title().into());
    fields
}

/// The fields of an event by their paths.
fn fields(event: &Event) -> Map<String, Value> {
    let mut fields = Map::new();
    // an event holds nothing that JSON lacks
    flatten("", serde_json::to_value(event).unwrap_or_default(), &mut fields);
    fields
}

fn flatten(path: &str, value: Value, fields: &mut Map<String, Value>) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                flatten(&path, value, fields);
            }
        }
        value => drop(fields.insert(path.into(), value)),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A line of cells. Those with commas, quotes or line breaks are quoted.
fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::probe_summary::tests::round;
    use crate::page::model::run_state::tests::{plan, step};
    use crate::worker::protocol::RunTag;

    /// The cells of a table, read by the rules of RFC 4180.
    fn read(text: &str) -> Vec<Vec<String>> {
        let mut rows = vec![vec![String::new()]];
        let mut quoted = false;
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let row = rows.last_mut().expect("there is one");
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => row.last_mut().expect("a cell").extend(letters.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(String::new()),
                '\n' if !quoted => rows.push(vec![String::new()]),
                other => row.last_mut().expect("a cell").push(other),
            }
        }
        assert_eq!(rows.pop(), Some(vec![String::new()]), "the last line ends");
        rows
    }

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn the_table_holds_each_field_of_each_event() {
        let message = "mind, the \"loss\"\nis not a number".to_string();
        let events = [
            plan(100, 0),
            step(1, 0.1 + 0.2, None),
            step(2, 1e-9, Some(0.5)),
            Event::Probe(round(2, 0.0)),
            Event::Warning { message },
        ];
        let tag = RunTag { id: 5, number: 3, name: "the \"first\"".into() };
        let rows = read(&csv(&[RunLog { tag: &tag, events: &events }]));
        assert_eq!(rows[0][..4], ["run", "run_name", "event", "step"]);
        assert_eq!(rows.len(), events.len() + 1);
        for (event, line) in events.iter().zip(&rows[1..]) {
            assert_eq!(line[..2], ["3", "the \"first\""]);
            let fields = row(&RunLog { tag: &tag, events: &[] }, event);
            let row = line;
            for (name, text) in rows[0].iter().zip(row) {
                let value = fields.get(name).cloned().unwrap_or_default();
                let same = match &value {
                    Value::Null => text.is_empty(),
                    Value::String(expected) => text == expected,
                    // both through digits, which may cost a number its last bit
                    other => parsed(text) == parsed(&other.to_string()),
                };
                assert!(same, "{name}: {text} is not {value}");
            }
            assert!(fields.keys().all(|name| rows[0].contains(name)));
        }
        let column = |name: &str| rows[0].iter().position(|column| column == name).expect("a column");
        assert_eq!(rows[2][column("loss")], "0.30000000000000004");
        assert_eq!(rows[1][column("config.seed")], "1");
    }

    #[test]
    fn each_run_has_its_lines_in_one_table() {
        let (first, second) = (RunTag::default(), RunTag { id: 1, number: 1, name: String::new() });
        let events = [step(1, 0.5, None), step(2, 0.25, None)];
        let rows =
            read(&csv(&[RunLog { tag: &first, events: &events }, RunLog { tag: &second, events: &events[1..] }]));
        let loss = rows[0].iter().position(|column| column == "loss").expect("a column");
        let told: Vec<[&str; 4]> =
            rows[1..].iter().map(|row| [&row[0], &row[1], &row[3], &row[loss]].map(String::as_str)).collect();
        assert_eq!(told, [["0", "Run 0", "1", "0.5"], ["0", "Run 0", "2", "0.25"], ["1", "Run 1", "2", "0.25"]]);
    }

    #[test]
    fn no_runs_are_a_table_without_lines() {
        assert_eq!(csv(&[]), "run,run_name,event,step\n");
    }
}
