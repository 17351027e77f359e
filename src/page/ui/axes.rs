//! A chart as SVG: axes with ticks, reference lines, curves and the cursor.

use leptos::prelude::*;

use crate::format;
use crate::method::Unit;
use crate::page::model::plot::{Level, Look, Plot, Series};
use crate::page::model::scale::{Scale, Ticks, spread};

/// Space for the tick labels left of the plot, in pixels.
const LEFT: f64 = 44.0;
/// Space for the tick labels below the plot.
const BOTTOM: f64 = 26.0;
/// Space above and right of the plot, so that lines and labels are not cut.
const EDGE: f64 = 10.0;
/// Smallest distance of two tick labels of the step axis.
const APART: f64 = 90.0;
/// Smallest distance of the names of two reference lines.
const LABEL_GAP: f64 = 15.0;
/// Space that the name of a line needs above it: a curve that ends within it moves the name below the line.
const LABEL_ROOM: f64 = 22.0;

/// Size of a chart in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    width: f64,
    height: f64,
}

impl Frame {
    /// A frame of this size.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width: width.max(2.0 * LEFT), height }
    }

    /// Scale of the steps.
    pub fn x(&self, plot: &Plot) -> Scale {
        Scale { values: plot.x, pixels: (LEFT, self.width - EDGE) }
    }

    /// Scale of the values, upwards.
    pub fn y(&self, plot: &Plot) -> Scale {
        Scale { values: plot.y, pixels: (self.height - BOTTOM, EDGE) }
    }
}

/// The whole chart but its cursor.
pub fn draw(plot: &Plot, frame: &Frame) -> impl IntoView + use<> {
    let x = frame.x(plot);
    let y = frame.y(plot);
    view! {
        <g class="grid">{values(plot, &y, frame)}{steps(&x, frame)}</g>
        <g class="levels">{levels(&plot.levels, &y, frame)}</g>
        <g class="curves">{plot.series.iter().map(|series| curve(series, &x, &y)).collect_view()}</g>
        <g class="names">{names(&plot.levels, plot, &y, frame)}</g>
    }
}

fn values(plot: &Plot, y: &Scale, frame: &Frame) -> impl IntoView + use<> {
    let ticks = Ticks::between(plot.y.0, plot.y.1, 4);
    let unit = plot.unit;
    let scale = *y;
    let right = number(frame.width - EDGE);
    let lines = ticks.values.clone().into_iter().map(move |value| {
        let at = number(scale.place(value));
        let text = if unit == Unit::Share { ticks.percent(value) } else { ticks.text(value) };
        view! {
            <line x1=number(LEFT) x2=right.clone() y1=at.clone() y2=at.clone()></line>
            <text x=number(LEFT - 8.0) y=at dy="0.32em" text-anchor="end">{text}</text>
        }
    });
    lines.collect_view()
}

fn steps(x: &Scale, frame: &Frame) -> impl IntoView + use<> {
    let room = (frame.width - LEFT - EDGE) / APART;
    let ticks = Ticks::between(x.values.0, x.values.1, room.max(1.0) as usize);
    let scale = *x;
    let foot = frame.height - BOTTOM;
    let whole = ticks.values.into_iter().filter(|value| value.fract() == 0.0);
    let marks = whole.map(move |value| {
        let at = number(scale.place(value));
        let text = if value == 0.0 { "step 0".to_string() } else { format::thousands(value as usize) };
        let anchor = if value == 0.0 { "start" } else { "middle" };
        view! {
            <line class="tick" x1=at.clone() x2=at.clone() y1=number(foot) y2=number(foot + 4.0)></line>
            <text x=at y=number(foot + 17.0) text-anchor=anchor>{text}</text>
        }
    });
    marks.collect_view()
}

fn levels(levels: &[Level], y: &Scale, frame: &Frame) -> impl IntoView + use<> {
    let scale = *y;
    let right = number(frame.width - EDGE);
    let lines = levels.iter().map(move |level| {
        let at = number(scale.place(level.value));
        let class = format!("level pattern{}", level.pattern);
        view! { <line class=class x1=number(LEFT) x2=right.clone() y1=at.clone() y2=at></line> }
    });
    lines.collect_view()
}

/// Names of the reference lines, at the right end above each line, or below it if a curve ends just above; moved apart if two
/// lines are close.
fn names(levels: &[Level], plot: &Plot, y: &Scale, frame: &Frame) -> impl IntoView + use<> {
    let ends = || plot.series.iter().filter_map(|series| series.points.last());
    let own = levels.iter().map(|level| {
        let line = y.place(level.value);
        let crowded = ends().any(|end| (0.0..LABEL_ROOM).contains(&(line - y.place(end.1))));
        if crowded { line + LABEL_GAP } else { line - 5.0 }
    });
    let mut own: Vec<f64> = own.collect();
    // the names stand in the order of their lines, also where some are moved below a curve
    let mut order: Vec<usize> = (0..levels.len()).collect();
    order.sort_by(|&a, &b| levels[b].value.total_cmp(&levels[a].value));
    let mut above = f64::NEG_INFINITY;
    for at in order {
        own[at] = own[at].max(above + 0.1);
        above = own[at];
    }
    let places = spread(&own, LABEL_GAP, (EDGE + 4.0, frame.height - BOTTOM - 4.0));
    let right = number(frame.width - EDGE - 2.0);
    let texts = levels.iter().zip(places).map(|(level, at)| {
        let text = format!("{} {}", level.name, plot.text(level.value));
        view! { <text x=right.clone() y=number(at) text-anchor="end">{text}</text> }
    });
    texts.collect_view()
}

fn curve(series: &Series, x: &Scale, y: &Scale) -> impl IntoView + use<> {
    let places = series.points.iter().map(|point| (x.place(point.0), y.place(point.1)));
    let mut path = String::with_capacity(series.points.len() * 13);
    for (index, (across, down)) in places.clone().enumerate() {
        path += &format!("{}{across:.1} {down:.1}", if index == 0 { 'M' } else { 'L' });
    }
    let colour = match series.look {
        Look::Other(colour) => colour,
        _ => 0,
    };
    let class = match series.look {
        Look::Faint => "curve faint".to_string(),
        Look::Main | Look::Dotted => "curve main".to_string(),
        Look::Other(colour) => format!("curve run{colour}"),
    };
    let marked = series.look == Look::Dotted || series.points.len() == 1;
    let dots = places.filter(|_| marked).map(|(across, down)| {
        view! { <circle class=format!("dot run{colour}") cx=number(across) cy=number(down) r="3.5"></circle> }
    });
    view! { <path class=class d=path></path>{dots.collect_view()} }
}

/// The cursor: a line through the chart and a ring on each curve.
pub fn cursor_mark(plot: &Plot, at: usize, frame: &Frame) -> impl IntoView + use<> {
    let x = frame.x(plot);
    let y = frame.y(plot);
    let step = plot.walk().get(at).map(|point| point.0);
    step.map(|step| {
        let across = number(x.place(step));
        let points = plot.series.iter().filter_map(|series| series.at(step));
        let rings = points.map(|point| {
            view! { <circle class="ring" cx=number(x.place(point.0)) cy=number(y.place(point.1)) r="4.5"></circle> }
        });
        view! {
            <line class="place" x1=across.clone() x2=across y1=number(EDGE) y2=number(frame.height - BOTTOM)></line>
            {rings.collect_view()}
        }
    })
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}
