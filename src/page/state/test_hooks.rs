//! `window.nolabel`, the interface for scripts and tests.
//!
//! `nolabel.events()` returns the events of the run on show as an array of plain objects, the same objects as the lines of
//! `events.jsonl`: `{event: "step", step: 1, loss: 1.38, ...}`. In very long runs older steps are thinned out.
//!
//! `nolabel.runs()` promises all runs of this browser, the oldest first: `{run: 1, run_name: "Run 1", events: [...]}`.

use js_sys::{Array, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

use super::store::PageState;
use crate::page::model::run_list::RunLog;
use crate::session::event::Event;
use crate::worker::js_value;

/// Installs the interface on the window.
pub fn install(state: PageState) {
    let events = Closure::<dyn Fn() -> Array>::new(move || state.run.with_untracked(|run| objects(run.log())));
    let runs = Closure::<dyn Fn() -> Promise>::new(move || promise_runs(state));
    let hooks = Object::new();
    // setting properties of the window and of a fresh object cannot fail
    let _ = Reflect::set(&hooks, &"events".into(), events.as_ref());
    let _ = Reflect::set(&hooks, &"runs".into(), runs.as_ref());
    let _ = Reflect::set(&window(), &"nolabel".into(), &hooks);
    events.forget();
    runs.forget();
}

fn promise_runs(state: PageState) -> Promise {
    Promise::new(&mut |resolve, _| {
        state.with_all_runs(move |logs| {
            // a function of the browser's own
            let _ = resolve.call1(&JsValue::NULL, &runs(logs));
        });
    })
}

/// Runs with their events as plain objects.
pub fn runs(logs: &[RunLog<'_>]) -> Array {
    let object = |run: &RunLog<'_>| {
        let object = Object::new();
        let fields = [
            ("run", JsValue::from_f64(run.tag.number as f64)),
            ("run_name", run.tag.title().into()),
            ("events", objects(run.events).into()),
        ];
        for (name, value) in fields {
            let _ = Reflect::set(&object, &name.into(), &value);
        }
        object
    };
    logs.iter().map(object).collect()
}

fn objects(events: &[Event]) -> Array {
    events.iter().filter_map(|event| js_value::to_js(event).ok()).collect()
}
