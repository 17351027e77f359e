//! The settings of a run.

use leptos::prelude::*;

use super::dataset_field::DataChoice;
use super::device::Device;
use super::field::Field;
use crate::format;
use crate::page::model::method_choice::{self, MARK};
use crate::page::model::settings::{self, PROBE_EVERY};
use crate::page::state::store::PageState;

/// Help of the field for the pace of probes.
const PROBE_HELP: &str = "Steps between two tests of the features; 0 switches them off.";

/// The form with all settings. They are fixed while a run is in progress.
#[component]
pub fn Form() -> impl IntoView {
    let state = expect_context::<PageState>();
    let fixed = Memo::new(move |_| state.phase.get().is_busy());
    view! {
        <details class="settings" open=is_wide()>
            <summary>"Settings"</summary>
            <fieldset disabled=fixed aria-label="Settings">
                <Method/>
                <DataChoice/>
                <PresetChoice/>
                <Device/>
                <div class="fields">
                    <Field key="seed" label="Seed"/>
                    <Field key="batch" label="Batch size"/>
                    <Field key="lr" label="Learning rate"/>
                    <Field key="epochs" label="Epochs"/>
                    <Field key="steps" label="Steps" placeholder="by epochs"/>
                    <Field key=PROBE_EVERY label="Test every (steps)" help=PROBE_HELP placeholder="auto"/>
                </div>
                <More/>
            </fieldset>
            <p class="hint">{move || if fixed.get() {
                "Reset the run to change its settings."
            } else {
                "The address of this page holds all settings: share it and the same run starts elsewhere."
            }}</p>
            <DataStatus/>
        </details>
    }
}

/// The loaded part of the data, and the size of the network.
#[component]
fn DataStatus() -> impl IntoView {
    let state = expect_context::<PageState>();
    let words = Memo::new(move |_| state.load_progress.with(|progress| progress.data_words()));
    let parameters =
        Memo::new(move |_| state.run.with(|run| run.plan.as_ref().map(|plan| format::thousands(plan.parameters))));
    view! {
        <p class="hint" data-testid="data">{move || words.get().map(|words| format!("{words}."))}</p>
        <p class="hint">{move || parameters.get().map(|count| format!("The network has {count} weights to learn."))}</p>
    }
}

/// True on a wide screen. On a narrow one the settings and the lesson's details start folded.
pub fn is_wide() -> bool {
    let query = window().match_media("(min-width: 40rem)").ok().flatten();
    query.is_none_or(|query| query.matches())
}

#[component]
fn Method() -> impl IntoView {
    let state = expect_context::<PageState>();
    let chosen = move || match state.card.get() {
        Some(card) => card.id,
        None => state.settings.with(|settings| settings.method.clone()),
    };
    let groups = Memo::new(move |_| state.menu.with(method_choice::groups));
    // a link may name another one
    let unknown = move || {
        let listed =
            groups.with(|groups| groups.iter().flat_map(|(_, methods)| methods).any(|(id, _)| *id == chosen()));
        (!listed).then(|| option(chosen(), chosen(), true))
    };
    let hint = format!("{MARK} marks three methods to begin with.");
    view! {
        <div class="field wide">
            <label for="method">"Method"</label>
            <select
                id="method"
                data-testid="method"
                aria-describedby="help-method"
                prop:value=chosen
                on:change=move |event| state.change("method", &event_target_value(&event))
            >
                {move || groups.get().into_iter().map(|(group, methods)| {
                    let options = methods.into_iter().map(|(id, label)| {
                        let selected = id == chosen();
                        option(id, label, selected)
                    });
                    view! { <optgroup label=group.title()>{options.collect_view()}</optgroup> }
                }).collect_view()}
                {unknown}
            </select>
            <p class="hint" id="help-method">{hint}</p>
        </div>
    }
}

fn option(value: String, label: String, selected: bool) -> impl IntoView {
    view! { <option value=value selected=selected>{label}</option> }
}

#[component]
fn PresetChoice() -> impl IntoView {
    let state = expect_context::<PageState>();
    let chosen = move || state.settings.with(|settings| settings.preset.to_string());
    let options =
        [("small", "Small: a few minutes in this tab"), ("full", "Full: as in the paper (days without a strong GPU)")];
    view! {
        <div class="field wide">
            <label for="preset">"Preset"</label>
            <select id="preset" data-testid="preset" prop:value=chosen on:change=move |event| state.change("preset", &event_target_value(&event))>
                {options.map(|(value, words)| view! { <option value=value selected=move || chosen() == value>{words}</option> }).collect_view()}
            </select>
            {move || state.is_preset_too_large().then(|| view! {
                <p class="hint">"This preset is made for a desktop GPU. On this processor a single step may take minutes."</p>
            })}
        </div>
    }
}

/// The encoder's width and the method's own options.
#[component]
fn More() -> impl IntoView {
    let state = expect_context::<PageState>();
    let names =
        Memo::new(move |_| state.preset_config().map(|config| settings::more_names(&config)).unwrap_or_default());
    view! {
        <details class="more">
            <summary>"More settings"</summary>
            <div class="fields">
                {move || names.get().into_iter().map(|name| view! { <Field key=name/> }).collect_view()}
            </div>
        </details>
    }
}
