//! The state of the page and what visitor and engine do to it.

use leptos::prelude::*;

use super::url;
use super::worker_handle::Engine;
use crate::config::{Preset, RunConfig};
use crate::device::{DeviceChoice, Kind, Readout};
use crate::page::model::failure::{Remedy, Trouble};
use crate::page::model::load_progress::Loading;
use crate::page::model::phase::{Action, Phase};
use crate::page::model::run_state::Record;
use crate::page::model::settings::Settings;
use crate::session::picture::Picture;
use crate::worker::protocol::{Command, Failure, Kept, Menu, MethodCard, SetCard};

/// Everything the components show. Copies share the state.
#[derive(Clone, Copy)]
pub struct PageState {
    /// What the page is doing.
    pub phase: RwSignal<Phase>,
    /// Whether the engine could start a run: device chosen, first images there.
    pub able: RwSignal<bool>,
    /// Whether a round of probes is under way.
    pub examining: RwSignal<bool>,
    /// What has been fetched.
    pub loading: RwSignal<Loading>,
    /// What there is to choose from, once the engine has said so.
    pub menu: RwSignal<Menu>,
    /// The device in use.
    pub readout: RwSignal<Option<Readout>>,
    /// The visitor's choices.
    pub settings: RwSignal<Settings>,
    /// What the link said that cannot be.
    pub misread: RwSignal<Vec<String>>,
    /// The chosen method.
    pub card: Memo<Option<MethodCard>>,
    /// The data it learns from.
    pub set: Memo<Option<SetCard>>,
    /// The run that the choices describe, or why they describe none.
    pub config: Memo<Result<RunConfig, String>>,
    /// What the run has said.
    pub record: RwSignal<Record>,
    /// The latest images.
    pub picture: RwSignal<Option<Picture>>,
    /// What went wrong last.
    pub trouble: RwSignal<Option<Trouble>>,
    /// The run that the browser keeps.
    pub kept: RwSignal<Option<Kept>>,
    /// Why it does not keep the one on show.
    pub unkept: RwSignal<Option<String>>,
    pub(crate) line: StoredValue<EngineLink, LocalStorage>,
}

/// The connection to the engine, and which of its messages still matter.
#[derive(Default)]
pub(crate) struct EngineLink {
    pub(crate) engine: Option<Engine>,
    /// Whether what comes in belongs to the run on show: messages of a dropped run may still be under way.
    pub(crate) live: bool,
    /// Whether a run was asked for that has not begun yet.
    pub(crate) pending: bool,
    /// Whether it comes with settings of its own, which the form shall show.
    pub(crate) follow: bool,
    /// Runs asked for and dropped before they began.
    pub(crate) stale: usize,
    /// Some of the data, shown while there is no run.
    pub(crate) sample: Option<Picture>,
    /// The run's last saved state.
    pub(crate) saved: Option<(usize, Vec<u8>)>,
    /// A state that a new engine shall go on from.
    pub(crate) restore: Option<Vec<u8>>,
    /// The data that the engine has or fetches.
    pub(crate) data: String,
    /// Whether a redraw is due at the next animation frame.
    pub(crate) frame_due: bool,
}

impl EngineLink {
    /// Stops listening to the run there is or will be.
    fn forget(&mut self) {
        self.live = false;
        self.saved = None;
        self.follow = false;
        self.stale += usize::from(std::mem::take(&mut self.pending));
    }
}

impl PageState {
    /// The state a link describes, before the engine is there.
    pub fn new() -> Self {
        let pairs = url::read();
        let (settings, misread) = Settings::read(pairs.iter().map(|(key, text)| (key.as_str(), text.as_str())));
        let (settings, menu, readout) =
            (RwSignal::new(settings), RwSignal::new(Menu::default()), RwSignal::new(None::<Readout>));
        let kind = move || readout.with(|readout| readout.as_ref().map_or(Kind::Cpu, |readout| readout.kind));
        let card =
            Memo::new(move |_| menu.with(|menu: &Menu| settings.with(|settings| settings.card(menu).ok().cloned())));
        let set =
            Memo::new(move |_| menu.with(|menu: &Menu| settings.with(|settings| settings.set(menu).ok().cloned())));
        let config = Memo::new(move |_| {
            let made = menu
                .with(|menu| settings.with(|settings| settings.looks().and_then(|_| settings.config(menu, kind()))));
            made.map_err(|error| error.to_string())
        });
        Self {
            phase: RwSignal::new(Phase::default()),
            able: RwSignal::new(false),
            examining: RwSignal::new(false),
            loading: RwSignal::new(Loading::default()),
            menu,
            readout,
            settings,
            misread: RwSignal::new(misread),
            card,
            set,
            config,
            record: RwSignal::new(Record::default()),
            picture: RwSignal::new(None),
            trouble: RwSignal::new(None),
            kept: RwSignal::new(None),
            unkept: RwSignal::new(None),
            line: StoredValue::new_local(EngineLink::default()),
        }
    }

