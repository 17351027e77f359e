//! Images brought to the size and channels that an encoder reads.

use burn::tensor::{Device, Tensor};

use crate::data::{Dataset, Size, Split};
use crate::error::{Error, Result};
use crate::view::{gray, resize};

/// Images converted at once.
const BATCH: usize = 500;

/// Images in the size and channels of an encoder.
#[derive(Clone, Debug)]
pub struct AdaptedImages {
    /// The images.
    pub images: Dataset,
    /// The conversion in words; `None` where the images fitted as they were.
    pub how: Option<String>,
}

/// Converts images for an encoder of `channels` channels and, where given, of a `size` (rows, columns): gray is repeated for
/// three channels, colour becomes luma, and another size is resampled (bilinear, antialiased) to the nearest byte.
///
/// # Errors
/// When the encoder has neither one nor three channels, and the images do not have as many.
pub fn adapt_images(images: Dataset, channels: usize, size: Option<[usize; 2]>) -> Result<AdaptedImages> {
    let there = images.train.size();
    let [height, width] = size.unwrap_or([there.height, there.width]);
    let wanted = Size { channels, height, width };
    if there == wanted {
        return Ok(AdaptedImages { images, how: None });
    }
    let mut done = Vec::new();
    match (there.channels, channels) {
        (from, to) if from == to => {}
        (1, 3) => done.push("gray repeated in all three channels".to_string()),
        (3, 1) => done.push("colours converted to gray (0.299 red, 0.587 green, 0.114 blue)".to_string()),
        (from, to) => {
            return Err(Error::Data(format!("the encoder reads images of {to} channels, but these have {from}")));
        }
    }
    if (there.height, there.width) != (height, width) {
        let from = format!("{}x{}", there.width, there.height);
        done.push(format!("{from} px resized to {width}x{height} (bilinear, antialiased)"));
    }
    let images = Dataset {
        train: split_as(&images.train, wanted)?,
        validation: images.validation.as_ref().map(|half| split_as(half, wanted)).transpose()?,
        test: split_as(&images.test, wanted)?,
        name: images.name,
        classes: images.classes,
    };
    Ok(AdaptedImages { images, how: Some(done.join("; ")) })
}

/// The images of a split in another size, to the nearest byte.
fn split_as(split: &Split, to: Size) -> Result<Split> {
    let split = if split.size().channels < to.channels { split.in_colour() } else { split.clone() };
    let indices: Vec<usize> = (0..split.len()).collect();
    let mut pixels = Vec::with_capacity(split.len() * to.bytes());
    for some in indices.chunks(BATCH) {
        let images = batch_as(split.tensor(some, &Device::flex()), to);
        pixels.extend(images.into_data().iter::<f32>().map(|value| (255.0 * value).round().clamp(0.0, 255.0) as u8));
    }
    let brought = if split.labels().is_empty() {
        Split::unlabelled(to, pixels)?
    } else {
        Split::new(to, pixels, split.labels().to_vec())?
    };
    if split.files().is_empty() { Ok(brought) } else { brought.with_files(split.files().to_vec()) }
}

/// `[n, c, h, w]` in 0 to 1 -> `[n, c', h', w']`.
fn batch_as(images: Tensor<4>, to: Size) -> Tensor<4> {
    let [n, channels, height, width] = images.dims();
    let images = if channels > to.channels { gray(images, &vec![true; n]).narrow(1, 0, to.channels) } else { images };
    if [height, width] == [to.height, to.width] { images } else { resize(images, [to.height, to.width]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(size: Size, pixels: Vec<u8>) -> Dataset {
        let labels = vec![0; pixels.len() / size.bytes()];
        let split = Split::new(size, pixels, labels).expect("an image a label");
        Dataset {
            name: "test".into(),
            classes: vec!["one".into()],
            train: split.clone(),
            validation: None,
            test: split,
        }
    }

    #[test]
    fn images_that_fit_stay_as_they_are() {
        let images = dataset(Size { channels: 1, height: 2, width: 2 }, vec![0, 1, 2, 3]);
        let AdaptedImages { images: same, how } = adapt_images(images.clone(), 1, Some([2, 2])).expect("they fit");
        assert_eq!((same, how), (images.clone(), None));
        let coloured = adapt_images(images, 3, None).expect("gray serves colour");
        assert_eq!(coloured.images.test.image(0), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
        assert!(coloured.how.is_some_and(|how| how.contains("all three channels")));
    }

    #[test]
    fn colours_turn_gray_and_images_take_the_encoders_size() {
        let [red, green, blue] = [[100u8; 16], [200; 16], [50; 16]];
        let images = dataset(Size { channels: 3, height: 4, width: 4 }, [red, green, blue].concat());
        let AdaptedImages { images, how } = adapt_images(images, 1, Some([2, 3])).expect("colour serves gray");
        assert_eq!(images.train.size(), Size { channels: 1, height: 2, width: 3 });
        // 0.299 * 100 + 0.587 * 200 + 0.114 * 50 = 153, and a flat image stays flat
        assert_eq!(images.train.image(0), [153; 6]);
        assert_eq!(images.train.labels(), [0]);
        let how = how.expect("something was done");
        assert!(how.contains("converted to gray") && how.contains("4x4 px resized to 3x2"), "{how}");
        // two columns of one shade, two of another: halves of the width keep both
        let edge: Vec<u8> = (0..16).map(|at| if at % 4 < 2 { 40 } else { 200 }).collect();
        let images = dataset(Size { channels: 1, height: 4, width: 4 }, edge);
        let small = adapt_images(images, 1, Some([2, 2])).expect("another size").images;
        let [left, right] = [small.train.image(0)[0], small.train.image(0)[1]];
        assert!(left < 80 && right > 160 && left + right == 240, "{left} and {right}");
    }

    #[test]
    fn other_numbers_of_channels_are_refused() {
        let images = dataset(Size { channels: 1, height: 1, width: 1 }, vec![0]);
        let refused = adapt_images(images, 4, None).err();
        assert!(matches!(refused, Some(Error::Data(said)) if said.contains("4 channels")));
    }
}
