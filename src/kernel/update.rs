//! Steps of optimisers and momentum encoders on a GPU, in place where nothing else refers to the tensors.

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

use super::gpu::PlainGpuKernels;

/// Momentum b in an update of the weights w by the gradient g.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum MomentumRule {
    /// `b = momentum b + g; w -= lr b`.
    Plain,
    /// `b = momentum b + g; w -= lr (momentum b + g)`.
    Nesterov,
    /// `b = momentum b + lr g; w -= b`.
    RateInside,
}

/// One parameter's step of SGD with momentum, with `g += decay w` before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f32,
    /// Weight decay.
    pub decay: f32,
    /// Factor of the momentum.
    pub momentum: f32,
    /// Momentum.
    pub rule: MomentumRule,
}

/// Trust ratio of a step of [`lars`], from the norms of a parameter's weights w and gradient g. If either is zero, the ratio is 1.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum TrustRule {
    /// `trust |w| / |g + decay w|`.
    Lars,
    /// The same, with [`MomentumRule::RateInside`].
    LarsRateInside,
    /// `trust |w| / (|g| + decay |w| + epsilon)`; without a ratio no weight decay.
    Larc,
    /// As `Larc`, divided by the learning rate and at most 1.
    LarcLimited,
}

impl TrustRule {
    /// True for LARC's ratio.
    pub(super) fn is_larc(self) -> bool {
        matches!(self, TrustRule::Larc | TrustRule::LarcLimited)
    }

    /// True if the ratio is divided by the learning rate and limited to 1.
    pub(super) fn is_limited(self) -> bool {
        self == TrustRule::LarcLimited
    }

    /// Momentum of the update.
    pub fn momentum(self) -> MomentumRule {
        if self == TrustRule::LarsRateInside { MomentumRule::RateInside } else { MomentumRule::Plain }
    }
}

/// One parameter's step of LARS or LARC: `g = ratio (g + decay w)`, then momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LarsStep {
    /// Learning rate.
    pub lr: f32,
    /// Weight decay.
    pub decay: f32,
    /// Factor of the momentum.
    pub momentum: f32,
    /// Factor of the ratio.
    pub trust: f32,
    /// Added to the denominator of LARC's ratio.
    pub epsilon: f32,
    /// Ratio and momentum.
    pub rule: TrustRule,
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

/// A step of SGD for each parameter, on the GPU, two parameters per launch: returns the new weights and momentum buffers in the
/// same order. Tensors to which nothing else refers are updated in place.
///
/// # Panics
/// If [`is_gpu`](super::is_gpu) is false.
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

/// A step of LARS or LARC on a GPU, in place where nothing else refers to the tensors. Returns weights and momentum.
pub fn lars(tensors: SgdTensors, step: LarsStep) -> (AnyRank, Tensor<1>) {
    let SgdTensors { weights, gradient, momentum } = tensors;
    let (gradient, momentum) = (gradient.into_dispatch(), momentum.into_dispatch());
    let (w, b) = <Dispatch as PlainGpuKernels>::lars(weights.0, gradient, momentum, step);
    (AnyRank(w), Tensor::from_dispatch(b))
}

/// A step of Adam or AdamW for one parameter, on the GPU: returns the new weights and the new moments m and v. Tensors to which nothing
/// else refers are updated in place.
///
/// # Panics
/// If [`is_gpu`](super::is_gpu) is false.
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

/// Exponential moving averages on a GPU: `m target + (1 - m) source` for each pair, in place where nothing else refers to the target.
pub fn ema(pairs: Vec<(AnyRank, AnyRank)>, m: f32) -> Vec<AnyRank> {
    let mut moved = Vec::with_capacity(pairs.len());
    let mut rest = pairs.into_iter().map(|(target, source)| (target.0, source.0));
    while let Some((target1, source1)) = rest.next() {
        let others = [rest.next(), rest.next()];
        if let [Some((target2, source2)), Some((target3, source3))] = others {
            let (one, two, three) =
                <Dispatch as PlainGpuKernels>::ema_of_three(target1, source1, target2, source2, target3, source3, m);
            moved.extend([one, two, three].map(AnyRank));
        } else {
            for (target, source) in [(target1, source1)].into_iter().chain(others.into_iter().flatten()) {
                moved.push(AnyRank(<Dispatch as PlainGpuKernels>::ema(target, source, m)));
            }
        }
    }
    moved
}
