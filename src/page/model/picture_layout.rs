//! How the rows of a picture are laid out: rows of as many images stand under one another, image by image, so that two
//! views of one thing stay together however the tiles wrap; a row of one image is a plate of its own.

use crate::session::picture::{Caption, Picture, PictureFigure, PictureRow};

/// From so many rows on, a picture is read from top to bottom, and its images are drawn fewer and larger.
const TALL: usize = 3;
/// Images of a row that are drawn then.
const FEW: usize = 8;

/// Rows that are drawn together. Only what decides the layout: pixels come and go, tiles stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The rows, by their place in the picture, and their titles.
    pub rows: Vec<(usize, String)>,
    /// Images drawn of each of them.
    pub count: usize,
    /// The row whose captions stand under the tiles.
    pub captions: Option<usize>,
}

impl Group {
    /// Whether it is read from top to bottom, row by row.
    pub fn is_tall(&self) -> bool {
        self.rows.len() >= TALL
    }
}

/// The groups of a picture, from top to bottom.
pub fn groups(picture: &Picture) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, row) in picture.rows.iter().enumerate() {
        let (count, captions) = (images(row), (!row.captions.is_empty()).then_some(place));
        let entry = (place, row.title.clone());
        match groups.last_mut() {
            Some(group) if group.count == count && count > 1 => {
                group.rows.push(entry);
                group.captions = group.captions.or(captions);
            }
            _ => groups.push(Group { rows: vec![entry], count, captions }),
        }
    }
    groups.iter_mut().filter(|group| group.is_tall()).for_each(|group| group.count = group.count.min(FEW));
    groups
}

/// Images in a row; pixels that make no whole image are not counted.
pub fn images(row: &PictureRow) -> usize {
    row.pixels.len() / (row.width * row.height * row.channels).max(1)
}

/// One image as red, green, blue, opaque; nothing where the row has no such image.
pub fn rgba(row: &PictureRow, index: usize) -> Option<Vec<u8>> {
    let channels = row.channels.max(1);
    let bytes = row.width * row.height * channels;
    let image = row.pixels.get(index * bytes..(index + 1) * bytes).filter(|image| !image.is_empty())?;
    let colours = |pixel: &[u8]| match pixel {
        [red, green, blue, ..] => [*red, *green, *blue, 255],
        [gray, ..] => [*gray, *gray, *gray, 255],
        [] => [0, 0, 0, 255],
    };
    Some(image.chunks_exact(channels).flat_map(colours).collect())
}

/// A matrix as gray pixels, red, green, blue, opaque; nothing where its cells are not rows times columns.
pub fn gray(figure: &PictureFigure) -> Option<Vec<u8>> {
    let whole = figure.cells.len() == figure.rows * figure.columns && !figure.cells.is_empty();
    whole.then(|| figure.cells.iter().flat_map(|&cell| [cell, cell, cell, 255]).collect())
}

/// What a caption says to somebody who does not see it.
pub fn spoken(caption: &Caption) -> String {
    let verdict = if caption.right { "right" } else { "wrong" };
    format!("guessed {}, it is {}: {verdict}", caption.guess, caption.truth)
}

/// How many of the captions that are drawn are right, and how many there are.
pub fn score(picture: &Picture) -> Option<(usize, usize)> {
    let groups = groups(picture);
    let captions = || {
        let rows = groups.iter().filter_map(|group| Some((group.captions?, group.count)));
        rows.flat_map(|(row, count)| picture.rows[row].captions.iter().take(count))
    };
    let all = captions().count();
    (all > 0).then(|| (captions().filter(|caption| caption.right).count(), all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(title: &str, count: usize, channels: usize, captions: usize) -> PictureRow {
        let caption =
            |index| Caption { truth: "a".into(), guess: if index == 0 { "b" } else { "a" }.into(), right: index > 0 };
        let pixels = (0..count * 4 * channels).map(|value| value as u8).collect();
        PictureRow {
            title: title.into(),
            width: 2,
            height: 2,
            channels,
            pixels,
            captions: (0..captions).map(caption).collect(),
        }
    }

    #[test]
    fn views_of_one_image_stay_together_and_a_single_image_stands_alone() {
        let rows = vec![row("first view", 3, 1, 0), row("second view", 3, 1, 3), row("correlations", 1, 3, 0)];
        let picture = Picture { step: 1, rows, figures: Vec::new() };
        let found = groups(&picture);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].rows.len(), found[0].count, found[0].captions), (2, 3, Some(1)));
        assert_eq!((found[1].rows[0].clone(), found[1].count), ((2, "correlations".to_string()), 1));
        assert_eq!(score(&picture), Some((2, 3)));
        assert_eq!(spoken(&picture.rows[1].captions[0]), "guessed b, it is a: wrong");
    }

    #[test]
    fn many_rows_are_drawn_with_few_images() {
        let rows = vec![row("given", 16, 1, 16), row("said", 16, 1, 0), row("true", 16, 1, 0)];
        let picture = Picture { step: 1, rows, figures: Vec::new() };
        let found = groups(&picture);
        assert!(found.len() == 1 && found[0].is_tall());
        assert_eq!((found[0].count, score(&picture)), (8, Some((7, 8))));
    }

    #[test]
    fn gray_and_colour_become_opaque_pixels() {
        assert_eq!(rgba(&row("gray", 2, 1, 0), 1).expect("an image")[..8], [4, 4, 4, 255, 5, 5, 5, 255]);
        assert_eq!(rgba(&row("colour", 1, 3, 0), 0).expect("an image")[..8], [0, 1, 2, 255, 3, 4, 5, 255]);
        assert_eq!(rgba(&row("gray", 2, 1, 0), 2), None);
    }

    #[test]
    fn a_matrix_is_drawn_whole_or_not_at_all() {
        let (title, caption, cells) = (String::new(), String::new(), vec![0, 128, 255, 7]);
        let figure = PictureFigure { title, caption, columns: 2, rows: 2, low: -1.0, high: 1.0, cells };
        assert_eq!(gray(&figure).expect("whole rows")[4..12], [128, 128, 128, 255, 255, 255, 255, 255]);
        assert_eq!(gray(&PictureFigure { rows: 3, ..figure }), None);
    }

    #[test]
    fn an_empty_row_has_no_images() {
        let empty = PictureRow { width: 0, height: 0, channels: 1, ..row("nothing", 0, 1, 0) };
        assert_eq!((images(&empty), rgba(&empty, 0)), (0, None));
    }
}
