//! The network of a file, recognised by the names and shapes of its tensors.

use std::collections::BTreeMap;

use super::array::Array;
use super::layout::find;
use crate::error::{Error, Result};
use crate::net::EncoderKind;

/// Families of networks that are not read here, with substrings of their tensors' names.
const FAMILIES: [(&str, &[&str]); 8] = [
    (
        "a vision transformer",
        &["attn.qkv", "patch_embed", "cls_token", "class_token", "self_attn", "attention.self", "patch_embeddings"],
    ),
    ("a network with squeeze-and-excitation", &[".se.", ".se_module.", ".se_layer.", ".se_block.", "_se_"]),
    ("a network with attention in its blocks", &["cbam", ".attn.", ".attention.", ".ca.", ".sa.", ".eca.", ".gc."]),
    ("a network with anti-aliased pooling", &[".filt", ".aa.", "blurpool", ".blur."]),
    ("a residual network with a stem of several convolutions (ResNet-D)", &["conv1.0.weight", "stem.0.weight"]),
    ("a network of depthwise convolutions", &["dwconv", "depthwise", "conv_dw"]),
    ("a pruned or reparametrised network", &["weight_orig", "weight_mask", "weight_g", "parametrizations."]),
    ("a quantised network", &["_packed_params", "zero_point"]),
];

/// A ResNet-18 and a ResNet-50: blocks per stage, true for bottlenecks, and the kinds with the stem for large and for small
/// images.
const KNOWN: [([usize; 4], bool, [EncoderKind; 2]); 2] = [
    ([2, 2, 2, 2], false, [EncoderKind::Resnet18, EncoderKind::Resnet18Cifar]),
    ([3, 4, 6, 3], true, [EncoderKind::Resnet50, EncoderKind::Resnet50Cifar]),
];

/// The family of a network that is not read here, recognised by its tensors' names.
pub(super) fn family<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let has = |piece: &&str| names.clone().any(|name| name.contains(piece));
    FAMILIES.into_iter().find(|(_, pieces)| pieces.iter().any(&has)).map(|(family, _)| family)
}

/// The residual network of a file, recognised by the names and shapes of its tensors; `called` is the name that the file itself
/// gives it.
///
/// # Errors
/// When they are those of no residual network, of one that is not known here, or fit two that are.
pub(super) fn guess(
    tensors: &BTreeMap<String, Array>,
    called: Option<&str>,
    prefix: Option<&str>,
) -> Result<EncoderKind> {
    let stages = [1, 2, 3, 4].map(|stage| format!("layer{stage}.0.conv1.weight"));
    let stem = ["conv1.weight", "bn1.weight"].map(str::to_string);
    let place = find(tensors, &[&stem[..], &stages].concat(), prefix)?;
    let has = |name: &str| tensors.contains_key(&format!("{}{}", place.prefix, place.naming.translate(name)));
    let blocks =
        [1, 2, 3, 4].map(|stage| (0..).take_while(|block| has(&format!("layer{stage}.{block}.conv1.weight"))).count());
    let bottleneck = has("layer1.0.conv3.weight");
    let Some((.., [large, small])) = KNOWN.into_iter().find(|known| (known.0, known.1) == (blocks, bottleneck)) else {
        let blocks = blocks.map(|count| count.to_string()).join("-");
        let convolutions = if bottleneck { "three" } else { "two" };
        return Err(Error::Weights(format!(
            "it holds a residual network with {blocks} blocks of {convolutions} convolutions, but only ResNet-18 (2-2-2-2, two \
             convolutions) and ResNet-50 (3-4-6-3, three) are known"
        )));
    };
    let kind = match tensors[place.name(&stem[0])].shape() {
        [.., 7, 7] if place.naming.hides_pooling() => {
            return Err(Error::Weights(format!(
                "the numbers of its modules leave open whether its stem has a max pooling, and a 7x7 stem without one is not \
                 known here; if it has one, say so with --arch {}",
                large.word()
            )));
        }
        [.., 7, 7] => large,
        [.., 3, 3] => small,
        shape => {
            return Err(Error::Weights(format!(
                "its first convolution is {shape:?}, but only stems of 7x7 and of 3x3 are known"
            )));
        }
    };
    match called {
        Some(called) if !agrees(called, large) => Err(Error::Weights(format!(
            "it calls itself `{called}`, which is not known here; if it is a plain {0} all the same, say so with --arch {0}",
            kind.word()
        ))),
        _ => Ok(kind),
    }
}

