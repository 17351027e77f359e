//! Confusion matrices.

use serde::{Deserialize, Serialize};

use super::{ProbeRow, Source};

/// Confusion matrix of one probe at one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Source of the features.
    pub source: Source,
    /// The layer.
    pub layer: String,
    /// The probe.
    pub probe: String,
    /// The classes' names.
    pub classes: Vec<String>,
    /// Numbers of test images: one row for each true class, one column for each predicted class.
    pub counts: Vec<Vec<usize>>,
}

/// Images of one class that were predicted as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The true class.
    pub truth: usize,
    /// The predicted class.
    pub named: usize,
    /// Number of images.
    pub images: usize,
}

impl Confusion {
    /// Counts the predictions of a probe.
    pub fn of(row: &ProbeRow, named: &[u16], labels: &[u16], classes: &[String]) -> Self {
        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        for (named, label) in named.iter().zip(labels) {
            counts[usize::from(*label)][usize::from(*named)] += 1;
        }
        let ProbeRow { source, layer, probe, .. } = row.clone();
        Self { source, layer, probe, classes: classes.to_vec(), counts }
    }

    /// The most frequent confusions in falling order.
    pub fn worst(&self, wanted: usize) -> Vec<Mistake> {
        let row = |(truth, counts): (usize, &Vec<usize>)| {
            let one = move |(named, &images)| Mistake { truth, named, images };
            counts.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        let all = self.counts.iter().enumerate().flat_map(row);
        let mut mistakes: Vec<Mistake> =
            all.filter(|mistake| mistake.truth != mistake.named && mistake.images > 0).collect();
        mistakes.sort_by(|a, b| b.images.cmp(&a.images).then((a.truth, a.named).cmp(&(b.truth, b.named))));
        mistakes.truncate(wanted);
        mistakes
    }

    /// Test images of a class.
    pub fn images(&self, class: usize) -> usize {
        self.counts.get(class).map_or(0, |row| row.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_true_classes_and_columns_predictions() {
        let row = ProbeRow {
            source: Source::Trained,
            layer: "gap".into(),
            width: 8,
            probe: "linear".into(),
            accuracy: 0.5,
            interval: [0.0, 1.0],
            l2: None,
            lr: None,
            validation: None,
        };
        let classes = ["cat", "dog", "owl"].map(String::from);
        let found = Confusion::of(&row, &[0, 1, 1, 1, 2, 0], &[0, 0, 0, 1, 2, 2], &classes);
        assert_eq!(found.counts, [[1, 2, 0], [0, 1, 0], [1, 0, 1]]);
        assert_eq!((found.images(0), found.images(7)), (3, 0));
        let mistake = |truth, named, images| Mistake { truth, named, images };
        assert_eq!(found.worst(5), [mistake(0, 1, 2), mistake(2, 0, 1)]);
        assert_eq!(found.worst(1).len(), 1);
    }
}
