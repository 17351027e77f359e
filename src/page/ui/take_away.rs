//! Buttons that hand the numbers and the charts of a run to the visitor as files.

use js_sys::JSON;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::chart_file::Picture;
use crate::page::model::event_table;
use crate::page::model::run_state::RunState;
use crate::page::state::file_download::{save, save_address};
use crate::page::state::store::PageState;
use crate::page::state::test_hooks;

/// Events of the run as CSV and JSON, what `window.nolabel.events()` gives, and the run as a report.
#[component]
pub fn Events() -> impl IntoView {
    let state = expect_context::<PageState>();
    let closed = Memo::new(move |_| state.run.with(|run| run.log().is_empty()));
    let no_report = Memo::new(move |_| !state.can_report());
    let csv = move || {
        let table = state.run.with_untracked(|run| event_table::csv(run.log()));
        state.report_save(save(&name(state, "events.csv"), table.as_bytes()));
    };
    let json = move || {
        let text = JSON::stringify(&test_hooks::events(state.run)).ok().and_then(|text| text.as_string());
        state.report_save(text.and_then(|text| save(&name(state, "events.json"), text.as_bytes())));
    };
    view! {
        <div class="take-away" role="group" aria-label="The run as files to read">
            <span class="hint">"Numbers as"</span>
            <Export testid="export-csv" label="CSV" closed action=csv/>
            <Export testid="export-json" label="JSON" closed action=json/>
            <Export testid="export-report" label="Report" closed=no_report action=move || state.request_report()/>
        </div>
    }
}

/// The chart drawn in `place` as PNG and SVG.
#[component]
pub fn ChartFiles(
    /// Name of the measure.
    title: Signal<String>,
    /// Name of the chart in the names of its files.
    part: String,
    /// Element that holds the drawing.
    place: NodeRef<Div>,
    /// True while nothing is drawn but axes.
    #[prop(into)]
    closed: Signal<bool>,
) -> impl IntoView {
    let state = expect_context::<PageState>();
    let part = StoredValue::new(part);
    let file = move |ending: &str| part.with_value(|part| name(state, &format!("{part}.{ending}")));
    let picture = move || {
        let drawn = place.get_untracked()?.query_selector("svg").ok()??;
        Picture::of(&drawn, &title.get_untracked(), &run_name(state))
    };
    let svg = move || state.report_save(picture().and_then(|picture| save(&file("svg"), picture.svg().as_bytes())));
    let png = move || {
        let Some(picture) = picture() else { return state.report_save(None) };
        spawn_local(async move {
            let saved = picture.png().await.and_then(|address| save_address(&file("png"), &address));
            state.report_save(saved);
        });
    };
    view! {
        <div class="take-away" role="group" aria-label=move || format!("{} as a picture", title.get())>
            <Export testid="export-png" label="PNG" closed action=png/>
            <Export testid="export-svg" label="SVG" closed action=svg/>
        </div>
    }
}

#[component]
fn Export(
    testid: &'static str,
    label: &'static str,
    #[prop(into)] closed: Signal<bool>,
    action: impl Fn() + 'static,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="link"
            data-testid=testid
            aria-disabled=move || if closed.get() { "true" } else { "false" }
            on:click=move |_| if !closed.get_untracked() { action() }
        >
            {label}
        </button>
    }
}

/// Name of the run in the names of its files: method, data and seed.
fn run_name(state: PageState) -> String {
    let of_plan = |run: &RunState| {
        run.plan.as_ref().map(|plan| format!("{}-{}-{}", plan.config.method, plan.config.data, plan.config.seed))
    };
    state.run.with_untracked(of_plan).unwrap_or_else(|| "run".into())
}

fn name(state: PageState, part: &str) -> String {
    format!("{}-{part}", run_name(state))
}
