//! The visitor's choices, as form and link hold them, and the configuration that they describe.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dataset_choice;
use crate::config::{Preset, RunConfig};
use crate::device::{DeviceChoice, Kind};
use crate::error::{Error, Result};
use crate::options::Declared;
use crate::worker::protocol::{DatasetCard, Menu, MethodCard, ReadbackPace};

/// Largest integer that JavaScript represents exactly.
const LARGEST_WHOLE: u64 = (1 << 53) - 1;
/// Short names in links, and the paths in a configuration.
const SHORT: [(&str, &str); 2] = [("lr", "optimizer.lr"), ("width", "encoder.width")];
/// Settings with a field outside "More settings", by their names in links.
pub const FIELDS: [&str; 5] = ["seed", "batch", "lr", "epochs", "steps"];
/// Intervals of readback and probes: part of the link, not of the configuration.
const PACE_KEYS: [&str; 2] = ["read_every", PROBE_EVERY];
/// Name in links of the steps between two rounds of probes.
pub const PROBE_EVERY: &str = "probe_every";

/// Parts of the page that a link can hide, so that a course page shows what it speaks of.
pub const PARTS: [&str; 6] = ["task", "training", "probes", "runs", "settings", "files"];

/// The visitor's choices. The method's preset fills in the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Method id; empty for the default method.
    pub method: String,
    /// Preset.
    pub preset: Preset,
    /// Data set asked for; empty for the default of the method.
    pub data: String,
    /// Device asked for.
    pub device: DeviceChoice,
    /// All other settings by their names in links, as typed; checked by [`Settings::config`]. An empty text stands for the
    /// preset's value.
    pub changed: BTreeMap<String, String>,
    /// True if the run starts by itself.
    pub autostart: bool,
    /// True for a page within another: without headline and explanations.
    pub embed: bool,
    /// Parts of the page that are hidden, among [`PARTS`].
    pub hide: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: String::new(),
            preset: Preset::Small,
            data: String::new(),
            device: DeviceChoice::Auto,
            changed: BTreeMap::new(),
            autostart: false,
            embed: false,
            hide: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads a link's query. An unreadable setting stays at its default and gives a sentence.
    pub fn read<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<String>) {
        let mut settings = Self::default();
        let problems = pairs.into_iter().filter_map(|(key, text)| settings.take(key, text.trim()).err());
        let problems = problems.map(|error| error.to_string()).collect();
        (settings, problems)
    }

    /// Changes the setting that links call `key`.
    ///
    /// # Errors
    /// If the value is invalid. Texts of fields are checked later, by [`Settings::config`].
    pub fn take(&mut self, key: &str, text: &str) -> Result<()> {
        match key {
            "method" => self.method = text.to_string(),
            "preset" => self.preset = text.parse()?,
            "data" => self.data = dataset_choice::full_name(text).to_string(),
            "device" => self.device = text.parse()?,
            "autostart" => self.autostart = switch("autostart", text)?,
            "embed" => self.embed = switch("embed", text)?,
            "hide" => self.hide = parts(text)?,
            _ => drop(self.changed.insert(short(key).to_string(), text.to_string())),
        }
        Ok(())
    }

    /// Text typed for the setting that links call `key`.
    pub fn typed(&self, key: &str) -> Option<&str> {
        self.changed.get(short(key)).map(String::as_str)
    }

    fn filled(&self, key: &str) -> Option<&str> {
        self.typed(key).filter(|text| !text.is_empty())
    }

    /// The query of a link to these settings, with every value that differs from the preset.
    pub fn write(&self, config: &RunConfig, card: &MethodCard) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("method".to_string(), card.id.clone()),
            ("preset".to_string(), self.preset.to_string()),
            ("data".to_string(), config.data.clone()),
            ("device".to_string(), self.device.to_string()),
        ];
        let whole = value_of(config);
        let preset = card.published(self.preset, &config.data).map(value_of);
        for key in names(&whole) {
            let own = lookup(&whole, &key);
            let always = FIELDS.contains(&key.as_str()) && (key != "steps" || config.steps > 0);
            // the width depends on the device, so every link states it
            if always || key == "width" || preset.as_ref().is_some_and(|preset| lookup(preset, &key) != own) {
                pairs.push((key, own.map(text_of).unwrap_or_default()));
            }
        }
        let pace = PACE_KEYS.iter().filter_map(|key| Some((key.to_string(), self.filled(key)?.to_string())));
        let embed = self.embed.then(|| ("embed".to_string(), "1".to_string()));
        let hide = (!self.hide.is_empty()).then(|| ("hide".to_string(), self.hide.join(",")));
        pairs.into_iter().chain(pace).chain(embed).chain(hide).collect()
    }

    /// Takes over the settings of an existing run of the chosen method.
    pub fn adopt(&mut self, config: &RunConfig, card: &MethodCard) {
        self.preset = config.preset;
        let pairs = self.write(config, card);
        // a written query reads back without errors
        *self = Self::read(pairs.iter().map(|(key, text)| (key.as_str(), text.as_str()))).0;
    }

    /// The chosen method.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn card<'a>(&self, menu: &'a Menu) -> Result<&'a MethodCard> {
        let wanted = if self.method.is_empty() { &menu.default_method } else { &self.method };
        menu.methods.iter().find(|card| card.id == *wanted).ok_or_else(|| {
            let known: Vec<_> = menu.methods.iter().map(|card| card.id.as_str()).collect();
            Error::Config(format!("there is no method `{}`; there are: {}", self.method, known.join(", ")))
        })
    }

    /// Configuration of the run on a device of this kind.
    ///
    /// # Errors
    /// If a name or a value does not fit the method.
    pub fn config(&self, menu: &Menu, kind: Kind) -> Result<RunConfig> {
        let mut config = self.preset(menu, kind)?;
        let options = &self.card(menu)?.options;
        for (key, text) in
            self.changed.iter().filter(|(key, text)| !text.is_empty() && !PACE_KEYS.contains(&key.as_str()))
        {
            config.set_among(options, long(key), text)?;
        }
        let card = self.card(menu)?;
        if self.preset == Preset::Full && card.linear_rate && self.filled("lr").is_none() {
            config.follow_batch(&self.preset(menu, kind)?);
        }
        if config.seed > LARGEST_WHOLE {
            return Err(Error::Config(format!("seed must not be above {LARGEST_WHOLE} in a browser")));
        }
        config.check()?;
        Ok(config)
    }

    /// Intervals of readback and probes.
    ///
    /// # Errors
    /// If one is not a whole number.
    pub fn pace(&self) -> Result<ReadbackPace> {
        let [read_every, probe_every] = PACE_KEYS.map(|key| self.filled(key).map(|text| whole(key, text)).transpose());
        Ok(ReadbackPace { read_every: read_every?, probe_every: probe_every? })
    }

    /// Configuration of the preset, without changes.
    ///
    /// # Errors
    /// If there is no such method, data set or preset.
    pub fn preset(&self, menu: &Menu, kind: Kind) -> Result<RunConfig> {
        let card = self.card(menu)?;
        let dataset = self.dataset(menu)?;
        let missing = || Error::Config(format!("{} has no preset `{}`", card.title, self.preset));
        card.config(self.preset, &dataset.name, kind).ok_or_else(missing)
    }

    /// The data set to learn from.
    ///
    /// # Errors
    /// If there is no such method or data set, or the two do not fit together.
    pub fn dataset<'a>(&self, menu: &'a Menu) -> Result<&'a DatasetCard> {
        dataset_choice::choose(&self.data, self.card(menu)?, &menu.datasets)
    }

    /// Falls back to the default data set if the method cannot use the one asked for.
    pub fn drop_unsuitable_data(&mut self, menu: &Menu) {
        if self.dataset(menu).is_err() {
            self.data.clear();
        }
    }
}

