//! The command that reproduces a run.

use crate::config::Budget;
use crate::error::Result;
use crate::format;
use crate::methods::find;
use crate::session::folder::Record;

/// Settings with arguments of their own.
const NAMED: [(&str, &str); 6] = [
    ("epochs", "--epochs"),
    ("steps", "--steps"),
    ("images", "--images"),
    ("batch", "--batch"),
    ("optimizer.lr", "--lr"),
    ("seed", "--seed"),
];

/// The folder of a run whose reproduction takes several commands, because it was made longer after its end.
const AGAIN: &str = "runs/again";

/// `nolabel train ...` with everything that differs from the preset.
///
/// # Errors
/// When this version has no such method.
pub(crate) fn command(record: &Record) -> Result<String> {
    let config = &match record.earlier_budgets.first() {
        Some(&first) => record.config.clone().with_budget(first),
        None => record.config.clone(),
    };
    let preset = find(&config.method)?.config(config.preset, &config.data).settings();
    let mut words = vec!["nolabel train".to_string(), config.method.clone()];
    words.push(format!("--data {}", format::quoted(&record.data.spec().to_string())));
    if config.preset != crate::config::Preset::Small {
        words.push(format!("--preset {}", config.preset));
    }
    let steps = config.steps > 0;
    for setting in config.settings().iter().filter(|setting| !preset.contains(setting)) {
        let (key, value) = setting;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        match NAMED.iter().find(|(name, _)| name == key) {
            // --steps takes precedence, and the two arguments exclude each other
            Some(("epochs", _)) if steps => {}
            Some((_, argument)) => words.push(format!("{argument} {text}")),
            None => words.push(format!("--set {}", format::quoted(&format!("{key}={text}")))),
        }
    }
    if record.earlier_budgets.is_empty() {
        return Ok(words.join(" "));
    }
    words.push(format!("--out {AGAIN}"));
    let longer = record.earlier_budgets.iter().skip(1).copied().chain([record.config.budget()]);
    let longer = longer.map(|budget| format!(" && nolabel train --resume --out {AGAIN} {}", argument(budget)));
    Ok(words.join(" ") + &longer.collect::<String>())
}

/// The argument that gives a run this length.
fn argument(budget: Budget) -> String {
    match budget.steps {
        0 => format!("--epochs {}", budget.epochs),
        steps => format!("--steps {steps}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;
    use crate::data::{Size, Spec};
    use crate::device::{Kind, Readout};
    use crate::session::folder::DataRecord;

    #[test]
    fn only_differences_from_the_preset_are_printed() {
        let mut config = find("rotation").expect("a method").config(Preset::Small, "fashion-mnist");
        let device = Readout { kind: Kind::Cpu, name: "CPU".into(), why: "so".into(), gpu_available: false };
        let Spec { name, folder, size } = "fashion-mnist:my data".parse().expect("a spec");
        let image = Size { channels: 1, height: 28, width: 28 };
        let data = DataRecord {
            name,
            folder,
            size,
            image,
            train_images: 3,
            validation_images: 0,
            test_images: 2,
            sha256: "00".into(),
        };
        let said =
            |config: &_| command(&Record::new(Clone::clone(config), data.clone(), device.clone())).expect("known");
        assert_eq!(said(&config), "nolabel train rotation --data 'fashion-mnist:my data'");
        for (key, value) in [("steps", "7"), ("epochs", "9"), ("seed", "3"), ("encoder.width", "4"), ("flip", "true")] {
            config.set(key, value).expect("a setting");
        }
        let words = said(&config);
        for part in [" --steps 7", " --seed 3", " --set encoder.width=4", " --set options.flip=true"] {
            assert!(words.contains(part), "{words}");
        }
        assert!(!words.contains("--epochs") && !words.contains("batch"), "{words}");
        let record = Record::new(config, data, device).lengthened(Budget { epochs: 9, steps: 12 }).expect("longer");
        let words = command(&record).expect("known");
        assert!(words.contains(" --steps 7 ") && words.contains("--out runs/again"), "{words}");
        assert!(words.ends_with(" && nolabel train --resume --out runs/again --steps 12"), "{words}");
    }
}
