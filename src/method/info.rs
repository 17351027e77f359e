//! What a method says of itself: the menus, the help and the README's table are made from this.

use serde::{Deserialize, Serialize};

/// The data_info about a method that a person chooses by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Info {
    /// The name on the command line and in links, for example `rotation`.
    pub id: &'static str,
    /// The name among people, for example `Rotation prediction (RotNet)`.
    pub title: &'static str,
    /// Year of the paper.
    pub year: u16,
    /// Authors and title.
    pub paper: &'static str,
    /// Where the paper is.
    pub url: &'static str,
    /// What the network is asked to do, in one sentence.
    pub task: &'static str,
    /// Why that needs no labels and yet teaches something, in a few sentences for a newcomer.
    pub lesson: &'static str,
    /// The method's own measure.
    pub metric: Metric,
    /// What the data must have.
    pub needs: Needs,
}

/// The measure a method reports beside its loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// For example `rotation accuracy`.
    pub name: &'static str,
    /// What guessing gives, where that is defined.
    pub chance: Option<f64>,
    /// How its values are written.
    pub unit: Unit,
}

/// How a measure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A share from 0 to 1, written in percent.
    Share,
    /// A plain number.
    Number,
}

/// What the images must have for the task to mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Three channels.
    pub colour: bool,
    /// Clips rather than single images.
    pub clips: bool,
}
