//! The kind of a file, told by its first bytes and only then by its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that are enough to recognise every kind: two packets of a transport stream are the longest.
const HEAD: u64 = 512;
/// Extensions of images. A file with one of them counts as an image, whole or damaged, and is not opened to find out.
const IMAGE_ENDS: [&str; 29] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff", "pbm", "pgm", "ppm",
    "pnm", "avif", "heic", "heif", "jxl", "jp2", "cr2", "cr3", "nef", "arw", "dng", "orf", "rw2", "psd",
];
/// Extensions of cameras' raw files, which are TIFF files whose first image is a thumbnail.
const RAW_ENDS: [&str; 7] = ["cr2", "cr3", "nef", "arw", "dng", "orf", "rw2"];
/// Extensions of films alone.
const FILM_ENDS: [&str; 25] = [
    "mp4", "m4v", "mov", "qt", "avi", "mkv", "webm", "mpg", "mpeg", "mpe", "m2v", "ogv", "ogm", "wmv", "asf", "flv",
    "f4v", "3gp", "3g2", "m2ts", "mxf", "vob", "divx", "y4m", "ivf",
];
/// Files and folders that operating systems and programs leave behind; they are not reported.
const LITTER: [&str; 12] = [
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "__pycache__",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "#recycle",
];

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Image(Format),
    /// An image in a format that no decoder here reads, with its name.
    Unread(&'static str),
    /// A film that ffmpeg may read.
    Film,
    Other,
}

/// An image format with a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    Gif,
    WebP,
    Bmp,
    Tiff,
    Pnm,
}

/// The formats with a decoder, for sentences.
pub(super) const FORMATS: &str = "PNG, JPEG, WebP, GIF, BMP, TIFF and PNM";

/// True if a file or folder of this name is hidden or left behind by a system.
pub(super) fn is_litter(name: &str) -> bool {
    name.starts_with('.') || LITTER.contains(&name.to_lowercase().as_str())
}

/// The extension of a name in lower case, without its dot; empty if there is none.
pub(super) fn end(path: &Path) -> String {
    path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The kind of a file for the layout of a folder: by its extension if that is enough, else by its first bytes.
pub(super) fn of_file(path: &Path) -> Content {
    let end = end(path);
    if FILM_ENDS.contains(&end.as_str()) {
        return Content::Film;
    }
    if is_image_end(&end) {
        return Content::Image(Format::Jpeg);
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.map_or(Content::Other, |_| of_bytes(&head))
}

/// True for the extensions of images, in lower case.
pub(super) fn is_image_end(end: &str) -> bool {
    IMAGE_ENDS.contains(&end)
}

/// True if the name of a file says that it is a raw file of a camera.
pub(super) fn is_raw(path: &Path) -> bool {
    RAW_ENDS.contains(&end(path).as_str())
}

/// The kind of a file that begins with these bytes.
pub(super) fn of_bytes(head: &[u8]) -> Content {
    let image = if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Format::Png
    } else if head.starts_with(b"\xff\xd8\xff") {
        Format::Jpeg
    } else if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") {
        Format::Gif
    } else if head.starts_with(b"RIFF") && at(head, 8, b"WEBP") {
        Format::WebP
    } else if is_bmp(head) {
        Format::Bmp
    } else if [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|start| head.starts_with(start)) {
        Format::Tiff
    } else if is_pnm(head) {
        Format::Pnm
    } else {
        return unread(head).map_or(if is_film(head) { Content::Film } else { Content::Other }, Content::Unread);
    };
    Content::Image(image)
}

fn at(head: &[u8], place: usize, word: &[u8]) -> bool {
    head.get(place..place + word.len()) == Some(word)
}

/// `BM`, then a header of a known length, because any text may begin with two such letters.
fn is_bmp(head: &[u8]) -> bool {
    head.starts_with(b"BM") && at(head, 15, &[0, 0, 0]) && head.get(14).is_some_and(|&length| length >= 12)
}

fn is_pnm(head: &[u8]) -> bool {
    let &[b'P', b'1'..=b'7', blank, next, ..] = head else { return false };
    blank.is_ascii_whitespace() && (next.is_ascii_digit() || matches!(next, b'#' | b'W'))
}

