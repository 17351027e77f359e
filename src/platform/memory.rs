//! The allocator of the native programs.

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// The type for a program's `#[global_allocator]`. Training steps allocate the same hundreds of megabytes again and again; the
/// system's allocator returns such blocks to the system each time, and half of a step is spent on getting them back.
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` in mimalloc.h: the milliseconds after which free memory returns to the system.
const PURGE_DELAY: mi_option_t = 15;
const KEEP: std::ffi::c_long = 60_000;

/// Keeps free memory for a minute, for the next steps. By default the allocator returns it within a second, which costs the
/// small preset of rotation a seventh of its time.
pub fn keep() {
    // SAFETY: the call stores a number that the allocator reads when it frees memory, and checks the option's number
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
