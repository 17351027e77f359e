//! Tensors of a foreign file that its encoder does not use: heads and moving averages are left out and reported, but a further
//! module of the network itself means another network, which is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::array::Array;
use super::layout::{Place, is_momentum};
use super::network::family;
use crate::error::{Error, Result};

/// Words in the names of modules that follow an encoder, or that training keeps beside it.
const HEADS: [&str; 46] = [
    "head",
    "heads",
    "fc",
    "classifier",
    "classification",
    "linear",
    "lin",
    "logit",
    "logits",
    "projector",
    "projection",
    "project",
    "proj",
    "predictor",
    "prediction",
    "predict",
    "pred",
    "prototypes",
    "prototype",
    "queue",
    "mlp",
    "neck",
    "decoder",
    "center",
    "centers",
    "criterion",
    "loss",
    "memory",
    "bank",
    "embedding",
    "embed",
    "contrast",
    "cluster",
    "discriminator",
    "decoder",
    "online",
    "output",
    "optimizer",
    "optim",
    "optimizers",
    "scaler",
    "scheduler",
    "g",
    "temperature",
    "probe",
    "metric",
];

/// Prefixes of the names of modules that a network passes its maps through.
const BODY: [&str; 14] = [
    "conv",
    "bn",
    "norm",
    "gn",
    "layer",
    "stage",
    "block",
    "stem",
    "se",
    "attn",
    "attention",
    "cbam",
    "downsample",
    "res",
];

/// Names of buffers that hold the mean or deviation of pixels.
const PIXELS: [&str; 8] = ["mean", "std", "pixel_mean", "pixel_std", "new_mean", "new_std", "image_mean", "image_std"];

/// Examples of tensors in a sentence.
const EXAMPLES: usize = 3;
/// Characters of a name in a sentence.
const MAX_SHOWN: usize = 80;

/// The tensors of a file without those of its encoder.
pub(super) struct Unused<'a> {
    tensors: &'a BTreeMap<String, Array<'a>>,
    place: &'a Place,
    /// Names of all of them, without counts of batches (`num_batches_tracked`).
    names: Vec<&'a str>,
}

/// The role of a tensor in the model that was saved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// In one of the encoder's own modules.
    Inside,
    /// In a module beside those, which may work on maps.
    Between,
    /// A head, a moving average, a queue, the state of an optimizer.
    Beside,
    /// Unknown by its name: it follows the encoder, or has nothing to do with it.
    Unknown,
}

impl<'a> Unused<'a> {
    /// Everything in the file that is not at `place`.
    pub(super) fn of(tensors: &'a BTreeMap<String, Array<'a>>, place: &'a Place) -> Self {
        let used: BTreeSet<&str> = place.names().collect();
        let unused = tensors.keys().map(String::as_str).filter(|name| !used.contains(name));
        Self { tensors, place, names: unused.filter(|name| !name.ends_with("num_batches_tracked")).collect() }
    }

    /// Refuses tensors that belong to the network between its pixels and its last map; `kind` is what it was taken for. If the
    /// user named the architecture, only modules of that network are checked.
    ///
    /// # Errors
    /// When there are any: the network is another one.
    pub(super) fn refuse_another_network(&self, kind: &str, named: bool) -> Result<()> {
        let inside = self.with(Role::Inside);
        if !inside.is_empty() {
            return Err(Error::Weights(format!(
                "its blocks have {} that a {kind} does not have ({}): it is {}, which is not known here",
                counted(inside.len()),
                examples(&inside),
                family(inside.iter().copied()).unwrap_or("another network")
            )));
        }
        let between = self.with(Role::Between);
        if named || between.is_empty() {
            return Ok(());
        }
        Err(Error::Weights(format!(
            "beside those of a {kind} it has {} that may belong to the network ({}); if they follow its last map, or are not \
             used, say so with --arch {kind}",
            counted(between.len()),
            examples(&between)
        )))
    }

    /// Refuses a file that holds the numbers its network normalises pixels by: the network was trained with those.
    ///
    /// # Errors
    /// When it holds any.
    pub(super) fn refuse_own_normalisation(&self) -> Result<()> {
        let found = self.names.iter().find_map(|&name| {
            let last = name.rsplit('.').next().unwrap_or(name);
            let array = PIXELS.contains(&last).then(|| &self.tensors[name])?;
            let values = array.floats().ok()?;
            matches!(values.len(), 1 | 3).then_some((name, values))
        });
        match found {
            None => Ok(()),
            Some((name, values)) => Err(Error::Weights(format!(
                "it normalises pixels itself: its `{name}` is {values:?}; name the mean and the deviation of pixels in 0 to 1 \
                 with --input-mean and --input-std"
            ))),
        }
    }

