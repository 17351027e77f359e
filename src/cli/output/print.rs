//! Writing to the user.

use std::io::{self, ErrorKind, Write};

use super::exit::{Failure, Outcome};

/// Writes a result. A reader who has seen enough (`nolabel methods | head -1`) is no failure.
pub(crate) fn out(text: &str) -> Outcome {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("the result could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a result as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Outcome {
    out(&serde_json::to_string_pretty(value).expect("results have only string keys"))
}

/// Writes a remark. Where nobody can read it there is nobody to be told so.
pub(crate) fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
