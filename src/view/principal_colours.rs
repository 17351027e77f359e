//! Contrast along the principal components of an image's colours (Exemplar-CNN).

use burn::tensor::{Device, Tensor, TensorData};

/// Number of Jacobi sweeps over the three pairs of axes; a symmetric 3x3 matrix is diagonal to single precision after four.
const ROUNDS: usize = 4;
/// Added to a divisor, so that 0 / 0 is 0.
const TINY: f64 = 1e-20;

/// Scales each image's colours along their principal components: `m + sum_k f_k v_k v_k^T (x - m)` with m the mean pixel and v_k the
/// unit eigenvectors of the covariance of all pixels, the largest eigenvalue first. For images of one channel only the first
/// factor counts.
///
/// `images`: `[n, c, h, w]`, c = 1 or 3; `factors`: three for each image -> the same shape, not clipped to 0 to 1. Dosovitskiy et al.
/// 2014, section 2.1 (their "contrast 1").
pub fn scale_principal_colours(images: Tensor<4>, factors: &[[f32; 3]]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(factors.len(), n, "scale_principal_colours: three factors per image");
    if factors.iter().all(|own| *own == [1.0; 3]) {
        return images;
    }
    let device = images.device();
    let x = images.reshape([n, c, h * w]);
    let mean = x.clone().mean_dim(2); // [n, c, 1]
    let centred = x - mean.clone();
    let scaled = if c == 1 {
        centred * factor(factors, 0, &device).unsqueeze_dim::<3>(2)
    } else {
        let covariance = centred.clone().matmul(centred.clone().swap_dims(1, 2)) / (h * w) as f64; // [n, 3, 3]
        matrix(eigen(&covariance), factors, &device).matmul(centred)
    };
    (scaled + mean).reshape([n, c, h, w])
}

/// Factor `index` of each image: `[n, 1]`.
fn factor(factors: &[[f32; 3]], index: usize, device: &Device) -> Tensor<2> {
    let numbers: Vec<f32> = factors.iter().map(|own| own[index]).collect();
    Tensor::from_data(TensorData::new(numbers, [factors.len(), 1]), device)
}

/// `sum_k f_k v_k v_k^T` with factors assigned in order of decreasing eigenvalues: `[n, 3, 3]`.
fn matrix(pairs: [Eigenpair; 3], factors: &[[f32; 3]], device: &Device) -> Tensor<3> {
    let values = pairs.clone().map(|pair| pair.value);
    let each = pairs.into_iter().enumerate().map(|(index, Eigenpair { value, vector })| {
        // of equal eigenvalues the one with the smaller index comes first
        let larger = values.iter().enumerate().filter(|(other, _)| *other != index).map(|(other, theirs)| {
            let ahead = if other < index {
                theirs.clone().greater_equal(value.clone())
            } else {
                theirs.clone().greater(value.clone())
            };
            ahead.float()
        });
        let rank = larger.fold(value.zeros_like(), |sum, ahead| sum + ahead); // [n, 1]
        let own = (0..3).map(|k| factor(factors, k, device) * rank.clone().equal_elem(k as f32).float());
        let own = own.fold(value.zeros_like(), |sum, term| sum + term).unsqueeze_dim::<3>(2); // [n, 1, 1]
        let column = vector.unsqueeze_dim::<3>(2); // [n, 3, 1]
        column.clone().matmul(column.swap_dims(1, 2)) * own
    });
    each.reduce(|sum, term| sum + term).expect("there are three eigenvectors")
}

/// Eigenvalue `[n, 1]` and unit eigenvector `[n, 3]`.
#[derive(Clone)]
struct Eigenpair {
    value: Tensor<2>,
    vector: Tensor<2>,
}

/// Eigendecomposition of symmetric matrices `[n, 3, 3]` by Jacobi rotations, which need no special case for equal eigenvalues.
fn eigen(matrices: &Tensor<3>) -> [Eigenpair; 3] {
    let [n, ..] = matrices.dims();
    let entry = |i: usize, j: usize| matrices.clone().slice([0..n, i..i + 1, j..j + 1]).reshape([n, 1]);
    let mut diagonal = [0, 1, 2].map(|i| entry(i, i));
    // off[r] is the entry between the two axes other than r
    let mut off = [entry(1, 2), entry(0, 2), entry(0, 1)];
    let device = matrices.device();
    let unit = |axis: usize| {
        let entries: Vec<f32> = (0..3 * n).map(|index| f32::from(u8::from(index % 3 == axis))).collect();
        Tensor::<2>::from_data(TensorData::new(entries, [n, 3]), &device)
    };
    let mut vectors = [0, 1, 2].map(unit);
    for [p, q, r] in [[0, 1, 2], [0, 2, 1], [1, 2, 0]].repeat(ROUNDS) {
        let (t, c) = rotation(&diagonal[p], &diagonal[q], &off[r]);
        let s = t.clone() * c.clone();
        let moved = t * off[r].clone();
        diagonal[p] = diagonal[p].clone() - moved.clone();
        diagonal[q] = diagonal[q].clone() + moved;
        off[r] = off[r].zeros_like();
        // off[q] is between p and r, off[p] between q and r
        (off[q], off[p]) = rotated(&off[q], &off[p], &c, &s);
        (vectors[p], vectors[q]) = rotated(&vectors[p], &vectors[q], &c, &s);
    }
    let [v0, v1, v2] = vectors;
    let [d0, d1, d2] = diagonal;
    [(d0, v0), (d1, v1), (d2, v2)].map(|(value, vector)| Eigenpair { value, vector })
}

