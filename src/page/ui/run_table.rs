//! The fourth part of the lesson: the runs of this browser side by side.

use leptos::html::Section;
use leptos::prelude::*;

use super::legend::Swatch;
use super::link_button::LinkButton;
use crate::page::model::run_list::MOST_COMPARED;
use crate::page::model::run_rows::{self, RunRow};
use crate::page::state::run_table::LONGEST_NAME;
use crate::page::state::store::PageState;
use crate::worker::protocol::KeptRun;

/// The table of runs, once there is one.
#[component]
pub fn Runs() -> impl IntoView {
    let state = expect_context::<PageState>();
    let rows = Memo::new(move |_| {
        state.runs.with(|list| {
            state.named.with(|shown| {
                let methods = |menu: &crate::worker::protocol::Menu| {
                    state.comparison.with(|comparison| run_rows::rows(list, shown.as_ref(), comparison, &menu.methods))
                };
                state.menu.with(methods)
            })
        })
    });
    let has = Memo::new(move |_| rows.with(|rows| !rows.is_empty()));
    let place = NodeRef::<Section>::new();
    // the button that had the focus is gone with its row
    let focus = Callback::new(move |()| place.get_untracked().into_iter().for_each(|place| drop(place.focus())));
    let introduction = format!(
        "Change one setting, start again, and see what it does: the last runs stay here, and up to {MOST_COMPARED} of them are \
         drawn in the charts above. The table names the settings in which runs differ."
    );
    view! {
        <section class="part runs" aria-labelledby="part-runs" tabindex="-1" node_ref=place hidden=move || !has.get()>
            <h2 id="part-runs"><span class="count" aria-hidden="true">"4"</span>"Runs side by side"</h2>
            <p>{introduction}</p>
            <div class="notices" role="status" data-testid="runs-notice">
                {move || state.runs_notice.get().map(|text| view! { <p class="notice">{text}</p> })}
            </div>
            <table data-testid="runs-table" role="table" aria-labelledby="part-runs">
                <thead role="rowgroup">
                    <tr role="row">
                        {["In the charts", "Run", "Steps", "Loss", "Linear probe", "Actions"].map(|name| {
                            view! { <th role="columnheader" scope="col">{name}</th> }
                        }).collect_view()}
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    <For each=move || rows.with(|rows| rows.iter().map(|row| row.id).collect::<Vec<_>>()) key=|id| *id let:id>
                        <Row id rows focus/>
                    </For>
                </tbody>
            </table>
            <p class="hint">
                "This browser keeps the curves of the last 20 runs, and the networks of the last 3, which can be continued."
            </p>
        </section>
    }
}

#[component]
fn Row(id: u64, rows: Memo<Vec<RunRow>>, focus: Callback<()>) -> impl IntoView {
    let state = expect_context::<PageState>();
    let row = Memo::new(move |_| rows.with(|rows| rows.iter().find(|row| row.id == id).cloned()));
    let is = move |of: fn(&RunRow) -> bool| row.with(|row| row.as_ref().is_some_and(of));
    let text =
        move |of: fn(&RunRow) -> &String| row.with(|row| row.as_ref().map(|row| of(row).clone())).unwrap_or_default();
    let title = move || text(|row| &row.title);
    // those of the run on show change with its steps
    let numbers = Memo::new(move |_| {
        let now = || state.tag.get().and_then(|tag| state.run.with(|run| KeptRun::of(tag, run.log(), 0.0, false)));
        let now = if is(|row| row.is_shown) { now() } else { None };
        now.map(|run| run_rows::numbers(&run)).or_else(|| row.get().map(|row| row.numbers)).unwrap_or_default()
    });
    let named = move |verb: &'static str| Signal::derive(move || format!("{verb} {}", title()));
    let colour = Memo::new(move |_| row.with(|row| row.as_ref()?.colour));
    let number = move |at: usize| move || numbers.with(|numbers| numbers[at].clone());
    view! {
        <tr role="row" data-testid="run-row" class:shown=move || is(|row| row.is_shown)>
            <td role="cell" class="pick">
                <input
                    type="checkbox"
                    data-testid="run-compare"
                    aria-label=move || format!("{} in the charts", title())
                    prop:checked=move || is(|row| row.is_compared)
                    disabled=move || is(|row| row.is_shown)
                    on:change=move |event| state.compare(id, event_target_checked(&event))
                />
                {move || colour.get().map(|colour| view! { <Swatch colour/> })}
            </td>
            <th role="rowheader" scope="row">
                <input
                    type="text"
                    data-testid="run-name"
                    maxlength=LONGEST_NAME.to_string()
                    autocomplete="off"
                    aria-label=move || format!("Name of {}", title())
                    prop:value=title
                    disabled=move || !is(|row| row.can_change)
                    on:change=move |event| state.rename_run(id, &event_target_value(&event))
                />
                <span class="hint" data-testid="run-settings">{move || text(|row| &row.differing)}</span>
            </th>
            <td role="cell" data-name="Steps">{number(0)}</td>
            <td role="cell" data-name="Loss">{number(1)}</td>
            <td role="cell" data-name="Linear probe">{number(2)}</td>
            <td role="cell" class="actions">
                <LinkButton testid="run-open" name=named("Open")
                    closed=Signal::derive(move || is(|row| row.is_shown) || !state.can_open())
                    action=move || state.open_run(id)>"Open"</LinkButton>
                <LinkButton testid="run-continue" name=named("Continue")
                    closed=Signal::derive(move || !is(|row| row.can_continue) || !state.can_open())
                    action=move || state.resume_kept(id)>"Continue"</LinkButton>
                <LinkButton testid="run-delete" name=named("Delete")
                    closed=Signal::derive(move || !is(|row| row.can_change) || state.is_under_way(id))
                    action=move || { focus.run(()); state.delete_run(id) }>"Delete"</LinkButton>
            </td>
        </tr>
    }
}
