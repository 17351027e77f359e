//! Evaluation of an encoder beside its controls: raw pixels, their principal components, the same encoder untrained, and the
//! same encoder trained with labels.
//!
//! A probe accuracy says little alone: random convolutions keep most of an image, so an encoder that learned nothing may
//! still score high. Every number here is measured together with those of encoders that learned nothing.
//!
//! With an encoder `trained`:
//!
//! ```no_run
//! use futures_lite::future::block_on;
//! use nolabel::data::{Spec, store};
//! use nolabel::device::{self, DeviceChoice};
//! use nolabel::evaluate::{self, EncoderUnderTest, EvalRequest};
//! use nolabel::net::EncoderConfig;
//! use nolabel::probe::{ProbeSettings, Source};
//!
//! # fn measure(trained: &nolabel::net::Encoder) -> nolabel::Result<()> {
//! let data = store::load(&Spec::named("fashion-mnist"), &mut |_| ())?;
//! let selected = block_on(device::select(DeviceChoice::Auto))?;
//! let config = EncoderConfig::small(32).normalised_for("fashion-mnist");
//! let untrained = evaluate::untrained(&config, 1, &data, &selected)?;
//! let subject = EncoderUnderTest {
//!     trained,
//!     untrained: &untrained,
//!     config: &config,
//!     seed: 1,
//!     data: &data,
//!     images_sha256: &store::digest(&data),
//!     selected: &selected,
//! };
//! let request = EvalRequest::from(ProbeSettings::default());
//! let measured = block_on(subject.measure(&request, &mut |task| eprintln!("{task}")))?;
//! let trained = measured.best(Source::Trained, "knn").expect("kNN was asked for");
//! let control = measured.best_control("knn").expect("controls are always measured");
//! println!("{}: {:.1} % against {:.1} %", trained.layer, 100.0 * trained.accuracy, 100.0 * control.accuracy);
//! # Ok(())
//! # }
//! ```

mod adapt_images;
pub mod aggregate;
mod cache;
mod controls;
mod cost;
mod measure;
pub mod repeat;
mod request;
mod subject;

pub use crate::probe::{CONTROLS, Standing, best_control};
pub use adapt_images::{AdaptedImages, adapt_images};
pub use cache::Cache;
pub use cost::expected_cost;
pub use measure::Measurement;
pub use request::{ControlBudget, EvalRequest, SupervisedControl};
pub use subject::{EncoderUnderTest, Tell, untrained};
