//! Losses of classes and of pairs of embeddings. On a GPU the forward pass computes the gradient too.

use burn::backend::Dispatch;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use super::gpu::GpuKernels;
use super::is_gpu;

/// Least norm that a row is divided by.
pub(super) const SHORTEST: f32 = 1e-12;

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

/// L2 normalisation of rows, `x_i / max(|x_i|, 1e-12)`. Rows of zeros stay 0, with a finite gradient.
///
/// `[n, d]` -> `[n, d]`.
pub fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    if is_gpu(&x.device()) {
        return Tensor::from_dispatch(<Dispatch as GpuKernels>::unit_rows(x.into_dispatch()).0);
    }
    // clamped under the root, because the root's derivative at 0 is infinite
    let squares = x.clone().square().sum_dim(1).clamp_min(f64::from(SHORTEST).powi(2)); // [n, 1]
    x / squares.sqrt()
}

/// Negative mean cosine of the rows of p and of the constant z: `-mean_i p_i . z_i / (|p_i| |z_i|)`, norms of at least 1e-12.
///
/// `p`, `z`: `[n, d]` -> `[1]`, with a gradient with respect to p only.
pub fn negative_cosine(p: Tensor<2>, z: Tensor<2>) -> Tensor<1> {
    let z = z.detach();
    if is_gpu(&p.device()) {
        let (loss, _) = <Dispatch as GpuKernels>::negative_cosine(p.into_dispatch(), z.into_dispatch());
        return Tensor::from_dispatch(loss);
    }
    (unit_rows(p) * unit_rows(z)).sum_dim(1).mean().neg()
}

/// Loss of Barlow Twins and the cross-correlation matrix it is computed from.
#[derive(Clone, Debug)]
pub struct CrossCorrelation {
    /// Loss to minimise: `[1]`.
    pub loss: Tensor<1>,
    /// Mean of the matrix's diagonal, without gradient: `[1]`. 1 if each feature agrees between the views.
    pub diagonal: Tensor<1>,
    /// Cross-correlation matrix, rows from the first view and columns from the second, without gradient: `[d, d]`.
    pub correlation: Tensor<2>,
}

/// Barlow Twins' loss: `scale (sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2)` with `C = a^T b / n`, the columns of a and b first
/// brought to mean 0 and (biased) variance 1, `epsilon` added to the variance.
///
/// `a`, `b`: `[n, d]`.
pub fn cross_correlation(a: Tensor<2>, b: Tensor<2>, [lambda, scale, epsilon]: [f64; 3]) -> CrossCorrelation {
    let [n, _] = a.dims();
    if is_gpu(&a.device()) {
        let [a, b] = [a, b].map(|x| <Dispatch as GpuKernels>::standardise(x.into_dispatch(), epsilon as f32).0);
        let products = <Dispatch as GpuKernels>::column_products(a, b);
        let (loss, diagonal, correlation, _) =
            <Dispatch as GpuKernels>::redundancy(products, n as f32, lambda as f32, scale as f32);
        let (loss, diagonal) = (Tensor::from_dispatch(loss), Tensor::from_dispatch(diagonal));
        return CrossCorrelation { loss, diagonal, correlation: Tensor::from_dispatch(correlation) };
    }
    let [a, b] = [a, b].map(|x| standardised(x, epsilon));
    // the diagonal is computed on its own, without a d x d mask: d may be 8192
    let own = (a.clone() * b.clone()).mean_dim(0); // [1, d]
    let correlation = a.transpose().matmul(b) / n as f64;
    let off_diagonal = correlation.clone().square().sum() - own.clone().square().sum();
    let loss = ((own.clone() - 1.0).square().sum() + off_diagonal * lambda) * scale;
    CrossCorrelation { loss, diagonal: own.detach().mean(), correlation: correlation.detach() }
}

/// `(x - mean) / sqrt(var + epsilon)` of each column, with its biased variance: `[n, d]` -> `[n, d]`.
fn standardised(x: Tensor<2>, epsilon: f64) -> Tensor<2> {
    let x = x.clone() - x.mean_dim(0);
    let variance = x.clone().square().mean_dim(0); // [1, d]
    x / (variance + epsilon).sqrt()
}
