//! The buttons of a run: start, pause, single step, reset.

use leptos::prelude::*;

use crate::page::model::phase::{Action, Phase};
use crate::page::state::store::PageState;

/// The four buttons. A disabled one is marked by `aria-disabled` alone, so that it keeps the keyboard's focus.
#[component]
pub fn Buttons() -> impl IntoView {
    let state = expect_context::<PageState>();
    let start = move || if state.phase.get() == Phase::Paused { "Continue" } else { "Start training" };
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
    let state = expect_context::<PageState>();
    let closed = move || !action.is_open(state.phase.get(), state.can_start.get());
    view! {
        <button
            type="button"
            class=class
            data-testid=testid
            aria-disabled=move || if closed() { "true" } else { "false" }
            on:click=move |_| state.act(action)
        >
            {children()}
        </button>
    }
}
