//! Requests of the visitor about the network so far: the large test, and its encoder as a file.

use leptos::prelude::*;

use super::store::PageState;
use crate::page::model::phase::Phase;
use crate::worker::protocol::{Command, EncoderFile};

impl PageState {
    /// True if the engine has a network that has taken a step.
    pub fn has_network(self) -> bool {
        let on_show = matches!(self.phase.get(), Phase::Running | Phase::Paused | Phase::Done);
        on_show && self.run.with(|run| run.steps() > 0)
    }

    /// Starts the large test.
    pub fn start_exam(self) {
        self.send(&Command::Exam);
    }

    /// Ends the large test without a result.
    pub fn skip_exam(self) {
        self.send(&Command::SkipExam);
    }

    /// Asks for the encoder as a file.
    pub fn export_encoder(self, kind: EncoderFile) {
        self.send(&Command::Export { kind });
    }
}
