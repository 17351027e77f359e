//! Setting up a run from its arguments: new, resumed, or branched off a checkpoint.

use std::path::{Path, PathBuf};

use futures_lite::future::block_on;

use super::config_diff::{differences, refuse_edited};
use super::open_run::Opened;
use crate::cli::input::args::{self, RunArgs};
use crate::cli::input::foreign_weights;
use crate::cli::input::load_images;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::progress::SweepPosition;
use crate::cli::output::run_summary::Summary;
use crate::config::{Preset, RunConfig};
use crate::data::{Dataset, Spec, store};
use crate::device::{self, Kind, Selected};
use crate::digest;
use crate::format;
use crate::methods::find;
use crate::probe::{self, ProbeSettings};
use crate::session::Session;
use crate::session::folder::{Checkpoint, Criterion, DataRecord, Folder, Log, Place, Record, Start, place};
use crate::session::schedule::{Pace, ProbePace};
use crate::weights::ImportOptions;

/// Images for probes while training: enough to see a trend.
const PROBE_TRAIN: usize = 2000;
const PROBE_TEST: usize = 1000;
/// Steps between two measurements of the run's health.
const HEALTH_EVERY: usize = 50;

/// The request of a command that trains. Absent fields are those of the run in its folder, or defaults.
pub(crate) struct TrainRequest {
    /// The command's name, for hints.
    pub(crate) command: &'static str,
    pub(crate) method: Option<String>,
    pub(crate) data: Option<Spec>,
    pub(crate) preset: Option<Preset>,
    /// File of weights that the encoder starts from.
    pub(crate) init: Option<PathBuf>,
    /// Checkpoint that the run branches off, in a folder of its own.
    pub(crate) from: Option<PathBuf>,
    /// The folder where none is named.
    pub(crate) out: Option<PathBuf>,
    /// True if the features are probed after training.
    pub(crate) probed: bool,
    /// Images that are in memory already.
    pub(crate) images: Option<Dataset>,
    /// Position of the run in a sweep.
    pub(crate) sweep: Option<SweepPosition>,
    pub(crate) args: RunArgs,
}

/// A run that is ready for its first step.
pub(crate) struct Run {
    pub(crate) session: Session,
    pub(crate) selected: Selected,
    pub(crate) folder: Folder,
    pub(crate) log: Log,
    /// Summary of an earlier start of the run.
    pub(crate) earlier: Summary,
    /// Warnings to print before training.
    pub(crate) warnings: Vec<String>,
}

impl TrainRequest {
    /// Sets up the run.
    pub(crate) fn begin(&self) -> Outcome<Run> {
        match &self.from {
            Some(file) => self.branch(file),
            None if self.args.resume => self.resume(),
            None => self.fresh(),
        }
    }

    fn fresh(&self) -> Outcome<Run> {
        let (Some(method), Some(data)) = (&self.method, &self.data) else {
            return Err(args::missing_data());
        };
        let entry = find(method)?;
        let preset = self.preset.unwrap_or(Preset::Small);
        let published = entry.config(preset, &data.name);
        let mut config = published.clone();
        self.args.apply(&mut config)?;
        let follows = entry.has_linear_rate(preset) && !self.args.names("optimizer.lr");
        let warnings: Vec<String> = follows.then(|| config.follow_batch(&published)).flatten().into_iter().collect();
        config.check()?;
        self.refuse_rank(&config)?;
        let path = self.args.out.clone().or_else(|| self.out.clone()).unwrap_or_else(|| default_folder(&config));
        refuse_taken(&path)?;
        // absolute, so that the run can be resumed from any folder
        let spec = Spec { folder: data.folder.as_deref().map(absolute).transpose()?, ..data.clone() };
        let images = self.images(data)?;
        let selected = block_on(device::select(self.args.manner.device))?;
        let data = DataRecord::of(&images, &spec);
        let pace = self.pace(&images, &selected);
        let mut session = block_on(Session::new(entry, config.clone(), images, &selected, pace))?;
        let start = self.init.as_deref().map(|file| start_from(file, &mut session, &selected)).transpose()?;
        let record = Record { start, ..Record::new(config, data, selected.readout.clone()) };
        let folder = Folder::create(&path, &record)?;
        if record.start.is_some() {
            // the file may be gone when the run is resumed
            folder.save(0, &block_on(session.checkpoint())?, self.args.manner.keep_last)?;
        }
        let log = folder.log()?;
        Ok(Run { session, selected, folder, log, earlier: Summary::default(), warnings })
    }

