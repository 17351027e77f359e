//! Start, pause, single step, reset.

use leptos::prelude::*;

use crate::page::model::phase::{Action, Phase};
use crate::page::state::store::PageState;

/// The four buttons. A closed one keeps the keyboard's focus, so it is only marked as disabled.
#[component]
pub fn Buttons() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let start = move || if bench.phase.get() == Phase::Paused { "Go on" } else { "Start training" };
    view! {
        <div class="buttons" role="group" aria-label="Run">
            <Press action=Action::Start testid="start" class="primary">{start}</Press>
            <Press action=Action::Pause testid="pause" class="plain">"Pause"</Press>
            <Press action=Action::Step testid="step" class="plain">"Step"</Press>
            <Press action=Action::Reset testid="reset" class="plain">"Reset"</Press>
        </div>
    }
}

#[component]
fn Press(action: Action, testid: &'static str, class: &'static str, children: Children) -> impl IntoView {
    let bench = expect_context::<PageState>();
    let closed = move || !action.is_open(bench.phase.get(), bench.able.get());
    view! {
        <button
            type="button"
            class=class
            data-testid=testid
            aria-disabled=move || if closed() { "true" } else { "false" }
            on:click=move |_| bench.act(action)
        >
            {children()}
        </button>
    }
}
