//! The loop that hears commands, takes steps in between and tells the page what happened.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::MessageEvent;

use super::data::{self, Delivery, Store};
use super::inbox::{Inbox, Input};
use super::protocol::{Command, Looks, Menu, MethodCard, Reply};
use super::run::{Run, Work};
use super::{page, wire};
use crate::config::{Preset, RunConfig};
use crate::device::{self, DeviceChoice, Kind, Selected};
use crate::error::{Error, Result};
use crate::method::{Entry, METHODS};
use crate::platform;
use crate::session::event::Event;
use crate::session::picture::Picture;

/// The method that needs the fewest words, and whose progress is seen within seconds.
const FIRST: &str = "rotation";
const PRESETS: [Preset; 2] = [Preset::Small, Preset::Full];

/// What waits for the first images.
enum Plan {
    Fresh { config: Box<RunConfig>, paused: bool, looks: Looks },
    Restored { checkpoint: Vec<u8> },
}

/// Device, data and run.
struct Engine {
    inbox: Inbox,
    selected: Option<Selected>,
    store: Store,
    run: Option<Run>,
    planned: Option<Plan>,
    /// Whether the page knows that a run can start.
    ready_told: bool,
}

/// Starts the engine in this worker; it runs until the page ends the worker.
pub fn run() {
    page::report_panics();
    device::on_lost(|message| page::lose(&message));
    let inbox = Inbox::default();
    listen(inbox.clone());
    let engine =
        Engine { store: Store::new(inbox.clone()), inbox, selected: None, run: None, planned: None, ready_told: false };
    wasm_bindgen_futures::spawn_local(engine.serve());
}

/// What there is to choose from.
async fn menu() -> Menu {
    Menu { methods: METHODS.iter().map(card).collect(), first: FIRST.into(), sets: data::cards().await }
}

fn listen(inbox: Inbox) {
    let hear =
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| match wire::from_js(message.data()) {
            Ok(command) => inbox.push(Input::Command(command)),
            Err(error) => page::fail(&Error::Config(format!("the engine does not understand the page: {error}"))),
        });
    page::scope().set_onmessage(Some(hear.as_ref().unchecked_ref()));
    hear.forget();
}

fn card(entry: &Entry) -> MethodCard {
    let info = entry.info();
    let presets = data::NAMES.iter().flat_map(|name| PRESETS.map(|preset| entry.config(preset, name)));
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
    }
}

impl Engine {
    async fn serve(mut self) {
        page::post(&Reply::Awake { menu: menu().await });
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
            Ok(Work::Went(replies)) => replies.iter().for_each(page::post),
            Ok(Work::Waits) => match self.store.take_broken() {
                Some(error) => self.give_up(&error),
                None => run.wait(),
            },
            Err(error) => self.give_up(&error),
        }
    }

    /// Ends a run that cannot go on.
    fn give_up(&mut self, error: &Error) {
        self.run.iter_mut().for_each(Run::stop);
        page::fail(error);
    }

    async fn hear(&mut self, input: Input) {
        let heard = match input {
            Input::Command(command) => self.obey(command).await,
            Input::Data(delivery) => self.receive(delivery).await,
        };
        if let Err(error) = heard {
            page::fail(&error);
        }
    }

    async fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Prepare { device, data } => return self.prepare(device, &data).await,
            Command::Load { data } => {
                self.want(&data)?;
                return self.begin_planned().await;
            }
            Command::Start { config, paused, looks } => return self.begin(Plan::Fresh { config, paused, looks }).await,
            Command::Restore { checkpoint } => return self.begin(Plan::Restored { checkpoint }).await,
            Command::Reset => self.drop_run(),
            Command::Pause => self.steer(Run::pause),
            Command::Resume => self.steer(Run::resume),
            Command::Step => self.steer(Run::single),
        }
        Ok(())
    }

    fn steer(&mut self, change: impl FnOnce(&mut Run) -> Option<bool>) {
        if let Some(running) = self.run.as_mut().and_then(change) {
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

    async fn begin(&mut self, plan: Plan) -> Result<()> {
        self.drop_run();
        if let Plan::Fresh { config, .. } = &plan {
            self.store.load(&config.data)?;
        }
        self.planned = Some(plan);
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
            Plan::Restored { checkpoint } => (Run::restored(&checkpoint, skeleton, selected).await?, false),
        };
        self.store.lend(run.data_mut());
        page::post(&Reply::Event(Box::new(Event::Started(run.started()))));
        if !paused {
            run.resume();
        }
        page::post(&Reply::Running(!paused));
        self.run = Some(run);
        Ok(())
    }

    /// Ends the run and takes its images back.
    fn drop_run(&mut self) {
        self.planned = None;
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