    /// A sentence on the tensors that are left out; `None` if all are used.
    pub(super) fn words(&self) -> Option<String> {
        let beside = self.with(Role::Beside);
        let unknown = [self.with(Role::Between), self.with(Role::Unknown)].concat();
        let mut parts = Vec::new();
        if !beside.is_empty() {
            let tensors = counted(beside.len());
            parts.push(format!("{tensors} of heads, momentum encoders and training ({})", examples(&beside)));
        }
        if !unknown.is_empty() {
            let tensors = counted(unknown.len());
            parts.push(format!("{tensors} of a purpose that their names do not tell ({})", examples(&unknown)));
        }
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join("; ")))
    }

    fn with(&self, role: Role) -> Vec<&'a str> {
        self.names.iter().copied().filter(|name| self.role(name) == role).collect()
    }

    fn role(&self, name: &str) -> Role {
        let Some(rest) = name.strip_prefix(self.place.prefix.as_str()) else {
            return if is_head(name) { Role::Beside } else { Role::Unknown };
        };
        let module = rest.split('.').next().unwrap_or(rest);
        let modules = self.modules();
        if modules.contains(module) {
            return Role::Inside;
        }
        if let Ok(number) = module.parse::<usize>() {
            let last = modules.iter().filter_map(|module| module.parse::<usize>().ok()).max();
            return match last {
                Some(last) if number < last => Role::Inside,
                Some(_) if self.is_spatial(name) => Role::Between,
                _ => Role::Beside,
            };
        }
        match () {
            () if is_head(module) => Role::Beside,
            () if self.is_spatial(name) || BODY.iter().any(|begin| module.starts_with(begin)) => Role::Between,
            () => Role::Unknown,
        }
    }

    /// The names of the encoder's modules in the file: `conv1`, `bn1`, `layer1`, or their numbers.
    fn modules(&self) -> BTreeSet<&str> {
        let rest = self.place.names().map(|name| &name[self.place.prefix.len()..]);
        rest.map(|rest| rest.split('.').next().unwrap_or(rest)).collect()
    }

    /// True if it is a kernel of more than one pixel.
    fn is_spatial(&self, name: &str) -> bool {
        matches!(self.tensors[name].shape(), [_, _, height, width, ..] if height * width > 1)
    }
}

/// True if the name has a word of a head's, or of a moving average's.
fn is_head(name: &str) -> bool {
    let words = name.split(['.', '_', '-']).map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()));
    is_momentum(name) || words.into_iter().any(|word| HEADS.contains(&word))
}

fn counted(count: usize) -> String {
    if count == 1 { "1 tensor".to_string() } else { format!("{count} tensors") }
}

