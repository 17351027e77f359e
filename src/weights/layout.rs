//! Where in a foreign file an encoder's tensors stand, and under which names.

use std::collections::BTreeMap;

use super::array::Array;
use crate::error::{Error, Result};
use crate::net::EncoderKind;

/// How a project names the parts of a residual network.
type Naming = fn(&str) -> String;

/// Torchvision's own names, which are ours too; kept by timm, MoCo, SimSiam, Barlow Twins, SwAV and solo-learn.
fn plain(name: &str) -> String {
    name.to_string()
}

/// `nn.Sequential(*list(resnet.children())[:-1])`, as in lightly's examples.
fn sequential(name: &str) -> String {
    counted(name, 3)
}

/// The same of lightly's ResNetGenerator, which has no stem pooling and calls its downsampling a shortcut.
fn generated(name: &str) -> String {
    shortcut(&counted(name, 1))
}

/// Torchvision's names but for the downsampling, as in many CIFAR code bases.
fn shortcut(name: &str) -> String {
    name.replace(".downsample.", ".shortcut.")
}

fn counted(name: &str, offset: usize) -> String {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let number = match first {
        "conv1" => 0,
        "bn1" => 1,
        layer => match layer.strip_prefix("layer").and_then(|number| number.parse::<usize>().ok()) {
            Some(number) => number + offset,
            None => return name.to_string(),
        },
    };
    format!("{number}.{rest}")
}

const NAMINGS: [Naming; 4] = [plain, sequential, generated, shortcut];

/// Prefixes that well-known code writes, for telling what was found.
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

/// Parts of names that slow copies of an encoder have: the copy that learns is meant where both are there.
const SLOW: [&str; 6] = ["encoder_k", "momentum", "target", "teacher", "ema", "key"];

/// Where an encoder was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What its tensors' names begin with.
    pub prefix: String,
    /// By our names.
    names: BTreeMap<String, String>,
}

impl Place {
    /// What the file calls the tensor of this name.
    pub(super) fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        self.names.get(ours).map_or(ours, String::as_str)
    }

    /// Whose file it probably is.
    pub(super) fn project(&self) -> Option<&'static str> {
        PROJECTS.iter().find(|(prefix, _)| *prefix == self.prefix).map(|(_, project)| *project)
    }

    fn is_slow(&self) -> bool {
        self.prefix.split(['.', '_']).any(|part| SLOW.contains(&part)) || self.prefix.contains("encoder_k")
    }
}

/// Finds an encoder whose tensors have the names `ours`, the first of them in its first layer.
///
/// # Errors
/// When there is none, or more than one that could be meant.
pub(super) fn find(tensors: &BTreeMap<String, Array>, ours: &[String], prefix: Option<&str>) -> Result<Place> {
    let mut whole = Vec::new();
    // how many tensors are missing where the fewest are, and the first of them
    let mut best: Option<((usize, bool), String)> = None;
    for place in candidates(tensors, ours, prefix) {
        let names = ours.iter().map(|name| place.name(name));
        let missing: Vec<&str> = names.filter(|name| !tensors.contains_key(*name)).collect();
        let rank = (missing.len(), place.is_slow());
        match missing.first() {
            Some(first) if best.as_ref().is_none_or(|(least, _)| rank < *least) => {
                best = Some((rank, first.to_string()))
            }
            Some(_) => {}
            None => whole.push(place),
        }
    }
    // the namings agree where nothing is downsampled
    whole.sort_by(|one, other| one.names.cmp(&other.names));
    whole.dedup();
    choose(whole).ok_or_else(|| nothing(tensors, best.map(|((count, _), name)| (count, name)), prefix))?
}

/// Wherever the first tensor is.
fn candidates<'a>(
    tensors: &'a BTreeMap<String, Array>,
    ours: &'a [String],
    prefix: Option<&'a str>,
) -> impl Iterator<Item = Place> + 'a {
    let bare = |prefix: &'a str| prefix.trim_end_matches('.');
    NAMINGS.into_iter().flat_map(move |naming| {
        let anchor = naming(&ours[0]);
        let starts = tensors.keys().filter_map(move |name| name.strip_suffix(&anchor));
        let starts = starts.filter(|start| start.is_empty() || start.ends_with('.'));
        let starts = starts.filter(move |start| prefix.is_none_or(|prefix| bare(prefix) == bare(start)));
        starts.map(move |start| {
            let names = ours.iter().map(|name| (name.clone(), format!("{start}{}", naming(name))));
            Place { prefix: start.to_string(), names: names.collect() }
        })
    })
}

