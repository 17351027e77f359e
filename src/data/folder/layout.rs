//! Which files of a folder are which images.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Folders within a class that are looked into: enough for what people do, few enough for links that lead in circles.
const DEPTH: usize = 8;
/// One image in so many is kept for testing where no test images are set apart.
pub(super) const HELD_OUT: u64 = 10;
/// Where test images are looked for beside `train`.
const TEST_FOLDERS: [&str; 2] = ["val", "test"];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The names of the classes in alphabetical order; empty where there are none.
    pub(super) classes: Vec<String>,
    /// Files to learn from, in an order that has nothing to do with their classes.
    pub(super) train: Vec<Item>,
    /// Files to test on.
    pub(super) test: Vec<Item>,
    /// Sentences about files that belong nowhere.
    pub(super) strays: Vec<String>,
}

/// A file that should be an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// A hash of its path within the folder: what decides its place in the order, and whether it is kept for testing.
    pub(super) hash: u64,
    pub(super) path: PathBuf,
    /// The place of its class among the names; 0 where there are no classes.
    pub(super) class: u16,
}

/// Looks into a folder; no file is opened.
///
/// # Errors
/// When it cannot be read, or its training and test images do not have the same classes.
pub(super) fn find(root: &Path) -> Result<Layout> {
    if !root.is_dir() {
        return Err(Error::Data(format!("there is no folder {}", root.display())));
    }
    let train = root.join("train");
    let test = TEST_FOLDERS.iter().map(|name| root.join(name)).find(|path| path.is_dir());
    let folders = entries(root)?.into_iter().filter(|(_, _, is_folder)| *is_folder).count();
    // beside other folders, and none for tests among them, `train` is a class: the one of locomotives
    if !train.is_dir() || (test.is_none() && folders > 1) {
        return Plan { root, train: Side::of(root)?, test: None }.layout();
    }
    let test = test.map(|path| Side::of(&path)).transpose()?;
    Plan { root, train: Side::of(&train)?, test }.layout()
}

/// What lies below one folder.
struct Side {
    path: PathBuf,
    /// Its folders that hold files, in alphabetical order.
    classes: Vec<(String, Vec<PathBuf>)>,
    /// Files beside them.
    loose: Vec<PathBuf>,
}

impl Side {
    fn of(path: &Path) -> Result<Self> {
        let mut side = Self { path: path.to_path_buf(), classes: Vec::new(), loose: Vec::new() };
        for (name, path, is_folder) in entries(path)? {
            if is_folder {
                let mut files = Vec::new();
                gather(&path, DEPTH, &mut files)?;
                side.classes.extend((!files.is_empty()).then_some((name, files)));
            } else {
                side.loose.push(path);
            }
        }
        Ok(side)
    }

    /// A single class tells nothing apart.
    fn is_labelled(&self) -> bool {
        self.classes.len() > 1
    }

    fn names(&self) -> Vec<String> {
        self.classes.iter().map(|(name, _)| name.clone()).collect()
    }

    /// All files, without regard to classes.
    fn unlabelled(self, root: &Path) -> Vec<Item> {
        let files = self.classes.into_iter().flat_map(|(_, files)| files).chain(self.loose);
        files.map(|path| Item { hash: hash(root, &path), path, class: 0 }).collect()
    }

    /// The files of the classes named, each with its class.
    fn labelled(self, root: &Path, names: &[String]) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for (name, files) in self.classes {
            let place = names.binary_search(&name).map_err(|_| {
                let path = self.path.display();
                Error::Data(format!("{path} has a class `{name}`, but the training images have none of that name"))
            })?;
            let class = u16::try_from(place)
                .map_err(|_| Error::Data(format!("{} has more than 65,536 classes", root.display())))?;
            items.extend(files.into_iter().map(|path| Item { hash: hash(root, &path), path, class }));
        }
        Ok(items)
    }

    /// A sentence about files beside the classes.
    fn stray(&self) -> Option<String> {
        let count = self.loose.len();
        let first = self.loose.first()?;
        let others = if count > 1 { format!(" and {} more are", count - 1) } else { " is".to_string() };
        Some(format!("{}{others} left out: no class folder holds them", first.display()))
    }
}

