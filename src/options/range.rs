//! Ranges of options, which print, check a value and read one from text.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The values an option may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Range {
    /// Numbers of an interval.
    Interval(Interval),
    /// Several numbers, each of an interval.
    List(Interval),
    /// True or false.
    Switch,
    /// One of some words.
    Words(Vec<String>),
    /// A text, and what it holds.
    Text(String),
}

/// An interval of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// True for whole numbers.
    whole: bool,
    least: Option<f64>,
    /// True if the smallest bound is not a value itself.
    above: bool,
    most: Option<f64>,
    /// True if the largest bound is not a value itself.
    below: bool,
    /// A value outside the interval that is allowed too.
    special: Option<f64>,
    unit: String,
}

/// Numbers above a bound: `in above(0.0)`.
pub fn above(least: f64) -> (Bound<f64>, Bound<f64>) {
    (Bound::Excluded(least), Bound::Unbounded)
}

/// A number that bounds an interval.
pub trait Number: Copy {
    /// The number as a float; exact up to 2^53.
    fn float(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Number for $type {
            fn float(self) -> f64 {
                self as f64
            }
        })+
    };
}

numbers!(i32, u64, usize, f64);

impl Range {
    /// Whole numbers, 0 included.
    pub fn whole() -> Self {
        Self::Interval(Interval { whole: true, least: Some(0.0), ..Interval::default() })
    }

    /// Any number.
    pub fn number() -> Self {
        Self::Interval(Interval::default())
    }

    /// Any numbers.
    pub fn list() -> Self {
        Self::List(Interval::default())
    }

    /// One of these words.
    pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Words(words.into_iter().map(str::to_string).collect())
    }

    /// The values of the type that this one has.
    pub fn like(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Switch,
            Value::Number(number) if number.is_u64() => Self::whole(),
            Value::Number(_) => Self::number(),
            Value::Array(_) => Self::list(),
            _ => Self::Text("a text".to_string()),
        }
    }

    /// The same with these bounds.
    pub fn within<N: Number>(self, bounds: impl RangeBounds<N>) -> Self {
        let bound = |bound: Bound<&N>| match bound {
            Bound::Included(at) => (Some(at.float()), false),
            Bound::Excluded(at) => (Some(at.float()), true),
            Bound::Unbounded => (None, false),
        };
        let (least, above) = bound(bounds.start_bound());
        let (most, below) = bound(bounds.end_bound());
        self.map(|interval| Interval { least, above, most, below, ..interval })
    }

    /// The same with one more value.
    pub fn or<N: Number>(self, special: N) -> Self {
        self.map(|interval| Interval { special: Some(special.float()), ..interval })
    }

    /// The same in this unit.
    pub fn unit(self, unit: &str) -> Self {
        self.map(|interval| Interval { unit: unit.to_string(), ..interval })
    }

    /// One of these words, in place of any text.
    pub fn among<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::words(words)
    }

    /// A text that holds this.
    pub fn described(self, text: &str) -> Self {
        Self::Text(text.to_string())
    }

    fn map(self, change: impl FnOnce(Interval) -> Interval) -> Self {
        match self {
            Self::Interval(interval) => Self::Interval(change(interval)),
            Self::List(interval) => Self::List(change(interval)),
            other => other,
        }
    }

    /// True for whole numbers.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Interval(Interval { whole: true, .. }))
    }

    /// True if the value lies in the range.
    pub fn allows(&self, value: &Value) -> bool {
        match self {
            Self::Interval(interval) => interval.allows(value),
            Self::List(interval) => {
                value.as_array().is_some_and(|list| list.iter().all(|value| interval.allows(value)))
            }
            Self::Switch => value.is_boolean(),
            Self::Words(words) => value.as_str().is_some_and(|text| words.iter().any(|word| word == text)),
            Self::Text(_) => value.is_string(),
        }
    }

    /// Reads a value as a person types it: `1e3` for a whole number, `0.1,0.2` or `[0.1, 0.2]` for a list.
    pub fn parse(&self, text: &str) -> Option<Value> {
        let value = match self {
            Self::Interval(interval) => interval.parse(text)?,
            Self::List(interval) => {
                let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
                let numbers = inner.split(',').filter(|number| !number.trim().is_empty());
                Value::Array(numbers.map(|number| interval.parse(number)).collect::<Option<_>>()?)
            }
            Self::Switch => Value::from(text.trim().parse::<bool>().ok()?),
            Self::Words(_) | Self::Text(_) => Value::from(text),
        };
        self.allows(&value).then_some(value)
    }
}

