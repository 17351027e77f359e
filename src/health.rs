//! Is a representation collapsing? Two numbers that need no labels.

use burn::tensor::Tensor;

use crate::loss::unit_rows;

/// `sqrt(d) mean_j std_i(l2(z_i)_j)`: how far unit rows spread. 1 where directions are even, 0 where all rows point one
/// way.
///
/// The deviation is the biased one; no gradient. `z`: `[n, d]` -> `[1]`. Chen and He 2021, section 4.1.
pub fn spread(z: Tensor<2>) -> Tensor<1> {
    let [_, d] = z.dims();
    let rows = unit_rows(z.detach());
    let off = rows.clone() - rows.mean_dim(0);
    off.square().mean_dim(0).sqrt().mean() * (d as f64).sqrt()
}

/// RankMe: `exp(-sum_k p_k ln p_k)` with `p_k = sigma_k / sum sigma`, the singular values of the rows as they are.
/// Between 1 (all rows on one line) and the smaller of rows and `width` (all directions used alike); 0 for no or only
/// zero rows.
///
/// `values` are rows of `width` numbers that were read back from the device. The work grows with the cube of the
/// smaller of rows and width: some hundred rows are plenty. Garrido et al. 2023, equation 1.
pub fn effective_rank(values: &[f32], width: usize) -> f64 {
    assert!(width > 0 && values.len().is_multiple_of(width), "effective_rank: whole rows");
    let (gram, n) = gram(values, width);
    let sigmas: Vec<f64> = eigenvalues(gram, n).into_iter().map(|value| value.max(0.0).sqrt()).collect();
    let sum: f64 = sigmas.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    let shares = sigmas.iter().map(|sigma| sigma / sum).filter(|&p| p > 0.0);
    (-shares.map(|p| p * p.ln()).sum::<f64>()).exp()
}

/// `X X^T` or `X^T X`, whichever is smaller, and its size: both have the squared singular values as eigenvalues.
fn gram(values: &[f32], width: usize) -> (Vec<f64>, usize) {
    let rows = values.len() / width;
    let (n, m, along, across) = if rows <= width { (rows, width, width, 1) } else { (width, rows, 1, width) };
    let vectors: Vec<Vec<f64>> =
        (0..n).map(|i| (0..m).map(|k| f64::from(values[i * along + k * across])).collect()).collect();
    let mut gram = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let product = dot(&vectors[i], &vectors[j]);
            (gram[i * n + j], gram[j * n + i]) = (product, product);
        }
    }
    (gram, n)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The eigenvalues of a symmetric matrix in rising order: reflections make it tridiagonal, then each value is found by
/// halving an interval (Golub and Van Loan, sections 8.3.1 and 8.4.1).
fn eigenvalues(mut matrix: Vec<f64>, n: usize) -> Vec<f64> {
    for k in 0..n.saturating_sub(2) {
        reflect(&mut matrix, n, k);
    }
    let diagonal: Vec<f64> = (0..n).map(|i| matrix[i * n + i]).collect();
    let beside: Vec<f64> = (1..n).map(|i| matrix[i * n + i - 1]).collect();
    let reach = |i: usize| i.checked_sub(1).map_or(0.0, |i| beside[i].abs()) + beside.get(i).map_or(0.0, |b| b.abs());
    let low = (0..n).map(|i| diagonal[i] - reach(i)).fold(0.0, f64::min);
    let high = (0..n).map(|i| diagonal[i] + reach(i)).fold(0.0, f64::max);
    (0..n).map(|rank| bisect(&diagonal, &beside, rank, low, high)).collect()
}

/// One Householder reflection from both sides: clears column and row `k` beyond the diagonal's neighbour.
fn reflect(a: &mut [f64], n: usize, k: usize) {
    let mut v: Vec<f64> = (k + 1..n).map(|i| a[i * n + k]).collect();
    let length = dot(&v, &v).sqrt();
    if length == 0.0 {
        return;
    }
    let image = -length.copysign(v[0]);
    v[0] -= image;
    let square = dot(&v, &v);
    let block = |row: usize| (k + 1 + row) * n + k + 1;
    let size = v.len();
    let mut w: Vec<f64> = (0..size).map(|i| dot(&a[block(i)..block(i) + size], &v) * 2.0 / square).collect();
    let along = dot(&v, &w) / square;
    w.iter_mut().zip(&v).for_each(|(w, v)| *w -= along * v);
    for i in 0..size {
        let row = &mut a[block(i)..block(i) + size];
        row.iter_mut().enumerate().for_each(|(j, x)| *x -= v[i] * w[j] + w[i] * v[j]);
        (a[(k + 1 + i) * n + k], a[k * n + k + 1 + i]) = (0.0, 0.0);
    }
    (a[(k + 1) * n + k], a[k * n + k + 1]) = (image, image);
}

