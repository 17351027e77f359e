//! Names of data sets on the command line: `NAME`, `NAME:DIR`, or `folder:DIR,size=64` for images of the user's own,
//! `shards:PATTERN,size=64` for images in tar files and `clips:DIR,size=64` for clips. `?size=64` means the same, but shells take
//! the question mark for a pattern.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::folder::{self, clips, shards};
use super::{catalogue, shapes};
use crate::error::{Error, Result};

/// A data set by name and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// A name of the catalogue, [`shapes::NAME`], [`folder::NAME`], [`shards::NAME`] or [`clips::NAME`].
    pub name: String,
    /// The folder it lies in, or the pattern of its shards; by default one of the usual folders.
    pub folder: Option<PathBuf>,
    /// Side in pixels that the user's own images are resized to [default: [`folder::SIDE`]].
    pub size: Option<usize>,
}

impl Spec {
    /// The data set of this name in one of the usual folders.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_string(), folder: None, size: None }
    }

    /// True if it is images or clips of the user's own.
    pub fn is_folder(&self) -> bool {
        [folder::NAME, shards::NAME, clips::NAME].contains(&self.name.as_str())
    }

    /// The folder, where one is named that is not there. The shards of a pattern are looked for when they are read.
    pub fn missing_folder(&self) -> Option<&Path> {
        self.folder.as_deref().filter(|folder| self.name != shards::NAME && !folder.exists())
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, place) = text.split_once(':').map_or((text, None), |(name, place)| (name, Some(place)));
        let named = Self::named(name);
        if name == shapes::NAME {
            return match place {
                None => Ok(named),
                Some(_) => Err(Error::Config(format!("{name} is generated and lies in no folder: leave `:` out"))),
            };
        }
        if !named.is_folder() {
            catalogue::find(name)?;
            return Ok(Self { folder: place.map(at_home), ..named });
        }
        let place = place.unwrap_or_default();
        let sized = SIZES.iter().filter_map(|key| place.rsplit_once(key)).max_by_key(|(path, _)| path.len());
        let (path, size) = match sized {
            Some((path, digits)) => (path, Some(side(digits)?)),
            None => (place, None),
        };
        if path.is_empty() {
            return Err(Error::Config(
                "say which folder the images lie in, for example folder:my/photos, shards:my/train-{000..127}.tar or \
                 clips:my/videos"
                    .into(),
            ));
        }
        Ok(Self { folder: Some(at_home(path)), size, ..named })
    }
}

/// The spellings of a size, that of [`Spec`]'s display first.
const SIZES: [&str; 2] = [",size=", "?size="];

/// The path with `~` at its start replaced by the home folder; shells do not expand it within a word.
fn at_home(path: &str) -> PathBuf {
    let inside = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\']));
    match (inside, dirs::home_dir()) {
        (Some(inside), Some(home)) => home.join(inside.trim_start_matches(['/', '\\'])),
        _ => path.into(),
    }
}

fn side(digits: &str) -> Result<usize> {
    digits.parse().ok().filter(|side| folder::SIDES.contains(side)).ok_or_else(|| {
        Error::Config(format!(
            "`size={digits}` must be a number of pixels between {} and {}",
            folder::SIDES.start(),
            folder::SIDES.end()
        ))
    })
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.folder.iter().try_for_each(|folder| write!(f, ":{}", folder.display()))?;
        self.size.iter().try_for_each(|size| write!(f, "{}{size}", SIZES[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_alike() {
        let texts = [
            "mnist",
            "cifar-10:my/data",
            "folder:a:b?c",
            "folder:photos,size=32",
            "folder:a?size=b,size=9",
            "clips:my/videos,size=96",
            "shards:my/{train,val}-{000..127}.tar,size=224",
            "moving-shapes",
        ];
        for text in texts {
            assert_eq!(text.parse::<Spec>().expect("a spec").to_string(), text);
        }
        for text in ["folder:/my photos?size=96", "folder:/my photos,size=96"] {
            let spec: Spec = text.parse().expect("a spec");
            assert_eq!((spec.folder, spec.size), (Some("/my photos".into()), Some(96)));
        }
        // only folders have a size: elsewhere the text belongs to the path
        assert_eq!("mnist:a?size=9".parse::<Spec>().expect("a spec").size, None);
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let home = dirs::home_dir().expect("a home");
        let folder = |text: &str| text.parse::<Spec>().expect("a spec").folder;
        assert_eq!(folder("folder:~/photos,size=32"), Some(home.join("photos")));
        assert_eq!(folder("mnist:~"), Some(home));
        assert_eq!(folder("clips:~ann/films"), Some("~ann/films".into()), "other people's homes are not known");
        assert_eq!(folder("folder:a/~"), Some("a/~".into()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |text: &str| text.parse::<Spec>().expect_err("no spec").to_string();
        assert!(refused("imagenet").contains("cifar-10"));
        assert!(refused("moving-shapes:here").contains("lies in no folder"));
        for text in ["folder", "folder:", "folder:?size=64", "folder:,size=64", "clips"] {
            assert!(refused(text).contains("which folder"), "{text}");
        }
        for text in ["folder:a?size=", "folder:a,size=0", "folder:a?size=99999", "folder:a,size=big"] {
            assert!(refused(text).contains("number of pixels between 8 and"), "{text}");
        }
    }
}
