//! The status line, the progress bar and the latest numbers.

use leptos::prelude::*;

use super::marked::Marked;
use crate::format;
use crate::page::model::phase::Phase;
use crate::page::state::store::PageState;
use crate::worker::protocol::RunTag;

/// Status line, progress bar and numbers.
#[component]
pub fn Status() -> impl IntoView {
    let state = expect_context::<PageState>();
    let phase = move || state.phase.get().name();
    let said = Memo::new(move |_| sentence(state));
    view! {
        <section class="status" aria-label="Progress">
            <p class="state" data-testid="status" data-state=phase role="status" aria-live="polite">{said}</p>
            <Bar/>
            <Numbers/>
            <p class="hint" data-testid="hidden-time" role="status">{move || state.hidden_time.get()}</p>
        </section>
    }
}

/// The status as a sentence. It holds no numbers that change with every step: screen readers speak each change.
fn sentence(state: PageState) -> String {
    match state.phase.get() {
        Phase::Loading => format!("{} …", state.load_progress.with(|progress| progress.words())),
        Phase::Ready if state.shows_kept_run() => {
            let title = state.tag.with(|tag| tag.as_ref().map(RunTag::title)).unwrap_or_default();
            format!("Ready. {title} is on show; Start training begins a new run with its settings.")
        }
        Phase::Ready if state.offered_run().is_some() => {
            "Ready. Press Start training, or continue your saved run.".into()
        }
        Phase::Ready => "Ready. Press Start training.".into(),
        Phase::Done => state.run.with(|run| match &run.done {
            Some(done) => {
                let steps = format::thousands(done.step);
                let time = format::duration(done.elapsed_seconds);
                format!("Done: {steps} steps in {time}.")
            }
            None => "Done.".into(),
        }),
        Phase::Running if state.examining.with(Option::is_some) => {
            "Training: the large test of what it has learned …".into()
        }
        Phase::Running if state.probing.get() => "Training: testing what it has learned …".into(),
        Phase::Running if state.run.with(|run| run.step.is_none()) && state.on_gpu() => {
            "Training: the GPU prepares its first step …".into()
        }
        other => other.words().into(),
    }
}

/// Progress of loading, then of the run.
#[component]
fn Bar() -> impl IntoView {
    let state = expect_context::<PageState>();
    let share = Memo::new(move |_| match state.phase.get() {
        Phase::Loading => state.load_progress.with(|progress| progress.share()),
        Phase::Running if state.probing.get() && state.run.with(|run| run.step.is_none()) => None,
        _ => Some(state.run.with(|run| run.progress())),
    });
    let label = move || if state.phase.get() == Phase::Loading { "Loading" } else { "Steps of the run" };
    view! {
        <progress
            data-testid="progress"
            aria-label=label
            max="1"
            value=move || share.get().map(|share| format!("{share:.4}"))
        ></progress>
    }
}

#[component]
fn Numbers() -> impl IntoView {
    let state = expect_context::<PageState>();
    let of_step = move |text: fn(&crate::session::event::Step) -> String| {
        Memo::new(move |_| state.run.with(|run| run.step.as_ref().map_or_else(|| "–".to_string(), text)))
    };
    let steps = Memo::new(move |_| state.run.with(|run| format::thousands(run.steps())));
    let total = Memo::new(move |_| {
        state.run.with(|run| run.plan.as_ref().map(|plan| format!(" of {}", format::thousands(plan.total_steps))))
    });
    let left = Memo::new(move |_| {
        let known = state.run.with(|run| run.seconds_left());
        known.filter(|_| state.phase.get().is_busy()).map_or_else(|| "–".to_string(), format::duration)
    });
    let speed = of_step(|step| format::rate(step.images_per_second));
    let epoch = of_step(|step| format!("{:.2}", step.epoch));
    view! {
        <dl class="numbers">
            <Number name="Step"><span data-testid="step-count">{steps}</span>{total}</Number>
            <Number name="Epoch"><span data-testid="epoch">{epoch}</span></Number>
            <Number name="Time left"><span data-testid="time-left">{left}</span></Number>
            <Number name="Images / s"><span data-testid="images-per-second">{speed}</span></Number>
        </dl>
    }
}

#[component]
fn Number(name: &'static str, children: Children) -> impl IntoView {
    view! { <div><dt><Marked text=name/></dt><dd>{children()}</dd></div> }
}
