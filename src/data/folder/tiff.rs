//! TIFF files: the first image of each.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, RgbImage, Rgba, RgbaImage};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::limits::{MAX_MEMORY, Permit, Wrong, in_a_line};

/// Decodes a file; also returns the rotation of its EXIF data.
pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_MEMORY as usize;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let _permit = Permit::take(width, height)?;
    let colours = decoder.colortype().map_err(damaged)?;
    let value = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let orientation = value.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
    let pixels = decoder.read_image().map_err(damaged)?;
    Ok((image(width, height, colours, pixels)?, orientation))
}

fn image(width: u32, height: u32, colours: ColorType, pixels: DecodingResult) -> Result<DynamicImage, Wrong> {
    let image = match (colours, pixels) {
        (ColorType::Gray(bits @ (1 | 2 | 4)), DecodingResult::U8(packed)) => {
            GrayImage::from_raw(width, height, unpacked(&packed, width, bits)).map(DynamicImage::from)
        }
        (ColorType::Gray(8), DecodingResult::U8(bytes)) => of_pixels::<Luma<u8>>(width, height, bytes),
        (ColorType::GrayA(8), DecodingResult::U8(bytes)) => {
            GrayAlphaImage::from_raw(width, height, bytes).map(DynamicImage::from)
        }
        (ColorType::RGB(8), DecodingResult::U8(bytes)) => {
            RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
        }
        (ColorType::RGBA(8), DecodingResult::U8(bytes)) => {
            RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from)
        }
        (ColorType::CMYK(8), DecodingResult::U8(inks)) => {
            RgbImage::from_raw(width, height, inks.chunks_exact(4).flat_map(of_inks).collect()).map(DynamicImage::from)
        }
        (ColorType::Gray(16), DecodingResult::U16(values)) => of_pixels::<Luma<u16>>(width, height, values),
        (ColorType::GrayA(16), DecodingResult::U16(values)) => of_pixels::<LumaA<u16>>(width, height, values),
        (ColorType::RGB(16), DecodingResult::U16(values)) => of_pixels::<Rgb<u16>>(width, height, values),
        (ColorType::RGBA(16), DecodingResult::U16(values)) => of_pixels::<Rgba<u16>>(width, height, values),
        (ColorType::Gray(32), DecodingResult::F32(values)) => {
            GrayImage::from_raw(width, height, of_floats(&values)?).map(DynamicImage::from)
        }
        (ColorType::RGB(32), DecodingResult::F32(values)) => {
            RgbImage::from_raw(width, height, of_floats(&values)?).map(DynamicImage::from)
        }
        (other, _) => return Err(format!("it is a TIFF file of a kind that is not read ({other:?})")),
    };
    image.ok_or_else(|| "it is no whole TIFF file (pixels are missing)".to_string())
}

fn of_pixels<P: Pixel>(width: u32, height: u32, values: Vec<P::Subpixel>) -> Option<DynamicImage>
where
    DynamicImage: From<ImageBuffer<P, Vec<P::Subpixel>>>,
{
    ImageBuffer::from_raw(width, height, values).map(DynamicImage::from)
}

/// Pixels of less than eight bits, each row of which begins with a byte of its own.
fn unpacked(packed: &[u8], width: u32, bits: u8) -> Vec<u8> {
    let (per_byte, most) = (8 / u32::from(bits), (1u16 << bits) - 1);
    let rows = packed.chunks(width.div_ceil(per_byte).max(1) as usize);
    let pixel = |row: &[u8], place: u32| {
        let byte = row.get((place / per_byte) as usize).copied().unwrap_or(0);
        let value = u16::from(byte) >> (8 - u32::from(bits) * (place % per_byte + 1)) & most;
        (value * 255 / most) as u8
    };
    rows.flat_map(|row| (0..width).map(move |place| pixel(row, place))).collect()
}

/// Red, green and blue of four inks.
fn of_inks(inks: &[u8]) -> [u8; 3] {
    [0, 1, 2].map(|ink| (u16::from(255 - inks[ink]) * u16::from(255 - inks[3]) / 255) as u8)
}

