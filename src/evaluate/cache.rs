//! A cache of measured controls on disk: one small file an entry, named by the digest of its key. A file that is damaged or
//! belongs to another key is a miss; an entry that cannot be written is measured again the next time.

use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::sha256;

/// Raised when a change makes the probes give other numbers.
const VERSION: u32 = 3;

/// A folder of measured controls, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: Option<PathBuf>,
    /// True if entries are written but not read.
    fresh: bool,
}

/// A file. In TOML, which reads a float back to its last bit.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    /// Digest of question and answer.
    sha256: String,
    question: String,
    answer: T,
}

impl Cache {
    /// No cache: every control is measured.
    pub fn none() -> Self {
        Self { folder: None, fresh: false }
    }

    /// A cache in a folder, which is made when the first entry is written.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), fresh: false }
    }

    /// The user's own, which the command line uses: `nolabel/controls` in the system's cache folder.
    pub fn of_user() -> Self {
        Self { folder: dirs::cache_dir().map(|caches| caches.join("nolabel").join("controls")), fresh: false }
    }

    /// The same cache; with `fresh` it is written but not read: controls are measured again and their entries replaced.
    pub fn fresh(self, fresh: bool) -> Self {
        Self { fresh, ..self }
    }

    /// The answer to a question, if it is known.
    pub(super) fn get<T: Serialize + DeserializeOwned>(&self, question: &Value) -> Option<T> {
        let question = text(question);
        let folder = self.folder.as_ref().filter(|_| !self.fresh)?;
        let found = fs::read_to_string(folder.join(name(&question))).ok()?;
        let entry: Entry<T> = toml::from_str(&found).ok()?;
        let whole = entry.question == question && seal(&question, &entry.answer)? == entry.sha256;
        whole.then_some(entry.answer)
    }

    /// Writes an answer; a failure to do so is ignored.
    pub(super) fn put<T: Serialize>(&self, question: &Value, answer: &T) {
        let _ = self.try_put(&text(question), answer);
    }

    fn try_put<T: Serialize>(&self, question: &str, answer: &T) -> Option<()> {
        let folder = self.folder.as_ref()?;
        let sha256 = seal(question, answer)?;
        let entry = toml::to_string(&Entry { sha256, question: question.to_string(), answer }).ok()?;
        fs::create_dir_all(folder).ok()?;
        // a name of its own, since other processes may write too; renamed, so that nobody reads half a file
        let partial = folder.join(format!("{}.{}.partial", name(question), std::process::id()));
        fs::write(&partial, entry).ok()?;
        fs::rename(&partial, folder.join(name(question))).ok()
    }
}

/// The question with the version of the probes.
fn text(question: &Value) -> String {
    format!("probes {VERSION} of nolabel {}: {question}", env!("CARGO_PKG_VERSION"))
}

fn name(question: &str) -> String {
    format!("{}.toml", &sha256(question.as_bytes())[..32])
}

fn seal(question: &str, answer: &impl Serialize) -> Option<String> {
    #[derive(Serialize)]
    struct Answer<'a, T: Serialize> {
        answer: &'a T,
    }
    let answer = toml::to_string(&Answer { answer }).ok()?;
    Some(sha256(format!("{question}\n{answer}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_whole_or_not_at_all() {
        let here = tempfile::tempdir().expect("a folder");
        let cache = Cache::in_folder(here.path().join("deep/inside"));
        let ask = |question: &str| cache.get::<Vec<f64>>(&question.into());
        assert_eq!(ask("pixels"), None);
        let answer = vec![0.1 + 0.2, 1.0 / 3.0, 2.0 / 3.0];
        cache.put(&"pixels".into(), &answer);
        assert_eq!(ask("pixels"), Some(answer.clone()), "to the last bit");
        assert_eq!(ask("others"), None);
        assert_eq!(cache.clone().fresh(true).get::<Vec<f64>>(&"pixels".into()), None);
        assert_eq!(cache.get::<Vec<String>>(&"pixels".into()), None, "of another kind");

        let file =
            fs::read_dir(here.path().join("deep/inside")).expect("a folder").next().expect("one").expect("a file");
        let text = fs::read_to_string(file.path()).expect("a text");
        let damaged = [text.replace("0.333", "0.433"), text.replace("pixels", "others"), text[..text.len() / 2].into()];
        for wrong in damaged {
            assert_ne!(wrong, text);
            fs::write(file.path(), wrong).expect("a file");
            assert_eq!(ask("pixels"), None);
        }
        cache.put(&"pixels".into(), &answer);
        assert_eq!(ask("pixels"), Some(answer), "it is replaced");
    }

    #[test]
    fn without_a_folder_nothing_is_known_and_nothing_goes_wrong() {
        let here = tempfile::tempdir().expect("a folder");
        fs::write(here.path().join("file"), "").expect("a file");
        for folder in [None, Some(here.path().join("file/inside"))] {
            let cache = Cache { folder, fresh: false };
            cache.put(&"pixels".into(), &vec![1.0]);
            assert_eq!(cache.get::<Vec<f64>>(&"pixels".into()), None);
        }
    }
}
