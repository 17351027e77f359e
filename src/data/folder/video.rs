//! Video files, decoded by ffmpeg where that is installed.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The program that decodes.
pub(super) const DECODER: &str = "ffmpeg";
/// Ends of the names of video files.
const ENDS: [&str; 9] = ["mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "ogv"];

/// Whether a file is called like a video.
pub(super) fn is_one(path: &Path) -> bool {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    end.is_some_and(|end| ENDS.contains(&end.as_str()))
}

/// Hands the centre square of every frame to `take`, `side` pixels wide, in three planes; returns how many there were.
///
/// # Errors
/// When `decoder` is not installed or cannot read the file, or `take` refuses.
pub(super) fn frames(
    decoder: &str,
    path: &Path,
    side: usize,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<usize> {
    let shape = format!("scale={side}:{side}:force_original_aspect_ratio=increase,crop={side}:{side}");
    let mut command = Command::new(decoder);
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    command.args(["-an", "-vf", &shape, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| unable(decoder, path, &error))?;
    let mut output = BufReader::new(child.stdout.take().expect("its output was asked for"));
    let (mut frame, mut count) = (vec![0; 3 * side * side], 0);
    let taken = loop {
        match output.read_exact(&mut frame) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
            Err(error) => break Err(Error::file(path)(error)),
            Ok(()) => {}
        }
        count += 1;
        if let Err(error) = take(&planes(&frame)) {
            break Err(error);
        }
    };
    drop(output);
    let ended = child.wait_with_output().map_err(Error::file(path))?;
    taken?;
    if count == 0 || !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().last().unwrap_or("it holds no frame");
        return Err(Error::Data(format!("{} cannot be read as a video: {last}", path.display())));
    }
    Ok(count)
}

fn unable(decoder: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Error::Data(format!(
            "{path} is a video, and {decoder}, which reads videos, is not installed: install it, or let another program turn \
             the video into a folder of PNG or JPEG files whose names are in order"
        ));
    }
    Error::Data(format!("{path} is a video, and {decoder}, which reads videos, cannot be started: {error}"))
}

/// From interleaved colours to planes.
fn planes(frame: &[u8]) -> Vec<u8> {
    (0..3).flat_map(|channel| frame.iter().skip(channel).step_by(3).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_decoder_it_is_said_what_to_do() {
        let read = frames("no-such-decoder", Path::new("film.mp4"), 8, &mut |_| Ok(()));
        let said = read.expect_err("nothing decodes").to_string();
        assert!(said.contains("film.mp4 is a video") && said.contains("folder of PNG or JPEG files"), "{said}");
    }

    #[test]
    fn videos_are_told_by_their_names() {
        assert!(is_one(Path::new("a/b.MP4")) && is_one(Path::new("c.webm")));
        assert!(!is_one(Path::new("a.mp4/b.png")) && !is_one(Path::new("mp4")));
    }

    #[cfg(unix)]
    #[test]
    fn frames_come_in_planes_and_failures_in_words() {
        use std::os::unix::fs::PermissionsExt as _;
        let here = tempfile::tempdir().expect("a folder");
        let decoder = |name: &str, script: &str| {
            let path = here.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
            path.display().to_string()
        };
        // two frames of one pixel, and half of a third
        let good = decoder("good", "printf 'abcdefg'");
        let mut seen = Vec::new();
        let mut take = |planes: &[u8]| {
            seen.push(planes.to_vec());
            Ok(())
        };
        assert_eq!(frames(&good, Path::new("x.mp4"), 1, &mut take).expect("frames"), 2);
        assert_eq!(seen, [b"abc", b"def"]);
        assert_eq!(planes(b"abcABC"), b"aAbBcC");
        let bad = decoder("bad", "echo 'x.mp4: no such codec' >&2; exit 1");
        let said = frames(&bad, Path::new("x.mp4"), 1, &mut |_| Ok(())).expect_err("it fails").to_string();
        assert!(said.contains("x.mp4 cannot be read as a video: x.mp4: no such codec"), "{said}");
        let full = frames(&good, Path::new("x.mp4"), 1, &mut |_| Err(Error::Data("too many".into())));
        assert_eq!(full.expect_err("it is refused").to_string(), Error::Data("too many".into()).to_string());
    }
}
