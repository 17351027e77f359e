//! Failures, and warnings of the run.

use leptos::prelude::*;

use crate::format;
use crate::page::state::store::PageState;

/// Failures with their remedy, and errors in the link or the settings.
#[component]
pub fn Notice() -> impl IntoView {
    let state = expect_context::<PageState>();
    let invalid = move || {
        let known = state.menu.with(|menu| !menu.methods.is_empty());
        state.config.with(|config| config.as_ref().err().filter(|_| known).cloned())
    };
    let shown = move || state.failure.with(|failure| failure.as_ref().map(|failure| failure.message.clone()));
    let more = Memo::new(move |_| {
        let link_errors = state.link_errors.get().into_iter().chain(invalid());
        link_errors.map(|text| sentence(&text)).filter(|text| shown().as_ref() != Some(text)).collect::<Vec<_>>()
    });
    view! {
        <div class="notices">
            <div role="alert" data-testid="message">
                {move || state.failure.get().map(|failure| view! {
                    <div class="notice">
                        <p>{failure.message}</p>
                        {failure.remedy.map(|remedy| view! {
                            <button type="button" class="plain" data-testid="remedy" on:click=move |_| state.apply_remedy(remedy)>
                                {remedy.words()}
                            </button>
                        })}
                    </div>
                })}
                {move || more.get().into_iter().map(|text| view! { <p class="notice">{text}</p> }).collect_view()}
            </div>
        </div>
    }
}

/// Warnings of the run.
#[component]
pub fn Warnings() -> impl IntoView {
    let state = expect_context::<PageState>();
    let warnings = Memo::new(move |_| state.run.with(|run| run.warnings.clone()));
    view! {
        <div class="notices" role="status" data-testid="warnings">
            {move || warnings.get().into_iter().map(|text| view! { <p class="notice">{sentence(&text)}</p> }).collect_view()}
        </div>
    }
}

fn sentence(text: &str) -> String {
    let titled = format::title(text);
    if titled.ends_with(['.', '!', '?']) { titled } else { titled + "." }
}
