//! The second part: whether the network gets better at its puzzle.

use leptos::prelude::*;

use super::chart::Chart;
use crate::page::model::plot::{self, Measure, Plot};
use crate::page::model::words;
use crate::page::state::store::PageState;

/// Loss and the method's own measure, step by step.
#[component]
pub fn Learning() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let loss = Signal::derive(move || bench.record.with(plot::loss));
    let latest = Memo::new(move |_| {
        bench
            .record
            .with(|record| record.step.as_ref().map_or_else(|| "–".to_string(), |step| words::number(step.loss)))
    });
    view! {
        <section class="part" aria-labelledby="part-learning">
            <h2 id="part-learning"><span class="count" aria-hidden="true">"2"</span>"Getting better at it"</h2>
            <p>
                "Every step shows the network one batch of images and nudges its weights so that its answers would have been a
                little less wrong. The loss counts how wrong they were."
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

/// The chart of the method's own measure, where it has one.
#[component]
fn Metric() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let measure = Memo::new(move |_| {
        bench.card.with(|card| {
            card.as_ref().map(|card| Measure { name: card.metric.clone(), chance: card.chance, unit: card.unit })
        })
    });
    let plot = move || measure.with(|measure| bench.record.with(|record| plot::metric(record, measure.as_ref()?)));
    let value = Memo::new(move |_| {
        let latest = bench.record.with(|record| record.metric.last());
        let unit = measure.with(|measure| measure.as_ref().map(|measure| measure.unit));
        latest.zip(unit).map_or_else(|| "–".to_string(), |((_, value), unit)| words::measure(unit, value))
    });
    let title = Signal::derive(move || {
        measure.with(|measure| measure.as_ref().map(|measure| words::title(&measure.name)).unwrap_or_default())
    });
    view! { <Optional title plot=Signal::derive(plot) value testid="accuracy"/> }
}

/// How different the network's answers are, where the run watches that.
#[component]
fn Variety() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let plot = move || bench.record.with(plot::variety);
    let value = Memo::new(move |_| {
        bench
            .record
            .with(|record| record.directions.last().map_or_else(|| "–".to_string(), |(_, value)| words::percent(value)))
    });
    view! { <Optional title="Variety of the answers" plot=Signal::derive(plot) value testid="variety"/> }
}

/// A chart that is there only while there is something to draw.
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

/// The same task on images the network never trained on, at the end of a run.
#[component]
fn HeldOut() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let text = Memo::new(move |_| {
        bench.record.with(|record| {
            record.pretext.as_ref().map(|pretext| {
                let (name, value) = (words::title(&pretext.name), words::measure(pretext.unit, pretext.value));
                format!("{name} on {} images it never trained on: {value}.", words::count(pretext.images))
            })
        })
    });
    view! { <p class="held-out" data-testid="held-out">{text}</p> }
}
