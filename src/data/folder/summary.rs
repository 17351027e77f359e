//! The line that says how a folder was understood.

use std::path::Path;

use super::halves::quoted;
use super::layout::counted;

/// Most classes that are listed.
const NAMED: usize = 6;

/// The facts of the line.
pub(super) struct Summary<'a> {
    pub(super) root: &'a Path,
    pub(super) classes: &'a [String],
    /// Number of clips, if images are frames.
    pub(super) clips: Option<usize>,
    /// The noun of what is counted: image or frame.
    pub(super) noun: &'a str,
    /// Counts of the training, validation and test half.
    pub(super) counts: [usize; 3],
    /// The folders of the halves in words; empty if there are none.
    pub(super) names: &'a [String; 3],
    /// The manner in which test images were held out where no folder holds any.
    pub(super) held_out: &'a str,
    /// Files that could not be read.
    pub(super) unread: usize,
    pub(super) unused: &'a [String],
}

impl Summary<'_> {
    pub(super) fn words(&self) -> String {
        let [train, validation, test] = self.counts;
        let from = |name: &String| if name.is_empty() { String::new() } else { format!(" ({name})") };
        let mut parts: Vec<String> = self.clips.map(|clips| counted(clips, "clip")).into_iter().collect();
        parts.extend([self.classes(), format!("{} to learn from{}", counted(train, self.noun), from(&self.names[0]))]);
        if validation > 0 {
            parts.push(format!("{validation} to choose L2 and layer by{}", from(&self.names[1])));
        }
        let how = if self.names[2].is_empty() { format!(" ({})", self.held_out) } else { from(&self.names[2]) };
        parts.push(format!("{test} to test on{how}"));
        if self.unread > 0 {
            parts.push(format!("{} left out that cannot be read", counted(self.unread, "file")));
        }
        let unused =
            if self.unused.is_empty() { String::new() } else { format!("; not used: {}", self.unused.join(", ")) };
        format!("{}: {}{unused}", self.root.display(), parts.join(", "))
    }

    fn classes(&self) -> String {
        if self.classes.is_empty() {
            return "no classes".to_string();
        }
        let count = self.classes.len();
        let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
        format!("{count} classes ({}{more})", quoted(&self.classes[..count.min(NAMED)]))
    }
}

/// A sentence about classes of which no image is left to test on; nothing where there is none.
pub(super) fn untested(classes: &[String], labels: &[u16]) -> Option<String> {
    let missing: Vec<&String> = classes
        .iter()
        .enumerate()
        .filter(|(place, _)| !labels.iter().any(|&label| usize::from(label) == *place))
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() || labels.is_empty() {
        return None;
    }
    let noun = if missing.len() == 1 { "class" } else { "classes" };
    let more = if missing.len() > NAMED { format!(" and {} more", missing.len() - NAMED) } else { String::new() };
    let names = quoted(&missing[..missing.len().min(NAMED)]);
    Some(format!("there is no test image of {noun} {names}{more}; no accuracy says anything about that"))
}
