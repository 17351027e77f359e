//! The training loop: it advances the session, logs its events, writes checkpoints and handles Ctrl-C.

use futures_lite::future::block_on;

use super::interrupt;
use super::open_run::{Loaded, Opened};
use super::setup::{Run, TrainRequest};
use crate::cli::input::args::{STOP_ON_COLLAPSE, SaveEvery};
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::progress::ProgressReporter;
use crate::cli::output::run_summary::Summary;
use crate::cli::output::tensorboard::Board;
use crate::error::Error;
use crate::platform;
use crate::session::event::{Done, Event, Verdict};
use crate::session::folder::{BestCheckpoint, Log};
use crate::session::{Progress, Session};

/// A finished run with its session, so that it need not be loaded again.
pub(crate) struct Finished {
    pub(crate) run: Run,
    pub(crate) summary: Summary,
}

impl Finished {
    /// The run opened for evaluation, with its log and still locked.
    pub(crate) fn opened(self) -> Outcome<(Opened, Loaded, Log)> {
        let Run { session, selected, folder, log, .. } = self.run;
        let opened = Opened::at(folder.path())?;
        let opened = opened.held(folder);
        let data = opened.record.data.clone();
        Ok((opened, Loaded { session, selected, data, transfer: None }, log))
    }
}

/// Sets a run up and trains it to its last step. Where it is stopped before, the command that resumes it is printed.
pub(crate) fn train(wanted: &TrainRequest) -> Outcome<Finished> {
    let mut watcher = ProgressReporter::new(wanted.args.manner.quiet, wanted.sweep.clone());
    let mut run = wanted.begin()?;
    run.warnings.iter().for_each(|warning| watcher.warn(&format!("warning: {warning}")));
    let earlier = std::mem::take(&mut run.earlier);
    if earlier.is_finished() {
        watcher.say(&format!("{} is finished: all its steps were taken", run.folder.path().display()));
        return Ok(Finished { run, summary: earlier });
    }
    let voice = watcher.voice();
    interrupt::watch(move || voice("stopping after this step; Ctrl-C again quits at once, unsaved"))?;
    let started = run.session.started();
    watcher.begin(&started, &run.selected.readout);
    watcher.say(&format!("run folder: {}", run.folder.path().display()));
    let mut training = Training::new(run, watcher, wanted)?;
    training.hear(Event::Started(started))?;
    let ended = training.go();
    training.release();
    training.watcher.end();
    match ended {
        Ok(End::Reached) => Ok(Finished { run: training.run, summary: training.summary }),
        Ok(End::Unhealthy) => Err(training.give_up()),
        Ok(End::Asked) => {
            let step = training.session().step();
            training.watcher.warn(&format!("saved after step {step}; continue with\n  {}", training.resume));
            Err(Failure::Stopped)
        }
        Err(error) => Err(training.explain(error)),
    }
}

/// Reason for the end of the loop.
enum End {
    /// All steps were taken.
    Reached,
    /// The user stopped the run.
    Asked,
    /// The run collapsed or stalled, and `--stop-on-collapse` was given.
    Unhealthy,
}

struct Training {
    run: Run,
    watcher: ProgressReporter,
    summary: Summary,
    every: SaveEvery,
    /// Number of checkpoints that are kept.
    keep_last: usize,
    best: Option<BestCheckpoint>,
    /// The event file for TensorBoard.
    board: Option<Board>,
    /// End the run when it collapses or stalls.
    stop_on_collapse: bool,
    /// The latest verdict was not healthy.
    unhealthy: bool,
    /// The command that resumes the run.
    resume: String,
    /// Step and time of the latest checkpoint.
    saved: (Option<usize>, f64),
}

