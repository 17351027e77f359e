//! Desktop.

use std::sync::OnceLock;
use std::time::Instant;

/// Seconds since some fixed moment; never runs backwards.
pub fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Lets the host do other things; a desktop has threads for that.
pub async fn yield_now() {}
