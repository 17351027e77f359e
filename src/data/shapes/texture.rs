//! Procedural colour texture over an infinite plane. It is computed at any position, so that it can move by fractions of a
//! pixel.

use rand::RngExt;

use crate::rng::Rng;

/// Value noise in two octaves between a darker and a lighter colour. It takes additions and multiplications alone, which
/// give the same numbers on every machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texture {
    seed: u32,
    /// Pixels between two independent values of the coarser octave.
    cell: f32,
    dark: [f32; 3],
    light: [f32; 3],
}

impl Texture {
    pub(super) fn draw(cell: f32, rng: &mut Rng) -> Self {
        let darkness = 0.05 + 0.4 * rng.random::<f32>();
        let contrast = 0.3 + 0.2 * rng.random::<f32>();
        let mut colour = |brightness: f32| [0; 3].map(|_| brightness + 0.3 * (rng.random::<f32>() - 0.5));
        let (dark, light) = (colour(darkness), colour(darkness + contrast));
        Self { seed: rng.random(), cell, dark, light }
    }

    /// The colour at a place, in pixels.
    pub(super) fn at(&self, [x, y]: [f32; 2]) -> [f32; 3] {
        let (x, y) = (x / self.cell, y / self.cell);
        let share = 0.6 * self.noise(x, y, 0) + 0.4 * self.noise(2.0 * x, 2.0 * y, 1);
        std::array::from_fn(|channel| self.dark[channel] + share * (self.light[channel] - self.dark[channel]))
    }

    /// Smooth interpolation between the values of the four lattice points around a position.
    fn noise(&self, x: f32, y: f32, octave: u32) -> f32 {
        let left = x.floor();
        let top = y.floor();
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (across, down) = (smooth(x - left), smooth(y - top));
        let corner = |dx: i32, dy: i32| self.value(left as i32 + dx, top as i32 + dy, octave);
        let upper = corner(0, 0) * (1.0 - across) + corner(1, 0) * across;
        let lower = corner(0, 1) * (1.0 - across) + corner(1, 1) * across;
        upper * (1.0 - down) + lower * down
    }

    /// The value of a lattice point, in 0 to 1.
    fn value(&self, x: i32, y: i32, octave: u32) -> f32 {
        let mut hash = self.seed ^ octave.wrapping_mul(0x9e37_79b9);
        for part in [x as u32, y as u32] {
            hash = (hash ^ part).wrapping_mul(0x85eb_ca6b);
            hash ^= hash >> 13;
            hash = hash.wrapping_mul(0xc2b2_ae35);
            hash ^= hash >> 16;
        }
        (hash >> 8) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn it_is_smooth_and_differs_from_place_to_place() {
        let texture = Texture::draw(6.0, &mut stream(1, Purpose::Data, 0));
        let mean = |at: [f32; 2]| texture.at(at).iter().sum::<f32>() / 3.0;
        let values: Vec<f32> = (0..400).map(|step| mean([step as f32 * 0.5 - 100.0, 3.3])).collect();
        let steps = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        let range = values.iter().fold(f32::MIN, |a, &b| a.max(b)) - values.iter().fold(f32::MAX, |a, &b| a.min(b));
        assert!(range > 0.15 && steps < 0.5 * range, "a range of {range} in steps of up to {steps}");
        let other = Texture::draw(6.0, &mut stream(1, Purpose::Data, 1));
        assert_ne!(texture.at([1.0, 1.0]), other.at([1.0, 1.0]));
    }
}
