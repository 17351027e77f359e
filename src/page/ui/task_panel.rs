//! The first part of the lesson: the pretext task and the latest batch.

use leptos::prelude::*;

use super::view_strip::Strip;
use crate::page::state::store::PageState;

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
            <p class="task" data-testid="task">{task}</p>
            <Strip/>
            <details>
                <summary>"Why this needs no labels"</summary>
                <p>{lesson}</p>
                <p class="source">{title}": "<a href=url rel="noreferrer">{paper}</a></p>
            </details>
        </section>
    }
}
