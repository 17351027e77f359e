//! The choice of the data.

use leptos::prelude::*;

use crate::page::model::dataset_choice;
use crate::page::state::store::PageState;

/// One line a data set. What the method cannot use, or the site does not have, is there too and says why it cannot be
/// chosen.
#[component]
pub fn DataChoice() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let chosen = move || match bench.set.get() {
        Some(set) => set.name,
        None => bench.settings.with(|settings| settings.data.clone()),
    };
    let needs = move || bench.card.with(|card| card.as_ref().map(|card| card.needs).unwrap_or_default());
    let options = move || {
        let known = bench.menu.with(|menu| menu.sets.clone()).into_iter().map(|set| {
            let obstacle = dataset_choice::obstacle(needs(), &set);
            let words = obstacle.map_or_else(|| set.title.clone(), |obstacle| format!("{} ({obstacle})", set.title));
            (set.name, words, obstacle.is_some())
        });
        let mut options: Vec<_> = known.collect();
        // what a link asked for may be none of them
        if options.iter().all(|(name, ..)| *name != chosen()) {
            options.push((chosen(), chosen(), false));
        }
        options
    };
    let about = move || {
        bench.set.with(|set| set.as_ref().map(|set| format!("{}.", crate::page::model::words::title(&set.about))))
    };
    let advice = move || {
        let (card, set) = (bench.card.get()?, bench.set.get()?);
        bench.menu.with(|menu| dataset_choice::advice(&card, &menu.sets, &set))
    };
    view! {
        <div class="field wide">
            <label for="data">"Data"</label>
            <select id="data" data-testid="data-set" prop:value=chosen on:change=move |event| bench.change("data", &event_target_value(&event))>
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
