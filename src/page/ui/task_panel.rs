//! The first part of the lesson: what the network is asked to do, and the images it was just asked about.

use leptos::prelude::*;

use super::view_strip::Strip;
use crate::page::state::store::PageState;

/// What the chosen method asks of the network.
#[component]
pub fn Task() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let of_card = move |part: fn(&crate::worker::protocol::MethodCard) -> String| {
        Memo::new(move |_| bench.card.with(|card| card.as_ref().map(part).unwrap_or_default()))
    };
    let (title, task, lesson) =
        (of_card(|card| card.title.clone()), of_card(|card| card.task.clone()), of_card(|card| card.lesson.clone()));
    let (url, paper) = (of_card(|card| card.url.clone()), of_card(|card| format!("{} ({})", card.paper, card.year)));
    view! {
        <section class="part" aria-labelledby="part-task">
            <h2 id="part-task"><span class="count" aria-hidden="true">"1"</span>"A puzzle that marks itself"</h2>
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
