//! Images of the user's own in tar files, the shards of WebDataset: files of one key, the name up to its first dot, belong
//! together. An image may have its class beside it, in `KEY.cls` or as `label`, `cls` or `class` in `KEY.json`.
//!
//! Shards named after a half (`train-000000.tar`, `val-000000.tar`) are of that half. Without a half to test on, one image in ten
//! is held out, chosen by a hash of its shard and key.

mod index;
mod members;
mod pattern;

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::layout::counted;
use super::limits::{MAX_BYTES, Wrong};
use super::names::{self, Half};
use super::reader::{ImageFile, Images, Reader};
use super::summary::{Summary, untested};
use super::{content, decode, memory};
use crate::data::{Dataset, Reading};
use crate::error::{Error, Result};
use index::{Label, Sample, Shard};

/// The name of such a data set on the command line.
pub const NAME: &str = "shards";
/// The manner in which images are held out.
const HELD_OUT: &str = "held out: about one in ten of each class, by a hash of shard and key";

/// The shards of the halves.
#[derive(Default)]
struct Halves {
    train: Vec<Shard>,
    validation: Vec<Shard>,
    test: Vec<Shard>,
    unused: Vec<String>,
}

/// Reads all images of the shards that a pattern stands for; the centre square of each, `side` pixels wide. Images are gray if all
/// are.
///
/// # Errors
/// When a shard is missing, there is no image that can be read, or all together do not fit into memory.
pub fn load(pattern: &Path, side: usize, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    let mut halves = Halves::of(pattern)?;
    let total = halves.all().map(|shard| shard.samples.len()).sum();
    memory::check(total, side)?;
    let folder = if pattern.is_dir() { pattern } else { pattern.parent().unwrap_or(pattern) };
    let mut reader = Reader::new(folder, side, total, tell);
    halves.faults().for_each(|fault| reader.unread.push(fault));
    let classes = halves.classes()?;
    let read = |shards: &[Shard], reader: &mut Reader| {
        let mut images = Images::new(side);
        shards.iter().for_each(|shard| reader.read_shard(shard, &classes, &mut images));
        images
    };
    let mut train = read(&halves.train, &mut reader);
    let mut validation = read(&halves.validation, &mut reader);
    let mut test = read(&halves.test, &mut reader);
    if halves.test.is_empty() {
        train.move_some(&train.held_out(), &mut test);
    }
    reader.report();
    if train.len() == 0 {
        return Err(nothing_to_learn_from(pattern));
    }
    let labelled = !classes.is_empty();
    let classes: Vec<String> = classes.iter().map(Label::words).collect();
    untested(&classes, &test.labels).into_iter().for_each(|sentence| reader.warn(sentence));
    let names = [&halves.train, &halves.validation, &halves.test].map(|shards| match shards.len() {
        0 => String::new(),
        count => counted(count, "shard"),
    });
    let unread = reader.unread.len();
    let summary = Summary {
        root: pattern,
        classes: &classes,
        clips: None,
        noun: "image",
        counts: [train.len(), validation.len(), test.len()],
        names: &names,
        held_out: HELD_OUT,
        unread,
        unused: &halves.unused,
    };
    (reader.tell)(Reading::Summary(summary.words()));
    let shift = reader.depth.shift();
    [&mut train, &mut validation, &mut test].into_iter().for_each(|images| images.stretch(shift));
    let gray = [&train, &validation, &test].iter().all(|images| images.is_gray);
    let validation = (labelled && validation.len() > 0).then(|| validation.split(gray, labelled)).transpose()?;
    let (train, test) = (train.split(gray, labelled)?, test.split(gray, labelled)?);
    Ok(Dataset { name: NAME.into(), classes, train, validation, test })
}

fn nothing_to_learn_from(pattern: &Path) -> Error {
    let formats = content::FORMATS;
    Error::Data(format!(
        "{} holds no image to learn from; shards are tar files of {formats} files, each with its class in a file of the same \
         name and the ending .cls",
        pattern.display()
    ))
}

