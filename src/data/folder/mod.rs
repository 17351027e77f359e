//! Images of the user's own: files in folders, resized to one size while they are read.
//!
//! Halves are recognised by the usual names of folders (`train` with `val`, `valid`, `test`, ..), classes by the folders in
//! them; see `halves`. Without a test half, one image in ten is held out, chosen by a hash of its path within the folder, so
//! that every machine holds out the same images.

pub mod clips;
mod content;
mod decode;
mod depth;
mod halves;
mod held_out;
mod jpeg;
mod layout;
mod limits;
mod memory;
mod names;
mod png;
mod reader;
#[cfg(test)]
mod sample;
pub mod shards;
mod summary;
mod tiff;
mod tree;
mod video;

use std::path::Path;

use super::{Dataset, Reading};
use crate::error::{Error, Result};
use content::FORMATS;
use layout::{Layout, counted};
use reader::{Images, Reader};
use summary::{Summary, untested};

/// The name of such a data set on the command line.
pub const NAME: &str = "folder";
/// Default side of an image in pixels.
pub const SIDE: usize = 64;
/// Allowed sides: smaller images show nothing, and larger ones do not fit into memory.
pub const SIDES: std::ops::RangeInclusive<usize> = 8..=1024;
/// The manner in which images are held out.
const HELD_OUT: &str = "held out: about one in ten of each class, by a hash of its path";

/// Reads all images of a folder; the centre square of each, `side` pixels wide. Images are gray if all are.
///
/// # Errors
/// When there is no image that can be read, or all together do not fit into memory.
pub fn load(root: &Path, side: usize, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    let mut layout = layout::find(root)?;
    let total = layout.train.len() + layout.validation.len() + layout.test.len();
    memory::check(total, side)?;
    let mut reader = Reader::new(root, side, total, tell);
    let read = |items: &[layout::Item], reader: &mut Reader| {
        let mut images = Images::new(side);
        reader.read(items, &mut images);
        images
    };
    let mut train = read(&layout.train, &mut reader);
    if train.labels.is_empty() {
        reader.report();
        return Err(nothing_to_learn_from(root, &layout));
    }
    leave_out_unread_classes(&mut layout, &mut train, &mut reader);
    let mut validation = read(&layout.validation, &mut reader);
    let mut test = read(&layout.test, &mut reader);
    if layout.test.is_empty() {
        train.move_some(&train.held_out(), &mut test);
    }
    reader.report();
    untested(&layout.classes, &test.labels).into_iter().for_each(|sentence| reader.warn(sentence));
    let summary = Summary {
        root,
        classes: &layout.classes,
        clips: None,
        noun: "image",
        counts: [train.len(), validation.len(), test.len()],
        names: &layout.names,
        held_out: HELD_OUT,
        unread: reader.unread.len(),
        unused: &layout.unused,
    };
    (reader.tell)(Reading::Summary(summary.words()));
    let shift = reader.depth.shift();
    [&mut train, &mut validation, &mut test].into_iter().for_each(|images| images.stretch(shift));
    let gray = [&train, &validation, &test].iter().all(|images| images.is_gray);
    let labelled = !layout.classes.is_empty();
    let validation = (labelled && validation.len() > 0).then(|| validation.split(gray, labelled)).transpose()?;
    let (train, test) = (train.split(gray, labelled)?, test.split(gray, labelled)?);
    Ok(Dataset { name: NAME.into(), classes: layout.classes, train, validation, test })
}

/// A class without a readable training image is dropped: its images in other halves are left out, and a warning says so.
fn leave_out_unread_classes(layout: &mut Layout, train: &mut Images, reader: &mut Reader) {
    let mut counts = vec![0usize; layout.classes.len()];
    if layout.classes.is_empty() {
        return;
    }
    train.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let lost: Vec<usize> = (0..counts.len()).filter(|&class| counts[class] == 0).collect();
    for &class in &lost {
        let of_class = |items: &[layout::Item]| items.iter().filter(|item| usize::from(item.class) == class).count();
        let files = of_class(&layout.train);
        let others = of_class(&layout.validation) + of_class(&layout.test);
        let with =
            if others > 0 { format!(", and {} for testing with it", counted(others, "file")) } else { String::new() };
        reader.warn(format!(
            "class `{}` is left out{with}: it has {} to learn from, and none can be read",
            layout.classes[class],
            counted(files, "file")
        ));
    }
    let places: Vec<u16> =
        (0..counts.len()).map(|class| counts[..class].iter().filter(|&&count| count > 0).count() as u16).collect();
    train.relabel(&places);
    for items in [&mut layout.validation, &mut layout.test] {
        items.retain(|item| counts[usize::from(item.class)] > 0);
        items.iter_mut().for_each(|item| item.class = places[usize::from(item.class)]);
    }
    let mut place = 0..;
    layout.classes.retain(|_| place.next().is_some_and(|class: usize| counts[class] > 0));
    if layout.classes.len() == 1 {
        let only = layout.classes.remove(0);
        reader.warn(format!(
            "only class `{only}` is left, which tells nothing apart: these images count as having no classes"
        ));
    }
}

