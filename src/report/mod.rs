//! Runs as self-contained HTML pages: charts, pictures, tables and sections, for the command line and for the page.

pub mod chart;
pub mod history;
pub mod image;
pub mod probes;
mod run;
mod samples;
pub mod standing;

pub use run::RunReport;
pub use samples::samples;

use serde_json::Value;

use crate::config::RunConfig;
use crate::format;
use crate::method::Info;
use crate::session::event::Started;

const STYLE: &str = include_str!("style.css");

/// A page without external files, in the common style and its own `style`.
pub fn document(title: &str, style: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

/// A section of a page with its heading.
pub fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>")
}

/// Text escaped for HTML.
pub fn escape(text: &str) -> String {
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
pub fn small(interval: [f64; 2]) -> String {
    let [low, high] = interval.map(|share| format!("{:.1}", 100.0 * share));
    format!("<small>{low} to {high}</small>")
}

/// Text escaped for HTML, with text between backquotes as code.
pub fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(place, part)| if place % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) })
        .collect()
}

/// An entry of a list of facts.
pub fn fact(name: &str, value: &str) -> String {
    format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value))
}

/// The top of a report: `title`, the task in a sentence, `verdicts`, and facts about the run after `taken` steps in `seconds`.
pub fn header(title: &str, task: &str, started: &Started, verdicts: &str, taken: usize, seconds: f64) -> String {
    let config = &started.config;
    let [all, total] = [taken, started.total_steps].map(format::thousands);
    let facts = [
        ("Preset", config.preset.to_string()),
        ("Seed", config.seed.to_string()),
        ("Training images", format::thousands(started.images)),
        ("Steps", if taken < started.total_steps { format!("{all} of {total}") } else { all }),
        ("Training took", format::duration(seconds)),
        ("Device", started.device.clone()),
        ("Trainable parameters", format::thousands(started.parameters)),
    ];
    let facts: String = facts.iter().map(|(name, value)| fact(name, value)).collect();
    format!(
        "<header><p class=\"name\">nolabel · report of a run</p><h1>{}</h1><p class=\"lead\">{} No label was shown while \
         training.</p>{verdicts}<dl class=\"facts\">{facts}</dl></header>",
        escape(title),
        escape(task)
    )
}

/// Every setting of a run with its value as text.
pub fn settings(config: &RunConfig) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let short = |key: &str| key.strip_prefix("options.").unwrap_or(key).to_string();
    config.settings().iter().map(|(key, value)| (short(key), text(value))).collect()
}

/// The section on how to repeat a run: `how` in HTML, the paper, and all settings.
pub fn reproduce(how: &str, info: &Info, entries: &[(String, String)]) -> String {
    let entries: String = entries.iter().map(|(name, value)| fact(name, value)).collect();
    let body = format!(
        "{how}<p>The method: {}, {}. <a href=\"{}\">The paper</a>.</p><h3>All settings</h3><dl class=\"settings\">{entries}</dl>",
        escape(info.paper),
        info.year,
        escape(info.url),
    );
    section("Reproduce it", &body)
}

/// The section on what the network was given and answered.
pub fn views(info: &Info, samples: &str) -> String {
    section("Views and predictions", &format!("<p>{}</p>{samples}", with_code(info.lesson)))
}
