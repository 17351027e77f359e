//! A limit for images in memory, checked before the first of them is read.

use std::fs;

use crate::error::{Error, Result};

/// The share of the machine's memory that images may take.
const SHARE: f64 = 0.75;
/// Memory assumed if the system does not report it.
const ASSUMED: u64 = 16 << 30;

/// Refuses `images` in colour, `side` pixels wide, if they would not fit into memory.
///
/// # Errors
/// When they would.
pub(super) fn check(images: usize, side: usize) -> Result<()> {
    let memory = memory();
    let needed = (images as u64).saturating_mul(3 * (side * side) as u64);
    if needed as f64 <= SHARE * memory as f64 {
        return Ok(());
    }
    let [needed, memory] = [needed, memory].map(|bytes| format!("{:.1} GB", bytes as f64 / 1e9));
    Err(Error::Data(format!(
        "{images} images of {side}x{side} pixels need {needed}, but there are {memory} of memory, of which they may take \
         three quarters; make them smaller with `,size=`, or take fewer"
    )))
}

/// Bytes of memory of this machine, or of the container around this process.
fn memory() -> u64 {
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    let machine = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(total);
    machine.unwrap_or(ASSUMED).min(container)
}

/// The total in Linux's `/proc/meminfo`.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_needed_size_is_told_where_it_is_too_large() {
        check(60_000, 32).expect("184 MB");
        let said = check(2_000_000_000, 1000).expect_err("more than there is anywhere").to_string();
        assert!(said.contains("6000000.0 GB") && said.contains(",size="), "{said}");
        check(usize::MAX, 1024).expect_err("no overflow");
    }

    #[test]
    fn the_systems_table_is_read() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24576 kB\n"), Some(24 << 20));
        assert_eq!(total("MemTotal: much"), None);
    }
}
