//! The engine's loop: handles commands, trains in between and reports to the page.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::MessageEvent;

use super::dataset::{self, DatasetStore, Delivery};
use super::inbox::{Inbox, Input};
use super::protocol::{Command, ExperimentCard, Menu, MethodCard, MetricCard, ReadbackPace, Reply, RunHistory, RunTag};
use super::run::{Run, Work};
use super::run_store::RunStore;
use super::{js_value, page};
use crate::config::{Preset, RunConfig};
use crate::device::{self, DeviceChoice, Kind, Selected};
use crate::error::{Error, Result};
use crate::method::{Entry, Experiment, Metric};
use crate::methods::{self, METHODS};
use crate::platform;
use crate::session::checkpoint::{self, ImageCounts};
use crate::session::picture::Picture;

const PRESETS: [Preset; 2] = [Preset::Small, Preset::Full];

/// A requested run that waits for the device or for the first images.
enum Request {
    Fresh { tag: RunTag, config: Box<RunConfig>, paused: bool, pace: ReadbackPace },
    Restored { tag: RunTag, checkpoint: Vec<u8>, images: ImageCounts, history: RunHistory },
}

/// Device, data and run, and the requests for them.
pub(super) struct Engine {
    inbox: Inbox,
    selected: Option<Selected>,
    datasets: DatasetStore,
    pub(super) run: Option<Run>,
    requested: Option<Request>,
    /// The store of saved runs, once it has been opened.
    pub(super) run_store: Option<RunStore>,
    /// True once the page knows that a run can start.
    ready_announced: bool,
}

/// Starts the engine in this worker. It runs until the page terminates the worker.
pub fn run() {
    platform::run_constructors();
    page::report_panics();
    device::on_lost(|message| page::report_lost_gpu(&message));
    let inbox = Inbox::default();
    listen(inbox.clone());
    let engine = Engine {
        datasets: DatasetStore::new(inbox.clone()),
        inbox,
        selected: None,
        run: None,
        requested: None,
        run_store: None,
        ready_announced: false,
    };
    wasm_bindgen_futures::spawn_local(engine.serve());
}

/// The methods and data sets on offer.
async fn menu() -> Menu {
    Menu {
        methods: METHODS.iter().map(card).collect(),
        default_method: methods::FIRST.into(),
        starters: methods::STARTERS.map(String::from).to_vec(),
        datasets: dataset::cards().await,
    }
}

fn listen(inbox: Inbox) {
    let on_message =
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| match js_value::from_js(message.data()) {
            Ok(command) => inbox.push(Input::Command(command)),
            Err(error) => page::report(&Error::Config(format!("the engine does not understand the page: {error}"))),
        });
    page::scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
}

fn card(entry: &Entry) -> MethodCard {
    let info = entry.info();
    let presets = dataset::NAMES.iter().flat_map(|name| PRESETS.map(|preset| entry.config(preset, name)));
    MethodCard {
        id: info.id.into(),
        title: info.title.into(),
        year: info.year,
        paper: info.paper.into(),
        url: info.url.into(),
        group: info.group,
        task: info.task.into(),
        lesson: info.lesson.into(),
        loss: info.loss.into(),
        metric: metric_card(&info.metric),
        experiment: info.experiment.as_ref().map(experiment_card),
        needs: info.needs,
        options: entry.options(),
        presets: presets.collect(),
        linear_rate: entry.has_linear_rate(Preset::Full),
    }
}

fn metric_card(metric: &Metric) -> MetricCard {
    MetricCard {
        name: metric.name.into(),
        better: metric.better,
        baseline: metric.baseline.into(),
        chance: metric.chance,
        unit: metric.unit,
    }
}

fn experiment_card(experiment: &Experiment) -> ExperimentCard {
    ExperimentCard {
        label: experiment.label.into(),
        key: experiment.key.into(),
        value: experiment.value.into(),
        watch: experiment.watch.into(),
    }
}

impl Engine {
    async fn serve(mut self) {
        page::post(&Reply::Awake { menu: menu().await });
        let inbox = self.inbox.clone();
        wasm_bindgen_futures::spawn_local(async move { inbox.push(Input::RunStore(Box::new(RunStore::open().await))) });
        loop {
            while let Some(input) = self.inbox.take() {
                self.handle(input).await;
            }
            if self.run.as_ref().is_some_and(Run::is_busy) {
                self.advance_run().await;
                platform::yield_now().await;
            } else {
                let input = self.inbox.next().await;
                self.handle(input).await;
            }
        }
    }

    async fn advance_run(&mut self) {
        let Some(run) = &mut self.run else { return };
        match run.advance().await {
            Ok(Work::Done(replies)) => {
                // saved first, so that a run is safe before the page shows its pause or end
                self.autosave().await;
                replies.iter().for_each(page::post);
            }
            Ok(Work::WaitingForData) => match self.datasets.take_error() {
                Some(error) => {
                    if !self.leave_exam_out(&error) {
                        self.abort_run(&error);
                    }
                }
                None => run.wait_for_data(),
            },
            Err(error) => self.abort_run(&error),
        }
    }

    /// Ends the run after an error.
    pub(super) fn abort_run(&mut self, error: &Error) {
        self.run.iter_mut().for_each(Run::stop);
        page::report(error);
    }

    async fn handle(&mut self, input: Input) {
        let handled = match input {
            Input::Command(command) => self.handle_command(command).await,
            Input::Data(delivery) => self.receive(delivery).await,
            Input::RunStore(store) => {
                self.run_store = Some(*store);
                self.announce_kept_runs();
                self.announce_saved_run();
                self.autosave().await;
                Ok(())
            }
        };
        if let Err(error) = handled {
            page::report(&error);
            self.announce_saved_run();
        }
    }

