//! Every kind of file that the program reads, whole, and the commands that read it.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use zune_png::PngEncoder;
use zune_png::zune_core::bit_depth::BitDepth;
use zune_png::zune_core::colorspace::ColorSpace;
use zune_png::zune_core::options::EncoderOptions;

use crate::child::{self, Ended};
use crate::{UNPACK, packing};

/// The program under test.
const NOLABEL: &str = env!("CARGO_BIN_EXE_nolabel");
/// A run of one step that reads all images.
const STEP: &str = "--batch 4 --set encoder.width=4 --steps 1 --device cpu -q --out trained";
/// An evaluation of moments.
const PROBE: &str = "--data fashion-mnist:images --probe knn --images 20 --test-images 10 --grid 1 --device cpu -q";
/// Pixels of a generated image in each direction.
const SIDE: usize = 16;

/// A kind of file.
pub struct Subject {
    pub name: &'static str,
    /// A folder with all that the commands need. A copy of it is made for every damaged file.
    pub template: PathBuf,
    /// The files there that are damaged, one a copy, in turn.
    pub files: Vec<String>,
    /// Arguments of `nolabel`, or of this program where the first is [`UNPACK`]; `{file}` stands for the damaged file.
    pub commands: Vec<String>,
    pub is_text: bool,
    /// The packing behind which every second copy is damaged.
    pub packing: Option<Packing>,
}

/// Checksums or compression around a file's bytes. Damage inside of it reaches the code that trusts in them.
#[derive(Clone, Copy)]
pub struct Packing {
    pub open: fn(&[u8]) -> Vec<u8>,
    pub close: fn(Vec<u8>) -> Vec<u8>,
}

impl Subject {
    /// Runs one of the commands in a copy of the template.
    pub fn run(&self, command: &str, file: &str, folder: &Path, home: &Path) -> Ended {
        let command = command.replace("{file}", file);
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let own = std::env::current_exe().expect("this program's path");
        let program = if arguments[0] == UNPACK { own.as_path() } else { Path::new(NOLABEL) };
        child::run(program, &arguments, folder, home)
    }
}

/// All kinds, with their templates in `lab`.
pub fn subjects(lab: &Path) -> Vec<Subject> {
    fs::create_dir_all(lab.join("home")).expect("a folder");
    let run = a_run(lab);
    let mut all = vec![idx(lab), cifar(lab), tar(lab), shards(lab)];
    all.extend([("png", "png"), ("jpeg", "jpg"), ("webp", "webp")].map(|(name, ending)| pictures(lab, name, ending)));
    all.extend(weights(lab, &run));
    all.extend(run_files(&run));
    all
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_string).into()
}

/// Stripes, upright or lying, in three colours.
fn pixels(number: usize, side: usize, channels: usize) -> Vec<u8> {
    let value = |place: usize| {
        let row = place / channels / side;
        let column = place / channels % side;
        let stripe = if number.is_multiple_of(2) { row } else { column } / 3 % 2;
        (30 + 150 * stripe + 7 * number % 60 + 10 * (place % channels)) as u8
    };
    (0..side * side * channels).map(value).collect()
}

fn idx_bytes(dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// Writes images in the format of Fashion-MNIST; the training labels are packed with gzip.
fn write_images(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for (part, count) in [("train", 40), ("t10k", 20)] {
        let all: Vec<u8> = (0..count).flat_map(|number| pixels(number, SIDE, 1)).collect();
        let labels: Vec<u8> = (0..count).map(|number| (number % 2) as u8).collect();
        let dims = [count as u32, SIDE as u32, SIDE as u32];
        let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).expect("a file");
        write(&format!("{part}-images-idx3-ubyte"), idx_bytes(&dims, &all));
        let labels = idx_bytes(&dims[..1], &labels);
        if part == "train" {
            write("train-labels-idx1-ubyte.gz", packing::gzip(&labels));
        } else {
            write("t10k-labels-idx1-ubyte", labels);
        }
    }
}

