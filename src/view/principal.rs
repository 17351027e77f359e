//! Contrast along the principal directions of an image's own colours.

use burn::tensor::{Device, Tensor, TensorData};

/// Rounds through the three pairs of axes; a symmetric 3x3 matrix is diagonal to single precision after four.
const ROUNDS: usize = 4;
/// Keeps quotients of two zeros at 0.
const NOTHING: f64 = 1e-20;

/// Scales the colours of each image along the principal directions of its pixels: `m + sum_k f_k v_k v_k^T (x - m)` with m
/// the mean pixel and v_k the unit eigenvectors of the covariance of all pixels, that of the largest eigenvalue first. An
/// image of one channel has one direction, for which the first factor counts.
///
/// `images`: `[n, c, h, w]`, c = 1 or 3; three factors an image -> the same shape, not cut to 0 to 1. Dosovitskiy et al.
/// 2014, section 2.1 (their first contrast).
pub fn stretch(images: Tensor<4>, factors: &[[f32; 3]]) -> Tensor<4> {
    let [n, c, h, w] = images.dims();
    assert_eq!(factors.len(), n, "stretch: three factors an image");
    if factors.iter().all(|own| *own == [1.0; 3]) {
        return images;
    }
    let device = images.device();
    let x = images.reshape([n, c, h * w]);
    let mean = x.clone().mean_dim(2); // [n, c, 1]
    let centred = x - mean.clone();
    let stretched = if c == 1 {
        centred * factor(factors, 0, &device).unsqueeze_dim::<3>(2)
    } else {
        let covariance = centred.clone().matmul(centred.clone().swap_dims(1, 2)) / (h * w) as f64; // [n, 3, 3]
        matrix(directions(&covariance), factors, &device).matmul(centred)
    };
    (stretched + mean).reshape([n, c, h, w])
}

/// `[n, 1]`.
fn factor(factors: &[[f32; 3]], index: usize, device: &Device) -> Tensor<2> {
    let numbers: Vec<f32> = factors.iter().map(|own| own[index]).collect();
    Tensor::from_data(TensorData::new(numbers, [factors.len(), 1]), device)
}

/// `sum_k f_k v_k v_k^T`, the factors given out by the size of the eigenvalues: `[n, 3, 3]`.
fn matrix(directions: [Direction; 3], factors: &[[f32; 3]], device: &Device) -> Tensor<3> {
    let values = directions.clone().map(|direction| direction.value);
    let each = directions.into_iter().enumerate().map(|(index, Direction { value, vector })| {
        // of two equal ones that with the smaller number comes first
        let larger = values.iter().enumerate().filter(|(other, _)| *other != index).map(|(other, theirs)| {
            let ahead = if other < index {
                theirs.clone().greater_equal(value.clone())
            } else {
                theirs.clone().greater(value.clone())
            };
            ahead.float()
        });
        let rank = larger.fold(value.zeros_like(), |sum, ahead| sum + ahead); // [n, 1]
        let own = (0..3).map(|place| factor(factors, place, device) * rank.clone().equal_elem(place as f32).float());
        let own = own.fold(value.zeros_like(), |sum, part| sum + part).unsqueeze_dim::<3>(2); // [n, 1, 1]
        let column = vector.unsqueeze_dim::<3>(2); // [n, 3, 1]
        column.clone().matmul(column.swap_dims(1, 2)) * own
    });
    each.reduce(|sum, part| sum + part).expect("there are three directions")
}

/// An eigenvalue `[n, 1]` with its unit vector `[n, 3]`.
#[derive(Clone)]
struct Direction {
    value: Tensor<2>,
    vector: Tensor<2>,
}

