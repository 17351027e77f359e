//! Masks of missing regions, for inpainting.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// Largest share of an image that random blocks cover; no block is added beyond four fifths of it.
const COVERED: f64 = 0.25;
/// Most blocks tried for an image.
const TRIES: usize = 40;

/// Missing regions of a batch, and the pixels that a prediction covers.
#[derive(Clone, Debug)]
pub struct Holes {
    /// Mask of missing pixels, 1 where missing: `[n, 1, h, w]`.
    pub missing: Tensor<4>,
    /// Mask of the overlap (`rim`): pixels that are visible and yet predicted, so that predictions join their surroundings:
    /// `[n, 1, h, w]`.
    pub rim: Tensor<4>,
}

/// Rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug)]
struct Square {
    top: usize,
    left: usize,
    side: [usize; 2],
}

/// Central region of each image, half as high and half as wide, of which the outer `rim` pixels stay visible: 64 of 128 pixels with
/// an overlap of 4 in the code of Pathak et al. 2016.
pub fn central(n: usize, [height, width]: [usize; 2], rim: usize, device: &Device) -> Holes {
    let middle = Square { top: height / 4, left: width / 4, side: [height / 2, width / 2] };
    holes(&vec![vec![middle]; n], [height, width], rim, device)
}

/// Random blocks: squares at random positions, which may overlap and cover a fifth to a quarter of each image (Pathak et al. 2016,
/// section 3.3). Their sides are an eighth to three eighths of the image's shorter side.
pub fn blocks(n: usize, size: [usize; 2], rim: usize, device: &Device, rng: &mut Rng) -> Holes {
    let drawn: Vec<_> = (0..n).map(|_| some_blocks(size, rim, rng)).collect();
    holes(&drawn, size, rim, device)
}

fn some_blocks([height, width]: [usize; 2], rim: usize, rng: &mut Rng) -> Vec<Square> {
    let shorter = height.min(width);
    let sides = (shorter / 8).max(2 * rim + 1)..=(3 * shorter / 8).max(2 * rim + 1);
    let whole = (height * width) as f64;
    let mut chosen = Vec::new();
    let mut plane = vec![0u8; height * width];
    for _ in 0..TRIES {
        let side = rng.random_range(sides.clone()).min(shorter);
        let top = rng.random_range(0..=height - side);
        let left = rng.random_range(0..=width - side);
        let square = Square { top, left, side: [side; 2] };
        let mut tried = plane.clone();
        square.paint(&mut tried, width, 0, 1);
        let share = tried.iter().map(|&on| f64::from(on)).sum::<f64>() / whole;
        if share > COVERED {
            continue;
        }
        plane = tried;
        chosen.push(square);
        if share >= 0.8 * COVERED {
            break;
        }
    }
    chosen
}

impl Square {
    /// Sets its pixels to `value`, without `rim` of them on each side.
    fn paint(self, plane: &mut [u8], width: usize, rim: usize, value: u8) {
        let [height, across] = self.side;
        for row in self.top + rim..(self.top + height).saturating_sub(rim) {
            for column in self.left + rim..(self.left + across).saturating_sub(rim) {
                plane[row * width + column] = value;
            }
        }
    }
}

/// Masks of squares. Where squares overlap, missing has precedence over the rim.
fn holes(squares: &[Vec<Square>], [height, width]: [usize; 2], rim: usize, device: &Device) -> Holes {
    let mut planes = Vec::with_capacity(squares.len() * height * width);
    for squares in squares {
        let mut plane = vec![0u8; height * width];
        squares.iter().for_each(|square| square.paint(&mut plane, width, 0, 2));
        squares.iter().for_each(|square| square.paint(&mut plane, width, rim, 1));
        planes.extend(plane);
    }
    let mask = |value: u8| {
        let on: Vec<f32> = planes.iter().map(|&kind| f32::from(u8::from(kind == value))).collect();
        Tensor::from_data(TensorData::new(on, [squares.len(), 1, height, width]), device)
    };
    Holes { missing: mask(1), rim: mask(2) }
}

