//! An accuracy against that of a control, in words.

use crate::format;
use crate::probe::{Gain, Standing};

/// `1.4 points above the better control` where more than chance explains the difference on this number of test images, and that
/// the two are too close to tell apart otherwise. `control_name` is the control in words.
pub fn against(own: f64, control: f64, images: usize, control_name: &str) -> String {
    let points = 100.0 * (own - control);
    match Standing::of(own, control, images) {
        Standing::Above => format!("{points:.1} points above {control_name}"),
        Standing::Below => format!("{:.1} points below {control_name}", -points),
        Standing::Level if points.abs() < 0.05 => format!("no better and no worse than {control_name}"),
        Standing::Level => format!("{points:+.1} points, too close to {control_name} to tell them apart"),
    }
}

/// A gain measured image by image: `Image by image, block3 is +1.8 points from PCA of raw pixels under the linear probe (95 %
/// interval +0.9 to +2.7).`
pub fn paired(gain: &Gain) -> String {
    let [low, high] = gain.interval.map(format::points);
    let probe = if gain.probe == "knn" { "kNN" } else { "the linear probe" };
    format!(
        "Image by image, {} is {} points from {} ({}) under {probe} (95 % interval {low} to {high}).",
        gain.layer,
        format::points(gain.difference()),
        gain.control.words(),
        gain.control_layer
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::interval;

    #[test]
    fn a_gain_is_told_with_its_interval() {
        let gain = Gain {
            probe: "linear".into(),
            layer: "block3".into(),
            control: crate::probe::Source::Pca,
            control_layer: "pca".into(),
            images: 5000,
            gained: 300,
            lost: 200,
            interval: interval::paired(300, 200, 5000),
            standing: Standing::paired(300, 200, 5000),
        };
        let told = paired(&gain);
        assert!(told.starts_with("Image by image, block3 is +2.0 points from "), "{told}");
        assert!(told.ends_with("under the linear probe (95 % interval +1.1 to +2.9)."), "{told}");
    }

    #[test]
    fn differences_within_their_interval_are_not_called_better() {
        let said = |own, control, images| against(own, control, images, "it");
        assert_eq!(said(0.75, 0.74, 100), "+1.0 points, too close to it to tell them apart");
        assert_eq!(said(0.73, 0.74, 100), "-1.0 points, too close to it to tell them apart");
        assert_eq!(said(0.75, 0.74, 100_000), "1.0 points above it");
        assert_eq!(said(0.73, 0.74, 100_000), "1.0 points below it");
        assert_eq!(said(0.7401, 0.74, 100), "no better and no worse than it");
        for images in [12, 60, 500, 10_000] {
            for right in (0..=images).step_by(images / 12) {
                let own = right as f64 / images as f64;
                let [low, high] = interval::difference((own, images), (0.5, images));
                let judged = ["above", "below"].iter().any(|word| said(own, 0.5, images).contains(word));
                assert!(!judged || low > 0.0 || high < 0.0, "{right} of {images}: {low} to {high}");
            }
        }
    }
}
