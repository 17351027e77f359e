//! The usual names of the halves of a data set: `train`, `Training`, `train2017`, `valid`, `val_images`, `testset`, ..

/// A half of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Half {
    /// To learn from.
    Train,
    /// To choose settings by.
    Validation,
    /// To test on.
    Test,
    /// For testing, or for validation if there is a test half too.
    Evaluation,
}

const TRAIN: [&str; 9] =
    ["train", "training", "trn", "trainval", "trainvalid", "trainvalidation", "traindev", "learn", "learning"];
const VALIDATION: [&str; 9] =
    ["val", "valid", "validation", "validate", "validating", "vali", "dev", "devel", "development"];
const TEST: [&str; 6] = ["test", "tests", "testing", "tst", "holdout", "heldout"];
const EVALUATION: [&str; 4] = ["eval", "evaluation", "evaluate", "evaluating"];
/// Words that do not tell the half.
const NEUTRAL: [&str; 30] = [
    "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "pics", "set", "sets", "data",
    "dataset", "split", "splits", "folder", "dir", "part", "jpg", "jpeg", "png", "crop", "crops", "cropped", "raw",
    "resized", "labeled", "labelled", "x", "px",
];
/// Endings that are written together with the name of a half.
const ENDINGS: [&str; 8] = ["set", "data", "dataset", "images", "image", "imgs", "img", "split"];

/// The half that a folder is named after, and the rest of the name: `seg_train` is the training half of `seg`. `None` for other
/// names, and for those of two halves.
pub(super) fn half(name: &str) -> Option<(Half, String)> {
    let mut rest = Vec::new();
    let mut found = Vec::new();
    let words = words(name);
    let joined: String = words.concat();
    if let Some(half) = of_word(&joined) {
        return Some((half, String::new()));
    }
    for word in words {
        if let Some(half) = of_word(&word) {
            found.push(half);
        } else if !NEUTRAL.contains(&word.as_str()) && !is_size_or_year(&word) {
            rest.push(word);
        }
    }
    match found.as_slice() {
        [half] => Some((*half, rest.join(" "))),
        // `train+val` and `trainval` are learned from
        [Half::Train, Half::Validation] => Some((Half::Train, rest.join(" "))),
        _ => None,
    }
}

fn of_word(word: &str) -> Option<Half> {
    let halves: [(Half, &[&str]); 4] =
        [(Half::Train, &TRAIN), (Half::Validation, &VALIDATION), (Half::Test, &TEST), (Half::Evaluation, &EVALUATION)];
    let is = |known: &[&str]| {
        known.iter().any(|half| word.strip_prefix(half).is_some_and(|end| end.is_empty() || ENDINGS.contains(&end)))
    };
    halves.into_iter().find(|(_, known)| is(known)).map(|(half, _)| half)
}

/// Numbers of two digits and more: years, and sizes in pixels. A single digit numbers the pieces of a half.
fn is_size_or_year(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a name in lower case, split where letters meet digits, signs or a capital.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in name.chars() {
        let starts = !before.is_alphanumeric()
            || before.is_ascii_digit() != letter.is_ascii_digit()
            || (before.is_lowercase() && letter.is_uppercase());
        if letter.is_alphanumeric() {
            if starts {
                words.push(String::new());
            }
            words.last_mut().expect("a word was begun").extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_names_of_halves_are_known() {
        let named = |names: &[&str], half: Half| {
            for name in names {
                assert_eq!(super::half(name), Some((half, String::new())), "{name}");
            }
        };
        named(
            &[
                "train",
                "Train",
                "TRAIN",
                "training",
                "Training_Set",
                "trainset",
                "train_images",
                "images-train",
                "train2017",
                "TrainingData",
                "train_256",
                "trainval",
                "train+val",
                "TrainVal2012",
                "train_64x64",
            ],
            Half::Train,
        );
        named(
            &["val", "Val", "valid", "VALIDATION", "validation_set", "val2014", "val_images", "dev", "valset"],
            Half::Validation,
        );
        named(&["test", "Testing", "test_set", "testset", "test2017", "hold-out"], Half::Test);
        named(&["eval", "Evaluation", "eval_set"], Half::Evaluation);
    }

    #[test]
    fn other_names_are_those_of_classes() {
        for name in ["cat", "trains", "trainer", "value", "valve", "testament", "developer", "images", "1", ""] {
            assert_eq!(half(name), None, "{name}");
        }
        assert_eq!(half("test tube"), Some((Half::Test, "tube".into())));
        assert_eq!(half("seg_train"), Some((Half::Train, "seg".into())));
        assert_eq!(half("trainA"), Some((Half::Train, "a".into())));
        assert_eq!(half("train_test"), None);
    }
}
