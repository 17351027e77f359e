//! How far the page has come before a run can start.

use super::words;

/// What has been fetched and begun.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loading {
    /// Bytes of the engine, and all of them where the server says how many.
    pub engine: (f64, Option<f64>),
    /// Whether the engine runs.
    pub awake: bool,
    /// Whether the device is chosen and tested.
    pub device: bool,
    /// The name of the data.
    pub data: String,
    /// Images that are there, and all there will be.
    pub images: (usize, usize),
}

impl Loading {
    /// What is being waited for.
    pub fn words(&self) -> String {
        match self.engine {
            (loaded, Some(total)) if !self.awake && loaded < total => {
                format!("Fetching the engine: {} of {}", words::megabytes(loaded), words::megabytes(total))
            }
            (loaded, None) if !self.awake && loaded > 0.0 => {
                format!("Fetching the engine: {}", words::megabytes(loaded))
            }
            _ if !self.awake => "Starting the engine".into(),
            _ if !self.device => "Choosing and testing a processor".into(),
            _ => "Getting the first images".into(),
        }
    }

    /// The share that is done; nothing where it cannot be known.
    pub fn share(&self) -> Option<f64> {
        match self.engine {
            _ if self.awake => Some(1.0),
            (loaded, Some(total)) if total > 0.0 => Some((loaded / total).min(1.0)),
            _ => None,
        }
    }

    /// What is there of the data.
    pub fn data_words(&self) -> Option<String> {
        let (here, total) = self.images;
        let (here, total, name) = (words::count(here), words::count(total), &self.data);
        match self.images {
            (0, 0) => None,
            (a, b) if a == b => Some(format!("{name}: {total} images")),
            _ => Some(format!("{name}: {here} of {total} images, the rest is on its way")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_waits_for() {
        let mut loading = Loading::default();
        assert_eq!((loading.words().as_str(), loading.share()), ("Starting the engine", None));
        loading.engine = (2_500_000.0, Some(10_000_000.0));
        assert_eq!((loading.words().as_str(), loading.share()), ("Fetching the engine: 2.5 MB of 10.0 MB", Some(0.25)));
        loading.engine = (2_500_000.0, None);
        assert_eq!((loading.words().as_str(), loading.share()), ("Fetching the engine: 2.5 MB", None));
        loading.awake = true;
        assert_eq!((loading.words().as_str(), loading.share()), ("Choosing and testing a processor", Some(1.0)));
        loading.device = true;
        assert_eq!(loading.words(), "Getting the first images");
    }

    #[test]
    fn data_is_counted_until_it_is_whole() {
        let mut loading = Loading { data: "Some".into(), ..Loading::default() };
        assert_eq!(loading.data_words(), None);
        loading.images = (5000, 60_000);
        assert_eq!(loading.data_words().as_deref(), Some("Some: 5,000 of 60,000 images, the rest is on its way"));
        loading.images = (60_000, 60_000);
        assert_eq!(loading.data_words().as_deref(), Some("Some: 60,000 images"));
    }
}