    /// Starts an engine in place of the one there is.
    pub fn connect(self) {
        self.able.set(false);
        self.readout.set(None);
        self.loading.set(Loading::default());
        self.phase.set(Phase::Loading);
        self.line.update_value(|line| *line = EngineLink { restore: line.restore.take(), ..EngineLink::default() });
        match Engine::start(move |reply| self.hear(reply)) {
            Ok(engine) => self.line.update_value(|line| line.engine = Some(engine)),
            Err(reply) => self.hear(reply),
        }
    }

    /// Has the engine choose and test the device.
    pub(crate) fn prepare(self) {
        self.able.set(false);
        self.readout.set(None);
        self.trouble.set(None);
        self.phase.set(Phase::Loading);
        self.loading.update(|loading| loading.device = false);
        let data = self.wanted_data();
        self.line.update_value(|line| line.data = data.clone());
        self.send(&Command::Prepare { device: self.settings.with_untracked(|settings| settings.device), data });
    }

    /// The name of the data to have at hand: where the settings name none that can be, the first there are.
    fn wanted_data(self) -> String {
        let chosen = self.set.get_untracked().map(|set| set.name);
        chosen.or_else(|| self.menu.with_untracked(|menu| Some(menu.sets.first()?.name.clone()))).unwrap_or_default()
    }

    /// Has the engine load other data where the settings want others.
    fn follow_data(self) {
        let data = self.wanted_data();
        if self.line.with_value(|line| line.data == data || line.engine.is_none())
            || self.readout.get_untracked().is_none()
        {
            return;
        }
        self.clear();
        self.able.set(false);
        self.phase.set(Phase::Loading);
        self.line.update_value(|line| line.data = data.clone());
        self.send(&Command::Load { data });
    }

    /// Presses a button.
    pub fn act(self, action: Action) {
        let phase = self.phase.get_untracked();
        if !action.is_open(phase, self.able.get_untracked()) {
            return;
        }
        match (action, phase) {
            (Action::Start, Phase::Paused) => self.send(&Command::Resume),
            (Action::Step, Phase::Paused) => self.send(&Command::Step),
            (Action::Start, _) => drop(self.begin(false)),
            (Action::Step, _) => {
                if self.begin(true) {
                    self.send(&Command::Step);
                }
            }
            (Action::Pause, _) => self.send(&Command::Pause),
            (Action::Reset, _) => self.reset(),
        }
    }

    /// Sets up a new run; says whether the settings allow one.
    fn begin(self, paused: bool) -> bool {
        let looks = self.settings.with_untracked(|settings| settings.looks()).map_err(|error| error.to_string());
        let (config, looks) = match (self.config.get_untracked(), looks) {
            (Ok(config), Ok(looks)) => (config, looks),
            (Err(message), _) | (_, Err(message)) => {
                self.fail(&message, Failure::Run);
                return false;
            }
        };
        self.clear();
        // what is kept is another run
        self.kept.set(None);
        self.line.update_value(|line| line.pending = true);
        self.write_address();
        self.phase.set(if paused { Phase::Paused } else { Phase::Running });
        self.send(&Command::Start { config: Box::new(config), paused, looks });
        true
    }

    fn reset(self) {
        self.clear();
        self.picture.set(self.line.with_value(|line| line.sample.clone()));
        self.phase.set(Phase::Ready);
        self.send(&Command::Reset);
    }

    /// Forgets the run on show.
    pub(crate) fn clear(self) {
        self.line.update_value(EngineLink::forget);
        self.unkept.set(None);
        self.examining.set(false);
        self.trouble.set(None);
        self.misread.set(Vec::new());
        self.record.set(Record::default());
    }

