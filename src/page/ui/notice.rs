//! What went wrong, with a way out.

use leptos::prelude::*;

use crate::page::state::store::PageState;

/// Failures, misread links, impossible settings and the run's own warnings, where there are any.
#[component]
pub fn Notice() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let impossible = move || {
        let known = bench.menu.with(|menu| !menu.methods.is_empty());
        bench.config.with(|config| config.as_ref().err().filter(|_| known).cloned())
    };
    let told = move || bench.trouble.with(|trouble| trouble.as_ref().map(|trouble| trouble.message.clone()));
    let more = Memo::new(move |_| {
        let misread = bench.misread.get().into_iter().chain(impossible());
        misread.map(|text| sentence(&text)).filter(|text| told().as_ref() != Some(text)).collect::<Vec<_>>()
    });
    let warnings = Memo::new(move |_| bench.record.with(|record| record.warnings.clone()));
    view! {
        <div class="notices">
            <div role="alert" data-testid="message">
                {move || bench.trouble.get().map(|trouble| view! {
                    <div class="notice">
                        <p>{trouble.message}</p>
                        {trouble.remedy.map(|remedy| view! {
                            <button type="button" class="plain" data-testid="remedy" on:click=move |_| bench.mend(remedy)>
                                {remedy.words()}
                            </button>
                        })}
                    </div>
                })}
                {move || more.get().into_iter().map(|text| view! { <p class="notice">{text}</p> }).collect_view()}
            </div>
            <div role="status" data-testid="warnings">
                {move || warnings.get().into_iter().map(|text| view! { <p class="notice">{text}</p> }).collect_view()}
            </div>
        </div>
    }
}

fn sentence(text: &str) -> String {
    let titled = crate::page::model::words::title(text);
    if titled.ends_with(['.', '!', '?']) { titled } else { titled + "." }
}