/// Settings under "More settings", by their names in links: the encoder's width and the method's own options.
pub fn more_names(config: &RunConfig) -> Vec<String> {
    let options = config.options.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
    std::iter::once("width".to_string()).chain(options.map(|(name, _)| name.clone())).collect()
}

/// The declaration of the setting that links call `key`: its label, help and range.
pub fn declared(config: &RunConfig, card: &MethodCard, key: &str) -> Option<Declared> {
    let mut all = config.declared_settings().into_iter().chain(card.options.iter().cloned());
    all.find(|one| one.key == long(key))
}

/// Value of the setting that links call `key`.
pub fn value(config: &RunConfig, key: &str) -> Option<Value> {
    lookup(&value_of(config), key)
}

/// A value as text, for fields and links.
pub fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn value_of(config: &RunConfig) -> Value {
    serde_json::to_value(config).expect("a run configuration has only string keys")
}

fn lookup(whole: &Value, key: &str) -> Option<Value> {
    let direct = long(key).split('.').try_fold(whole, |value, part| value.get(part));
    direct.or_else(|| whole.get("options")?.get(key)).cloned()
}

/// Names in links of all values, except those that every link begins with.
fn names(whole: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    collect(whole, "", &mut paths);
    let said = ["method", "preset", "data"];
    let names = paths.into_iter().filter(|path| !said.contains(&path.as_str()));
    names.map(|path| short(path.strip_prefix("options.").unwrap_or(&path)).to_string()).collect()
}

