//! The runs of this browser: those that the engine keeps, those of this tab alone, and the choice of those that are compared.

use std::sync::Arc;

use super::run_state::RunState;
use super::run_text::NamedRun;
use crate::session::event::Event;
use crate::worker::protocol::{KeptRun, RunTag};

/// Curves in a chart at most, the one of the run on show included.
pub const MOST_COMPARED: usize = 5;

/// A run of the list.
#[derive(Clone, Debug)]
pub struct ListedRun {
    /// Its summary.
    pub kept: KeptRun,
    /// True if it is in the browser's storage, false if only this tab knows it.
    pub stored: bool,
    /// The run, once its events have been read.
    pub state: Option<Arc<RunState>>,
    /// The events read so far.
    reading: RunState,
}

/// The events of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunLog<'a> {
    /// Identity of the run.
    pub tag: &'a RunTag,
    /// Its events in order.
    pub events: &'a [Event],
}

/// All runs but the one on show, unless that is kept too.
#[derive(Clone, Debug, Default)]
pub struct RunList {
    /// The newest first.
    runs: Vec<ListedRun>,
    /// Ids of the runs to compare, the latest chosen last.
    compared: Vec<u64>,
    /// True if this tab may change stored runs.
    pub is_writable: bool,
}

impl RunList {
    /// A list without runs, in which `compared` will be compared.
    pub fn new(compared: Vec<u64>) -> Self {
        Self { compared, ..Self::default() }
    }

    /// All runs, the newest first.
    pub fn runs(&self) -> &[ListedRun] {
        &self.runs
    }

    /// The run with this id.
    pub fn get(&self, id: u64) -> Option<&ListedRun> {
        self.runs.iter().find(|run| run.kept.tag.id == id)
    }

    /// Takes over the engine's list of stored runs. Runs that are stored no more are gone.
    pub fn set_stored(&mut self, stored: Vec<KeptRun>, is_writable: bool) {
        self.is_writable = is_writable;
        self.runs.retain(|run| !run.stored || stored.iter().any(|kept| kept.tag.id == run.kept.tag.id));
        for kept in stored {
            match self.get_mut(kept.tag.id) {
                Some(run) => {
                    // what was read before is older
                    run.state.take_if(|state| state.steps() < kept.step);
                    run.kept = kept;
                    run.stored = true;
                }
                None => self.insert(kept, true, None),
            }
        }
    }

    /// Keeps the run that leaves the page. A run without a step is forgotten. `now` is in milliseconds since 1970.
    pub fn keep(&mut self, tag: &RunTag, run: &RunState, now: f64) {
        let known = self.get(tag.id);
        let stored = known.is_some_and(|run| run.stored);
        let has_checkpoint = known.is_some_and(|run| run.kept.has_checkpoint);
        let Some(kept) = KeptRun::of(tag.clone(), run.log(), now, has_checkpoint) else { return };
        if kept.step == 0 {
            return;
        }
        self.runs.retain(|run| run.kept.tag.id != tag.id);
        self.insert(kept, stored, Some(Arc::new(run.clone())));
    }

    /// Removes a run.
    pub fn remove(&mut self, id: u64) {
        self.runs.retain(|run| run.kept.tag.id != id);
        self.compared.retain(|other| *other != id);
    }

    /// Names a run.
    pub fn rename(&mut self, id: u64, name: &str) {
        self.get_mut(id).into_iter().for_each(|run| run.kept.tag.name = name.into());
    }

    /// Adds events that were read of a run; with `last` they are complete.
    pub fn read(&mut self, id: u64, events: Vec<Event>, last: bool) {
        let Some(run) = self.get_mut(id) else { return };
        events.into_iter().for_each(|event| run.reading.apply(event));
        if last {
            run.state = Some(Arc::new(std::mem::take(&mut run.reading)));
        }
    }

    /// Ids of the runs to compare, the latest chosen last.
    pub fn compared(&self) -> &[u64] {
        &self.compared
    }

    /// Compares a run, or compares it no more. Where there are too many, the one chosen first makes room.
    pub fn compare(&mut self, id: u64, compared: bool) {
        self.compared.retain(|other| *other != id);
        if compared {
            self.compared.push(id);
            let surplus = self.compared.len().saturating_sub(MOST_COMPARED);
            self.compared.drain(..surplus);
        }
    }

