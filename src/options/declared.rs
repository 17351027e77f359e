//! One option as it is declared.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Range, json};
use crate::error::{Error, Result};

/// The least likeness of two names for one to be taken for the other, misspelt; clap's own.
const ALIKE: f64 = 0.7;

/// One option: name, meaning, range, size in tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// The name in settings, for example `projector` or `encoder.width`.
    pub key: String,
    /// The meaning, in a sentence or two; the first clause is the label in forms.
    pub help: String,
    /// The values it may have.
    pub range: Range,
    /// The value that tests use, where the usual one makes a model large or a run long.
    pub tiny: Option<Value>,
}

impl Declared {
    /// An option without a size for tests.
    pub fn new(key: &str, help: &str, range: Range) -> Self {
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { key: key.to_string(), help, range, tiny: None }
    }

    /// The same with a size for tests.
    pub fn tiny<T: Serialize>(self, value: T) -> Self {
        Self { tiny: Some(json(&value)), ..self }
    }

    /// The same with a prefix before its name.
    pub fn under(self, prefix: &str) -> Self {
        Self { key: format!("{prefix}{}", self.key), ..self }
    }

    /// The first clause of the help, for a form: `Width of the projector's layers`.
    pub fn label(&self) -> &str {
        let end = self.help.find([';', ':', '.', ',', '(']).unwrap_or(self.help.len());
        self.help[..end].trim_end()
    }

    /// Refuses a value out of the range.
    ///
    /// # Errors
    /// If it is one; the sentence names option, range and value.
    pub fn check(&self, value: &Value) -> Result<()> {
        if self.range.allows(value) { Ok(()) } else { Err(self.refusal(&text(value))) }
    }

    /// Reads a value as a person types it.
    ///
    /// # Errors
    /// If it does not lie in the range; the sentence names option, range and value.
    pub fn parse(&self, text: &str) -> Result<Value> {
        self.range.parse(text).ok_or_else(|| self.refusal(text))
    }

    fn refusal(&self, value: &str) -> Error {
        Error::Config(format!("`{}` must be {}, not {value}", self.key, self.allowed()))
    }

    /// The range in a sentence: `a whole number, 1 to 65536`.
    fn allowed(&self) -> String {
        let whole = if self.range.is_whole() { "a whole number, " } else { "" };
        format!("{whole}{}", self.range)
    }
}

/// A value without the quotes of a text.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

/// The sentence for a name that is none of these, with the nearest that is and its range.
pub fn unknown(key: &str, known: &[Declared]) -> Error {
    let names = known.iter().map(|one| one.key.as_str());
    let near = nearest(key, names.clone()).and_then(|near| known.iter().find(|one| one.key == near));
    let hint = match near {
        Some(near) => format!("did you mean `{}`? It must be {}", near.key, near.allowed()),
        None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
    };
    Error::Config(format!("there is no setting `{key}`; {hint}"))
}

/// The name that `wanted` is most likely meant to be, written out or without the part before its last dot.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| {
        let short = name.rsplit('.').next().unwrap_or(name);
        strsim::jaro(wanted, name).max(strsim::jaro(wanted, short))
    };
    let scored = known.into_iter().map(|name| (likeness(name), name)).filter(|(score, _)| *score > ALIKE);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Map, Options};
    use serde_json::json;

    crate::words! {
        /// A choice.
        pub(crate) enum Choice {
            /// One.
            Left = "left",
            /// The other.
            Right = "right",
        }
    }

    crate::options! {
        /// Options for inclusion in others.
        pub(crate) struct Shared {
            /// Side of the crops; 0 takes images whole.
            size: usize = 0, in 8..=2048, or 0, unit "px", tiny = 64;
        }
    }

    crate::options! {
        /// Every kind of option.
        pub(crate) struct Every {
            ..shared: Shared;
            /// Width of the layers; the paper's
            /// is 2048.
            projector: usize = 512, in 1..=65_536, tiny = 16;
            /// Temperature.
            tau: f64 = 0.5, in crate::options::above(0.0);
            /// Side that is taken.
            side: Choice = Choice::Left;
            /// Mirror half of the images.
            flip: bool = true;
        }
    }

    fn map(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
    }

    #[test]
    fn declarations_hold_docs_ranges_and_tiny_sizes() {
        let declared = Every::declared();
        let keys: Vec<_> = declared.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["size", "projector", "tau", "side", "flip"]);
        assert_eq!(declared[1].help, "Width of the layers; the paper's is 2048.");
        assert_eq!(declared[1].label(), "Width of the layers");
        assert_eq!((declared[1].tiny.clone(), declared[2].tiny.clone()), (Some(json!(16)), None));
        assert_eq!(declared[3].range.to_string(), "left or right");
    }

    #[test]
    fn what_is_written_reads_back_and_the_rest_keeps_its_default() {
        let options = Every { shared: Shared { size: 32 }, side: Choice::Right, tau: 0.1, ..Every::default() };
        let mut written = Map::new();
        options.put(&mut written);
        assert_eq!(Every::read(&written).expect("its own values"), options);
        let some = Every::read(&map(&[("size", json!(32))])).expect("one value");
        assert_eq!(some, Every { shared: Shared { size: 32 }, ..Every::default() });
    }

    #[test]
    fn refusals_name_the_option_its_value_and_its_range() {
        let refused = |key: &str, value: Value| Every::read(&map(&[(key, value)])).expect_err(key).to_string();
        assert_eq!(refused("size", json!(7)), "`size` must be a whole number, 8 to 2048 px, or 0, not 7");
        assert_eq!(refused("tau", json!(0.0)), "`tau` must be above 0, not 0.0");
        assert_eq!(refused("side", json!("up")), "`side` must be left or right, not `up`");
        let misspelt =
            "there is no setting `projecter`; did you mean `projector`? It must be a whole number, 1 to 65536";
        assert_eq!(refused("projecter", json!(1)), misspelt);
        assert!(refused("zzzz", json!(1)).ends_with("there are: size, projector, tau, side, flip"));
        let wrong = Every { tau: f64::NAN, ..Every::default() };
        assert!(wrong.check_ranges("my.").expect_err("no number").to_string().starts_with("`my.tau` must be above 0"));
    }
}
