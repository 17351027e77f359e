//! The images of a folder: each with its half and its class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::halves::{self, Halves, Side};
use super::held_out::hash;
use super::tree::{Folder, Others};
use crate::error::{Error, Result};

/// The images that were found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The names of the classes in alphabetical order; empty where there are none.
    pub(super) classes: Vec<String>,
    /// Files to learn from, in an order that does not depend on their classes.
    pub(super) train: Vec<Item>,
    /// Files for validation, if there are test images too.
    pub(super) validation: Vec<Item>,
    /// Files for testing; none if some of the training files are to be held out.
    pub(super) test: Vec<Item>,
    /// The folders of the three halves in words.
    pub(super) names: [String; 3],
    /// The content of the folder that is not used, in words.
    pub(super) unused: Vec<String>,
}

/// A file that should be an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// A hash of its path within the folder. It decides its place in the order and whether it is kept for testing.
    pub(super) hash: u64,
    pub(super) path: PathBuf,
    /// The place of its class among the names; 0 where there are no classes.
    pub(super) class: u16,
}

/// Finds the images below `root`; files with the names of images are not opened.
///
/// # Errors
/// When the folder cannot be read, or its halves do not have the same classes.
pub(super) fn find(root: &Path) -> Result<Layout> {
    if !root.is_dir() {
        let there = if root.exists() { " is a file, and `folder:` wants a folder of images" } else { "" };
        let path = root.display();
        return Err(Error::Data(if there.is_empty() {
            format!("there is no folder {path}")
        } else {
            format!("{path}{there}")
        }));
    }
    let (tree, mut others) = Folder::read(root)?;
    let tree = tree.without_films(&mut others);
    SplitPlan::of(root, &Halves::of(&tree)?)?.layout(&others)
}

/// The images of a half by their classes.
#[derive(Default)]
struct Images {
    classes: BTreeMap<String, Vec<PathBuf>>,
    /// Images beside the folders of classes.
    loose: Vec<PathBuf>,
    names: Vec<String>,
}

impl Images {
    /// The images of a half. Folders that hold a single folder are passed through, except for folders of `known` classes.
    fn of(side: &Side, known: &BTreeMap<String, Vec<PathBuf>>, unused: &mut Vec<String>) -> Self {
        let mut images = Self { names: side.names(), ..Self::default() };
        for folder in &side.folders {
            let inner = inner(folder, known, unused);
            images.loose.extend(inner.images.iter().cloned());
            for class in &inner.folders {
                images.classes.entry(class.name.clone()).or_default().extend(class.all_images());
            }
        }
        for (class, folder) in &side.classes {
            images.classes.entry(class.clone()).or_default().extend(folder.all_images());
        }
        images
    }

    /// A single class cannot be classified.
    fn is_labelled(&self) -> bool {
        self.classes.len() > 1
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.loose.len() + self.classes.values().map(Vec::len).sum::<usize>()
    }

    /// All images, without regard to classes.
    fn unlabelled(self, root: &Path) -> Vec<Item> {
        let files = self.classes.into_values().flatten().chain(self.loose);
        files.map(|path| Item { hash: hash(root, &path), path, class: 0 }).collect()
    }

    /// The images of the classes named, each with its class.
    fn labelled(self, root: &Path, names: &[String]) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for (name, files) in self.classes {
            let place = names.binary_search(&name).ok();
            let place = place.or_else(|| names.iter().position(|known| known.eq_ignore_ascii_case(&name)));
            let place = place.ok_or_else(|| {
                let halves = halves::quoted(&self.names);
                Error::Data(format!(
                    "{}: {halves} has a class `{name}`, but the training images have none of that name",
                    root.display()
                ))
            })?;
            let class = u16::try_from(place)
                .map_err(|_| Error::Data(format!("{} has more than 65,536 classes", root.display())))?;
            items.extend(files.into_iter().map(|path| Item { hash: hash(root, &path), path, class }));
        }
        Ok(items)
    }
}