impl Halves {
    fn of(pattern: &Path) -> Result<Self> {
        let paths = pattern::shards(pattern)?;
        let shards: Vec<Shard> = paths.par_iter().map(|path| index::index(path)).collect();
        let mut halves = Self::default();
        let (mut validation, mut evaluation, mut unnamed) = (Vec::new(), Vec::new(), Vec::new());
        for shard in shards {
            let name = shard.path.file_name().unwrap_or_default().to_string_lossy();
            let stem = name.split('.').next().unwrap_or_default();
            let half = match names::half(stem).map(|(half, _)| half) {
                Some(Half::Train) => &mut halves.train,
                Some(Half::Validation) => &mut validation,
                Some(Half::Test) => &mut halves.test,
                Some(Half::Evaluation) => &mut evaluation,
                None => &mut unnamed,
            };
            half.push(shard);
        }
        let is_parted =
            !(halves.train.is_empty() && validation.is_empty() && halves.test.is_empty() && evaluation.is_empty());
        if !is_parted {
            halves.train = unnamed;
        } else if halves.train.is_empty() {
            return Err(Error::Data(format!(
                "{} has shards to test on and none to learn from; add those, named like train-000000.tar",
                pattern.display()
            )));
        } else if !unnamed.is_empty() {
            halves.unused.push(format!("{} named after no half", counted(unnamed.len(), "shard")));
        }
        // as with folders, one half beside the training half is the one to test on
        for half in [evaluation, validation] {
            let place = if halves.test.is_empty() { &mut halves.test } else { &mut halves.validation };
            place.extend(half);
        }
        halves.leave_out_unlabelled();
        halves.count_others();
        Ok(halves)
    }

    fn all(&self) -> impl Iterator<Item = &Shard> {
        self.train.iter().chain(&self.validation).chain(&self.test)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.train.iter_mut().chain(&mut self.validation).chain(&mut self.test)
    }

    fn faults(&self) -> impl Iterator<Item = String> {
        self.all().flat_map(|shard| &shard.faults).cloned()
    }

    /// Images without a label are left out if most of those to learn from have one. Otherwise no label counts.
    fn leave_out_unlabelled(&mut self) {
        let samples: Vec<&Sample> = self.train.iter().flat_map(|shard| &shard.samples).collect();
        let labelled = samples.iter().filter(|sample| sample.label.is_some()).count();
        let keep_labels = 2 * labelled > samples.len();
        let mut count = 0;
        for shard in self.all_mut() {
            if keep_labels {
                let before = shard.samples.len();
                shard.samples.retain(|sample| sample.label.is_some());
                count += before - shard.samples.len();
            } else {
                count += shard.samples.iter_mut().filter_map(|sample| sample.label.take()).count();
            }
        }
        match (count, keep_labels) {
            (0, _) => {}
            (_, true) => self.unused.push(format!("{} without a label", counted(count, "image"))),
            (_, false) => self.unused.push(format!("the labels of {}", counted(count, "image"))),
        }
    }

    fn count_others(&mut self) {
        let sum = |of: fn(&Shard) -> usize| self.all().map(of).sum::<usize>();
        let counts = [
            (sum(|shard| shard.labels_alone), "label", " without an image"),
            (sum(|shard| shard.others), "other file", ""),
        ];
        for (count, noun, rest) in counts {
            if count > 0 {
                self.unused.push(format!("{}{rest}", counted(count, noun)));
            }
        }
    }

    /// The classes to learn from in order: numbers by value, then names. A single one tells nothing apart.
    fn classes(&mut self) -> Result<Vec<Label>> {
        let of = |shards: &[Shard]| -> BTreeSet<Label> {
            shards.iter().flat_map(|shard| &shard.samples).filter_map(|sample| sample.label.clone()).collect()
        };
        let classes = of(&self.train);
        if classes.len() < 2 {
            return Ok(Vec::new());
        }
        if classes.len() > usize::from(u16::MAX) + 1 {
            return Err(Error::Data(format!(
                "the shards have {} classes, and at most 65,536 are told apart",
                classes.len()
            )));
        }
        let unknown: Vec<Label> = [&self.validation, &self.test]
            .into_iter()
            .flat_map(|half| of(half))
            .filter(|label| !classes.contains(label))
            .collect();
        match unknown.first() {
            None => Ok(classes.into_iter().collect()),
            Some(label) => Err(Error::Data(format!(
                "there are images to test on of class {}, but none to learn from",
                label.words()
            ))),
        }
    }
}

