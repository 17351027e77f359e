//! The graph of an ONNX model, built from an encoder's computation graph.

use std::collections::HashMap;

use super::protobuf::Message;
use crate::kernel::ConvGeometry;
use crate::net::Activation;
use crate::net::computation_graph::{Convolution, Node, Operation};
use crate::net::{Encoder, LRN_ALPHA, LRN_BETA, LRN_SIZE, Pool};

/// Types of elements and of attributes, as the format numbers them.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
const ATTRIBUTE_FLOAT: i64 = 1;
const ATTRIBUTE_INT: i64 = 2;
const ATTRIBUTE_INTS: i64 = 7;
/// Added to the variance in batch norm.
const EPSILON: f32 = 1e-5;
/// The name of the features, the first output.
const FEATURES: &str = "features";

/// A value of an attribute.
enum Attribute {
    Float(f32),
    Int(usize),
    Ints(Vec<usize>),
}

/// A graph under construction.
pub(super) struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// Shapes and bytes by name.
    state: HashMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Graph {
    /// The graph of an encoder with this state.
    pub(super) fn of(encoder: &Encoder, state: HashMap<String, (Vec<usize>, Vec<u8>)>, input: &str) -> Self {
        let mut graph = Self { nodes: Vec::new(), tensors: Vec::new(), inputs: Vec::new(), outputs: Vec::new(), state };
        graph.inputs.push(value(input, &["n", &encoder.channels().to_string(), "height", "width"]));
        let outline = encoder.computation_graph();
        let mut names = vec![graph.normalise(encoder, input)];
        for (index, step) in outline.nodes.iter().enumerate() {
            let layer = outline.layers.iter().find(|(_, value)| *value == index + 1);
            let name = layer.map_or_else(|| format!("value{}", index + 1), |(layer, _)| layer.clone());
            graph.step(step, &names, &name);
            names.push(name);
        }
        let last = names.last().expect("the input").clone();
        graph.node("GlobalAveragePool", &[&last], "mean", &[]);
        graph.node("Flatten", &["mean"], FEATURES, &[]);
        graph.outputs.push(value(FEATURES, &["n", &encoder.width().to_string()]));
        for (layer, _) in &outline.layers {
            let sizes = [format!("{layer}_channels"), format!("{layer}_height"), format!("{layer}_width")];
            graph.outputs.push(value(layer, &["n", &sizes[0], &sizes[1], &sizes[2]]));
        }
        graph
    }

    /// The graph as a message.
    pub(super) fn finish(self) -> Message {
        let mut graph = Message::default();
        self.nodes.iter().for_each(|node| graph.message(1, node));
        graph.text(2, "encoder");
        self.tensors.iter().for_each(|tensor| graph.message(5, tensor));
        self.inputs.iter().for_each(|input| graph.message(11, input));
        self.outputs.iter().for_each(|output| graph.message(12, output));
        graph
    }

    /// Normalises the input, `(x - mean) / std`; returns the result's name.
    fn normalise(&mut self, encoder: &Encoder, input: &str) -> String {
        let pixels = encoder.pixels();
        let mut name = input.to_string();
        for (operator, constant, neutral, values) in
            [("Sub", "input_mean", 0.0, &pixels.mean), ("Div", "input_std", 1.0, &pixels.std)]
        {
            if values.iter().any(|value| *value != neutral) {
                let floats: Vec<f32> = values.iter().map(|&value| value as f32).collect();
                self.floats(constant, &[1, floats.len(), 1, 1], &floats);
                let result = format!("{name}_{}", operator.to_lowercase());
                self.node(operator, &[&name, constant], &result, &[]);
                name = result;
            }
        }
        name
    }

    fn step(&mut self, step: &Node, names: &[String], output: &str) {
        let inputs: Vec<&str> = step.inputs.iter().map(|&index| names[index].as_str()).collect();
        match &step.operation {
            Operation::Conv(conv) => self.conv(conv, inputs[0], output),
            Operation::Norm { weight, bias, mean, variance } => {
                let channels = self.state[mean].0[0];
                let weight = weight.clone().map(|name| self.tensor(name));
                let bias = bias.clone().map(|name| self.tensor(name));
                let weight = weight.unwrap_or_else(|| self.constant(&format!("{output}_scale"), 1.0, channels));
                let bias = bias.unwrap_or_else(|| self.constant(&format!("{output}_shift"), 0.0, channels));
                let mean = self.tensor(mean.clone());
                let variance = self.tensor(variance.clone());
                let epsilon = [("epsilon", Attribute::Float(EPSILON))];
                self.node("BatchNormalization", &[inputs[0], &weight, &bias, &mean, &variance], output, &epsilon);
            }
            Operation::Activation(Activation::Relu) => self.node("Relu", &inputs, output, &[]),
            Operation::Activation(Activation::Leaky) => {
                self.node("LeakyRelu", &inputs, output, &[("alpha", Attribute::Float(Activation::SLOPE as f32))]);
            }
            Operation::Lrn => {
                let response = [
                    ("size", Attribute::Int(LRN_SIZE)),
                    ("alpha", Attribute::Float(LRN_ALPHA as f32)),
                    ("beta", Attribute::Float(LRN_BETA as f32)),
                ];
                self.node("LRN", &inputs, output, &response);
            }
            Operation::Pool(pool) => self.pool(*pool, inputs[0], output),
            Operation::Add => self.node("Add", &inputs, output, &[]),
            Operation::Slice { start, count } => {
                let limits = [("start", *start), ("end", start + count), ("axis", 1)];
                let limits = limits.map(|(word, number)| self.number(&format!("{output}_{word}"), number));
                self.node("Slice", &[inputs[0], &limits[0], &limits[1], &limits[2]], output, &[]);
            }
            Operation::Concat => self.node("Concat", &inputs, output, &[("axis", Attribute::Int(1))]),
        }
    }

    fn conv(&mut self, conv: &Convolution, input: &str, output: &str) {
        let Convolution { weight, bias, geometry } = conv;
        let ConvGeometry { stride, padding, dilation, groups } = *geometry;
        let attributes = [
            ("strides", Attribute::Ints(vec![stride; 2])),
            ("pads", Attribute::Ints(vec![padding; 4])),
            ("dilations", Attribute::Ints(vec![dilation; 2])),
            ("group", Attribute::Int(groups)),
        ];
        let weight = self.tensor(weight.clone());
        let bias = bias.clone().map(|bias| self.tensor(bias));
        let inputs: Vec<&str> = [input, &weight].into_iter().chain(bias.as_deref()).collect();
        self.node("Conv", &inputs, output, &attributes);
    }

    fn pool(&mut self, pool: Pool, input: &str, output: &str) {
        let (operator, kernel, stride, padding) = match pool {
            Pool::None => ("Identity", 0, 0, 0),
            Pool::Max2 => ("MaxPool", 2, 2, 0),
            Pool::Max3 => ("MaxPool", 3, 2, 1),
            Pool::Max3Valid | Pool::Max3Ceil => ("MaxPool", 3, 2, 0),
            Pool::Max3Same => ("MaxPool", 3, 1, 1),
            Pool::Avg3 => ("AveragePool", 3, 2, 1),
        };
        let mut attributes = vec![
            ("kernel_shape", Attribute::Ints(vec![kernel; 2])),
            ("strides", Attribute::Ints(vec![stride; 2])),
            ("pads", Attribute::Ints(vec![padding; 4])),
        ];
        match pool {
            Pool::None => attributes.clear(),
            Pool::Avg3 => attributes.push(("count_include_pad", Attribute::Int(1))),
            Pool::Max3Ceil => attributes.push(("ceil_mode", Attribute::Int(1))),
            _ => {}
        }
        self.node(operator, &[input], output, &attributes);
    }

    fn node(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        node.text(2, output);
        node.text(3, output);
        node.text(4, operator);
        attributes.iter().for_each(|(name, attribute)| node.message(5, &attribute.message(name)));
        self.nodes.push(node);
    }

    /// Adds a tensor of the encoder to the model; returns its name.
    fn tensor(&mut self, name: String) -> String {
        let (shape, bytes) = self.state.remove(&name).expect("an outline uses each tensor once");
        self.raw(&name, FLOAT, &shape, &bytes);
        name
    }

    fn constant(&mut self, name: &str, value: f32, count: usize) -> String {
        self.floats(name, &[count], &vec![value; count]);
        name.to_string()
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.raw(name, FLOAT, shape, &bytes);
    }

    fn number(&mut self, name: &str, value: usize) -> String {
        self.raw(name, INT64, &[1], &(value as i64).to_le_bytes());
        name.to_string()
    }

    fn raw(&mut self, name: &str, kind: i64, shape: &[usize], bytes: &[u8]) {
        let mut tensor = Message::default();
        shape.iter().for_each(|&dim| tensor.int(1, dim as i64));
        tensor.int(2, kind);
        tensor.text(8, name);
        tensor.bytes(9, bytes);
        self.tensors.push(tensor);
    }
}

impl Attribute {
    fn message(&self, name: &str) -> Message {
        let mut message = Message::default();
        message.text(1, name);
        match self {
            Attribute::Float(value) => {
                message.float(2, *value);
                message.int(20, ATTRIBUTE_FLOAT);
            }
            Attribute::Int(value) => {
                message.int(3, *value as i64);
                message.int(20, ATTRIBUTE_INT);
            }
            Attribute::Ints(values) => {
                values.iter().for_each(|&value| message.int(8, value as i64));
                message.int(20, ATTRIBUTE_INTS);
            }
        }
        message
    }
}

/// A named input or output of floats. A dimension is a number, or a name where every size is allowed.
fn value(name: &str, dims: &[&str]) -> Message {
    let mut shape = Message::default();
    for dim in dims {
        let mut dimension = Message::default();
        match dim.parse::<i64>() {
            Ok(number) => dimension.int(1, number),
            Err(_) => dimension.text(2, dim),
        }
        shape.message(1, &dimension);
    }
    let mut tensor = Message::default();
    let mut kind = Message::default();
    let mut info = Message::default();
    tensor.int(1, FLOAT);
    tensor.message(2, &shape);
    kind.message(1, &tensor);
    info.text(1, name);
    info.message(2, &kind);
    info
}