/// The folder that the classes of a half lie in.
fn inner<'a>(folder: &'a Folder, known: &BTreeMap<String, Vec<PathBuf>>, unused: &mut Vec<String>) -> &'a Folder {
    if let Some(images) = halves::described(folder) {
        unused.extend(folder.folders.iter().filter(|other| !std::ptr::eq(*other, images)).map(in_words));
        return inner(images, known, unused);
    }
    match folder.folders.as_slice() {
        [only] if folder.images.is_empty() && !known.contains_key(&only.name) => inner(only, known, unused),
        _ => folder,
    }
}

fn in_words(folder: &Folder) -> String {
    format!("`{}` ({})", folder.name, counted(folder.all_images().len(), "image"))
}

/// Training images, and validation and test images if there are any.
struct SplitPlan<'a> {
    root: &'a Path,
    train: Images,
    validation: Images,
    test: Images,
    unused: Vec<String>,
}

impl<'a> SplitPlan<'a> {
    fn of(root: &'a Path, halves: &Halves) -> Result<Self> {
        let mut unused: Vec<String> = halves.unused.iter().map(|folder| in_words(folder)).collect();
        for folder in &halves.beside {
            unused.push(format!("{} beside the halves", counted(folder.images.len(), "image")));
        }
        let train = Images::of(&halves.train, &BTreeMap::new(), &mut unused);
        let mut other = |side: &Side| Images::of(side, &train.classes, &mut unused);
        let (validation, test) = (other(&halves.validation), other(&halves.test));
        let is_parted = !halves.test.is_empty() || !halves.validation.is_empty();
        if train.is_empty() && is_parted {
            let names = halves::quoted(&halves.train.names());
            return Err(Error::Data(format!("{}: {names} holds no image to learn from", root.display())));
        }
        Ok(Self { root, train, validation, test, unused })
    }

    fn layout(mut self, others: &Others) -> Result<Layout> {
        let labelled = self.train.is_labelled();
        if labelled {
            self.set_aside_unlabelled();
        }
        if self.test.is_empty() {
            self.test = std::mem::take(&mut self.validation);
        } else if !labelled && !self.validation.is_empty() {
            let count = counted(self.validation.count(), "image");
            let names = halves::quoted(&self.validation.names);
            self.unused.push(format!("{names} ({count}; without classes nothing is chosen by them)"));
            self.validation = Images::default();
        }
        let Self { root, train, validation, test, mut unused } = self;
        let names = [&train, &validation, &test].map(|half| halves::quoted(&half.names));
        let mut layout = Layout { names, ..Layout::default() };
        if labelled {
            layout.classes = train.classes.keys().cloned().collect();
            for half in [&train, &validation, &test] {
                unused.extend(stray(half));
            }
            layout.train = train.labelled(root, &layout.classes)?;
            layout.validation = validation.labelled(root, &layout.classes)?;
            layout.test = test.labelled(root, &layout.classes)?;
        } else {
            layout.train = train.unlabelled(root);
            layout.test = test.unlabelled(root);
        }
        if layout.test.is_empty() {
            layout.names[2].clear();
        }
        unused.extend(others.words());
        layout.unused = unused;
        [&mut layout.train, &mut layout.validation, &mut layout.test].into_iter().for_each(|half| half.sort_unstable());
        Ok(layout)
    }

    /// Leaves out halves without classes where the training images have some.
    fn set_aside_unlabelled(&mut self) {
        for half in [&mut self.validation, &mut self.test] {
            if !half.is_empty() && half.classes.is_empty() {
                let count = counted(half.count(), "image");
                let names = halves::quoted(&half.names);
                self.unused.push(format!("{names} ({count} without classes)"));
                *half = Images::default();
            }
        }
    }
}

/// The images of a half that lie beside its classes, in words.
fn stray(half: &Images) -> Option<String> {
    let first = half.loose.first()?.file_name()?.to_string_lossy().into_owned();
    let others = half.loose.len() - 1;
    let more = if others > 0 { format!(" and {} more", counted(others, "image")) } else { String::new() };
    Some(format!("{first}{more} beside the classes"))
}

