//! Holes in images, for methods that have what is missing painted in.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;

use crate::rng::Rng;

/// How much of an image random blocks cover at most; they stop once they cover four fifths of that.
const COVERED: f64 = 0.25;
/// Blocks tried for an image.
const TRIES: usize = 40;

/// What is missing of each image of a batch, and what is asked for.
#[derive(Clone, Debug)]
pub struct Holes {
    /// 1 where a pixel is missing, 0 elsewhere `[n, 1, h, w]`.
    pub missing: Tensor<4>,
    /// 1 where a pixel is there and yet asked for: the rim, which the painting has to fit `[n, 1, h, w]`.
    pub rim: Tensor<4>,
}

/// A square of an image.
#[derive(Clone, Copy, Debug)]
struct Square {
    top: usize,
    left: usize,
    side: [usize; 2],
}

/// Asks for the middle of each image, half as high and half as wide, with a rim of `rim` pixels of which the image still
/// shows the content: 64 of 128 pixels with a rim of 4 in the code of Pathak et al. 2016.
pub fn central(n: usize, [height, width]: [usize; 2], rim: usize, device: &Device) -> Holes {
    let middle = Square { top: height / 4, left: width / 4, side: [height / 2, width / 2] };
    holes(&vec![vec![middle]; n], [height, width], rim, device)
}

/// Asks for some squares at random places of each image, a fifth to a quarter of it together, which may overlap (Pathak et
/// al. 2016, section 3.3). Their sides lie between an eighth and three eighths of the image.
pub fn blocks(n: usize, size: [usize; 2], rim: usize, device: &Device, rng: &mut Rng) -> Holes {
    let drawn: Vec<_> = (0..n).map(|_| some_blocks(size, rim, rng)).collect();
    holes(&drawn, size, rim, device)
}

fn some_blocks([height, width]: [usize; 2], rim: usize, rng: &mut Rng) -> Vec<Square> {
    let shorter = height.min(width);
    let sides = (shorter / 8).max(2 * rim + 1)..=(3 * shorter / 8).max(2 * rim + 1);
    let whole = (height * width) as f64;
    let (mut chosen, mut plane) = (Vec::new(), vec![0u8; height * width]);
    for _ in 0..TRIES {
        let side = rng.random_range(sides.clone()).min(shorter);
        let (top, left) = (rng.random_range(0..=height - side), rng.random_range(0..=width - side));
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
    /// Sets its pixels, less `rim` of them on each side.
    fn paint(self, plane: &mut [u8], width: usize, rim: usize, value: u8) {
        let [height, across] = self.side;
        for row in self.top + rim..(self.top + height).saturating_sub(rim) {
            for column in self.left + rim..(self.left + across).saturating_sub(rim) {
                plane[row * width + column] = value;
            }
        }
    }
}

/// All squares of an image first, then what is missing in them: where squares overlap, missing wins over the rim.
fn holes(squares: &[Vec<Square>], [height, width]: [usize; 2], rim: usize, device: &Device) -> Holes {
    let mut planes = Vec::with_capacity(squares.len() * height * width);
    for squares in squares {
        let mut plane = vec![0u8; height * width];
        squares.iter().for_each(|square| square.paint(&mut plane, width, 0, 2));
        squares.iter().for_each(|square| square.paint(&mut plane, width, rim, 1));
        planes.extend(plane);
    }
    let which = |value: u8| {
        let on: Vec<f32> = planes.iter().map(|&kind| f32::from(u8::from(kind == value))).collect();
        Tensor::from_data(TensorData::new(on, [squares.len(), 1, height, width]), device)
    };
    Holes { missing: which(1), rim: which(2) }
}

/// Paints what is missing in one colour, a number a channel: `(1 - m) x + m c`.
///
/// `images`: `[n, c, h, w]`, `missing` m: `[n, 1, h, w]` -> `[n, c, h, w]`.
pub fn fill(images: Tensor<4>, missing: Tensor<4>, colour: &[f64]) -> Tensor<4> {
    let ([_, channels, _, _], device) = (images.dims(), images.device());
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
    fn the_middle_is_a_quarter_of_the_image() {
        let Holes { missing, rim } = central(2, [128, 128], 4, &Device::flex());
        assert_eq!(shares(&(missing.clone() + rim.clone())), [0.25; 2]);
        assert_eq!(shares(&missing), [(56.0f32 / 128.0).powi(2); 2]);
        let whole = central(1, [128, 128], 0, &Device::flex());
        assert_eq!((shares(&whole.missing), shares(&whole.rim)), (vec![0.25], vec![0.0]));
        // rows 32 to 95 are asked for, 36 to 91 are missing
        let column = |x: Tensor<4>| values(x.narrow(0, 0, 1).narrow(3, 64, 1));
        let (missing, rim) = (column(missing), column(rim));
        assert_eq!((missing[35], missing[36], missing[91], missing[92]), (0.0, 1.0, 1.0, 0.0));
        assert_eq!(
            (rim[31], rim[32], rim[35], rim[36], rim[92], rim[95], rim[96]),
            (0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0)
        );
    }

    #[test]
    fn blocks_cover_a_fifth_to_a_quarter_at_places_of_their_own() {
        for side in [28, 32, 128] {
            let holes = blocks(60, [side; 2], 1, &Device::flex(), &mut stream(1, Purpose::Views, 0));
            let asked = holes.missing.clone() + holes.rim.clone();
            let shares = shares(&asked);
            assert!(shares.iter().all(|share| (0.1..=0.25).contains(share)), "{side}: {shares:?}");
            let usual = shares.iter().filter(|&&share| share >= 0.2).count();
            assert!(usual > 50, "{side}: {usual} of 60 reach a fifth");
            assert!(self::shares(&holes.missing).iter().all(|&share| share > 0.02));
            // nearly every pixel is asked for in some image: unlike a hole in the middle they can be anywhere
            let anywhere: f32 = asked.max_dim(0).mean().into_scalar();
            assert!(anywhere > 0.9, "{side}: {anywhere}");
        }
    }

    #[test]
    fn a_pixel_is_missing_or_rim_or_neither() {
        let holes = blocks(20, [32, 32], 2, &Device::flex(), &mut stream(2, Purpose::Views, 0));
        let both = values(holes.missing * holes.rim);
        assert!(both.iter().all(|&x| x == 0.0));
    }

    #[test]
    fn holes_are_filled_and_the_rest_stays() {
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
