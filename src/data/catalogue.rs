//! The data sets that are known by name.

use super::Size;
use crate::error::{Error, Result};

/// The facts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name on the command line and in links.
    pub name: &'static str,
    /// The title as its authors write it.
    pub title: &'static str,
    /// The size of its images.
    pub size: Size,
    /// The meaning of the labels.
    pub classes: &'static [&'static str],
    /// The format of its files.
    pub format: Format,
    /// Its files, in the order in which they are read.
    pub files: &'static [File],
    /// The address under which its makers offer the files.
    pub official: &'static str,
    /// The archive there that holds all files; without one each file is compressed by itself.
    pub archive: Option<&'static str>,
    /// The licence its makers give.
    pub licence: &'static str,
}

/// One file of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// The purpose of its images.
    pub part: Part,
    /// Its content.
    pub holds: Holds,
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// SHA-256 of the unpacked bytes, because copies may be compressed in different ways.
    pub sha256: &'static str,
}

/// The format of a data set's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Images in one file, their labels in another: [`super::format::idx`].
    Idx,
    /// Records of an image with its labels: [`super::format::cifar`].
    Cifar {
        /// Bytes before the pixels; the last of them is the class.
        label_bytes: usize,
    },
}

/// The purpose of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Train,
    /// To test on.
    Test,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Images alone.
    Images,
    /// The labels of images in another file.
    Labels,
    /// Images, each with its label.
    Both,
}

impl Entry {
    /// The first file of this split with this content.
    pub fn file(&self, part: Part, holds: Holds) -> &'static File {
        let mut files = self.files.iter();
        files.find(|file| file.part == part && file.holds == holds).expect("a format is asked only for what it has")
    }
}

/// Digests as `sha256sum` writes them, one list per data set. Scripts that fetch data check against the same lists.
const FASHION_MNIST_DIGESTS: &str = include_str!("fashion-mnist.sha256");
const MNIST_DIGESTS: &str = include_str!("mnist.sha256");
const CIFAR_10_DIGESTS: &str = include_str!("cifar-10.sha256");
const CIFAR_100_DIGESTS: &str = include_str!("cifar-100.sha256");

/// One line per data set, in the order of [`CATALOGUE`]: its name, the address under which its makers offer the files, and the
/// archive there that holds all of them, or a dash. Scripts that fetch data read the same lines.
const SOURCES: &str = include_str!("sources.txt");

/// The text before the first `end`, and after it.
const fn cut(text: &'static str, end: u8) -> (&'static str, &'static str) {
    let bytes = text.as_bytes();
    let mut place = 0;
    while place < bytes.len() && bytes[place] != end {
        place += 1;
    }
    let (before, rest) = text.split_at(place);
    (before, if rest.is_empty() { rest } else { rest.split_at(1).1 })
}

/// Line `number` (from 0) of a text.
const fn line(text: &'static str, number: usize) -> &'static str {
    let (mut found, mut rest) = cut(text, b'\n');
    let mut passed = 0;
    while passed < number {
        (found, rest) = cut(rest, b'\n');
        passed += 1;
    }
    found
}

/// The digest in line `number` of a list.
const fn digest(list: &'static str, number: usize) -> &'static str {
    cut(line(list, number), b' ').0
}

/// The address in line `number` of [`SOURCES`].
const fn address(number: usize) -> &'static str {
    cut(cut(line(SOURCES, number), b' ').1, b' ').0
}

/// The archive in line `number` of [`SOURCES`].
const fn archive(number: usize) -> Option<&'static str> {
    let name = cut(cut(line(SOURCES, number), b' ').1, b' ').1;
    if name.as_bytes()[0] == b'-' { None } else { Some(name) }
}

/// The four files of MNIST and of Fashion-MNIST, which was made to replace it.
const fn idx_files(list: &'static str) -> [File; 4] {
    use {Holds::*, Part::*};
    [
        File {
            part: Train,
            holds: Images,
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: digest(list, 0),
        },
        File { part: Train, holds: Labels, name: "train-labels-idx1-ubyte", bytes: 60_008, sha256: digest(list, 1) },
        File { part: Test, holds: Images, name: "t10k-images-idx3-ubyte", bytes: 7_840_016, sha256: digest(list, 2) },
        File { part: Test, holds: Labels, name: "t10k-labels-idx1-ubyte", bytes: 10_008, sha256: digest(list, 3) },
    ]
}

/// A file of CIFAR: `bytes` of records.
const fn records(part: Part, name: &'static str, bytes: u64, sha256: &'static str) -> File {
    File { part, holds: Holds::Both, name, bytes, sha256 }
}

/// Ten thousand records of a label byte and an image.
const BATCH: u64 = 10_000 * (1 + 3072);
/// The same with two label bytes.
const FINE_BATCH: u64 = 10_000 * (2 + 3072);

const DIGIT_SIZE: Size = Size { channels: 1, height: 28, width: 28 };
const CIFAR_SIZE: Size = Size { channels: 3, height: 32, width: 32 };

