//! Arguments of all commands that probe features.

use clap::{Args, ValueEnum};

use crate::probe::ProbeSettings;

/// The heading of these arguments in help.
pub(crate) const HOW: &str = "Measurement";
const GRID: u64 = 3;

/// A probe of frozen features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// Logistic regression on standardised features
    Linear,
    /// Nearest neighbours by cosine
    Knn,
    /// Training images ranked by cosine: precision at 1 and mean average precision
    Retrieval,
}

/// Probes, and their images and features.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProbeArgs {
    /// The probes, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PROBES", default_value = "linear,knn")]
    #[arg(help_heading = HOW)]
    probe: Vec<Reader>,

    #[command(flatten)]
    with: WithArgs,
}

/// Images and features of the probes.
#[derive(Args, Clone, Debug)]
pub(crate) struct WithArgs {
    /// Probe with N labelled training images only, drawn with the same share of each class [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..), help_heading = HOW)]
    images: Option<u64>,

    /// Probe on N test images only, drawn with the same share of each class [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = HOW)]
    test_images: Option<u64>,

    /// Average feature maps over N x N cells
    #[arg(long, value_name = "N", default_value_t = GRID, value_parser = clap::value_parser!(u64).range(1..=64))]
    #[arg(help_heading = HOW)]
    grid: u64,
}

impl ProbeArgs {
    pub(crate) fn settings(&self) -> ProbeSettings {
        ProbeSettings {
            linear: self.probe.contains(&Reader::Linear),
            knn: self.probe.contains(&Reader::Knn),
            retrieval: self.probe.contains(&Reader::Retrieval),
            ..self.with.settings()
        }
    }

    /// The arguments that are not the default ones, as a command has them.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        let named = |(reader, name)| self.probe.contains(&reader).then_some(name);
        let readers = [(Reader::Linear, "linear"), (Reader::Knn, "knn"), (Reader::Retrieval, "retrieval")];
        let readers: Vec<&str> = readers.into_iter().filter_map(named).collect();
        if readers != ["linear", "knn"] {
            words.push_str(&format!(" --probe {}", readers.join(",")));
        }
        for (argument, value) in [("--images", self.with.images), ("--test-images", self.with.test_images)] {
            words.extend(value.map(|value| format!(" {argument} {value}")));
        }
        if self.with.grid != GRID {
            words.push_str(&format!(" --grid {}", self.with.grid));
        }
        words
    }
}

impl WithArgs {
    /// The settings, with the default probes.
    pub(crate) fn settings(&self) -> ProbeSettings {
        ProbeSettings {
            train_images: self.images.unwrap_or(0) as usize,
            test_images: self.test_images.unwrap_or(0) as usize,
            grid: self.grid as usize,
            ..ProbeSettings::default()
        }
    }
}