    fn resume(&self) -> Outcome<Run> {
        let path = self.resumed_path()?;
        let (mut folder, record) = Folder::open(&path)?;
        self.refuse_contradictions(&path, &record)?;
        self.refuse_rank(&record.config)?;
        folder.claim()?;
        let checkpoint = folder.newest()?;
        if record.start.is_some() && checkpoint.is_none() {
            let path = path.display();
            return Err(Failure::Failed(format!(
                "the run in {path} was stopped before its initial weights were saved; delete it and start again"
            )));
        }
        checkpoint.iter().try_for_each(|checkpoint| refuse_edited(&path, &record, &checkpoint.header.config))?;
        let longer = self.lengthened(&record, checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.header.step))?;
        let moved = self.data.clone().filter(|data| data.folder.is_some());
        let images = self.images(&moved.map_or(record.data.spec(), |data| record.data.moved(data)))?;
        refuse_other_data(&images, &record)?;
        let selected = block_on(device::select(self.args.manner.device))?;
        let mut warnings = changes(&record, &selected);
        warnings.extend(checkpoint.iter().flat_map(damages));
        let pace = self.pace(&images, &selected);
        let config = longer.as_ref().map_or(&record, |longer| longer).config.clone();
        let entry = find(&config.method)?;
        let mut session = match &checkpoint {
            Some(checkpoint) => {
                block_on(Session::restore_for(entry, &checkpoint.bytes, config.budget(), images, &selected, pace))?
            }
            None => block_on(Session::new(entry, config, images, &selected, pace))?,
        };
        if let Some(longer) = &longer {
            folder.rewrite(longer)?;
            warnings.push(restated(&record.config.budget().to_string(), &session));
        }
        folder.set_aside(checkpoint.as_ref().map_or(&[], |checkpoint| &checkpoint.damaged))?;
        let mut log = folder.log()?;
        let mut earlier = Summary::default();
        log.read(|event| earlier.hear(event))?;
        // a finished run whose last checkpoint is damaged takes its last steps again
        if !earlier.is_finished() || session.step() < session.started().total_steps {
            log.rewind(session.step(), session.is_about_to_probe())?;
            earlier = Summary::default();
        }
        log.read(|event| session.recall(event))?;
        Ok(Run { session, selected, folder, log, earlier, warnings })
    }

    /// Continues a checkpoint as a run of its own in another folder.
    fn branch(&self, file: &Path) -> Outcome<Run> {
        let opened = Opened::at(file)?;
        let Checkpoint { header, bytes, .. } = &opened.checkpoint;
        self.refuse_contradictions(file, &opened.record)?;
        self.refuse_rank(&opened.record.config)?;
        let path = self.args.out.clone().unwrap_or_else(|| default_folder(&header.config));
        refuse_taken(&path)?;
        let spec = opened.images(self.data.as_ref())?;
        let spec = Spec { folder: spec.folder.as_deref().map(absolute).transpose()?, ..spec };
        let images = self.images(&spec)?;
        let selected = block_on(device::select(self.args.manner.device))?;
        header.images.check(&images)?;
        let mut warnings = changes(&opened.record, &selected);
        let data = DataRecord::of(&images, &spec);
        let pace = self.pace(&images, &selected);
        let begun = Record {
            earlier_budgets: opened.record.earlier_budgets.clone(),
            ..Record::new(header.config.clone(), data, selected.readout.clone())
        };
        let longer = self.lengthened(&begun, header.step)?;
        let record = longer.as_ref().unwrap_or(&begun);
        let entry = find(&header.config.method)?;
        let session = block_on(Session::restore_for(entry, bytes, record.config.budget(), images, &selected, pace))?;
        if longer.is_some() {
            warnings.push(restated(&begun.config.budget().to_string(), &session));
        }
        let folder = Folder::create(&path, record)?;
        folder.save(session.step(), bytes, self.args.manner.keep_last)?;
        if session.step() >= session.started().total_steps {
            warnings.push("this run is finished: all its steps were taken; --epochs N trains it further".to_string());
        }
        let log = folder.log()?;
        Ok(Run { session, selected, folder, log, earlier: Summary::default(), warnings })
    }

    /// The folder of the run to resume.
    fn resumed_path(&self) -> Outcome<PathBuf> {
        if let Some(path) = self.args.out.clone().or_else(|| self.out.clone()) {
            return Ok(path);
        }
        let (Some(method), Some(data)) = (&self.method, &self.data) else {
            return Err(Failure::Usage("name the run to continue with --out DIR, or its method and data".into()));
        };
        let mut config = find(method)?.config(self.preset.unwrap_or(Preset::Small), &data.name);
        self.args.apply(&mut config)?;
        Ok(default_folder(&config))
    }

    /// Refuses arguments that contradict the run that is resumed.
    fn refuse_contradictions(&self, path: &Path, record: &Record) -> Outcome {
        let old = &record.config;
        let mut config = old.clone();
        self.args.apply(&mut config)?;
        if let Some(method) = &self.method {
            config.method.clone_from(method);
        }
        if let Some(data) = &self.data {
            config.data.clone_from(&data.name);
        }
        config.preset = self.preset.unwrap_or(config.preset);
        // another length is no contradiction: see `lengthened`
        config = config.with_budget(old.budget());
        let differing = differences(old, &config);
        if differing.is_empty() {
            return Ok(());
        }
        let path = path.display();
        Err(Failure::Usage(format!(
            "{path} is another run: {differing}. Leave those arguments out to continue it, or start a new run in another \
             folder with --out"
        )))
    }

    /// The run with the length that was asked for; `None` if it has that length already.
    fn lengthened(&self, record: &Record, step: usize) -> Outcome<Option<Record>> {
        let mut config = record.config.clone();
        self.args.budget.apply(&mut config)?;
        let Some(longer) = record.lengthened(config.budget()) else { return Ok(None) };
        let images = if config.images == 0 { record.data.train_images } else { config.images };
        let total = if config.steps > 0 { config.steps } else { config.epochs * (images / config.batch.max(1)) };
        if total > step {
            return Ok(Some(longer));
        }
        Err(Failure::Usage(format!(
            "the run has taken {step} steps already, and {} end at step {total}; name a larger number, or leave it out to continue \
             as planned",
            config.budget()
        )))
    }

    /// Refuses `--keep-best rank` for a method that has no embeddings.
    fn refuse_rank(&self, config: &RunConfig) -> Outcome {
        if self.args.manner.keep_best != Some(Criterion::Rank) || find(&config.method)?.compares() {
            return Ok(());
        }
        let method = &config.method;
        Err(Failure::Usage(format!(
            "{method} compares no embeddings, so there is no rank to measure; use --keep-best loss"
        )))
    }

    /// Loads the images. Those that cannot be probed are refused before training and not after it.
    fn images(&self, spec: &Spec) -> Outcome<Dataset> {
        let images = match &self.images {
            Some(images) => images.clone(),
            None => load_images::load(spec, self.args.manner.quiet)?,
        };
        if self.probed {
            load_images::refuse_unlabelled(&images, "use `nolabel train`, which needs none")?;
        }
        if self.args.manner.probe_every.is_some() {
            load_images::refuse_unlabelled(&images, "leave --probe-every out")?;
        }
        Ok(images)
    }

    fn pace(&self, data: &Dataset, selected: &Selected) -> Pace {
        let every = self.args.manner.probe_every.map(|every| every as usize);
        let settings = ProbeSettings {
            train_images: PROBE_TRAIN.min(probe::count(&data.train, 0)),
            test_images: PROBE_TEST.min(probe::count(&data.test, 0)),
            penalties: vec![1e-1],
            ..ProbeSettings::default()
        };
        Pace {
            // a read stalls the pipeline of a GPU
            read_every: if selected.readout.kind == Kind::Gpu { 10 } else { 1 },
            health_every: HEALTH_EVERY,
            held_out: 0,
            probe: every.map(|every| ProbePace { every, settings, among: [usize::MAX; 2] }),
            exam: None,
        }
    }

    /// The command that resumes the run, or the sweep it is part of.
    pub(crate) fn resume_command(&self, folder: &Folder) -> String {
        if let Some(position) = &self.sweep {
            return position.again.clone();
        }
        let out = format::quoted(&folder.path().display().to_string());
        format!("nolabel {} --resume --out {out}{}", self.command, self.args.manner.words())
    }
}

