//! The legend of a chart in which runs are compared.

use leptos::prelude::*;
use web_sys::Element;

use crate::page::model::plot::{Look, Plot};
use crate::page::state::store::PageState;

/// Names of the runs whose curves are drawn, each with a piece of its line. Nothing where there is no other run.
#[component]
pub fn Legend(plot: Signal<Plot>) -> impl IntoView {
    let state = expect_context::<PageState>();
    let entries = Memo::new(move |_| {
        let others = plot.with(|plot| {
            let other = |look| if let Look::Other(colour) = look { Some(colour) } else { None };
            plot.series.iter().filter_map(|series| Some((other(series.look)?, series.name.clone()))).collect::<Vec<_>>()
        });
        let own = state.comparison.with(|comparison| comparison.own.clone()).filter(|_| !others.is_empty());
        let mut all: Vec<(usize, String)> = own.map(|name| (0, name)).into_iter().chain(others).collect();
        all.sort_by_key(|(colour, _)| *colour);
        all
    });
    move || {
        let entries = entries.get();
        (!entries.is_empty()).then(|| {
            let items = entries.into_iter().map(|(colour, name)| {
                view! { <li><Swatch colour/>{name}</li> }
            });
            view! { <ul class="runs-legend" data-testid="legend" aria-label="Runs in this chart">{items.collect_view()}</ul> }
        })
    }
}

/// A piece of the line of a run.
#[component]
pub fn Swatch(
    /// Index of its colour.
    colour: usize,
) -> impl IntoView {
    view! {
        <svg class="swatch" width="26" height="10" aria-hidden="true">
            <path class=format!("curve run{colour}") d="M1 5L25 5"></path>
        </svg>
    }
}

/// Lines and names of the legend that belongs to the chart in `place`, for its picture.
pub fn entries(place: &Element) -> Vec<(Element, String)> {
    let list = place.parent_element().and_then(|figure| figure.query_selector(".runs-legend").ok().flatten());
    let first = list.and_then(|list| list.first_element_child());
    let items = std::iter::successors(first, Element::next_element_sibling);
    items.filter_map(|item| Some((item.query_selector("path").ok()??, item.text_content()?))).collect()
}
