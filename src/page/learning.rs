//! The second part: whether the network gets better at its puzzle.

use leptos::prelude::*;

use super::bench::Bench;
use super::chart::Chart;
use super::figure::Figures;
use super::plot::{self, Plot};
use super::words;
use crate::method::Unit;

/// Loss and the method's own measure, step by step.
#[component]
pub fn Learning() -> impl IntoView {
    let bench = expect_context::<Bench>();
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
                <Measure/>
                <Spread/>
            </div>
            <Figures/>
            <HeldOut/>
        </section>
    }
}

/// The chart of the method's own measure, where it has one.
#[component]
fn Measure() -> impl IntoView {
    let bench = expect_context::<Bench>();
    let name =
        Memo::new(move |_| bench.card.with(|card| card.as_ref().map(|card| card.metric.clone()).unwrap_or_default()));
    let chance = Memo::new(move |_| bench.card.with(|card| card.as_ref().and_then(|card| card.chance)));
    let unit = Memo::new(move |_| bench.card.with(|card| card.as_ref().map_or(Unit::Number, |card| card.unit)));
    let plot = move || bench.record.with(|record| plot::metric(record, &name.get(), chance.get(), unit.get()));
    let has = Memo::new(move |_| plot().is_some() && name.with(|name| !name.is_empty()));
    let value = Memo::new(move |_| {
        let latest = bench.record.with(|record| record.metric.last());
        latest.map_or_else(|| "–".to_string(), |(_, value)| words::measure(unit.get(), value))
    });
    let title = Signal::derive(move || words::title(&name.get()));
    move || {
        has.get().then(|| {
            let plot = Signal::derive(move || plot().unwrap_or_else(Plot::default));
            view! { <Chart title plot value testid="accuracy"/> }
        })
    }
}

/// Whether all images get the same answer, where the method could fall into that trap.
#[component]
fn Spread() -> impl IntoView {
    let bench = expect_context::<Bench>();
    let plot = move || bench.record.with(plot::spread);
    let has = Memo::new(move |_| plot().is_some());
    let value = Memo::new(move |_| {
        let latest = bench.record.with(|record| record.spread.last());
        latest.map_or_else(|| "–".to_string(), |(_, value)| words::number(value))
    });
    move || {
        has.get().then(|| {
            let plot = Signal::derive(move || plot().unwrap_or_else(Plot::default));
            view! { <Chart title="Spread of the answers" plot value testid="spread"/> }
        })
    }
}

/// The same task on images the network never trained on, at the end of a run.
#[component]
fn HeldOut() -> impl IntoView {
    let bench = expect_context::<Bench>();
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
