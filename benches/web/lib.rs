//! A small network of nolabel's layers on the browser's GPU, for the comparison with other libraries that `make bench-web` makes.
//!
//! The page in `page/` draws weights and images, so that every library trains the same network on the same batches.

#![cfg(target_family = "wasm")]

use std::collections::HashMap;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nolabel::device::{self, DeviceChoice};
use nolabel::loss::cross_entropy;
use nolabel::net::tensors::{gather, scatter};
use nolabel::net::{Conv2d, Init, Linear, Pool};
use nolabel::optim::{Optimizer, OptimizerConfig};
use nolabel::rng::{Purpose, stream};
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Rows (and columns) of an image.
const SIDE: usize = 28;
/// Channels of both convolutions, width of the hidden layer, number of classes.
const WIDTHS: [usize; 4] = [32, 64, 128, 4];
/// Learning rate of Adam.
const RATE: f64 = 1e-3;

/// Two convolutions, each with ReLU and 2x2 max pooling, and two fully connected layers.
#[derive(Module, Debug)]
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    hidden: Linear,
    output: Linear,
}

impl Net {
    fn init(init: &mut Init) -> Self {
        let [first, second, hidden, classes] = WIDTHS;
        let conv = |channels, init: &mut Init| Conv2d::init(channels, 3, 1, 1, init).with_bias(init);
        let pixels = (SIDE / 4).pow(2);
        Self {
            conv1: conv([1, first], init),
            conv2: conv([first, second], init),
            hidden: Linear::init(second * pixels, hidden, true, init),
            output: Linear::init(hidden, classes, true, init),
        }
    }

    /// `[n, 1, 28, 28]` -> logits `[n, 4]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = Pool::Max2.after_relu(self.conv1.forward(x));
        let x = Pool::Max2.after_relu(self.conv2.forward(x));
        let x = relu(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

/// Runs when the program is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    nolabel::platform::run_constructors();
}

/// The network with its optimiser and its batches.
#[wasm_bindgen]
pub struct Training {
    /// None only while a step updates it in place.
    net: Option<Net>,
    optimizer: Optimizer,
    device: Device,
    batches: Vec<(Tensor<4>, Tensor<1, Int>)>,
    loss: Option<Tensor<1>>,
    steps: usize,
}

#[wasm_bindgen]
impl Training {
    /// Tests the browser's GPU and puts the network on it. `weights`: those of the four layers in order, of each its weights, `[out, in]`
    /// for the fully connected ones, and then its bias.
    ///
    /// # Errors
    /// If there is no usable GPU, or the weights are not as many as the network has.
    pub async fn open(weights: Vec<f32>) -> Result<Training, JsError> {
        let selected = device::select(DeviceChoice::Gpu(None)).await?;
        let device = selected.device.autodiff();
        let net = Net::init(&mut Init::new(stream(1, Purpose::Weights, 0), &device));
        let mut rest = weights.as_slice();
        let mut values = HashMap::new();
        for tensor in gather(&net) {
            let count = tensor.shape.iter().product();
            let (own, others) =
                rest.split_at_checked(count).ok_or_else(|| JsError::new("there are too few weights"))?;
            values.insert(tensor.name, TensorData::new(own.to_vec(), tensor.shape));
            rest = others;
        }
        if !rest.is_empty() {
            return Err(JsError::new("there are too many weights"));
        }
        let net = scatter(net, &mut values)?;
        let optimizer = Optimizer::new(OptimizerConfig::adam(RATE, 0.0), Vec::new());
        Ok(Self { net: Some(net), optimizer, device, batches: Vec::new(), loss: None, steps: 0 })
    }

    /// Puts a batch on the GPU: images `[n, 28, 28]` and a class for each.
    ///
    /// # Errors
    /// If the images are not as many as the classes.
    pub fn add_batch(&mut self, images: Vec<f32>, classes: Vec<i32>) -> Result<(), JsError> {
        let n = classes.len();
        if images.len() != n * SIDE * SIDE {
            return Err(JsError::new("every image has a class"));
        }
        let images = Tensor::from_data(TensorData::new(images, [n, 1, SIDE, SIDE]), &self.device);
        let classes = Tensor::from_data(TensorData::new(classes, [n]), &self.device);
        self.batches.push((images, classes));
        Ok(())
    }

    /// Trains one step, on the batches in turn.
    ///
    /// # Errors
    /// If an earlier step did not end.
    pub fn step(&mut self) -> Result<(), JsError> {
        let net = self.net.take().ok_or_else(|| JsError::new("an earlier step did not end"))?;
        let (images, classes) = self.batches[self.steps % self.batches.len()].clone();
        let loss = cross_entropy(net.forward(images), classes);
        self.loss = Some(loss.clone().inner());
        self.optimizer.collect(&net, &mut loss.backward());
        self.net = Some(self.optimizer.step(net, RATE, self.steps));
        self.steps += 1;
        Ok(())
    }

    /// Loss of the last step.
    ///
    /// # Errors
    /// If no step was trained, or the GPU is lost.
    pub async fn read_loss(&self) -> Result<f32, JsError> {
        let loss = self.loss.clone().ok_or_else(|| JsError::new("no step was trained"))?;
        Ok(loss.into_data_async().await?.iter::<f32>().next().unwrap_or(f32::NAN))
    }

    /// Waits for the last update of the weights.
    ///
    /// # Errors
    /// If the GPU is lost.
    pub async fn finish(&self) -> Result<(), JsError> {
        if let Some(net) = &self.net {
            net.output.weight.val().inner().into_data_async().await?;
        }
        Ok(())
    }
}
