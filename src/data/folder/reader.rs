//! Image files, decoded by all processors at once and collected in order.

use std::path::Path;

use rayon::prelude::*;

use super::decode::{self, Planes};
use super::depth::{self, Depth};
use super::held_out::{hash_of, held_out, inside};
use super::layout::{Item, counted};
use super::limits::Wrong;
use crate::data::{Reading, Size, Split};
use crate::error::Result;

/// Files that are named one by one when they cannot be used.
pub(super) const NAMED: usize = 10;
/// Files per processor between two reports.
const ROUND: usize = 32;

/// A file of an image with its content, packed or decoded, or what is wrong with it.
pub(super) struct ImageFile<T> {
    /// The name within the data set.
    pub(super) name: String,
    pub(super) class: u16,
    pub(super) content: Result<T, Wrong>,
}

/// Reads files and counts them.
pub(super) struct Reader<'a> {
    root: &'a Path,
    pub(super) side: usize,
    pub(super) done: usize,
    pub(super) total: usize,
    /// Sentences about files that are left out.
    pub(super) unread: Vec<String>,
    /// Bits in use in 16-bit images.
    pub(super) depth: Depth,
    pub(super) tell: &'a mut dyn FnMut(Reading),
}

impl<'a> Reader<'a> {
    pub(super) fn new(root: &'a Path, side: usize, total: usize, tell: &'a mut dyn FnMut(Reading)) -> Self {
        Self { root, side, done: 0, total, unread: Vec::new(), depth: Depth::default(), tell }
    }

    /// Adds the images of these files.
    pub(super) fn read(&mut self, items: &[Item], images: &mut Images) {
        for round in items.chunks(Self::round()) {
            let squares: Vec<_> = round.par_iter().map(|item| decode::square(&item.path, self.side)).collect();
            let named = round.iter().map(|item| (self.name(&item.path), item.class));
            let decoded =
                named.zip(squares).map(|((name, class), content)| ImageFile { name, class, content }).collect();
            self.add_round(decoded, images);
        }
    }

    /// Files that are decoded between two reports.
    pub(super) fn round() -> usize {
        ROUND * rayon::current_num_threads()
    }

    /// Adds decoded files, and names those that cannot be read.
    pub(super) fn add_round(&mut self, decoded: Vec<ImageFile<Planes>>, images: &mut Images) {
        self.done += decoded.len();
        for ImageFile { name, class, content } in decoded {
            match content {
                Ok(planes) => {
                    if let Planes::Sixteen(values) = &planes {
                        self.depth.add(values);
                    }
                    images.push(&planes, class, name);
                }
                Err(why) => self.unread.push(format!("{} is left out: {why}", self.root.join(name).display())),
            }
        }
        (self.tell)(Reading::Files { done: self.done, total: self.total });
    }

    /// The name of a file within the folder; of a film that is read alone, its own.
    pub(super) fn name(&self, path: &Path) -> String {
        let own = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(inside(self.root, path)).filter(|name| !name.is_empty()).unwrap_or_else(own)
    }

    pub(super) fn warn(&mut self, sentence: String) {
        (self.tell)(Reading::Warning(sentence));
    }

    /// Reports the files that are left out, and the stretching of 16-bit images.
    pub(super) fn report(&mut self) {
        let more = self.unread.len().saturating_sub(NAMED);
        self.unread.iter().take(NAMED).for_each(|sentence| (self.tell)(Reading::Warning(sentence.clone())));
        if more > 0 {
            self.warn(format!("{} left out for such reasons", counted(more, "more file")));
        }
        self.depth.warning().into_iter().for_each(|sentence| self.warn(sentence));
    }
}

/// Images in the order of arrival: one plane each while all are gray, three after the first that is not.
pub(super) struct Images {
    side: usize,
    pub(super) is_gray: bool,
    pixels: Vec<u8>,
    pub(super) labels: Vec<u16>,
    /// The file of each image within the folder.
    files: Vec<String>,
    /// The lower bytes of 16-bit images, each with its index, kept until the stretching of all is known.
    deep: Vec<(usize, Vec<u8>)>,
}