impl Reader<'_> {
    /// Adds the images of a shard, each with the place of its label among `classes`.
    fn read_shard(&mut self, shard: &Shard, classes: &[Label], images: &mut Images) {
        let mut samples = shard.samples.iter().peekable();
        let mut round = Vec::new();
        let walked = members::walk(&shard.path, &mut |member| {
            let Some(sample) = samples.next_if(|sample| sample.place == member.place) else { return Ok(()) };
            let class = sample.label.as_ref().and_then(|label| classes.binary_search(label).ok()).unwrap_or(0) as u16;
            round.push(ImageFile { name: shard.name(sample), class, content: bytes(member) });
            if round.len() >= Self::round() {
                self.decode(&mut round, images);
            }
            Ok(())
        });
        self.decode(&mut round, images);
        // the index has named the damage already, unless the file changed since
        let left = samples.count();
        if let (Err(error), true) = (walked, left > 0 && shard.faults.is_empty()) {
            self.unread.push(format!("{} lost its last {}: {error}", shard.path.display(), counted(left, "image")));
        }
    }

    /// Decodes files that were read, and adds them in their order.
    fn decode(&mut self, round: &mut Vec<ImageFile<Vec<u8>>>, images: &mut Images) {
        let side = self.side;
        let decoded = std::mem::take(round).into_par_iter().map(|file| ImageFile {
            content: file.content.and_then(|bytes| decode::square_of(Path::new(&file.name), &bytes, side)),
            name: file.name,
            class: file.class,
        });
        let decoded: Vec<_> = decoded.collect();
        self.add_round(decoded, images);
    }
}

