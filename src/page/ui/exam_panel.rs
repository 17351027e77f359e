//! The large test: its verdict, its progress, and the encoder that it examined as a file.

use leptos::prelude::*;

use super::link_button::LinkButton;
use crate::page::model::exam_text::{self, Answer, Line};
use crate::page::state::store::PageState;
use crate::session::event::Exam;
use crate::worker::protocol::EncoderFile;

const ANNOUNCEMENT: &str = "The answer comes after the last step, from a large test: up to 5,000 labelled pictures for the \
    classifier and 5,000 others to test it on, at every layer, beside all controls.";

/// Verdict, progress and buttons of the large test.
#[component]
pub fn ExamPanel() -> impl IntoView {
    let state = expect_context::<PageState>();
    let exam = Memo::new(move |_| state.run.with(|run| run.exam.clone()));
    let running = Memo::new(move |_| state.examining.with(Option::is_some));
    let closed = Memo::new(move |_| running.get() || !state.has_network());
    view! {
        <div class="exam" data-testid="exam">
            <div role="status">{move || exam.with(|exam| exam.as_ref().and_then(exam_text::answer)).map(verdict)}</div>
            {move || exam.with(|exam| exam.as_ref().map(table))}
            {move || exam.with(Option::is_none).then(|| view! { <p class="hint">{ANNOUNCEMENT}</p> })}
            {move || running.get().then(|| view! { <Progress/> })}
            <div class="take-away">
                <LinkButton testid="exam-start" closed action=move || state.start_exam()>"Run the large test now"</LinkButton>
                <LinkButton testid="export-encoder" closed action=move || state.export_encoder(EncoderFile::Safetensors)>
                    "Encoder as safetensors"
                </LinkButton>
                <LinkButton testid="export-onnx" closed action=move || state.export_encoder(EncoderFile::Onnx)>"Encoder as ONNX"</LinkButton>
            </div>
        </div>
    }
}

fn verdict(Answer { verdict, sentence, advice }: Answer) -> impl IntoView {
    view! { <p class="answer" data-testid="exam-verdict" data-verdict=verdict>{sentence}</p> <p>{advice}</p> }
}

/// The trained encoder and its controls, and the sample in words.
fn table(exam: &Exam) -> impl IntoView + use<> {
    let row = |Line { name, accuracy, interval }| {
        view! { <tr><th scope="row">{name}</th><td>{accuracy}</td><td>{interval}</td></tr> }
    };
    view! {
        <table data-testid="exam-table">
            <thead><tr><th scope="col">"Features"</th><th scope="col">"Accuracy"</th><th scope="col">"95 % interval"</th></tr></thead>
            <tbody>{exam_text::lines(exam).into_iter().map(row).collect_view()}</tbody>
        </table>
        <p class="hint" data-testid="exam-settings">{exam_text::sample(exam)}</p>
    }
}

/// Progress of the large test, and the way out of it.
#[component]
fn Progress() -> impl IntoView {
    let state = expect_context::<PageState>();
    let of = move |read: fn(&crate::session::event::ExamProgress) -> String| {
        Memo::new(move |_| state.examining.with(|progress| progress.as_ref().map(read)))
    };
    let text = of(exam_text::progress);
    let value = of(|progress| progress.done.to_string());
    let most = of(|progress| progress.parts.max(1).to_string());
    view! {
        <p class="hint">{text}</p>
        <progress aria-label="The large test" max=most value=value></progress>
        <button type="button" class="plain" data-testid="exam-skip" on:click=move |_| state.skip_exam()>"Skip the test"</button>
    }
}
