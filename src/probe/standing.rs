//! An encoder against its best control.

use serde::{Deserialize, Serialize};

use super::interval;
use super::row::{ProbeRow, Source};

/// Most probable chance result that is still taken for one: two equal classifiers come out this far apart in 5 % of all tests.
const SIGNIFICANT: f64 = 0.05;

/// Share of the images that a gain must surely exceed to count as learned: the best layers of two untrained networks of different
/// seeds differ by about as much (`NOLABEL_EXAM=20 cargo test --release --test exam -- --nocapture` prints some).
pub const MARGIN: f64 = 0.005;

/// The controls that took no labels to train: a result is compared with the best of them.
pub const CONTROLS: [Source; 3] = [Source::Untrained, Source::RawPixels, Source::Pca];

/// An accuracy against that of the best control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Better by more than chance explains.
    Above,
    /// Too close to tell apart with this number of test images.
    Level,
    /// Worse by more than chance explains.
    Below,
}

impl Standing {
    /// Level unless the two accuracies on `images` images [differ](interval::differ).
    pub fn of(trained: f64, control: f64, images: usize) -> Self {
        match interval::differ(trained, control, images) {
            true if trained > control => Standing::Above,
            true => Standing::Below,
            false => Standing::Level,
        }
    }

    /// Level unless the [paired interval](interval::paired) lies above [`MARGIN`] or below 0 and the exact
    /// [sign test](interval::sign_test) agrees: `gained` of `images` images are classified correctly by the trained features alone,
    /// `lost` by the control alone.
    pub fn paired(gained: usize, lost: usize, images: usize) -> Self {
        let [low, high] = interval::paired(gained, lost, images);
        let proven = interval::sign_test(gained, lost) <= SIGNIFICANT;
        match proven {
            true if low > MARGIN => Standing::Above,
            true if high < 0.0 => Standing::Below,
            _ => Standing::Level,
        }
    }

    /// `above`, `level` or `below`.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Above => "above",
            Standing::Level => "level",
            Standing::Below => "below",
        }
    }
}

/// The row of the control in [`CONTROLS`] with the highest test accuracy, each at the layer that validation chose.
pub fn best_control<'a>(rows: &'a [ProbeRow], probe: &str) -> Option<&'a ProbeRow> {
    let controls = CONTROLS.iter().filter_map(|source| ProbeRow::best(rows, *source, probe));
    controls.reduce(|best, row| if row.accuracy > best.accuracy { row } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_on_few_images_are_level() {
        assert_eq!(Standing::of(0.80, 0.75, 100), Standing::Level);
        assert_eq!(Standing::of(0.80, 0.75, 10_000), Standing::Above);
        assert_eq!(Standing::of(0.75, 0.80, 10_000), Standing::Below);
        assert_eq!(Standing::of(1.0, 1.0, 10), Standing::Level);
        assert_eq!(Standing::of(1.0, 0.6, 12), Standing::Level, "five of twelve images prove nothing");
    }

    #[test]
    fn pairs_decide_where_shares_alone_do_not() {
        assert_eq!(Standing::of(0.86, 0.84, 5000), Standing::Above);
        assert_eq!(
            Standing::of(0.85, 0.84, 5000),
            Standing::Level,
            "two samples of 5,000 images could differ by as much"
        );
        assert_eq!(Standing::paired(165, 85, 5000), Standing::Above, "most of the disagreement speaks for it");
        assert_eq!(Standing::paired(440, 360, 5000), Standing::Level, "the same gain out of more disagreement");
        assert_eq!(Standing::paired(150, 100, 5000), Standing::Level, "untrained networks differ by as much");
        assert_eq!(Standing::paired(100, 150, 5000), Standing::Below);
        assert_eq!(
            [Standing::paired(5, 0, 12), Standing::paired(8, 2, 12)],
            [Standing::Level; 2],
            "the sign test objects"
        );
        assert_eq!(Standing::paired(0, 0, 5000), Standing::Level);
    }

    #[test]
    fn the_best_control_takes_no_labels() {
        let row = |source, layer: &str, accuracy, validation| ProbeRow {
            source,
            layer: layer.into(),
            width: 8,
            probe: "knn".into(),
            accuracy,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: Some(validation),
        };
        let rows = [
            row(Source::Trained, "block1", 0.95, 0.95),
            row(Source::Untrained, "block1", 0.9, 0.5),
            row(Source::Untrained, "block2", 0.6, 0.7),
            row(Source::RawPixels, "pixels", 0.7, 0.7),
            row(Source::Supervised, "block1", 0.99, 0.99),
        ];
        assert_eq!(best_control(&rows, "knn").map(|row| row.layer.as_str()), Some("pixels"));
        assert_eq!(best_control(&rows, "linear"), None);
    }
}
