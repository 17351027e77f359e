//! Time and scheduling on a desktop.

use std::sync::OnceLock;
use std::time::Instant;

/// Seconds since the first call; monotonic.
pub fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Does nothing: a desktop has threads, and no event loop that waits for its turn.
pub async fn yield_now() {}
