//! `nolabel sweep`: trains and measures many runs, one after the other.

mod claim;
mod clock;
mod plan;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::compare;
use crate::cli::input::args::{self, BudgetArgs, MannerArgs, RunArgs};
use crate::cli::input::load_images;
use crate::cli::input::probe_args::{HOW, ProbeArgs};
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::progress::SweepPosition;
use crate::cli::output::table::Table;
use crate::cli::run::interrupt;
use crate::cli::run::setup;
use crate::cli::run::train_loop;
use crate::config::Preset;
use crate::data::{Dataset, Spec};
use crate::evaluate::{Cache, EvalRequest, SupervisedControl};
use crate::format;
use crate::platform;
use crate::probe::ProbeSettings;
use crate::session::folder::{Place, place};
use claim::{Claim, Claims};
use clock::Clock;
use plan::{ALL, Member, State, SweepMeasure};

/// Time between two looks at runs that other processes train.
const LOOK_EVERY: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  nolabel sweep rotation,simsiam --data fashion-mnist --seeds 1,2,3
      six runs in runs/sweep, and a table of both methods over three seeds
  nolabel sweep simsiam --data fashion-mnist --set optimizer.lr=0.03,0.1 \\
      --set stop_gradient=true,false
      every pair of values: four runs
  nolabel sweep all --data fashion-mnist --steps 500 --images 5000 --out runs/first-look
      every method that can learn from these images, for a few steps
  nolabel sweep rotation,simsiam --data fashion-mnist --seeds 1,2,3 --dry-run
      lists the runs and the state of each
  nolabel sweep rotation,simsiam --data fashion-mnist --seeds 1,2,3 --list | parallel -j 2
      one command a run, for GNU parallel or for the array of a cluster's scheduler

The same command again continues a sweep that was stopped: finished runs are not repeated, an
interrupted run is resumed from its checkpoint. Seeds or values may be added. A run that fails does
not end the sweep; it is named at the end and tried again by the next command.

Several of these commands at once, also on machines that share the folder, share the runs: each
claims a run before it trains it. The run of a process that was killed is taken over and resumed, at
once on the same machine, else after a minute. --only N is for schedulers that hand out numbers.

--images is the number of images to probe with, as for `nolabel eval`. To train on fewer images:
--set images=5000.";

/// Train and measure many runs, and compare them
///
/// Every method is trained with every seed and every combination of values, one run after the other, each in a folder of its
/// own, and measured as by `nolabel eval`. At the end the table of `nolabel compare` is printed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sweep {
    /// The methods, separated by commas; `all` for every method that can learn from the images
    #[arg(value_name = "METHOD[,METHOD...]", value_delimiter = ',', required = true, value_parser = methods())]
    #[arg(hide_possible_values = true)]
    methods: Vec<String>,

    /// The images: a data set by name, with its folder where that is not the usual one
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Spec,

    /// Preset that the settings start from
    #[arg(long, value_name = "PRESET", value_parser = args::presets(), default_value = "small")]
    #[arg(help_heading = args::TRAINING)]
    preset: Preset,

    #[command(flatten)]
    budget: BudgetArgs,

    /// Seeds, separated by commas: each method is trained with each of them
    #[arg(
        long,
        value_name = "N[,N...]",
        value_delimiter = ',',
        default_value = "1",
        help_heading = args::TRAINING
    )]
    seeds: Vec<u64>,

    /// Values of any other setting, separated by commas: each is tried. `nolabel methods METHOD` lists the settings. May be
    /// given several times
    #[arg(long, value_name = "KEY=VALUE[,VALUE...]", value_parser = key_values, help_heading = args::TRAINING)]
    set: Vec<(String, Vec<String>)>,

    #[command(flatten)]
    measure: ProbeArgs,

    /// Leave out the supervised control: the same encoder trained with labels for as long. It is measured once for all runs
    /// with the same encoder, seed, steps and batch, and takes about as long as one of them or less
    #[arg(long, help_heading = HOW)]
    no_supervised: bool,

    /// Parent folder of the runs' folders
    #[arg(long, value_name = "DIR", default_value = "runs/sweep")]
    out: PathBuf,

    /// Only list the runs and the state of each
    #[arg(long)]
    dry_run: bool,

    /// Print one command for each run that is not done
    #[arg(long, conflicts_with_all = ["dry_run", "only"])]
    list: bool,

    /// Train and measure only the run of this number in the list; the first is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    only: Option<u32>,

    #[command(flatten)]
    manner: MannerArgs,
}

/// Parser of a method's id or `all`.
fn methods() -> impl TypedValueParser<Value = String> {
    let all = PossibleValue::new(ALL).help("Every method that can learn from the images");
    let each = args::methods();
    let known = each.possible_values().into_iter().flatten();
    PossibleValuesParser::new(known.chain([all]).collect::<Vec<_>>())
}