/// Starts the encoder of a new run from a file of weights.
fn start_from(file: &Path, session: &mut Session, selected: &Selected) -> Outcome<Start> {
    let bytes = foreign_weights::bytes(file)?;
    let own = &session.config().encoder;
    let seed = session.config().seed;
    let options = ImportOptions {
        kind: Some(own.kind),
        mean: Some(own.input_mean.clone()),
        std: Some(own.input_std.clone()),
        ..ImportOptions::default()
    };
    let imported = foreign_weights::encoder(file, &bytes, &options, seed, &selected.device)?;
    let there = &imported.config;
    let here = session.data().train.size().channels;
    let differing = if (there.width, there.input) != (own.width, own.input) {
        format!("add --set encoder.width={} --set encoder.input={}", there.width, there.input.word())
    } else if imported.channels != here {
        format!("it reads images of {} channels, and these have {here}", imported.channels)
    } else {
        block_on(session.start_from(&imported.encoder))?;
        let file = absolute(file)?;
        return Ok(Start { file, sha256: digest::sha256(&bytes), found: imported.found });
    };
    Err(Failure::Failed(format!("the encoder in {} does not fit this run's: {differing}", file.display())))
}

/// `runs/METHOD-DATA-SEED`, with the preset where it is not the small one.
pub(crate) fn default_folder(config: &RunConfig) -> PathBuf {
    let preset = match config.preset {
        Preset::Small => String::new(),
        other => format!("-{other}"),
    };
    PathBuf::from("runs").join(format!("{}-{}-{}{preset}", config.method, config.data, config.seed))
}