/// Bytes of numbers between 0 and 1. Other ranges would have to be stretched, and no field states them.
fn of_floats(values: &[f32]) -> Result<Vec<u8>, Wrong> {
    if !values.iter().all(|value| (0.0..=1.0).contains(value)) {
        return Err("its floating-point numbers are not between 0 and 1; save it with 8 or 16 bits a channel".into());
    }
    Ok(values.iter().map(|value| (255.0 * value).round() as u8).collect())
}

fn damaged(error: TiffError) -> Wrong {
    let said = in_a_line(&error);
    match error {
        TiffError::UnsupportedError(_) => format!("it is a TIFF file of a kind that is not read ({said})"),
        _ => format!("it is no whole TIFF file ({said})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tiff::encoder::{TiffEncoder, colortype};

    /// A file of 3x2 pixels.
    fn encoded<C: colortype::ColorType>(values: &[C::Inner]) -> Vec<u8>
    where
        [C::Inner]: tiff::encoder::TiffValue,
    {
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).expect("memory");
        encoder.write_image::<C>(3, 2, values).expect("an image");
        bytes.into_inner()
    }

    fn rgb(bytes: &[u8]) -> Result<Vec<u8>, Wrong> {
        decode(bytes).map(|(image, _)| image.into_rgb8().into_raw())
    }

    #[test]
    fn every_kind_of_pixel_keeps_its_value() {
        let thrice = |values: [u8; 6]| values.iter().flat_map(|&value| [value; 3]).collect::<Vec<u8>>();
        let gray = encoded::<colortype::Gray8>(&[0, 50, 100, 150, 200, 250]);
        assert_eq!(rgb(&gray), Ok(thrice([0, 50, 100, 150, 200, 250])));
        let colours: Vec<u8> = (0..18).map(|place| 14 * place).collect();
        assert_eq!(rgb(&encoded::<colortype::RGB8>(&colours)), Ok(colours));
        let transparent = [[9, 8, 7, 0]; 6].concat();
        assert_eq!(rgb(&encoded::<colortype::RGBA8>(&transparent)), Ok([[9, 8, 7]; 6].concat()));
        let inks = [[0, 255, 0, 0]; 6].concat();
        assert_eq!(rgb(&encoded::<colortype::CMYK8>(&inks)), Ok([[255, 0, 255]; 6].concat()));
        let deep = decode(&encoded::<colortype::Gray16>(&[0, 1, 2, 3, 4095, 65535])).expect("an image").0;
        assert_eq!(deep.into_luma16().into_raw(), [0, 1, 2, 3, 4095, 65535]);
        let floats = encoded::<colortype::Gray32Float>(&[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(rgb(&floats), Ok(thrice([0, 51, 102, 153, 204, 255])));
        // three pixels of one bit and of four, each row in a byte or two of its own
        assert_eq!(unpacked(&[0b0100_0000, 0b1010_0000], 3, 1), [0, 255, 0, 255, 0, 255]);
        assert_eq!(unpacked(&[0x0f, 0x80], 3, 4), [0, 255, 136]);
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let refused = |bytes: &[u8]| rgb(bytes).expect_err("must be refused");
        assert!(refused(&encoded::<colortype::Gray32Float>(&[300.0; 6])).contains("between 0 and 1"));
        assert!(refused(&encoded::<colortype::Gray32Float>(&[f32::NAN; 6])).contains("between 0 and 1"));
        assert!(refused(&encoded::<colortype::Gray32>(&[70_000; 6])).contains("a kind that is not read"));
        let whole = encoded::<colortype::Gray8>(&[7; 6]);
        assert!((4..whole.len() - 1).all(|cut| rgb(&whole[..cut]).is_err()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn no_bytes_make_the_reader_panic(
            flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
            cut: usize,
        ) {
            let mut file = encoded::<colortype::RGB8>(&[90; 18]);
            for (place, byte) in flips {
                let place = 4 + place % (file.len() - 4);
                file[place] = byte;
            }
            file.truncate(4 + cut % file.len());
            let _ = decode(&file);
        }
    }
}
