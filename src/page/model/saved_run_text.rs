//! What is said of a run that the browser keeps.

use super::words;
use crate::worker::protocol::Kept;

/// What there is, for somebody who comes back. `method` and `data` are names among people; `now` is in milliseconds since
/// 1970.
pub fn offer(kept: &Kept, method: &str, data: &str, now: f64) -> String {
    let steps = words::count(kept.step);
    let how_far = if kept.finished { format!("finished after {steps} steps") } else { format!("at step {steps}") };
    let ago = words::ago((now - kept.saved) / 1000.0);
    let damage = if kept.damaged { " The last state of it is damaged; this is the one before." } else { "" };
    format!(
        "This browser keeps a run: {method} on {data}, {how_far}, saved {ago}.{damage} Starting another run replaces it."
    )
}

/// What the button says that takes it up.
pub fn taking_up(kept: &Kept) -> &'static str {
    if kept.finished { "Show it again" } else { "Go on with it" }
}

/// What is safe of the run on show.
pub fn safe(kept: &Kept) -> String {
    if kept.finished {
        return "The whole run is kept in this browser: a reload or a closed tab loses nothing.".into();
    }
    let steps = words::count(kept.step);
    format!("Kept in this browser up to step {steps}: a reload or a closed tab loses at most what came after.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_says_what_how_far_and_when() {
        let (method, data) = ("rotation".to_string(), "fashion-mnist".to_string());
        let kept = Kept { method, data, step: 1200, finished: false, saved: 1_000_000.0, damaged: false };
        let said = |kept: &Kept| offer(kept, "RotNet", "Fashion-MNIST", 1_200_000.0);
        assert!(said(&kept).contains("RotNet on Fashion-MNIST, at step 1,200, saved 3 min ago. Starting another"));
        assert_eq!(taking_up(&kept), "Go on with it");
        let ended = Kept { finished: true, damaged: true, ..kept.clone() };
        assert!(said(&ended).contains("finished after 1,200 steps") && said(&ended).contains("the one before"));
        assert_eq!(taking_up(&ended), "Show it again");
        assert!(safe(&kept).contains("step 1,200") && safe(&ended).contains("whole run"));
    }
}
