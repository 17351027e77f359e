//! The evaluation card: numbers with everything needed to reproduce them, as `nolabel eval --json` prints them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::output::exit::{Failure, Outcome};
use crate::device::Readout;
use crate::error::Error;
use crate::evaluate::{Cache, EvalRequest, Measurement, SupervisedControl};
use crate::net::EncoderConfig;
use crate::probe::{ProbeRow, ProbeSettings};
use crate::session::folder::{DataRecord, Details, Evaluation};
use crate::weights::ImportOptions;

/// The evaluation of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunCard {
    pub(super) run: PathBuf,
    #[serde(flatten)]
    pub(super) evaluation: Evaluation,
}

/// The evaluation of an encoder from elsewhere.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WeightsCard {
    pub(super) weights: PathBuf,
    /// SHA-256 of the file.
    pub(super) sha256: String,
    pub(super) found: String,
    /// Tensors of the file that the encoder does not use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<String>,
    /// The facts that were stated about the file.
    pub(super) asked: ImportOptions,
    /// Seed of the untrained encoder.
    pub(super) seed: u64,
    pub(super) nolabel: String,
    pub(super) encoder: EncoderConfig,
    pub(super) data: DataRecord,
    pub(super) device: Readout,
    pub(super) settings: ProbeSettings,
    pub(super) rows: Vec<ProbeRow>,
    #[serde(flatten)]
    pub(super) details: Details,
}

/// A card of either kind.
#[derive(Debug)]
pub(super) enum Card {
    Run(Box<RunCard>),
    Weights(Box<WeightsCard>),
}

impl Card {
    /// Reads the card in a file.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).map_err(|error| Failure::from(Error::file(path)(error)))?;
        let card = Self::parse(&text).map_err(|error| {
            let path = path.display();
            Failure::Failed(format!(
                "{path} is no evaluation card ({error}); `nolabel eval RUN --json > card.json` writes one"
            ))
        })?;
        card.settings().check().map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(card)
    }

    fn parse(text: &str) -> serde_json::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        Ok(match value.get("weights") {
            Some(_) => Card::Weights(serde_json::from_value(value)?),
            None => Card::Run(serde_json::from_value(value)?),
        })
    }

    /// The settings of the probes.
    pub(super) fn settings(&self) -> &ProbeSettings {
        match self {
            Card::Run(card) => &card.evaluation.settings,
            Card::Weights(card) => &card.settings,
        }
    }

    /// The rows.
    fn rows(&self) -> &[ProbeRow] {
        match self {
            Card::Run(card) => &card.evaluation.rows,
            Card::Weights(card) => &card.rows,
        }
    }

    /// Measurements beyond the rows.
    fn details(&self) -> &Details {
        match self {
            Card::Run(card) => &card.evaluation.details,
            Card::Weights(card) => &card.details,
        }
    }

    /// The numbers of the card.
    pub(super) fn measurement(&self) -> Measurement {
        Measurement { rows: self.rows().to_vec(), details: self.details().clone() }
    }

    /// The request that the card answers, with a cache that is not read: everything is measured again.
    pub(super) fn request(&self) -> EvalRequest {
        let details = self.details();
        let few = details.few_labels.as_ref().map(|few| few.settings.clone());
        let plans = [&details.sgd, &details.finetune, &details.supervised];
        let [sgd, finetune, supervised] = plans.map(|tuned| tuned.as_ref().map(|tuned| tuned.plan.clone()));
        let supervised = supervised.map_or(SupervisedControl::No, SupervisedControl::Measured);
        EvalRequest {
            settings: self.settings().clone(),
            few,
            sgd,
            finetune,
            supervised,
            untrained: 1 + details.untrained.len(),
            cache: Cache::of_user().fresh(true),
        }
    }

    /// The version and device that measured.
    pub(super) fn by(&self) -> String {
        let (nolabel, device) = match self {
            Card::Run(card) => (&card.evaluation.nolabel, &card.evaluation.device),
            Card::Weights(card) => (&card.nolabel, &card.device),
        };
        format!("nolabel {nolabel} on {}", device.name)
    }

    /// The path of the run or file: the given one, or else the card's, relative to the working directory or to the card's own
    /// folder.
    pub(super) fn place(&self, card: &Path, said: Option<&Path>) -> PathBuf {
        let told = match self {
            Card::Run(card) => &card.run,
            Card::Weights(card) => &card.weights,
        };
        let beside = || card.parent().map(|folder| folder.join(told)).filter(|path| path.exists());
        match said {
            Some(said) => said.to_path_buf(),
            None if told.exists() => told.clone(),
            None => beside().unwrap_or_else(|| told.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_folder_or_to_the_card() {
        let here = tempfile::tempdir().expect("a folder");
        fs::create_dir(here.path().join("encoder")).expect("a folder");
        let text = r#"{"weights": "encoder", "sha256": "00", "found": "small", "asked": {}, "seed": 1, "nolabel": "0.1.0",
            "encoder": {"kind": "small", "width": 4, "input_mean": [0.0], "input_std": [1.0]},
            "data": {"name": "mnist", "train_images": 9, "test_images": 9, "sha256": "00",
                "image": {"channels": 1, "height": 28, "width": 28}},
            "device": {"kind": "cpu", "name": "CPU", "why": "so", "gpu_available": false},
            "settings": {"linear": true, "knn": true, "layer": null, "train_images": 0, "test_images": 0, "grid": 3,
                "k": 20, "temperature": 0.07, "penalties": [0.1]}, "rows": []}"#;
        let file = here.path().join("card.json");
        fs::write(&file, text).expect("a file");
        let card = Card::read(&file).expect("a card");
        assert_eq!(card.place(&file, None), here.path().join("encoder"));
        assert_eq!(
            card.place(Path::new("elsewhere/card.json"), None),
            Path::new("encoder"),
            "to be missed by this name"
        );
        assert_eq!(card.place(&file, Some(Path::new("moved"))), Path::new("moved"));
        let refused = |text: &str| {
            fs::write(&file, text).expect("a file");
            match Card::read(&file) {
                Err(Failure::Failed(sentence)) => sentence,
                other => panic!("no card: {other:?}"),
            }
        };
        assert!(refused("[").contains("no evaluation card"));
        assert!(refused("{}").contains("missing field `run`"));
        assert!(refused(&text.replace("\"grid\": 3", "\"grid\": 0")).contains("grid must be between 1 and 64"));
    }
}
