//! The visitor's choice of colours, kept in the browser's storage and written on the page's root element.

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{MediaQueryList, Storage};

use crate::page::model::theme::{Theme, chosen};

/// Key in the browser's storage, and name of the attribute `data-theme`.
const KEY: &str = "theme";
const DARK: &str = "(prefers-color-scheme: dark)";

/// The choice and the system's own theme. Copies share them.
#[derive(Clone, Copy)]
pub struct ThemeChoice {
    choice: RwSignal<Option<Theme>>,
    system: RwSignal<Theme>,
}

impl ThemeChoice {
    /// The choice of an earlier visit, if there is one; it follows the system as that changes.
    pub fn new() -> Self {
        let query = window().match_media(DARK).ok().flatten();
        let of = |query: &MediaQueryList| Theme::of_system(query.matches());
        let system = RwSignal::new(query.as_ref().map_or(Theme::Light, of));
        if let Some(query) = query {
            let followed = query.clone();
            let follow = Closure::<dyn FnMut()>::new(move || system.set(of(&followed)));
            query.set_onchange(Some(follow.as_ref().unchecked_ref()));
            follow.forget();
        }
        let kept = storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
        let choice = RwSignal::new(kept.and_then(|name| Theme::named(&name)));
        let theme = Self { choice, system };
        Effect::new(move || theme.apply());
        theme
    }

    /// The theme on show.
    pub fn shown(self) -> Theme {
        self.choice.get().unwrap_or_else(|| self.system.get())
    }

    /// Switches to the other theme and keeps the choice.
    pub fn switch(self) {
        let choice = chosen(self.shown().other(), self.system.get_untracked());
        self.choice.set(choice);
        let Some(storage) = storage() else { return };
        // without storage the choice lasts until the page closes
        let _ = match choice {
            Some(theme) => storage.set_item(KEY, theme.name()),
            None => storage.remove_item(KEY),
        };
    }

    fn apply(self) {
        let Some(root) = document().document_element() else { return };
        // a valid name of an attribute cannot be refused
        let _ = match self.choice.get() {
            Some(theme) => root.set_attribute("data-theme", theme.name()),
            None => root.remove_attribute("data-theme"),
        };
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
