//! Films, decoded by ffmpeg where that is installed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use image::AnimationDecoder as _;
use image::codecs::gif::GifDecoder;

use super::content;
use super::decode::Planes;
use super::limits::Wrong;
use crate::error::{Error, Result};

/// The program that decodes.
pub(super) const DECODER: &str = "ffmpeg";
/// Frames as they are in the file, without copies that fill pauses: since ffmpeg 5.1, and before.
const AS_THEY_ARE: [[&str; 2]; 2] = [["-fps_mode", "passthrough"], ["-vsync", "passthrough"]];

/// True for a GIF file of several images.
pub(super) fn is_animation(path: &Path) -> bool {
    let second = || GifDecoder::new(BufReader::new(File::open(path).ok()?)).ok()?.into_frames().nth(1)?.ok();
    content::end(path) == "gif" && second().is_some()
}

/// Hands the centre square of every frame to `take`, `side` pixels wide, in three planes. A film that cannot be read gives
/// the reason; one that was read with errors, a sentence about them.
///
/// # Errors
/// When `decoder` is not installed, or `take` refuses.
pub(super) fn frames(
    decoder: &str,
    path: &Path,
    side: usize,
    take: &mut dyn FnMut(Planes) -> Result<()>,
) -> Result<Result<Option<String>, Wrong>> {
    let mut read = (0, String::new(), false);
    for options in AS_THEY_ARE {
        read = run(decoder, path, side, options, take)?;
        let (count, said, _) = &read;
        // an older ffmpeg does not know the newer option
        if *count > 0 || !said.contains(&options[0][1..]) {
            break;
        }
    }
    let (count, said, is_well) = read;
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    Ok(match last {
        _ if count == 0 || !is_well => {
            Err(format!("it cannot be read as a film ({})", last.unwrap_or("it holds no frame")))
        }
        Some(last) => Ok(Some(format!("{} is damaged ({last}); {count} frames of it are read", path.display()))),
        None => Ok(None),
    })
}

/// Decodes once; returns the number of frames, the messages of ffmpeg, and true if it succeeded.
fn run(
    decoder: &str,
    path: &Path,
    side: usize,
    options: [&str; 2],
    take: &mut dyn FnMut(Planes) -> Result<()>,
) -> Result<(usize, String, bool)> {
    let mut child = start(decoder, path, side, options)?;
    let mut output = BufReader::new(child.stdout.take().expect("its output was asked for"));
    let mut errors = child.stderr.take().expect("its errors were asked for");
    // read in parallel with the frames: a full pipe would block both processes
    let listener = thread::spawn(move || {
        let mut said = Vec::new();
        // an unreadable message is dropped
        let _ = errors.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let mut frame = vec![0; 3 * side * side];
    let mut count = 0;
    let taken = loop {
        match output.read_exact(&mut frame) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
            Err(error) => break Err(Error::file(path)(error)),
            Ok(()) => {}
        }
        count += 1;
        if let Err(error) = take(Planes::Eight(planes(&frame))) {
            break Err(error);
        }
    };
    drop(output);
    let status = child.wait().map_err(Error::file(path))?;
    let said = listener.join().unwrap_or_default();
    taken?;
    Ok((count, said, status.success()))
}

fn start(decoder: &str, path: &Path, side: usize, options: [&str; 2]) -> Result<Child> {
    let shape = format!("scale={side}:{side}:force_original_aspect_ratio=increase,crop={side}:{side}");
    let mut command = Command::new(decoder);
    // the path as a file, even where it begins like an option or names a protocol
    let mut source = std::ffi::OsString::from("file:");
    source.push(path);
    command.args(["-nostdin", "-v", "error", "-i"]).arg(source);
    command.args(["-an", "-sn", "-vf", &shape]).args(options).args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    started.map_err(|error| unable(decoder, path, &error))
}

fn unable(decoder: &str, path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Error::Data(format!(
            "{path} is a film, and {decoder}, which reads films, is not installed: install it, or let another program turn \
             the film into a folder of images whose names are in order"
        ));
    }
    Error::Data(format!("{path} is a film, and {decoder}, which reads films, cannot be started: {error}"))
}

/// From interleaved colours to planes.
fn planes(frame: &[u8]) -> Vec<u8> {
    (0..3).flat_map(|channel| frame.iter().skip(channel).step_by(3).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: Planes) -> Result<()> {
        Ok(())
    }

    #[test]
    fn without_a_decoder_it_is_said_what_to_do() {
        let said = frames("no-such-decoder", Path::new("film.mp4"), 8, &mut nothing).expect_err("nothing decodes");
        let said = said.to_string();
        assert!(said.contains("film.mp4 is a film") && said.contains("folder of images"), "{said}");
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
        let film = Path::new("x.mp4");
        // two frames of one pixel, and half of a third
        let good = decoder("good", "printf 'abcdefg'");
        let mut seen = Vec::new();
        let mut take = |planes: Planes| {
            seen.push(planes);
            Ok(())
        };
        assert_eq!(frames(&good, film, 1, &mut take).expect("it runs"), Ok(None));
        assert_eq!(seen, [&b"abc"[..], b"def"].map(|planes| Planes::Eight(planes.to_vec())));
        assert_eq!(planes(b"abcABC"), b"aAbBcC");
        let bad = decoder("bad", "echo 'x.mp4: no such codec' >&2; exit 1");
        let said = frames(&bad, film, 1, &mut nothing).expect("it runs").expect_err("it fails");
        assert!(said.contains("cannot be read as a film (x.mp4: no such codec)"), "{said}");
        let hurt = decoder("hurt", "printf 'abc'; echo 'bad block' >&2");
        let said = frames(&hurt, film, 1, &mut nothing).expect("it runs").expect("a frame").expect("a warning");
        assert!(said.contains("x.mp4 is damaged (bad block); 1 frames of it are read"), "{said}");
        let loud = decoder("loud", "yes complaint | head -c 1000000 >&2; printf 'abc'");
        assert!(frames(&loud, film, 1, &mut nothing).expect("it runs").is_ok(), "a full pipe blocks nobody");
        let full = frames(&good, film, 1, &mut |_| Err(Error::Data("too many".into())));
        assert_eq!(full.expect_err("it is refused").to_string(), "too many");
    }

    #[cfg(unix)]
    #[test]
    fn an_older_decoder_is_asked_in_its_own_words() {
        use std::os::unix::fs::PermissionsExt as _;
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("old");
        let script = "#!/bin/sh\ncase \"$*\" in *fps_mode*) echo \"Unrecognized option 'fps_mode'.\" >&2; exit 1;; *) printf abc;; esac\n";
        std::fs::write(&path, script).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
        let mut count = 0;
        let mut take = |_: Planes| {
            count += 1;
            Ok(())
        };
        let read = frames(&path.display().to_string(), Path::new("x.mp4"), 1, &mut take);
        assert_eq!((read.expect("it runs"), count), (Ok(None), 1));
    }
}
