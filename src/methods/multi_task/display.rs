//! Drawings of the tasks.

use burn::tensor::Tensor;

use crate::method::{ClassPredictions, LossOutput, Views};
use crate::methods::context_prediction::patch_grid::PLACES;
use crate::net::tensors::int_tensor;
use crate::view::lab::from_lab;
use crate::view::resize;

/// Pairs of patches that are drawn.
const DRAWN: usize = 64;

/// A title and its images.
type Row = (String, Tensor<4>);

/// Pairs of patches with their predictions.
pub(crate) fn questions(
    views: &Views,
    outcome: &LossOutput,
    patches: Tensor<4>,
) -> (Vec<Row>, Option<ClassPredictions>) {
    let (Some(labels), Some(answers)) = (&views.labels, &outcome.answers) else { return (Vec::new(), None) };
    let n = labels.dims()[0];
    let count = n.min(DRAWN);
    let chosen = int_tensor((0..count).map(|index| (index * n / count) as i32).collect(), &patches);
    let patch = |which: usize| {
        let numbers = views.draws[which].clone().select(0, chosen.clone());
        patches.clone().clamp(0.0, 1.0).select(0, numbers)
    };
    let rows = vec![("This patch ...".to_string(), patch(1)), ("... is next to this one".to_string(), patch(0))];
    let truth = labels.clone().select(0, chosen.clone());
    let answers = answers.clone().select(0, chosen);
    (rows, Some(ClassPredictions { names: PLACES.map(str::to_string).to_vec(), truth, answers }))
}

/// Gray images in their predicted and their true colours.
pub(crate) fn colours(gray: Tensor<4>, truth: Tensor<4>, said: Option<&Tensor<4>>) -> Vec<Row> {
    let [_, _, h, w] = gray.dims();
    let lightness = gray.clone().narrow(1, 0, 1) * 100.0;
    let painted = |ab: Tensor<4>| from_lab(Tensor::cat(vec![lightness.clone(), ab], 1));
    let mut rows = vec![("A gray image".to_string(), gray)];
    rows.extend(said.map(|ab| ("In the predicted colours".to_string(), painted(resize(ab.clone(), [h, w])))));
    rows.push(("In the true colours".to_string(), painted(truth)));
    rows
}
