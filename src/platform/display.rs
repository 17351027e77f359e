//! The environment in which graphics libraries look for a display.

#[cfg(all(unix, not(target_os = "macos")))]
use std::env;
#[cfg(all(unix, not(target_os = "macos")))]
use std::path::Path;

/// A path that no socket can have: `/dev/null` is no folder.
#[cfg(all(unix, not(target_os = "macos")))]
const NO_DISPLAY: &str = "/dev/null/no-wayland-display";

/// Keeps `error: XDG_RUNTIME_DIR is invalid or not set in the environment.` from appearing in front of a program's output. On a
/// machine without a session, libwayland prints it when the Vulkan loader asks Mesa's device selection for a display.
///
/// Only where no connection to Wayland can succeed is the display named, with a path on which nothing can lie: everything
/// stays as it was but for the message.
///
/// To be called at the very start of a program, before it has a second thread.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn silence_wayland() {
    let is_absolute = |name| env::var_os(name).is_some_and(|path| Path::new(&path).is_absolute());
    let reachable = is_absolute("XDG_RUNTIME_DIR") || is_absolute("WAYLAND_DISPLAY");
    if !reachable && env::var_os("WAYLAND_SOCKET").is_none() {
        // SAFETY: no other thread reads the environment, for there is none yet
        unsafe { env::set_var("WAYLAND_DISPLAY", NO_DISPLAY) }
    }
}

/// Does nothing: there is no Wayland.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn silence_wayland() {}
