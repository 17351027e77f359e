//! Cosine similarity and the two losses without negatives (SimSiam, BYOL).

use burn::tensor::Tensor;

use crate::kernel;

pub use crate::kernel::unit_rows;

/// Cosine similarity of each row of `a` with the same row of `b`: `[n, d]`, `[n, d]` -> `[n, 1]`.
pub fn cosines(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    assert_eq!(a.dims(), b.dims(), "cosines: b must match a");
    (unit_rows(a) * unit_rows(b)).sum_dim(1)
}

/// Similarities of each row of `a` with its positive in `b` (first column) and with all negatives: `[l2(a_i) . l2(b_i),
/// l2(a_i) . c_1, ..., l2(a_i) . c_k]`.
///
/// `a`, `b`: `[n, d]`; `negatives` c: `[k, d]`, not normalised here (a queue or a bank holds unit rows) -> `[n, 1 + k]`.
pub(super) fn similarities(a: Tensor<2>, b: Tensor<2>, negatives: Tensor<2>) -> Tensor<2> {
    let a = unit_rows(a);
    let own = (a.clone() * unit_rows(b)).sum_dim(1); // [n, 1]
    Tensor::cat(vec![own, kernel::linear(a, negatives, None)], 1)
}

/// Negative cosine similarity, one half of SimSiam's loss: `D(p, z) = -mean_i l2(p_i) . l2(sg z_i)`, in -1 to 1.
///
/// With `stop_gradient`, z is a constant (`sg`). Without it both sides move towards each other and all embeddings collapse into
/// one point, which is the paper's main finding. The whole loss is `D(p1, z2) / 2 + D(p2, z1) / 2`, where `p1 = h(z1)` is the
/// prediction from the z that does get a gradient.
///
/// `p`, `z`: `[n, d]` -> `[1]`. Chen and He 2021, equations 1 and 3.
pub fn negative_cosine(p: Tensor<2>, z: Tensor<2>, stop_gradient: bool) -> Tensor<1> {
    if !stop_gradient {
        return cosines(p, z).mean().neg();
    }
    kernel::negative_cosine(p, z)
}

/// Squared distance of unit vectors, one direction of BYOL's loss: `mean_i |l2(q_i) - l2(sg z_i)|^2 = mean_i (2 - 2 cos(q_i,
/// z_i))`, in 0 to 4.
///
/// The whole loss is the sum, not the mean, of both directions. `stop_gradient` as in [`negative_cosine`].
///
/// `q` (online prediction), `z` (target projection): `[n, d]` -> `[1]`. Grill et al. 2020, equation 2.
pub fn cosine_regression(q: Tensor<2>, z: Tensor<2>, stop_gradient: bool) -> Tensor<1> {
    negative_cosine(q, z, stop_gradient) * 2.0 + 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::test_support::{Rows, cosine, differences_agree, gradient, number, table, tensor};
    use burn::tensor::Device;

    fn slowly(p: &Rows, z: &Rows) -> f64 {
        -p.iter().zip(z).map(|(p, z)| cosine(p, z)).sum::<f64>() / p.len() as f64
    }

    fn pair(device: &Device) -> (Tensor<2>, Tensor<2>) {
        (tensor(&table(4, 3, 0.0), device), tensor(&table(4, 3, 0.5), device))
    }

    #[test]
    fn golden_values() {
        let (a, b) = pair(&Device::flex());
        let each: Vec<f32> = cosines(a.clone(), b.clone()).into_data().try_to_vec().expect("floats");
        for (found, expected) in each.iter().zip([0.808_554, 0.885_688, 0.935_932, 0.885_613]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
        let simsiam =
            negative_cosine(a.clone(), b.clone(), true) * 0.5 + negative_cosine(a.clone(), b.clone(), true) * 0.5;
        assert!((number(simsiam) + 0.878_947).abs() < 1e-5);
        assert!((number(cosine_regression(a, b, true)) - 0.242_107).abs() < 1e-5);
    }

    #[test]
    fn closed_forms() {
        let (a, b) = pair(&Device::flex());
        let loss = |p: &Tensor<2>, z: &Tensor<2>| number(negative_cosine(p.clone(), z.clone(), true));
        assert!((loss(&a, &a) + 1.0).abs() < 1e-6, "equal directions");
        assert!((loss(&a, &a.clone().neg()) - 1.0).abs() < 1e-6, "opposite directions");
        assert!((loss(&a, &(b.clone() * 7.0)) - loss(&a, &b)).abs() < 1e-6, "the loss ignores length");
        let regression = |p: &Tensor<2>, z: &Tensor<2>| number(cosine_regression(p.clone(), z.clone(), true));
        assert!(regression(&a, &a).abs() < 1e-6 && (regression(&a, &a.clone().neg()) - 4.0).abs() < 1e-6);
        let apart = (unit_rows(a.clone()) - unit_rows(b.clone())).square().sum_dim(1).mean();
        assert!((number(apart) - regression(&a, &b)).abs() < 1e-6, "both forms of the formula agree");
    }

    #[test]
    fn the_loss_and_its_gradient_agree_with_a_slow_loop() {
        let device = Device::flex().autodiff();
        let [p, z] = [0.0, 0.5].map(|s| table(4, 3, s));
        let leaf = tensor(&p, &device).require_grad();
        let loss = negative_cosine(leaf.clone(), tensor(&z, &device), true);
        assert!((number(loss.clone()) - slowly(&p, &z)).abs() < 1e-6);
        differences_agree(&p, &gradient(&leaf, loss), |p| slowly(p, &z));
    }

    #[test]
    fn only_the_stop_keeps_gradients_from_the_target() {
        let device = Device::flex().autodiff();
        for loss in [negative_cosine, cosine_regression] {
            let max_gradient = |stop| {
                let (p, z) = pair(&device);
                let p = p.require_grad();
                let z = z.require_grad();
                let gradients = loss(p.clone(), z.clone(), stop).backward();
                assert!(p.grad(&gradients).is_some(), "the prediction always gets a gradient");
                z.grad(&gradients).map(|g| number(g.abs().max()))
            };
            assert!(max_gradient(true).is_none_or(|size| size == 0.0));
            assert!(max_gradient(false).is_some_and(|size| size > 1e-3));
        }
    }

    #[test]
    fn a_row_of_zeros_stays_zero_with_a_finite_gradient() {
        let device = Device::flex().autodiff();
        let x = Tensor::<2>::from_floats([[0.0, 0.0], [3.0, 4.0]], &device).require_grad();
        let y = unit_rows(x.clone());
        assert_eq!(y.to_data().try_to_vec::<f32>().expect("floats"), [0.0, 0.0, 0.6, 0.8]);
        let slopes = x.grad(&y.slice([1..2, 0..2]).sum().backward()).expect("a gradient");
        assert!(slopes.into_data().try_to_vec::<f32>().expect("floats").iter().all(|slope| slope.is_finite()));
    }
}
