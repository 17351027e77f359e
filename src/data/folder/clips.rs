//! Clips of the user's own: folders of frames, or films.
//!
//! Every folder that holds images is a clip, its frames in the order of their names, with numbers by value (`f9` before `f10`);
//! every film is one too. Folders of several clips are classes. Halves are recognised by the usual names of folders. Without
//! them one clip in ten is kept for testing, chosen by a hash of its path; of a single clip it is the last tenth. Frames of one
//! clip are too similar to be in both halves.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::halves::{Halves, Side, quoted};
use super::held_out::{HELD_OUT, hash, held_by_hash};
use super::layout::{Item, counted};
use super::reader::{Images, Reader};
use super::summary::{Summary, untested};
use super::tree::Folder;
use super::{memory, video};
use crate::data::{CLIPS, Dataset, Reading, Sequence};
use crate::error::{Error, Result};

/// The name of such a data set on the command line.
pub const NAME: &str = CLIPS;

/// Frames that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clip {
    /// The folder, or the film.
    path: PathBuf,
    /// In order; none where it is a film.
    frames: Vec<PathBuf>,
    class: Option<String>,
    half: usize,
}

/// The clips below a folder.
#[derive(Default)]
struct Found {
    clips: Vec<Clip>,
    /// The classes in alphabetical order; none where clips lie in no folders of classes.
    classes: Vec<String>,
    /// The folders of the halves in words.
    names: [String; 3],
    unused: Vec<String>,
    /// True where the last tenth of each clip is for testing.
    cut: bool,
}

/// Frames of a half, and the lengths of its clips.
type Half = (Images, Vec<usize>);

/// Reads all clips below a folder, or a single film; of each frame the centre square, `side` pixels wide.
///
/// # Errors
/// When there is none that can be read, or all together do not fit into memory.
pub fn load(root: &Path, side: usize, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    let mut found = find(root)?;
    let frames = found.clips.iter().map(|clip| clip.frames.len()).sum();
    memory::check(frames, side)?;
    let mut reader = Reader::new(root, side, frames, tell);
    let mut halves: [Half; 3] = std::array::from_fn(|_| (Images::new(side), Vec::new()));
    let mut unread = 0;
    for clip in &found.clips {
        let class = clip.class.as_ref().and_then(|name| found.classes.binary_search(name).ok()).unwrap_or(0) as u16;
        let (images, lengths) = &mut halves[clip.half];
        let before = images.len();
        reader.add(clip, class, images)?;
        lengths.push(images.len() - before);
        unread += usize::from(images.len() == before);
        if found.cut {
            halves = without_last_tenth(halves);
        }
    }
    reader.report();
    leave_out_empty_classes(&mut found, &mut halves, &mut reader);
    untested(&found.classes, &halves[TEST].0.labels).into_iter().for_each(|sentence| reader.warn(sentence));
    if halves[TRAIN].1.iter().all(|&length| length < 2) {
        return Err(nothing_to_learn_from(root, &found));
    }
    let read = found.clips.len() - unread;
    let summary = Summary {
        root,
        classes: &found.classes,
        clips: Some(read),
        noun: "frame",
        counts: [&halves[0], &halves[1], &halves[2]].map(|(images, _)| images.len()),
        names: &found.names,
        held_out: if found.cut {
            "the last tenth of each clip"
        } else {
            "held out: about one clip in ten of each class"
        },
        unread: reader.unread.len(),
        unused: &found.unused,
    };
    (reader.tell)(Reading::Summary(summary.words()));
    finished(found.classes, halves, reader.depth.shift())
}

const TRAIN: usize = 0;
const VALIDATION: usize = 1;
const TEST: usize = 2;

/// Moves the last tenth of the last training clip to the test frames.
fn without_last_tenth([mut train, validation, mut test]: [Half; 3]) -> [Half; 3] {
    if let Some(length) = train.1.last_mut() {
        let tail = *length / HELD_OUT as usize;
        *length -= tail;
        train.0.move_tail(train.0.len() - tail, &mut test.0);
        test.1.push(tail);
    }
    [train, validation, test]
}