/// True if a name such as `resnet50`, `ResNet-50` or `resnet18_cifar10` may be that of a plain network of the kind.
fn agrees(called: &str, kind: EncoderKind) -> bool {
    let called = called.to_lowercase();
    let kind = kind.word();
    let words: Vec<&str> = called.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let is_kind = |word: &str| word.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with("cifar"));
    let is_variant = |word: &&str| word.contains("resne") && !is_kind(word) && *word != "resnet";
    !words.iter().any(is_variant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::array::Kind;

    /// The names of a residual network's tensors that `guess` reads.
    fn network(blocks: [usize; 4], bottleneck: bool, kernel: usize) -> BTreeMap<String, Array<'static>> {
        static ZEROS: [u8; 4 * 49] = [0; 4 * 49];
        let array = |kernel: usize| {
            Array::packed(Kind::F32, vec![1, 1, kernel, kernel], &ZEROS[..4 * kernel * kernel]).expect("zeros")
        };
        let mut tensors =
            BTreeMap::from([("conv1.weight".to_string(), array(kernel)), ("bn1.weight".into(), array(1))]);
        for (stage, count) in (1..).zip(blocks) {
            for block in 0..count {
                for convolution in 1..=(if bottleneck { 3 } else { 2 }) {
                    tensors.insert(format!("layer{stage}.{block}.conv{convolution}.weight"), array(1));
                }
            }
        }
        tensors
    }

    #[test]
    fn depth_blocks_and_stem_tell_the_kind() {
        for (blocks, bottleneck, kernel, kind) in [
            ([2, 2, 2, 2], false, 7, EncoderKind::Resnet18),
            ([2, 2, 2, 2], false, 3, EncoderKind::Resnet18Cifar),
            ([3, 4, 6, 3], true, 7, EncoderKind::Resnet50),
            ([3, 4, 6, 3], true, 3, EncoderKind::Resnet50Cifar),
        ] {
            assert_eq!(guess(&network(blocks, bottleneck, kernel), None, None).expect("known"), kind);
        }
    }

    #[test]
    fn other_residual_networks_are_refused_by_what_differs() {
        let said = |blocks, bottleneck, kernel, called| {
            guess(&network(blocks, bottleneck, kernel), called, None).expect_err("not known").to_string()
        };
        let thirty_four = said([3, 4, 6, 3], false, 7, None);
        assert!(thirty_four.contains("3-4-6-3 blocks of two convolutions"), "{thirty_four}");
        let twenty_six = said([2, 2, 2, 2], true, 7, None);
        assert!(twenty_six.contains("2-2-2-2 blocks of three convolutions"), "{twenty_six}");
        assert!(said([3, 4, 23, 3], true, 7, None).contains("3-4-23-3"));
        assert!(said([2, 2, 2, 2], false, 5, None).contains("[1, 1, 5, 5]"));
        let blurred = said([3, 4, 6, 3], true, 7, Some("resnetblur50"));
        assert!(blurred.contains("calls itself `resnetblur50`") && blurred.contains("--arch resnet50"), "{blurred}");
    }

    #[test]
    fn numbers_that_hide_the_pooling_of_a_large_stem_are_refused() {
        for naming in super::super::naming::Naming::all() {
            let numbered = |kernel| -> BTreeMap<String, Array> {
                let plain = network([2, 2, 2, 2], false, kernel);
                plain.into_iter().map(|(name, array)| (naming.translate(&name), array)).collect()
            };
            assert_eq!(guess(&numbered(3), None, None).expect("known"), EncoderKind::Resnet18Cifar);
            match guess(&numbered(7), None, None) {
                Ok(kind) => assert!(kind == EncoderKind::Resnet18 && !naming.hides_pooling()),
                Err(error) => assert!(naming.hides_pooling() && error.to_string().contains("--arch resnet18")),
            }
        }
    }

    #[test]
    fn names_of_variants_do_not_pass_for_the_plain_network() {
        for called in ["resnet18", "ResNet-18", "resnet18_cifar10", "resnet18cifar", "tv_resnet18", "resnet", "simclr"]
        {
            assert!(agrees(called, EncoderKind::Resnet18), "{called}");
        }
        for called in ["seresnet18", "resnet18d", "resnetblur18", "resnet34", "resnext18", "resnetv2_18", "resnet18x2"]
        {
            assert!(!agrees(called, EncoderKind::Resnet18), "{called}");
        }
        assert_eq!(family(["layer1.0.se.fc1.weight"].into_iter()), Some("a network with squeeze-and-excitation"));
        assert_eq!(family(["layer1.0.conv1.weight", "conv1.weight"].into_iter()), None);
    }
}
