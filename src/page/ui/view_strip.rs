//! The latest batch: the views, the predictions and the matrices of the loss.

use leptos::prelude::*;

use super::matrix::Matrix;
use super::tile::Tile;
use crate::format;
use crate::page::model::picture_layout::{self, Group};
use crate::page::state::store::PageState;

/// All rows and matrices of the latest picture.
#[component]
pub fn Strip() -> impl IntoView {
    let state = expect_context::<PageState>();
    let groups = Memo::new(move |_| {
        state.picture.with(|picture| picture.as_ref().map(picture_layout::groups).unwrap_or_default())
    });
    let figures =
        Memo::new(move |_| state.picture.with(|picture| picture.as_ref().map_or(0, |picture| picture.figures.len())));
    let step =
        Memo::new(move |_| state.picture.with(|picture| picture.as_ref().map(|picture| picture.step.to_string())));
    let score = Memo::new(move |_| state.picture.with(|picture| picture.as_ref().and_then(picture_layout::score)));
    view! {
        <div class="strip" data-testid="strip" data-step=step>
            {move || groups.get().into_iter().map(|group| view! { <Tiles group/> }).collect_view()}
            <div class="matrices">{move || (0..figures.get()).map(|index| view! { <Matrix index/> }).collect_view()}</div>
            <p class="score" data-testid="score">
                {move || score.get().map(|(right, all)| format!("{right} of these {all} are right."))}
            </p>
        </div>
    }
}

/// The tiles of one group, or a single large image.
#[component]
fn Tiles(group: Group) -> impl IntoView {
    let kind = match () {
        () if group.count == 1 => "plate",
        () if group.is_tall() => "tiles tall",
        () => "tiles",
    };
    let titles: Vec<String> = group.rows.iter().map(|(_, title)| title.clone()).collect();
    let legend = if group.is_tall() {
        let lines = titles.into_iter().map(|title| view! { <li>{format::title(&title)}</li> }).collect_view();
        view! { <ol class="legend" aria-label="The rows from top to bottom">{lines}</ol> }.into_any()
    } else {
        view! { <p class="row-title">{titles.join("; below: ")}</p> }.into_any()
    };
    let rows: Vec<usize> = group.rows.iter().map(|(place, _)| *place).collect();
    let tiles = (0..group.count).map(move |index| view! { <Tile rows=rows.clone() index captions=group.captions/> });
    view! {
        {legend}
        <ul class=kind>{tiles.collect_view()}</ul>
    }
}
