//! The second part of the lesson: progress on the pretext task.

use leptos::prelude::*;

use super::chart::Chart;
use super::marked::Marked;
use super::notice::Warnings;
use crate::format;
use crate::page::model::comparison::ChartPart;
use crate::page::model::plot::{self, Plot};
use crate::page::state::store::PageState;
use crate::worker::protocol::MetricCard;

const INTRODUCTION: &str = "Every step shows the network one batch of pictures and nudges its weights so that its answers would \
    have been a little better. The loss says how far they were from what the puzzle asks for.";
const VARIETY_GUIDE: &str = "A network could make its task easy by describing every picture alike. The spread says how far \
    descriptions differ; directions in use, in how many independent ways. Higher is better for both; near 0 is a collapse.";

/// Charts of the loss, the method's own measure and the variety of the embeddings.
#[component]
pub fn Learning() -> impl IntoView {
    let state = expect_context::<PageState>();
    let loss = Memo::new(move |_| state.compared(state.run.with(plot::loss), ChartPart::Loss));
    let latest = Memo::new(move |_| {
        state.run.with(|run| run.step.as_ref().map_or_else(|| "–".to_string(), |step| format::number(step.loss)))
    });
    let guide = Signal::derive(move || {
        state.card.with(|card| card.as_ref().map(|card| format!("Lower is better. {}", card.loss)).unwrap_or_default())
    });
    view! {
        <section class="part" aria-labelledby="part-learning">
            <h2 id="part-learning"><span class="count" aria-hidden="true">"2"</span>"Getting better at it"</h2>
            <Warnings/>
            <p><Marked text=INTRODUCTION known=&["network"]/></p>
            <div class="charts">
                <Chart title="Loss" plot=loss value=latest testid="loss" guide/>
                <Metric/>
                <Variety/>
            </div>
            <HeldOut/>
        </section>
    }
}

/// Chart of the method's own measure, if it has one.
#[component]
fn Metric() -> impl IntoView {
    let state = expect_context::<PageState>();
    let measure = Memo::new(move |_| state.card.with(|card| card.as_ref().map(|card| card.metric.clone())));
    let method = Memo::new(move |_| state.card.with(|card| card.as_ref().map(|card| card.id.clone())));
    let plot = Memo::new(move |_| {
        let own = measure.with(|measure| state.run.with(|run| plot::metric(run, measure.as_ref()?)))?;
        Some(method.with(|id| state.compared(own, ChartPart::Metric(id.as_deref().unwrap_or_default()))))
    });
    let value = Memo::new(move |_| {
        let latest = state.run.with(|run| run.metric.last());
        let unit = measure.with(|measure| measure.as_ref().map(|measure| measure.unit));
        latest.zip(unit).map_or_else(|| "–".to_string(), |((_, value), unit)| format::measured(unit, value))
    });
    let title = Signal::derive(move || {
        measure.with(|measure| measure.as_ref().map(|measure| format::title(&measure.name)).unwrap_or_default())
    });
    let guide = Signal::derive(move || measure.with(|measure| measure.as_ref().map(baseline).unwrap_or_default()));
    view! { <Optional title plot value testid="accuracy" guide/> }
}

/// Chart of the variety of the embeddings, if the run monitors it.
#[component]
fn Variety() -> impl IntoView {
    let state = expect_context::<PageState>();
    let plot = Memo::new(move |_| state.run.with(plot::variety).map(|own| state.compared(own, ChartPart::Variety)));
    let value = Memo::new(move |_| {
        state.run.with(|run| run.directions.last().map_or_else(|| "–".to_string(), |(_, value)| format::percent(value)))
    });
    let title = "Do different pictures get different descriptions?";
    view! { <Optional title plot value testid="variety" guide=VARIETY_GUIDE/> }
}

/// A chart that is absent while there is nothing to draw.
#[component]
fn Optional(
    #[prop(into)] title: Signal<String>,
    plot: Memo<Option<Plot>>,
    #[prop(into)] value: Signal<String>,
    testid: &'static str,
    #[prop(into)] guide: Signal<String>,
) -> impl IntoView {
    let has = Memo::new(move |_| plot.with(Option::is_some));
    let drawn = Memo::new(move |_| plot.get().unwrap_or_else(Plot::empty));
    move || has.get().then(|| view! { <Chart title plot=drawn value testid guide/> })
}

fn baseline(MetricCard { better, baseline, chance, unit, .. }: &MetricCard) -> String {
    format::baseline(baseline, *better, *chance, *unit)
}

/// The pretext task on held-out images, at the end of a run.
#[component]
fn HeldOut() -> impl IntoView {
    let state = expect_context::<PageState>();
    let text = Memo::new(move |_| {
        state.run.with(|run| {
            run.pretext.as_ref().map(|pretext| {
                let name = format::title(&pretext.name);
                let value = format::measured(pretext.unit, pretext.value);
                let images = format::thousands(pretext.images);
                let metric = state.card.with(|card| card.as_ref().map(|card| card.metric.clone()));
                // the baseline of these images, where it differs from run to run
                let baseline = metric.map(|metric| baseline(&MetricCard { chance: pretext.chance, ..metric }));
                format!("{name} on {images} pictures it never trained on: {value}. {}", baseline.unwrap_or_default())
            })
        })
    });
    view! { <p class="held-out" data-testid="held-out">{text}</p> }
}
