//! The page of a report, section by section.

use super::classes;
use super::few;
use super::history::History;
use super::looks::{DrawnLayers, Neighbours};
use crate::cli::commands::eval;
use crate::cli::output::html::chart::{Across, Chart, Line};
use crate::cli::output::html::{document, escape, fact, section, small, with_code};
use crate::cli::output::probe_table;
use crate::cli::output::standing::against;
use crate::data::Dataset;
use crate::evaluate::{Standing, best_control};
use crate::format;
use crate::method::Info;
use crate::session::checkpoint::Header;
use crate::session::event::{ProbeRow, Source, Started};
use crate::session::folder::{Evaluation, Record};

const PROBES: [(&str, &str); 2] = [("linear", "Linear probe"), ("knn", "Nearest neighbours (kNN)")];

/// Characters of a line of preformatted text.
const PROSE: usize = 96;

/// Everything on the page.
pub(super) struct Page<'a> {
    pub(super) info: &'a Info,
    pub(super) record: &'a Record,
    pub(super) header: &'a Header,
    pub(super) started: Started,
    pub(super) history: History,
    pub(super) evaluation: Option<Evaluation>,
    pub(super) samples: String,
    pub(super) neighbours: Neighbours,
    pub(super) maps: String,
    pub(super) data: &'a Dataset,
    pub(super) chosen: DrawnLayers,
    pub(super) command: String,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let title = format!("{} on {}", self.info.title, self.record.data.name);
        let body = [
            self.top(&title),
            self.learned(),
            self.few_labels(),
            self.labelled(),
            self.classes(),
            self.trained(),
            self.health(),
            section("Views and predictions", &format!("<p>{}</p>{}", with_code(self.info.lesson), self.samples)),
            self.nearest(),
            self.map(),
            self.again(),
        ];
        document(&title, "", &body.join("\n"))
    }

    fn top(&self, title: &str) -> String {
        let config = &self.record.config;
        let facts = [
            ("Preset", config.preset.to_string()),
            ("Seed", config.seed.to_string()),
            ("Training images", format::thousands(self.started.images)),
            ("Steps", self.steps()),
            ("Training took", format::duration(self.header.elapsed_seconds)),
            ("Device", self.record.device.name.clone()),
            ("Trainable parameters", format::thousands(self.started.parameters)),
        ];
        let facts: String = facts.iter().map(|(name, value)| fact(name, value)).collect();
        let verdicts: String = PROBES.iter().filter_map(|(kind, title)| self.verdict(kind, title)).collect();
        let verdicts = if verdicts.is_empty() { verdicts } else { format!("<ul class=\"verdicts\">{verdicts}</ul>") };
        format!(
            "<header><p class=\"name\">nolabel · report of a run</p><h1>{}</h1><p class=\"lead\">{} No label was shown while \
             training.</p>{verdicts}<dl class=\"facts\">{facts}</dl></header>",
            escape(title),
            escape(self.info.task)
        )
    }

    /// `1,170`, `400 of 1,170`.
    fn steps(&self) -> String {
        let taken = self.header.step;
        let total = self.started.total_steps;
        let all = format::thousands(taken);
        if taken < total { format!("{all} of {}", format::thousands(total)) } else { all }
    }

    fn verdict(&self, kind: &str, title: &str) -> Option<String> {
        let evaluation = self.evaluation.as_ref()?;
        let best = |source| ProbeRow::best(&evaluation.rows, source, kind);
        let own = best(Source::Trained)?;
        let control = best_control(&evaluation.rows, kind)?.accuracy;
        let [_, images] = evaluation.images();
        let words = against(own.accuracy, control, images, "the better control");
        let class = Standing::of(own.accuracy, control, images).word();
        let share = format::percent(own.accuracy);
        Some(format!(
            "<li class=\"{class}\"><span>{title}, {}</span><b>{share}</b><span>{words}</span></li>",
            own.layer
        ))
    }

    fn learned(&self) -> String {
        let Some(evaluation) = &self.evaluation else {
            return section("What it learned", "<p>These images have no classes, so nothing can be probed.</p>");
        };
        let rows = evaluation.details.with_supervised(&evaluation.rows);
        let rows = rows.as_slice();
        let charts: String = PROBES.iter().map(|(kind, title)| layers_chart(rows, kind, title).html()).collect();
        let [_, images] = evaluation.images();
        let sentences =
            [probe_table::verdict(rows, images), probe_table::seeds(rows, &evaluation.details.untrained)].concat();
        let sentences = sentences.join(" ").replace(" (*)", "");
        let how = format!(
            "Measured with {} {}One run, one seed. The best layer (bold) is picked by the {}. On {}, nolabel {}.",
            evaluation.settings.describe(self.data),
            eval::components(rows),
            if rows.iter().any(|row| row.validation.is_some()) { "validation images" } else { "test images" },
            evaluation.device.name,
            evaluation.nolabel,
        );
        let body = format!(
            "<p>Two simple probes classify frozen features. An encoder that does not beat the same encoder before training and the \
             raw pixels has learned nothing. Small numbers are 95 % intervals for this number of test images (Wilson). {}</p><div class=\"charts\">{charts}</div><div class=\"scroll\">{}</div>\
             <p class=\"quiet\">{}</p>",
            escape(&sentences),
            probe_table(rows),
            escape(&how)
        );
        section("What it learned", &body)
    }

    /// Accuracy with few labels, where it was measured.
    fn few_labels(&self) -> String {
        let few = self.evaluation.as_ref().and_then(|evaluation| evaluation.details.few_labels.as_ref());
        few.map_or(String::new(), |few| section("With few labels", &few::html(few)))
    }

    /// Classifiers trained with labels, where there are any.
    fn labelled(&self) -> String {
        let Some(evaluation) = &self.evaluation else { return String::new() };
        let parts = eval::labelled::text(&evaluation.details, evaluation.images(), PROSE);
        let parts: String = parts.iter().map(|part| format!("<pre>{}</pre>", escape(part))).collect();
        if parts.is_empty() { parts } else { section("Trained with labels", &parts) }
    }

    /// The confusion matrix.
    fn classes(&self) -> String {
        let confusion = self.evaluation.as_ref().and_then(|evaluation| evaluation.details.confusion.as_ref());
        confusion.map_or(String::new(), |confusion| section("Confusion matrix", &classes::html(confusion)))
    }

    fn trained(&self) -> String {
        let charts: String = self.history.training(self.info).iter().map(Chart::html).collect();
        let held_out = self.history.pretext_words().map(|words| format::title(&words));
        let held_out = held_out.map_or(String::new(), |words| format!("<p>{}.</p>", escape(&words)));
        let warnings: String =
            self.history.warnings.iter().map(|warning| format!("<p>Warning: {}</p>", escape(warning))).collect();
        section("How training went", &format!("{held_out}{warnings}<div class=\"charts\">{charts}</div>"))
    }

    fn health(&self) -> String {
        let charts: String = self.history.health().iter().map(Chart::html).collect();
        let words = escape(&self.history.health_words());
        section("Health", &format!("<p>{words}</p><div class=\"charts\">{charts}</div>"))
    }

    fn nearest(&self) -> String {
        let Neighbours { right, total, gallery, .. } = &self.neighbours;
        let counted = if self.data.classes.is_empty() {
            String::new()
        } else {
            format!(
                " Of {total} neighbours {} are of the same class; by raw pixels it is {}. A line marks each: whole for the same \
                 class, broken for another.",
                right[0], right[1]
            )
        };
        let words = format!(
            "Test images on the left and, out of {} training images, those with the most similar features at {} (cosine).{counted}",
            format::thousands(*gallery),
            self.chosen.trained
        );
        section("Nearest neighbours", &format!("<p>{}</p>{}", escape(&words), self.neighbours.html(self.data)))
    }

    fn map(&self) -> String {
        let words = "Each dot is a test image, coloured by its class, and placed by its features (at unit length): first by their \
                     first two principal components, then by t-SNE, so that similar features lie together. The network \
                     never saw the classes.";
        section("A map of the features", &format!("<p>{words}</p>{}", self.maps))
    }

    fn again(&self) -> String {
        let data = &self.record.data;
        let mut entries = vec![
            ("nolabel".to_string(), self.record.nolabel.clone()),
            ("training images".into(), format::thousands(data.train_images)),
            ("test images".into(), format::thousands(data.test_images)),
            ("digest of the images".into(), data.sha256.chars().take(16).collect()),
        ];
        entries.extend(self.record.config.settings().into_iter().map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
            (key.strip_prefix("options.").map_or(key.clone(), str::to_string), text)
        }));
        let entries: String = entries.iter().map(|(name, value)| fact(name, value)).collect();
        let body = format!(
            "<p>This command reproduces the run, with nolabel {} on the same images.</p><pre>{}</pre><p>The method: {}, \
             {}. <a href=\"{}\">The paper</a>.</p><h3>All settings</h3><dl class=\"settings\">{entries}</dl>",
            escape(&self.record.nolabel),
            escape(&self.command),
            escape(self.info.paper),
            self.info.year,
            escape(self.info.url),
        );
        section("Reproduce it", &body)
    }
}

