//! Rows of the table of runs.

use super::comparison::Comparison;
use super::run_list::{ListedRun, RunList};
use super::run_text::{NamedRun, differing};
use crate::format;
use crate::worker::protocol::{KeptRun, MethodCard};

/// The text for a value that there is none of yet.
const NONE: &str = "–";

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Id of the run.
    pub id: u64,
    /// Name given by the visitor, or `Run` and the number.
    pub title: String,
    /// The settings in which it differs from other runs of the table.
    pub differing: String,
    /// Steps taken, loss and accuracy of the linear probe, as texts.
    pub numbers: [String; 3],
    /// Index of its colour in the charts.
    pub colour: Option<usize>,
    /// True if its curves are in the charts.
    pub is_compared: bool,
    /// True for the run on show.
    pub is_shown: bool,
    /// True if it can be continued from its checkpoint.
    pub can_continue: bool,
    /// True if the visitor can name and delete it: not where another tab holds it.
    pub can_change: bool,
}

/// The rows, the newest run first. `shown` is the run on show.
pub fn rows(list: &RunList, shown: Option<&NamedRun>, comparison: &Comparison, methods: &[MethodCard]) -> Vec<RunRow> {
    let named = list.named(shown);
    let differing = differing(&named, methods);
    let row = |(run, differing): (&NamedRun, String)| {
        let id = run.tag.id;
        let listed = list.get(id);
        let is_shown = shown.is_some_and(|shown| shown.tag.id == id);
        let continues = |run: &ListedRun| run.kept.has_checkpoint && !run.kept.is_finished();
        RunRow {
            id,
            title: run.tag.title(),
            differing,
            numbers: listed.map_or_else(|| [NONE; 3].map(String::from), |run| numbers(&run.kept)),
            colour: if is_shown { Some(0) } else { comparison.colour(id) },
            is_compared: is_shown || list.compared().contains(&id),
            is_shown,
            can_continue: list.is_writable && listed.is_some_and(continues),
            can_change: list.is_writable || listed.is_none_or(|run| !run.stored),
        }
    };
    named.iter().zip(differing).map(row).collect()
}

/// Steps, loss and accuracy of a run as texts.
pub fn numbers(run: &KeptRun) -> [String; 3] {
    let none = || NONE.to_string();
    [
        format::thousands(run.step),
        run.loss.map_or_else(none, format::number),
        run.linear.map_or_else(none, format::percent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::model::run_list::tests::run;

    #[test]
    fn rows_say_what_can_be_done_with_each_run() {
        let mut list = RunList::new(vec![1]);
        for (number, steps) in [(1, 100), (2, 40)] {
            let (tag, state) = run(number, steps);
            list.keep(&tag, &state, 0.0);
        }
        let stored = list.runs().iter().map(|run| KeptRun { has_checkpoint: true, ..run.kept.clone() }).collect();
        list.set_stored(stored, true);
        let (tag, state) = run(3, 5);
        let shown = NamedRun { tag, started: state.plan.expect("it has started") };
        let comparison = Comparison::of(&list, Some(&shown), &[]);
        let table = |list: &RunList| rows(list, Some(&shown), &comparison, &[]);
        let each = |list: &RunList, of: fn(&RunRow) -> bool| table(list).iter().map(of).collect::<Vec<_>>();
        assert_eq!(table(&list).iter().map(|row| row.title.as_str()).collect::<Vec<_>>(), ["Run 3", "Run 2", "Run 1"]);
        assert_eq!(each(&list, |row| row.is_shown), [true, false, false]);
        assert_eq!(each(&list, |row| row.is_compared), [true, false, true]);
        assert_eq!(each(&list, |row| row.can_continue), [false, true, false], "the first has no step left");
        assert_eq!(table(&list)[1].numbers, ["40", "0.0681", "–"]);
        assert_eq!(table(&list).iter().map(|row| row.colour).collect::<Vec<_>>(), [Some(0), None, Some(1)]);
        list.is_writable = false;
        assert_eq!(each(&list, |row| row.can_change), [true, false, false]);
        assert_eq!(each(&list, |row| row.can_continue), [false; 3]);
    }
}
