//! The report of a run out of its events alone, as the page saves it.

use super::history::History;
use super::standing::paired;
use super::{document, escape, header, probes, reproduce, samples, settings, views};
use crate::format;
use crate::method::Info;
use crate::session::event::{Event, Probe, Started};
use crate::session::picture::Picture;

/// A run to be reported.
#[derive(Debug)]
pub struct RunReport<'a> {
    /// Description of the method.
    pub info: &'a Info,
    /// The run's plan.
    pub started: &'a Started,
    /// Its events.
    pub events: &'a [Event],
    /// Its latest images.
    pub picture: &'a Picture,
    /// Address of the page that repeats the run.
    pub link: &'a str,
}

impl RunReport<'_> {
    /// The report as a file.
    pub fn html(&self) -> String {
        let history = History::of(self.events.to_vec());
        let judged = |probe: &Probe| probes::verdicts(&probe.rows, probe.test_images);
        let verdicts = history.last_probe().map(judged).unwrap_or_default();
        let link = escape(self.link);
        let how = format!("<p>This address repeats the run in a browser: <a href=\"{link}\">{link}</a>.</p>");
        let title = format!("{} on {}", self.info.title, self.started.config.data);
        let body = [
            header(&title, self.info.task, self.started, &verdicts, history.last_step(), history.elapsed_seconds()),
            learned(&history),
            history.training_section(self.info),
            history.health_section(),
            views(self.info, &samples(self.picture)),
            reproduce(&how, self.info, &settings(&self.started.config)),
        ];
        document(&title, "", &body.join("\n"))
    }
}

/// The section on the accuracies: of the examination, or else of the last round of probes.
fn learned(history: &History) -> String {
    let Some(probe) = history.last_probe() else {
        return probes::nothing_learned("No probe has measured this run yet.");
    };
    let paired: Vec<String> = probe.gains.iter().map(paired).collect();
    let how = format!(
        "After {}: {} labelled images to learn from, {} to test.",
        format::count(probe.step, "step"),
        format::thousands(probe.train_images),
        format::thousands(probe.test_images)
    );
    probes::learned(&probe.rows, &paired.join(" "), &how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::METHODS;
    use crate::session::event::Step;

    #[test]
    fn a_report_holds_the_run_and_no_code_of_others() {
        let info: &Info = METHODS[0].info();
        let mut config = METHODS[0].config(crate::config::Preset::Small, "fashion-mnist");
        config.seed = 7;
        let started = Started {
            config,
            device: "CPU <script>alert(1)</script>".into(),
            images: 60_000,
            steps_per_epoch: 937,
            total_steps: 3,
            resumed_at: 0,
            parameters: 1234,
        };
        let step = |step| Event::Step(Step { step, loss: 1.0 / step as f64, elapsed_seconds: 65.0, ..Step::default() });
        let events = [Event::Started(started.clone()), step(1), step(2)];
        let picture = Picture { step: 2, rows: Vec::new(), figures: Vec::new() };
        let link = "https://example.org/?seed=7&steps=3";
        let report = RunReport { info, started: &started, events: &events, picture: &picture, link };
        let html = report.html();
        assert!(html.contains("<dt>Steps</dt><dd>2 of 3</dd>") && html.contains("<dd>1 min 5 s</dd>"), "{html}");
        assert!(html.contains("https://example.org/?seed=7&amp;steps=3"), "{html}");
        assert!(!html.contains("<script"), "{html}");
        assert!(
            html.contains("No probe has measured this run yet") && html.contains("<dt>seed</dt><dd>7</dd>"),
            "{html}"
        );
    }
}
