//! Image files for tests.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::png::SIGNATURE;

/// A chunk with its length and checksum.
pub(super) fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [&name[..], content].concat();
    let mut crc = Crc::new();
    crc.update(&body);
    [&(content.len() as u32).to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat()
}

/// A PNG file put together by hand: `rows` are packed pixels, each row with its filter byte in front.
pub(super) fn png(size: [u32; 2], [depth, colour, interlaced]: [u8; 3], palette: &[u8], rows: &[u8]) -> Vec<u8> {
    let [width, height] = size.map(u32::to_be_bytes);
    let header = [&width[..], &height, &[depth, colour, 0, 0, interlaced]].concat();
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(rows).expect("memory");
    let packed = packer.finish().expect("memory");
    let palette = if palette.is_empty() { Vec::new() } else { chunk(b"PLTE", palette) };
    let parts = [chunk(b"IHDR", &header), palette, chunk(b"IDAT", &packed), chunk(b"IEND", &[])];
    [&SIGNATURE[..], &parts.concat()].concat()
}

/// A PNG of one colour.
pub(super) fn plain(size: [u32; 2], rgb: [u8; 3]) -> Vec<u8> {
    let row: Vec<u8> = std::iter::once(0).chain(rgb.into_iter().cycle().take(3 * size[0] as usize)).collect();
    png(size, [8, 2, 0], &[], &row.repeat(size[1] as usize))
}

/// A JPEG of interleaved colours.
pub(super) fn jpeg([width, height]: [u32; 2], rgb: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.write_image(rgb, width, height, ExtendedColorType::Rgb8).expect("an image");
    bytes
}
