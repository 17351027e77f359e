//! Images inside a page: PNG files in base64.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::ZlibEncoder;

/// Pixels to a side from which an image is shrunk: it is drawn no larger.
const LARGEST: usize = 96;

/// An image with interleaved channels: 1 (gray) or 3 (red, green, blue).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// 1 or 3.
    pub channels: usize,
    /// Values row by row, the channels of a pixel side by side.
    pub pixels: Vec<u8>,
}

impl Image {
    /// Converts from planar channels.
    pub fn planar(width: usize, height: usize, channels: usize, planes: &[u8]) -> Self {
        let area = width * height;
        let pixels = (0..area * channels).map(|at| planes[at % channels * area + at / channels]).collect();
        Self { width, height, channels, pixels }
    }

    /// The image as a data URL.
    pub fn address(&self) -> String {
        format!("data:image/png;base64,{}", base64(&self.shrunk().png()))
    }

    /// The image averaged over squares of pixels until it is small enough.
    fn shrunk(&self) -> Self {
        let by = self.width.max(self.height).div_ceil(LARGEST);
        let width = self.width / by.max(1);
        let height = self.height / by.max(1);
        let channels = self.channels;
        if by <= 1 || width == 0 || height == 0 {
            return self.clone();
        }
        let mean = |at: usize| {
            let x = at / channels % width;
            let y = at / channels / width;
            let channel = at % channels;
            let inside = (0..by * by).map(|cell| (x * by + cell % by, y * by + cell / by));
            let sum: usize =
                inside.map(|(x, y)| usize::from(self.pixels[(y * self.width + x) * channels + channel])).sum();
            (sum / (by * by)) as u8
        };
        Self { width, height, channels, pixels: (0..width * height * channels).map(mean).collect() }
    }

    /// The PNG file: a header, all rows in one chunk without filters, and the end.
    pub fn png(&self) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        header.extend([8, if self.channels == 1 { 0 } else { 2 }, 0, 0, 0]);
        chunk(&mut file, b"IHDR", &header);
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
        let rows = self.pixels.chunks_exact(self.width * self.channels);
        let lines: Vec<u8> = rows.flat_map(|row| std::iter::once(0).chain(row.iter().copied())).collect();
        packer.write_all(&lines).expect("memory takes what is written to it");
        chunk(&mut file, b"IDAT", &packer.finish().expect("memory takes what is written to it"));
        chunk(&mut file, b"IEND", &[]);
        file
    }
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(content);
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(content);
    file.extend(sum.sum().to_be_bytes());
}

/// Base64 as in RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63];
            text.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use zune_png::PngDecoder;

    #[test]
    fn another_program_reads_the_file_back() {
        for channels in [1, 3] {
            let pixels: Vec<u8> = (0..5 * 4 * channels).map(|at| (at * 37 % 256) as u8).collect();
            let image = Image { width: 5, height: 4, channels, pixels: pixels.clone() };
            let mut decoder = PngDecoder::new(std::io::Cursor::new(image.png()));
            assert_eq!(decoder.decode_raw().expect("a PNG file"), pixels);
            assert_eq!(decoder.dimensions(), Some((5, 4)));
        }
    }

    #[test]
    fn text_is_as_in_the_rfc() {
        let said = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(said, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn channels_are_interleaved_and_large_images_made_smaller() {
        assert_eq!(Image::planar(2, 1, 3, &[1, 2, 3, 4, 5, 6]).pixels, [1, 3, 5, 2, 4, 6]);
        let large = Image { width: 192, height: 192, channels: 1, pixels: [0, 200].repeat(96 * 192) };
        let small = large.shrunk();
        assert_eq!((small.width, small.height), (96, 96));
        assert!(small.pixels.iter().all(|&pixel| pixel == 100));
    }
}
