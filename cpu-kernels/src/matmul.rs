//! Matrix products on one thread, by the `gemm` crate.

/// Element type of a matrix: `f32` or `f64`.
pub trait Number: Copy + 'static {
    /// 1.
    const ONE: Self;
}

impl Number for f32 {
    const ONE: Self = 1.0;
}

impl Number for f64 {
    const ONE: Self = 1.0;
}

/// View of a matrix with strides, so that a transpose costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T = f32> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    /// Values from one row to the next, and from one column to the next.
    strides: [isize; 2],
}

impl<'a, T> Matrix<'a, T> {
    /// Matrix of `rows` contiguous rows.
    ///
    /// # Panics
    /// When the values are not that many rows of one length.
    pub fn new(values: &'a [T], rows: usize) -> Self {
        let columns = values.len() / rows.max(1);
        assert_eq!(values.len(), rows * columns, "a matrix has rows of one length");
        Self { values, rows, columns, strides: [columns as isize, 1] }
    }

    /// Matrix whose rows are the first `columns` of every `pitch` values.
    ///
    /// # Panics
    /// When the values are no rows of that pitch.
    pub fn pitched(values: &'a [T], columns: usize, pitch: usize) -> Self {
        assert!(columns <= pitch && values.len().is_multiple_of(pitch), "rows lie {pitch} apart");
        Self { values, rows: values.len() / pitch, columns, strides: [pitch as isize, 1] }
    }

    /// The transpose, over the same values.
    pub fn transposed(self) -> Self {
        let [down, across] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [across, down], ..self }
    }
}

/// `c = a b`, or `c += a b` with `add`. The rows of `c` lie `pitch` values apart; the last one may end early.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul<T: Number>(c: &mut [T], pitch: usize, a: Matrix<T>, b: Matrix<T>, add: bool) {
    let m = a.rows;
    let k = a.columns;
    let n = b.columns;
    let reach = if m == 0 { 0 } else { (m - 1) * pitch + n };
    let fits = b.rows == k && n <= pitch && (reach..=m * pitch).contains(&c.len());
    assert!(fits, "{m}x{k} by {}x{n} into {} in rows of {pitch}", b.rows, c.len());
    let [a_down, a_across] = a.strides;
    let [b_down, b_across] = b.strides;
    // SAFETY: `Matrix::new`, `Matrix::pitched` and the assertion above guarantee that sizes and strides stay inside the three
    // slices, and `c` is borrowed mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            pitch as isize,
            add,
            a.values.as_ptr(),
            a_across,
            a_down,
            b.values.as_ptr(),
            b_across,
            b_down,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_a_slow_loop() {
        let [m, k, n] = [5, 7, 3];
        let values = |count: usize, s: f32| (0..count).map(|i| (i as f32 * s).sin()).collect::<Vec<f32>>();
        let a = values(m * k, 0.7);
        let b = values(k * n, 1.3);
        let slow = |row: usize, column: usize| (0..k).map(|i| a[row * k + i] * b[i * n + column]).sum::<f32>();
        let transposed = |x: &[f32], rows: usize| {
            let columns = x.len() / rows;
            (0..x.len()).map(|at| x[at % rows * columns + at / rows]).collect::<Vec<f32>>()
        };
        let a_transposed = transposed(&a, m);
        let b_transposed = transposed(&b, k);
        let operands = [
            (Matrix::new(&a, m), Matrix::new(&b, k)),
            (Matrix::new(&a_transposed, k).transposed(), Matrix::new(&b_transposed, n).transposed()),
        ];
        for (a, b) in operands {
            let mut c = vec![1.0; m * n];
            matmul(&mut c, n, a, b, true);
            matmul(&mut c, n, a, b, true);
            for (at, c) in c.into_iter().enumerate() {
                assert!((c - 1.0 - 2.0 * slow(at / n, at % n)).abs() < 1e-5, "{at}");
            }
            let mut c = vec![f32::NAN; m * n];
            matmul(&mut c, n, a, b, false);
            assert!(c.iter().enumerate().all(|(at, c)| (c - slow(at / n, at % n)).abs() < 1e-5));
            // every second value of b is skipped, and rows of c are twice as long as they need to be
            let wide: Vec<f32> = b.values.iter().flat_map(|&value| [value, f32::NAN]).collect();
            let wide = Matrix { values: &wide, strides: b.strides.map(|stride| 2 * stride), ..b };
            let mut c = vec![7.0; 2 * m * n];
            matmul(&mut c, 2 * n, a, wide, false);
            for (at, c) in c.into_iter().enumerate() {
                let column = at % (2 * n);
                let expected = if column < n { slow(at / (2 * n), column) } else { 7.0 };
                assert!((c - expected).abs() < 1e-5, "{at}");
            }
        }
    }
}
