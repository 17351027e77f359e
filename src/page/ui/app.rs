//! The root component.

use leptos::prelude::*;

use super::buttons::Buttons;
use super::form::Form;
use super::notice::Notice;
use super::probe_panel::Probes;
use super::run_files::{Files, Offer};
use super::run_table::Runs;
use super::status::Status;
use super::take_away::TakeAway;
use super::task_panel::Task;
use super::training_panel::Learning;
use crate::page::state::store::PageState;
use crate::page::state::{hidden_tab, test_hooks};

/// Controls at the side and the lesson next to them. Headline and explanation are part of `index.html`.
#[component]
pub fn App() -> impl IntoView {
    let state = PageState::new();
    provide_context(state);
    test_hooks::install(state);
    hidden_tab::watch(state);
    state.connect();
    show_parts(state);
    view! {
        <div class="side">
            <Notice/>
            <Offer/>
            <Buttons/>
            <Status/>
            <Files/>
            <TakeAway/>
            <Form/>
        </div>
        <div class="lesson">
            <Task/>
            <Learning/>
            <Probes/>
            <Runs/>
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
