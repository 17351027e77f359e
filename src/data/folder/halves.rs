//! The halves of a data set among the folders below its root.
//!
//! Known layouts: halves of classes (`train/CLASS/*`), classes of halves (`CLASS/train/*`), halves whose names carry the
//! class (`trainA`, `testA`, ..), all of them also a few folders further down, and no halves at all.

use std::collections::BTreeMap;

use super::names::{self, Half};
use super::tree::Folder;
use crate::error::{Error, Result};

/// Folders that describe images lying in a folder beside them.
const IMAGES: [&str; 6] = ["images", "image", "imgs", "img", "jpegimages", "photos"];
const DESCRIPTIONS: [&str; 12] = [
    "annotation",
    "annotations",
    "label",
    "labels",
    "mask",
    "masks",
    "trimaps",
    "segmentations",
    "segmentation",
    "groundtruth",
    "ground_truth",
    "bboxes",
];

/// The folders of one half.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Side<'a> {
    /// Folders whose classes are the folders in them.
    pub(super) folders: Vec<&'a Folder>,
    /// Folders that are classes by themselves, each with its name.
    pub(super) classes: Vec<(String, &'a Folder)>,
}

/// A data set in halves. With a training half alone, test images are still to be held out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Halves<'a> {
    pub(super) train: Side<'a>,
    pub(super) validation: Side<'a>,
    pub(super) test: Side<'a>,
    /// Folders with images that belong to no half.
    pub(super) unused: Vec<&'a Folder>,
    /// Folders whose own images lie beside the halves.
    pub(super) beside: Vec<&'a Folder>,
}

impl Side<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.classes.is_empty()
    }

    /// The names of the folders, for the summary; none for the root.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.folders.iter().map(|folder| folder.name.clone()).collect();
        names.extend(self.classes.iter().map(|(_, folder)| folder.name.clone()));
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        names
    }
}

impl<'a> Halves<'a> {
    /// The halves below `root`; without any, all of it is the training half.
    ///
    /// # Errors
    /// When there are validation or test halves but no training half.
    pub(super) fn of(root: &'a Folder) -> Result<Self> {
        if let Some(halves) = Self::by_names(root).or_else(|| Self::by_classes(root)) {
            return Ok(halves);
        }
        refuse_without_training(root)?;
        if let [only] = root.folders.as_slice() {
            let mut halves = Self::of(only)?;
            let is_half = names::half(&only.name).is_some_and(|(_, rest)| rest.is_empty());
            if root.images.is_empty() || is_half || halves.is_parted() {
                halves.beside.extend((!root.images.is_empty()).then_some(root));
                return Ok(halves);
            }
        }
        let parted: Vec<&Folder> = root.folders.iter().filter(|folder| Self::by_names(folder).is_some()).collect();
        if let [only] = parted.as_slice() {
            let mut halves = Self::of(only)?;
            halves.rest_of(root, only);
            return Ok(halves);
        }
        if let Some(images) = described(root) {
            let mut halves = Self::of(images)?;
            halves.rest_of(root, images);
            return Ok(halves);
        }
        Ok(Self { train: Side { folders: vec![root], ..Side::default() }, ..Self::default() })
    }

    /// Folders named after halves, if there are one for training and one for testing.
    fn by_names(root: &'a Folder) -> Option<Self> {
        let mut groups: BTreeMap<String, BTreeMap<Half, Vec<&Folder>>> = BTreeMap::new();
        for folder in &root.folders {
            if let Some((half, rest)) = names::half(&folder.name) {
                groups.entry(rest).or_default().entry(half).or_default().push(folder);
            }
        }
        let is_whole = |group: &BTreeMap<Half, Vec<&Folder>>| group.contains_key(&Half::Train) && group.len() > 1;
        let whole: Vec<String> =
            groups.iter().filter(|(_, group)| is_whole(group)).map(|(rest, _)| rest.clone()).collect();
        let is_number = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
        let mut halves = Self::default();
        match whole.as_slice() {
            [] => {
                // parts of halves: train_1, train_2, test
                let mut all: BTreeMap<Half, Vec<&Folder>> = BTreeMap::new();
                for (_, group) in groups.into_iter().filter(|(rest, _)| is_number(rest)) {
                    group.into_iter().for_each(|(half, folders)| all.entry(half).or_default().extend(folders));
                }
                if !is_whole(&all) {
                    return None;
                }
                halves.add(all, None);
            }
            [first, others @ ..]
                if others.is_empty() || first.is_empty() || whole.iter().all(|rest| is_number(rest)) =>
            {
                halves.add(groups.remove(first)?, None);
            }
            several => several.iter().for_each(|class| {
                halves.add(groups.remove(class).unwrap_or_default(), Some(class));
            }),
        }
        halves.rest(root);
        Some(halves)
    }

