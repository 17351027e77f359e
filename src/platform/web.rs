//! Browser, in the page or in a worker.

use js_sys::Reflect;
use wasm_bindgen::JsCast;

/// Seconds since some fixed moment; never runs backwards.
pub fn now() -> f64 {
    let global = js_sys::global();
    let clock = Reflect::get(&global, &"performance".into()).ok().and_then(|clock| clock.dyn_into::<web_sys::Performance>().ok());
    clock.map_or_else(js_sys::Date::now, |clock| clock.now()) / 1000.0
}

/// Lets the event loop run: messages arrive, the GPU's answers come in.
///
/// A timer, not a resolved promise: promises are served before anything else gets its turn.
pub async fn yield_now() {
    gloo::timers::future::TimeoutFuture::new(0).await;
}
