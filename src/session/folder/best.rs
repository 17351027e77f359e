//! The best checkpoint of a run, chosen without labels.

use std::str::FromStr;

use super::Folder;
use super::checkpoints::{BEST, CHECKPOINTS};
use crate::error::{Error, Result};
use crate::session::event::Event;

/// Criterion by which the best checkpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Lowest mean loss.
    Loss,
    /// Highest effective rank of the embeddings (RankMe).
    Rank,
}

impl Criterion {
    /// `loss` or `rank`, as in `--keep-best`.
    pub fn word(self) -> &'static str {
        match self {
            Criterion::Loss => "loss",
            Criterion::Rank => "rank",
        }
    }
}

impl FromStr for Criterion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = [Criterion::Loss, Criterion::Rank].into_iter().find(|known| known.word() == text);
        known.ok_or_else(|| Error::Config("choose loss or rank".into()))
    }
}

/// Follows a run's events and decides at each checkpoint if it is the best so far, by the mean since the checkpoint before.
#[derive(Clone, Debug)]
pub struct BestCheckpoint {
    by: Criterion,
    sum: f64,
    count: usize,
    /// The best mean so far; higher is better.
    best: Option<f64>,
}

impl BestCheckpoint {
    /// Starts before the first checkpoint.
    pub fn new(by: Criterion) -> Self {
        Self { by, sum: 0.0, count: 0, best: None }
    }

    /// Replays the events of a run that is resumed. Where its best checkpoint is gone, the choice starts again.
    ///
    /// # Errors
    /// When the events cannot be read.
    pub fn of(by: Criterion, folder: &Folder) -> Result<Self> {
        let mut best = Self::new(by);
        if !folder.path().join(CHECKPOINTS).join(BEST).is_file() {
            return Ok(best);
        }
        for event in folder.events()? {
            best.hear(&event);
            if matches!(&event, Event::Saved { path, .. } if !path.ends_with(BEST)) {
                best.is_improved();
            }
        }
        Ok(best)
    }

    /// Adds an event.
    pub fn hear(&mut self, event: &Event) {
        let value = match (self.by, event) {
            (Criterion::Loss, Event::Step(step)) => Some(-step.loss),
            (Criterion::Rank, Event::Health(health)) => health.embedding.as_ref().map(|embedding| embedding.rank),
            _ => None,
        };
        let Some(value) = value else { return };
        self.sum += value;
        self.count += 1;
    }

    /// True if the mean since the last call is better than all before; false where there were no events.
    pub fn is_improved(&mut self) -> bool {
        let sum = std::mem::take(&mut self.sum);
        let count = std::mem::take(&mut self.count);
        let mean = sum / count as f64;
        let improved = count > 0 && self.best.is_none_or(|best| mean > best);
        if improved {
            self.best = Some(mean);
        }
        improved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{Embedding, Health, Step};

    fn step(loss: f64) -> Event {
        Event::Step(Step { step: 1, loss, ..Step::default() })
    }

    #[test]
    fn the_lowest_mean_loss_between_two_checkpoints_wins() {
        let mut best = BestCheckpoint::new(Criterion::Loss);
        let mut told = |losses: &[f64]| {
            losses.iter().for_each(|loss| best.hear(&step(*loss)));
            best.is_improved()
        };
        assert!(told(&[3.0, 1.0]));
        assert!(!told(&[2.5]), "a mean of 2 was better");
        assert!(!told(&[]), "nothing was told");
        assert!(told(&[0.5, 3.0]));
        assert!(!told(&[1.75]), "no better is not better");
    }

    #[test]
    fn the_highest_rank_wins_and_losses_do_not_count() {
        let mut best = BestCheckpoint::new(Criterion::Rank);
        let mut told = |rank: f64| {
            let embedding = Some(Embedding {
                rows: 8,
                width: 8,
                spread: 1.0,
                rank,
                centred_rank: rank,
                lidar: None,
                alignment: None,
                uniformity: 1.0,
                decay: None,
                spectrum: Vec::new(),
            });
            let health = Health { step: 1, embedding, ..Health::default() };
            best.hear(&Event::Health(health));
            best.hear(&step(0.0));
            best.is_improved()
        };
        assert_eq!([told(4.0), told(6.0), told(5.0)], [true, true, false]);
        assert!(
            "sharpe".parse::<Criterion>().is_err() && "rank".parse::<Criterion>().is_ok_and(|by| by.word() == "rank")
        );
    }
}
