//! Texts about a run saved in the browser.

use crate::format;
use crate::worker::protocol::SavedRun;

/// Offer to continue the saved run. `method` and `data` are display names; `now` is in milliseconds since 1970.
pub fn offer(saved: &SavedRun, method: &str, data: &str, now: f64) -> String {
    let steps = format::thousands(saved.step);
    let how_far = if saved.finished { format!("finished after {steps} steps") } else { format!("at step {steps}") };
    let ago = format::ago((now - saved.saved) / 1000.0);
    let damage = if saved.damaged { " Its last state is damaged; this is the one before." } else { "" };
    format!(
        "This browser has a saved run: {method} on {data}, {how_far}, saved {ago}.{damage} Starting another run keeps it."
    )
}

/// Label of the button that continues the saved run.
pub fn resume_label(saved: &SavedRun) -> &'static str {
    if saved.finished { "Show it again" } else { "Continue it" }
}

/// The saved part of the current run.
pub fn safe(saved: &SavedRun) -> String {
    if saved.finished {
        return "The whole run is saved in this browser: a reload or a closed tab loses nothing.".into();
    }
    let steps = format::thousands(saved.step);
    format!("Saved in this browser up to step {steps}: a reload or a closed tab loses at most what came after.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_says_what_how_far_and_when() {
        let saved = SavedRun {
            id: 1,
            method: "rotation".into(),
            data: "fashion-mnist".into(),
            step: 1200,
            finished: false,
            saved: 1_000_000.0,
            damaged: false,
        };
        let said = |saved: &SavedRun| offer(saved, "RotNet", "Fashion-MNIST", 1_200_000.0);
        assert!(
            said(&saved)
                .contains("RotNet on Fashion-MNIST, at step 1,200, saved 3 min ago. Starting another run keeps it")
        );
        assert_eq!(resume_label(&saved), "Continue it");
        let ended = SavedRun { finished: true, damaged: true, ..saved.clone() };
        assert!(said(&ended).contains("finished after 1,200 steps") && said(&ended).contains("the one before"));
        assert_eq!(resume_label(&ended), "Show it again");
        assert!(safe(&saved).contains("step 1,200") && safe(&ended).contains("whole run"));
    }
}