/// Training images, and test images where some are set apart.
struct Plan<'a> {
    root: &'a Path,
    train: Side,
    test: Option<Side>,
}

impl Plan<'_> {
    fn layout(self) -> Result<Layout> {
        let Self { root, train, test } = self;
        let mut layout = Layout::default();
        if train.is_labelled() {
            layout.classes = train.names();
            layout.strays.extend(train.stray().into_iter().chain(test.as_ref().and_then(Side::stray)));
            layout.train = train.labelled(root, &layout.classes)?;
            layout.test = test.map_or(Ok(Vec::new()), |test| test.labelled(root, &layout.classes))?;
        } else {
            layout.train = train.unlabelled(root);
            layout.test = test.map_or(Vec::new(), |test| test.unlabelled(root));
        }
        if layout.test.is_empty() {
            (layout.test, layout.train) = layout.train.into_iter().partition(|item| item.hash.is_multiple_of(HELD_OUT));
        }
        layout.train.sort_unstable();
        layout.test.sort_unstable();
        Ok(layout)
    }
}

/// Adds all files below `folder`.
fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    for (_, path, is_folder) in entries(folder)? {
        if !is_folder {
            files.push(path);
        } else if depth > 1 {
            gather(&path, depth - 1, files)?;
        }
    }
    Ok(())
}

/// What a folder holds in alphabetical order, hidden things left out: name, path, and whether it is a folder.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(Error::file(&path))?;
        // asking where a link leads costs time, and there can be a million files
        let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
        found.push((name, path, is_folder));
    }
    found.sort_unstable();
    Ok(found)
}

/// The first 64 bits of the SHA-256 of a file's path within the folder, its parts joined by `/`.
pub(super) fn hash(root: &Path, path: &Path) -> u64 {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    let digest: [u8; 32] = Sha256::digest(parts.join("/")).into();
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn numbered(start: &str, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("{start}{number}.jpg")).collect()
    }

    #[test]
    fn imagenets_layout_keeps_its_own_test_images() {
        let files = ["train/cat/a.jpg", "train/dog/deep/b.jpg", "val/dog/c.jpg", "test/x.jpg", "train/.hidden/d.jpg"];
        let here = folder(&files.map(String::from));
        let layout = find(here.path()).expect("a layout");
        assert_eq!(layout.classes, ["cat", "dog"]);
        let mut train = names(&here, &layout.train);
        train.sort();
        assert_eq!(train, [("train/cat/a.jpg".into(), 0), ("train/dog/deep/b.jpg".into(), 1)]);
        assert_eq!(names(&here, &layout.test), [("val/dog/c.jpg".into(), 1)]);
        fs::create_dir(here.path().join("val/bird")).expect("a folder");
        fs::write(here.path().join("val/bird/e.jpg"), "").expect("a file");
        assert!(find(here.path()).expect_err("an unknown class").to_string().contains("class `bird`"));
    }

    #[test]
    fn a_tenth_is_held_out_by_name_and_classes_are_mixed() {
        let files = [numbered("cat/", 300), numbered("dog/", 300), vec!["readme.txt".into()]].concat();
        let here = folder(&files);
        let layout = find(here.path()).expect("a layout");
        assert_eq!(layout.train.len() + layout.test.len(), 600);
        assert!((40..80).contains(&layout.test.len()), "{}", layout.test.len());
        let cats = layout.train[..100].iter().filter(|item| item.class == 0).count();
        assert!((30..70).contains(&cats), "{cats} cats among the first hundred");
        assert!(layout.strays[0].contains("readme.txt is left out"), "{:?}", layout.strays);
        // by name alone: what else lies there changes nothing
        let other = find(folder(&files[..450]).path()).expect("a layout");
        let before: Vec<u64> = layout.test.iter().map(|item| item.hash).collect();
        assert!(other.test.iter().all(|item| before.contains(&item.hash)));
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
            assert!(layout.classes.is_empty() && layout.strays.is_empty(), "{start}");
            assert_eq!(layout.train.len() + layout.test.len(), 50, "{start}");
        }
        assert!(find(Path::new("no/such/place")).expect_err("nothing").to_string().contains("no folder no/such"));
    }
}