fn refuse_taken(path: &Path) -> Outcome {
    let shown = path.display();
    match place(path) {
        Place::Free => Ok(()),
        Place::Run => Err(Failure::Failed(format!(
            "{shown} holds a run already; add --resume to continue it, or choose another folder with --out"
        ))),
        Place::Taken => {
            Err(Failure::Failed(format!("{shown} is not empty and holds no run; choose another folder with --out")))
        }
    }
}

pub(crate) fn absolute(folder: &Path) -> Outcome<PathBuf> {
    std::path::absolute(folder).map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))
}

fn refuse_other_data(images: &Dataset, record: &Record) -> Outcome {
    if store::digest(images) == record.data.sha256 {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the images of {} are not those the run learned from; name their folder with --data {0}:DIR",
        record.data.name
    )))
}

/// The sentence for a run that is resumed with another length.
fn restated(before: &str, session: &Session) -> String {
    let started = session.started();
    format!(
        "the run was started for {before} and continues from step {} to {}: its {} schedule is that of a run of the whole new \
         length, so that the learning rate is {:.3e} now",
        session.step(),
        started.total_steps,
        started.config.schedule.kind(),
        session.learning_rate()
    )
}

/// Changes since the run started, as warnings.
fn changes(record: &Record, selected: &Selected) -> Vec<String> {
    let mut changes = Vec::new();
    let old = &record.device;
    let new = &selected.readout;
    if old.kind != new.kind {
        changes.push(format!(
            "the run started on {} and continues on {}: numbers will differ a little",
            old.name, new.name
        ));
    }
    changes
}

fn damages(checkpoint: &Checkpoint) -> Vec<String> {
    let step = checkpoint.header.step;
    let said = |(path, wrong): &(PathBuf, String)| {
        let path = path.display();
        format!("{path} is damaged ({wrong}); the run continues from step {step}, the checkpoint before it")
    };
    checkpoint.damaged.iter().map(said).collect()
}
