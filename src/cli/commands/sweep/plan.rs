//! The runs of a sweep, their folders and their states.

use std::path::{Path, PathBuf};

use crate::cli::input::args::RunArgs;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::run::config_diff::differences;
use crate::cli::run::setup::{absolute, default_folder};
use crate::config::{Preset, RunConfig};
use crate::data::catalogue;
use crate::data::folder;
use crate::data::{Spec, shapes};
use crate::method::Needs;
use crate::methods::{METHODS, find};
use crate::probe::ProbeSettings;
use crate::probe::labelled::LabelledPlan;
use crate::session::event::Event;
use crate::session::folder::{DataRecord, Evaluation, Folder, Place, Record, place};

/// The word for every method that can learn from the images.
pub(super) const ALL: &str = "all";

/// Methods, seeds and values that a sweep combines.
pub(super) struct SweepRequest<'a> {
    pub(super) methods: &'a [String],
    pub(super) seeds: &'a [u64],
    /// Settings with the values to try.
    pub(super) set: &'a [(String, Vec<String>)],
    pub(super) data: &'a Spec,
    pub(super) preset: Preset,
    pub(super) out: &'a Path,
}

/// One run of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) config: RunConfig,
    /// The arguments of its training.
    pub(super) args: RunArgs,
    pub(super) path: PathBuf,
    pub(super) state: State,
}

/// The state of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Not started.
    New,
    /// Saved at a step.
    Begun { step: usize, total: usize },
    /// Trained to the end, and not yet measured with these settings.
    Trained,
    /// Trained, in `seconds`, and measured.
    Done { seconds: f64 },
    /// The folder cannot be used, for this reason.
    Unusable(String),
}

impl Member {
    /// The name of its folder.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Share of its steps that are left.
    pub(super) fn share_left(&self) -> f64 {
        match self.state {
            State::New => 1.0,
            State::Begun { step, total } => 1.0 - step as f64 / total.max(1) as f64,
            State::Trained | State::Done { .. } | State::Unusable(_) => 0.0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }
}

/// All runs of a sweep: every method with the first seed, then with the next, so that a sweep that is stopped early has tried
/// each method. `like` holds the arguments that all share.
///
/// # Errors
/// When a setting does not exist, a method cannot learn from the images, or two runs would share a folder.
pub(super) fn members(wanted: &SweepRequest, like: &RunArgs) -> Outcome<Vec<Member>> {
    refuse_place(wanted)?;
    let mut members: Vec<Member> = Vec::new();
    for &seed in wanted.seeds {
        for method in methods(wanted) {
            for choice in choices(wanted.set) {
                let member = member(wanted, like, &method, seed, choice)?;
                if members.iter().any(|other| other.config == member.config) {
                    continue;
                }
                if members.iter().any(|other| other.path == member.path) {
                    let path = member.path.display();
                    return Err(Failure::Usage(format!(
                        "two of these runs would share the folder {path}; sweep one after the other"
                    )));
                }
                members.push(member);
            }
        }
    }
    Ok(members)
}

fn member(
    wanted: &SweepRequest,
    like: &RunArgs,
    method: &str,
    seed: u64,
    set: Vec<(String, String)>,
) -> Outcome<Member> {
    let varied = |key: &str| wanted.set.iter().any(|(known, values)| known == key && values.len() > 1);
    let tail: String =
        set.iter().filter(|(key, _)| varied(key)).map(|(key, value)| format!("-{key}={value}")).collect();
    let entry = find(method)?;
    if let Some(lack) = lack(wanted.data, entry.info().needs) {
        return Err(Failure::Usage(format!("{method} needs {lack}, and {} has none", wanted.data.name)));
    }
    let mut config = entry.config(wanted.preset, &wanted.data.name);
    let args = RunArgs { seed: Some(seed), set, ..like.clone() };
    args.apply(&mut config)?;
    config.check()?;
    let ordinary = default_folder(&config);
    let name = format!("{}{}", ordinary.file_name().unwrap_or_default().to_string_lossy(), plain(&tail));
    let path = wanted.out.join(name);
    let args = RunArgs { out: Some(path.clone()), ..args };
    Ok(Member { config, args, path, state: State::New })
}

/// Text as part of a file name: other characters than letters, digits and `-_.=` are replaced.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || "-_.=".contains(c) { c } else { '-' }).collect()
}

/// All combinations of the settings' values.
fn choices(set: &[(String, Vec<String>)]) -> Vec<Vec<(String, String)>> {
    let mut choices = vec![Vec::new()];
    for (key, values) in set {
        let with = |choice: &Vec<(String, String)>| {
            let ends = values.iter().map(|value| (key.clone(), value.clone()));
            ends.map(|end| choice.iter().cloned().chain([end]).collect()).collect::<Vec<Vec<_>>>()
        };
        choices = choices.iter().flat_map(with).collect();
    }
    choices
}