/// `KEY=VALUE,VALUE`; commas inside brackets belong to a value.
fn key_values(text: &str) -> Result<(String, Vec<String>), String> {
    let (key, values) = args::key_value(text)?;
    let mut found = vec![String::new()];
    let mut depth = 0_i32;
    for letter in values.chars() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        match found.last_mut() {
            Some(last) if letter != ',' || depth > 0 => last.push(letter),
            _ => found.push(String::new()),
        }
    }
    if found.iter().any(String::is_empty) {
        return Err(format!("a value of {key} is missing; write --set {key}=VALUE,VALUE"));
    }
    Ok((key, found))
}

impl Sweep {
    pub(crate) fn run(self) -> Outcome {
        let measure = SweepMeasure { settings: self.measure.settings(), supervised: !self.no_supervised };
        let wanted = self.wanted();
        let mut members = plan::members(&wanted, &self.like())?;
        plan::look(&mut members, &self.data, &measure)?;
        let left_out = plan::left_out(&wanted);
        let text = self.plan(&members, &left_out);
        if self.dry_run {
            return print::out(&text);
        }
        if self.list {
            return list(&members);
        }
        let chosen = self.chosen(&members)?;
        self.say(&text);
        let failed = self.go(&mut members, &chosen, &measure)?;
        let chosen: Vec<&Member> = chosen.iter().map(|&place| &members[place]).collect();
        self.conclude(&chosen, &measure.settings, &failed)
    }

    /// The places of the runs that this process is to see done.
    fn chosen(&self, members: &[Member]) -> Outcome<Vec<usize>> {
        let Some(number) = self.only else { return Ok((0..members.len()).collect()) };
        let place = number as usize - 1;
        if place < members.len() {
            return Ok(vec![place]);
        }
        let count = format::count(members.len(), "run");
        Err(Failure::Usage(format!("--only {number}: the sweep has {count}")))
    }

