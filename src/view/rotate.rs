//! Rotations by multiples of 90 degrees.

use burn::tensor::{Int, Tensor, TensorData};
use rand::RngExt;

use crate::kernel;
use crate::rng::Rng;

/// Rotates every image counter-clockwise by `quarters` times 90 degrees.
///
/// It uses transposes and flips only, which copy pixels exactly. A rotation by resampling leaves traces (interpolation, filled
/// corners) from which a network could learn the angle without the content.
///
/// `[n, c, s, s]` -> `[n, c, s, s]`.
///
/// # Panics
/// If images are not square, since their shape would show the angle.
pub fn rotate(images: Tensor<4>, quarters: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    assert_eq!(height, width, "rotate: images that are not square would show their turn by their shape");
    match quarters % 4 {
        0 => images,
        1 => images.swap_dims(2, 3).flip([2]),
        2 => images.flip([2, 3]),
        _ => images.swap_dims(2, 3).flip([3]),
    }
}

/// All four rotations of every image: `[n, c, s, s]` -> `[4n, c, s, s]`, the n images at 0 degrees first, then those at 90, 180 and
/// 270 degrees (Gidaris et al. 2018, section 3.1).
pub fn all_rotations(images: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if height == width && kernel::is_gpu(&images.device()) {
        return kernel::quarter_turns(images);
    }
    Tensor::cat((0..4).map(|quarters| rotate(images.clone(), quarters)).collect(), 0)
}

/// Rotates each image by 0, 90, 180 or 270 degrees, drawn uniformly: `[n, c, s, s]` -> the same shape.
pub fn rotate_each(images: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
    let [n, ..] = images.dims();
    let rows: Vec<i32> = (0..n).map(|image| (rng.random_range(0..4) * n + image) as i32).collect();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [n]), &images.device());
    all_rotations(images).select(0, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use burn::tensor::Device;

    fn image() -> Tensor<4> {
        Tensor::from_data([[[[1.0f32, 2.0], [3.0, 4.0]]]], &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    #[test]
    fn the_order_of_rotations_is_rotnets() {
        let expected = [[1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 1.0, 3.0], [4.0, 3.0, 2.0, 1.0], [3.0, 1.0, 4.0, 2.0]];
        for (quarters, expected) in expected.into_iter().enumerate() {
            assert_eq!(values(rotate(image(), quarters)), expected, "{quarters} quarters");
        }
        assert_eq!(values(all_rotations(image())), expected.concat());
    }

    #[test]
    fn four_quarter_turns_are_the_identity() {
        let x = Tensor::<4>::from_data([[[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]], &Device::flex());
        assert_eq!(values(rotate(rotate(x.clone(), 1), 3)), values(x.clone()));
        assert_eq!(values((0..4).fold(x.clone(), |x, _| rotate(x, 1))), values(x));
    }

    #[test]
    #[should_panic(expected = "not square")]
    fn images_that_are_not_square_panic() {
        rotate(Tensor::zeros([1, 1, 2, 3], &Device::flex()), 1);
    }

    #[test]
    fn each_image_has_its_own_rotation() {
        let x = Tensor::cat(vec![image(); 40], 0);
        let turned = values(rotate_each(x, &mut stream(1, Purpose::Views, 0)));
        let turns: Vec<Vec<f32>> = (0..4).map(|quarters| values(rotate(image(), quarters))).collect();
        let seen: Vec<usize> =
            turned.chunks(4).map(|one| turns.iter().position(|turn| turn == one).expect("a turn")).collect();
        assert!((0..4).all(|quarters| seen.contains(&quarters)), "{seen:?}");
    }
}
