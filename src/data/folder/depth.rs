//! Sixteen bits a channel, of which many files use twelve: microscopes, X-ray machines and depth cameras count from 0 to
//! 4,095. Reduced to eight bits without stretching, such images would be black.

/// The share of pixels that may be brighter than the others without a warning: hot pixels of a sensor.
const FEW: f64 = 1e-3;
/// Bits between the brightest pixel and all but [`FEW`] others from which a warning is given.
const APART: usize = 3;

/// Counts of all pixels of 16-bit images by the bits they need: 0 to 16.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    counts: [u64; 17],
    images: usize,
}

impl Depth {
    /// Counts the pixels of an image.
    pub(super) fn add(&mut self, values: &[u16]) {
        values.iter().for_each(|value| self.counts[(u16::BITS - value.leading_zeros()) as usize] += 1);
        self.images += 1;
    }

    /// Bits in use: 8 to 16.
    fn bits(&self) -> usize {
        self.counts.iter().rposition(|&count| count > 0).unwrap_or(16).max(8)
    }

    /// Bits by which all values are shifted to the left, so that the brightest of the set is nearly white.
    pub(super) fn shift(&self) -> u32 {
        if self.images == 0 { 0 } else { 16 - self.bits() as u32 }
    }

    /// A sentence about values that were stretched or should perhaps have been.
    pub(super) fn warning(&self) -> Option<String> {
        let images = self.images;
        let bits = self.bits();
        let noun = if images == 1 { "image of 16 bits a channel uses" } else { "images of 16 bits a channel use" };
        if self.shift() > 0 {
            return Some(format!(
                "{images} {noun} {bits} of them; all are made {} times as bright, so that the largest \
                 value of the set nears white",
                1u32 << self.shift()
            ));
        }
        let all: u64 = self.counts.iter().sum();
        let brighter = |than: usize| self.counts[than + 1..].iter().sum::<u64>() as f64;
        let most = (0..16).find(|&than| brighter(than) <= FEW * all as f64)?;
        (all > 0 && bits >= most.max(8) + APART)
            .then(|| format!("{images} {noun} {most} of them but for few pixels: read as they are, they are dark"))
    }
}

/// The upper eight of sixteen bits after a shift to the left.
pub(super) fn upper(value: u16, shift: u32) -> u8 {
    ((u32::from(value) << shift).min(0xffff) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bits_are_stretched_and_sixteen_are_not() {
        let mut depth = Depth::default();
        assert_eq!((depth.shift(), depth.warning()), (0, None));
        depth.add(&[0, 100, 4095]);
        assert_eq!(depth.shift(), 4);
        assert!(depth.warning().is_some_and(|said| said.contains("12 of them") && said.contains("16 times as bright")));
        assert_eq!((upper(4095, 4), upper(2048, 4), upper(0, 4)), (255, 128, 0));
        depth.add(&[40_000; 8]);
        assert_eq!((depth.shift(), depth.warning()), (0, None));
        assert_eq!((upper(65535, 0), upper(51299, 0)), (255, 200));
    }

    #[test]
    fn a_hot_pixel_does_not_hide_that_all_others_are_dark() {
        let mut depth = Depth::default();
        depth.add(&[&[65535][..], &[3000; 9999]].concat());
        assert_eq!(depth.shift(), 0);
        assert!(depth.warning().is_some_and(|said| said.contains("12 of them") && said.contains("dark")));
    }
}
