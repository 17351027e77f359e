//! The way back to the page.

use std::cell::Cell;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

use super::js_value::to_js;
use super::protocol::{Failure, Reply};
use crate::error::Error;

thread_local! {
    /// Whether a GPU is in use, so that a failure may be its loss.
    static ON_GPU: Cell<bool> = const { Cell::new(false) };
    /// A lost GPU is told once: the callback, the next read and a panic may all notice it.
    static LOSS_TOLD: Cell<bool> = const { Cell::new(false) };
}

/// The worker itself.
pub(super) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends a message to the page.
pub(super) fn post(reply: &Reply) {
    let sent = to_js(reply).and_then(|message| scope().post_message(&message).map_err(|error| format!("{error:?}")));
    if let Err(error) = sent {
        let text = format!("a message could not be sent to the page: {error}");
        let failed = Reply::Failed { message: text, what: Failure::Run };
        // two strings always fit; with the page gone there is nobody left to tell
        let _ = scope().post_message(&to_js(&failed).unwrap_or(JsValue::NULL));
    }
}

/// Remembers whether a GPU is in use.
pub(super) fn set_on_gpu(on_gpu: bool) {
    ON_GPU.set(on_gpu);
}

/// Tells of something that failed; the worker goes on.
pub(super) fn fail(error: &Error) {
    let what = match error {
        Error::DeviceLost(message) if ON_GPU.get() => return lose(message),
        Error::Device(_) => Failure::Device,
        Error::Data(_) => Failure::Data,
        _ => Failure::Run,
    };
    post(&Reply::Failed { message: error.to_string(), what });
}

/// Tells that the GPU is gone.
pub(super) fn lose(message: &str) {
    if !LOSS_TOLD.replace(true) {
        let said = if message.is_empty() { "the browser does not say why".to_string() } else { message.to_string() };
        let message =
            format!("The GPU stopped answering: {said}. Continue on the CPU, or reload the page to try the GPU again.");
        post(&Reply::Failed { message, what: Failure::DeviceLost });
    }
}

/// A panic ends the engine: the page has to hear of it from here or never.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let what = info.payload_as_str().unwrap_or("for an unknown reason").to_string();
        if ON_GPU.get() {
            return lose(&what);
        }
        let message = format!("The engine stopped ({what}). Start it again; if it happens again, please report it.");
        post(&Reply::Failed { message, what: Failure::Engine });
    }));
}
