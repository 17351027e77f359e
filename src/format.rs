//! Numbers for people.

use crate::method::{Metric, Unit};

/// `8.1s`, `4m12s`, `3h07m`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1}s", seconds.max(0.0)),
        10..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

/// `88.2 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `1 step`, `7 steps`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// `60,000`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A method's own measure with its name.
pub(crate) fn measure(metric: &Metric, value: f64) -> String {
    format!("{} {}", metric.name, measured(metric.unit, value))
}

/// The value alone.
pub(crate) fn measured(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Number => format!("{value:.4}"),
    }
}

/// The text broken into lines of at most `width` characters.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// A cell of a CSV file, in quotes where it must be (RFC 4180).
pub(crate) fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// A word of the command line, in quotes where the shell would split it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The command that is under way, as it was given.
pub(crate) fn again() -> String {
    let words = std::env::args().skip(1).map(|word| quoted(&word));
    std::iter::once("nolabel".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_grow_coarser() {
        let said = [0.04, 9.4, 59.4, 59.6, 252.0, 3599.6, 11_220.0].map(duration);
        assert_eq!(said, ["0.0s", "9.4s", "59s", "1m00s", "4m12s", "1h00m", "3h07m"]);
    }

    #[test]
    fn numbers_are_grouped_and_things_counted() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((count(1, "step"), count(2000, "step")), ("1 step".into(), "2,000 steps".into()));
    }

    #[test]
    fn shares_are_written_in_percent() {
        let metric = |name, unit| Metric { name, chance: None, unit };
        assert_eq!(measure(&metric("rotation accuracy", Unit::Share), 0.4375), "rotation accuracy 43.8 %");
        assert_eq!(measure(&metric("cosine", Unit::Number), 0.4375), "cosine 0.4375");
    }

    #[test]
    fn lines_break_between_words_and_shells_get_quotes() {
        assert_eq!(wrap("one two  three\nfour", 9), "one two\nthree\nfour");
        assert_eq!(["a b", "a, \"b\""].map(csv_field), ["a b", r#""a, ""b""""#]);
        assert_eq!([quoted("runs/a-1"), quoted("my runs"), quoted("it's")], ["runs/a-1", "'my runs'", r"'it'\''s'"]);
    }
}
