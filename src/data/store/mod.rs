//! Data sets as files: their places on this machine, their digests, and downloads.

mod check;
mod fetch;
mod search;

use std::fs::File as Handle;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::catalogue::{self, Entry, File, Part};
use super::folder::{clips, shards};
use super::format::{self, Opened};
use super::{Dataset, Reading, Spec, folder, shapes};
use crate::digest::hex;
use crate::error::{Error, Result};
pub use check::{Checked, check};
pub use fetch::{Fetching, fetch, unpack};
use search::find;

/// The folder that Debian's packages put data sets into.
const SYSTEM: &str = "/usr/share/datasets";
/// Most classes whose labels are digested as one byte each.
const BYTE_CLASSES: usize = 256;

/// Loads a data set from its folder.
///
/// # Errors
/// When there is no such data set, it is not on this machine, or a file is damaged.
pub fn load(spec: &Spec, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    match &spec.folder {
        Some(root) if spec.name == clips::NAME => clips::load(root, spec.size.unwrap_or(folder::SIDE), tell),
        Some(pattern) if spec.name == shards::NAME => shards::load(pattern, spec.size.unwrap_or(folder::SIDE), tell),
        Some(root) if spec.is_folder() => folder::load(root, spec.size.unwrap_or(folder::SIDE), tell),
        None if spec.name == shapes::NAME => shapes::dataset(shapes::SIDE, |count| {
            (0..count).into_par_iter().map(|number| shapes::clip(number, shapes::SIDE)).collect()
        }),
        Some(folder) => load_known(catalogue::find(&spec.name)?, folder),
        None => {
            let entry = catalogue::find(&spec.name)?;
            load_known(entry, &locate(entry).ok_or_else(|| missing(entry))?)
        }
    }
}

fn load_known(entry: &Entry, folder: &Path) -> Result<Dataset> {
    let part = |part| format::read(entry, part, &|file| opened(entry, folder, file));
    let train = part(Part::Train)?;
    let test = part(Part::Test)?;
    if train.size() != test.size() {
        return Err(Error::Data(format!("{}: training and test images differ in size", folder.display())));
    }
    let classes = entry.classes.iter().map(ToString::to_string).collect();
    Ok(Dataset { name: entry.name.to_string(), classes, train, validation: None, test })
}

/// The first of the usual folders that holds all files of a data set: `data/NAME` here, the user's data folder, the
/// system's.
pub fn locate(entry: &Entry) -> Option<PathBuf> {
    homes(entry).into_iter().find(|home| entry.files.iter().all(|file| find(entry, home, file).is_some()))
}

/// The folder that [`fetch()`] fills when none is named.
pub fn user_home(entry: &Entry) -> Option<PathBuf> {
    dirs::data_dir().map(|data| data.join("nolabel").join(entry.name))
}

/// SHA-256 of images, labels and the order of frames as a run sees them, whatever files they came from.
pub fn digest(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    for split in [&data.train, &data.test].into_iter().chain(&data.validation) {
        let size = split.size();
        for number in [split.len(), size.channels, size.height, size.width] {
            hash.update((number as u64).to_le_bytes());
        }
        (0..split.len()).for_each(|index| hash.update(split.image(index)));
        let width = if data.classes.len() <= BYTE_CLASSES { 1 } else { 2 };
        split.labels().iter().for_each(|label| hash.update(&label.to_le_bytes()[..width]));
        let partners = split.sequence().into_iter().flat_map(|frames| (0..frames.len()).map(|at| frames.partner(at)));
        partners.for_each(|partner| hash.update((partner as u64).to_le_bytes()));
    }
    hex(&hash.finalize())
}

fn homes(entry: &Entry) -> Vec<PathBuf> {
    let here = PathBuf::from("data").join(entry.name);
    [Some(here), user_home(entry), Some(Path::new(SYSTEM).join(entry.name))].into_iter().flatten().collect()
}

fn missing(entry: &Entry) -> Error {
    let looked: Vec<_> = homes(entry).iter().map(|home| home.display().to_string()).collect();
    Error::Data(format!(
        "{} is not on this machine (looked in {}); run `nolabel data fetch {}`, or name its folder with `--data {}:DIR`",
        entry.title,
        looked.join(", "),
        entry.name,
        entry.name
    ))
}

fn open(path: &Path) -> Result<BufReader<Handle>> {
    Handle::open(path).map(BufReader::new).map_err(Error::file(path))
}

