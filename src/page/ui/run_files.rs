//! The saved run, and runs as files.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::page::model::phase::Phase;
use crate::page::model::saved_run_text;
use crate::page::state::store::PageState;
use crate::worker::protocol::SavedRun;

/// Shown within a page of another site, for which browsers give each page a storage of its own.
const APART: &str =
    "This page is shown inside another site: the browser keeps runs made here apart from those of the page itself.";

/// True within a frame whose surroundings the browser hides from this page.
fn is_in_foreign_frame() -> bool {
    let framed = window().parent().ok().flatten().is_some_and(|parent| parent != window());
    framed && window().frame_element().ok().flatten().is_none()
}

/// The offer to continue or delete the saved run, if there is one.
#[component]
pub fn Offer() -> impl IntoView {
    let state = expect_context::<PageState>();
    let shown = Memo::new(move |_| state.offered_run());
    let text = move |saved: &SavedRun| {
        let menu = state.menu.get();
        let method = menu.methods.iter().find(|card| card.id == saved.method);
        let method = method.map_or(&saved.method, |card| &card.title);
        let dataset = menu.datasets.iter().find(|dataset| dataset.name == saved.data);
        let dataset = dataset.map_or(&saved.data, |dataset| &dataset.title);
        saved_run_text::offer(saved, method, dataset, js_sys::Date::now())
    };
    move || {
        shown.get().map(|saved| {
            view! {
                <section class="saved-run" data-testid="saved-run" aria-label="The saved run">
                    <p>{text(&saved)}</p>
                    <div class="pair">
                        <button type="button" data-testid="resume-saved" on:click=move |_| state.resume_saved()>{saved_run_text::resume_label(&saved)}</button>
                        <button type="button" data-testid="delete-saved" on:click=move |_| state.delete_saved()>"Delete it"</button>
                    </div>
                </section>
            }
        })
    }
}

/// The buttons to save the run as a file and to open one, and the saved part of the current run.
#[component]
pub fn Files() -> impl IntoView {
    let state = expect_context::<PageState>();
    let on_show = move || matches!(state.phase.get(), Phase::Running | Phase::Paused | Phase::Done);
    let refused = Memo::new(move |_| state.save_error.get().filter(|_| on_show()));
    let safe = Memo::new(move |_| {
        let saved = state.saved_run.get().filter(|_| on_show() && refused.with(Option::is_none));
        saved.map(|saved| saved_run_text::safe(&saved))
    });
    let choose = move |event: web_sys::Event| {
        let input: Option<HtmlInputElement> = event.target().and_then(|target| target.dyn_into().ok());
        let Some(input) = input else { return };
        let file = input.files().and_then(|files| files.get(0));
        // allows the same file to be chosen again
        input.set_value("");
        file.into_iter().for_each(|file| state.open(file));
    };
    view! {
        <div class="files">
            <div class="pair" role="group" aria-label="The run as a file">
                <button
                    type="button"
                    data-testid="download"
                    aria-disabled=move || if state.can_download() { "false" } else { "true" }
                    on:click=move |_| state.download()
                >
                    "Save run to a file"
                </button>
                <label class="file">
                    "Open a saved run"
                    <input type="file" data-testid="open" accept=".safetensors" disabled=move || !state.can_open() on:change=choose/>
                </label>
            </div>
            <p class="hint" data-testid="safe">{safe}</p>
            {is_in_foreign_frame().then(|| view! { <p class="hint" data-testid="apart">{APART}</p> })}
            <div role="status" data-testid="save-error">
                {move || refused.get().map(|message| view! { <p class="notice">{message}</p> })}
            </div>
        </div>
    }
}
