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

    pub(super) fn transposed(self) -> Self {
        let (Self { rows, columns, .. }, [down, across]) = (self, self.steps);
        Self { rows: columns, columns: rows, steps: [across, down], ..self }
    }
}

/// `c = a b`, or `c += a b` where `add`; `c` in rows.
pub(super) fn product(c: &mut [f32], a: Matrix, b: Matrix, add: bool) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(b.rows == k && c.len() == m * n, "{m}x{k} by {}x{n} into {}", b.rows, c.len());
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
            n as isize,
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
            product(&mut c, a, b, true);
            product(&mut c, a, b, true);
            for (at, c) in c.into_iter().enumerate() {
                assert!((c - 1.0 - 2.0 * slow(at / n, at % n)).abs() < 1e-5, "{at}");
            }
            let mut c = vec![f32::NAN; m * n];
            product(&mut c, a, b, false);
            assert!(c.iter().enumerate().all(|(at, c)| (c - slow(at / n, at % n)).abs() < 1e-5));
        }
    }
}
