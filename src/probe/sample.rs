//! The images that probes use: for fitting, for validation and for testing.

use super::ProbeSettings;
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};

/// One training image in this many is set aside for validation.
const PARTS: usize = 6;

/// Places of images in the two splits, drawn by [`ProbeSettings::seed`]. The probes of every encoder and of every control on
/// one data set share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Training images, in rising order.
    pub train: Vec<usize>,
    /// Test images, in rising order.
    pub test: Vec<usize>,
    /// Images of the data set's own validation half, all of them; none where it has no such half.
    pub half: Vec<usize>,
    /// The images to choose by; nothing where there is no validation half and no class has two images.
    pub validation: Option<Validation>,
}

/// Images in two parts: rows of the features of [`Sample::train`], followed by those of [`Sample::half`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Rows that candidates are fitted to.
    pub kept: Vec<usize>,
    /// Rows that candidates are compared by.
    pub aside: Vec<usize>,
}

impl Sample {
    /// Draws what `settings` ask for from all images that are there.
    ///
    /// # Errors
    /// When labelled training or test images are missing, or all training images are of one class.
    pub fn of(data: &Dataset, settings: &ProbeSettings) -> Result<Self> {
        Self::among(data, settings, [usize::MAX; 2])
    }

    /// Draws from the first `among` training and test images: in the browser, those that have arrived.
    ///
    /// # Errors
    /// As [`Sample::of`].
    pub fn among(data: &Dataset, settings: &ProbeSettings, among: [usize; 2]) -> Result<Self> {
        let mut sample = Self::drawn_among(data, settings, among)?;
        if let Some(half) = &data.validation {
            sample.half = (0..half.len().min(half.labels().len())).collect();
        }
        let train = sample.train.len();
        let half = sample.half.len();
        sample.validation = if half > 0 {
            Some(Validation { kept: (0..train).collect(), aside: (train..train + half).collect() })
        } else {
            Validation::of(&data.train, &sample.train, settings.seed)
        };
        Ok(sample)
    }

    /// Draws without setting validation images aside, where only the numbers of images matter.
    ///
    /// # Errors
    /// As [`Sample::of`].
    pub fn drawn(data: &Dataset, settings: &ProbeSettings) -> Result<Self> {
        Self::drawn_among(data, settings, [usize::MAX; 2])
    }

    fn drawn_among(data: &Dataset, settings: &ProbeSettings, among: [usize; 2]) -> Result<Self> {
        let train = drawn(&data.train, among[0], settings.train_images, settings.seed);
        let test = drawn(&data.test, among[1], settings.test_images, settings.seed);
        if train.len() < 2 || test.is_empty() {
            return Err(Error::Data(format!(
                "a probe needs two labelled training images and a test image at least; there are {} and {}",
                train.len(),
                test.len()
            )));
        }
        let first = data.train.labels()[train[0]];
        if train.iter().all(|&image| data.train.labels()[image] == first) {
            let class = data.classes.get(usize::from(first)).map_or("", String::as_str);
            return Err(Error::Data(format!(
                "all {} training images in use are of one class, `{class}`, so there is nothing for a probe to tell apart",
                train.len()
            )));
        }
        Ok(Self { train, test, half: Vec::new(), validation: None })
    }

    /// Number of images in use.
    pub fn images(&self) -> usize {
        self.train.len() + self.half.len() + self.test.len()
    }

    /// Labels of the training images.
    pub fn train_labels(&self, data: &Dataset) -> Vec<u16> {
        self.train.iter().map(|&image| data.train.labels()[image]).collect()
    }

    /// Labels of the rows that [`Validation`] indexes.
    pub fn row_labels(&self, data: &Dataset) -> Vec<u16> {
        let mut labels = self.train_labels(data);
        labels.extend(data.validation.iter().flat_map(|half| self.half.iter().map(|&image| half.labels()[image])));
        labels
    }

    /// Training images that candidates are fitted to, and the images of a split that they are compared by; nothing where there
    /// are none to choose by.
    pub fn choosing<'a>(&self, data: &'a Dataset) -> Option<(Vec<usize>, &'a Split, Vec<usize>)> {
        let rows = self.validation.as_ref()?;
        match &data.validation {
            Some(half) if !self.half.is_empty() => Some((self.train.clone(), half, self.half.clone())),
            _ => {
                let images = |rows: &[usize]| rows.iter().map(|&row| self.train[row]).collect();
                Some((images(&rows.kept), &data.train, images(&rows.aside)))
            }
        }
    }

    /// Labels of the test images.
    pub fn test_labels(&self, data: &Dataset) -> Vec<u16> {
        self.test.iter().map(|&image| data.test.labels()[image]).collect()
    }

    /// Test images of classes without a training image, which no probe can classify correctly, and the names of those
    /// classes.
    pub fn unknown<'a>(&self, data: &'a Dataset) -> (usize, Vec<&'a str>) {
        let mut known = vec![false; data.classes.len()];
        self.train_labels(data).into_iter().for_each(|label| known[usize::from(label)] = true);
        let labels: Vec<usize> = self.test_labels(data).into_iter().map(usize::from).collect();
        let missed = labels.iter().filter(|&&label| !known[label]).count();
        let classes = (0..known.len()).filter(|class| !known[*class] && labels.contains(class));
        (missed, classes.map(|class| data.classes[class].as_str()).collect())
    }
}

