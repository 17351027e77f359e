//! The place of an encoder's tensors in a foreign file, and their names there.

use std::collections::BTreeMap;

use super::array::Array;
use super::naming::Naming;
use super::network;
use crate::error::{Error, Result};

/// Prefixes that well-known projects write, by which the source of a file is named.
const PROJECTS: [(&str, &str); 12] = [
    ("state_dict.module.encoder_q.", "MoCo"),
    ("state_dict.module.base_encoder.", "MoCo v3"),
    ("state_dict.module.encoder.", "SimSiam"),
    ("model.module.backbone.", "Barlow Twins"),
    ("module.", "SwAV"),
    ("state_dict.module.", "SwAV"),
    ("state_dict.backbone.", "solo-learn or lightly"),
    ("state_dict.encoder.", "solo-learn before version 1.0.4"),
    ("backbone.", "solo-learn or lightly"),
    ("state_dict.", "timm"),
    ("state_dict_ema.", "timm"),
    ("", "torchvision, timm or Barlow Twins"),
];

/// Words in the names of momentum encoders. If a file holds a trained encoder and its moving average, the encoder is taken.
const MOMENTUM: [&str; 11] =
    ["k", "m", "momentum", "target", "teacher", "ema", "key", "slow", "shadow", "average", "averaged"];

/// Most places that are compared for the tensor that is missing, if no place holds a whole encoder.
const MAX_NEAR: usize = 64;

/// The place where an encoder was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Prefix of its tensors' names.
    pub prefix: String,
    /// The scheme of names after the prefix.
    pub naming: Naming,
    /// Names in the file by our names.
    names: BTreeMap<String, String>,
}

impl Place {
    fn new(prefix: &str, naming: Naming, ours: &[String]) -> Self {
        let names = ours.iter().map(|name| (name.clone(), format!("{prefix}{}", naming.translate(name))));
        Self { prefix: prefix.to_string(), naming, names: names.collect() }
    }

    /// The file's name of the tensor with this name of ours.
    pub(super) fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        self.names.get(ours).map_or(ours, String::as_str)
    }

    /// All names in the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// The project that probably wrote the file.
    pub(super) fn project(&self) -> Option<&'static str> {
        PROJECTS.iter().find(|(prefix, _)| *prefix == self.prefix).map(|(_, project)| *project)
    }
}

/// True if the name, or the beginning of one, is that of a momentum encoder.
pub(super) fn is_momentum(name: &str) -> bool {
    name.split(['.', '_']).any(|part| MOMENTUM.contains(&part))
}

/// Finds an encoder whose tensors have the names `ours`, the first two of them in its first layer.
///
/// # Errors
/// When there is none, or more than one that could be meant.
pub(super) fn find(tensors: &BTreeMap<String, Array>, ours: &[String], prefix: Option<&str>) -> Result<Place> {
    let starts = starts(tensors, ours, prefix);
    let is_whole = |(start, naming): &&(&str, Naming)| {
        ours.iter().all(|name| tensors.contains_key(&format!("{start}{}", naming.translate(name))))
    };
    let mut whole: Vec<Place> =
        starts.iter().filter(is_whole).map(|(start, naming)| Place::new(start, *naming, ours)).collect();
    // two schemes agree where nothing is downsampled
    whole.sort_by(|one, other| one.names.cmp(&other.names));
    whole.dedup_by(|one, other| one.names == other.names);
    choose(whole, tensors).unwrap_or_else(|| Err(nothing(tensors, &starts, ours, prefix)))
}

/// Every prefix under which the first tensor is, with the scheme that gives it its name.
fn starts<'a>(tensors: &'a BTreeMap<String, Array>, ours: &[String], prefix: Option<&str>) -> Vec<(&'a str, Naming)> {
    let bare = |prefix: &str| prefix.trim_end_matches('.').to_string();
    let mut found = Vec::new();
    for naming in Naming::all() {
        let anchor = naming.translate(&ours[0]);
        let starts = tensors.keys().filter_map(|name| name.strip_suffix(anchor.as_str()));
        let starts = starts.filter(|start| start.is_empty() || start.ends_with('.'));
        let starts = starts.filter(|start| prefix.is_none_or(|prefix| bare(prefix) == bare(start)));
        found.extend(starts.map(|start| (start, naming)));
    }
    found
}

