//! The loop that hears commands, takes steps in between and tells the page what happened.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::MessageEvent;

use super::dataset::{self, Delivery, Store};
use super::inbox::{Inbox, Input};
use super::protocol::{Command, Menu, MethodCard, ReadbackPace, Reply, Story};
use super::run::{Run, Work};
use super::run_store::Shelf;
use super::{js_value, page};
use crate::config::{Preset, RunConfig};
use crate::device::{self, DeviceChoice, Kind, Selected};
use crate::error::{Error, Result};
use crate::method::Entry;
use crate::methods::METHODS;
use crate::platform;
use crate::session::checkpoint::{self, Images};
use crate::session::picture::Picture;

/// The method that needs the fewest words, and whose progress is seen within seconds.
const FIRST: &str = "rotation";
const PRESETS: [Preset; 2] = [Preset::Small, Preset::Full];

/// What waits for the first images.
enum Plan {
    Fresh { config: Box<RunConfig>, paused: bool, looks: ReadbackPace },
    Restored { checkpoint: Vec<u8>, images: Images, story: Story },
}

/// Device, data and run.
pub(super) struct Engine {
    inbox: Inbox,
    selected: Option<Selected>,
    store: Store,
    pub(super) run: Option<Run>,
    planned: Option<Plan>,
    /// Where runs are kept, once that is known.
    pub(super) shelf: Option<Shelf>,
    /// Whether the page knows that a run can start.
    ready_told: bool,
}

/// Starts the engine in this worker; it runs until the page ends the worker.
pub fn run() {
    page::report_panics();
    device::on_lost(|message| page::lose(&message));
    let inbox = Inbox::default();
    listen(inbox.clone());
    let store = Store::new(inbox.clone());
    let (selected, run, planned, shelf, ready_told) = (None, None, None, None, false);
    let engine = Engine { inbox, selected, store, run, planned, shelf, ready_told };
    wasm_bindgen_futures::spawn_local(engine.serve());
}

/// What there is to choose from.
async fn menu() -> Menu {
    Menu { methods: METHODS.iter().map(card).collect(), first: FIRST.into(), sets: dataset::cards().await }
}

fn listen(inbox: Inbox) {
    let hear =
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| match js_value::from_js(message.data()) {
            Ok(command) => inbox.push(Input::Command(command)),
            Err(error) => page::fail(&Error::Config(format!("the engine does not understand the page: {error}"))),
        });
    page::scope().set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
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
        task: info.task.into(),
        lesson: info.lesson.into(),
        metric: info.metric.name.into(),
        chance: info.metric.chance,
        unit: info.metric.unit,
        needs: info.needs,
        presets: presets.collect(),
        linear_rate: entry.has_linear_rate(Preset::Full),
    }
}

impl Engine {
    async fn serve(mut self) {
        page::post(&Reply::Awake { menu: menu().await });
        let inbox = self.inbox.clone();
        wasm_bindgen_futures::spawn_local(async move { inbox.push(Input::Shelf(Box::new(Shelf::open().await))) });
        loop {
            while let Some(input) = self.inbox.take() {
                self.hear(input).await;
            }
            if self.run.as_ref().is_some_and(Run::is_busy) {
                self.work().await;
                platform::yield_now().await;
            } else {
                let input = self.inbox.next().await;
                self.hear(input).await;
            }
        }
    }

    async fn work(&mut self) {
        let Some(run) = &mut self.run else { return };
        match run.work().await {
            Ok(Work::Went(replies)) => {
                // what the page hears of an end or a pause is safe by then
                self.save().await;
                replies.iter().for_each(page::post);
            }
            Ok(Work::Waits) => match self.store.take_broken() {
                Some(error) => self.give_up(&error),
                None => run.wait(),
            },
            Err(error) => self.give_up(&error),
        }
    }

    /// Ends a run that cannot go on.
    pub(super) fn give_up(&mut self, error: &Error) {
        self.run.iter_mut().for_each(Run::stop);
        page::fail(error);
    }

    async fn hear(&mut self, input: Input) {
        let heard = match input {
            Input::Command(command) => self.obey(command).await,
            Input::Data(delivery) => self.receive(delivery).await,
            Input::Shelf(shelf) => {
                self.shelf = Some(*shelf);
                self.tell_kept();
                self.save().await;
                Ok(())
            }
        };
        if let Err(error) = heard {
            page::fail(&error);
            self.tell_kept();
        }
    }

