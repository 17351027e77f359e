//! The colours a screen has, seen from above: which places of the plane of a and b some lightness can fill.

use std::collections::BTreeSet;

use super::lab::lab_of;

/// Between neighbouring bins, along a and along b.
pub const STEP: f64 = 10.0;
/// Values of each channel, evenly spaced, at which the border of the gamut is looked at.
const VALUES: usize = 256;

/// Bins of colour: every point of a grid of step 10 that has a colour of the sRGB gamut less than a step away along a and
/// along b. So each colour lies between four bins of the list. In order of a, then of b: 309 of them.
///
/// Zhang, Isola and Efros 2016 have 313 in a file and do not say how they chose them (section 2.1: those "in-gamut").
/// Their list begins as this one does; with the points nearest to some colour alone there would be 261. So the list is
/// computed here, and each model keeps its own beside its weights.
pub fn ab_bins() -> Vec<[f32; 2]> {
    let mut found = BTreeSet::new();
    for (a, b) in cells() {
        found.extend([(a, b), (a + 1, b), (a, b + 1), (a + 1, b + 1)]);
    }
    found.into_iter().map(|(a, b)| [a, b].map(|x| (f64::from(x) * STEP) as f32)).collect()
}

/// The cells between points of the grid that hold a colour, by their lower corner.
///
/// The shadow of a solid is that of its surface: the six faces of the cube of colours are enough.
fn cells() -> BTreeSet<(i32, i32)> {
    let value = |index: usize| index as f64 / (VALUES - 1) as f64;
    let mut found = BTreeSet::new();
    for (face, first, second) in faces() {
        let (channel, end) = (face / 2, (face % 2) as f64);
        let mut rgb = [end; 3];
        rgb[(channel + 1) % 3] = value(first);
        rgb[(channel + 2) % 3] = value(second);
        let [_, a, b] = lab_of(rgb);
        found.insert(((a / STEP).floor() as i32, (b / STEP).floor() as i32));
    }
    found
}

/// Face of the cube, and place on it.
fn faces() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..6 * VALUES * VALUES).map(|index| (index / VALUES / VALUES, index / VALUES % VALUES, index % VALUES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_same_each_time_sorted_and_as_long_as_stated() {
        let bins = ab_bins();
        assert_eq!(bins.len(), 309);
        assert_eq!(bins, ab_bins());
        assert!(bins.windows(2).all(|pair| pair[0] < pair[1]), "by a, then by b, none twice");
        // the first rows of the published list too
        assert_eq!(bins[..2], [[-90.0, 50.0], [-90.0, 60.0]]);
        assert_eq!(bins[308], [100.0, -20.0]);
    }

    #[test]
    fn every_colour_lies_between_four_bins_of_the_list() {
        let bins: BTreeSet<(i32, i32)> = ab_bins().iter().map(|[a, b]| (*a as i32, *b as i32)).collect();
        // colours within the cube, not those of its surface that the list was made from
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
    fn no_bin_is_a_step_or_more_from_every_colour() {
        let cells = cells();
        for [a, b] in ab_bins() {
            let (a, b) = ((a / 10.0) as i32, (b / 10.0) as i32);
            let around = [(a, b), (a - 1, b), (a, b - 1), (a - 1, b - 1)];
            assert!(around.iter().any(|cell| cells.contains(cell)), "{a} {b}");
        }
    }
}
