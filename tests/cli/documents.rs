//! The commands in the documentation: the program knows each of them and every argument.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Lab;

/// The lines of code blocks for a shell, lines that end with a backslash joined, less comments.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2).filter(|block| block.starts_with("sh\n"));
    let joined = blocks.map(|block| block.replace("\\\n", " ")).collect::<Vec<_>>().join("\n");
    let lines = joined.lines().flat_map(|line| line.split(" #").next().unwrap_or_default().split("&&"));
    lines.map(|line| line.trim().to_string()).filter(|line| line.starts_with("nolabel ")).collect()
}

#[test]
fn commands_in_documents_are_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let pages = pages.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let (lab, mut helps, mut count) = (Lab::new(), BTreeMap::new(), 0);
    for page in pages {
        for command in commands(&fs::read_to_string(&page).expect("a text")) {
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            let name = words.first().expect("a command").to_string();
            let help = helps.entry(name.clone()).or_insert_with(|| lab.run(&format!("help {name}")));
            assert_eq!(help.code, Some(0), "{}: {command}\n{}", page.display(), help.err);
            let arguments = words.iter().filter(|word| word.starts_with("--"));
            for argument in arguments.map(|word| word.split('=').next().unwrap_or_default()) {
                let known = help.out.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == argument);
                assert!(known, "{}: {command}\n`nolabel {name}` has no {argument}", page.display());
            }
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}
