//! A tensor as a file stores it.

use burn::tensor::{bf16, f16};

use crate::error::{Error, Result};

/// The format of a stored number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Half precision, two bytes.
    F16,
    /// The upper two bytes of an `F32`.
    BF16,
    /// Single precision, four bytes.
    F32,
    /// Double precision, eight bytes.
    F64,
    /// Integers and other types that cannot be weights, with their size in bytes.
    Other(usize),
}

impl Kind {
    /// Bytes of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Kind::F16 | Kind::BF16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
            Kind::Other(bytes) => bytes,
        }
    }
}

/// A view of a tensor in a file. Its numbers are copied when they are read, not before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array<'a> {
    kind: Kind,
    shape: Vec<usize>,
    /// Steps along each dimension, counted in numbers.
    strides: Vec<usize>,
    /// The bytes from the first element on.
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Array<'a> {
    /// A contiguous tensor in row-major order.
    pub(super) fn packed(kind: Kind, shape: Vec<usize>, bytes: &'a [u8]) -> Result<Self> {
        let strides = packed_strides(&shape).ok_or_else(too_large)?;
        Self::strided(kind, shape, strides, 0, bytes)
    }

    /// A strided tensor: element `i` is number `start + sum_d i_d * strides_d` of `bytes`.
    ///
    /// # Errors
    /// When an element would lie outside of `bytes`, or there are more elements than numbers in `bytes`.
    pub(super) fn strided(
        kind: Kind,
        shape: Vec<usize>,
        strides: Vec<usize>,
        start: usize,
        bytes: &'a [u8],
    ) -> Result<Self> {
        let there = bytes.len() / kind.bytes();
        let count = product(&shape).ok_or_else(too_large)?;
        if shape.len() != strides.len() {
            return Err(Error::Weights("a tensor in it has more dimensions than strides, or fewer".into()));
        }
        if count == 0 {
            return Ok(Self { kind, shape, strides, bytes: &[], count });
        }
        let steps = shape.iter().zip(&strides);
        let last =
            steps.into_iter().try_fold(start, |at, (dim, stride)| at.checked_add((dim - 1).checked_mul(*stride)?));
        match last {
            // a tensor expanded from one number by strides of 0 would take memory that the file never had
            Some(last) if last < there && count <= there => {
                Ok(Self { kind, shape, strides, bytes: &bytes[start * kind.bytes()..], count })
            }
            _ => Err(Error::Weights("a tensor in it reaches beyond its data".into())),
        }
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes of all its numbers.
    pub(super) fn size(&self) -> usize {
        self.count.saturating_mul(self.kind.bytes())
    }

    /// True if it holds floating-point numbers, as weights are.
    pub(super) fn is_float(&self) -> bool {
        !matches!(self.kind, Kind::Other(_))
    }

    /// Its numbers in row-major order.
    ///
    /// # Errors
    /// When it holds integers, or a value is infinite or not a number.
    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        let at = |place: usize| &self.bytes[place * self.kind.bytes()..][..self.kind.bytes()];
        let read = |four: &[u8]| match (self.kind, four) {
            (Kind::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (Kind::BF16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            (Kind::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (_, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
            _ => f32::NAN,
        };
        if !self.is_float() {
            return Err(Error::Weights("it holds no floating-point numbers".into()));
        }
        let values: Vec<f32> = self.places().map(|place| read(at(place))).collect();
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(Error::Weights("it holds values that are no numbers, or too large ones".into())),
        }
    }

    /// Offsets of the elements in row-major order, counted in numbers.
    fn places(&self) -> impl Iterator<Item = usize> {
        let mut index = vec![0; self.shape.len()];
        let mut place = 0;
        (0..self.count).map(move |_| {
            let here = place;
            for (dimension, at) in index.iter_mut().enumerate().rev() {
                *at += 1;
                place += self.strides[dimension];
                if *at < self.shape[dimension] {
                    break;
                }
                place -= *at * self.strides[dimension];
                *at = 0;
            }
            here
        })
    }
}

fn too_large() -> Error {
    Error::Weights("a tensor in it claims to be larger than any memory".into())
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))
}

fn packed_strides(shape: &[usize]) -> Option<Vec<usize>> {
    (0..shape.len()).map(|dimension| product(&shape[dimension + 1..])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).flat_map(|value| (value as f32).to_le_bytes()).collect()
    }

    #[test]
    fn strides_and_offsets_are_followed() {
        let bytes = bytes(12);
        let read = |shape: &[usize], strides: &[usize], start| {
            Array::strided(Kind::F32, shape.to_vec(), strides.to_vec(), start, &bytes)?.floats()
        };
        assert_eq!(read(&[2, 3], &[3, 1], 0).expect("inside"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(read(&[3, 2], &[1, 3], 1).expect("inside"), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(read(&[2, 1, 2], &[6, 6, 2], 3).expect("inside"), [3.0, 5.0, 9.0, 11.0]);
        assert_eq!(read(&[], &[], 11).expect("a scalar"), [11.0]);
        assert_eq!(read(&[0, 4], &[4, 1], 99).expect("nothing"), [0.0; 0]);
        for (shape, strides, start) in [
            (&[2, 3][..], &[3, 1][..], 7),
            (&[13], &[0], 0),
            (&[2], &[usize::MAX], 1),
            (&[usize::MAX, 2], &[1, 1], 0),
            (&[1], &[1], usize::MAX),
            (&[2, 3], &[3], 0),
        ] {
            assert!(read(shape, strides, start).is_err(), "{shape:?} {strides:?} {start}");
        }
    }

    #[test]
    fn every_kind_of_float_is_converted() {
        let value = -1.5f32;
        let cases = [
            (Kind::F16, f16::from_f32(value).to_le_bytes().to_vec()),
            (Kind::BF16, bf16::from_f32(value).to_le_bytes().to_vec()),
            (Kind::F32, value.to_le_bytes().to_vec()),
            (Kind::F64, f64::from(value).to_le_bytes().to_vec()),
        ];
        for (kind, bytes) in cases {
            assert_eq!(
                Array::packed(kind, vec![1], &bytes).and_then(|array| array.floats()).expect("a float"),
                [value]
            );
        }
        let none = f32::NAN.to_le_bytes();
        assert!(Array::packed(Kind::F32, vec![1], &none).and_then(|array| array.floats()).is_err());
        let beyond = 1e300f64.to_le_bytes();
        assert!(Array::packed(Kind::F64, vec![1], &beyond).and_then(|array| array.floats()).is_err());
        assert!(Array::packed(Kind::Other(8), vec![1], &beyond).and_then(|array| array.floats()).is_err());
    }
}
