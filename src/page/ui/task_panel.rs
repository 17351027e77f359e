//! The first part of the lesson: the pretext task and the latest batch.

use leptos::prelude::*;

use super::form::is_wide;
use super::marked::Marked;
use super::view_strip::Strip;
use crate::page::state::store::PageState;
use crate::worker::protocol::ExperimentCard;

/// The pretext task of the chosen method, in words and pictures.
#[component]
pub fn Task() -> impl IntoView {
    let state = expect_context::<PageState>();
    let of_card = move |part: fn(&crate::worker::protocol::MethodCard) -> String| {
        Memo::new(move |_| state.card.with(|card| card.as_ref().map(part).unwrap_or_default()))
    };
    let title = of_card(|card| card.title.clone());
    let task = of_card(|card| card.task.clone());
    let lesson = of_card(|card| card.lesson.clone());
    let url = of_card(|card| card.url.clone());
    let paper = of_card(|card| format!("{} ({})", card.paper, card.year));
    view! {
        <section class="part" aria-labelledby="part-task">
            <h2 id="part-task"><span class="count" aria-hidden="true">"1"</span>"A puzzle whose answer we know"</h2>
            <p class="task" data-testid="task"><Marked text=task known=&["network"]/></p>
            <Strip/>
            <Experiment/>
            <details open=is_wide()>
                <summary>"Why this needs no labels"</summary>
                <p><Marked text=lesson known=&["network", "label", "view", "batch"]/></p>
                <p class="source" hidden=move || url.with(String::is_empty)>{title}": "<a href=url rel="noreferrer">{paper}</a></p>
            </details>
        </section>
    }
}

/// A change of one setting that shows why the method is made as it is, as a button; pressed again, it takes the change back.
#[component]
fn Experiment() -> impl IntoView {
    let state = expect_context::<PageState>();
    let experiment = Memo::new(move |_| state.card.with(|card| card.as_ref()?.experiment.clone()));
    let text = move |of: fn(&ExperimentCard) -> &String| {
        experiment.with(|experiment| experiment.as_ref().map(|experiment| of(experiment).clone()))
    };
    let is_set = move || {
        let typed =
            |it: &ExperimentCard| state.settings.with(|settings| settings.typed(&it.key) == Some(it.value.as_str()));
        experiment.with(|experiment| experiment.as_ref().is_some_and(typed))
    };
    let change = move |_| {
        let Some(ExperimentCard { key, value, .. }) = experiment.get() else { return };
        if !state.phase.get().is_busy() {
            state.change(&key, if is_set() { "" } else { &value });
        }
    };
    let offered = Memo::new(move |_| experiment.with(Option::is_some));
    move || {
        offered.get().then(|| {
            view! {
                <p class="experiment">
                    <button
                        type="button"
                        data-testid="experiment"
                        aria-pressed=move || is_set().to_string()
                        aria-disabled=move || state.phase.get().is_busy().to_string()
                        on:click=change
                    >
                        {move || text(|it| &it.label)}
                    </button>
                    <span class="hint">{move || text(|it| &it.watch)}</span>
                </p>
            }
        })
    }
}
