//! `nolabel watch`: follows a run that another process trains.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::progress::{ProgressReporter, Speed, seconds_left};
use crate::cli::run::known_runs::no_run_at;
use crate::format;
use crate::session::event::{Done, Event, Health, Started, Step, Verdict};
use crate::session::folder::{Folder, News, Place, Tail, place};

/// Time between two looks at the events.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks without an event after which it is asked if the run is trained still.
const SILENT_LOOKS: usize = 10;

const EXAMPLES: &str = "\
Examples:
  nolabel watch runs/simsiam-cifar-10-1
      the bar of the training, until it ends; Ctrl-C ends the watching, never the run
  nolabel watch runs/simsiam-cifar-10-1 --once
      where the run stands: steps, time left, health, last checkpoint
  nolabel watch runs/simsiam-cifar-10-1 && nolabel eval runs/simsiam-cifar-10-1
      measure the run once all its steps are taken

It reads the run's folder alone, so it works on another machine that shares the folder. The exit code
is 0 for a run that is trained or finished, and 1 for one that ended before its last step.";

/// Follow a run while it is trained
///
/// Shows where a run stands and, until it ends, the progress that the training itself shows.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    /// The run's folder
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Print where the run stands, and end
    #[arg(long)]
    once: bool,

    /// The same as one JSON object
    #[arg(long)]
    json: bool,
}

impl Watch {
    pub(crate) fn run(self) -> Outcome {
        if place(&self.run) != Place::Run {
            return Err(no_run_at(&self.run));
        }
        let (folder, _) = Folder::open(&self.run)?;
        let mut tail = folder.tail();
        let mut standing = Standing::default();
        standing.hear_all(&tail.news()?);
        let mut state = standing.state(folder.is_being_written());
        if state == State::Training && !self.once && !self.json {
            print::err(&standing.words(state));
            state = follow(&folder, &mut tail, &mut standing)?;
        }
        if self.json {
            print::json(&standing.status(state))?;
        } else {
            print::out(&standing.words(state))?;
        }
        standing.outcome(state, &folder)
    }
}

/// Shows the progress of a run until it ends; returns how it did.
fn follow(folder: &Folder, tail: &mut Tail, standing: &mut Standing) -> Outcome<State> {
    let mut reporter = ProgressReporter::new(false, None);
    let mut joined = false;
    let mut silent = 0;
    loop {
        if let Some(started) = standing.started.as_ref().filter(|_| !joined) {
            reporter.join(started, standing.taken());
            joined = true;
        }
        thread::sleep(LOOK_EVERY);
        let news = tail.news()?;
        silent = if news.events.is_empty() { silent + 1 } else { 0 };
        // a run that is resumed begins again, with its first events
        joined &= !news.from_start;
        let before = standing.verdict();
        standing.hear_all(&news);
        if joined {
            news.events.iter().for_each(|event| reporter.hear(event));
            if let Some(health) = standing.health.as_ref().filter(|health| before != Some(health.verdict)) {
                reporter.say(&health_words(health));
            }
        }
        let ended = standing.done.is_some() || (silent >= SILENT_LOOKS && !folder.is_being_written());
        if silent >= SILENT_LOOKS {
            silent = 0;
        }
        if ended {
            reporter.end();
            // written between the last look and the end of the process
            standing.hear_all(&tail.news()?);
            return Ok(standing.state(false));
        }
    }
}

/// The state of a run as its folder tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// A process trains it.
    Training,
    /// All its steps were taken.
    Finished,
    /// It was saved and stopped before its last step.
    Stopped,
    /// Its process was killed, or failed.
    Killed,
}

/// Where a run stands: the latest event of each kind.
#[derive(Debug, Default)]
struct Standing {
    started: Option<Started>,
    step: Option<Step>,
    health: Option<Health>,
    saved: Option<usize>,
    done: Option<Done>,
    speed: Speed,
}

/// Where a run stands, for programs.
#[derive(Debug, Serialize)]
struct Status {
    state: State,
    step: usize,
    total_steps: Option<usize>,
    epoch: Option<f64>,
    loss: Option<f64>,
    images_per_second: Option<f64>,
    seconds_left: Option<f64>,
    health: Option<Verdict>,
    last_checkpoint: Option<usize>,
}

