//! The files of a data set below a folder, however other programs unpacked and named them: `train-images.idx3-ubyte`,
//! torchvision's `MNIST/raw`, Kaggle's folder for each file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::catalogue::{Entry, File};

/// Depth of folders that are searched.
const DEPTH: usize = 3;
/// Most folders that are searched.
const FOLDERS: usize = 1000;
/// The names of data sets whose files have the same names, longer ones before those they contain.
const ALIKE: [&str; 7] = ["fashionmnist", "emnist", "kmnist", "qmnist", "mnist", "cifar100", "cifar10"];
/// Names that a sentence lists.
const LISTED: usize = 8;

/// The file with the makers' content, packed or not.
pub(super) fn find(entry: &Entry, folder: &Path, file: &File) -> Option<PathBuf> {
    named(entry, folder, &normal(file.name))
}

/// The same, or its Python version, which holds the same images.
pub(super) fn find_readable(entry: &Entry, folder: &Path, file: &File) -> Option<PathBuf> {
    let python = || named(entry, folder, file.name.strip_suffix(".bin")?);
    find(entry, folder, file).or_else(python)
}

/// The file of this name at the least depth; of several in folders named after data sets, that of this data set.
fn named(entry: &Entry, folder: &Path, name: &str) -> Option<PathBuf> {
    let mut level = vec![folder.to_path_buf()];
    let mut looked = 0;
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        let mut found = Vec::new();
        for folder in level {
            looked += 1;
            for (path, is_folder) in entries(&folder) {
                if is_folder {
                    below.push(path);
                } else if path.file_name().is_some_and(|own| normal(&own.to_string_lossy()) == name) {
                    found.push(path);
                }
            }
        }
        if let Some(path) = found.into_iter().find(|path| !is_of_another(entry, folder, path)) {
            return Some(path);
        }
        level = below;
        if looked > FOLDERS {
            return None;
        }
    }
    None
}

/// The entries of a folder in alphabetical order, each with true for a folder; none where it cannot be read.
fn entries(folder: &Path) -> Vec<(PathBuf, bool)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort_unstable();
    paths.into_iter().map(|path| (path.clone(), path.is_dir())).collect()
}

/// A name in lower case, without `.gz`, with dashes for dots.
fn normal(name: &str) -> String {
    let name = name.to_lowercase();
    name.strip_suffix(".gz").unwrap_or(&name).replace('.', "-")
}

/// True if a folder on the way to a file is named after another data set.
fn is_of_another(entry: &Entry, root: &Path, path: &Path) -> bool {
    let letters = |name: &str| name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let own = letters(entry.name);
    let inside = path.parent().and_then(|folder| folder.strip_prefix(root).ok());
    let names = inside.into_iter().flatten().map(|name| letters(&name.to_string_lossy()));
    names.filter_map(|name| ALIKE.iter().find(|known| name.contains(**known))).any(|known| *known != own)
}

/// The content of a folder in words.
pub(super) fn listing(folder: &Path) -> String {
    let name = |(path, is_folder): &(PathBuf, bool)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if *is_folder { format!("{name}/") } else { name }
    };
    let entries = entries(folder);
    let mut names: Vec<String> = entries.iter().take(LISTED).map(name).collect();
    if entries.len() > LISTED {
        names.push(format!("{} more", entries.len() - LISTED));
    }
    if names.is_empty() { "nothing".to_string() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalogue::{CIFAR_10, CIFAR_100, FASHION_MNIST, MNIST};

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn place(entry: &Entry, here: &tempfile::TempDir, number: usize) -> Option<String> {
        let path = find_readable(entry, here.path(), &entry.files[number])?;
        Some(path.strip_prefix(here.path()).expect("inside").display().to_string())
    }

    #[test]
    fn files_are_found_under_the_names_that_others_give_them() {
        for name in [
            "train-images-idx3-ubyte",
            "train-images-idx3-ubyte.gz",
            "train-images.idx3-ubyte",
            "MNIST/raw/train-images-idx3-ubyte",
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
        ] {
            assert_eq!(place(&MNIST, &folder(&[name]), 0).as_deref(), Some(name));
        }
        let python = folder(&["cifar-10-batches-py/data_batch_2", "cifar-100-python/test"]);
        assert_eq!(place(&CIFAR_10, &python, 1).as_deref(), Some("cifar-10-batches-py/data_batch_2"));
        assert_eq!(place(&CIFAR_100, &python, 1).as_deref(), Some("cifar-100-python/test"));
        assert_eq!(find(&CIFAR_10, python.path(), &CIFAR_10.files[1]), None, "not the makers' bytes");
    }

    #[test]
    fn the_files_of_another_data_set_are_not_taken() {
        let file = "raw/t10k-labels-idx1-ubyte";
        let here = folder(&[&format!("FashionMNIST/{file}"), &format!("KMNIST/{file}"), &format!("MNIST/{file}")]);
        assert_eq!(place(&MNIST, &here, 3), Some(format!("MNIST/{file}")));
        assert_eq!(place(&FASHION_MNIST, &here, 3), Some(format!("FashionMNIST/{file}")));
        assert_eq!(place(&MNIST, &folder(&[&format!("FashionMNIST/{file}")]), 3), None);
        assert_eq!(listing(here.path()), "FashionMNIST/, KMNIST/, MNIST/");
    }
}
