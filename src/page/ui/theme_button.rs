//! The button for light or dark colours.

use leptos::prelude::*;

use crate::page::model::theme::Theme;
use crate::page::state::theme_choice::ThemeChoice;

/// A button that switches to the other colours.
#[component]
pub fn ThemeButton() -> impl IntoView {
    let choice = ThemeChoice::new();
    let label = move || match choice.shown().other() {
        Theme::Light => "Light page",
        Theme::Dark => "Dark page",
    };
    view! { <button type="button" data-testid="theme" on:click=move |_| choice.switch()>{label}</button> }
}
