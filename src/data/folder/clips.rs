//! Clips of the user's own: folders of frames, or video files.
//!
//! Every folder that holds files is a clip, its files the frames in the order of their names, numbers counted (`f9` before
//! `f10`); every video file is one too. Where each clip lies in a folder among others that hold clips, these are classes. One
//! clip in ten is kept for testing, chosen by a hash of its path; of a single one the last tenth is. Frames of one clip are
//! too much alike to be on both sides.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::super::store::Reading;
use super::layout::{HELD_OUT, Item, entries, hash};
use super::{Images, Reader, memory, video};
use crate::data::{CLIPS, Dataset, Sequence};
use crate::error::{Error, Result};

/// What such a data set is called on the command line.
pub const NAME: &str = CLIPS;
/// Folders within one another that are looked into.
const DEPTH: usize = 8;

/// Frames that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clip {
    /// The folder, or the video.
    path: PathBuf,
    /// In order; none where it is a video.
    frames: Vec<PathBuf>,
}

/// Reads all clips below a folder, or a single video; of each frame the centre square, `side` pixels wide.
///
/// # Errors
/// When there is none that can be read, or all together do not fit into memory.
pub fn load(root: &Path, side: usize, tell: &mut dyn FnMut(Reading)) -> Result<Dataset> {
    let clips = find(root)?;
    let frames = clips.iter().map(|clip| clip.frames.len()).sum();
    memory::check(frames, side)?;
    let names = classes(root, &clips);
    let mut reader = Reader { side, done: 0, total: frames, unread: Vec::new(), tell };
    let mut splits = [(Images::new(side), Vec::new()), (Images::new(side), Vec::new())];
    let (single, mut held) = (clips.len() == 1, held_out(root, &clips).into_iter());
    for clip in clips {
        let class = class_of(root, &clip.path).and_then(|name| names.binary_search(&name).ok()).unwrap_or(0) as u16;
        let (images, lengths) = &mut splits[usize::from(held.next().unwrap_or(false))];
        let before = images.len();
        reader.add(&clip, class, images)?;
        lengths.push(images.len() - before);
    }
    reader.warn();
    if single {
        splits = halves(splits);
    }
    finished(root, names, splits)
}

type Half = (Images, Vec<usize>);

/// Of a single clip the last tenth is for testing.
fn halves([(mut train, _), _]: [Half; 2]) -> [Half; 2] {
    let test = train.split_off(train.len() - train.len() / HELD_OUT as usize);
    let lengths = [train.len(), test.len()];
    [(train, vec![lengths[0]]), (test, vec![lengths[1]])]
}

fn finished(root: &Path, classes: Vec<String>, [(train, first), (test, second)]: [Half; 2]) -> Result<Dataset> {
    if first.iter().all(|&length| length < 2) {
        return Err(Error::Data(format!(
            "{} holds no clip to learn from: a clip is a folder of at least two PNG or JPEG files in the order of their names, \
             or a video",
            root.display()
        )));
    }
    let (gray, labelled) = (train.is_gray && test.is_gray, !classes.is_empty());
    let split =
        |images: Images, lengths: &[usize]| images.split(gray, labelled)?.in_sequence(Sequence::of_clips(lengths));
    Ok(Dataset { name: NAME.into(), classes, train: split(train, &first)?, test: split(test, &second)? })
}

impl Reader<'_> {
    fn add(&mut self, clip: &Clip, class: u16, images: &mut Images) -> Result<()> {
        if !clip.frames.is_empty() {
            let item = |path: &PathBuf| Item { hash: 0, path: path.clone(), class };
            self.read(&clip.frames.iter().map(item).collect::<Vec<_>>(), images);
            return Ok(());
        }
        let side = self.side;
        let frames = video::frames(video::DECODER, &clip.path, side, &mut |planes| {
            images.push(planes, class);
            memory::check(images.len(), side)
        })?;
        self.done += frames;
        self.total += frames;
        (self.tell)(Reading::Files { done: self.done, total: self.total });
        Ok(())
    }
}

/// All clips below `root`, in the order of their paths.
fn find(root: &Path) -> Result<Vec<Clip>> {
    if root.is_file() && video::is_one(root) {
        return Ok(vec![Clip { path: root.to_path_buf(), frames: Vec::new() }]);
    }
    if !root.is_dir() {
        return Err(Error::Data(format!("there is no folder and no video {}", root.display())));
    }
    let mut clips = Vec::new();
    gather(root, DEPTH, &mut clips)?;
    clips.sort_by(|a, b| by_numbers(&a.path, &b.path));
    Ok(clips)
}

fn gather(folder: &Path, depth: usize, clips: &mut Vec<Clip>) -> Result<()> {
    let (mut frames, mut below) = (Vec::new(), Vec::new());
    for (_, path, is_folder) in entries(folder)? {
        if is_folder {
            below.push(path);
        } else if video::is_one(&path) {
            clips.push(Clip { path, frames: Vec::new() });
        } else {
            frames.push(path);
        }
    }
    frames.sort_by(|a, b| by_numbers(a, b));
    clips.extend((!frames.is_empty()).then(|| Clip { path: folder.to_path_buf(), frames }));
    if depth > 1 {
        below.iter().try_for_each(|folder| gather(folder, depth - 1, clips))?;
    }
    Ok(())
}

/// The folder that a clip lies in, if that is not the whole: its class, if it has any.
fn class_of(root: &Path, path: &Path) -> Option<String> {
    let inside: Vec<_> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_string_lossy()).collect();
    let [.., class, _] = inside.as_slice() else { return None };
    Some(class.to_string())
}

/// The classes in alphabetical order; none where some clip has none or all have the same.
fn classes(root: &Path, clips: &[Clip]) -> Vec<String> {
    let found: Option<Vec<String>> = clips.iter().map(|clip| class_of(root, &clip.path)).collect();
    let mut found = found.unwrap_or_default();
    found.sort_unstable();
    found.dedup();
    if found.len() > 1 { found } else { Vec::new() }
}

/// Which clips are kept for testing: one in ten, and where chance would have it that none or all are, the one with the
/// largest hash alone. A single one is not kept whole.
fn held_out(root: &Path, clips: &[Clip]) -> Vec<bool> {
    let hashes: Vec<u64> = clips.iter().map(|clip| hash(root, &clip.path)).collect();
    let mut held: Vec<bool> = hashes.iter().map(|hash| hash.is_multiple_of(HELD_OUT)).collect();
    if clips.len() < 2 {
        return vec![false; clips.len()];
    }
    if held.iter().all(|&one| one == held[0]) {
        let largest = hashes.iter().max();
        held = hashes.iter().map(|hash| Some(hash) == largest).collect();
    }
    held
}

/// By names, in which digits that stand together are a number.
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
            assert!(said.contains("holds no clip to learn from") && said.contains("or a video"), "{said}");
        }
        let said = load(Path::new("no/such/place"), 8, &mut |_| {}).expect_err("nothing").to_string();
        assert!(said.contains("no folder and no video no/such/place"), "{said}");
    }
}
