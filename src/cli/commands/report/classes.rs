//! The confusion matrix.

use std::fmt::Write as _;

use crate::format;
use crate::probe::confusion::Confusion;
use crate::report::escape;
use crate::report::image::Image;

/// Most classes in a table with numbers; with more the matrix is an image.
const READABLE: usize = 20;
/// Confusions that are named in the text.
const TOLD: usize = 4;

/// The matrix with its most frequent confusions in a sentence.
pub(super) fn html(confusion: &Confusion) -> String {
    let matrix = if confusion.classes.len() <= READABLE { table(confusion) } else { picture(confusion) };
    format!("<p>{}</p>{matrix}", escape(&words(confusion)))
}

fn words(confusion: &Confusion) -> String {
    let name = |class: usize| confusion.classes.get(class).map_or("", String::as_str);
    let told: Vec<String> = confusion
        .worst(TOLD)
        .iter()
        .map(|mistake| {
            let of = format::thousands(confusion.images(mistake.truth));
            format!("{} for {} ({} of {of})", name(mistake.truth), name(mistake.named), mistake.images)
        })
        .collect();
    let probe = if confusion.probe == "knn" { "nearest neighbours" } else { "linear probe" };
    let most = match told.is_empty() {
        true => "No image was misclassified.".to_string(),
        false => format!("Most frequent confusions: {}.", told.join(", ")),
    };
    format!(
        "Rows are true classes, columns the classes that the {probe} at {} predicts for their test images. {most}",
        confusion.layer
    )
}

fn table(confusion: &Confusion) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"confusion\"><thead><tr><th></th>");
    for class in &confusion.classes {
        let _ = write!(html, "<th class=\"named\"><span>{}</span></th>", escape(class));
    }
    html.push_str("</tr></thead><tbody>");
    for (truth, counts) in confusion.counts.iter().enumerate() {
        let name = confusion.classes.get(truth).map_or("", String::as_str);
        let _ = write!(html, "<tr><th>{}</th>", escape(name));
        let all = confusion.images(truth).max(1) as f64;
        for (named, &count) in counts.iter().enumerate() {
            // square roots make rare confusions visible beside the diagonal
            let share = (100.0 * (count as f64 / all).sqrt()).round();
            let class = if truth == named { "cell own" } else { "cell" };
            let text = if count == 0 { String::new() } else { format::thousands(count) };
            let _ = write!(html, "<td class=\"{class}\" style=\"--share:{share}%\">{text}</td>");
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn picture(confusion: &Confusion) -> String {
    let side = confusion.classes.len();
    let shade = |truth: usize, count: usize| {
        let all = confusion.images(truth).max(1) as f64;
        (255.0 * (count as f64 / all).sqrt()).round() as u8
    };
    let rows = confusion.counts.iter().enumerate();
    let pixels = rows.flat_map(|(truth, row)| row.iter().map(move |&count| shade(truth, count))).collect();
    let image = Image { width: side, height: side, channels: 1, pixels };
    format!(
        "<figure class=\"matrix\"><img alt=\"Confusion of {side} classes\" src=\"{}\"><p class=\"quiet\">Classes in the order of \
         the data set. White is all test images of a class, black none; between them the square root of the share.</p></figure>",
        image.address()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Source;

    fn confusion(classes: &[&str], counts: Vec<Vec<usize>>) -> Confusion {
        let classes = classes.iter().map(ToString::to_string).collect();
        Confusion { source: Source::Trained, layer: "block3".into(), probe: "linear".into(), classes, counts }
    }

    #[test]
    fn the_table_has_numbers_and_the_text_confusions() {
        let html = html(&confusion(&["<cat>", "dog"], vec![vec![75, 25], vec![0, 1]]));
        assert!(html.contains("&lt;cat&gt; for dog (25 of 100)") && !html.contains("<cat>"), "{html}");
        assert!(html.contains("linear probe at block3"), "{html}");
        assert!(html.contains("style=\"--share:50%\">25</td>"), "{html}");
        assert!(html.contains("style=\"--share:0%\"></td>"), "{html}");
        let right = words(&confusion(&["cat", "dog"], vec![vec![1, 0], vec![0, 1]]));
        assert!(right.contains("No image was misclassified"), "{right}");
    }

    #[test]
    fn many_classes_are_a_picture() {
        let names: Vec<String> = (0..30).map(|class| class.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let html = html(&confusion(&names, vec![vec![1; 30]; 30]));
        assert!(html.contains("data:image/png") && !html.contains("<table"), "{html}");
    }
}