fn nothing_to_learn_from(root: &Path, layout: &Layout) -> Error {
    let there =
        if layout.unused.is_empty() { String::new() } else { format!("; it holds {}", layout.unused.join(", ")) };
    Error::Data(format!(
        "{} holds no image to learn from; {FORMATS} files can be read, and films by `clips:DIR`{there}",
        root.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::reader::NAMED;
    use super::sample::{jpeg, plain, png};
    use super::*;
    use crate::data::{Size, Split};
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
        assert!(news.contains(&Reading::Files { done: 3, total: 3 }));
        assert_eq!(data.test.files(), ["val/dog/c.png"]);
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

    fn warnings(news: &[Reading]) -> Vec<&String> {
        news.iter()
            .filter_map(|piece| if let Reading::Warning(sentence) = piece { Some(sentence) } else { None })
            .collect()
    }

    fn summary(news: &[Reading]) -> &str {
        match news.last() {
            Some(Reading::Summary(sentence)) => sentence,
            other => panic!("no summary but {other:?}"),
        }
    }

    #[test]
    fn what_is_no_image_is_counted_and_what_is_broken_named() {
        let mut files = vec![("a/1.png", plain([8, 8], [9, 9, 9])), ("b/2.png", plain([8, 8], [8, 8, 8]))];
        let names: Vec<String> = (0..20).map(|number| format!("a/{number}.jpg")).collect();
        files.extend(names.iter().map(|name| (name.as_str(), b"words".to_vec())));
        files.push(("b/list.txt", b"1.png".to_vec()));
        let here = folder(&files);
        let (data, news) = told(&here, 8);
        let data = data.expect("the others are whole");
        assert_eq!(data.train.len() + data.test.len(), 2);
        let sentences = warnings(&news);
        assert!(sentences[0].contains(".jpg is left out: it is no image"), "{}", sentences[0]);
        assert!(sentences[NAMED].starts_with("10 more files"), "{}", sentences[NAMED]);
        let line = summary(&news);
        assert!(
            line.contains("20 files left out that cannot be read") && line.contains("1 other file (1 .txt)"),
            "{line}"
        );
        let nothing = told(&folder(&files[2..]), 8).0.expect_err("no image is left").to_string();
        assert!(nothing.contains("no image to learn from"), "{nothing}");
    }

    #[test]
    fn a_validation_half_is_kept_apart() {
        let files = ["train/a/1", "train/b/2", "valid/a/3", "test/b/4"].map(|name| (name, plain([8, 8], [9, 9, 9])));
        let named: Vec<_> = files.iter().map(|(name, bytes)| (format!("{name}.png"), bytes.clone())).collect();
        let here = folder(&named.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect::<Vec<_>>());
        let (data, news) = told(&here, 8);
        let data = data.expect("a data set");
        let validation = data.validation.expect("a half");
        assert_eq!((validation.labels(), validation.files()), (&[0][..], &["valid/a/3.png".to_string()][..]));
        assert_eq!((data.train.len(), data.test.files()), (2, &["test/b/4.png".to_string()][..]));
        let line = "2 classes (`a`, `b`), 2 images to learn from (`train`), 1 to choose L2 and layer by (`valid`), 1 to test \
                    on (`test`)";
        assert!(summary(&news).ends_with(line), "{}", summary(&news));
    }

    #[test]
    fn classes_without_a_readable_image_are_left_out_with_a_word() {
        let image = |bright: u8| plain([8, 8], [bright; 3]);
        let broken = || b"\0\0\0\x20ftypavif".to_vec();
        let here = folder(&[
            ("train/ape/1.avif", broken()),
            ("train/bee/2.png", image(2)),
            ("train/cat/3.png", image(3)),
            ("val/ape/4.png", image(4)),
            ("val/cat/5.png", image(5)),
        ]);
        let (data, news) = told(&here, 8);
        let data = data.expect("two classes are left");
        assert_eq!(
            (data.classes, data.test.labels(), data.test.image(0)[0]),
            (vec!["bee".into(), "cat".into()], &[1][..], 5)
        );
        assert_eq!(data.train.labels().iter().map(|label| usize::from(*label)).sum::<usize>(), 1);
        let said = warnings(&news);
        assert!(said[0].starts_with("class `ape` is left out, and 1 file for testing with it"), "{said:?}");
        assert!(said.iter().any(|sentence| sentence.starts_with("there is no test image of class `bee`")), "{said:?}");
        let only =
            folder(&[("a/1.png", image(1)), ("a/2.png", image(2)), ("b/3.avif", broken()), ("b/4.avif", broken())]);
        let (data, news) = told(&only, 8);
        let data = data.expect("images");
        assert!(data.classes.is_empty() && data.train.labels().is_empty(), "one class tells nothing apart");
        assert!(warnings(&news).iter().any(|sentence| sentence.contains("only class `a` is left")), "{news:?}");
    }

    #[test]
    fn sixteen_bits_are_stretched_by_the_range_of_the_whole_set() {
        let of_value = |value: u16| {
            let bytes = value.to_be_bytes();
            png([1, 1], [16, 0, 0], &[], &[0, bytes[0], bytes[1]])
        };
        let here = folder(&[
            ("train/a/1.png", of_value(4095)),
            ("train/b/2.png", of_value(2048)),
            ("val/a/3.png", of_value(1024)),
            ("val/b/4.png", plain([8, 8], [7, 7, 7])),
        ]);
        let (data, news) = told(&here, 8);
        let data = data.expect("a data set");
        let mut train = [data.train.image(0)[0], data.train.image(1)[0]];
        train.sort_unstable();
        let mut test = [data.test.image(0)[0], data.test.image(1)[0]];
        test.sort_unstable();
        assert_eq!((train, test), ([128, 255], [7, 64]));
        assert!(warnings(&news)[0].contains("3 images of 16 bits a channel use 12 of them"), "{news:?}");
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
