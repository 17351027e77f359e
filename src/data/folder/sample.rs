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

/// A PNG file assembled byte by byte: `rows` are packed pixels, each row with its filter byte in front.
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

/// A baseline JPEG of 16x16 pixels, (220, 40, 30) everywhere, in 4:2:0 with a scan for each colour: blocks of a DC
/// coefficient alone, quantised by 8, so that it is the plane's mean less 128.
pub(super) fn one_scan_a_colour() -> Vec<u8> {
    let segment =
        |marker: u8, body: &[u8]| [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat();
    let rgb = [220.0, 40.0, 30.0];
    let sum = |weights: [f64; 3]| weights.iter().zip(rgb).map(|(weight, colour)| weight * colour).sum::<f64>();
    let luma = sum([0.299, 0.587, 0.114]) - 128.0;
    let blue = sum([-0.168_736, -0.331_264, 0.5]);
    let red = sum([0.5, -0.418_688, -0.081_312]);
    // every size of a DC difference has a code of four bits; the only AC code, of one bit, ends a block
    let dc_table = [&[0x00][..], &[0, 0, 0, 12], &[0; 12], &(0..12).collect::<Vec<u8>>()].concat();
    let ac_table = [&[0x10][..], &[1], &[0; 15], &[0x00]].concat();
    let frame = [8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let mut file = vec![0xff, 0xd8];
    file.extend(segment(0xdb, &[&[0][..], &[8; 64]].concat()));
    file.extend(segment(0xc0, &frame));
    file.extend([segment(0xc4, &dc_table), segment(0xc4, &ac_table)].concat());
    for (component, value, blocks) in [(1, luma, 4), (2, blue, 1), (3, red, 1)] {
        let value = value.round() as i32;
        let size = (i32::BITS - value.abs().leading_zeros()) as usize;
        let bits = if value < 0 { value + (1 << size) - 1 } else { value };
        let mut text = format!("{size:04b}{bits:0size$b}0");
        (1..blocks).for_each(|_| text.push_str("00000"));
        while !text.len().is_multiple_of(8) {
            text.push('1');
        }
        file.extend(segment(0xda, &[1, component, 0, 0, 63, 0]));
        for byte in text.as_bytes().chunks(8) {
            let byte = byte.iter().fold(0, |byte, digit| byte << 1 | (digit - b'0'));
            file.extend(if byte == 0xff { vec![0xff, 0] } else { vec![byte] });
        }
    }
    file.extend([0xff, 0xd9]);
    file
}
