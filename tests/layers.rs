//! The shape of the code: layers point one way, files hold one subject, functions stay short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nolabel::methods::METHODS;

/// Each layer and the layers it may use. `lib.rs` has the picture.
const LAYERS: &[(&str, &[&str])] = &[
    ("algebra", &[]),
    ("digest", &[]),
    ("pickle", &[]),
    ("platform", &[]),
    ("rng", &[]),
    ("error", &[]),
    ("options", &["error"]),
    ("data", &["digest", "error", "pickle", "rng"]),
    ("device", &["error", "kernel", "rng"]),
    ("loss", &["kernel"]),
    ("view", &["error", "kernel", "options", "rng"]),
    ("kernel", &[]),
    ("net", &["error", "kernel", "loss", "options", "rng", "view"]),
    ("optim", &["error", "kernel", "net", "options"]),
    ("health", &["algebra"]),
    ("config", &["error", "net", "optim", "options"]),
    ("method", &["config", "data", "error", "net", "optim", "options", "rng"]),
    ("methods", &["config", "data", "error", "loss", "method", "net", "optim", "options", "rng", "view"]),
    ("probe", &["algebra", "data", "error", "loss", "net", "optim", "platform", "rng", "view"]),
    ("weights", &["error", "kernel", "net", "pickle", "rng"]),
    (
        "session",
        &[
            "config", "data", "device", "digest", "error", "health", "method", "net", "optim", "platform", "probe",
            "rng",
        ],
    ),
    ("format", &["method"]),
    (
        "evaluate",
        &[
            "config", "data", "device", "digest", "error", "format", "method", "methods", "net", "probe", "rng",
            "session", "view",
        ],
    ),
    ("report", &["config", "format", "method", "probe", "session"]),
    (
        "worker",
        &[
            "config", "data", "device", "error", "format", "method", "methods", "options", "platform", "probe",
            "report", "session", "weights",
        ],
    ),
    (
        "page",
        &[
            "config", "device", "error", "format", "method", "net", "optim", "options", "platform", "probe", "session",
            "worker",
        ],
    ),
    (
        "cli",
        &[
            "config", "data", "device", "digest", "error", "evaluate", "format", "method", "methods", "net", "options",
            "platform", "probe", "report", "rng", "session", "view", "weights",
        ],
    ),
];

const FILE_LINES: usize = 450;
const FUNCTION_LINES: usize = 60;

fn sources() -> Vec<(PathBuf, String)> {
    sources_of("src")
}

/// Rust files of a folder of the project, with their texts.
fn sources_of(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a text");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// The module directly below the crate's root that a file belongs to.
fn layer(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("a source file");
    let first = inside.iter().next().expect("a name").to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

/// Source text in which comments, strings and characters are blanked, line breaks aside, so that braces and paths in what
/// is left are those of the code.
fn code_only(text: &str) -> String {
    blanked(text, |_| false)
}

/// The same with the strings, less the brackets and semicolons in them, so that those that are left are still the code's.
fn code_and_strings(text: &str) -> String {
    blanked(text, |literal| literal.starts_with('"'))
}

/// Source text in which comments, strings and characters are blanked, except for those that `keep` is true for.
fn blanked(text: &str, keep: impl Fn(&str) -> bool) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_length(rest, code.chars().next_back());
        let (skipped, after) = rest.split_at(length.unwrap_or(first.len_utf8()));
        if length.is_some() {
            let kept = keep(skipped);
            let is_shown = |c: char| c == '\n' || kept && !"()[]{};".contains(c);
            code.extend(skipped.chars().map(|c| if is_shown(c) { c } else { ' ' }));
        } else {
            code.push_str(skipped);
        }
        rest = after;
    }
    code
}

/// The length of the comment, string or character that `rest` begins with; `None` where it begins with code.
fn literal_length(rest: &str, before: Option<char>) -> Option<usize> {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(until("*/", 2));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r').filter(|_| !in_word);
    if let Some(after) = raw {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after[hashes..].starts_with('"') {
            return Some(until(&format!("\"{}", "#".repeat(hashes)), rest.len() - after.len() + hashes + 1));
        }
    }
    if rest.starts_with('"') {
        return Some(escaped_length(rest, '"'));
    }
    let mut letters = rest.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some('\''), Some('\\'), _) => Some(escaped_length(rest, '\'')),
        (Some('\''), Some(letter), Some('\'')) => Some(2 + letter.len_utf8()),
        _ => None, // a lifetime, or code
    }
}

/// The length of a literal up to its closing quote, over escaped characters.
fn escaped_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Code without the items that are compiled for tests alone: tests may use any layer.
fn without_tests(code: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find(ATTRIBUTE) {
        kept.push_str(&rest[..at]);
        rest = &rest[at + ATTRIBUTE.len()..];
        rest = &rest[item_length(rest)..];
    }
    kept + rest
}

/// The length of the item that `code` begins with: up to its closing brace, or its semicolon where there is no body. Further
/// attributes, parameters and types are passed over as brackets.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            // a field or an arm ends where what it stands in does
            ')' | ']' | '}' if depth == 0 => return at,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                // `use a::{b, c};` ends with the semicolon
                if depth == 0 && !code[at + 1..].starts_with(';') {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The layers that code names: `crate::probe::..`, and each of `crate::{config, probe::..}`.
fn used_layers(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    let mut used = Vec::new();
    for path in code.split("crate::").skip(1) {
        match path.strip_prefix('{') {
            None => used.push(word(path)),
            Some(group) => {
                let mut depth = 0_i32;
                let mut start = true;
                for (at, letter) in group.char_indices() {
                    if start && !letter.is_whitespace() {
                        used.push(word(&group[at..]));
                        start = false;
                    }
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        _ => {}
                    }
                }
            }
        }
    }
    used.retain(|layer| !layer.is_empty());
    used
}