    /// Changes a setting by its name in links.
    pub fn change(self, key: &str, text: &str) {
        self.move_on();
        let mut outcome = Ok(());
        self.settings.update(|settings| {
            if matches!(key, "method" | "preset") {
                settings.changed.clear();
            }
            outcome = settings.take(key, text.trim());
            if key == "method" {
                self.menu.with_untracked(|menu| settings.let_go_of_data(menu));
            }
        });
        match outcome {
            Ok(()) if key == "device" => {
                self.clear();
                self.prepare();
            }
            Ok(()) => self.follow_data(),
            Err(error) => self.misread.update(|misread| misread.push(error.to_string())),
        }
        self.write_address();
    }

    /// What was wrong with the last attempt says nothing about the next.
    fn move_on(self) {
        self.misread.set(Vec::new());
        if self.trouble.with_untracked(|trouble| trouble.as_ref().is_some_and(|trouble| trouble.what == Failure::Run)) {
            self.trouble.set(None);
            if self.able.get_untracked() {
                self.phase.set(Phase::Ready);
            }
        }
    }

    /// Chooses another device.
    pub fn choose(self, device: DeviceChoice) {
        self.change("device", &device.to_string());
    }

    /// Takes the way out of a failure.
    pub fn mend(self, remedy: Remedy) {
        let gone = self.trouble.with_untracked(|trouble| trouble.as_ref().is_some_and(Trouble::needs_new_engine));
        self.trouble.set(None);
        match remedy {
            Remedy::TryAgain => {
                self.clear();
                self.prepare();
            }
            Remedy::RestartEngine => {
                self.clear();
                self.connect();
            }
            Remedy::UseCpu if !gone => self.choose(DeviceChoice::Cpu),
            Remedy::UseCpu | Remedy::ContinueOnCpu { .. } => {
                self.settings.update(|settings| settings.device = DeviceChoice::Cpu);
                let continues = matches!(remedy, Remedy::ContinueOnCpu { .. });
                self.line.update_value(|line| {
                    line.restore = line.saved.take().filter(|_| continues).map(|(_, bytes)| bytes)
                });
                self.connect();
            }
        }
    }

    pub(crate) fn fail(self, message: &str, what: Failure) {
        let saved = self.line.with_value(|line| line.saved.as_ref().map(|(step, _)| *step));
        let on_cpu = self.settings.with_untracked(|settings| settings.device == DeviceChoice::Cpu);
        let choosing = self.loading.with_untracked(|loading| loading.awake && !loading.device) && !on_cpu;
        self.trouble.set(Some(Trouble::new(message, what, saved, choosing)));
        if what != Failure::Run {
            self.able.set(false);
        }
        self.phase.set(Phase::Error);
    }

    pub(crate) fn send(self, command: &Command) {
        let sent = self.line.with_value(|line| line.engine.as_ref().map_or(Ok(()), |engine| engine.send(command)));
        if let Err(reply) = sent {
            self.hear(reply);
        }
    }

    /// Makes the address a link to the run that the settings describe.
    pub(crate) fn write_address(self) {
        let config = self.config.get_untracked();
        let card = self.card.get_untracked();
        if let (Ok(config), Some(card)) = (config, card) {
            url::write(&self.settings.with_untracked(|settings| settings.write(&config, &card)));
        }
    }

    /// The chosen preset on the device in use, nothing changed.
    pub fn base(self) -> Option<RunConfig> {
        let kind = self.readout.with(|readout| readout.as_ref().map_or(Kind::Cpu, |readout| readout.kind));
        self.menu.with(|menu| self.settings.with(|settings| settings.preset(menu, kind).ok()))
    }

    /// The run that the browser keeps, where there is a choice whether to go on with it.
    pub fn offered(self) -> Option<Kept> {
        let idle = self.able.get() && matches!(self.phase.get(), Phase::Ready | Phase::Error);
        self.kept.get().filter(|_| idle && !self.settings.with(|settings| settings.autostart))
    }

    /// Whether a GPU is in use, real or played.
    pub fn on_gpu(self) -> bool {
        self.readout.with(|readout| readout.as_ref().is_some_and(|readout| readout.kind != Kind::Cpu))
    }

    /// Whether the chosen preset is meant for another kind of machine than this.
    pub fn is_overdone(self) -> bool {
        let kind = self.readout.with(|readout| readout.as_ref().map(|readout| readout.kind));
        self.settings.with(|settings| settings.preset) == Preset::Full && kind.is_some_and(|kind| kind != Kind::Gpu)
    }
}

impl Default for PageState {
    fn default() -> Self {
        Self::new()
    }
}
