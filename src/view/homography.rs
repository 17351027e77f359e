//! Homographies (affine and projective maps of the plane), on the host and on the device.

use burn::tensor::{Device, Tensor, TensorData};

/// Homography `(x, y) -> ((a x + b y + c) / w, (d x + e y + f) / w)` with `w = g x + h y + i`: its 3x3 matrix a to i, row by row.
/// Coordinates are in pixels; the first pixel covers (0, 0) to (1, 1) with its centre at (1/2, 1/2), as in Pillow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homography(pub [f64; 9]);

impl Homography {
    /// Identity.
    pub const IDENTITY: Self = Self([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);

    /// Homography that maps each of four points of `from` to that of `to`; `None` if three of them are collinear.
    ///
    /// With i = 1 the other entries solve `a x + b y + c - u (g x + h y) = u` and `d x + e y + f - v (g x + h y) = v`.
    pub fn between(from: [[f64; 2]; 4], to: [[f64; 2]; 4]) -> Option<Self> {
        let mut system = [[0.0; 9]; 8];
        for (row, ([x, y], [u, v])) in from.into_iter().zip(to).enumerate() {
            system[2 * row] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            system[2 * row + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        let [a, b, c, d, e, f, g, h] = solve(system)?;
        Some(Self([a, b, c, d, e, f, g, h, 1.0]))
    }

    /// Composition: `other` first, then `self`.
    pub fn after(self, other: Self) -> Self {
        let mut product = [0.0; 9];
        for (index, entry) in product.iter_mut().enumerate() {
            *entry = (0..3).map(|k| self.0[index / 3 * 3 + k] * other.0[3 * k + index % 3]).sum();
        }
        Self(product)
    }

    /// Inverse, up to a common factor of the entries, which changes no point.
    pub fn inverse(self) -> Self {
        let m = self.0;
        let cofactor = |[a, b, c, d]: [usize; 4]| m[a] * m[d] - m[b] * m[c];
        Self(COFACTORS.map(cofactor))
    }

    /// Image of a point.
    pub fn apply(self, [x, y]: [f64; 2]) -> [f64; 2] {
        let row = |r: usize| self.0[3 * r] * x + self.0[3 * r + 1] * y + self.0[3 * r + 2];
        [row(0) / row(2), row(1) / row(2)]
    }

    /// Entries a to h after dividing by i: the coefficients of Pillow's `PERSPECTIVE`.
    pub fn coefficients(self) -> [f64; 8] {
        std::array::from_fn(|index| self.0[index] / self.0[8])
    }

    /// Matrices of n homographies on the device: `[n, 3, 3]`.
    pub fn tensor(maps: &[Self], device: &Device) -> Tensor<3> {
        let numbers: Vec<f32> = maps.iter().flat_map(|map| map.0.map(|x| x as f32)).collect();
        Tensor::from_data(TensorData::new(numbers, [maps.len(), 3, 3]), device)
    }
}

/// Indices a, b, c, d of each entry of the adjugate, `m[a] m[d] - m[b] m[c]`, row by row.
const COFACTORS: [[usize; 4]; 9] = [
    [4, 5, 7, 8],
    [2, 1, 8, 7],
    [1, 2, 4, 5],
    [5, 3, 8, 6],
    [0, 2, 6, 8],
    [2, 0, 5, 3],
    [3, 4, 6, 7],
    [1, 0, 7, 6],
    [0, 1, 3, 4],
];

/// Inverse homographies, each up to a factor: `[n, 3, 3]` -> `[n, 3, 3]`.
pub fn inverses(maps: Tensor<3>) -> Tensor<3> {
    let [n, ..] = maps.dims();
    let flat = maps.reshape([n, 9]);
    let m = |index: usize| flat.clone().narrow(1, index, 1);
    let cofactor = |[a, b, c, d]: [usize; 4]| m(a) * m(d) - m(b) * m(c);
    Tensor::cat(COFACTORS.map(cofactor).to_vec(), 1).reshape([n, 3, 3])
}

/// Gaussian elimination with partial pivoting; the last column is the right-hand side. `None` for a singular system.
fn solve(mut system: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))?;
        if system[pivot][column].abs() < 1e-9 {
            return None;
        }
        system.swap(column, pivot);
        let row = system[column].map(|x| x / system[column][column]);
        for (index, other) in system.iter_mut().enumerate() {
            let share = other[column];
            if index != column {
                other.iter_mut().zip(row).for_each(|(x, own)| *x -= share * own);
            }
        }
        system[column] = row;
    }
    Some(system.map(|row| row[8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: [[f64; 2]; 4] = [[0.0, 0.0], [32.0, 0.0], [32.0, 32.0], [0.0, 32.0]];
    const TO: [[f64; 2]; 4] = [[34.0, -3.0], [30.0, 35.0], [1.0, 29.0], [2.5, 4.0]];

    fn close(found: [f64; 2], expected: [f64; 2]) {
        let error = (found[0] - expected[0]).abs().max((found[1] - expected[1]).abs());
        assert!(error < 1e-9, "{found:?} is not {expected:?}");
    }

    #[test]
    fn four_points_determine_a_homography() {
        let map = Homography::between(FROM, TO).expect("corners of a quadrangle");
        for (from, to) in FROM.into_iter().zip(TO) {
            close(map.apply(from), to);
            close(map.inverse().apply(to), from);
        }
        let identity = map.inverse().after(map).coefficients();
        for (found, expected) in identity.iter().zip(Homography::IDENTITY.coefficients()) {
            assert!((found - expected).abs() < 1e-9, "{identity:?}");
        }
        close(map.after(map).apply([5.0, 9.0]), map.apply(map.apply([5.0, 9.0])));
        let line = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.0, 3.0]];
        assert!(Homography::between(line, FROM).is_none());
    }

    #[test]
    fn inverses_on_the_device_agree_with_the_host() {
        let maps =
            [Homography::between(FROM, TO).expect("a map"), Homography([0.5, 0.1, 3.0, -0.2, 2.0, 1.0, 0.0, 0.0, 1.0])];
        let found: Vec<f32> =
            inverses(Homography::tensor(&maps, &Device::flex())).into_data().try_to_vec().expect("floats");
        let expected = maps.iter().flat_map(|map| map.inverse().0);
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} is not {expected}");
        }
    }
}
