//! Layout of a picture's rows. Neighbouring rows with equally many images form a group that is drawn image by image, so that
//! the views of one image stay together however the tiles wrap. A row of one image is drawn alone.

use crate::session::picture::{Caption, Picture, PictureFigure, PictureRow};

/// Smallest number of rows of a tall group, which is read from top to bottom, with fewer and larger images.
const TALL: usize = 3;
/// Images drawn of each row of a tall group.
const FEW: usize = 8;

/// Rows that are drawn together. It holds no pixels, so that new ones leave the tiles in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Index and title of each row.
    pub rows: Vec<(usize, String)>,
    /// Images drawn of each row.
    pub count: usize,
    /// Index of the row whose captions stand under the tiles.
    pub captions: Option<usize>,
}

impl Group {
    /// True if the group is read from top to bottom, row by row.
    pub fn is_tall(&self) -> bool {
        self.rows.len() >= TALL
    }
}

/// The groups of a picture, from top to bottom.
pub fn groups(picture: &Picture) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, row) in picture.rows.iter().enumerate() {
        let count = images(row);
        let captions = (!row.captions.is_empty()).then_some(place);
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

/// Whole images in a row.
pub fn images(row: &PictureRow) -> usize {
    row.pixels.len() / (row.width * row.height * row.channels).max(1)
}

/// One image as RGBA bytes, if the row has it.
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

/// A matrix as gray RGBA bytes, if its cells are rows times columns.
pub fn gray(figure: &PictureFigure) -> Option<Vec<u8>> {
    let whole = figure.cells.len() == figure.rows * figure.columns && !figure.cells.is_empty();
    whole.then(|| figure.cells.iter().flat_map(|&cell| [cell, cell, cell, 255]).collect())
}

/// A caption for screen readers.
pub fn spoken(caption: &Caption) -> String {
    let verdict = if caption.right { "right" } else { "wrong" };
    format!("guessed {}, it is {}: {verdict}", caption.guess, caption.truth)
}

/// Right captions among those drawn, and their number; none for a picture without captions.
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
    fn views_of_one_image_stay_together() {
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
        let figure = PictureFigure {
            title: String::new(),
            caption: String::new(),
            columns: 2,
            rows: 2,
            low: -1.0,
            high: 1.0,
            cells: vec![0, 128, 255, 7],
        };
        assert_eq!(gray(&figure).expect("whole rows")[4..12], [128, 128, 128, 255, 255, 255, 255, 255]);
        assert_eq!(gray(&PictureFigure { rows: 3, ..figure }), None);
    }

    #[test]
    fn an_empty_row_has_no_images() {
        let empty = PictureRow { width: 0, height: 0, channels: 1, ..row("nothing", 0, 1, 0) };
        assert_eq!((images(&empty), rgba(&empty, 0)), (0, None));
    }
}
