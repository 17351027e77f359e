//! Drawing of frames that show which region of an image a transformed view was taken from.

use burn::tensor::{Tensor, TensorData};

use super::homography::{Homography, inverses};
use super::warp::destinations;

/// Half the width of a line, and of the line along the upper side, in pixels of the view.
const LINES: [f64; 2] = [0.9, 1.9];
/// Brightness of the margin around the image.
const AROUND: f32 = 0.5;

/// Frames of one colour, one for each image.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Red, green and blue of the line, 0 to 1.
    pub colour: [f32; 3],
    /// Homographies from the view to the image, as [`super::warp()`] takes them: `[n, 3, 3]`.
    pub maps: Tensor<3>,
}

/// Draws the frames of its views into each image, later ones on top, each with a thick upper side. A gray margin of a quarter of the
/// image's side shows frames that reach beyond the image.
///
/// A pixel is on a frame if the inverse homography maps it to the border of the view: where `|max(|x|, |y|) - 1|` is small, with x
/// and y in -1 to 1 inside the view.
///
/// `images`: `[n, c, s, s]` in 0 to 1, c = 1 or 3 -> `[n, 3, s', s']`, `s' = s + 2 floor(s / 4)`.
pub fn draw_frames(images: Tensor<4>, frames: &[Frames]) -> Tensor<4> {
    let [n, c, side, width] = images.dims();
    assert!(side == width && (c == 1 || c == 3), "draw_frames: square images of 1 or 3 channels");
    let margin = side / 4;
    let device = images.device();
    let size = [side + 2 * margin; 2];
    let coloured = if c == 1 { images.repeat_dim(1, 3) } else { images };
    let surface = coloured.pad((margin, margin, margin, margin), AROUND);
    let back = -(margin as f64);
    let into_image = Homography([1.0, 0.0, back, 0.0, 1.0, back, 0.0, 0.0, 1.0]);
    frames.iter().fold(surface, |drawn, Frames { colour, maps }| {
        let maps = inverses(maps.clone()).matmul(Homography::tensor(&vec![into_image; n], &device));
        let [x, y] = destinations(maps, size).map(|position| position * (2.0 / side as f64) - 1.0); // [n, s', s', 1]
        let distance = (x.clone().abs().max_pair(y.clone().abs()) - 1.0).abs() * (side as f64 / 2.0);
        let upper = y.clone().lower(x.abs().neg()).float();
        let on_line = distance.lower_equal(upper * (LINES[1] - LINES[0]) + LINES[0]).float();
        let on_line = on_line.reshape([n, 1, size[0], size[1]]);
        let colour = Tensor::<4>::from_data(TensorData::new(colour.to_vec(), [1, 3, 1, 1]), &device);
        drawn * (on_line.clone().neg() + 1.0) + colour * on_line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const RED: [f32; 3] = [1.0, 0.0, 0.0];

    /// Pixels of the red line drawn into a black image of 8 px: twelve rows of twelve.
    fn drawn(map: Homography, channels: usize) -> Vec<Vec<bool>> {
        let device = Device::flex();
        let frame = Frames { colour: RED, maps: Homography::tensor(&[map], &device) };
        let found = draw_frames(Tensor::zeros([1, channels, 8, 8], &device), &[frame]);
        assert_eq!(found.dims(), [1, 3, 12, 12]);
        let red: Vec<f32> = found.clone().narrow(1, 0, 1).into_data().try_to_vec().expect("floats");
        let green: Vec<f32> = found.narrow(1, 1, 1).into_data().try_to_vec().expect("floats");
        let line = red.iter().zip(&green).map(|(&red, &green)| red == 1.0 && green == 0.0);
        line.collect::<Vec<_>>().chunks(12).map(<[bool]>::to_vec).collect()
    }

    #[test]
    fn the_identity_frames_the_whole_image() {
        for channels in [1, 3] {
            let line = drawn(Homography::IDENTITY, channels);
            let column: Vec<bool> = line.iter().map(|row| row[6]).collect();
            let expected = [true, true, true, true, false, false, false, false, false, true, true, false];
            assert_eq!(column, expected);
            assert_eq!(line[6], [false, true, true, false, false, false, false, false, false, true, true, false]);
        }
    }

    #[test]
    fn the_frame_follows_rotation_and_scale_of_the_view() {
        // the view is the image rotated counter-clockwise: its upper side is the image's right side
        let turned = drawn(Homography([0.0, -1.0, 8.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]), 1);
        assert!(turned[6][8..].iter().all(|&on| on) && turned[6][1] && !turned[6][0] && !turned[3][6]);
        // the view is the central three quarters, enlarged
        let less = drawn(Homography([0.75, 0.0, 1.0, 0.0, 0.75, 1.0, 0.0, 0.0, 1.0]), 1);
        assert_eq!(less[6], [false, false, true, true, false, false, false, false, true, true, false, false]);
    }
}
