//! The state of the page, and its changes by the visitor.

use leptos::prelude::*;

use super::run_table;
use super::url;
use super::worker_handle::WorkerHandle;
use crate::config::{Preset, RunConfig};
use crate::device::{DeviceChoice, Kind, Readout};
use crate::page::model::comparison::Comparison;
use crate::page::model::failure::{Failure, Remedy};
use crate::page::model::load_progress::LoadProgress;
use crate::page::model::phase::{Action, Phase};
use crate::page::model::picture_pace::PicturePace;
use crate::page::model::run_list::{RunList, RunLog};
use crate::page::model::run_state::RunState;
use crate::page::model::run_text::NamedRun;
use crate::page::model::settings::Settings;
use crate::session::event::ExamProgress;
use crate::session::picture::Picture;
use crate::worker::protocol::{Command, DatasetCard, FailureKind, Menu, MethodCard, RunTag, SavedRun};

/// The signals that the components show. Copies share the state.
#[derive(Clone, Copy)]
pub struct PageState {
    /// Phase of the page.
    pub phase: RwSignal<Phase>,
    /// True if the engine can start a run: the device is tested and the first images are loaded.
    pub can_start: RwSignal<bool>,
    /// True during a round of probes.
    pub probing: RwSignal<bool>,
    /// Position of the large test, while there is one.
    pub examining: RwSignal<Option<ExamProgress>>,
    /// Download progress of engine and data.
    pub load_progress: RwSignal<LoadProgress>,
    /// Methods and data sets on offer; empty until the engine has sent them.
    pub menu: RwSignal<Menu>,
    /// The device in use.
    pub readout: RwSignal<Option<Readout>>,
    /// The visitor's choices.
    pub settings: RwSignal<Settings>,
    /// Errors in the link that opened the page.
    pub link_errors: RwSignal<Vec<String>>,
    /// The chosen method.
    pub card: Memo<Option<MethodCard>>,
    /// The data set it learns from.
    pub dataset: Memo<Option<DatasetCard>>,
    /// Configuration that the settings describe, or the reason why they describe none.
    pub config: Memo<Result<RunConfig, String>>,
    /// The run on show, from its events.
    pub run: RwSignal<RunState>,
    /// Identity of the run on show.
    pub tag: RwSignal<Option<RunTag>>,
    /// Identity and configuration of the run on show, once it has started.
    pub named: Memo<Option<NamedRun>>,
    /// All runs of this browser.
    pub runs: RwSignal<RunList>,
    /// The runs in the charts.
    pub comparison: Memo<Comparison>,
    /// Change of kept runs that the visitor did not ask for.
    pub runs_notice: RwSignal<Option<String>>,
    /// Step under the cursor of all charts.
    pub cursor: RwSignal<Option<f64>>,
    /// The latest images.
    pub picture: RwSignal<Option<Picture>>,
    /// The latest failure.
    pub failure: RwSignal<Option<Failure>>,
    /// What training did while the tab was hidden, once it is shown again.
    pub hidden_time: RwSignal<Option<String>>,
    /// The run saved in the browser.
    pub saved_run: RwSignal<Option<SavedRun>>,
    /// Reason why the current run cannot be saved in the browser.
    pub save_error: RwSignal<Option<String>>,
    pub(crate) link: StoredValue<EngineLink, LocalStorage>,
}

