//! Kernels of our own for the layers in which training spends its time: `cpu` for Burn's CPU backend, `gpu` for its GPU backend.
//! The functions here choose by device. Where no kernel of ours serves a shape, Burn's operation does.

mod cpu;
mod gpu;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::activation::log_softmax;
use burn::tensor::module::{BatchNormTrainOutput, adaptive_avg_pool2d, batch_norm_train, conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor};

use self::cpu::CpuKernels;
use self::gpu::{GpuKernels, PlainGpuKernels};

/// Stride, padding, dilation and groups of a convolution, the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Pixels from one position of the filter to the next.
    pub stride: usize,
    /// Zero pixels added on each side of the image.
    pub padding: usize,
    /// Pixels from one point of the filter to the next.
    pub dilation: usize,
    /// Groups of channels: outputs of a group read the inputs of that group only.
    pub groups: usize,
}

impl ConvGeometry {
    /// A 1x1 convolution, which is a linear layer for each pixel.
    pub const POINTWISE: Self = Self { stride: 1, padding: 0, dilation: 1, groups: 1 };

    /// Rows (or columns) of the output, for an input of `side` and a filter of `kernel` of them.
    fn output_side(&self, side: usize, kernel: usize) -> usize {
        (side + 2 * self.padding - self.dilation * (kernel - 1) - 1) / self.stride + 1
    }
}

/// Configuration of a unit: convolution, batch norm, and optionally ReLU and 2x2 max pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitConfig {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Norm groups: row i of the batch is normalised with the rows of group i mod `groups`.
    pub groups: usize,
    /// Views, a divisor of `groups`: row i shows view i mod `views`, and the running statistics move once for each view in turn.
    pub views: usize,
    /// ReLU after the norm.
    pub relu: bool,
    /// Rows (and columns) of the windows of max pooling: 1 (no pooling) or 2.
    pub pool: usize,
    /// Added to the variance under the root.
    pub epsilon: f32,
    /// Weight of a batch in the running statistics.
    pub momentum: f32,
}

/// Parameters of a batch norm, `[c]` each.
#[derive(Clone, Debug)]
pub struct NormTensors {
    /// Scale.
    pub scale: Tensor<1>,
    /// Shift.
    pub shift: Tensor<1>,
    /// Running mean.
    pub running_mean: Tensor<1>,
    /// Running variance.
    pub running_var: Tensor<1>,
}

/// One parameter's step of Adam or AdamW, with g the gradient and w the weight: `g += decay w`, `m = beta1 m + (1 - beta1) g`,
/// `v = beta2 v + (1 - beta2) g^2`, `w = keep w - rate m / (root sqrt(v) + epsilon)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate over the bias correction of m.
    pub rate: f32,
    /// One over the root of the bias correction of v.
    pub root: f32,
    /// Factor of the weight: 1 less the decoupled weight decay.
    pub keep: f32,
    /// Weight decay in the gradient.
    pub decay: f32,
    /// Factor of m.
    pub beta1: f32,
    /// Factor of v.
    pub beta2: f32,
    /// Added to the root of v.
    pub epsilon: f32,
}

/// Parameters of a window in [`view`]: first row, first column, rows, columns, and 1 if the result is mirrored.
pub const WINDOW_NUMBERS: usize = 5;
/// Parameters of a colour step in [`view`]: factors of the pixel, of its gray, of the mean pixel's gray and of the mean pixel,
/// a summand, 1 if the result is clipped to 0 to 1, turns of the hue, and the least brightness that is inverted.
pub const STEP_NUMBERS: usize = 8;

/// Configuration of [`view`].
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct ViewConfig {
    /// Rows and columns of the view.
    pub size: [usize; 2],
    /// Bicubic interpolation instead of bilinear.
    pub bicubic: bool,
    /// Colour steps.
    pub steps: usize,
}

impl ViewConfig {
    /// Parameters of an image.
    pub const fn numbers(&self) -> usize {
        WINDOW_NUMBERS + self.steps * STEP_NUMBERS
    }
}

/// One parameter's step of SGD with momentum: `g += decay w; b = momentum b + g; w -= lr b`, with Nesterov's momentum
/// `w -= lr (momentum b + g)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f32,
    /// Weight decay.
    pub decay: f32,
    /// Factor of the momentum.
    pub momentum: f32,
    /// Nesterov's momentum.
    pub nesterov: bool,
}

/// Tensors of one parameter in a step of SGD.
#[derive(Clone, Debug)]
pub struct SgdTensors {
    /// Weights, of any rank.
    pub weights: AnyRank,
    /// Gradient, flattened.
    pub gradient: Tensor<1>,
    /// Momentum buffer b, flattened.
    pub momentum: Tensor<1>,
}

