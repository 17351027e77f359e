//! The shape of the code: layers point one way, files hold one subject, functions stay short.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and the layers it may use. `lib.rs` has the picture.
const LAYERS: &[(&str, &[&str])] = &[
    ("algebra", &[]),
    ("digest", &[]),
    ("platform", &[]),
    ("rng", &[]),
    ("error", &[]),
    ("data", &["digest", "error", "rng"]),
    ("device", &["error", "rng"]),
    ("loss", &[]),
    ("view", &["error", "rng"]),
    ("kernel", &[]),
    ("net", &["error", "kernel", "rng", "view"]),
    ("optim", &["error", "net"]),
    ("health", &["algebra"]),
    ("config", &["error", "net", "optim"]),
    ("method", &["config", "data", "error", "net", "optim", "rng"]),
    ("methods", &["config", "data", "error", "loss", "method", "net", "optim", "rng", "view"]),
    ("probe", &["algebra", "data", "error", "loss", "net", "optim", "platform", "rng", "view"]),
    ("weights", &["error", "net", "rng"]),
    (
        "session",
        &["config", "data", "device", "digest", "error", "health", "method", "net", "platform", "probe", "rng"],
    ),
    ("worker", &["config", "data", "device", "error", "method", "platform", "probe", "session"]),
    ("page", &["config", "device", "error", "method", "platform", "probe", "session", "worker"]),
    (
        "cli",
        &[
            "config", "data", "device", "digest", "error", "method", "net", "platform", "probe", "rng", "session",
            "view", "weights",
        ],
    ),
];

const FILE_LINES: usize = 450;
const FUNCTION_LINES: usize = 60;

fn sources() -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")], Vec::new());
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

#[test]
fn layers_point_down() {
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let layer = layer(&path);
        let Some(allowed) = allowed.get(layer.as_str()) else { continue };
        // tests may look wherever they like
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !used.is_empty() && used != layer && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "layers must not look up or sideways:\n{}", wrong.join("\n"));
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

#[test]
fn files_and_functions_stay_short() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_LINES {
            wrong.push(format!("{} has {} lines", path.display(), lines.len()));
        }
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let opens = [
                "fn ",
                "pub fn ",
                "pub(super) fn ",
                "pub(crate) fn ",
                "async fn ",
                "pub async fn ",
                "pub(super) async fn ",
            ];
            if !opens.iter().any(|open| body.starts_with(open)) || body.ends_with(';') {
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
