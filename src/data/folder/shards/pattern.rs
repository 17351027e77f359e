//! The names of shards: a folder, a file, or a pattern with braces such as `train-{000000..000127}.tar`.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::content;
use crate::error::{Error, Result};

/// Most names that a pattern may stand for.
const MOST: usize = 1_000_000;
/// Missing shards that are named in a sentence.
const NAMED: usize = 5;
/// Endings of shards.
const ENDS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// The shards that a pattern stands for: those of a folder in the order of their names, or those of the braces in their order.
///
/// # Errors
/// When there is none, or one of those named is missing.
pub(super) fn shards(pattern: &Path) -> Result<Vec<PathBuf>> {
    if pattern.is_dir() {
        return in_folder(pattern);
    }
    let names = expand(&pattern.to_string_lossy())?;
    let missing: Vec<&String> = names.iter().filter(|name| !Path::new(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(names.iter().map(PathBuf::from).collect());
    }
    let (count, there) = (names.len(), names.len() - missing.len());
    if count == 1 {
        return Err(Error::Data(format!("there is no tar file and no folder {}", pattern.display())));
    }
    let named: Vec<&str> = missing.iter().take(NAMED).map(|name| name.as_str()).collect();
    let more = if missing.len() > NAMED { format!(" and {} more", missing.len() - NAMED) } else { String::new() };
    let (named, pattern) = (named.join(", "), pattern.display());
    Err(Error::Data(format!("{pattern} stands for {count} shards, of which {there} are there; missing: {named}{more}")))
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let path = entry.map_err(Error::file(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if !content::is_litter(&name) && ENDS.iter().any(|end| name.ends_with(end)) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        let ends = ENDS.join(", ");
        return Err(Error::Data(format!("{} holds no shard, which is a file of {ends}", folder.display())));
    }
    Ok(found)
}

/// All texts that a text with braces stands for, as in a shell: `{a,b}` and `{008..010}`, also several and nested ones.
///
/// # Errors
/// When a brace is not closed, or there are too many texts.
fn expand(text: &str) -> Result<Vec<String>> {
    let Some(open) = text.find('{') else { return Ok(vec![text.to_string()]) };
    let close = closing(&text[open..]).ok_or_else(|| Error::Data(format!("{text}: a brace is not closed")))? + open;
    let too_many = || Error::Data(format!("{text} stands for more than {MOST} shards"));
    let inner = &text[open + 1..close];
    let parts = match range(inner) {
        Some((first, last, width)) if first.abs_diff(last) < MOST as u64 => {
            let number = |number: u64| format!("{number:0width$}");
            if first <= last {
                (first..=last).map(number).collect()
            } else {
                (last..=first).rev().map(number).collect()
            }
        }
        Some(_) => return Err(too_many()),
        None => alternatives(inner).into_iter().map(expand).collect::<Result<Vec<_>>>()?.concat(),
    };
    let rest = expand(&text[close + 1..])?;
    if parts.len().saturating_mul(rest.len()) > MOST {
        return Err(too_many());
    }
    let whole = |part: &String| rest.iter().map(|rest| format!("{}{part}{rest}", &text[..open])).collect::<Vec<_>>();
    Ok(parts.iter().flat_map(whole).collect())
}

/// The place of the brace that closes the one at the start.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(place, letter)| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(place)
    })
}

/// First and last number of `008..127`, and the digits that each has at least.
fn range(inner: &str) -> Option<(u64, u64, usize)> {
    let (first, last) = inner.split_once("..")?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let width = if first.starts_with('0') || last.starts_with('0') { first.len().max(last.len()) } else { 0 };
    (all_digits(first) && all_digits(last)).then_some(())?;
    Some((first.parse().ok()?, last.parse().ok()?, width))
}

/// The parts between commas outside of inner braces.
fn alternatives(inner: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (place, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_what_they_do_in_a_shell() {
        let cases: [(&str, &[&str]); 6] = [
            ("a.tar", &["a.tar"]),
            ("t-{008..010}.tar", &["t-008.tar", "t-009.tar", "t-010.tar"]),
            ("{2..0}", &["2", "1", "0"]),
            ("{a,b}{1..2}", &["a1", "a2", "b1", "b2"]),
            ("x{,y{0..1},z}", &["x", "xy0", "xy1", "xz"]),
            ("{9..11}", &["9", "10", "11"]),
        ];
        for (pattern, names) in cases {
            assert_eq!(expand(pattern).expect(pattern), names, "{pattern}");
        }
        for (pattern, words) in
            [("t-{0..3.tar", "not closed"), ("{0..99999999999}", "more than"), ("{0..9999}{0..9999}", "more than")]
        {
            let refused = expand(pattern).expect_err(pattern).to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn a_missing_shard_is_named() {
        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        for name in ["t-0.tar", "t-2.tar", "t-3.tgz", ".t-4.tar", "list.txt"] {
            fs::write(at(name), "").expect("a file");
        }
        assert_eq!(shards(here.path()).expect("three"), ["t-0.tar", "t-2.tar", "t-3.tgz"].map(at));
        assert_eq!(shards(&at("t-{2,0}.tar")).expect("two"), ["t-2.tar", "t-0.tar"].map(at));
        let refused = |name: &str| shards(&at(name)).expect_err("none").to_string();
        let said = refused("t-{0..9}.tar");
        assert!(said.contains("stands for 10 shards, of which 2 are there") && said.contains("and 3 more"), "{said}");
        assert!(refused("u.tar").contains("no tar file and no folder"));
        fs::create_dir(at("empty")).expect("a folder");
        assert!(refused("empty").contains("holds no shard"));
    }
}
