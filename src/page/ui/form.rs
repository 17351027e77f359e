//! What a run is made of: method, preset, device, seed and the rest.

use leptos::prelude::*;

use super::dataset_field::DataChoice;
use super::device::Device;
use super::field::Field;
use crate::page::model::settings::{self, PROBE_EVERY};
use crate::page::model::words;
use crate::page::state::store::PageState;

/// All settings. They are fixed while a run is under way.
#[component]
pub fn Form() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let fixed = Memo::new(move |_| bench.phase.get().is_busy());
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
                    <Field key="batch" label="Batch"/>
                    <Field key="lr" label="Learning rate"/>
                    <Field key="epochs" label="Epochs"/>
                    <Field key="steps" label="Steps" placeholder="by epochs"/>
                    <Field key=PROBE_EVERY label="Probe every" placeholder="auto"/>
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

/// On a narrow screen the settings are folded away: the lesson is what matters there.
fn is_wide() -> bool {
    let query = window().match_media("(min-width: 40rem)").ok().flatten();
    query.is_none_or(|query| query.matches())
}

#[component]
fn Method() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let chosen = move || match bench.card.get() {
        Some(card) => card.id,
        None => bench.settings.with(|settings| settings.method.clone()),
    };
    let known = move || {
        bench
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
            <select id="method" data-testid="method" prop:value=chosen on:change=move |event| bench.change("method", &event_target_value(&event))>
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
    let bench = expect_context::<PageState>();
    let chosen = move || bench.settings.with(|settings| settings.preset.to_string());
    let options = [("small", "Small: minutes, here"), ("full", "Full: as published")];
    view! {
        <div class="field wide">
            <label for="preset">"Preset"</label>
            <select id="preset" data-testid="preset" prop:value=chosen on:change=move |event| bench.change("preset", &event_target_value(&event))>
                {options.map(|(value, words)| view! { <option value=value selected=move || chosen() == value>{words}</option> }).collect_view()}
            </select>
            {move || bench.is_overdone().then(|| view! {
                <p class="hint">"This preset is made for a desktop GPU. On this processor a single step may take minutes."</p>
            })}
        </div>
    }
}

/// The encoder's width and whatever settings the method has of its own.
#[component]
fn More() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let names = Memo::new(move |_| bench.base().map(|config| settings::more_names(&config)).unwrap_or_default());
    let label = |name: &str| match name {
        "width" => "Width of the network".to_string(),
        other => words::title(&other.replace('_', " ")),
    };
    view! {
        <details class="more">
            <summary>"More settings"</summary>
            <div class="fields">
                {move || names.get().into_iter().map(|name| view! { <Field label=label(&name) key=name/> }).collect_view()}
            </div>
        </details>
    }
}