/// Some of the names, of different modules where there are several.
fn examples(names: &[&str]) -> String {
    let shared = shared_prefix(names);
    let module = |name: &str| name[shared..].split('.').next().unwrap_or_default().to_string();
    let mut chosen: Vec<&str> = Vec::new();
    for distinct in [true, false] {
        for name in names {
            let fresh = !chosen.iter().any(|known| known == name || (distinct && module(known) == module(name)));
            if fresh && chosen.len() < EXAMPLES {
                chosen.push(name);
            }
        }
    }
    let more = if names.len() > chosen.len() { ", ..." } else { "" };
    format!("{}{more}", chosen.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// Bytes of the longest prefix of whole words that all names share.
fn shared_prefix(names: &[&str]) -> usize {
    let first = names.first().copied().unwrap_or_default();
    let ends = first.match_indices('.').map(|(at, _)| at + 1);
    ends.take_while(|&end| names.iter().all(|name| name.starts_with(&first[..end]))).last().unwrap_or(0)
}

/// The name as it can stand in a sentence: a file may hold any text as one.
fn quoted(name: &str) -> String {
    let text: String = name.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    let more = if name.chars().count() > MAX_SHOWN { "..." } else { "" };
    format!("`{text}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::array::Kind;
    use crate::weights::layout;

    const OURS: [&str; 4] = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.0.conv1.weight"];
    static NUMBERS: [u8; 4 * 9] = [0; 4 * 9];

    /// A network of four tensors under a prefix, and others: kernels of 3x3 where their names end in `weight`.
    fn file(prefix: &str, others: &[&str]) -> BTreeMap<String, Array<'static>> {
        let array = |name: &str| match name.ends_with("weight") {
            true => Array::packed(Kind::F32, vec![1, 1, 3, 3], &NUMBERS).expect("a kernel"),
            false => Array::packed(Kind::F32, vec![3], &NUMBERS[..12]).expect("a vector"),
        };
        let names = OURS.iter().map(|name| format!("{prefix}{name}")).chain(others.iter().map(|name| name.to_string()));
        names.map(|name| (name.clone(), array(&name))).collect()
    }

    fn with<T>(prefix: &str, others: &[&str], look: impl FnOnce(&Unused) -> T) -> T {
        let tensors = file(prefix, others);
        let place = layout::find(&tensors, &OURS.map(str::to_string), None).expect("an encoder");
        look(&Unused::of(&tensors, &place))
    }

    #[test]
    fn modules_of_the_network_make_it_another_one() {
        for (other, word) in [
            ("layer1.0.se.fc1.bias", "squeeze-and-excitation"),
            ("layer4.0.conv2_attention.cbam.weight", "attention in its blocks"),
            ("layer1.1.downsample.0.weight", "another network"),
            ("layer4.0.aa.filt", "anti-aliased"),
            ("conv1.bias", "another network"),
        ] {
            for prefix in ["", "module.", "state_dict.backbone."] {
                let other = format!("{prefix}{other}");
                let said = with(prefix, &[&other], |unused| unused.refuse_another_network("resnet18", true));
                let said = said.expect_err("another network").to_string();
                assert!(said.contains(word) && said.contains(&other), "{said}");
            }
        }
    }

    #[test]
    fn a_module_between_the_known_ones_needs_the_users_word() {
        for other in ["conv2.weight", "bn2.bias", "layer5.0.conv1.weight", "extra.0.weight", "se1.bias"] {
            with("net.", &[&format!("net.{other}")], |unused| {
                let said = unused.refuse_another_network("resnet18", false).expect_err("unclear").to_string();
                assert!(said.contains(other) && said.contains("--arch resnet18"), "{said}");
                unused.refuse_another_network("resnet18", true).expect("as the user says");
                assert!(unused.words().is_some_and(|said| said.contains(other)), "it is named all the same");
            });
        }
    }

    #[test]
    fn heads_and_moving_averages_are_left_out_and_said_to_be() {
        let others = [
            "net.fc.weight",
            "net.projection_head.0.weight",
            "predictor.0.weight",
            "encoder_k.conv1.weight",
            "queue",
            "net.bn1.num_batches_tracked",
        ];
        with("net.", &others, |unused| {
            unused.refuse_another_network("resnet18", false).expect("nothing of the network");
            let said = unused.words().expect("a sentence");
            assert!(said.starts_with("left out: 5 tensors of heads, momentum encoders and training (`"), "{said}");
            assert!(said.ends_with(", ...)") && !said.contains("num_batches"), "{said}");
        });
        let said = with("net.", &["tower.bias"], |unused| unused.words()).expect("a sentence");
        assert_eq!(said, "left out: 1 tensor of a purpose that their names do not tell (`tower.bias`)");
        assert_eq!(with("net.", &[], |unused| unused.words()), None);
    }

    #[test]
    fn numbered_modules_after_the_last_stage_are_heads() {
        let numbered = ["0.weight", "1.weight", "3.0.conv1.weight", "6.0.conv1.weight"];
        let look = |other: &str| {
            let mut tensors = file("", &[]);
            tensors.retain(|_, _| false);
            for name in numbered.into_iter().chain([other]) {
                tensors.insert(name.to_string(), Array::packed(Kind::F32, vec![1], &NUMBERS[..4]).expect("a number"));
            }
            let place = layout::find(&tensors, &OURS.map(str::to_string), None).expect("an encoder");
            Unused::of(&tensors, &place).refuse_another_network("resnet18", false)
        };
        look("8.weight").expect("a classifier");
        assert!(look("2.weight").expect_err("inside").to_string().contains("`2.weight`"));
    }

    #[test]
    fn a_file_that_normalises_pixels_itself_is_refused() {
        let said = with("model.", &["normalizer.new_mean"], |unused| unused.refuse_own_normalisation());
        let said = said.expect_err("its own mean").to_string();
        assert!(said.contains("`normalizer.new_mean` is [0.0, 0.0, 0.0]") && said.contains("--input-mean"), "{said}");
        with("model.", &["model.bn3.running_mean"], |unused| unused.refuse_own_normalisation())
            .expect("a batch norm's");
    }

    #[test]
    fn any_text_can_be_a_name() {
        let name = format!("a\nb{}", "x".repeat(300));
        let said = with("net.", &[&name], |unused| unused.words()).expect("a sentence");
        assert!(!said.contains('\n') && said.len() < 250, "{said}");
    }
}
