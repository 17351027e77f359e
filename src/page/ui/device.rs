//! Which processor computes, why, and the choice of another.

use leptos::prelude::*;

use crate::device::{DeviceChoice, Kind, Readout};
use crate::page::state::store::PageState;

const CHOICES: [(&str, &str); 3] = [("auto", "Best there is"), ("gpu", "GPU (WebGPU)"), ("cpu", "CPU")];

/// The choice and the readout. Closed while a run is under way.
#[component]
pub fn Device() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let chosen = move || bench.settings.with(|settings| settings.device.to_string());
    let name = move || {
        bench.readout.with(|readout| readout.as_ref().map_or_else(|| "…".to_string(), |readout| readout.name.clone()))
    };
    let why = move || bench.readout.with(|readout| readout.as_ref().map(|readout| readout.why.clone()));
    // what the link asked for may be none of the three: it is offered too, so that the form shows what is
    let extra = move || Some(chosen()).filter(|choice| CHOICES.iter().all(|(value, _)| value != choice));
    view! {
        <div class="device">
            <label for="device">"Processor"</label>
            <select
                id="device"
                name="device"
                data-testid="device"
                prop:value=chosen
                on:change=move |event| bench.change("device", &event_target_value(&event))
            >
                {CHOICES.map(|(value, words)| view! { <option value=value selected=move || chosen() == value>{words}</option> }).collect_view()}
                {move || extra().map(|value| view! { <option value=value.clone() selected>{value.clone()}</option> })}
            </select>
            <p class="readout">
                <strong data-testid="device-name">{name}</strong>" "
                <span data-testid="device-why">{why}</span>
            </p>
            {move || other(bench.readout.get()).map(|(choice, words)| view! {
                <button type="button" class="link" data-testid="device-other" on:click=move |_| bench.choose(choice)>{words}</button>
            })}
        </div>
    }
}

/// The choice that leads to the other processor, where there is one.
fn other(readout: Option<Readout>) -> Option<(DeviceChoice, &'static str)> {
    match readout? {
        Readout { kind: Kind::Gpu | Kind::SoftwareGpu, .. } => Some((DeviceChoice::Cpu, "Use the CPU instead")),
        Readout { gpu_available: true, .. } => Some((DeviceChoice::Gpu(None), "Use the GPU instead")),
        _ => None,
    }
}
