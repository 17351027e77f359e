//! Numbers and text for people, the same in the command line and on the page.

use crate::method::{Better, Metric, Unit};

/// The sign of negative numbers: as wide as a plus, unlike the hyphen.
const MINUS: &str = "−";

/// The text for NaN and infinity.
const NO_NUMBER: &str = "no number";

/// Time no finer than anybody cares: `8.1 s`, `4 min 12 s`, `3 h 7 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".into();
    }
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// Time since an event: `just now`, `3 min ago`, `5 h ago`, `2 days ago`.
pub fn ago(seconds: f64) -> String {
    let minutes = (seconds.max(0.0) / 60.0) as u64;
    match minutes {
        0 => "just now".into(),
        1..120 => format!("{minutes} min ago"),
        120..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// A share of 0 to 1: `88.2 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NO_NUMBER.into();
    }
    format!("{:.1} %", 100.0 * share).replace('-', MINUS)
}

/// The difference of two shares in percentage points, with its sign: `+1.2`, `−0.4`, `±0.0`.
pub fn points(difference: f64) -> String {
    if !difference.is_finite() {
        return NO_NUMBER.into();
    }
    let size = format!("{:.1}", (difference * 100.0).abs());
    let sign = match difference {
        _ if size == "0.0" => "±",
        difference if difference < 0.0 => MINUS,
        _ => "+",
    };
    format!("{sign}{size}")
}

/// A number of any size to three significant digits: `0.0123`, `1.39`, `512`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return NO_NUMBER.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..7.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = (2.0 - magnitude).max(0.0) as usize;
    format!("{value:.decimals$}").replace('-', MINUS)
}

/// A rate with separated thousands: `1,204`.
pub fn rate(per_second: f64) -> String {
    if per_second.is_finite() { thousands(per_second.max(0.0).round() as usize) } else { NO_NUMBER.into() }
}

/// A number of things: `1 step`, `7 steps`.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// The training of an encoder: `trained by simsiam on fashion-mnist for 1,170 steps`.
pub fn training(method: &str, data: &str, steps: usize) -> String {
    format!("trained by {method} on {data} for {}", count(steps, "step"))
}

/// A whole number with separated thousands: `60,000`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as megabytes: `7.4 MB`.
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A method's own metric with its name: `rotation accuracy 43.8 %`.
pub fn measure(metric: &Metric, value: f64) -> String {
    format!("{} {}", metric.name, measured(metric.unit, value))
}

/// The value of a metric alone.
pub fn measured(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Number => number(value),
    }
}

/// The value to compare a metric with, and the direction in which it improves: `Guessing: 25.0 %; higher is better.`
pub fn baseline(words: &str, better: Better, chance: Option<f64>, unit: Unit) -> String {
    match chance {
        Some(chance) => format!("{}: {}; {}.", title(words), measured(unit, chance), better.words()),
        None => format!("{}; {words}.", title(better.words())),
    }
}

/// Text with its first letter in upper case.
pub fn title(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Text broken into lines of at most `width` characters.
pub fn wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
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
pub fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// A word of the command line, in quotes where the shell would split it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The command line of this process, to be copied into a shell.
pub fn again() -> String {
    again_without("")
}

/// The same without an argument.
pub fn again_without(argument: &str) -> String {
    let words = std::env::args().skip(1).filter(|word| word != argument).map(|word| quoted(&word));
    std::iter::once("nolabel".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_grow_coarser() {
        let said = [0.04, 9.4, 59.4, 59.6, 252.0, 3599.6, 11_220.0].map(duration);
        assert_eq!(said, ["0.0 s", "9.4 s", "59 s", "1 min 0 s", "4 min 12 s", "1 h 0 min", "3 h 7 min"]);
        assert_eq!(duration(f64::INFINITY), "unknown");
    }

    #[test]
    fn the_past_is_told_in_round_numbers() {
        let said = [-3.0, 59.0, 180.0, 7200.0, 172_800.0].map(ago);
        assert_eq!(said, ["just now", "just now", "3 min ago", "2 h ago", "2 days ago"]);
    }

    #[test]
    fn numbers_are_grouped_and_things_counted() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([count(1, "step"), count(2000, "step")], ["1 step", "2,000 steps"]);
        assert_eq!(megabytes(7_350_000.0), "7.3 MB");
    }

    #[test]
    fn numbers_keep_three_digits() {
        let said = [1.386_294, 0.012_345, 512.4, -0.987_6, 0.0, 3e-9].map(number);
        assert_eq!(said, ["1.39", "0.0123", "512", "−0.988", "0", "3.00e-9"]);
        assert_eq!([1203.6, -1.0].map(rate), ["1,204", "0"]);
    }

    #[test]
    fn values_that_are_no_number_are_named_so() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let texts = [number(value), percent(value), points(value), rate(value), measured(Unit::Share, value)];
            assert_eq!(texts, ["no number"; 5]);
        }
    }

    #[test]
    fn points_carry_their_sign() {
        assert_eq!([0.0123, -0.004, 0.0001, -0.0001].map(points), ["+1.2", "−0.4", "±0.0", "±0.0"]);
    }

    #[test]
    fn metrics_are_written_in_their_unit() {
        let metric = |name, unit| Metric { name, better: Better::Higher, baseline: "guessing", chance: None, unit };
        assert_eq!(measure(&metric("rotation accuracy", Unit::Share), 0.4375), "rotation accuracy 43.8 %");
        assert_eq!(measure(&metric("cosine", Unit::Number), -0.4375), "cosine −0.438");
        assert_eq!(measured(Unit::Share, -0.027), "−2.7 %");
    }

    #[test]
    fn a_baseline_says_which_direction_is_good() {
        let said = |chance| baseline("guessing", Better::Higher, chance, Unit::Share);
        assert_eq!(said(Some(0.25)), "Guessing: 25.0 %; higher is better.");
        assert_eq!(said(None), "Higher is better; guessing.");
        let error = baseline("always giving the same answer", Better::Lower, Some(1.0), Unit::Share);
        assert_eq!(error, "Always giving the same answer: 100.0 %; lower is better.");
    }

    #[test]
    fn lines_break_between_words_and_shells_get_quotes() {
        assert_eq!(wrap("one two  three\nfour", 9), "one two\nthree\nfour");
        assert_eq!(["a b", "a, \"b\""].map(csv_field), ["a b", r#""a, ""b""""#]);
        assert_eq!([quoted("runs/a-1"), quoted("my runs"), quoted("it's")], ["runs/a-1", "'my runs'", r"'it'\''s'"]);
        assert_eq!(title("rotation accuracy"), "Rotation accuracy");
    }
}
