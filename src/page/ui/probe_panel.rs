//! The third part of the lesson: probes of the frozen features.

use leptos::prelude::*;

use super::chart::Chart;
use super::exam_panel::ExamPanel;
use super::layer_table::Layers;
use super::marked::Marked;
use crate::format;
use crate::page::model::comparison::ChartPart;
use crate::page::model::dataset_choice::class_words;
use crate::page::model::plot;
use crate::page::model::probe_summary::{self, probe_name};
use crate::page::model::run_state::RunState;
use crate::page::state::store::PageState;
use crate::session::event::Source;

const GUIDE: &str = "Share of test pictures that were named correctly; higher is better.";

/// Charts of the probes with their controls, and the table layer by layer.
#[component]
pub fn Probes() -> impl IntoView {
    let state = expect_context::<PageState>();
    // empty charts hold the place until the first round
    let kinds = Memo::new(move |_| {
        let measured = state.run.with(|run| run.probes.last().map(probe_summary::kinds));
        measured.unwrap_or_else(|| vec!["linear".into(), "knn".into()])
    });
    let introduction = Signal::derive(move || introduction(&state.dataset.get().map(|dataset| class_words(&dataset))));
    view! {
        <section class="part" aria-labelledby="part-probes">
            <h2 id="part-probes"><span class="count" aria-hidden="true">"3"</span>"Was anything learned?"</h2>
            <p><Marked text=introduction known=&["network", "label", "gradient"]/></p>
            <ExamPanel/>
            <div class="charts">
                {move || kinds.get().into_iter().map(|kind| view! { <Kind kind/> }).collect_view()}
            </div>
            <Precision/>
            <Layers/>
            <Explanation/>
        </section>
    }
}

/// The test in words, with classes of the data on show.
fn introduction(classes: &Option<String>) -> String {
    let classes = classes.as_ref().map(|classes| format!(" ({classes})")).unwrap_or_default();
    format!(
        "The puzzle was only an excuse. On its way to an answer the network turns each picture into a list of numbers, its \
         features. Are they good for something else? A probe finds out: every now and then the network is frozen, and a very \
         simple classifier has to name the pictures{classes} from these numbers alone. Only this test uses labels; the network \
         never sees them. The dashed lines are controls, the same test without any learning: given bare pixels, as \
         many principal components of them (PCA) as the network has features, or the features of the network before its first \
         step. What rises above every dashed line was learned."
    )
}

#[component]
fn Kind(kind: String) -> impl IntoView {
    let state = expect_context::<PageState>();
    let title = probe_name(&kind);
    let testid = kind.clone();
    let name = StoredValue::new(kind);
    let own = Memo::new(move |_| name.with_value(|kind| state.run.with(|run| plot::probe(run, kind))));
    let plot = Memo::new(move |_| name.with_value(|kind| state.compared(own.get(), ChartPart::Probe(kind))));
    let value = Memo::new(move |_| {
        let best = |run: &RunState| {
            name.with_value(|kind| Some(probe_summary::best(run.probes.last()?, Source::Trained, kind)?.accuracy))
        };
        state.run.with(best).map_or_else(|| "–".to_string(), format::percent)
    });
    view! { <Chart title plot value testid guide=GUIDE/> }
}

/// Sample sizes and margin of the accuracies.
#[component]
fn Precision() -> impl IntoView {
    let state = expect_context::<PageState>();
    let text = Memo::new(move |_| state.run.with(|run| probe_summary::precision_text(run.probes.last()?)));
    view! { <p class="hint">{text}</p> }
}

/// Explanation of probes and controls.
#[component]
fn Explanation() -> impl IntoView {
    view! {
        <details>
            <summary>"How to read these charts"</summary>
            <dl class="terms">
                <dt>"Linear probe"</dt>
                <dd>
                    "The simplest classifier there is: each feature gets one weight for each class, and the class with the highest
                    sum wins. If that is enough, the features themselves already keep the classes apart."
                </dd>
                <dt>"Nearest neighbours (kNN)"</dt>
                <dd>
                    "Nothing is fitted at all. A test image gets the class of the twenty labelled images whose features are most
                    like its own. If that works, similar features mean similar things."
                </dd>
                <dt>"The line for raw pixels"</dt>
                <dd>"The same classifier, given the bare pixels. Features below this line are worse than no network."</dd>
                <dt>"The line for PCA of raw pixels"</dt>
                <dd>
                    "Principal components: the few sums of pixels in which pictures differ most. They are found without labels and
                    without a network, and are often the strongest control for nearest neighbours."
                </dd>
                <dt>"The line for the untrained network"</dt>
                <dd>
                    "The same network before its first step, with random weights, at its own best layer. Random filters keep a lot
                    of an image, so this line is high. What rises above every dashed line was learned."
                </dd>
            </dl>
        </details>
    }
}
