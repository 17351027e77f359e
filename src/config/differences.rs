//! Settings in which configurations differ.

use serde_json::Value;

use super::RunConfig;

/// A setting in which configurations differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Name of the setting, as [`RunConfig::set`] takes it.
    pub key: String,
    /// Its value in each configuration, in their order. None where a configuration has no such setting: another method, or
    /// another kind of schedule.
    pub values: Vec<Option<Value>>,
}

impl Difference {
    /// All settings of which at least two configurations have different values, in the order of [`RunConfig::settings`].
    pub fn among<'a>(configs: impl IntoIterator<Item = &'a RunConfig>) -> Vec<Self> {
        let all: Vec<Vec<(String, Value)>> = configs.into_iter().map(RunConfig::settings).collect();
        let mut keys: Vec<&String> = Vec::new();
        for (key, _) in all.iter().flatten() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let values = |key: &String| {
            let value = |settings: &Vec<(String, Value)>| {
                settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
            };
            all.iter().map(value).collect()
        };
        let each = keys.into_iter().map(|key| Self { key: key.clone(), values: values(key) });
        each.filter(Self::has_two_values).collect()
    }

    fn has_two_values(&self) -> bool {
        let mut known = self.values.iter().flatten();
        let first = known.next();
        known.any(|value| Some(value) != first)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(changes: &[(&str, &str)]) -> RunConfig {
        let mut config = RunConfig::default();
        config.options.insert("flip".into(), json!(true));
        for (key, text) in changes {
            config.set(key, text).expect("a setting");
        }
        config
    }

    #[test]
    fn equal_configurations_differ_in_nothing() {
        assert_eq!(Difference::among([&config(&[]), &config(&[])]), []);
        assert_eq!(Difference::among([&config(&[])]), []);
    }

    #[test]
    fn each_differing_setting_is_named_with_all_values() {
        let runs = [config(&[]), config(&[("seed", "7")]), config(&[("optimizer.lr", "0.5"), ("flip", "false")])];
        let found = Difference::among(&runs);
        let named = |key: &str| found.iter().find(|one| one.key == key).map(|one| one.values.clone());
        let mut keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["optimizer.lr", "options.flip", "seed"]);
        assert_eq!(named("seed"), Some(vec![Some(json!(1)), Some(json!(7)), Some(json!(1))]));
        assert_eq!(named("options.flip"), Some(vec![Some(json!(true)), Some(json!(true)), Some(json!(false))]));
    }

    #[test]
    fn a_setting_of_one_method_alone_is_no_difference() {
        let mut other = config(&[]);
        other.options.clear();
        other.options.insert("heads".into(), json!(3));
        assert_eq!(Difference::among([&config(&[]), &other]), []);
        // but two runs that have it may differ in it, whatever a third has
        let found = Difference::among([&config(&[]), &other, &config(&[("flip", "false")])]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].values, [Some(json!(true)), None, Some(json!(false))]);
    }
}
