//! A chart: an SVG under an invisible slider that moves a cursor along the curve, by pointer, touch or arrow keys.

use leptos::ev;
use leptos::html::Div;
use leptos::prelude::*;

use super::axes::{Frame, cursor_mark, draw};
use super::legend::Legend;
use super::marked::Marked;
use super::take_away::ChartFiles;
use super::use_width::use_width;
use crate::page::model::plot::Plot;
use crate::page::state::store::PageState;

/// Height in pixels.
const HEIGHT: f64 = 210.0;

/// Terms that the texts above the charts have marked.
const EARLIER: [&str; 8] = ["network", "label", "batch", "weights", "loss", "view", "features", "probe"];

/// A chart with its title, its latest value and a line of text: the values under the cursor, else the summary.
#[component]
pub fn Chart(
    /// Name of the measure.
    #[prop(into)]
    title: Signal<String>,
    /// Contents of the chart.
    #[prop(into)]
    plot: Signal<Plot>,
    /// The latest value as text.
    #[prop(into)]
    value: Signal<String>,
    /// Test id of the value.
    #[prop(into)]
    testid: String,
    /// The meaning of the values, and which direction is good.
    #[prop(into)]
    guide: Signal<String>,
) -> impl IntoView {
    let place = NodeRef::<Div>::new();
    let width = use_width(place);
    let state = expect_context::<PageState>();
    // the cursor of all charts, at the nearest point of this one
    let cursor = Memo::new(move |_| state.cursor.get().and_then(|step| plot.with(|plot| plot.nearest(step))));
    let frame = move || Frame::new(width.get(), HEIGHT);
    let part = testid.clone();
    let closed = Signal::derive(move || plot.with(|plot| plot.walk().is_empty()));
    let said = move || {
        plot.with(|plot| match cursor.get() {
            Some(at) => plot.reading(at),
            None => plot.summary.clone(),
        })
    };
    view! {
        <figure class="chart">
            <figcaption>
                <h3>{title}</h3>
                <span class="value" data-testid=testid>{value}</span>
            </figcaption>
            <div class="plot" node_ref=place style:height=format!("{HEIGHT}px")>
                // screen readers skip the drawing: its summary and its slider say the same
                <svg width=move || width.get().to_string() height=HEIGHT.to_string() aria-hidden="true">
                    {move || plot.with(|plot| draw(plot, &frame()))}
                    {move || cursor.get().map(|at| plot.with(|plot| cursor_mark(plot, at, &frame())))}
                </svg>
                <Walk title plot cursor frame=Signal::derive(frame)/>
            </div>
            <Legend plot/>
            <p class="guide"><Marked text=guide known=&EARLIER/></p>
            <p class="said">{said}</p>
            <ChartFiles title part place closed/>
        </figure>
    }
}

/// The invisible slider over the plot.
#[component]
fn Walk(title: Signal<String>, plot: Signal<Plot>, cursor: Memo<Option<usize>>, frame: Signal<Frame>) -> impl IntoView {
    let last = move || plot.with(|plot| plot.walk().len().saturating_sub(1));
    let at = move || cursor.get().unwrap_or_else(last);
    let text = move || plot.with(|plot| if plot.walk().is_empty() { plot.summary.clone() } else { plot.reading(at()) });
    let state = expect_context::<PageState>();
    let move_to = move |at: usize| state.cursor.set(plot.with_untracked(|plot| Some(plot.walk().get(at)?.0)));
    let follow = move |event: ev::PointerEvent| {
        let x =
            plot.with_untracked(|plot| frame.with_untracked(|frame| frame.x(plot).value(f64::from(event.offset_x()))));
        plot.with_untracked(|plot| plot.nearest(x)).into_iter().for_each(move_to);
    };
    view! {
        <input
            type="range"
            class="walk"
            min="0"
            max=move || last().to_string()
            prop:value=move || at().to_string()
            aria-label=move || format!("{}: walk along the curve", title.get())
            aria-valuetext=text
            on:input=move |event| event_target_value(&event).parse().into_iter().for_each(move_to)
            on:focus=move |_| move_to(plot.with_untracked(|plot| plot.walk().len().saturating_sub(1)))
            on:blur=move |_| state.cursor.set(None)
            on:pointermove=follow
            on:pointerleave=move |_| state.cursor.set(None)
        />
    }
}