impl Standing {
    fn hear_all(&mut self, news: &News) {
        if news.from_start {
            *self = Self::default();
        }
        news.events.iter().for_each(|event| self.hear(event));
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Started(started) => {
                self.started = Some(started.clone());
                self.done = None;
                self.speed = Speed::default();
            }
            Event::Step(step) => {
                self.speed.hear(step.images_per_second);
                self.step = Some(step.clone());
            }
            Event::Health(health) => self.health = Some(health.clone()),
            Event::Saved { step, .. } => self.saved = Some(*step),
            Event::Done(done) => self.done = Some(done.clone()),
            Event::Epoch(_) | Event::Pretext(_) | Event::Probe(_) | Event::Exam(_) | Event::Warning { .. } => {}
        }
    }

    fn state(&self, is_being_written: bool) -> State {
        match &self.done {
            Some(done) if done.finished => State::Finished,
            _ if is_being_written => State::Training,
            Some(_) => State::Stopped,
            None => State::Killed,
        }
    }

    /// Steps taken.
    fn taken(&self) -> usize {
        let resumed_at = self.started.as_ref().map_or(0, |started| started.resumed_at);
        self.step.as_ref().map_or(0, |step| step.step).max(resumed_at)
    }

    fn verdict(&self) -> Option<Verdict> {
        self.health.as_ref().map(|health| health.verdict)
    }

    /// Estimated seconds until the last step, once the speed is known.
    fn seconds_left(&self) -> Option<f64> {
        let started = self.started.as_ref()?;
        Some(seconds_left(started.total_steps, self.taken(), started.config.batch, self.speed.images_per_second()?))
    }

    /// The lines about the run.
    fn words(&self, state: State) -> String {
        let Some(started) = &self.started else {
            return match state {
                State::Training => "the run is being set up; it has taken no step".into(),
                _ => "the run has taken no step".into(),
            };
        };
        let config = &started.config;
        let what = match state {
            State::Training => "being trained",
            State::Finished => "finished",
            State::Stopped => "saved and stopped",
            State::Killed => "failed or killed",
        };
        let mut lines =
            vec![format!("{} on {}, seed {}: {what}, on {}", config.method, config.data, config.seed, started.device)];
        let [taken, total] = [self.taken(), started.total_steps].map(format::thousands);
        let mut place = format!("step {taken} of {total}");
        if let Some(step) = &self.step {
            place.push_str(&format!(", epoch {:.1}, loss {:.4}", step.epoch, step.loss));
        }
        match (state, self.seconds_left()) {
            (State::Training, Some(left)) => place.push_str(&format!(", {} left", format::duration(left))),
            (State::Finished, _) => {
                let seconds = self.done.as_ref().map_or(0.0, |done| done.elapsed_seconds);
                place.push_str(&format!(", in {}", format::duration(seconds)));
            }
            _ => {}
        }
        lines.push(place);
        lines.extend(self.health.as_ref().map(health_words));
        lines.extend(self.saved.map(|step| format!("last checkpoint: step {}", format::thousands(step))));
        lines.join("\n")
    }

    fn status(&self, state: State) -> Status {
        let training = state == State::Training;
        Status {
            state,
            step: self.taken(),
            total_steps: self.started.as_ref().map(|started| started.total_steps),
            epoch: self.step.as_ref().map(|step| step.epoch),
            loss: self.step.as_ref().map(|step| step.loss),
            images_per_second: self.speed.images_per_second(),
            seconds_left: self.seconds_left().filter(|_| training),
            health: self.verdict(),
            last_checkpoint: self.saved,
        }
    }

    /// A failure for a run that ended before its last step, with what continues it.
    fn outcome(&self, state: State, folder: &Folder) -> Outcome {
        let how = match state {
            State::Training | State::Finished => return Ok(()),
            State::Stopped => "was stopped before its last step",
            State::Killed => "ended before its last step: its process failed or was killed",
        };
        let path = format::quoted(&folder.path().display().to_string());
        Err(Failure::Failed(format!("the run {how}; continue with\n  nolabel train --resume --out {path}")))
    }
}

fn health_words(health: &Health) -> String {
    format!("health at step {}: {}", format::thousands(health.step), health.verdict.words())
}