impl Interval {
    fn allows(&self, value: &Value) -> bool {
        if self.whole && !value.is_u64() {
            return false;
        }
        value.as_f64().is_some_and(|x| x.is_finite() && (self.contains(x) || self.special == Some(x)))
    }

    fn contains(&self, x: f64) -> bool {
        let high_enough = self.least.is_none_or(|least| if self.above { x > least } else { x >= least });
        let low_enough = self.most.is_none_or(|most| if self.below { x < most } else { x <= most });
        high_enough && low_enough
    }

    fn parse(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        if !self.whole {
            return text.parse::<f64>().ok().map(Value::from);
        }
        let float = || text.parse::<f64>().ok().filter(|x| *x >= 0.0 && x.fract() == 0.0).map(|x| x as u64);
        text.parse::<u64>().ok().or_else(float).map(Value::from)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(interval) => interval.fmt(f),
            Self::List(interval) if *interval == Interval::default() => f.write_str("a list of numbers"),
            Self::List(interval) => write!(f, "a list of numbers, each {interval}"),
            Self::Switch => f.write_str("true or false"),
            Self::Words(words) => match words.split_last() {
                Some((last, [])) => f.write_str(last),
                Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
                None => f.write_str("nothing"),
            },
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.above, self.most, self.below) {
            (None, _, None, _) => f.write_str("any number")?,
            (Some(least), false, None, _) => write!(f, "{least} or more")?,
            (Some(least), true, None, _) => write!(f, "above {least}")?,
            (None, _, Some(most), false) => write!(f, "at most {most}")?,
            (None, _, Some(most), true) => write!(f, "below {most}")?,
            (Some(least), false, Some(most), false) => write!(f, "{least} to {most}")?,
            (Some(least), above, Some(most), below) => {
                let from = if above { "above" } else { "at least" };
                let to = if below { "below" } else { "at most" };
                write!(f, "{from} {least} and {to} {most}")?;
            }
        }
        if !self.unit.is_empty() {
            write!(f, " {}", self.unit)?;
        }
        self.special.map_or(Ok(()), |special| write!(f, ", or {special}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ranges_print_and_hold_their_bounds() {
        let cases = [
            (Range::whole().within(1..=65_536), "1 to 65536", json!(65_536), json!(0)),
            (Range::whole().within(8..=2048).or(0).unit("px"), "8 to 2048 px, or 0", json!(0), json!(7)),
            (Range::whole(), "0 or more", json!(u64::MAX), json!(-1)),
            (Range::number().within(0.0..1.0), "at least 0 and below 1", json!(0), json!(1.0)),
            (Range::number().within(above(0.0)), "above 0", json!(1e-9), json!(0.0)),
            (Range::number(), "any number", json!(-5.5), json!("1")),
            (Range::Switch, "true or false", json!(true), json!("true")),
            (Range::words(["keep", "drop", "project"]), "keep, drop or project", json!("drop"), json!("green")),
            (Range::list().within(above(0.0)), "a list of numbers, each above 0", json!([0.1, 2]), json!([0.1, 0.0])),
            (Range::list(), "a list of numbers", json!([0.1, -2]), json!([0.1, "2"])),
        ];
        for (range, text, inside, outside) in cases {
            assert_eq!(range.to_string(), text);
            assert!(range.allows(&inside), "{text}: {inside}");
            assert!(!range.allows(&outside) && !range.allows(&Value::Null), "{text}: {outside}");
        }
    }

    #[test]
    fn typed_text_is_read_by_the_range() {
        assert_eq!(Range::whole().parse("1e3"), Some(json!(1000)));
        assert_eq!(Range::whole().parse("2.5"), None);
        // a number that reached us as a whole one stays a float
        assert_eq!(Range::number().parse("5"), Some(json!(5.0)));
        assert_eq!(Range::number().parse("inf"), None);
        assert_eq!(Range::list().parse("[0.1, 2]"), Some(json!([0.1, 2.0])));
        assert_eq!(Range::list().parse("0.1,2"), Some(json!([0.1, 2.0])));
        assert_eq!(Range::words(["mean", "deviation"]).parse("median"), None);
    }
}