fn finished(classes: Vec<String>, mut halves: [Half; 3], shift: u32) -> Result<Dataset> {
    halves.iter_mut().for_each(|(images, _)| images.stretch(shift));
    let gray = halves.iter().all(|(images, _)| images.is_gray);
    let labelled = !classes.is_empty();
    let split = |(images, lengths): Half| images.split(gray, labelled)?.in_sequence(Sequence::of_clips(&lengths));
    let [train, validation, test] = halves;
    let validation = (labelled && validation.0.len() > 0).then(|| split(validation)).transpose()?;
    Ok(Dataset { name: NAME.into(), classes, train: split(train)?, validation, test: split(test)? })
}

/// Drops classes of which no frame could be read, and says so.
fn leave_out_empty_classes(found: &mut Found, halves: &mut [Half; 3], reader: &mut Reader) {
    let has =
        |class: usize| halves.iter().any(|(images, _)| images.labels.iter().any(|&label| usize::from(label) == class));
    let there: Vec<bool> = (0..found.classes.len()).map(has).collect();
    let lost: Vec<&String> =
        found.classes.iter().zip(&there).filter(|(_, there)| !**there).map(|(name, _)| name).collect();
    if lost.is_empty() {
        return;
    }
    reader.warn(format!("no clip of {} can be read: left out of the classes", quoted(&lost)));
    let places: Vec<u16> =
        (0..there.len()).map(|class| there[..class].iter().filter(|there| **there).count() as u16).collect();
    halves.iter_mut().for_each(|(images, _)| images.relabel(&places));
    let mut kept = there.iter();
    found.classes.retain(|_| kept.next().is_some_and(|there| *there));
}

fn nothing_to_learn_from(root: &Path, found: &Found) -> Error {
    let there = if found.unused.is_empty() { String::new() } else { format!("; it holds {}", found.unused.join(", ")) };
    Error::Data(format!(
        "{} holds no clip to learn from: a clip is a folder of at least two images in the order of their names, or a \
         film{there}",
        root.display()
    ))
}

impl Reader<'_> {
    fn add(&mut self, clip: &Clip, class: u16, images: &mut Images) -> Result<()> {
        if !clip.frames.is_empty() {
            let item = |path: &PathBuf| Item { hash: 0, path: path.clone(), class };
            self.read(&clip.frames.iter().map(item).collect::<Vec<_>>(), images);
            return Ok(());
        }
        let side = self.side;
        let before = images.len();
        let name = self.name(&clip.path);
        let film = video::frames(video::DECODER, &clip.path, side, &mut |planes| {
            images.push(&planes, class, format!("{name}#{}", images.len() - before));
            memory::check(images.len(), side)
        })?;
        match film {
            Ok(warning) => warning.into_iter().for_each(|sentence| self.warn(sentence)),
            Err(why) => {
                images.truncate(before);
                self.unread.push(format!("{} is left out: {why}", clip.path.display()));
            }
        }
        let frames = images.len() - before;
        self.done += frames;
        self.total += frames;
        (self.tell)(Reading::Files { done: self.done, total: self.total });
        Ok(())
    }
}

/// All clips below `root`, in the order of their paths, each with its class and its half.
fn find(root: &Path) -> Result<Found> {
    if root.is_file() {
        let clip = Clip { path: root.to_path_buf(), frames: Vec::new(), class: None, half: TRAIN };
        return Ok(Found { clips: vec![clip], cut: true, ..Found::default() });
    }
    if !root.is_dir() {
        return Err(Error::Data(format!("there is no folder and no film {}", root.display())));
    }
    let (tree, others) = Folder::read(root)?;
    let halves = Halves::of(&tree)?;
    let mut found = Found::default();
    if halves.is_parted() {
        for (half, side) in [&halves.train, &halves.validation, &halves.test].into_iter().enumerate() {
            found.names[half] = quoted(&side.names());
            found.add_side(side, half);
        }
        found.unused.extend(halves.unused.iter().map(|folder| format!("`{}`", folder.name)));
        if halves.test.is_empty() {
            found.clips.iter_mut().filter(|clip| clip.half == VALIDATION).for_each(|clip| clip.half = TEST);
            found.names.swap(VALIDATION, TEST);
        }
        found.name_classes();
    } else {
        found.gather(&tree, TRAIN, None);
        found.name_classes();
        found.hold_out(root);
    }
    found.clips.sort_by(|a, b| by_numbers(&a.path, &b.path));
    found.unused.extend(others.words());
    Ok(found)
}

