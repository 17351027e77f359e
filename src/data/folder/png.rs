//! PNG files. The decoder is given only the chunks of the pixels. Colour profiles, texts and animations, which could unpack
//! to gigabytes, are left out.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, Rgba};
use zune_png::PngDecoder;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::DecoderOptions;
use zune_png::zune_core::result::DecodingResult;

use super::limits::{Permit, Wrong, in_a_line};

/// The first bytes of every PNG file.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The colour type of images with a palette.
const PALETTE: u8 = 3;

/// The facts of the first chunk.
#[derive(Clone, Copy, Debug)]
struct Header {
    width: u32,
    height: u32,
    colour: u8,
}

/// Decodes the chunks after the signature of a PNG file; also returns the rotation of its EXIF data.
pub(super) fn decode(body: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    let mut chunks = Chunks(body);
    let header = chunks.next().ok_or_else(cut)?;
    let Header { width, height, colour } = Header::parse(header)?;
    let _permit = Permit::take(width, height)?;
    let mut essence = [&SIGNATURE[..], header].concat();
    let mut palettes = 0;
    let mut orientation = Orientation::NoTransforms;
    loop {
        let chunk = chunks.next().ok_or_else(cut)?;
        match &chunk[4..8] {
            b"IEND" => break essence.extend_from_slice(chunk),
            b"IDAT" => essence.extend_from_slice(chunk),
            b"PLTE" if colour == PALETTE && palettes == 0 => {
                palettes += 1;
                essence.extend_from_slice(chunk);
            }
            b"eXIf" => {
                let content = &chunk[8..chunk.len() - 4];
                orientation = Orientation::from_exif_chunk(content).unwrap_or(orientation);
            }
            _ => {}
        }
    }
    if colour == PALETTE && palettes == 0 {
        return Err("it is no whole PNG file (it has no palette)".into());
    }
    Ok((pixels(&essence, width, height)?, orientation))
}

fn pixels(file: &[u8], width: u32, height: u32) -> Result<DynamicImage, Wrong> {
    let damaged = |what: &dyn std::fmt::Debug| format!("it is no whole PNG file ({})", in_a_line(&format!("{what:?}")));
    let options = DecoderOptions::default()
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        .png_set_confirm_crc(true)
        .inflate_set_confirm_adler(true);
    let mut decoder = PngDecoder::new_with_options(Cursor::new(file), options);
    let pixels = decoder.decode().map_err(|error| damaged(&error))?;
    let colours = decoder.colorspace();
    let image = match pixels {
        DecodingResult::U8(bytes) => match colours {
            Some(ColorSpace::Luma) => of_pixels::<Luma<u8>>(width, height, bytes),
            Some(ColorSpace::LumaA) => of_pixels::<LumaA<u8>>(width, height, bytes),
            Some(ColorSpace::RGB) => of_pixels::<Rgb<u8>>(width, height, bytes),
            Some(ColorSpace::RGBA) => of_pixels::<Rgba<u8>>(width, height, bytes),
            _ => None,
        },
        DecodingResult::U16(values) => match colours {
            Some(ColorSpace::Luma) => of_pixels::<Luma<u16>>(width, height, values),
            Some(ColorSpace::LumaA) => of_pixels::<LumaA<u16>>(width, height, values),
            Some(ColorSpace::RGB) => of_pixels::<Rgb<u16>>(width, height, values),
            Some(ColorSpace::RGBA) => of_pixels::<Rgba<u16>>(width, height, values),
            _ => None,
        },
        _ => None,
    };
    image.ok_or_else(|| damaged(&"pixels are missing"))
}

fn of_pixels<P: Pixel>(width: u32, height: u32, values: Vec<P::Subpixel>) -> Option<DynamicImage>
where
    DynamicImage: From<ImageBuffer<P, Vec<P::Subpixel>>>,
{
    ImageBuffer::from_raw(width, height, values).map(DynamicImage::from)
}

impl Header {
    /// Reads the first chunk and refuses values that the specification does not define (PNG, section 11.2.2).
    fn parse(chunk: &[u8]) -> Result<Self, Wrong> {
        let &[0, 0, 0, 13, b'I', b'H', b'D', b'R', ref values @ ..] = chunk else { return Err(cut()) };
        let number = |at: usize| values[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte));
        let depth = values[8];
        let colour = values[9];
        let rest = &values[10..13];
        let known = match colour {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            PALETTE => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => false,
        };
        if !known || !matches!(rest, [0, 0, 0 | 1]) {
            return Err("it is no PNG file as they are written today".into());
        }
        Ok(Self { width: number(0), height: number(4), colour })
    }
}

/// The chunks of a file: length, name, content and checksum together.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = self.0.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))?;
        let (chunk, rest) = self.0.split_at_checked((length as usize).checked_add(12)?)?;
        self.0 = rest;
        Some(chunk)
    }
}

