//! `nolabel data`: lists, fetches and checks the known data sets.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::cli::input::args;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::print;
use crate::cli::output::table::Table;
use crate::data::catalogue::{CATALOGUE, Entry, find};
use crate::data::store::{self, Fetching};
use crate::data::{Size, Spec, shapes};
use crate::format;

const LIST_EXAMPLES: &str = "\
Examples:
  nolabel data list           the known data sets and their folders on this machine
  nolabel data list --json    the same, for programs";
const FETCH_EXAMPLES: &str = "\
Examples:
  nolabel data fetch                                   everything that is missing
  nolabel data fetch fashion-mnist                     one data set, into your data folder
  nolabel data fetch fashion-mnist:data/fashion-mnist  into a folder of your choice";
const CHECK_EXAMPLES: &str = "\
Examples:
  nolabel data check                            every data set on this machine
  nolabel data check fashion-mnist              one data set in its usual folder
  nolabel data check fashion-mnist:my/folder    the files in a folder of your choice";

/// List, fetch and check data sets
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the data sets and their folders
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Download data sets from their official sites
    ///
    /// Files that are there and whole are not downloaded again. Every file is compared with its digest before it is kept.
    #[command(after_help = FETCH_EXAMPLES)]
    Fetch {
        /// Data sets, each with a folder where it is not to go into your data folder; all by default
        #[arg(value_name = "NAME[:DIR]", value_parser = args::known_specs())]
        sets: Vec<Spec>,
    },
    /// Compare the files of data sets with their digests
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// Data sets, each with its folder where that is not the usual one; all on this machine by default
        #[arg(value_name = "NAME[:DIR]", value_parser = args::known_specs())]
        sets: Vec<Spec>,
    },
}

#[derive(Serialize)]
struct Listing {
    name: &'static str,
    title: &'static str,
    size: Size,
    classes: &'static [&'static str],
    licence: &'static str,
    official: &'static str,
    folder: Option<PathBuf>,
}

impl Data {
    pub(crate) fn run(self) -> Outcome {
        match self.action {
            Action::List { json } => list(json),
            Action::Fetch { sets } => fetch(sets),
            Action::Check { sets } => check(sets),
        }
    }
}

fn list(json: bool) -> Outcome {
    let listings: Vec<Listing> = CATALOGUE.iter().map(|entry| listing(entry)).collect();
    if json {
        return print::json(&listings);
    }
    let mut table = Table::new(["name", "title", "images", "classes", "licence", "where"], usize::MAX);
    for Listing { name, title, size, classes, licence, folder, .. } in listings {
        let place = folder.map_or_else(|| "not on this machine".to_string(), |folder| folder.display().to_string());
        let colour = if size.channels == 1 { "gray" } else { "colour" };
        let images = format!("{}x{} {colour}", size.width, size.height);
        table.row([name.into(), title.into(), images, classes.len().to_string(), licence.into(), place]);
    }
    print::out(&format!(
        "{table}\n\n{} is generated: {} clips of moving shapes, {side}x{side} colour.\nImages of your own need no name: `--data \
         folder:DIR`, and for clips `--data clips:DIR`.",
        shapes::NAME,
        shapes::TRAIN_CLIPS + shapes::TEST_CLIPS,
        side = shapes::SIDE,
    ))
}

fn listing(entry: &Entry) -> Listing {
    let Entry { name, title, size, classes, licence, official, .. } = *entry;
    Listing { name, title, size, classes, licence, official, folder: store::locate(entry) }
}

fn fetch(sets: Vec<Spec>) -> Outcome {
    let all = || CATALOGUE.iter().map(|entry| Spec::named(entry.name)).collect();
    for set in if sets.is_empty() { all() } else { sets } {
        let entry = find(&set.name)?;
        let folder = match set.folder.or_else(|| whole(entry)) {
            Some(folder) => folder,
            None => store::user_home(entry).ok_or_else(|| {
                Failure::Failed(format!(
                    "this system has no data folder for users; name a folder with `{}:DIR`",
                    entry.name
                ))
            })?,
        };
        download(entry, &folder)?;
        print::out(&format!("{} is in {}", entry.title, folder.display()))?;
    }
    Ok(())
}

/// The folder that has all files, whole.
fn whole(entry: &Entry) -> Option<PathBuf> {
    store::locate(entry).filter(|folder| store::check(entry, folder).iter().all(|file| file.wrong.is_none()))
}

fn download(entry: &'static Entry, folder: &Path) -> Outcome {
    let style = ProgressStyle::with_template("{msg:24} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
    let bar = ProgressBar::new(0).with_style(style.expect("the template is right"));
    let mut under_way = "";
    let fetched = store::fetch(entry, folder, &mut |Fetching { name, bytes, total }| {
        if name != under_way {
            under_way = name;
            bar.reset();
            bar.set_length(total);
            bar.set_message(name);
            if bar.is_hidden() {
                print::err(&format!("fetching {name}"));
            }
        }
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    Ok(fetched?)
}

fn check(sets: Vec<Spec>) -> Outcome {
    let found = || {
        let here = CATALOGUE.iter().filter_map(|entry| Some((entry.name, store::locate(entry)?)));
        here.map(|(name, folder)| Spec { folder: Some(folder), ..Spec::named(name) }).collect::<Vec<_>>()
    };
    let sets = if sets.is_empty() { found() } else { sets };
    if sets.is_empty() {
        return Err(Failure::Failed("no data set is on this machine; `nolabel data fetch` gets them".into()));
    }
    let mut table = Table::bare();
    let mut bad = 0;
    for set in sets {
        let entry = find(&set.name)?;
        let folder = set.folder.or_else(|| store::locate(entry)).ok_or_else(|| {
            Failure::Failed(format!("{} is not on this machine; `nolabel data fetch {0}` gets it", entry.name))
        })?;
        for file in store::check(entry, &folder) {
            bad += usize::from(file.wrong.is_some());
            table.row([file.path.display().to_string(), file.wrong.unwrap_or_else(|| "whole".into())]);
        }
    }
    print::out(&table.to_string())?;
    if bad > 0 {
        let files = format::count(bad, "file");
        return Err(Failure::Failed(format!("{files} cannot be used; `nolabel data fetch` replaces what is damaged")));
    }
    Ok(())
}
