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
    /// Task of the network, in one sentence.
    pub task: &'static str,
    /// Reason why the task needs no labels and yet teaches something, in a few sentences for a newcomer.
    pub lesson: &'static str,
    /// Metric of the task.
    pub metric: Metric,
    /// Requirements on the data.
    pub needs: Needs,
}

/// Metric that a method reports beside its loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Name, for example `rotation accuracy`.
    pub name: &'static str,
    /// Value of random guesses, if that is defined.
    pub chance: Option<f64>,
    /// Format of its values.
    pub unit: Unit,
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

/// Requirements of a task on the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Three colour channels.
    pub colour: bool,
    /// Clips, not single images.
    pub clips: bool,
}
