//! Enums whose variants are words in settings.

/// Declares an enum whose variants are written as words.
///
/// ```
/// nolabel::words! {
///     /// Answer that is asked for at each pixel.
///     pub enum Task {
///         /// One of some classes.
///         Classification = "classification",
///         /// A number.
///         Regression = "regression",
///     }
/// }
/// assert_eq!(Task::Regression.word(), "regression");
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        $visibility enum $name {
            $($(#[$variant_attribute])* #[serde(rename = $word)] $variant,)+
        }

        #[allow(dead_code, reason = "some enums are written and read by serde alone")]
        impl $name {
            /// Every variant, in the order of declaration.
            $visibility const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word in settings.
            $visibility fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::options::OptionValue for $name {
            fn range() -> $crate::options::Range {
                $crate::options::Range::words([$($word),+])
            }
        }
    };
}
