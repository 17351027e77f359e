//! What each architecture computes, written down.

use super::{Body, Encoder, GAP};
use crate::net::computation_graph::{Operation, Outline, Writer};

impl Encoder {
    /// What it computes of what [`Input::read`](super::Input::read) reads, once it is normalised.
    pub fn outline(&self) -> Outline {
        let mut to = Writer::new(self.state_ids());
        match &self.second {
            None => _ = self.body.outline(0, &mut to),
            Some(second) => self.outline_halves(second, &mut to),
        }
        to.finish(self.layer_names().into_iter().filter(|name| name != GAP).collect())
    }

    fn outline_halves(&self, second: &Body, to: &mut Writer) {
        let mut half = |body: &Body, start: usize, count: usize| {
            let x = to.step(Operation::Channels { start, count }, vec![0]);
            body.outline(x, to);
            to.take_layers()
        };
        let first = half(&self.body, 0, self.first);
        let second = half(second, self.first, self.last);
        for (one, other) in first.into_iter().zip(second) {
            let both = to.step(Operation::Join, vec![one, other]);
            to.layer(both);
        }
    }
}

impl Body {
    fn outline(&self, x: usize, to: &mut Writer) -> usize {
        match self {
            Body::Staged(body) => body.outline(x, to),
            Body::Residual(body) => body.outline(x, to),
            Body::Chained(body) => body.outline(x, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::computation_graph::Convolution;
    use crate::net::encoder::tests::{KINDS, build, lived_in};
    use crate::net::{EncoderConfig, Input, local_response, tensors};
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Distribution, Tensor, TensorData};
    use std::collections::{BTreeSet, HashMap};

    fn configs() -> Vec<EncoderConfig> {
        let plain = KINDS.map(|kind| EncoderConfig { width: 4, ..EncoderConfig::published(kind, "fashion-mnist") });
        let halves = EncoderConfig::small(4).reading(Input::Bands, &[0.5, 0.0], &[0.25, 0.1]);
        plain.into_iter().chain([halves]).collect()
    }

    /// The values of all steps, by another way than the encoder's own.
    fn computed(outline: &Outline, state: &HashMap<String, TensorData>, x: Tensor<4>) -> Vec<Tensor<4>> {
        fn named<const D: usize>(state: &HashMap<String, TensorData>, name: &str) -> Tensor<D> {
            Tensor::from_data(state[name].clone(), &Device::flex())
        }
        let wide = |name: &str| named::<1>(state, name).reshape([1, -1, 1, 1]);
        let mut values = vec![x];
        for step in &outline.steps {
            let x = values[step.inputs[0]].clone();
            values.push(match &step.operation {
                Operation::Conv(Convolution { weight, bias, stride, padding, dilation, groups }) => {
                    let options = ConvOptions::new([*stride; 2], [*padding; 2], [*dilation; 2], *groups);
                    conv2d(x, named(state, weight), bias.as_ref().map(|bias| named(state, bias)), options)
                }
                Operation::Norm { weight, bias, mean, variance } => {
                    let y = (x - wide(mean)) / (wide(variance) + 1e-5).sqrt();
                    let y = weight.iter().fold(y, |y, weight| y * wide(weight));
                    bias.iter().fold(y, |y, bias| y + wide(bias))
                }
                Operation::Activation(activation) => activation.forward(x),
                Operation::Pool(pool) => pool.forward(x),
                Operation::Response => local_response(x),
                Operation::Add => x + values[step.inputs[1]].clone(),
                Operation::Channels { start, count } => x.narrow(1, *start, *count),
                Operation::Join => Tensor::cat(vec![x, values[step.inputs[1]].clone()], 1),
            });
        }
        values
    }

    #[test]
    fn an_outline_computes_what_the_encoder_does() {
        for config in configs() {
            let (encoder, kind) = (lived_in(&config, 1), config.kind);
            let x = Tensor::<4>::random([2, 1, 64, 64], Distribution::Uniform(0.0, 1.0), &Device::flex());
            let read = tensors::read(encoder.state());
            let state = futures_lite::future::block_on(read).expect("flex reads").into_iter().collect();
            let outline = encoder.outline();
            let values = computed(&outline, &state, encoder.pixels().normalise(config.input.read(x.clone())));
            let maps = encoder.maps(x);
            assert_eq!(maps.len(), outline.layers.len(), "{kind:?}");
            for ((name, value), map) in outline.layers.iter().zip(maps) {
                let largest: f32 = map.clone().abs().max().into_scalar();
                let apart: f32 = (values[*value].clone() - map).abs().max().into_scalar();
                assert!(apart < 1e-5 * largest.max(1.0), "{kind:?}: {name} differs by {apart} of {largest}");
                assert!(encoder.layer_names().contains(name), "{kind:?}: {name}");
            }
        }
    }

    #[test]
    fn every_tensor_is_used_once() {
        for config in configs() {
            let encoder = build(&config, 1, &Device::flex());
            let used: Vec<String> = encoder.outline().steps.iter().flat_map(|step| step.operation.tensors()).collect();
            let there: BTreeSet<String> = encoder.state().into_iter().map(|named| named.name).collect();
            assert_eq!(used.len(), there.len(), "{:?}", config.kind);
            assert_eq!(used.into_iter().collect::<BTreeSet<_>>(), there, "{:?}", config.kind);
        }
    }
}