/// The eigenvectors of symmetric matrices by Jacobi's rotations, which need no case for equal eigenvalues: `[n, 3, 3]`.
fn directions(matrices: &Tensor<3>) -> [Direction; 3] {
    let [n, ..] = matrices.dims();
    let entry = |i: usize, j: usize| matrices.clone().slice([0..n, i..i + 1, j..j + 1]).reshape([n, 1]);
    let mut diagonal = [0, 1, 2].map(|i| entry(i, i));
    // off[r] stands between the two axes other than r
    let mut off = [entry(1, 2), entry(0, 2), entry(0, 1)];
    let device = matrices.device();
    let unit = |axis: usize| {
        let numbers: Vec<f32> = (0..3 * n).map(|place| f32::from(u8::from(place % 3 == axis))).collect();
        Tensor::<2>::from_data(TensorData::new(numbers, [n, 3]), &device)
    };
    let mut vectors = [0, 1, 2].map(unit);
    for [p, q, r] in [[0, 1, 2], [0, 2, 1], [1, 2, 0]].repeat(ROUNDS) {
        let (t, c) = turn(&diagonal[p], &diagonal[q], &off[r]);
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
    [(d0, v0), (d1, v1), (d2, v2)].map(|(value, vector)| Direction { value, vector })
}

/// Tangent and cosine of the angle that makes the entry between two axes 0: `t = 2 b sgn(h) / (|h| + sqrt(h^2 + 4 b^2))` with
/// `h = a_qq - a_pp`, b the entry.
fn turn(app: &Tensor<2>, aqq: &Tensor<2>, b: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let h = aqq.clone() - app.clone();
    let sign = h.clone().greater_equal_elem(0.0).float() * 2.0 - 1.0;
    let root = (h.clone().square() + b.clone().square() * 4.0).sqrt();
    let t = b.clone() * sign * 2.0 / (h.abs() + root + NOTHING);
    let c = (t.clone().square() + 1.0).sqrt().recip();
    (t, c)
}

/// `(c x - s y, s x + c y)`.
fn rotated(x: &Tensor<2>, y: &Tensor<2>, c: &Tensor<2>, s: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let (x, y, c, s) = (x.clone(), y.clone(), c.clone(), s.clone());
    (x.clone() * c.clone() - y.clone() * s.clone(), x * s + y * c)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, values};
    use super::*;
    use burn::tensor::Distribution;

    /// Pixels around (0.5, 0.5, 0.5) that lie along (1, 1, 0) most, along (0, 0, 1) less, along (1, -1, 0) least.
    fn along() -> Tensor<4> {
        let pixel = |place: usize| {
            let [u, v, w] = [[0.3, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.1]][place / 2];
            let sign = if place.is_multiple_of(2) { 1.0f32 } else { -1.0 };
            [0.5 + sign * (u + w), 0.5 + sign * (u - w), 0.5 + sign * v]
        };
        let planes: Vec<f32> = (0..3).flat_map(|channel| (0..6).map(move |place| pixel(place)[channel])).collect();
        Tensor::from_data(TensorData::new(planes, [1, 3, 2, 3]), &Device::flex())
    }

    #[test]
    fn each_direction_has_its_own_factor_largest_first() {
        let y = values(stretch(along(), &[[2.0, 0.5, 3.0]]));
        let pixel = |place: usize| [y[place], y[6 + place], y[12 + place]];
        assert_close(&pixel(0), &[1.1, 1.1, 0.5], 1e-5);
        assert_close(&pixel(2), &[0.5, 0.5, 0.6], 1e-5);
        assert_close(&pixel(4), &[0.8, 0.2, 0.5], 1e-5);
    }

    #[test]
    fn the_directions_are_eigenvectors() {
        let x = Tensor::<4>::random([5, 3, 7, 7], Distribution::Uniform(0.0, 1.0), &Device::flex());
        let centred = x.clone().reshape([5, 3, 49]) - x.reshape([5, 3, 49]).mean_dim(2);
        let covariance = centred.clone().matmul(centred.swap_dims(1, 2));
        for Direction { value, vector } in directions(&covariance) {
            let image = covariance.clone().matmul(vector.clone().unsqueeze_dim(2)).squeeze_dim::<2>(2);
            let wrong: f32 = (image - vector.clone() * value).abs().max().into_scalar();
            let length: f32 = (vector.square().sum_dim(1) - 1.0).abs().max().into_scalar();
            assert!(wrong < 1e-5 && length < 1e-5, "{wrong} {length}");
        }
    }

    #[test]
    fn factors_of_one_and_flat_or_gray_images_are_safe() {
        let x = Tensor::<4>::random([2, 3, 4, 4], Distribution::Uniform(0.0, 1.0), &Device::flex());
        assert_eq!(values(stretch(x.clone(), &[[1.0; 3]; 2])), values(x.clone()));
        let beside = stretch(x.clone(), &[[1.0; 3], [0.5, 2.0, 1.0]]);
        assert_close(&values(beside.narrow(0, 0, 1)), &values(x.clone().narrow(0, 0, 1)), 1e-5);
        let flat = Tensor::<4>::ones([1, 3, 4, 4], &Device::flex()) * 0.3;
        assert_close(&values(stretch(flat.clone(), &[[2.0, 0.5, 1.5]])), &values(flat), 1e-6);
        // gray: one direction carries everything, and the first factor is its own
        let gray = x.slice([0..1, 0..1]);
        let three = stretch(gray.clone().expand([1, 3, 4, 4]), &[[1.7, 0.5, 0.6]]);
        let one = stretch(gray, &[[1.7, 0.5, 0.6]]);
        assert_close(&values(three.slice([0..1, 2..3])), &values(one), 1e-5);
    }
}
