//! A matrix of the loss, such as similarities, as a live picture.

use leptos::html::Canvas;
use leptos::prelude::*;

use super::canvas::paint;
use crate::format;
use crate::page::model::picture_layout;
use crate::page::state::store::PageState;
use crate::session::picture::PictureFigure;

/// Matrix `index` of the latest picture.
#[component]
pub fn Matrix(index: usize) -> impl IntoView {
    let state = expect_context::<PageState>();
    let canvas = NodeRef::<Canvas>::new();
    let part = move |text: fn(&PictureFigure) -> String| {
        Memo::new(move |_| {
            state.picture.with(|picture| picture.as_ref()?.figures.get(index).map(text)).unwrap_or_default()
        })
    };
    let title = part(|figure| figure.title.clone());
    let caption = part(|figure| figure.caption.clone());
    let low = part(|figure| format::number(figure.low.into()));
    let high = part(|figure| format::number(figure.high.into()));
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        state.picture.with(|picture| {
            let figure = picture.as_ref()?.figures.get(index)?;
            paint(&canvas, &picture_layout::gray(figure)?, figure.columns, figure.rows)
        });
    });
    view! {
        <figure class="matrix">
            <figcaption><h3>{title}</h3></figcaption>
            <canvas node_ref=canvas width="1" height="1" role="img" aria-label=move || format!("{}. {}", title.get(), caption.get())></canvas>
            <p class="scale" aria-hidden="true"><span>{low}</span><span>{high}</span></p>
            <p class="said">{caption}</p>
        </figure>
    }
}