/// The one that is meant; nothing where there is none.
fn choose(mut whole: Vec<Place>) -> Option<Result<Place>> {
    if whole.iter().any(|place| !place.is_slow()) {
        whole.retain(|place| !place.is_slow());
    }
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

fn nothing(tensors: &BTreeMap<String, Array>, best: Option<(usize, String)>, prefix: Option<&str>) -> Error {
    let some: Vec<&str> = tensors.iter().filter(|(_, array)| array.is_float()).map(|(name, _)| name.as_str()).collect();
    Error::Weights(match (best, prefix, some.first()) {
        (Some((1, name)), ..) => format!("it has no tensor `{name}`, which such an encoder needs"),
        (Some((count, name)), ..) => {
            let others = count - 1;
            format!(
                "it has no tensor `{name}`, which such an encoder needs, nor {others} others: is it of another architecture?"
            )
        }
        (None, Some(prefix), Some(first)) => {
            format!("no encoder's names in it begin with `{prefix}`; `{first}` is one of its tensors")
        }
        (None, None, Some(first)) => format!(
            "its {} tensors, `{first}` among them, are not named like those of such an encoder; name another with --arch",
            some.len()
        ),
        (None, _, None) => "there is no tensor of floats in it; save the model's state_dict()".to_string(),
    })
}

/// The residual network that the names and shapes of the file's tensors speak of.
///
/// # Errors
/// When they speak of none, or of one that is not known here.
pub(super) fn guess(tensors: &BTreeMap<String, Array>, prefix: Option<&str>) -> Result<EncoderKind> {
    let stems = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer3.0.conv1.weight"].map(str::to_string);
    let place = find(tensors, &stems, prefix)?;
    let fits = |naming: &Naming| stems.iter().all(|stem| *place.name(stem) == place.prefix.clone() + &naming(stem));
    let naming = NAMINGS.into_iter().find(fits).expect("one of them was found");
    let has = |name: &str| tensors.contains_key(&format!("{}{}", place.prefix, naming(name)));
    let blocks = |stage: usize| (0..).take_while(|block| has(&format!("layer{stage}.{block}.conv1.weight"))).count();
    let kernel = tensors[place.name(&stems[0])].shape().last().copied();
    match ([1, 2, 3, 4].map(blocks), has("layer1.0.conv3.weight"), kernel) {
        ([2, 2, 2, 2], false, Some(7)) => Ok(EncoderKind::Resnet18),
        ([2, 2, 2, 2], false, Some(3)) => Ok(EncoderKind::Resnet18Cifar),
        ([3, 4, 6, 3], true, Some(7)) => Ok(EncoderKind::Resnet50),
        ([3, 4, 6, 3], true, Some(3)) => Ok(EncoderKind::Resnet50Cifar),
        (blocks, ..) => {
            let blocks = blocks.map(|count| count.to_string()).join("-");
            Err(Error::Weights(format!(
                "it holds a residual network with {blocks} blocks, but only ResNet-18 (2-2-2-2) and ResNet-50 (3-4-6-3) are known"
            )))
        }
    }
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
        OURS.iter().map(|name| format!("{prefix}{}", naming(name))).collect()
    }

    #[test]
    fn every_project_is_found_by_its_own_names() {
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
        assert_eq!(generated("layer2.0.downsample.1.running_var"), "3.0.shortcut.1.running_var");
        assert_eq!(sequential("layer4.2.bn3.bias"), "7.2.bn3.bias");
    }

    #[test]
    fn slow_copies_are_passed_over_unless_they_are_asked_for() {
        for (fast, slow) in [
            ("state_dict.module.encoder_q.", "state_dict.module.encoder_k."),
            ("state_dict.backbone.", "state_dict.momentum_backbone."),
            ("student.", "teacher."),
        ] {
            let names: Vec<String> = [under(fast, plain), under(slow, plain)].concat();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            assert_eq!(found(&names, None).expect("one of them").prefix, fast);
            assert_eq!(found(&names, Some(slow)).expect("the other").prefix, slow);
            assert_eq!(found(&names, Some(slow.trim_end_matches('.'))).expect("the other").prefix, slow);
        }
    }

    #[test]
    fn what_is_not_there_or_there_twice_is_said_by_name() {
        let said = |names: &[&str], prefix| found(names, prefix).expect_err("no encoder").to_string();
        let twice: Vec<String> = [under("left.", plain), under("right.", plain)].concat();
        let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
        assert!(said(&twice, None).contains("`left.`, `right.`; say which with --prefix"));
        assert!(said(&twice, Some("middle.")).contains("begin with `middle.`"));
        let missing = said(&["a.conv1.weight", "a.bn1.weight", "a.layer1.0.conv1.weight"], None);
        assert!(missing.contains("no tensor `a.layer4.0.") && !missing.contains("others"), "{missing}");
        assert!(said(&["conv1.weight"], None).contains("nor 2 others"), "{}", said(&["conv1.weight"], None));
        assert!(said(&["blocks.0.attn.qkv.weight"], None).contains("`blocks.0.attn.qkv.weight` among them"));
        assert!(said(&[], None).contains("state_dict()"));
    }
}
