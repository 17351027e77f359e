//! Types that an option can have.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Map, Range};
use crate::error::{Error, Result};

/// A type that an option can have.
pub trait OptionValue: Serialize + DeserializeOwned {
    /// The values of this type where the declaration names no range.
    fn range() -> Range;

    /// Takes over the value that `map` has under `key`, if it has one.
    ///
    /// # Errors
    /// If it is of another type.
    fn take(&mut self, key: &str, map: &Map) -> Result<()> {
        let Some(value) = map.get(key) else { return Ok(()) };
        *self = serde_json::from_value(value.clone())
            .map_err(|error| Error::Config(format!("`{key}` cannot be {value}: {error}")))?;
        Ok(())
    }
}

/// A value as JSON; null for a number that JSON has no word for, which every range refuses.
pub fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

impl OptionValue for bool {
    fn range() -> Range {
        Range::Switch
    }
}

impl OptionValue for usize {
    fn range() -> Range {
        Range::whole()
    }
}

impl OptionValue for u64 {
    fn range() -> Range {
        Range::whole()
    }
}

impl OptionValue for f64 {
    fn range() -> Range {
        Range::number()
    }
}

impl OptionValue for Vec<f64> {
    fn range() -> Range {
        Range::list()
    }
}

impl OptionValue for String {
    fn range() -> Range {
        Range::Text("a text".to_string())
    }
}