fn methods(wanted: &SweepRequest) -> Vec<String> {
    if !wanted.methods.iter().any(|method| method == ALL) {
        return wanted.methods.to_vec();
    }
    let able = METHODS.iter().map(|entry| entry.info()).filter(|info| lack(wanted.data, info.needs).is_none());
    able.map(|info| info.id.to_string()).collect()
}

/// The methods that [`ALL`] leaves out, each with the reason.
pub(super) fn left_out(wanted: &SweepRequest) -> Vec<String> {
    if !wanted.methods.iter().any(|method| method == ALL) {
        return Vec::new();
    }
    let unable = METHODS.iter().filter_map(|entry| Some((entry.info(), lack(wanted.data, entry.info().needs)?)));
    unable.map(|(info, lack)| format!("{} needs {lack}", info.id)).collect()
}

/// The need of a method that the images do not meet. The user's own images count as coloured until they are read.
fn lack(data: &Spec, needs: Needs) -> Option<&'static str> {
    let colour = catalogue::find(&data.name).map_or(true, |entry| entry.size.channels == 3);
    let clips = [shapes::NAME, folder::clips::NAME].contains(&data.name.as_str());
    match needs {
        Needs { clips: true, .. } if !clips => Some("clips"),
        Needs { colour: true, .. } if !colour => Some("colour images"),
        _ => None,
    }
}

/// Refuses a parent folder that is a run or a file.
fn refuse_place(wanted: &SweepRequest) -> Outcome {
    let out = wanted.out.display();
    if place(wanted.out) == Place::Run {
        return Err(Failure::Usage(format!("{out} is a run itself; choose a folder for the sweep's runs with --out")));
    }
    if wanted.out.exists() && !wanted.out.is_dir() {
        return Err(Failure::Usage(format!("{out} is a file; choose a folder for the sweep's runs with --out")));
    }
    Ok(())
}

/// The measurement of every run.
pub(super) struct SweepMeasure {
    pub(super) settings: ProbeSettings,
    /// With the supervised control.
    pub(super) supervised: bool,
}

impl SweepMeasure {
    /// True if an evaluation has all of it for a run after `step` steps of `batch` images.
    pub(super) fn is_done(&self, known: &Evaluation, data: &DataRecord, step: usize, batch: usize) -> bool {
        let supervised = || known.details.has_supervised(&LabelledPlan::as_long(data.image.height, step, batch));
        known.answers(step, data, &self.settings) && (!self.supervised || supervised())
    }
}

/// Finds out the state of each run.
///
/// # Errors
/// When a folder holds something else, or the folder of images does not exist.
pub(super) fn look(members: &mut [Member], data: &Spec, measure: &SweepMeasure) -> Outcome {
    let data = Spec { folder: data.folder.as_deref().map(absolute).transpose()?, ..data.clone() };
    for member in &mut *members {
        member.state = match place(&member.path) {
            Place::Free => State::New,
            Place::Taken => {
                let path = member.path.display();
                let sentence = format!("{path} is not empty and holds no run; choose another folder with --out");
                return Err(Failure::Failed(sentence));
            }
            Place::Run => match Folder::open(&member.path) {
                Ok((folder, record)) => {
                    refuse_another(member, &record)?;
                    state(&folder, &record, &data, measure).unwrap_or_else(|error| State::Unusable(error.to_string()))
                }
                Err(error) => State::Unusable(error.to_string()),
            },
        };
    }
    let to_train = members.iter().any(|member| matches!(member.state, State::New | State::Begun { .. }));
    match data.missing_folder().filter(|_| to_train) {
        Some(folder) => {
            Err(Failure::Failed(format!("there is no folder {} to read the images from", folder.display())))
        }
        None => Ok(()),
    }
}

/// Refuses a folder whose run was started with other settings.
fn refuse_another(member: &Member, record: &Record) -> Outcome {
    let differing = differences(&record.config, &member.config);
    if differing.is_empty() {
        return Ok(());
    }
    let path = member.path.display();
    Err(Failure::Usage(format!(
        "{path} holds a run with other settings: {differing}. Choose another folder with --out, or the settings it was \
         started with"
    )))
}

fn state(folder: &Folder, record: &Record, data: &Spec, measure: &SweepMeasure) -> crate::Result<State> {
    let mut total = 0;
    let mut finished = false;
    for event in folder.events()? {
        match event {
            Event::Started(started) => {
                total = started.total_steps;
                finished = false;
            }
            Event::Done(done) => finished = done.finished,
            _ => {}
        }
    }
    let Some(checkpoint) = folder.newest()? else { return Ok(State::New) };
    let step = checkpoint.header.step;
    if !finished || step < total {
        return Ok(State::Begun { step, total });
    }
    // in another folder the images may differ: reading them will tell
    let same = record.data.spec() == *data;
    let measured =
        folder.evaluations()?.iter().any(|known| measure.is_done(known, &record.data, step, record.config.batch));
    Ok(if same && measured { State::Done { seconds: checkpoint.header.elapsed_seconds } } else { State::Trained })
}