/// The accuracy of one probe at every layer, trained and untrained, and of raw pixels.
fn layers_chart(rows: &[ProbeRow], kind: &str, title: &str) -> Chart {
    let of = |source| rows.iter().filter(move |row| row.source == source && row.probe == kind);
    let line = |name: &str, class, source| Line {
        name: name.into(),
        class,
        points: of(source).enumerate().map(|(place, row)| (place as f64, row.accuracy)).collect(),
    };
    let names = of(Source::Trained).map(|row| row.layer.clone()).collect();
    let lines = vec![
        line("before training", "untrained", Source::Untrained),
        line("after training", "trained", Source::Trained),
    ];
    let level = |(source, class): (Source, &'static str)| {
        of(source).map(move |row| (source.words().to_string(), class, row.accuracy)).next()
    };
    let levels = [(Source::RawPixels, "pixels"), (Source::Pca, "pca")].into_iter().filter_map(level).collect();
    Chart { title: format!("{title}, layer by layer"), x: Across::Names(names), percent: true, lines, levels }
}

/// One row for each layer.
fn probe_table(rows: &[ProbeRow]) -> String {
    let mut html =
        String::from("<table><thead><tr><th>features of</th><th>layer</th><th class=\"number width\">width</th>");
    let kinds: Vec<_> = PROBES.iter().filter(|(kind, _)| rows.iter().any(|row| row.probe == *kind)).collect();
    for (kind, _) in &kinds {
        html.push_str(&format!("<th class=\"number\">{}</th>", if *kind == "knn" { "kNN" } else { "linear" }));
    }
    html.push_str("</tr></thead><tbody>");
    for source in [Source::Trained, Source::Untrained, Source::RawPixels, Source::Pca, Source::Supervised] {
        let first = kinds.first().map_or("", |(kind, _)| kind);
        for row in rows.iter().filter(|row| row.source == source && row.probe == first) {
            let layer = escape(&row.layer);
            let width = format::thousands(row.width);
            html.push_str(&format!(
                "<tr><td>{}</td><td>{layer}</td><td class=\"number width\">{width}</td>",
                source.words()
            ));
            for (kind, _) in &kinds {
                html.push_str(&cell(rows, row, kind));
            }
            html.push_str("</tr>");
        }
    }
    html + "</tbody></table>"
}

fn cell(rows: &[ProbeRow], of: &ProbeRow, kind: &str) -> String {
    let same = |row: &&ProbeRow| row.source == of.source && row.layer == of.layer && row.probe == kind;
    let Some(row) = rows.iter().find(same) else { return "<td class=\"number\">–</td>".into() };
    let best = ProbeRow::best(rows, of.source, kind).is_some_and(|best| best.layer == of.layer);
    let class = if best { "number best" } else { "number" };
    let interval = small(row.interval);
    format!("<td class=\"{class}\">{}{interval}</td>", format::percent(row.accuracy))
}
