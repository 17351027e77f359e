//! Is a representation collapsing? Numbers that need no labels, from embeddings that were read back from the device.

mod lidar;
mod pairs;
mod rows;
mod spectrum;

pub use lidar::lidar;
pub use pairs::{alignment, uniformity};
pub use rows::{Rows, spread};
pub use spectrum::Spectrum;

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// What NumPy made of the same embeddings: `tests/reference/health.py`.
    #[derive(Deserialize)]
    struct Case {
        width: usize,
        a: Vec<f32>,
        b: Vec<f32>,
        spread: f64,
        rank: f64,
        alignment: f64,
        uniformity: f64,
        lidar: f64,
        decay: f64,
    }

    #[test]
    fn all_figures_agree_with_numpys() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/fixtures/health/health.json")).expect("a fixture");
        assert_eq!(cases.len(), 3);
        for case in cases {
            let (a, b) = (Rows::new(case.a, case.width), Rows::new(case.b, case.width));
            let decay = Spectrum::centred(&a).decay().expect("many directions");
            let figures = [
                ("spread", spread(&a), case.spread),
                ("rank", Spectrum::of(&a).effective_rank(), case.rank),
                ("alignment", alignment(&a, &b), case.alignment),
                ("uniformity", uniformity(&a), case.uniformity),
                ("lidar", lidar(&a, &b), case.lidar),
                ("decay", decay, case.decay),
            ];
            for (name, found, expected) in figures {
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{name}: {found} is not {expected}");
            }
        }
    }
}
