//! Loading progress of engine and data, until a run can start.

use crate::format;

/// Loading progress of engine and data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadProgress {
    /// Bytes of the engine received.
    pub engine_bytes: f64,
    /// Bytes of the engine in all, if the server announces them.
    pub engine_total: Option<f64>,
    /// True once the engine is up.
    pub awake: bool,
    /// True once the device is chosen and tested.
    pub device: bool,
    /// Display name of the data set.
    pub dataset: String,
    /// Training images received.
    pub images: usize,
    /// Training images in all.
    pub total_images: usize,
}

impl LoadProgress {
    /// The current stage as a sentence.
    pub fn words(&self) -> String {
        let loaded = self.engine_bytes;
        match self.engine_total {
            Some(total) if !self.awake && loaded < total => {
                format!("Fetching the engine: {} of {}", format::megabytes(loaded), format::megabytes(total))
            }
            None if !self.awake && loaded > 0.0 => {
                format!("Fetching the engine: {}", format::megabytes(loaded))
            }
            _ if !self.awake => "Starting the engine".into(),
            _ if !self.device => "Choosing and testing a processor".into(),
            _ => "Getting the first images".into(),
        }
    }

    /// Loaded share of the engine, 0 to 1, if its size is known.
    pub fn share(&self) -> Option<f64> {
        match self.engine_total {
            _ if self.awake => Some(1.0),
            Some(total) if total > 0.0 => Some((self.engine_bytes / total).min(1.0)),
            _ => None,
        }
    }

    /// The loaded part of the data as a sentence, if any is known.
    pub fn data_words(&self) -> Option<String> {
        let name = &self.dataset;
        let loaded = format::thousands(self.images);
        let total = format::thousands(self.total_images);
        match self.total_images {
            0 => None,
            all if all == self.images => Some(format!("{name}: {total} images")),
            _ => Some(format!("{name}: {loaded} of {total} images, the rest is on its way")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_of_loading_has_its_sentence() {
        let mut loading = LoadProgress::default();
        assert_eq!((loading.words().as_str(), loading.share()), ("Starting the engine", None));
        loading.engine_bytes = 2_500_000.0;
        loading.engine_total = Some(10_000_000.0);
        assert_eq!((loading.words().as_str(), loading.share()), ("Fetching the engine: 2.5 MB of 10.0 MB", Some(0.25)));
        loading.engine_total = None;
        assert_eq!((loading.words().as_str(), loading.share()), ("Fetching the engine: 2.5 MB", None));
        loading.awake = true;
        assert_eq!((loading.words().as_str(), loading.share()), ("Choosing and testing a processor", Some(1.0)));
        loading.device = true;
        assert_eq!(loading.words(), "Getting the first images");
    }

    #[test]
    fn data_is_counted_until_it_is_whole() {
        let mut loading = LoadProgress { dataset: "Some".into(), ..LoadProgress::default() };
        assert_eq!(loading.data_words(), None);
        loading.images = 5000;
        loading.total_images = 60_000;
        assert_eq!(loading.data_words().as_deref(), Some("Some: 5,000 of 60,000 images, the rest is on its way"));
        loading.images = 60_000;
        assert_eq!(loading.data_words().as_deref(), Some("Some: 60,000 images"));
    }
}
