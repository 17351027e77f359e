//! Views and predictions as HTML.

use std::fmt::Write as _;

use super::escape;
use super::image::Image;
use crate::format;
use crate::session::picture::{Picture, PictureFigure, PictureRow};

/// A picture's rows of images and its matrices.
pub fn samples(picture: &Picture) -> String {
    let rows = picture.rows.iter().map(sample_row);
    let figures = picture.figures.iter().map(matrix);
    format!("{}<div class=\"charts\">{}</div>", rows.collect::<String>(), figures.collect::<String>())
}

fn sample_row(row: &PictureRow) -> String {
    let bytes = row.width * row.height * row.channels;
    let mut html = format!("<h3>{}</h3><ul class=\"tiles\">", escape(&format::title(&row.title)));
    for (place, pixels) in row.pixels.chunks_exact(bytes.max(1)).enumerate() {
        let image = Image { width: row.width, height: row.height, channels: row.channels, pixels: pixels.to_vec() };
        let caption = row.captions.get(place);
        let (class, words) = caption.map_or(("", String::new()), |caption| {
            let (class, mark) = if caption.right { ("right", "✓") } else { ("wrong", "✗") };
            let truth =
                if caption.right { String::new() } else { format!("<small>it is {}</small>", escape(&caption.truth)) };
            (class, format!("<span>{mark} {}{truth}</span>", escape(&caption.guess)))
        });
        let _ = write!(html, "<li class=\"{class}\"><img alt=\"\" src=\"{}\">{words}</li>", image.address());
    }
    html + "</ul>"
}

fn matrix(figure: &PictureFigure) -> String {
    let PictureFigure { title, caption, columns, rows, low, high, cells } = figure;
    let image = Image { width: *columns, height: *rows, channels: 1, pixels: cells.clone() };
    format!(
        "<figure class=\"matrix\"><figcaption>{}</figcaption><img alt=\"{}\" src=\"{}\"><p class=\"quiet\">{} Black is {low}, \
         white {high}.</p></figure>",
        escape(title),
        escape(title),
        image.address(),
        escape(caption)
    )
}
