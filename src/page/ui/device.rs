//! The field for the device, and the device in use.

use leptos::prelude::*;

use crate::device::{DeviceChoice, Kind, Readout};
use crate::page::state::store::PageState;

const CHOICES: [(&str, &str); 3] = [("auto", "Best there is"), ("gpu", "GPU (WebGPU)"), ("cpu", "CPU")];

/// The choice, the device in use with the reason, and a button for the other one.
#[component]
pub fn Device() -> impl IntoView {
    let state = expect_context::<PageState>();
    let chosen = move || state.settings.with(|settings| settings.device.to_string());
    let name = move || {
        state.readout.with(|readout| readout.as_ref().map_or_else(|| "…".to_string(), |readout| readout.name.clone()))
    };
    let why = move || state.readout.with(|readout| readout.as_ref().map(|readout| readout.why.clone()));
    // a link may name a choice beyond the three: the form shows it too
    let extra = move || Some(chosen()).filter(|choice| CHOICES.iter().all(|(value, _)| value != choice));
    view! {
        <div class="device">
            <label for="device">"Processor"</label>
            <select
                id="device"
                name="device"
                data-testid="device"
                prop:value=chosen
                on:change=move |event| state.change("device", &event_target_value(&event))
            >
                {CHOICES.map(|(value, words)| view! { <option value=value selected=move || chosen() == value>{words}</option> }).collect_view()}
                {move || extra().map(|value| view! { <option value=value.clone() selected>{value.clone()}</option> })}
            </select>
            <p class="readout">
                <strong data-testid="device-name">{name}</strong>" "
                <span data-testid="device-why">{why}</span>
            </p>
            {move || other(state.readout.get()).map(|(choice, words)| view! {
                <button type="button" class="link" data-testid="device-other" on:click=move |_| state.choose_device(choice)>{words}</button>
            })}
        </div>
    }
}

/// The choice of the other device, if there is one.
fn other(readout: Option<Readout>) -> Option<(DeviceChoice, &'static str)> {
    match readout? {
        Readout { kind: Kind::Gpu | Kind::SoftwareGpu, .. } => Some((DeviceChoice::Cpu, "Use the CPU instead")),
        Readout { gpu_available: true, .. } => Some((DeviceChoice::Gpu(None), "Use the GPU instead")),
        _ => None,
    }
}