    async fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Prepare { device, data } => return self.prepare(device, &data).await,
            Command::Load { data } => {
                self.want(&data)?;
                return self.begin_planned().await;
            }
            Command::Start { config, paused, looks } => return self.begin(config, paused, looks).await,
            Command::Restore { checkpoint, story } => return self.restore(checkpoint, story).await,
            Command::GoOn => return self.go_on().await,
            Command::Forget => self.forget().await,
            Command::Download => return self.download().await,
            Command::Reset => {
                self.drop_run();
                self.tell_kept();
            }
            Command::Pause => self.steer(Run::pause).await,
            Command::Resume => self.steer(Run::resume).await,
            Command::Step => self.steer(Run::single).await,
        }
        Ok(())
    }

    /// Whether there is no run, nor one on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.planned.is_none()
    }

    async fn steer(&mut self, change: impl FnOnce(&mut Run) -> Option<bool>) {
        if let Some(running) = self.run.as_mut().and_then(change) {
            self.save().await;
            page::post(&Reply::Running(running));
        }
    }

    async fn prepare(&mut self, choice: DeviceChoice, data: &str) -> Result<()> {
        self.want(data)?;
        self.selected = None;
        let selected = device::select(choice).await?;
        page::set_on_gpu(selected.readout.kind != Kind::Cpu);
        page::post(&Reply::Device(selected.readout.clone()));
        self.selected = Some(selected);
        self.begin_planned().await
    }

    /// Has the data set of this name loaded, in place of whatever there was.
    fn want(&mut self, data: &str) -> Result<()> {
        self.drop_run();
        self.ready_told = false;
        self.store.load(data)
    }

    fn tell_ready(&mut self) {
        if !std::mem::replace(&mut self.ready_told, true) {
            let rows = self.store.sample().into_iter().collect();
            page::post(&Reply::Picture(Picture { step: 0, rows, figures: Vec::new() }));
            page::post(&Reply::Ready);
        }
    }

    async fn begin(&mut self, config: Box<RunConfig>, paused: bool, looks: ReadbackPace) -> Result<()> {
        self.drop_run();
        self.store.load(&config.data)?;
        self.planned = Some(Plan::Fresh { config, paused, looks });
        self.begin_planned().await
    }

    /// Goes on with a checkpoint as a run of its own, until the shelf is told that it is the one that is kept.
    pub(super) async fn restore(&mut self, checkpoint: Vec<u8>, story: Story) -> Result<()> {
        let header = checkpoint::header(&checkpoint).map_err(|error| {
            Error::Checkpoint(format!(
                "{error}; choose a file that was downloaded from this page, or one of a run's checkpoints on the command line"
            ))
        })?;
        self.want(&header.config.data)?;
        self.planned = Some(Plan::Restored { checkpoint, images: header.images, story });
        self.begin_planned().await
    }

    /// Sets up the run that waits, once device and first images are there.
    async fn begin_planned(&mut self) -> Result<()> {
        if self.selected.is_none() || self.run.is_some() || !self.store.is_ready() {
            return Ok(());
        }
        self.tell_ready();
        let Some(selected) = &self.selected else { return Ok(()) };
        let Some(plan) = self.planned.take() else { return Ok(()) };
        let skeleton = self.store.skeleton();
        let (mut run, paused) = match plan {
            Plan::Fresh { config, paused, looks } => (Run::fresh(*config, looks, skeleton, selected).await?, paused),
            Plan::Restored { checkpoint, images, story } => {
                images.check(&skeleton)?;
                (Run::restored(&checkpoint, story, skeleton, selected).await?, false)
            }
        };
        self.store.lend(run.data_mut());
        run.introduce().iter().for_each(page::post);
        if !paused {
            run.resume();
        }
        page::post(&Reply::Running(!paused));
        self.run = Some(run);
        Ok(())
    }

    /// Ends the run and takes its images back. What comes next is another run.
    fn drop_run(&mut self) {
        self.planned = None;
        self.shelf.iter_mut().for_each(Shelf::begin);
        if let Some(mut run) = self.run.take() {
            self.store.take_back(run.data_mut());
        }
    }

    async fn receive(&mut self, delivery: Delivery) -> Result<()> {
        let data = self.run.as_mut().map(Run::data_mut);
        self.store.receive(delivery, data)?;
        if let Some(run) = &mut self.run {
            run.wake();
        }
        self.begin_planned().await
    }
}