/// Every data set.
pub const CATALOGUE: &[&Entry] = &[&FASHION_MNIST, &MNIST, &CIFAR_10, &CIFAR_100];

/// Ten kinds of clothing, 60,000 and 10,000 gray images of 28x28 pixels (Xiao, Rasul and Vollgraf 2017).
pub const FASHION_MNIST: Entry = Entry {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    size: DIGIT_SIZE,
    classes: &["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
    format: Format::Idx,
    files: &idx_files(FASHION_MNIST_DIGESTS),
    official: address(0),
    archive: archive(0),
    licence: "MIT",
};

/// Handwritten digits, 60,000 and 10,000 gray images of 28x28 pixels (LeCun, Cortes and Burges 1998). The makers' own
/// server no longer offers the files; torchvision's copy takes its place.
pub const MNIST: Entry = Entry {
    name: "mnist",
    title: "MNIST",
    size: DIGIT_SIZE,
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    format: Format::Idx,
    files: &idx_files(MNIST_DIGESTS),
    official: address(1),
    archive: archive(1),
    licence: "CC BY-SA 3.0",
};

/// Ten classes of animals and vehicles, 50,000 and 10,000 colour images of 32x32 pixels (Krizhevsky 2009).
pub const CIFAR_10: Entry = Entry {
    name: "cifar-10",
    title: "CIFAR-10",
    size: CIFAR_SIZE,
    classes: &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    format: Format::Cifar { label_bytes: 1 },
    files: &[
        records(Part::Train, "data_batch_1.bin", BATCH, digest(CIFAR_10_DIGESTS, 0)),
        records(Part::Train, "data_batch_2.bin", BATCH, digest(CIFAR_10_DIGESTS, 1)),
        records(Part::Train, "data_batch_3.bin", BATCH, digest(CIFAR_10_DIGESTS, 2)),
        records(Part::Train, "data_batch_4.bin", BATCH, digest(CIFAR_10_DIGESTS, 3)),
        records(Part::Train, "data_batch_5.bin", BATCH, digest(CIFAR_10_DIGESTS, 4)),
        records(Part::Test, "test_batch.bin", BATCH, digest(CIFAR_10_DIGESTS, 5)),
    ],
    official: address(2),
    archive: archive(2),
    licence: "none stated",
};

/// A hundred classes of things, 50,000 and 10,000 colour images of 32x32 pixels (Krizhevsky 2009). The classes are the fine
/// ones.
#[rustfmt::skip]
pub const CIFAR_100: Entry = Entry {
    name: "cifar-100",
    title: "CIFAR-100",
    size: CIFAR_SIZE,
    classes: &[
        "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
        "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
        "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
        "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn mower", "leopard", "lion",
        "lizard", "lobster", "man", "maple tree", "motorcycle", "mountain", "mouse", "mushroom", "oak tree", "orange",
        "orchid", "otter", "palm tree", "pear", "pickup truck", "pine tree", "plain", "plate", "poppy", "porcupine",
        "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
        "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
        "willow tree", "wolf", "woman", "worm",
    ],
    format: Format::Cifar { label_bytes: 2 },
    files: &[
        records(Part::Train, "train.bin", 5 * FINE_BATCH, digest(CIFAR_100_DIGESTS, 0)),
        records(Part::Test, "test.bin", FINE_BATCH, digest(CIFAR_100_DIGESTS, 1)),
    ],
    official: address(3),
    archive: archive(3),
    licence: "none stated",
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
        let lists = [FASHION_MNIST_DIGESTS, MNIST_DIGESTS, CIFAR_10_DIGESTS, CIFAR_100_DIGESTS];
        assert_eq!(lists.len(), CATALOGUE.len());
        for (entry, list) in CATALOGUE.iter().zip(lists) {
            let lines: Vec<String> = entry.files.iter().map(|file| format!("{}  {}", file.sha256, file.name)).collect();
            assert_eq!(lines, list.lines().collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_source_stands_beside_the_name_of_its_data_set() {
        let lines: Vec<String> = CATALOGUE
            .iter()
            .map(|entry| format!("{} {} {}", entry.name, entry.official, entry.archive.unwrap_or("-")))
            .collect();
        assert_eq!(lines, SOURCES.lines().collect::<Vec<_>>());
        assert!(lines.iter().all(|line| line.contains(" http") && line.contains("/ ")), "{lines:?}");
    }

    #[test]
    fn sizes_and_lengths_agree() {
        for entry in CATALOGUE {
            let images = |part| {
                let files = entry.files.iter().filter(|file| file.part == part && file.holds != Holds::Labels);
                let bytes: u64 = files.map(|file| file.bytes).sum();
                match entry.format {
                    Format::Idx => (bytes - 16) as usize / entry.size.bytes(),
                    Format::Cifar { label_bytes } => bytes as usize / (label_bytes + entry.size.bytes()),
                }
            };
            let all = images(Part::Train) + images(Part::Test);
            assert_eq!((all, images(Part::Test)), (70_000 - 10_000 * usize::from(entry.size == CIFAR_SIZE), 10_000));
        }
        assert_eq!(CIFAR_100.classes.len(), 100);
    }
}