impl Images {
    pub(super) fn new(side: usize) -> Self {
        Self { side, is_gray: true, pixels: Vec::new(), labels: Vec::new(), files: Vec::new(), deep: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Adds an image of one plane or three.
    pub(super) fn push(&mut self, planes: &Planes, class: u16, file: String) {
        let plane = self.side * self.side;
        let upper: Vec<u8>;
        let bytes = match planes {
            Planes::Eight(bytes) => bytes,
            Planes::Sixteen(values) => {
                self.deep.push((self.len(), values.iter().map(|value| *value as u8).collect()));
                upper = values.iter().map(|value| (value >> 8) as u8).collect();
                &upper
            }
        };
        if self.is_gray && bytes.len() != plane {
            self.pixels = in_colour(&self.pixels, plane);
            self.is_gray = false;
        }
        let copies = if self.is_gray || bytes.len() != plane { 1 } else { 3 };
        (0..copies).for_each(|_| self.pixels.extend_from_slice(bytes));
        self.labels.push(class);
        self.files.push(file);
    }

    /// Drops the images from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        self.pixels.truncate(len * self.bytes());
        self.labels.truncate(len);
        self.files.truncate(len);
        self.deep.retain(|(place, _)| *place < len);
    }

    /// Brings 16-bit images to eight bits, shifted to the left by `shift` places before.
    pub(super) fn stretch(&mut self, shift: u32) {
        let bytes = self.bytes();
        for (place, lower) in self.deep.drain(..) {
            let image = &mut self.pixels[place * bytes..(place + 1) * bytes];
            // a gray image among coloured ones has three planes that are the same
            for (upper, lower) in image.iter_mut().zip(lower.iter().cycle()) {
                *upper = depth::upper(u16::from_be_bytes([*upper, *lower]), shift);
            }
        }
    }

    /// Replaces the class of every image by its entry in `places`.
    pub(super) fn relabel(&mut self, places: &[u16]) {
        self.labels.iter_mut().for_each(|label| *label = places[usize::from(*label)]);
    }

    /// Moves the images from `at` on to the end of `other`.
    pub(super) fn move_tail(&mut self, at: usize, other: &mut Self) {
        if self.is_gray != other.is_gray {
            let gray = if self.is_gray { &mut *self } else { &mut *other };
            gray.pixels = in_colour(&gray.pixels, gray.side * gray.side);
            gray.is_gray = false;
        }
        let bytes = self.bytes();
        let start = other.len();
        other.pixels.extend(self.pixels.drain(at * bytes..));
        other.labels.extend(self.labels.drain(at..));
        other.files.extend(self.files.drain(at..));
        let (kept, moved) = self.deep.drain(..).partition(|(place, _)| *place < at);
        self.deep = kept;
        let moved: Vec<(usize, Vec<u8>)> = moved;
        other.deep.extend(moved.into_iter().map(|(place, lower)| (place - at + start, lower)));
    }

    /// Moves images to `other`, those for which `moved` is true.
    pub(super) fn move_some(&mut self, moved: &[bool], other: &mut Self) {
        let bytes = self.bytes();
        other.is_gray = self.is_gray;
        let mut kept = 0;
        let mut places = Vec::with_capacity(moved.len());
        for (place, &is_moved) in moved.iter().enumerate() {
            let image = place * bytes..(place + 1) * bytes;
            let to = if is_moved {
                other.pixels.extend_from_slice(&self.pixels[image]);
                other.labels.push(self.labels[place]);
                other.files.push(std::mem::take(&mut self.files[place]));
                other.len() - 1
            } else {
                self.pixels.copy_within(image, kept * bytes);
                self.labels[kept] = self.labels[place];
                self.files.swap(kept, place);
                kept += 1;
                kept - 1
            };
            places.push(to);
        }
        for (place, lower) in std::mem::take(&mut self.deep) {
            let deep = if moved[place] { &mut other.deep } else { &mut self.deep };
            deep.push((places[place], lower));
        }
        self.truncate(kept);
    }

    /// True for the images to test on where none are set apart.
    pub(super) fn held_out(&self) -> Vec<bool> {
        let hashes: Vec<u64> = self.files.iter().map(|file| hash_of(file)).collect();
        held_out(&self.labels, &hashes)
    }

    fn bytes(&self) -> usize {
        self.side * self.side * if self.is_gray { 1 } else { 3 }
    }

    /// The images as a split, in colour unless `gray`.
    pub(super) fn split(self, gray: bool, labelled: bool) -> Result<Split> {
        let size = Size { channels: if gray { 1 } else { 3 }, height: self.side, width: self.side };
        let pixels = if self.is_gray && !gray { in_colour(&self.pixels, self.side * self.side) } else { self.pixels };
        let split = if labelled { Split::new(size, pixels, self.labels) } else { Split::unlabelled(size, pixels) };
        split?.with_files(self.files)
    }
}

/// Every plane three times.
fn in_colour(gray: &[u8], plane: usize) -> Vec<u8> {
    gray.chunks_exact(plane).flat_map(|image| [image; 3]).flatten().copied().collect()
}