/// The name of an image format that has no decoder here.
fn unread(head: &[u8]) -> Option<&'static str> {
    let holds = |word: &[u8]| head.windows(word.len()).any(|some| some == word);
    let starts = [
        (&b"\xff\x0a"[..], "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"8BPS", "Photoshop"),
        (b"\x76\x2f\x31\x01", "OpenEXR"),
        (b"#?RADIANCE", "Radiance HDR"),
        (b"qoif", "QOI"),
        (b"DDS ", "DDS"),
        (b"\0\0\x01\0", "ICO"),
        (b"SIMPLE  =", "FITS"),
        (b"<svg", "SVG"),
    ];
    if let Some((_, name)) = starts.iter().find(|(start, _)| head.starts_with(start)) {
        return Some(name);
    }
    if at(head, 128, b"DICM") {
        return Some("DICOM");
    }
    if head.starts_with(b"<?xml") && holds(b"<svg") {
        return Some("SVG");
    }
    if !at(head, 4, b"ftyp") {
        return None;
    }
    let brands = &head[..head.len().min(64)];
    let has = |brand: &[u8]| brands.windows(4).any(|some| some == brand);
    if has(b"avif") || has(b"avis") {
        Some("AVIF")
    } else if has(b"crx ") {
        Some("camera raw")
    } else if [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"].iter().any(|brand| has(&brand[..])) {
        Some("HEIC")
    } else {
        None
    }
}

/// True for the starts of the containers that ffmpeg reads films from.
fn is_film(head: &[u8]) -> bool {
    let starts = [
        &b"\x1a\x45\xdf\xa3"[..], // Matroska, WebM
        b"FLV\x01",
        b"\0\0\x01\xba",                     // MPEG programme stream
        b"\0\0\x01\xb3",                     // MPEG video
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", // ASF, WMV
        b"\x06\x0e\x2b\x34",                 // MXF
        b"YUV4MPEG2 ",
        b"DKIF",
        b".RMF",
    ];
    let atoms = [b"moov", b"mdat", b"wide", b"free", b"skip"];
    let sounds = [b"M4A ", b"M4B "];
    let packets = |from: usize, length: usize| head.get(from) == Some(&0x47) && head.get(from + length) == Some(&0x47);
    starts.iter().any(|start| head.starts_with(start))
        || (at(head, 4, b"ftyp") && !sounds.iter().any(|brand| at(head, 8, &brand[..])))
        || atoms.iter().any(|atom| at(head, 4, &atom[..]))
        || (head.starts_with(b"RIFF") && at(head, 8, b"AVI "))
        || (head.starts_with(b"OggS") && head.windows(6).any(|some| some == b"theora"))
        || packets(0, 188)
        || packets(4, 192)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let padded = |start: &[u8]| [start, &[0; 512]].concat();
        let transport: Vec<u8> = (0..512).map(|place| if place % 188 == 0 { 0x47 } else { 1 }).collect();
        let camcorder: Vec<u8> = (0..512).map(|place| if place % 192 == 4 { 0x47 } else { 1 }).collect();
        for (bytes, kind) in [
            (padded(b"RIFF\x10\0\0\0WEBPVP8 "), Content::Image(Format::WebP)),
            (padded(b"RIFF\x10\0\0\0AVI LIST"), Content::Film),
            (padded(b"RIFF\x10\0\0\0WAVEfmt "), Content::Other),
            (padded(b"GIF89a"), Content::Image(Format::Gif)),
            (padded(b"II*\0\x08\0\0\0"), Content::Image(Format::Tiff)),
            (padded(b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"), Content::Image(Format::Bmp)),
            (b"BMW builds cars and motorcycles".to_vec(), Content::Other),
            (b"P5\n8 8\n255\n".to_vec(), Content::Image(Format::Pnm)),
            (b"P4 is a postcode".to_vec(), Content::Other),
            (padded(b"\0\0\0\x20ftypavif"), Content::Unread("AVIF")),
            (padded(b"\0\0\0\x20ftypmif1\0\0\0\0avifmif1"), Content::Unread("AVIF")),
            (padded(b"\0\0\0\x20ftypheic"), Content::Unread("HEIC")),
            (padded(b"\0\0\0\x20ftypmp42"), Content::Film),
            (padded(b"\0\0\0\x20ftypM4A "), Content::Other),
            (b"<?xml version=\"1.0\"?><svg/>".to_vec(), Content::Unread("SVG")),
            (b"<?xml version=\"1.0\"?><annotation/>".to_vec(), Content::Other),
            (transport, Content::Film),
            (camcorder, Content::Film),
            (Vec::new(), Content::Other),
        ] {
            assert_eq!(of_bytes(&bytes), kind, "{:?}", &bytes[..bytes.len().min(24)]);
        }
    }

    #[test]
    fn names_decide_where_they_say_enough() {
        assert_eq!(of_file(Path::new("no/such/film.MP4")), Content::Film);
        assert!(matches!(of_file(Path::new("no/such/photo.JPEG")), Content::Image(_)));
        assert_eq!(of_file(Path::new("no/such/module.ts")), Content::Other, "TypeScript is no film");
        assert!(is_litter("Thumbs.db") && is_litter(".DS_Store") && is_litter("__MACOSX") && !is_litter("cat"));
    }
}
