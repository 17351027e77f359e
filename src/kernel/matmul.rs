//! Products of matrices.

/// A matrix in memory that may be read by rows or by columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Values from one row, and from one column, to the next.
    steps: [isize; 2],
}

impl<'a> Matrix<'a> {
    /// Of so many rows that lie after one another.
    pub(super) fn new(values: &'a [f32], rows: usize) -> Self {
        let columns = values.len() / rows.max(1);
        assert_eq!(values.len(), rows * columns, "a matrix has rows of one length");
        Self { values, rows, columns, steps: [columns as isize, 1] }
    }

    /// Of the first `columns` values of every `pitch`.
    pub(super) fn pitched(values: &'a [f32], columns: usize, pitch: usize) -> Self {
        assert!(columns <= pitch && values.len().is_multiple_of(pitch), "rows lie {pitch} apart");
        Self { values, rows: values.len() / pitch, columns, steps: [pitch as isize, 1] }
    }

    pub(super) fn transposed(self) -> Self {
        let (Self { rows, columns, .. }, [down, across]) = (self, self.steps);
        Self { rows: columns, columns: rows, steps: [across, down], ..self }
    }
}

/// `c = a b`, or `c += a b` where `add`; `c` in rows that lie `pitch` values apart.
pub(super) fn product(c: &mut [f32], pitch: usize, a: Matrix, b: Matrix, add: bool) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let fits = b.rows == k && n <= pitch && c.len() == m * pitch;
    assert!(fits, "{m}x{k} by {}x{n} into {} in rows of {pitch}", b.rows, c.len());
    let ([a_down, a_across], [b_down, b_across]) = (a.steps, b.steps);
    // SAFETY: `Matrix::new` and the assertion see to it that all three hold as many values as their sizes and steps reach,
    // and `c` is borrowed alone.
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
            1.0,
            1.0,
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
        let (m, k, n) = (5, 7, 3);
        let values = |count: usize, s: f32| (0..count).map(|i| (i as f32 * s).sin()).collect::<Vec<f32>>();
        let (a, b) = (values(m * k, 0.7), values(k * n, 1.3));
        let slow = |row: usize, column: usize| (0..k).map(|i| a[row * k + i] * b[i * n + column]).sum::<f32>();
        let turned = |x: &[f32], rows: usize| {
            let columns = x.len() / rows;
            (0..x.len()).map(|at| x[at % rows * columns + at / rows]).collect::<Vec<f32>>()
        };
        let (a_turned, b_turned) = (turned(&a, m), turned(&b, k));
        let ways = [
            (Matrix::new(&a, m), Matrix::new(&b, k)),
            (Matrix::new(&a_turned, k).transposed(), Matrix::new(&b_turned, n).transposed()),
        ];
        for (a, b) in ways {
            let mut c = vec![1.0; m * n];
            product(&mut c, n, a, b, true);
            product(&mut c, n, a, b, true);
            for (at, c) in c.into_iter().enumerate() {
                assert!((c - 1.0 - 2.0 * slow(at / n, at % n)).abs() < 1e-5, "{at}");
            }
            let mut c = vec![f32::NAN; m * n];
            product(&mut c, n, a, b, false);
            assert!(c.iter().enumerate().all(|(at, c)| (c - slow(at / n, at % n)).abs() < 1e-5));
            // in every second row of what is twice as wide
            let wide: Vec<f32> = b.values.iter().flat_map(|&value| [value, f32::NAN]).collect();
            let wide = Matrix { values: &wide, steps: b.steps.map(|step| 2 * step), ..b };
            let mut c = vec![7.0; 2 * m * n];
            product(&mut c, 2 * n, a, wide, false);
            for (at, c) in c.into_iter().enumerate() {
                let (row, column) = (at / (2 * n), at % (2 * n));
                let expected = if column < n { slow(row, column) } else { 7.0 };
                assert!((c - expected).abs() < 1e-5, "{at}");
            }
        }
    }
}
