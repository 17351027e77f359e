//! Data sets as files: where they lie on this machine, whether they are whole, and how they get there.

use std::fs::{self, File as Handle};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::catalogue::{self, Entry, File, Role};
use super::{Dataset, Split, idx};
use crate::error::{Error, Result};

/// Where Debian's packages put data sets.
const SYSTEM: &str = "/usr/share/datasets";
const CHUNK: usize = 1 << 16;

/// The verdict on one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Where it lies, or should.
    pub path: PathBuf,
    /// What is wrong with it; nothing if it is whole.
    pub wrong: Option<String>,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// The file under way.
    pub name: &'static str,
    /// Unpacked bytes that are there.
    pub bytes: u64,
    /// Unpacked bytes there will be.
    pub total: u64,
}

/// Loads `NAME` from wherever it lies, or `NAME:DIR` from that folder.
///
/// # Errors
/// When there is no such data set, it is not on this machine, or a file is damaged.
pub fn load(spec: &str) -> Result<Dataset> {
    let (name, folder) =
        spec.split_once(':').map_or((spec, None), |(name, folder)| (name, Some(PathBuf::from(folder))));
    let entry = catalogue::find(name)?;
    let folder = match folder {
        Some(folder) => folder,
        None => locate(entry).ok_or_else(|| missing(entry))?,
    };
    let split = |images, labels| split(&folder, entry.file(images), entry.file(labels));
    let (train, test) = (split(Role::TrainImages, Role::TrainLabels)?, split(Role::TestImages, Role::TestLabels)?);
    if train.size() != test.size() {
        return Err(Error::Data(format!("{}: training and test images differ in size", folder.display())));
    }
    let classes: Vec<String> = entry.classes.iter().map(ToString::to_string).collect();
    if let Some(label) = train.labels().iter().chain(test.labels()).find(|&&label| usize::from(label) >= classes.len())
    {
        return Err(Error::Data(format!(
            "{}: there is a label {label}, but only {} classes",
            folder.display(),
            classes.len()
        )));
    }
    Ok(Dataset { name: entry.name.to_string(), classes, train, test })
}

/// The first of the usual folders that holds all files of a data set: `data/NAME` here, the user's data folder, the
/// system's.
pub fn locate(entry: &Entry) -> Option<PathBuf> {
    homes(entry).into_iter().find(|home| entry.files.iter().all(|file| find(home, file).is_some()))
}

/// The folder that [`fetch`] fills when none is named.
pub fn user_home(entry: &Entry) -> Option<PathBuf> {
    dirs::data_dir().map(|data| data.join("nolabel").join(entry.name))
}

/// Compares every file with the digest in the catalogue.
pub fn check(entry: &Entry, folder: &Path) -> Vec<Checked> {
    let verdict = |file: &File| match find(folder, file) {
        None => Checked { path: folder.join(file.name), wrong: Some("it is missing".to_string()) },
        Some(path) => Checked { wrong: compare(&path, file).err().map(|error| error.to_string()), path },
    };
    entry.files.iter().map(verdict).collect()
}

/// Downloads the files that are missing or damaged in `folder` from where their makers offer them.
///
/// # Errors
/// When a file cannot be had or is not what the catalogue says; what is whole is kept.
pub fn fetch(entry: &Entry, folder: &Path, tell: &mut dyn FnMut(Fetching)) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    for file in entry.files {
        if find(folder, file).is_none_or(|path| compare(&path, file).is_err()) {
            download(entry, file, folder, tell)?;
        }
    }
    Ok(())
}

