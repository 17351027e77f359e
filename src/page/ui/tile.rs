//! A tile of the strip: the images of one sample, and the prediction.

use leptos::html::Canvas;
use leptos::prelude::*;

use super::canvas::paint;
use crate::page::model::picture_layout;
use crate::page::state::store::PageState;
use crate::session::picture::Caption;

/// Image `index` of each of the picture's `rows`, with the caption from row `captions`.
#[component]
pub fn Tile(rows: Vec<usize>, index: usize, captions: Option<usize>) -> impl IntoView {
    let state = expect_context::<PageState>();
    let caption = Memo::new(move |_| {
        let row = captions?;
        state.picture.with(|picture| picture.as_ref()?.rows.get(row)?.captions.get(index).cloned())
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
    let state = expect_context::<PageState>();
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        state.picture.with(|picture| {
            let row = picture.as_ref()?.rows.get(row)?;
            paint(&canvas, &picture_layout::rgba(row, index)?, row.width, row.height)
        });
    });
    let number = index + 1;
    let label = move || match caption.get() {
        Some(caption) => format!("image {number}: {}", picture_layout::spoken(&caption)),
        None => format!("image {number}"),
    };
    view! { <div class="cell"><canvas node_ref=canvas width="28" height="28" role="img" aria-label=label></canvas></div> }
}
