//! The report of a run out of its events alone, as the page saves it.

use super::history::History;
use super::standing::paired;
use super::{document, escape, header, probes, samples, section, settings, settings_list, with_code};
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
        let title = format!("{} on {}", self.info.title, self.started.config.data);
        let history = History::of(self.events.to_vec());
        let body = [
            self.top(&title, &history),
            learned(&history),
            history.training_section(self.info),
            history.health_section(),
            section(
                "Views and predictions",
                &format!("<p>{}</p>{}", with_code(self.info.lesson), samples(self.picture)),
            ),
            self.again(),
        ];
        document(&title, "", &body.join("\n"))
    }

    fn top(&self, title: &str, history: &History) -> String {
        let Started { config, images, total_steps, parameters, device, .. } = self.started;
        let [taken, total] = [history.last_step(), *total_steps].map(format::thousands);
        let facts = [
            ("Preset", config.preset.to_string()),
            ("Seed", config.seed.to_string()),
            ("Training images", format::thousands(*images)),
            ("Steps", if taken == total { total } else { format!("{taken} of {total}") }),
            ("Training took", format::duration(history.elapsed_seconds())),
            ("Device", device.clone()),
            ("Trainable parameters", format::thousands(*parameters)),
        ];
        let judged = |probe: &Probe| probes::verdicts(&probe.rows, probe.test_images);
        header(title, self.info.task, &history.last_probe().map(judged).unwrap_or_default(), &facts)
    }

    fn again(&self) -> String {
        let body = format!(
            "<p>This address repeats the run in a browser: <a href=\"{}\">{}</a>.</p><p>The method: {}, {}. <a href=\"{}\">The \
             paper</a>.</p>{}",
            escape(self.link),
            escape(self.link),
            escape(self.info.paper),
            self.info.year,
            escape(self.info.url),
            settings_list(&settings(&self.started.config)),
        );
        section("Reproduce it", &body)
    }
}

/// The section on the accuracies: of the examination, or else of the last round of probes.
fn learned(history: &History) -> String {
    let Some(probe) = history.last_probe() else {
        return section("What it learned", "<p>No probe has measured this run yet.</p>");
    };
    let paired: Vec<String> = probe.gains.iter().map(paired).collect();
    let how = format!(
        "After {}: {} labelled images to learn from, {} to test.",
        format::count(probe.step, "step"),
        format::thousands(probe.train_images),
        format::thousands(probe.test_images)
    );
    let body = format!(
        "<p>Two simple probes classify frozen features. An encoder that does not beat the same encoder before training and the \
         raw pixels has learned nothing. Small numbers are 95 % intervals for this number of test images (Wilson). {}</p>{}\
         <div class=\"scroll\">{}</div><p class=\"quiet\">{}</p>",
        escape(&paired.join(" ")),
        probes::charts(&probe.rows),
        probes::table(&probe.rows),
        escape(&how)
    );
    section("What it learned", &body)
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
        let step = |step| {
            Event::Step(Step {
                step,
                epoch: 0.1,
                loss: 1.0 / step as f64,
                metric: None,
                learning_rate: 0.1,
                images_per_second: 100.0,
                elapsed_seconds: 65.0,
                fallbacks: Default::default(),
            })
        };
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
