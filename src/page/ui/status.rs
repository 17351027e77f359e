//! Where the page and its run are: the state in a word, progress, and the numbers of the moment.

use leptos::prelude::*;

use crate::page::model::phase::Phase;
use crate::page::model::words;
use crate::page::state::store::PageState;

/// The state and the numbers.
#[component]
pub fn Status() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let state = move || bench.phase.get().name();
    let said = Memo::new(move |_| sentence(bench));
    view! {
        <section class="status" aria-label="Progress">
            <p class="state" data-testid="status" data-state=state role="status" aria-live="polite">{said}</p>
            <Bar/>
            <Numbers/>
        </section>
    }
}

/// What is said when the state changes; numbers that change all the time stand elsewhere, or nobody could listen.
fn sentence(bench: PageState) -> String {
    match bench.phase.get() {
        Phase::Loading => format!("{} …", bench.loading.with(|loading| loading.words())),
        Phase::Ready if bench.offered().is_some() => {
            "Ready. Press Start training, or take up the run that is kept.".into()
        }
        Phase::Ready => "Ready. Press Start training.".into(),
        Phase::Done => bench.record.with(|record| match &record.done {
            Some(done) => {
                let (steps, time) = (words::count(done.step), words::duration(done.elapsed_seconds));
                format!("Done: {steps} steps in {time}.")
            }
            None => "Done.".into(),
        }),
        Phase::Running if bench.examining.get() => "Training: examining the features …".into(),
        Phase::Running if bench.record.with(|record| record.step.is_none()) && bench.on_gpu() => {
            "Training: the GPU prepares its first step …".into()
        }
        other => other.words().into(),
    }
}

/// The share of what is being waited for: the engine first, the run later.
#[component]
fn Bar() -> impl IntoView {
    let bench = expect_context::<PageState>();
    let share = Memo::new(move |_| match bench.phase.get() {
        Phase::Loading => bench.loading.with(|loading| loading.share()),
        Phase::Running if bench.examining.get() && bench.record.with(|record| record.step.is_none()) => None,
        _ => Some(bench.record.with(|record| record.progress())),
    });
    let label = move || if bench.phase.get() == Phase::Loading { "Loading" } else { "Steps of the run" };
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
    let bench = expect_context::<PageState>();
    let of_step = move |text: fn(&crate::session::event::Step) -> String| {
        Memo::new(move |_| bench.record.with(|record| record.step.as_ref().map_or_else(|| "–".to_string(), text)))
    };
    let steps = Memo::new(move |_| bench.record.with(|record| words::count(record.steps())));
    let total = Memo::new(move |_| {
        bench.record.with(|record| record.plan.as_ref().map(|plan| format!(" of {}", words::count(plan.total_steps))))
    });
    let left = Memo::new(move |_| {
        let known = bench.record.with(|record| record.seconds_left());
        known.filter(|_| bench.phase.get().is_busy()).map_or_else(|| "–".to_string(), words::duration)
    });
    let speed = of_step(|step| words::count(step.images_per_second.round() as usize));
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
    view! { <div><dt>{name}</dt><dd>{children()}</dd></div> }
}
