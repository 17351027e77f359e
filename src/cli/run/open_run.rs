//! An existing run, opened by the commands that evaluate it.

use std::path::{Path, PathBuf};

use futures_lite::future::block_on;

use super::config_diff::refuse_edited;
use super::known_runs::no_run_at;
use crate::cli::expected;
use crate::cli::input::load_images;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::spinner::Spinner;
use crate::data::{Dataset, Sequence, Spec, Split};
use crate::device::{self, DeviceChoice, Selected};
use crate::error::Error;
use crate::evaluate::{AdaptedImages, Cache, ControlBudget, EncoderUnderTest, EvalRequest, Measurement};
use crate::format;
use crate::methods::find;
use crate::probe::ProbeSettings;
use crate::probe::labelled::LabelledPlan;
use crate::session::Session;
use crate::session::checkpoint::Header;
use crate::session::event::Event;
use crate::session::folder::{Checkpoint, DataRecord, Evaluation, Folder, Place, Record, place};
use crate::session::schedule::Pace;

/// A run with its newest whole checkpoint, or a single checkpoint without a run.
pub(crate) struct Opened {
    home: Home,
    pub(crate) record: Record,
    pub(crate) checkpoint: Checkpoint,
}

/// The place of a checkpoint.
enum Home {
    Run(Folder),
    /// A checkpoint with no run around it, for example one downloaded from the page.
    File(PathBuf),
}

/// An opened run with its network and images.
pub(crate) struct Loaded {
    pub(crate) session: Session,
    pub(crate) selected: Selected,
    /// The images that were loaded.
    pub(crate) data: DataRecord,
    /// Images that the run did not learn from, converted for its encoder.
    pub(crate) transfer: Option<AdaptedImages>,
}

impl Loaded {
    /// The images to probe with.
    pub(crate) fn images(&self) -> &Dataset {
        self.transfer.as_ref().map_or_else(|| self.session.data(), |transfer| &transfer.images)
    }

    /// Height of these images in pixels.
    pub(crate) fn side(&self) -> usize {
        self.images().train.size().height
    }

    /// A sentence on images that the run did not learn from.
    pub(crate) fn transfer_words(&self) -> Option<String> {
        let transfer = self.transfer.as_ref()?;
        let how = transfer.how.as_ref().map_or(String::new(), |how| format!(": {how}"));
        Some(format!("Probed with {}, which the run did not learn from{how}.", self.data.name))
    }

    /// Measures the run and its controls; `keep` receives what is known before a long part begins.
    pub(crate) fn measure(
        &self,
        request: &EvalRequest,
        quiet: bool,
        keep: &mut dyn FnMut(&Measurement),
    ) -> Outcome<Measurement> {
        let trained = self.session.encoder();
        let config = self.session.config();
        let subject = EncoderUnderTest {
            trained: &trained,
            untrained: self.session.untrained(),
            config: &config.encoder,
            seed: config.seed,
            data: self.images(),
            images_sha256: &self.data.sha256,
            selected: &self.selected,
        };
        expected::tell(block_on(subject.cost(request))?, quiet, expected::OF_EVAL)?;
        let spinner = Spinner::new(quiet);
        Ok(block_on(subject.measure_in_stages(request, &mut |task| spinner.tell(task), keep))?)
    }
}

impl Opened {
    /// Opens the run in a folder, or at one of its checkpoints.
    ///
    /// # Errors
    /// When there is no run; the sentence names those that are near.
    pub(crate) fn at(path: &Path) -> Outcome<Self> {
        if path.is_file() {
            return Self::at_checkpoint(path);
        }
        if place(path) != Place::Run {
            return Err(no_run_at(path));
        }
        let (folder, record) = Folder::open(path)?;
        let checkpoint = folder.newest()?.ok_or_else(|| {
            let path = path.display();
            Failure::Failed(format!(
                "the run in {path} has no checkpoint yet: wait if it is being trained, or start again in another folder"
            ))
        })?;
        refuse_edited(path, &record, &checkpoint.header.config)?;
        let step = checkpoint.header.step;
        for (path, wrong) in &checkpoint.damaged {
            let path = path.display();
            print::err(&format!("warning: {path} is damaged ({wrong}); the one before, of step {step}, is used"));
        }
        Ok(Self { home: Home::Run(folder), record, checkpoint })
    }

    /// The run in a folder at the checkpoint with this digest, or the single checkpoint at `path` if it has it; `None` where
    /// there is none.
    pub(crate) fn with_digest(path: &Path, sha256: &str) -> Outcome<Option<Self>> {
        if path.is_file() {
            let opened = Self::at_checkpoint(path)?;
            return Ok(Some(opened).filter(|opened| opened.checkpoint.sha256() == sha256));
        }
        let (folder, record) = Folder::open(path)?;
        let found = folder.with_digest(sha256)?;
        Ok(found.map(|checkpoint| Self { home: Home::Run(folder), record, checkpoint }))
    }