/// Tangent and cosine of the Jacobi rotation that makes the entry b between axes p and q 0: `t = 2 b sgn(h) / (|h| + sqrt(h^2 + 4
/// b^2))` with `h = a_qq - a_pp`.
fn rotation(app: &Tensor<2>, aqq: &Tensor<2>, b: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let h = aqq.clone() - app.clone();
    let sign = h.clone().greater_equal_elem(0.0).float() * 2.0 - 1.0;
    let root = (h.clone().square() + b.clone().square() * 4.0).sqrt();
    let t = b.clone() * sign * 2.0 / (h.abs() + root + TINY);
    let c = (t.clone().square() + 1.0).sqrt().recip();
    (t, c)
}

/// Rotated pair `(c x - s y, s x + c y)`.
fn rotated(x: &Tensor<2>, y: &Tensor<2>, c: &Tensor<2>, s: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let first = x.clone() * c.clone() - y.clone() * s.clone();
    let second = x.clone() * s.clone() + y.clone() * c.clone();
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    /// Pixels around (0.5, 0.5, 0.5) with principal components along (1, 1, 0), (0, 0, 1) and (1, -1, 0).
    fn along() -> Tensor<4> {
        let pixel = |index: usize| {
            let [u, v, w] = [[0.3, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.1]][index / 2];
            let sign = if index.is_multiple_of(2) { 1.0f32 } else { -1.0 };
            [0.5 + sign * (u + w), 0.5 + sign * (u - w), 0.5 + sign * v]
        };
        let planes: Vec<f32> = (0..3).flat_map(|channel| (0..6).map(move |index| pixel(index)[channel])).collect();
        Tensor::from_data(TensorData::new(planes, [1, 3, 2, 3]), &Device::flex())
    }

    #[test]
    fn each_component_has_its_own_factor_largest_first() {
        let y = values(scale_principal_colours(along(), &[[2.0, 0.5, 3.0]]));
        let pixel = |index: usize| [y[index], y[6 + index], y[12 + index]];
        assert_close(&pixel(0), &[1.1, 1.1, 0.5], 1e-5);
        assert_close(&pixel(2), &[0.5, 0.5, 0.6], 1e-5);
        assert_close(&pixel(4), &[0.8, 0.2, 0.5], 1e-5);
    }

    #[test]
    fn eigenvectors_satisfy_their_definition() {
        let x = Tensor::<4>::random([5, 3, 7, 7], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let centred = x.clone().reshape([5, 3, 49]) - x.reshape([5, 3, 49]).mean_dim(2);
        let covariance = centred.clone().matmul(centred.swap_dims(1, 2));
        for Eigenpair { value, vector } in eigen(&covariance) {
            let image = covariance.clone().matmul(vector.clone().unsqueeze_dim(2)).squeeze_dim::<2>(2);
            let wrong: f32 = (image - vector.clone() * value).abs().max().into_scalar();
            let length: f32 = (vector.square().sum_dim(1) - 1.0).abs().max().into_scalar();
            assert!(wrong < 1e-5 && length < 1e-5, "{wrong} {length}");
        }
    }

    #[test]
    fn factors_of_one_and_flat_images_change_nothing() {
        let x = Tensor::<4>::random([2, 3, 4, 4], Distribution::Uniform(0.0, 1.0), &Device::flex());
        assert_eq!(values(scale_principal_colours(x.clone(), &[[1.0; 3]; 2])), values(x.clone()));
        let beside = scale_principal_colours(x.clone(), &[[1.0; 3], [0.5, 2.0, 1.0]]);
        assert_close(&values(beside.narrow(0, 0, 1)), &values(x.clone().narrow(0, 0, 1)), 1e-5);
        let flat = Tensor::<4>::ones([1, 3, 4, 4], &Device::flex()) * 0.3;
        assert_close(&values(scale_principal_colours(flat.clone(), &[[2.0, 0.5, 1.5]])), &values(flat), 1e-6);
        // gray: all variance is in the first component
        let gray = x.slice([0..1, 0..1]);
        let three = scale_principal_colours(gray.clone().expand([1, 3, 4, 4]), &[[1.7, 0.5, 0.6]]);
        let one = scale_principal_colours(gray, &[[1.7, 0.5, 0.6]]);
        assert_close(&values(three.slice([0..1, 2..3])), &values(one), 1e-5);
    }
}