/// A number with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::held_out::held_out;
    use super::*;
    use std::fs;

    fn folder(files: &[String]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn names(folder: &tempfile::TempDir, items: &[Item]) -> Vec<(String, u16)> {
        let name = |path: &Path| path.strip_prefix(folder.path()).expect("inside").display().to_string();
        items.iter().map(|item| (name(&item.path), item.class)).collect()
    }

    /// The images to learn from and those to test on once some are held out.
    fn parted(layout: &Layout) -> [Vec<Item>; 2] {
        let classes: Vec<u16> = layout.train.iter().map(|item| item.class).collect();
        let hashes: Vec<u64> = layout.train.iter().map(|item| item.hash).collect();
        let mut held = held_out(&classes, &hashes).into_iter();
        let (test, train) = layout.train.iter().cloned().partition(|_| held.next().unwrap_or(false));
        [train, test]
    }

    fn numbered(start: &str, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{start}{number}.jpg")).collect()
    }

    /// Two classes of `count` images each below `half`.
    fn pets(half: &str, count: usize) -> Vec<String> {
        [numbered(&format!("{half}cat/"), count), numbered(&format!("{half}dog/"), count)].concat()
    }

    fn counts(layout: &Layout) -> [usize; 3] {
        [&layout.train, &layout.validation, &layout.test].map(Vec::len)
    }

    #[test]
    fn halves_with_classes_keep_their_own_test_images() {
        let files = ["train/cat/a.jpg", "train/dog/deep/b.jpg", "val/dog/c.jpg", "test/x.jpg", "train/.hidden/d.jpg"];
        let here = folder(&files.map(String::from));
        let layout = find(here.path()).expect("a layout");
        assert_eq!(layout.classes, ["cat", "dog"]);
        let mut train = names(&here, &layout.train);
        train.sort();
        assert_eq!(train, [("train/cat/a.jpg".into(), 0), ("train/dog/deep/b.jpg".into(), 1)]);
        assert_eq!(names(&here, &layout.test), [("val/dog/c.jpg".into(), 1)]);
        assert_eq!(layout.unused, ["`test` (1 image without classes)"]);
        fs::create_dir(here.path().join("val/bird")).expect("a folder");
        fs::write(here.path().join("val/bird/e.jpg"), "").expect("a file");
        assert!(find(here.path()).expect_err("an unknown class").to_string().contains("class `bird`"));
    }

    #[test]
    fn halves_are_told_by_all_their_usual_names() {
        for (first, second) in [
            ("train", "valid"),
            ("Train", "Validation"),
            ("training_set", "test_set"),
            ("train2017", "val2017"),
            ("TRAIN_IMAGES", "DEV_IMAGES"),
            ("seg_train", "seg_test"),
            ("deep/data/train", "deep/data/eval"),
            ("train/images", "test/images"),
            ("train_1", "test"),
        ] {
            let here = folder(&[pets(&format!("{first}/"), 20), pets(&format!("{second}/"), 10)].concat());
            let layout = find(here.path()).expect("a layout");
            assert_eq!(layout.classes, ["cat", "dog"], "{first} and {second}");
            assert_eq!(counts(&layout), [40, 0, 20], "{first} and {second}");
        }
    }

    #[test]
    fn of_three_halves_the_middle_one_is_chosen_by() {
        for middle in ["valid", "val", "dev", "eval"] {
            let here = folder(&[pets("train/", 20), pets(&format!("{middle}/"), 10), pets("test/", 6)].concat());
            let layout = find(here.path()).expect("a layout");
            assert_eq!(counts(&layout), [40, 20, 12], "{middle}");
            assert_eq!(layout.names, ["`train`".to_string(), format!("`{middle}`"), "`test`".into()]);
        }
    }

    #[test]
    fn classes_may_hold_the_halves_and_halves_the_names_of_classes() {
        let inside =
            [pets("", 0), numbered("cat/train/", 9), numbered("cat/test/", 3), numbered("dog/train/", 8)].concat();
        let inside = folder(&[inside, numbered("dog/test/", 2)].concat());
        let joined = ["trainA/", "testA/", "trainB/", "testB/"].map(|name| numbered(name, 4)).concat();
        let folds = folder(&[pets("train1/", 4), pets("test1/", 2), pets("train2/", 4), pets("test2/", 2)].concat());
        for (here, classes, expected) in [
            (inside, ["cat", "dog"], [17, 0, 5]),
            (folder(&joined), ["a", "b"], [8, 0, 8]),
            (folds, ["cat", "dog"], [8, 0, 4]),
        ] {
            let layout = find(here.path()).expect("a layout");
            assert_eq!((layout.classes.as_slice(), counts(&layout)), (&classes.map(String::from)[..], expected));
        }
    }

    #[test]
    fn folders_without_images_and_litter_count_for_nothing() {
        let files = [
            pets("", 30),
            numbered("annotations/", 0),
            ["annotations/a.xml", "annotations/b.xml", "cat/Thumbs.db", "dog/desktop.ini", "__MACOSX/cat/._0.jpg"]
                .map(String::from)
                .to_vec(),
        ];
        let layout = find(folder(&files.concat()).path()).expect("a layout");
        assert_eq!((layout.classes.len(), layout.train.len() + layout.test.len()), (2, 60));
        assert_eq!(layout.unused, ["2 other files (2 .xml)"]);
        // masks describe the images beside them; they are no class
        let described = folder(&[numbered("images/", 20), numbered("annotations/trimaps/", 20)].concat());
        let layout = find(described.path()).expect("a layout");
        assert_eq!((layout.classes.len(), layout.train.len() + layout.test.len()), (0, 20));
        assert_eq!(layout.unused, ["`annotations` (20 images)"]);
    }

    #[test]
    fn halves_without_one_to_learn_from_are_refused() {
        let refused = |files: &[String]| find(folder(files).path()).expect_err("nothing to learn from").to_string();
        let said = refused(&[pets("val/", 3), pets("test/", 3)].concat());
        assert!(said.contains("holds `test`, `val`, but no folder to learn from"), "{said}");
    }

    #[test]
    fn a_tenth_is_held_out_by_name_and_classes_are_mixed() {
        let files = [numbered("cat/", 300), numbered("dog/", 300), vec!["readme.txt".into()]].concat();
        let here = folder(&files);
        let layout = find(here.path()).expect("a layout");
        let [train, test] = parted(&layout);
        assert_eq!(train.len() + test.len(), 600);
        assert!((40..80).contains(&test.len()), "{}", test.len());
        let cats = train[..100].iter().filter(|item| item.class == 0).count();
        assert!((30..70).contains(&cats), "{cats} cats among the first hundred");
        assert_eq!(layout.unused, ["1 other file (1 .txt)"]);
        // by name alone, whatever other files there are
        let other = find(folder(&files[..450]).path()).expect("a layout");
        let before: Vec<u64> = test.iter().map(|item| item.hash).collect();
        assert!(parted(&other)[1].iter().all(|item| before.contains(&item.hash)));
    }

    #[test]
    fn trains_are_told_from_images_to_train_on() {
        let vehicles = folder(&[numbered("car/", 9), numbered("train/", 9)].concat());
        assert_eq!(find(vehicles.path()).expect("a layout").classes, ["car", "train"]);
        let split = folder(&[numbered("train/car/", 9), numbered("train/train/", 9)].concat());
        assert_eq!(find(split.path()).expect("a layout").classes, ["car", "train"]);
    }

    #[test]
    fn images_without_classes_are_found_too() {
        for start in ["", "all/", "train/"] {
            let here = folder(&numbered(start, 50));
            let layout = find(here.path()).expect("a layout");
            assert!(layout.classes.is_empty() && layout.unused.is_empty(), "{start}");
            assert_eq!(layout.train.len() + layout.test.len(), 50, "{start}");
        }
        assert!(find(Path::new("no/such/place")).expect_err("nothing").to_string().contains("no folder no/such"));
    }
}
