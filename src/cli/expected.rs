//! Expected time and memory of a measurement, printed before it starts.

use std::fs;

use super::output::exit::{Failure, Outcome};
use super::output::print;
use crate::format;
use crate::probe::cost::Cost;

/// Seconds from which the expected time is printed.
const SHORT: f64 = 30.0;
/// Seconds from which arguments that shorten the measurement are named.
const LONG: f64 = 600.0;

/// Arguments that make a single measurement shorter.
pub(crate) const OF_EVAL: &str = "--images N, --layer NAME and --probe knn of `nolabel eval`";

/// Prints the expected cost where it is high, and refuses a measurement that does not fit into memory. `shorter` names the arguments
/// that make it shorter.
pub(crate) fn tell(cost: Cost, quiet: bool, shorter: &str) -> Outcome {
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    if let Some(free) = available().filter(|free| cost.bytes > *free) {
        return Err(Failure::Failed(format!(
            "this needs about {} of memory beyond the images, and {} are free; {shorter} make it smaller",
            gigabytes(cost.bytes),
            gigabytes(free)
        )));
    }
    let said = format!("measuring takes about {} and {}", format::duration(cost.seconds), gigabytes(cost.bytes));
    if cost.seconds >= LONG {
        print::err(&format!("warning: {said} of memory; {shorter} make it shorter"));
    } else if cost.seconds >= SHORT && !quiet {
        print::err(&format!("{said} of memory"));
    }
    Ok(())
}

/// Bytes of free memory, where the system reports them.
fn available() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024.0 * kilobytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_beyond_the_memory_is_refused() {
        let cost = Cost { seconds: 1.0, bytes: 1e18 };
        let Err(Failure::Failed(said)) = tell(cost, true, "--images N or --layer NAME") else {
            assert_eq!(available(), None, "an exabyte fits nowhere");
            return;
        };
        assert!(said.contains("1000000000.0 GB") && said.contains("--images N or --layer NAME"), "{said}");
        assert!(tell(Cost { seconds: 1e5, bytes: 1e6 }, true, "--images N").is_ok());
    }
}
