//! Where the native programs get their memory from.

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// To be a program's `#[global_allocator]`. A training step asks for the same hundreds of megabytes again and again; the
/// system's allocator hands such blocks back to the system each time, and half of a step goes by until they are there again.
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` in mimalloc.h: the milliseconds after which what nobody uses goes back to the system.
const PURGE_DELAY: mi_option_t = 15;
const KEEP: std::ffi::c_long = 60_000;

/// Has free memory kept for a minute, for steps to come. By itself the allocator gives it back within a second, which costs
/// rotation's small preset a seventh of its time.
pub fn keep() {
    // SAFETY: sets a number that the allocator reads when it frees; it checks the option's own.
    unsafe { mi_option_set(PURGE_DELAY, KEEP) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_delay() {
        // SAFETY: as in `keep`.
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(get(), 1000, "what mimalloc 3 begins with");
        keep();
        assert_eq!(get(), KEEP);
    }
}
