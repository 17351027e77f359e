//! Random streams, drawn on the host. Each is named by seed, purpose and position, so that a run can be resumed anywhere
//! without stored generator state and draws the same numbers on every device.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random number generator of all streams.
pub type Rng = ChaCha8Rng;

/// The purpose of a stream. Draws for one purpose never shift those for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// Order of the training images; positions are epochs.
    Order = 2,
    /// Augmentations and pretext labels; positions are steps.
    Views = 3,
    /// Views of held-out images; positions are batches.
    HeldOut = 4,
    /// Splits and starting points of probes.
    Probe = 5,
    /// Draws that stay the same for a whole run: seed patches and their variants, the set of permutations; positions are
    /// images or variants.
    Fixed = 6,
    /// Generated data sets; positions are clips.
    Data = 7,
    /// The few labelled images of each class; positions are draws.
    Labels = 8,
}

/// The stream for `purpose` at `position` in the run with this `seed`.
pub fn stream(seed: u64, purpose: Purpose, position: u64) -> Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&position.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// `n` draws from the uniform distribution on `[low, high)`.
pub fn uniform(rng: &mut Rng, n: usize, low: f32, high: f32) -> Vec<f32> {
    (0..n).map(|_| low + (high - low) * rng.random::<f32>()).collect()
}

/// `n` draws from the normal distribution with mean 0 and standard deviation `std` (Box and Muller 1958).
pub fn normal(rng: &mut Rng, n: usize, std: f32) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        values.push(std * (radius * angle.cos()) as f32);
        values.push(std * (radius * angle.sin()) as f32);
    }
    values.truncate(n);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_seed_purpose_and_position() {
        let first = |seed, purpose, position| stream(seed, purpose, position).random::<u64>();
        let base = first(1, Purpose::Views, 7);
        assert_eq!(base, first(1, Purpose::Views, 7));
        assert_ne!(base, first(2, Purpose::Views, 7));
        assert_ne!(base, first(1, Purpose::Order, 7));
        assert_ne!(base, first(1, Purpose::Views, 8));
    }

    #[test]
    fn normal_draws_have_the_requested_moments() {
        let values = normal(&mut stream(0, Purpose::Weights, 0), 100_001, 2.0);
        assert_eq!(values.len(), 100_001);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!((variance - 4.0).abs() < 0.1, "variance {variance}");
    }
}
