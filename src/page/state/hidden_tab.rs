//! Notices that the tab is hidden and shown again.

use leptos::prelude::*;

use super::store::PageState;
use crate::page::model::hidden_time::HiddenSince;
use crate::page::model::phase::Phase;

/// Keeps [`PageState::hidden_time`] up to date. Browsers slow down what a hidden tab does; the engine's worker is spared, and
/// the visitor is told so.
pub fn watch(state: PageState) {
    let since = StoredValue::new_local(None::<HiddenSince>);
    let handle = window_event_listener_untyped("visibilitychange", move |_| {
        let now = js_sys::Date::now();
        let step = state.run.with_untracked(|run| run.steps());
        if document().hidden() {
            let trains = state.phase.get_untracked() == Phase::Running;
            since.set_value(trains.then_some(HiddenSince { step, time: now }));
        } else if let Some(since) = since.try_update_value(Option::take).flatten() {
            state.hidden_time.set(since.sentence(step, now));
        }
    });
    on_cleanup(move || handle.remove());
}