impl Found {
    fn add_side(&mut self, side: &Side, half: usize) {
        side.folders.iter().for_each(|folder| self.gather(folder, half, None));
        side.classes.iter().for_each(|(class, folder)| self.gather(folder, half, Some(class)));
    }

    /// Adds the clips of a folder. Those of the folders in it are of the class that such a folder is named after.
    fn gather(&mut self, folder: &Folder, half: usize, class: Option<&str>) {
        let (animations, mut frames): (Vec<_>, Vec<_>) =
            folder.images.iter().cloned().partition(|image| video::is_animation(image));
        let films = folder.films.len() + animations.len();
        let class_of = |own: Option<&str>| own.map(str::to_string);
        for path in folder.films.iter().cloned().chain(animations) {
            self.clips.push(Clip { path, frames: Vec::new(), class: class_of(class), half });
        }
        frames.sort_by(|a, b| by_numbers(a, b));
        // covers and previews lie beside clips, not frames
        if !folder.folders.is_empty() || (1..=films).contains(&frames.len()) {
            if !frames.is_empty() {
                self.unused.push(format!(
                    "{} beside clips in `{}`",
                    counted(frames.len(), "image"),
                    folder.path.display()
                ));
            }
        } else if !frames.is_empty() {
            self.clips.push(Clip { path: folder.path.clone(), frames, class: class_of(class), half });
        }
        for inner in &folder.folders {
            // a folder of frames is a clip of the class around it; one of clips is a class itself
            let is_clip = inner.folders.is_empty()
                && inner.films.is_empty()
                && !inner.images.iter().any(|image| video::is_animation(image));
            self.gather(inner, half, if is_clip { class } else { Some(&inner.name) });
        }
    }

    /// Names the classes, if there are several. Clips in no class are left out if most clips have one.
    fn name_classes(&mut self) {
        let mut classes: Vec<String> = self.clips.iter().filter_map(|clip| clip.class.clone()).collect();
        classes.sort_unstable();
        classes.dedup();
        let without = self.clips.iter().filter(|clip| clip.class.is_none()).count();
        if classes.len() < 2 {
            return;
        }
        if 2 * without > self.clips.len() {
            return self.unused.push(format!("the classes of {}", counted(self.clips.len() - without, "clip")));
        }
        if without > 0 {
            self.unused.push(format!("{} in no class", counted(without, "clip")));
            self.clips.retain(|clip| clip.class.is_some());
        }
        self.classes = classes;
    }

