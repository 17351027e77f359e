//! Probe accuracies layer by layer.

use leptos::prelude::*;

use crate::format;
use crate::page::model::probe_summary::{self, Layer, layer_name, probe_name};
use crate::page::state::store::PageState;
use crate::session::event::{Probe, Source};

/// A table for each kind of probe: the trained and the untrained encoder, for every layer.
#[component]
pub fn Layers() -> impl IntoView {
    let state = expect_context::<PageState>();
    let latest = Memo::new(move |_| state.run.with(probe_summary::latest));
    move || {
        let tables = latest.get();
        let when = tables.first().map(|(probe, _)| match probe.step {
            0 => "before the first step".to_string(),
            step => format!("after {}", format::count(step, "step")),
        });
        when.map(|when| view! {
            <h3 class="layers-title">"Where in the network?"</h3>
            <p>
                "The layers from the pixels to the answer, "{when}". The best features need not be the last: layers near the
                answer often serve the puzzle alone and forget the rest, and what is worth keeping lives in the middle."
            </p>
            <div class="tables" data-testid="layers">
                {tables.into_iter().map(|(probe, kind)| view! { <Table probe kind/> }).collect_view()}
            </div>
        })
    }
}

#[component]
fn Table(probe: Probe, kind: String) -> impl IntoView {
    let rows = probe_summary::layers(&probe, &kind);
    let best = probe_summary::best(&probe, Source::Trained, &kind).map(|best| best.layer.clone());
    let controls = [Source::RawPixels, Source::Pca].into_iter();
    let controls = controls.filter_map(|source| probe_summary::best(&probe, source, &kind));
    let controls: Vec<_> = controls.map(|row| (row.source.words(), row.accuracy)).collect();
    let all = rows.iter().flat_map(|row| [Some(row.trained), row.untrained]).flatten();
    let all = all.chain(controls.iter().map(|control| control.1));
    let low = all.fold(1.0, f64::min);
    let bar = move |share: f64| format!("{:.3}", (share - low + 0.05) / (1.05 - low));
    view! {
        <table>
            <caption>{probe_name(&kind)}" on "{format::thousands(probe.test_images)}" test pictures"</caption>
            <thead>
                <tr><th scope="col">"Layer"</th><th scope="col">"Trained"</th><th scope="col">"Untrained"</th><th scope="col">"Gain"</th></tr>
            </thead>
            <tbody>
                {controls.into_iter().map(|(name, accuracy)| view! {
                    <tr class="pixels"><th scope="row">{name}</th><td></td><td>{format::percent(accuracy)}</td><td></td></tr>
                }).collect_view()}
                {rows.into_iter().map(|row| line(best.as_ref() == Some(&row.name), bar(row.trained), row)).collect_view()}
            </tbody>
        </table>
    }
}

fn line(is_best: bool, bar: String, Layer { name, trained, untrained }: Layer) -> impl IntoView {
    let gain = untrained.map(|untrained| format::points(trained - untrained));
    view! {
        <tr class:best=is_best>
            <th scope="row">{layer_name(&name)}{is_best.then_some(" (best)")}</th>
            <td class="bar" style=("--share", bar)>{format::percent(trained)}</td>
            <td>{untrained.map(format::percent)}</td>
            <td>{gain}</td>
        </tr>
    }
}