    /// The same run with the folder that this process has locked.
    pub(crate) fn held(self, folder: Folder) -> Self {
        Self { home: Home::Run(folder), ..self }
    }

    fn at_checkpoint(path: &Path) -> Outcome<Self> {
        let run = std::path::absolute(path).ok().and_then(|path| Some(path.parent()?.parent()?.to_path_buf()));
        let Some(inside) = run.filter(|run| place(run) == Place::Run) else { return Self::alone(path) };
        let (folder, record) = Folder::open(&inside)?;
        let checkpoint = Checkpoint::read(path).map_err(|error| match error {
            Error::Checkpoint(wrong) => Failure::Failed(format!(
                "{} is damaged ({wrong}); name the run's folder to look at its newest whole checkpoint",
                path.display()
            )),
            other => other.into(),
        })?;
        Ok(Self { home: Home::Run(folder), record, checkpoint })
    }

    fn alone(path: &Path) -> Outcome<Self> {
        let checkpoint = Checkpoint::read(path).map_err(|error| match error {
            Error::Checkpoint(wrong) => {
                Failure::Failed(format!("{} is no checkpoint of a run: {wrong}", path.display()))
            }
            other => other.into(),
        })?;
        Ok(Self { home: Home::File(path.to_path_buf()), record: record(&checkpoint.header), checkpoint })
    }

    /// The run's folder, or the file where there is none around it.
    pub(crate) fn path(&self) -> &Path {
        match &self.home {
            Home::Run(folder) => folder.path(),
            Home::File(path) => path,
        }
    }

    /// The events of the run; none for a single checkpoint.
    pub(crate) fn events(&self) -> Outcome<Vec<Event>> {
        match &self.home {
            Home::Run(folder) => {
                let unknown = folder.unknown_events()?;
                if unknown > 0 {
                    let path = folder.path().display();
                    let lines = format::count(unknown, "line");
                    print::err(&format!(
                        "warning: {path}/events.jsonl: {lines} damaged or of another version, left out"
                    ));
                }
                Ok(folder.events()?)
            }
            Home::File(_) => Ok(Vec::new()),
        }
    }

    /// The evaluations of the run; none for a single checkpoint.
    pub(crate) fn evaluations(&self) -> Outcome<Vec<Evaluation>> {
        match &self.home {
            Home::Run(folder) => Ok(folder.evaluations()?),
            Home::File(_) => Ok(Vec::new()),
        }
    }

    /// The request for the images it learned from, or for others.
    pub(crate) fn images(&self, other: Option<&Spec>) -> Outcome<Spec> {
        let spec = other.map_or(self.record.data.spec(), |data| self.record.data.moved(data.clone()));
        if spec.is_folder() && spec.folder.is_none() {
            let path = self.path().display();
            let name = &spec.name;
            return Err(Failure::Failed(format!(
                "{path} does not record the folder of the images it learned from; name it with --data {name}:DIR"
            )));
        }
        Ok(spec)
    }

    /// Steps the run had taken.
    pub(crate) fn step(&self) -> usize {
        self.checkpoint.header.step
    }

    /// Loads the images it learned from, or others, and restores the network.
    pub(crate) fn load(&self, other: Option<&Spec>, device: DeviceChoice, quiet: bool) -> Outcome<Loaded> {
        let spec = self.images(other)?;
        let images = load_images::load(&spec, quiet)?;
        let data = DataRecord::of(&images, &spec);
        let recorded = matches!(self.home, Home::Run(_));
        if other.is_none() && recorded && data.sha256 != self.record.data.sha256 {
            print::err("warning: these are not the images the run learned from; they have changed since");
        }
        self.restore(images, data, device)
    }

    /// Loads images to probe with: those it learned from, or others, which are converted for its encoder.
    pub(crate) fn load_labelled(&self, other: Option<&Spec>, device: DeviceChoice, quiet: bool) -> Outcome<Loaded> {
        let Some(other) = other else { return self.load(None, device, quiet) };
        let spec = self.record.data.moved(other.clone());
        let images = load_images::load(&spec, quiet)?;
        let data = DataRecord::of(&images, &spec);
        self.probed_with(images, data, device)
    }

    /// Restores the network for labelled images that are loaded, its own or others.
    pub(crate) fn probed_with(&self, images: Dataset, data: DataRecord, device: DeviceChoice) -> Outcome<Loaded> {
        load_images::refuse_unlabelled(&images, "name others with --data")?;
        let own = &self.record.data;
        if data.sha256 == own.sha256 {
            return self.restore(images, data, device);
        }
        let transfer = load_images::adapted(images, own.image.channels, Some([own.image.height, own.image.width]))?;
        // the network's shape follows from the images it learned from, which need not be loaded
        let loaded = self.restore(absent(own)?, data, device)?;
        Ok(Loaded { transfer: Some(transfer), ..loaded })
    }

