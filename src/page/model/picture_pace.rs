//! Pace of the pictures for visitors who asked their system for less motion.

use crate::session::picture::Picture;

/// Shortest time between two pictures under reduced motion, in milliseconds.
const CALM: f64 = 2000.0;

/// The time of the last picture shown, and the latest one that came too soon after it.
#[derive(Clone, Debug, Default)]
pub struct PicturePace {
    shown_at: Option<f64>,
    held: Option<Picture>,
}

impl PicturePace {
    /// The picture, if it is time to show it. `now` is in milliseconds; without `calm` it is always time.
    pub fn offer(&mut self, picture: Picture, now: f64, calm: bool) -> Option<Picture> {
        if calm && self.shown_at.is_some_and(|shown| now - shown < CALM) {
            self.held = Some(picture);
            return None;
        }
        *self = Self { shown_at: Some(now), held: None };
        Some(picture)
    }

    /// The latest picture that was held back: a run that stands still shows its last step.
    pub fn release(&mut self) -> Option<Picture> {
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(step: usize) -> Picture {
        Picture { step, rows: Vec::new(), figures: Vec::new() }
    }

    #[test]
    fn pictures_slow_down_under_reduced_motion() {
        let shown = |calm| {
            let mut pace = PicturePace::default();
            let all = (0..20).filter_map(|at| pace.offer(picture(at), 300.0 * at as f64, calm));
            all.map(|picture| picture.step).collect::<Vec<_>>()
        };
        assert_eq!(shown(false), (0..20).collect::<Vec<_>>());
        assert_eq!(shown(true), [0, 7, 14]);
    }

    #[test]
    fn the_last_step_is_shown_in_the_end() {
        let mut pace = PicturePace::default();
        for at in 0..3 {
            pace.offer(picture(at), 100.0 * at as f64, true);
        }
        assert_eq!(pace.release().map(|picture| picture.step), Some(2));
        assert_eq!(pace.release(), None);
        pace.offer(picture(3), 300.0, true);
        pace.offer(picture(4), 9000.0, true);
        assert_eq!(pace.release(), None, "what is shown is newer");
    }
}
