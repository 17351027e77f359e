//! Self-contained HTML pages: the parts of reports, comparisons and sample pages.

pub(crate) mod chart;
pub(crate) mod image;
mod samples;

use std::path::{Path, PathBuf};

pub(crate) use samples::samples;

const STYLE: &str = include_str!("style.css");

/// A page without external files, in the common style and its own `style`.
pub(in crate::cli) fn document(title: &str, style: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

/// The default path of a page: in a run's folder, or next to a single checkpoint and named after it.
pub(in crate::cli) fn beside(run: &Path, page: &str) -> PathBuf {
    if run.is_file() { run.with_extension(page) } else { run.join(page) }
}

/// A section of a page with its heading.
pub(in crate::cli) fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>")
}

/// Text escaped for HTML.
pub(in crate::cli) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// An interval in small print.
pub(in crate::cli) fn small(interval: [f64; 2]) -> String {
    let [low, high] = interval.map(|share| format!("{:.1}", 100.0 * share));
    format!("<small>{low} to {high}</small>")
}

/// Text escaped for HTML, with text between backquotes as code.
pub(in crate::cli) fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) })
        .collect()
}

/// An entry of a list of facts.
pub(in crate::cli) fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))
}