impl Training {
    fn new(run: Run, watcher: ProgressReporter, wanted: &TrainRequest) -> Outcome<Self> {
        let every = wanted.args.manner.save_every;
        let keep_last = wanted.args.manner.keep_last;
        let resume = wanted.resume_command(&run.folder);
        let best = wanted.args.manner.keep_best.map(|by| BestCheckpoint::of(by, &run.folder)).transpose()?;
        let board = wanted.args.manner.tensorboard.as_deref().map(|root| Board::create(root, run.folder.path()));
        let board = board.transpose()?;
        let saved = (Some(run.session.step()).filter(|&step| step > 0), platform::now());
        let stop_on_collapse = wanted.args.manner.stop_on_collapse;
        let summary = Summary::default();
        Ok(Self {
            run,
            watcher,
            summary,
            every,
            keep_last,
            best,
            board,
            stop_on_collapse,
            unhealthy: false,
            resume,
            saved,
        })
    }

    fn go(&mut self) -> Result<End, Error> {
        let total = self.session().started().total_steps;
        loop {
            if self.saved.0 == Some(total) {
                self.release();
            }
            let before = self.session().step();
            match block_on(self.run.session.advance())? {
                Progress::Events(events) => events.into_iter().try_for_each(|event| self.hear(event))?,
                Progress::Finished => return Ok(End::Reached),
                Progress::WaitingForData => unreachable!("on a desktop all images are there before the run begins"),
            }
            let step = self.session().step();
            if step > before && (self.is_due() || step == total) {
                self.save()?;
            }
            if interrupt::requested() {
                return self.stop().map(|()| End::Asked);
            }
            if self.stop_on_collapse && self.unhealthy && step < total {
                return self.stop().map(|()| End::Unhealthy);
            }
        }
    }

    fn session(&self) -> &Session {
        &self.run.session
    }

    /// Logs an event and passes it on.
    fn hear(&mut self, event: Event) -> Result<(), Error> {
        self.run.log.append(&event)?;
        self.watcher.hear(&event);
        self.summary.hear(&event);
        if let Event::Health(health) = &event {
            self.unhealthy = health.verdict != Verdict::Healthy;
        }
        self.best.iter_mut().for_each(|best| best.hear(&event));
        let Some(board) = &mut self.board else { return Ok(()) };
        board.hear(&event)?;
        if matches!(event, Event::Epoch(_)) {
            board.show(&block_on(self.run.session.picture())?)?;
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        match self.every {
            SaveEvery::Steps(steps) => self.session().step().is_multiple_of(steps),
            SaveEvery::Seconds(seconds) => platform::now() - self.saved.1 >= seconds,
        }
    }

    fn save(&mut self) -> Result<(), Error> {
        let step = self.session().step();
        let bytes = block_on(self.session().checkpoint())?;
        self.run.log.sync()?;
        let path = self.run.folder.save(step, &bytes, self.keep_last)?;
        self.saved = (Some(step), platform::now());
        self.hear(Event::Saved { step, path })?;
        if self.best.as_mut().is_some_and(BestCheckpoint::is_improved) {
            let path = self.run.folder.save_best(&bytes)?;
            self.hear(Event::Saved { step, path })?;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        let step = self.session().step();
        if self.saved.0 != Some(step) {
            self.save()?;
        }
        let elapsed_seconds = self.session().elapsed_seconds();
        self.hear(Event::Done(Done { step, elapsed_seconds, finished: false }))
    }

    /// All steps are taken and saved: Ctrl-C may end the program at once.
    fn release(&self) {
        interrupt::release(format!("nothing is lost; continue with\n  {}", self.resume));
    }

    /// The failure of a run that was ended for its health.
    fn give_up(&self) -> Failure {
        let step = self.session().step();
        let resume = self.resume.replace(STOP_ON_COLLAPSE, "");
        Failure::Failed(format!(
            "the run collapsed or stalled; it was saved and ended after step {step}; to continue anyway:\n  {resume}"
        ))
    }

    /// A failure while training, with the command that resumes from the last checkpoint. It is no bad usage.
    fn explain(&self, error: Error) -> Failure {
        let saved = self.saved.0.filter(|_| !matches!(error, Error::Config(_)));
        let hint = saved.map(|step| format!("\nthe run was saved after step {step}; continue with\n  {}", self.resume));
        Failure::Failed(format!("{error}{}", hint.unwrap_or_default()))
    }
}
