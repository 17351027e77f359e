//! The measurements that `nolabel eval` can be asked for.

use clap::{Args, ValueEnum};

use crate::cli::input::probe_args::{HOW, WithArgs};
use crate::cli::output::exit::{Failure, Outcome};
use crate::evaluate::{Cache, ControlBudget, EvalRequest, SupervisedControl};
use crate::probe::ProbeSettings;
use crate::probe::few::FewSettings;
use crate::probe::labelled::{LabelledPlan, Length};

/// Seed of the draws of few labels: one for all runs, so that all get the same labels.
const FEW_SEED: u64 = 0;
const TRAINED: &str = "Training with labels (--probe sgd, --probe finetune, --supervised)";

/// A measure of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Probe {
    /// Logistic regression on standardised features, at every layer
    Linear,
    /// Nearest neighbours by cosine, at every layer
    Knn,
    /// Training images ranked by cosine: precision at 1, 5 and 10, and mean average precision, at every layer
    Retrieval,
    /// A linear layer trained by SGD on augmented images, on the frozen encoder: the protocol of most papers, at the mean over
    /// positions (or at --layer). A few minutes on two CPU cores
    Sgd,
    /// The whole encoder trained with labels, from the run's weights and from those before its first step: the supervised
    /// control. A few minutes each on two CPU cores
    Finetune,
}

/// Conditions for measuring the supervised control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// For a run that took at most half an hour on the device that measures, if all images and layers are probed; otherwise shown
    /// where the cache has it
    Auto,
    /// However long it takes
    Always,
    /// Left out
    Never,
}

/// The arguments of the measurements.
#[derive(Args, Clone, Debug)]
pub(super) struct EvalArgs {
    /// The layer to probe, from block1 to gap, or all of them
    #[arg(long, value_name = "NAME|all", default_value = "all")]
    layer: String,

    /// The measures, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROBES", default_value = "linear,knn")]
    #[arg(help_heading = HOW)]
    probe: Vec<Probe>,

    #[command(flatten)]
    with: WithArgs,

    /// Numbers of labels of each class for the linear probe, for example 1,5,10,50,100,500
    #[arg(long, value_delimiter = ',', value_name = "COUNTS", value_parser = clap::value_parser!(u64).range(1..))]
    few_labels: Vec<u64>,

    /// Random draws of the images of --few-labels; intervals are over the draws
    #[arg(long, value_name = "N", default_value_t = 5, requires = "few_labels")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,

    /// Number of untrained encoders to probe: the run's own, and those of the following seeds [default: 3 where
    /// --supervised=auto measures, else 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    untrained_seeds: Option<u64>,

    /// Measure the supervised control: the same encoder trained with labels for as many steps of as many images as the run, which
    /// takes about as long as the run or less. It is cached, and shown for all runs of the same length from then on
    #[arg(long, value_enum, value_name = "WHEN", help_heading = TRAINED)]
    #[arg(num_args = 0..=1, require_equals = true, default_value = "auto", default_missing_value = "always")]
    supervised: When,

    /// Number of steps [default: 1000 for sgd, 500 for finetune, those of the run for --supervised]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = TRAINED)]
    steps: Option<u64>,

    /// Number of epochs over the labelled images, instead of steps
    #[arg(long, value_name = "N", conflicts_with = "steps", help_heading = TRAINED)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,

    /// Learning rates; validation images choose among several [default: 0.01,0.03,0.1,0.3 for sgd, else 0.05]
    #[arg(long, value_delimiter = ',', value_name = "RATES", value_parser = rate, help_heading = TRAINED)]
    lr: Vec<f64>,

    /// Measure the controls again, even if the cache has them
    #[arg(long)]
    fresh: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "a learning rate is a positive number, for example 0.1".to_string())
}

impl EvalArgs {
    /// The request, for images of `side` pixels. `as_long` trains the supervised control for as long as the encoder was, where
    /// that is known; `budget` decides which controls are measured without being asked for.
    pub(super) fn request(
        &self,
        side: usize,
        as_long: Option<LabelledPlan>,
        budget: ControlBudget,
    ) -> Outcome<EvalRequest> {
        let labels: Vec<usize> = self.few_labels.iter().map(|&labels| labels as usize).collect();
        let few = FewSettings { labels, draws: self.draws as usize, seed: FEW_SEED };
        let sgd = self.asks(Probe::Sgd).then(|| self.plan(LabelledPlan::linear(side)));
        let finetune = self.asks(Probe::Finetune).then(|| self.plan(LabelledPlan::network(side)));
        let budget = if self.is_whole() { budget } else { ControlBudget::Cheap };
        let supervised = match (self.supervised, as_long) {
            (When::Always, plan) => {
                SupervisedControl::Measured(self.plan(plan.unwrap_or_else(|| LabelledPlan::network(side))))
            }
            (When::Auto, Some(plan)) => budget.supervised(plan),
            (When::Auto, None) | (When::Never, _) => SupervisedControl::No,
        };
        let told = self.steps.is_some() || self.epochs.is_some() || !self.lr.is_empty();
        if told && sgd.is_none() && finetune.is_none() && self.supervised != When::Always {
            return Err(Failure::Usage(
                "--steps, --epochs and --lr are for training with labels; add --probe sgd, --probe finetune or --supervised"
                    .into(),
            ));
        }
        let request = EvalRequest {
            settings: self.settings(),
            few: (!self.few_labels.is_empty()).then_some(few),
            sgd,
            finetune,
            supervised,
            untrained: self.untrained_seeds.map_or_else(|| budget.untrained(), |seeds| seeds as usize),
            cache: Cache::of_user().fresh(self.fresh),
        };
        request.check().map_err(|error| Failure::Usage(format!("{error}; see --probe in `nolabel eval --help`")))?;
        Ok(request)
    }

    /// True if every image and every layer is probed.
    fn is_whole(&self) -> bool {
        let settings = self.settings();
        settings.reads() && settings.is_whole()
    }

    fn asks(&self, probe: Probe) -> bool {
        self.probe.contains(&probe)
    }

    fn plan(&self, plan: LabelledPlan) -> LabelledPlan {
        let length = match (self.steps, self.epochs) {
            (Some(steps), _) => Length::Steps(steps as usize),
            (None, Some(epochs)) => Length::Epochs(epochs as usize),
            (None, None) => plan.length,
        };
        let rates = if self.lr.is_empty() { plan.rates } else { self.lr.clone() };
        LabelledPlan { length, rates, ..plan }
    }

    fn settings(&self) -> ProbeSettings {
        ProbeSettings {
            linear: self.asks(Probe::Linear),
            knn: self.asks(Probe::Knn),
            retrieval: self.asks(Probe::Retrieval),
            layer: Some(self.layer.clone()).filter(|layer| layer != "all"),
            ..self.with.settings()
        }
    }
}