/// The content of a member.
fn bytes(member: members::Member<'_>) -> Result<Vec<u8>, Wrong> {
    if member.size > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let mut bytes = Vec::new();
    member.content.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 != member.size {
        return Err(format!("it is cut short: {} of {} bytes are there", bytes.len(), member.size));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::sample::plain;
    use super::*;
    use std::fs;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, EntryType, Header};

    fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_entry_type(EntryType::Regular);
            builder.append_data(&mut header, name, content.as_slice()).expect("memory");
        }
        builder.into_inner().expect("memory")
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut packed, bytes).expect("memory");
        packed.finish().expect("memory")
    }

    fn gray(value: u8) -> Vec<u8> {
        plain([8, 8], [value; 3])
    }

    fn folder(shards: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let here = tempfile::tempdir().expect("a folder");
        shards.iter().for_each(|(name, bytes)| fs::write(here.path().join(name), bytes).expect("a file"));
        here
    }

    fn told(pattern: &Path) -> (Result<Dataset>, Vec<String>) {
        let mut said = Vec::new();
        let read = load(pattern, 8, &mut |news| match news {
            Reading::Warning(text) | Reading::Summary(text) => said.push(text),
            Reading::Files { .. } => {}
        });
        (read, said)
    }

    fn shown(split: &crate::data::Split) -> Vec<(u8, u16)> {
        let label = |index: usize| split.labels().get(index).copied().unwrap_or(0);
        (0..split.len()).map(|index| (split.image(index)[0], label(index))).collect()
    }

    #[test]
    fn halves_classes_and_packed_shards_are_read() {
        let cls = |class: &str| class.as_bytes().to_vec();
        let train = tar(&[
            ("a/1.png", gray(1)),
            ("a/1.cls", cls("10\n")),
            ("a/2.x.png", gray(99)),
            ("a/2.json", br#"{"label": 2, "caption": "two"}"#.to_vec()),
            ("a/2.jpg", gray(2)),
            ("._a.png", gray(98)),
        ]);
        let more = gzip(&tar(&[("b.png", gray(3)), ("b.json", br#"{"cls": "2"}"#.to_vec()), ("b.txt", cls("words"))]));
        let val = tar(&[("v.cls", cls("10")), ("v.png", gray(4))]);
        let here = folder(&[("train-000.tar", train), ("train-001.tar.gz", more), ("val-0.tar", val)]);
        let (data, said) = told(here.path());
        let data = data.expect("shards");
        assert_eq!((data.name.as_str(), data.classes.as_slice()), (NAME, ["2", "10"].map(String::from).as_slice()));
        assert_eq!(shown(&data.train), [(1, 1), (2, 0), (3, 0)], "a name like 2.x.png is no image of the key 2");
        assert_eq!((shown(&data.test), data.validation), (vec![(4, 1)], None));
        assert_eq!(data.train.files(), ["train-000.tar/a/1.png", "train-000.tar/a/2.jpg", "train-001.tar.gz/b.png"]);
        let line = said.last().expect("a line");
        assert!(line.contains("3 images to learn from (2 shards), 1 to test on (1 shard)"), "{line}");
        assert!(line.contains("not used: 2 other files"), "{line}");
        assert!(
            said[..said.len() - 1].iter().all(|warning| warning.contains("no test image of class `2`")),
            "{said:?}"
        );
    }

    #[test]
    fn without_halves_and_labels_one_in_ten_is_held_out() {
        let names: Vec<String> = (0..50).map(|number| format!("{number:05}.png")).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), gray(7))).collect();
        let here = folder(&[("part-{0}.tar", tar(&files)), ("part-1.tar", tar(&files))]);
        let data = told(here.path()).0.expect("shards");
        assert!(data.classes.is_empty() && data.train.labels().is_empty());
        assert_eq!(data.train.len() + data.test.len(), 100);
        assert!((2..30).contains(&data.test.len()), "{}", data.test.len());
        let one = told(&here.path().join("part-{1..1}.tar")).0.expect("a shard");
        assert_eq!(one.train.len() + one.test.len(), 50);
    }

    #[test]
    fn samples_that_lack_a_part_are_counted() {
        let cls = |class: &str| class.as_bytes().to_vec();
        let files = [
            ("1.png", gray(1)),
            ("1.cls", cls("a")),
            ("2.png", gray(2)),
            ("3.cls", cls("b")),
            ("4.png", gray(4)),
            ("4.cls", cls("b")),
            ("1.png", gray(5)),
            ("6.png", b"\x89PNG\r\n\x1a\n".to_vec()),
            ("6.cls", cls("a")),
            ("7.png", gray(7)),
            ("7.cls", cls("a")),
            ("8.nef", gray(8)),
            ("8.cls", cls("a")),
        ];
        let here =
            folder(&[("train.tar", tar(&files)), ("test.tar", tar(&files[..2])), ("spare.tar", tar(&files[..2]))]);
        let (data, said) = told(here.path());
        let data = data.expect("shards");
        assert_eq!(shown(&data.train), [(1, 0), (4, 1), (7, 0)], "the others keep their order");
        let all = said.join("\n");
        for words in [
            "a second image of the key 1 is left out",
            "train.tar/6.png is left out: ",
            "train.tar/8.nef is left out: it is of the format camera raw",
            "1 image without a label",
            "1 label without an image",
            "1 shard named after no half",
            "no test image of class `b`",
        ] {
            assert!(all.contains(words), "no `{words}` in\n{all}");
        }
    }

    #[test]
    fn a_damaged_shard_counts_up_to_its_damage() {
        let whole = tar(&[("1.png", gray(1)), ("2.png", gray(2)), ("3.png", gray(3))]);
        // each of the three has a head and a block of content
        let cut = &whole[..5 * 512 + 20];
        let packed = gzip(&whole);
        let mut huge = whole.clone();
        let size = 2 * 1024 + 124;
        huge[size..size + 11].copy_from_slice(b"77777777777");
        let mut header = Header::from_byte_slice(&huge[2048..2560]).clone();
        header.set_cksum();
        huge[2048..2560].copy_from_slice(header.as_bytes());
        for (name, bytes) in
            [("cut.tar", cut.to_vec()), ("cut.tgz", packed[..packed.len() / 2].to_vec()), ("huge.tar", huge)]
        {
            let here = folder(&[(name, bytes), ("whole.tar", whole.clone())]);
            let (data, said) = told(here.path());
            let data = data.expect("what is whole");
            let count = data.train.len() + data.test.len();
            assert!((3..6).contains(&count), "{name}: {count} images");
            assert!(said[0].contains(&format!("{name} is damaged or cut short")), "{said:?}");
        }
        let here = folder(&[("no.tar", b"nothing of the kind".repeat(99))]);
        let (refused, said) = told(here.path());
        assert!(refused.expect_err("no image").to_string().contains("no image to learn from"));
        assert!(said[0].contains("no.tar is damaged"), "{said:?}");
        let here = folder(&[("val.tar", whole)]);
        let refused = told(here.path()).0.expect_err("no training half").to_string();
        assert!(refused.contains("none to learn from"), "{refused}");
    }
}
