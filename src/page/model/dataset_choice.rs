//! Choice of the data set for a method.

use crate::error::{Error, Result};
use crate::method::Needs;
use crate::worker::protocol::{DatasetCard, MethodCard};

/// Short names in links, and the full ones.
const ALIASES: [(&str, &str); 1] = [("shapes", "moving-shapes")];

/// Classes that are named as examples.
const NAMED: usize = 3;

/// Full name of a data set.
pub fn full_name(name: &str) -> &str {
    ALIASES.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long)
}

/// The reason why a method cannot learn from this data set, in a few words.
pub fn obstacle(needs: Needs, dataset: &DatasetCard) -> Option<&'static str> {
    match needs {
        _ if dataset.missing.is_some() => Some("not on this site"),
        Needs { clips: true, .. } if !dataset.clips => Some("no clips"),
        Needs { colour: true, .. } if !dataset.colour => Some("no colours"),
        _ => None,
    }
}

/// The data set called `asked`, or if that is empty the first that suits the method.
///
/// # Errors
/// If it does not exist, is not part of this site, or does not meet the method's needs.
pub fn choose<'a>(asked: &str, card: &MethodCard, datasets: &'a [DatasetCard]) -> Result<&'a DatasetCard> {
    if asked.is_empty() {
        let suitable = datasets.iter().find(|dataset| obstacle(card.needs, dataset).is_none());
        return suitable.ok_or_else(|| Error::Config(format!("this site has no data that {} can use", card.title)));
    }
    let Some(dataset) = datasets.iter().find(|dataset| dataset.name == asked) else {
        let known: Vec<_> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
        return Err(Error::Config(format!("there is no data set `{asked}` here; there are: {}", known.join(", "))));
    };
    match (&dataset.missing, obstacle(card.needs, dataset)) {
        (Some(missing), _) => Err(Error::Config(missing.clone())),
        (None, Some(obstacle)) => Err(Error::Config(format!(
            "{} has {obstacle}, which {} needs: choose other data",
            dataset.title, card.title
        ))),
        (None, None) => Ok(dataset),
    }
}

/// Advice on a default that is second best: the better data set that this site lacks, and how to add it.
pub fn advice(card: &MethodCard, datasets: &[DatasetCard], chosen: &DatasetCard) -> Option<String> {
    let suits = |dataset: &&DatasetCard| {
        let installed = DatasetCard { missing: None, ..(*dataset).clone() };
        obstacle(card.needs, &installed).is_none()
    };
    let missing = datasets.iter().find(suits)?.missing.as_ref()?;
    Some(format!("{missing}. Until then this method learns from: {}.", chosen.title))
}

/// The first classes of a data set, and the number of the others: `disc, square, triangle and 5 more`.
pub fn class_words(dataset: &DatasetCard) -> String {
    let shown = dataset.classes.len().min(NAMED);
    let named = dataset.classes[..shown].join(", ");
    match dataset.classes.len() - shown {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn set(name: &str, colour: bool, clips: bool) -> DatasetCard {
        let classes = ["disc", "square", "ring", "bar"].map(String::from).to_vec();
        let (name, title, about) = (name.into(), name.into(), String::new());
        DatasetCard { name, title, about, classes, colour, clips, missing: None }
    }

    /// Gray images, colour images and clips.
    pub fn sets() -> Vec<DatasetCard> {
        vec![set("fashion-mnist", false, false), set("cifar-10", true, false), set("moving-shapes", true, true)]
    }

    fn card(colour: bool, clips: bool) -> MethodCard {
        MethodCard { needs: Needs { colour, clips }, ..crate::page::model::settings::tests::card("some") }
    }

    #[test]
    fn a_method_takes_the_first_data_that_suits_it() {
        let name = |colour, clips, sets: &[DatasetCard]| {
            choose("", &card(colour, clips), sets).expect("something suits").name.clone()
        };
        assert_eq!(name(false, false, &sets()), "fashion-mnist");
        assert_eq!(name(true, false, &sets()), "cifar-10");
        assert_eq!(name(true, true, &sets()), "moving-shapes");
        let mut without = sets();
        without[1].missing = Some("cifar-10 is not here".into());
        assert_eq!(name(true, false, &without), "moving-shapes");
        let said = advice(&card(true, false), &without, &without[2]).expect("there would be better");
        assert_eq!(said, "cifar-10 is not here. Until then this method learns from: moving-shapes.");
        assert_eq!(advice(&card(false, false), &without, &without[0]), None);
        assert_eq!(advice(&card(true, false), &sets(), &sets()[1]), None);
    }

    #[test]
    fn a_few_classes_are_named() {
        let mut dataset = set("shapes", false, false);
        assert_eq!(class_words(&dataset), "disc, square, ring and 1 more");
        dataset.classes.truncate(2);
        assert_eq!(class_words(&dataset), "disc, square");
    }

    #[test]
    fn data_that_cannot_be_is_refused_with_the_reason() {
        let mut sets = sets();
        sets[1].missing = Some("cifar-10 is not here".into());
        let refused = |asked, colour| choose(asked, &card(colour, false), &sets).expect_err("refused").to_string();
        assert!(refused("imagenet", false).contains("cifar-10, moving-shapes"));
        assert!(refused("cifar-10", true).contains("is not here"));
        assert!(refused("fashion-mnist", true).contains("no colours"));
        assert_eq!(choose("moving-shapes", &card(false, false), &sets).expect("it suits").name, "moving-shapes");
        assert_eq!((full_name("shapes"), full_name("cifar-10")), ("moving-shapes", "cifar-10"));
    }
}
