//! The data sets that are known by name.

use super::Size;
use crate::error::{Error, Result};

/// What is known of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name on the command line and in links.
    pub name: &'static str,
    /// The name among people.
    pub title: &'static str,
    /// The size of its images.
    pub size: Size,
    /// What the labels mean.
    pub classes: &'static [&'static str],
    /// Its files.
    pub files: &'static [File],
    /// Where its makers offer the files.
    pub official: &'static str,
    /// The licence its makers give.
    pub licence: &'static str,
}

/// One file of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// What it holds.
    pub role: Role,
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// SHA-256 of the unpacked bytes: packers differ, contents must not.
    pub sha256: &'static str,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Images to learn from.
    TrainImages,
    /// Their labels.
    TrainLabels,
    /// Images to test on.
    TestImages,
    /// Their labels.
    TestLabels,
}

impl Entry {
    /// The file of this role.
    pub fn file(&self, role: Role) -> &'static File {
        self.files.iter().find(|file| file.role == role).expect("every data set has a file of each role")
    }
}

/// Digests as `sha256sum` writes them, one list a data set: scripts that fetch data check against the same lists.
const FASHION_MNIST_DIGESTS: &str = include_str!("fashion-mnist.sha256");

/// The digest in line `line` (from 0) of such a list.
const fn digest(list: &'static str, line: usize) -> &'static str {
    let bytes = list.as_bytes();
    let (mut start, mut passed) = (0, 0);
    while passed < line {
        if bytes[start] == b'\n' {
            passed += 1;
        }
        start += 1;
    }
    list.split_at(start).1.split_at(64).0
}

/// Every data set.
pub const CATALOGUE: &[&Entry] = &[&FASHION_MNIST];

/// Ten kinds of clothing, 60,000 and 10,000 gray images of 28x28 pixels (Xiao, Rasul and Vollgraf 2017).
pub const FASHION_MNIST: Entry = Entry {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    size: Size { channels: 1, height: 28, width: 28 },
    classes: &["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
    files: &[
        File {
            role: Role::TrainImages,
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: digest(FASHION_MNIST_DIGESTS, 0),
        },
        File {
            role: Role::TrainLabels,
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: digest(FASHION_MNIST_DIGESTS, 1),
        },
        File {
            role: Role::TestImages,
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: digest(FASHION_MNIST_DIGESTS, 2),
        },
        File {
            role: Role::TestLabels,
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: digest(FASHION_MNIST_DIGESTS, 3),
        },
    ],
    official: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    licence: "MIT",
};

/// The data set of this name.
///
/// # Errors
/// When there is none; the sentence lists those there are.
pub fn find(name: &str) -> Result<&'static Entry> {
    CATALOGUE.iter().copied().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
        Error::Config(format!("there is no data set `{name}`; there are: {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_found_by_its_name() {
        for entry in CATALOGUE {
            assert_eq!(find(entry.name).expect("a data set"), *entry);
        }
        assert!(find("fashion").expect_err("no such name").to_string().contains("fashion-mnist"));
    }
    #[test]
    fn every_digest_stands_beside_the_name_of_its_file() {
        let lines: Vec<String> =
            FASHION_MNIST.files.iter().map(|file| format!("{}  {}", file.sha256, file.name)).collect();
        assert_eq!(lines, FASHION_MNIST_DIGESTS.lines().collect::<Vec<_>>());
    }
}