/// The place to read from; `None` if there is none.
fn choose(mut whole: Vec<Place>, tensors: &BTreeMap<String, Array>) -> Option<Result<Place>> {
    if whole.iter().any(|place| !is_momentum(&place.prefix)) {
        whole.retain(|place| !is_momentum(&place.prefix));
    }
    // a module that is registered twice is saved under both of its names
    let is_same =
        |one: &Place, other: &Place| one.names.iter().all(|(ours, name)| tensors[name] == tensors[&other.names[ours]]);
    whole.dedup_by(|later, first| is_same(first, later));
    if whole.len() < 2 {
        return whole.pop().map(Ok);
    }
    let prefixes: Vec<String> = whole.iter().map(|place| format!("`{}`", place.prefix)).collect();
    Some(Err(Error::Weights(format!(
        "it holds {} such encoders, whose tensors' names begin with {}; say which with --prefix",
        whole.len(),
        prefixes.join(", ")
    ))))
}

/// The error for a file without a whole encoder: the tensor that the nearest place lacks.
fn nothing(
    tensors: &BTreeMap<String, Array>,
    starts: &[(&str, Naming)],
    ours: &[String],
    prefix: Option<&str>,
) -> Error {
    let missing = starts.iter().take(MAX_NEAR).map(|(start, naming)| {
        let place = Place::new(start, *naming, ours);
        let names = ours.iter().map(|name| place.name(name).to_string());
        let missing: Vec<String> = names.filter(|name| !tensors.contains_key(name)).collect();
        (missing.len(), is_momentum(start), missing.into_iter().next())
    });
    let best = missing.min();
    let floats = || tensors.iter().filter(|(_, array)| array.is_float());
    let count = floats().count();
    let family = network::family(tensors.keys().map(String::as_str));
    let family = family.map(|family| format!("; it looks like {family}, which is not known here")).unwrap_or_default();
    let first = floats().next().map(|(name, _)| name.as_str());
    // batch norm alone keeps statistics
    let family = match &best {
        Some((_, _, Some(name))) if name.ends_with("running_mean") => "; has it layer norm or group norm?".to_string(),
        _ => family,
    };
    Error::Weights(match (best, prefix, first) {
        (Some((1, _, Some(name))), ..) => format!("it has no tensor `{name}`, which such an encoder needs{family}"),
        (Some((count, _, Some(name))), ..) => {
            let others = count - 1;
            let family = if family.is_empty() { ": is it of another architecture?" } else { family.as_str() };
            format!("it has no tensor `{name}`, which such an encoder needs, nor {others} others{family}")
        }
        (_, Some(prefix), Some(first)) => {
            format!("no encoder's names in it begin with `{prefix}`; `{first}` is one of its tensors")
        }
        (_, None, Some(first)) => format!(
            "its {count} tensors, `{first}` among them, are not named like those of such an encoder{family}; name another with \
             --arch"
        ),
        (_, _, None) => "there is no tensor of floats in it; save the model's state_dict()".to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::array::Kind;

    const OURS: [&str; 4] = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.0.downsample.0.weight"];
    const NUMBER: [u8; 4] = [0; 4];

    fn tensors(names: &[&str]) -> BTreeMap<String, Array<'static>> {
        let array = || Array::packed(Kind::F32, vec![1], &NUMBER).expect("one number");
        names.iter().map(|name| (name.to_string(), array())).collect()
    }

    fn found(names: &[&str], prefix: Option<&str>) -> Result<Place> {
        find(&tensors(names), &OURS.map(str::to_string), prefix)
    }

    /// The names of an encoder under a prefix.
    fn under(prefix: &str, naming: Naming) -> Vec<String> {
        OURS.iter().map(|name| format!("{prefix}{}", naming.translate(name))).collect()
    }

    fn scheme(number: usize) -> Naming {
        Naming::all().nth(number).expect("a scheme")
    }

    #[test]
    fn every_project_is_found_by_its_own_names() {
        let [plain, sequential, generated] = [scheme(0), scheme(2), scheme(7)];
        let projects: [(&str, Naming, &[&str], &str); 8] = [
            ("", plain, &["fc.weight"], "torchvision"),
            ("state_dict.module.encoder_q.", plain, &["state_dict.module.queue"], "MoCo"),
            ("state_dict.module.base_encoder.", plain, &["state_dict.module.predictor.0.weight"], "MoCo v3"),
            ("state_dict.module.encoder.", plain, &["state_dict.module.predictor.0.weight"], "SimSiam"),
            ("model.module.backbone.", plain, &["model.module.projector.0.weight"], "Barlow Twins"),
            ("module.", plain, &["module.projection_head.0.weight", "module.prototypes.weight"], "SwAV"),
            ("state_dict.backbone.", sequential, &["state_dict.projection_head.layers.0.weight"], "lightly"),
            ("state_dict.backbone.", generated, &["state_dict.projection_head.layers.0.weight"], "lightly"),
        ];
        for (prefix, naming, others, project) in projects {
            let names = under(prefix, naming);
            let all: Vec<&str> = names.iter().map(String::as_str).chain(others.iter().copied()).collect();
            let place = found(&all, None).expect(prefix);
            assert!(place.project().is_some_and(|said| said.contains(project)), "{prefix}: {:?}", place.project());
            assert_eq!(OURS.map(|name| place.name(name).to_string()).to_vec(), names);
        }
    }

    #[test]
    fn the_trained_encoder_is_taken_before_its_moving_average() {
        for (trained, average) in [
            ("state_dict.module.encoder_q.", "state_dict.module.encoder_k."),
            ("state_dict.backbone.", "state_dict.momentum_backbone."),
            ("student.", "teacher."),
            ("f_q.", "f_k."),
            ("online_encoder.net.", "target_encoder.net."),
        ] {
            for naming in Naming::all() {
                let names: Vec<String> = [under(trained, naming), under(average, naming)].concat();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                assert_eq!(found(&names, None).expect("one of them").prefix, trained);
                assert_eq!(found(&names, Some(average)).expect("the other").prefix, average);
                assert_eq!(found(&names, Some(average.trim_end_matches('.'))).expect("the other").prefix, average);
            }
        }
    }

    #[test]
    fn what_is_not_there_or_there_twice_is_said_by_name() {
        let said = |names: &[&str], prefix| found(names, prefix).expect_err("no encoder").to_string();
        let twice: Vec<String> = [under("left.", scheme(0)), under("right.", scheme(0))].concat();
        let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
        assert_eq!(found(&twice, None).expect("the same numbers twice").prefix, "left.");
        let mut different = tensors(&twice);
        let one = 1.0f32.to_le_bytes();
        different.insert("right.bn1.weight".into(), Array::packed(Kind::F32, vec![1], &one).expect("one number"));
        let two = find(&different, &OURS.map(str::to_string), None).expect_err("two encoders").to_string();
        assert!(two.contains("`left.`, `right.`; say which with --prefix"), "{two}");
        assert!(said(&twice, Some("middle.")).contains("begin with `middle.`"));
        let missing = said(&["a.conv1.weight", "a.bn1.weight", "a.layer1.0.conv1.weight"], None);
        assert!(missing.contains("no tensor `a.layer4.0.") && !missing.contains("others"), "{missing}");
        assert!(said(&["conv1.weight"], None).contains("nor 2 others"), "{}", said(&["conv1.weight"], None));
        let vision = said(&["blocks.0.attn.qkv.weight"], None);
        assert!(vision.contains("`blocks.0.attn.qkv.weight` among them") && vision.contains("transformer"), "{vision}");
        assert!(said(&[], None).contains("state_dict()"));
    }
}