/// A function of the logs of all runs.
pub(crate) type RunsReader = Box<dyn FnOnce(&[RunLog<'_>])>;

/// The connection to the engine, and which of its messages still count.
#[derive(Default)]
pub(crate) struct EngineLink {
    pub(crate) worker: Option<WorkerHandle>,
    /// True if messages belong to the run on show. Those of a dropped run may still arrive.
    pub(crate) live: bool,
    /// True between the request for a run and its first event.
    pub(crate) pending: bool,
    /// True if the requested run brings its own settings, which the form takes over.
    pub(crate) adopt_settings: bool,
    /// Runs requested and dropped before their first event.
    pub(crate) dropped: usize,
    /// Time of the latest picture, and the one held back.
    pub(crate) picture_pace: PicturePace,
    /// Images of the data set, shown while there is no run.
    pub(crate) sample: Option<Picture>,
    /// The run's last checkpoint and its step.
    pub(crate) checkpoint: Option<(usize, Vec<u8>)>,
    /// The checkpoint that a new engine continues from.
    pub(crate) to_restore: Option<Vec<u8>>,
    /// True if a new engine continues the saved run as soon as it finds it.
    pub(crate) to_resume: bool,
    /// Id of the stored run to be shown as soon as its events are read.
    pub(crate) to_show: Option<u64>,
    /// Those that wait for the events of all runs.
    pub(crate) readers: Vec<RunsReader>,
    /// Name of the data set that the engine has or loads.
    pub(crate) data: String,
    /// True if a redraw is scheduled for the next animation frame.
    pub(crate) frame_due: bool,
}

impl EngineLink {
    /// Ignores further messages of the current or requested run.
    fn drop_run(&mut self) {
        self.live = false;
        self.checkpoint = None;
        self.picture_pace = PicturePace::default();
        self.adopt_settings = false;
        self.to_resume = false;
        self.to_show = None;
        self.dropped += usize::from(std::mem::take(&mut self.pending));
    }
}

impl PageState {
    /// The state that the page's link describes, before the engine is up.
    pub fn new() -> Self {
        let pairs = url::read();
        let (settings, link_errors) = Settings::read(pairs.iter().map(|(key, text)| (key.as_str(), text.as_str())));
        let settings = RwSignal::new(settings);
        let menu = RwSignal::new(Menu::default());
        let readout = RwSignal::new(None::<Readout>);
        let kind = move || readout.with(|readout| readout.as_ref().map_or(Kind::Cpu, |readout| readout.kind));
        let card =
            Memo::new(move |_| menu.with(|menu: &Menu| settings.with(|settings| settings.card(menu).ok().cloned())));
        let dataset =
            Memo::new(move |_| menu.with(|menu: &Menu| settings.with(|settings| settings.dataset(menu).ok().cloned())));
        let config = Memo::new(move |_| {
            let made =
                menu.with(|menu| settings.with(|settings| settings.pace().and_then(|_| settings.config(menu, kind()))));
            made.map_err(|error| error.to_string())
        });
        let run = RwSignal::new(RunState::default());
        let tag = RwSignal::new(None::<RunTag>);
        let runs = RwSignal::new(run_table::list());
        let named = Memo::new(move |_| {
            let started = run.with(|run| run.plan.clone())?;
            tag.get().map(|tag| NamedRun { tag, started })
        });
        let comparison = Memo::new(move |_| {
            runs.with(|runs| menu.with(|menu| named.with(|named| Comparison::of(runs, named.as_ref(), &menu.methods))))
        });
        Self {
            phase: RwSignal::new(Phase::default()),
            can_start: RwSignal::new(false),
            probing: RwSignal::new(false),
            examining: RwSignal::new(None),
            load_progress: RwSignal::new(LoadProgress::default()),
            menu,
            readout,
            settings,
            link_errors: RwSignal::new(link_errors),
            card,
            dataset,
            config,
            run,
            tag,
            named,
            runs,
            comparison,
            runs_notice: RwSignal::new(None),
            cursor: RwSignal::new(None),
            picture: RwSignal::new(None),
            failure: RwSignal::new(None),
            hidden_time: RwSignal::new(None),
            saved_run: RwSignal::new(None),
            save_error: RwSignal::new(None),
            link: StoredValue::new_local(EngineLink::default()),
        }
    }

    /// Starts a new engine in place of the current one.
    pub fn connect(self) {
        self.can_start.set(false);
        self.readout.set(None);
        self.load_progress.set(LoadProgress::default());
        self.phase.set(Phase::Loading);
        self.link.update_value(|link| {
            let to_restore = link.to_restore.take();
            *link = EngineLink { to_restore, to_resume: link.to_resume, ..EngineLink::default() };
        });
        match WorkerHandle::start(move |reply| self.on_reply(reply)) {
            Ok(worker) => self.link.update_value(|link| link.worker = Some(worker)),
            Err(reply) => self.on_reply(reply),
        }
    }

    /// Has the engine choose and test the device.
    pub(crate) fn prepare(self) {
        self.can_start.set(false);
        self.readout.set(None);
        self.failure.set(None);
        self.phase.set(Phase::Loading);
        self.load_progress.update(|progress| progress.device = false);
        let data = self.wanted_data();
        self.link.update_value(|link| link.data = data.clone());
        self.send(&Command::Prepare { device: self.settings.with_untracked(|settings| settings.device), data });
    }

    /// Name of the data set to load: the one in the settings if it is valid, else the first of the menu.
    fn wanted_data(self) -> String {
        let chosen = self.dataset.get_untracked().map(|dataset| dataset.name);
        let first = || self.menu.with_untracked(|menu| Some(menu.datasets.first()?.name.clone()));
        chosen.or_else(first).unwrap_or_default()
    }

    /// Has the engine load another data set if the settings name another.
    pub(crate) fn load_wanted_data(self) {
        let data = self.wanted_data();
        let current = self.link.with_value(|link| link.data == data || link.worker.is_none());
        if current || self.readout.get_untracked().is_none() {
            return;
        }
        self.clear_run();
        self.can_start.set(false);
        self.phase.set(Phase::Loading);
        self.link.update_value(|link| link.data = data.clone());
        self.send(&Command::Load { data });
    }

    /// Carries out the action of a button.
    pub fn act(self, action: Action) {
        let phase = self.phase.get_untracked();
        if !action.is_open(phase, self.can_start.get_untracked()) {
            return;
        }
        match (action, phase) {
            (Action::Start, Phase::Paused) => self.send(&Command::Resume),
            (Action::Step, Phase::Paused) => self.send(&Command::Step),
            (Action::Start, _) => drop(self.start_run(false)),
            (Action::Step, _) => {
                if self.start_run(true) {
                    self.send(&Command::Step);
                }
            }
            (Action::Pause, _) => self.send(&Command::Pause),
            (Action::Reset, _) => self.reset(),
        }
    }

    /// Sets up a new run; returns false if the settings do not allow one.
    fn start_run(self, paused: bool) -> bool {
        let pace = self.settings.with_untracked(|settings| settings.pace()).map_err(|error| error.to_string());
        let (config, pace) = match (self.config.get_untracked(), pace) {
            (Ok(config), Ok(pace)) => (config, pace),
            (Err(message), _) | (_, Err(message)) => {
                self.fail(&message, FailureKind::Run);
                return false;
            }
        };
        self.clear_run();
        // the saved run is another one
        self.saved_run.set(None);
        self.link.update_value(|link| link.pending = true);
        self.write_address();
        self.phase.set(if paused { Phase::Paused } else { Phase::Running });
        let tag = self.show_new_run();
        self.send(&Command::Start { tag, config: Box::new(config), paused, pace });
        true
    }

    fn reset(self) {
        self.clear_run();
        self.picture.set(self.link.with_value(|link| link.sample.clone()));
        self.phase.set(Phase::Ready);
        self.send(&Command::Reset);
    }

    /// Keeps the run on show in the list, clears it and ignores its further messages.
    pub(crate) fn clear_run(self) {
        self.keep_shown();
        self.link.update_value(EngineLink::drop_run);
        self.save_error.set(None);
        self.probing.set(false);
        self.hidden_time.set(None);
        self.examining.set(None);
        self.failure.set(None);
        self.link_errors.set(Vec::new());
        self.run.set(RunState::default());
    }

    /// Changes the setting that links call `key`.
    pub fn change(self, key: &str, text: &str) {
        self.clear_last_error();
        let mut outcome = Ok(());
        self.settings.update(|settings| {
            if matches!(key, "method" | "preset") {
                settings.changed.clear();
            }
            outcome = settings.take(key, text.trim());
            if key == "method" {
                self.menu.with_untracked(|menu| settings.drop_unsuitable_data(menu));
            }
        });
        match outcome {
            Ok(()) if key == "device" => {
                self.clear_run();
                self.prepare();
            }
            Ok(()) => self.load_wanted_data(),
            Err(error) => self.link_errors.update(|errors| errors.push(error.to_string())),
        }
        self.write_address();
    }

    /// Clears the message of the last attempt: it does not apply to the next one.
    fn clear_last_error(self) {
        self.link_errors.set(Vec::new());
        let failed_run = |failure: &Option<Failure>| failure.as_ref().is_some_and(|it| it.kind == FailureKind::Run);
        if self.failure.with_untracked(failed_run) {
            self.failure.set(None);
            if self.can_start.get_untracked() {
                self.phase.set(Phase::Ready);
            }
        }
    }

    /// Chooses another device.
    pub fn choose_device(self, device: DeviceChoice) {
        self.change("device", &device.to_string());
    }

    /// Carries out the remedy offered for a failure.
    pub fn apply_remedy(self, remedy: Remedy) {
        let engine_gone = self.failure.with_untracked(|it| it.as_ref().is_some_and(Failure::needs_new_engine));
        self.failure.set(None);
        match remedy {
            Remedy::TryAgain => {
                self.clear_run();
                self.prepare();
            }
            Remedy::RestartEngine => self.restart_engine(),
            Remedy::UseCpu if !engine_gone => self.choose_device(DeviceChoice::Cpu),
            Remedy::UseCpu | Remedy::ContinueOnCpu { .. } => {
                self.settings.update(|settings| settings.device = DeviceChoice::Cpu);
                let continues = matches!(remedy, Remedy::ContinueOnCpu { .. });
                self.link.update_value(|link| {
                    let checkpoint = link.checkpoint.take().filter(|_| continues);
                    link.to_restore = checkpoint.map(|(_, bytes)| bytes);
                });
                self.connect();
            }
        }
    }

    /// Starts a new engine. If the run on show is saved, it stays there until the new engine continues it.
    fn restart_engine(self) {
        let is_saved =
            self.run.with_untracked(|run| run.plan.is_some()) && self.saved_run.with_untracked(Option::is_some);
        if !is_saved {
            self.clear_run();
        }
        self.link.update_value(|link| link.to_resume = is_saved);
        self.connect();
    }

    pub(crate) fn fail(self, message: &str, kind: FailureKind) {
        let saved_step = self.link.with_value(|link| link.checkpoint.as_ref().map(|(step, _)| *step));
        let on_cpu = self.settings.with_untracked(|settings| settings.device == DeviceChoice::Cpu);
        let testing = self.load_progress.with_untracked(|progress| progress.awake && !progress.device) && !on_cpu;
        self.failure.set(Some(Failure::new(message, kind, saved_step, testing)));
        self.examining.set(None);
        if kind != FailureKind::Run {
            self.can_start.set(false);
        }
        self.phase.set(Phase::Error);
    }

    pub(crate) fn send(self, command: &Command) {
        let sent = self.link.with_value(|link| link.worker.as_ref().map_or(Ok(()), |worker| worker.send(command)));
        if let Err(reply) = sent {
            self.on_reply(reply);
        }
    }

    /// Writes the settings into the address, which becomes a link to the same run.
    pub(crate) fn write_address(self) {
        if let (Ok(config), Some(card)) = (self.config.get_untracked(), self.card.get_untracked()) {
            url::write(&self.settings.with_untracked(|settings| settings.write(&config, &card)));
        }
    }

    /// Configuration of the chosen preset on the current device, without the visitor's changes.
    pub fn preset_config(self) -> Option<RunConfig> {
        let kind = self.readout.with(|readout| readout.as_ref().map_or(Kind::Cpu, |readout| readout.kind));
        self.menu.with(|menu| self.settings.with(|settings| settings.preset(menu, kind).ok()))
    }

    /// The saved run, while the visitor can choose to continue it.
    pub fn offered_run(self) -> Option<SavedRun> {
        let idle = self.can_start.get() && matches!(self.phase.get(), Phase::Ready | Phase::Error);
        self.saved_run.get().filter(|_| idle && !self.settings.with(|settings| settings.autostart))
    }

    /// True if the device is a GPU, real or emulated.
    pub fn on_gpu(self) -> bool {
        self.readout.with(|readout| readout.as_ref().is_some_and(|readout| readout.kind != Kind::Cpu))
    }

    /// True if the full preset is chosen on a device other than a GPU.
    pub fn is_preset_too_large(self) -> bool {
        let kind = self.readout.with(|readout| readout.as_ref().map(|readout| readout.kind));
        self.settings.with(|settings| settings.preset) == Preset::Full && kind.is_some_and(|kind| kind != Kind::Gpu)
    }
}

impl Default for PageState {
    fn default() -> Self {
        Self::new()
    }
}
