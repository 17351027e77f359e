//! Ctrl-C and its like: the first lets the step under way finish, the second ends the program at once.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::cli::output::exit::{Failure, Outcome, STOPPED};
use crate::cli::output::print;

static STATE: AtomicU8 = AtomicU8::new(NOTHING_TO_SAVE);
/// Said to who stops a run under way.
static TELL: Mutex<Option<Tell>> = Mutex::new(None);
/// Said to who stops the program when all is saved.
static PARTING: Mutex<Option<String>> = Mutex::new(None);
const NOTHING_TO_SAVE: u8 = 0;
const TRAINING: u8 = 1;
const ASKED_TO_STOP: u8 = 2;

type Tell = Box<dyn Fn() + Send>;

/// From now until [`release`] a first Ctrl-C is only noted, and `tell` is called. Of several runs each says so anew.
pub(crate) fn watch(tell: impl Fn() + Send + 'static) -> Outcome {
    set(&TELL, Box::new(tell));
    STATE.store(TRAINING, Ordering::SeqCst);
    match ctrlc::set_handler(heard) {
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        Err(error) => Err(Failure::Failed(format!("Ctrl-C cannot be heard: {error}"))),
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

/// Whether the user wants to stop.
pub(crate) fn requested() -> bool {
    STATE.load(Ordering::SeqCst) == ASKED_TO_STOP
}

/// All is saved: from now on Ctrl-C ends the program at once, with these words.
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
