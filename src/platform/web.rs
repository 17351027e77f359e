//! Time and scheduling in a browser, in the page or in a worker.

use std::cell::RefCell;
use std::collections::VecDeque;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageChannel, MessagePort};

thread_local! {
    /// Promises that wait for a turn of the event loop.
    static WAITING: RefCell<VecDeque<Function>> = const { RefCell::new(VecDeque::new()) };
    /// The port whose every message resolves one of them.
    static PORT: Option<MessagePort> = open();
}

unsafe extern "C" {
    /// All constructors of the program; the linker makes it.
    fn __wasm_call_ctors();
}

/// Runs the program's constructors, which fill registries of Burn's kernel compiler: the first thing that a program does.
///
/// Unless a program calls them itself, the linker has every exported function do so, and each call from JavaScript then runs
/// thousands of constructors again: the menu of the page took 2.4 s to be sent instead of milliseconds.
pub fn run_constructors() {
    // SAFETY: the constructors are those of the crate `inventory`, which may run at any time and any number of times
    unsafe { __wasm_call_ctors() }
}

/// Seconds since some fixed moment; monotonic.
pub fn now() -> f64 {
    let global = js_sys::global();
    let clock = Reflect::get(&global, &"performance".into())
        .ok()
        .and_then(|clock| clock.dyn_into::<web_sys::Performance>().ok());
    clock.map_or_else(js_sys::Date::now, |clock| clock.now()) / 1000.0
}

/// Lets the event loop run: messages arrive, the GPU's answers come in.
///
/// It posts a message to itself. A resolved promise would run before all other events, and browsers stretch repeated timers to
/// 4 ms, which is as long as a step on a good GPU.
pub async fn yield_now() {
    let Some(port) = PORT.with(Clone::clone) else { return gloo::timers::future::TimeoutFuture::new(0).await };
    let turn = Promise::new(&mut |resolve, _| WAITING.with_borrow_mut(|waiting| waiting.push_back(resolve)));
    match port.post_message(&JsValue::NULL) {
        // only the handler below settles the promise, so that it is never rejected
        Ok(()) => drop(JsFuture::from(turn).await),
        Err(_) => gloo::timers::future::TimeoutFuture::new(0).await,
    }
}

fn open() -> Option<MessagePort> {
    let channel = MessageChannel::new().ok()?;
    let serve = Closure::<dyn FnMut()>::new(|| {
        if let Some(resolve) = WAITING.with_borrow_mut(VecDeque::pop_front) {
            // resolving a promise cannot throw
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    channel.port1().set_onmessage(Some(serve.as_ref().unchecked_ref()));
    serve.forget();
    Some(channel.port2())
}
