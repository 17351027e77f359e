//! Description of a method, from which menus, help and the README's table are made.

use serde::{Deserialize, Serialize};

/// Description of a method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Info {
    /// Id on the command line and in links, for example `rotation`.
    pub id: &'static str,
    /// Title, for example `Rotation prediction (RotNet)`.
    pub title: &'static str,
    /// Year of the paper.
    pub year: u16,
    /// Authors and title.
    pub paper: &'static str,
    /// Link to the paper.
    pub url: &'static str,
    /// Family of its task, a heading in menus.
    pub group: Group,
    /// Task of the network, in one sentence: the input, then the question.
    pub task: &'static str,
    /// Reason why the task needs no labels and yet teaches something, in a few sentences for a newcomer. It names no class of
    /// any data set, because it is shown beside all of them.
    pub lesson: &'static str,
    /// Meaning of the loss in a sentence: the value of a perfect network, and of one that guesses where that is known.
    pub loss: &'static str,
    /// Metric of the task.
    pub metric: Metric,
    /// A setting whose change shows why the method is made as it is.
    pub experiment: Option<Experiment>,
    /// Requirements on the data.
    pub needs: Needs,
}

/// Families of tasks, by what is asked of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Name the transformation that an image went through.
    Undo,
    /// Predict a missing part: pixels, colours, motion.
    FillIn,
    /// Tell versions of one image from those of others.
    Compare,
    /// Several tasks in one network.
    Several,
}

impl Group {
    /// All groups, in the order of menus.
    pub const ALL: [Self; 4] = [Self::Undo, Self::FillIn, Self::Compare, Self::Several];

    /// Heading in menus.
    pub fn title(self) -> &'static str {
        match self {
            Self::Undo => "Undo what we did",
            Self::FillIn => "Fill in what is missing",
            Self::Compare => "Same picture or not?",
            Self::Several => "Several tasks at once",
        }
    }
}

/// Metric that a method reports beside its loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Name, for example `rotation accuracy`.
    pub name: &'static str,
    /// Direction of improvement.
    pub better: Better,
    /// The value to compare with, in a clause that can stand before a number: `guessing`, `always giving the same answer`.
    pub baseline: &'static str,
    /// Value of the baseline, if it is the same in every run.
    pub chance: Option<f64>,
    /// Format of its values.
    pub unit: Unit,
}

/// Direction in which a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// The metric measures success.
    Higher,
    /// The metric measures error.
    Lower,
}

impl Better {
    /// `higher is better` or `lower is better`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is better",
            Self::Lower => "lower is better",
        }
    }
}

/// Format of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Share from 0 to 1, written in percent.
    Share,
    /// Plain number.
    Number,
}

/// A change of one setting, with the effect to look for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// Label of a button: `Try it without the stop gradient`.
    pub label: &'static str,
    /// Name of the setting.
    pub key: &'static str,
    /// Its value in the experiment.
    pub value: &'static str,
    /// The effect to look for, in a sentence.
    pub watch: &'static str,
}

/// Requirements of a task on the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Three colour channels.
    pub colour: bool,
    /// Clips, not single images.
    pub clips: bool,
}