fn cut() -> Wrong {
    "it is no whole PNG file (it is cut short)".into()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{chunk, plain, png};
    use super::*;
    use proptest::prelude::*;

    fn read(file: &[u8]) -> Result<Vec<u8>, Wrong> {
        decode(file.strip_prefix(&SIGNATURE).expect("a signature")).map(|(image, _)| image.into_rgb8().into_raw())
    }

    fn deep(file: &[u8]) -> Vec<u16> {
        let (image, _) = decode(file.strip_prefix(&SIGNATURE).expect("a signature")).expect("an image");
        image.into_rgb16().into_raw()
    }

    fn grays(file: &[u8]) -> Vec<u8> {
        read(file).expect("an image").chunks_exact(3).map(|rgb| rgb[0]).collect()
    }

    #[test]
    fn every_depth_and_kind_of_colour_is_read() {
        assert_eq!(grays(&png([8, 1], [1, 0, 0], &[], &[0, 0b1010_0001])), [255, 0, 255, 0, 0, 0, 0, 255]);
        assert_eq!(grays(&png([3, 1], [2, 0, 0], &[], &[0, 0b0001_1000])), [0, 85, 170]);
        assert_eq!(grays(&png([3, 1], [4, 0, 0], &[], &[0, 0x0f, 0x80])), [0, 255, 136]);
        assert_eq!(deep(&png([2, 1], [16, 0, 0], &[], &[0, 200, 99, 7, 255])), [[51299u16; 3], [2047; 3]].concat());
        assert_eq!(grays(&png([2, 1], [8, 4, 0], &[], &[0, 50, 255, 60, 0])), [50, 60]);
        let palette = [1, 2, 3, 40, 50, 60];
        assert_eq!(read(&png([3, 1], [1, 3, 0], &palette, &[0, 0b0100_0000])), Ok(vec![1, 2, 3, 40, 50, 60, 1, 2, 3]));
        assert_eq!(read(&png([1, 1], [8, 6, 0], &[], &[0, 9, 8, 7, 128])), Ok(vec![9, 8, 7]));
        assert_eq!(deep(&png([1, 1], [16, 2, 0], &[], &[0, 9, 1, 8, 2, 7, 3])), [2305, 2050, 1795]);
    }

    #[test]
    fn filters_and_interlacing_are_undone() {
        // left, above, average, Paeth: worked out by hand
        let rows = [0, 10, 20, 1, 5, 5, 2, 1, 2, 3, 4, 4, 4, 250, 0];
        let expected = [10, 20, 5, 10, 6, 12, 7, 13, 1, 7];
        assert_eq!(grays(&png([2, 5], [8, 0, 0], &[], &rows)), expected);
        // five by five, in the seven passes of Adam7: origin and steps in x and y
        let passes = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
        let mut rows = Vec::new();
        for [x, y, across, down] in passes {
            for row in (y..5).step_by(down).filter(|_| x < 5) {
                rows.push(0);
                rows.extend((x..5).step_by(across).map(|column| (10 * row + column) as u8));
            }
        }
        let expected: Vec<u8> = (0..25).map(|place| (10 * (place / 5) + place % 5) as u8).collect();
        assert_eq!(grays(&png([5, 5], [8, 0, 1], &[], &rows)), expected);
    }

    #[test]
    fn what_a_file_announces_is_not_believed() {
        let refused = |file: &[u8]| read(file).expect_err("must be refused");
        let huge = png([100_000, 100_000], [8, 2, 0], &[], &[0; 64]);
        assert!(refused(&huge).contains("100000x100000 pixels"), "{}", refused(&huge));
        assert!(refused(&png([0, 5], [8, 2, 0], &[], &[])).contains("0x5"));
        assert!(refused(&png([2, 1], [8, 3, 0], &[], &[0, 0, 0])).contains("no palette"));
        for odd in [[2, 2, 0], [16, 3, 0], [8, 1, 0], [3, 0, 0], [8, 0, 2]] {
            assert!(refused(&png([1, 1], odd, &[1, 2, 3], &[0; 16])).contains("written today"), "{odd:?}");
        }
        // more rows than there are, and fewer
        assert!(refused(&png([2, 9], [8, 0, 0], &[], &[0, 1, 2])).contains("no whole PNG"));
        assert!(read(&png([200, 1], [8, 0, 0], &[], &vec![0; 1 << 22])).is_err());
        let whole = plain([3, 3], [1, 2, 3]);
        assert!((8..whole.len()).all(|cut| read(&whole[..cut]).is_err()));
    }

    #[test]
    fn what_is_not_needed_is_not_read() {
        let file = plain([2, 2], [7, 8, 9]);
        let (start, rest) = file.split_at(8 + 25);
        // neither a profile that is none, nor an animation of impossible size, nor a palette in a file of true colours
        let junk =
            [chunk(b"iCCP", b"x\0\0bomb"), chunk(b"fcTL", &[255; 26]), chunk(b"PLTE", &[1, 2, 3]), chunk(b"eXIf", b"")];
        assert_eq!(read(&[start, &junk.concat(), rest].concat()), read(&file));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_bytes_make_the_reader_panic(
            kind in 0usize..9,
            interlaced in 0u8..2,
            size: [u8; 2],
            rows in proptest::collection::vec(any::<u8>(), 0..600),
            palette in proptest::collection::vec(any::<u8>(), 0..12),
            flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        ) {
            let kinds = [[1, 0], [2, 0], [8, 0], [16, 0], [8, 2], [2, 3], [8, 3], [8, 4], [16, 6]];
            let [depth, colour] = kinds[kind];
            let rows: Vec<u8> = rows.iter().map(|byte| if byte % 3 == 0 { byte % 6 } else { *byte }).collect();
            let mut file = png(size.map(|side| u32::from(side % 32)), [depth, colour, interlaced], &palette, &rows);
            for (place, byte) in flips {
                let place = 8 + place % (file.len() - 8);
                file[place] = byte;
            }
            let _ = read(&file);
        }
    }
}
