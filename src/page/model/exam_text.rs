//! The examination in words: its progress, its verdict, and what would show more.

use super::probe_summary::{best, layer_name};
use crate::format;
use crate::probe::{Gain, MARGIN, Standing};
use crate::session::event::{Exam, ExamProgress, ProbeRow, Source};

/// The answer to the question if anything was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value of `data-verdict`: `learned`, `unclear` or `none`.
    pub verdict: &'static str,
    /// The answer with its numbers.
    pub sentence: String,
    /// What would show more.
    pub advice: String,
}

/// The answer of an examination.
pub fn answer(exam: &Exam) -> Option<Answer> {
    let gain = exam.probe.gains.first()?;
    let steps = format::count(exam.probe.step, "step");
    let verdict = match gain.standing {
        Standing::Above => "learned",
        Standing::Level => "unclear",
        Standing::Below => "none",
    };
    let opening = match gain.standing {
        Standing::Above => "It learned something",
        Standing::Level => "Too close to call",
        Standing::Below => "No better than without learning",
    };
    let advice = match gain.standing {
        Standing::Above => format!("{steps} were enough to tell. A longer run usually gains more."),
        Standing::Level => format!(
            "It counts as learned once the interval lies above {} points, by which untrained networks differ from each other. After \
             {steps} it does not; a longer run would show more.",
            format::points(MARGIN)
        ),
        Standing::Below => format!(
            "After {steps} bare pixels or random weights do as well. Try a longer run, another method, or other pictures."
        ),
    };
    Some(Answer { verdict, sentence: format!("{opening}: {}.", against(gain)), advice })
}

/// `+1.8 points over the better control, PCA of raw pixels (95 % interval +0.9 to +2.7)`.
fn against(gain: &Gain) -> String {
    let points = format::points(gain.difference());
    let interval = interval(gain);
    let control = match gain.control {
        Source::Untrained => format!("the network before its first step, {}", layer_name(&gain.control_layer)),
        control => control.words().to_string(),
    };
    format!("{points} points from the best control, {control} ({interval})")
}

/// `95 % interval +0.9 to +2.7`.
pub fn interval(gain: &Gain) -> String {
    let [low, high] = gain.interval.map(format::points);
    format!("95 % interval {low} to {high}")
}

/// Features that were examined, at the layer that validation chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The features in words.
    pub name: String,
    /// Accuracy.
    pub accuracy: String,
    /// Its 95 % interval.
    pub interval: String,
}

/// The trained encoder and its controls.
pub fn lines(exam: &Exam) -> Vec<Line> {
    let kind = exam.probe.gains.first().map_or("linear", |gain| gain.probe.as_str());
    let sources = [Source::Trained, Source::Untrained, Source::Pca, Source::RawPixels];
    sources.into_iter().filter_map(|source| best(&exam.probe, source, kind)).map(line).collect()
}

fn line(row: &ProbeRow) -> Line {
    let name = match row.source {
        Source::Trained | Source::Untrained => format!("{}, {}", row.source.words(), layer_name(&row.layer)),
        control => control.words().to_string(),
    };
    let [low, high] = row.interval.map(|share| format!("{:.1}", 100.0 * share));
    Line { name: format::title(&name), accuracy: format::percent(row.accuracy), interval: format!("{low} to {high}") }
}

/// The images, the draw and the probe in words.
pub fn sample(exam: &Exam) -> String {
    let pairs = exam.probe.gains.first().map(|gain| {
        format!(
            " {} test pictures were named rightly by the trained features alone, {} by the best control alone.",
            format::thousands(gain.gained),
            format::thousands(gain.lost)
        )
    });
    format!("{}{} Measured in {}.", exam.settings, pairs.unwrap_or_default(), format::duration(exam.seconds))
}

/// Progress as a sentence.
pub fn progress(progress: &ExamProgress) -> String {
    match progress.parts {
        0 => "The large test waits for the last images …".into(),
        parts => format!("The large test, part {} of {parts}: {} …", progress.done + 1, progress.part),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::page::model::probe_summary::tests::{gain, round};

    /// An examination in which the trained features alone classify `gained` of 5,000 images correctly, and the control `lost`.
    pub fn exam(gained: usize, lost: usize) -> Exam {
        let probe = crate::session::event::Probe {
            train_images: 5000,
            test_images: 5000,
            gains: vec![gain("linear", gained, lost, 5000)],
            ..round(40, 0.02)
        };
        Exam { probe, settings: "5000 training and 5000 test images.".into(), seconds: 9.0 }
    }

    #[test]
    fn the_answer_is_one_of_three() {
        let answers = [exam(300, 200), exam(300, 290), exam(200, 300)].map(|exam| answer(&exam).expect("a gain"));
        assert_eq!(answers.each_ref().map(|answer| answer.verdict), ["learned", "unclear", "none"]);
        assert_eq!(
            answers[0].sentence,
            "It learned something: +2.0 points from the best control, the network before its first step, block 2 (95 % \
             interval +1.1 to +2.9)."
        );
        assert!(answers[1].sentence.starts_with("Too close to call: +0.2 points"), "{:?}", answers[1]);
        assert!(answers[2].sentence.starts_with("No better than without learning: −2.0 points"), "{:?}", answers[2]);
        assert!(answers.iter().all(|answer| answer.advice.contains("40 steps")), "{answers:?}");
        let mut bare = exam(1, 1);
        bare.probe.gains.clear();
        assert_eq!(answer(&bare), None);
    }

    #[test]
    fn all_four_kinds_of_features_have_a_line() {
        let lines = lines(&exam(300, 200));
        let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(
            names,
            ["Trained encoder, block 2", "Untrained encoder, block 2", "PCA of raw pixels", "Raw pixels"]
        );
        assert_eq!((lines[0].accuracy.as_str(), lines[0].interval.as_str()), ("76.0 %", "0.0 to 100.0"));
    }

    #[test]
    fn the_sample_is_told_with_the_pairs() {
        assert_eq!(
            sample(&exam(1300, 200)),
            "5000 training and 5000 test images. 1,300 test pictures were named rightly by the trained features alone, 200 by the \
             best control alone. Measured in 9.0 s."
        );
    }

    #[test]
    fn progress_counts_from_the_first_part() {
        let at = |done, parts| progress(&ExamProgress { part: "raw pixels".into(), done, parts });
        assert_eq!(at(0, 32), "The large test, part 1 of 32: raw pixels …");
        assert_eq!(at(0, 0), "The large test waits for the last images …");
    }
}