/// Tensor whose rank only its owner knows. Reshaping to a common rank and back would copy each tensor on a GPU.
#[derive(Clone, Debug)]
pub struct AnyRank(FloatTensor<Dispatch>);

impl AnyRank {
    /// Hides the rank.
    pub fn of<const D: usize>(x: Tensor<D>) -> Self {
        Self(x.into_dispatch())
    }

    /// The tensor again; D must be its rank.
    pub fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_dispatch(self.0)
    }
}

/// True for the CPU backend.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

/// True for a GPU, with or without autodiff.
pub fn is_gpu(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_))
}

/// Convolution: `y[n, o, p] = sum_i,q w[o, i, q] x[n, i, s p + d q - z] (+ bias[o])` over the channels i of o's group and the points q
/// of the filter, with stride s, dilation d and padding z.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in / groups, k, k']`, `bias`: `[out]` -> `[n, out, h', w']`,
/// `h' = (h + 2 z - d (k - 1) - 1) / s + 1`.
///
/// # Panics
/// If the filter is larger than the padded image.
pub fn convolve(x: Tensor<4>, w: Tensor<4>, bias: Option<Tensor<1>>, geometry: ConvGeometry) -> Tensor<4> {
    let device = x.device();
    if is_gpu(&device) && geometry.groups == 1 {
        let (x, w) = (x.into_dispatch(), w.into_dispatch());
        return Tensor::from_dispatch(match bias {
            Some(bias) => <Dispatch as GpuKernels>::convolution_with_bias(x, w, bias.into_dispatch(), geometry),
            None => <Dispatch as GpuKernels>::convolution(x, w, geometry),
        });
    }
    if !is_cpu(&device) {
        let ConvGeometry { stride, padding, dilation, groups } = geometry;
        return conv2d(x, w, bias, ConvOptions::new([stride; 2], [padding; 2], [dilation; 2], groups));
    }
    let y = <Dispatch as CpuKernels>::convolution(x.into_dispatch(), w.into_dispatch(), geometry);
    let y = Tensor::<4>::from_dispatch(y);
    match bias {
        Some(bias) => y + bias.reshape([1, -1, 1, 1]),
        None => y,
    }
}

/// Linear layer: `y = x w^T (+ bias)`. `[n, in]`, `[out, in]`, `[out]` -> `[n, out]`.
pub fn linear(x: Tensor<2>, w: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if is_gpu(&x.device()) {
        let [rows, _] = x.dims();
        let [output, _] = w.dims();
        return convolve(pixels(x), pixels(w), bias, ConvGeometry::POINTWISE).reshape([rows, output]);
    }
    let y = x.matmul(w.transpose());
    match bias {
        Some(bias) => y + bias.unsqueeze_dim(0),
        None => y,
    }
}

/// Rows as maps of one pixel: `[n, c]` -> `[n, c, 1, 1]`.
pub fn pixels(x: Tensor<2>) -> Tensor<4> {
    let [rows, columns] = x.dims();
    x.reshape([rows, columns, 1, 1])
}

/// Max pooling over 2x2 windows with stride 2: `y[n, c, i, j] = max_{a,b in 0..2} x[n, c, 2 i + a, 2 j + b]`. A last odd row or
/// column is dropped. The gradient goes to the maximum, on the CPU to the first one where several pixels tie.
///
/// `[n, c, h, w]` -> `[n, c, h / 2, w / 2]`.
pub fn max_pool_2x2(x: Tensor<4>) -> Tensor<4> {
    if !is_cpu(&x.device()) {
        return max_pool2d(x, MaxPoolOptions::new([2, 2]));
    }
    Tensor::from_dispatch(<Dispatch as CpuKernels>::max_pool_2x2(x.into_dispatch()))
}

/// Mean over all pixels: `[n, c, h, w]` -> `[n, c]`.
pub fn mean_pool(x: Tensor<4>) -> Tensor<2> {
    if is_gpu(&x.device()) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::mean_pool(x.into_dispatch()));
    }
    adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
}

