//! Trains an encoder without labels and writes its weights.
//!
//! ```text
//! cargo run --release --example train_encoder [FILE.safetensors]
//! ```
//!
//! The images are clips of moving shapes that the library draws itself; the task is to say by how much each was turned. 40
//! steps take some seconds on a CPU. The file loads into PyTorch with `safetensors`, and into `examples/embed_folder.rs`.

use futures_lite::future::block_on;
use nolabel::config::Preset;
use nolabel::data::shapes;
use nolabel::device::{self, DeviceChoice};
use nolabel::methods::find;
use nolabel::session::event::Event;
use nolabel::session::schedule::Pace;
use nolabel::session::{Progress, Session};
use nolabel::weights::{About, safetensors};

const SIDE: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "encoder.safetensors".to_string());
    block_on(train(&file))
}

async fn train(file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let data = shapes::dataset(SIDE, |clips| (0..clips).map(|number| shapes::clip(number, SIDE)).collect())?;
    let channels = data.train.size().channels;

    // any method of the list, with its small preset and a few settings of our own
    let method = find("rotation")?;
    let mut config = method.config(Preset::Small, &data.name);
    config.encoder.width = 8;
    config.batch = 32;
    config.steps = 40;

    let selected = device::select(DeviceChoice::Cpu).await?;
    let pace = Pace { read_every: 10, health_every: 0, held_out: 256, probe: None, exam: None };
    let mut session = Session::new(method, config.clone(), data, &selected, pace).await?;
    println!("{} on {}", method.info().title, selected.readout.name);
    while let Progress::Events(events) = session.advance().await? {
        for event in events {
            match event {
                Event::Step(step) => println!("step {:3}: loss {:.3}", step.step, step.loss),
                Event::Pretext(pretext) => println!("{} on test images: {:.3}", pretext.name, pretext.value),
                _ => {}
            }
        }
    }

    let trained = format!("trained by {} for {} steps", config.method, session.step());
    let about = About { encoder: config.encoder, channels, trained };
    std::fs::write(file, safetensors(&session.encoder(), &about).await?)?;
    println!("weights written to {file}");
    Ok(())
}
