//! One place of the strip: its images above one another, and what the network said.

use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::bench::Bench;
use super::layout;
use crate::session::picture::{Caption, PictureRow};

/// The images at `index` of the picture's `rows`, with the caption of row `captions`.
#[component]
pub fn Tile(rows: Vec<usize>, index: usize, captions: Option<usize>) -> impl IntoView {
    let bench = expect_context::<Bench>();
    let caption = Memo::new(move |_| {
        let row = captions?;
        bench.picture.with(|picture| picture.as_ref()?.rows.get(row)?.captions.get(index).cloned())
    });
    let verdict =
        move || caption.with(|caption| caption.as_ref().map(|caption| if caption.right { "right" } else { "wrong" }));
    let images = rows.into_iter().map(move |row| view! { <Image row index caption/> });
    view! {
        <li class="tile" data-verdict=verdict>
            {images.collect_view()}
            {move || caption.get().map(|Caption { truth, guess, right }| view! {
                <span class="verdict" aria-hidden="true">
                    <span class="mark">{if right { "✓" } else { "✗" }}</span>
                    {guess}
                    {(!right).then(|| view! { <span class="truth"><span class="wide">"is "</span>{truth}</span> })}
                </span>
            })}
        </li>
    }
}

#[component]
fn Image(row: usize, index: usize, caption: Memo<Option<Caption>>) -> impl IntoView {
    let bench = expect_context::<Bench>();
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        bench.picture.with(|picture| {
            if let Some(row) = picture.as_ref().and_then(|picture| picture.rows.get(row)) {
                paint(&canvas, row, index);
            }
        });
    });
    let number = index + 1;
    let label = move || match caption.get() {
        Some(caption) => format!("image {number}: {}", layout::spoken(&caption)),
        None => format!("image {number}"),
    };
    view! { <canvas node_ref=canvas width="28" height="28" role="img" aria-label=label></canvas> }
}

fn paint(canvas: &HtmlCanvasElement, row: &PictureRow, index: usize) -> Option<()> {
    let pixels = layout::rgba(row, index)?;
    let (width, height) = (row.width as u32, row.height as u32);
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d").ok()??.dyn_into::<CanvasRenderingContext2d>().ok()?;
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&pixels), width, height).ok()?;
    context.put_image_data(&image, 0.0, 0.0).ok()
}
