//! Text in which the glossary's terms open their definitions.

use leptos::prelude::*;

use crate::page::model::glossary::{Piece, marked};

/// A text whose terms are buttons. Terms of `known` have been marked earlier on the page.
#[component]
pub fn Marked(#[prop(into)] text: Signal<String>, #[prop(optional)] known: &'static [&'static str]) -> impl IntoView {
    move || text.with(|text| marked(text, known).into_iter().map(piece).collect_view())
}

fn piece(piece: Piece) -> AnyView {
    match piece {
        Piece::Plain(text) => text.into_any(),
        Piece::Term { id, word } => {
            let definition = format!("term-{id}");
            view! { <button type="button" class="term" popovertarget=definition>{word}</button> }.into_any()
        }
    }
}
