//! A method of one's own, trained with the library's session, probes and events.
//!
//! ```text
//! cargo run --release --example own_method
//! ```
//!
//! The task: the two halves of an image are exchanged or not, and the network says which. The library has never heard of it;
//! `Entry::of::<Halves>()` is all that a session needs. To join the list instead, a method is a file in `src/methods` and a
//! line in `src/methods/mod.rs`: see docs/adding-a-method.md.

use burn::module::Module;
use burn::tensor::Tensor;
use futures_lite::future::block_on;
use nolabel::config::{Preset, RunConfig};
use nolabel::data::shapes;
use nolabel::device::{self, DeviceChoice};
use nolabel::loss::{accuracy, cross_entropy};
use nolabel::method::{
    Batch, Better, ClassPredictions, DataInfo, Entry, Group, Info, LossOutput, Method, Metric, Needs, Presets,
    StepDisplay, StepPosition, Unit, Views,
};
use nolabel::net::tensors::int_tensor;
use nolabel::net::{Encoder, EncoderConfig, Init, Mlp, MlpPlan};
use nolabel::optim::{OptimizerConfig, Schedule};
use nolabel::options::options;
use nolabel::probe::ProbeSettings;
use nolabel::rng::Rng;
use nolabel::session::event::Event;
use nolabel::session::schedule::{Pace, ProbePace};
use nolabel::session::{Progress, Session};
use rand::RngExt;

const SIDE: usize = 32;
const NAMES: [&str; 2] = ["as it was", "halves exchanged"];

options! {
    /// Options of the task.
    pub struct HalvesOptions {
        /// Width of the head's hidden layer.
        hidden: usize = 32, in 1..=4096, tiny = 8;
        /// Share of images whose halves are exchanged.
        exchanged: f64 = 0.5, in 0.0..=1.0;
    }
}

/// Encoder, and a head of two layers.
#[derive(Module, Debug)]
struct Halves {
    encoder: Encoder,
    head: Mlp,
    #[module(skip)]
    exchanged: f64,
}

impl Method for Halves {
    const INFO: Info = Info {
        id: "halves",
        title: "Exchanged halves",
        year: 2026,
        paper: "This example",
        url: "",
        group: Group::Undo,
        task: "The left and the right half of some images are exchanged; the network predicts of which.",
        lesson: "Where a shape is cut in two, its halves no longer fit: to see that, the network has to see shapes.",
        loss: "0 would mean that every exchange is seen with certainty; a coin gives 0.69.",
        metric: Metric {
            name: "accuracy",
            better: Better::Higher,
            baseline: "guessing",
            chance: Some(0.5),
            unit: Unit::Share,
        },
        experiment: None,
        needs: Needs { colour: false, clips: false },
    };
    const PRESETS: Presets = Presets::new(preset, preset, preset);
    type Options = HalvesOptions;

    fn init(config: &RunConfig, options: &HalvesOptions, data: &DataInfo, init: &mut Init) -> nolabel::Result<Self> {
        let encoder = Encoder::init(&config.encoder, data.size.channels, init)?;
        let head = MlpPlan::plain(options.hidden, NAMES.len()).init(encoder.width(), init);
        Ok(Self { encoder, head, exchanged: options.exchanged })
    }

    fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    fn views(&self, batch: &Batch, _position: &StepPosition, rng: &mut Rng) -> Views {
        let images = batch.images.clone();
        let [n, _, _, width] = images.dims();
        let labels: Vec<i32> = (0..n).map(|_| i32::from(rng.random::<f64>() < self.exchanged)).collect();
        let labels = int_tensor(labels, &images);
        let left = images.clone().narrow(3, 0, width / 2);
        let right = images.clone().narrow(3, width / 2, width - width / 2);
        let exchanged = Tensor::cat(vec![right, left], 3);
        let mask = labels.clone().equal_elem(1).reshape([n, 1, 1, 1]).expand(images.dims());
        Views { images: vec![images.mask_where(mask, exchanged)], labels: Some(labels), ..Views::default() }
    }

    fn loss(&self, views: &Views, _position: &StepPosition) -> LossOutput {
        let labels = views.labels.clone().expect("views draw a label an image");
        let logits = self.head.forward(self.encoder.forward(views.images[0].clone())); // [n, 2]
        LossOutput {
            metric: Some(accuracy(logits.clone().detach(), labels.clone())),
            answers: Some(logits.clone().detach()),
            ..LossOutput::of(cross_entropy(logits, labels))
        }
    }

    fn show(&self, views: &Views, outcome: &LossOutput, _position: &StepPosition) -> StepDisplay {
        let both = views.labels.clone().zip(outcome.answers.clone());
        let names = NAMES.map(str::to_string).to_vec();
        StepDisplay {
            rows: vec![("What the network was given".to_string(), views.images[0].clone())],
            verdicts: both.map(|(truth, answers)| ClassPredictions { names, truth, answers: answers.inner() }),
            ..StepDisplay::default()
        }
    }
}

fn preset(data: &str) -> RunConfig {
    RunConfig {
        method: Halves::INFO.id.into(),
        preset: Preset::Small,
        data: data.into(),
        batch: 32,
        steps: 60,
        encoder: EncoderConfig::small(8),
        optimizer: OptimizerConfig::adamw(2e-3, 1e-4),
        schedule: Schedule::cosine(0.1),
        ..RunConfig::default()
    }
    .with_options(&HalvesOptions::default())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    block_on(train())
}

async fn train() -> Result<(), Box<dyn std::error::Error>> {
    let entry = Entry::of::<Halves>();
    let data = shapes::dataset(SIDE, |clips| (0..clips).map(|number| shapes::clip(number, SIDE)).collect())?;
    let mut config = entry.config(Preset::Small, &data.name);
    // as with `--set`: wrong names and values are answered in words
    config.set_among(&entry.options(), "hidden", "48")?;

    let selected = device::select(DeviceChoice::Cpu).await?;
    let settings = ProbeSettings { train_images: 400, test_images: 200, ..ProbeSettings::default() };
    let among = [data.train.len(), data.test.len()];
    let probe = Some(ProbePace { every: 60, settings, among });
    let pace = Pace { read_every: 20, health_every: 0, held_out: 256, probe, exam: None };
    let mut session = Session::new(&entry, config, data, &selected, pace).await?;
    while let Progress::Events(events) = session.advance().await? {
        for event in events {
            match event {
                Event::Step(step) => println!("step {:2}: loss {:.3}", step.step, step.loss),
                Event::Pretext(pretext) => println!("{} on test images: {:.3}", pretext.name, pretext.value),
                Event::Probe(probe) => {
                    for row in probe.rows {
                        println!(
                            "after step {:2}: {:?} {} at {}: {:.3}",
                            probe.step, row.source, row.probe, row.layer, row.accuracy
                        );
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}
