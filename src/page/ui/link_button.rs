//! A button in the style of a link.

use leptos::prelude::*;

/// A button in the style of a link. While it is closed it does nothing and says so by `aria-disabled`, so that it keeps its place
/// in the order of the keyboard.
#[component]
pub fn LinkButton(
    testid: &'static str,
    #[prop(into)] closed: Signal<bool>,
    /// Name for screen readers, where the label alone does not say what the button acts on.
    #[prop(optional, into)]
    name: Option<Signal<String>>,
    action: impl Fn() + 'static,
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="link"
            data-testid=testid
            aria-label=name.map(|name| move || name.get())
            aria-disabled=move || if closed.get() { "true" } else { "false" }
            on:click=move |_| if !closed.get_untracked() { action() }
        >
            {children()}
        </button>
    }
}