    /// Restores the network for images that are loaded.
    fn restore(&self, images: Dataset, data: DataRecord, device: DeviceChoice) -> Outcome<Loaded> {
        let selected = block_on(device::select(device))?;
        let pace = Pace { read_every: 1, health_every: 0, held_out: 0, probe: None, exam: None };
        let entry = find(&self.checkpoint.header.config.method)?;
        let session = block_on(Session::restore(entry, &self.checkpoint.bytes, images, &selected, pace))?;
        Ok(Loaded { session, selected, data, transfer: None })
    }

    /// A known evaluation with everything that is asked for.
    pub(crate) fn known(&self, data: &DataRecord, settings: &ProbeSettings) -> Outcome<Option<Evaluation>> {
        let mut all = self.evaluations()?.into_iter();
        Ok(all.find(|known| known.answers(self.step(), data, settings)))
    }

    /// The plan of the run's supervised control, for images of `side` pixels.
    pub(crate) fn as_long(&self, side: usize) -> LabelledPlan {
        LabelledPlan::as_long(side, self.step(), self.record.config.batch)
    }

    /// The controls to measure unasked.
    pub(crate) fn budget(&self, selected: &Selected) -> ControlBudget {
        let same_device = self.record.device.name == selected.readout.name;
        ControlBudget::of(self.checkpoint.header.elapsed_seconds, same_device)
    }

    /// These settings with the controls that are measured unasked, for images of this many pixels to a side.
    pub(crate) fn request(&self, settings: &ProbeSettings, selected: &Selected, side: usize) -> EvalRequest {
        let budget = if settings.is_whole() { self.budget(selected) } else { ControlBudget::Cheap };
        EvalRequest {
            untrained: budget.untrained(),
            supervised: budget.supervised(self.as_long(side)),
            cache: Cache::of_user(),
            ..settings.clone().into()
        }
    }

    /// Measures the run and its controls, and keeps the evaluation.
    pub(crate) fn measure(&self, loaded: &Loaded, settings: &ProbeSettings, quiet: bool) -> Outcome<Evaluation> {
        self.answer(loaded, &self.request(settings, &loaded.selected, loaded.side()), quiet)
    }

    /// Measures everything that is requested, and keeps the evaluation.
    pub(crate) fn answer(&self, loaded: &Loaded, request: &EvalRequest, quiet: bool) -> Outcome<Evaluation> {
        load_images::refuse_unlabelled(loaded.images(), "name others with --data")?;
        // checked first: a new evaluation could not be added to an unreadable file
        self.evaluations()?;
        let said = |measured: Measurement| self.evaluation(loaded, request, measured);
        let measured = loaded.measure(request, quiet, &mut |some| self.keep(said(some.clone())))?;
        let evaluation = said(measured);
        self.keep(evaluation.clone());
        Ok(evaluation)
    }

    fn evaluation(&self, loaded: &Loaded, request: &EvalRequest, measured: Measurement) -> Evaluation {
        Evaluation {
            nolabel: env!("CARGO_PKG_VERSION").to_string(),
            method: self.record.config.method.clone(),
            seed: self.record.config.seed,
            step: self.step(),
            total_steps: loaded.session.started().total_steps,
            elapsed_seconds: self.checkpoint.header.elapsed_seconds,
            checkpoint: self.checkpoint.sha256(),
            data: loaded.data.clone(),
            device: loaded.selected.readout.clone(),
            settings: request.settings.clone(),
            rows: measured.rows,
            details: measured.details,
        }
    }

    /// Keeps an evaluation, if there is a run around the checkpoint.
    fn keep(&self, evaluation: Evaluation) {
        if let Home::Run(folder) = &self.home
            && let Err(error) = folder.keep(evaluation)
        {
            print::err(&format!("warning: the evaluation is not kept: {error}"));
        }
    }
}

/// The record of a single checkpoint's run. It lacks the digest of the images.
fn record(header: &Header) -> Record {
    let Header { config, images, device, .. } = header.clone();
    let spec = Spec::named(&config.data);
    let data = DataRecord {
        size: spec.is_folder().then_some(images.size.width),
        name: spec.name,
        folder: None,
        train_images: images.train,
        validation_images: 0,
        test_images: images.test,
        sha256: "not recorded".into(),
        image: images.size,
    };
    Record::new(config, data, device)
}

/// A placeholder for a run's images, none of which are loaded. It counts as clips, which some methods need.
fn absent(data: &DataRecord) -> Outcome<Dataset> {
    let clips = Sequence::of_clips(&[data.train_images]);
    let train = Split::expecting(data.image, data.train_images).in_sequence(clips)?;
    let test = Split::expecting(data.image, data.test_images);
    Ok(Dataset { name: data.name.clone(), classes: Vec::new(), train, validation: None, test })
}
