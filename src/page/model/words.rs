//! Numbers as text.

use crate::method::Unit;

/// A count with separated thousands: `60,000`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The text for NaN and infinity.
const NO_NUMBER: &str = "no number";

/// A share of 0 to 1 as `87.5%`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NO_NUMBER.into();
    }
    format!("{:.1}%", share * 100.0).replace('-', "−")
}

/// The difference of two shares in points, with its sign: `+1.2`, `−0.4`, `±0.0`.
pub fn points(difference: f64) -> String {
    if !difference.is_finite() {
        return NO_NUMBER.into();
    }
    let size = format!("{:.1}", (difference * 100.0).abs());
    let sign = match difference {
        _ if size == "0.0" => '±',
        d if d < 0.0 => '−',
        _ => '+',
    };
    format!("{sign}{size}")
}

/// Three significant digits, for numbers of any size: `0.0123`, `1.39`, `512`.
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
    format!("{value:.decimals$}").replace('-', "−")
}

/// A rate with separated thousands: `1,204`.
pub fn rate(per_second: f64) -> String {
    if per_second.is_finite() { count(per_second.max(0.0).round() as usize) } else { NO_NUMBER.into() }
}

/// A duration in its two largest units: `8 s`, `3 min 20 s`, `1 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = if seconds.is_finite() { seconds.max(0.0).round() as u64 } else { return "unknown".into() };
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// A time in the past: `just now`, `3 min ago`, `5 h ago`, `2 days ago`.
pub fn ago(seconds: f64) -> String {
    let minutes = (seconds.max(0.0) / 60.0) as u64;
    match minutes {
        0 => "just now".into(),
        1..120 => format!("{minutes} min ago"),
        120..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// Bytes as megabytes: `7.4 MB`.
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// A value of a measure in its unit.
pub fn measure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Number => number(value),
    }
}

/// The text with a capital first letter.
pub fn title(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (60_000, "60,000"), (1_234_567, "1,234,567")];
        cases.iter().for_each(|&(n, text)| assert_eq!(count(n), text));
    }

    #[test]
    fn numbers_keep_three_digits() {
        let cases = [
            (1.386_294, "1.39"),
            (0.012_345, "0.0123"),
            (512.4, "512"),
            (-0.987_6, "−0.988"),
            (0.0, "0"),
            (3e-9, "3.00e-9"),
        ];
        cases.iter().for_each(|&(value, text)| assert_eq!(number(value), text));
    }

    #[test]
    fn what_is_no_number_is_called_so() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let texts = [number(value), percent(value), points(value), rate(value), measure(Unit::Share, value)];
            assert_eq!(texts, ["no number"; 5]);
        }
        assert_eq!([rate(1203.6), rate(-1.0)], ["1,204", "0"]);
    }

    #[test]
    fn points_carry_their_sign() {
        assert_eq!([points(0.0123), points(-0.004), points(0.0001), points(-0.0001)], ["+1.2", "−0.4", "±0.0", "±0.0"]);
    }

    #[test]
    fn durations_fit_their_size() {
        let cases = [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200.0, "3 min 20 s"), (3900.0, "1 h 5 min")];
        cases.iter().for_each(|&(seconds, text)| assert_eq!(duration(seconds), text));
        assert_eq!(duration(f64::INFINITY), "unknown");
    }

    #[test]
    fn the_past_is_told_in_round_numbers() {
        let cases = [
            (-3.0, "just now"),
            (59.0, "just now"),
            (180.0, "3 min ago"),
            (7200.0, "2 h ago"),
            (172_800.0, "2 days ago"),
        ];
        cases.iter().for_each(|&(seconds, text)| assert_eq!(ago(seconds), text));
    }

    #[test]
    fn measures_are_written_in_their_unit() {
        assert_eq!(measure(Unit::Share, 0.25), "25.0%");
        assert_eq!(measure(Unit::Share, -0.027), "−2.7%");
        assert_eq!(measure(Unit::Number, 0.25), "0.250");
        assert_eq!(title("rotation accuracy"), "Rotation accuracy");
    }
}