    fn wanted(&self) -> plan::SweepRequest<'_> {
        let Self { methods, seeds, set, data, preset, out, .. } = self;
        plan::SweepRequest { methods, seeds, set, data, preset: *preset, out }
    }

    /// Arguments that all runs share.
    fn like(&self) -> RunArgs {
        RunArgs {
            budget: self.budget.clone(),
            images: None,
            seed: None,
            set: Vec::new(),
            out: None,
            resume: false,
            manner: self.manner.clone(),
        }
    }

    /// A table of the runs with their states.
    fn plan(&self, members: &[Member], left_out: &[String]) -> String {
        let done = members.iter().filter(|member| member.is_done()).count();
        let mut table = Table::bare();
        for (place, member) in members.iter().enumerate() {
            let state = match &member.state {
                State::New => "to be trained".to_string(),
                State::Begun { step, total } => {
                    format!("saved at step {} of {}", format::thousands(*step), format::thousands(*total))
                }
                State::Trained => "trained, to be measured".to_string(),
                State::Done { .. } => "done".to_string(),
                State::Unusable(why) => format!("cannot be used: {why}"),
            };
            table.row([format!("{}/{}", place + 1, members.len()), member.name(), state]);
        }
        let left = Clock::of(members).left(members).filter(|_| done > 0 && done < members.len());
        let left = left.map_or(String::new(), |left| format!(", about {} of training left", format::duration(left)));
        let out = self.out.display();
        let mut text = format!("{} in {out}, {done} of them done{left}\n{table}", format::count(members.len(), "run"));
        if !left_out.is_empty() {
            text.push_str(&format!("\nleft out: {}", left_out.join(", ")));
        }
        text
    }

    /// Trains and measures the chosen runs, and waits for those that other processes train; returns the names of those that
    /// failed, each with the reason.
    fn go(&self, members: &mut [Member], chosen: &[usize], measure: &SweepMeasure) -> Outcome<Vec<(String, String)>> {
        let mut work = Work { clock: Clock::of(members), loaded: None, failed: Vec::new() };
        let mut claims = Claims::default();
        let mut open: Vec<usize> = chosen.iter().copied().filter(|&place| !members[place].is_done()).collect();
        let mut waits = false;
        while !open.is_empty() {
            let before = open.len();
            let mut others = Vec::new();
            for place in open {
                match claims.take(&members[place].path)? {
                    Some(claim) => {
                        // another process may have done it since
                        plan::look(&mut members[place..=place], &self.data, measure)?;
                        if !members[place].is_done() {
                            self.attempt(members, place, measure, &mut work, claim)?;
                        }
                    }
                    // one that is left behind, by a machine that went down, is taken over after a while
                    None if self.only.is_some() && claims.gave_sign(&members[place].path) => {
                        return Err(claim::taken(&members[place].path));
                    }
                    None => others.push(place),
                }
            }
            if others.len() == before {
                if !waits {
                    self.say(&format!("\nwaiting for {} of other processes", format::count(before, "run")));
                }
                waits = true;
                thread::sleep(LOOK_EVERY);
            }
            open = others;
        }
        Ok(work.failed)
    }

    /// Trains and measures a run that this process has claimed.
    fn attempt(
        &self,
        members: &mut [Member],
        place: usize,
        measure: &SweepMeasure,
        work: &mut Work,
        claim: Claim,
    ) -> Outcome {
        let images = match &work.loaded {
            Some(images) => images,
            None => work.loaded.insert(load_images::load(&self.data, self.manner.quiet)?),
        };
        let later: &[Member] = if self.only.is_some() { &[] } else { &members[place + 1..] };
        let after = work.clock.left(later);
        let position = SweepPosition { number: place + 1, of: members.len(), again: format::again(), after };
        let member = &members[place];
        self.say(&format!("\nrun {} of {}: {}", position.number, position.of, member.name()));
        let done = catch_unwind(AssertUnwindSafe(|| self.one(member, images, position, measure)));
        drop(claim);
        match done.unwrap_or_else(|_| Err(Failure::Failed("the program panicked; please report its message".into()))) {
            Ok([training, measuring]) => {
                work.clock.hear(member, training, measuring);
                let left = work.clock.left(later).filter(|left| *left > 0.0);
                let left =
                    left.map_or(String::new(), |left| format!("; about {} left overall", format::duration(left)));
                members[place].state = State::Done { seconds: training };
                self.say(&format!("trained and measured in {}{left}", format::duration(training + measuring)));
            }
            Err(Failure::Stopped) => return Err(Failure::Stopped),
            Err(Failure::Failed(sentence) | Failure::Usage(sentence)) => {
                print::err(&format!("{} failed: {sentence}", member.name()));
                work.failed.push((member.name(), sentence));
            }
        }
        interrupt::release(parting());
        Ok(())
    }

    /// Trains and measures one run; returns the seconds of both.
    fn one(
        &self,
        member: &Member,
        images: &Dataset,
        position: SweepPosition,
        measure: &SweepMeasure,
    ) -> Outcome<[f64; 2]> {
        if let State::Unusable(why) = &member.state {
            return Err(Failure::Failed(why.clone()));
        }
        let resume = place(&member.path) == Place::Run;
        let wanted = setup::TrainRequest {
            command: "train",
            method: Some(member.config.method.clone()),
            data: Some(self.data.clone()),
            preset: Some(self.preset),
            init: None,
            from: None,
            out: None,
            probed: true,
            images: Some(images.clone()),
            sweep: Some(position),
            args: RunArgs { resume, ..member.args.clone() },
        };
        let begun = platform::now();
        let (opened, loaded, _log) = train_loop::train(&wanted)?.opened()?;
        let trained = platform::now();
        let known = opened.evaluations()?;
        let step = opened.step();
        let batch = opened.record.config.batch;
        if !known.iter().any(|known| measure.is_done(known, &loaded.data, step, batch)) {
            let supervised = match measure.supervised {
                true => SupervisedControl::Measured(opened.as_long(loaded.side())),
                false => SupervisedControl::No,
            };
            let cache = Cache::of_user();
            let request = EvalRequest { supervised, cache, ..measure.settings.clone().into() };
            opened.answer(&loaded, &request, self.manner.quiet)?;
        }
        Ok([trained - begun, platform::now() - trained])
    }

    /// Prints the table of results; a failure where runs failed.
    fn conclude(&self, members: &[&Member], settings: &ProbeSettings, failed: &[(String, String)]) -> Outcome {
        let done: Vec<PathBuf> =
            members.iter().filter(|member| member.is_done()).map(|member| member.path.clone()).collect();
        if !done.is_empty() {
            self.say("");
            print::out(&compare::table(&done, settings)?)?;
            let out = format::quoted(&self.out.display().to_string());
            self.say(&format!("\nthe table again: nolabel compare {out}{}", self.measure.words()));
        }
        if failed.is_empty() {
            return Ok(());
        }
        let named: String = failed.iter().map(|(name, why)| format!("\n  {name}: {why}")).collect();
        let count = format!("{} of {} failed", failed.len(), format::count(members.len(), "run"));
        Err(Failure::Failed(format!("{count}; the same command tries them again{named}")))
    }

    fn say(&self, text: &str) {
        if !self.manner.quiet {
            print::err(text);
        }
    }
}

/// Kept by a process from one run of a sweep to the next.
struct Work {
    clock: Clock,
    /// The images, once they have been read.
    loaded: Option<Dataset>,
    /// Names of the runs that failed, each with the reason.
    failed: Vec<(String, String)>,
}

/// Prints a command for each run that is not done.
fn list(members: &[Member]) -> Outcome {
    let again = format::again_without("--list");
    let open = (1..=members.len()).filter(|number| !members[number - 1].is_done());
    let lines: Vec<String> = open.map(|number| format!("{again} --only {number}")).collect();
    if lines.is_empty() { Ok(()) } else { print::out(&lines.join("\n")) }
}

fn parting() -> String {
    format!("nothing is lost; continue with\n  {}", format::again())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_by_commas_outside_brackets() {
        let read = |text: &str| key_values(text).map(|(key, values)| format!("{key}: {}", values.join(" ")));
        assert_eq!(read("lr=0.1,0.2").as_deref(), Ok("lr: 0.1 0.2"));
        assert_eq!(read("steps=[1,2],[3]").as_deref(), Ok("steps: [1,2] [3]"));
        for text in ["lr", "lr=", "lr=0.1,", "lr=,0.1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
