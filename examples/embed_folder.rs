//! Features of the images in a folder: for each image the most similar other one.
//!
//! ```text
//! cargo run --release --example embed_folder [FOLDER [FILE.safetensors]]
//! ```
//!
//! Without a folder, twelve small JPEG files of three colours are drawn into a temporary one. Without a file of weights, the
//! encoder is a random one; `examples/train_encoder.rs` writes such a file.

use std::path::{Path, PathBuf};

use futures_lite::future::block_on;
use image::{Rgb, RgbImage};
use nolabel::data::{Split, folder};
use nolabel::device::{self, DeviceChoice};
use nolabel::net::{Encoder, EncoderConfig, GAP, Init};
use nolabel::probe::features;
use nolabel::rng::{Purpose, stream};
use nolabel::weights::{ImportOptions, import};

const SIDE: usize = 32;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let drawn = tempfile::tempdir()?;
    let folder = match arguments.next() {
        Some(folder) => folder,
        None => {
            draw(drawn.path())?;
            drawn.path().to_path_buf()
        }
    };
    block_on(embed(&folder, arguments.next().as_deref()))
}

async fn embed(folder: &Path, weights: Option<&Path>) -> Result<()> {
    let data = folder::load(folder, SIDE, &mut |_| {})?;
    let device = device::select(DeviceChoice::Cpu).await?.device;
    let encoder = match weights {
        Some(file) => import(&std::fs::read(file)?, &ImportOptions::default(), 1, &device)?.encoder,
        None => {
            let mut init = Init::new(stream(1, Purpose::Weights, 0), &device);
            Encoder::init(&EncoderConfig::small(16), data.train.size().channels, &mut init)?
        }
    };
    let rows = rows(&encoder, &data.train, &device).await?;
    println!("{} images, {} features each", rows.len(), rows[0].len());
    for (image, row) in rows.iter().enumerate() {
        let others = (0..rows.len()).filter(|other| *other != image);
        let nearest = others.max_by(|a, b| cosine(row, &rows[*a]).total_cmp(&cosine(row, &rows[*b])));
        if let Some(nearest) = nearest {
            println!("image {image:2}: nearest is {nearest:2}, cosine {:.3}", cosine(row, &rows[nearest]));
        }
    }
    Ok(())
}

/// The means over positions of the last layer, a row an image.
async fn rows(encoder: &Encoder, images: &Split, device: &burn::tensor::Device) -> Result<Vec<Vec<f32>>> {
    let layers = [GAP.to_string()];
    let found = features::of_images(encoder, images, images.len(), 1, &layers, device).await?;
    Ok(found[0].rows().map(<[f32]>::to_vec).collect())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}

/// Blobs of three colours at different places.
fn draw(folder: &Path) -> Result<()> {
    for number in 0..12u32 {
        let colour = [[230, 60, 40], [40, 200, 80], [60, 90, 230]][number as usize % 3];
        let near = |x: u32, y: u32| (x as f32 - 10.0 - number as f32).hypot(y as f32 - 28.0 + number as f32) < 9.0;
        let pixel = |x, y| if near(x, y) { Rgb(colour) } else { Rgb([24, 24, 24]) };
        RgbImage::from_fn(40, 40, pixel).save(folder.join(format!("{number:02}.jpg")))?;
    }
    Ok(())
}
