//! Images of the user's own: PNG and JPEG files in folders, brought to one size while they are read.
//!
//! Three layouts are known: ImageNet's (`train/CLASS/*` with `val/CLASS/*` or `test/CLASS/*`), a folder a class
//! (`CLASS/*`), and images without classes. Where no test images are set apart, one image in ten is, chosen by a hash of
//! its path within the folder, so that the same images fall to the tests on every machine.

pub mod clips;
mod decode;
mod layout;
mod memory;
mod png;
#[cfg(test)]
mod sample;
mod video;

use std::path::Path;

use rayon::prelude::*;

use super::store::Reading;
use super::{Dataset, Size, Split};
use crate::error::{Error, Result};
use layout::{Item, Layout};

/// What such a data set is called on the command line.
pub const NAME: &str = "folder";
/// Pixels of a side where nobody says otherwise.
pub const SIDE: usize = 64;
/// Sides that make sense: below, nothing can be seen; above, nothing fits into memory.
pub const SIDES: std::ops::RangeInclusive<usize> = 8..=1024;
/// Files that are named one by one when they cannot be used.
const NAMED: usize = 10;
/// Files a processor between two reports.
const ROUND: usize = 32;

/// Reads all images of a folder; the centre square of each, `side` pixels wide. Gray images stay gray if all are.
///
/// # Errors
/// When there is no image that can be read, or all together do not fit into memory.
pub fn load(root: &Path, side: usize, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    let Layout { classes, train, test, strays } = layout::find(root)?;
    memory::check(train.len() + test.len(), side)?;
    let mut reader = Reader { side, done: 0, total: train.len() + test.len(), unread: strays, tell };
    let [train, test] = [train, test].map(|items| {
        let mut images = Images::new(side);
        reader.read(&items, &mut images);
        images
    });
    reader.warn();
    if train.labels.is_empty() {
        let root = root.display();
        return Err(Error::Data(format!("{root} holds no image to learn from; PNG and JPEG files can be read")));
    }
    let gray = train.is_gray && test.is_gray;
    let labelled = !classes.is_empty();
    Ok(Dataset { name: NAME.into(), classes, train: train.split(gray, labelled)?, test: test.split(gray, labelled)? })
}

/// Reads files and keeps account of it.
struct Reader<'a> {
    side: usize,
    done: usize,
    total: usize,
    /// Files that are left out, each with the reason.
    unread: Vec<String>,
    tell: &'a mut dyn FnMut(Reading),
}

/// Images as they come in: one plane each while all are gray, three after the first that is not.
struct Images {
    side: usize,
    is_gray: bool,
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

impl Reader<'_> {
    /// Adds the images of these files.
    fn read(&mut self, items: &[Item], images: &mut Images) {
        for round in items.chunks(ROUND * rayon::current_num_threads()) {
            let squares: Vec<_> = round.par_iter().map(|item| decode::square(&item.path, self.side)).collect();
            for (item, square) in round.iter().zip(squares) {
                match square {
                    Ok(planes) => images.push(&planes, item.class),
                    Err(why) => self.unread.push(format!("{} is left out: {why}", item.path.display())),
                }
            }
            self.done += round.len();
            (self.tell)(Reading::Files { done: self.done, total: self.total });
        }
    }

    fn warn(&mut self) {
        let more = self.unread.len().saturating_sub(NAMED);
        self.unread.drain(..).take(NAMED).for_each(|sentence| (self.tell)(Reading::Warning(sentence)));
        if more > 0 {
            (self.tell)(Reading::Warning(format!("{more} more files are left out for such reasons")));
        }
    }
}

