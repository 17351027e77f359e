//! The width of an element on the screen, as a signal.

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;

/// Width in pixels until the element has been measured.
const FIRST: f64 = 420.0;

#[wasm_bindgen]
extern "C" {
    type ResizeObserver;

    #[wasm_bindgen(constructor)]
    fn new(callback: &js_sys::Function) -> ResizeObserver;

    #[wasm_bindgen(method)]
    fn observe(this: &ResizeObserver, target: &web_sys::Element);

    #[wasm_bindgen(method)]
    fn disconnect(this: &ResizeObserver);
}

/// Width of the element in `place`, updated whatever changes it: the window, a neighbour, a phone that is turned.
pub fn use_width(place: NodeRef<Div>) -> RwSignal<f64> {
    let width = RwSignal::new(FIRST);
    let measure = Closure::<dyn FnMut()>::new(move || {
        let found = place.get_untracked().map(|element| element.get_bounding_client_rect().width());
        if let Some(found) = found.filter(|found| *found > 0.0 && *found != width.get_untracked()) {
            width.set(found);
        }
    });
    let observer = StoredValue::new_local((ResizeObserver::new(measure.as_ref().unchecked_ref()), measure));
    Effect::new(move || {
        if let Some(element) = place.get() {
            observer.with_value(|(observer, _)| observer.observe(&element));
        }
    });
    on_cleanup(move || observer.with_value(|(observer, _)| observer.disconnect()));
    width
}
