//! The data sets of a page. The first one that suits a method is its default.

use super::loader::Loader;
use super::{generated, idx, records};
use crate::data::catalogue::{self, CIFAR_10, Entry, FASHION_MNIST};
use crate::data::shapes;
use crate::error::{Error, Result};
use crate::worker::fetch;
use crate::worker::protocol::{DATA_FOLDER, DatasetCard};

/// A data set of the page.
pub(super) struct PageDataset {
    /// Name in links.
    pub(super) name: &'static str,
    /// Contents in a few words.
    about: &'static str,
    source: Source,
}

/// Source of the images.
enum Source {
    /// Four IDX files, part of every built page.
    Idx(&'static Entry),
    /// Files of records, part of some built pages.
    Records(&'static Entry),
    /// Generated in the worker.
    Generated,
}

const SETS: [PageDataset; 3] = [
    PageDataset {
        name: FASHION_MNIST.name,
        about: "60,000 gray photographs of clothes",
        source: Source::Idx(&FASHION_MNIST),
    },
    PageDataset {
        name: CIFAR_10.name,
        about: "50,000 colour photographs of animals and vehicles",
        source: Source::Records(&CIFAR_10),
    },
    PageDataset {
        name: shapes::NAME,
        about: "short colour clips of shapes that move, drawn in this tab",
        source: Source::Generated,
    },
];

/// Names of the data sets.
pub(in crate::worker) const NAMES: [&str; 3] = [SETS[0].name, SETS[1].name, SETS[2].name];

/// The data set called `name`.
pub(super) fn find(name: &str) -> Result<&'static PageDataset> {
    static KNOWN: [PageDataset; 3] = SETS;
    KNOWN
        .iter()
        .find(|set| set.name == name)
        .ok_or_else(|| Error::Config(format!("the page has no data set `{name}`; there are: {}", NAMES.join(", "))))
}

/// All data sets as the page shows them, after asking the site for the optional ones.
pub(in crate::worker) async fn cards() -> Vec<DatasetCard> {
    let mut cards = Vec::new();
    for set in SETS {
        cards.push(set.card().await);
    }
    cards
}

impl PageDataset {
    /// Display name.
    pub(super) fn title(&self) -> &'static str {
        match self.source {
            Source::Idx(entry) | Source::Records(entry) => entry.title,
            Source::Generated => "Moving shapes",
        }
    }

    async fn card(&self) -> DatasetCard {
        let (colour, clips) = match self.source {
            Source::Idx(entry) | Source::Records(entry) => (entry.size.channels == 3, false),
            Source::Generated => (true, true),
        };
        let classes = match self.source {
            Source::Idx(entry) | Source::Records(entry) => entry.classes,
            Source::Generated => &shapes::SHAPES,
        };
        let missing = match self.source {
            Source::Records(entry) => !fetch::exists(&address(entry, entry.files[0].name)).await,
            Source::Idx(_) | Source::Generated => false,
        };
        let missing = missing.then(|| {
            format!(
                "{} is not part of this site; to add it, build the page with `make page SETS=\"{} {}\"`",
                self.title(),
                NAMES[0],
                self.name
            )
        });
        DatasetCard {
            name: self.name.into(),
            title: self.title().into(),
            about: self.about.into(),
            classes: classes.iter().map(ToString::to_string).collect(),
            colour,
            clips,
            missing,
        }
    }

    /// Sends the data set to the engine, until another one is loaded.
    pub(super) async fn load(&self, loader: &Loader) -> Result<()> {
        match self.source {
            Source::Idx(entry) => idx::load(entry, loader).await,
            Source::Records(entry) => records::load(entry, loader).await,
            Source::Generated => generated::load(loader).await,
        }
    }
}

/// Address of a file of a data set.
pub(super) fn address(entry: &catalogue::Entry, file: &str) -> String {
    format!("{DATA_FOLDER}{}/{file}", entry.name)
}
