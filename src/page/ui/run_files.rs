//! The run that the browser keeps, and runs as files.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::page::model::phase::Phase;
use crate::page::model::saved_run_text;
use crate::page::state::store::PageState;
use crate::worker::protocol::Kept;

/// For somebody who comes back: what is kept, to go on with or to forget. Nobody else sees anything.
#[component]
pub fn Offer() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let shown = Memo::new(move |_| bench.offered());
    let said = move |kept: &Kept| {
        let menu = bench.menu.get();
        let method = menu.methods.iter().find(|card| card.id == kept.method).map_or(&kept.method, |card| &card.title);
        let data = menu.sets.iter().find(|set| set.name == kept.data).map_or(&kept.data, |set| &set.title);
        saved_run_text::offer(kept, method, data, js_sys::Date::now())
    };
    move || {
        shown.get().map(|kept| {
            view! {
                <section class="kept" data-testid="kept" aria-label="The run that is kept">
                    <p>{said(&kept)}</p>
                    <div class="pair">
                        <button type="button" data-testid="go-on" on:click=move |_| bench.go_on()>{saved_run_text::taking_up(&kept)}</button>
                        <button type="button" data-testid="forget" on:click=move |_| bench.forget()>"Forget it"</button>
                    </div>
                </section>
            }
        })
    }
}

/// Saving the run as a file, opening one, and what is safe already.
#[component]
pub fn Files() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let on_show = move || matches!(bench.phase.get(), Phase::Running | Phase::Paused | Phase::Done);
    let refused = Memo::new(move |_| bench.unkept.get().filter(|_| on_show()));
    let safe = Memo::new(move |_| {
        let kept = bench.kept.get().filter(|_| on_show() && refused.with(Option::is_none));
        kept.map(|kept| saved_run_text::safe(&kept))
    });
    let choose = move |event: web_sys::Event| {
        let input: Option<HtmlInputElement> = event.target().and_then(|target| target.dyn_into().ok());
        let Some(input) = input else { return };
        let file = input.files().and_then(|files| files.get(0));
        // so that the same file can be chosen again
        input.set_value("");
        file.into_iter().for_each(|file| bench.open(file));
    };
    view! {
        <div class="files">
            <div class="pair" role="group" aria-label="The run as a file">
                <button
                    type="button"
                    data-testid="download"
                    aria-disabled=move || if bench.has_file() { "false" } else { "true" }
                    on:click=move |_| bench.download()
                >
                    "Download"
                </button>
                <label class="file">
                    "Open a file"
                    <input type="file" data-testid="open" accept=".safetensors" disabled=move || !bench.can_open() on:change=choose/>
                </label>
            </div>
            <p class="hint" data-testid="safe">{safe}</p>
            <div role="status" data-testid="unkept">
                {move || refused.get().map(|message| view! { <p class="notice">{message}</p> })}
            </div>
        </div>
    }
}
