//! The choice of test images where none are set apart: by a hash of their paths, so that the same images are chosen on every
//! machine, whatever other files there are.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

/// One image in ten is kept for testing.
pub(super) const HELD_OUT: u64 = 10;

/// True for the test images, given the class and the hash of each: in each class those whose hash is a multiple of ten. If that
/// is none of at least two images, or all of them, it is the one with the largest hash alone.
pub(super) fn held_out(classes: &[u16], hashes: &[u64]) -> Vec<bool> {
    let mut places: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (place, class) in classes.iter().enumerate() {
        places.entry(*class).or_default().push(place);
    }
    let mut held = vec![false; classes.len()];
    for places in places.into_values() {
        let of_class: Vec<u64> = places.iter().map(|&place| hashes[place]).collect();
        for (place, is_held) in places.into_iter().zip(held_by_hash(&of_class)) {
            held[place] = is_held;
        }
    }
    held
}

/// The same for one class. A single image is never held out.
pub(super) fn held_by_hash(hashes: &[u64]) -> Vec<bool> {
    let by_rule = |hash: &u64| hash.is_multiple_of(HELD_OUT);
    let held = hashes.iter().filter(|hash| by_rule(hash)).count();
    if hashes.len() > 1 && held > 0 && held < hashes.len() {
        return hashes.iter().map(by_rule).collect();
    }
    let largest = (0..hashes.len()).max_by_key(|&place| hashes[place]).filter(|_| hashes.len() > 1);
    (0..hashes.len()).map(|place| Some(place) == largest).collect()
}

/// The path of a file within the folder, its parts joined by `/`.
pub(super) fn inside(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The hash of a file's path within the folder.
pub(super) fn hash(root: &Path, path: &Path) -> u64 {
    hash_of(&inside(root, path))
}

/// The first 64 bits of the SHA-256 of a path within the folder.
pub(super) fn hash_of(inside: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(inside).into();
    digest.iter().take(8).fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_of_images_is_on_both_sides() {
        for count in 2..40 {
            let hashes: Vec<u64> = (0..2 * count).map(|number| hash_of(&format!("{number}.jpg"))).collect();
            let classes: Vec<u16> = (0..2 * count).map(|number| number % 2).collect();
            let held = held_out(&classes, &hashes);
            for class in 0..2 {
                let test = held.iter().zip(&classes).filter(|(held, of)| **held && **of == class).count();
                assert!((1..usize::from(count)).contains(&test), "{test} of {count} images of class {class}");
            }
        }
        assert_eq!(held_by_hash(&[10, 20, 30]), [false, false, true]);
        assert_eq!(held_by_hash(&[1, 3, 2]), [false, true, false]);
        assert_eq!((held_by_hash(&[20]), held_by_hash(&[1, 10])), (vec![false], vec![false, true]));
    }
}
