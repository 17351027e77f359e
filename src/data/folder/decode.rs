//! From a file to a square of pixels. Files are not trusted: what they announce is checked before memory is taken.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::jpeg::JpegDecoder;
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, RgbImage};

use super::png;

/// Bytes a file may have.
const MAX_BYTES: u64 = 1 << 28;
/// Pixels an image may have, 67 million: decoding one takes some hundred megabytes on each processor.
const MAX_PIXELS: u64 = 1 << 26;
const JPEG_START: [u8; 3] = [0xff, 0xd8, 0xff];
/// What follows 255 where a scan begins, and where the image ends.
const JPEG_SCAN: u8 = 0xda;
const JPEG_END: u8 = 0xd9;

/// What is wrong with a file, to be read after its name.
pub(super) type Wrong = String;

/// The centre square of an image, shrunk or enlarged to `side` pixels: one plane if it is gray, else three. Transparency
/// is left out.
pub(super) fn square(path: &Path, side: usize) -> Result<Vec<u8>, Wrong> {
    let bytes = read(path)?;
    let (image, orientation) = decode(&bytes)?;
    let mut square = DynamicImage::ImageRgb8(centre(&image.into_rgb8(), side as u32));
    square.apply_orientation(orientation);
    Ok(planes(&square.into_rgb8()))
}

fn read(path: &Path) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

/// The image as it is stored, and how it wants to be turned. The name of a file says little of what is in it.
fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    if let Some(chunks) = bytes.strip_prefix(&png::SIGNATURE) {
        Ok((png::decode(chunks)?, Orientation::NoTransforms))
    } else if bytes.starts_with(&JPEG_START) {
        jpeg(bytes)
    } else {
        Err("it is neither a PNG nor a JPEG file".into())
    }
}

fn jpeg(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    let damaged = |error: ImageError| {
        let said = error.to_string();
        format!("it is no whole JPEG file ({})", said.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let mut decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    // the decoder paints gray what is missing
    if is_cut_off(bytes) {
        Err("it is no whole JPEG file (its end is missing)".into())
    } else {
        Ok((image, orientation))
    }
}

/// Whether no end follows the last scan. Within a scan neither marker can occur, for every byte 255 of its data is followed by
/// a 0; a preview before it has its own.
fn is_cut_off(jpeg: &[u8]) -> bool {
    let last = |marker: u8| jpeg.windows(2).rposition(|two| two == [0xff, marker]);
    last(JPEG_END) < last(JPEG_SCAN)
}

/// Refuses images that would take too much memory.
pub(super) fn check_pixels(width: u32, height: u32) -> Result<(), Wrong> {
    if u64::from(width) * u64::from(height) <= MAX_PIXELS && width > 0 && height > 0 {
        return Ok(());
    }
    Err(format!("it announces {width}x{height} pixels, and no more than {MAX_PIXELS} are read"))
}

/// The square in the middle, cut out first, so that nothing is resized in vain.
fn centre(image: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let edge = width.min(height);
    let square = imageops::crop_imm(image, (width - edge) / 2, (height - edge) / 2, edge, edge);
    if edge == side { square.to_image() } else { imageops::resize(&*square, side, side, FilterType::Triangle) }
}

/// From interleaved colours to planes; one plane where red, green and blue are the same everywhere.
fn planes(image: &RgbImage) -> Vec<u8> {
    let channels = if image.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) { 1 } else { 3 };
    (0..channels).flat_map(|channel| image.pixels().map(move |pixel| pixel[channel])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{jpeg, plain, png};
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8], side: usize) -> Result<Vec<u8>, Wrong> {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("file");
        std::fs::write(&path, bytes).expect("a file");
        square(&path, side)
    }

    /// Left half black, right half white, with a red column at the very left.
    fn halves(width: u32, height: u32) -> Vec<u8> {
        let pixel = |x: u32| match x {
            0 => [255, 0, 0],
            _ if x < width / 2 => [0; 3],
            _ => [255; 3],
        };
        (0..width * height).flat_map(|place| pixel(place % width)).collect()
    }

    #[test]
    fn the_centre_is_cut_out_and_planes_follow_one_another() {
        let rows: Vec<u8> = halves(8, 4).chunks(24).flat_map(|row| [&[0], row].concat()).collect();
        let wide = png([8, 4], [8, 2, 0], &[], &rows);
        // the middle four columns are black, black, white, white: the red one is cut off and what is left is gray
        assert_eq!(of(&wide, 4), Ok([0, 0, 255, 255].repeat(4)));
        // half the size: neighbours at half a pixel weigh 3/4, at one and a half 1/4, so that 36 = 255 * 1/4 / (7/4)
        assert_eq!(of(&wide, 2), Ok([36, 219].repeat(2)));
        assert_eq!(of(&plain([5, 9], [10, 20, 30]), 3), Ok([[10; 9], [20; 9], [30; 9]].concat()));
        assert_eq!(of(&plain([2, 2], [10, 20, 30]), 8), Ok([[10; 64], [20; 64], [30; 64]].concat()));
    }

    #[test]
    fn a_photograph_is_turned_the_way_it_was_taken() {
        let photo = jpeg([8, 8], &halves(8, 8));
        let upright = of(&photo, 8).expect("an image");
        // the smallest EXIF block that says: turn by a quarter, clockwise
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let marker = [&[0xff, 0xe1, 0, exif.len() as u8 + 2], &exif[..]].concat();
        let turned = of(&[&photo[..2], &marker, &photo[2..]].concat(), 8).expect("an image");
        // what was at the left, the red column, is now at the top
        for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
            assert_eq!(turned[x * 8 + y], upright[(7 - y) * 8 + x], "row {x}, column {y}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_called_by_its_name() {
        let refused = |bytes: &[u8]| of(bytes, 8).expect_err("must be refused");
        assert!(refused(b"").contains("neither a PNG nor a JPEG"));
        assert!(refused(b"GIF89a").contains("neither a PNG nor a JPEG"));
        let photo = jpeg([64, 64], &halves(64, 64));
        assert!(refused(&photo[..photo.len() / 2]).contains("no whole JPEG"));
        assert!(refused(&photo[..20]).contains("no whole JPEG"));
        let large = jpeg([256, 256], &halves(256, 256));
        for share in [5, 7, 9] {
            assert!(
                refused(&large[..large.len() * share / 10]).contains("no whole JPEG"),
                "{share} tenths are not all"
            );
        }
        assert!(of(&[large, vec![0; 16]].concat(), 8).is_ok(), "what follows the end does not matter");
        // height and width in the frame header
        let frame = photo.windows(2).position(|two| two == [0xff, 0xc0]).expect("a frame");
        let mut bomb = photo;
        bomb[frame + 5..frame + 9].fill(0xff);
        assert!(refused(&bomb).contains("65535x65535 pixels"), "{}", refused(&bomb));
        assert!(square(Path::new("no/such/file"), 8).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_bytes_make_the_reader_panic(
            flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
            cut: usize,
        ) {
            let mut photo = jpeg([24, 16], &halves(24, 16));
            for (place, byte) in flips {
                let place = 3 + place % (photo.len() - 3);
                photo[place] = byte;
            }
            photo.truncate(3 + cut % photo.len());
            let _ = decode(&photo);
        }
    }
}
