//! The images and films below a folder. Other files, and folders without images or films, are ignored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::content::{self, Content};
use crate::error::{Error, Result};

/// Depth of folders that are searched.
const DEPTH: usize = 12;
/// Extensions that a summary counts one by one.
const ENDS: usize = 4;

/// A folder with its images and films, in the order of their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folder {
    /// The name alone.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) images: Vec<PathBuf>,
    pub(super) films: Vec<PathBuf>,
    /// The folders in it that hold an image or a film at any depth.
    pub(super) folders: Vec<Folder>,
}

/// Files that are not read, counted by extension.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Others(BTreeMap<String, usize>);

impl Folder {
    /// Reads the names of everything below `root`.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(super) fn read(root: &Path) -> Result<(Self, Others)> {
        let mut others = Others::default();
        let folder = Self::below(root, String::new(), &mut vec![canonical(root)], &mut others)?;
        Ok((folder, others))
    }

    fn below(path: &Path, name: String, above: &mut Vec<PathBuf>, others: &mut Others) -> Result<Self> {
        let mut folder = Self { name, path: path.to_path_buf(), ..Self::default() };
        for (name, path, is_folder) in entries(path)? {
            if is_folder {
                let place = canonical(&path);
                // a link that leads back to a folder above it would show everything twice
                if above.len() < DEPTH && !above.contains(&place) {
                    above.push(place);
                    let inner = Self::below(&path, name, above, others)?;
                    above.pop();
                    folder.folders.extend((inner.count() > 0).then_some(inner));
                }
                continue;
            }
            match content::of_file(&path) {
                Content::Image(_) | Content::Unread(_) => folder.images.push(path),
                Content::Film => folder.films.push(path),
                Content::Other => others.add(&path),
            }
        }
        Ok(folder)
    }

    /// Images and films at any depth.
    fn count(&self) -> usize {
        self.images.len() + self.films.len() + self.folders.iter().map(Self::count).sum::<usize>()
    }

    /// Drops the films and the folders that hold nothing else, and counts the films among the files that are not used.
    pub(super) fn without_films(mut self, others: &mut Others) -> Self {
        self.films.drain(..).for_each(|film| others.add(&film));
        let folders = self.folders.into_iter().map(|folder| folder.without_films(others));
        Self { folders: folders.filter(|folder| folder.count() > 0).collect(), ..self }
    }

    /// All images at any depth.
    pub(super) fn all_images(&self) -> Vec<PathBuf> {
        let mut found = self.images.clone();
        self.folders.iter().for_each(|folder| found.extend(folder.all_images()));
        found
    }
}

impl Others {
    fn add(&mut self, path: &Path) {
        *self.0.entry(content::end(path)).or_default() += 1;
    }

    /// The counts in words, the most frequent first; nothing where there is none.
    pub(super) fn words(&self) -> Option<String> {
        let mut ends: Vec<_> = self.0.iter().collect();
        ends.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let total: usize = self.0.values().sum();
        let of = |(end, count): &(&String, &usize)| match end.as_str() {
            "" => format!("{count} without an ending"),
            end => format!("{count} .{end}"),
        };
        let mut some: Vec<String> = ends.iter().take(ENDS).map(of).collect();
        some.extend((ends.len() > ENDS).then(|| "others".to_string()));
        let files = if total == 1 { "other file" } else { "other files" };
        (total > 0).then(|| format!("{total} {files} ({})", some.join(", ")))
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The entries of a folder in alphabetical order, without hidden files and those that systems leave behind: name, path, and
/// true for a folder.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if content::is_litter(&name) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(Error::file(&path))?;
        // following links costs time, and there can be a million files
        let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
        found.push((name, path, is_folder));
    }
    found.sort_unstable();
    Ok(found)
}
