//! Two-dimensional convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::{Init, WeightInit};
use crate::kernel::{self, ConvGeometry};

/// Convolution layer: `y[n, o] = sum_i x[n, i] * w[o, i] (+ b[o])`, cross-correlated over rows and columns
/// ([`kernel::convolve`]).
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in / groups, k, k]`, as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// `[out]`; none before a batch norm, which would cancel a bias.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
    #[module(skip)]
    dilation: usize,
    #[module(skip)]
    groups: usize,
}

impl Conv2d {
    /// Convolution with a square kernel and without bias, drawn from U(-b, b) with b = 1 / sqrt(fan in), PyTorch's default.
    pub fn init(channels: [usize; 2], kernel: usize, stride: usize, padding: usize, init: &mut Init) -> Self {
        let [input, output] = channels;
        let bound = 1.0 / ((input * kernel * kernel) as f64).sqrt();
        let weight = init.uniform([output, input, kernel, kernel], bound);
        Self { weight, bias: None, stride, padding, dilation: 1, groups: 1 }
    }

    /// Redraws the kernel from N(0, 2 / (k^2 out)) (He et al. 2015, with fan out), as RotNet's code does.
    pub fn he_fan_out(mut self, init: &mut Init) -> Self {
        let [output, _, height, width] = self.weight.dims();
        let std = (2.0 / (height * width * output) as f64).sqrt();
        self.weight = init.normal(self.weight.dims(), std);
        self
    }

    /// Redraws the kernel by another initialisation.
    pub fn redrawn(mut self, start: WeightInit, init: &mut Init) -> Self {
        let [_, input, height, width] = self.weight.dims();
        self.weight = start.draw(self.weight.dims(), input * height * width, init);
        self
    }

    /// With a bias of 0.
    pub fn with_bias(mut self, init: &mut Init) -> Self {
        let [output, ..] = self.weight.dims();
        self.bias = Some(init.constant([output], 0.0));
        self
    }

    /// With dilation: the points of the kernel lie `dilation` pixels apart (Yu and Koltun 2016). A 3x3 kernel of dilation 2 covers
    /// 5x5 pixels and needs padding 2 to keep the size.
    pub fn with_dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// As a grouped convolution: outputs of a group read the inputs of that group only, as AlexNet's two GPUs did (Krizhevsky et
    /// al. 2012). Redraws the kernel as [`Conv2d::init`] does.
    ///
    /// # Panics
    /// If `groups` does not divide both numbers of channels.
    pub fn in_groups(mut self, groups: usize, init: &mut Init) -> Self {
        let [output, input, height, width] = self.weight.dims();
        assert!(input % groups == 0 && output % groups == 0, "conv2d: {groups} groups must divide the channels");
        let bound = 1.0 / ((input / groups * height * width) as f64).sqrt();
        self.weight = init.uniform([output, input / groups, height, width], bound);
        Self { groups, ..self }
    }

    /// `[n, in, h, w]` -> `[n, out, h', w']`, `h' = (h + 2 padding - d (k - 1) - 1) / stride + 1` with dilation d.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        kernel::convolve(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.geometry())
    }

    /// Stride, padding, dilation and groups.
    pub fn geometry(&self) -> ConvGeometry {
        let Self { stride, padding, dilation, groups, .. } = *self;
        ConvGeometry { stride, padding, dilation, groups }
    }

    /// Output channels.
    pub fn channels(&self) -> usize {
        self.weight.dims()[0]
    }

    /// Rows (or columns) of the output, for an input with `side` of them; 0 if the kernel does not fit.
    pub fn side(&self, side: usize) -> usize {
        let [_, _, kernel, _] = self.weight.dims();
        let reach = self.dilation * (kernel - 1) + 1;
        (side + 2 * self.padding).checked_sub(reach).map_or(0, |room| room / self.stride + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream, uniform};
    use burn::tensor::{Device, TensorData};

    /// Batch size, input and output channels, rows and columns, kernel, stride, padding.
    struct Case(usize, [usize; 2], usize, usize, usize, usize);

    const CASES: [Case; 13] = [
        Case(2, [1, 3], 6, 3, 1, 1),
        Case(2, [3, 2], 7, 3, 2, 1),
        Case(1, [2, 2], 9, 5, 1, 2),
        Case(2, [3, 4], 5, 1, 1, 0),
        Case(2, [3, 4], 5, 1, 2, 0),
        Case(1, [2, 3], 6, 2, 2, 0),
        // more images than a block of the im2col matrix holds
        Case(70, [9, 2], 4, 3, 1, 1),
        // enough channels for Winograd's transforms: tiles over the edge, more images than a block, paddings 0 and 2
        Case(3, [9, 8], 7, 3, 1, 1),
        Case(70, [8, 10], 4, 3, 1, 1),
        Case(2, [8, 8], 7, 3, 1, 0),
        Case(2, [8, 8], 3, 3, 1, 2),
        // more channels than any processor has SIMD lanes
        Case(2, [17, 18], 3, 3, 1, 1),
        // a filter larger than the image
        Case(2, [1, 2], 1, 5, 1, 2),
    ];

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    /// The definition as a loop over single products, in double precision.
    fn slowly(case: &Case, x: &[f32], w: &[f32]) -> Vec<f64> {
        let &Case(n, [input, output], side, kernel, stride, padding) = case;
        let out = (side + 2 * padding - kernel) / stride + 1;
        let mut y = vec![0.0; n * output * out * out];
        for (index, y) in y.iter_mut().enumerate() {
            let image = index / (output * out * out);
            let o = index / (out * out) % output;
            let row = index / out % out;
            let column = index % out;
            for i in 0..input {
                for (r, c) in (0..kernel).flat_map(|r| (0..kernel).map(move |c| (r, c))) {
                    let down = row * stride + r;
                    let across = column * stride + c;
                    if (padding..side + padding).contains(&down) && (padding..side + padding).contains(&across) {
                        let pixel = x[((image * input + i) * side + down - padding) * side + across - padding];
                        *y += f64::from(pixel) * f64::from(w[((o * input + i) * kernel + r) * kernel + c]);
                    }
                }
            }
        }
        y
    }

    fn build(case: &Case, device: &Device) -> Conv2d {
        let &Case(_, channels, _, kernel, stride, padding) = case;
        Conv2d::init(channels, kernel, stride, padding, &mut Init::new(stream(1, Purpose::Weights, 0), device))
    }

    fn input(case: &Case) -> (Vec<f32>, TensorData) {
        let &Case(n, [channels, _], side, ..) = case;
        let x = uniform(&mut stream(2, Purpose::Views, 0), n * channels * side * side, -1.0, 1.0);
        (x.clone(), TensorData::new(x, [n, channels, side, side]))
    }

    #[test]
    fn forward_agrees_with_a_slow_loop_on_every_device() {
        for (number, case) in CASES.iter().enumerate() {
            let (x, data) = input(case);
            let plain = build(case, &Device::flex());
            let expected = slowly(case, &x, &values(plain.weight.val()));
            let tracking = Device::flex().autodiff();
            let outputs = [
                plain.forward(Tensor::from_data(data.clone(), &Device::flex())),
                build(case, &tracking).forward(Tensor::from_data(data.clone(), &tracking)),
                build(case, &tracking).forward(Tensor::from_data(data, &tracking).require_grad()),
            ];
            for (index, found) in outputs.into_iter().enumerate() {
                for (found, expected) in values(found).into_iter().zip(&expected) {
                    assert!(
                        (f64::from(found) - expected).abs() < 1e-5,
                        "case {number}, output {index}: {found} is not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        for (number, case) in CASES.iter().enumerate() {
            let device = Device::flex().autodiff();
            let (x, data) = input(case);
            let conv = build(case, &device);
            let w = values(conv.weight.val());
            let g = uniform(&mut stream(3, Purpose::Views, 0), slowly(case, &x, &w).len(), -1.0, 1.0);
            let loss =
                |x: &[f32], w: &[f32]| slowly(case, x, w).iter().zip(&g).map(|(y, g)| y * f64::from(*g)).sum::<f64>();
            for tracked in [false, true] {
                let leaf = Tensor::<4>::from_data(data.clone(), &device);
                let leaf = if tracked { leaf.require_grad() } else { leaf };
                let y = conv.forward(leaf.clone());
                let weights = Tensor::<4>::from_data(TensorData::new(g.clone(), y.dims()), &device);
                let gradients = (y * weights).sum().backward();
                let found = values(conv.weight.val().grad(&gradients).expect("a gradient"));
                let shifted = |index: usize, by: f32| {
                    let mut moved = w.clone();
                    moved[index] += by;
                    loss(&x, &moved)
                };
                for (index, found) in found.into_iter().enumerate() {
                    let expected = (shifted(index, 0.5) - shifted(index, -0.5)) / 1.0;
                    assert!(
                        (f64::from(found) - expected).abs() < 1e-4,
                        "case {number}, weight {index}: {found} is not {expected}"
                    );
                }
                if tracked {
                    let found = values(leaf.grad(&gradients).expect("a gradient"));
                    for (index, found) in found.into_iter().enumerate().step_by(7) {
                        let mut moved = [x.clone(), x.clone()];
                        moved[0][index] += 0.5;
                        moved[1][index] -= 0.5;
                        let expected = loss(&moved[0], &w) - loss(&moved[1], &w);
                        assert!(
                            (f64::from(found) - expected).abs() < 1e-4,
                            "case {number}, pixel {index}: {found} is not {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_group_reads_its_own_channels_only() {
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex());
        for kernel in [1, 3] {
            let conv = Conv2d::init([4, 6], kernel, 1, kernel / 2, &mut init).in_groups(2, &mut init);
            assert_eq!(conv.weight.dims(), [6, 2, kernel, kernel]);
            let x = Tensor::<4>::random([1, 4, 5, 5], burn::tensor::Distribution::Default, &Device::flex());
            let other = x.clone().slice_assign([0..1, 2..4, 0..5, 0..5], Tensor::zeros([1, 2, 5, 5], &Device::flex()));
            let [y, z] = [x, other].map(|x| conv.forward(x));
            assert_eq!(y.clone().narrow(1, 0, 3).into_data(), z.clone().narrow(1, 0, 3).into_data());
            assert_ne!(y.narrow(1, 3, 3).into_data(), z.narrow(1, 3, 3).into_data());
        }
    }

    #[test]
    fn side_predicts_the_size_of_the_output() {
        let mut init = Init::new(stream(1, Purpose::Weights, 0), &Device::flex());
        for (kernel, stride, padding, side) in [(11, 4, 5, 96), (11, 2, 0, 64), (5, 1, 2, 7), (3, 2, 1, 10)] {
            let conv = Conv2d::init([1, 2], kernel, stride, padding, &mut init);
            let map = conv.forward(Tensor::zeros([1, 1, side, side], &Device::flex()));
            assert_eq!(map.dims(), [1, conv.channels(), conv.side(side), conv.side(side)]);
        }
        assert_eq!(Conv2d::init([1, 2], 11, 2, 0, &mut init).side(8), 0);
    }
}
