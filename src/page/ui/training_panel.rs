//! The second part of the lesson: progress on the pretext task.

use leptos::prelude::*;

use super::chart::Chart;
use crate::format;
use crate::page::model::plot::{self, Measure, Plot};
use crate::page::state::store::PageState;

/// Charts of the loss, the method's own measure and the variety of the embeddings.
#[component]
pub fn Learning() -> impl IntoView {
    let state = expect_context::<PageState>();
    let loss = Signal::derive(move || state.run.with(plot::loss));
    let latest = Memo::new(move |_| {
        state.run.with(|run| run.step.as_ref().map_or_else(|| "–".to_string(), |step| format::number(step.loss)))
    });
    view! {
        <section class="part" aria-labelledby="part-learning">
            <h2 id="part-learning"><span class="count" aria-hidden="true">"2"</span>"Getting better at it"</h2>
            <p>
                "Every step shows the network one batch of images and nudges its weights so that its answers would have been a
                little better. The loss says how far they were from what the puzzle asks for."
            </p>
            <div class="charts">
                <Chart title="Loss" plot=loss value=latest testid="loss"/>
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
    let measure = Memo::new(move |_| {
        state.card.with(|card| {
            card.as_ref().map(|card| Measure { name: card.metric.clone(), chance: card.chance, unit: card.unit })
        })
    });
    let plot = move || measure.with(|measure| state.run.with(|run| plot::metric(run, measure.as_ref()?)));
    let value = Memo::new(move |_| {
        let latest = state.run.with(|run| run.metric.last());
        let unit = measure.with(|measure| measure.as_ref().map(|measure| measure.unit));
        latest.zip(unit).map_or_else(|| "–".to_string(), |((_, value), unit)| format::measured(unit, value))
    });
    let title = Signal::derive(move || {
        measure.with(|measure| measure.as_ref().map(|measure| format::title(&measure.name)).unwrap_or_default())
    });
    view! { <Optional title plot=Signal::derive(plot) value testid="accuracy"/> }
}

/// Chart of the variety of the embeddings, if the run monitors it.
#[component]
fn Variety() -> impl IntoView {
    let state = expect_context::<PageState>();
    let plot = move || state.run.with(plot::variety);
    let value = Memo::new(move |_| {
        state.run.with(|run| run.directions.last().map_or_else(|| "–".to_string(), |(_, value)| format::percent(value)))
    });
    view! { <Optional title="Variety of the answers" plot=Signal::derive(plot) value testid="variety"/> }
}

/// A chart that is absent while there is nothing to draw.
#[component]
fn Optional(
    #[prop(into)] title: Signal<String>,
    plot: Signal<Option<Plot>>,
    #[prop(into)] value: Signal<String>,
    testid: &'static str,
) -> impl IntoView {
    let has = Memo::new(move |_| plot.with(Option::is_some));
    let drawn = Signal::derive(move || plot.get().unwrap_or_else(Plot::empty));
    move || has.get().then(|| view! { <Chart title plot=drawn value testid/> })
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
                format!("{name} on {} images it never trained on: {value}.", format::thousands(pretext.images))
            })
        })
    });
    view! { <p class="held-out" data-testid="held-out">{text}</p> }
}