/// Batch normalisation in training mode: `y = (x - mean) / sqrt(var + epsilon) * scale + shift` with each channel's mean and
/// biased variance over the batch. The gradient of `y` includes the dependence of both statistics on x; the returned statistics
/// carry no gradient.
///
/// `[n, c, s]`, `[c]`, `[c]` -> `y`: `[n, c, s]`, the batch means and the biased variances: `[c]`.
pub fn batch_norm(x: Tensor<3>, scale: Tensor<1>, shift: Tensor<1>, epsilon: f64) -> BatchNormTrainOutput<3> {
    if !is_cpu(&x.device()) {
        return batch_norm_train(x, scale, shift, epsilon);
    }
    let [_, channels, _] = x.dims();
    let moments = <Dispatch as CpuKernels>::moments(x.clone().into_dispatch());
    let scale = scale.into_dispatch();
    let shift = shift.into_dispatch();
    let y = <Dispatch as CpuKernels>::normalised(x.into_dispatch(), scale, shift, moments.clone(), epsilon);
    let moments = Tensor::<2>::from_dispatch(moments);
    let [mean, variance] = [0, 1].map(|row| moments.clone().narrow(0, row, 1).reshape([channels]));
    BatchNormTrainOutput { output: Tensor::from_dispatch(y), mean, variance }
}

/// True if [`unit()`] runs on this device: a GPU with autodiff, and a convolution without groups of channels.
pub fn has_unit(device: &Device, geometry: ConvGeometry) -> bool {
    device.is_autodiff() && is_gpu(device) && geometry.groups == 1
}

/// Unit in training mode: `y = pool(relu(batch norm(x * w)))`, as [`convolve`], [`batch_norm`] and [`max_pool_2x2`] in a row, and the new
/// running statistics: for each view in turn `r + momentum (s - r)`, with s the mean over its norm groups of the means and of the
/// unbiased variances.
///
/// `x`: `[n, in, h, w]`, `w`: `[out, in, k, k']` -> `[n, out, h' / pool, w' / pool]`, `[out]`, `[out]`.
///
/// # Panics
/// If [`has_unit`] is false.
pub fn unit(x: Tensor<4>, w: Tensor<4>, norm: NormTensors, config: UnitConfig) -> (Tensor<4>, [Tensor<1>; 2]) {
    let (y, _, _, mean, var) = <Dispatch as GpuKernels>::unit(
        x.into_dispatch(),
        w.into_dispatch(),
        norm.scale.into_dispatch(),
        norm.shift.into_dispatch(),
        norm.running_mean.into_dispatch(),
        norm.running_var.into_dispatch(),
        config,
    );
    (Tensor::from_dispatch(y), [mean, var].map(Tensor::from_dispatch))
}

/// Softmax cross-entropy `-mean_i log softmax(z_i)[y_i]`, in nats.
///
/// `logits` z: `[n, k]`; `labels` y: `[n]`, each below k -> `[1]`.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    if is_gpu(&logits.device()) {
        let (loss, _) = <Dispatch as GpuKernels>::cross_entropy(logits.into_dispatch(), labels.into_dispatch());
        return Tensor::from_dispatch(loss);
    }
    log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1)).mean().neg()
}

/// Share of rows whose largest logit is at the label. A row whose label is among m equal largest logits counts 1/m; logits within
/// `rounding` times the largest are equal to it.
///
/// `logits`: `[n, k]`; `labels`: `[n]`, each below k -> `[1]`, without gradient; `None` if the device has no kernel for it.
pub fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>, rounding: f64) -> Option<Tensor<1>> {
    is_gpu(&logits.device()).then(|| {
        let (logits, labels) = (logits.into_dispatch(), labels.into_dispatch());
        Tensor::from_dispatch(<Dispatch as GpuKernels>::accuracy(logits, labels, rounding as f32))
    })
}

/// Negative mean cosine of the rows of p and of the constant z: `-mean_i p_i . z_i / (|p_i| |z_i|)`, norms of at least 1e-12.
///
/// `p`, `z`: `[n, d]` -> `[1]`, with a gradient with respect to p only; `None` if the device has no kernel for it.
pub fn negative_cosine(p: Tensor<2>, z: Tensor<2>) -> Option<Tensor<1>> {
    is_gpu(&p.device()).then(|| {
        let (loss, _) = <Dispatch as GpuKernels>::negative_cosine(p.into_dispatch(), z.detach().into_dispatch());
        Tensor::from_dispatch(loss)
    })
}

/// Results of [`redundancy`].
#[derive(Clone, Debug)]
pub struct Redundancy {
    /// Loss `[1]`.
    pub loss: Tensor<1>,
    /// Mean of the correlations of each feature with itself `[1]`, without gradient.
    pub diagonal: Tensor<1>,
    /// Cross-correlation `[d, d]`, without gradient.
    pub correlation: Tensor<2>,
}