#[test]
fn layers_point_down() {
    let layers: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        let Some(allowed) = layers.get(layer.as_str()) else { continue };
        for used in used_layers(&without_tests(&code_only(&text))) {
            // macros live at the root, too
            let is_layer = layers.contains_key(used.as_str());
            if is_layer && used != layer && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "layers must not look up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn code_after_a_test_item_is_seen() {
    let text = r##"
        #[cfg(test)]
        use crate::a::{b, c};
        #[cfg(test)]
        #[allow(dead_code)]
        fn helper(x: [u8; 2]) -> char { if x == *b"}" { '}' } else { crate::d::e() } }
        fn used<'a>() -> &'a str { crate::f::g("crate::h //", '"', r#"crate::i "}"#) } // crate::j
        #[cfg(test)]
        mod tests { use crate::k::l; }
        use crate::{m, n::{o, p}, q};
        #[cfg(test)]
        mod elsewhere;
        use crate::r;
    "##;
    assert_eq!(used_layers(&without_tests(&code_only(text))), ["f", "m", "n", "q", "r"]);
}

#[test]
fn strings_after_a_test_item_are_seen() {
    let text = r##"
        #[cfg(test)]
        fn helper() -> &'static str { "a }" }
        const ID: &str = "b {"; // "c"
        #[cfg(test)]
        mod tests { const ID: &str = "d"; }
    "##;
    let seen = without_tests(&code_and_strings(text));
    assert_eq!(["a", "b", "c", "d"].map(|id| seen.contains(&format!("\"{id}"))), [false, true, false, false]);
}

#[test]
fn every_module_has_its_layer() {
    let known: Vec<_> = LAYERS.iter().map(|(name, _)| *name).collect();
    for (path, _) in sources() {
        let layer = layer(&path);
        let shell = matches!(layer.as_str(), "lib" | "main" | "bin");
        assert!(shell || known.contains(&layer.as_str()), "{} is in no layer", path.display());
    }
}

/// True if the line opens a function, whatever its visibility and qualifiers.
fn opens_function(line: &str) -> bool {
    let head = line.split("fn ").next().unwrap_or_default();
    let qualifier = |word: &str| {
        let visibility = word.starts_with("pub(") || word.ends_with(')');
        visibility || ["pub", "const", "async", "unsafe", "extern", "\"C\""].contains(&word)
    };
    head.len() < line.len() && head.split_whitespace().all(qualifier)
}

#[test]
fn files_and_functions_stay_short() {
    let mut wrong = Vec::new();
    for (path, text) in [sources(), sources_of("cpu-kernels/src")].concat() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_LINES {
            wrong.push(format!("{} has {} lines", path.display(), lines.len()));
        }
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            if !opens_function(body) || body.ends_with(';') {
                continue;
            }
            let closing = format!("{}}}", &line[..line.len() - body.len()]);
            let length = lines[start..].iter().position(|line| *line == closing).map_or(1, |end| end + 1);
            if length > FUNCTION_LINES && !body.ends_with('}') {
                wrong.push(format!("{}:{} is a function of {length} lines", path.display(), start + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "too long:\n{}", wrong.join("\n"));
}

/// Layers that serve any method and so name none.
const SHELLS: [&str; 6] = ["net", "optim", "session", "cli", "page", "worker"];

/// `BarlowTwins`, `barlow_twins` and `barlow-twins` all as `-barlow-twins-`.
fn words(name: &str) -> String {
    let mut words = String::from("-");
    for letter in name.chars() {
        if letter.is_uppercase() && !words.ends_with('-') {
            words.push('-');
        }
        words.extend(if letter == '_' { '-' } else { letter }.to_lowercase());
    }
    words + "-"
}

#[test]
fn no_method_is_named_outside_of_methods() {
    let names: Vec<_> = METHODS
        .iter()
        .flat_map(|entry| {
            let id = entry.info().id;
            [format!("-{id}-"), format!("-{}-", id.replace('-', ""))]
        })
        .collect();
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| SHELLS.contains(&layer(path).as_str())) {
        let code = without_tests(&code_only(&text));
        let idents = code.split(|c: char| !c.is_alphanumeric() && c != '_').map(words);
        for ident in idents.chain([words(&path.file_stem().unwrap_or_default().to_string_lossy())]) {
            if names.iter().any(|name| ident.contains(name.as_str())) {
                wrong.push(format!("{}: {}", path.display(), ident.trim_matches('-')));
            }
        }
        // a text that is an id is a name; texts of help may give examples
        let ids = METHODS.iter().map(|entry| format!("\"{}\"", entry.info().id));
        let shown = without_tests(&code_and_strings(&text));
        wrong.extend(ids.filter(|id| shown.contains(id)).map(|id| format!("{}: {id}", path.display())));
    }
    assert!(wrong.is_empty(), "methods are named:\n{}", wrong.join("\n"));
}

#[test]
fn the_folder_of_methods_holds_the_methods() {
    let aside = ["mod.rs", "shared", "contract_tests.rs", "test_support.rs"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/methods");
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned()).filter(|name| !aside.contains(&name.as_str()));
    let mut found: Vec<_> = names.map(|name| name.trim_end_matches(".rs").replace('_', "-")).collect();
    let mut ids: Vec<_> = METHODS.iter().map(|entry| entry.info().id.to_string()).collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}
