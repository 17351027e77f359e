//! Buttons that hand runs to the visitor: their numbers and charts as files, their settings as a link.

use js_sys::JSON;
use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::chart_file::Picture;
use super::legend;
use super::link_button::LinkButton;
use crate::page::model::event_table;
use crate::page::model::run_state::RunState;
use crate::page::state::file_download::{save, save_address};
use crate::page::state::store::PageState;
use crate::page::state::test_hooks;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "clipboard"], js_name = writeText)]
    async fn write_text(text: &str) -> Result<JsValue, JsValue>;
}

/// Events of all runs as CSV and JSON, what `window.nolabel.runs()` gives; the report of the run on show, and the link to its
/// settings.
#[component]
pub fn TakeAway() -> impl IntoView {
    let state = expect_context::<PageState>();
    let closed = Memo::new(move |_| {
        state.run.with(|run| run.log().is_empty()) && state.runs.with(|list| list.runs().is_empty())
    });
    let no_report = Memo::new(move |_| !state.can_report());
    let csv = move || {
        state.with_all_runs(move |logs| {
            state.report_save(save("nolabel-runs.csv", event_table::csv(logs).as_bytes()));
        });
    };
    let json = move || {
        state.with_all_runs(move |logs| {
            let text = JSON::stringify(&test_hooks::runs(logs)).ok().and_then(|text| text.as_string());
            state.report_save(text.and_then(|text| save("nolabel-runs.json", text.as_bytes())));
        });
    };
    let copied = RwSignal::new("");
    let copy = move || {
        let link = state.link_to_run();
        spawn_local(async move {
            copied.set(match write_text(&link).await {
                Ok(_) => "The link is on the clipboard.",
                Err(_) => "This browser does not let the page copy. The address of the page is the same link.",
            });
        });
    };
    view! {
        <div class="take-away" role="group" aria-label="Runs as files to read">
            <span class="hint">"All runs as"</span>
            <LinkButton testid="export-csv" closed action=csv>"CSV"</LinkButton>
            <LinkButton testid="export-json" closed action=json>"JSON"</LinkButton>
            <LinkButton testid="export-report" closed=no_report action=move || state.request_report()>"Report"</LinkButton>
        </div>
        <div class="take-away" role="group" aria-label="A link that repeats the run">
            <LinkButton testid="copy-link" closed=false action=copy>"Copy the link to this run"</LinkButton>
            <p class="hint" role="status" data-testid="copied">{copied}</p>
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
        let place = place.get_untracked()?;
        let drawn = place.query_selector("svg").ok()??;
        Picture::of(&drawn, &title.get_untracked(), &run_name(state), legend::entries(&place))
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
            <LinkButton testid="export-png" closed action=png>"PNG"</LinkButton>
            <LinkButton testid="export-svg" closed action=svg>"SVG"</LinkButton>
        </div>
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
