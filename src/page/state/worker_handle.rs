//! The page's end of the line to the engine in its worker.

use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, Event, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::worker::js_value;
use crate::worker::protocol::{Command, Failure, Reply};

/// The script that starts the engine, beside the page.
const SCRIPT: &str = "engine.js";

/// A worker. It ends when this is dropped.
pub struct Engine {
    worker: Worker,
    _hear: Closure<dyn FnMut(MessageEvent)>,
    _break: Closure<dyn FnMut(Event)>,
}

impl Engine {
    /// Starts a worker that tells `listener` everything it says. A failure to start is told as well.
    pub fn start(listener: impl Fn(Reply) + Clone + 'static) -> Result<Self, Reply> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(SCRIPT, &options).map_err(|error| failed(&format!("{error:?}")))?;
        let tell = listener.clone();
        let hear = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            tell(
                js_value::from_js(message.data())
                    .unwrap_or_else(|error| failed(&format!("it says what this page cannot read, {error}"))),
            );
        });
        let broken = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            let said = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).filter(|text| !text.is_empty());
            listener(failed(&said.unwrap_or_else(|| format!("its script `{SCRIPT}` could not be fetched or run"))));
        });
        worker.set_onmessage(Some(hear.as_ref().unchecked_ref()));
        worker.set_onerror(Some(broken.as_ref().unchecked_ref()));
        Ok(Self { worker, _hear: hear, _break: broken })
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When it cannot be written as a message.
    pub fn send(&self, command: &Command) -> Result<(), Reply> {
        let sent = js_value::to_js(command)
            .and_then(|message| self.worker.post_message(&message).map_err(|error| format!("{error:?}")));
        sent.map_err(|error| failed(&format!("a command could not be sent, {error}")))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

fn failed(why: &str) -> Reply {
    Reply::Failed {
        message: format!("The engine does not work: {why}. Start it again or reload the page."),
        what: Failure::Engine,
    }
}
