//! `nolabel show`: draws a method's views and a network's predictions.

use std::path::PathBuf;

use clap::Args;
use futures_lite::future::block_on;

use crate::cli::input::args;
use crate::cli::input::load_images;
use crate::cli::output::atomic_file;
use crate::cli::output::exit::{Failure, Outcome};
use crate::cli::output::page_path;
use crate::cli::output::print;
use crate::cli::run::open_run::Opened;
use crate::config::Preset;
use crate::data::Spec;
use crate::device::{self, DeviceChoice};
use crate::format;
use crate::methods::find;
use crate::report;
use crate::session::Session;
use crate::session::schedule::Pace;

const USAGE: &str = "\
nolabel show RUN [OPTIONS]
       nolabel show METHOD --data NAME[:DIR] [OPTIONS]";
const EXAMPLES: &str = "\
Examples:
  nolabel show runs/colorization-cifar-10-1
      gray images, the predicted colours and the true ones; show.html in the run's folder
  nolabel show jigsaw --data fashion-mnist
      the views of a method and the predictions of an untrained network; show-jigsaw.html
  nolabel show simsiam --data folder:photos --set min_area=0.5 --out views.html
      the effect of a setting on the views, before training";

/// Draw the views of a method and the predictions of a network
///
/// One self-contained HTML file. Test images are transformed as the method does it: rotated, cropped, shuffled, without colour.
/// The network is that of a run, or an untrained one where a method is named.
#[derive(Args, Debug)]
#[command(override_usage = USAGE, after_help = EXAMPLES)]
pub(crate) struct Show {
    /// A run's folder, one of the files in its checkpoints/, or a method
    #[arg(value_name = "RUN|METHOD")]
    what: PathBuf,

    /// The images: required with a method; with a run others than its own, or the folder its own have moved to
    #[arg(long, value_name = "NAME[:DIR]", value_parser = args::data_specs())]
    data: Option<Spec>,

    /// The file to write [default: show.html in the run's folder, show-METHOD.html for a method]
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,

    /// Preset of a method's settings [default: small]
    #[arg(long, value_name = "PRESET", value_parser = args::presets())]
    preset: Option<Preset>,

    /// Change a setting of a method
    #[arg(long, value_name = "KEY=VALUE", value_parser = args::key_value)]
    set: Vec<(String, String)>,

    /// auto (a GPU if there is one, else the CPU), gpu, gpu:N as `nolabel devices` lists them, or cpu
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// Show no progress, only warnings and the result
    #[arg(short, long)]
    quiet: bool,
}

impl Show {
    pub(crate) fn run(self) -> Outcome {
        self.out.as_deref().map_or(Ok(()), atomic_file::check)?;
        let method = self.what.to_str().filter(|name| !self.what.exists() && find(name).is_ok());
        let (session, place) = match method {
            Some(method) => (self.untrained(method)?, PathBuf::from(format!("show-{method}.html"))),
            None => self.trained()?,
        };
        let out = self.out.clone().unwrap_or(place);
        atomic_file::write(&out, page(&session)?.as_bytes())?;
        print::out(&format!("{}: open it in a browser", format::quoted(&out.display().to_string())))
    }

    /// A method's network before its first step.
    fn untrained(&self, method: &str) -> Outcome<Session> {
        let data =
            self.data.as_ref().ok_or_else(|| Failure::Usage(format!("name the images for {method} with --data")))?;
        let entry = find(method)?;
        let mut config = entry.config(self.preset.unwrap_or(Preset::Small), &data.name);
        self.set.iter().try_for_each(|(key, value)| args::set(&mut config, key, value))?;
        config.check()?;
        let images = load_images::load(data, self.quiet)?;
        // nothing is trained, so a few images are enough; halving keeps divisors of the batch, such as micro-batches
        while config.batch > images.train.len().max(2) {
            config.batch /= 2;
        }
        let selected = block_on(device::select(self.device))?;
        let pace = Pace { read_every: 1, health_every: 0, held_out: 0, probe: None, exam: None };
        Ok(block_on(Session::new(entry, config, images, &selected, pace))?)
    }

    /// A run's network, and the default path of its page.
    fn trained(&self) -> Outcome<(Session, PathBuf)> {
        if self.preset.is_some() || !self.set.is_empty() {
            return Err(Failure::Usage("a run has its settings; --preset and --set go with a method".into()));
        }
        if !self.what.exists() {
            return Err(Failure::Usage(format!(
                "there is no run and no method `{}`; `nolabel methods` lists the methods",
                self.what.display()
            )));
        }
        let opened = Opened::at(&self.what)?;
        let place = page_path::beside(&self.what, "show.html");
        Ok((opened.load(self.data.as_ref(), self.device, self.quiet)?.session, place))
    }
}

fn page(session: &Session) -> Outcome<String> {
    let info = session.entry().info();
    let data = session.data();
    let title = format!("{} on {}", info.title, data.name);
    let network = match session.step() {
        0 => "untrained".to_string(),
        step => format!("after {}", format::count(step, "step")),
    };
    let images = if data.test.is_empty() { "of the training images" } else { "of the test images, never trained on" };
    let facts: String =
        [("Network", network.as_str()), ("Images", images)].map(|(name, value)| report::fact(name, value)).concat();
    let top = format!(
        "<header><p class=\"name\">nolabel · a task without labels</p><h1>{}</h1><p class=\"lead\">{}</p><dl \
         class=\"facts\">{facts}</dl></header>",
        report::escape(&title),
        report::escape(info.task)
    );
    let samples = report::samples(&block_on(session.sample())?);
    let body = [
        top,
        report::section("Views and predictions", &samples),
        report::section("Why", &format!("<p>{}</p>", report::with_code(info.lesson))),
    ];
    Ok(report::document(&title, "", &body.join("\n")))
}
