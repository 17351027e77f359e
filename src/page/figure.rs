//! Matrices that show what a loss does, drawn as pictures of their values.

use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::bench::Bench;
use super::words;
use crate::session::picture::PictureFigure;

/// All matrices of the latest picture; nothing where the method has none.
#[component]
pub fn Figures() -> impl IntoView {
    let bench = expect_context::<Bench>();
    let count =
        Memo::new(move |_| bench.picture.with(|picture| picture.as_ref().map_or(0, |picture| picture.figures.len())));
    move || (0..count.get()).map(|place| view! { <Matrix place/> }).collect_view()
}

/// The matrix at `place` of the picture, with its range and how to read it.
#[component]
fn Matrix(place: usize) -> impl IntoView {
    let bench = expect_context::<Bench>();
    let canvas = NodeRef::<Canvas>::new();
    let of = move |part: fn(&PictureFigure) -> String| {
        Memo::new(move |_| {
            bench.picture.with(|picture| picture.as_ref()?.figures.get(place).map(part)).unwrap_or_default()
        })
    };
    let (title, caption) = (of(|figure| figure.title.clone()), of(|figure| figure.caption.clone()));
    let range =
        of(|figure| format!("{} to {}", words::number(f64::from(figure.low)), words::number(f64::from(figure.high))));
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        bench.picture.with(|picture| {
            if let Some(figure) = picture.as_ref().and_then(|picture| picture.figures.get(place)) {
                paint(&canvas, figure);
            }
        });
    });
    view! {
        <figure class="matrix" data-testid="figure">
            <figcaption><h3>{title}</h3><span class="hint">{range}</span></figcaption>
            <canvas node_ref=canvas width="1" height="1" role="img" aria-label=title></canvas>
            <p class="said">{caption}</p>
        </figure>
    }
}

/// One pixel a cell; the style sheet makes them large.
fn paint(canvas: &HtmlCanvasElement, figure: &PictureFigure) -> Option<()> {
    let (width, height) = (figure.columns as u32, figure.rows as u32);
    let pixels: Vec<u8> = figure.cells.iter().flat_map(|&value| [value, value, value, 255]).collect();
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d").ok()??.dyn_into::<CanvasRenderingContext2d>().ok()?;
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width, height).ok()?;
    context.put_image_data(&image, 0.0, 0.0).ok()
}
