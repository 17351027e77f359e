//! The examination of a run: all layers and all controls on many images, a part at a time, so that its owner can answer others
//! in between and stop it.

use std::collections::VecDeque;
use std::ops::Range;

use burn::tensor::Device;

use super::event::{Event, Exam, ExamProgress, Source};
use super::{Progress, Session, observe};
use crate::data::Dataset;
use crate::error::Result;
use crate::net::Encoder;
use crate::platform;
use crate::probe::features::Features;
use crate::probe::{ProbeSettings, Probing, Reading, Sample};

/// Images whose features are one part: about half a second in a browser without a GPU.
const CHUNK: usize = 1000;

/// State of the examination.
#[derive(Default)]
pub(super) enum ExamState {
    /// There is none.
    #[default]
    Off,
    /// It begins once all images are there.
    Asked,
    On(Box<Examination>),
}

impl ExamState {
    /// True if the next unit of work is a part of it.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self, ExamState::Off)
    }
}

/// A unit of work of an examination.
enum Part {
    Pixels,
    Components,
    /// Features of some of the images, at all layers.
    Features(Source, Range<usize>),
    /// The probe of the next layer.
    Layer(Source, String),
}

/// An examination in progress.
pub(super) struct Examination {
    settings: ProbeSettings,
    sample: Sample,
    step: usize,
    epoch: f64,
    encoder: Encoder,
    parts: VecDeque<Part>,
    of: usize,
    /// Features of the layers of one encoder that are still to be probed.
    held: VecDeque<Features>,
    readings: Vec<Reading>,
    seconds: f64,
}

impl Session {
    /// Makes an examination the next work, where the pace has one and there is none yet. It begins once all images are there.
    pub fn exam_next(&mut self) {
        if self.pace.exam.is_some() && !self.exam.is_on() {
            self.exam = ExamState::Asked;
        }
    }

    /// Ends the examination without a result. Returns true if there was one.
    pub fn skip_exam(&mut self) -> bool {
        let was_on = self.exam.is_on();
        self.exam = ExamState::Off;
        was_on
    }

    /// The position of the examination, if there is one.
    pub fn exam_progress(&self) -> Option<ExamProgress> {
        match &self.exam {
            ExamState::Off => None,
            ExamState::Asked => Some(ExamProgress { part: "images".into(), done: 0, parts: 0 }),
            ExamState::On(exam) => Some(exam.progress()),
        }
    }

    /// Does one part of the examination.
    pub(super) async fn examine(&mut self) -> Result<Progress> {
        let mut exam = match std::mem::take(&mut self.exam) {
            ExamState::On(exam) => exam,
            _ if !(self.data.train.is_complete() && self.data.test.is_complete()) => {
                self.exam = ExamState::Asked;
                return Ok(Progress::WaitingForData);
            }
            _ => match self.examination()? {
                Some(exam) => Box::new(exam),
                None => return Ok(Progress::Events(Vec::new())),
            },
        };
        exam.work(&self.data, self.controls.untrained(), &self.selected.device).await?;
        if exam.parts.is_empty() {
            return Ok(Progress::Events(vec![Event::Exam(exam.result(&self.data, &self.selected.device))]));
        }
        self.exam = ExamState::On(exam);
        Ok(Progress::Events(Vec::new()))
    }

    fn examination(&self) -> Result<Option<Examination>> {
        let Some(pace) = &self.pace.exam else { return Ok(None) };
        let settings = pace.settings.clone();
        let sample = Sample::of(&self.data, &settings)?;
        let encoder = self.learner.encoder();
        let images = Probing { data: &self.data, settings: &settings, sample: &sample, device: &self.selected.device };
        let images = images.images();
        let mut parts = VecDeque::from([Part::Pixels, Part::Components]);
        for source in [Source::Untrained, Source::Trained] {
            let chunks = (0..images).step_by(CHUNK);
            parts.extend(chunks.map(|start| Part::Features(source, start..images.min(start + CHUNK))));
            parts.extend(encoder.layer_names().into_iter().map(|layer| Part::Layer(source, layer)));
        }
        Ok(Some(Examination {
            settings,
            sample,
            step: self.step,
            epoch: self.epochs(self.step),
            encoder,
            of: parts.len(),
            parts,
            held: VecDeque::new(),
            readings: Vec::new(),
            seconds: 0.0,
        }))
    }
}

impl Examination {
    fn progress(&self) -> ExamProgress {
        let part = match self.parts.front() {
            Some(Part::Pixels) => Source::RawPixels.words().to_string(),
            Some(Part::Components) => Source::Pca.words().to_string(),
            Some(Part::Features(source, _)) => format!("{}, features", source.words()),
            Some(Part::Layer(source, layer)) => format!("{}, {layer}", source.words()),
            None => String::new(),
        };
        ExamProgress { part, done: self.of - self.parts.len(), parts: self.of }
    }

    async fn work(&mut self, data: &Dataset, untrained: &Encoder, device: &Device) -> Result<()> {
        let start = platform::now();
        let Self { settings, sample, encoder, held, readings, .. } = self;
        let probing = Probing { data, settings, sample, device };
        match self.parts.pop_front() {
            Some(Part::Pixels) => readings.extend(probing.pixel_readings().await?),
            Some(Part::Components) => readings.extend(probing.component_readings(encoder.width()).await?),
            Some(Part::Features(source, images)) => {
                let encoder = if source == Source::Untrained { untrained } else { encoder };
                let more = probing.features(encoder, &encoder.layer_names(), images).await?;
                if held.is_empty() {
                    held.extend(more);
                } else {
                    held.iter_mut().zip(more).for_each(|(held, more)| held.values.extend(more.values));
                }
            }
            Some(Part::Layer(source, _)) => {
                if let Some(features) = held.pop_front() {
                    readings.extend(probing.layer(features, source).await?);
                }
            }
            None => {}
        }
        self.seconds += platform::now() - start;
        Ok(())
    }

    fn result(self, data: &Dataset, device: &Device) -> Exam {
        let Self { settings, sample, step, epoch, readings, seconds, .. } = self;
        let probing = Probing { data, settings: &settings, sample: &sample, device };
        let probe = observe::round(step, epoch, readings, &probing);
        Exam { probe, settings: settings.describe(data), seconds }
    }
}
