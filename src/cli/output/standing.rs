//! An accuracy against that of a control, in words.

use crate::evaluate::Standing;

/// `1.4 points above the better control` where more than chance explains the difference on this number of test images, and that
/// the two are too close to tell apart otherwise. `control_name` is the control in words.
pub(crate) fn against(own: f64, control: f64, images: usize, control_name: &str) -> String {
    let points = 100.0 * (own - control);
    match Standing::of(own, control, images) {
        Standing::Above => format!("{points:.1} points above {control_name}"),
        Standing::Below => format!("{:.1} points below {control_name}", -points),
        Standing::Level if points.abs() < 0.05 => format!("no better and no worse than {control_name}"),
        Standing::Level => format!("{points:+.1} points, too close to {control_name} to tell them apart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::interval;

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
