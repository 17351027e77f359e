//! The documentation against the repository: links, paths and targets that it names exist, and the README stays short.

use std::fs;
use std::path::{Path, PathBuf};

const README_LINES: usize = 150;
/// First folders of paths within the repository.
const FOLDERS: [&str; 6] = ["src/", "tests/", "scripts/", "docs/", "examples/", ".github/"];

/// One page: its path within the repository and its text.
struct Document {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<Document> {
    let mut found = Vec::new();
    for folder in ["", "docs"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("a text");
                found.push(Document { path, text });
            }
        }
    }
    assert!(found.len() > 10, "the pages of docs/ are among them");
    found
}

/// The targets of Markdown links, less addresses on the web.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    after.filter(|target| !target.contains("://")).collect()
}

/// The anchor that a heading is reached by, as hosts of Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Code spans and the lines of code blocks.
fn code(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (number, part) in text.split("```").enumerate() {
        if number % 2 == 1 {
            found.extend(part.lines().skip(1));
        } else {
            found.extend(part.lines().flat_map(|line| line.split('`').skip(1).step_by(2)));
        }
    }
    found
}

/// The targets of each `make` in a line of a shell, less variables and comments.
fn targets(line: &str) -> Vec<&str> {
    let line = line.split('#').next().unwrap_or_default();
    let commands = line.split("&&").map(str::split_whitespace);
    let makes = commands.filter_map(|mut words| (words.next() == Some("make")).then_some(words));
    makes.flat_map(|words| words.take_while(|word| !word.contains('='))).collect()
}

#[test]
fn the_readme_stays_short() {
    let readme =
        documents().into_iter().find(|page| page.path.ends_with("README.md") && page.path.parent() == Some(root()));
    let lines = readme.expect("a README").text.lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines; move something to docs/");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for page in documents() {
        for link in links(&page.text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { page.path.clone() } else { page.path.parent().expect("a folder").join(file) };
            let Ok(text) = fs::read(&target) else {
                wrong.push(format!("{}: {link}", page.path.display()));
                continue;
            };
            let text = String::from_utf8_lossy(&text);
            let known = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
            if !heading.is_empty() && !known {
                wrong.push(format!("{}: there is no heading for {link}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn paths_in_documents_exist() {
    let mut wrong = Vec::new();
    for page in documents() {
        for span in code(&page.text) {
            let words = span.split_whitespace().filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
            for word in words.filter(|word| !word.contains(['*', '<', '{'])) {
                if !root().join(word.trim_end_matches([',', ';', '.'])).exists() {
                    wrong.push(format!("{}: {word}", page.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "named but not there:\n{}", wrong.join("\n"));
}

#[test]
fn make_targets_in_documents_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let mut known = 0;
    for page in documents() {
        for target in code(&page.text).into_iter().flat_map(targets) {
            let there = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(there, "{}: there is no `make {target}`", page.path.display());
            known += 1;
        }
    }
    assert!(known > 20, "only {known} were found");
}

#[test]
fn the_help_of_make_lists_every_target() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("a list of targets");
    for target in phony.split_whitespace() {
        let described = makefile.lines().any(|line| line.starts_with(&format!("{target}:")) && line.contains(" ## "));
        assert!(described, "`make {target}` has no line in `make help`");
    }
}
