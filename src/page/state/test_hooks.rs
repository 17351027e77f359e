//! What scripts and tests find on the page: `window.nolabel`.
//!
//! `nolabel.events()` gives the run's events so far as an array of plain objects, one an event, as `events.jsonl` has
//! them one a line: `{event: "step", step: 1, loss: 1.38, ...}`. In very long runs older steps are thinned out.

use js_sys::{Array, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

use crate::page::model::run_state::Record;
use crate::worker::js_value;

/// Hangs the hooks on the window.
pub fn install(record: RwSignal<Record>) {
    let events = Closure::<dyn Fn() -> Array>::new(move || {
        record.with_untracked(|record| record.log().iter().filter_map(|event| js_value::to_js(event).ok()).collect())
    });
    let hooks = Object::new();
    // setting properties of the window and of a fresh object cannot fail
    let _ = Reflect::set(&hooks, &"events".into(), events.as_ref());
    let _ = Reflect::set(&window(), &"nolabel".into(), &hooks);
    events.forget();
}