/// Fills missing pixels with one colour: `(1 - m) x + m c`.
///
/// `images` x: `[n, c, h, w]`, `missing` m: `[n, 1, h, w]`, `colour` c: one value a channel or one for all -> `[n, c, h, w]`.
pub fn fill(images: Tensor<4>, missing: Tensor<4>, colour: &[f64]) -> Tensor<4> {
    let [_, channels, _, _] = images.dims();
    let device = images.device();
    let numbers: Vec<f32> = (0..channels).map(|channel| colour[channel.min(colour.len() - 1)] as f32).collect();
    let colour = Tensor::<4>::from_data(TensorData::new(numbers, [1, channels, 1, 1]), &device);
    images * (missing.clone().neg() + 1.0) + missing * colour
}

#[cfg(test)]
mod tests {
    use super::super::fixture::values;
    use super::*;
    use crate::rng::{Purpose, stream};

    fn shares(x: &Tensor<4>) -> Vec<f32> {
        let [n, ..] = x.dims();
        values(x.clone().mean_dim(2).mean_dim(3)).into_iter().take(n).collect()
    }

    #[test]
    fn the_central_region_is_a_quarter_of_the_image() {
        let Holes { missing, rim } = central(2, [128, 128], 4, &Device::flex());
        assert_eq!(shares(&(missing.clone() + rim.clone())), [0.25; 2]);
        assert_eq!(shares(&missing), [(56.0f32 / 128.0).powi(2); 2]);
        let whole = central(1, [128, 128], 0, &Device::flex());
        assert_eq!((shares(&whole.missing), shares(&whole.rim)), (vec![0.25], vec![0.0]));
        // rows 32 to 95 are predicted, of which 36 to 91 are missing
        let [missing, rim] = [missing, rim].map(|x| values(x.narrow(0, 0, 1).narrow(3, 64, 1)));
        assert_eq!((missing[35], missing[36], missing[91], missing[92]), (0.0, 1.0, 1.0, 0.0));
        assert_eq!(
            (rim[31], rim[32], rim[35], rim[36], rim[92], rim[95], rim[96]),
            (0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0)
        );
    }

    #[test]
    fn random_blocks_cover_a_fifth_to_a_quarter() {
        for side in [28, 32, 128] {
            let holes = blocks(60, [side; 2], 1, &Device::flex(), &mut stream(1, Purpose::Views, 0));
            let predicted = holes.missing.clone() + holes.rim.clone();
            let shares = shares(&predicted);
            assert!(shares.iter().all(|share| (0.1..=0.25).contains(share)), "{side}: {shares:?}");
            let usual = shares.iter().filter(|&&share| share >= 0.2).count();
            assert!(usual > 50, "{side}: {usual} of 60 reach a fifth");
            assert!(self::shares(&holes.missing).iter().all(|&share| share > 0.02));
            // blocks can be anywhere: nearly every pixel is predicted in some image
            let anywhere: f32 = predicted.max_dim(0).mean().into_scalar();
            assert!(anywhere > 0.9, "{side}: {anywhere}");
        }
    }

    #[test]
    fn no_pixel_is_both_missing_and_rim() {
        let holes = blocks(20, [32, 32], 2, &Device::flex(), &mut stream(2, Purpose::Views, 0));
        let both = values(holes.missing * holes.rim);
        assert!(both.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn only_missing_pixels_are_filled() {
        let x = Tensor::<4>::full([1, 3, 8, 8], 0.9, &Device::flex());
        let holes = central(1, [8, 8], 0, &Device::flex());
        let y = values(fill(x, holes.missing, &[0.1, 0.2, 0.3]));
        for channel in 0..3 {
            let plane = &y[channel * 64..(channel + 1) * 64];
            assert_eq!((plane[0], plane[63]), (0.9, 0.9));
            assert_eq!(plane[3 * 8 + 3], [0.1, 0.2, 0.3][channel]);
        }
    }
}