fn idx(lab: &Path) -> Subject {
    let template = lab.join("idx");
    write_images(&template.join("images"));
    Subject {
        name: "idx",
        template,
        files: ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz"]
            .map(|name| format!("images/{name}"))
            .into(),
        commands: vec![format!("train rotation --data fashion-mnist:images {STEP}")],
        is_text: false,
        packing: None,
    }
}

fn cifar(lab: &Path) -> Subject {
    let template = lab.join("cifar");
    let folder = template.join("images");
    fs::create_dir_all(&folder).expect("a folder");
    let names = [1, 2, 3, 4, 5].map(|number| format!("data_batch_{number}.bin"));
    for name in names.iter().map(String::as_str).chain(["test_batch.bin"]) {
        let records = (0..4).flat_map(|number| [vec![number as u8], pixels(number, 32, 3)].concat());
        fs::write(folder.join(name), records.collect::<Vec<u8>>()).expect("a file");
    }
    Subject {
        name: "cifar",
        template,
        files: strings(["images/data_batch_2.bin", "images/test_batch.bin"]),
        commands: vec![format!("train rotation --data cifar-10:images {STEP}")],
        is_text: false,
        packing: None,
    }
}

/// A downloaded archive.
fn tar(lab: &Path) -> Subject {
    let template = lab.join("tar");
    fs::create_dir_all(&template).expect("a folder");
    fs::write(template.join("set.tar.gz"), packing::gzip(&packing::archive())).expect("a file");
    Subject {
        name: "tar",
        template,
        files: strings(["set.tar.gz"]),
        commands: vec![format!("{UNPACK} {{file}} out")],
        is_text: false,
        packing: Some(Packing { open: |_| packing::archive(), close: |bytes| packing::gzip(&bytes) }),
    }
}

/// Tar files of images with their classes, one packed.
fn shards(lab: &Path) -> Subject {
    let template = lab.join("shards");
    fs::create_dir_all(template.join("images")).expect("a folder");
    let shard = |first: usize| {
        let sample = |number: usize| {
            let class = (number % 2).to_string().into_bytes();
            [(format!("{number}.cls"), class), (format!("{number}.png"), encoded("png", number))]
        };
        packing::tar((first..first + 8).flat_map(sample))
    };
    fs::write(template.join("images/train-0.tar"), shard(0)).expect("a file");
    fs::write(template.join("images/train-1.tar.gz"), packing::gzip(&shard(8))).expect("a file");
    fs::write(template.join("images/val-0.tar"), shard(16)).expect("a file");
    Subject {
        name: "shards",
        template,
        files: ["train-0.tar", "train-1.tar.gz", "val-0.tar"].map(|name| format!("images/{name}")).into(),
        commands: vec![format!("train rotation --data shards:images,size={SIDE} {STEP}")],
        is_text: false,
        packing: None,
    }
}

fn encoded(ending: &str, number: usize) -> Vec<u8> {
    let side = SIDE + 4;
    let mut bytes = Vec::new();
    let pixels = pixels(number, side, 3);
    match ending {
        "png" => {
            let options = EncoderOptions::new(side, side, ColorSpace::RGB, BitDepth::Eight);
            PngEncoder::new(&pixels, options).encode(&mut bytes).expect("an image");
        }
        "jpg" => JpegEncoder::new_with_quality(&mut bytes, 90)
            .write_image(&pixels, side as u32, side as u32, ExtendedColorType::Rgb8)
            .expect("an image"),
        _ if number.is_multiple_of(2) => bytes = include_bytes!("../fixtures/images/lossless.webp").to_vec(),
        _ => bytes = include_bytes!("../fixtures/images/lossy.webp").to_vec(),
    }
    bytes
}

