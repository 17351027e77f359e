//! Replies to the page.

use std::cell::Cell;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

use super::js_value::to_js;
use super::protocol::{FailureKind, Reply};
use crate::error::Error;

thread_local! {
    /// True while a GPU is in use: a failure may then be its loss.
    static ON_GPU: Cell<bool> = const { Cell::new(false) };
    /// True once the loss of the GPU is reported: the callback, the next readback and a panic may all notice it.
    static LOSS_REPORTED: Cell<bool> = const { Cell::new(false) };
}

/// The global scope of the worker.
pub(super) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Sends a reply to the page.
pub(super) fn post(reply: &Reply) {
    let sent = to_js(reply).and_then(|message| scope().post_message(&message).map_err(|error| format!("{error:?}")));
    if let Err(error) = sent {
        let text = format!("a message could not be sent to the page: {error}");
        let failed = Reply::Failed { message: text, kind: FailureKind::Run };
        // two strings can always be encoded; if the page is gone, nobody is left to report to
        let _ = scope().post_message(&to_js(&failed).unwrap_or(JsValue::NULL));
    }
}

/// Sets whether a GPU is in use.
pub(super) fn set_on_gpu(on_gpu: bool) {
    ON_GPU.set(on_gpu);
}

/// Reports a failure. The worker continues.
pub(super) fn report(error: &Error) {
    let kind = match error {
        Error::DeviceLost(message) if ON_GPU.get() => return report_lost_gpu(message),
        Error::Device(_) => FailureKind::Device,
        Error::Data(_) => FailureKind::Data,
        _ => FailureKind::Run,
    };
    post(&Reply::Failed { message: error.to_string(), kind });
}

/// Reports the loss of the GPU, once.
pub(super) fn report_lost_gpu(message: &str) {
    if !LOSS_REPORTED.replace(true) {
        let reason = if message.is_empty() { "the browser does not say why" } else { message };
        let message = format!(
            "The GPU stopped answering: {reason}. Continue on the CPU, or reload the page to try the GPU again."
        );
        post(&Reply::Failed { message, kind: FailureKind::DeviceLost });
    }
}

/// Reports panics to the page: a panic ends the engine, and nothing else would.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let reason = info.payload_as_str().unwrap_or("for an unknown reason").to_string();
        if ON_GPU.get() {
            return report_lost_gpu(&reason);
        }
        let message = format!("The engine stopped ({reason}). Start it again; if it happens again, please report it.");
        post(&Reply::Failed { message, kind: FailureKind::Engine });
    }));
}
