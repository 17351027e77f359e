//! Choice of light or dark colours. Without a choice the page follows the system.

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on light paper.
    Light,
    /// Light ink on dark paper.
    Dark,
}

impl Theme {
    /// Name in the page's markup and in the browser's storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }

    /// The system's theme.
    pub fn of_system(dark: bool) -> Self {
        if dark { Self::Dark } else { Self::Light }
    }

    /// The other theme.
    pub fn other(self) -> Self {
        match self {
            Self::Light => Self::Dark,
            Self::Dark => Self::Light,
        }
    }
}

/// The choice after the visitor asked for `wanted`. Asking for the system's own theme is no choice: the page follows the system
/// again.
pub fn chosen(wanted: Theme, system: Theme) -> Option<Theme> {
    (wanted != system).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_what_the_system_is_not() {
        let system = Theme::of_system(false);
        assert_eq!(chosen(system.other(), system), Some(Theme::Dark));
        assert_eq!(chosen(Theme::Dark.other(), system), None, "back to the system's");
        assert_eq!(chosen(Theme::Light, Theme::of_system(true)), Some(Theme::Light));
    }

    #[test]
    fn names_read_back() {
        for theme in [Theme::Light, Theme::Dark] {
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::named("sepia"), None);
    }
}
