//! The root component.

use leptos::prelude::*;

use super::buttons::Buttons;
use super::form::Form;
use super::notice::Notice;
use super::probe_panel::Probes;
use super::run_files::{Files, Offer};
use super::status::Status;
use super::take_away::Events;
use super::task_panel::Task;
use super::training_panel::Learning;
use crate::format;
use crate::page::state::store::PageState;
use crate::page::state::test_hooks;

/// Controls at the side and the lesson next to them. Headline and explanation are part of `index.html`.
#[component]
pub fn App() -> impl IntoView {
    let state = PageState::new();
    provide_context(state);
    test_hooks::install(state.run);
    state.connect();
    show_parts(state);
    view! {
        <div class="side">
            <Notice/>
            <Offer/>
            <Buttons/>
            <Status/>
            <Files/>
            <Events/>
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

/// Marks the page with what the link hides, for the style sheet.
fn show_parts(state: PageState) {
    let Some(root) = document().document_element() else { return };
    state.settings.with_untracked(|settings| {
        let embed = settings.embed.then(|| ("data-embed", String::new()));
        let hide = ("data-hide", settings.hide.join(" "));
        for (name, value) in embed.into_iter().chain([hide]) {
            // an attribute of a valid name can always be set
            let _ = root.set_attribute(name, &value);
        }
    });
}

/// The loaded part of the data, and the size of the network.
#[component]
fn Data() -> impl IntoView {
    let state = expect_context::<PageState>();
    let words = Memo::new(move |_| state.load_progress.with(|progress| progress.data_words()));
    let parameters =
        Memo::new(move |_| state.run.with(|run| run.plan.as_ref().map(|plan| format::thousands(plan.parameters))));
    view! {
        <p class="hint" data-testid="data">{move || words.get().map(|words| format!("{words}."))}</p>
        <p class="hint">{move || parameters.get().map(|count| format!("The network has {count} weights to learn."))}</p>
    }
}