    /// Ids of the compared runs other than `shown` whose events have not been read.
    pub fn unread(&self, shown: Option<u64>) -> Vec<u64> {
        let wanted = self.compared.iter().copied().filter(|id| Some(*id) != shown);
        wanted.filter(|id| self.get(*id).is_some_and(|run| run.state.is_none())).collect()
    }

    /// Forgets the events of stored runs that are not compared: they can be read again.
    pub fn free(&mut self) {
        let compared = &self.compared;
        self.runs
            .iter_mut()
            .filter(|run| run.stored && !compared.contains(&run.kept.tag.id))
            .for_each(|run| run.state = None);
    }

    /// Drops comparisons with runs that are gone; `shown` is the run on show.
    pub fn forget_missing(&mut self, shown: Option<u64>) {
        let runs = &self.runs;
        self.compared.retain(|id| Some(*id) == shown || runs.iter().any(|run| run.kept.tag.id == *id));
    }

    /// Ids of all runs other than `shown` whose events have not been read.
    pub fn all_unread(&self, shown: Option<u64>) -> Vec<u64> {
        let unread = self.runs.iter().filter(|run| run.state.is_none()).map(|run| run.kept.tag.id);
        unread.filter(|id| Some(*id) != shown).collect()
    }

    /// All runs, the newest first, with the run on show among them.
    pub fn named(&self, shown: Option<&NamedRun>) -> Vec<NamedRun> {
        let id = shown.map(|run| run.tag.id);
        let listed = self.runs.iter().filter(|run| Some(run.kept.tag.id) != id);
        let listed = listed.map(|run| NamedRun { tag: run.kept.tag.clone(), started: run.kept.started.clone() });
        let mut all: Vec<NamedRun> = listed.chain(shown.cloned()).collect();
        all.sort_by_key(|run| std::cmp::Reverse(run.tag.id));
        all
    }

    /// The events of all runs that have been read, the oldest first; those of the run on show are `shown`.
    pub fn logs<'a>(&'a self, shown: Option<RunLog<'a>>) -> Vec<RunLog<'a>> {
        let id = shown.map(|run| run.tag.id);
        let listed = self.runs.iter().filter(|run| Some(run.kept.tag.id) != id);
        let listed = listed.filter_map(|run| Some(RunLog { tag: &run.kept.tag, events: run.state.as_ref()?.log() }));
        let mut all: Vec<RunLog<'a>> = listed.chain(shown).collect();
        all.sort_by_key(|run| run.tag.id);
        all
    }