fn collect(value: &Value, path: &str, into: &mut Vec<String>) {
    let Value::Object(map) = value else { return into.push(path.to_string()) };
    for (name, inner) in map {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(inner, &path, into);
    }
}

fn long(key: &str) -> &str {
    SHORT.iter().find(|(short, _)| *short == key).map_or(key, |(_, long)| long)
}

fn short(key: &str) -> &str {
    SHORT.iter().find(|(_, long)| *long == key).map_or(key, |(short, _)| short)
}

fn whole(key: &str, text: &str) -> Result<usize> {
    text.parse().map_err(|_| Error::Config(format!("{key} must be a whole number, not `{text}`")))
}

/// A list of [`PARTS`], separated by commas.
fn parts(text: &str) -> Result<Vec<String>> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !PARTS.contains(name)) {
        Some(name) => Err(Error::Config(format!("hide knows no `{name}`; there are: {}", PARTS.join(", ")))),
        None => Ok(names.into_iter().map(String::from).collect()),
    }
}

fn switch(key: &str, text: &str) -> Result<bool> {
    match text {
        "1" | "true" | "" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Error::Config(format!("{key} is either 1 or 0, not `{text}`"))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::method::{Better, Group, Needs, Unit};
    use crate::options::Range;
    use crate::page::model::run_state::tests::config;
    use crate::worker::protocol::MetricCard;

    /// A method that could be any.
    pub fn card(id: &str) -> MethodCard {
        MethodCard {
            id: id.into(),
            title: id.into(),
            year: 2018,
            paper: String::new(),
            url: String::new(),
            group: Group::Undo,
            task: String::new(),
            lesson: String::new(),
            loss: String::new(),
            metric: MetricCard {
                name: "accuracy".into(),
                better: Better::Higher,
                baseline: "guessing".into(),
                chance: None,
                unit: Unit::Share,
            },
            experiment: None,
            needs: Needs::default(),
            presets: vec![RunConfig { method: id.into(), ..config() }],
            options: vec![Declared::new("flip", "Mirror half of the images.", Range::Switch)],
            linear_rate: false,
        }
    }

    fn menu() -> Menu {
        let mut colourful = card("colourful");
        colourful.needs.colour = true;
        colourful.presets[0].data = "cifar-10".into();
        Menu {
            methods: vec![card("other"), card("one"), colourful],
            default_method: "one".into(),
            starters: Vec::new(),
            datasets: dataset_choice::tests::sets(),
        }
    }

    fn read(query: &str) -> (Settings, Vec<String>) {
        Settings::read(query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
    }

    #[test]
    fn a_link_gives_the_run_it_describes() {
        let (settings, problems) =
            read("method=other&device=cpu&seed=7&steps=40&lr=1e-2&flip=true&autostart=1&probe_every=10");
        assert_eq!(problems, [""; 0]);
        let config = settings.config(&menu(), Kind::Cpu).expect("all fit");
        assert_eq!((config.method.as_str(), config.seed, config.steps, config.optimizer.lr), ("other", 7, 40, 0.01));
        assert_eq!((config.encoder.width, config.options["flip"].as_bool()), (16, Some(true)));
        assert_eq!(settings.pace().expect("a number"), ReadbackPace { read_every: None, probe_every: Some(10) });
        assert!(settings.autostart);
    }

    #[test]
    fn the_written_link_reads_back_to_the_same_run_on_any_device() {
        let (settings, _) = read("seed=3&flip=true&batch=32&probe_every=25");
        let menu = menu();
        let config = settings.config(&menu, Kind::Cpu).expect("all fit");
        let written = settings.write(&config, settings.card(&menu).expect("a method"));
        assert!(written.contains(&("width".into(), "16".into())), "the narrow encoder is part of the run: {written:?}");
        assert!(written.iter().all(|(key, _)| key != "steps" && key != "autostart"));
        let (again, problems) = Settings::read(written.iter().map(|(key, text)| (key.as_str(), text.as_str())));
        assert_eq!(problems, [""; 0]);
        assert_eq!(again.config(&menu, Kind::Gpu).expect("all fit"), config);
        assert_eq!(again.pace().expect("a number"), settings.pace().expect("a number"));
    }

    #[test]
    fn the_settings_follow_a_run_that_came_with_its_own() {
        let (mut settings, _) = read("method=other&batch=128&device=cpu&probe_every=25");
        let menu = menu();
        let run = read("seed=9&flip=true").0.config(&menu, Kind::Gpu).expect("all fit");
        settings.adopt(&run, &card("one"));
        assert_eq!(settings.config(&menu, Kind::Cpu).expect("all fit"), run);
        assert_eq!((settings.method.as_str(), settings.device), ("one", DeviceChoice::Cpu));
        assert_eq!(settings.typed(PROBE_EVERY), Some("25"));
    }

    #[test]
    fn the_data_follow_the_method_unless_they_are_asked_for() {
        let (mut settings, _) = read("method=colourful");
        let menu = menu();
        let name = |settings: &Settings| {
            settings.dataset(&menu).map(|dataset| dataset.name.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(name(&settings), Ok("cifar-10".into()));
        settings.take("method", "one").expect("a method");
        assert_eq!(name(&settings), Ok("fashion-mnist".into()));
        settings.take("data", "shapes").expect("a name");
        assert_eq!(name(&settings), Ok("moving-shapes".into()));
        settings.take("data", "fashion-mnist").expect("a name");
        settings.take("method", "colourful").expect("a method");
        assert!(name(&settings).is_err());
        settings.drop_unsuitable_data(&menu);
        assert_eq!(name(&settings), Ok("cifar-10".into()));
    }

    #[test]
    fn a_link_for_a_course_page_keeps_its_parts_hidden() {
        let (settings, problems) = read("embed=1&hide=settings, files&seed=3");
        assert_eq!((problems.len(), settings.embed), (0, true));
        let config = settings.config(&menu(), Kind::Cpu).expect("all fit");
        let written = settings.write(&config, &card("one"));
        let (again, _) = Settings::read(written.iter().map(|(key, text)| (key.as_str(), text.as_str())));
        assert_eq!((again.embed, again.hide), (true, vec!["settings".to_string(), "files".to_string()]));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_left_alone() {
        for (query, word) in
            [("device=tpu", "tpu"), ("preset=huge", "huge"), ("autostart=maybe", "autostart"), ("hide=menu", "probes")]
        {
            let (settings, problems) = read(query);
            assert!(problems.len() == 1 && problems[0].contains(word), "{problems:?}");
            assert_eq!(settings, Settings::default());
        }
    }

    #[test]
    fn what_does_not_fit_the_method_is_said() {
        let wrong = [
            ("method=none", "other, one, colourful"),
            ("data=none", "moving-shapes"),
            ("data=fashion-mnist&method=colourful", "no colours"),
            ("preset=full", "full"),
            ("batch=many", "batch"),
            ("batch=1", "2 or more"),
            ("flip=maybe", "`flip` must be true or false"),
            ("flap=true", "did you mean `flip`?"),
        ];
        let more = [("lr=0", "lr"), ("tilt=3", "tilt"), ("seed=-1", "seed"), ("seed=99999999999999999", "seed")];
        assert!(read("probe_every=x").0.pace().expect_err("no number").to_string().contains("probe_every"));
        for (query, word) in wrong.into_iter().chain(more) {
            let error = read(query).0.config(&menu(), Kind::Gpu).expect_err(query).to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn an_emptied_field_goes_back_to_the_preset() {
        let mut settings = read("batch=32").0;
        settings.take("batch", "").expect("emptied");
        settings.take("probe_every", "").expect("emptied");
        assert_eq!(settings.pace().expect("as by default"), ReadbackPace::default());
        assert_eq!(settings.config(&menu(), Kind::Gpu).expect("all fit").batch, 64);
        assert_eq!(more_names(&config()), ["width", "flip"]);
        let label = |key: &str| declared(&config(), &card("one"), key).map(|one| one.label().to_string());
        assert_eq!(label("flip").as_deref(), Some("Mirror half of the images"));
        assert_eq!((label("lr").as_deref(), label("probe_every")), (Some("Learning rate"), None));
        assert_eq!(value(&config(), "lr").map(text_of).as_deref(), Some("0.05"));
        assert_eq!(value(&config(), "flip").map(text_of).as_deref(), Some("false"));
    }
}