    async fn handle_command(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Prepare { device, data } => return self.prepare(device, &data).await,
            Command::Load { data } => {
                self.load_dataset(&data).await?;
                return self.start_requested().await;
            }
            Command::Start { tag, config, paused, pace } => return self.start(tag, config, paused, pace).await,
            Command::Restore { tag, checkpoint, history } => return self.restore(tag, checkpoint, history).await,
            Command::ResumeKept { id } => return self.resume_kept(id).await,
            Command::ReadKept { id } => self.read_kept(id).await,
            Command::DeleteKept { id } => self.delete_kept(id).await,
            Command::Rename { id, name } => self.rename(id, name).await,
            Command::Download { id } => return self.download(id).await,
            Command::Report { link } => return self.report(&link).await,
            Command::Exam => self.start_exam(),
            Command::SkipExam => self.skip_exam(),
            Command::Export { kind } => return self.export_encoder(kind).await,
            Command::Reset => {
                self.drop_run().await;
                self.announce_saved_run();
            }
            Command::Pause => self.change_run(Run::pause).await,
            Command::Resume => self.change_run(Run::resume).await,
            Command::Step => self.change_run(Run::step_once).await,
        }
        Ok(())
    }

    /// Sends a report of the current run.
    async fn report(&self, link: &str) -> Result<()> {
        let run = self.run.as_ref().ok_or_else(|| Error::Run("There is no run to report. Start one.".into()))?;
        page::post(&run.report(link).await?);
        Ok(())
    }

    /// True if there is no run, current or requested.
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.requested.is_none()
    }

    async fn change_run(&mut self, change: impl FnOnce(&mut Run) -> Option<bool>) {
        if let Some(running) = self.run.as_mut().and_then(change) {
            self.autosave().await;
            page::post(&Reply::Running(running));
        }
    }

    async fn prepare(&mut self, choice: DeviceChoice, data: &str) -> Result<()> {
        self.load_dataset(data).await?;
        self.selected = None;
        let selected = device::select(choice).await?;
        page::set_on_gpu(selected.readout.kind != Kind::Cpu);
        page::post(&Reply::Device(selected.readout.clone()));
        self.selected = Some(selected);
        self.start_requested().await
    }

    /// Starts loading a data set in place of the current one.
    async fn load_dataset(&mut self, data: &str) -> Result<()> {
        self.drop_run().await;
        self.ready_announced = false;
        self.datasets.load(data)
    }

    fn announce_ready(&mut self) {
        if !std::mem::replace(&mut self.ready_announced, true) {
            let rows = self.datasets.sample().into_iter().collect();
            page::post(&Reply::Picture(Picture { step: 0, rows, figures: Vec::new() }));
            page::post(&Reply::Ready);
        }
    }

    async fn start(&mut self, tag: RunTag, config: Box<RunConfig>, paused: bool, pace: ReadbackPace) -> Result<()> {
        self.drop_run().await;
        self.datasets.load(&config.data)?;
        self.requested = Some(Request::Fresh { tag, config, paused, pace });
        self.start_requested().await
    }

    /// Continues from a checkpoint.
    pub(super) async fn restore(&mut self, tag: RunTag, checkpoint: Vec<u8>, history: RunHistory) -> Result<()> {
        let header = checkpoint::header(&checkpoint).map_err(|error| {
            Error::Checkpoint(format!(
                "{error}; choose a file that was downloaded from this page, or one of a run's checkpoints on the command line"
            ))
        })?;
        self.load_dataset(&header.config.data).await?;
        self.requested = Some(Request::Restored { tag, checkpoint, images: header.images, history });
        self.start_requested().await
    }

    /// Sets up the requested run, once the device and the first images are ready.
    async fn start_requested(&mut self) -> Result<()> {
        if self.selected.is_none() || self.run.is_some() || !self.datasets.is_ready() {
            return Ok(());
        }
        self.announce_ready();
        let Some(selected) = &self.selected else { return Ok(()) };
        let Some(request) = self.requested.take() else { return Ok(()) };
        let outline = self.datasets.outline();
        let (mut run, paused) = match request {
            Request::Fresh { tag, config, paused, pace } => {
                (Run::fresh(tag, *config, pace, outline, selected).await?, paused)
            }
            Request::Restored { tag, checkpoint, images, history } => {
                images.check(&outline)?;
                (Run::restored(tag, &checkpoint, history, outline, selected).await?, false)
            }
        };
        self.datasets.lend(run.data_mut());
        run.opening_replies().iter().for_each(page::post);
        if !paused {
            run.resume();
        }
        page::post(&Reply::Running(!paused));
        self.run = Some(run);
        Ok(())
    }

    /// Saves and drops the current run, takes its images back, and drops the requested one.
    async fn drop_run(&mut self) {
        self.requested = None;
        // a paused run is saved to its last step
        if self.run.as_mut().and_then(Run::pause).is_some() {
            self.autosave().await;
        }
        if let Some(mut run) = self.run.take() {
            self.datasets.take_back(run.data_mut());
        }
    }

    async fn receive(&mut self, delivery: Delivery) -> Result<()> {
        let data = self.run.as_mut().map(Run::data_mut);
        self.datasets.receive(delivery, data)?;
        if let Some(run) = &mut self.run {
            run.data_arrived();
        }
        self.start_requested().await
    }
}
