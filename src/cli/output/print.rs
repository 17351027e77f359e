//! Results to stdout, remarks to stderr.

use std::io::{self, ErrorKind, Write};

use super::exit::{Failure, Outcome};

/// Writes a result. A closed pipe (`nolabel methods | head -1`) is no failure.
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

/// Writes a remark. Errors are ignored: there is nowhere else to report them.
pub(crate) fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
