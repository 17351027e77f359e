//! The page of a report, section by section.

use super::classes;
use super::few;
use super::looks::{DrawnLayers, Neighbours};
use crate::cli::commands::eval;
use crate::cli::output::probe_table;
use crate::data::Dataset;
use crate::format;
use crate::method::Info;
use crate::report::history::History;
use crate::report::{document, escape, header, probes, reproduce, section, settings, views};
use crate::session::checkpoint::Header;
use crate::session::event::Started;
use crate::session::folder::{Evaluation, Record};

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
            self.history.training_section(self.info),
            self.history.health_section(),
            views(self.info, &self.samples),
            self.nearest(),
            self.map(),
            self.again(),
        ];
        document(&title, "", &body.join("\n"))
    }

    fn top(&self, title: &str) -> String {
        let judged = |evaluation: &Evaluation| probes::verdicts(&evaluation.rows, evaluation.images()[1]);
        let verdicts = self.evaluation.as_ref().map(judged).unwrap_or_default();
        header(title, self.info.task, &self.started, &verdicts, self.header.step, self.header.elapsed_seconds)
    }

    fn learned(&self) -> String {
        let Some(evaluation) = &self.evaluation else {
            return probes::nothing_learned("These images have no classes, so nothing can be probed.");
        };
        let rows = evaluation.details.with_supervised(&evaluation.rows);
        let rows = rows.as_slice();
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
        probes::learned(rows, &sentences, &how)
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
        entries.extend(settings(&self.record.config));
        let how = format!(
            "<p>This command reproduces the run, with nolabel {} on the same images.</p><pre>{}</pre>",
            escape(&self.record.nolabel),
            escape(&self.command),
        );
        reproduce(&how, self.info, &entries)
    }
}
