//! Measures of collapse that need no labels, computed on the host from embeddings.

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

    /// Embeddings, and the measures that NumPy computes of them (`tests/reference/health.py`).
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
    fn all_measures_agree_with_numpy() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/fixtures/health/health.json")).expect("a fixture");
        assert_eq!(cases.len(), 3);
        for case in cases {
            let [a, b] = [case.a, case.b].map(|values| Rows::new(values, case.width));
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
