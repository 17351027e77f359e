//! Entry point of the page's program.

use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::page::ui::app::App;
use crate::page::ui::theme_button::ThemeButton;

/// Mounts the page in place of its skeleton.
pub fn run() {
    report_panics();
    if let Some(place) = document().get_element_by_id("theme") {
        mount_to(place.unchecked_into(), ThemeButton).forget();
    }
    let Some(place) = document().get_element_by_id("app") else { return };
    place.set_inner_html("");
    mount_to(place.unchecked_into(), App).forget();
}

/// Shows a message on panic: a page that has stopped must not look as if it still ran.
fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        if let Some(message) = document().get_element_by_id("broken") {
            // if this fails too, nothing is left to try
            let _ = message.remove_attribute("hidden");
        }
    }));
}
