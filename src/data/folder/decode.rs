//! From a file to a square of pixels. Files are not trusted: the sizes they state are checked before memory is allocated.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, pnm::PnmDecoder, webp::WebPDecoder};
use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, Limits, Pixel, Primitive};

use super::content::{self, Content, FORMATS, Format};
use super::limits::{MAX_BYTES, MAX_MEMORY, Permit, Wrong, in_a_line};
use super::{jpeg, png, tiff};

/// The pixels of a square image in planes: one where it is gray, else three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Planes {
    Eight(Vec<u8>),
    /// Of a file with 16 bits a channel.
    Sixteen(Vec<u16>),
}

/// The centre square of an image, shrunk or enlarged to `side` pixels. Transparency is left out.
pub(super) fn square(path: &Path, side: usize) -> Result<Planes, Wrong> {
    square_of(path, &read(path)?, side)
}

/// The same for the content of a file of this name.
pub(super) fn square_of(name: &Path, bytes: &[u8], side: usize) -> Result<Planes, Wrong> {
    if content::is_raw(name) {
        return Err(unread("camera raw"));
    }
    let (image, orientation) = decode(bytes)?;
    squared(image, orientation, side as u32)
}

fn squared(image: DynamicImage, orientation: Orientation, side: u32) -> Result<Planes, Wrong> {
    use DynamicImage::{ImageLuma16, ImageLumaA16, ImageRgb16, ImageRgba16};
    match image {
        ImageLuma16(_) | ImageLumaA16(_) | ImageRgb16(_) | ImageRgba16(_) => {
            let mut square = ImageRgb16(centre(&image.into_rgb16(), side));
            square.apply_orientation(orientation);
            Ok(Planes::Sixteen(planes(&square.into_rgb16())))
        }
        _ => {
            let mut square = DynamicImage::ImageRgb8(centre(&image.into_rgb8(), side));
            square.apply_orientation(orientation);
            Ok(Planes::Eight(planes(&square.into_rgb8())))
        }
    }
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

/// The image as it is stored, and the rotation of its EXIF data. The format is recognised by content, because extensions are
/// often wrong.
fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    let head = &bytes[..bytes.len().min(512)];
    let format = match content::of_bytes(head) {
        Content::Image(format) => format,
        Content::Unread(name) => return Err(unread(name)),
        Content::Film => return Err("it is a film, and `clips:DIR` reads those".into()),
        Content::Other if bytes.is_empty() => return Err("it is empty".into()),
        Content::Other => return Err(format!("it is no image: its first bytes are those of no {FORMATS} file")),
    };
    let source = Cursor::new(bytes);
    match format {
        Format::Png => png::decode(&bytes[png::SIGNATURE.len()..]),
        Format::Jpeg => jpeg::decode(bytes),
        Format::Gif => GifDecoder::new(source).map_err(|error| damaged("GIF", &error)).and_then(|it| by(it, "GIF")),
        Format::WebP => WebPDecoder::new(source).map_err(|error| damaged("WebP", &error)).and_then(|it| by(it, "WebP")),
        Format::Bmp => BmpDecoder::new(source).map_err(|error| damaged("BMP", &error)).and_then(|it| by(it, "BMP")),
        Format::Tiff => tiff::decode(bytes),
        Format::Pnm => PnmDecoder::new(source).map_err(|error| damaged("PNM", &error)).and_then(|it| by(it, "PNM")),
    }
}

fn unread(name: &str) -> Wrong {
    format!("it is of the format {name}, which is not read; turn it into one of {FORMATS}")
}

