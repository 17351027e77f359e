//! The page's handle of the engine's worker.

use js_sys::{Array, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::worker::js_value;
use crate::worker::protocol::{Command, FailureKind, Reply};

/// The script that starts the engine. `index.html` names it, because the name of a deployed one carries its digest.
fn script() -> Option<String> {
    document().query_selector("meta[name=engine]").ok()??.get_attribute("content")
}

/// The worker that `index.html` has started, with its replies so far; the first caller takes it.
fn early() -> Option<(Worker, Array)> {
    let name = "early".into();
    let early = Reflect::get(&window(), &name).ok().filter(JsValue::is_object)?;
    Reflect::set(&window(), &name, &JsValue::UNDEFINED).ok()?;
    let part = |name: &str| Reflect::get(&early, &name.into()).ok();
    Some((part("worker")?.dyn_into().ok()?, part("replies")?.dyn_into().ok()?))
}

/// Starts a worker out of `script`.
fn fresh(script: &str) -> Result<Worker, Reply> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options(script, &options).map_err(|error| failed(&format!("{error:?}")))
}

/// A running worker. Dropping the handle terminates it.
pub struct WorkerHandle {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

impl WorkerHandle {
    /// Starts a worker and calls `listener` with each of its replies, failures to load included.
    pub fn start(listener: impl Fn(Reply) + Clone + 'static) -> Result<Self, Reply> {
        let script = script().ok_or_else(|| failed("the page does not name its script"))?;
        let (worker, earlier) = match early() {
            Some(early) => early,
            None => (fresh(&script)?, Array::new()),
        };
        let reply = listener.clone();
        let read = move |message: JsValue| {
            reply(
                js_value::from_js(message)
                    .unwrap_or_else(|error| failed(&format!("it says what this page cannot read, {error}"))),
            );
        };
        let heard = read.clone();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| heard(message.data()));
        let on_error = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            let said = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|text| !text.is_empty());
            listener(failed(&said.unwrap_or_else(|| format!("its script `{script}` could not be fetched or run"))));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        // after this function, for the caller needs the handle to answer
        spawn_local(async move { earlier.iter().for_each(read) });
        Ok(Self { worker, _on_message: on_message, _on_error: on_error })
    }

    /// Sends a command.
    ///
    /// # Errors
    /// If it cannot be encoded as a message.
    pub fn send(&self, command: &Command) -> Result<(), Reply> {
        let sent = js_value::to_js(command)
            .and_then(|message| self.worker.post_message(&message).map_err(|error| format!("{error:?}")));
        sent.map_err(|error| failed(&format!("a command could not be sent, {error}")))
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn failed(why: &str) -> Reply {
    Reply::Failed {
        message: format!("The engine does not work: {why}. Start it again or reload the page."),
        kind: FailureKind::Engine,
    }
}