/// The eigenvalue with `rank` smaller ones, between `low` and `high`.
fn bisect(diagonal: &[f64], beside: &[f64], rank: usize, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if smaller(diagonal, beside, middle) > rank { high = middle } else { low = middle }
    }
    (low + high) / 2.0
}

/// How many eigenvalues lie below `x`: the negative pivots of the matrix less `x` (Sylvester's law of inertia).
fn smaller(diagonal: &[f64], beside: &[f64], x: f64) -> usize {
    let (mut count, mut pivot) = (0, 1.0);
    for (i, value) in diagonal.iter().enumerate() {
        let carried = if i == 0 { 0.0 } else { beside[i - 1] * beside[i - 1] / pivot };
        pivot = value - x - carried;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE.sqrt();
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};
    use burn::tensor::{Device, TensorData};

    fn noise(rows: usize, width: usize) -> Vec<f32> {
        normal(&mut stream(4, Purpose::Views, 0), rows * width, 1.0)
    }

    fn spread_of(values: Vec<f32>, width: usize) -> f32 {
        let rows = values.len() / width;
        spread(Tensor::from_data(TensorData::new(values, [rows, width]), &Device::flex())).into_scalar()
    }

    /// Cyclic Jacobi rotations, the textbook's other way to eigenvalues.
    fn jacobi(mut a: Vec<f64>, n: usize) -> Vec<f64> {
        for (p, q) in (0..12).flat_map(|_| (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q)))) {
            let angle = 0.5 * (2.0 * a[p * n + q]).atan2(a[q * n + q] - a[p * n + p]);
            let (sin, cos) = angle.sin_cos();
            for k in 0..n {
                let (x, y) = (a[k * n + p], a[k * n + q]);
                (a[k * n + p], a[k * n + q]) = (cos * x - sin * y, sin * x + cos * y);
            }
            for k in 0..n {
                let (x, y) = (a[p * n + k], a[q * n + k]);
                (a[p * n + k], a[q * n + k]) = (cos * x - sin * y, sin * x + cos * y);
            }
        }
        let mut values: Vec<f64> = (0..n).map(|i| a[i * n + i]).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn random_directions_spread_by_one_and_equal_ones_not_at_all() {
        assert!((spread_of(noise(512, 2048), 2048) - 1.0).abs() < 0.02);
        assert!(spread_of([0.3f32, -0.1, 2.0, 0.7].repeat(64), 4) < 1e-3);
        // two opposite directions along one axis: deviation 1 there, 0 on the three others, times sqrt 4
        let opposite = [[1.0f32, 0.0, 0.0, 0.0], [-3.0, 0.0, 0.0, 0.0]].concat();
        assert!((spread_of(opposite, 4) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn spread_passes_no_gradient() {
        let z = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, -1.0]], &Device::flex().autodiff()).require_grad();
        let gradients = (spread(z.clone()) + z.clone().sum()).backward();
        let slopes = z.grad(&gradients).expect("through the sum").into_data();
        assert_eq!(slopes.try_to_vec::<f32>().expect("floats"), [1.0; 4]);
    }

    #[test]
    fn ranks_with_a_closed_form() {
        // k orthogonal rows of one length, whether there are more columns or more rows
        let orthogonal = |k: usize, width: usize| -> Vec<f32> {
            (0..k * width).map(|i| if i / width == i % width { 3.0 } else { 0.0 }).collect()
        };
        assert!((effective_rank(&orthogonal(5, 8), 8) - 5.0).abs() < 1e-6);
        assert!((effective_rank(&orthogonal(8, 8), 8) - 8.0).abs() < 1e-6);
        assert!((effective_rank(&[orthogonal(4, 4), orthogonal(4, 4)].concat(), 4) - 4.0).abs() < 1e-6);
        let line: Vec<f32> = (0..40).flat_map(|i| [0.3f32, -0.1, 2.0, 0.7].map(|x| x * (i as f32 - 7.5))).collect();
        assert!((effective_rank(&line, 4) - 1.0).abs() < 1e-4);
        // singular values 3 and 1: entropy of (3/4, 1/4)
        let expected = (-(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln())).exp();
        assert!((effective_rank(&[3.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3) - expected).abs() < 1e-6);
        assert_eq!(effective_rank(&[0.0; 12], 4), 0.0);
        assert_eq!(effective_rank(&[], 4), 0.0);
    }

    #[test]
    fn eigenvalues_agree_with_jacobis() {
        for n in [1, 2, 3, 17, 40] {
            let (matrix, n) = gram(&noise(n, 60), 60);
            let (found, expected) = (eigenvalues(matrix.clone(), n), jacobi(matrix, n));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
            }
        }
    }
}
