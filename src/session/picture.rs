//! What the network was just given and what it answered, as plain pixels that any shell can draw.

use serde::{Deserialize, Serialize};

/// The latest step, drawn: rows of images with captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Steps taken when it was drawn.
    pub step: usize,
    /// Each row shows one role (the input, the second view, the target, the prediction).
    pub rows: Vec<PictureRow>,
    /// Matrices that show what the loss does.
    pub figures: Vec<PictureFigure>,
}

/// A matrix as a picture of its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureFigure {
    /// What it is.
    pub title: String,
    /// How to read it.
    pub caption: String,
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// The value drawn as 0.
    pub low: f32,
    /// The value drawn as 255.
    pub high: f32,
    /// A byte a cell, row by row.
    #[serde(with = "serde_bytes")]
    pub cells: Vec<u8>,
}

/// Images of one role, all of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureRow {
    /// What the images are, for example `what the network was given`.
    pub title: String,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// All images after one another, each in rows of interleaved channels.
    #[serde(with = "serde_bytes")]
    pub pixels: Vec<u8>,
    /// One caption an image, or none at all.
    pub captions: Vec<Caption>,
}

/// What was asked about an image and what the network answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caption {
    /// The right answer, for example `90°`.
    pub truth: String,
    /// The network's answer.
    pub guess: String,
    /// Whether the two agree.
    pub right: bool,
}
