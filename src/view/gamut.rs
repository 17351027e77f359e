//! Colour bins: the ab plane of CIE Lab as far as it is inside the sRGB gamut at some lightness.

use std::collections::BTreeSet;

use super::lab::lab_of;

/// Distance between neighbouring bins, along a and along b.
pub const STEP: f64 = 10.0;
/// Number of values of each channel at which the surface of the gamut is sampled.
const VALUES: usize = 256;

/// Centres of the colour bins: every point of a grid of step 10 that has a colour of the sRGB gamut less than a step away along a
/// and along b, so that each colour lies between four bins. 309 bins `[a, b]`, in order of a, then of b.
///
/// Zhang, Isola and Efros 2016 have 313 in a file and do not say how they chose them (section 2.1: those "in-gamut"). Their list
/// begins as this one does; only the points nearest to some colour would be 261. Hence the list is computed here, and each model
/// saves its own with its weights.
pub fn ab_bins() -> Vec<[f32; 2]> {
    let mut found = BTreeSet::new();
    for (a, b) in cells() {
        found.extend([(a, b), (a + 1, b), (a, b + 1), (a + 1, b + 1)]);
    }
    found.into_iter().map(|(a, b)| [a, b].map(|x| (f64::from(x) * STEP) as f32)).collect()
}

/// Grid cells that contain a colour, by the index of their lower corner.
///
/// Along lightness, the projection of the RGB cube is that of its surface, so its six faces are enough.
fn cells() -> BTreeSet<(i32, i32)> {
    let value = |index: usize| index as f64 / (VALUES - 1) as f64;
    let mut found = BTreeSet::new();
    for (face, first, second) in faces() {
        let channel = face / 2;
        let mut rgb = [(face % 2) as f64; 3];
        rgb[(channel + 1) % 3] = value(first);
        rgb[(channel + 2) % 3] = value(second);
        let [_, a, b] = lab_of(rgb);
        found.insert(((a / STEP).floor() as i32, (b / STEP).floor() as i32));
    }
    found
}

/// Samples of the cube's surface: face, and the indices of the two other channels' values.
fn faces() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..6 * VALUES * VALUES).map(|index| (index / VALUES / VALUES, index / VALUES % VALUES, index % VALUES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_309_bins_in_order() {
        let bins = ab_bins();
        assert_eq!(bins.len(), 309);
        assert_eq!(bins, ab_bins());
        assert!(bins.windows(2).all(|pair| pair[0] < pair[1]), "by a, then by b, none twice");
        // as in the published list
        assert_eq!(bins[..2], [[-90.0, 50.0], [-90.0, 60.0]]);
        assert_eq!(bins[308], [100.0, -20.0]);
    }

    #[test]
    fn every_colour_lies_between_four_bins() {
        let bins: BTreeSet<(i32, i32)> = ab_bins().iter().map(|[a, b]| (*a as i32, *b as i32)).collect();
        // colours inside the cube, where the list was made from its surface
        for index in 0..33usize.pow(3) {
            let rgb = [index / 33 / 33, index / 33 % 33, index % 33].map(|x| (x as f64 + 0.13) / 32.3);
            let [_, a, b] = lab_of(rgb);
            let lower = |x: f64| ((x / STEP).floor() * STEP) as i32;
            for (over, beside) in [(0, 0), (0, 10), (10, 0), (10, 10)] {
                assert!(bins.contains(&(lower(a) + over, lower(b) + beside)), "{rgb:?} is at {a} {b}");
            }
        }
    }

    #[test]
    fn every_bin_has_a_colour_less_than_a_step_away() {
        let cells = cells();
        for [a, b] in ab_bins() {
            let [a, b] = [a, b].map(|x| (x / 10.0) as i32);
            let around = [(a, b), (a - 1, b), (a, b - 1), (a - 1, b - 1)];
            assert!(around.iter().any(|cell| cells.contains(cell)), "{a} {b}");
        }
    }
}