impl Validation {
    /// A sixth of each class, drawn. Without a seed the last sixth of the rows, as earlier versions chose.
    fn of(split: &Split, train: &[usize], seed: Option<u64>) -> Option<Self> {
        let [kept, aside] = match seed {
            Some(seed) => split.set_aside(train, PARTS, seed),
            None => {
                let cut = train.len() - (train.len() / PARTS).max(1);
                [(0..cut).collect(), (cut..train.len()).collect()]
            }
        };
        (!aside.is_empty() && !kept.is_empty()).then_some(Self { kept, aside })
    }
}

fn drawn(split: &Split, among: usize, wanted: usize, seed: Option<u64>) -> Vec<usize> {
    let there: Vec<usize> = (0..split.len().min(split.labels().len()).min(among)).collect();
    let wanted = if wanted == 0 { there.len() } else { wanted.min(there.len()) };
    match seed {
        Some(seed) => split.draw_from(&there, wanted, seed),
        None => there[..wanted].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Size;

    fn data(train: &[u16], test: &[u16]) -> Dataset {
        let size = Size { channels: 1, height: 1, width: 1 };
        let split = |labels: &[u16]| {
            Split::new(size, (0..labels.len()).map(|image| image as u8).collect(), labels.to_vec()).expect("a split")
        };
        let classes = ["cat", "dog", "bird"].map(String::from).to_vec();
        Dataset { name: "test".into(), classes, train: split(train), validation: None, test: split(test) }
    }

    #[test]
    fn a_sixth_of_each_class_validates_sorted_data() {
        let labels: Vec<u16> = (0..60).map(|image| image / 30).collect();
        let data = data(&labels, &labels);
        let sample =
            Sample::of(&data, &ProbeSettings { test_images: 10, ..ProbeSettings::default() }).expect("a sample");
        let Validation { kept, aside } = sample.validation.clone().expect("classes of 30");
        assert_eq!((kept.len(), aside.len(), sample.train.len(), sample.test.len()), (50, 10, 60, 10));
        for part in [&aside, &sample.test] {
            assert_eq!(part.iter().filter(|&&image| image < 30).count(), 5);
        }
        let before = ProbeSettings { seed: None, test_images: 10, ..ProbeSettings::default() };
        let sample = Sample::of(&data, &before).expect("a sample");
        assert_eq!(sample.test, (0..10).collect::<Vec<_>>(), "in order, as earlier versions did");
        assert_eq!(sample.validation.expect("a sixth").aside, (50..60).collect::<Vec<_>>());
    }

    #[test]
    fn what_cannot_be_probed_is_refused_in_words() {
        let refused = |train: &[u16], test: &[u16]| {
            Sample::of(&data(train, test), &ProbeSettings::default()).expect_err("refused").to_string()
        };
        assert!(refused(&[1, 1, 1], &[1]).contains("one class, `dog`"));
        assert!(refused(&[0, 1], &[]).contains("a test image at least; there are 2 and 0"));
        assert!(refused(&[0], &[0]).contains("there are 1 and 1"));
    }

    #[test]
    fn a_validation_half_is_all_that_is_chosen_by() {
        let whole = data(&[0, 1, 0, 1], &[0, 1]);
        let half = Some(data(&[1, 0, 1], &[]).train);
        let whole = Dataset { validation: half.clone(), ..whole };
        let sample = Sample::of(&whole, &ProbeSettings::default()).expect("a sample");
        assert_eq!(sample.validation, Some(Validation { kept: vec![0, 1, 2, 3], aside: vec![4, 5, 6] }));
        assert_eq!(sample.row_labels(&whole), [0, 1, 0, 1, 1, 0, 1]);
        assert_eq!(sample.choosing(&whole), half.as_ref().map(|half| (vec![0, 1, 2, 3], half, vec![0, 1, 2])));
    }

    #[test]
    fn one_image_a_class_leaves_nothing_to_choose_by() {
        let data = data(&[0, 1], &[0, 1, 2, 2]);
        let sample = Sample::of(&data, &ProbeSettings::default()).expect("a sample");
        assert_eq!(sample.validation, None);
        assert_eq!(sample.unknown(&data), (2, vec!["bird"]));
    }
}
