//! Damage: what discs, downloads, editors and people do to files.

use nolabel::rng::Rng;
use rand::RngExt;

/// Bytes by which a file may grow.
const MAX_GROWTH: usize = 1 << 20;
/// Numbers and values that a text of settings or measurements should not hold.
const ODD_VALUES: [&str; 16] = [
    "-1",
    "0",
    "1e308",
    "-1e308",
    "1e999",
    "NaN",
    "nan",
    "inf",
    "99999999999999999999",
    "18446744073709551615",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "0.1",
];

/// A way to damage a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The end is missing.
    Truncated,
    /// One to eight bits are not as they were.
    Flipped,
    /// One to eight bytes are those of a huge number, or a number in a text is.
    Huge,
    /// A piece is there several times.
    Repeated,
    /// A piece is missing.
    Removed,
    /// Something follows the end.
    Trailing,
}

/// All ways, in the order in which the copies of a file take turns.
pub const DAMAGES: [Damage; 6] =
    [Damage::Truncated, Damage::Flipped, Damage::Huge, Damage::Repeated, Damage::Removed, Damage::Trailing];

impl Damage {
    /// A damaged copy.
    pub fn apply(self, original: &[u8], is_text: bool, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = original.to_vec();
        match self {
            Damage::Truncated => bytes.truncate(place(bytes.len(), rng)),
            Damage::Flipped => {
                for _ in 0..rng.random_range(1..=8) {
                    let at = place(bytes.len(), rng);
                    bytes[at] ^= 1 << rng.random_range(0..8);
                }
            }
            Damage::Huge if is_text => odd_value(&mut bytes, rng),
            Damage::Huge => huge(&mut bytes, rng),
            Damage::Repeated => {
                let (from, to) = piece(bytes.len(), rng);
                let piece = bytes[from..to].to_vec();
                let most = (MAX_GROWTH / piece.len()).clamp(1, 1000);
                let times = if rng.random_bool(0.2) { most } else { rng.random_range(1..=3) };
                bytes.splice(to..to, piece.repeat(times));
            }
            Damage::Removed => {
                let (from, to) = piece(bytes.len(), rng);
                bytes.drain(from..to);
            }
            Damage::Trailing => trail(&mut bytes, rng),
        }
        bytes
    }
}

/// A place in a file: near one of its ends, where headers and tables are, as often as anywhere.
fn place(length: usize, rng: &mut Rng) -> usize {
    let near = length.min(512);
    match rng.random_range(0..4) {
        0 => rng.random_range(0..near),
        1 => length - 1 - rng.random_range(0..near),
        _ => rng.random_range(0..length),
    }
}

/// A piece of a file, more often short than long.
fn piece(length: usize, rng: &mut Rng) -> (usize, usize) {
    let from = place(length, rng);
    let longest = (length - from).min(1 << rng.random_range(0..16));
    (from, from + rng.random_range(1..=longest))
}

/// Writes the bytes of a huge number over those that are there.
fn huge(bytes: &mut [u8], rng: &mut Rng) {
    let width = 1 << rng.random_range(0..4);
    let at = place(bytes.len(), rng).min(bytes.len().saturating_sub(width));
    let number: u64 = match rng.random_range(0..4) {
        0 => u64::MAX,
        1 => i64::MAX as u64,
        2 => 1 << 40,
        _ => 0x7fff_fff0,
    };
    let mut number = if width == 8 { number.to_le_bytes() } else { u64::MAX.to_le_bytes() };
    if rng.random_bool(0.5) {
        number.reverse();
    }
    for (byte, new) in bytes[at..].iter_mut().zip(&number[..width]) {
        *byte = *new;
    }
}

/// Writes an odd value over one of a text's numbers or words, or opens a thousand brackets there.
fn odd_value(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let is_value = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'"');
    let start = place(bytes.len(), rng);
    let from = bytes[start..].iter().position(is_value).map_or(start, |skipped| start + skipped);
    let length = bytes[from..].iter().take_while(|byte| is_value(byte)).count();
    let value = match rng.random_range(0..20) {
        0 => "[".repeat(1 + rng.random_range(0..200_000)),
        1 => "{\"a\":".repeat(1 + rng.random_range(0..50_000)),
        2 => "9".repeat(1 + rng.random_range(0..5_000)),
        _ => ODD_VALUES[rng.random_range(0..ODD_VALUES.len())].to_string(),
    };
    bytes.splice(from..from + length, value.into_bytes());
}

fn trail(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let count = 1 << rng.random_range(0..14);
    match rng.random_range(0..3) {
        0 => bytes.extend(std::iter::repeat_n(0, count)),
        1 => bytes.extend((0..count).map(|_| rng.random_range(0..=255u8))),
        // one file written behind another
        _ => bytes.extend_from_within(..count.min(bytes.len())),
    }
}
