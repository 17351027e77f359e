//! The settings of a run.

use leptos::prelude::*;

use super::dataset_field::DataChoice;
use super::device::Device;
use super::field::Field;
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
                    <Field key=PROBE_EVERY label="Probe every" help=PROBE_HELP placeholder="auto"/>
                </div>
                <More/>
            </fieldset>
            <p class="hint">{move || if fixed.get() {
                "Reset the run to change its settings."
            } else {
                "The address of this page holds all settings: share it and the same run starts elsewhere."
            }}</p>
        </details>
    }
}

/// True on a wide screen. On a narrow one the settings start folded, so that the lesson is in sight.
fn is_wide() -> bool {
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
    let known = move || {
        state
            .menu
            .with(|menu| menu.methods.iter().map(|card| (card.id.clone(), card.title.clone())).collect::<Vec<_>>())
    };
    let options = move || {
        let mut options = known();
        if options.iter().all(|(id, _)| *id != chosen()) {
            options.push((chosen(), chosen()));
        }
        options
    };
    view! {
        <div class="field wide">
            <label for="method">"Method"</label>
            <select id="method" data-testid="method" prop:value=chosen on:change=move |event| state.change("method", &event_target_value(&event))>
                {move || options().into_iter().map(|(id, title)| {
                    let selected = id == chosen();
                    view! { <option value=id selected=selected>{title}</option> }
                }).collect_view()}
            </select>
        </div>
    }
}

#[component]
fn PresetChoice() -> impl IntoView {
    let state = expect_context::<PageState>();
    let chosen = move || state.settings.with(|settings| settings.preset.to_string());
    let options = [("small", "Small: a few minutes in this tab"), ("full", "Full: as published")];
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