/// Barlow Twins' loss: `scale (sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2)` with `C = a^T b / n`, the columns of a and b
/// first standardised to mean 0 and (biased) variance 1, with `epsilon` added to the variance.
///
/// `a`, `b`: `[n, d]`; `None` if the device has no kernel for it.
pub fn redundancy(a: Tensor<2>, b: Tensor<2>, [lambda, scale, epsilon]: [f64; 3]) -> Option<Redundancy> {
    if !is_gpu(&a.device()) {
        return None;
    }
    let [n, _] = a.dims();
    let [a, b] = [a, b].map(|x| <Dispatch as GpuKernels>::standardise(x.into_dispatch(), epsilon as f32).0);
    let products = <Dispatch as GpuKernels>::column_products(a, b);
    let (loss, diagonal, correlation, _) =
        <Dispatch as GpuKernels>::redundancy(products, n as f32, lambda as f32, scale as f32);
    let (loss, diagonal) = (Tensor::from_dispatch(loss), Tensor::from_dispatch(diagonal));
    Some(Redundancy { loss, diagonal, correlation: Tensor::from_dispatch(correlation) })
}

/// Views of a batch on the GPU, in one launch: crops a window out of each image, resizes it with antialiasing, and applies
/// colour steps in order, each with parameters of its own for every image.
///
/// `images`: `[n, c, h, w]` in 0 to 1, c = 1 or 3; `numbers`: `[n, p]`, [`WINDOW_NUMBERS`] and then [`STEP_NUMBERS`] for each step
/// -> `[n, c, h', w']`, without gradient.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn view(images: Tensor<4>, numbers: Tensor<2>, config: ViewConfig) -> Tensor<4> {
    let [_, width] = numbers.dims();
    assert_eq!(width, config.numbers(), "view: {} numbers an image", config.numbers());
    Tensor::from_dispatch(<Dispatch as GpuKernels>::view(images.into_dispatch(), numbers.into_dispatch(), config))
}

/// Rows of two batches in turn, without gradient: `[n, c, h, w]` twice -> `[2n, c, h, w]`, the first of both, then the second of
/// both, and so on.
pub fn alternate(one: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = one.dims();
    assert_eq!(other.dims(), one.dims(), "alternate: both batches must have one shape");
    if is_gpu(&one.device()) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::alternate(one.into_dispatch(), other.into_dispatch()));
    }
    Tensor::stack::<5>(vec![one, other], 1).reshape([2 * n, c, h, w])
}

/// All four quarter turns of square images, on the GPU: `[n, c, s, s]` -> `[4n, c, s, s]`, without gradient, the n images at 0 degrees
/// first, then those turned counter-clockwise by 90, 180 and 270 degrees.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn quarter_turns(images: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as GpuKernels>::quarter_turns(images.into_dispatch()))
}

/// A step of SGD for each parameter, on the GPU, two parameters per launch: returns the new weights and momentum buffers in the
/// same order. Tensors to which nothing else refers are updated in place.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn sgd(parameters: Vec<(SgdTensors, SgdStep)>) -> Vec<(AnyRank, Tensor<1>)> {
    let mut updated = Vec::with_capacity(parameters.len());
    let mut rest = parameters.into_iter();
    let parts = |SgdTensors { weights, gradient, momentum }: SgdTensors| {
        (weights.0, gradient.into_dispatch(), momentum.into_dispatch())
    };
    let whole = |w, b| (AnyRank(w), Tensor::from_dispatch(b));
    while let Some((one, step)) = rest.next() {
        let (w1, g1, b1) = parts(one);
        let Some((other, other_step)) = rest.next() else {
            let (w1, b1) = <Dispatch as PlainGpuKernels>::sgd(w1, g1, b1, step);
            updated.push(whole(w1, b1));
            break;
        };
        let (w2, g2, b2) = parts(other);
        let (w1, b1, w2, b2) = <Dispatch as PlainGpuKernels>::sgd_pair(w1, g1, b1, w2, g2, b2, [step, other_step]);
        updated.extend([whole(w1, b1), whole(w2, b2)]);
    }
    updated
}

/// A step of Adam or AdamW for one parameter, on the GPU: returns the new weights and the new moments m and v. Tensors to which nothing
/// else refers are updated in place.
///
/// # Panics
/// If [`is_gpu`] is false.
pub fn adam(
    weights: AnyRank,
    gradient: Tensor<1>,
    moments: [Tensor<1>; 2],
    step: AdamStep,
) -> (AnyRank, [Tensor<1>; 2]) {
    let [m, v] = moments.map(Tensor::into_dispatch);
    let (w, m, v) = <Dispatch as PlainGpuKernels>::adam(weights.0, gradient.into_dispatch(), m, v, step);
    (AnyRank(w), [m, v].map(Tensor::from_dispatch))
}