impl Images {
    fn new(side: usize) -> Self {
        Self { side, is_gray: true, pixels: Vec::new(), labels: Vec::new() }
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    /// Takes the images from `at` on away into images of their own.
    fn split_off(&mut self, at: usize) -> Self {
        let bytes = self.pixels.len() / self.len().max(1);
        let (pixels, labels) = (self.pixels.split_off(at * bytes), self.labels.split_off(at));
        Self { side: self.side, is_gray: self.is_gray, pixels, labels }
    }

    /// Adds an image of one plane or three.
    fn push(&mut self, planes: &[u8], class: u16) {
        let plane = self.side * self.side;
        if self.is_gray && planes.len() != plane {
            self.pixels = in_colour(&self.pixels, plane);
            self.is_gray = false;
        }
        let copies = if self.is_gray || planes.len() != plane { 1 } else { 3 };
        (0..copies).for_each(|_| self.pixels.extend_from_slice(planes));
        self.labels.push(class);
    }

    fn split(self, gray: bool, labelled: bool) -> Result<Split> {
        let size = Size { channels: if gray { 1 } else { 3 }, height: self.side, width: self.side };
        let pixels = if self.is_gray && !gray { in_colour(&self.pixels, self.side * self.side) } else { self.pixels };
        if labelled { Split::new(size, pixels, self.labels) } else { Split::unlabelled(size, pixels) }
    }
}

/// Every plane three times.
fn in_colour(gray: &[u8], plane: usize) -> Vec<u8> {
    gray.chunks_exact(plane).flat_map(|image| [image; 3]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::sample::{jpeg, plain};
    use super::*;
    use std::fs;

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        folder
    }

    fn told(folder: &tempfile::TempDir, side: usize) -> (Result<Dataset>, Vec<Reading>) {
        let mut news = Vec::new();
        (load(folder.path(), side, &mut |piece| news.push(piece)), news)
    }

    #[test]
    fn images_of_all_sizes_become_squares_with_labels() {
        let here = folder(&[
            ("train/cat/a.png", plain([9, 20], [5, 5, 5])),
            ("train/dog/b.jpeg", jpeg([30, 12], &[200; 1080])),
            ("val/dog/c.png", plain([4, 4], [7, 7, 7])),
        ]);
        let (data, news) = told(&here, 8);
        let data = data.expect("a data set");
        assert_eq!((data.classes.as_slice(), data.name.as_str()), (&["cat".to_string(), "dog".into()][..], NAME));
        assert_eq!(data.train.size(), Size { channels: 1, height: 8, width: 8 }, "gray where all are gray");
        let brightness = |index| (data.train.labels()[index], data.train.image(index)[0]);
        let mut seen = [brightness(0), brightness(1)];
        seen.sort_unstable();
        assert_eq!(seen, [(0, 5), (1, 200)], "each label stays with its image");
        assert_eq!((data.test.labels(), data.test.image(0)), (&[1u16][..], &[7u8; 64][..]));
        assert_eq!(news.last(), Some(&Reading::Files { done: 3, total: 3 }));
    }

    #[test]
    fn one_image_in_colour_makes_all_of_them_coloured() {
        for coloured in ["train/a/x.png", "val/b/x.png"] {
            let mut files = vec![(coloured, plain([8, 8], [1, 2, 3]))];
            files.extend(["train/a/1", "train/b/2", "val/a/3"].map(|name| (name, plain([8, 8], [9, 9, 9]))));
            let data = told(&folder(&files), 8).0.expect("a data set");
            for split in [&data.train, &data.test] {
                assert_eq!(split.size().channels, 3);
                for index in 0..split.len() {
                    let image = split.image(index);
                    let planes = [image[0], image[64], image[128]];
                    assert!(planes == [9, 9, 9] || planes == [1, 2, 3], "{planes:?}");
                }
            }
            let count = |split: &Split| (0..split.len()).filter(|&index| split.image(index)[0] == 1).count();
            assert_eq!(count(&data.train) + count(&data.test), 1);
        }
    }

    #[test]
    fn what_is_no_image_is_named_and_left_out() {
        let mut files = vec![("a/1.png", plain([8, 8], [9, 9, 9])), ("b/2.png", plain([8, 8], [8, 8, 8]))];
        let names: Vec<String> = (0..20).map(|number| format!("a/{number}.txt")).collect();
        files.extend(names.iter().map(|name| (name.as_str(), b"words".to_vec())));
        let (data, news) = told(&folder(&files), 8);
        let data = data.expect("the others are whole");
        assert_eq!(data.train.len() + data.test.len(), 2);
        let sentences: Vec<_> = news
            .iter()
            .filter_map(|piece| if let Reading::Warning(sentence) = piece { Some(sentence) } else { None })
            .collect();
        assert_eq!(sentences.len(), NAMED + 1);
        assert!(sentences[0].contains(".txt is left out: it is neither"), "{}", sentences[0]);
        assert!(sentences[NAMED].starts_with("10 more files"), "{}", sentences[NAMED]);
        let nothing = told(&folder(&files[2..]), 8).0.expect_err("no image is left").to_string();
        assert!(nothing.contains("no image to learn from"), "{nothing}");
    }

    #[test]
    fn without_classes_there_are_no_labels() {
        let files: Vec<_> = (0..40).map(|number| (format!("{number}.png"), plain([8, 8], [number; 3]))).collect();
        let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let data = told(&folder(&files), 8).0.expect("a data set");
        assert!(data.classes.is_empty() && data.train.labels().is_empty() && data.train.is_complete());
        assert_eq!(data.train.len() + data.test.len(), 40);
    }
}
