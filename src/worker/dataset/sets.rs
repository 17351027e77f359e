//! The data sets a page may have, in the order in which methods choose among them.

use super::loader::Feed;
use super::{generated, idx, records};
use crate::data::catalogue::{self, CIFAR_10, Entry, FASHION_MNIST};
use crate::data::shapes;
use crate::error::{Error, Result};
use crate::worker::fetch;
use crate::worker::protocol::{DATA_FOLDER, SetCard};

/// A data set of the page.
pub(super) struct Set {
    /// The name in links.
    pub(super) name: &'static str,
    /// What is in it, for a newcomer.
    about: &'static str,
    origin: Origin,
}

/// Where the images come from.
enum Origin {
    /// Four files that every built page has.
    Idx(&'static Entry),
    /// Files of records, which a page has where its builder wanted them.
    Records(&'static Entry),
    /// They are made here.
    Drawn,
}

const SETS: [Set; 3] = [
    Set { name: FASHION_MNIST.name, about: "60,000 gray photographs of clothes", origin: Origin::Idx(&FASHION_MNIST) },
    Set {
        name: CIFAR_10.name,
        about: "50,000 colour photographs of animals and vehicles",
        origin: Origin::Records(&CIFAR_10),
    },
    Set {
        name: shapes::NAME,
        about: "short films in colour of shapes that move, drawn in this tab",
        origin: Origin::Drawn,
    },
];

/// Their names.
pub(in crate::worker) const NAMES: [&str; 3] = [SETS[0].name, SETS[1].name, SETS[2].name];

/// The data set of this name.
pub(super) fn find(name: &str) -> Result<&'static Set> {
    static KNOWN: [Set; 3] = SETS;
    KNOWN
        .iter()
        .find(|set| set.name == name)
        .ok_or_else(|| Error::Config(format!("the page has no data set `{name}`; there are: {}", NAMES.join(", "))))
}

/// All of them as the page shows them, once the site has said which it has.
pub(in crate::worker) async fn cards() -> Vec<SetCard> {
    let mut cards = Vec::new();
    for set in SETS {
        cards.push(set.card().await);
    }
    cards
}

impl Set {
    /// The name among people.
    pub(super) fn title(&self) -> &'static str {
        match self.origin {
            Origin::Idx(entry) | Origin::Records(entry) => entry.title,
            Origin::Drawn => "Moving shapes",
        }
    }

    async fn card(&self) -> SetCard {
        let (colour, clips) = match self.origin {
            Origin::Idx(entry) | Origin::Records(entry) => (entry.size.channels == 3, false),
            Origin::Drawn => (true, true),
        };
        let missing = match self.origin {
            Origin::Records(entry) => !fetch::is_there(&address(entry, entry.files[0].name)).await,
            Origin::Idx(_) | Origin::Drawn => false,
        };
        let missing = missing.then(|| {
            format!(
                "{} is not part of this site; whoever builds the page adds it with `make page SETS=\"{} {}\"`",
                self.title(),
                NAMES[0],
                self.name
            )
        });
        let (name, title, about) = (self.name.into(), self.title().into(), self.about.into());
        SetCard { name, title, about, colour, clips, missing }
    }

    /// Brings all of it to the engine, or as much as is wanted.
    pub(super) async fn load(&self, feed: &Feed) -> Result<()> {
        match self.origin {
            Origin::Idx(entry) => idx::load(entry, feed).await,
            Origin::Records(entry) => records::load(entry, feed).await,
            Origin::Drawn => generated::load(feed).await,
        }
    }
}

/// Where a file of a data set lies.
pub(super) fn address(entry: &catalogue::Entry, file: &str) -> String {
    format!("{DATA_FOLDER}{}/{file}", entry.name)
}
