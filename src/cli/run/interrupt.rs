//! Ctrl-C and other signals: the first ends the run after the current step, the second ends the program at once.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::cli::output::exit::{Failure, Outcome, STOPPED};
use crate::cli::output::print;

static STATE: AtomicU8 = AtomicU8::new(NOTHING_TO_SAVE);
/// Called when the user stops a run.
static TELL: Mutex<Option<Tell>> = Mutex::new(None);
/// Printed when the user stops the program after everything was saved.
static PARTING: Mutex<Option<String>> = Mutex::new(None);
const NOTHING_TO_SAVE: u8 = 0;
const TRAINING: u8 = 1;
const ASKED_TO_STOP: u8 = 2;

type Tell = Box<dyn Fn() + Send>;

/// From now until [`release`] the first Ctrl-C only sets a flag and calls `tell`.
pub(crate) fn watch(tell: impl Fn() + Send + 'static) -> Outcome {
    set(&TELL, Box::new(tell));
    STATE.store(TRAINING, Ordering::SeqCst);
    match ctrlc::set_handler(heard) {
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        Err(error) => Err(Failure::Failed(format!("Ctrl-C cannot be handled: {error}"))),
    }
}

fn heard() {
    match STATE.compare_exchange(TRAINING, ASKED_TO_STOP, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => {
            let tell = TELL.lock().unwrap_or_else(PoisonError::into_inner);
            tell.iter().for_each(|tell| tell());
        }
        Err(_) => quit(),
    }
}

fn set<T>(place: &Mutex<Option<T>>, value: T) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

/// True if the user asked to stop.
pub(crate) fn requested() -> bool {
    STATE.load(Ordering::SeqCst) == ASKED_TO_STOP
}

/// Everything is saved: from now on Ctrl-C prints `parting` and ends the program at once.
pub(crate) fn release(parting: String) {
    set(&PARTING, parting);
    STATE.store(NOTHING_TO_SAVE, Ordering::SeqCst);
}

fn quit() -> ! {
    if let Some(parting) = PARTING.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        print::err(&format!("\n{parting}"));
    }
    std::process::exit(i32::from(STOPPED))
}
