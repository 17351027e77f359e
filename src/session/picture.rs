//! The latest step's views and predictions, as plain pixels that any shell can draw.

use serde::{Deserialize, Serialize};

/// The latest step as rows of images with captions.
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
    /// Title of the figure.
    pub title: String,
    /// Explanation of rows, columns and values.
    pub caption: String,
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// The value drawn as 0.
    pub low: f32,
    /// The value drawn as 255.
    pub high: f32,
    /// One byte for each cell, row by row.
    #[serde(with = "serde_bytes")]
    pub cells: Vec<u8>,
}

/// Images of one role, all of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureRow {
    /// Role of the images, for example `what the network was given`.
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
    /// One caption for each image, or none at all.
    pub captions: Vec<Caption>,
}

/// Target and prediction for an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caption {
    /// The target, for example `90°`.
    pub truth: String,
    /// The prediction.
    pub guess: String,
    /// True if the two agree.
    pub right: bool,
}
