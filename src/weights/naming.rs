//! Names that other projects give the modules of a residual network, translated from torchvision's.

/// The `layer1` of a `nn.Sequential(*list(resnet.children()))` is its child number 2, 3 or 4: what stands between the stem's
/// batch norm and it, a ReLU and a max pooling, is a child only where the network has it as a module.
const FIRST_STAGES: [usize; 3] = [4, 3, 2];

/// A scheme of names. Torchvision's own are ours too; timm, MoCo, SimSiam, Barlow Twins, SwAV and solo-learn keep them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    /// The number of `layer1`, where modules are the numbered children of a `nn.Sequential`: 4 in lightly's examples, 3
    /// without the pooling (the CIFAR demo of MoCo), 2 in lightly's ResNetGenerator.
    first_stage: Option<usize>,
    /// Downsampling is called `shortcut`, as in many CIFAR code bases.
    shortcut: bool,
}

impl Naming {
    /// All schemes, torchvision's first.
    pub(super) fn all() -> impl Iterator<Item = Naming> {
        let stages = std::iter::once(None).chain(FIRST_STAGES.map(Some));
        stages.flat_map(|first_stage| [false, true].map(|shortcut| Naming { first_stage, shortcut }))
    }

    /// The name in this scheme: `layer2.0.downsample.1.bias` becomes `5.0.downsample.1.bias`. Names of other networks stay.
    pub(super) fn translate(self, name: &str) -> String {
        let name = match self.shortcut {
            true => name.replace(".downsample.", ".shortcut."),
            false => name.to_string(),
        };
        let Some(first_stage) = self.first_stage else { return name };
        let (module, rest) = name.split_once('.').unwrap_or((&name, ""));
        let number = match module {
            "conv1" => 0,
            "bn1" => 1,
            stage => match stage.strip_prefix("layer").and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => number + first_stage - 1,
                None => return name,
            },
        };
        format!("{number}.{rest}")
    }

    /// True if the modules are numbered, the stem's ReLU or max pooling or both not among them. Functions leave no number, so
    /// that such names do not tell a stem with pooling from one without.
    pub(super) fn hides_pooling(self) -> bool {
        self.first_stage.is_some_and(|number| number < FIRST_STAGES[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Naming = Naming { first_stage: None, shortcut: false };

    #[test]
    fn children_are_numbered_as_sequential_numbers_them() {
        let sequential = |first_stage, shortcut| Naming { first_stage: Some(first_stage), shortcut };
        // [conv1, bn1, relu, maxpool, layer1, .., layer4, avgpool]
        assert_eq!(sequential(4, false).translate("layer4.2.bn3.bias"), "7.2.bn3.bias");
        // [conv1, bn1, relu, layer1, .., layer4, avgpool]
        assert_eq!(sequential(3, false).translate("layer1.0.conv1.weight"), "3.0.conv1.weight");
        // [conv1, bn1, layer1, .., layer4]
        assert_eq!(sequential(2, true).translate("layer2.0.downsample.1.running_var"), "3.0.shortcut.1.running_var");
        assert_eq!(sequential(4, false).translate("bn1.weight"), "1.weight");
        assert_eq!(PLAIN.translate("layer1.0.conv1.weight"), "layer1.0.conv1.weight");
        assert_eq!(sequential(4, false).translate("stages.0.units.0.conv.weight"), "stages.0.units.0.conv.weight");
    }

    #[test]
    fn torchvisions_names_come_first_and_none_twice() {
        let all: Vec<Naming> = Naming::all().collect();
        assert_eq!((all.len(), all[0]), (8, PLAIN));
        assert!(all.iter().enumerate().all(|(place, naming)| !all[..place].contains(naming)));
        assert_eq!(all.iter().filter(|naming| naming.hides_pooling()).count(), 4);
    }
}