/// The first image of a file with one of the decoders of `image`.
fn by(mut decoder: impl ImageDecoder, name: &str) -> Result<(DynamicImage, Orientation), Wrong> {
    let (width, height) = decoder.dimensions();
    let _permit = Permit::take(width, height)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    decoder.set_limits(limits).map_err(|error| damaged(name, &error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|error| damaged(name, &error))?;
    Ok((image, orientation))
}

fn damaged(name: &str, error: &ImageError) -> Wrong {
    let said = in_a_line(error);
    match error {
        ImageError::Unsupported(_) => format!("it is a {name} file of a kind that is not read ({said})"),
        _ => format!("it is no whole {name} file ({said})"),
    }
}

/// The square in the middle, cropped before resizing, so that no pixel is resized in vain.
fn centre<P: Pixel<Subpixel = S> + 'static, S: Primitive + 'static>(
    image: &ImageBuffer<P, Vec<S>>,
    side: u32,
) -> ImageBuffer<P, Vec<S>> {
    let (width, height) = image.dimensions();
    let edge = width.min(height);
    let square = imageops::crop_imm(image, (width - edge) / 2, (height - edge) / 2, edge, edge);
    if edge == side { square.to_image() } else { imageops::resize(&*square, side, side, FilterType::Triangle) }
}

/// From interleaved colours to planes; one plane where red, green and blue are the same everywhere.
fn planes<P: Pixel<Subpixel = S>, S: Primitive>(image: &ImageBuffer<P, Vec<S>>) -> Vec<S> {
    let is_gray = |pixel: &P| pixel.channels().iter().all(|&colour| colour == pixel.channels()[0]);
    let channels = if image.pixels().all(is_gray) { 1 } else { 3 };
    (0..channels).flat_map(|channel| image.pixels().map(move |pixel| pixel.channels()[channel])).collect()
}
#[cfg(test)]
mod tests {
    use super::super::sample::{chunk, jpeg, one_scan_a_colour, plain, png};
    use super::*;
    use image::{ImageFormat, RgbImage};
    use proptest::prelude::*;

    fn planes_of(bytes: &[u8], side: usize) -> Result<Planes, Wrong> {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("file");
        std::fs::write(&path, bytes).expect("a file");
        square(&path, side)
    }

    fn of(bytes: &[u8], side: usize) -> Result<Vec<u8>, Wrong> {
        planes_of(bytes, side).map(|planes| match planes {
            Planes::Eight(bytes) => bytes,
            Planes::Sixteen(values) => panic!("{} values of 16 bits", values.len()),
        })
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
        assert!(refused(b"").contains("it is empty"));
        assert!(refused(b"words").contains("it is no image"));
        assert!(refused(b"GIF89a").contains("no whole GIF"));
        assert!(refused(b"\0\0\0\x20ftypavif").contains("the format AVIF, which is not read"));
        assert!(refused(b"\0\0\0\x20ftypisom").contains("it is a film"));
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

    /// Two images of `image`'s own encoders in each format, the first gray and the second in colour.
    fn encoded(format: ImageFormat) -> [Vec<u8>; 2] {
        let gray = RgbImage::from_fn(12, 9, |x, _| image::Rgb([if x < 6 { 10 } else { 200 }; 3]));
        let coloured = RgbImage::from_pixel(5, 5, image::Rgb([200, 30, 90]));
        [gray, coloured].map(|image| {
            let mut bytes = Cursor::new(Vec::new());
            DynamicImage::from(image).write_to(&mut bytes, format).expect("an image");
            bytes.into_inner()
        })
    }

    const OTHERS: [ImageFormat; 4] = [ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Pnm];

    #[test]
    fn every_format_comes_out_with_its_own_pixels() {
        for format in OTHERS {
            let [gray, coloured] = encoded(format);
            let planes = of(&gray, 8).unwrap_or_else(|why| panic!("{format:?}: {why}"));
            assert_eq!((planes.len(), planes[0], planes[7]), (64, 10, 200), "{format:?}");
            assert_eq!(of(&coloured, 2), Ok([[200; 4], [30; 4], [90; 4]].concat()), "{format:?}");
            for cut in [gray.len() / 3, gray.len() / 2] {
                let said = of(&gray[..cut], 8).expect_err("it is not whole");
                assert!(said.contains("no whole"), "{format:?}: {said}");
            }
        }
    }

    #[test]
    fn sixteen_bits_stay_sixteen_until_the_whole_set_is_known() {
        let deep = png([2, 1], [16, 0, 0], &[], &[0, 15, 255, 0, 7]);
        assert_eq!(planes_of(&deep, 1).map(|planes| matches!(planes, Planes::Sixteen(_))), Ok(true));
    }

    #[test]
    fn a_png_is_turned_the_way_its_exif_block_says() {
        let upright = png([2, 2], [8, 0, 0], &[], &[0, 1, 2, 0, 3, 4]);
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let (start, rest) = upright.split_at(8 + 25);
        let turned = [start, &chunk(b"eXIf", exif), rest].concat();
        assert_eq!((of(&upright, 2), of(&turned, 2)), (Ok(vec![1, 2, 3, 4]), Ok(vec![3, 1, 4, 2])));
    }

    #[test]
    fn a_scan_for_each_colour_is_decoded_too() {
        // 16x16 of one red in 4:2:0, a scan each for luma and both chromas, put together by hand
        let planes = of(&one_scan_a_colour(), 8).expect("an image");
        assert_eq!(planes.len(), 3 * 64);
        let means =
            [0, 1, 2].map(|part| planes[64 * part..][..64].iter().map(|&value| u32::from(value)).sum::<u32>() / 64);
        assert!(means[0].abs_diff(220) < 6 && means[1].abs_diff(40) < 6 && means[2].abs_diff(30) < 6, "{means:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn no_bytes_make_the_reader_panic(
            flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
            cut: usize,
        ) {
            let whole = [jpeg([24, 16], &halves(24, 16)), one_scan_a_colour()].into_iter();
            for mut photo in whole.chain(OTHERS.into_iter().flat_map(encoded)) {
                for (place, byte) in &flips {
                    let place = 3 + place % (photo.len() - 3);
                    photo[place] = *byte;
                }
                photo.truncate(3 + cut % photo.len());
                let _ = decode(&photo);
            }
        }
    }
}