/// SHA-256 of images and labels as a run sees them, whatever files they came from.
pub fn digest(data: &Dataset) -> String {
    let mut hash = Sha256::new();
    for split in [&data.train, &data.test] {
        let size = split.size();
        for number in [split.len(), size.channels, size.height, size.width] {
            hash.update((number as u64).to_le_bytes());
        }
        (0..split.len()).for_each(|index| hash.update(split.image(index)));
        hash.update(split.labels());
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

/// The file in `folder`, packed or not.
fn find(folder: &Path, file: &File) -> Option<PathBuf> {
    let packed = format!("{}.gz", file.name);
    [file.name, &packed].into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn open(path: &Path) -> Result<BufReader<Handle>> {
    Handle::open(path).map(BufReader::new).map_err(Error::file(path))
}

fn split(folder: &Path, images: &File, labels: &File) -> Result<Split> {
    let path = |file: &File| {
        find(folder, file)
            .ok_or_else(|| Error::Data(format!("{} has no file {1} or {1}.gz", folder.display(), file.name)))
    };
    let (images, labels) = (path(images)?, path(labels)?);
    let named = |error: Error| Error::Data(format!("{} with {}: {error}", images.display(), labels.display()));
    idx::split(open(&images)?, open(&labels)?).map_err(named)
}

/// Hashes what `source` unpacks to and hands the bytes on; never more than the file should hold.
fn hashed(source: impl Read, file: &File, mut each: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let mut source = idx::unpacked(source)?.take(file.bytes + 1);
    let (mut hash, mut total, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let count = source.read(&mut buffer).map_err(|error| Error::Data(format!("it is damaged ({error})")))?;
        if count == 0 {
            break;
        }
        total += count as u64;
        hash.update(&buffer[..count]);
        each(&buffer[..count], total)?;
    }
    if total != file.bytes {
        let more = if total > file.bytes { "more" } else { "fewer" };
        return Err(Error::Data(format!("it holds {more} bytes than the {} it should", file.bytes)));
    }
    let found = hex(&hash.finalize());
    if found != file.sha256 {
        return Err(Error::Data(format!("its SHA-256 is {found}, not {}", file.sha256)));
    }
    Ok(())
}

fn compare(path: &Path, file: &File) -> Result<()> {
    hashed(open(path)?, file, |_, _| Ok(()))
}

/// Streams a file to a temporary one beside its place and moves it there once its digest is right.
fn download(entry: &Entry, file: &'static File, folder: &Path, tell: &mut dyn FnMut(Fetching)) -> Result<()> {
    let address = format!("{}{}.gz", entry.official, file.name);
    let failed = |why: String| {
        Error::Data(format!("{address} could not be fetched: {why}; check the connection and run the command again"))
    };
    let response = ureq::get(&address).call().map_err(|error| failed(error.to_string()))?;
    let (target, partial) = (folder.join(file.name), folder.join(format!("{}.part", file.name)));
    let mut out = Handle::create(&partial).map_err(Error::file(&partial))?;
    let written = hashed(response.into_body().into_reader(), file, |bytes, total| {
        tell(Fetching { name: file.name, bytes: total, total: file.bytes });
        out.write_all(bytes).map_err(Error::file(&partial))
    });
    let kept = written.map_err(|error| failed(error.to_string())).and_then(|()| {
        out.sync_all().map_err(Error::file(&partial))?;
        fs::rename(&partial, &target).map_err(Error::file(&target))
    });
    if kept.is_err() {
        // the failure itself is what the user has to hear of
        let _ = fs::remove_file(&partial);
    }
    kept
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((data.train.len(), data.test.labels()), (2, &[1u8, 9][..]));
        let other = folder(&[1, 8]);
        let other = load(&format!("fashion-mnist:{}", other.path().display())).expect("another data set");
        assert_ne!(digest(&data), digest(&other));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_file_it_is_wrong_with() {
        let here = folder(&[1, 10]);
        let spec = format!("fashion-mnist:{}", here.path().display());
        assert!(load(&spec).expect_err("a label too large").to_string().contains("label 10, but only 10 classes"));
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
        let wrong = |role| {
            let place = catalogue::FASHION_MNIST.files.iter().position(|file| file.role == role).expect("a role");
            verdicts[place].wrong.clone().expect("something is wrong")
        };
        assert!(wrong(Role::TrainImages).contains("fewer bytes"));
        assert!(wrong(Role::TrainLabels).contains("SHA-256"));
        assert!(wrong(Role::TestLabels).contains("missing"));
    }
}
