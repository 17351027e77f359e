//! JPEG files. Only the bytes from the first marker to the end marker are decoded: phones append films and depth maps.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, RgbImage};
use jpeg_decoder::PixelFormat;

use super::limits::{Permit, Wrong, in_a_line};

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
/// Frames whose coefficients come in one piece each: baseline and extended sequential, coded by Huffman.
const SEQUENTIAL: [u8; 2] = [0xc0, 0xc1];

/// The markers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outline {
    /// The end of the image: the place after its last marker.
    end: usize,
    /// True for a sequential image whose colours come in more than one scan.
    parted: bool,
}

/// Decodes a file; also returns the rotation of its EXIF data.
pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Wrong> {
    let mut header = JpegDecoder::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let (width, height) = header.dimensions();
    let _permit = Permit::take(width, height)?;
    let orientation = header.orientation().unwrap_or(Orientation::NoTransforms);
    // decoders paint gray what is missing
    let outline = Outline::of(bytes).ok_or("it is no whole JPEG file (its end is missing)")?;
    let bytes = &bytes[..outline.end];
    if outline.parted {
        return Ok((in_parts(bytes)?, orientation));
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    Ok((DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?, orientation))
}

/// Decodes a sequential image of several scans, which `zune-jpeg` gets wrong without an error: it takes the chroma of 4:2:0 as
/// zero.
fn in_parts(bytes: &[u8]) -> Result<DynamicImage, Wrong> {
    let mut decoder = jpeg_decoder::Decoder::new(Cursor::new(bytes));
    let pixels = decoder.decode().map_err(|error| damaged(&error))?;
    let info = decoder.info().ok_or_else(|| damaged(&"its size is missing"))?;
    let [width, height] = [info.width, info.height].map(u32::from);
    let image = match info.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        PixelFormat::L16 | PixelFormat::CMYK32 => {
            return Err(
                "it is a JPEG file of several scans in other colours than red, green and blue; save it anew".into()
            );
        }
    };
    image.ok_or_else(|| damaged(&"pixels are missing"))
}

fn damaged(why: &dyn std::fmt::Display) -> Wrong {
    format!("it is no whole JPEG file ({})", in_a_line(why))
}

impl Outline {
    /// Walks from marker to marker (ITU T.81, annex B); nothing where the end is missing.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (mut at, mut frame, mut parted) = (0, (0, 0), false);
        loop {
            let (marker, after) = next_marker(bytes, at)?;
            at = after;
            match marker {
                END_OF_IMAGE => return Some(Self { end: at, parted }),
                // restarts and the start have no length
                START_OF_IMAGE | 0x01 | 0xd0..=0xd7 => continue,
                _ => {}
            }
            let length = usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
            let body = bytes.get(at + 2..at + length.max(2))?;
            if matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf) {
                frame = (marker, *body.get(5)?);
            }
            if marker == START_OF_SCAN {
                parted |= SEQUENTIAL.contains(&frame.0) && *body.first()? < frame.1;
            }
            at += length.max(2);
        }
    }
}

/// The next marker from `at` on, and the place after it. In the data of a scan every byte 255 that is none is followed by a
/// zero.
fn next_marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(at..)?;
    let place = rest.windows(2).position(|two| two[0] == 0xff && two[1] != 0 && two[1] != 0xff)?;
    Some((rest[place + 1], at + place + 2))
}

#[cfg(test)]
mod tests {
    use super::super::sample::jpeg;
    use super::*;

    #[test]
    fn the_image_ends_at_its_own_end() {
        let photo = jpeg([16, 16], &[90; 768]);
        let whole = Some(Outline { end: photo.len(), parted: false });
        assert_eq!(Outline::of(&photo), whole);
        // a film behind it holds whatever bytes it likes
        let film = [b"\0\0\0\x18ftypmp42", &[0xff, END_OF_IMAGE, 7, 0xff, START_OF_SCAN, 9][..]].concat();
        assert_eq!(Outline::of(&[&photo[..], &film].concat()), whole);
        // a preview in a segment before it ends, too
        let preview = [&[0xff, 0xe1], &(photo.len() as u16 + 2).to_be_bytes()[..], &photo].concat();
        let with_preview = [&photo[..2], &preview, &photo[2..]].concat();
        assert_eq!(Outline::of(&with_preview).map(|outline| outline.end), Some(with_preview.len()));
        assert_eq!(Outline::of(&[&with_preview[..with_preview.len() - 2], &film[..12]].concat()), None);
        assert!((0..photo.len()).all(|cut| Outline::of(&photo[..cut]).is_none()));
    }
}