    /// Classes each of which is in halves of its own: `cat/train`, `cat/test`, `dog/train`, ..
    fn by_classes(root: &'a Folder) -> Option<Self> {
        let mut halves = Self::default();
        for class in &root.folders {
            let mut groups: BTreeMap<Half, Vec<&Folder>> = BTreeMap::new();
            for folder in &class.folders {
                let (half, _) = names::half(&folder.name).filter(|(_, rest)| rest.is_empty())?;
                groups.entry(half).or_default().push(folder);
            }
            if !groups.contains_key(&Half::Train) || groups.len() < 2 {
                return None;
            }
            halves.add(groups, Some(&class.name));
        }
        (root.folders.len() > 1 && root.images.is_empty()).then_some(halves)
    }

    /// Adds folders to their halves, as a class of this name or with the classes that are in them.
    fn add(&mut self, mut group: BTreeMap<Half, Vec<&'a Folder>>, class: Option<&str>) {
        if let Some(folders) = group.remove(&Half::Evaluation) {
            let both = group.contains_key(&Half::Test) && !group.contains_key(&Half::Validation);
            group.entry(if both { Half::Validation } else { Half::Test }).or_default().extend(folders);
        }
        for (half, folders) in group {
            let side = match half {
                Half::Train => &mut self.train,
                Half::Validation => &mut self.validation,
                Half::Test | Half::Evaluation => &mut self.test,
            };
            match class {
                Some(class) => side.classes.extend(folders.into_iter().map(|folder| (class.to_string(), folder))),
                None => side.folders.extend(folders),
            }
        }
    }

    /// Notes the folders of `root` that are in no half, and the images beside them.
    fn rest(&mut self, root: &'a Folder) {
        let sides = [&self.train, &self.validation, &self.test];
        let used: Vec<&Folder> = sides
            .iter()
            .flat_map(|side| side.folders.iter().copied().chain(side.classes.iter().map(|(_, folder)| *folder)))
            .collect();
        self.unused =
            root.folders.iter().filter(|folder| !used.iter().any(|one| std::ptr::eq(*one, *folder))).collect();
        self.beside.extend((!root.images.is_empty()).then_some(root));
    }

    /// The same if all halves lie in one folder of `root`.
    fn rest_of(&mut self, root: &'a Folder, used: &Folder) {
        self.unused.extend(root.folders.iter().filter(|folder| !std::ptr::eq(*folder, used)));
        self.beside.extend((!root.images.is_empty()).then_some(root));
    }

    pub(super) fn is_parted(&self) -> bool {
        !self.test.is_empty() || !self.validation.is_empty()
    }
}

/// Refuses a folder of test and validation halves alone.
fn refuse_without_training(root: &Folder) -> Result<()> {
    let half = |folder: &Folder| names::half(&folder.name).filter(|(_, rest)| rest.is_empty()).map(|(half, _)| half);
    let without = root.folders.iter().all(|folder| half(folder).is_some_and(|half| half != Half::Train));
    if root.folders.len() < 2 || !without {
        return Ok(());
    }
    let names: Vec<&str> = root.folders.iter().map(|folder| folder.name.as_str()).collect();
    Err(Error::Data(format!(
        "{} holds {}, but no folder to learn from; call that one `train`",
        root.path.display(),
        quoted(&names)
    )))
}

/// The folder of images, where all others beside it only describe them.
pub(super) fn described(root: &Folder) -> Option<&Folder> {
    let is = |folder: &Folder, known: &[&str]| known.contains(&folder.name.to_lowercase().as_str());
    let (images, others): (Vec<&Folder>, Vec<&Folder>) = root.folders.iter().partition(|folder| is(folder, &IMAGES));
    match images.as_slice() {
        [images] if !others.is_empty() && others.iter().all(|folder| is(folder, &DESCRIPTIONS)) => Some(images),
        _ => None,
    }
}

/// Names for a sentence.
pub(super) fn quoted(names: &[impl AsRef<str>]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