    /// Keeps clips for testing: one in ten of each class, or the last tenth of every clip if every class has a single one.
    fn hold_out(&mut self, root: &Path) {
        let mut classes: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
        for (place, clip) in self.clips.iter().enumerate() {
            let class = clip.class.clone().filter(|_| !self.classes.is_empty());
            classes.entry(class).or_default().push(place);
        }
        self.cut = classes.values().all(|places| places.len() < 2);
        for places in classes.into_values().filter(|_| !self.cut) {
            let hashes: Vec<u64> = places.iter().map(|&place| hash(root, &self.clips[place].path)).collect();
            for (place, held) in places.into_iter().zip(held_by_hash(&hashes)) {
                self.clips[place].half = if held { TEST } else { TRAIN };
            }
        }
    }
}
/// Order by names, in which adjacent digits are compared as a number.
fn by_numbers(a: &Path, b: &Path) -> Ordering {
    let (a, b) = (a.to_string_lossy(), b.to_string_lossy());
    let key = |text: &str| {
        let mut parts: Vec<(bool, String)> = Vec::new();
        for letter in text.chars() {
            match parts.last_mut() {
                Some((digits, part)) if *digits == letter.is_ascii_digit() => part.push(letter),
                _ => parts.push((letter.is_ascii_digit(), letter.to_string())),
            }
        }
        // a number without its leading zeros: the longer one is the larger
        let number = |digits: &str| digits.trim_start_matches('0').to_string();
        parts
            .into_iter()
            .map(move |(digits, part)| if digits { (1, number(&part).len(), number(&part)) } else { (0, 0, part) })
            .collect::<Vec<_>>()
    };
    key(&a).cmp(&key(&b)).then_with(|| a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use super::super::sample::plain;
    use super::*;
    use std::fs;

    /// A folder of clips whose frames are gray, brighter from one to the next.
    fn folder(clips: &[(&str, usize)]) -> tempfile::TempDir {
        let here = tempfile::tempdir().expect("a folder");
        for (clip, frames) in clips {
            fs::create_dir_all(here.path().join(clip)).expect("a folder");
            for frame in 1..=*frames {
                let name = here.path().join(clip).join(format!("frame{frame}.png"));
                fs::write(name, plain([8, 8], [frame as u8; 3])).expect("a file");
            }
        }
        here
    }

    fn read(here: &tempfile::TempDir) -> Result<Dataset> {
        load(here.path(), 8, &mut |_| {})
    }

    fn brightness(split: &crate::data::Split) -> Vec<u8> {
        (0..split.len()).map(|index| split.image(index)[0]).collect()
    }

    #[test]
    fn frames_stay_in_order_and_within_their_clips() {
        let names: Vec<String> = (0..30).map(|number| format!("clip{number}")).collect();
        let here = folder(&names.iter().map(|name| (name.as_str(), 12)).collect::<Vec<_>>());
        let data = read(&here).expect("clips");
        assert!(data.classes.is_empty() && data.train.labels().is_empty());
        assert_eq!(data.train.len() + data.test.len(), 360);
        for split in [&data.train, &data.test] {
            assert!(!split.is_empty() && split.len().is_multiple_of(12));
            let shown = brightness(split);
            // 10 comes after 9
            assert!(shown.chunks(12).all(|clip| clip == (1..=12).collect::<Vec<u8>>()));
            let sequence = split.sequence().expect("clips");
            for at in 0..split.len() {
                let partner = sequence.partner(at);
                assert_eq!((partner / 12, partner.abs_diff(at)), (at / 12, 1));
            }
        }
    }

    #[test]
    fn folders_of_clips_are_classes() {
        let here = folder(&[("run/a", 3), ("run/b", 2), ("jump/c", 2), ("jump/d", 4), ("jump/e", 2)]);
        let data = read(&here).expect("clips");
        assert_eq!(data.classes, ["jump", "run"]);
        assert_eq!(data.train.len() + data.test.len(), 13);
        assert!(!data.test.is_empty(), "a clip is held out however few there are");
        assert_eq!(data.train.labels().len(), data.train.len());
    }

    #[test]
    fn of_a_single_clip_the_last_tenth_is_for_testing() {
        let data = read(&folder(&[("", 30)])).expect("a clip");
        assert_eq!(brightness(&data.train), (1..=27).collect::<Vec<u8>>());
        assert_eq!(brightness(&data.test), [28, 29, 30]);
        assert_eq!(data.train.sequence().expect("a clip").partner(26), 25);
    }

    #[test]
    fn what_is_no_clip_is_refused_in_words() {
        for clips in [&[("a", 1), ("b", 1)][..], &[][..]] {
            let said = read(&folder(clips)).expect_err("nothing moves").to_string();
            assert!(said.contains("holds no clip to learn from") && said.contains("or a film"), "{said}");
        }
        let said = load(Path::new("no/such/place"), 8, &mut |_| {}).expect_err("nothing").to_string();
        assert!(said.contains("no folder and no film no/such/place"), "{said}");
    }
}