    /// Number of the next run.
    pub fn next_number(&self, shown: Option<&RunTag>) -> usize {
        let numbers = self.runs.iter().map(|run| run.kept.tag.number).chain(shown.map(|tag| tag.number));
        1 + numbers.max().unwrap_or(0)
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut ListedRun> {
        self.runs.iter_mut().find(|run| run.kept.tag.id == id)
    }

    fn insert(&mut self, kept: KeptRun, stored: bool, state: Option<Arc<RunState>>) {
        let place = self.runs.partition_point(|run| run.kept.tag.id > kept.tag.id);
        self.runs.insert(place, ListedRun { kept, stored, state, reading: RunState::default() });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::page::model::run_state::tests::{plan, step};

    /// A run of so many steps with its tag.
    pub fn run(number: usize, steps: usize) -> (RunTag, RunState) {
        let mut run = RunState::default();
        run.apply(plan(100, 0));
        (1..=steps).for_each(|at| run.apply(step(at, 2.0 / at as f64, Some(0.5))));
        (RunTag { id: number as u64, number, name: String::new() }, run)
    }

    fn summary(number: usize, steps: usize) -> KeptRun {
        let (tag, run) = run(number, steps);
        KeptRun::of(tag, run.log(), 9.0, true).expect("it has started")
    }

    fn ids(list: &RunList) -> Vec<u64> {
        list.runs().iter().map(|run| run.kept.tag.id).collect()
    }

    #[test]
    fn a_run_that_leaves_the_page_is_kept_whole() {
        let mut list = RunList::default();
        let (tag, shown) = run(1, 40);
        list.keep(&tag, &shown, 5.0);
        let kept = list.get(1).expect("it is kept");
        assert_eq!((kept.stored, kept.kept.step, kept.kept.saved), (false, 40, 5.0));
        assert_eq!(kept.state.as_ref().map(|state| state.log().len()), Some(41));
        let mean = (21..=40).map(|at| 2.0 / f64::from(at)).sum::<f64>() / 20.0;
        assert!((kept.kept.loss.expect("a loss") - mean).abs() < 1e-12);
        // nothing to keep
        list.keep(&run(2, 0).0, &run(2, 0).1, 6.0);
        list.keep(&tag, &RunState::default(), 6.0);
        assert_eq!(ids(&list), [1]);
        assert_eq!((list.next_number(None), list.next_number(Some(&run(7, 0).0))), (2, 8));
    }

    #[test]
    fn stored_runs_come_and_go_and_others_stay() {
        let mut list = RunList::default();
        let (tag, shown) = run(2, 10);
        list.keep(&tag, &shown, 5.0);
        list.set_stored(vec![summary(3, 20), summary(1, 30)], true);
        assert_eq!(ids(&list), [3, 2, 1]);
        list.set_stored(vec![summary(3, 20)], false);
        assert_eq!((ids(&list), list.is_writable), (vec![3, 2], false));
        // once stored, it goes with the others
        list.set_stored(vec![summary(3, 20), summary(2, 10)], true);
        assert!(list.get(2).is_some_and(|run| run.stored && run.state.is_some()));
        list.set_stored(vec![summary(3, 20)], true);
        assert_eq!(ids(&list), [3]);
    }

    #[test]
    fn events_are_read_in_pieces_and_again_after_a_later_save() {
        let mut list = RunList::new(vec![1, 4]);
        list.set_stored(vec![summary(1, 3)], true);
        assert_eq!((list.unread(None), list.unread(Some(1))), (vec![1], Vec::new()));
        let events = run(1, 3).1.log().to_vec();
        list.read(1, events[..2].to_vec(), false);
        assert_eq!(list.unread(None), [1]);
        list.read(1, events[2..].to_vec(), true);
        assert_eq!(list.get(1).and_then(|run| run.state.as_ref()).map(|state| state.log().to_vec()), Some(events));
        assert!(list.unread(None).is_empty());
        list.set_stored(vec![summary(1, 5)], true);
        assert_eq!(list.unread(None), [1], "it went on in another tab");
    }

    #[test]
    fn the_run_chosen_first_makes_room_for_the_sixth() {
        let mut list = RunList::default();
        (1..=6).for_each(|id| list.compare(id, true));
        assert_eq!(list.compared(), [2, 3, 4, 5, 6]);
        list.compare(4, false);
        list.compare(2, true);
        assert_eq!(list.compared(), [3, 5, 6, 2]);
        list.remove(5);
        assert_eq!(list.compared(), [3, 6, 2]);
    }

    #[test]
    fn all_runs_stand_in_order_with_the_one_on_show_as_it_is_now() {
        let mut list = RunList::new(vec![1, 2, 9]);
        list.set_stored(vec![summary(1, 3), summary(2, 3), summary(3, 3)], true);
        list.read(1, run(1, 3).1.log().to_vec(), true);
        let (tag, now) = run(2, 8);
        let shown = RunLog { tag: &tag, events: now.log() };
        let logs: Vec<(u64, usize)> = list.logs(Some(shown)).iter().map(|run| (run.tag.id, run.events.len())).collect();
        assert_eq!(logs, [(1, 4), (2, 9)], "the third has not been read");
        assert_eq!((list.all_unread(Some(2)), list.all_unread(None)), (vec![3], vec![3, 2]));
        let named = NamedRun { tag: run(4, 0).0, started: now.plan.clone().expect("it has started") };
        let numbers: Vec<usize> = list.named(Some(&named)).iter().map(|run| run.tag.number).collect();
        assert_eq!(numbers, [4, 3, 2, 1]);
        list.forget_missing(Some(9));
        assert_eq!(list.compared(), [1, 2, 9]);
        list.forget_missing(None);
        assert_eq!(list.compared(), [1, 2]);
    }

    #[test]
    fn only_what_can_be_read_again_is_freed() {
        let mut list = RunList::default();
        for number in 1..=3 {
            let (tag, shown) = run(number, 4);
            list.keep(&tag, &shown, 1.0);
        }
        list.set_stored(vec![summary(1, 4), summary(2, 4)], true);
        list.compare(2, true);
        list.free();
        assert_eq!([1, 2, 3].map(|id| list.get(id).is_some_and(|run| run.state.is_some())), [false, true, true]);
    }
}
