//! Ctrl-C and its like: the first lets the step under way finish, the second ends the program at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use super::failure::{Failure, Outcome, STOPPED};
use super::print;

static STATE: AtomicU8 = AtomicU8::new(NOTHING_TO_SAVE);
/// What is said to who stops the program when all is saved.
static PARTING: OnceLock<String> = OnceLock::new();
const NOTHING_TO_SAVE: u8 = 0;
const TRAINING: u8 = 1;
const ASKED_TO_STOP: u8 = 2;

/// From now until [`release`] a first Ctrl-C is only noted, and `tell` is called.
pub(super) fn watch(tell: impl Fn() + Send + 'static) -> Outcome {
    let heard = move || match STATE.compare_exchange(TRAINING, ASKED_TO_STOP, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => tell(),
        Err(_) => quit(),
    };
    STATE.store(TRAINING, Ordering::SeqCst);
    ctrlc::set_handler(heard).map_err(|error| Failure::Failed(format!("Ctrl-C cannot be heard: {error}")))
}

/// Whether the user wants to stop.
pub(super) fn requested() -> bool {
    STATE.load(Ordering::SeqCst) == ASKED_TO_STOP
}

/// All is saved: from now on Ctrl-C ends the program at once, with these words.
pub(super) fn release(parting: String) {
    PARTING.get_or_init(|| parting);
    STATE.store(NOTHING_TO_SAVE, Ordering::SeqCst);
}

fn quit() -> ! {
    if let Some(parting) = PARTING.get() {
        print::err(&format!("\n{parting}"));
    }
    std::process::exit(i32::from(STOPPED))
}
