//! `window.nolabel`, the interface for scripts and tests.
//!
//! `nolabel.events()` returns the events of the run so far as an array of plain objects, the same objects as the lines of
//! `events.jsonl`: `{event: "step", step: 1, loss: 1.38, ...}`. In very long runs older steps are thinned out.

use js_sys::{Array, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

use crate::page::model::run_state::RunState;
use crate::worker::js_value;

/// Installs the interface on the window.
pub fn install(run: RwSignal<RunState>) {
    let events = Closure::<dyn Fn() -> Array>::new(move || events(run));
    let hooks = Object::new();
    // setting properties of the window and of a fresh object cannot fail
    let _ = Reflect::set(&hooks, &"events".into(), events.as_ref());
    let _ = Reflect::set(&window(), &"nolabel".into(), &hooks);
    events.forget();
}

/// Events of the run as plain objects.
pub fn events(run: RwSignal<RunState>) -> Array {
    run.with_untracked(|run| run.log().iter().filter_map(|event| js_value::to_js(event).ok()).collect())
}
