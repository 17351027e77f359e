//! The examination of the current run, on request or after its last step, and the way out of it.

use super::engine::Engine;
use super::page;
use super::protocol::{EncoderFile, Reply};
use super::run::Run;
use crate::error::{Error, Result};
use crate::format;
use crate::session::Session;
use crate::session::event::Event;
use crate::weights::{self, About};

impl Engine {
    /// Starts an examination of the run as it is now.
    pub(super) fn start_exam(&mut self) {
        self.run.iter_mut().for_each(Run::examine);
    }

    /// Ends the examination without a result. The run continues or stays as it is.
    pub(super) fn skip_exam(&mut self) {
        if self.run.as_mut().is_some_and(Run::skip_exam) {
            page::post(&Reply::Exam(None));
        }
    }

    /// Ends an examination whose images will not arrive. Returns false if there is none: the failure is then the run's.
    pub(super) fn leave_exam_out(&mut self, error: &Error) -> bool {
        let Some(run) = self.run.as_mut() else { return false };
        let was_on = run.skip_exam();
        if was_on {
            let message = format!("The large test was left out, because images are missing: {error}");
            page::post(&run.log(Event::Warning { message }));
            page::post(&Reply::Exam(None));
        }
        was_on
    }

    /// Sends the encoder of the run as a file for other programs.
    pub(super) async fn export_encoder(&self, kind: EncoderFile) -> Result<()> {
        let none = || Error::Run("There is no encoder to export. Start a run.".into());
        let session = self.run.as_ref().map(Run::session).ok_or_else(none)?;
        let encoder = session.encoder();
        let about = about(session);
        let bytes = match kind {
            EncoderFile::Safetensors => weights::safetensors(&encoder, &about).await?,
            EncoderFile::Onnx => weights::onnx(&encoder, &about).await?,
        };
        let config = session.config();
        let step = session.step();
        let ending = kind.ending();
        let name = format!("{}-{}-{}-encoder-{step:08}.{ending}", config.method, config.data, config.seed);
        page::post(&Reply::File { name, bytes });
        Ok(())
    }
}

/// Description of the run's encoder.
fn about(session: &Session) -> About {
    let config = session.config();
    About {
        encoder: config.encoder.clone(),
        channels: session.data().train.size().channels,
        trained: format::training(&config.method, &config.data, session.step()),
    }
}