/// A folder of pictures, two of which are of the kind that is damaged.
fn pictures(lab: &Path, name: &'static str, ending: &str) -> Subject {
    let template = lab.join(name);
    for number in 0..12 {
        let class = ["lying", "standing"][number % 2];
        let folder = template.join("photos").join(if number < 8 { "train" } else { "test" }).join(class);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{number}.png")), encoded("png", number)).expect("a file");
    }
    let files = [("lying", 20), ("standing", 21)].map(|(class, number)| {
        let file = format!("photos/train/{class}/{number}.{ending}");
        fs::write(template.join(&file), encoded(ending, number)).expect("a file");
        file
    });
    Subject {
        name,
        template,
        files: files.into(),
        commands: vec![format!("train rotation --data folder:photos?size=16 {STEP}")],
        is_text: false,
        packing: (ending == "png").then_some(Packing { open: <[u8]>::to_vec, close: packing::with_png_sums }),
    }
}

/// Runs a command that must succeed.
fn prepare(folder: &Path, lab: &Path, command: &str) {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let ended = child::run(Path::new(NOLABEL), &arguments, folder, &lab.join("home"));
    let said = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "nolabel {command}\n{said}");
}

/// A folder with images, a finished run that was measured, and its encoder as a file.
fn a_run(lab: &Path) -> PathBuf {
    let template = lab.join("run");
    write_images(&template.join("images"));
    let train = "train rotation --data fashion-mnist:images --batch 8 --set encoder.width=4 --epochs 2 --save-every 4 --device cpu -q";
    prepare(&template, lab, &format!("{train} --out run"));
    prepare(&template, lab, "eval run --probe knn --images 20 --test-images 10 --grid 1 --device cpu -q");
    prepare(&template, lab, "export run --out encoder.safetensors");
    template
}

/// Weights of other programs: safetensors, and both formats of torch.save.
fn weights(lab: &Path, run: &Path) -> [Subject; 2] {
    let template = lab.join("weights");
    copy_folder(run, &template);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights");
    for name in ["moco.pth", "swav_old.pth"] {
        fs::copy(fixtures.join(name), template.join(name)).expect("a fixture");
    }
    let torch = lab.join("torch");
    copy_folder(&template, &torch);
    let init = "train rotation --data fashion-mnist:images --batch 4 --set encoder.width=4 --steps 1 --device cpu -q";
    [
        Subject {
            name: "safetensors",
            template,
            files: strings(["encoder.safetensors"]),
            commands: vec![
                format!("eval --weights encoder.safetensors {PROBE}"),
                format!("{init} --init encoder.safetensors --out trained"),
            ],
            is_text: false,
            packing: None,
        },
        Subject {
            name: "pth",
            template: torch,
            files: strings(["moco.pth", "swav_old.pth"]),
            commands: vec![format!("eval --weights {{file}} {PROBE}")],
            is_text: false,
            packing: Some(Packing { open: <[u8]>::to_vec, close: packing::with_zip_sums }),
        },
    ]
}

/// The files of a run's folder.
fn run_files(run: &Path) -> [Subject; 4] {
    let entries = fs::read_dir(run.join("run/checkpoints")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    // where the last one is damaged, the run is that of the one before
    let mut checkpoints: Vec<String> = names.map(|name| format!("run/checkpoints/{name}")).collect();
    checkpoints.sort();
    assert!(checkpoints.len() > 1, "only {checkpoints:?}");
    let resume = "train --resume --out run --device cpu -q".to_string();
    let looks = ["show run", "report run --device cpu -q --out report.html", "export run --out other.safetensors"];
    let text = |name, file: &str, commands: Vec<String>| Subject {
        name,
        template: run.to_path_buf(),
        files: vec![format!("run/{file}")],
        commands,
        is_text: true,
        packing: None,
    };
    let compare = "compare run --probe knn --images 20 --test-images 10 --grid 1 --device cpu".to_string();
    [
        Subject {
            name: "checkpoint",
            template: run.to_path_buf(),
            files: checkpoints,
            commands: [strings(looks), vec![resume.clone(), "export {file} --out other.safetensors".into()]].concat(),
            is_text: false,
            packing: None,
        },
        text("run.toml", "run.toml", [strings(looks), vec![resume.clone(), compare.clone()]].concat()),
        text("events.jsonl", "events.jsonl", [strings(["show run", looks[1]]), vec![resume]].concat()),
        text("eval.json", "eval.json", [strings(["show run", looks[1]]), vec![compare]].concat()),
    ]
}
