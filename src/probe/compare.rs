//! Predictions of the trained encoder compared with those of its controls.

use super::gain::Gain;
use super::standing::{Standing, best_control};
use super::{ProbeRow, Reading, Source, interval};

/// The gain under each probe that predicts classes, from readings of the trained encoder and of its controls on the test images
/// with these labels.
pub fn gains(readings: &[Reading], labels: &[u16]) -> Vec<Gain> {
    let predicting = readings.iter().filter(|reading| !reading.named.is_empty());
    let rows: Vec<ProbeRow> = predicting.map(|reading| reading.row.clone()).collect();
    let mut found: Vec<Gain> = Vec::new();
    for row in rows.iter().filter(|row| row.source == Source::Trained) {
        if !found.iter().any(|gain| gain.probe == row.probe) {
            found.extend(gain(readings, &rows, &row.probe, labels));
        }
    }
    found
}

fn gain(readings: &[Reading], rows: &[ProbeRow], probe: &str, labels: &[u16]) -> Option<Gain> {
    let trained = ProbeRow::best(rows, Source::Trained, probe)?;
    let control = best_control(rows, probe)?;
    let right = |row: &ProbeRow| {
        let reading = readings.iter().find(|reading| reading.row == *row)?;
        Some(reading.named.iter().zip(labels).map(|(named, label)| named == label).collect::<Vec<bool>>())
    };
    let pairs: Vec<(bool, bool)> = right(trained)?.into_iter().zip(right(control)?).collect();
    let count = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count();
    let gained = count((true, false));
    let lost = count((false, true));
    let images = pairs.len();
    Some(Gain {
        probe: probe.to_string(),
        layer: trained.layer.clone(),
        control: control.source,
        control_layer: control.layer.clone(),
        images,
        gained,
        lost,
        interval: interval::paired(gained, lost, images),
        standing: Standing::paired(gained, lost, images),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading whose first `wrong` predictions are wrong, and every one from `until` on.
    fn reading(source: Source, layer: &str, validation: f64, wrong: usize, until: usize) -> Reading {
        let named: Vec<u16> = (0..100).map(|image| u16::from(image < wrong || image >= until)).collect();
        let accuracy = (until - wrong) as f64 / 100.0;
        let row = ProbeRow {
            source,
            layer: layer.into(),
            width: 8,
            probe: "linear".into(),
            accuracy,
            interval: interval::wilson(accuracy, 100),
            l2: None,
            lr: None,
            validation: Some(validation),
        };
        Reading { row, named }
    }

    #[test]
    fn the_better_control_is_met_image_by_image() {
        let readings = [
            reading(Source::Trained, "block1", 0.9, 10, 100),
            reading(Source::Trained, "block2", 0.8, 0, 100),
            reading(Source::Untrained, "block1", 0.7, 0, 75),
            reading(Source::RawPixels, "pixels", 0.9, 0, 60),
        ];
        let [gain] = gains(&readings, &[0; 100]).try_into().expect("one probe");
        assert_eq!(
            (gain.layer.as_str(), gain.control, gain.control_layer.as_str()),
            ("block1", Source::Untrained, "block1")
        );
        assert_eq!((gain.images, gain.gained, gain.lost), (100, 25, 10), "the last 25 against the first 10");
        assert!((gain.difference() - 0.15).abs() < 1e-12 && gain.standing == Standing::Above);
        assert_eq!(gains(&readings[2..], &[0; 100]), [], "without trained features there is nothing to gain");
        assert_eq!(gains(&readings[..2], &[0; 100]), [], "without a control there is nothing to compare with");
    }
}
