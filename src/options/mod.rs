//! Declared options: a struct whose every field states, in one place, its meaning, its range and its size in tests.
//!
//! [`options!`](crate::options!) writes the struct, its `Default` and its [`Options`]. Everything that reads or shows
//! options works on the [`Declared`] list: typed reading, `--set`, `nolabel methods METHOD`, the page's form, the tests.
//! Nothing here uses Burn, so the page's program can link it.

mod declared;
mod range;
mod value;
mod words;

pub use crate::{options, words};
pub use declared::{Declared, nearest, unknown};
pub use range::{Range, above};
pub use value::{OptionValue, json};

use std::fmt::Debug;

use serde_json::Value;

use crate::error::Result;

/// Options by name, as a configuration holds them.
pub type Map = serde_json::Map<String, Value>;

/// A struct of declared options; written by [`options!`](crate::options!).
pub trait Options: Clone + Debug + Default + PartialEq + 'static {
    /// The declarations, in the order of the fields.
    fn declared() -> Vec<Declared>;

    /// Writes every option under its name.
    fn put(&self, map: &mut Map);

    /// Takes over the options that `map` has.
    ///
    /// # Errors
    /// If one has another type.
    fn take(&mut self, map: &Map) -> Result<()>;

    /// Reads options by name; those that are missing keep their defaults.
    ///
    /// # Errors
    /// If there is no such option, or a value is out of its range; the sentence names both.
    fn read(map: &Map) -> Result<Self> {
        let declared = Self::declared();
        for (key, value) in map {
            let known = declared.iter().find(|one| one.key == *key).ok_or_else(|| unknown(key, &declared))?;
            known.check(value)?;
        }
        let mut options = Self::default();
        options.take(map)?;
        Ok(options)
    }

    /// Refuses values out of their ranges, by name; `prefix` stands before each name, for example `encoder.`.
    ///
    /// # Errors
    /// If there is one.
    fn check_ranges(&self, prefix: &str) -> Result<()> {
        let mut values = Map::new();
        self.put(&mut values);
        let declared = Self::declared().into_iter();
        declared.map(|one| (one.key.clone(), one.under(prefix))).try_for_each(|(key, one)| one.check(&values[&key]))
    }
}

/// Declares a struct of options.
///
/// ```
/// nolabel::options! {
///     /// Options of a method.
///     pub struct MyOptions {
///         /// Width of the projector's layers; the paper's is 2048.
///         projector: usize = 512, in 1..=65_536, tiny = 16;
///         /// Side of the crops; 0 takes images whole.
///         size: usize = 0, in 8..=2048, or 0, unit "px";
///         /// Stop the gradient at the target view. Switched off, the run collapses.
///         stop_gradient: bool = true;
///     }
/// }
/// use nolabel::options::Options;
/// assert_eq!(MyOptions::declared()[1].range.to_string(), "8 to 2048 px, or 0");
/// ```
///
/// `..group: GroupOptions;` before the fields includes another such struct, whose options keep their own names.
/// After `= default` come, in this order and each only where it is needed: `in RANGE`, `or NUMBER` (one more allowed
/// value), `unit "px"`, `among LIST` (the words a `String` may be), `as "what a text holds"`, `tiny = SIZE` (in tests).
/// `with { .. }` after the fields adds plain fields that are no options.
#[macro_export]
macro_rules! options {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $(..$group:ident: $group_type:ty;)*
            $(
                $(#[doc = $help:literal])+
                $(#[serde($($serde:tt)*)])?
                $field:ident: $type:ty = $default:expr
                    $(, in $range:expr)?
                    $(, or $special:expr)?
                    $(, unit $unit:literal)?
                    $(, among $among:expr)?
                    $(, as $text:literal)?
                    $(, tiny = $tiny:expr)?;
            )*
        }
        $(with { $($(#[$plain_attribute:meta])* $plain:ident: $plain_type:ty = $plain_default:expr;)* })?
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq)]
        $visibility struct $name {
            $(
                /// Options that it shares with others.
                $visibility $group: $group_type,
            )*
            $(
                $(#[doc = $help])+
                $(#[serde($($serde)*)])?
                $visibility $field: $type,
            )*
            $($(
                $(#[$plain_attribute])*
                $visibility $plain: $plain_type,
            )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($group: Default::default(),)*
                    $($field: $default,)*
                    $($($plain: $plain_default,)*)?
                }
            }
        }

        impl $crate::options::Options for $name {
            fn declared() -> Vec<$crate::options::Declared> {
                let own = vec![$(
                    $crate::options::Declared::new(
                        stringify!($field),
                        concat!($($help),+),
                        <$type as $crate::options::OptionValue>::range()
                            $(.within($range))?
                            $(.or($special))?
                            $(.unit($unit))?
                            $(.among($among))?
                            $(.described($text))?,
                    )
                    $(.tiny($tiny))?,
                )*];
                [$(<$group_type as $crate::options::Options>::declared(),)* own].concat()
            }

            fn put(&self, map: &mut $crate::options::Map) {
                $($crate::options::Options::put(&self.$group, map);)*
                $(map.insert(stringify!($field).to_string(), $crate::options::json(&self.$field));)*
            }

            fn take(&mut self, map: &$crate::options::Map) -> $crate::error::Result<()> {
                $($crate::options::Options::take(&mut self.$group, map)?;)*
                $($crate::options::OptionValue::take(&mut self.$field, stringify!($field), map)?;)*
                Ok(())
            }
        }
    };
}
