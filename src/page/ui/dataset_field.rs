//! The field for the data set.

use leptos::prelude::*;

use crate::format;
use crate::page::model::dataset_choice;
use crate::page::state::store::PageState;

/// All data sets. One that the method cannot use, or that the site lacks, is disabled and states the reason.
#[component]
pub fn DataChoice() -> impl IntoView {
    let state = expect_context::<PageState>();
    let chosen = move || match state.dataset.get() {
        Some(dataset) => dataset.name,
        None => state.settings.with(|settings| settings.data.clone()),
    };
    let needs = move || state.card.with(|card| card.as_ref().map(|card| card.needs).unwrap_or_default());
    let options = move || {
        let known = state.menu.with(|menu| menu.datasets.clone()).into_iter().map(|dataset| {
            let obstacle = dataset_choice::obstacle(needs(), &dataset);
            let title = dataset.title;
            let words = obstacle.map_or_else(|| title.clone(), |obstacle| format!("{title} ({obstacle})"));
            (dataset.name, words, obstacle.is_some())
        });
        let mut options: Vec<_> = known.collect();
        // a link may name another one
        if options.iter().all(|(name, ..)| *name != chosen()) {
            options.push((chosen(), chosen(), false));
        }
        options
    };
    let about = move || {
        state.dataset.with(|dataset| dataset.as_ref().map(|dataset| format!("{}.", format::title(&dataset.about))))
    };
    let advice = move || {
        let card = state.card.get()?;
        let dataset = state.dataset.get()?;
        state.menu.with(|menu| dataset_choice::advice(&card, &menu.datasets, &dataset))
    };
    view! {
        <div class="field wide">
            <label for="data">"Data"</label>
            <select id="data" data-testid="data-set" prop:value=chosen on:change=move |event| state.change("data", &event_target_value(&event))>
                {move || options().into_iter().map(|(name, words, closed)| {
                    let selected = name == chosen();
                    view! { <option value=name selected=selected disabled=closed>{words}</option> }
                }).collect_view()}
            </select>
            <p class="hint">{about}</p>
            <p class="hint" data-testid="data-advice">{advice}</p>
        </div>
    }
}
