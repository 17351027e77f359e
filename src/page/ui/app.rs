//! The page put together.

use leptos::prelude::*;

use super::buttons::Buttons;
use super::form::Form;
use super::notice::Notice;
use super::probe_panel::Probes;
use super::run_files::{Files, Offer};
use super::status::Status;
use super::task_panel::Task;
use super::training_panel::Learning;
use crate::page::state::store::PageState;
use crate::page::state::test_hooks;

/// Controls at the side, the lesson beside them. Headline and explanation stand in `index.html` already.
#[component]
pub fn App() -> impl IntoView {
    let bench = PageState::new();
    provide_context(bench);
    test_hooks::install(bench.record);
    bench.connect();
    view! {
        <div class="side">
            <Notice/>
            <Offer/>
            <Buttons/>
            <Status/>
            <Files/>
            <Form/>
            <Data/>
        </div>
        <div class="lesson">
            <Task/>
            <Learning/>
            <Probes/>
        </div>
    }
}

/// What is there of the data.
#[component]
fn Data() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let words = Memo::new(move |_| bench.loading.with(|loading| loading.data_words()));
    let parameters = Memo::new(move |_| {
        bench.record.with(|record| record.plan.as_ref().map(|plan| crate::page::model::words::count(plan.parameters)))
    });
    view! {
        <p class="hint" data-testid="data">{move || words.get().map(|words| format!("{words}."))}</p>
        <p class="hint">{move || parameters.get().map(|count| format!("The network has {count} weights to learn."))}</p>
    }
}
