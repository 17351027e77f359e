//! Computation graphs of encoders.

use super::{Body, Encoder, GAP};
use crate::net::computation_graph::{ComputationGraph, GraphBuilder, Operation};

impl Encoder {
    /// Operations on the output of [`Input::read`](super::Input::read) after normalisation, up to the last map.
    pub fn computation_graph(&self) -> ComputationGraph {
        let mut to = GraphBuilder::new(self.state_ids());
        match &self.second {
            None => _ = self.body.trace(0, &mut to),
            Some(second) => self.trace_halves(second, &mut to),
        }
        to.finish(self.layer_names().into_iter().filter(|name| name != GAP).collect())
    }

    fn trace_halves(&self, second: &Body, to: &mut GraphBuilder) {
        let mut half = |body: &Body, start: usize, count: usize| {
            let x = to.push(Operation::Slice { start, count }, vec![0]);
            body.trace(x, to);
            to.take_layers()
        };
        let first = half(&self.body, 0, self.first);
        let second = half(second, self.first, self.last);
        for (one, other) in first.into_iter().zip(second) {
            let both = to.push(Operation::Concat, vec![one, other]);
            to.layer(both);
        }
    }
}

impl Body {
    fn trace(&self, x: usize, to: &mut GraphBuilder) -> usize {
        match self {
            Body::Staged(body) => body.trace(x, to),
            Body::Residual(body) => body.trace(x, to),
            Body::Chained(body) => body.trace(x, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::ConvGeometry;
    use crate::net::computation_graph::Convolution;
    use crate::net::encoder::tests::{KINDS, build, with_random_vectors};
    use crate::net::{EncoderConfig, Input, local_response_norm, tensors};
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Distribution, Tensor, TensorData};
    use std::collections::{BTreeSet, HashMap};

    fn configs() -> Vec<EncoderConfig> {
        let plain = KINDS.map(|kind| EncoderConfig { width: 4, ..EncoderConfig::published(kind, "fashion-mnist") });
        let halves = EncoderConfig::small(4).reading(Input::Bands, &[0.5, 0.0], &[0.25, 0.1]);
        plain.into_iter().chain([halves]).collect()
    }

    /// Values of all nodes, computed by Burn's own operations.
    fn computed(graph: &ComputationGraph, state: &HashMap<String, TensorData>, x: Tensor<4>) -> Vec<Tensor<4>> {
        fn named<const D: usize>(state: &HashMap<String, TensorData>, name: &str) -> Tensor<D> {
            Tensor::from_data(state[name].clone(), &Device::flex())
        }
        let wide = |name: &str| named::<1>(state, name).reshape([1, -1, 1, 1]);
        let mut values = vec![x];
        for node in &graph.nodes {
            let x = values[node.inputs[0]].clone();
            values.push(match &node.operation {
                Operation::Conv(Convolution { weight, bias, geometry }) => {
                    let ConvGeometry { stride, padding, dilation, groups } = *geometry;
                    let options = ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups);
                    conv2d(x, named(state, weight), bias.as_ref().map(|bias| named(state, bias)), options)
                }
                Operation::Norm { weight, bias, mean, variance } => {
                    let y = (x - wide(mean)) / (wide(variance) + 1e-5).sqrt();
                    let y = weight.iter().fold(y, |y, weight| y * wide(weight));
                    bias.iter().fold(y, |y, bias| y + wide(bias))
                }
                Operation::Activation(activation) => activation.forward(x),
                Operation::Pool(pool) => pool.forward(x),
                Operation::Lrn => local_response_norm(x),
                Operation::Add => x + values[node.inputs[1]].clone(),
                Operation::Slice { start, count } => x.narrow(1, *start, *count),
                Operation::Concat => Tensor::cat(vec![x, values[node.inputs[1]].clone()], 1),
            });
        }
        values
    }

    #[test]
    fn the_graph_computes_the_encoders_maps() {
        for config in configs() {
            let encoder = with_random_vectors(&config, 1);
            let kind = config.kind;
            let x = Tensor::<4>::random([2, 1, 64, 64], Distribution::Uniform(0.0, 1.0), &Device::flex());
            let read = tensors::read(encoder.state());
            let state = futures_lite::future::block_on(read).expect("flex reads").into_iter().collect();
            let graph = encoder.computation_graph();
            let values = computed(&graph, &state, encoder.pixels().normalise(config.input.read(x.clone())));
            let maps = encoder.maps(x);
            assert_eq!(maps.len(), graph.layers.len(), "{kind:?}");
            for ((name, value), map) in graph.layers.iter().zip(maps) {
                let largest: f32 = map.clone().abs().max().into_scalar();
                let apart: f32 = (values[*value].clone() - map).abs().max().into_scalar();
                assert!(apart < 1e-5 * largest.max(1.0), "{kind:?}: {name} differs by {apart} of {largest}");
                assert!(encoder.layer_names().contains(name), "{kind:?}: {name}");
            }
        }
    }

    #[test]
    fn the_graph_uses_every_tensor_once() {
        for config in configs() {
            let encoder = build(&config, 1, &Device::flex());
            let used: Vec<String> =
                encoder.computation_graph().nodes.iter().flat_map(|node| node.operation.tensors()).collect();
            let there: BTreeSet<String> = encoder.state().into_iter().map(|named| named.name).collect();
            assert_eq!(used.len(), there.len(), "{:?}", config.kind);
            assert_eq!(used.into_iter().collect::<BTreeSet<_>>(), there, "{:?}", config.kind);
        }
    }
}