fn opened(entry: &Entry, folder: &Path, file: &File) -> Result<Opened> {
    let absent = || {
        let (path, name) = (folder.display(), file.name);
        Error::Data(if folder.is_dir() {
            format!("{path} has no file {name} or {name}.gz; it holds {}", search::listing(folder))
        } else {
            format!("there is no folder {path}")
        })
    };
    let path = search::find_readable(entry, folder, file).ok_or_else(absent)?;
    Ok(Opened { name: path.display().to_string(), bytes: Box::new(open(&path)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use crate::data::catalogue::Holds;
    use std::fs;

    fn load(text: &str) -> Result<Dataset> {
        super::load(&text.parse()?, &mut |_| {})
    }

    #[test]
    fn the_order_of_frames_belongs_to_the_data() {
        let data = load(shapes::NAME).expect("it is made at once");
        assert_eq!((data.classes.len(), data.name.as_str()), (8, shapes::NAME));
        let loose = |split: &Split| {
            let pixels = (0..split.len()).flat_map(|index| split.image(index).to_vec()).collect();
            Split::new(split.size(), pixels, split.labels().to_vec()).expect("the same images")
        };
        let others = Dataset { train: loose(&data.train), test: loose(&data.test), ..data.clone() };
        assert_ne!(digest(&data), digest(&others));
        assert_eq!(digest(&data), digest(&load(shapes::NAME).expect("again")));
    }

    fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
        let sizes = dims.iter().flat_map(|dim| dim.to_be_bytes());
        [0, 0, 8, dims.len() as u8].into_iter().chain(sizes).chain(values.iter().copied()).collect()
    }

    fn folder(labels: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (images, names) in [("train", "train-labels-idx1-ubyte"), ("t10k", "t10k-labels-idx1-ubyte")] {
            fs::write(folder.path().join(format!("{images}-images-idx3-ubyte")), idx(&[2, 1, 1], &[9, 8]))
                .expect("a file");
            fs::write(folder.path().join(names), idx(&[2], labels)).expect("a file");
        }
        folder
    }

    #[test]
    fn a_named_folder_is_read_and_its_content_digested() {
        let here = folder(&[1, 9]);
        let spec = format!("fashion-mnist:{}", here.path().display());
        let data = load(&spec).expect("a data set");
        assert_eq!((data.train.len(), data.test.labels()), (2, &[1u16, 9][..]));
        let other = folder(&[1, 8]);
        let other = load(&format!("fashion-mnist:{}", other.path().display())).expect("another data set");
        assert_ne!(digest(&data), digest(&other));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_file_it_is_wrong_with() {
        let here = folder(&[1, 10]);
        let spec = format!("fashion-mnist:{}", here.path().display());
        assert!(load(&spec).expect_err("a label too large").to_string().contains("label 10, but only 10 classes"));
        let here = folder(&[1, 9]);
        let spec = format!("fashion-mnist:{}", here.path().display());
        fs::write(here.path().join("t10k-labels-idx1-ubyte"), idx(&[3], &[0, 0, 0])).expect("a file");
        let error = load(&spec).expect_err("counts differ").to_string();
        assert!(error.contains("t10k-labels") && error.contains("2 images but 3 labels"), "{error}");
        fs::remove_file(here.path().join("t10k-labels-idx1-ubyte")).expect("it was there");
        assert!(load(&spec).expect_err("missing").to_string().contains("no file t10k-labels"));
        assert!(load("nothing").expect_err("unknown").to_string().contains("no data set `nothing`"));
    }

    #[test]
    fn a_check_finds_what_is_missing_too_short_and_altered() {
        let here = folder(&[1, 9]);
        fs::remove_file(here.path().join("t10k-labels-idx1-ubyte")).expect("it was there");
        fs::write(here.path().join("train-labels-idx1-ubyte"), vec![0; 60_008]).expect("a file");
        let verdicts = check(&catalogue::FASHION_MNIST, here.path());
        let wrong = |part, holds| {
            let file = catalogue::FASHION_MNIST.file(part, holds);
            let place = catalogue::FASHION_MNIST.files.iter().position(|other| other == file).expect("one of them");
            verdicts[place].wrong.clone().expect("something is wrong")
        };
        assert!(wrong(Part::Train, Holds::Images).contains("fewer bytes"));
        assert!(wrong(Part::Train, Holds::Labels).contains("SHA-256"));
        assert!(wrong(Part::Test, Holds::Labels).contains("missing"));
    }
}
