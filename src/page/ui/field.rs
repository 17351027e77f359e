//! A field for one setting.

use leptos::prelude::*;
use serde_json::Value;

use crate::options::Declared;
use crate::page::model::settings;
use crate::page::state::store::PageState;

/// A field for the setting that links call `key`: a check box for a boolean, else a line of text. It shows the preset's value
/// until something is typed, and as a placeholder when it is empty. Label and help come from the setting's declaration; `label`
/// and `help` stand in until the engine has sent it, and for fields beyond the configuration.
#[component]
pub fn Field(
    #[prop(into)] key: String,
    #[prop(optional)] label: &'static str,
    #[prop(optional)] help: &'static str,
    #[prop(optional)] placeholder: &'static str,
) -> impl IntoView {
    let state = expect_context::<PageState>();
    let name = StoredValue::new(key.clone());
    let declared = Memo::new(move |_| declared(state, name));
    let title = move || declared.get().map_or_else(|| label.to_string(), |declared| declared.label().to_string());
    let help = Memo::new(move |_| match declared.get() {
        Some(declared) => format!("{} Range: {}.", declared.help, declared.range),
        None => help.to_string(),
    });
    let base = Memo::new(move |_| {
        state.preset_config().and_then(|config| name.with_value(|key| settings::value(&config, key)))
    });
    let preset = move || base.get().filter(|value| value.as_u64() != Some(0)).map(settings::text_of);
    let shown = move || typed(state, name).or_else(preset).unwrap_or_default();
    let id = format!("set-{key}");
    let help_id = format!("help-{key}");
    // the prefix keeps options called `task` or `loss` apart from the page's own test ids
    let common = settings::FIELDS.contains(&key.as_str()) || key == settings::PROBE_EVERY;
    let testid = if common { key } else { format!("option-{key}") };
    let switch = base.with_untracked(|value| matches!(value, Some(Value::Bool(_))));
    let control = if switch {
        view! {
            <input
                type="checkbox"
                id=id.clone()
                aria-describedby=help_id.clone()
                data-testid=testid
                prop:checked=move || shown() == "true"
                on:change=move |event| name.with_value(|key| state.change(key, &event_target_checked(&event).to_string()))
            />
        }.into_any()
    } else {
        view! {
            <input
                type="text"
                inputmode="decimal"
                autocomplete="off"
                id=id.clone()
                aria-describedby=help_id.clone()
                data-testid=testid
                placeholder=move || preset().unwrap_or_else(|| placeholder.to_string())
                prop:value=shown
                aria-invalid=move || if is_wrong(state, name) { "true" } else { "false" }
                on:change=move |event| name.with_value(|key| state.change(key, &event_target_value(&event)))
            />
        }
        .into_any()
    };
    view! {
        <div class="field" title=help>
            <div class:switch=switch><label for=id>{title}</label>{control}</div>
            <p class="hint help" id=help_id>{help}</p>
        </div>
    }
}

/// The declaration of the setting called `name`, if it is one of the configuration.
fn declared(state: PageState, name: StoredValue<String>) -> Option<Declared> {
    let config = state.preset_config()?;
    let card = state.card.get()?;
    name.with_value(|key| settings::declared(&config, &card, key))
}

fn typed(state: PageState, name: StoredValue<String>) -> Option<String> {
    state.settings.with(|settings| name.with_value(|key| settings.typed(key).map(str::to_string)))
}

/// True if the configuration is refused because of what was typed here.
fn is_wrong(state: PageState, name: StoredValue<String>) -> bool {
    let said = state.config.with(|config| config.as_ref().err().cloned()).unwrap_or_default();
    typed(state, name).is_some() && name.with_value(|key| said.contains(key.as_str()))
}
