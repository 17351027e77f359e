//! The glossary's terms in running text. Their definitions are part of `index.html`, one element `term-ID` each.

/// Terms: the id of the definition, and the words that stand for it, the longer before the shorter.
const TERMS: [(&str, &[&str]); 14] = [
    ("network", &["neural network", "network"]),
    ("label", &["labels", "label"]),
    ("batch", &["batch"]),
    ("weights", &["weights"]),
    ("loss", &["loss"]),
    ("view", &["views", "view"]),
    ("features", &["features", "feature"]),
    ("cluster", &["clusters", "cluster"]),
    ("gradient", &["stop gradient", "gradient"]),
    ("directions", &["directions"]),
    ("collapse", &["collapsed", "collapse"]),
    ("probe", &["linear probe", "probe"]),
    ("control", &["controls", "control"]),
    ("epoch", &["epochs", "epoch"]),
];

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Plain words.
    Plain(String),
    /// A term of the glossary.
    Term {
        /// Id of the definition.
        id: &'static str,
        /// The term as the text has it.
        word: String,
    },
}

/// The text in pieces. A term is marked at its first use only, and not at all if it is `known` from an earlier text.
pub fn marked(text: &str, known: &[&str]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut terms: Vec<_> = TERMS.iter().filter(|(id, _)| !known.contains(id)).collect();
    let mut rest = text;
    while let Some((place, start, length)) = next_term(rest, &terms) {
        let (id, _) = terms.remove(place);
        if start > 0 {
            pieces.push(Piece::Plain(rest[..start].into()));
        }
        pieces.push(Piece::Term { id, word: rest[start..start + length].into() });
        rest = &rest[start + length..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest.into()));
    }
    pieces
}

/// Index, start and length of the first of `terms` in the text; of two that start together, the longer.
fn next_term(text: &str, terms: &[&(&str, &[&str])]) -> Option<(usize, usize, usize)> {
    let mut next: Option<(usize, usize, usize)> = None;
    for (place, (_, words)) in terms.iter().enumerate() {
        for word in *words {
            let Some(start) = first_use(text, word) else { continue };
            let before = |(_, known, length)| start < known || (start == known && word.len() > length);
            if next.is_none_or(before) {
                next = Some((place, start, word.len()));
            }
        }
    }
    next
}

/// Start of the first place where `word`, in any case, is a whole word.
fn first_use(text: &str, word: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric() && letter != '-');
    let mut places = lower.match_indices(word).map(|(start, _)| start);
    places.find(|&start| {
        is_edge(lower[..start].chars().next_back()) && is_edge(lower[start + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, known: &[&str]) -> Vec<(&'static str, String)> {
        let term = |piece| match piece {
            Piece::Term { id, word } => Some((id, word)),
            Piece::Plain(_) => None,
        };
        marked(text, known).into_iter().filter_map(term).collect()
    }

    #[test]
    fn a_term_is_marked_at_its_first_use() {
        let text = "Every batch has a Loss; the loss of a mini-batch, of views and of one view.";
        let found = terms(text, &[]);
        assert_eq!(found, [("batch", "batch".into()), ("loss", "Loss".into()), ("view", "views".into())]);
        let whole: String = marked(text, &[])
            .into_iter()
            .map(|piece| match piece {
                Piece::Plain(text) | Piece::Term { word: text, .. } => text,
            })
            .collect();
        assert_eq!(whole, text);
        assert_eq!(terms(text, &["loss", "batch"]), [("view", "views".into())]);
    }

    #[test]
    fn longer_terms_win_and_parts_of_words_are_none() {
        assert_eq!(terms("A neural network, a network", &[]), [("network", "neural network".into())]);
        assert_eq!(terms("The linear probe is a probe", &[]), [("probe", "linear probe".into())]);
        assert_eq!(terms("networks review glosses", &[]), []);
        assert_eq!(marked("", &[]), []);
        assert_eq!(terms("“features”", &[]), [("features", "features".into())]);
    }

    #[test]
    fn every_term_has_a_definition_and_every_definition_a_term() {
        let page = include_str!("../../../index.html");
        for (id, _) in TERMS {
            let definition = page.split(&format!("id=\"term-{id}\"")).nth(1);
            assert!(definition.is_some_and(|rest| rest.contains("</dfn>")), "{id} is not defined");
            assert!(page.contains(&format!("popovertarget=\"term-{id}\"")), "{id} is not in the list of words");
        }
    }
}
